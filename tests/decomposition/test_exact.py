"""The exact tree: contributions are what a decision loses, as one forward per channel says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError
from torch import Tensor, nn

import hexplain_widgets as hx
from hexplain_widgets.evidence import Decomposition, Node
from hexplain_widgets.evidence.store import load, save
from hexplain_widgets.network import ablation
from hexplain_widgets.network.ablation import ChannelAblation, on_segment
from hexplain_widgets.network.guest import visiting
from hexplain_widgets.network.probe import Probe
from hexplain_widgets.network.segments import Unit, without_crops
from tests.networks import (
    Attentive,
    DataDependent,
    Functional,
    Residual,
    image,
    plain,
    seeded,
    torchvision_network,
)
from tests.reference import gap


def exact(model: nn.Module, x: Tensor, **settings) -> Decomposition:
    return hx.decompose(model, x, method="ablation", merge_iou=1.0, **settings)


@dataclass
class Literal:
    """What the network itself loses at one decision, and what its gradient foretells."""

    drops: np.ndarray
    estimates: np.ndarray

    @classmethod
    def of(
        cls, model: nn.Module, x: Tensor, deep: str | None, node: Node, below: str, at_once: int
    ) -> Literal:
        unit = (node.channel, *node.position)
        free = gap.without_upper_clip(model, deep) if node.unclipped else model
        sign = -1 if node.negated else 1
        step = gap.step(free, x, deep, unit, below)
        drops = sign * gap.ablation(free, x, deep, unit, below, at_once=at_once)
        return cls(drops.double().numpy(), step.activation_map.sum((1, 2)).double().numpy())


def check_literal(
    model: nn.Module, x: Tensor, tree: Decomposition, *, most: int = 12, at_once: int = 64
) -> int:
    """Hold a tree to the literal loop at its decisions; return how many were compared."""
    names = [layer.name for layer in tree.layers]
    decisions = [(p, n) for p, n in tree.root.walk() if n.decomposed]
    some = decisions[:: max(1, len(decisions) // most)]
    for path, node in some:
        deep = names[len(path) - 1] if path else None
        literal = Literal.of(model, x, deep, node, names[len(path)], at_once)
        check_decision(node, literal)
    return len(some)


def check_decision(node: Node, literal: Literal) -> None:
    scale = np.abs(literal.drops).max()
    channels = [c.channel for c in node.children]
    near = {"rtol": 1e-3, "atol": 2e-5 * scale}
    assert np.allclose([c.contribution for c in node.children], literal.drops[channels], **near)
    assert np.allclose([c.estimate for c in node.children], literal.estimates[channels], **near)
    positive = literal.drops[literal.drops > 0].sum()
    shares = [c.share for c in node.children]
    assert np.allclose(shares, literal.drops[channels] / positive, rtol=1e-3, atol=1e-4)
    strongest = np.sort(literal.drops)[::-1][: len(channels)]
    assert np.allclose(literal.drops[channels], strongest, rtol=1e-3, atol=1e-4 * scale)
    expected = np.corrcoef(literal.drops, literal.estimates)[0, 1]
    assert node.agreement == pytest.approx(expected, abs=1e-3)


def lively(model: nn.Module) -> nn.Module:
    """The network with a logit that is positive for any image."""
    model.head.bias.data += 5
    return model.eval()


SMALL = {
    "plain": (plain, None),
    "modules called by functions": (lambda: lively(Functional()), ["wide", "first"]),
    "a shortcut past the layer": (lambda: lively(Residual()), ["one", "enter"]),
    "attention between stages": (lambda: lively(Attentive()), None),
    "no trace": (DataDependent, None),
}


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("size", [37, 40])
def test_the_tree_is_one_forward_of_the_network_per_channel(name: str, size: int) -> None:
    make, layers = SMALL[name]
    model, x = make(), image(size)
    tree = exact(model, x, layers=layers)
    assert check_literal(model, x, tree) >= len(tree.layers)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "squeezenet1_1"])
def test_the_tree_is_the_literal_one_on_torchvision_networks(name: str) -> None:
    model, x = torchvision_network(name), image(48)
    tree = exact(model, x, top_k=1)
    assert check_literal(model, x, tree) == len(tree.layers)


def test_a_clipped_decision_falls_from_before_its_clip() -> None:
    model, x = plain(activation=nn.ReLU6), image(40)
    model[6].bias.data += 20
    model[10].weight.data.abs_()
    tree = exact(model, x)
    clipped = [n for _, n in tree.root.walk() if n.unclipped]
    assert clipped and all(n.children for n in clipped)
    assert check_literal(model, x, tree) > 5


def test_a_negative_decision_falls_towards_zero() -> None:
    model, x = plain(activation=nn.Identity), image(40)
    tree = exact(model, x)
    assert any(n.negated for _, n in tree.root.walk())
    assert check_literal(model, x, tree) > 5


def test_estimate_and_truth_are_one_in_a_linear_network() -> None:
    tree = exact(plain(activation=nn.Identity), image(40))
    children = [n for path, n in tree.root.walk() if path]
    drops, estimates = (
        [getattr(n, name) for n in children] for name in ("contribution", "estimate")
    )
    assert len(children) > 30
    assert np.allclose(drops, estimates, rtol=1e-3)
    assert all(n.agreement == pytest.approx(1) for _, n in tree.root.walk() if n.decomposed)


def test_the_drops_add_up_to_the_decision_in_a_linear_network_without_biases() -> None:
    tree = exact(plain(activation=nn.Identity, bias=False), image(40))
    steps = [n.completeness for _, n in tree.root.walk() if n.decomposed]
    assert len(steps) > 10
    assert np.allclose(steps, 1, atol=1e-3)


def test_drops_of_a_network_worked_out_on_paper() -> None:
    """relu(2 a + 3 b - 4) at a = 1, b = 2 is 4: 2 without a, 0 without b; gradients say 2, 6."""
    first, second = nn.Conv2d(1, 2, 1), nn.Conv2d(2, 1, 1)
    first.weight.data, first.bias.data = torch.tensor([1.0, 2.0]).view(2, 1, 1, 1), torch.zeros(2)
    second.weight.data, second.bias.data = torch.tensor([[[[2.0]], [[3.0]]]]), torch.tensor([-4.0])
    head = nn.Linear(1, 1, bias=False)
    head.weight.data = torch.ones(1, 1)
    model = nn.Sequential(
        first, nn.ReLU(), second, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head
    )
    tree = exact(model, torch.ones(1, 1, 2, 2), layers=["1", "3"])
    b, a = tree.root.children[0].children
    assert (a.channel, a.contribution, a.estimate) == (0, pytest.approx(2), pytest.approx(2))
    assert (b.channel, b.contribution, b.estimate) == (1, pytest.approx(4), pytest.approx(6))
    assert b.share == pytest.approx(4 / 6)


def test_a_channel_that_is_zero_everywhere_takes_nothing_away() -> None:
    model = plain()
    model[3].weight.data[2], model[3].bias.data[2] = 0, -1
    tree = exact(model, image(40), top_k=16)
    assert 2 not in [n.channel for _, n in tree.root.walk() if n.layer == "4"]


def test_estimated_trees_have_no_second_figure() -> None:
    tree = hx.decompose(plain(), image(40))
    assert {(n.estimate, n.agreement) for _, n in tree.root.walk()} == {(None, None)}


def test_the_evidence_says_by_which_method_it_was_found(tmp_path) -> None:
    tree = exact(plain(), image(40))
    assert tree.provenance.method == "hierarchical decomposition by ablation"
    assert tree.provenance.settings["method"] == "ablation"
    save(tree, tmp_path / "tree.hx")
    assert load(tmp_path / "tree.hx") == tree


class Grouped(nn.Module):
    """A way of its own for everything: depthwise, grouped and dilated convolutions, strides."""

    def __init__(self) -> None:
        super().__init__()
        self.low = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
        self.alone = nn.Conv2d(8, 8, 5, padding=2, stride=2, groups=8)
        self.mixed = nn.Conv2d(8, 12, (1, 3), padding="same", dilation=2)
        self.grouped = nn.Conv2d(12, 12, 3, padding=1, groups=3)
        self.joined = nn.Conv2d(24, 10, 3, stride=2, padding=1)
        self.pool = nn.AvgPool2d(3, 2, padding=1, ceil_mode=True)
        self.head = nn.Linear(10, 3)
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.alone(self.low(x)).clamp(min=0)
        x = self.mixed(torch.relu(x))
        x = torch.cat([x, self.grouped(x)], 1)
        self.high = torch.relu(self.pool(self.joined(x)))
        return self.head(self.high.mean((2, 3)))


def removal_in(model: nn.Module, x: Tensor, shallow: str, deep: str | None):
    """The removals between two layers and the segment they are on."""
    probe = Probe(hx.Classifier(model))
    capture = probe.capture(x, [shallow] if deep is None else [shallow, deep])
    segment = probe.segment(capture, shallow, deep)
    return ChannelAblation(probe, capture, segment, shallow, deep), segment


def test_every_unit_falls_alike_on_its_cone_and_on_the_whole_segment() -> None:
    model, x = lively(Grouped()), image(45)
    removal, segment = removal_in(model, x, "low.1", "relu_1")
    _, k, rows, columns = segment.deep.shape
    units = [Unit(c, y, z) for c in (0, k - 1) for y in range(rows) for z in range(columns)]
    with visiting(model):
        for unit in units:
            found = removal._on_graph(unit, False)
            literal = on_segment(without_crops(segment), unit)
            assert found.agree(segment.value(unit), float(segment.deep.max()))
            assert np.allclose(found.drops, literal.drops, atol=1e-5)
    assert len(units) > 50


@pytest.mark.parametrize(("name", "shallow", "deep"), [
    ("resnet18", "layer2", "layer3"), ("squeezenet1_1", "features.4", "features.7"),
    ("mobilenet_v2", "features.3", "features.6"), ("mobilenet_v2", "features.18", None),
])  # fmt: skip
def test_products_by_channel_give_what_the_whole_segment_gives(
    name: str, shallow: str, deep: str | None
) -> None:
    model = torchvision_network(name)
    removal, segment = removal_in(model, image(64), shallow, deep)
    unit = Unit(3, 0, 0) if deep is None else Unit(3, 1, 1)
    with visiting(model):
        found, literal = removal._on_graph(unit, False), on_segment(segment, unit)
    scale = np.abs(literal.drops).max()
    assert np.allclose(found.drops, literal.drops, rtol=1e-3, atol=1e-4 * scale)


def test_a_map_laid_flat_before_a_linear_layer_gives_products_too() -> None:
    model = seeded(nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(4), nn.Flatten(),
        nn.Linear(96, 20), nn.ReLU(), nn.Linear(20, 4),
    ))  # fmt: skip
    model[7].bias.data += 5
    removal, _ = removal_in(model, image(30), "1", None)
    with visiting(model):
        found, literal = (
            attempt(Unit(2, 0, 0), False) for attempt in (removal._on_graph, removal._on_segment)
        )
    assert np.allclose(found.drops, literal.drops, atol=1e-5)
    assert check_literal(model, image(30), exact(model, image(30), layers=["1"])) == 1


TRACED = [name for name in SMALL if name != "no trace"]


@pytest.mark.parametrize("name", [*TRACED, "squeezenet1_1", "mobilenet_v2"])
def test_a_traced_network_needs_no_run_of_its_whole_segment(name: str, monkeypatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("the segment was run whole")

    monkeypatch.setattr(ablation, "on_segment", refused)
    make, layers = SMALL.get(name, (lambda: torchvision_network(name), None))
    tree = exact(make(), image(40), layers=layers, top_k=1)
    assert all(n.agreement is not None for _, n in tree.root.walk() if n.decomposed)


class OneImageAtATime(nn.Module):
    """Takes a batch of one only."""

    def __init__(self) -> None:
        super().__init__()
        self.body = plain()[:-2]
        self.head = nn.Linear(16, 4)
        seeded(self.head)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).reshape(1, 16))


def test_a_network_that_takes_one_image_at_a_time_is_asked_one_by_one() -> None:
    model, x = lively(OneImageAtATime()), image(40)
    tree = exact(model, x, layers=["body.7"])
    assert check_literal(model, x, tree, at_once=1) == 1


class TestOnRequest:
    """One node at a time, stopped, in little memory."""

    engine = hx.Decomposer(plain(), image(40), top_k=2, method="ablation")

    def test_expanding_a_node_gives_what_the_whole_tree_has_there(self) -> None:
        small, whole = self.engine.tree(max_nodes=3), self.engine.tree()
        grown = self.engine.expand(small, (1,)).node((1,))
        assert [c.channel for c in grown.children] == [c.channel for c in whole.node((1,)).children]
        assert grown.agreement == whole.node((1,)).agreement

    def test_a_channel_chosen_by_hand_has_both_figures(self) -> None:
        tree = self.engine.tree()
        chosen, drop, share = self.engine.candidates(tree, ())[-1]
        child = self.engine.expand(tree, (), channels=[chosen]).root.children[-1]
        assert (child.channel, child.contribution, child.share) == (chosen, drop, share)
        assert child.estimate is not None

    def test_candidates_are_all_channels_whose_removal_costs_something(self) -> None:
        tree = self.engine.tree()
        found = self.engine.candidates(tree, (), top=100)
        assert len(found) == tree.root.activated
        assert sum(share for _, _, share in found) == pytest.approx(1)

    def test_stopping_is_possible_after_each_decision(self) -> None:
        asked = []

        def stopped() -> bool:
            asked.append(None)
            return len(asked) > 1

        tree = self.engine.tree(stopped=stopped)
        assert sum(n.decomposed for _, n in tree.root.walk()) == 3
        assert len(asked) == 3

    def test_the_other_method_starts_from_the_same_forward_pass(self) -> None:
        estimated = self.engine.with_method("gradient")
        assert estimated.tree() == hx.decompose(plain(), image(40), top_k=2)

    def test_running_out_of_gpu_memory_halves_the_batch_and_goes_on(self, monkeypatch) -> None:
        expected, refused = self.engine.tree(), []
        without = ablation._DecisionAblation.without

        def in_little_memory(self, channels: slice) -> Tensor:
            if channels.stop - channels.start > 3:
                refused.append(channels)
                raise torch.cuda.OutOfMemoryError("out of memory")
            return without(self, channels)

        monkeypatch.setattr(ablation._DecisionAblation, "without", in_little_memory)
        found = hx.Decomposer(plain(), image(40), top_k=2, method="ablation").tree()
        assert refused
        pairs = zip(expected.root.walk(), found.root.walk(), strict=True)
        for (_, one), (_, other) in pairs:
            assert (one.channel, one.position) == (other.channel, other.position)
            assert one.contribution == pytest.approx(other.contribution, rel=1e-4)


def test_an_unknown_method_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"got method='ablatoin'; expected one of .*'ablation'"):
        hx.decompose(plain(), image(40), method="ablatoin")
    with pytest.raises((ValueError, TypeCheckError), match="method"):
        hx.Decomposer(plain(), image(40)).with_method("exact")
