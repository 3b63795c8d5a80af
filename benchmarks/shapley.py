"""What scores of neurons cost and how near they come to Eq. 2 of HINT.

    OMP_NUM_THREADS=1 python benchmarks/shapley.py                # made vectors, 512 neurons
    OMP_NUM_THREADS=1 python benchmarks/shapley.py vectors.npz    # rows, weights, bias [, signs]

Made vectors: 20,000 rectified mixtures of 16 factors, and logistic classifiers of four concepts.
Times are processor seconds for all neurons and one concept, medians; the literal loop and
Captum are timed on a part and scaled up. Errors are against a long run of permutations on 2,000 of
the rows, which are their own background there: the mean absolute difference as a share of the mean
score, the largest as a share of the largest score, and Spearman's correlation among neurons that
do not score zero.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from captum.attr import ShapleyValueSampling
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression

sys.path.insert(0, str(Path(__file__).parents[1]))

from hexplain_widgets.solvers import permutations
from hexplain_widgets.solvers import shapley as owen
from hexplain_widgets.solvers.permutations import Limits, LinearGame, PermutationPaths, sample
from hexplain_widgets.solvers.shapley import Scores, neuron_scores
from tests.reference import shapley as reference

ROWS, NEURONS, CONCEPTS, JUDGED = 20_000, 512, 4, 2_000


@dataclass(frozen=True)
class Vectors:
    rows: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    signs: np.ndarray

    def some(self, count: int) -> Vectors:
        chosen = np.random.default_rng(0).permutation(len(self.rows))[:count]
        return Vectors(self.rows[chosen], self.weights, self.bias, self.signs[:, chosen])

    def concept(self, e: int) -> Vectors:
        one = slice(e, e + 1)
        return Vectors(self.rows, self.weights[one], self.bias[one], self.signs[one])

    def scores(self, estimator: str, **ask: object) -> Scores:
        return neuron_scores(
            estimator, self.rows, self.weights, self.bias, background=self.rows,
            signs=self.signs, **ask,
        )  # fmt: skip


def made() -> Vectors:
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(ROWS, 16))
    mixed = factors @ rng.normal(size=(16, NEURONS)) * 0.4 + 0.6 * rng.normal(size=(ROWS, NEURONS))
    rows = np.maximum(mixed - 0.5, 0) * np.exp(0.5 * rng.normal(size=NEURONS))
    shown = factors @ rng.normal(size=(16, CONCEPTS)) + rng.normal(size=(ROWS, CONCEPTS)) > 3
    scale, weights, bias = rows.std(axis=0), [], []
    for concept in shown.T:
        model = LogisticRegression(C=0.01, max_iter=200, class_weight="balanced")
        model.fit(rows[:4000] / scale, concept[:4000])
        weights.append(model.coef_[0] / scale)
        bias.append(model.intercept_[0])
    signs = np.where(shown.T, 1, -1).astype(np.int8)
    return Vectors(rows.astype(np.float32), np.array(weights), np.array(bias), signs)


def read(path: Path) -> Vectors:
    with np.load(path) as file:
        rows, weights, bias = (file[name] for name in ("rows", "weights", "bias"))
        signs = file["signs"] if "signs" in file else np.sign(weights @ rows.T + bias[:, None])
    return Vectors(rows.astype(np.float32), weights, bias, signs.astype(np.int8))


def seconds(call: Callable[[], object], repeats: int = 5) -> float:
    return statistics.median(once(call) for _ in range(repeats))


def once(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def in_turn(ways: dict[str, Callable[[], object]], rounds: int = 7) -> None:
    """Print medians and ratios to the first way, round by round: all meet the same machine."""
    found = [[once(way) for way in ways.values()] for _ in range(rounds)]
    for i, name in enumerate(ways):
        time_ = statistics.median(row[i] for row in found)
        ratio = statistics.median(row[i] / row[0] for row in found)
        print(f"{name:38s} {time_:8.3f} s {ratio:8.1f} x", flush=True)


def closed_form(one: Vectors) -> Callable[[], object]:
    """The closed form on the logit as one would write it for speed: in blocks, in float32."""
    rows, w = torch.from_numpy(one.rows), torch.tensor(one.weights[0], dtype=torch.float32)

    def call() -> None:
        mean, total = rows.mean(0), torch.zeros_like(w)
        for part in rows.split(128):
            total += (part - mean).mul_(w).abs_().sum(0)

    return call


def plain_closed_form(one: Vectors) -> Callable[[], object]:
    w = one.weights[0].astype(np.float32)
    return lambda: np.abs((one.rows - one.rows.mean(axis=0)) * w).mean(axis=0)


def literal_loop(one: Vectors) -> float:
    """Seconds of Eq. 2 with M = 100 coalitions for all rows and neurons, from a part of them."""
    part, neurons, iterations = 4, [0, 1, 2, 3], 25
    rng = np.random.default_rng(0)
    taken = seconds(
        lambda: reference.eq_2(
            one.weights[0], float(one.bias[0]), one.rows[:part], one.rows, neurons, iterations, rng
        ), 3,
    )  # fmt: skip
    share = part * len(neurons) * iterations / (one.rows.size * 100)
    return taken / share


def captum(one: Vectors, rows: int) -> float:
    """Seconds of a permutation, for so many rows; each meets one background row, as ours do."""
    w, b = torch.tensor(one.weights[0], dtype=torch.float32), float(one.bias[0])
    x = torch.from_numpy(one.rows[:rows])
    others = x[torch.randperm(rows, generator=torch.Generator().manual_seed(0))]
    method = ShapleyValueSampling(lambda z: (z @ w + b).sigmoid())
    return seconds(lambda: method.attribute(x, others, n_samples=1), 3)


def permutation(one: Vectors, rows: int) -> float:
    """Seconds of a permutation, signs and sums of its error included."""
    x = torch.from_numpy(one.rows[:rows])
    w, b = (torch.tensor(part, dtype=torch.float32) for part in (one.weights, one.bias))
    rng = np.random.default_rng(0)
    paths = PermutationPaths(LinearGame(x, w, b, x, rng), 1)
    return seconds(lambda: paths.draw(rng), 3) / permutations.TURNS


def times(vectors: Vectors) -> None:
    one = vectors.concept(0)
    print(f"\n{len(one.rows):,} vectors, {one.rows.shape[1]} neurons, one concept; all of"
          f" {len(vectors.weights)} concepts in the last line")  # fmt: skip
    in_turn(
        {
            "closed form on the logit, in blocks": closed_form(one),
            "closed form, plain numpy": plain_closed_form(one),
            "owen": lambda: one.scores("owen"),
            "logit": lambda: one.scores("logit"),
            "coefficient": lambda: one.scores("coefficient"),
            "random": lambda: one.scores("random"),
            "owen, all concepts": lambda: vectors.scores("owen"),
        }
    )
    taken = seconds(lambda: one.scores("owen"))
    loop = literal_loop(one)
    step = permutation(one, len(one.rows))
    print(f"literal loop, 100 coalitions          {loop:8.0f} s   {loop / taken:,.0f} x owen;"
          f" {loop / 100 / step:,.0f} x ours per permutation")  # fmt: skip
    print(f"a permutation                         {step:8.3f} s")
    few = min(2_000, len(one.rows))
    theirs, ours = captum(one, few), permutation(one, few)
    print(f"a permutation on {few:,} rows: Captum   {theirs:8.3f} s   {theirs / ours:.0f} x"
          f" ours ({ours:.4f} s)")  # fmt: skip
    for name in ("permutation", "retrained"):
        start = time.process_time()
        found = one.some(few).scores(name, precision=0.01, most=512)
        print(f"{name} on {few:,} rows, 1 %: {time.process_time() - start:8.2f} s, "
              f" {found.permutations} permutations", flush=True)  # fmt: skip


def apart(found: np.ndarray, truth: np.ndarray) -> str:
    off, rank = np.abs(found - truth), []
    for a, b in zip(found.T, truth.T, strict=True):
        rank.append(spearmanr(a[b > 0], b[b > 0])[0])
    share = off.mean(axis=0) / truth.mean(axis=0)
    worst = off.max(axis=0) / truth.max(axis=0)
    return f"{share.mean():8.4f} {share.max():8.4f} {worst.max():8.4f} {min(rank):9.4f}"


def spearman_of(name: str, found: np.ndarray, truth: np.ndarray) -> str:
    rank = [spearmanr(a[b > 0], b[b > 0])[0] for a, b in zip(found.T, truth.T, strict=True)]
    return f"{name:38s} {min(rank):35.4f}"


def agreement(vectors: Vectors, most: int) -> None:
    few = vectors.some(JUDGED)
    long = few.scores("permutation", precision=1e-6, most=most, seed=1)
    truth, errors = long.values, long.errors
    assert errors is not None
    size = (errors.max(axis=0) / truth.max(axis=0)).max()
    print(f"\n{len(few.rows):,} vectors, {len(few.weights)} concepts, against {long.permutations}"
          f" permutations (largest error {size:.4f} of the largest score)")  # fmt: skip
    print(f"{'':38s} {'mean':>8s} {'worst':>8s} {'largest':>8s} {'Spearman':>9s}")
    groups, nodes = owen.GROUPS, owen.NODES
    for name, owen.GROUPS, owen.NODES in (
        (f"owen, {groups} groups, {nodes} nodes (default)", groups, nodes),
        ("owen, background one normal, 2 nodes", 1, 2),
        ("owen, 8 groups, 5 nodes", 8, 5),
    ):
        print(f"{name:38s} {apart(few.scores('owen').values, truth)}", flush=True)
    owen.GROUPS, owen.NODES = groups, nodes
    for count in (32, 64, 256):
        found = few.scores("permutation", precision=1e-6, most=count)
        print(f"{f'permutation, {count}':38s} {apart(found.values, truth)}", flush=True)
    for name in ("logit", "coefficient", "retrained", "random"):
        print(spearman_of(name, few.scores(name, most=128).values, truth), flush=True)


def noise(vectors: Vectors) -> None:
    """The variance per permutation of a score with signs held, by how permutations are drawn."""
    few = vectors.some(JUDGED)
    x = torch.from_numpy(few.rows)
    w, b = (torch.tensor(part, dtype=torch.float32) for part in (few.weights, few.bias))
    ways = {
        "one at a time": lambda o: [o],
        "and its reverse": lambda o: [o, o[::-1]],
        "begun at four places (default)": lambda o: [
            np.roll(o, -i * len(o) // 4) for i in range(4)
        ],
    }
    print("\nvariance of a score per permutation, against one at a time")
    usual, first = permutations.fours, 0.0
    for name, way in ways.items():
        rng = np.random.default_rng(0)
        size = len(way(np.arange(4)))

        def drawn(generator: np.random.Generator, neurons: int, way: Callable = way) -> object:
            return (list(order) for order in way(generator.permutation(neurons)))

        permutations.fours, permutations.TURNS = drawn, size
        paths = PermutationPaths(LinearGame(x, w, b, x, rng), len(w))
        for _ in range(16 // size):
            paths.draw(rng)
        paths.merge()
        found = torch.stack([paths.draw(rng) for _ in range(48 // size)])
        variance = float(found.var(0).sum()) * size
        first = first or variance
        print(f"{name:38s} {variance / first:8.2f}", flush=True)
    permutations.fours, permutations.TURNS = usual, 4


def equal_error(vectors: Vectors) -> None:
    """How long ours and Captum's mean of absolute values take to the same error as owen's."""
    one = vectors.concept(0).some(JUDGED)
    x = torch.from_numpy(one.rows)
    w, b = (torch.tensor(part, dtype=torch.float32) for part in (one.weights, one.bias))
    truth = one.scores("permutation", precision=1e-6, most=2048, seed=2).values
    print("\nmean error of one concept's scores, as a share of the mean score")
    start = time.process_time()
    found = one.scores("owen").values
    spent = time.process_time() - start
    print(f"{'owen':24s} {np.abs(found - truth).mean() / truth.mean():8.4f} {spent:8.3f} s")
    for count in (16, 32, 64, 128):
        rng = np.random.default_rng(count)
        start = time.process_time()
        paths = PermutationPaths(LinearGame(x, w, b, x, rng), 1)
        found = sample(paths, Limits(1e-9, count), rng)
        spent = time.process_time() - start
        off = np.abs(found.scores.numpy() - truth).mean() / truth.mean()
        print(f"{f'ours, {count}':24s} {off:8.4f} {spent:8.3f} s", flush=True)
    method = ShapleyValueSampling(lambda z: (z @ w[0] + b[0]).sigmoid())
    total, spent = torch.zeros_like(x), 0.0
    torch.manual_seed(0)
    for done in range(1, 65):
        others = x[torch.randperm(len(x))]
        start = time.process_time()
        total += method.attribute(x, others, n_samples=1)
        spent += time.process_time() - start
        if done in (8, 16, 32, 64):
            scores = (total / done).abs().mean(0).numpy()
            off = np.abs(scores - truth[:, 0]).mean() / truth.mean()
            print(f"{f'Captum, {done}':24s} {off:8.4f} {spent:8.3f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("vectors", nargs="?", type=Path, help="an .npz with rows, weights, bias")
    parser.add_argument("--most", type=int, default=1024, help="permutations of the long run")
    asked = parser.parse_args()
    vectors = read(asked.vectors) if asked.vectors else made()
    print(f"{torch.get_num_threads()} threads")
    times(vectors)
    agreement(vectors, asked.most)
    noise(vectors)
    equal_error(vectors)


if __name__ == "__main__":
    main()
