"""Gated layers: what a network answers when some channels of a layer are closed.

The network runs once up to the layer; behind it only what a gate touches is run again, and where
that begins linearly, each channel's part is computed once and summed over the open ones.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, fx

from .channelwise import LinearHead, head_of
from .probe import Capture, Probe
from .segments import BATCH_CELLS, INNER_CHANNELS, Segment, rounding
from .traced import Traced

# Cells of gated maps run at once on an accelerator, where a large batch is what pays.
BATCH_CELLS_DEVICE = 2**28
# Rows of a head without space: they cost little, and a matrix product wants many.
HEAD_ROWS = 4096
CHECKED_GATES = 4


@dataclass(frozen=True)
class Taken:
    """A batch of images inside a network: what every gate starts from."""

    logits: Float[Tensor, "n c"]
    maps: Mapping[str, Tensor]
    captures: Sequence[Capture] = ()
    beyond: Mapping[str, Mapping[fx.Node, Any]] = field(default_factory=dict)


class Gated(ABC):
    """Layers of a network whose channels can be closed; call it inside `guest.visiting`."""

    @abstractmethod
    def take(self, x: Float[Tensor, "n ch h w"]) -> Taken:
        """Run the network once on a batch of images."""

    @abstractmethod
    def answers(
        self, taken: Taken, layer: str, gates: Bool[Tensor, "n g k"]
    ) -> Float[Tensor, "n g c"]:
        """Return the logits of every image for every gate on a layer."""

    @abstractmethod
    def means(
        self, taken: Taken, layer: str, deep: str, gates: Bool[Tensor, "n g k"]
    ) -> Float[Tensor, "n g d"]:
        """Return the spatial means of a deeper layer's channels for every gate on a layer.

        In float32 at least. Raises ValueError where `deep` does not depend on `layer`.
        """

    @abstractmethod
    def behind(
        self,
        taken: Taken,
        layer: str,
        image: Int[Tensor, " r"],
        maps: Float[Tensor, "r k h w"],
    ) -> Float[Tensor, "r c"]:
        """Return the logits with other maps in the place of a layer's, `image` says of which image.

        Differentiable in the maps where gradients are on.
        """

    def linked(self, layers: Sequence[str]) -> bool:
        """Whether each of these layers, shallowest first, is all that the next ones depend on."""
        return False

    def through(
        self,
        taken: Taken,
        layers: Sequence[str],
        image: Int[Tensor, " r"],
        maps: Float[Tensor, "r k h w"],
    ) -> tuple[list[Tensor], Float[Tensor, "r c"]]:
        """Return the maps of linked layers from those of the first, and the logits behind them.

        Each is computed from the one before, so that gradients lead from the logits to all.
        """
        raise NotImplementedError(f"{type(self).__name__} links no layers; ask `linked` first")


def gated(probe: Probe, x: Float[Tensor, "n ch h w"], layers: Sequence[str]) -> Gated:
    """Return the fastest way to gate these layers that gives the network's own answers for `x`."""
    if probe.traced is not None:
        found = _OnGraph(probe.traced, layers)
        # A forward that is written for one image at a time may fail in any way on several.
        with suppress(RuntimeError, IndexError, TypeError, ValueError, KeyError):
            if found.agrees(x):
                return found
    return _OnReplays(probe, layers)


class _OnGraph(Gated):
    """Gates on the graph of a traced network, batches of images at once."""

    def __init__(self, traced: Traced, layers: Sequence[str]) -> None:
        self._graph = traced.graph
        self._nodes = {name: traced.known(name) for name in layers}
        self._crossing = {name: traced.crossing(node) for name, node in self._nodes.items()}
        self._heads: dict[str, LinearHead | None] = {
            name: head_of(self._graph, node) for name, node in self._nodes.items()
        }
        self._of_each: set[fx.Node] = set()

    def take(self, x: Float[Tensor, "n ch h w"]) -> Taken:
        others = {n for nodes in self._crossing.values() for n in nodes}
        wanted = {*self._nodes.values(), self._graph.result, *others}
        values = self._graph.run({self._graph.image: x}, wanted)
        return Taken(
            values[self._graph.result],
            {name: values[node] for name, node in self._nodes.items()},
            beyond={k: {n: values[n] for n in nodes} for k, nodes in self._crossing.items()},
        )

    def answers(
        self, taken: Taken, layer: str, gates: Bool[Tensor, "n g k"]
    ) -> Float[Tensor, "n g c"]:
        head = self._heads[layer]
        return (
            self._whole(taken, layer, gates)
            if head is None
            else self._summed(head, taken.maps[layer], gates)
        )

    def _summed(
        self, head: LinearHead, maps: Float[Tensor, "n k h w"], gates: Bool[Tensor, "n g k"]
    ) -> Float[Tensor, "n g c"]:
        products = head.products(maps)
        rows = torch.cat([products.rows(i, some) for i, some in enumerate(gates)])
        out = in_batches(lambda part: head.behind(rows[part]), len(rows), HEAD_ROWS)
        return out.view(*gates.shape[:2], -1)

    def _whole(
        self, taken: Taken, layer: str, gates: Bool[Tensor, "n g k"]
    ) -> Float[Tensor, "n g c"]:
        return self._each(taken, layer, gates, self._graph.result)

    def means(
        self, taken: Taken, layer: str, deep: str, gates: Bool[Tensor, "n g k"]
    ) -> Float[Tensor, "n g d"]:
        end = self._nodes[deep]
        if end not in self._graph.behind(self._nodes[layer]):
            raise not_behind(deep, layer)
        return self._each(taken, layer, gates, end)

    def _each(
        self, taken: Taken, layer: str, gates: Bool[Tensor, "n g k"], end: fx.Node
    ) -> Float[Tensor, "n g ..."]:
        maps, flat = taken.maps[layer], gates.flatten(0, 1)
        image = torch.arange(len(maps), device=maps.device).repeat_interleave(gates.shape[1])

        def run(part: slice) -> Tensor:
            rows = maps[image[part]] * flat[part, :, None, None]
            out = self._until(end, taken, layer, image[part], rows)
            return out if end is self._graph.result else spatial_means(out)

        return in_batches(run, len(flat), rows_at_once(maps)).view(*gates.shape[:2], -1)

    def behind(
        self,
        taken: Taken,
        layer: str,
        image: Int[Tensor, " r"],
        maps: Float[Tensor, "r k h w"],
    ) -> Float[Tensor, "r c"]:
        return self._until(self._graph.result, taken, layer, image, maps)

    def _until(
        self, end: fx.Node, taken: Taken, layer: str, image: Int[Tensor, " r"], maps: Tensor
    ) -> Float[Tensor, "r ..."]:
        others = {n: v[image] if n in self._of_each else v for n, v in taken.beyond[layer].items()}
        out: Tensor = self._graph.run({self._nodes[layer]: maps, **others}, {end})[end]
        return out

    def linked(self, layers: Sequence[str]) -> bool:
        nodes = [self._nodes[name] for name in layers]
        return all(
            deep in self._graph.behind(shallow)
            and not set(self._crossing[name]) & (self._graph.behind(nodes[0]) | {nodes[0]})
            for shallow, deep, name in zip(nodes, nodes[1:], layers[1:], strict=False)
        )

    def through(
        self,
        taken: Taken,
        layers: Sequence[str],
        image: Int[Tensor, " r"],
        maps: Float[Tensor, "r k h w"],
    ) -> tuple[list[Tensor], Float[Tensor, "r c"]]:
        found = [maps]
        for name, after in pairwise(layers):
            found.append(self._until(self._nodes[after], taken, name, image, found[-1]))
        return found, self.behind(taken, layers[-1], image, found[-1])

    def agrees(self, x: Float[Tensor, "n ch h w"]) -> bool:
        """Whether open gates give the network's own logits; drops the heads that give others."""
        taken = self.take(x)
        self._of_each = self._images_in(x[:1])
        for layer, maps in taken.maps.items():
            gates = _few_gates(maps)
            whole = self._whole(taken, layer, gates)
            if not _close(whole[:, 0], taken.logits):
                return False
            if self._heads[layer] and not _close(self.answers(taken, layer, gates), whole):
                self._heads[layer] = None
        return True

    def _images_in(self, x: Float[Tensor, "1 ch h w"]) -> set[fx.Node]:
        """Return the nodes beside the layers whose first axis counts images: two make it longer."""
        one, two = (self.take(x.expand(n, *x.shape[1:])).beyond for n in (1, 2))
        return {
            node
            for name, values in one.items()
            for node, value in values.items()
            if isinstance(value, Tensor) and value.shape[:1] != two[name][node].shape[:1]
        }


class _OnReplays(Gated):
    """Gates on the segments of one image after the other."""

    def __init__(self, probe: Probe, layers: Sequence[str]) -> None:
        self._probe = probe
        self._layers = tuple(layers)

    def take(self, x: Float[Tensor, "n ch h w"]) -> Taken:
        captures = [self._probe.capture(one[None], self._layers) for one in x]
        maps = {n: torch.cat([c.maps[n] for c in captures]) for n in self._layers}
        return Taken(torch.cat([c.logits for c in captures]), maps, captures)

    def answers(
        self, taken: Taken, layer: str, gates: Bool[Tensor, "n g k"]
    ) -> Float[Tensor, "n g c"]:
        pairs = zip(taken.captures, gates, strict=True)
        return torch.stack([self._of_one(capture, layer, None, some) for capture, some in pairs])

    def means(
        self, taken: Taken, layer: str, deep: str, gates: Bool[Tensor, "n g k"]
    ) -> Float[Tensor, "n g d"]:
        order = [n.name for n in taken.captures[0].layers]
        if order.index(deep) >= order.index(layer):
            raise not_behind(deep, layer)
        pairs = zip(taken.captures, gates, strict=True)
        return torch.stack([self._of_one(capture, layer, deep, some) for capture, some in pairs])

    def _of_one(
        self, capture: Capture, layer: str, deep: str | None, gates: Bool[Tensor, "g k"]
    ) -> Float[Tensor, "g c"]:
        segment: Segment = self._probe.segment(capture, layer, deep)
        maps = capture.maps[layer]

        def run(part: slice) -> Tensor:
            out = segment.forward(maps * gates[part, :, None, None])
            return out if deep is None else spatial_means(out)

        return in_batches(run, len(gates), rows_at_once(maps))

    def behind(
        self,
        taken: Taken,
        layer: str,
        image: Int[Tensor, " r"],
        maps: Float[Tensor, "r k h w"],
    ) -> Float[Tensor, "r c"]:
        found: Tensor = torch.zeros(len(maps), taken.logits.shape[1], device=maps.device)
        found = found.to(taken.logits.dtype)
        for i in image.unique().tolist():
            rows = torch.nonzero(image == i)[:, 0]
            segment = self._probe.segment(taken.captures[i], layer, None)
            found = found.index_copy(0, rows, segment.run(maps[rows]))
        return found


def not_behind(deep: str, layer: str) -> ValueError:
    """Return the error of a layer that does not depend on the gated one."""
    return ValueError(
        f"{deep} does not depend on {layer}; expected layers that follow one another; see hx.layers"
        " for their order"
    )


def spatial_means(maps: Float[Tensor, "n k h w"]) -> Float[Tensor, "n k"]:
    """Return every channel's mean over space, in float32 at least."""
    return (maps if maps.dtype == torch.float64 else maps.float()).mean((2, 3))


def rows_at_once(maps: Float[Tensor, "n k h w"]) -> int:
    """Return how many maps of a layer are run at once on their device."""
    _, k, h, w = maps.shape
    cells = BATCH_CELLS if maps.device.type == "cpu" else BATCH_CELLS_DEVICE
    return max(1, cells // (max(k, INNER_CHANNELS) * h * w))


def in_batches(run: Callable[[slice], Tensor], count: int, size: int) -> Float[Tensor, "r ..."]:
    """Run rows batch by batch; a batch that does not fit the device's memory is halved."""
    found: list[Tensor] = []
    done = 0
    while done < count:
        try:
            found.append(run(slice(done, done + size)))
        except torch.cuda.OutOfMemoryError:
            if size == 1:
                raise
            size //= 2
            torch.cuda.empty_cache()
            continue
        done += size
    return torch.cat(found)


def _few_gates(maps: Float[Tensor, "n k h w"]) -> Bool[Tensor, "n g k"]:
    """All open, all closed, and every second or third channel closed."""
    n, k = maps.shape[:2]
    number = torch.arange(k, device=maps.device)
    gates = torch.stack([number >= 0, number < 0, number % 2 > 0, number % 3 > 0])
    return gates.expand(n, CHECKED_GATES, k)


def _close(one: Tensor, other: Tensor) -> bool:
    scale = float(other.abs().max())
    return one.shape == other.shape and bool(((one - other).abs() <= rounding(other) * scale).all())
