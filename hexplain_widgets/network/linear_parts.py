"""What follows a layer channel by channel up to the first linear operations, as sums over channels.

There a closed or removed channel is one product less: of a linear layer (`LinearHead`), or of the
convolutions that mix the channels first (`MixingPoint`, `ChannelSum`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, fx, nn
from torch.nn import functional as F

from .graph import ACTIVATION_FUNCTIONS, ACTIVATION_MODULES, Graph
from .receptive import Cone, convolution, is_convolution

_CHANNELWISE_MODULES = (
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
    nn.BatchNorm2d,
    nn.Dropout,
    nn.Dropout2d,
    nn.Identity,
    *ACTIVATION_MODULES,
)
_CHANNELWISE_FUNCTIONS = ACTIVATION_FUNCTIONS | {
    F.max_pool2d,
    torch.max_pool2d,
    F.avg_pool2d,
    F.adaptive_avg_pool2d,
    F.adaptive_max_pool2d,
    F.dropout,
    F.dropout2d,
}
_OVER_SPACE = ((2, 3), (3, 2), (-2, -1), (-1, -2))
# Numbers of one image that the parts of all channels may take together.
MOST_PARTS = 2**27


@dataclass(frozen=True)
class LinearHead:
    """A chain of channelwise operations from `start` to `end`, then the linear module at `linear`.

    Behind it a binary gate is linear again: a channelwise f gives f(d A) = f(0) + d (f(A) - f(0)),
    so the linear layer's output is a sum over the open channels of products that no gate changes.
    """

    graph: Graph
    start: fx.Node
    end: fx.Node
    linear: fx.Node

    def products(self, maps: Float[Tensor, "n k h w"]) -> HeadProducts:
        """Return each channel's part of the linear layer's output for a batch of images."""
        closed, opened = (self._features(m) for m in (torch.zeros_like(maps[:1]), maps))
        module = self.graph.module(self.linear)
        if not isinstance(module, nn.Linear):
            raise TypeError(f"got {module} at {self.linear}; expected a linear layer; see head_of")
        base = F.linear(closed, module.weight, module.bias)
        n, k = maps.shape[:2]
        parts = (opened - closed).reshape(n, k, -1)
        if parts.shape[2] == 1:
            return HeadProducts(parts[:, :, 0], module.weight, base)
        return HeadProducts(None, _by_channel(parts, module.weight), base)

    def _features(self, maps: Tensor) -> Float[Tensor, "n f"]:
        return self.graph.run({self.start: maps}, {self.end})[self.end]

    def behind(self, rows: Float[Tensor, "r o"]) -> Float[Tensor, "r c"]:
        """Return the logits from the linear layer's output."""
        return self.graph.run({self.linear: rows}, {self.graph.result})[self.graph.result]


def _by_channel(
    parts: Float[Tensor, "n k m"], weight: Float[Tensor, "o f"]
) -> Float[Tensor, "n k o"]:
    _, k, m = parts.shape
    blocks = weight.view(weight.shape[0], k, m).permute(1, 2, 0)
    return torch.bmm(parts.transpose(0, 1), blocks).transpose(0, 1)


@dataclass(frozen=True)
class HeadProducts:
    """The linear layer's output by channel: one number a channel times a matrix, or in full."""

    values: Float[Tensor, "n k"] | None
    matrix: Tensor
    base: Float[Tensor, "1 o"]

    def rows(self, image: int, gates: Bool[Tensor, "g k"]) -> Float[Tensor, "g o"]:
        """Return the linear layer's output of one image for each gate."""
        opened = gates.to(self.base.dtype)
        if self.values is not None:
            return F.linear(opened * self.values[image], self.matrix) + self.base
        return torch.addmm(self.base, opened, self.matrix[image])


def head_of(graph: Graph, start: fx.Node) -> LinearHead | None:
    """Return the channelwise chain from a layer to a linear layer, None where there is none."""
    node, flat = start, False
    while True:
        users = [u for u in node.users if u.op != "output"]
        if len(users) != 1 or node is graph.result:
            return None
        user = users[0]
        if flat and isinstance(graph.module(user), nn.Linear):
            return _complete(LinearHead(graph, start, node, user))
        if not channelwise(graph, user):
            return None
        node, flat = user, flat or _flattens(graph, user)


def _complete(head: LinearHead) -> LinearHead | None:
    """Return the head unless a path around it joins behind."""
    graph = head.graph
    around = graph.crossing(head.linear, graph.result)
    from_image = graph.behind(graph.image) | {graph.image}
    return head if from_image.isdisjoint(around) else None


def channelwise(graph: Graph, node: fx.Node) -> bool:
    """Whether an operation keeps every channel to itself."""
    module = graph.module(node)
    if _flattens(graph, node):
        return True
    if module is not None:
        return isinstance(module, _CHANNELWISE_MODULES)
    return node.target in _CHANNELWISE_FUNCTIONS or (
        _is_mean(node) and _arg(node, 1, "dim") in _OVER_SPACE
    )


def _flattens(graph: Graph, node: fx.Node) -> bool:
    module = graph.module(node)
    if isinstance(module, nn.Flatten):
        return module.start_dim == 1 and module.end_dim == -1
    if node.target in (torch.flatten, "flatten"):
        return _arg(node, 1, "start_dim") == 1 and _arg(node, 2, "end_dim") in (None, -1)
    return _is_mean(node) and _arg(node, 1, "dim") in _OVER_SPACE and not _arg(node, 2, "keepdim")


def _is_mean(node: fx.Node) -> bool:
    return node.target in (torch.mean, "mean")


def _arg(node: fx.Node, place: int, name: str) -> Any:
    value = node.kwargs.get(name, node.args[place] if len(node.args) > place else None)
    return tuple(value) if isinstance(value, list | tuple) else value


@dataclass(frozen=True)
class ChannelSum:
    """A linear operation's result as a sum over channels, each one `weight[k] @ change[k]`."""

    base: Float[Tensor, "1 ..."]
    weight: Float[Tensor, "k o p"]
    change: Float[Tensor, "k p c"]

    def parts(self, channels: slice = slice(None)) -> Float[Tensor, "n c o"]:
        """Return the parts of these channels, the numbers of one cell side by side."""
        weight, change = self.weight[channels], self.change[channels]
        return torch.bmm(change.transpose(1, 2), weight.transpose(1, 2))

    def without(self, channels: slice) -> Float[Tensor, "n1 ..."]:
        """Return the result without each of these channels, and with all of them last."""
        # A matrix times a single column is read in its own order only from the other side.
        if self.change.shape[2] == 1:
            parts = self.parts(channels)
        else:
            parts = torch.bmm(self.weight[channels], self.change[channels])
        return torch.cat([self.base - parts.view(-1, *self.base.shape[1:]), self.base])


def sum_of_convolution(
    module: nn.Conv2d, padded: Float[Tensor, "2 k h w"], base: Float[Tensor, "1 o y x"]
) -> ChannelSum:
    """Return what a convolution sums, from what it sees of open and of closed channels.

    `padded` has the padding already, `base` is the result for open channels.
    """
    k, o = padded.shape[1], module.out_channels
    change = F.unfold(
        padded[:1] - padded[1:], module.weight.shape[2:], module.dilation, 0, module.stride
    )
    weight = module.weight.view(o, k, -1).transpose(0, 1)
    return ChannelSum(base, weight, change.view(k, weight.shape[2], -1))


def sum_of_linear(module: nn.Linear, own: Float[Tensor, "2 f"], k: int) -> ChannelSum:
    """Return what a linear layer sums, from its input for open and for closed channels."""
    weight = module.weight.view(module.out_features, k, -1).transpose(0, 1)
    return ChannelSum(module(own[:1]), weight, (own[0] - own[1]).view(k, -1, 1))


def nodes_apart(graph: Graph, start: fx.Node, nodes: Sequence[fx.Node]) -> set[fx.Node]:
    """Return the nodes of which a channel depends on the same channel of `start` only."""
    apart = {start}
    for node in nodes:
        if apart.issuperset(node.all_input_nodes) and _keeps_apart(graph, node):
            apart.add(node)
    return apart


def _keeps_apart(graph: Graph, node: fx.Node) -> bool:
    module = graph.module(node)
    if isinstance(module, nn.Conv2d):
        return module.groups == module.in_channels == module.out_channels
    return len(node.all_input_nodes) == 1 and channelwise(graph, node)


def mixes_first(node: fx.Node, apart: Collection[fx.Node]) -> bool:
    """Whether a node is the first that mixes channels which were apart until then."""
    return node not in apart and set(apart).issuperset(node.all_input_nodes)


def sums_channels(graph: Graph, node: fx.Node) -> bool:
    """Whether a node is a convolution of all channels."""
    return is_convolution(graph, node) and convolution(graph, node).groups == 1


@dataclass(frozen=True)
class MixingPoint:
    """Where the channels of `start` first mix before a deeper node.

    `sums` are the convolutions that do it and are worth being summed by channel, `others` the nodes
    before them that something else uses too.
    """

    graph: Graph
    start: fx.Node
    sums: Sequence[fx.Node]
    others: Sequence[fx.Node]
    channels_last: bool

    def length(self, maps: Float[Tensor, "1 k h w"]) -> int:
        """Return how many numbers the parts of one image are."""
        bases = self.graph.run({self.start: maps}, set(self.sums))
        return int(maps.shape[1] * sum(base.numel() for base in bases.values()))

    def parts(self, maps: Float[Tensor, "1 k h w"]) -> ImageParts:
        """Return what all gates on one image have in common."""
        wanted = {*self.others, *(node.all_input_nodes[0] for node in self.sums)}
        both = torch.cat([maps, torch.zeros_like(maps)])
        own = self.graph.run({self.start: both}, wanted)
        sums = {n: self._sum(n, own[n.all_input_nodes[0]]) for n in self.sums}
        last = self.channels_last and maps.device.type == "cpu"
        return ImageParts({n: own[n] for n in self.others}, sums, last)

    def _sum(self, node: fx.Node, own: Float[Tensor, "2 k h w"]) -> ConvolutionParts:
        (source,) = node.all_input_nodes
        base = self.graph.step(node, {source: own[:1]})
        sizes = {source: own.shape, node: base.shape}
        padded = Cone(self.graph, sizes).padded(node, own)
        each = sum_of_convolution(convolution(self.graph, node), padded, base)
        return ConvolutionParts(base, each.parts().flatten(1))


@dataclass(frozen=True)
class ConvolutionParts:
    """A convolution's result for open channels, and each channel's part with its channels last."""

    base: Float[Tensor, "1 o y x"]
    parts: Float[Tensor, "k yxo"]

    def behind(self, closed: Float[Tensor, "g k"], *, channels_last: bool) -> Tensor:
        """Return the result `(g, o, y, x)` for each gate, in the memory order that is asked."""
        _, o, y, x = self.base.shape
        base = self.base.permute(0, 2, 3, 1).reshape(1, -1)
        rows = torch.addmm(base, closed, self.parts, alpha=-1)
        maps = rows.view(-1, y, x, o).permute(0, 3, 1, 2)
        return maps if channels_last else maps.contiguous()


@dataclass(frozen=True)
class ImageParts:
    """What all gates on a layer have in common for one image.

    `own` are values with all channels open and with all closed, `sums` those of `MixingPoint.sums`.
    """

    own: Mapping[fx.Node, Float[Tensor, "2 ..."]]
    sums: Mapping[fx.Node, ConvolutionParts]
    channels_last: bool

    def summed(self, gates: Bool[Tensor, "g k"]) -> dict[fx.Node, Tensor]:
        """Return the results of the first sums for each gate."""
        last = self.channels_last
        return {
            node: each.behind((~gates).to(each.parts.dtype), channels_last=last)
            for node, each in self.sums.items()
        }

    def copied(self, gates: Bool[Tensor, "g k"]) -> dict[fx.Node, Tensor]:
        """Return gated copies of what is used beside the first sums."""
        return {node: _gated(own, gates) for node, own in self.own.items()}


def _gated(own: Float[Tensor, "2 ..."], gates: Bool[Tensor, "g k"]) -> Float[Tensor, "g ..."]:
    by_channel = own.reshape(2, gates.shape[1], -1)
    rows = torch.where(gates[:, :, None], by_channel[0], by_channel[1])
    return rows.view(len(gates), *own.shape[1:])


def mixing_of(graph: Graph, start: fx.Node, end: fx.Node) -> MixingPoint | None:
    """Return where channels first mix before `end`, None where summing does not pay.

    A kernel of one cell costs no more for every gate than its sum over channels does.
    """
    inside = graph.behind(start)
    nodes = [n for n in graph.needed([end], {start}) if n in inside]
    apart = nodes_apart(graph, start, nodes)
    sums = [n for n in nodes if mixes_first(n, apart) and _worth(graph, n)]
    if not sums:
        return None
    users = [n for n in nodes if n not in apart and n not in sums]
    used = {source for n in users for source in n.all_input_nodes}
    others = [n for n in (start, *nodes) if n in apart and n in used]
    return MixingPoint(graph, start, sums, others, not any(_needs_order(n) for n in nodes))


def parts_of(mixing: MixingPoint, maps: Float[Tensor, "n k h w"]) -> Callable[[int], ImageParts]:
    """Return what gives the parts of an image by number; those of the last one are kept."""
    return lru_cache(maxsize=1)(lambda image: mixing.parts(maps[image : image + 1]))


def _worth(graph: Graph, node: fx.Node) -> bool:
    if not sums_channels(graph, node):
        return False
    rows, columns = convolution(graph, node).weight.shape[2:]
    return rows * columns > 1


def _needs_order(node: fx.Node) -> bool:
    """Whether an operation takes its input's numbers in their own order only."""
    target: Any = node.target
    return node.op == "call_method" and target == "view"
