"""What HINT says when something is wrong with what it was given."""

from __future__ import annotations

import networkx as nx
import pytest
import torch
from torch import nn

import hexplain_widgets as hx
from tests.hint.test_engine import CLASSES, DATA, KINDS, fitted, planted
from tests.networks import plain


def fit(hierarchy: object, data: object = DATA[:12], **settings) -> hx.Hint:
    return hx.Hint(**{"samples": 2, **settings}).fit(planted(), data, hierarchy, progress=False)


@pytest.fixture(scope="module")
def hint() -> hx.Hint:
    return fitted()


def test_a_cycle_in_the_hierarchy_is_printed() -> None:
    graph = nx.DiGraph([("animal", "dog"), ("dog", "animal")])
    with pytest.raises(ValueError, match=r"cycle"):
        fit(graph)


def test_a_leaf_that_is_no_class_is_named_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"dgo.*dog"):
        fit({"animal": ["dgo", "cat"]})


def test_images_of_classes_outside_the_hierarchy_are_counted_and_said() -> None:
    found = fit({"animal": ["dog", "cat"]}, DATA)
    assert "40 of 80 images are of classes that the hierarchy does not hold" in " ".join(
        found.associations().notes
    )


def test_classes_that_are_in_no_concept_are_named() -> None:
    notes = fit({"animal": ["dog", "cat"]}, DATA).associations().notes
    assert "2 of the network's 4 classes are in no concept: car, bus." in notes


def test_nothing_is_said_of_classes_where_all_are_in_a_concept(hint: hx.Hint) -> None:
    assert not any("in no concept" in note for note in hint.associations().notes)


def test_a_concept_without_images_is_flagged_and_has_no_scores(hint: hx.Hint) -> None:
    animals = [item for item in DATA if item[1] < 2]
    found = fit(KINDS, animals)
    assert found.quality("bus").flag == "No image of this concept was seen."
    assert not found.scores[:, [c.name for c in found.concepts_].index("bus")].any()
    with pytest.raises(ValueError, match=r"there is no classifier of 'bus'.*fit on images of it"):
        found.explain(DATA[0][0], "bus")


def test_concepts_with_a_classifier_can_be_looked_for(hint: hx.Hint) -> None:
    animals = fit(KINDS, [item for item in DATA if item[1] < 2])
    assert set(animals.explainable()) == {"animal", "dog", "cat"}
    assert hint.explainable() == tuple(concept.name for concept in hint.concepts_)


def test_a_concept_without_a_region_is_flagged() -> None:
    flat = [(torch.ones(8, 10, 10), label) for label in (0, 1, 2, 3)]
    found = fit(KINDS, flat)
    assert "the saliency of its images is the same everywhere" in (found.quality("dog").flag or "")


def test_a_classifier_at_chance_is_flagged_and_kept(hint: hx.Hint) -> None:
    """Of single neurons drawn at random, some know nothing of their concept."""
    found = hint.using("random").narrowed(top=1).associations()
    flags = [quality.flag or "" for quality in found.qualities]
    assert any("The classifier is at chance: F1" in flag for flag in flags)
    assert len(found.concepts) == len(flags)


def test_a_layer_without_space_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'head' gives .* without spatial extent"):
        fit(KINDS, layer="head")


def test_an_unknown_layer_lists_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown layer 'map'.*maps"):
        fit(KINDS, layer="map")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"saliency": "smoothgard"}, "nearest is 'smoothgrad'|nearest is smoothgrad"),
        ({"aggregate": "mean"}, "got aggregate='mean'; expected one of 'norm'"),
        ({"shapley": "oven"}, "nearest is .*owen"),
        ({"threshold": 1.0}, "got threshold=1.0; expected a share between 0 and 1"),
        ({"samples": 0}, "got samples=0; expected at least 1"),
        ({"vectors": 0}, "got vectors=0; expected at least 1"),
        ({"penalty": 0.0}, "got penalty=0.0; expected a positive number"),
    ],
)
def test_settings_out_of_range_say_what_was_expected(settings: dict, said: str, unchecked) -> None:
    with pytest.raises(ValueError, match=said):
        hx.Hint(**settings)


def test_an_unknown_concept_lists_the_nearest(hint: hx.Hint) -> None:
    with pytest.raises(ValueError, match=r"got the concept 'dogg'.*nearest are .*dog"):
        hint.neurons("dogg")


def test_an_unknown_neuron_says_how_many_there_are(hint: hx.Hint) -> None:
    with pytest.raises(IndexError, match=r"got the neuron 8; expected one from 0 to 7"):
        hint.concepts(8)


def test_a_layer_that_was_not_fitted_lists_those_that_were(hint: hx.Hint) -> None:
    with pytest.raises(ValueError, match=r"'maps.0', which was not fitted; expected one of maps"):
        hint.at("maps.0")


def test_nothing_is_answered_before_a_fit() -> None:
    with pytest.raises(ValueError, match=r"has not seen any data.*hint\.fit\(classifier, data"):
        hx.Hint().neurons("dog")


def test_data_without_images_are_refused() -> None:
    with pytest.raises(ValueError, match=r"without a single image"):
        fit(KINDS, [])


def test_a_label_that_is_no_class_is_refused() -> None:
    with pytest.raises(ValueError, match=r"got the label 7; expected a class index from 0 to 3"):
        fit(KINDS, [(DATA[0][0], 7)])


def test_hints_of_other_hierarchies_do_not_merge(hint: hx.Hint) -> None:
    other = fit({"animal": ["dog", "cat"]})
    with pytest.raises(ValueError, match=r"regions of another hierarchy"):
        hint.merge(other)


def test_hints_of_other_settings_do_not_merge(hint: hx.Hint) -> None:
    with pytest.raises(ValueError, match=r"another way of finding regions"):
        hint.merge(fit(KINDS, saliency="gradient"))


def test_another_network_is_refused(hint: hx.Hint) -> None:
    other = nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ValueError, match=r"another network, by the hash of its weights"):
        hint.on(hx.Classifier(other.eval(), classes=list("abcdefgh")))


def test_the_checkpoint_of_other_settings_is_refused(tmp_path) -> None:
    path = tmp_path / "half.hint"
    fit(KINDS).save(path)
    with pytest.raises(ValueError, match=r"another way of finding regions"):
        hx.Hint(samples=2, threshold=0.7).fit(
            planted(), DATA, KINDS, checkpoint=path, resume=True, progress=False
        )


def test_a_file_of_another_kind_is_refused(tmp_path) -> None:
    chip = hx.Chip(gates_per_image=4).fit(plain(), [torch.rand(3, 16, 16)], progress=False)
    with pytest.raises(ValueError, match=r"it holds 'Chip'; a saved Hint was expected"):
        hx.Hint.load(chip.save(tmp_path / "other.chip"))


def test_top_beyond_the_layer_is_refused(hint: hx.Hint) -> None:
    with pytest.raises(ValueError, match=r"got top=9; expected 1 to 8"):
        hint.narrowed(top=9)


def test_a_map_that_is_nowhere_positive_says_so(hint: hx.Hint) -> None:
    heat = hint.explain(torch.zeros(8, 10, 10), "dog")
    assert "finds the concept nowhere" in " ".join(heat.notes)


def test_classes_of_the_planted_network_have_their_names() -> None:
    assert planted().classes == CLASSES
