"""What classifiers of all concepts at once cost, against scikit-learn's LogisticRegression.

    OMP_NUM_THREADS=1 python benchmarks/classifiers.py    # 20 concepts, 50,000 vectors, K = 512
    OMP_NUM_THREADS=1 python benchmarks/classifiers.py --concepts 20    # scikit-learn on all

Vectors are made like those of regions: nonnegative, correlated channels of different scale, a group
of vectors per leaf concept; a fifth of the concepts are families of four leaves, and neighbouring
leaves are left out. Every way minimises the same objective: log loss, both signs weighing one half,
and penalty / 2 times the squared weights in standard deviations. scikit-learn is given each
concept's rows standardised (not counted). A gap is how far the objective, in float64 on all rows,
is above the lowest one that any way found, relative to it; one of the ways is ours in float64 to
1e-12. "Same gap" takes for each concept the loosest of scikit-learn's tolerances that comes below
1e-6, its other runs not being counted. scikit-learn is timed on some of the concepts, as many of
them families as among all, and scaled up. Ours is timed in between, so that what else the machine
does slows both alike; the table says the load before and after.

    OMP_NUM_THREADS=1 python benchmarks/classifiers.py --answers
    HEXPLAIN_DATA=... OMP_NUM_THREADS=1 python benchmarks/classifiers.py --answers --keep FOLDER

What the first question to a Hint costs, and the next ones, in processor seconds: on 62 made
concepts, 21,000 vectors of 1,280 channels, and with the data on 62 of WordNet's concepts in
photographs, MobileNetV2's last layer. The fit is kept in the folder.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import sklearn
import torch
from pictures import photographed
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

sys.path.insert(0, str(Path(__file__).parents[1]))

import hexplain_widgets as hx
from hexplain_widgets.solvers.logistic import LinearClassifiers, fit_logistic
from hexplain_widgets.solvers.shapley import neuron_scores

T = TypeVar("T")
GAP = 1e-6
TOLERANCES = (1e-4, 1e-5, 1e-6)


@dataclass(frozen=True)
class Vectors:
    rows: np.ndarray
    signs: np.ndarray

    @property
    def concepts(self) -> int:
        return len(self.signs)

    def shares(self) -> np.ndarray:
        """What each row counts for each concept."""
        yes, no = self.signs > 0, self.signs < 0
        return yes * 0.5 / yes.sum(1, keepdims=True) + no * 0.5 / no.sum(1, keepdims=True)


@dataclass(frozen=True)
class Timed:
    seconds: float
    objective: float
    steps: int = 0


def vectors(rows: int, channels: int, concepts: int, spread: float) -> Vectors:
    """Groups of vectors that lie apart by `spread`: the more, the nearer to separable."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, concepts, rows)
    hidden = spread * rng.normal(size=(concepts, 24))[group] + rng.normal(size=(rows, 24))
    x = 1.2 * hidden @ rng.normal(size=(24, channels)) / np.sqrt(24)
    x = np.maximum(x + 0.7 * rng.normal(size=x.shape) - 0.5, 0)
    x *= np.exp(0.7 * rng.normal(size=channels))
    away = (group - np.arange(concepts)[:, None]) % concepts  # 0: the concept itself
    family = (np.arange(concepts) % 5 == 0)[:, None]
    signs = np.where(away < np.where(family, 4, 1), 1, -1)
    signs[away == np.where(family, 4, 1)] = 0
    return Vectors(x.astype(np.float32), signs.astype(np.int8))


def objectives(data: Vectors, found: LinearClassifiers, penalty: float) -> np.ndarray:
    logits = found.logits(torch.from_numpy(data.rows).double()).numpy().T
    loss = (data.shares() * np.logaddexp(0, -data.signs * logits)).sum(axis=1)
    scaled = found.weights.numpy() * data.rows.std(axis=0, dtype=np.float64)
    return loss + penalty / 2 * (scaled**2).sum(axis=1)


def seconds(call: Callable[[], T]) -> tuple[float, T]:
    """Processor seconds: on one thread those of a quiet machine, whatever else runs."""
    start = time.process_time()
    found = call()
    return time.process_time() - start, found


class ByScikitLearn:
    """One concept's rows as scikit-learn gets them."""

    def __init__(self, data: Vectors, e: int, penalty: float) -> None:
        self.penalty = penalty
        asked = data.signs[e] != 0
        scale = data.rows.std(axis=0, dtype=np.float64)
        self.x = ((data.rows - data.rows.mean(axis=0, dtype=np.float64)) / scale)[asked]
        self.y, self.share = data.signs[e][asked].astype(np.float64), data.shares()[e][asked]

    def fit(self, solver: str, tolerance: float, dtype: type = np.float64) -> Timed:
        x, weight = self.x.astype(dtype), (self.share * len(self.share)).astype(dtype)
        model = LogisticRegression(
            C=1 / (self.penalty * len(x)), solver=solver, tol=tolerance, max_iter=10_000
        )
        start = time.process_time()
        model.fit(x, self.y, sample_weight=weight)
        taken = time.process_time() - start
        w, b = model.coef_[0].astype(np.float64), float(model.intercept_[0])
        loss = self.share @ np.logaddexp(0, -self.y * (self.x @ w + b))
        return Timed(taken, float(loss + self.penalty / 2 * w @ w), int(model.n_iter_[0]))


Runs = dict[tuple[str, float, str], list[Timed]]


def theirs(one: ByScikitLearn, newton: bool) -> dict[tuple[str, float, str], Timed]:
    """All of scikit-learn's runs, by solver, tolerance and precision."""
    found = {("lbfgs", t, ""): one.fit("lbfgs", t) for t in TOLERANCES}
    found["lbfgs", TOLERANCES[0], " float32"] = one.fit("lbfgs", TOLERANCES[0], np.float32)
    if newton:
        found["newton-cholesky", TOLERANCES[0], ""] = one.fit("newton-cholesky", TOLERANCES[0])
    return found


def at_the_same_gap(runs: Runs, least: np.ndarray) -> list[Timed]:
    ladder = [runs["lbfgs", tolerance, ""] for tolerance in TOLERANCES]
    return [
        next((t for t in tries if t.objective <= low * (1 + GAP)), tries[-1])
        for *tries, low in zip(*ladder, least, strict=False)
    ]


def compare(data: Vectors, title: str, penalty: float, asked: argparse.Namespace) -> None:
    rows, signs = torch.from_numpy(data.rows), torch.from_numpy(data.signs)
    runs: Runs = {}
    ours = [seconds(lambda: fit_logistic(rows, signs, penalty=penalty))]
    before = os.getloadavg()[0]
    for e in range(asked.concepts):
        for name, run in theirs(ByScikitLearn(data, e, penalty), e < asked.newton).items():
            runs.setdefault(name, []).append(run)
        ours.append(seconds(lambda: fit_logistic(rows, signs, penalty=penalty)))
    after = os.getloadavg()[0]
    taken = statistics.median(t for t, _ in ours[1:])  # the first one warms up
    values = objectives(data, ours[0][1], penalty)
    exact = fit_logistic(rows.double(), signs, penalty=penalty, tolerance=1e-12)
    least = objectives(data, exact, penalty)
    for each in runs.values():
        lowest = np.array([t.objective for t in each])
        least[: len(each)] = np.minimum(least[: len(each)], lowest)
    print(f"\n{title}, penalty {penalty}; objectives {least.min():.3f} to {least.max():.3f};"
          f" load {before:.1f} to {after:.1f}")  # fmt: skip
    print(f"{'way':42} {'time':>8} {'median gap':>11} {'worst gap':>10} {'ratio':>7}")
    line("fit_logistic, all concepts", taken, (values - least) / least, 1.0)
    same = at_the_same_gap(runs, least)
    named = {("lbfgs", 0.0, " same gap"): same, **runs}
    for (solver, tolerance, note), each in named.items():
        gaps = (np.array([t.objective for t in each]) - least[: len(each)]) / least[: len(each)]
        whole = sum(t.seconds for t in each) * data.concepts / len(each)
        name = f"{solver}{f' tol {tolerance:.0e}' if tolerance else ''}{note} ({len(each)} timed)"
        line(name, whole, gaps, whole / taken)


def line(name: str, taken: float, gaps: np.ndarray, ratio: float) -> None:
    print(f"{name:42} {taken:6.2f} s {np.median(gaps):11.0e} {gaps.max():10.0e} {ratio:7.1f}",
          flush=True)  # fmt: skip


def answers(keep: Path | None) -> None:
    """Print what the first questions take, on made vectors and on photographs."""
    for spread in (0.4, 0.9):
        on_made(vectors(21_000, 1_280, 62, spread), f"made vectors, {spread} apart")
    if keep is not None and "HEXPLAIN_DATA" in os.environ:
        photographs(Path(os.environ["HEXPLAIN_DATA"]), keep)


def on_made(data: Vectors, title: str) -> None:
    rows, signs = torch.from_numpy(data.rows), torch.from_numpy(data.signs)
    fitted, found = seconds(lambda: fit_logistic(rows, signs, penalty=0.1))
    few = data.rows[:2000]
    score = partial(neuron_scores, "owen", few, found.weights, found.bias, background=few)
    one, every = (seconds(partial(score, only=only))[0] for only in ([250], None))
    print(f"{title}: classifiers {fitted:.2f} s, scores of one neuron {one:.2f} s, of all"
          f" {every:.2f} s", flush=True)  # fmt: skip


def photographs(data: Path, keep: Path) -> None:
    network = next(n for n in photographed(data) if n.name == "MobileNetV2").classifier
    file = keep / "62 concepts.hx"
    if not file.is_file():
        whole = hx.Hierarchy.of(data / "imagenet" / "imagenet_hierarchy.json")
        hierarchy = whole.select(names_of_size(data, range(12, 121))[:62])
        inside = {c for some in hierarchy.matched(network.classes).classes.values() for c in some}
        files = sorted((data / "imagenet" / "images").iterdir())
        images = [(file, i) for i, file in enumerate(files) if i in inside][::2]
        took, hint = seconds(lambda: hx.Hint().fit(network, images, hierarchy, progress=False))
        hint.save(file)
        print(f"fit on {hint.images_} photographs: {took:.0f} s", flush=True)
    hint = hx.Hint.load(file, network)
    rows, concepts = len(hint._associations.table.rows), len(hint.concepts_)
    print(f"{concepts} concepts, {rows:,} vectors of {hint.layer_.shape[0]:,} channels")
    for name, ask in (
        ("hint.concepts(250)", lambda: hint.concepts(250)),
        ("hint.concepts(251)", lambda: hint.concepts(251)),
        ("hint.scores", lambda: hint.scores),
        ("hint.associations()", hint.associations),
    ):
        print(f"  {name:24} {seconds(ask)[0]:6.2f} s", flush=True)


def names_of_size(data: Path, classes: range) -> list[str]:
    """Concepts that so many classes lie below, the largest first, each name once."""
    nodes = json.loads((data / "imagenet" / "imagenet_hierarchy.json").read_text())["nodes"]
    some = [node for node in nodes.values() if node["n_classes"] in classes]
    names = [n["name"].split(",")[0] for n in sorted(some, key=lambda n: -n["n_classes"])]
    every = Counter(node["name"].split(",")[0] for node in nodes.values())
    return [name for name in dict.fromkeys(names) if every[name] == 1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--channels", type=int, default=512)
    parser.add_argument("--concepts", type=int, default=5, help="timed with scikit-learn's lbfgs")
    parser.add_argument("--newton", type=int, default=1, help="timed with newton-cholesky")
    parser.add_argument("--penalties", type=float, nargs="+", default=[1e-2, 1e-3])
    parser.add_argument("--answers", action="store_true", help="what a Hint's questions cost")
    parser.add_argument("--keep", type=Path, help="a folder for the fit on photographs")
    asked = parser.parse_args()
    if asked.answers:
        answers(asked.keep)
        return
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(f"scikit-learn {sklearn.__version__}, torch {torch.__version__},"
          f" {torch.get_num_threads()} threads; 20 concepts, {asked.rows:,} vectors,"
          f" K = {asked.channels}")  # fmt: skip
    for title, spread in (("Concepts that overlap", 0.4), ("Concepts that lie apart", 0.9)):
        data = vectors(asked.rows, asked.channels, 20, spread)
        for penalty in asked.penalties:
            compare(data, title, penalty, asked)


if __name__ == "__main__":
    main()
