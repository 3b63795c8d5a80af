"""Broden as Net Dissection published it: one index, a code of labels, masks in red and green."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Int

from .concept_sets import (
    IGNORE,
    LEVELS,
    NO_NAME,
    NONE,
    UNKNOWN,
    DamagedFile,
    ImageEntry,
    LabelledFiles,
    LabelMap,
    Size,
    labels_of,
    outside,
    read_red_green,
)

_FILES = "index.csv, label.csv, category.csv and one c_<category>.csv for each category"
_ABOUT_IMAGE = ("image", "split", "ih", "iw", "sh", "sw")
# How Broden tells a scene and a color from an object of the same name.
_SUFFIXES = {"scene": "-s", "color": "-c"}
_NUMBERS = 2**16  # of labels: a red and a green byte

Row = Mapping[str, str]


class Broden(LabelledFiles):
    """Broden, or another set in its form: `root` holds the tables, `root/images` all pictures.

    The levels are the categories, coarse to fine; `levels` keeps some of them, `split` the images
    of one split ("train" or "val"). Labels are the dense codes of `c_<category>.csv`; the endings
    "-s" and "-c" of scenes and colors are left out of names. Several masks of a field are several
    maps, a number is a label of the whole image, and an empty field leaves the image unlabelled at
    that level. A pixel without a label is none of the level's concepts, as in Net Dissection, and
    unlabelled at the levels named in `unlabelled`. Where there is no category "color", `colors`
    computes it.

    Source: Bau et al., Network Dissection, 2017, and the README that its data come with. Raises
    FileNotFoundError for a missing table; ValueError for tables that are not in the form or do not
    fit together, for paths that lead out of the folder, for levels or splits that are not there.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        levels: Iterable[str] | None = None,
        split: str | None = None,
        unlabelled: Collection[str] = (),
        colors: bool = True,
    ) -> None:
        folder = Path(root)
        selection = None if levels is None else tuple(levels)
        categories = _chosen(_categories(folder), selection, with_colors=colors)
        _check_known("unlabelled", unlabelled, categories)
        labels = _labels(folder)
        codes = {c: _codes(folder, c, labels) for c in categories}
        names = {c: (NO_NAME, *_names(c, numbers, labels)) for c, numbers in codes.items()}
        compute = colors and (selection is None or "color" in selection)
        super().__init__(folder, names, computed_colors=compute)
        self._tables = {c: _table(numbers, c in unlabelled) for c, numbers in codes.items()}
        with_labels = () if self._computed_colors else categories
        self._fields, self._rows = _index(folder, categories, split, with_labels)

    def __len__(self) -> int:
        return len(self._rows)

    def _entry(self, index: int) -> ImageEntry:
        row = _fields_of(self._rows[index])
        if len(row) != len(self._fields):
            named = f"index.csv, row of {row[0]!r}"
            raise DamagedFile(named, f"has {len(row)} fields; {len(self._fields)} were expected")
        values = dict(zip(self._fields, row, strict=True))
        size = _size(values, "sh", "sw")
        labels = {c: self._readers(c, _several(values[c]), size) for c in self._tables if values[c]}
        return ImageEntry(
            values["image"], f"images/{values['image']}", _size(values, "ih", "iw"), labels
        )

    def _readers(
        self, category: str, labels: Sequence[str], size: Size
    ) -> list[Callable[[Size], LabelMap]]:
        return [
            partial(self._whole, category, int(label))
            if _is_number(label)
            else partial(self._mask, category, f"images/{label}", size)
            for label in labels
        ]

    def _mask(self, category: str, path: str, size: Size, _: Size) -> LabelMap:
        numbers = read_red_green(self.root, path, size)
        return labels_of(numbers, self._tables[category], path, why=self._why(category))

    def _whole(self, category: str, number: int, _: Size) -> LabelMap:
        numbers = np.full((1, 1), number, np.int32)
        return labels_of(numbers, self._tables[category], "index.csv", why=self._why(category))

    def _why(self, category: str) -> str:
        return f"the numbers of c_{category}.csv were expected"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _several(field: str) -> list[str]:
    return [text.strip() for text in field.split(";") if text.strip()]


def _size(row: Row, height: str, width: str) -> Size:
    texts = row[height], row[width]
    if not all(_is_number(t) and int(t) > 0 for t in texts):
        raise DamagedFile(
            f"index.csv, row of {row['image']!r}",
            f"has the size {texts[0]!r} by {texts[1]!r}; whole numbers of pixels were expected",
        )
    return int(texts[0]), int(texts[1])


def _lines(root: Path, name: str) -> list[str]:
    try:
        return (root / name).read_text(encoding="utf-8-sig").split("\n")
    except (FileNotFoundError, NotADirectoryError) as cause:
        raise FileNotFoundError(
            f"no {name} in {str(root)!r}; expected {_FILES}; give the folder that holds them"
        ) from cause
    except UnicodeDecodeError as cause:
        raise ValueError(
            f"{name} is no text in UTF-8 ({cause}); expected a table of comma-separated values;"
            " get the file again"
        ) from cause


def _fields_of(line: str) -> list[str]:
    try:
        return next(csv.reader([line]))
    except csv.Error as cause:
        raise ValueError(
            f"the line {line[:60]!r} is no row of a table ({cause}); expected comma-separated"
            " values; get the file again"
        ) from cause


def _records(root: Path, name: str, needed: Sequence[str]) -> Iterator[Row]:
    lines = _lines(root, name)
    fields = _header(name, lines, needed)
    for row in map(_fields_of, filter(None, lines[1:])):
        if len(row) != len(fields):
            raise ValueError(
                f"a row of {name} has {len(row)} fields, {row}; expected {len(fields)},"
                f" {', '.join(fields)}; put names with a comma in quotes"
            )
        yield dict(zip(fields, row, strict=True))


def _header(name: str, lines: Sequence[str], needed: Sequence[str]) -> list[str]:
    fields = _fields_of(lines[0]) if lines and lines[0] else []
    missing = [f for f in needed if f not in fields]
    if missing:
        raise ValueError(
            f"the first line of {name} has no {', '.join(missing)}; expected the fields"
            f" {', '.join(needed)}; it is no table of Broden's, or its first line is gone"
        )
    return fields


def _categories(root: Path) -> list[str]:
    names = [row["name"] for row in _records(root, "category.csv", ("name",))]
    return sorted(names, key=lambda c: LEVELS.index(c) if c in LEVELS else len(LEVELS))


def _chosen(
    categories: Sequence[str], selection: Sequence[str] | None, *, with_colors: bool
) -> tuple[str, ...]:
    if selection is None:
        return tuple(categories)
    known = [*categories, "color"] if with_colors else categories
    _check_known("levels", selection, known)
    return tuple(c for c in categories if c in selection)


def _check_known(what: str, names: Iterable[str], known: Sequence[str]) -> None:
    unknown = [x for x in names if x not in known]
    if unknown:
        raise ValueError(
            f"got {what} with {', '.join(map(repr, unknown))}; expected some of"
            f" {', '.join(dict.fromkeys(known))}; these are what the tables have"
        )


def _labels(root: Path) -> dict[int, str]:
    rows = _records(root, "label.csv", ("number", "name"))
    return {_number("label.csv", row["number"]): row["name"] for row in rows}


def _number(name: str, text: str) -> int:
    if not _is_number(text) or not 0 < int(text) < _NUMBERS:
        raise ValueError(
            f"{name} has the number {text!r}; expected 1 to {_NUMBERS - 1}, which a mask holds in"
            " red and green; correct the table"
        )
    return int(text)


def _codes(root: Path, category: str, labels: Mapping[int, str]) -> dict[int, int]:
    """Codes of a category by number: 1, 2, ... each once, all of numbers that label.csv names."""
    name = f"c_{category}.csv"
    rows = _records(root, name, ("code", "number", "name"))
    codes = {_number(name, row["number"]): _number(name, row["code"]) for row in rows}
    if sorted(codes.values()) != list(range(1, len(codes) + 1)) or not codes:
        raise ValueError(
            f"the codes of {name} are not 1, 2, ... {len(codes)}, each once; expected a dense code"
            " of at least one label; get the file again"
        )
    unknown = [number for number in codes if number not in labels]
    if unknown:
        raise ValueError(
            f"{name} has the number {unknown[0]}, which label.csv does not name; expected the"
            " numbers of label.csv; the two are of different versions: get both again"
        )
    return codes


def _names(category: str, codes: Mapping[int, int], labels: Mapping[int, str]) -> list[str]:
    by_code = sorted(codes, key=codes.__getitem__)
    return [labels[number].removesuffix(_SUFFIXES.get(category, "")) for number in by_code]


def _table(codes: Mapping[int, int], unlabelled: bool) -> Int[np.ndarray, " n"]:
    table = np.full(_NUMBERS, UNKNOWN, np.int32)
    table[list(codes)] = list(codes.values())
    table[0] = IGNORE if unlabelled else NONE
    return table


def _index(
    root: Path, categories: Sequence[str], split: str | None, with_labels: Sequence[str]
) -> tuple[list[str], list[str]]:
    """The fields and the rows of the index that are wanted, as text: a tenth of the memory.

    With `with_labels`, rows that label none of these levels are left out.
    """
    lines = _lines(root, "index.csv")
    fields = _header("index.csv", lines, (*_ABOUT_IMAGE, *categories))
    wanted, splits = [], set()
    for at, line in enumerate(lines[1:], start=2):
        if not line:
            continue
        row = dict(zip(fields, _fields_of(line), strict=False))
        _check_paths(row, [c for c in categories if c in row], at)
        splits.add(row.get("split", ""))
        labelled = any(row.get(c) for c in with_labels) or not with_labels
        if labelled and split in (None, row.get("split")):
            wanted.append(line)
    if split is not None:
        _check_known("split", [split], sorted(splits))
    return fields, wanted


def _check_paths(row: Row, categories: Iterable[str], at: int) -> None:
    labels = (text for c in categories for text in _several(row[c]))
    for path in (row["image"], *labels):
        if outside(path):
            raise ValueError(
                f"line {at} of index.csv names the file {path!r}, outside of the folder; expected"
                " paths below images/, without '..' and not absolute; do not use this index"
            )
