"""Channels that matter for classes of real networks, on photographs (CHIP, Fig. 10)."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

import hexplain_widgets as hx
from hexplain_widgets.network.gating import gated
from hexplain_widgets.network.guest import visiting
from hexplain_widgets.network.probe import Probe
from tests.real import tiny_imagenet
from tests.real.cases import CASES, classifier_of

IMAGENET = [case for case in CASES if not case.cifar]
IMAGES_OF_EACH = 5
# Heatmaps are best with many channels, classes are told apart best by few.
FEW = 0.1


@pytest.fixture(scope="module", params=IMAGENET, ids=lambda case: case.name)
def fitted(request, data) -> tuple[hx.Chip, dict[int, str]]:
    kinds = tiny_imagenet.kinds(data)
    seen: dict[int, int] = {}
    chosen = []
    for example in tiny_imagenet.examples(data):
        seen[example.label] = seen.get(example.label, 0) + 1
        if example.label in kinds and seen[example.label] <= IMAGES_OF_EACH:
            chosen.append((example.path, example.label))
    classifier = classifier_of(request.param, data, shrink=2)  # they have 64 a side
    chip = hx.Chip(layers=[request.param.layers[0]]).fit(classifier, chosen, progress=False)
    return chip, kinds


@pytest.mark.slow
def test_classes_of_one_kind_share_more_top_channels_than_others(fitted, capsys) -> None:
    chip, kinds = fitted
    chip = chip.refit(sparsity=FEW)
    overlap = chip.overlap(sorted(kinds), top=10)
    same, other = [], []
    for a, b in combinations(sorted(kinds), 2):
        shared = overlap.similarity(chip.classes_[a], chip.classes_[b])
        (same if kinds[a] == kinds[b] else other).append(shared)
    with capsys.disabled():
        print(f"\n{chip}: Jaccard of top 10, {len(kinds)} classes")
        for name, found in (("one kind", same), ("others", other)):
            print(f"  {name} {np.mean(found):.3f} ± {np.std(found) / len(found) ** 0.5:.3f}")
    error = np.sqrt(np.var(same) / len(same) + np.var(other) / len(other))
    assert np.mean(same) - np.mean(other) > 2 * error


@pytest.mark.slow
def test_closing_the_important_channels_costs_the_class_more_than_closing_others(
    fitted, data, capsys
) -> None:
    """The top twenty channels of a class, against twenty at random, on images it never saw."""
    chip, kinds = fitted
    classifier, layer = chip.classifier_, chip.layers_[0]
    channels = layer.shape[0]
    draw = np.random.default_rng(0)
    probe, drops = Probe(classifier), []
    for example in unseen(data, kinds):
        top = chip.overlap([example.label], top=20).channels[chip.classes_[example.label]]
        gates = torch.ones(1, 3, channels, dtype=torch.bool)
        gates[0, 1, list(top)] = False
        gates[0, 2, draw.choice(channels, len(top), replace=False).tolist()] = False
        x = classifier.prepare(example.path).x
        with visiting(classifier.model), torch.no_grad():
            way = gated(probe, x, [layer.name])
            logits = way.answers(way.take(x), layer.name, gates)[0, :, example.label]
        drops.append([float(logits[0] - logits[1]), float(logits[0] - logits[2])])
    important, random = np.mean(drops, axis=0)
    with capsys.disabled():
        print(f"\n  {len(drops)} images: the logit falls by {important:.2f} without the top 20,"
              f" by {random:.2f} without 20 at random")  # fmt: skip
    assert important > 4 * abs(random)


def unseen(data, kinds: dict[int, str]) -> list[tiny_imagenet.Example]:
    """The last photograph of every class."""
    last = {e.label: e for e in tiny_imagenet.examples(data) if e.label in kinds}
    return [last[index] for index in sorted(last)]
