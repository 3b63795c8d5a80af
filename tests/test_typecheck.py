"""The checker of signatures that the tests run under finds what does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from jaxtyping import Float, TypeCheckError

from tests.typecheck import MOST, begin_test, checked, jaxtyped

watched = jaxtyped(typechecker=checked)
Row = Float[np.ndarray, " n"]


@watched
def added(one: Row, other: Row, times: int = 1, *, cut: bool = False) -> Row:
    found = (one + other[:1]) * times
    return found[:-1] if cut else found


@watched
@dataclass
class Pair:
    one: Row
    other: Row
    names: list[str] = field(default_factory=list)


@watched
@dataclass
class Counts:
    one: int
    other: int
    names: list[str] = field(default_factory=list)


@watched
def repeating(count: int) -> Any:
    @watched
    def repeat(word: str) -> str:
        return word * count if count else None

    return repeat


@watched
def counting(count: int) -> Iterator[int]:
    yield from range(count)


def test_what_fits_passes() -> None:
    assert added(np.ones(3), np.ones(3), 2).tolist() == [4, 4, 4]
    assert Pair(np.ones(2), np.ones(2)).names == []
    assert repeating(2)("so") == "soso"
    assert list(counting(2)) == [0, 1]


def test_an_argument_of_another_type_is_refused() -> None:
    with pytest.raises(TypeCheckError, match=r"test_typecheck\.added: .*times='2'"):
        added(np.ones(3), np.ones(3), "2")


def test_an_array_of_other_dimensions_is_refused() -> None:
    with pytest.raises(TypeCheckError, match="parameter one="):
        added(np.ones((3, 1)), np.ones(3))


def test_an_axis_is_one_number_in_all_arguments() -> None:
    with pytest.raises(TypeCheckError, match="parameter other="):
        added(np.ones(3), np.ones(4))


def test_an_axis_of_the_result_is_that_of_the_arguments() -> None:
    with pytest.raises(TypeCheckError, match="return"):
        added(np.ones(3), np.ones(3), cut=True)


def test_an_axis_is_another_number_in_the_next_call() -> None:
    assert [len(added(np.ones(n), np.ones(n))) for n in (2, 3)] == [2, 3]


def test_fields_of_a_dataclass_are_checked_as_it_is_made() -> None:
    with pytest.raises(TypeCheckError, match="parameter other="):
        Pair(np.ones(2), np.ones(3))


def test_dataclasses_of_fields_with_the_same_names_are_told_apart() -> None:
    assert Counts(1, 2) == Counts(1, 2)
    with pytest.raises(TypeCheckError, match=r"Counts\.__init__: .*parameter one="):
        Counts(np.ones(2), 2)


def test_a_comparison_may_leave_the_answer_to_the_other_side() -> None:
    @watched
    def compared(one: object, other: object) -> bool:
        return NotImplemented

    assert compared(1, 2) is NotImplemented


def test_inner_functions_are_checked_each_time_they_are_made() -> None:
    for count in (1, 2):
        with pytest.raises(TypeCheckError, match="parameter word=3"):
            repeating(count)(3)
    with pytest.raises(TypeCheckError, match="return"):
        repeating(0)("so")


def test_each_test_looks_at_the_first_calls_of_a_function() -> None:
    for _ in range(MOST):
        repeating(1)
    assert repeating("no number")
    begin_test()
    with pytest.raises(TypeCheckError, match="parameter count='no number'"):
        repeating("no number")


@pytest.mark.usefixtures("unchecked")
def test_checks_can_be_turned_off() -> None:
    assert added(np.ones(3), np.ones(1), 2.0).tolist() == [4, 4, 4]


def test_a_call_that_cannot_be_says_so_by_the_functions_name() -> None:
    with pytest.raises(TypeError, match=r"added\(\) missing 1 required positional argument"):
        added(np.ones(3))
