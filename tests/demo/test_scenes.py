"""A scene is the same for the same seed, at every size, and labelled to the last pixel."""

from __future__ import annotations

import numpy as np
import pytest

from hexplain_widgets import demo
from hexplain_widgets.demo.scenes import VARIANTS
from hexplain_widgets.demo.vocabulary import LEVELS, SCENES


def pixels(scene: demo.Scene) -> np.ndarray:
    return np.asarray(scene.image)


def shares(scene: demo.Scene, level: str) -> np.ndarray:
    counts = np.bincount(scene.masks[level].ravel(), minlength=len(scene.legend[level]))
    return counts / counts.sum()


@pytest.mark.parametrize("name", SCENES)
def test_the_same_seed_gives_the_same_scene_to_the_last_bit_whatever_ran_before(name):
    first = demo.scene(name, seed=5, size=64)
    demo.scene("street", seed=9, size=48)
    again = demo.scene(name, seed=5, size=64)
    assert np.array_equal(pixels(first), pixels(again))
    assert all(np.array_equal(first.masks[level], again.masks[level]) for level in LEVELS)


def test_another_seed_gives_another_scene():
    assert not np.array_equal(
        pixels(demo.scene("house", seed=1, size=64)), pixels(demo.scene("house", seed=2, size=64))
    )


@pytest.mark.parametrize("name", SCENES)
def test_another_size_is_the_same_scene(name):
    small, large = demo.scene(name, seed=3, size=96), demo.scene(name, seed=3, size=240)
    for level in LEVELS:  # an outline gains half a fine pixel, so wires weigh more when small
        assert np.abs(shares(small, level) - shares(large, level)).max() < 0.04


def test_a_smaller_picture_looks_like_the_larger_one_shrunk():
    small, large = demo.scene("farm", seed=3, size=80), demo.scene("farm", seed=3, size=160)
    shrunk = np.asarray(large.image.reduce(2), dtype=float)
    assert np.abs(shrunk - np.asarray(small.image, dtype=float)).mean() < 8


@pytest.mark.parametrize("name", SCENES)
def test_every_pixel_is_labelled_at_every_level(name):
    scene = demo.scene(name, seed=11, size=112)
    for level in LEVELS:
        assert scene.masks[level].shape == (112, 112)
        assert scene.masks[level].min() > 0


def test_the_scene_level_names_the_scene_everywhere():
    scene = demo.scene("lake", seed=0, size=32)
    assert scene.label == "lake"
    assert np.all(scene.masks["scene"] == scene.legend["scene"].index("lake"))


def test_index_zero_of_every_legend_means_none():
    assert {names[0] for names in demo.scene("park", size=16).legend.values()} == {"none"}


def test_the_image_is_rgb_of_the_asked_size():
    image = demo.scene("beach", size=50).image
    assert (image.mode, image.size) == ("RGB", (50, 50))


@pytest.mark.parametrize(
    ("surroundings", "expected"), [("pool", "pool"), ("hedge", "hedge"), ("curb", "road")]
)
def test_surroundings_put_their_object_before_the_house(surroundings, expected):
    for seed in range(4):
        scene = demo.scene("house", surroundings=surroundings, seed=seed, size=112)
        assert shares(scene, "object")[scene.legend["object"].index(expected)] > 0.02


@pytest.mark.parametrize(
    ("animals", "expected"), [("horses", "horse"), ("cows", "cow"), ("sheep", "sheep")]
)
def test_animals_graze_on_the_pasture_that_was_asked_for(animals, expected):
    scene = demo.scene("pasture", animals=animals, seed=2, size=112)
    assert shares(scene, "object")[scene.legend["object"].index(expected)] > 0.004


def test_a_variant_that_was_not_given_is_drawn_from_the_seed_and_reported():
    drawn = {demo.scene("house", seed=seed, size=16).variant["surroundings"] for seed in range(12)}
    assert drawn == set(VARIANTS["house"]["surroundings"])


def test_giving_the_variant_that_would_have_been_drawn_changes_nothing():
    drawn = demo.scene("orchard", seed=4, size=64)
    given = demo.scene("orchard", seed=4, size=64, **drawn.variant)
    assert np.array_equal(pixels(drawn), pixels(given))


def test_a_color_label_is_the_nominal_color_whatever_the_light():
    noon, dusk = (demo.scene("house", seed=6, size=64, light=light) for light in ("noon", "dusk"))
    house = noon.masks["object"] == noon.legend["object"].index("house")
    wall = house & (noon.masks["part"] == noon.legend["part"].index("wall"))
    assert np.array_equal(noon.masks["color"][wall], dusk.masks["color"][wall])
    assert not np.array_equal(pixels(noon)[wall], pixels(dusk)[wall])


def test_an_unknown_scene_lists_the_nearest_names():
    with pytest.raises(
        ValueError, match=r"unknown scene 'hause'; expected one of beach, .*; try 'house'"
    ):
        demo.scene("hause")


def test_an_unknown_variant_lists_those_of_the_scene():
    expected = "unknown variant of a pasture scene 'animal'; expected one of animals, light; try 'a"
    with pytest.raises(ValueError, match=expected):
        demo.scene("pasture", animal="cows")


def test_an_unknown_value_of_a_variant_lists_the_nearest():
    expected = "unknown surroundings 'hege'; expected one of curb, hedge, pool; try 'hedge'"
    with pytest.raises(ValueError, match=expected):
        demo.scene("house", surroundings="hege")


def test_a_size_below_sixteen_pixels_is_refused():
    with pytest.raises(ValueError, match="size is 8 pixels; expected at least 16; pass the side"):
        demo.scene("house", size=8)


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="seed is -1; expected 0 or more; take a non-negative"):
        demo.scene("house", seed=-1)
