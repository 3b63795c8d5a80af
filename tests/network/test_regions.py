"""Boxes, crops and numbers of units under operations that move, mix or resize: or everything."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

import hexplain_widgets as hx
from hexplain_widgets.network.ablation import ChannelAblation
from hexplain_widgets.network.guest import visiting
from hexplain_widgets.network.regions import Regions
from hexplain_widgets.network.segments import Unit, UnitGradients

Turn = Callable[[Tensor], Tensor]
MASK = torch.rand(1, 1, 40, 40, generator=torch.Generator().manual_seed(3)).double() + 0.5


def patches(x: Tensor) -> Tensor:
    """Space to depth by hand."""
    n, c, h, w = x.shape
    x = x.view(n, c, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4)
    return x.reshape(n, 4 * c, h // 2, w // 2)[:, :c]


def windows(x: Tensor) -> Tensor:
    """Swin's windows, shifted, weighed and put back."""
    n, c, h, w = x.shape
    x = torch.roll(x, (-1, -1), (2, 3)).permute(0, 2, 3, 1)
    x = x.view(n, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, c)
    x = x + x.mean(1, keepdim=True)
    x = x.view(n, h // 2, w // 2, 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, c)
    return torch.roll(x, (1, 1), (1, 2)).permute(0, 3, 1, 2)


def attention(x: Tensor) -> Tensor:
    tokens = x.flatten(2).transpose(1, 2)
    return F.scaled_dot_product_attention(tokens, tokens, tokens).transpose(1, 2).view(x.shape)


def sampled(x: Tensor) -> Tensor:
    grid = F.affine_grid(torch.tensor([[[0.5, 0.0, 0], [0, 0.5, 0]]]).to(x), list(x.shape), False)
    return F.grid_sample(x, grid, align_corners=False)


def assigns(x: Tensor) -> Tensor:
    x = x.clone()
    x[:, :, 2:5] = x[:, :, 6:9] * 2
    return x


def normed(x: Tensor) -> Tensor:
    return F.layer_norm(x.permute(0, 2, 3, 1), (6,)).permute(0, 3, 1, 2)


def coordinates(x: Tensor) -> Tensor:
    mask = MASK[:, :, : x.shape[2], : x.shape[3]]
    return torch.cat([x[:, :5], mask.expand(x.shape[0], -1, -1, -1)], 1)


def tiles(x: Tensor) -> Tensor:
    return torch.cat([x[:, :, :8, :8], x[:, :, 8:16, 8:16]]).mean(0, keepdim=True)


def resized(**settings) -> Turn:
    return lambda x: F.interpolate(x, **settings)


# What is done between two convolutions, and whether the box is exactly what moves a unit.
TURNS: dict[str, tuple[Turn, bool]] = {
    "plain": (lambda x: x, True),
    "transpose": (lambda x: x.transpose(2, 3), True),
    "mT": (lambda x: x.mT * 1, False),
    "permute": (lambda x: x.permute(0, 1, 3, 2), True),
    "swapaxes": (lambda x: torch.swapaxes(x, -1, -2), True),
    "there_and_back": (normed, True),
    "norm_over_columns": (lambda x: F.layer_norm(x, (x.shape[3],)), True),
    "linear_over_columns": (lambda x: F.linear(x, torch.eye(x.shape[3]).to(x) + 0.1), True),
    "flip": (lambda x: x.flip(3), True),
    "fliplr": (lambda x: torch.flip(x, [2, 3]), True),
    "rot90": (lambda x: torch.rot90(x, 1, (2, 3)), True),
    "roll": (lambda x: torch.roll(x, 3, 2), False),
    "roll_flat": (lambda x: torch.roll(x, 5), False),
    "windows": (windows, False),
    "pixel_unshuffle": (lambda x: F.pixel_unshuffle(x, 2)[:, :6], True),
    "pixel_shuffle": (lambda x: F.pixel_shuffle(torch.cat([x, x], 1), 2).repeat(1, 2, 1, 1), True),
    "channel_shuffle": (lambda x: F.channel_shuffle(x, 3), True),
    "channels_by_hand": (
        lambda x: x.view(1, 3, 2, *x.shape[2:]).transpose(1, 2).reshape(x.shape), True,
    ),
    "patches": (patches, True),
    "unfold": (lambda x: F.unfold(x, 3, padding=1)[:, :6].view(x.shape), False),
    "fold": (lambda x: F.fold(F.unfold(x, 2, stride=2), x.shape[2:], 2, stride=2), False),
    "tensor_unfold": (lambda x: x.unfold(2, 3, 1).unfold(3, 3, 1).mean((4, 5)), True),
    "crop": (lambda x: x[:, :, 2:-3, 4:15], True),
    "strides": (lambda x: x[:, :, ::2, 1::3], True),
    "negative": (lambda x: x[:, :, -9:, -12:-2], True),
    "narrow": (lambda x: x.narrow(2, 3, 9), True),
    "index": (lambda x: x[:, :, torch.arange(10).flip(0)], True),
    "chunk": (lambda x: torch.cat(x.chunk(2, 3)[::-1], 3), True),
    "chunk_channels": (lambda x: torch.cat(x.chunk(2, 1)[::-1], 1), True),
    "pad_zero": (lambda x: F.pad(x, (3, 1, 2, 5)), True),
    "pad_negative": (lambda x: F.pad(x, (-3, 1, 2, -5)), True),
    "pad_reflect": (lambda x: F.pad(x, (3, 1, 2, 5), mode="reflect"), True),
    "pad_replicate": (lambda x: F.pad(x, (3, 1, 2, 5), mode="replicate"), True),
    "pad_circular": (lambda x: F.pad(x, (3, 1, 2, 5), mode="circular"), True),
    "conv_reflect": (nn.Conv2d(6, 6, 3, padding=2, padding_mode="reflect"), True),
    "conv_replicate": (nn.Conv2d(6, 6, 2, padding=2, padding_mode="replicate"), True),
    "conv_circular": (nn.Conv2d(6, 6, 3, padding=2, padding_mode="circular"), False),
    "conv_far": (nn.Conv2d(6, 6, 1, padding=2), True),
    "dilated": (nn.Conv2d(6, 6, 3, dilation=3, padding=2), True),
    "transposed": (nn.ConvTranspose2d(6, 6, 3, stride=2, padding=1, output_padding=1), True),
    "transposed_dilated": (nn.ConvTranspose2d(6, 6, 3, padding=1, dilation=2), True),
    "nearest": (resized(scale_factor=2), True),
    "nearest_down": (resized(size=(7, 9)), True),
    "bilinear": (resized(scale_factor=1.5, mode="bilinear"), True),
    "bilinear_corners": (resized(size=(9, 23), mode="bilinear", align_corners=True), True),
    "bicubic": (resized(scale_factor=2, mode="bicubic"), True),
    "antialias": (resized(scale_factor=0.5, mode="bilinear", antialias=True), True),
    "area": (resized(size=(7, 9), mode="area"), True),
    "upsample": (nn.Upsample(scale_factor=2, mode="bilinear"), True),
    "adaptive": (nn.AdaptiveAvgPool2d((5, 7)), True),
    "ceil": (nn.AvgPool2d(3, 2, padding=1, ceil_mode=True), True),
    "blur": (lambda x: F.conv2d(x, torch.ones(6, 1, 3, 3).to(x), groups=6, padding=1), True),
    "positions": (lambda x: x * MASK[:, :, : x.shape[2], : x.shape[3]], True),
    "coordinates": (coordinates, True),
    "tiles": (tiles, True),
    "spatial_attention": (lambda x: x * x.mean(1, keepdim=True).sigmoid(), True),
    "squeeze": (lambda x: x * x.mean((2, 3), keepdim=True).sigmoid(), True),
    "batch_statistics": (lambda x: F.batch_norm(x, None, None, training=True), True),
    "batch_norm": (nn.BatchNorm2d(6, track_running_stats=False), True),
    "instance_norm": (nn.InstanceNorm2d(6), True),
    "group_norm": (nn.GroupNorm(2, 6), True),
    "fft": (lambda x: torch.fft.irfft2(torch.fft.rfft2(x) ** 2), False),
    "attention": (attention, True),
    "grid_sample": (sampled, False),
    "cumsum": (lambda x: x.cumsum(2), False),
    "max_along": (lambda x: x + x.max(2, keepdim=True)[0], False),
    "assigns": (assigns, False),
    "sorted": (lambda x: x.sort(3)[0], False),
    "stack": (lambda x: torch.stack([x, x.flip(2)], 0).sum(0), True),
    "own_module": (nn.Sequential(nn.ReLU(), nn.Identity()), True),
}  # fmt: skip
UNITS = [(1, 0, 0), (4, 2, 3), (0, -1, -1), (3, -2, 1)]


class Turned(nn.Module):
    """Two convolutions with something between them; positive weights hide nothing."""

    def __init__(self, turn: Turn) -> None:
        super().__init__()
        self.turn = turn
        self.first, self.second = nn.Conv2d(3, 6, (3, 2), padding=1), nn.Conv2d(6, 6, (2, 3))
        self.head = nn.Linear(6, 3)
        draw = torch.Generator().manual_seed(1)
        for p in self.parameters():
            p.data = 0.1 + torch.rand(p.shape, generator=draw)
        self.double().eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.second(self.turn(self.first(x))).mean((2, 3)))


def inside(model: Turned, x: Tensor) -> tuple[Tensor, Tensor]:
    """The two maps of the network itself, on the graph of its own autograd."""
    first = model.first(x)
    return first, model.second(model.turn(first))


def hull(gradient: Tensor) -> tuple[int, int, int, int] | None:
    rows, columns = gradient[0].abs().sum(0).nonzero(as_tuple=True)
    if not len(rows):
        return None
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def picture() -> Tensor:
    return torch.rand(1, 3, 18, 21, generator=torch.Generator().manual_seed(0)).double()


@pytest.mark.parametrize("name", TURNS)
def test_a_box_holds_what_moves_its_unit_and_its_parts_are_those_of_the_whole_network(name) -> None:
    turn, exact = TURNS[name]
    model, x = Turned(turn), picture()
    engine = hx.Decomposer(model, x, layers=["first", "second"])
    probe, capture = engine._probe, engine._capture
    with torch.enable_grad():
        pixels = x.clone().requires_grad_()
        first, deep = inside(model, pixels)
    units = [Unit(k, y % deep.shape[2], c % deep.shape[3]) for k, y, c in UNITS]
    for shallow, start in (("first", first), (None, pixels)):
        segment = probe.segment(capture, shallow, "second")
        with visiting(model):
            (batch,) = segment.decide(units)
        for i, unit in enumerate(units):
            (expected,) = torch.autograd.grad(deep[0][tuple(unit)], start, retain_graph=True)
            assert torch.allclose(placed(batch, i, expected), expected, atol=1e-9), unit
            if shallow is None:
                check_box(engine._box("second", unit), hull(expected), exact=exact)
    segment = probe.segment(capture, "first", "second")
    check_drops(model, ChannelAblation(probe, capture, segment, "first", "second"), x)


def placed(batch: UnitGradients, i: int, like: Tensor) -> Tensor:
    """A unit's gradient on its crop, put where the crop was cut out."""
    (top, left), (_, _, h, w) = batch.offsets[i], batch.gradients.shape
    whole = torch.zeros_like(like)
    whole[0, :, top : top + h, left : left + w] = batch.gradients[i] * batch.signs[i]
    return whole


def check_box(box: tuple[int, ...], truth: tuple[int, ...] | None, *, exact: bool) -> None:
    if truth is not None:  # a unit that sees padding only has none
        assert box[0] <= truth[0] and box[1] <= truth[1], (box, truth)
        assert box[2] >= truth[2] and box[3] >= truth[3], (box, truth)
        assert box == truth or not exact


def check_drops(model: Turned, removal: ChannelAblation, x: Tensor) -> None:
    unit = Unit(4, 2, 3)
    first, deep = inside(model, x)
    gates = 1 - torch.eye(6).double()[:, :, None, None]
    without = [model.second(model.turn(first * gate)) for gate in gates]
    expected = np.array([float((deep - w)[0][tuple(unit)].detach()) for w in without])
    with visiting(model):
        drops = removal.drops(unit, float(deep[0][tuple(unit)].detach()))
    assert drops == pytest.approx(expected, abs=1e-6)


LAID = {
    "upright": (lambda x: x, False),
    "padded": (lambda x: F.pad(x, (2, 2, 2, 2), mode="reflect"), False),
    "halves": (lambda x: torch.cat(x.chunk(2, 3), 3), False),
    "transposed": (lambda x: x.transpose(2, 3), True),
    "mirrored": (lambda x: x.flip(-1), True),
    "upside down": (lambda x: x.flip(2), True),
    "turned": (lambda x: torch.rot90(x, 1, (2, 3)), True),
    "shifted by half": (lambda x: torch.roll(x, 12, 2), True),
    "cropped": (lambda x: x[:, :, 8:, 8:], True),
    "unfolded": (lambda x: F.unfold(x, 3, padding=1).view(1, 3, 9, 24, 24).sum(2), False),
    "unfolded upside down": (
        lambda x: F.unfold(x.flip(2), 3, padding=1).view(1, 3, 9, 24, 24).sum(2),
        True,
    ),
}


@pytest.mark.parametrize("name", LAID)
def test_maps_that_lie_otherwise_than_the_image_are_said_to(name: str) -> None:
    turn, expected = LAID[name]

    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.low = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU())
            self.head = nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.low(turn(x)).mean((2, 3)))

    tree = hx.decompose(Turned().eval(), torch.rand(1, 3, 24, 24))
    assert any("lie otherwise than the image" in note for note in tree.notes) == expected


def test_what_layers_look_at_alike_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    looks_at = Regions._looks_at

    def counted(self, node, region):
        asked.append(node)
        return looks_at(self, node, region)

    monkeypatch.setattr(Regions, "_looks_at", counted)
    network = torchvision.models.shufflenet_v2_x0_5(weights=None).eval()
    table = hx.layers(network, torch.rand(1, 3, 64, 64))
    assert len(asked) < 10 * len(table)
