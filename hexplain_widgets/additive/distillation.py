"""Distilling a score into an additive explainer: the losses of Eq. 2-4 and their descent."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from ..arguments import one_of
from ..atlas.labels import FilterLabels
from ..data.concept_sets import is_held_out
from ..evidence.additive import FILTERS
from ..fitting.states import Arrays, Settings, load_state, save_state
from ..fitting.statistics import below
from ..network.guest import drawing_from
from .measures import relative_deviations
from .rows import ScoreBatch, ScoreScope, ScoreStatistics

WIDTH = 32
Maker = Callable[[int, int], nn.Module]
Start = Literal["prior", "zero"]
ScoreUnits = Literal["scaled", "printed"]
Stopping = Literal["held_out", "last"]
BATCH = 32
# A loss that is so many times what predicting the mean gives has left the valley for good.
DIVERGED = 1e4
# Gradients below this are rounding: Adam would make whole steps of them.
SLIGHT = 1e-4
OTHERS = "other filters"
# Spread below this share of its size: a concept that is the same in every image.
CONSTANT = 1e-6
KIND = "AdditiveExplainer"
OURS, PLAIN = "ours", "plain"


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


def small(channels: int, outputs: int) -> nn.Module:
    """Return a small residual network on a feature map: 1x1, one block, mean over places."""
    return nn.Sequential(
        nn.Conv2d(channels, WIDTH, 1),
        nn.ReLU(),
        _Block(WIDTH),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(WIDTH, outputs),
    )


def resnet152(channels: int, outputs: int) -> nn.Module:
    """Return the paper's ResNet-152 on a feature map: without the first max pooling.

    The last average pooling, which the paper takes away too, does nothing on up to 16 x 16 places.
    """
    from torchvision.models import resnet152 as make

    net: Any = make(num_classes=outputs)
    net.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    net.maxpool = nn.Identity()
    return net


NETWORKS: dict[str, Maker] = {"small": small, "resnet152": resnet152}


def maker_of(network: str | Maker) -> Maker:
    """Return what makes a network from the numbers of channels and outputs; raises ValueError."""
    return network if callable(network) else NETWORKS[one_of("network", network, tuple(NETWORKS))]


class Explainer(nn.Module):
    """The additive model: `score = sum_i alpha_i(x) y_i + bias` with alpha from a network (Eq. 1).

    Maps are divided by `loudness`, their root mean square; alpha counts in steps of `unit` from
    `start`, and is positive where `positive` (softplus). The network's last linear layer begins at
    zero where there is a start, so that alpha begins there.
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        outputs: int,
        loudness: float,
        unit: float,
        positive: bool,
        start: Float[Tensor, " e"] | None = None,
        bias: float = 0.0,
    ) -> None:
        super().__init__()
        self.net, self.loudness, self.unit, self.positive = net, loudness, unit, positive
        begin = torch.zeros(outputs) if start is None else self._before(start.float() / unit)
        self.start = nn.Parameter(begin)
        self.bias = nn.Parameter(torch.tensor(float(bias) / unit))
        if start is not None:
            _silence(net)

    def _before(self, alpha: Tensor) -> Tensor:
        """Return what becomes `alpha` in the forward pass."""
        if not self.positive:
            return alpha
        least = alpha.clamp(min=1e-3)
        return least + torch.log(-torch.expm1(-least))

    def forward(self, maps: Float[Tensor, "n k h w"]) -> Float[Tensor, "n e"]:
        """Return alpha for each image and concept."""
        raw = self.start + self.net(maps / self.loudness)
        return self.unit * (F.softplus(raw) if self.positive else raw)

    @property
    def intercept(self) -> Tensor:
        """The bias `b`, in units of the score."""
        return self.bias * self.unit


def _silence(net: nn.Module) -> None:
    linear = [m for m in net.modules() if isinstance(m, nn.Linear)]
    if linear:
        nn.init.zeros_(linear[-1].weight)
        if linear[-1].bias is not None:
            nn.init.zeros_(linear[-1].bias)


@dataclass(frozen=True)
class DistillationSchedule:
    """How an explainer is fitted: `beta` weighs the prior (0: plain distillation).

    `patience` epochs without progress on held-out images end it before `epochs` and the best is
    kept, where `stopping` is "held_out"; else all are made, and the last is kept. It begins at the
    mean prior weights where `start` is "prior". In "scaled" `units` strengths have a mean size of 1
    and the score's loss is a share of its variance; "printed" are those of Eq. 2-4.
    """

    epochs: int
    rate: float
    beta: float
    positive: bool
    patience: int
    seed: int
    start: Start = "prior"
    units: ScoreUnits = "scaled"
    stopping: Stopping = "held_out"


@dataclass(frozen=True, eq=False)
class DistillationData:
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


def started(maker: Maker, examples: DistillationData, schedule: DistillationSchedule) -> Explainer:
    """Return an explainer before its first epoch.

    With a prior it begins at the mean prior weights, in units of the score, if it is to.
    """
    own = ~examples.held_out
    scores = examples.scores[own]
    elements = examples.strengths.shape[1]
    unit = max(float(scores.std()), 1e-12) / math.sqrt(elements)
    known = schedule.beta and schedule.start == "prior"
    start, bias = _start(examples, schedule) if known else (None, float(scores.mean()))
    some = examples.maps[examples.at[own][:256]]
    loudness = float(np.sqrt(np.square(np.asarray(some, np.float64)).mean())) or 1.0
    with torch.inference_mode(False), drawing_from(schedule.seed):
        return Explainer(
            maker(examples.maps.shape[1], elements),
            outputs=elements,
            loudness=loudness,
            unit=unit if schedule.units == "scaled" else 1.0,
            positive=schedule.positive,
            start=start,
            bias=bias,
        ).float()


def _start(
    examples: DistillationData, schedule: DistillationSchedule
) -> tuple[Tensor | None, float]:
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
    examples: DistillationData
    schedule: DistillationSchedule
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
        # In the units of the equations the first loss may be as large as can be.
        self._most = math.inf if self._printed else DIVERGED

    @property
    def over(self) -> bool:
        """Whether there is no epoch to come."""
        waited = len(self.history) - self.best_epoch
        return len(self.history) >= self.schedule.epochs or waited > self.schedule.patience

    @property
    def best_epoch(self) -> int:
        """The epoch that is kept, from 1: with the smallest held-out loss, or the last; or 0."""
        if self.schedule.stopping == "last":
            return len(self.history)
        losses = [h.held_out for h in self.history]
        return int(np.argmin(losses)) + 1 if losses else 0

    def run(self, *, progress: bool) -> None:
        """Go on to the end; an interrupt leaves the last whole epoch.

        Raises ValueError for a loss that diverges.
        """
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            tqdm(
                total=self.schedule.epochs,
                initial=len(self.history),
                desc="additive explainer: distilling",
                unit="epoch",
                disable=not progress,
            ) as bar,
        ):
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
        number = len(self.history) + 1
        try:
            with drawing_from(self.schedule.seed * 100_003 + number):
                losses = self._epoch(number)
        except BaseException:
            self.explainer.load_state_dict(before[0])
            self._optimizer.load_state_dict(before[1])
            raise
        self.history.append(losses)
        if self.best_epoch == len(self.history):
            self._best = copy.deepcopy(self.explainer.state_dict())

    def _epoch(self, number: int) -> Losses:
        for group in self._optimizer.param_groups:
            done = (number - 1) / self.schedule.epochs
            group["lr"] = self.schedule.rate * (1 + math.cos(math.pi * done)) / 2
        self.explainer.train()
        sums = np.zeros(2)
        for some in self._batches(number):
            losses = self._step(some, number)
            self._check(losses, number)
            sums += losses * len(some)
        fitted, prior = sums / max(1, len(self._own))
        return Losses(float(fitted), self._held_out(float(fitted)), float(prior))

    def _batches(self, number: int) -> Iterator[np.ndarray]:
        order = np.random.default_rng([self.schedule.seed, number]).permutation(self._own)
        # The last batch takes the rest along: batch norms want more than one example.
        yield from np.array_split(order, max(1, len(order) // BATCH))

    def _step(self, some: np.ndarray, number: int) -> np.ndarray:
        loss, distilled, prior = self.objective(some, number)
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        share = distilled.item() / (self._variance if self._printed else 1.0)
        self._most = min(self._most, DIVERGED * max(1.0, share))
        return np.array([share, prior.item()])

    @property
    def _printed(self) -> bool:
        return self.schedule.units == "printed"

    def objective(self, some: np.ndarray, number: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return the mean loss of examples in an epoch (Eq. 3), and its parts (Eq. 2 and 4)."""
        maps, strengths, priors, scores = self.examples.batch(some, self.device)
        alpha = self.explainer(maps)
        away = scores - (alpha * strengths).sum(1) - self.explainer.intercept
        distilled = away.square().mean() / (1.0 if self._printed else self._variance)
        prior = torch.zeros((), device=self.device)
        if self.schedule.beta:
            prior = prior_loss(alpha, priors, positive=self.schedule.positive).mean()
        return distilled + prior_weight(self.schedule.beta, number) * prior, distilled, prior

    def _check(self, losses: np.ndarray, number: int) -> None:
        if not np.isfinite(losses).all() or losses[0] > self._most:
            raise ValueError(
                f"distillation diverged in epoch {number} (loss {losses[0]:.3g} times the score's"
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
    explainer: Explainer,
    examples: DistillationData,
    some: Sequence[int] | np.ndarray,
    device: torch.device,
) -> tuple[Float[np.ndarray, "n e"], Float[np.ndarray, " n"]]:
    """Return the contributions of every concept to some examples, and their sums with the bias."""
    explainer.eval()
    parts = [np.zeros((0, examples.strengths.shape[1]))]
    with torch.no_grad():
        for part in np.array_split(np.asarray(some), max(1, -(-len(some) // (8 * BATCH)))):
            maps, strengths, _, _ = examples.batch(part, device)
            parts.append((explainer(maps) * strengths).double().cpu().numpy())
    contributions = np.concatenate(parts)
    return contributions, contributions.sum(1) + explainer.intercept.item()


@dataclass(frozen=True, eq=False)
class Elements:
    """Which elements explain, in what units, and which concept each counts for.

    `used[e]` are their numbers, `scales[e]` what the strength of each is divided by: its mean size,
    or 1.
    """

    names: tuple[str, ...]
    used: Int[np.ndarray, " e"]
    owners: Int[np.ndarray, " e"]
    scales: Float[np.ndarray, " e"]
    notes: tuple[str, ...] = ()

    def summed(self, values: Float[np.ndarray, "*n e"]) -> Float[np.ndarray, "*n c"]:
        """Return the sums over each concept's elements."""
        member = self.owners[:, None] == np.arange(len(self.names))
        return values @ member.astype(values.dtype)

    def only(self, concepts: Int[np.ndarray, " c"]) -> Elements:
        """Return the elements of some concepts alone, in the order of all."""
        kept = np.sort(concepts)
        some = np.isin(self.owners, kept)
        owners = np.searchsorted(kept, self.owners[some])
        names = tuple(self.names[i] for i in kept)
        return Elements(names, self.used[some], owners, self.scales[some], self.notes)

    def groups(self) -> list[list[int]]:
        """Return the numbers of each concept's elements."""
        return [self.used[self.owners == i].tolist() for i in range(len(self.names))]


def elements_of(
    scope: ScoreScope,
    strengths: Float[np.ndarray, "n e"],
    labels: FilterLabels | None,
    *,
    scaled: bool = True,
) -> Elements:
    """Return the elements that are not constant, by concept, with strengths `scaled` or as found.

    Raises ValueError where nothing is left.
    """
    spread, size = strengths.std(0), np.abs(strengths).mean(0)
    varies = spread > CONSTANT * np.maximum(size, np.finfo(float).tiny)
    used = np.flatnonzero(varies)
    if not len(used):
        raise ValueError(
            f"all {strengths.shape[1]} concepts are the same in all {len(strengths)} images;"
            " concepts that vary were expected to explain a score that does; pass more images, or"
            " other concepts"
        )
    names, owners = _owners(scope, labels, used)
    scales = size[used] if scaled else np.ones(len(used))
    return Elements(names, used, owners, scales, _constant(scope, labels, ~varies))


def _owners(
    scope: ScoreScope, labels: FilterLabels | None, used: np.ndarray
) -> tuple[tuple[str, ...], np.ndarray]:
    if labels is None:
        title = "filter {}" if scope.kind == FILTERS else "{}"
        return tuple(title.format(scope.elements[k]) for k in used), np.arange(len(used))
    own = [labels.names.get(int(k), OTHERS) for k in used]
    parts = tuple(p for p in labels.parts if p in own)
    names = (*parts, OTHERS) if OTHERS in own and OTHERS not in parts else parts
    return names, np.array([names.index(n) for n in own])


def _constant(
    scope: ScoreScope, labels: FilterLabels | None, constant: Bool[np.ndarray, " e"]
) -> tuple[str, ...]:
    if not constant.any():
        return ()
    which = [scope.elements[k] for k in np.flatnonzero(constant)]
    what = "Filters" if scope.kind == FILTERS else "Concepts"
    few = ", ".join(which[:8]) + (", …" if len(which) > 8 else "")
    return (f"{what} that are the same in every image add nothing and are left out: {few}.",)


class AdditiveFit:
    """Explainers of one set of rows: ours and plain distillation, for any seed, each fitted once.

    `labels` give filters to parts. `schedule` is that of ours; plain distillation has beta 0.
    `chosen` are the places of the concepts that explain, all if not given.
    """

    def __init__(
        self,
        rows: ScoreStatistics,
        schedule: DistillationSchedule,
        maker: Maker,
        *,
        held_out: float,
        labels: FilterLabels | None,
        device: torch.device,
        chosen: Int[np.ndarray, " c"] | None = None,
    ) -> None:
        self._chosen = chosen
        self.rows, self.schedule, self.maker = rows, schedule, maker
        self._share, self._labels, self._device = held_out, labels, device
        self._distillations: dict[tuple[float, int], Distillation] = {}

    @cached_property
    def batch(self) -> ScoreBatch:
        """All rows, ordered by image."""
        return self.rows.all()

    @cached_property
    def elements(self) -> Elements:
        """What explains."""
        scaled = self.schedule.units == "scaled"
        every = elements_of(self.rows.scope, self.batch.strengths, self._labels, scaled=scaled)
        return every if self._chosen is None else every.only(self._chosen)

    def narrowed(self, concepts: Int[np.ndarray, " c"]) -> AdditiveFit:
        """Return a fit of the same rows by some of the concepts, given by their places."""
        known = (self.rows, self.schedule, self.maker)
        return AdditiveFit(
            *known, held_out=self._share, labels=self._labels, device=self._device, chosen=concepts
        )

    @cached_property
    def held_out(self) -> Bool[np.ndarray, " n"]:
        """Which images choose the epoch and thresholds; drawn by a hash of each image."""
        drawn = [
            is_held_out(key.tobytes().hex(), share=self._share, seed=self.schedule.seed)
            for key in self.batch.keys
        ]
        held_out = np.array(drawn)
        # Too few images to hold any out, or to keep any.
        some = 0 < held_out.sum() < len(held_out)
        return held_out if some else np.zeros(len(held_out), dtype=bool)

    @cached_property
    def examples(self) -> DistillationData:
        """The rows in the units that explainers learn in."""
        return self.of_rows(self.rows, self.held_out)

    def of_rows(
        self, rows: ScoreStatistics, held_out: Bool[np.ndarray, " n"] | None = None
    ) -> DistillationData:
        """Return rows of the same scope in the units that explainers learn in."""
        batch, used = rows.all(), self.elements.used
        none = np.zeros(len(batch), dtype=bool)
        return DistillationData(
            batch.maps,
            rows.places(),
            batch.strengths[:, used] / self.elements.scales,
            batch.priors[:, used] * self.elements.scales,
            batch.scores,
            none if held_out is None else held_out,
            rows.scope.kind == FILTERS,
        )

    def distillation(self, *, beta: float | None = None, seed: int | None = None) -> Distillation:
        """Return a distillation, begun if it was not; run it to its end before it is asked."""
        schedule = replace(
            self.schedule,
            beta=self.schedule.beta if beta is None else beta,
            seed=self.schedule.seed if seed is None else seed,
        )
        key = (schedule.beta, schedule.seed)
        if key not in self._distillations:
            explainer = started(self.maker, self.examples, schedule)
            self._distillations[key] = Distillation(
                explainer, self.examples, schedule, self._device
            )
        return self._distillations[key]

    def without_prior(self) -> int:
        """Return how many images have no prior at all: theirs is left out of the loss."""
        priors = self.examples.priors.clip(0) if self.schedule.positive else self.examples.priors
        return int((priors == 0).all(1).sum())

    def deviation(self, distillation: Distillation) -> float | None:
        """Return the mean relative deviation on held-out images (all, where none are).

        None where their scores are all the same, so that there is no range to hold it against.
        """
        some = np.flatnonzero(self.held_out) if self.held_out.any() else np.arange(len(self.batch))
        _, explained = explained_by(distillation.explainer, self.examples, some, self._device)
        mean = float(relative_deviations(self.batch.scores[some], explained).mean())
        return mean if np.isfinite(mean) else None


@dataclass(frozen=True, eq=False)
class DistilledExplainers:
    """Explainers of one output, with and (once it was asked for) without the prior.

    `deviation` and `plain_deviation` are their mean relative deviations on held-out images, `span`
    the lowest and the highest score of the data.
    """

    scope: ScoreScope
    elements: Elements
    ours: Explainer
    deviation: float | None
    span: tuple[float, float]
    images: int
    plain: Explainer | None = None
    plain_deviation: float | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, fit: AdditiveFit, ours: Distillation, notes: tuple[str, ...]
    ) -> DistilledExplainers:
        """Return what a finished fit found."""
        scores = fit.batch.scores
        return cls(
            fit.rows.scope,
            fit.elements,
            ours.explainer,
            fit.deviation(ours),
            (float(scores.min()), float(scores.max())),
            fit.rows.images,
            notes=(*notes, *fit.elements.notes, *_without_prior(fit)),
        )

    def with_plain(self, fit: AdditiveFit, plain: Distillation) -> DistilledExplainers:
        """Return the same with a finished plain distillation."""
        return replace(self, plain=plain.explainer, plain_deviation=fit.deviation(plain))

    def save(
        self, path: str | Path, settings: Mapping[str, Any], more: Mapping[str, np.ndarray]
    ) -> Path:
        """Write everything, an engine's settings and more arrays to a file in one step."""
        own = {
            "engine": dict(settings),
            "origin": self.scope.settings(),
            "names": self.elements.names,
            "deviation": self.deviation,
            "span": self.span,
            "images": self.images,
            "plain_deviation": self.plain_deviation,
            "notes": self.notes,
            "element_notes": self.elements.notes,
            "shapes": {n: _shape(e) for n, e in self._explainers()},
        }
        return save_state(path, KIND, own, {**dict(self._arrays()), **more}.items())

    def _explainers(self) -> Iterator[tuple[str, Explainer]]:
        yield OURS, self.ours
        if self.plain is not None:
            yield PLAIN, self.plain

    def _arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        yield "used", self.elements.used.astype(np.int64)
        yield "owners", self.elements.owners.astype(np.int64)
        yield "scales", self.elements.scales
        for name, explainer in self._explainers():
            for part, tensor in explainer.state_dict().items():
                yield f"{name}.{part}", tensor.detach().cpu().numpy()

    @classmethod
    def from_state(cls, settings: Settings, arrays: Arrays, maker: Maker) -> DistilledExplainers:
        """Return what `save` wrote; raises what the conversion of its fields raises."""
        elements = Elements(
            tuple(map(str, settings["names"])),
            np.array(arrays["used"]),
            np.array(arrays["owners"]),
            np.array(arrays["scales"]),
            tuple(map(str, settings["element_notes"])),
        )
        scope = ScoreScope.restored(settings["origin"])
        explainers = {
            name: _restored(name, shape, scope, elements, arrays, maker)
            for name, shape in settings["shapes"].items()
        }
        low, high = map(float, settings["span"])
        known, plain = settings["deviation"], settings["plain_deviation"]
        return cls(
            scope,
            elements,
            explainers[OURS],
            None if known is None else float(known),
            (low, high),
            int(settings["images"]),
            explainers.get(PLAIN),
            None if plain is None else float(plain),
            tuple(map(str, settings["notes"])),
        )


def load_distilled(path: str | Path) -> tuple[Settings, Arrays]:
    """Return the settings and arrays of a saved explainer; raises like `load_state`."""
    return load_state(path, KIND)


def _shape(explainer: Explainer) -> dict[str, float | bool]:
    return {
        "loudness": explainer.loudness,
        "unit": explainer.unit,
        "positive": explainer.positive,
    }


def _restored(
    name: str,
    shape: Mapping[str, Any],
    scope: ScoreScope,
    elements: Elements,
    arrays: Arrays,
    maker: Maker,
) -> Explainer:
    count = len(elements.used)
    with torch.inference_mode(False), drawing_from(0):
        explainer = Explainer(
            maker(scope.layer.shape[0], count),
            outputs=count,
            loudness=float(shape["loudness"]),
            unit=float(shape["unit"]),
            positive=bool(shape["positive"]),
        ).float()
        own = below(arrays, f"{name}.")
        explainer.load_state_dict({n: torch.from_numpy(np.array(a)) for n, a in own.items()})
    return explainer.eval()


def _without_prior(fit: AdditiveFit) -> tuple[str, ...]:
    count, images = fit.without_prior(), len(fit.batch)
    if not count or not fit.schedule.beta:
        return ()
    return (f"In {count} of {images} images no concept has a prior weight: theirs was left out.",)
