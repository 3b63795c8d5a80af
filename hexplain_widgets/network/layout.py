"""How a layer's values lie: what makes a map `K x H x W` of them, and puts one back.

The one place that knows channels-last maps and grids of tokens: all else sees maps.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, fx, nn
from torch.overrides import TorchFunctionMode

from ..arguments import nearest
from .axes import Axes, Shape, axes_in, grid_of, role_of
from .graph import Graph, name_of

# What `Classifier(layout=)` says of a layer.
LAYOUTS = ("nchw", "nhwc", "tokens")
# Class and register tokens that a square grid may have in front when a user says "tokens".
MOST_LEADING = 5
# Returns the maps `(N, K, H, W)` that a layer's values stand for.
Rearrangement = Callable[[Tensor], Tensor]
UPRIGHT = (0, 1, 2, 3)


@dataclass(frozen=True)
class Layout:
    """How values `shape` of a layer, one image's, stand for maps `(N, K, H, W)`.

    `order` says which of their axes are images, channels, rows and columns (or the grid of `rows`
    times `columns` tokens, behind `before` others). With `own` a function says it all.
    """

    kind: str
    shape: Shape
    order: tuple[int, ...] = UPRIGHT
    rows: int = 0
    columns: int = 0
    before: int = 0
    turned: bool = False
    own: Rearrangement | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the values are maps as they are."""
        return self.own is None and self.order == UPRIGHT

    @property
    def is_permutation(self) -> bool:
        """Whether the values are maps in another order of axes, and nothing else."""
        return self.own is None and len(self.order) == 4

    @property
    def inverse(self) -> tuple[int, ...]:
        """The order of axes that puts maps back."""
        return tuple(self.order.index(i) for i in range(len(self.order)))

    @property
    def keeps_rest(self) -> bool:
        """Whether a part of the values is on no map: class and register tokens."""
        return not self.is_permutation and len(self._places) < math.prod(self.shape)

    @property
    def map_shape(self) -> Shape:
        """The shape of one image's map, `(1, K, H, W)`."""
        if self.own is not None:
            return tuple(self._map_of_places.shape)
        batch, channels = (self.shape[i] for i in self.order[:2])
        grid = self.order[2:] if self.is_permutation else ()
        sides = tuple(self.shape[i] for i in grid) or (self.rows, self.columns)
        return batch, channels, *sides

    @cached_property
    def _map_of_places(self) -> Tensor:
        return self.maps(torch.arange(math.prod(self.shape)).view(self.shape))

    @property
    def _places(self) -> Tensor:
        """Where in one image's values each number of its map stands."""
        return self._map_of_places.flatten()

    def maps(self, values: Tensor) -> Shaped[Tensor, "n k h w"]:
        """Return the maps that values stand for, in memory of their own order."""
        if self.own is not None:
            return self.own(values).contiguous()
        ordered = values.permute(self.order)
        if self.is_permutation:
            return ordered.contiguous()
        sides = (self.columns, self.rows) if self.turned else (self.rows, self.columns)
        tokens = ordered[..., self.before : self.before + self.rows * self.columns]
        maps = tokens.unflatten(2, sides)
        return (maps.transpose(2, 3) if self.turned else maps).contiguous()

    def rest(self, values: Tensor) -> Float[Tensor, "n f"]:
        """Return all values of every image, of which `put_back` takes what is on no map."""
        return values.movedim(self._batch, 0).flatten(1)

    def put_back(
        self, maps: Float[Tensor, "n k h w"], rest: Float[Tensor, "r f"] | None = None
    ) -> Float[Tensor, "*values"]:
        """Return values that stand for maps; what is on no map is that of `rest`."""
        if self.is_permutation:
            return maps.permute(self.inverse).contiguous()
        count, numbers = len(maps), math.prod(self.shape)
        flat = maps.new_zeros(1, numbers) if rest is None else rest
        places = self._places.to(maps.device)
        flat = flat.expand(count, numbers).index_copy(1, places, maps.flatten(1))
        others = (n for i, n in enumerate(self.shape) if i != self._batch)
        return flat.view(count, *others).movedim(0, self._batch).contiguous()

    def nodes(self, node: fx.Node, owner: fx.Graph) -> tuple[fx.Node, fx.Node]:
        """Return new nodes for the maps of a node's value, and for the values put back from them.

        What only moves axes is written as torch's own operations, which all else knows.
        """
        if self.is_permutation:
            maps = _permuted(owner, node, self.order)
            return maps, _permuted(owner, maps, self.inverse)
        maps = owner.call_function(self.maps, (node,))
        rest = (owner.call_function(self.rest, (node,)),) if self.keeps_rest else ()
        return maps, owner.call_function(self.put_back, (maps, *rest))

    @property
    def _batch(self) -> int:
        return 0 if self.own is not None else self.order[0]


def _permuted(owner: fx.Graph, node: fx.Node, order: tuple[int, ...]) -> fx.Node:
    moved = owner.call_function(torch.permute, (node, order))
    return owner.call_method("contiguous", (moved,))


def kind_and_shape(layout: Layout | None, shape: Shape) -> tuple[str, Shape]:
    """Return what a layout is called and the shape of its map.

    "?" and the shape of the values where these may be a map, "" where they are none.
    """
    if layout is not None:
        return layout.kind, layout.map_shape
    return "?" if len(shape) == 4 or (len(shape) == 3 and shape[1] > 1) else "", shape


def seen_in(axes: Axes, shape: Shape) -> Layout | None:
    """Return the layout of values whose axes are known, None where they are not those of a map."""
    roles = [role_of(axis) for axis in axes]
    if len(roles) == 4:
        order = next((o for o in _ORDERS if _fits(roles, o)), None)
        if order is not None:
            return Layout(_ORDERS[order], shape, order)
        known = sorted(roles) == ["c", "h", "n", "w"]
        return Layout("".join(roles), shape, tuple(map(roles.index, "nchw"))) if known else None
    if len(roles) != 3 or sorted(roles) != ["c", "n", "t"] or roles[2] != "c":
        return None
    at = roles.index("t")
    grid = grid_of(axes[at])
    if grid is None:
        return None
    first, second = grid.parts
    turned = first.role == "w"
    rows, columns = (second, first) if turned else (first, second)
    order = (roles.index("n"), 2, at)
    return Layout("tokens", shape, order, rows.size, columns.size, grid.before, turned)


# Which axes are images, channels, rows and columns, and what that is called.
_ORDERS: Mapping[tuple[int, ...], str] = {UPRIGHT: "nchw", (0, 3, 1, 2): "nhwc"}


def _fits(roles: Sequence[str], order: tuple[int, ...]) -> bool:
    """Whether no axis is known to be, or might be, another than an order says."""
    wanted = ("n", "c", "hw", "hw")
    named = zip(order, wanted, strict=True)
    return all(roles[i] == "" or roles[i] in kinds for i, kinds in named)


class Uses:
    """What follows a value shows its order where the image's axes could not be followed to it."""

    def __init__(self, graph: Graph, shapes: Mapping[fx.Node, Shape]) -> None:
        self._graph, self._shapes = graph, shapes

    def layout(self, node: fx.Node) -> Layout | None:
        """Return the layout that all uses of a map agree on, None where they do not."""
        orders = self._orders(node, {node})
        if len(orders) != 1 or self._shapes[node][0] != 1:
            return None
        (order,) = orders
        return Layout(_ORDERS[order], self._shapes[node], order)

    def _orders(self, node: fx.Node, seen: set[fx.Node]) -> set[tuple[int, ...]]:
        orders: set[tuple[int, ...]] = set()
        for user in (u for u in node.users if u not in seen and u.op != "output"):
            seen.add(user)
            module = self._graph.module(user)
            name = type(module).__name__.lower() if module is not None else name_of(user.target)
            given = user.kwargs
            if isinstance(module, nn.LayerNorm):
                given = {**given, "normalized_shape": module.normalized_shape}
            order = _order_read(name, user.args, given)
            if order is not None and user.all_input_nodes[0] is node:
                orders.add(order)
            elif name == "permute":
                orders |= {_before(o, user) for o in self._orders(user, seen)} & {*_ORDERS}
            elif name == "linear" or self._shapes.get(user) == self._shapes[node]:
                orders |= self._orders(user, seen)
        return orders


# What only attention does, as modules and functions are named.
ATTENTION = frozenset(
    (
        "scaled_dot_product_attention",
        "multi_head_attention_forward",
        "_native_multi_head_attention",
        "MultiheadAttention",
        "TransformerEncoderLayer",
        "softmax",
    )
)


class ShapesRead(TorchFunctionMode):
    """Notes which order of axes operations take values of each shape to have, in what runs inside.

    For networks whose operations cannot be followed: a shape that is read in one order only has it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._orders: dict[Shape, set[tuple[int, ...]]] = {}
        self.attention = False

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = dict(kwargs or {})
        output = func(*args, **given)
        name = name_of(func)
        self.attention = self.attention or name in ATTENTION
        order = (0, 3, 1, 2) if name == "linear" else _order_read(name, args, given)
        if order is not None:
            whole = name not in ("mean", "amax", "sum")
            for value in (*args[:1], *((output,) if whole else ())):
                if isinstance(value, Tensor) and value.ndim == 4:
                    self._orders.setdefault(tuple(value.shape), set()).add(order)
        return output

    def layout(self, shape: Shape) -> Layout | None:
        """Return the layout of values of a shape, None where that is not certain."""
        orders = self._orders.get(shape, set())
        if len(orders) != 1:
            return None
        (order,) = orders
        return Layout(_ORDERS[order], shape, order)


# Operations on maps whose channels come first, and on values whose channels come last.
_FIRST = re.compile(
    "conv(_transpose)?2d|convtranspose2d|batch_?norm(2d)?|(adaptive_?)?(max|avg)_?pool2d"
)
_LAST = re.compile("layer_?norm")


def _order_read(
    name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[int, ...] | None:
    """Return the order that an operation takes its input to have, None where it takes any."""
    if _FIRST.fullmatch(name):
        return UPRIGHT
    if _LAST.fullmatch(name):
        normalised: Any = kwargs.get("normalized_shape", args[1] if len(args) > 1 else ())
        return (0, 3, 1, 2) if len(normalised) == 1 else None
    dims: Any = kwargs.get("dim", args[1] if len(args) > 1 else ())
    if name not in ("mean", "amax", "sum") or not isinstance(dims, Sequence):
        return None
    return _POOLED.get(tuple(sorted(d % 4 for d in dims)))


_POOLED: Mapping[tuple[int, ...], tuple[int, ...]] = {(2, 3): UPRIGHT, (1, 2): (0, 3, 1, 2)}


def _before(order: tuple[int, ...], node: fx.Node) -> tuple[int, ...]:
    """Return the order before a permutation of a value that has this order after it."""
    given = node.args[1] if len(node.args) == 2 else node.args[1:]
    dims: Any = node.kwargs.get("dims", given)
    moved = [d % 4 for d in dims] if isinstance(dims, Sequence) else []
    return tuple(moved[i] for i in order) if len(moved) == 4 else ()


def layouts_in(graph: Graph, shapes: Mapping[fx.Node, Shape]) -> dict[fx.Node, Layout | None]:
    """Return the layout of every value that may be a map; None where that is not certain.

    Values of other than four axes are left out unless they are a grid of tokens.
    """
    axes, uses = axes_in(graph, shapes), Uses(graph, shapes)
    layouts: dict[fx.Node, Layout | None] = {}
    for node, shape in shapes.items():
        layout = seen_in(axes[node], shape)
        if layout is None and len(shape) == 4:
            layout = uses.layout(node)
            if layout is not None and not _fits(_known_roles(axes[node]), layout.order):
                layout = None
        if layout is not None or len(shape) == 4:
            layouts[node] = layout
    return layouts


def _known_roles(axes: Axes) -> list[str]:
    return [role.replace("?", "") for role in map(role_of, axes)]


# what a user says --------------------------------------------------------------------------------


def checked_layouts(given: Any) -> tuple[tuple[str, str | Rearrangement], ...]:
    """Return what a user says of layers, by name; raises TypeError and ValueError for the rest."""
    if given is None:
        return ()
    if not isinstance(given, Mapping):
        raise TypeError(
            f"got layout={given!r}; expected a layout for each layer that needs one; pass them by"
            ' name: layout={"features.7": "nhwc"}'
        )
    for name, layout in given.items():
        if not callable(layout) and layout not in LAYOUTS:
            raise ValueError(
                f"got the layout {layout!r} for {name!r}; expected {', '.join(LAYOUTS)}, or a"
                " function from a layer's values to its maps N x K x H x W; choose one"
            )
    return tuple((str(name), layout) for name, layout in given.items())


def unknown_layer(name: str, known: Iterable[str]) -> ValueError:
    """Return the error of a layout for a layer that is not there."""
    return ValueError(
        f"got a layout for the unknown layer {name!r}; expected one that the network runs; the"
        f" nearest are {nearest(name, known)}"
    )


def uncertain(name: str, shape: Shape) -> ValueError:
    """Return the error of a layer whose axes nobody knows."""
    said = '"nchw"' if len(shape) == 4 else '"tokens"'
    return ValueError(
        f"the layer {name!r} gives {shape}, and nothing that follows shows which of its axes are"
        " channels, rows and columns; expected a map whose axes are known; say it with"
        f" hx.Classifier(model, layout={{{name!r}: {said}}}): {', '.join(map(repr, LAYOUTS))}, or a"
        " function that returns N x K x H x W"
    )


def doubt(name: str, shape: Shape) -> str:
    """Return in words that a layer is no stage because its layout is not known."""
    said = "nhwc" if len(shape) == 4 else "tokens"
    return (
        f"What {name} gives, {shape}, may be a map, but nothing that follows shows which of its"
        " axes are channels: it is no stage. Say its layout to have it:"
        f' hx.Classifier(model, layout={{{name!r}: "{said}"}}).'
    )


def as_said(name: str, said: str | Rearrangement, shape: Shape, seen: Layout | None) -> Layout:
    """Return the layout that a user names for a layer whose values have this shape.

    Raises ValueError where it cannot be that of these values, or is seen to be another.
    """
    if callable(said):
        return _of_function(name, said, shape)
    if seen is not None and seen.kind != said and said in LAYOUTS:
        raise _amiss(name, said, shape, f"they are seen to be {seen.kind!r}")
    if seen is not None:
        return seen
    if said == "tokens":
        return _square_grid(name, shape)
    if len(shape) != 4:
        raise _amiss(name, said, shape, f"{said!r} has four axes")
    order = next(o for o, kind in _ORDERS.items() if kind == said)
    return Layout(said, shape, order)


def _amiss(name: str, said: str, shape: Shape, why: str) -> ValueError:
    return ValueError(
        f"got layout={{{name!r}: {said!r}}} for values {shape}; expected a layout that they can"
        f" have: {why}; leave it out, or pass a function that returns N x K x H x W"
    )


def _square_grid(name: str, shape: Shape) -> Layout:
    """Return a square grid of tokens, behind a few others."""
    if len(shape) != 3 or shape[0] != 1:
        raise _amiss(name, "tokens", shape, "tokens have three axes, N x L x C")
    side = math.isqrt(shape[1])
    before = shape[1] - side * side
    if before > MOST_LEADING or side < 2:
        raise _amiss(name, "tokens", shape, f"{shape[1]} tokens are no square and a few others")
    return Layout("tokens", shape, (0, 2, 1), side, side, before)


def _of_function(name: str, own: Rearrangement, shape: Shape) -> Layout:
    """Return the layout that a function makes, which may only pick and move numbers."""
    index = torch.arange(math.prod(shape)).view(shape)
    maps = own(index)
    right = isinstance(maps, Tensor) and maps.ndim == 4 and len(maps) == shape[0]
    if not right or maps.dtype != index.dtype or len(maps.unique()) != maps.numel():
        came = tuple(maps.shape) if isinstance(maps, Tensor) else type(maps).__name__
        raise ValueError(
            f"got a layout function for {name!r} that makes {came} of {shape}; expected N x K x H x"
            " W in which each number of the layer stands once at most; only pick, reshape and"
            " permute"
        )
    return Layout("own", shape, own=own)
