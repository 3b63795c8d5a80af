"""A fitted Chip made by hand: same names, same kinds of answers, numbers from a seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from typing import Any

import numpy as np

from hexplain_widgets.evidence import (
    ChannelImportance,
    ChannelOverlap,
    ChannelPortrait,
    Faithfulness,
    Layer,
    Provenance,
)
from tests.widgets.made import MARKUP, tinted

CLASSES = ("bullfrog", "tree frog", "zebra", "pony", MARKUP, "harbor", "orchard")
LAYERS = (
    Layer("features.29", "ReLU", (64, 6, 6), 5, (212, 212)),
    Layer("features.22", "ReLU", (32, 12, 12), 4, (100, 100)),
)
PROVENANCE = Provenance("CHIP", "Made", "", {"sparsity": 0.01}, seed=0)


def wide_layer(channels: int) -> Layer:
    """A deep layer of so many channels."""
    return Layer("layer4", "ReLU", (channels, 7, 7), 5, (400, 400))


class Seen:
    """What a classifier makes of an image."""

    def __init__(self, shown: np.ndarray) -> None:
        self.shown = shown


class Eyes:
    """Stands where the classifier is: prepares an array by handing it on."""

    def prepare(self, image: Any) -> Seen:
        if not isinstance(image, np.ndarray):
            raise TypeError(f"got {type(image).__name__} as an image; expected an array; pass one")
        return Seen(image)


class MadeChip:
    """Deterministic importance: classes 0 and 1 are alike, 2 and 3 are, the others are not."""

    def __init__(
        self, classes: Sequence[str] = CLASSES, layers: Sequence[Layer] = LAYERS, seed: int = 0
    ) -> None:
        self.classes_, self.layers_ = tuple(classes), tuple(layers)
        self.classifier_: Eyes | None = Eyes()
        self.asked: list[str] = []
        self.before_answer: Callable[[], None] = lambda: None
        self._weights = {one.name: made_weights(len(classes), one.shape[0], seed) for one in layers}

    def importance(self, layer: str | None = None) -> np.ndarray:
        return self._weights[self._layer(layer).name]

    def matrix(
        self, classes: Sequence[int | str] | None = None, layer: str | None = None
    ) -> ChannelImportance:
        self.asked.append("matrix")
        here = self._layer(layer)
        rows = self._indices(classes)
        return ChannelImportance(
            classes=tuple(self.classes_[i] for i in rows),
            values=self.importance(here.name)[rows],
            means=made_means(here.shape[0]),
            fit=np.linspace(0.92, 0.41, len(self.classes_))[rows],
            layer=here.name,
            sparsity=0.01,
            provenance=PROVENANCE,
            flags={"harbor": "never predicted and never labelled"} if 5 in rows else {},
        )

    def frequent(self, count: int) -> tuple[int, ...]:
        return tuple(range(len(self.classes_)))[-count:]

    def overlap(
        self,
        classes: Sequence[int | str],
        top: int = 10,
        threshold: float | None = None,
        layer: str | None = None,
    ) -> ChannelOverlap:
        self.asked.append("overlap")
        self.before_answer()
        here, rows = self._layer(layer), self._indices(classes)
        weighed = self.importance(here.name) * made_means(here.shape[0])
        chosen = {self.classes_[i]: important(weighed[i], top, threshold) for i in rows}
        for name, channels in chosen.items():
            if not channels:
                raise ValueError(
                    f"no channel of {here.name} matters for {name} at sparsity 0.01; expected"
                    " one; refit with sparsity=0.002"
                )
        return ChannelOverlap(
            classes=tuple(chosen),
            channels=chosen,
            weights={
                name: tuple(float(weighed[self.classes_.index(name)][k]) for k in channels)
                for name, channels in chosen.items()
            },
            layer=here.name,
            top=None if threshold is not None else top,
            threshold=threshold,
            provenance=PROVENANCE,
        )

    def portraits(
        self, channels: Sequence[int], layer: str | None = None, image: Any = None
    ) -> tuple[ChannelPortrait, ...]:
        self.asked.append("portraits")
        self.before_answer()
        here = self._layer(layer)
        for channel in channels:
            if not 0 <= channel < here.shape[0]:
                raise ValueError(
                    f"got channel {channel}; expected 0 to {here.shape[0] - 1}; choose another"
                )
        return tuple(portrait(here, channel, image is not None) for channel in channels)

    def agreement(
        self,
        target: int | str,
        data: Any,
        layer: str | None = None,
        *,
        images: int = 8,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Faithfulness:
        """Each class agrees a little less than the one before, and less at the shallow layer."""
        self.asked.append(f"agreement {target} {layer}")
        self.before_answer()
        if stopped():
            raise CancelledError
        here, index = self._layer(layer), self._indices([target])[0]
        if target not in data:
            raise ValueError(f"got data without an image of {self.classes_[index]!r}; pass some")
        r = 0.95 - 0.2 * index - 0.1 * self.layers_.index(here)
        drops = np.zeros(here.shape[0])
        return Faithfulness(drops, drops, r, r, images=images, seconds=0.1)

    def _layer(self, name: str | None) -> Layer:
        if name is None:
            return self.layers_[0]
        found = [one for one in self.layers_ if one.name == name]
        if not found:
            raise ValueError(f"got the layer {name!r}; expected {LAYERS[0].name}; choose it")
        return found[0]

    def _indices(self, classes: Sequence[int | str] | None) -> list[int]:
        if classes is None:
            return list(range(len(self.classes_)))
        return [self._index(one) for one in classes]

    def _index(self, one: int | str) -> int:
        if isinstance(one, int):
            return one
        if one not in self.classes_:
            raise ValueError(f"got the class {one!r}; expected 'tree frog'; choose that")
        return self.classes_.index(one)


def made_weights(classes: int, channels: int, seed: int = 0) -> np.ndarray:
    """Sparse signed weights; classes 2i and 2i + 1 share two thirds of their channels."""
    draw = np.random.default_rng(seed)
    weights = np.zeros((classes, channels), np.float32)
    count = max(3, channels // 6)
    for pair in range(0, classes, 2):
        common = draw.choice(channels, count, replace=False)
        for row in range(pair, min(pair + 2, classes)):
            kept = common[draw.random(count) < 0.8]
            other = draw.choice(channels, max(1, count // 3), replace=False)
            mine = np.unique(np.concatenate([kept, other]))
            signs = np.where(draw.random(len(mine)) < 0.85, 1, -1)
            weights[row, mine] = draw.gamma(1.2, 1.0, len(mine)) * signs * (1 + row % 3)
    return weights


def made_means(channels: int) -> np.ndarray:
    return np.random.default_rng(7).gamma(2.0, 0.3, channels).astype(np.float32)


def important(row: np.ndarray, top: int, threshold: float | None) -> tuple[int, ...]:
    order = [int(k) for k in np.argsort(-row, kind="stable") if row[k] > 0]
    if threshold is None:
        return tuple(order[:top])
    return tuple(k for k in order if row[k] >= threshold * row.max())


def portrait(layer: Layer, channel: int, mapped: bool) -> ChannelPortrait:
    draw = np.random.default_rng(channel)
    return ChannelPortrait(
        layer=layer.name,
        channel=channel,
        images=np.stack([tinted(draw) for _ in range(5)]),
        values=np.sort(draw.gamma(2, 1, 5).astype(np.float32))[::-1].copy(),
        activation=bump(draw, layer.shape[1:]) if mapped else None,
    )


def bump(draw: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]] / shape[0]
    cy, cx = draw.uniform(0.2, 0.8, 2)
    return (3 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 0.04)).astype(np.float32)


def overlap_of(sizes: dict[tuple[str, ...], int], classes: Sequence[str]) -> ChannelOverlap:
    """An overlap whose regions have exactly these sizes."""
    channels: dict[str, list[int]] = {name: [] for name in classes}
    number = 0
    for names, size in sizes.items():
        for _ in range(size):
            for name in names:
                channels[name].append(number)
            number += 1
    return ChannelOverlap(
        classes=tuple(classes),
        channels={name: tuple(found) for name, found in channels.items()},
        weights={name: tuple(1.0 for _ in found) for name, found in channels.items()},
        layer="features.29",
        top=10,
        threshold=None,
        provenance=PROVENANCE,
    )
