"""Logistic regression of many concepts at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from hexplain_widgets.solvers import logistic
from hexplain_widgets.solvers.logistic import LinearClassifiers, fit_logistic, systematic
from tests.reference import logistic as literal


@dataclass(frozen=True)
class Vectors:
    """Rows of nonnegative correlated channels and the signs of concepts among them."""

    rows: np.ndarray
    signs: np.ndarray

    def fit(self, **settings: Any) -> LinearClassifiers:
        rows, signs = torch.from_numpy(self.rows), torch.from_numpy(self.signs)
        return fit_logistic(rows, signs, **{"penalty": 0.01, **settings})

    def objectives(
        self, found: LinearClassifiers, penalty: float = 0.01, *, balanced: bool = True
    ) -> np.ndarray:
        each = zip(self.signs, found.weights.numpy(), found.bias.numpy(), strict=True)
        return np.array(
            [
                literal.objective(self.rows, s, w, float(b), penalty, balanced=balanced)
                for s, w, b in each
            ]
        )


def vectors(
    rows: int = 300,
    channels: int = 12,
    concepts: int = 4,
    *,
    noise: float = 1.0,
    left_out: float = 0.2,
    dtype: type = np.float32,
    seed: int = 0,
) -> Vectors:
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(rows, 4)) @ rng.normal(size=(4, channels))
    x = np.maximum(hidden + rng.normal(size=(rows, channels)), 0)
    x *= np.exp(rng.normal(size=channels))
    heights = (x / x.std(axis=0)) @ rng.normal(size=(channels, concepts))
    heights += noise * heights.std(axis=0) * rng.normal(size=heights.shape)
    signs = np.where(heights > np.quantile(heights, 0.8, axis=0), 1, -1).T.astype(np.int8)
    signs[rng.random(signs.shape) < left_out] = 0
    signs[range(concepts), heights.argmax(axis=0)] = 1
    signs[range(concepts), heights.argmin(axis=0)] = -1
    return Vectors(x.astype(dtype), signs)


def by_scikit_learn(
    data: Vectors, e: int, penalty: float = 0.01, *, balanced: bool = True, columns: Any = None
) -> tuple[np.ndarray, float]:
    rated = data.signs[e] != 0
    rows = data.rows.astype(np.float64)
    scale, columns = rows.std(axis=0), slice(None) if columns is None else columns
    x = (rows / scale)[rated][:, columns]
    model = LogisticRegression(
        C=1 / (penalty * rated.sum()), class_weight="balanced" if balanced else None,
        tol=1e-9, max_iter=100_000, solver="newton-cholesky",
    ).fit(x, data.signs[e][rated])  # fmt: skip
    return model.coef_[0] / scale[columns], float(model.intercept_[0])


def check_least(data: Vectors, penalty: float, *, balanced: bool) -> None:
    """No objective is above the one that scikit-learn reaches."""
    ours = data.objectives(data.fit(penalty=penalty, balanced=balanced), penalty, balanced=balanced)
    for e, value in enumerate(ours):
        weights, bias = by_scikit_learn(data, e, penalty, balanced=balanced)
        least = literal.objective(
            data.rows, data.signs[e], weights, bias, penalty, balanced=balanced
        )
        assert value <= least * (1 + 1e-6)


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("penalty", [1.0, 0.01, 1e-4])
def test_the_objective_is_that_of_scikit_learn(penalty: float, balanced: bool) -> None:
    data = vectors()
    check_least(data, penalty, balanced=balanced)


@pytest.mark.parametrize("balanced", [True, False])
def test_the_weights_are_those_of_scipys_minimiser_in_float64(balanced: bool) -> None:
    data = vectors(dtype=np.float64)
    found = data.fit(balanced=balanced, tolerance=1e-13)
    for e in range(4):
        weights, bias = literal.fit(data.rows, data.signs[e], 0.01, balanced=balanced)
        scale = np.abs(weights).max()
        np.testing.assert_allclose(found.weights[e].numpy(), weights, atol=1e-5 * scale)
        assert float(found.bias[e]) == pytest.approx(bias, abs=1e-4)


def test_two_rows_can_be_worked_out_by_hand() -> None:
    # the slope vanishes where sigmoid(-v) = penalty v, v being the weight in standard deviations
    data = Vectors(np.array([[1.0], [3.0]]), np.array([[-1, 1]], dtype=np.int8))
    found = data.fit(penalty=1 / (1 + np.e), tolerance=1e-14)
    np.testing.assert_allclose(found.weights.numpy(), [[1.0]], atol=1e-6)
    np.testing.assert_allclose(found.bias.numpy(), [-2.0], atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    penalty=st.floats(1e-4, 10),
    channels=st.integers(1, 20),
    balanced=st.booleans(),
)
def test_the_gradient_is_zero_at_the_answer(
    seed: int, penalty: float, channels: int, balanced: bool
) -> None:
    data = vectors(60, channels, 2, dtype=np.float64, seed=seed)
    found = data.fit(penalty=penalty, balanced=balanced, tolerance=1e-12)
    for e in range(2):
        weights, bias = found.weights[e].numpy(), float(found.bias[e])
        slope = literal.gradient(
            data.rows, data.signs[e], weights, bias, penalty, balanced=balanced
        )
        assert np.abs(slope).max() < 1e-5


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000), rows=st.integers(20, 200), channels=st.integers(1, 30),
    noise=st.floats(0, 3), penalty=st.sampled_from([1.0, 0.03, 1e-3]), balanced=st.booleans(),
)  # fmt: skip
def test_on_random_rows_the_objective_is_that_of_scikit_learn(
    seed: int, rows: int, channels: int, noise: float, penalty: float, balanced: bool
) -> None:
    data = vectors(rows, channels, 2, noise=noise, seed=seed)
    check_least(data, penalty, balanced=balanced)


@settings(max_examples=15, deadline=None)
@given(scale=st.floats(1e-4, 1e4), shift=st.floats(-3, 3), feature=st.integers(0, 11))
def test_a_feature_in_other_units_has_its_weight_in_other_units(
    scale: float, shift: float, feature: int
) -> None:
    data = vectors(dtype=np.float64)
    other = data.rows.copy()
    other[:, feature] = scale * (other[:, feature] + shift)
    one, two = data.fit(tolerance=1e-12), Vectors(other, data.signs).fit(tolerance=1e-12)
    expected, moved = one.weights.numpy().copy(), one.weights[:, feature].numpy() * shift
    expected[:, feature] /= scale
    np.testing.assert_allclose(two.weights.numpy(), expected, rtol=1e-3, atol=1e-5 * scale**-1)
    np.testing.assert_allclose(two.bias.numpy(), one.bias.numpy() - moved, atol=1e-3)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), times=st.integers(2, 4), balanced=st.booleans())
def test_rows_given_several_times_change_nothing(seed: int, times: int, balanced: bool) -> None:
    data = vectors(80, 6, 2, seed=seed, dtype=np.float64)
    again = Vectors(np.tile(data.rows, (times, 1)), np.tile(data.signs, times))
    one = data.fit(balanced=balanced, tolerance=1e-12)
    other = again.fit(balanced=balanced, tolerance=1e-12)
    np.testing.assert_allclose(other.weights.numpy(), one.weights.numpy(), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(other.bias.numpy(), one.bias.numpy(), rtol=1e-3, atol=1e-4)


def test_the_order_of_rows_changes_nothing() -> None:
    data = vectors(dtype=np.float64)
    order = np.random.default_rng(1).permutation(len(data.rows))
    other = Vectors(data.rows[order], data.signs[:, order]).fit(tolerance=1e-12)
    np.testing.assert_allclose(
        other.weights.numpy(), data.fit(tolerance=1e-12).weights.numpy(), rtol=1e-3, atol=1e-5
    )


def test_many_rows_are_looked_at_in_part_first_and_answered_in_full() -> None:
    data = vectors(20_000, 8, 3)
    found = data.fit(penalty=1e-3)
    assert len(data.rows) > 2 * logistic._LOOK
    x, scale = data.rows.astype(np.float64), data.rows.std(axis=0, dtype=np.float64)
    for e in range(3):
        values = []
        for weights, bias in (
            (found.weights[e].numpy(), float(found.bias[e])),
            by_scikit_learn(data, e, 1e-3),
        ):
            importance = np.array(literal.importances(data.signs[e], True))
            loss = importance @ np.logaddexp(0, -data.signs[e] * (x @ weights + bias))
            values.append(loss + 1e-3 / 2 * ((weights * scale) ** 2).sum())
        assert values[0] <= values[1] * (1 + 1e-6)


def test_a_concept_that_the_first_look_does_not_see_is_answered_all_the_same() -> None:
    data = vectors(20_000, 8, 3)
    data.signs[0] = -1
    data.signs[0, 777] = 1
    found = data.fit(balanced=False, tolerance=1e-8)
    weights, bias = by_scikit_learn(data, 0, balanced=False)
    np.testing.assert_allclose(found.weights[0].numpy(), weights, atol=1e-2 * np.abs(weights).max())
    assert float(found.bias[0]) == pytest.approx(bias, abs=1e-2)


def test_an_answer_does_not_depend_on_the_other_concepts(monkeypatch: pytest.MonkeyPatch) -> None:
    data = vectors(concepts=5, dtype=np.float64)
    together = data.fit(tolerance=1e-12)
    monkeypatch.setattr(logistic, "_TOGETHER", 600)  # two at once
    parted = data.fit(tolerance=1e-12)
    np.testing.assert_allclose(parted.weights.numpy(), together.weights.numpy(), atol=1e-5)
    np.testing.assert_allclose(parted.bias.numpy(), together.bias.numpy(), atol=1e-5)


def test_rows_without_a_sign_take_no_part_but_in_the_units() -> None:
    data = vectors(dtype=np.float64)
    data.signs[:, 50:90] = 0
    rows = data.rows.copy()
    rows[50:90] = rows[50:90, ::-1] * rows[50:90].std(axis=0) / rows[50:90, ::-1].std(axis=0)
    rows[50:90] += data.rows[50:90].mean(axis=0) - rows[50:90].mean(axis=0)
    np.testing.assert_allclose(
        Vectors(rows, data.signs).fit(tolerance=1e-12).weights.numpy(),
        data.fit(tolerance=1e-12).weights.numpy(),
        atol=1e-5,
    )


def test_a_concept_uses_only_the_features_it_is_allowed() -> None:
    data = vectors()
    allowed = torch.zeros(4, 12, dtype=torch.bool)
    for e, columns in enumerate(([0, 3, 5], [1], [2, 3, 4, 5, 6, 7], [9, 10, 11])):
        allowed[e, columns] = True
    found = data.fit(allowed=allowed, tolerance=1e-8)
    assert not found.weights[~allowed].any()
    for e in range(4):
        columns = allowed[e].nonzero()[:, 0].numpy()
        weights, bias = by_scikit_learn(data, e, columns=columns)
        np.testing.assert_allclose(found.weights[e, columns].numpy(), weights, rtol=2e-2, atol=1e-3)
        assert float(found.bias[e]) == pytest.approx(bias, abs=1e-2)


def test_all_features_allowed_is_no_mask_at_all() -> None:
    data = vectors()
    masked = data.fit(allowed=torch.ones(4, 12, dtype=torch.bool))
    torch.testing.assert_close(masked.weights, data.fit().weights, rtol=0, atol=0)


@pytest.mark.parametrize("others", [True, False])
def test_a_concept_that_may_use_nothing_has_the_odds_of_its_rows(others: bool) -> None:
    data = vectors(concepts=2)
    allowed = torch.tensor([[False] * 12, [others] * 12])
    found = data.fit(allowed=allowed, balanced=False, tolerance=1e-10)
    odds = (data.signs[0] > 0).sum() / (data.signs[0] < 0).sum()
    assert float(found.bias[0]) == pytest.approx(np.log(odds), abs=1e-3)
    assert not found.weights[0].any()


def test_a_constant_feature_has_no_weight() -> None:
    data = vectors()
    data.rows[:, 3] = 0.1
    found = data.fit()
    assert not found.weights[:, 3].any()
    assert found.weights[:, 4].all()


def test_a_constant_feature_changes_no_other_weight() -> None:
    data = vectors(dtype=np.float64)
    more = Vectors(np.insert(data.rows, 5, 12345.678, axis=1), data.signs)
    found = more.fit(tolerance=1e-12).weights.numpy()
    np.testing.assert_allclose(
        np.delete(found, 5, axis=1), data.fit(tolerance=1e-12).weights.numpy(), atol=1e-5
    )


def test_features_far_from_zero_are_no_harder_than_others() -> None:
    data = vectors(dtype=np.float64)
    far = Vectors((data.rows + 1e4).astype(np.float32), data.signs)
    near = Vectors(far.rows.astype(np.float64) - 1e4, data.signs)
    one, other = far.fit(tolerance=1e-8), near.fit(tolerance=1e-8)
    np.testing.assert_allclose(one.weights.numpy(), other.weights.numpy(), rtol=2e-2, atol=1e-3)


@pytest.mark.parametrize("penalty", [1e-2, 1e-6])
def test_separable_rows_have_an_answer(penalty: float) -> None:
    data = vectors(noise=0.0, left_out=0.0)
    found = data.fit(penalty=penalty)
    logits = found.logits(torch.from_numpy(data.rows)).numpy().T
    if penalty == 1e-6:
        assert ((logits > 0) == (data.signs > 0)).all()
    for e, value in enumerate(data.objectives(found, penalty)):
        weights, bias = by_scikit_learn(data, e, penalty)
        assert value <= literal.objective(data.rows, data.signs[e], weights, bias, penalty) * (
            1 + 1e-6
        )


@pytest.mark.parametrize("rows", [8, 30])
def test_fewer_rows_than_features_are_enough(rows: int) -> None:
    data = vectors(rows, 64, 3, left_out=0.0, dtype=np.float64)
    found = data.fit(tolerance=1e-13)
    for e in range(3):
        weights, _ = literal.fit(data.rows, data.signs[e], 0.01)
        np.testing.assert_allclose(
            found.weights[e].numpy(), weights, atol=1e-4 * np.abs(weights).max()
        )


def test_equal_features_share_their_weight() -> None:
    data = vectors(channels=3)
    twins = Vectors(np.concatenate([data.rows, data.rows[:, :1]], axis=1), data.signs)
    found = twins.fit(tolerance=1e-9)
    torch.testing.assert_close(found.weights[:, 0], found.weights[:, 3], rtol=1e-3, atol=1e-4)


def test_the_answer_is_the_same_every_time() -> None:
    data = vectors(20_000, 8, 3)
    one, other = data.fit(), data.fit()
    assert torch.equal(one.weights, other.weights)
    assert torch.equal(one.bias, other.bias)


def test_global_random_state_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    vectors(20_000, 8, 3).fit()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_rows_are_left_as_they_came() -> None:
    data = vectors()
    before = data.rows.copy()
    data.fit()
    np.testing.assert_array_equal(data.rows, before)


def test_starting_at_the_answer_takes_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    data = vectors(dtype=np.float64)
    found = data.fit(tolerance=1e-12)
    monkeypatch.setattr(logistic, "_step", None)  # a step would raise TypeError
    again = data.fit(start=found)
    torch.testing.assert_close(again.weights, found.weights, rtol=1e-9, atol=1e-9)


def test_a_start_far_from_the_answer_does_no_harm() -> None:
    data = vectors(dtype=np.float64)
    far = LinearClassifiers(
        torch.full((4, 12), 1e6, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)
    )
    found = data.fit(start=far, tolerance=1e-12)
    expected = data.fit(tolerance=1e-12)
    torch.testing.assert_close(found.weights, expected.weights, rtol=1e-3, atol=1e-5)


def test_a_start_on_features_that_are_not_allowed_is_cut_to_the_others() -> None:
    data = vectors()
    allowed = torch.arange(12).expand(4, 12) < 6
    found = data.fit(start=data.fit(), allowed=allowed)
    assert not found.weights[~allowed].any()
    assert found.weights[allowed].all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_rows_of_any_precision_are_taken(dtype: torch.dtype) -> None:
    data = vectors()
    rows = torch.from_numpy(data.rows).to(dtype)
    found = fit_logistic(rows, torch.from_numpy(data.signs), penalty=0.01)
    assert found.weights.dtype == torch.float64
    expected = torch.float64 if dtype == torch.float64 else torch.float32
    assert found.logits(rows).dtype == expected


def test_rows_with_a_graph_are_taken_without_it() -> None:
    data = vectors()
    rows = torch.from_numpy(data.rows).requires_grad_()
    found = fit_logistic(rows, torch.from_numpy(data.signs), penalty=0.01, device="cpu")
    assert not found.weights.requires_grad
    assert not found.logits(rows).requires_grad


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_another_device_the_answer_is_the_same() -> None:
    data = vectors(dtype=np.float64)
    found = data.fit(device="cuda", tolerance=1e-12)
    assert found.weights.device.type == "cpu"
    torch.testing.assert_close(
        found.weights, data.fit(tolerance=1e-12).weights, rtol=1e-4, atol=1e-6
    )


def test_logits_are_those_of_the_raw_features() -> None:
    data = vectors()
    found = data.fit()
    expected = data.rows.astype(np.float64) @ found.weights.numpy().T + found.bias.numpy()
    np.testing.assert_allclose(
        found.logits(torch.from_numpy(data.rows)).numpy(), expected, rtol=1e-4, atol=1e-4
    )


def test_a_tolerance_that_cannot_be_reached_is_said() -> None:
    with pytest.warns(ConvergenceWarning, match="concepts; expected 1e-30; take a larger tolera"):
        vectors().fit(tolerance=1e-30)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 1000), count=st.integers(1, 50))
def test_rows_are_picked_as_often_as_their_mass_asks(seed: int, count: int) -> None:
    mass = torch.from_numpy(np.random.default_rng(seed).exponential(size=60))
    picks, total = systematic(mass, count)
    often = torch.bincount(picks, minlength=60)
    assert len(picks) == count
    assert float(total) == pytest.approx(float(mass.sum()))
    assert ((often - mass / total * count).abs() <= 1 + 1e-9).all()


def test_a_row_without_mass_is_never_picked() -> None:
    picks, _ = systematic(torch.tensor([0.0, 1.0, 0.0, 0.0, 1.0, 0.0]), 4)
    assert picks.tolist() == [1, 1, 4, 4]


class TestBadInput:
    @pytest.fixture(autouse=True)
    def _as_for_users(self, unchecked: None) -> None: ...

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_a_row_that_is_not_finite_is_counted(self, value: float) -> None:
        data = vectors()
        data.rows[7, 2] = value
        with pytest.raises(ValueError, match=r"got 1 of 300 rows with NaN or infin.*; look"):
            data.fit()

    @pytest.mark.parametrize(("sign", "text"), [(1, "0 with -1"), (-1, "got 0 rows with \\+1")])
    def test_a_concept_of_one_sign_is_named(self, sign: int, text: str) -> None:
        data = vectors()
        data.signs[2] = sign
        with pytest.raises(ValueError, match=f"{text}.* concept 2; expected some of both; leave"):
            data.fit()

    def test_other_signs_are_named(self) -> None:
        data = vectors()
        data.signs[0, 0] = 2
        with pytest.raises(ValueError, match="signs from -1 to 2; expected -1, 0 and \\+1; give"):
            data.fit()

    @pytest.mark.parametrize(
        "wrong",
        [{"penalty": 0.0}, {"penalty": float("nan")}, {"tolerance": 0.0}, {"penalty": -1.0}],
    )
    def test_no_penalty_or_no_tolerance_is_refused(self, wrong: dict[str, float]) -> None:
        with pytest.raises(ValueError, match="expected a positive penalty and a tolerance between"):
            vectors().fit(**wrong)

    def test_signs_of_other_rows_are_refused(self) -> None:
        data = vectors()
        with pytest.raises(ValueError, match=r"int8 signs of \(4, 299\); expected .* pass a sign"):
            Vectors(data.rows, data.signs[:, 1:]).fit()

    def test_signs_that_are_no_integers_of_eight_bits_are_refused(self) -> None:
        data = vectors()
        with pytest.raises(ValueError, match=r"got torch.float32 rows .* torch.int64 signs"):
            Vectors(data.rows, data.signs.astype(np.int64)).fit()

    def test_no_rows_are_refused(self) -> None:
        with pytest.raises(ValueError, match=r"got rows of \(0, 3\) and signs of \(1, 0\)"):
            Vectors(np.zeros((0, 3)), np.zeros((1, 0), dtype=np.int8)).fit()

    def test_a_mask_of_another_shape_is_refused(self) -> None:
        with pytest.raises(
            ValueError, match=r"`allowed` of torch.bool and \(4, 3\); expected bool"
        ):
            vectors().fit(allowed=torch.ones(4, 3, dtype=torch.bool))

    def test_a_start_of_another_shape_is_refused(self) -> None:
        start = vectors(concepts=3).fit()
        with pytest.raises(ValueError, match=r"a start of \(3, 12\) weights .* expected \(4, 12\)"):
            vectors().fit(start=start)


def test_of_many_features_no_concept_has_a_curvature_made_for_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where a curvature costs as much as a hundred steps, steps are taken: with the same answer."""
    data, made = vectors(400, 300, 6), []
    own = logistic.Curvature._gram
    monkeypatch.setattr(
        logistic.Curvature, "_gram", lambda *given: (made.append(given[2]), own(*given))[1]
    )
    found = data.fit()
    assert made == [0]
    best = Vectors(data.rows.astype(np.float64), data.signs).fit(tolerance=1e-12)
    assert (data.objectives(found) <= data.objectives(best) * (1 + 1e-6)).all()
    largest = float(best.weights.abs().max())
    np.testing.assert_allclose(found.weights, best.weights, atol=2e-3 * largest)
