"""Removals: how far a decision falls when a channel of a layer is taken out, channel by channel.

A removed channel is zero everywhere, or its mean over other images.

Behind the layer every channel goes its own way up to the first linear operations, whose results are
sums over channels: a removed channel is one product less. Only what follows them is run again for
each channel, on the cells that the decision sees.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, fx, nn

from .gating import in_batches
from .graph import Graph
from .linear_parts import ChannelSum, apart, first, sum_of_convolution, sum_of_linear, sums_channels
from .probe import Capture, Probe
from .receptive import Cone, cone_of, convolution, convolved
from .segments import BATCH_CELLS, INNER_CHANNELS, Segment, Unit, rounding

# Numbers of the widest map run at once on an accelerator, where a large batch is what pays.
BATCH_CELLS_DEVICE = 2**28


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
        self.alone = apart(graph, start, self.nodes)
        self.sums = {n for n in self.nodes if self._is_sum(n)}
        self.last = {used: n for n in self.nodes for used in n.all_input_nodes}

    def _sizes(self) -> dict[fx.Node, Sequence[int]]:
        found: dict[fx.Node, Sequence[int]] = {self.start: self.shallow.shape}

        def note(node: fx.Node, value: Any) -> None:
            if isinstance(value, Tensor):
                found[node] = tuple(value.shape)

        self.graph.run({self.start: self.shallow, **self.beside}, {self.end}, watch=note)
        return found

    def _is_sum(self, node: fx.Node) -> bool:
        """Whether a node is the first linear operation on channels that were apart until then."""
        if not first(node, self.alone):
            return False
        if isinstance(self.graph.module(node), nn.Linear):
            return len(self.sizes[node.all_input_nodes[0]]) == 2
        return sums_channels(self.graph, node)

    def cone(self, unit: Unit) -> Cone | None:
        """Return the cells that a unit needs, None where it needs whole maps."""
        return cone_of(self.graph, self.nodes, self.start, (unit.y, unit.x), self.sizes)

    def widest(self, cone: Cone) -> int:
        """Return the numbers of the largest value that is there once for every removal."""
        return max(cone.length(n) for n in self.nodes if n not in self.alone or n is self.end)


class _DecisionAblation:
    """What the removals of all channels have in common for one decision."""

    def __init__(self, way: _ChannelRoute, cone: Cone) -> None:
        self._way, self.cone = way, cone
        maps = cone.cut(way.start, way.shallow)
        self._alone: dict[fx.Node, Any] = {way.start: _with(maps, way.instead)}
        for node in (n for n in way.nodes if n in way.alone):
            self._alone[node] = cone.step(node, self._alone)
        self._sums = {node: self._sum(node) for node in way.sums}

    def _sum(self, node: fx.Node) -> ChannelSum:
        own = self._alone[node.all_input_nodes[0]]
        module = self._way.graph.module(node)
        if isinstance(module, nn.Linear):
            return sum_of_linear(module, own, self._way.shallow.shape[1])
        padded = self.cone.padded(node, own)
        conv = convolution(self._way.graph, node)
        return sum_of_convolution(conv, padded, convolved(conv, padded[:1]))

    def without(self, channels: slice) -> Float[Tensor, "n1 ..."]:
        """Return the end of the way without each of these channels, and with all of them last."""
        found: dict[fx.Node, Any] = {}
        count = len(range(*channels.indices(self._way.shallow.shape[1])))
        for node in (n for n in self._way.nodes if n not in self._way.alone):
            if node in self._sums:
                found[node] = self._sums[node].without(channels)
                continue
            for source in node.all_input_nodes:
                if source not in found:
                    found[source] = self._source(source, channels, count)
            found[node] = self.cone.step(node, found)
            for source in node.all_input_nodes:
                if self._way.last[source] is node:
                    found.pop(source, None)
        end = self._way.end
        out: Tensor = found[end] if end in found else self._source(end, channels, count)
        return out

    def _source(self, node: fx.Node, channels: slice, count: int) -> Any:
        if node in self._alone:
            return _replaced(self._alone[node], channels, count, self._way.shallow.shape[1])
        value = self._way.beside[node]
        every = node in self._way.of_image and isinstance(value, Tensor) and len(value) == 1
        return value.expand(count + 1, *value.shape[1:]) if every else value


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
        found = rows(part)
        return torch.stack([found[:-1], found[-1:].expand(len(found) - 1)], 1)

    both = in_batches(run, channels, size)
    return AblationValues(both[:, 0], both[:, 1])


def _rows_at_once(cells: int, device: torch.device) -> int:
    most = BATCH_CELLS if device.type == "cpu" else BATCH_CELLS_DEVICE
    return max(1, most // cells)


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
    k, h, w = maps.shape[1:]
    other = maps.new_zeros(k) if instead is None else instead.to(maps)

    def rows(part: slice) -> Tensor:
        some = _replaced(_with(maps, other), part, len(range(*part.indices(k))), k)
        if one_by_one:
            return torch.cat([values(row[None], unclipped) for row in some])
        return values(some, unclipped)

    return _values(rows, k, _rows_at_once(max(k, INNER_CHANNELS) * h * w, maps.device))


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
        self._traced, self._capture, self._segment = probe.traced, capture, segment
        self._names = shallow, deep
        maps = segment.shallow
        self._instead = maps.new_zeros(maps.shape[1]) if instead is None else instead.to(maps)
        self._ways: dict[bool, _ChannelRoute | None] = {}

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
                found = attempt(unit, unclipped)
                if found is not None and found.agree(value, scale):
                    return found.drops
        found = self._on_segment(unit, unclipped, one_by_one=True)
        if not found.agree(value, scale):
            raise self._segment.unsteady()
        return found.drops

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
        way = self._way(unclipped)
        cone = way and way.cone(unit)
        if way is None or (cone is None and self._segment.local):
            return None
        removals = _DecisionAblation(way, cone or Cone(way.graph, way.sizes))
        size = _rows_at_once(way.widest(removals.cone), way.shallow.device)
        at = unit if cone is None else Unit(unit.channel, 0, 0)

        def rows(part: slice) -> Tensor:
            found = removals.without(part)
            values = found[:, at.channel] if found.ndim == 2 else found[:, *at]
            return values.clamp(min=way.floor)

        return _values(rows, way.shallow.shape[1], size)

    def _way(self, unclipped: bool) -> _ChannelRoute | None:
        if unclipped not in self._ways:
            self._ways[unclipped] = self._found_way(unclipped)
        return self._ways[unclipped]

    def _found_way(self, unclipped: bool) -> _ChannelRoute | None:
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
