"""Responsible regions: five methods stopped at a layer, six aggregates, one scale."""

from __future__ import annotations

from functools import cache, partial
from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hexplain_widgets.hint import regions
from hexplain_widgets.hint.regions import (
    Aggregate,
    ConceptPairs,
    LayerSaliency,
    Saliency,
    concept_logits,
    layers_without_place,
    responsibility,
)
from hexplain_widgets.network import gating
from hexplain_widgets.network.classifier import Classifier
from hexplain_widgets.network.gating import ForwardCache
from hexplain_widgets.network.guest import visiting
from hexplain_widgets.network.probe import Probe
from tests.networks import Attentive, DataDependent, Functional, Residual, image, plain, seeded
from tests.reference import responsible as literal
from tests.reference.perturbed import Place, at_function, at_module
from tests.test_contract import Stateful, check_untouched, failing, fingerprint, in_use

METHODS = get_args(Saliency)
AGGREGATES = get_args(Aggregate)
SAMPLES = 3
COUNT = 3
KEYS = [bytes([i]) * 16 for i in range(COUNT)]
# Of three images: a class, two classes, all of them; one image is asked twice.
ASKED = [(0, [1]), (0, [0, 2]), (1, [0, 1, 2, 3]), (2, [3])]

PLAIN = plain().double()
CLIPPED = plain(activation=partial(nn.ReLU6, inplace=True), seed=1).double()
IN_PLACE = plain(activation=partial(nn.ReLU, inplace=True), seed=2).double()
SMOOTH = plain(activation=nn.SiLU, seed=3).double()
FUNCTIONAL = Functional().double()
RESIDUAL = Residual().double()
ATTENTIVE = Attentive().double()
UNTRACED = DataDependent().double()
PLACES: dict[str, tuple[nn.Module, str, Place]] = {
    "first of a plain network": (PLAIN, "1", at_module(PLAIN[1])),
    "middle of a plain network": (PLAIN, "4", at_module(PLAIN[4])),
    "last of a plain network": (PLAIN, "7", at_module(PLAIN[7])),
    "clipped in place": (CLIPPED, "4", at_module(CLIPPED[4])),
    "changed in place behind": (IN_PLACE, "3", at_module(IN_PLACE[3])),
    "without a relu": (SMOOTH, "4", at_module(SMOOTH[4])),
    "reused module": (FUNCTIONAL, "same:2", at_module(FUNCTIONAL.same, 2)),
    "functional relu": (FUNCTIONAL, "relu_1", at_function(F.relu, 2)),
    "beside a shortcut": (RESIDUAL, "act:2", at_module(RESIDUAL.act, 2)),
    "before a sum": (RESIDUAL, "two", at_module(RESIDUAL.two)),
    "before attention": (ATTENTIVE, "low", at_module(ATTENTIVE.low)),
    "untraced": (UNTRACED, "body.4", at_module(UNTRACED.body[4])),
}


def images(count: int = COUNT, size: int = 12) -> Tensor:
    return torch.cat([image(size, seed) for seed in range(count)]).double()


def pairs_of(asked: list[tuple[int, list[int]]], classes: int) -> ConceptPairs:
    member = torch.zeros(len(asked), classes, dtype=torch.bool)
    for row, (_, some) in zip(member, asked, strict=True):
        row[some] = True
    return ConceptPairs(torch.tensor([i for i, _ in asked]), member)


class Asked:
    """One network, three images, a few layers; every call is a visit."""

    def __init__(self, model: nn.Module, layers: list[str], x: Tensor | None = None) -> None:
        self.model, self.layers = model, layers
        self.x = images() if x is None else x
        self.probe = Probe(Classifier(model))

    def saliency(self, method: str, *, samples: int = SAMPLES, seed: int = 0, **more):
        return LayerSaliency(self.probe, self.layers, method, samples=samples, seed=seed, **more)

    def found(
        self, method: str, asked: list[tuple[int, list[int]]] = ASKED, **settings
    ) -> dict[str, Tensor]:
        saliency = self.saliency(method, **settings)
        with visiting(self.model):
            taken = saliency.take(self.x)
            pairs = pairs_of(asked, taken.logits.shape[1])
            return saliency.of(self.x, KEYS[: len(self.x)], taken, pairs)

    def taken(self) -> ForwardCache:
        with visiting(self.model):
            return self.saliency("gradient").take(self.x)

    def noises(self, i: int, seed: int = 0) -> list[Tensor]:
        """The noise that SmoothGrad adds to an image, copy by copy."""
        saliency = self.saliency("smoothgrad", seed=seed)
        return [n[i : i + 1] for n in saliency._noises(self.x, KEYS[: len(self.x)])]


@cache
def by_the_package(place: str, method: str) -> Tensor:
    model, layer, _ = PLACES[place]
    return Asked(model, [layer]).found(method)[layer]


def by_the_paper(place: str, method: str) -> list[Tensor]:
    model, layer, where = PLACES[place]
    found = []
    for i, classes in ASKED:
        more = {"integrated_gradients": {"steps": SAMPLES}}.get(method, {})
        if method == "smoothgrad":
            more = {"noises": Asked(model, [layer]).noises(i)}
        found.append(getattr(literal, method)(model, where, images()[i : i + 1], classes, **more))
    return found


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("method", METHODS)
def test_saliency_and_responsibility_are_the_literal_ones(method: str, place: str) -> None:
    each = by_the_paper(place, method)
    found, expected = by_the_package(place, method), torch.stack(each)
    assert float(expected.abs().max()) > 0
    assert float((found - expected).abs().max()) <= 1e-9 * float(expected.abs().max())
    for aggregate in AGGREGATES:
        answers = responsibility(found, aggregate).numpy()
        for one, saliency in zip(answers, each, strict=True):
            answer = literal.responsibility(saliency, aggregate)
            assert np.allclose(one, answer, rtol=0, atol=1e-6), aggregate


def test_saliency_in_single_precision_is_that_in_double_precision_to_rounding() -> None:
    for method in METHODS:
        expected = Asked(plain().double(), ["4"]).found(method)["4"]
        found = Asked(plain(), ["4"], images().float()).found(method)["4"]
        assert found.dtype == torch.float32
        assert float((found - expected).abs().max()) <= 1e-4 * float(expected.abs().max())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_saliency_in_half_precision_is_finite_and_alike(dtype) -> None:
    for method in METHODS:
        expected = Asked(plain().double(), ["4"]).found(method)["4"].flatten()
        found = Asked(plain().to(dtype), ["4"], images().to(dtype)).found(method)["4"].flatten()
        assert float(torch.corrcoef(torch.stack([found.double(), expected]))[0, 1]) > 0.95


# the target


def test_the_logit_of_a_concept_is_the_logsumexp_of_its_classes() -> None:
    logits = torch.tensor([[0.3, -1.0, 2.0], [0.3, -1.0, 2.0]], dtype=torch.float64)
    member = torch.tensor([[True, True, False], [True, True, True]])
    expected = [np.log(np.exp([0.3, -1.0]).sum()), np.log(np.exp([0.3, -1.0, 2.0]).sum())]
    assert concept_logits(logits, member).tolist() == pytest.approx(expected)


def test_the_logit_of_a_concept_of_one_class_is_the_class_logit() -> None:
    logits = torch.tensor([[3.0, -7.0]])
    assert concept_logits(logits, torch.tensor([[False, True]])).tolist() == [-7.0]


def test_large_logits_do_not_overflow() -> None:
    logits = torch.tensor([[1e4, 1e4 - 1, -1e4]])
    found = concept_logits(logits, torch.tensor([[True, True, True]]))
    assert found.item() == pytest.approx(1e4 + np.log(1 + np.exp(-1)))


def test_a_concept_of_several_classes_weighs_them_by_their_softmax() -> None:
    asked = Asked(plain().double(), ["4"])
    found = asked.found("gradient", [(0, [1, 3]), (0, [1]), (0, [3])])["4"]
    shares = asked.taken().logits[0, [1, 3]].softmax(0)
    expected = shares[0] * found[1] + shares[1] * found[2]
    assert torch.allclose(found[0], expected, rtol=1e-9)


# integrated gradients


def gap(asked: Asked, layer: str, steps: int) -> float:
    """How far the sum of integrated gradients is from f(z) - f(0), relative to the latter."""
    model = asked.model
    sums = asked.found("integrated_gradients", samples=steps)[layer].sum((1, 2, 3))
    where = next(place for net, name, place in PLACES.values() if net is model and name == layer)
    ends = []
    for i, classes in ASKED:
        x = asked.x[i : i + 1]
        z, full, _ = literal.at_layer(model, where, x, classes)
        empty = literal.at_layer(model, where, x, classes, maps=torch.zeros_like(z)[None])[1]
        ends.append(full - empty)
    expected = torch.tensor(ends, dtype=torch.float64)
    return float((sums - expected).abs().max() / expected.abs().max())


# What is untraced runs every step of every pair by itself: few of them there.
STEPS = {
    "first of a plain network": (1, 10, 100),
    "before attention": (1, 10, 100),
    "beside a shortcut": (1, 10, 100),
    "untraced": (1, 16),
}


@pytest.mark.parametrize("place", STEPS)
def test_integrated_gradients_are_complete_as_steps_grow(place: str) -> None:
    model, layer, _ = PLACES[place]
    asked = Asked(model, [layer])
    gaps = [gap(asked, layer, steps) for steps in STEPS[place]]
    assert all(b < a / 3 for a, b in pairwise(gaps))
    assert gaps[-1] < 0.01


def test_integrated_gradients_of_one_class_are_complete_at_one_step_behind_a_linear_head() -> None:
    asked = Asked(PLAIN, ["7"])
    found = asked.found("integrated_gradients", [(0, [2])], samples=1)["7"].sum()
    expected = asked.taken().logits[0, 2] - PLAIN[-1].bias[2]
    assert found.item() == pytest.approx(expected.item(), rel=1e-9)


# layers whose gradient has no place


def squeezed() -> nn.Module:
    """Ends in a 1x1 convolution, a ReLU and pooling, as SqueezeNet does."""
    return seeded(
        nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 1), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )
    )  # fmt: skip


WITHOUT_PLACE = {
    "pooling and linear": (plain, ["1", "4", "7"], ("7",)),
    "functional pooling": (Functional, ["relu_2", "relu_3", "max_pool2d_1"], ("max_pool2d_1",)),
    "untraced": (DataDependent, ["body.7", "body.4"], ("body.7",)),
    "before a sum": (Residual, ["act:2", "act:3"], ("act:3",)),
    "after attention": (Attentive, ["high", "low"], ("high",)),
    "before the last relu": (plain, ["6", "4"], ("6",)),
    "before a convolution of one cell": (squeezed, ["1", "0"], ("1", "0")),
}


@pytest.mark.parametrize("network", WITHOUT_PLACE)
def test_layers_behind_which_places_are_not_told_apart_are_found(network: str) -> None:
    make, layers, expected = WITHOUT_PLACE[network]
    assert layers_without_place(Probe(Classifier(make())), image(16), layers) == expected


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_layers_without_place_are_found_in_any_precision(dtype) -> None:
    probe = Probe(Classifier(plain().to(dtype)))
    assert layers_without_place(probe, image(16).to(dtype), ["7", "4"]) == ("7",)


def test_units_that_open_place_by_place_give_the_gradient_no_place_of_the_concept() -> None:
    model = squeezed()
    found = Asked(model, ["1"], image(16)).found("gradient", [(0, [0, 1, 2, 3])])["1"]
    assert not torch.allclose(found, found[:, :, :1, :1].expand_as(found))
    assert layers_without_place(Probe(Classifier(model)), image(16), ["1"]) == ("1",)


def test_a_layer_that_does_not_move_the_logits_is_not_taken_for_one_without_place() -> None:
    model = plain()
    model[-1].weight.data.zero_()
    assert layers_without_place(Probe(Classifier(model)), image(16), ["7"]) == ()


def test_a_network_that_is_dead_for_an_image_does_not_hide_a_layer_without_place() -> None:
    model = plain()
    model[6].bias.data -= 1e3
    assert layers_without_place(Probe(Classifier(model)), image(16), ["7"]) == ("7",)


@pytest.mark.parametrize("method", ["gradient", "guided_backpropagation"])
def test_there_the_gradient_is_multiplied_by_the_maps(method: str) -> None:
    asked = Asked(PLAIN, ["7", "4"])
    found = asked.found(method, multiplied=("7",))
    assert torch.equal(found["7"], asked.found("gradient_x_input")["7"])
    assert torch.equal(found["4"], asked.found(method)["4"])


def test_there_smoothgrad_is_multiplied_by_the_maps_without_noise() -> None:
    asked = Asked(PLAIN, ["7"])
    maps = asked.taken().maps["7"][[i for i, _ in ASKED]]
    found = asked.found("smoothgrad", multiplied=("7",))["7"]
    assert torch.equal(found, asked.found("smoothgrad")["7"] * maps)


# one image, one method, whatever stands beside it


def test_no_method_changes_the_result_of_another() -> None:
    asked = Asked(PLAIN, ["7", "4"])
    alone = {m: Asked(PLAIN, ["7", "4"]).found(m) for m in METHODS}
    for order in (METHODS, METHODS[::-1], (*METHODS[2:], *METHODS[:2]), METHODS[1::2]):
        for method in order:
            found = asked.found(method)
            assert all(torch.equal(found[n], alone[method][n]) for n in found), (order, method)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("place", ["middle of a plain network", "untraced", "before a sum"])
def test_an_image_alone_is_answered_as_among_others(method: str, place: str) -> None:
    model, layer, _ = PLACES[place]
    alone = Asked(model, [layer], images()[2:3])
    saliency = alone.saliency(method)
    with visiting(model):
        taken = saliency.take(alone.x)
        pairs = pairs_of([(0, ASKED[-1][1])], taken.logits.shape[1])
        found = saliency.of(alone.x, KEYS[2:], taken, pairs)[layer]
    assert torch.allclose(found[0], by_the_package(place, method)[-1], rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("method", METHODS)
def test_pairs_run_one_by_one_give_the_same(method: str, monkeypatch) -> None:
    expected = Asked(PLAIN, ["4"]).found(method)["4"]
    monkeypatch.setattr(regions, "rows_at_once", lambda maps: 1)
    assert torch.allclose(Asked(PLAIN, ["4"]).found(method)["4"], expected, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("method", METHODS)
def test_layers_asked_together_are_as_if_asked_alone(method: str) -> None:
    together = Asked(PLAIN, ["7", "4", "1"]).found(method)
    for name in ("7", "4", "1"):
        alone = Asked(PLAIN, [name]).found(method)[name]
        assert torch.allclose(together[name], alone, rtol=1e-9, atol=1e-15)


def test_noise_is_an_images_own_whatever_the_batch_and_its_place() -> None:
    saliency = Asked(PLAIN, ["4"]).saliency("smoothgrad")
    forth = [*saliency._noises(images(), KEYS)]
    back = [*saliency._noises(images(), KEYS[::-1])]
    assert len(forth) == SAMPLES
    assert all(torch.equal(a, b.flip(0)) for a, b in zip(forth, back, strict=True))


def test_noise_is_normal_and_another_for_every_image_copy_and_seed() -> None:
    x = images(2, 64)
    drawn = [
        n for seed in (0, 1) for n in Asked(PLAIN, ["4"], x).saliency("smoothgrad", seed=seed)
        ._noises(x, KEYS[:2])
    ]  # fmt: skip
    rows = torch.cat(drawn).flatten(1)
    assert rows.mean(1).abs().max() < 0.05
    assert (rows.std(1) - 1).abs().max() < 0.05
    assert (torch.corrcoef(rows) - torch.eye(len(rows))).abs().max() < 0.05


def test_another_seed_gives_another_smoothgrad_and_the_same_gradient() -> None:
    asked = Asked(PLAIN, ["4"])
    assert not torch.equal(asked.found("smoothgrad", seed=1)["4"], asked.found("smoothgrad")["4"])
    assert torch.equal(asked.found("gradient", seed=1)["4"], asked.found("gradient")["4"])


def test_images_of_another_size_are_answered_too() -> None:
    asked = Asked(PLAIN, ["4"])
    saliency = asked.saliency("smoothgrad")
    with visiting(PLAIN):
        for size in (12, 20, 12):
            x = images(2, size)
            found = saliency.of(x, KEYS[:2], saliency.take(x), pairs_of([(1, [0])], 5))["4"]
            assert found.shape == (1, 12, size // 2, size // 2)


def test_guided_backpropagation_without_a_relu_is_the_gradient() -> None:
    assert torch.equal(
        by_the_package("without a relu", "guided_backpropagation"),
        by_the_package("without a relu", "gradient"),
    )


def test_guided_backpropagation_with_relus_is_another() -> None:
    one, other = (by_the_package("first of a plain network", m)
                  for m in ("guided_backpropagation", "gradient"))  # fmt: skip
    assert not torch.allclose(one, other)


# the guest


@pytest.mark.parametrize("make", [plain, Functional, DataDependent, Stateful])
@pytest.mark.parametrize("method", METHODS)
def test_the_network_is_handed_back_as_it_came(method: str, make) -> None:
    model = in_use(make)
    name = Probe(Classifier(model)).capture(image(16)).layers[0].name
    before = fingerprint(model)
    Asked(model, [name], images().float()).found(method)
    check_untouched(before, model)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("at", [0, 2, 4])
def test_the_network_is_handed_back_after_a_failure(method: str, failure, at: int) -> None:
    model = in_use(plain)
    asked = Asked(model, ["1"], images().float())
    with failing(model[6], failure, at):
        before = fingerprint(model)
        with pytest.raises(failure, match="in the middle"):
            for _ in range(at + 1):
                asked.found(method)
        check_untouched(before, model)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
@pytest.mark.parametrize("method", METHODS)
def test_the_gradient_mode_around_the_call_does_not_matter(method: str, mode) -> None:
    with mode():
        found = Asked(PLAIN, ["4"]).found(method)["4"]
    assert torch.equal(found, by_the_package("middle of a plain network", method))


@pytest.mark.parametrize("method", METHODS)
def test_frozen_weights_and_train_mode_do_not_matter(method: str) -> None:
    frozen = plain().double().requires_grad_(False).train()
    found = Asked(frozen, ["4"]).found(method)["4"]
    assert torch.equal(found, by_the_package("middle of a plain network", method))


def test_pairs_that_do_not_fit_are_run_in_halves(monkeypatch) -> None:
    expected = Asked(PLAIN, ["4"]).found("integrated_gradients")["4"]
    behind, refused = gating._GraphGates.behind, []

    def in_little_memory(self, taken, layer, rows, maps):
        if torch.is_grad_enabled() and len(maps) > 1:
            refused.append(len(maps))
            raise torch.cuda.OutOfMemoryError("out of memory")
        return behind(self, taken, layer, rows, maps)

    monkeypatch.setattr(gating._GraphGates, "behind", in_little_memory)
    found = Asked(PLAIN, ["4"]).found("integrated_gradients")["4"]
    assert refused
    assert torch.allclose(found, expected, rtol=1e-9, atol=1e-15)


# one map in 0..1


def maps_of(*rows: list[float]) -> Tensor:
    """Saliency of one channel and one pair."""
    return torch.tensor([[rows]], dtype=torch.float64)


def test_the_lowest_place_is_0_and_what_lies_above_the_99th_percentile_is_1() -> None:
    values = [float(v) for v in range(101)]
    found = responsibility(maps_of(values), "sum")[0, 0]
    assert found[:100].tolist() == pytest.approx([v / 99 for v in range(100)])
    assert found[100] == 1


def test_one_extreme_place_does_not_hide_the_others() -> None:
    values = [float(v) for v in range(200)]
    found = responsibility(maps_of([*values, 1e9]), "sum")[0, 0]
    assert int((found >= 0.5).sum()) == pytest.approx(102, abs=2)


@pytest.mark.parametrize("value", [0.0, 3.0, -3.0])
@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_a_flat_map_is_0_everywhere(aggregate: str, value: float) -> None:
    flat = torch.full((2, 3, 4, 4), value) * (1 + 1e-7 * image(4)[:, :1])
    assert not responsibility(flat, aggregate).any()


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_a_layer_of_one_place_has_no_region(aggregate: str) -> None:
    assert not responsibility(torch.rand(2, 3, 1, 1), aggregate).any()


@pytest.mark.parametrize("aggregate", AGGREGATES)
@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_the_scale_of_saliency_does_not_matter(aggregate: str, scale: float) -> None:
    some = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    expected = responsibility(some, aggregate)
    assert torch.allclose(responsibility(some * scale, aggregate), expected, atol=1e-6)


def test_maps_are_scaled_one_by_one() -> None:
    some = torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    together = responsibility(some, "norm")
    for i in range(5):
        assert torch.equal(together[i : i + 1], responsibility(some[i : i + 1], "norm"))


@pytest.mark.parametrize("cells", [1, 2, 7, 49, 100, 101, 196, 3136])
def test_maps_of_any_size_are_cut_at_their_99th_percentile(cells: int) -> None:
    some = torch.randn(3, cells, generator=torch.Generator().manual_seed(0)).double()
    expected = np.percentile(some.numpy(), 99, axis=1)
    assert regions._cut(some).numpy() == pytest.approx(expected, rel=1e-12)
