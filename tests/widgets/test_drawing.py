"""The picture of a decomposition, and the heat on it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from hexplain_widgets.pictures.heat import crop_of, heat, map_box, tile
from hexplain_widgets.pictures.trees import rows
from hexplain_widgets.widgets.decomposition_tree.picture import (
    draw_decomposition,
    percent,
    strongest_line,
)
from tests.widgets.made import MARKUP, made_decomposition

TREE = made_decomposition(levels=4)


def test_the_strongest_path_stands_in_one_row() -> None:
    line = strongest_line(TREE)
    assert {rows(TREE, line)[path] for path in line} == {0.0}


def test_no_two_nodes_of_a_stage_overlap_when_all_is_open() -> None:
    placed = rows(TREE, {path for path, _ in TREE.root.walk()})
    for level in range(5):
        stage = sorted(row for path, row in placed.items() if len(path) == level)
        assert all(below - above >= 1 for above, below in pairwise(stage))


def test_the_picture_is_1920_pixels_wide() -> None:
    assert draw_decomposition(TREE).width == 1920


def test_a_picture_of_everything_is_refused_with_advice() -> None:
    with pytest.raises(ValueError, match="expected at most 60 on one picture; fold some branches"):
        draw_decomposition(TREE, opened={path for path, _ in TREE.root.walk()})


def test_a_class_whose_name_is_markup_can_be_drawn() -> None:
    target = replace(TREE.target, name=MARKUP)
    assert draw_decomposition(replace(TREE, target=target)).width == 1920


def test_no_heat_is_transparent_and_the_strongest_does_not_hide_the_image() -> None:
    assert heat(np.array([[0.0, 1.0, -1.0]]))[0, :, 3].tolist() == [0, 217, 217]


def test_heat_reaches_the_border_of_the_image() -> None:
    node = TREE.node((0,))
    hot = replace(node, patch=np.ones_like(node.patch))
    pixels = np.asarray(tile(hot, np.zeros_like(TREE.image), 28))
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) == 1


def test_what_speaks_for_is_warm_and_what_speaks_against_is_blue() -> None:
    warm, blue = heat(np.array([[0.6, -0.6]]))[0].astype(int)
    assert warm[0] > warm[2]
    assert blue[2] > blue[0]


def test_a_map_over_all_cells_lies_over_the_whole_image() -> None:
    assert map_box(TREE.node((0,)), (224, 224)) == (0, 0, 224, 224)


def test_a_small_field_is_shown_as_a_square_inside_the_image() -> None:
    node = TREE.node((0, 0, 0, 0))
    x0, y0, x1, y1 = crop_of(node, (224, 224))
    assert x1 - x0 == pytest.approx(y1 - y0)
    assert min(x0, y0) >= 0
    assert max(x1, y1) <= 224


def test_the_hottest_place_of_a_tile_is_the_peak_of_its_map() -> None:
    node = TREE.node((0,))
    grey = np.full_like(TREE.image, 60)
    pixels = np.asarray(tile(node, grey, 140), dtype=float).sum(axis=-1)
    y, x = np.unravel_index(pixels.argmax(), pixels.shape)
    assert (int(y) // 10, int(x) // 10) == node.position


def test_a_tile_of_a_silent_map_shows_the_image_alone() -> None:
    node = TREE.node((0,))
    silent = replace(node, patch=np.zeros_like(node.patch))
    grey = np.full_like(TREE.image, 100)
    assert np.unique(np.asarray(tile(silent, grey, 64))).tolist() == [85]


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (0.034, "3.4 %"),
        (0.42, "42 %"),
        (-1.528, "−153 %"),
        (-0.034, "−3.4 %"),
        (-1e-4, "> −0.1 %"),
    ],
)
def test_a_share_is_written_with_two_figures(share: float, text: str) -> None:
    assert percent(share) == text
