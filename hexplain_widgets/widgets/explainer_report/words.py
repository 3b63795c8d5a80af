"""What a report on an explainer says: its verdicts in sentences, and Tables 1 and 2."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ...arguments import counted
from ...evidence import AdditiveReport, ExplainerCapacity
from ...pictures.page import number, percent
from .._shared.report import UNKNOWN, plain_number, with_error
from .charts import EVERY, PLAIN, WITH, standard_errors

# So many standard errors, and so large a share, are two figures apart.
APART, SHARE = 2.0, 0.05


def report_verdict(report: AdditiveReport) -> str:
    """Return in a few sentences how far the explainer can be relied on."""
    said = [_spread(report), _capacity(report), _parts(report)]
    return " ".join(one for one in said if one)


def _spread(report: AdditiveReport) -> str:
    ours, plain = report.ours.entropy, report.plain.entropy
    many, few = (number(np.exp(float(one.mean())), 2) for one in (ours, plain))
    figures = f"as evenly as over {many} concepts, by plain distillation over {few}"
    if differ(ours, plain) <= 0 and not differ(plain, ours):
        return f"With and without the prior contributions spread alike: {figures}."
    more = (
        "keeps the explainer from explaining by few"
        if differ(ours, plain)
        else ("has it explain by fewer")
    )
    return f"The prior {more}: contributions spread {figures}."


def differ(one: Float[np.ndarray, " s"], other: Float[np.ndarray, " s"]) -> bool:
    """Whether the first is larger than the second by more than its error and a slight share."""
    away = float(one.mean() - other.mean())
    spread = float(np.hypot(standard_errors(one), standard_errors(other)))
    return away > max(APART * spread, SHARE * abs(float(other.mean())))


def _capacity(report: AdditiveReport) -> str:
    away = percent(float(report.ours.deviation.mean()))
    right, own = percent(float(report.ours.accuracy.mean())), percent(report.performer_accuracy)
    return (
        f"It is off by {away} of the scores' range, and judges {right} of the images right, the"
        f" network {own}."
    )


def _parts(report: AdditiveReport) -> str:
    ours, plain = report.ours.part_error, report.plain.part_error
    if ours is None or plain is None:
        return ""
    off, other = (plain_number(float(one.mean()), 3) for one in (ours, plain))
    return (
        f"Contributions of parts are off by {off} of the mean score, those of plain distillation"
        f" by {other}."
    )


def table_rows(report: AdditiveReport) -> list[list[str]]:
    """Return Tables 1 and 2 and the mean of Table 3: a head, both explainers and the network."""
    columns = [
        ["", WITH, PLAIN, "the network itself"],
        ["entropy (nats)", *_pair(report.ours.entropy, report.plain.entropy), UNKNOWN],
        [
            "accuracy",
            *_pair(report.ours.accuracy, report.plain.accuracy),
            plain_number(report.performer_accuracy, 3),
        ],
        ["relative deviation", *_pair(report.ours.deviation, report.plain.deviation), "0"],
    ]
    ours, plain = report.ours.part_error, report.plain.part_error
    if ours is not None and plain is not None:
        columns.append([f"error, {EVERY}", *_pair(ours.mean(1), plain.mean(1)), UNKNOWN])
    return [list(row) for row in zip(*columns, strict=True)]


def parts_rows(report: AdditiveReport) -> list[list[str]]:
    """Return Table 3: the error of every part's contribution, a head and a row for each."""
    if report.ours.part_error is None or report.plain.part_error is None:
        return []
    pairs = zip(report.ours.part_error.T, report.plain.part_error.T, strict=True)
    rows = [
        [name, *_pair(ours, plain)] for name, (ours, plain) in zip(report.names, pairs, strict=True)
    ]
    return [["part", WITH, PLAIN], *rows]


def _pair(ours: Float[np.ndarray, " s"], plain: Float[np.ndarray, " s"]) -> list[str]:
    return [with_error(float(one.mean()), float(standard_errors(one)), 3) for one in (ours, plain)]


def capacity_verdict(capacity: ExplainerCapacity) -> str:
    """Return in a sentence or two what more concepts bring."""
    first, last = int(capacity.counts[0]), int(capacity.counts[-1])
    ends = capacity.deviation[:, 0], capacity.deviation[:, -1]
    away = [percent(float(one.mean())) for one in ends]
    lost = [percent(float(capacity.lost[:, n].mean())) for n in (0, -1)]
    if first == last:
        return f"{_of(last)}: off by {away[1]} of the scores' range, {lost[1]} accuracy lost."
    verdict = "More concepts explain more" if differ(*ends) else "More concepts explain no more"
    return (
        f"{verdict}: from {first} to {counted(last, 'concept')} of {len(capacity.names)} the"
        f" distance from the score goes from {away[0]} to {away[1]} of its range, the accuracy that"
        f" is lost from {lost[0]} to {lost[1]}."
    )


def _of(count: int) -> str:
    return f"Of {counted(count, 'concept')}" if count == 1 else f"With {count} concepts"
