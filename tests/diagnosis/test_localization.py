"""Figures: ablation on the segment is ablation of the network; maps against what is there."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

import hexplain_widgets as hx
from hexplain_widgets.diagnosis.localization import (
    ablation,
    energy_within,
    localization_error,
    pixel_auc,
    pointing_energy,
    pointing_hit,
)
from hexplain_widgets.evidence.faithfulness import faithfulness, pearson, spearman
from hexplain_widgets.network.guest import visiting
from hexplain_widgets.network.probe import Probe
from hexplain_widgets.network.segments import Unit
from tests.networks import Attentive, image, plain
from tests.reference import gap, pointing


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


@pytest.mark.parametrize("shape", [(8, 8), (15, 15), (7, 5), (3, 2), (1, 1)])
@pytest.mark.parametrize("cells", [(2, 2), (3, 2), (1, 1)])
def test_pointing_energy_is_the_literal_one(shape: tuple, cells: tuple) -> None:
    values = np.random.default_rng(0).normal(0.5, 1, shape).clip(0.01 - 1)
    values[0, 0] = 1.0
    assert np.allclose(pointing_energy(values, cells), pointing.pointing_energy(values, *cells))


def test_a_map_that_knows_nothing_has_a_quarter_in_each_of_four_cells() -> None:
    assert np.allclose(pointing_energy(np.ones((15, 15))), 0.25)


def test_only_what_is_positive_has_energy() -> None:
    values = np.array([[3.0, -9.0], [1.0, -9.0]])
    assert pointing_energy(values).tolist() == [[0.75, 0], [0.25, 0]]


def test_a_map_without_energy_points_nowhere() -> None:
    assert np.isnan(pointing_energy(-np.ones((4, 4)))).all()
    assert math.isnan(energy_within(-np.ones((4, 4)), (0, 0, 2, 2)))


def test_energy_within_a_box_is_its_share_of_the_positive_part() -> None:
    values = np.array([[1.0, 2.0, -5.0], [3.0, 4.0, 0.0]])
    assert energy_within(values, (1, 0, 3, 2)) == pytest.approx(0.6)


def test_a_map_that_is_not_finite_has_no_energy() -> None:
    with pytest.raises(ValueError, match="NaN or infinite values; expected finite numbers"):
        pointing_energy(np.array([[np.nan, 1.0]]))


def test_a_hit_is_the_largest_value_on_the_truth() -> None:
    values = np.array([[0.0, 2.0], [1.0, 0.0]])
    assert pointing_hit(values, np.array([[False, True], [False, False]]))
    assert not pointing_hit(values, np.array([[True, False], [True, True]]))


@pytest.mark.parametrize("seed", range(4))
def test_pixel_auc_counts_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, truth = rng.integers(0, 4, (5, 6)).astype(float), rng.random((5, 6)) < 0.4
    assert pixel_auc(values, truth) == pytest.approx(pointing.pixel_auc(values, truth))


def test_pixel_auc_of_a_constant_map_is_one_half() -> None:
    assert pixel_auc(np.ones((3, 3)), np.eye(3, dtype=bool)) == 0.5


@pytest.mark.parametrize("everything", [True, False])
def test_pixel_auc_needs_an_inside_and_an_outside(everything: bool) -> None:
    assert math.isnan(pixel_auc(np.ones((2, 2)), np.full((2, 2), everything)))


def test_localisation_fails_where_the_class_or_the_box_does() -> None:
    ious, ranks = np.array([0.9, 0.9, 0.5, 0.6]), np.array([0, 3, 0, 7])
    assert localization_error(ious, ranks) == 0.75
    assert localization_error(ious, ranks, top=5) == 0.5
    assert localization_error(ious, ranks, top=10) == 0.25


def test_pearson_and_spearman_are_scipy_s() -> None:
    one, other = np.random.default_rng(0).normal(size=(2, 50)).round(1)
    assert pearson(one, other) == pytest.approx(stats.pearsonr(one, other).statistic)
    assert spearman(one, other) == pytest.approx(stats.spearmanr(one, other).statistic)


def test_faithfulness_keeps_both_sides_and_correlates_them() -> None:
    found = faithfulness(np.array([1.0, 2, 4]), np.array([2.0, 4, 8]), seconds=0.25)
    assert (found.pearson, found.spearman) == (pytest.approx(1), pytest.approx(1))
    assert "ablation to zero: r = 1.00 (3 channels, 0.2 s)" in str(found)


def test_where_all_parts_weigh_the_same_there_is_no_correlation() -> None:
    found = faithfulness(np.ones(3), np.array([1.0, 2, 3]), parts="neurons")
    assert (found.pearson, found.spearman) == (None, None)
    assert "undefined (one side is constant) (3 neurons" in str(found)


@pytest.mark.usefixtures("unchecked")
def test_faithfulness_of_other_parts_than_those_removed_is_refused() -> None:
    with pytest.raises(ValueError, match=r"got 3 estimates and 2 drops; expected one of each"):
        faithfulness(np.ones(3), np.ones(2))
