"""Inference weights: the channels of a shallow layer that a deep concept rests on (Eq. 2-18)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..network.gating import Gated, Taken, gated, gates_for, proximity, spatial_means
from ..network.guest import visiting
from ..network.probe import Probe
from ..network.segments import rounding
from ..solvers.lasso import Quadratic, Way, lasso
from ..solvers.moments import CONSTANT

Stop = Callable[[], bool]
# Gates that are answered between two looks at whether to stop.
AT_ONCE = 128
# What stands for the image: all have the same gates.
EVERY_IMAGE = b""
# Relative duality gap at which weights are done.
TOLERANCE = 1e-7
# From so many concepts with the same gates on, ADMM's one factor and Newton steps after it are
# faster than coordinate descent for each: 4 at a sparsity of 0.01, 8 at 0.03, above 16 at 0.1.
MANY = 8


@dataclass(frozen=True, eq=False)
class Gates:
    """The gates on a layer, True where a channel stays open, and what a regression makes of them.

    The first is all open. Images with the same gates may share one of these, and with it the
    matrix of the regression.
    """

    opened: Bool[np.ndarray, "g k"]

    @cached_property
    def near(self) -> Float[np.ndarray, " g"]:
        """The weight h(e) of every gate (Eq. 9)."""
        near: Float[np.ndarray, " g"] = proximity(self.opened)
        return near

    @cached_property
    def weighted(self) -> Float[np.ndarray, "g k"]:
        """Return every gate less the mean gate, times its weight: sums over gates are centred."""
        total = self.near.sum()
        centred = self.opened - (self.near @ self.opened) / total
        found: Float[np.ndarray, "g k"] = centred * self.near[:, None]
        return found

    @cached_property
    def gram(self) -> Float[np.ndarray, "k k"]:
        """Return E^T H E of the centred gates, which no image changes."""
        found: Float[np.ndarray, "k k"] = self.weighted.T @ self.opened
        return np.asarray((found + found.T) / 2)

    def first(self, count: int) -> Gates:
        """Return the first of the gates."""
        return self if count >= len(self.opened) else Gates(self.opened[:count])


@dataclass(frozen=True, eq=False)
class Perturbed:
    """One image whose shallow layer was gated, and what a deeper layer answered (Eq. 2-7).

    `means[k]` is the spatial mean of an open shallow channel: behind gate `n` it is `means` times
    the gate (Eq. 3). `answers[n, d]` is the spatial mean of deep channel `d`, or the logit of class
    `d`, for gate `n`. A concept of the deep layer with the harmonizing weights `t` has the answers
    `answers @ t` (Eq. 7), so that one pass of gates serves all of them.
    """

    gates: Gates
    means: Float[np.ndarray, " k"]
    answers: Float[np.ndarray, "g d"]


@dataclass(frozen=True, eq=False)
class InferredWeights:
    """Inference weights of several concepts in one image (Eq. 8).

    `fit[e]` is the share of the weighted variance of concept `e` over the gates that they explain.
    """

    weights: Float[np.ndarray, "e k"]
    fit: Float[np.ndarray, " e"]

    @property
    def unit(self) -> Float[np.ndarray, "e k"]:
        """The weights at unit length (Eq. 20-25); zeros stay zero."""
        length = np.linalg.norm(self.weights, axis=1, keepdims=True)
        found: Float[np.ndarray, "e k"] = self.weights / np.where(length > 0, length, 1)
        return found


class Perturber:
    """Gates layers of single images and reads deeper ones; `layers` are all that take part.

    All images have the same gates on a layer, drawn from a hash of its name, so that one matrix
    serves all of them (`inference_weights`).
    """

    def __init__(self, probe: Probe, layers: Sequence[str], *, count: int, seed: int) -> None:
        if count < 2:
            raise ValueError(
                f"got gates={count}; expected at least 2, of which one leaves all channels open;"
                " 1000 is usual"
            )
        self._probe = probe
        self._layers = tuple(dict.fromkeys(layers))
        self._count, self._seed = count, seed
        self._ways: dict[tuple[int, ...], Gated] = {}
        self._gates: dict[str, Gates] = {}

    def take(self, x: Float[Tensor, "1 ch h w"]) -> Taken:
        """Run the network once on an image; raises ValueError for logits that are not finite."""
        with visiting(self._probe.classifier.model), torch.no_grad():
            taken = self._way(x).take(x)
        self._probe.classifier.check_logits(taken.logits, x)
        return taken

    def _way(self, x: Tensor) -> Gated:
        shape = tuple(x.shape[1:])
        if shape not in self._ways:
            self._ways[shape] = gated(self._probe, x, self._layers)
        return self._ways[shape]

    def gates(self, layer: str, channels: int) -> Gates:
        """Return the gates on a layer."""
        if layer not in self._gates:
            opened = gates_for(
                EVERY_IMAGE, layer, count=self._count, channels=channels, seed=self._seed
            )
            self._gates[layer] = Gates(opened)
        return self._gates[layer]

    def perturbed(
        self,
        x: Float[Tensor, "1 ch h w"],
        taken: Taken,
        shallow: str,
        deep: str | None,
        stopped: Stop | None = None,
    ) -> Perturbed:
        """Return what `deep` (None: the logits) answers to every gate on `shallow`.

        `stopped` is asked now and then; once it says yes, the gates so far are returned. Raises
        ValueError where `deep` does not depend on `shallow` and for values that are not finite.
        """
        maps = taken.maps[shallow]
        gates = self.gates(shallow, maps.shape[1])
        answers = self._answers(x, taken, shallow, deep, gates.opened, stopped)
        means = _numbers(spatial_means(maps)[0])
        _check_finite(means, shallow, shallow)
        self._check(shallow, deep, taken, answers)
        return Perturbed(gates.first(len(answers)), means, answers)

    def losses(
        self,
        x: Float[Tensor, "1 ch h w"],
        taken: Taken,
        shallow: str,
        deep: str | None,
        stopped: Stop | None = None,
    ) -> Float[np.ndarray, "k d"]:
        """Return what `deep` (None: the logits) loses without each channel of `shallow`.

        Raises CancelledError once `stopped` says yes, and like `perturbed`.
        """
        maps = taken.maps[shallow]
        count = maps.shape[1]
        opened = np.concatenate([np.ones((1, count), bool), ~np.eye(count, dtype=bool)])
        answers = self._answers(x, taken, shallow, deep, opened, stopped)
        if len(answers) < len(opened):
            raise CancelledError
        self._check(shallow, deep, taken, answers)
        lost: Float[np.ndarray, "k d"] = answers[0] - answers[1:]
        # A channel that is zero everywhere can leave nothing but rounding.
        lost[_numbers(maps[0].abs().amax((1, 2)) == 0).astype(bool)] = 0
        return lost

    def _answers(
        self, x: Tensor, taken: Taken, shallow: str, deep: str | None,
        opened: Bool[np.ndarray, "g k"], stopped: Stop | None,
    ) -> Float[np.ndarray, "_some d"]:  # fmt: skip
        gates = torch.from_numpy(opened).to(taken.maps[shallow].device)[None]
        with visiting(self._probe.classifier.model), torch.no_grad():
            parts = list(self._answered(x, taken, shallow, deep, gates, stopped))
        return _numbers(torch.cat(parts, 1)[0])

    def _answered(
        self, x: Tensor, taken: Taken, shallow: str, deep: str | None, opened: Tensor,
        stopped: Stop | None,
    ) -> Iterator[Float[Tensor, "1 g d"]]:  # fmt: skip
        ask = self._way(x).asking(taken, shallow, deep)
        for done, some in enumerate(opened.split(AT_ONCE, 1)):
            if done and stopped is not None and stopped():
                return
            yield ask(some)

    def _check(
        self, shallow: str, deep: str | None, taken: Taken, answers: Float[np.ndarray, "_g _d"]
    ) -> None:
        _check_finite(answers, shallow, deep or "the output")
        if deep is not None:
            own = _numbers(spatial_means(taken.maps[deep])[0])
            apart = np.abs(answers[0] - own).max()
            if apart > rounding(taken.maps[deep]) * max(np.abs(own).max(), 1e-30):
                raise RuntimeError(
                    f"with all channels of {shallow} open {deep} is not what it was before; a"
                    " network that answers the same to the same image was expected; look for"
                    " randomness or state in its forward"
                )


def _check_finite(values: np.ndarray, shallow: str, where: str) -> None:
    if not np.isfinite(values).all():
        raise ValueError(
            f"gates on {shallow} give NaN or infinite values at {where}; expected finite"
            " numbers; check the weights, or run the network in float32 with model.float()"
        )


def _numbers(tensor: Tensor) -> np.ndarray:
    return np.asarray(tensor.detach().double().cpu())


def inference_weights(
    perturbed: Sequence[Perturbed],
    concepts: Sequence[Float[np.ndarray, "_e d"]],
    *,
    sparsity: float,
    device: str | torch.device | None = None,
) -> list[InferredWeights]:
    """Return the inference weights of concepts in images (Eq. 8), each image with its own concepts.

    `concepts[i]` are rows of weights over the channels that image `i` answered with: harmonizing
    weights (Eq. 4), or ones of an identity matrix for logits. The penalty is `sparsity` times the
    smallest that makes every weight of a concept zero; an intercept is fitted. With `v = w * means`
    the matrix of the regression is that of the gates alone, so that all concepts of all images with
    the same gates are one problem (`Gates`). Raises ValueError for concepts that do not fit.
    """
    found: dict[int, InferredWeights] = {}
    for same in _with_equal_gates(perturbed):
        some = [(perturbed[i], np.asarray(concepts[i], np.float64)) for i in same]
        found.update(zip(same, _solved(some, sparsity, device), strict=True))
    return [found[i] for i in range(len(perturbed))]


def _with_equal_gates(perturbed: Sequence[Perturbed]) -> list[list[int]]:
    groups: dict[int, list[int]] = {}
    for i, one in enumerate(perturbed):
        groups.setdefault(id(one.gates), []).append(i)
    return list(groups.values())


def _solved(
    some: Sequence[tuple[Perturbed, Float[np.ndarray, "_e d"]]],
    sparsity: float,
    device: str | torch.device | None,
) -> list[InferredWeights]:
    gates = some[0][0].gates
    answers = np.concatenate([_asked(one, concepts) for one, concepts in some])
    count = [len(concepts) for _, concepts in some]
    means = np.repeat(np.stack([one.means for one, _ in some]), count, axis=0)
    problem = _quadratic(gates, answers)
    cost = np.divide(1, np.abs(means), where=means != 0, out=np.full(means.shape, np.inf))
    way: Way | None = "ADMM" if len(answers) >= MANY else None
    v = lasso(
        problem, sparsity, penalties=cost, way=way, device=device, tolerance=TOLERANCE
    ).weights
    weights = np.divide(v, means, where=means != 0, out=np.zeros(v.shape))
    fit = _fit(problem, v)
    ends = np.cumsum(count)[:-1]
    parts = zip(np.split(weights, ends), np.split(fit, ends), strict=True)
    return [InferredWeights(w, f) for w, f in parts]


def _asked(one: Perturbed, concepts: Float[np.ndarray, "e d"]) -> Float[np.ndarray, "e g"]:
    if concepts.ndim != 2 or concepts.shape[1] != one.answers.shape[1]:
        raise ValueError(
            f"got concepts of shape {concepts.shape}, answers of {one.answers.shape[1]} channels;"
            " expected one row of weights for each concept; use those of the answering layer"
        )
    found: Float[np.ndarray, "e g"] = concepts @ one.answers.T
    return found


def _quadratic(gates: Gates, answers: Float[np.ndarray, "e g"]) -> Quadratic:
    """Return the centred statistics of Eq. 8 in units of v = w * means."""
    near = gates.near
    centred = answers - (answers @ near / near.sum())[:, None]
    power = centred**2 @ near
    moves = power > CONSTANT * (answers**2 @ near)
    return Quadratic(gates.gram[None], (centred @ gates.weighted) * moves[:, None], power * moves)


def _fit(problem: Quadratic, v: Float[np.ndarray, "e k"]) -> Float[np.ndarray, " e"]:
    left = problem.power - 2 * (problem.linear * v).sum(1) + ((v @ problem.gram[0]) * v).sum(1)
    share = np.divide(left, problem.power, where=problem.power > 0, out=np.ones(len(left)))
    found: Float[np.ndarray, " e"] = 1 - share
    return found
