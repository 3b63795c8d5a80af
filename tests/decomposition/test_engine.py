"""Hierarchical decomposition: the fast tree is the literal one, and truths worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError
from torch import nn

import hexplain_widgets as hx
from hexplain_widgets.evidence import Node
from hexplain_widgets.network.guest import visiting
from hexplain_widgets.network.probe import Probe
from hexplain_widgets.network.segments import Unit, without_crops
from tests.agreement import check_same
from tests.networks import Attentive, DataDependent, Functional, image, plain, torchvision_network
from tests.reference import gap

LAYERS = {
    "vgg11": ["features.19", "features.14", "features.9", "features.4", "features.1"],
    "resnet18": ["layer4", "layer3", "layer2", "layer1"],
    "squeezenet1_1": ["features.12", "features.7", "features.4", "features.1"],
    "mobilenet_v2": ["features.18", "features.13", "features.6", "features.3", "features.1"],
    "efficientnet_b0": ["features.8", "features.5", "features.3", "features.2", "features.1"],
    "convnext_tiny": ["features.7", "features.5", "features.3", "features.1"],
    "inception_v3": ["Mixed_7c", "Mixed_6e", "Mixed_5d", "Conv2d_4a_3x3", "Conv2d_2b_3x3"],
}


def strongest_class(model: nn.Module, x: torch.Tensor) -> int:
    with torch.no_grad():
        return int(model(x)[0].argmax())


@pytest.mark.parametrize("name", LAYERS)
def test_the_tree_is_the_literal_one_on_torchvision_networks(name: str) -> None:
    model, x = torchvision_network(name), image(97 if name != "inception_v3" else 107)
    target = strongest_class(model, x)
    tree = hx.decompose(model, x, target, top_k=2)
    assert [layer.name for layer in tree.layers] == LAYERS[name]
    clips = {"features.18": 6.0} if name == "mobilenet_v2" else {}
    literal = gap.decompose(model, x, target, LAYERS[name], top_k=2, clips=clips)
    compared = check_same(tree.root.children, literal, tolerance=3e-4)
    assert compared >= len(LAYERS[name])


@pytest.mark.parametrize("size", [32, 37, 45, 50])
def test_the_tree_is_the_literal_one_at_sizes_that_do_not_divide(size: int) -> None:
    model, x = plain(), image(size)
    target = strongest_class(model, x)
    tree = hx.decompose(model, x, target, top_k=4)
    literal = gap.decompose(model, x, target, ["7", "4", "1"], top_k=4)
    assert check_same(tree.root.children, literal, tolerance=1e-4) > 20


def test_every_unit_of_a_map_is_decomposed_alike_on_its_crop_and_on_the_whole_map() -> None:
    model, x = plain(), image(37)
    probe = Probe(hx.Classifier(model))
    segment = probe.segment(probe.capture(x), "1", "4")
    _, _, rows, columns = segment.deep.shape
    units = [Unit(k, y, c) for k in (0, 5) for y in range(rows) for c in range(columns)]
    units = [u for u in units if segment.value(u) > 0]
    with visiting(model):
        crops, whole = (
            _full_gradients(segment, units),
            _full_gradients(without_crops(segment), units),
        )
    assert len(units) > 100
    assert torch.allclose(crops, whole, atol=1e-6)


DEEPER = {
    "convolutions": lambda: [_layer(6), _layer(6, 2), *(_layer(6) for _ in range(3))],
    "oblong": lambda: [
        _layer(6, (2, 1), (3, 5)), _layer(6, 1, (1, 3)), _layer(6, (1, 2), (5, 3)), _layer(6),
    ],
    "pools": lambda: [
        _layer(6), nn.MaxPool2d(3, 2, 1), _layer(6, dilation=2), _layer(6), _layer(6),
    ],
    "even windows": lambda: [_layer(6, 2, 4), _layer(6, 1, 2), _layer(6), _layer(6)],
    "blocks": lambda: [Residual(6), _layer(6, 2), Residual(6), Residual(6)],
}  # fmt: skip


def _layer(width: int, stride=1, size=3, dilation: int = 1) -> nn.Module:
    height, breadth = size if isinstance(size, tuple) else (size, size)
    padding = (dilation * (height // 2), dilation * (breadth // 2))
    return nn.Sequential(nn.Conv2d(width, width, size, stride, padding, dilation), nn.ReLU())


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(_layer(width), nn.Conv2d(width, width, 3, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.inner(x))


@pytest.mark.parametrize("size", [40, 45])
@pytest.mark.parametrize("name", DEEPER)
def test_units_need_less_and_less_on_the_way_and_are_decomposed_alike(name: str, size: int) -> None:
    torch.manual_seed(1)
    body = DEEPER[name]()
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3))
    model, x = nn.Sequential(nn.Conv2d(3, 6, 3, 1, 1), *body, head).eval(), image(size)
    probe = Probe(hx.Classifier(model))
    ends = ("0", str(len(body)))
    segment = probe.segment(probe.capture(x, ends), *ends)
    first = segment._runners[0]
    assert len(first.steps) > 1
    assert 0 < first.effort < 0.9
    _, _, rows, columns = segment.deep.shape
    units = [Unit(k, y, c) for k in range(6) for y in range(rows) for c in range(columns)]
    units = [u for u in units[::7] if segment.value(u) > 0]
    with visiting(model):
        less = _full_gradients(segment, units)
        whole = _full_gradients(without_crops(segment), units)
    assert segment._runners[0] is first  # not dropped for what it gave
    assert len(units) > 30
    assert torch.allclose(less, whole, atol=1e-6)


def _full_gradients(segment, units) -> torch.Tensor:
    found = []
    for decided in segment.decide(units):
        for gradient, (y, x) in zip(decided.gradients, decided.offsets, strict=True):
            full = torch.zeros(segment.shallow.shape[1:])
            full[:, y : y + gradient.shape[1], x : x + gradient.shape[2]] = gradient
            found.append(full)
    return torch.stack(found)


def test_contributions_of_a_network_worked_out_on_paper() -> None:
    """Two 1x1 channels, weights 2 and 3 under a mean over four cells: alpha_k = w_k * mean F_k."""
    conv = nn.Conv2d(1, 2, 1, bias=False)
    conv.weight.data = torch.tensor([1.0, 10.0]).reshape(2, 1, 1, 1)
    head = nn.Linear(2, 1, bias=False)
    head.weight.data = torch.tensor([[2.0, 3.0]])
    model = nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
    x = torch.tensor([[1.0, 0.0], [0.0, 3.0]]).reshape(1, 1, 2, 2)
    root = hx.decompose(model, x).root
    assert root.value == pytest.approx(2 * 1 + 3 * 10)
    strong, weak = root.children if len(root.children) == 2 else (root.children[0], None)
    # alpha is the mean of A over the 4 cells, and A sums to the channel's part of the score
    assert strong.channel == 1
    assert strong.contribution == pytest.approx(30 / 4)
    assert strong.share == pytest.approx(30 / 32)
    assert strong.position == (1, 1)
    # both channels fire at the same place: the second one is merged into the first
    assert weak is None
    assert strong.also == (0,)
    assert np.allclose(strong.activation, [[7.5, 0], [0, 22.5]])


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Identity])
def test_contributions_add_up_to_the_score_where_there_are_no_biases(activation) -> None:
    model = plain(bias=False, activation=activation)
    tree = hx.decompose(model, image(40), top_k=3)
    steps = [n.completeness for _, n in tree.root.walk() if n.decomposed]
    assert len(steps) > 10
    assert np.allclose(steps, 1, atol=1e-4)


def test_completeness_is_less_than_exact_where_biases_take_part() -> None:
    model = plain()
    model[6].bias.data += 1
    tree = hx.decompose(model, image(40))
    assert any(abs(n.completeness - 1) > 0.01 for _, n in tree.root.walk() if n.decomposed)


def test_the_step_below_the_logit_is_ablation_itself_under_pooling_and_a_linear_head() -> None:
    model, x = plain(), image(40)
    target = strongest_class(model, x)
    literal = gap.step(model, x, None, (target, 0, 0), "7")
    drops = gap.ablation(model, x, None, (target, 0, 0), "7")
    area = literal.activation_map[0].numel()
    assert torch.allclose(literal.alpha * area, drops, atol=1e-5)


def test_channels_that_overlap_are_merged_into_the_strongest() -> None:
    model = plain()
    for twin in (5, 9):
        model[6].weight.data[twin] = model[6].weight.data[0]
        model[6].bias.data[twin] = model[6].bias.data[0]
    model[10].weight.data[1] = -1.0
    model[10].weight.data[1, [0, 5, 9]] = torch.tensor([1.0, 3.0, 2.0])
    model[10].bias.data[1] += 5
    first = hx.decompose(model, image(40), 1).root.children[0]
    assert (first.channel, first.also) == (5, (9, 0))


def test_nothing_is_merged_at_an_overlap_of_one() -> None:
    tree = hx.decompose(plain(), image(40), top_k=5, merge_iou=1.0)
    assert all(not node.also for _, node in tree.root.walk())


def test_a_negative_decision_inside_the_tree_is_negated_and_flagged() -> None:
    model = plain(activation=nn.Identity)
    tree = hx.decompose(model, image(40))
    negated = [n for _, n in tree.root.walk() if n.negated]
    assert negated and all(n.value < 0 for n in negated)
    assert all(c.contribution > 0 for n in negated for c in n.children)
    assert any("negative" in note for note in tree.notes)


def test_a_clipped_decision_is_taken_apart_before_its_clip() -> None:
    model, x = plain(activation=nn.ReLU6), image(40)
    model[6].bias.data += 20
    model[10].weight.data.abs_()
    tree = hx.decompose(model, x)
    clipped = [n for _, n in tree.root.walk() if n.unclipped]
    assert clipped and all(n.value == 6 and n.children for n in clipped)
    assert any("clipped" in note for note in tree.notes)
    literal = gap.decompose(
        model, x, tree.target.index, ["7", "4", "1"], clips={"7": 6.0, "4": 6.0}
    )
    check_same(tree.root.children, literal, tolerance=1e-4)


def test_a_network_that_cannot_be_traced_gives_the_same_tree() -> None:
    model, x = DataDependent(), image(40)
    replayed = hx.decompose(model, x)
    layers = ["body.7", "body.4", "body.1"]
    assert [layer.name for layer in replayed.layers] == layers
    assert any("replayed" in note for note in replayed.notes)
    literal = gap.decompose(model, x, replayed.target.index, layers)
    check_same(replayed.root.children, literal, tolerance=1e-4)


def test_functional_relus_and_reused_modules_are_decomposed() -> None:
    model, x = Functional().eval(), image(40)
    model.head.bias.data += 1
    tree = hx.decompose(model, x, layers=["relu_3", "relu_1", "first"])
    assert [layer.name for layer in tree.layers] == ["relu_3", "relu_1", "first"]
    assert [layer.name for layer in hx.layers(model, x) if layer.stage] == ["add", "relu_3"]


def test_attention_between_stages_falls_back_to_the_whole_segment() -> None:
    model, x = Attentive().eval(), image(32)
    model.head.bias.data += 1
    tree = hx.decompose(model, x)
    layers = [layer.name for layer in tree.layers]
    literal = gap.decompose(model, x, tree.target.index, layers)
    assert check_same(tree.root.children, literal, tolerance=1e-4) >= 6


def test_layers_may_be_named_in_any_order() -> None:
    tree = hx.decompose(plain(), image(40), layers=["1", "7", "4"])
    assert [layer.name for layer in tree.layers] == ["7", "4", "1"]


class TestFurther:
    """Expansion of any node, any channel by hand, pictures."""

    engine = hx.Decomposer(plain(), image(40), top_k=2)

    def test_a_limited_tree_stops_above_the_level_that_would_pass_the_limit(self) -> None:
        tree = self.engine.tree(max_nodes=8)
        assert [len(p) for p, _ in tree.root.walk()].count(2) == 4
        assert not any(n.decomposed for p, n in tree.root.walk() if len(p) == 2)

    def test_expanding_a_node_gives_what_the_whole_tree_has_there(self) -> None:
        small, whole = self.engine.tree(max_nodes=3), self.engine.tree()
        grown = self.engine.expand(self.engine.expand(small, (1,)), (1, 0))
        pairs = zip(grown.node((1,)).walk(), whole.node((1,)).walk(), strict=False)
        compared = [(a, b) for (p, a), (q, b) in pairs if len(p) < 2 and p == q]
        assert len(compared) >= 2
        for a, b in compared:
            assert (a.layer, a.channel, a.position, a.also) == (
                b.layer, b.channel, b.position, b.also
            )  # fmt: skip
            assert np.allclose(a.activation, b.activation, atol=1e-6)
            assert a.share == pytest.approx(b.share, rel=1e-5)

    def test_more_children_leave_what_was_there_in_place(self) -> None:
        whole = self.engine.tree()
        wider = self.engine.expand(whole, (), top_k=4)
        assert len(wider.root.children) == 4
        assert wider.root.children[:2] == whole.root.children

    def test_a_channel_chosen_by_hand_joins_the_others(self) -> None:
        whole = self.engine.tree()
        present = {c.channel for c in whole.root.children}
        chosen = next(k for k, _, _ in self.engine.candidates(whole, ()) if k not in present)
        grown = self.engine.expand(whole, (), channels=[chosen])
        assert [c.channel for c in grown.root.children[:2]] == [
            c.channel for c in whole.root.children
        ]
        assert grown.root.children[2].channel == chosen

    def test_candidates_are_all_activated_channels_and_their_shares_add_up(self) -> None:
        whole = self.engine.tree()
        found = self.engine.candidates(whole, (), top=100)
        assert len(found) == whole.root.activated
        assert sum(share for _, _, share in found) == pytest.approx(1)

    def test_stopping_keeps_what_was_found(self) -> None:
        tree = self.engine.tree(stopped=lambda: True)
        assert tree.root.children

    def test_the_shallowest_stage_has_nothing_below(self) -> None:
        with pytest.raises(ValueError, match="is the shallowest stage; a node above it"):
            self.engine.expand(self.engine.tree(), (0, 0, 0))

    def test_a_channel_out_of_range_is_an_error(self) -> None:
        with pytest.raises(IndexError, match="got channel 99 of 7; expected 0 to 15"):
            self.engine.expand(self.engine.tree(), (), channels=[99])

    def test_a_path_that_does_not_exist_is_an_error(self) -> None:
        with pytest.raises(IndexError, match=r"no node at path \(5,\)"):
            self.engine.expand(self.engine.tree(), (5,))

    def test_the_tree_of_another_class_is_an_error(self) -> None:
        positive = [p for p in self.engine.predictions() if p.logit > 0]
        other = self.engine.retarget(positive[1].index)
        with pytest.raises(ValueError, match=r"use decomposer\.retarget"):
            other.expand(self.engine.tree(), ())

    def test_a_picture_is_guided_backpropagation_of_the_whole_network(self) -> None:
        tree = self.engine.pictures(self.engine.tree(), [(0, 0)])
        node = tree.node((0, 0))
        expected = _guided(self.engine.classifier.model, image(40), 4, node)
        x0, y0, x1, y1 = node.box
        assert node.picture.shape == (y1 - y0, x1 - x0, 3)
        crop = expected[:, y0:y1, x0:x1]
        assert torch.count_nonzero(expected) == torch.count_nonzero(crop) > 0
        size = crop.abs().amax(0)
        full = np.percentile(size[size > 0].numpy(), 99.5)
        scaled = (127.5 + 127.5 * (crop / full).clamp(-1, 1)).permute(1, 2, 0).numpy()
        assert np.abs(node.picture - scaled).max() <= 0.51

    def test_pictures_never_change_a_contribution(self) -> None:
        tree = self.engine.tree()
        pictured = self.engine.pictures(tree, [p for p, _ in tree.root.walk()])
        assert all(n.picture is not None for p, n in pictured.root.walk() if p)
        assert [n.contribution for _, n in tree.root.walk()] == [
            n.contribution for _, n in pictured.root.walk()
        ]


def _guided(model: nn.Sequential, x: torch.Tensor, last: int, node: Node) -> torch.Tensor:
    """Guided backpropagation through a plain network, literally, layer by layer."""
    values = [x]
    for layer in model[: last + 1]:
        values.append(layer(values[-1].detach().requires_grad_()))
    g = torch.zeros_like(values[-1])
    g[0, node.channel, *node.position] = 1
    with torch.enable_grad():
        for i in reversed(range(last + 1)):
            before = values[i].detach().requires_grad_()
            g = torch.autograd.grad(model[i](before), before, g)[0]
            if isinstance(model[i], nn.ReLU):
                g = g.clamp(min=0)
    return g[0]


def test_pictures_of_a_network_without_relu_say_that_they_are_plain_gradients() -> None:
    engine = hx.Decomposer(plain(activation=nn.SiLU), image(40))
    tree = engine.pictures(engine.tree(), [(0,)])
    assert any("no ReLU" in note for note in tree.notes)


def test_the_same_image_gives_the_same_evidence() -> None:
    model, x = plain(), image(40)
    assert hx.decompose(model, x) == hx.decompose(model, x)


def test_the_text_of_a_tree_names_layers_channels_and_shares() -> None:
    text = str(hx.decompose(plain(), image(40), top_k=1))
    assert text.count("└─") == 3 and "7 channel" in text and "%" in text


# The means of the channels of `weighed` are (3, 1).
PAIR = torch.tensor([3.0, 1.0])[None, :, None, None].expand(1, 2, 4, 4).clone()


def weighed(*weights: list[float], bias: float = 0.0) -> nn.Module:
    """Two channels as they come, and classes that weigh their means."""
    network = nn.Sequential(
        nn.Conv2d(2, 2, 1, bias=False), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(2, len(weights)),
    ).eval()  # fmt: skip
    network[0].weight.data = torch.eye(2)[:, :, None, None]
    network[4].weight.data = torch.tensor(weights)
    network[4].bias.data.fill_(bias)
    return network


@pytest.mark.parametrize("method", ["gradient", "ablation"])
def test_of_a_negative_logit_that_is_asked_about_the_reasons_against_are_shown(method) -> None:
    model = weighed([1.0, 1.0], [-2.0, 1.0])  # logits 4 and -5
    tree = hx.decompose(model, PAIR, 1, layers=["1"], merge_iou=1.0, method=method)
    assert (tree.target.logit, tree.root.value, tree.root.negated) == (-5, -5, True)
    (child,) = tree.root.children
    # What channel 0 takes away is 3 * 2, in ablation all of it, in gAP its mean over 16 cells.
    assert child.channel == 0
    assert child.contribution == pytest.approx(6 if method == "ablation" else 6 / 16)
    assert (child.share, tree.root.completeness) == (1, pytest.approx(1))
    assert tree.notes[-1] == (
        "The logit of class 1 is -5: shown is what speaks against it in 1, as shares of all that"
        " does."
    )
    assert str(tree).splitlines()[0].endswith(": what speaks against it")


@pytest.mark.parametrize("method", ["gradient", "ablation"])
@pytest.mark.parametrize("target", [None, 0])
def test_of_the_class_that_is_named_the_reasons_for_it_are_shown_whatever_its_sign(
    method, target
) -> None:
    model = weighed([-1.0, 1.0], [-2.0, 1.0], bias=-1.0)  # logits -3 and -6
    engine = hx.Decomposer(model, PAIR, target=target, layers=["1"], merge_iou=1.0, method=method)
    tree = engine.tree()
    assert (tree.target.index, tree.target.logit, tree.root.negated) == (0, -3, False)
    (child,) = tree.root.children
    assert child.channel == 1
    assert child.contribution == pytest.approx(1 if method == "ablation" else 1 / 16)
    assert tree.root.completeness == pytest.approx(2 / 3)  # -3 + 1 of -3: the rest is bias
    assert "no class has a higher one: shown is what speaks for it" in tree.notes[-1]
    assert engine.faithfulness(tree, ()).drops.tolist() == pytest.approx([-3, 1])
    assert [k for k, *_ in engine.candidates(tree, ())] == [1]


@pytest.mark.parametrize("top_k", [0, -1, 2.5, True])
def test_top_k_must_be_a_whole_number_of_at_least_one(top_k) -> None:
    with pytest.raises((ValueError, TypeCheckError), match="top_k"):
        hx.Decomposer(plain(), image(40), top_k=top_k)


@pytest.mark.parametrize("iou", [0.0, 1.5])
def test_merge_iou_must_lie_between_zero_and_one(iou: float) -> None:
    with pytest.raises(ValueError, match="got merge_iou"):
        hx.Decomposer(plain(), image(40), merge_iou=iou)
