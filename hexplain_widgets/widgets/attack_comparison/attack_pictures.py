"""Pictures of an attack: the magnified change, a concept on both images, as parts of a page."""

from __future__ import annotations

import base64
import html

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from ...evidence import HeatMap
from ...network.localize import upsampled
from ...pictures.heat import heat, pale
from .._shared.payload import picture_bytes

MOST_MAGNIFIED = 1000
_JPEG = b"\xff\xd8"


def magnified(
    change: Float[np.ndarray, "h w 3"],
) -> tuple[UInt8[np.ndarray, "h w 3"], int]:
    """Return a change as a picture around grey, and how many times it is magnified.

    The largest change of a pixel comes close to black or white; at most 1000 times.
    """
    largest = float(np.abs(change).max(initial=0))
    factor = MOST_MAGNIFIED if largest * MOST_MAGNIFIED <= 0.5 else max(1, int(0.5 / largest))
    picture = np.clip(np.rint(127.5 + 255 * factor * change), 0, 255)
    return picture.astype(np.uint8), factor


def concept_pictures(
    maps: tuple[HeatMap, ...],
) -> tuple[list[UInt8[np.ndarray, "h w 3"]], float]:
    """Return maps over their images, coloured on one scale, and the scale's end."""
    largest = max((float(np.abs(one.values).max(initial=0)) for one in maps), default=0.0) or 1.0
    return [_overlaid(one, largest) for one in maps], largest


def _overlaid(one: HeatMap, largest: float) -> UInt8[np.ndarray, "h w 3"]:
    height, width = one.image.shape[:2]
    ground = Image.fromarray(pale(one.image))
    values = upsampled(one.values.astype(np.float64), (height, width)) / largest
    over = Image.fromarray(heat(values))
    ground.paste(over, mask=over.getchannel("A"))
    return np.asarray(ground)


def figure(pixels: UInt8[np.ndarray, "h w 3"], caption: str, told: str) -> str:
    """Return a picture with its caption (markup) as part of a page; `told` (text) describes it."""
    data = picture_bytes(pixels)
    kind = "jpeg" if data.startswith(_JPEG) else "png"
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    height, width = pixels.shape[:2]
    sharp = "image-rendering: pixelated; " if max(height, width) < 64 else ""
    return (
        "<figure style='margin: 0; flex: 0 1 224px; min-width: 120px; max-width: 224px'>"
        f"<img src='{source}' alt='{html.escape(told, quote=True)}' style='{sharp}display: block;"
        f" width: 100%; height: auto; aspect-ratio: {width} / {height}; margin: 0;"
        " border-radius: 4px'>"
        f"<figcaption style='padding-top: 4px; line-height: 1.35'>{caption}</figcaption></figure>"
    )
