"""The heatmap view on the kernel's side: what it asks of the engine, keeps, sends and writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import hexplain_widgets as hx
from hexplain_widgets.chip.engine import Chip
from hexplain_widgets.widgets.layer_heatmaps.grid import HeatmapGrid, Spot
from hexplain_widgets.widgets.layer_heatmaps.messages import cleaned
from hexplain_widgets.widgets.layer_heatmaps.picture import GridState, draw_heatmaps, strongest
from hexplain_widgets.widgets.layer_heatmaps.view import LayerHeatmaps
from tests.widgets.answers import Answers, to_the_browser_and_back
from tests.widgets.made import NAMES, scene
from tests.widgets.made_heatmaps import (
    LAYERS,
    METHODS,
    MadeChip,
    box_of,
    held_against,
    made_map,
    made_sheet,
    refined,
)

DEEP, SHALLOW = LAYERS[0].name, LAYERS[-1].name
HOUSE, ORCHARD, PASTURE, HARBOR = 0, 1, 2, 4


@pytest.fixture
def chip() -> MadeChip:
    return MadeChip()


@pytest.fixture
def view(chip: MadeChip) -> Iterator[LayerHeatmaps]:
    made = LayerHeatmaps(chip, scene(224))
    yield made
    made.close()


@pytest.fixture
def browser(view: LayerHeatmaps) -> Answers:
    return Answers(view)


@pytest.fixture
def saved() -> Iterator[LayerHeatmaps]:
    made = LayerHeatmaps.from_evidence(made_sheet(boxes=True))
    yield made
    made.close()


def spots(view: LayerHeatmaps) -> set[tuple[str, int, str]]:
    columns = view.sheet["maps"]
    return set(zip(columns["method"], columns["target"], columns["layer"], strict=True))


def asked(**fields: Any) -> dict[str, Any]:
    return {"method": "CHIP", "classes": [HOUSE], **fields}


def test_at_once_there_is_the_map_of_the_strongest_class_in_the_deepest_layer(
    view: LayerHeatmaps, chip: MadeChip
) -> None:
    assert chip.asked == [(("CHIP",), (HOUSE,), (DEEP,), False)]
    assert spots(view) == {("CHIP", HOUSE, DEEP)}


def test_the_strongest_three_classes_are_to_be_shown(view: LayerHeatmaps) -> None:
    assert view.view == {"method": "CHIP", "classes": [HOUSE, ORCHARD, PASTURE]}
    assert repr(view) == "LayerHeatmaps('house, orchard, pasture', 5 layers, 1 map)"


def test_classes_layers_methods_and_sparsity_can_be_given(chip: MadeChip) -> None:
    view = LayerHeatmaps(
        chip, scene(224), targets=["harbor", 1], layers=[SHALLOW, DEEP],
        methods=["Grad-CAM", "CHIP"], sparsity=0.05,
    )  # fmt: skip
    assert view.view == {"method": "Grad-CAM", "classes": [HARBOR, ORCHARD]}
    assert [layer["name"] for layer in view.sheet["layers"]] == [DEEP, SHALLOW]
    assert view.sparsity == 0.05


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"targets": "hause"}, "unknown class 'hause'; expected one of 5 names; the nearest"),
        ({"targets": [7]}, "got class 7; expected an index from 0 to 4"),
        ({"targets": []}, "got no targets; expected at least one class"),
        ({"layers": ["conv9"]}, r"got layers=\['conv9'\]; expected at least one, all among"),
        ({"methods": ["LIME"]}, r"got methods=\('LIME',\); expected some of CHIP"),
        ({"sparsity": 0}, "got sparsity 0; expected a number above 0 and up to 1"),
    ],
)
def test_what_the_engine_does_not_know_is_refused(
    chip: MadeChip, settings: dict[str, Any], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        LayerHeatmaps(chip, scene(224), **settings)


def test_what_is_no_engine_is_refused() -> None:
    with pytest.raises(TypeError, match="got str as chip; expected a fitted Chip; make one with"):
        LayerHeatmaps("chip", scene(224))


def test_an_engine_that_was_not_fitted_says_so() -> None:
    with pytest.raises(ValueError, match="has not seen any data"):
        LayerHeatmaps(Chip(), scene(224))


def test_an_engine_without_its_model_says_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"no model; heatmaps of an image take.*from_evidence"):
        LayerHeatmaps(MadeChip(model=False), scene(224))


def test_a_row_is_fetched_when_it_is_asked_for_and_what_was_there_is_kept(
    view: LayerHeatmaps, browser: Answers
) -> None:
    answer = browser.ask("maps", **asked(classes=[ORCHARD]))
    assert (answer["maps"], answer["errors"]) == (5, 0)
    assert spots(view) == {("CHIP", HOUSE, DEEP)} | {
        ("CHIP", ORCHARD, layer.name) for layer in LAYERS
    }


def test_a_method_with_one_map_per_class_stands_in_one_column(
    view: LayerHeatmaps, browser: Answers
) -> None:
    browser.ask("maps", **asked(method="Refined CHIP"))
    assert ("Refined CHIP", HOUSE, "") in spots(view)
    assert view.sheet["maps"]["of"][-1] == f"{SHALLOW} × {DEEP}"


def test_boxes_come_when_they_are_asked_for_with_the_threshold_of_each(
    view: LayerHeatmaps, browser: Answers
) -> None:
    browser.ask("maps", **asked(boxes=True))
    box = box_of(made_map(HOUSE, DEEP))
    assert view.sheet["maps"]["box"][0] == list(box.box)
    assert view.sheet["maps"]["threshold"] == [0.35] * 5
    assert view.sheet["maps"]["boxed"] == [1] * 5


def test_boxes_say_of_which_method_they_are(view: LayerHeatmaps, browser: Answers) -> None:
    browser.ask("maps", **asked(classes=[HOUSE]))
    browser.ask("maps", **asked(method="Grad-CAM", boxes=True))
    grid = HeatmapGrid.of(view.evidence)
    assert grid.cells[Spot("CHIP", HOUSE, DEEP)].localization is None
    assert grid.cells[Spot("Grad-CAM", HOUSE, DEEP)].localization is not None


def test_the_channels_with_a_weight_are_counted(view: LayerHeatmaps, chip: MadeChip) -> None:
    open_channels = int(np.count_nonzero(chip.weights(HOUSE, DEEP)))
    assert view.sheet["maps"]["channels"] == [[open_channels, 512]]


def test_a_refit_replaces_the_maps_and_their_counts(view: LayerHeatmaps, browser: Answers) -> None:
    before = view.sheet["maps"]["channels"][0]
    assert browser.ask("refit", **asked(sparsity=0.3))["sparsity"] == 0.3
    assert view.sheet["sparsity"] == 0.3
    assert view.sheet["maps"]["channels"][0][0] < before[0]
    assert view.evidence.provenance.settings["sparsity"] == 0.3


def test_a_refit_keeps_the_maps_that_do_not_depend_on_it(
    view: LayerHeatmaps, browser: Answers
) -> None:
    browser.ask("maps", **asked(method="Grad-CAM"))
    browser.ask("maps", **asked(classes=[ORCHARD]))
    browser.ask("refit", **asked(sparsity=0.05))
    methods = [(method, target) for method, target, _ in spots(view)]
    assert set(methods) == {("CHIP", HOUSE), ("Grad-CAM", HOUSE)}


def test_a_refit_that_was_cancelled_leaves_what_there_was(
    view: LayerHeatmaps, browser: Answers, chip: MadeChip
) -> None:
    before = view.sheet
    refitted = chip.refit(sparsity=0.2)
    refitted.heatmaps = lambda *_, stopped, **__: (  # type: ignore[method-assign]
        browser.send("cancel", of=1), chip.heatmaps(None, [HOUSE]), stopped()
    )[1]  # fmt: skip
    chip.refit = lambda *, sparsity: refitted  # type: ignore[method-assign]
    browser.send("refit", **asked(sparsity=0.2))
    browser.ask("choose", target=0)
    assert view.sheet is before
    assert view.sparsity == 0.01


def test_a_class_without_a_channel_says_which_sparsity_leaves_some_and_hides_no_other(
    view: LayerHeatmaps, browser: Answers
) -> None:
    browser.ask("refit", **asked(classes=[HARBOR, HOUSE], sparsity=0.3))
    assert {target for _, target, _ in spots(view)} == {HOUSE}
    reasons = {(target, text) for _, target, _, _, text in view.sheet["errors"]}
    assert {target for target, _ in reasons} == {HARBOR}
    assert all("refit with sparsity=0.08" in text for _, text in reasons)


def test_an_error_goes_when_the_map_can_be_had(view: LayerHeatmaps, browser: Answers) -> None:
    browser.ask("refit", **asked(classes=[HARBOR], sparsity=0.3))
    browser.ask("refit", **asked(classes=[HARBOR], sparsity=0.05))
    assert view.sheet["errors"] == []
    assert ("CHIP", HARBOR, DEEP) in spots(view)


def test_a_view_opens_although_its_first_class_has_no_channel() -> None:
    view = LayerHeatmaps(MadeChip(sparsity=0.5), scene(224), targets="harbor")
    assert view.sheet["errors"][0][:3] == ["CHIP", HARBOR, DEEP]
    assert any("refit with sparsity=0.08" in note for note in view.evidence.notes)


def test_a_map_is_checked_against_ablation_and_the_check_is_kept(
    view: LayerHeatmaps, browser: Answers, chip: MadeChip
) -> None:
    answer = browser.ask("check", method="CHIP", target=HOUSE, layer=SHALLOW)
    assert chip.checked == [("CHIP", HOUSE, SHALLOW)]
    assert (answer["count"], answer["parts"], answer["seconds"]) == (3, "channels", 0.25)
    assert view.checks[f'["CHIP",{HOUSE},"{SHALLOW}",false]']["r"] == answer["r"]


def test_checks_go_with_the_sparsity_that_they_were_made_at(
    view: LayerHeatmaps, browser: Answers
) -> None:
    browser.ask("check", method="CHIP", target=HOUSE, layer=DEEP)
    browser.ask("refit", method="CHIP", classes=[HOUSE], sparsity=0.05)
    assert view.checks == {}


def test_a_class_is_found_by_name(browser: Answers) -> None:
    answer = browser.ask("choose", target="harbor")
    assert (answer["key"], answer["name"]) == (HARBOR, "harbor")


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        ("maps", asked(method="LIME"), "expected one of CHIP, Refined CHIP"),
        ("maps", asked(method=["CHIP"]), "expected one of CHIP, Refined CHIP"),
        ("maps", asked(boxes="yes"), "and true or false"),
        ("maps", asked(plain=1), "and true or false"),
        ("maps", asked(classes=[]), "expected 1 to 24 indices below 5"),
        ("maps", asked(classes=[9]), "expected 1 to 24 indices below 5"),
        ("maps", asked(classes=[True]), "expected 1 to 24 indices below 5"),
        ("maps", asked(classes="house"), "expected 1 to 24 indices below 5"),
        ("maps", asked(layers=["conv9"]), "got layers ['conv9']; expected some of"),
        ("maps", asked(layers=[[1]]), "got layers [[1]]; expected some of"),
        ("check", {"method": "Guided CHIP", "target": 0, "layer": DEEP}, "expected one of CHIP"),
        ("check", {"method": "CHIP", "target": 99, "layer": DEEP}, "indices below"),
        ("check", {"method": "CHIP", "target": 0, "layer": "attic"}, "expected some of"),
        ("refit", asked(), "got sparsity None; expected a number above 0"),
        ("refit", asked(sparsity=1.5), "got sparsity 1.5; expected a number above 0"),
        ("refit", asked(sparsity=float("nan")), "got sparsity nan; expected a number above 0"),
        ("refit", asked(sparsity=True), "got sparsity True; expected a number above 0"),
        ("choose", {"target": "hause"}, "'house'"),
        ("choose", {"target": 5}, "expected an index from 0 to 4"),
        ("choose", {"target": None}, "expected a class name or its index"),
    ],
)
def test_a_message_that_cannot_be_done_is_answered_and_nothing_is_lost(
    view: LayerHeatmaps, browser: Answers, kind: str, fields: dict[str, Any], text: str
) -> None:
    before = view.sheet
    answer = browser.ask(kind, **fields)
    assert answer["kind"] == "error"
    assert text in answer["text"]
    assert view.sheet is before


@pytest.mark.parametrize(
    ("kind", "fields"),
    [("maps", asked()), ("refit", asked(sparsity=0.1)), ("choose", {"target": 0})],
)
def test_a_view_of_saved_evidence_says_that_more_takes_the_model(
    saved: LayerHeatmaps, kind: str, fields: dict[str, Any]
) -> None:
    answer = Answers(saved).ask(kind, **fields)
    assert "without a model" in answer["text"]
    assert "run LayerHeatmaps(chip, image)" in answer["text"]


def test_evidence_opens_without_a_model_and_comes_back_as_it_was() -> None:
    sheet = made_sheet(boxes=True, methods=("CHIP", "Guided CHIP", "guided backpropagation"))
    assert LayerHeatmaps.from_evidence(sheet).evidence == sheet


def test_the_maps_of_a_live_view_come_back_as_evidence(
    view: LayerHeatmaps, browser: Answers
) -> None:
    for target in (HOUSE, ORCHARD, PASTURE):
        browser.ask("maps", **asked(classes=[target]))
    assert view.evidence.maps == tuple(held_against(one, 0) for one in made_sheet().maps)
    assert [p.name for p in view.evidence.predictions] == list(NAMES)


def test_a_single_map_becomes_a_sheet_of_one() -> None:
    view = LayerHeatmaps.from_evidence(made_map(ORCHARD, DEEP))
    assert view.evidence.maps == (made_map(ORCHARD, DEEP),)
    assert view.view["classes"] == [ORCHARD]


def test_a_map_of_what_is_no_class_stands_under_its_name() -> None:
    view = LayerHeatmaps.from_evidence(replace(made_map(ORCHARD, DEEP), index=None, target="sky"))
    assert view.sheet["maps"]["target"] == ["sky"]
    assert view.title == "Where is sky?"


def test_a_localization_becomes_a_map_of_its_region_with_its_box() -> None:
    found = box_of(made_map(HOUSE, DEEP))
    view = LayerHeatmaps.from_evidence(found)
    assert view.evidence.localizations == (found,)
    assert np.array_equal(view.evidence.maps[0].values == 1, found.mask)
    assert view.sheet["maps"]["box"] == [list(found.box)]


def test_a_localization_that_points_at_nothing_has_no_box() -> None:
    nothing = np.zeros((224, 224), dtype=bool)
    found = replace(box_of(made_map(HOUSE, DEEP)), mask=nothing, box=(0, 0, 0, 0))
    columns = LayerHeatmaps.from_evidence(found).sheet["maps"]
    assert (columns["box"], columns["boxed"]) == ([None], [1])


def test_what_is_no_evidence_of_heatmaps_is_refused() -> None:
    with pytest.raises(TypeError, match="got dict as evidence; expected a HeatMapSheet, a HeatMap"):
        LayerHeatmaps.from_evidence({"maps": ()})


def test_maps_travel_in_one_buffer_and_come_back_to_half_a_step(saved: LayerHeatmaps) -> None:
    columns, data = saved.sheet["maps"], np.frombuffer(saved.sheet["data"], np.uint8)
    start = 0
    for i, heatmap in enumerate(saved.evidence.maps):
        height, width = columns["extent"][i]
        pixels = data[start : start + height * width].astype(np.float64).reshape(height, width)
        back = (pixels - columns["zero"][i]) * columns["step"][i]
        assert np.abs(back - heatmap.values).max() <= 0.51 * columns["step"][i]
        start += height * width
    assert start == len(data)


def test_a_method_that_draws_its_own_picture_travels_as_that_alone() -> None:
    view = LayerHeatmaps.from_evidence(made_sheet(classes=1, methods=("guided backpropagation",)))
    assert view.sheet["data"] == b""
    assert view.sheet["maps"]["picture"] == [len(view.sheet["pictures"])]
    assert view.sheet["pictures"].startswith(b"\xff\xd8")


def test_five_stages_of_three_classes_take_no_more_than_their_cells_and_6000_bytes(
    saved: LayerHeatmaps,
) -> None:
    cells = 3 * sum(layer.shape[1] * layer.shape[2] for layer in LAYERS)
    text = {name: value for name, value in saved.sheet.items() if not isinstance(value, bytes)}
    assert len(saved.sheet["data"]) == cells
    assert len(json.dumps(text)) < 6000


def test_the_state_survives_the_way_to_the_browser_and_into_a_file(saved: LayerHeatmaps) -> None:
    state = saved.get_state(["sheet", "image", "view"])
    assert to_the_browser_and_back(state) == state


def test_an_arrangement_is_kept_and_nonsense_in_it_is_not() -> None:
    good = {
        "method": "CHIP", "classes": [3, "sky"], "scale": "layer", "opacity": 0.5, "boxes": True,
        "signed": False, "selected": [3, DEEP], "pinned": True, "plain": True,
    }  # fmt: skip
    assert cleaned(good) == good
    bad = {
        "method": 3, "classes": [True], "scale": "none", "opacity": 2, "boxes": 1, "signed": "no",
        "selected": [3], "pinned": None, "more": 1, "plain": "no",
    }  # fmt: skip
    assert cleaned(bad) == {}
    assert cleaned("text") == {}


def test_a_page_has_every_map_of_what_is_shown(view: LayerHeatmaps) -> None:
    twin = view.snapshot()
    assert len(twin.evidence.maps) == 15
    assert not twin.live
    assert twin.view == view.view
    twin.close()


def test_a_page_keeps_the_reasons_why_maps_are_missing() -> None:
    view = LayerHeatmaps(MadeChip(sparsity=0.5), scene(224), targets=[HOUSE, HARBOR])
    twin = view.snapshot()
    assert {target for _, target, _, _, _ in twin.sheet["errors"]} == {HARBOR}
    assert twin.title == "Where is house, harbor?"
    twin.close()


def test_a_page_is_called_after_its_classes(saved: LayerHeatmaps, tmp_path: Path) -> None:
    page = saved.export_html(tmp_path / "maps.html").read_text(encoding="utf-8")
    assert "<title>Where is house, orchard, pasture?</title>" in page


@pytest.mark.parametrize("method", METHODS)
def test_the_picture_for_slides_shows_what_is_on_the_screen(
    view: LayerHeatmaps, tmp_path: Path, method: str
) -> None:
    view.view = {**view.view, "method": method, "boxes": True, "scale": "all", "signed": True}
    with Image.open(view.export_png(tmp_path / "maps.png")) as picture:
        assert picture.width == 1920


def test_more_classes_make_a_taller_picture() -> None:
    grid = HeatmapGrid.of(made_sheet(classes=3))
    heights = [
        draw_heatmaps(grid, GridState("CHIP", dict(enumerate(NAMES[:n])))).height for n in (1, 2, 3)
    ]
    assert heights[2] - heights[1] == pytest.approx(heights[1] - heights[0], abs=1)
    assert heights[1] > heights[0]


def test_a_picture_without_a_map_is_refused() -> None:
    grid = HeatmapGrid.of(made_sheet(classes=1))
    with pytest.raises(ValueError, match="got no map of Grad-CAM for house; expected at least one"):
        draw_heatmaps(grid, GridState("Grad-CAM", {HOUSE: "house"}))


def test_the_colours_of_a_picture_end_where_its_scale_says() -> None:
    grid = HeatmapGrid.of(made_sheet(classes=2, stages=2))
    highest = {spot: float(cell.heatmap.values.max()) for spot, cell in grid.cells.items()}
    spot = Spot("CHIP", ORCHARD, DEEP)
    ends = {
        scale: strongest(grid, GridState("CHIP", {HOUSE: "h", ORCHARD: "o"}, scale), spot)
        for scale in ("map", "layer", "all")
    }
    assert ends["map"] == highest[spot]
    assert ends["layer"] == max(v for s, v in highest.items() if s.layer == DEEP)
    assert ends["all"] == max(highest.values())


def test_saved_evidence_opens_again(tmp_path: Path) -> None:
    sheet = made_sheet(classes=2, boxes=True)
    again = hx.load(hx.save(sheet, tmp_path / "maps.hx"))
    assert LayerHeatmaps.from_evidence(again).evidence == sheet


def test_a_refined_map_is_known_by_both_its_layers() -> None:
    view = LayerHeatmaps.from_evidence(refined(HOUSE, 0.01))
    assert view.sheet["methods"] == [
        {"name": "Refined CHIP", "whole": True, "weighed": True, "contested": False}
    ]


# one map, one box, one check


@pytest.fixture
def contested() -> Iterator[LayerHeatmaps]:
    made = LayerHeatmaps(MadeChip(rivals=4), scene(224))
    yield made
    made.close()


def fact(view: LayerHeatmaps, name: str, kind: bool, layer: str = DEEP) -> Any:
    columns = view.sheet["maps"]
    places = zip(columns["layer"], columns["contested"], columns[name], strict=True)
    return next(value for where, held, value in places if (where, held) == (layer, kind))


def test_maps_are_held_against_other_classes_at_first_and_say_which(
    contested: LayerHeatmaps,
) -> None:
    assert contested.sheet["maps"]["contested"] == [True]
    assert contested.sheet["maps"]["rivals"] == [4]
    assert contested.sheet["maps"]["against"] == [list(NAMES[1:])]


def test_the_plain_sums_stand_beside_them_each_with_its_own_box_and_height(
    contested: LayerHeatmaps,
) -> None:
    browser = Answers(contested)
    for plain in (False, True):
        browser.ask("maps", **asked(boxes=True, plain=plain))
    plain_map = made_map(HOUSE, DEEP)
    for kind, one in ((False, plain_map), (True, held_against(plain_map, 4))):
        assert fact(contested, "box", kind) == list(box_of(one).box)
        assert fact(contested, "high", kind) == pytest.approx(one.values.max(), rel=1e-5)
        assert fact(contested, "foreign", kind) == 0
    assert fact(contested, "box", False) != fact(contested, "box", True)


def test_a_check_is_of_the_map_that_is_looked_at(contested: LayerHeatmaps) -> None:
    browser = Answers(contested)
    spot = {"method": "CHIP", "target": HOUSE, "layer": DEEP}
    held = browser.ask("check", **spot)
    plain = browser.ask("check", **spot, plain=True)
    assert held["r"] == 0.0
    assert plain["r"] > 0.9
    keys = [f'["CHIP",0,"{DEEP}",{kind}]' for kind in ("true", "false")]
    assert [contested.checks[key]["r"] for key in keys] == [held["r"], plain["r"]]


def test_a_page_and_a_picture_show_the_kind_that_is_on_the_screen(
    contested: LayerHeatmaps, tmp_path: Path
) -> None:
    contested.view = {**contested.view, "plain": True, "boxes": True}
    twin = contested.snapshot()
    assert twin.view["plain"]
    columns = twin.sheet["maps"]
    kinds = zip(columns["contested"], columns["boxed"], strict=True)
    assert {held for held, boxed in kinds if boxed} == {False}
    pictures = {}
    for plain in (False, True):
        contested.view = {**contested.view, "plain": plain}
        pictures[plain] = contested.export_png(tmp_path / f"{plain}.png").read_bytes()
    assert pictures[False] != pictures[True]


def test_both_kinds_come_back_from_a_file_with_their_boxes(
    contested: LayerHeatmaps, tmp_path: Path
) -> None:
    browser = Answers(contested)
    for plain in (False, True):
        browser.ask("maps", **asked(boxes=True, plain=plain))
    again = hx.load(hx.save(contested.evidence, tmp_path / "maps.hx"))
    view = LayerHeatmaps.from_evidence(again)
    assert view.evidence == contested.evidence
    for name in ("box", "contested", "rivals", "foreign"):
        assert view.sheet["maps"][name] == contested.sheet["maps"][name]
    assert view.sheet["rivals"] is None


def test_a_box_of_the_plain_sum_is_not_drawn_over_a_map_that_is_none() -> None:
    plain = made_map(HOUSE, DEEP)
    earlier = replace(
        made_sheet(classes=0),
        maps=(held_against(plain, 4),),
        localizations=(box_of(replace(plain, rivals=None)),),
    )
    view = LayerHeatmaps.from_evidence(earlier)
    assert (view.sheet["maps"]["box"], view.sheet["maps"]["foreign"]) == ([None], [1])
    assert view.evidence == earlier


def test_a_map_of_an_earlier_version_is_known_by_its_settings() -> None:
    plain = made_map(HOUSE, DEEP)
    settings = {**plain.provenance.settings, "rivals": 9}
    saved = replace(plain, provenance=replace(plain.provenance, settings=settings))
    assert (saved.rivals, saved.against) == (None, 9)
    assert replace(saved, method="Grad-CAM").against == 0
    assert LayerHeatmaps.from_evidence(saved).sheet["maps"]["rivals"] == [9]


def test_a_chip_without_rivals_has_plain_sums_alone(view: LayerHeatmaps, browser: Answers) -> None:
    browser.ask("maps", **asked(plain=False))
    assert set(view.sheet["maps"]["contested"]) == {False}
