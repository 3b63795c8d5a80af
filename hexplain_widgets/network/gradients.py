"""Gradient methods at a layer or at the pixels: guided backpropagation, Grad-CAM and its kin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from .segments import Segment, Unit, UnitGradients

_RELUS = frozenset((F.relu, torch.relu, Tensor.relu))
_RELUS_IN_PLACE = frozenset((F.relu_, torch.relu_, Tensor.relu_))
_CLIPPED_RELUS = frozenset((F.relu6, F.hardtanh))


class _GuidedReLUFunction(torch.autograd.Function):
    """ReLU with an upper clip whose gradient passes only where it and the input are positive."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, in_place: bool, high: float) -> Tensor:
        ctx.save_for_backward((x > 0) & (x < high))
        if in_place:
            ctx.mark_dirty(x)
            return x.clamp_(0, high)
        return x.clamp(0, high)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (open_,) = ctx.saved_tensors
        return grads[0].clamp(min=0) * open_, None, None


class GuidedReLU(TorchFunctionMode):
    """Makes every ReLU in the body guided (Springenberg et al. 2015); `count` says how many.

    ReLUs are met as functions, so nothing on the model is replaced.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        settings = dict(kwargs or {})
        if func in _RELUS or func in _RELUS_IN_PLACE:
            flag = settings.get("inplace", args[1] if len(args) > 1 else False)
            return self._guided(args[0], bool(flag) or func in _RELUS_IN_PLACE, float("inf"))
        if func in _CLIPPED_RELUS:
            low = settings.get("min_val", args[1] if func is F.hardtanh and len(args) > 1 else 0)
            high = settings.get("max_val", args[2] if len(args) > 2 else 6.0)
            if low == 0:
                return self._guided(args[0], bool(settings.get("inplace", False)), float(high))
        return func(*args, **settings)

    def _guided(self, x: Tensor, in_place: bool, high: float) -> Tensor:
        self.count += 1
        return _GuidedReLUFunction.apply(x, in_place, high)


def guided_backpropagation(
    segment: Segment, units: Sequence[Unit]
) -> Iterator[tuple[UnitGradients, bool]]:
    """Yield guided backpropagation of units to the start of their segment, batch by batch.

    The flag says whether there was a ReLU; without one this is the plain gradient.
    """
    mode = GuidedReLU()
    for batch in segment.decide(units, mode):
        yield batch, mode.count > 0


def class_gradients(
    segment: Segment, target: int
) -> tuple[Float[Tensor, "k h w"], Float[Tensor, "k h w"]]:
    """Return the gradient of a logit at the segment's first layer, and that layer's activations.

    The segment ends at the logits; a negative logit keeps its sign. Call it inside
    `guest.visiting`. Raises what `Segment.decide` raises.
    """
    (logit,) = segment.decide([Unit(target, 0, 0)])
    return logit.gradients[0] * logit.signs[0], logit.activations[0]


def grad_cam(
    gradients: Float[Tensor, "k h w"], activations: Float[Tensor, "k h w"]
) -> Float[np.ndarray, "h w"]:
    """Return Grad-CAM before its ReLU: activations, each channel weighted by its mean gradient.

    Signed, in units of the logit (Selvaraju et al. 2017, Eq. 1-2).
    """
    return _summed(gradients.mean((1, 2), keepdim=True), activations)


def hires_cam(
    gradients: Float[Tensor, "k h w"], activations: Float[Tensor, "k h w"]
) -> Float[np.ndarray, "h w"]:
    """Return HiResCAM: gradient times activation, summed over channels (Draelos & Carin 2020).

    Signed, in units of the logit; equal to Grad-CAM where pooling and a linear layer follow.
    """
    return _summed(gradients, activations)


def layer_cam(
    gradients: Float[Tensor, "k h w"], activations: Float[Tensor, "k h w"]
) -> Float[np.ndarray, "h w"]:
    """Return LayerCAM before its ReLU: only positive gradients count (Jiang et al. 2021, Eq. 5-6).

    In units of the logit; negative only where activations are.
    """
    return _summed(gradients.clamp(min=0), activations)


def _summed(
    weights: Float[Tensor, "k _h _w"], activations: Float[Tensor, "k h w"]
) -> Float[np.ndarray, "h w"]:
    return (weights.double() * activations.double()).sum(0).cpu().numpy()


def picture_of_gradient(gradient: Float[np.ndarray, "c h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Return a gradient at the pixels as a picture, grey where it is 0.

    Full colour stands for the 99.5th percentile of its size: single pixels would hide the rest.
    """
    size = np.abs(gradient).max(axis=0)
    largest = float(np.percentile(size[size > 0], 99.5)) if size.any() else 0.0
    rgb = gradient if gradient.shape[0] == 3 else np.repeat(gradient.mean(0, keepdims=True), 3, 0)
    unit = (rgb / largest).clip(-1, 1) if largest > 0 else rgb
    picture = np.round(127.5 + 127.5 * unit).astype(np.uint8).transpose(1, 2, 0)
    return np.ascontiguousarray(picture)
