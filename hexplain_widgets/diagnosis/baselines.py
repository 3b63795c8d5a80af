"""Means of channels over reference images: what stands for a channel that is taken out."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..data.samples import batches
from ..network.classifier import Classifier
from ..network.probe import Probe


def channel_means(
    model: nn.Module | Classifier, images: Any, *, layers: Collection[str] | None = None
) -> dict[str, Float[Tensor, " k"]]:
    """Return every channel's mean over images and space, by layer (default: one per stage).

    `images` is data of images or `(image, label)`; it should not be the image that is explained,
    whose own means make the step before a pooling meaningless. Raises ValueError where there is no
    image, and what Probe.capture raises.
    """
    classifier = Classifier.of(model)
    probe = Probe(classifier)
    sums: dict[str, Float[Tensor, " k"]] = {}
    count = 0
    for batch in batches(images, classifier, size=1):
        capture = probe.capture(batch.x, layers)
        for name, maps in capture.maps.items():
            means = maps[0].double().mean((1, 2)).cpu()
            sums[name] = sums.get(name, torch.zeros_like(means)) + means
        count += 1
    if not count:
        raise ValueError("got no image; expected at least one to take means of; pass some images")
    return {name: total / count for name, total in sums.items()}
