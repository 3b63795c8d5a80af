"""The small photographs with boxes, and which of their classes are of one kind."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

KINDS = {"dog": "n02084071", "feline": "n02120997", "motor vehicle": "n03791235"}


@dataclass(frozen=True)
class Example:
    """One photograph: its file, class index and box `(x0, y0, x1, y1)`, the end excluded."""

    path: Path
    label: int
    box: tuple[int, int, int, int]


def examples(data: Path) -> list[Example]:
    """All photographs, ten of each of 200 classes."""
    with (data / "tiny_imagenet" / "boxes.csv").open() as file:
        return [_example(data, row) for row in csv.DictReader(file)]


def _example(data: Path, row: dict[str, str]) -> Example:
    x0, y0, x1, y1 = (int(row[n]) for n in ("x_min", "y_min", "x_max", "y_max"))
    path = data / "tiny_imagenet" / "images" / row["file"]
    return Example(path, int(row["class_index"]), (x0, y0, x1 + 1, y1 + 1))


def kinds(data: Path) -> dict[int, str]:
    """The kind of every class that is of one, by class index."""
    nodes = json.loads((data / "imagenet" / "imagenet_hierarchy.json").read_text())["nodes"]
    present = {e.label for e in examples(data)}
    return {
        node["class_index"]: kind
        for wnid, node in nodes.items()
        for kind, root in KINDS.items()
        if node["class_index"] in present and root in set(_above(nodes, wnid))
    }


def _above(nodes: dict[str, dict], wnid: str) -> Iterator[str]:
    for parent in nodes[wnid]["parents"]:
        yield parent
        yield from _above(nodes, parent)
