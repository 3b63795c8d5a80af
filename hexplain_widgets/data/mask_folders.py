"""Plain folders of images and indexed masks, with a file or list of names."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Int

from .concept_sets import (
    IGNORE,
    NO_NAME,
    NONE,
    UNKNOWN,
    DamagedFile,
    ImageEntry,
    LabelledFiles,
    LabelMap,
    Size,
    labels_of,
    read_indices,
)

Names = str | os.PathLike[str] | Sequence[str] | Mapping[int, str]

# Names that by themselves say "none of these" and "nobody said"; others are given by the user.
_NONE = frozenset({"none", "background", "bg", "other"})
_IGNORED = frozenset({"unlabelled", "unlabeled", "unknown", "void", "ignore", "ignored"})
_PICTURES = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
)
_STEMS = ("names", "classes", "labels")
_ENDINGS = (".json", ".txt", ".csv")
_LARGEST = 2**16 - 1  # value of a grey mask


class MaskFolder(LabelledFiles):
    """Images in `root/images`, and for each an indexed or grey PNG of its name in `root/labels`.

    The values of the masks are indices into `names`: a list, a mapping, or a file in the folder
    (JSON, a text with one name per line counted from 0, or a CSV with the columns "index" or "idx"
    and "name"); where it is not given, `<level>s`, `names`, `classes` or `labels` with one of these
    endings. Values with the same name are one concept.

    `none` are the values or names that stand for none of the concepts, `ignore` those of pixels
    that nobody labelled; where they are not given, names like "background" and "unlabelled" say it
    of themselves, and a value 0 without a name is none. So 0 is a concept wherever it has a name
    like "sky". `colors` adds computed colors as a level.

    Images are known by their path below `root/images`, subfolders included. Raises
    FileNotFoundError for a missing folder or file of names; ValueError for a file of names that
    cannot be read, and for values and names that are not there.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        level: str,
        names: Names | None = None,
        none: Iterable[int | str] | None = None,
        ignore: Iterable[int | str] | None = None,
        images: str = "images",
        masks: str = "labels",
        colors: bool = True,
    ) -> None:
        folder = Path(root)
        by_value = _by_value(folder, level, names)
        concepts, self._table = _coded(by_value, none, ignore)
        super().__init__(folder, {level: (NO_NAME, *concepts)}, computed_colors=colors)
        self._level, self._pictures, self._masks = level, images, masks
        self._paths, self._lone = _listed(folder / images, folder / masks)

    def __len__(self) -> int:
        return len(self._paths) + len(self._lone)

    def _entry(self, index: int) -> ImageEntry:
        if index >= len(self._paths):
            lone = self._lone[index - len(self._paths)]
            raise DamagedFile(
                f"{self._masks}/{lone}", f"has no picture of its name in {self._pictures}"
            )
        path = self._paths[index]
        mask = f"{self._masks}/{_mask_of(path)}"
        return ImageEntry(
            path, f"{self._pictures}/{path}", None, {self._level: [partial(self._labels, mask)]}
        )

    def _labels(self, path: str, size: Size) -> LabelMap:
        why = "it has no name; name it, or pass it in none= or ignore="
        return labels_of(read_indices(self.root, path, size), self._table, path, why=why)


def _mask_of(path: str) -> str:
    return PurePosixPath(path).with_suffix(".png").as_posix()


def _listed(images: Path, masks: Path) -> tuple[list[str], list[str]]:
    """List the pictures, and the masks without one, by their paths in their folders."""
    for folder in (images, masks):
        if not folder.is_dir():
            raise FileNotFoundError(
                f"no folder at {str(folder)!r}; expected pictures in {images.name!r} and their"
                f" masks in {masks.name!r}; pass images= and masks= where they are called otherwise"
            )
    pictures = _files(images, _PICTURES)
    with_picture = {_mask_of(path) for path in pictures}
    return pictures, [m for m in _files(masks, {".png"}) if _mask_of(m) not in with_picture]


def _files(folder: Path, endings: Collection[str]) -> list[str]:
    return sorted(
        (Path(parent) / name).relative_to(folder).as_posix()
        for parent, _, names in os.walk(folder)
        for name in names
        if Path(name).suffix.lower() in endings and not name.startswith(".")
    )


def _by_value(root: Path, level: str, names: Names | None) -> dict[int, str]:
    in_file = names is None or isinstance(names, str | os.PathLike)
    given: Any = _read(_names_file(root, level, names)) if in_file else names
    pairs = given.items() if isinstance(given, Mapping) else enumerate(given)
    texts = {_value(value): str(name).strip() for value, name in pairs}
    by_value = {value: name for value, name in texts.items() if name}
    if not by_value:
        raise ValueError(
            "got no names; expected a name for each value of the masks; fill the file or list"
        )
    return by_value


def _value(value: Any) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and int(text) <= _LARGEST):
        raise ValueError(
            f"got a name for the value {text!r}; expected whole numbers from 0 to {_LARGEST}, the"
            " values of the masks; give {value: name}, or the names alone in their order"
        )
    return int(text)


def _names_file(root: Path, level: str, given: Any) -> Path:
    tried = [f"{s}{e}" for s in (f"{level}s", *_STEMS) for e in _ENDINGS]
    names = tried if given is None else [os.fspath(given)]
    file = next((root / name for name in names if (root / name).is_file()), None)
    if file is None:
        raise FileNotFoundError(
            f"no file of names in {str(root)!r}: tried {', '.join(names)}; expected a JSON, text or"
            " CSV file; pass its name, a list of names or {value: name} as names="
        )
    return file


def _read(path: Path) -> Sequence[str] | dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        content: Any = json.loads(text) if path.suffix == ".json" else text
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as cause:
        raise ValueError(
            f"{path.name} cannot be read ({cause}); expected names as JSON, or as text in UTF-8;"
            " open it in an editor and save it again"
        ) from cause
    if path.suffix == ".csv":
        return _columns(path.name, text)
    if path.suffix != ".json":
        return text.splitlines()
    texts = content.values() if isinstance(content, dict) else content
    if not isinstance(content, dict | list) or not all(isinstance(x, str) for x in texts):
        raise ValueError(
            f"{path.name} holds no names; expected a JSON object from values to names, or a list of"
            " names; write it so"
        )
    return content


def _columns(name: str, text: str) -> dict[str, str]:
    """Values and names of a CSV file; of synonyms the first is the name, all where it is taken."""
    rows = [
        {key.strip().lower(): value for key, value in row.items() if key and value}
        for row in csv.DictReader(text.splitlines())
    ]
    by_value = {
        row.get("index") or row["idx"]: tuple(dict.fromkeys(row["name"].split(";")))
        for row in rows
        if "name" in row and ("index" in row or "idx" in row)
    }
    if not by_value:
        raise ValueError(
            f"{name} has no columns 'index' (or 'idx') and 'name'; expected both in its first line;"
            " rename the columns"
        )
    firsts = Counter(synonyms[0] for synonyms in by_value.values())
    return {
        value: synonyms[0] if firsts[synonyms[0]] == 1 else ", ".join(synonyms)
        for value, synonyms in by_value.items()
    }


def _coded(
    by_value: Mapping[int, str],
    none: Iterable[int | str] | None,
    ignore: Iterable[int | str] | None,
) -> tuple[list[str], Int[np.ndarray, " n"]]:
    """The concepts, and the label of every value: a place among them, from 1."""
    empty = _special_values(by_value, none, _NONE) | (
        {0} - set(by_value) if none is None else set()
    )
    ignored = _special_values(by_value, ignore, _IGNORED)
    if empty & ignored:
        raise ValueError(
            f"got the value {min(empty & ignored)} as none and as ignored; expected one of the two;"
            " take it out of none= or ignore="
        )
    named = {v: n for v, n in sorted(by_value.items()) if v not in empty | ignored}
    concepts = list(dict.fromkeys(named.values()))
    if not concepts:
        raise ValueError(
            "no name is left beside those of none= and ignore=; expected at least one concept;"
            " name the values of the masks"
        )
    table = np.full(max(*by_value, *empty, *ignored, 0) + 1, UNKNOWN, np.int32)
    table[list(empty)], table[list(ignored)] = NONE, IGNORE
    for value, name in named.items():
        table[value] = concepts.index(name) + 1
    return concepts, table


def _special_values(
    by_value: Mapping[int, str], given: Iterable[int | str] | None, usual: Collection[str]
) -> set[int]:
    if given is None:
        return {v for v, name in by_value.items() if name.strip("_ ").lower() in usual}
    return set().union(*(_values_of(by_value, x) for x in given))


def _values_of(by_value: Mapping[int, str], given: int | str) -> set[int]:
    if not isinstance(given, str):
        return {_value(given)}
    values = {v for v, name in by_value.items() if name == given}
    if not values:
        known = ", ".join(map(repr, by_value.values()))
        raise ValueError(
            f"got the unknown name {given!r} for none= or ignore=; expected one of {known};"
            " or give the value of the mask"
        )
    return values
