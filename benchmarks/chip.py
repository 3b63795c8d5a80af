"""What gating channels costs, as ratios to the plain way measured in the same run.

    python benchmarks/chip.py                 # all rows, about five minutes on two cores
    python benchmarks/chip.py --rows resnet   # rows whose name holds a word

The plain way runs the whole network on a batch of 32 gated copies of the image, the gate applied
by a hook at the layer, and is scaled up to all gates. Ours is timed from prepared images on, eight
at once as `fit` takes them, and per image: the prefix, drawing the gates, and the answers. In
brackets the same for a single image. Weights are random: times do not depend on them.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))

import hexplain_widgets as hx
from hexplain_widgets.chip.statistics import GatingPlan, ResponseStatistics
from hexplain_widgets.data.samples import Batch, Sample
from hexplain_widgets.evidence import Layer
from hexplain_widgets.network.gating import gated, gates_for
from hexplain_widgets.network.guest import visiting
from hexplain_widgets.network.probe import Probe
from tests.networks import image, seeded

ROWS = (  # network, layer, its usual name, gates, ratio measured elsewhere
    ("vgg16", "features.29", "conv5_3", 96, 93.0),
    ("vgg16", "features.29", "conv5_3", 1000, 490.0),
    ("vgg16", "features.15", "conv3_3", 32, 3.3),
    ("resnet18", "layer4", "layer4", 32, 26.0),
    ("resnet18", "layer3", "layer3", 32, 7.0),
    ("resnet50", "layer4", "layer4", 32, 44.0),
)
TIMED_GATES = 32
IMAGES = 8


def plain(model: nn.Module, x: Tensor, layer: str, gates: Tensor) -> Tensor:
    """Every gate through the whole network."""
    hook = model.get_submodule(layer).register_forward_hook(
        lambda _module, _args, out: out * gates[:, :, None, None]
    )
    try:
        return model(x.expand(len(gates), -1, -1, -1))
    finally:
        hook.remove()


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def report(
    name: str, layer: str, called: str, count: int, expected: float, repeats: int, device: str
) -> None:
    model = seeded(torchvision.models.get_model(name, weights=None)).requires_grad_(False)
    model, x = model.to(device), image(224).to(device)
    probe = Probe(hx.Classifier(model))
    with visiting(model), torch.no_grad():
        channels = probe.capture(x, [layer]).layers[0].shape[0]
        way = gated(probe, x, [layer])
        gates = drawn(count, channels).to(device)

        batch = torch.cat([image(224, seed=i) for i in range(IMAGES)]).to(device)

        def ours(images: Tensor) -> Tensor:
            fresh = torch.stack([drawn(count, channels) for _ in images]).to(device)
            return way.answers(way.take(images), layer, fresh).cpu()

        some = gates[:TIMED_GATES]
        reference = plain(model, x, layer, some).cpu()
        worst = float((ours(x)[0, : len(some)] - reference).abs().max() / reference.abs().max())
        ours(batch)
        slow, fast, alone = [], [], []
        for _ in range(repeats):
            slow.append(seconds(lambda: plain(model, x, layer, some).cpu()) * count / len(some))
            fast.append(seconds(lambda: ours(batch)) / IMAGES)
            alone.append(seconds(lambda: ours(x)))
    before, after, single = map(statistics.median, (slow, fast, alone))
    print(
        f"{name:10} {called:8} {count:5} gates   plain {before:8.3f} s   ours {after:7.4f} s"
        f"   {before / after:6.1f} x ({before / after / expected:4.0%} of {expected:g} x)"
        f"   [{before / single:.1f} x]   differ by {worst:.0e}",
        flush=True,
    )


def drawn(count: int, channels: int) -> Tensor:
    return torch.from_numpy(gates_for(b"one", "layer", count=count, channels=channels, seed=0))


def sums(name: str, layer: str, repeats: int) -> None:
    """Time the sums beside the network: 100 gates of a batch of 8 images."""
    model = seeded(torchvision.models.get_model(name, weights=None)).requires_grad_(False)
    classifier = hx.Classifier(model)
    probe = Probe(classifier)
    samples = tuple(Sample(image(224, seed=i), None, True) for i in range(8))
    batch = Batch(torch.cat([s.x for s in samples]), samples)
    plan = GatingPlan((layer,), 100, "logit", "equal", 0, 2**31)
    scope = plan.scope(probe, batch)
    kept, extractor = ResponseStatistics(scope, 2**31), plan.extractor(probe, scope)
    responses = extractor.extract(batch)
    network = statistics.median(seconds(lambda: extractor.extract(batch)) for _ in range(repeats))
    adding = statistics.median(
        seconds(lambda: kept.add(responses, classifier)) for _ in range(repeats)
    )
    print(
        f"{name:10} {layer:11} 100 gates, per image: network {125 * network:6.1f} ms, sums"
        f" {125 * adding:5.1f} ms ({shape(scope.layers[0])}, {scope.classes} classes)",
        flush=True,
    )


def shape(layer: Layer) -> str:
    return "x".join(map(str, layer.shape))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", default="", help="only rows whose name holds this")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {args.device},"
          f" numpy {np.__version__}")  # fmt: skip
    for name, layer, called, count, expected in ROWS:
        if args.rows in f"{name} {called}":
            report(name, layer, called, count, expected, args.repeats, args.device)
    if args.device == "cpu":
        for name, layer in (("vgg16", "features.29"), ("resnet18", "layer4")):
            if args.rows in name:
                sums(name, layer, args.repeats)


if __name__ == "__main__":
    main()
