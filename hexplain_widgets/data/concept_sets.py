"""Labelled concept sets: images whose pixels are labelled at several levels, coarse to fine.

What a set and its items are; the color of every pixel, by a rule; sets that lie in a folder, read
item by item, with what is damaged passed over.
"""

from __future__ import annotations

import hashlib
import os
import struct
import warnings
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int
from PIL import Image, UnidentifiedImageError

from ..network.images import picture_of

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
LabelMap = Int[np.ndarray, "_ _"]
Size = tuple[int, int]


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
    def skipped(self) -> tuple[SkippedFile, ...]:
        """What could not be read in the passes so far."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[LabelledImage]: ...


@dataclass(frozen=True)
class SkippedFile:
    """A file that could not be used and why; `level` is None where the whole item is left out."""

    path: str
    reason: str
    level: str | None = None


@dataclass(frozen=True, eq=False)
class LabelledPicture:
    """A picture with its label maps by level, and the labels' names: see `LabelledImage`."""

    key: str
    image: Image.Image
    masks: Mapping[str, Sequence[np.ndarray]]
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class ConceptSubset:
    """Some of the images of a concept set, with all of its names.

    `places` are those of the images in the set, in the order that they come in. An image that
    cannot be read is passed over, as the set does.
    """

    def __init__(self, whole: Any, places: Sequence[int]) -> None:
        self.whole, self.places = whole, tuple(places)

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels, coarse to fine."""
        return tuple(self.whole.levels)

    @property
    def names(self) -> Mapping[str, tuple[str, ...]]:
        """The names of each level's labels."""
        names: Mapping[str, tuple[str, ...]] = self.whole.names
        return names

    @property
    def skipped(self) -> tuple[SkippedFile, ...]:
        """What could not be read in the passes so far."""
        return tuple(self.whole.skipped)

    def __repr__(self) -> str:
        return f"{len(self)} of {self.whole!r}"

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[LabelledImage]:
        of_files = isinstance(self.whole, LabelledFiles)
        for place in self.places:
            one = self.whole.read(place) if of_files else self.whole[place]
            if one is not None:
                yield one

    def __getitem__(self, index: Any) -> Any:
        """Return one image, or a part of these for a slice."""
        found = self.places[index]
        return ConceptSubset(self.whole, found) if isinstance(index, slice) else self.whole[found]


@dataclass(frozen=True, eq=False)
class ListedConcepts:
    """Items of one concept set in a list, with the names that they carry."""

    items: tuple[Any, ...]
    names: Mapping[str, tuple[str, ...]]
    skipped: tuple[SkippedFile, ...] = ()

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels, coarse to fine."""
        return tuple(self.names)

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[LabelledImage]:
        return iter(self.items)

    def __getitem__(self, index: Any) -> Any:
        """Return one image, or a part of these for a slice."""
        found = self.items[index]
        return replace(self, items=found) if isinstance(index, slice) else found


def listed(items: Sequence[Any]) -> ListedConcepts:
    """Return items of one concept set as a set; raises TypeError where their names are not known.

    Raises ValueError for items of sets with other names.
    """
    names: list[Any] = [
        getattr(one, "names", None) or getattr(one, "legend", None) for one in items
    ]
    missing = [one for one, own in zip(items, names, strict=True) if not own]
    if missing or not items:
        what = type(missing[0]).__name__ if missing else "nothing"
        raise TypeError(
            f"got a list of {what}, whose labels have no names; expected {_EXPECTED}, a part of one"
            " such as concepts[:50], or a list of its items; take a part of the set itself"
        )
    if any(own != names[0] for own in names):
        raise ValueError(
            "got a list of items of several concept sets, whose labels have other names; expected"
            " items of one; fit on each set, and merge what was fitted"
        )
    return ListedConcepts(tuple(items), names[0])


def concept_set(data: Any) -> ConceptSet:
    """Return a concept set as it is; a list of items of one set as a part of that set.

    Raises TypeError for what is none, ValueError for one without levels, with a level twice, or
    with a level without any named concept.
    """
    if isinstance(data, list | tuple) and not hasattr(data, "levels"):
        return listed(data)
    missing = [name for name in _NEEDED if not hasattr(data, name)]
    if missing:
        mend = "call its .concepts()" if hasattr(data, "concepts") else "give it what is missing"
        raise TypeError(
            f"got {type(data).__name__} without {', '.join(missing)}; expected {_EXPECTED}; {mend}"
        )
    _check_levels(data)
    return data


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
    maps = item.masks.get(level)
    if maps is None:
        return ()
    several = tuple(maps) if isinstance(maps, list | tuple) else (maps,)
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


# Berlin and Kay's basic color terms; a label of a color map is a place in this list, from 1.
COLORS = (
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "brown",
    "white",
    "gray",
    "black",
)
STEPS = 64  # each of red, green and blue is read in this many steps
# Linear sRGB to cone responses, and their cube roots to Oklab (B. Ottosson, "A perceptual color
# space for image processing", 2020; also CSS Color Module Level 4).
_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)
# The rule: the first row that holds names the color. Each row asks for a hue (degrees, from-to), a
# least lightness (black 0, white 1) and a least chroma (gray 0, the purest red 0.26).
_RULE: tuple[tuple[str, tuple[int, int], float, float], ...] = (
    ("pink", (0, 18), 0.60, 0),
    ("red", (0, 18), 0, 0),
    ("pink", (18, 38), 0.68, 0),
    ("red", (18, 38), 0, 0.11),
    ("brown", (18, 38), 0, 0),
    ("orange", (38, 80), 0.60, 0.11),
    ("yellow", (80, 115), 0.70, 0.08),
    ("white", (38, 95), 0.90, 0),
    ("yellow", (95, 115), 0.90, 0),
    ("brown", (38, 100), 0, 0),
    ("green", (80, 190), 0, 0),
    ("blue", (190, 290), 0, 0),
    ("pink", (320, 335), 0.75, 0),
    ("purple", (290, 335), 0, 0),
    ("pink", (335, 360), 0.50, 0),
    ("purple", (335, 360), 0, 0),
)
# Before any hue: what is too dark, or has too little chroma, to have one.
_NO_HUE, _BLACK_BELOW, _DARK_CHROMA, _WHITE_FROM, _PITCH = 0.035, 0.32, 0.05, 0.90, 0.20


def color_map(image: Image.Image) -> Int[np.ndarray, "h w"]:
    """Return the color term of every pixel as a place in `COLORS`, from 1, int32.

    A pixel is rounded to one of 64 steps a channel and taken to Oklab: lightness L, chroma C and
    hue. It is black below L 0.2, or below 0.32 with C under 0.05; with C under 0.035 it is white
    from L 0.9 and else gray; the rest is named by sectors of hue, some of them divided by lightness
    (pink above red, orange above brown) and chroma. The rule knows nothing of the scene's light: a
    white wall at sunset is orange or pink.
    """
    codes = np.asarray(picture_of(image)) // np.uint8(256 // STEPS)
    red, green, blue = (codes[..., i].astype(np.int32) for i in range(3))
    return _table()[(red * STEPS + green) * STEPS + blue]


@cache
def _table() -> Int[np.ndarray, " n"]:
    middle = (np.arange(STEPS) + 0.5) / STEPS
    rgb = np.stack(np.meshgrid(middle, middle, middle, indexing="ij"), -1).reshape(-1, 3)
    return _terms(*_lightness_chroma_hue(rgb))


def _lightness_chroma_hue(rgb: Float[np.ndarray, "n 3"]) -> tuple[np.ndarray, ...]:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    lightness, a, b = np.array(_LAB) @ np.cbrt(np.array(_CONES) @ linear.T)
    return lightness, np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360


def _terms(
    lightness: Float[np.ndarray, " n"],
    chroma: Float[np.ndarray, " n"],
    hue: Float[np.ndarray, " n"],
) -> Int[np.ndarray, " n"]:
    black = (lightness < _PITCH) | ((lightness < _BLACK_BELOW) & (chroma < _DARK_CHROMA))
    faint = chroma < _NO_HUE
    terms = [("black", black), ("white", faint & (lightness >= _WHITE_FROM)), ("gray", faint)]
    terms += [
        (name, (hue >= h0) & (hue < h1) & (lightness >= least) & (chroma >= pure))
        for name, (h0, h1), least, pure in _RULE
    ]
    labels = [np.int32(COLORS.index(name) + 1) for name, _ in terms]
    return np.select([holds for _, holds in terms], labels, np.int32(0))


UNKNOWN = -2  # in a table of labels: a value that stands for no label
# What Pillow raises on damaged files, and on those that would unpack to too much.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


class DamagedFile(Exception):
    """A file that cannot be used, and why, in words that follow its name."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path} {reason}")
        self.path, self.reason = path, reason


@dataclass(frozen=True)
class ImageEntry:
    """One item before it is read: its key, its picture by path, and readers of its label maps.

    `size` is the picture's `(height, width)` where the source says it. A reader takes the size of
    the picture and returns a map, or raises DamagedFile.
    """

    key: str
    path: str
    size: Size | None
    labels: Mapping[str, Sequence[Callable[[Size], LabelMap]]]


class LabelledFiles(ABC):
    """A concept set that lies in a folder; base of those by format.

    Items are read when they are asked for and kept nowhere. What cannot be read is passed over
    and listed in `skipped`: a damaged mask takes its level out of its item, a damaged picture the
    whole item. Where no level is "color", the colors are computed from the pixels.
    """

    def __init__(
        self, root: Path, names: Mapping[str, tuple[str, ...]], *, computed_colors: bool
    ) -> None:
        self.root = root
        self._computed_colors = computed_colors and "color" not in names
        colors = {"color": (NO_NAME, *COLORS)} if self._computed_colors else {}
        self.names: Mapping[str, tuple[str, ...]] = {**names, **colors}
        self._skipped: dict[tuple[str, str | None], SkippedFile] = {}

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels, coarse to fine."""
        return tuple(self.names)

    @property
    def skipped(self) -> tuple[SkippedFile, ...]:
        """What could not be read in the passes so far, each file once."""
        return tuple(self._skipped.values())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} images, levels {', '.join(self.levels)})"

    @abstractmethod
    def __len__(self) -> int:
        """How many images are listed, readable or not."""

    @abstractmethod
    def _entry(self, index: int) -> ImageEntry:
        """What is known of an item before its files are opened; raises DamagedFile."""

    def __iter__(self) -> Iterator[LabelledPicture]:
        for index in range(len(self)):
            picture = self.read(index)
            if picture is not None:
                yield picture

    def __getitem__(self, index: Any) -> Any:
        """Return one item, or a part of the set for a slice.

        Raises IndexError, and ValueError for an item that cannot be read.
        """
        if isinstance(index, slice):
            return ConceptSubset(self, range(len(self))[index])
        if not -len(self) <= index < len(self):
            raise IndexError(
                f"index is {index}; expected below {len(self)}, the number of images; take a"
                " smaller one"
            )
        picture = self.read(index % len(self))
        if picture is None:
            last = list(self._skipped.values())[-1]
            raise ValueError(
                f"item {index} cannot be read: {last.path} {last.reason}; expected a picture with"
                " labels; repair the file, or iterate, which passes over it"
            )
        return picture

    def read(self, index: int) -> LabelledPicture | None:
        """Return one item; None where it cannot be read, or has no label that can."""
        try:
            entry = self._entry(index)
            image = read_picture(self.root, entry.path, entry.size)
        except DamagedFile as damage:
            self._skip(damage)
            return None
        masks = self._labelled(entry, (image.height, image.width))
        if self._computed_colors:
            masks["color"] = (color_map(image),)
        return LabelledPicture(entry.key, image, masks, self.names) if masks else None

    def _labelled(self, entry: ImageEntry, size: Size) -> dict[str, tuple[LabelMap, ...]]:
        masks: dict[str, tuple[LabelMap, ...]] = {}
        for level, readers in entry.labels.items():
            try:
                masks[level] = tuple(read(size) for read in readers)
            except DamagedFile as damage:
                self._skip(damage, level)
        return masks

    def _skip(self, damage: DamagedFile, level: str | None = None) -> None:
        file = SkippedFile(damage.path, damage.reason, level)
        # Found again in every pass, and last in the list where it was found last.
        self._skipped.pop((file.path, level), None)
        self._skipped[file.path, level] = file


def outside(name: str) -> bool:
    """Whether a path from a file leads out of the folder it is relative to, by its words."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or bool(PureWindowsPath(name).drive)


def read_picture(root: Path, name: str, size: Size | None) -> Image.Image:
    """Return a picture in RGB, upright; raises DamagedFile, also where its `(h, w)` is another."""
    with _opened(root, name, size) as file:
        return picture_of(file)


def read_indices(root: Path, name: str, size: Size) -> Int[np.ndarray, "h w"]:
    """Return the values of an indexed or grey mask; raises DamagedFile."""
    with _opened(root, name, size) as file:
        if file.mode not in ("P", "L", "1") and not file.mode.startswith("I"):
            raise DamagedFile(
                name, f"has {file.mode} colors; a palette or grey values were expected"
            )
        return np.asarray(file).astype(np.int32)


def read_red_green(root: Path, name: str, size: Size) -> Int[np.ndarray, "h w"]:
    """Return the numbers of a mask of colors, red + 256 green; raises DamagedFile."""
    with _opened(root, name, size) as file:
        if file.mode not in ("RGB", "RGBA", "P"):
            raise DamagedFile(name, f"has {file.mode} pixels; red, green and blue were expected")
        pixels = np.asarray(file.convert("RGB")).astype(np.int32)
        return pixels[..., 0] + 256 * pixels[..., 1]


def labels_of(
    values: Int[np.ndarray, "h w"], table: Int[np.ndarray, " n"], name: str, *, why: str
) -> Int[np.ndarray, "h w"]:
    """Return the labels of a mask's values; raises DamagedFile for one not in `table`."""
    known = np.concatenate([table, np.array([UNKNOWN], table.dtype)])
    labels = known[values.clip(-1, len(table))]
    if (labels == UNKNOWN).any():
        raise DamagedFile(name, f"has the value {values[labels == UNKNOWN].min()}; {why}")
    return labels


@contextmanager
def _opened(root: Path, name: str, size: Size | None) -> Iterator[Image.Image]:
    """Open and decode a picture; one of another size is refused before it is decoded."""
    if not os.path.isfile(root / name):
        raise DamagedFile(name, "is missing")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(root / name) as file:
                _check_size(file, name, size)
                file.load()
                yield file
    except _DAMAGE as cause:
        raise DamagedFile(name, _why(cause)) from cause


def _check_size(file: Image.Image, name: str, size: Size | None) -> None:
    height, width = file.height, file.width
    if size is not None and (height, width) != size:
        raise DamagedFile(
            name,
            f"is {height} pixels high and {width} wide; {size[0]} and {size[1]} were expected",
        )


def _why(cause: BaseException) -> str:
    if isinstance(cause, UnidentifiedImageError):
        return "is no picture that Pillow knows"
    if isinstance(cause, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "has more pixels than Pillow's limit (PIL.Image.MAX_IMAGE_PIXELS)"
    text = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
    return f"cannot be decoded ({text})"
