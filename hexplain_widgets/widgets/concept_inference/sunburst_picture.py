"""Rings of concepts as a picture, drawn from the evidence alone: for slides and for print."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from ...arguments import counted
from ...evidence import ConceptInference, InferredConcept
from ...pictures.colours import is_light, paler
from ...pictures.page import FINER, INK, SOFT, WIDTH, finished, number, page_of, percent, short
from .._shared.payload import path_of
from .merging import ConceptPath, MergedConcept, concept_colours, merged
from .tree_picture import AGAINST, map_over

MARGIN, HEAD, GAP = 48, 150, 40
MOST_ACROSS, MOST_AGAINST = 3, 4
REST = "#b9bcc0"
PALE = 0.7  # how much paler a concept is that is hardly recognised
CENTRE, THICKNESS = 0.3, (1.3, 1.1, 0.85, 0.6)
_CAPTION, _LINE = 104.0, 34.0
_GAUGE, _GAP = 5.0, 1.5


@dataclass(frozen=True)
class Slice:
    """A slice from `start` to `end` in parts of the turn; `unexplained` is what its gauge shows."""

    path: ConceptPath
    start: float
    end: float
    unexplained: float | None = None

    @property
    def ring(self) -> int:
        """Which ring it is in, the centre's number being 0."""
        return len(self.path)


def slices(node: MergedConcept, place: int) -> Iterator[Slice]:
    """Yield the slices of set `place` around a concept, parents first.

    What speaks for a concept fills its arc, each child as wide as its share. What speaks against it
    has no slice.
    """
    yield from _slices(node, place, (), 0.0, 1.0)


def _slices(
    node: MergedConcept, place: int, path: ConceptPath, start: float, end: float
) -> Iterator[Slice]:
    concept = node.by_set[place]
    if concept is None:
        return
    yield Slice(path, start, end, concept.unexplained)
    shown = [
        (i, child, one.share)
        for i, child in enumerate(node.children)
        if (one := child.by_set[place]) and one.weight >= 0 and one.share > 0
    ]
    whole, before = sum(share for *_, share in shown), 0.0
    for i, child, share in shown:
        edges = [start + part / whole * (end - start) for part in (before, before + share)]
        yield from _slices(child, place, (*path, i), edges[0], edges[1])
        before += share


def draw_sunbursts(
    inferences: Sequence[ConceptInference], names: Sequence[str], zoom: str = ""
) -> Image.Image:
    """Return the charts as a picture 1920 pixels wide, with the concept at `zoom` in the middle.

    `zoom` is a dotted path, as the view saves it.
    """
    return _SunburstPicture(inferences, names, path_of(zoom)).finished()


class _SunburstPicture:
    def __init__(
        self, inferences: Sequence[ConceptInference], names: Sequence[str], zoom: ConceptPath
    ) -> None:
        self.inferences, self.names = inferences, names
        root, levels = merged(inferences), inferences[0].levels
        self.centre = root.node(zoom)
        self.colours: Mapping[ConceptPath, str] = {
            path[len(zoom) :]: colour
            for path, colour in concept_colours(root, levels).items()
            if path[: len(zoom)] == zoom
        }
        self.across = min(MOST_ACROSS, len(inferences))
        self.size = min(900.0, (WIDTH - 2 * MARGIN - GAP * (self.across - 1)) / self.across)
        self.edges = _edges(self.size / 2, len(levels) - 1 - self.centre.depth)
        self.tall = self.size + _CAPTION + _LINE * (1 + MOST_AGAINST) + GAP
        down = -(-len(inferences) // self.across)
        height = HEAD + down * self.tall
        self.pen = page_of(height)
        self.ink = ImageDraw.Draw(self.pen.canvas)

    def finished(self) -> Image.Image:
        targets = ", ".join(dict.fromkeys(one.target.name for one in self.inferences))
        words = f"Why {short(targets, 50)}?"
        if self.centre.depth:
            words += f"  {short(self.centre.concept, 30)}"
        self.pen.text((MARGIN, 84), words, 54)
        key = "thin line: how much the next level explains, gray is unexplained"
        self.pen.text((WIDTH - MARGIN, 84), key, 24, SOFT, "rs")
        for place in range(len(self.inferences)):
            self._chart(place)
        return finished(self.pen)

    def _chart(self, place: int) -> None:
        step = self.size + GAP
        wide = self.across * step - GAP
        left = (WIDTH - wide) / 2 + (place % self.across) * step
        top = HEAD + (place // self.across) * self.tall
        middle = (left + self.size / 2, top + self.size / 2)
        # from the outermost ring inward: each ring is a pie over the one before
        sectors = sorted(slices(self.centre, place), key=lambda one: -one.ring)
        for one in sectors:
            if one.ring:
                self._pie(middle, one, self._colour(one, place))
        for one in sectors:
            if one.ring:
                self._label(middle, one, self._colour(one, place))
        self._middle(middle, place)
        self._caption(middle[0], top + self.size + 36, place)

    def _colour(self, one: Slice, place: int) -> str:
        """A slice's colour, pale where its concept is hardly recognised."""
        colour, concept = self.colours[one.path], self.centre.node(one.path).by_set[place]
        hardly = concept is not None and concept.hardly_recognised
        return paler(colour, PALE) if hardly else colour

    def _pie(self, middle: tuple[float, float], one: Slice, colour: str) -> None:
        inner, outer = self._edges_of(one)
        angles = (360 * one.start - 90, 360 * one.end - 90)
        if angles[1] - angles[0] <= 0.05:
            return
        self.ink.pieslice(_box(middle, outer), *angles, fill=colour, outline="white", width=3)
        self.ink.pieslice(_box(middle, inner), *angles, fill="white")
        self._gauge(middle, one)

    def _gauge(self, middle: tuple[float, float], one: Slice) -> None:
        """The thin line at the outer edge of a slice: how much of it the next level explains."""
        if one.unexplained is None:
            return
        r = self.edges[one.ring] - _GAP
        start, end = 360 * one.start - 90, 360 * one.end - 90
        apart = 0.0 if end - start >= 360 else min(0.15 * (end - start), math.degrees(_GAP / r))
        start, end = start + apart, end - apart
        turn = end - min(1.0, max(0.0, one.unexplained)) * (end - start)
        for angles, colour in (((turn, end), REST), ((start, turn), INK)):
            if angles[1] > angles[0]:
                self.ink.arc(_box(middle, r), *angles, fill=colour, width=round(_GAUGE * FINER))

    def _edges_of(self, one: Slice) -> tuple[float, float]:
        """The radii between which a slice is drawn, without the room for its gauge."""
        outer = self.edges[one.ring]
        gauge = 0.0 if one.unexplained is None else _GAUGE + 2 * _GAP
        return self.edges[one.ring - 1], outer - gauge

    def _label(self, middle: tuple[float, float], one: Slice, ground: str) -> None:
        name = self.centre.node(one.path).concept
        inner, outer = self._edges_of(one)
        font = ImageFont.load_default(20 * FINER)
        wide, tall = font.getlength(name) / FINER, 24.0
        turn, r = (one.start + one.end) / 2, (inner + outer) / 2
        chord = 2 * r * math.sin(min(0.25, (one.end - one.start) / 2) * 2 * math.pi)
        bow = r - math.sqrt(max(0.0, r * r - (wide / 2) ** 2))
        if wide + 12 < chord and tall + bow < outer - inner:
            angle = -360 * turn + (180 if 0.25 < turn < 0.75 else 0)
        elif wide + 8 < outer - inner and tall < (one.end - one.start) * 2 * math.pi * inner:
            angle = 90 - 360 * turn + (180 if turn > 0.5 else 0)
        else:
            return
        at = (
            middle[0] + r * math.sin(2 * math.pi * turn),
            middle[1] - r * math.cos(2 * math.pi * turn),
        )
        colour = "#161616" if is_light(ground) else "#ffffff"
        self._turned(name, at, angle, font, colour)

    def _turned(
        self,
        words: str,
        at: tuple[float, float],
        angle: float,
        font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
        colour: str,
    ) -> None:
        side = round(font.getlength(words)) + 40
        mask = Image.new("L", (side, side))
        ImageDraw.Draw(mask).text((side / 2, side / 2), words, 255, font, "mm")
        mask = mask.rotate(angle, Image.Resampling.BICUBIC)
        corner = (round(at[0] * FINER - side / 2), round(at[1] * FINER - side / 2))
        self.pen.canvas.paste(colour, (*corner, corner[0] + side, corner[1] + side), mask)

    def _middle(self, middle: tuple[float, float], place: int) -> None:
        concept = self.centre.by_set[place]
        r = self.edges[0] - _GAUGE - 6
        if concept is None:
            words = f"{short(self.centre.concept, 24)} is not among its concepts"
            self.pen.text(middle, words, 24, SOFT, "ms")
            return
        side = round(2 * r * FINER)
        picture = map_over(concept.heatmap, self.inferences[place].image, side)
        mask = Image.new("L", (side, side))
        ImageDraw.Draw(mask).ellipse((0, 0, side - 1, side - 1), fill=255)
        corner = (round((middle[0] - r) * FINER), round((middle[1] - r) * FINER))
        self.pen.canvas.paste(picture, corner, mask)
        self._gauge(middle, Slice((), 0.0, 1.0, concept.unexplained))

    def _caption(self, x: float, y: float, place: int) -> None:
        evidence = self.inferences[place]
        name = self.names[place] or evidence.target.name
        self.pen.text((x, y), short(name, 36), 28, INK, "ms")
        images = len(evidence.images)
        facts = counted(images, "image") if images else percent(evidence.target.probability)
        self.pen.text((x, y + 30), f"{short(evidence.target.name, 30)}, {facts}", 22, SOFT, "ms")
        concept = self.centre.by_set[place]
        if concept is not None and concept.unexplained is not None:
            self.pen.text((x, y + 60), self._explained(place, concept.unexplained), 22, SOFT, "ms")
        for i, (one, parent) in enumerate(self._against(place)[:MOST_AGAINST]):
            words = f"{number(one.weight, 2)}  {short(one.concept, 24)} against {short(parent, 30)}"
            self.pen.text((x, y + 104 + _LINE * i), words, 22, AGAINST, "ms")

    def _explained(self, place: int, unexplained: float) -> str:
        count = sum(one.by_set[place] is not None for one in self.centre.children)
        level = dict(enumerate(self.inferences[0].levels)).get(self.centre.depth + 1, "concept")
        return f"{percent(1 - unexplained)} explained by {count} {level}{'s'[: count != 1]}"

    def _against(self, place: int) -> list[tuple[InferredConcept, str]]:
        rows = []
        for path, node in self.centre.walk():
            one = node.by_set[place]
            if path and one is not None and one.weight < 0:
                parent = self.centre.node(path[:-1])
                level = self.inferences[0].levels[parent.depth]
                rows.append((one, f"{level} {parent.concept}", len(path)))
        ordered = sorted(rows, key=lambda row: (row[2], row[0].weight))
        return [(one, parent) for one, parent, _ in ordered]


def _box(middle: tuple[float, float], r: float) -> tuple[float, float, float, float]:
    x, y = middle
    return (x - r) * FINER, (y - r) * FINER, (x + r) * FINER, (y + r) * FINER


def _edges(radius: float, rings: int) -> list[float]:
    sizes = [THICKNESS[min(i, len(THICKNESS) - 1)] for i in range(rings)]
    whole = sum(sizes) or 1.0
    edges = [CENTRE * radius]
    for size in sizes:
        edges.append(edges[-1] + size / whole * radius * (1 - CENTRE))
    return edges
