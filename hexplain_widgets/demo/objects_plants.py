"""Trees, conifers, palms, hedges and flower beds."""

from __future__ import annotations

import numpy as np

from .brush import Brush
from .geometry import Number, blob, ellipse, polygon, rect, smooth, stroke
from .palette import Tint

FRUIT = {"apples": "red", "oranges": "orange", "lemons": "yellow", "plums": "purple"}


def tree(b: Brush, height: Number, *, fruit: str | None = None, leaves: Tint | None = None) -> None:
    """Paint a broad-leaved tree, with fruit of the named kind if asked for."""
    rng = b.rng
    leaves = leaves or b.tint("green", "green", "green", "green", "orange", "yellow", "red")
    bark = b.tint("brown", "brown", "gray")
    rx, ry = height * rng.uniform(0.30, 0.42), height * rng.uniform(0.28, 0.36)
    top = height - ry
    b.shadow(rx * 1.1)
    lean = rng.uniform(-0.06, 0.06) * height
    b.fill(
        "trunk",
        "bark",
        bark,
        stroke((0, -0.05), (lean, top), height * 0.10, height * 0.05),
        form="column",
    )
    for side in (-1, 1) if rx * b.unit > 0.045 else ():
        fork = stroke(
            (lean * 0.6, top * 0.62), (side * rx * 0.5, top), height * 0.04, height * 0.02
        )
        b.fill("trunk", "bark", bark, fork, form="column")
    crown(b, leaves, lean, top, rx, ry)
    if fruit is not None:
        _fruits(b, fruit, lean, top, rx, ry)


def crown(b: Brush, leaves: Tint, cx: Number, cy: Number, rx: Number, ry: Number) -> None:
    """Paint a crown of overlapping clumps, lit from above and from the sun's side."""
    rng, sun = b.rng, b.canvas.light.sun * b._side
    b.fill(
        "crown",
        "foliage",
        leaves,
        blob(rng, cx, cy, rx * 0.92, ry * 0.92, 0.10),
        form="round",
        shade=0.66,
    )
    if rx * b.unit < 0.045:  # a far tree needs no more than a lit side
        spots = ((0.25 * sun, 0.30), (-0.35, 0.05), (0.35, 0.12))
        lit = [blob(rng, cx + x * rx, cy + y * ry, rx * 0.55, ry * 0.5, 0.13) for x, y in spots]
        b.fill("crown", "foliage", leaves, *lit, form="round", shade=1.05)
        return
    for k in range(8):
        a = k * 2.4 + rng.uniform(-0.3, 0.3)
        r = 0.62 * np.sqrt((k + 0.6) / 8)
        dx, dy = r * rx * np.cos(a), r * ry * np.sin(a)
        light = 0.93 + 0.22 * dy / ry + 0.16 * sun * dx / rx
        size = rng.uniform(0.36, 0.50)
        clump = blob(rng, cx + dx, cy + dy, rx * size, ry * size, 0.13)
        b.fill("crown", "foliage", leaves, clump, form="round", shade=float(light))


def _fruits(b: Brush, fruit: str, cx: Number, cy: Number, rx: Number, ry: Number) -> None:
    color = b.tint(FRUIT[fruit])
    far = rx * b.unit < 0.045
    size = (0.075 if far else 0.055) * (rx + ry)
    count = 7 if far else int(b.rng.integers(10, 16))
    a, r = b.rng.uniform(0, 6.28, count), 0.85 * np.sqrt(b.rng.random(count))
    spots = np.stack([cx + r * rx * np.cos(a), cy + r * ry * np.sin(a)], 1)
    b.fill("fruit", "peel", color, *(ellipse(x, y, size, size, 12) for x, y in spots), shade=0.78)
    top = (ellipse(x, y + 0.22 * size, size * 0.8, size * 0.72, 10) for x, y in spots)
    b.fill("fruit", "peel", color, *top, shade=1.12)


def conifer(b: Brush, height: Number) -> None:
    """Paint a fir or pine of several tiers."""
    rng = b.rng
    leaves = b.tint("green").times(0.8)
    half = height * rng.uniform(0.20, 0.28)
    b.shadow(half)
    b.fill(
        "trunk",
        "bark",
        b.tint("brown"),
        stroke((0, -0.05), (0, height * 0.4), height * 0.07),
        form="column",
    )
    tiers = int(rng.integers(4, 7))
    for i in range(tiers):
        low = height * (0.14 + 0.70 * i / tiers)
        wide = half * (1 - 0.80 * i / tiers)
        tip = min(height, low + height * 0.36)
        hem = [
            (wide * (1 - 2 * k / 8), low + (0.05 * height / tiers) * (-1) ** k) for k in range(9)
        ]
        b.fill(
            "crown",
            "foliage",
            leaves,
            polygon((0, tip), *hem),
            form="column",
            shade=0.84 + 0.26 * i / tiers,
        )


def palm(b: Brush, height: Number) -> None:
    """Paint a palm with a bent trunk."""
    rng = b.rng
    bend, t = rng.uniform(-0.25, 0.25) * height, np.linspace(0, 1, 9)
    x, y, w = bend * t**2, height * t, height * (0.055 - 0.025 * t)
    b.shadow(height * 0.28)
    trunk = np.concatenate([np.stack([x - w, y], 1), np.stack([x + w, y], 1)[::-1]])
    b.fill("trunk", "bark", b.tint("brown", "gray"), trunk, form="column")
    leaves = b.tint("green")
    for k, a in enumerate(np.linspace(-0.35, np.pi + 0.35, 9) + rng.uniform(-0.1, 0.1, 9)):
        _frond(b, leaves, bend, height, a, height * rng.uniform(0.34, 0.44), 0.85 + 0.05 * (k % 4))
    for dx in (-0.05, 0.04):
        nut = ellipse(bend + dx * height, height * 0.965, height * 0.035, height * 0.035, 12)
        b.fill("fruit", "peel", b.tint("brown"), nut, form="round")


def _frond(
    b: Brush, color: Tint, x: Number, y: Number, angle: Number, size: Number, shade: Number
) -> None:
    t = np.linspace(0, 1, 8)
    px = x + size * t * np.cos(angle)
    py = y + size * (0.55 * t * np.sin(angle) + 0.30 * t - 0.62 * t**2)
    width = size * 0.10 * np.sin(np.pi * (0.12 + 0.88 * t))
    leaf = np.concatenate(
        [np.stack([px, py + width * 0.6], 1), np.stack([px, py - width], 1)[::-1]]
    )
    b.fill("frond", "foliage", color, leaf, shade=shade)


def hedge(b: Brush, width: Number, height: Number, leaves: Tint | None = None) -> None:
    """Paint a trimmed hedge, `width` metres to each side of its foot, sometimes in bloom."""
    rng = b.rng
    leaves = leaves or b.tint("green").times(0.92)
    b.shadow(width, depth=0.08)
    steps = max(int(width * 5), 6)
    top = np.stack(
        [np.linspace(width, -width, steps), height * (1 + rng.uniform(-0.07, 0.07, steps))], 1
    )
    body = np.concatenate([polygon((-width, -0.03), (width, -0.03)), top])
    b.fill("crown", "foliage", leaves, body, shade=0.92)
    b.darken(0.28, rect(-width, -0.03, width, height * 0.22))
    b.fill(
        "crown",
        "foliage",
        leaves.times(1.15),
        np.concatenate([top, top[::-1] - (0, height * 0.22)]),
        shade=1.08,
    )


def flowerbed(b: Brush, width: Number) -> None:
    """Paint a bed of soil with flowers of one or two colours."""
    rng = b.rng
    soil = ellipse(0, 0.04, width, 0.34 * width**0.5)
    b.fill("bed", "soil", b.tint("brown"), soil)
    colors = [b.tint("red", "yellow", "pink", "purple", "white", "orange") for _ in range(2)]
    green = b.tint("green")
    spots = sorted(
        zip(rng.uniform(-0.9, 0.9, 16), rng.uniform(-0.22, 0.22, 16), strict=True),
        key=lambda s: -s[1],
    )
    for row in (spots[:8], spots[8:]):
        at = [(x * width, y * np.sqrt(1 - x * x) + 0.06) for x, y in row]
        b.fill(
            "crown",
            "foliage",
            green,
            *(blob(rng, x, y + 0.12, 0.2, 0.16, 0.2) for x, y in at),
            shade=0.9,
        )
        for k, color in enumerate(colors):
            heads = (smooth(ellipse(x, y + 0.32, 0.20, 0.17, 7), 1) for x, y in at[k::2])
            b.fill("blossom", "petal", color, *heads)
