"""How good an additive explainer is: entropy, deviation, accuracy, error of contributions."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

# Of an image's score: where ablation moves less than this altogether, its shares say nothing.
LEAST_DROP = 0.05


def entropies(contributions: Float[np.ndarray, "n e"]) -> Float[np.ndarray, " n"]:
    """Return the entropy in nats of each image's absolute contributions, normalised (Table 1)."""
    sizes = np.abs(contributions)
    totals = sizes.sum(1, keepdims=True)
    shares = np.divide(sizes, totals, out=np.zeros_like(sizes), where=totals > 0)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return -(shares * logs).sum(1)


def relative_deviations(
    scores: Float[np.ndarray, " n"], explained: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Return each image's distance from its score, as a share of the scores' range (section 4.1).

    0 where all scores are the same and met, NaN where they are the same and missed.
    """
    span = float(scores.max() - scores.min())
    away = np.abs(scores - explained)
    return away / span if span > 0 else np.where(away > 0, np.nan, 0.0)


def best_accuracy_threshold(
    values: Float[np.ndarray, " n"], truth: Bool[np.ndarray, " n"]
) -> float:
    """Return the threshold above which to say yes so that most images are judged right.

    Halfway between two values; of several equally good ones the one nearest to 0.
    """
    order = np.sort(values)
    between = (order[1:] + order[:-1]) / 2
    candidates = np.concatenate([[order[0] - 1.0], between, [order[-1] + 1.0]])
    right = ((values[None] > candidates[:, None]) == truth[None]).mean(1)
    best = candidates[right == right.max()]
    return float(best[np.abs(best).argmin()])


def accuracy(
    values: Float[np.ndarray, " n"], truth: Bool[np.ndarray, " n"], threshold: float
) -> float:
    """Return the share of images judged right by a threshold."""
    return float(((values > threshold) == truth).mean())


def shares_by_ablation(
    scores: Float[np.ndarray, " n"], without: Float[np.ndarray, "n p"]
) -> Float[np.ndarray, "n p"]:
    """Return what each part contributes by ablation: `y dy_p / sum_p' dy_p'` (section 4.1).

    `without[i, p]` is the score of image `i` with part `p` removed. NaN in images whose drops
    cancel: below a twentieth of the score altogether their shares say nothing.
    """
    drops = scores[:, None] - without
    total = drops.sum(1)
    sure = np.abs(total) > LEAST_DROP * np.abs(scores)
    shares = np.full(drops.shape, np.nan)
    shares[sure] = scores[sure, None] * drops[sure] / total[sure, None]
    return shares


def part_errors(
    contributions: Float[np.ndarray, "n p"],
    truth: Float[np.ndarray, "n p"],
    scores: Float[np.ndarray, " n"],
) -> Float[np.ndarray, " p"]:
    """Return `E|contribution - truth| / E[y]` of every part (Table 3); NaN rows are left out."""
    known = np.isfinite(truth).all(1)
    return np.abs(contributions[known] - truth[known]).mean(0) / float(scores[known].mean())
