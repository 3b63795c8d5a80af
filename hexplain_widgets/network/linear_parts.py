"""What follows a layer channel by channel, up to the first linear operation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, fx, nn
from torch.nn import functional as F

from .graph import Graph
from .stages import ACTIVATION_FUNCTIONS, ACTIVATION_MODULES

_MODULES = (
    nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.BatchNorm2d,
    nn.Dropout, nn.Dropout2d, nn.Identity, *ACTIVATION_MODULES,
)  # fmt: skip
_FUNCTIONS = ACTIVATION_FUNCTIONS | {
    F.max_pool2d, torch.max_pool2d, F.avg_pool2d, F.adaptive_avg_pool2d, F.adaptive_max_pool2d,
    F.dropout, F.dropout2d,
}  # fmt: skip
_OVER_SPACE = ((2, 3), (3, 2), (-2, -1), (-1, -2))


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

    def products(self, maps: Float[Tensor, "n k h w"]) -> Products:
        """Return each channel's part of the linear layer's output for a batch of images."""
        closed, opened = (self._features(m) for m in (torch.zeros_like(maps[:1]), maps))
        module = self.graph.module(self.linear)
        if not isinstance(module, nn.Linear):
            raise TypeError(f"got {module} at {self.linear}; expected a linear layer; see head_of")
        base = F.linear(closed, module.weight, module.bias)
        n, k = maps.shape[:2]
        parts = (opened - closed).reshape(n, k, -1)
        if parts.shape[2] == 1:
            return Products(parts[:, :, 0], module.weight, base)
        return Products(None, _by_channel(parts, module.weight), base)

    def _features(self, maps: Tensor) -> Float[Tensor, "n f"]:
        found: Tensor = self.graph.run({self.start: maps}, {self.end})[self.end]
        return found

    def behind(self, rows: Float[Tensor, "r o"]) -> Float[Tensor, "r c"]:
        """Return the logits from the linear layer's output."""
        logits: Tensor = self.graph.run({self.linear: rows}, {self.graph.result})[self.graph.result]
        return logits


def _by_channel(
    parts: Float[Tensor, "n k m"], weight: Float[Tensor, "o f"]
) -> Float[Tensor, "n k o"]:
    _, k, m = parts.shape
    blocks = weight.view(weight.shape[0], k, m).permute(1, 2, 0)
    return torch.bmm(parts.transpose(0, 1), blocks).transpose(0, 1)


@dataclass(frozen=True)
class Products:
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
    """Return the head unless a way around it joins behind."""
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
        return isinstance(module, _MODULES)
    return node.target in _FUNCTIONS or (_is_mean(node) and _arg(node, 1, "dim") in _OVER_SPACE)


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
