"""Sums that weighted least squares needs, gathered without keeping a row (CHIP, Eq. 14)."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..evidence.files import TemporaryFolder
from .lasso import Quadratic

Weighting = Literal["equal", "loyal"]

# Variance below this share of the mean square is rounding, in float32 networks and in the sums.
CONSTANT = 1e-12
_SUMS = ("sums", "weight", "linear", "totals", "squares")


@dataclass(frozen=True)
class GatingBatch:
    """The gates on a batch of images at one layer and their weights, in float64 on any device.

    `means[n, k]` is the spatial mean of the open channel, `gates[n, g, k]` True where it stays
    open, `near[n, g]` h(d) of Eq. 7, and `loyalty[n, c]` the softmax of the untouched network
    (Eq. 8, squared).
    """

    means: Float[Tensor, "n k"]
    gates: Bool[Tensor, "n g k"]
    near: Float[Tensor, "n g"]
    loyalty: Float[Tensor, "n c"]

    def gated(self) -> Float[Tensor, "n g k"]:
        """Return z of Eq. 2, the spatial means behind the gates."""
        return self.gates * self.means[:, None, :]

    def grams(self, some: slice) -> Float[Tensor, "m k k"]:
        """Return the sum over gates of h z z^T for some of the images."""
        z = self.gates[some] * self.means[some, None, :]
        return (z * self.near[some, :, None]).transpose(1, 2) @ z

    def on_host(self) -> GatingBatch:
        """Return what the matrices of the classes need, without the scores, off the device."""
        return GatingBatch(*(t.cpu() for t in (self.means, self.gates, self.near, self.loyalty)))

    @property
    def nbytes(self) -> int:
        """Bytes that gates and weights take."""
        return sum(t.nbytes for t in (self.means, self.gates, self.near, self.loyalty))


@dataclass(frozen=True)
class GatedScores(GatingBatch):
    """Gated answers: `scores[n, g, c]` is what the network answered to every gate."""

    scores: Float[Tensor, "n g c"]


class _Debt(NamedTuple):
    """What the matrices of the classes still lack: batches, from class `first` on.

    `block` is what the matrices from `first` on become: worked out and not yet written.
    """

    batches: tuple[GatingBatch | np.ndarray, ...] = ()
    first: int = 0
    block: np.ndarray | None = None

    @property
    def nbytes(self) -> int:
        """Bytes that the batches take."""
        return sum(batch.nbytes for batch in self.batches)

    @property
    def is_begun(self) -> bool:
        """Whether some of it is paid."""
        return self.first > 0 or self.block is not None


@dataclass
class Moments:
    """Weighted sums over all rows of one layer: z z^T, g z, z, g, g² and 1, in float64.

    With `"equal"` weights h(d) one matrix serves all classes; with `"loyal"` weights h(d) f^c
    (Eq. 11) each class has its own. Where these would pass `memory` bytes they lie in a file,
    and batches are gathered until a pass over it pays, when `due`.
    """

    weighting: Weighting
    channels: int
    classes: int
    memory: int
    gram: np.ndarray = field(init=False)
    sums: np.ndarray = field(init=False)
    weight: np.ndarray = field(init=False)
    linear: np.ndarray = field(init=False)
    totals: np.ndarray = field(init=False)
    squares: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        own = 1 if self.weighting == "equal" else self.classes
        self._folder: TemporaryFolder | None = None
        self._debt = _Debt()
        self.gram = self._matrices(own)
        self.sums = np.zeros((own, self.channels))
        self.weight = np.zeros(own)
        self.linear = np.zeros((self.classes, self.channels))
        self.totals = np.zeros(self.classes)
        self.squares = np.zeros(self.classes)

    def _matrices(self, count: int) -> np.ndarray:
        shape = (count, self.channels, self.channels)
        if np.prod(shape) * 8 <= self.memory or count == 1:
            return np.zeros(shape)
        self._folder = TemporaryFolder()
        return np.memmap(self._folder.path / "gram", np.float64, "w+", shape=shape)

    def draft(self) -> Self:
        """Return a copy to add to: this one stays as it is; matrices of classes are shared."""
        if self._debt.is_begun:
            self.settle()
        draft = copy.copy(self)
        for name in (*_SUMS, *(("gram",) if self.weighting == "equal" else ())):
            setattr(draft, name, getattr(self, name).copy())
        return draft

    @property
    def in_file(self) -> bool:
        """Whether the matrices of the classes lie in a file."""
        return self._folder is not None

    @property
    def settled(self) -> bool:
        """Whether no batch waits to be added to the matrices."""
        return not self._debt.batches

    @property
    def due(self) -> bool:
        """Whether what waits is to be added now."""
        debt = self._debt
        return debt.is_begun or debt.nbytes > (self.memory // 4 if self.in_file else 0)

    @property
    def at_once(self) -> int:
        """How many matrices a quarter of the memory holds, at least 1."""
        return max(1, self.memory // 4 // (self.channels**2 * 8))

    def add(self, rows: GatedScores) -> None:
        """Add the rows of a batch of images; those of the matrices of classes wait."""
        z = rows.gated().flatten(0, 1)
        near = rows.near.flatten()[:, None]
        g = rows.scores.flatten(0, 1)
        if self.weighting == "equal":
            weighted = z * near
            self.gram[0] += _host(weighted.T @ z)
            self.sums[0] += _host(weighted.sum(0))
            self.weight[0] += float(near.sum())
            self._add_scores(z, near * g, g)
            return
        loyal = near * rows.loyalty.repeat_interleave(rows.near.shape[1], 0)
        self.sums += _host(loyal.T @ z)
        self.weight += _host(loyal.sum(0))
        self._add_scores(z, loyal * g, g)
        self._owe(rows.on_host())

    def _owe(self, more: GatingBatch | np.ndarray) -> None:
        if self._debt.is_begun:
            self.settle()
        self._debt = _Debt((*self._debt.batches, more))

    def _add_scores(self, z: Tensor, weighted: Tensor, g: Tensor) -> None:
        self.linear += _host(weighted.T @ z)
        self.totals += _host(weighted.sum(0))
        self.squares += _host((weighted * g).sum(0))

    def settle(self) -> None:
        """Bring the matrices of the classes up to date, block of classes by block.

        What is interrupted at any step goes on from there.
        """
        while self._debt.batches:
            self._debt = self._less()

    def _less(self) -> _Debt:
        batches, first, block = self._debt
        some = slice(first, first + self.at_once)
        if first >= self.classes:
            return _Debt()
        if block is None:
            return _Debt(batches, first, self.gram[some] + self._owed(some))
        self.gram[some] = block
        return _Debt(batches, first + self.at_once)

    def _owed(self, block: slice) -> np.ndarray:
        owed = np.zeros(self.gram[block].shape)
        for batch in self._debt.batches:
            if isinstance(batch, GatingBatch):
                owed += self._of_batch(batch, block).reshape(owed.shape)
            else:
                owed += batch[block]
        return owed

    def _of_batch(self, batch: GatingBatch, block: slice) -> np.ndarray:
        classes = batch.loyalty[:, block]
        owed = torch.zeros(classes.shape[1], self.channels**2, dtype=torch.float64)
        for first in range(0, len(batch.means), self.at_once):
            some = slice(first, first + self.at_once)
            owed += classes[some].T @ batch.grams(some).flatten(1)
        return _host(owed)

    def merge(self, other: Moments) -> None:
        """Add what other data gave."""
        other.settle()
        for name in _SUMS:
            getattr(self, name)[...] += getattr(other, name)
        if self.weighting == "equal":
            self.gram += other.gram
        else:
            self._owe(other.gram)

    def quadratic(self, classes: Sequence[int], *, intercept: bool = True) -> Quadratic:
        """Return the statistics of some classes: as printed (Eq. 11), or centred for an intercept.

        An intercept is no equation's, but without one weights also carry what is constant.
        """
        self.settle()
        chosen = list(classes)
        own = [0] if self.weighting == "equal" else chosen
        if not intercept:
            return Quadratic(self.gram[own], self.linear[chosen], self.squares[chosen])
        gram = np.stack([self._centred(i) for i in own])
        weight, sums = self.weight[own][:, None], self.sums[own]
        linear = self.linear[chosen] - self.totals[chosen][:, None] * _over(sums, weight)
        power = self.variations(chosen)
        return Quadratic(gram=gram, linear=linear * (power > 0)[:, None], power=power)

    def variations(self, classes: Sequence[int]) -> Float[np.ndarray, " c"]:
        """Return the weighted squares of classes' scores around their means, 0 for rounding."""
        chosen = list(classes)
        weight = self.weight[[0] if self.weighting == "equal" else chosen]
        power = self.squares[chosen] - _over(self.totals[chosen] ** 2, weight)
        return power * (power > CONSTANT * self.squares[chosen])

    def _centred(self, i: int) -> np.ndarray:
        outer = np.outer(self.sums[i], _over(self.sums[i], self.weight[i]))
        return np.asarray(self.gram[i] - outer)

    def means(self) -> Float[np.ndarray, " k"]:
        """Return the mean of every channel behind its gates, all classes weighted alike."""
        return np.asarray(_over(self.sums.sum(0), self.weight.sum()))

    def arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield every sum by name, for saving."""
        self.settle()
        for name in ("gram", *_SUMS):
            yield name, getattr(self, name)

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take sums that were saved; raises ValueError where their shapes are others."""
        for name, own in self.arrays():
            if name not in arrays or arrays[name].shape != own.shape:
                raise ValueError(f"the sum {name} is not {own.shape}")
            for i in range(len(own)):
                own[i] = arrays[name][i]


def _host(tensor: Tensor) -> np.ndarray:
    return np.asarray(tensor.cpu())


def _over(value: np.ndarray, by: np.ndarray | float) -> np.ndarray:
    """Divide, and give 0 where the weight is 0 (a class that nothing was loyal to)."""
    zeros = np.zeros(np.broadcast(value, by).shape)
    return np.divide(value, by, out=zeros, where=np.asarray(by) > 0)
