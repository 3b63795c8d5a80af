"""Neurons and concepts, on the kernel's side: what travels, is asked and is refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hexplain_widgets.evidence.store import load, save
from hexplain_widgets.solvers import shapley
from hexplain_widgets.widgets import ChannelMatrix, link_channels, show
from hexplain_widgets.widgets.neuron_concept_graph.payload import ESTIMATORS, first_folds
from hexplain_widgets.widgets.neuron_concept_graph.picture import links_of, tree_of
from hexplain_widgets.widgets.neuron_concept_graph.view import MOST_PORTRAITS, NeuronConceptGraph
from tests.widgets.answers import Answers, to_the_browser_and_back
from tests.widgets.made import MARKUP
from tests.widgets.made_chip import MadeChip
from tests.widgets.made_hint import AT_CHANCE, LAYERS, SMALL, MadeHint, images, large

DEEP, MIDDLE, SHALLOW = (layer.name for layer in LAYERS)


@pytest.fixture
def hint() -> MadeHint:
    return MadeHint()


@pytest.fixture
def graph(hint: MadeHint) -> Iterator[NeuronConceptGraph]:
    made = NeuronConceptGraph(hint, images=images(2))
    yield made
    made.close()


@pytest.fixture
def saved(hint: MadeHint) -> Iterator[NeuronConceptGraph]:
    found = hint.associations(images=images(2), maps_of=["dog"])
    made = NeuronConceptGraph.from_evidence(found)
    yield made
    made.close()


def test_it_says_what_it_shows(graph: NeuronConceptGraph) -> None:
    neurons = len(graph.evidence.neurons)
    assert repr(graph) == (
        f"NeuronConceptGraph(12 concepts, {neurons} neurons, layer 'features.30', 'owen')"
    )


def test_saved_evidence_finds_its_view(hint: MadeHint, tmp_path: Path) -> None:
    save(hint.associations(images=images(1), maps_of=["dog"]), tmp_path / "found.hx")
    view = show(load(tmp_path / "found.hx"))
    assert isinstance(view, NeuronConceptGraph)
    view.close()


def test_parents_travel_as_places_first_parents_first(graph: NeuronConceptGraph) -> None:
    names = graph.graph["concepts"]
    assert [names[p] for p in graph.graph["parents"][names.index("guide dog")]] == [
        "dog",
        "helper",
    ]


def test_a_parent_that_is_not_shown_is_left_out(hint: MadeHint) -> None:
    graph = NeuronConceptGraph(hint, concepts=["dog", "husky", "tree"])
    assert graph.graph["parents"] == [[], [0], []]
    graph.close()


def test_scores_travel_neuron_by_neuron(graph: NeuronConceptGraph) -> None:
    shape = len(graph.graph["neurons"]), len(graph.graph["concepts"])
    found = np.frombuffer(graph.graph["scores"], "<f4").reshape(shape)
    np.testing.assert_allclose(found, graph.evidence.scores, rtol=1e-6)


def test_a_score_that_was_not_sampled_has_no_error(graph: NeuronConceptGraph) -> None:
    assert (graph.graph["errors"], graph.graph["error"]) == (b"", None)


def test_a_sampled_score_travels_with_its_standard_error() -> None:
    graph = NeuronConceptGraph(MadeHint(estimator="permutation"))
    assert graph.evidence.errors is not None
    found = np.frombuffer(graph.graph["errors"], "<f4")
    np.testing.assert_allclose(found, graph.evidence.errors.ravel(), rtol=1e-6)
    assert graph.graph["error"] == pytest.approx(float(graph.evidence.errors.max()), rel=1e-5)
    graph.close()


def test_a_doubtful_classifier_travels_with_its_words(graph: NeuronConceptGraph) -> None:
    flags = dict(zip(graph.graph["concepts"], graph.graph["flags"], strict=True))
    assert flags[AT_CHANCE].startswith("at chance: F1")
    assert [name for name, flag in flags.items() if flag] == [AT_CHANCE]


def test_the_state_survives_the_way_to_the_browser_and_into_a_file(
    graph: NeuronConceptGraph,
) -> None:
    Answers(graph).ask("maps", concept="dog")
    state = graph.get_state(["graph", "portraits", "maps", "pictures", "folded", "concept"])
    assert to_the_browser_and_back(state) == state


def test_choices_from_the_browser_are_kept_and_nonsense_in_them_is_not(
    graph: NeuronConceptGraph,
) -> None:
    graph.set_state(
        {"folded": ["dog", "wolf"], "threshold": 0.2, "top": 4, "view": {"table": True, "x": 1}}
    )
    assert (graph.folded, graph.threshold, graph.top) == (["dog"], 0.2, 4)
    assert graph.view == {"table": True}


def test_a_small_tree_is_seen_whole(graph: NeuronConceptGraph) -> None:
    assert graph.folded == []


def test_of_sixty_concepts_so_many_levels_are_seen_as_fit() -> None:
    evidence = MadeHint(large(), neurons=40).associations()
    folded = first_folds(evidence)
    rows = tree_of(evidence, folded).rows
    assert 5 < len(rows) <= 26
    assert len(tree_of(evidence).rows) == 60


def test_the_names_of_estimators_are_those_of_the_engine() -> None:
    assert set(ESTIMATORS) == set(shapley.ESTIMATORS)


def test_another_layer_is_asked_for_and_clears_the_chosen_neuron(
    graph: NeuronConceptGraph,
) -> None:
    graph.concept, graph.channel = "dog", graph.evidence.neurons[0]
    assert Answers(graph).ask("layer", layer=SHALLOW)["layer"] == SHALLOW
    assert (graph.layer, graph.evidence.layer, graph.graph["layer"]) == (SHALLOW,) * 3
    assert (graph.concept, graph.channel) == ("dog", None)


def test_maps_of_another_layer_are_not_kept(graph: NeuronConceptGraph) -> None:
    browser = Answers(graph)
    browser.ask("maps", concept="dog")
    browser.ask("layer", layer=MIDDLE)
    assert graph.maps["concept"] == []


def test_the_layer_can_be_set(graph: NeuronConceptGraph) -> None:
    graph.layer = MIDDLE
    assert graph.evidence.layer == MIDDLE


def test_a_layer_that_was_not_fitted_is_refused_and_nothing_is_lost(
    graph: NeuronConceptGraph,
) -> None:
    with pytest.raises(ValueError, match=r"got the layer 'features.3'.*Hint\(layer=\['features.3'"):
        graph.layer = "features.3"
    assert graph.layer == graph.evidence.layer == DEEP


def test_a_layer_can_be_chosen_at_the_start(hint: MadeHint) -> None:
    graph = NeuronConceptGraph(hint, layer=SHALLOW)
    assert graph.layer == SHALLOW
    graph.close()


def test_another_estimator_keeps_the_maps_and_portraits_that_are_there(
    graph: NeuronConceptGraph,
) -> None:
    browser = Answers(graph)
    browser.ask("maps", concept="dog")
    assert browser.ask("estimator", estimator="permutation")["estimator"] == "permutation"
    assert graph.estimator == graph.evidence.estimator == graph.graph["estimator"] == "permutation"
    assert graph.maps["concept"] == ["dog", "dog"]


def test_the_estimator_can_be_set_and_holds_at_another_layer(graph: NeuronConceptGraph) -> None:
    graph.estimator = "logit"
    graph.layer = MIDDLE
    assert graph.evidence.estimator == "logit"


def test_an_estimator_that_cannot_be_had_leaves_the_view_as_it_was(
    graph: NeuronConceptGraph,
) -> None:
    with pytest.raises(ValueError, match="fit again"):
        graph.estimator = "retrained"
    assert graph.estimator == graph.evidence.estimator == "owen"


def test_maps_of_a_concept_are_fetched_once_for_each_image(
    graph: NeuronConceptGraph, hint: MadeHint
) -> None:
    browser = Answers(graph)
    for _ in range(2):
        assert browser.ask("maps", concept="dog")["concept"] == "dog"
    assert hint.asked.count("explain dog") == 2
    assert graph.maps["picture"] == [0, 1]
    assert [one.target for one in graph.evidence.maps] == ["dog", "dog"]


def test_the_values_of_a_map_can_be_read_back(graph: NeuronConceptGraph) -> None:
    Answers(graph).ask("maps", concept="dog")
    maps, values = graph.maps, graph.evidence.maps[0].values
    codes = np.frombuffer(maps["data"], np.uint8)[: values.size].reshape(values.shape)
    read = (codes.astype(float) - maps["zero"][0]) * maps["step"][0]
    np.testing.assert_allclose(read, values, atol=maps["step"][0])


def test_the_chosen_images_travel_even_before_a_map(graph: NeuronConceptGraph) -> None:
    start, length = graph.pictures["places"][1]
    assert graph.pictures["data"][start : start + 2] == b"\xff\xd8"
    assert len(graph.pictures["data"]) == start + length


def test_regions_of_a_neuron_are_fetched_with_their_places(graph: NeuronConceptGraph) -> None:
    assert "500" not in graph.portraits["places"]
    assert Answers(graph).ask("portraits", neurons=[500])["neurons"] == [500]
    placed = graph.portraits["places"]["500"]
    assert len(placed["images"]) == len(placed["values"]) == len(placed["at"]) == 4
    assert all(0 <= part <= 1 for place in placed["at"] for part in place)


def test_no_more_than_96_portraits_are_kept(graph: NeuronConceptGraph) -> None:
    browser = Answers(graph)
    for first in range(100, 220, 24):
        browser.ask("portraits", neurons=list(range(first, first + 24)))
    assert len(graph.evidence.portraits) == MOST_PORTRAITS


def test_a_question_that_was_given_up_changes_nothing(
    graph: NeuronConceptGraph, hint: MadeHint
) -> None:
    browser, running, go_on = Answers(graph), threading.Event(), threading.Event()

    def wait() -> None:
        running.set()
        assert go_on.wait(5)

    hint.before_answer = wait
    asked = browser.send("estimator", estimator="logit")
    assert running.wait(5)
    assert browser.ask("cancel", of=asked)["cancelled"] is True
    hint.before_answer = lambda: None
    go_on.set()
    browser.ask("portraits", neurons=[1])
    assert graph.evidence.estimator == "owen"


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        ("layer", {"layer": "conv"}, "expected one of features.30"),
        ("layer", {}, "expected one of features.30"),
        ("estimator", {"estimator": "shap"}, "expected one of owen, permutation"),
        ("estimator", {"estimator": "retrained"}, "fit again"),
        ("maps", {"concept": "dogg"}, "the nearest are 'dog'"),
        ("maps", {"concept": 3}, "expected one of 12 of this view"),
        ("portraits", {}, "expected 1 to 24 neuron numbers"),
        ("portraits", {"neurons": [True]}, "expected 1 to 24 neuron numbers"),
        ("shutdown", {}, "expected one of layer, estimator, maps, portraits"),
    ],
)
def test_a_message_that_cannot_be_done_is_answered_and_nothing_is_lost(
    graph: NeuronConceptGraph, kind: str, fields: dict[str, Any], text: str
) -> None:
    before = graph.evidence
    answer = Answers(graph).ask(kind, **fields)
    assert answer["kind"] == "error"
    assert text in answer["text"]
    assert graph.evidence is before


@pytest.mark.parametrize(
    ("kind", "fields"),
    [("layer", {"layer": DEEP}), ("maps", {"concept": "dog"}), ("portraits", {"neurons": [1]})],
)
def test_a_view_of_saved_evidence_says_that_more_takes_the_hint(
    saved: NeuronConceptGraph, kind: str, fields: dict[str, Any]
) -> None:
    answer = Answers(saved).ask(kind, **fields)
    assert "without a Hint" in answer["text"]
    assert "run NeuronConceptGraph(hint)" in answer["text"]


def test_a_view_of_saved_evidence_shows_the_maps_that_were_saved(
    saved: NeuronConceptGraph,
) -> None:
    assert saved.maps["concept"] == ["dog", "dog"]
    assert saved.maps["picture"] == [0, 1]
    assert len(saved.pictures["places"]) == 2


def test_a_view_of_saved_evidence_stays_at_its_layer_and_estimator(
    saved: NeuronConceptGraph,
) -> None:
    with pytest.raises(ValueError, match="open the view on a fitted Hint for others"):
        saved.layer = SHALLOW
    with pytest.raises(ValueError, match="saved evidence holds one"):
        saved.estimator = "logit"


def test_an_unknown_concept_is_refused_with_the_nearest(graph: NeuronConceptGraph) -> None:
    with pytest.raises(ValueError, match=r"got the concept 'mamal'.*nearest are 'mammal'"):
        graph.concept = "mamal"
    assert graph.concept is None


def test_what_is_no_hint_is_refused() -> None:
    with pytest.raises(TypeError, match="got dict; expected a fitted Hint; make one with"):
        NeuronConceptGraph({})


def test_what_are_no_associations_are_refused() -> None:
    with pytest.raises(TypeError, match="got dict as evidence; expected a NeuronConcepts; make"):
        NeuronConceptGraph.from_evidence({})


def test_images_without_a_model_to_look_at_them_are_refused(hint: MadeHint) -> None:
    hint.classifier_ = None
    with pytest.raises(ValueError, match="loaded without its model; expected one with it"):
        NeuronConceptGraph(hint, images=images(1))


def test_without_a_model_the_graph_is_shown_all_the_same(hint: MadeHint) -> None:
    hint.classifier_ = None
    graph = NeuronConceptGraph(hint)
    assert graph.pictures["places"] == []
    graph.close()


def test_a_neuron_chosen_in_it_is_marked_in_linked_views(graph: NeuronConceptGraph) -> None:
    matrix = ChannelMatrix(MadeChip(layers=LAYERS))
    link = link_channels(graph, matrix, layers=True)
    graph.channel = 7
    assert matrix.channel == 7
    matrix.layer = MIDDLE
    assert graph.evidence.layer == MIDDLE
    link.unlink()
    matrix.close()


def test_the_chart_has_a_bar_for_each_layer_the_shallowest_first(
    graph: NeuronConceptGraph,
) -> None:
    assert list(graph.chart.marks[0].x) == [SHALLOW, MIDDLE, DEEP]


def test_a_snapshot_has_the_maps_of_all_findings_and_what_was_chosen(
    graph: NeuronConceptGraph,
) -> None:
    graph.concept, graph.threshold, graph.folded = "dog", 0.3, ["mammal"]
    twin = graph.snapshot()
    assert set(twin.maps["concept"]) == set(SMALL) - {AT_CHANCE}
    assert (twin.concept, twin.threshold, twin.folded) == ("dog", 0.3, ["mammal"])
    assert twin.live is False
    twin.close()


def test_a_page_is_called_after_the_layer(graph: NeuronConceptGraph, tmp_path: Path) -> None:
    page = graph.export_html(tmp_path / "graph.html").read_text(encoding="utf-8")
    assert "<title>Neurons and concepts at features.30</title>" in page
    assert MARKUP not in page


def test_folded_concepts_lend_their_links_to_the_one_above(hint: MadeHint) -> None:
    evidence = hint.associations()
    names = [one.name for one in evidence.concepts]
    dog, husky = names.index("dog"), names.index("husky")
    whole = links_of(evidence, tree_of(evidence))
    folded = links_of(evidence, tree_of(evidence, ["dog"]))
    k = next(k for row, k in whole if row == husky)
    assert folded[dog, k] >= whole[husky, k]
    assert husky not in {row for row, _ in folded}


def test_a_doubtful_concept_has_no_links(hint: MadeHint) -> None:
    evidence = hint.associations()
    names = [one.name for one in evidence.concepts]
    links = links_of(evidence, tree_of(evidence))
    assert names.index(AT_CHANCE) not in {row for row, _ in links}


def test_links_below_the_threshold_are_left_out(hint: MadeHint) -> None:
    evidence = hint.associations()
    links = links_of(evidence, tree_of(evidence), threshold=0.5)
    assert min(links.values()) >= 0.5 * max(links.values())


@pytest.mark.parametrize("flagged", [(AT_CHANCE,), tuple(SMALL)])
def test_the_picture_for_slides_is_written(flagged: tuple[str, ...], tmp_path: Path) -> None:
    graph = NeuronConceptGraph(MadeHint(flagged=flagged))
    with Image.open(graph.export_png(tmp_path / "graph.png")) as picture:
        assert picture.width == 1920
        assert len(picture.getcolors(2**24)) > 10
    graph.close()


def test_evidence_without_a_score_above_zero_is_shown(hint: MadeHint) -> None:
    found = hint.associations()
    graph = NeuronConceptGraph.from_evidence(replace(found, scores=np.zeros_like(found.scores)))
    assert links_of(graph.evidence, tree_of(graph.evidence)) == {}
    graph.close()
