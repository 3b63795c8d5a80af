"""Responsible regions: where in a layer an image speaks for a concept (HINT, section 3.1)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .gated import Gated, Taken, gated, in_batches, rows_at_once
from .guest import visiting
from .probe import Probe
from .saliency import GuidedReLU

Saliency = Literal[
    "gradient", "gradient_x_input", "guided_backpropagation", "integrated_gradients", "smoothgrad"
]
Aggregate = Literal["norm", "positive_norm", "sum", "max", "abs_sum", "abs_max"]

# Standard deviation of SmoothGrad's noise as a share of the image's range (Smilkov et al. 2017).
NOISE = 0.15
# Above this percentile a saliency map is cut off before it is normalised.
CUT = 0.99
# A gradient that differs less over space than this share of its size is the same everywhere.
CONSTANT = 1e-4

AGGREGATES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "norm": lambda s: s.norm(dim=1),
    "positive_norm": lambda s: s.clamp(min=0).norm(dim=1),
    "sum": lambda s: s.sum(1),
    "max": lambda s: s.amax(1),
    "abs_sum": lambda s: s.abs().sum(1),
    "abs_max": lambda s: s.abs().amax(1),
}


@dataclass(frozen=True)
class Pairs:
    """Images asked about concepts: pair `p` asks image `image[p]` about classes `member[p]`."""

    image: Int[Tensor, " p"]
    member: Bool[Tensor, "p c"]

    def __len__(self) -> int:
        return len(self.image)


def concept_logits(
    logits: Float[Tensor, "p c"], member: Bool[Tensor, "p c"]
) -> Float[Tensor, " p"]:
    """Return the logit of each row's concept: the logsumexp of its classes' logits."""
    return logits.masked_fill(~member, -torch.inf).logsumexp(1)


class LayerSaliency:
    """Saliency of concepts, stopped at a layer instead of at the pixels.

    `samples` counts SmoothGrad's noisy copies and the steps of integrated gradients. Layers in
    `multiplied` have the same gradient everywhere: there it is multiplied by the layer's maps.
    Call everything but the constructor inside `guest.visiting`.
    """

    def __init__(
        self,
        probe: Probe,
        layers: Sequence[str],
        method: Saliency,
        *,
        samples: int,
        seed: int,
        multiplied: Sequence[str] = (),
    ) -> None:
        self._probe = probe
        self._layers = tuple(layers)
        self._method = method
        self._samples = samples
        self._seed = seed
        self._multiplied = frozenset(multiplied)
        self._ways: dict[tuple[int, ...], Gated] = {}

    def take(self, x: Float[Tensor, "n ch h w"]) -> Taken:
        """Run the network once on a batch of images, without gradients."""
        with torch.no_grad():
            return self._way(x).take(x)

    def _way(self, x: Tensor) -> Gated:
        shape = tuple(x.shape[1:])
        if shape not in self._ways:
            with torch.no_grad():
                self._ways[shape] = gated(self._probe, x[:2], self._layers)
        return self._ways[shape]

    def of(
        self, x: Float[Tensor, "n ch h w"], keys: Sequence[bytes], taken: Taken, pairs: Pairs
    ) -> dict[str, Float[Tensor, "p k h w"]]:
        """Return the saliency of every pair at every layer; `keys` identify the images."""
        if self._method == "smoothgrad":
            found = self._smooth(x, keys, pairs)
        else:
            find = _METHODS[self._method]
            found = {n: find(self, x, taken, n, pairs) for n in self._layers}
        return {n: s * taken.maps[n][pairs.image] if n in self._multiplied else s
                for n, s in found.items()}  # fmt: skip

    def _smooth(
        self, x: Tensor, keys: Sequence[bytes], pairs: Pairs
    ) -> dict[str, Float[Tensor, "p k h w"]]:
        """SmoothGrad as the paper changes it: the mean of d f^e(x') / d z' over noisy x'."""
        found: dict[str, Tensor] = {}
        spread = NOISE * (x.amax((1, 2, 3)) - x.amin((1, 2, 3)))
        for noise in self._noises(x, keys):
            noisy = x + spread[:, None, None, None] * noise
            taken = self.take(noisy)
            for name in self._layers:
                part = self.gradient(noisy, taken, name, pairs) / self._samples
                found[name] = found[name] + part if name in found else part
        return found

    def _noises(self, x: Tensor, keys: Sequence[bytes]) -> Any:
        draws = [torch.Generator().manual_seed(_seed(key, self._seed)) for key in keys]
        for _ in range(self._samples):
            each = [torch.randn(x.shape[1:], generator=draw) for draw in draws]
            yield torch.stack(each).to(x.device, x.dtype)

    def gradient(
        self,
        x: Tensor,
        taken: Taken,
        layer: str,
        pairs: Pairs,
        *,
        at: float = 1.0,
        mode: AbstractContextManager[Any] | None = None,
    ) -> Float[Tensor, "p k h w"]:
        """Return d f^e / d z of every pair, with the layer's maps scaled by `at`."""
        way, maps = self._way(x), taken.maps[layer]

        def run(part: slice) -> Tensor:
            image = pairs.image[part]
            rows = (at * maps[image]).detach().requires_grad_()
            with torch.enable_grad(), mode or nullcontext():
                logits = way.behind(taken, layer, image, rows)
                value = concept_logits(logits.float(), pairs.member[part]).sum()
            return torch.autograd.grad(value, rows)[0]

        return in_batches(run, len(pairs), rows_at_once(maps))

    def _gradient_x_input(
        self, x: Tensor, taken: Taken, layer: str, pairs: Pairs
    ) -> Float[Tensor, "p k h w"]:
        return self.gradient(x, taken, layer, pairs) * taken.maps[layer][pairs.image]

    def _guided(
        self, x: Tensor, taken: Taken, layer: str, pairs: Pairs
    ) -> Float[Tensor, "p k h w"]:
        return self.gradient(x, taken, layer, pairs, mode=GuidedReLU())

    def _integrated(
        self, x: Tensor, taken: Taken, layer: str, pairs: Pairs
    ) -> Float[Tensor, "p k h w"]:
        """The path runs from an empty layer to its maps; steps are taken at their middles."""
        steps = [(i + 0.5) / self._samples for i in range(self._samples)]
        whole = sum(self.gradient(x, taken, layer, pairs, at=at) for at in steps)
        return whole / self._samples * taken.maps[layer][pairs.image]


_METHODS: Mapping[str, Callable[..., Tensor]] = {
    "gradient": LayerSaliency.gradient,
    "gradient_x_input": LayerSaliency._gradient_x_input,
    "guided_backpropagation": LayerSaliency._guided,
    "integrated_gradients": LayerSaliency._integrated,
}
# Methods that hold no factor of the layer's maps: they know no place where the gradient has none.
PLAIN = ("gradient", "guided_backpropagation", "smoothgrad")


def _seed(key: bytes, seed: int) -> int:
    digest = hashlib.blake2b(key + str(seed).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def layers_without_place(
    probe: Probe, x: Float[Tensor, "1 ch h w"], layers: Sequence[str]
) -> tuple[str, ...]:
    """Return the layers at which the gradient of the strongest class is the same everywhere.

    So it is where global pooling and a linear layer follow.
    """
    saliency = LayerSaliency(probe, layers, "gradient", samples=1, seed=0)
    with visiting(probe.classifier.model):
        taken = saliency.take(x)
        member = torch.zeros_like(taken.logits, dtype=torch.bool)
        member[0, int(taken.logits[0].argmax())] = True
        pairs = Pairs(torch.zeros(1, dtype=torch.long, device=x.device), member)
        found = [(name, saliency.gradient(x, taken, name, pairs)) for name in layers]
    return tuple(name for name, gradient in found if _is_constant(gradient))


def _is_constant(gradient: Float[Tensor, "1 k h w"]) -> bool:
    size = float(gradient.abs().max())
    apart = float((gradient - gradient.mean((2, 3), keepdim=True)).abs().max())
    return size > 0 and apart <= CONSTANT * size


def responsibility(
    saliency: Float[Tensor, "p k h w"], aggregate: Aggregate
) -> Float[Tensor, "p h w"]:
    """Return saliency over channels as one map in 0..1; a flat map is 0 everywhere.

    0 is the map's minimum, 1 its 99th percentile, at which it is clipped.
    """
    found = AGGREGATES[aggregate](saliency.double() if saliency.device.type != "mps" else saliency)
    flat = found.flatten(1)
    low, high = flat.amin(1), flat.quantile(CUT, dim=1)
    span = high - low
    usable = span > CONSTANT * torch.maximum(high.abs(), low.abs())
    scaled = ((flat - low[:, None]) / span.where(usable, torch.ones_like(span))[:, None]).clamp(
        0, 1
    )
    return (scaled * usable[:, None]).view(found.shape)
