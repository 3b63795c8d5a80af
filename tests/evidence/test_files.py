"""A file is there whole or not at all, and an error says which could not be written."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from hexplain_widgets.atlas.labels import FilterLabels
from hexplain_widgets.evidence import Evidence
from hexplain_widgets.evidence.store import load, save
from hexplain_widgets.fitting.states import ENTRY, load_state, save_state

SAVED = Path(__file__).parents[1] / "saved"
DEEP = "[" * 100_000 + "]" * 100_000


def full(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def evidence() -> Evidence:
    return load(SAVED / "Prediction.hx")


WRITERS = {
    "evidence": lambda path: save(evidence(), path),
    "labels": lambda path: FilterLabels("4", 3, {1: "wheel"}).save(path),
    "state": lambda path: save_state(path, "Chip", {}, {}.items()),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_told_with_the_file_and_leaves_what_was_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=rf"cannot write {path}: No space left.*free some space"):
        WRITERS[name](path)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"before"


def test_json_that_is_nested_too_deep_is_no_file_of_names(tmp_path: Path) -> None:
    path = tmp_path / "names.json"
    path.write_text(DEEP)
    with pytest.raises(ValueError, match=r"cannot load .*; names of filters were expected"):
        FilterLabels.load(path)


def test_json_that_is_nested_too_deep_is_no_saved_state(tmp_path: Path) -> None:
    path = save_state(tmp_path / "chip", "Chip", {}, {}.items())
    header = path.read_bytes()
    length = int.from_bytes(header[:8], "little")
    assert ENTRY.encode() in header[8 : 8 + length]
    text = '{"__metadata__": {"' + ENTRY + '": "' + DEEP + '"}}'
    path.write_bytes(len(text).to_bytes(8, "little") + text.encode())
    with pytest.raises(ValueError, match=r"cannot load .*; a saved Chip was expected"):
        load_state(path, "Chip")


def test_names_that_were_changed_are_refused_unless_their_digest_is_taken_out(
    tmp_path: Path,
) -> None:
    path = FilterLabels("4", 3, {1: "wheel"}).save(tmp_path / "names.json")
    path.write_text(path.read_text().replace("wheel", "whale"))
    with pytest.raises(ValueError, match=r"not those of its digest.*take the digest out"):
        FilterLabels.load(path)
    lines = path.read_text().splitlines()
    kept = [line for line in lines if "digest" not in line]
    path.write_text("\n".join(kept).replace("],\n}", "]\n}"))
    assert FilterLabels.load(path).names == {1: "whale"}


def test_names_of_an_earlier_version_have_no_digest_and_open() -> None:
    assert FilterLabels.load(SAVED / "FilterLabels.json").filters == 6
