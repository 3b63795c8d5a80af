"""Responsible regions, literally from the paper (HINT, section 3.1, Algorithm 1 lines 2-8).

One image, one concept, one position at a time, by autograd on the whole plain network. Slow on
purpose; shares nothing with the package.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from tests.reference.perturbed import Place

RELUS = (F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_)


class Guided(TorchFunctionMode):
    """ReLUs that let back only what is positive, where what came in was (Springenberg et al.)."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func not in (*RELUS, F.relu6, F.hardtanh):
            return func(*args, **(kwargs or {}))
        x = args[0]
        out = x.clamp(0, 6) if func in (F.relu6, F.hardtanh) else x * (x > 0)
        out.register_hook(lambda gradient: gradient * (gradient > 0))
        return out


def concept_logit(logits: Tensor, classes: Sequence[int]) -> Tensor:
    """f^e: the logarithm of the sum of the exponentials of the concept's classes' logits."""
    largest = max(float(logits[c].detach()) for c in classes)
    return largest + sum((logits[c] - largest).exp() for c in classes).log()


def at_layer(
    network: nn.Module,
    place: Place,
    x: Tensor,
    classes: Sequence[int],
    *,
    maps: Tensor | None = None,
    mode: AbstractContextManager[Any] | None = None,
) -> tuple[Tensor, float, Tensor]:
    """z, f^e and df^e/dz of one image `(1, C, H, W)`; `maps` are put in the place of z."""
    found: list[Tensor] = []

    def stop(output: Tensor) -> Tensor:
        held = (output if maps is None else maps).detach().clone()
        found.append(held.requires_grad_())
        return found[0].clone()

    with mode or nullcontext(), place(stop):
        value = concept_logit(network(x.clone())[0], classes)
    assert len(found) == 1
    (gradient,) = torch.autograd.grad(value, found[0])
    return found[0].detach()[0], value.item(), gradient[0]


def gradient(network: nn.Module, place: Place, x: Tensor, classes: Sequence[int]) -> Tensor:
    """Simonyan et al."""
    return at_layer(network, place, x, classes)[2]


def gradient_x_input(network: nn.Module, place: Place, x: Tensor, classes: Sequence[int]) -> Tensor:
    """Shrikumar et al."""
    z, _, g = at_layer(network, place, x, classes)
    return g * z


def guided_backpropagation(
    network: nn.Module, place: Place, x: Tensor, classes: Sequence[int]
) -> Tensor:
    """Springenberg et al."""
    return at_layer(network, place, x, classes, mode=Guided())[2]


def integrated_gradients(
    network: nn.Module, place: Place, x: Tensor, classes: Sequence[int], *, steps: int
) -> Tensor:
    """Sundararajan et al., from an empty layer, by the midpoint rule."""
    z = at_layer(network, place, x, classes)[0]
    total = torch.zeros_like(z)
    for i in range(steps):
        total += at_layer(network, place, x, classes, maps=(i + 0.5) / steps * z[None])[2]
    return z * total / steps


def smoothgrad(
    network: nn.Module, place: Place, x: Tensor, classes: Sequence[int], *, noises: list[Tensor]
) -> Tensor:
    """Smilkov et al. as the paper changes it: the mean of df^e(x')/dz', x' = x + sigma noise."""
    sigma = 0.15 * (float(x.max()) - float(x.min()))
    each = [gradient(network, place, x + sigma * noise, classes) for noise in noises]
    return sum(each) / len(each)


def aggregated(s: np.ndarray, way: str) -> float:
    """zeta of the saliency `(K,)` of one position."""
    if way in ("norm", "positive_norm"):
        return math.sqrt(sum(v * v for v in s if way == "norm" or v > 0))
    if way in ("sum", "abs_sum"):
        return float(sum(abs(v) if way == "abs_sum" else v for v in s))
    return float(max(abs(v) if way == "abs_max" else v for v in s))


def normalised(values: np.ndarray) -> np.ndarray:
    """Between the minimum and the 99th percentile, clipped; all 0 where they are the same."""
    ordered = sorted(values.ravel().tolist())
    at = 0.99 * (len(ordered) - 1)
    below, beyond = math.floor(at), math.ceil(at)
    low, high = ordered[0], ordered[below] + (at - below) * (ordered[beyond] - ordered[below])
    found = np.zeros_like(values)
    for i, j in np.ndindex(*values.shape):
        if high - low > 1e-4 * max(abs(high), abs(low)):
            found[i, j] = min(max((values[i, j] - low) / (high - low), 0), 1)
    return found


def normalised_as_printed(values: np.ndarray) -> np.ndarray:
    """Normalization into [0, 1], from the minimum to the maximum."""
    low, high = min(values.ravel()), max(values.ravel())
    return np.array([[(v - low) / (high - low) for v in row] for row in values])


def responsibility(saliency: Tensor, way: str, normalise=normalised) -> np.ndarray:
    """Line 6: the saliency `(K, H, W)` of one image as one map in 0..1."""
    s = saliency.detach().double().numpy()
    each = [[aggregated(s[:, i, j], way) for j in range(s.shape[2])] for i in range(s.shape[1])]
    return normalise(np.array(each))


def split(
    z: np.ndarray, maps: list[np.ndarray], threshold: float
) -> tuple[list[np.ndarray], np.ndarray]:
    """Lines 7-8: each concept's vectors `(r, K)` of one image, and those that are no concept's.

    `z` is the layer `(K, H, W)`, `maps` the responsibility of each concept of the image.
    """
    places = [*np.ndindex(*z.shape[1:])]
    own = [[z[:, i, j] for i, j in places if s[i, j] >= threshold] for s in maps]
    rest = [z[:, i, j] for i, j in places if all(s[i, j] < threshold for s in maps)]
    return [_stacked(some, len(z)) for some in own], _stacked(rest, len(z))


def _stacked(vectors: list[np.ndarray], channels: int) -> np.ndarray:
    return np.stack(vectors) if vectors else np.zeros((0, channels))
