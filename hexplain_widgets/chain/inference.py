"""What a concept rests on: channels of a shallower layer (Eq. 2-18), and few concepts (Eq. 19).

Gates on a layer and what deeper ones answer, inference weights, the few concepts that explain
them, and images inferred level by level from the output down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.special import softmax
from torch import Tensor

from ..arguments import SlowBar, Stop, check_finite
from ..network.gating import ForwardCache, LayerGates, gated, gates_for, proximity, spatial_means
from ..network.guest import visiting
from ..network.localize import upsampled
from ..network.probe import Probe
from ..network.probed_image import numbers_of
from ..network.segments import rounding
from ..solvers.best_subset import Subset, best_subset
from ..solvers.lasso import Quadratic, Solver, lasso
from ..solvers.moments import CONSTANT
from .harmonize import USELESS, ConceptDirections

# Gates that are answered between two looks at whether to stop.
AT_ONCE = 128
# What stands for the image: all have the same gates.
EVERY_IMAGE = b""
# Relative duality gap at which weights are done.
TOLERANCE = 1e-7
# From so many concepts with the same gates on, ADMM's one factor and Newton steps after it are
# faster than coordinate descent for each: 4 at a sparsity of 0.01, 8 at 0.03, above 16 at 0.1.
MANY = 8
# Below this share of the best slope a concept is no candidate where places count: it would be
# taken for what it leaves out of others. This and CLAIM were chosen on the embedded world.
CLOSE = 0.7
# How much more of a map makes e times the claim on a place.
CLAIM = 0.25
# A weight below this share of the largest explains nothing.
NEGLIGIBLE = 1e-3
# At most so many images are solved together: their answers to all gates are in memory.
TOGETHER = 8
# Is told how many gates were answered since it was told the last time.
Done = Callable[[int], object]


@dataclass(frozen=True, eq=False)
class GateMatrix:
    """The gates on a layer, True where a channel stays open, and what a regression makes of them.

    The first is all open. Images with the same gates may share one of these, and with it the
    matrix of the regression. Sums over gates are `centred` for an intercept, or as printed.
    """

    opened: Bool[np.ndarray, "g k"]
    centred: bool = True

    @cached_property
    def near(self) -> Float[np.ndarray, " g"]:
        """The weight h(e) of every gate (Eq. 9)."""
        return proximity(self.opened)

    @cached_property
    def weighted(self) -> Float[np.ndarray, "g k"]:
        """Return every gate less the mean gate (as it is, if not centred), times its weight."""
        return (self.opened - self.mean(self.opened)) * self.near[:, None]

    def mean(self, values: Float[np.ndarray, "g _n"] | Bool[np.ndarray, "g _n"]) -> np.ndarray:
        """Return the weighted mean over gates that sums are taken from: 0 if not centred."""
        return self.near @ values / self.near.sum() * self.centred

    @cached_property
    def gram(self) -> Float[np.ndarray, "k k"]:
        """Return E^T H E of the gates, which no image changes."""
        gram = self.weighted.T @ self.opened
        return np.asarray((gram + gram.T) / 2)

    def first(self, count: int) -> GateMatrix:
        """Return the first of the gates."""
        return self if count >= len(self.opened) else replace(self, opened=self.opened[:count])


@dataclass(frozen=True, eq=False)
class Perturbation:
    """One image whose shallow layer was gated, and what a deeper layer answered (Eq. 2-7).

    `means[k]` is the spatial mean of an open shallow channel: behind gate `n` it is `means` times
    the gate (Eq. 3). `answers[n, d]` is the spatial mean of deep channel `d`, or the logit of class
    `d`, for gate `n`. A concept of the deep layer with the harmonizing weights `t` has the answers
    `answers @ t` (Eq. 7), so that one pass of gates serves all of them.
    """

    gates: GateMatrix
    means: Float[np.ndarray, " k"]
    answers: Float[np.ndarray, "g d"]


@dataclass(frozen=True, eq=False)
class InferenceWeights:
    """Inference weights of several concepts in one image (Eq. 8).

    `fit[e]` is the share of the weighted variance of concept `e` over the gates that they explain.
    """

    weights: Float[np.ndarray, "e k"]
    fit: Float[np.ndarray, " e"]

    @property
    def unit(self) -> Float[np.ndarray, "e k"]:
        """The weights at unit length (Eq. 20-25); zeros stay zero."""
        length = np.linalg.norm(self.weights, axis=1, keepdims=True)
        return self.weights / np.where(length > 0, length, 1)


class PerturbationExtractor:
    """Gates layers of single images and reads deeper ones; `layers` are all that take part.

    All images have the same gates on a layer, drawn from a hash of its name, so that one matrix
    serves all of them (`inference_weights`).
    """

    def __init__(
        self,
        probe: Probe,
        layers: Sequence[str],
        *,
        count: int,
        seed: int,
        intercept: bool = True,
    ) -> None:
        if count < 2:
            raise ValueError(
                f"got gates={count}; expected at least 2, of which one leaves all channels open;"
                " 1000 is usual"
            )
        self._probe = probe
        self._layers = tuple(dict.fromkeys(layers))
        self._count, self._seed, self._intercept = count, seed, intercept
        self._layer_gates: dict[tuple[int, ...], LayerGates] = {}
        self._gates: dict[str, GateMatrix] = {}

    def take(self, x: Float[Tensor, "1 ch h w"]) -> ForwardCache:
        """Run the network once on an image; raises ValueError for logits that are not finite."""
        with visiting(self._probe.classifier.model), torch.no_grad():
            cache = self._gates_of(x).take(x)
        self._probe.classifier.check_logits(cache.logits, x)
        return cache

    def _gates_of(self, x: Tensor) -> LayerGates:
        shape = tuple(x.shape[1:])
        if shape not in self._layer_gates:
            self._layer_gates[shape] = gated(self._probe, x, self._layers)
        return self._layer_gates[shape]

    def gates(self, layer: str, channels: int) -> GateMatrix:
        """Return the gates on a layer."""
        if layer not in self._gates:
            opened = gates_for(
                EVERY_IMAGE, layer, count=self._count, channels=channels, seed=self._seed
            )
            self._gates[layer] = GateMatrix(opened, self._intercept)
        return self._gates[layer]

    def perturb(
        self,
        x: Float[Tensor, "1 ch h w"],
        cache: ForwardCache,
        shallow: str,
        deep: str | None,
        stopped: Stop | None = None,
        done: Done = int,
    ) -> Perturbation:
        """Return what `deep` (None: the logits) answers to every gate on `shallow`.

        `stopped` is asked now and then; once it says yes, the gates so far are returned. `done` is
        told how many gates were answered since. Raises
        ValueError where `deep` does not depend on `shallow` and for values that are not finite.
        """
        maps = cache.maps[shallow]
        gates = self.gates(shallow, maps.shape[1])
        answers = self._answers(x, cache, shallow, deep, gates.opened, stopped, done)
        means = numbers_of(spatial_means(maps)[0])
        check_finite(f"the layer {shallow} gives", means)
        self._check(shallow, deep, cache, answers)
        return Perturbation(gates.first(len(answers)), means, answers)

    def losses(
        self,
        x: Float[Tensor, "1 ch h w"],
        cache: ForwardCache,
        shallow: str,
        deep: str | None,
        stopped: Stop | None = None,
        done: Done = int,
    ) -> Float[np.ndarray, "k d"]:
        """Return what `deep` (None: the logits) loses without each channel of `shallow`.

        `done` is told how many channels were closed since. Raises CancelledError once `stopped`
        says yes, and like `perturb`.
        """
        maps = cache.maps[shallow]
        count = maps.shape[1]
        opened = np.concatenate([np.ones((1, count), bool), ~np.eye(count, dtype=bool)])
        answers = self._answers(x, cache, shallow, deep, opened, stopped, done)
        if len(answers) < len(opened):
            raise CancelledError
        self._check(shallow, deep, cache, answers)
        lost = answers[0] - answers[1:]
        # A channel that is zero everywhere can leave nothing but rounding.
        lost[numbers_of(maps[0].abs().amax((1, 2)) == 0).astype(bool)] = 0
        return lost

    def _answers(
        self,
        x: Tensor,
        cache: ForwardCache,
        shallow: str,
        deep: str | None,
        opened: Bool[np.ndarray, "g k"],
        stopped: Stop | None,
        done: Done = int,
    ) -> Float[np.ndarray, "_some d"]:
        gates = torch.from_numpy(opened).to(cache.maps[shallow].device)[None]
        with visiting(self._probe.classifier.model), torch.no_grad():
            parts = []
            for part in self._answered(x, cache, shallow, deep, gates, stopped):
                parts.append(part)
                done(part.shape[1])
        return numbers_of(torch.cat(parts, 1)[0])

    def _answered(
        self,
        x: Tensor,
        cache: ForwardCache,
        shallow: str,
        deep: str | None,
        opened: Tensor,
        stopped: Stop | None,
    ) -> Iterator[Float[Tensor, "1 g d"]]:
        ask = self._gates_of(x).responder(cache, shallow, deep)
        for done, some in enumerate(opened.split(AT_ONCE, 1)):
            if done and stopped is not None and stopped():
                return
            yield ask(some)

    def _check(
        self,
        shallow: str,
        deep: str | None,
        cache: ForwardCache,
        answers: Float[np.ndarray, "_g _d"],
    ) -> None:
        check_finite(f"gates on {shallow} lead {deep or 'the output'} to", answers)
        if deep is not None:
            own = numbers_of(spatial_means(cache.maps[deep])[0])
            apart = np.abs(answers[0] - own).max()
            if apart > rounding(cache.maps[deep]) * max(np.abs(own).max(), 1e-30):
                raise RuntimeError(
                    f"with all channels of {shallow} open {deep} is not what it was before; a"
                    " network that answers the same to the same image was expected; look for"
                    " randomness or state in its forward"
                )


def inference_weights(
    perturbations: Sequence[Perturbation],
    concepts: Sequence[Float[np.ndarray, "_e d"]],
    *,
    sparsity: float,
    device: str | torch.device | None = None,
) -> list[InferenceWeights]:
    """Return the inference weights of concepts in images (Eq. 8), each image with its own concepts.

    `concepts[i]` are rows of weights over the channels that image `i` answered with: harmonizing
    weights (Eq. 4), or ones of an identity matrix for logits. The penalty is `sparsity` times the
    smallest that makes every weight of a concept zero; whether an intercept is fitted is the
    gates'. With `v = w * means`
    the matrix of the regression is that of the gates alone, so that all concepts of all images with
    the same gates are one problem (`GateMatrix`). Raises ValueError for concepts that do not fit.
    """
    weights: dict[int, InferenceWeights] = {}
    for same in _with_equal_gates(perturbations):
        some = [(perturbations[i], np.asarray(concepts[i], np.float64)) for i in same]
        weights.update(zip(same, _solved(some, sparsity, device), strict=True))
    return [weights[i] for i in range(len(perturbations))]


def _with_equal_gates(perturbations: Sequence[Perturbation]) -> list[list[int]]:
    groups: dict[int, list[int]] = {}
    for i, one in enumerate(perturbations):
        groups.setdefault(id(one.gates), []).append(i)
    return list(groups.values())


def _solved(
    some: Sequence[tuple[Perturbation, Float[np.ndarray, "_e d"]]],
    sparsity: float,
    device: str | torch.device | None,
) -> list[InferenceWeights]:
    gates = some[0][0].gates
    answers = np.concatenate([_concept_answers(one, concepts) for one, concepts in some])
    count = [len(concepts) for _, concepts in some]
    means = np.repeat(np.stack([one.means for one, _ in some]), count, axis=0)
    if not len(answers):
        return [InferenceWeights(means[:0], np.zeros(0)) for _ in some]
    problem = _quadratic(gates, answers)
    cost = np.divide(1, np.abs(means), where=means != 0, out=np.full(means.shape, np.inf))
    solver: Solver | None = "ADMM" if len(answers) >= MANY else None
    v = lasso(
        problem, sparsity, penalties=cost, solver=solver, device=device, tolerance=TOLERANCE
    ).weights
    weights = np.divide(v, means, where=means != 0, out=np.zeros(v.shape))
    fit = _fit(problem, v)
    ends = np.cumsum(count)[:-1]
    parts = zip(np.split(weights, ends), np.split(fit, ends), strict=True)
    return [InferenceWeights(w, f) for w, f in parts]


def _concept_answers(
    one: Perturbation, concepts: Float[np.ndarray, "e d"]
) -> Float[np.ndarray, "e g"]:
    if concepts.ndim != 2 or concepts.shape[1] != one.answers.shape[1]:
        raise ValueError(
            f"got concepts of shape {concepts.shape}, answers of {one.answers.shape[1]} channels;"
            " expected one row of weights for each concept; use those of the answering layer"
        )
    return concepts @ one.answers.T


def _quadratic(gates: GateMatrix, answers: Float[np.ndarray, "e g"]) -> Quadratic:
    """Return the statistics of Eq. 8 in units of v = w * means, centred for an intercept."""
    near = gates.near
    centred = answers - gates.mean(answers.T)[:, None]
    power = centred**2 @ near
    moves = power > CONSTANT * (answers**2 @ near)
    return Quadratic(gates.gram[None], (centred @ gates.weighted) * moves[:, None], power * moves)


def _fit(problem: Quadratic, v: Float[np.ndarray, "e k"]) -> Float[np.ndarray, " e"]:
    left = problem.power - 2 * (problem.linear * v).sum(1) + ((v @ problem.gram[0]) * v).sum(1)
    share = np.divide(left, problem.power, where=problem.power > 0, out=np.ones(len(left)))
    return 1 - share


@dataclass(frozen=True, eq=False)
class ConceptPlaces:
    """Where concepts lie in an image, at one resolution, each centred and of unit length.

    `parent` is the map of the concept that is inferred, `candidates[j]` that of a concept it may
    rest on. `weight` is how much places count beside directions.
    """

    parent: Float[np.ndarray, " p"]
    candidates: Float[np.ndarray, "n p"]
    weight: float


class FewConcepts:
    """Explains inference weights at a layer by at most `most` of the concepts of its level."""

    def __init__(self, level: ConceptDirections, most: int) -> None:
        self._level = level
        self._most = most
        self._some = np.flatnonzero(candidates(level))
        self._columns = _unit(level.weights[self._some])

    def maps(self, activations: Float[np.ndarray, "k h w"]) -> Float[np.ndarray, "n p"]:
        """Return where the offered concepts lie in an image, centred and of unit length.

        Each place is shared among the concepts by how strongly their maps claim it (a softmax): a
        map is 1 where its concept is and 0 elsewhere only on average.
        """
        maps = np.tensordot(self._level.weights[self._some], activations, 1)
        maps += self._level.bias[self._some][:, None, None]
        flat = maps.reshape(len(maps), activations[0].size)
        claimed = softmax(flat / CLAIM, axis=0) if len(flat) else flat
        return _unit(claimed - claimed.mean(axis=1, keepdims=True))

    def subset(
        self, weights: Float[np.ndarray, " k"], place: ConceptPlaces | None = None
    ) -> Subset:
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
        columns = np.concatenate([self._columns, place.weight * place.candidates], axis=1)
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


def candidates(level: ConceptDirections) -> Bool[np.ndarray, " e"]:
    """Return which concepts of a level can be rested on: those with a direction of any use."""
    useless = np.array([level.flags.get(name) == USELESS for name in level.concepts])
    return level.usable & ~useless


def place_of(map_: Float[np.ndarray, "h w"], size: tuple[int, int]) -> Float[np.ndarray, " p"]:
    """Return where a concept lies, at another resolution: its map from 0 to 1, centred, unit."""
    values = np.clip(upsampled(map_, size), 0, 1).ravel()
    return _unit((values - values.mean())[None])[0]


def _unit(rows: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 1e-12, length, np.inf)


def _close(slope: Float[np.ndarray, " n"]) -> Int[np.ndarray, " c"]:
    return np.flatnonzero((slope > 0) & (slope >= CLOSE * slope.max()))


@dataclass(frozen=True, eq=False)
class InferenceStep:
    """What one concept rests on in an image: its inference weights, and concepts that give them.

    `estimates` are what each channel adds to it by its weight, which is times the channel's mean.
    `few.alpha[j]` is the contribution weight of concept `j` of the next level, 0 for most.
    """

    weights: Float[np.ndarray, " k"]
    estimates: Float[np.ndarray, " k"]
    few: Subset


@dataclass(frozen=True, eq=False)
class ImageInference:
    """One image: the steps of each level below the output, and each level's maps.

    `steps[0]` has the target's step at 0, `steps[i]` those of concepts of level `i - 1`, both by
    number. `activations[i]` are the maps of the layer of level `i`.
    """

    steps: Sequence[Mapping[int, InferenceStep]]
    activations: Sequence[Float[np.ndarray, "_k _h _w"]]


class ConceptWeights(NamedTuple):
    """One concept in an image: its inference weights, and what each channel adds to it.

    They are as found (`raw`), and of unit length (`unit`).
    """

    raw: Float[np.ndarray, " k"]
    unit: Float[np.ndarray, " k"]
    estimates: Float[np.ndarray, " k"]


@dataclass(frozen=True)
class InferenceSettings:
    """How inference goes: gates a layer, the sparsity of Eq. 8, how much places count in Eq. 19.

    `intercept` fits a constant beside the weights of Eq. 8.
    """

    gates: int
    sparsity: float
    place: float
    seed: int
    intercept: bool = True


class LevelInference:
    """Infers images from the output down; `levels` are harmonised, coarse to fine.

    All images have the same gates on a layer, so that one matrix serves all of them. `most` is the
    bound of Eq. 19 at each level.
    """

    def __init__(
        self,
        probe: Probe,
        levels: Sequence[ConceptDirections],
        most: Sequence[int],
        settings: InferenceSettings,
    ) -> None:
        names = [level.layer.name for level in levels]
        self._levels = tuple(levels)
        self._settings = settings
        self._extractor = PerturbationExtractor(
            probe,
            names,
            count=settings.gates,
            seed=settings.seed,
            intercept=settings.intercept,
        )
        self._few = [FewConcepts(level, n) for level, n in zip(levels, most, strict=True)]

    def infer(
        self, images: Sequence[Float[Tensor, "1 ch h w"]], targets: Sequence[int], stopped: Stop
    ) -> Iterator[ImageInference]:
        """Yield images inferred down to the last level, or as far as `stopped` allows.

        Images that were not begun are left out. A bar counts gates, of what takes long.
        """
        with self._counted(len(images), len(self._levels)) as counted:
            for some in _blocks(len(images), stopped):
                yield from self._down(images[some], targets[some], stopped, counted.update)

    def _counted(self, images: int, levels: int) -> SlowBar:
        what = f"CHAIN: gates on {images} image{'' if images == 1 else 's'}"
        return SlowBar(what, images * levels * self._settings.gates, "gate")

    def _down(
        self, images: Sequence[Tensor], targets: Sequence[int], stopped: Stop, done: Done
    ) -> list[ImageInference]:
        caches = [self._extractor.take(x) for x in images]
        inferences = [ImageInference([], self._activations(t)) for t in caches]
        wanted = [[target] for target in targets]
        for level in range(len(self._levels)):
            pairs = zip(images, caches, strict=True)
            perturbations = [self._perturbed(x, t, level, stopped, done) for x, t in pairs]
            if stopped():
                break
            rows = [
                self._rows(one.answers.shape[1], some, level)
                for one, some in zip(perturbations, wanted, strict=True)
            ]
            solved = inference_weights(perturbations, rows, sparsity=self._settings.sparsity)
            inferences = [
                ImageInference(
                    [*one.steps, self._steps(one, some, weights, level)], one.activations
                )
                for one, some, weights in zip(inferences, wanted, solved, strict=True)
            ]
            wanted = [sorted(_chosen(one.steps[-1])) for one in inferences]
        return inferences

    def weights(
        self,
        images: Sequence[Float[Tensor, "1 ch h w"]],
        numbers: Sequence[int],
        level: int,
        stopped: Stop,
    ) -> Iterator[ConceptWeights]:
        """Yield the inference weights of one concept in each image (Eq. 20-25).

        `level` is that which is gated; `numbers[i]` is the place of image `i`'s concept in the one
        above, or of its class. Ends where `stopped` says so. A bar counts the gates, where it
        takes long.
        """
        with self._counted(len(images), 1) as counted:
            for some in _blocks(len(images), stopped):
                perturbations = [self._one(x, level, stopped, counted.update) for x in images[some]]
                if stopped():
                    return
                yield from self._solved(perturbations, numbers[some], level)

    def _solved(
        self, perturbations: Sequence[Perturbation], numbers: Sequence[int], level: int
    ) -> Iterator[ConceptWeights]:
        pairs = zip(perturbations, numbers, strict=True)
        rows = [self._rows(one.answers.shape[1], [number], level) for one, number in pairs]
        solved = inference_weights(perturbations, rows, sparsity=self._settings.sparsity)
        for one, weights in zip(perturbations, solved, strict=True):
            raw = weights.weights[0]
            yield ConceptWeights(raw, weights.unit[0], raw * one.means)

    def losses(
        self, x: Float[Tensor, "1 ch h w"], number: int, level: int, stopped: Stop
    ) -> Float[np.ndarray, " k"]:
        """Return what one concept loses in an image without each channel of a level's layer.

        Numbers and `level` are as in `weights`. Raises CancelledError where `stopped` says yes.
        """
        cache, (shallow, deep) = self._extractor.take(x), self._layers_of(level)
        total = cache.maps[shallow].shape[1] + 1
        with SlowBar(f"CHAIN: without each channel of {shallow}", total, "gate") as counted:
            losses = self._extractor.losses(x, cache, shallow, deep, stopped, counted.update)
        return losses @ self._rows(losses.shape[1], [number], level)[0]

    def _one(self, x: Tensor, level: int, stopped: Stop, done: Done) -> Perturbation:
        return self._perturbed(x, self._extractor.take(x), level, stopped, done)

    def _activations(self, cache: ForwardCache) -> list[np.ndarray]:
        return [
            cache.maps[level.layer.name][0].detach().double().cpu().numpy()
            for level in self._levels
        ]

    def _perturbed(
        self, x: Tensor, cache: ForwardCache, level: int, stopped: Stop, done: Done
    ) -> Perturbation:
        return self._extractor.perturb(x, cache, *self._layers_of(level), stopped, done)

    def _layers_of(self, level: int) -> tuple[str, str | None]:
        """The layer that is gated, and the one that answers; None are the logits."""
        deep = self._levels[level - 1].layer.name if level else None
        return self._levels[level].layer.name, deep

    def _rows(self, width: int, wanted: Sequence[int], level: int) -> Float[np.ndarray, "e d"]:
        """Concepts as rows over the channels, or the `width` logits, that answer."""
        if level:
            return self._levels[level - 1].weights[list(wanted)]
        return np.eye(width)[list(wanted)]

    def _steps(
        self, image: ImageInference, wanted: Sequence[int], solved: InferenceWeights, level: int
    ) -> dict[int, InferenceStep]:
        places = self._places(image, wanted, level)
        few = self._few[level]
        means = image.activations[level].mean((1, 2))
        return {
            concept: InferenceStep(weights, weights * means, few.subset(weights, place))
            for concept, weights, place in zip(wanted, solved.weights, places, strict=True)
        }

    def _places(
        self, image: ImageInference, wanted: Sequence[int], level: int
    ) -> list[ConceptPlaces | None]:
        if level == 0 or self._settings.place == 0:
            return [None] * len(wanted)
        here, above = image.activations[level], image.activations[level - 1]
        size = (here.shape[1], here.shape[2])
        candidates = self._few[level].maps(here)
        parents = (self._levels[level - 1].map_of(above, e) for e in wanted)
        return [
            ConceptPlaces(place_of(one, size), candidates, self._settings.place) for one in parents
        ]


def _blocks(count: int, stopped: Stop) -> Iterator[slice]:
    for at in range(0, count, TOGETHER):
        if at and stopped():
            return
        yield slice(at, at + TOGETHER)


def _chosen(steps: Mapping[int, InferenceStep]) -> set[int]:
    return {int(j) for step in steps.values() for j in np.flatnonzero(step.few.alpha)}
