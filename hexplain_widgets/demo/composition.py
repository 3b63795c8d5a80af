"""Putting objects into a scene: far ones first, the background, and what many scenes share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .brush import Brush
from .canvas import Canvas
from .geometry import Number
from .objects_animals import dog, gull, horse
from .objects_buildings import barn, building, house, lighthouse
from .objects_furniture import (
    bench,
    crate,
    fence,
    hay_bale,
    ladder,
    lamp,
    parasol,
    rock,
    sign,
    slide,
    swing,
)
from .objects_ground import band, hills, mountain, sky, water
from .objects_people import person
from .objects_plants import conifer, flowerbed, hedge, palm, tree
from .objects_vehicles import bicycle, car, tractor, van

Paint = Callable[..., None]

# Small things are drawn larger than life, as in a picture book, so that they can be made out.
LARGER = {
    "dog": 1.9, "bicycle": 1.65, "horse": 1.3, "cow": 1.25, "sheep": 1.3, "person": 1.25,
    "crate": 1.25, "ball": 1.9, "towel": 1.35, "bench": 1.25, "rowboat": 1.35, "sign": 1.35,
    "ladder": 1.3, "flowerbed": 1.25, "lamp": 1.15, "hay bale": 1.1, "swing": 1.1, "slide": 1.1,
    "sailboat": 1.2, "silo": 1.1, "lighthouse": 1.1, "van": 1.1, "parasol": 1.1, "rock": 1.15,
}  # fmt: skip


class Place:
    """A scene being composed: objects wait in a list and are painted from far to near."""

    def __init__(self, canvas: Canvas, rng: np.random.Generator, choice: dict[str, str]) -> None:
        self.canvas, self.rng, self.choice = canvas, rng, choice
        self.horizon = canvas.camera.horizon
        self._waiting: list[tuple[Number, Callable[[], None]]] = []

    def near(self, low: Number, high: Number) -> Number:
        """Draw a height on the canvas, `low` to `high` below the horizon."""
        return self.horizon + float(self.rng.uniform(low, high))

    def x(self, low: Number = 0.0, high: Number = 1.0) -> Number:
        """Draw a position across the canvas."""
        return float(self.rng.uniform(low, high))

    def often(self, chance: Number) -> bool:
        """Return True with this probability."""
        return bool(self.rng.random() < chance)

    def some(self, low: int, high: int) -> int:
        """Draw a count, both ends included."""
        return int(self.rng.integers(low, high + 1))

    def put(
        self,
        name: str,
        paint: Paint,
        x: Number,
        y: Number,
        *args: Any,
        scale: Number = 1.0,
        flip: bool | None = None,
        **more: Any,
    ) -> None:
        """Have `paint` draw the object `name` standing at `(x, y)` when its turn comes."""
        mirrored = self.often(0.5) if flip is None else flip
        scale = scale * LARGER.get(name, 1.0)
        brush = Brush(self.canvas, self.rng, name, x, y, scale=scale, flip=mirrored)
        self._waiting.append((y, lambda: paint(brush, *args, **more)))

    def paint(self) -> None:
        """Paint all waiting objects, far ones first."""
        for _, draw in sorted(self._waiting, key=lambda item: item[0]):
            draw()
        self._waiting.clear()


def backdrop(p: Place, *kinds: str) -> None:
    """Paint the sky and one of the named backgrounds (hills, mountains, town, woods, open)."""
    sky(p.canvas, np.random.default_rng(p.rng.integers(2**62)))  # another light, the same ground
    kind = kinds[p.some(0, len(kinds) - 1)]
    if kind == "mountains":
        for _ in range(p.some(1, 3)):
            mountain(p.canvas, p.rng, p.x(), p.x(0.25, 0.5), p.x(0.12, 0.30))
        hills(p.canvas, p.rng)
    elif kind == "hills":
        hills(p.canvas, p.rng)
    elif kind == "town":
        town(p)
    elif kind == "woods":
        hills(p.canvas, p.rng)
        woods(p)


def town(p: Place) -> None:
    """Queue a far row of buildings and houses on the horizon."""
    x = p.x(-0.05, 0.3)
    while x < 1.0 and p.often(0.93):
        width = p.x(6, 11)
        if p.often(0.5):
            p.put("building", building, x, p.horizon + 0.012, width, p.some(3, 5))
        else:
            p.put("house", house, x, p.horizon + 0.012, width, p.some(1, 2))
        x += (width + p.x(0.5, 5)) * 0.0138


def woods(p: Place) -> None:
    """Queue a far row of trees or conifers on the horizon."""
    kind = p.some(0, 2)
    for x in np.arange(p.x(-0.1, 0.2), p.x(0.6, 1.1), 0.085):
        height = p.x(7, 11)
        if kind == 0 or (kind == 2 and p.often(0.5)):
            p.put("conifer", conifer, x + p.x(-0.02, 0.02), p.horizon + p.x(0.005, 0.02), height)
        else:
            p.put("tree", tree, x + p.x(-0.02, 0.02), p.horizon + p.x(0.005, 0.02), height * 0.75)


def trees(p: Place, count: int, low: Number, high: Number, *, conifers: Number = 0.15) -> None:
    """Queue trees between two distances below the horizon, mostly off the middle."""
    for _ in range(count):
        x = p.x(-0.05, 0.32) if p.often(0.5) else p.x(0.68, 1.05)
        if p.often(conifers):
            p.put("conifer", conifer, x, p.near(low, high), p.x(5.0, 8.0))
        else:
            p.put("tree", tree, x, p.near(low, high), p.x(4.2, 6.8))


def people(p: Place, count: int, low: Number, high: Number, **more: Any) -> None:
    """Queue people, some of them children."""
    for _ in range(count):
        height = p.x(1.6, 1.85) if p.often(0.75) else p.x(1.1, 1.4)
        p.put("person", person, p.x(0.05, 0.95), p.near(low, high), height=height, **more)


def gulls(p: Place, count: int) -> None:
    """Queue birds in the sky; they are nearer than everything on the ground."""
    for _ in range(count):
        y = p.x(0.06, 0.85) * p.horizon
        brush = Brush(p.canvas, p.rng, "gull", p.x(), y, unit=p.x(0.04, 0.065), flip=p.often(0.5))
        p._waiting.append((2.0, lambda brush=brush: gull(brush)))  # type: ignore[misc]


def fenced(p: Place, low: Number, high: Number) -> None:
    """Queue a fence across all or part of the picture."""
    y = p.near(low, high)
    half = p.x(0.3, 0.6) / float(p.canvas.camera.unit(y))
    p.put("fence", fence, p.x(0.2, 0.8), y, half, p.x(1.0, 1.35))


def extras(p: Place, low: Number, high: Number, *names: str) -> None:
    """Queue one or two of the named things that turn up anywhere."""
    things: dict[str, tuple[Paint, tuple[Any, ...]]] = {
        "bench": (bench, ()), "dog": (dog, ()), "bicycle": (bicycle, ()), "lamp": (lamp, ()),
        "car": (car, ()), "van": (van, ()), "rock": (rock, (p.x(0.5, 1.1),)),
        "hedge": (hedge, (p.x(1.5, 4), p.x(0.8, 1.4))), "house": (house, (p.x(7, 10), 1)),
        "lighthouse": (lighthouse, (p.x(12, 16),)), "tractor": (tractor, ()), "crate": (crate, ()),
        "hay bale": (hay_bale, ()), "ladder": (ladder, (2.6,)), "swing": (swing, ()),
        "slide": (slide, ()), "flowerbed": (flowerbed, (1.6,)), "parasol": (parasol, ()),
        "palm": (palm, (5.0,)), "sign": (sign, ()), "barn": (barn, (9.0,)), "horse": (horse, ()),
    }  # fmt: skip
    for _ in range(p.some(0, 2)):
        name = names[p.some(0, len(names) - 1)]
        paint, args = things[name]
        p.put(name, paint, p.x(0.08, 0.92), p.near(low, high), *args)


def open_water(p: Place, y1: Number) -> None:
    """Paint water from the horizon to the height `y1`."""
    water(p.canvas, p.rng, band(p.horizon, y1))
