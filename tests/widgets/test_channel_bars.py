"""Bars of a class's strongest channels: what they show, and the two ways to choose one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hexplain_widgets.widgets.channel_bars import ChannelBars
from tests.widgets.made import MARKUP
from tests.widgets.made_chip import LAYERS, MadeChip

DEEP, SHALLOW = (layer.name for layer in LAYERS)


@pytest.fixture
def chip() -> MadeChip:
    return MadeChip()


@pytest.fixture
def bars(chip: MadeChip) -> Iterator[ChannelBars]:
    made = ChannelBars(chip, "zebra", top=6)
    yield made
    made.close()


def shown(bars: ChannelBars) -> list[int]:
    return [int(label[1:]) for label in bars._bars.x]


def test_it_says_what_it_shows(bars: ChannelBars) -> None:
    assert repr(bars) == "ChannelBars('zebra', 6 channels, layer 'features.29')"


def test_bars_are_weights_times_mean_activation_of_the_largest(bars: ChannelBars) -> None:
    row = bars.evidence.values[0] * bars.evidence.means
    largest = np.sort(np.abs(row))[::-1][:6]
    assert np.sort(np.abs(bars._bars.y))[::-1] == pytest.approx(largest)


def test_bars_are_signed_and_sorted_from_for_to_against(bars: ChannelBars) -> None:
    assert np.all(np.diff(bars._bars.y) <= 0)


def test_what_speaks_for_and_against_has_different_colours(chip: MadeChip) -> None:
    bars = ChannelBars(chip, "bullfrog", top=20)
    colours = {bool(y > 0): c for y, c in zip(bars._bars.y, bars._bars.colors, strict=True)}
    assert colours[True] != colours[False]
    bars.close()


def test_a_click_on_a_bar_chooses_its_channel(bars: ChannelBars) -> None:
    bars._bars.selected = [2]
    assert bars.channel == shown(bars)[2]


def test_a_second_click_on_it_chooses_nothing(bars: ChannelBars) -> None:
    bars._bars.selected = [2]
    bars._bars.selected = []
    assert bars.channel is None


def test_the_list_chooses_a_channel_without_a_pointer(bars: ChannelBars) -> None:
    bars._chosen.value = shown(bars)[1]
    assert bars.channel == shown(bars)[1]
    assert list(bars._bars.selected) == [1]


def test_a_channel_set_from_outside_is_marked(bars: ChannelBars) -> None:
    bars.channel = shown(bars)[3]
    assert list(bars._bars.selected) == [3]
    assert bars._chosen.value == shown(bars)[3]


def test_a_channel_without_a_bar_is_kept_and_marks_none(bars: ChannelBars) -> None:
    other = next(k for k in range(64) if k not in shown(bars))
    bars.channel = other
    assert bars.channel == other
    assert bars._bars.selected is None


def test_another_class_is_shown_when_it_is_chosen(bars: ChannelBars) -> None:
    before = shown(bars)
    bars._class.value = 5
    assert bars.target == "harbor"
    assert shown(bars) != before
    assert bars.evidence.classes == ("harbor",)


def test_the_chosen_channel_stays_when_the_class_changes(bars: ChannelBars) -> None:
    bars.channel = shown(bars)[0]
    chosen = bars.channel
    bars._class.value = 5
    assert bars.channel == chosen


def test_more_bars_are_shown_when_asked(bars: ChannelBars) -> None:
    bars._top.value = 9
    assert len(shown(bars)) == 9


def test_channels_without_weight_have_no_bar(bars: ChannelBars) -> None:
    bars._top.value = 40
    assert len(shown(bars)) == int(np.count_nonzero(bars.evidence.values[0]))


def test_another_layer_is_shown_when_it_is_chosen_and_clears_the_mark(bars: ChannelBars) -> None:
    bars.channel = 3
    bars._where.value = SHALLOW
    assert (bars.layer, bars.evidence.layer, bars.channel) == (SHALLOW, SHALLOW, None)


def test_the_list_of_layers_follows_the_layer(bars: ChannelBars) -> None:
    bars.layer = SHALLOW
    assert bars._where.value == SHALLOW


def test_a_class_without_any_weight_is_told_with_what_to_do(
    bars: ChannelBars, chip: MadeChip
) -> None:
    chip.importance(DEEP)[5] = 0
    bars._class.value = 5
    assert "no channel of features.29 has a weight for harbor" in bars._problem.value
    assert "refit with a smaller sparsity" in bars._problem.value


def test_an_error_of_the_chip_is_shown_in_the_view(
    bars: ChannelBars, chip: MadeChip, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("got NaN; expected numbers; fit again")

    monkeypatch.setattr(chip, "matrix", fail)
    bars._class.value = 5
    assert "got NaN; expected numbers; fit again" in bars._problem.value


def test_it_works_from_importance_alone(chip: MadeChip) -> None:
    bars = ChannelBars.from_evidence(chip.matrix(), target="pony")
    assert bars.target == "pony"
    bars._class.value = 0
    row = chip.importance()[0] * bars.evidence.means
    assert float(np.abs(bars._bars.y).max()) == pytest.approx(float(np.abs(row).max()))
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
    assert MARKUP not in bars._table.value
    assert "&lt;img" in bars._table.value
    bars.close()


def test_the_bars_are_there_as_a_table(bars: ChannelBars) -> None:
    first = f"<th scope='row'>#{shown(bars)[0]}</th><td>{bars._bars.y[0]:.4g}</td>"
    assert first in bars._table.value


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
