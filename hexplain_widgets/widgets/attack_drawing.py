"""An attack as a picture, drawn from the evidence alone: for slides and for print."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from ..evidence import AttackedDecision, AttackedSet
from .attack_charts import AFTER, BEFORE, ordinal
from .attack_pictures import concept_pictures, magnified
from .attack_words import attack_words, outcome, peaks_words, set_words, size_words
from .channel_bars import even_ticks
from .drawing import draw_decomposition
from .pen import FINER, INK, LINE, SOFT, Pen, percent, short

Path = tuple[int, ...]
Number = float | int
WIDTH, MARGIN, HEAD, GAP = 1920, 48, 200, 32
PICTURE, CHART = 420.0, 300.0


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
    return _stacked(parts)


def _stacked(parts: Sequence[Image.Image]) -> Image.Image:
    page = Image.new("RGB", (WIDTH, sum(part.height for part in parts)), "white")
    y = 0
    for part in parts:
        page.paste(part, (0, y))
        y += part.height
    return page


def _page(height: Number) -> Pen:
    return Pen(Image.new("RGB", (WIDTH * FINER, round(height) * FINER), "white"))


def _finished(pen: Pen) -> Image.Image:
    width, height = pen.canvas.size
    return pen.canvas.resize((width // FINER, height // FINER), Image.Resampling.LANCZOS)


def _image_part(one: AttackedDecision) -> Image.Image:
    rows = 2 if one.concept else 1
    pictures = rows * (PICTURE + 80)
    pen = _page(HEAD + pictures + CHART + 150)
    pen.text((MARGIN, 80), short(outcome(one), 100), 38)
    pen.text((MARGIN, 124), size_words(one), 26, SOFT)
    pen.text((MARGIN, 160), short(attack_words(one), 130), 26, SOFT)
    change, factor = magnified(one.change)
    before, after = one.before.target, one.after.target
    captions = [
        f"Original: {before.name} {percent(before.probability)}",
        f"Adversarial: {after.name} {percent(after.probability)}",
        f"Change x {factor} (grey: none)",
    ]
    _pictures(pen, (one.before.image, one.after.image, change), captions, HEAD)
    if one.concept:
        maps, largest = concept_pictures(one.concept)
        name = one.concept[0].target
        captions = [f"{name}, scale up to {largest:.3g}", f"{name} in the adversarial image"]
        _pictures(pen, maps, captions, HEAD + PICTURE + 80)
    names = [[f"#{k}" for k in row] for row in one.channels]
    _charts(pen, one.classes, names, one.peaks, np.zeros_like(one.peaks), HEAD + pictures)
    return _finished(pen)


def _set_part(found: AttackedSet) -> Image.Image:
    pen = _page(HEAD + CHART + 120)
    pen.text((MARGIN, 80), set_words(found), 38)
    pen.text((MARGIN, 124), short(attack_words(found), 130), 26, SOFT)
    if len(found.peaks):
        ranks = [[ordinal(i) for i in range(found.peaks.shape[3])]] * 2
        classes = ("class before", "class after")
        _charts(pen, classes, ranks, found.means, np.nan_to_num(found.errors), HEAD - 20)
    return _finished(pen)


def _pictures(
    pen: Pen, pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]], captions: Sequence[str], y: Number
) -> None:
    for i, (pixels, words) in enumerate(zip(pictures, captions, strict=True)):
        x = MARGIN + i * (PICTURE + 2 * GAP)
        height, width = pixels.shape[:2]
        k = PICTURE / max(height, width)
        size = (round(width * k * FINER), round(height * k * FINER))
        pen.picture((x, y), Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
        pen.text((x, y + PICTURE + 34), short(words, 38), 24)


def _charts(
    pen: Pen,
    classes: Sequence[str],
    names: Sequence[Sequence[str]],
    peaks: Float[np.ndarray, "2 c n"],
    errors: Float[np.ndarray, "2 c n"],
    y: Number,
) -> None:
    low, high = float((peaks - errors).min(initial=0)), float((peaks + errors).max(initial=0))
    ticks = even_ticks(min(0.0, low), max(0.0, high))
    wide = (WIDTH - 2 * MARGIN - GAP) / 2
    for i, (colour, word) in enumerate(((BEFORE, "original"), (AFTER, "adversarial"))):
        swatch = WIDTH - MARGIN - 330 + 150 * i
        pen.box((swatch, y - 2), (20, 20), colour)
        pen.text((swatch + 28, y + 16), word, 22)
    for c, name in enumerate(classes):
        x = MARGIN + c * (wide + GAP)
        mean = peaks[:, c].mean(1)
        words = peaks_words(short(name, 24), float(mean[0]), float(mean[1]))
        pen.text((x, y + 44), short(words, 70), 24)
        _bars(pen, names[c], peaks[:, c], errors[:, c], ticks, (x, y + 60, wide))


def _bars(
    pen: Pen,
    names: Sequence[str],
    values: Float[np.ndarray, "2 n"],
    errors: Float[np.ndarray, "2 n"],
    ticks: Float[np.ndarray, " t"],
    at: tuple[Number, Number, Number],
) -> None:
    (x, y, wide), left = at, 70.0
    scale = CHART / float(ticks[-1] - ticks[0])
    zero = y + float(ticks[-1]) * scale
    for tick in ticks:
        pen.box((x + left, zero - float(tick) * scale), (wide - left, 1), LINE)
        pen.text((x + left - 10, zero - float(tick) * scale + 7), f"{tick:.3g}", 20, SOFT, "rs")
    step = (wide - left) / len(names)
    for i, name in enumerate(names):
        for j, colour in enumerate((BEFORE, AFTER)):
            value, error = float(values[j, i]), float(errors[j, i])
            start = x + left + step * (i + 0.15 + 0.35 * j)
            pen.box(
                (start, zero - max(0.0, value) * scale), (step * 0.35, abs(value) * scale), colour
            )
            if error > 0:
                top = zero - (value + error) * scale
                pen.box((start + step * 0.175 - 1, top), (3, 2 * error * scale), INK)
        pen.text((x + left + step * (i + 0.5), y + CHART + 30), name, 22, INK, "ms")
