"""Images by methods on the kernel's side: what travels, what is drawn, what a person may set."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hexplain_widgets as hx
from hexplain_widgets.evidence.store import load
from hexplain_widgets.pictures.vector import VectorPen
from hexplain_widgets.widgets.method_grid.payload import SIDE, method_payload
from hexplain_widgets.widgets.method_grid.picture import (
    SheetLook,
    draw_methods,
    strongest,
    weakness,
    write_methods,
)
from tests.saved import world
from tests.widgets.made_views import LATER, SAVED

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def sheet() -> hx.MethodSheet:
    return load(LATER / "MethodSheet.hx")


@pytest.fixture
def view(sheet) -> Iterator[hx.MethodGrid]:
    made = hx.MethodGrid.from_evidence(sheet)
    yield made
    made.close()


def test_it_is_made_of_images_and_methods() -> None:
    chip = hx.Chip.load(SAVED / "Chip.hx", world.classifier())
    images = [image for image, _ in world.pictures(1)]
    made = hx.MethodGrid(images, [chip, (chip, "3")], targets="house", progress=False)
    assert repr(made) == "MethodGrid(3 x 2, 3 empty)"
    assert made.evidence == hx.method_grid(images, [chip, (chip, "3")], targets="house")
    assert made.title == "Where does each method look? Sequential"
    made.close()


def test_what_is_no_evidence_of_it_is_refused() -> None:
    with pytest.raises(TypeError, match="got int as evidence; expected a MethodSheet"):
        hx.MethodGrid.from_evidence(3)


def test_maps_travel_as_bytes_or_as_their_own_pictures(sheet) -> None:
    payload, start = method_payload(sheet), 0
    columns = zip(payload["extent"], payload["zero"], payload["step"], strict=True)
    for at, (extent, zero, step) in enumerate(columns):
        count, one = extent[0] * extent[1], sheet.maps[at]
        own = payload["drawn"]["places"][at][1]
        assert (own > 0, count == 0) == (one.picture is not None, one.picture is not None)
        coded = np.frombuffer(payload["data"][start : start + count], np.uint8).reshape(extent)
        if count:
            values = (coded.astype(float) - zero) * step
            assert values == pytest.approx(one.values, abs=step / 2 + 1e-6)
        start += count
    assert start == len(payload["data"])
    assert payload["high"] == pytest.approx([one.values.max() for one in sheet.maps], rel=1e-5)
    assert payload["places"] == sheet.places.tolist()
    assert len(payload["reasons"]) == len(payload["gaps"]) == 3


def test_large_maps_travel_smaller_and_keep_their_largest_value(sheet) -> None:
    values = np.zeros((2 * SIDE, 3 * SIDE), np.float32)
    values[0, 0] = 5
    large = replace(sheet.maps[0], values=values)
    payload = method_payload(replace(sheet, maps=(large, *sheet.maps[1:])))
    assert payload["extent"][0] == [round(2 * SIDE / 3), SIDE]
    assert payload["high"][0] == 5
    assert payload["grids"][0] == [2 * SIDE, 3 * SIDE]


def test_maps_share_a_scale_by_row_or_column(sheet) -> None:
    at = [i for i, (_, column) in enumerate(sheet.places.tolist()) if column == 0]
    own = [float(sheet.maps[i].values.max(initial=0)) for i in at]
    assert [strongest(sheet, i, SheetLook()) for i in at] == own
    assert {strongest(sheet, i, SheetLook("column")) for i in at} == {max(own)}
    in_row = [float(sheet.map(0, column).values.max(initial=0)) for column in (0, 1)]
    assert strongest(sheet, at[0], SheetLook("row")) == max(in_row)
    signed = max(float(np.abs(sheet.maps[i].values).max()) for i in at)
    assert strongest(sheet, at[0], SheetLook("column", signed=True)) == signed


def test_a_map_weak_beside_its_column_is_marked_on_its_own_scale(sheet) -> None:
    faint = replace(sheet.maps[0], values=sheet.maps[0].values * np.float32(1e-3))
    weak = replace(sheet, maps=(faint, *sheet.maps[1:]))
    assert weakness(weak, 0, SheetLook()) == "< 0.1 % as strong as the strongest"
    assert weakness(weak, 0, SheetLook("column")) == ""


def test_what_is_not_understood_of_an_arrangement_is_dropped(view) -> None:
    view.set_state({"view": {"scale": "all", "signed": 1, "opacity": 0.5, "at": [0, 3], "size": 9}})
    assert view.view == {"opacity": 0.5, "at": [0, 3]}
    for place in ([1], [-1, 0], [0, True], "00"):
        view.set_state({"view": {"at": place}})
        assert view.view == {}


def test_the_picture_shows_the_look(sheet, view, tmp_path: Path) -> None:
    looks = (SheetLook(), SheetLook("column"), SheetLook(signed=True), SheetLook(opacity=0.2))
    assert len({draw_methods(sheet, look).tobytes() for look in looks}) == len(looks)
    with Image.open(view.export_png(tmp_path / "g.png")) as picture:
        assert picture.width == 1920


def test_vectors_keep_words_as_words_and_maps_as_pictures(sheet, view, tmp_path: Path) -> None:
    root = ElementTree.parse(view.export_svg(tmp_path / "g.svg")).getroot()
    assert (root.get("width"), root.tag) == ("1920", f"{SVG}svg")
    words = [one.text for one in root.iter(f"{SVG}text")]
    assert "Where does each method look?" in words
    assert "guided backpropagation" in words
    assert words.count("no map") == 3
    pictures = list(root.iter(f"{SVG}image"))
    assert len(pictures) == len(sheet.images) + len(sheet.maps)
    assert all(one.get("href").startswith("data:image/jpeg;base64,") for one in pictures)
    assert not [e for e in root.iter() if e.tag == f"{SVG}script"]


def test_names_in_vectors_are_text_never_markup(sheet) -> None:
    named = replace(sheet, targets=("<script>x</script>", *sheet.targets[1:]))
    markup = write_methods(named, SheetLook())
    assert "<script" not in markup
    ElementTree.fromstring(markup)


def test_the_vector_pen_draws_where_the_other_does() -> None:
    pen = VectorPen(200, 100)
    pen.box((1, 2), (30, 40), "#123456")
    pen.outline((10, 10), (20, 20), 2, "#000000")
    pen.line([(0, 0), (5, 5.5)], 1.5, "#ff0000")
    pen.link((0, 0), (10, 20), 1.0, "#00ff00")
    pen.text((100, 50), "a & b", 12, anchor="rs")
    root = ElementTree.fromstring(pen.markup("t"))
    ground, box, edge = root.findall(f"{SVG}rect")
    assert [box.get(k) for k in ("x", "y", "width", "height")] == ["1", "2", "30", "40"]
    assert [edge.get(k) for k in ("x", "width", "stroke-width")] == ["11", "18", "2"]
    assert root.find(f"{SVG}polyline").get("points") == "0,0 5,5.5"
    assert root.find(f"{SVG}path").get("d") == "M0 0C5 0 5 20 10 20"
    text = root.find(f"{SVG}text")
    assert (text.text, text.get("text-anchor"), ground.get("fill")) == ("a & b", "end", "#ffffff")


def test_the_page_shows_what_is_on_the_screen(view, tmp_path: Path) -> None:
    view.view = {"scale": "column", "at": [1, 1]}
    twin = view.snapshot()
    assert (twin.view, twin.evidence) == (view.view, view.evidence)
    twin.close()
    page = view.export_html(tmp_path / "g.html").read_text(encoding="utf-8")
    assert "<title>Where does each method look? Sequential</title>" in page
