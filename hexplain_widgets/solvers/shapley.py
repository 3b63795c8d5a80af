"""How much each neuron contributes to concept classifiers: Shapley values (HINT, Eq. 2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int8
from torch import Tensor

from ..arguments import nearest
from .owen import owen_scores
from .permutations import FEWEST, Callback, Halves, Limits, Linear, Paths, sample
from .refitting import Refits

ESTIMATORS = ("owen", "permutation", "retrained", "logit", "coefficient", "random")
# Numbers that sampling may hold at once for a group of concepts (512 MB).
_HELD = 2**27

Array = Tensor | np.ndarray
Stop = Callable[[], bool]


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of neurons for concepts, and how they were found.

    `values` are in probability for "owen", "permutation" and "retrained", in logits for "logit", a
    coefficient times a standard deviation for "coefficient". `errors` are standard errors where
    scores were sampled, `permutations` the fewest that any concept was given.
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
    limits: Limits
    seed: int


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
) -> Scores:
    """Score all neurons for all linear classifiers `sigmoid(w.x + b)` at once.

    Eq. 2 of HINT: the mean over `rows` (r, k) of the absolute value of the mean over coalitions of
    what the neuron adds to the probability; absent neurons are those of `background` rows (n, k).
    `weights` are (e, k), `bias` (e,); arrays or tensors, worked on where `rows` lie.

    - "owen": Owen's integral, no sampling; see `owen`.
    - "permutation": sampled until the largest standard error is `precision` of the concept's
      largest score, there are `most` permutations, or `stopped` says yes (twelve are always drawn).
    - "retrained": least-squares classifiers of the concepts in `signs` (e, r), 1 for a concept's
      rows, -1 for others, 0 for rows left out, fitted again for each coalition; sampled likewise.
    - "logit": the same for the logit, `|w_k (x_k - mean_k)|`, exactly.
    - "coefficient": `|w_k|` times the neuron's standard deviation over rows.
    - "random": uniform between 0 and 1.

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
    if estimator == "retrained":
        _check_signs(given, x, w)
    problem = _Problem(x, w, c, b, given, limits, seed)
    with torch.no_grad():
        values, errors, permutations = _ESTIMATORS[estimator](problem)
    spread = None if errors is None else _array(errors)
    return Scores(_array(values), spread, estimator, permutations)


def classifier_scores(
    classifier: Callable[[Tensor], Tensor],
    rows: Array,
    *,
    background: Array,
    precision: float = 0.01,
    most: int = 1024,
    seed: int = 0,
    stopped: Stop | None = None,
) -> Scores:
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
        game = Callback(x, classifier, b, generator)
        found = sample(Paths(game, concepts), limits, generator)
    return Scores(_array(found.scores), _array(found.errors), "permutation", found.permutations)


_Found = tuple[Tensor, Tensor | None, int | None]


def _owen(problem: _Problem) -> _Found:
    found = owen_scores(problem.rows, problem.weights, problem.bias, problem.background)
    return found, None, None


def _permutation(problem: _Problem) -> _Found:
    def paths(chosen: slice, generator: np.random.Generator) -> Halves:
        w, c = problem.weights[chosen], problem.bias[chosen]
        game = Linear(problem.rows, w, c, problem.background, generator)
        return Paths(game, len(w))

    return _sampled(problem, 2 * problem.rows.numel(), paths)


def _retrained(problem: _Problem) -> _Found:
    def refits(chosen: slice, generator: np.random.Generator) -> Halves:
        return Refits(problem.rows, _required(problem.signs)[chosen])

    return _sampled(problem, 12 * problem.rows.shape[1] ** 2 + 128 * len(problem.rows), refits)


def _sampled(
    problem: _Problem, held: int, halves: Callable[[slice, np.random.Generator], Halves]
) -> _Found:
    """Sample for as many concepts at once as memory is meant to hold, at least one."""
    size = max(1, _HELD // held)
    found = []
    for at in range(0, len(problem.weights), size):
        generator = np.random.default_rng([problem.seed, at])
        found.append(sample(halves(slice(at, at + size), generator), problem.limits, generator))
    scores = torch.cat([part.scores for part in found], 1)
    errors = torch.cat([part.errors for part in found], 1)
    return scores, errors, min(part.permutations for part in found)


def _logit(problem: _Problem) -> _Found:
    mean = problem.background.mean(0)
    size = torch.zeros_like(mean, dtype=torch.float64)
    for part in problem.rows.split(128):
        size += (part - mean).abs_().sum(0)
    return (problem.weights.double().abs() * size / len(problem.rows)).T, None, None


def _coefficient(problem: _Problem) -> _Found:
    mean = problem.rows.mean(0)
    squares = torch.zeros_like(mean, dtype=torch.float64)
    for part in problem.rows.split(128):
        squares += (part - mean).square_().sum(0)
    deviation = (squares / len(problem.rows)).sqrt()
    return (problem.weights.double().abs() * deviation).T, None, None


def _random(problem: _Problem) -> _Found:
    generator = np.random.default_rng(problem.seed)
    return torch.from_numpy(generator.random(problem.weights.T.shape)), None, None


_ESTIMATORS: dict[str, Callable[[_Problem], _Found]] = {
    "owen": _owen,
    "permutation": _permutation,
    "retrained": _retrained,
    "logit": _logit,
    "coefficient": _coefficient,
    "random": _random,
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


def _limits(precision: float, most: int, stopped: Stop | None) -> Limits:
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
    return Limits(precision, most, stopped)


def _finite(name: str, values: Array) -> Tensor:
    tensor = torch.as_tensor(values)
    # a sum of finite numbers can overflow, but one with NaN or infinity is never finite
    if not bool(tensor.sum().isfinite()) and not bool(tensor.isfinite().all()):
        raise ValueError(
            f"got {name} with NaN or infinite values; expected finite numbers; leave such rows out,"
            " or look for the layer that made them"
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
    found = classifier(rows[:2].clone())
    if found.ndim != 2 or len(found) != len(rows[:2]):
        raise ValueError(
            f"got an answer of shape {tuple(found.shape)} from the classifier for"
            f" {len(rows[:2])} rows; expected (rows, concepts); give one column for each concept"
        )
    return int(_finite("probabilities", found).shape[1])
