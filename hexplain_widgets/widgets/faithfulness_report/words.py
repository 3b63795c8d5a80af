"""What a report on faithfulness says: its verdict in a sentence, its table, its legends."""

from __future__ import annotations

import html

from ...evidence import ESTIMATORS, FaithfulnessSummary, StepFaithfulness
from ...pictures.page import number
from .._shared import agreement
from .._shared.agreement import DEGREES, POOR, POOR_COLOUR, Wording
from .._shared.report import plain_number

LONG = {
    "AA": "average activation",
    "MA": "maximum activation",
    "AG": "average gradient",
    "MG": "maximum gradient",
}


def heading(summary: FaithfulnessSummary) -> str:
    """Return the head of the report, with its verdict in words, as HTML."""
    images = "one image" if summary.images == 1 else f"{summary.images} images"
    title = f"<h2>How far to trust this? <small>{images}</small></h2>"
    notes = "".join(f"<p class='hx-note'>{html.escape(note)}</p>" for note in summary.notes)
    return f"{title}{verdict(summary)}{notes}"


def verdict(summary: FaithfulnessSummary) -> str:
    """Return in a sentence how far the weakest step can be trusted, its figures behind, as HTML."""
    known = [step for step in summary.steps if step.counted[0]]
    if not known:
        return (
            "<p role='status'>No step could be compared with ablation: contributions are all the"
            " same.</p>"
        )
    weak = min(known, key=lambda step: float(step.pearson[0]))
    r, low = float(weak.pearson[0]), min(float(step.lowest[0]) for step in known)
    # one image that agrees poorly leaves the others as they are: no more than in part
    check = {"r": min(r, POOR) if low < POOR else r, "count": weak.channels, "parts": "channels"}
    where = "every step" if r >= POOR else f"{weak.deep} → {weak.shallow}"
    line = agreement.folded(check, Wording(f"the order of channels at {where}"), ())
    return line + _figures(weak, r, low, summary.images)


def _figures(weak: StepFaithfulness, r: float, low: float, images: int) -> str:
    agree = f"Contributions agree{DEGREES[agreement.verdict(r)]} with ablation at"
    said = f"{agree} every step: r is at least {plain_number(r)}"
    said = said if r >= POOR else f"{agree} {name_of(weak)}: {_r(r)}"
    single = "" if images == 1 else f"; on a single image it falls to {plain_number(low)}"
    red = f" style='color:{POOR_COLOUR};font-weight:600'" if min(r, low) < POOR else ""
    return f"<p class='hx-told'><span{red}>{said}{single}.</span></p>"


def name_of(step: StepFaithfulness) -> str:
    """Return what a step leads from and to, as HTML."""
    return f"{html.escape(step.deep)} → {html.escape(step.shallow)}"


def table(summary: FaithfulnessSummary) -> str:
    """Return Table 1 with the lowest image, ranks and numbers of channels, as HTML."""
    heads = [f"<abbr title='{LONG[name]}'>{name}</abbr>" for name in ESTIMATORS]
    heads = ["step", *heads, "lowest", "ranks", "activated", "overlapping", "channels"]
    head = "".join(f"<th scope='col'>{text}</th>" for text in heads)
    rows = "".join(_row(step) for step in summary.steps)
    return (
        "<table class='hx-table'><caption>Correlation with ablation to zero, mean over images ±"
        f" its standard error</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _row(step: StepFaithfulness) -> str:
    means = [
        f"{plain_number(float(r))} ± {plain_number(float(e))}" if e else plain_number(float(r))
        for r, e in zip(step.pearson, step.errors, strict=True)
    ]
    cells = [f"<td>{m if n else '–'}</td>" for m, n in zip(means, step.counted, strict=True)]
    # the first is ours: what others reach is no reason to distrust this decomposition
    if step.counted[0]:
        cells[0] = _cell(float(step.pearson[0]), means[0])
    low = float(step.lowest[0])
    cells += [_cell(low, plain_number(low)), f"<td>{plain_number(step.ranks)}</td>"]
    cells += [f"<td>{number(n)}</td>" for n in (step.activated, step.overlapping, step.channels)]
    return f"<tr><th scope='row'>{name_of(step)}</th>{''.join(cells)}</tr>"


def _cell(value: float, text: str) -> str:
    poor = f" style='color:{POOR_COLOUR};font-weight:600'" if value < POOR else ""
    return f"<td{poor}>{text}</td>"


def _r(value: float) -> str:
    return f"r = {plain_number(value)}"
