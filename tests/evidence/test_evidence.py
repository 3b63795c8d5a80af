"""Evidence: frozen values that are equal when every field is, and a tree that can be walked."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

import hexplain_widgets as hx
from tests.networks import image, plain

TREE = hx.decompose(plain(), image(40), top_k=2)


def test_evidence_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        TREE.target = None  # type: ignore[misc]


def test_a_changed_pixel_makes_another_evidence() -> None:
    node = TREE.root.children[0]
    patch = node.patch.copy()
    patch[0, 0] += 1
    assert replace(node, patch=patch) != node
    assert replace(node, patch=node.patch.copy()) == node


def test_evidence_of_another_kind_is_not_equal() -> None:
    assert TREE.root != TREE.target


def test_a_prediction_unpacks_to_index_name_and_probability() -> None:
    index, name, probability = TREE.target
    assert (index, name, probability) == (
        TREE.target.index, TREE.target.name, TREE.target.probability
    )  # fmt: skip


def test_the_activation_is_the_patch_in_its_place() -> None:
    node = TREE.root.children[0].children[0]
    (y, x), (h, w) = node.offset, node.patch.shape
    assert node.activation.shape == node.shape
    assert np.array_equal(node.activation[y : y + h, x : x + w], node.patch)
    assert node.activation.sum() == pytest.approx(node.patch.sum())


@pytest.mark.parametrize("offset", [(-1, 0), (0, 1000)])
def test_a_patch_outside_its_map_is_refused(offset) -> None:
    with pytest.raises(ValueError, match=r"expected it inside the map"):
        replace(TREE.root.children[0], offset=offset)


def test_walking_meets_parents_first_and_every_path_leads_to_its_node() -> None:
    seen = []
    for path, node in TREE.root.walk():
        assert TREE.node(path) is node
        assert path == () or path[:-1] in seen
        seen.append(path)
    assert len(seen) == 15


def test_replacing_a_node_leaves_the_others_as_they_are() -> None:
    folded = replace(TREE.node((0, 1)), children=(), activated=None)
    other = TREE.with_node((0, 1), folded)
    assert other.node((0, 1)) is folded
    assert other.node((1,)) is TREE.node((1,))
    assert other.node((0, 0)) is TREE.node((0, 0))
