"""Images and masks read from a folder one at a time; what is damaged is listed and left out."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
from jaxtyping import Int
from PIL import Image, UnidentifiedImageError

from ..network.classifier import picture_of
from .colors import COLORS, color_map
from .concept_sets import NO_NAME, Labelled, Skipped

UNKNOWN = -2  # in a table of labels: a value that stands for no label

# What Pillow raises on damaged files, and on those that would unpack to too much.
_DAMAGE = (
    OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error,
    Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip

LabelMap = Int[np.ndarray, "_ _"]
Size = tuple[int, int]


class Damaged(Exception):
    """A file that cannot be used, and why, in words that follow its name."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path} {reason}")
        self.path, self.reason = path, reason


@dataclass(frozen=True)
class Entry:
    """One item before it is read: its key, its picture by path, and readers of its label maps.

    `size` is the picture's `(height, width)` where the source says it. A reader takes the size of
    the picture and returns a map, or raises Damaged.
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
        self._skipped: dict[tuple[str, str | None], Skipped] = {}

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels, coarse to fine."""
        return tuple(self.names)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What could not be read in the passes so far, each file once."""
        return tuple(self._skipped.values())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} images, levels {', '.join(self.levels)})"

    @abstractmethod
    def __len__(self) -> int:
        """How many images are listed, readable or not."""

    @abstractmethod
    def _entry(self, index: int) -> Entry:
        """What is known of an item before its files are opened; raises Damaged."""

    def __iter__(self) -> Iterator[Labelled]:
        for index in range(len(self)):
            found = self._read(index)
            if found is not None:
                yield found

    def __getitem__(self, index: int) -> Labelled:
        """Return one item; raises IndexError, and ValueError for one that cannot be read."""
        if not -len(self) <= index < len(self):
            raise IndexError(
                f"index is {index}; expected below {len(self)}, the number of images; take a"
                " smaller one"
            )
        found = self._read(index % len(self))
        if found is None:
            last = list(self._skipped.values())[-1]
            raise ValueError(
                f"item {index} cannot be read: {last.path} {last.reason}; expected a picture with"
                " labels; repair the file, or iterate, which passes over it"
            )
        return found

    def _read(self, index: int) -> Labelled | None:
        try:
            entry = self._entry(index)
            image = read_picture(self.root, entry.path, entry.size)
        except Damaged as damage:
            self._skip(damage)
            return None
        masks = self._labelled(entry, (image.height, image.width))
        if self._computed_colors:
            masks["color"] = (color_map(image),)
        return Labelled(entry.key, image, masks) if masks else None

    def _labelled(self, entry: Entry, size: Size) -> dict[str, tuple[LabelMap, ...]]:
        masks: dict[str, tuple[LabelMap, ...]] = {}
        for level, readers in entry.labels.items():
            try:
                masks[level] = tuple(read(size) for read in readers)
            except Damaged as damage:
                self._skip(damage, level)
        return masks

    def _skip(self, damage: Damaged, level: str | None = None) -> None:
        found = Skipped(damage.path, damage.reason, level)
        # Found again in every pass, and last in the list where it was found last.
        self._skipped.pop((found.path, level), None)
        self._skipped[found.path, level] = found


def outside(name: str) -> bool:
    """Whether a path from a file leads out of the folder it is relative to, by its words."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or bool(PureWindowsPath(name).drive)


def read_picture(root: Path, name: str, size: Size | None) -> Image.Image:
    """Return a picture in RGB, upright; raises Damaged, also where its `(h, w)` is another."""
    with _opened(root, name, size) as file:
        return picture_of(file)


def read_indices(root: Path, name: str, size: Size) -> Int[np.ndarray, "h w"]:
    """Return the values of an indexed or grey mask; raises Damaged."""
    with _opened(root, name, size) as file:
        if file.mode not in ("P", "L", "1") and not file.mode.startswith("I"):
            raise Damaged(name, f"has {file.mode} colors; a palette or grey values were expected")
        return np.asarray(file).astype(np.int32)


def read_red_green(root: Path, name: str, size: Size) -> Int[np.ndarray, "h w"]:
    """Return the numbers of a mask of colors, red + 256 green; raises Damaged."""
    with _opened(root, name, size) as file:
        if file.mode not in ("RGB", "RGBA", "P"):
            raise Damaged(name, f"has {file.mode} pixels; red, green and blue were expected")
        pixels = np.asarray(file.convert("RGB")).astype(np.int32)
        return pixels[..., 0] + 256 * pixels[..., 1]


def translated(
    values: Int[np.ndarray, "h w"], table: Int[np.ndarray, " n"], name: str, *, why: str
) -> Int[np.ndarray, "h w"]:
    """Return the labels of a mask's values; raises Damaged for one that the table does not have."""
    known = np.concatenate([table, np.array([UNKNOWN], table.dtype)])
    found: Int[np.ndarray, "h w"] = known[values.clip(-1, len(table))]
    if (found == UNKNOWN).any():
        raise Damaged(name, f"has the value {values[found == UNKNOWN].min()}; {why}")
    return found


@contextmanager
def _opened(root: Path, name: str, size: Size | None) -> Iterator[Image.Image]:
    """Open and decode a picture; one of another size is refused before it is decoded."""
    if not os.path.isfile(root / name):
        raise Damaged(name, "is missing")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(root / name) as file:
                _check_size(file, name, size)
                file.load()
                yield file
    except _DAMAGE as cause:
        raise Damaged(name, _why(cause)) from cause


def _check_size(file: Image.Image, name: str, size: Size | None) -> None:
    found = (file.height, file.width)
    if size is not None and found != size:
        raise Damaged(
            name,
            f"is {found[0]} pixels high and {found[1]} wide; {size[0]} and {size[1]} were expected",
        )


def _why(cause: BaseException) -> str:
    if isinstance(cause, UnidentifiedImageError):
        return "is no picture that Pillow knows"
    if isinstance(cause, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "has more pixels than Pillow's limit (PIL.Image.MAX_IMAGE_PIXELS)"
    text = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
    return f"cannot be decoded ({text})"
