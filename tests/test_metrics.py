"""Faithfulness figures: ablation on the segment is ablation of the network."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

import hexplain_widgets as hx
from hexplain_widgets.guest import visiting
from hexplain_widgets.metrics import ablation, pearson
from hexplain_widgets.probe import Probe
from hexplain_widgets.segments import Unit
from tests.networks import Attentive, image, plain
from tests.reference import gap


def strongest(maps: torch.Tensor) -> Unit:
    k, y, x = np.unravel_index(int(maps.argmax()), maps.shape)
    return Unit(int(k), int(y), int(x))


@pytest.mark.parametrize(
    ("model", "shallow", "deep"),
    [(plain(), "7", None), (plain(), "4", "7"), (plain(), "1", "4"),
     (Attentive().eval(), "low.1", "high")],
)  # fmt: skip
def test_ablation_on_the_segment_is_one_forward_of_the_network_per_channel(
    model: nn.Module, shallow: str, deep: str | None
) -> None:
    x = image(37)
    probe = Probe(hx.Classifier(model))
    capture = probe.capture(x, [shallow] if deep is None else [shallow, deep])
    unit = Unit(1, 0, 0) if deep is None else strongest(capture.maps[deep][0])
    with visiting(model):
        drops = ablation(probe.segment(capture, shallow, deep), unit)
    literal = gap.ablation(model, x, deep, tuple(unit), shallow)
    assert np.allclose(drops, literal.numpy(), atol=1e-5)
    assert np.abs(drops).max() > 1e-3


def test_before_an_upper_clip_the_drop_is_that_of_the_unclipped_value() -> None:
    model, x = plain(activation=nn.ReLU6), image(37)
    model[6].bias.data += 20
    probe = Probe(hx.Classifier(model))
    segment = probe.segment(probe.capture(x), "4", "7")
    with visiting(model):
        clipped = ablation(segment, Unit(0, 2, 2))
        before = ablation(segment, Unit(0, 2, 2), unclipped=True)
    literal = gap.ablation(gap.without_upper_clip(model, "7"), x, "7", (0, 2, 2), "4")
    assert np.allclose(clipped, 0, atol=1e-6)
    assert np.allclose(before, literal.numpy(), atol=1e-5)


def test_pearson_is_the_correlation_of_numpy() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 40))
    assert pearson(a, b) == pytest.approx(np.corrcoef(a, b)[0, 1])


def test_pearson_of_a_constant_is_not_a_number() -> None:
    assert math.isnan(pearson(np.ones(5), np.arange(5.0)))


def test_contributions_below_the_logit_correlate_perfectly_under_a_linear_head() -> None:
    model, x = plain(), image(37)
    probe = Probe(hx.Classifier(model))
    capture = probe.capture(x, ["7"])
    segment = probe.segment(capture, "7", None)
    unit = Unit(int(torch.argmax(capture.logits)), 0, 0)
    with visiting(model):
        (decided,) = segment.decide([unit])
        drops = ablation(segment, unit)
    alphas = (decided.gradients * decided.activations)[0].mean((1, 2)).double().numpy()
    assert pearson(alphas, drops) == pytest.approx(1, abs=1e-6)
