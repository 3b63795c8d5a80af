"""Inferences in space as a picture, drawn from the evidence alone: marks, plot, table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont

from ...arguments import counted
from ...evidence import InferenceComparison
from ...pictures.colours import SETS, paler
from ...pictures.page import (
    ACCENT,
    FINER,
    INK,
    LINE,
    SOFT,
    WELL,
    WIDTH,
    Pen,
    Point,
    finished,
    page_of,
    percent,
    short,
)
from . import geometry
from .payload import point_name
from .words import apart, listed, p_value, remarks, verdict

Outline = tuple[tuple[float, float], ...]
HEIGHT, MARGIN, HEAD = 1080, 48, 130
PLOT = (1120, 880)
SIDE = MARGIN + PLOT[0] + 40  # from where on the table stands beside the plot
TURN = {"yaw": 32.0, "pitch": 20.0, "zoom": 1.0}
MOST_SETS = 12
_MARK, _FILL = 10.0, 38
_AWAY = 30  # from an axis to its name
_LEAN = 0.4  # from here on the name stands beside its axis, not below it
_RINGS = ([0, 1, 2], [0, 1], [0, 2])  # axes of an outline: of the whole, and of two rings in it
_TALLEST = 64.0  # of a row of the table


def colour(place: int) -> str:
    """Return the colour of a set, as the other views of concept inference have it."""
    return SETS[place % len(SETS)]


def marker(place: int) -> Outline:
    """Return the corners of a set's mark around zero, y downward, all of about the same area."""
    return SHAPES[place % len(SHAPES)]


def _regular(corners: int, radius: float, turn: float = 0.0) -> Outline:
    angles = [2 * math.pi * (i / corners + turn) for i in range(corners)]
    return tuple((radius * math.sin(a), -radius * math.cos(a)) for a in angles)


def _star() -> Outline:
    angles = [math.pi * i / 5 for i in range(10)]
    return tuple(
        ((0.72 if i % 2 else 1.5) * math.sin(a), -(0.72 if i % 2 else 1.5) * math.cos(a))
        for i, a in enumerate(angles)
    )


def _cross() -> Outline:
    a, b = 0.45, 1.2
    return (
        (-a, -b),
        (a, -b),
        (a, -a),
        (b, -a),
        (b, a),
        (a, a),
        (a, b),
        (-a, b),
        (-a, a),
        (-b, a),
        (-b, -a),
        (-a, -a),
    )


SHAPES: tuple[Outline, ...] = (
    _regular(32, 1.0),
    _regular(3, 1.52),
    _regular(4, 1.26, 0.125),
    _regular(4, 1.28),
    _cross(),
    _regular(3, 1.52, 0.5),
    _star(),
)


def draw_space(evidence: InferenceComparison, view: Mapping[str, Any]) -> Image.Image:
    """Return plot and table as a picture 1920 pixels wide, arranged as the view was left.

    `view` is what the view saves: how it is turned, what is drawn per set, the chosen cell and
    points. Raises ValueError for more sets than a picture can hold.
    """
    if len(evidence.names) > MOST_SETS:
        raise ValueError(
            f"got {len(evidence.names)} sets; expected at most {MOST_SETS} on one picture;"
            " compare fewer, or write a page with export_html"
        )
    return _SpacePicture(evidence, view).finished()


class _SpacePicture:
    def __init__(self, evidence: InferenceComparison, view: Mapping[str, Any]) -> None:
        self.evidence, self.view = evidence, view
        turn = {**TURN, **view.get("turn", {})}
        self.basis = geometry.basis(turn["yaw"], turn["pitch"])
        self.box = geometry.box(evidence)
        room = (PLOT[0] - 290, PLOT[1] - 130)
        self.scale = geometry.fitted(self.box, *room) * turn["zoom"]
        cell = view.get("cell") or ""
        self.chosen = {int(s) for s in cell.split(".") if s} & set(range(len(evidence.names)))
        self.side = _SidePanel(evidence, self.chosen)
        height = max(HEIGHT, round(self.side.tall))
        self.pen = page_of(height)
        self.ink = ImageDraw.Draw(self.pen.canvas, "RGBA")

    def finished(self) -> Image.Image:
        self._title()
        self._frame()
        for place in range(len(self.evidence.names)):
            self._spread(place)
        self._points()
        self.side.draw(self.pen, self.ink)
        return finished(self.pen)

    def _title(self) -> None:
        named = list(dict.fromkeys(self.evidence.concepts))
        concepts, verb = listed(named), "are" if len(named) > 1 else "is"
        self.pen.text((MARGIN, 84), f"How {verb} {short(concepts, 44)} inferred?", 50)
        facts = f"{counted(len(self.evidence.points), 'image')}, {self.evidence.level} level"
        self.pen.text((WIDTH - MARGIN, 84), facts, 28, SOFT, "rs")

    def _place(self, points: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 2"]:
        """Where points are seen, in pixels of the finer canvas."""
        flat = (points - self.box.mean(0)) @ self.basis[:2].T * self.scale
        middle = np.array([MARGIN + PLOT[0] / 2, HEAD + PLOT[1] / 2])
        return (middle + flat * (1, -1)) * FINER

    def _frame(self) -> None:
        """The three sides of the box that lie behind, and the names of its axes."""
        behind = geometry.back(self.box, self.basis)
        for axis in range(3):
            j, k = (i for i in range(3) if i != axis)
            corners = np.empty((4, 3))
            corners[:, axis] = self.box[behind[axis], axis]
            corners[:, j] = self.box[[0, 0, 1, 1], j]
            corners[:, k] = self.box[[0, 1, 1, 0], k]
            polygon = [tuple(point) for point in self._place(corners)]
            self.ink.polygon(polygon, fill=(*_rgb(WELL), 90))
            self.ink.line([*polygon, polygon[0]], LINE, 2 * FINER, "curve")
        for axis in range(3):
            self._axis(axis)

    def _axis(self, axis: int) -> None:
        start, end = geometry.labelled_edge(axis, self.box, self.basis)
        ends = self._place(np.stack([start, end]))
        self.ink.line([tuple(one) for one in ends], SOFT, round(2.5 * FINER))
        middle, heart = ends.mean(0), self._place(self.box.mean(0)[None])[0]
        away = middle - heart
        away = away / (np.linalg.norm(away) or 1.0) * _AWAY * FINER
        share = percent(float(self.evidence.explained_variance[axis]))
        at = (middle + away) / FINER
        lean = float(away[0]) / (_AWAY * FINER)
        anchor = "lm" if lean > _LEAN else "rm" if lean < -_LEAN else "mm"
        self.pen.text((float(at[0]), float(at[1])), f"PC{axis + 1}  {share}", 26, INK, anchor)

    def _pale(self, place: int) -> bool:
        return bool(self.chosen) and place not in self.chosen

    def _spread(self, place: int) -> None:
        points = geometry.members(self.evidence, place)
        half, kind = geometry.axes(points), self.view.get("spread", "ellipsoids")
        if self._pale(place) or half is None or kind == "none":
            return
        tint, (middle,) = _rgb(colour(place)), self._place(geometry.centre(points)[None])
        if kind == "spokes":
            for x, y in self._place(points):
                self.ink.line((*middle, x, y), (*tint, 130), round(1.5 * FINER))
            return
        rings = [
            [tuple(point) for point in middle + flat * self.scale * FINER * (1, -1)]
            for flat in (geometry.outline(half[rows], self.basis) for rows in _RINGS)
        ]
        self.ink.polygon(rings[0], fill=(*tint, _FILL))
        for ring, (width, strength) in zip(rings, ((2.5, 255), (1, 90), (1, 90)), strict=True):
            self.ink.line([*ring, ring[0]], (*tint, strength), round(width * FINER), "curve")

    def _points(self) -> None:
        """The points from back to front, the nearer the larger and the stronger."""
        depth = self.evidence.points @ self.basis[2]
        low, high = float(depth.min()), float(depth.max())
        near = (depth - low) / (high - low) if high > low else np.ones(len(depth))
        at = self._place(self.evidence.points.astype(float))
        for i in np.argsort(depth):
            self._point(int(i), at[i], float(near[i]))

    def _point(self, i: int, at: Float[np.ndarray, " 2"], near: float) -> None:
        place = int(self.evidence.sets[i])
        size = _MARK * (0.78 + 0.34 * near) * FINER
        faint = 0.75 if self._pale(place) else 0.32 * (1 - near)
        _mark(self.ink, place, (float(at[0]), float(at[1])), size, faint)
        if i in self.view.get("points", ()):
            r = size + 8 * FINER
            self.ink.ellipse((at[0] - r, at[1] - r, at[0] + r, at[1] + r), None, ACCENT, 3 * FINER)
            font = ImageFont.load_default(22 * FINER)
            name, beside = short(point_name(self.evidence, i), 24), (at[0] + r + 12, at[1])
            self.ink.text(beside, name, INK, font, "lm", stroke_width=6, stroke_fill="white")


class _SidePanel:
    """What stands beside the plot: the sets, the table of their distances, and what it says."""

    def __init__(self, evidence: InferenceComparison, chosen: set[int]) -> None:
        self.evidence, self.chosen = evidence, chosen
        count = len(evidence.names)
        self.wide = float(WIDTH - MARGIN - SIDE)
        self.cell = min(150.0, (self.wide - 150) / count)
        self.row = min(_TALLEST, 0.8 * self.cell) if evidence.p_values is None else _TALLEST + 8
        self.table = HEAD + 44 + 46 * count
        self.lines = [line for said in verdict(evidence) for line in _wrapped(said, self.wide, 26)]
        self.small = [line for said in self._remarks() for line in _wrapped(said, self.wide, 20)]
        words = self.table + 60 + self.row * count + 44
        self.words = words
        self.tall = words + 36 * len(self.lines) + 28 * len(self.small) + 60

    def draw(self, pen: Pen, ink: ImageDraw.ImageDraw) -> None:
        self._sets(pen, ink)
        self._table(pen, ink)
        y = self.words
        for line in self.lines:
            pen.text((SIDE, y), line, 26)
            y += 36
        for line in self.small:
            y += 28
            pen.text((SIDE, y - 8), line, 20, SOFT)

    def _remarks(self) -> list[str]:
        flags = [f"{name}: {text}" for name, text in self.evidence.flags.items()]
        return ["Bold: larger than the spread within both sets.", *remarks(self.evidence), *flags]

    def _sets(self, pen: Pen, ink: ImageDraw.ImageDraw) -> None:
        counts = geometry.sizes(self.evidence)
        for place, name in enumerate(self.evidence.names):
            y = HEAD + 26 + 46 * place
            _mark(ink, place, ((SIDE + 12) * FINER, (y - 9) * FINER), 11 * FINER, 0.0)
            pen.text((SIDE + 36, y), short(name, 20), 27)
            images = f"{counted(int(counts[place]), 'image')}"
            told = f"{short(self.evidence.concepts[place], 18)},  {images}"
            pen.text((WIDTH - MARGIN, y), told, 22, SOFT, "rs")

    def _table(self, pen: Pen, ink: ImageDraw.ImageDraw) -> None:
        left = WIDTH - MARGIN - self.cell * len(self.evidence.names)
        for t, name in enumerate(self.evidence.names):
            middle = left + self.cell * (t + 0.5)
            pen.text((middle, self.table + 30), short(name, int(self.cell / 13)), 22, INK, "ms")
            y = self.table + 46 + self.row * (t + 0.5)
            pen.text((left - 14, y), short(name, int((left - SIDE) / 13)), 22, INK, "rm")
        for s in range(len(self.evidence.names)):
            for t in range(len(self.evidence.names)):
                at = (left + self.cell * t, self.table + 46 + self.row * s)
                self._entry(pen, at, s, t)

    def _entry(self, pen: Pen, at: Point, s: int, t: int) -> None:
        larger, size = apart(self.evidence, s, t), (self.cell - 4, self.row - 4)
        pen.box(at, size, "#dcebfa" if larger else WELL if s == t else "#f8f8f8")
        if self.chosen == {s, t}:
            pen.outline(at, size, 3, ACCENT)
        x, y = at[0] + size[0] / 2, at[1] + size[1] / 2
        alone = s == t and geometry.sizes(self.evidence)[s] < 2
        p = p_value(self.evidence, s, t)
        words = "–" if alone else f"{self.evidence.distances[s, t]:.3f}"
        height = min(30, round(self.cell / 4))
        middle = y - (11 if p else 0)
        # twice, a little aside: the built-in font has no bold
        for shift in (-0.6, 0.6) if larger else (0.0,):
            pen.text((x + shift, middle), words, height, INK if larger else SOFT, "mm")
        if p:
            pen.text((x, y + 20), p, min(18, round(self.cell / 8)), SOFT, "mm")


def _mark(ink: ImageDraw.ImageDraw, place: int, at: Point, size: float | int, faint: float) -> None:
    corners = [(at[0] + x * size, at[1] + y * size) for x, y in marker(place)]
    ink.polygon(corners, paler(colour(place), faint), "white", max(1, round(size / 8)))


def _rgb(colour: str) -> tuple[int, int, int]:
    r, g, b = bytes.fromhex(colour.removeprefix("#"))
    return r, g, b


def _wrapped(words: str, width: float, size: int) -> Sequence[str]:
    """Lines of at most this width, in pixels."""
    font = ImageFont.load_default(size)
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
