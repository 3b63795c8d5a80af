"""What a removed channel is set to: zero, or its average over given images."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..arguments import SlowBar, check_finite, nearest
from ..data.samples import batches, length_of
from ..evidence import Layer
from ..network.classifier import Classifier
from ..network.probe import Probe


@dataclass(frozen=True)
class ChannelBaseline:
    """The means of every channel by layer, and in words what they are of."""

    means: Mapping[str, Float[Tensor, " k"]]
    said: str

    @property
    def note(self) -> str:
        """What is to be said where a channel is removed."""
        return f"A removed channel is set to its {self.said}."


def channel_means(
    model: nn.Module | Classifier, images: Any, *, layers: Collection[str] | None = None
) -> dict[str, Float[Tensor, " k"]]:
    """Return every channel's mean over images and space, by layer (default: one per stage).

    `images` is data of images or `(image, label)`; it should not be the image that is explained,
    whose own means make the step before a pooling meaningless. Raises ValueError where there is no
    image, and what Probe.capture raises.
    """
    return _means(Classifier.of(model), images, layers)[0]


def _means(
    classifier: Classifier, images: Any, layers: Collection[str] | None
) -> tuple[dict[str, Float[Tensor, " k"]], int]:
    probe = Probe(classifier)
    sums: dict[str, Float[Tensor, " k"]] = {}
    count = 0
    with SlowBar("means of channels", length_of(images)) as bar:
        for batch in batches(images, classifier, size=1):
            capture = probe.capture(batch.x, layers)
            for name, maps in capture.maps.items():
                means = maps[0].double().mean((1, 2)).cpu()
                sums[name] = sums.get(name, torch.zeros_like(means)) + means
            count += 1
            bar.update()
    if not count:
        raise ValueError("got no image; expected at least one to take means of; pass some images")
    return {name: total / count for name, total in sums.items()}, count


def baseline_of(
    classifier: Classifier, baseline: Any, layers: tuple[Layer, ...]
) -> ChannelBaseline | None:
    """Return what removed channels of these layers are set to, None for zero.

    `baseline` is data of images whose averages are taken, or what `channel_means` made of some.
    Raises ValueError for no image and for means that are not those of the layers, TypeError for
    what is no data.
    """
    if baseline is None:
        return None
    if isinstance(baseline, Mapping) and all(isinstance(m, Tensor) for m in baseline.values()):
        return ChannelBaseline(_fitting(baseline, layers), "given mean")
    means, count = _means(classifier, baseline, [layer.name for layer in layers])
    return ChannelBaseline(means, f"average over {count} image{'' if count == 1 else 's'}")


def _fitting(
    means: Mapping[str, Tensor], layers: tuple[Layer, ...]
) -> dict[str, Float[Tensor, " k"]]:
    for layer in layers:
        if layer.name not in means:
            raise ValueError(
                f"got baseline= means of {', '.join(map(repr, means)) or 'no layer'}; expected"
                f" those of {layer.name} too (the nearest: {nearest(layer.name, means)}); make them"
                " with hx.channel_means(model, images, layers=...)"
            )
        if tuple(means[layer.name].shape) != layer.shape[:1]:
            raise ValueError(
                f"got baseline= means of shape {tuple(means[layer.name].shape)} for {layer.name};"
                f" expected ({layer.shape[0]},), one for each channel; make them of this network"
                " with hx.channel_means(model, images)"
            )
        check_finite(f"baseline= has for {layer.name}", means[layer.name], of="means")
    return {layer.name: means[layer.name] for layer in layers}
