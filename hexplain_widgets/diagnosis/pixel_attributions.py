"""Attributions at the pixels: which pixels a class's logit goes by, by several methods."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..arguments import one_of
from ..network.classifier import Classifier
from ..network.gating import drawing, in_batches
from ..network.gradients import GuidedReLU
from ..network.guest import visiting
from ..network.probe import Probe
from ..network.segments import Unit
from .selections import selections

# Standard deviation of SmoothGrad's noise as a share of the image's range (Smilkov et al. 2017).
NOISE = 0.15
# Noisy copies of SmoothGrad, and steps from black to the image of integrated gradients.
SAMPLES = 20
TOGETHER = 16
GAP = "gAP"
Kind = Callable[["PixelAttribution", Tensor, int, bytes], Tensor]


class PixelAttribution:
    """Asks one network which pixels of an image a class's logit goes by.

    `layers` are those that gAP goes down through (default: all stages), `top_k` channels of each
    decision; `seed` is of SmoothGrad's noise.
    """

    def __init__(
        self,
        classifier: Classifier,
        *,
        layers: Collection[str] | None = None,
        top_k: int = 3,
        samples: int = SAMPLES,
        seed: int = 0,
    ) -> None:
        self.classifier, self._layers, self._top_k = classifier, layers, top_k
        self._samples, self._seed = samples, seed
        self._probe: Probe | None = None

    def of(
        self, method: str, x: Float[Tensor, "1 c h w"], index: int, key: bytes = b""
    ) -> Float[np.ndarray, "c h w"]:
        """Return the attribution of a class's logit to every value of a prepared image, signed.

        `key` identifies the image, for what is drawn at random. Raises ValueError for an unknown
        method and what `Probe.capture` raises.
        """
        kind = METHODS[one_of("methods", method, tuple(METHODS))]
        with visiting(self.classifier.model):
            found = kind(self, x, index, key)
        values: Float[np.ndarray, "c h w"] = found[0].detach().double().cpu().numpy()
        return values

    def _gradients(
        self, x: Tensor, index: int, mode: AbstractContextManager[Any] | None = None
    ) -> Float[Tensor, "n c h w"]:
        def run(some: slice) -> Tensor:
            pixels = x[some].detach().clone().requires_grad_()
            with torch.enable_grad(), mode or nullcontext():
                # a network that changes its input in place may do so with a copy
                value = self.classifier.model(pixels * 1)[:, index].sum()
            return torch.autograd.grad(value, pixels)[0]

        return in_batches(run, len(x), TOGETHER)

    def gradient(self, x: Tensor, index: int, key: bytes) -> Tensor:
        """Return the gradient (Simonyan et al. 2014)."""
        return self._gradients(x, index)

    def guided(self, x: Tensor, index: int, key: bytes) -> Tensor:
        """Return guided backpropagation (Springenberg et al. 2015)."""
        return self._gradients(x, index, GuidedReLU())

    def smooth(self, x: Tensor, index: int, key: bytes) -> Tensor:
        """Return the mean gradient of noisy copies (SmoothGrad, Smilkov et al. 2017)."""
        draw = drawing(key, "SmoothGrad", self._seed)
        noise = torch.from_numpy(draw.standard_normal((self._samples, *x.shape[1:])))
        spread = NOISE * (x.max() - x.min())
        return self._gradients(x + spread * noise.to(x), index).mean(0, keepdim=True)

    def integrated(self, x: Tensor, index: int, key: bytes) -> Tensor:
        """Return gradients from black to the image, times their difference.

        Steps are taken at their middles (Integrated Gradients, Sundararajan et al. 2017).
        """
        black, _ = self.classifier.extent(x)
        at = (torch.arange(self._samples, dtype=torch.float64) + 0.5) / self._samples
        path = black + at.to(x)[:, None, None, None] * (x - black)
        return self._gradients(path, index).mean(0, keepdim=True) * (x - black)

    def gap(self, x: Tensor, index: int, key: bytes) -> Tensor:
        """Return the sum of the gradients of all decisions at the data layer (sec. 4.1, Fig. 8).

        The decision is taken apart down to the shallowest layer; every unit that is selected there
        adds its gradient at the pixels, once for each path of the tree that leads to it.
        """
        self._probe = self._probe or Probe(self.classifier)
        capture = self._probe.capture(x, self._layers)
        *_, last = selections(self._probe, capture, index, self._top_k)
        paths: dict[Unit, int] = {}
        for part, count in zip(last.parts, last.paths, strict=True):
            paths[part.unit] = paths.get(part.unit, 0) + count
        found = torch.zeros_like(x)
        segment = self._probe.segment(capture, None, last.layer.name)
        for decided in segment.decide(list(paths)):
            h, w = decided.gradients.shape[2:]
            for i, unit in enumerate(decided.units):
                top, left = decided.offsets[i]
                part_of = found[0, :, top : top + h, left : left + w]
                part_of += paths[unit] * decided.gradients[i]
        return found


METHODS: Mapping[str, Kind] = {
    GAP: PixelAttribution.gap,
    "gradient": PixelAttribution.gradient,
    "SmoothGrad": PixelAttribution.smooth,
    "guided backpropagation": PixelAttribution.guided,
    "integrated gradients": PixelAttribution.integrated,
}


def pixel_map(values: Float[np.ndarray, "c h w"], *, signed: bool) -> Float[np.ndarray, "h w"]:
    """Return one value a pixel: the sum over colours, of absolute values unless `signed`."""
    found: Float[np.ndarray, "h w"] = (values if signed else np.abs(values)).sum(0)
    return found
