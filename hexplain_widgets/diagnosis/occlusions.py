"""Occlusions: an image with a region covered, and what the network then names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from ..arguments import one_of
from ..evidence import Occlusion
from ..network.classifier import Classifier

# Regions are given on so many rows and columns over the image.
GRID = 56
# A blur this wide, as a share of the image's smaller side, leaves no part to be told.
BLUR = 1 / 12


def _mean_colour(x: Float[Tensor, "1 c h w"]) -> Float[Tensor, "1 c h w"]:
    return x.mean((2, 3), keepdim=True).expand_as(x)


def _blurred(x: Float[Tensor, "1 c h w"]) -> Float[Tensor, "1 c h w"]:
    # here, for loading torchvision takes as long as torch itself
    from torchvision.transforms.v2 import functional

    height, width = x.shape[2:]
    sigma = max(0.5, BLUR * min(height, width))
    # no further than the image's border can be reflected
    reach = min(round(3 * sigma), min(height, width) - 1)
    blurred: Tensor = functional.gaussian_blur(x.float(), [2 * reach + 1] * 2, [sigma] * 2)
    return blurred.to(x)


FILLS: Mapping[str, Callable[[Tensor], Tensor]] = {"mean": _mean_colour, "blur": _blurred}


class Occluder:
    """Covers regions of one image and asks the network what it then names.

    `given` says that the image came prepared.
    """

    def __init__(
        self, classifier: Classifier, x: Float[Tensor, "1 c h w"], *, given: bool = False
    ) -> None:
        self._classifier, self._x, self._given = classifier, x, given

    @cached_property
    def fills(self) -> Mapping[str, Float[Tensor, "1 c h w"]]:
        """The whole image as each fill would cover it, prepared."""
        return {name: fill(self._x) for name, fill in FILLS.items()}

    def shown(self, fill: str) -> UInt8[np.ndarray, "h w 3"]:
        """Return how the image looks where it is wholly covered."""
        return self._looks(self.fills[fill])

    def covered(self, mask: Any, fill: str = "mean") -> Float[Tensor, "1 c h w"]:
        """Return the prepared image with the cells of `mask` `(56, 56)` covered.

        Raises ValueError for a mask of another shape or type and for an unknown fill.
        """
        one_of("fill", fill, tuple(FILLS))
        cells = torch.from_numpy(checked_mask(mask)).to(self._x.device)
        rows, columns = (
            (torch.arange(side, device=self._x.device) * 2 + 1) * GRID // (2 * side)
            for side in self._x.shape[2:]
        )
        return torch.where(cells[rows][:, columns], self.fills[fill], self._x)

    def occlusion(
        self, mask: Any, fill: str = "mean", *, wrong: int | str, right: int | str
    ) -> Occlusion:
        """Return what is named with a region covered, and both classes; raises like `covered`."""
        x = self.covered(mask, fill)
        logits = self._classifier.logits(x)[0]
        pair = (self._classifier.index_of(target, len(logits)) for target in (wrong, right))
        before, true = (self._classifier.prediction(logits, index) for index in pair)
        return Occlusion(
            mask=checked_mask(mask),
            fill=fill,
            image=self._looks(x),
            named=self._classifier.prediction(logits, int(logits.argmax())),
            wrong=before,
            right=true,
        )

    def _looks(self, x: Tensor) -> UInt8[np.ndarray, "h w 3"]:
        return self._classifier.shown(x, given=self._given)


def checked_mask(mask: Any) -> Bool[np.ndarray, "56 56"]:
    """Return a mask as it came; raises ValueError for another shape or type."""
    found = np.asarray(mask)
    if found.shape != (GRID, GRID) or found.dtype != np.bool_:
        raise ValueError(
            f"got a mask of shape {found.shape} and type {found.dtype}; expected {GRID} x {GRID}"
            " booleans, a cell of a grid over the image each; resize it, and compare it with 0"
        )
    return found


def mask_of(data: Any) -> Bool[np.ndarray, "56 56"]:
    """Return a mask from its cells as bytes, row by row, 1 where covered; raises ValueError."""
    if not isinstance(data, bytes | bytearray | memoryview):
        raise ValueError(
            f"got a mask of type {type(data).__name__}; expected {GRID * GRID} bytes, one for each"
            " cell; send the mask as a binary buffer"
        )
    cells = np.frombuffer(data, np.uint8)
    if len(cells) != GRID * GRID or cells.max(initial=0) > 1:
        raise ValueError(
            f"got a mask of {len(cells)} bytes up to {cells.max(initial=0)}; expected"
            f" {GRID * GRID} bytes of 0 or 1, one for each cell of {GRID} x {GRID}; send it again"
        )
    return np.asarray(cells.reshape(GRID, GRID) == 1)
