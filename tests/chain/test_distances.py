"""Distances within and between sets, their principal components, and how sure they are."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from hexplain_widgets.chain.comparison import distances, p_values, principal_components

DRAW = np.random.default_rng(0)
WEIGHTS = DRAW.normal(size=(12, 7))
SETS = np.repeat([0, 1, 2], [5, 4, 3])


def test_distance_within_is_the_mean_from_the_centre() -> None:
    found = distances(WEIGHTS, SETS, 3)
    own = WEIGHTS[SETS == 1]
    centre = sum(own) / len(own)  # Eq. 24
    within = sum(np.sqrt(((w - centre) ** 2).sum()) for w in own) / len(own)  # Eq. 23
    assert found[1, 1] == pytest.approx(within, rel=1e-12)


def test_distance_between_is_that_of_the_centres() -> None:
    found = distances(WEIGHTS, SETS, 3)
    one, other = WEIGHTS[SETS == 0].mean(0), WEIGHTS[SETS == 2].mean(0)
    assert found[0, 2] == found[2, 0] == pytest.approx(np.linalg.norm(one - other), rel=1e-12)


def test_axes_are_scikit_learns_principal_components() -> None:
    found, known = principal_components(WEIGHTS), PCA(3, svd_solver="full").fit(WEIGHTS)
    assert np.abs(found.points) == pytest.approx(np.abs(known.transform(WEIGHTS)), rel=1e-9)
    assert found.explained_variance == pytest.approx(known.explained_variance_ratio_, rel=1e-9)


def test_the_largest_entry_of_an_axis_is_positive_whatever_the_order_of_images() -> None:
    turned = principal_components(WEIGHTS[::-1].copy())
    assert turned.points[::-1] == pytest.approx(principal_components(WEIGHTS).points, rel=1e-9)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_axes_that_do_not_exist_are_zero(count: int) -> None:
    found = principal_components(WEIGHTS[:count])
    assert (found.explained_variance[: count - 1] > 0).all()
    assert not found.explained_variance[count - 1 :].any()
    assert not found.points[:, count - 1 :].any()


def test_p_values_are_those_of_all_divisions() -> None:
    both = np.concatenate([WEIGHTS[:5], WEIGHTS[5:9] + 0.4])
    apart = [_apart(both, list(some)) for some in combinations(range(9), 5)]
    expected = np.mean([d >= apart[0] - 1e-12 for d in apart])
    found = p_values(both, np.repeat([0, 1], [5, 4]), 2, seed=0, draws=20_000)
    assert found == pytest.approx(np.array([[1, expected], [expected, 1]]), abs=0.01)


def _apart(both: np.ndarray, some: list[int]) -> float:
    return float(np.linalg.norm(both[some].mean(0) - np.delete(both, some, 0).mean(0)))


def test_sets_far_apart_have_the_smallest_p_value_there_is() -> None:
    weights = np.concatenate([DRAW.normal(size=(20, 4)), 50 + DRAW.normal(size=(20, 4))])
    found = p_values(weights, np.repeat([0, 1], 20), 2, seed=0, draws=999)
    assert found[0, 1] == pytest.approx(1 / 1000)


def test_sets_of_equal_images_are_not_apart() -> None:
    weights = np.tile(WEIGHTS[0], (6, 1))
    assert p_values(weights, np.repeat([0, 1], 3), 2, seed=0, draws=100)[0, 1] == 1
    assert not distances(weights, np.repeat([0, 1], 3), 2)[0, 1]
