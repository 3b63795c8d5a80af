"""The report on randomisation: what it says of maps, layer by layer, and where it has nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hexplain_widgets as hx
from hexplain_widgets.pictures.charts import LineChart
from hexplain_widgets.widgets.randomisation_report.charts import (
    CHANCE,
    correlation_chart,
    other_chart,
    strongest_chart,
)
from hexplain_widgets.widgets.randomisation_report.words import (
    left_of,
    numbers_table,
    verdict_of,
)
from tests.networks import image, plain
from tests.widgets.made import MARKUP
from tests.widgets.made_views import file_of

OTHERS = ("other", "other_errors", "other_counted", "other_shared", "other_shared_errors")


@pytest.fixture(scope="module")
def summary() -> hx.RandomisationSummary:
    return hx.load(file_of("RandomisationSummary"))


@pytest.fixture
def report(summary: hx.RandomisationSummary) -> Iterator[hx.RandomisationReport]:
    made = hx.RandomisationReport.from_evidence(summary)
    yield made
    made.close()


def with_curves(
    summary: hx.RandomisationSummary, r: float, shared: float, chance: float = 0.05
) -> hx.RandomisationSummary:
    """The summary of one method whose curves are level."""
    row = np.ones((1, len(summary.counts)))
    one = {n: getattr(summary, n)[:1] for n in ("counted", "errors", "shared_errors", "covered")}
    return replace(
        summary,
        methods=summary.methods[:1],
        correlations=r * row,
        shared=shared * row,
        chance=chance * row[0],
        **dict.fromkeys(OTHERS),
        **one,
    )


def test_it_measures_where_it_is_given_a_model() -> None:
    asked = {"methods": ("gradient", "gAP"), "progress": False, "seed": 1}
    data = [image(24, seed)[0] for seed in range(2)]
    made = hx.RandomisationReport(plain(seed=3), data, **asked)
    assert made.evidence == hx.measure_randomisation(plain(seed=3), data, **asked)
    assert repr(made) == "RandomisationReport(2 methods, 2 images)"
    made.close()


def test_what_is_no_summary_is_refused() -> None:
    with pytest.raises(TypeError, match="got str as evidence; expected a RandomisationSummary"):
        hx.RandomisationReport.from_evidence("r.hx")


@pytest.mark.parametrize(
    ("r", "shared", "said"),
    [
        (0.1, 0.1, "change with the network."),
        (-0.1, 0.0, "change with the network."),
        (0.6, 0.2, "change in part."),
        (0.9, 0.2, "hardly change: they show the image more than what was learnt."),
        (-0.9, 0.2, "hardly change: they show the image more than what was learnt."),
        (0.1, 0.95, "hardly change"),
    ],
)
def test_the_verdict_follows_what_is_left(summary, r: float, shared: float, said: str) -> None:
    words = verdict_of(with_curves(summary, r, shared))
    assert said in words
    assert f"r = {'−' if r < 0 else ''}{abs(r):.2f}" in words
    assert ("strongest pixels stay" in words) == (shared > 0.9)


def test_what_is_left_is_counted_above_chance(summary) -> None:
    assert left_of(with_curves(summary, 0.1, 0.6, chance=0.2), 0) == pytest.approx(0.5)
    assert left_of(with_curves(summary, 0.1, 1.0, chance=1.0), 0) == pytest.approx(1.0)


def test_maps_that_could_not_be_compared_have_no_line_and_no_verdict(summary) -> None:
    flat = replace(summary, counted=np.zeros_like(summary.counted), other=None)
    assert verdict_of(flat) == "No map could be compared: they are the same everywhere."
    assert not correlation_chart(flat).lines
    assert list(strongest_chart(flat).lines) == [CHANCE]
    counted = summary.counted.copy()
    counted[0, 0] = 0
    one = correlation_chart(replace(summary, counted=counted))
    x, values = one.known(summary.methods[0])
    assert len(x) == len(values) == len(summary.counts) - 1
    assert "–" in numbers_table(replace(summary, counted=counted))
    made = hx.show(flat)
    made.close()


def test_lines_have_their_values_and_their_errors(summary) -> None:
    chart = correlation_chart(summary)
    for m, name in enumerate(summary.methods):
        assert np.array_equal(chart.lines[name], summary.correlations[m])
        x, ends = chart.whiskers(name)
        some = summary.errors[m] > 0
        assert x[:, 0] == pytest.approx(summary.counts[some])
        assert ends[:, 1] - ends[:, 0] == pytest.approx(2 * summary.errors[m][some])
        assert chart.ticks[0] <= ends.min() and ends.max() <= chart.ticks[-1] + 1e-9
    assert np.array_equal(strongest_chart(summary).lines[CHANCE], summary.chance)


def test_many_layers_are_shares_of_them_from_none_on(summary) -> None:
    layers = tuple(f"l{i}" for i in range(20))
    counts = np.arange(2, 21, 2)
    row = np.full((len(summary.methods), 10), 0.3)
    names = ("correlations", "errors", "shared", "shared_errors")
    many = replace(
        summary,
        layers=layers,
        counts=counts,
        counted=np.full(row.shape, 3),
        chance=row[0] / 10,
        **dict.fromkeys(names, row),
    )
    chart = correlation_chart(many)
    assert chart.x == pytest.approx(counts / 20)
    assert chart.span == (0.0, 1.0)
    assert "2: l1" in numbers_table(many) and "20: l19" in numbers_table(many)


def test_another_network_has_bars_or_says_that_there_is_none(summary) -> None:
    chart = other_chart(summary)
    assert chart is not None
    assert np.array_equal(chart.bars["rank correlation"], summary.other)
    assert chart.names == summary.methods
    assert other_chart(replace(summary, other=None)) is None
    none = np.zeros(len(summary.methods), np.int64)
    assert other_chart(replace(summary, other_counted=none)) is None


def test_without_a_cascade_the_other_network_is_the_verdict(summary) -> None:
    empty = {n: getattr(summary, n)[:, :0] for n in
             ("correlations", "errors", "counted", "shared", "shared_errors")}  # fmt: skip
    only = replace(summary, counts=summary.counts[:0], chance=summary.chance[:0], **empty)
    assert verdict_of(only).startswith("Held against the other network's maps: gAP (r = ")
    made = hx.show(only)
    assert not any(isinstance(chart, LineChart) for chart in made.charts())
    made.close()


def test_names_from_the_user_are_text(summary) -> None:
    layers = (MARKUP,) * len(summary.layers)
    made = hx.show(replace(summary, layers=layers, notes=(MARKUP,)))
    words = "".join(one.value for one in (made.children[0], made.children[-1]))
    assert MARKUP not in words and "&lt;" in words
    made.close()


def test_a_page_and_a_picture_are_written(report, tmp_path: Path) -> None:
    page = report.export_html(tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<title>Do maps change with the network: Sequential</title>" in page
    with Image.open(report.export_png(tmp_path / "r.png")) as picture:
        assert picture.width == 1920
