"""Losses, priors and measures of the additive explainer against the paper, word by word."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hexplain_widgets.additive.distillation import (
    NETWORKS,
    Explainer,
    maker_of,
    prior_loss,
    prior_weight,
)
from hexplain_widgets.additive.measures import (
    accuracy,
    best_accuracy_threshold,
    entropies,
    part_errors,
    relative_deviations,
    shares_by_ablation,
)
from tests.reference import additive as paper


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("positive", [False, True])
def test_the_prior_loss_is_that_of_equation_4(positive: bool) -> None:
    alpha, prior = drawn(4, 6), drawn(4, 6, seed=1)
    alpha = alpha.abs() if positive else alpha
    found = prior_loss(alpha, prior, positive=positive)
    expected = [
        paper.prior_loss(a.tolist(), w.tolist(), positive)
        for a, w in zip(alpha, prior, strict=True)
    ]
    assert found.tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("positive", [False, True])
def test_an_image_whose_priors_are_all_zero_has_no_prior_loss(positive: bool) -> None:
    alpha = drawn(1, 3).abs().requires_grad_()
    found = prior_loss(alpha, torch.zeros(1, 3), positive=positive)
    assert found.tolist() == [0.0]
    (gradient,) = torch.autograd.grad(found.sum(), alpha)
    assert torch.equal(gradient, torch.zeros(1, 3))


def test_negative_priors_count_as_zero_in_the_positive_case() -> None:
    alpha = drawn(1, 3).abs()
    cut = prior_loss(alpha, torch.tensor([[1.0, -5.0, 0.0]]), positive=True)
    assert torch.equal(cut, prior_loss(alpha, torch.tensor([[1.0, 0.0, 0.0]]), positive=True))


def test_the_prior_loses_weight_with_the_root_of_the_epoch() -> None:
    assert [prior_weight(10.0, t) for t in (1, 4, 100)] == [10.0, 5.0, 1.0]
    assert prior_weight(0.2, 7) == paper.prior_weight(0.2, 7)


def test_entropies_are_the_papers() -> None:
    values = drawn(5, 7).double().numpy()
    assert entropies(values).tolist() == pytest.approx([paper.entropy(v) for v in values])


def test_contributions_of_nothing_have_no_entropy() -> None:
    assert entropies(np.zeros((1, 3))).tolist() == [0.0]


def test_deviations_are_shares_of_the_range_of_scores() -> None:
    scores, explained = drawn(6).double().numpy(), drawn(6, seed=3).double().numpy()
    expected = paper.relative_deviations(scores.tolist(), explained.tolist())
    assert relative_deviations(scores, explained).tolist() == pytest.approx(expected)


def test_equal_scores_that_are_met_deviate_by_nothing() -> None:
    assert relative_deviations(np.ones(2), np.ones(2)).tolist() == [0.0, 0.0]


def test_the_best_threshold_parts_what_can_be_parted() -> None:
    values, truth = np.array([-1.0, 0.2, 0.6, 3.0]), np.array([False, False, True, True])
    threshold = best_accuracy_threshold(values, truth)
    assert 0.2 < threshold < 0.6
    assert accuracy(values, truth, threshold) == 1.0


def test_of_equally_good_thresholds_the_one_nearest_to_zero_is_taken() -> None:
    values, truth = np.array([-5.0, -4.0, 4.0]), np.array([False, True, True])
    assert best_accuracy_threshold(values, truth) == -4.5
    assert best_accuracy_threshold(values, np.array([True] * 3)) == -6.0


def linear_score(weights: torch.Tensor):
    return lambda maps: maps.mean((2, 3)) @ weights


def test_shares_by_ablation_and_their_errors_are_the_papers() -> None:
    weights, groups = drawn(5).abs(), [[0, 1], [2], [3, 4]]
    maps = drawn(4, 5, 3, 3, seed=2).abs()
    score = linear_score(weights)
    scores = score(maps).double().numpy()
    without = []
    for group in groups:
        cut = maps.clone()
        cut[:, group] = 0
        without.append(score(cut).double().numpy())
    truth = shares_by_ablation(scores, np.stack(without, 1))
    expected = [paper.truth_of_parts(score, x, groups) for x in maps]
    assert truth == pytest.approx(np.array(expected), rel=1e-4)
    mine = drawn(4, 3, seed=5).double().numpy()
    assert part_errors(mine, truth, scores).tolist() == pytest.approx(
        [paper.part_error(mine, expected, scores, p) for p in range(3)], rel=1e-4
    )


def test_drops_that_cancel_say_nothing_and_are_left_out() -> None:
    scores = np.array([1.0, 1.0])
    truth = shares_by_ablation(scores, np.array([[0.5, 1.5], [0.5, 0.5]]))
    assert np.isnan(truth[0]).all()
    assert part_errors(np.zeros((2, 2)), truth, scores).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("positive", [False, True])
def test_an_explainer_begins_at_its_start(positive: bool) -> None:
    start = torch.tensor([0.5, 2.0, 0.1])
    explainer = Explainer(
        NETWORKS["small"](4, 3), outputs=3, loudness=1.0, unit=0.3, positive=positive, start=start
    )
    assert explainer(drawn(2, 4, 5, 5)).detach().numpy() == pytest.approx(
        np.tile(start, (2, 1)), rel=1e-4
    )


def test_alpha_is_positive_where_it_was_asked_to_be() -> None:
    explainer = Explainer(NETWORKS["small"](4, 3), outputs=3, loudness=1.0, unit=1.0, positive=True)
    assert bool((explainer(10 * drawn(8, 4, 5, 5)) > 0).all())


def test_the_papers_network_takes_a_feature_map_of_seven_places() -> None:
    net = maker_of("resnet152")(16, 5).eval()
    with torch.no_grad():
        assert net(drawn(2, 16, 7, 7)).shape == (2, 5)


def test_a_network_of_ones_own_is_a_callable_from_channels_and_outputs() -> None:
    def own(channels: int, outputs: int) -> nn.Module:
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, outputs))

    assert maker_of(own)(3, 2)(drawn(1, 3, 4, 4)).shape == (1, 2)
