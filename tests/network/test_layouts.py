"""Maps that are not K x H x W: found by how they came about and are used, or told, or refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import hexplain_widgets as hx
from hexplain_widgets.network.gating import gated
from hexplain_widgets.network.guest import visiting
from hexplain_widgets.network.layout import ShapesRead, checked_layouts
from hexplain_widgets.network.probe import Probe, layers
from hexplain_widgets.network.probed_image import ImageProbe
from tests.layouts import (
    ChannelsLast,
    Hidden,
    HiddenTokens,
    ImagesThird,
    Mixer,
    OblongPatches,
    PlacesInPatches,
    Reducing,
    SecondAxis,
    TwoStreams,
    UnfoldedPatches,
    swin,
    swin_v2,
    vit,
)
from tests.networks import image, seeded, torchvision_network

NHWC, TOKENS = (lambda v: v.permute(0, 3, 1, 2)), (lambda v: v.transpose(1, 2))


@dataclass(frozen=True)
class Case:
    """A network, an image, layers deepest first, and what a person knows of their values."""

    make: Callable[[], nn.Module]
    layers: tuple[str, ...]
    by_hand: Callable[[Tensor], Tensor]
    grid: tuple[int, int]
    layout: str
    size: tuple[int, int] = (32, 32)

    def image(self, seed: int = 0) -> Tensor:
        return image(max(self.size), seed)[:, :, : self.size[0], : self.size[1]]

    def zeroed(self, value: Tensor, channel: int) -> Tensor:
        """The value without one channel of its map, by the axes that a person knows."""
        value = value.clone()
        self.by_hand(value)[:, channel] = 0
        return value


# Which numbers of a layer are its map, written down for each network: (N, K, ...) views.
CASES: Mapping[str, Case] = {
    "swin": Case(swin, ("features.3.1", "features.1.1"), NHWC, (6, 5), "nhwc", (48, 40)),
    "swin v2": Case(swin_v2, ("features.3.1", "features.1.1"), NHWC, (4, 4), "nhwc"),
    "vit": Case(
        vit,
        ("encoder.layers.encoder_layer_2", "encoder.layers.encoder_layer_0"),
        lambda v: TOKENS(v[:, 1:]),
        (4, 4),
        "tokens",
    ),
    "channels last": Case(ChannelsLast, ("act", "clip"), NHWC, (4, 4), "nhwc"),
    "images third": Case(
        ImagesThird, ("act2", "act"), lambda v: v.permute(2, 3, 0, 1), (6, 4), "hwnc", (24, 16)
    ),
    "second axis": Case(
        SecondAxis, ("blocks.1", "blocks.0"), lambda v: v[1:].permute(1, 2, 0), (4, 4), "tokens"
    ),
    "oblong": Case(
        OblongPatches,
        ("blocks.1", "blocks.0"),
        lambda v: TOKENS(v[:, :24]),
        (4, 6),
        "tokens",
        (32, 48),
    ),
    "unfolded": Case(UnfoldedPatches, ("blocks.1", "blocks.0"), TOKENS, (4, 6), "tokens", (32, 48)),
    "mixer": Case(Mixer, ("blocks.1", "blocks.0"), TOKENS, (4, 4), "tokens"),
}


def gradient_times_activation(
    model: nn.Module, layer: str, index: int, x: Tensor, by_hand: Callable[[Tensor], Tensor]
) -> np.ndarray:
    """Literally, on the network itself: a forward hook, autograd, the mean over the map."""
    kept: list[Tensor] = []
    hook = model.get_submodule(layer).register_forward_hook(
        lambda module, args, output: kept.append(output) or output.retain_grad()
    )
    model(x.clone().requires_grad_())[0, index].backward()
    hook.remove()
    (value,) = kept
    return by_hand((value.grad * value).detach())[0].flatten(1).mean(1).numpy()


def removed(model: nn.Module, layer: str, case: Case, channel: int, x: Tensor) -> Tensor:
    """What the network itself answers when a hook sets one channel of a layer to zero."""
    hook = model.get_submodule(layer).register_forward_hook(
        lambda module, args, output: case.zeroed(output, channel)
    )
    with torch.no_grad():
        logits = model(x)
    hook.remove()
    return logits


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def test_default_stages_are_maps_of_the_blocks(case: Case) -> None:
    tree = hx.decompose(case.make(), case.image(), top_k=1)
    deepest = tree.layers[0]
    assert (deepest.name, deepest.layout) == (case.layers[0], case.layout)
    assert deepest.shape[1:] == case.grid
    assert case.layers[1] in [layer.name for layer in tree.layers]


def test_contributions_are_gradient_times_activation_of_the_network_itself(case: Case) -> None:
    model, x = case.make(), case.image()
    tree = hx.decompose(model, x, layers=case.layers, merge_iou=1.0)
    index = tree.target.index
    for layer in case.layers:
        one = hx.decompose(model, x, layers=[layer], merge_iou=1.0)
        literal = gradient_times_activation(model, layer, index, x, case.by_hand)
        best = np.argsort(-literal)[: len(one.root.children)]
        assert [c.channel for c in one.root.children] == best.tolist()
        np.testing.assert_allclose(
            [c.contribution for c in one.root.children], literal[best], rtol=1e-3, atol=1e-7
        )


def test_a_unit_below_is_decomposed_as_the_network_computes_it(case: Case) -> None:
    """A channel at a place of the deeper map, by autograd between two hooks."""
    model, x = case.make(), case.image()
    tree = hx.decompose(model, x, layers=case.layers, merge_iou=1.0, top_k=2)
    node = tree.root.children[0]
    kept: dict[str, Tensor] = {}
    deep, shallow = case.layers
    for name in case.layers:
        model.get_submodule(name).register_forward_hook(
            lambda module, args, output, name=name: kept.update({name: output})
        )
    model(x.clone().requires_grad_())
    row, column = node.position
    maps = case.by_hand(kept[deep])[0].unflatten(-1, case.grid) if kept[deep].ndim == 3 else None
    value = (case.by_hand(kept[deep])[0] if maps is None else maps)[node.channel, row, column]
    assert value.item() == pytest.approx(node.value, rel=1e-4)
    (gradient,) = torch.autograd.grad(value, kept[shallow])
    parts = case.by_hand((gradient * kept[shallow]).detach())[0].flatten(1).mean(1)
    for child in node.children:
        sign = -1 if node.value < 0 else 1
        assert child.contribution == pytest.approx(sign * float(parts[child.channel]), rel=2e-3)


def test_a_removed_channel_costs_what_it_costs_the_network_itself(case: Case) -> None:
    model, x = case.make(), case.image()
    layer = case.layers[1]
    tree = hx.decompose(model, x, layers=[layer], method="ablation", merge_iou=1.0)
    index = tree.target.index
    for child in tree.root.children:
        without = removed(model, layer, case, child.channel, x)[0, index]
        drop = tree.target.logit - float(without)
        # contributions of a map are means over its cells, those of a logit are in its own units
        assert child.contribution == pytest.approx(drop, rel=1e-3, abs=1e-5)
    assert tree.root.agreement is not None


def test_gates_answer_what_the_network_itself_answers(case: Case) -> None:
    """Two images at once: what a forward reads of sizes follows the images that are run."""
    model = case.make()
    x = torch.cat([case.image(0), case.image(1)])
    deep, layer = case.layers
    probe = Probe(hx.Classifier(model))
    with visiting(model), torch.no_grad():
        gates = gated(probe, x, list(case.layers))
        cache = gates.take(x)
        closed = torch.ones(2, 3, cache.maps[layer].shape[1], dtype=torch.bool)
        closed[:, 1, 2], closed[:, 2, 5] = False, False
        answers = gates.answers(cache, layer, closed)
        means = gates.means(cache, layer, deep, closed)
    assert cache.maps[deep].shape[2:] == case.grid
    assert means.shape == (2, 3, cache.maps[deep].shape[1])
    for i, channel in ((1, 2), (2, 5)):
        own = torch.cat([removed(model, layer, case, channel, one[None]) for one in x])
        torch.testing.assert_close(answers[:, i], own, rtol=1e-4, atol=1e-5)


def test_heat_maps_are_of_the_grid_and_of_the_right_values(case: Case) -> None:
    model, x = case.make(), case.image()
    layer = case.layers[1]
    kept: list[Tensor] = []
    probed = ImageProbe(hx.Classifier(model), [layer]).at(x)
    model.get_submodule(layer).register_forward_hook(lambda m, a, output: kept.append(output))
    model(x)
    maps = case.by_hand(kept[0].detach())[0]
    np.testing.assert_allclose(
        probed.activations(layer).reshape(len(maps), -1), maps.flatten(1), rtol=1e-4, atol=1e-5
    )
    assert probed.grad_cam(layer, 1).shape == probed.activations(layer).shape[1:]


def test_attention_is_said_and_sees_the_whole_image() -> None:
    """What a channel of a residual stream is worth stands on the tree and on heat maps."""
    case = CASES["vit"]
    tree = hx.decompose(case.make(), case.image(), top_k=1)
    assert any("residual stream" in note for note in tree.notes)
    assert tree.root.children[0].box == (0, 0, 32, 32)
    assert all(layer.receptive_field is None for layer in tree.layers)
    probed = ImageProbe(hx.Classifier(case.make()), case.layers).at(case.image())
    assert any("residual stream" in note for note in probed.notes)
    plain = hx.decompose(ChannelsLast(), case.image(), top_k=1)
    assert not any("residual stream" in note for note in plain.notes)


def test_patches_that_no_score_reads_are_no_stage() -> None:
    """Behind the last attention of a network with a class token nothing reads the patches."""
    case = CASES["vit"]
    stages = [layer.name for layer in layers(case.make(), case.image()) if layer.stage]
    assert stages == [f"encoder.layers.encoder_layer_{i}" for i in range(3)]
    with pytest.raises(ValueError, match="no score depends on the patches"):
        hx.decompose(case.make(), case.image(), layers=["encoder.layers.encoder_layer_3"])


def test_streams_side_by_side_are_named_and_each_can_be_chosen() -> None:
    """No layer has all that the scores rest on: which one to look at is for a person to say."""
    model, x = TwoStreams(), image(32)
    assert any("hold only a part" in note for note in hx.decompose(model, x).notes)
    for name, grid in (("first", (8, 8)), ("second", (4, 4))):
        tree = hx.decompose(model, x, target=1, top_k=24, merge_iou=1.0, layers=[name])
        assert tree.layers[0].shape == (24, *grid)
        assert any("rest on" in note for note in tree.notes)
        true = gradient_times_activation(model, name, 1, x, TOKENS)
        sign = -1 if tree.root.negated else 1
        for node in tree.root.children:
            assert node.contribution == pytest.approx(sign * true[node.channel], rel=1e-4)


def test_streams_without_a_stage_before_them_are_refused_by_name() -> None:
    """What embeds the patches is a block of its own: nothing else is left to show."""
    model = TwoStreams()
    model.fine, model.coarse = nn.Unfold((2, 4), stride=(2, 4)), nn.Unfold((4, 2), stride=(4, 2))
    with pytest.raises(ValueError, match=r"beside one another \(first, second\).*layers=\["):
        hx.decompose(model, image(32))


def test_a_clipped_unit_of_channels_last_is_read_before_its_clip() -> None:
    case = CASES["channels last"]
    model, x = case.make(), case.image()
    tree = hx.decompose(model, x, layers=["clip", "stem"], top_k=6, merge_iou=1.0)
    clipped = [c for c in tree.root.children if c.value == 6]
    assert clipped and all(c.unclipped for c in clipped)
    assert all(c.children for c in clipped)


def test_upright_networks_are_what_they_were() -> None:
    """Permutations inside of blocks, as ConvNeXt has them, leave the stages maps as they are."""
    tree = hx.decompose(torchvision_network("convnext_tiny"), image(32), target=3, top_k=1)
    assert [layer.layout for layer in tree.layers] == [None] * 3
    assert [layer.shape for layer in tree.layers] == [(96, 2, 2), (48, 4, 4), (24, 8, 8)]


class PairBlock(nn.Module):
    """A block with its answer in a tuple."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return type(self.block).forward(self.block, x), None


class PairsOfBlocks(nn.Module):
    """A network of such blocks, as many of transformers' are."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.embed, self.head = model.embed, model.head
        self.blocks = nn.ModuleList(PairBlock(block) for block in model.blocks)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x, _ = block(x)
        return self.head(x.mean(1))


def test_blocks_that_return_tuples_have_their_sums_for_stages() -> None:
    model, x = Mixer(), image(32)
    pairs = PairsOfBlocks(model)
    own, other = (hx.decompose(m, x, top_k=2) for m in (model, pairs))
    assert other.layers[0].shape == (16, 4, 4)
    assert [(c.channel, c.position) for c in other.root.children] == [
        (c.channel, c.position) for c in own.root.children
    ]


class PooledByAttention(nn.Module):
    """A CNN whose last map becomes tokens with places added, pooled by attention."""

    def __init__(self) -> None:
        super().__init__()
        self.low = nn.Sequential(nn.Conv2d(3, 24, 8, 8), nn.ReLU())
        self.place = nn.Parameter(torch.zeros(1, 17, 24))
        self.attention = nn.MultiheadAttention(24, 2, batch_first=True)
        self.head = nn.Linear(24, 5)
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.low(x).flatten(2).mT
        tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], 1) + self.place
        return self.head(self.attention(tokens[:, :1], tokens, tokens)[0][:, 0])


def test_a_cnn_that_attention_pools_keeps_its_stages() -> None:
    tree = hx.decompose(PooledByAttention(), image(32), top_k=1)
    assert [(layer.name, layer.layout) for layer in tree.layers] == [("low", None)]


class ReadsItsValues(Mixer):
    """Calls of modules are replayed here: nothing shows where its tokens come from."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if x.mean().item() < 9 else -x)


def test_replayed_tokens_are_refused_unless_told() -> None:
    model, x = ReadsItsValues(), image(32)
    with pytest.raises(ValueError, match="tokens"):
        hx.decompose(model, x, layers=["blocks.1"])
    told = hx.Classifier(model, layout={"blocks.1": "tokens"})
    tree = hx.decompose(told, x, layers=["blocks.1"], top_k=1)
    literal = gradient_times_activation(model, "blocks.1", tree.target.index, x, TOKENS)
    assert tree.layers[0].shape == (16, 4, 4)
    assert tree.root.children[0].contribution == pytest.approx(literal.max(), rel=1e-4)


def test_what_is_not_certain_is_refused_and_can_be_said() -> None:
    model, x = Hidden(), image(32)
    with pytest.raises(ValueError, match=r"layout=\{'act': \"nchw\"\}"):
        hx.decompose(model, x, layers=["act"])
    default = hx.decompose(model, x, top_k=1)
    assert [layer.name for layer in default.layers] == ["stem"]
    assert any("What act gives" in note for note in default.notes)
    literal = gradient_times_activation(model, "act", default.target.index, x, NHWC)
    for layout in ("nhwc", NHWC):
        told = hx.Classifier(model, layout={"act": layout})
        tree = hx.decompose(told, x, layers=["act"], top_k=1)
        assert tree.layers[0].shape == (8, 4, 4)
        assert tree.root.children[0].channel == literal.argmax()
        assert tree.root.children[0].contribution == pytest.approx(literal.max(), rel=1e-4)
    assert hx.decompose(model, x, top_k=1).notes == default.notes


def test_tokens_of_unknown_origin_are_read_only_when_told() -> None:
    model, x = HiddenTokens(), image(32)
    with pytest.raises(ValueError, match="layout"):
        hx.decompose(model, x, layers=["act"])
    tree = hx.decompose(hx.Classifier(model, layout={"act": "tokens"}), x, layers=["act"], top_k=1)
    literal = gradient_times_activation(model, "act", tree.target.index, x, TOKENS)
    assert tree.layers[0].shape == (8, 4, 4)
    assert tree.root.children[0].contribution == pytest.approx(literal.max(), rel=1e-4)
    behind = hx.Classifier(model, layout={"act": lambda v: v[:, 4:].mT.unflatten(2, (3, 4))})
    oblong = hx.decompose(behind, x, layers=["act"], merge_iou=1.0)
    rest = gradient_times_activation(
        model, "act", oblong.target.index, x, lambda v: TOKENS(v[:, 4:])
    )
    assert oblong.layers[0].shape == (8, 3, 4)
    assert [c.channel for c in oblong.root.children] == np.argsort(-rest)[:3].tolist()


@pytest.mark.parametrize(
    ("layer", "layout", "said"),
    [
        ("act", "tokens", "three axes"),
        ("head", "nhwc", "four axes"),
        ("act", lambda v: v.flatten(1), "N x K x H x W"),
        ("act", lambda v: v[:, [0, 0]].permute(0, 3, 1, 2), "once at most"),
        ("act", lambda v: v.permute(0, 3, 1, 2).float(), "only pick"),
        ("stem", "nhwc", "seen to be 'nchw'"),
        ("stm", "nhwc", "nearest are"),
    ],
)
def test_a_layout_that_cannot_be_is_refused(layer: str, layout: Any, said: str) -> None:
    told = hx.Classifier(Hidden(), layout={layer: layout})
    with pytest.raises(ValueError, match=said):
        hx.decompose(told, image(32))


def test_a_layout_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="got the layout 'hwc'"):
        hx.Classifier(Hidden(), layout={"act": "hwc"})
    with pytest.raises(TypeError, match="pass them by name"):
        checked_layouts("nhwc")


def test_seventeen_tokens_are_a_grid_behind_one_and_ten_more_are_none() -> None:
    class Many(HiddenTokens):
        def forward(self, x: Tensor) -> Tensor:
            tokens = torch.einsum("nchw->nhwc", self.stem(x)).flatten(1, 2)
            return self.head(
                self.act(self.mix(torch.cat([tokens, tokens[:, :8]], 1)))[:, :16].flatten(1)
            )

    told = hx.Classifier(Many(), layout={"act": "tokens"})
    with pytest.raises(ValueError, match="24 tokens are no square"):
        hx.decompose(told, image(32), layers=["act"])


@cache
def pictures(case_name: str) -> list[tuple[Tensor, int]]:
    case = CASES[case_name]
    return [(case.image(seed)[0], seed % 5) for seed in range(6)]


@pytest.mark.parametrize("name", ["swin", "vit", "channels last", "oblong"])
def test_fitted_engines_work_on_every_layout(name: str) -> None:
    case, data = CASES[name], pictures(name)
    model, x = case.make(), case.image()
    k = hx.decompose(model, x, layers=[case.layers[0]], top_k=1).layers[0].shape[0]
    chip = hx.Chip(layers=[case.layers[0]], gates_per_image=4).fit(model, data, progress=False)
    assert chip.importance(case.layers[0]).shape[1] == k
    assert chip.explain(x).values.shape == case.grid
    hint = hx.Hint(layer=case.layers[0], samples=2)
    hint.fit(model, data, {"all": {"some": [0, 1], "others": [2, 3]}}, progress=False)
    assert hint.scores.shape[0] == k
    concepts = {"one": [0, 1], "two": [2]}
    additive = hx.AdditiveExplainer(concepts=concepts, layer=case.layers[0], epochs=2)
    one = additive.fit(model, data, target=0, progress=False).explain(x)
    assert sum(dict(one).values()) + one.bias + one.unexplained == pytest.approx(one.score)


def test_a_saved_engine_keeps_its_layouts(tmp_path: Path) -> None:
    model, data = Hidden(), pictures("mixer")
    told = hx.Classifier(model, layout={"act": "nhwc"})
    chip = hx.Chip(layers=["act"], gates_per_image=4).fit(told, data, progress=False)
    chip.save(tmp_path / "chip.hx")
    again = hx.Chip.load(tmp_path / "chip.hx", told)
    assert again.explain(data[0][0]) == chip.explain(data[0][0])
    assert [layer.layout for layer in again.layers_] == ["nhwc"]
    with pytest.raises(ValueError, match="took its values as 'nhwc'"):
        hx.Chip.load(tmp_path / "chip.hx", hx.Classifier(model, layout={"act": "nchw"}))
    with pytest.raises(ValueError, match="layout="):
        hx.Chip.load(tmp_path / "chip.hx", model).explain(data[0][0])


def test_saved_trees_keep_the_layout_of_their_layers(tmp_path: Path) -> None:
    case = CASES["mixer"]
    tree = hx.decompose(case.make(), case.image(), top_k=1)
    hx.save(tree, tmp_path / "tree.hx")
    assert hx.load(tmp_path / "tree.hx") == tree
    assert {layer.layout for layer in tree.layers} == {"tokens"}
    assert "tokens" in repr(layers(case.make(), case.image()))


def test_a_norm_of_whole_maps_shows_no_order() -> None:
    """Only one over the last axis alone takes channels to be there."""
    with ShapesRead() as read:
        F.layer_norm(torch.rand(1, 3, 4, 4), (3, 4, 4))
        F.layer_norm(torch.rand(1, 5, 5, 2), (2,))
    assert read.layout((1, 3, 4, 4)) is None
    assert (known := read.layout((1, 5, 5, 2))) is not None and known.kind == "nhwc"


def test_places_within_patches_are_no_rows_however_convolutions_read_them() -> None:
    model, x = PlacesInPatches().eval(), image(32)
    tree = hx.decompose(model, x, top_k=1)
    assert [(layer.name, layer.shape) for layer in tree.layers] == [("relu_2", (12, 8, 8))]
    assert not any("may be a map" in note for note in tree.notes)
    assert all(layer.shape[1:] == (8, 8) for layer in layers(model, x))
    with pytest.raises(ValueError, match="channels, rows and columns"):
        hx.decompose(model, x, layers=["inner"])


def test_coarser_maps_that_a_block_attends_to_are_no_stages() -> None:
    shapes = [layer.shape for layer in hx.decompose(Reducing().eval(), image(32), top_k=1).layers]
    assert shapes == [(12, 4, 4), (8, 8, 8)]


def test_a_class_token_that_is_read_is_said_by_the_name_of_its_layer() -> None:
    said = [note for note in hx.decompose(vit(), image(32), top_k=1).notes if "rest on" in note]
    assert len(said) == 1
    assert "other tokens of encoder.layers.encoder_layer_2 too" in said[0]
    assert not [n for n in hx.decompose(Mixer(), image(32), top_k=1).notes if "rest on" in n]
