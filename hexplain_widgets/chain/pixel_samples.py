"""Samples of held-out pixels, of a bounded size, and average precision on them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Float32, Int

from ..data.label_maps import LabelledPixels
from ..solvers.reservoirs import Reservoir, hashes_of, image_number, packed, unpack
from .interpolation import Interpolation

# Pixels kept of all that are labelled, and of each concept: at least and at most so many, fewer
# where there are many concepts, so that a level's samples keep at most so many numbers.
ALL, LEAST, MOST, NUMBERS = 10_000, 50, 300, 2**26


class PixelSamples:
    """Vectors of held-out pixels: of all that are labelled, and of each concept's own.

    A row is the pixel's vector, its area as a share of its image, and for the first sample which
    concepts it carries, in bytes.
    """

    def __init__(self, channels: int, concepts: int) -> None:
        own = max(LEAST, min(MOST, NUMBERS // (concepts * (channels + 1))))
        self._channels, self._concepts = channels, concepts
        self._kept = [Reservoir(ALL, channels + 1 + -(-concepts // 8))]
        self._kept += [Reservoir(own, channels + 1) for _ in range(concepts)]

    def add(
        self,
        maps: Float32[np.ndarray, "k h w"],
        pixels: LabelledPixels,
        key: bytes,
    ) -> None:
        """Take in the pixels of a held-out image; `key` identifies it."""
        finding = _Vectors(maps, pixels)
        image = np.int64(image_number(key))
        self._put(0, np.flatnonzero(pixels.known), image, finding)
        for label in pixels.present:
            self._put(label, np.flatnonzero(pixels.of(label)), image, finding)

    def _put(
        self, label: int, places: Int[np.ndarray, " n"], image: np.int64, finding: _Vectors
    ) -> None:
        reservoir = self._kept[label]
        images = np.full(len(places), image)
        hashes = hashes_of(images, places, salt=label)
        wanted = reservoir.wanted(hashes)
        if not wanted.any():
            return
        smallest = np.argsort(hashes[wanted])[: reservoir.size]
        some = np.flatnonzero(wanted)[smallest]
        rows = [finding.vectors(places[some]), finding.areas(len(some))]
        if label == 0:
            members = finding.pixels.members(places[some], self._concepts)
            rows.append(np.packbits(members, axis=1).astype(np.float32))
        reservoir.add(hashes[some], images[some], np.concatenate(rows, axis=1))

    def merge(self, other: PixelSamples) -> None:
        """Take in what other data gave."""
        for one, more in zip(self._kept, other._kept, strict=True):
            one.merge(more)

    def precision(
        self, weights: Float[np.ndarray, "e k"], mass: Float[np.ndarray, " e"], known: float
    ) -> Float[np.ndarray, " e"]:
        """Return the average precision of every concept's map; NaN for one without two sides.

        `mass` is the area of each concept in the held-out images and `known` all that is labelled:
        the samples are weighted so that they stand for these.
        """
        every = self._kept[0].vectors
        codes = every[:, self._channels + 1 :].astype(np.uint8)
        carried = np.unpackbits(codes, axis=1, count=self._concepts).astype(bool)
        found = np.full(len(weights), np.nan)
        for e, w in enumerate(weights):
            own, others = self._kept[e + 1].vectors, every[~carried[:, e], : self._channels + 1]
            if len(own) and len(others):
                found[e] = self._average(own, others, w, mass[e], known - mass[e])
        return found

    def _average(
        self, own: np.ndarray, others: np.ndarray, weights: np.ndarray, mass: float, rest: float
    ) -> float:
        # here, for loading scikit-learn takes as long as all of this package
        from sklearn.metrics import average_precision_score

        rows = np.concatenate([own, others])
        here = np.arange(len(rows)) < len(own)
        area = rows[:, self._channels].astype(np.float64)
        area[here] *= mass / area[here].sum()
        area[~here] *= rest / area[~here].sum()
        scores = rows[:, : self._channels].astype(np.float64) @ weights
        return float(average_precision_score(here, scores, sample_weight=area))

    def arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield everything as arrays by name, for saving."""
        for part, some in (("all", self._kept[:1]), ("own", self._kept[1:])):
            for name, array in packed(some):
                yield f"{part}.{name}", array

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take samples that were saved; raises ValueError and KeyError where they do not fit."""
        for part, some in (("all", self._kept[:1]), ("own", self._kept[1:])):
            names = ("lengths", "hashes", "images", "vectors")
            unpack(some, {name: arrays[f"{part}.{name}"] for name in names})


class _Vectors:
    """The vectors of an image's pixels, interpolated where they are asked for."""

    def __init__(self, maps: Float32[np.ndarray, "k h w"], pixels: LabelledPixels) -> None:
        self.pixels = pixels
        self._maps = torch.from_numpy(maps)
        self._interpolation = Interpolation.of((maps.shape[1], maps.shape[2]), pixels.size)

    def vectors(self, places: Int[np.ndarray, " n"]) -> Float32[np.ndarray, "n k"]:
        found = self._interpolation.at(self._maps, torch.from_numpy(places))
        return np.asarray(found.numpy(), np.float32)

    def areas(self, count: int) -> Float32[np.ndarray, "{count} 1"]:
        return np.full((count, 1), self.pixels.area, np.float32)
