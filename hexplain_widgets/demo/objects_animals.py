"""Horses, cows, sheep, dogs and gulls, seen from the side."""

from __future__ import annotations

import numpy as np

from .brush import Brush
from .geometry import Number, Points, blob, ellipse, polygon, smooth, stroke
from .palette import Tint

Outline = tuple[tuple[Number, Number], ...]

HORSE: dict[str, Outline] = {
    "tail": ((-0.92, 1.45), (-1.12, 1.35), (-1.25, 0.7), (-1.08, 0.55), (-0.98, 1.0)),
    "barrel": (
        (-0.98, 1.5), (-0.55, 1.62), (0.1, 1.48), (0.7, 1.62), (0.98, 1.35),
        (0.85, 0.95), (0.3, 0.80), (-0.4, 0.84), (-0.95, 0.98),
    ),
    "neck down": ((0.55, 1.58), (0.95, 1.45), (1.45, 0.62), (1.22, 0.42), (0.75, 0.95)),
    "head down": ((1.20, 0.75), (1.55, 0.62), (1.62, 0.10), (1.42, 0.03), (1.22, 0.40)),
    "mane down": ((0.62, 1.66), (0.86, 1.60), (1.5, 0.72), (1.34, 0.74), (0.8, 1.3)),
    "neck up": (
        (0.45, 1.45), (0.72, 1.68), (1.12, 2.28), (1.40, 2.18), (1.22, 1.65), (0.95, 1.15),
    ),
    "head up": (
        (1.08, 2.34), (1.38, 2.36), (1.92, 1.92), (1.86, 1.74), (1.66, 1.74), (1.22, 2.0),
    ),
    "ear": ((1.10, 2.28), (1.28, 2.30), (1.17, 2.55)),
    "mane up": (
        (1.20, 2.46), (1.05, 2.44), (0.80, 2.0), (0.50, 1.62), (0.72, 1.64), (1.05, 2.05),
    ),
}  # fmt: skip

COW: dict[str, Outline] = {
    "barrel": (
        (-1.12, 1.50), (-0.2, 1.50), (0.8, 1.58), (1.1, 1.35),
        (1.0, 0.82), (0.2, 0.62), (-0.6, 0.70), (-1.12, 0.90),
    ),
    "neck": ((0.8, 1.55), (1.15, 1.62), (1.45, 1.5), (1.35, 1.1), (0.85, 0.95)),
    "head": ((1.18, 1.72), (1.52, 1.72), (1.82, 1.22), (1.62, 1.06), (1.30, 1.22)),
    "muzzle": ((1.62, 1.32), (1.86, 1.26), (1.78, 1.03), (1.58, 1.08)),
}  # fmt: skip


def _legs(
    b: Brush, at: tuple[Number, ...], hip: Number, width: Number, color: Tint, hoof: Tint
) -> None:
    for k, x in enumerate(at):
        step = b.rng.uniform(-0.10, 0.10) * hip
        shade = 0.72 if k % 2 else 0.97
        b.fill(
            "leg",
            "fur",
            color,
            stroke((x, hip * 1.15), (x + step, 0.06), width * 1.5, width),
            form="column",
            shade=shade,
        )
        b.fill(
            "leg",
            "fur",
            hoof,
            stroke((x + step, hip * 0.16), (x + step, 0), width * 1.05, width * 1.25),
            shade=shade,
        )


def _part(b: Brush, part: str, color: Tint, outline: Points, *, shade: Number = 1.0) -> None:
    b.fill(part, "fur", color, smooth(outline), form="round", shade=shade)


def horse(b: Brush) -> None:
    """Paint a horse, grazing or with its head up."""
    color = b.tint("brown", "brown", "orange", "black", "white", "gray")
    dark = b.tint("black", "brown", "beige")
    grazing = b.rng.random() < 0.4
    b.shadow(1.1, depth=0.2)
    _part(b, "tail", dark, polygon(*HORSE["tail"]))
    _legs(b, (-0.72, -0.55, 0.58, 0.74), 0.85, 0.13, color, dark)
    _part(b, "body", color, polygon(*HORSE["barrel"]))
    pose = "down" if grazing else "up"
    _part(b, "body", color, polygon(*HORSE[f"neck {pose}"]))
    _part(b, "head", color, polygon(*HORSE[f"head {pose}"]), shade=0.95)
    if not grazing:
        b.fill("head", "fur", color, polygon(*HORSE["ear"]))
    _part(b, "mane", dark, polygon(*HORSE[f"mane {pose}"]))


def cow(b: Brush) -> None:
    """Paint a cow, plain or in patches, with horns."""
    color = b.tint("white", "white", "brown", "black", "beige")
    patch = b.tint("black", "brown") if color.name == "white" else b.tint("white")
    b.shadow(1.15, depth=0.2)
    b.fill("tail", "fur", color, stroke((-1.05, 1.42), (-1.14, 0.62), 0.09, 0.07))
    b.fill("tail", "fur", patch, ellipse(-1.14, 0.55, 0.09, 0.15, 10))
    _legs(b, (-0.86, -0.66, 0.58, 0.78), 0.70, 0.17, color, b.tint("black"))
    b.fill("body", "skin", b.tint("pink"), ellipse(-0.42, 0.66, 0.24, 0.17, 14))
    _part(b, "body", color, polygon(*COW["barrel"]))
    for x, y, size in ((-0.7, 1.22, 0.30), (0.05, 1.08, 0.36), (0.66, 1.28, 0.22)):
        spot = blob(b.rng, x + b.rng.uniform(-0.1, 0.1), y, size, size * 0.62, 0.22)
        b.fill("patch", "fur", patch, spot, form="round")
    _cow_head(b, color, 0.0 if b.rng.random() < 0.6 else -0.75)


def _cow_head(b: Brush, color: Tint, drop: Number) -> None:
    neck = polygon(*COW["neck"]) + np.outer((0, 0.5, 1, 1, 0), (0, drop))
    _part(b, "body", color, neck)
    _part(b, "head", color, np.add(polygon(*COW["head"]), (0, drop)))
    _part(b, "head", b.tint("pink", "beige"), np.add(polygon(*COW["muzzle"]), (0, drop)))
    for x in (1.20, 1.44):
        horn = polygon((x - 0.05, 1.70 + drop), (x + 0.07, 1.70 + drop), (x + 0.12, 2.0 + drop))
        b.fill("horn", "peel", b.tint("beige", "white"), horn)


def sheep(b: Brush) -> None:
    """Paint a woolly sheep."""
    rng = b.rng
    wool, face = b.tint("white", "white", "beige", "black"), b.tint("black", "white", "brown")
    b.shadow(0.7, depth=0.22)
    _legs(b, (-0.38, -0.24, 0.26, 0.40), 0.38, 0.09, face, b.tint("black"))
    b.fill("tail", "fur", wool, blob(rng, -0.66, 0.72, 0.13, 0.17, 0.1), form="round")
    b.fill("body", "fur", wool, blob(rng, 0, 0.70, 0.64, 0.36, 0.09), form="round")
    for x, y in ((-0.32, 0.80), (0.1, 0.86), (0.3, 0.66), (-0.15, 0.60)):
        b.fill("body", "fur", wool, blob(rng, x, y, 0.24, 0.17, 0.12), form="round", shade=1.05)
    _part(
        b,
        "head",
        face,
        polygon((0.50, 1.02), (0.78, 1.06), (1.02, 0.74), (0.90, 0.62), (0.62, 0.70)),
    )


def dog(b: Brush) -> None:
    """Paint a dog on a walk."""
    color, patch = (
        b.tint("brown", "black", "white", "orange", "beige"),
        b.tint("black", "white", "brown"),
    )
    b.shadow(0.5, depth=0.22)
    b.fill("tail", "fur", color, stroke((-0.44, 0.58), (-0.72, 0.86), 0.10, 0.05))
    _legs(b, (-0.34, -0.24, 0.26, 0.36), 0.36, 0.075, color, patch)
    _part(
        b,
        "body",
        color,
        polygon((-0.50, 0.68), (0.1, 0.66), (0.45, 0.76), (0.5, 0.42), (0.0, 0.36), (-0.48, 0.38)),
    )
    _part(
        b,
        "head",
        color,
        polygon((0.34, 0.95), (0.62, 0.98), (0.90, 0.78), (0.88, 0.68), (0.60, 0.66), (0.38, 0.62)),
    )
    _part(
        b, "head", patch, polygon((0.36, 0.98), (0.52, 0.98), (0.46, 0.66), (0.32, 0.70)), shade=0.9
    )


def gull(b: Brush) -> None:
    """Paint a flying gull with spread wings."""
    color, tip = b.tint("white"), b.tint("gray", "black")
    lift = b.rng.uniform(0.1, 0.6)
    for side in (-1, 1):
        wing = polygon(
            (0, 0.12),
            (side * 0.6, 0.16 + lift),
            (side * 1.3, lift * 0.6),
            (side * 0.6, lift * 0.72),
            (0, -0.10),
        )
        b.fill("wing", "fur", tip if side < 0 else tip.times(1.15), wing)
    b.fill("body", "fur", color, ellipse(0.05, 0, 0.42, 0.14, 16), form="round")
    b.fill("head", "fur", color, ellipse(0.45, 0.06, 0.13, 0.11, 10))
