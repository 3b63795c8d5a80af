"""How far what a view says can be trusted: a sentence from one table, and the figures behind it.

Thresholds, sentences and their table stand in `agreement.json`; views hand it to the browser with
their state, so that both sides read the same words. docs/trust.md shows the table.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import traitlets

from ...evidence import Faithfulness
from ...pictures.page import percent
from .payload import six_digits, six_digits_or_none
from .view import synced

WORDS: Mapping[str, Any] = json.loads(
    Path(__file__).with_suffix(".json").read_text(encoding="utf-8")
)
# correlations with ablation from which on estimates agree, and below which they are not relied on
GOOD, POOR = float(WORDS["good"]), float(WORDS["poor"])
DEGREES: Mapping[str, str] = WORDS["degrees"]
# Of fewer parts a correlation is as good by chance in one of ten.
FEWEST = int(WORDS["fewest"])
POOR_COLOUR = "var(--jp-error-color1)"
_SOFT = "var(--jp-ui-font-color2)"
# darker than the theme's, for letters
_GOOD = "color-mix(in srgb, var(--jp-success-color1, #2e7d32) 75%, var(--jp-ui-font-color1))"
_COLOURS = {"measured": _GOOD, "good": _GOOD, "poor": POOR_COLOUR}

Check = Mapping[str, Any]


@dataclass(frozen=True)
class Wording:
    """What a sentence of trust speaks of: `what` may be trusted, to what `subject` it belongs.

    `total` is the sum of all contributions as a share of `whole`, `shown` the share of them that is
    on the screen, None where that is not known.
    """

    what: str
    subject: str = ""
    whole: str = ""
    they: str = "together they"
    total: float | None = None
    shown: float | None = None
    measured: bool = False


def trust_words() -> Any:
    """Return the trait by which a view hands the table of sentences to the browser."""
    return synced(traitlets.Dict, default_value=dict(WORDS))


def faithfulness_fields(
    found: Faithfulness, estimate: str = "", instead: str = ""
) -> dict[str, Any]:
    """Return what a view says of how far an explanation agrees with ablation.

    `estimate` is what was compared, nothing where that is the view itself; `instead` is what
    removed parts are set to, nothing where that is zero.
    """
    fields = {
        "r": six_digits_or_none(found.pearson),
        "rank": six_digits_or_none(found.spearman),
        "rest": six_digits_or_none(found.rest),
        "count": len(found.drops),
        "parts": found.parts,
        **({"instead": instead} if instead else {}),
        "images": found.images,
        "seconds": six_digits(found.seconds),
    }
    return with_lines(fields, estimate)


def with_lines(check: Check, estimate: str = "") -> dict[str, Any]:
    """Return a check with its figures in words, as `lines`."""
    return {**check, "lines": _lines(check, estimate)}


def verdict(r: float | None) -> str:
    """Return what a correlation with ablation is: good, fair, poor, or unknown without one."""
    if r is None:
        return "unknown"
    return "good" if r >= GOOD else "fair" if r >= POOR else "poor"


def kind_of(check: Check | None) -> str:
    """Return the row of the table that a check (the fields of a Faithfulness) stands in.

    A correlation of few parts, or that one of them decides, is not good, however high it is.
    """
    if check is None:
        return "unchecked"
    kind, rest = verdict(check["r"]), check.get("rest")
    if kind not in ("good", "fair"):
        return kind
    if check["count"] < FEWEST:
        return "few"
    if rest is not None and rest < POOR:
        return "dominated"
    # a mean is no more than fair where one image is poor
    low = POOR if check.get("least", 1.0) < POOR else 1.0
    return verdict(min(check["r"], 1.0 if rest is None else rest, low))


def completeness(total: float | None) -> str:
    """Return how far contributions add up: whole, part, off (to something else), or unknown."""
    if total is None:
        return "unknown"
    if not 0 <= total <= WORDS["most"]:
        return "off"
    return "whole" if total >= WORDS["least"] else "part"


def coverage(shown: float | None) -> str:
    """Return whether all that adds to a decision is on the screen, or some of it."""
    return "all" if shown is None or shown >= WORDS["all"] else "some"


def sentence(check: Check | None, wording: Wording) -> str:
    """Return in one sentence how far something can be trusted, by the table's cell."""
    kind = "measured" if wording.measured else kind_of(check)
    side = "sure" if kind in WORDS["sure"] else "said"
    tail = WORDS["tails"][side][completeness(wording.total)][coverage(wording.shown)]
    places = _places(check, wording)
    words = f"{WORDS['heads'][kind]}{tail}.".format(**places)
    if wording.subject:
        return f"{wording.subject}: {words}"
    return words[0].upper() + words[1:]


def _places(check: Check | None, wording: Wording) -> dict[str, str]:
    return {
        "what": wording.what,
        "they": wording.they,
        "whole": wording.whole,
        "count": str((check or {}).get("count", "")),
        "parts": str((check or {}).get("parts", "parts")),
        "sum": "" if wording.total is None else _share(wording.total),
        "shown": "" if wording.shown is None else _share(wording.shown),
        "good": str(GOOD),
        "poor": str(POOR),
    }


def figures(check: Check | None, wording: Wording) -> tuple[str, ...]:
    """Return the numbers behind a sentence in words, one line each."""
    places = _places(check, wording)
    known = [] if check is None else check.get("lines", ())
    sums = [WORDS["sum"].format(**places)] if wording.total is not None else []
    shown = [WORDS["shown"].format(**places)] if wording.shown is not None else []
    return (*known, *sums, *(shown if wording.whole else []))


def _lines(check: Check, estimate: str) -> list[str]:
    who = f"{estimate} " if estimate else ""
    over = f" in {check['images']} images" if check.get("images", 1) > 1 else ""
    instead = f" set to their {check['instead']}" if check.get("instead") else ""
    parts, seconds = f"{check['count']} {check['parts']}{instead}{over}", check.get("seconds")
    if check["r"] is None:
        return [who + WORDS["constant"].format(parts=parts)]
    took = "" if seconds is None else f", {_time(seconds)}"
    known = WORDS["known"].format(
        degree=DEGREES[verdict(check["r"])],
        r=f"{r_of(check['r'])}{check.get('lowest', '')}",
        size=f"{parts}{took}",
    )
    rest = check.get("rest")
    return [who + known, *([] if rest is None else [WORDS["rest"].format(r=r_of(rest))])]


def weakly(peak: float, most: float) -> str:
    """Return how weak a map on its own scale is beside others, by peaks; empty where it is not."""
    if most <= 0 or peak >= WORDS["weak"] * most:
        return ""
    return str(WORDS["weakly"]).format(share=percent(max(0.0, peak) / most))


def r_of(value: float) -> str:
    """Return a correlation to two places.

    >>> r_of(-0.125)
    '−0.12'
    """
    return f"{value:.2f}".replace("-", "−")


def _share(value: float) -> str:
    return percent(value).replace("-", "−")


def _time(seconds: float) -> str:
    return "< 0.1 s" if seconds < 0.05 else f"{seconds:.{1 if seconds < 9.95 else 0}f} s"


# parts of a page


def trust_line(check: Check | None, wording: Wording, needs: str = "") -> str:
    """Return the sentence as part of a page, its figures and what they mean on opening it.

    It is red where it is poor; `needs` is what a check that was not made takes.
    """
    return folded(check, wording, figures(check, wording), needs)


def folded(check: Check | None, wording: Wording, lines: Sequence[str], needs: str = "") -> str:
    """Return the sentence as part of a page, with these lines of text behind it."""
    kind = "measured" if wording.measured else kind_of(check)
    colour = POOR_COLOUR if kind == "poor" else _SOFT
    mark = f"<b aria-hidden='true' style='color: {_COLOURS.get(kind, _SOFT)}'>"
    said = f"{mark}{WORDS['marks'][kind]}</b> {html.escape(sentence(check, wording))}"
    muted = f" <small>{html.escape(needs)}</small>" if needs else ""
    body = "".join(
        f"<p style='margin: 2px 0'>{html.escape(line)}</p>" for line in (*lines, *meaning(check))
    )
    return (
        f"<details style='margin: 0; color: {_SOFT}'>"
        f"<summary style='cursor: pointer; list-style: none'>"
        f"<span role='status' style='color: {colour}'>{said}</span>{muted}"
        f" <u>{html.escape(WORDS['ask'])}</u></summary>{body}</details>"
    )


def meaning(check: Check | None) -> list[str]:
    """Return in words what the figures of a check are."""
    return [text.format(**_places(check, Wording(""))) for text in WORDS["meaning"]]
