"""Houses, barns, silos, town buildings, lighthouses, piers and cranes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .brush import Brush
from .geometry import Number, Points, arch, ellipse, polygon, rect, stroke
from .palette import Tint

WALLS: dict[str, tuple[str, ...]] = {
    "brick": ("red", "orange", "brown"),
    "plaster": ("white", "beige", "yellow", "pink", "blue"),
    "wood": ("white", "red", "blue", "brown", "green", "yellow"),
    "stone": ("gray", "beige"),
}


def _wall(b: Brush, *materials: str) -> tuple[str, Tint]:
    material = (materials or tuple(WALLS))[int(b.rng.integers(len(materials or WALLS)))]
    return material, b.tint(*WALLS[material])


def windows(
    b: Brush, corners: list[tuple[Number, Number]], w: Number, h: Number, frame: Tint
) -> None:
    """Paint windows with frames, bars and sills, their lower left corners at `corners`."""

    def each(x0: Number, y0: Number, x1: Number, y1: Number) -> list[Points]:
        return [rect(x + x0, y + y0, x + x1, y + y1) for x, y in corners]

    b.fill("window", "wood", frame, *each(-0.10, -0.10, w + 0.10, h + 0.10), shade=1.05)
    evening = ("yellow", "yellow") if b.canvas.light.name == "dusk" else ()
    pane = b.tint("blue", "gray", "black", *evening)
    b.fill("window", "glass", pane.times(0.9), *each(0, 0, w, h))
    b.darken(0.30, *each(0, h * 0.86, w, h))
    bars = each(w / 2 - 0.05, 0, w / 2 + 0.05, h) + each(0, h * 0.52, w, h * 0.52 + 0.09)
    b.fill("window", "wood", frame, *bars)
    b.fill("window", "wood", frame, *each(-0.18, -0.20, w + 0.18, -0.08), shade=1.1)


def door(b: Brush, x: Number, w: Number, h: Number, color: Tint) -> None:
    """Paint a panelled door with its step, its left edge at `x`."""
    b.box("door", "wood", b.tint("white"), x - 0.12, 0, x + w + 0.12, h + 0.12)
    b.box("door", "wood", color, x, 0, x + w, h)
    panels = (rect(x + 0.18 * w, h * y, x + 0.82 * w, h * (y + 0.34)) for y in (0.10, 0.56))
    b.darken(0.20, *panels)
    b.fill("door", "metal", b.tint("yellow"), ellipse(x + 0.88 * w, h * 0.48, 0.06, 0.06, 8))
    b.box("step", "stone", b.tint("gray"), x - 0.3, -0.14, x + w + 0.3, 0.04, shade=1.08)


def house(b: Brush, width: Number, floors: int = 1) -> None:
    """Paint a house `width` metres wide: gable to the front or roof to the front."""
    material, color = _wall(b)
    roof = ("tile", b.tint("red", "orange", "brown", "gray", "black"))
    height, half = 2.9 * floors + 0.3, width / 2
    b.shadow(half * 1.25, depth=0.22)
    if b.rng.random() < 0.5:
        _gable_front(b, material, color, roof, half, height)
    else:
        _eaves_front(b, material, color, roof, half, height)
    _openings(b, half, floors)


def _gable_front(
    b: Brush, material: str, color: Tint, roof: tuple[str, Tint], half: Number, height: Number
) -> None:
    rise, front = half * b.rng.uniform(0.75, 1.0), half * 0.62
    shift = half - front
    ridge_x = -shift
    b.box("wall", material, color, -half, 0, half, height, shade=0.80)
    _chimney(b, half * 0.45, height + rise * 0.5, rise * 0.75)
    slope = polygon(
        (half + 0.35, height - 0.1),
        (half - 0.1, height + rise),
        (ridge_x, height + rise),
        (front - shift + 0.3, height - 0.1),
    )
    b.fill("roof", *roof, slope)
    b.box("wall", material, color, -half, 0, front - shift, height)
    b.fill(
        "gable",
        material,
        color,
        polygon((-half, height), (front - shift, height), (ridge_x, height + rise)),
    )
    b.darken(0.34, rect(front - shift, height - 0.45, half, height - 0.1))
    for end in (-half - 0.35, front - shift + 0.35):
        eave = stroke((end, height - 0.25), (ridge_x, height + rise + 0.12), 0.34)
        b.fill("roof", "wood", b.tint("white", "brown"), eave, shade=1.05)
    hole = ellipse(ridge_x, height + rise * 0.35, 0.42, 0.42, 16)
    b.fill("window", "glass", b.tint("blue", "black"), hole)


def _eaves_front(
    b: Brush, material: str, color: Tint, roof: tuple[str, Tint], half: Number, height: Number
) -> None:
    rise, cut = half * b.rng.uniform(0.45, 0.65), b.rng.uniform(0.1, 0.35)
    b.box("wall", material, color, -half, 0, half, height)
    _chimney(b, half * b.rng.uniform(-0.6, 0.6), height + rise * 0.5, rise * 0.85)
    slope = polygon(
        (-half - 0.45, height - 0.1),
        (half + 0.45, height - 0.1),
        (half * (1 - cut), height + rise),
        (-half * (1 - cut), height + rise),
    )
    b.fill("roof", *roof, slope)
    b.darken(0.34, rect(-half, height - 0.55, half, height - 0.1))
    b.box(
        "roof",
        "wood",
        b.tint("white", "brown"),
        -half - 0.5,
        height - 0.22,
        half + 0.5,
        height - 0.04,
    )


def _chimney(b: Brush, x: Number, y: Number, height: Number) -> None:
    if b.rng.random() < 0.75:
        b.box(
            "chimney",
            "brick",
            b.tint("red", "brown", "gray"),
            x - 0.4,
            y,
            x + 0.4,
            y + height,
            form="column",
        )
        b.box(
            "chimney",
            "stone",
            b.tint("gray"),
            x - 0.52,
            y + height - 0.1,
            x + 0.52,
            y + height + 0.12,
        )


def _openings(b: Brush, half: Number, floors: int) -> None:
    frame, paint = (
        b.tint("white", "white", "brown", "green"),
        b.tint("red", "blue", "green", "brown", "yellow"),
    )
    slots = max(int(half * 2 // 2.3), 2)
    at = int(b.rng.integers(slots))
    step = (2 * half - 0.6) / slots
    middles = [-half + 0.3 + step * (k + 0.5) for k in range(slots)]
    free = [
        (x - 0.55, 2.9 * f + 1.0) for f in range(floors) for x in middles if f or x != middles[at]
    ]
    windows(b, free, 1.1, 1.35, frame)
    door(b, middles[at] - 0.6, 1.2, 2.25, paint)


def barn(b: Brush, width: Number) -> None:
    """Paint a barn with a broken gable and a wide door."""
    color, half, height = b.tint("red", "red", "brown", "green", "white"), width / 2, width * 0.42
    trim = b.tint("white")
    b.shadow(half * 1.3, depth=0.22)
    outline = polygon(
        (-half, 0),
        (half, 0),
        (half, height),
        (half * 0.62, height * 1.5),
        (0, height * 1.8),
        (-half * 0.62, height * 1.5),
        (-half, height),
    )
    side = rect(half * 0.5, 0, half * 2.1, height)
    b.fill("wall", "wood", color, side, shade=0.76)
    edge = np.array(outline[2:5])
    back = np.concatenate([edge, np.add(edge[::-1], (half * 1.1, 0.0))])
    b.fill(
        "roof",
        "metal" if b.rng.random() < 0.5 else "tile",
        b.tint("gray", "red", "brown"),
        back,
        shade=0.95,
    )
    b.fill("wall", "wood", color, outline)
    for p, q in pairwise(outline[2:7]):
        b.fill("roof", "wood", trim, stroke(tuple(p), tuple(q), 0.32), shade=1.05)
    b.box("door", "wood", trim, -half * 0.45, 0, half * 0.45, height * 0.95)
    b.box(
        "door",
        "wood",
        color.times(0.85),
        -half * 0.45 + 0.18,
        0,
        half * 0.45 - 0.18,
        height * 0.95 - 0.18,
    )
    for side_x in (-1, 1):
        b.fill("door", "wood", trim, stroke((side_x * half * 0.42, 0.1), (0, height * 0.9), 0.16))
    b.fill("window", "glass", b.tint("black"), arch(-0.45, height * 1.15, 0.45, height * 1.5))


def silo(b: Brush, height: Number) -> None:
    """Paint a round silo with a dome."""
    radius = height * 0.17
    b.shadow(radius * 1.5)
    color = b.tint("gray", "white", "blue")
    b.box("wall", "metal", color, -radius, 0, radius, height, form="column")
    for k in range(1, 6):
        b.darken(0.18, rect(-radius, height * k / 6 - 0.05, radius, height * k / 6 + 0.05))
    dome = ellipse(0, height, radius * 1.04, radius * 0.85)
    b.fill(
        "dome", "metal", b.tint("gray", "red", "white"), dome[: len(dome) // 2 + 1], form="round"
    )


def building(b: Brush, width: Number, floors: int) -> None:
    """Paint a town building: a shop or doorway below, rows of windows above."""
    material, color = _wall(b, "brick", "plaster", "stone")
    half, height = width / 2, floors * 3.0 + 0.9
    frame = b.tint("white", "black", "brown")
    b.box("wall", material, color, -half, -0.05, half, height)
    b.box(
        "roof",
        "stone",
        b.tint("white", "gray", "beige"),
        -half - 0.2,
        height - 0.35,
        half + 0.2,
        height + 0.25,
        shade=1.06,
    )
    b.darken(0.3, rect(-half, height - 0.7, half, height - 0.35))
    slots = max(int(width // 2.3), 2)
    step = width / slots
    places = [
        (-half + step * (k + 0.5) - 0.55, f * 3.0 + 0.9)
        for f in range(1, floors)
        for k in range(slots)
    ]
    windows(b, places, 1.1, 1.5, frame)
    if b.rng.random() < 0.6:
        _shop(b, half)
    else:
        _openings(b, half, 1)


def _shop(b: Brush, half: Number) -> None:
    b.box("window", "glass", b.tint("blue", "gray", "black"), -half + 0.5, 0.5, half * 0.35, 2.4)
    b.box(
        "door",
        "wood",
        b.tint("brown", "green", "red", "blue"),
        half * 0.5,
        0,
        half * 0.5 + 1.2,
        2.4,
    )
    color, other = b.tint("red", "green", "blue", "orange", "yellow"), b.tint("white")
    stripes = np.linspace(-half + 0.3, half - 0.2, 9)
    b.fill("canopy", "fabric", other, rect(-half + 0.3, 2.3, half - 0.2, 3.0))
    b.fill(
        "canopy",
        "fabric",
        color,
        *(rect(x, 2.25, x + stripes[1] - stripes[0], 3.0) for x in stripes[:-1:2]),
    )
    b.darken(0.35, rect(-half + 0.3, 1.9, half - 0.2, 2.3))


def lighthouse(b: Brush, height: Number) -> None:
    """Paint a lighthouse with coloured bands."""
    wide, slim = height * 0.135, height * 0.095
    first, second = b.tint("white"), b.tint("red", "blue", "black", "white")
    material = "plaster" if b.rng.random() < 0.6 else "brick"
    b.shadow(wide * 2)
    for k in range(5):
        lo, hi = wide + (slim - wide) * k / 5, wide + (slim - wide) * (k + 1) / 5
        y0, y1 = height * 0.8 * k / 5, height * 0.8 * (k + 1) / 5
        ring = polygon((-lo, y0), (lo, y0), (hi, y1), (-hi, y1))
        b.fill("wall", material, second if k % 2 else first, ring, form="column")
    b.box(
        "gallery",
        "metal",
        b.tint("black", "gray"),
        -slim * 1.5,
        height * 0.79,
        slim * 1.5,
        height * 0.83,
    )
    b.box(
        "lantern", "glass", b.tint("yellow"), -slim * 0.8, height * 0.83, slim * 0.8, height * 0.93
    )
    b.fill(
        "dome",
        "metal",
        b.tint("red", "gray", "black"),
        polygon((-slim, height * 0.93), (slim, height * 0.93), (0, height * 1.02)),
    )
    b.box("door", "wood", b.tint("brown", "green"), -wide * 0.25, 0, wide * 0.25, height * 0.1)


def pier(b: Brush, length: Number) -> None:
    """Paint a wooden pier that runs across the water from its foot, `length` metres to one side."""
    color = b.tint("brown", "gray", "beige")
    for x in np.arange(0.6, length, 2.2):
        b.box("post", "wood", color.times(0.75), x - 0.17, -0.7, x + 0.17, 0.5, form="column")
    b.box("deck", "wood", color, -0.2, 0.38, length, 0.75)
    top = polygon((-0.2, 0.75), (length, 0.75), (length - 0.7, 1.25), (-0.2, 1.25))
    b.fill("deck", "wood", color.times(1.12), top, shade=1.08)
    b.darken(0.25, rect(-0.2, -0.1, length, 0.38))


def crane(b: Brush, height: Number) -> None:
    """Paint a harbour crane with its arm and cable."""
    color = b.tint("yellow", "red", "blue", "orange")
    for x in (-1.4, 1.4):
        b.fill("leg", "metal", color, stroke((x, 0), (x * 0.55, height * 0.72), 0.42))
    for k in range(4):
        y = height * 0.16 * (k + 0.5)
        b.fill("leg", "metal", color, stroke((-1.2, y), (1.2, y + height * 0.14), 0.18), shade=0.85)
    b.fill(
        "arm",
        "metal",
        color,
        stroke((-height * 0.25, height * 0.80), (height * 0.62, height * 0.98), 0.55, 0.35),
    )
    b.box("cabin", "metal", color.times(0.9), -1.1, height * 0.68, 1.1, height * 0.84)
    b.box("window", "glass", b.tint("blue"), 0.2, height * 0.72, 0.95, height * 0.81)
    b.fill(
        "cable",
        "metal",
        b.tint("black"),
        stroke((height * 0.55, height * 0.97), (height * 0.55, height * 0.40), 0.13),
    )
    b.box(
        "body",
        "metal",
        b.tint("gray"),
        height * 0.55 - 0.35,
        height * 0.34,
        height * 0.55 + 0.35,
        height * 0.42,
    )
