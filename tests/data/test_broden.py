"""Broden in its published form: its tables, its masks, and what does not fit together."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hexplain_widgets import demo
from hexplain_widgets.data.broden import Broden
from hexplain_widgets.data.concept_sets import (
    COLORS,
    ConceptSet,
    SkippedFile,
    concept_set,
    label_maps,
)
from hexplain_widgets.data.label_maps import shares
from tests.broden import CATEGORIES, BrodenWriter, red_green, save, write_table

LEVELS = ("scene", "object", "part", "material", "texture", "color")
SIZE = 32


@pytest.fixture(scope="session")
def scenes() -> list:
    return list(demo.scenes(4, seed=3, size=SIZE).concepts())


@pytest.fixture
def root(tmp_path: Path, scenes: list) -> Path:
    return BrodenWriter(tmp_path, scenes).write()


def rows_of(root: Path, name: str = "index.csv") -> list[dict[str, str]]:
    with (root / name).open(newline="") as file:
        return list(csv.DictReader(file))


def rewrite(root: Path, name: str, change: Callable[[list[dict[str, str]]], object]) -> None:
    rows = rows_of(root, name)
    change(rows)
    write_table(root / name, list(rows[0]), [list(row.values()) for row in rows])


def names_at(data: Broden, index: int, level: str) -> np.ndarray:
    """The names of an item's labels, "none" where no map has one."""
    maps = label_maps(data[index], level, data.names[level])
    return np.array(data.names[level])[np.max(np.broadcast_arrays(*maps), axis=0)]


def test_broden_is_a_concept_set(root):
    data = Broden(root)
    assert isinstance(data, ConceptSet)
    assert concept_set(data) is data


def test_levels_run_from_coarse_to_fine(root):
    assert Broden(root).levels == LEVELS


def test_every_image_of_the_index_is_read(root, scenes):
    data = Broden(root)
    assert [item.key for item in data] == [f"ade20k/scene{i}.jpg" for i in range(len(scenes))]
    assert data.skipped == ()


@pytest.mark.parametrize("level", ["object", "part", "material", "color"])
def test_masks_give_back_the_labels_that_were_written(root, scenes, level):
    data = Broden(root)
    for i, scene in enumerate(scenes):
        written = np.array(scene.legend[level])[scene.masks[level][::2, ::2]]
        assert np.array_equal(names_at(data, i, level), written)


def test_masks_have_a_size_of_their_own(root):
    item = Broden(root)[0]
    assert item.image.size == (SIZE, SIZE)
    assert item.masks["object"][0].shape == (SIZE // 2, SIZE // 2)


def test_a_number_is_a_label_of_the_whole_image(root, scenes):
    data = Broden(root)
    assert [names_at(data, i, "scene").tolist() for i in range(4)] == [[[s.label]] for s in scenes]


def test_an_image_may_have_several_labels_of_one_level(root):
    data = Broden(root)
    maps = label_maps(data[1], "texture", data.names["texture"])
    assert [data.names["texture"][int(m[0, 0])] for m in maps] == ["striped", "dotted"]


def test_several_masks_of_a_field_are_several_maps(root):
    assert len(Broden(root)[0].masks["part"]) == 2


def test_masks_and_numbers_may_stand_in_one_field(root):
    number = rows_of(root, "c_object.csv")[0]["number"]
    rewrite(root, "index.csv", lambda rows: rows[0].update(object=f"{rows[0]['object']};{number}"))
    data = Broden(root)
    maps = label_maps(data[0], "object", data.names["object"])
    assert [m.shape for m in maps] == [(16, 16), (1, 1)]
    assert shares(maps, (4, 4)).of(1).all()


def test_an_empty_field_leaves_the_image_unlabelled_at_that_level(root):
    assert "texture" not in Broden(root)[0].masks


def test_a_pixel_without_a_label_is_none_of_the_concepts(root):
    save(root, "ade20k/scene0_material.png", red_green(np.zeros((16, 16), int)))
    assert not Broden(root)[0].masks["material"][0].any()


def test_a_level_may_be_read_as_unlabelled_where_it_has_no_label(root):
    save(root, "ade20k/scene0_material.png", red_green(np.zeros((16, 16), int)))
    assert (Broden(root, unlabelled=["material"])[0].masks["material"][0] == -1).all()


def test_endings_that_tell_scenes_and_colors_from_objects_are_left_out(root):
    names = Broden(root).names
    assert not [n for level in ("scene", "color") for n in names[level] if n[-2:] in ("-s", "-c")]


def test_one_split_can_be_read(root):
    assert [item.key for item in Broden(root, split="val")] == ["ade20k/scene2.jpg"]


def test_some_levels_can_be_read_in_their_order(root):
    data = Broden(root, levels=["part", "object"])
    assert data.levels == ("object", "part")
    assert set(data[0].masks) == {"object", "part"}


def test_images_without_a_label_of_the_levels_are_left_out(root):
    assert len(Broden(root, levels=["texture"])) == 2


def without_colors(root: Path) -> Path:
    rows = rows_of(root)
    fields = [f for f in rows[0] if f != "color"]
    write_table(root / "index.csv", fields, [[row[f] for f in fields] for row in rows])
    rewrite(root, "category.csv", lambda r: r.__delitem__(0))
    (root / "c_color.csv").unlink()
    return root


def test_colors_are_computed_where_there_are_no_labels_of_them(root):
    data = Broden(without_colors(root))
    assert data.names["color"] == ("none", *COLORS)
    assert data[0].masks["color"][0].shape == (SIZE, SIZE)


def test_computed_colors_can_be_asked_for_alone(root):
    data = Broden(without_colors(root), levels=["color"])
    assert data.levels == ("color",)
    assert len(list(data)) == 4


def test_computed_colors_can_be_left_out(root):
    without_colors(root)
    assert "color" not in Broden(root, colors=False).levels
    assert "color" not in Broden(root, levels=["object"]).levels


def test_other_categories_come_last(root):
    rewrite(root, "category.csv", lambda rows: rows[0].update(name="hue"))
    rewrite(root, "index.csv", lambda rows: None)
    text = (root / "index.csv").read_text().replace("sw,color", "sw,hue", 1)
    (root / "index.csv").write_text(text)
    (root / "c_color.csv").rename(root / "c_hue.csv")
    assert Broden(root, colors=False).levels == (*LEVELS[:-1], "hue")


def test_names_with_commas_and_quotes_and_marks_of_order_are_read(root):
    rewrite(root, "label.csv", lambda rows: rows[0].update(name='a "wall", painted'))
    text = (root / "label.csv").read_text()
    (root / "label.csv").write_text(text, encoding="utf-8-sig")
    known = {name for level in Broden(root).names.values() for name in level}
    assert 'a "wall", painted' in known


# What is damaged: the change, the level it takes out (None: the item), the record.
def new_object_mask(pixels: np.ndarray) -> Callable[[Path], object]:
    return lambda root: save(root, "ade20k/scene1_object.png", pixels)


def grey(root: Path) -> None:
    Image.new("L", (16, 16)).save(root / "images/ade20k/scene1_object.png")


def field(**values: str) -> Callable[[Path], None]:
    return lambda root: rewrite(root, "index.csv", lambda rows: rows[1].update(values))


def a_field_more(root: Path) -> None:
    lines = (root / "index.csv").read_text().splitlines()
    (root / "index.csv").write_text("\n".join([*lines[:2], lines[2] + ",,more", *lines[3:]]))


MASK = "images/ade20k/scene1_object.png"
DAMAGE: dict[str, tuple[Callable[[Path], object], str, str, str | None]] = {
    "a mask is missing": (lambda root: (root / MASK).unlink(), MASK, "is missing", "object"),
    "a mask has another size": (
        new_object_mask(red_green(np.zeros((8, 16), int))), MASK,
        "is 8 pixels high and 16 wide; 16 and 16 were expected", "object",
    ),
    "a mask is grey": (
        grey, MASK, "has L pixels; red, green and blue were expected", "object",
    ),
    "a mask has an unknown number": (
        new_object_mask(red_green(np.full((16, 16), 60_000))), MASK,
        "has the value 60000; the numbers of c_object.csv were expected", "object",
    ),
    "a number of the index is unknown": (
        field(scene="9999"), "index.csv",
        "has the value 9999; the numbers of c_scene.csv were expected", "scene",
    ),
    "a number of the index is huge": (
        field(scene="99999999999"), "images/99999999999", "is missing", "scene",
    ),
    "a picture has another size": (
        field(ih="40"), "images/ade20k/scene1.jpg",
        "is 32 pixels high and 32 wide; 40 and 32 were expected", None,
    ),
    "a size is no number": (
        field(sh="x"), "index.csv, row of 'ade20k/scene1.jpg'",
        "has the size 'x' by '16'; whole numbers of pixels were expected", None,
    ),
    "a row has too many fields": (
        a_field_more, "index.csv, row of 'ade20k/scene1.jpg'",
        "has 14 fields; 12 were expected", None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_is_left_out_and_listed(root, damage):
    change, path, reason, level = DAMAGE[damage]
    change(root)
    data = Broden(root)
    found = {item.key: set(item.masks) for item in data}
    assert data.skipped == (SkippedFile(path, reason, level),)
    if level is None:
        assert len(found) == 3
    else:
        assert found["ade20k/scene1.jpg"] == set(CATEGORIES) - {level}


def test_a_label_of_another_category_is_unknown(root):
    only = {r["number"] for r in rows_of(root, "c_part.csv")}
    other = next(r for r in rows_of(root, "c_color.csv") if r["number"] not in only)
    field(part=other["number"])(root)
    data = Broden(root)
    assert ["part" in item.masks for item in data] == [True, False, True, True]


PATHS = ("../secret.png", "/etc/passwd", "a/../../b.png", "..\\b.png", "C:\\b.png")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("column", ["image", "object"])
def test_a_path_that_leads_out_of_the_folder_is_refused(root, column, path):
    field(**{column: path})(root)
    text = r"line 3 of index.csv names the file .*, outside of the folder; expected paths below im"
    with pytest.raises(ValueError, match=text):
        Broden(root)


def test_a_path_is_refused_wherever_it_stands_in_a_field(root):
    field(part="ade20k/scene1_part_1.png;../b.png")(root)
    with pytest.raises(ValueError, match=r"outside of the folder; .*; do not use this index"):
        Broden(root)


@pytest.mark.parametrize(
    "name", ["index.csv", "label.csv", "category.csv", "c_object.csv", "c_scene.csv"]
)
def test_a_missing_table_is_an_error(root, name):
    (root / name).unlink()
    text = f"no {re.escape(name)} in .*; expected index.csv, label.csv, .*; give the folder"
    with pytest.raises(FileNotFoundError, match=text):
        Broden(root)


def write(root: Path, name: str, *lines: str) -> None:
    (root / name).write_text("\n".join(lines) + "\n", encoding="latin-1")


TABLES: dict[str, tuple[str, Sequence[str], str]] = {
    "an empty table": (
        "label.csv", [""],
        "the first line of label.csv has no number, name; expected .*; it is no table of Broden's",
    ),
    "a table without a column": (
        "index.csv", ["image,split"], "the first line of index.csv has no ih, iw, sh, sw, scene",
    ),
    "a row that is too long": (
        "c_scene.csv", ["code,number,name", "1,2,3,4"],
        "a row of c_scene.csv has 4 fields, .*; expected 3, code, number, name; put names with",
    ),
    "a number that is none": (
        "label.csv", ["number,name", "x,red"],
        "label.csv has the number 'x'; expected 1 to 65535, .*; correct the table",
    ),
    "a number that no mask holds": (
        "label.csv", ["number,name", "70000,red"], "label.csv has the number '70000'; expected 1",
    ),
    "codes that are not dense": (
        "c_scene.csv", ["code,number,name", "1,200,a", "3,201,b"],
        r"the codes of c_scene.csv are not 1, 2, ... 2, each once; expected a dense .*; get the",
    ),
    "a category without labels": (
        "c_scene.csv", ["code,number,name"], "the codes of c_scene.csv are not .*; expected a den",
    ),
    "a number that label.csv does not name": (
        "c_scene.csv", ["code,number,name", "1,60000,a"],
        "c_scene.csv has the number 60000, which label.csv does not name; expected .*; the two are",
    ),
    "a table in another encoding": (
        "label.csv", ["number,name", "1,caf\xe9"],
        "label.csv is no text in UTF-8 .*; expected a table of .*; get the file again",
    ),
    "a field without an end": (
        "label.csv", ["number,name", "1," + "x" * 200_000],
        "the line '1,xxx.*' is no row of a table .*; expected comma-separated values; get the file",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLES)
def test_a_table_that_is_not_in_the_form_is_an_error(root, case):
    name, lines, text = TABLES[case]
    write(root, name, *lines)
    with pytest.raises(ValueError, match=text):
        Broden(root)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            {"levels": ["objects"]},
            "got levels with 'objects'; expected some of scene, object, part",
        ),
        ({"split": "test"}, "got split with 'test'; expected some of train, val; these are what"),
        ({"unlabelled": ["sky"]}, "got unlabelled with 'sky'; expected some of scene, object"),
        (
            {"levels": ["part"], "unlabelled": ["object"]},
            "got unlabelled with 'object'; expected some of part; these are what the tables have",
        ),
    ],
)
def test_levels_and_splits_that_are_not_there_are_an_error(root, settings, text):
    with pytest.raises(ValueError, match=text):
        Broden(root, **settings)
