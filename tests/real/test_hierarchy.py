"""WordNet over ImageNet's thousand classes, from the file and through nltk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torchvision

from hexplain_widgets.data.hierarchy.hierarchy import Hierarchy

NAMES = torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V1.meta["categories"]
TOGETHER = {"animal": 398, "dog": 118, "bird": 59, "vehicle": 67}


@pytest.fixture(scope="module")
def file(data: Path) -> Path:
    return data / "imagenet" / "imagenet_hierarchy.json"


@pytest.fixture(scope="module")
def hierarchy(file: Path) -> Hierarchy:
    return Hierarchy.of(file)


@pytest.fixture(scope="module")
def rows(file: Path) -> dict[str, dict[str, Any]]:
    return json.loads(file.read_text())["nodes"]


@pytest.fixture(scope="module")
def index(data: Path) -> list[tuple[str, str]]:
    """The id and the name of each class."""
    pairs = json.loads((data / "imagenet" / "imagenet_class_index.json").read_text())
    return [tuple(pairs[str(i)]) for i in range(1000)]


def test_the_file_has_its_concepts_its_classes_and_those_with_several_parents(hierarchy) -> None:
    assert len(hierarchy) == 1860
    assert len(hierarchy.leaves()) == 1000
    assert sum(len(hierarchy.parents(c)) > 1 for c in hierarchy) == 75
    assert hierarchy.roots == ("entity",)


def test_every_concept_has_a_name_of_its_own_that_finds_it(hierarchy, rows) -> None:
    assert len(set(hierarchy.concepts)) == 1860
    assert all(hierarchy.find(name) == name for name in hierarchy)
    assert all(hierarchy.id_of(hierarchy.find(id)) == id for id in rows)


@pytest.mark.parametrize(("name", "count"), TOGETHER.items())
def test_a_concept_has_the_classes_that_are_its_kind(hierarchy, name: str, count: int) -> None:
    assert len(hierarchy.matched(NAMES)[name]) == count


def test_torchvisions_names_are_the_right_class_for_all_thousand(hierarchy, rows) -> None:
    matched = hierarchy.matched(NAMES)
    classes = {id: row["class_index"] for id, row in rows.items() if row["class_index"] is not None}
    assert len(classes) == 1000
    assert all(matched[id] == (index,) for id, index in classes.items())
    assert matched.missing == ()


def test_each_concept_has_as_many_classes_as_the_file_counts(hierarchy, rows) -> None:
    matched = hierarchy.matched(NAMES)
    assert all(len(matched[id]) == row["n_classes"] for id, row in rows.items())


def test_names_from_files_ids_and_numbers_give_what_torchvisions_names_give(
    hierarchy, index
) -> None:
    classes = hierarchy.matched(NAMES).classes
    assert hierarchy.matched([id for id, _ in index]).classes == classes
    assert hierarchy.matched([name for _, name in index]).classes == classes
    assert hierarchy.matched([name.lower() for _, name in index]).classes == classes
    assert hierarchy.matched(1000).classes == classes


def test_a_network_of_some_classes_in_another_order_is_matched_by_name(hierarchy, index) -> None:
    ids = {name: id for name, (id, _) in zip(NAMES, index, strict=True)}
    names = [name for name in NAMES[::-7] if name not in ("crane", "maillot")]
    matched = hierarchy.restricted(names).matched(names)
    assert not matched.missing
    assert [matched[ids[name]] for name in names] == [(i,) for i in range(len(names))]


def test_the_first_two_hundred_classes_find_theirs_among_all(hierarchy, rows) -> None:
    matched = hierarchy.restricted(NAMES[:200]).matched(NAMES[:200])
    assert all(
        matched[id] == (row["class_index"],)
        for id, row in rows.items()
        if row["class_index"] is not None and row["class_index"] < 200
    )


def test_collapsing_leaves_each_set_of_classes_once_or_side_by_side(hierarchy) -> None:
    whole, part = hierarchy.matched(NAMES), hierarchy.collapsed().matched(NAMES)
    assert set(part.classes.values()) == set(whole.classes.values())
    assert len(part.classes) < len(whole.classes)


def test_wordnet_through_nltk_is_the_file(hierarchy, index) -> None:
    nltk = pytest.importorskip("nltk")
    try:
        nltk.data.find("corpora/wordnet")
    except LookupError:
        pytest.skip("nltk has no WordNet here")
    found = Hierarchy.wordnet([id for id, _ in index])
    assert found.table()["nodes"].keys() == hierarchy.table()["nodes"].keys()
    assert found == hierarchy
