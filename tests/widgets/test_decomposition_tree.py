"""The decomposition tree on the kernel's side, with a real network and without any."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import hexplain_widgets as hx
from hexplain_widgets.widgets import DecompositionTree
from tests.networks import plain
from tests.widgets.answers import Answers, tell, to_the_browser_and_back
from tests.widgets.made import made_decomposition

NAMES = ["house", "orchard", "pasture", "harbor", "street"]


@pytest.fixture(scope="module")
def classifier() -> hx.Classifier:
    return hx.Classifier(plain(seed=3), classes=NAMES)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (48, 48, 3), dtype=np.uint8)


@pytest.fixture
def tree(classifier: hx.Classifier, picture: np.ndarray) -> Iterator[DecompositionTree]:
    made = DecompositionTree(classifier, picture)
    yield made
    made.close()


@pytest.fixture
def browser(tree: DecompositionTree) -> Answers:
    return Answers(tree)


@pytest.fixture
def saved() -> Iterator[DecompositionTree]:
    made = DecompositionTree.from_evidence(made_decomposition(levels=3, pictures=True))
    yield made
    made.close()


def test_it_says_what_it_shows(saved: DecompositionTree) -> None:
    assert repr(saved) == "DecompositionTree('house', 40 nodes, 5 stages)"


def test_evidence_opens_without_a_model_and_comes_back_as_it_was() -> None:
    evidence = made_decomposition(levels=2)
    assert DecompositionTree.from_evidence(evidence).evidence == evidence


def test_what_is_no_decomposition_is_refused() -> None:
    with pytest.raises(TypeError, match="got dict as evidence; expected a Decomposition; make one"):
        DecompositionTree.from_evidence({"root": None})


def test_the_tree_is_that_of_the_engine(
    tree: DecompositionTree, classifier: hx.Classifier, picture: np.ndarray
) -> None:
    assert tree.evidence == hx.decompose(classifier, picture)


def test_the_state_survives_the_way_to_the_browser_and_into_a_file(
    saved: DecompositionTree,
) -> None:
    state = saved.get_state(["tree", "image", "pictures", "view"])
    assert to_the_browser_and_back(state) == state


def test_an_arrangement_from_the_browser_is_kept_and_nonsense_in_it_is_not(
    saved: DecompositionTree,
) -> None:
    saved.set_state({"view": {"selected": "0.1", "opacity": "much", "open": ["", "0"]}})
    assert saved.view == {"selected": "0.1", "open": ["", "0"]}


def test_a_node_is_expanded(classifier: hx.Classifier, picture: np.ndarray) -> None:
    tree = DecompositionTree(classifier, picture, max_nodes=4)
    browser = Answers(tree)
    assert tree.evidence.node((0,)).children == ()
    answer = browser.ask("expand", path=[0])
    assert answer["children"] == len(tree.evidence.node((0,)).children) > 0
    assert len(tree.tree["nodes"]["channel"]) == 4 + answer["children"]


def test_another_number_of_channels_is_taken_everywhere(
    browser: Answers, tree: DecompositionTree
) -> None:
    assert browser.ask("top_k", top_k=2)["top_k"] == 2
    assert max(len(node.children) for _, node in tree.evidence.root.walk()) == 2
    assert tree.tree["top_k"] == 2


def test_another_class_is_explained(browser: Answers, tree: DecompositionTree) -> None:
    other = next(p for p in tree.evidence.predictions[1:] if p.logit > 0)
    assert browser.ask("retarget", target=other.name)["target"] == other.index
    assert tree.evidence.target == other


def test_the_number_of_channels_stays_when_the_class_changes(
    browser: Answers, tree: DecompositionTree
) -> None:
    browser.ask("top_k", top_k=2)
    other = next(p for p in tree.evidence.predictions[1:] if p.logit > 0)
    browser.ask("retarget", target=other.index)
    assert tree.tree["top_k"] == 2


def test_channels_below_a_node_are_listed_and_one_is_added_by_hand(
    browser: Answers, tree: DecompositionTree
) -> None:
    listed = browser.ask("candidates", path=[0])["candidates"]
    taken = {child.channel for child in tree.evidence.node((0,)).children}
    channel = next(c for c, _, _ in listed if c not in taken)
    browser.ask("expand", path=[0], channels=[channel])
    assert tree.evidence.node((0,)).children[-1].channel == channel


def test_a_node_is_checked_against_ablation_and_the_evidence_keeps_it(
    browser: Answers, tree: DecompositionTree, classifier: hx.Classifier, picture: np.ndarray
) -> None:
    found = hx.Decomposer(classifier, picture).faithfulness(tree.evidence, (0,))
    answer = browser.ask("check", path=[0])
    assert answer["r"] == pytest.approx(found.pearson, rel=1e-5)
    assert answer["count"] == tree.evidence.layers[1].shape[0]
    assert tree.evidence.node((0,)).agreement == pytest.approx(found.pearson)
    assert tree.checks["0"] == {k: v for k, v in answer.items() if k not in ("kind", "id")}


def test_a_check_leaves_the_tree_that_was_sent_alone(
    browser: Answers, tree: DecompositionTree
) -> None:
    before = tree.tree
    browser.ask("check", path=[])
    assert tree.tree is before


def test_the_tree_is_measured_by_ablation_and_estimated_again(
    browser: Answers, tree: DecompositionTree, classifier: hx.Classifier, picture: np.ndarray
) -> None:
    estimated = tree.evidence
    assert browser.ask("method", method="ablation")["method"] == "ablation"
    exact = hx.decompose(classifier, picture, method="ablation")
    assert tree.evidence.root == exact.root
    assert tree.tree["method"] == "ablation"
    assert tree.checks[""]["r"] == pytest.approx(exact.root.agreement, rel=1e-5)
    browser.ask("method", method="gradient")
    assert tree.evidence.root == estimated.root
    assert tree.checks == {}


def test_a_view_begins_with_the_method_that_is_asked_for(
    classifier: hx.Classifier, picture: np.ndarray
) -> None:
    tree = DecompositionTree(classifier, picture, method="ablation")
    assert tree.tree["method"] == "ablation"
    assert tree.evidence.root.agreement is not None


def test_saved_evidence_says_how_far_it_was_found_to_agree(
    browser: Answers, tree: DecompositionTree, tmp_path: Path
) -> None:
    browser.ask("check", path=[])
    again = DecompositionTree.from_evidence(hx.load(hx.save(tree.evidence, tmp_path / "t.hx")))
    assert again.checks[""]["r"] == pytest.approx(tree.checks[""]["r"])


def test_pictures_arrive_beside_an_unchanged_tree(
    browser: Answers, tree: DecompositionTree
) -> None:
    before = tree.tree
    assert browser.ask("pictures", paths=[[0], [0, 0]])["pictures"] == 2
    assert set(tree.pictures["places"]) == {"0", "0.0"}
    assert tree.tree is before


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        ("expand", {"path": [9]}, "no node at path"),
        ("expand", {"path": "0"}, "expected a list of indices"),
        ("expand", {"path": [True]}, "expected a list of indices"),
        ("expand", {}, "expected a list of indices"),
        ("expand", {"path": [0], "channels": []}, "expected 1 to 24 channel numbers"),
        ("expand", {"path": [0], "channels": [-1]}, "expected 1 to 24 channel numbers"),
        ("expand", {"path": [0], "channels": [10**9]}, "expected 0 to"),
        ("expand", {"path": [0], "top_k": 0}, "expected a whole number from 1 to 24"),
        ("expand", {"path": [0, 0, 0]}, "shallowest stage"),
        ("candidates", {"path": [0, 7]}, "no node at path"),
        ("pictures", {"paths": [[0], [5]]}, "no node at path"),
        ("method", {"method": "guess"}, "expected one of gradient, ablation"),
        ("method", {}, "expected one of gradient, ablation"),
        ("check", {"path": [9]}, "no node at path"),
        ("check", {"path": [0, 0, 0]}, "shallowest stage"),
        ("pictures", {"paths": None}, "expected a list of paths"),
        ("top_k", {}, "expected a whole number from 1 to 24"),
        ("top_k", {"top_k": "3"}, "expected a whole number from 1 to 24"),
        ("retarget", {"target": 1.5}, "expected a class name or its index"),
        ("retarget", {"target": "hause"}, "house"),
        ("retarget", {"target": 99}, "99"),
        ("unknown", {}, "expected one of expand, candidates"),
    ],
)
def test_a_message_that_cannot_be_done_is_answered_and_nothing_is_lost(
    browser: Answers, tree: DecompositionTree, kind: str, fields: dict[str, Any], text: str
) -> None:
    before = tree.evidence
    answer = browser.ask(kind, **fields)
    assert answer["kind"] == "error"
    assert text in answer["text"]
    assert tree.evidence is before


def test_a_class_against_which_the_network_decides_is_explained_with_its_sign(
    browser: Answers, tree: DecompositionTree, classifier: hx.Classifier, picture: np.ndarray
) -> None:
    against = [p for p in hx.Decomposer(classifier, picture).predictions(5) if p.logit <= 0]
    answer = browser.ask("retarget", target=against[0].index)
    assert answer["kind"] != "error"
    assert tree.evidence.target.index == against[0].index
    assert tree.evidence.root.negated
    assert any("speaks against it" in note for note in tree.evidence.notes)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("expand", {"path": [0]}),
        ("candidates", {"path": [0]}),
        ("top_k", {"top_k": 2}),
        ("retarget", {"target": 1}),
        ("pictures", {"paths": [[0]]}),
    ],
)
def test_a_view_of_saved_evidence_says_that_more_takes_the_model(
    saved: DecompositionTree, kind: str, fields: dict[str, Any]
) -> None:
    answer = Answers(saved).ask(kind, **fields)
    assert "without a model" in answer["text"]
    assert "run DecompositionTree(model, image)" in answer["text"]


def test_messages_from_many_threads_leave_one_whole_tree(
    browser: Answers, tree: DecompositionTree
) -> None:
    def walk() -> None:
        for top_k in (1, 2, 3):
            tell(browser.view, {"kind": "top_k", "id": id(top_k), "top_k": top_k})

    threads = [threading.Thread(target=walk) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    browser.ask("top_k", top_k=2)
    nodes = sum(1 for _ in tree.evidence.root.walk())
    assert len(tree.tree["nodes"]["channel"]) == nodes


def test_the_network_is_handed_back_as_it_came(browser: Answers, classifier: hx.Classifier) -> None:
    classifier.model.train()
    before = copy.deepcopy(classifier.model.state_dict())
    browser.ask("pictures", paths=[[0], [1]])
    browser.ask("expand", path=[0])
    after = classifier.model.state_dict()
    assert classifier.model.training
    assert all(torch.equal(before[name], after[name]) for name in before)
    classifier.model.eval()


def test_the_picture_for_slides_is_written(saved: DecompositionTree, tmp_path: Path) -> None:
    with Image.open(saved.export_png(tmp_path / "tree.png")) as picture:
        assert picture.width == 1920


def test_the_picture_shows_what_is_open_in_the_view(
    saved: DecompositionTree, tmp_path: Path
) -> None:
    saved.view = {"open": [""]}
    with Image.open(saved.export_png(tmp_path / "root.png")) as picture:
        few = picture.height
    saved.view = {"open": ["", "0", "1", "2"]}
    with Image.open(saved.export_png(tmp_path / "more.png")) as picture:
        assert picture.height > few


def test_a_page_is_written_with_the_view_as_it_is(saved: DecompositionTree, tmp_path: Path) -> None:
    saved.view = {"selected": "0.2"}
    page = saved.export_html(tmp_path / "tree.html", title="A house").read_text(encoding="utf-8")
    assert "<title>A house</title>" in page
    assert '"selected": "0.2"' in page.replace('"selected":"0.2"', '"selected": "0.2"')


def test_a_page_is_called_after_the_decision(saved: DecompositionTree, tmp_path: Path) -> None:
    page = saved.export_html(tmp_path / "tree.html").read_text(encoding="utf-8")
    assert "<title>A decision taken apart: house</title>" in page


def test_a_page_of_a_live_view_has_the_pictures_of_what_it_shows(tree: DecompositionTree) -> None:
    twin = tree.snapshot()
    assert {"0", "0.0", "0.0.0", "1", "2"} <= set(twin.pictures["places"])
    assert not twin.live
    twin.close()


def test_a_page_of_a_live_view_says_how_far_its_decision_agrees_with_ablation(
    tree: DecompositionTree,
) -> None:
    twin = tree.snapshot()
    assert twin.checks[""]["r"] == pytest.approx(1, abs=1e-4)
    assert twin.checks[""]["count"] == tree.evidence.layers[0].shape[0]
    twin.close()


def test_without_its_bundle_a_view_says_how_to_build_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("hexplain_widgets.widgets._shared.view.STATIC", tmp_path)
    with pytest.raises(FileNotFoundError, match="install it with `pip install"):
        DecompositionTree.from_evidence(made_decomposition(levels=1))
