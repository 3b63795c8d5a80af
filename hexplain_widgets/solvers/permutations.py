"""Shapley values from sampled permutations, with standard errors, until they are precise enough.

A score is the mean over rows of the absolute value of a mean over permutations (HINT, Eq. 2). With
few permutations noise around zero makes the absolute value too large, by `c / n` for n permutations
where rows with values near zero are many enough to be smooth. Permutations are therefore drawn in
two halves, the second after the first: the mean absolute values of each half and of both give `c`,
which is taken off. The standard error is that of the mean over permutations with each row's sign
held at the first half's (delta method), which the second half's permutations do not know, together
with the noise of the correction and half the correction itself. It is widened by Student's
distribution, so that two errors hold 95 of 100 scores after few permutations too.

Permutations come in fours: one at random, and the same begun a quarter, half and three quarters
through, so that every neuron joins early and late. Absent neurons are those of one background row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int8
from scipy.special import ndtr, stdtrit
from torch import Tensor

from ..arguments import Stop
from .logistic import LinearClassifiers, fit_logistic

TURNS = 4
FEWEST = 3 * TURNS  # one four for the first half, two for the second: what an error needs
RIDGE = 1e-3
ROUGH = 1e-4  # a relative gap that is small beside what differs from one order to the next
_BEGIN = 4  # fours in each of the first two halves, if nobody is in a hurry
_TWO_SIGMA = float(ndtr(2))
_BLOCK = 32  # neurons whose values on all rows are held at once


@dataclass(frozen=True, eq=False)
class SampledScores:
    """Scores and their standard errors, from how many permutations they come."""

    scores: Float[Tensor, "k e"]
    errors: Float[Tensor, "k e"]
    permutations: int


@dataclass(frozen=True)
class SamplingLimits:
    """When sampling ends: `precision` is the largest error over the concept's largest score."""

    precision: float
    most: int
    stopped: Stop | None = None


class Halves(ABC):
    """Sums of signed Shapley values over fours of permutations: a first half, and a second."""

    rows: int

    @abstractmethod
    def draw(self, generator: np.random.Generator) -> Float[Tensor, "k e"]:
        """Add a four to the second half; return its mean over rows by the first half's signs."""

    @abstractmethod
    def sums(self) -> Iterator[tuple[Float[Tensor, "b e r"], Float[Tensor, "b e r"]]]:
        """Give both halves' sums, block by block of neurons."""

    @abstractmethod
    def merge(self) -> None:
        """Add the second half to the first, and empty it."""


def sample(halves: Halves, limits: SamplingLimits, generator: np.random.Generator) -> SampledScores:
    """Draw permutations until scores are precise enough, there are enough, or it is stopped."""
    enough = limits.most // TURNS
    first = _draw(halves, limits, generator, least=1, size=min(_BEGIN, enough // 2))[0]
    halves.merge()
    size = min(_BEGIN, enough - first)
    while True:
        second, spread = _draw(halves, limits, generator, least=2, size=size)
        estimate = _estimate(halves, first, second, spread)
        halves.merge()
        first += second
        ratio = _ratio(estimate)
        ended = limits.stopped is not None and limits.stopped()
        if ended or ratio <= limits.precision or enough - first < 2:
            return estimate
        wished = int(1.1 * first * (ratio / limits.precision) ** 2) + 1 - first
        size = min(max(wished, 2), first, enough - first)


def _draw(
    halves: Halves,
    limits: SamplingLimits,
    generator: np.random.Generator,
    *,
    least: int,
    size: int,
) -> tuple[int, Float[Tensor, "k e"]]:
    """Return how many fours were drawn, and the variance between them, widened for being few."""
    total = halves.draw(generator).double()
    squares, drawn = total.square(), 1
    while drawn < size:
        if drawn >= least and limits.stopped is not None and limits.stopped():
            break
        four = halves.draw(generator).double()
        total, squares, drawn = total + four, squares + four.square(), drawn + 1
    free = max(drawn - 1, 1)
    wider = float(stdtrit(free, _TWO_SIGMA)) / 2
    return drawn, wider**2 * (squares - total.square() / drawn).clamp(min=0) / free


def _estimate(
    halves: Halves, first: int, second: int, spread: Float[Tensor, "k e"]
) -> SampledScores:
    n = first + second
    # what 1 / n is to what the halves' own 1 / n exceed it by
    factor = 1 / n / (1 / first + 1 / second - 2 / n)
    scores, biases, noises = [], [], []
    for one, other in halves.sums():
        whole = (one + other).abs_().div_(n)
        excess = (one.abs() / first).add_(other.abs().div_(second)).sub_(whole, alpha=2)
        scores.append(whole.double().mean(-1))
        biases.append(factor * excess.double().mean(-1))
        noises.append(factor**2 * excess.double().square().mean(-1) / halves.rows)
    score, bias, noise = torch.cat(scores), torch.cat(biases), torch.cat(noises)
    error = (spread / n + noise + (bias / 2).square()).sqrt()
    return SampledScores((score - bias).clamp(min=0), error, TURNS * n)


def _ratio(estimate: SampledScores) -> float:
    largest = estimate.scores.amax(0)
    worst = estimate.errors.amax(0)
    return float((worst / largest.clamp(min=1e-300)).where(worst > 0, 0).amax())


class PermutationPaths(Halves):
    """A classifier's probabilities along permutations, for all rows and concepts.

    Rows meet background rows at a random distance in a shuffled background, so that each row's are
    drawn at random and no two rows of a block share one. Blocks of rows have their own orders.
    """

    def __init__(self, game: Game, concepts: int) -> None:
        self.rows, self._game = game.rows, game
        shape = (game.neurons, concepts, game.rows)
        self._first = torch.zeros(shape, dtype=torch.float32, device=game.device)
        self._second = torch.zeros_like(self._first)

    def draw(self, generator: np.random.Generator) -> Float[Tensor, "k e"]:
        """Walk every block of rows along a four of permutations."""
        tally = self._first.new_zeros(self._first.shape[:2])
        for block in self._game.blocks():
            for order in fours(generator, self._game.neurons):
                self._walk(block, order, generator, tally)
        return tally / (TURNS * self.rows)

    def _walk(
        self,
        block: slice,
        order: list[int],
        generator: np.random.Generator,
        tally: Float[Tensor, "k e"],
    ) -> None:
        before = self._game.start(block, generator)
        for neuron in order:
            after = self._game.join(neuron)
            step = torch.sub(after, before)
            self._second[neuron, :, block].add_(step, alpha=1 / TURNS)
            tally[neuron] += step.mul_(self._first[neuron, :, block].sign()).sum(-1)
            before = after

    def sums(self) -> Iterator[tuple[Float[Tensor, "b e r"], Float[Tensor, "b e r"]]]:
        """Give both halves neuron by neuron."""
        yield from zip(self._first.split(1), self._second.split(1), strict=True)

    def merge(self) -> None:
        """Add the second half to the first, and empty it."""
        self._first += self._second
        self._second.zero_()

    def values(self, drawn: int) -> Float[Tensor, "k e r"]:
        """Return the signed Shapley value of every row from what has been merged."""
        return self._first * (TURNS / drawn)


def fours(generator: np.random.Generator, neurons: int) -> Iterator[list[int]]:
    """Give a random order, begun at its start and a quarter, half and three quarters through."""
    order = generator.permutation(neurons)
    for turn in range(TURNS):
        yield np.roll(order, -(turn * neurons // TURNS)).tolist()


class Game(ABC):
    """What a coalition of neurons is worth to every row of a block and every concept."""

    def __init__(
        self,
        rows: Float[Tensor, "r k"],
        background: Float[Tensor, "n k"],
        block: int,
        generator: np.random.Generator,
    ) -> None:
        shuffled = generator.permutation(len(background))
        around = shuffled[np.arange(len(background) + block) % len(background)]
        self.rows, self.neurons = rows.shape
        self.device, self._size, self._others = rows.device, block, len(background)
        self._rows = rows.T.contiguous()
        self._background = background.T[:, torch.from_numpy(around).to(rows.device)].contiguous()

    def blocks(self) -> Iterator[slice]:
        """Give the blocks of rows."""
        for at in range(0, self.rows, self._size):
            yield slice(at, min(at + self._size, self.rows))

    def start(self, block: slice, generator: np.random.Generator) -> Float[Tensor, "e m"]:
        """Return the probabilities of background rows, which the block's rows begin as."""
        at = (block.start + int(generator.integers(self._others))) % self._others
        self._present = self._rows[:, block]
        self._absent = self._background[:, at : at + block.stop - block.start]
        return self._begin()

    @abstractmethod
    def _begin(self) -> Float[Tensor, "e m"]: ...

    @abstractmethod
    def join(self, neuron: int) -> Float[Tensor, "e m"]:
        """Return the probabilities when one more neuron is the row's own."""


class LinearGame(Game):
    """Linear classifiers: a neuron that joins moves each logit by its weight."""

    def __init__(
        self,
        rows: Float[Tensor, "r k"],
        weights: Float[Tensor, "e k"],
        bias: Float[Tensor, " e"],
        background: Float[Tensor, "n k"],
        generator: np.random.Generator,
    ) -> None:
        block = max(512, 16_384 // len(weights))
        super().__init__(rows, background, block, generator)
        self._weights, self._bias = weights, bias
        self._columns = list(weights.T.contiguous())

    def _begin(self) -> Float[Tensor, "e m"]:
        self._logits = self._weights @ self._absent + self._bias[:, None]
        return self._logits.sigmoid()

    def join(self, neuron: int) -> Float[Tensor, "e m"]:
        """Move the logits by what the neuron is more in the row than in the background."""
        change = self._present[neuron] - self._absent[neuron]
        return self._logits.addr_(self._columns[neuron], change).sigmoid()


class CallbackGame(Game):
    """Any classifier of rows: it is asked after each neuron that joins."""

    def __init__(
        self,
        rows: Float[Tensor, "r k"],
        classifier: Callable[[Float[Tensor, "m k"]], Float[Tensor, "m e"]],
        background: Float[Tensor, "n k"],
        generator: np.random.Generator,
    ) -> None:
        super().__init__(rows, background, 4096, generator)
        self._classifier = classifier

    def _begin(self) -> Float[Tensor, "e m"]:
        self._mixed = self._absent.T.contiguous()
        return self._probabilities()

    def join(self, neuron: int) -> Float[Tensor, "e m"]:
        """Ask the classifier once more."""
        self._mixed[:, neuron] = self._present[neuron]
        return self._probabilities()

    def _probabilities(self) -> Float[Tensor, "e m"]:
        return self._classifier(self._mixed.clone()).T.to(torch.float32)


class RetrainedGame(Game):
    """Logistic classifiers trained again after each neuron that joins, as Eq. 2 is printed.

    Absent neurons are shuffled, each by itself, in all rows; the concepts of `signs` are fitted on
    what that gives, with this `penalty` and with or without an `intercept`.
    """

    def __init__(
        self,
        rows: Float[Tensor, "r k"],
        signs: Int8[Tensor, "e r"],
        generator: np.random.Generator,
        *,
        penalty: float,
        intercept: bool,
    ) -> None:
        super().__init__(rows, rows, len(rows), generator)
        self._own, self._signs = rows, signs
        self._penalty, self._intercept = penalty, intercept
        self._before: LinearClassifiers | None = None

    def start(self, block: slice, generator: np.random.Generator) -> Float[Tensor, "e m"]:
        """Return the probabilities where every neuron is shuffled."""
        mixed = generator.permuted(self._own.cpu().numpy(), axis=0)
        self._mixed = torch.from_numpy(mixed).to(self._own.device)
        return self._begin()

    def _begin(self) -> Float[Tensor, "e m"]:
        return self._trained()

    def join(self, neuron: int) -> Float[Tensor, "e m"]:
        """Train again with one more neuron as it is."""
        self._mixed[:, neuron] = self._own[:, neuron]
        return self._trained()

    def _trained(self) -> Float[Tensor, "e m"]:
        self._before = fit_logistic(
            self._mixed,
            self._signs,
            penalty=self._penalty,
            intercept=self._intercept,
            start=self._before,
            tolerance=ROUGH,
        )
        return self._before.logits(self._mixed).sigmoid().T.contiguous()


class RefittedClassifiers(Halves):
    """Least-squares classifiers along permutations, for all rows and concepts."""

    def __init__(self, rows: Float[Tensor, "r k"], signs: Int8[Tensor, "e r"]) -> None:
        self.rows, self._rows = len(rows), rows
        problems = [_problem(rows, sign) for sign in signs]
        mean, scale, gram, linear = (torch.stack(part) for part in zip(*problems, strict=True))
        self._mean, self._scale, self._gram, self._linear = mean, scale, gram, linear
        self._first, self._second = torch.zeros_like(gram), torch.zeros_like(gram)
        self._signed = torch.zeros_like(gram)

    def draw(self, generator: np.random.Generator) -> Float[Tensor, "k e"]:
        """Fit along a four of permutations."""
        four = torch.zeros_like(self._gram)
        for order in fours(generator, len(self._rows.T)):
            at = torch.tensor(order, device=four.device)
            for e, (gram, linear) in enumerate(zip(self._gram, self._linear, strict=True)):
                four[e, at[:, None], at] += _nested(gram[at[:, None], at], linear[at]) / TURNS
        self._second += four
        return (self._signed * four).sum(-1).T

    def sums(self) -> Iterator[tuple[Float[Tensor, "b e r"], Float[Tensor, "b e r"]]]:
        """Give what both halves' coefficients come to on the rows."""
        for at in range(0, self._gram.shape[-1], _BLOCK):
            chosen = slice(at, at + _BLOCK)
            yield self._on_rows(self._first, chosen), self._on_rows(self._second, chosen)

    def _on_rows(self, added: Float[Tensor, "e k k"], chosen: slice) -> Float[Tensor, "b e r"]:
        slopes = (added[:, chosen] / self._scale[:, None]).transpose(0, 1)
        offset = (slopes * self._mean).sum(-1).to(self._rows.dtype)
        return (slopes.to(self._rows.dtype) @ self._rows.T).sub_(offset[..., None])

    def merge(self) -> None:
        """Add the halves, and find what the signs of all rows make of a coefficient."""
        self._first += self._second
        self._second.zero_()
        for at in range(0, self._gram.shape[-1], _BLOCK):
            chosen = slice(at, at + _BLOCK)
            sign = self._on_rows(self._first, chosen).sign()
            moved = sign @ self._rows - sign.sum(-1, keepdim=True) * self._mean.to(sign.dtype)
            self._signed[:, chosen] = moved.transpose(0, 1) / self._scale[:, None] / self.rows


def _problem(
    rows: Float[Tensor, "r k"], sign: Int8[Tensor, " r"]
) -> tuple[Float[Tensor, " k"], Float[Tensor, " k"], Float[Tensor, "k k"], Float[Tensor, " k"]]:
    """Return mean, deviation, correlation with the ridge, and correlation with the concept."""
    of_it, others = (sign > 0).double(), (sign < 0).double()
    weight = of_it / of_it.sum() / 2 + others / others.sum() / 2
    mean = weight.to(rows.dtype) @ rows
    moved = rows - mean
    weighted = moved * weight.to(rows.dtype)[:, None]
    gram = (weighted.T @ moved).double()
    linear = (weighted.T @ (of_it - 0.5).to(rows.dtype)).double()
    variance = gram.diagonal()
    scale = torch.where(variance > 0, variance, 1).sqrt()
    gram = gram / scale / scale[:, None]
    ridge = torch.where(variance > 0, RIDGE, 1)
    return mean.double(), scale, gram + torch.diag(ridge), linear / scale


def _nested(gram: Float[Tensor, "k k"], linear: Float[Tensor, " k"]) -> Float[Tensor, "k k"]:
    """Return what each neuron adds to the fit of those before it, as coefficients of neurons."""
    factor = torch.linalg.cholesky(gram)
    one = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    whitening = torch.linalg.solve_triangular(factor, one, upper=False)
    return (whitening @ linear)[:, None] * whitening
