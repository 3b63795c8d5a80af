"""Small networks whose answers are known, and networks that are awkward on purpose."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import ExitStack
from functools import lru_cache
from unittest.mock import patch

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.convnext import CNBlockConfig, ConvNeXt


def image(size: int = 64, seed: int = 0, channels: int = 3) -> Tensor:
    return torch.rand(1, channels, size, size, generator=torch.Generator().manual_seed(seed))


def seeded(network: nn.Module, seed: int = 0) -> nn.Module:
    """The network with weights drawn from a seed, large enough for logits of some size."""
    draw = torch.Generator().manual_seed(seed)
    for name, p in network.named_parameters():
        noise = torch.randn(p.shape, generator=draw)
        if p.ndim > 1:
            p.data = noise * (2 / p[0].numel()) ** 0.5
        else:
            p.data = 0.1 * noise + (0 if name.endswith("bias") else 1)
    for b in network.buffers():
        if b.is_floating_point():
            b.data = b.data + 0.1 * torch.rand(b.shape, generator=draw)
    return network.eval()


def torchvision_network(name: str, seed: int = 0) -> nn.Module:
    """A network of torchvision's with weights drawn from a seed, nobody else's.

    A quarter of its channels wide: all that is built of them is the same, and quick.
    """
    return copy.deepcopy(_drawn(name, seed))


@lru_cache(maxsize=4)
def _drawn(name: str, seed: int) -> nn.Module:
    settings = {"init_weights": False} if name in ("inception_v3", "googlenet") else {}
    with ExitStack() as stack:
        for kind, numbers in () if name in WHOLE else SLIM:
            stack.enter_context(patch.object(kind, "__init__", _slim(kind.__init__, numbers)))
        for draw in DRAWS:
            stack.enter_context(patch.object(nn.init, draw, lambda tensor, *_, **__: tensor))
        make = MAKERS.get(name, torchvision.models.get_model)
        return seeded(make(name, weights=None, **settings), seed)


# Its groups are of eight channels each, its scales are no layers: both stay as wide as they are.
WHOLE = ("regnet_y_400mf", "convnext_tiny")
# Layers, and how many of their first arguments are numbers of channels.
SLIM = ((nn.Conv2d, 2), (nn.Linear, 2), (nn.BatchNorm2d, 1))
# What torchvision draws weights with: drawing them anew is enough.
DRAWS = ("kaiming_uniform_", "kaiming_normal_", "uniform_", "normal_", "trunc_normal_")


def _slim(made: Callable[..., None], numbers: int) -> Callable[..., None]:
    def make(self, *args, groups: int = 1, **settings) -> None:
        grouped = {"groups": _quarter(groups)} if groups > 1 else {}
        made(self, *map(_quarter, args[:numbers]), *args[numbers:], **grouped, **settings)

    return make


def _quarter(channels: int) -> int:
    """A quarter of the channels; images and classes stay as many as they are."""
    return channels if channels in (1, 3, 1000) else -(-channels // 4)


def _convnext(*_: str, **__: object) -> nn.Module:
    """ConvNeXt, narrower and with fewer blocks."""
    blocks = ((24, 48, 1), (48, 96, 1), (96, 192, 2), (192, None, 1))
    return ConvNeXt([CNBlockConfig(*block) for block in blocks])


MAKERS = {"convnext_tiny": _convnext}


def plain(*, bias: bool = True, activation: type[nn.Module] = nn.ReLU, seed: int = 0) -> nn.Module:
    """Three stages of convolution and activation, pooling, one linear layer."""
    return seeded(
        nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=bias), activation(), nn.MaxPool2d(2),
            nn.Conv2d(8, 12, 3, padding=1, bias=bias), activation(), nn.MaxPool2d(2),
            nn.Conv2d(12, 16, 3, padding=1, bias=bias), activation(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5, bias=bias),
        ),
        seed,
    )  # fmt: skip


def pointwise(channels: Tensor, classes: Tensor, bias: Tensor | None = None) -> nn.Sequential:
    """Channels `(k, 3)` that mix colours at each place, classes `(c, k)` that weigh their means."""
    network = nn.Sequential(
        nn.Conv2d(channels.shape[1], len(channels), 1, bias=False), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(*reversed(classes.shape)),
    )  # fmt: skip
    network[0].weight.data = channels[:, :, None, None].clone()
    network[4].weight.data = classes.clone()
    network[4].bias.data = torch.zeros(len(classes)) if bias is None else bias.clone()
    return network.eval()


class OneStage(nn.Module):
    """One stage, the mean of each of its channels, one linear layer."""

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.low = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(channels, 4)
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.low(x).mean((2, 3)))


class Functional(nn.Module):
    """Functional ReLU and pooling, one module reused, a residual connection over everything."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.same = nn.Conv2d(8, 8, 3, padding=1)
        self.wide = nn.Conv2d(8, 16, 3, padding=1)
        self.head = nn.Linear(16, 4)
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x))
        x = F.max_pool2d(F.relu(self.same(x)) + x, 2)
        x = F.relu(self.same(x)) + x
        x = F.max_pool2d(F.relu(self.wide(x), inplace=True), 2)
        return self.head(x.mean((2, 3)))


class DataDependent(nn.Module):
    """Cannot be traced: its flow depends on the values that pass."""

    def __init__(self) -> None:
        super().__init__()
        self.body = plain()

    def forward(self, x: Tensor) -> Tensor:
        if float(x.detach().sum()) > -1e9:
            x = x * 1.5
        return self.body(x)


class Residual(nn.Module):
    """A block whose shortcut crosses any cut inside it."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, 8, 3, padding=1)
        self.one = nn.Conv2d(8, 8, 3, padding=1)
        self.two = nn.Conv2d(8, 8, 3, padding=1)
        self.act = nn.ReLU(inplace=True)
        self.head = nn.Linear(8, 4)
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.enter(x))
        y = self.act(self.one(x))
        y = self.act(self.two(y) + x)
        return self.head(y.mean((2, 3)))


class Attentive(nn.Module):
    """Squeeze-and-excitation between two stages: no unit of the second is local."""

    def __init__(self) -> None:
        super().__init__()
        self.low = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.squeeze = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1), nn.Sigmoid())
        self.high = nn.Sequential(nn.Conv2d(8, 12, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(12, 4)
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.low(x)
        x = self.high(x * self.squeeze(x))
        return self.head(x.mean((2, 3)))
