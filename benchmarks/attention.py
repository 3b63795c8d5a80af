"""Trees of attention networks against those of a CNN: are they worth their pixels?

    python benchmarks/attention.py            # about five minutes on two cores
    python benchmarks/attention.py --quick    # fewer steps and images: does it run

Four small networks learn the same pictures, one bright shape each on noise with a dim shape of
another class beside it. For each: accuracy; the correlation of contributions with ablation
(Eq. 12) from the logits down, mean over images and the lowest of one; how much of the decision is
left without the tenth of the channels that contribute most, and without a random tenth; and how
often the strongest unit of the deepest and of the shallowest stage lies on the bright shape, beside
the shape's share of the picture.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import SwinTransformer, VisionTransformer

sys.path.insert(0, str(Path(__file__).parents[1]))

import hexplain_widgets as hx

SIZE, CLASSES = 48, 4


def shapes(count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures, the class of the bright shape, and where it is."""
    draw = np.random.default_rng(seed)
    pictures = draw.uniform(0, 0.4, (count, 3, SIZE, SIZE)).astype(np.float32)
    labels = draw.integers(0, CLASSES, count)
    masks = np.zeros((count, SIZE, SIZE), dtype=bool)
    for i, label in enumerate(labels):
        other = (label + draw.integers(1, CLASSES)) % CLASSES
        left = bool(draw.integers(0, 2))
        masks[i] = _shape(int(label), left, draw)
        pictures[i, :, masks[i]] += 0.6
        pictures[i, :, _shape(int(other), not left, draw)] += 0.15
    return torch.from_numpy(pictures.clip(0, 1)), torch.from_numpy(labels), torch.from_numpy(masks)


def _shape(kind: int, left: bool, draw: np.random.Generator) -> np.ndarray:
    rows, columns = np.mgrid[:SIZE, :SIZE]
    y = rows - draw.integers(12, SIZE - 12)
    x = columns - draw.integers(10, 14) - (0 if left else SIZE // 2)
    square, disk = (np.abs(y) <= 7) & (np.abs(x) <= 7), y**2 + x**2 <= 64
    cross = square & ((np.abs(x) <= 2) | (np.abs(y) <= 2))
    return (square, disk, cross, square & ((x + y) % 6 < 3))[kind]


def _cnn() -> nn.Module:
    parts: list[nn.Module] = []
    for before, after in ((3, 16), (16, 32), (32, 64)):
        parts += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
        parts += [nn.MaxPool2d(2)]
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, CLASSES))


NETWORKS: Mapping[str, Callable[[], nn.Module]] = {
    "CNN": _cnn,
    "Swin": lambda: SwinTransformer(
        [4, 4], 32, [2, 2], [2, 4], [4, 4], stochastic_depth_prob=0.0, num_classes=CLASSES
    ),
    "ViT, class token": lambda: VisionTransformer(SIZE, 6, 5, 4, 64, 128, num_classes=CLASSES),
    "ViT, mean of patches": lambda: _MeanOfPatches(),
}


class _MeanOfPatches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.norm = nn.Conv2d(3, 64, 6, 6), nn.LayerNorm(64)
        self.place = nn.Parameter(0.02 * torch.randn(1, (SIZE // 6) ** 2, 64))
        self.blocks = nn.Sequential(
            *(
                nn.TransformerEncoderLayer(
                    64, 4, 128, 0.0, "gelu", batch_first=True, norm_first=True
                )
                for _ in range(5)
            )
        )
        self.head = nn.Linear(64, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(x).flatten(2).transpose(1, 2) + self.place
        return self.head(self.norm(self.blocks(tokens)).mean(1))


def trained(make: Callable[[], nn.Module], steps: int) -> nn.Module:
    """A network after so many steps on pictures that are not those it is measured on."""
    torch.manual_seed(0)
    network = make().train()
    x, y, _ = shapes(4096, seed=1)
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    for _ in range(steps):
        some = torch.randint(len(x), (48,))
        optimizer.zero_grad()
        F.cross_entropy(network(x[some]), y[some]).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return network.eval()


def on_shape(tree: hx.Decomposition, mask: Tensor) -> list[bool]:
    """Whether the strongest unit of the deepest and of the shallowest stage lies on the shape."""
    found, node = [], tree.root
    while node.children:
        node = node.children[0]
        (row, column), (rows, columns) = node.position, node.shape
        cells = (
            slice(i * SIZE // n, (i + 1) * SIZE // n) for i, n in ((row, rows), (column, columns))
        )
        found.append(bool(mask[tuple(cells)].any()))
    return [found[0], found[-1]]


def report(name: str, steps: int, images: int) -> str:
    """One network's lines."""
    begun = time.perf_counter()
    network = trained(NETWORKS[name], steps)
    x, y, masks = shapes(400, seed=2)
    with torch.no_grad():
        right = network(x).argmax(1) == y
    some = [i for i in range(len(x)) if right[i]][:images]
    trees = [hx.decompose(network, x[i], target=int(y[i])) for i in some]
    hits = np.mean([on_shape(tree, masks[i]) for tree, i in zip(trees, some, strict=True)], axis=0)
    data = [(x[i], int(y[i])) for i in some]
    measured = hx.measure_faithfulness(network, data, top_k=(3,), removed=(1,), progress=False)
    lines = [
        f"{name}: accuracy {float(right.float().mean()):.3f}, {time.perf_counter() - begun:.0f} s"
    ]
    for step in measured.steps:
        tenth = int(np.abs(step.fractions - 0.1).argmin())
        lines.append(
            f"  {step.deep} -> {step.shallow} ({step.channels}): r = {step.pearson[0]:.2f}"
            f" ± {step.errors[0]:.2f}, lowest {step.lowest[0]:.2f}; left without a"
            f" {step.fractions[tenth]:.0%}: most important {step.remaining[0, tenth]:.2f},"
            f" random {step.remaining[2, tenth]:.2f}"
        )
    share = float(masks[some].float().mean())
    lines.append(f"  strongest unit on the shape: deepest {hits[0]:.2f}, shallowest {hits[1]:.2f}")
    return "\n".join([*lines, f"  (the shape is {share:.2f} of the picture)"])


def main() -> None:
    """Print a report for each network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=NETWORKS)
    given = parser.parse_args()
    for name in [given.only] if given.only else NETWORKS:
        print(report(name, 20 if given.quick else 400, 3 if given.quick else 40), flush=True)


if __name__ == "__main__":
    main()
