"""The few concepts that one rests on: Eq. 19, alone and with where they lie."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls

from hexplain_widgets.chain.harmonize import USELESS, ConceptDirections
from hexplain_widgets.chain.inference import CLOSE, ConceptPlaces, FewConcepts, place_of
from hexplain_widgets.evidence import Layer
from tests.reference import chain as literal

DRAW = np.random.default_rng(3)
NAMES = tuple("abcdef")


def level(weights: np.ndarray, **flags: str) -> ConceptDirections:
    e = len(weights)
    return ConceptDirections(
        "part", Layer("4", "ReLU", (weights.shape[1], 5, 5), None, None), NAMES[:e], weights,
        np.zeros(e), np.ones(e), np.full(e, 0.1), np.ones(e, int), flags,
    )  # fmt: skip


WEIGHTS = DRAW.normal(size=(6, 9))
UNIT = WEIGHTS / np.linalg.norm(WEIGHTS, axis=1, keepdims=True)
TARGET = DRAW.normal(size=9)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_without_a_place_it_is_the_best_of_all_subsets(most: int) -> None:
    few = FewConcepts(level(WEIGHTS), most).subset(TARGET)
    assert few.unexplained == pytest.approx(literal.unexplained(WEIGHTS.T, TARGET, most), rel=1e-9)
    assert np.count_nonzero(few.alpha) == most


def test_one_concept_is_the_largest_directional_derivative() -> None:
    """Eq. 20-22: the derivative along a unit concept direction."""
    alpha = FewConcepts(level(WEIGHTS), 1).subset(TARGET).alpha
    slopes = UNIT @ TARGET
    assert np.flatnonzero(alpha).tolist() == [int(np.abs(slopes).argmax())]
    assert alpha[np.abs(slopes).argmax()] == pytest.approx(slopes[np.abs(slopes).argmax()])


def test_a_concept_found_no_better_than_chance_is_not_offered() -> None:
    best = int(np.abs(UNIT @ TARGET).argmax())
    alpha = FewConcepts(level(WEIGHTS, **{NAMES[best]: USELESS}), 6).subset(TARGET).alpha
    assert alpha[best] == 0


def test_a_concept_without_a_direction_is_not_offered() -> None:
    weights = WEIGHTS.copy()
    weights[2] = 0
    alpha = FewConcepts(level(weights), 6).subset(TARGET).alpha
    assert alpha[2] == 0
    assert np.isfinite(alpha).all()


def place(weight: float) -> ConceptPlaces:
    maps = DRAW.normal(size=(7, 25))
    maps -= maps.mean(1, keepdims=True)
    maps /= np.linalg.norm(maps, axis=1, keepdims=True)
    return ConceptPlaces(maps[0], maps[1:], weight)


@pytest.mark.parametrize("weight", [0.5, 1.75, 4.0])
def test_with_a_place_it_is_least_squares_over_directions_and_places(weight: float) -> None:
    where = place(weight)
    few = FewConcepts(level(WEIGHTS), 6).subset(TARGET, where)
    length = np.linalg.norm(TARGET)
    columns = np.concatenate([UNIT.T, weight * where.candidates.T])
    target = np.concatenate([TARGET / length, weight * where.parent])
    slopes = columns.T @ target
    close = np.flatnonzero((slopes > 0) & (slopes >= CLOSE * slopes.max()))
    expected = np.zeros(6)
    expected[close] = length * nnls(columns[:, close], target)[0]
    assert few.alpha == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_what_is_unexplained_is_said_of_the_weights_alone() -> None:
    few = FewConcepts(level(WEIGHTS), 2).subset(TARGET, place(2.0))
    chosen = UNIT[few.alpha != 0].T
    left = TARGET - chosen @ np.linalg.lstsq(chosen, TARGET)[0]
    assert few.unexplained == pytest.approx(left @ left / (TARGET @ TARGET))


def test_a_concept_that_lies_elsewhere_gives_way_to_one_that_lies_there() -> None:
    weights = np.stack([TARGET + 0.1 * WEIGHTS[0], TARGET + 0.6 * WEIGHTS[1]])
    there = place(1.75).parent
    where = ConceptPlaces(there, np.stack([-there, there]), 1.75)
    found = FewConcepts(level(weights), 1)
    assert found.subset(TARGET).alpha[1] == 0
    assert found.subset(TARGET, where).alpha[0] == 0


def test_a_parent_that_lies_nowhere_is_explained_by_directions_alone() -> None:
    nowhere = ConceptPlaces(np.zeros(25), place(1.0).candidates, 1.75)
    found = FewConcepts(level(WEIGHTS), 2)
    assert found.subset(TARGET, nowhere).alpha.tolist() == found.subset(TARGET).alpha.tolist()


def test_weights_of_zero_rest_on_nothing() -> None:
    few = FewConcepts(level(WEIGHTS), 2).subset(np.zeros(9), place(1.75))
    assert not few.alpha.any()
    assert few.unexplained == 0


def test_a_flat_map_lies_nowhere() -> None:
    assert not place_of(np.full((3, 3), 0.4), (6, 6)).any()


def test_a_place_is_centred_and_of_unit_length() -> None:
    found = place_of(DRAW.normal(size=(4, 4)), (8, 8))
    assert found.mean() == pytest.approx(0, abs=1e-12)
    assert np.linalg.norm(found) == pytest.approx(1)
