"""How far what a view says agrees with ablation: its verdict, and the line that says it.

Thresholds and sentences stand in `agreement.json`, with which the browser's part is built too.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

WORDS: Mapping[str, Any] = json.loads(
    Path(__file__).with_suffix(".json").read_text(encoding="utf-8")
)
# correlations with ablation from which on estimates agree, and below which they are not relied on
GOOD, POOR = float(WORDS["good"]), float(WORDS["poor"])
DEGREES: Mapping[str, str] = WORDS["degrees"]
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
