"""Shapley values of classifiers that are fitted again for every coalition of neurons.

HINT's text has `L_e^{<S>}` re-trained with the neurons of S unchanged and the others randomised.
For least squares this has an exact limit. Randomised neurons, shuffled over many rows, go with
neither the concept nor any other neuron, so their coefficients are zero and the fit is that of S
alone:

    L^{<S>}(r) = 1/2 + (r_S - mu_S) . C_SS^-1 c_S,

with mu and C the mean and covariance of the concept's rows, c their covariance with being the
concept's (0 or 1), rows of the concept weighing one half in all, the others the other half. Along
a permutation with C = L L' the neuron that joins i-th adds `(L^-1 (r - mu))_i (L^-1 c)_i`, so one
Cholesky factor gives all the nested fits. What is added is linear in r, and so is its mean over
permutations: a K x K matrix per concept is all that is summed, and rows are needed only in the end.
A ridge of a thousandth of each neuron's variance keeps fits of few rows apart from their noise.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int8
from torch import Tensor

from .permutations import TURNS, Halves, fours

RIDGE = 1e-3
_BLOCK = 32  # neurons whose values on all rows are held at once


class Refits(Halves):
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
        found: Tensor = (self._signed * four).sum(-1)
        return found.T

    def sums(self) -> Iterator[tuple[Float[Tensor, "b e r"], Float[Tensor, "b e r"]]]:
        """Give what both halves' coefficients come to on the rows."""
        for at in range(0, self._gram.shape[-1], _BLOCK):
            chosen = slice(at, at + _BLOCK)
            yield self._on_rows(self._first, chosen), self._on_rows(self._second, chosen)

    def _on_rows(self, added: Float[Tensor, "e k k"], chosen: slice) -> Float[Tensor, "b e r"]:
        slopes = (added[:, chosen] / self._scale[:, None]).transpose(0, 1)
        offset = (slopes * self._mean).sum(-1).to(self._rows.dtype)
        found: Tensor = slopes.to(self._rows.dtype) @ self._rows.T
        return found.sub_(offset[..., None])

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
    added: Tensor = (whitening @ linear)[:, None] * whitening
    return added
