"""What a probe runs a network on: its traced graph, or a recording of its calls, replayed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torch.utils._pytree import tree_map

from .graph import Graph, Site, Survey, expanded, name_of, numbered, own_copy, shape_watch
from .layout import (
    ATTENTION,
    Layout,
    Rearrangement,
    ShapesRead,
    as_said,
    kind_and_shape,
    layouts_in,
    unknown_layer,
)
from .receptive import Cells, Field, Range, each_axis, fields_from, keeps_images_apart, whole
from .regions import Regions
from .segments import SegmentRunner, Step, window_of_units

# Strides leave a part of an image unseen at its border, seldom more than this leaves.
LEAST_SEEN = 0.8
# Windows are cut where so much of them is left; for little less it would not pay.
NARROWER = 0.75
CLIPS = (F.relu6, F.hardtanh, torch.clamp)
Key = tuple[str, int]


class TracedGraph:
    """The graph of a network with names for its nodes, whose layers all are maps.

    `said` are layouts that a user names for layers; raises ValueError for those that cannot be.
    """

    def __init__(self, graph: Graph, said: Sequence[tuple[str, str | Rearrangement]] = ()) -> None:
        self.graph = graph
        self._necks = graph.necks()
        self._fields_from: dict[fx.Node, dict[fx.Node, Field | None]] = {}
        self._regions = Regions(graph)
        self._before: dict[int, set[int]] = {}
        self._passing: dict[str, tuple[str, ...]] = {}
        self._reads_beside: dict[str, bool] = {}
        self._ends: dict[tuple[fx.Node, int, int], Range] = {}
        self._call_names = numbered([c.name for c in graph.calls])
        self._by_name = self._named()
        self._layouts = layouts_in(graph, graph.shapes)
        for name, layout in said:
            if name not in self._by_name:
                raise unknown_layer(name, self._by_name)
            node = self._by_name[name]
            seen = self._layouts.get(node)
            self._layouts[node] = as_said(name, layout, graph.shapes[node], seen)
        self._maps_of: dict[fx.Node, fx.Node] = {}
        self._values_of: dict[fx.Node, fx.Node] = {}
        self._unread: set[fx.Node] | None = None
        self._otherwise: dict[str, bool] = {}

    def _named(self) -> dict[str, fx.Node]:
        calls = zip(self._call_names, self.graph.calls, strict=True)
        own = {name: c.node for name, c in calls if c.node is not None and name}
        last = {c.name: c.node for c in self.graph.calls if c.node is not None and c.name}
        called = {*own.values()}
        functions = {n.name: n for n in self.graph.nodes if n not in called and n.users}
        return functions | last | own

    def node(self, name: str) -> fx.Node | None:
        """Return the node of a layer's maps; a module called often is `name:1`, `name:2`, ..."""
        node = self._by_name.get(name)
        return None if node is None else self._upright(node)

    def known(self, name: str) -> fx.Node:
        """Return the node of a captured layer's maps."""
        return self._upright(self._by_name[name])

    def _upright(self, node: fx.Node) -> fx.Node:
        """Return the node of the maps that a value stands for, put in behind it where needed."""
        layout = self._layouts.get(node)
        if layout is None or layout.is_plain:
            return node
        if node not in self._maps_of:
            maps = self.graph.put_between(node, partial(layout.nodes, node))
            self._maps_of[node], self._values_of[maps] = maps, node
            self._learn_shapes(node)
            self._fields_from.clear()
            self._before.clear()
            self._passing.clear()
            self._regions = Regions(self.graph)
        return self._maps_of[node]

    def _learn_shapes(self, node: fx.Node) -> None:
        """Note the shapes of what was put in behind a node."""
        new = [n for n in self.graph.between if n not in self.graph.shapes]
        value = torch.empty(self.graph.shapes[node], device="meta")
        self.graph.run({node: value}, new, watch=shape_watch(self.graph.shapes))

    def survey(self, x: Float[Tensor, "1 c h w"]) -> Survey:
        """Run the network once and return what appeared."""
        shapes: dict[fx.Node, tuple[int, ...]] = {}
        possible = self._possible_stages()
        wanted = {*possible, self.graph.result}
        values = self.graph.run({self.graph.image: x}, wanted, watch=shape_watch(shapes))
        self._find_unread(x, values)
        calls = [
            self._site(name, c.module, c.parent, c.node, shapes)
            for name, c in zip(self._call_names, self.graph.calls, strict=True)
        ]
        tensors = {n: v for n in possible if isinstance(v := values[n], Tensor)}
        maps = {self.graph.order[n]: self._as_maps(n, v) for n, v in tensors.items()}
        sites, logits = self._sites(calls, shapes), values[self.graph.result]
        return Survey(sites, calls, maps, logits, self._follows)

    def _follows(self, shallow: int, deep: int) -> bool:
        """Whether the value of one place in the order depends on that of another one."""
        if deep not in self._before:
            steps = self.graph.needed([self.graph.nodes[deep]], set())
            self._before[deep] = {self.graph.order[n] for n in steps}
        return shallow in self._before[deep]

    def passing(self, name: str) -> tuple[str, ...]:
        """Return the maps that lead to the logits without passing a layer: the last ones.

        By the name of a module where one returns them. The layer itself for what it has on no map.
        """
        if name not in self._passing:
            self._passing[name] = self._beside_layer(name)
        return self._passing[name]

    def _beside_layer(self, name: str) -> tuple[str, ...]:
        names = {node: known for known, node in reversed(self._by_name.items())}
        crossing = sorted(self.crossing(self.known(name)), key=self.graph.order.__getitem__)
        maps = [n for n in map(self._last_map, crossing) if n is not None]
        own = self._by_name[name]
        return tuple(dict.fromkeys(name if n is own else names.get(n, n.name) for n in maps))

    def _last_map(self, node: fx.Node) -> fx.Node | None:
        """Return the nearest map that a value rests on, None where there is none."""
        while True:
            while node in self.graph.between:
                node = node.all_input_nodes[0]
            if self._layouts.get(node) is not None or _is_map(self.graph.shape(node)):
                return node
            before = [n for n in node.all_input_nodes if n not in self.graph.constants]
            if not before or node.target == "size":
                return None
            node = before[0]

    def reads_beside(self, x: Float[Tensor, "1 c h w"], name: str) -> bool:
        """Whether a score depends on what a layer's values have on no map, as a class token."""
        if name not in self._reads_beside:
            self._reads_beside[name] = self._depends_beside(x, name)
        return self._reads_beside[name]

    def _depends_beside(self, x: Tensor, name: str) -> bool:
        node = self._by_name[name]
        layout = self._layouts.get(node)
        if layout is None or not layout.keeps_rest:
            return False
        value = self.graph.run({self.graph.image: x}, {node})[node]
        gradient = self._gradient(x, node, value)
        beside = layout.put_back(torch.zeros_like(layout.maps(gradient)), layout.rest(gradient))
        return bool(beside.any())

    def _find_unread(self, x: Tensor, values: Mapping[fx.Node, Any]) -> None:
        """Find the maps of tokens at the end on which no score depends: from the last one up."""
        if self._unread is not None:
            return
        self._unread = set()
        for node in reversed([n for n in self.graph.nodes if n in values]):
            layout = self._layouts.get(node)
            if layout is None or not layout.keeps_rest:
                continue
            gradient = self._gradient(x, node, values[node])
            if layout.maps(gradient).any() or not gradient.any():
                return
            self._unread.add(node)

    def _gradient(self, x: Tensor, neck: fx.Node, value: Tensor) -> Tensor:
        """Return how the scores, each weighted otherwise, depend on the value of a neck."""
        with torch.enable_grad():
            start = value.detach().clone().requires_grad_()
            end = self.graph.run({self.graph.image: x, neck: start}, {self.graph.result})
            scores = end[self.graph.result]
            weights = torch.linspace(1, 2, scores.numel()).to(scores).view_as(scores)
            (gradient,) = torch.autograd.grad((scores * weights).sum(), start)
        return gradient

    def _as_maps(self, node: fx.Node, value: Tensor) -> Tensor:
        layout = self._layouts.get(node)
        return value if layout is None or layout.is_plain else layout.maps(value)

    def _possible_stages(self) -> set[fx.Node]:
        unfinished = (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, nn.AvgPool2d, nn.Dropout)
        return {
            n
            for n in self._necks
            if n.op != "placeholder" and not isinstance(self.graph.module(n), unfinished)
        }

    def _site(
        self,
        name: str,
        operation: Any,
        parent: int,
        node: fx.Node | None,
        shapes: dict[fx.Node, tuple[int, ...]],
    ) -> Site:
        rank = self.graph.order[node] if node is not None else -1
        if node is None or node not in shapes:
            return Site(name, operation, parent, rank, (), rank)
        layout, shape = self._layouts.get(node), shapes[node]
        kind, shown = kind_and_shape(layout, shape)
        read = node not in (self._unread or ())
        weighs = node.op != "call_module" and self._weighs(node)
        neck = node in self._necks
        return Site(name, operation, parent, rank, shown, rank, neck, kind, read, weighs)

    def _weighs(self, node: fx.Node) -> bool:
        held = (self.graph.shape(n) for n in node.all_input_nodes if n in self.graph.constants)
        return any(max(shape, default=1) > 1 for shape in held if shape is not None)

    def _sites(self, calls: list[Site], shapes: dict[fx.Node, tuple[int, ...]]) -> list[Site]:
        called = {c.node for c in self.graph.calls}
        functions = [
            self._site(n.name, n.target, self.graph.around.get(n, -1), n, shapes)
            for n in self.graph.nodes
            if n in shapes
            and n not in called
            and n.op.startswith("call_")
            and n not in self.graph.between
        ]
        # Of modules that return the same value the inner ones come first, as they complete first.
        inner_first = [c for c in reversed(calls) if c.shape]
        return sorted([*functions, *inner_first], key=lambda s: s.rank)

    def capture(
        self, x: Float[Tensor, "1 c h w"], names: Collection[str]
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Return the maps of these layers and the logits, in one forward pass without a graph."""
        nodes = {name: self.known(name) for name in names}
        wanted = {*nodes.values(), self.graph.result}
        values = self.graph.run({self.graph.image: x}, wanted)
        return {name: values[node] for name, node in nodes.items()}, values[self.graph.result]

    def attends(self, name: str) -> bool:
        """Whether a layer's units have looked at others by attention."""
        steps = self.graph.needed([self._by_name[name]], {self.graph.image})
        return any(
            name_of(type(module) if module is not None else n.target) in ATTENTION
            for n in steps
            for module in [self.graph.module(n)]
        )

    def runners(self, x: Tensor, shallow: fx.Node, deep: fx.Node) -> list[SegmentRunner]:
        """Return what runs from node to node: on crops where that can be, and whole."""
        beside = self._beside(x, shallow, deep)
        run = partial(self._run, shallow, deep, beside)
        field = None if deep is self.graph.result else self._fields(shallow).get(deep)
        uncut = SegmentRunner(run, apart=self._apart)
        if field is None:
            return [uncut]
        ways = () if beside else self._narrowing(shallow, deep, field)
        return [SegmentRunner(run, field, True, *self._steps(ways, deep)), uncut]

    def _run(
        self,
        start: fx.Node,
        stop: fx.Node,
        beside: Mapping[fx.Node, Any],
        maps: Tensor,
        unclipped: bool,
    ) -> Tensor:
        """Return what one node gives for maps of another, before its upper clip if `unclipped`."""
        end = self.before_clip(stop)[0] if unclipped else stop
        others = {n: expanded(v, len(maps)) for n, v in beside.items()}
        out: Tensor = self.graph.run({start: maps, **others}, {end})[end]
        return out.clamp(min=self.before_clip(stop)[1]) if unclipped else out

    def _narrowing(
        self, shallow: fx.Node, deep: fx.Node, field: Field
    ) -> tuple[tuple[fx.Node, Field], ...]:
        """Return maps between two nodes where units need clearly less, with their fields there."""
        order = self.graph.order
        if shallow in self._values_of or deep in self._values_of:  # maps that had to be turned
            return ()
        start, end = order[shallow], order[self.before_clip(deep)[0]]
        fields, ways = self._fields(shallow), [(shallow, field)]
        held = window_of_units(field, self._cells_of(shallow))
        inside = (n for n in self._necks if start < order[n] < end)
        for node in sorted(inside, key=order.__getitem__):
            near, rest = fields.get(node), None
            if near is not None and _is_map(self.graph.shape(node)):
                rest = field.beyond(near)
            if rest is None:
                continue
            needed = window_of_units(rest, self._cells_of(node))
            passed = each_axis(
                lambda n, s, before: n // (before // s), held, rest.stride, ways[-1][1].stride
            )
            if math.prod(needed) <= NARROWER * math.prod(passed):
                ways.append((node, rest))
                held = needed
        return tuple(ways) if len(ways) > 1 else ()

    def _cells_of(self, node: fx.Node) -> Range:
        *_, rows, columns = self.graph.shapes[node]
        return rows, columns

    def _steps(
        self, ways: Sequence[tuple[fx.Node, Field]], deep: fx.Node
    ) -> tuple[tuple[Step, ...], float]:
        """Return the steps of a segment that narrows, and the share of cells that they look at."""
        if not ways:
            return (), 1.0
        nodes = [node for node, _ in ways]
        steps, looked, every = [], 0.0, 0
        for (node, field), after in zip(ways, [*nodes[1:], deep], strict=True):
            full = self._cells_of(node)
            steps.append(Step(partial(self._run, node, after, {}), field, full))
            count = self.graph.order[after] - self.graph.order[node]
            looked += count * math.prod(window_of_units(field, full)) / math.prod(full)
            every += count
        return tuple(steps), looked / every

    @cached_property
    def _apart(self) -> bool:
        """Whether every operation is known to keep the images of a batch apart."""
        return all(keeps_images_apart(self.graph, n) for n in self.graph.nodes)

    def _beside(self, x: Tensor, shallow: fx.Node, deep: fx.Node) -> dict[fx.Node, Any]:
        crossing = self.crossing(shallow, deep)
        return self.graph.run({self.graph.image: x}, crossing) if crossing else {}

    def crossing(self, shallow: fx.Node, deep: fx.Node | None = None) -> set[fx.Node]:
        """Return the nodes beside `shallow` whose values for an image lead to `deep` with it.

        Without `deep` to the logits.
        """
        from_image = self.graph.behind(self.graph.image) | {self.graph.image}
        end = self.graph.result if deep is None else deep
        return {n for n in self.graph.crossing(shallow, end) if n in from_image}

    def precedes(self, shallow: fx.Node, deep: fx.Node) -> bool:
        """Whether `deep` depends on `shallow`."""
        return deep in self.graph.behind(shallow)

    def bound(self, node: fx.Node) -> float | None:
        """Return the value at which a node clips from above, None where it does not."""
        limits = self._limits(node)
        return None if limits is None else limits[1]

    def before_clip(self, node: fx.Node) -> tuple[fx.Node, float]:
        """Return what a node clips, and the value at which it clips from below."""
        limits, value = self._limits(node), self._values_of.get(node, node)
        low = limits[0] if limits is not None else float("-inf")
        before = value.all_input_nodes[0]
        return before if value is node else self._upright(before), low

    def _limits(self, maps: fx.Node) -> tuple[float, float] | None:
        node = self._values_of.get(maps, maps)
        module = self.graph.module(node)
        if isinstance(module, nn.Hardtanh):
            return float(module.min_val), float(module.max_val)
        if node.op == "call_function" and node.target is F.relu6:
            return 0.0, 6.0
        if node.target in CLIPS or node.target in ("clamp", "clamp_"):
            return _clamp_limits(node)
        return None

    def field(self, name: str) -> Field | None:
        """Return the receptive field of a layer's units in the image, None without a limit."""
        node = self.node(name)
        return None if node is None else self._fields(self.graph.image).get(node)

    def cells(self, node: fx.Node, entry: tuple[int, int, int]) -> Cells | None:
        """Return the pixels that can move a unit `(k, y, x)` of a node, None where none can."""
        keys = [(node, axis, entry[axis]) for axis in (1, 2)]
        ends = self._ends if self._fields(self.graph.image).get(node) is not None else {}
        if not all(key in ends for key in keys):
            region = self._regions.seen(node, (0, *entry))
            if region is None or len(region) != 4:
                return None
            # Of windows rows and columns do not depend on one another.
            ends.update(zip(keys, region[2:], strict=True))
        rows, columns = (ends[key] for key in keys)
        return Cells(rows, columns)

    def lies_otherwise(self, name: str) -> bool:
        """Whether maps do not lie as the image does: turned, mirrored or cropped on the way.

        Then later rows or columns look no further down or right, or a border at no border.
        """
        if name not in self._otherwise:
            node = self.node(name)
            self._otherwise[name] = node is not None and self._turns(node)
        return self._otherwise[name]

    def _turns(self, node: fx.Node) -> bool:
        if self._fields(self.graph.image).get(node) is not None:
            return False
        _, _, h, w = self.graph.shape(node) or (1, 1, 1, 1)
        image = whole(self.graph.shape(self.graph.image) or (1, 1))
        units = ((0, 0, 0), (0, h - 1, 0), (0, 0, w - 1))
        first, below, right = (self.cells(node, unit) or image for unit in units)
        if image in (first, below, right):
            return False
        sides = ((first.rows, below.rows, h), (first.columns, right.columns, w))
        # where a unit may see a whole side, nobody knows where on it that unit lies
        known = [
            (a, b)
            for (a, b, n), side in zip(sides, image, strict=True)
            if n > 1 and side not in (a, b)
        ]
        order = all(sum(a) < sum(b) for a, b in known)
        seen = (max(a[1], b[1]) - min(a[0], b[0]) + 1 for a, b, _ in sides)
        return not order or any(s < LEAST_SEEN * n for s, n in zip(seen, image.sides, strict=True))

    def _fields(self, start: fx.Node) -> dict[fx.Node, Field | None]:
        if start not in self._fields_from:
            self._fields_from[start] = fields_from(self.graph, start)
        return self._fields_from[start]


def _is_map(shape: tuple[int, ...] | None) -> bool:
    return shape is not None and len(shape) == 4 and shape[2] * shape[3] > 1


def _clamp_limits(node: fx.Node) -> tuple[float, float] | None:
    hard = node.target is F.hardtanh
    names = ("min_val", "max_val") if hard else ("min", "max")
    default = (-1.0, 1.0) if hard else (float("-inf"), None)
    given: Sequence[Any] = [
        node.kwargs.get(name, node.args[i] if len(node.args) > i else default[i - 1])
        for i, name in enumerate(names, 1)
    ]
    if not isinstance(given[1], int | float):
        return None
    low = float(given[0]) if isinstance(given[0], int | float) else float("-inf")
    return low, float(given[1])


@dataclass
class _Record:
    """One recorded call of a module: `rank` is its place in the order of completion.

    `given` is a copy of what a clip was given, None for any other module.
    """

    key: Key
    module: nn.Module
    parent: int
    rank: int = -1
    value: int = -1
    output: Any = None
    given: Tensor | None = None


class _ReplayEnd(BaseException):
    """Ends a replay as soon as the wanted layer has answered; never leaves this module."""

    def __init__(self, value: Tensor) -> None:
        self.value = value


class Recording:
    """All module calls of one forward pass, with copies of what they returned.

    `scores` runs the network and returns the scores that are explained, `renew` makes it forget
    what runs have left on it. `listening(modules, enter, leave)` is a context in which every call
    of a module is reported, `answering(modules, call)` one in which every module answers through
    `call`. `said` are layouts that a user names for layers; raises ValueError for those that cannot
    be.
    """

    def __init__(
        self,
        network: nn.Module,
        x: Float[Tensor, "1 c h w"],
        *,
        scores: Callable[[Tensor], Tensor],
        said: Sequence[tuple[str, str | Rearrangement]] = (),
        renew: Callable[[], object],
        listening: Callable[..., AbstractContextManager[None]],
        answering: Callable[..., AbstractContextManager[None]],
    ) -> None:
        self._scores, self._renew = scores, renew
        self._answering = answering
        self._names = {module: name for name, module in network.named_modules()}
        self.records: list[_Record] = []
        self._open: list[int] = [-1]
        self._counts: Counter[str] = Counter()
        self._finished = 0
        self._last: tuple[Any, int] = (None, -1)
        self._last_parent = -1
        self.x = x
        self._read = ShapesRead()
        renew()
        with listening(self._names, self._enter, self._leave), torch.no_grad(), self._read:
            self.logits = scores(x.clone())
        self._said = dict(said)
        for name in self._said:
            if name not in self.labels and not any(r.key[0] == name for r in self.records):
                raise unknown_layer(name, self.labels)

    def _enter(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        name = self._names[module]
        # A clip may work in place: what it was given is gone when it has answered.
        given = own_copy(args[0]) if isinstance(module, nn.Hardtanh) and args else None
        key = (name, self._counts[name])
        self.records.append(_Record(key, module, self._open[-1], given=given))
        self._counts[name] += 1
        self._open.append(len(self.records) - 1)

    def _leave(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        here = self._open.pop()
        record = self.records[here]
        # An in-place operation returns the very object that came; only a container hands one on.
        if output is not self._last[0] or self._last_parent != here:
            self._last = (output, self._finished)
        self._last_parent = record.parent
        record.output, record.value = tree_map(own_copy, output), self._last[1]
        record.rank, self._finished = self._finished, self._finished + 1

    @cached_property
    def labels(self) -> list[str]:
        """The names of all calls (`name:1`, `name:2` of a module that is called often)."""
        return numbered([record.key[0] for record in self.records])

    def index(self, name: str) -> int:
        """Return the index of a call by its name; of a module called often, the last by default.

        Raises ValueError where no module of that name was called.
        """
        if name in self.labels:
            return self.labels.index(name)
        calls = [i for i, record in enumerate(self.records) if record.key[0] == name]
        if not calls:
            raise ValueError(
                f"{name} is the result of a function, and running the network from there again gave"
                " other values; a layer that is a module was expected; choose one with layers=[...]"
            )
        return calls[-1]

    def survey(self) -> Survey:
        """Return what appeared in the recorded forward pass."""
        calls = [self._site(i) for i in range(len(self.records))]
        maps = {
            r.value: self.maps(i)
            for i, r in enumerate(self.records)
            if isinstance(r.output, Tensor)
        }
        return Survey(
            sorted((s for s in calls if s.shape), key=lambda s: s.rank), calls, maps, self.logits
        )

    def _site(self, index: int) -> Site:
        record, layout = self.records[index], self._layouts[index]
        shape = _shape(record.output)
        kind, shown = kind_and_shape(layout, shape)
        place = (record.parent, record.rank, shown, record.value)
        # What leads around a block is not seen here, and is the rule inside of blocks of attention.
        around = self.records[record.parent].module if record.parent > 0 else None
        neck = layout is None or layout.is_plain or isinstance(around, nn.Sequential | None)
        return Site(self.labels[index], record.module, *place, neck, kind)

    @cached_property
    def _layouts(self) -> list[Layout | None]:
        return [self._layout(label, r) for label, r in zip(self.labels, self.records, strict=True)]

    def _layout(self, label: str, record: _Record) -> Layout | None:
        shape = _shape(record.output)
        seen = self._read.layout(shape)
        said = self._said.get(label, self._said.get(record.key[0]))
        return seen if said is None else as_said(label, said, shape, seen)

    def maps(self, index: int) -> Tensor:
        """Return the maps that a recorded call returned, its value as it is where it has none."""
        return self._as_maps(index, self.records[index].output)

    def _as_maps(self, index: int | None, value: Tensor) -> Tensor:
        layout = None if index is None else self._layouts[index]
        return value if layout is None or layout.is_plain else layout.maps(value)

    def _as_values(self, index: int, maps: Tensor) -> Tensor:
        layout = self._layouts[index]
        if layout is None or layout.is_plain:
            return maps
        return layout.put_back(maps, layout.rest(self.records[index].output))

    def attends(self) -> bool:
        """Whether the network has attention."""
        return self._read.attention

    def within(self, index: int) -> set[int]:
        """Return the calls made inside a call, itself included."""
        inside = {index}
        for i in range(index + 1, len(self.records)):
            if self.records[i].parent in inside:
                inside.add(i)
        return inside

    def bound(self, index: int) -> float | None:
        """Return the value at which the last clip inside a call limits its output, if one does."""
        clip = self._clip(index)
        return float(clip.module.max_val) if clip is not None else None

    def before_clip(self, index: int) -> Tensor | None:
        """Return the maps that a call would return without its last clip, None without one."""
        clip = self._clip(index)
        if clip is None or clip.given is None:
            return None
        return self._as_maps(index, clip.given.clamp(min=float(clip.module.min_val)))

    def _clip(self, index: int) -> Any:
        inside = [self.records[i] for i in self.within(index)]
        last = max(
            (r for r in inside if next(r.module.children(), None) is None), key=lambda r: r.rank
        )
        return last if isinstance(last.module, nn.Hardtanh) else None

    def replay(self, shallow: int | None, deep: int | None) -> SegmentRunner:
        """Return what runs from a recorded call (None: the image) to another (None: the logits)."""

        def run(maps: Tensor, unclipped: bool) -> Tensor:
            clip = self._clip(deep) if unclipped and deep is not None else None
            x = maps if shallow is None else _repeated(self.x, len(maps))
            values = maps if shallow is None else self._as_values(shallow, maps)
            answers = {} if shallow is None else self._answers(shallow, values)
            return self._as_maps(deep, self._replayed(x, answers, deep, clip))

        return SegmentRunner(run)

    def _answers(self, shallow: int, maps: Tensor) -> dict[int, Any]:
        """Return what the calls before the cut answer: the outermost ones that do not hold it."""
        cut = self.records[shallow]
        answers: dict[int, Any] = {shallow: maps}
        holding = {shallow}
        parent = cut.parent
        while parent >= 0:
            holding.add(parent)
            parent = self.records[parent].parent
        for i, record in enumerate(self.records):
            if record.rank < cut.rank and i not in holding and record.parent in {-1, *holding}:
                answers[i] = record.output
        return answers

    def _replayed(
        self, x: Tensor, answers: Mapping[int, Any], deep: int | None, clip: _Record | None
    ) -> Tensor:
        at: dict[Key, int] = {r.key: i for i, r in enumerate(self.records)}
        counts: Counter[str] = Counter()
        end = self.records[deep].key if deep is not None else None

        def call(module: nn.Module, forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            key = (self._names[module], counts[self._names[module]])
            counts[key[0]] += 1
            index = at.get(key)
            if index is not None and index in answers:
                counts.update(self.records[i].key[0] for i in self.within(index) - {index})
                out = tree_map(lambda t: _repeated(t, len(x)), answers[index])
            elif clip is not None and key == clip.key:
                out = args[0].clamp(min=float(clip.module.min_val))  # type: ignore[arg-type]
            else:
                out = forward(*args, **kwargs)
            if key == end:
                raise _ReplayEnd(out)
            return out

        self._renew()
        with self._answering(self._names, call):
            try:
                result = self._scores(_repeated(x, len(x)))
            except _ReplayEnd as end_of_replay:
                return end_of_replay.value
        return result


def _repeated(value: Any, count: int) -> Any:
    if not isinstance(value, Tensor):
        return value
    if value.ndim and value.shape[0] == 1 != count:
        return value.expand(count, *value.shape[1:]).clone()
    return value.clone()


def _shape(output: Any) -> tuple[int, ...]:
    return tuple(output.shape) if isinstance(output, Tensor) else ()
