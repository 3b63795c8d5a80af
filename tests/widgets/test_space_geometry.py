"""Points in space as they are seen: turned, fitted to a window, with exact outlines."""

from __future__ import annotations

import numpy as np
import pytest

from hexplain_widgets.widgets.inference_space import geometry
from hexplain_widgets.widgets.inference_space.picture import SHAPES, colour, marker
from tests.widgets.made_space import made_comparison

TURNS = [(0.0, 0.0), (32.0, 20.0), (-120.0, -65.0), (180.0, 90.0)]
BOX = np.array([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])


@pytest.mark.parametrize(("yaw", "pitch"), TURNS)
def test_turning_keeps_lengths_and_hands(yaw: float, pitch: float) -> None:
    seen = geometry.basis(yaw, pitch)
    np.testing.assert_allclose(seen @ seen.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(seen) == pytest.approx(1)


def test_unturned_the_first_axis_points_right_and_the_third_up() -> None:
    seen = geometry.basis(0, 0)
    np.testing.assert_allclose(seen[0], [1, 0, 0])
    np.testing.assert_allclose(seen[1], [0, 0, 1])


def test_the_axes_of_an_ellipsoid_are_two_standard_deviations_long() -> None:
    points = np.array([[3.0, 0, 0], [-3, 0, 0], [0, 1, 0], [0, -1, 0]])
    half = geometry.axes(points)
    assert half is not None
    np.testing.assert_allclose(half.T @ half / 4, np.cov(points.T), atol=1e-12)
    np.testing.assert_allclose(np.abs(half[0]), [2 * np.sqrt(6), 0, 0])


def test_one_point_has_no_ellipsoid() -> None:
    assert geometry.axes(np.zeros((1, 3))) is None


@pytest.mark.parametrize(("yaw", "pitch"), TURNS)
def test_the_outline_of_an_ellipsoid_touches_all_that_is_in_it_and_no_more(
    yaw: float, pitch: float
) -> None:
    rng = np.random.default_rng(0)
    half, seen = rng.normal(size=(3, 3)), geometry.basis(yaw, pitch)
    sphere = rng.normal(size=(20_000, 3))
    inside = (sphere / np.linalg.norm(sphere, axis=1)[:, None]) @ half @ seen[:2].T
    for direction in (np.array([np.cos(a), np.sin(a)]) for a in np.linspace(0, 3, 7)):
        reach = (geometry.outline(half, seen, 720) @ direction).max()
        assert (inside @ direction).max() == pytest.approx(reach, rel=5e-3)


def test_a_box_holds_points_and_ellipsoids_and_is_nowhere_flat() -> None:
    low, high = geometry.box(made_comparison(points=np.full((60, 3), 0.5)))
    assert (high - low > 0.1).all()
    evidence = made_comparison()
    low, high = geometry.box(evidence)
    assert ((evidence.points > low) & (evidence.points < high)).all()


@pytest.mark.parametrize("yaw", range(0, 360, 30))
def test_a_fitted_box_stays_in_the_window_while_it_is_turned_around(yaw: float) -> None:
    scale = geometry.fitted(BOX, 800, 500)
    corners = np.array([[BOX[i, 0], BOX[j, 1], BOX[k, 2]] for i, j, k in np.ndindex(2, 2, 2)])
    flat = np.abs(corners @ geometry.basis(yaw, 20)[:2].T * scale).max(0)
    assert flat[0] <= 400 + 1e-9
    assert flat[1] <= 250 + 1e-9


@pytest.mark.parametrize(("yaw", "pitch"), TURNS[1:3])
@pytest.mark.parametrize("axis", range(3))
def test_an_axis_is_named_at_an_edge_at_the_rim_of_the_box(
    axis: int, yaw: float, pitch: float
) -> None:
    seen = geometry.basis(yaw, pitch)
    start, end = geometry.labelled_edge(axis, BOX, seen)
    assert np.flatnonzero(start != end).tolist() == [axis]
    corners = np.array([[BOX[i, 0], BOX[j, 1], BOX[k, 2]] for i, j, k in np.ndindex(2, 2, 2)])
    flat, (a, b) = corners @ seen[:2].T, np.stack([start, end]) @ seen[:2].T
    sides = (b - a)[0] * (flat - a)[:, 1] - (b - a)[1] * (flat - a)[:, 0]
    assert (sides <= 1e-9).all() or (sides >= -1e-9).all()


def test_sets_differ_in_colour_or_shape() -> None:
    marks = {(colour(place), marker(place)) for place in range(42)}
    assert len(marks) == 42


def test_marks_are_of_about_the_same_area() -> None:
    areas = []
    for shape in SHAPES:
        x, y = np.array(shape).T
        areas.append(abs(float(x @ np.roll(y, 1) - y @ np.roll(x, 1))) / 2)
    assert max(areas) / min(areas) < 1.35
