"""Weights drawn anew from the top down, and what becomes of attribution maps (Fig. 8)."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import hexplain_widgets as hx
from hexplain_widgets.diagnosis.sanity import (
    PixelAttribution,
    RandomisedNetwork,
    layers_from_top,
    pixel_map,
    shared_strongest,
)
from hexplain_widgets.evidence.faithfulness import spearman
from hexplain_widgets.evidence.store import load, save
from tests.networks import DataDependent, Functional, Residual, image, plain, torchvision_network
from tests.reference import sanity as literal
from tests.test_contract import check_untouched, fingerprint


class Normed(nn.Module):
    """Convolutions with batch norms, declared in another order than they are used."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 3)
        self.norm = nn.BatchNorm2d(6)
        self.conv = nn.Conv2d(3, 6, 3)
        self.scale = nn.Parameter(torch.ones(1))
        self.unused = nn.Linear(2, 2)
        self.norm.running_mean.fill_(0.2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.norm(self.conv(x) * self.scale)).mean((2, 3)))


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_layers_run_from_the_top_down_in_the_order_of_their_use() -> None:
    assert layers_from_top(plain(), image(16)) == [["10"], ["6"], ["3"], ["0"]]
    assert layers_from_top(Normed().eval(), image(16)) == [["head"], ["conv", "", "norm"]]


def test_norms_belong_to_the_convolution_before_them() -> None:
    found = layers_from_top(torchvision_network("resnet18"), image(64))
    assert found[0] == ["fc"]
    assert found[1] == ["layer4.1.conv2", "layer4.1.bn2"]
    assert len(found) == 21


def test_a_module_that_is_used_twice_has_the_place_of_its_last_use() -> None:
    assert [one[0] for one in layers_from_top(Functional(), image(16))] == [
        "head", "wide", "same", "first",
    ]  # fmt: skip


def test_so_many_layers_from_the_top_are_others_and_those_below_are_as_they_were() -> None:
    model = plain()
    redrawn = RandomisedNetwork(model, image(16))
    two = copy.deepcopy(redrawn.turn(2))
    changed = [not torch.equal(model[i].weight, two[i].weight) for i in (0, 3, 6, 10)]
    assert changed == [False, False, True, True]
    assert not torch.equal(model[10].bias, two[10].bias)
    assert same(redrawn.turn(0), model)
    assert same(redrawn.turn(2), two)


def test_what_a_layer_draws_depends_on_the_seed_and_its_place_alone() -> None:
    one, other = (RandomisedNetwork(plain(), image(16)) for _ in range(2))
    assert same(one.turn(3), other.turn(3))
    assert not same(one.turn(3), RandomisedNetwork(plain(), image(16), seed=1).turn(3))


def test_statistics_of_batch_norms_go_back_to_where_they_began() -> None:
    redrawn = RandomisedNetwork(Normed().eval(), image(16))
    assert redrawn.turn(1).norm.running_mean.max() == pytest.approx(0.2)
    assert redrawn.turn(2).norm.running_mean.abs().max() == 0
    assert redrawn.fixed == ("",)


@pytest.mark.parametrize("make", [plain, Functional, Residual, DataDependent, Normed])
def test_the_network_itself_is_never_touched(make) -> None:
    model = make().train()
    before = fingerprint(model)
    hx.measure_randomisation(
        model, [image(20)[0]], methods=("gAP", "gradient"), counts=[1, 2], progress=False
    )
    check_untouched(before, model)


@pytest.fixture(scope="module")
def summary() -> hx.RandomisationSummary:
    data = [image(24, seed)[0] for seed in range(3)]
    return hx.measure_randomisation(plain(), data, samples=3, progress=False)


def test_correlations_are_those_of_the_maps_of_both_networks(summary) -> None:
    model, found = plain(), []
    redrawn = RandomisedNetwork(model, image(24))
    for seed in range(3):
        x = image(24, seed)
        index = int(model(x).argmax())
        maps = [
            pixel_map(
                PixelAttribution(hx.Classifier(m)).of("gradient", x, index), signed=False
            ).ravel()
            for m in (model, redrawn.turn(2))
        ]
        found.append(spearman(*maps))
    assert summary.correlations[1, 1] == pytest.approx(np.mean(found), abs=1e-6)
    assert summary.errors[1, 1] == pytest.approx(np.std(found, ddof=1) / 3**0.5, abs=1e-6)


def test_every_depth_of_a_small_network_is_looked_at(summary) -> None:
    assert summary.counts.tolist() == [1, 2, 3, 4]
    assert summary.layers == ("10", "6", "3", "0")
    assert summary.correlations.shape == (5, 4)


def test_how_many_pixels_a_map_covers_is_said() -> None:
    """A unit of `plain`'s first layer sees three by three pixels."""
    found = hx.measure_randomisation(
        plain(), [image(24)[0]], counts=[1], top_k=1, methods=("gAP", "gradient"), progress=False
    )
    assert found.covered[0] <= 9 / 24**2
    assert found.covered[1] > 0.9


@pytest.mark.parametrize("count", [1, 7, 60])
def test_strongest_pixels_are_those_of_largest_size(count: int) -> None:
    one, other = np.random.default_rng(count).standard_normal((2, 9, 8))
    assert shared_strongest(one, other + one, count) == literal.shared(one, other + one, count)


def test_pixels_that_tie_for_the_last_places_have_equal_parts_of_them() -> None:
    one = np.array([[3.0, 1.0, 1.0, 1.0, 0.0]])
    assert shared_strongest(one, np.array([[3.0, 2.0, 0.0, 0.0, 0.0]]), 2) == pytest.approx(2 / 3)
    assert shared_strongest(one, one, 2) == pytest.approx(1)


def test_maps_that_know_nothing_of_each_other_share_what_chance_gives() -> None:
    maps = np.random.default_rng(0).standard_normal((400, 2, 10, 10))
    assert np.mean([shared_strongest(a, b, 20) for a, b in maps]) == pytest.approx(0.2, abs=0.02)


def test_of_all_methods_maps_the_same_number_of_strongest_pixels_is_compared() -> None:
    """gAP's map through one channel of each layer covers few pixels, and sets the number."""
    methods, model = ("gAP", "gradient", "guided backpropagation"), plain()
    found = hx.measure_randomisation(
        model, [image(24)[0]], methods=methods, counts=[1], top_k=1, progress=False
    )
    x, drawn = image(24), RandomisedNetwork(model, image(24)).turn(1)
    index = int(model(x).argmax())
    pairs = [
        [
            pixel_map(PixelAttribution(hx.Classifier(m), top_k=1).of(name, x, index), signed=False)
            for m in (model, drawn)
        ]
        for name in methods
    ]
    count = literal.fewest(pairs)
    assert count <= 9
    assert found.chance == pytest.approx([count / 24**2])
    assert found.shared[:, 0] == pytest.approx([literal.shared(*pair, count) for pair in pairs])


def test_no_layer_anew_leaves_every_map_as_it_is() -> None:
    found = hx.measure_randomisation(plain(), [image(20)[0]], counts=[0], samples=2, progress=False)
    assert np.allclose(found.correlations, 1)
    assert np.allclose(found.shared, 1)


def test_guided_backpropagation_stays_where_the_gradient_does_not() -> None:
    """Adebayo et al. 2018: it shows the image, whatever the top layers have learnt."""
    found = hx.measure_randomisation(
        hx.demo.classifier(), hx.demo.scenes(2, seed=1), counts=[3],
        methods=("gAP", "gradient", "guided backpropagation"), layers=("stage5", "stage4"),
        progress=False,
    )  # fmt: skip
    ours, gradient, guided = found.correlations[:, 0]
    assert guided > 0.8
    assert max(ours, gradient) < 0.6


def test_another_network_is_held_against_the_first() -> None:
    model, data = plain(), [image(24)[0]]
    itself = hx.measure_randomisation(
        model, data, counts=(), methods=("gradient",), other=plain(), progress=False
    )
    assert itself.other == pytest.approx([1])
    assert itself.other_shared == pytest.approx([1])
    assert itself.other_chance == pytest.approx(29 / 576)
    assert itself.correlations.shape == (1, 0)
    another = hx.measure_randomisation(
        model, data, counts=[1], methods=("gradient",), other=plain(seed=9), progress=False
    )
    assert abs(another.other[0]) < 0.9
    assert "other network" in str(another)


def test_maps_that_are_the_same_everywhere_have_no_correlation_and_are_counted() -> None:
    dead = plain()
    dead[10].weight.data.zero_()
    found = hx.measure_randomisation(
        dead, [image(20)[0]], counts=[1], methods=("gradient",), progress=False
    )
    assert found.counted.tolist() == [[0]]
    assert str(found).splitlines()[1].split() == ["gradient", "0%", "-", "-"]


def test_it_ends_when_it_is_told_to_and_is_saved_and_opened(tmp_path) -> None:
    data = [image(20, seed)[0] for seed in range(3)]
    found = hx.measure_randomisation(
        plain(), data, methods=("gradient",), progress=False, stopped=lambda: True
    )
    assert (found.images, found.notes[-1]) == (1, "Stopped after 1 image.")
    assert load(save(found, tmp_path / "r.hx")) == found


def test_more_layers_than_there_are_is_an_error() -> None:
    with pytest.raises(ValueError, match="got 5 in counts= of layers to draw anew; expected 0 to"):
        hx.measure_randomisation(plain(), [image(20)[0]], counts=[5], progress=False)


def test_no_number_of_layers_and_no_other_network_is_an_error() -> None:
    with pytest.raises(ValueError, match="got no number in counts= of layers to draw anew"):
        hx.measure_randomisation(plain(), [image(20)[0]], counts=(), progress=False)


def test_no_image_is_an_error() -> None:
    with pytest.raises(ValueError, match="got no image; expected at least one"):
        hx.measure_randomisation(plain(), [], progress=False)


def test_an_unknown_rival_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"got methods='smoothgrad'.*the nearest is 'SmoothGrad'"):
        hx.measure_randomisation(plain(), [image(20)[0]], methods=("smoothgrad",), progress=False)


@pytest.fixture(scope="module")
def hint() -> hx.Hint:
    data = [(image(24, seed)[0], seed % 3) for seed in range(6)]
    kinds = {"all": {"some": [0, 1], "others": [2]}}
    made = hx.Hint(layer=["3"], saliency="gradient", aggregate="norm", normalize="minimum_maximum")
    return made.fit(plain(seed=3), data, kinds, progress=False)


def test_responsible_regions_are_the_norm_of_the_gradient_at_the_layer(hint) -> None:
    model, x = plain(seed=3).eval(), image(24)
    maps = model[:4](x).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(model[4:](maps)[0, 2], maps)
    norm = gradient[0].norm(dim=0)
    expected = ((norm - norm.min()) / (norm.max() - norm.min())).numpy()
    assert hint.region_maps(model).of(x, 2) == pytest.approx(expected, abs=1e-5)


def test_regions_of_a_hint_are_compared_beside_the_other_methods(hint) -> None:
    data = [image(24, seed) for seed in (7, 8)]
    asked = {"methods": ("gradient", hint), "counts": [0, 1, 4], "progress": False}
    summary = hx.measure_randomisation(plain(seed=3), data, **asked)
    assert summary.methods == ("gradient", "HINT")
    assert summary.correlations[:, 0] == pytest.approx(1)
    assert summary.provenance.settings["hints"] == ("gradient at 3",)
    redrawn = RandomisedNetwork(plain(seed=3).eval(), data[0])
    each = []
    for x in data:
        index = int(plain(seed=3)(x)[0].argmax())
        over = [
            torch.nn.functional.interpolate(
                torch.from_numpy(hint.region_maps(one).of(x, index))[None, None],
                (24, 24),
                mode="bilinear",
            )[0, 0].numpy()
            for one in (plain(seed=3), redrawn.turn(1))
        ]
        each.append(spearman(over[0].ravel(), over[1].ravel()))
    assert summary.correlations[1, 1] == pytest.approx(np.mean(each), abs=1e-6)


def test_hints_of_two_layers_are_told_apart() -> None:
    data = [(image(24, seed)[0], seed % 3) for seed in range(4)]
    kinds = {"all": {"some": [0, 1], "others": [2]}}
    one = hx.Hint(layer=["6", "3"]).fit(plain(seed=3), data, kinds, progress=False)
    asked = {"methods": (one.at("3"), one.at("6")), "counts": [1], "progress": False}
    summary = hx.measure_randomisation(plain(seed=3), data[:1], **asked)
    assert summary.methods == ("HINT at 3", "HINT at 6")


def test_a_hint_of_another_network_is_refused(hint) -> None:
    with pytest.raises(ValueError, match="expected"):
        hx.measure_randomisation(plain(seed=4), image(24), methods=(hint,), progress=False)


def test_a_hint_that_was_not_fitted_is_refused() -> None:
    with pytest.raises(ValueError, match="fit"):
        hx.measure_randomisation(plain(), image(24), methods=(hx.Hint(),), progress=False)
