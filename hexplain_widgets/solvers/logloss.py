"""The penalised logistic loss of many concepts on the same rows: values, slopes, curvature."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor
from torch.nn.functional import softplus

# Rows for the curvature of one concept: at least so many, and so many for each of its features;
# how many times that for a curvature that is the only one.
_FEW, _EACH, _SHARED = 1024, 4, 4
# Keeps factors of linearly dependent features solvable, against the mean diagonal.
_RIDGE = 1e-7


@dataclass(frozen=True, eq=False)
class LogLoss:
    """Standardised rows, which side of each concept they are on, and how much they count.

    `against` is minus the sign, `mass` sums to 1 over a concept's rows, `allowed` is 1 where a
    concept may use a feature. Points are `(e, k + 1)`, float64, the intercept last.
    """

    rows: Float[Tensor, "r k"]
    against: Float[Tensor, "e r"]
    mass: Float[Tensor, "e r"]
    allowed: Float64[Tensor, "e k"]
    penalty: float

    def only(self, which: Tensor) -> LogLoss:
        """The same for some of the concepts."""
        against, mass, allowed = self.against[which], self.mass[which], self.allowed[which]
        return replace(self, against=against, mass=mass, allowed=allowed)

    def losing(self, point: Float64[Tensor, "e k1"]) -> Float[Tensor, "e r"]:
        """Minus the signed logit of every row: positive where it is on the wrong side."""
        weights, bias = point[:, :-1].to(self.rows.dtype), point[:, -1:].to(self.rows.dtype)
        return (weights @ self.rows.T).add_(bias).mul_(self.against)

    def value(
        self, losing: Float[Tensor, "e r"], squared: Float64[Tensor, " e"]
    ) -> Float64[Tensor, " e"]:
        """The objective, `squared` being the squared length of the weights."""
        loss = (self.mass * softplus(losing)).sum(dim=1, dtype=torch.float64)
        return loss + self.penalty / 2 * squared

    def gradient(
        self, point: Float64[Tensor, "e k1"], losing: Float[Tensor, "e r"]
    ) -> Float64[Tensor, "e k1"]:
        """The objective's gradient at a point whose `losing` is known."""
        pull = torch.sigmoid(losing).mul_(self.mass).mul_(self.against)
        by_weight = (pull @ self.rows).double() + self.penalty * point[:, :-1]
        by_bias = pull.sum(dim=1, keepdim=True, dtype=torch.float64)
        return torch.cat([by_weight * self.allowed, by_bias], dim=1)


class Curvature:
    """An approximate Hessian of every concept, from the rows that hold most of it.

    `shared` takes one for all concepts, the mean of theirs: a twentieth of the work for twenty,
    and good enough far from the answer. Concepts of different features have no mean.
    """

    def __init__(
        self, problem: LogLoss, losing: Float[Tensor, "e r"], *, shared: bool = False
    ) -> None:
        most = int(problem.allowed.sum(dim=1).max())
        # a concept's own features first; what fills up the shorter lists is held at zero
        order = problem.allowed.argsort(dim=1, descending=True, stable=True)
        self._columns = order[:, :most]
        self._allowed = problem.allowed.gather(1, self._columns)
        probability = torch.sigmoid(losing)
        curved = (probability * (1 - probability)).mul_(problem.mass)
        if shared and bool((problem.allowed == problem.allowed[0]).all()):
            curved = curved.mean(dim=0, keepdim=True)
        count = max(_FEW, _EACH * (most + 1)) * (_SHARED if len(curved) == 1 else 1)
        self._factor = problem.rows.new_empty(len(curved), most + 1, most + 1)
        for e, row in enumerate(curved):
            # the factor is taken in float64: float32 would lose the smaller of two close features
            self._factor[e] = torch.linalg.cholesky(self._gram(problem, e, row, count))

    def _gram(
        self, problem: LogLoss, e: int, curved: Float[Tensor, " r"], count: int
    ) -> Float64[Tensor, "m m"]:
        picks, total = systematic(curved, count)
        rows = problem.rows[picks]
        if self._columns.shape[1] < rows.shape[1] or not bool(self._allowed[e].all()):
            rows = rows[:, self._columns[e]] * self._allowed[e].to(rows.dtype)
        if len(picks) == len(curved):
            root, scale = curved.sqrt()[:, None], torch.ones_like(total)
            rows = rows * root
        else:
            root, scale = rows.new_ones(len(rows), 1), total / len(picks)
        gram = self._factor.new_empty(rows.shape[1] + 1, rows.shape[1] + 1, dtype=torch.float64)
        gram[:-1, :-1] = rows.T @ rows
        gram[-1:, :-1] = root.T @ rows
        gram[:-1, -1] = gram[-1, :-1]
        gram[-1, -1] = root.square().sum()
        gram *= scale
        diagonal = gram.diagonal()
        diagonal[:-1] += problem.penalty
        diagonal += _RIDGE * diagonal.mean()
        return gram

    def solve(self, gradient: Float64[Tensor, "e k1"]) -> Float64[Tensor, "e k1"]:
        """Apply the inverse: where a concept's quadratic model has its minimum, negated."""
        short = torch.cat([gradient[:, :-1].gather(1, self._columns), gradient[:, -1:]], dim=1)
        short = short.to(self._factor.dtype)
        if len(self._factor) == 1:
            found = torch.cholesky_solve(short.T, self._factor[0]).T.double()
        else:
            found = torch.cholesky_solve(short[:, :, None], self._factor)[:, :, 0].double()
        whole = torch.zeros_like(gradient)
        whole.scatter_(1, self._columns, found[:, :-1] * self._allowed)
        whole[:, -1] = found[:, -1]
        return whole


def systematic(
    mass: Float[Tensor, " r"], count: int
) -> tuple[Int[Tensor, " n"], Float64[Tensor, ""]]:
    """Return rows picked in proportion to their mass, at even distances, and the mass in all.

    Every row where there are no more than `count`. A row with much mass is picked several times.
    """
    if len(mass) <= count:
        return torch.arange(len(mass), device=mass.device), mass.sum(dtype=torch.float64)
    passed = mass.cumsum(0, dtype=torch.float64)
    even = torch.arange(count, dtype=torch.float64, device=mass.device) + 0.5
    picks = torch.searchsorted(passed, even * (passed[-1] / count))
    return picks.clamp_(max=len(mass) - 1), passed[-1]
