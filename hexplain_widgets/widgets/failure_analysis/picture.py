"""A failure as a picture, drawn from the evidence alone: for slides and for print."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from textwrap import wrap

import numpy as np
from PIL import Image

from ...evidence import Failure
from ...pictures.charts import CHART, grouped_bars, ticks_around
from ...pictures.page import (
    INK,
    MARGIN,
    SOFT,
    WIDTH,
    Pen,
    finished,
    number,
    page_of,
    pictures,
    short,
    stacked,
)
from ..decomposition_tree.picture import draw_decomposition
from .words import (
    RIGHT,
    WRONG,
    agreement,
    covered,
    decides,
    layer,
    outcome,
    own_map,
    region,
    removed,
)

Path = tuple[int, ...]
SIDE, SMALL = 420.0, 240.0


def draw_failure(
    failure: Failure, place: int = 0, opened: Sequence[Collection[Path]] = ()
) -> Image.Image:
    """Return the image, the channel at `place` with its exemplars, bars and trees.

    `opened` are the nodes of each tree that show what is below them, the strongest path if not
    given. Raises ValueError where more is open than a picture can hold.
    """
    trees = [tree for tree in (failure.wrong, failure.right) if tree is not None]
    each: Sequence[Collection[Path] | None] = opened or [None] * len(trees)
    drawn = [
        draw_decomposition(tree, opened=nodes) for tree, nodes in zip(trees, each, strict=True)
    ]
    return stacked([_first_part(failure, place), *drawn])


def _first_part(failure: Failure, place: int) -> Image.Image:
    exemplars = SMALL + 110 if _portrait_images(failure, place) else 0
    said = [decides(failure).replace("−", "-"), f"{removed(failure)} {agreement(failure)}"]
    lines = [line for words in said for line in wrap(words, 150)]
    head = 160 + 36 * len(lines)
    pen = page_of(head + SIDE + 80 + exemplars + CHART + 110)
    pen.text((MARGIN, 80), short(outcome(failure), 100), 38)
    for i, line in enumerate(lines):
        pen.text((MARGIN, 124 + 36 * i), line, 26, SOFT)
    channel = int(failure.channels[place])
    shown = [failure.image, own_map(failure, place)]
    captions = [f"named {failure.named.name}", f"channel {channel} is active"]
    if failure.occlusion is not None:
        shown.append(failure.occlusion.image)
        captions.append(covered(failure.occlusion))
    pictures(pen, shown, captions, head, SIDE)
    y = head + SIDE + 80
    if exemplars:
        _exemplars(pen, failure, place, y)
    _bars(pen, failure, y + exemplars)
    return finished(pen)


def _portrait_images(failure: Failure, place: int) -> int:
    return len(failure.exemplars[place].images) if failure.exemplars else 0


def _exemplars(pen: Pen, failure: Failure, place: int, y: float) -> None:
    portrait, labels = failure.exemplars[place], failure.labels[place]
    pen.text((MARGIN, y + 24), f"Images that excite channel {portrait.filter} most", 26)
    shown = [region(portrait, j) for j in range(len(portrait.images))]
    names = [
        f"{label} {number(value)}" for label, value in zip(labels, portrait.values, strict=True)
    ]
    pictures(pen, shown, names, y + 44, SMALL)


def _bars(pen: Pen, failure: Failure, y: float) -> None:
    values = failure.contributions[:, failure.channels].astype(np.float64)
    ticks = ticks_around(values)
    pen.text((MARGIN, y + 24), f"What channels of {layer(failure)} add to the logits", 26)
    named = ((WRONG, failure.named.name), (RIGHT, failure.true.name))
    for i, (colour, name) in enumerate(named):
        x = WIDTH - MARGIN - 480 + 240 * i
        pen.box((x, y + 6), (20, 20), colour)
        pen.text((x + 28, y + 24), short(name, 16), 22, INK)
    names = [f"#{k}" for k in failure.channels]
    at = (MARGIN, y + 50, WIDTH - 2 * MARGIN)
    grouped_bars(pen, names, values, np.zeros_like(values), ticks, (WRONG, RIGHT), at)
