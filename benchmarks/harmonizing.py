"""How well layers of real networks hold the parts of cars and the things of a street.

    HEXPLAIN_DATA=... python benchmarks/harmonizing.py --network Mobile --set cars
    HEXPLAIN_DATA=... python benchmarks/harmonizing.py --set street --step 1 --seed SEED

Average precision on held-out pixels, by layer and concept, at the default sparsity of 0.003: three
in ten images are held out, of the street whole sequences. Every layer is harmonised in the same
pass over the images. A guess has the concept's share of the pixels.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import hexplain_widgets as hx
from hexplain_widgets.data.concept_sets import LabelledPicture
from tests.real.cases import CASES, classifier_of

LAYERS = {
    "MobileNetV2": (
        "features.18", "features.17", "features.16.conv.0", "features.14.conv.0", "features.13",
        "features.11.conv.0", "features.10", "features.7.conv.0", "features.4.conv.0",
    ),
    "SqueezeNet 1.1": (
        "features.12", "features.11", "features.10", "features.9", "features.7", "features.6",
        "features.4",
    ),
}  # fmt: skip
SETS = {"cars": ("car_parts", "part", None), "street": ("camvid", "object", "_")}


@dataclass(frozen=True)
class Repeated:
    """A concept set with one level under several names, one for each layer; every n-th image."""

    folder: hx.MaskFolder
    level: str
    levels: tuple[str, ...]
    step: int

    @property
    def names(self) -> Mapping[str, tuple[str, ...]]:
        return dict.fromkeys(self.levels, self.folder.names[self.level])

    @property
    def skipped(self) -> tuple:
        return self.folder.skipped

    def __len__(self) -> int:
        return -(-len(self.folder) // self.step)

    def __iter__(self) -> Iterator[LabelledPicture]:
        for i, item in enumerate(self.folder):
            if i % self.step == 0:
                masks = dict.fromkeys(self.levels, item.masks[self.level])
                yield LabelledPicture(item.key, item.image, masks)


def sequence(mark: str | None) -> Callable[[str], str] | None:
    return None if mark is None else lambda key: Path(key).name.split(mark)[0]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", default="", help="only the one whose name begins with this")
    parser.add_argument("--set", choices=SETS, default="cars")
    parser.add_argument("--step", type=int, default=2, help="take every so manyth image")
    parser.add_argument("--seed", type=int, default=0, help="of what is held out")
    given = parser.parse_args()
    data = Path(os.environ["HEXPLAIN_DATA"])
    folder, level, mark = SETS[given.set]
    for case in CASES:
        if case.name not in LAYERS or not case.name.startswith(given.network):
            continue
        start = time.perf_counter()
        layers = LAYERS[case.name]
        images = Repeated(hx.MaskFolder(data / folder, level=level), level, layers, given.step)
        chain = hx.Chain(levels={name: name for name in layers}, seed=given.seed)
        chain.fit(classifier_of(case, data), images, group=sequence(mark))
        show(case.name, chain)
        print(f"{len(images)} images, {time.perf_counter() - start:.0f} s", flush=True)


def show(name: str, chain: hx.Chain) -> None:
    found = {h.level: h for h in chain.harmonized_}
    first = next(iter(found.values()))
    tested = np.array([np.isfinite(h.precision) for h in found.values()]).all(0)
    print(f"\n{name}: mean over {tested.sum()} concepts, a guess {first.chance[tested].mean():.3f}")
    for layer, h in found.items():
        k, rows, columns = h.layer.shape
        print(f"  {layer:20s} {k:5d} x {rows:2d} x {columns:2d}   {h.precision[tested].mean():.3f}")
    print(f"{'':24s}{'guess':>7s}  best     layer")
    for e in np.argsort(-first.chance):
        if tested[e]:
            layer, h = max(found.items(), key=lambda pair, e=e: pair[1].precision[e])
            print(f"  {first.concepts[e]:22s}{first.chance[e]:7.3f} {h.precision[e]:6.3f}  {layer}")


if __name__ == "__main__":
    main()
