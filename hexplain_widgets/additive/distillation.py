"""Distilling a score into an additive explainer: the losses of Eq. 2-4 and their descent."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from tqdm.auto import tqdm

from ..network.guest import same_randomness
from .explainer_nets import Explainer, Maker

BATCH = 32
# A loss that is so many times what predicting the mean gives has left the valley for good.
DIVERGED = 1e4
# Gradients below this are rounding: Adam would make whole steps of them.
SLIGHT = 1e-4


@dataclass(frozen=True)
class Schedule:
    """How an explainer is fitted: `beta` weighs the prior (0: plain distillation).

    `patience` epochs without progress on held-out images end it before `epochs`.
    """

    epochs: int
    rate: float
    beta: float
    positive: bool
    patience: int
    seed: int


@dataclass(frozen=True, eq=False)
class Examples:
    """What is learned from: `at[i]` is where the maps of example `i` lie in `maps`.

    `strengths` are divided by their scales, and `priors` multiplied, so that their product is what
    it was. `held_out` are those that choose the epoch.
    """

    maps: np.ndarray
    at: Int[np.ndarray, " n"]
    strengths: Float[np.ndarray, "n e"]
    priors: Float[np.ndarray, "n e"]
    scores: Float[np.ndarray, " n"]
    held_out: Bool[np.ndarray, " n"]
    in_units: bool

    def batch(self, some: np.ndarray, device: torch.device) -> tuple[Tensor, ...]:
        """Return maps, strengths, priors and scores of some examples."""
        arrays = (self.maps[self.at[some]], self.strengths[some], self.priors[some])
        each = (*arrays, self.scores[some])
        return tuple(torch.from_numpy(np.array(a, dtype=np.float32)).to(device) for a in each)


@dataclass(frozen=True)
class Losses:
    """An epoch's losses: of the score on both splits as shares of its variance, and the prior's."""

    fitted: float
    held_out: float
    prior: float


def prior_loss(
    alpha: Float[Tensor, "n e"], prior: Float[Tensor, "n e"], *, positive: bool
) -> Float[Tensor, " n"]:
    """Return how far alpha is from the prior weights (Eq. 4); 0 where the prior is all zero.

    With `positive` the cross-entropy of the L1-normalised vectors (negative priors count as 0),
    else the squared distance of the L2-normalised ones.
    """
    prior = prior.clamp(min=0) if positive else prior
    order = 1 if positive else 2
    known = prior.norm(order, dim=1) > 0
    a, w = (nn.functional.normalize(v, p=order, dim=1, eps=1e-30) for v in (alpha, prior))
    if positive:
        return torch.where(known, -(w * a.clamp(min=1e-30).log()).sum(1), 0.0)
    return torch.where(known, (a - w).square().sum(1), 0.0)


def prior_weight(beta: float, epoch: int) -> float:
    """Return lambda(t) = beta / sqrt(t) of Eq. 3; the first epoch is 1."""
    return beta / math.sqrt(epoch)


def started(maker: Maker, examples: Examples, schedule: Schedule) -> Explainer:
    """Return an explainer before its first epoch.

    With a prior it begins at the mean prior weights, in units of the score.
    """
    own = ~examples.held_out
    scores = examples.scores[own]
    elements = examples.strengths.shape[1]
    unit = max(float(scores.std()), 1e-12) / math.sqrt(elements)
    start, bias = _start(examples, schedule) if schedule.beta else (None, float(scores.mean()))
    some = examples.maps[examples.at[own][:256]]
    loudness = float(np.sqrt(np.square(np.asarray(some, np.float64)).mean())) or 1.0
    with torch.inference_mode(False), same_randomness():
        torch.manual_seed(schedule.seed)
        return Explainer(
            maker(examples.maps.shape[1], elements), outputs=elements, loudness=loudness,
            unit=unit, positive=schedule.positive, start=start, bias=bias,
        )  # fmt: skip


def _start(examples: Examples, schedule: Schedule) -> tuple[Tensor | None, float]:
    """Return the mean prior weights in units of the score, and the bias that is left on average."""
    own = ~examples.held_out
    priors = examples.priors[own].clip(0) if schedule.positive else examples.priors[own]
    sums, scores = (priors * examples.strengths[own]).sum(1), examples.scores[own]
    factor = 1.0 if examples.in_units else _factor(sums, scores)
    if not factor > 0 or not priors.any():
        return None, float(scores.mean())
    start = torch.from_numpy(factor * priors.mean(0))
    return start, float(scores.mean() - factor * sums.mean())


def _factor(sums: Float[np.ndarray, " n"], scores: Float[np.ndarray, " n"]) -> float:
    """Return what sums are to be multiplied by to follow the scores best, by least squares."""
    return float(np.cov(sums, scores, bias=True)[0, 1] / sums.var()) if sums.std() > 0 else 0.0


@dataclass(eq=False)
class Distillation:
    """An explainer under way; whole after any epoch, and goes on from there."""

    explainer: Explainer
    examples: Examples
    schedule: Schedule
    device: torch.device
    history: list[Losses] = field(default_factory=list)

    def __post_init__(self) -> None:
        with torch.inference_mode(False):
            self.explainer.to(self.device)
            self._best: dict[str, Any] = copy.deepcopy(self.explainer.state_dict())
        self._optimizer = torch.optim.Adam(
            self.explainer.parameters(), lr=self.schedule.rate, eps=SLIGHT
        )
        self._own = np.flatnonzero(~self.examples.held_out)
        self._rest = np.flatnonzero(self.examples.held_out)
        own = self.examples.scores[self._own]
        self._variance = max(float(own.var()), 1e-24)

    @property
    def over(self) -> bool:
        """Whether there is no epoch to come."""
        waited = len(self.history) - self.best_epoch
        return len(self.history) >= self.schedule.epochs or waited > self.schedule.patience

    @property
    def best_epoch(self) -> int:
        """The epoch with the smallest held-out loss, from 1; 0 before the first."""
        losses = [h.held_out for h in self.history]
        return int(np.argmin(losses)) + 1 if losses else 0

    def run(self, *, progress: bool) -> None:
        """Go on to the end; an interrupt leaves the last whole epoch.

        Raises ValueError for a loss that diverges.
        """
        with torch.inference_mode(False), torch.enable_grad(), same_randomness(), tqdm(
            total=self.schedule.epochs, initial=len(self.history), unit="epoch",
            disable=not progress,
        ) as bar:  # fmt: skip
            while not self.over:
                self.epoch()
                last = self.history[-1]
                bar.set_postfix(loss=f"{last.fitted:.4f}", held_out=f"{last.held_out:.4f}")
                bar.update()
            bar.total = bar.n  # to have ended early is no failure
            bar.refresh()
        self.explainer.load_state_dict(self._best)

    def epoch(self) -> None:
        """Learn from every example once, or, on failure and interrupt, from none."""
        before = copy.deepcopy((self.explainer.state_dict(), self._optimizer.state_dict()))
        try:
            losses = self._epoch(len(self.history) + 1)
        except BaseException:
            self.explainer.load_state_dict(before[0])
            self._optimizer.load_state_dict(before[1])
            raise
        self.history.append(losses)
        if self.best_epoch == len(self.history):
            self._best = copy.deepcopy(self.explainer.state_dict())

    def _epoch(self, number: int) -> Losses:
        torch.manual_seed(self.schedule.seed * 100_003 + number)
        for group in self._optimizer.param_groups:
            done = (number - 1) / self.schedule.epochs
            group["lr"] = self.schedule.rate * (1 + math.cos(math.pi * done)) / 2
        self.explainer.train()
        sums = np.zeros(2)
        for some in self._batches(number):
            found = self._step(some, number)
            self._check(found, number)
            sums += found * len(some)
        fitted, prior = sums / max(1, len(self._own))
        return Losses(float(fitted), self._held_out(float(fitted)), float(prior))

    def _batches(self, number: int) -> Iterator[np.ndarray]:
        order = np.random.default_rng([self.schedule.seed, number]).permutation(self._own)
        # The last batch takes the rest along: batch norms want more than one example.
        yield from np.array_split(order, max(1, len(order) // BATCH))

    def _step(self, some: np.ndarray, number: int) -> np.ndarray:
        maps, strengths, priors, scores = self.examples.batch(some, self.device)
        alpha = self.explainer(maps)
        away = scores - (alpha * strengths).sum(1) - self.explainer.intercept
        distilled = away.square().mean() / self._variance
        prior = torch.zeros((), device=self.device)
        if self.schedule.beta:
            prior = prior_loss(alpha, priors, positive=self.schedule.positive).mean()
        loss = distilled + prior_weight(self.schedule.beta, number) * prior
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        return np.array([distilled.item(), prior.item()])

    def _check(self, found: np.ndarray, number: int) -> None:
        if not np.isfinite(found).all() or found[0] > DIVERGED:
            raise ValueError(
                f"distillation diverged in epoch {number} (loss {found[0]:.3g} times the score's"
                f" variance) at rate={self.schedule.rate:g}; a loss that falls was expected; lower"
                f" it: AdditiveExplainer(rate={self.schedule.rate / 10:g})"
            )

    def _held_out(self, fitted: float) -> float:
        if not len(self._rest):
            return fitted
        _, explained = explained_by(self.explainer, self.examples, self._rest, self.device)
        away = self.examples.scores[self._rest] - explained
        return float(np.square(away).mean() / self._variance)


def explained_by(
    explainer: Explainer, examples: Examples, some: Sequence[int] | np.ndarray, device: torch.device
) -> tuple[Float[np.ndarray, "n e"], Float[np.ndarray, " n"]]:
    """Return the contributions of every concept to some examples, and their sums with the bias."""
    explainer.eval()
    found = [np.zeros((0, examples.strengths.shape[1]))]
    with torch.no_grad():
        for part in np.array_split(np.asarray(some), max(1, -(-len(some) // (8 * BATCH)))):
            maps, strengths, _, _ = examples.batch(part, device)
            found.append((explainer(maps) * strengths).double().cpu().numpy())
    contributions = np.concatenate(found)
    return contributions, contributions.sum(1) + explainer.intercept.item()
