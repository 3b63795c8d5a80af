"""The views of localisation on the kernel's side: what is said, what travels, what is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import hexplain_widgets as hx
from hexplain_widgets.evidence.localization import MEASURES
from hexplain_widgets.evidence.store import load
from hexplain_widgets.widgets.localization_report.localization_picture import words_of
from hexplain_widgets.widgets.localization_report.payload import (
    edges_of,
    localization_payload,
    summary_payload,
)
from hexplain_widgets.widgets.localization_report.words import facts, verdict
from tests.saved import world
from tests.widgets.made_views import file_of


@pytest.fixture
def summary() -> hx.LocalizationSummary:
    return load(file_of("LocalizationSummary"))


@pytest.fixture
def view(summary) -> Iterator[hx.LocalizationReport]:
    made = hx.LocalizationReport.from_evidence(summary)
    yield made
    made.close()


@pytest.fixture
def region() -> hx.Localization:
    return load(file_of("Localization"))


def made(summary: hx.LocalizationSummary, *found: list[int], **given: Any) -> Any:
    """The same with methods that find an image or do not, the simple ones last."""
    ious = np.array(found, dtype=float)
    m, n = ious.shape
    names = ("CHIP", "Grad-CAM", "whole image", "centre box")
    kept = [*range(m - 2), *range(len(summary.methods) - 2, len(summary.methods))]
    return replace(
        summary,
        methods=(*names[: m - 2], *names[2:]),
        layers=("4",) * (m - 2) + ("", ""),
        kinds=(*names[: m - 2], *names[2:]),
        thresholds=np.full(m, 0.2),
        reasons=("",) * m,
        reference=m - 3,
        answered=given.pop("answered", np.ones((m, n), bool)),
        ious=ious,
        hits=ious,
        energies=ious,
        ranks=np.zeros(n, np.int64),
        labels=np.zeros(n, np.int64),
        masked=np.zeros(n, bool),
        areas=np.full(n, 0.5),
        places=np.arange(n),
        boxes=summary.boxes[kept],
        pictured=np.arange(len(summary.pictured)),
        **given,
    )


HALF, MOST, FEW, NONE = [1, 0] * 10, [1] * 18 + [0] * 2, [1] * 4 + [0] * 16, [0] * 20


def test_a_difference_that_counts_is_said_with_its_error(summary) -> None:
    said = verdict(made(summary, MOST, FEW, NONE, FEW))
    assert said == (
        "CHIP finds 90 % ± 7 of the boxes, Grad-CAM 20 % ± 9: 70 points more (± 11); the centre"
        " box 20 % ± 9."
    )
    fewer = verdict(made(summary, FEW, MOST, NONE, NONE))
    assert "Grad-CAM 90 % ± 7: 70 points fewer (± 11)" in fewer


def test_what_does_not_count_is_said_to_be_no_difference(summary) -> None:
    said = verdict(made(summary, HALF, HALF[::-1], HALF, NONE))
    assert said == (
        "CHIP finds 50 % ± 11 of the boxes, Grad-CAM 50 % ± 11: no difference that counts; the"
        " whole image 50 % ± 11: no difference that counts."
    )


def test_a_simple_answer_that_finds_more_is_said_so(summary) -> None:
    said = verdict(made(summary, FEW, FEW, MOST, NONE))
    assert said.endswith("; the whole image 90 % ± 7, which is more.")


def test_of_few_images_no_comparison_is_said(summary) -> None:
    said = verdict(made(summary, [1, 1, 0], [0, 0, 1], [1, 0, 0], [0, 0, 0]))
    assert "no difference" not in said
    assert said.endswith("Only 3 images are judged: too few to tell methods apart.")
    one = verdict(made(summary, [1], [0], [0], [0]))
    assert one.startswith("CHIP finds 100 % of the boxes, Grad-CAM 0 %; ")
    assert one.endswith("Only 1 image is judged: too few to tell methods apart.")


def test_where_no_method_answers_the_reasons_are_pointed_at(summary) -> None:
    answered = np.array([[False] * 20, [True] * 20, [True] * 20])
    said = verdict(made(summary, NONE, NONE, NONE, answered=answered))
    assert said == "No method has an answer on this network: see the reasons in the table."


def test_the_facts_say_where_thresholds_are_from(summary) -> None:
    assert facts(summary).startswith("8 images; thresholds found on 4 others; boxes cover ")
    settings = {"calibration": "a set of its own"}
    other = replace(summary, provenance=replace(summary.provenance, settings=settings))
    assert "found on 4 images of another set" in facts(other)


def test_figures_travel_with_boxes_and_pictures(summary) -> None:
    payload = summary_payload(summary)
    assert payload["measures"] == list(MEASURES)
    assert [row["name"] for row in payload["methods"]] == list(summary.methods)
    for m, row in enumerate(payload["methods"]):
        assert row["figures"] == [
            pytest.approx(pair, rel=1e-5) for pair in summary.figures[m].tolist()
        ]
        assert row["images"] == int(summary.answered[m].sum())
    assert len(payload["pictures"]["places"]) == len(summary.thumbnails) == len(payload["named"])
    assert payload["verdict"] == verdict(summary)
    empty = made(summary, NONE, NONE, NONE, answered=np.repeat([[False], [True], [True]], 20, 1))
    assert summary_payload(empty)["methods"][0]["figures"] == [[None, None]] * len(MEASURES)


def test_it_measures_where_it_is_given_methods() -> None:
    clf = world.classifier()
    data = [(image, label, (2, 2, 12, 12)) for image, label in world.pictures(2)]
    made = hx.LocalizationReport(["gradcam"], data, model=clf, progress=False)
    found = hx.measure_localization(["gradcam"], data, model=clf, progress=False)
    assert made.evidence == found
    assert repr(made) == f"LocalizationReport(3 methods, {len(found.places)} images)"
    made.close()


def test_what_is_no_evidence_is_refused() -> None:
    with pytest.raises(TypeError, match="got str as evidence; expected a LocalizationSummary"):
        hx.LocalizationReport.from_evidence("c.hx")
    with pytest.raises(TypeError, match="got str as evidence; expected a Localization"):
        hx.LocalizationPicture("c.hx")


def test_what_is_not_understood_of_an_arrangement_is_dropped(view) -> None:
    view.set_state({"view": {"row": -1, "measure": 1, "other": 3}})
    assert view.view == {"measure": 1}
    view.set_state({"view": {"row": 2, "measure": len(MEASURES)}})
    assert view.view == {"row": 2}


def test_a_page_and_a_picture_are_written(summary, view, tmp_path: Path) -> None:
    view.view = {"row": 1, "measure": 3}
    page = view.export_html(tmp_path / "c.html").read_text(encoding="utf-8")
    assert "<title>How well are things found: Sequential</title>" in page
    with Image.open(view.export_png(tmp_path / "c.png")) as picture:
        assert picture.width == 1920


def test_an_outline_goes_around_a_mask() -> None:
    mask = np.zeros((4, 5), dtype=bool)
    mask[1:3, 1:4] = True
    mask[2, 3] = False
    edges = {tuple(edge) for edge in edges_of(mask).tolist()}
    assert edges == {
        (1, 1, 4, 1), (3, 2, 4, 2), (1, 3, 3, 3), (1, 1, 1, 3), (4, 1, 4, 2), (3, 2, 3, 3),
    }  # fmt: skip
    assert edges_of(np.zeros((3, 3), bool)).shape == (0, 4)


def test_a_region_is_shown_with_its_box_and_the_true_one(region, tmp_path: Path) -> None:
    known = replace(region, iou=0.6, truth=(2, 2, 12, 14))
    payload = localization_payload(known)
    assert payload["box"] == list(region.box)
    assert payload["truth"] == [2, 2, 12, 14]
    assert payload["true_edges"] == []
    view = hx.show(known)
    assert isinstance(view, hx.LocalizationPicture)
    assert view.evidence == known
    page = view.export_html(tmp_path / "c.html").read_text(encoding="utf-8")
    assert f"<title>Where is {region.target}?</title>" in page
    with Image.open(view.export_png(tmp_path / "c.png")) as picture:
        assert picture.width == 1920
    view.close()


def test_what_is_said_of_a_region_is_true_of_it(region) -> None:
    found = words_of(replace(region, iou=0.6, truth=(2, 2, 12, 14)))
    assert found[0].startswith("IoU 0.60 of its box and the true one: found, as more than half")
    missed = words_of(replace(region, iou=0.5, truth=(2, 2, 12, 14)))
    assert "missed, as at most half" in missed[0]
    mask = np.zeros(region.mask.shape, bool)
    of_mask = words_of(replace(region, iou=0.2, truth=(0, 0, 1, 1), truth_mask=mask))
    assert "of the region and the true mask" in of_mask[0]
    (plain,) = words_of(replace(region, iou=None))
    assert plain.startswith(f"CHIP at {region.layer}: the largest connected part at or above 20 %")
    hint = replace(region, provenance=replace(region.provenance, method="HINT"))
    assert "of the way from the map's lowest value to its highest" in words_of(hint)[-1]
    nothing = replace(region, iou=None, mask=np.zeros_like(region.mask), box=(0, 0, 0, 0))
    assert words_of(nothing) == ("CHIP points at nothing here.",)
    assert not any("speaks for" in words for words in found)
