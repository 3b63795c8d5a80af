"""Shapley values of neurons, literally from HINT's Eq. 2. Slow on purpose; shares nothing.

A game is a function of a frozenset of present neurons that gives the value of one row.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations, permutations

import numpy as np

from tests.reference import logistic

Game = Callable[[frozenset[int]], np.ndarray]


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def absent_from_background(
    classifier: Callable[[np.ndarray], np.ndarray], row: np.ndarray, background: np.ndarray
) -> Game:
    """`L^<S>(r)`: neurons of S are the row's, the others those of all background rows in turn."""

    def worth(present: frozenset[int]) -> np.ndarray:
        mixed = background.copy()
        mixed[:, sorted(present)] = row[sorted(present)]
        return classifier(mixed).mean(axis=0)

    return worth


def over_permutations(game: Game, neurons: int) -> np.ndarray:
    """The mean of what each neuron adds over all orders in which neurons can join."""
    total = 0.0
    for order in permutations(range(neurons)):
        added = [None] * neurons
        for i, neuron in enumerate(order):
            before = frozenset(order[:i])
            added[neuron] = game(before | {neuron}) - game(before)
        total = total + np.array(added)
    return total / math.factorial(neurons)


def over_coalitions(game: Game, neurons: int) -> np.ndarray:
    """The same by Shapley's weights |S|! (K - |S| - 1)! / K! of all coalitions S without d."""
    worth = {
        frozenset(chosen): game(frozenset(chosen))
        for size in range(neurons + 1)
        for chosen in combinations(range(neurons), size)
    }
    found = []
    for neuron in range(neurons):
        total = 0.0
        for present, value in worth.items():
            if neuron not in present:
                orders = math.factorial(len(present)) * math.factorial(neurons - len(present) - 1)
                gain = worth[present | {neuron}] - value
                total = total + orders / math.factorial(neurons) * gain
        found.append(total)
    return np.array(found)


def values(
    classifier: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, background: np.ndarray
) -> np.ndarray:
    """Signed Shapley values of every row, `(r, k, e)`, with a classifier fixed."""
    return np.array(
        [
            over_coalitions(absent_from_background(classifier, row, background), rows.shape[1])
            for row in rows
        ]
    )


def scores(signed: np.ndarray) -> np.ndarray:
    """Eq. 2 from the mean over coalitions: `(r, k, e)` to `(k, e)`."""
    return np.abs(signed).mean(axis=0)


def eq_2(
    weights: np.ndarray,
    bias: float,
    rows: np.ndarray,
    background: np.ndarray,
    neurons: list[int],
    iterations: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Eq. 2 as a loop: M coalitions for each row and neuron, others from a background row."""
    found = []
    for d in neurons:
        total = 0.0
        for row in rows:
            inner = 0.0
            for _ in range(iterations):
                order = rng.permutation(len(row))
                before = order[: np.flatnonzero(order == d)[0]]
                mixed = background[rng.integers(len(background))].copy()
                mixed[before] = row[before]
                without = sigmoid(mixed @ weights + bias)
                mixed[d] = row[d]
                inner += sigmoid(mixed @ weights + bias) - without
            total += abs(inner)
        found.append(total / (iterations * len(rows)))
    return np.array(found)


def refitted(
    rows: np.ndarray, sign: np.ndarray, present: frozenset[int], ridge: float
) -> np.ndarray:
    """`L^<S>(r)` re-trained: weighted least squares on the neurons of S, its value for each row."""
    weight = np.where(sign > 0, 0.5 / (sign > 0).sum(), 0) + np.where(
        sign < 0, 0.5 / (sign < 0).sum(), 0
    )
    chosen = rows[:, sorted(present)]
    mean = weight @ chosen
    z = chosen - mean
    target = np.where(sign > 0, 0.5, -0.5)
    variance = weight @ z**2
    design = np.concatenate([np.sqrt(weight)[:, None] * z, np.diag(np.sqrt(ridge * variance))])
    answer = np.concatenate([np.sqrt(weight) * target, np.zeros(len(variance))])
    return 0.5 + z @ np.linalg.lstsq(design, answer, rcond=None)[0]


def refitted_on_shuffled(
    rows: np.ndarray, sign: np.ndarray, present: frozenset[int], rng: np.random.Generator
) -> np.ndarray:
    """`L^<S>(r)` word for word: absent neurons are shuffled, then least squares on all."""
    weight = np.where(sign > 0, 0.5 / (sign > 0).sum(), 0.5 / (sign < 0).sum())
    mixed = rows.copy()
    for neuron in set(range(rows.shape[1])) - present:
        mixed[:, neuron] = rng.permutation(rows[:, neuron])
    design = np.column_stack([np.ones(len(rows)), mixed])
    root = np.sqrt(weight)
    target = (sign > 0).astype(float)
    found = np.linalg.lstsq(root[:, None] * design, root * target, rcond=None)[0]
    return design @ found


def trained_again(
    rows: np.ndarray, sign: np.ndarray, shuffled: np.ndarray, order: list[int], penalty: float
) -> np.ndarray:
    """Eq. 2's `L^<S u d>(r) - L^<S>(r)` along an order, `(r, k)`, word by word (Eq. 1, no bias).

    The neurons of S are unchanged, the others are those of `shuffled`; the classifier is trained
    anew on that, and says what it holds of the same rows.
    """

    def confidence(present: list[int]) -> np.ndarray:
        mixed = shuffled.copy()
        mixed[:, present] = rows[:, present]
        return sigmoid(mixed @ logistic.fit_as_printed(mixed, sign, penalty))

    added = np.zeros_like(rows)
    for i, d in enumerate(order):
        added[:, d] = confidence(order[: i + 1]) - confidence(order[:i])
    return added
