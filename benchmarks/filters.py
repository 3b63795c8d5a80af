"""Which filters of a real network overlap parts of cars, and how many chance would give a part.

    HEXPLAIN_DATA=... python benchmarks/filters.py --layer features.17 --step 1

A filter has a part where its regions, above a quantile of its own values, overlap the part's
pixels with an IoU of 0.04 or more, summed over all images; chance is the same after the labels
were exchanged between images, the mean of five exchanges.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import hexplain_widgets as hx
from hexplain_widgets.atlas.gallery import FilterGallery
from tests.real.cases import CASES, classifier_of

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
    given = parser.parse_args()
    data = Path(os.environ["HEXPLAIN_DATA"])
    case = next(case for case in CASES if case.name.startswith(given.network))
    images = Every(hx.MaskFolder(data / "car_parts", level="part"), given.step)
    for quantile in QUANTILES:
        start = time.perf_counter()
        gallery = FilterGallery(given.layer, quantile=quantile)
        sheet = gallery.fit(classifier_of(case, data), images, progress=False).sheet()
        show(sheet, time.perf_counter() - start)


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
