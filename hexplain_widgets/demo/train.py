"""Make the shipped classifier again: `python -m hexplain_widgets.demo.train`.

With `--labels permuted` it makes one of the same form that knows its training scenes by heart and
nothing else, for the second sanity check of Adebayo et al. 2018:

    python -m hexplain_widgets.demo.train --labels permuted --seed 1 --scenes 1000 --epochs 30 \
        --unvaried --out permuted.safetensors
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval
from tqdm import tqdm

from .network import MEAN, SIZE, SPREAD, WIDTHS, SceneNet, save
from .targets import CONCEPTS, Example, LabelledScenes, example, stack
from .vocabulary import LEGEND, SCENES

SEED_SPACE = 10**15  # training scenes start here, far from any seed a person would type
BATCH = 64
STAGE_OF = {"color": 2, "material": 3, "part": 4, "object": 5}
WEIGHT = {"color": 0.1, "material": 0.2, "part": 20.0, "object": 40.0}
LOUDER = 16.0  # a small thing fills few of the cells that the shared feature averages
RARE, USUAL = 0.05, 0.95  # a concept outside these shares of scenes gets no head

log = logging.getLogger(__name__)


class Training(nn.Module):
    """A network in training: norms behind its convolutions, and a reader of labels per stage.

    The readers ask stage 2 for colours, 3 for materials, 4 for parts and 5 for objects, so that
    the stages come to mean something; they and the norms are gone from what is saved.
    """

    def __init__(self, net: SceneNet) -> None:
        super().__init__()
        self.net = net
        for stage, index, conv in _convolutions(net)[1:]:  # the first is wide and needs none
            stage[index] = nn.Sequential(conv, nn.BatchNorm2d(conv.out_channels))
        self.readers = nn.ModuleDict(
            {
                level: nn.Conv2d(WIDTHS[k - 1][-1], len(LEGEND[level]), 1)
                for level, k in STAGE_OF.items()
            }
        )

    def loss(self, batch: LabelledScenes, x: Tensor, heads: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of a batch and its class logits."""
        maps = self.net.stages(x)
        feature = maps[-1].mean((2, 3))
        logits = self.net.classify(feature)
        present = batch.present[:, heads].float()
        loss = F.cross_entropy(logits, batch.label, label_smoothing=0.03)
        loss = loss + 25 * F.binary_cross_entropy_with_logits(
            self.net.detect(LOUDER * feature), present
        )
        for level, k in STAGE_OF.items():
            loss = loss + WEIGHT[level] * _reading(
                self.readers[level], maps[k - 1], batch.maps[level]
            )
        return loss, logits

    def folded(self) -> SceneNet:
        """Return the network in eval mode, norms and the heads' loudness folded into weights."""
        self.eval()
        self.net.detect.weight.data *= LOUDER
        for stage in self.net.children():
            if isinstance(stage, nn.Sequential):
                for index, block in enumerate(stage):
                    if isinstance(block, nn.Sequential):
                        conv, norm = cast("tuple[nn.Conv2d, nn.BatchNorm2d]", tuple(block))
                        stage[index] = fuse_conv_bn_eval(conv, norm)
        return self.net


def _convolutions(net: SceneNet) -> list[tuple[nn.Sequential, int, nn.Conv2d]]:
    stages = [stage for stage in net.children() if isinstance(stage, nn.Sequential)]
    return [(s, i, m) for s in stages for i, m in enumerate(s) if isinstance(m, nn.Conv2d)]


def _reading(reader: nn.Module, features: Tensor, target: Tensor) -> Tensor:
    step = features.shape[-1] // target.shape[-1]
    if step > 1:
        features = F.avg_pool2d(features, step)
    logits = reader(features)
    if target.dtype == torch.bool:
        return F.binary_cross_entropy_with_logits(logits, target.float())
    return F.cross_entropy(logits, target.long())


def render(count: int, start: int, size: int = SIZE) -> LabelledScenes:
    """Render `count` scenes with their targets on all cores, classes balanced."""
    jobs = [(SCENES[i % len(SCENES)], start + i // len(SCENES), size) for i in range(count)]
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        rendered: Iterable[Example] = pool.imap(example, jobs, chunksize=20)
        return stack(list(tqdm(rendered, "rendering", count, unit="scene")))


def prepared(pixels: Tensor) -> Tensor:
    """Bring uint8 pixels to the network's range, as its transform does."""
    return ((pixels / 255 - MEAN) / SPREAD).contiguous(memory_format=torch.channels_last)


def permuted(data: LabelledScenes, *, seed: int) -> LabelledScenes:
    """Return the same scenes, each with all labels of another one: the data randomisation test.

    One permutation of the scenes, a single cycle so that none keeps its own, moves classes, the
    concepts present and the maps together; there are as many of every class as before.
    """
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    other = torch.empty_like(order)
    other[order] = order.roll(1)
    return data.labelled_as(other)


def _varied(pixels: Tensor, generator: torch.Generator) -> Tensor:
    n = len(pixels)
    gain = 1 + 0.16 * (torch.rand(n, 3, 1, 1, generator=generator) - 0.5)
    lift = 0.12 * (torch.rand(n, 1, 1, 1, generator=generator) - 0.5)
    return prepared((pixels / 255 * gain + lift).clamp(0, 1) * 255)


def _batches(
    data: LabelledScenes, generator: torch.Generator, vary: bool
) -> Iterator[tuple[LabelledScenes, Tensor]]:
    """Yield batches and what the network is shown of them."""
    order = torch.randperm(len(data), generator=generator)
    for index in torch.split(order, BATCH):
        batch = data.take(index)
        if vary and torch.rand(1, generator=generator) < 0.5:
            batch = batch.mirrored()
        yield batch, _varied(batch.pixels, generator) if vary else prepared(batch.pixels)


def train(data: LabelledScenes, *, epochs: int, seed: int, vary: bool = True) -> SceneNet:
    """Train a network on rendered scenes; the same seed and machine give the same network.

    Unless `vary` is False, scenes are mirrored and put in other light as they are shown.
    """
    share = data.present.float().mean(0)
    heads = torch.nonzero((share > RARE) & (share < USUAL)).flatten()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        names = tuple(CONCEPTS[int(k)] for k in heads)
        model = Training(SceneNet(len(SCENES), names)).to(memory_format=torch.channels_last)
    _fit(model, data, heads, epochs, torch.Generator().manual_seed(seed), vary)
    return model.folded()


def _fit(
    model: Training,
    data: LabelledScenes,
    heads: Tensor,
    epochs: int,
    generator: torch.Generator,
    vary: bool,
) -> None:
    steps = epochs * -(-len(data) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.02, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 5e-3, total_steps=steps, pct_start=0.2
    )
    with tqdm(total=steps, desc="training", unit="batch") as bar:
        for epoch in range(epochs):
            right = 0
            for batch, x in _batches(data, generator, vary):
                loss, logits = model.loss(batch, x, heads)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                right += int((logits.argmax(1) == batch.label).sum())
                bar.update()
            bar.set_postfix(epoch=epoch + 1, accuracy=right / len(data))


@torch.no_grad()
def evaluate(net: SceneNet, data: LabelledScenes) -> tuple[float, dict[str, float]]:
    """Return top-1 accuracy, and the average precision of each concept that some scene shows."""
    features = torch.cat([net.feature(prepared(x)) for x in torch.split(data.pixels, 100)])
    accuracy = float((net.classify(features).argmax(1) == data.label).float().mean())
    scores = net.detect(features).numpy()
    truth = data.present.numpy()[:, [CONCEPTS.index(name) for name in net.concept_names]]
    by_level = {
        name: float(average_precision_score(truth[:, k], scores[:, k]))
        for k, name in enumerate(net.concept_names)
        if truth[:, k].any()
    }
    return accuracy, by_level


def _chosen(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=6000, help="training scenes to render")
    parser.add_argument("--epochs", type=int, default=13)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("weights.safetensors"))
    parser.add_argument(
        "--labels",
        choices=("true", "permuted"),
        default="true",
        help="permuted: every training scene has all labels of another one",
    )
    parser.add_argument("--labels-seed", type=int, default=0, help="of the permutation")
    parser.add_argument(
        "--unvaried", action="store_true", help="show scenes neither mirrored nor in other light"
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Render, train, evaluate on unseen seeds and write the weights."""
    chosen = _chosen(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    began = time.monotonic()
    data = render(chosen.scenes, SEED_SPACE * (chosen.seed + 1))
    if chosen.labels == "permuted":
        data = permuted(data, seed=chosen.labels_seed)
    net = train(data, epochs=chosen.epochs, seed=chosen.seed, vary=not chosen.unvaried)
    save(net, chosen.out)
    log.info("wrote %s after %.0f s", chosen.out, time.monotonic() - began)
    log.info("accuracy on the scenes and labels of training %.4f", evaluate(net, data)[0])
    accuracy, precision = evaluate(net, render(1000, SEED_SPACE * (chosen.seed + 1) + 10**9))
    log.info(
        "accuracy %.4f, mean average precision %.4f", accuracy, np.mean(list(precision.values()))
    )
    for name, value in sorted(precision.items(), key=lambda item: item[1])[:12]:
        log.info("  %s: %.3f", name, value)


if __name__ == "__main__":
    main()
