"""The maps of a layer's filters over a data set: a bounded sample, and where each is strongest."""

from __future__ import annotations

import copy
import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int16, Int64, UInt8
from torch import Tensor

from ..arguments import check_finite
from ..data.samples import Batch
from ..evidence import FilterPortrait, Layer
from ..fitting.exemplars import SIDE, Exemplars, Picture, Strength, peaks_of, printable
from ..fitting.passes import Extractor
from ..network.gating import LayerGates, gated
from ..network.guest import visiting
from ..network.probe import Probe
from ..solvers.reservoirs import hashes_of, image_number

Span = tuple[float, float]
Size = tuple[int, int]
WHOLE: Span = (0.0, 1.0)
# Regions and labels are laid over each other on so many rows and columns of the network's input.
GRID = 56
# Values that are sorted at once.
TOGETHER = 2**26


def interpolated(
    maps: Float32[np.ndarray, "k h w"], size: Size, rows: Span = WHOLE, columns: Span = WHOLE
) -> Float32[np.ndarray, "k Y X"]:
    """Return maps at the centres of `(Y, X)` pixels, bilinear, as torch with align_corners=False.

    The pixels cover `rows` and `columns`, in shares of the maps' sides. Where cells are equal the
    value between them is theirs to the last bit.
    """
    return _along(_along(maps, size[0], rows, 1), size[1], columns, 2)


def _along(maps: np.ndarray, pixels: int, span: Span, axis: int) -> np.ndarray:
    cells = maps.shape[axis]
    share = span[0] + (span[1] - span[0]) * (np.arange(pixels) + 0.5) / pixels
    at = np.clip(share * cells - 0.5, 0, cells - 1)
    low = np.floor(at).astype(np.int64)
    part = (at - low).astype(np.float32).reshape([-1 if i == axis else 1 for i in range(3)])
    before = maps.take(low, axis)
    after = maps.take(np.minimum(low + 1, cells - 1), axis)
    return np.asarray(before + part * (after - before))


@dataclass(frozen=True, eq=False)
class FilterMaps:
    """What one batch gave: the maps of a layer's filters, and how high each is at its peak."""

    batch: Batch
    maps: Float32[np.ndarray, "n k h w"]
    peaks: Strength

    def of(self, filters: Sequence[int]) -> FilterMaps:
        """Return those of some filters, in this order."""
        some = np.ascontiguousarray(self.maps[:, list(filters)])
        return FilterMaps(self.batch, some, self.peaks.of(filters))


class MapExtractor(Extractor[FilterMaps]):
    """Asks a network for the maps of one layer; `layer` None is the last of its stages."""

    def __init__(self, probe: Probe, layer: str | None, x: Float[Tensor, "1 c h w"]) -> None:
        self._probe = probe
        capture = probe.capture(x, None if layer is None else [layer])
        self.layer: Layer = capture.layers[0]
        self._gates: dict[tuple[int, ...], LayerGates] = {}

    def _joined(self, batch: Batch, first: FilterMaps, second: FilterMaps) -> FilterMaps:
        maps = np.concatenate([first.maps, second.maps])
        return FilterMaps(batch, maps, first.peaks.joined(second.peaks))

    def _extract(self, batch: Batch) -> FilterMaps:
        x = batch.x
        shape, classifier, name = tuple(x.shape[1:]), self._probe.classifier, self.layer.name
        with visiting(classifier.model), torch.no_grad():
            if shape not in self._gates:
                self._gates[shape] = gated(self._probe, x[:2], [name])
            cache = self._gates[shape].take(x, unclipped=True)
        classifier.check_logits(cache.logits, x)
        maps = cache.maps[name].float()
        check_finite(f"the layer {name} gives", maps)
        peaks = peaks_of(maps, cache.unclipped.get(name))
        return FilterMaps(batch, np.asarray(maps.cpu().numpy(), np.float32), peaks)


@dataclass(frozen=True, eq=False)
class SampledImage:
    """One image of a sample: its filters' maps, and its parts' labels where it has some."""

    maps: Float32[np.ndarray, "k h w"]
    labels: Int16[np.ndarray, "m y x"] | None = None

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return self.maps.nbytes + (0 if self.labels is None else self.labels.nbytes)


class MapSample:
    """The maps of as many images as fit in `memory` bytes: those with the smallest hashes."""

    def __init__(self, memory: int, seed: int) -> None:
        self.complete = True
        self._memory, self._seed, self._used = memory, seed, 0
        self._images: dict[int, SampledImage] = {}
        self._largest: list[int] = []

    def __len__(self) -> int:
        return len(self._images)

    def add(self, key: bytes, image: SampledImage) -> None:
        """Take an image in; the same one twice counts once."""
        number = np.array([image_number(key)], np.int64)
        code = int(hashes_of(number, np.zeros(1, np.int64), salt=self._seed)[0])
        if code in self._images:
            return
        self._images[code] = image
        self._used += image.size
        heapq.heappush(self._largest, -code)
        while self._used > self._memory and len(self) > 1:
            self._used -= self._images.pop(-heapq.heappop(self._largest)).size
            self.complete = False

    def draft(self) -> Self:
        """Return a copy to add to: this one stays as it is."""
        draft = copy.copy(self)
        draft._images, draft._largest = dict(self._images), list(self._largest)
        return draft

    def images(self) -> list[SampledImage]:
        """Return the images, in the order of their hashes."""
        return [self._images[code] for code in sorted(self._images)]

    def thresholds(self, quantile: float) -> Float[np.ndarray, " k"]:
        """Return each filter's quantile over all images, interpolated to the grid.

        So a region covers the rest of all pixels, whatever the layer's resolution. Where a filter
        is as high as it gets on all of the rest (a clipped one), it is just below that.
        """
        images = self.images()
        filters = len(images[0].maps)
        step = max(1, TOGETHER // (len(images) * GRID * GRID))
        parts = [
            _thresholds(_values(images, slice(at, at + step)), quantile)
            for at in range(0, filters, step)
        ]
        return np.concatenate(parts)


def _thresholds(values: Float32[np.ndarray, "k n"], quantile: float) -> Float[np.ndarray, " k"]:
    quantiles = np.quantile(values, quantile, axis=1)
    lowest, highest = values.min(1), values.max(1)
    clipped = (quantiles >= highest) & (lowest < highest)
    below = np.nextafter(highest, np.float32(-np.inf))
    return np.asarray(np.where(clipped, below, quantiles), np.float64)


def _values(images: Sequence[SampledImage], some: slice) -> Float32[np.ndarray, "k n"]:
    finer = [interpolated(one.maps[some], (GRID, GRID)) for one in images]
    return np.concatenate([maps.reshape(len(maps), -1) for maps in finer], axis=1)


class StrongestImages:
    """The images in which each filter is strongest, with its map in each."""

    def __init__(self, filters: int) -> None:
        self._exemplars = Exemplars(filters)
        self._lowest = np.full(filters, np.inf)
        self._maps: dict[tuple[int, bytes], tuple[Float32[np.ndarray, "h w"], Size]] = {}

    def add(self, found: FilterMaps, picture: Callable[[int], Picture]) -> None:
        """Take a batch of images; `picture(i)` shows the i-th and is asked only where it enters."""
        batch, maps = found.batch, found.maps
        keys = [sample.key for sample in batch.samples]
        size = int(batch.x.shape[2]), int(batch.x.shape[3])
        self._exemplars.add(found.peaks, keys, picture)
        self._lowest = np.minimum(self._lowest, maps.min((0, 2, 3)))
        for key, own in zip(map(printable, keys), maps, strict=True):
            for k in np.flatnonzero((self._exemplars.keys == key).any(1)).tolist():
                self._maps.setdefault((k, key), (own[k].copy(), size))
        self._forget()

    def draft(self) -> Self:
        """Return a copy to add to: this one stays as it is."""
        draft = copy.copy(self)
        draft._exemplars, draft._maps = self._exemplars.draft(), dict(self._maps)
        return draft

    def _forget(self) -> None:
        used = {(k, key) for k, keys in enumerate(self._exemplars.keys.tolist()) for key in keys}
        self._maps = {name: own for name, own in self._maps.items() if name in used}

    @property
    def silent(self) -> Bool[np.ndarray, " k"]:
        """Which filters have one value at all places of all images."""
        return np.asarray(self._exemplars.values[:, 0] <= self._lowest)

    def keys(self, k: int) -> list[bytes]:
        """Return which images a filter's portrait shows, strongest first."""
        return self._exemplars.keys[k][self._places(k)].tolist()

    def _places(self, k: int) -> Int64[np.ndarray, " m"]:
        if self.silent[k]:
            return np.zeros(0, np.int64)
        return np.flatnonzero(np.isfinite(self._exemplars.values[k]))

    def portraits(self, thresholds: Float[np.ndarray, " k"]) -> Iterator[FilterPortrait]:
        """Yield what is seen of every filter; nothing of one that is silent."""
        opened: dict[bytes, Picture] = {}
        for k, threshold in enumerate(thresholds.tolist()):
            values, places, keys = self._exemplars.values[k], self._places(k), self.keys(k)
            images = [self._picture(key, opened) for key in keys]
            masks = [in_thumbnail(*self._maps[k, key]) > threshold for key in keys]
            yield FilterPortrait(
                filter=k,
                images=_stacked(images, (SIDE, SIDE, 3), np.uint8),
                values=values[places],
                masks=_stacked(masks, (SIDE, SIDE), np.bool_),
                threshold=threshold,
                unclipped=self._exemplars.before_clip(k) if len(keys) else None,
                tied=bool(self._exemplars.tied[k]) and len(keys) > 0,
            )

    def _picture(self, key: bytes, opened: dict[bytes, Picture]) -> UInt8[np.ndarray, "h w 3"]:
        if key not in opened:
            opened[key] = self._exemplars.thumbnail(key)
        return opened[key]


def in_thumbnail(own: Float32[np.ndarray, "h w"], size: Size) -> Float32[np.ndarray, "y x"]:
    """Return a map at the pixels of a thumbnail, the middle square of an image of `(H, W)`."""
    rows, columns = ((0.5 - min(size) / side / 2, 0.5 + min(size) / side / 2) for side in size)
    return interpolated(own[None], (SIDE, SIDE), rows, columns)[0]


def _stacked(arrays: Sequence[np.ndarray], shape: tuple[int, ...], kind: type) -> np.ndarray:
    return np.stack(arrays) if arrays else np.zeros((0, *shape), kind)


def regions_of(
    image: SampledImage, thresholds: Float[np.ndarray, " k"]
) -> Bool[np.ndarray, "k y x"]:
    """Return where the filters are above their thresholds, on the grid."""
    return np.asarray(interpolated(image.maps, (GRID, GRID)) > thresholds[:, None, None])


def with_labels(
    images: Sequence[SampledImage],
) -> tuple[list[SampledImage], list[Int16[np.ndarray, "m y x"]]]:
    """Return the images that have labels, and their labels."""
    some = [one for one in images if one.labels is not None]
    return some, [one.labels for one in some if one.labels is not None]
