"""Channels that classes share, on the kernel's side: what travels, is asked and is refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hexplain_widgets.evidence import ChannelImportance
from hexplain_widgets.widgets.channels.venn import MOST_PORTRAITS, ChannelVenn
from tests.widgets.answers import Answers, to_the_browser_and_back
from tests.widgets.made import MARKUP, scene
from tests.widgets.made_chip import LAYERS, MadeChip, overlap_of

DEEP, SHALLOW = (layer.name for layer in LAYERS)


@pytest.fixture
def chip() -> MadeChip:
    return MadeChip()


@pytest.fixture
def venn(chip: MadeChip) -> Iterator[ChannelVenn]:
    made = ChannelVenn(chip, ["bullfrog", "tree frog", "zebra"], image=scene(32))
    yield made
    made.close()


@pytest.fixture
def saved() -> Iterator[ChannelVenn]:
    made = ChannelVenn.from_evidence(overlap_of({("a",): 3, ("a", "b"): 2, ("b",): 1}, ["a", "b"]))
    yield made
    made.close()


def test_it_says_what_it_shows(venn: ChannelVenn) -> None:
    assert repr(venn) == "ChannelVenn(['bullfrog', 'tree frog', 'zebra'], layer 'features.29')"


def test_regions_travel_with_the_places_of_their_classes(saved: ChannelVenn) -> None:
    assert saved.overlap["regions"] == [
        {"classes": [0, 1], "channels": [3, 4]},
        {"classes": [0], "channels": [0, 1, 2]},
        {"classes": [1], "channels": [5]},
    ]


def test_similarities_travel_as_jaccard_indices(saved: ChannelVenn) -> None:
    assert saved.overlap["similarity"] == [[1.0, 0.333333], [0.333333, 1.0]]


def test_classes_are_given_by_index_too(chip: MadeChip) -> None:
    venn = ChannelVenn(chip, [0, 2])
    assert venn.evidence.classes == ("bullfrog", "zebra")
    venn.close()


def test_a_threshold_takes_the_place_of_the_number(chip: MadeChip) -> None:
    venn = ChannelVenn(chip, [0, 1], threshold=0.5)
    assert (venn.overlap["top"], venn.overlap["threshold"]) == (None, 0.5)
    venn.close()


def test_the_state_survives_the_way_to_the_browser_and_into_a_file(venn: ChannelVenn) -> None:
    Answers(venn).ask("portraits", channels=[1, 2])
    state = venn.get_state(["overlap", "portraits", "image", "view", "channel"])
    assert to_the_browser_and_back(state) == state


def test_an_arrangement_from_the_browser_is_kept_and_nonsense_in_it_is_not(
    venn: ChannelVenn,
) -> None:
    venn.set_state({"view": {"region": "0.1", "shape": "cube", "sort": "size", "limit": 3}})
    assert venn.view == {"region": "0.1", "sort": "size"}


def test_other_classes_and_another_number_are_compared(venn: ChannelVenn) -> None:
    answer = Answers(venn).ask("overlap", classes=[2, 3], top=4, layer=DEEP)
    assert answer["regions"] == len(venn.evidence.regions)
    assert venn.evidence.classes == ("zebra", "pony")
    assert venn.overlap["top"] == 4


def test_another_layer_is_asked_for_and_clears_the_chosen_channel(venn: ChannelVenn) -> None:
    venn.channel = 3
    Answers(venn).ask("overlap", classes=[0, 1], threshold=0.1, layer=SHALLOW)
    assert (venn.layer, venn.channel) == (SHALLOW, None)


def test_the_layer_can_be_set(venn: ChannelVenn) -> None:
    venn.layer = SHALLOW
    assert venn.evidence.layer == venn.overlap["layer"] == SHALLOW
    assert venn.evidence.top == 10


def test_a_layer_that_was_not_fitted_is_refused_and_nothing_is_lost(venn: ChannelVenn) -> None:
    with pytest.raises(ValueError, match=r"got the layer 'features.30'; expected one of .*nearest"):
        venn.layer = "features.30"
    assert venn.layer == venn.evidence.layer == DEEP


def test_a_layer_at_which_a_class_has_no_channel_leaves_the_view_as_it_was(
    venn: ChannelVenn, chip: MadeChip
) -> None:
    chip.importance(SHALLOW)[0] = 0
    with pytest.raises(ValueError, match="refit with sparsity"):
        venn.layer = SHALLOW
    assert venn.layer == venn.evidence.layer == DEEP


def test_portraits_are_fetched_with_their_maps_on_the_image(venn: ChannelVenn) -> None:
    assert Answers(venn).ask("portraits", channels=[5, 9])["channels"] == [5, 9]
    places = venn.portraits["places"]
    assert set(places) == {"5", "9"}
    assert places["5"]["map"]["extent"] == [6, 6]
    assert len(places["5"]["images"]) == len(places["5"]["values"]) == 5


def test_the_pictures_of_a_portrait_are_where_their_places_say(venn: ChannelVenn) -> None:
    Answers(venn).ask("portraits", channels=[5])
    start, length = venn.portraits["places"]["5"]["images"][1]
    assert venn.portraits["data"][start : start + 2] == b"\xff\xd8"
    assert venn.portraits["data"][start + length - 2 : start + length] == b"\xff\xd9"


def test_without_an_image_portraits_have_no_map(chip: MadeChip) -> None:
    venn = ChannelVenn(chip, [0, 1])
    Answers(venn).ask("portraits", channels=[5])
    assert venn.portraits["places"]["5"]["map"] is None
    assert venn.image == b""
    venn.close()


def test_portraits_stay_when_the_classes_change_and_go_with_the_layer(venn: ChannelVenn) -> None:
    browser = Answers(venn)
    browser.ask("portraits", channels=[5])
    browser.ask("overlap", classes=[0, 1], top=3, layer=DEEP)
    assert set(venn.portraits["places"]) == {"5"}
    browser.ask("overlap", classes=[0, 1], top=3, layer=SHALLOW)
    assert venn.portraits["places"] == {}


def test_no_more_than_48_portraits_are_kept(venn: ChannelVenn) -> None:
    browser = Answers(venn)
    for first in range(0, 60, 20):
        browser.ask("portraits", channels=list(range(first, first + 20)))
    assert len(venn.evidence.portraits) == MOST_PORTRAITS
    assert venn.evidence.portraits[-1].channel == 59


def test_a_question_that_was_given_up_changes_nothing(chip: MadeChip) -> None:
    venn = ChannelVenn(chip, [0, 1])
    browser, running, go_on = Answers(venn), threading.Event(), threading.Event()

    def wait() -> None:
        running.set()
        assert go_on.wait(5)

    chip.before_answer = wait
    asked = browser.send("overlap", classes=[2, 3], top=5, layer=DEEP)
    assert running.wait(5)
    assert browser.ask("cancel", of=asked)["cancelled"] is True
    go_on.set()
    chip.before_answer = lambda: None
    browser.ask("portraits", channels=[1])
    assert venn.evidence.classes == ("bullfrog", "tree frog")
    venn.close()


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        ("overlap", {}, "expected 1 to 24 of them by index"),
        ("overlap", {"classes": []}, "expected 1 to 24 of them by index"),
        ("overlap", {"classes": [True]}, "expected 1 to 24 of them by index"),
        ("overlap", {"classes": [99], "top": 3}, "expected an index from 0 to 6"),
        ("overlap", {"classes": [0]}, "expected a whole number from 1 up"),
        ("overlap", {"classes": [0], "top": 0}, "expected a whole number from 1 up"),
        ("overlap", {"classes": [0], "top": 3, "threshold": 0.1}, "the other left out"),
        ("overlap", {"classes": [0], "threshold": 0}, "a fraction above 0, up to 1"),
        ("overlap", {"classes": [0], "top": 3, "layer": "conv"}, "expected one of features.29"),
        ("portraits", {}, "expected a list of channel numbers"),
        ("portraits", {"channels": ["1"]}, "expected 1 to 24 channel numbers"),
        ("portraits", {"channels": [64]}, "expected 0 to 63"),
        ("check", {"target": 9, "layer": DEEP}, "expected the index of a class, from 0 to 6"),
        ("check", {"target": 0, "layer": DEEP}, "pass data= to ChannelVenn"),
        ("shutdown", {}, "expected one of overlap, portraits"),
    ],
)
def test_a_message_that_cannot_be_done_is_answered_and_nothing_is_lost(
    venn: ChannelVenn, kind: str, fields: dict[str, Any], text: str
) -> None:
    before = venn.evidence
    answer = Answers(venn).ask(kind, **fields)
    assert answer["kind"] == "error"
    assert text in answer["text"]
    assert venn.evidence is before


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("overlap", {"classes": [0], "top": 3, "layer": DEEP}),
        ("portraits", {"channels": [1]}),
        ("check", {"target": 0, "layer": DEEP}),
    ],
)
def test_a_view_of_saved_evidence_says_that_more_takes_the_chip(
    saved: ChannelVenn, kind: str, fields: dict[str, Any]
) -> None:
    answer = Answers(saved).ask(kind, **fields)
    assert "without a Chip" in answer["text"]
    assert "run ChannelVenn(chip, classes)" in answer["text"]


def test_a_view_of_saved_evidence_stays_at_its_layer(saved: ChannelVenn) -> None:
    with pytest.raises(ValueError, match="saved evidence holds one layer; open the view on"):
        saved.layer = SHALLOW


LABELLED = [0, 1, 2, 3]  # the made Chip asks no more of data than which classes they have


@pytest.fixture
def held(chip: MadeChip) -> Iterator[ChannelVenn]:
    """Classes that can be held against ablation."""
    made = ChannelVenn(chip, ["zebra", 0], data=LABELLED)
    yield made
    made.close()


def test_a_class_is_held_against_ablation(held: ChannelVenn) -> None:
    answer = Answers(held).ask("check", target=held.targets[0], layer=DEEP)
    assert (held.checkable, answer["r"]) == (True, 0.55)
    assert held.checks["features.29|2"]["parts"] == "channels"


def test_checks_stay_when_classes_and_layers_change(held: ChannelVenn) -> None:
    browser = Answers(held)
    browser.ask("check", target=2, layer=DEEP)
    browser.ask("overlap", classes=[3, 1], top=3, layer=DEEP)
    assert held.targets == [3, 1]
    held.layer = SHALLOW
    browser.ask("check", target=3, layer=SHALLOW)
    assert (held.targets, set(held.checks)) == ([3, 1], {"features.29|2", "features.22|3"})


def test_a_check_that_was_given_up_leaves_none(held: ChannelVenn, chip: MadeChip) -> None:
    browser, running, go_on = Answers(held), threading.Event(), threading.Event()

    def wait() -> None:
        running.set()
        assert go_on.wait(5)

    chip.before_answer = wait
    asked = browser.send("check", target=2, layer=DEEP)
    assert running.wait(5)
    assert browser.ask("cancel", of=asked)["cancelled"] is True
    go_on.set()
    chip.before_answer = lambda: None
    browser.ask("check", target=0, layer=DEEP)
    assert set(held.checks) == {"features.29|0"}


def test_a_snapshot_keeps_what_was_found(held: ChannelVenn) -> None:
    Answers(held).ask("check", target=0, layer=DEEP)
    twin = held.snapshot()
    assert (twin.checks, twin.targets, twin.checkable) == (held.checks, [2, 0], False)
    twin.close()


def test_an_unknown_class_is_refused(chip: MadeChip) -> None:
    with pytest.raises(ValueError, match="expected 'tree frog'"):
        ChannelVenn(chip, ["treefrog"])


def test_what_is_no_chip_is_refused() -> None:
    with pytest.raises(TypeError, match="got dict; expected a fitted Chip; make one with"):
        ChannelVenn({}, ["a"])


def test_an_image_without_a_model_to_look_at_it_is_refused(chip: MadeChip) -> None:
    chip.classifier_ = None
    with pytest.raises(ValueError, match="loaded without its model; expected one with it"):
        ChannelVenn(chip, [0, 1], image=scene(32))


def test_what_is_no_overlap_is_refused() -> None:
    with pytest.raises(TypeError, match="got dict as evidence; expected a ChannelOverlap; make"):
        ChannelVenn.from_evidence({})


def test_evidence_comes_back_as_it_was() -> None:
    evidence = overlap_of({("a",): 1}, ["a"])
    assert ChannelVenn.from_evidence(evidence).evidence == evidence


def test_a_snapshot_has_the_portraits_of_all_its_channels(venn: ChannelVenn) -> None:
    venn.view = {"region": "0.1"}
    twin = venn.snapshot()
    shown = {str(c) for channels in venn.evidence.regions.values() for c in channels}
    assert set(twin.portraits["places"]) == shown
    assert (twin.live, twin.view) == (False, {"region": "0.1"})
    twin.close()


def test_a_page_is_called_after_the_classes(venn: ChannelVenn, tmp_path: Path) -> None:
    page = venn.export_html(tmp_path / "venn.html").read_text(encoding="utf-8")
    assert "<title>Channels shared by bullfrog, tree frog, zebra</title>" in page


def test_a_class_name_that_is_markup_is_escaped_in_the_page(chip: MadeChip, tmp_path: Path) -> None:
    venn = ChannelVenn(chip, [MARKUP, "zebra"])
    page = venn.export_html(tmp_path / "venn.html").read_text(encoding="utf-8")
    assert MARKUP not in page
    venn.close()


def test_the_picture_for_slides_is_written(venn: ChannelVenn, tmp_path: Path) -> None:
    with Image.open(venn.export_png(tmp_path / "venn.png")) as picture:
        assert picture.width == 1920
        assert len(picture.getcolors(2**24)) > 10


def test_importance_is_no_overlap(chip: MadeChip) -> None:
    importance = chip.matrix([0])
    assert isinstance(importance, ChannelImportance)
    with pytest.raises(TypeError, match="got ChannelImportance as evidence"):
        ChannelVenn.from_evidence(importance)
