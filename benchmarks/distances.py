"""Inference distances between sets of scenes by two sets of settings: CHAIN, Fig. 8-11.

    OMP_NUM_THREADS=1 python benchmarks/distances.py
    OMP_NUM_THREADS=1 python benchmarks/distances.py --images 8 --gates 200

Houses with a pool, a hedge and a curb, and orchards, twenty scenes each as in the paper. Eq. 23
within a set, Eq. 24 between two, and how often sets drawn at random lie as far apart.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

import hexplain_widgets as hx

SURROUNDINGS = ("pool", "hedge", "curb")
OBJECTS = {"pool": "pool", "hedge": "hedge", "curb": "sidewalk"}


def scenes(count: int) -> dict[str, list[object]]:
    houses = {
        name: [hx.demo.scene("house", surroundings=name, seed=1000 + i).image for i in range(count)]
        for name in SURROUNDINGS
    }
    return houses | {
        "orchard": [hx.demo.scene("orchard", seed=1000 + i).image for i in range(count)]
    }


def show(title: str, comparison: hx.InferenceComparison) -> None:
    print(f"  {title}")
    p = comparison.p_values
    for i, name in enumerate(comparison.names):
        cells = " ".join(
            f"{d:.4f} (p {q:.3f})" for d, q in zip(comparison.distances[i], p[i], strict=True)
        )
        print(f"    {name:<10} {cells}", flush=True)


def measure(settings: str, count: int, gates: int) -> None:
    chain = hx.Chain(settings=settings, gates=gates)
    chain.fit(hx.demo.classifier(), hx.demo.scenes(400, seed=11).concepts(), progress=False)
    print(f"\n{chain!r}, {gates} gates, {count} images a set")
    sets = scenes(count)
    houses = {name: sets[name] for name in SURROUNDINGS}
    scene = {**dict.fromkeys(SURROUNDINGS, "house"), "orchard": "orchard"}
    show("Fig. 8 and 11, scene level: house, house, house, orchard", chain.compare(sets, scene))
    show("Fig. 9, object level: their own objects", chain.compare(houses, OBJECTS, "object"))
    show("Fig. 10, object level: the house in each", chain.compare(houses, "house", "object"))
    objects = {**dict.fromkeys(SURROUNDINGS, "house"), "orchard": "tree"}
    show("Fig. 11, object level: house and tree", chain.compare(sets, objects, "object"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--gates", type=int, default=1000)
    given = parser.parse_args()
    np.set_printoptions(precision=4)
    for settings in ("paper", "default"):
        measure(settings, given.images, given.gates)
    print(f"\ntorch {torch.__version__}, {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
