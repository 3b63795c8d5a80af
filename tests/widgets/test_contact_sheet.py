"""The contact sheet on the kernel's side: what travels, what is drawn, what a person may set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hexplain_widgets as hx
from hexplain_widgets.evidence.store import load
from hexplain_widgets.widgets.layer_heatmaps.contact_sheet import (
    draw_sheet,
    peaks_of,
    sheet_payload,
    shown_of,
)
from tests.saved import world
from tests.widgets.made_views import LATER, SAVED


@pytest.fixture
def maps() -> hx.ClassHeatMaps:
    return load(LATER / "ClassHeatMaps.hx")


@pytest.fixture
def view(maps) -> Iterator[hx.ContactSheet]:
    made = hx.ContactSheet.from_evidence(maps)
    yield made
    made.close()


def test_it_is_made_of_a_fitted_chip_and_images() -> None:
    chip = hx.Chip.load(SAVED / "Chip.hx", world.classifier())
    images = [image for image, _ in world.pictures(1)]
    made = hx.ContactSheet(chip, images, "house", progress=False)
    assert repr(made) == "ContactSheet('house', 3 images, layer '4')"
    assert made.evidence == chip.class_heatmaps(images, "house")
    assert made.title == "Where is house?"
    made.close()


def test_what_is_no_chip_and_no_evidence_is_refused() -> None:
    with pytest.raises(TypeError, match="got str as chip; expected a fitted Chip"):
        hx.ContactSheet("chip", [])
    with pytest.raises(TypeError, match="got int as evidence; expected a ClassHeatMaps"):
        hx.ContactSheet.from_evidence(3)


def test_maps_travel_as_bytes_that_stand_for_their_values(maps) -> None:
    payload = sheet_payload(maps)
    start = 0
    for one, extent, zero, step in zip(
        maps.maps, payload["extent"], payload["zero"], payload["step"], strict=True
    ):
        count = extent[0] * extent[1]
        coded = np.frombuffer(payload["data"][start : start + count], np.uint8).reshape(extent)
        assert (coded.astype(float) - zero) * step == pytest.approx(one.values, abs=step / 2 + 1e-6)
        start += count
    assert payload["high"] == pytest.approx(peaks_of(maps), rel=1e-5)
    assert [one["index"] for one in payload["named"]] == [one.index for one in maps.predictions]
    assert len(payload["pictures"]["places"]) == len(maps.maps)


def test_those_named_otherwise_can_be_shown_alone(maps) -> None:
    wrong = replace(maps.predictions[0], index=2, name="beach")
    mixed = replace(maps, predictions=(wrong, *maps.predictions[1:]))
    so = [i for i, named in enumerate(mixed.named_so) if named]
    assert 0 not in so
    assert shown_of(mixed, {"show": "so"}) == so
    assert shown_of(mixed, {"show": "otherwise"}) == [i for i in range(4) if i not in so]
    assert shown_of(mixed, {}) == [0, 1, 2, 3]


def test_what_is_not_understood_of_an_arrangement_is_dropped(view) -> None:
    view.set_state({"view": {"show": "none", "scale": "all", "size": 9000, "at": 2}})
    assert view.view == {"scale": "all", "at": 2}


def test_a_picture_marks_what_is_named_otherwise(maps, view, tmp_path: Path) -> None:
    wrong = tuple(replace(one, index=2, name="beach") for one in maps.predictions)
    same = draw_sheet(maps, "map", [0, 1])
    other = draw_sheet(replace(maps, predictions=wrong), "map", [0, 1])
    assert np.asarray(same).tobytes() != np.asarray(other).tobytes()
    with Image.open(view.export_png(tmp_path / "s.png")) as picture:
        assert picture.width == 1920


def test_the_page_shows_what_is_on_the_screen(view, tmp_path: Path) -> None:
    view.view = {"scale": "all"}
    twin = view.snapshot()
    assert (twin.view, twin.evidence) == (view.view, view.evidence)
    twin.close()
    page = view.export_html(tmp_path / "s.html").read_text(encoding="utf-8")
    assert "<title>Where is house?</title>" in page
