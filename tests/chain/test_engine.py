"""CHAIN: what decisions rest on, in a network where it is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import hexplain_widgets as hx
from hexplain_widgets.chain.trees import class_tree, with_shares
from hexplain_widgets.evidence import InferredConcept
from tests import chain_world as world


def below(concept: InferredConcept, *names: str) -> InferredConcept:
    for name in names:
        concept = next(one for one in concept.children if one.concept == name)
    return concept


def planted(obj: int) -> tuple[str, str, str]:
    part = world.ORDERS["object"][obj]
    material = world.ORDERS["part"][part]
    return world.PARTS[part], world.MATERIALS[material], world.COLORS[
        world.ORDERS["material"][material]
    ]  # fmt: skip


def test_every_concept_rests_on_the_one_that_feeds_it() -> None:
    found = world.fitted().explain(world.item(100, (0, 1, 2, 3)).image, "village")
    assert {one.concept for one in found.root.children} == {"house", "garden", "mountain"}
    for one in found.root.children:
        obj = world.OBJECTS.index(one.concept)
        names = [[c.concept for c in below(one, *planted(obj)[:n]).children] for n in range(3)]
        assert names == [[name] for name in planted(obj)]


def test_contribution_weights_are_the_networks_own() -> None:
    """A direction has one channel: its weight is that of the channel's mean in the logit."""
    found = world.fitted().explain(world.item(100, (0, 1, 2, 3)).image, "village")
    weights = {one.concept: one.weight for one in found.root.children}
    expected = dict(zip(world.OBJECTS, world.VOTES[0], strict=True))
    for name, weight in weights.items():
        assert weight == pytest.approx(expected[name], rel=0.01)
    assert found.root.unexplained == pytest.approx(0, abs=1e-6)


def test_shares_are_of_the_siblings_with_the_same_sign() -> None:
    found = world.fitted().explain(world.item(100, (0, 1, 2, 3)).image, "village")
    shares = {one.concept: (one.weight > 0, one.share) for one in found.root.children}
    assert shares["house"] == (True, pytest.approx(0.75, abs=2e-3))
    assert shares["garden"] == (True, pytest.approx(0.25, abs=2e-3))
    assert shares["mountain"] == (False, 1.0)


def test_a_concepts_map_is_one_where_it_is_and_nothing_elsewhere() -> None:
    picture = world.item(100, (0, 1, 2, 3))
    found = world.fitted().explain(picture.image, "village")
    house = below(found.root, "house")
    labels = picture.masks["object"][0] == 1 + world.OBJECTS.index("house")
    assert house.heatmap == pytest.approx(labels.astype(float), abs=0.02)
    assert house.precision == pytest.approx(1.0)
    assert 0.02 < house.chance < 0.3


def test_what_is_not_in_the_image_is_not_rested_on() -> None:
    """The channel of a missing color has a mean of zero, so that no gate moves anything."""
    blue = world.item(100, (2,))
    found = world.fitted().explain(blue.image, "valley")
    assert [one.concept for one in found.root.children] == [
        world.OBJECTS[world.channel_of("object", 2)]
    ]


def test_levels_and_layers_are_told_coarse_to_fine() -> None:
    found = world.fitted().explain(world.item(100).image)
    assert found.levels == ("scene", "object", "part", "material", "color")
    assert [found.layers[n].name for n in found.levels[1:]] == ["7", "5", "3", "1"]
    assert found.root.level == "scene"
    assert found.target.name in world.CLASSES


def test_the_strongest_class_is_explained_if_none_is_named() -> None:
    found = world.fitted().explain(world.item(100).image)
    logits = world.classifier().logits(world.classifier().prepare(world.item(100).image).x)[0]
    assert found.target.index == int(logits.argmax())


def test_the_same_question_has_the_same_answer() -> None:
    image = world.item(100).image
    again = world.chain().fit(world.classifier(), world.Pictures(range(20)), progress=False)
    assert world.fitted().explain(image) == again.explain(image)


def test_stopped_at_once_the_levels_so_far_are_returned() -> None:
    asked: list[bool] = []

    def stopped() -> bool:
        asked.append(True)
        return len(asked) > 1

    found = world.fitted().explain(world.item(100).image, "village", stopped)
    assert found.root.children
    assert not any(one.children for one in found.root.children)


# a class


def test_a_class_rests_on_what_at_least_half_of_its_images_rest_on() -> None:
    some = [world.item(1, (0, 1)), world.item(2, (0, 2)), world.item(3, (0, 2)),
            world.item(4, (0, 2))]  # fmt: skip
    found = world.fitted().explain_class([s.image for s in some], "village", "four")
    always = world.OBJECTS[world.channel_of("object", 0)]
    once = world.OBJECTS[world.channel_of("object", 1)]
    counts = {one.concept: one.count for one in found.root.children}
    assert counts[always] == 4
    assert once not in counts
    assert found.name == "four"
    assert len(found.images) == 4
    assert all(one.heatmap is None for _, one in found.root.walk())


def test_a_classs_weight_is_the_mean_of_its_images() -> None:
    images = [world.item(n, (0, 1, 2, 3)).image for n in (5, 6, 7)]
    chain = world.fitted()
    alone = [below(chain.explain(i, "village").root, "house").weight for i in images]
    together = below(chain.explain_class(images, "village").root, "house")
    assert together.weight == pytest.approx(np.mean(alone), rel=1e-9)


def test_a_class_of_one_image_says_so() -> None:
    found = world.fitted().explain_class([world.item(1).image], 0)
    assert found.notes[-1].startswith("One image only")


def leaf(name: str, weight: float, *children: InferredConcept) -> InferredConcept:
    return InferredConcept(
        name, "object", "7", float(weight), 1.0, unexplained=0.5, children=children
    )


def test_a_concept_is_counted_at_its_place_not_by_its_name() -> None:
    trees = [
        leaf("house", 1, leaf("tree", 1, leaf("bark", 1))),
        leaf("house", 1, leaf("lawn", 1, leaf("bark", 1))),
        leaf("house", 1, leaf("tree", 3)),
    ]
    found = class_tree(trees)
    assert [(one.concept, one.weight, one.count) for one in found.children] == [("tree", 2.0, 2)]
    assert found.children[0].children == ()


def test_shares_of_one_sign_add_up_to_one() -> None:
    found = with_shares([leaf("a", 3), leaf("b", 1), leaf("c", -0.5), leaf("d", -1.5)])
    assert [one.share for one in found] == [0.75, 0.25, 0.25, 0.75]


# held against closing channels one by one


def closed(x: torch.Tensor, layer: int, channel: int) -> torch.Tensor:
    """The maps of the network's layers with one channel of one of them closed, the last first."""
    with torch.no_grad():
        for i, module in enumerate(world.network()):
            x = module(x)
            if i == layer:
                x[:, channel] = 0
    return x


def test_a_decision_loses_without_a_channel_what_a_forward_pass_loses() -> None:
    picture = world.item(100, (0, 1, 2, 3)).image
    chain = world.fitted()
    tree = chain.explain(picture, "village")
    found = chain.faithfulness(tree, picture)
    x = world.prepared(picture)[None]
    with torch.no_grad():
        whole = float(world.network()(x)[0, 0])
    expected = [whole - float(closed(x.clone(), 7, k)[0, 0]) for k in range(4)]
    assert found.drops == pytest.approx(expected, abs=1e-5)
    assert (len(found.drops), found.parts, found.baseline) == (4, "channels", "zero")


@pytest.mark.parametrize("path", [(), (0,), (0, 0), (0, 0, 0)])
def test_where_a_layer_is_linear_in_the_one_below_inference_agrees_with_closing(path) -> None:
    picture = world.item(100, (0, 1, 2, 3)).image
    found = world.fitted().explain(picture, "village")
    agreement = world.fitted().faithfulness(found, picture, path)
    assert agreement.pearson == pytest.approx(1, abs=1e-3)
    assert np.abs(agreement.drops).max() > 0.01


def test_a_class_is_held_against_the_images_in_which_a_concept_was_found() -> None:
    images = [world.item(n, (0, c)).image for n, c in ((1, 1), (2, 2), (3, 2))]
    chain = world.fitted()
    together = chain.explain_class(images, "village")
    at, shared = next(
        (i, one) for i, one in enumerate(together.root.children) if one.found_in == (1, 2)
    )
    every = [chain.explain(image, "village") for image in images[1:]]
    alone = [
        chain.faithfulness(one, image, (place,))
        for one, image in zip(every, images[1:], strict=True)
        for place, child in enumerate(one.root.children)
        if child.concept == shared.concept
    ]
    found = chain.faithfulness(together, images, (at,))
    assert found.drops == pytest.approx(np.mean([one.drops for one in alone], axis=0))
    assert found.estimates == pytest.approx(np.mean([one.estimates for one in alone], axis=0))


# kept, merged, taken up again


def test_a_saved_chain_explains_as_before(tmp_path: Path) -> None:
    image = world.item(100).image
    path = world.fitted().save(tmp_path / "chain.hx")
    assert hx.Chain.load(path, world.classifier()).explain(image) == world.fitted().explain(image)


def test_shards_add_up_in_any_order() -> None:
    one, other = (
        world.chain().fit(world.classifier(), world.Pictures(range(*ends)), progress=False)
        for ends in ((0, 12), (12, 20))
    )
    whole = world.fitted()
    for merged in (one.merge(other), other.merge(one)):
        for found, known in zip(merged.harmonized_, whole.harmonized_, strict=True):
            assert found.weights == pytest.approx(known.weights, rel=1e-6, abs=1e-9)
            assert found.precision == pytest.approx(known.precision, rel=1e-9)


def test_a_fit_goes_on_where_a_checkpoint_was_left(tmp_path: Path) -> None:
    path = tmp_path / "begun.hx"
    begun = world.chain().fit(
        world.classifier(), world.Pictures(range(9)), checkpoint=path, progress=False
    )
    assert begun.classifier_ is not None
    gone_on = world.chain().fit(
        world.classifier(), world.Pictures(range(20)), checkpoint=path, resume=True, progress=False
    )
    assert gone_on.explain(world.item(100).image) == world.fitted().explain(world.item(100).image)


def test_images_of_a_group_are_held_out_together() -> None:
    found = world.chain().fit(
        world.classifier(), world.Pictures(range(6)), group=lambda key: key[-1], progress=False
    )
    assert found.precision_["color"].keys() == set(world.COLORS)


# comparing


def compare(**more: object) -> hx.InferenceComparison:
    sets = {
        "with": [world.item(n, (0, 1, 2)).image for n in range(8)],
        "without": [world.item(n, (0, 3)).image for n in range(8, 14)],
    }
    settings: dict = {"concept": "village", "level": "scene", **more}
    return world.fitted().compare(sets, **settings)


def test_sets_that_rest_on_other_objects_lie_apart() -> None:
    found = compare()
    assert found.names == ("with", "without")
    assert found.sets.tolist() == [0] * 8 + [1] * 6
    assert found.distances[0, 1] > 5 * max(found.distances[0, 0], found.distances[1, 1])
    assert found.p_values[0, 1] < 0.01


def test_a_concept_of_a_level_is_compared_at_the_next() -> None:
    obj = world.OBJECTS[world.channel_of("object", 0)]
    found = compare(concept=obj, level="object")
    assert found.level == "object"
    assert found.concepts == (obj, obj)
    assert found.distances == pytest.approx(np.zeros((2, 2)), abs=0.01)


def test_each_set_may_have_its_own_concept() -> None:
    one, other = (world.OBJECTS[world.channel_of("object", c)] for c in (1, 3))
    found = compare(concept={"with": one, "without": other}, level="object")
    assert found.concepts == (one, other)
    assert found.distances[0, 1] == pytest.approx(2**0.5, abs=0.01)


def test_every_image_is_explained_if_wished() -> None:
    found = compare(inferences=True)
    assert len(found.inferences) == 14
    assert {one.target.name for one in found.inferences} == {"village"}
    assert found.inferences[0].root == compare(inferences=True).inferences[0].root


def test_a_set_of_one_image_is_flagged() -> None:
    sets = {"one": [world.item(0).image], "two": [world.item(1).image, world.item(2).image]}
    found = world.fitted().compare(sets, "village")
    assert list(found.flags) == ["one"]
    assert "one image only" in found.flags["one"]
    assert found.distances[0, 0] == 0


def test_a_compared_image_is_held_against_closing_each_channel() -> None:
    found = compare()
    image = world.item(1, (0, 1, 2)).image
    agreement = world.fitted().agreement(found, 1, image)
    assert agreement.drops == pytest.approx(
        world.fitted().faithfulness(world.fitted().explain(image, 0), image).drops
    )
    assert agreement.pearson == pytest.approx(1, abs=1e-3)


def test_another_image_than_was_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="got an image that is not number 1 of those compared"):
        world.fitted().agreement(compare(), 1, world.item(2, (0, 1, 2)).image)


def test_stopped_the_images_so_far_are_compared() -> None:
    asked: list[bool] = []
    found = compare(stopped=lambda: len(asked) > 0 or asked.append(True) is not None)
    assert found.names == ("with",)
    assert len(found.points) == len(found.images) == 8


def test_stopped_before_any_image_there_is_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="was stopped before the first images were inferred"):
        compare(stopped=lambda: True)


def test_skipped_files_are_told() -> None:
    chain = world.chain().fit(world.classifier(), world.Pictures(range(6)), progress=False)
    chain.skipped_ = ("a", "b")
    assert chain.explain(world.item(0).image).notes == ("2 files were skipped in the concept set.",)


def test_settings_are_in_the_evidence() -> None:
    found = world.fitted().explain(world.item(0).image, "village").provenance
    assert (found.method, found.target, found.seed) == ("CHAIN", "village", 0)
    assert found.settings["gates"] == 60
    assert replace(found) == found
