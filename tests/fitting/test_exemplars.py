"""Exemplars: the images in which a channel is strongest, whatever the order they came in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from hexplain_widgets.fitting.exemplars import (
    EACH,
    KEPT,
    SIDE,
    Exemplars,
    Strength,
    in_thumbnail,
    peaks_of,
    printable,
)
from tests.reference import exemplars as reference

K = 5


def key(i: int) -> bytes:
    return hashlib.blake2b(bytes([i % 256, i // 256]), digest_size=16).digest()


def picture(i: int) -> np.ndarray:
    return np.full((20, 30, 3), i * 7 % 256, np.uint8)


def means_of(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, K))


def kept(means: np.ndarray, order: Sequence[int], batch: int = 4) -> Exemplars:
    found = Exemplars(K)
    for first in range(0, len(order), batch):
        some = list(order[first : first + batch])
        found.add(
            Strength(means[some]), [key(i) for i in some], lambda j, some=some: picture(some[j])
        )
    return found


def check_equal(one: Exemplars, other: Exemplars) -> None:
    for (name, a), (_, b) in zip(one.arrays(), other.arrays(), strict=True):
        assert np.array_equal(a, b), name


def shown(found: Exemplars, channel: int) -> list[int]:
    """The grey levels of a channel's thumbnails."""
    return [int(p[0, 0, 0]) for p in found.of(channel)[0]]


def test_the_strongest_images_are_kept_strongest_first() -> None:
    means = means_of(30)
    found = kept(means, range(30))
    for k in range(K):
        best = np.argsort(-means[:, k])[:EACH]
        assert found.of(k)[1] == means[best, k].tolist()
        assert shown(found, k) == pytest.approx([i * 7 % 256 for i in best], abs=3)


@pytest.mark.parametrize("batch", [1, 3, 30])
def test_neither_order_nor_batches_change_which_are_kept(batch: int) -> None:
    means = means_of(30)
    order = np.random.default_rng(1).permutation(30).tolist()
    check_equal(kept(means, range(30)), kept(means, order, batch))


def test_of_equal_images_the_same_are_kept_in_any_order() -> None:
    means = np.ones((10, K))
    check_equal(kept(means, range(10)), kept(means, [*range(9, -1, -1)]))


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 2, 0]])
def test_shards_merge_in_any_order_to_the_whole(order: list[int]) -> None:
    means = means_of(30)
    shards = [kept(means, range(i, 30, 3)) for i in range(3)]
    merged = Exemplars(K)
    for i in order:
        merged.merge(shards[i])
    check_equal(merged, kept(means, range(30)))


def test_an_image_that_comes_twice_is_kept_once() -> None:
    means = means_of(6)
    check_equal(kept(means, range(6)), kept(means, [*range(6), *range(6)], batch=12))


def test_an_image_in_two_shards_is_kept_once() -> None:
    means = means_of(6)
    found = kept(means, range(4))
    found.merge(kept(means, range(2, 6)))
    check_equal(found, kept(means, range(6)))


def test_an_image_that_is_rounded_otherwise_in_another_batch_is_kept_once() -> None:
    found = kept(np.ones((1, K)), [0])
    found.add(Strength(np.full((1, K), 1 + 1e-12)), [key(0)], lambda i: picture(0))
    assert len(found.of(0)[1]) == 1


def test_fewer_images_than_places_leave_places_free() -> None:
    images, values = kept(means_of(2), range(2)).of(0)
    assert len(images) == len(values) == 2


def test_no_images_leave_all_places_free() -> None:
    assert Exemplars(K).of(0) == ([], [])


def test_negative_means_are_kept_too() -> None:
    means = -means_of(8)
    assert kept(means, range(8)).of(2)[1] == sorted(means[:, 2], reverse=True)[:EACH]


def test_thumbnails_are_bounded_by_the_channels() -> None:
    found = kept(np.random.default_rng(0).random((500, K)), range(500))
    assert len(found.thumbnails) <= K * KEPT
    assert all(p.shape == (SIDE, SIDE, 3) for p in found.of(0)[0])


def test_pictures_are_asked_only_of_images_that_enter() -> None:
    asked: list[int] = []
    found = kept(np.ones((KEPT, K)), range(KEPT))
    found.add(Strength(np.zeros((3, K))), [key(i) for i in (7, 8, 9)], lambda i: asked.append(i))
    assert asked == []


def test_what_is_saved_is_taken_up_as_it_was() -> None:
    found, again = kept(means_of(9), range(9)), Exemplars(K)
    again.restore(dict(found.arrays()))
    check_equal(again, found)
    assert shown(again, 3) == shown(found, 3)


def test_an_image_whose_key_ends_in_zeros_keeps_its_thumbnail() -> None:
    found, again = Exemplars(K), Exemplars(K)
    found.add(Strength(np.ones((1, K))), [b"\1" * 8 + bytes(8)], lambda i: picture(9))
    again.restore(dict(found.arrays()))
    assert shown(again, 0) == pytest.approx([63], abs=3)


def test_places_left_free_are_free_again_after_saving() -> None:
    again = Exemplars(K)
    again.restore(dict(kept(means_of(2), range(2)).arrays()))
    again.merge(kept(means_of(9), range(2, 9)))
    check_equal(again, kept(means_of(9), range(9)))


@pytest.mark.parametrize(
    ("name", "text"),
    [("values", "do not fit the layer"), ("names", "thumbnail|argument|shorter|longer")],
)
def test_saved_images_that_do_not_fit_are_refused(name: str, text: str) -> None:
    saved = dict(kept(means_of(9), range(9)).arrays())
    saved[name] = saved[name][:-1]
    if name == "values":
        saved["keys"] = saved["keys"][:-1]
    with pytest.raises(ValueError, match=text):
        Exemplars(K).restore(saved)


# places


def places_of(count: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).random((count, K, 2))


def placed(order: Sequence[int], batch: int = 4, count: int = 30) -> Exemplars:
    means, places, found = means_of(count), places_of(count), Exemplars(K)
    for first in range(0, len(order), batch):
        some = list(order[first : first + batch])
        keys = [key(i) for i in some]
        found.add(Strength(means[some]), keys, lambda j, some=some: picture(some[j]), places[some])
    return found


def test_the_place_of_each_of_the_strongest_is_kept_beside_it() -> None:
    means, places = means_of(30), places_of(30)
    found = placed(range(30))
    for k in range(K):
        best = np.argsort(-means[:, k])[:EACH]
        assert np.array_equal(found.places[k], places[best, k])


@pytest.mark.parametrize("batch", [1, 3, 30])
def test_neither_order_nor_batches_change_the_places(batch: int) -> None:
    order = np.random.default_rng(batch).permutation(30).tolist()
    check_equal(placed(order, batch), placed(range(30)))


def test_places_merge_with_their_images() -> None:
    found = placed(range(10, 30))
    found.merge(placed(range(15)))
    check_equal(found, placed(range(30)))


def test_an_image_that_comes_twice_leaves_no_place_behind() -> None:
    check_equal(placed([0, 1, 0, 1], count=2), placed([0, 1], count=2))


def test_places_are_saved_and_taken_up() -> None:
    found, again = placed(range(9)), Exemplars(K)
    again.restore(dict(found.arrays()))
    assert again.places.any()
    check_equal(again, found)


def test_without_places_all_are_0() -> None:
    assert not kept(means_of(9), range(9)).places.any()


def test_a_place_in_a_wide_image_is_one_in_the_square_that_its_thumbnail_shows() -> None:
    places = np.array([[0.25, 0.5], [0.5, 0.25], [0.75, 0.75], [0.0, 0.0], [1.0, 1.0]])
    expected = [[0.25, 0.5], [0.5, 0.0], [0.75, 1.0], [0.0, 0.0], [1.0, 1.0]]
    assert in_thumbnail(places, (10, 20)).tolist() == expected
    assert in_thumbnail(places[:, ::-1], (20, 10)).tolist() == [r[::-1] for r in expected]


def test_a_place_in_a_square_image_is_that_in_its_thumbnail() -> None:
    places = places_of(4)
    assert in_thumbnail(places, (30, 30)) == pytest.approx(places)


def test_a_bright_pixel_is_where_its_place_in_the_thumbnail_says() -> None:
    wide = np.zeros((40, 80, 3), np.uint8)
    wide[28:32, 50:54] = 255
    place = in_thumbnail(np.array([[30 / 40, 52 / 80]]), (40, 80))
    found = Exemplars(1)
    found.add(Strength(np.ones((1, 1))), [key(0)], lambda i: wide, place[None])
    (thumbnail,), (y, x) = found.of(0)[0], found.places[0, 0]
    assert thumbnail[int(y * SIDE), int(x * SIDE), 0] > 200
    assert thumbnail.mean() < 10


# clips and ties


def before_clip(count: int = 24, seed: int = 3) -> torch.Tensor:
    """Maps of which most peaks lie above a clip at 1, and some channels are alike everywhere."""
    maps = torch.randn((count, K, 3, 4), generator=torch.Generator().manual_seed(seed))
    maps[:, 1] = 0.5
    maps[:, 2] -= 9
    return maps


def clipped(some: Sequence[int], batch: int = 4) -> Exemplars:
    maps, found = before_clip(), Exemplars(K)
    for first in range(0, len(some), batch):
        now = list(some[first : first + batch])
        before = maps[now].clamp(min=0)
        strength = peaks_of(before.clamp(max=1), before)
        found.add(strength, [key(i) for i in now], lambda j, now=now: picture(now[j]))
    return found


def test_where_a_layer_clips_images_are_ranked_before_the_clip_as_the_literal_twin_ranks_them() -> (
    None
):
    maps, found = before_clip(), clipped(range(24))
    assert (found.values[0] == 1).all()
    for k in range(K):
        images = [(printable(key(i)), maps[i, k].numpy()) for i in range(24)]
        keys, tied = reference.strongest(images, EACH, 0, 1)
        assert found.keys[k].tolist() == keys
        assert bool(found.tied[k]) == tied
    assert found.tied.tolist() == [False, True, True, False, False]


def test_the_values_before_the_clip_are_kept_where_they_differ() -> None:
    maps, found = before_clip(), clipped(range(24))
    peaks = maps[:, 0].amax((1, 2)).sort(descending=True).values[:EACH]
    assert found.before_clip(0) == pytest.approx(peaks.numpy())
    assert found.before_clip(1) is None


def test_of_equal_peaks_the_larger_mean_over_the_map_decides() -> None:
    means = np.arange(8.0)[::-1, None] * np.ones(K)
    found = Exemplars(K)
    strength = Strength(np.full((8, K), 6.0), means=means)
    found.add(strength, [key(i) for i in range(8)], picture)
    assert found.keys[0].tolist() == [printable(key(i)) for i in range(EACH)]
    assert not found.tied.any()


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_shards_of_clipped_maps_merge_to_the_whole(order: list[int]) -> None:
    merged = Exemplars(K)
    for i in order:
        merged.merge(clipped(range(i, 24, 3)))
    check_equal(merged, clipped(range(24)))
    check_equal(clipped(range(23, -1, -1), batch=24), merged)


def test_what_is_ranked_before_a_clip_is_taken_up_as_it_was() -> None:
    found, again = clipped(range(24)), Exemplars(K)
    again.restore(dict(found.arrays()))
    check_equal(again, found)
    assert again.tied.tolist() == found.tied.tolist()


def older(found: Exemplars) -> dict[str, np.ndarray]:
    """The arrays of files of before: four images, and nothing of them but their values."""
    arrays = dict(found.arrays())
    some = {name: arrays[name][:, :EACH] for name in ("values", "keys", "places")}
    rest = {name: arrays[name] for name in ("names", "lengths", "files")}
    return {**some, **rest}


def test_files_of_before_are_opened_say_ties_and_give_way_to_what_is_stronger() -> None:
    again = Exemplars(K)
    again.restore(older(clipped(range(12))))
    assert np.array_equal(again.values, clipped(range(12)).values)
    assert again.tied[0]
    again.merge(clipped(range(12, 24)))
    assert again.keys[0].tolist() == clipped(range(12, 24)).keys[0].tolist()
    assert not again.tied[0]


def test_the_same_image_rounded_otherwise_does_not_hide_behind_another() -> None:
    found = Exemplars(1)
    values = np.array([[1.0], [1 + 1e-9], [1 + 2e-9]])
    found.add(Strength(values), [key(0), key(1), key(0)], picture)
    assert found.of(0)[1] == [1 + 2e-9, 1 + 1e-9]
