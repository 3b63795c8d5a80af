"""Which filters of a real network overlap parts of cars, and how many chance would give a part.

    HEXPLAIN_DATA=... python benchmarks/filters.py --layer features.17 --step 1

A filter has a part where its regions, above a quantile of its own values, overlap the part's
pixels with an IoU of 0.04 or more, summed over all images; chance is the same after the labels
were exchanged between images, the mean of five exchanges.

    HEXPLAIN_DATA=... python benchmarks/filters.py --only exemplars --layer features.18

Which photographs stand for the filters of a layer: by the peak alone, as before, and by the peak
before the layer's clip. How many pictures are shown in all and how often the one shown most, how
many other images are as strong as those shown, how many filters are known again by their pictures
of the other half of the data, and how strong the filters are in what is shown, beside all others.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from functools import reduce
from itertools import chain
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import hexplain_widgets as hx
from hexplain_widgets.atlas.gallery import FilterGallery
from hexplain_widgets.atlas.maps import MapExtractor
from hexplain_widgets.data.samples import batches
from hexplain_widgets.fitting.exemplars import Exemplars, Strength, printable
from hexplain_widgets.network.probe import Probe
from tests.real.cases import CASES, classifier_of, photographs_of

QUANTILES = (0.995, 0.98)


class Every:
    """A concept set of every n-th image."""

    def __init__(self, folder: hx.MaskFolder, step: int) -> None:
        self.folder, self.step = folder, step
        self.levels, self.names, self.skipped = folder.levels, folder.names, ()

    def __len__(self) -> int:
        return -(-len(self.folder) // self.step)

    def __iter__(self):
        return (item for i, item in enumerate(self.folder) if i % self.step == 0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", default="Mobile", help="the one whose name begins with this")
    parser.add_argument("--layer", default="features.17")
    parser.add_argument("--step", type=int, default=1, help="take every so manyth image")
    parser.add_argument("--only", choices=("parts", "exemplars"), default="parts")
    given = parser.parse_args()
    data = Path(os.environ["HEXPLAIN_DATA"])
    case = next(case for case in CASES if case.name.startswith(given.network))
    if given.only == "exemplars":
        exemplars(classifier_of(case, data), given.layer, photographs_of(case, data, 1000))
        return
    images = Every(hx.MaskFolder(data / "car_parts", level="part"), given.step)
    for quantile in QUANTILES:
        start = time.perf_counter()
        gallery = FilterGallery(given.layer, quantile=quantile)
        sheet = gallery.fit(classifier_of(case, data), images, progress=False).sheet()
        show(sheet, time.perf_counter() - start)


def exemplars(classifier: hx.Classifier, layer: str, files: list[Path]) -> None:
    """Compare the images that stand for each filter by its peaks, and by those before the clip."""
    source = batches(files, classifier, size=8)
    first = next(source)
    extractor = MapExtractor(Probe(classifier), layer, first.x[:1])
    parts: list[Strength] = []
    keys: list[bytes] = []
    for batch in chain([first], source):
        parts.append(extractor.extract(batch).peaks)
        keys += [sample.key for sample in batch.samples]
    whole = reduce(Strength.joined, parts)
    print(f"{classifier.model.__class__.__name__}, {layer}, {len(keys)} photographs")
    tell("by the peak alone", Strength(whole.values), whole, keys)
    tell("by the peak before the clip", whole, whole, keys)


def tell(name: str, ranked: Strength, whole: Strength, keys: list[bytes]) -> None:
    shown = kept(ranked, keys, range(len(keys))).keys
    uses = Counter(shown.ravel().tolist())
    place = {printable(key): i for i, key in enumerate(keys)}
    chosen = np.vectorize(place.__getitem__)(shown)
    ranks = ranked.ranks()
    last = ranks[chosen[:, -1], np.arange(len(chosen))]
    ties = (ranks == last[None]).all(2).sum(0)
    halves = [kept(ranked, keys, range(i, len(keys), 2)) for i in range(2)]
    print(f"{name}: {len(uses)} pictures of {shown.size}, one {max(uses.values())} times")
    print(f"  as strong as the last that is shown: {np.median(ties):.0f} (median filter)")
    again = recognised(*(portraits_of(half, place, whole.means) for half in halves))
    print(f"  filters known again by the pictures of the other half of the data: {again:.0%}")
    for what, values in (("peak before the clip", whole.unclipped), ("mean", whole.means)):
        if values is not None:
            inside, rest = beside(values, chosen)
            print(f"  {what}: {inside:.2f} in the shown, {rest:.2f} in all other images")


def kept(strength: Strength, keys: list[bytes], some: range) -> Exemplars:
    found = Exemplars(strength.values.shape[1])
    each = (strength.values, strength.unclipped, strength.means)
    own = Strength(*(None if one is None else one[list(some)] for one in each))
    found.add(own, [keys[i] for i in some], lambda i: np.zeros((8, 8, 3), np.uint8))
    return found


def portraits_of(half: Exemplars, place: dict[bytes, int], means: np.ndarray) -> np.ndarray:
    """What all filters make of each filter's pictures, every filter brought to one scale."""
    scaled = (means - means.mean(0)) / means.std(0).clip(1e-9)
    return scaled[np.vectorize(place.__getitem__)(half.keys)].mean(1)


def recognised(one: np.ndarray, other: np.ndarray) -> float:
    """The share of filters whose pictures are most like their own of the other half.

    By what the other filters make of them: neither of two that are compared counts itself.
    """
    one, other = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (one, other))
    inner = one @ other.T - np.diag(one)[:, None] * other.T - one * np.diag(other)[None]
    return float((inner.argmax(1) == np.arange(len(inner))).mean())


def beside(values: np.ndarray, chosen: np.ndarray) -> tuple[float, float]:
    """The mean over filters of values in the chosen images, and in all others."""
    inside = np.take_along_axis(values, chosen.T, 0)
    rest = (values.sum(0) - inside.sum(0)) / (len(values) - len(inside))
    return float(inside.mean()), float(rest.mean())


def show(sheet: hx.FilterSheet, seconds: float) -> None:
    given = sheet.suggestions()
    parts = Counter(part for part, _ in given.values())
    best = max(given.values(), key=lambda found: found[1], default=("none", 0.0))
    filters = len(sheet.portraits)
    print(f"{sheet.layer.name}, quantile {sheet.quantile}, {sheet.images} images, {seconds:.0f} s")
    print(f"  {len(given)} of {filters} filters have a part; best {best[0]} {best[1]:.2f}")
    if sheet.chance is not None and sheet.iou is not None:
        lucky = int((sheet.chance >= sheet.least).sum())
        above = int((sheet.iou.max(1) > 2 * sheet.chance)[list(given)].sum())
        print(f"  by chance {lucky} ({sheet.by_chance:.0%}); {above} of {len(given)} at twice it")
    print("  " + ", ".join(f"{part} {count}" for part, count in parts.most_common()), flush=True)


if __name__ == "__main__":
    main()
