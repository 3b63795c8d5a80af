"""Reservoirs: the vectors with the smallest hashes, whatever the order they came in."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pytest

from hexplain_widgets.solvers.reservoirs import (
    HELD_OUT,
    Reservoir,
    hashes_of,
    image_number,
    packed,
    unpack,
)

K = 3
PLACES = 10


def ids(images: Sequence[int], places: int = PLACES) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and places of all vectors of some images."""
    numbers = np.array([image_number((2 * i).to_bytes(16, "little")) for i in images], np.int64)
    return numbers.repeat(places), np.tile(np.arange(places), len(images))


def vectors_of(images: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.stack([images, places, images + places], 1).astype(np.float32)


def filled(images: Sequence[int], *, size: int = 20, batch: int = 4, salt: int = 1) -> Reservoir:
    found = Reservoir(size, K)
    for first in range(0, len(images), batch):
        numbers, places = ids(images[first : first + batch])
        hashes = hashes_of(numbers, places, salt=salt)
        some = found.wanted(hashes)
        found.add(hashes[some], numbers[some], vectors_of(numbers, places)[some])
    return found


def check_equal(one: Reservoir, other: Reservoir) -> None:
    assert one.size == other.size
    for name in ("hashes", "images", "vectors"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


# hashes


def test_hashes_are_spread_evenly() -> None:
    numbers, places = ids(range(1, 2001))
    shares = hashes_of(numbers, places, salt=1) / 2**63
    counts = np.histogram(shares, bins=20, range=(0, 1))[0]
    chi_squared = ((counts - len(shares) / 20) ** 2 / (len(shares) / 20)).sum()
    assert chi_squared < 43.8  # 19 degrees of freedom, 0.1 %


def test_hashes_of_other_places_images_and_salts_are_others() -> None:
    numbers, places = ids(range(1, 500))
    each = [hashes_of(numbers, places, salt=salt) for salt in range(20)]
    assert len({*np.concatenate(each).tolist()}) == 20 * len(numbers)


def test_hashes_of_two_salts_know_nothing_of_each_other() -> None:
    numbers, places = ids(range(1, 500))
    one, other = (hashes_of(numbers, places, salt=salt).astype(float) for salt in (1, 2))
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.05


@pytest.mark.parametrize("salt", [0, 1, 2, 10**6])
def test_hashes_of_any_salt_are_numbers_and_no_warning(salt: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = hashes_of(np.array([2**63 - 1, 0]), np.array([0, 2**31]), salt=salt)
    assert found.dtype == np.int64
    assert (found >= 0).all()


def test_hashes_do_not_depend_on_what_stands_beside() -> None:
    numbers, places = ids(range(1, 30))
    whole = hashes_of(numbers, places, salt=3)
    alone = [hashes_of(numbers[i : i + 1], places[i : i + 1], salt=3)[0] for i in range(290)]
    assert whole.tolist() == alone


def test_hashes_stay_what_they_are_in_saved_samples() -> None:
    found = hashes_of(np.array([1, 2]), np.array([0, 3]), salt=1)
    assert found.tolist() == [splitmix(1, 0, 1), splitmix(2, 3, 1)]


def splitmix(image: int, place: int, salt: int) -> int:
    """SplitMix64 of the image and the SplitMix64 of place and salt, in plain integers."""
    odd = 0x9E3779B97F4A7C15

    def mixed(value: int) -> int:
        z = (value + odd) % 2**64
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        return z ^ (z >> 31)

    return mixed((image + mixed((place + salt * odd) % 2**64)) % 2**64) >> 1


def test_the_number_of_an_image_is_never_negative() -> None:
    assert image_number(b"\xff" * 16) == 2**63 - 1
    assert image_number(b"\0" * 16) == 0


# what is kept


def test_fewer_vectors_than_places_are_all_kept() -> None:
    assert len(filled([1, 2], size=100)) == 2 * PLACES


def test_those_with_the_smallest_hashes_are_kept() -> None:
    numbers, places = ids(range(1, 40))
    hashes = hashes_of(numbers, places, salt=1)
    best = np.argsort(hashes)[:20]
    found = filled(range(1, 40))
    assert found.hashes.tolist() == hashes[best].tolist()
    assert np.array_equal(found.vectors, vectors_of(numbers, places)[best])
    assert np.array_equal(found.images, numbers[best])


@pytest.mark.parametrize("batch", [1, 3, 7, 39])
def test_neither_order_nor_batches_change_what_is_kept(batch: int) -> None:
    order = np.random.default_rng(batch).permutation(np.arange(1, 40)).tolist()
    check_equal(filled(order, batch=batch), filled(range(1, 40)))


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 2, 0], [2, 1, 0]])
def test_shards_merge_in_any_order_to_the_whole(order: list[int]) -> None:
    shards = [filled(range(i, 40, 3)) for i in (1, 2, 3)]
    found = Reservoir(20, K)
    for i in order:
        found.merge(shards[i])
    check_equal(found, filled(range(1, 40)))


def test_merging_leaves_the_other_as_it_was() -> None:
    other = filled(range(20, 40))
    filled(range(1, 20)).merge(other)
    check_equal(other, filled(range(20, 40)))


def test_a_vector_that_comes_twice_counts_once() -> None:
    check_equal(filled([1, 2, 1, 2, 1]), filled([1, 2]))
    check_equal(filled([*range(1, 40), *range(1, 40)]), filled(range(1, 40)))


def test_a_vector_that_comes_twice_in_one_batch_counts_once() -> None:
    check_equal(filled([1, 1, 2, 2], batch=4), filled([1, 2]))


def test_a_vector_in_two_shards_counts_once() -> None:
    found = filled(range(1, 30))
    found.merge(filled(range(10, 40)))
    check_equal(found, filled(range(1, 40)))


def test_wanted_never_turns_away_one_that_belongs_in() -> None:
    draw = np.random.default_rng(0)
    for _ in range(200):
        hashes = draw.integers(0, 60, size=draw.integers(1, 50))
        found = Reservoir(8, K)
        for part in np.array_split(hashes, 5):
            some = found.wanted(part)
            found.add(part[some], part[some], vectors_of(part, part)[some])
        assert found.hashes.tolist() == np.unique(hashes)[:8].tolist()


def test_wanted_turns_away_what_would_not_stay() -> None:
    found = filled(range(1, 40))
    assert not found.wanted(found.hashes[-1:] + 1).any()
    assert found.wanted(found.hashes[-1:] - 1).all()


def test_every_vector_is_as_likely_to_be_kept_as_any_other() -> None:
    """Over many salts each of 50 images x 10 places is kept as often, to the chance of chi2."""
    numbers, places = ids(range(1, 51))
    kept, runs, size = np.zeros(len(numbers)), 400, 100
    for salt in range(1, runs + 1):
        hashes = hashes_of(numbers, places, salt=salt)
        found = Reservoir(size, K)
        found.add(hashes, numbers, vectors_of(numbers, places))
        kept += np.isin(hashes, found.hashes)
    expected = runs * size / len(numbers)
    chi_squared = ((kept - expected) ** 2 / (expected * (1 - size / len(numbers)))).sum()
    assert kept.sum() == runs * size
    assert chi_squared < 603  # 499 degrees of freedom, 0.1 %
    by_place = kept.reshape(50, PLACES).sum(0)
    assert np.abs(by_place / by_place.mean() - 1).max() < 0.05


def test_memory_does_not_grow_with_what_is_added() -> None:
    for images in (range(1, 40), range(1, 400)):
        found = filled(images)
        assert len(found.hashes) == len(found.images) == len(found.vectors) == 20
        assert found.vectors.base is None
        assert found.hashes.base is None or len(found.hashes.base) <= 20 + 4 * PLACES


# held out


def test_about_a_quarter_of_the_images_is_held_out() -> None:
    found = filled(range(1, 4001), size=10**6, batch=4000)
    images = found.images[found.held_out]
    assert len({*images.tolist()}) == pytest.approx(4000 / HELD_OUT, abs=4 * (4000 * 3 / 16) ** 0.5)


def test_an_image_is_held_out_with_all_its_vectors_or_with_none() -> None:
    found = filled(range(1, 100), size=10**6)
    out, fitted = found.images[found.held_out], found.images[~found.held_out]
    assert len(out) > 0
    assert not {*out.tolist()} & {*fitted.tolist()}
    assert all((out == image).sum() == PLACES for image in {*out.tolist()})


def test_the_same_images_are_held_out_in_every_sample() -> None:
    one, other = (filled(range(1, 100), size=10**6, salt=salt) for salt in (1, 2))
    sets = [{*r.images[r.held_out].tolist()} for r in (one, other)]
    assert sets[0] == sets[1]


def test_what_is_held_out_is_no_likelier_to_be_kept() -> None:
    whole = filled(range(1, 2001), size=10**6, batch=2000)
    some = filled(range(1, 2001), size=2000, batch=2000)
    shares = [r.held_out.mean() for r in (whole, some)]
    assert shares[1] == pytest.approx(shares[0], abs=0.04)


# saved


def several() -> list[Reservoir]:
    return [filled(range(1, 40)), filled([]), filled([1]), filled(range(1, 9), size=50)]


def empty() -> list[Reservoir]:
    return [Reservoir(r.size, K) for r in several()]


def test_what_is_saved_is_taken_up_as_it_was() -> None:
    again = empty()
    unpack(again, dict(packed(several())))
    for one, other in zip(again, several(), strict=True):
        check_equal(one, other)
        assert one.vectors.dtype == np.float32


def test_empty_samples_are_saved_too() -> None:
    again = [Reservoir(5, K)]
    unpack(again, dict(packed([Reservoir(5, K)])))
    assert len(again[0]) == 0
    assert again[0].vectors.shape == (0, K)


DAMAGES = {
    "a length is missing": ("lengths", lambda a: a[:-1]),
    "a length is another": ("lengths", lambda a: a + 1),
    "lengths are negative": ("lengths", lambda a: a + np.array([0, -1, 1, 0])),
    "lengths pass the size": ("lengths", lambda a: a + np.array([1, -1, 0, 0])),
    "hashes are missing": ("hashes", lambda a: a[:-1]),
    "images are missing": ("images", lambda a: a[:-1]),
    "images are too many": ("images", lambda a: np.tile(a, 2)),
    "vectors are missing": ("vectors", lambda a: a[:-1]),
    "vectors are too many": ("vectors", lambda a: np.tile(a, (2, 1))),
    "vectors are of other channels": ("vectors", lambda a: a[:, :-1]),
    "vectors are flat": ("vectors", lambda a: a[:, 0]),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.usefixtures("unchecked")
def test_saved_samples_that_do_not_fit_together_are_refused(damage: str) -> None:
    name, change = DAMAGES[damage]
    arrays = dict(packed(several()))
    arrays[name] = change(arrays[name])
    with pytest.raises(ValueError, match="the region vectors do not fit"):
        unpack(empty(), arrays)
