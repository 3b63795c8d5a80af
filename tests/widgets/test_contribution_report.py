"""The report of contributions, on the kernel's side: what travels, is asked and is refused."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import bqplot
import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from PIL import Image

import hexplain_widgets
from hexplain_widgets.evidence import Contributions
from hexplain_widgets.evidence.store import load, save
from hexplain_widgets.widgets import ContributionReport, show
from hexplain_widgets.widgets.contribution_report.charts import (
    AGAINST,
    FOR,
    REST,
    SLICES,
    bar_data,
    pie_data,
    slice_colour,
    sorted_sizes,
)
from hexplain_widgets.widgets.contribution_report.messages import MOST_BYTES, MOST_PIXELS
from hexplain_widgets.widgets.contribution_report.picture import (
    ReportState,
    draw_contributions,
    rows_of,
)
from hexplain_widgets.widgets.contribution_report.table import (
    MOST_ELEMENTS,
    MOST_IMAGES,
    ContributionTable,
    attention,
    beside,
    entropies,
    explained,
    typical,
    warning,
)
from tests.widgets.answers import Answers, to_the_browser_and_back
from tests.widgets.made import MARKUP
from tests.widgets.made_additive import CONCEPTS, MadeExplainer, images


@pytest.fixture
def explainer() -> MadeExplainer:
    return MadeExplainer()


@pytest.fixture
def report(explainer: MadeExplainer) -> Iterator[ContributionReport]:
    made = ContributionReport(explainer, images(2))
    yield made
    made.close()


@pytest.fixture
def one(explainer: MadeExplainer) -> Contributions:
    return explainer.explain(images(1)[0], baseline=True)


def picture_file() -> str:
    out = BytesIO()
    Image.new("RGB", (8, 6), "teal").save(out, format="PNG")
    return base64.b64encode(out.getvalue()).decode()


def test_it_says_what_it_shows(report: ContributionReport) -> None:
    assert repr(report) == "ContributionReport('house', 12 concepts, 2 images)"
    assert report.title == "What added to house"


def test_it_is_offered_by_the_package() -> None:
    assert hexplain_widgets.ContributionReport is ContributionReport


def test_one_image_needs_no_list(explainer: MadeExplainer) -> None:
    report = ContributionReport(explainer, images(1)[0])
    assert isinstance(report.evidence, Contributions)
    report.close()


def test_of_several_images_the_evidence_is_theirs_in_order(report: ContributionReport) -> None:
    assert report.evidence == report.contributions
    lights = [one.image.mean() for one in report.contributions]
    assert lights == sorted(lights)


def test_the_baseline_is_asked_for_unless_it_is_not_wished(explainer: MadeExplainer) -> None:
    ContributionReport(explainer, images(1)).close()
    ContributionReport(explainer, images(1), baseline=False).close()
    assert [baseline for _, baseline in explainer.asked] == [True, False]


def test_saved_contributions_find_their_view(one: Contributions, tmp_path: Path) -> None:
    save(one, tmp_path / "one.hx")
    report = show(load(tmp_path / "one.hx"))
    assert isinstance(report, ContributionReport)
    assert (report.evidence, report.live) == (one, False)
    report.close()


def test_what_is_no_explainer_is_refused() -> None:
    with pytest.raises(TypeError, match=r"got int as explainer; expected a fitted .*\.fit\("):
        ContributionReport(3, images(1))


@pytest.mark.parametrize("given", [3, [3], "house"])
def test_what_is_no_contributions_is_refused(given: Any) -> None:
    with pytest.raises(TypeError, match="expected Contributions, one or a list; make one with"):
        ContributionReport.from_evidence(given)


def test_an_empty_list_of_evidence_is_refused() -> None:
    with pytest.raises(ValueError, match="got an empty list; expected at least one"):
        ContributionReport.from_evidence([])


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"target": "barn"}, "the target 'barn' beside 'house'"), ({"kind": "heads"}, "the kind")],
)
def test_contributions_to_different_things_are_not_shown_beside_each_other(
    one: Contributions, changes: dict[str, str], words: str
) -> None:
    with pytest.raises(ValueError, match=f"got contributions with {words}.*reports of their own"):
        ContributionReport.from_evidence([one, replace(one, **changes)])


def test_too_many_images_are_refused(one: Contributions) -> None:
    with pytest.raises(ValueError, match=f"got 25 images; expected at most {MOST_IMAGES}"):
        ContributionReport.from_evidence([one] * (MOST_IMAGES + 1))


def test_concepts_stand_in_one_order_the_largest_of_all_images_first(
    report: ContributionReport,
) -> None:
    sizes = np.abs([card["values"] for card in report.report["images"]]).mean(0)
    assert sizes.tolist() == sorted(sizes, reverse=True)
    assert sorted(report.report["names"]) == sorted(CONCEPTS)


def test_every_card_adds_up_to_its_score(report: ContributionReport) -> None:
    for card in report.report["images"]:
        parts = math.fsum([card["bias"], *card["values"], card["unexplained"]])
        assert parts == pytest.approx(card["score"], abs=1e-12)


def test_values_travel_as_exact_as_they_are(report: ContributionReport) -> None:
    card, found = report.report["images"][0], report.contributions[0]
    assert dict(zip(report.report["names"], card["values"], strict=True)) == dict(found)


def test_small_contributions_are_folded_and_summed(report: ContributionReport) -> None:
    shown = report.report["shown"]
    assert shown == 7
    for card in report.report["images"]:
        assert card["others"] == pytest.approx(sum(card["values"][shown:]), abs=1e-12)


def test_a_single_small_contribution_is_not_worth_folding() -> None:
    found = MadeExplainer(["a", "b", "c"], [2.0, 1.0, 0.001]).explain(images(1)[0])
    assert ContributionTable.of([found]).folded == 0


def test_contributions_that_are_all_zero_stand_alone_up_to_seven() -> None:
    found = MadeExplainer(["a", "b", "c"], [0.0, 0.0, 0.0]).explain(images(1)[0])
    assert ContributionTable.of([found]).shown == 3


def test_each_concept_says_how_many_filters_it_sums_over(report: ContributionReport) -> None:
    assert set(report.report["images"][0]["elements"]) == {"20 filters"}


def test_a_concept_of_one_head_says_which(one: Contributions) -> None:
    owners = np.zeros(240, dtype=int)
    owners[17] = 1
    report = ContributionReport.from_evidence(replace(one, kind="heads", owners=owners))
    words = dict(zip(report.report["names"], report.report["images"][0]["elements"], strict=True))
    assert (words["window"], words["wheel"], words["roof"]) == ("239 heads", "head 17", "0 heads")
    report.close()


def test_folded_concepts_of_both_signs_say_so(report: ContributionReport) -> None:
    for card in report.report["images"]:
        assert re.fullmatch(r"\+0\.\d\d for, −0\.\d{3} against", card["folded"])


def test_the_maps_come_back_to_half_a_step_with_the_folded_ones_sum(
    report: ContributionReport,
) -> None:
    maps, reading = report.maps, ContributionTable.of(report.contributions)
    cells = np.frombuffer(maps["data"], np.uint8).reshape(2, 13, 7, 7).astype(float)
    zero, step = (np.array(maps[name]).reshape(2, 13, 1, 1) for name in ("zero", "step"))
    found = (cells - zero) * step
    for i, one in enumerate(report.contributions):
        expected = [*(one.maps[k] for k in reading.order), reading.others_map(one)]
        for got, want, width in zip(found[i], expected, step[i].ravel(), strict=True):
            np.testing.assert_allclose(got, want, atol=0.51 * width)


def test_pictures_of_different_sizes_come_back(explainer: MadeExplainer) -> None:
    given = [images(1, side)[0] for side in (40, 64, 96)]
    report = ContributionReport(explainer, given)
    sizes = []
    for start, length in report.pictures["places"]:
        with Image.open(BytesIO(report.pictures["data"][start : start + length])) as picture:
            sizes.append(picture.size)
    assert sizes == [(40, 40), (64, 64), (96, 96)]
    report.close()


def test_maps_take_a_byte_per_cell(report: ContributionReport) -> None:
    assert len(report.maps["data"]) == 2 * 13 * 7 * 7


def test_the_state_survives_the_way_to_the_browser_and_into_a_file(
    report: ContributionReport,
) -> None:
    state = report.get_state(["report", "pictures", "maps", "concept", "view", "bars"])
    assert to_the_browser_and_back(state) == state


def test_the_explained_part_is_said_as_a_share_of_the_range(one: Contributions) -> None:
    words = explained(replace(one, unexplained=0.8, span=11.4))
    assert words.startswith("Explains 93 % of the score's range (")


def test_without_the_range_the_explained_part_is_said_in_logits(one: Contributions) -> None:
    found = replace(one, span=None)
    assert "make +1.53 for a score of +1.74 logits" in explained(found)


def test_what_misses_the_whole_range_says_so(one: Contributions) -> None:
    assert "as large as the score's whole range" in explained(replace(one, unexplained=12.0))


def test_the_typical_deviation_is_said_once(one: Contributions) -> None:
    words = typical([one, one])
    assert words.count("Typical deviation") == words.count("3.1 % of the score's range") == 1


def test_a_deviation_that_is_not_known_is_not_said(one: Contributions) -> None:
    assert typical([replace(one, deviation=None)]) == ""


def test_a_rest_that_outweighs_every_concept_is_warned_of(one: Contributions) -> None:
    words = warning(replace(one, unexplained=-4.0))
    assert words.startswith("What is unexplained (−4.00) is larger than any contribution (window,")


def test_a_small_rest_is_not_warned_of(one: Contributions) -> None:
    assert warning(one) == ""


def test_a_score_without_any_concept_is_warned_of() -> None:
    report = ContributionReport(MadeExplainer([], []), images(1))
    (card,) = report.report["images"]
    assert "No concept adds to this score" in card["warning"]
    assert (report.report["names"], card["values"], card["slices"]) == ([], [], [])
    report.close()


def test_both_entropies_are_said_and_what_they_mean(one: Contributions) -> None:
    assert one.baseline is not None
    assert one.entropy > one.baseline.entropy
    words = entropies(one)
    assert f"With the prior: entropy {one.entropy:.2f} nats; plain distillation: " in words
    assert "more evenly than plain distillation" in words


def test_entropies_that_are_about_the_same_are_said_to_be(one: Contributions) -> None:
    alike = replace(one, baseline=replace(one, baseline=None))
    assert "spreads the score about as evenly as plain distillation" in entropies(alike)


def test_without_a_baseline_nothing_is_compared(one: Contributions) -> None:
    report = ContributionReport.from_evidence(replace(one, baseline=None))
    (card,) = report.report["images"]
    assert (card["baseline"], card["entropies"], report.spreads) == (None, "", [])
    report.close()


def test_notes_of_all_images_stand_once_and_others_at_their_image(one: Contributions) -> None:
    both = [
        replace(one, notes=("fence is constant", "far off")),
        replace(one, notes=("fence is constant",)),
    ]
    report = ContributionReport.from_evidence(both)
    assert report.report["notes"] == ["fence is constant"]
    assert [card["notes"] for card in report.report["images"]] == [["far off"], []]
    report.close()


def test_a_pie_has_positive_contributions_alone(one: Contributions) -> None:
    reading = ContributionTable.of([one])
    sizes = pie_data(reading, one)["sizes"]
    assert (sizes > 0).all()
    expected = sum(v for v in one.values if v > 0)
    assert sizes.sum() == pytest.approx(expected)


def test_what_a_pie_leaves_out_is_said_beside_it(one: Contributions) -> None:
    words = beside(ContributionTable.of([one]), one)
    assert words[0].startswith("against: shadow −")
    assert "door −" in words[0]
    assert words[0].endswith("5 others −0.009")
    assert words[1:] == ["bias −0.70", "unexplained +0.21"]


def test_a_concept_keeps_its_colour_in_the_pies_of_all_images(report: ContributionReport) -> None:
    reading = ContributionTable.of(report.contributions)
    colours: dict[int, set[str]] = {}
    for one in report.contributions:
        pairs = zip(reading.slices(one), pie_data(reading, one)["colors"], strict=True)
        for (place, _), colour in pairs:
            colours.setdefault(place, set()).add(colour)
    assert all(len(found) == 1 for found in colours.values())


def test_bars_have_the_colours_of_for_and_against_and_grey_for_the_rest(
    one: Contributions,
) -> None:
    data = bar_data(ContributionTable.of([one]), one)
    found = dict(zip(data["x"], data["colors"], strict=True))
    assert (found["wheel"], found["shadow"]) == (FOR, AGAINST)
    assert (found["bias"], found["unexplained"]) == (REST, REST)


def test_long_names_that_begin_alike_are_bars_of_their_own() -> None:
    names = [f"the left front wheel of the car, {side}" for side in ("outer", "inner")]
    found = MadeExplainer(names, [2.0, 1.0]).explain(images(1)[0])
    labels = bar_data(ContributionTable.of([found]), found)["x"]
    assert len(set(labels)) == 4


def test_all_images_have_their_bars_on_one_scale(report: ContributionReport) -> None:
    first, second = (figure.marks[0].scales for figure in report.bars)
    assert first["y"] is second["y"]
    values = [value for figure in report.bars for value in figure.marks[0].y]
    assert first["y"].min <= min(values)
    assert first["y"].max >= max(values)


def test_elements_are_compared_with_the_baselines_the_largest_first(one: Contributions) -> None:
    assert one.baseline is not None
    ours, plain = sorted_sizes(one)
    for sizes, of in ((ours, one), (plain, one.baseline)):
        every = sorted(np.abs(of.weights * of.strengths), reverse=True)
        assert sizes.tolist() == pytest.approx(every[:MOST_ELEMENTS])


def test_a_distribution_that_is_cut_says_so(one: Contributions) -> None:
    assert entropies(one).endswith(f"The {MOST_ELEMENTS} largest of 240 are shown.")


def test_an_image_can_be_added(report: ContributionReport) -> None:
    report.add(images(1)[0])
    assert len(report.report["images"]) == len(report.bars) == len(report.pies) == 3
    assert len(report.pictures["places"]) == 3


def test_saved_contributions_can_be_added_to_a_saved_report(one: Contributions) -> None:
    report = ContributionReport.from_evidence(one)
    report.add(one)
    assert report.contributions == (one, one)
    report.close()


def test_an_image_takes_the_explainer(one: Contributions) -> None:
    report = ContributionReport.from_evidence(one)
    with pytest.raises(ValueError, match="opened from saved evidence, without an explainer; to ex"):
        report.add(images(1)[0])
    report.close()


def test_contributions_of_another_target_cannot_be_added_and_nothing_is_lost(
    report: ContributionReport, one: Contributions
) -> None:
    before = report.evidence
    with pytest.raises(ValueError, match="the target 'barn'"):
        report.add(replace(one, target="barn"))
    assert report.evidence == before


def test_an_image_can_be_removed(report: ContributionReport) -> None:
    kept = report.contributions[1]
    report.remove(0)
    assert report.contributions == (kept,)
    assert len(report.bars) == 1


def test_an_image_that_is_not_there_cannot_be_removed(report: ContributionReport) -> None:
    with pytest.raises(IndexError, match="got the image 2; expected a place below 2"):
        report.remove(2)


def test_a_report_can_begin_without_an_image(explainer: MadeExplainer) -> None:
    report = ContributionReport(explainer)
    assert (report.report["target"], report.report["images"]) == ("house", [])
    report.add(images(1)[0])
    assert report.report["layer"] == "features.30"
    report.close()


def test_a_report_whose_last_image_went_knows_its_target(report: ContributionReport) -> None:
    report.remove(1)
    report.remove(0)
    assert repr(report) == "ContributionReport('house', 0 concepts, 0 images)"


def test_the_browser_can_add_a_picture(
    report: ContributionReport, explainer: MadeExplainer
) -> None:
    assert Answers(report).ask("add", image=picture_file()) == {
        "kind": "result", "id": 1, "images": 3,
    }  # fmt: skip
    assert explainer.asked[-1] == ((6, 8, 3), True)


def test_the_browser_can_remove_an_image(report: ContributionReport) -> None:
    assert Answers(report).ask("remove", place=0)["images"] == 1


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("add", {}, "got an image of NoneType; expected a file of at most 20 MB"),
        ("add", {"image": "x" * (MOST_BYTES * 2)}, "got an image of 40000000 signs"),
        ("add", {"image": "no base64!"}, "got a file that is no picture"),
        ("add", {"image": base64.b64encode(b"words").decode()}, "got a file that is no picture"),
        ("remove", {"place": 2}, "got the image 2; expected a whole number below 2"),
        ("remove", {"place": True}, "got the image True"),
        ("remove", {"place": -1}, "got the image -1"),
        ("explain", {}, "got a message of kind 'explain'"),
    ],
)
def test_a_message_that_cannot_be_done_is_answered_and_nothing_is_lost(
    report: ContributionReport, kind: str, fields: dict[str, Any], words: str
) -> None:
    before = report.evidence
    answer = Answers(report).ask(kind, **fields)
    assert answer["kind"] == "error"
    assert words in answer["text"]
    assert report.evidence == before


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_read(
    report: ContributionReport,
) -> None:
    out = BytesIO()
    Image.new("1", (MOST_PIXELS // 1000 + 1, 1000)).save(out, format="PNG")
    wide = base64.b64encode(out.getvalue()).decode()
    assert "expected at most 60 million" in Answers(report).ask("add", image=wide)["text"]


def test_an_error_of_the_explainer_is_told(
    report: ContributionReport, explainer: MadeExplainer
) -> None:
    def fail() -> None:
        raise ValueError("got a picture without a house; expected one; choose another")

    explainer.before_answer = fail
    answer = Answers(report).ask("add", image=picture_file())
    assert answer["text"].startswith("got a picture without a house")


def test_a_picture_that_was_given_up_is_not_added(
    report: ContributionReport, explainer: MadeExplainer
) -> None:
    browser = Answers(report)
    explainer.before_answer = lambda: browser.send("cancel", of=1) and None
    browser.send("add", image=picture_file())
    assert browser.ask("remove", place=0)["images"] == 1


def test_a_saved_report_says_that_another_image_takes_the_explainer(one: Contributions) -> None:
    report = ContributionReport.from_evidence(one)
    answer = Answers(report).ask("add", image=picture_file())
    assert "run ContributionReport(explainer, images)" in answer["text"]
    report.close()


def test_a_concept_can_be_chosen(report: ContributionReport) -> None:
    report.concept = MARKUP
    assert report.concept == MARKUP


def test_a_concept_that_does_not_explain_is_refused(report: ContributionReport) -> None:
    with pytest.raises(ValueError, match=r"got the concept 'engine'; expected one of 12: .* …"):
        report.concept = "engine"


def test_an_arrangement_is_kept_and_nonsense_in_it_is_not(report: ContributionReport) -> None:
    report.set_state({"view": {"chart": "pie", "all": True, "compare": 3, "table": "x", "y": 1}})
    assert report.view == {"chart": "pie", "all": True}
    report.set_state({"view": {"chart": ["pie"]}})
    assert report.view == {}


def test_a_twin_for_a_page_looks_the_same_and_has_no_explainer(report: ContributionReport) -> None:
    report.concept, report.view = "wheel", {"chart": "bars"}
    twin = report.snapshot()
    assert (twin.concept, twin.view, twin.live) == ("wheel", {"chart": "bars"}, False)
    assert twin.report == report.report
    twin.close()


def test_a_page_holds_the_figures(report: ContributionReport, tmp_path: Path) -> None:
    page = report.export_html(tmp_path / "report.html").read_text()
    assert "<title>What added to house</title>" in page
    assert page.count('"_model_name": "FigureModel"') == 6


def test_closing_leaves_no_widget_behind(explainer: MadeExplainer) -> None:
    before = set(_instances)
    report = ContributionReport(explainer, images(3))
    report.remove(1)
    figures = [one for one in _instances.values() if isinstance(one, bqplot.Figure)]
    assert len(figures) >= 6
    report.close()
    left = [one for key, one in _instances.items() if key not in before]
    assert left == []


def test_a_closed_report_lets_go_of_the_explainer(report: ContributionReport) -> None:
    report.close()
    with pytest.raises(ValueError, match="without an explainer"):
        report.add(images(1)[0])


@pytest.mark.parametrize("chart", ["waterfall", "bars", "pie"])
def test_the_picture_for_slides_shows_what_is_on_the_screen(
    report: ContributionReport, tmp_path: Path, chart: str
) -> None:
    report.view = {"chart": chart}
    with Image.open(report.export_png(tmp_path / "plain.png")) as plain:
        assert plain.width == 1920
        before = np.asarray(plain)
    report.concept = "wheel"
    with Image.open(report.export_png(tmp_path / "wheel.png")) as chosen:
        assert (np.asarray(chosen) != before).any()


def with_map(one: Contributions, values: Any) -> Contributions:
    return replace(one, attention=np.array(values, dtype=float))


@pytest.mark.parametrize(
    ("peak", "where"),
    [
        ((0, 0), "at the top left"),
        ((0, 3), "at the top"),
        ((3, 3), "in the middle"),
        ((3, 6), "at the right"),
        ((6, 1), "at the bottom left"),
    ],
)
def test_it_is_said_where_grad_cam_is_strongest(
    one: Contributions, peak: tuple[int, int], where: str
) -> None:
    values = np.zeros((7, 7))
    values[peak] = 2.0
    said = attention(with_map(one, values))
    assert f"features.30 speaks for house: most {where}, at least half as much in 2.0 %" in said


def test_why_there_is_no_grad_cam_is_said(one: Contributions) -> None:
    flat = replace(one, attention=None, attention_note="The map is flat.")
    assert attention(flat) == "The map is flat."


def test_of_a_file_of_before_it_is_said_that_grad_cam_was_not_saved(one: Contributions) -> None:
    assert "saved without Grad-CAM" in attention(replace(one, attention=None))


def test_grad_cam_travels_to_half_a_step_and_of_no_extent_where_there_is_none(
    one: Contributions,
) -> None:
    none = replace(one, attention=None, attention_note="The map is flat.")
    report = ContributionReport.from_evidence([none, one])
    sent = report.attention
    assert sent["extent"] == [[0, 0], [7, 7]]
    found = np.frombuffer(sent["data"], np.uint8).reshape(7, 7) * sent["step"][1]
    assert found == pytest.approx(one.attention, abs=0.51 * sent["step"][1])
    assert report.report["images"][0]["attention"] == "The map is flat."
    report.close()


def test_grad_cam_on_the_screen_is_kept_and_goes_into_a_page(report: ContributionReport) -> None:
    report.set_state({"view": {"attention": True}})
    twin = report.snapshot()
    assert twin.view == {"attention": True}
    assert twin.attention == report.attention
    twin.close()


def test_a_picture_with_grad_cam_has_it_beside_one_image_and_below_several(
    report: ContributionReport, one: Contributions
) -> None:
    for shown, taller in (((one,), 0), (report.contributions, 300 + 44)):
        reading = ContributionTable.of(shown)
        plain, seen = (
            draw_contributions(reading, ReportState(attention=on)) for on in (False, True)
        )
        assert seen.height - plain.height == taller
        assert seen.tobytes() != plain.tobytes()


def test_a_picture_says_why_there_is_no_grad_cam(one: Contributions) -> None:
    drawn = [
        draw_contributions(
            ContributionTable.of([replace(one, attention=None, attention_note=note)]), look
        )
        for note in ("The map is flat.", "The map is nowhere positive.")
        for look in [ReportState(attention=True)]
    ]
    assert drawn[0].tobytes() != drawn[1].tobytes()


def test_unfolded_concepts_make_a_taller_picture(one: Contributions) -> None:
    reading = ContributionTable.of([one])
    folded, whole = (
        draw_contributions(reading, ReportState(whole=w)).height for w in (False, True)
    )
    assert whole - folded == 40 * (12 - 8)


def test_the_rows_of_a_picture_lead_from_bias_to_score(one: Contributions) -> None:
    rows = rows_of(ContributionTable.of([one]), one, whole=False, floating=True)
    assert [rows[0].name, rows[-3].name, rows[-2].name] == ["bias", "5 others", "unexplained"]
    assert rows[-2].start + rows[-2].value == pytest.approx(one.score)
    assert (rows[-1].name, rows[-1].value, rows[-1].start) == ("score", one.score, 0.0)


def test_a_report_without_an_image_has_no_picture(explainer: MadeExplainer, tmp_path: Path) -> None:
    report = ContributionReport(explainer)
    with pytest.raises(ValueError, match="got a report without an image; expected at least one"):
        report.export_png(tmp_path / "none.png")
    report.close()


def test_contributions_say_how_far_they_agree_with_concepts_taken_out(one: Contributions) -> None:
    drops = 2 * one.values
    checked = ContributionReport.from_evidence(replace(one, drops=drops, baseline=None))
    card = checked.report["images"][0]
    assert card["check"] == {
        "r": 1.0, "rank": 1.0, "rest": 1.0, "count": len(drops), "parts": "concepts", "images": 1,
        "lines": [
            f"agrees with ablation: r = 1.00 ({len(drops)} concepts)",
            "r = 1.00 without the one that stands out most",
        ],
    }  # fmt: skip
    assert card["total"] == pytest.approx(max(0, 1 - abs(one.unexplained) / one.span))
    plain = ContributionReport.from_evidence(one)
    assert plain.report["images"][0]["check"] is None


# what was named stands by itself


def test_named_concepts_stand_alone_beside_what_nobody_named() -> None:
    names, values = ["hood", "other filters", "wheel", "glass"], [0.02, 6.18, -0.05, 0.01]
    found = MadeExplainer(names, values).explain(images(1)[0])
    report = ContributionReport.from_evidence(found)
    payload = report.report
    assert payload["names"][:3] == sorted(
        ("hood", "wheel", "glass"), key=lambda name: -abs(dict(found)[name])
    )
    assert (payload["names"][3], payload["shown"], payload["unnamed"]) == ("other filters", 4, 3)
    table = ContributionTable.of([found])
    bars = bar_data(table, found)
    assert bars["colors"][3] == REST
    assert bars["colors"][0] != REST
    assert slice_colour(table, 3) == SLICES[-1]
    report.close()


def test_where_everything_is_named_nothing_is_unnamed(report: ContributionReport) -> None:
    assert report.report["unnamed"] is None
