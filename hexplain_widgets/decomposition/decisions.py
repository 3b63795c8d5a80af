"""One stage of decisions taken apart: what channels contribute (Eq. 3-5), and which are chosen.

Contributions are found by the gradient or by removing channels; of maps that overlap, the strongest
stands for the others.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..evidence import Faithfulness, Layer, Node, Prediction
from ..evidence.faithfulness import faithfulness, pearson
from ..network.ablation import ChannelAblation
from ..network.probe import Capture, Probe
from ..network.segments import Segment, Unit, UnitGradients

# How contributions are found, and what evidence calls each.
METHODS = {
    "gradient": "hierarchical decomposition (gAP)",
    "ablation": "hierarchical decomposition by ablation",
}


@dataclass(frozen=True)
class Part:
    """One channel of a decision: its unit and its value, alpha, share, and map on a window."""

    unit: Unit
    value: float
    alpha: float
    share: float
    patch: Float[np.ndarray, "h w"]
    offset: tuple[int, int]
    also: tuple[int, ...]
    estimate: float | None = None


@dataclass(frozen=True)
class ChannelWeights:
    """What each channel adds to each decision of a batch: what children are chosen by.

    `whole` of these contributions make up the decision: 1, or the cells of a map whose means they
    are. Where they were measured, `estimates` are what the gradient foretells, and `agreements`
    how the two correlate.
    """

    contributions: Float[Tensor, "b k"]
    whole: int = 1
    estimates: Float[Tensor, "b k"] | None = None
    agreements: tuple[float | None, ...] | None = None


@dataclass(frozen=True)
class DecisionSplit:
    """One decision taken apart: what all channels add, and the parts that were chosen.

    `completeness` is the sum of all contributions over the decision's value.
    """

    alphas: Float[np.ndarray, " k"]
    completeness: float | None
    negated: bool
    unclipped: bool
    parts: tuple[Part, ...]
    agreement: float | None = None

    @property
    def activated(self) -> int:
        """The number of channels with a positive contribution."""
        return int((self.alphas > 0).sum())


def checked_top_k(top_k: int) -> int:
    """Return a number of channels to keep; raises ValueError for one that is none."""
    if isinstance(top_k, bool) or not isinstance(top_k, int) or top_k < 1:
        raise ValueError(
            f"got top_k={top_k!r}; expected a whole number of at least 1; 3 is the paper's choice"
        )
    return top_k


def checked_iou(merge_iou: float) -> float:
    """Return an overlap from which maps merge; raises ValueError out of range."""
    if not 0 < merge_iou <= 1:
        raise ValueError(
            f"got merge_iou={merge_iou!r}; expected an overlap above 0 and up to 1 (1 merges"
            " nothing); 0.9 is the paper's choice"
        )
    return float(merge_iou)


def _masks(maps: Float[Tensor, "b k h w"]) -> Bool[Tensor, "b k p"]:
    flat = maps.flatten(2)
    largest = flat.amax(2, keepdim=True)
    return (flat >= largest / 2) & (largest > 0)


def strongest(
    maps: Float[Tensor, "b k h w"], alphas: Float[Tensor, "b k"], top_k: int, merge_iou: float
) -> tuple[list[list[int]], list[list[tuple[int, ...]]]]:
    """Return, for each decision, the strongest channels and those merged into each (sec. 4.1)."""
    if merge_iou == 1:
        chosen = _unmerged(alphas, top_k)
        return chosen, [[()] * len(channels) for channels in chosen]
    masks = _masks(maps).to(torch.float32)
    sizes = masks.sum(2)
    left = torch.where(alphas > 0, alphas, 0)
    rows = torch.arange(len(maps), device=maps.device)
    chosen = [[] for _ in maps]
    also: list[list[tuple[int, ...]]] = [[] for _ in maps]
    for _ in range(min(top_k, maps.shape[1])):
        best, channel = left.max(1)
        common = torch.bmm(masks, masks[rows, channel].unsqueeze(2)).squeeze(2)
        overlap = common / (sizes + sizes[rows, channel, None] - common).clamp(min=1)
        same = (overlap > merge_iou) & (left > 0)
        same[rows, channel] = False
        numbers, merging = channel.tolist(), same.any(1).tolist()
        for i in torch.nonzero(best > 0).flatten().tolist():
            chosen[i].append(numbers[i])
            also[i].append(_in_order(left[i], same[i]) if merging[i] else ())
        left = left.masked_fill(same, 0)
        left[rows, channel] = 0
    return chosen, also


def _in_order(alphas: Float[Tensor, " k"], among: Bool[Tensor, " k"]) -> tuple[int, ...]:
    channels = torch.nonzero(among).flatten()
    order = torch.argsort(alphas[channels], descending=True, stable=True)
    return tuple(channels[order].tolist())


def _unmerged(alphas: Float[Tensor, "b k"], top_k: int) -> list[list[int]]:
    values, channels = torch.sort(
        torch.where(alphas > 0, alphas, 0), dim=1, descending=True, stable=True
    )
    counts = (values[:, :top_k] > 0).sum(1).tolist()
    return [row[:count] for row, count in zip(channels.tolist(), counts, strict=True)]


def by_hand(
    maps: Float[Tensor, "b k h w"], alphas: Float[Tensor, "b k"], channels: Sequence[int]
) -> tuple[list[list[int]], list[list[tuple[int, ...]]]]:
    """Return the same channels for each decision; raises ValueError for one that is silent."""
    silent = [c for c in channels if float(maps[:, c].amax()) <= 0 and float(alphas[:, c]) <= 0]
    if silent:
        raise ValueError(
            f"channel {silent[0]} adds nothing to this decision anywhere; a channel that supports"
            " it at some place was expected; see Decomposer.candidates for the strongest"
        )
    return [list(channels) for _ in maps], [[()] * len(channels) for _ in maps]


def splits_of(
    batch: UnitGradients,
    maps: Float[Tensor, "b k h w"],
    weights: ChannelWeights,
    chosen: Sequence[Sequence[int]],
    also: Sequence[Sequence[tuple[int, ...]]],
) -> dict[Unit, DecisionSplit]:
    """Return each decision of a batch with its parts."""
    splits = {}
    host = weights.contributions.float().cpu().numpy()
    parts = iter(_parts(batch, maps, weights, host, chosen, also))
    for i, unit in enumerate(batch.units):
        value = batch.values[i] * batch.signs[i]
        total = float(host[i].sum(dtype=np.float64)) * weights.whole
        splits[unit] = DecisionSplit(
            alphas=host[i],
            completeness=total / value if value else None,
            negated=batch.signs[i] < 0,
            unclipped=batch.unclipped[i],
            parts=tuple(islice(parts, len(chosen[i]))),
            agreement=weights.agreements[i] if weights.agreements else None,
        )
    return splits


def _parts(
    batch: UnitGradients,
    maps: Float[Tensor, "b k h w"],
    weights: ChannelWeights,
    alphas: Float[np.ndarray, "b k"],
    chosen: Sequence[Sequence[int]],
    also: Sequence[Sequence[tuple[int, ...]]],
) -> Iterator[Part]:
    """Yield the parts of all decisions of a batch, one decision after the other."""
    rows = [i for i, channels in enumerate(chosen) for _ in channels]
    columns = [channel for channels in chosen for channel in channels]
    patches, activations = maps[rows, columns], batch.activations[rows, columns]
    peaks = _peaks(patches, activations)
    values = activations.flatten(1).gather(1, peaks[:, None])[:, 0].tolist()
    totals = np.where(alphas > 0, alphas, 0).sum(1).tolist()
    host, merged = patches.float().cpu().numpy(), chain.from_iterable(also)
    estimates = None if weights.estimates is None else weights.estimates[rows, columns].tolist()
    each = zip(rows, columns, peaks.tolist(), merged, strict=True)
    for n, (i, channel, peak, others) in enumerate(each):
        (top, left), alpha = batch.offsets[i], float(alphas[i, channel])
        y, x = divmod(peak, maps.shape[3])
        yield Part(
            unit=Unit(channel, y + top, x + left),
            value=values[n],
            alpha=alpha,
            share=alpha / totals[i] if totals[i] > 0 else 0.0,
            patch=host[n].copy(),
            offset=(top, left),
            also=others,
            estimate=None if estimates is None else estimates[n],
        )


def _peaks(
    patches: Float[Tensor, "n h w"], activations: Float[Tensor, "n h w"]
) -> Int[Tensor, " n"]:
    """Return in which cell each channel supports its decision most (Eq. 5).

    A channel that the gradient sees no support in, though the decision falls without it, peaks
    where it is strongest itself.
    """
    support = patches.flatten(1)
    supports = support.amax(1, keepdim=True) > 0
    return torch.where(supports, support, activations.flatten(1).abs()).argmax(1)


def decomposed(node: Node, split: DecisionSplit, children: tuple[Node, ...]) -> Node:
    """Return a node with what taking it apart gave."""
    return replace(
        node,
        activated=split.activated,
        completeness=split.completeness,
        agreement=split.agreement,
        negated=split.negated,
        unclipped=split.unclipped,
        children=children,
    )


def notes_on(root: Node) -> list[str]:
    """Return in words which decisions below a node were negated, and which precede a clip."""
    nodes = [node for path, node in root.walk() if path]
    negated, unclipped = (sum(n.negated for n in nodes), sum(n.unclipped for n in nodes))
    notes = []
    if negated:
        notes.append(f"{negated} of {len(nodes)} decisions are negative and were negated.")
    if unclipped:
        notes.append(
            f"{unclipped} of {len(nodes)} decisions are clipped from above: the value before"
            " the clip was taken apart."
        )
    return notes


def checked_channels(layer: Layer, channels: Sequence[int]) -> None:
    """Raise IndexError for a channel that a layer does not have."""
    wrong = [c for c in channels if not 0 <= c < layer.shape[0]]
    if wrong:
        raise IndexError(
            f"got channel {wrong[0]} of {layer.name}; expected 0 to {layer.shape[0] - 1};"
            " see Decomposer.candidates for the strongest"
        )


def as_asked(decision: UnitGradients, scores: Float[Tensor, " c"]) -> UnitGradients:
    """Return the decision for a class as it is asked for, among the scores of all.

    Of the class that the network names it is asked what speaks for it, whatever its sign: without
    that another would be named. Of another class whose score is negative it is asked what speaks
    against it ("why not?").
    """
    return decision.in_favour() if decision.units[0].channel == int(scores.argmax()) else decision


def note_on_sign(target: Prediction, root: Node, layer: str) -> str | None:
    """Return in words what a class's score of 0 or less means for its tree, None for more."""
    if target.logit > 0:
        return None
    said = f"The logit of {target.name} is {target.logit:.3g}"
    if root.negated:
        return f"{said}: shown is what speaks against it in {layer}, as shares of all that does."
    best = ", and no class has a higher one" if target.logit < 0 else ""
    return f"{said}{best}: shown is what speaks for it in {layer}."


def cut_out(
    gradient: Float[np.ndarray, "c h w"], offset: tuple[int, int], box: tuple[int, int, int, int]
) -> Float[np.ndarray, "c bh bw"]:
    """Return what a gradient, its corner at `offset` of the image, has in a box of the image."""
    x0, y0, x1, y1 = box
    y, x = offset
    return gradient[:, y0 - y : y1 - y, x0 - x : x1 - x]


def estimated(maps: Float[Tensor, "b k h w"], area: int) -> ChannelWeights:
    """Return alphas (Eq. 4): means of gradient times activation over a map of `area` cells."""
    return ChannelWeights(maps.sum((2, 3)) / area, area)


def measured(
    batch: UnitGradients, removed: Float[Tensor, "b k h w"], removal: ChannelAblation
) -> ChannelWeights:
    """Return how far each decision falls without each channel, and how far by its gradient.

    `removed` is what is taken away of the maps: the activation, or its part above the baseline.
    Raises RuntimeError where the network does not give the decision again.
    """
    estimates = (batch.gradients * removed).sum((2, 3))
    dtype = torch.promote_types(estimates.dtype, torch.float32)
    drops = torch.empty_like(estimates, dtype=dtype)
    agreements = []
    for i in range(len(batch.units)):
        drops[i] = torch.from_numpy(_fallen(batch, i, removed, removal))
        r = pearson(estimates[i].double().cpu().numpy(), drops[i].double().cpu().numpy())
        agreements.append(None if math.isnan(r) else r)
    return ChannelWeights(drops, 1, estimates, tuple(agreements))


def _fallen(
    batch: UnitGradients, i: int, removed: Float[Tensor, "b k h w"], removal: ChannelAblation
) -> Float[np.ndarray, " k"]:
    """Return how far a decision of a batch falls without each channel, towards its own sign."""
    unit, value, unclipped = batch.units[i], batch.values[i], batch.unclipped[i]
    fallen = removal.drops(unit, value, unclipped=unclipped) * batch.signs[i]
    # A channel that is at its baseline everywhere can leave nothing but rounding.
    fallen[(removed[i].abs().amax((1, 2)) == 0).cpu().numpy()] = 0
    return fallen


class ContributionFinder:
    """Finds contributions in one image's network by any of the methods, and how far they agree.

    `names` are a segment's shallow and deep layer, None for logits. A removed channel is zero, or
    has its mean of `means` (by layer) everywhere. Call it inside `guest.visiting`.
    """

    def __init__(
        self, probe: Probe, capture: Capture, means: Mapping[str, Tensor] | None = None
    ) -> None:
        self._probe, self._capture, self._means = probe, capture, means
        self._removals: dict[tuple[str, str | None], ChannelAblation] = {}

    def weights(
        self,
        method: str,
        segment: Segment,
        names: tuple[str, str | None],
        batch: UnitGradients,
        maps: Float[Tensor, "b k h w"],
    ) -> ChannelWeights:
        """Return the contributions to a batch of decisions, by "gradient" or "ablation"."""
        if method == "gradient":
            return estimated(maps, segment.full[0] * segment.full[1])
        removed = self.removed(names[0], batch)
        return measured(batch, removed, self._removal(segment, names))

    def faithfulness(
        self,
        segment: Segment,
        names: tuple[str, str | None],
        batch: UnitGradients,
        *,
        as_printed: bool = False,
    ) -> Faithfulness:
        """Return how far the gradient's contributions to one decision agree with removals.

        Estimates are sums of gradient times what is removed: the activation, or its part above the
        mean (mixing the two baselines costs up to 0.7 of correlation); `as_printed` those of
        gradient times activation (Eq. 3-4), whatever is removed.
        """
        removed = self.removed(names[0], batch)
        maps = batch.gradients * (batch.activations if as_printed else removed)
        start = time.perf_counter()
        drops = _fallen(batch, 0, removed, self._removal(segment, names))
        seconds = time.perf_counter() - start
        (estimates,) = maps.sum((2, 3)).double().cpu().numpy()
        baseline = "zero" if self._means is None else "mean"
        return faithfulness(estimates, drops, baseline=baseline, seconds=seconds)

    def removed(self, layer: str, batch: UnitGradients) -> Float[Tensor, "b k h w"]:
        """Return what is taken away from the maps of a layer where a channel is removed."""
        if self._means is None:
            return batch.activations
        return batch.activations - self._means[layer].to(batch.activations)[:, None, None]

    def _removal(self, segment: Segment, names: tuple[str, str | None]) -> ChannelAblation:
        if names not in self._removals:
            instead = None if self._means is None else self._means[names[0]]
            self._removals[names] = ChannelAblation(
                self._probe, self._capture, segment, *names, instead=instead
            )
        return self._removals[names]
