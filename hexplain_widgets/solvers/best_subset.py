"""Least squares with a bound on how many coefficients are not zero (CHAIN, Eq. 19)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import lapack, solve_triangular

# Steps of the exact search that are affordable; one looks at all pairs of columns that may follow.
# Measured for the best 5 of 50 to 60 columns: 10 to 2,000 steps, 20 ms to 2 s; with coefficients
# of one sign, whose bound takes a solution of its own, each costs several times as much.
AFFORDABLE, DEARER = 2_000, 4
# A column whose part outside of others is shorter than this (squared, of unit length) is one of
# them again; what a subset explains is compared to this share of the target.
_SAME, _ROUNDING = 1e-9, 1e-12
# Columns that may be added, each with what would be explained with them.
Offers = list[tuple[float, tuple[int, ...]]]


@dataclass(frozen=True, eq=False)
class Subset:
    """The few columns that explain a vector best.

    `alpha[j]` is the coefficient of column `j` scaled to unit length, 0 for all but a few.
    `unexplained` is the share of the target's squared length that is left, in 0..1. `exact` says
    that no other choice of as many columns leaves less; else it is the best that was found.
    """

    alpha: Float[np.ndarray, " n"]
    unexplained: float
    exact: bool


@dataclass(frozen=True, eq=False)
class _Branch:
    """Columns chosen so far, and what is left of the others outside of these.

    `rest` are the columns that may follow, `gram` and `slope` their products with each other and
    with the target, `explained` what the chosen ones explain of the target's squared length.
    """

    chosen: tuple[int, ...]
    rest: Int[np.ndarray, " r"]
    gram: Float[np.ndarray, "r r"]
    slope: Float[np.ndarray, " r"]
    explained: float

    def with_column(self, at: int) -> _Branch:
        """Choose one of the rest; those before it can no longer follow."""
        behind = slice(at + 1, None)
        column, length = self.gram[behind, at], self.gram[at, at]
        gram = self.gram[behind, behind] - np.outer(column, column) / length
        slope = self.slope[behind] - column * self.slope[at] / length
        free = gram.diagonal() > _SAME
        return _Branch(
            (*self.chosen, int(self.rest[at])),
            self.rest[behind][free],
            gram[np.ix_(free, free)],
            slope[free],
            self.explained + float(self.slope[at] ** 2 / length),
        )

    def at_most(self) -> Float[np.ndarray, " r"]:
        """Return what could be explained at best with one of the rest and any of those behind it.

        That is what all of them explain together: one Cholesky factor, from the last one on.
        """
        factor, failed = lapack.dpotrf(self.gram[::-1, ::-1], lower=1)
        whole = failed - 1 if failed > 0 else len(self.rest)
        bound = np.full(len(self.rest), np.inf)
        if whole:
            first = factor[:whole, :whole]
            parts = solve_triangular(first, self.slope[::-1][:whole], lower=True)
            bound[len(bound) - whole :] = self.explained + np.cumsum(parts**2)[::-1]
        return bound


@dataclass(eq=False)
class _Search:
    """The exact search under way: the best so far and how many steps are left."""

    gram: Float[np.ndarray, "n n"]
    slope: Float[np.ndarray, " n"]
    power: float
    nonnegative: bool
    steps: int
    best: tuple[int, ...] = ()
    explained: float = 0.0

    def offer(self, columns: tuple[int, ...]) -> bool:
        """Take columns if they explain more than the best so far; none explain nothing."""
        if not columns:
            return False
        alpha = self.solved(columns)
        if alpha is None or (self.nonnegative and (alpha <= 0).any()):
            return False
        explained = float(alpha @ self.slope[list(columns)])
        if explained <= self.floor:
            return False
        self.best, self.explained = columns, explained
        return True

    @property
    def floor(self) -> float:
        """What has to be passed, beyond rounding."""
        return self.explained + _ROUNDING * self.power

    def solved(self, columns: tuple[int, ...]) -> Float[np.ndarray, " s"] | None:
        """Return the coefficients of some columns, None where they depend on one another."""
        some = list(columns)
        factor, failed = lapack.dpotrf(self.gram[np.ix_(some, some)], lower=1)
        if failed or (factor.diagonal() ** 2 <= _SAME).any():
            return None
        return lapack.dpotrs(factor, self.slope[some], lower=1)[0]

    def below(self, branch: _Branch, left: int) -> bool:
        """Look at all ways to add up to `left` columns; say whether the steps were enough."""
        self.steps -= DEARER if self.nonnegative else 1
        if self.steps < 0:
            return False
        if self.nonnegative and self._explained_together(branch) <= self.floor:
            return True
        if left <= 2 or len(branch.rest) <= 2:
            self.offer_last(branch, left)
            return True
        if self.nonnegative:
            self.offer_last(branch, 1)
        bound = branch.at_most()
        for at in range(len(branch.rest)):
            if bound[at] > self.floor and not self.below(branch.with_column(at), left - 1):
                return False
        return True

    def _explained_together(self, branch: _Branch) -> float:
        """What the chosen columns and all that may follow explain with nonnegative coefficients."""
        some = [*branch.chosen, *branch.rest]
        root, point = _rooted(self.gram[np.ix_(some, some)], self.slope[some])
        _, left = _nonnegative(root, point)
        return float(point @ point - left**2)

    def offer_last(self, branch: _Branch, left: int) -> None:
        """Offer single columns and, where two are left, pairs; most promising first."""
        offers = _singles(branch, self.floor, self.nonnegative)
        if left >= 2:
            offers += _pairs(branch, self.floor, self.nonnegative)
        for _, columns in sorted(offers, key=lambda one: -one[0]):
            if self.offer((*branch.chosen, *columns)) and not self.nonnegative:
                return


def best_subset(
    columns: Float[np.ndarray, "k n"],
    target: Float[np.ndarray, " k"],
    at_most: int,
    *,
    nonnegative: bool = False,
    affordable: int = AFFORDABLE,
) -> Subset:
    """Minimise `|columns alpha - target|²` with at most `at_most` coefficients that are not zero.

    Columns are scaled to unit length first; one of length zero, or one that repeats another up to
    its sign (with `nonnegative`: with it), gets 0. Branch and bound over all subsets, begun at what
    orthogonal matching pursuit finds; where it takes more than `affordable` steps, the best subset
    so far is returned and `exact` is false; with `affordable=0` that is the pursuit's. With a bound
    of 1 it is the column of the largest absolute (`nonnegative`: the largest) product with the
    target. Raises ValueError for shapes that do not fit, values that are not finite and a bound
    below 1.
    """
    _check(columns, target, at_most)
    size, scaled = _scaled(target)
    unit, places = _distinct(_scaled(columns)[1], nonnegative)
    alpha = np.zeros(columns.shape[1])
    if size == 0 or len(places) == 0:
        return Subset(alpha, 0.0 if size == 0 else 1.0, True)
    length = float(np.linalg.norm(scaled))
    slope = unit.T @ (scaled / length)
    order = np.argsort(-np.abs(slope), kind="stable")
    unit, places, slope = unit[:, order], places[order], slope[order]
    search = _Search(unit.T @ unit, slope, 1.0, nonnegative, affordable)
    count = min(at_most, len(places), len(target))
    exact = _run(search, count)
    coefficients = search.solved(search.best) if search.best else None
    if coefficients is not None:
        alpha[places[list(search.best)]] = size * (length * coefficients)
    return Subset(alpha, float(np.clip(1 - search.explained, 0, 1)), exact)


def _run(search: _Search, count: int) -> bool:
    every = np.arange(len(search.slope))
    if count == 1:
        search.offer_last(_Branch((), every, search.gram, search.slope, 0.0), 1)
        return True
    for columns in _pursuit(search, count):
        search.offer(columns)
    if search.steps <= 0:
        return False
    return search.below(_Branch((), every, search.gram, search.slope, 0.0), count)


def _check(columns: np.ndarray, target: np.ndarray, at_most: int) -> None:
    fits = columns.ndim == 2 and target.shape == columns.shape[:1] and target.size > 0
    if not fits or not np.isfinite(columns).all() or not np.isfinite(target).all():
        raise ValueError(
            f"got columns of shape {columns.shape} for a target of shape {target.shape}; expected"
            " finite numbers, (K, n) and (K,); look for NaN in weights and concepts"
        )
    if at_most < 1:
        raise ValueError(
            f"got a bound of {at_most} coefficients; expected at least 1; 5 is usual for"
            " objects and parts"
        )


def _scaled(numbers: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the largest size among numbers, and all over it: their squares stay in range."""
    size = float(np.abs(numbers).max(initial=0.0))
    return size, numbers / size if size else numbers


def _distinct(
    columns: Float[np.ndarray, "k n"], nonnegative: bool
) -> tuple[Float[np.ndarray, "k m"], Int[np.ndarray, " m"]]:
    """Return columns of unit length, each once, and which they are."""
    lengths = np.linalg.norm(columns, axis=0)
    there = np.flatnonzero(lengths > _ROUNDING * lengths.max(initial=0.0))
    unit = columns[:, there] / lengths[there]
    alike = unit.T @ unit if nonnegative else np.abs(unit.T @ unit)
    again = np.triu(alike > 1 - _SAME / 2, 1).any(axis=0)
    return unit[:, ~again], there[~again]


def _pursuit(search: _Search, count: int) -> Iterator[tuple[int, ...]]:
    """Yield the columns of orthogonal matching pursuit, which the exact search begins at."""
    if search.nonnegative:
        yield from _nonnegative_pursuit(search, count)
        return
    # here, for loading scikit-learn takes as long as all of this package
    from sklearn.linear_model import orthogonal_mp_gram

    with warnings.catch_warnings():
        # dependent columns end the pursuit early; what it has then is a beginning like another
        warnings.simplefilter("ignore", RuntimeWarning)
        alpha = orthogonal_mp_gram(search.gram, search.slope, n_nonzero_coefs=count)
    yield tuple(map(int, np.flatnonzero(alpha)))


def _nonnegative_pursuit(search: _Search, count: int) -> Iterator[tuple[int, ...]]:
    root, point = _rooted(search.gram, search.slope)
    chosen: list[int] = []
    slope = search.slope.copy()
    for _ in range(count):
        slope[chosen] = -np.inf
        if slope.max() <= 0:
            return
        chosen.append(int(slope.argmax()))
        alpha, _ = _nonnegative(root[:, chosen], point)
        chosen = [c for c, a in zip(chosen, alpha, strict=True) if a > 0]
        yield tuple(sorted(chosen))
        slope = search.slope - search.gram[:, chosen] @ alpha[alpha > 0]


def _rooted(
    gram: Float[np.ndarray, "n n"], slope: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "n n"], Float[np.ndarray, " n"]]:
    """Return columns and a target of n numbers that have the same products."""
    root = np.linalg.cholesky(gram + _ROUNDING * np.eye(len(gram))).T
    return root, solve_triangular(root, slope, trans="T")


def _nonnegative(
    root: Float[np.ndarray, "n k"], point: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " k"], float]:
    """Return nonnegative coefficients of least squares, and the length of what they leave."""
    # here, for loading scipy.optimize takes a tenth of a second
    from scipy.optimize import nnls

    alpha, left = nnls(root, point)
    return alpha, float(left)


def _singles(branch: _Branch, floor: float, nonnegative: bool) -> Offers:
    """Return single columns with which more than `floor` would be explained."""
    explained = branch.explained + branch.slope**2 / branch.gram.diagonal()
    allowed = (explained > floor) & ((branch.slope > 0) | (not nonnegative))
    return [(float(explained[i]), (int(branch.rest[i]),)) for i in np.flatnonzero(allowed)]


def _pairs(branch: _Branch, floor: float, nonnegative: bool) -> Offers:
    """Return pairs of columns with which more than `floor` would be explained."""
    own, slope = branch.gram.diagonal(), branch.slope
    apart = np.outer(own, own) - branch.gram**2
    allowed = np.triu(apart > _SAME * np.outer(own, own), 1)
    # what the first of each pair gets beside the second, times `apart`
    first = np.outer(slope, own) - branch.gram * slope
    if nonnegative:
        allowed &= (first > 0) & (first.T > 0)
    gain = slope[:, None] * first
    explained = np.full(gain.shape, -np.inf)
    np.divide(gain + gain.T, apart, out=explained, where=allowed)
    return [
        (float(branch.explained + explained[i, j]), (int(branch.rest[i]), int(branch.rest[j])))
        for i, j in zip(*np.nonzero(explained + branch.explained > floor), strict=True)
    ]
