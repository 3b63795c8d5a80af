"""How far filters' regions agree with parts: against a literal count, and against chance."""

from __future__ import annotations

import numpy as np
import pytest

from hexplain_widgets.atlas.gallery import RegionAgreement, exchanges, overlap, part_grid
from hexplain_widgets.atlas.maps import GRID, MapSample, SampledImage, interpolated, regions_of
from tests.reference import filters as literal

FILTERS, PARTS = 3, 2


def made(count: int = 4) -> tuple[list[SampledImage], list[np.ndarray]]:
    """Maps of 5 x 7 cells, and labels in stripes, some of them of nobody."""
    draw = np.random.default_rng(0)
    images, labels = [], []
    for _ in range(count):
        coarse = draw.integers(-1, PARTS + 1, (8, 8))
        said = coarse.repeat(7, 0).repeat(7, 1).astype(np.int16)[None]
        maps = draw.normal(size=(FILTERS, 5, 7)).astype(np.float32)
        images.append(SampledImage(maps, said))
        labels.append(said)
    return images, labels


def sample(images: list[SampledImage]) -> MapSample:
    found = MapSample(2**30, 0)
    for i, one in enumerate(images):
        found.add(bytes([i + 1] * 16), one)
    return found


def test_thresholds_are_the_literal_quantile_over_all_pixels() -> None:
    images, _ = made()
    found = sample(images).thresholds(0.9)
    for k in range(FILTERS):
        wanted = literal.threshold([one.maps[k] for one in images], 0.9, GRID)
        assert found[k] == pytest.approx(wanted, rel=1e-4)


def test_overlap_is_the_literal_sum_of_intersections_over_that_of_unions() -> None:
    images, labels = made()
    least = sample(images).thresholds(0.9) + 1e-4  # no pixel stands just at the threshold
    found = overlap(lambda i: regions_of(images[i], least), labels, (FILTERS, PARTS))
    for k in range(FILTERS):
        maps = [one.maps[k] for one in images]
        wanted = [literal.iou(maps, labels, p + 1, least[k], GRID) for p in range(PARTS)]
        np.testing.assert_allclose(found.iou[k], wanted)


def test_interpolation_is_that_of_torch() -> None:
    maps = np.random.default_rng(1).normal(size=(2, 4, 6)).astype(np.float32)
    found = interpolated(maps, (GRID, GRID))
    np.testing.assert_allclose(found[1], literal.finer(maps[1], GRID), atol=1e-6)


def test_between_equal_cells_is_their_value_to_the_last_bit() -> None:
    maps = np.full((1, 3, 3), 0.1, np.float32)
    assert (interpolated(maps, (GRID, GRID)) == maps[0, 0, 0]).all()


def test_regions_cover_the_share_of_pixels_that_the_quantile_leaves() -> None:
    images, _ = made()
    least = sample(images).thresholds(0.9)
    covered = np.mean([regions_of(one, least) for one in images], axis=(0, 2, 3))
    np.testing.assert_allclose(covered, 0.1, atol=1e-3)


def test_a_clipped_filter_has_the_places_where_it_is_clipped_as_its_region() -> None:
    maps = np.zeros((1, GRID, GRID), np.float32)
    maps[0, :20, :20] = 6
    least = sample([SampledImage(maps)]).thresholds(0.995)
    assert np.array_equal(regions_of(SampledImage(maps), least)[0], maps[0] == 6)


def test_a_filter_that_never_fires_has_no_region() -> None:
    kept = SampledImage(np.zeros((1, 4, 4), np.float32))
    assert not regions_of(kept, sample([kept]).thresholds(0.995)).any()


def test_pixels_of_which_nobody_said_anything_do_not_count() -> None:
    labels = np.array([[[1, -1], [0, 0]]], np.int16)
    agreement = RegionAgreement(1, 1)
    agreement.add(np.array([[1, 1, 0, 0]], np.float32), labels)
    assert agreement.iou.tolist() == [[1.0]]


def test_a_part_that_occurs_nowhere_overlaps_nothing() -> None:
    agreement = RegionAgreement(1, 2)
    agreement.add(np.array([[0, 0]], np.float32), np.array([[[1, 0]]], np.int16))
    assert agreement.iou.tolist() == [[0.0, 0.0]]


def test_a_pixel_with_two_labels_counts_for_both_parts() -> None:
    agreement = RegionAgreement(1, 2)
    agreement.add(np.array([[1, 0]], np.float32), np.array([[[1, 0]], [[2, 0]]], np.int16))
    assert agreement.iou.tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize("images", [2, 3, 50])
def test_no_image_is_given_its_own_labels(images: int) -> None:
    for partner in exchanges(images, seed=3):
        assert sorted(partner) == list(range(images))
        assert not (partner == np.arange(images)).any()


def test_the_exchange_is_drawn_from_the_seed() -> None:
    assert np.array_equal(exchanges(20, seed=1), exchanges(20, seed=1))
    assert not np.array_equal(exchanges(20, seed=1), exchanges(20, seed=2))


def test_chance_is_the_best_part_after_the_exchange_on_average() -> None:
    images, labels = made()
    least = sample(images).thresholds(0.9)
    regions = [regions_of(one, least) for one in images]
    best = []
    for partner in exchanges(len(images), seed=5):
        exchanged = [labels[i] for i in partner]
        best.append(overlap(lambda i: regions[i], exchanged, (FILTERS, PARTS)).iou.max(1))
    found = overlap(lambda i: regions[i], labels, (FILTERS, PARTS), seed=5)
    np.testing.assert_allclose(found.chance, np.mean(best, axis=0))


def test_one_labelled_image_has_no_chance_level() -> None:
    images, labels = made(1)
    regions = regions_of(images[0], np.zeros(FILTERS))
    assert overlap(lambda _: regions, labels, (FILTERS, PARTS)).chance is None


def test_labels_are_cut_to_what_the_network_sees() -> None:
    labels = np.zeros((8, 8), np.int32)
    labels[:, 4:] = 1
    assert part_grid([labels], (0.5, 0.0, 1.0, 1.0)).min() == 1


def test_a_sample_keeps_the_smallest_hashes_whatever_the_order() -> None:
    images, _ = made(6)
    one, other = (MapSample(3 * images[0].size, 0) for _ in range(2))
    for i in range(6):
        one.add(bytes([i + 1] * 16), images[i])
    for i in reversed(range(6)):
        other.add(bytes([i + 1] * 16), images[i])
    assert len(one) == 3
    assert not one.complete
    assert one.images() == other.images()


def test_the_same_image_twice_counts_once() -> None:
    images, _ = made(1)
    found = MapSample(2**30, 0)
    for _ in range(2):
        found.add(b"x" * 16, images[0])
    assert len(found) == 1
