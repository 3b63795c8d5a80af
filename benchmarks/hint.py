"""What HINT finds: F1 by layer, where concept maps point, and what each way of choosing is worth.

    python benchmarks/hint.py                      # the embedded world
    HEXPLAIN_DATA=... python benchmarks/hint.py    # and photographs
    python benchmarks/hint.py --quick              # a small sample of each
    python benchmarks/hint.py --keep FOLDER        # fits are kept there, and taken from there

* F1 by layer (Fig. 2b): of a concept's classifier on region vectors of held-out images (of
  photographs, one of each class: of classes never seen); `all yes` is the F1 of calling everything
  the concept. Mean over concepts ± standard error.
* Neurons (Fig. 4c, Tables 1-2): classifiers of the strongest neurons only, chosen by Shapley value
  (Owen's integral), by coefficient times standard deviation, by the coefficient alone, or at
  random; behind each figure the mean paired difference to random. `F1` as above; `AUC`: pixels of
  the truth against the others; `energy`: share of the map in the right cell of 2 x 2 pictures, of
  which the others are not the concept (0.25 knows nothing); `IoU` of the region, its threshold
  found on other pictures. Whole images and the centre are there to compare with.
* Saliency (Fig. 4b): the five ways of finding regions.
* Time of each stage, as in Fig. 3.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from localization import best, figure, mean_and_error
from pictures import (
    CALIBRATION_SEED,
    FIT_SEED,
    GRID_SEED,
    THINGS,
    UNSEEN_SEED,
    Network,
    Picture,
    boxed,
    grid_of,
    photographed,
    scenes,
    world,
)

sys.path.insert(0, str(Path(__file__).parents[1]))

import hexplain_widgets as hx
from hexplain_widgets.diagnosis.localization import pixel_auc, pointing_energy
from hexplain_widgets.hint.engine import above_lowest
from hexplain_widgets.hint.regions import Saliency
from hexplain_widgets.network.localize import THRESHOLDS, ious_by_threshold, upsampled
from hexplain_widgets.solvers.shapley import NeuronScores

SHARES = (0.1, 0.2, 0.4, 0.8)
TOP = 20
# Concepts of photographs: WordNet's, from broad to narrow.
CONCEPTS = (
    "animal", "invertebrate", "insect", "bird", "mammal", "canine", "feline", "reptile",
    "motor vehicle", "structure", "furniture", "fruit",
)  # fmt: skip
LAYERS = {
    "MobileNetV2": ("features.4.conv.0", "features.7.conv.0", "features.14.conv.0", "features.18"),
    "SqueezeNet 1.1": ("features.4", "features.7", "features.9", "features.12"),
}
DEFAULT: Saliency = "gradient_x_input"
BY = ("owen", "coefficient", "raw coefficient", "random")


@dataclass(frozen=True)
class Truth:
    """A picture and the concept that is asked for in it."""

    picture: Picture
    concept: str


@dataclass(frozen=True)
class Case:
    """A network with what HINT is fitted on, and pictures whose truth is known.

    `grids` ask for a concept in one cell of four; `known` and `unseen` have masks or boxes.
    """

    network: Network
    layers: tuple[str, ...]
    hierarchy: hx.Hierarchy
    data: Sequence[Any]
    grids: Callable[[], Iterable[Truth]]
    known: Callable[[], Iterable[Truth]]
    unseen: Callable[[], Iterable[Truth]]
    keep: Path | None = None

    def fit(self, saliency: Saliency = DEFAULT) -> hx.Hint:
        """Return the Hint of all layers; by another saliency, of the middle one alone."""
        file = self.keep and self.keep / f"{self.network.name} {saliency}.hx"
        if file and file.is_file():
            return hx.Hint.load(file, self.network.classifier)
        layers = self.layers if saliency == DEFAULT else (self.network.middle,)
        start = time.perf_counter()
        hint = hx.Hint(layer=layers, saliency=saliency)
        hint.fit(self.network.classifier, self.data, self.hierarchy, progress=False)
        took = time.perf_counter() - start
        print(f"{self.network.name}, {saliency}: regions of {hint.images_} images in {took:.0f} s")
        if file:
            hint.save(file)
        return hint


def only(hint: hx.Hint, layer: str) -> hx.Hint:
    """Return the Hint of one of its layers."""
    found = hint.at(layer)
    found._of_layers = {layer: hint._of_layers[layer]}
    return found


# the embedded world


def of_world(quick: bool) -> Case:
    network, hierarchy = world(), hx.demo.hierarchy()
    classes = hierarchy.matched(network.classifier.classes).classes

    def truths(count: int, seed: int) -> Iterator[Truth]:
        for i, picture in enumerate(scenes(network, count, seed)):
            above = [name for name, some in classes.items() if picture.target in some]
            yield Truth(picture, above[i // len(THINGS) % len(above)])

    size = 20 if quick else 200
    return Case(
        network, tuple(f"stage{i}" for i in range(1, 6)), hierarchy,
        hx.demo.scenes(40 if quick else 400, seed=FIT_SEED),
        grids=lambda: world_grids(network, classes, 4 if quick else 25),
        known=lambda: truths(size, CALIBRATION_SEED), unseen=lambda: truths(size, UNSEEN_SEED),
    )  # fmt: skip


def world_grids(network: Network, classes: dict, count: int) -> Iterator[Truth]:
    data = hx.demo.scenes(max(40, 6 * count), seed=GRID_SEED)
    prepared = [(network.classifier.prepare(image).x, label) for image, label in data]
    yield from grids_of(network, prepared, classes, count)


def grids_of(network: Network, images: list, classes: dict, count: int) -> Iterator[Truth]:
    """For every concept some grids: one picture of it, three that are not."""
    draw = np.random.default_rng(1)
    for concept, some in classes.items():
        own = [i for i, (_, label) in enumerate(images) if label in some]
        others = [i for i, (_, label) in enumerate(images) if label not in some]
        for k in draw.permutation(own)[: max(1, 4 * count // len(classes))] if others else ():
            chosen = [int(i) for i in draw.choice(others, 3, replace=False)]
            at = int(draw.integers(4))
            chosen.insert(at, int(k))
            x = grid_of([images[i][0] for i in chosen], network.grid)
            size = (network.grid, network.grid)
            yield Truth(Picture(x, images[k][1], size, cell=divmod(at, 2)), concept)


# photographs


def of_photographs(network: Network, data: Path, quick: bool) -> Case:
    whole = hx.Hierarchy.of(data / "imagenet" / "imagenet_hierarchy.json")
    names = [whole.find(name) for name in CONCEPTS]
    hierarchy = whole.select(names)
    classes = hierarchy.matched(network.classifier.classes).classes
    files = sorted((data / "imagenet" / "images").iterdir())
    some = [(files[i], i) for i in range(0, len(files), 20 if quick else 1)]
    inside = {c for members in classes.values() for c in members}
    images = [item for item in some if item[1] in inside]

    def boxes(part: int) -> Iterator[Truth]:
        turn = 0
        for picture in boxed(network, data, part, 40 if quick else 2):
            above = [name for name, members in classes.items() if picture.target in members]
            if above:
                turn += 1
                yield Truth(picture, above[turn % len(above)])

    def grids() -> Iterator[Truth]:
        prepare = network.classifier.prepare
        few = [(prepare(path).x, label) for path, label in some[:: 1 if quick else 5]]
        yield from grids_of(network, few, classes, 4 if quick else 40)

    return Case(
        network, LAYERS[network.name], hierarchy, images, grids,
        lambda: boxes(0), lambda: boxes(1),
    )  # fmt: skip


# figures


def summary(values: Iterable[float]) -> str:
    return "{:.3f} ± {:.3f}".format(*mean_and_error(np.array(list(values), dtype=float)))


def f1_by_layer(case: Case, quick: bool) -> None:
    print(f"\n{case.network.name}: F1 of concept classifiers by layer")
    hint = case.fit()
    print(f"  {hint.images_} images, {len(hint.concepts_)} concepts")
    for layer in reversed(hint.layers_):
        at = hint.at(layer.name)
        start = time.perf_counter()
        found = [at.quality(c.name) for c in at.concepts_]
        fitted = time.perf_counter()
        scores = at.scores.shape
        scored = time.perf_counter()
        measured = [q for q in found if q.regions]
        print(
            f"  {layer.name:22} F1 {summary(q.f1 for q in measured)}  all yes"
            f" {summary(q.chance for q in measured)}"
            f"  fitted {summary(q.fitted_f1 for q in measured)}"
            f"  classifiers {fitted - start:.2f} s, scores of {scores} {scored - fitted:.2f} s"
        )
    deepest = [(c.name, hint.quality(c.name)) for c in hint.concepts_]
    print("  " + ", ".join(f"{name} {q.f1:.2f} ({q.regions})" for name, q in deepest), flush=True)


Maps = dict[str, hx.Hint]


def chosen_by(hint: hx.Hint, by: str, top: float) -> hx.Hint:
    """Return the Hint with classifiers of the strongest neurons by one way of choosing."""
    if by != "raw coefficient":
        return hint.using(by).narrowed(top)
    raw = hint.using("coefficient")
    found = raw._associations
    values = found.classifiers.weights.abs().T.numpy()
    found.__dict__["scores"] = NeuronScores(values, None, by, None)
    return raw.narrowed(top)


def measured(case: Case, hints: Maps) -> dict[str, dict[str, list[float]]]:
    """Return every figure of every Hint: F1 by concept, the others by picture."""
    f1 = {
        n: [h.f1(c.name) for c in h.concepts_ if h.quality(c.name).regions]
        for n, h in hints.items()
    }
    energy = each(hints, case.grids(), in_cell)
    ious = each(hints, case.known(), by_threshold)
    at = {n: best(np.array(rows)) for n, rows in ious.items()}
    unseen = each(hints, case.unseen(), lambda heat, t: [on_truth(heat, t), *by_threshold(heat, t)])
    return {
        n: {
            "F1": f1[n],
            "AUC": [row[0] for row in unseen[n]],
            "energy": [row[0] for row in energy[n]],
            "IoU": [row[1 + at[n]] for row in unseen[n]],
        }
        for n in hints
    }


def each(
    hints: Maps, truths: Iterable[Truth], score: Callable[[np.ndarray, Truth], list[float]]
) -> dict[str, list[list[float]]]:
    rows: dict[str, list[list[float]]] = {name: [] for name in hints}
    for truth in truths:
        for name, hint in hints.items():
            heat = hint.explain(truth.picture.x, truth.concept).values
            rows[name].append(score(heat, truth))
    return rows


def in_cell(heat: np.ndarray, truth: Truth) -> list[float]:
    return [float(pointing_energy(above_lowest(heat))[truth.picture.cell])]


def mask_of(picture: Picture) -> np.ndarray:
    if picture.mask is not None:
        return picture.mask
    mask = np.zeros(picture.size, dtype=bool)
    x0, y0, x1, y1 = picture.box
    mask[y0:y1, x0:x1] = True
    return mask


def on_truth(heat: np.ndarray, truth: Truth) -> float:
    """Return the AUC, on boxes only where they are below half of the picture."""
    mask = mask_of(truth.picture)
    if truth.picture.mask is None and mask.mean() >= 0.5:
        return float("nan")
    return pixel_auc(upsampled(heat, truth.picture.size), mask)


def by_threshold(heat: np.ndarray, truth: Truth) -> list[float]:
    picture = truth.picture
    known = picture.mask if picture.mask is not None else picture.box
    return list(ious_by_threshold(above_lowest(heat), known, picture.size, THRESHOLDS))


def show(title: str, rows: dict[str, dict[str, list[float]]], reference: str | None) -> None:
    names = ("F1", "AUC", "energy", "IoU")
    counts = ", ".join(f"{n} {len(next(iter(rows.values()))[n])}" for n in names)
    print(f"\n{title} (n: {counts})")
    print("  ".join([f"{'':<28}", *(f"{n:<34}" for n in names)]).rstrip())
    for name, row in rows.items():
        against = None if reference is None or name == reference else rows[reference]
        cells = [
            figure(np.array(row[n]), None if against is None else np.array(against[n]))
            for n in names
        ]
        print("  ".join([f"{name:<28}", *(f"{c:<34}" for c in cells)]).rstrip(), flush=True)


def neurons(case: Case, quick: bool) -> None:
    middle = case.network.name == "MobileNetV2"
    hint = only(case.fit(), case.network.middle if middle else case.layers[-1])
    count = hint.layer_.shape[0]
    hints: Maps = {"all neurons": hint}
    for by in BY:
        hints[f"{TOP} by {by}"] = chosen_by(hint, by, TOP)
    for share in SHARES:
        hints |= {f"{share:.0%} by {by}": chosen_by(hint, by, share) for by in ("owen", "random")}
    title = f"{case.network.name}, {hint.layer_.name}: classifiers of few of {count} neurons"
    rows = measured(case, hints)
    show(title, rows, f"{TOP} by random")
    ours, scaled = (rows[f"{TOP} by {by}"] for by in ("owen", "coefficient"))
    for name in ours:
        paired = summary(np.array(ours[name], float) - np.array(scaled[name], float))
        print(f"  Shapley value over coefficient times deviation, paired: {name} {paired}")


def saliencies(case: Case, quick: bool) -> None:
    layer = case.network.middle
    hints = {name: only(case.fit(name), layer) for name in get_args(Saliency)}
    show(
        f"{case.network.name}, {layer}: ways of finding regions", measured(case, hints), "gradient"
    )


def paper(case: Case, quick: bool) -> None:
    """Tables 1-2 by the paper's settings beside the usual ones; scores by least squares."""
    layer, ours = case.layers[-1], only(case.fit(), case.layers[-1])
    hint = hx.Hint(layer=layer, settings="paper", shapley="retrained")
    hint.fit(case.network.classifier, case.data, case.hierarchy, progress=False)
    hints: Maps = {"usual, all neurons": ours, "paper's, all neurons": hint}
    for share in SHARES:
        hints[f"usual, {share:.0%} by owen"] = chosen_by(ours, "owen", share)
        for by in ("retrained", "coefficient", "random"):
            hints[f"paper's, {share:.0%} by {by}"] = chosen_by(hint, by, share)
    title = f"{case.network.name}, {layer}: the paper's settings"
    show(title, measured(case, hints), "usual, all neurons")


STEPS = {"paper": paper, "layers": f1_by_layer, "neurons": neurons, "saliency": saliencies}


def cases(quick: bool, begins: str) -> Iterator[Case]:
    if "embedded world".startswith(begins):
        yield of_world(quick)
    folder = os.environ.get("HEXPLAIN_DATA")
    for network in photographed(Path(folder)) if folder else ():
        if network.name.startswith(begins):
            yield of_photographs(network, Path(folder), quick)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a small sample of each")
    parser.add_argument("--only", choices=tuple(STEPS))
    parser.add_argument("--network", default="", help="only the one whose name begins with this")
    parser.add_argument("--keep", type=Path, help="a folder to keep fits in")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    if given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
    for case in cases(given.quick, given.network):
        case = replace(case, keep=given.keep)
        for name, step in STEPS.items():
            if given.only in (None, name):
                step(case, given.quick)
    print(f"\n{time.perf_counter() - start:.0f} s, torch {torch.__version__}")


if __name__ == "__main__":
    main()
