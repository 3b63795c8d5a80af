"""Heatmaps made by hand: an engine with the answers of a fitted one, and sheets, no network run."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import torch
from torch import nn

import hexplain_widgets as hx
from hexplain_widgets.evidence import (
    ChannelImportance,
    HeatMap,
    HeatMapSheet,
    Layer,
    Localization,
    Prediction,
    Provenance,
)
from hexplain_widgets.evidence.faithfulness import faithfulness
from hexplain_widgets.network.localize import upsampled
from tests.widgets.made import NAMES, STAGES, scene

LOGITS = (9.4, 8.6, 7.9, 4.8, 3.9)
LAYERS = tuple(
    Layer(name, "ReLU", (k, cells, cells), 5 - i, (field, field))
    for i, (name, k, cells, field) in enumerate(STAGES)
)
METHODS = (
    "CHIP", "Refined CHIP", "Guided CHIP", "Grad-CAM", "Guided Grad-CAM", "guided backpropagation",
)  # fmt: skip
PLACES = ((0.62, 0.5), (0.85, 0.25), (0.9, 0.75), (0.3, 0.5), (0.15, 0.8))  # y, x of each class


class Constant(nn.Module):
    """A network that gives every image the same logits."""

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Linear(3, len(NAMES))
        nn.init.zeros_(self.score.weight)
        self.score.bias = nn.Parameter(torch.tensor(LOGITS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.score(x.mean((2, 3)))


class MadeChip:
    """Answers as a fitted engine does; `asked` lists what heatmaps were asked for.

    The last class has no channel left above a sparsity of 0.1. With `rivals`, maps are held against
    so many other classes, which shifts them and halves them.
    """

    def __init__(
        self, sparsity: float = 0.01, layers=LAYERS, model: bool = True, rivals: int = 0
    ) -> None:
        self.sparsity, self.layers_, self.classes_ = sparsity, layers, NAMES
        self.rivals = rivals
        self.classifier_ = hx.Classifier(Constant(), classes=NAMES) if model else None
        self.asked: list[tuple] = []
        self.checked: list[tuple] = []

    def faithfulness(self, image, target=None, layer=None, *, method, rivals=None):
        self.checked.append((method, target, layer))
        held = self.rivals if rivals is None else rivals
        last = 1.0 if held and method == "CHIP" else 4.0
        return faithfulness(np.array([1.0, 2, last]), np.array([1.0, 2, 3]), seconds=0.25)

    def refit(self, *, sparsity: float) -> MadeChip:
        other = MadeChip(sparsity, self.layers_, rivals=self.rivals)
        other.asked, other.checked = self.asked, self.checked
        return other

    def matrix(self, classes=None, layer=None) -> ChannelImportance:
        layer = layer or self.layers_[0].name
        chosen = range(len(NAMES)) if classes is None else classes
        values = np.stack([self.weights(c, layer) for c in chosen])
        means, fit = np.ones(values.shape[1], np.float32), np.ones(len(values), np.float32)
        names = tuple(NAMES[c] for c in chosen)
        made = Provenance("CHIP", "Constant", "", {"sparsity": self.sparsity})
        return ChannelImportance(names, values, means, fit, layer, self.sparsity, made)

    def weights(self, target: int, layer: str) -> np.ndarray:
        count = next(one.shape[0] for one in self.layers_ if one.name == layer)
        full = draw(target, layer).standard_normal(count).astype(np.float32) ** 3
        cut = self.sparsity * float(np.abs(full).max())
        return np.sign(full) * np.maximum(np.abs(full) - cut, 0)

    def heatmaps(
        self, image, targets=None, *, layers=None, methods=("CHIP",), localize=False, rivals=None,
        stopped=None,
    ) -> HeatMapSheet:  # fmt: skip
        names = layers or [layer.name for layer in self.layers_]
        self.asked.append((tuple(methods), tuple(targets), tuple(names), localize))
        maps, boxes = [], []
        for method in methods:
            for target in targets:
                for plain in self.row(method, target, names):
                    heatmap = held_against(plain, self.rivals if rivals is None else rivals)
                    if stopped is not None and stopped():
                        break
                    maps.append(heatmap)
                    if localize:
                        boxes.append(box_of(heatmap))
        sheet = made_sheet(classes=0, sparsity=self.sparsity)
        return replace(sheet, layers=self.layers_, maps=tuple(maps), localizations=tuple(boxes))

    def row(self, method, target, names):
        weighted = method not in ("Grad-CAM", "guided backpropagation")
        if weighted and target == len(NAMES) - 1 and self.sparsity > 0.1:
            raise ValueError(
                f"got sparsity={self.sparsity:g}; every channel of {NAMES[target]!r} is zero there;"
                " expected one that leaves some; refit with sparsity=0.08"
            )
        if method == "Refined CHIP":
            return [refined(target, self.sparsity)]
        shown = names[:1] if method == "guided backpropagation" else names
        return [made_map(target, name, method, self.sparsity) for name in shown]


def draw(*words) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(words).encode()))


def made_map(target: int, layer: str, method: str = "CHIP", sparsity: float = 0.01) -> HeatMap:
    """A bump where the class is, with negative surroundings; finer and rougher when shallow."""
    depth = next(i for i, one in enumerate(LAYERS) if one.name == layer)
    cells = LAYERS[depth].shape[1]
    y, x = (np.mgrid[0:cells, 0:cells] + 0.5) / cells
    cy, cx = PLACES[target]
    away = (y - cy) ** 2 + (x - cx) ** 2
    rough = upsampled(draw(target, layer, method).standard_normal((14, 14)), (cells, cells))
    edges = np.abs(np.gradient(scene(cells).mean(-1) / 255)[0]) if cells > 14 else 0
    bump = np.exp(-away / (0.05 - 0.007 * depth)) * (1 + depth * edges * 2)
    values = (5 - target) * (bump - 0.18 + 0.1 * (1 + depth + 2 * sparsity) * rough)
    guided = method in ("Guided CHIP", "guided backpropagation")
    return HeatMap(
        values=values.astype(np.float32), layer=layer, target=NAMES[target], method=method,
        image=scene(224), provenance=provenance(method, sparsity), index=target,
        picture=picture(target, depth) if guided else None,
    )  # fmt: skip


def held_against(plain: HeatMap, rivals: int) -> HeatMap:
    """The map held against so many other classes: shifted by a quarter, and half as high."""
    if plain.method not in ("CHIP", "Guided CHIP"):
        return plain
    if not rivals:
        return replace(plain, rivals=())
    others = tuple(name for name in NAMES if name != plain.target)[:rivals]
    moved = np.roll(plain.values, plain.values.shape[1] // 4, axis=1) / 2
    return replace(plain, values=moved, rivals=others)


def refined(target: int, sparsity: float) -> HeatMap:
    deep = made_map(target, LAYERS[0].name, "CHIP", sparsity)
    shallow = made_map(target, LAYERS[-1].name, "CHIP", sparsity)
    values = np.maximum(upsampled(deep.values, (224, 224)), 0) * np.maximum(shallow.values, 0)
    name = f"{LAYERS[-1].name} × {LAYERS[0].name}"
    return replace(deep, values=values.astype(np.float32), layer=name, method="Refined CHIP")


def picture(target: int, depth: int) -> np.ndarray:
    y, x = np.mgrid[0:224, 0:224] / 224
    cy, cx = PLACES[target]
    window = np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (0.03 + 0.02 * depth))[..., None]
    wave = np.gradient(scene(224).astype(np.float64), axis=1) / 60
    return np.clip(128 + 127 * np.tanh(2 * wave) * window, 0, 255).astype(np.uint8)


def box_of(heatmap: HeatMap, threshold: float = 0.35) -> Localization:
    full = upsampled(heatmap.values, (224, 224))
    mask = full >= threshold * full.max()
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    return Localization(
        mask, box, threshold, heatmap.target, heatmap.layer, heatmap.image, heatmap.provenance,
        rivals=heatmap.rivals or (),
    )  # fmt: skip


def provenance(method: str, sparsity: float) -> Provenance:
    return Provenance(method, "Constant", NAMES[0], {"sparsity": sparsity}, 0)


def made_sheet(
    *, classes: int = 3, stages: int = 5, methods=("CHIP",), boxes: bool = False, sparsity=0.01
) -> HeatMapSheet:
    """A sheet of `classes` classes and `stages` layers, in as many methods as named."""
    likely = np.exp(np.array(LOGITS) - max(LOGITS))
    likely /= likely.sum()
    predictions = tuple(
        Prediction(i, name, float(p), v)
        for i, (name, p, v) in enumerate(zip(NAMES, likely, LOGITS, strict=True))
    )
    chip = MadeChip(sparsity, LAYERS[:stages], model=False)
    names = [layer.name for layer in LAYERS[:stages]]
    rows = [chip.row(m, t, names) for m in methods for t in range(classes)]
    maps = tuple(heatmap for row in rows for heatmap in row)
    found = tuple(map(box_of, maps)) if boxes else ()
    return HeatMapSheet(
        scene(224), predictions, LAYERS[:stages], maps, provenance("CHIP", sparsity), found
    )
