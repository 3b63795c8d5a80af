"""Reading from a folder one item at a time: nothing is kept, and nothing damaged gets through."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from hexplain_widgets.data.concept_sets import SkippedFile, outside
from hexplain_widgets.data.mask_folders import MaskFolder

SIZE = 96


def written(root: Path, count: int) -> Path:
    draw = np.random.default_rng(0)
    for folder in ("images", "labels"):
        (root / folder).mkdir(exist_ok=True)
    for i in range(count):
        pixels = draw.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / "images" / f"{i:03}.png")
        Image.fromarray(pixels[..., 0] % 3).save(root / "labels" / f"{i:03}.png")
    return root


def read(root: Path, **settings: object) -> MaskFolder:
    names = ["background", "door", "wheel"]
    return MaskFolder(root, level="part", **{"names": names, "colors": False, **settings})


def peak(data: MaskFolder) -> int:
    """The least of three passes: threads of other tests allocate as well."""
    return min(peak_of_a_pass(data) for _ in range(3))


def peak_of_a_pass(data: MaskFolder) -> int:
    gc.collect()
    tracemalloc.start()
    for _ in data:
        pass
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def test_memory_does_not_grow_with_the_number_of_images(tmp_path):
    few, many = tmp_path / "few", tmp_path / "many"
    few.mkdir()
    many.mkdir()
    one, other = read(written(few, 4)), read(written(many, 60))
    list(one)
    # a quarter of what the labels of 56 more images alone would take
    assert peak(other) < peak(one) + 56 * SIZE * SIZE


def test_no_picture_is_kept_when_the_next_is_read(tmp_path):
    pictures = [weakref.ref(item.image) for item in read(written(tmp_path, 4))]
    gc.collect()
    assert [picture() for picture in pictures] == [None] * 4


def test_nothing_is_opened_before_it_is_asked_for(tmp_path):
    data = read(written(tmp_path, 2))
    for path in tmp_path.rglob("*.png"):
        path.write_bytes(b"")
    assert len(data) == 2
    assert data.skipped == ()


def test_items_can_be_had_one_by_one_and_in_several_passes(tmp_path):
    data = read(written(tmp_path, 3))
    assert [item.key for item in data] == [item.key for item in data]
    assert data[-1].key == data[2].key == "002.png"


def test_a_set_says_how_many_images_and_which_levels_it_has(tmp_path):
    assert repr(read(written(tmp_path, 3))) == "MaskFolder(3 images, levels part)"


def test_an_index_beyond_the_end_is_an_error(tmp_path):
    text = "index is 3; expected below 3, the number of images; take a smaller one"
    with pytest.raises(IndexError, match=text):
        read(written(tmp_path, 3))[3]


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def no_picture(path: Path) -> None:
    path.write_text("not a picture")


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def chunk(content: bytes) -> bytes:
    check = zlib.crc32(content).to_bytes(4, "big")
    return (len(content) - 4).to_bytes(4, "big") + content + check


def a_bomb(path: Path) -> None:
    """A few bytes that say they are 60000 pixels wide and as high."""
    side = (60_000).to_bytes(4, "big")
    chunks = (b"IHDR" + side + side + bytes((8, 0, 0, 0, 0)), b"IDAT" + zlib.compress(b"0" * 99))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(map(chunk, chunks)))


def a_bomb_of_text(path: Path) -> None:
    """A small picture with a note that unpacks to more than Pillow takes."""
    note = PngImagePlugin.PngInfo()
    note.add_text("note", "0" * (PngImagePlugin.MAX_TEXT_CHUNK + 1), zip=True)
    Image.new("L", (SIZE, SIZE)).save(path, pnginfo=note)


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (Path.unlink, "is missing"),
    "a folder": (a_folder, "is missing"),
    "truncated": (truncated, "cannot be decoded"),
    "empty": (lambda path: path.write_bytes(b""), "is no picture that Pillow knows"),
    "something else": (no_picture, "is no picture that Pillow knows"),
    "a bomb": (a_bomb, "has more pixels than Pillow's limit"),
    "a bomb of text": (a_bomb_of_text, "cannot be decoded"),
}


@pytest.mark.parametrize("damage", [d for d in DAMAGE if d != "missing"])
def test_a_damaged_picture_takes_its_item_out(tmp_path, damage):
    data = read(written(tmp_path, 3))
    DAMAGE[damage][0](tmp_path / "images" / "001.png")
    assert [item.key for item in data] == ["000.png", "002.png"]
    ((path, reason, level),) = [(s.path, s.reason, s.level) for s in data.skipped]
    assert (path, level) == ("images/001.png", None)
    assert reason.startswith(DAMAGE[damage][1])


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_mask_takes_its_level_out(tmp_path, damage):
    data = read(written(tmp_path, 3), colors=True)
    DAMAGE[damage][0](tmp_path / "labels" / "001.png")
    assert [sorted(item.masks) for item in data] == [
        ["color", "part"],
        ["color"],
        ["color", "part"],
    ]
    ((path, reason, level),) = [(s.path, s.reason, s.level) for s in data.skipped]
    assert (path, level) == ("labels/001.png", "part")
    assert reason.startswith(DAMAGE[damage][1])


def test_a_picture_above_pillows_limit_is_refused_and_not_only_warned_of(tmp_path, monkeypatch):
    data = read(written(tmp_path, 1))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", SIZE * SIZE - 1)
    assert list(data) == []
    assert "more pixels than Pillow's limit" in data.skipped[0].reason


def test_what_is_damaged_is_listed_once_however_often_it_is_met(tmp_path):
    data = read(written(tmp_path, 2))
    no_picture(tmp_path / "images" / "000.png")
    for _ in range(3):
        list(data)
    assert data.skipped == (SkippedFile("images/000.png", "is no picture that Pillow knows"),)


def test_a_damaged_item_that_is_asked_for_is_an_error(tmp_path):
    data = read(written(tmp_path, 2))
    no_picture(tmp_path / "images" / "000.png")
    text = r"item 0 cannot be read: images/000.png is no picture .*; expected .*; repair the file,"
    with pytest.raises(ValueError, match=text):
        data[0]


@given(st.integers(0, 2), st.binary(min_size=1, max_size=6), st.integers(0, 10**6))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_is_overwritten_items_are_whole_or_left_out(tmp_path, which, junk, at):
    root = tmp_path if (tmp_path / "images").exists() else written(tmp_path, 1)
    path = (root / "images" / "000.png", root / "labels" / "000.png")[which % 2]
    before = path.read_bytes()
    at %= len(before)
    path.write_bytes(before[:at] + junk + before[at + len(junk) :])
    try:
        data = read(root, names=[f"n{i}" for i in range(256)])
        found = list(data)
    finally:
        path.write_bytes(before)
    assert len(found) + len(data.skipped) == 1
    assert all(item.masks["part"][0].shape == (SIZE, SIZE) for item in found)


@pytest.mark.parametrize(
    "path",
    ["../a.png", "a/../../b.png", "/etc/a.png", "..", "a\\..\\b.png", "C:\\a.png", "c:a.png",
     "\\\\host\\a.png"],
)  # fmt: skip
def test_a_path_that_leads_out_of_the_folder_is_noticed(path):
    assert outside(path)


@pytest.mark.parametrize("path", ["a.png", "a/b.png", "a..b/..c.png", "./a.png", "ade20k/x_1.jpg"])
def test_a_path_inside_the_folder_is_one(path):
    assert not outside(path)


@given(st.lists(st.sampled_from(["..", "a", ".", "b c"]), min_size=1, max_size=5))
@example(["a", ".."])
def test_no_path_with_a_step_up_is_inside(steps):
    assert outside("/".join(steps)) == (".." in steps)
