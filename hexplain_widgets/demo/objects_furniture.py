"""Things people put in the open: fences, benches, lamps, parasols, pools, playgrounds, crates."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .brush import Brush
from .geometry import Number, blob, ellipse, polygon, rect, smooth, stroke
from .objects_ground import water_tint

BRIGHT = ("red", "blue", "yellow", "green", "orange", "purple", "pink")


def fence(b: Brush, width: Number, height: Number = 1.15) -> None:
    """Paint a fence `width` metres to each side: rails, pickets or wire."""
    style = ("rails", "pickets", "wire")[int(b.rng.integers(3))]
    material = "metal" if style == "wire" else "wood"
    color = (
        b.tint("gray", "black") if style == "wire" else b.tint("white", "brown", "gray", "beige")
    )
    b.shadow(width, depth=0.02)
    thick, rails = {"rails": (0.16, 3), "pickets": (0.13, 2), "wire": (0.07, 4)}[style]
    levels = height * (0.25 + 0.65 * np.arange(rails) / (rails - 1))
    bars = (rect(-width, y - thick / 2, width, y + thick / 2) for y in levels)
    b.fill("rail", material, color, *bars, shade=0.93)
    foot = np.arange(-width, width + 0.01, 0.36 if style == "pickets" else 1.9)
    post = polygon(
        (-0.09, -0.05), (0.09, -0.05), (0.09, height), (0, height + 0.12), (-0.09, height)
    )
    b.fill("post", material, color, *(np.add(post, (x, 0.0)) for x in foot))


def bench(b: Brush) -> None:
    """Paint a park bench."""
    color, material = b.tint("brown", "green", "red", "beige", "gray"), "wood"
    frame = b.tint("black", "gray")
    b.shadow(1.1, depth=0.18)
    for x in (-0.85, 0.85):
        b.fill("leg", "metal", frame, stroke((x, 0), (x, 0.5), 0.12))
        b.fill("leg", "metal", frame, stroke((x * 0.95, 0.4), (x * 0.95, 1.05), 0.09))
    for y in (0.66, 0.86, 1.05):
        b.box("backrest", material, color, -1.05, y - 0.075, 1.05, y + 0.075)
    b.fill(
        "seat",
        material,
        color,
        polygon((-1.12, 0.36), (1.12, 0.36), (1.05, 0.58), (-1.05, 0.58)),
        shade=1.12,
    )


def lamp(b: Brush, height: Number = 4.5) -> None:
    """Paint a street lamp; it glows at dusk."""
    color = b.tint("black", "gray", "green")
    b.shadow(0.4, depth=0.3)
    b.fill("post", "metal", color, stroke((0, 0), (0, height), 0.28, 0.18), form="column")
    b.box("post", "metal", color, -0.28, 0, 0.28, 0.4)
    b.fill(
        "lantern",
        "glass",
        b.tint("yellow", "white"),
        polygon((-0.24, height), (0.24, height), (0.42, height + 0.65), (-0.42, height + 0.65)),
        shade=1.15,
    )
    b.fill(
        "dome",
        "metal",
        color,
        polygon((-0.52, height + 0.63), (0.52, height + 0.63), (0, height + 0.98)),
    )
    if b.canvas.light.name in ("dusk", "sunset"):
        glow = b.at(np.array([[0, height + 0.3]]))[0]
        b.canvas.glow(glow[0], glow[1], 1.6 * b.unit, (0.45, 0.36, 0.16))


def sign(b: Brush) -> None:
    """Paint a road sign: round, square or a triangle."""
    b.shadow(0.25, depth=0.3)
    b.fill("post", "metal", b.tint("gray"), stroke((0, 0), (0, 2.3), 0.12), form="column")
    color, inner = b.tint("red", "blue", "yellow", "green"), b.tint("white")
    outline = (
        ellipse(0, 2.5, 0.5, 0.5, 20),
        rect(-0.5, 2.0, 0.5, 2.95),
        polygon((-0.58, 2.05), (0.58, 2.05), (0, 3.05)),
    )[int(b.rng.integers(3))]
    middle = outline.mean(0)
    b.fill("panel", "metal", color, outline)
    b.fill("panel", "metal", inner, (outline - middle) * 0.58 + middle)


def parasol(b: Brush) -> None:
    """Paint a striped parasol."""
    b.shadow(1.2, at=0.1)
    b.fill("post", "wood", b.tint("white", "beige", "brown"), stroke((0, 0), (0, 2.4), 0.10))
    colors = (b.tint(*BRIGHT), b.tint("white", "yellow", "white"))
    edge = np.linspace(-1.45, 1.45, 7)
    for k, (x0, x1) in enumerate(pairwise(edge)):
        t = np.linspace(0, 1, 5)
        left, right = (
            np.stack([x0 * np.sqrt(t), 2.75 - 0.95 * t**1.4], 1),
            np.stack([x1 * np.sqrt(t), 2.75 - 0.95 * t**1.4], 1),
        )
        hem = polygon(((x0 + x1) / 2, 1.72))
        b.fill(
            "canopy",
            "fabric",
            colors[k % 2],
            np.concatenate([left, hem, right[::-1]]),
            shade=0.88 + 0.05 * k,
        )


def towel(b: Brush) -> None:
    """Paint a beach towel on the ground."""
    w, d, skew = 0.9, 0.42, b.rng.uniform(-0.4, 0.4)
    colors = (b.tint(*BRIGHT), b.tint("white", "yellow", "blue"))
    edge = np.linspace(-w, w, 6)
    for k, (x0, x1) in enumerate(pairwise(edge)):
        b.fill(
            "panel",
            "fabric",
            colors[k % 2],
            polygon((x0, 0), (x1, 0), (x1 + skew, d), (x0 + skew, d)),
        )


def ball(b: Brush) -> None:
    """Paint a ball of two colours."""
    r = b.rng.uniform(0.30, 0.45)
    b.shadow(r * 1.1, depth=0.35)
    b.fill("body", "plastic", b.tint(*BRIGHT), ellipse(0, r, r, r, 22), form="round")
    b.fill(
        "panel",
        "plastic",
        b.tint("white", "yellow"),
        ellipse(0.1 * r, r, r * 0.35, r * 0.97, 16),
        form="round",
    )


def crate(b: Brush, *, fruit: str | None = None) -> None:
    """Paint a wooden crate, filled with fruit if a colour is given."""
    color, w = b.tint("brown", "beige", "orange"), b.rng.uniform(0.45, 0.65)
    b.shadow(w * 1.2, depth=0.25)
    if fruit is not None:
        for x in np.linspace(-w * 0.8, w * 0.8, 5):
            b.fill(
                "fruit",
                "peel",
                b.tint(fruit),
                ellipse(x, w * 1.05 + b.rng.uniform(0, 0.08), 0.15, 0.15, 12),
                form="round",
            )
    b.box("panel", "wood", color, -w, 0, w, w * 1.1)
    for x in (-w, w - 0.12):
        b.box("post", "wood", color.times(0.85), x, 0, x + 0.12, w * 1.1)


def ladder(b: Brush, height: Number) -> None:
    """Paint a ladder that leans to one side."""
    color, lean = b.tint("brown", "beige", "gray"), 0.22 * height
    for k in range(1, 8):
        t = k / 8
        b.fill(
            "step",
            "wood",
            color,
            stroke((lean * t - 0.34, height * t), (lean * t + 0.34, height * t), 0.15),
            shade=0.9,
        )
    for x in (-0.36, 0.36):
        b.fill("rail", "wood", color, stroke((x, 0), (lean + x * 0.85, height), 0.2))


def hay_bale(b: Brush) -> None:
    """Paint a round bale of hay."""
    color, r = b.tint("yellow", "beige"), 0.8
    b.shadow(1.2, depth=0.22)
    b.fill("body", "straw", color, smooth(rect(-0.2, 0, 1.3, 2 * r), 1), shade=0.82)
    b.fill("panel", "straw", color, ellipse(-0.2, r, 0.72, r, 24), form="round")
    for k in (0.66, 0.34):
        b.darken(0.10, ellipse(-0.2, r, 0.72 * k, r * k, 20))


def rock(b: Brush, size: Number) -> None:
    """Paint a boulder."""
    b.shadow(size * 1.1)
    outline = blob(b.rng, 0, size * 0.38, size, size * 0.55, 0.10)
    b.fill("body", "rock", b.tint("gray", "brown", "beige"), outline, form="round")


def pool(b: Brush, width: Number, y0: Number, y1: Number) -> None:
    """Paint a swimming pool let into the ground between two heights of the canvas."""
    camera = b.canvas.camera
    far, near = float(camera.unit(y0)), float(camera.unit(y1))
    lean = b.rng.uniform(-0.05, 0.05)

    def quad(grow: Number, dy0: Number, dy1: Number) -> np.ndarray:
        f, n = (width + grow) * far, (width + grow) * near
        x0, x1 = b.x - lean, b.x + lean
        return polygon(
            (x0 - f, y0 + dy0), (x0 + f, y0 + dy0), (x1 + n, y1 + dy1), (x1 - n, y1 + dy1)
        )

    b.lay(
        "rim",
        "tile" if b.rng.random() < 0.4 else "stone",
        b.tint("white", "beige", "gray", "orange"),
        quad(0.7, -0.018, 0.030),
    )
    b.lay("wall", "tile", b.tint("blue", "white").times(0.95), quad(0, 0, 0))
    b.lay("surface", "water", b.tint("blue").times(1.28), quad(-0.05, 0.016, 0))
    for k in range(2):
        x = b.x + lean + (width - 1.2 + 0.5 * k) * near
        rail = stroke((x, y1 + 0.01), (x, y1 - 0.075), 0.012)
        b.canvas.fill(
            (b.name, "rail", "metal"), b.tint("gray", "white"), rail, unit=near, anchor=(b.x, y1)
        )


def fountain(b: Brush) -> None:
    """Paint a round fountain with jets of water."""
    stone = b.tint("gray", "beige", "white")
    b.shadow(2.4, depth=0.25)
    b.fill(
        "rim",
        "stone",
        stone,
        np.concatenate(
            [
                ellipse(0, 0.45, 2.2, 0.5)[14:],
                polygon((2.2, 0.45)),
                ellipse(0, 0.1, 2.2, 0.55)[::-1][:15],
            ]
        ),
        form="column",
    )
    b.fill("rim", "stone", stone, ellipse(0, 0.55, 2.25, 0.52), shade=1.1)
    b.fill("surface", "water", water_tint(b.rng), ellipse(0, 0.55, 1.95, 0.40))
    b.fill("post", "stone", stone, stroke((0, 0.5), (0, 1.7), 0.5, 0.35), form="column")
    b.fill(
        "rim",
        "stone",
        stone,
        polygon((-0.8, 1.85), (0.8, 1.85), (0.35, 1.5), (-0.35, 1.5)),
        form="column",
    )
    t = np.linspace(0, 1, 10)
    for reach in (-1.5, -0.8, 0.8, 1.5):
        arc = np.stack([reach * t, 1.9 + 2.6 * t * (0.75 - t) + 0.9 * (1 - t)], 1)
        b.fill("jet", "foam", b.tint("white"), np.concatenate([arc, arc[::-1] - (0.0, 0.16)]))


def swing(b: Brush) -> None:
    """Paint a swing for two."""
    color, seat = b.tint(*BRIGHT), b.tint(*BRIGHT, "black")
    b.shadow(1.9, depth=0.22)
    for x in (-1.7, 1.7):
        for foot in (-0.5, 0.5):
            b.fill(
                "leg", "metal", color, stroke((x + foot, 0 if foot < 0 else 0.25), (x, 2.6), 0.16)
            )
    b.fill("rail", "metal", color, stroke((-1.8, 2.6), (1.8, 2.6), 0.18))
    for x in (-0.75, 0.75):
        away = b.rng.uniform(-0.5, 0.5)
        for side in (-0.24, 0.24):
            b.fill(
                "cable",
                "metal",
                b.tint("gray", "black"),
                stroke((x + side, 2.55), (x + side + away, 0.62), 0.06),
            )
        b.box("seat", "plastic", seat, x + away - 0.38, 0.48, x + away + 0.38, 0.70)


def slide(b: Brush) -> None:
    """Paint a slide with its steps and a roofed platform."""
    color, chute = b.tint(*BRIGHT), b.tint(*BRIGHT)
    b.shadow(1.9, at=0.6, depth=0.22)
    for x in (-1.0, 0.1):
        b.fill(
            "leg",
            "metal" if b.rng.random() < 0.5 else "wood",
            color,
            stroke((x, 0), (x, 3.0), 0.16),
        )
    for k in range(5):
        b.fill(
            "step",
            "wood",
            b.tint("brown", "gray"),
            stroke((-1.55 + 0.11 * k, 0.2 + 0.36 * k), (-1.0, 0.2 + 0.36 * k), 0.11),
        )
    b.box("deck", "wood", b.tint("brown", "beige"), -1.1, 1.75, 0.2, 1.98)
    t = np.linspace(0, 1, 10)
    run = np.stack([0.1 + 2.5 * t, 1.95 - 1.75 * t**0.8 * (1.25 - 0.25 * t)], 1)
    b.fill(
        "chute", "plastic", chute.times(0.8), np.concatenate([np.add(run, (0, 0.34)), run[::-1]])
    )
    b.fill(
        "chute",
        "plastic",
        chute,
        np.concatenate([np.add(run, (0, 0.16)), np.subtract(run[::-1], (0, 0.08))]),
        shade=1.08,
    )
    b.fill("roof", "plastic", b.tint(*BRIGHT), polygon((-1.25, 2.9), (0.35, 2.9), (-0.45, 3.6)))


def sandbox(b: Brush) -> None:
    """Paint a sandbox with a wooden rim."""
    rim = b.tint("brown", "red", "blue", "green", "beige")
    b.fill("rim", "wood", rim, polygon((-1.8, 0), (1.8, 0), (1.45, 0.95), (-1.45, 0.95)))
    b.fill(
        "bed",
        "sand",
        b.tint("beige", "yellow"),
        polygon((-1.55, 0.18), (1.55, 0.18), (1.28, 0.84), (-1.28, 0.84)),
    )
    b.fill("rim", "wood", rim, rect(-1.85, -0.12, 1.85, 0.16), shade=1.1)
    b.fill(
        "bed",
        "sand",
        b.tint("beige"),
        smooth(polygon((-0.5, 0.35), (0.3, 0.35), (-0.1, 0.85)), 1),
        form="round",
    )
