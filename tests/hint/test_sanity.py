"""HINT's findings go with the network's weights, and follow what an attack changes (Fig. 5)."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

import hexplain_widgets as hx
from hexplain_widgets.diagnosis.attacks import pgd

SCENES = 40


@pytest.fixture(scope="module")
def scenes() -> list:
    return list(hx.demo.scenes(SCENES, seed=1))


def drawn_anew(clf: hx.Classifier, count: int) -> hx.Classifier:
    """The network with its last `count` layers of weights drawn anew."""
    model = copy.deepcopy(clf.model)
    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    # `detect` reads concepts beside the classes: it is no part of what HINT looks at.
    layers = [m for m in layers if m is not model.detect]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for layer in layers[::-1][:count]:
            layer.reset_parameters()
    return hx.Classifier(model, transform=clf.transform, classes=clf.classes)


@pytest.fixture(scope="module")
def hint(scenes: list) -> hx.Hint:
    """A Hint of the network as it was trained."""
    return hx.Hint().fit(hx.demo.classifier(), scenes, hx.demo.hierarchy(), progress=False)


def of_weights_drawn_anew(count: int, scenes: list) -> hx.Hint:
    clf = drawn_anew(hx.demo.classifier(), count)
    return hx.Hint().fit(clf, scenes, hx.demo.hierarchy(), progress=False)


def mean_f1(hint: hx.Hint) -> float:
    found = [hint.quality(c.name) for c in hint.concepts_]
    return float(np.mean([q.f1 for q in found if q.regions]))


@pytest.mark.slow
def test_concepts_are_lost_layer_by_layer_as_weights_are_drawn_anew(
    scenes: list, hint: hx.Hint
) -> None:
    one, four = (mean_f1(of_weights_drawn_anew(count, scenes)) for count in (1, 4))
    whole = mean_f1(hint)
    print(f"F1 {whole:.3f}, one layer anew {one:.3f}, four {four:.3f}")
    assert whole > one > four
    assert four < 0.7 * whole


def test_an_attack_brings_the_wrong_concept_into_the_picture(hint: hx.Hint) -> None:
    attacked = pgd(hx.demo.classifier(), hx.demo.scene("pasture", seed=3).image, "harbor")
    assert (attacked.before.name, attacked.after.name) == ("pasture", "harbor")
    wrong, right = (
        [hint.explain(x, concept).values.mean() for x in (attacked.x, attacked.adversarial)]
        for concept in ("waterside", "farmland")
    )
    assert wrong[1] > wrong[0]
    assert right[1] < right[0]
