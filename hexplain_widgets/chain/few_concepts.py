"""The few concepts that one concept rests on: Eq. 19 of CHAIN, alone and with where they lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import softmax

from ..network.localize import upsampled
from ..solvers.best_subset import Subset, best_subset
from .harmonize import USELESS, Harmonized

# Below this share of the best slope a concept is no candidate where places count: it would be
# taken for what it leaves out of others. This and CLAIM were chosen on the embedded world.
CLOSE = 0.7
# How much more of a map makes e times the claim on a place.
CLAIM = 0.25
# A weight below this share of the largest explains nothing.
NEGLIGIBLE = 1e-3


@dataclass(frozen=True, eq=False)
class Place:
    """Where concepts lie in an image, at one resolution, each centred and of unit length.

    `parent` is the map of the concept that is inferred, `offered[j]` that of a concept it may rest
    on. `weight` is how much places count beside directions.
    """

    parent: Float[np.ndarray, " p"]
    offered: Float[np.ndarray, "n p"]
    weight: float


class FewConcepts:
    """Explains inference weights at a layer by at most `most` of the concepts of its level."""

    def __init__(self, level: Harmonized, most: int) -> None:
        self._level = level
        self._most = most
        self._some = np.flatnonzero(offered(level))
        self._columns = _unit(level.weights[self._some])

    def maps(self, activations: Float[np.ndarray, "k h w"]) -> Float[np.ndarray, "n p"]:
        """Return where the offered concepts lie in an image, centred and of unit length.

        Each place is shared among the concepts by how strongly their maps claim it (a softmax): a
        map is 1 where its concept is and 0 elsewhere only on average.
        """
        found = np.tensordot(self._level.weights[self._some], activations, 1)
        found += self._level.bias[self._some][:, None, None]
        flat: Float[np.ndarray, "n p"] = found.reshape(len(found), activations[0].size)
        claimed = softmax(flat / CLAIM, axis=0) if len(flat) else flat
        return _unit(claimed - claimed.mean(axis=1, keepdims=True))

    def resting(self, weights: Float[np.ndarray, " k"], place: Place | None = None) -> Subset:
        """Return the contribution weight of every concept of the level, 0 for most.

        Without a place the best subset by Eq. 19 as printed, of either sign. With one, directions
        and places count together: `|w - Phi alpha|²/|w|² + weight² |m - Psi alpha|²` is minimised
        over nonnegative weights, where `m` is the place of the parent and `Psi` are those of the
        concepts. `unexplained` is the share of |w|² that the chosen directions leave.
        """
        length = float(np.linalg.norm(weights))
        if place is None or length == 0 or not place.parent.any() or not len(self._some):
            return self._spread(best_subset(self._columns.T, weights, self._most))
        target = np.concatenate([weights / length, place.weight * place.parent])
        columns = np.concatenate([self._columns, place.weight * place.offered], axis=1)
        close = _close(columns @ target)
        if not len(close):
            return self._spread(Subset(np.zeros(len(self._some)), 1.0, True))
        few = best_subset(columns[close].T, target, self._most, nonnegative=True)
        alpha = np.zeros(len(self._some))
        alpha[close] = few.alpha * length / np.linalg.norm(columns[close], axis=1)
        return self._spread(Subset(alpha, self._left(alpha != 0, weights), few.exact))

    def _left(self, chosen: Bool[np.ndarray, " n"], weights: Float[np.ndarray, " k"]) -> float:
        columns = self._columns[chosen].T
        fitted = columns @ np.linalg.lstsq(columns, weights)[0]
        return float(np.clip(1 - fitted @ fitted / (weights @ weights), 0, 1))

    def _spread(self, few: Subset) -> Subset:
        alpha = np.zeros(len(self._level.concepts))
        small = np.abs(few.alpha) < NEGLIGIBLE * np.abs(few.alpha).max(initial=0.0)
        alpha[self._some] = np.where(small, 0.0, few.alpha)
        return Subset(alpha, few.unexplained, few.exact)


def offered(level: Harmonized) -> Bool[np.ndarray, " e"]:
    """Return which concepts of a level can be rested on: those with a direction of any use."""
    useless = np.array([level.flags.get(name) == USELESS for name in level.concepts])
    found: Bool[np.ndarray, " e"] = level.usable & ~useless
    return found


def placed(map_: Float[np.ndarray, "h w"], size: tuple[int, int]) -> Float[np.ndarray, " p"]:
    """Return where a concept lies, at another resolution: its map from 0 to 1, centred, unit."""
    found = np.clip(upsampled(map_, size), 0, 1).ravel()
    own: Float[np.ndarray, "1 p"] = (found - found.mean())[None]
    unit: Float[np.ndarray, " p"] = _unit(own)[0]
    return unit


def _unit(rows: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    found: Float[np.ndarray, "n k"] = rows / np.where(length > 1e-12, length, np.inf)
    return found


def _close(slope: Float[np.ndarray, " n"]) -> Int[np.ndarray, " c"]:
    found: Int[np.ndarray, " c"] = np.flatnonzero((slope > 0) & (slope >= CLOSE * slope.max()))
    return found
