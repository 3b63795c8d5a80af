"""How well heatmaps find their class: grids, boxes and masks, with standard errors.

    python benchmarks/localization.py                          # the embedded world
    HEXPLAIN_DATA=... python benchmarks/localization.py        # and photographs
    python benchmarks/localization.py --quick                  # a small sample of each

Every figure is a mean ± standard error; behind it, in brackets, the mean paired difference to
Grad-CAM ± its standard error. Maps count where they are positive.

* Grids: 2 x 2 pictures of different classes that the network names rightly one by one; a map is
  asked for each of them. `energy`: share of the map in the right cell (0.25 knows nothing; sharper
  maps have more, see Grad-CAM squared), `hit`: its maximum there, `AUC`: pixels of the right cell
  against the others, which sharpening does not change.
* Boxes: the box around the largest part above a fraction of the maximum, the fraction found on
  other pictures. `IoU>.5`, `mean IoU`; `top-1`, `top-5`: localisation error, class and box both;
  `AUC`, `energy` inside, on boxes below half of the picture.
* Masks: pixel AUC, and IoU of the region.
* Report: the same boxes through `hx.measure_localization`, as a user calls it.

Contrastive excitation backpropagation (c-MWP) is not among them: Captum and pytorch-grad-cam do
not have it, zennit has only the plain one, and TorchRay, which has, is not kept since 2019.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from heatmaps import REFERENCE, Method, methods_of
from pictures import (
    CALIBRATION_SEED,
    UNSEEN_SEED,
    Labelled,
    Network,
    Picture,
    boxed,
    boxed_files,
    cars,
    photograph_grids,
    photographed,
    scene_grids,
    scenes,
    whole_pictures,
    world,
)

sys.path.insert(0, str(Path(__file__).parents[1]))

import hexplain_widgets as hx
from hexplain_widgets.diagnosis.localization import (
    energy_within,
    pixel_auc,
    pointing_energy,
    pointing_hit,
)
from hexplain_widgets.network.localize import OVERLAP, THRESHOLDS, ious_by_threshold, upsampled

Rows = dict[str, list[list[float]]]
Methods = dict[str, Method]
# What Grad-CAM reached before on the same data: energy in the grid, share of boxes (1,000 images).
KNOWN = {
    "MobileNetV2": ((0.785, 0.011), (0.566, 0.016)),
    "SqueezeNet 1.1": ((0.516, 0.009), (0.557, 0.016)),
}
GATES, GATES_QUICK = 20, 5


def positive(values: np.ndarray) -> np.ndarray:
    return np.maximum(values, 0)


def in_grid(values: np.ndarray, picture: Picture) -> list[float]:
    assert picture.cell is not None
    row, column = picture.cell
    energy = float(pointing_energy(values)[row, column])
    # twice as many pixels as cells: no cell lies on the border between two pictures
    h, w = values.shape
    fine, truth = upsampled(positive(values), (2 * h, 2 * w)), np.zeros((2 * h, 2 * w), dtype=bool)
    truth[row * h : (row + 1) * h, column * w : (column + 1) * w] = True
    return [energy, float(pointing_hit(fine, truth)), pixel_auc(fine, truth)]


def over(methods: Methods, network: Network, pictures: Iterable[Picture], score) -> Rows:
    """Every method's figures on every picture."""
    rows: Rows = {name: [] for name in methods}
    for picture in pictures:
        for name, method in methods.items():
            rows[name].append(score(method(network.classifier, picture.x, picture.target), picture))
    return rows


def by_threshold(values: np.ndarray, picture: Picture) -> list[float]:
    truth = picture.box if picture.mask is None else picture.mask
    return list(ious_by_threshold(values, truth, picture.size, THRESHOLDS))


def best(ious: np.ndarray) -> int:
    found = list(zip((ious > OVERLAP).mean(0), ious.mean(0), strict=True))
    return max(range(len(found)), key=found.__getitem__)


def with_box(network: Network, chosen: dict[str, int]):
    """Return how a map is scored against a box, each method at its own threshold."""
    rank: dict[int, int] = {}

    def score(name: str, values: np.ndarray, picture: Picture) -> list[float]:
        if id(picture) not in rank:
            rank.clear()
            logits = network.classifier.logits(picture.x)[0]
            rank[id(picture)] = int((logits > logits[picture.target]).sum())
        iou = by_threshold(values, picture)[chosen[name]]
        hit = float(iou > OVERLAP)
        errors = [1 - hit * (rank[id(picture)] < top) for top in (1, 5)]
        return [hit, iou, *errors, *small(values, picture)]

    return score


def small(values: np.ndarray, picture: Picture) -> list[float]:
    x0, y0, x1, y1 = picture.box
    if (x1 - x0) * (y1 - y0) >= 0.5 * picture.size[0] * picture.size[1]:
        return [float("nan"), float("nan")]
    truth = np.zeros(picture.size, dtype=bool)
    truth[y0:y1, x0:x1] = True
    fine = upsampled(positive(values), picture.size)
    return [pixel_auc(fine, truth), energy_within(fine, picture.box)]


def boxes(methods: Methods, network: Network, data: Path, step: int) -> tuple[Rows, dict]:
    calibrated = over(methods, network, boxed(network, data, 0, step), by_threshold)
    chosen = {name: best(np.array(ious)) for name, ious in calibrated.items()}
    score, rows = with_box(network, chosen), {name: [] for name in methods}
    for picture in boxed(network, data, 1, step):
        for name, method in methods.items():
            values = method(network.classifier, picture.x, picture.target)
            rows[name].append(score(name, values, picture))
    return rows, {name: THRESHOLDS[i] for name, i in chosen.items()}


def in_mask(values: np.ndarray, picture: Picture) -> list[float]:
    return [pixel_auc(upsampled(positive(values), picture.size), picture.mask)]


def masks(methods: Methods, network: Network, count: int) -> Rows:
    calibrated = over(methods, network, scenes(network, count, CALIBRATION_SEED), by_threshold)
    at = {name: best(np.array(ious)) for name, ious in calibrated.items()}
    unseen = scenes(network, count, UNSEEN_SEED)
    ious = over(methods, network, unseen, by_threshold)
    aucs = over(methods, network, unseen, in_mask)
    return {
        name: [[*auc, iou[at[name]]] for auc, iou in zip(aucs[name], ious[name], strict=True)]
        for name in methods
    }


def show(title: str, names: Sequence[str], rows: Rows, note: dict | None = None) -> None:
    print(f"\n{title}, n = {len(rows[REFERENCE])}")
    print("  ".join([f"{'':<48}", *(f"{n:<34}" for n in names)]).rstrip())
    own = np.array(rows[REFERENCE], dtype=float)
    for name, row in rows.items():
        values = np.array(row, dtype=float)
        cells = [
            figure(values[:, i], None if name == REFERENCE else own[:, i])
            for i in range(values.shape[1])
        ]
        at = f"at {note[name]:.2f}" if note else ""
        print("  ".join([f"{name:<48}", *(f"{c:<34}" for c in cells), at]).rstrip(), flush=True)


def figure(values: np.ndarray, own: np.ndarray | None) -> str:
    said = "{:.3f} ± {:.3f}".format(*mean_and_error(values))
    if own is None:
        return said
    return said + " ({:+.3f} ± {:.3f})".format(*mean_and_error(values - own))


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    kept = values[np.isfinite(values)]
    if len(kept) < 2:
        return float("nan"), float("nan")
    return float(kept.mean()), float(kept.std(ddof=1) / len(kept) ** 0.5)


GRID = ("energy", "hit", "AUC")
BOX = ("IoU>.5", "mean IoU", "top-1 error", "top-5 error", "AUC", "energy")


@dataclass(frozen=True)
class Asked:
    """What the command line asks for."""

    quick: bool
    only: str | None
    network: str
    chips: tuple[str, ...]

    def methods(self, network: Network, fitted: Labelled) -> Methods:
        data = [fitted[i] for i in range(0, len(fitted), 20)] if self.quick else fitted
        gates = GATES_QUICK if self.quick else GATES
        return methods_of(network, data, gates=gates, chips=self.chips)


def measure_world(asked: Asked) -> None:
    network = world()
    methods = asked.methods(network, Labelled(network, None, None))
    grids = scene_grids(network, 4 if asked.quick else 25)
    show("embedded world, grids of scenes", GRID, over(methods, network, grids, in_grid))
    rows = masks(methods, network, 20 if asked.quick else 200)
    show("embedded world, masks of a scene's things", ("AUC", "IoU of the region"), rows)


def measure_grids(network: Network, data: Path, asked: Asked) -> None:
    methods = asked.methods(network, Labelled(network, data, None))
    grids = photograph_grids(network, data, 2 if asked.quick else 100)
    rows = over(methods, network, grids, in_grid)
    show(f"{network.name}, grids of photographs", GRID, rows)
    compare(rows, *KNOWN[network.name][0])


def measure_cars(network: Network, data: Path, asked: Asked) -> None:
    methods = asked.methods(network, Labelled(network, data, None))
    pictures = cars(network, data, 10 if asked.quick else 200)
    show(f"{network.name}, parts of cars", ("AUC",), over(methods, network, pictures, in_mask))


def measure_boxes(network: Network, data: Path, asked: Asked) -> None:
    methods = asked.methods(network, Labelled(network, data, 0))
    rows, at = boxes(methods, network, data, 50 if asked.quick else 4)
    show(f"{network.name}, boxes of Tiny ImageNet", BOX, rows, at)
    compare(rows, *KNOWN[network.name][1])


def measure_report(network: Network, data: Path, asked: Asked) -> None:
    """Every third unseen picture of Tiny ImageNet, three tenths of them to find thresholds on."""
    start = time.perf_counter()
    clf, step = whole_pictures(network), 50 if asked.quick else 3
    fitted = [(image, label) for image, label, _ in boxed_files(data, 0, step)]
    torch.manual_seed(0)
    chip = hx.Chip(layers=[network.last], gates_per_image=GATES_QUICK if asked.quick else GATES)
    chip.fit(clf, fitted, progress=False)
    pictures = list(boxed_files(data, 1, step))
    found = hx.measure_localization(chip, pictures, progress=False)
    judged = len(found.places)
    print(f"\n{network.name}, hx.measure_localization on boxes of Tiny ImageNet")
    print(f"{found.seen} images, thresholds found on {found.calibrated}, judged on {judged};"
          f" CHIP fitted on {len(fitted)} others")  # fmt: skip
    print(found)
    print("less Grad-CAM: IoU > 0.5, mean IoU")
    for name, row in zip(found.methods, found.differences, strict=True):
        print(f"  {name:<24}" + "  ".join(f"{a:+.3f} ± {b:.3f}" for a, b in row[2:4]))
    print(f"{time.perf_counter() - start:.0f} s", flush=True)


def compare(rows: Rows, known: float, error: float) -> None:
    here = mean_and_error(np.array(rows[REFERENCE], dtype=float)[:, 0])
    print("Grad-CAM here {:.3f} ± {:.3f};".format(*here), f"known {known:.3f} ± {error:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a small sample of each")
    parser.add_argument("--only", choices=("world", "grids", "boxes", "cars", "report"))
    parser.add_argument("--network", default="", help="only the one whose name begins with this")
    parser.add_argument("--chips", nargs="*", default=(), help='only these, as "equal logit"')
    given = parser.parse_args()
    asked = Asked(given.quick, given.only, given.network, tuple(given.chips))
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    if asked.only in (None, "world") and not asked.network:
        measure_world(asked)
    folder = os.environ.get("HEXPLAIN_DATA")
    for network in photographed(Path(folder)) if folder and asked.only != "world" else ():
        if network.name.startswith(asked.network):
            for what, measure in (
                ("grids", measure_grids),
                ("boxes", measure_boxes),
                ("cars", measure_cars),
                ("report", measure_report),
            ):
                if asked.only in (None, what):
                    measure(network, Path(folder), asked)
    print(f"\n{time.perf_counter() - start:.0f} s, torch {torch.__version__}")


if __name__ == "__main__":
    main()
