"""Pictures of channel importance for slides and for print, drawn from the evidence alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image

from ...arguments import counted
from ...evidence import ChannelImportance, ChannelOverlap
from ...pictures.colours import ramp
from ...pictures.page import (
    ACCENT,
    FINER,
    INK,
    LINE,
    SOFT,
    WELL,
    WIDTH,
    Pen,
    finished,
    number,
    page_of,
    short,
)
from .payload import channel_order, class_order

MARGIN, HEAD = 56, 150
FOR, AGAINST = "#d9622b", "#3d85c6"
_FOR = "ffffff fde3d3 f9b48a ea7a45 c2410f 7a1f06"
_AGAINST = "ffffff d6e8f7 9cc8ea 5a9bd4 1f69ab 08306b"
LEFT, RIGHT, BARS = 330.0, 170.0, 460.0
MOST_LABELS, MOST_REGIONS = 60, 24


def signed_colours(parts: Float[np.ndarray, "*s"]) -> UInt8[np.ndarray, "*s 3"]:
    """Return colours of values from -1 to 1 on white: orange for, blue against, by square root."""
    strength = np.sqrt(np.clip(np.abs(parts), 0, 1))
    chosen = np.where((parts < 0)[..., None], ramp(_AGAINST, strength), ramp(_FOR, strength))
    return np.asarray(np.rint(chosen), dtype=np.uint8)


def draw_matrix(evidence: ChannelImportance, *, scaled: bool = True) -> Image.Image:
    """Return the matrix as a picture, similar classes and their channels together (CHIP, Fig. 9).

    `scaled` draws weights times mean activation.
    """
    importance = evidence.values * evidence.means
    values = importance if scaled else evidence.values
    rows = class_order(importance)
    columns = channel_order(importance, rows)
    side = min(56.0, max(14.0, 900 / max(1, len(rows))))
    tall = side * len(rows) if len(rows) <= MOST_LABELS else 1000.0
    pen = page_of(HEAD + tall + 120)
    what = "weight times mean activation" if scaled else "weight"
    _title(pen, f"Channel importance at {evidence.layer}", f"{what}, {counted(len(rows), 'class')}")
    largest = float(np.abs(values).max(initial=0)) or 1.0
    _cells(pen, values[rows][:, columns] / largest, tall)
    if len(rows) <= MOST_LABELS:
        _row_labels(pen, evidence, rows, side)
    words = f"{counted(len(columns), 'channel')}, by the class they matter most for"
    pen.text((LEFT, HEAD + tall + 40), words, 24, SOFT)
    _scale(pen, HEAD + tall + 20, largest)
    return finished(pen)


def draw_overlap(evidence: ChannelOverlap) -> Image.Image:
    """Return the overlap as an UpSet plot, whose bars are exact for any number of classes."""
    regions = sorted(evidence.regions.items(), key=lambda one: (-len(one[1]), len(one[0])))
    regions = regions[:MOST_REGIONS]
    row = 52.0
    dots = HEAD + BARS + 40
    pen = page_of(dots + row * len(evidence.classes) + 40)
    limit = (
        f"top {evidence.top}" if evidence.top else f"above {evidence.threshold:g} of the largest"
    )
    _title(pen, f"Shared channels at {evidence.layer}", f"{limit} of each class")
    for i, name in enumerate(evidence.classes):
        _set_row(pen, name, len(evidence.channels[name]), dots + row * (i + 0.5))
    step = min(90.0, (WIDTH - LEFT - 150) / max(1, len(regions)))
    most = max((len(channels) for _, channels in regions), default=1)
    for i, (names, channels) in enumerate(regions):
        x = LEFT + 120 + step * (i + 0.5)
        height = BARS * len(channels) / most
        pen.box((x - step * 0.3, HEAD + BARS + 10 - height), (step * 0.6, height), ACCENT)
        pen.text((x, HEAD + BARS - height), str(len(channels)), 24, INK, "ms")
        _dots(pen, evidence.classes, names, x, dots, row)
    return finished(pen)


def draw_bars(
    title: str,
    channels: Int[np.ndarray, " n"],
    values: Float[np.ndarray, " n"],
    evidence: ChannelImportance,
) -> Image.Image:
    """Return signed bars of channels, weight times mean activation, as a picture."""
    row = 40.0
    pen = page_of(HEAD + row * max(1, len(channels)) + 50)
    _title(
        pen, f"Channels of {short(title, 50)} at {evidence.layer}", "weight times mean activation"
    )
    low, high = min(0.0, float(values.min(initial=0))), max(0.0, float(values.max(initial=0)))
    unit = (WIDTH - LEFT - MARGIN - 260) / ((high - low) or 1.0)
    zero = LEFT + 130 - low * unit
    for i, (channel, value) in enumerate(zip(channels, values, strict=True)):
        y = HEAD + row * i
        start, length = zero + min(0.0, float(value) * unit), abs(float(value)) * unit
        pen.box((start, y + 6), (max(1.0, length), row - 12), FOR if value > 0 else AGAINST)
        pen.text((LEFT, y + row / 2 + 9), f"#{channel}", 26, INK, "rs")
        at = (start + length + 10, "ls") if value > 0 else (start - 10, "rs")
        pen.text((at[0], y + row / 2 + 9), number(value), 24, SOFT, at[1])
    pen.box((zero - 1, HEAD), (2, row * len(channels)), INK)
    return finished(pen)


def _title(pen: Pen, words: str, facts: str) -> None:
    pen.text((MARGIN, 84), short(words, 56), 50)
    pen.text((WIDTH - MARGIN, 84), facts, 28, SOFT, "rs")


def _cells(pen: Pen, parts: Float[np.ndarray, "r k"], tall: float) -> None:
    wide = WIDTH - LEFT - RIGHT
    room = (round(wide * FINER), round(tall * FINER))
    cells = Image.fromarray(signed_colours(_pooled(parts, room)))
    pen.picture((LEFT, HEAD), cells.resize(room, Image.Resampling.NEAREST))
    pen.outline((LEFT - 1, HEAD - 1), (wide + 2, tall + 2), 1, LINE)


def _pooled(parts: Float[np.ndarray, "r k"], room: tuple[int, int]) -> Float[np.ndarray, "p q"]:
    """The strongest of the cells that fall on one pixel, so that no lonely cell is lost."""
    for axis, most in ((0, room[1]), (1, room[0])):
        starts = np.unique(np.linspace(0, parts.shape[axis], most + 1).astype(int)[:-1])
        high = np.maximum.reduceat(parts, starts, axis=axis)
        low = np.minimum.reduceat(parts, starts, axis=axis)
        parts = np.where(-low > high, low, high)
    return parts


def _row_labels(
    pen: Pen, evidence: ChannelImportance, rows: Int[np.ndarray, " c"], side: float
) -> None:
    size = round(min(26.0, side * 0.78))
    channels = max(1, evidence.values.shape[1])
    for i, row in enumerate(rows):
        y = HEAD + side * (i + 0.5) + size * 0.36
        pen.text((LEFT - 16, y), short(evidence.classes[row], 22), size, INK, "rs")
        count = int(np.count_nonzero(evidence.values[row]))
        x = WIDTH - RIGHT + 16
        pen.box((x, y - size * 0.7), (70, size * 0.7), WELL)
        pen.box((x, y - size * 0.7), (70 * count / channels, size * 0.7), SOFT)
        pen.text((x + 82, y), str(count), size, SOFT)


def _scale(pen: Pen, y: float, largest: float) -> None:
    wide, x = 420.0, WIDTH - RIGHT - 420.0
    ramp = np.linspace(-1, 1, round(wide * FINER))
    ramp = np.sign(ramp) * ramp**2
    colours = np.broadcast_to(signed_colours(ramp)[None], (20 * FINER, len(ramp), 3))
    pen.picture((x, y), Image.fromarray(np.ascontiguousarray(colours)))
    for part, anchor in ((-1.0, "ls"), (0.0, "ms"), (1.0, "rs")):
        words = number(part * largest, 2) if part else "0"
        pen.text((x + wide * (part + 1) / 2, y + 50), words, 22, SOFT, anchor)


def _set_row(pen: Pen, name: str, count: int, y: float) -> None:
    pen.text((LEFT + 40, y + 9), short(name, 22), 26, INK, "rs")
    pen.text((LEFT + 96, y + 9), str(count), 24, SOFT, "rs")


def _dots(
    pen: Pen, classes: Sequence[str], names: frozenset[str], x: float, top: float, row: float
) -> None:
    inside = [i for i, name in enumerate(classes) if name in names]
    first, last = top + row * (inside[0] + 0.5), top + row * (inside[-1] + 0.5)
    pen.box((x - 2, first), (4, last - first), INK)
    for i in range(len(classes)):
        y = top + row * (i + 0.5)
        pen.box((x - 9, y - 9), (18, 18), INK if i in inside else LINE)
