"""Receptive fields: which cells of a map a deeper unit can see, and what runs on these alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import floordiv, mod, sub
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn
from torch.nn import functional as F

from .graph import Graph, name_of, setting, words

Pair = tuple[int, int]
Range = tuple[int, int]
# Rows and columns of maps N x K x H x W.
UPRIGHT: Pair = (2, 3)
# What changes every entry by itself, by the names of functions, methods and modules.
_POINTWISE = words(
    "add iadd radd sub isub rsub subtract mul imul rmul multiply div idiv truediv itruediv rtruediv"
    " divide true_divide floor_divide neg negative pos abs pow ipow rpow square sqrt rsqrt exp exp2"
    " expm1 log log1p log2 log10 sin cos erf clamp clip clamp_min clamp_max maximum minimum fmax"
    " fmin where masked_fill lerp addcmul addcdiv reciprocal sign round floor ceil relu relu6"
    " hardtanh hardsigmoid hardswish hardshrink softshrink tanhshrink threshold silu gelu elu selu"
    " celu mish leaky_relu leakyrelu prelu rrelu softplus softsign logsigmoid sigmoid tanh"
    " dropout dropout1d dropout2d dropout3d alphadropout feature_dropout identity contiguous clone"
    " detach to type float half double bfloat16 type_as nan_to_num"
    " local_response_norm localresponsenorm batch_norm batchnorm2d stochastic_depth"
)
# Their constants are numbers of channels, whatever comes last.
_BY_CHANNEL = frozenset(("batch_norm", "prelu"))
_PERMUTES = words("permute transpose swapaxes swapdims movedim moveaxis t adjoint")
_ALONG = words("cat concat concatenate chunk split tensor_split unsafe_chunk")
LAST_AXES = words("linear layernorm layer_norm rmsnorm rms_norm")
_CONVOLUTIONS = (F.conv2d, torch.conv2d)


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

    def beyond(self, near: Field) -> Field | None:
        """Return the field of the same units in a map on their way, whose own field is `near`.

        None where it is in no whole cells.
        """
        low, high = each_axis(sub, self.low, near.low), each_axis(sub, self.high, near.high)
        cells = (self.stride, low, high)
        if any(each_axis(mod, one, near.stride) != (0, 0) for one in cells):
            return None
        return Field(*(each_axis(floordiv, one, near.stride) for one in cells))

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


def kind_of(graph: Graph, node: fx.Node) -> str:
    """Return the name of an operation: of a function, a method, or a module that is torch's own.

    Empty for a module that may do something else: with hooks or a forward of its own.
    """
    if node.op == "call_module":
        return _kind_of_module(graph.module(node))
    return name_of(node.target).strip("_")


def _kind_of_module(module: nn.Module | None) -> str:
    own: Any = type(module)
    base: Any = next((c for c in own.__mro__ if c.__module__.startswith("torch.nn.modules.")), None)
    names = ("__call__", "forward", "_conv_forward")
    if base is None or any(getattr(own, n, None) is not getattr(base, n, None) for n in names):
        return ""
    before = [vars(module)["_forward_pre_hooks"].values()]
    foreign = any(not type(h).__module__.startswith("torch.nn.utils") for hs in before for h in hs)
    if foreign or "forward" in vars(module) or vars(module)["_forward_hooks"]:
        return ""
    return str(base.__name__).lower()


def is_pointwise(graph: Graph, node: fx.Node) -> bool:
    """Whether each entry of a result depends on one entry of each input only."""
    kind = kind_of(graph, node)
    if kind == "batchnorm2d":
        module: Any = graph.module(node)
        return module.running_mean is not None and not module.training
    if kind == "batch_norm":
        return setting(node, 1, "running_mean", None) is not None and not setting(
            node, 5, "training", False
        )
    return kind in _POINTWISE and "out" not in node.kwargs


def axes_behind(graph: Graph, node: fx.Node) -> tuple[int, ...] | None:
    """Return which axis of its input each axis of a result was, None where none just moved."""
    kind, sources = kind_of(graph, node), node.all_input_nodes
    shape = graph.shape(sources[0]) if len(sources) == 1 else None
    if shape is None or kind not in _PERMUTES:
        return None
    return graph.axes_moved(node, len(shape))


def last_axes(graph: Graph, node: fx.Node) -> int:
    """Return how many of the last axes a linear layer or a normalisation mixes."""
    if kind_of(graph, node) == "linear":
        return 1
    module: Any = graph.module(node)
    shape = setting(node, 1, "normalized_shape", ()) if module is None else module.normalized_shape
    return len(shape)


def window_of(graph: Graph, node: fx.Node, axes: Pair = UPRIGHT) -> SlidingWindow | None:
    """Return what an operation looks at; None where that is not local or not known.

    `axes` are those of rows and columns. None too where the operation is not the same everywhere.
    """
    kind = kind_of(graph, node)
    if is_pointwise(graph, node):
        return None if _varies(graph, node, axes) else SlidingWindow()
    if kind in LAST_AXES:
        deep = len(graph.shape(node) or ())
        return SlidingWindow() if max(axes) < deep - last_axes(graph, node) else None
    if kind in _ALONG:
        place = 1 if kind.startswith("con") or kind == "cat" else 2
        other = setting(node, place, "dim", 0) not in (0, *axes, *(a - 4 for a in (0, *axes)))
        return SlidingWindow() if other and not _varies(graph, node, axes) else None
    if kind == "getitem":
        return _slice_window(graph, node, axes)
    if axes != UPRIGHT:
        return None
    if kind == "pad":
        return SlidingWindow() if not any(tuple(setting(node, 1, "pad", ()))[:4]) else None
    window = map_window(graph, node)
    return window if window is not None and _pads_from_inside(graph, node, window) else None


def _pads_from_inside(graph: Graph, node: fx.Node, window: SlidingWindow) -> bool:
    """Whether a border is padded with zeros, or with what its units see anyway."""
    mode = padding_mode(graph, node)
    pairs = zip(window.padding, window.reach, strict=True)
    return mode == "zeros" or (mode != "circular" and all(p <= r - p for p, r in pairs))


def padding_mode(graph: Graph, node: fx.Node) -> str:
    """Return what an operation on windows pads a map with."""
    return str(getattr(graph.module(node), "padding_mode", "zeros"))


def _varies(graph: Graph, node: fx.Node, axes: Pair) -> bool:
    """Whether an operation has constants that differ from row to row or column to column."""
    deep = len(graph.shape(node) or (0,) * 4)
    sources = () if kind_of(graph, node) in _BY_CHANNEL else node.all_input_nodes
    for source in sources:
        if source in graph.constants:
            shape = graph.shape(source) or ()
            places = [axis - deep + len(shape) for axis in axes]
            if any(0 <= place < len(shape) and shape[place] > 1 for place in places):
                return True
    return False


def _slice_window(graph: Graph, node: fx.Node, axes: Pair) -> SlidingWindow | None:
    """Return the window of `chunks[0]`, of `x[:, 4:]` or of `x[:, :, ::2, ::2]`."""
    index = setting(node, 1, "index", None)
    if graph.shape(node.all_input_nodes[0]) is None:
        return SlidingWindow() if isinstance(index, int) else None
    if not isinstance(index, tuple) or not 1 <= len(index) <= 4:
        return None
    if not all(isinstance(i, slice) for i in index):
        return None
    whole_axes = [i for axis, i in enumerate(index) if axis in (0, *axes)]
    if any(i.start or i.stop is not None for i in whole_axes):
        return None
    rows, columns = (index[a].step or 1 if a < len(index) else 1 for a in axes)
    return SlidingWindow((rows, columns)) if not index[0].step else None


def map_window(graph: Graph, node: fx.Node) -> SlidingWindow | None:
    """Return the window of a convolution or a pooling, None for what is neither."""
    kind = kind_of(graph, node)
    module: Any = graph.module(node)
    if module is not None and kind in ("conv2d", "maxpool2d", "avgpool2d"):
        dilation = getattr(module, "dilation", 1)
        return _window(module.kernel_size, module.stride, module.padding, dilation)
    if node.target in _CONVOLUTIONS:
        return _function_convolution(graph, node)
    return _pool_window(node) if node.op == "call_function" else None


def _function_convolution(graph: Graph, node: fx.Node) -> SlidingWindow | None:
    weight = setting(node, 1, "weight", None)
    kernel = graph.shape(weight) if weight in graph.constants else None
    if kernel is None:
        return None
    names = (("stride", 1), ("padding", 0), ("dilation", 1))
    return _window(kernel[2:], *(setting(node, i, *n) for i, n in enumerate(names, 3)))


def _pool_window(node: fx.Node) -> SlidingWindow | None:
    kernel = setting(node, 1, "kernel_size", 1)
    settings = [kernel, setting(node, 2, "stride", kernel), setting(node, 3, "padding", 0)]
    if node.target in (F.max_pool2d, torch.max_pool2d):
        settings.append(setting(node, 4, "dilation", 1))
    elif node.target is not F.avg_pool2d:
        return None
    # A kernel computed from the size of the map, as in global pooling, is no fixed window.
    return None if any(isinstance(v, fx.Node) for v in settings) else _window(*settings)


_KEEP_IMAGES = words(
    "conv2d convtranspose2d maxpool2d avgpool2d max_pool2d avg_pool2d adaptiveavgpool2d"
    " adaptive_avg_pool2d adaptivemaxpool2d linear layernorm layer_norm groupnorm group_norm"
    " pixel_shuffle pixelshuffle interpolate upsample size fn pad"
)
_BY_AXIS = _ALONG | words("mean sum amax amin softmax flatten unflatten normalize unsqueeze")


def keeps_images_apart(graph: Graph, node: fx.Node) -> bool:
    """Whether an operation is known to keep the images along the first axis apart."""
    kind = kind_of(graph, node)
    if node in graph.constants or node is graph.image or kind in _KEEP_IMAGES:
        return True
    if kind in _PERMUTES:
        return (axes_behind(graph, node) or (1,))[0] == 0
    if kind in ("view", "reshape"):
        return len(node.args) > 1 and _counts_images(graph, node.args[1:])
    if kind == "getitem":
        index = setting(node, 1, "index", 0)
        tensor = graph.shape(node.all_input_nodes[0]) is not None
        return not tensor or (isinstance(index, tuple) and index[:1] == (slice(None),))
    if kind in _BY_AXIS:
        return _other_axes(graph, node)
    return is_pointwise(graph, node)


def _counts_images(graph: Graph, sizes: Sequence[Any]) -> bool:
    first = sizes[0][0] if isinstance(sizes[0], tuple | list) else sizes[0]
    return isinstance(first, fx.Node) and graph.shape(first) is None


def _other_axes(graph: Graph, node: fx.Node) -> bool:
    """Whether an operation along named axes names the first one not."""
    kind, module = kind_of(graph, node), graph.module(node)
    deep = len(graph.shape(node.all_input_nodes[0]) or ())
    if module is not None:
        given = getattr(module, "start_dim", getattr(module, "dim", None))
    else:
        late = kind in ("chunk", "split", "tensor_split", "unsafe_chunk", "normalize")
        name = "start_dim" if kind == "flatten" else "dim"
        given = setting(node, 2 if late else 1, name, None)
    axes = given if isinstance(given, tuple | list) else (given,)
    return deep > 0 and all(isinstance(a, int) and a % deep for a in axes)


def fields_from(graph: Graph, shallow: fx.Node) -> dict[fx.Node, Field | None]:
    """Return for every node behind `shallow` the field of its units there.

    None where it is not local or not known: pooling to a fixed size, attention, reshaping,
    branches of different stride, or values of the image that get there past `shallow`.
    """
    inside = graph.behind(shallow) - graph.constants
    fields: dict[fx.Node, _Followed | None] = {shallow: (Field(), UPRIGHT)}
    for node in (n for n in graph.nodes if n in inside):
        above = [fields.get(s) for s in node.all_input_nodes if s not in graph.constants]
        fields[node] = _under(graph, node, above)
    return {n: f[0] if f is not None and f[1] == UPRIGHT else None for n, f in fields.items()}


# A field, and which axes are rows and columns there.
_Followed = tuple["Field", Pair]


def _under(graph: Graph, node: fx.Node, above: list[_Followed | None]) -> _Followed | None:
    joined, axes = above[0] or (None, UPRIGHT) if above else (None, UPRIGHT)
    for other in above[1:]:
        same = other is not None and other[1] == axes
        joined = joined.joined(other[0]) if joined is not None and other and same else None
    order = axes_behind(graph, node)
    if joined is None or order is not None:
        moved = order is not None and order[0] == 0
        return (joined, _moved(axes, order)) if joined and order and moved else None
    window = window_of(graph, node, axes)
    return None if window is None else (joined.under(window), axes)


def _moved(axes: Pair, order: tuple[int, ...]) -> Pair:
    return order.index(axes[0]), order.index(axes[1])


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
    def sides(self) -> Pair:
        """The number of rows and of columns."""
        (top, bottom), (left, right) = self
        return bottom - top + 1, right - left + 1

    @property
    def area(self) -> int:
        """The number of cells."""
        return math.prod(self.sides)


def whole(size: Sequence[int]) -> Cells:
    """Return all cells of a map."""
    return Cells((0, size[-2] - 1), (0, size[-1] - 1))


def inputs_of(cells: Cells, window: SlidingWindow) -> Cells:
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
        cells = _aligned(inputs_of(self._cells(node), window), window)
        inputs = dict(values)
        for source in (n for n in node.all_input_nodes if n in self.needed):
            cells = cells.within(self.sizes[source])
            inputs[source] = _cut(values[source], self._cells(source), cells)
        return _cut(self.graph.step(node, inputs), _corner(cells, window), self._cells(node))

    def padded(self, node: fx.Node, maps: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k y x"]:
        """Return what a convolution sees: its input with the padding laid on where it falls."""
        (source,) = node.all_input_nodes
        cells = inputs_of(self._cells(node), self._window(node))
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
        cells = inputs_of(needed[node], window)
        if not is_convolution(graph, node):
            cells = _aligned(cells, window)
        for source in node.all_input_nodes:
            if source in inside and len(sizes.get(source, ())) == 4:
                needed[source] = cells.within(sizes[source]).joined(needed.get(source))
    return Cone(graph, sizes, needed)


def _upright(graph: Graph, node: fx.Node, sizes: Mapping[fx.Node, Sequence[int]]) -> bool:
    return len(sizes.get(node, ())) == 4 and axes_behind(graph, node) is None
