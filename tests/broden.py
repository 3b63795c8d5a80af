"""Writes a small Broden in its published form, from scenes with labels of every level."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from hexplain_widgets.demo.scenes import Scene

CATEGORIES = ("color", "object", "material", "part", "scene", "texture")
INDEX = ("image", "split", "ih", "iw", "sh", "sw", *CATEGORIES)
FIRST = 200  # the first number of a label: most do not fit into the red byte alone
TEXTURES = ("striped", "dotted", "grid")
SUFFIXES = {"scene": "-s", "color": "-c"}


class BrodenWriter:
    """Numbers labels over all categories by name, as the published set does, and writes it all."""

    def __init__(self, root: Path, scenes: Sequence[Scene]) -> None:
        self.root, self.scenes = root, scenes
        names = {c: self._names(c) for c in CATEGORIES}
        merged = list(dict.fromkeys(name for each in names.values() for name in each))
        self.numbers = {name: FIRST + i for i, name in enumerate(merged)}
        self.codes = {c: {n: i + 1 for i, n in enumerate(names[c])} for c in CATEGORIES}
        self.images: Counter[tuple[str, str]] = Counter()

    def _names(self, category: str) -> list[str]:
        if category == "texture":
            return list(TEXTURES)
        present = {
            scene.legend[category][label]
            for scene in self.scenes
            for label in np.unique(scene.masks[category]).tolist()
            if label
        }
        return [name + SUFFIXES.get(category, "") for name in sorted(present)]

    def write(self) -> Path:
        """Write tables, pictures and masks; the masks have half the picture's size."""
        rows = [self._row(i, scene) for i, scene in enumerate(self.scenes)]
        write_table(self.root / "index.csv", INDEX, rows)
        write_table(self.root / "label.csv", ("number", "name", "category", "frequency", "coverage",
                    "syns"), self._label_rows())  # fmt: skip
        write_table(self.root / "category.csv", ("name", "first", "last", "count", "frequency"),
                    self._category_rows())  # fmt: skip
        for category, codes in self.codes.items():
            write_table(
                self.root / f"c_{category}.csv",
                ("code", "number", "name", "frequency", "coverage"),
                [
                    (code, self.numbers[name], name, self.images[category, name], 1.5)
                    for name, code in codes.items()
                ],
            )
        return self.root

    def _row(self, i: int, scene: Scene) -> tuple[object, ...]:
        image = np.asarray(scene.image)
        path = save(self.root, f"ade20k/scene{i}.jpg", image)
        height, width = image.shape[0] // 2, image.shape[1] // 2
        part = self._numbered("part", scene)
        layers = [np.where(part % 2 == odd, part, 0) for odd in (0, 1)]
        fields = {
            "color": self._mask(i, "color", self._numbered("color", scene)),
            "object": self._mask(i, "object", self._numbered("object", scene)),
            "material": self._mask(i, "material", self._numbered("material", scene)),
            "part": ";".join(self._mask(i, f"part_{k + 1}", m) for k, m in enumerate(layers)),
            "scene": str(self.numbers[f"{scene.label}-s"]),
            "texture": ";".join(str(self.numbers[t]) for t in TEXTURES[:2]) if i % 2 else "",
        }
        split = "val" if i % 3 == 2 else "train"
        about = (path, split, *image.shape[:2], height, width)
        return (*about, *(fields[c] for c in CATEGORIES))

    def _numbered(self, category: str, scene: Scene) -> np.ndarray:
        suffix = SUFFIXES.get(category, "")
        legend = scene.legend[category]
        table = np.array([0, *(self.numbers.get(n + suffix, 0) for n in legend[1:])])
        found = table[scene.masks[category][::2, ::2]]
        by_number = {number: name for name, number in self.numbers.items()}
        self.images.update((category, by_number[n]) for n in np.unique(found).tolist())
        return found

    def _mask(self, i: int, kind: str, numbers: np.ndarray) -> str:
        return save(self.root, f"ade20k/scene{i}_{kind}.png", red_green(numbers))

    def _label_rows(self) -> Iterable[tuple[object, ...]]:
        for name, number in self.numbers.items():
            found = [c for c in CATEGORIES if name in self.codes[c]]
            counted = ";".join(f"{c}({self.images[c, name]})" for c in found)
            yield number, name, counted, sum(self.images[c, name] for c in found), 2.25, ""

    def _category_rows(self) -> Iterable[tuple[object, ...]]:
        for category, codes in self.codes.items():
            numbers = [self.numbers[name] for name in codes]
            yield category, min(numbers), max(numbers), len(numbers), len(self.scenes)


def red_green(numbers: np.ndarray) -> np.ndarray:
    """A mask in the published code: red holds the number modulo 256, green the rest."""
    return np.stack([numbers % 256, numbers // 256, 0 * numbers], -1).astype(np.uint8)


def save(root: Path, path: str, pixels: np.ndarray) -> str:
    """Save a picture below images/ and return its path there."""
    target = root / "images" / path
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(target, quality=95)
    return path


def write_table(path: Path, fields: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table with its first line of fields."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(fields)
        writer.writerows(rows)
