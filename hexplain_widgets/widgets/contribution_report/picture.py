"""Contributions as a picture, drawn from the evidence alone: for slides and for print."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from ...arguments import counted
from ...evidence import Contributions
from ...pictures.heat import overlaid
from ...pictures.page import (
    FINER,
    INK,
    LINE,
    SOFT,
    WELL,
    WIDTH,
    Point,
    finished,
    page_of,
    short,
)
from .charts import AGAINST, FOR, REST, slice_colour
from .table import (
    ContributionTable,
    attention,
    beside,
    entropies,
    explained,
    signed,
    typical,
    warning,
)

Number = float | int

MARGIN, GAP = 48, 44
HEAD, ROW, SIDE, FOOT = 150, 40, 300, 30
WORDS, LEAD, PIE = 128, 28, 300  # room for the words below an image, between lines, for a pie
SIGN = 10.2  # pixels of a sign in running words
ABREAST = 3
_NAMES, _NUMBERS = 0.3, 84  # part of a card for names, pixels for numbers


@dataclass(frozen=True)
class WaterfallRow:
    """One row of a waterfall: from where to where it reaches, in logits; `place` of a concept."""

    name: str
    value: float
    start: float
    colour: str
    place: int | None = None


def rows_of(
    table: ContributionTable, one: Contributions, *, whole: bool, floating: bool
) -> list[WaterfallRow]:
    """Return the rows of an image from bias to score; those of bars all start at zero."""
    names, values = list(table.names), list(table.values(one))
    if table.folded and not whole:
        names = [table.row_name(i) for i in range(table.shown + 1)]
        values = [*values[: table.shown], table.others(one)]
    rows, at = [WaterfallRow("bias", one.bias, 0.0, REST)], one.bias
    for place, (name, value) in enumerate(zip(names, values, strict=True)):
        colour = FOR if value >= 0 else AGAINST
        rows.append(WaterfallRow(name, value, at if floating else 0.0, colour, place))
        at += value
    rows.append(WaterfallRow("unexplained", one.unexplained, at if floating else 0.0, REST))
    return [*rows, WaterfallRow("score", one.score, 0.0, INK)] if floating else rows


@dataclass(frozen=True)
class ReportState:
    """What of a report is on the screen: concept, kind of chart, what is unfolded."""

    concept: str | None = None
    chart: str = "waterfall"
    whole: bool = False
    compare: bool = False
    attention: bool = False

    @classmethod
    def of(cls, view: Mapping[str, Any], concept: str | None) -> ReportState:
        """Return the look that a saved arrangement describes."""
        chart, whole = view.get("chart", "waterfall"), view.get("all", False)
        compare, attention = view.get("compare", False), view.get("attention", False)
        return cls(concept, chart, whole, compare, attention)


def draw_contributions(table: ContributionTable, state: ReportState) -> Image.Image:
    """Return the images with their waterfalls, bars or pies side by side on one scale.

    The chosen concept has its map over each image, Grad-CAM its own below where it is wished.
    Raises ValueError where there is no image.
    """
    if not table.images:
        raise ValueError(
            "got a report without an image; expected at least one to draw;"
            " add one with report.add(image)"
        )
    return _ReportPicture(table, state).finished()


class _ReportPicture:
    def __init__(self, table: ContributionTable, state: ReportState) -> None:
        self.table, self.concept, self.state = table, state.concept, state
        floating = state.chart == "waterfall"
        self.rows = [
            rows_of(table, one, whole=state.whole, floating=floating) for one in table.images
        ]
        ends = [end for rows in self.rows for row in rows for end in _reach(row)]
        self.low, self.high = min([0.0, *ends]), max([0.0, *ends])
        count = len(table.images)
        self.across = min(ABREAST, count)
        self.card = (WIDTH - 2 * MARGIN - GAP * (self.across - 1)) / self.across
        self.chart = len(self.rows[0]) * ROW if state.chart != "pie" else PIE + 40 + 3 * LEAD
        self.alone = self.across == 1
        self.top = SIDE + WORDS + (SIDE + GAP if state.attention and not self.alone else 0)
        self.tall = self.top + self.chart + (3 * LEAD if state.compare else 0)
        down = -(-count // self.across)
        height = round(HEAD + down * (self.tall + GAP) + FOOT)
        self.pen = page_of(height)

    def finished(self) -> Image.Image:
        self._title()
        for i, one in enumerate(self.table.images):
            x = MARGIN + (i % self.across) * (self.card + GAP)
            y = HEAD + (i // self.across) * (self.tall + GAP)
            self._head(one, x, y)
            if self.state.attention:
                self._attention(one, x, y)
            if self.state.chart == "pie":
                self._pie(one, x, y + self.top)
            else:
                self._bars(self.rows[i], x, y + self.top)
            if self.state.compare:
                self._lines(entropies(one), x, y + self.top + self.chart + 26, SOFT)
        return finished(self.pen)

    def _title(self) -> None:
        first = self.table.images[0]
        self.pen.text((MARGIN, 74), f"What added to {short(first.target, 50)}", 48)
        facts = f"{first.layer}, {counted(len(first.names), 'concept')}, logits"
        self.pen.text((WIDTH - MARGIN, 74), facts, 26, SOFT, "rs")
        self.pen.text((MARGIN, 116), typical(self.table.images), 24, SOFT)

    def _head(self, one: Contributions, x: Number, y: Number) -> None:
        beside_x = self._picture(_pictured(one, self._most(), self.concept), x, y)
        self._number((beside_x, y + 44), one.score, 40)
        self.pen.text((beside_x, y + 74), "score", 22, SOFT)
        if self.concept is not None:
            value = float(one.values[one.names.index(self.concept)])
            self.pen.text((beside_x, y + 124), short(self.concept, 18), 26)
            self._number((beside_x, y + 156), value, 26, FOR if value >= 0 else AGAINST)
        self._lines(f"{explained(one)}. {warning(one)}", x, y + SIDE + 32, SOFT)

    def _picture(self, picture: Image.Image, x: Number, y: Number) -> Number:
        """Draw a picture in its square; return where there is room beside it."""
        longer = SIDE * FINER / max(picture.size)
        size = (round(picture.width * longer), round(picture.height * longer))
        self.pen.picture((x, y), picture.resize(size))
        return x + size[0] / FINER + 20

    def _attention(self, one: Contributions, x: Number, y: Number) -> None:
        """Draw Grad-CAM over the image, and beside it in words where it is."""
        maps = [i.attention for i in self.table.images if i.attention is not None]
        most, words = max((float(one_map.max()) for one_map in maps), default=0.0), attention(one)
        end = x + self.card
        left, y = (x + self.card / 2, y) if self.alone else (x, y + SIDE + WORDS)
        if one.attention is not None:
            over = overlaid(one.image, one.attention / most)
            left = self._picture(Image.fromarray(over), left, y)
            words = f"{words}. The strongest colour is {signed(most)} logits."
        self.pen.text((left, y + 24), "Grad-CAM", 26)
        self._lines(words, left, y + 60, SOFT, wide=end - left, most=8)

    def _bars(self, rows: list[WaterfallRow], x: Number, y: Number) -> None:
        names = self.card * _NAMES
        left, wide = x + names, self.card - names - _NUMBERS
        zero = left + self._at(0.0) * wide
        self.pen.box((zero - 0.5, y - 6), (1, len(rows) * ROW), LINE)
        for i, row in enumerate(rows):
            top = y + i * ROW
            ends = sorted(self._at(end) for end in _reach(row))
            start, length = left + ends[0] * wide, max(1.0, (ends[1] - ends[0]) * wide)
            chosen = row.name == self.concept
            if chosen:
                self.pen.box((x - 8, top - 4), (self.card + 16, ROW - 4), WELL)
            self.pen.text((x, top + 22), short(row.name, round(names / 13)), 22)
            self.pen.box((start, top), (length, ROW - 12), row.colour)
            if row.name == "unexplained" and length > 6:  # hollow: it belongs to no concept
                self.pen.box((start + 2, top + 2), (length - 4, ROW - 16), "#ffffff")
            self._number((x + self.card, top + 22), row.value, 22, INK, "rs")

    def _pie(self, one: Contributions, x: Number, y: Number) -> None:
        slices, side = self.table.slices(one), PIE
        draw = ImageDraw.Draw(self.pen.canvas)
        total, at = sum(value for _, value in slices), -90.0
        box = [round(v * FINER) for v in (x, y, x + side, y + side)]
        for i, (place, value) in enumerate(slices):
            end = at + 360 * value / total
            draw.pieslice(box, at, end, slice_colour(self.table, place), "white", 2 * FINER)
            at = end
            self._slice_name(place, value, x + side + 24, y + 20 + 34 * i)
        if not slices:
            self.pen.text((x, y + 40), "No concept speaks for this score.", 24, SOFT)
        words = "; ".join(beside(self.table, one))
        self._lines(f"Not in the pie: {words}", x, y + side + 40, SOFT)

    def _slice_name(self, place: int, value: Number, x: Number, y: Number) -> None:
        self.pen.box((x, y - 16), (18, 18), slice_colour(self.table, place))
        name = short(self.table.row_name(place), round((self.card - 420) / 12))
        self.pen.text((x + 28, y), f"{name}  {_drawn(signed(value))}", 22)

    def _number(
        self, at: Point, value: Number, size: int, colour: str = INK, anchor: str = "ls"
    ) -> None:
        self.pen.text(at, _drawn(signed(value)), size, colour, anchor)

    def _lines(
        self,
        words: str,
        x: Number,
        y: Number,
        colour: str,
        *,
        wide: Number | None = None,
        most: int = 3,
    ) -> None:
        """At most so many lines, below each other."""
        signs = round((wide or self.card) / SIGN)
        lines = wrap(_drawn(words), signs, max_lines=most, placeholder=" …")
        for i, line in enumerate(lines):
            self.pen.text((x, y + LEAD * i), line, 20, colour)

    def _at(self, value: float) -> float:
        return (value - self.low) / ((self.high - self.low) or 1.0)

    def _most(self) -> float:
        """The largest value of the chosen concept's maps: the strongest colour of all images."""
        if self.concept is None:
            return 1.0
        maps = [_map_of(one, self.concept) for one in self.table.images]
        return max((float(np.abs(each).max(initial=0)) for each in maps), default=0.0) or 1.0


def _drawn(words: str) -> str:
    """Words as the pen's font can write them: it has no minus sign."""
    return words.replace("−", "-")


def _map_of(one: Contributions, concept: str) -> Float[np.ndarray, "H W"]:
    return one.maps[one.names.index(concept)]


def _reach(row: WaterfallRow) -> tuple[float, float]:
    return row.start, row.start + row.value


def _pictured(one: Contributions, most: float, concept: str | None) -> Image.Image:
    if concept is None:
        return Image.fromarray(one.image)
    return Image.fromarray(overlaid(one.image, _map_of(one, concept) / most))
