"""Folders of pictures and masks: which value is which concept, and what is passed over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hexplain_widgets.data.concept_sets import (
    COLORS,
    ConceptSet,
    SkippedFile,
    concept_set,
    label_maps,
)
from hexplain_widgets.data.mask_folders import MaskFolder

NAMES = {0: "_background_", 1: "door", 2: "wheel"}
LABELS = np.array([[0, 1, 1], [2, 2, 0]], np.uint8)


def picture(path: Path, size: tuple[int, int] = (3, 2), color: str = "red") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)


def mask(path: Path, labels: np.ndarray = LABELS) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels)
    if labels.dtype == np.uint8:
        image.putpalette([(7 * i) % 256 for i in range(768)])
    image.save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        picture(tmp_path / "images" / f"{name}.jpg")
        mask(tmp_path / "labels" / f"{name}.png")
    return tmp_path


def parts(folder: Path, **settings: object) -> MaskFolder:
    return MaskFolder(folder, level="part", **{"names": NAMES, "colors": False, **settings})


def labels_of(data: MaskFolder, index: int = 0) -> list[list[int]]:
    level = data.levels[0]
    (found,) = label_maps(data[index], level, data.names[level])
    return found.tolist()


def test_a_folder_is_a_concept_set(folder):
    data = parts(folder)
    assert isinstance(data, ConceptSet)
    assert concept_set(data) is data


def test_a_picture_is_known_by_its_path(folder):
    assert [item.key for item in parts(folder)] == ["a.jpg", "b.jpg"]


def test_pictures_in_subfolders_have_masks_in_the_same_subfolders(folder):
    picture(folder / "images" / "night" / "a.png")
    mask(folder / "labels" / "night" / "a.png", np.full((2, 3), 2, np.uint8))
    data = parts(folder)
    assert data[2].key == "night/a.png"
    assert labels_of(data, 2) == [[2, 2, 2], [2, 2, 2]]


def test_a_mask_is_read_by_its_indices_and_not_by_its_palette(folder):
    assert labels_of(parts(folder)) == [[0, 1, 1], [2, 2, 0]]


def test_a_grey_mask_may_hold_more_than_256_values(folder):
    mask(folder / "labels" / "a.png", np.where(LABELS == 2, np.uint16(700), LABELS))
    assert labels_of(parts(folder, names={1: "door", 700: "wheel"})) == [[0, 1, 1], [2, 2, 0]]


def test_value_0_is_a_concept_where_its_name_is_one(folder):
    data = parts(folder, names=["sky", "road", "car"])
    assert data.names["part"] == ("none", "sky", "road", "car")
    assert labels_of(data) == [[1, 2, 2], [3, 3, 1]]


def test_value_0_without_a_name_is_none(folder):
    assert labels_of(parts(folder, names={1: "door", 2: "wheel"})) == [[0, 1, 1], [2, 2, 0]]


@pytest.mark.parametrize("name", ["unlabelled", "void", "Unlabeled", "ignore"])
def test_a_name_may_say_that_nobody_labelled_a_pixel(folder, name):
    data = parts(folder, names=["sky", "road", name])
    assert data.names["part"] == ("none", "sky", "road")
    assert labels_of(data) == [[1, 2, 2], [-1, -1, 1]]


@pytest.mark.parametrize("ignore", [["door"], [1]])
def test_what_is_ignored_is_given_by_name_or_value(folder, ignore):
    data = parts(folder, ignore=ignore)
    assert labels_of(data) == [[0, -1, -1], [1, 1, 0]]


def test_a_value_without_a_name_may_be_ignored(folder):
    mask(folder / "labels" / "a.png", np.array([[0, 255, 1], [2, 2, 0]], np.uint8))
    assert labels_of(parts(folder, ignore=[255])) == [[0, -1, 1], [2, 2, 0]]


def test_what_is_none_can_be_given_too(folder):
    data = parts(folder, none=["_background_", "door"])
    assert data.names["part"] == ("none", "wheel")
    assert labels_of(data) == [[0, 0, 0], [1, 1, 0]]


def test_nothing_is_none_or_ignored_where_that_is_asked(folder):
    data = parts(folder, none=[], ignore=[])
    assert data.names["part"] == ("none", "_background_", "door", "wheel")


def test_values_of_one_name_are_one_concept(folder):
    data = parts(folder, names={0: "background", 1: "door", 2: "door"})
    assert labels_of(data) == [[0, 1, 1], [1, 1, 0]]


FILES = {
    "parts.json": json.dumps({str(k): v for k, v in NAMES.items()}),
    "classes.json": json.dumps(list(NAMES.values())),
    "names.txt": "background\r\ndoor\r\nwheel\r\n",
    "labels.csv": "Idx,Ratio,Name\n1,0.2,door;gate\n2,0.1,wheel\n",
}


@pytest.mark.parametrize("name", FILES)
def test_names_are_found_in_the_folder(folder, name):
    (folder / name).write_text(FILES[name])
    data = MaskFolder(folder, level="part")
    assert data.names["part"] == ("none", "door", "wheel")


def test_names_with_the_same_first_synonym_keep_all_theirs(folder):
    (folder / "names.csv").write_text("index,name\n1,screen;door\n2,screen;projection;screen\n")
    assert parts(folder, names="names.csv").names["part"][1:] == (
        "screen, door",
        "screen, projection",
    )


def test_a_file_of_names_can_be_given(folder):
    (folder / "words.txt").write_text("\ufeffsky\nroad\ncar", encoding="utf-8")
    assert parts(folder, names="words.txt").names["part"] == ("none", "sky", "road", "car")


def test_an_empty_line_leaves_its_value_without_a_name(folder):
    (folder / "names.txt").write_text("background\n\nwheel\n")
    data = parts(folder, names="names.txt")
    assert list(data) == []
    assert "has the value 1" in data.skipped[0].reason


def test_colors_are_computed_from_the_pixels(folder):
    data = parts(folder, colors=True)
    (found,) = label_maps(data[0], "color", data.names["color"])
    assert data.levels == ("part", "color")
    assert (found == 1 + COLORS.index("red")).all()


def test_masks_of_colors_come_before_computed_ones(folder):
    data = MaskFolder(folder, level="color", names=["none", "red", "blue"])
    assert data.names == {"color": ("none", "red", "blue")}


def skips(folder: Path, **settings: object) -> tuple[SkippedFile, ...]:
    data = parts(folder, **settings)
    assert [item.key for item in data] == ["b.jpg"]
    return data.skipped


def test_a_picture_without_a_mask_is_skipped(folder):
    (folder / "labels" / "a.png").unlink()
    assert skips(folder) == (SkippedFile("labels/a.png", "is missing", "part"),)


def test_a_mask_without_a_picture_is_skipped(folder):
    (folder / "images" / "a.jpg").unlink()
    reason = "has no picture of its name in images"
    assert skips(folder) == (SkippedFile("labels/a.png", reason, None),)


def test_a_mask_of_another_size_is_skipped(folder):
    mask(folder / "labels" / "a.png", np.ones((3, 3), np.uint8))
    reason = "is 3 pixels high and 3 wide; 2 and 3 were expected"
    assert skips(folder) == (SkippedFile("labels/a.png", reason, "part"),)


def test_a_mask_with_a_value_beyond_the_names_is_skipped(folder):
    mask(folder / "labels" / "a.png", LABELS + np.uint8(1))
    reason = "has the value 3; it has no name; name it, or pass it in none= or ignore="
    assert skips(folder) == (SkippedFile("labels/a.png", reason, "part"),)


def test_a_mask_in_full_color_is_skipped(folder):
    picture(folder / "labels" / "a.png")
    reason = "has RGB colors; a palette or grey values were expected"
    assert skips(folder) == (SkippedFile("labels/a.png", reason, "part"),)


def test_an_item_keeps_its_colors_where_its_mask_is_damaged(folder):
    (folder / "labels" / "a.png").unlink()
    data = parts(folder, colors=True)
    assert [sorted(item.masks) for item in data] == [["color"], ["color", "part"]]
    assert len(data.skipped) == 1


def test_a_size_is_that_of_the_upright_picture(folder):
    tag = Image.Exif()
    tag[0x0112] = 6  # turned by a quarter
    Image.new("RGB", (2, 3)).save(folder / "images" / "a.jpg", exif=tag)
    data = parts(folder)
    assert data[0].image.size == (3, 2)
    assert labels_of(data) == LABELS.tolist()


@pytest.mark.parametrize("missing", ["images", "labels"])
def test_a_folder_that_is_not_there_is_an_error(folder, missing):
    (folder / missing).rename(folder / "elsewhere")
    text = f"no folder at .*{missing}.*; expected pictures in 'images' and .*; pass images= and mas"
    with pytest.raises(FileNotFoundError, match=text):
        parts(folder)


def test_folders_may_have_other_names(folder):
    (folder / "images").rename(folder / "photos")
    (folder / "labels").rename(folder / "annotations")
    assert len(list(parts(folder, images="photos", masks="annotations"))) == 2


def test_a_folder_without_names_is_an_error(folder):
    text = r"no file of names in .*: tried parts.json, .*; expected a JSON, .*; pass its name, a li"
    with pytest.raises(FileNotFoundError, match=text):
        MaskFolder(folder, level="part")


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.json", b"{", r"a.json cannot be read \(.*\); expected names as JSON, .*; open it in"),
        ("a.txt", b"\xff\xfe\xfa", "a.txt cannot be read .*; expected .* text in UTF-8"),
        ("a.json", b"[" * 100_000, "a.json cannot be read"),
        ("a.json", b"3", "a.json holds no names; expected a JSON object from values .*; write it"),
        ("a.json", b'{"0": ["sky"]}', "a.json holds no names; expected a JSON object"),
        ("a.json", b'{"sky": "0"}', "got a name for the value 'sky'; expected whole numbers .*; g"),
        ("a.csv", b"x,y\n1,2\n", r"a.csv has no columns 'index' \(or 'idx'\) and 'name'; .*; rena"),
        ("a.txt", b"", "got no names; expected a name for each value .*; fill the file or list"),
    ],
)  # fmt: skip
def test_a_file_of_names_that_cannot_be_read_is_an_error(folder, name, content, text):
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match=text):
        parts(folder, names=name)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            {"ignore": ["dor"]},
            "got the unknown name 'dor' for none= or ignore=; expected one of .*'",
        ),
        ({"ignore": [-1]}, "got a name for the value '-1'; expected whole numbers from 0 to 65535"),
        ({"none": [1], "ignore": [1]}, "got the value 1 as none and as ignored; expected one of"),
        (
            {"none": [0, 1, 2]},
            "no name is left beside those of none= .*; expected at least one con",
        ),
    ],
)
def test_values_and_names_that_are_not_there_are_an_error(
    folder, settings: Mapping[str, object], text
):
    with pytest.raises(ValueError, match=text):
        parts(folder, **settings)


def test_parts_of_a_folder_pass_over_what_the_folder_does(folder):
    (folder / "images" / "b.jpg").write_bytes(b"no picture")
    picture(folder / "images" / "c.jpg")
    mask(folder / "labels" / "c.png")
    data = parts(folder)
    some = data[:3]
    assert [one.key for one in some] == [one.key for one in data]
    assert len(list(some)) == 2
    assert len(some.skipped) == 1
    (first,) = concept_set(list(some)[:1])
    assert first.key == data[0].key
