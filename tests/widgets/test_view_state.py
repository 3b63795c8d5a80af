"""Of an arrangement that comes from a browser or a file only what is understood is kept."""

from __future__ import annotations

import pytest

from hexplain_widgets.widgets.decomposition_tree.messages import cleaned

GOOD = {
    "selected": "0.2",
    "open": ["", "0", "0.2"],
    "hidden": ["1"],
    "zoom": {"x": -20, "y": 4.5, "k": 0.8},
    "opacity": 0.5,
    "shown": "guided",
}


def test_a_good_arrangement_is_kept_as_it_is() -> None:
    assert cleaned(GOOD) == GOOD


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("selected", "0..2"),
        ("selected", "<b>"),
        ("selected", 3),
        ("open", "0"),
        ("open", [0]),
        ("hidden", {"0": 1}),
        ("zoom", {"x": 1, "y": 2}),
        ("zoom", {"x": 1, "y": 2, "k": 0}),
        ("zoom", {"x": float("nan"), "y": 2, "k": 1}),
        ("opacity", 1.5),
        ("opacity", True),
        ("shown", "everything"),
        ("shown", ["map"]),
    ],
)
def test_an_entry_that_is_not_understood_is_dropped_and_the_others_stay(
    name: str, value: object
) -> None:
    assert cleaned({**GOOD, name: value}) == {k: v for k, v in GOOD.items() if k != name}


def test_unknown_entries_are_dropped() -> None:
    assert cleaned({"opacity": 1, "script": "alert(1)"}) == {"opacity": 1}


@pytest.mark.parametrize("state", [None, [], "open", 4])
def test_what_is_no_arrangement_becomes_an_empty_one(state: object) -> None:
    assert cleaned(state) == {}
