"""Randomisation (Fig. 8), context (Fig. 14), discriminative degrees (Fig. 15), pixel curves.

    python benchmarks/diagnosis.py                                    # the embedded world
    python benchmarks/diagnosis.py --only context
    python benchmarks/diagnosis.py --only labels --keep FOLDER        # trains two networks, once
    HEXPLAIN_DATA=... python benchmarks/diagnosis.py --only streets   # street scenes, MobileNetV2
    HEXPLAIN_DATA=... python benchmarks/diagnosis.py --only redrawn   # resnet20 and MobileNetV2

* randomisation: Spearman correlation of attribution maps before and after the last layers of the
  network are drawn anew, one more each time; low is sensitive to what was learned. Beside it, the
  share of as many strongest pixels of every method's map that stay among the strongest.
* labels: the same of the shipped network and one trained on permuted labels, beside one that was
  trained just so on the same scenes with their own labels: how alike maps of two right ones are.
* context, degrees: over 200 scenes, beside what random places and shuffled classes give.
* curves: areas under the class's probability as pixels are deleted or inserted in a map's order.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

import hexplain_widgets as hx
from hexplain_widgets.demo import network, train
from hexplain_widgets.diagnosis.sanity import METHODS, PixelAttribution, pixel_map

# A network of 1,000 scenes that stay as they are learns them by heart in so many epochs.
BY_HEART = ("--seed", "1", "--scenes", "1000", "--epochs", "30", "--unvaried")


def randomisation(count: int) -> None:
    scenes = hx.demo.scenes(count, seed=0)
    told(hx.measure_randomisation(hx.demo.classifier(), scenes, progress=False))


def told(found: hx.RandomisationSummary) -> None:
    print(found)
    errors = [found.errors, found.shared_errors, found.other_errors, found.other_shared_errors]
    largest = max(float(one.max()) for one in errors if one is not None and one.size)
    print(f"standard errors up to {largest:.3f}")


def labels(count: int, keep: Path) -> None:
    shipped = hx.demo.classifier()
    for kind in ("permuted", "true"):
        path = keep / f"{kind}.safetensors"
        if not path.exists():
            train.main(["--labels", kind, *BY_HEART, "--out", str(path)])
        other = hx.Classifier(
            network.load(path), transform=shipped.transform, classes=shipped.classes
        )
        scenes = hx.demo.scenes(count, seed=0)
        print(f"\n{kind} labels")
        told(hx.measure_randomisation(shipped, scenes, counts=(), other=other, progress=False))


def context(count: int) -> None:
    concepts = hx.demo.scenes(10 * count, seed=0).concepts()
    for level in ("object", "part"):
        print(hx.measure_context(hx.demo.classifier(), concepts, level=level, progress=False))


def degrees(count: int) -> None:
    scenes = hx.demo.scenes(10 * count, seed=0)
    print(hx.discriminative_degrees(hx.demo.classifier(), scenes, progress=False))


def curves(count: int) -> None:
    classifier = hx.demo.classifier()
    chip = hx.Chip(seed=0).fit(classifier, hx.demo.scenes(100, seed=5), progress=False)
    found: dict[str, list[tuple[float, ...]]] = {}
    for image, _ in hx.demo.scenes(count, seed=0):
        x = classifier.prepare(image).x
        index = int(classifier.logits(x)[0].argmax())
        attribution = PixelAttribution(classifier)
        maps = {m: pixel_map(attribution.of(m, x, index), signed=False) for m in METHODS}
        maps |= {"CHIP": chip.explain(image, index), "Refined CHIP": chip.refine(image, index)}
        for name, one in maps.items():
            c = hx.insertion_deletion(classifier, image, one, index, steps=25, draws=2)
            areas = c.deletion_area, c.random_deletion_area, c.insertion_area
            found.setdefault(name, []).append((*areas, c.random_insertion_area))
    print(f"{'':24}deletion        random          insertion       random")
    for name, areas in found.items():
        rows = np.array(areas)
        errors = rows.std(0, ddof=1) / len(rows) ** 0.5
        both = "   ".join(f"{a:.3f} ± {e:.3f}" for a, e in zip(rows.mean(0), errors, strict=True))
        print(f"{name:24}{both}")


def streets(count: int) -> None:
    from tests.real.cases import CASES, classifier_of

    data = Path(os.environ["HEXPLAIN_DATA"])
    classifier = classifier_of(next(c for c in CASES if c.name == "MobileNetV2"), data)
    folder = hx.MaskFolder(data / "camvid", level="object")
    found = hx.measure_context(classifier, folder, level="object", progress=False)
    print(found)
    shares, chance = (c.sum(0) / found.maps.sum() for c in (found.counts, found.chance))
    for name, share, guess in zip(found.labels, shares, chance, strict=True):
        print(f"  {name:20} {share:.3f} of all maps, {guess:.3f} by chance")
    pictures = [item.image for item in folder]
    print(hx.discriminative_degrees(classifier, pictures, progress=False))


def redrawn(count: int) -> None:
    from tests.real.cases import CASES, classifier_of, photographs_of

    data = Path(os.environ["HEXPLAIN_DATA"])
    for name, images, counts in (("resnet20", 8, (1, 7, 19)), ("MobileNetV2", 3, (1, 5, 20))):
        case = next(c for c in CASES if c.name == name)
        paths = photographs_of(case, data, images)
        settings = {"samples": 5, "counts": list(counts), "progress": False}
        print(f"\n{name}, {images} photographs")
        told(hx.measure_randomisation(classifier_of(case, data), paths, **settings))


WORLD: dict[str, Callable[[int], None]] = {
    "randomisation": randomisation, "context": context, "degrees": degrees, "curves": curves,
}  # fmt: skip
REAL: dict[str, Callable[[int], None]] = {"streets": streets, "redrawn": redrawn}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=(*WORLD, *REAL, "labels"))
    parser.add_argument("--images", type=int, default=20, help="ten times as many for concepts")
    parser.add_argument("--keep", type=Path, help="a folder to keep the networks of labels in")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    steps = {**WORLD, **REAL}
    with TemporaryDirectory() as folder:
        kept = given.keep or Path(folder)
        kept.mkdir(parents=True, exist_ok=True)
        run(given.only, given.images, {**steps, "labels": partial(labels, keep=kept)})
    print(f"\ntorch {torch.__version__}")


def run(only: str | None, count: int, steps: dict[str, Callable[[int], None]]) -> None:
    for name, step in steps.items():
        if only == name or (only is None and name in WORLD):
            start = time.perf_counter()
            print(f"\n{name}")
            step(count)
            print(f"{time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
