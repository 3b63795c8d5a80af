"""Which axis of a recorded value is what: images, channels, rows, columns, or a grid of tokens.

The image's own axes are followed through what ran. An axis is made of digits, outermost first, as
a number is: splitting, merging and moving axes moves digits, and what nobody knows is said to be
unknown, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from torch import fx, nn

from .graph import ACTIVATION_FUNCTIONS, ACTIVATION_MODULES, Graph, name_of, setting


@dataclass(frozen=True)
class Digit:
    """A part of an axis: of images "n", channels "c", rows "h", columns "w", tokens "t" or "?".

    "x" is known to be none of these: no operation that reads it makes rows or columns of it.
    Rows and columns are counted in `step` of a `total`; tokens are a grid of `parts` with
    `before` and `after` it what is no part of the picture.
    """

    role: str
    size: int
    step: int = 1
    total: int = 0
    parts: tuple[Digit, ...] = ()
    before: int = 0
    after: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether it counts along the whole picture, and not within a patch or window of it."""
        return self.size * self.step == self.total


Axis = tuple[Digit, ...]
Axes = tuple[Axis, ...]
Shape = tuple[int, ...]

# Shapes and axes of a node's inputs and the shape of its result are known to every rule.
Rule = Callable[["_Step"], Axes | None]


def whole(role: str, size: int) -> Axis:
    """Return an axis that is all of one thing; none of it where there is only one."""
    total = size if role in ("h", "w") else 0
    return (Digit(role, size, total=total),) if size > 1 or role == "n" else ()


def unknown(shape: Sequence[int]) -> Axes:
    """Return axes of which nothing is known."""
    return tuple(whole("?", size) for size in shape)


def role_of(axis: Axis) -> str:
    """Return what an axis counts: n, c, h, w, t (a grid of tokens), "" for one of it, x or "?"."""
    roles = {digit.role for digit in axis}
    if "x" in roles:
        return "x"
    if "?" in roles or ("n" in roles and len(roles) > 1):
        return "?"
    if len(axis) == 1 and (axis[0].role in "nct" or axis[0].is_whole):
        return axis[0].role
    if _is_grid(axis):
        return "t"
    inner = all(d.role == "c" or (d.role in "hw" and not d.is_whole) for d in axis)
    return ("c" if inner else "?") if axis else ""


def _is_grid(axis: Axis) -> bool:
    return {d.role for d in axis} == {"h", "w"} and len(axis) == 2 and all(d.is_whole for d in axis)


def grid_of(axis: Axis) -> Digit | None:
    """Return an axis of tokens as one digit, None for any other."""
    if len(axis) == 1 and axis[0].role == "t":
        return axis[0]
    if _is_grid(axis):
        return Digit("t", axis[0].size * axis[1].size, parts=axis)
    return None


def _split(digit: Digit, size: int) -> tuple[Digit, Digit]:
    inner = digit.size // size
    if digit.role in ("t", "c", "?", "x"):
        role = "?" if digit.role == "t" else digit.role
        return Digit(role, size), Digit(role, inner)
    outer = replace(digit, size=size, step=digit.step * inner)
    return outer, replace(digit, size=inner)


def _merged(digits: Sequence[Digit]) -> Axis:
    done: list[Digit] = []
    for digit in digits:
        last = done[-1] if done else None
        together = last is not None and last.role == digit.role
        if together and last is not None and digit.role in "c?x":
            done[-1] = Digit(digit.role, last.size * digit.size)
        elif together and last is not None and last.step == digit.step * digit.size:
            done[-1] = replace(digit, size=last.size * digit.size)
        else:
            done.append(digit)
    return tuple(done)


def reshaped(axes: Axes, shape: Sequence[int]) -> Axes | None:
    """Return the axes of the same numbers in the same order in another shape, None where mixed."""
    waiting = [digit for axis in axes for digit in axis]
    result: list[Axis] = []
    for size in shape:
        taken = _next_axis(waiting, size)
        if taken is None:
            return None
        result.append(taken)
    return tuple(result) if not waiting else None


def _next_axis(waiting: list[Digit], size: int) -> Axis | None:
    """Take from the front the digits that make up an axis of this size."""
    digits: list[Digit] = []
    if waiting and waiting[0].role == "n":
        digits.append(waiting.pop(0))
    product = digits[0].size if digits else 1
    while product < size:
        wanted, rest = divmod(size, product)
        if not waiting or rest or max(wanted, waiting[0].size) % min(wanted, waiting[0].size):
            return None
        digit = waiting.pop(0)
        if digit.size > wanted:
            digit, inner = _split(digit, wanted)
            waiting.insert(0, inner)
        digits.append(digit)
        product *= digit.size
    return _merged(digits) if product == size else None


def joined(parts: Sequence[Axes], shape: Shape) -> Axes:
    """Return the axes of values that meet cell by cell, "x" where they contradict each other.

    Rows that meet columns may be either.
    """
    result: list[Axis] = []
    for place, size in enumerate(shape):
        missing = len(shape) - place
        own = [axes[-missing] for axes in parts if missing <= len(axes)]
        known = {_meaning(axis): axis for axis in reversed(own) if _tells(axis)}
        if not known or {*known} == {"h", "w"}:
            result.append(whole("?", size))
        else:
            result.append(whole("x", size) if len(known) > 1 else next(iter(known.values())))
    return tuple(result)


def _tells(axis: Axis) -> bool:
    """Whether anything is known of an axis."""
    return len(axis) > 1 or role_of(axis) not in ("", "?")


def _meaning(axis: Axis) -> Any:
    """Return what two axes that meet must have in common."""
    grid = grid_of(axis)
    if grid is None:
        return role_of(axis) if role_of(axis) != "?" else axis
    return tuple((d.role, d.size) for d in grid.parts), grid.before, grid.after


class _Step:
    """One operation: its node, what is known of its inputs, and the shape of its result."""

    def __init__(self, graph: Graph, node: fx.Node, known: _KnownAxes) -> None:
        self.graph, self.node, self._known = graph, node, known
        self.module = graph.module(node)
        self.shape: Shape = known.shapes.get(node, ())

    def setting(self, place: int, name: str, default: Any = None) -> Any:
        """Return an argument by place or name."""
        return setting(self.node, place, name, default)

    def inputs(self) -> list[Axes]:
        """Return the axes of every tensor that comes in."""
        return [self._known.of(n) for n in self.node.all_input_nodes if n in self._known.shapes]

    def axes_of(self, value: Any) -> Axes:
        """Return the axes of one input, none for what is no tensor."""
        return self._known.of(value) if isinstance(value, fx.Node) else ()

    def shape_of(self, value: Any) -> Shape:
        """Return the shape of one input."""
        return self._known.shapes.get(value, ()) if isinstance(value, fx.Node) else ()

    @property
    def first(self) -> Axes:
        """The axes of the value that the operation works on."""
        named = self.node.kwargs.get("input", self.node.kwargs.get("query"))
        return self.axes_of(self.node.args[0] if self.node.args else named)


@dataclass
class _KnownAxes:
    shapes: Mapping[fx.Node, Shape]
    axes: dict[fx.Node, Axes]

    def of(self, node: fx.Node) -> Axes:
        """Return what is known of a node's axes."""
        return self.axes.get(node) or unknown(self.shapes.get(node, ()))


def _alike(step: _Step) -> Axes | None:
    """What nobody knows, but gives a map of the same size, keeps channels where no axis is alike.

    Rows and columns of one length may have changed places unseen.
    """
    first = step.first
    if len(step.shape) != 4 or tuple(map(_length, first)) != step.shape:
        return None
    channels = [size for axis, size in zip(first, step.shape, strict=True) if role_of(axis) == "c"]
    return first if len(channels) == 1 and step.shape.count(channels[0]) == 1 else None


# rules ------------------------------------------------------------------------------------------


def _kept(step: _Step) -> Axes | None:
    return step.first if len(step.first) == len(step.shape) else None


def _met(step: _Step) -> Axes | None:
    return joined(step.inputs(), step.shape)


def _as_reshaped(step: _Step) -> Axes | None:
    return reshaped(step.first, step.shape)


def _moved(step: _Step) -> Axes | None:
    if len(step.node.all_input_nodes) != 1:
        return None
    return tuple(step.first[i] for i in step.graph.axes_moved(step.node, len(step.first)))


def _fresh_map(step: _Step) -> Axes | None:
    """What a convolution or pooling makes of a map: other channels, rows and columns."""
    before = step.first
    if len(step.shape) != 4 or len(before) != 4:
        return None
    return before[0], whole("c", step.shape[1]), *_resized(before, step.shape, (2, 3))


def _resized(before: Axes, shape: Shape, places: Sequence[int]) -> list[Axis]:
    return [_along(before[i], shape[i], "hw"[i - places[0]]) for i in places]


def _along(axis: Axis, size: int, role: str) -> Axis:
    """Return an axis with another number of rows or columns; an unknown one is taken for that."""
    own = role_of(axis)
    if size == _length(axis) and (own not in ("?", "") or len(axis) > 1):
        return axis
    if len(axis) == 1 and axis[0].role in ("h", "w"):
        return whole(axis[0].role, size)  # rows of a tile are rows
    if own in ("t", "c", "n", "x"):
        return whole("x", size)
    return whole("?" if len(axis) > 1 else own if own in ("h", "w") else role, size)


def _length(axis: Axis) -> int:
    product = 1
    for digit in axis:
        product *= digit.size
    return product


def _pooled(step: _Step) -> Axes | None:
    made = _fresh_map(step)
    return None if made is None else (made[0], step.first[1], *made[2:])


def _unfolded(step: _Step) -> Axes | None:
    """Patches of a map, one behind another: a grid of tokens. `Tensor.unfold` is something else."""
    before = step.first
    if step.node.op == "call_method" or len(before) != 4:
        return None
    given: Any = [
        step.setting(i, name, default) if step.module is None else getattr(step.module, name)
        for i, (name, default) in enumerate(_UNFOLDS, 1)
    ]
    pairs = [value if isinstance(value, tuple | list) else (value, value) for value in given]
    counts = [
        (_length(axis) + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
        for axis, kernel, dilation, padding, stride in zip(before[2:], *pairs, strict=True)
    ]
    rows, columns = _resized(before, (0, 0, *counts), (2, 3))
    return before[0], whole("c", step.shape[1]), (*rows, *columns)


_UNFOLDS = (("kernel_size", None), ("dilation", 1), ("padding", 0), ("stride", 1))


def _shortened(step: _Step) -> Axes | None:
    return _pieces(step.first, step.shape)


def _pieces(axes: Axes, shape: Shape) -> Axes | None:
    """Rows, columns or channels more or fewer; of anything else nothing is known."""
    if len(axes) != len(shape):
        return None
    return tuple(
        axis if _length(axis) == size else _cut(axis, size)
        for axis, size in zip(axes, shape, strict=True)
    )


def _cut(axis: Axis, size: int) -> Axis:
    role = role_of(axis)
    return whole(role if role in ("c", "h", "w", "x") else "?", size)


def _mixed(step: _Step) -> Axes | None:
    """A linear layer over the last axis: channels become other channels, all else is unknown."""
    channels = role_of(step.first[-1]) if step.first else "?"
    last = whole({"": "c", "c": "c", "x": "x"}.get(channels, "?"), step.shape[-1])
    return (*step.first[:-1], last)


def _multiplied(step: _Step) -> Axes | None:
    """Rows of the first matrix by columns of the second."""
    parts = step.inputs()
    if len(parts) != 2 or min(map(len, parts)) < 2 or len(step.shape) < 2:
        return None
    front = joined([parts[0][:-2], parts[1][:-2]], step.shape[:-2])
    return (*front, parts[0][-2], parts[1][-1])


def _attended(step: _Step) -> Axes | None:
    """A value for every query."""
    query, values = step.first, step.axes_of(step.setting(2, "value"))
    return (*query[:-1], values[-1]) if values and query else None


def _reduced(step: _Step) -> Axes | None:
    given = step.setting(1, "dim")
    dims = given if isinstance(given, list | tuple) else (given,)
    count = len(step.first)
    if not all(isinstance(d, int) for d in dims):
        return None
    gone = {d % count for d in dims} if count else set()
    if len(step.shape) == count:
        return tuple(() if i in gone else axis for i, axis in enumerate(step.first))
    return tuple(axis for i, axis in enumerate(step.first) if i not in gone)


def _concatenated(step: _Step) -> Axes | None:
    given = step.setting(0, "tensors", ())
    parts = [step.axes_of(v) for v in given if isinstance(v, fx.Node)]
    place = step.setting(1, "dim", 0)
    if not parts or not isinstance(place, int):
        return None
    place %= len(step.shape)
    others = [(*p[:place], (), *p[place + 1 :]) for p in parts]
    rest = joined(others, (*step.shape[:place], 1, *step.shape[place + 1 :]))
    along = _joined_along(
        [(p[place], step.shape_of(v)[place]) for p, v in zip(parts, given, strict=True)]
    )
    return (*rest[:place], along, *rest[place + 1 :])


def _joined_along(pieces: Sequence[tuple[Axis, int]]) -> Axis:
    """Return the axis of pieces one behind the other: more channels, or tokens beside a grid."""
    total = sum(size for _, size in pieces)
    roles = [role_of(axis) for axis, _ in pieces]
    if "t" in roles and roles.count("t") == 1 and not {"h", "w", "n"} & {*roles}:
        at = roles.index("t")
        grid = grid_of(pieces[at][0])
        if grid is not None:
            before, after = (sum(n for _, n in some) for some in (pieces[:at], pieces[at + 1 :]))
            more = replace(grid, before=grid.before + before, after=grid.after + after)
            return (replace(more, size=total),)
    return whole("c" if {*roles} <= {"c", ""} else "x" if "x" in roles else "?", total)


def _picked(step: _Step) -> Axes | None:
    source, index = step.node.args[:2]
    if isinstance(source, fx.Node) and step.shape_of(source):
        return _sliced(step.first, index, step.shape)
    return _part_of(step, source, index)


def _sliced(axes: Axes, index: Any, shape: Shape) -> Axes | None:
    each = list(index) if isinstance(index, tuple) else [index]
    if any(not (i is None or i is Ellipsis or isinstance(i, int | slice)) for i in each):
        return None
    used = sum(i is not None and i is not Ellipsis for i in each)
    rest: list[Any] = [slice(None)] * (len(axes) - used)
    at = next((k for k, i in enumerate(each) if i is Ellipsis), len(each))
    each[at : at + 1] = rest
    waiting, result = list(axes), list[Axis]()
    for one in each:
        axis = () if one is None else waiting.pop(0)
        if not isinstance(one, int):
            result.append(_slice_of(axis, one, shape[len(result)]))
    return tuple(result)


def _slice_of(axis: Axis, index: slice | None, size: int) -> Axis:
    if index is None or index == slice(None) or _length(axis) == size:
        return axis
    grid = grid_of(axis)
    ends = isinstance(index.start, int | None) and isinstance(index.stop, int | None)
    if grid is None or not ends or index.step not in (None, 1):
        return _cut(axis, size)
    start, stop, _ = index.indices(grid.size)
    before, after = grid.before - start, grid.after - (grid.size - stop)
    if before < 0 or after < 0:
        return whole("?", size)
    left = replace(grid, size=size, before=before, after=after)
    return (left,) if before or after else grid.parts


def _part_of(step: _Step, source: Any, index: Any) -> Axes | None:
    """One of several results: of attention, or of a value cut into pieces."""
    owner = _Step(step.graph, source, step._known)
    if isinstance(owner.module, nn.MultiheadAttention):
        return owner.first if index == 0 and len(owner.first) == len(step.shape) else None
    name = name_of(source.target)
    if name in ("chunk", "split", "tensor_split"):
        return _pieces(owner.first, step.shape)
    if name == "unbind" and owner.first:
        place = owner.setting(1, "dim", 0) % len(owner.first)
        return tuple(axis for i, axis in enumerate(owner.first) if i != place)
    return None


_BY_MODULE: Sequence[tuple[tuple[type[nn.Module], ...], Rule]] = (
    ((nn.Linear,), _mixed),
    ((nn.Conv2d, nn.ConvTranspose2d, nn.PixelShuffle, nn.PixelUnshuffle), _fresh_map),
    (
        (
            nn.MaxPool2d,
            nn.AvgPool2d,
            nn.AdaptiveAvgPool2d,
            nn.AdaptiveMaxPool2d,
            nn.LPPool2d,
            nn.Upsample,
        ),
        _pooled,
    ),
    ((nn.Unfold,), _unfolded),
    ((nn.Flatten, nn.Unflatten), _as_reshaped),
    ((nn.ZeroPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d, nn.ConstantPad2d), _shortened),
    (
        (
            *ACTIVATION_MODULES,
            nn.Hardsigmoid,
            nn.Softmax,
            nn.LogSoftmax,
            nn.Dropout,
            nn.Dropout2d,
            nn.Identity,
            nn.LayerNorm,
            nn.BatchNorm1d,
            nn.BatchNorm2d,
            nn.GroupNorm,
            nn.InstanceNorm2d,
            nn.LocalResponseNorm,
            nn.ChannelShuffle,
            nn.TransformerEncoderLayer,
            nn.TransformerEncoder,
        ),
        _kept,
    ),
)
_KEEPS = (
    "abs clamp clamp_ clip clone contiguous cumsum detach double dropout dropout2d exp expand_as"
    " flip float group_norm half hardsigmoid instance_norm layer_norm local_response_norm"
    " log log_softmax masked_fill neg normalize pow reciprocal rms_norm roll rsqrt softmax sqrt"
    " square to type batch_norm sigmoid_ channel_shuffle erf sin cos"
)
_MEETS = (
    "add add_ addcmul iadd imul isub lerp maximum minimum mul mul_ multiply rsub sub sub_ subtract"
    " truediv true_divide div div_ where __radd__ __rmul__ __rsub__ __rtruediv__"
)
_RESHAPES = "flatten reshape reshape_as squeeze unflatten unsqueeze view view_as"
_MOVES = "__get__ adjoint moveaxis movedim permute swapaxes swapdims t transpose"
_MAPS = "conv2d conv_transpose2d pixel_shuffle pixel_unshuffle"
_POOLS = (
    "adaptive_avg_pool2d adaptive_max_pool2d avg_pool2d interpolate lp_pool2d max_pool2d upsample"
)
_REDUCES = "amax amin logsumexp mean norm std sum var"
_BY_NAME: Mapping[str, Rule] = {
    name: rule
    for names, rule in (
        (_KEEPS, _kept),
        (_MEETS, _met),
        (_RESHAPES, _as_reshaped),
        (_MOVES, _moved),
        (_MAPS, _fresh_map),
        (_POOLS, _pooled),
        (_REDUCES, _reduced),
        ("bmm matmul __matmul__", _multiplied),
        ("cat concat concatenate", _concatenated),
        ("expand pad", _shortened),
        ("getitem", _picked),
        ("linear", _mixed),
        ("scaled_dot_product_attention", _attended),
        ("unfold", _unfolded),
        (" ".join(name_of(f) for f in ACTIVATION_FUNCTIONS), _kept),
    )
    for name in names.split()
}


def _rule(step: _Step) -> Rule | None:
    if step.module is not None:
        module = step.module
        return next((rule for kinds, rule in _BY_MODULE if isinstance(module, kinds)), _alike)
    called = step.node.op.startswith("call_")
    return _BY_NAME.get(name_of(step.node.target), _alike) if called else None


def axes_in(graph: Graph, shapes: Mapping[fx.Node, Shape]) -> dict[fx.Node, Axes]:
    """Return what every axis of every value of one image is, as far as it can be followed.

    `shapes` are those of all values, as a run has shown them, the image's too.
    """
    known = _KnownAxes(shapes, {graph.image: tuple(map(whole, "nchw", shapes[graph.image]))})
    for node in graph.nodes:
        if node in shapes and node is not graph.image:
            step = _Step(graph, node, known)
            rule = _rule(step)
            axes = None
            # Arguments that no rule foresaw may fail in any way: then nothing is known.
            with suppress(Exception):
                axes = rule(step) if rule is not None else None
            if axes is not None and tuple(map(_length, axes)) == step.shape:
                known.axes[node] = axes
    return {node: known.of(node) for node in shapes}
