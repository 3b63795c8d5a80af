"""Whether attribution maps depend on what a network learnt, and what pixels they find matter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from .base import Evidence, Provenance, as_table


@dataclass(frozen=True, eq=False)
class RandomisationSummary(Evidence):
    """Attribution maps before and after weights are drawn anew from the top down (Fig. 8).

    `correlations[m, n]` is Spearman's correlation of the maps of `methods[m]` with those of the
    network whose `counts[n]` topmost layers are drawn anew, a mean over `counted[m, n]` images
    where it is defined, `errors` its standard error over them. A method whose correlation stays
    high shows the image, not what was learnt. `covered[m]` is the share of pixels at which its maps
    are not 0: maps of few pixels correlate less by that alone. So `shared[m, n]`, a mean over the
    same images, is the share of the map's strongest pixels that stay among the strongest, the same
    number for all methods, and `chance[n]` what it is for maps that know nothing of each other,
    which is the share of pixels that are looked at. `layers` are the network's layers with weights
    from the top down. Those that begin with `other` are the same against another network, as one
    trained on permuted labels; None where there was none.
    """

    images: int
    methods: tuple[str, ...]
    layers: tuple[str, ...]
    counts: Int[np.ndarray, " n"]
    correlations: Float[np.ndarray, "m n"]
    errors: Float[np.ndarray, "m n"]
    counted: Int[np.ndarray, "m n"]
    shared: Float[np.ndarray, "m n"]
    shared_errors: Float[np.ndarray, "m n"]
    chance: Float[np.ndarray, " n"]
    covered: Float[np.ndarray, " m"]
    provenance: Provenance
    other: Float[np.ndarray, " m"] | None = None
    other_errors: Float[np.ndarray, " m"] | None = None
    other_counted: Int[np.ndarray, " m"] | None = None
    other_shared: Float[np.ndarray, " m"] | None = None
    other_shared_errors: Float[np.ndarray, " m"] | None = None
    other_chance: float | None = None
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        columns = [("method", *self.methods, "by chance")]
        columns += [("pixels", *(f"{share:.0%}" for share in self.covered), "")]
        for n, count in enumerate(self.counts):
            told = (a[:, n] for a in (self.correlations, self.shared, self.counted))
            columns += _columns(f"{count} anew", *told, chance=float(self.chance[n]))
        others = (self.other, self.other_shared, self.other_counted)
        if self.other_chance is not None:
            told = (a for a in others if a is not None)
            columns += _columns("other network", *told, chance=self.other_chance)
        return as_table(list(zip(*columns, strict=True)))


def _columns(
    title: str,
    correlations: Float[np.ndarray, " m"],
    shared: Float[np.ndarray, " m"],
    counted: Int[np.ndarray, " m"],
    *,
    chance: float,
) -> list[tuple[str, ...]]:
    """Return the correlations and the shares of strongest pixels that stay, each with its title."""
    return [
        (head, *(f"{r:.2f}" if k else "-" for r, k in zip(values, counted, strict=True)), end)
        for head, values, end in (
            (title, correlations, "0.00"),
            ("shared", shared, f"{chance:.2f}"),
        )
    ]


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
