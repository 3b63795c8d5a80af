"""Sets of points in space: where they lie, how they spread, and how they are seen when turned."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from ...evidence import InferenceComparison

Vectors = Float[np.ndarray, "_n 3"]
Square = Float[np.ndarray, "3 3"]

SIGMAS = 2.0  # how far an ellipsoid reaches, in standard deviations
_PADDING, _THINNEST = 0.05, 0.12  # of the longest side of the box
_REFERENCE = math.radians(24)  # the tilt for which the box is fitted: tilting is not to zoom


def members(evidence: InferenceComparison, place: int) -> Vectors:
    """Return the points of one set."""
    return evidence.points[evidence.sets == place].astype(float)


def sizes(evidence: InferenceComparison) -> list[int]:
    """Return how many images each set has."""
    return [int((evidence.sets == s).sum()) for s in range(len(evidence.names))]


def centre(points: Vectors) -> Float[np.ndarray, " 3"]:
    """Return the mean of some points, zero where there is none."""
    return points.mean(0) if len(points) else np.zeros(3)


def axes(points: Vectors) -> Square | None:
    """Return the half axes of the points' ellipsoid of two standard deviations, one in a row.

    None where there are fewer than two points: one point has no spread.
    """
    if len(points) < 2:
        return None
    values, vectors = np.linalg.eigh(np.cov(points.T))
    longest_first = np.argsort(-values)
    lengths = SIGMAS * np.sqrt(np.clip(values[longest_first], 0, None))
    return vectors.T[longest_first] * lengths[:, None]


def box(evidence: InferenceComparison) -> Float[np.ndarray, "2 3"]:
    """Return the least and the largest corner of what is drawn, with a little room around it."""
    corners = [evidence.points.astype(float)]
    for place in range(len(evidence.names)):
        points = members(evidence, place)
        half = axes(points)
        if half is not None:
            reach = np.sqrt((half**2).sum(0))
            corners += [(centre(points) + sign * reach)[None] for sign in (-1, 1)]
    every = np.concatenate(corners) if len(evidence.points) else np.zeros((1, 3))
    low, high = every.min(0), every.max(0)
    longest = float((high - low).max()) or 1.0
    half_side = np.maximum((high - low) / 2 + _PADDING * longest, _THINNEST * longest)
    middle = (low + high) / 2
    return np.stack([middle - half_side, middle + half_side])


def basis(yaw: float | int, pitch: float | int) -> Square:
    """Return what is right, up and towards the viewer, in rows, once space is turned (degrees)."""
    c, s = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
    cp, sp = math.cos(math.radians(pitch)), math.sin(math.radians(pitch))
    return np.array([[c, -s, 0], [s * sp, c * sp, cp], [-s * cp, -c * cp, sp]])


def fitted(corners: Float[np.ndarray, "2 3"], width: float | int, height: float | int) -> float:
    """Return the scale at which the box fits a window however it is turned from side to side."""
    half = (corners[1] - corners[0]) / 2
    around = math.hypot(half[0], half[1])
    tall = half[2] * math.cos(_REFERENCE) + around * math.sin(_REFERENCE)
    return float(min(width / (2 * around), height / (2 * tall)))


def outline(half: Vectors, view: Square, steps: int = 90) -> Float[np.ndarray, "_ 2"]:
    """Return the outline of an ellipsoid around zero, exactly: it is seen as an ellipse."""
    flat = view[:2] @ half.T
    values, vectors = np.linalg.eigh(flat @ flat.T)
    around = np.linspace(0, 2 * math.pi, steps, endpoint=False)
    circle = np.stack([np.cos(around), np.sin(around)])
    return (vectors * np.sqrt(np.clip(values, 0, None)) @ circle).T


def back(corners: Float[np.ndarray, "2 3"], view: Square) -> list[int]:
    """Return for each axis which side of the box lies behind: 0 the least, 1 the largest."""
    return [0 if toward >= 0 else 1 for toward in view[2]]


def labelled_edge(
    axis: int, corners: Float[np.ndarray, "2 3"], view: Square
) -> tuple[Float[np.ndarray, " 3"], Float[np.ndarray, " 3"]]:
    """Return the ends of the edge of the box that an axis is named at: low, the upright one left.

    It is one of the two edges between a side in front and one behind, so nothing lies under it.
    """
    behind = back(corners, view)
    j, k = (i for i in range(3) if i != axis)
    edges = []
    for front in (j, k):
        sides = list(behind)
        sides[front] = 1 - behind[front]
        start, end = (
            np.array([corners[side if i == axis else sides[i]][i] for i in range(3)])
            for side in (0, 1)
        )
        edges.append((start, end))
    row = 0 if axis == 2 else 1
    return min(edges, key=lambda edge: float(view[row] @ (edge[0] + edge[1])))
