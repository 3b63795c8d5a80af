"""Rowing boats, sailing boats and ships on the water."""

from __future__ import annotations

import numpy as np

from .brush import Brush
from .geometry import Number, Points, ellipse, polygon, rect, stroke
from .palette import Tint

HULLS = ("white", "blue", "red", "green", "brown", "black", "yellow")


def _reflection(b: Brush, half: Number, depth: Number) -> None:
    for k in range(5):
        y, w = -depth * (k + 0.5) / 5, half * (1 - 0.10 * k)
        b.darken(0.30 - 0.045 * k, rect(-w, y - depth * 0.06, w, y + depth * 0.06))


def _hull(b: Brush, half: Number, height: Number, material: str, color: Tint, stripe: Tint) -> None:
    b.fill("hull", material, color, _side(half, height, -0.15, height))
    b.fill("hull", material, stripe, _side(half, height, height * 0.78, height))
    b.fill(
        "hull",
        material,
        b.tint("red", "black", "blue"),
        _side(half, height, -0.15, height * 0.16),
        shade=0.8,
    )


def _side(half: Number, height: Number, y0: Number, y1: Number) -> Points:
    t = np.linspace(y0, y1, 6) / height
    bow = half * (0.72 + 0.40 * np.clip(t, 0, 1) ** 0.8)
    stern = -half * (0.80 + 0.16 * t)
    rise = np.array([0.10 * half]) * np.clip(t, 0, 1) ** 2
    right = np.stack([bow, t * height + rise * 0.8], 1)
    left = np.stack([stern, t * height], 1)[::-1]
    sag = polygon((0, y1 - 0.03 * half))
    return np.concatenate([right, sag, left])


def rowboat(b: Brush) -> None:
    """Paint a small open boat with a bench and oars."""
    color = b.tint(*HULLS)
    _reflection(b, 1.7, 0.5)
    b.fill("seat", "wood", b.tint("brown", "beige"), rect(-1.3, 0.4, 1.4, 0.62), shade=0.7)
    _hull(b, 1.7, 0.55, "wood", color, b.tint("white", "brown"))
    b.fill("arm", "wood", b.tint("beige", "brown"), stroke((-0.2, 0.75), (0.9, -0.1), 0.09, 0.14))


def sailboat(b: Brush) -> None:
    """Paint a sailing boat with mainsail and jib."""
    b.shadow(2.0, depth=0.18, lift=0.3)
    _reflection(b, 2.1, 1.1)
    sail, tall = b.tint("white", "white", "beige", "red", "orange", "blue"), b.rng.uniform(5.2, 7.0)
    b.fill(
        "mast",
        "metal" if b.rng.random() < 0.5 else "wood",
        b.tint("gray", "brown"),
        stroke((0, 0.6), (0, tall), 0.15),
    )
    if b.rng.random() < 0.85:
        jib = b.tint(sail.name, "white", "red")
        b.fill("sail", "fabric", sail, _sail(-0.12, -1.9, 1.25, tall * 0.97))
        b.fill("sail", "fabric", jib, _sail(0.12, 1.9, 1.0, tall * 0.86), shade=0.93)
    b.fill("mast", "wood", b.tint("brown", "gray"), stroke((0, 1.2), (-1.95, 1.12), 0.13))
    b.box("cabin", "plastic", b.tint("white"), -0.9, 0.75, 0.75, 1.12)
    b.box("window", "glass", b.tint("black", "blue"), -0.65, 0.84, 0.45, 1.0)
    _hull(
        b,
        2.1,
        0.85,
        "plastic" if b.rng.random() < 0.6 else "wood",
        b.tint(*HULLS),
        b.tint("red", "blue", "white"),
    )


def _sail(mast: Number, foot: Number, low: Number, top: Number) -> Points:
    t = np.linspace(0, 1, 9)
    edge = foot * (1 - t) + 0.16 * foot * np.sin(np.pi * t)
    return np.concatenate([np.stack([mast + edge, low + (top - low) * t], 1), polygon((mast, low))])


def ship(b: Brush) -> None:
    """Paint a fishing boat or small freighter with bridge and mast."""
    color = b.tint(*HULLS)
    b.shadow(3.6, depth=0.15, lift=0.3)
    _reflection(b, 3.7, 1.3)
    house = b.tint("white", "white", "beige", "orange")
    b.box("cabin", "metal", house, -2.6, 1.2, -0.5, 3.0)
    b.box("cabin", "metal", house, -2.2, 3.0, -0.8, 4.1, shade=1.04)
    b.box("roof", "metal", b.tint("red", "blue", "gray", "white"), -2.4, 4.05, -0.6, 4.3)
    for x in (-2.3, -1.6, -0.95):
        b.box("window", "glass", b.tint("blue", "black"), x, 2.0, x + 0.42, 2.55)
        b.box("window", "glass", b.tint("blue", "black"), x * 0.9, 3.3, x * 0.9 + 0.4, 3.85)
    b.box(
        "chimney", "metal", b.tint("red", "black", "yellow"), -3.1, 1.2, -2.65, 3.6, form="column"
    )
    b.fill("mast", "metal", b.tint("gray", "white", "brown"), stroke((1.0, 1.2), (1.0, 5.2), 0.17))
    b.fill("arm", "metal", b.tint("gray", "white", "brown"), stroke((1.0, 2.0), (2.9, 4.2), 0.13))
    b.fill("cable", "metal", b.tint("black"), stroke((1.0, 5.1), (3.6, 1.7), 0.05))
    _hull(b, 3.7, 1.5, "metal", color, b.tint("white", "red", "yellow"))
    for x in (-1.9, -0.7, 0.5):
        b.fill("wheel", "rubber", b.tint("black"), ellipse(x, 0.85, 0.26, 0.26, 16))
        b.fill("hull", "metal", color, ellipse(x, 0.85, 0.12, 0.12, 10))
