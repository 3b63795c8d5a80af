"""How far what a view says agrees with ablation: its verdict, and the line that says it.

Thresholds and sentences stand in `agreement.json`, with which the browser's part is built too.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...evidence.faithfulness import Faithfulness, faithfulness

WORDS: Mapping[str, Any] = json.loads(
    Path(__file__).with_suffix(".json").read_text(encoding="utf-8")
)
# correlations with ablation from which on estimates agree, and below which they are not relied on
GOOD, POOR = float(WORDS["good"]), float(WORDS["poor"])
DEGREES: Mapping[str, str] = WORDS["degrees"]
# Of fewer parts a correlation is as good by chance in one of ten.
FEWEST = 5
POOR_COLOUR = "var(--jp-error-color1)"
_SOFT = "var(--jp-ui-font-color2)"
_COLOURS = {
    "good": "var(--jp-success-color1, #2e7d32)",
    "fair": _SOFT,
    "poor": POOR_COLOUR,
    "unknown": _SOFT,
}
_HINT = (
    "For this, pass labelled images when the view is made: ChannelBars(chip, target, data=images)"
)


def verdict(r: float | None) -> str:
    """Return what a correlation with ablation is: good, fair, poor, or unknown without one."""
    if r is None:
        return "unknown"
    return "good" if r >= GOOD else "fair" if r >= POOR else "poor"


def caution(found: Faithfulness) -> str:
    """Return in words why a good correlation says little: of few parts, or decided by one of them.

    Empty where it is not good, or says what it seems to.
    """
    if found.pearson is None or found.pearson < GOOD:
        return ""
    left = _without_largest(found)
    if len(found.drops) < FEWEST or left is None:
        return str(WORDS["few"])
    if left >= GOOD:
        return ""
    return str(WORDS["dominated"]).format(r=f"r = {left:.2f}".replace("-", "−"))


def _without_largest(found: Faithfulness) -> float | None:
    """Return the correlation without the part furthest from the others, None where there is none.

    Each side in its own spread, so that neither outweighs the other.
    """
    sides = [found.estimates, found.drops]
    far = sum(np.abs(side - np.median(side)) / (side.std() or 1) for side in sides)
    rest = np.arange(len(found.drops)) != int(np.argmax(far))
    return faithfulness(found.estimates[rest], found.drops[rest]).pearson


def agreement_line(check: Mapping[str, Any] | None, subject: str) -> str:
    """Return what a check (the fields of a Faithfulness) says of a class, red where it is little.

    None is a class that was not checked.
    """
    if check is None:
        return _line(f"<span title='{_HINT}'>not checked against ablation</span>", _SOFT)
    kind = verdict(check["r"])
    mark = WORDS["marks"][kind]
    sign = f"<b aria-hidden='true' style='color: {_COLOURS[kind]}'>{mark}</b>"
    words = f"{sign} {html.escape(f'{subject} {_sentence(check, kind)}')}"
    poor = kind == "poor"
    return _line(words, POOR_COLOUR if poor else _SOFT, "600" if poor else "400")


def _sentence(check: Mapping[str, Any], kind: str) -> str:
    over = f" in {check['images']} images" if check["images"] > 1 else ""
    count = f"{check['count']} {check['parts']}{over}"
    if kind == "unknown":
        return WORDS["unknown"].format(count=count)
    return WORDS["known"].format(
        degree=DEGREES[kind],
        r=f"{check['r']:.2f}".replace("-", "−"),
        size=f"{count}, {_time(check['seconds'])}",
        doubt=WORDS["doubt"].format(advice="these importances") if kind == "poor" else "",
    )


def _time(seconds: float) -> str:
    return "< 0.1 s" if seconds < 0.05 else f"{seconds:.{1 if seconds < 9.95 else 0}f} s"


def _line(words: str, colour: str, weight: str = "400") -> str:
    style = f"margin: 0; color: {colour}; font-weight: {weight}"
    return f"<p role='status' style='{style}'>{words}</p>"
