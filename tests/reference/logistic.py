"""Penalised logistic regression, literally: one concept, one row at a time.

Eq. 1 of HINT, with an intercept or as printed without: sigmoid(w.x + b), fitted by the mean of
log(1 + exp(-y z)) over the rows that have a sign, and half the penalty times the squared weights in
standard deviations.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import minimize


def importances(signs: np.ndarray, balanced: bool) -> list[float]:
    """What each row counts; 1 in all, one half for each sign if balanced."""
    positives, negatives = int((signs > 0).sum()), int((signs < 0).sum())
    if balanced:
        of = {1: 0.5 / positives, -1: 0.5 / negatives, 0: 0.0}
    else:
        of = {1: 1 / (positives + negatives), -1: 1 / (positives + negatives), 0: 0.0}
    return [of[int(sign)] for sign in signs]


def deviations(rows: np.ndarray) -> list[float]:
    """The standard deviation of each feature over all rows."""
    found = []
    for feature in rows.T:
        mean = math.fsum(feature) / len(feature)
        found.append(math.sqrt(math.fsum((x - mean) ** 2 for x in feature) / len(feature)))
    return found


def objective(
    rows: np.ndarray,
    signs: np.ndarray,
    weights: np.ndarray,
    bias: float,
    penalty: float,
    *,
    balanced: bool = True,
) -> float:
    """The objective of one concept."""
    total = 0.0
    for x, y, c in zip(rows, signs, importances(signs, balanced), strict=True):
        if y != 0:
            z = math.fsum(a * b for a, b in zip(weights, x, strict=True)) + bias
            # log(1 + exp(-y z)); the same from -y z on where exp would overflow
            total += c * (math.log(1 + math.exp(-y * z)) if -y * z < 30 else -y * z)
    scaled = (w * s for w, s in zip(weights, deviations(rows), strict=True))
    return total + penalty / 2 * math.fsum(v * v for v in scaled)


def gradient(
    rows: np.ndarray,
    signs: np.ndarray,
    weights: np.ndarray,
    bias: float,
    penalty: float,
    *,
    balanced: bool = True,
) -> np.ndarray:
    """Its derivatives by weights, in standard deviations, and by the bias, which stands last."""
    scale = np.array(deviations(rows))
    found = np.append(penalty * weights * scale, 0.0)
    for x, y, c in zip(rows, signs, importances(signs, balanced), strict=True):
        z = float(x @ weights) + bias
        pull = -float(y) * c / (1 + math.exp(float(y) * z))
        found[:-1] += pull * (x - rows.mean(axis=0)) / np.where(scale > 0, scale, 1)
        found[-1] += pull
    return found


def fit_as_printed(rows: np.ndarray, signs: np.ndarray, penalty: float) -> np.ndarray:
    """Eq. 1 without an intercept: weights by scipy's L-BFGS, penalised in roots of mean squares."""
    unit = np.array([math.sqrt(math.fsum(x * x for x in f) / len(f)) or 1.0 for f in rows.T])
    y, c = signs.astype(float), np.array(importances(signs, balanced=True))

    def loss(point: np.ndarray) -> tuple[float, np.ndarray]:
        z = (rows / unit) @ point
        value = c @ np.logaddexp(0, -y * z) + penalty / 2 * point @ point
        return float(value), (rows / unit).T @ (-y * c / (1 + np.exp(y * z))) + penalty * point

    options = {"maxiter": 10_000, "maxfun": 20_000, "ftol": 1e-16, "gtol": 1e-11, "maxcor": 30}
    start = np.zeros(rows.shape[1])
    return minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x / unit


def fit(
    rows: np.ndarray, signs: np.ndarray, penalty: float, *, balanced: bool = True
) -> tuple[np.ndarray, float]:
    """Weights and bias by scipy's L-BFGS in float64, in units of standard deviations."""
    scale = np.array(deviations(rows))
    unit = np.where(scale > 0, scale, 1)
    x = (rows - rows.mean(axis=0)) / unit
    y, c = signs.astype(float), np.array(importances(signs, balanced))

    def loss(point: np.ndarray) -> tuple[float, np.ndarray]:
        z = x @ point[:-1] + point[-1]
        pull = -y * c / (1 + np.exp(y * z))
        value = c @ np.logaddexp(0, -y * z) + penalty / 2 * point[:-1] @ point[:-1]
        return float(value), np.append(x.T @ pull + penalty * point[:-1], pull.sum())

    options = {"maxiter": 10_000, "maxfun": 20_000, "ftol": 1e-16, "gtol": 1e-11, "maxcor": 30}
    start = np.zeros(rows.shape[1] + 1)
    point = minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x
    weights = np.where(scale > 0, point[:-1] / unit, 0.0)
    return weights, float(point[-1] - weights @ rows.mean(axis=0))
