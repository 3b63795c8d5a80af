"""Receptive fields: which cells of a shallow map a unit of a deep map can see."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F

from .graph import Graph

Pair = tuple[int, int]
Range = tuple[int, int]


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

    def seen(self, position: Pair) -> tuple[Range, Range]:
        """Return the rows and the columns `(first, last)` that the unit at `position` sees."""
        (r0, r1), (c0, c1) = (
            (s * p + a, s * p + b)
            for s, p, a, b in zip(self.stride, position, self.low, self.high, strict=True)
        )
        return (r0, r1), (c0, c1)

    def under(self, window: Window) -> Field:
        """Return the field one operation deeper."""
        low = _each(lambda s, a, p: a - s * p, self.stride, self.low, window.padding)
        return Field(
            _each(lambda s, w: s * w, self.stride, window.stride),
            low,
            _each(
                lambda s, b, p, r: b + s * (r - p),
                self.stride,
                self.high,
                window.padding,
                window.reach,
            ),
        )

    def joined(self, other: Field) -> Field | None:
        """Return the field of two ways that meet; None where their strides differ."""
        if self.stride != other.stride:
            return None
        return Field(
            self.stride, _each(min, self.low, other.low), _each(max, self.high, other.high)
        )


@dataclass(frozen=True)
class Window:
    """What one operation looks at: from `-padding` to `-padding + reach`, every `stride` cells."""

    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    reach: Pair = (0, 0)


def _each(rule: Callable[..., int], *pairs: Pair) -> Pair:
    rows, columns = zip(*pairs, strict=True)
    return rule(*rows), rule(*columns)


def _pair(value: Any) -> Pair:
    if isinstance(value, tuple | list):
        first, last = int(value[0]), int(value[-1])
        return first, last
    return int(value), int(value)


def _window(kernel: Any, stride: Any, padding: Any, dilation: Any = 1) -> Window:
    reach = _each(lambda k, d: d * (k - 1), _pair(kernel), _pair(dilation))
    if padding == "same":
        return Window(_pair(stride), _each(lambda r: r // 2, reach), reach)
    if padding == "valid":
        padding = 0
    return Window(_pair(stride), _pair(padding), reach)


POINTWISE_MODULES = (
    nn.ReLU, nn.Hardtanh, nn.SiLU, nn.GELU, nn.ELU, nn.SELU, nn.CELU, nn.Mish, nn.Sigmoid, nn.Tanh,
    nn.LeakyReLU, nn.PReLU, nn.Softplus, nn.Hardswish, nn.Hardsigmoid, nn.LogSigmoid, nn.Softsign,
    nn.BatchNorm2d, nn.Dropout, nn.Dropout2d, nn.Identity, nn.LocalResponseNorm, nn.Linear,
)  # fmt: skip
POINTWISE_FUNCTIONS = frozenset((
    F.relu, F.relu_, torch.relu, torch.relu_, F.relu6, F.hardtanh, F.silu, F.gelu, F.elu, F.selu,
    F.leaky_relu, F.prelu, F.softplus, F.hardswish, F.hardsigmoid, F.sigmoid, torch.sigmoid,
    F.tanh, torch.tanh, F.mish, F.dropout, F.dropout2d, F.batch_norm, torch.clamp,
    operator.add, operator.iadd, operator.sub, operator.mul, operator.imul, operator.truediv,
    operator.neg, torch.add, torch.sub, torch.mul, torch.div, torch.abs,
    torch.permute, torch.transpose, F.linear,
))  # fmt: skip
# By name: a network that calls these has loaded torchvision, which takes as long as torch itself.
POINTWISE_ELSEWHERE = frozenset(("torchvision.ops.stochastic_depth.stochastic_depth",))
POINTWISE_METHODS = frozenset((
    "relu", "relu_", "sigmoid", "sigmoid_", "tanh", "clamp", "clamp_", "add", "add_", "sub", "mul",
    "mul_", "div", "abs", "permute", "transpose", "contiguous", "clone", "detach", "float",
))  # fmt: skip
ALONG_CHANNELS = frozenset((torch.cat, torch.concat, torch.chunk, torch.split))


def _module_window(module: nn.Module) -> Window | None:
    if isinstance(module, nn.Conv2d):
        if module.padding_mode == "circular":
            return None
        return _window(module.kernel_size, module.stride, module.padding, module.dilation)
    if isinstance(module, nn.MaxPool2d):
        return _window(module.kernel_size, module.stride, module.padding, module.dilation)
    if isinstance(module, nn.AvgPool2d):
        return _window(module.kernel_size, module.stride, module.padding)
    if isinstance(module, nn.LayerNorm):
        return Window() if len(module.normalized_shape) == 1 else None
    return Window() if isinstance(module, POINTWISE_MODULES) else None


def _dotted(function: Any) -> str:
    """Return the full name of a function; of other things that can be called, what there is."""
    return f"{function.__module__}.{getattr(function, '__qualname__', None)}"


def _function_window(node: fx.Node) -> Window | None:
    given = dict(enumerate(node.args)) | dict(node.kwargs)

    def setting(place: int, name: str, default: Any) -> Any:
        value = given.get(name, given.get(place))
        return default if value is None else value

    if node.target in POINTWISE_FUNCTIONS or _dotted(node.target) in POINTWISE_ELSEWHERE:
        return Window()
    if node.target in ALONG_CHANNELS:
        place = 2 if node.target in (torch.chunk, torch.split) else 1
        return Window() if setting(place, "dim", 0) in (1, -3) else None
    if node.target is F.layer_norm:
        return Window() if len(setting(1, "normalized_shape", ())) == 1 else None
    if node.target is operator.getitem:
        return _slice_window(setting(1, "index", None))
    if node.target is F.pad:
        return Window() if not any(tuple(setting(1, "pad", ()))[:4]) else None
    return _pool_window(node, setting)


def _slice_window(index: Any) -> Window | None:
    """Return the window of `chunks[0]`, or of `x[:, :, ::2, ::2]`."""
    if isinstance(index, int):
        return Window()
    strided = isinstance(index, tuple) and len(index) == 4
    if not strided or any(not isinstance(i, slice) or i.start or i.stop for i in index):
        return None
    _, _, rows, columns = (i.step or 1 for i in index)
    return Window((rows, columns))


def _pool_window(node: fx.Node, setting: Callable[..., Any]) -> Window | None:
    kernel = setting(1, "kernel_size", 1)
    settings = [kernel, setting(2, "stride", kernel), setting(3, "padding", 0)]
    if node.target in (F.max_pool2d, torch.max_pool2d):
        settings.append(setting(4, "dilation", 1))
    elif node.target is not F.avg_pool2d:
        return None
    # A kernel computed from the size of the map, as in global pooling, is no fixed window.
    return None if any(isinstance(v, fx.Node) for v in settings) else _window(*settings)


def window_of(graph: Graph, node: fx.Node) -> Window | None:
    """Return what an operation looks at; None where that is not local or not known."""
    module = graph.module(node)
    if module is not None:
        return _module_window(module)
    if node.op == "call_method":
        return Window() if node.target in POINTWISE_METHODS else None
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


def _under(above: list[Field | None], window: Window | None) -> Field | None:
    if window is None or not above:
        return None
    joined = above[0]
    for field in above[1:]:
        joined = joined.joined(field) if joined is not None and field is not None else None
    return joined.under(window) if joined is not None else None
