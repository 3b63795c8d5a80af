"""Removals: how far a decision falls when a channel of a layer is taken out, channel by channel.

A removed channel is zero everywhere, or its mean over other images.

Behind the layer every channel is by itself up to the first linear operations, whose results are
sums over channels: a removed channel is one product less. Only what follows them is run again for
each channel, on the cells that the decision sees.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, fx, nn

from ..arguments import SlowBar
from .gating import in_batches, rows_at_once
from .graph import Graph, expanded, shape_watch
from .linear_parts import (
    ChannelSum,
    mixes_first,
    nodes_apart,
    sum_of_convolution,
    sum_of_linear,
    sums_channels,
)
from .probe import Capture, Probe
from .receptive import Cone, cone_of, convolution, convolved
from .segments import Segment, Unit, batch_cells, rounding


class _ChannelRoute:
    """The operations from a layer to a decision, and which of them keep channels apart."""

    def __init__(
        self,
        graph: Graph,
        start: fx.Node,
        end: fx.Node,
        x: Tensor,
        shallow: Tensor,
        instead: Tensor,
        floor: float,
    ) -> None:
        self.graph, self.start, self.end = graph, start, end
        self.shallow, self.instead, self.floor = shallow, instead, floor
        inside = graph.behind(start)
        self.nodes = [n for n in graph.needed([end], {start}) if n in inside]
        crossing = graph.crossing(start, end)
        self.beside = graph.run({graph.image: x}, crossing) if crossing else {}
        self.of_image = (graph.behind(graph.image) | {graph.image}) & set(crossing)
        self.sizes = self._sizes()
        self.apart = nodes_apart(graph, start, self.nodes)
        self.sums = {n for n in self.nodes if self._is_sum(n)}
        self.last = {used: n for n in self.nodes for used in n.all_input_nodes}

    def _sizes(self) -> dict[fx.Node, tuple[int, ...]]:
        sizes: dict[fx.Node, tuple[int, ...]] = {self.start: tuple(self.shallow.shape)}
        given = {self.start: self.shallow, **self.beside}
        self.graph.run(given, {self.end}, watch=shape_watch(sizes))
        return sizes

    def _is_sum(self, node: fx.Node) -> bool:
        """Whether a node is the first linear operation on channels that were apart until then."""
        if not mixes_first(node, self.apart):
            return False
        if isinstance(self.graph.module(node), nn.Linear):
            return len(self.sizes[node.all_input_nodes[0]]) == 2
        return sums_channels(self.graph, node)

    def cone(self, unit: Unit) -> Cone | None:
        """Return the cells that a unit needs, None where it needs whole maps."""
        return cone_of(self.graph, self.nodes, self.start, (unit.y, unit.x), self.sizes)

    def widest(self, cone: Cone) -> int:
        """Return the numbers of the largest value that is there once for every removal."""
        return max(cone.length(n) for n in self.nodes if n not in self.apart or n is self.end)


class _DecisionAblation:
    """What the removals of all channels have in common for one decision."""

    def __init__(self, route: _ChannelRoute, cone: Cone) -> None:
        self._route, self.cone = route, cone
        maps = cone.cut(route.start, route.shallow)
        self._apart: dict[fx.Node, Any] = {route.start: _with(maps, route.instead)}
        for node in (n for n in route.nodes if n in route.apart):
            self._apart[node] = cone.step(node, self._apart)
        self._sums = {node: self._sum(node) for node in route.sums}

    def _sum(self, node: fx.Node) -> ChannelSum:
        own = self._apart[node.all_input_nodes[0]]
        module = self._route.graph.module(node)
        if isinstance(module, nn.Linear):
            return sum_of_linear(module, own, self._route.shallow.shape[1])
        padded = self.cone.padded(node, own)
        conv = convolution(self._route.graph, node)
        return sum_of_convolution(conv, padded, convolved(conv, padded[:1]))

    def without(self, channels: slice) -> Float[Tensor, "n1 ..."]:
        """Return the end of the route without each of these channels, and with all of them last."""
        values: dict[fx.Node, Any] = {}
        count = len(range(*channels.indices(self._route.shallow.shape[1])))
        for node in (n for n in self._route.nodes if n not in self._route.apart):
            if node in self._sums:
                values[node] = self._sums[node].without(channels)
                continue
            for source in node.all_input_nodes:
                if source not in values:
                    values[source] = self._source(source, channels, count)
            values[node] = self.cone.step(node, values)
            for source in node.all_input_nodes:
                if self._route.last[source] is node:
                    values.pop(source, None)
        end = self._route.end
        return values[end] if end in values else self._source(end, channels, count)

    def _source(self, node: fx.Node, channels: slice, count: int) -> Any:
        if node in self._apart:
            return _replaced(self._apart[node], channels, count, self._route.shallow.shape[1])
        value = self._route.beside[node]
        constant = isinstance(value, Tensor) and node not in self._route.of_image
        return value if constant else expanded(value, count + 1)


def _with(maps: Float[Tensor, "1 k h w"], instead: Float[Tensor, " k"]) -> Float[Tensor, "2 k h w"]:
    """Return maps, and beside them what stands for every removed channel."""
    return torch.cat([maps, instead[None, :, None, None].expand_as(maps)])


def _replaced(own: Float[Tensor, "2 ..."], channels: slice, count: int, k: int) -> Tensor:
    """Return copies of a value, each with one channel as it is without the layer's."""
    rows = own[:1].repeat(count + 1, *(1 for _ in own.shape[1:]))
    by_channel, without = rows.view(count + 1, k, -1), own[1].view(k, -1)
    each = torch.arange(count, device=own.device)
    by_channel[each, each + channels.start] = without[channels]
    return rows


@dataclass(frozen=True)
class AblationValues:
    """A decision's value without each channel, and with all of them in the same batch."""

    without: Float[Tensor, " k"]
    untouched: Float[Tensor, " k"]

    def agree(self, value: float, scale: float) -> bool:
        """Whether the values with all channels are the decision's own, to rounding."""
        off = (self.untouched.double() - value).abs().max()
        return bool(off <= rounding(self.untouched) * scale)

    @property
    def drops(self) -> Float[np.ndarray, " k"]:
        """How far the value falls, in its own units."""
        fallen = self.untouched.double() - self.without.double()
        return fallen.cpu().numpy()


def _values(rows: Callable[[slice], Tensor], channels: int, size: int) -> AblationValues:
    """Return the values that batches of rows give, the untouched one last in each."""

    def run(part: slice) -> Tensor:
        values = rows(part)
        counted.update(len(values) - 1)
        return torch.stack([values[:-1], values[-1:].expand(len(values) - 1)], 1)

    with SlowBar("ablation: without each channel", channels, "channel") as counted:
        both = in_batches(run, channels, size)
    return AblationValues(both[:, 0], both[:, 1])


def on_segment(
    segment: Segment,
    unit: Unit,
    *,
    instead: Float[Tensor, " k"] | None = None,
    unclipped: bool = False,
    one_by_one: bool = False,
) -> AblationValues:
    """Return a unit's values without each channel, the segment run again for each of them.

    `instead` is what a removed channel is everywhere, 0 if not given.
    """
    maps, values = segment.around(unit)
    k = maps.shape[1]
    other = maps.new_zeros(k) if instead is None else instead.to(maps)

    def rows(part: slice) -> Tensor:
        some = _replaced(_with(maps, other), part, len(range(*part.indices(k))), k)
        if one_by_one:
            return torch.cat([values(row[None], unclipped) for row in some])
        return values(some, unclipped)

    return _values(rows, k, rows_at_once(maps))


class ChannelAblation:
    """Channels of a layer removed one by one; call it inside `guest.visiting`.

    On the graph where the network is traced, a channel's parts in the first linear operations
    taken away as products; on the segment elsewhere, and where that does not give the captured
    value back. Without `deep` the decisions are logits. `instead` is what a removed channel is
    everywhere, 0 if not given.
    """

    def __init__(
        self,
        probe: Probe,
        capture: Capture,
        segment: Segment,
        shallow: str,
        deep: str | None,
        *,
        instead: Float[Tensor, " k"] | None = None,
    ) -> None:
        self._traced, self._capture = probe.graph(capture.x), capture
        self._segment = segment
        self._names = shallow, deep
        maps = segment.shallow
        self._instead = maps.new_zeros(maps.shape[1]) if instead is None else instead.to(maps)
        self._routes: dict[bool, _ChannelRoute | None] = {}

    def drops(
        self, unit: Unit, value: float, *, unclipped: bool = False
    ) -> Float[np.ndarray, " k"]:
        """Return how far a decision falls without each channel, in the decision's own units.

        `value` is what it is with all of them, before an upper clip if `unclipped`. Raises
        RuntimeError where no way of running the network gives that value back.
        """
        scale = float(self._segment.deep.abs().max())
        for attempt in (self._on_graph, self._on_segment):
            # A forward that is written for one image at a time may fail in any way on several.
            with suppress(RuntimeError, IndexError, TypeError, ValueError, KeyError):
                values = attempt(unit, unclipped)
                if values is not None and values.agree(value, scale):
                    return values.drops
        values = self._on_segment(unit, unclipped, one_by_one=True)
        if not values.agree(value, scale):
            raise self._segment.unsteady()
        return values.drops

    def _on_segment(
        self, unit: Unit, unclipped: bool, *, one_by_one: bool = False
    ) -> AblationValues:
        return on_segment(
            self._segment,
            unit,
            instead=self._instead,
            unclipped=unclipped,
            one_by_one=one_by_one,
        )

    def _on_graph(self, unit: Unit, unclipped: bool) -> AblationValues | None:
        route = self._route(unclipped)
        cone = route and route.cone(unit)
        if route is None or (cone is None and self._segment.local):
            return None
        removals = _DecisionAblation(route, cone or Cone(route.graph, route.sizes))
        size = max(1, batch_cells(route.shallow.device) // route.widest(removals.cone))
        at = unit if cone is None else Unit(unit.channel, 0, 0)

        def rows(part: slice) -> Tensor:
            end = removals.without(part)
            values = end[:, at.channel] if end.ndim == 2 else end[:, *at]
            return values.clamp(min=route.floor)

        return _values(rows, route.shallow.shape[1], size)

    def _route(self, unclipped: bool) -> _ChannelRoute | None:
        if unclipped not in self._routes:
            self._routes[unclipped] = self._traced_route(unclipped)
        return self._routes[unclipped]

    def _traced_route(self, unclipped: bool) -> _ChannelRoute | None:
        if self._traced is None:
            return None
        shallow, deep = self._names
        start = self._traced.known(shallow)
        end = self._traced.graph.result if deep is None else self._traced.known(deep)
        floor = -math.inf
        if unclipped:
            end, floor = self._traced.before_clip(end)
        if not self._traced.precedes(start, end):
            return None
        return _ChannelRoute(
            self._traced.graph,
            start,
            end,
            self._capture.x,
            self._segment.shallow,
            self._instead,
            floor,
        )
