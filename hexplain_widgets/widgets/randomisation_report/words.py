"""What a report on randomisation says: which maps change with the network, in a sentence."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int

from ...evidence import RandomisationSummary
from ...pictures.page import percent
from .._shared.report import UNKNOWN, listed, plain_number, table_of, unfolded, with_error

# Of a map that stays as it is 1 is left, of one that is another 0.
GONE, THERE = 0.5, 0.8
_DEGREES = ("change with the network", "change in part", "hardly change")
_MEANING = {2: ": they show the image more than what was learnt"}


def left_of(summary: RandomisationSummary, method: int) -> float:
    """Return how much of a method's maps is left: by ranks, or by their strongest pixels.

    The larger of both means over the cascade, the second above what chance gives.
    """
    at = _places(summary, method)
    chance = np.minimum(summary.chance[at], 1 - 1e-9)
    stays = (summary.shared[method, at] - chance) / (1 - chance)
    return max(abs(_correlation(summary, method)), float(stays.mean()))


def _places(summary: RandomisationSummary, method: int) -> Int[np.ndarray, " n"]:
    """Return where something was drawn anew, and the method's maps could be compared."""
    return np.flatnonzero((summary.counts > 0) & (summary.counted[method] > 0))


def _correlation(summary: RandomisationSummary, method: int) -> float:
    return float(summary.correlations[method, _places(summary, method)].mean())


def degree_of(left: float) -> int:
    """Return 0 where a map is another, 1 where it is so in part, 2 where it stays."""
    return 0 if left < GONE else 1 if left < THERE else 2


def verdict_of(summary: RandomisationSummary) -> str:
    """Return in a sentence or two which maps change with the network."""
    if not summary.counts.any():
        return _of_other(summary)
    known = [m for m in range(len(summary.methods)) if len(_places(summary, m))]
    if not known:
        return "No map could be compared: they are the same everywhere."
    return f"{' '.join(_sentences(summary, known))} {_scope(summary)}"


def _sentences(summary: RandomisationSummary, known: list[int]) -> Iterator[str]:
    degrees = {m: degree_of(left_of(summary, m)) for m in known}
    for degree, words in enumerate(_DEGREES):
        some = [m for m in known if degrees[m] == degree]
        if some:
            told = listed([_told(summary, m) for m in some])
            yield f"The maps of {told} {words}{_MEANING.get(degree, '')}."


def _told(summary: RandomisationSummary, method: int) -> str:
    r = _correlation(summary, method)
    figure = f"r = {plain_number(r)}"
    if degree_of(abs(r)) < degree_of(left_of(summary, method)):  # what makes it stay is said
        stay = summary.shared[method, _places(summary, method)].mean()
        figure += f", but {percent(float(stay))} of the strongest pixels stay"
    return f"{summary.methods[method]} ({figure})"


def _scope(summary: RandomisationSummary) -> str:
    counts, layers = summary.counts[summary.counts > 0], len(summary.layers)
    if len(counts) == 1:
        return f"The topmost {counts[0]} of {layers} layers were drawn anew."
    ends = f"{counts.min()} to {counts.max()} of {layers}"
    return f"Means over {ends} layers drawn anew from the top down."


def _of_other(summary: RandomisationSummary) -> str:
    if summary.other is None or summary.other_counted is None:
        return "No weight was drawn anew: every map is held against itself."
    told = [
        f"{name} (r = {plain_number(float(r))})"
        for name, r, n in zip(summary.methods, summary.other, summary.other_counted, strict=True)
        if n
    ]
    if not told:
        return "No map could be compared: they are the same everywhere."
    return f"Held against the other network's maps: {listed(told)}."


def numbers_table(summary: RandomisationSummary) -> str:
    """Return all figures as a table to unfold, a row for each depth, as HTML."""
    heads = ["drawn anew, down to"]
    heads += [f"{name}: {kind}" for name in summary.methods for kind in ("r", "stay")]
    heads.append("by chance")
    rows = [_row(summary, n) for n in range(len(summary.counts))]
    caption = (
        "r: Spearman's rank correlation; stay: share of the strongest pixels; means over"
        " images ± standard error"
    )
    return unfolded(table_of(heads, rows, caption), "The curves as numbers")


def _row(summary: RandomisationSummary, n: int) -> list[str]:
    count = int(summary.counts[n])
    cells = [f"{count}: {summary.layers[count - 1]}" if count else "0"]
    for m in range(len(summary.methods)):
        pairs = ((summary.correlations, summary.errors), (summary.shared, summary.shared_errors))
        cells += [
            with_error(float(of[m, n]), float(error[m, n])) if summary.counted[m, n] else UNKNOWN
            for of, error in pairs
        ]
    return [*cells, plain_number(float(summary.chance[n]))]
