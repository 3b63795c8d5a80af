"""Which part of an image the network sees: what a transform's resizing and cropping leave of it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from ..network.classifier import Classifier
from .label_maps import Window

WHITE = 255
GOLDEN = 0.618033988749895  # whose multiples spread most evenly between whole numbers
# Near its border an image that is resized repeats pixels, so that a ramp is flat there.
_BORDER = 0.05


class Framing:
    """The window of an image that a classifier's transform shows to the network.

    Found by sending ramps from black to white through the transform: their values say from where
    in the image each prepared pixel comes. Labels that are cut out by the same window (`window=` in
    `resampling`) lie where the network sees what they name.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._windows: dict[tuple[int, int], Window] = {}

    def window(self, size: tuple[int, int]) -> Window:
        """Return left, top, right and bottom of what the network sees, in shares of the sides.

        `size` is the image's `(height, width)`. Values beyond 0 and 1 are padding; where left and
        right are exchanged, the image is mirrored. Exact to two thousandths of a side. Raises
        ValueError for a transform that turns or bends images or their grey levels, or that leaves
        nothing of them.
        """
        if size not in self._windows:
            self._windows[size] = self._found(*size)
        return self._windows[size]

    def _found(self, height: int, width: int) -> Window:
        x0, x1 = self._ends(self._positions(_ramp(height, width)), 1 / width)
        y0, y1 = self._ends(self._positions(_ramp(width, height).T).T, 1 / height)
        return (x0, y0, x1, y1)

    def _positions(self, ramp: UInt8[np.ndarray, "H W"]) -> Float[np.ndarray, "h w"]:
        """Where on the ramp each prepared pixel lies, 0 to 1; NaN in the padding."""
        black, white = (self._through(np.full_like(ramp, level)) for level in (0, WHITE))
        span = white - black
        # Padding is the same whatever the image is.
        span[np.abs(span) <= 0.99 * np.abs(span).max()] = np.nan
        # Resizing rounds up, which the ramp and its negative show with opposite signs.
        there, back = self._through(ramp), self._through(WHITE - ramp)
        found: Float[np.ndarray, "h w"] = ((there - black) / span + (white - back) / span) / 2
        return found

    def _through(self, grey: UInt8[np.ndarray, "H W"]) -> Float[np.ndarray, "h w"]:
        x = self._classifier.prepared(Image.fromarray(grey))
        found: Float[np.ndarray, "h w"] = x[0].double().mean(0).cpu().numpy()
        return found

    def _ends(self, position: Float[np.ndarray, "h w"], pixel: float) -> tuple[float, float]:
        """Where the columns of a prepared image begin and end, from the positions they show."""
        height, width = position.shape
        y, x = ((np.arange(n) + 0.5) / n for n in (height, width))
        used = np.isfinite(position) & (np.abs(position - 0.5) < 0.5 - _BORDER)
        rows = np.stack([np.ones_like(position), np.broadcast_to(x, position.shape),
                         np.broadcast_to(y[:, None], position.shape)], -1)[used]  # fmt: skip
        if len(rows) < 3:
            raise ValueError(self._not_framed("leaves nothing of"))
        (start, along, aside), *_ = np.linalg.lstsq(rows, position[used], rcond=None)
        error = np.abs(rows @ (start, along, aside) - position[used]).max()
        allowed = 2 / WHITE + pixel
        if error > allowed or abs(aside) > allowed or abs(along) <= allowed:
            raise ValueError(self._not_framed("turns or bends"))
        return float(start), float(start + along)

    def _not_framed(self, what: str) -> str:
        return (
            f"the transform of {self._classifier!r} {what} images, so that their labels cannot be"
            " laid over what the network sees; expected one that resizes, crops, pads or mirrors"
            " them and scales their values; leave turning and augmenting out of it"
        )


def _ramp(height: int, width: int) -> UInt8[np.ndarray, "height width"]:
    """Black to white from left to right; rows are rounded at different levels, which evens out."""
    levels = WHITE * (np.arange(width) + 0.5) / width
    rounding = (np.arange(height) * GOLDEN) % 1
    return np.floor(levels + rounding[:, None]).clip(0, WHITE).astype(np.uint8)
