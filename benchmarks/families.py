"""What a tree costs in one network of each family, and the floor below which none can go.

    python benchmarks/families.py                       # torchvision's classifiers
    python benchmarks/families.py --zoo --out FILE      # timm's families too (extra `zoo`); resumes
    python benchmarks/families.py --side 224 --only resnet18 resnet50 mobilenet_v2

Processor time of one thread, 128 x 128 or `--side`, top 3, random weights. *once* is one forward
and backward of the whole network to its first stage. *floor* is the plain way without a crop: one
forward that is kept, and one backward for each decision of the tree from the stage above to the
stage below. Where a unit sees the whole map (squeeze-and-excitation, attention) every decision
needs that backward; a tree below its floor owes it to crops. *check* is the network's own answer,
to which every tree is held: one forward, counted in *tree*.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))

import hexplain_widgets as hx
from hexplain_widgets.evidence import Decomposition
from tests.networks import image, seeded
from tests.zoo.table import large, redrawn

SIDE = 128
TORCHVISION = (
    "alexnet vgg11_bn resnet18 resnet50 densenet121 squeezenet1_1 googlenet"
    " shufflenet_v2_x1_0 mobilenet_v2 mobilenet_v3_large mnasnet1_0 efficientnet_b0"
    " regnet_y_400mf convnext_tiny"
)


def processor_time(call: Callable[[], object], repeats: int = 3) -> float:
    """Least seconds of processor time of a call."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def kept_maps(model: nn.Module, x: Tensor, layers: list[str]) -> tuple[dict[str, Tensor], Tensor]:
    """Maps and logits of one forward whose graph is kept, from the shallowest layer on."""
    kept: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[..., Tensor]:
        def hook(module: nn.Module, args: object, output: Tensor) -> Tensor:
            kept[name] = output if output.requires_grad else output.detach().requires_grad_()
            return kept[name] * 1

        return hook

    handles = [model.get_submodule(n).register_forward_hook(keep(n)) for n in layers]
    try:
        return kept, model(x)
    finally:
        for handle in handles:
            handle.remove()


def once(model: nn.Module, x: Tensor, first: str) -> None:
    kept, logits = kept_maps(model, x, [first])
    torch.autograd.grad(logits[0].max(), kept[first])


def units(tree: Decomposition) -> Iterator[tuple[str | None, tuple[int, ...], str]]:
    """The different decisions of a tree: the layer each is in, the unit, the layer below."""
    names = [layer.name for layer in tree.layers]
    every = [
        (names[len(path) - 1] if path else None, (node.channel, *node.position), names[len(path)])
        for path, node in tree.root.walk()
        if len(path) < len(names)
    ]
    yield from dict.fromkeys(every)


def every_backward(model: nn.Module, x: Tensor, tree: Decomposition) -> None:
    """The floor: one forward, and a backward through the segment of each decision."""
    kept, logits = kept_maps(model, x, [layer.name for layer in tree.layers])
    for deep, unit, shallow in units(tree):
        value = logits[0, unit[0]] if deep is None else kept[deep][(0, *unit)]
        torch.autograd.grad(value, kept[shallow], retain_graph=True)


def measured(name: str, model: nn.Module, side: int) -> dict[str, float | str]:
    """One line of the table."""
    model.eval().requires_grad_(False)
    classifier = hx.Classifier(model)
    tree = hx.decompose(classifier, image(side))
    x = image(side)
    first = tree.layers[-1].name
    line: dict[str, float | str] = {
        "name": name,
        "decisions": sum(1 for _ in units(tree)),
        "once": processor_time(lambda: once(model, x, first)),
        "check": processor_time(lambda: no_gradient(model, x)),
        "tree": processor_time(lambda: hx.decompose(classifier, image(side))),
    }
    return line | {"floor": processor_time(lambda: every_backward(model, x, tree), 1)}


def no_gradient(model: nn.Module, x: Tensor) -> None:
    with torch.no_grad():
        model(x)


def networks(zoo: bool, side: int) -> Iterator[tuple[str, Callable[[], nn.Module], int]]:
    for name in TORCHVISION.split():
        yield f"torchvision {name}", lambda n=name: torchvision.models.get_model(n), side
    for network in large() if zoo else ():
        if network.family == "timm":
            yield f"timm {network.name}", network.make, max(side, network.size)


def row(line: dict[str, float | str]) -> str:
    if "failed" in line:
        return f"| {line['name']} | {line['failed']} |"
    one, tree, floor = (float(line[key]) for key in ("once", "tree", "floor"))
    check = float(line["check"]) / one
    return (
        f"| {line['name']} | {line['decisions']} | {one:.3f} s | {check:.2f} x | {tree / one:.1f} x"
        f" | {floor / one:.1f} x | {tree / floor:.2f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--zoo", action="store_true")
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--side", type=int, default=SIDE, help="of the picture, in pixels")
    parser.add_argument("--out", type=Path)
    settings = parser.parse_args()
    torch.set_num_threads(1)
    known = {}
    if settings.out and settings.out.exists():
        known = {d["name"]: d for d in map(json.loads, settings.out.read_text().splitlines())}
    print("| network | decisions | once | check | tree | floor | tree / floor |")
    print("|---|---|---|---|---|---|---|")
    lines = []
    for name, make, side in networks(settings.zoo, settings.side):
        if settings.only and name.split()[1] not in settings.only:
            continue
        line = known.get(name)
        if line is None:
            try:
                line = measured(name, redrawn(seeded(make())), side)
            except Exception as cause:  # the table has a line for every network
                line = {"name": name, "failed": f"{type(cause).__name__}: {cause}"[:160]}
            if settings.out:
                with settings.out.open("a") as file:
                    file.write(json.dumps(line) + "\n")
        lines.append(line)
        print(row(line), flush=True)
    done = [line for line in lines if "failed" not in line]
    for key in ("tree", "floor"):
        ratios = [float(line[key]) / float(line["once"]) for line in done]
        print(f"median {key}: {statistics.median(ratios):.1f} x of {len(ratios)} networks")


if __name__ == "__main__":
    main()
