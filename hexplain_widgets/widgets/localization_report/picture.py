"""The report and the region of one image as pictures for slides and print."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from ...evidence import Localization, LocalizationSummary
from ...evidence.localization import MEASURES
from ...pictures.colours import OTHER, OURS
from ...pictures.page import (
    FINER,
    INK,
    LINE,
    MARGIN,
    SOFT,
    WELL,
    WIDTH,
    Number,
    Pen,
    finished,
    page_of,
    short,
)
from .payload import edges_of
from .words import FOUND, facts, points, verdict

TRUE, METHOD = OTHER, OURS
Rectangle = Sequence[Number]
_HEAD, _ROW, _NAMES, _SIDE = 210, 50, 420, 270
_ABREAST = 6


def draw_report(summary: LocalizationSummary, row: int, column: int = FOUND) -> Image.Image:
    """Return the table, bars of the measure `column`, and images with the boxes of method `row`."""
    shown = len(summary.thumbnails[: 2 * _ABREAST])
    table = _HEAD + _ROW * (len(summary.methods) + 1)
    pen = page_of(table + 110 + (_SIDE + 60) * -(-shown // _ABREAST) + MARGIN)
    pen.text((MARGIN, 80), "How well are things found?", 48)
    pen.text((WIDTH - MARGIN, 80), short(summary.provenance.model, 40), 26, SOFT, "rs")
    pen.text((MARGIN, 126), short(verdict(summary), 150), 25)
    pen.text((MARGIN, 162), short(facts(summary), 150), 22, SOFT)
    _table(pen, summary, column)
    words = f"{short(summary.methods[row], 40)}: its box in orange, the true one in green"
    pen.text((MARGIN, table + 50), words, 26)
    for i in range(shown):
        x = MARGIN + (_SIDE + 36) * (i % _ABREAST)
        y = table + 80 + (_SIDE + 60) * (i // _ABREAST)
        _thumbnail(pen, summary, row, i, (x, y))
    return finished(pen)


def _table(pen: Pen, summary: LocalizationSummary, column: int) -> None:
    width = (WIDTH - 2 * MARGIN - _NAMES) / len(MEASURES)
    for c, name in enumerate(MEASURES):
        colour = INK if c == column else SOFT
        pen.text((MARGIN + _NAMES + width * c, _HEAD + 32), name, 23, colour)
    for m, name in enumerate(summary.methods):
        y = _HEAD + _ROW * (m + 1)
        pen.box((MARGIN, y), (WIDTH - 2 * MARGIN, 1), LINE)
        pen.text((MARGIN, y + 34), short(name, 32), 25)
        if not summary.answered[m].any():
            pen.text((MARGIN + _NAMES, y + 34), short(summary.reasons[m], 110), 21, SOFT)
            continue
        for c, (mean, error) in enumerate(summary.figures[m].tolist()):
            x = MARGIN + _NAMES + width * c
            if c == column:
                pen.box((x - 6, y + 8), ((width - 12) * mean, _ROW - 14), WELL)
            pen.text((x, y + 34), figure_of(c, mean, error), 23)


def figure_of(column: int, mean: float, error: float) -> str:
    """Return a figure as it is written: a mean IoU as such, shares in hundredths."""
    if MEASURES[column] == "mean IoU":
        return f"{mean:.2f}" if np.isnan(error) else f"{mean:.2f} ± {error:.2f}"
    said = f"{points(mean)} %"
    return said if np.isnan(error) else f"{said} ± {points(error)}"


def _thumbnail(
    pen: Pen, summary: LocalizationSummary, row: int, i: int, at: tuple[Number, Number]
) -> None:
    height, width = summary.sizes[i].tolist()
    k = _SIDE / max(height, width)
    own = summary.boxes[row, i].tolist()
    true = [box[1:] for box in summary.truths.tolist() if box[0] == i]
    _marked(pen, summary.thumbnails[i], at, (height * k, width * k), k, [own], true)
    column = int(summary.pictured[i])
    iou = f"IoU {summary.ious[row, column]:.2f}" if summary.answered[row, column] else "no map"
    name = summary.classes[int(summary.labels[column])]
    pen.text((at[0], at[1] + _SIDE + 26), f"{short(name, 17)}, {iou}", 19)


def _marked(
    pen: Pen,
    pixels: UInt8[np.ndarray, "_ _ 3"],
    at: tuple[Number, Number],
    size: tuple[Number, Number],
    k: Number,
    own: Sequence[Rectangle],
    true: Sequence[Rectangle],
) -> None:
    """Draw an image of `size` (height, width) at a place, boxes on it `k` times as large."""
    finer = (max(1, round(size[1] * FINER)), max(1, round(size[0] * FINER)))
    pen.picture(at, Image.fromarray(pixels).resize(finer, Image.Resampling.BICUBIC))
    for colour, boxes in ((TRUE, true), (METHOD, own)):
        for x0, y0, x1, y1 in boxes:
            if x1 > x0 and y1 > y0:
                place = (at[0] + x0 * k, at[1] + y0 * k)
                pen.outline(place, ((x1 - x0) * k, (y1 - y0) * k), 4, colour)


def draw_localization(one: Localization, words: Sequence[str]) -> Image.Image:
    """Return the image with the region's outline and its box, and the true ones where known."""
    height, width = one.image.shape[:2]
    room = (WIDTH - 2 * MARGIN, 900)
    k = min(room[0] / width, room[1] / height)
    pen = page_of(130 + height * k + 46 * len(words) + MARGIN)
    pen.text((MARGIN, 84), f"Where is {short(one.target, 54)}?", 48)
    pen.text((WIDTH - MARGIN, 84), short(one.provenance.model, 40), 26, SOFT, "rs")
    at = (MARGIN, 120)
    of_mask = one.truth_mask is not None
    true = [] if one.truth is None or of_mask else [one.truth]
    _marked(pen, one.image, at, (height * k, width * k), k, [one.box], true)
    _outline(pen, one.mask, at, k, "#ffffff")
    if one.truth_mask is not None:
        _outline(pen, one.truth_mask, at, k, TRUE)
    for i, line in enumerate(words):
        pen.text((MARGIN, 120 + height * k + 46 * (i + 1)), short(line, 130), 26)
    return finished(pen)


def _outline(
    pen: Pen, mask: Bool[np.ndarray, "_ _"], at: tuple[Number, Number], k: Number, colour: str
) -> None:
    for x0, y0, x1, y1 in edges_of(mask).tolist():
        start, end = (at[0] + x0 * k, at[1] + y0 * k), (at[0] + x1 * k, at[1] + y1 * k)
        pen.line((start, end), 3.0, colour)
