"""How far contributions agree with ablation on real photographs (Pearson, Eq. 12), per step.

HEXPLAIN_DATA=... python benchmarks/agreement.py --photographs 100
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.real.cases import CASES, classifier_of, correlations, photographs_of


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photographs", type=int, default=100)
    count = parser.parse_args().photographs
    data = Path(os.environ["HEXPLAIN_DATA"])
    for case in CASES:
        classifier = classifier_of(case, data)
        paths = photographs_of(case, data, count)
        rows = np.array([correlations(classifier, path) for path in paths])
        errors = rows.std(0, ddof=1) / np.sqrt(len(rows))
        print(f"{case.name}, {len(rows)} photographs")
        steps = ["T", *case.layers]
        for i, column in enumerate(rows.T):
            print(f"  {steps[i]:>12} -> {steps[i + 1]:<12} {column.mean():.3f} ± {errors[i]:.3f}"
                  f"  median {np.median(column):.3f}  lowest {column.min():.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
