"""Faithfulness: how far evidence agrees with what really happens, and with what is really there."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..evidence.faithfulness import _ranks
from ..network.ablation import on_segment
from ..network.localize import OVERLAP, Box, checked
from ..network.segments import Segment, Unit


def ablation(
    segment: Segment,
    unit: Unit,
    *,
    means: Float[Tensor, " k"] | None = None,
    unclipped: bool = False,
) -> Float[np.ndarray, " k"]:
    """Return the drop of a decision when each channel of the shallow layer is taken out.

    It is set to zero, or to its one of `means` (over reference images; see `channel_means`). In
    the decision's own units, on the segment alone (Hierarchical Decomposition, sec. 4.1).
    `unclipped` measures the value before an upper clip. Call it inside `guest.visiting`.
    """
    return on_segment(segment, unit, instead=means, unclipped=unclipped).drops


def pointing_energy(
    values: Float[np.ndarray, "h w"], cells: tuple[int, int] = (2, 2)
) -> Float[np.ndarray, "rows columns"]:
    """Return the share of a map's positive part in each cell of a regular grid; the sum is 1.

    `values` is a map `(h, w)` in any unit, for a picture made of `cells` (rows, columns)
    photographs of different classes (the energy-based pointing game of Wang et al. 2020, on a
    grid): a map that knows its class has its energy in one cell, a map that does not has an equal
    share in each. A value on the border of two cells counts for each by the area it has there. NaN
    where nothing is positive. Raises ValueError for a map that is empty or not finite.
    """
    rows, columns = (_shares(n, m) for n, m in zip(cells, values.shape, strict=True))
    return rows @ _energy(values) @ columns.T


def _shares(cells: int, length: int) -> Float[np.ndarray, "cells length"]:
    """Return how much of each of `length` values lies in each of `cells` equal stretches."""
    edges = np.arange(cells + 1) * length / cells
    starts = np.arange(length)
    inside = np.minimum(edges[1:, None], starts + 1) - np.maximum(edges[:-1, None], starts)
    return inside.clip(0)


def _energy(values: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Return the positive part as shares of its sum, NaN where nothing is positive."""
    checked(values)
    positive = np.maximum(values, 0)
    whole = float(positive.sum())
    return positive / whole if whole > 0 else np.full(values.shape, np.nan)


def pointing_hit(values: Float[np.ndarray, "h w"], truth: Bool[np.ndarray, "h w"]) -> bool:
    """Return whether the map's largest value lies on the truth (the first of equal ones)."""
    return bool(truth.ravel()[int(values.argmax())])


def energy_within(values: Float[np.ndarray, "h w"], box: Box) -> float:
    """Return the share of a map's positive part inside a box in the map's own pixels.

    NaN where nothing is positive. Raises ValueError for a map that is empty or not finite.
    """
    x0, y0, x1, y1 = box
    return float(_energy(values)[y0:y1, x0:x1].sum())


def pixel_auc(values: Float[np.ndarray, "h w"], truth: Bool[np.ndarray, "h w"]) -> float:
    """Return how often a pixel of the truth has a larger value than one outside (area under ROC).

    Ties count half; 0.5 is chance. NaN where the truth is everything or nothing.
    """
    inside = truth.ravel()
    positives = int(inside.sum())
    negatives = inside.size - positives
    if not positives or not negatives:
        return float("nan")
    ranks = float(_ranks(values.ravel())[inside].sum())
    return (ranks - positives * (positives + 1) / 2) / (positives * negatives)


def localization_error(
    ious: Float[np.ndarray, " n"], ranks: Int[np.ndarray, " n"], *, top: int = 1
) -> float:
    """Return the top-`top` localisation error (CHIP, Table II), a share of images.

    An image counts as right where its class is among the `top` strongest (`ranks` of the true
    classes, 0 the strongest) and its box for that class has an IoU above one half (`ious`).
    """
    return float(1 - ((ious > OVERLAP) & (ranks < top)).mean())
