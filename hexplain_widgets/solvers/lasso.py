"""Weighted L1 least squares of many classes at once, from sufficient statistics."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from .admm import LOOK, Batch, admm, some_of
from .coordinate_descent import Single, descend
from .semismooth import semismooth

Way = Literal["coordinate descent", "ADMM"]

# A channel whose variance is below this fraction of the largest one never fires: what is left of
# it is the rounding of the centring.
_ROUNDING = 1e-14
# Rounds of coordinate descent before other ways are tried, and before it gives up.
_FEW, _ROUNDS = 15, 60


@dataclass(frozen=True, eq=False)
class Quadratic:
    """Least squares reduced to centred statistics, for every class at once.

    With weights `w`, centred channel values `z` and centred scores `g`: `gram` is `sum w z z^T` of
    each class, or one for all of them; `linear` is `sum w z g`; `power` is `sum w g^2`. A class's
    squared error at `x` is `power - 2 linear x + x gram x`. Raises ValueError where shapes do not
    fit, values are not finite or a power is negative.
    """

    gram: Float[np.ndarray, "g k k"]
    linear: Float[np.ndarray, "c k"]
    power: Float[np.ndarray, " c"]

    def __post_init__(self) -> None:
        for name, dimensions in (("gram", 3), ("linear", 2), ("power", 1)):
            array = np.ascontiguousarray(getattr(self, name), dtype=np.float64)
            if array.ndim != dimensions or array.size == 0 or not np.isfinite(array).all():
                raise ValueError(
                    f"got `{name}` of shape {array.shape}"
                    f"{'' if np.isfinite(array).all() else ' with values that are not finite'};"
                    f" expected {dimensions} dimensions of finite numbers; look for NaN scores and"
                    " empty classes in what was accumulated"
                )
            object.__setattr__(self, name, array)
        classes, channels = self.linear.shape
        grams = {(1, channels, channels), (classes, channels, channels)}
        if self.gram.shape not in grams or self.power.shape != (classes,):
            raise ValueError(
                f"got a Gram of {self.gram.shape}, linear terms of {self.linear.shape} and powers"
                f" of {self.power.shape}; expected (1 or C, K, K), (C, K) and (C,); pass statistics"
                " of the same classes and channels"
            )
        if (self.power < 0).any():
            raise ValueError(
                f"got a power of {self.power.min():.3g}; expected a sum of squares, 0 or more;"
                " centre the scores before squaring them, or accumulate in float64"
            )


@dataclass(frozen=True, eq=False)
class Solution:
    """Weights that minimise the penalised squared error, and proof of how well they do.

    `gap` is each class's duality gap, over half the power that the strongest single channel
    explains alone: it bounds how far the objective is above its minimum. `steps` counts sweeps of
    coordinate descent, steps of ADMM and Newton steps after it; `way` names the algorithm.
    """

    weights: Float[np.ndarray, "c k"]
    gap: Float[np.ndarray, " c"]
    steps: Int[np.ndarray, " c"]
    way: str


@dataclass(frozen=True, eq=False)
class _Scaled:
    """All classes in units in which the largest slope at zero is 1 and so is every penalty.

    A channel with penalty p is shrunk to `shrink = 1 / p` of itself (0 leaves it out); `unit` is
    the size of the slope, `share` the penalty, `reference` what the gap is relative to. Sweeps and
    Newton steps do not see the scale of the Gram, so it is not copied for them.
    """

    gram: Float[np.ndarray, "g k k"]
    linear: Float[np.ndarray, "c k"]
    power: Float[np.ndarray, " c"]
    shrink: Float[np.ndarray, "c k"]
    unit: Float[np.ndarray, " c"]
    share: Float[np.ndarray, " c"]
    reference: Float[np.ndarray, " c"]


@dataclass(frozen=True, eq=False)
class _Answer:
    """What has been found so far, in the scaled units; the arrays are written as ways go on."""

    weights: Float[np.ndarray, "c k"]
    gap: Float[np.ndarray, " c"]
    steps: Int[np.ndarray, " c"]


def lasso(
    problem: Quadratic,
    sparsity: float | Float[np.ndarray, " c"],
    *,
    penalties: Float[np.ndarray, " ..."] | None = None,
    start: Float[np.ndarray, "c k"] | None = None,
    way: Way | None = None,
    device: str | torch.device | None = None,
    tolerance: float = 1e-9,
) -> Solution:
    """Minimise `w gram w / 2 - linear w + lambda sum_k penalties_k |w_k|` for every class.

    `lambda` is `sparsity` (one, or one per class) times the smallest value that makes every weight
    zero, `max_k |linear_k| / penalties_k`. `penalties`, `(K,)` or `(C, K)`, are 1 by default;
    infinity leaves a channel out. Channels that never fire get weight 0. `start`, `(C, K)`, are
    weights to begin with. `way` is taken by what was measured, ADMM on an accelerator `device`,
    unless named. Every class ends at a relative duality gap of `tolerance` (see `Solution`); one
    that cannot is told in a RuntimeWarning. Raises ValueError on bad input.
    """
    if not tolerance > 0 or way not in (None, "coordinate descent", "ADMM"):
        raise ValueError(
            f"got a tolerance of {tolerance} and the way {way!r}; expected a tolerance above 0 and"
            ' "coordinate descent", "ADMM" or None; leave both out to have the measured defaults'
        )
    classes = len(problem.linear)
    scaled = _scale(problem, _shares(sparsity, classes), _multipliers(problem, penalties))
    answer = _Answer(
        _beginning(scaled, start), np.full(classes, np.inf), np.zeros(classes, dtype=np.int64)
    )
    taken: list[str] = []
    for step, rounds in _plan(way, device):
        left = np.flatnonzero(answer.gap > tolerance)
        if len(left) == 0:
            break
        taken.append(step)
        if step == "ADMM":
            _split(scaled, answer, left, torch.device(device or "cpu"), tolerance)
        else:
            _descend(scaled, answer, left, rounds, tolerance)
    _warn_of_gaps(answer.gap, tolerance)
    weights = answer.weights * scaled.shrink * scaled.unit[:, None]
    return Solution(weights + 0.0, answer.gap, answer.steps, ", ".join(dict.fromkeys(taken)))


def _plan(way: Way | None, device: str | torch.device | None) -> list[tuple[Way, int]]:
    """What to try in turn on the classes left, with the rounds of coordinate descent.

    Measured on one CPU core at K = 512, a class: coordinate descent 1 ms for up to 50 active
    channels, 2 for 120, 4 for 220; ADMM with one Gram 17 once and 1 for each, with a Gram each 100
    to 500. Of an ill-conditioned Gram and 450 active channels 28 against 5 with one Gram, but the
    first round does not tell these from the others. Where the Gram is singular too, descent takes
    hundreds: those classes are known by not being done after a few rounds.
    """
    if way is not None:
        return [(way, _ROUNDS)]
    last: list[tuple[Way, int]] = [("ADMM", 0), ("coordinate descent", _ROUNDS)]
    cpu = device is None or torch.device(device).type == "cpu"
    return [("coordinate descent", _FEW), *last] if cpu else last


def _shares(sparsity: float | Float[np.ndarray, " c"], classes: int) -> Float[np.ndarray, " c"]:
    shares = np.asarray(sparsity, dtype=np.float64)
    if shares.shape not in {(), (classes,)} or not (shares > 0).all() or np.isinf(shares).any():
        raise ValueError(
            f"got a sparsity of {sparsity}; expected a number above 0, or one for each of"
            f" {classes} classes, as a fraction of the smallest penalty that makes every weight"
            " zero; take 0.01 to begin with"
        )
    return np.broadcast_to(shares, (classes,))


def _multipliers(
    problem: Quadratic, penalties: Float[np.ndarray, " ..."] | None
) -> Float[np.ndarray, "c k"]:
    classes, channels = problem.linear.shape
    found = np.asarray(1.0 if penalties is None else penalties, dtype=np.float64)
    if found.shape not in {(), (channels,), (classes, channels)} or not (found > 0).all():
        raise ValueError(
            f"got penalties of shape {found.shape} from {np.min(found, initial=np.inf):.3g} up;"
            f" expected ({channels},) or ({classes}, {channels}), all above 0; infinity leaves a"
            " channel out"
        )
    return np.broadcast_to(found, (classes, channels))


def _scale(
    problem: Quadratic, shares: Float[np.ndarray, " c"], penalties: Float[np.ndarray, "c k"]
) -> _Scaled:
    diagonal = np.einsum("gkk->gk", problem.gram)
    fires = diagonal > _ROUNDING * diagonal.max(axis=1, keepdims=True)
    shrink = np.where(fires, 1 / penalties, 0.0)
    slope = problem.linear * shrink
    unit = np.abs(slope).max(axis=1)
    unit = np.where(unit > 0, unit, 1.0)
    linear = slope / unit[:, None]
    own = np.where(shrink > 0, diagonal * shrink**2, 1.0)
    reference = 0.5 * (linear**2 / own).max(axis=1)
    power = problem.power / unit**2
    return _Scaled(problem.gram, linear, power, shrink, unit, shares, reference)


def _beginning(scaled: _Scaled, start: Float[np.ndarray, "c k"] | None) -> Float[np.ndarray, "c k"]:
    if start is None:
        return np.zeros_like(scaled.linear)
    given = np.asarray(start, dtype=np.float64)
    if given.shape != scaled.linear.shape or not np.isfinite(given).all():
        raise ValueError(
            f"got a start of shape {given.shape}; expected finite weights of shape"
            f" {scaled.linear.shape}; pass the weights of the same classes and channels, or none"
        )
    inverse = np.divide(1, scaled.shrink, where=scaled.shrink > 0, out=np.zeros_like(given))
    begun: Float[np.ndarray, "c k"] = given * inverse / scaled.unit[:, None]
    return begun


def _singles(scaled: _Scaled, left: Int[np.ndarray, " n"]) -> Iterator[tuple[int, Single]]:
    """Yield classes one by one; those with the same Gram and penalties share what was shrunk."""
    before, gram = -1, scaled.gram[0]
    for c in map(int, left):
        same = len(scaled.gram) == 1 and np.array_equal(scaled.shrink[c], scaled.shrink[before])
        if before < 0 or not same:
            gram = _shrunk(scaled.gram[c % len(scaled.gram)], scaled.shrink[c])
        before = c
        numbers = (float(n[c]) for n in (scaled.power, scaled.share, scaled.reference))
        yield c, Single(gram, scaled.linear[c], *numbers)


def _shrunk(
    gram: Float[np.ndarray, "k k"], shrink: Float[np.ndarray, " k"]
) -> Float[np.ndarray, "k k"]:
    if (shrink[gram.diagonal() != 0] == 1).all():
        return gram
    shrunk: Float[np.ndarray, "k k"] = gram * shrink * shrink[:, None]
    return shrunk


def _split(
    scaled: _Scaled,
    answer: _Answer,
    left: Int[np.ndarray, " n"],
    device: torch.device,
    tolerance: float,
) -> None:
    """Solve by ADMM, whose steps see the Gram's scale, in units where its mean diagonal is 1."""
    gram = scaled.gram if len(scaled.gram) == 1 else scaled.gram[left]
    mean = np.einsum("gkk->g", gram) / gram.shape[1]
    mean = np.where(mean > 0, mean, 1.0)
    shrink = scaled.shrink[left]
    on = np.divide(1, shrink, where=shrink > 0, out=np.zeros_like(shrink))
    numbers = (
        scaled.linear[left] * on,
        scaled.power[left] * mean,
        scaled.share[left, None] * np.where(on > 0, on, np.inf),
        scaled.reference[left] * mean,
        answer.weights[left] * shrink * mean[:, None],
        gram / mean[:, None, None],
    )
    *batch, first, matrix = (torch.from_numpy(n).to(device) for n in numbers)
    found = _together(matrix, Batch(*batch), first, tolerance)
    weights, gap, steps = (t.cpu().numpy() for t in found)
    better = gap < answer.gap[left]
    kept = left[better]
    answer.weights[kept] = (weights * on / mean[:, None])[better]
    answer.gap[kept] = gap[better]
    answer.steps[left] += steps


def _together(
    gram: Float[Tensor, "g k k"], batch: Batch, start: Float[Tensor, "c k"], tolerance: float
) -> tuple[Float[Tensor, "c k"], Float[Tensor, " c"], Int[Tensor, " c"]]:
    """Run ADMM; with one Gram only until Newton steps can finish, and on where they do not."""
    if len(gram) > 1:
        return admm(gram, batch, start, tolerance)
    found = admm(gram, batch, start, tolerance, at_most=LOOK)
    weights, gap, steps = _kept(found, semismooth(gram[0], batch, found[0], tolerance))
    left = gap > tolerance
    if left.any():
        more = admm(gram, some_of(batch, left), weights[left], tolerance)
        some = _kept((weights[left], gap[left], steps[left]), more)
        weights[left], gap[left], steps[left] = some
    return weights, gap, steps


def _kept(
    before: tuple[Tensor, Tensor, Tensor], after: tuple[Tensor, Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the better weights of every class with their gaps, and all steps."""
    better = after[1] < before[1]
    weights = torch.where(better[:, None], after[0], before[0])
    return weights, torch.minimum(before[1], after[1]), before[2] + after[2]


def _descend(
    scaled: _Scaled, answer: _Answer, left: Int[np.ndarray, " n"], rounds: int, tolerance: float
) -> None:
    # here, for loading scikit-learn takes as long as all of this package
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the gap is the judge
        for c, one in _singles(scaled, left):
            w, gap, steps = descend(one, answer.weights[c], rounds, tolerance)
            answer.weights[c], answer.gap[c] = w, gap
            answer.steps[c] += steps


def _warn_of_gaps(gap: Float[np.ndarray, " c"], tolerance: float) -> None:
    if (gap > tolerance).any():
        warnings.warn(
            f"got a relative duality gap of {gap.max():.1e} for class {int(gap.argmax())}, above"
            f" the tolerance for {int((gap > tolerance).sum())} of {len(gap)} classes; expected"
            f" {tolerance:.1e}; take a larger sparsity, more images, or a larger tolerance",
            RuntimeWarning,
            stacklevel=3,
        )
