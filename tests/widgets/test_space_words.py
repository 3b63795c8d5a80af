"""What is said of distances follows from the numbers, and from nothing else."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from hexplain_widgets.evidence import InferenceComparison
from hexplain_widgets.widgets.inference_space.words import LENGTHS, p_words, remarks, verdict
from tests.widgets.made_space import made_comparison

NAMES = ("a", "b", "c", "d")


def comparison(
    count: int,
    away: set[str],
    p: dict[str, float] | None = None,
    counts: tuple[int, ...] | int = 3,
) -> InferenceComparison:
    """Sets of which those pairs lie apart, with a spread of 1 within each."""
    distances, p_values = np.eye(count), np.eye(count)
    for s, t in combinations(range(count), 2):
        pair = NAMES[s] + NAMES[t]
        distances[s, t] = distances[t, s] = 2.0 if pair in away else 0.5
        p_values[s, t] = p_values[t, s] = (p or {}).get(pair, 0.001 if pair in away else 0.5)
    tested = None if p is None else p_values
    return made_comparison(NAMES[:count], counts, distances=distances, p_values=tested)


@pytest.mark.parametrize(
    ("count", "away", "words"),
    [
        (1, set(), "There is one set, a: nothing to compare it with."),
        (2, {"ab"}, "a lies apart from b."),
        (2, set(), "a and b overlap."),
        (3, {"ab", "ac"}, "a lies apart from b and c; b and c overlap."),
        (3, {"ac"}, "a lies apart from c; b overlaps with a and c."),
        (3, {"ab", "ac", "bc"}, "All 3 sets lie apart from each other."),
        (3, set(), "All 3 sets overlap."),
        (4, {"ad", "bd", "cd"}, "d lies apart from all others; a, b and c overlap."),
        (
            4,
            {"ad", "bd", "cd", "ab", "ac"},
            "a lies apart from all others; d lies apart from b and c; b and c overlap.",
        ),
        (
            4,
            {"ab", "cd"},
            "a lies apart from b; c lies apart from d; a overlaps with c and d; b overlaps with"
            " c and d.",
        ),
    ],
)
def test_who_lies_apart_and_who_overlaps_is_said(count: int, away: set[str], words: str) -> None:
    assert verdict(comparison(count, away)) == [words]


def test_a_distance_as_large_as_the_spread_is_an_overlap() -> None:
    evidence = made_comparison(("a", "b"), 3, distances=np.ones((2, 2)), tested=False)
    assert verdict(evidence) == ["a and b overlap."]


def test_a_distance_must_be_larger_than_the_spread_of_both_sets() -> None:
    wide = np.array([[1.0, 2.0], [2.0, 3.0]])
    evidence = made_comparison(("a", "b"), 3, distances=wide, tested=False)
    assert verdict(evidence) == ["a and b overlap."]


def test_sets_apart_that_may_be_so_by_chance_are_said_to() -> None:
    (said,) = verdict(comparison(2, {"ab"}, {"ab": 0.21}))[1:]
    assert "between a and b (p = 0.21) may be chance" in said


def test_sets_that_overlap_and_differ_all_the_same_are_said_to() -> None:
    (said,) = verdict(comparison(3, {"ab"}, {"ac": 0.0, "bc": 0.02}))[1:]
    apart = "between a and c (p < 0.001), between b and c (p = 0.020) is still more than chance"
    assert apart in said


def test_nothing_is_said_of_a_test_that_agrees() -> None:
    assert len(verdict(comparison(3, {"ab", "ac"}, {}))) == 1


def test_of_a_set_of_one_image_nothing_is_said_but_that() -> None:
    said = verdict(comparison(3, {"ab", "ac", "bc"}, {}, counts=(3, 3, 1)))
    assert said[0] == "a lies apart from b."
    assert "c has one image: without a spread" in said[1]


def test_sets_of_one_image_each_cannot_be_compared() -> None:
    (said,) = verdict(comparison(2, {"ab"}, counts=1))
    assert "a and b have one image each: without a spread" in said


@pytest.mark.parametrize(
    ("p", "words"),
    [
        (0.0, "p < 0.001"),
        (0.00099, "p < 0.001"),
        (0.001, "p = 0.001"),
        (0.0123, "p = 0.012"),
        (0.2, "p = 0.20"),
        (1.0, "p = 1.00"),
    ],
)
def test_p_values_are_never_called_zero(p: float, words: str) -> None:
    assert p_words(p) == words


@pytest.mark.parametrize(
    ("variance", "words"),
    [
        ((0.7, 0.3, 0.0), "vary in two directions only: the third is flat"),
        ((1.0, 0.0, 0.0), "vary in one direction only: the others are flat"),
        ((0.0, 0.0, 0.0), "do not vary at all"),
    ],
)
def test_flat_directions_are_said(variance: tuple[float, ...], words: str) -> None:
    said, _ = remarks(made_comparison(explained_variance=np.array(variance)))
    assert words in said


def test_nothing_is_said_where_no_direction_is_flat() -> None:
    found = remarks(made_comparison(explained_variance=np.array((0.6, 0.3, 0.1))))
    assert found == [LENGTHS["unit"]]


@pytest.mark.parametrize("kind", LENGTHS)
def test_it_is_said_which_weights_are_compared(kind: str) -> None:
    assert remarks(made_comparison(weights=kind))[-1] == LENGTHS[kind]
