"""Whether attribution maps depend on what a network learnt, and what pixels they find matter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from .base import Evidence, Provenance


@dataclass(frozen=True, eq=False)
class RandomisationSummary(Evidence):
    """Attribution maps before and after weights are drawn anew from the top down (Fig. 8).

    `correlations[m, n]` is Spearman's correlation of the maps of `methods[m]` with those of the
    network whose `counts[n]` topmost layers are drawn anew, a mean over `counted[m, n]` images
    where it is defined, `errors` its standard error over them. A method whose correlation stays
    high shows the image, not what was learnt. `covered[m]` is the share of pixels at which its maps
    are not 0: maps of few pixels agree less by that alone. `layers` are the network's layers with
    weights from the top down. `other` is the same against another network, as one trained on
    permuted labels, with `other_errors` and `other_counted`; None where there was none.
    """

    images: int
    methods: tuple[str, ...]
    layers: tuple[str, ...]
    counts: Int[np.ndarray, " n"]
    correlations: Float[np.ndarray, "m n"]
    errors: Float[np.ndarray, "m n"]
    counted: Int[np.ndarray, "m n"]
    covered: Float[np.ndarray, " m"]
    provenance: Provenance
    other: Float[np.ndarray, " m"] | None = None
    other_errors: Float[np.ndarray, " m"] | None = None
    other_counted: Int[np.ndarray, " m"] | None = None
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        rows = [("method", "pixels", *(f"{n} anew" for n in self.counts))]
        rows += [
            (
                name,
                f"{self.covered[m]:.0%}",
                *(
                    f"{r:.2f}" if n else "-"
                    for r, n in zip(self.correlations[m], self.counted[m], strict=True)
                ),
            )
            for m, name in enumerate(self.methods)
        ]
        if self.other is not None:
            rows = [
                (*row, end)
                for row, end in zip(
                    rows, ("other network", *(f"{r:.2f}" for r in self.other)), strict=True
                )
            ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class PixelCurves(Evidence):
    """A class's probability as pixels go or come in the order of a map (Petsiuk et al. 2018).

    At each of `shares` of the pixels, `deletion` is the probability with so many of the strongest
    gone and `insertion` with only them there; `deletion_area` and `insertion_area` are the areas
    under both, 0 to 1: the first small and the second large where the map is right. The `random_`
    ones are means over orders drawn at random, what a map that knows nothing gives.
    """

    target: str
    method: str
    layer: str
    shares: Float[np.ndarray, " s"]
    deletion: Float[np.ndarray, " s"]
    insertion: Float[np.ndarray, " s"]
    deletion_area: float
    insertion_area: float
    random_deletion: Float[np.ndarray, " s"]
    random_insertion: Float[np.ndarray, " s"]
    random_deletion_area: float
    random_insertion_area: float
    provenance: Provenance
    index: int | None = None
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return (
            f"{self.method} for {self.target!r}: deletion {self.deletion_area:.3f} (random"
            f" {self.random_deletion_area:.3f}), insertion {self.insertion_area:.3f} (random"
            f" {self.random_insertion_area:.3f})"
        )
