"""CHAIN literally, with the paper's equation numbers: loops, full forwards, an inverse a step.

Slow on purpose; shares nothing with the package.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F


def soft(x: np.ndarray, threshold: float) -> np.ndarray:
    """The soft threshold of Eq. 17."""
    return np.sign(x) * np.maximum(np.abs(x) - threshold, 0)


def pixels(maps: Tensor, labels: np.ndarray) -> np.ndarray:
    """A layer's vectors at the resolution of the labels: `(Y * X, K)`, by upsampling them all."""
    whole = F.interpolate(maps[None].double(), labels.shape, mode="bilinear", align_corners=False)
    return whole[0].flatten(1).T.numpy()


def rows_of(
    images: list[tuple[Tensor, np.ndarray]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The samples of Eq. 1: vectors, labels and areas of all pixels that are labelled (not -1)."""
    vectors, labels, areas = [], [], []
    for maps, found in images:
        known = found.ravel() != -1
        vectors.append(pixels(maps, found)[known])
        labels.append(found.ravel()[known])
        areas.append(np.full(int(known.sum()), 1 / found.size))
    return np.concatenate(vectors), np.concatenate(labels), np.concatenate(areas)


def harmonized(
    rows: np.ndarray, z: np.ndarray, areas: np.ndarray, sparsity: float, steps: int = 4000
) -> np.ndarray:
    """Eq. 1 with an intercept, by the iteration of Eq. 15-18; the mean map is 1 where z, else 0."""
    total = areas.sum()
    mean, share = areas @ rows / total, areas @ z / total
    t = admm(rows - mean, z - share, areas / total, sparsity, steps)
    positive, rest = areas * z, areas * (1 - z)
    apart = (positive @ rows / positive.sum() - rest @ rows / rest.sum()) @ t
    return t / apart if t.any() else t


def admm(x: np.ndarray, y: np.ndarray, h: np.ndarray, sparsity: float, steps: int) -> np.ndarray:
    """Algorithm 2, lines 3-8; lambda is a fraction of the one that makes every weight zero."""
    lam = sparsity * np.abs((h * y) @ x).max()
    gram, right = np.zeros((x.shape[1],) * 2), np.zeros(x.shape[1])
    for xn, yn, hn in zip(x, y, h, strict=True):
        gram += hn * np.outer(xn, xn)
        right += hn * yn * xn
    rho = np.trace(gram) / len(gram)
    m, u = np.zeros(len(gram)), np.zeros(len(gram))
    for _ in range(steps):
        w = (right + rho * m + rho * u) @ np.linalg.inv(gram + rho * np.eye(len(gram)))  # Eq. 15
        m = soft(w - u, lam / rho)  # Eq. 17
        u = u - (w - m)  # Eq. 18
    return m


def proximity(e: np.ndarray) -> float:
    """Eq. 9; sigma² grows with the layer's width."""
    return math.exp(-sum((v - 1) ** 2 for v in e.astype(float)) / (0.5625 * len(e)))


def perturbed(
    network: nn.Module, shallow: nn.Module, deep: nn.Module | None, image: Tensor, gates: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """x of Eq. 3 and the spatial means of the deep layer (or logits): a full forward each gate."""
    xs, answers = [], []
    for e in gates:
        found: dict[str, Tensor] = {}

        def close(_m: nn.Module, _i: object, out: Tensor, e=e, found=found) -> Tensor:
            gated = torch.stack([out[0, i] * float(e[i]) for i in range(out.shape[1])])  # Eq. 2
            found["x"] = gated.double().mean((1, 2))  # Eq. 3
            return gated[None]

        def read(_m: nn.Module, _i: object, out: Tensor, found=found) -> None:
            found["y"] = out[0].double().mean((1, 2))

        handles = [shallow.register_forward_hook(close)]
        if deep is not None:
            handles.append(deep.register_forward_hook(read))
        with torch.no_grad():
            logits = network(image.clone())
        for handle in handles:
            handle.remove()
        xs.append(found["x"].numpy())
        answers.append((logits[0].double() if deep is None else found["y"]).numpy())
    return np.stack(xs), np.stack(answers)


def inferred(
    x: np.ndarray, y: np.ndarray, gates: np.ndarray, sparsity: float, steps: int = 4000
) -> np.ndarray:
    """Eq. 8 with an intercept: inference weights of one concept, `y` its answers (Eq. 7)."""
    h = np.array([proximity(e) for e in gates])
    return admm(x - h @ x / h.sum(), y - h @ y / h.sum(), h, sparsity, steps)


def unexplained(
    columns: np.ndarray, target: np.ndarray, at_most: int, *, nonnegative: bool = False
) -> float:
    """Eq. 19 by every subset, as the share of the target's squared length; unit columns."""
    from scipy.optimize import nnls

    lengths = np.linalg.norm(columns, axis=0)
    unit = [c / n for c, n in zip(columns.T, lengths, strict=True) if n > 0]
    best = float(target @ target)
    for count in range(1, min(at_most, len(unit)) + 1):
        for some in itertools.combinations(unit, count):
            phi = np.stack(some, 1)
            alpha = nnls(phi, target)[0] if nonnegative else np.linalg.lstsq(phi, target)[0]
            best = min(best, float(np.sum((phi @ alpha - target) ** 2)))
    return best / float(target @ target)


def harmonized_as_printed(
    rows: np.ndarray, z: np.ndarray, areas: np.ndarray, sparsity: float, steps: int = 4000
) -> np.ndarray:
    """Eq. 1: no intercept, no scale."""
    return admm(rows, z, areas / areas.sum(), sparsity, steps)


def inferred_as_printed(
    x: np.ndarray, y: np.ndarray, gates: np.ndarray, sparsity: float, steps: int = 4000
) -> np.ndarray:
    """Eq. 8: inference weights of one concept, without an intercept."""
    return admm(x, y, np.array([proximity(e) for e in gates]), sparsity, steps)


def directional_derivative(
    network: nn.Module,
    shallow: nn.Module,
    deep: nn.Module | None,
    image: Tensor,
    concept: np.ndarray,
    direction: np.ndarray,
    delta: float,
) -> float:
    """Eq. 20 as a limit: (f(A + delta t) - f(A)) / delta, by two full forwards of the network.

    `concept` are harmonizing weights of the deep layer, or of the logits; f is the mean of its map.
    """
    values = []
    for step in (0.0, delta):
        found: dict[str, Tensor] = {}

        def move(_m: nn.Module, _i: object, out: Tensor, step=step) -> Tensor:
            moved = [out[0, i] + step * float(direction[i]) for i in range(out.shape[1])]
            return torch.stack(moved)[None]

        def read(_m: nn.Module, _i: object, out: Tensor, found=found) -> None:
            found["y"] = out[0].double().mean((1, 2))

        handles = [shallow.register_forward_hook(move)]
        if deep is not None:
            handles.append(deep.register_forward_hook(read))
        with torch.no_grad():
            logits = network(image.clone())
        for handle in handles:
            handle.remove()
        answer = logits[0].double() if deep is None else found["y"]
        values.append(float(concept @ answer.numpy()))
    return (values[1] - values[0]) / delta
