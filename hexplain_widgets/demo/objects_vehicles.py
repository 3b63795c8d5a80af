"""Cars, vans, tractors and bicycles, seen from the side."""

from __future__ import annotations

import numpy as np

from .brush import Brush
from .geometry import Number, ellipse, polygon, smooth, stroke
from .palette import Tint

PAINTS = ("red", "blue", "white", "gray", "black", "green", "yellow", "orange")


def wheel(b: Brush, x: Number, radius: Number, hub: Tint, *, wide: Number = 0.58) -> None:
    """Paint a wheel that stands on the ground."""
    b.fill("wheel", "rubber", b.tint("black"), ellipse(x, radius, radius, radius, 24), form="round")
    inner = radius * wide
    b.fill("hub", "metal", hub, ellipse(x, radius, inner, inner, 18), form="round")
    b.fill("hub", "metal", hub.times(0.5), ellipse(x, radius, inner * 0.3, inner * 0.3, 10))


def car(b: Brush) -> None:
    """Paint a passenger car."""
    color, long = b.tint(*PAINTS), b.rng.uniform(-0.2, 0.3)
    b.shadow(2.3, depth=0.12)
    cabin = polygon((-1.55 - long, 0.86), (-1.05 - long, 1.46), (0.45, 1.48), (1.15, 0.90))
    b.fill("cabin", "metal", color, smooth(cabin, 1), shade=0.95)
    glass = b.tint("blue", "gray", "black")
    for outline in (
        ((-1.25 - long, 0.92), (-0.92 - long, 1.36), (-0.38, 1.37), (-0.38, 0.92)),
        ((-0.28, 0.92), (-0.28, 1.37), (0.36, 1.36), (0.85, 0.94)),
    ):
        b.fill("window", "glass", glass, polygon(*outline))
    body = polygon(
        (-2.1, 0.34),
        (-2.15, 0.80),
        (-1.5, 0.95),
        (1.15, 0.95),
        (1.95, 0.78),
        (2.12, 0.55),
        (2.1, 0.32),
    )
    b.fill("body", "metal", color, smooth(body, 1))
    b.darken(0.30, polygon((-2.0, 0.30), (2.0, 0.30), (2.05, 0.46), (-2.05, 0.46)))
    b.darken(0.4, stroke((-0.33, 0.42), (-0.33, 0.92), 0.035))
    _lights(b, 2.02, 0.66, 2.2)
    for x in (-1.28, 1.30):
        b.darken(0.7, ellipse(x, 0.40, 0.43, 0.43, 20))
        wheel(b, x, 0.36, b.tint("gray", "white"))


def _lights(b: Brush, x: Number, y: Number, bumper: Number) -> None:
    b.fill("headlight", "glass", b.tint("yellow", "white"), ellipse(x - 0.08, y, 0.14, 0.09, 12))
    b.fill("headlight", "glass", b.tint("red"), ellipse(-x - 0.02, y + 0.05, 0.09, 0.10, 12))
    b.box("bumper", "metal", b.tint("gray", "white"), bumper - 0.38, 0.30, bumper, 0.46)
    b.box("bumper", "metal", b.tint("gray", "white"), -bumper, 0.30, 0.35 - bumper, 0.46)


def van(b: Brush) -> None:
    """Paint a delivery van with a coloured panel."""
    color = b.tint(*PAINTS)
    b.shadow(2.6, depth=0.12)
    body = polygon(
        (-2.4, 0.36),
        (-2.4, 2.15),
        (-2.25, 2.28),
        (1.25, 2.28),
        (1.95, 1.42),
        (2.4, 1.20),
        (2.45, 0.36),
    )
    b.fill("body", "metal", color, smooth(body, 1))
    b.fill(
        "window",
        "glass",
        b.tint("blue", "gray", "black"),
        polygon((0.65, 1.35), (0.65, 2.0), (1.22, 2.0), (1.74, 1.38)),
    )
    band = b.tint("white", "yellow", "blue", "red")
    b.box("panel", "plastic", band, -2.1, 1.05, 0.3, 1.75)
    b.darken(0.4, stroke((0.48, 0.42), (0.48, 2.15), 0.05))
    b.darken(0.30, polygon((-2.35, 0.34), (2.4, 0.34), (2.4, 0.52), (-2.35, 0.52)))
    _lights(b, 2.36, 0.85, 2.5)
    for x in (-1.5, 1.55):
        b.darken(0.7, ellipse(x, 0.42, 0.48, 0.48, 20))
        wheel(b, x, 0.40, b.tint("gray"))


def tractor(b: Brush) -> None:
    """Paint a tractor with one large and one small wheel."""
    color, hub = b.tint("green", "red", "blue", "orange"), b.tint("yellow", "red", "gray", "white")
    b.shadow(2.2, depth=0.16)
    b.fill(
        "body",
        "metal",
        color,
        smooth(polygon((-0.2, 0.75), (-0.2, 1.62), (1.9, 1.52), (2.0, 1.35), (1.95, 0.75)), 1),
    )
    b.darken(0.45, *(stroke((x, 0.95), (x, 1.40), 0.09) for x in (1.05, 1.30, 1.55)))
    b.box("post", "metal", b.tint("black", "gray"), 0.95, 1.5, 1.08, 2.5, form="column")
    b.box("window", "glass", b.tint("blue", "gray"), -1.15, 1.5, 0.05, 2.62)
    for x in (-1.2, -0.45, 0.05):
        b.fill("cabin", "metal", color, stroke((x, 1.4), (x + 0.03, 2.7), 0.12))
    b.box("cabin", "metal", color, -1.4, 2.62, 0.25, 2.85)
    b.fill("headlight", "glass", b.tint("yellow", "white"), ellipse(1.93, 1.32, 0.12, 0.12, 12))
    b.fill(
        "bumper",
        "metal",
        b.tint("gray", "black"),
        polygon((1.7, 0.6), (2.2, 0.6), (2.2, 0.85), (1.7, 0.85)),
    )
    fender = ellipse(-0.75, 0.95, 1.12, 1.08)[:15]
    b.fill("body", "metal", color, fender, shade=0.88)
    wheel(b, -0.75, 0.92, hub, wide=0.5)
    outer, inner = (ellipse(-0.75, 0.92, r, r, 16) for r in (0.92, 0.72))
    b.darken(0.5, *(stroke(tuple(p), tuple(q), 0.10) for p, q in zip(inner, outer, strict=True)))
    wheel(b, 1.45, 0.50, hub, wide=0.5)


def bicycle(b: Brush) -> None:
    """Paint a bicycle leaning on its stand."""
    color = b.tint("red", "blue", "green", "yellow", "black", "white")
    b.shadow(0.9, depth=0.1)
    for x in (-0.52, 0.52):
        ring = ellipse(x, 0.36, 0.36, 0.36, 24)
        tyre = (
            stroke(tuple(p), tuple(q), 0.14)
            for p, q in zip(ring, np.roll(ring, -1, 0), strict=True)
        )
        b.fill("wheel", "rubber", b.tint("black"), *tyre)
        b.fill("hub", "metal", b.tint("gray"), ellipse(x, 0.36, 0.07, 0.07, 8))
    joints = {
        "rear": (-0.52, 0.36),
        "pedal": (-0.06, 0.34),
        "saddle": (-0.24, 0.86),
        "fork": (0.36, 0.88),
        "front": (0.52, 0.36),
    }
    pairs = (
        ("rear", "pedal"),
        ("rear", "saddle"),
        ("pedal", "saddle"),
        ("pedal", "fork"),
        ("saddle", "fork"),
        ("fork", "front"),
    )
    b.fill("frame", "metal", color, *(stroke(joints[p], joints[q], 0.15) for p, q in pairs))
    b.fill("seat", "rubber", b.tint("black", "brown"), ellipse(-0.26, 0.95, 0.17, 0.06, 12))
    b.fill("frame", "metal", b.tint("gray"), stroke((0.34, 0.88), (0.28, 1.06), 0.08))
    b.fill("frame", "rubber", b.tint("black"), stroke((0.16, 1.04), (0.36, 1.08), 0.08))
