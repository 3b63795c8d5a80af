"""Sums that weighted least squares needs, gathered without keeping a row (CHIP, Eq. 14)."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .lasso import Quadratic

Weighting = Literal["equal", "loyal"]

# Variance below this share of the mean square is rounding, in float32 networks and in the sums.
CONSTANT = 1e-12


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


@dataclass
class Moments:
    """Weighted sums over all rows of one layer: z z^T, g z, z, g, g² and 1, in float64.

    With `"equal"` weights h(d) one matrix serves all classes; with `"loyal"` weights h(d) f^c
    (Eq. 11) each class has its own. Where these would pass `memory` bytes they lie in a file,
    and batches are gathered until a pass over it pays.
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
        self._folder: Path | None = None
        self._waiting: list[GatingBatch] = []
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
        self._folder = Path(tempfile.mkdtemp(prefix="hexplain-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return np.memmap(self._folder / "gram", np.float64, "w+", shape=shape)

    @property
    def in_file(self) -> bool:
        """Whether the matrices of the classes lie in a file."""
        return self._folder is not None

    @property
    def settled(self) -> bool:
        """Whether no batch waits to be added to the matrices."""
        return not self._waiting

    @property
    def at_once(self) -> int:
        """How many matrices a quarter of the memory holds, at least 1."""
        return max(1, self.memory // 4 // (self.channels**2 * 8))

    def add(self, rows: GatedScores) -> None:
        """Add the rows of a batch of images."""
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
        self._waiting.append(rows.on_host())
        if not self.in_file or sum(w.nbytes for w in self._waiting) > self.memory // 4:
            self.settle()

    def _add_scores(self, z: Tensor, weighted: Tensor, g: Tensor) -> None:
        self.linear += _host(weighted.T @ z)
        self.totals += _host(weighted.sum(0))
        self.squares += _host((weighted * g).sum(0))

    def settle(self) -> None:
        """Bring the matrices of the classes up to date, block of classes by block."""
        if not self._waiting:
            return
        for first in range(0, self.classes, self.at_once):
            block = slice(first, first + self.at_once)
            self.gram[block] += self._owed(block, images=self.at_once)
        self._waiting = []

    def _owed(self, block: slice, images: int) -> np.ndarray:
        shape = self.gram[block].shape
        owed = torch.zeros(shape[0], shape[1] * shape[2], dtype=torch.float64)
        for rows in self._waiting:
            for first in range(0, len(rows.means), images):
                some = slice(first, first + images)
                owed += rows.loyalty[some, block].T @ rows.grams(some).flatten(1)
        return _host(owed).reshape(shape)

    def merge(self, other: Moments) -> None:
        """Add what other data gave."""
        self.settle()
        other.settle()
        for one, more in zip(self.gram, other.gram, strict=True):
            one += more
        for name in ("sums", "weight", "linear", "totals", "squares"):
            getattr(self, name)[...] += getattr(other, name)

    def quadratic(self, classes: Sequence[int]) -> Quadratic:
        """Return the centred statistics of some classes: the intercept is fitted (Eq. 11)."""
        self.settle()
        chosen = list(classes)
        own = [0] if self.weighting == "equal" else chosen
        gram = np.stack([self._centred(i) for i in own])
        weight, sums = self.weight[own][:, None], self.sums[own]
        linear = self.linear[chosen] - self.totals[chosen][:, None] * _over(sums, weight)
        power = self.squares[chosen] - _over(self.totals[chosen] ** 2, weight[:, 0])
        moves = power > CONSTANT * self.squares[chosen]
        return Quadratic(gram=gram, linear=linear * moves[:, None], power=power * moves)

    def _centred(self, i: int) -> np.ndarray:
        outer = np.outer(self.sums[i], _over(self.sums[i], self.weight[i]))
        return np.asarray(self.gram[i] - outer)

    def means(self) -> Float[np.ndarray, " k"]:
        """Return the mean of every channel behind its gates, all classes weighted alike."""
        return np.asarray(_over(self.sums.sum(0), self.weight.sum()))

    def arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield every sum by name, for saving."""
        self.settle()
        for name in ("gram", "sums", "weight", "linear", "totals", "squares"):
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
