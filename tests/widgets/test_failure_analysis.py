"""The view of a failure: what it shows of evidence, and what can be asked for live."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import bqplot
import ipywidgets
import numpy as np
import pytest
import torch
from ipywidgets.widgets.widget import _instances
from PIL import Image
from torch import nn

import hexplain_widgets as hx
from hexplain_widgets.widgets import DecompositionTree, FailureAnalysis, show
from hexplain_widgets.widgets._shared.tree_pair import TreePair
from hexplain_widgets.widgets.failure_analysis.brush import OcclusionBrush
from hexplain_widgets.widgets.failure_analysis.parts import ChannelPanel, FailureControls
from tests.planted_failure import GREEN, RED, classifier, dog, ear
from tests.widgets.answers import Answers, tell
from tests.widgets.made_failure import DOG, made_failure, made_occlusion, made_portraits
from tests.widgets.parts import eventually, every, only


def controls(view: FailureAnalysis) -> FailureControls:
    return only(view, FailureControls)


def channels(view: FailureAnalysis) -> ChannelPanel:
    return only(view, ChannelPanel)


def trees(view: FailureAnalysis) -> list[Any]:
    return [cell.children[1] for cell in only(view, TreePair).children]


@pytest.fixture
def saved() -> Iterator[FailureAnalysis]:
    view = FailureAnalysis.from_evidence(
        made_failure(occlusion=made_occlusion(), **made_portraits())
    )
    yield view
    view.close()


@pytest.fixture
def live() -> Iterator[FailureAnalysis]:
    """A dog with a red ear, named a cat."""
    view = FailureAnalysis(classifier(), dog(), "dog", top_k=1)
    yield view
    view.close()


def pressed(view: FailureAnalysis, button: str) -> None:
    """Press a button and wait until the work is done."""
    getattr(controls(view), button).click()
    eventually(lambda: not controls(view).compare.disabled)


# what it shows


def test_it_says_what_it_shows(saved: FailureAnalysis) -> None:
    assert repr(saved) == "FailureAnalysis('cat' instead of 'dog', channel 328)"
    assert saved.title == "cat instead of dog"
    assert "Named cat (90 %), should be dog (6.0 %)." in saved.children[0].value


def test_both_trees_stand_under_one_header(saved: FailureAnalysis) -> None:
    assert [tree.evidence.target.name for tree in trees(saved)] == ["cat", "dog"]
    assert not any(tree.live for tree in trees(saved))


def test_words_stand_in_the_place_of_a_tree_that_cannot_be() -> None:
    view = FailureAnalysis.from_evidence(made_failure(replace(DOG, logit=-1.2)))
    assert isinstance(trees(view)[0], DecompositionTree)
    assert isinstance(trees(view)[1], ipywidgets.HTML)
    assert "only a decision in favour can be taken apart" in trees(view)[1].value
    view.close()


def test_the_bars_are_the_contributions_of_the_channels(saved: FailureAnalysis) -> None:
    bars = only(saved, bqplot.Bars)
    assert list(bars.x) == ["#328", "#12", "#40"]
    assert bars.y == pytest.approx(np.array([[1.5, 0.6, 0.4], [0.5, -0.2, 0.1]]))


def test_a_click_on_a_bar_chooses_its_channel(saved: FailureAnalysis) -> None:
    bars = only(saved, bqplot.Bars)
    tell(bars, {"event": "element_click", "data": {"index": 2}})
    assert channels(saved).chosen == 2
    assert "Channel 40 of features.29" in only(saved, ipywidgets.Stack).children[2].value


def test_evidence_is_the_same_after_saving_and_showing(tmp_path: Path) -> None:
    one = made_failure(occlusion=made_occlusion(), **made_portraits())
    view = show(hx.load(hx.save(one, tmp_path / "f.hx")))
    assert isinstance(view, FailureAnalysis)
    assert view.evidence == one
    view.close()


def test_other_things_are_refused() -> None:
    with pytest.raises(TypeError, match="got int as evidence; expected a Failure; take what"):
        FailureAnalysis.from_evidence(3)


def test_a_saved_view_says_what_it_takes_to_ask(saved: FailureAnalysis) -> None:
    with pytest.raises(ValueError, match="without a model; another class takes the model; run"):
        saved.compare("dog")
    with pytest.raises(ValueError, match="without a model; to cover a region takes the model"):
        saved.cover(ear())


# live


def test_the_channel_that_decides_is_the_planted_one(live: FailureAnalysis) -> None:
    assert live.evidence is not None
    assert live.evidence.deciding == RED
    assert "Without channel 0 the network names dog" in live.children[0].value
    assert [tree.live for tree in trees(live)] == [True, True]
    assert trees(live)[1].evidence.root.children[0].channel == GREEN


def test_covering_the_ear_names_the_dog_and_stays_in_the_evidence(live: FailureAnalysis) -> None:
    assert live.cover(ear()).named.name == "dog"
    assert live.evidence is not None
    assert live.evidence.occlusion == live.occlusion


def test_an_image_that_is_named_rightly_offers_its_runner_up() -> None:
    view = FailureAnalysis(classifier(), dog(), "cat")
    assert view.evidence is None
    assert repr(view) == "FailureAnalysis('cat', rightly named)"
    assert "as it should be: there is no failure to analyse" in view.children[0].value
    assert controls(view).runner_up.description == "Compare with dog"
    with pytest.raises(ValueError, match="nothing to draw: the image is classified rightly;"):
        view.export_png("nowhere.png")
    pressed(view, "runner_up")
    assert view.evidence is not None
    assert view.evidence.true.name == "dog"
    assert controls(view).runner_up.layout.display == "none"
    view.close()


def test_an_image_that_is_named_rightly_can_be_covered() -> None:
    """Both scores move, and the page without a model shows what was covered."""
    view = FailureAnalysis(classifier(), dog(), "cat")
    covered = view.cover(ear())
    assert (covered.named.name, covered.wrong.name, covered.right.name) == ("dog", "cat", "dog")
    brush = view.children[-1]
    assert isinstance(brush, OcclusionBrush)
    assert brush.scores["rightly"]
    still = view.snapshot()
    assert still.children[-1].scores == brush.scores
    assert not still.children[-1].live
    assert view.compare("dog").occlusion.named.name == "dog"
    for one in (still, view):
        one.close()


def test_a_network_of_one_class_has_nothing_to_cover() -> None:
    """There is no other score that could move."""
    alone = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(1))
    alone(torch.ones(1, 3, 8, 8))
    model = hx.Classifier(alone, scores="multilabel")
    view = FailureAnalysis(model, torch.ones(1, 3, 8, 8), 0)
    with pytest.raises(ValueError, match=r"nothing to cover: .* knows no other class"):
        view.cover(np.zeros((56, 56), bool))
    view.close()


def test_another_class_is_compared_and_the_wrong_tree_stays(live: FailureAnalysis) -> None:
    first = trees(live)[0]
    controls(live).true.value = "bird"
    pressed(live, "compare")
    assert live.evidence.true.name == "bird"
    assert live.evidence.right is None
    assert trees(live)[0] is first


def test_what_is_covered_stays_covered_for_another_class(live: FailureAnalysis) -> None:
    live.cover(ear(), "blur")
    found = live.compare("bird")
    assert found is not None
    assert found.occlusion is not None
    assert np.array_equal(found.occlusion.mask, ear())
    assert (found.occlusion.fill, found.occlusion.right.name) == ("blur", "bird")


def test_the_class_that_is_named_is_said_to_be_right(live: FailureAnalysis) -> None:
    assert live.compare("cat") is None
    assert "there is no failure" in live.children[0].value
    assert live.compare("dog").deciding == RED


def test_an_unknown_class_is_said_in_the_view(live: FailureAnalysis) -> None:
    controls(live).true.value = "dug"
    pressed(live, "compare")
    assert "the nearest are &#x27;dog&#x27;" in controls(live).said
    assert live.evidence.true.name == "dog"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"true": "dug"}, "the unknown class 'dug'; .* the nearest are 'dog'"),
        ({"true": "dog", "data": []}, "got data without a single image; expected at least one"),
        ({"true": "dog", "data": 3}, "got int as data; expected a Dataset, a DataLoader or"),
        ({"true": "dog", "channels": 0}, "got channels=0; expected at least 1; leave it out"),
        ({"true": "dog", "top_k": 0}, "got top_k=0; expected a whole number of at least 1"),
        ({"true": 3}, "got class 3; expected an index from 0 to 2"),
    ],
)
def test_bad_input_is_refused_and_leaves_nothing_behind(settings: Any, said: str) -> None:
    before = set(_instances)
    with pytest.raises((ValueError, IndexError, TypeError), match=said):
        FailureAnalysis(classifier(), dog(), **settings)
    assert named(before) == []


def named(before: set[str]) -> list[str]:
    """The widgets that came since."""
    gc.collect()
    return sorted(type(one).__name__ for key, one in _instances.items() if key not in before)


def test_a_closed_view_leaves_neither_widgets_nor_threads() -> None:
    before, threads = set(_instances), threading.active_count()
    view = FailureAnalysis(classifier(), dog(), "dog")
    view.compare("bird")
    view.compare("cat")
    view.compare("dog")
    view.close()
    assert named(before) == []
    eventually(lambda: threading.active_count() <= threads)


def test_data_give_exemplars_that_can_be_cancelled() -> None:
    waiting, going = threading.Event(), threading.Event()

    class Data:
        """Images that come at once the first time, and wait for a word the second."""

        def __init__(self) -> None:
            self.times = 0

        def __iter__(self) -> Iterator[Any]:
            self.times += 1
            for _ in range(9):
                yield dog()[0], 1
            if self.times > 1:
                waiting.set()
                going.wait(20)
                yield dog()[0], 1

    view = FailureAnalysis(classifier(), dog(), "dog", data=Data())
    assert view.evidence.labels[0] == ("dog",)
    controls(view).true.value = "bird"
    controls(view).compare.click()
    assert waiting.wait(20)
    controls(view).cancel.click()
    going.set()
    eventually(lambda: "Cancelled: what was there stays." in controls(view).said)
    assert view.evidence.true.name == "dog"
    view.close()


def test_a_tree_that_shows_another_class_does_not_change_the_evidence(live) -> None:
    first = live.evidence
    Answers(trees(live)[0]).ask("retarget", target=1)
    assert trees(live)[0].evidence.target.name == "dog"
    assert live.evidence.wrong == first.wrong


# ways out


def test_a_twin_has_what_is_on_the_screen(live: FailureAnalysis) -> None:
    live.cover(ear())
    channels(live).choose(1)
    twin = live.snapshot()
    assert (twin.occlusion, repr(twin)) == (live.occlusion, repr(live))
    assert channels(twin).chosen == 1
    assert every(twin, FailureControls) == []
    twin.close()


def test_it_is_written_as_a_page_without_its_model(live: FailureAnalysis, tmp_path: Path) -> None:
    before = len(only(live, ipywidgets.Stack).children)
    page = live.export_html(tmp_path / "failure.html").read_text()
    assert "<title>cat instead of dog</title>" in page
    assert len(only(live, ipywidgets.Stack).children) == before


@pytest.mark.parametrize("logit", [4.0, -1.2])
def test_it_is_drawn_for_slides(tmp_path: Path, logit: float) -> None:
    view = FailureAnalysis.from_evidence(
        made_failure(replace(DOG, logit=logit), occlusion=made_occlusion(), **made_portraits())
    )
    with Image.open(view.export_png(tmp_path / "failure.png")) as picture:
        assert picture.width == 1920
        assert picture.height > 1500
    view.close()
