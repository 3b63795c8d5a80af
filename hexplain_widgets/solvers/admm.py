"""L1 least squares by the alternating direction method of multipliers, batched over classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .duality import duality_gap

# Relaxation; steps between two looks at the residuals; the first look that may change rho, each
# next one twice as late, so that rho comes to rest; and when to give up.
_RELAXATION, LOOK, STEPS = 1.7, 10, 1000
# Bounds of rho against the mean diagonal: below, rounding could make a singular Gram negative.
_RHO = (1e-6, 1e6)


@dataclass(frozen=True, eq=False)
class Batch:
    """Classes to solve: minimise `w gram w / 2 - linear w + sum_k threshold_k |w_k|` for each.

    `power` is the squared error at zero; the gap is asked relative to `reference`. A threshold of
    infinity holds a weight at zero. All float64 on one device.
    """

    linear: Float[Tensor, "c k"]
    power: Float[Tensor, " c"]
    threshold: Float[Tensor, "c k"]
    reference: Float[Tensor, " c"]


@dataclass(frozen=True, eq=False)
class _State:
    """`x` fits, `z` is sparse, `u` is the scaled multiplier (Boyd et al. 2011; `-q` in CHIP)."""

    x: Float[Tensor, "c k"]
    z: Float[Tensor, "c k"]
    u: Float[Tensor, "c k"]
    rho: Float[Tensor, " c"]
    primal: Float[Tensor, " c"]
    dual: Float[Tensor, " c"]


class _Shared:
    """One Gram for all classes, factorised once for all that have the same rho, as all begin.

    Once they differ, one eigendecomposition serves every class and every rho.
    """

    def __init__(self, gram: Float[Tensor, "k k"]) -> None:
        self._gram = gram
        self._inverse: Tensor | None = None

    @cached_property
    def _turned(self) -> tuple[Float[Tensor, " k"], Float[Tensor, "k k"]]:
        values, vectors = torch.linalg.eigh(self._gram)
        return values.clamp(min=0), vectors

    def prepare(self, rho: Float[Tensor, " c"], changed: Bool[Tensor, " c"]) -> None:
        self._rho = rho
        self._inverse = _inverse(self._gram, rho[:1])[0] if bool((rho == rho[0]).all()) else None

    def solve(self, right: Float[Tensor, "c k"]) -> Float[Tensor, "c k"]:
        if self._inverse is not None:
            return right @ self._inverse
        values, vectors = self._turned
        return torch.mm((right @ vectors) / (values + self._rho[:, None]), vectors.T)

    def product(self, w: Float[Tensor, "c k"]) -> Float[Tensor, "c k"]:
        return w @ self._gram

    def keep(self, which: Bool[Tensor, " c"]) -> None:
        self._rho = self._rho[which]


class _Own:
    """A Gram for each class: inverses from a Cholesky factor, made again where rho changes."""

    def __init__(self, gram: Float[Tensor, "c k k"]) -> None:
        self._gram = gram
        self._inverse = torch.empty_like(gram)

    def prepare(self, rho: Float[Tensor, " c"], changed: Bool[Tensor, " c"]) -> None:
        self._inverse[changed] = _inverse(self._gram[changed], rho[changed])

    def solve(self, right: Float[Tensor, "c k"]) -> Float[Tensor, "c k"]:
        return torch.bmm(right[:, None], self._inverse)[:, 0]

    def product(self, w: Float[Tensor, "c k"]) -> Float[Tensor, "c k"]:
        return torch.bmm(w[:, None], self._gram)[:, 0]

    def keep(self, which: Bool[Tensor, " c"]) -> None:
        self._gram, self._inverse = self._gram[which], self._inverse[which]


def _inverse(gram: Float[Tensor, "... k k"], rho: Float[Tensor, " c"]) -> Float[Tensor, "c k k"]:
    added = torch.diag_embed(rho[:, None].expand(-1, gram.shape[-1]))
    return torch.cholesky_inverse(torch.linalg.cholesky(gram + added))


def admm(
    gram: Float[Tensor, "g k k"],
    batch: Batch,
    start: Float[Tensor, "c k"],
    tolerance: float,
    at_most: int = STEPS,
) -> tuple[Float[Tensor, "c k"], Float[Tensor, " c"], Int[Tensor, " c"]]:
    """Return weights, relative duality gaps and steps of every class.

    A class is done when its primal and dual residuals are below the root of `tolerance` and its
    gap is below `tolerance`; one that is not done after `at_most` steps is returned with its gap.
    Each class has a rho of its own, balanced between its two residuals. `gram` is one for all
    classes or one for each, with a mean diagonal near 1.
    """
    equations = _Shared(gram[0]) if len(gram) == 1 else _Own(gram)
    place = torch.arange(len(start), device=start.device)
    weights, gaps = start.clone(), torch.full_like(batch.power, torch.inf)
    steps, going = torch.zeros_like(place), torch.ones_like(place, dtype=torch.bool)
    state, balance = _begin(equations.product(start), batch, start), LOOK
    equations.prepare(state.rho, going)
    for step in range(1, at_most + 1):
        state = _step(equations.solve, batch, state)
        if step % LOOK:
            continue
        gap = relative_gap(equations.product(state.z), batch, state.z)
        better = going & (gap < gaps[place])
        weights[place[better]], gaps[place[better]] = state.z[better], gap[better]
        steps[place[going]] = step
        small = torch.maximum(state.primal, state.dual) <= tolerance**0.5
        going = going & ~(small & (gaps[place] <= tolerance))
        left = int(going.sum())
        if left == 0:
            break
        if 2 * left <= len(going):  # not at every one that is done: the Grams are copied
            place, state, batch = place[going], some_of(state, going), some_of(batch, going)
            equations.keep(going)
            going = going[going]
        if step == balance:
            state, changed = _balanced(state)
            equations.prepare(state.rho, changed)
            balance *= 2
    return weights, gaps, steps


def _begin(product: Float[Tensor, "c k"], batch: Batch, start: Float[Tensor, "c k"]) -> _State:
    slope = batch.linear - product
    u = torch.maximum(torch.minimum(slope, batch.threshold), -batch.threshold)
    nothing = torch.zeros_like(batch.power)
    return _State(start, start, u, nothing + 1, nothing, nothing)


def some_of(group: Any, which: Bool[Tensor, " c"]) -> Any:
    """Return some of the classes of a group."""
    return replace(group, **{f.name: getattr(group, f.name)[which] for f in fields(group)})


def _step(solve: Callable[[Tensor], Tensor], batch: Batch, state: _State) -> _State:
    rho = state.rho[:, None]
    x = solve(batch.linear + rho * (state.z - state.u))
    relaxed = _RELAXATION * x + (1 - _RELAXATION) * state.z
    moved = relaxed + state.u
    z = moved.sign() * (moved.abs() - batch.threshold / rho).clamp(min=0)
    u = moved - z
    largest = torch.maximum(x.norm(dim=1), z.norm(dim=1))
    primal = (x - z).norm(dim=1) / largest.clamp(min=1e-300)
    dual = (z - state.z).norm(dim=1) / u.norm(dim=1).clamp(min=1e-300)
    return _State(x, z, u, state.rho, primal, dual)


def _balanced(state: _State) -> tuple[_State, Bool[Tensor, " c"]]:
    ratio = (state.primal / state.dual.clamp(min=1e-300)).sqrt().clamp(0.1, 10)
    wished = (state.rho * ratio).clamp(*_RHO)
    changed = (ratio > 1.5) | (ratio < 1 / 1.5)
    rho = torch.where(changed, wished, state.rho)
    return replace(state, rho=rho, u=state.u * (state.rho / rho)[:, None]), changed


def relative_gap(
    product: Float[Tensor, "c k"], batch: Batch, w: Float[Tensor, "c k"]
) -> Float[Tensor, " c"]:
    """Return how far every class may be above its minimum; `product` is `w gram`."""
    slope = (batch.linear - product).abs()
    scale = (batch.threshold / slope.clamp(min=1e-300)).amin(dim=1).clamp(max=1)
    size = (w.abs() * torch.where(w == 0, 0, batch.threshold)).sum(dim=1)
    fitted, curved = (batch.linear * w).sum(dim=1), (product * w).sum(dim=1)
    gap: Tensor = duality_gap(fitted, curved, size, scale, batch.power)
    return torch.where(batch.reference > 0, gap / batch.reference, torch.zeros_like(gap))
