"""How far a class's importances agree with ablation, as a line of a page."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from ..faithfulness_report.words import GOOD, POOR, POOR_COLOUR

_SOFT, _WELL = "var(--jp-ui-font-color2)", "var(--jp-success-color1, #2e7d32)"
_HINT = (
    "For this, pass labelled images when the view is made: ChannelBars(chip, target, data=images)"
)
_UNKNOWN = ("–", "", _SOFT)
_VERDICTS = (
    (GOOD, ("✓", "agrees", _WELL)),
    (POOR, ("≈", "agrees in part", _SOFT)),
    (-float("inf"), ("✗", "agrees poorly", POOR_COLOUR)),
)


def agreement_line(found: Mapping[str, Any] | None, subject: str) -> str:
    """Return what a check (the fields of a Faithfulness) says of a class, red where it is little.

    None is a class that was not checked.
    """
    if found is None:
        return _line(f"<span title='{_HINT}'>not checked against ablation</span>", _SOFT)
    mark, _, colour = _verdict(found["r"])
    sign = f"<b aria-hidden='true' style='color: {colour}'>{mark}</b>"
    poor = colour == POOR_COLOUR
    words = f"{sign} {html.escape(_told(found, subject))}"
    return _line(words, POOR_COLOUR if poor else _SOFT, "600" if poor else "400")


def _verdict(r: float | None) -> tuple[str, str, str]:
    return _UNKNOWN if r is None else next(said for least, said in _VERDICTS if r >= least)


def _told(found: Mapping[str, Any], subject: str) -> str:
    r, over = found["r"], f" in {found['images']} images" if found["images"] > 1 else ""
    size = f"{found['count']} {found['parts']}{over}"
    if r is None:
        return f"{subject} cannot be compared with ablation: all {size} weigh the same"
    _, how, colour = _verdict(r)
    doubt = ": do not rely on these importances" if colour == POOR_COLOUR else ""
    number = f"{r:.2f}".replace("-", "−")
    return f"{subject} {how} with ablation: r = {number} ({size}, {_time(found['seconds'])}){doubt}"


def _time(seconds: float) -> str:
    return "< 0.1 s" if seconds < 0.05 else f"{seconds:.{1 if seconds < 9.95 else 0}f} s"


def _line(words: str, colour: str, weight: str = "400") -> str:
    style = f"margin: 0; color: {colour}; font-weight: {weight}"
    return f"<p role='status' style='{style}'>{words}</p>"
