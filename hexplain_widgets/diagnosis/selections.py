"""Selections: which channels a decomposition's decisions are made of, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from ..decomposition.decisions import Part, estimated, splits_of, strongest
from ..evidence import Layer
from ..network.probe import Capture, Probe
from ..network.segments import Unit


@dataclass(frozen=True)
class Selection:
    """The channels of one layer that the decisions above it select, decision by decision.

    A decision that several paths of the tree lead to is taken apart once; `paths` counts, for each
    of `parts`, how many lead there.
    """

    layer: Layer
    parts: tuple[Part, ...]
    paths: tuple[int, ...]

    @property
    def channels(self) -> frozenset[int]:
        """The channels that are selected at all."""
        return frozenset(part.unit.channel for part in self.parts)


def selections(
    probe: Probe, capture: Capture, index: int, top_k: int, *, merge_iou: float = 1.0
) -> Iterator[Selection]:
    """Yield what the decision for a class is made of at each captured layer, from the deepest down.

    Each decision selects its `top_k` channels of largest contribution (Eq. 4) and goes on from
    their peaks (Eq. 5). Maps that overlap are not merged unless `merge_iou` is below 1: merging is
    for pictures (sec. 4.1). Call it inside `guest.visiting`.
    """
    frontier, deep = {Unit(index, 0, 0): 1}, None
    for layer in capture.layers:
        found = list(_selected(probe, capture, (layer.name, deep), frontier, top_k, merge_iou))
        parts, paths = tuple(part for part, _ in found), tuple(count for _, count in found)
        yield Selection(layer, parts, paths)
        frontier, deep = {}, layer.name
        for part, count in found:
            frontier[part.unit] = frontier.get(part.unit, 0) + count


def _selected(
    probe: Probe,
    capture: Capture,
    names: tuple[str, str | None],
    frontier: dict[Unit, int],
    top_k: int,
    merge_iou: float,
) -> Iterator[tuple[Part, int]]:
    if not frontier:
        return
    segment = probe.segment(capture, *names)
    for decided in segment.decide(list(frontier)):
        maps = decided.gradients * decided.activations
        weights = estimated(maps, segment.full[0] * segment.full[1])
        kept, also = strongest(maps, weights.contributions, top_k, merge_iou)
        for unit, split in splits_of(decided, maps, weights, kept, also).items():
            yield from ((part, frontier[unit]) for part in split.parts)


def binarised(part: Part, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """Return where a channel's activation map has at least half of its maximum (sec. 4.1).

    `size` is the layer's, outside the window of the map nothing is. Nowhere where the map is not
    positive.
    """
    found = np.zeros(size, dtype=bool)
    largest = float(part.patch.max())
    if largest > 0:
        (top, left), (h, w) = part.offset, part.patch.shape
        found[top : top + h, left : left + w] = part.patch >= largest / 2
    return found
