"""Outlines as `(n, 2)` arrays of points, in whatever unit the caller paints in."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float

_LOBES = np.linspace(0, 2 * np.pi, 48, endpoint=False)[:, None] * np.array([3, 5, 8, 13])
_TAMED = np.array([1.6, 1.8, 2.4, 3.0])

Number = float | int  # a length, an angle, a factor
Points = Float[np.ndarray, "n 2"]


def polygon(*points: tuple[Number, Number]) -> Points:
    """Return the outline through the given corners."""
    return np.array(points, dtype=np.float64)


def rect(x0: Number, y0: Number, x1: Number, y1: Number) -> Points:
    """Return the rectangle between two opposite corners."""
    return polygon((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def ellipse(cx: Number, cy: Number, rx: Number, ry: Number, corners: int = 28) -> Points:
    """Return an upright ellipse as a polygon."""
    return _circle(corners) * (rx, ry) + (cx, cy)


@lru_cache(maxsize=64)
def _circle(corners: int) -> Points:
    a = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return np.stack([np.cos(a), np.sin(a)], 1)


def arch(x0: Number, y0: Number, x1: Number, y1: Number) -> Points:
    """Return a rectangle whose upper edge (at `y1`) is a half ellipse of the same width."""
    a = np.linspace(0, np.pi, 12)
    cx, rx = (x0 + x1) / 2, (x1 - x0) / 2
    curve = np.stack([cx + rx * np.cos(a), y1 - rx + rx * np.sin(a)], 1)
    return np.concatenate([polygon((x0, y0), (x1, y0)), curve])


def blob(
    rng: np.random.Generator, cx: Number, cy: Number, rx: Number, ry: Number, rough: Number = 0.12
) -> Points:
    """Return an ellipse with a lobed, leafy outline."""
    phase, weight = rng.uniform(0, 2 * np.pi, 4), rng.uniform(0.3, 1.0, 4) / _TAMED
    r = 1 + rough * (np.sin(_LOBES + phase) @ weight)
    outline: Points = r[:, None] * _circle(48) * (rx, ry) + (cx, cy)
    return outline


def stroke(
    p: tuple[Number, Number], q: tuple[Number, Number], w0: Number, w1: Number | None = None
) -> Points:
    """Return a straight stroke from `p` (width `w0`) to `q` (width `w1`, default the same)."""
    dx, dy = q[0] - p[0], q[1] - p[1]
    length = max(float(np.hypot(dx, dy)), 1e-9)
    nx, ny = -dy / length / 2, dx / length / 2
    w1 = w0 if w1 is None else w1
    return polygon(
        (p[0] + nx * w0, p[1] + ny * w0),
        (q[0] + nx * w1, q[1] + ny * w1),
        (q[0] - nx * w1, q[1] - ny * w1),
        (p[0] - nx * w0, p[1] - ny * w0),
    )


def smooth(points: Points, steps: int = 2) -> Float[np.ndarray, "m 2"]:
    """Return the outline with its corners cut (Chaikin), which makes animals out of polygons."""
    for _ in range(steps):
        following = np.roll(points, -1, 0)
        cut = np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], 1)
        points = cut.reshape(-1, 2)
    return points


def ridge(rng: np.random.Generator, base: Number, height: Number, rough: Number) -> Points:
    """Return a skyline over the whole width, `height` above `base` at its highest, y downwards."""
    x = np.linspace(-0.05, 1.05, 60)
    waves = np.array([1.3, 2.9, 6.1, 13.7, 29.0])
    weight = np.array([1.0, 0.6, 0.35 * rough, 0.22 * rough, 0.12 * rough])
    wave = (weight * np.sin(2 * np.pi * x[:, None] * waves + rng.uniform(0, 6.28, 5))).sum(1)
    wave = (wave - wave.min()) / (np.ptp(wave) + 1e-9)
    line = np.stack([x, base - height * (0.25 + 0.75 * wave)], 1)
    return np.concatenate([line, polygon((1.05, base + 0.02), (-0.05, base + 0.02))])
