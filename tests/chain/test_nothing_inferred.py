"""Nothing inferred is an answer: no concept of use, none that fits, scores that never move."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import hexplain_widgets as hx
from hexplain_widgets.chain.harmonize import USELESS, ConceptLevels
from hexplain_widgets.chain.inference import FewConcepts, ImageInference, InferenceStep
from hexplain_widgets.chain.trees import UNLIKE, UNMOVED, TreeBuilder
from hexplain_widgets.solvers.best_subset import best_subset
from tests import chain_world as world

IMAGES = [world.item(number).image for number in (3, 4)]


def with_levels(**changes) -> hx.Chain:
    """The planted Chain, in which the concepts of a level are others."""
    chain = world.chain(gates=20)
    chain.classifier_ = world.fitted().classifier_
    chain._begin(world.fitted()._statistics)
    levels = tuple(
        replace(one, **changes[one.level](one)) if one.level in changes else one
        for one in world.fitted().harmonized_
    )
    chain._harmonised = ConceptLevels("scene", world.CLASSES, levels)
    return chain


def without_direction(level) -> dict:
    return {"weights": np.zeros_like(level.weights)}


def no_better_than_a_guess(level) -> dict:
    return {"flags": dict.fromkeys(level.concepts, USELESS)}


def one_candidate(level) -> dict:
    return {"flags": dict.fromkeys(level.concepts[1:], USELESS)}


@pytest.mark.parametrize("empty", [without_direction, no_better_than_a_guess])
@pytest.mark.parametrize("level", ["object", "part", "color"])
def test_a_level_without_a_candidate_ends_the_tree_in_words(level: str, empty) -> None:
    chain = with_levels(**{level: empty})
    depth = list(world.LEVELS).index(level)
    for inference in (chain.explain(IMAGES[0], 0), chain.explain_class(IMAGES, 0)):
        depths = [len(path) for path, _ in inference.root.walk()]
        assert max(depths) == depth - 1
        ends = [one for path, one in inference.root.walk() if len(path) == depth - 1]
        assert all(one.unexplained == 1.0 for one in ends)
        assert any(f"No concept of the level {level}" in note for note in inference.notes)
        assert all(one.flag for one in ends)
    hx.ConceptTree(chain, IMAGES[0], target=0).close()
    hx.ConceptSunburst(chain, IMAGES[0], target=0).close()


def test_one_candidate_carries_all_there_is() -> None:
    inference = with_levels(object=one_candidate).explain(IMAGES[0], 0)
    assert [one.concept for one in inference.root.children] == [world.OBJECTS[0]]
    assert inference.root.children[0].share == 1.0


def test_scores_that_never_move_rest_on_nothing() -> None:
    network = world.network()
    network[-1].weight.data.zero_()
    classifier = hx.Classifier(network, transform=world.prepared, classes=world.CLASSES)
    chain = world.chain(gates=20).fit(classifier, world.Pictures(range(12)), progress=False)
    inference = chain.explain(IMAGES[0], 0)
    assert inference.root.children == ()
    assert inference.root.flag == UNMOVED
    found = chain.compare({"one": IMAGES[:1], "other": IMAGES[1:]}, 0)
    assert np.isfinite(found.points).all()
    assert np.isfinite(found.distances).all()


@pytest.mark.parametrize("affordable", [0, 2000])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_columns_at_right_angles_to_the_target_explain_nothing(count: int, affordable: int) -> None:
    found = best_subset(np.eye(6)[:, :4], np.eye(6)[5], count, affordable=affordable)
    assert not found.alpha.any()
    assert found.unexplained == 1.0


def test_a_concept_that_no_candidate_resembles_says_so() -> None:
    (level,) = [one for one in world.fitted().harmonized_ if one.level == "object"]
    away = replace(level, weights=np.eye(4)[[0, 1, 2, 0]])
    weights = np.eye(4)[3]
    step = InferenceStep(weights, weights, FewConcepts(away, 2).subset(weights))
    image = ImageInference([{0: step}], [])
    root = TreeBuilder([away], "scene").tree(image, 0, "village")
    assert root.children == ()
    assert root.flag == UNLIKE
    assert root.unexplained == 1.0
