"""The country scenes: orchard, pasture, farm, lake and beach."""

from __future__ import annotations

import numpy as np

from .composition import (
    Place,
    backdrop,
    extras,
    fenced,
    gulls,
    open_water,
    people,
    trees,
    woods,
)
from .geometry import Number, polygon
from .objects_animals import cow, dog, horse, sheep
from .objects_boats import rowboat, sailboat
from .objects_buildings import barn, house, lighthouse, pier, silo
from .objects_furniture import ball, bench, crate, fence, hay_bale, ladder, parasol, rock, towel
from .objects_ground import band, crops, field, lawn, pond, shore, surf, water
from .objects_plants import FRUIT, palm, tree
from .objects_vehicles import tractor
from .palette import tint


def orchard(p: Place) -> None:
    """Rows of fruit trees, crates, ladders, pickers."""
    backdrop(p, "hills", "mountains", "woods", "open")
    lawn(p.canvas, p.rng)
    fruit = p.choice["fruit"]
    leaves = tint(p.rng, "green")
    if p.often(0.4):
        field(p.canvas, p.rng, _strip(p, p.x(-1.5, 1.5), 2.4))
    offset, gap = p.x(0, 1), p.x(4.2, 5.4)
    for row, depth in enumerate((0.03, 0.09, 0.18, 0.31)):
        y = p.horizon + depth + p.x(-0.005, 0.005)
        unit = float(p.canvas.camera.unit(y))
        columns = int(0.55 / (gap * unit)) + 1
        for k in range(-columns, columns + 1):
            x = 0.5 + (k + 0.5 * (row % 2) + offset - 0.5) * gap * unit
            if p.often(0.93):
                p.put("tree", tree, x, y, p.x(3.3, 4.3), fruit=fruit, leaves=leaves)
    for _ in range(p.some(1, 3)):
        filled = FRUIT[fruit] if p.often(0.8) else None
        p.put("crate", crate, p.x(0.1, 0.9), p.near(0.34, 0.5), fruit=filled)
    if p.often(0.55):
        p.put("ladder", ladder, p.x(0.1, 0.9), p.near(0.2, 0.35), p.x(2.4, 3.2))
    people(p, p.some(0, 2), 0.2, 0.45)
    extras(p, 0.28, 0.45, "dog", "bench", "bicycle", "tractor", "hay bale", "horse")
    if p.often(0.35):
        fenced(p, 0.42, 0.52)
    p.paint()


def _strip(p: Place, at: Number, width: Number) -> np.ndarray:
    far, near = float(p.canvas.camera.unit(p.horizon)), float(p.canvas.camera.unit(1.0))
    return polygon(
        (0.5 + at * far, p.horizon),
        (0.5 + (at + width) * far, p.horizon),
        (0.5 + (at + width) * near, 1.01),
        (0.5 + at * near, 1.01),
    )


def pasture(p: Place) -> None:
    """Grazing animals behind or before a fence."""
    backdrop(p, "hills", "mountains", "woods", "open", "hills")
    lawn(p.canvas, p.rng)
    if p.often(0.3):
        pond(p.canvas, p.rng, p.x(0.2, 0.8), p.near(0.1, 0.2), p.x(0.12, 0.22), 0.03)
    kind = p.choice["animals"]
    paint = {"horses": horse, "cows": cow, "sheep": sheep}[kind]
    size = 1.5 if kind == "sheep" else 1.15
    count = p.some(3, 6)
    for k in range(count):
        x = (k + p.x(0.1, 0.9)) / count
        depth = (0.08, 0.16, 0.26, 0.34)[k % 4] + p.x(0, 0.07)
        p.put(
            kind.rstrip("s") if kind != "sheep" else kind, paint, x, p.horizon + depth, scale=size
        )
    fenced(p, 0.02, 0.08)
    if p.often(0.7):
        y = p.near(0.38, 0.52)
        half = 0.6 / float(p.canvas.camera.unit(y))
        p.put("fence", fence, 0.5, y, half, p.x(1.1, 1.4))
    trees(p, p.some(0, 3), 0.04, 0.22, conifers=0.3)
    if p.often(0.3):
        at = p.x(0.15, 0.85)
        p.put("barn", barn, at, p.near(0.02, 0.05), 9.0)
        if p.often(0.4):
            p.put("silo", silo, at + 0.16, p.near(0.015, 0.04), p.x(8, 11))
    if p.often(0.25):
        p.put("hay bale", hay_bale, p.x(), p.near(0.1, 0.3))
    people(p, p.some(-1, 1), 0.2, 0.4)
    extras(p, 0.1, 0.4, "rock", "dog", "tractor", "hedge", "bench")
    p.paint()


def farm(p: Place) -> None:
    """A farmyard: barn, silo, tractor and fields."""
    backdrop(p, "hills", "mountains", "woods", "open")
    lawn(p.canvas, p.rng)
    y0 = p.near(0.15, 0.24)
    field(p.canvas, p.rng, band(y0, 1.01))
    if p.often(0.65):
        crops(p.canvas, p.rng, y0, 1.01, p.x(-1, 1))
    side = 0.26 if p.often(0.5) else 0.74
    p.put("barn", barn, side + p.x(-0.06, 0.06), p.near(0.09, 0.15), p.x(8.5, 11), flip=side > 0.5)
    if p.often(0.7):
        p.put(
            "silo",
            silo,
            side + (0.2 if side < 0.5 else -0.2) + p.x(-0.04, 0.04),
            p.near(0.07, 0.11),
            p.x(8, 11),
        )
    if p.often(0.5):
        p.put(
            "house", house, 1 - side + p.x(-0.1, 0.1), p.near(0.06, 0.10), p.x(7, 9), p.some(1, 2)
        )
    if p.often(0.8):
        p.put("tractor", tractor, p.x(0.2, 0.8), p.near(0.26, 0.42))
    for _ in range(p.some(0, 4)):
        p.put("hay bale", hay_bale, p.x(), p.near(0.15, 0.45))
    trees(p, p.some(0, 3), 0.03, 0.16, conifers=0.2)
    for _ in range(p.some(-1, 2)):
        p.put(
            *(("cow", cow), ("horse", horse), ("sheep", sheep))[p.some(0, 2)],
            p.x(),
            p.near(0.14, 0.24),
        )
    if p.often(0.5):
        fenced(p, 0.15, 0.24)
    people(p, p.some(0, 1), 0.2, 0.4)
    extras(p, 0.2, 0.4, "dog", "bicycle", "van", "crate", "ladder", "car")
    p.paint()


def lake(p: Place) -> None:
    """Still water below mountains and conifers, a pier, a boat, a cabin."""
    backdrop(p, "mountains", "mountains", "woods", "hills")
    if p.often(0.5):
        woods(p)
    p.paint()
    bank = p.x(0.04, 0.09)
    lawn(p.canvas, p.rng)
    if p.often(0.55):
        p.put("house", house, p.x(0.15, 0.85), p.horizon + bank * 0.8, p.x(6.5, 8.5), 1)
    trees(p, p.some(1, 4), 0.01, bank, conifers=0.75)
    p.paint()
    edge = p.x(0.72, 0.86)
    _bay(p, p.horizon + bank, edge)
    if p.often(0.75):
        y = p.near(0.2, 0.3)
        side = p.often(0.5)
        p.put(
            "pier",
            pier,
            1.0 if side else 0.0,
            y,
            p.x(0.35, 0.6) / float(p.canvas.camera.unit(y)),
            flip=side,
        )
    for _ in range(p.some(0, 2)):
        p.put("rowboat", rowboat, p.x(0.15, 0.85), p.near(0.12, 0.32))
    if p.often(0.25):
        p.put("sailboat", sailboat, p.x(0.2, 0.8), p.near(0.07, 0.14), scale=0.8)
    for _ in range(p.some(1, 3)):
        p.put("rock", rock, p.x(), min(edge + p.x(-0.02, 0.12), 0.98), p.x(0.4, 0.9))
    trees(p, p.some(0, 2), edge - p.horizon, edge - p.horizon + 0.08, conifers=0.8)
    if p.often(0.4):
        p.put("bench", bench, p.x(0.15, 0.85), edge + 0.08)
    people(p, p.some(0, 1), edge - p.horizon + 0.03, edge - p.horizon + 0.1)
    extras(p, edge - p.horizon + 0.02, edge - p.horizon + 0.1, "dog", "horse", "crate", "hedge")
    gulls(p, p.some(-1, 1))
    p.paint()


def _bay(p: Place, y0: Number, y1: Number) -> None:
    x = np.linspace(-0.02, 1.02, 30)
    far = y0 + 0.012 * np.sin(x * p.x(3, 9) + p.x(0, 6))
    near = y1 + 0.03 * np.sin(x * p.x(3, 7) + p.x(0, 6))
    rim = np.concatenate([np.stack([x, far - 0.008], 1), np.stack([x, near + 0.02], 1)[::-1]])
    inner = np.concatenate([np.stack([x, far], 1), np.stack([x, near], 1)[::-1]])
    shore(p.canvas, p.rng, rim)
    water(p.canvas, p.rng, inner)


def beach(p: Place) -> None:
    """Sand, sea, parasols, towels and bathers."""
    backdrop(p, "open", "open", "hills", "town", "mountains")
    p.paint()
    edge = p.near(0.12, 0.22)
    open_water(p, edge + 0.01)
    shore(p.canvas, p.rng, band(edge, 1.01))
    surf(p.canvas, p.rng, edge)
    for _ in range(p.some(0, 2)):
        p.put("sailboat", sailboat, p.x(), p.near(0.015, 0.06), scale=1.1)
    for x in (p.x(-0.02, 0.25), p.x(0.75, 1.02)):
        if p.often(0.45):
            p.put("palm", palm, x, p.near(0.24, 0.42), p.x(4.5, 6.5))
    for _ in range(p.some(1, 4)):
        x, y = p.x(0.05, 0.95), min(edge + p.x(0.06, 0.33), 0.97)
        if p.often(0.75):
            p.put("parasol", parasol, x, y)
        if p.often(0.75):
            p.put("towel", towel, x + p.x(-0.05, 0.1), min(y + p.x(0.01, 0.05), 0.99))
    people(p, p.some(1, 4), edge - p.horizon + 0.03, 0.5, bathing=True)
    if p.often(0.5):
        p.put("ball", ball, p.x(0.1, 0.9), min(edge + p.x(0.1, 0.3), 0.97))
    if p.often(0.2):
        p.put("rowboat", rowboat, p.x(0.1, 0.9), edge + 0.06)
    if p.often(0.2):
        p.put("dog", dog, p.x(0.1, 0.9), edge + 0.15)
    extras(p, 0.26, 0.5, "rock", "bench", "crate", "lamp", "swing")
    if p.often(0.15):
        p.put("lighthouse", lighthouse, p.x(0.05, 0.95), p.near(0.005, 0.02), p.x(11, 14))
    gulls(p, p.some(-1, 2))
    p.paint()
