"""Attributions at the pixels: gAP's as the paper says, its rivals as theirs do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import hexplain_widgets as hx
from hexplain_widgets.diagnosis.sanity import METHODS, PixelAttribution, pixel_map
from tests.networks import DataDependent, Functional, image, plain
from tests.reference import sanity as literal
from tests.test_contract import check_untouched, fingerprint

LAYERS = ["7", "4", "1"]


def asked(model: nn.Module, **settings) -> PixelAttribution:
    return PixelAttribution(hx.Classifier(model), **settings)


@pytest.mark.parametrize("top_k", [1, 3])
def test_gap_is_the_sum_of_the_gradients_of_all_decisions(top_k: int) -> None:
    model, x = plain(seed=3), image(24)
    index = int(model(x).argmax())
    found = asked(model, top_k=top_k).of("gAP", x, index)
    assert np.allclose(found, literal.saliency(model, x, index, LAYERS, top_k)[0], atol=1e-5)


def test_the_gradient_is_that_of_the_logit() -> None:
    model, x = plain(), image(24).requires_grad_()
    (expected,) = torch.autograd.grad(model(x)[0, 2], x)
    assert np.allclose(asked(model).of("gradient", x.detach(), 2), expected[0], atol=1e-6)


def test_integrated_gradients_add_up_to_the_logit_s_rise_from_black() -> None:
    model, x = plain(), image(24)
    found = asked(model, samples=60).of("integrated gradients", x, 1)
    with torch.no_grad():
        rise = float((model(x) - model(torch.zeros_like(x)))[0, 1])
    assert found.sum() == pytest.approx(rise, abs=0.02 * abs(rise) + 1e-3)


def test_smoothgrad_of_a_linear_network_is_its_gradient() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    one = asked(model)
    x = image(12)
    assert np.allclose(one.of("SmoothGrad", x, 1), one.of("gradient", x, 1), atol=1e-6)


def test_smoothgrad_draws_from_the_image_and_the_seed() -> None:
    model, x = plain(), image(16)
    found = asked(model).of("SmoothGrad", x, 1, b"one")
    assert np.array_equal(found, asked(model).of("SmoothGrad", x, 1, b"one"))
    assert not np.array_equal(found, asked(model).of("SmoothGrad", x, 1, b"two"))
    assert not np.array_equal(found, asked(model, seed=1).of("SmoothGrad", x, 1, b"one"))


def test_guided_backpropagation_lets_only_positive_gradients_through() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(), nn.Conv2d(2, 1, 1, bias=False),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    ).eval()  # fmt: skip
    model[0].weight.data = torch.tensor([2.0, 3.0]).view(2, 1, 1, 1)
    model[2].weight.data = torch.tensor([1.0, -1.0]).view(1, 2, 1, 1)
    found = asked(model).of("guided backpropagation", torch.ones(1, 1, 2, 2), 1)
    assert np.allclose(found, 2 / 4)


@pytest.mark.parametrize("make", [Functional, DataDependent])
@pytest.mark.parametrize("method", METHODS)
def test_awkward_networks_are_handed_back_as_they_came(make, method: str) -> None:
    model = make().train()
    before = fingerprint(model)
    found = asked(model, samples=2).of(method, image(24), 1)
    check_untouched(before, model)
    assert np.isfinite(found).all()


def test_a_map_has_one_value_a_pixel() -> None:
    values = np.array([[[1.0, -2.0]], [[-3.0, 0.5]]])
    assert pixel_map(values, signed=False).tolist() == [[4.0, 2.5]]
    assert pixel_map(values, signed=True).tolist() == [[-2.0, -1.5]]


def test_an_unknown_method_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"got methods='gap'.*the nearest is 'gAP'"):
        asked(plain()).of("gap", image(16), 0)
