"""Randomisation (Fig. 8), context (Fig. 14), discriminative degrees (Fig. 15), pixel curves.

    python benchmarks/diagnosis.py                                    # the embedded world
    python benchmarks/diagnosis.py --only context
    HEXPLAIN_DATA=... python benchmarks/diagnosis.py --only streets   # street scenes, MobileNetV2
    HEXPLAIN_DATA=... python benchmarks/diagnosis.py --only redrawn   # resnet20 and MobileNetV2

* randomisation: Spearman correlation of attribution maps before and after the last layers of the
  network are drawn anew, one more each time; low is sensitive to what was learned.
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
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

import hexplain_widgets as hx
from hexplain_widgets.pixel_attributions import METHODS, PixelAttribution, pixel_map


def randomisation(count: int) -> None:
    scenes = hx.demo.scenes(count, seed=0)
    print(hx.measure_randomisation(hx.demo.classifier(), scenes, progress=False))


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
        told = "   ".join(f"{a:.3f} ± {e:.3f}" for a, e in zip(rows.mean(0), errors, strict=True))
        print(f"{name:24}{told}")


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
        print(hx.measure_randomisation(classifier_of(case, data), paths, **settings))


WORLD: dict[str, Callable[[int], None]] = {
    "randomisation": randomisation, "context": context, "degrees": degrees, "curves": curves,
}  # fmt: skip
REAL: dict[str, Callable[[int], None]] = {"streets": streets, "redrawn": redrawn}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=(*WORLD, *REAL))
    parser.add_argument("--images", type=int, default=20, help="ten times as many for labels")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    for name, step in {**WORLD, **REAL}.items():
        if given.only == name or (given.only is None and name in WORLD):
            start = time.perf_counter()
            print(f"\n{name}")
            step(given.images)
            print(f"{time.perf_counter() - start:.0f} s", flush=True)
    print(f"\ntorch {torch.__version__}")


if __name__ == "__main__":
    main()
