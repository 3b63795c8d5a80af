"""What a decomposition costs, as ratios measured in one run on one machine.

    python benchmarks/decomposition.py            # time and memory, VGG-16, ResNet-18, ResNet-50
    python benchmarks/decomposition.py --memory decompose vgg16   # peak memory of one, alone
    python benchmarks/decomposition.py --exact    # the tree by ablation against the plain loop

The plain way is one forward and backward of the whole network for each decision; it is timed on
some decisions of every level and scaled up to all of them. Weights are random: times do not depend
on them.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))

import hexplain_widgets as hx
from hexplain_widgets.evidence import Decomposition, Node
from tests.networks import image, seeded
from tests.reference import gap

NETWORKS = ("vgg16", "resnet18", "resnet50")
SAMPLES_PER_LEVEL = 2
REMOVALS_TIMED = 3


def network(name: str) -> nn.Module:
    model = seeded(torchvision.models.get_model(name, weights=None))
    return model.requires_grad_(False)


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def forward_and_backward(model: nn.Module, x: Tensor, first: str) -> None:
    """One forward pass, and one backward from a logit to the first stage's map."""
    kept = []

    def keep(module: nn.Module, args: object, output: Tensor) -> Tensor:
        kept.append(output.detach().clone().requires_grad_())
        return kept[0].clone()

    handle = model.get_submodule(first).register_forward_hook(keep)
    try:
        logits = model(x)
    finally:
        handle.remove()
    torch.autograd.grad(logits[0].max(), kept[0])


def decisions(tree: Decomposition) -> list[list[tuple[str | None, Node, str]]]:
    """The decisions of each level: the layer they are in, the node, the layer below."""
    names = [layer.name for layer in tree.layers]
    levels: list[list[tuple[str | None, Node, str]]] = [[] for _ in names]
    for path, node in tree.root.walk():
        if len(path) < len(names):
            deep = names[len(path) - 1] if path else None
            levels[len(path)].append((deep, node, names[len(path)]))
    return levels


def one_by_one(model: nn.Module, x: Tensor, tree: Decomposition) -> tuple[float, float]:
    """Seconds that the plain way takes for the whole tree, and its largest relative difference."""
    total, worst = 0.0, 0.0
    for level in decisions(tree):
        some = level[:: max(1, len(level) // SAMPLES_PER_LEVEL)][:SAMPLES_PER_LEVEL]
        taken = []
        for deep, node, below in some:
            unit = (node.channel, *node.position)
            start = time.perf_counter()
            step = gap.step(model, x, deep, unit, below)
            taken.append(time.perf_counter() - start)
            for child in node.children:
                literal = float(step.alpha[child.channel])
                worst = max(worst, abs(child.contribution - literal) / abs(literal))
        total += statistics.mean(taken) * len(level)
    return total, worst


def clicks(engine: hx.Decomposer, tree: Decomposition) -> list[float]:
    """Seconds for three children of one node, the median for each level."""
    found = []
    for level in range(len(tree.layers)):
        path = (0,) * level
        engine.expand(tree, path)
        found.append(
            statistics.median(seconds(lambda p=path: engine.expand(tree, p)) for _ in range(7))
        )
    return found


def peak(way: str, name: str) -> float:
    """Peak resident MiB of one way in a process of its own."""
    command = [sys.executable, __file__, "--memory", way, name]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def only(way: str, name: str) -> None:
    """Do one thing, and print the peak resident size of this process in MiB (Linux)."""
    model, x = network(name), image(224)
    gc.collect()
    # Making random weights takes more memory than either way: the peak is counted from here on.
    Path("/proc/self/clear_refs").write_text("5")
    if way == "decompose":
        hx.decompose(model, x)
    else:
        forward_and_backward(model, x, "features.3" if name.startswith("vgg") else "layer1")
    status = Path("/proc/self/status").read_text()
    print(int(status.split("VmHWM:")[1].split()[0]) / 1024)


def report(name: str, repeats: int) -> None:
    model, x = network(name), image(224)
    classifier = hx.Classifier(model)
    tree = hx.decompose(classifier, x)
    first = tree.layers[-1].name
    forward_and_backward(model, x, first)
    whole, plain = [], []
    for _ in range(repeats):
        whole.append(seconds(lambda: hx.decompose(classifier, x)))
        plain.append(seconds(lambda: forward_and_backward(model, x, first)))
    ratio = statistics.median(a / b for a, b in zip(whole, plain, strict=True))
    nodes = sum(1 for _ in tree.root.walk())
    count = sum(map(len, decisions(tree)))
    slow, worst = one_by_one(model, x, tree)
    click = clicks(hx.Decomposer(classifier, x), tree)
    ours, once = peak("decompose", name), peak("once", name)
    print(f"{name}: {count} decisions, {nodes} nodes, {len(tree.layers)} stages")
    print(f"  one forward + backward           {statistics.median(plain):8.3f} s")
    print(f"  whole tree                       {statistics.median(whole):8.3f} s"
          f"   {ratio:6.2f} x one forward + backward")  # fmt: skip
    print(f"  decision by decision             {slow:8.3f} s"
          f"   {slow / statistics.median(whole):6.0f} x the whole tree")  # fmt: skip
    print(f"  largest relative difference      {worst:8.1e}")
    print(f"  one click, by level              {', '.join(f'{1e3 * c:.0f}' for c in click)} ms")
    print(f"  peak memory                      {ours:8.0f} MiB {ours / once:6.2f} x one forward +"
          f" backward ({once:.0f} MiB)")  # fmt: skip


def one_removal_after_another(model: nn.Module, x: Tensor, tree: Decomposition) -> float:
    """Seconds of one forward of the whole network for every channel of every decision."""
    shapes = {layer.name: layer.shape for layer in tree.layers}
    first = tree.layers[-1].name

    def close(module: nn.Module, args: object, output: Tensor) -> Tensor:
        output = output.clone()
        output[:, 0] = 0
        return output

    handle = model.get_submodule(first).register_forward_hook(close)
    try:
        with torch.no_grad():
            once = statistics.median(seconds(lambda: model(x)) for _ in range(REMOVALS_TIMED))
    finally:
        handle.remove()
    return once * sum(shapes[below][0] for level in decisions(tree) for _, _, below in level)


def largest_difference(model: nn.Module, x: Tensor, tree: Decomposition) -> float:
    """How far drops are from one forward per channel, over the largest; strongest child a level."""
    worst = 0.0
    for level in decisions(tree):
        deep, node, below = level[0]
        unit = (node.channel, *node.position)
        for child in node.children[:1]:
            drop = gap.drop(model, x, deep, unit, below, child.channel)
            worst = max(worst, abs(drop - child.contribution) / abs(drop))
    return worst


def report_exact(name: str, repeats: int) -> None:
    model, x = network(name), image(224)
    classifier = hx.Classifier(model)
    engine = hx.Decomposer(classifier, x, method="ablation")
    tree = engine.tree()
    taken = [
        seconds(lambda: hx.decompose(classifier, x, method="ablation")) for _ in range(repeats)
    ]
    whole = statistics.median(taken)
    start = time.process_time()
    engine.tree()
    busy = time.process_time() - start
    slow = one_removal_after_another(model, x, tree)
    levels = [[node for _, node, _ in level] for level in decisions(tree)]
    agreed = [[n.agreement for n in level if n.agreement is not None] for level in levels]
    means = ", ".join(f"{statistics.mean(some):.3f}" for some in agreed)
    print(f"{name}: {sum(map(len, levels))} decisions by ablation, {len(tree.layers)} stages")
    print(f"  whole tree                       {whole:8.2f} s   ({busy:.2f} s of processor time)")
    print(
        f"  one forward per channel          {slow:8.0f} s   {slow / whole:6.0f} x the whole tree"
    )
    print(f"  largest relative difference      {largest_difference(model, x, tree):8.1e}")
    click = ", ".join(f"{c:.3f}" for c in clicks(engine, tree))
    print(f"  one click, by level              {click} s")
    print(f"  agreement r of the estimate      {means}, lowest {min(map(min, agreed)):.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--memory", nargs=2, metavar=("WAY", "NETWORK"))
    parser.add_argument("--exact", action="store_true")
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--repeats", type=int, default=7)
    settings = parser.parse_args()
    if settings.memory:
        only(*settings.memory)
        return
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, 224 x 224, top 3")
    for name in settings.networks:
        (report_exact if settings.exact else report)(name, settings.repeats)


if __name__ == "__main__":
    main()
