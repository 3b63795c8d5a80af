"""Inference distances within and between sets of images (CHAIN, Eq. 23-25), and their space."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float, Int

# Ways of drawing sets at random that a test looks at.
DRAWS = 2000


@dataclass(frozen=True, eq=False)
class Space:
    """Principal components: `points` are the first three, `explained_variance` their shares."""

    points: Float[np.ndarray, "n 3"]
    explained_variance: Float[np.ndarray, " 3"]


def principal(weights: Float[np.ndarray, "n k"]) -> Space:
    """Return the first three principal components of vectors; zeros where there are fewer.

    Signs are such that the largest entry of each axis is positive.
    """
    centred = weights - weights.mean(axis=0)
    _, scale, axes = np.linalg.svd(centred, full_matrices=False)
    some = np.flatnonzero(scale[:3] > 1e-9 * max(scale[0], 1e-12))
    signs = np.sign(axes[some, np.abs(axes[some]).argmax(axis=1)])
    points, explained = np.zeros((len(weights), 3)), np.zeros(3)
    points[:, some] = centred @ axes[some].T * signs
    explained[some] = scale[some] ** 2 / (scale**2).sum()
    return Space(points, explained)


def distances(
    weights: Float[np.ndarray, "n k"], sets: Int[np.ndarray, " n"], count: int
) -> Float[np.ndarray, "s s"]:
    """Return the distances of set centres (Eq. 25), on the diagonal those within sets (Eq. 23)."""
    centres = np.stack([weights[sets == s].mean(axis=0) for s in range(count)])
    found: Float[np.ndarray, "s s"] = np.linalg.norm(centres[:, None] - centres, axis=-1)
    for s in range(count):
        found[s, s] = np.linalg.norm(weights[sets == s] - centres[s], axis=1).mean()
    return found


def p_values(
    weights: Float[np.ndarray, "n k"],
    sets: Int[np.ndarray, " n"],
    count: int,
    *,
    seed: int,
    draws: int = DRAWS,
) -> Float[np.ndarray, "s s"]:
    """Return how often two sets, drawn at random from both, lie at least as far apart as they do.

    A permutation test of the distance of centres: the share of `draws` divisions into sets of the
    same sizes, the one found counted among them. 1 on the diagonal.
    """
    found = np.ones((count, count))
    random = np.random.default_rng(seed)
    for s, t in combinations(range(count), 2):
        both = weights[(sets == s) | (sets == t)]
        first = int((sets == s).sum())
        found[s, t] = found[t, s] = _share_as_far(both, sets[(sets == s) | (sets == t)] == s,
                                                  first, random, draws)  # fmt: skip
    return found


def _share_as_far(
    both: Float[np.ndarray, "n k"],
    own: Bool[np.ndarray, " n"],
    first: int,
    random: np.random.Generator,
    draws: int,
) -> float:
    """Compare by inner products alone, so that a draw costs n² however long the vectors are."""
    centred = both - both.mean(axis=0)
    gram = centred @ centred.T
    order = random.random((draws, len(both))).argsort(axis=1)
    chosen = np.concatenate([own[None], order < first])
    signs = np.where(chosen, 1 / first, -1 / (len(both) - first))
    apart = np.einsum("dn,dn->d", signs @ gram, signs)
    return float((apart >= apart[0] * (1 - 1e-9)).mean())
