"""Which entries of a map can move one entry of a deeper one, whatever lies between them.

A region is followed backwards through what ran, along every axis of every tensor. An operation that
is not known to be local is taken to look at everything.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from heapq import heappop, heappush
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from .graph import Graph, hands_on, setting, words
from .receptive import (
    LAST_AXES,
    Cells,
    Range,
    SlidingWindow,
    axes_behind,
    inputs_of,
    is_pointwise,
    kind_of,
    last_axes,
    map_window,
    padding_mode,
)

# The first and the last entry along every axis; of a value that is no tensor, all of it: ().
Region = tuple[Range, ...]
Inputs = Iterator[tuple[fx.Node, Region]]

# Every entry of their result is one of their inputs' entries, or a constant.
_MOVES = words(
    "flip fliplr flipud roll rot90 pixel_shuffle pixel_unshuffle channel_shuffle pad unfold chunk"
    " split tensor_split unsafe_chunk unsafe_split split_with_sizes unbind cat concat concatenate"
    " stack hstack vstack dstack repeat tile narrow select getitem index_select expand"
    " expand_as broadcast_to repeat_interleave"
)
_RESHAPES = words("view reshape flatten unflatten squeeze unsqueeze view_as reshape_as ravel")
# They look at all entries along some axes and at one entry along the others.
_REDUCES = words(
    "mean sum amax amin std var prod norm vector_norm logsumexp softmax log_softmax normalize"
    " cosine_similarity cumsum cumprod softmin argmax argmin"
)
_RESIZES = words(
    "interpolate upsample upsample_nearest upsample_bilinear upsamplingnearest2d"
    " upsamplingbilinear2d"
)
_ADAPTIVE = words("adaptive_avg_pool2d adaptive_max_pool2d adaptiveavgpool2d adaptivemaxpool2d")
# Tables of where entries come from are kept for all units, up to so many entries together.
MOST_ENTRIES = 2**25
# What operations look at is kept for so many of their regions: layers see much alike.
MOST_REGIONS = 2**16


class _Places:
    """Where the entries of one value are in another: `places` count along it, -1 is nowhere.

    Where each axis goes its own way, a line for each axis says it all.
    """

    def __init__(self, places: np.ndarray, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._lines = _lines_of(places, shape)
        self._places = places if self._lines is None else None

    @property
    def size(self) -> int:
        """How many numbers are kept."""
        return sum(table.size for table in (self._lines or (self._places,)) if table is not None)

    def part(self, region: Region) -> Region | None:
        """Return the first and last places of a region along every axis, None for nowhere."""
        slices = tuple(slice(first, last + 1) for first, last in region)
        if self._places is None:
            axes = [line[own] for line, own in zip(self._lines or (), slices, strict=True)]
            axes = [places[places >= 0] for places in axes]
        else:
            places = self._places[slices]
            axes = [*np.unravel_index(places[places >= 0], self._shape)]
        if not all(axis.size for axis in axes):
            return None
        return tuple((int(axis.min()), int(axis.max())) for axis in axes)


def _lines_of(places: np.ndarray, shape: tuple[int, ...]) -> list[np.ndarray] | None:
    """Return for each axis where its entries are along the same axis, None where others move it."""
    if places.ndim != len(shape) or not places.size:
        return None
    start = np.unravel_index(places.argmax(), places.shape)
    lines = []
    for own in range(places.ndim):
        along = places[tuple(slice(None) if i == own else at for i, at in enumerate(start))]
        axis = np.unravel_index(along.clip(0), shape)[own]
        lines.append(np.where(along >= 0, axis, -1))
    spread = np.meshgrid(*lines, indexing="ij", sparse=True)
    expected: Any = 0
    for line, count in zip(spread, shape, strict=True):
        # Once below zero, always so: a missing entry stays missing.
        expected = np.where((line < 0) | (expected < 0), -1, expected * count + line)
    return lines if np.array_equal(expected, places) else None


class Regions:
    """Regions of one graph, for images of one size."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._of_image = {*graph.nodes} - graph.constants
        self._necks = graph.necks()
        self._wholes: dict[fx.Node, Region | None] = {}
        self._rules: dict[fx.Node, Callable[[fx.Node, Region], Inputs] | None] = {}
        self._tables: dict[tuple[fx.Node, fx.Node], _Places] = {}
        self._known: dict[tuple[fx.Node, Region], list[tuple[fx.Node, Region]]] = {}

    def seen(self, node: fx.Node, entry: Sequence[int]) -> Region | None:
        """Return the entries of the image that can move one entry of a node's value.

        None where nothing in the image can.
        """
        return self._seen(node, tuple((i, i) for i in entry))

    def _seen(self, node: fx.Node, region: Region) -> Region | None:
        order, regions = self._graph.order, {node: region}
        waiting = [-order[node]]
        while waiting:
            step = self._graph.nodes[-heappop(waiting)]
            if step is self._graph.image:
                return regions[step]
            if step is not node and step in self._necks and regions[step] == self._all(step):
                return self._by_all_of(step)
            for source, part in self._inputs(step, regions[step]):
                if source not in regions:
                    heappush(waiting, -order[source])
                regions[source] = _joined(part, regions.get(source))
        return None

    def _by_all_of(self, neck: fx.Node) -> Region | None:
        """Return what all entries of a value together see, through which everything passes."""
        if neck not in self._wholes:
            self._wholes[neck] = self._seen(neck, self._all(neck))
        return self._wholes[neck]

    def _shape(self, node: fx.Node) -> tuple[int, ...] | None:
        return self._graph.shape(node)

    def _all(self, node: fx.Node) -> Region:
        return tuple((0, n - 1) for n in self._shape(node) or ())

    def _inputs(self, node: fx.Node, region: Region) -> list[tuple[fx.Node, Region]]:
        """Return what an operation looks at for a region of its result."""
        if (node, region) not in self._known:
            if len(self._known) > MOST_REGIONS:
                self._known.clear()
            self._known[node, region] = list(self._looks_at(node, region))
        return self._known[node, region]

    def _looks_at(self, node: fx.Node, region: Region) -> Inputs:
        if node not in self._rules:
            self._rules[node] = self._rule(node) if self._shape(node) is not None else None
        rule = self._rules[node]
        known: Iterable[tuple[fx.Node, Region]] | None = None
        # Arguments that no rule foresaw may fail in any way: then it looks at everything.
        with suppress(Exception):
            known = None if rule is None else list(rule(node, region))
        for source, part in self._everything(node) if known is None else known:
            empty = any(first > last for first, last in part)
            if source in self._of_image and hands_on(source, node) and not empty:
                yield source, part

    def _everything(self, node: fx.Node) -> Inputs:
        return ((source, self._all(source)) for source in node.all_input_nodes)

    def _rule(self, node: fx.Node) -> Callable[[fx.Node, Region], Inputs] | None:
        kind = kind_of(self._graph, node)
        if is_pointwise(self._graph, node):
            return self._same
        if axes_behind(self._graph, node) is not None:
            return self._permuted
        rules: Mapping[frozenset[str], Callable[[fx.Node, Region], Inputs]] = {
            _RESHAPES: self._reshaped,
            _MOVES: self._moved,
            _MODULE_MOVES: self._moved,
            _REDUCES: self._reduced,
            _RESIZES: self._resized,
            _ADAPTIVE: self._pooled,
            LAST_AXES: self._along_last,
            _TRANSPOSED: self._transposed,
            _ASSIGNED: self._assigned,
        }
        rule = next((rule for kinds, rule in rules.items() if kind in kinds), None)
        if rule is not None or map_window(self._graph, node) is None:
            return rule
        return self._windowed

    # rules -------------------------------------------------------------------------------------

    def _same(self, node: fx.Node, region: Region) -> Inputs:
        """Each entry by itself, smaller inputs spread over larger ones."""
        for source in (s for s in node.all_input_nodes if hands_on(s, node)):
            shape = self._shape(source)
            if shape is not None and len(shape) <= len(region):
                ends = region[len(region) - len(shape) :]
                pairs = zip(shape, ends, strict=True)
                yield source, tuple((0, 0) if n == 1 else r for n, r in pairs)
            else:
                yield source, self._all(source)

    def _assigned(self, node: fx.Node, region: Region) -> Inputs:
        changed, *others = node.all_input_nodes
        yield changed, region
        for source in others:
            yield source, self._all(source)

    def _reshaped(self, node: fx.Node, region: Region) -> Inputs:
        source = node.all_input_nodes[0]
        yield source, _unraveled(region, self._shape(node) or (), self._shape(source) or ())

    def _permuted(self, node: fx.Node, region: Region) -> Inputs:
        (source,) = node.all_input_nodes
        order = axes_behind(self._graph, node) or ()
        yield source, tuple(region[order.index(axis)] for axis in range(len(order)))

    def _moved(self, node: fx.Node, region: Region) -> Inputs:
        """Entries that come from elsewhere: looked up where."""
        behind = node
        if self._shape(node.all_input_nodes[0]) is None and kind_of(self._graph, node) == "getitem":
            behind = node.all_input_nodes[0]
            if kind_of(self._graph, behind) not in _MOVES:
                yield behind, ()
                return
        sources = [s for s in behind.all_input_nodes if self._shape(s) and s in self._of_image]
        for source in sources:
            table = self._table(node, behind, source, sources)
            part = table.part(region)
            if part is not None:
                yield source, part

    def _table(
        self, node: fx.Node, behind: fx.Node, source: fx.Node, sources: Sequence[fx.Node]
    ) -> _Places:
        """Return where in a source's value the entries of a node's are."""
        if (node, source) not in self._tables:
            if sum(table.size for table in self._tables.values()) > MOST_ENTRIES:
                self._tables.clear()
            places = self._looked_up(node, behind, source, sources)
            self._tables[node, source] = _Places(places, self._shape(source) or ())
        return self._tables[node, source]

    def _looked_up(
        self, node: fx.Node, behind: fx.Node, source: fx.Node, sources: Sequence[fx.Node]
    ) -> np.ndarray:
        """Return for each entry of a node's value which of a source's it is, -1 for none of it."""
        numbers = {s: torch.zeros(self._shape(s) or (), dtype=torch.float64) for s in sources}
        count = numbers[source].numel()
        own = torch.arange(count, dtype=torch.float64).view(numbers[source].shape)
        one, other = (
            self._steps(node, behind, {**numbers, source: own + shift}) for shift in (1, count + 1)
        )
        return torch.where(other - one == count, one.round() - 1, -1).long().numpy()

    def _steps(self, node: fx.Node, behind: fx.Node, values: Mapping[fx.Node, Tensor]) -> Tensor:
        given: dict[fx.Node, Any] = dict(values)
        rest = [s for s in behind.all_input_nodes if s not in given]
        given |= self._graph.run({self._graph.image: self._image()}, rest) if rest else {}
        out = self._graph.step(behind, given)
        made: Tensor = out if node is behind else self._graph.step(node, {behind: out})
        return made

    def _image(self) -> Tensor:
        return torch.zeros(self._shape(self._graph.image) or ())

    def _reduced(self, node: fx.Node, region: Region) -> Inputs:
        """All along the axes that are named, each entry by itself along the others."""
        shape = self._shape(node) or ()
        for source in node.all_input_nodes:
            size = self._shape(source) or ()
            axes = _named_axes(self._graph, node, len(size))
            every = self._all(source)
            if len(shape) < len(size) - len(axes):
                yield source, every
                continue
            kept = len(shape) == len(size)
            left = iter(region if kept else _spread(region, axes, len(size)))
            pairs = zip(every, left, strict=True)
            yield source, tuple(a if i in axes else r for i, (a, r) in enumerate(pairs))

    def _along_last(self, node: fx.Node, region: Region) -> Inputs:
        """Linear layers and normalisations of the last axes: all along these."""
        source, *others = node.all_input_nodes
        every = self._all(source)
        kept = len(every) - last_axes(self._graph, node)
        yield source, (*region[:kept], *every[kept:])
        for other in others:
            yield other, self._all(other)

    def _windowed(self, node: fx.Node, region: Region) -> Inputs:
        source, *others = node.all_input_nodes
        window = map_window(self._graph, node) or SlidingWindow()
        size = self._shape(source) or ()
        cells = inputs_of(Cells(*region[-2:]), window)
        mode = padding_mode(self._graph, node)
        ends = tuple(_inside(r, n, mode) for r, n in zip(cells, size[-2:], strict=True))
        yield source, (*self._channels(node, region[:-2], size), *ends)
        for other in others:
            yield other, self._all(other)

    def _channels(self, node: fx.Node, front: Region, size: Sequence[int]) -> Region:
        """Return what a window looks at beside rows and columns."""
        mixes = kind_of(self._graph, node) == "conv2d"
        return (*front[:-1], (0, size[-3] - 1)) if mixes else front

    def _transposed(self, node: fx.Node, region: Region) -> Inputs:
        source, *_ = node.all_input_nodes
        module: Any = self._graph.module(node)
        size = self._shape(source) or ()
        settings = (module.kernel_size, module.stride, module.padding, module.dilation)
        ends = (
            (max(-((d * (k - 1) - p - first) // s), 0), min((last + p) // s, n - 1))
            for (first, last), n, k, s, p, d in zip(region[-2:], size[-2:], *settings, strict=True)
        )
        yield source, (*region[:-3], (0, size[-3] - 1), *ends)

    def _pooled(self, node: fx.Node, region: Region) -> Inputs:
        """Pooling to a fixed size."""
        (source,) = node.all_input_nodes
        size, shape = self._shape(source) or (), self._shape(node) or ()
        ends = (
            (first * n // m, -(-(last + 1) * n // m) - 1)
            for (first, last), n, m in zip(region[-2:], size[-2:], shape[-2:], strict=True)
        )
        yield source, (*region[:-2], *ends)

    def _resized(self, node: fx.Node, region: Region) -> Inputs:
        """Interpolation: what its own gradient reaches, of maps of a single channel."""
        source = node.all_input_nodes[0]
        size = self._shape(source) or ()
        if len(size) != 4:
            yield source, self._all(source)
            return
        draw = torch.Generator().manual_seed(0)
        with torch.enable_grad():
            maps = torch.zeros(1, 1, *size[2:], dtype=torch.float64, requires_grad=True)
            out = self._steps(node, node, {source: maps})
            (rows, columns) = region[2:]
            cells = out[0, 0, rows[0] : rows[1] + 1, columns[0] : columns[1] + 1]
            weights = 1 + torch.rand(cells.shape, generator=draw, dtype=torch.float64)
            (reached,) = torch.autograd.grad((cells * weights).sum(), maps)
        places = reached[0, 0].nonzero().T
        yield source, (*region[:2], *((int(p.min()), int(p.max())) for p in places))


_MODULE_MOVES = words(
    "pixelshuffle pixelunshuffle channelshuffle unfold zeropad2d constantpad2d reflectionpad2d"
    " replicationpad2d circularpad2d"
)
_TRANSPOSED = frozenset(("convtranspose2d",))
_ASSIGNED = frozenset(("assigned",))


def _joined(one: Region, other: Region | None) -> Region:
    """Return the smallest region that holds both."""
    if other is None:
        return one
    pairs = zip(one, other, strict=True)
    return tuple((min(a[0], b[0]), max(a[1], b[1])) for a, b in pairs)


def _inside(cells: Range, size: int, mode: str) -> Range:
    """Return the cells of a map that a window reads which may reach over its border."""
    first, last = cells
    inside = max(first, 0), min(last, size - 1)
    if mode == "zeros" or inside == cells:
        return inside
    if mode == "circular":
        return 0, size - 1
    border = (-first, 2 * (size - 1) - last) if mode == "reflect" else (0, size - 1)
    lows = [border[0]] if first < 0 else []
    highs = [border[1]] if last >= size else []
    ends = [min(max(i, 0), size - 1) for i in (*inside, *lows, *highs)]
    return min(ends), max(ends)


def _spread(region: Region, axes: Sequence[int], count: int) -> Region:
    """Return a region with an axis of one entry where an axis was reduced."""
    left = iter(region)
    return tuple((0, 0) if i in axes else next(left) for i in range(count))


def _unraveled(region: Region, shape: Sequence[int], size: Sequence[int]) -> Region:
    """Return the region that a region of a reshaped value had before, in a value of `size`."""
    before: list[Range] = [(0, 0)] * len(size)
    for own, other in zip(_axis_groups(shape, size), _axis_groups(size, shape), strict=True):
        first, last = (
            sum(
                region[i][end] * math.prod(shape[j] for j in own[n + 1 :])
                for n, i in enumerate(own)
            )
            for end in (0, 1)
        )
        for n, axis in enumerate(other):
            below = math.prod(size[j] for j in other[n + 1 :])
            before[axis] = first // below, last // below
            same = first // below == last // below
            first, last = (first % below, last % below) if same else (0, below - 1)
    return tuple(before)


def _axis_groups(shape: Sequence[int], other: Sequence[int]) -> list[list[int]]:
    """Return the fewest neighbouring axes of a shape that some of another one hold too.

    Axes of one entry are left out.
    """
    ends = {math.prod(other[: i + 1]) for i in range(len(other))}
    groups: list[list[int]] = [[]]
    for axis, n in enumerate(shape):
        if n > 1:
            groups[-1].append(axis)
            if math.prod(shape[: axis + 1]) in ends:
                groups.append([])
    return groups[:-1]


def _named_axes(graph: Graph, node: fx.Node, count: int) -> tuple[int, ...]:
    """Return the axes that an operation reduces, all where they are not named."""
    module: Any = graph.module(node)
    name = "dim" if "dim" in node.kwargs else "axis"
    place = 2 if kind_of(graph, node) in ("norm", "vector_norm", "normalize") else 1
    default = 1 if kind_of(graph, node) in ("normalize", "cosine_similarity") else None
    given = setting(node, place, name, default) if module is None else module.dim
    axes = tuple(range(count)) if given is None else given
    axes = (axes,) if isinstance(axes, int) else axes
    if not all(isinstance(axis, int) for axis in axes):
        return tuple(range(count))
    return tuple(axis % count for axis in axes)
