"""How far decompositions are true: Table 1, Fig. 6, 7, 9 and 10 of Hierarchical Decomposition.

    python benchmarks/faithfulness.py                          # the embedded network
    HEXPLAIN_DATA=... python benchmarks/faithfulness.py --networks MobileNetV2 SqueezeNet resnet
    python benchmarks/faithfulness.py --images 20 --rivals     # with conductance, influence, LRP
    python benchmarks/faithfulness.py --ranking --images 60    # Fig. 10 by labels

* Correlation of each estimate with ablation to zero, and of the average activation with ablation to
  the mean of other images; mean over images ± standard error, and the worst image.
* What is left of a decision with a tenth of its channels masked: most, least important, random.
* Surrogates that keep few channels of each decision: the share of images whose class stays, ours
  and random channels; the share of channels that is kept.
* The share of images whose class stays without the most important channels of a layer.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

import hexplain_widgets as hx
from hexplain_widgets.diagnosis.surrogates import (
    BASELINES,
    baseline_importance,
    masked_logits,
    surrogate_channels,
    without_strongest,
)
from hexplain_widgets.evidence import FaithfulnessSummary
from hexplain_widgets.network.guest import visiting
from hexplain_widgets.network.probe import Probe
from hexplain_widgets.network.segments import Unit

TENTH = 3  # place of one tenth among the fractions that are masked
REFERENCE = 40  # images that means are taken over
KEPT = (1, 3, 8, 16, 64)  # channels of a decision that pass their importance on, in Fig. 10
REMOVED = (1, 2, 4, 8, 16)


def embedded(count: int) -> tuple[hx.Classifier, list[Any], list[Any]]:
    scenes = list(hx.demo.scenes(count + REFERENCE, seed=77))
    return hx.demo.classifier(), scenes[:count], scenes[count:]


def real(wanted: str, count: int) -> Iterator[tuple[str, hx.Classifier, list[Any], list[Any]]]:
    from tests.real.cases import CASES, classifier_of, photographs_of

    data = Path(os.environ["HEXPLAIN_DATA"])
    for case in CASES:
        if case.name.lower().startswith(wanted.lower()):
            paths = photographs_of(case, data, count + REFERENCE)
            kept = min(count, len(paths) // 2)
            yield case.name, classifier_of(case, data), paths[:kept], paths[kept:]


def measure(
    name: str, classifier: hx.Classifier, images: list[Any], others: list[Any], rivals: bool
) -> None:
    start = time.perf_counter()
    found = hx.measure_faithfulness(
        classifier, images, rivals=tuple(BASELINES) if rivals else (), progress=False
    )
    seconds = time.perf_counter() - start
    means = hx.measure_faithfulness(
        classifier, images, reference=others, top_k=(1,), removed=(1,), progress=False
    )
    print(f"\n{name}, {found.images} images, {seconds:.0f} s")
    table(found, means)
    surrogates(found)
    removals(found)
    for note in found.notes:
        print(f"  {note}")
    sys.stdout.flush()


def direct(probe: Probe, capture: Any, layer: str, index: int) -> np.ndarray:
    (decision,) = probe.segment(capture, layer, None).decide([Unit(index, 0, 0)])
    return (decision.gradients * decision.activations)[0].sum((1, 2)).double().cpu().numpy()


def rankings(name: str, classifier: hx.Classifier, items: list[Any], rivals: bool) -> None:
    """Fig. 10 as printed: accuracy by labels, by how many channels of a decision go on."""
    probe = Probe(classifier)
    rows: dict[tuple[str, str], list[np.ndarray]] = {}
    right = []
    for image, label in items:
        capture = probe.capture(classifier.prepared(image))
        index = int(capture.logits[0].argmax())
        right.append(index == label)
        with visiting(classifier.model):
            for layer, scores in scored(probe, capture, index, rivals):
                gates = [without_strongest(one, REMOVED) for one in scores.values()]
                logits = masked_logits(probe, capture, {layer: np.concatenate(gates)})
                hits = (logits.argmax(1).cpu().numpy() == label).reshape(len(scores), -1)
                for method, row in zip(scores, hits, strict=True):
                    rows.setdefault((layer, method), []).append(row)
    print(f"\n{name}, {len(items)} labelled images, accuracy {np.mean(right):.2f}; without the"
          f" {' '.join(map(str, REMOVED))} most important:")  # fmt: skip
    for (layer, method), each in rows.items():
        print(f"    {layer:<12} {method:<22} {' '.join(f'{v:.2f}' for v in np.mean(each, 0))}")


def scored(
    probe: Probe, capture: Any, index: int, rivals: bool
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """The importance of every layer's channels by each method."""
    trees = surrogate_channels(probe, capture, index, KEPT)
    for layer in capture.layers:
        name = layer.name
        scores = {f"tree, {k}": t.importance[name] for k, t in zip(KEPT, trees, strict=True)}
        scores["gradient x activation"] = direct(probe, capture, name, index)
        for rival in BASELINES if rivals else ():
            scores[rival] = baseline_importance(rival, probe.classifier, capture.x, name, index)
        scores["random"] = np.random.default_rng(index).random(layer.shape[0])
        yield name, scores


def table(found: FaithfulnessSummary, means: FaithfulnessSummary) -> None:
    for step, other in zip(found.steps, means.steps, strict=True):
        four = "  ".join(f"{r:.3f}±{e:.3f}" for r, e in zip(step.pearson, step.errors, strict=True))
        left = " ".join(f"{row[TENTH]:.2f}" for row in step.remaining)
        print(
            f"  {step.deep:>12} -> {step.shallow:<12} AA MA AG MG {four}  lowest"
            f" {step.lowest[0]:.2f}  ranks {step.ranks:.2f}  to the mean {other.pearson[0]:.3f}"
            f"±{other.errors[0]:.3f}  left {left}  activated {step.activated:.0f} of"
            f" {step.channels}, overlapping {step.overlapping:.1f}"
        )


def surrogates(found: FaithfulnessSummary) -> None:
    for i, k in enumerate(found.top_k):
        kept = " ".join(f"{share:.2f}" for share in found.kept[i])
        right = "" if found.accuracy is None else f"  right {found.accuracy[0, i]:.2f}"
        print(f"  keep {k:>2}: same class {found.match[0, i]:.2f}, random {found.match[1, i]:.2f}"
              f"{right}  kept by layer {kept}")  # fmt: skip


def removals(found: FaithfulnessSummary) -> None:
    print(f"  without the {' '.join(map(str, found.removed))} most important:")
    for layer, rows in zip(found.layers, found.survival, strict=True):
        for method, row in zip(found.methods, rows, strict=True):
            print(f"    {layer.name:<12} {method:<22} {' '.join(f'{v:.2f}' for v in row)}")


def label_of(path: Path) -> int:
    """The class of a photograph: its folder's name, or the number that its own name begins with."""
    from tests.real.cases import CIFAR_CLASSES

    if path.parent.name in CIFAR_CLASSES:
        return CIFAR_CLASSES.index(path.parent.name)
    index = Path(os.environ["HEXPLAIN_DATA"]) / "imagenet" / "imagenet_class_index.json"
    numbers = {wnid: int(i) for i, (wnid, _) in json.loads(index.read_text()).items()}
    return numbers[path.name.split("_")[0]]


def rank(wanted: str, count: int, rivals: bool) -> None:
    if wanted == "embedded":
        classifier, scenes, _ = embedded(count)
        rankings("embedded network", classifier, scenes, rivals)
        return
    for name, classifier, paths, _ in real(wanted, count):
        rankings(name, classifier, [(path, label_of(path)) for path in paths], rivals)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="*", default=["embedded"])
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--rivals", action="store_true", help="needs captum")
    parser.add_argument("--ranking", action="store_true", help="Fig. 10 as the paper prints it")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    for wanted in given.networks:
        if given.ranking:
            rank(wanted, given.images, given.rivals)
            continue
        if wanted == "embedded":
            measure("embedded network", *embedded(given.images), given.rivals)
            continue
        for case in real(wanted, given.images):
            measure(*case, given.rivals)
    print(f"\ntorch {torch.__version__}, {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
