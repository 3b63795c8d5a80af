"""What L1 least squares from sufficient statistics costs, against scikit-learn's Lasso.

    OMP_NUM_THREADS=1 python benchmarks/sparse.py    # K = 512, 20 classes; K = 1280, 1,000 classes
    OMP_NUM_THREADS=1 python benchmarks/sparse.py --quick    # K = 512 alone, without raw rows

Rows are made like those of gates on channels: nonnegative correlated channel means, closed at
random, weighted by how many are open and by the class's probability. Every way is asked for a
duality gap of 1e-9 of what the strongest single channel explains; the gaps are computed here, by
one formula for all. Times are per class, medians over classes. `ratio` is Lasso's time over ours,
class by class; "unchecked" is Lasso without its checks of the input over ours of all classes in one
call. The Cholesky factor of the pseudo-rows is not counted. Sweeps are at most 20,000.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import sklearn
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso

sys.path.insert(0, str(Path(__file__).parents[1]))

from hexplain_widgets.solvers.lasso import Quadratic, Solution, lasso

SPARSITIES = (0.3, 0.1, 0.03, 0.01, 0.001)
TOLERANCE = 1e-9
GATES = 100


@dataclass(frozen=True)
class Rows:
    z: np.ndarray
    g: np.ndarray
    gate_weights: np.ndarray
    probabilities: np.ndarray

    def statistics(self, c: int, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        total = weights.sum()
        mean, score = weights @ self.z / total, float(weights @ self.g[:, c] / total)
        gram = (self.z * weights[:, None]).T @ self.z - total * np.outer(mean, mean)
        linear = self.z.T @ (weights * self.g[:, c]) - total * score * mean
        return gram, linear, float(weights @ self.g[:, c] ** 2 - total * score**2)

    def own(self) -> Quadratic:
        """A Gram for each class: gates and loyalty."""
        found = [
            self.statistics(c, self.gate_weights * self.probabilities[:, c])
            for c in range(self.g.shape[1])
        ]
        return Quadratic(*(np.array(part) for part in zip(*found, strict=True)))

    def shared(self) -> Quadratic:
        """One Gram for all classes: equal weights."""
        w = self.gate_weights
        total = w.sum()
        mean, score = w @ self.z / total, w @ self.g / total
        weighted = self.z * w[:, None]
        return Quadratic(
            (weighted.T @ self.z - total * np.outer(mean, mean))[None],
            self.g.T @ weighted - total * np.outer(score, mean),
            w @ self.g**2 - total * score**2,
        )


def gated(rows: int, channels: int, classes: int, planted: int, noise: float) -> Rows:
    rng = np.random.default_rng(0)
    images = rows // GATES
    factors = 0.4 * rng.normal(size=(images, 16)) @ rng.normal(size=(16, channels))
    means = np.exp(factors + 0.5 * rng.normal(size=(images, channels)))
    means *= np.exp(0.7 * rng.normal(size=channels)) * (rng.random((images, channels)) < 0.8)
    open_ = rng.integers(1, channels + 1, rows)
    ranks = rng.random((rows, channels)).argsort(axis=1)
    z = np.repeat(means, GATES, axis=0) * (ranks < open_[:, None])
    truth = np.zeros((classes, channels))
    for row in truth:
        at = rng.permutation(channels)[:planted]
        row[at] = rng.normal(size=planted) * np.exp(0.7 * rng.normal(size=planted))
    g = z @ truth.T
    g = np.maximum(g, 0) + 0.3 * g
    g += noise * g.std(axis=0) * rng.normal(size=g.shape)
    logits = np.exp(2 * rng.normal(size=(images, classes)))
    probabilities = np.repeat(logits / logits.sum(axis=1, keepdims=True), GATES, axis=0)
    return Rows(z, g, np.exp((open_ - channels) / (0.5625 * channels)), probabilities)


def correlated(rows: int, channels: int, classes: int) -> Rows:
    """All gates open, every channel matters, much noise: dense answers of an ill-posed Gram."""
    rng = np.random.default_rng(0)
    common = rng.normal(size=(rows, 8)) @ rng.normal(size=(8, channels)) + 3 * rng.normal(
        size=(rows, 1)
    )
    z = np.maximum(rng.normal(size=(rows, channels)) + common, 0)
    g = z @ (rng.normal(size=(channels, classes)) * (rng.random((channels, classes)) < 0.5))
    g += g.std(axis=0) * rng.normal(size=g.shape)
    return Rows(z, g, np.ones(rows), np.ones((rows, classes)))


def seconds(call: Callable[[], object]) -> tuple[float, object]:
    """Processor seconds: on one thread those of a quiet machine, whatever else runs."""
    start = time.process_time()
    found = call()
    return time.process_time() - start, found


def gap(problem: Quadratic, c: int, w: np.ndarray, sparsity: float) -> float:
    """Relative duality gap, from the definition."""
    gram, b, power = problem.gram[c % len(problem.gram)], problem.linear[c], problem.power[c]
    lam = sparsity * np.abs(b).max()
    error = power - 2 * b @ w + w @ gram @ w
    scale = min(1.0, lam / np.abs(b - gram @ w).max())
    primal = error / 2 + lam * np.abs(w).sum()
    dual = scale * (power - b @ w) - scale**2 * error / 2
    return float((primal - dual) / reference(problem, c))


def reference(problem: Quadratic, c: int) -> float:
    gram, b = problem.gram[c % len(problem.gram)], problem.linear[c]
    return float((b**2 / gram.diagonal()).max() / 2)


def alone(problem: Quadratic, c: int) -> Quadratic:
    gram = problem.gram[[c % len(problem.gram)]]
    return Quadratic(gram, problem.linear[[c]], problem.power[[c]])


class OnGram:
    """scikit-learn's Lasso on pseudo-rows from a Cholesky factor, its fit alone being timed."""

    def __init__(self, problem: Quadratic, c: int) -> None:
        self.gram, self.b = problem.gram[c % len(problem.gram)], problem.linear[c]
        self.size = reference(problem, c)
        mean = np.trace(self.gram) / len(self.b)
        factor = np.linalg.cholesky(self.gram + 1e-12 * mean * np.eye(len(self.b)))
        self.x = np.asfortranarray(factor.T)
        self.y = np.linalg.solve(factor, self.b)

    def fit(self, sparsity: float, *, check: bool) -> np.ndarray:
        model = Lasso(
            alpha=sparsity * np.abs(self.b).max() / len(self.b),
            precompute=self.gram,
            fit_intercept=False,
            tol=TOLERANCE * self.size / float(self.y @ self.y),
            max_iter=20_000,
            copy_X=check,
        )
        return model.fit(self.x, self.y, check_input=check).coef_


def lasso_on_rows(rows: Rows, problem: Quadratic, c: int, sparsity: float) -> np.ndarray:
    w = rows.gate_weights
    z = np.sqrt(w)[:, None] * (rows.z - w @ rows.z / w.sum())
    g = np.sqrt(w) * (rows.g[:, c] - w @ rows.g[:, c] / w.sum())
    lam = sparsity * np.abs(problem.linear[c]).max()
    tol = TOLERANCE * reference(problem, c) / float(g @ g)
    model = Lasso(alpha=lam / len(z), fit_intercept=False, tol=tol, max_iter=20_000)
    return model.fit(z, g).coef_


def compare(problem: Quadratic, title: str, classes: int) -> None:
    chosen = range(classes)
    pseudo = [OnGram(problem, c) for c in chosen]
    single = [alone(problem, c) for c in chosen]
    all_of_them = len(problem.linear)
    print(f"\n{title}: ms per class (worst relative gap)")
    print(f"{'sparsity':>8} {'non-zero':>8} {'lasso':>14} {'Lasso(Gram)':>17} {'unchecked':>10}"
          f" {'ADMM':>15} {'ratio':>6} {'unchecked':>9} {f'all {all_of_them}':>8}")  # fmt: skip
    for sparsity in SPARSITIES:
        times: dict[str, list[float]] = {"ours": [], "gram": [], "bare": [], "admm": []}
        gaps: dict[str, list[float]] = {name: [] for name in times}
        counts = []
        for c in chosen:
            ways = {
                "ours": partial(lasso, single[c], sparsity),
                "gram": partial(pseudo[c].fit, sparsity, check=True),
                "bare": partial(pseudo[c].fit, sparsity, check=False),
            }
            for name, way in ways.items():
                runs = [seconds(way) for _ in range(5)]
                times[name].append(statistics.median(t for t, _ in runs))
                found = runs[0][1]
                w = found.weights[0] if isinstance(found, Solution) else found
                gaps[name].append(gap(problem, c, w, sparsity))
            counts.append(int((lasso(single[c], sparsity).weights != 0).sum()))
        taken, found = seconds(lambda s=sparsity: lasso(problem, s, solver="ADMM"))
        times["admm"] = [taken / all_of_them]
        gaps["admm"] = [float(found.gap.max())]
        whole = statistics.median(
            seconds(lambda s=sparsity: lasso(problem, s))[0] for _ in range(5)
        )
        ms = {name: 1e3 * statistics.median(t) for name, t in times.items()}
        worst = {name: f"({max(g):.0e})" for name, g in gaps.items()}
        ratio = statistics.median(a / b for a, b in zip(times["gram"], times["ours"], strict=True))
        bare = ms["bare"] / (1e3 * whole / all_of_them)
        print(f"{sparsity:8} {statistics.median(counts):8.0f} {ms['ours']:6.2f} {worst['ours']}"
              f" {ms['gram']:9.2f} {worst['gram']} {ms['bare']:10.2f}"
              f" {ms['admm']:7.1f} {worst['admm']} {ratio:6.2f} {bare:9.2f} {whole:6.3f} s",
              flush=True)  # fmt: skip


def on_rows(rows: Rows, problem: Quadratic) -> None:
    print(f"\nscikit-learn's Lasso on {len(rows.z):,} weighted rows, one class")
    for sparsity in (0.1, 0.01, 0.001):
        taken, w = seconds(lambda s=sparsity: lasso_on_rows(rows, problem, 0, s))
        ours = statistics.median(
            seconds(lambda s=sparsity: lasso(alone(problem, 0), s))[0] for _ in range(5)
        )
        print(f"{sparsity:8} {1e3 * taken:8.0f} ms ({gap(problem, 0, w, sparsity):.0e}),"
              f" {taken / ours:5.0f} x ours", flush=True)  # fmt: skip


def many() -> None:
    problem = gated(20_000, 1280, 1000, planted=60, noise=0.1).shared()
    print("\nK = 1280, 1,000 classes, one Gram")
    start = None
    for sparsity in (0.1, 0.01, 0.001):
        taken, found = seconds(lambda s=sparsity, w=start: lasso(problem, s, start=w))
        count = np.median((found.weights != 0).sum(axis=1))
        print(f"{sparsity:8} {taken:7.2f} s, {count:.0f} non-zero, gap {found.gap.max():.0e},"
              f" {found.solver}", flush=True)  # fmt: skip
    some = replace(problem, linear=problem.linear[:100], power=problem.power[:100])
    taken, found = seconds(lambda: lasso(some, 0.01, solver="ADMM"))
    print(f"ADMM on 100 of them at 0.01: {taken:.2f} s, gap {found.gap.max():.0e}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.simplefilter("ignore", RuntimeWarning)  # the table shows the gaps
    print(f"scikit-learn {sklearn.__version__}, {torch.get_num_threads()} threads, K = 512")
    rows = gated(30_000, 512, 20, planted=60, noise=0.1)
    own, shared = rows.own(), rows.shared()
    compare(own, "Few channels matter, a Gram for each class", 5)
    compare(shared, "Few channels matter, one Gram", 5)
    compare(
        correlated(5_000, 512, 20).shared(), "All gates open, every channel matters, one Gram", 3
    )
    if not quick:
        on_rows(rows, shared)
        many()


if __name__ == "__main__":
    main()
