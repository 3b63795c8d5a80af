"""Failures made by hand: what a view shows of them, without a network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hexplain_widgets.evidence import Failure, FilterPortrait, Occlusion, Prediction, Provenance
from tests.widgets.made import scene
from tests.widgets.made_attack import LAYER, tree

CAT, DOG = Prediction(0, "cat", 0.9, 6.0), Prediction(5, "dog", 0.06, 4.0)


def made_failure(true: Prediction = DOG, **fields) -> Failure:
    """A dog that is named a cat: channel 328 adds 1.5 to the cat and 0.5 to the dog."""
    contributions = np.zeros((2, 512), np.float32)
    contributions[:, [328, 12, 40]] = [[1.5, 0.6, 0.4], [0.5, -0.2, 0.1]]
    wrong = replace(tree("cat", 0, 0.9), target=CAT)
    named = Prediction(5, true.name, 0.65, 4.5)
    found = Failure(
        wrong=wrong,
        right=replace(tree(true.name, 5, 0.06, 1), target=true) if true.logit > 0 else None,
        true=true,
        layer=LAYER,
        contributions=contributions,
        drops=contributions.astype(np.float64),
        channels=np.array([328, 12, 40]),
        maps=np.eye(14, dtype=np.float32)[None].repeat(3, 0) * 4,
        alone=(named, CAT, CAT),
        together=(named, named, named),
        provenance=Provenance("failure analysis (Fig. 11)", "VGG", "cat instead of dog"),
    )
    return replace(found, **fields)


def made_portraits(name: str = "cat") -> dict[str, tuple]:
    """Two exemplars of every channel, and their labels."""
    masks = np.zeros((2, 64, 64), bool)
    masks[:, 16:32, 16:32] = True
    portraits = tuple(
        FilterPortrait(k, np.stack([scene(64)] * 2), np.array([9.0, 8.0]), masks, 5.0)
        for k in (328, 12, 40)
    )
    return {"exemplars": portraits, "labels": ((name, ""),) * 3}


def made_occlusion(named: Prediction | None = None) -> Occlusion:
    """A sixteenth of the image covered: the dog is named with 65 %."""
    mask = np.zeros((56, 56), bool)
    mask[:14, :14] = True
    dog = Prediction(5, "dog", 0.65, 4.5)
    cat = Prediction(0, "cat", 0.2, 3.0)
    return Occlusion(mask, "blur", scene(64), named or dog, cat, dog)
