"""Contributions of channels to decisions: estimated by gradients, or measured by ablation."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..evidence import Faithfulness
from ..evidence.faithfulness import faithfulness, pearson
from ..network.ablation import Removal
from ..network.probe import Capture, Probe
from ..network.segments import Decided, Segment
from .decisions import Weights

# The ways to find contributions, and what evidence calls them.
METHODS = {
    "gradient": "hierarchical decomposition (gAP)",
    "ablation": "hierarchical decomposition by ablation",
}


def estimated(maps: Float[Tensor, "b k h w"], area: int) -> Weights:
    """Return alphas (Eq. 4): means of gradient times activation over a map of `area` cells."""
    return Weights(maps.sum((2, 3)) / area, area)


def measured(decided: Decided, maps: Float[Tensor, "b k h w"], removal: Removal) -> Weights:
    """Return how far each decision falls without each channel, and how far by its gradient.

    `maps` are gradient times activation (Eq. 3). Raises RuntimeError where the network does not
    give the decision again.
    """
    estimates = maps.sum((2, 3))
    dtype = torch.promote_types(estimates.dtype, torch.float32)
    drops = torch.empty_like(estimates, dtype=dtype)
    agreements = []
    for i in range(len(decided.units)):
        drops[i] = torch.from_numpy(_fallen(decided, i, decided.activations, removal))
        r = pearson(estimates[i].double().cpu().numpy(), drops[i].double().cpu().numpy())
        agreements.append(None if math.isnan(r) else r)
    return Weights(drops, 1, estimates, tuple(agreements))


def _fallen(
    decided: Decided, i: int, removed: Float[Tensor, "b k h w"], removal: Removal
) -> Float[np.ndarray, " k"]:
    """Return how far a decision of a batch falls without each channel, towards its own sign."""
    unit, value, unclipped = decided.units[i], decided.values[i], decided.unclipped[i]
    fallen = removal.drops(unit, value, unclipped=unclipped) * decided.signs[i]
    # A channel that is at its baseline everywhere can leave nothing but rounding.
    fallen[(removed[i].abs().amax((1, 2)) == 0).cpu().numpy()] = 0
    return fallen


class Weighing:
    """Finds contributions in one image's network by any of the methods, and how far they agree.

    `names` are a segment's shallow and deep layer, None for logits. A removed channel is zero, or
    has its mean of `means` (by layer) everywhere. Call it inside `guest.visiting`.
    """

    def __init__(
        self, probe: Probe, capture: Capture, means: Mapping[str, Tensor] | None = None
    ) -> None:
        self._probe, self._capture, self._means = probe, capture, means
        self._removals: dict[tuple[str, str | None], Removal] = {}

    def weights(
        self,
        method: str,
        segment: Segment,
        names: tuple[str, str | None],
        decided: Decided,
        maps: Float[Tensor, "b k h w"],
    ) -> Weights:
        """Return the contributions to a batch of decisions, by "gradient" or "ablation"."""
        if method == "gradient":
            return estimated(maps, segment.full[0] * segment.full[1])
        return measured(decided, maps, self._removal(segment, names))

    def faithfulness(
        self, segment: Segment, names: tuple[str, str | None], decided: Decided
    ) -> Faithfulness:
        """Return how far the gradient's contributions to one decision agree with removals.

        Estimates are sums of gradient times what is removed: the activation, or its part above the
        mean (mixing the two baselines costs up to 0.7 of correlation).
        """
        removed = self.removed(names[0], decided)
        maps = decided.gradients * removed
        start = time.perf_counter()
        drops = _fallen(decided, 0, removed, self._removal(segment, names))
        seconds = time.perf_counter() - start
        (estimates,) = maps.sum((2, 3)).double().cpu().numpy()
        baseline = "zero" if self._means is None else "mean"
        return faithfulness(estimates, drops, baseline=baseline, seconds=seconds)

    def removed(self, layer: str, decided: Decided) -> Float[Tensor, "b k h w"]:
        """Return what is taken away from the maps of a layer where a channel is removed."""
        if self._means is None:
            return decided.activations
        return decided.activations - self._means[layer].to(decided.activations)[:, None, None]

    def _removal(self, segment: Segment, names: tuple[str, str | None]) -> Removal:
        if names not in self._removals:
            instead = None if self._means is None else self._means[names[0]]
            self._removals[names] = Removal(
                self._probe, self._capture, segment, *names, instead=instead
            )
        return self._removals[names]
