"""Named filters as a picture for slides and print, drawn from the evidence alone."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image
from scipy import ndimage

from ...arguments import counted
from ...atlas.labels import FilterLabels
from ...evidence import FilterPortrait, FilterSheet
from ...pictures.page import FINER, SOFT, WIDTH, Pen, finished, page_of, short

MARGIN, HEAD = 56, 190
COLUMNS, MOST = 6, 60
GAP, CAPTION, BETWEEN = 8, 70, 28
SIDE = ((WIDTH - 2 * MARGIN - (COLUMNS - 1) * BETWEEN) / COLUMNS - GAP) / 2
DIMMED = 0.45


def chosen(sheet: FilterSheet, labels: FilterLabels) -> list[int]:
    """Return the filters to draw: those named, by part; else those suggested, best first; else all.

    Filters that never fire are left out.
    """
    firing = {one.filter for one in sheet.portraits if len(one.images)}
    suggestions = sheet.suggestions()
    named = [k for part in labels.parts for k in labels.of(part)]
    suggested = sorted(suggestions, key=lambda k: -suggestions[k][1])
    return [k for k in (named or suggested or sorted(firing)) if k in firing]


def draw_filters(sheet: FilterSheet, labels: FilterLabels) -> Image.Image:
    """Return filters with their strongest images, regions outlined, and their names.

    At most 60 of them; what is left out is counted.
    """
    every = chosen(sheet, labels)
    some = every[:MOST]
    rows = max(1, -(-len(some) // COLUMNS))
    row = 2 * SIDE + GAP + CAPTION + BETWEEN
    height = round(HEAD + rows * row + MARGIN / 2)
    pen = page_of(height)
    _title(pen, sheet, labels, len(every) - len(some))
    if not some:
        pen.text((MARGIN, HEAD + 60), "No filter fires on these images.", 30, SOFT)
    for i, k in enumerate(some):
        at = (
            MARGIN + (i % COLUMNS) * (2 * SIDE + GAP + BETWEEN),
            HEAD + (i // COLUMNS) * row,
        )
        _filter(pen, at, sheet, labels, k)
    return finished(pen)


def _title(pen: Pen, sheet: FilterSheet, labels: FilterLabels, more: int) -> None:
    pen.text((MARGIN, 84), short(f"Filters of {sheet.layer.name}", 50), 50)
    facts = f"{len(labels.names)} of {len(sheet.portraits)} named"
    if labels.without:
        facts += f", {len(labels.without)} answer to no part"
    facts += (
        f"; strongest of {counted(sheet.images, 'image')}, above the {sheet.quantile:g} quantile"
    )
    facts += f"; {more} more are not drawn" if more else ""
    pen.text((MARGIN, 132), facts, 26, SOFT)


def _filter(
    pen: Pen, at: tuple[float, float], sheet: FilterSheet, labels: FilterLabels, k: int
) -> None:
    one, (x, y) = sheet.portraits[k], at
    for i in range(min(4, len(one.images))):
        place = (x + (i % 2) * (SIDE + GAP), y + (i // 2) * (SIDE + GAP))
        pen.picture(place, outlined(one, i, round(SIDE * FINER)))
    below = y + 2 * SIDE + GAP
    name = labels.names.get(k)
    pen.text((x, below + 32), f"#{k}", 22, SOFT)
    if name is not None:
        pen.text((x + 62, below + 32), short(name, 16), 26)
    suggestion = sheet.suggestions().get(k)
    if suggestion is not None:
        chance = "" if sheet.chance is None else f", chance {sheet.chance[k]:.2f}"
        part = short(suggestion[0], 14)
        pen.text((x, below + 60), f"{part} {suggestion[1]:.2f}{chance}", 18, SOFT)


def outlined(one: FilterPortrait, i: int, pixels: int) -> Image.Image:
    """Return a filter's picture with its region outlined and all else dimmed."""
    size = (pixels, pixels)
    picture = np.asarray(Image.fromarray(one.images[i]).resize(size, Image.Resampling.BICUBIC))
    grey = Image.fromarray((one.masks[i] * np.uint8(255)).astype(np.uint8))
    mask = np.asarray(grey.resize(size, Image.Resampling.BILINEAR)) > 127
    return Image.fromarray(_lit(picture, mask))


def _lit(
    picture: UInt8[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w 3"]:
    if not mask.any():
        return picture
    lit = np.where(mask[..., None], picture, picture * (1 - DIMMED)).astype(np.uint8)
    inner = ndimage.binary_dilation(mask, iterations=3)
    lit[ndimage.binary_dilation(inner, iterations=3) & ~inner] = 20
    lit[inner & ~mask] = 255
    return lit
