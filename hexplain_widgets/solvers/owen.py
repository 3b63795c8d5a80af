"""Shapley values of a linear classifier's probability by Owen's integral, without sampling.

The Shapley value of neuron d is the integral over q from 0 to 1 of what d adds to the expected
probability when every other neuron is present with probability q (Owen, *Multilinear extensions of
games*, 1972). Absent neurons are those of one background row, drawn whole. With B such a row of
mean mu and covariance C, and I a neuron's presence, the logit `b + sum_k w_k (I_k x_k + (1 - I_k)
B_k)` has, with g_k = w_k (x_k - mu_k), own_k = w_k^2 C_kk and cross_k = w_k (C w)_k - own_k,

    mean      b + w.mu + q sum g
    variance  q (1 - q) sum g^2 + (1 - q) sum own + (1 - q)^2 sum cross.

Where d is known to be present or absent, its part is exchanged for

    present   mean + (1 - q) g_d,  variance - q (1 - q) g_d^2 - (1 - q) t_d
    absent    mean - q g_d,        variance - q (1 - q) g_d^2 + q t_d,     t = own + 2 (1 - q) cross

so that correlation among background neurons costs nothing. A logit of mean m and variance v is
taken as normal, `E sigmoid = sigmoid(m / sqrt(1 + pi v / 8))` (MacKay 1992); the background's own
logit is not normal (some rows show the concept), so background rows are first put into four
groups of like logit, each with its mean and covariance, and the groups' values are averaged. Three
Gauss-Legendre nodes stand for the integral. Neurons that move the logit little are taken to
third order in g, where groups and nodes become four coefficients of a row; strong ones exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

GROUPS, NODES = 4, 3
# A neuron is strong where the fourth order could exceed this share of the largest score.
_NEGLIGIBLE = 0.01
_MACKAY = math.pi / 8
# Rows whose coefficients are found at once, and of these whose neurons are: what is worked on
# stays in the processor's cache.
_ROWS, _BLOCK = 2048, 128


@dataclass(frozen=True, eq=False)
class _Concept:
    """One concept's classifier and its groups of background rows.

    Rows are counted from the mean of the whole background; `bias` is the logit there.
    """

    w: Float[Tensor, " k"]
    bias: Float[Tensor, ""]
    share: Float[Tensor, " g"]
    mean: Float[Tensor, "g k"]
    own: Float[Tensor, "g k"]
    cross: Float[Tensor, "g k"]
    strong: Int[Tensor, " s"]


@dataclass(frozen=True, eq=False)
class _Logits:
    """Means and variances of rows' logits at each group and node, nodes and their weights."""

    mean: Float[Tensor, "m g n"]
    variance: Float[Tensor, "m g n"]
    q: Float[Tensor, " n"]
    weight: Float[Tensor, "g n"]


def owen_scores(
    rows: Float[Tensor, "r k"],
    weights: Float[Tensor, "e k"],
    bias: Float[Tensor, " e"],
    background: Float[Tensor, "n k"],
) -> Float[Tensor, "k e"]:
    """Return the mean over rows of the absolute Shapley value of each neuron, in probability."""
    total, ones = torch.zeros_like(weights), weights.new_ones(_BLOCK)
    for e, values in _values(rows, weights, bias, background):
        total[e].addmv_(values.abs_().T, ones[: len(values)])  # much faster than a sum over rows
    return total.T.double() / len(rows)


def owen_values(
    rows: Float[Tensor, "r k"],
    weights: Float[Tensor, "e k"],
    bias: Float[Tensor, " e"],
    background: Float[Tensor, "n k"],
) -> Float[Tensor, "r k e"]:
    """Return the signed Shapley value of each neuron for each row and concept, in probability."""
    found: list[list[Tensor]] = [[] for _ in weights]
    for e, values in _values(rows, weights, bias, background):
        found[e].append(values)
    return torch.stack([torch.cat(blocks) for blocks in found], -1)


def _values(
    rows: Float[Tensor, "r k"],
    weights: Float[Tensor, "e k"],
    bias: Float[Tensor, " e"],
    background: Float[Tensor, "n k"],
) -> Iterator[tuple[int, Float[Tensor, "b k"]]]:
    """Give concepts and their values, block by block of rows, in order for each concept."""
    centre = background.new_full((len(background),), 1 / len(background)) @ background
    concepts = _concepts(weights, bias + weights @ centre, background, centre, rows)
    cubics = [_Cubic(concept) for concept in concepts]
    for part in rows.split(_ROWS):
        x = part - centre
        squares = x.square()
        for e, concept in enumerate(concepts):
            logits = _logits(x, squares, concept)
            coefficients, exact = _coefficients(logits), _exact(x, concept, logits)
            for at in range(0, len(x), _BLOCK):
                block = slice(at, at + _BLOCK)
                values = cubics[e].values(x[block], coefficients[block])
                if len(concept.strong):
                    values[:, concept.strong] = exact[block]
                yield e, values


def _concepts(
    weights: Float[Tensor, "e k"],
    bias: Float[Tensor, " e"],
    background: Float[Tensor, "n k"],
    centre: Float[Tensor, " k"],
    rows: Float[Tensor, "r k"],
) -> list[_Concept]:
    logits = ((background @ weights.T) - weights @ centre).T.contiguous()
    grouped = _grouped([_alike(own) for own in logits], logits, weights, background, centre)
    strong = _strong(rows, centre, weights)
    return [
        _Concept(w, b, *groups, at.nonzero()[:, 0])
        for w, b, groups, at in zip(weights, bias, grouped, strong, strict=True)
    ]


def _strong(
    rows: Float[Tensor, "r k"], centre: Float[Tensor, " k"], weights: Float[Tensor, "e k"]
) -> Bool[Tensor, "e k"]:
    x = rows[:: 1 + len(rows) // _ROWS] - centre
    size, fourth = x.abs().mean(0), x.square().square_().mean(0)
    # a neuron's score is at most a quarter of how it moves the logit; what the third order
    # leaves out is at most a 192nd of the fourth power
    largest = (weights.abs() * size).amax(1, keepdim=True) / 4
    return weights.pow(4) * fourth / 192 > _NEGLIGIBLE * largest


def _grouped(
    members: list[Bool[Tensor, "_ n"]],
    logits: Float[Tensor, "e n"],
    weights: Float[Tensor, "e k"],
    background: Float[Tensor, "n k"],
    centre: Float[Tensor, " k"],
) -> Iterator[
    tuple[Float[Tensor, " g"], Float[Tensor, "g k"], Float[Tensor, "g k"], Float[Tensor, "g k"]]
]:
    """Give the share, mean, own and cross of each concept's groups."""
    chosen = torch.cat(members).to(weights.dtype)
    of = torch.tensor([e for e, groups in enumerate(members) for _ in groups], device=chosen.device)
    count = chosen.sum(1, keepdim=True)
    shifted = logits[of]
    away = chosen * (shifted - (chosen * shifted).sum(1, keepdim=True) / count)
    sums = torch.zeros(2 * len(of), len(centre)).to(weights)
    squares = torch.zeros(len(of), len(centre)).to(weights)
    both = torch.cat([chosen, away])
    for at in range(0, len(background), _BLOCK):
        x = background[at : at + _BLOCK] - centre
        sums.addmm_(both[:, at : at + _BLOCK], x)
        squares.addmm_(chosen[:, at : at + _BLOCK], x.square_())
    mean, product = (sums / count.repeat(2, 1)).split(len(of))
    own = weights[of].square() * (squares / count - mean.square()).clamp(min=0)
    cross = weights[of] * product - own
    for e in range(len(members)):
        mine = of == e
        yield count[mine, 0] / len(background), mean[mine], own[mine], cross[mine]


def _alike(logits: Float[Tensor, " n"]) -> Bool[Tensor, "g n"]:
    """Put logits into groups around means (Lloyd's k-means in one dimension), none empty."""
    at = (torch.arange(GROUPS, device=logits.device) + 0.5) / GROUPS * (len(logits) - 1)
    ordered, order = logits.sort()
    centres = ordered[at.round().long()].unique()
    sums = torch.cat([ordered.new_zeros(1), ordered.double().cumsum(0)])
    for _ in range(30):
        ends = torch.searchsorted(ordered, (centres[1:] + centres[:-1]) / 2)
        ends = torch.cat([ends.new_zeros(1), ends, ends.new_tensor([len(logits)])])
        count = ends.diff()
        centres = (sums[ends].diff() / count.clamp(min=1))[count > 0].to(logits.dtype)
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order), device=order.device)
    ends = ends.unique()
    member: Tensor = (place >= ends[:-1, None]) & (place < ends[1:, None])
    return member


def _logits(x: Float[Tensor, "m k"], squares: Float[Tensor, "m k"], concept: _Concept) -> _Logits:
    at, weights = np.polynomial.legendre.leggauss(NODES)
    q, shares = x.new_tensor((at + 1) / 2), x.new_tensor(weights / 2)
    w, mean = concept.w, concept.mean
    scaled = mean * w.square()
    found = x @ torch.cat([w[None], scaled]).T
    away = (squares @ w.square())[:, None] - 2 * found[:, 1:] + (scaled * mean).sum(1)
    middle = mean @ w
    change = found[:, :1] - middle
    own, cross = concept.own.sum(1)[:, None], concept.cross.sum(1)[:, None]
    variance = q * (1 - q) * away[..., None] + ((1 - q) * own + (1 - q).square() * cross)
    at_q = concept.bias + middle[:, None] + q * change[..., None]
    return _Logits(at_q, variance.clamp(min=0), q, shares * concept.share[:, None])


class _Cubic:
    """Values to third order in g, all groups at once: three matrix products and Horner's rule.

    With h = w x and shift = w mean, g = h - shift is expanded in h.
    """

    def __init__(self, concept: _Concept) -> None:
        self._w = concept.w
        shift, own, cross = concept.mean * concept.w, concept.own, concept.cross
        one = torch.ones_like(own)
        self._constant = torch.stack(
            [own, cross, -shift, -own * shift, -cross * shift, shift.square(), -shift.pow(3)], 1
        ).flatten(0, 1)
        slope = torch.stack([one, own, cross, -2 * shift, 3 * shift.square()], 1)
        self._slope = slope.flatten(0, 1)
        self._square = torch.stack([one, -3 * shift], 1).flatten(0, 1)

    def values(
        self, x: Float[Tensor, "b k"], coefficients: Float[Tensor, "b g 7"]
    ) -> Float[Tensor, "b k"]:
        h = x * self._w
        total = h * coefficients[..., 6].sum(1, keepdim=True)
        total.addmm_(coefficients[..., 5:].flatten(1), self._square).mul_(h)
        total.addmm_(coefficients[..., 2:].flatten(1), self._slope).mul_(h)
        return total.addmm_(coefficients.flatten(1), self._constant)


def _coefficients(logits: _Logits) -> Float[Tensor, "m g 7"]:
    """Return what multiplies own, cross, g, g own, g cross, g^2 and g^3 in a value.

    From the derivatives of `sigmoid(m / sqrt(1 + pi v / 8))` in m and v at the mean logit.
    """
    q, narrow = logits.q, torch.rsqrt(1 + _MACKAY * logits.variance)
    a, wide = logits.mean * narrow, -_MACKAY / 2 * narrow.square()
    s = a.sigmoid()
    first = s * (1 - s)
    second, third = first * (1 - 2 * s), first * (1 - 6 * first)
    m, mm, mmm = first * narrow, second * narrow.square(), third * narrow.pow(3)
    v, mv = first * a * wide, (first + a * second) * narrow * wide
    skew, crossing = (1 - 2 * q) * mv, 2 * (1 - q)
    cube = (1 - 3 * q * (1 - q)) * mmm / 6 - q * (1 - q) * mv
    parts = (-v, -v * crossing, m, -skew, -skew * crossing, (0.5 - q) * mm, cube)
    return torch.stack([(part * logits.weight).sum(-1) for part in parts], -1)


def _exact(rows: Float[Tensor, "m k"], concept: _Concept, logits: _Logits) -> Float[Tensor, "m s"]:
    at = concept.strong
    x, w, total = rows[:, at], concept.w[at], torch.zeros_like(rows[:, at])
    for i, weights in enumerate(logits.weight):
        g = (x - concept.mean[i, at]) * w
        for j, (q, weight) in enumerate(zip(logits.q, weights, strict=True)):
            t = concept.own[i, at] + 2 * (1 - q) * concept.cross[i, at]
            mean = logits.mean[:, i, j, None]
            rest = logits.variance[:, i, j, None] - q * (1 - q) * g.square()
            present = _expected(mean + (1 - q) * g, rest - (1 - q) * t)
            total += weight * (present - _expected(mean - q * g, rest + q * t))
    return total


def _expected(mean: Float[Tensor, "m s"], variance: Float[Tensor, "m s"]) -> Float[Tensor, "m s"]:
    return (mean * torch.rsqrt(1 + _MACKAY * variance.clamp(min=0))).sigmoid()
