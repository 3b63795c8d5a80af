"""An attack as a picture, drawn from the evidence alone: for slides and for print."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Float
from PIL import Image

from ...evidence import AttackedDecision, AttackedSet
from ...pictures.charts import CHART, grouped_bars, ticks_around
from ...pictures.heat import concept_pictures
from ...pictures.page import (
    GAP,
    MARGIN,
    PICTURE,
    SOFT,
    WIDTH,
    Number,
    Pen,
    finished,
    number,
    page_of,
    percent,
    pictures,
    short,
    stacked,
    swatches,
)
from .._shared.agreement import sentence
from ..decomposition_tree.payload import checks_payload
from ..decomposition_tree.picture import draw_decomposition
from .charts import AFTER, BEFORE, ordinal
from .words import (
    attack_words,
    concept_words,
    magnified,
    outcome,
    peaks_words,
    set_words,
    size_words,
    trust,
)

Path = tuple[int, ...]
HEAD = 220


def draw_attack(
    one: AttackedDecision | None,
    several: AttackedSet | None,
    opened: Sequence[Collection[Path]] = (),
) -> Image.Image:
    """Return images, peaks and both trees, then the peaks of the set, 1920 pixels wide.

    `opened` are the nodes of each tree that show what is below them, the strongest path if not
    given. Raises ValueError where more is open than a picture can hold.
    """
    parts: list[Image.Image] = []
    if one is not None:
        parts.append(_image_part(one))
        each = opened or (None, None)
        named = zip((one.before, one.after), each, strict=True)
        parts += [draw_decomposition(tree, opened=nodes) for tree, nodes in named]
    if several is not None:
        parts.append(_set_part(several))
    return stacked(parts)


def _image_part(one: AttackedDecision) -> Image.Image:
    rows = 2 if one.concept else 1
    tall = rows * (PICTURE + 80)
    pen = page_of(HEAD + tall + CHART + 150)
    pen.text((MARGIN, 80), short(outcome(one), 100), 38)
    pen.text((MARGIN, 124), size_words(one), 26, SOFT)
    pen.text((MARGIN, 160), short(attack_words(one), 130), 26, SOFT)
    roots = (checks_payload(tree).get("") for tree in (one.before, one.after))
    pen.text((MARGIN, 192), short(sentence(*trust(*roots)), 150), 22, SOFT)
    change, factor = magnified(one.change)
    before, after = one.before.target, one.after.target
    captions = [
        f"Original: {before.name} {percent(before.probability)}",
        f"Adversarial: {after.name} {percent(after.probability)}",
        f"Change x {factor} (grey: none)",
    ]
    pictures(pen, (one.before.image, one.after.image, change), captions, HEAD)
    if one.concept:
        maps, largest = concept_pictures(one.concept)
        name = one.concept[0].target
        captions = [f"{name}, scale up to {number(largest)}", f"{name} in the adversarial image"]
        pictures(pen, maps, captions, HEAD + PICTURE + 80)
        for i, words in enumerate(concept_words(one.concept)):
            beside = MARGIN + 2 * (PICTURE + 2 * GAP)
            pen.text((beside, HEAD + PICTURE + 110 + 36 * i), short(words, 88), 22)
    names = [[f"#{k}" for k in row] for row in one.channels]
    _charts(pen, one.classes, names, one.peaks, np.zeros_like(one.peaks), HEAD + tall)
    return finished(pen)


def _set_part(evidence: AttackedSet) -> Image.Image:
    pen = page_of(HEAD + CHART + 120)
    pen.text((MARGIN, 80), set_words(evidence), 38)
    pen.text((MARGIN, 124), short(attack_words(evidence), 130), 26, SOFT)
    if len(evidence.peaks):
        ranks = [[ordinal(i) for i in range(evidence.peaks.shape[3])]] * 2
        classes = ("class before", "class after")
        _charts(pen, classes, ranks, evidence.means, np.nan_to_num(evidence.errors), HEAD - 20)
    return finished(pen)


def _charts(
    pen: Pen,
    classes: Sequence[str],
    names: Sequence[Sequence[str]],
    peaks: Float[np.ndarray, "2 c n"],
    errors: Float[np.ndarray, "2 c n"],
    y: Number,
) -> None:
    ticks = ticks_around(np.concatenate([peaks - errors, peaks + errors]))
    wide = (WIDTH - 2 * MARGIN - GAP) / 2
    swatches(pen, ((BEFORE, "original"), (AFTER, "adversarial")), y)
    for c, name in enumerate(classes):
        x = MARGIN + c * (wide + GAP)
        mean = peaks[:, c].mean(1)
        words = peaks_words(short(name, 24), float(mean[0]), float(mean[1]))
        pen.text((x, y + 44), short(words, 70), 24)
        both = peaks[:, c], errors[:, c]
        grouped_bars(pen, names[c], *both, ticks, (BEFORE, AFTER), (x, y + 60, wide))
