"""Photographs through real networks: the literal tree, and agreement with ablation."""

from __future__ import annotations

import numpy as np
import pytest

import hexplain_widgets as hx
from tests.agreement import check_same
from tests.real.cases import correlations
from tests.reference import gap

# What the method reaches with the zero baseline, per step, over many photographs. The mean of
# twenty may miss it by chance, by no more than two standard errors.
AT_LEAST = {
    "SqueezeNet 1.1": (0.93, 0.93, 0.93, 0.93),
    "MobileNetV2": (0.85, 0.85, 0.85, 0.85, 0.70),
    "resnet20": (0.85, 0.85, 0.85),
    "resnet56": (0.85, 0.85, 0.85),
}


def positive(classifier: hx.Classifier, photographs) -> list:
    found = [(p, classifier.prepare(p)) for p in photographs]
    return [(p, x) for p, x in found if float(classifier.logits(x.x).max()) > 0]


def test_the_stages_are_found(case, classifier, photographs) -> None:
    table = hx.layers(classifier, photographs[0])
    stages = [layer.name for layer in table if layer.stage]
    assert stages == list(reversed(case.layers))


@pytest.mark.slow
@pytest.mark.timeout(1200)  # a minute of processor time for a large network
def test_photographs_are_taken_apart_as_the_literal_method_does(
    case, classifier, photographs
) -> None:
    clips = {"features.18": 6.0} if case.name == "MobileNetV2" else {}
    compared = 0
    for i, (path, prepared) in enumerate(positive(classifier, photographs)[::3]):
        top_k = 2 if i == 0 else 1
        tree = hx.decompose(classifier, path, top_k=top_k)
        literal = gap.decompose(
            classifier.model, prepared.x, tree.target.index, list(case.layers),
            top_k=top_k, clips=clips,
        )  # fmt: skip
        compared += check_same(tree.root.children, literal, tolerance=1e-3)
    assert compared >= 6 * len(case.layers)


@pytest.mark.slow
def test_contributions_correlate_with_ablation(case, classifier, photographs, capsys) -> None:
    rows = np.array(
        [correlations(classifier, path) for path, _ in positive(classifier, photographs)]
    )
    means, errors = rows.mean(0), rows.std(0, ddof=1) / np.sqrt(len(rows))
    steps = ["T", *case.layers]
    with capsys.disabled():
        print(f"\n{case.name}, {len(rows)} photographs: Pearson correlation with ablation to zero")
        for i, (mean, error) in enumerate(zip(means, errors, strict=True)):
            print(f"  {steps[i]:>12} -> {steps[i + 1]:<12} {mean:.3f} ± {error:.3f}"
                  f"  (lowest {rows[:, i].min():.2f})")  # fmt: skip
    assert means[0] == pytest.approx(1, abs=1e-3)
    for mean, error, least in zip(means, errors, AT_LEAST[case.name], strict=True):
        assert mean + 2 * error >= least
