"""States: what an engine gathered, in one file that is whole or not there."""

from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from hexplain_widgets.fitting import states
from hexplain_widgets.fitting.states import load_state, save_state

SETTINGS = {"layers": ["a", "b"], "seed": 3, "sparsity": 0.01, "none": None}
ARRAYS = {
    "bytes": np.arange(5, dtype=np.uint8),
    "matrix": np.arange(12.0).reshape(3, 4),
    "few": np.array([], dtype=np.float64),
    "counts": np.array([2**40, -1]),
    "small": np.array([[0.5]], dtype=np.float32),
    "flags": np.array([True, False]),
}


def saved(folder: Path, kind: str = "Chip", arrays: dict | None = None) -> Path:
    return save_state(folder / "chip.hx", kind, SETTINGS, (arrays or ARRAYS).items())


def test_what_is_saved_is_loaded_as_it_was(tmp_path) -> None:
    settings, arrays = load_state(saved(tmp_path), "Chip")
    assert settings == SETTINGS
    assert list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        assert np.array_equal(arrays[name], array)


def test_a_state_is_a_safetensors_file(tmp_path) -> None:
    with safe_open(saved(tmp_path), framework="numpy") as file:
        assert np.array_equal(file.get_tensor("matrix"), ARRAYS["matrix"])


def test_loaded_arrays_stay_in_the_file(tmp_path) -> None:
    _, arrays = load_state(saved(tmp_path), "Chip")
    assert isinstance(arrays["matrix"], np.memmap)
    assert not arrays["matrix"].flags.writeable


def test_arrays_larger_than_a_piece_are_written_whole(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(states, "PIECE", 100)
    large = {"large": np.random.default_rng(0).random((7, 31))}
    _, arrays = load_state(saved(tmp_path, arrays=large), "Chip")
    assert np.array_equal(arrays["large"], large["large"])


def test_numbers_of_numpy_are_settings_like_others(tmp_path) -> None:
    path = save_state(tmp_path / "a.hx", "Chip", {"seed": np.int64(3), "s": np.float32(0.5)}, ())
    assert load_state(path, "Chip")[0] == {"seed": 3, "s": 0.5}


def test_settings_that_are_not_numbers_are_not_written(tmp_path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        save_state(tmp_path / "a.hx", "Chip", {"sparsity": float("nan")}, ())
    assert list(tmp_path.iterdir()) == []


def test_every_cut_of_a_file_is_noticed(tmp_path) -> None:
    whole = saved(tmp_path).read_bytes()
    cut = tmp_path / "cut.hx"
    for length in (0, 4, 8, 20, len(whole) // 2, len(whole) - 33, len(whole) - 1):
        cut.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"cut\.hx: it is damaged, cut short .*; a saved Chip"):
            load_state(cut, "Chip")


def test_every_flipped_byte_is_noticed(tmp_path) -> None:
    whole = saved(tmp_path).read_bytes()
    flipped = tmp_path / "flipped.hx"
    for at in [*range(0, len(whole), 23), *range(len(whole) - 40, len(whole))]:
        flipped.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(ValueError, match=r"cannot load .*flipped"):
            load_state(flipped, "Chip")


def test_bytes_behind_the_end_are_noticed(tmp_path) -> None:
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes() + b"\0" * 8)
    with pytest.raises(ValueError, match="damaged, cut short"):
        load_state(path, "Chip")


@pytest.mark.parametrize("content", [b"", b"PK\3\4 a zip", b"\xff" * 200, b"\x80\x04N."])
def test_files_of_others_are_refused(tmp_path, content: bytes) -> None:
    path = tmp_path / "other.hx"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged, cut short or no such file .*; take another"):
        load_state(path, "Chip")


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.hx: a saved Chip was expected"):
        load_state(tmp_path / "none.hx", "Chip")


def test_the_state_of_another_engine_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"it holds 'Hint'; a saved Chip was expected; open it wi"):
        load_state(saved(tmp_path, "Hint"), "Chip")


def test_a_file_from_a_newer_version_is_said_to_be_newer(tmp_path) -> None:
    path = saved(tmp_path)
    whole = path.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    entry = json.loads(header["__metadata__"][states.ENTRY])
    header["__metadata__"][states.ENTRY] = json.dumps({**entry, "format": states.FORMAT + 1})
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + whole[8 + length :])
    with pytest.raises(ValueError, match=r"it has format 2; at most 1 was expected; install a new"):
        load_state(path, "Chip")


def full_after(count: int, monkeypatch) -> None:
    """Let the disk be full after so many bytes."""
    taken = [0]

    class Limited(io.FileIO):
        def write(self, piece: bytes) -> int:
            taken[0] += len(piece)
            if taken[0] > count:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(piece)

    opened = Path.open

    def on_a_full_disk(path: Path, mode: str = "r", **settings):
        if mode != "wb":
            return opened(path, mode, **settings)
        return io.BufferedWriter(Limited(path, "w"), buffer_size=16)

    monkeypatch.setattr(Path, "open", on_a_full_disk)


@pytest.mark.parametrize("room", [0, 10, 900])
def test_a_full_disk_leaves_the_file_that_was_there(tmp_path, monkeypatch, room: int) -> None:
    path = saved(tmp_path)
    before = path.read_bytes()
    full_after(room, monkeypatch)
    with pytest.raises(
        OSError, match=r"cannot write .*chip\.hx: No space left .*; free some space"
    ):
        saved(tmp_path, "Chip", {"matrix": np.ones((20, 20))})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_error_of_a_full_disk_keeps_its_number(tmp_path, monkeypatch) -> None:
    full_after(0, monkeypatch)
    with pytest.raises(OSError, match="No space left") as caught:
        saved(tmp_path)
    assert caught.value.errno == errno.ENOSPC


def test_a_missing_folder_is_an_error_of_the_system(tmp_path) -> None:
    with pytest.raises(OSError, match=r"cannot write .*; a folder with room .* was expected; free"):
        saved(tmp_path / "nowhere")


def test_an_interrupt_while_writing_leaves_the_file_that_was_there(tmp_path, monkeypatch) -> None:
    path = saved(tmp_path)
    before = path.read_bytes()

    def interrupted(*_) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        saved(tmp_path, "Chip", {"matrix": np.ones((20, 20))})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_state_is_saved_over_the_file_it_was_loaded_from(tmp_path) -> None:
    path = saved(tmp_path)
    settings, arrays = load_state(path, "Chip")
    save_state(path, "Chip", settings, arrays.items())
    assert np.array_equal(load_state(path, "Chip")[1]["matrix"], ARRAYS["matrix"])
