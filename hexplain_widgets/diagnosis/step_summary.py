"""One step of decompositions over many images, in figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ..evidence import StepFaithfulness
from ..evidence.faithfulness import pearson
from .step_measures import FRACTIONS, Measured

POINTS = 101  # of a curve of sorted contributions


def step_summary(deep: str, shallow: str, found: Sequence[Measured]) -> StepFaithfulness:
    """Return the figures of one step over the images that got that far down (Table 1, Fig. 6-7).

    `deep` is "logits" at the top. Correlations are over the images where they are defined, and 0
    where there is none.
    """
    rows = np.array([[pearson(e, one.found.drops) for e in one.estimates] for one in found])
    left = np.array([one.remaining for one in found])
    curves = np.array([_sorted(one) for one in found])
    ranks = [one.found.spearman for one in found if one.found.spearman is not None]
    return StepFaithfulness(
        deep=deep,
        shallow=shallow,
        channels=found[0].estimates.shape[1],
        pearson=_over(rows, np.mean),
        errors=_over(rows, lambda column: standard_error(column[:, None])[0]),
        lowest=_over(rows, np.min),
        counted=np.isfinite(rows).sum(0),
        ranks=float(np.mean(ranks)) if ranks else 0.0,
        fractions=FRACTIONS,
        remaining=left.mean(0),
        remaining_errors=standard_error(left),
        estimates=curves[:, 0].mean(0),
        drops=curves[:, 1].mean(0),
        activated=float(np.mean([one.activated for one in found])),
        overlapping=float(np.mean([one.overlapping for one in found])),
    )


def standard_error(values: Float[np.ndarray, " n *m"]) -> Float[np.ndarray, "*m"]:
    """Return the standard error of the mean over the first axis, 0 for a single value."""
    if len(values) < 2:
        return np.zeros(values.shape[1:])
    found: Float[np.ndarray, " ..."] = values.std(0, ddof=1) / len(values) ** 0.5
    return found


def _over(rows: Float[np.ndarray, "n m"], take: object) -> Float[np.ndarray, " m"]:
    columns = [column[np.isfinite(column)] for column in rows.T]
    return np.array([float(take(c)) if len(c) else 0.0 for c in columns])  # type: ignore[operator]


def _sorted(one: Measured) -> Float[np.ndarray, "2 p"]:
    """Return both sides sorted by size, at even ranks, in shares of the largest drop (Fig. 7)."""
    sides = one.found.estimates, one.found.drops
    largest = float(np.abs(one.found.drops).max()) or 1.0
    places = np.linspace(0, 1, len(sides[0]))
    at = np.linspace(0, 1, POINTS)
    return np.stack([np.interp(at, places, np.sort(side)[::-1] / largest) for side in sides])
