"""Discriminative degrees of channels: how far those that decisions select belong to one class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from ..evidence import Layer, LayerDegrees

# Shuffles of the images' classes over which the chance level is averaged.
SHUFFLES = 10


def degrees(counts: Int[np.ndarray, "c k"]) -> Float[np.ndarray, " s"]:
    """Return D = max_c N_c / sum_c N_c of every channel that is selected at all (Eq. 13)."""
    some = counts[:, counts.sum(0) > 0]
    found: Float[np.ndarray, " s"] = some.max(0) / some.sum(0)
    return found


def shuffles(classes: Int[np.ndarray, " n"], seed: int) -> list[Int[np.ndarray, " n"]]:
    """Return the images' classes, `SHUFFLES` times dealt out anew between the images."""
    draw = np.random.default_rng(seed)
    return [draw.permutation(classes) for _ in range(SHUFFLES)]


def layer_degrees(
    layer: Layer,
    chosen: Sequence[Mapping[int, int]],
    classes: Int[np.ndarray, " n"],
    shuffled: Sequence[Int[np.ndarray, " n"]],
) -> LayerDegrees:
    """Return the degrees of a layer's channels, and what they are for shuffled classes.

    `chosen` says of each image how often it counts for which channel; `classes` run from 0.
    """
    shape = int(classes.max()) + 1, layer.shape[0]
    own = _class_counts(chosen, classes, shape)
    mine = degrees(own)
    if not len(mine):
        return LayerDegrees(layer, own, 0.0, 0.0, 0.0, 0.0)
    chance = np.array([degrees(_class_counts(chosen, other, shape)).mean() for other in shuffled])
    error = float(mine.std(ddof=1) / len(mine) ** 0.5) if len(mine) > 1 else 0.0
    return LayerDegrees(
        layer, own, float(mine.mean()), error, float(chance.mean()), float(chance.std())
    )


def _class_counts(
    chosen: Sequence[Mapping[int, int]], classes: Int[np.ndarray, " n"], shape: tuple[int, int]
) -> Int[np.ndarray, "c k"]:
    found = np.zeros(shape, dtype=np.int64)
    for index, one in zip(classes.tolist(), chosen, strict=True):
        for channel, times in one.items():
            found[index, channel] += times
    return found
