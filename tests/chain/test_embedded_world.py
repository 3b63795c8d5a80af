"""Fig. 8-11 of CHAIN in the embedded world: houses with pool, hedge and curb, and orchards."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import pytest

import hexplain_widgets as hx
from hexplain_widgets.chain.inference import InferenceSettings, LevelInference
from hexplain_widgets.network.probe import Probe

pytestmark = pytest.mark.slow

IMAGES, DRAWS, SURE = 20, 500, 0.01
SURROUNDINGS = ("pool", "hedge", "curb")


@cache
def chain() -> hx.Chain:
    data = hx.demo.scenes(80, seed=11, size=112).concepts()
    return hx.Chain(gates=200).fit(hx.demo.classifier(), data, progress=False)


@cache
def houses() -> Mapping[str, list[object]]:
    return {
        name: [
            hx.demo.scene("house", surroundings=name, seed=1000 + i, size=112).image
            for i in range(IMAGES)
        ]
        for name in SURROUNDINGS
    }


@cache
def orchards() -> list[object]:
    return [hx.demo.scene("orchard", seed=1000 + i, size=112).image for i in range(IMAGES)]


@cache
def at_scene_level() -> hx.InferenceComparison:
    sets = {**houses(), "orchard": orchards()}
    return chain().compare(sets, {**dict.fromkeys(SURROUNDINGS, "house"), "orchard": "orchard"})


@cache
def houses_as_objects() -> hx.InferenceComparison:
    return chain().compare(houses(), "house", "object")


@cache
def objects_of_their_own() -> hx.InferenceComparison:
    own = {"pool": "pool", "hedge": "hedge", "curb": "sidewalk"}
    few = {name: some[: IMAGES // 2] for name, some in houses().items()}
    return chain().compare(few, own, "object")


def within(found: hx.InferenceComparison) -> np.ndarray:
    return np.diag(found.distances)


def between(found: hx.InferenceComparison, *names: str) -> float:
    one, other = map(found.names.index, names)
    return float(found.distances[one, other])


def test_a_house_with_a_pool_is_inferred_apart_from_those_with_hedge_and_curb() -> None:
    """Fig. 8: both larger than within any set, larger than between the other two, and no chance."""
    found = at_scene_level()
    apart = [between(found, "pool", name) for name in ("hedge", "curb")]
    assert min(apart) > within(found)[:3].max()
    assert min(apart) > between(found, "hedge", "curb")
    assert found.p_values[0, 1:3].max() < SURE


def test_pool_is_more_apart_than_chance_would_have_it() -> None:
    """Were names given to the images at random, pool would rarely lie so much further off."""
    weights, sets = weights_of_houses(), np.repeat(np.arange(3), IMAGES)
    random = np.random.default_rng(0)
    drawn = [more_apart(weights, random.permutation(sets)) for _ in range(DRAWS)]
    assert np.mean(np.array(drawn) >= more_apart(weights, sets)) < 0.05


def weights_of_houses() -> np.ndarray:
    """Unit inference weights of the scene by a thousand gates, on which noise weighs less."""
    look = hx.demo.classifier()
    inferrer = LevelInference(
        Probe(look), chain().harmonized_, (5, 5, 1, 1), InferenceSettings(1000, 0.01, 0.0, 0)
    )
    house = look.classes.index("house")
    images = [look.prepare(image).x for some in houses().values() for image in some]
    found = inferrer.weights(images, [house] * len(images), 0, lambda: False)
    return np.array([one.unit for one in found])


def more_apart(weights: np.ndarray, sets: np.ndarray) -> float:
    pool, hedge, curb = (weights[sets == s].mean(0) for s in range(3))
    nearest = min(np.linalg.norm(pool - hedge), np.linalg.norm(pool - curb))
    return float(nearest - np.linalg.norm(hedge - curb))


def test_the_house_itself_is_inferred_alike_whatever_surrounds_it() -> None:
    """Fig. 10: at the object level sets lie nearer to each other than their own images do."""
    found = houses_as_objects()
    others = found.distances[~np.eye(3, dtype=bool)]
    assert others.max() < within(found).min()


def test_pool_hedge_and_curb_are_inferred_each_in_its_own_way() -> None:
    """Fig. 9: three objects, separable."""
    found = objects_of_their_own()
    others = found.distances[~np.eye(3, dtype=bool)]
    assert others.min() > 3 * within(found).max()
    assert found.p_values[~np.eye(3, dtype=bool)].max() < SURE


def test_an_orchard_is_further_from_houses_than_they_are_from_each_other() -> None:
    """Fig. 11."""
    found = at_scene_level()
    far = [between(found, "orchard", name) for name in SURROUNDINGS]
    assert min(far) > 1.5 * found.distances[:3, :3].max()
    assert found.p_values[3, :3].max() < SURE


def test_a_house_with_a_pool_rests_on_parts_materials_and_colors_of_the_picture() -> None:
    scene = hx.demo.scene("house", surroundings="pool", seed=3)
    found = chain().explain(scene.image, "house")
    house = next(one for one in found.root.children if one.concept == "house")
    assert house.weight > 0
    assert {"roof", "wall"} <= {part.concept for part in house.children}
    assert all(
        len(material.children) == 1 and material.children[0].level == "color"
        for part in house.children
        for material in part.children
    )


def test_sequences_of_levels_are_those_of_the_paper() -> None:
    assert tuple(chain().levels_) == ("scene", "object", "part", "material", "color")
    layers = [layer.name for layer in chain().levels_.values() if layer is not None]
    assert layers == ["stage5", "stage4", "stage3", "stage2"]
