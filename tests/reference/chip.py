"""CHIP's sparse regression, literally from the paper: Eq. 11 by the ADMM of Eq. 14-16.

One class at a time on the raw weighted rows, one inverse per step, rho fixed. Slow on purpose;
shares nothing with the package.
"""

from __future__ import annotations

import numpy as np


def soft(x: np.ndarray, threshold: float) -> np.ndarray:
    """The soft threshold of Eq. 15."""
    return np.sign(x) * np.maximum(np.abs(x) - threshold, 0)


def objective(
    w: np.ndarray, rows: np.ndarray, scores: np.ndarray, weights: np.ndarray, lam: float
) -> float:
    """Eq. 11; a row's weight is `h(d_n) f^c(X_s)`."""
    return float(0.5 * np.sum(weights * (rows @ w - scores) ** 2) + lam * np.sum(np.abs(w)))


def importance(
    rows: np.ndarray, scores: np.ndarray, weights: np.ndarray, lam: float, rho: float, steps: int
) -> np.ndarray:
    """Algorithm 1, lines 5-10, for one class: `(rows, K)`, `(rows,)`, `(rows,)` to `(K,)`."""
    channels = rows.shape[1]
    m = np.zeros(channels)
    q = np.zeros(channels)
    for _ in range(steps):
        w = w_of_eq_14(rows, scores, weights, m, q, rho)
        m = m_of_eq_15(w, q, lam, rho)
        q = q_of_eq_16(q, w, m)
    return m


def w_of_eq_14(
    rows: np.ndarray,
    scores: np.ndarray,
    weights: np.ndarray,
    m: np.ndarray,
    q: np.ndarray,
    rho: float,
) -> np.ndarray:
    """Eq. 14: `(sum f h g z^T + rho m + rho q) (sum f h z z^T + rho I)^-1`."""
    left = np.zeros(rows.shape[1])
    right = rho * np.eye(rows.shape[1])
    for z, g, fh in zip(rows, scores, weights, strict=True):
        left += fh * g * z
        right += fh * np.outer(z, z)
    return (left + rho * m + rho * q) @ np.linalg.inv(right)


def m_of_eq_15(w: np.ndarray, q: np.ndarray, lam: float, rho: float) -> np.ndarray:
    """Eq. 15."""
    return soft(w - q, lam / rho)


def q_of_eq_16(q: np.ndarray, w: np.ndarray, m: np.ndarray) -> np.ndarray:
    """Eq. 16."""
    return q - (w - m)


def share_held(own: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
    """A class's share of what speaks for any of the classes, place by place; 1 where nothing does.

    Not in the paper: the plain sum of Eq. 10 takes every place whole.
    """
    shares = np.ones(own.shape)
    for place in np.ndindex(own.shape):
        if own[place] > 0:
            rest = sum(max(0.0, float(other[place])) for other in others)
            shares[place] = own[place] / (own[place] + rest)
    return shares
