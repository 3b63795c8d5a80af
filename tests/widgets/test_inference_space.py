"""Inferences in space, on the kernel's side: what travels, is said, is asked and is refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import hexplain_widgets as hx
from hexplain_widgets.evidence import InferenceComparison
from hexplain_widgets.widgets.inference_space.payload import (
    BOLD,
    coarser,
    point_name,
    space_payload,
    with_mean,
)
from hexplain_widgets.widgets.inference_space.view import MOST_KEPT, InferenceSpace
from hexplain_widgets.widgets.inference_space.words import LENGTHS
from tests.widgets.answers import Answers, to_the_browser_and_back
from tests.widgets.made import scene
from tests.widgets.made_inference import CHANNELS, MARKUP, made_inference
from tests.widgets.made_space import SETS, LevelChain, made_comparison


@pytest.fixture
def chain() -> LevelChain:
    return LevelChain()


@pytest.fixture
def live(chain: LevelChain) -> Iterator[InferenceSpace]:
    images = {name: [scene(32)] * 20 for name in SETS}
    view = InferenceSpace(made_comparison(), chain, images=images)
    yield view
    view.close()


@pytest.fixture
def saved() -> Iterator[InferenceSpace]:
    view = InferenceSpace.from_evidence(made_comparison(counts=4, inferences=True))
    yield view
    view.close()


def test_a_view_says_what_it_shows(saved: InferenceSpace) -> None:
    assert repr(saved) == "InferenceSpace(['pool', 'hedge', 'curb'], 12 images, level 'scene')"
    assert saved.title == "How house is inferred in pool, hedge and curb"


def test_evidence_comes_back_as_it_was() -> None:
    evidence = made_comparison()
    assert InferenceSpace(evidence).evidence is evidence
    assert InferenceSpace.from_evidence(evidence).evidence is evidence


def test_a_comparison_finds_its_view() -> None:
    view = hx.show(made_comparison())
    assert isinstance(view, InferenceSpace)
    view.close()


def test_points_travel_as_numbers_of_four_bytes(saved: InferenceSpace) -> None:
    points = np.frombuffer(saved.space["points"], np.float32).reshape(-1, 3)
    np.testing.assert_allclose(points, saved.evidence.points, rtol=1e-6)


def test_an_image_is_called_by_its_set_and_its_number_in_it() -> None:
    evidence = made_comparison(counts=4)
    assert [point_name(evidence, i) for i in (0, 3, 4, 11)] == [
        "pool 1", "pool 4", "hedge 1", "curb 4",
    ]  # fmt: skip


def test_thumbnails_are_small_and_in_the_order_of_the_points() -> None:
    large = tuple(np.full((300, 200, 3), 40 * i, np.uint8) for i in range(3))
    evidence = replace(made_comparison(("a", "b", "c"), 1), images=large)
    places = InferenceSpace(evidence).thumbnails["places"]
    assert [start for start, _ in places] == list(np.cumsum([0, *(n for _, n in places[:-1])]))
    assert sum(length for _, length in places) < 6_000


def test_points_without_thumbnails_show_what_their_inferences_were_shown() -> None:
    evidence = made_comparison(counts=2, images=False, inferences=True)
    assert len(InferenceSpace(evidence).thumbnails["places"]) == 6
    bare = made_comparison(counts=2, images=False)
    assert InferenceSpace(bare).thumbnails["places"] == []


def test_the_marked_entries_are_larger_than_the_spread_within_both_sets() -> None:
    table = space_payload(made_comparison())["table"]
    marks = [[entry["apart"] for entry in row] for row in table]
    assert marks == [[None, True, True], [True, None, False], [True, False, None]]


def test_p_values_travel_in_words_and_only_between_sets() -> None:
    table = space_payload(made_comparison())["table"]
    assert [entry["p"] for entry in table[1]] == ["p < 0.001", None, "p = 0.012"]
    untested = space_payload(made_comparison(tested=False))
    assert {entry["p"] for row in untested["table"] for entry in row} == {None}


def test_a_set_of_one_image_has_no_spread_and_is_not_said_to_lie_apart() -> None:
    evidence = made_comparison(("pool", "hedge"), (5, 1), flags={"hedge": "one image: no spread"})
    payload = space_payload(evidence)
    assert payload["groups"][1]["axes"] is None
    assert payload["groups"][1]["flag"] == "one image: no spread"
    assert payload["table"][1][1]["distance"] is None
    assert payload["table"][0][1]["apart"] is None


def test_a_flag_of_no_set_is_a_remark() -> None:
    payload = space_payload(made_comparison(flags={"images": "2 could not be read"}))
    assert payload["remarks"] == [BOLD, LENGTHS["unit"], "images: 2 could not be read"]


def test_sunbursts_in_the_comparison_are_all_there_with_their_names(saved: InferenceSpace) -> None:
    assert saved.charts["of"] == list(range(12))
    names = [one["name"] for one in saved.charts["inference"]["sets"]]
    assert names[:5] == ["pool 1", "pool 2", "pool 3", "pool 4", "hedge 1"]


def test_maps_of_many_inferences_are_coarse_and_keep_their_mean() -> None:
    root = made_inference().root
    fine, coarse = (
        one.children[0].children[0].children[0].heatmap for one in (root, coarser(root, 14))
    )
    assert fine is not None
    assert coarse is not None
    assert (fine.shape, coarse.shape) == ((56, 56), (14, 14))
    assert coarse.mean() == pytest.approx(fine.mean(), rel=1e-4)


@pytest.mark.parametrize(("count", "most"), [(2, 28), (9, 14)])
def test_maps_are_the_coarser_where_many_inferences_are_saved(count: int, most: int) -> None:
    view = InferenceSpace(made_comparison(counts=count, inferences=True))
    maps = view.charts["inference"]["parts"]["map"]
    assert max(side for one in maps if one for side in one["extent"]) == most


def test_the_state_survives_the_way_to_the_browser_and_into_a_file(saved: InferenceSpace) -> None:
    state = saved.get_state(["space", "thumbnails", "charts", "view"])
    assert to_the_browser_and_back(state) == state


def test_an_arrangement_from_the_browser_is_kept(saved: InferenceSpace) -> None:
    state = {
        "turn": {"yaw": 10, "pitch": -5.5, "zoom": 2},
        "spread": "spokes", "cell": "0.2", "points": [1, 7], "selected": "0", "zoom": "0.1",
    }  # fmt: skip
    saved.set_state({"view": state})
    assert saved.view == state


@pytest.mark.parametrize(
    "state",
    [
        {"turn": {"yaw": float("nan"), "pitch": 0, "zoom": 1}},
        {"turn": {"yaw": 0, "pitch": 100, "zoom": 1}},
        {"turn": {"yaw": 0, "pitch": 0, "zoom": 0}},
        {"turn": [0, 0, 1]},
        {"spread": "cubes"},
        {"cell": "0,1"},
        {"points": ["0"]},
        {"points": [0, 1, 2, 3, 4, 5, 6]},
        {"more": 1},
    ],
)
def test_nonsense_in_an_arrangement_is_not_kept(
    saved: InferenceSpace, state: dict[str, Any]
) -> None:
    saved.set_state({"view": state})
    assert saved.view == {}


def test_chosen_points_are_inferred_on_demand(live: InferenceSpace, chain: LevelChain) -> None:
    assert Answers(live).ask("infer", points=[0, 41])["points"] == [0, 41]
    assert live.charts["of"] == [0, 41]
    assert [one["name"] for one in live.charts["inference"]["sets"]] == ["pool 1", "curb 2"]
    assert chain.asked == ["explain"] * 2


def test_the_class_that_was_compared_is_what_is_explained(
    live: InferenceSpace, chain: LevelChain
) -> None:
    Answers(live).ask("infer", points=[0])
    assert chain.targets == ["house"]


def test_below_the_decision_each_images_strongest_class_is_explained(chain: LevelChain) -> None:
    evidence = made_comparison(counts=2, level="object", concepts=SETS)
    view = InferenceSpace(evidence, chain, images={name: [scene(32)] * 2 for name in SETS})
    Answers(view).ask("infer", points=[3])
    assert chain.targets == [None]
    view.close()


def test_a_point_is_inferred_once(live: InferenceSpace, chain: LevelChain) -> None:
    browser = Answers(live)
    browser.ask("infer", points=[0, 1])
    browser.ask("infer", points=[1, 0, 2])
    assert chain.asked == ["explain"] * 3


def test_of_many_inferences_the_latest_are_kept_and_those_asked_for(live: InferenceSpace) -> None:
    live._keep(dict.fromkeys(range(MOST_KEPT), made_inference()))
    Answers(live).ask("infer", points=[0, 50])
    assert len(live.charts["of"]) == MOST_KEPT
    assert {0, 50} <= set(live.charts["of"])
    assert 1 not in live.charts["of"]


def test_the_kernel_says_how_far_it_is(
    live: InferenceSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hexplain_widgets.widgets._shared.conversation.SIGN_OF_LIFE", 0)
    browser = Answers(live)
    browser.ask("infer", points=[4, 5])
    news = [(m["done"], m["total"], m["unit"]) for m in browser.said if "done" in m]
    assert list(dict.fromkeys(news)) == [(0, 2, "image"), (1, 2, "image"), (2, 2, "image")]


def test_an_inference_that_is_given_up_changes_nothing(
    live: InferenceSpace, chain: LevelChain
) -> None:
    browser, running, over = Answers(live), threading.Event(), threading.Event()

    def wait(stopped: Any) -> None:
        running.set()
        while not stopped():
            over.wait(0.01)

    chain.before_answer = wait
    asked = browser.send("infer", points=[3])
    assert running.wait(5)
    assert browser.ask("cancel", of=asked)["cancelled"] is True
    chain.before_answer = lambda stopped: None
    browser.ask("infer", points=[8])
    assert live.charts["of"] == [8]
    assert [m["kind"] for m in browser.said if m["id"] == asked and m["kind"] != "accepted"] == []


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        ("infer", {}, "expected 1 to 6 of them by number; choose them in the plot"),
        ("infer", {"points": []}, "expected 1 to 6 of them by number"),
        ("infer", {"points": list(range(7))}, "expected 1 to 6 of them by number"),
        ("infer", {"points": [True]}, "expected 1 to 6 of them by number"),
        ("infer", {"points": [60]}, "got point 60; expected a number from 0 to 59; choose it"),
        ("infer", {"points": [-1]}, "got point -1; expected a number from 0 to 59; choose it"),
        ("check", {"point": 60}, "got point 60; expected a number from 0 to 59"),
        ("check", {"point": [0]}, "expected 1 to 6 of them by number"),
        ("explain", {}, "expected one of infer, check, cancel"),
    ],
)
def test_a_message_that_cannot_be_done_is_answered(
    live: InferenceSpace, kind: str, fields: dict[str, Any], text: str
) -> None:
    answer = Answers(live).ask(kind, **fields)
    assert answer["kind"] == "error"
    assert text in answer["text"]


def test_a_point_is_held_against_ablation(live: InferenceSpace) -> None:
    found = Answers(live).ask("check", point=2)
    assert (found["count"], found["parts"]) == (CHANNELS, "channels")
    assert live.checks == {"2": {name: found[name] for name in live.checks["2"]}}
    agreements = live.evidence.agreements
    assert agreements[2] == pytest.approx(found["r"], rel=1e-5)
    assert [i for i, r in enumerate(agreements) if r is not None] == [2]


def test_what_was_checked_comes_back_with_the_evidence(
    live: InferenceSpace, tmp_path: Path
) -> None:
    Answers(live).ask("check", point=2)
    hx.save(live.evidence, tmp_path / "space.hx")
    again = InferenceSpace.from_evidence(hx.load(tmp_path / "space.hx"))
    twin = live.snapshot()
    for view in (again, twin):
        assert view.checks["2"]["r"] == live.checks["2"]["r"]
        view.close()


def test_without_chain_and_images_the_view_says_how_to_have_them() -> None:
    view = InferenceSpace(made_comparison())
    answer = Answers(view).ask("infer", points=[0])
    assert "run InferenceSpace(comparison, chain, images=sets)" in answer["text"]
    view.close()


def test_what_the_comparison_holds_is_answered_without_a_chain(saved: InferenceSpace) -> None:
    assert Answers(saved).ask("infer", points=[0, 5])["kind"] == "result"


def test_a_chain_without_images_shows_the_comparison_alone(chain: LevelChain) -> None:
    assert not InferenceSpace(made_comparison(), chain).live


def test_sets_of_images_may_come_in_another_order(chain: LevelChain) -> None:
    sizes = {"curb": 2, "pool": 3, "hedge": 4}
    images = {name: [f"{name} {i}" for i in range(n)] for name, n in sizes.items()}
    view = InferenceSpace(made_comparison(counts=(3, 4, 2)), chain, images=images)
    assert view._images[:4] == ("pool 0", "pool 1", "pool 2", "hedge 0")


def test_what_is_no_comparison_is_refused() -> None:
    with pytest.raises(TypeError, match="got dict; expected an InferenceComparison; make one with"):
        InferenceSpace({})
    with pytest.raises(TypeError, match=r"open a saved one with load\(path\)"):
        InferenceSpace.from_evidence([made_comparison()])


def test_what_is_no_chain_is_refused() -> None:
    with pytest.raises(TypeError, match="got int; expected a fitted Chain; make one with Chain"):
        InferenceSpace(made_comparison(), 3)
    with pytest.raises(TypeError, match="got NoneType; expected a fitted Chain"):
        InferenceSpace(made_comparison(), images={})


def test_images_that_are_no_mapping_of_lists_are_refused(chain: LevelChain) -> None:
    with pytest.raises(TypeError, match=r"got list as images; expected {name: \[images\]}; pass"):
        InferenceSpace(made_comparison(), chain, images=[scene(32)])
    with pytest.raises(TypeError, match="got str as the images of 'pool'; expected a list"):
        InferenceSpace(made_comparison(), chain, images=dict.fromkeys(SETS, "a.png"))


def test_images_of_other_sets_or_counts_are_refused(chain: LevelChain) -> None:
    with pytest.raises(ValueError, match="got images of pool; expected those of pool, hedge, curb"):
        InferenceSpace(made_comparison(), chain, images={"pool": [scene(32)] * 20})
    with pytest.raises(ValueError, match="got 3 images of 'pool'; expected the 20 that were comp"):
        InferenceSpace(made_comparison(), chain, images=dict.fromkeys(SETS, [scene(32)] * 3))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"points": np.zeros((0, 3)), "sets": np.zeros(0, int)}, "got a comparison without points"),
        ({"sets": np.zeros(2, int)}, "got 2 sets beside 6 points; expected one for each point;"),
        ({"images": (scene(8),)}, "got 1 images beside 6 points; expected .* or none; take what"),
    ],
)
def test_a_torn_comparison_is_refused(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        InferenceSpace(replace(made_comparison(counts=2), **fields))


def test_a_snapshot_keeps_arrangement_and_sunbursts_without_the_chain(live: InferenceSpace) -> None:
    Answers(live).ask("infer", points=[7])
    live.view = {"spread": "none", "points": [7]}
    twin = live.snapshot()
    assert (twin.live, twin.view, twin.charts) == (False, live.view, live.charts)
    twin.close()


def test_a_name_that_is_markup_is_escaped_in_the_page(tmp_path: Path) -> None:
    view = InferenceSpace(made_comparison(("a", MARKUP), 3, concepts=(MARKUP, "b")))
    page = view.export_html(tmp_path / "page.html").read_text(encoding="utf-8")
    assert MARKUP not in page
    view.close()


VIEWS: list[dict[str, Any]] = [
    {},
    {"spread": "spokes", "cell": "0.1", "points": [0, 5]},
    {"spread": "none", "turn": {"yaw": -120.0, "pitch": -40.0, "zoom": 1.5}},
]


@pytest.mark.parametrize("view", VIEWS)
def test_the_picture_for_slides_is_written(
    saved: InferenceSpace, view: dict[str, Any], tmp_path: Path
) -> None:
    saved.view = view
    with Image.open(saved.export_png(tmp_path / "space.png")) as picture:
        assert picture.width == 1920
        assert picture.getcolors(200) is None


def test_the_picture_shows_what_is_chosen_in_the_view(
    saved: InferenceSpace, tmp_path: Path
) -> None:
    pictures = []
    for i, view in enumerate(VIEWS):
        saved.view = view
        with Image.open(saved.export_png(tmp_path / f"{i}.png")) as picture:
            pictures.append(picture.tobytes())
    assert len(set(pictures)) == len(VIEWS)


ODD: list[InferenceComparison] = [
    made_comparison(("alone",), 6),
    made_comparison(("pool", "one"), (5, 1), tested=False),
    made_comparison(("one",), 1, explained_variance=np.zeros(3)),
    made_comparison(("a", "b"), 2, points=np.zeros((4, 3)), explained_variance=np.zeros(3)),
    made_comparison(tuple("abcdefghijkl"), 3),
]


@pytest.mark.parametrize("evidence", ODD, ids=lambda one: "-".join(one.names))
def test_small_and_large_comparisons_can_be_shown_and_drawn(
    evidence: InferenceComparison, tmp_path: Path
) -> None:
    view = InferenceSpace(evidence)
    low, high = view.space["box"]
    assert all(a < b for a, b in zip(low, high, strict=True))
    view.export_png(tmp_path / "odd.png")
    view.close()


def test_more_sets_than_a_picture_holds_are_refused(tmp_path: Path) -> None:
    view = InferenceSpace(made_comparison(tuple("abcdefghijklm"), 2))
    with pytest.raises(
        ValueError, match="got 13 sets; expected at most 12 on one picture; compare"
    ):
        view.export_png(tmp_path / "many.png")
    view.close()


def test_points_have_a_mean_that_names_the_lowest_once_all_are_checked() -> None:
    evidence = made_comparison()
    count = len(evidence.points)
    each = {"r": 0.9, "rest": 0.8, "count": 24, "parts": "channels"}
    some = {str(i): each for i in range(count - 1)}
    assert "all" not in with_mean(some, evidence)
    every = {**some, str(count - 1): {**each, "r": -0.12}}
    whole = with_mean(with_mean(every, evidence), evidence)["all"]
    assert (whole["images"], whole["least"], whole["rest"]) == (count, -0.12, 0.8)
    assert f"on average, but only −0.12 in {point_name(evidence, count - 1)}" in whole["lines"][0]
    undefined = {**every, "0": {**each, "r": None, "rest": None}}
    assert with_mean(undefined, evidence)["all"]["images"] == count - 1
