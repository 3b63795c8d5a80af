"""Settings: what an engine takes, and what it says of what it does not."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import CancelledError
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hexplain_widgets.arguments import (
    SlowBar,
    at_least_one,
    check_finite,
    count_of,
    heard,
    matching,
    nearest,
    one_of,
    place_of_name,
    positive,
    share,
)

# What users give is not what signatures ask for.
pytestmark = pytest.mark.usefixtures("unchecked")


def test_one_of_those_known_is_taken() -> None:
    assert one_of("saliency", "gradient", ("gradient", "smoothgrad")) == "gradient"


def test_one_that_is_not_known_is_an_error_with_the_nearest() -> None:
    with pytest.raises(
        ValueError,
        match=r"got saliency='gradeint'; expected one of 'gradient', 'smoothgrad'; the nearest is"
        r" .*'gradient'",
    ):
        one_of("saliency", "gradeint", ("gradient", "smoothgrad"))


@pytest.mark.parametrize("value", [None, 3, ("gradient",)])
def test_one_that_is_no_text_is_an_error_too(value: object) -> None:
    with pytest.raises(ValueError, match=r"got saliency=.*; expected one of"):
        one_of("saliency", value, ("gradient", "smoothgrad"))


@pytest.mark.parametrize("value", [0.5, 1e-9, 1 - 1e-9, np.float32(0.25)])
def test_a_share_lies_between_0_and_1(value: float) -> None:
    assert share("threshold", value) == float(value)


@pytest.mark.parametrize("value", [0, 1, -0.1, 1.5, math.nan, math.inf])
def test_no_share_is_an_error(value: float) -> None:
    with pytest.raises(
        ValueError, match=r"got threshold=.*; expected a share between 0 and 1; leave it out"
    ):
        share("threshold", value)


@pytest.mark.parametrize("value", [1, 7, np.int64(3)])
def test_a_count_is_one_or_more(value: int) -> None:
    assert at_least_one("samples", value) == int(value)


@pytest.mark.parametrize("value", [0, -3, 0.5, math.nan, math.inf])
@pytest.mark.usefixtures("unchecked")
def test_no_count_is_an_error(value: int) -> None:
    with pytest.raises(ValueError, match=r"got samples=.*; expected at least 1; leave it out"):
        at_least_one("samples", value)


@pytest.mark.parametrize("value", [1e-12, 3, 1e12])
def test_a_positive_number_is_taken(value: float) -> None:
    assert positive("penalty", value) == float(value)


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
def test_no_positive_number_is_an_error(value: float) -> None:
    with pytest.raises(ValueError, match=r"got penalty=.*; expected a positive number; leave"):
        positive("penalty", value)


@pytest.mark.parametrize(
    ("top", "count"), [(1, 1), (7, 7), (16, 16), (0.5, 8), (0.2, 3), (0.06, 1), (0.999, 16)]
)
def test_a_number_of_neurons_is_given_as_such_or_as_a_share(top: float, count: int) -> None:
    assert count_of(top, 16) == count


@pytest.mark.parametrize("top", [0, -1, -0.5, 17, 16.5, 0.01, math.nan, math.inf])
def test_more_than_all_or_fewer_than_one_is_an_error(top: float) -> None:
    with pytest.raises(
        ValueError, match=r"got top=.*; expected 1 to 16, or a share of them below 1; 0\.2 takes"
    ):
        count_of(top, 16)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_any_array_or_tensor_that_is_not_finite_is_an_error(value: float) -> None:
    check_finite("the layer a gives", torch.ones(2), None, np.ones(2))
    for last in (torch.tensor([0, value]), np.array([0, value])):
        with pytest.raises(ValueError, match=r"the layer a gives NaN or infinite values; expected"):
            check_finite("the layer a gives", torch.ones(2), last)


def test_finite_numbers_whose_sum_overflows_are_no_error() -> None:
    check_finite("it gives", torch.full((4,), 3e38), np.full(4, 1e308))


# names

DOGS = ("tusker", "Siberian_husky", "Eskimo_dog", "hot_dog", "husky-like", "flat-coated_retriever")


def test_a_name_in_which_another_is_a_word_is_nearer_than_one_that_is_spelt_alike() -> None:
    near = nearest("husky", ("tusker", "Siberian_husky", "dusk"))
    assert near.startswith("'Siberian_husky', ")
    assert nearest("retriev", DOGS).startswith("'flat-coated_retriever'")


@pytest.mark.parametrize("said", ["Siberian husky", "siberian_husky", "SIBERIAN-HUSKY"])
def test_a_name_is_known_by_its_words_without_a_note(said: str) -> None:
    assert place_of_name(said, DOGS) == 1


def test_a_part_of_one_name_alone_is_taken_and_said() -> None:
    with pytest.warns(UserWarning, match="'retriever' is taken for 'flat-coated_retriever'"):
        assert place_of_name("retriever", DOGS) == 5


def test_a_part_of_several_names_a_piece_of_a_word_and_nothing_are_not_taken() -> None:
    assert matching("dog", DOGS) == [2, 3]
    for said in ("dog", "husk", "", " ", "cat"):
        assert place_of_name(said, DOGS) is None


def test_the_very_name_goes_before_names_that_hold_it() -> None:
    assert place_of_name("dog", ("hot dog", "dog", "Dog")) == 1
    assert matching("DOG", ("hot dog", "dog", "Dog")) == [1, 2]


# how far work is


def test_a_bar_says_what_how_far_and_how_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slow(monkeypatch)
    with SlowBar("fitting", 4, "image") as counted:
        counted.update(3)
    said = capsys.readouterr().err
    assert "fitting:  75%" in said
    assert "3/4 [" in said


def test_a_bar_is_not_drawn_at_every_step_but_at_the_last(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slow(monkeypatch)
    with SlowBar("steps", 5000, "step") as counted:
        for _ in range(5000):
            counted.update()
    said = capsys.readouterr().err
    assert said.count("steps:") < 500
    assert "5000/5000 [" in said


def test_a_bar_comes_up_by_itself_once_work_takes_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hexplain_widgets.arguments.PATIENCE", 0.01)
    with SlowBar("one long step", 1) as counted:
        end = time.monotonic() + 20
        while counted._bar is None and time.monotonic() < end:
            time.sleep(0.01)
    assert "one long step:   0%" in capsys.readouterr().err


def test_a_bar_is_not_shown_before_its_time_nor_where_it_is_unwanted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with SlowBar("quick work", 4) as counted:
        counted.update(4)
    slow(monkeypatch)
    with SlowBar("unwanted", 4, shown=False) as counted:
        counted.update(4)
    assert capsys.readouterr().err == ""


def test_what_is_done_within_unwanted_bars_shows_none_either(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slow(monkeypatch)
    with SlowBar("unwanted", 4, shown=False), SlowBar("a part of it", 9) as part:
        part.update(9)
    assert capsys.readouterr().err == ""
    with SlowBar("afterwards", 2) as counted:
        counted.update(2)
    assert "afterwards: 100%" in capsys.readouterr().err


def test_a_bar_is_not_shown_beside_the_main_thread(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> None:
        with SlowBar("in a view", 4) as counted:
            counted.update(4)

    slow(monkeypatch)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert capsys.readouterr().err == ""


def test_who_hears_of_work_is_told_of_the_outermost_bar_that_counts_several_things() -> None:
    told: list[tuple[str, int, int | None]] = []
    hearing = heard(lambda bar: told.append((bar.what, bar.n, bar.total)))
    with hearing, SlowBar("one image", 1) as outer, SlowBar("gates", 4, "gate") as gates:
        with SlowBar("parts", 9, "part") as parts:
            parts.update()
        gates.update(3)
        outer.update()
    assert told == [
        ("one image", 0, 1),
        ("gates", 0, 4),
        ("gates", 0, 4),
        ("gates", 0, 4),
        ("gates", 3, 4),
        ("gates", 3, 4),
    ]


def test_who_hears_of_work_can_end_it_and_is_told_no_more_afterwards(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def end(bar: SlowBar) -> None:
        if bar.n == 2:
            raise CancelledError

    slow(monkeypatch)
    with pytest.raises(CancelledError), heard(end), SlowBar("heard", 4) as counted:
        for _ in range(4):
            counted.update()
    assert counted.n == 2
    assert capsys.readouterr().err == ""
    with SlowBar("unheard", 4) as counted:
        counted.update(4)
    assert "unheard: 100%" in capsys.readouterr().err


def test_a_bar_knows_how_long_the_rest_takes_once_there_is_a_pace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    clock = SimpleNamespace(time=lambda: now[0])
    monkeypatch.setattr("hexplain_widgets.arguments.time", clock)
    counted, endless = SlowBar("fitting", 4), SlowBar("until it ends", None)
    now[0], endless.n = 106.0, 3
    assert (counted.left, endless.left) == (None, None)
    counted.n = 3
    assert counted.left == pytest.approx(2)


def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything take longer than anybody waits."""
    monkeypatch.setattr("hexplain_widgets.arguments.PATIENCE", 0)
