"""How much each neuron contributes to concept classifiers: Shapley values (HINT, Eq. 2).

Of linear classifiers by Owen's integral, without sampling (`owen_scores`): the logit of a coalition
is near to normal, so that its mean probability has a closed form, expanded to third order in what
one neuron moves; of few strong neurons it is taken as it is. `neuron_scores` and
`classifier_scores` are the doors to this and to all other estimators.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int8
from torch import Tensor

from ..arguments import Stop, check_finite, nearest
from .permutations import (
    FEWEST,
    CallbackGame,
    Halves,
    LinearGame,
    PermutationPaths,
    RefittedClassifiers,
    RetrainedGame,
    SamplingLimits,
    sample,
)

GROUPS, NODES = 4, 3
# A neuron is strong where the fourth order could exceed this share of the largest score.
_NEGLIGIBLE = 0.01
_MACKAY = math.pi / 8
# Rows whose coefficients are found at once, and of these whose neurons are: what is worked on
# stays in the processor's cache.
_ROWS, _BLOCK = 2048, 128
ESTIMATORS = (
    "owen",
    "permutation",
    "retrained",
    "retrained_logistic",
    "logit",
    "coefficient",
    "random",
)
# Permutations along which logistic classifiers are trained, one for each neuron, at the most.
RETRAINED = 24
# Numbers that sampling may hold at once for a group of concepts (512 MB).
_HELD = 2**27
Array = Tensor | np.ndarray


@dataclass(frozen=True, eq=False)
class _ConceptGroups:
    """One concept's classifier and its groups of background rows.

    Rows are counted from the mean of the whole background; `bias` is the logit there.
    """

    w: Float[Tensor, " k"]
    bias: Float[Tensor, ""]
    share: Float[Tensor, " g"]
    mean: Float[Tensor, "g k"]
    own: Float[Tensor, "g k"]
    cross: Float[Tensor, "g k"]
    strong: Int[Tensor, " s"]

    def narrowed(self, only: Int[Tensor, " n"]) -> _ConceptGroups:
        """The same with some of the neurons alone."""
        parts = {name: getattr(self, name)[..., only] for name in ("w", "mean", "own", "cross")}
        return replace(self, **parts, strong=torch.isin(only, self.strong).nonzero()[:, 0])


@dataclass(frozen=True, eq=False)
class _Logits:
    """Means and variances of rows' logits at each group and node, nodes and their weights."""

    mean: Float[Tensor, "m g n"]
    variance: Float[Tensor, "m g n"]
    q: Float[Tensor, " n"]
    weight: Float[Tensor, "g n"]


def owen_scores(
    rows: Float[Tensor, "r k"],
    weights: Float[Tensor, "e k"],
    bias: Float[Tensor, " e"],
    background: Float[Tensor, "n k"],
    done: Callable[[int], object] = int,
    only: Int[Tensor, " s"] | None = None,
) -> Float[Tensor, "_n e"]:
    """Return the mean over rows of the absolute Shapley value of each neuron, in probability.

    `only` are the neurons that are asked for, all if not given: of one it takes a third of the
    time. `done` is told how many concepts were looked at since it was told the last time.
    """
    count = weights.shape[1] if only is None else len(only)
    total, ones = weights.new_zeros(len(weights), count), weights.new_ones(_ROWS)
    left = [len(rows)] * len(weights)
    for e, values in _values(rows, weights, bias, background, only):
        left[e] -= len(values)
        done(int(left[e] == 0))
        total[e].addmv_(values.abs_().T, ones[: len(values)])  # much faster than a sum over rows
    return total.T.double() / len(rows)


def owen_values(
    rows: Float[Tensor, "r k"],
    weights: Float[Tensor, "e k"],
    bias: Float[Tensor, " e"],
    background: Float[Tensor, "n k"],
) -> Float[Tensor, "r k e"]:
    """Return the signed Shapley value of each neuron for each row and concept, in probability."""
    blocks: list[list[Tensor]] = [[] for _ in weights]
    for e, values in _values(rows, weights, bias, background):
        blocks[e].append(values)
    return torch.stack([torch.cat(own) for own in blocks], -1)


def _values(
    rows: Float[Tensor, "r k"],
    weights: Float[Tensor, "e k"],
    bias: Float[Tensor, " e"],
    background: Float[Tensor, "n k"],
    only: Int[Tensor, " s"] | None = None,
) -> Iterator[tuple[int, Float[Tensor, "b _n"]]]:
    """Give concepts and their values, block by block of rows, in order for each concept."""
    centre = background.new_full((len(background),), 1 / len(background)) @ background
    concepts = _concepts(weights, bias + weights @ centre, background, centre, rows)
    asked = concepts if only is None else [concept.narrowed(only) for concept in concepts]
    size = max(_BLOCK, _BLOCK * _BLOCK // len(asked[0].w))
    for part in rows.split(_ROWS):
        x = part - centre
        own = x if only is None else x[:, only]
        for e, logits in enumerate(_logits(x, concepts)):
            yield from ((e, values) for values in _blocks(own, asked[e], logits, size))


def _blocks(
    x: Float[Tensor, "m _n"], concept: _ConceptGroups, logits: _Logits, size: int
) -> Iterator[Float[Tensor, "b _n"]]:
    """Give a concept's values, so many rows at a time: strong neurons' as they are."""
    strong = concept.strong
    exact = _exact(x, concept, logits) if len(strong) else x[:, :0]
    if len(strong) == len(concept.w):
        yield from exact.split(size)
        return
    cubic, coefficients = _Cubic(concept), _coefficients(logits)
    for own, few, known in zip(*(a.split(size) for a in (x, coefficients, exact)), strict=True):
        values = cubic.values(own, few)
        if len(strong):
            values[:, strong] = known
        yield values


def _concepts(
    weights: Float[Tensor, "e k"],
    bias: Float[Tensor, " e"],
    background: Float[Tensor, "n k"],
    centre: Float[Tensor, " k"],
    rows: Float[Tensor, "r k"],
) -> list[_ConceptGroups]:
    logits = ((background @ weights.T) - weights @ centre).T.contiguous()
    grouped = _grouped([_alike(own) for own in logits], logits, weights, background, centre)
    strong = _strong(rows, centre, weights)
    return [
        _ConceptGroups(w, b, *groups, at.nonzero()[:, 0])
        for w, b, groups, at in zip(weights, bias, grouped, strong, strict=True)
    ]


def _strong(
    rows: Float[Tensor, "r k"], centre: Float[Tensor, " k"], weights: Float[Tensor, "e k"]
) -> Bool[Tensor, "e k"]:
    x = rows[:: 1 + len(rows) // _ROWS] - centre
    size, fourth = x.abs().mean(0), x.square().square_().mean(0)
    # a neuron's score is at most a quarter of how it moves the logit; what the third order
    # leaves out is at most a 192nd of the fourth power
    largest = (weights.abs() * size).amax(1, keepdim=True) / 4
    return weights.pow(4) * fourth / 192 > _NEGLIGIBLE * largest


def _grouped(
    members: list[Bool[Tensor, "_ n"]],
    logits: Float[Tensor, "e n"],
    weights: Float[Tensor, "e k"],
    background: Float[Tensor, "n k"],
    centre: Float[Tensor, " k"],
) -> Iterator[
    tuple[Float[Tensor, " g"], Float[Tensor, "g k"], Float[Tensor, "g k"], Float[Tensor, "g k"]]
]:
    """Give the share, mean, own and cross of each concept's groups."""
    chosen = torch.cat(members).to(weights.dtype)
    of = torch.tensor([e for e, groups in enumerate(members) for _ in groups], device=chosen.device)
    count = chosen.sum(1, keepdim=True)
    shifted = logits[of]
    away = chosen * (shifted - (chosen * shifted).sum(1, keepdim=True) / count)
    sums = torch.zeros(2 * len(of), len(centre)).to(weights)
    squares = torch.zeros(len(of), len(centre)).to(weights)
    both = torch.cat([chosen, away])
    for at in range(0, len(background), _BLOCK):
        x = background[at : at + _BLOCK] - centre
        sums.addmm_(both[:, at : at + _BLOCK], x)
        squares.addmm_(chosen[:, at : at + _BLOCK], x.square_())
    mean, product = (sums / count.repeat(2, 1)).split(len(of))
    own = weights[of].square() * (squares / count - mean.square()).clamp(min=0)
    cross = weights[of] * product - own
    for e in range(len(members)):
        mine = of == e
        yield count[mine, 0] / len(background), mean[mine], own[mine], cross[mine]


def _alike(logits: Float[Tensor, " n"]) -> Bool[Tensor, "g n"]:
    """Put logits into groups around means (Lloyd's k-means in one dimension), none empty."""
    at = (torch.arange(GROUPS, device=logits.device) + 0.5) / GROUPS * (len(logits) - 1)
    ordered, order = logits.sort()
    centres = ordered[at.round().long()].unique()
    sums = torch.cat([ordered.new_zeros(1), ordered.double().cumsum(0)])
    for _ in range(30):
        ends = torch.searchsorted(ordered, (centres[1:] + centres[:-1]) / 2)
        ends = torch.cat([ends.new_zeros(1), ends, ends.new_tensor([len(logits)])])
        count = ends.diff()
        before = centres
        centres = (sums[ends].diff() / count.clamp(min=1))[count > 0].to(logits.dtype)
        if torch.equal(centres, before):
            break
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order), device=order.device)
    ends = ends.unique()
    return (place >= ends[:-1, None]) & (place < ends[1:, None])


@cache
def _nodes() -> tuple[np.ndarray, np.ndarray]:
    """Where between 0 and 1 the integral is looked at, and with what weights."""
    at, weights = np.polynomial.legendre.leggauss(NODES)
    return (at + 1) / 2, weights / 2


def _logits(x: Float[Tensor, "m k"], concepts: Sequence[_ConceptGroups]) -> Iterator[_Logits]:
    """Give the logits of every concept; rows are read once for all of them."""
    squared = torch.stack([concept.w.square() for concept in concepts])
    scaled = [concept.mean * own for concept, own in zip(concepts, squared, strict=True)]
    firsts = x @ torch.stack([concept.w for concept in concepts]).T
    products = (x @ torch.cat(scaled).T).split([len(own) for own in scaled], 1)
    seconds = x.square() @ squared.T
    for e, concept in enumerate(concepts):
        distance = (scaled[e] * concept.mean).sum(1)
        away = seconds[:, e, None] - 2 * products[e] + distance
        yield _logits_of(concept, firsts[:, e, None], away)


def _logits_of(
    concept: _ConceptGroups, product: Float[Tensor, "m 1"], away: Float[Tensor, "m g"]
) -> _Logits:
    q, shares = (product.new_tensor(part) for part in _nodes())
    middle = concept.mean @ concept.w
    change = product - middle
    own, cross = concept.own.sum(1)[:, None], concept.cross.sum(1)[:, None]
    variance = q * (1 - q) * away[..., None] + ((1 - q) * own + (1 - q).square() * cross)
    at_q = concept.bias + middle[:, None] + q * change[..., None]
    return _Logits(at_q, variance.clamp(min=0), q, shares * concept.share[:, None])


class _Cubic:
    """Values to third order in g, all groups at once: three matrix products and Horner's rule.

    With h = w x and shift = w mean, g = h - shift is expanded in h.
    """

    def __init__(self, concept: _ConceptGroups) -> None:
        self._w = concept.w
        shift, own, cross = concept.mean * concept.w, concept.own, concept.cross
        one = torch.ones_like(own)
        self._constant = torch.stack(
            [own, cross, -shift, -own * shift, -cross * shift, shift.square(), -shift.pow(3)], 1
        ).flatten(0, 1)
        slope = torch.stack([one, own, cross, -2 * shift, 3 * shift.square()], 1)
        self._slope = slope.flatten(0, 1)
        self._square = torch.stack([one, -3 * shift], 1).flatten(0, 1)

    def values(
        self, x: Float[Tensor, "b k"], coefficients: Float[Tensor, "b g 7"]
    ) -> Float[Tensor, "b k"]:
        h = x * self._w
        total = h * coefficients[..., 6].sum(1, keepdim=True)
        total.addmm_(coefficients[..., 5:].flatten(1), self._square).mul_(h)
        total.addmm_(coefficients[..., 2:].flatten(1), self._slope).mul_(h)
        return total.addmm_(coefficients.flatten(1), self._constant)


def _coefficients(logits: _Logits) -> Float[Tensor, "m g 7"]:
    """Return what multiplies own, cross, g, g own, g cross, g^2 and g^3 in a value.

    From the derivatives of `sigmoid(m / sqrt(1 + pi v / 8))` in m and v at the mean logit.
    """
    q, narrow = logits.q, torch.rsqrt(1 + _MACKAY * logits.variance)
    a, wide = logits.mean * narrow, -_MACKAY / 2 * narrow.square()
    s = a.sigmoid()
    first = s * (1 - s)
    second, third = first * (1 - 2 * s), first * (1 - 6 * first)
    m, mm, mmm = first * narrow, second * narrow.square(), third * narrow.pow(3)
    v, mv = first * a * wide, (first + a * second) * narrow * wide
    skew, crossing = (1 - 2 * q) * mv, 2 * (1 - q)
    cube = (1 - 3 * q * (1 - q)) * mmm / 6 - q * (1 - q) * mv
    parts = (-v, -v * crossing, m, -skew, -skew * crossing, (0.5 - q) * mm, cube)
    return torch.stack([(part * logits.weight).sum(-1) for part in parts], -1)


def _exact(
    rows: Float[Tensor, "m k"], concept: _ConceptGroups, logits: _Logits
) -> Float[Tensor, "m s"]:
    at = concept.strong
    x, w, total = rows[:, at], concept.w[at], torch.zeros_like(rows[:, at])
    for i, weights in enumerate(logits.weight):
        g = (x - concept.mean[i, at]) * w
        for j, (q, weight) in enumerate(zip(logits.q, weights, strict=True)):
            t = concept.own[i, at] + 2 * (1 - q) * concept.cross[i, at]
            mean = logits.mean[:, i, j, None]
            rest = logits.variance[:, i, j, None] - q * (1 - q) * g.square()
            present = _expected(mean + (1 - q) * g, rest - (1 - q) * t)
            total += weight * (present - _expected(mean - q * g, rest + q * t))
    return total


def _expected(mean: Float[Tensor, "m s"], variance: Float[Tensor, "m s"]) -> Float[Tensor, "m s"]:
    return (mean * torch.rsqrt(1 + _MACKAY * variance.clamp(min=0))).sigmoid()


@dataclass(frozen=True, eq=False)
class NeuronScores:
    """Scores of neurons for concepts, and how they were found.

    `values` are in probability for "owen", "permutation" and both "retrained", in logits for
    "logit", a coefficient times a standard deviation for "coefficient". `errors` are standard
    errors where scores were sampled, `permutations` the fewest that any concept was given.
    """

    values: Float[np.ndarray, "k e"]
    errors: Float[np.ndarray, "k e"] | None
    estimator: str
    permutations: int | None


def ablated(
    rows: Float[Tensor, "r k"],
    weights: Float[Tensor, " k"],
    bias: Float[Tensor, ""],
    background: Float[Tensor, "n k"],
) -> Float[Tensor, " k"]:
    """Return what a linear classifier's probability changes by where each neuron is taken out.

    Of `sigmoid(w.x + b)`: the mean over `rows` of the absolute change when the neuron is at its
    mean over the `background`, all others in place; what Shapley values are held against.
    """
    change = (rows - background.mean(0)) * weights
    logits = (rows @ weights + bias)[:, None]
    return (torch.sigmoid(logits) - torch.sigmoid(logits - change)).abs().mean(0)


@dataclass(frozen=True, eq=False)
class _Problem:
    rows: Float[Tensor, "r k"]
    weights: Float[Tensor, "e k"]
    bias: Float[Tensor, " e"]
    background: Float[Tensor, "n k"]
    signs: Int8[Tensor, "e r"] | None
    limits: SamplingLimits
    seed: int
    done: Callable[[int], object] = int
    only: Int[Tensor, " s"] | None = None
    penalty: float = 0.1
    intercept: bool = True


def neuron_scores(
    estimator: str,
    rows: Array,
    weights: Array,
    bias: Array,
    *,
    background: Array,
    signs: Array | None = None,
    precision: float = 0.01,
    most: int = 1024,
    seed: int = 0,
    stopped: Stop | None = None,
    done: Callable[[int], object] = int,
    only: Sequence[int] | None = None,
    penalty: float = 0.1,
    intercept: bool = True,
) -> NeuronScores:
    """Score all neurons for all linear classifiers `sigmoid(w.x + b)` at once.

    Eq. 2 of HINT: the mean over `rows` (r, k) of the absolute value of the mean over coalitions of
    what the neuron adds to the probability; absent neurons are those of `background` rows (n, k).
    `weights` are (e, k), `bias` (e,); arrays or tensors, worked on where `rows` lie.

    - "owen": Owen's integral, no sampling; see `owen_scores`.
    - "permutation": sampled until the largest standard error is `precision` of the concept's
      largest score, there are `most` permutations, or `stopped` says yes (twelve are always drawn).
    - "retrained": least-squares classifiers of the concepts in `signs` (e, r), 1 for a concept's
      rows, -1 for others, 0 for rows left out, fitted again for each coalition; sampled likewise.
    - "retrained_logistic": the same word by word: absent neurons are shuffled, and the logistic
      classifiers (`fit_logistic`, with `penalty` and `intercept`) trained again; sampled likewise,
      24 permutations at the most, each of which takes as many trainings as there are neurons.
    - "logit": the same for the logit, `|w_k (x_k - mean_k)|`, exactly.
    - "coefficient": `|w_k|` times the neuron's standard deviation over rows.
    - "random": uniform between 0 and 1.

    `done` is told how many concepts were scored since it was told the last time. `only` are the
    neurons whose scores are returned, in this order, all if not given.

    Raises ValueError for an unknown estimator, for arrays that do not fit or are empty, for values
    that are not finite, for missing `signs`, for a `precision` or `most` that cannot be reached.
    """
    _check_estimator(estimator)
    limits = _limits(precision, most, stopped)
    x = _matrix("rows", rows)
    b = x if background is rows else _matrix("background", background)
    w, c = _finite("weights", weights), _finite("bias", bias)
    x, w, c, b = (part.to(x.device, torch.float32) for part in (x, w, c, b))
    _check_shapes(x, w, c, b)
    given = None if signs is None else torch.as_tensor(signs).to(x.device, torch.int8)
    if estimator.startswith("retrained"):
        _check_signs(given, x, w)
    some = None if only is None else torch.as_tensor(only, dtype=torch.int64, device=x.device)
    problem = _Problem(x, w, c, b, given, limits, seed, done, some, penalty, intercept)
    with torch.no_grad():
        values, errors, permutations = _ESTIMATORS[estimator](problem)
    spread = None if errors is None else _array(errors)
    return NeuronScores(_array(values), spread, estimator, permutations)


def classifier_scores(
    classifier: Callable[[Tensor], Tensor],
    rows: Array,
    *,
    background: Array,
    precision: float = 0.01,
    most: int = 1024,
    seed: int = 0,
    stopped: Stop | None = None,
) -> NeuronScores:
    """Score all neurons for any classifier of rows, by sampled permutations.

    `classifier` takes rows (m, k) and gives probabilities (m, e); it is asked once for every neuron
    of every permutation. All else is as in `neuron_scores`. Raises ValueError likewise, and for an
    answer of another shape or with values that are not finite.
    """
    limits = _limits(precision, most, stopped)
    x, b = _matrix("rows", rows), _matrix("background", background)
    x, b = x.to(torch.float32), b.to(x.device, torch.float32)
    _check_neurons("background", b, x)
    generator = np.random.default_rng(seed)
    with torch.no_grad():
        concepts = _concepts_of(classifier, x)
        game = CallbackGame(x, classifier, b, generator)
        drawn = sample(PermutationPaths(game, concepts), limits, generator)
    values, errors = _array(drawn.scores), _array(drawn.errors)
    return NeuronScores(values, errors, "permutation", drawn.permutations)


# Scores, their standard errors where they were sampled, and from how many permutations.
_Estimate = tuple[Tensor, Tensor | None, int | None]


def _owen(problem: _Problem) -> _Estimate:
    known = (problem.rows, problem.weights, problem.bias, problem.background)
    return owen_scores(*known, problem.done, problem.only), None, None


def _picked(estimate: Callable[[_Problem], _Estimate]) -> Callable[[_Problem], _Estimate]:
    """An estimator of all neurons, of which those that are asked for are picked."""

    def of_some(problem: _Problem) -> _Estimate:
        scores, errors, permutations = estimate(problem)
        some = slice(None) if problem.only is None else problem.only.to(scores.device)
        return scores[some], None if errors is None else errors[some], permutations

    return of_some


def _permutation(problem: _Problem) -> _Estimate:
    def paths(chosen: slice, generator: np.random.Generator) -> Halves:
        w, c = problem.weights[chosen], problem.bias[chosen]
        game = LinearGame(problem.rows, w, c, problem.background, generator)
        return PermutationPaths(game, len(w))

    return _sampled(problem, 2 * problem.rows.numel(), paths)


def _retrained(problem: _Problem) -> _Estimate:
    def refits(chosen: slice, generator: np.random.Generator) -> Halves:
        return RefittedClassifiers(problem.rows, _required(problem.signs)[chosen])

    return _sampled(problem, 12 * problem.rows.shape[1] ** 2 + 128 * len(problem.rows), refits)


def _retrained_logistic(problem: _Problem) -> _Estimate:
    def paths(chosen: slice, generator: np.random.Generator) -> Halves:
        signs = _required(problem.signs)[chosen]
        penalty, intercept = problem.penalty, problem.intercept
        game = RetrainedGame(problem.rows, signs, generator, penalty=penalty, intercept=intercept)
        return PermutationPaths(game, len(signs))

    few = replace(problem.limits, most=min(problem.limits.most, RETRAINED))
    return _sampled(replace(problem, limits=few), 2 * problem.rows.numel(), paths)


def _sampled(
    problem: _Problem, held: int, halves: Callable[[slice, np.random.Generator], Halves]
) -> _Estimate:
    """Sample for as many concepts at once as memory is meant to hold, at least one."""
    size = max(1, _HELD // held)
    parts = []
    for at in range(0, len(problem.weights), size):
        generator = np.random.default_rng([problem.seed, at])
        parts.append(sample(halves(slice(at, at + size), generator), problem.limits, generator))
        problem.done(parts[-1].scores.shape[1])
    scores = torch.cat([part.scores for part in parts], 1)
    errors = torch.cat([part.errors for part in parts], 1)
    return scores, errors, min(part.permutations for part in parts)


def _logit(problem: _Problem) -> _Estimate:
    mean = problem.background.mean(0)
    size = torch.zeros_like(mean, dtype=torch.float64)
    for part in problem.rows.split(128):
        size += (part - mean).abs_().sum(0)
    return (problem.weights.double().abs() * size / len(problem.rows)).T, None, None


def _coefficient(problem: _Problem) -> _Estimate:
    mean = problem.rows.mean(0)
    squares = torch.zeros_like(mean, dtype=torch.float64)
    for part in problem.rows.split(128):
        squares += (part - mean).square_().sum(0)
    deviation = (squares / len(problem.rows)).sqrt()
    return (problem.weights.double().abs() * deviation).T, None, None


def _random(problem: _Problem) -> _Estimate:
    generator = np.random.default_rng(problem.seed)
    return torch.from_numpy(generator.random(problem.weights.T.shape)), None, None


_ESTIMATORS: dict[str, Callable[[_Problem], _Estimate]] = {
    "owen": _owen,
    "permutation": _picked(_permutation),
    "retrained": _picked(_retrained),
    "retrained_logistic": _picked(_retrained_logistic),
    "logit": _picked(_logit),
    "coefficient": _picked(_coefficient),
    "random": _picked(_random),
}


def _array(values: Tensor) -> np.ndarray:
    return values.double().cpu().numpy()


def _required(signs: Int8[Tensor, "e r"] | None) -> Int8[Tensor, "e r"]:
    if signs is None:
        raise ValueError(
            'got no signs for the estimator "retrained"; expected 1, -1 or 0 for every concept and'
            " row; pass signs= or choose another estimator"
        )
    return signs


def _check_estimator(estimator: str) -> None:
    if estimator not in ESTIMATORS:
        raise ValueError(
            f"got the unknown estimator {estimator!r}; expected one of {', '.join(ESTIMATORS)};"
            f" the nearest is {nearest(estimator, ESTIMATORS)}"
        )


def _limits(precision: float, most: int, stopped: Stop | None) -> SamplingLimits:
    if not precision > 0:
        raise ValueError(
            f"got precision={precision}; expected a standard error above 0, as a share of the"
            " largest score; 0.01 is usual"
        )
    if most < FEWEST:
        raise ValueError(
            f"got most={most} permutations; expected at least {FEWEST}, which a standard error"
            " takes; raise it"
        )
    return SamplingLimits(precision, most, stopped)


def _finite(name: str, values: Array) -> Tensor:
    tensor = torch.as_tensor(values)
    check_finite(
        f"got {name} with",
        tensor,
        remedy="leave such rows out, or look for the layer that made them",
    )
    return tensor


def _matrix(name: str, values: Array) -> Tensor:
    tensor = _finite(name, values)
    if tensor.ndim != 2 or 0 in tensor.shape:
        raise ValueError(
            f"got {name} of shape {tuple(tensor.shape)}; expected a row for each region vector and"
            " a column for each neuron, at least one of both; check what was gathered"
        )
    return tensor


def _check_shapes(rows: Tensor, weights: Tensor, bias: Tensor, background: Tensor) -> None:
    _check_neurons("background", background, rows)
    if weights.ndim != 2 or 0 in weights.shape:
        raise ValueError(
            f"got weights of shape {tuple(weights.shape)}; expected a row for each concept and a"
            " column for each neuron; pass coefficients as (e, k)"
        )
    _check_neurons("weights", weights, rows)
    if bias.shape != weights.shape[:1]:
        raise ValueError(
            f"got a bias of shape {tuple(bias.shape)}; expected ({len(weights)},), one for each row"
            " of weights; pass zeros for classifiers without one"
        )


def _check_neurons(name: str, given: Tensor, rows: Tensor) -> None:
    if given.shape[1] != rows.shape[1]:
        raise ValueError(
            f"got {name} of {given.shape[1]} neurons; expected {rows.shape[1]}, as many as rows"
            " have; take both from one layer"
        )


def _check_signs(signs: Tensor | None, rows: Tensor, weights: Tensor) -> None:
    shape, expected = tuple(_required(signs).shape), (len(weights), len(rows))
    if shape != expected:
        raise ValueError(
            f"got signs of shape {shape}; expected {expected}, one for each concept and row; pass"
            " what the classifiers were fitted on"
        )
    both = (_required(signs) > 0).any(1) & (_required(signs) < 0).any(1)
    if not bool(both.all()):
        raise ValueError(
            f"got signs of one kind alone for concept {int(both.int().argmin())}; expected rows of"
            " the concept (1) and others (-1); leave the concept out"
        )


def _concepts_of(classifier: Callable[[Tensor], Tensor], rows: Tensor) -> int:
    answer = classifier(rows[:2].clone())
    if answer.ndim != 2 or len(answer) != len(rows[:2]):
        raise ValueError(
            f"got an answer of shape {tuple(answer.shape)} from the classifier for"
            f" {len(rows[:2])} rows; expected (rows, concepts); give one column for each concept"
        )
    return int(_finite("probabilities", answer).shape[1])
