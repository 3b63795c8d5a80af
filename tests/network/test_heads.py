"""Heads of every kind: the last map is a stage, and what it adds is that of the network itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import hexplain_widgets as hx
from tests.networks import image, seeded

Head = Callable[["WithHead", Tensor], Tensor]


class WithHead(nn.Module):
    """Two stages and a head that is no linear layer."""

    def __init__(self, head: Head, channels: int = 6) -> None:
        super().__init__()
        self.low = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
        self.high = nn.Sequential(nn.Conv2d(8, channels, 3, padding=1), nn.ReLU())
        self.weight = nn.Parameter(torch.zeros(4, channels))
        self.hidden = nn.Parameter(torch.zeros(7, channels))
        self.last = nn.Parameter(torch.zeros(4, 7))
        self.classes = nn.Conv2d(channels, 4, 1)
        self.pair = nn.Bilinear(channels, channels, 4)
        self.own_head = head
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.own_head(self, self.high(F.max_pool2d(self.low(x), 2)))


def pooled(x: Tensor) -> Tensor:
    return x.mean((2, 3))


def cosine(m: WithHead, x: Tensor) -> Tensor:
    return 30 * F.normalize(pooled(x), dim=1) @ F.normalize(m.weight, dim=1).T


def prototypes(m: WithHead, x: Tensor) -> Tensor:
    return -((pooled(x)[:, None] - m.weight) ** 2).sum(-1)


def perceptron(m: WithHead, x: Tensor) -> Tensor:
    return F.linear(torch.relu(F.linear(pooled(x), m.hidden)), m.last)


def untraced(m: WithHead, x: Tensor) -> Tensor:
    return pooled(x * (1 if float(x.detach().sum()) > -1e9 else 0)) @ m.weight.T


def rounded(m: WithHead, x: Tensor) -> Tensor:
    scale = m.weight.abs().max() / 7
    return pooled(x) @ (torch.round(m.weight / scale) * scale).T


HEADS: dict[str, Head] = {
    "matmul": lambda m, x: pooled(x) @ m.weight.T,
    "mm": lambda m, x: torch.mm(pooled(x), m.weight.t()),
    "addmm": lambda m, x: torch.addmm(m.weight[:, 0], pooled(x), m.weight.t()),
    "einsum": lambda m, x: torch.einsum("nkhw,ck->nc", x, m.weight),
    "tensordot": lambda m, x: torch.tensordot(pooled(x), m.weight, dims=([1], [1])),
    "linear": lambda m, x: F.linear(pooled(x), m.weight),
    "cosine": cosine,
    "cosine_similarity": lambda m, x: F.cosine_similarity(pooled(x)[:, None], m.weight[None], 2),
    "cdist": lambda m, x: -torch.cdist(pooled(x), m.weight),
    "prototypes": prototypes,
    "product": lambda m, x: (pooled(x)[:, None] * m.weight).sum(2),
    "bilinear": lambda m, x: m.pair(pooled(x), pooled(x)),
    "outer": lambda m, x: torch.einsum("nk,ckl,nl->nc", pooled(x), m.pair.weight, pooled(x)),
    "perceptron": perceptron,
    "rounded": rounded,
    "convolution": lambda m, x: m.classes(x).mean((2, 3)),
    "functional": lambda m, x: F.conv2d(x, m.classes.weight).amax((2, 3)),
    "pooled_convolution": lambda m, x: m.classes(F.adaptive_avg_pool2d(x, 1)).flatten(1),
    "everywhere": lambda m, x: (x.permute(0, 2, 3, 1) @ m.weight.T).mean((1, 2)),
    "untraced": untraced,
}  # fmt: skip


def literal(model: WithHead, index: int, x: Tensor) -> Tensor:
    kept: list[Tensor] = []
    handle = model.high.register_forward_hook(lambda _m, _x, out: kept.append(out))
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(model(x)[0, index], kept)
    handle.remove()
    return (gradient * kept[0]).detach()[0].mean((1, 2))


@pytest.mark.parametrize("channels", [4, 6])
@pytest.mark.parametrize("name", HEADS)
def test_the_last_map_is_a_stage_whatever_the_head_is(name: str, channels: int) -> None:
    if name == "untraced" and channels == 4:  # nothing tells its maps from those of classes
        return
    model, x = WithHead(HEADS[name], channels), image(12)
    index = int(model(x).argmax())
    tree = hx.decompose(model, x, target=index, top_k=channels, merge_iou=1.0)
    assert [layer.name for layer in tree.layers] == ["high", "low"]
    expected = literal(model, index, x)
    parts = {c.channel: c.contribution for c in tree.root.children}
    assert set(parts) == {k for k, v in enumerate(expected.tolist()) if v > 0} or tree.root.negated
    for channel, part in parts.items():
        sign = -1 if tree.root.negated else 1
        assert part == pytest.approx(sign * float(expected[channel]), rel=1e-4, abs=1e-7)
