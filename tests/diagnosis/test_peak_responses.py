"""Peak responses: which channels matter for a class, and how strongly they answer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import hexplain_widgets as hx
from hexplain_widgets.diagnosis.attacks import StageActivations, StageProbe, compare_peaks
from tests.networks import DataDependent, image, plain, pointwise
from tests.reference import peaks as literal


def planted() -> nn.Sequential:
    """Two channels that copy red and green, and two classes that read one each: weights 3 and 2."""
    return pointwise(torch.eye(2, 3), torch.tensor([[3.0, 0], [0, 2.0]]))


class Clipped(DataDependent):
    """Cannot be traced, and clips at 6."""

    def __init__(self) -> None:
        super().__init__()
        self.body = plain(activation=nn.ReLU6)


def at(model: nn.Module, x: torch.Tensor) -> StageActivations:
    return StageProbe(hx.Classifier(model)).at(x)


def test_a_planted_channel_is_found_with_its_peak() -> None:
    """Red is 0.5 in one of four pixels: mean 0.125, weight 3, and one more mean over the map."""
    x = torch.zeros(1, 3, 2, 2)
    x[0, 0, 0, 1] = 0.5
    seen = at(planted(), x)
    assert seen.contributions(0) == pytest.approx([3 * 0.125 / 4, 0])
    assert seen.peaks == pytest.approx([0.5, 0])


def test_channels_and_peaks_are_those_of_a_literal_loop() -> None:
    model, one, other = plain(), image(16), image(16, seed=4)
    head = model[8:]
    maps = [model[:8](x).detach() for x in (one, other)]
    added = [literal.contributions(maps[0], head, 1), literal.contributions(maps[1], head, 3)]
    channels = [literal.important(each, 4) for each in added]
    found = compare_peaks(at(model, one), at(model, other), (1, 3), 4)
    assert found.channels.tolist() == channels
    assert found.contributions == pytest.approx(
        np.array([[each[k] for k in row] for each, row in zip(added, channels, strict=True)]),
        rel=1e-4,
    )
    peaks = [[[literal.peak(each, k) for k in row] for row in channels] for each in maps]
    assert found.peaks == pytest.approx(np.array(peaks), rel=1e-5)


def test_a_network_that_cannot_be_traced_has_the_same_peaks() -> None:
    x = image(16)
    assert at(DataDependent(), x).peaks == pytest.approx(at(plain(), x * 1.5).peaks, rel=1e-5)


@pytest.mark.parametrize(
    ("model", "bound"), [(plain(), None), (plain(activation=nn.ReLU6), 6.0), (Clipped(), 6.0)]
)
def test_the_clip_of_the_deepest_stage_is_known(model: nn.Module, bound: float | None) -> None:
    assert at(model, image(16)).bound == bound


def test_one_class_is_compared_where_both_images_are_named_the_same() -> None:
    seen = at(plain(), image(16))
    assert compare_peaks(seen, seen, (2, 2), 3).peaks.shape == (2, 1, 3)


def test_a_layer_with_fewer_channels_gives_them_all() -> None:
    x = torch.rand(1, 3, 2, 2)
    seen = at(planted(), x)
    assert compare_peaks(seen, seen, (0, 1), 4).channels.shape == (2, 2)


def test_a_decision_against_a_class_keeps_its_sign() -> None:
    model = planted()
    model[4].weight.data = -model[4].weight.data
    assert at(model, torch.ones(1, 3, 2, 2)).contributions(0) == pytest.approx([-3 / 4, 0])


def test_the_layers_that_were_asked_for_decide_which_is_the_deepest() -> None:
    seen = StageProbe(hx.Classifier(plain()), ["1", "4"]).at(image(16))
    assert seen.layer.name == "4"
