"""Directions of limited-memory BFGS, for many problems at once, each with memory of its own."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor


class Memory:
    """The last steps of every problem and what they did to its gradient."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._pairs: list[tuple[Tensor, Tensor, Tensor]] = []

    def keep(self, step: Float[Tensor, "e k"], change: Float[Tensor, "e k"]) -> None:
        """Remember a step and the change of the gradient along it.

        A problem whose step shows no positive curvature, or that took none, remembers nothing.
        """
        curved = (step * change).sum(dim=1)
        inverse = torch.where(curved > 0, 1 / curved, torch.zeros_like(curved))
        self._pairs = [*self._pairs, (step, change, inverse)][-self._length :]

    def direction(
        self, gradient: Float[Tensor, "e k"], solve: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "e k"]:
        """Return where to go by the two-loop recursion (Nocedal and Wright 2006, algorithm 7.4).

        `solve` applies the inverse of an approximate Hessian to `(e, k)` gradients.
        """
        left, shares = gradient, []
        for step, change, inverse in reversed(self._pairs):
            shares.append((inverse * (step * left).sum(dim=1))[:, None])
            left = left - shares[-1] * change
        found = solve(left)
        for (step, change, inverse), share in zip(self._pairs, reversed(shares), strict=True):
            found = found + (share - (inverse * (change * found).sum(dim=1))[:, None]) * step
        return -found
