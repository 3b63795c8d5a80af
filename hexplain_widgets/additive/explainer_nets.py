"""Networks that weigh concepts: from the feature map of an image to one alpha for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..arguments import one_of

WIDTH = 32
Maker = Callable[[int, int], nn.Module]


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


def small(channels: int, outputs: int) -> nn.Module:
    """Return a small residual network on a feature map: 1x1, one block, mean over places."""
    return nn.Sequential(
        nn.Conv2d(channels, WIDTH, 1), nn.ReLU(), _Block(WIDTH),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTH, outputs),
    )  # fmt: skip


def resnet152(channels: int, outputs: int) -> nn.Module:
    """Return the paper's ResNet-152 on a feature map: without the first max pooling."""
    from torchvision.models import resnet152 as make

    found: Any = make(num_classes=outputs)
    found.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    found.maxpool = nn.Identity()
    net: nn.Module = found
    return net


NETWORKS: dict[str, Maker] = {"small": small, "resnet152": resnet152}


def maker_of(network: str | Maker) -> Maker:
    """Return what makes a network from the numbers of channels and outputs; raises ValueError."""
    return network if callable(network) else NETWORKS[one_of("network", network, tuple(NETWORKS))]


class Explainer(nn.Module):
    """The additive model: `score = sum_i alpha_i(x) y_i + bias` with alpha from a network (Eq. 1).

    Maps are divided by `loudness`, their root mean square; alpha counts in steps of `unit` from
    `start`, and is positive where `positive` (softplus). The network's last linear layer begins at
    zero where there is a start, so that alpha begins there.
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        outputs: int,
        loudness: float,
        unit: float,
        positive: bool,
        start: Float[Tensor, " e"] | None = None,
        bias: float = 0.0,
    ) -> None:
        super().__init__()
        self.net, self.loudness, self.unit, self.positive = net, loudness, unit, positive
        begin = torch.zeros(outputs) if start is None else self._before(start.float() / unit)
        self.start = nn.Parameter(begin)
        self.bias = nn.Parameter(torch.tensor(float(bias) / unit))
        if start is not None:
            _silence(net)

    def _before(self, alpha: Tensor) -> Tensor:
        """Return what becomes `alpha` in the forward pass."""
        if not self.positive:
            return alpha
        least = alpha.clamp(min=1e-3)
        return least + torch.log(-torch.expm1(-least))

    def forward(self, maps: Float[Tensor, "n k h w"]) -> Float[Tensor, "n e"]:
        """Return alpha for each image and concept."""
        raw = self.start + self.net(maps / self.loudness)
        return self.unit * (F.softplus(raw) if self.positive else raw)

    @property
    def intercept(self) -> Tensor:
        """The bias `b`, in units of the score."""
        return self.bias * self.unit


def _silence(net: nn.Module) -> None:
    linear = [m for m in net.modules() if isinstance(m, nn.Linear)]
    if linear:
        nn.init.zeros_(linear[-1].weight)
        if linear[-1].bias is not None:
            nn.init.zeros_(linear[-1].bias)
