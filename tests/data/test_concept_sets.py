"""What a concept set is: its protocol, the labels of its items, and who is held out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hexplain_widgets import demo
from hexplain_widgets.data.concept_sets import (
    IGNORE,
    ConceptSet,
    LabelledImage,
    LabelledPicture,
    concept_set,
    is_held_out,
    label_maps,
)

NAMES = ("none", "wheel", "door")


class Handmade:
    """The least that a concept set can be."""

    levels = ("part",)
    skipped = ()

    def __init__(self, **changes: object) -> None:
        self.names = {"part": NAMES}
        self.__dict__.update(changes)

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[LabelledPicture]:
        yield item(np.array([[1, 2]]))


def item(*maps: object, level: str = "part") -> LabelledPicture:
    return LabelledPicture("a", Image.new("RGB", (2, 1)), {level: maps})


def test_the_embedded_world_is_a_concept_set_as_it_is():
    scenes = demo.scenes(2, size=16).concepts()
    assert isinstance(scenes, ConceptSet)
    assert concept_set(scenes) is scenes


def test_a_scene_is_a_labelled_image_as_it_is():
    scenes = demo.scenes(2, size=16).concepts()
    assert all(isinstance(scene, LabelledImage) for scene in scenes)


def test_scenes_of_the_embedded_world_have_different_keys():
    assert len({scene.key for scene in demo.scenes(25, size=16).concepts()}) == 25


def test_a_scene_has_the_same_key_at_every_size():
    small, large = (demo.scenes(3, size=n).concepts()[2].key for n in (16, 32))
    assert small == large


def test_variants_of_a_scene_have_keys_of_their_own():
    pool, hedge = (demo.scene("house", surroundings=s, size=16) for s in ("pool", "hedge"))
    assert pool.key != hedge.key


def test_a_handmade_set_is_a_concept_set():
    made = Handmade()
    assert concept_set(made) is made


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (
            demo.scenes(2, size=16),
            r"got Scenes without levels, names, skipped; expected .*; call its .concepts\(\)",
        ),
        (
            [1],
            "got a list of int, whose labels have no names; expected a concept set .*; take a part",
        ),
        (
            np.zeros(2),
            "got ndarray without levels, names, skipped; expected a concept set .*; give it what",
        ),
    ],
)
def test_what_is_no_concept_set_is_an_error(data, text):
    with pytest.raises(TypeError, match=text):
        concept_set(data)


@pytest.mark.parametrize("levels", [(), ("part", "part")])
def test_levels_stand_once_each_and_there_is_one(levels):
    with pytest.raises(ValueError, match=r"got the levels .*; expected at least one, .*; name eve"):
        concept_set(Handmade(levels=levels))


@pytest.mark.parametrize("names", [{}, {"part": ("none",)}])
def test_a_level_without_concepts_is_an_error(names):
    text = "got no concept at the level 'part'; expected .* at least one name; add the names or"
    with pytest.raises(ValueError, match=text):
        concept_set(Handmade(names=names))


def test_a_level_has_one_map_or_several():
    one, two = np.array([[1, 0]]), np.array([[0, 2]])
    assert len(label_maps(item(one), "part", NAMES)) == 1
    assert [m.tolist() for m in label_maps(item(one, two), "part", NAMES)] == [[[1, 0]], [[0, 2]]]


def test_a_single_map_need_not_stand_in_a_list():
    scene = demo.scene("farm", size=16)
    (found,) = label_maps(scene, "object", scene.legend["object"])
    assert np.array_equal(found, scene.masks["object"])


def test_a_level_at_which_an_item_is_unlabelled_has_no_map():
    assert label_maps(item(np.array([[1]])), "object", NAMES) == ()


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint16])
def test_labels_are_whole_numbers_of_any_kind(dtype):
    (found,) = label_maps(item(np.array([[1, 2]], dtype)), "part", NAMES)
    assert found.dtype == np.int32


def test_pixels_may_be_unlabelled():
    (found,) = label_maps(item(np.array([[IGNORE, 2]])), "part", NAMES)
    assert found.tolist() == [[-1, 2]]


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (np.ones((2, 2, 3), int), r"got int64 of shape \(2, 2, 3\) as the part map of 'a'; expec"),
        (np.ones((2, 2)), r"got float64 of shape \(2, 2\) as the part map .*; give several labels"),
        (np.ones((0, 2), int), r"got int64 of shape \(0, 2\) .*; expected whole numbers \(h, w\)"),
        (np.array([[3]]), r"got the label 3 .* of 'a'; expected -1 \(unlabelled\) to 2, .*; name"),
        (np.array([[-2]]), "got the label -2 in the part map of 'a'; expected -1 .* to 2"),
    ],
)
def test_what_is_no_map_of_labels_is_an_error(labels, text):
    with pytest.raises(ValueError, match=text):
        label_maps(item(labels), "part", NAMES)


@given(st.text(), st.integers(0, 5))
def test_who_is_held_out_depends_on_the_key_alone(key, seed):
    assert is_held_out(key, seed=seed) == is_held_out(key, seed=seed)


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_holds_out_the_same_and_more(key, one, other):
    low, high = sorted((one, other))
    assert is_held_out(key, share=low) <= is_held_out(key, share=high)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_about_the_share_that_is_asked_is_held_out(share):
    found = np.mean([is_held_out(f"image {i}", share=share) for i in range(4000)])
    assert found == pytest.approx(share, abs=0.03)


def test_another_seed_holds_out_others():
    one, other = ([is_held_out(str(i), seed=s) for i in range(100)] for s in (0, 1))
    assert one != other


def test_all_and_nothing_can_be_held_out():
    assert is_held_out("a", share=1.0)
    assert not is_held_out("a", share=0.0)


def test_a_share_that_is_none_is_an_error():
    with pytest.raises(
        ValueError, match=r"share is 30.0; expected a part of the items, .*; pass 0.3"
    ):
        is_held_out("a", share=30.0)


# parts of a set


def test_a_slice_of_a_set_is_a_set_with_all_of_its_names():
    data = demo.scenes(6, seed=0).concepts()
    some = concept_set(data[1:5])
    assert isinstance(some, ConceptSet)
    assert (some.levels, some.names, len(some)) == (data.levels, data.names, 4)
    assert [one.key for one in some] == [data[i].key for i in range(1, 5)]
    assert [one.key for one in some[::-2]] == [data[4].key, data[2].key]
    assert repr(some) == f"4 of {data!r}"


def test_a_list_of_items_is_a_set():
    data = demo.scenes(4, seed=0).concepts()
    some = concept_set([data[2], data[0]])
    assert isinstance(some, ConceptSet)
    assert (some.levels, some.names) == (data.levels, data.names)
    assert [one.key for one in some] == [data[2].key, data[0].key]
    assert [one.key for one in some[:1]] == [data[2].key]


def test_a_list_without_names_or_with_several_is_an_error():
    bare = LabelledPicture("a", Image.new("RGB", (2, 2)), {})
    with pytest.raises(TypeError, match="got a list of LabelledPicture, whose labels have no name"):
        concept_set([bare])
    with pytest.raises(TypeError, match="got a list of nothing"):
        concept_set([])
    named = [
        LabelledPicture("a", Image.new("RGB", (2, 2)), {}, {"part": ("none", name)})
        for name in ("wheel", "door")
    ]
    with pytest.raises(ValueError, match="items of several concept sets"):
        concept_set(named)
