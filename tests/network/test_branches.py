"""Networks of several branches, crops or tiles: one chain is shown, what it leaves out is said."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import hexplain_widgets as hx
from tests.networks import image, plain, seeded


def backbone() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(),
    )  # fmt: skip


class Branched(nn.Module):
    """Two backbones over one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = backbone(), backbone()
        self.head = nn.Linear(16, 3)
        seeded(self)

    def parts(self, x: Tensor) -> list[Tensor]:
        return [self.a(x), self.b(x)]

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.cat([maps.mean((2, 3)) for maps in self.parts(x)], 1))


class Siamese(Branched):
    """One backbone, run on two crops of the picture."""

    def parts(self, x: Tensor) -> list[Tensor]:
        return [self.a(x[:, :, :8]), self.a(x[:, :, 8:])]


class Shortcut(Branched):
    """What leaves the backbone early reaches the scores beside it."""

    def parts(self, x: Tensor) -> list[Tensor]:
        early = self.b[:3](x)
        return [F.pad(early, (0, 0, 0, 0, 0, 2)), self.a(x)]


class Joined(Branched):
    """Branches that meet in maps again."""

    def __init__(self) -> None:
        super().__init__()
        self.meet = seeded(nn.Sequential(nn.Conv2d(16, 16, 3, 2), nn.ReLU()))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.meet(torch.cat(self.parts(x), 1)).mean((2, 3)))


class Tiles(Branched):
    """Four tiles on the axis of the batch, their features averaged."""

    def tiles(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        x = x.view(n, c, 2, h // 2, 2, w // 2).permute(0, 2, 4, 1, 3, 5)
        return self.a(x.reshape(4 * n, c, h // 2, w // 2))

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.tiles(x).mean((2, 3)).view(len(x), 4, 8).mean(1)
        return self.head(torch.cat([pooled, pooled], 1))


class TilesThenMap(Tiles):
    """Tiles that are put together to a map again."""

    def __init__(self) -> None:
        super().__init__()
        self.meet = seeded(nn.Sequential(nn.Conv2d(8, 16, 3), nn.ReLU()))

    def forward(self, x: Tensor) -> Tensor:
        maps = self.tiles(x)
        _, c, h, w = maps.shape
        maps = maps.view(len(x), 2, 2, c, h, w).permute(0, 3, 1, 4, 2, 5)
        return self.head(self.meet(maps.reshape(len(x), c, 2 * h, 2 * w)).mean((2, 3)))


def stages(model: nn.Module) -> list[str]:
    return [layer.name for layer in hx.layers(model, image(16)) if layer.stage]


@pytest.mark.parametrize(
    ("make", "chain", "beside"),
    [
        (Branched, ["b.1", "b"], "a"),
        (Siamese, ["a.1:2", "a:2"], "a:1"),
        (Shortcut, ["a.1", "a"], "pad"),
        (Joined, ["b.1", "b", "meet"], ""),
    ],
)
def test_stages_are_those_of_one_chain_and_the_rest_is_said(make, chain, beside: str) -> None:
    model, x = make().eval(), image(16)
    assert stages(model) == chain
    tree = hx.decompose(model, x)
    assert [layer.name for layer in reversed(tree.layers)] == chain
    said = [note for note in tree.notes if "The scores rest on" in note]
    assert len(said) == bool(beside)
    assert all(f" {beside} too, beside {chain[-1]}:" in note for note in said)


@pytest.mark.parametrize("make", [Branched, Siamese, Shortcut])
def test_the_parts_of_a_branch_add_up_to_what_the_branch_adds(make) -> None:
    model, x = make().eval(), image(16)
    tree = hx.decompose(model, x, target=1, top_k=8, merge_iou=1.0)
    with torch.no_grad():
        last = model.parts(x)[1]
        adds = model.head.weight[1, 8:] * last.mean((2, 3))[0]
        logit = float(model(x)[0, 1])
    for child in tree.root.children:
        cells = last.shape[2] * last.shape[3]
        sign = -1 if tree.root.negated else 1
        assert child.contribution * cells * sign == pytest.approx(
            float(adds[child.channel]), rel=1e-4
        )
    assert tree.root.completeness == pytest.approx(float(adds.sum()) / logit, rel=1e-4)


def test_a_fitted_engine_says_what_its_stages_leave_out() -> None:
    classifier = hx.Classifier(Branched().eval())
    data = [(image(16, seed)[0], seed % 3) for seed in range(6)]
    hx.Chip(gates_per_image=8).fit(classifier, data, progress=False)
    assert [note for note in classifier.notes if "a too, beside b" in note]


@pytest.mark.parametrize("layers", [None, ["a"]])
def test_several_maps_of_one_image_are_refused(layers) -> None:
    with pytest.raises(ValueError, match=r"4 maps of one image.*expected one feature map"):
        hx.decompose(Tiles().eval(), image(16), layers=layers)


def test_tiles_that_are_a_map_again_are_explained_from_there() -> None:
    model, x = TilesThenMap().eval(), image(16)
    tree = hx.decompose(model, x, target=0, top_k=16, merge_iou=1.0)
    assert [layer.name for layer in tree.layers] == ["meet"]
    kept: list[Tensor] = []
    handle = model.meet.register_forward_hook(lambda _m, _x, out: kept.append(out))
    logit = model(x)[0, 0]
    (gradient,) = torch.autograd.grad(logit, kept)
    handle.remove()
    expected = (gradient * kept[0]).detach()[0].mean((1, 2))
    for child in tree.root.children:
        part = abs(float(expected[child.channel]))
        assert child.contribution == pytest.approx(part, rel=1e-4, abs=1e-7)


def test_layers_that_do_not_follow_one_another_are_refused_when_calls_are_replayed() -> None:
    class Reads(Branched):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x * (1 if float(x.detach().sum()) > -1e9 else 0))

    with pytest.raises(ValueError, match="b does not depend on a"):
        hx.decompose(Reads().eval(), image(16), layers=["a", "b"])


def test_nothing_is_said_where_all_passes_the_deepest_stage() -> None:
    assert not [note for note in hx.decompose(plain(), image(16)).notes if "rest on" in note]
