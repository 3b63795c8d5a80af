"""Faithfulness: how far a decomposition agrees with what really happens to the decision."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from .segments import BATCH_CELLS, INNER_CHANNELS, Segment, Unit


def ablation(segment: Segment, unit: Unit, *, unclipped: bool = False) -> Float[np.ndarray, " k"]:
    """Return the drop of a decision when each channel of the shallow layer is set to zero.

    In the decision's own units, on the segment alone (Hierarchical Decomposition, sec. 4.1).
    `unclipped` measures the value before an upper clip. Call it inside `guest.visiting`.
    """
    maps, values = segment.around(unit)
    size = max(1, BATCH_CELLS // max(maps.numel(), INNER_CHANNELS * maps[0, 0].numel()))
    channels = torch.arange(maps.shape[1], device=maps.device)
    whole = values(maps, unclipped)
    drops = [whole - values(_without(maps, some), unclipped) for some in channels.split(size)]
    found: Float[np.ndarray, " k"] = torch.cat(drops).double().cpu().numpy()
    return found


def _without(
    maps: Float[Tensor, "1 k h w"], channels: Int[Tensor, " b"]
) -> Float[Tensor, "b k h w"]:
    ablated = maps.repeat(len(channels), 1, 1, 1)
    ablated[torch.arange(len(channels)), channels] = 0
    return ablated


def pearson(estimate: Float[np.ndarray, " k"], truth: Float[np.ndarray, " k"]) -> float:
    """Return the Pearson correlation of two vectors (Eq. 12); NaN where one is constant."""
    a, b = estimate - estimate.mean(), truth - truth.mean()
    scale = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / scale if scale > 0 else float("nan")
