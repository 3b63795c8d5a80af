"""Bars of a class's strongest channels: what they show, and the two ways to choose one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import bqplot
import numpy as np
import pytest
from PIL import Image

from hexplain_widgets.widgets._shared.agreement import Wording, trust_line, with_lines
from hexplain_widgets.widgets._shared.controls import CheckControls
from hexplain_widgets.widgets.channels.bars import ChannelBars
from tests.widgets.made import MARKUP
from tests.widgets.made_chip import LAYERS, MadeChip
from tests.widgets.parts import control, eventually, only, texts

DEEP, SHALLOW = (layer.name for layer in LAYERS)


@pytest.fixture
def chip() -> MadeChip:
    return MadeChip()


@pytest.fixture
def bars(chip: MadeChip) -> Iterator[ChannelBars]:
    made = ChannelBars(chip, "zebra", top=6)
    yield made
    made.close()


def drawn(bars: ChannelBars) -> bqplot.Bars:
    return only(bars, bqplot.Bars)


def agreement(bars: ChannelBars) -> CheckControls:
    return only(bars, CheckControls)


def shown(bars: ChannelBars) -> list[int]:
    return [int(label[1:]) for label in drawn(bars).x]


def test_it_says_what_it_shows(bars: ChannelBars) -> None:
    assert repr(bars) == "ChannelBars('zebra', 6 channels, layer 'features.29')"


def test_bars_are_weights_times_mean_activation_of_the_largest(bars: ChannelBars) -> None:
    row = bars.evidence.values[0] * bars.evidence.means
    largest = np.sort(np.abs(row))[::-1][:6]
    assert np.sort(np.abs(drawn(bars).y))[::-1] == pytest.approx(largest)


def test_bars_are_signed_and_sorted_from_for_to_against(bars: ChannelBars) -> None:
    assert np.all(np.diff(drawn(bars).y) <= 0)


def test_what_speaks_for_and_against_has_different_colours(chip: MadeChip) -> None:
    bars = ChannelBars(chip, "bullfrog", top=20)
    colours = {bool(y > 0): c for y, c in zip(drawn(bars).y, drawn(bars).colors, strict=True)}
    assert colours[True] != colours[False]
    bars.close()


def test_a_click_on_a_bar_chooses_its_channel(bars: ChannelBars) -> None:
    drawn(bars).selected = [2]
    assert bars.channel == shown(bars)[2]


def test_a_second_click_on_it_chooses_nothing(bars: ChannelBars) -> None:
    drawn(bars).selected = [2]
    drawn(bars).selected = []
    assert bars.channel is None


def test_the_list_chooses_a_channel_without_a_pointer(bars: ChannelBars) -> None:
    field = control(bars, "Channel")
    field.value = field.options[1]
    assert bars.channel == shown(bars)[1]
    assert list(drawn(bars).selected) == [1]
    field.value = ""
    assert bars.channel is None


def test_a_channel_set_from_outside_is_marked(bars: ChannelBars) -> None:
    bars.channel = shown(bars)[3]
    assert list(drawn(bars).selected) == [3]
    assert control(bars, "Channel").value == f"#{shown(bars)[3]}"


@pytest.mark.parametrize("typed", ["{}", "#{}", " {} "])
def test_a_channel_is_found_by_its_number_and_has_a_bar_of_its_own(
    bars: ChannelBars, typed: str
) -> None:
    before = shown(bars)
    other = next(k for k in range(64) if k not in before)
    control(bars, "Channel").value = typed.format(other)
    assert bars.channel == other
    assert set(shown(bars)) == {*before, other}
    assert [shown(bars)[i] for i in drawn(bars).selected] == [other]
    assert np.all(np.diff(drawn(bars).y) <= 0)
    bars.channel = before[0]
    assert shown(bars) == before


@pytest.mark.parametrize("typed", ["64", "-1", "1.5", "fur", "²"])
def test_what_is_no_channel_is_refused_with_what_to_type(bars: ChannelBars, typed: str) -> None:
    control(bars, "Channel").value = typed
    assert "expected the number of a channel" in bars._problem.value
    assert bars.channel is None


def test_a_channel_of_a_wider_layer_marks_none(bars: ChannelBars) -> None:
    bars.channel = 2000
    assert drawn(bars).selected is None


def test_another_class_is_shown_when_it_is_chosen(bars: ChannelBars) -> None:
    before = shown(bars)
    control(bars, "Class").value = 5
    assert bars.target == "harbor"
    assert shown(bars) != before
    assert bars.evidence.classes == ("harbor",)


def test_the_chosen_channel_stays_when_the_class_changes(bars: ChannelBars) -> None:
    bars.channel = shown(bars)[0]
    chosen = bars.channel
    control(bars, "Class").value = 5
    assert bars.channel == chosen


def test_more_bars_are_shown_when_asked(bars: ChannelBars) -> None:
    control(bars, "Channels").value = 9
    assert len(shown(bars)) == 9


def test_channels_without_weight_have_no_bar(bars: ChannelBars) -> None:
    control(bars, "Channels").value = 40
    assert len(shown(bars)) == int(np.count_nonzero(bars.evidence.values[0]))


def test_another_layer_is_shown_when_it_is_chosen_and_clears_the_mark(bars: ChannelBars) -> None:
    bars.channel = 3
    control(bars, "Layer").value = SHALLOW
    assert (bars.layer, bars.evidence.layer, bars.channel) == (SHALLOW, SHALLOW, None)


def test_the_list_of_layers_follows_the_layer(bars: ChannelBars) -> None:
    bars.layer = SHALLOW
    assert control(bars, "Layer").value == SHALLOW


def test_a_class_without_any_weight_is_told_with_what_to_do(
    bars: ChannelBars, chip: MadeChip
) -> None:
    chip.importance(DEEP)[5] = 0
    control(bars, "Class").value = 5
    assert "no channel of features.29 has a weight for harbor" in texts(bars)
    assert "refit with a smaller sparsity" in texts(bars)


def test_an_error_of_the_chip_is_shown_in_the_view(
    bars: ChannelBars, chip: MadeChip, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("got NaN; expected numbers; fit again")

    monkeypatch.setattr(chip, "matrix", fail)
    control(bars, "Class").value = 5
    assert "got NaN; expected numbers; fit again" in texts(bars)


def test_it_works_from_importance_alone(chip: MadeChip) -> None:
    bars = ChannelBars.from_evidence(chip.matrix(), target="pony")
    assert bars.target == "pony"
    control(bars, "Class").value = 0
    row = chip.importance()[0] * bars.evidence.means
    assert float(np.abs(drawn(bars).y).max()) == pytest.approx(float(np.abs(row).max()))
    bars.close()


def test_saved_importance_shows_its_first_class_if_none_is_named(chip: MadeChip) -> None:
    bars = ChannelBars.from_evidence(chip.matrix(["pony", "zebra"]))
    assert bars.target == "pony"
    bars.close()


def test_a_class_that_saved_importance_has_not_is_refused_with_the_nearest(chip: MadeChip) -> None:
    with pytest.raises(ValueError, match=r"got the class 'tree forg'; .*nearest are 'tree frog'"):
        ChannelBars.from_evidence(chip.matrix(), target="tree forg")


def test_what_is_no_importance_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a ChannelImportance"):
        ChannelBars.from_evidence(3)


def test_a_class_name_that_is_markup_is_escaped_in_the_table(chip: MadeChip) -> None:
    bars = ChannelBars(chip, MARKUP)
    assert MARKUP not in texts(bars)
    assert "&lt;img" in texts(bars)
    bars.close()


def test_the_bars_are_there_as_a_table(bars: ChannelBars) -> None:
    first = f"<th scope='row'>#{shown(bars)[0]}</th><td>{drawn(bars).y[0]:.4g}</td>"
    assert first in texts(bars)


def test_a_snapshot_shows_the_same_bars_without_the_chip(bars: ChannelBars) -> None:
    bars.channel = shown(bars)[1]
    twin = bars.snapshot()
    assert shown(twin) == shown(bars)
    assert (twin.target, twin.channel, twin.layer_names) == ("zebra", bars.channel, (DEEP,))
    twin.close()


def test_a_page_is_written(bars: ChannelBars, tmp_path: Path) -> None:
    page = bars.export_html(tmp_path / "bars.html").read_text(encoding="utf-8")
    assert "<title>Channels of zebra</title>" in page


def test_the_picture_for_slides_is_written(bars: ChannelBars, tmp_path: Path) -> None:
    with Image.open(bars.export_png(tmp_path / "bars.png")) as picture:
        assert picture.width == 1920


LABELLED = [0, 1, 2]  # the made Chip asks no more of data than which classes they have


@pytest.fixture
def held(chip: MadeChip) -> Iterator[ChannelBars]:
    """Bars of a class that can be held against ablation."""
    made = ChannelBars(chip, "bullfrog", data=LABELLED)
    yield made
    made.close()


def checked(bars: ChannelBars) -> str:
    """Press the button and wait for what it says."""
    agreement(bars).check.click()
    eventually(lambda: bool(agreement(bars).cancel.disabled))
    return str(agreement(bars).line)


def test_a_class_is_held_against_ablation_when_asked(held: ChannelBars) -> None:
    said = checked(held)
    assert "bullfrog: the order of its channels can be trusted" in said
    assert "agrees with ablation: r = 0.95 (64 channels in 8 images, 0.1 s)" in said
    assert agreement(held).check.layout.display == "none"


def test_little_agreement_is_red_and_in_words(held: ChannelBars) -> None:
    held.layer = SHALLOW
    control(held, "Class").value = 2
    said = checked(held)
    assert "zebra: the order of its channels cannot be trusted" in said
    assert "agrees poorly with ablation: r = 0.45" in said
    assert "--jp-error-color1" in said


def test_what_was_found_stays_with_its_class_and_layer(held: ChannelBars) -> None:
    checked(held)
    held.layer = SHALLOW
    assert "not checked" in agreement(held).line
    assert agreement(held).check.layout.display == ""
    held.layer = DEEP
    assert "agrees with ablation: r = 0.95" in agreement(held).line
    control(held, "Class").value = 1
    assert "not checked" in agreement(held).line


def test_a_class_without_images_in_the_data_is_told(held: ChannelBars) -> None:
    control(held, "Class").value = 5
    checked(held)
    assert "got data without an image of &#x27;harbor&#x27;" in agreement(held).said
    assert "error" not in agreement(held).said
    assert agreement(held).check.layout.display == ""
    control(held, "Class").value = 0
    assert agreement(held).said == ""


def test_a_check_can_be_cancelled(held: ChannelBars, chip: MadeChip) -> None:
    go_on = threading.Event()
    chip.before_answer = lambda: bool(go_on.wait(5))
    agreement(held).check.click()
    assert "Checking bullfrog against ablation" in agreement(held).said
    agreement(held).cancel.click()
    eventually(lambda: "Cancelled" in agreement(held).said)
    go_on.set()
    assert "not checked" in agreement(held).line


def test_without_data_there_is_no_button_and_a_word_on_what_to_pass(bars: ChannelBars) -> None:
    assert agreement(bars).check.layout.display == "none"
    assert "needs labelled images: make the view with data=images" in agreement(bars).line
    saved = ChannelBars.from_evidence(bars.evidence)
    assert "needs the model" in agreement(saved).line
    saved.close()


def test_a_class_name_that_is_markup_is_escaped_in_the_line() -> None:
    bars = ChannelBars(MadeChip([MARKUP, "pony"]), 0, data=LABELLED)
    assert MARKUP not in checked(bars)
    bars.close()


def test_a_snapshot_keeps_what_was_found(held: ChannelBars) -> None:
    said = checked(held)
    twin = held.snapshot()
    again = twin.snapshot()
    assert agreement(twin).line == agreement(again).line == said
    for one in (twin, again):
        one.close()


def test_data_that_can_be_read_once_are_refused(chip: MadeChip) -> None:
    with pytest.raises(TypeError, match="got list_iterator as data, which can be read once"):
        ChannelBars(chip, "zebra", data=iter(LABELLED))


def check(r: float | None, images: int = 1, seconds: float = 0.3) -> dict[str, Any]:
    return {"r": r, "count": 8, "parts": "channels", "images": images, "seconds": seconds}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (check(0.8), "✓</b> pond: the order of its channels can be trusted."),
        (check(0.5), "≈</b> pond: the order of its channels can be trusted in part."),
        (check(-0.12), "✗</b> pond: the order of its channels cannot be trusted."),
        (check(None, 3), "cannot be compared with ablation: all 8 channels in 3 images weigh"),
        (check(0.9, seconds=0.01), "(8 channels, &lt; 0.1 s)"),
        (check(0.9, seconds=12.4), "(8 channels, 12 s)"),
    ],
)
def test_the_line_says_how_far_a_class_agrees(found: dict[str, Any], words: str) -> None:
    wording = Wording("the order of its channels", "pond")
    assert words in trust_line(with_lines(found), wording)


# a title, and a class by typing


def test_bars_have_a_title_that_follows_the_class(bars: ChannelBars) -> None:
    assert "Channels that matter for <b>zebra</b>" in texts(bars)
    classes = control(bars, "Class")
    classes.value = next(i for name, i in classes.options if name != "zebra")
    assert f"Channels that matter for <b>{bars.target}</b>" in texts(bars)


def test_of_many_classes_one_is_found_by_typing_a_part_of_its_name(chip: MadeChip) -> None:
    few, count = chip.matrix(), 30
    names = (*(f"class {i}" for i in range(count - 1)), "Siberian_husky")
    values = np.tile(few.values[:1], (count, 1))
    many = replace(few, classes=names, values=values, fit=np.ones(count), flags={})
    bars = ChannelBars.from_evidence(many)
    find = control(bars, "Find")
    find.value = "husky"
    assert (bars.target, find.value) == ("Siberian_husky", "")
    find.value = "class"
    assert bars.target == "Siberian_husky"
    assert "29 classes have" in texts(bars)
    bars.close()
