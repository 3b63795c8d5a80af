"""The report on context and degrees: what it says, and that it needs no kernel to be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from PIL import Image

import hexplain_widgets as hx
from hexplain_widgets.evidence.store import load, save
from hexplain_widgets.widgets._shared.composite import dismiss
from hexplain_widgets.widgets._shared.figures import distinct
from hexplain_widgets.widgets.context_report.charts import (
    AROUND,
    ITSELF,
    MOST_CLASSES,
    bars_of,
    classes_shown,
    degree_chart,
    figure_of_bars,
    networks_chart,
)
from hexplain_widgets.widgets.context_report.words import (
    context_heading,
    context_table,
    context_verdict,
    degree_heading,
    degree_table,
    degree_verdict,
)
from tests.widgets.made import MARKUP
from tests.widgets.made_views import file_of

SOURCE = hx.Provenance("made", "Net", "made")


@pytest.fixture
def context() -> hx.ContextSummary:
    """Boats go by the sea, birds by themselves; 10 maps of each class."""
    return hx.ContextSummary(
        level="object",
        layer=hx.Layer("conv4", "ReLU", (8, 14, 14), 4, (100, 100)),
        classes=("bird", "boat"),
        labels=("sea", "bird", "tree"),
        images=np.array([6, 9]),
        counts=np.array([[1, 7, 2], [8, 0, 0]]),
        elsewhere=np.array([0, 2]),
        chance=np.array([[2.0, 3.0, 4.0], [3.0, 0.0, 1.0]]),
        present=np.array([[2, 6, 3], [9, 0, 1]]),
        own=np.array([1, -1]),
        provenance=SOURCE,
    )


@pytest.fixture
def degrees() -> hx.DegreeSummary:
    layers = tuple(
        hx.LayerDegrees(
            hx.Layer(name, "ReLU", (3, 8, 8), place, None), np.array(counts), d, 0.02, 0.5, 0.01
        )
        for name, place, counts, d in (
            ("deep", 2, [[4, 0, 0], [0, 3, 0]], 1.0),
            ("shallow", 1, [[2, 2, 0], [2, 2, 1]], 0.5),
        )
    )
    return hx.DegreeSummary(("one", "two"), np.array([4, 3]), layers, "images", SOURCE)


@pytest.fixture
def report(context, degrees) -> Iterator[hx.ContextReport]:
    made = hx.ContextReport.from_evidence(context, degrees)
    yield made
    made.close()


def test_it_says_what_it_shows(report) -> None:
    assert repr(report) == "ContextReport(context of 2 classes, degrees of 2 layers)"


def test_it_measures_where_it_is_given_a_model() -> None:
    data, clf = hx.demo.scenes(2, seed=1).concepts(), hx.demo.classifier()
    made = hx.ContextReport(clf, data, level="object", layer="stage5", top_k=1, progress=False)
    expected = hx.measure_context(
        clf, data, level="object", layer="stage5", top_k=1, progress=False
    )
    assert made.evidence[0] == expected
    assert made.evidence[1].provenance.settings["top_k"] == 1
    made.close()


def test_degrees_are_left_out_where_they_are_not_wanted(context) -> None:
    made = hx.ContextReport.from_evidence(context)
    assert repr(made) == "ContextReport(context of 2 classes)"
    made.close()


@pytest.mark.parametrize("kind", ["context", "degrees"])
def test_show_finds_it_for_what_was_saved(request, kind: str, tmp_path: Path) -> None:
    evidence = request.getfixturevalue(kind)
    made = hx.show(load(save(evidence, tmp_path / "e.hx")))
    assert type(made) is hx.ContextReport
    assert made.evidence == (evidence,)
    made.close()


def test_what_is_no_evidence_of_it_is_refused() -> None:
    with pytest.raises(TypeError, match="got str as evidence; expected a ContextSummary or a"):
        hx.ContextReport.from_evidence("c.hx")
    with pytest.raises(TypeError, match="got nothing as evidence; expected a ContextSummary or a"):
        hx.ContextReport.from_evidence()


def test_the_verdict_says_how_many_maps_lie_on_the_object_itself(context) -> None:
    found = context_verdict(context)
    assert "70 % of the maps lie on the object itself (by chance 30 %)" in found
    assert "<b>boat</b> goes by <b>sea</b>, 80 % of its maps, where chance gives 30 %" in found


def test_the_verdict_says_where_no_class_has_a_label_of_its_own(context) -> None:
    found = context_verdict(replace(context, own=np.array([-1, -1])))
    assert found.startswith("No class has its own object among the labels")


def test_what_is_most_telling_is_of_classes_with_enough_images(context) -> None:
    assert context.telling() == (1, 0)
    assert replace(context, images=np.array([6, 2])).telling() is None
    assert replace(context, images=np.array([1, 2])).telling() == (1, 0)


def test_bars_have_the_object_first_and_then_what_is_around_it(context) -> None:
    bars = bars_of(context, 0)
    assert bars.names == ("bird", "tree", "sea")
    assert bars.shares.tolist() == [0.7, 0.2, 0.1]
    assert bars.chance.tolist() == [0.3, 0.4, 0.2]
    assert bars.colours == [ITSELF, AROUND, AROUND]


def test_what_the_network_names_the_images_stands_beside_the_class(context, tmp_path) -> None:
    named = replace(
        context, named=("bird", "boat", "car"), namings=np.array([[4, 1, 1], [0, 9, 0]])
    )
    assert bars_of(context, 0).told == "6 images, 10 maps"
    assert bars_of(named, 0).told == "6 images, 10 maps; 4 named so, 1 boat and 1 more"
    assert bars_of(named, 1).told == "9 images, 10 maps"
    assert "<td>bird 4, boat 1, car 1</td>" in context_table(named)
    assert load(save(named, tmp_path / "n.hx")) == named


def test_marks_of_chance_lie_across_their_bars(context) -> None:
    figure = figure_of_bars(bars_of(context, 0), 0.7)
    bars, marks = figure.marks
    assert list(bars.scales["x"].domain) == ["sea", "tree", "bird"]
    assert marks.x.mean(1).tolist() == [0.3, 0.4, 0.2]
    assert marks.y.mean(1).tolist() == [2.5, 1.5, 0.5]
    dismiss(figure)


def test_a_class_without_any_label_has_an_empty_chart(context) -> None:
    counts = np.array([[0, 0, 0], [8, 0, 0]])
    bars = bars_of(replace(context, counts=counts, own=np.array([-1, -1])), 0)
    assert bars.names == ()
    dismiss(figure_of_bars(bars, 0.0))


def test_labels_that_fall_together_keep_their_place() -> None:
    assert distinct(["sky", "sky", "a" * 30]) == ["sky", "2. sky", "a" * 17 + "…"]


def test_of_many_classes_those_with_most_images_have_charts(context) -> None:
    many = replace(
        context,
        classes=tuple(f"class {i}" for i in range(20)),
        images=np.arange(20) + 1,
        **{
            name: np.repeat(getattr(context, name)[:1], 20, 0)
            for name in ("counts", "elsewhere", "chance", "present", "own")
        },
    )
    assert classes_shown(many) == list(range(20 - MOST_CLASSES, 20))
    assert "The table has 8 more classes" in context_heading(many)
    assert context_table(many).count("<tr>") == 21


def test_the_curve_of_degrees_runs_from_the_pixels_up(degrees) -> None:
    chart = degree_chart(degrees)
    assert chart.places == ("shallow", "deep")
    assert chart.lines["selected channels"].tolist() == [0.5, 1.0]
    assert chart.lines["classes shuffled"].tolist() == [0.5, 0.5]


def test_the_verdict_on_degrees_names_the_layer_and_what_chance_gives(degrees) -> None:
    found = degree_verdict(degrees)
    assert "most at deep: D = 1.00 (by chance 0.50); at shallow: D = 0.50" in found
    assert found.endswith("grows from layer to layer up.")


def test_degrees_within_chance_are_said_to_be_so(degrees) -> None:
    flat = tuple(replace(one, degree=0.51) for one in degrees.layers)
    assert "no more than they would by chance" in degree_verdict(replace(degrees, layers=flat))


def test_tables_hold_the_numbers(context, degrees) -> None:
    assert "<td>70 % (30 %)</td>" in context_table(context)
    assert "sea 80 % (30 %)" in context_table(context)
    assert "<td>1.000 ± 0.020</td><td>0.500 ± 0.010</td><td>2 of 3</td>" in degree_table(degrees)


def test_names_from_the_user_are_text(context, degrees) -> None:
    names = {"classes": (MARKUP,) * 2, "labels": (MARKUP,) * 3, "level": MARKUP}
    layer = hx.Layer(MARKUP, "ReLU", (3, 8, 8), 1, None)
    marked = replace(context, notes=(MARKUP,), layer=layer, **names)
    layers = tuple(replace(one, layer=layer) for one in degrees.layers)
    other = replace(degrees, layers=layers, notes=(MARKUP,))
    found = context_heading(marked) + context_table(marked)
    found += degree_heading(other) + degree_table(other)
    assert MARKUP not in found
    assert "&lt;" in found


def test_a_page_and_a_picture_are_written(report, tmp_path: Path) -> None:
    page = report.export_html(tmp_path / "c.html").read_text(encoding="utf-8")
    assert "Context: Net" in page
    with Image.open(report.export_png(tmp_path / "c.png")) as picture:
        assert picture.width == 1920


def test_nothing_is_left_when_it_is_closed(context, degrees) -> None:
    before = set(_instances)
    hx.ContextReport.from_evidence(context, degrees).close()
    assert set(_instances) == before


def other_network(degrees: hx.DegreeSummary, name: str, stages: Sequence[int | None]) -> Any:
    """Degrees of a network of another name, with so many layers of these stages, deepest first."""
    layers = tuple(
        replace(degrees.layers[0], layer=replace(degrees.layers[0].layer, name=f"l{i}", stage=s),
                degree=0.1 * (i + 1), error=0.01)
        for i, s in enumerate(stages)
    )  # fmt: skip
    return replace(degrees, layers=layers, provenance=replace(degrees.provenance, model=name))


def test_degrees_of_several_networks_are_one_chart(tmp_path: Path) -> None:
    degrees = load(file_of("DegreeSummary"))
    some = [other_network(degrees, "A", (3, 2, 1)), other_network(degrees, "B", (5, 3))]
    some.append(other_network(degrees, "A", (2, 1)))
    chart = networks_chart(some)
    assert list(chart.lines) == ["A", "B", "3. A"]
    assert chart.x_name == "stage" and chart.x.tolist() == [1, 2, 3, 5]
    assert [a.tolist() for a in chart.known("B")] == [[3, 5], [0.2, 0.1]]
    assert chart.whiskers("A")[1][:, 0] == pytest.approx([0.29, 0.19, 0.09])
    view = hx.show(some)
    assert (
        repr(view) == "ContextReport(degrees of 3 layers, degrees of 2 layers, degrees of 2 layers)"
    )
    assert "<b>3. A</b>: " in view.children[1].value and "3 networks" in view.children[1].value
    with Image.open(view.export_png(tmp_path / "d.png")) as picture:
        assert picture.height < 800
    view.close()


def test_layers_without_stages_stand_by_their_way_up() -> None:
    degrees = load(file_of("DegreeSummary"))
    some = [other_network(degrees, "A", (None, None)), other_network(degrees, "B", (4, 3, 2, 1))]
    chart = networks_chart(some)
    assert chart.x.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert chart.places == ("25%", "50%", "75%", "100%")
    assert [a.tolist() for a in chart.known("A")] == [[0.5, 1.0], [0.2, 0.1]]


def test_a_list_of_something_else_is_refused() -> None:
    for some in ([3], [], [load(file_of("DegreeSummary")), 3]):
        with pytest.raises(TypeError, match="got list to show; expected one of"):
            hx.show(some)
