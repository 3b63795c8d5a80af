"""Peak responses of important channels, literally (Hierarchical Decomposition, Eq. 4, Fig. 12)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def contributions(maps: Tensor, head: Callable[[Tensor], Tensor], index: int) -> list[float]:
    """Eq. 2-4: the gradient at the maps, times the maps, averaged over the cells."""
    leaf = maps.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(head(leaf)[0, index], leaf)
    _, channels, height, width = maps.shape
    alphas = []
    for k in range(channels):
        total = 0.0
        for y in range(height):
            for x in range(width):
                total += float(gradient[0, k, y, x]) * float(maps[0, k, y, x])
        alphas.append(total / (height * width))
    return alphas


def peak(maps: Tensor, channel: int) -> float:
    """The largest value of a channel's own map."""
    largest = float("-inf")
    for row in maps[0, channel]:
        for value in row:
            largest = max(largest, float(value))
    return largest


def important(alphas: list[float], top: int) -> list[int]:
    """The channels that add most, strongest first."""
    return sorted(range(len(alphas)), key=lambda k: -alphas[k])[:top]
