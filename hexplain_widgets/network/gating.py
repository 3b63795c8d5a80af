"""Gated layers: what a network answers when some channels of a layer are closed, and which are.

The network runs once up to the layer; behind it only what a gate touches is run again, and where
that begins linearly, each channel's part is computed once and summed over the open ones.
`gates_for` draws the gates of an image, `proximity` weighs them.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, fx

from .backends import TracedGraph
from .linear_parts import (
    MOST_PARTS,
    GateSums,
    HeadProducts,
    LinearHead,
    MixingPoint,
    head_of,
    mixing_of,
    parts_of,
)
from .probe import Capture, Probe
from .segments import INNER_CHANNELS, Segment, batch_cells, close

# Rows of a head without space: they cost little, and a matrix product wants many.
HEAD_ROWS = 4096
CHECKED_GATES = 4
# Gates of an image from which the parts of its channels are worth their making, and gates whose
# sums are made at once: the parts are read from memory for each such batch.
FEW_GATES, SUMMED_GATES = 16, 64
# sigma in Eq. 7 over the root of the layer's width: it must grow with it, or all weights vanish.
SIGMA = 0.75


@dataclass(frozen=True)
class ForwardCache:
    """A batch of images inside a network: what every gate starts from.

    `unclipped` holds, where they were asked for, the maps before an upper clip of those layers that
    have one.
    """

    logits: Float[Tensor, "n c"]
    maps: Mapping[str, Tensor]
    captures: Sequence[Capture] = ()
    beside: Mapping[str, Mapping[fx.Node, Any]] = field(default_factory=dict)
    unclipped: Mapping[str, Tensor] = field(default_factory=dict)


# From gates to what the network answers to each.
Responder = Callable[[Bool[Tensor, "n g k"]], Float[Tensor, "n g d"]]
# From the images of rows and the values of nodes for them to the value of a deeper node.
Finish = Callable[[Int[Tensor, " r"], Mapping[fx.Node, Tensor]], Float[Tensor, "r ..."]]
# From the images of rows and maps of the first of linked layers to the maps of all, and the logits.
LinkedRun = Callable[
    [ForwardCache, Int[Tensor, " r"], Float[Tensor, "r k h w"]],
    tuple[list[Tensor], Float[Tensor, "r c"]],
]


class LayerGates(ABC):
    """Layers of a network whose channels can be closed; call it inside `guest.visiting`."""

    @abstractmethod
    def take(self, x: Float[Tensor, "n ch h w"], *, unclipped: bool = False) -> ForwardCache:
        """Run the network once on a batch of images; `unclipped` keeps maps before clips, too."""

    @abstractmethod
    def responder(self, cache: ForwardCache, layer: str, deep: str | None = None) -> Responder:
        """Return what answers gates on a layer: as `means` for a deeper one, else as `answers`.

        What all gates have in common is computed once, when the first are asked, and kept as long.
        Raises ValueError where `deep` does not depend on `layer`.
        """

    def answers(
        self, cache: ForwardCache, layer: str, gates: Bool[Tensor, "n g k"]
    ) -> Float[Tensor, "n g c"]:
        """Return the logits of every image for every gate on a layer."""
        return self.responder(cache, layer)(gates)

    def means(
        self, cache: ForwardCache, layer: str, deep: str, gates: Bool[Tensor, "n g k"]
    ) -> Float[Tensor, "n g d"]:
        """Return the spatial means of a deeper layer's channels for every gate on a layer.

        In float32 at least. Raises ValueError where `deep` does not depend on `layer`.
        """
        return self.responder(cache, layer, deep)(gates)

    @abstractmethod
    def behind(
        self,
        cache: ForwardCache,
        layer: str,
        image: Int[Tensor, " r"],
        maps: Float[Tensor, "r k h w"],
    ) -> Float[Tensor, "r c"]:
        """Return the logits with other maps in the place of a layer's, `image` says of which image.

        Differentiable in the maps where gradients are on.
        """

    @abstractmethod
    def linked(self, layers: Sequence[str]) -> LinkedRun | None:
        """Return what runs through these layers, shallowest first, and on to the logits.

        Each layer's maps are computed from the ones before, so that gradients lead from the logits
        to all. None where a layer is not all that the next ones depend on, or that is not known.
        """


def gated(probe: Probe, x: Float[Tensor, "n ch h w"], layers: Sequence[str]) -> LayerGates:
    """Return the fastest gates on these layers that give the network's own answers for `x`."""
    graph = probe.graph(x)
    if graph is not None:
        on_graph = _GraphGates(graph, layers)
        # A forward that mixes the images of a batch is found out by two of them alone.
        several = x if len(x) > 1 else torch.cat((x, x.flip(-1)))
        # A forward that is written for one image at a time may fail in any way on several.
        with suppress(RuntimeError, IndexError, TypeError, ValueError, KeyError):
            if on_graph.agrees(several):
                return on_graph
    return _ReplayGates(probe, layers)


class _GraphGates(LayerGates):
    """Gates on the graph of a traced network, batches of images at once."""

    def __init__(self, traced: TracedGraph, layers: Sequence[str]) -> None:
        self._graph = traced.graph
        self._nodes = {name: traced.known(name) for name in layers}
        self._crossing = {name: traced.crossing(node) for name, node in self._nodes.items()}
        self._heads: dict[str, LinearHead | None] = {
            name: head_of(self._graph, node) for name, node in self._nodes.items()
        }
        self._clips = {
            name: traced.before_clip(node)
            for name, node in self._nodes.items()
            if traced.bound(node) is not None
        }
        self._summed: set[str] = set()
        self._channels_last: set[str] = set()
        self._of_each: set[fx.Node] = set()

    def take(self, x: Float[Tensor, "n ch h w"], *, unclipped: bool = False) -> ForwardCache:
        clips = self._clips if unclipped else {}
        others = {n for nodes in self._crossing.values() for n in nodes}
        before = {node for node, _ in clips.values()}
        wanted = {*self._nodes.values(), self._graph.result, *others, *before}
        values = self._graph.run({self._graph.image: x}, wanted)
        return ForwardCache(
            values[self._graph.result],
            {name: values[node] for name, node in self._nodes.items()},
            beside={k: {n: values[n] for n in nodes} for k, nodes in self._crossing.items()},
            unclipped={k: values[node].clamp(min=low) for k, (node, low) in clips.items()},
        )

    def responder(self, cache: ForwardCache, layer: str, deep: str | None = None) -> Responder:
        end, maps = self._end(layer, deep), cache.maps[layer]
        head = self._heads[layer] if deep is None else None
        if head is not None:
            return partial(_from_products, head, head.products(maps))
        finish = partial(self._until, end, cache, layer)
        along = _channels_last(maps) if layer in self._channels_last else maps
        by_copies = partial(_from_copies, finish, self._nodes[layer], along)
        mixing = self._mixing(layer, end) if layer in self._summed else None
        if mixing is None:
            return by_copies
        by_sums = partial(_from_parts, finish, parts_of(mixing, maps))
        return lambda gates: (by_copies if gates.shape[1] < FEW_GATES else by_sums)(gates)

    def _mixing(self, layer: str, end: fx.Node) -> MixingPoint | None:
        return mixing_of(self._graph, self._nodes[layer], end)

    def _end(self, layer: str, deep: str | None) -> fx.Node:
        end: fx.Node = self._graph.result if deep is None else self._nodes[deep]
        if deep is not None and end not in self._graph.behind(self._nodes[layer]):
            raise not_behind(deep, layer)
        return end

    def behind(
        self,
        cache: ForwardCache,
        layer: str,
        image: Int[Tensor, " r"],
        maps: Float[Tensor, "r k h w"],
    ) -> Float[Tensor, "r c"]:
        given = {self._nodes[layer]: maps}
        return self._until(self._graph.result, cache, layer, image, given)

    def _until(
        self,
        end: fx.Node,
        cache: ForwardCache,
        layer: str,
        image: Int[Tensor, " r"],
        given: Mapping[fx.Node, Tensor],
    ) -> Float[Tensor, "r ..."]:
        images, beside = len(cache.logits), cache.beside[layer]
        others = {n: v[image] if n in self._of_each else v for n, v in beside.items()}
        counts = {n: v // images * len(image) for n, v in beside.items() if isinstance(v, int)}
        others |= counts
        return self._graph.run({**given, **others}, {end})[end]

    def linked(self, layers: Sequence[str]) -> LinkedRun | None:
        nodes = [self._nodes[name] for name in layers]
        every = all(
            deep in self._graph.behind(shallow)
            and not set(self._crossing[name]) & (self._graph.behind(nodes[0]) | {nodes[0]})
            for shallow, deep, name in zip(nodes, nodes[1:], layers[1:], strict=False)
        )
        return partial(self._through, layers) if every else None

    def _through(
        self,
        layers: Sequence[str],
        cache: ForwardCache,
        image: Int[Tensor, " r"],
        maps: Float[Tensor, "r k h w"],
    ) -> tuple[list[Tensor], Float[Tensor, "r c"]]:
        along = [maps]
        for name, after in pairwise(layers):
            given = {self._nodes[name]: along[-1]}
            along.append(self._until(self._nodes[after], cache, name, image, given))
        return along, self.behind(cache, layers[-1], image, along[-1])

    def agrees(self, x: Float[Tensor, "n ch h w"]) -> bool:
        """Whether open gates give the network's own logits; drops the sums that give others."""
        cache = self.take(x)
        if len(cache.logits) != len(x) or not close(self.take(x[:1]).logits, cache.logits[:1]):
            return False
        self._of_each = self._images_in(x[:1])
        for layer, maps in cache.maps.items():
            gates = _few_gates(maps)
            finish = partial(self._until, self._graph.result, cache, layer)
            whole = _from_copies(finish, self._nodes[layer], maps, gates)
            if not close(whole[:, 0], cache.logits):
                return False
            if self._may_lie_otherwise(finish, layer, maps, gates, whole):
                self._channels_last.add(layer)
            if self._heads[layer] and not close(self.answers(cache, layer, gates), whole):
                self._heads[layer] = None
            if self._sums_agree(cache, layer, gates[:1], whole[:1]):
                self._summed.add(layer)
        return True

    def _may_lie_otherwise(
        self,
        finish: Finish,
        layer: str,
        maps: Float[Tensor, "n k h w"],
        gates: Bool[Tensor, "n g k"],
        whole: Float[Tensor, "n g c"],
    ) -> bool:
        """Whether maps with their channels last in memory, on which a CPU is faster, do as well."""
        if maps.device.type != "cpu":
            return False
        # What follows may ask for the usual order in memory.
        with suppress(RuntimeError):
            last = _from_copies(finish, self._nodes[layer], _channels_last(maps), gates)
            return close(last, whole)
        return False

    def _sums_agree(
        self,
        cache: ForwardCache,
        layer: str,
        gates: Bool[Tensor, "1 g k"],
        whole: Float[Tensor, "1 g c"],
    ) -> bool:
        """Whether the parts of a layer's channels can be kept and add up to the same answers."""
        mixing, maps = self._mixing(layer, self._graph.result), cache.maps[layer]
        if mixing is None:
            return False
        finish = partial(self._until, self._graph.result, cache, layer)
        # What follows may ask for an order in memory that the sums do not have.
        with suppress(RuntimeError):
            if mixing.length(maps[:1]) <= MOST_PARTS:
                return close(_from_parts(finish, parts_of(mixing, maps), gates), whole)
        return False

    def _images_in(self, x: Float[Tensor, "1 ch h w"]) -> set[fx.Node]:
        """Return the nodes beside the layers whose first axis counts images: two make it longer."""
        one, two = (self.take(x.expand(n, *x.shape[1:])).beside for n in (1, 2))
        return {
            node
            for name, values in one.items()
            for node, value in values.items()
            if isinstance(value, Tensor) and value.shape[:1] != two[name][node].shape[:1]
        }


class _ReplayGates(LayerGates):
    """Gates on the segments of one image after the other."""

    def __init__(self, probe: Probe, layers: Sequence[str]) -> None:
        self._probe = probe
        self._layers = tuple(layers)

    def take(self, x: Float[Tensor, "n ch h w"], *, unclipped: bool = False) -> ForwardCache:
        captures, before = [], []
        for one in x:
            captures.append(self._probe.capture(one[None], self._layers))
            before.append(self._probe.before_clips(captures[-1]) if unclipped else {})
        maps = {n: torch.cat([c.maps[n] for c in captures]) for n in self._layers}
        found = {n: torch.cat([one[n] for one in before]) for n in (before[0] if before else ())}
        logits = torch.cat([c.logits for c in captures])
        return ForwardCache(logits, maps, captures, unclipped=found)

    def responder(self, cache: ForwardCache, layer: str, deep: str | None = None) -> Responder:
        order = [n.name for n in cache.captures[0].layers]
        if deep is not None and order.index(deep) >= order.index(layer):
            raise not_behind(deep, layer)

        def ask(gates: Bool[Tensor, "n g k"]) -> Float[Tensor, "n g d"]:
            pairs = zip(cache.captures, gates, strict=True)
            return torch.stack(
                [self._of_one(capture, layer, deep, some) for capture, some in pairs]
            )

        return ask

    def _of_one(
        self, capture: Capture, layer: str, deep: str | None, gates: Bool[Tensor, "g k"]
    ) -> Float[Tensor, "g c"]:
        segment: Segment = self._probe.segment(capture, layer, deep)
        maps = capture.maps[layer]

        def run(part: slice) -> Tensor:
            return _read(segment.forward(maps * gates[part, :, None, None]))

        return in_batches(run, len(gates), rows_at_once(maps))

    def behind(
        self,
        cache: ForwardCache,
        layer: str,
        image: Int[Tensor, " r"],
        maps: Float[Tensor, "r k h w"],
    ) -> Float[Tensor, "r c"]:
        logits = torch.zeros(len(maps), cache.logits.shape[1], device=maps.device)
        logits = logits.to(cache.logits.dtype)
        for i in image.unique().tolist():
            rows = torch.nonzero(image == i)[:, 0]
            segment = self._probe.segment(cache.captures[i], layer, None)
            logits = logits.index_copy(0, rows, segment.run(maps[rows]))
        return logits

    def linked(self, layers: Sequence[str]) -> LinkedRun | None:
        return None


def not_behind(deep: str, layer: str) -> ValueError:
    """Return the error of a layer that does not depend on the gated one."""
    return ValueError(
        f"{deep} does not depend on {layer}; expected layers that follow one another; see hx.layers"
        " for their order"
    )


def _channels_last(maps: Float[Tensor, "n k h w"]) -> Float[Tensor, "n k h w"]:
    return maps.contiguous(memory_format=torch.channels_last)


def _from_products(
    head: LinearHead, products: HeadProducts, gates: Bool[Tensor, "n g k"]
) -> Float[Tensor, "n g c"]:
    rows = torch.cat([products.rows(i, some) for i, some in enumerate(gates)])
    out = in_batches(lambda part: head.behind(rows[part]), len(rows), HEAD_ROWS)
    return out.view(*gates.shape[:2], -1)


def _from_copies(
    finish: Finish, node: fx.Node, maps: Float[Tensor, "n k h w"], gates: Bool[Tensor, "n g k"]
) -> Float[Tensor, "n g d"]:
    """Run what is behind a layer again on gated copies of its maps."""
    flat = gates.flatten(0, 1)
    image = torch.arange(len(maps), device=maps.device).repeat_interleave(gates.shape[1])

    def run(part: slice) -> Tensor:
        rows = maps[image[part]] * flat[part, :, None, None]
        return _read(finish(image[part], {node: rows}))

    return in_batches(run, len(flat), rows_at_once(maps)).view(*gates.shape[:2], -1)


def _from_parts(
    finish: Finish, parts: Callable[[int], GateSums], gates: Bool[Tensor, "n g k"]
) -> Float[Tensor, "n g d"]:
    """Begin at the first sums over channels, whose parts no gate changes."""

    def of_image(i: int, part: slice) -> Tensor:
        own, some = parts(i), gates[i, part]
        sums, image = own.summed(some), torch.full((len(some),), i, device=some.device)

        def run(rows: slice) -> Tensor:
            given = {n: v[rows] for n, v in sums.items()} | own.copied(some[rows])
            return _read(finish(image[rows], given))

        return in_batches(run, len(some), min(map(rows_at_once, sums.values())))

    n, g = gates.shape[:2]
    return torch.stack([in_batches(partial(of_image, i), g, SUMMED_GATES) for i in range(n)])


def _read(out: Float[Tensor, "r ..."]) -> Float[Tensor, "r d"]:
    return spatial_means(out) if out.ndim == 4 else out


def spatial_means(maps: Float[Tensor, "n k h w"]) -> Float[Tensor, "n k"]:
    """Return every channel's mean over space, in float32 at least."""
    return (maps if maps.dtype == torch.float64 else maps.float()).mean((2, 3))


def rows_at_once(maps: Float[Tensor, "n k h w"]) -> int:
    """Return how many maps of a layer are run at once on their device."""
    _, k, h, w = maps.shape
    return max(1, batch_cells(maps.device) // (max(k, INNER_CHANNELS) * h * w))


def in_batches(run: Callable[[slice], Tensor], count: int, size: int) -> Float[Tensor, "r ..."]:
    """Run rows batch by batch; a batch that does not fit the device's memory is halved."""
    outputs: list[Tensor] = []
    done = 0
    while done < count:
        try:
            outputs.append(run(slice(done, done + size)))
        except torch.cuda.OutOfMemoryError:
            if size == 1:
                raise
            size //= 2
            torch.cuda.empty_cache()
            continue
        done += size
    return torch.cat(outputs)


def _few_gates(maps: Float[Tensor, "n k h w"]) -> Bool[Tensor, "n g k"]:
    """All open, all closed, and every second or third channel closed."""
    n, k = maps.shape[:2]
    number = torch.arange(k, device=maps.device)
    gates = torch.stack([number >= 0, number < 0, number % 2 > 0, number % 3 > 0])
    return gates.expand(n, CHECKED_GATES, k)


def gates_for(
    image: bytes, layer: str, *, count: int, channels: int, seed: int
) -> Bool[np.ndarray, "count channels"]:
    """Return the gates of one image at one layer, True where a channel stays open.

    The first row is all open. In each other row the number of open channels is uniform in
    1..`channels`, and which they are is drawn without replacement. `image` identifies the image by
    its content, so that neither batches nor the order of the data change what is drawn.
    """
    draw = drawing(image, layer, seed)
    gates = np.ones((count, channels), dtype=bool)
    gates[1:] = _opened(draw, count - 1, channels)
    return gates


def drawing(image: bytes, name: str, seed: int) -> np.random.Generator:
    """Return what draws for one image and purpose, whatever is drawn for others and when."""
    return np.random.Generator(np.random.Philox(key=_key(image, name, seed)))


def _key(image: bytes, name: str, seed: int) -> int:
    text = b"\0".join((image, name.encode(), str(seed).encode()))
    return int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little")


def _opened(
    draw: np.random.Generator, count: int, channels: int
) -> Bool[np.ndarray, "count channels"]:
    """A threshold uniform in 0..1 opens a number uniform in 0..K; rows without any are redrawn."""
    gates = draw.random((count, channels), np.float32) < draw.random((count, 1), np.float32)
    empty = ~gates.any(axis=1)
    if empty.any():
        gates[empty] = _opened(draw, int(empty.sum()), channels)
    return gates


def proximity(gates: Bool[np.ndarray, "*n k"], sigma: float = SIGMA) -> Float[np.ndarray, "*n"]:
    """Return h(d) = exp(-|d - 1|² / (sigma² K)) of Eq. 7, sigma in units of sqrt(K)."""
    closed = (~gates).sum(axis=-1)
    return np.exp(-closed / (sigma**2 * gates.shape[-1]))
