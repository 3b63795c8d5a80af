"""The additive explainer word by word: Eq. 2-5, the two priors, the measures of section 4.1."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor


def strength_of_filters(x: Tensor) -> list[float]:
    """Eq. 5: y_i = sum over h, w of x_hwi; `x` is `(K, H, W)`."""
    count, rows, columns = x.shape
    return [
        sum(float(x[i, h, w]) for h in range(rows) for w in range(columns)) for i in range(count)
    ]


def prior_of_filters(score, x: Tensor) -> list[float]:
    """Eq. 5: w_i = 1/Z sum over h, w of the gradient, Z the number of places."""
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(score(x[None])[0], x)
    count, rows, columns = x.shape
    return [
        sum(float(gradient[i, h, w]) for h in range(rows) for w in range(columns))
        / (rows * columns)
        for i in range(count)
    ]


def prior_of_heads(score, heads, x: Tensor) -> list[float]:
    """Section 3.1, case 2: push x along each head: change of score per change of head."""
    x = x.clone().requires_grad_()
    (of_score,) = torch.autograd.grad(score(x[None])[0], x)
    found = []
    for i in range(heads(x[None]).shape[1]):
        (push,) = torch.autograd.grad(heads(x[None])[0, i], x)
        change_of_head = float((push * push).sum())
        change_of_score = float((of_score * push).sum())
        found.append(change_of_score / change_of_head)
    return found


def grad_cam(score, x: Tensor) -> list[list[float]]:
    """Selvaraju et al. 2017, Eq. 1-2: ReLU of the maps' sum, weighted by their mean gradient."""
    pushed = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(score(pushed[None])[0], pushed)
    count, rows, columns = x.shape
    alpha = [
        sum(float(gradient[k, h, w]) for h in range(rows) for w in range(columns))
        / (rows * columns)
        for k in range(count)
    ]
    return [
        [max(0.0, sum(alpha[k] * float(x[k, h, w]) for k in range(count))) for w in range(columns)]
        for h in range(rows)
    ]


def distillation_loss(score: float, alpha, y, b: float) -> float:
    """Eq. 2."""
    return (score - sum(a * v for a, v in zip(alpha, y, strict=True)) - b) ** 2


def prior_loss(alpha, w, positive: bool) -> float:
    """Eq. 4."""
    if positive:
        w = [max(v, 0.0) for v in w]
        a_sum, w_sum = sum(abs(v) for v in alpha), sum(abs(v) for v in w)
        return -sum(v / w_sum * math.log(a / a_sum) for a, v in zip(alpha, w, strict=True) if v > 0)
    a_norm = math.sqrt(sum(v * v for v in alpha))
    w_norm = math.sqrt(sum(v * v for v in w))
    return sum((a / a_norm - v / w_norm) ** 2 for a, v in zip(alpha, w, strict=True))


def prior_weight(beta: float, t: int) -> float:
    """Eq. 3: lambda(t) = beta / sqrt(t)."""
    return beta / t**0.5


def entropy(contributions) -> float:
    """H(c) with c_i = |alpha_i y_i| / sum_j |alpha_j y_j|."""
    total = sum(abs(c) for c in contributions)
    shares = [abs(c) / total for c in contributions]
    return -sum(s * math.log(s) for s in shares if s > 0)


def relative_deviations(scores, explained) -> list[float]:
    """|y - sum - b| over the range of the scores."""
    span = max(scores) - min(scores)
    return [abs(y - e) / span for y, e in zip(scores, explained, strict=True)]


def truth_of_parts(score, x: Tensor, groups) -> list[float]:
    """y*_p = y dy_p / sum over p' of dy_p'."""
    y = float(score(x[None])[0])
    drops = []
    for group in groups:
        without = x.clone()
        for k in group:
            without[k] = 0
        drops.append(y - float(score(without[None])[0]))
    return [y * d / sum(drops) for d in drops]


def part_error(contributions, truth, scores, part: int) -> float:
    """E|Contri_p - y*_p| / E[y]."""
    away = np.mean([abs(c[part] - t[part]) for c, t in zip(contributions, truth, strict=True)])
    return float(away / np.mean(scores))
