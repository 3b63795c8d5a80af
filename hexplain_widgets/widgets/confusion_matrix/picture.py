"""The first confusions as a picture for slides and print, drawn from the evidence alone."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ...evidence import ConfusionSummary
from ...pictures.colours import OURS
from ...pictures.page import (
    FINER,
    SOFT,
    WELL,
    WIDTH,
    Number,
    Pen,
    finished,
    page_of,
    percent,
    short,
)

_MARGIN, _HEAD, _ROW, _MOST = 56, 140, 76, 16
_NAMES, _BAR, _SIDE = 620.0, 420.0, 64


def draw_confusions(evidence: ConfusionSummary) -> Image.Image:
    """Return the `_MOST` most frequent pairs: counts as bars, images, and channels of both."""
    count = min(_MOST, len(evidence.counts))
    pen = page_of(_HEAD + _ROW * max(1, count) + _MARGIN)
    pen.text((_MARGIN, 84), "Who is taken for whom?", 50)
    labelled = evidence.seen - evidence.unlabelled
    facts = f"{evidence.provenance.model}, {evidence.mistakes} of {labelled} images"
    pen.text((WIDTH - _MARGIN, 84), short(facts, 60), 28, SOFT, "rs")
    if not count:
        pen.text((_MARGIN, _HEAD + 40), "No image is named otherwise than it is labelled.", 30)
    most = int(evidence.counts.max(initial=1))
    for pair in range(count):
        _pair(pen, evidence, pair, _HEAD + _ROW * pair, most)
    return finished(pen)


def _pair(pen: Pen, evidence: ConfusionSummary, pair: int, y: Number, most: int) -> None:
    label, named = (short(name, 22) for name in evidence.names(pair))
    of = int(evidence.labelled[evidence.pairs[pair, 0]])
    count, share = int(evidence.counts[pair]), percent(float(evidence.shares[pair]))
    pen.text((_MARGIN, y + 44), f"{label} → {named}", 28)
    pen.box((_MARGIN + _NAMES, y + 20), (_BAR, 30), WELL)
    pen.box((_MARGIN + _NAMES, y + 20), (_BAR * count / most, 30), OURS)
    x = _MARGIN + _NAMES + _BAR + 16
    pen.text((x, y + 44), f"{count} of {of} ({share})", 24, SOFT)
    channels = ", ".join(f"#{k}" for k, _, _ in evidence.channels(pair))
    if channels:
        pen.text((x, y + 66), short(f"both: {channels}", 34), 18, SOFT)
    x = WIDTH - _MARGIN - 4 * (_SIDE + 8)
    for i, at in enumerate(np.flatnonzero(evidence.pictured == pair)[:4].tolist()):
        pixels = Image.fromarray(evidence.thumbnails[at])
        pixels = pixels.resize((_SIDE * FINER, _SIDE * FINER), Image.Resampling.BICUBIC)
        pen.picture((x + i * (_SIDE + 8), y + 4), pixels)
