"""Pointing, literally: every value cut into many small pieces, every pair of pixels compared."""

from __future__ import annotations

import numpy as np


def pointing_energy(values: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Each value cut into rows x columns pieces, each piece put into its cell."""
    h, w = values.shape
    found, whole = np.zeros((rows, columns)), 0.0
    for i in range(h * rows):
        for j in range(w * columns):
            piece = max(values[i // rows, j // columns], 0) / (rows * columns)
            found[i // h, j // w] += piece
            whole += piece
    return found / whole


def pixel_auc(values: np.ndarray, truth: np.ndarray) -> float:
    """The share of pairs (inside, outside) in which the inner one is larger."""
    wins, pairs = 0.0, 0
    for inner in values[truth]:
        for outer in values[~truth]:
            wins += 1.0 if inner > outer else 0.5 if inner == outer else 0.0
            pairs += 1
    return wins / pairs
