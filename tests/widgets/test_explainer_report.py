"""The report on an explainer: Tables 1 to 3, Fig. 7 and 8, from evidence alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hexplain_widgets as hx
from hexplain_widgets.widgets.explainer_report.charts import (
    EVERY,
    MOST,
    PLAIN,
    WITH,
    deviation_chart,
    lost_chart,
    parts_chart,
    spread_chart,
    standard_errors,
)
from hexplain_widgets.widgets.explainer_report.words import (
    capacity_verdict,
    parts_rows,
    report_verdict,
    table_rows,
)
from tests.widgets.made import MARKUP
from tests.widgets.made_views import LATER, SAVED


@pytest.fixture(scope="module")
def report() -> hx.AdditiveReport:
    return hx.load(LATER / "AdditiveReport_spread.hx")


@pytest.fixture(scope="module")
def capacity() -> hx.ExplainerCapacity:
    return hx.load(LATER / "ExplainerCapacity.hx")


def with_entropies(report: hx.AdditiveReport, ours: float, plain: float) -> hx.AdditiveReport:
    """The report with other entropies, the same for all seeds."""
    both = [np.full(len(report.seeds), np.log(n)) for n in (ours, plain)]
    return replace(
        report,
        ours=replace(report.ours, entropy=both[0]),
        plain=replace(report.plain, entropy=both[1]),
    )


@pytest.mark.parametrize(
    ("ours", "plain", "said"),
    [
        (57, 5, "The prior keeps the explainer from explaining by few: contributions spread as"
         " evenly as over 57 concepts, by plain distillation over 5."),
        (5, 57, "The prior has it explain by fewer: contributions spread as evenly as over 5"),
        (5, 5, "With and without the prior contributions spread alike: as evenly as over 5"),
    ],
)  # fmt: skip
def test_the_verdict_says_what_the_prior_does(report, ours: float, plain: float, said: str) -> None:
    assert said in report_verdict(with_entropies(report, ours, plain))


def test_the_verdict_says_what_is_not_explained_and_what_parts_are_off(report) -> None:
    away = replace(
        report,
        ours=replace(report.ours, deviation=np.full(2, 0.12), accuracy=np.full(2, 0.5)),
        performer_accuracy=0.75,
    )
    words = report_verdict(away)
    assert "off by 12 % of the scores' range, and judges 50 % of the images right" in words
    assert "the network 75 %" in words
    mean = float(report.ours.part_error.mean())
    assert f"Contributions of parts are off by {mean:.3f} of the mean score" in words
    none = replace(away, ours=replace(report.ours, part_error=None))
    assert "parts" not in report_verdict(none) and parts_chart(none) is None
    assert parts_rows(none) == []


def test_the_tables_hold_the_figures(report) -> None:
    head, *rows = table_rows(report)
    assert [row[0] for row in rows] == [WITH, PLAIN, "the network itself"]
    said = {name: [row[i] for row in rows] for i, name in enumerate(head)}
    ours, plain = report.ours.entropy, report.plain.entropy
    assert said["entropy (nats)"][0].startswith(f"{ours.mean():.3f}")
    assert said["entropy (nats)"][1].startswith(f"{plain.mean():.3f}")
    assert said["accuracy"][2] == f"{report.performer_accuracy:.3f}"
    head, *parts = parts_rows(report)
    assert [row[0] for row in parts] == list(report.names)
    assert float(parts[0][1].split()[0]) == pytest.approx(
        report.ours.part_error[:, 0].mean(), abs=1e-3
    )


def test_the_mean_of_all_parts_and_the_worst_have_bars(report) -> None:
    chart = parts_chart(report)
    worst = np.argsort(-report.ours.part_error.mean(0))[:MOST]
    assert chart is not None and chart.names == (EVERY, *(report.names[i] for i in worst))
    assert chart.bars[WITH][0] == pytest.approx(report.ours.part_error.mean())
    assert chart.bars[PLAIN][1:] == pytest.approx(report.plain.part_error.mean(0)[worst])
    names = tuple(f"p{i}" for i in range(20))
    many = np.tile(np.arange(20.0), (2, 1))
    quality = replace(report.ours, part_error=many)
    chart = parts_chart(replace(report, names=names, ours=quality, plain=quality))
    assert chart is not None and chart.names[1:] == tuple(f"p{19 - i}" for i in range(MOST))
    assert f"The {MOST} worst of 20." in chart.told


def test_contributions_are_sorted_and_older_files_have_none(report) -> None:
    chart = spread_chart(report)
    assert chart is not None
    expected = np.sort(report.ours.sizes, axis=1)[:, ::-1].mean(0)
    assert chart.lines[WITH] == pytest.approx(expected)
    old = hx.load(SAVED / "AdditiveReport.hx")
    assert spread_chart(old) is None
    made = hx.show(old)
    assert len(made.charts()) == 1
    made.close()


def test_capacity_has_both_curves_with_their_errors(capacity) -> None:
    away, lost = deviation_chart(capacity), lost_chart(capacity)
    (name,) = away.lines
    assert away.lines[name] == pytest.approx(capacity.deviation.mean(0))
    assert away.errors[name] == pytest.approx(capacity.deviation.std(0, ddof=1) / np.sqrt(2))
    assert lost.lines[name] == pytest.approx(
        capacity.performer_accuracy - capacity.accuracy.mean(0)
    )
    assert away.x == pytest.approx(np.log2(capacity.counts))


def test_the_verdict_of_capacity(capacity) -> None:
    assert capacity_verdict(capacity).startswith("More concepts explain more: from 1 to 6 concepts")
    flat = replace(capacity, deviation=np.full_like(capacity.deviation, 0.2))
    assert capacity_verdict(flat).startswith("More concepts explain no more: ")
    one = replace(
        capacity, counts=np.array([3]), deviation=np.full((2, 1), 0.2), accuracy=np.ones((2, 1))
    )
    assert capacity_verdict(one).startswith("With 3 concepts: off by 20 %")


def test_one_seed_has_no_error() -> None:
    assert standard_errors(np.ones((1, 3))).tolist() == [0, 0, 0]


def test_what_is_neither_is_refused() -> None:
    with pytest.raises(TypeError, match="expected an AdditiveReport or an ExplainerCapacity"):
        hx.ExplainerReport.from_evidence("a.hx")


def test_names_from_the_user_are_text(report) -> None:
    made = hx.show(replace(report, names=(MARKUP,) * 6, target=MARKUP, notes=(MARKUP,)))
    bars = made.children[2].children[1].children[2]
    words = "".join(one.value for one in (made.children[0], bars, made.children[3]))
    assert MARKUP not in words and "&lt;" in words
    made.close()


def test_pages_and_pictures_are_written(report, capacity, tmp_path: Path) -> None:
    for place, evidence in enumerate((report, capacity)):
        made = hx.show(evidence)
        assert repr(made) == f"ExplainerReport({('quality', 'capacity')[place]} for 'house')"
        page = made.export_html(tmp_path / "e.html").read_text(encoding="utf-8")
        assert f"<title>{made.question.rstrip('?')}: Sequential</title>" in page
        with Image.open(made.export_png(tmp_path / "e.png")) as picture:
            assert picture.width == 1920
        made.close()
