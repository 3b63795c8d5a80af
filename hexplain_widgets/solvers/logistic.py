"""Logistic regression of many concepts at once on the same rows."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int, Int8
from torch import Tensor
from torch.nn.functional import softplus

# Rows for the curvature of one concept: at least so many, and so many for each of its features;
# how many times that for a curvature that is the only one.
_FEW, _EACH, _SHARED = 1024, 4, 4
# Keeps factors of linearly dependent features solvable, against the mean diagonal.
_RIDGE = 1e-7
# Rows for a first look at the answer; rows for a typical value, rows summed in one go.
_LOOK, _TYPICAL, _BLOCK = 8192, 63, 1024
# Products that a curvature for all concepts may take: of many features fewer rows do.
_PRODUCTS = 2**33
# Steps on one curvature at the most, how many of them are watched for being slow, and how many a
# new curvature costs, all at least; steps remembered; curvatures at the most; trials of a length.
_STEPS, _WATCHED, _RENEWAL, _MEMORY, _ROUNDS, _TRIALS = 16, 3, 6, 24, 40, 30
# Of fewer concepts that take steps together none are left behind when they are done.
_FULL = 8
# A step ends where this share of its slope is left; few rows are good enough for this gap.
_FLAT, _ROUGH = 0.25, 1e-1
# The gap is an estimate: it is asked to be this much below the tolerance, and with a curvature
# that is not the concept's own this much again.
_MARGIN, _FOREIGN = 0.25, 1 / 16
# Numbers that concepts solved together may need, for curvatures or for rows.
_TOGETHER = 2**25


class GradientMemory:
    """The last steps of every problem and what they did to its gradient."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._pairs: list[tuple[Tensor, Tensor, Tensor]] = []

    def keep(self, step: Float[Tensor, "e k"], change: Float[Tensor, "e k"]) -> None:
        """Remember a step and the change of the gradient along it.

        A problem whose step shows no positive curvature, or that took none, remembers nothing.
        """
        curved = (step * change).sum(dim=1)
        inverse = torch.where(curved > 0, 1 / curved, torch.zeros_like(curved))
        self._pairs = [*self._pairs, (step, change, inverse)][-self._length :]

    def only(self, which: Tensor) -> GradientMemory:
        """The same for some of the problems."""
        memory = GradientMemory(self._length)
        memory._pairs = [(s[which], c[which], i[which]) for s, c, i in self._pairs]
        return memory

    def direction(
        self, gradient: Float[Tensor, "e k"], solve: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "e k"]:
        """Return where to go by the two-loop recursion (Nocedal and Wright 2006, algorithm 7.4).

        `solve` applies the inverse of an approximate Hessian to `(e, k)` gradients.
        """
        left, shares = gradient, []
        for step, change, inverse in reversed(self._pairs):
            shares.append((inverse * (step * left).sum(dim=1))[:, None])
            left = left - shares[-1] * change
        along = solve(left)
        for (step, change, inverse), share in zip(self._pairs, reversed(shares), strict=True):
            along = along + (share - (inverse * (change * along).sum(dim=1))[:, None]) * step
        return -along


@dataclass(frozen=True, eq=False)
class LogLoss:
    """Standardised rows, which side of each concept they are on, and how much they count.

    `against` is minus the sign, `mass` sums to 1 over a concept's rows, `allowed` is 1 where a
    concept may use a feature. Points are `(e, k + 1)`, float64, the intercept last: 0 where there
    is none.
    """

    rows: Float[Tensor, "r k"]
    against: Float[Tensor, "e r"]
    mass: Float[Tensor, "e r"]
    allowed: Float64[Tensor, "e k"]
    penalty: float
    intercept: bool = True

    def only(self, which: Tensor) -> LogLoss:
        """The same for some of the concepts."""
        against, mass, allowed = self.against[which], self.mass[which], self.allowed[which]
        return replace(self, against=against, mass=mass, allowed=allowed)

    @property
    def alike(self) -> bool:
        """Whether all concepts may use the same features."""
        return bool((self.allowed == self.allowed[0]).all())

    @property
    def renewal(self) -> float:
        """How many steps a curvature of one concept costs: products with few rows, or with all."""
        features = int(self.allowed.sum(dim=1).max())
        count = min(len(self.rows), max(_FEW, _EACH * (features + 1)))
        return max(float(_RENEWAL), count * features / (2 * len(self.rows)))

    def losing(self, point: Float64[Tensor, "e k1"]) -> Float[Tensor, "e r"]:
        """Minus the signed logit of every row: positive where it is on the wrong side."""
        weights, bias = point[:, :-1].to(self.rows.dtype), point[:, -1:].to(self.rows.dtype)
        return (weights @ self.rows.T).add_(bias).mul_(self.against)

    def value(
        self, losing: Float[Tensor, "e r"], squared: Float64[Tensor, " e"]
    ) -> Float64[Tensor, " e"]:
        """The objective, `squared` being the squared length of the weights."""
        loss = (self.mass * softplus(losing)).sum(dim=1, dtype=torch.float64)
        return loss + self.penalty / 2 * squared

    def gradient(
        self, point: Float64[Tensor, "e k1"], losing: Float[Tensor, "e r"]
    ) -> Float64[Tensor, "e k1"]:
        """The objective's gradient at a point whose `losing` is known."""
        pull = torch.sigmoid(losing).mul_(self.mass).mul_(self.against)
        by_weight = (pull @ self.rows).double() + self.penalty * point[:, :-1]
        by_bias = pull.sum(dim=1, keepdim=True, dtype=torch.float64) * self.intercept
        return torch.cat([by_weight * self.allowed, by_bias], dim=1)


class Curvature:
    """An approximate Hessian of every concept, from the rows that hold most of it.

    `shared` takes one for all concepts, the mean of theirs: a twentieth of the work for twenty,
    and good enough far from the answer. Concepts of different features have no mean.
    """

    def __init__(
        self, problem: LogLoss, losing: Float[Tensor, "e r"], *, shared: bool = False
    ) -> None:
        most = int(problem.allowed.sum(dim=1).max())
        # a concept's own features first; what fills up the shorter lists is held at zero
        order = problem.allowed.argsort(dim=1, descending=True, stable=True)
        self._columns = order[:, :most]
        self._allowed = problem.allowed.gather(1, self._columns)
        probability = torch.sigmoid(losing)
        curved = (probability * (1 - probability)).mul_(problem.mass)
        count = max(_FEW, _EACH * (most + 1))
        if shared and problem.alike:
            curved = curved.mean(dim=0, keepdim=True)
            count = max(count, min(_SHARED * count, _PRODUCTS // (most + 1) ** 2))
        self._factor = problem.rows.new_empty(len(curved), most + 1, most + 1)
        for e, row in enumerate(curved):
            # the factor is taken in float64: float32 would lose the smaller of two close features
            self._factor[e] = torch.linalg.cholesky(self._gram(problem, e, row, count))

    def _gram(
        self, problem: LogLoss, e: int, curved: Float[Tensor, " r"], count: int
    ) -> Float64[Tensor, "m m"]:
        picks, total = systematic(curved, count)
        rows = problem.rows[picks]
        if self._columns.shape[1] < rows.shape[1] or not bool(self._allowed[e].all()):
            rows = rows[:, self._columns[e]] * self._allowed[e].to(rows.dtype)
        if len(picks) == len(curved):
            root, scale = curved.sqrt()[:, None], torch.ones_like(total)
            rows = rows * root
        else:
            root, scale = rows.new_ones(len(rows), 1), total / len(picks)
        gram = self._factor.new_empty(rows.shape[1] + 1, rows.shape[1] + 1, dtype=torch.float64)
        gram[:-1, :-1] = _squared(rows)
        gram[-1:, :-1] = root.T @ rows if problem.intercept else 0
        gram[:-1, -1] = gram[-1, :-1]
        gram[-1, -1] = root.square().sum()
        gram *= scale
        diagonal = gram.diagonal()
        diagonal[:-1] += problem.penalty
        diagonal += _RIDGE * diagonal.mean()
        return gram

    def only(self, which: Tensor) -> Curvature:
        """The same for some of the concepts."""
        part = copy.copy(self)
        part._columns, part._allowed = self._columns[which], self._allowed[which]
        part._factor = self._factor if len(self._factor) == 1 else self._factor[which]
        return part

    def solve(self, gradient: Float64[Tensor, "e k1"]) -> Float64[Tensor, "e k1"]:
        """Apply the inverse: where a concept's quadratic model has its minimum, negated."""
        short = torch.cat([gradient[:, :-1].gather(1, self._columns), gradient[:, -1:]], dim=1)
        short = short.to(self._factor.dtype)
        if len(self._factor) == 1:
            step = torch.cholesky_solve(short.T, self._factor[0]).T.double()
        else:
            step = torch.cholesky_solve(short[:, :, None], self._factor)[:, :, 0].double()
        whole = torch.zeros_like(gradient)
        whole.scatter_(1, self._columns, step[:, :-1] * self._allowed)
        whole[:, -1] = step[:, -1]
        return whole


def _squared(rows: Float[Tensor, "r m"]) -> Float[Tensor, "m m"]:
    """The products of columns with each other: numpy makes each pair once, for half the work."""
    if rows.device.type != "cpu":
        return rows.T @ rows
    own = rows.numpy()
    return torch.from_numpy(own.T @ own)


def systematic(
    mass: Float[Tensor, " r"], count: int
) -> tuple[Int[Tensor, " n"], Float64[Tensor, ""]]:
    """Return rows picked in proportion to their mass, at even distances, and the mass in all.

    Every row where there are no more than `count`. A row with much mass is picked several times.
    """
    if len(mass) <= count:
        return torch.arange(len(mass), device=mass.device), mass.sum(dtype=torch.float64)
    passed = mass.cumsum(0, dtype=torch.float64)
    even = torch.arange(count, dtype=torch.float64, device=mass.device) + 0.5
    picks = torch.searchsorted(passed, even * (passed[-1] / count))
    return picks.clamp_(max=len(mass) - 1), passed[-1]


@dataclass(frozen=True, eq=False)
class LinearClassifiers:
    """Linear classifiers of concepts, in units of the raw features, on the CPU.

    A row's logit for concept `e` is `rows @ weights[e] + bias[e]`, its probability the sigmoid.
    """

    weights: Float64[Tensor, "e k"]
    bias: Float64[Tensor, " e"]

    def logits(self, rows: Float[Tensor, "r k"]) -> Float[Tensor, "r e"]:
        """Return every row's logit for every concept, on the rows' device, at least float32."""
        rows = rows.detach().to(_working_type(rows))
        return torch.addmm(self.bias.to(rows), rows, self.weights.to(rows).T)


@dataclass(frozen=True, eq=False)
class _Units:
    """Mean and standard deviation of every feature; a constant one has deviation 0."""

    mean: Float64[Tensor, " k"]
    deviation: Float64[Tensor, " k"]

    @staticmethod
    def of(rows: Float[Tensor, "r k"]) -> _Units:
        """Those of the rows; sums are taken from a typical value, so that a constant has 0."""
        typical = rows[:: max(1, len(rows) // _TYPICAL)].median(dim=0).values
        first = torch.zeros_like(typical, dtype=torch.float64)
        second = torch.zeros_like(first)
        for block in rows.split(_BLOCK):
            away = block - typical
            first += away.sum(dim=0)
            second += away.square_().sum(dim=0)
        first, second = first / len(rows), second / len(rows)
        if not bool((first + second).isfinite().all()):
            bad, largest = ~rows.isfinite(), rows.nan_to_num(0, 0, 0).abs().max()
            raise ValueError(
                f"got {int(bad.any(dim=1).sum())} of {len(rows)} rows with NaN or infinite values,"
                f" the largest finite one being {float(largest):.3g}; expected finite numbers with"
                " finite squares; look for the layer that makes them"
            )
        return _Units(typical.double() + first, (second - first.square()).clamp(min=0).sqrt())

    def from_zero(self) -> _Units:
        """The same counted from zero: deviations are roots of mean squares."""
        square = self.mean.square() + self.deviation.square()
        return _Units(torch.zeros_like(self.mean), square.sqrt())

    def standardise(self, rows: Float[Tensor, "r k"]) -> Float[Tensor, "r k"]:
        """Rows in standard deviations from the mean; 0 for a constant feature."""
        mean, inverse = self.mean.to(rows.dtype), self._inverse.to(rows.dtype)
        if rows.device.type != "cpu":
            return (rows - mean).mul_(inverse)
        # numpy asks the system for large pages: products are half as fast again as on torch's
        double = rows.dtype == torch.float64
        standard = torch.from_numpy(np.empty(rows.shape, np.float64 if double else np.float32))
        for block, place in zip(rows.split(_BLOCK), standard.split(_BLOCK), strict=True):
            torch.sub(block, mean, out=place).mul_(inverse)
        return standard

    def point(self, classifiers: LinearClassifiers) -> Float64[Tensor, "e k1"]:
        """Classifiers in units of raw features, in units of standard deviations."""
        weights, bias = classifiers.weights.to(self.mean), classifiers.bias.to(self.mean)
        return torch.cat([weights * self.deviation, (bias + weights @ self.mean)[:, None]], dim=1)

    def classifiers(
        self, point: Float64[Tensor, "e k1"], used: Int[Tensor, " u"], features: int
    ) -> LinearClassifiers:
        """The reverse, the features in use being `used` of `features`."""
        own = point[:, :-1] * self._inverse
        weights = torch.zeros(len(point), features, dtype=torch.float64)
        weights[:, used] = own.cpu()
        return LinearClassifiers(weights, (point[:, -1] - own @ self.mean).cpu())

    @property
    def _inverse(self) -> Float64[Tensor, " k"]:
        return torch.where(self.deviation > 0, 1 / self.deviation, 0.0)


def fit_logistic(
    rows: Float[Tensor, "r k"],
    signs: Int8[Tensor, "e r"],
    *,
    penalty: float,
    allowed: Bool[Tensor, "e k"] | None = None,
    balanced: bool = True,
    intercept: bool = True,
    start: LinearClassifiers | None = None,
    device: torch.device | str | None = None,
    tolerance: float = 1e-6,
    done: Callable[[int], object] = int,
) -> LinearClassifiers:
    """Return the classifier of every concept, all of them fitted together on the same rows.

    `signs[e, r]` is +1 where row `r` is the concept's, -1 where it is not, and 0 where it is not
    asked about. Concept `e` minimises, over weights `w` and an intercept `b`,

        mean of log(1 + exp(-sign (rows w + b))) + penalty / 2 * |w * std|^2

    over its rows: with `balanced` both signs weigh one half, else all rows weigh alike. `std` is
    each feature's standard deviation over all of `rows`, so the penalty knows no units; the
    intercept goes free. A feature that is constant, or not `allowed`, gets weight 0. Without an
    `intercept` `b` is 0, and `std` the root of each feature's mean square.

    The objective is above its minimum by an estimated `tolerance` of it at the most. Products with
    rows are taken in their own precision, at least float32, which is good for 1e-7 and hardly
    better. `start` is where to begin; `device` where to compute, the rows' own by default. `done`
    is told how many concepts were answered since it was told the last time.

    Raises ValueError where shapes do not fit, rows are not finite, a concept has rows of one sign
    only, or `penalty` or `tolerance` is not positive. Warns with scikit-learn's ConvergenceWarning
    where the tolerance is not reached.
    """
    _check(rows, signs, penalty, tolerance)
    place = torch.device(device) if device is not None else rows.device
    place = torch.device("cpu") if place.type == "mps" else place  # it has no float64
    allowed = _allowed(allowed, (len(signs), rows.shape[1]))
    used = allowed.any(dim=0).nonzero()[:, 0]
    raw = rows.detach().to(place, _working_type(rows))
    raw = raw if len(used) == raw.shape[1] else raw[:, used.to(place)]
    units = _Units.of(raw) if intercept else _Units.of(raw).from_zero()
    standard = units.standardise(raw)
    begin = None if start is None else units.point(_start_on_used(start, allowed, used))
    points, gaps = [], []
    for some in torch.arange(len(signs)).split(_at_once(standard, allowed[:, used])):
        signed = signs[some.to(signs.device)].to(place)
        mine = allowed[some][:, used].to(place, torch.float64)
        sides = _sides(signed, balanced, standard.dtype)
        problem = LogLoss(standard, *sides, mine, penalty, intercept)
        first = _first_look(problem) if begin is None else begin[some.to(place)]
        point, gap = _minimise(problem, first, _MARGIN * tolerance, done)
        points.append(point)
        gaps.append(gap)
    _warn(torch.cat(gaps), tolerance)
    return units.classifiers(torch.cat(points), used, rows.shape[1])


def _working_type(rows: Tensor) -> torch.dtype:
    return torch.float64 if rows.dtype == torch.float64 else torch.float32


def _at_once(rows: Float[Tensor, "r k"], allowed: Bool[Tensor, "e k"]) -> int:
    """How many concepts fit together; those of different features have no curvature in common."""
    alike = bool((allowed == allowed[0]).all())
    return max(1, min(_TOGETHER // len(rows), len(allowed) if alike else _own_at_once(rows)))


def _own_at_once(rows: Float[Tensor, "r k"]) -> int:
    """How many concepts fit together with a curvature each."""
    return max(1, _TOGETHER // max(len(rows), (rows.shape[1] + 1) ** 2))


def _sides(
    signs: Int8[Tensor, "e r"], balanced: bool, dtype: torch.dtype
) -> tuple[Float[Tensor, "e r"], Float[Tensor, "e r"]]:
    """Minus the signs, and what each row weighs: 1 in all."""
    yes, no = signs > 0, signs < 0
    positives, negatives = (side.sum(dim=1, keepdim=True).double() for side in (yes, no))
    share = torch.full_like(positives, 0.5) if balanced else positives / (positives + negatives)
    mass = yes * (share / positives).to(dtype) + no * ((1 - share) / negatives).to(dtype)
    return -signs.to(dtype), mass


def _check(rows: Tensor, signs: Tensor, penalty: float, tolerance: float) -> None:
    if rows.ndim != 2 or signs.ndim != 2 or 0 in (*rows.shape, *signs.shape):
        raise ValueError(
            f"got rows of {tuple(rows.shape)} and signs of {tuple(signs.shape)}; expected (R, K)"
            " and (E, R), none of them zero; pass a row per region and a list of signs per concept"
        )
    if signs.shape[1] != len(rows) or not rows.is_floating_point() or signs.dtype != torch.int8:
        raise ValueError(
            f"got {rows.dtype} rows of {tuple(rows.shape)} and {signs.dtype} signs of"
            f" {tuple(signs.shape)}; expected floating-point (R, K) and int8 (E, R); pass a sign"
            " for each concept and row"
        )
    if not (0 < penalty < math.inf and 0 < tolerance < 1):
        raise ValueError(
            f"got a penalty of {penalty} and a tolerance of {tolerance}; expected a positive"
            " penalty and a tolerance between 0 and 1; without a penalty, separable rows have no"
            " answer: take a small one, such as 1e-4"
        )
    _check_signs(signs)


def _check_signs(signs: Int8[Tensor, "e r"]) -> None:
    if int(signs.min()) < -1 or int(signs.max()) > 1:
        raise ValueError(
            f"got signs from {int(signs.min())} to {int(signs.max())}; expected -1, 0 and +1;"
            " give rows of the concept +1, others -1, and 0 to those that are not asked about"
        )
    lonely = ~((signs > 0).any(dim=1) & (signs < 0).any(dim=1))
    if lonely.any():
        e = int(lonely.nonzero()[0, 0])
        raise ValueError(
            f"got {int((signs[e] > 0).sum())} rows with +1 and {int((signs[e] < 0).sum())} with -1"
            f" for concept {e}; expected some of both; leave this concept out, or give it more rows"
        )


def _allowed(allowed: Bool[Tensor, "e k"] | None, shape: tuple[int, int]) -> Bool[Tensor, "e k"]:
    if allowed is None:
        return torch.ones(shape, dtype=torch.bool)
    if tuple(allowed.shape) != shape or allowed.dtype != torch.bool:
        raise ValueError(
            f"got `allowed` of {allowed.dtype} and {tuple(allowed.shape)}; expected booleans of"
            f" {shape}; say of each concept and feature whether the one may use the other"
        )
    return allowed.cpu()


def _start_on_used(
    start: LinearClassifiers, allowed: Bool[Tensor, "e k"], used: Int[Tensor, " u"]
) -> LinearClassifiers:
    """Where to begin, on features that any concept may use."""
    shapes, expected = (start.weights.shape, start.bias.shape), tuple(allowed.shape)
    if shapes != (expected, expected[:1]) or not start.weights.isfinite().all():
        raise ValueError(
            f"got a start of {tuple(shapes[0])} weights and {tuple(shapes[1])} intercepts; expected"
            f" {expected} finite ones; start from classifiers of the same concepts and features,"
            " or from none"
        )
    weights = torch.where(allowed, start.weights.double().cpu(), 0.0)
    return LinearClassifiers(weights[:, used], start.bias.double().cpu())


def _warn(gaps: Float64[Tensor, " e"], tolerance: float) -> None:
    """Say of how many concepts the answer is not as good as was asked."""
    short = gaps > tolerance
    if short.any():
        # here, for loading scikit-learn takes as long as all of this package
        from sklearn.exceptions import ConvergenceWarning

        warnings.warn(
            f"got a relative gap of {float(gaps.max()):.1g} for the worst of {int(short.sum())}"
            f" concepts; expected {tolerance:.1g}; take a larger tolerance or penalty, or pass"
            " rows in float64",
            ConvergenceWarning,
            stacklevel=3,
        )


@dataclass(frozen=True, eq=False)
class _Iterate:
    """A point of every concept, and what is known there."""

    point: Float64[Tensor, "e k1"]
    losing: Float[Tensor, "e r"]
    value: Float64[Tensor, " e"]
    gradient: Float64[Tensor, "e k1"]

    def only(self, which: Tensor) -> _Iterate:
        """The same of some of the concepts."""
        part = (self.point, self.losing, self.value, self.gradient)
        return _Iterate(*(each[which] for each in part))


def _begin(problem: LogLoss, point: Float64[Tensor, "e k1"]) -> _Iterate:
    """Know a point; where it does worse than knowing nothing, begin at nothing."""
    losing = problem.losing(point)
    value = problem.value(losing, point[:, :-1].square().sum(dim=1))
    nothing = problem.mass.sum(dim=1, dtype=torch.float64) * math.log(2)
    worse = ~(value <= nothing)
    point = point.masked_fill(worse[:, None], 0)
    losing = losing.masked_fill_(worse[:, None], 0)
    return _Iterate(point, losing, value.where(~worse, nothing), problem.gradient(point, losing))


def _step(problem: LogLoss, at: _Iterate, direction: Float64[Tensor, "e k1"]) -> _Iterate:
    """Go along it until little of the slope is left: the rows are read once for all trials."""
    passing = problem.losing(direction)
    length = torch.ones_like(at.value)
    below, above = torch.zeros_like(length), torch.full_like(length, torch.inf)
    here, ahead = at.point[:, :-1], direction[:, :-1]
    squared, mixed, further = (
        (a * b).sum(1) for a, b in ((here, here), (here, ahead), (ahead, ahead))
    )
    first = (at.gradient * direction).sum(dim=1)
    highest = at.value * (1 + 10 * torch.finfo(passing.dtype).eps)
    for trial in range(_TRIALS):
        losing = torch.addcmul(at.losing, length[:, None].to(passing.dtype), passing)
        value = problem.value(losing, squared + 2 * length * mixed + length**2 * further)
        pulled = torch.sigmoid(losing).mul_(problem.mass).mul_(passing)
        slope = pulled.sum(dim=1, dtype=torch.float64)
        slope = slope + problem.penalty * (mixed + length * further)
        done = (slope.abs() <= _FLAT * first.abs()) & (value <= highest)
        if trial == _TRIALS - 1 or done.all():
            break
        over = (slope > 0) | (value > highest)
        above = torch.where(~done & over, length, above)
        below = torch.where(~done & ~over, length, below)
        length = torch.where(done, length, _next_trial(length, first, slope, below, above))
    point = at.point + length[:, None] * direction
    return _Iterate(point, losing, value, problem.gradient(point, losing))


def _next_trial(
    length: Float64[Tensor, " e"],
    first: Float64[Tensor, " e"],
    slope: Float64[Tensor, " e"],
    below: Float64[Tensor, " e"],
    above: Float64[Tensor, " e"],
) -> Float64[Tensor, " e"]:
    """Where the slope would vanish if it were a straight line, else half way between bounds."""
    straight = torch.minimum(length * first / (first - slope), 4 * length)
    between = torch.where(above.isinf(), 2 * length, (below + above) / 2)
    return torch.where((straight > below) & (straight < above), straight, between)


@dataclass(frozen=True, eq=False)
class _Course:
    """Concepts on their way with one curvature: where they are, and what their steps have shown."""

    problem: LogLoss
    at: _Iterate
    curvature: Curvature
    memory: GradientMemory

    def only(self, which: Tensor) -> _Course:
        """The same of some of the concepts."""
        return _Course(
            self.problem.only(which),
            self.at.only(which),
            self.curvature.only(which),
            self.memory.only(which),
        )


def _course(problem: LogLoss, point: Float64[Tensor, "e k1"], *, shared: bool = False) -> _Course:
    at = _begin(problem, point)
    curvature = Curvature(problem, at.losing, shared=shared)
    return _Course(problem, at, curvature, GradientMemory(_MEMORY))


def _round(course: _Course, tolerance: float) -> tuple[_Course, Float64[Tensor, " e"], bool]:
    """Steps on one curvature, until most gaps are at `tolerance` or a new curvature pays.

    Concepts that are done stand still. Whether a new curvature pays is what comes last.
    """
    at, memory, worst = course.at, course.memory, list[float]()
    renewal = course.problem.renewal
    most = max(_STEPS, int(renewal))
    for step in range(most + 1):
        direction = memory.direction(at.gradient, course.curvature.solve)
        down = (at.gradient * direction).sum(dim=1)
        gap = down.abs() / 2 / at.value.clamp(min=torch.finfo(torch.float64).tiny)
        worst.append(float(gap.max()))
        slow = step == most or _slow(worst, tolerance, renewal)
        if slow or _thin(gap, tolerance):
            break
        stands = (gap <= tolerance) | (down >= 0)
        after = _step(course.problem, at, direction.masked_fill(stands[:, None], 0))
        memory.keep(after.point - at.point, after.gradient - at.gradient)
        at = after
    return replace(course, at=at), gap, slow and worst[-1] > tolerance


def _thin(gap: Float64[Tensor, " e"], tolerance: float) -> bool:
    """Whether all are done, or so many that the others are better off alone."""
    going = int((gap > tolerance).sum())
    return going == 0 or (len(gap) >= _FULL and going <= len(gap) // 2)


def _slow(worst: list[float], tolerance: float, renewal: float) -> bool:
    """Whether more steps are to come, at the pace of the last ones, than a new curvature takes.

    On a new one, a step takes about one decimal of the gap.
    """
    watched = max(_WATCHED, min(4 * _WATCHED, int(renewal) // 8))
    if len(worst) <= watched or worst[-1] <= tolerance:
        return False
    left = math.log10(worst[-1] / tolerance)
    pace = math.log10(worst[-1 - watched] / worst[-1]) / watched
    return left > pace * (left + renewal)


def _minimise(
    problem: LogLoss,
    point: Float64[Tensor, "e k1"],
    tolerance: float,
    done: Callable[[int], object],
) -> tuple[Float64[Tensor, "e k1"], Float64[Tensor, " e"]]:
    """Rounds until every gap is at `tolerance`: on one curvature for all, then on own ones."""
    point, gap, going = _on_shared(problem, point, tolerance, done)
    for some in going.split(_own_at_once(problem.rows)) if len(going) else ():
        point[some], gap[some] = _on_own(problem.only(some), point[some], tolerance)
        done(len(some))
    return point, gap


def _on_shared(
    problem: LogLoss,
    point: Float64[Tensor, "e k1"],
    tolerance: float,
    done: Callable[[int], object],
) -> tuple[Float64[Tensor, "e k1"], Float64[Tensor, " e"], Int[Tensor, " g"]]:
    """Return points, gaps, and the concepts to which a curvature for all does not lead."""
    point, gap = point.clone(), torch.full_like(point[:, 0], torch.inf)
    going = torch.arange(len(gap), device=gap.device)
    course, slow = _course(problem, point, shared=True), False
    while len(going) and not slow:
        course, gap[going], slow = _round(course, tolerance * _FOREIGN)
        point[going] = course.at.point
        left = gap[going] > tolerance * _FOREIGN
        done(int((~left).sum()))
        going, course = going[left], course.only(left)
    rest = going[gap[going] > tolerance]
    done(len(going) - len(rest))
    return point, gap, rest


def _on_own(
    problem: LogLoss, point: Float64[Tensor, "e k1"], tolerance: float
) -> tuple[Float64[Tensor, "e k1"], Float64[Tensor, " e"]]:
    """Rounds with a curvature of each concept.

    One is given up where a round no longer lowers its objective beyond rounding.
    """
    point, gap = point.clone(), torch.full_like(point[:, 0], torch.inf)
    value, going = gap.clone(), torch.arange(len(gap), device=gap.device)
    least = 1 - torch.finfo(problem.rows.dtype).eps
    course, slow = _course(problem, point), False
    for _ in range(_ROUNDS):
        course = _course(course.problem, course.at.point) if slow else course
        course, gap[going], slow = _round(course, tolerance)
        falls = course.at.value < least * value[going]
        point[going], value[going] = course.at.point, course.at.value
        left = falls & (gap[going] > tolerance)
        going, course = going[left], course.only(left)
        if len(going) == 0:
            break
    return point, gap


def _first_look(problem: LogLoss) -> Float64[Tensor, "e k1"]:
    """Where to begin: the answer for few of the rows, nothing where these are all of one kind."""
    concepts, channels = problem.allowed.shape
    nothing = problem.allowed.new_zeros(concepts, channels + 1)
    if len(problem.rows) < 2 * _LOOK:
        return nothing
    together = problem.mass.mean(dim=0)
    picks, total = systematic(together, _LOOK)
    mass = problem.mass[:, picks] * (total / _LOOK / together[picks]).to(problem.mass.dtype)
    against = problem.against[:, picks]
    both = (mass * against > 0).any(dim=1) & (mass * against < 0).any(dim=1)
    few = replace(problem, rows=problem.rows[picks], against=against, mass=mass * both[:, None])
    return _round(_course(few, nothing, shared=True), _ROUGH)[0].at.point
