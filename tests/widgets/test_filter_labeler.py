"""Naming filters, on the kernel's side: what travels, what is kept, and what is refused."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hexplain_widgets.atlas.labels import MOST_NAME, FilterLabels
from hexplain_widgets.evidence.store import load, save
from hexplain_widgets.widgets import FilterLabeler, show
from hexplain_widgets.widgets.filter_labeler.picture import MOST, chosen, draw_filters, outlined
from tests.planted_filters import LAYER, Patches, network
from tests.widgets.answers import Answers, as_text, to_the_browser_and_back
from tests.widgets.made import MARKUP
from tests.widgets.made_filters import PARTS, SIDE, SILENT, sheet

LAYER_NAME = "features.17"


@pytest.fixture
def labeler() -> Iterator[FilterLabeler]:
    made = FilterLabeler.from_evidence(sheet())
    yield made
    made.close()


def labels(**changes: object) -> FilterLabels:
    given = {"layer": LAYER_NAME, "filters": 60, "names": {3: "wheel", 5: MARKUP}, "without": (1,)}
    return FilterLabels(**{**given, **changes})  # type: ignore[arg-type]


def test_it_says_what_it_shows(labeler: FilterLabeler) -> None:
    assert repr(labeler) == "FilterLabeler(60 filters, 0 named, layer 'features.17')"


def test_saved_filters_find_their_view(tmp_path: Path) -> None:
    view = show(load(save(sheet(), tmp_path / "sheet.hx")))
    assert isinstance(view, FilterLabeler)
    assert view.evidence == sheet()
    view.close()


def test_a_network_and_its_data_are_enough() -> None:
    view = FilterLabeler(network(), Patches(), LAYER)
    assert view.evidence.suggestions()[0][0] == "red"
    assert view.labels.network == view.evidence.provenance.settings["network"]
    view.close()


def test_parts_can_be_given_as_names_alone() -> None:
    view = FilterLabeler(network(), [item.image for item in Patches()], LAYER, parts=["leg", "leg"])
    assert (view.sheet["parts"], view.evidence.suggestions()) == (["leg"], {})
    view.close()


def test_names_beside_labelled_parts_are_offered_without_an_overlap() -> None:
    view = FilterLabeler(network(), Patches(), LAYER, parts=["leg", "red"])
    assert view.evidence.parts == ("red", "green", "blue", "leg")
    assert view.evidence.suggestions()[0][0] == "red"
    view.close()


def test_an_interrupt_shows_what_was_gathered_and_says_so() -> None:
    view = FilterLabeler(network(), Patches(20, stop=9), LAYER)
    assert "Stopped by an interrupt: this is what 8 of 20 images" in view.sheet["notes"][0]
    view.close()


def test_an_interrupt_before_the_first_image_is_one() -> None:
    with pytest.raises(KeyboardInterrupt):
        FilterLabeler(network(), Patches(20, stop=0), LAYER)


def test_data_without_an_image_are_refused() -> None:
    with pytest.raises(ValueError, match="got data without a single image; expected at least one"):
        FilterLabeler(network(), [], LAYER)


# what travels


def test_a_picture_that_many_filters_share_travels_once(labeler: FilterLabeler) -> None:
    pictures = labeler.sheet["pictures"]
    shown = labeler.sheet["shown"]
    assert len(pictures["places"]) == 24
    start, length = pictures["places"][shown[5][0]]
    found = np.asarray(Image.open(BytesIO(pictures["data"][start : start + length])))
    wanted = labeler.evidence.portraits[5].images[0]
    assert np.abs(found.astype(int) - wanted).mean() < 6


def test_masks_travel_as_bits_filter_by_filter(labeler: FilterLabeler) -> None:
    bits = np.frombuffer(zlib.decompress(labeler.sheet["masks"]), np.uint8)
    masks = np.unpackbits(bits.reshape(-1, SIDE * SIDE // 8), axis=1).reshape(-1, SIDE, SIDE)
    wanted = np.concatenate([one.masks for one in labeler.evidence.portraits])
    assert np.array_equal(masks.astype(bool), wanted)


def test_the_best_parts_travel_with_their_overlap_and_chance(labeler: FilterLabeler) -> None:
    iou, chance = labeler.evidence.iou, labeler.evidence.chance
    assert iou is not None
    assert chance is not None
    part, overlap = labeler.sheet["best"][0][0]
    assert (part, overlap) == (iou[0].argmax(), pytest.approx(iou[0].max(), rel=1e-5))
    assert labeler.sheet["chance"][0] == pytest.approx(chance[0], rel=1e-5)
    assert labeler.sheet["lucky"] == int((chance >= 0.04).sum())


def test_a_filter_that_never_fires_travels_without_pictures(labeler: FilterLabeler) -> None:
    assert [k for k, shown in enumerate(labeler.sheet["shown"]) if not shown] == list(SILENT)
    assert labeler.sheet["best"][SILENT[0]] == []


def test_without_labels_there_is_nothing_to_suggest() -> None:
    view = FilterLabeler.from_evidence(sheet(labelled=False))
    assert (view.sheet["lucky"], view.sheet["chance"], view.sheet["parts"]) == (None, [], [])
    assert not any(view.sheet["best"])
    view.close()


def test_the_state_survives_the_way_to_the_browser_and_into_a_file(labeler: FilterLabeler) -> None:
    state = labeler.get_state(["sheet", "names", "view", "live"])
    assert to_the_browser_and_back(state) == state


def test_hundreds_of_filters_travel_in_less_than_a_megabyte() -> None:
    view = FilterLabeler.from_evidence(sheet(512))
    size = len(view.sheet["pictures"]["data"]) + len(view.sheet["masks"])
    assert size + len(as_text(view.get_state())) < 1e6
    view.close()


# names


def test_a_name_is_kept(labeler: FilterLabeler) -> None:
    assert Answers(labeler).ask("name", filter=17, name="  front   door ")["kind"] == "result"
    assert labeler.labels.names == {17: "front door"}


def test_a_filter_can_answer_to_no_part(labeler: FilterLabeler) -> None:
    Answers(labeler).ask("name", filter=17, name="")
    assert (labeler.labels.names, labeler.labels.without) == ({}, (17,))


def test_a_name_is_taken_away(labeler: FilterLabeler) -> None:
    answers = Answers(labeler)
    answers.ask("name", filter=17, name="door")
    answers.ask("name", filter=17, name=None)
    assert labeler.names == {}


def test_names_are_text_whatever_they_hold(labeler: FilterLabeler) -> None:
    Answers(labeler).ask("name", filter=2, name=MARKUP)
    assert labeler.labels.names == {2: MARKUP}


@pytest.mark.parametrize("number", [-1, 60, 1.5, True, None, "3"])
def test_a_filter_that_the_layer_has_not_is_refused(labeler: FilterLabeler, number: object) -> None:
    answer = Answers(labeler).ask("name", filter=number, name="door")
    assert answer["kind"] == "error"
    assert "expected a number from 0 to 59" in answer["text"]
    assert labeler.names == {}


@pytest.mark.parametrize("name", ["  ", "x" * (MOST_NAME + 1), 7, ["door"]])
def test_what_is_no_name_is_refused(labeler: FilterLabeler, name: object) -> None:
    answer = Answers(labeler).ask("name", filter=3, name=name)
    assert "expected a text of 1 to 200 characters; give it a shorter one" in answer["text"]
    assert labeler.names == {}


def test_names_from_a_saved_page_are_kept_and_nonsense_among_them_is_not(
    labeler: FilterLabeler,
) -> None:
    given = {"3": "wheel", "5": "", "60": "door", "x": "door", "6": " ", "7": 5, "²": "door"}
    labeler.set_state({"names": given, "view": {"show": "part:wheel", "at": 3, "x": 1}})
    assert labeler.names == {"3": "wheel", "5": ""}
    assert labeler.view == {"show": "part:wheel", "at": 3}
    sent = {"3": "wheel", "5": "", "7": None}
    labeler.set_state({"view": {"sent": sent}})
    assert labeler.view == {"sent": sent}


@pytest.mark.parametrize(
    "view",
    [
        *({"show": "none"}, {"show": 3}, {"at": -1}, {"show": "part:"}, 5),
        *({"sent": 3}, {"sent": {"x": "door"}}, {"sent": {"3": 5}}),
    ],
)
def test_an_arrangement_that_is_none_is_dropped(labeler: FilterLabeler, view: object) -> None:
    labeler.set_state({"view": view})
    assert labeler.view == {}


def test_names_set_in_python_are_checked(labeler: FilterLabeler) -> None:
    with pytest.raises(ValueError, match=r"got a name for filter 99 of 'features\.17'"):
        labeler.names = {"99": "door"}


def test_names_are_saved_and_loaded(labeler: FilterLabeler, tmp_path: Path) -> None:
    Answers(labeler).ask("name", filter=17, name="door")
    path = labeler.save(tmp_path / "names.json")
    again = FilterLabeler.from_evidence(sheet(), path)
    assert again.labels == labeler.labels
    again.close()


def test_labels_are_gone_on_with() -> None:
    view = FilterLabeler.from_evidence(sheet(), labels())
    assert view.names == {"1": "", "3": "wheel", "5": MARKUP}
    view.close()


def test_a_file_of_another_layer_is_refused(tmp_path: Path) -> None:
    path = labels(layer="features.3").save(tmp_path / "names.json")
    with pytest.raises(ValueError, match=r"got names for the 60 filters of 'features.3'; those of"):
        FilterLabeler.from_evidence(sheet(), str(path))


def test_names_for_another_network_are_refused() -> None:
    with pytest.raises(ValueError, match="a network with other weights; this network's were"):
        FilterLabeler.from_evidence(sheet(), labels(network="def"))


def test_a_file_of_another_layer_is_refused_before_the_data_are_read() -> None:
    def data() -> Iterator[object]:
        raise AssertionError("the data were read")
        yield

    with pytest.raises(ValueError, match=r"those of '1' with its 60 were expected; take the file"):
        FilterLabeler(network(), data(), LAYER, labels=labels())


def test_another_kind_of_evidence_is_refused() -> None:
    with pytest.raises(TypeError, match="got list as evidence; expected a FilterSheet; make one"):
        FilterLabeler.from_evidence([])


# ways out


def test_a_page_holds_names_and_needs_no_kernel(tmp_path: Path) -> None:
    view = FilterLabeler.from_evidence(sheet(), labels())
    view.view = {"show": "unnamed", "at": 9}
    twin = view.snapshot()
    assert (twin.live, twin.names, twin.view) == (False, view.names, view.view)
    assert view.live
    twin.close()
    text = view.export_html(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Filters of features.17" in text
    assert MARKUP not in text
    view.close()


def test_the_picture_has_the_named_filters_part_by_part(tmp_path: Path) -> None:
    view = FilterLabeler.from_evidence(sheet(), labels(names={9: "wheel", 3: "door", 2: "wheel"}))
    assert chosen(view.evidence, view.labels) == [2, 9, 3]
    with Image.open(view.export_png(tmp_path / "filters.png")) as picture:
        assert picture.width == 1920
    view.close()


def test_without_names_the_picture_has_the_suggested_best_first() -> None:
    shown = chosen(sheet(), FilterLabels(LAYER_NAME, 60))
    found = sheet().suggestions()
    assert shown == sorted(found, key=lambda k: -found[k][1])


def test_without_suggestions_the_picture_has_those_that_fire() -> None:
    shown = chosen(sheet(labelled=False), FilterLabels(LAYER_NAME, 60))
    assert shown == [k for k in range(60) if k not in SILENT]


def test_a_picture_has_a_limit_and_counts_what_it_leaves_out() -> None:
    whole, more = (
        draw_filters(sheet(n, labelled=False), FilterLabels(LAYER_NAME, n)) for n in (62, 512)
    )
    assert MOST == 60
    assert whole.size == more.size


def test_a_layer_of_which_nothing_fires_is_drawn_as_such() -> None:
    empty = replace(sheet(8, labelled=False), portraits=(sheet(8).portraits[7],))
    assert draw_filters(empty, FilterLabels(LAYER_NAME, 1)).width == 1920


def test_what_is_not_the_region_is_dimmed() -> None:
    one = sheet().portraits[0]
    drawn = np.asarray(outlined(one, 0, SIDE)).astype(int)
    mask = one.masks[0]
    far = ~mask
    far[: SIDE // 2] = False
    assert drawn[far].mean() < 0.8 * one.images[0][far].mean()


def test_parts_and_names_are_those_of_the_evidence(labeler: FilterLabeler) -> None:
    assert labeler.sheet["parts"] == list(PARTS)
    assert labeler.sheet["layer"]["name"] == LAYER_NAME


# a filter by its number


def test_a_filter_is_looked_at_by_its_number_whatever_is_shown(labeler: FilterLabeler) -> None:
    labeler.view = {"show": "unnamed", "at": 1}
    assert labeler.filter == 1
    labeler.filter = 3
    assert labeler.view == {"show": "all", "at": 3}
    with pytest.raises(ValueError, match="got filter 4000; expected a number from 0 to"):
        labeler.filter = 4000
