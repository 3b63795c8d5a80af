"""Receptive fields: which cells of a map a deeper unit can see, and what runs on these alone."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn
from torch.nn import functional as F

from .graph import ACTIVATION_FUNCTIONS, ACTIVATION_MODULES, Graph

Pair = tuple[int, int]
Range = tuple[int, int]
# What changes every cell by itself.
_POINTWISE_MODULES = (
    *ACTIVATION_MODULES,
    nn.Hardsigmoid,
    nn.LogSigmoid,
    nn.Softsign,
    nn.BatchNorm2d,
    nn.Dropout,
    nn.Dropout2d,
    nn.Identity,
    nn.LocalResponseNorm,
    nn.Linear,
)
_POINTWISE_FUNCTIONS = ACTIVATION_FUNCTIONS | {
    F.hardsigmoid,
    F.sigmoid,
    F.dropout,
    F.dropout2d,
    F.batch_norm,
    torch.clamp,
    operator.add,
    operator.iadd,
    operator.sub,
    operator.mul,
    operator.imul,
    operator.truediv,
    operator.neg,
    torch.add,
    torch.sub,
    torch.mul,
    torch.div,
    torch.abs,
    torch.permute,
    torch.transpose,
    F.linear,
}
# By name: a network that calls these has loaded torchvision, which takes as long as torch itself.
_POINTWISE_ELSEWHERE = frozenset(("torchvision.ops.stochastic_depth.stochastic_depth",))
_POINTWISE_METHODS = frozenset(
    (
        "relu",
        "relu_",
        "sigmoid",
        "sigmoid_",
        "tanh",
        "clamp",
        "clamp_",
        "add",
        "add_",
        "sub",
        "mul",
        "mul_",
        "div",
        "abs",
        "permute",
        "transpose",
        "contiguous",
        "clone",
        "detach",
        "float",
    )
)
_ALONG_CHANNELS = frozenset((torch.cat, torch.concat, torch.chunk, torch.split))
# Their maps have other axes than rows and columns at the end.
_AXIS_MODULES = (nn.Linear, nn.LayerNorm)
_AXIS_FUNCTIONS = frozenset(
    (torch.permute, torch.transpose, F.linear, F.layer_norm, "permute", "transpose")
)


@dataclass(frozen=True)
class Field:
    """Receptive field: the unit at `y` sees rows `stride * y + low` to `stride * y + high`.

    Pairs are (rows, columns), in cells of the shallow map, the ends included.
    """

    stride: Pair = (1, 1)
    low: Pair = (0, 0)
    high: Pair = (0, 0)

    @property
    def size(self) -> Pair:
        """Rows and columns that one unit sees."""
        return self.high[0] - self.low[0] + 1, self.high[1] - self.low[1] + 1

    def cells(self, position: Pair) -> Cells:
        """Return the cells that the unit at `position` sees, padding included."""
        axes = zip(self.stride, position, self.low, self.high, strict=True)
        return Cells(*((s * p + a, s * p + b) for s, p, a, b in axes))

    def under(self, window: SlidingWindow) -> Field:
        """Return the field one operation deeper."""
        low = each_axis(lambda s, a, p: a - s * p, self.stride, self.low, window.padding)
        return Field(
            each_axis(lambda s, w: s * w, self.stride, window.stride),
            low,
            each_axis(
                lambda s, b, p, r: b + s * (r - p),
                self.stride,
                self.high,
                window.padding,
                window.reach,
            ),
        )

    def joined(self, other: Field) -> Field | None:
        """Return the field of two paths that meet; None where their strides differ."""
        if self.stride != other.stride:
            return None
        return Field(
            self.stride, each_axis(min, self.low, other.low), each_axis(max, self.high, other.high)
        )


@dataclass(frozen=True)
class SlidingWindow:
    """What one operation looks at: from `-padding` to `-padding + reach`, every `stride` cells."""

    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    reach: Pair = (0, 0)


def each_axis(rule: Callable[..., int], *pairs: Pair) -> Pair:
    """Return what a rule gives for the rows and for the columns of some pairs."""
    rows, columns = zip(*pairs, strict=True)
    return rule(*rows), rule(*columns)


def _pair(value: Any) -> Pair:
    if isinstance(value, tuple | list):
        first, last = int(value[0]), int(value[-1])
        return first, last
    return int(value), int(value)


def _window(kernel: Any, stride: Any, padding: Any, dilation: Any = 1) -> SlidingWindow:
    reach = each_axis(lambda k, d: d * (k - 1), _pair(kernel), _pair(dilation))
    if padding == "same":
        return SlidingWindow(_pair(stride), each_axis(lambda r: r // 2, reach), reach)
    if padding == "valid":
        padding = 0
    return SlidingWindow(_pair(stride), _pair(padding), reach)


def _module_window(module: nn.Module) -> SlidingWindow | None:
    if isinstance(module, nn.Conv2d):
        if module.padding_mode == "circular":
            return None
        return _window(module.kernel_size, module.stride, module.padding, module.dilation)
    if isinstance(module, nn.MaxPool2d):
        return _window(module.kernel_size, module.stride, module.padding, module.dilation)
    if isinstance(module, nn.AvgPool2d):
        return _window(module.kernel_size, module.stride, module.padding)
    if isinstance(module, nn.LayerNorm):
        return SlidingWindow() if len(module.normalized_shape) == 1 else None
    return SlidingWindow() if isinstance(module, _POINTWISE_MODULES) else None


def _dotted(function: Any) -> str:
    """Return the full name of a function; of other things that can be called, what there is."""
    return f"{getattr(function, '__module__', None)}.{getattr(function, '__qualname__', None)}"


def _function_window(node: fx.Node) -> SlidingWindow | None:
    given = dict(enumerate(node.args)) | dict(node.kwargs)

    def setting(place: int, name: str, default: Any) -> Any:
        value = given.get(name, given.get(place))
        return default if value is None else value

    if node.target in _POINTWISE_FUNCTIONS or _dotted(node.target) in _POINTWISE_ELSEWHERE:
        return SlidingWindow()
    if node.target in _ALONG_CHANNELS:
        place = 2 if node.target in (torch.chunk, torch.split) else 1
        return SlidingWindow() if setting(place, "dim", 0) in (1, -3) else None
    if node.target is F.layer_norm:
        return SlidingWindow() if len(setting(1, "normalized_shape", ())) == 1 else None
    if node.target is operator.getitem:
        return _slice_window(setting(1, "index", None))
    if node.target is F.pad:
        return SlidingWindow() if not any(tuple(setting(1, "pad", ()))[:4]) else None
    return _pool_window(node, setting)


def _slice_window(index: Any) -> SlidingWindow | None:
    """Return the window of `chunks[0]`, or of `x[:, :, ::2, ::2]`."""
    if isinstance(index, int):
        return SlidingWindow()
    strided = isinstance(index, tuple) and len(index) == 4
    if not strided or any(not isinstance(i, slice) or i.start or i.stop for i in index):
        return None
    _, _, rows, columns = (i.step or 1 for i in index)
    return SlidingWindow((rows, columns))


def _pool_window(node: fx.Node, setting: Callable[..., Any]) -> SlidingWindow | None:
    kernel = setting(1, "kernel_size", 1)
    settings = [kernel, setting(2, "stride", kernel), setting(3, "padding", 0)]
    if node.target in (F.max_pool2d, torch.max_pool2d):
        settings.append(setting(4, "dilation", 1))
    elif node.target is not F.avg_pool2d:
        return None
    # A kernel computed from the size of the map, as in global pooling, is no fixed window.
    return None if any(isinstance(v, fx.Node) for v in settings) else _window(*settings)


def window_of(graph: Graph, node: fx.Node) -> SlidingWindow | None:
    """Return what an operation looks at; None where that is not local or not known."""
    module = graph.module(node)
    if module is not None:
        return _module_window(module)
    if node.op == "call_method":
        return SlidingWindow() if node.target in _POINTWISE_METHODS else None
    return _function_window(node) if node.op == "call_function" else None


def fields_from(graph: Graph, shallow: fx.Node) -> dict[fx.Node, Field | None]:
    """Return for every node behind `shallow` the field of its units there.

    None where it is not local or not known: pooling to a fixed size, attention, reshaping,
    branches of different stride, or values of the image that get there past `shallow`.
    """
    inside = graph.behind(shallow)
    image_values = graph.behind(graph.image) | {graph.image}
    fields: dict[fx.Node, Field | None] = {shallow: Field()}
    for node in (n for n in graph.nodes if n in inside):
        above = [fields.get(s) for s in node.all_input_nodes if s in image_values]
        fields[node] = _under(above, window_of(graph, node))
    return fields


def _under(above: list[Field | None], window: SlidingWindow | None) -> Field | None:
    if window is None or not above:
        return None
    joined = above[0]
    for other in above[1:]:
        joined = joined.joined(other) if joined is not None and other is not None else None
    return joined.under(window) if joined is not None else None


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


def _inputs_of(cells: Cells, window: SlidingWindow) -> Cells:
    """Return what an operation looks at for these cells of its result, padding included."""
    axes = zip(cells, window.stride, window.padding, window.reach, strict=True)
    return Cells(*((first * s - p, last * s - p + r) for (first, last), s, p, r in axes))


def _aligned(cells: Cells, window: SlidingWindow) -> Cells:
    """Return cells that begin at a multiple of the stride, as the operation's own steps do."""
    axes = zip(cells, window.stride, strict=True)
    return Cells(*((first // s * s, last) for (first, last), s in axes))


def is_convolution(graph: Graph, node: fx.Node) -> bool:
    """Whether a node is a convolution whose padding can be laid on by hand."""
    module = graph.module(node)
    return isinstance(module, nn.Conv2d) and module.padding_mode == "zeros"


@dataclass(frozen=True)
class Cone:
    """The operations from a layer to a unit, on the `needed` cells of every map between them.

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
        cells = _aligned(_inputs_of(self._cells(node), window), window)
        inputs = dict(values)
        for source in (n for n in node.all_input_nodes if n in self.needed):
            cells = cells.within(self.sizes[source])
            inputs[source] = _cut(values[source], self._cells(source), cells)
        return _cut(self.graph.step(node, inputs), _corner(cells, window), self._cells(node))

    def padded(self, node: fx.Node, maps: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k y x"]:
        """Return what a convolution sees: its input with the padding laid on where it falls."""
        (source,) = node.all_input_nodes
        cells = _inputs_of(self._cells(node), self._window(node))
        inside = cells.within(self.sizes[source])
        (top, bottom), (left, right) = (
            (i[0] - c[0], c[1] - i[1]) for i, c in zip(inside, cells, strict=True)
        )
        return F.pad(_cut(maps, self._cells(source), inside), (left, right, top, bottom))

    def _window(self, node: fx.Node) -> SlidingWindow:
        return window_of(self.graph, node) or SlidingWindow()


def _corner(cells: Cells, window: SlidingWindow) -> Cells:
    """Return the corner of an operation's result where its input begins at these cells."""
    rows, columns = (c[0] // s for c, s in zip(cells, window.stride, strict=True))
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


def _cut(maps: Tensor, own: Cells, wanted: Cells) -> Tensor:
    (top, left), (rows, columns) = (own.rows[0], own.columns[0]), wanted
    return maps[..., rows[0] - top : rows[1] - top + 1, columns[0] - left : columns[1] - left + 1]


def cone_of(
    graph: Graph,
    route: Sequence[fx.Node],
    start: fx.Node,
    position: tuple[int, int],
    sizes: Mapping[fx.Node, Sequence[int]],
) -> Cone | None:
    """Return the cone of the unit of `route[-1]` at a position `(y, x)`, None where it has none.

    `route` are the operations behind `start` in order. There is no cone where an operation is not
    local or turns the axes.
    """
    y, x = position
    needed: dict[fx.Node, Cells] = {route[-1]: Cells((y, y), (x, x))}
    inside = {start, *route}
    for node in reversed(route):
        window = window_of(graph, node)
        if window is None or node not in needed or not _upright(graph, node, sizes):
            return None
        cells = _inputs_of(needed[node], window)
        if not is_convolution(graph, node):
            cells = _aligned(cells, window)
        for source in node.all_input_nodes:
            if source in inside and len(sizes.get(source, ())) == 4:
                needed[source] = cells.within(sizes[source]).joined(needed.get(source))
    return Cone(graph, sizes, needed)


def _upright(graph: Graph, node: fx.Node, sizes: Mapping[fx.Node, Sequence[int]]) -> bool:
    turns = isinstance(graph.module(node), _AXIS_MODULES) or node.target in _AXIS_FUNCTIONS
    return len(sizes.get(node, ())) == 4 and not turns
