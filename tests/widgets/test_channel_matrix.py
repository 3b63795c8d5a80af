"""Classes by channels, on the kernel's side: one byte per weight, and orders to sort by."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from hexplain_widgets.widgets.channels.matrix import ChannelMatrix
from hexplain_widgets.widgets.channels.payload import bytes_of, channel_order, class_order
from hexplain_widgets.widgets.channels.picture import signed_colours
from tests.widgets.answers import Answers, to_the_browser_and_back
from tests.widgets.made_chip import CLASSES, LAYERS, PROVENANCE, MadeChip, wide_layer

DEEP, SHALLOW = (layer.name for layer in LAYERS)
ROWS = np.array([[4.0, 1, 0, 0], [0, 0, 2, 1], [3, 1, 0, 0], [0, 0, 1, 1]], np.float32)


@pytest.fixture
def chip() -> MadeChip:
    return MadeChip()


@pytest.fixture
def matrix(chip: MadeChip) -> Iterator[ChannelMatrix]:
    made = ChannelMatrix(chip)
    yield made
    made.close()


def decoded(matrix: ChannelMatrix) -> np.ndarray:
    """The weights as the browser reads them."""
    payload = matrix.matrix
    stored = np.frombuffer(zlib.decompress(payload["data"]), np.uint8)
    part = (stored.reshape(len(payload["classes"]), payload["channels"]).astype(float) - 128) / 127
    return np.sign(part) * part**2 * np.array(payload["peaks"])[:, None]


def test_it_says_what_it_shows(matrix: ChannelMatrix) -> None:
    assert repr(matrix) == "ChannelMatrix(7 classes, 64 channels, layer 'features.29')"


def test_all_classes_are_shown_where_none_are_named(matrix: ChannelMatrix) -> None:
    assert tuple(matrix.matrix["classes"]) == CLASSES


def test_classes_can_be_chosen_by_name_and_index(chip: MadeChip) -> None:
    matrix = ChannelMatrix(chip, ["zebra", 0])
    assert matrix.matrix["classes"] == ["zebra", "bullfrog"]
    matrix.close()


def test_a_weight_comes_back_to_within_a_hundredth_of_its_rows_largest(
    matrix: ChannelMatrix,
) -> None:
    values = matrix.evidence.values
    off = np.abs(decoded(matrix) - values) / np.abs(values).max(1, keepdims=True)
    assert off.max() < 0.01


def test_zero_is_exact_and_nothing_else_is_zero(matrix: ChannelMatrix) -> None:
    assert np.array_equal(decoded(matrix) == 0, matrix.evidence.values == 0)


@settings(max_examples=60, deadline=None)
@given(arrays(np.float32, (3, 5), elements=st.floats(-1e6, 1e6, width=32)))
def test_the_sign_of_every_weight_survives(values: np.ndarray) -> None:
    assert np.array_equal(np.sign(bytes_of(values).astype(int) - 128), np.sign(values))


def test_a_row_without_weights_is_all_zero() -> None:
    assert set(bytes_of(np.zeros((2, 3), np.float32)).ravel()) == {128}


def test_each_row_tells_its_non_zeros_and_its_fit(matrix: ChannelMatrix) -> None:
    values = matrix.evidence.values
    assert matrix.matrix["nonzero"] == [int(np.count_nonzero(row)) for row in values]
    assert matrix.matrix["fit"] == pytest.approx(matrix.evidence.fit.tolist())


def test_a_fit_that_is_not_known_travels_as_none(chip: MadeChip) -> None:
    evidence = chip.matrix()
    evidence.fit[2] = np.nan
    assert ChannelMatrix.from_evidence(evidence).matrix["fit"][2] is None


def test_flags_travel_with_their_class(matrix: ChannelMatrix) -> None:
    flags = dict(zip(matrix.matrix["classes"], matrix.matrix["flags"], strict=True))
    assert flags["harbor"] == "never predicted and never labelled"
    assert flags["zebra"] == ""


def test_a_channel_counts_the_classes_it_speaks_for(matrix: ChannelMatrix) -> None:
    values = matrix.evidence.values
    assert matrix.matrix["shared"][2] == int((values[:, 2] > 0).sum())


def test_the_strongest_channels_are_by_weight_times_mean(matrix: ChannelMatrix) -> None:
    row = matrix.evidence.values[0] * matrix.evidence.means
    assert matrix.matrix["strongest"][0][0][0] == int(np.abs(row).argmax())


def test_similar_classes_stand_together() -> None:
    order = class_order(ROWS).tolist()
    assert abs(order.index(0) - order.index(2)) == abs(order.index(1) - order.index(3)) == 1


def test_a_class_without_weights_does_not_stand_between_similar_ones() -> None:
    rows = np.vstack([ROWS, np.zeros((1, 4), np.float32)])
    order = class_order(rows).tolist()
    assert abs(order.index(0) - order.index(2)) == abs(order.index(1) - order.index(3)) == 1


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_classes_stand_as_they_came(count: int) -> None:
    assert class_order(ROWS[:count]).tolist() == list(range(count))


def test_channels_follow_the_class_they_matter_most_for() -> None:
    assert channel_order(ROWS[:2], np.array([1, 0])).tolist() == [2, 3, 0, 1]


def test_channels_that_matter_for_no_class_come_last() -> None:
    rows = np.array([[0.0, -1.0, 2.0]], np.float32)
    assert channel_order(rows, np.array([0])).tolist() == [2, 0, 1]


def test_the_state_survives_the_way_to_the_browser_and_into_a_file(matrix: ChannelMatrix) -> None:
    state = matrix.get_state(["matrix", "view", "channel", "layers"])
    assert to_the_browser_and_back(state) == state


def test_an_arrangement_from_the_browser_is_kept_and_nonsense_in_it_is_not(
    matrix: ChannelMatrix,
) -> None:
    window = {"x": 0, "y": 1.5, "k": 3, "l": 2}
    matrix.set_state({"view": {"rows": "alike", "columns": "colour", "row": -1, "window": window}})
    assert matrix.view == {"rows": "alike", "window": window}


def test_a_window_with_a_number_that_is_none_is_dropped(matrix: ChannelMatrix) -> None:
    window = {"x": 0, "y": float("nan"), "k": 3, "l": 2}
    matrix.set_state({"view": {"window": window}})
    assert matrix.view == {}


def test_another_layer_is_asked_for_and_clears_the_chosen_channel(matrix: ChannelMatrix) -> None:
    matrix.channel = 3
    assert Answers(matrix).ask("layer", layer=SHALLOW)["layer"] == SHALLOW
    assert (matrix.layer, matrix.channel, matrix.matrix["channels"]) == (SHALLOW, None, 32)


def test_the_layer_can_be_set(matrix: ChannelMatrix) -> None:
    matrix.layer = SHALLOW
    assert matrix.evidence.layer == SHALLOW


def test_the_chosen_classes_stay_when_the_layer_changes(chip: MadeChip) -> None:
    matrix = ChannelMatrix(chip, ["zebra", "pony"])
    matrix.layer = SHALLOW
    assert matrix.matrix["classes"] == ["zebra", "pony"]
    matrix.close()


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        ("layer", {}, "expected one of features.29, features.22"),
        ("layer", {"layer": ["features.29"]}, "expected one of features.29, features.22"),
        ("zoom", {}, "expected one of layer, classes, check, cancel"),
    ],
)
def test_a_message_that_cannot_be_done_is_answered_and_nothing_is_lost(
    matrix: ChannelMatrix, kind: str, fields: dict[str, Any], text: str
) -> None:
    before = matrix.evidence
    answer = Answers(matrix).ask(kind, **fields)
    assert answer["kind"] == "error"
    assert text in answer["text"]
    assert matrix.evidence is before


def test_a_view_of_saved_evidence_says_that_another_layer_takes_the_chip(chip: MadeChip) -> None:
    saved = ChannelMatrix.from_evidence(chip.matrix())
    answer = Answers(saved).ask("layer", layer=DEEP)
    assert "run ChannelMatrix(chip) to have it live" in answer["text"]
    saved.close()


LABELLED = [0, 1, 2]  # the made Chip asks no more of data than which classes they have


@pytest.fixture
def held(chip: MadeChip) -> Iterator[ChannelMatrix]:
    """Two classes, not in the order of the Chip's, that can be held against ablation."""
    made = ChannelMatrix(chip, ["zebra", 0], data=LABELLED)
    yield made
    made.close()


def test_a_class_is_held_against_ablation_by_its_index_among_the_chips(
    held: ChannelMatrix,
) -> None:
    assert (held.targets, held.checkable) == ([2, 0], True)
    answer = Answers(held).ask("check", target=2, layer=DEEP)
    assert (answer["r"], answer["count"], answer["images"]) == (0.55, 64, 8)
    assert held.checks["features.29|2"]["r"] == 0.55


def test_checks_of_layers_stay_apart_and_stay(held: ChannelMatrix) -> None:
    browser = Answers(held)
    for layer in (DEEP, SHALLOW):
        browser.ask("layer", layer=layer)
        browser.ask("check", target=0, layer=layer)
    found = {key: one["r"] for key, one in held.checks.items()}
    assert found == {"features.29|0": 0.95, "features.22|0": 0.85}


def test_checks_go_when_the_chip_is_fitted_otherwise(
    held: ChannelMatrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    Answers(held).ask("check", target=0, layer=DEEP)
    sparser = replace(PROVENANCE, settings={"sparsity": 0.1})
    monkeypatch.setattr("tests.widgets.made_chip.PROVENANCE", sparser)
    held.layer = SHALLOW
    assert held.checks == {}


def test_two_classes_of_one_name_have_checks_of_their_own() -> None:
    matrix = ChannelMatrix(MadeChip(["crane", "pony", "crane"]), data=LABELLED)
    browser = Answers(matrix)
    for target in matrix.targets:
        browser.ask("check", target=target, layer=DEEP)
    assert [one["r"] for one in matrix.checks.values()] == [0.95, 0.75, 0.55]
    matrix.close()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"layer": DEEP}, "got target None; expected the index of a class, from 0 to 6; choose"),
        ({"target": "zebra", "layer": DEEP}, "got target 'zebra'; expected the index of a class"),
        ({"target": True, "layer": DEEP}, "got target True; expected the index of a class"),
        ({"target": 7, "layer": DEEP}, "got target 7; expected the index of a class"),
        ({"target": 0}, "expected one of features.29, features.22"),
        ({"target": 6, "layer": DEEP}, "got data without an image of 'orchard'"),
    ],
)
def test_a_check_that_cannot_be_made_is_answered_and_leaves_none(
    held: ChannelMatrix, fields: dict[str, Any], text: str
) -> None:
    answer = Answers(held).ask("check", **fields)
    assert answer["kind"] == "error"
    assert text in answer["text"]
    assert held.checks == {}


def test_without_data_a_check_says_what_to_pass(matrix: ChannelMatrix) -> None:
    answer = Answers(matrix).ask("check", target=0, layer=DEEP)
    assert not matrix.checkable
    assert "got no images to hold 'bullfrog' against; expected labelled ones" in answer["text"]
    assert "pass data= to ChannelMatrix" in answer["text"]


def test_a_view_of_saved_evidence_says_that_a_check_takes_the_chip(chip: MadeChip) -> None:
    saved = ChannelMatrix.from_evidence(chip.matrix())
    answer = Answers(saved).ask("check", target=0, layer=DEEP)
    assert "to check against ablation takes the Chip; run ChannelMatrix(chip)" in answer["text"]
    saved.close()


def test_a_snapshot_keeps_what_was_found_and_of_which_classes(held: ChannelMatrix) -> None:
    Answers(held).ask("check", target=2, layer=DEEP)
    twin = held.snapshot()
    assert (twin.checks, twin.targets, twin.checkable) == (held.checks, [2, 0], False)
    twin.close()


def test_data_without_a_model_to_see_them_are_refused(chip: MadeChip) -> None:
    chip.classifier_ = None
    with pytest.raises(
        ValueError, match="got data, but this Chip was loaded without its model; exp"
    ):
        ChannelMatrix(chip, data=LABELLED)


def test_data_that_can_be_read_once_are_refused(chip: MadeChip) -> None:
    with pytest.raises(TypeError, match=r"can be read once; expected .* list\(data\)"):
        ChannelMatrix(chip, data=iter(LABELLED))


def test_what_is_no_importance_is_refused() -> None:
    with pytest.raises(TypeError, match="got list as evidence; expected a ChannelImportance; make"):
        ChannelMatrix.from_evidence([])


def test_what_is_no_chip_is_refused() -> None:
    with pytest.raises(TypeError, match="got list; expected a fitted Chip"):
        ChannelMatrix([])


def test_a_snapshot_keeps_the_arrangement_and_the_chosen_channel(matrix: ChannelMatrix) -> None:
    matrix.view, matrix.channel = {"rows": "alike"}, 5
    twin = matrix.snapshot()
    assert (twin.view, twin.channel, twin.live) == ({"rows": "alike"}, 5, False)
    twin.close()


def test_a_thousand_classes_of_2048_channels_weigh_less_than_a_byte_each() -> None:
    big = MadeChip([f"class {i}" for i in range(1000)], [wide_layer(2048)])
    matrix = ChannelMatrix(big)
    assert len(matrix.matrix["data"]) < 1000 * 2048 / 2
    matrix.close()


def test_the_picture_for_slides_is_written(matrix: ChannelMatrix, tmp_path: Path) -> None:
    with Image.open(matrix.export_png(tmp_path / "matrix.png")) as picture:
        assert picture.width == 1920


def test_the_picture_of_many_classes_keeps_its_height(tmp_path: Path) -> None:
    matrix = ChannelMatrix(MadeChip([f"class {i}" for i in range(120)]))
    with Image.open(matrix.export_png(tmp_path / "matrix.png")) as picture:
        assert picture.height < 1400
    matrix.close()


def test_colours_are_orange_for_blue_against_and_white_at_zero() -> None:
    plus, minus, zero = signed_colours(np.array([1.0, -1.0, 0.0])).astype(int)
    assert plus[0] > plus[2]
    assert minus[2] > minus[0]
    assert zero.tolist() == [255, 255, 255]


NAMES = tuple(f"genus species {i}" for i in range(3000))


def test_of_many_classes_the_most_frequent_are_shown_and_all_are_offered() -> None:
    matrix = ChannelMatrix(MadeChip(NAMES))
    assert matrix.targets == list(range(2970, 3000))
    assert len(matrix.matrix["classes"]) == 30 and tuple(matrix.offered) == NAMES
    assert matrix.snapshot().offered == []
    matrix.close()


def test_another_class_is_shown_on_request(chip: MadeChip) -> None:
    matrix = ChannelMatrix(MadeChip(NAMES))
    answers = Answers(matrix)
    assert answers.ask("classes", classes=[2990, 7])["classes"] == [2990, 7]
    assert matrix.matrix["classes"] == [NAMES[2990], NAMES[7]] and matrix.targets == [2990, 7]
    matrix.turn_to(SHALLOW)
    assert matrix.matrix["classes"] == [NAMES[2990], NAMES[7]]
    matrix.close()


@pytest.mark.parametrize("classes", [None, [], [-1], [3000], ["zebra"], [True], list(range(401))])
def test_a_request_for_no_class_is_answered_with_an_error(classes: Any) -> None:
    matrix = ChannelMatrix(MadeChip(NAMES))
    assert "expected" in Answers(matrix).ask("classes", classes=classes)["text"]
    assert len(matrix.targets) == 30
    matrix.close()


@pytest.mark.parametrize("count", [390, 1900, 22_000])
def test_many_classes_are_in_order_within_two_seconds(count: int) -> None:
    rows = np.random.default_rng(0).normal(size=(count, 32))
    start = time.process_time()
    order = class_order(rows)
    assert time.process_time() - start < 2
    assert np.array_equal(np.sort(order), np.arange(count))
