"""How far what CHIP and CHAIN say of channels agrees with closing each of them (Pearson, Eq. 12).

    OMP_NUM_THREADS=1 python benchmarks/inference_agreement.py          # the embedded world
    HEXPLAIN_DATA=... python benchmarks/inference_agreement.py --cars   # photographs of cars

CHIP: a class's importances against the mean drops of its logit in eight unseen scenes of the class,
by layer, over the ten classes. CHAIN: what each channel adds to a concept by the inference against
what the concept loses without it, by level, over all concepts that stand in the trees of unseen
images; of photographs the decision about the strongest class, harmonised with the parts of cars.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import hexplain_widgets as hx
from tests.real.cases import CASES, classifier_of

LAYERS = {"MobileNetV2": "features.14.conv.0", "SqueezeNet 1.1": "features.10"}
FITTED, UNSEEN = 11, 7


def chip_in_the_world(fitted: int, unseen: int) -> None:
    scenes = hx.demo.scenes(fitted, seed=FITTED)
    chip = hx.Chip().fit(hx.demo.classifier(), scenes, progress=False)
    print(f"CHIP, {fitted} scenes, classes held against 8 of {unseen} unseen scenes each")
    other = hx.demo.scenes(unseen, seed=UNSEEN)
    for layer in chip.layers_:
        found = [chip.agreement(c, other, layer.name) for c in range(len(chip.classes_))]
        tell(layer.name, [one.pearson for one in found], sum(one.seconds for one in found))


def chain_in_the_world(fitted: int, images: int) -> None:
    scenes = hx.demo.scenes(fitted, seed=FITTED, size=112)
    chain = hx.Chain().fit(hx.demo.classifier(), scenes.concepts(), progress=False)
    print(f"CHAIN, harmonised on {fitted} scenes, {images} unseen scenes")
    pictures = [hx.demo.scenes(images, seed=UNSEEN, size=112)[i][0] for i in range(images)]
    report(chain, pictures)


def chain_on_cars(images: int, step: int) -> None:
    data = Path(os.environ["HEXPLAIN_DATA"])
    for case in CASES:
        if case.name not in LAYERS:
            continue
        chain = hx.Chain(levels={"scene": None, "part": LAYERS[case.name]})
        folder = hx.MaskFolder(data / "car_parts", level="part")
        some = [one for i, one in enumerate(folder) if i % step == 0]
        chain.fit(classifier_of(case, data), Some(folder, some), progress=False)
        print(f"CHAIN in {case.name}, {len(some)} photographs harmonised, {images} others")
        report(chain, [one.image for i, one in enumerate(folder) if i % step == 1][:images])


class Some:
    """Some of the images of a concept set."""

    def __init__(self, folder: hx.MaskFolder, items: Sequence) -> None:
        self.levels, self.names, self.skipped = folder.levels, folder.names, folder.skipped
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self):
        return iter(self._items)


def report(chain: hx.Chain, pictures: Sequence) -> None:
    levels, found, seconds = tuple(chain.levels_), defaultdict(list), defaultdict(float)
    began = time.perf_counter()
    for picture in pictures:
        tree = chain.explain(picture)
        for path, concept in tree.root.walk():
            if concept.estimates is not None:
                check = chain.faithfulness(tree, picture, path)
                found[concept.level].append(check.pearson)
                seconds[concept.level] += check.seconds
    for level, below in pairwise(levels):
        tell(f"{level} -> {below}", found[level], seconds[level])
    print(f"  all in {time.perf_counter() - began:.0f} s")


def tell(name: str, values: Sequence[float | None], seconds: float) -> None:
    known = np.array([one for one in values if one is not None])
    error = known.std(ddof=1) / np.sqrt(len(known))
    print(
        f"  {name:22s} {known.mean():.3f} ± {error:.3f}  lowest {known.min():5.2f}"
        f"  below .5: {(known < 0.5).mean():4.0%}  n {len(known)} of {len(values)}"
        f"  {seconds / len(values):.2f} s each",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cars", action="store_true")
    parser.add_argument("--fitted", type=int, default=300)
    parser.add_argument("--images", type=int, default=40)
    given = parser.parse_args()
    if given.cars:
        chain_on_cars(given.images, step=4)
    else:
        chip_in_the_world(given.fitted, 200)
        chain_in_the_world(given.fitted, given.images)


if __name__ == "__main__":
    main()
