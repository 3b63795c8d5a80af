"""Many scenes: balanced, repeatable, with or without their labels."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from hexplain_widgets import demo
from hexplain_widgets.demo.network import preprocess
from hexplain_widgets.demo.vocabulary import LEVELS, SCENES


def test_labels_are_known_without_rendering_a_scene() -> None:
    data = demo.scenes(23, size=16)
    assert data.targets == [label for _, label in demo.scenes(23, size=16)]
    assert not data._images


def test_classes_are_balanced():
    counts = Counter(label for _, label in demo.scenes(30, size=16))
    assert counts == dict.fromkeys(range(len(SCENES)), 3)


def test_labels_index_the_class_names():
    data = demo.scenes(10, size=16)
    assert [data.classes[label] for _, label in data] == list(SCENES)


def test_the_same_seed_gives_the_same_data():
    a, b = demo.scenes(10, seed=2, size=16), demo.scenes(10, seed=2, size=16)
    assert np.array_equal(np.asarray(a[7][0]), np.asarray(b[7][0]))


def test_another_seed_gives_other_data():
    a, b = demo.scenes(10, seed=2, size=32), demo.scenes(10, seed=3, size=32)
    assert not np.array_equal(np.asarray(a[7][0]), np.asarray(b[7][0]))


def test_changing_an_image_does_not_change_the_data():
    data = demo.scenes(1, size=16)
    data[0][0].paste((0, 0, 0), (0, 0, 16, 16))
    assert np.asarray(data[0][0]).max() > 0


def test_a_transform_makes_batches_for_a_loader():
    loader = DataLoader(demo.scenes(4, transform=preprocess), batch_size=4)
    images, labels = next(iter(loader))
    assert images.shape == (4, 3, 112, 112)
    assert labels.tolist() == [0, 1, 2, 3]


def test_the_concept_set_has_the_labels_of_the_same_images():
    data = demo.scenes(10, seed=1, size=32)
    concepts = data.concepts()
    assert len(concepts) == 10
    assert np.array_equal(np.asarray(concepts[4].image), np.asarray(data[4][0]))


def test_the_concept_set_names_every_value_of_its_maps():
    concepts = demo.scenes(2, size=32).concepts()
    assert concepts.levels == LEVELS
    for scene in concepts:
        assert all(scene.masks[level].max() < len(concepts.names[level]) for level in LEVELS)


def test_an_index_beyond_the_end_is_refused():
    with pytest.raises(IndexError, match="index is 3; expected below 3, the number of scenes"):
        demo.scenes(3, size=16)[3]


def test_no_scenes_at_all_are_refused():
    with pytest.raises(ValueError, match="n is 0; expected at least 1 scene; pass how many"):
        demo.scenes(0)


def test_iterating_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    list(demo.scenes(2, size=16))
    assert torch.equal(torch.get_rng_state(), before)
