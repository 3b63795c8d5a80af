"""Names of filters on disk: what is kept, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from torch import nn

from hexplain_widgets.atlas.labels import MOST_NAME, FilterLabels
from hexplain_widgets.provenance import fingerprint

LABELS = FilterLabels("features.17", 8, {3: "wheel", 1: "door <b>", 5: "wheel"}, "abc", (2, 7))


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    assert FilterLabels.load(LABELS.save(tmp_path / "names.json")) == LABELS


def test_parts_stand_in_the_order_of_their_first_filter() -> None:
    assert LABELS.parts == ("door <b>", "wheel")


def test_a_part_knows_its_filters() -> None:
    assert LABELS.of("wheel") == (3, 5)


def test_a_file_is_readable_by_people(tmp_path: Path) -> None:
    value = json.loads(LABELS.save(tmp_path / "names.json").read_text(encoding="utf-8"))
    assert value["names"] == {"1": "door <b>", "3": "wheel", "5": "wheel"}
    assert value["without"] == [2, 7]


def test_a_file_without_filters_that_answer_to_nothing_is_read(tmp_path: Path) -> None:
    path = tmp_path / "names.json"
    value = {"format": 1, "layer": "a", "filters": 2, "network": None, "names": {"0": "leg"}}
    path.write_text(json.dumps(value), encoding="utf-8")
    assert FilterLabels.load(path) == FilterLabels("a", 2, {0: "leg"})


def test_names_that_cannot_be_written_leave_the_old_file_and_nothing_beside_it(
    tmp_path: Path,
) -> None:
    path = LABELS.save(tmp_path / "names.json")
    with pytest.raises(OSError, match="directory"):
        LABELS.save(tmp_path / "nowhere" / "names.json")
    assert FilterLabels.load(path) == LABELS
    assert [one.name for one in tmp_path.iterdir()] == ["names.json"]


@pytest.mark.parametrize("number", [-1, 8])
def test_a_filter_that_the_layer_has_not_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match=r"got a name for filter -?\d of 'a'; expected 0 to 7"):
        FilterLabels("a", 8, {number: "wheel"})
    with pytest.raises(ValueError, match="expected 0 to 7"):
        FilterLabels("a", 8, without=(number,))


@pytest.mark.parametrize("name", ["", "  ", "x" * (MOST_NAME + 1)])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="expected a text of 1 to 200 characters"):
        FilterLabels("a", 8, {0: name})


def test_a_filter_has_a_name_or_no_part_not_both() -> None:
    with pytest.raises(ValueError, match=r"filter 3 as one without a part, and with .*'wheel'"):
        FilterLabels("a", 8, {3: "wheel"}, without=(3,))


def test_names_of_another_layer_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got names for the 8 filters of 'features.17'; those"):
        LABELS.check_fits("features.14", 8)


def test_names_of_another_network_are_refused() -> None:
    with pytest.raises(ValueError, match="a network with other weights; this network's were"):
        LABELS.check_fits("features.17", 8, nn.Conv2d(3, 8, 1))
    with pytest.raises(ValueError, match="a network with other weights; this network's were"):
        LABELS.check_fits("features.17", 8, "def")


def test_names_of_this_network_fit() -> None:
    network = nn.Conv2d(3, 8, 1)
    labels = FilterLabels("a", 8, {0: "leg"}, fingerprint(network))
    labels.check_fits("a", 8, network)
    labels.check_fits("a", 8, fingerprint(network))
    with pytest.raises(ValueError, match="those of 'b' with its 8"):
        labels.check_fits("b", 8, network)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no file .*names of filters were"):
        FilterLabels.load(tmp_path / "names.json")


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"format": 2}', '{"format": 1, "layer": "a"}', '{"format": true}']
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "names.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"(?s)cannot load .*names of filters were expected"):
        FilterLabels.load(path)
