"""Labelled photographs on disk as concept sets: car parts, street scenes, ADE20K."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hexplain_widgets.data.concept_sets import IGNORE, LabelledPicture, label_maps
from hexplain_widgets.data.label_maps import majority, shares
from hexplain_widgets.data.mask_folders import MaskFolder


def counts(data: MaskFolder, level: str) -> dict[str, int]:
    """Pixels by name over all images, "unlabelled" beside the names."""
    found = np.zeros(1 + len(data.names[level]), dtype=np.int64)
    for item in data:
        (labels,) = label_maps(item, level, data.names[level])
        found += np.bincount(labels.ravel() - IGNORE, minlength=len(found))
    return dict(zip(("unlabelled", *data.names[level]), found.tolist(), strict=True))


@pytest.fixture(scope="module")
def parts(data: Path) -> MaskFolder:
    return MaskFolder(data / "car_parts", level="part")


@pytest.fixture(scope="module")
def streets(data: Path) -> MaskFolder:
    return MaskFolder(data / "camvid", level="object")


def test_cars_have_18_parts_and_a_background_that_is_none_of_them(parts, data) -> None:
    written = json.loads((data / "car_parts" / "parts.json").read_text())
    assert parts.levels == ("part", "color")
    assert parts.names["part"] == ("none", *(written[str(i)] for i in range(1, 19)))


def test_every_car_is_read_and_every_part_occurs(parts) -> None:
    found = counts(parts, "part")
    assert (len(parts), parts.skipped) == (400, ())
    assert found.pop("unlabelled") == 0
    assert min(found.values()) > 0


def test_streets_have_11_classes_of_which_the_first_is_the_sky(streets) -> None:
    assert len(streets.names["object"]) == 12
    assert streets.names["object"][:3] == ("none", "sky", "building")
    assert "unlabelled" not in streets.names["object"]


def test_no_pixel_of_a_street_is_none_and_some_are_unlabelled(streets) -> None:
    found = counts(streets, "object")
    assert (len(streets), streets.skipped) == (92, ())
    assert found.pop("none") == 0
    assert found["sky"] > found["unlabelled"] > 0
    assert min(found.values()) > 0


def test_ade20k_is_read_with_its_table_of_names(data) -> None:
    scenes = MaskFolder(data / "ade20k", level="object", names="objectInfo150.csv")
    found = counts(scenes, "object")
    assert scenes.names["object"][:4] == ("none", "wall", "building", "sky")
    assert (len(scenes.names["object"]), scenes.skipped) == (151, ())
    assert found["none"] > 0


def items(data: MaskFolder, count: int = 5) -> list[LabelledPicture]:
    return [data[i] for i in range(count)]


def test_the_shares_of_a_part_add_up_to_its_area_at_every_resolution(parts) -> None:
    for item in items(parts):
        maps = label_maps(item, "part", parts.names["part"])
        for size in ((8, 8), (15, 15), (56, 56)):
            found = shares(maps, size)
            for label in np.unique(maps[0]).tolist()[1:]:
                assert found.of(label).mean() == pytest.approx((maps[0] == label).mean(), abs=1e-5)


def test_mirrors_have_no_cell_of_their_own_at_8x8_but_a_share(parts) -> None:
    names = parts.names["part"]
    mirror = names.index("left_mirror")
    maps = [label_maps(item, "part", names) for item in items(parts, 40)]
    seen = [m for m in maps if (m[0] == mirror).any()]
    assert len(seen) > 5
    assert np.mean([(majority(m, (8, 8)) == mirror).any() for m in seen]) < 0.1
    assert all(shares(m, (8, 8)).of(mirror).any() for m in seen)


def test_unlabelled_pixels_stay_unlabelled_at_lower_resolution(streets) -> None:
    for item in items(streets):
        maps = label_maps(item, "object", streets.names["object"])
        found = shares(maps, (15, 15))
        assert found.known.mean() == pytest.approx((maps[0] != IGNORE).mean(), abs=1e-5)
        assert ((majority(maps, (15, 15))[0] == IGNORE) <= (found.known < 0.99)).all()


def test_trees_are_green_more_often_than_roads(streets) -> None:
    green = streets.names["color"].index("green")
    tree, road = (streets.names["object"].index(name) for name in ("tree", "road"))
    pixels = [(s.masks["object"][0].ravel(), s.masks["color"][0].ravel()) for s in streets]
    objects, colors = (np.concatenate(each) for each in zip(*pixels, strict=True))
    assert (colors[objects == tree] == green).mean() > 3 * (colors[objects == road] == green).mean()
