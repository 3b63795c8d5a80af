"""Small networks whose values are no maps N x K x H x W: channels last, or grids of tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import SwinTransformer, VisionTransformer
from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformerBlockV2

from tests.networks import seeded


def swin() -> nn.Module:
    """Two stages of shifted windows, channels last."""
    return seeded(SwinTransformer([4, 4], 16, [2, 2], [2, 2], [4, 4], num_classes=5))


def swin_v2() -> nn.Module:
    """The same with blocks that change a part of a tensor in place: replayed, not traced."""
    parts = {"block": SwinTransformerBlockV2, "downsample_layer": PatchMergingV2}
    sizes = ([4, 4], 16, [2, 2], [2, 2], [4, 4])
    return seeded(SwinTransformer(*sizes, num_classes=5, **parts))


def vit() -> nn.Module:
    """Four blocks on a class token and 4 x 4 patches of an image of 32 pixels."""
    return seeded(VisionTransformer(32, 8, 4, 2, 24, 48, num_classes=5))


class ChannelsLast(nn.Module):
    """Convolutions with all else on channels last, one clipped activation, a mean over space."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm, self.mix = nn.Conv2d(3, 8, 4, 4), nn.LayerNorm(8), nn.Linear(8, 12)
        self.clip = nn.ReLU6()
        self.down, self.last = nn.Conv2d(12, 16, 3, 2, 1), nn.Linear(16, 20)
        self.act, self.head = nn.GELU(), nn.Linear(20, 5)
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).permute(0, 2, 3, 1)
        x = self.clip(4 * self.mix(self.norm(x)))
        x = self.down(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self.head(self.act(self.last(x)).mean((1, 2)))


class ImagesThird(nn.Module):
    """Rows, columns, images and channels, in this order, between a convolution and a mean."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.mix, self.act = nn.Conv2d(3, 8, 4, 4), nn.Linear(8, 12), nn.ReLU()
        self.last, self.act2, self.head = nn.Linear(12, 16), nn.GELU(), nn.Linear(16, 5)
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x)).permute(2, 3, 0, 1)
        return self.head(self.act2(self.last(self.act(self.mix(x)))).mean((0, 1)))


class TwoStreams(nn.Module):
    """Patches of two sizes, each through blocks of its own; a score is the sum of both."""

    def __init__(self) -> None:
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(3, 24, 4, 4), nn.Conv2d(3, 24, 8, 8)
        self.first, self.second = AttentionBlock(), AttentionBlock()
        self.head, self.other_head = nn.Linear(24, 5), nn.Linear(24, 5)
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.first(self.fine(x).flatten(2).transpose(1, 2))
        coarse = self.second(self.coarse(x).flatten(2).transpose(1, 2))
        return self.head(fine.mean(1)) + self.other_head(coarse.mean(1))


class SecondAxis(nn.Module):
    """Tokens first, images second, as the first CLIP has them: its class token is read."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 24, 8, 8, bias=False)
        self.token = nn.Parameter(torch.zeros(24))
        self.place = nn.Parameter(torch.zeros(17, 24))
        self.blocks = nn.Sequential(*(AttentionBlock(batch_first=False) for _ in range(3)))
        self.head = nn.Linear(24, 5)
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        x = x.reshape(x.shape[0], x.shape[1], -1).permute(0, 2, 1)
        x = torch.cat([self.token + x.new_zeros(len(x), 1, 24), x], 1) + self.place
        return self.head(self.blocks(x.permute(1, 0, 2)).permute(1, 0, 2)[:, 0, :])


class AttentionBlock(nn.Module):
    """Attention and a layer by token, each added to what came."""

    def __init__(self, *, batch_first: bool = True) -> None:
        super().__init__()
        self.norm, self.norm2 = nn.LayerNorm(24), nn.LayerNorm(24)
        self.attention = nn.MultiheadAttention(24, 2, batch_first=batch_first)
        self.mlp = nn.Sequential(nn.Linear(24, 48), nn.GELU(), nn.Linear(48, 24))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class OblongPatches(nn.Module):
    """Patches cut by reshaping, 4 x 6 of them with two registers behind, heads by hand, a mean."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(192, 24)
        self.registers = nn.Parameter(torch.zeros(2, 24))
        self.blocks = nn.ModuleList(HandMadeBlock() for _ in range(2))
        self.head = nn.Linear(24, 5)
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        x = x.view(b, c, h // 8, 8, w // 8, 8).permute(0, 2, 4, 3, 5, 1)
        x = self.embed(x.reshape(b, (h // 8) * (w // 8), 64 * c))
        x = torch.cat([x, self.registers.expand(b, -1, -1)], 1)
        for block in self.blocks:
            x = block(x)
        return self.head(x[:, :-2].mean(1))


class HandMadeBlock(nn.Module):
    """Attention of two heads, written out."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.qkv, self.out = nn.LayerNorm(24), nn.Linear(24, 72), nn.Linear(24, 24)

    def forward(self, x: Tensor) -> Tensor:
        b, n, _ = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(b, n, 3, 2, 12).permute(2, 0, 3, 1, 4).unbind(0)
        weights = (q @ k.transpose(-2, -1) * 12**-0.5).softmax(-1)
        return x + self.out((weights @ v).transpose(1, 2).reshape(b, n, 24))


class Mixer(nn.Module):
    """Layers over channels and over places in turn, without attention."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 16, 8, 8)
        self.blocks = nn.Sequential(MixerBlock(), MixerBlock())
        self.head = nn.Linear(16, 5)
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.embed(x).flatten(2).transpose(1, 2)).mean(1))


class MixerBlock(nn.Module):
    """As many places as channels: only how they came about tells them apart."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.places, self.channels = (
            nn.LayerNorm(16),
            nn.Linear(16, 16),
            nn.Linear(16, 16),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + F.gelu(self.places(self.norm(x).transpose(1, 2))).transpose(1, 2)
        return x + F.gelu(self.channels(x))


class Hidden(nn.Module):
    """Channels last, in a way that nothing shows: axes moved by `einsum`, all read at once."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.mix, self.act = nn.Conv2d(3, 8, 8, 8), nn.Linear(8, 8), nn.ReLU()
        self.head = nn.Linear(8 * 16, 5)
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.act(self.mix(torch.einsum("nchw->nhwc", self.stem(x)))).flatten(1))


class HiddenTokens(Hidden):
    """The same as tokens N x L x C."""

    def forward(self, x: Tensor) -> Tensor:
        tokens = torch.einsum("nchw->nhwc", self.stem(x)).flatten(1, 2)
        return self.head(self.act(self.mix(tokens)).flatten(1))


class UnfoldedPatches(nn.Module):
    """Patches cut out by `nn.Unfold`, two blocks on them, their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.cut, self.embed = nn.Unfold(8, stride=8), nn.Linear(192, 24)
        self.blocks = nn.Sequential(AttentionBlock(), AttentionBlock())
        self.head = nn.Linear(24, 5)
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(self.cut(x).transpose(1, 2))
        return self.head(self.blocks(x).mean(1))


class PlacesInPatches(nn.Module):
    """Places within patches of 2 x 2 attend along the patches, as in MobileViT v2, and fold back.

    Between, an axis is places and one is patches, while convolutions read both as rows and columns.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.mix = nn.Conv2d(3, 8, 4, 4), nn.Conv2d(8, 9, 1)
        self.sum = nn.Conv2d(8, 8, 1)
        self.inner, self.last, self.head = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 12, 1), nn.Linear(12, 5)
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        n, k, h, w = x.shape
        x = x.reshape(n, k, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4).reshape(n, k, 4, -1)
        query, value = self.mix(x).split([1, k], 1)
        x = x + self.sum(value * (value * query.softmax(-1)).sum(-1, keepdim=True))
        x = x + F.relu(self.inner(x))
        x = x.reshape(n, k, 2, 2, h // 2, w // 2).permute(0, 1, 4, 2, 5, 3).reshape(n, k, h, w)
        return self.head(F.relu(self.last(x)).mean((2, 3)))


class Reducing(nn.Module):
    """Two resolutions of tokens, each attending to a coarser map of itself, as in PVT."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.down = nn.Conv2d(3, 8, 4, 4), nn.Conv2d(8, 12, 2, 2)
        self.coarse, self.coarser = nn.Conv2d(8, 8, 4, 4), nn.Conv2d(12, 12, 2, 2)
        self.first, self.second = nn.Linear(8, 8), nn.Linear(12, 12)
        self.head = nn.Linear(12, 5)
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.block(self.stem(x), self.coarse, self.first)
        return self.head(self.block(self.down(x), self.coarser, self.second).mean((2, 3)))

    def block(self, x: Tensor, reduce: nn.Module, mix: nn.Module) -> Tensor:
        keys = reduce(x).flatten(2).transpose(1, 2)
        tokens = x.flatten(2).transpose(1, 2)
        tokens = tokens + F.scaled_dot_product_attention(tokens, keys, keys)
        tokens = tokens + F.gelu(mix(tokens))
        return tokens.transpose(1, 2).reshape(x.shape)
