"""Labelled concept sets: images whose pixels are labelled at several levels, coarse to fine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int
from PIL import Image

# Coarse to fine, as far as a set has them; the order of Net Dissection and CHAIN.
LEVELS = ("scene", "object", "part", "material", "texture", "color")
NONE = 0  # a label: none of the level's concepts
IGNORE = -1  # a label: nobody said what is here, which is no negative example
NO_NAME = "none"  # what stands at NONE among a level's names

_NEEDED = ("levels", "names", "skipped", "__len__", "__iter__")
_EXPECTED = (
    "a concept set (levels, names, skipped, its length and its items), as hx.demo.scenes(...)"
    ".concepts(), Broden(folder) or MaskFolder(folder, level=...)"
)


@runtime_checkable
class LabelledImage(Protocol):
    """One item of a concept set: a picture and its labels.

    `key` identifies it in its set. `masks` has for each level at which the item is labelled one
    map `(h, w)` of labels, or several where a pixel carries several labels. A label indexes the
    set's names of that level; 0 is "none of these", -1 "nobody said". Maps cover the whole image at
    any resolution: a label of the image as a whole is a map of one cell. A level that is left out
    is unlabelled: the item says nothing about its concepts.
    """

    @property
    def key(self) -> str:
        """What identifies the item in its set."""

    @property
    def image(self) -> Image.Image:
        """The picture."""

    @property
    def masks(self) -> Mapping[str, Any]:
        """Label maps by level; read them with `label_maps`."""


@runtime_checkable
class ConceptSet(Protocol):
    """Labelled images, one at a time, with names for their labels.

    `levels` run from coarse to fine; `names[level][label]` names a label, `names[level][0]` stands
    for "none of these". `skipped` says what could not be read so far.
    """

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels, coarse to fine."""

    @property
    def names(self) -> Mapping[str, tuple[str, ...]]:
        """The names of each level's labels."""

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What could not be read in the passes so far."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[LabelledImage]: ...


@dataclass(frozen=True)
class Skipped:
    """A file that could not be used and why; `level` is None where the whole item is left out."""

    path: str
    reason: str
    level: str | None = None


@dataclass(frozen=True, eq=False)
class Labelled:
    """A picture with its label maps by level: see `LabelledImage`."""

    key: str
    image: Image.Image
    masks: Mapping[str, Sequence[np.ndarray]]


def concept_set(data: Any) -> ConceptSet:
    """Return a concept set as it is.

    Raises TypeError for what is none, ValueError for one without levels, with a level twice, or
    with a level without any named concept.
    """
    missing = [name for name in _NEEDED if not hasattr(data, name)]
    if missing:
        way = "call its .concepts()" if hasattr(data, "concepts") else "give it what is missing"
        raise TypeError(
            f"got {type(data).__name__} without {', '.join(missing)}; expected {_EXPECTED}; {way}"
        )
    found: ConceptSet = data
    _check_levels(found)
    return found


def _check_levels(data: ConceptSet) -> None:
    levels = tuple(data.levels)
    if not levels or len(set(levels)) < len(levels):
        raise ValueError(
            f"got the levels {levels}; expected at least one, each once, from coarse to fine; name"
            " every level once"
        )
    for level in levels:
        if level not in data.names or len(data.names[level]) < 2:
            raise ValueError(
                f"got no concept at the level {level!r}; expected names[{level!r}] with {NO_NAME!r}"
                " and at least one name; add the names or leave the level out"
            )


def label_maps(
    item: LabelledImage, level: str, names: Sequence[str]
) -> tuple[Int[np.ndarray, "h w"], ...]:
    """Return an item's maps at a level, int32; none where the item is not labelled at it.

    `names` are the set's at this level. Raises ValueError for what is no map of labels, and for
    labels beyond the names.
    """
    found = item.masks.get(level)
    if found is None:
        return ()
    several = tuple(found) if isinstance(found, list | tuple) else (found,)
    return tuple(_checked(np.asarray(m), item.key, level, len(names)) for m in several)


def _checked(labels: np.ndarray, key: str, level: str, count: int) -> Int[np.ndarray, "h w"]:
    if labels.ndim != 2 or 0 in labels.shape or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"got {labels.dtype} of shape {labels.shape} as the {level} map of {key!r}; expected"
            " whole numbers (h, w), one label a pixel; give several labels as a list of maps"
        )
    low, high = int(labels.min()), int(labels.max())
    if low < IGNORE or high >= count:
        raise ValueError(
            f"got the label {low if low < IGNORE else high} in the {level} map of {key!r}; expected"
            f" {IGNORE} (unlabelled) to {count - 1}, the last of the names; name it or map it to"
            f" {NONE}"
        )
    return labels.astype(np.int32, copy=False)


def is_held_out(key: str, *, share: float = 0.3, seed: int = 0) -> bool:
    """Whether an item, or a group of items that belong together, is kept for testing.

    Decided by a hash of `key` and `seed` alone, so that neither the order nor the number of the
    other items matters. About `share` of all keys are held out. Raises ValueError for a share
    that is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(
            f"share is {share}; expected a part of the items, 0 to 1; pass 0.3 for three in ten"
        )
    text = b"\0".join((str(seed).encode(), key.encode("utf-8", "surrogateescape")))
    drawn = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
    return drawn < share * 2**64
