"""Concepts from scene to color, on the kernel's side: what travels, is asked and is refused."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageColor

import hexplain_widgets as hx
from hexplain_widgets.pictures.colours import paler
from hexplain_widgets.widgets.concept_inference.merging import (
    concept_colours,
    explained_of,
    first_open,
    link_of,
    merged,
    part_of,
    placed_words,
)
from hexplain_widgets.widgets.concept_inference.sunburst_picture import REST, draw_sunbursts, slices
from hexplain_widgets.widgets.concept_inference.tree_picture import draw_tree
from hexplain_widgets.widgets.concept_inference.view import (
    ConceptSunburst,
    ConceptTree,
    InferenceView,
)
from hexplain_widgets.widgets.show import show
from tests.widgets.answers import Answers, to_the_browser_and_back
from tests.widgets.made import scene
from tests.widgets.made_inference import CHANNELS, LEVELS, MARKUP, MadeChain, made_inference

VIEWS = (ConceptTree, ConceptSunburst)
SETS = ("pool", "hedge", "curb")
both = pytest.mark.parametrize("kind", VIEWS)


@pytest.fixture
def chain() -> MadeChain:
    return MadeChain()


@pytest.fixture(params=VIEWS)
def live(request: Any, chain: MadeChain) -> Iterator[InferenceView]:
    made = request.param(chain, scene(48))
    yield made
    made.close()


@pytest.fixture(params=VIEWS)
def saved(request: Any) -> Iterator[InferenceView]:
    made = request.param.from_evidence([made_inference(name=name) for name in SETS])
    yield made
    made.close()


def concepts(view: InferenceView) -> list[str]:
    found: list[str] = view.inference["nodes"]["concept"]
    return found


def test_a_view_says_what_it_shows() -> None:
    tree = ConceptTree.from_evidence(made_inference())
    assert repr(tree) == "ConceptTree('house', 80 concepts, scene to color)"
    rings = ConceptSunburst.from_evidence([made_inference(name=name) for name in SETS])
    assert repr(rings) == "ConceptSunburst('house', 64 + 48 + 58 concepts, scene to color)"
    tree.close()
    rings.close()


@both
def test_evidence_comes_back_as_it_was(kind: type[InferenceView]) -> None:
    evidence = made_inference()
    assert kind.from_evidence(evidence).evidence is evidence
    assert kind.from_evidence([evidence, evidence]).evidence == (evidence, evidence)


def test_an_inference_is_shown_as_a_tree() -> None:
    view = show(made_inference())
    assert isinstance(view, ConceptTree)
    view.close()


def test_ready_evidence_takes_the_place_of_an_image() -> None:
    tree = ConceptTree(None, {"a": made_inference(), "b": made_inference()})
    assert tree.set_names == ("a", "b")
    assert not tree.live


def test_names_are_those_of_the_mapping(chain: MadeChain) -> None:
    rings = ConceptSunburst(chain, {"pool": scene(32), "curb": scene(32)}, target="orchard")
    assert [one.name for one in rings.inferences] == ["pool", "curb"]
    assert {one.target.name for one in rings.inferences} == {"orchard"}


def test_images_without_names_are_called_by_their_place(chain: MadeChain) -> None:
    assert ConceptSunburst(chain, [scene(32), scene(32)]).set_names == ("Image 1", "Image 2")


def test_a_set_of_images_is_explained_as_a_class(chain: MadeChain) -> None:
    tree = ConceptTree(chain, {"pool": [scene(32)] * 3, "hedge": [scene(32)] * 4}, target="house")
    assert chain.asked == ["explain_class"] * 2
    assert [one["images"] for one in tree.inference["sets"]] == [3, 4]


def test_a_class_has_thumbnails_and_no_maps() -> None:
    tree = ConceptTree.from_evidence(made_inference(name="pool", images=20))
    assert [len(places) for places in tree.pictures["places"]] == [21]
    assert not any(tree.inference["parts"]["map"])


def test_one_tree_holds_all_sets(saved: InferenceView) -> None:
    parts = saved.inference["parts"]
    sets = {name: set() for name in concepts(saved)}
    for node, place in zip(parts["node"], parts["set"], strict=True):
        sets[concepts(saved)[node]].add(SETS[place])
    assert sets["curb"] == {"curb"}
    assert sets["hedge"] == {"hedge"}
    assert sets["roof"] == set(SETS)


def test_children_come_by_weight_and_what_speaks_against_comes_last() -> None:
    root = merged([made_inference()])
    weights = [child.known[0][1].weight for child in root.children]
    assert weights == sorted(weights, reverse=True)
    assert weights[-1] < 0


def test_concepts_of_one_name_below_one_parent_both_stay() -> None:
    evidence = made_inference()
    twice = (*evidence.root.children, evidence.root.children[0])
    found = merged([replace(evidence, root=replace(evidence.root, children=twice))])
    assert len(found.children) == len(twice)


def test_parts_of_the_weights_of_both_signs_add_up_to_one() -> None:
    root = made_inference().root
    assert sum(part_of(child, root) for child in root.children) == pytest.approx(1)
    assert part_of(root, None) == 1


def test_a_map_that_comes_twice_travels_once() -> None:
    evidence = made_inference()
    once, twice = (
        ConceptTree.from_evidence([evidence] * count).inference["maps"] for count in (1, 2)
    )
    assert len(once) == len(twice)


def test_few_concepts_are_all_open_and_of_many_the_strongest_branch() -> None:
    many = merged([made_inference()])
    assert (0,) in first_open(many)
    assert (1,) not in first_open(many)
    few = made_inference().root.children[:1]
    evidence = replace(made_inference(), root=replace(made_inference().root, children=few))
    assert len(first_open(merged([evidence]))) == 12


def test_the_same_concept_has_the_same_colour_everywhere() -> None:
    root = merged([made_inference(name=name) for name in SETS])
    colours = concept_colours(root, LEVELS)
    seen: dict[tuple[int, str], set[str]] = {}
    for path, one in root.walk():
        seen.setdefault((one.depth, one.concept), set()).add(colours[path])
    assert {len(found) for found in seen.values()} == {1}


def test_colors_look_as_they_are_called() -> None:
    root = merged([made_inference()])
    colours = concept_colours(root, LEVELS)
    green = {colours[path] for path, one in root.walk() if (one.depth, one.concept) == (4, "green")}
    assert green == {"#4c9f4a"}


def test_a_paler_colour_is_nearer_to_white_and_a_darker_one_to_black() -> None:
    assert paler("#804000", 0.5) == "#c0a080"
    assert paler("#804000", -0.5) == "#402000"


def test_angles_are_shares_of_what_speaks_for_a_concept() -> None:
    root = merged([made_inference()])
    ring = [one for one in slices(root, 0) if one.ring == 1]
    share = root.children[0].known[0][1].share
    assert ring[0].end == pytest.approx(share)
    assert ring[-1].end == pytest.approx(1)


def test_a_single_child_fills_the_arc_however_little_it_explains() -> None:
    made = made_inference().root
    child = replace(made.children[0], share=1.0, children=())
    lone = replace(made, children=(child,), unexplained=0.96)
    whole, slice_ = slices(merged([replace(made_inference(), root=lone)]), 0)
    assert (slice_.start, slice_.end) == (0, 1)
    assert whole.unexplained == 0.96


def test_a_gauge_is_gray_as_far_as_its_concept_is_unexplained() -> None:
    evidence = made_inference()
    counts = []
    for left in (0.25, 0.75):
        root = replace(evidence.root, unexplained=left, children=())
        picture = draw_sunbursts([replace(evidence, root=root)], [""])
        ring = np.asarray(picture)[200:1000, 500:1400].reshape(-1, 3)
        counts.append(int((ring == ImageColor.getrgb(REST)).all(axis=1).sum()))
    assert counts[1] == pytest.approx(3 * counts[0], rel=0.15)


def test_what_speaks_against_is_no_slice() -> None:
    root = merged([made_inference()])
    names = {root.node(one.path).concept for one in slices(root, 0)}
    assert "car" not in names


def test_the_state_survives_the_way_to_the_browser_and_into_a_file(saved: InferenceView) -> None:
    state = saved.get_state(["inference", "pictures", "view"])
    assert to_the_browser_and_back(state) == state


def test_an_arrangement_from_the_browser_is_kept_and_nonsense_in_it_is_not(
    saved: InferenceView,
) -> None:
    saved.set_state({"view": {"selected": "0.1", "zoom": "x", "open": ["", "0"], "more": 1}})
    assert saved.view == {"selected": "0.1", "open": ["", "0"]}


def test_another_class_is_explained(live: InferenceView) -> None:
    assert Answers(live).ask("explain", target="orchard")["target"] == 1
    assert live.evidence.target.name == "orchard"
    assert concepts(live)[0] == "orchard"


def test_the_kernel_says_how_far_it_is(chain: MadeChain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hexplain_widgets.widgets._shared.conversation.SIGN_OF_LIFE", 0)
    view = ConceptSunburst(chain, [scene(32), scene(32)])
    browser = Answers(view)
    browser.ask("explain", target=2)
    news = [(m["done"], m["total"], m["unit"]) for m in browser.said if "done" in m]
    assert list(dict.fromkeys(news)) == [(0, 2, "set"), (1, 2, "set"), (2, 2, "set")]
    view.close()


def test_an_inference_that_is_given_up_changes_nothing(chain: MadeChain) -> None:
    view = ConceptTree(chain, scene(32))
    browser, running, over = Answers(view), threading.Event(), threading.Event()

    def wait(stopped: Any) -> None:
        running.set()
        while not stopped():
            over.wait(0.01)

    chain.before_answer = wait
    asked = browser.send("explain", target="orchard")
    assert running.wait(5)
    assert browser.ask("cancel", of=asked)["cancelled"] is True
    chain.before_answer = lambda stopped: None
    browser.ask("explain", target="pasture")
    assert view.evidence.target.name == "pasture"
    assert [m["kind"] for m in browser.said if m["id"] == asked and m["kind"] != "accepted"] == []
    view.close()


def test_a_concept_is_held_against_ablation(live: InferenceView) -> None:
    found = Answers(live).ask("check", set=0, path=[0, 1])
    assert -1 <= found["r"] <= 1
    assert (found["count"], found["parts"]) == (CHANNELS, "channels")
    assert live.checks["0|0.1"]["r"] == found["r"]
    named = merged([live.evidence]).node((0, 1)).concept
    assert [
        (one.concept, one.agreement)
        for _, one in live.evidence.root.walk()
        if one.agreement is not None
    ] == [(named, pytest.approx(found["r"], rel=1e-5))]


def test_a_concept_is_checked_in_the_set_that_is_asked_for(chain: MadeChain) -> None:
    view = ConceptTree(chain, {n: [scene(32)] for n in ("pool", "curb")}, target="house")
    root = merged(view.inferences)
    path = next(p for p, node in root.walk() if len(p) == 1 and node.by_set[0] is None)
    Answers(view).ask("check", set=1, path=list(path))
    assert [*view.checks] == [f"1|{path[0]}"]
    assert all(one.agreement is None for _, one in view.inferences[0].root.walk())
    view.close()


def test_checks_of_another_class_are_not_mixed_in(live: InferenceView) -> None:
    browser = Answers(live)
    browser.ask("check", set=0, path=[])
    browser.ask("explain", target="orchard")
    assert live.checks == {}


def test_what_was_checked_stays_with_the_evidence(live: InferenceView, tmp_path: Path) -> None:
    r = Answers(live).ask("check", set=0, path=[])["r"]
    hx.save(live.evidence, tmp_path / "found.hx")
    again = type(live).from_evidence(hx.load(tmp_path / "found.hx"))
    check = again.checks["0|"]
    assert check["r"] == pytest.approx(r, rel=1e-5)
    assert (check["count"], check["parts"], check["images"]) == (CHANNELS, "channels", 1)
    assert check["rest"] == pytest.approx(live.checks["0|"]["rest"], rel=1e-5)
    again.close()


def test_a_page_says_how_far_its_decision_agrees_with_ablation(live: InferenceView) -> None:
    assert live.checks == {}
    twin = live.snapshot()
    assert [*twin.checks] == ["0|"]
    twin.close()


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        ("explain", {}, "expected a class name or its index"),
        ("explain", {"target": 1.5}, "expected a class name or its index"),
        ("explain", {"target": "hause"}, "expected 'house'; choose that"),
        ("check", {"set": 0, "path": "0"}, "expected a list of whole numbers"),
        ("check", {"set": 0, "path": [99]}, "expected one that is on the screen"),
        ("check", {"set": 1, "path": []}, "expected one that is on the screen"),
        ("check", {"set": True, "path": []}, "expected one that is on the screen"),
        ("check", {"set": 0, "path": [0, 0, 0, 0]}, "was not inferred further"),
        ("shutdown", {}, "expected one of explain, check, cancel"),
    ],
)
def test_a_message_that_cannot_be_done_is_answered_and_nothing_is_lost(
    live: InferenceView, kind: str, fields: dict[str, Any], text: str
) -> None:
    before = live.evidence
    answer = Answers(live).ask(kind, **fields)
    assert answer["kind"] == "error"
    assert text in answer["text"]
    assert live.evidence is before


def test_a_view_of_saved_evidence_says_that_more_takes_the_chain(saved: InferenceView) -> None:
    answer = Answers(saved).ask("explain", target="house")
    assert "without a Chain" in answer["text"]
    assert f"run {type(saved).__name__}(chain, image)" in answer["text"]


@both
def test_what_is_no_chain_is_refused(kind: Any) -> None:
    with pytest.raises(TypeError, match="got dict; expected a fitted Chain; make one with"):
        kind({}, scene(32))


@both
def test_what_is_no_inference_is_refused(kind: Any) -> None:
    with pytest.raises(TypeError, match="got int as evidence; expected a ConceptInference; make"):
        kind.from_evidence(3)


@both
def test_nothing_at_all_is_refused(kind: Any, chain: MadeChain) -> None:
    with pytest.raises(ValueError, match="got 0 to infer concepts of; expected 1 to"):
        kind(chain, [])


def test_more_than_six_side_by_side_are_refused(chain: MadeChain) -> None:
    with pytest.raises(ValueError, match="got 7 to infer concepts of; expected 1 to 6 side by"):
        ConceptTree(chain, [scene(32)] * 7)


def test_a_set_of_images_without_a_target_is_refused(chain: MadeChain) -> None:
    with pytest.raises(ValueError, match="got 2 images for 'pool' and no target; a set of images"):
        ConceptTree(chain, {"pool": [scene(32)] * 2})


def test_inferences_of_different_levels_are_refused() -> None:
    other = replace(made_inference(), levels=LEVELS[:3])
    with pytest.raises(ValueError, match="expected the same levels in all; explain them with one"):
        ConceptTree.from_evidence([made_inference(), other])


def test_a_decision_without_concepts_can_be_shown_and_drawn(tmp_path: Path) -> None:
    evidence = made_inference()
    bare = replace(evidence, root=replace(evidence.root, children=(), unexplained=1.0))
    for kind in VIEWS:
        view = kind.from_evidence(bare)
        assert concepts(view) == ["house"]
        view.export_png(tmp_path / "bare.png")
        view.close()


def test_a_snapshot_keeps_how_the_view_was_arranged(live: InferenceView) -> None:
    live.view = {"selected": "0.1", "zoom": "0"}
    twin = live.snapshot()
    assert (twin.live, twin.view) == (False, {"selected": "0.1", "zoom": "0"})
    assert twin.inferences == live.inferences
    twin.close()


def test_a_name_that_is_markup_is_escaped_in_the_page(saved: InferenceView, tmp_path: Path) -> None:
    page = saved.export_html(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<title>Concepts behind house</title>" in page
    assert MARKUP not in page


def test_the_picture_for_slides_is_written(saved: InferenceView, tmp_path: Path) -> None:
    with Image.open(saved.export_png(tmp_path / "view.png")) as picture:
        assert picture.width == 1920
        assert len(picture.getcolors(2**24)) > 50


def test_the_picture_shows_what_is_open_in_the_view(tmp_path: Path) -> None:
    tree = ConceptTree.from_evidence(made_inference())
    tree.view = {"open": [""]}
    with Image.open(tree.export_png(tmp_path / "few.png")) as few:
        height = few.height
    tree.view = {"open": ["", "0", "1", "2"]}
    with Image.open(tree.export_png(tmp_path / "more.png")) as more:
        assert more.height > height
    tree.close()


def test_a_picture_of_too_much_is_refused_with_advice() -> None:
    evidence = [made_inference(name=name) for name in SETS]
    wide = replace(evidence[0].root, children=tuple(
        replace(child, concept=f"{child.concept} {i}")
        for i in range(16) for child in evidence[0].root.children
    ))  # fmt: skip
    with pytest.raises(ValueError, match="expected at most 60 on one picture; fold some"):
        draw_tree([replace(evidence[0], root=wide)], ["pool"], [""])


# what is said of links, and of how concepts were chosen


def test_links_together_are_as_wide_as_their_concept_is_explained() -> None:
    root = replace(made_inference().root, unexplained=0.75)
    links = [link_of(child, root) for child in root.children]
    assert sum(links) == pytest.approx(0.25)
    assert links == pytest.approx([0.25 * part_of(child, root) for child in root.children])


def test_a_link_of_all_the_weight_is_nothing_where_nothing_is_explained() -> None:
    child = made_inference().root.children[0]
    alone = replace(made_inference().root, unexplained=1.0, children=(child,))
    assert (part_of(child, alone), link_of(child, alone)) == (1.0, 0.0)
    unknown = replace(alone, unexplained=None)
    assert (explained_of(unknown), link_of(child, unknown)) == (None, 1.0)


@pytest.mark.parametrize(
    ("place", "words"),
    [(1.5, r"Below the level object.*place=1\.5"), (0.0, "Eq. 19 as printed"), (None, "^$")],
)
def test_a_view_says_whether_concepts_were_chosen_by_their_places(
    place: float | None, words: str
) -> None:
    one = made_inference()
    settings = {} if place is None else {"place": place}
    one = replace(one, provenance=replace(one.provenance, settings=settings))
    assert re.search(words, placed_words(one))
    for kind in (ConceptTree, ConceptSunburst):
        view = kind.from_evidence(one)
        assert view.inference["sets"][0]["placed"] == placed_words(one)
        view.close()
