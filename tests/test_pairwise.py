"""All pairs of values occur in few cases."""

from __future__ import annotations

import itertools

import pytest

from tests.pairwise import pairs, pairwise


@pytest.mark.parametrize("sizes", [(2, 3), (10, 6, 9), (3, 3, 3, 3), (4, 1, 2)])
def test_every_pair_of_values_of_two_factors_occurs(sizes: tuple[int, ...]) -> None:
    factors = [[f"{name}{i}" for i in range(n)] for name, n in zip("abcd", sizes, strict=False)]
    assert pairs(pairwise(*factors)) == pairs(itertools.product(*factors))


def test_three_factors_of_two_values_take_four_cases() -> None:
    assert pairwise("ab", "cd", "ef") == [
        ("a", "c", "e"),
        ("a", "d", "f"),
        ("b", "c", "f"),
        ("b", "d", "e"),
    ]


def test_every_case_brings_a_new_pair() -> None:
    cases = pairwise(range(5), range(4), range(3))
    for count in range(1, len(cases)):
        assert pairs(cases[: count + 1]) > pairs(cases[:count])


def test_values_need_not_be_hashable() -> None:
    assert len(pairwise([[1], [2]], [[1], [2]])) == 4
