"""What all evidence has, and what is said of any network: provenance, predictions, layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

Settings = Mapping[str, bool | int | float | str | tuple[str, ...] | None]


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        same_kind = isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.dtype == b.dtype
        return same_kind and np.array_equal(a, b)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    return bool(a == b)


@dataclass(frozen=True, eq=False)
class Evidence:
    """Base of all evidence: two pieces are equal when every field is, arrays to the last bit."""

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))

    __hash__ = object.__hash__


def walk_below(root: Any, path: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Yield `(path, evidence)` of a tree with `children`, parents first; `path` is the root's."""
    yield path, root
    for i, child in enumerate(root.children):
        yield from walk_below(child, (*path, i))


def at_path(root: Any, path: tuple[int, ...], missing: Callable[[Any], str]) -> Any:
    """Return the evidence at `path` below a root; raises IndexError with what `missing` says."""
    here = root
    for i in path:
        if not 0 <= i < len(here.children):
            raise IndexError(missing(here))
        here = here.children[i]
    return here


def with_below(root: Any, path: tuple[int, ...], new: Any) -> Any:
    """Return a tree of evidence with `children` in which what stands at `path` is another."""
    if not path:
        return new
    i, *rest = path
    below = with_below(root.children[i], tuple(rest), new)
    return replace(root, children=(*root.children[:i], below, *root.children[i + 1 :]))


@dataclass(frozen=True, eq=False)
class Provenance(Evidence):
    """Where evidence comes from: method, network, target, settings, seed and library versions."""

    method: str
    model: str
    target: str
    settings: Settings = field(default_factory=dict)
    seed: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Prediction(Evidence):
    """One class with its score, a logit, and the probability that the network means by it."""

    index: int
    name: str
    probability: float
    logit: float

    def __iter__(self) -> Iterator[Any]:
        """Unpack as `(index, name, probability)`."""
        return iter((self.index, self.name, self.probability))


@dataclass(frozen=True, eq=False)
class Layer(Evidence):
    """One layer with a feature map: shape `(K, H, W)`; stage 1 is the shallowest, None is no stage.

    `receptive_field` is `(height, width)` in input pixels of one unit; None where a unit sees
    everything (behind global pooling or attention). `layout` is what the maps were made of: "nhwc",
    "tokens", or by a function ("own"); None where the layer gives maps.
    """

    name: str
    type: str
    shape: tuple[int, int, int]
    stage: int | None
    receptive_field: tuple[int, int] | None
    layout: str | None = None

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Layer:
        """Return a layer from its fields as JSON values; raises what their conversion raises."""
        field, (k, h, w) = value["receptive_field"], map(int, value["shape"])
        size = None if field is None else (int(field[0]), int(field[1]))
        layout = value.get("layout")
        named = None if layout is None else str(layout)
        return cls(str(value["name"]), str(value["type"]), (k, h, w), value["stage"], size, named)


class LayerTable(tuple[Layer, ...]):
    """Layers, shown as a table."""

    def __repr__(self) -> str:
        rows = [("layer", "type", "shape", "stage", "receptive field", "layout")]
        rows += [
            (
                r.name,
                r.type,
                "x".join(map(str, r.shape)),
                str(r.stage or ""),
                "x".join(map(str, r.receptive_field)) if r.receptive_field else "everything",
                r.layout or "",
            )
            for r in self
        ]
        upright = not any(r.layout for r in self)
        return as_table([row[:-1] for row in rows] if upright else rows)


def as_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of text one below the other, each column as wide as its longest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def ranking_of(unclipped: Sequence[float] | np.ndarray | None, tied: bool) -> str:
    """Return in words what is to be known of images that show where a channel is strongest.

    `unclipped` are its values before the layer's clip, None where none counted; empty for nothing.
    """
    before = [f"{value:.3g}" for value in ([] if unclipped is None else unclipped)]
    ranked = f"Ranked by the values before the layer's clip: {', '.join(before)}." if before else ""
    arbitrary = "Others are just as strong: which of them are shown is arbitrary." if tied else ""
    return " ".join(part for part in (ranked, arbitrary) if part)
