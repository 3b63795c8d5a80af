"""What inferring concepts costs, as ratios to plain ways measured in the same run.

    OMP_NUM_THREADS=1 python benchmarks/chain.py --only gates       # one image through five levels
    OMP_NUM_THREADS=1 python benchmarks/chain.py --only solver      # one matrix for all images
    OMP_NUM_THREADS=1 python benchmarks/chain.py --only harmonize   # sums over labelled pixels
    OMP_NUM_THREADS=1 python benchmarks/chain.py --only subset      # the search for few concepts

Gates: VGG-16 at 224 x 224, 1,000 gates a level from scene to color, so four steps from a stage to
the next deeper one and from the last to the logits. The plain way, gated copies of the image
through the whole network, is timed on sixteen gates and scaled up. Weights are random: times do
not depend on them. Network, solver and search add up to the answers for five wanted concepts at
each step among 50 shallow ones. Processor time throughout: on a busy machine the clock on the
wall says nothing.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parents[1]))

import hexplain_widgets as hx
from hexplain_widgets.chain.inference import (
    TOLERANCE,
    GateMatrix,
    Perturbation,
    PerturbationExtractor,
    inference_weights,
)
from hexplain_widgets.chain.statistics import Interpolation
from hexplain_widgets.network.gating import gates_for
from hexplain_widgets.network.guest import visiting
from hexplain_widgets.network.probe import Probe
from hexplain_widgets.solvers.best_subset import best_subset
from hexplain_widgets.solvers.lasso import Quadratic, lasso
from tests.networks import image, seeded

STAGES = ("features.8", "features.15", "features.22", "features.29")  # relu of conv2_2 to conv5_3
GATES, CONCEPTS, BELOW, FEW = 1000, 5, 50, 5
PLAIN_GATES = 16


def seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def plain(model: nn.Module, x: Tensor, layer: str, gates: Tensor) -> Tensor:
    """Gates through the whole network, eight at once."""
    hook = model.get_submodule(layer).register_forward_hook(
        lambda _module, _args, out: out * gates[: len(out), :, None, None]
    )
    try:
        return torch.cat([model(x.expand(len(part), -1, -1, -1)) for part in gates.split(8)])
    finally:
        hook.remove()


def gates(repeats: int) -> None:
    model = seeded(torchvision.models.vgg16(weights=None)).requires_grad_(False)
    x, probe = image(224), Probe(hx.Classifier(model))
    draw = np.random.default_rng(0)
    total = {"plain": 0.0, "network": 0.0, "solver": 0.0, "search": 0.0}
    for shallow, deep in zip(STAGES, (*STAGES[1:], None), strict=True):
        asked = PerturbationExtractor(probe, STAGES, count=GATES, seed=0)
        taken = asked.take(x)
        channels = taken.maps[shallow].shape[1]
        some = torch.ones(PLAIN_GATES, channels)
        before, after = [], []
        for _ in range(repeats):
            with visiting(model), torch.no_grad():
                before.append(seconds(partial(plain, model, x, shallow, some)) / PLAIN_GATES)
            after.append(seconds(partial(asked.perturbed, x, taken, shallow, deep)))
        slow, fast = GATES * statistics.median(before), statistics.median(after)
        found = whole(shallow, channels, taken.maps[shallow], draw)
        solver, search = inferred(found, channels, draw)
        print(
            f"{shallow:12} -> {deep or 'logits':12} plain {slow:7.1f} s   network {fast:6.2f} s"
            f" ({slow / fast:5.1f} x)   solver {solver:.2f} s   search {search:.2f} s",
            flush=True,
        )
        for name, value in zip(total, (slow, fast, solver, search), strict=True):
            total[name] += value
    ours = sum(total[n] for n in ("network", "solver", "search"))
    shares = ", ".join(f"{n} {total[n] / ours:.1%}" for n in ("network", "solver", "search"))
    print(f"all: plain {total['plain']:.0f} s, ours {ours:.1f} s, {total['plain'] / ours:.1f} x;"
          f" {shares}")  # fmt: skip


def whole(layer: str, channels: int, maps: Tensor, draw: np.random.Generator) -> Perturbation:
    """Answers of 1,000 gates as a random deeper layer gives them, for timing the solver."""
    opened = gates_for(b"one", layer, count=GATES, channels=channels, seed=0)
    means = maps.double().mean((2, 3))[0].numpy()
    mixed = (opened * means) @ draw.normal(size=(channels, 128)) / channels**0.5
    return Perturbation(GateMatrix(opened), means, np.maximum(mixed, 0))


def inferred(found: Perturbation, channels: int, draw: np.random.Generator) -> tuple[float, float]:
    concepts = draw.normal(size=(CONCEPTS, 128))
    weights: list[np.ndarray] = []
    solver = seconds(
        lambda: weights.extend(inference_weights([found], [concepts], sparsity=0.01)[0].unit)
    )
    below = draw.normal(size=(channels, BELOW))
    search = seconds(lambda: [best_subset(below, w, FEW) for w in weights])
    return solver, search


def solver(repeats: int, channels: int = 512, images: int = 20) -> None:
    """One matrix for all images and concepts against a solve of each alone, to the same gap."""
    draw = np.random.default_rng(0)
    shared = GateMatrix(gates_for(b"", "layer", count=GATES, channels=channels, seed=0))
    mixing = 2 * draw.normal(size=(channels, 128)) / channels**0.5
    base = np.exp(0.6 * draw.normal(size=channels))
    rows, concepts = [], []
    for _ in range(images):
        means = base * np.exp(0.4 * draw.normal(size=channels)) * (draw.random(channels) > 0.1)
        rows.append(
            Perturbation(shared, means, np.maximum((shared.opened * means) @ mixing - 0.3, 0))
        )
        sparse = draw.random((CONCEPTS, 128)) < 0.2
        concepts.append(draw.normal(size=(CONCEPTS, 128)) * sparse)
    few = list(zip(rows[:2], concepts[:2], strict=True))
    for sparsity in (0.01, 0.03):
        together, alone, once = [], [], []
        for _ in range(repeats):
            fresh = GateMatrix(shared.opened)
            same = [Perturbation(fresh, r.means, r.answers) for r in rows]
            solve = partial(inference_weights, same, concepts, sparsity=sparsity)
            together.append(seconds(solve) / (images * CONCEPTS))
            for found, matrix_an_image in ((alone, False), (once, True)):
                each = partial(all_by_themselves, few, sparsity, once=matrix_an_image)
                found.append(seconds(each) / (len(few) * CONCEPTS))
        ours, each_alone, image_wise = (
            1000 * statistics.median(t) for t in (together, alone, once)
        )
        solved = inference_weights(rows, concepts, sparsity=sparsity)
        gap = max(
            checked(r, c, w.weights, sparsity) for (r, c), w in zip(few, solved, strict=False)
        )
        print(
            f"K = {channels}, {images} images x {CONCEPTS} concepts, sparsity {sparsity}: together"
            f" {ours:.2f} ms a concept; each alone {each_alone:.1f} ms ({each_alone / ours:.1f} x);"
            f" each alone, one matrix an image {image_wise:.1f} ms ({image_wise / ours:.1f} x);"
            f" objective above the minimum by at most {gap:.0e}",
            flush=True,
        )


def all_by_themselves(
    some: Sequence[tuple[Perturbation, np.ndarray]], sparsity: float, *, once: bool
) -> None:
    for one, concepts in some:
        by_itself(one, concepts, sparsity, once=once)


def problem(one: Perturbation, answers: np.ndarray) -> Quadratic:
    h, z = one.gates.near, one.gates.opened * one.means
    centred, y = z - h @ z / h.sum(), answers - (answers @ h / h.sum())[:, None]
    gram = (centred * h[:, None]).T @ centred
    return Quadratic(gram[None], (y * h) @ centred, y**2 @ h)


def by_itself(one: Perturbation, concepts: np.ndarray, sparsity: float, *, once: bool) -> None:
    answers = concepts @ one.answers.T
    parts: Sequence[np.ndarray] = [answers] if once else [a[None] for a in answers]
    for part in parts:
        lasso(problem(one, part), sparsity, tolerance=TOLERANCE)


def checked(one: Perturbation, concepts: np.ndarray, w: np.ndarray, sparsity: float) -> float:
    """How far the objective is above its minimum, relative to half the power."""
    stated = problem(one, concepts @ one.answers.T)
    best = lasso(stated, sparsity, tolerance=1e-12).weights
    lam = sparsity * np.abs(stated.linear).max(1)

    def objective(v: np.ndarray) -> np.ndarray:
        fitted = ((v @ stated.gram[0]) * v).sum(1) / 2 - (stated.linear * v).sum(1)
        return fitted + lam * np.abs(v).sum(1)

    return float(((objective(w) - objective(best)) / (stated.power / 2)).max())


def harmonize(repeats: int) -> None:
    """The Gram of features at the resolution of labels, by the adjoint and by upsampling."""
    for channels, cells, size in ((512, 14, 112), (256, 28, 112), (256, 7, 112)):
        maps = torch.rand(channels, cells, cells, dtype=torch.float64)
        weights = (torch.rand(size, size, dtype=torch.float64) < 0.9).double() / size**2

        def upsampled(maps=maps, weights=weights, size=size) -> Tensor:
            up = F.interpolate(maps[None], size=(size, size), mode="bilinear")[0].flatten(1)
            return (up * weights.flatten()) @ up.T

        def ours(maps=maps, weights=weights, cells=cells, size=size) -> Tensor:
            return Interpolation.of((cells, cells), (size, size)).gram(maps, weights)

        worst = float((ours() - upsampled()).abs().max() / upsampled().abs().max())
        slow, fast = [], []
        for _ in range(repeats):
            slow.append(seconds(upsampled))
            fast.append(seconds(ours))
        before, after = (1000 * statistics.median(t) for t in (slow, fast))
        print(f"{channels} channels, {cells} x {cells} cells, labels {size} x {size}: upsampled"
              f" {before:.1f} ms, adjoint {after:.2f} ms ({before / after:.0f} x), differ by"
              f" {worst:.0e}", flush=True)  # fmt: skip


def subset(repeats: int) -> None:
    draw = np.random.default_rng(0)
    for channels, count in ((256, 51), (96, 60), (512, 234)):
        factors = draw.normal(size=(channels, 12)) @ draw.normal(size=(12, count))
        columns = 0.5 * factors + draw.normal(size=(channels, count))
        for noise in (1.0, 6.0):
            target = columns[:, :4] @ draw.normal(size=4) + noise * draw.normal(size=channels)
            found = best_subset(columns, target, FEW)
            pursued = best_subset(columns, target, FEW, affordable=0)
            took = statistics.median(
                seconds(lambda c=columns, t=target: best_subset(c, t, FEW)) for _ in range(repeats)
            )
            print(f"best {FEW} of {count} in {channels} channels, noise {noise}: {took:.3f} s,"
                  f" {'exact' if found.exact else 'cut short'}, unexplained {found.unexplained:.4f}"
                  f" (pursuit {pursued.unexplained:.4f})", flush=True)  # fmt: skip


PARTS = {"gates": gates, "solver": solver, "harmonize": harmonize, "subset": subset}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    load = Path("/proc/loadavg")
    busy = load.read_text().split()[0] if load.exists() else "unknown"
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, load {busy}")
    for name, part in PARTS.items():
        if args.only in (None, name):
            part(args.repeats)


if __name__ == "__main__":
    main()
