"""Label maps at a layer's resolution: exact areas at any ratio of sizes, and the majority."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hexplain_widgets.data.concept_sets import IGNORE
from hexplain_widgets.data.label_maps import WHOLE, majority, shares
from tests.reference import label_cells as literal

SIDES = st.integers(1, 7)
SIZES = st.tuples(SIDES, SIDES)
# Eighths are exact in binary, so that the fast way and the literal one see the same window.
EIGHTHS = st.integers(-4, 12)


@st.composite
def stacks(draw: st.DrawFn) -> list[np.ndarray]:
    size = draw(SIZES)
    each = arrays.arrays(np.int32, size, elements=st.integers(IGNORE, 3))
    return draw(st.lists(each, min_size=1, max_size=3))


@st.composite
def windows(draw: st.DrawFn) -> tuple[Fraction, ...]:
    sides = [draw(st.tuples(EIGHTHS, EIGHTHS).filter(lambda s: s[0] != s[1])) for _ in "xy"]
    (x0, x1), (y0, y1) = sides
    return tuple(Fraction(v, 8) for v in (x0, y0, x1, y1))


def floats(window: tuple[Fraction, ...]) -> tuple[float, ...]:
    return tuple(map(float, window))


@given(stacks(), SIZES, windows())
@settings(max_examples=60, deadline=None)
def test_shares_are_those_of_a_literal_loop(maps, size, window):
    found = shares(maps, size, window=floats(window))
    assert set(found.labels.tolist()) == {*np.unique(maps).tolist()} - {0, IGNORE}
    for y, x in np.ndindex(size):
        for label in range(1, 4):
            expected = literal.share(maps, size, window, y, x, label)
            assert found.of(label)[y, x] == pytest.approx(expected, abs=1e-6)
        assert found.known[y, x] == pytest.approx(literal.known(maps, size, window, y, x), abs=1e-6)


@given(stacks(), SIZES)
@settings(max_examples=60, deadline=None)
def test_the_majority_is_that_of_a_literal_loop(maps, size):
    whole = tuple(map(Fraction, (0, 0, 1, 1)))
    found = majority(maps, size)
    for i, labels in enumerate(maps):
        for y, x in np.ndindex(size):
            assert found[i, y, x] == literal.majority(labels, size, whole, y, x)


@given(stacks(), SIZES, windows())
@settings(max_examples=60, deadline=None)
def test_the_majority_in_a_window_is_that_of_a_literal_loop(maps, size, window):
    found = majority(maps[:1], size, window=floats(window))
    for y, x in np.ndindex(size):
        labels, cell = literal.areas(maps[:1], size, window, y, x)
        area = labels.get(frozenset({int(found[0, y, x])}), Fraction(0))
        if found[0, y, x] == IGNORE:
            area += cell - sum(labels.values())
        # Rounding of a window's edges may decide a tie, and nothing else.
        assert float(area / cell) >= max(float(a / cell) for a in [*labels.values(), 0]) - 1e-9


@given(stacks(), SIZES)
@settings(max_examples=40, deadline=None)
def test_shares_of_one_map_add_up_to_what_is_known_without_none(maps, size):
    found = shares(maps[:1], size)
    none = shares([np.where(maps[0] == 0, 4, maps[0])], size).of(4)
    assert np.allclose(found.values.sum(0) + none, found.known, atol=1e-6)


def test_a_grid_of_the_maps_own_size_gives_the_map_back():
    labels = np.random.default_rng(0).integers(-1, 5, (6, 9))
    assert np.array_equal(majority([labels], (6, 9))[0], labels)


def test_a_finer_grid_repeats_pixels():
    labels = np.array([[1, 2]])
    assert majority([labels], (2, 4))[0].tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]


def test_a_cell_over_a_border_has_shares_of_both_sides():
    found = shares([np.array([[1, 1, 2]])], (1, 2))
    assert found.of(1)[0] == pytest.approx([1, 1 / 3])
    assert found.of(2)[0] == pytest.approx([0, 2 / 3])


def test_a_label_of_the_whole_image_covers_every_cell():
    found = shares([np.array([[3]])], (4, 5))
    assert np.array_equal(found.of(3), np.ones((4, 5)))


def test_a_label_of_the_whole_image_stands_beside_a_mask():
    found = shares([np.array([[1, 0], [0, 0]]), np.array([[2]])], (2, 2))
    assert found.of(1).tolist() == [[1, 0], [0, 0]]
    assert found.of(2).tolist() == [[1, 1], [1, 1]]


def test_a_pixel_with_a_label_in_two_maps_counts_once():
    mask = np.array([[1, 0]])
    assert shares([mask, mask], (1, 1)).of(1)[0, 0] == pytest.approx(0.5)


def test_a_label_that_does_not_occur_has_no_share():
    found = shares([np.zeros((2, 2), int)], (2, 2))
    assert found.labels.tolist() == []
    assert found.values.shape == (0, 2, 2)
    assert not found.of(7).any()


def test_none_is_known_and_unlabelled_is_not():
    assert shares([np.array([[0, IGNORE]])], (1, 2)).known.tolist() == [[1, 0]]


def test_a_pixel_is_known_where_one_of_its_maps_says_something():
    maps = [np.array([[1, IGNORE]]), np.array([[IGNORE, IGNORE]])]
    assert shares(maps, (1, 2)).known.tolist() == [[1, 0]]


def test_of_labels_that_cover_equally_much_the_smallest_wins():
    assert majority([np.array([[3, 2]])], (1, 1)).tolist() == [[[2]]]
    assert majority([np.array([[0, 2]])], (1, 1)).tolist() == [[[0]]]


@pytest.mark.parametrize("size", [3, 7, 11, 13])
def test_ties_are_ties_at_awkward_ratios_too(size):
    checkered = np.indices((2 * size, 10)).sum(0) % 2 + 1
    assert (majority([checkered], (size, 5)) == 1).all()


def test_a_window_is_a_part_of_the_image():
    labels = np.arange(1, 17).reshape(4, 4)
    found = majority([labels], (2, 2), window=(0.25, 0.5, 0.75, 1.0))
    assert found[0].tolist() == [[10, 11], [14, 15]]


def test_a_window_from_right_to_left_mirrors():
    labels = np.array([[1, 2, 3]])
    assert majority([labels], (1, 3), window=(1.0, 0.0, 0.0, 1.0))[0].tolist() == [[3, 2, 1]]


def test_outside_the_image_nothing_is_known():
    found = shares([np.ones((2, 2), int)], (1, 2), window=(0.5, 0.0, 1.5, 1.0))
    assert found.known.tolist() == [[1, 0]]
    assert majority([np.ones((2, 2), int)], (1, 2), window=(0.5, 0.0, 1.5, 1.0)).tolist() == [
        [[1, IGNORE]]
    ]


@pytest.mark.parametrize(
    ("maps", "text"),
    [
        ([], "got no map at one level; expected at least one map, .*; leave out an image without"),
        (
            [np.ones((2, 2), int), np.ones((2, 3), int)],
            r"got maps of the sizes \(2, 2\), \(2, 3\) at one level; expected .*bring its masks to",
        ),
    ],
)
def test_maps_that_do_not_belong_together_are_an_error(maps, text):
    with pytest.raises(ValueError, match=text):
        shares(maps, (2, 2))


@pytest.mark.parametrize(
    ("size", "window"),
    [((0, 2), WHOLE), ((2, 2), (0.5, 0.0, 0.5, 1.0)), ((2, 2), (0.0, float("nan"), 1.0, 1.0))],
)
def test_a_grid_without_an_area_is_an_error(size, window):
    text = "got a grid of .* cells over the window .*; expected at least one cell .*; pass"
    with pytest.raises(ValueError, match=text):
        majority([np.ones((2, 2), int)], size, window=window)
