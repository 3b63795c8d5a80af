"""Shapley scores of neurons against their definition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from hexplain_widgets.solvers.permutations import (
    RIDGE,
    LinearGame,
    PermutationPaths,
    SampledScores,
    SamplingLimits,
    sample,
)
from hexplain_widgets.solvers.shapley import (
    ESTIMATORS,
    ablated,
    classifier_scores,
    neuron_scores,
    owen_values,
)
from tests.reference import shapley as reference


@dataclass(frozen=True)
class Made:
    """Rows, background and linear classifiers of a few neurons."""

    rows: np.ndarray
    background: np.ndarray
    weights: np.ndarray
    bias: np.ndarray

    def probability(self, rows: np.ndarray) -> np.ndarray:
        return reference.sigmoid(rows @ self.weights.T + self.bias)

    def logit(self, rows: np.ndarray) -> np.ndarray:
        return rows @ self.weights.T + self.bias

    @property
    def given(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.rows, self.weights, self.bias

    def signed(self) -> np.ndarray:
        return reference.values(self.probability, self.rows, self.background)

    def scores(self) -> np.ndarray:
        return reference.scores(self.signed())


def normals(
    rows: int = 40, neurons: int = 6, concepts: int = 2, *, seed: int = 0, strength: float = 1.0
) -> Made:
    """Neurons that are independent normals, around means of their own."""
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=neurons)
    return Made(
        mean + rng.normal(size=(rows, neurons)),
        mean + rng.normal(size=(400, neurons)),
        strength * rng.normal(size=(concepts, neurons)),
        rng.normal(size=concepts),
    )


def correlated(rows: int = 40, neurons: int = 6, *, seed: int = 0) -> Made:
    """Rectified neurons that go together: the background's logits are far from normal."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(2, neurons))

    def drawn(n: int) -> np.ndarray:
        common = rng.normal(size=(n, 2)) @ mixing
        return np.maximum(common + 0.5 * rng.normal(size=(n, neurons)), 0)

    return Made(drawn(rows), drawn(400), rng.normal(size=(2, neurons)), np.array([-1.0, 0.5]))


def few(make: Callable[..., Made], seed: int) -> Made:
    """A hundred rows against a small background, so that the definition is soon worked out."""
    problem = make(rows=100, seed=seed)
    return replace(problem, background=problem.background[:60])


MADE = {"independent": normals, "correlated": correlated}
made = pytest.mark.parametrize("make", MADE.values(), ids=MADE)


def sampled(problem: Made, permutations: int, seed: int = 0) -> tuple[SampledScores, np.ndarray]:
    """Scores by permutations, and the signed values `(r, k, e)` behind them."""
    rng = np.random.default_rng(seed)
    x, b, w, c = (
        torch.tensor(part, dtype=torch.float32)
        for part in (problem.rows, problem.background, problem.weights, problem.bias)
    )
    paths = PermutationPaths(LinearGame(x, w, c, b, rng), len(w))
    found = sample(paths, SamplingLimits(1e-9, permutations), rng)
    return found, paths.values(found.permutations).permute(2, 0, 1).numpy()


def test_all_permutations_and_all_coalitions_define_the_same_value() -> None:
    problem = normals(rows=2)
    for row in problem.rows:
        game = reference.absent_from_background(problem.probability, row, problem.background)
        np.testing.assert_allclose(
            reference.over_permutations(game, 6), reference.over_coalitions(game, 6), atol=1e-12
        )


def test_the_literal_loop_comes_near_the_definition() -> None:
    problem = normals(rows=10, concepts=1)
    w, b = problem.weights[0], float(problem.bias[0])
    rng = np.random.default_rng(0)
    loop = reference.eq_2(w, b, problem.rows, problem.background, list(range(6)), 400, rng)
    np.testing.assert_allclose(loop, problem.scores()[:, 0], rtol=0.15)


@made
def test_permutations_agree_with_the_definition_within_their_errors(
    make: Callable[..., Made],
) -> None:
    problem = make()
    truth = problem.scores()
    found = neuron_scores(
        "permutation", *problem.given, background=problem.background, precision=1e-9, most=512
    )
    assert (np.abs(found.values - truth) < 4 * found.errors).all()
    assert (found.errors.max(axis=0) < 0.06 * truth.max(axis=0)).all()


def test_owen_is_within_four_percent_where_background_neurons_are_independent_normals() -> None:
    for seed in range(5):
        problem = normals(seed=seed)
        truth = problem.scores()
        found = neuron_scores("owen", *problem.given, background=problem.background).values
        assert (np.abs(found - truth).max(axis=0) < 0.04 * truth.max(axis=0)).all()


def test_owen_is_within_seven_percent_where_few_background_neurons_go_together() -> None:
    for seed in range(5):
        problem = correlated(seed=seed)
        truth = problem.scores()
        found = neuron_scores("owen", *problem.given, background=problem.background).values
        assert (np.abs(found - truth).max(axis=0) < 0.07 * truth.max(axis=0)).all()


@made
def test_owen_gives_signed_values_of_every_row(make: Callable[..., Made]) -> None:
    problem = make()
    truth = problem.signed()
    found = owen_values(
        *(torch.tensor(part, dtype=torch.float32) for part in (*problem.given, problem.background))
    ).numpy()
    assert np.abs(found - truth).mean() < 0.05 * np.abs(truth).mean()


def test_owen_takes_many_weak_neurons_as_exactly_as_strong_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem = normals(rows=60, neurons=200, strength=0.1)
    usual = neuron_scores("owen", *problem.given, background=problem.background).values
    monkeypatch.setattr("hexplain_widgets.solvers.shapley._NEGLIGIBLE", 0.0)
    exact = neuron_scores("owen", *problem.given, background=problem.background).values
    np.testing.assert_allclose(usual, exact, atol=0.005 * exact.max())


def test_owen_does_not_depend_on_where_neurons_are_counted_from() -> None:
    problem = correlated()
    w, b = problem.weights, problem.bias - problem.weights.sum(axis=1) * 5
    here = neuron_scores("owen", *problem.given, background=problem.background).values
    there = neuron_scores("owen", problem.rows + 5, w, b, background=problem.background + 5).values
    np.testing.assert_allclose(here, there, atol=1e-5)


def test_owen_takes_a_background_of_one_row() -> None:
    problem = normals()
    one = Made(problem.rows, problem.background[:1], problem.weights, problem.bias)
    found = neuron_scores("owen", *one.given, background=one.background).values
    np.testing.assert_allclose(found, one.scores(), atol=0.05 * one.scores().max())


def test_values_by_permutations_add_up_to_what_the_row_has_more_than_the_background() -> None:
    problem = normals()
    signed = sampled(problem, 1024)[1]
    more = problem.probability(problem.rows) - problem.probability(problem.background).mean(axis=0)
    np.testing.assert_allclose(signed.sum(axis=1), more, atol=0.06)


def test_values_by_permutations_add_up_exactly_for_one_background_row() -> None:
    problem = normals()
    one = Made(problem.rows, problem.background[:1], problem.weights, problem.bias)
    more = one.probability(one.rows) - one.probability(one.background)
    np.testing.assert_allclose(sampled(one, 16)[1].sum(axis=1), more, atol=1e-5)


@pytest.mark.parametrize("estimator", ["owen", "permutation", "logit"])
def test_neurons_that_are_alike_score_alike(estimator: str) -> None:
    problem = normals(rows=30)
    rows, background, weights = (
        np.concatenate([part, part[:, :1]], axis=1)
        for part in (problem.rows, problem.background, problem.weights)
    )
    found = neuron_scores(
        estimator, rows, weights, problem.bias, background=background, precision=0.01, most=2048
    )
    allowed = 1e-5 if found.errors is None else 4 * found.errors.max()
    np.testing.assert_allclose(found.values[0], found.values[-1], atol=allowed)


@pytest.mark.parametrize("estimator", ["owen", "permutation", "logit", "coefficient"])
def test_a_neuron_without_weight_scores_nothing(estimator: str) -> None:
    problem = normals()
    problem.weights[:, 2] = 0
    found = neuron_scores(estimator, *problem.given, background=problem.background, most=32)
    np.testing.assert_allclose(found.values[2], 0, atol=1e-7)


@pytest.mark.parametrize("estimator", ["permutation", "retrained"])
def test_a_neuron_that_never_changes_scores_nothing(estimator: str) -> None:
    problem, signs = refits()
    problem.rows[:, 1] = problem.background[:, 1] = 3
    found = neuron_scores(
        estimator, *problem.given, background=problem.background, signs=signs, most=32
    )
    np.testing.assert_allclose(found.values[1], 0, atol=1e-7)


def test_the_closed_form_is_the_definition_on_the_logit() -> None:
    problem = correlated()
    truth = reference.scores(reference.values(problem.logit, problem.rows, problem.background))
    found = neuron_scores("logit", *problem.given, background=problem.background).values
    np.testing.assert_allclose(found, truth, rtol=1e-5)


def test_values_of_the_logit_of_two_classifiers_add_up_to_those_of_their_sum() -> None:
    problem = correlated()
    signed = reference.values(problem.logit, problem.rows, problem.background)
    both = Made(
        problem.rows,
        problem.background,
        problem.weights.sum(axis=0, keepdims=True),
        problem.bias.sum(keepdims=True),
    )
    found = neuron_scores("logit", *both.given, background=both.background).values
    np.testing.assert_allclose(found[:, 0], np.abs(signed.sum(axis=-1)).mean(axis=0), rtol=1e-5)


def test_the_coefficient_is_scaled_by_the_neurons_deviation() -> None:
    rows = np.array([[0.0, 0.0], [2.0, 20.0]])
    found = neuron_scores(
        "coefficient", rows, np.array([[-3.0, 1.0]]), np.zeros(1), background=rows
    )
    np.testing.assert_allclose(found.values, [[3.0], [10.0]])


def test_random_scores_are_those_of_their_seed() -> None:
    problem = normals()
    ask = {"background": problem.background}
    one = neuron_scores("random", *problem.given, **ask, seed=1).values
    np.testing.assert_array_equal(
        one, neuron_scores("random", *problem.given, **ask, seed=1).values
    )
    assert (one != neuron_scores("random", *problem.given, **ask, seed=2).values).all()


def refits(rows: int = 60, neurons: int = 5) -> tuple[Made, np.ndarray]:
    problem = correlated(rows, neurons)
    rng = np.random.default_rng(1)
    logits = problem.logit(problem.rows) + rng.normal(size=(rows, 2))
    signs = np.where(logits > np.median(logits, axis=0), 1, -1).T.astype(np.int8)
    signs[0, :7] = 0
    return problem, signs


def test_retrained_scores_are_those_of_fitting_again_for_all_coalitions() -> None:
    problem, signs = refits()
    truth = np.stack(
        [
            np.abs(
                reference.over_coalitions(
                    lambda s, y=sign: reference.refitted(problem.rows, y, s, RIDGE), 5
                )
            ).mean(axis=1)
            for sign in signs
        ],
        axis=1,
    )
    found = neuron_scores(
        "retrained",
        *problem.given,
        background=problem.background,
        signs=signs,
        precision=0.01,
        most=100_000,
    )
    assert (np.abs(found.values - truth) < 4 * found.errors).all()
    assert (found.errors.max(axis=0) < 0.01 * truth.max(axis=0) * 1.05).all()


def test_a_neuron_that_is_shuffled_leaves_the_fit_as_if_it_were_not_there() -> None:
    problem, signs = refits(rows=4000)
    rng = np.random.default_rng(0)
    present = frozenset({0, 3})
    word_for_word = np.mean(
        [reference.refitted_on_shuffled(problem.rows, signs[1], present, rng) for _ in range(20)],
        axis=0,
    )
    limit = reference.refitted(problem.rows, signs[1], present, 0.0)
    np.testing.assert_allclose(word_for_word, limit, atol=0.02)


def test_a_classifier_of_rows_scores_like_the_linear_one_that_it_is() -> None:
    problem = normals()
    w, b = (torch.tensor(part, dtype=torch.float32) for part in (problem.weights, problem.bias))
    found = classifier_scores(
        lambda rows: (rows @ w.T + b).sigmoid(),
        problem.rows,
        background=problem.background,
        precision=1e-9,
        most=256,
    )
    assert (np.abs(found.values - problem.scores()) < 4 * found.errors).all()


def test_a_classifier_that_is_not_linear_is_scored_as_defined() -> None:
    problem = normals()

    def either(rows: np.ndarray) -> np.ndarray:
        return np.maximum(problem.probability(rows), rows[:, :2] > 0)

    truth = reference.scores(reference.values(either, problem.rows, problem.background))
    found = classifier_scores(
        lambda rows: torch.from_numpy(either(rows.double().numpy())),
        problem.rows,
        background=problem.background,
        precision=1e-9,
        most=256,
    )
    assert (np.abs(found.values - truth) < 4 * found.errors).all()


@pytest.mark.parametrize("permutations", [32, 64])
@made
def test_two_errors_hold_nineteen_of_twenty_scores(
    make: Callable[..., Made], permutations: int
) -> None:
    inside = []
    for problem in (few(make, seed) for seed in range(3)):
        truth = problem.scores()
        for seed in range(6):
            found = sampled(problem, permutations, seed)[0]
            inside.extend((np.abs(found.scores.numpy() - truth) < 2 * found.errors.numpy()).ravel())
    assert 0.92 < np.mean(inside) < 1


def test_the_correction_takes_off_by_how_much_noise_lifts_absolute_values() -> None:
    problem = few(normals, 0)
    truth = problem.scores()
    plain, corrected = [], []
    for seed in range(20):
        found, signed = sampled(problem, 32, seed)
        plain.append(np.abs(signed).mean() - truth.mean())
        corrected.append(found.scores.mean() - truth.mean())
    assert np.mean(plain) > 0.01 * truth.mean()
    assert abs(np.mean(corrected)) < 0.3 * np.mean(plain)


def test_sampling_goes_on_until_it_is_precise() -> None:
    problem = normals()
    found = neuron_scores(
        "permutation", *problem.given, background=problem.background, precision=0.02, most=100_000
    )
    assert (found.errors.max(axis=0) <= 0.02 * found.values.max(axis=0)).all()
    assert found.permutations < 100_000


def test_sampling_ends_at_the_most_permutations() -> None:
    problem = normals()
    found = neuron_scores(
        "permutation", *problem.given, background=problem.background, precision=1e-9, most=100
    )
    assert found.permutations == 100


def test_sampling_that_is_stopped_gives_what_it_has() -> None:
    problem = normals()
    found = neuron_scores(
        "permutation",
        *problem.given,
        background=problem.background,
        precision=1e-9,
        most=10_000,
        stopped=lambda: True,
    )
    assert found.permutations < 40
    assert np.isfinite(found.errors).all()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_one_seed_gives_one_answer(estimator: str) -> None:
    problem, signs = refits()
    ask = {"background": problem.background, "signs": signs, "most": 32}
    one, other = (neuron_scores(estimator, *problem.given, **ask, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.values, other.values)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_some_neurons_score_alone_as_they_do_among_all(estimator: str) -> None:
    problem, signs = refits()
    ask = {"background": problem.background, "signs": signs, "most": 32}
    every = neuron_scores(estimator, *problem.given, **ask)
    few = neuron_scores(estimator, *problem.given, **ask, only=[3, 0])
    np.testing.assert_allclose(few.values, every.values[[3, 0]], rtol=1e-5)
    if every.errors is not None:
        np.testing.assert_array_equal(few.errors, every.errors[[3, 0]])


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_global_random_state_stays_as_it_was(estimator: str) -> None:
    problem, signs = refits()
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    neuron_scores(estimator, *problem.given, background=problem.background, signs=signs, most=32)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("estimator", ["permutation", "retrained"])
def test_concepts_that_do_not_fit_into_memory_at_once_are_taken_in_turn(
    estimator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem, signs = refits()
    ask = {"background": problem.background, "signs": signs, "precision": 0.02, "most": 5000}
    together = neuron_scores(estimator, *problem.given, **ask)
    monkeypatch.setattr("hexplain_widgets.solvers.shapley._HELD", 1)
    alone = neuron_scores(estimator, *problem.given, **ask)
    apart = np.abs(together.values - alone.values)
    assert (apart < 4 * np.hypot(together.errors, alone.errors)).all()


def test_owen_and_permutations_rank_many_neurons_alike() -> None:
    problem = correlated(rows=200, neurons=20)
    owen = neuron_scores("owen", *problem.given, background=problem.background).values
    sampled = neuron_scores(
        "permutation", *problem.given, background=problem.background, precision=0.03
    ).values
    for e in range(2):
        assert spearmanr(owen[:, e], sampled[:, e])[0] > 0.99


def test_an_unknown_estimator_names_the_nearest() -> None:
    problem = normals()
    with pytest.raises(ValueError, match=r"unknown estimator 'owens'; expected .*'owen'"):
        neuron_scores("owens", *problem.given, background=problem.background)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"rows": np.zeros((0, 6))}, r"got rows of shape \(0, 6\); expected a row for each"),
        ({"rows": np.full((3, 6), np.nan)}, "got rows with NaN or infinite values"),
        ({"weights": np.full((2, 6), np.inf)}, "got weights with NaN or infinite values"),
        ({"weights": np.zeros((2, 5))}, "got weights of 5 neurons; expected 6"),
        ({"weights": np.zeros(6)}, r"got weights of shape \(6,\); expected a row for each concept"),
        ({"bias": np.zeros(3)}, r"got a bias of shape \(3,\); expected \(2,\)"),
        ({"background": np.zeros((9, 7))}, "got background of 7 neurons; expected 6"),
        ({"background": np.zeros((0, 6))}, r"got background of shape \(0, 6\)"),
        ({"precision": 0.0}, "got precision=0.0; expected a standard error above 0"),
        ({"most": 4}, "got most=4 permutations; expected at least 12"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_does_not_fit_is_an_error(changed: dict[str, object], text: str) -> None:
    problem = normals()
    given = {
        "rows": problem.rows,
        "weights": problem.weights,
        "bias": problem.bias,
        "background": problem.background,
    } | changed
    with pytest.raises(ValueError, match=text):
        neuron_scores("owen", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("signs", "text"),
    [
        (None, 'no signs for the estimator "retrained"; expected 1, -1 or 0'),
        (np.ones((2, 3), np.int8), r"signs of shape \(2, 3\); expected \(2, 40\)"),
        (np.ones((2, 40), np.int8), "signs of one kind alone for concept 0"),
    ],
)
def test_retrained_says_which_signs_it_needs(signs: np.ndarray | None, text: str) -> None:
    problem = normals()
    with pytest.raises(ValueError, match=text):
        neuron_scores("retrained", *problem.given, background=problem.background, signs=signs)


def test_a_classifier_that_gives_one_number_for_all_rows_is_an_error() -> None:
    problem = normals()
    with pytest.raises(ValueError, match=r"answer of shape \(2,\) from the classifier for 2 rows"):
        classifier_scores(lambda rows: rows.sum(1), problem.rows, background=problem.background)


def test_a_classifier_that_gives_nan_is_an_error() -> None:
    problem = normals()
    with pytest.raises(ValueError, match="got probabilities with NaN"):
        classifier_scores(lambda rows: rows * np.nan, problem.rows, background=problem.background)


def test_neurons_taken_out_one_by_one_are_the_literal_change() -> None:
    draw = torch.Generator().manual_seed(0)
    rows, weights = (torch.randn(s, generator=draw).double() for s in ((40, 6), (6,)))
    bias = torch.tensor(0.3).double()
    found = ablated(rows, weights, bias, rows)
    for k in range(6):
        without = rows.clone()
        without[:, k] = rows[:, k].mean()
        change = torch.sigmoid(rows @ weights + bias) - torch.sigmoid(without @ weights + bias)
        assert found[k] == pytest.approx(change.abs().mean().item())
