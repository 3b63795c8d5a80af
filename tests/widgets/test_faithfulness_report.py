"""The report on faithfulness: what it says, and that it needs no kernel to be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from PIL import Image

import hexplain_widgets as hx
from hexplain_widgets.pictures.colours import OURS, RANDOM
from hexplain_widgets.widgets._shared.markup import legend
from hexplain_widgets.widgets._shared.report import numbers
from hexplain_widgets.widgets.faithfulness_report.charts import (
    masked_chart,
    sorted_chart,
    surrogate_chart,
    survival_chart,
)
from hexplain_widgets.widgets.faithfulness_report.words import heading, table, verdict
from tests.networks import image, plain
from tests.widgets.made import MARKUP


@pytest.fixture(scope="module")
def summary() -> hx.FaithfulnessSummary:
    data = [(image(48, seed)[0], seed) for seed in range(2)]
    return hx.measure_faithfulness(plain(seed=3), data, progress=False)


@pytest.fixture
def report(summary: hx.FaithfulnessSummary) -> Iterator[hx.FaithfulnessReport]:
    made = hx.FaithfulnessReport.from_evidence(summary)
    yield made
    made.close()


def with_r(summary: hx.FaithfulnessSummary, r: float, lowest: float) -> hx.FaithfulnessSummary:
    """The summary with another correlation at the middle step."""
    step = summary.steps[1]
    pearson, low = step.pearson.copy(), step.lowest.copy()
    pearson[0], low[0] = r, lowest
    steps = (summary.steps[0], replace(step, pearson=pearson, lowest=low), summary.steps[2])
    return replace(summary, steps=steps)


def test_it_says_what_it_shows(report: hx.FaithfulnessReport) -> None:
    assert repr(report) == "FaithfulnessReport(2 images, 3 steps)"


def test_it_measures_where_it_is_given_a_model(summary: hx.FaithfulnessSummary) -> None:
    data = [(image(48, seed)[0], seed) for seed in range(2)]
    made = hx.FaithfulnessReport(plain(seed=3), data, progress=False)
    assert made.evidence == summary
    made.close()


def test_what_is_no_summary_is_refused() -> None:
    with pytest.raises(TypeError, match="got str as evidence; expected a FaithfulnessSummary"):
        hx.FaithfulnessReport.from_evidence("f.hx")


def test_show_finds_it(summary: hx.FaithfulnessSummary) -> None:
    assert type(hx.show(summary)) is hx.FaithfulnessReport


def test_the_verdict_names_the_weakest_step_in_words_and_in_red(summary) -> None:
    poor = verdict(with_r(summary, 0.3, -0.12))
    assert "The order of channels at 7 → 4 cannot be trusted." in poor
    assert "agree poorly with ablation at 7 → 4: r = 0.30; on a single image it falls to" in poor
    assert "--jp-error-color1" in poor
    fair = verdict(with_r(summary, 0.7, 0.6))
    assert "The order of channels at every step can be trusted in part." in fair
    assert "agree in part with ablation at every step: r is at least 0.70" in fair


def test_what_other_estimators_reach_is_never_red(summary) -> None:
    step = summary.steps[1]
    pearson = step.pearson.copy()
    pearson[:] = 0.9, 0.1, 0.1, 0.1
    low = replace(step, pearson=pearson, lowest=np.full_like(step.lowest, 0.9))
    assert "--jp-error-color1" not in table(replace(summary, steps=(low,)))
    pearson[0] = 0.1
    assert "--jp-error-color1" in table(replace(summary, steps=(low,)))


def test_one_bad_image_is_red_though_the_mean_is_good(summary) -> None:
    found = verdict(with_r(summary, 0.9, -0.12))
    assert "at every step can be trusted in part." in found
    assert "falls to −0.12" in found
    assert "--jp-error-color1" in found


def test_a_step_that_cannot_be_compared_has_no_figure(summary) -> None:
    steps = tuple(replace(s, counted=np.zeros(4, dtype=np.int64)) for s in summary.steps)
    assert "No step could be compared" in verdict(replace(summary, steps=steps))
    assert "<td>–</td>" in table(replace(summary, steps=steps))


def test_names_from_the_user_are_text(summary) -> None:
    step = replace(summary.steps[0], shallow=MARKUP)
    found = table(replace(summary, steps=(step,))) + legend(MARKUP, {MARKUP: "red"}, "")
    found += numbers(MARKUP, [MARKUP], {MARKUP: [1.0]}) + heading(replace(summary, notes=(MARKUP,)))
    assert MARKUP not in found
    assert "&lt;" in found


def test_every_chart_holds_its_numbers(summary) -> None:
    step = summary.steps[1]
    assert list(masked_chart(step).lines) == ["most important", "least important", "random"]
    assert np.array_equal(masked_chart(step).lines["random"], step.remaining[2])
    assert sorted_chart(step).lines["ablation"][0] == pytest.approx(step.drops[0])
    assert sorted_chart(step).lines["estimate"][-1] == pytest.approx(step.estimates[-1])
    assert "right class, ours" in surrogate_chart(summary).lines
    assert "right class, ours" not in surrogate_chart(replace(summary, accuracy=None)).lines
    assert tuple(survival_chart(summary, 1).lines) == summary.methods


def test_removed_channels_cost_accuracy_where_there_are_labels(summary) -> None:
    chart = survival_chart(summary, 1)
    assert chart.y_name == "accuracy" and "named as labelled" in chart.told
    for row, name in zip(summary.removed_accuracy[1], summary.methods, strict=True):
        assert np.array_equal(chart.lines[name], row)
    chart = survival_chart(replace(summary, removed_accuracy=None), 1)
    assert chart.y_name == "class stays" and "keep their class" in chart.told
    assert np.array_equal(chart.lines[summary.methods[0]], summary.survival[1, 0])


def test_a_line_that_lies_below_another_is_seen_on_both_sides_of_it(summary) -> None:
    chart = sorted_chart(summary.steps[0])
    lines = {"first": chart.x, "hidden": chart.x + 1e-4, "apart": 1 - chart.x, "by chance": chart.x}
    colours = {**dict.fromkeys(lines, OURS), "by chance": RANDOM}
    layers = replace(chart, lines=lines, colours=colours).layers
    assert [name for name, *_ in layers] == ["apart", "hidden", "first", "by chance"]
    widths = {name: width for name, _, width in layers}
    assert widths["first"] == widths["apart"] == widths["by chance"] < widths["hidden"]
    crossing = {"first": chart.x, "second": np.full_like(chart.x, 0.5)}
    layers = replace(chart, lines=crossing, colours=dict.fromkeys(crossing, OURS)).layers
    assert len({width for *_, width in layers}) == 1


def test_counts_have_all_their_digits(summary) -> None:
    step = replace(summary.steps[0], channels=1280, activated=444.25)
    text = table(replace(summary, steps=(step, *summary.steps[1:])))
    assert "<td>1280</td>" in text and "<td>444</td>" in text and "e+" not in text


def test_an_axis_reaches_round_numbers_around_all_values(summary) -> None:
    for chart in (masked_chart(summary.steps[0]), survival_chart(summary, 0)):
        values = np.concatenate(list(chart.lines.values()))
        assert chart.ticks[0] <= min(0, values.min())
        assert chart.ticks[-1] >= max(1, values.max()) - 1e-9


def test_the_step_is_chosen_in_the_browser_without_a_kernel(report) -> None:
    choice, steps = report.children[2], report.children[3].children[0]
    assert list(choice.options) == ["logits → 7", "7 → 4", "4 → 1"]
    links = [one for one in _instances.values() if type(one).__name__ == "Link"]
    (target,) = [one.target for one in links if one.source == (choice, "index")]
    assert target == (steps, "selected_index")


def test_a_page_and_a_picture_are_written(report, tmp_path: Path) -> None:
    page = report.export_html(tmp_path / "f.html").read_text(encoding="utf-8")
    assert "Faithfulness: Sequential" in page
    with Image.open(report.export_png(tmp_path / "f.png")) as picture:
        assert picture.width == 1920
