"""Least squares under a bound on the number of coefficients: the best subset, and the pursuit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import OrthogonalMatchingPursuit

from hexplain_widgets.solvers.best_subset import best_subset
from tests.reference import chain as literal


def drawn(seed: int, channels: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    return draw.normal(size=(channels, count)), draw.normal(size=channels)


def left(columns: np.ndarray, target: np.ndarray, alpha: np.ndarray) -> float:
    lengths = np.linalg.norm(columns, axis=0)
    unit = columns / np.where(lengths > 0, lengths, 1)
    return float(np.sum((unit @ alpha - target) ** 2) / (target @ target))


@given(
    st.integers(0, 10**6), st.integers(1, 7), st.integers(1, 7), st.integers(1, 5), st.booleans()
)
@settings(max_examples=60, deadline=None)
def test_no_subset_explains_more(seed, channels, count, at_most, nonnegative):
    columns, target = drawn(seed, channels, count)
    found = best_subset(columns, target, at_most, nonnegative=nonnegative)
    expected = literal.unexplained(columns, target, at_most, nonnegative=nonnegative)
    assert found.exact
    assert found.unexplained == pytest.approx(expected, abs=1e-9)
    assert left(columns, target, found.alpha) == pytest.approx(expected, abs=1e-9)
    assert np.count_nonzero(found.alpha) <= at_most
    assert not nonnegative or (found.alpha >= 0).all()


@given(st.integers(0, 10**6), st.integers(6, 9))
@settings(max_examples=10, deadline=None)
def test_the_search_is_right_where_the_pursuit_is_not(seed, count):
    draw = np.random.default_rng(seed)
    columns = draw.normal(size=(12, 3)) @ draw.normal(size=(3, count))
    columns += 0.3 * draw.normal(size=(12, count))
    target = draw.normal(size=12)
    found = best_subset(columns, target, 4)
    assert found.unexplained == pytest.approx(literal.unexplained(columns, target, 4), abs=1e-9)


@given(st.integers(0, 10**6), st.integers(2, 9), st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_one_column_is_the_largest_directional_derivative(seed, channels, count):
    columns, gradient = drawn(seed, channels, count)
    derivatives = columns.T @ gradient / np.linalg.norm(columns, axis=0)
    found = best_subset(columns, gradient, 1)
    best = int(np.abs(derivatives).argmax())
    assert np.flatnonzero(found.alpha).tolist() == [best]
    assert found.alpha[best] == pytest.approx(derivatives[best])


@given(st.integers(0, 10**6), st.integers(2, 9), st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_one_nonnegative_column_is_the_largest_positive_directional_derivative(
    seed, channels, count
):
    columns, gradient = drawn(seed, channels, count)
    derivatives = columns.T @ gradient / np.linalg.norm(columns, axis=0)
    found = best_subset(columns, gradient, 1, nonnegative=True)
    if derivatives.max() <= 0:
        assert not found.alpha.any()
    else:
        assert found.alpha[derivatives.argmax()] == pytest.approx(derivatives.max())


def test_beyond_what_is_affordable_it_is_scikit_learns_pursuit() -> None:
    columns, target = drawn(3, 30, 40)
    columns /= np.linalg.norm(columns, axis=0)
    pursuit = OrthogonalMatchingPursuit(n_nonzero_coefs=5, fit_intercept=False)
    found = best_subset(columns, target, 5, affordable=0)
    assert not found.exact
    assert found.alpha == pytest.approx(pursuit.fit(columns, target).coef_, abs=1e-9)


def test_a_search_that_is_cut_short_is_no_worse_than_the_pursuit() -> None:
    columns, target = drawn(4, 30, 40)
    pursued = best_subset(columns, target, 5, affordable=0)
    short = best_subset(columns, target, 5, affordable=3)
    assert not short.exact
    assert short.unexplained <= pursued.unexplained


def test_fifty_columns_are_searched_exactly() -> None:
    draw = np.random.default_rng(0)
    columns = draw.normal(size=(64, 50))
    target = columns[:, [3, 17, 40]] @ [1.0, -2.0, 1.5] + 0.1 * draw.normal(size=64)
    found = best_subset(columns, target, 3)
    assert found.exact
    assert np.flatnonzero(found.alpha).tolist() == [3, 17, 40]


@pytest.mark.parametrize("nonnegative", [False, True])
def test_columns_of_zero_and_columns_again_get_nothing(nonnegative: bool) -> None:
    columns = np.array([[1.0, 3.0, 0.0, 0.0], [0.0, 0.0, 0.0, 2.0]])
    found = best_subset(columns, np.array([1.0, 1.0]), 4, nonnegative=nonnegative)
    assert found.alpha == pytest.approx([1, 0, 0, 1])
    assert found.unexplained == pytest.approx(0)


def test_the_same_column_with_the_other_sign_counts_as_one_unless_signs_matter() -> None:
    columns = np.array([[1.0, -1.0], [0.0, 0.0]])
    target = np.array([-1.0, 1.0])
    assert best_subset(columns, target, 2).alpha == pytest.approx([-1, 0])
    assert best_subset(columns, target, 2, nonnegative=True).alpha == pytest.approx([0, 1])


def test_a_target_of_zero_is_explained_by_nothing() -> None:
    found = best_subset(np.eye(3), np.zeros(3), 2)
    assert (found.alpha.tolist(), found.unexplained, found.exact) == ([0, 0, 0], 0, True)


def test_without_a_direction_nothing_is_explained() -> None:
    found = best_subset(np.zeros((3, 2)), np.ones(3), 2)
    assert (found.alpha.tolist(), found.unexplained) == ([0, 0], 1)


def test_the_length_of_columns_does_not_matter_and_that_of_the_target_does() -> None:
    columns, target = drawn(5, 8, 6)
    one = best_subset(columns, target, 3)
    other = best_subset(columns * np.arange(1, 7), 10 * target, 3)
    assert other.alpha == pytest.approx(10 * one.alpha)
    assert other.unexplained == pytest.approx(one.unexplained)


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e200, 1e300])
def test_the_size_of_numbers_does_not_matter(scale: float) -> None:
    columns, target = drawn(1, 8, 6)
    plain = best_subset(columns, target, 3)
    large = best_subset(scale * columns, scale * target, 3)
    np.testing.assert_allclose(large.alpha / scale, plain.alpha, rtol=1e-9)
    assert large.unexplained == pytest.approx(plain.unexplained)
    assert large.exact


def test_what_is_no_bound_is_refused() -> None:
    with pytest.raises(ValueError, match="got a bound of 0 coefficients; expected at least 1"):
        best_subset(np.eye(2), np.ones(2), 0)


def test_what_is_not_finite_or_does_not_fit_is_refused(unchecked) -> None:
    with pytest.raises(ValueError, match=r"columns of shape \(2, 2\) for a target of shape \(3,\)"):
        best_subset(np.eye(2), np.ones(3), 1)
    with pytest.raises(ValueError, match="look for NaN"):
        best_subset(np.eye(2), np.array([1.0, np.nan]), 1)
