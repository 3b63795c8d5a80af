"""Concept heads trained on a labelled concept set: one linear classifier per concept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..data.concept_sets import IGNORE, ConceptSet, label_maps
from ..data.samples import Batch, batches
from ..fitting.passes import batch_size
from ..network.classifier import Classifier
from ..network.probe import Probe
from ..solvers.logistic import fit_logistic
from .heads import LinearHeads, MapHeads, callable_heads

# The share of an image from which a concept counts as present, and of what an absent one may cover.
PRESENT, ABSENT = 0.006, 0.0
# A head wants this many images with its concept, and without.
FEWEST = 5
PENALTY = 0.1
# A scene is what is explained, not what explains.
SCENE = "scene"


def trained_heads(
    classifier: Classifier, data: ConceptSet, layer: str | None, *, penalty: float = PENALTY
) -> tuple[MapHeads, tuple[str, ...]]:
    """Return a linear head per concept of a set, on the layer's mean map, and what is to be said.

    A concept is there where it covers 0.6 % of the image, and missing where it covers nothing;
    between, the image is not asked about. Raises ValueError where no concept has enough images.
    """
    names = concept_names(data)
    rows, signs = _gathered(classifier, data, layer, names)
    enough = ((signs > 0).sum(0) >= FEWEST) & ((signs < 0).sum(0) >= FEWEST)
    if not enough.any():
        raise ValueError(
            f"got a concept set of {len(rows)} images in which none of {len(names)} concepts has"
            f" {FEWEST} images with and {FEWEST} without it; expected enough to train a head on;"
            " pass more images"
        )
    found = fit_logistic(
        torch.from_numpy(rows), torch.from_numpy(signs.T[enough]).to(torch.int8), penalty=penalty
    )
    kept = [n for n, some in zip(names, enough, strict=True) if some]
    left = [n for n, some in zip(names, enough, strict=True) if not some]
    notes = (f"Too few images with or without: {', '.join(left)}.",) if left else ()
    return callable_heads(LinearHeads(found.weights, found.bias), kept), notes


def concept_names(data: ConceptSet) -> tuple[str, ...]:
    """Return the concepts of a set as `level name`, without scenes."""
    levels = [level for level in data.levels if level != SCENE] or list(data.levels)
    return tuple(f"{level} {name}" for level in levels for name in data.names[level][1:])


def _gathered(
    classifier: Classifier, data: ConceptSet, layer: str | None, names: tuple[str, ...]
) -> tuple[Float[np.ndarray, "n k"], np.ndarray]:
    probe = Probe(classifier)
    rows, signs = [], []
    for batch in batches(data, classifier, size=batch_size(classifier)):
        for sample, mean in zip(batch.samples, _means(probe, batch, layer), strict=True):
            rows.append(mean)
            signs.append(_signs(sample.item, data, names))
    if not rows:
        raise ValueError(
            "got a concept set without a single image; labelled images were expected to train"
            " concept heads on; check the folder that it reads"
        )
    return np.stack(rows), np.stack(signs)


def _means(probe: Probe, batch: Batch, layer: str | None) -> Iterator[np.ndarray]:
    for x in batch.x:
        capture = probe.capture(x[None], None if layer is None else [layer])
        maps: Tensor = capture.maps[capture.layers[0].name]
        yield maps[0].double().mean((1, 2)).cpu().numpy()


def _signs(item: Any, data: ConceptSet, names: tuple[str, ...]) -> np.ndarray:
    found = []
    for level in dict.fromkeys(n.split(" ", 1)[0] for n in names):
        count = len(data.names[level])
        maps = label_maps(item, level, data.names[level])
        found.append(_present([np.asarray(m) for m in maps], count))
    return np.concatenate(found)


def _present(maps: list[np.ndarray], count: int) -> np.ndarray:
    """Return +1 where a concept is there, -1 where not, 0 where nobody knows."""
    if not maps:
        return np.zeros(count - 1, dtype=np.int8)
    shares = np.max([_shares(m, count) for m in maps], axis=0)
    known: Bool[np.ndarray, ""] = np.asarray(any((m != IGNORE).any() for m in maps))
    signs = np.where(shares >= PRESENT, 1, np.where(shares <= ABSENT, -1, 0))
    found: np.ndarray = (signs * known).astype(np.int8)
    return found


def _shares(labels: np.ndarray, count: int) -> np.ndarray:
    found: np.ndarray = np.bincount(labels.clip(0).ravel(), minlength=count)[1:] / labels.size
    return found
