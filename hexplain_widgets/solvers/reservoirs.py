"""Bounded samples of region vectors: those with the smallest hashes, whatever the order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float32, Int64

# One image in so many is held out: its vectors test the classifiers and never fit them.
HELD_OUT = 4
_ODD = np.uint64(0x9E3779B97F4A7C15)
# What a reservoir keeps, by the names of its attributes.
_PARTS = {"hashes": np.int64, "images": np.int64, "vectors": np.float32}

Arrays = dict[str, np.ndarray]


def image_number(key: bytes) -> int:
    """Return the number that stands for an image, from its key."""
    return int.from_bytes(key[:8], "little") >> 1


def hashes_of(
    images: Int64[np.ndarray, " n"], places: Int64[np.ndarray, " n"], *, salt: int
) -> Int64[np.ndarray, " n"]:
    """Return a hash of each image's number, place and a salt, spread evenly over 0..2**63 - 1."""
    salted = places.astype(np.uint64) + np.array([salt], np.uint64) * _ODD
    mixed = _mixed(images.astype(np.uint64) + _mixed(salted))
    return (mixed >> np.uint64(1)).astype(np.int64)


def _mixed(values: np.ndarray) -> np.ndarray:
    """SplitMix64: every bit of the result depends on every bit of the value."""
    with np.errstate(over="ignore"):
        z = values + _ODD
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


class Reservoir:
    """At most `size` vectors of `channels` values, of which images they are, and their hashes."""

    def __init__(self, size: int, channels: int) -> None:
        self.size = size
        self.hashes: Int64[np.ndarray, " n"] = np.zeros(0, np.int64)
        self.images: Int64[np.ndarray, " n"] = np.zeros(0, np.int64)
        self.vectors: Float32[np.ndarray, "n k"] = np.zeros((0, channels), np.float32)

    def __len__(self) -> int:
        return len(self.hashes)

    def wanted(self, hashes: Int64[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        """Say which of these hashes could still enter."""
        if len(self) < self.size:
            return np.ones(len(hashes), dtype=bool)
        return np.asarray(hashes < self.hashes[-1])

    def add(
        self,
        hashes: Int64[np.ndarray, " n"],
        images: Int64[np.ndarray, " n"],
        vectors: Float32[np.ndarray, "n k"],
    ) -> None:
        """Take vectors in; the same one twice counts once."""
        every = np.concatenate([self.hashes, hashes])
        sorted_, first = np.unique(every, return_index=True)
        entered = first[: self.size]
        self.hashes = sorted_[: self.size]
        self.images = np.concatenate([self.images, images])[entered]
        self.vectors = np.concatenate([self.vectors, vectors])[entered]

    def merge(self, other: Reservoir) -> None:
        """Take in what other data gave."""
        self.add(other.hashes, other.images, other.vectors)

    @property
    def held_out(self) -> Bool[np.ndarray, " n"]:
        """Say which vectors are of images that are held out."""
        return np.asarray(
            hashes_of(self.images, np.zeros_like(self.images), salt=0) % HELD_OUT == 0
        )


def packed(reservoirs: list[Reservoir]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the content of several reservoirs as arrays by name, for saving."""
    yield "lengths", np.array([len(r) for r in reservoirs], dtype=np.int64)
    for name in _PARTS:
        yield name, np.concatenate([getattr(r, name) for r in reservoirs])


def unpack(reservoirs: list[Reservoir], arrays: Arrays) -> None:
    """Put saved content into empty reservoirs; raises ValueError where it does not fit."""
    lengths = [int(n) for n in arrays["lengths"]]
    content = [np.asarray(arrays[name], dtype) for name, dtype in _PARTS.items()]
    if not _fit(lengths, content, reservoirs):
        raise ValueError("the region vectors do not fit the concepts and the layer")
    ends = np.cumsum(lengths)[:-1]
    parts = [np.split(part, ends) for part in content]
    for reservoir, hashes, images, vectors in zip(reservoirs, *parts, strict=True):
        reservoir.add(hashes, images, vectors)


def _fit(lengths: list[int], content: list[np.ndarray], reservoirs: list[Reservoir]) -> bool:
    shapes = {r.vectors.shape[1:] for r in reservoirs}
    return (
        len(lengths) == len(reservoirs)
        and all(0 <= n <= r.size for n, r in zip(lengths, reservoirs, strict=True))
        and all(len(part) == sum(lengths) for part in content)
        and {part.shape[1:] for part in content} == {(), *shapes}
    )
