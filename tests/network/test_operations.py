"""What really ran is what is explained, however a forward is written."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import hexplain_widgets as hx
from hexplain_widgets.network.gating import gated
from hexplain_widgets.network.guest import visiting
from hexplain_widgets.network.probe import Probe
from tests.networks import image, seeded


class Stages(nn.Module):
    """Two stages and a linear layer, with a place for what a forward does between."""

    def __init__(self) -> None:
        super().__init__()
        self.low = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
        self.high = nn.Sequential(nn.Conv2d(8, 12, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(12, 5)
        self.weigh = nn.Parameter(torch.ones(12))
        seeded(self)

    def features(self, x: Tensor) -> Tensor:
        return self.high(F.max_pool2d(self.low(x), 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean((2, 3)))


class AsksType(Stages):
    def forward(self, x: Tensor) -> Tensor:
        if isinstance(x, Tensor):
            x = x * 2 - 1
        return super().forward(x)


class AsksOption(Stages):
    def forward(
        self, x: Tensor, mask: Tensor | None = None, labels: Tensor | None = None
    ) -> Tensor:
        maps = self.features(x)
        if mask is not None:
            maps = maps * mask
        return self.head(maps.mean((2, 3))) if labels is None else labels


class AsksSize(Stages):
    def forward(self, x: Tensor) -> Tensor:
        assert x.ndim == 4 and x.shape[1] == 3
        b, _, h, w = x.shape
        maps = self.features(x) if h > 8 and w > 8 else x
        b, c, h, w = maps.shape
        paired = maps.view(b * 2, c // 2, h, w).mean((2, 3))
        return self.head(paired.view(b, c))


class OwnCall(Stages):
    def __call__(self, x: Tensor) -> Tensor:
        return super().__call__(x * 0.5)


class Generalised(nn.Module):
    """GeM pooling with a kernel that is a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.tensor([2.0]))

    def forward(self, x: Tensor) -> Tensor:
        size = (x.size(-2), x.size(-1))
        return F.avg_pool2d(input=x.clamp(min=1e-6).pow(self.p), kernel_size=size).pow(1.0 / self.p)


class Pooled(Stages):
    def __init__(self) -> None:
        super().__init__()
        self.pool = Generalised()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pool(self.features(x)).flatten(1))


class Assigns(Stages):
    def forward(self, x: Tensor) -> Tensor:
        maps = self.features(x)
        maps[:, 3] = 0.5
        return self.head(maps.mean((2, 3)))


class ChangesAView(Stages):
    def forward(self, x: Tensor) -> Tensor:
        maps = self.features(x)
        maps[:, :4].mul_(2)
        return self.head(maps.mean((2, 3)))


class ByMatrix(Stages):
    def forward(self, x: Tensor) -> Tensor:
        pooled = self.features(x).mean((2, 3)) * self.weigh
        return pooled @ self.head.weight.T + self.head.bias


class Unpacks(Stages):
    def forward(self, x: Tensor) -> Tensor:
        first, second = self.features(x).chunk(2, dim=1)
        top = [one.amax((1, 2)) for one in torch.cat([first, second], 1).unbind(1)]
        return self.head(torch.stack(top, 1))


MEAN = torch.full((1, 3, 1, 1), 0.5)


class UsesAGlobal(Stages):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - MEAN)


class Branches(Stages):
    def forward(self, x: Tensor) -> Tensor:
        maps = self.features(x)
        if maps.mean() > 1e6:
            maps = maps * 0
        return self.head(maps.mean((2, 3)))


class StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sign().clamp(min=0)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * (x.abs() < 1).float()


class Sign(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return StraightThrough.apply(x)


class Quantised(Stages):
    def __init__(self) -> None:
        super().__init__()
        self.high[1] = Sign()


class QuantisedBeside(Stages):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(StraightThrough.apply(self.features(x) - 0.3).mean((2, 3)))


def patched() -> nn.Module:
    model = Stages()
    plain_forward = model.low.forward
    model.low.forward = lambda x: plain_forward(x) * 0.5
    return model


def hooked() -> nn.Module:
    """Hooks of the user's change what goes into layers, and what comes out of them."""
    model = Stages()
    model.low.register_forward_pre_hook(lambda _m, given: (given[0] * 0.5 - 0.1,))
    model.high.register_forward_hook(lambda _m, _x, out: out * 2 + 0.1)
    return model


class HookedBranches(Branches):
    """The same, where calls are replayed."""

    def __init__(self) -> None:
        super().__init__()
        self.high.register_forward_hook(lambda _m, _x, out: out * 2 + 0.1)
        self.head.register_forward_pre_hook(lambda _m, given: (given[0] * 3,))


class EachByItself(Stages):
    """A convolution of its own for each image, in a loop over the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.choice = nn.Linear(8, 2)
        self.experts = nn.Parameter(torch.ones(2, 8, 8, 1, 1))
        seeded(self)

    def features(self, x: Tensor) -> Tensor:
        low = self.low(x)
        share = self.choice(low.mean((2, 3))).softmax(1)
        kernels = torch.einsum("nk,koihw->noihw", share, self.experts)
        each = [F.conv2d(low[i : i + 1], kernels[i]) for i in range(len(x))]
        return self.high(torch.cat(each))


class Fourier(Stages):
    """Complex numbers on the way."""

    def forward(self, x: Tensor) -> Tensor:
        waves = torch.fft.fft2(x)
        return super().forward(torch.cat([waves.real[:, :2], waves.imag[:, :1]], 1) / 10)


class AsksGradient(Stages):
    """Weighs its maps by a gradient that it asks for inside its forward."""

    def forward(self, x: Tensor) -> Tensor:
        maps = self.features(x)
        with torch.enable_grad():
            start = maps if maps.requires_grad else maps.detach().requires_grad_()
            score = self.head(start.mean((2, 3)).relu() ** 2)[:, 0].sum()
            (slope,) = torch.autograd.grad(score, start, create_graph=True)
        return self.head((maps * (1 + slope.abs())).mean((2, 3)))


NETWORKS: list[Callable[[], nn.Module]] = [
    AsksType, AsksOption, AsksSize, OwnCall, Pooled, Assigns, ChangesAView, ByMatrix, Unpacks,
    UsesAGlobal, Branches, Quantised, QuantisedBeside, patched, hooked, HookedBranches,
    EachByItself, Fourier, AsksGradient,
]  # fmt: skip
GRAPHS = [AsksType, AsksOption, AsksSize, OwnCall, Pooled, Assigns, ByMatrix, Unpacks, UsesAGlobal]


def literal(model: nn.Module, layer: str, index: int, x: Tensor) -> np.ndarray:
    """Gradient times activation on the network itself, through a hook on the layer."""
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _images: object, out: Tensor) -> Tensor:
        # a forward may change what the layer returns in place; the layer's map is what it was
        kept.append(out)
        return out * 1

    handle = model.get_submodule(layer).register_forward_hook(keep)
    try:
        logit = model(x.clone().requires_grad_())[0, index]
        (gradient,) = torch.autograd.grad(logit, kept[0])
    finally:
        handle.remove()
    return (gradient * kept[0]).detach()[0].mean((1, 2)).numpy()


@pytest.mark.parametrize("make", NETWORKS)
def test_contributions_are_those_of_the_network_that_runs(make: Callable[[], nn.Module]) -> None:
    model, x = make().eval(), image(16)
    with torch.no_grad():
        own = model(x)[0]
    index = int(own.argmax())
    tree = hx.decompose(model, x, target=index, top_k=12, layers=["high"])
    assert tree.target.logit == pytest.approx(float(own[index]), rel=1e-5)
    expected = literal(model, "high", index, x)
    shares = {c.channel: c.contribution for c in tree.root.children}
    assert len(shares) > 1
    for channel, share in shares.items():
        assert share == pytest.approx(float(expected[channel]), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("make", NETWORKS)
def test_closed_channels_are_closed_in_the_network_that_runs(make) -> None:
    model, x = make().eval(), torch.cat([image(16, seed) for seed in range(3)])
    gates = torch.ones(3, 2, 12, dtype=torch.bool)
    gates[:, 1, ::2] = False
    with visiting(model), torch.no_grad():
        layer_gates = gated(Probe(hx.Classifier(model)), x, ["high"])
        answers = layer_gates.answers(layer_gates.take(x), "high", gates)
    for row in range(2):
        gate = gates[0, row].float()[:, None, None]
        handle = model.high.register_forward_hook(lambda _m, _x, out, gate=gate: out * gate)
        with torch.no_grad():
            expected = torch.cat([model(one[None]) for one in x])
        handle.remove()
        assert torch.allclose(answers[:, row], expected, atol=1e-5)


@pytest.mark.parametrize("make", GRAPHS)
def test_what_runs_for_every_picture_is_a_graph(make) -> None:
    assert Probe(hx.Classifier(make().eval())).graph(image(16)) is not None


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (Branches, "depends on the values"),
        (ChangesAView, "in place"),
        (QuantisedBeside, "function"),
    ],
)
def test_why_a_networks_calls_are_replayed_is_said(make, why: str) -> None:
    notes = hx.decompose(make().eval(), image(16), layers=["high"]).notes
    assert [note for note in notes if why in note]
