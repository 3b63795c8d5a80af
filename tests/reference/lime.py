"""LIME word by word (Ribeiro, Singh, Guestrin 2016): sample after sample, weight by weight."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


def switched_off(x: torch.Tensor, parts: np.ndarray, kept: np.ndarray) -> torch.Tensor:
    """An image (c, h, w) in which superpixels that are not kept have their mean colour."""
    out = x.clone()
    for part in range(int(parts.max()) + 1):
        if not kept[part]:
            inside = torch.from_numpy(parts == part)
            for channel in range(len(x)):
                out[channel][inside] = x[channel][inside].mean()
    return out


def distance(kept: np.ndarray) -> float:
    """The cosine distance of z' to the whole image's ones; 1 of an image that keeps nothing."""
    ones = np.ones(len(kept))
    if not kept.any():
        return 1.0
    return 1 - float(kept @ ones) / (np.linalg.norm(kept) * np.linalg.norm(ones))


def nearness(kept: np.ndarray, width: float) -> float:
    """pi_x(z) = exp(-D(x, z)^2 / sigma^2) of sec. 3.3, with sigma^2 = 2 width^2."""
    return float(np.exp(-(distance(kept.astype(float)) ** 2) / (2 * width**2)))


def loss(
    weights: np.ndarray, constant: float, rows: np.ndarray, scores: np.ndarray, near: np.ndarray
) -> float:
    """L(f, g, pi_x) of Eq. 2, over the sum of pi_x."""
    total = 0.0
    for z, score, share in zip(rows, scores, near, strict=True):
        total += share * (score - (constant + float(weights @ z))) ** 2
    return total / float(near.sum())


def explained(
    rows: np.ndarray, scores: np.ndarray, near: np.ndarray, sparsity: float, sweeps: int = 4000
) -> tuple[np.ndarray, float]:
    """Weights and constant that minimise L / 2 + lambda |w|_1 (Eq. 1), by one coordinate at a time.

    lambda is `sparsity` times the smallest that zeroes all weights.
    """
    share = near / near.sum()
    mean = [float(share @ rows[:, k]) for k in range(rows.shape[1])]
    centred = np.stack([rows[:, k] - mean[k] for k in range(rows.shape[1])], axis=1)
    target = scores - float(share @ scores)
    slopes = [abs(float((share * target) @ centred[:, k])) for k in range(rows.shape[1])]
    penalty = sparsity * max(slopes)
    weights = np.zeros(rows.shape[1])
    for _ in range(sweeps):
        for k in range(rows.shape[1]):
            power = float(share @ centred[:, k] ** 2)
            if power == 0:
                continue
            rest = target - centred @ weights + centred[:, k] * weights[k]
            slope = float((share * rest) @ centred[:, k])
            weights[k] = np.sign(slope) * max(0.0, abs(slope) - penalty) / power
    return weights, float(share @ scores) - float(weights @ np.array(mean))


def lime(
    model: nn.Module,
    x: torch.Tensor,
    parts: np.ndarray,
    kept: np.ndarray,
    index: int,
    width: float,
    sparsity: float,
) -> np.ndarray:
    """The weight of the superpixel of every pixel, of a class's probability."""
    rows, scores, near = [], [], []
    for z in kept:
        with torch.no_grad():
            logits = model(switched_off(x[0], parts, z)[None])[0].double()
        rows.append(z.astype(float))
        scores.append(float(torch.exp(logits[index]) / torch.exp(logits).sum()))
        near.append(nearness(z, width))
    found, _ = explained(np.array(rows), np.array(scores), np.array(near), sparsity)
    return found[parts]
