"""The sentences of trust: each cell of the table as docs/trust.md shows it, and its bounds."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hexplain_widgets.evidence.faithfulness import faithfulness
from hexplain_widgets.evidence.inference import LEAST_SKILL, InferredConcept
from hexplain_widgets.widgets._shared.agreement import (
    FEWEST,
    GOOD,
    POOR,
    WORDS,
    Wording,
    completeness,
    coverage,
    faithfulness_fields,
    figures,
    kind_of,
    sentence,
    trust_line,
    weakly,
    with_lines,
)
from tests.widgets.made import MARKUP

PAGE = (Path(__file__).parents[2] / "docs" / "trust.md").read_text(encoding="utf-8")


def check(r: float | None = 0.9, rest: float | None = 0.85, count: int = 96) -> dict[str, Any]:
    return {"r": r, "rest": rest, "count": count, "parts": "channels"}


CHECKS: dict[str, dict[str, Any] | None] = {
    "measured": None,
    "good": check(),
    "fair": check(0.6, 0.6),
    "dominated": check(rest=0.2),
    "few": check(count=4),
    "poor": check(-0.1, -0.2),
    "unknown": check(None, None),
    "unchecked": None,
}
TOTALS = {"whole": 0.97, "part": 0.4, "off": -0.9, "unknown": None}
SHOWN = {"all": None, "some": 0.12}


@pytest.mark.parametrize(("kind", "total", "shown"), [*product(CHECKS, TOTALS, SHOWN)])
def test_a_cell_of_the_table_is_what_the_page_says(kind: str, total: str, shown: str) -> None:
    wording = Wording(
        "the order of these channels",
        whole="the decision",
        total=TOTALS[total],
        shown=SHOWN[shown],
        measured=kind == "measured",
    )
    row = f"| {kind} | {total} | {shown} | {sentence(CHECKS[kind], wording)} |\n"
    assert row in PAGE


def test_the_page_has_no_other_cells_and_no_other_marks() -> None:
    assert len(re.findall(r"(?m)^\| \w+ \| \w+ \| (?:all|some) \|", PAGE)) == 8 * 4 * 2
    for kind, mark in WORDS["marks"].items():
        assert f"| {kind} | {mark} |" in PAGE


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (check(0.8, 0.8, 5), "good"),
        (check(0.79, 0.9), "fair"),
        (check(0.9, 0.79), "fair"),
        (check(0.5, 0.5), "fair"),
        (check(0.9, 0.49), "dominated"),
        (check(0.9, 0.9, 4), "few"),
        (check(0.49, 0.9), "poor"),
        (check(0.49, 0.4, 4), "poor"),
        ({"r": 0.9, "count": 24, "parts": "channels"}, "good"),
        ({**check(), "least": 0.5}, "good"),
        ({**check(), "least": 0.49}, "fair"),
    ],
)
def test_verdicts_turn_at_their_bounds(found: dict[str, Any], kind: str) -> None:
    assert kind_of(found) == kind


def test_sums_and_shares_turn_at_their_bounds() -> None:
    sums = (0.9, 0.89, 1.1, 1.11, 0.0, -0.01, None)
    assert [completeness(total) for total in sums] == [
        "whole", "part", "whole", "off", "part", "off", "unknown",
    ]  # fmt: skip
    assert [coverage(shown) for shown in (None, 0.9, 0.89)] == ["all", "all", "some"]


def test_the_page_names_the_bounds() -> None:
    for words in (
        f"r is at least {GOOD}, also without",
        f"below {POOR}: one large value",
        f"of fewer than {FEWEST} parts",
        f"r is below {POOR}",
        f"at least {WORDS['least']} of the decision, and at most {WORDS['most']}",
        f"at least {WORDS['all']} of what adds",
        f"less than {LEAST_SKILL} of the way",
    ):
        assert words in PAGE
    assert WORDS["weak"] == 0.33
    assert "Below a third of the strongest" in PAGE


@pytest.mark.parametrize(
    ("values", "drops", "kind"),
    [
        ([9.0, 0.1, 0.2, 0.3, 0.2, 0.1], [8.0, 0.3, 0.1, 0.2, 0.1, 0.3], "dominated"),
        ([3.0, 2.0, 1.0], [3.1, 2.0, 1.1], "few"),
        ([6.0, 5.0, 4.0, 3.0, 2.0, 1.0], [6.1, 5.0, 4.2, 3.0, 2.1, 1.0], "good"),
        ([1.0, 2.0, 3.0, 4.0, 5.0], [3.0, 1.0, 5.0, 2.0, 4.0], "poor"),
        ([1.0, 1.0, 1.0, 1.0, 1.0], [3.0, 1.0, 5.0, 2.0, 4.0], "unknown"),
    ],
)
def test_a_correlation_of_few_or_by_one_large_value_is_not_good(
    values: list[float], drops: list[float], kind: str
) -> None:
    found = faithfulness(np.array(values), np.array(drops))
    assert kind_of(faithfulness_fields(found)) == kind


def test_the_line_has_its_figures_behind_it_and_escapes_names() -> None:
    found = with_lines({**check(0.6, 0.55), "images": 8, "seconds": 12.4})
    line = trust_line(found, Wording("the order of its channels", MARKUP))
    assert MARKUP not in line
    assert "agrees in part with ablation: r = 0.60 (96 channels in 8 images, 12 s)" in line
    assert "r = 0.55 without the one that stands out most" in line
    assert "from 0.8 on the order can be trusted" in line
    assert "--jp-error-color1" not in line
    assert "--jp-error-color1" in trust_line(check(0.2), Wording("this map"))
    assert "needs data" in trust_line(None, Wording("this map"), "needs data")


def test_figures_say_sums_and_shares() -> None:
    wording = Wording("this", whole="the decision", total=-0.901, shown=0.12)
    assert figures(with_lines(check(None, None), "the sum"), wording) == (
        "the sum cannot be compared with ablation: all 96 channels weigh the same",
        "all contributions together: −90 % of the decision",
        "those shown: 12 % of what adds to the decision",
    )


def test_a_map_says_how_weak_it_is_below_a_third_of_the_strongest() -> None:
    assert weakly(0.17, 4.99) == "3.4 % as strong as the strongest"
    assert weakly(1.7, 5.0) == weakly(0.0, 0.0) == ""
    assert weakly(1.6, 5.0) == "32 % as strong as the strongest"


@pytest.mark.parametrize(
    ("precision", "chance", "hardly"),
    [(0.01, 0.005, True), (0.054, 0.005, True), (0.055, 0.005, False), (None, 0.1, False)],
)
def test_a_concept_is_hardly_recognised_close_to_a_guess(
    precision: float | None, chance: float, hardly: bool
) -> None:
    concept = InferredConcept("purple", "color", "1", 1.0, 1.0, precision=precision, chance=chance)
    assert concept.hardly_recognised is hardly
