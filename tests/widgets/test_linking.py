"""One choice for several views: a channel chosen in one is marked in all."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from hexplain_widgets.widgets._shared.linking import ChannelChoice, link_channels
from hexplain_widgets.widgets.channels.bars import ChannelBars
from hexplain_widgets.widgets.channels.matrix import ChannelMatrix
from hexplain_widgets.widgets.channels.venn import ChannelVenn
from tests.widgets.answers import Answers
from tests.widgets.made_chip import LAYERS, MadeChip

DEEP, SHALLOW = (layer.name for layer in LAYERS)
Views = tuple[ChannelVenn, ChannelMatrix, ChannelBars]


@pytest.fixture
def views() -> Iterator[Views]:
    chip = MadeChip()
    made = ChannelVenn(chip, [0, 1]), ChannelMatrix(chip), ChannelBars(chip, 0)
    yield made
    for view in made:
        view.close()


def channels(views: tuple[ChannelChoice, ...]) -> list[int | None]:
    return [view.channel for view in views]


@pytest.mark.parametrize("first", [0, 1, 2])
def test_a_channel_chosen_in_one_is_marked_in_all(views: Views, first: int) -> None:
    link_channels(*views)
    views[first].channel = 11
    assert channels(views) == [11, 11, 11]


def test_a_choice_taken_back_in_one_is_taken_back_in_all(views: Views) -> None:
    link_channels(*views)
    views[0].channel = 11
    views[2].channel = None
    assert channels(views) == [None, None, None]


def test_a_choice_from_the_browser_is_carried_on(views: Views) -> None:
    link_channels(*views)
    views[1].set_state({"channel": 7})
    assert channels(views) == [7, 7, 7]


def test_the_first_views_choice_holds_at_the_start(views: Views) -> None:
    views[0].channel, views[1].channel = 5, 6
    link_channels(*views)
    assert channels(views) == [5, 5, 5]


def test_a_view_of_another_layer_loses_its_mark(views: Views) -> None:
    venn, matrix, bars = views
    link_channels(*views)
    matrix.layer = SHALLOW
    venn.channel = 4
    assert channels(views) == [4, None, 4]
    matrix.channel = 9
    assert channels(views) == [None, 9, None]
    assert bars.layer == DEEP


def test_layers_go_their_own_ways_unless_asked(views: Views) -> None:
    link_channels(*views)
    views[0].layer = SHALLOW
    assert [view.layer for view in views] == [SHALLOW, DEEP, DEEP]


@pytest.mark.parametrize("first", [0, 1, 2])
def test_layers_turn_together_when_asked(views: Views, first: int) -> None:
    link_channels(*views, layers=True)
    views[first].layer = SHALLOW
    assert [view.layer for view in views] == [SHALLOW, SHALLOW, SHALLOW]
    views[first].channel = 3
    assert channels(views) == [3, 3, 3]


def test_a_layer_asked_for_in_the_browser_turns_all(views: Views) -> None:
    link_channels(*views, layers=True)
    Answers(views[1]).ask("layer", layer=SHALLOW)
    assert [view.evidence.layer for view in views] == [SHALLOW, SHALLOW, SHALLOW]


def test_a_saved_view_that_has_not_the_layer_stays_and_loses_its_mark(views: Views) -> None:
    saved = ChannelMatrix.from_evidence(views[1].evidence)
    link_channels(views[0], saved, layers=True)
    views[0].channel = 2
    assert saved.channel == 2
    views[0].layer = SHALLOW
    assert (saved.layer, saved.channel) == (DEEP, None)
    saved.close()


def test_a_view_that_cannot_turn_stays_says_why_and_holds_up_no_other(views: Views) -> None:
    venn, matrix, bars = views
    venn._chip.importance(SHALLOW)[0] = 0
    link_channels(matrix, venn, bars, layers=True)
    with pytest.raises(ValueError, match="refit with sparsity"):
        matrix.layer = SHALLOW
    assert [view.layer for view in views] == [DEEP, SHALLOW, SHALLOW]
    bars.channel = 3
    assert channels(views) == [None, 3, 3]


def test_after_unlink_every_view_chooses_for_itself(views: Views) -> None:
    link = link_channels(*views)
    views[0].channel = 11
    link.unlink()
    views[0].channel = 12
    assert channels(views) == [12, 11, 11]


def test_unlink_may_be_called_twice(views: Views) -> None:
    link = link_channels(*views)
    link.unlink()
    link.unlink()
    views[0].channel = 1
    assert channels(views) == [1, None, None]


def test_two_links_can_share_a_view(views: Views) -> None:
    venn, matrix, bars = views
    link_channels(venn, matrix)
    link_channels(matrix, bars)
    venn.channel = 8
    assert channels(views) == [8, 8, 8]


def test_choices_from_many_threads_leave_all_views_equal(views: Views) -> None:
    link_channels(*views, layers=True)

    def choose(view: ChannelChoice, start: int) -> None:
        for k in range(start, start + 10):
            view.channel = k

    threads = [threading.Thread(target=choose, args=(view, 10 * i)) for i, view in enumerate(views)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    views[0].channel = 31
    assert channels(views) == [31, 31, 31]


def test_a_link_says_what_it_links(views: Views) -> None:
    assert repr(link_channels(*views)) == "ChannelLink(ChannelVenn, ChannelMatrix, ChannelBars)"


def test_one_view_alone_is_refused(views: Views) -> None:
    with pytest.raises(ValueError, match="got 1 views to link; expected at least two; pass them"):
        link_channels(views[0])


@pytest.mark.usefixtures("unchecked")
def test_what_shows_no_channels_is_refused(views: Views) -> None:
    with pytest.raises(TypeError, match="got str to link; expected a view with a channel"):
        link_channels(views[0], "matrix")  # type: ignore[arg-type]
