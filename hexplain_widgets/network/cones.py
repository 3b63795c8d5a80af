"""Cones: the cells of every map between two layers that one unit needs, and work on just those."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn
from torch.nn import functional as F

from .graph import Graph
from .receptive import Range, Window, window_of

# Their maps have other axes than rows and columns at the end.
_TURNED_MODULES = (nn.Linear, nn.LayerNorm)
_TURNED = frozenset(
    (torch.permute, torch.transpose, F.linear, F.layer_norm, "permute", "transpose")
)


class Cells(NamedTuple):
    """Rows and columns `(first, last)` of a map, the ends included; padding lies beyond it."""

    rows: Range
    columns: Range

    def joined(self, other: Cells | None) -> Cells:
        """Return the smallest rectangle that holds both."""
        if other is None:
            return self
        pairs = zip(self, other, strict=True)
        return Cells(*((min(a[0], b[0]), max(a[1], b[1])) for a, b in pairs))

    def within(self, size: Sequence[int]) -> Cells:
        """Return the part that lies on a map of that size."""
        pairs = zip(self, size[-2:], strict=True)
        return Cells(*((max(first, 0), min(last, n - 1)) for (first, last), n in pairs))

    @property
    def area(self) -> int:
        """The number of cells."""
        (top, bottom), (left, right) = self
        return (bottom - top + 1) * (right - left + 1)


def whole(size: Sequence[int]) -> Cells:
    """Return all cells of a map."""
    return Cells((0, size[-2] - 1), (0, size[-1] - 1))


def _seen(cells: Cells, window: Window) -> Cells:
    """Return what an operation looks at for these cells of its result, padding included."""
    axes = zip(cells, window.stride, window.padding, window.reach, strict=True)
    return Cells(*((first * s - p, last * s - p + r) for (first, last), s, p, r in axes))


def _aligned(cells: Cells, window: Window) -> Cells:
    """Return cells that begin at a multiple of the stride, as the operation's own steps do."""
    axes = zip(cells, window.stride, strict=True)
    return Cells(*((first // s * s, last) for (first, last), s in axes))


def is_convolution(graph: Graph, node: fx.Node) -> bool:
    """Whether a node is a convolution whose padding can be laid on by hand."""
    module = graph.module(node)
    return isinstance(module, nn.Conv2d) and module.padding_mode == "zeros"


@dataclass(frozen=True)
class Cone:
    """The way from a layer to a unit: the `needed` cells of every map on it.

    `sizes` are the shapes of the whole maps. With nothing in `needed` all runs on whole maps.
    """

    graph: Graph
    sizes: Mapping[fx.Node, Sequence[int]]
    needed: Mapping[fx.Node, Cells] = field(default_factory=dict)

    def _cells(self, node: fx.Node) -> Cells:
        return self.needed.get(node) or whole(self.sizes[node])

    def length(self, node: fx.Node) -> int:
        """Return how many numbers the value of a node has for one image."""
        size = self.sizes.get(node, ())
        return size[1] * self._cells(node).area if len(size) == 4 else math.prod(size[1:])

    def cut(self, node: fx.Node, maps: Float[Tensor, "b k H W"]) -> Float[Tensor, "b k h w"]:
        """Return the cells of a whole map that are needed of it."""
        return _cut(maps, whole(self.sizes[node]), self._cells(node))

    def step(self, node: fx.Node, values: Mapping[fx.Node, Any]) -> Any:
        """Return what one operation makes of its inputs, each on the cells needed of it."""
        if not self.needed:
            return self.graph.step(node, values)
        if is_convolution(self.graph, node):
            padded = self.padded(node, values[node.all_input_nodes[0]])
            return convolved(convolution(self.graph, node), padded)
        window = self._window(node)
        asked = _aligned(_seen(self._cells(node), window), window)
        inputs = dict(values)
        for source in (n for n in node.all_input_nodes if n in self.needed):
            asked = asked.within(self.sizes[source])
            inputs[source] = _cut(values[source], self._cells(source), asked)
        return _cut(self.graph.step(node, inputs), _begin(asked, window), self._cells(node))

    def padded(self, node: fx.Node, maps: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k y x"]:
        """Return what a convolution sees: its input with the padding laid on where it falls."""
        (source,) = node.all_input_nodes
        asked = _seen(self._cells(node), self._window(node))
        inside = asked.within(self.sizes[source])
        (top, bottom), (left, right) = (
            (i[0] - a[0], a[1] - i[1]) for i, a in zip(inside, asked, strict=True)
        )
        return F.pad(_cut(maps, self._cells(source), inside), (left, right, top, bottom))

    def _window(self, node: fx.Node) -> Window:
        return window_of(self.graph, node) or Window()


def _begin(asked: Cells, window: Window) -> Cells:
    """Return the corner of an operation's result where its input begins at these cells."""
    rows, columns = (a[0] // s for a, s in zip(asked, window.stride, strict=True))
    return Cells((rows, rows), (columns, columns))


def convolution(graph: Graph, node: fx.Node) -> nn.Conv2d:
    """Return the convolution at a node; raises TypeError where there is none."""
    module = graph.module(node)
    if not isinstance(module, nn.Conv2d):
        raise TypeError(f"got {module} at {node}; expected a convolution; see is_convolution")
    return module


def convolved(module: nn.Conv2d, padded: Float[Tensor, "b k h w"]) -> Float[Tensor, "b o y x"]:
    """Return a convolution of maps that have their padding already."""
    return F.conv2d(
        padded, module.weight, module.bias, module.stride, 0, module.dilation, module.groups
    )


def _cut(maps: Tensor, given: Cells, asked: Cells) -> Tensor:
    (top, left), (rows, columns) = (given.rows[0], given.columns[0]), asked
    return maps[..., rows[0] - top : rows[1] - top + 1, columns[0] - left : columns[1] - left + 1]


def cone_of(
    graph: Graph,
    way: Sequence[fx.Node],
    start: fx.Node,
    position: tuple[int, int],
    sizes: Mapping[fx.Node, Sequence[int]],
) -> Cone | None:
    """Return the cone of the unit of `way[-1]` at a position `(y, x)`, None where it has none.

    `way` are the operations behind `start` in order. There is no cone where an operation is not
    local or turns the axes.
    """
    y, x = position
    needed: dict[fx.Node, Cells] = {way[-1]: Cells((y, y), (x, x))}
    inside = {start, *way}
    for node in reversed(way):
        window = window_of(graph, node)
        if window is None or node not in needed or not _upright(graph, node, sizes):
            return None
        asked = _seen(needed[node], window)
        if not is_convolution(graph, node):
            asked = _aligned(asked, window)
        for source in node.all_input_nodes:
            if source in inside and len(sizes.get(source, ())) == 4:
                needed[source] = asked.within(sizes[source]).joined(needed.get(source))
    return Cone(graph, sizes, needed)


def _upright(graph: Graph, node: fx.Node, sizes: Mapping[fx.Node, Sequence[int]]) -> bool:
    turned = isinstance(graph.module(node), _TURNED_MODULES) or node.target in _TURNED
    return len(sizes.get(node, ())) == 4 and not turned
