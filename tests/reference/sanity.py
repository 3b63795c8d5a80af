"""Sanity checks, literally: gAP's saliency (Fig. 8), strongest pixels, deletion and insertion."""

from __future__ import annotations

import numpy as np
import torch

from tests.reference import gap


def saliency(model, x, target: int, layers: list[str], top_k: int) -> torch.Tensor:
    """The sum of the gradients, at the pixels, of all decisions at the tree's lowest layer."""
    found = torch.zeros_like(x)

    def walk(branches: list[gap.Branch]) -> None:
        for one in branches:
            if one.layer == layers[-1]:
                pixels = x.clone().requires_grad_()
                value = model[: int(one.layer) + 1](pixels)[0, one.channel, *one.position]
                found.add_(torch.autograd.grad(value * (-1 if value < 0 else 1), pixels)[0])
            walk(one.children)

    walk(gap.decompose(model, x, target, layers, top_k=top_k, threshold=1.0))
    return found


def shared(one, other, count: int) -> float:
    """The share of one map's strongest pixels, so many, that are in the other's set of as many."""
    sets = []
    for values in (one, other):
        pixels = [(abs(v), y, x) for y, row in enumerate(values) for x, v in enumerate(row)]
        sets.append({(y, x) for _, y, x in sorted(pixels, reverse=True)[:count]})
    return len(sets[0] & sets[1]) / count


def fewest(pairs) -> int:
    """How many strongest pixels every map has: a twentieth of all, or as many as are not 0."""
    counts = []
    for pair in pairs:
        for values in pair:
            counts += [round(values.size / 20), sum(v != 0 for v in values.flat)]
    return int(min(counts))


def curve(model, start, end, order, index: int, counts: list[int]) -> list[float]:
    """The probability of a class with the first pixels of an order taken from another image."""
    found = []
    for count in counts:
        mixed = start.clone()
        for pixel in order[:count]:
            y, x = divmod(int(pixel), start.shape[3])
            mixed[0, :, y, x] = end[0, :, y, x]
        with torch.no_grad():
            found.append(float(model(mixed).softmax(1)[0, index]))
    return found


def area(values, shares) -> float:
    """The area under a curve by trapezoids."""
    steps = zip(values, values[1:], shares, shares[1:], strict=False)
    return float(np.sum([(a + b) / 2 * (t - s) for a, b, s, t in steps]))
