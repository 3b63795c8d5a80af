"""Weighted L1 least squares of many classes at once, from sufficient statistics.

Three solvers share the work: ADMM for all classes together, coordinate descent class by class, and
Newton steps that finish what either began. `lasso` chooses by what was measured, and the duality
gap is the judge of all three.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.linalg import lapack
from torch import Tensor

from ..arguments import Stop, never

Solver = Literal["coordinate descent", "ADMM"]
# ADMM: relaxation; steps between two looks at the residuals; the first look that may change rho,
# each next one twice as late, so that rho comes to rest; and when to give up.
_RELAXATION, _LOOK, _ADMM_STEPS = 1.7, 10, 1000
# Bounds of rho against the mean diagonal: below, rounding could make a singular Gram negative.
_RHO = (1e-6, 1e6)
# Coordinate descent: tolerance of the first sweeps, how many sweeps and Newton steps make a round,
# and by how much a round that did not suffice makes the next one longer.
_FIRST, _SWEEPS, _NEWTON, _LONGER = 1e-3, 50, 2, 1.1
# Its rounds before other solvers are tried, and before it gives up.
_FEW, _ROUNDS = 15, 60
# Newton steps until a class is given back as it is. Measured after ten steps of ADMM, 512 channels,
# 20 to 220 of them active: half of the classes take one, nearly all others two, the last three.
_NEWTON_STEPS = 5
# Keeps the Newton system of linearly dependent channels solvable, against its mean diagonal.
_RIDGE = 1e-12
# A channel whose variance is below this fraction of the largest one never fires: what is left of
# it is the rounding of the centring.
_ROUNDING = 1e-14
# A Gram that is below zero by no more than this fraction of its largest value troubles no solver.
_BELOW = 1e-12


def duality_gap(fitted: Any, curved: Any, size: Any, scale: Any, power: Any) -> Any:
    """Return how far the objective can be above its minimum, arrays or tensors of any shape.

    `fitted` is `linear w`, `curved` is `w gram w`, `size` is `lambda |w|_1`. The dual point is the
    residual times `scale <= 1`. The power takes no part at the optimum, where the scale is 1, so
    its rounding does no harm.
    """
    error = (power - 2 * fitted + curved).clip(min=0)
    return size - scale * (fitted - curved) + (1 - scale) ** 2 / 2 * error


# all classes together: ADMM


@dataclass(frozen=True, eq=False)
class ProblemBatch:
    """Classes to solve: minimise `w gram w / 2 - linear w + sum_k threshold_k |w_k|` for each.

    `power` is the squared error at zero; the gap is asked relative to `reference`. A threshold of
    infinity holds a weight at zero. All float64 on one device.
    """

    linear: Float[Tensor, "c k"]
    power: Float[Tensor, " c"]
    threshold: Float[Tensor, "c k"]
    reference: Float[Tensor, " c"]


@dataclass(frozen=True, eq=False)
class _State:
    """`x` fits, `z` is sparse, `u` is the scaled multiplier (Boyd et al. 2011; `-q` in CHIP)."""

    x: Float[Tensor, "c k"]
    z: Float[Tensor, "c k"]
    u: Float[Tensor, "c k"]
    rho: Float[Tensor, " c"]
    primal: Float[Tensor, " c"]
    dual: Float[Tensor, " c"]


class _SharedGram:
    """One Gram for all classes, factorised once for all that have the same rho, as all begin.

    Once they differ, one eigendecomposition serves every class and every rho.
    """

    def __init__(self, gram: Float[Tensor, "k k"]) -> None:
        self._gram = gram
        self._inverse: Tensor | None = None

    @cached_property
    def _eigen(self) -> tuple[Float[Tensor, " k"], Float[Tensor, "k k"]]:
        values, vectors = torch.linalg.eigh(self._gram)
        return values.clamp(min=0), vectors

    def prepare(self, rho: Float[Tensor, " c"], changed: Bool[Tensor, " c"]) -> None:
        self._rho = rho
        self._inverse = _inverse(self._gram, rho[:1])[0] if bool((rho == rho[0]).all()) else None

    def solve(self, right: Float[Tensor, "c k"]) -> Float[Tensor, "c k"]:
        if self._inverse is not None:
            return right @ self._inverse
        values, vectors = self._eigen
        return torch.mm((right @ vectors) / (values + self._rho[:, None]), vectors.T)

    def product(self, w: Float[Tensor, "c k"]) -> Float[Tensor, "c k"]:
        return w @ self._gram

    def keep(self, which: Bool[Tensor, " c"]) -> None:
        self._rho = self._rho[which]


class _GramPerClass:
    """A Gram for each class: inverses from a Cholesky factor, made again where rho changes."""

    def __init__(self, gram: Float[Tensor, "c k k"]) -> None:
        self._gram = gram
        self._inverse = torch.empty_like(gram)

    def prepare(self, rho: Float[Tensor, " c"], changed: Bool[Tensor, " c"]) -> None:
        self._inverse[changed] = _inverse(self._gram[changed], rho[changed])

    def solve(self, right: Float[Tensor, "c k"]) -> Float[Tensor, "c k"]:
        return torch.bmm(right[:, None], self._inverse)[:, 0]

    def product(self, w: Float[Tensor, "c k"]) -> Float[Tensor, "c k"]:
        return torch.bmm(w[:, None], self._gram)[:, 0]

    def keep(self, which: Bool[Tensor, " c"]) -> None:
        self._gram, self._inverse = self._gram[which], self._inverse[which]


def _inverse(gram: Float[Tensor, "... k k"], rho: Float[Tensor, " c"]) -> Float[Tensor, "c k k"]:
    added = torch.diag_embed(rho[:, None].expand(-1, gram.shape[-1]))
    return torch.cholesky_inverse(torch.linalg.cholesky(gram + added))


def admm(
    gram: Float[Tensor, "g k k"],
    batch: ProblemBatch,
    start: Float[Tensor, "c k"],
    tolerance: float,
    at_most: int = _ADMM_STEPS,
    stopped: Stop = never,
) -> tuple[Float[Tensor, "c k"], Float[Tensor, " c"], Int[Tensor, " c"]]:
    """Return weights, relative duality gaps and steps of every class.

    A class is done when its primal and dual residuals are below the root of `tolerance` and its
    gap is below `tolerance`; one that is not done after `at_most` steps is returned with its gap.
    Each class has a rho of its own, balanced between its two residuals. `gram` is one for all
    classes or one for each, with a mean diagonal near 1.
    """
    equations = _SharedGram(gram[0]) if len(gram) == 1 else _GramPerClass(gram)
    place = torch.arange(len(start), device=start.device)
    weights, gaps = start.clone(), torch.full_like(batch.power, torch.inf)
    steps, going = torch.zeros_like(place), torch.ones_like(place, dtype=torch.bool)
    state, balance = _begin(equations.product(start), batch, start), _LOOK
    equations.prepare(state.rho, going)
    for step in range(1, at_most + 1):
        state = _step(equations.solve, batch, state)
        if step % _LOOK:
            continue
        _go_on(stopped)
        gap = relative_gap(equations.product(state.z), batch, state.z)
        better = going & (gap < gaps[place])
        weights[place[better]], gaps[place[better]] = state.z[better], gap[better]
        steps[place[going]] = step
        small = torch.maximum(state.primal, state.dual) <= tolerance**0.5
        going = going & ~(small & (gaps[place] <= tolerance))
        left = int(going.sum())
        if left == 0:
            break
        if 2 * left <= len(going):  # not at every one that is done: the Grams are copied
            place, state, batch = place[going], some_of(state, going), some_of(batch, going)
            equations.keep(going)
            going = going[going]
        if step == balance:
            state, changed = _balanced(state)
            equations.prepare(state.rho, changed)
            balance *= 2
    return weights, gaps, steps


def _begin(
    product: Float[Tensor, "c k"], batch: ProblemBatch, start: Float[Tensor, "c k"]
) -> _State:
    slope = batch.linear - product
    u = torch.maximum(torch.minimum(slope, batch.threshold), -batch.threshold)
    nothing = torch.zeros_like(batch.power)
    return _State(start, start, u, nothing + 1, nothing, nothing)


def some_of(group: Any, which: Bool[Tensor, " c"]) -> Any:
    """Return some of the classes of a group."""
    return replace(group, **{f.name: getattr(group, f.name)[which] for f in fields(group)})


def _step(solve: Callable[[Tensor], Tensor], batch: ProblemBatch, state: _State) -> _State:
    rho = state.rho[:, None]
    x = solve(batch.linear + rho * (state.z - state.u))
    relaxed = _RELAXATION * x + (1 - _RELAXATION) * state.z
    moved = relaxed + state.u
    z = moved.sign() * (moved.abs() - batch.threshold / rho).clamp(min=0)
    u = moved - z
    largest = torch.maximum(x.norm(dim=1), z.norm(dim=1))
    primal = (x - z).norm(dim=1) / largest.clamp(min=1e-300)
    dual = (z - state.z).norm(dim=1) / u.norm(dim=1).clamp(min=1e-300)
    return _State(x, z, u, state.rho, primal, dual)


def _balanced(state: _State) -> tuple[_State, Bool[Tensor, " c"]]:
    ratio = (state.primal / state.dual.clamp(min=1e-300)).sqrt().clamp(0.1, 10)
    wished = (state.rho * ratio).clamp(*_RHO)
    changed = (ratio > 1.5) | (ratio < 1 / 1.5)
    rho = torch.where(changed, wished, state.rho)
    return replace(state, rho=rho, u=state.u * (state.rho / rho)[:, None]), changed


def relative_gap(
    product: Float[Tensor, "c k"], batch: ProblemBatch, w: Float[Tensor, "c k"]
) -> Float[Tensor, " c"]:
    """Return how far every class may be above its minimum; `product` is `w gram`."""
    slope = (batch.linear - product).abs()
    scale = (batch.threshold / slope.clamp(min=1e-300)).amin(dim=1).clamp(max=1)
    size = (w.abs() * torch.where(w == 0, 0, batch.threshold)).sum(dim=1)
    fitted, curved = (batch.linear * w).sum(dim=1), (product * w).sum(dim=1)
    gap = duality_gap(fitted, curved, size, scale, batch.power)
    return torch.where(batch.reference > 0, gap / batch.reference, torch.zeros_like(gap))


# class by class: coordinate descent


@dataclass(frozen=True, eq=False)
class ClassProblem:
    """One class: minimise `w gram w / 2 - linear w + share |w|_1`.

    `power` is the squared error at zero; the gap is asked relative to `reference`.
    """

    gram: Float[np.ndarray, "k k"]
    linear: Float[np.ndarray, " k"]
    power: float
    share: float
    reference: float


def descend(
    one: ClassProblem,
    w: Float[np.ndarray, " k"],
    rounds: int,
    tolerance: float,
    stopped: Stop = never,
) -> tuple[Float[np.ndarray, " k"], float, int]:
    """Return weights, their relative duality gap and the number of sweeps, starting at `w`.

    A round is sweeps, which find the active channels, and Newton steps, which finish them; there
    are at most `rounds`. scikit-learn warns of sweeps that were cut short: the gap is the judge.
    Measured at K = 512, against sweeps alone to the same gap: as fast for answers of up to 50
    channels, twice as fast for 150, 40 to 100 times for 450 of an ill-conditioned Gram. A path of
    falling sparsities before that gains nothing.
    """
    steps, accuracy, at_most = 0, _FIRST, float(_SWEEPS)
    gap = _relative_gap(one, w)
    for _ in range(rounds):
        if gap <= tolerance:
            break
        _go_on(stopped)
        w, sweeps = _sweeps(one, w, accuracy, int(at_most))
        for _ in range(_NEWTON):
            w, done = _newton(one, w)
            if done:
                break
        gap = _relative_gap(one, w)
        steps, accuracy, at_most = steps + sweeps, max(accuracy / 10, 1e-15), at_most * _LONGER
    return w, gap, steps


def _sweeps(
    one: ClassProblem, w: Float[np.ndarray, " k"], accuracy: float, at_most: int
) -> tuple[Float[np.ndarray, " k"], int]:
    """Coordinate descent on the Gram by scikit-learn, which asks of the rows only their number."""
    # here, for loading scikit-learn takes as long as all of this package
    from sklearn.linear_model import enet_path

    # scikit-learn takes its tolerance relative to the power, of which noise may be the most
    noise = max(1.0, one.power / (2 * one.reference))
    _, path, _, sweeps = enet_path(
        np.zeros((1, len(w)), order="F"),
        np.array([np.sqrt(one.power)]),
        l1_ratio=1.0,
        alphas=[one.share],
        precompute=one.gram,
        Xy=one.linear,
        coef_init=w.copy(),
        check_input=False,
        return_n_iter=True,
        tol=accuracy / noise,
        max_iter=at_most,
        random_state=0,  # or it draws from the global state, for an order that it does not use
    )
    return np.ascontiguousarray(path[:, 0]), int(sweeps[0])


def _newton(one: ClassProblem, w: Float[np.ndarray, " k"]) -> tuple[Float[np.ndarray, " k"], bool]:
    """Solve for the active channels at their signs; say whether no sign stood in the way.

    Where one does, the best point before it is taken, or the end with the turned channels zero.
    """
    active = np.flatnonzero(w)
    if len(active) == 0:
        return w, True
    v = w[active]
    block = one.gram[np.ix_(active, active)]
    slope = one.linear[active] - block @ v
    step = _solve(block, slope - one.share * np.sign(v))
    if step is None:
        return w, True
    end = v + step
    done = bool((end * v > 0).all())
    moved = w.copy()
    moved[active] = end if done else _lowest_along(v, step, slope, block, one.share)
    return moved, done


def _solve(
    block: Float[np.ndarray, "s s"], right: Float[np.ndarray, " s"]
) -> Float[np.ndarray, " s"] | None:
    ridged = block + _RIDGE * np.trace(block) / len(block) * np.eye(len(block))
    factor, failed = lapack.dpotrf(ridged, lower=1, overwrite_a=1, clean=0)
    if failed:
        return None
    step = lapack.dpotrs(factor, right, lower=1)[0]
    return step if np.isfinite(step).all() else None


def _lowest_along(
    v: Float[np.ndarray, " s"],
    step: Float[np.ndarray, " s"],
    slope: Float[np.ndarray, " s"],
    block: Float[np.ndarray, "s s"],
    share: float,
) -> Float[np.ndarray, " s"]:
    """The lowest of: every point where a channel reaches zero, the end, the end cut at zero."""
    reached = np.divide(-v, step, where=step != 0, out=np.ones_like(v))
    reached = np.where((reached > 0) & (reached < 1), reached, 1.0)
    times = np.unique(np.append(reached, 1.0))
    along = v[:, None] + step[:, None] * times
    heights = times * (times * (step @ block @ step) / 2 - slope @ step)
    heights += share * np.abs(along).sum(axis=0)
    best = int(heights.argmin())
    cut = np.where((v + step) * v > 0, v + step, 0.0)
    change = cut - v
    height = change @ block @ change / 2 - slope @ change + share * np.abs(cut).sum()
    if height < heights[best]:
        return cut
    at_zero = (reached == times[best]) & (times[best] < 1)
    return np.where(at_zero, 0.0, along[:, best])


def _relative_gap(one: ClassProblem, w: Float[np.ndarray, " k"]) -> float:
    if one.reference == 0:
        return 0.0
    active = np.flatnonzero(w)
    # few active channels: their rows are much less to read than the whole matrix
    few = 4 * len(active) < len(w)
    product = w[active] @ one.gram[active] if few else one.gram @ w
    steepest = np.abs(one.linear - product).max()
    scale = min(1.0, one.share / steepest) if steepest > 0 else 1.0
    size = one.share * np.abs(w).sum()
    gap = duality_gap(one.linear @ w, product @ w, size, scale, np.float64(one.power))
    return float(gap) / one.reference


# the end of it: Newton steps


def semismooth(
    gram: Float[Tensor, "k k"], batch: ProblemBatch, start: Float[Tensor, "c k"], tolerance: float
) -> tuple[Float[Tensor, "c k"], Float[Tensor, " c"], Int[Tensor, " c"]]:
    """Return weights, their relative duality gaps and the steps of every class.

    A step solves for the active channels at their signs; then a channel whose sign turned is
    dropped, and one whose slope is above its threshold becomes active. A class is done when its gap
    is below `tolerance`; one that is not after a few steps is returned as its best step was, where
    that is infinitely far if no system could be solved. `gram` has a mean diagonal near 1.
    """
    weights, gaps = start.clone(), torch.full_like(batch.power, torch.inf)
    place = torch.arange(len(start), device=start.device)
    steps, signs = torch.zeros_like(place), start.sign()
    for _ in range(_NEWTON_STEPS):
        right = batch.linear - torch.where(signs == 0, 0, batch.threshold) * signs
        w = torch.stack([_newton_weights(gram, *one) for one in zip(right, signs, strict=True)])
        product = w @ gram
        gap = relative_gap(product, batch, w)
        better = gap < gaps[place]
        weights[place[better]], gaps[place[better]] = w[better], gap[better]
        steps[place] += 1
        going = ~(gap <= tolerance)
        if not going.any():
            break
        signs = _next_signs(signs, w, batch.linear - product, batch.threshold)[going]
        place, batch = place[going], some_of(batch, going)
    return weights, gaps, steps


def _newton_weights(
    gram: Float[Tensor, "k k"], right: Float[Tensor, " k"], signs: Float[Tensor, " k"]
) -> Float[Tensor, " k"]:
    """Return the weights of one class; NaN where its system has no progress."""
    weights = torch.zeros_like(right)
    active = signs.nonzero()[:, 0]
    if len(active):
        block = gram.index_select(0, active).index_select(1, active)
        block.diagonal().add_(_RIDGE)
        factor, failed = torch.linalg.cholesky_ex(block)
        solution = torch.cholesky_solve(right[active, None], factor)[:, 0]
        weights[active] = torch.where(failed == 0, solution, torch.nan)
    return weights


def _next_signs(
    signs: Float[Tensor, "c k"],
    w: Float[Tensor, "c k"],
    slope: Float[Tensor, "c k"],
    threshold: Float[Tensor, "c k"],
) -> Float[Tensor, "c k"]:
    still = torch.where(w * signs > 0, signs, 0)
    return torch.where((signs == 0) & (slope.abs() > threshold), slope.sign(), still)


# the door


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

    def without_rounding(self) -> Quadratic:
        """Return the same without directions in which no more than rounding is left of a Gram.

        As much as is below zero, where no Gram is: values whose mean is far larger than what they
        vary by leave rounding alone when they are centred.
        """
        values, vectors = np.linalg.eigh(self.gram)
        if (values.min(axis=1) >= -_BELOW * values.max(axis=1)).all():
            return self
        kept = vectors * (values > -values.min(axis=1, keepdims=True))[:, None]
        gram = (kept * values[:, None]) @ kept.swapaxes(1, 2)
        linear = kept @ (kept.swapaxes(1, 2) @ self.linear[:, :, None])
        return replace(self, gram=gram, linear=linear[:, :, 0])


@dataclass(frozen=True, eq=False)
class Solution:
    """Weights that minimise the penalised squared error, and proof of how well they do.

    `gap` is each class's duality gap, over half the power that the strongest single channel
    explains alone: it bounds how far the objective is above its minimum. `steps` counts sweeps of
    coordinate descent, steps of ADMM and Newton steps after it; `solver` names the algorithm.
    """

    weights: Float[np.ndarray, "c k"]
    gap: Float[np.ndarray, " c"]
    steps: Int[np.ndarray, " c"]
    solver: str


@dataclass(frozen=True, eq=False)
class _ScaledProblem:
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
class _Progress:
    """What has been found so far, in the scaled units; the arrays are written as solvers go on."""

    weights: Float[np.ndarray, "c k"]
    gap: Float[np.ndarray, " c"]
    steps: Int[np.ndarray, " c"]


def lasso(
    problem: Quadratic,
    sparsity: float | Float[np.ndarray, " c"],
    *,
    penalties: Float[np.ndarray, " ..."] | None = None,
    start: Float[np.ndarray, "c k"] | None = None,
    solver: Solver | None = None,
    device: str | torch.device | None = None,
    tolerance: float = 1e-9,
    stopped: Stop = never,
) -> Solution:
    """Minimise `w gram w / 2 - linear w + lambda sum_k penalties_k |w_k|` for every class.

    `lambda` is `sparsity` (one, or one per class) times the smallest value that makes every weight
    zero, `max_k |linear_k| / penalties_k`. `penalties`, `(K,)` or `(C, K)`, are 1 by default;
    infinity leaves a channel out. Channels that never fire get weight 0. `start`, `(C, K)`, are
    weights to begin with. `solver` is chosen by what was measured, ADMM on an accelerator `device`,
    unless named. Every class ends at a relative duality gap of `tolerance` (see `Solution`); one
    that cannot is told in a RuntimeWarning. Raises ValueError on bad input, CancelledError once
    `stopped` says yes.
    """
    if not tolerance > 0 or solver not in (None, "coordinate descent", "ADMM"):
        raise ValueError(
            f"got a tolerance of {tolerance} and the solver {solver!r}; expected a tolerance above"
            ' 0 and "coordinate descent", "ADMM" or None; leave both out to have the measured ones'
        )
    shares = _shares(sparsity, len(problem.linear))
    multipliers = _multipliers(problem, penalties)

    def solve(one: Quadratic) -> Solution:
        scaled = _scale(one, shares, multipliers)
        return _solution(scaled, start, _solvers(solver, device), device, tolerance, stopped)

    try:
        solution = solve(problem)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        solution = None
    if solution is None or not (abs(solution.gap) <= tolerance).all():
        sound = problem.without_rounding()
        solution = solve(sound) if solution is None or sound is not problem else solution
    _warn_of_gaps(solution.gap, tolerance)
    return solution


def _solution(
    scaled: _ScaledProblem,
    start: Float[np.ndarray, "c k"] | None,
    solvers: Sequence[tuple[Solver, int]],
    device: str | torch.device | None,
    tolerance: float,
    stopped: Stop,
) -> Solution:
    classes = len(scaled.unit)
    progress = _Progress(
        _scaled_start(scaled, start), np.full(classes, np.inf), np.zeros(classes, dtype=np.int64)
    )
    taken: dict[str, None] = {}
    for name, rounds in solvers:
        left = np.flatnonzero(progress.gap > tolerance)
        if len(left) == 0:
            break
        taken[name] = None
        if name == "ADMM":
            _run_admm(scaled, progress, left, torch.device(device or "cpu"), tolerance, stopped)
        else:
            _run_descent(scaled, progress, left, rounds, tolerance, stopped)
    weights = progress.weights * scaled.shrink * scaled.unit[:, None]
    return Solution(weights + 0.0, progress.gap, progress.steps, ", ".join(taken))


def _solvers(solver: Solver | None, device: str | torch.device | None) -> list[tuple[Solver, int]]:
    """What to try in turn on the classes left, with the rounds of coordinate descent.

    Measured on one CPU core at K = 512, a class: coordinate descent 1 ms for up to 50 active
    channels, 2 for 120, 4 for 220; ADMM with one Gram 17 once and 1 for each, with a Gram each 100
    to 500. Of an ill-conditioned Gram and 450 active channels 28 against 5 with one Gram, but the
    first round does not tell these from the others. Where the Gram is singular too, descent takes
    hundreds: those classes are known by not being done after a few rounds.
    """
    if solver is not None:
        return [(solver, _ROUNDS)]
    last: list[tuple[Solver, int]] = [("ADMM", 0), ("coordinate descent", _ROUNDS)]
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
    given = np.asarray(1.0 if penalties is None else penalties, dtype=np.float64)
    if given.shape not in {(), (channels,), (classes, channels)} or not (given > 0).all():
        raise ValueError(
            f"got penalties of shape {given.shape} from {np.min(given, initial=np.inf):.3g} up;"
            f" expected ({channels},) or ({classes}, {channels}), all above 0; infinity leaves a"
            " channel out"
        )
    return np.broadcast_to(given, (classes, channels))


def _scale(
    problem: Quadratic, shares: Float[np.ndarray, " c"], penalties: Float[np.ndarray, "c k"]
) -> _ScaledProblem:
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
    return _ScaledProblem(problem.gram, linear, power, shrink, unit, shares, reference)


def _scaled_start(
    scaled: _ScaledProblem, start: Float[np.ndarray, "c k"] | None
) -> Float[np.ndarray, "c k"]:
    if start is None:
        return np.zeros_like(scaled.linear)
    given = np.asarray(start, dtype=np.float64)
    if given.shape != scaled.linear.shape or not np.isfinite(given).all():
        raise ValueError(
            f"got a start of shape {given.shape}; expected finite weights of shape"
            f" {scaled.linear.shape}; pass the weights of the same classes and channels, or none"
        )
    inverse = np.divide(1, scaled.shrink, where=scaled.shrink > 0, out=np.zeros_like(given))
    return given * inverse / scaled.unit[:, None]


def _singles(
    scaled: _ScaledProblem, left: Int[np.ndarray, " n"]
) -> Iterator[tuple[int, ClassProblem]]:
    """Yield classes one by one; those with the same Gram and penalties share what was shrunk."""
    before, gram = -1, scaled.gram[0]
    for c in map(int, left):
        same = len(scaled.gram) == 1 and np.array_equal(scaled.shrink[c], scaled.shrink[before])
        if before < 0 or not same:
            gram = _shrunk(scaled.gram[c % len(scaled.gram)], scaled.shrink[c])
        before = c
        numbers = (float(n[c]) for n in (scaled.power, scaled.share, scaled.reference))
        yield c, ClassProblem(gram, scaled.linear[c], *numbers)


def _shrunk(
    gram: Float[np.ndarray, "k k"], shrink: Float[np.ndarray, " k"]
) -> Float[np.ndarray, "k k"]:
    if (shrink[gram.diagonal() != 0] == 1).all():
        return gram
    return gram * shrink * shrink[:, None]


def _run_admm(
    scaled: _ScaledProblem,
    progress: _Progress,
    left: Int[np.ndarray, " n"],
    device: torch.device,
    tolerance: float,
    stopped: Stop,
) -> None:
    """Solve by ADMM, whose steps see the Gram's scale, in units where its mean diagonal is 1."""
    _go_on(stopped)
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
        progress.weights[left] * shrink * mean[:, None],
        gram / mean[:, None, None],
    )
    *batch, first, matrix = (torch.from_numpy(n).to(device) for n in numbers)
    solved = _admm_and_newton(matrix, ProblemBatch(*batch), first, tolerance, stopped)
    weights, gap, steps = (t.cpu().numpy() for t in solved)
    better = gap < progress.gap[left]
    improved = left[better]
    progress.weights[improved] = (weights * on / mean[:, None])[better]
    progress.gap[improved] = gap[better]
    progress.steps[left] += steps


def _admm_and_newton(
    gram: Float[Tensor, "g k k"],
    batch: ProblemBatch,
    start: Float[Tensor, "c k"],
    tolerance: float,
    stopped: Stop,
) -> tuple[Float[Tensor, "c k"], Float[Tensor, " c"], Int[Tensor, " c"]]:
    """Run ADMM; with one Gram only until Newton steps can finish, and on where they do not."""
    if len(gram) > 1:
        return admm(gram, batch, start, tolerance, stopped=stopped)
    rough = admm(gram, batch, start, tolerance, at_most=_LOOK)
    weights, gap, steps = _better_of(rough, semismooth(gram[0], batch, rough[0], tolerance))
    left = gap > tolerance
    if left.any():
        more = admm(gram, some_of(batch, left), weights[left], tolerance, stopped=stopped)
        some = _better_of((weights[left], gap[left], steps[left]), more)
        weights[left], gap[left], steps[left] = some
    return weights, gap, steps


def _better_of(
    before: tuple[Tensor, Tensor, Tensor], after: tuple[Tensor, Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the better weights of every class with their gaps, and all steps."""
    better = after[1] < before[1]
    weights = torch.where(better[:, None], after[0], before[0])
    return weights, torch.minimum(before[1], after[1]), before[2] + after[2]


def _run_descent(
    scaled: _ScaledProblem,
    progress: _Progress,
    left: Int[np.ndarray, " n"],
    rounds: int,
    tolerance: float,
    stopped: Stop,
) -> None:
    # here, for loading scikit-learn takes as long as all of this package
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the gap is the judge
        for c, one in _singles(scaled, left):
            _go_on(stopped)
            w, gap, steps = descend(one, progress.weights[c], rounds, tolerance, stopped)
            progress.weights[c], progress.gap[c] = w, gap
            progress.steps[c] += steps


def _go_on(stopped: Stop) -> None:
    if stopped():
        raise CancelledError


def _warn_of_gaps(gap: Float[np.ndarray, " c"], tolerance: float) -> None:
    if (gap > tolerance).any():
        warnings.warn(
            f"got a relative duality gap of {gap.max():.1e} for class {int(gap.argmax())}, above"
            f" the tolerance for {int((gap > tolerance).sum())} of {len(gap)} classes; expected"
            f" {tolerance:.1e}; take a larger sparsity, more images, or a larger tolerance",
            RuntimeWarning,
            stacklevel=3,
        )
