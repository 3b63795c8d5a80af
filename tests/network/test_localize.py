"""From a heatmap to a region and a box: the literal twin, and cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as drawn

from hexplain_widgets.network.localize import (
    THRESHOLDS,
    agreement,
    best_threshold,
    box_iou,
    box_of,
    ious_by_threshold,
    mask_iou,
    note_on,
    region,
    regions,
    upsampled,
)
from tests.reference import localize as literal

sides = st.integers(1, 6)
# steps that float64 holds exactly, so that a cell lies on a threshold in both or in neither
steps = st.integers(-8, 8).map(lambda n: n / 8)
maps = drawn.arrays(np.float64, st.tuples(sides, sides), elements=steps)
thresholds = st.sampled_from((0.125, 0.25, 0.5, 0.75, 1.0))
corners = st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6), st.integers(0, 6))
boxes = corners.map(lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3])))
quick = settings(max_examples=60, deadline=None)


def random_map(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


@quick
@given(maps, st.integers(1, 9), st.integers(1, 9))
def test_upsampling_is_the_literal_one(values: np.ndarray, height: int, width: int) -> None:
    expected = literal.upsampled(values, height, width)
    assert np.allclose(upsampled(values, (height, width)), expected, atol=1e-12)


@pytest.mark.parametrize("size", [(225, 225), (64, 48), (8, 8), (5, 3)])
def test_upsampling_is_that_of_torch(size: tuple[int, int]) -> None:
    values = random_map(0, 8, 7)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None, None], size=size, mode="bilinear", align_corners=False
    )
    assert np.allclose(upsampled(values, size), expected[0, 0].numpy(), atol=1e-12)


def test_a_cell_between_two_pixels_is_their_mean() -> None:
    assert upsampled(np.array([[0.0, 1.0]]), (1, 4)).tolist() == [[0, 0.25, 0.75, 1]]


@quick
@given(maps, thresholds)
def test_the_region_is_the_largest_flooded_part(values: np.ndarray, threshold: float) -> None:
    assert np.array_equal(region(values, threshold), literal.region(values, threshold))


@quick
@given(maps)
def test_a_region_shrinks_or_moves_as_the_threshold_rises(values: np.ndarray) -> None:
    sizes = regions(values, (0.25, 0.5, 1.0)).sum((1, 2))
    assert sizes[0] >= sizes[1] >= sizes[2]


def test_parts_that_touch_at_a_corner_are_one() -> None:
    assert region(np.eye(3), 0.5).sum() == 3


def test_of_parts_of_one_size_the_first_counts() -> None:
    assert region(np.array([[0.0, 1.0, 0.0, 1.0]]), 0.5).tolist() == [[False, True, False, False]]


def test_the_largest_part_counts_although_another_is_stronger() -> None:
    assert box_of(region(np.array([[9.0, 0.0, 5.0, 5.0]]), 0.5)) == (2, 0, 4, 1)


def test_the_peak_itself_belongs_to_the_region_at_threshold_one() -> None:
    assert region(np.array([[1.0, 3.0, 2.0]]), 1.0).tolist() == [[False, True, False]]


@pytest.mark.parametrize(
    ("values", "why"),
    [(np.full((3, 4), 2.0), "flat"), (np.full((1, 1), 2.0), "flat"),
     (-np.ones((3, 4)), "nowhere positive"), (np.zeros((3, 4)), "nowhere positive"),
     (np.array([[-2.0, -1.0]]), "nowhere positive")],
)  # fmt: skip
def test_a_map_that_points_at_nothing_has_an_empty_region_and_says_why(
    values: np.ndarray, why: str
) -> None:
    assert why in (note_on(values) or "")
    assert not region(values, 0.5).any()
    assert box_of(region(values, 0.5)) == (0, 0, 0, 0)


def test_a_flat_map_stays_flat_at_any_size() -> None:
    assert "flat" in (note_on(upsampled(np.full((7, 7), 0.1), (225, 225))) or "")


def test_a_map_with_a_place_has_nothing_to_note() -> None:
    assert note_on(np.array([[0.0, 1.0]])) is None


@quick
@given(maps)
def test_the_box_is_the_smallest_around_the_mask(values: np.ndarray) -> None:
    assert box_of(values > 0.5) == literal.box_of(values > 0.5)


@quick
@given(boxes, boxes)
def test_the_iou_of_boxes_counts_pixels(one: tuple, other: tuple) -> None:
    assert box_iou(one, other) == pytest.approx(literal.box_iou(one, other))
    assert box_iou(one, other) == box_iou(other, one)


@quick
@given(boxes, boxes)
def test_the_iou_of_masks_is_that_of_the_boxes_they_fill(one: tuple, other: tuple) -> None:
    masks = np.zeros((2, 6, 6), dtype=bool)
    for mask, (x0, y0, x1, y1) in zip(masks, (one, other), strict=True):
        mask[y0:y1, x0:x1] = True
    assert mask_iou(*masks) == pytest.approx(box_iou(one, other))


def test_two_boxes_that_share_a_third_have_an_iou_of_one_fifth() -> None:
    assert box_iou((0, 0, 3, 1), (2, 0, 5, 1)) == pytest.approx(1 / 5)


def test_a_truth_may_be_a_box_or_a_mask() -> None:
    corner = np.array([[True, True], [True, False]])
    assert agreement(corner, (0, 0, 2, 2)) == 1
    assert agreement(corner, np.ones((2, 2), dtype=bool)) == 0.75


def test_the_best_threshold_is_that_of_the_literal_search() -> None:
    found = [random_map(seed, 5, 5) for seed in range(12)]
    truths = [(seed % 4, seed % 3, 8 + seed % 5, 7 + seed % 4) for seed in range(12)]
    grid = (0.2, 0.4, 0.6, 0.8)
    expected = literal.best_threshold(found, truths, 12, 12, grid)
    assert best_threshold(found, truths, (12, 12), grid) == expected


def test_the_best_threshold_recovers_the_one_the_truths_were_cut_at() -> None:
    hill = np.minimum.outer(21.0 - abs(np.arange(-20, 21)), 21.0 - abs(np.arange(-20, 21)))
    truth = box_of(region(hill, 0.6))
    assert best_threshold([hill, hill], [truth, truth], hill.shape) == 0.6


def test_the_grid_of_thresholds_runs_in_steps_of_a_twentieth() -> None:
    assert THRESHOLDS[0] == 0.05 and THRESHOLDS[-1] == 0.95 and len(THRESHOLDS) == 19


def test_there_is_one_iou_for_each_threshold() -> None:
    ious = ious_by_threshold(np.array([[0.4, 1.0]]), (1, 0, 2, 1), (1, 2), (0.3, 0.5))
    assert ious.tolist() == [0.5, 1.0]


@pytest.mark.parametrize("threshold", [0.0, -0.1, 1.01, float("nan")])
def test_a_threshold_is_a_fraction_of_the_maximum(threshold: float) -> None:
    with pytest.raises(ValueError, match=r"got the threshold .*; expected a fraction"):
        region(np.eye(3), threshold)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_map_that_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="NaN or infinite values; expected finite numbers"):
        upsampled(np.array([[0.0, bad]]), (2, 2))


def test_a_map_without_a_cell_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(0, 3\); expected \(h, w\)"):
        note_on(np.zeros((0, 3)))


def test_masks_of_two_sizes_are_refused(unchecked: None) -> None:
    with pytest.raises(ValueError, match=r"masks of \(2, 2\) and \(3, 3\); expected one size"):
        mask_iou(np.ones((2, 2), dtype=bool), np.ones((3, 3), dtype=bool))


@pytest.mark.parametrize("count", [0, 2])
def test_a_calibration_set_has_a_truth_for_every_map(count: int) -> None:
    with pytest.raises(ValueError, match=rf"got {count} maps and 0 truths; expected one truth"):
        best_threshold([np.eye(2)] * count, [], (2, 2))
