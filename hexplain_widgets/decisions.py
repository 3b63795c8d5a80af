"""Decisions taken apart: contributions of channels (Eq. 3-5), merging of maps that overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .segments import Decided, Unit


@dataclass(frozen=True)
class Part:
    """One channel of a decision: its unit, alpha, share, and activation map on a window."""

    unit: Unit
    alpha: float
    share: float
    patch: Float[np.ndarray, "h w"]
    offset: tuple[int, int]
    also: tuple[int, ...]


@dataclass(frozen=True)
class Split:
    """One decision taken apart: alphas of all channels and the parts that were chosen.

    `completeness` is the sum of all contributions over the decision's value.
    """

    alphas: Float[np.ndarray, " k"]
    completeness: float | None
    negated: bool
    unclipped: bool
    parts: tuple[Part, ...]

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
    masks = _masks(maps).to(torch.float32)
    sizes = masks.sum(2)
    left = torch.where(alphas > 0, alphas, 0)
    rows = torch.arange(len(maps), device=maps.device)
    kept: list[list[int]] = [[] for _ in maps]
    also: list[list[tuple[int, ...]]] = [[] for _ in maps]
    for _ in range(min(top_k, maps.shape[1])):
        best, channel = left.max(1)
        common = torch.bmm(masks, masks[rows, channel].unsqueeze(2)).squeeze(2)
        overlap = common / (sizes + sizes[rows, channel, None] - common).clamp(min=1)
        same = (overlap > merge_iou) & (left > 0)
        same[rows, channel] = False
        for i in torch.nonzero(best > 0).flatten().tolist():
            kept[i].append(int(channel[i]))
            order = torch.nonzero(same[i]).flatten()
            order = order[torch.argsort(left[i, order], descending=True, stable=True)]
            also[i].append(tuple(order.tolist()))
        left = left.masked_fill(same, 0)
        left[rows, channel] = 0
    return kept, also


def by_hand(
    maps: Float[Tensor, "b k h w"], channels: Sequence[int]
) -> tuple[list[list[int]], list[list[tuple[int, ...]]]]:
    """Return the same channels for each decision; raises ValueError for one that is silent."""
    silent = [c for c in channels if float(maps[:, c].amax()) <= 0]
    if silent:
        raise ValueError(
            f"channel {silent[0]} adds nothing to this decision anywhere; a channel that supports"
            " it at some place was expected; see Decomposer.candidates for the strongest"
        )
    return [list(channels) for _ in maps], [[()] * len(channels) for _ in maps]


def splits_of(
    decided: Decided,
    maps: Float[Tensor, "b k h w"],
    alphas: Float[Tensor, "b k"],
    kept: Sequence[Sequence[int]],
    also: Sequence[Sequence[tuple[int, ...]]],
    area: int,
) -> dict[Unit, Split]:
    """Return each decision of a batch with its parts; `area` is that of the whole map."""
    found = {}
    host = alphas.float().cpu().numpy()
    for i, unit in enumerate(decided.units):
        value = abs(decided.values[i])
        found[unit] = Split(
            alphas=host[i],
            completeness=float(host[i].sum(dtype=np.float64)) * area / value if value else None,
            negated=decided.signs[i] < 0,
            unclipped=decided.unclipped[i],
            parts=_parts(maps[i], host[i], decided.offsets[i], kept[i], also[i]),
        )
    return found


def _parts(
    maps: Float[Tensor, "k h w"],
    alphas: Float[np.ndarray, " k"],
    offset: tuple[int, int],
    kept: Sequence[int],
    also: Sequence[tuple[int, ...]],
) -> tuple[Part, ...]:
    total = float(alphas[alphas > 0].sum())
    patches = maps[list(kept)].float().cpu().numpy()
    parts = []
    for channel, patch, merged in zip(kept, patches, also, strict=True):
        y, x = np.unravel_index(int(patch.argmax()), patch.shape)
        unit = Unit(channel, int(y) + offset[0], int(x) + offset[1])
        share = float(alphas[channel]) / total if total > 0 else 0.0
        parts.append(Part(unit, float(alphas[channel]), share, patch.copy(), offset, merged))
    return tuple(parts)
