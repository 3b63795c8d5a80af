"""Training on permuted labels: what the second sanity check needs."""

from __future__ import annotations

import pytest
import torch

from hexplain_widgets.demo.targets import LabelledScenes, example, stack
from hexplain_widgets.demo.train import permuted, train
from hexplain_widgets.demo.vocabulary import SCENES


@pytest.fixture(scope="module")
def scenes() -> LabelledScenes:
    return stack([example((SCENES[i % 3], i // 3, 112)) for i in range(6)])


def place_of_labels(scenes: LabelledScenes, shuffled: LabelledScenes) -> list[int]:
    """Whose labels every scene has, by its map of colors."""
    return [
        next(i for i, own in enumerate(scenes.maps["color"]) if torch.equal(own, colors))
        for colors in shuffled.maps["color"]
    ]


def test_permuted_scenes_keep_their_pixels(scenes) -> None:
    assert torch.equal(permuted(scenes, seed=0).pixels, scenes.pixels)


def test_every_scene_has_the_labels_of_another_and_none_is_lost(scenes) -> None:
    places = place_of_labels(scenes, permuted(scenes, seed=0))
    assert sorted(places) == list(range(6))
    assert all(place != i for i, place in enumerate(places))


def test_class_concepts_and_maps_come_from_the_same_scene(scenes) -> None:
    shuffled = permuted(scenes, seed=0)
    places = place_of_labels(scenes, shuffled)
    assert torch.equal(shuffled.label, scenes.label[places])
    assert torch.equal(shuffled.present, scenes.present[places])
    assert all(torch.equal(shuffled.maps[k], scenes.maps[k][places]) for k in scenes.maps)


def test_the_permutation_goes_by_its_seed_alone(scenes) -> None:
    before = torch.get_rng_state()
    orders = [place_of_labels(scenes, permuted(scenes, seed=seed)) for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert torch.equal(torch.get_rng_state(), before)


def test_scenes_are_learnt_as_they_are_or_varied(scenes) -> None:
    varied, again, as_they_are = (
        train(scenes, epochs=2, seed=0, vary=vary).state_dict()["classify.weight"]
        for vary in (True, True, False)
    )
    assert torch.equal(varied, again)
    assert not torch.equal(varied, as_they_are)
