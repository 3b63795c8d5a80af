"""Activation maps as heat over an image, in the colours of the views."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from ..evidence import HeatMap, Node
from ..network.localize import upsampled
from .colours import ramp

Number = float | int
Box = tuple[Number, Number, Number, Number]
_FOR = (
    "3d0965 57106e 71196e 8a226a a32c61 bc3754 d24644 e45a31 f1731d f98e09 fcac11 f9cb35 f2ea69"
    " fcffa4"
)
_AGAINST = "0b1f5c 123a86 1c5aa8 2f7fc4 55a5da 8acbee c4ecff"
_OPAQUE = 0.85  # the image is to be seen under the strongest heat, too
_PALE = 0.3  # how much of the image's colour stays under a map
_LEAST, _WHOLE = 1 / 11, 0.62  # parts of the image's side: smallest crop, largest before the whole


def heat(values: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 4"]:
    """Return the colour and alpha of values between -1 and 1.

    The upper part of inferno for what speaks for the decision, blues for what speaks against it.
    """
    strength = np.clip(np.abs(values), 0, 1)
    colour = np.where((values < 0)[..., None], ramp(_AGAINST, strength), ramp(_FOR, strength))
    alpha = 255 * np.minimum(_OPAQUE, 1.25 * strength)
    shaded = np.rint(np.concatenate([colour, alpha[..., None]], axis=-1))
    return np.asarray(shaded, dtype=np.uint8)


def crop_of(node: Node, size: tuple[int, int]) -> Box:
    """Return the square of the image `(x0, y0, x1, y1)` that shows a node's map and its field."""
    height, width = size
    x0, y0, x1, y1 = _union(node.box, map_box(node, size))
    smaller = min(height, width)
    side = max(x1 - x0, y1 - y0, smaller * _LEAST)
    if side > smaller * _WHOLE:
        x0, y0, x1, y1, side = 0, 0, width, height, max(height, width)
    left, top = (
        _inside((x0 + x1 - side) / 2, side, width),
        _inside((y0 + y1 - side) / 2, side, height),
    )
    return left, top, left + side, top + side


def map_box(node: Node, size: tuple[int, int]) -> Box:
    """Return where a node's patch lies in the image, in pixels `(x0, y0, x1, y1)`."""
    (rows, columns), (y, x), (h, w) = node.shape, node.offset, node.patch.shape
    cell, row = size[1] / columns, size[0] / rows
    return x * cell, y * row, (x + w) * cell, (y + h) * row


def tile(node: Node, image: UInt8[np.ndarray, "H W 3"], pixels: int) -> Image.Image:
    """Return a node's map over its part of the image, a square of `pixels` a side."""
    size = (image.shape[0], image.shape[1])
    box = crop_of(node, size)
    under = cropped(Image.fromarray(pale(image)), box, pixels)
    strongest = float(np.abs(node.patch).max()) if node.patch.size else 0.0
    if strongest == 0:
        return under
    over = heat(_sampled(node.patch / strongest, map_box(node, size), box, size, pixels))
    under.paste(Image.fromarray(over), mask=Image.fromarray(over).getchannel("A"))
    return under


def cropped(image: Image.Image, box: Box, pixels: int) -> Image.Image:
    """Return the part `box` of an image as a square; pixels are to be seen where it is small."""
    sharp = pixels > 6 * (box[2] - box[0])
    how = Image.Resampling.NEAREST if sharp else Image.Resampling.BILINEAR
    scale = (box[2] - box[0]) / pixels
    part = (scale, 0, box[0], 0, scale, box[1])
    return image.transform((pixels, pixels), Image.Transform.AFFINE, part, how)


def pale(image: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H W 3"]:
    """Return the image with little colour, as the ground for a map."""
    grey = image @ np.array([0.299, 0.587, 0.114])
    faint = (grey[..., None] + (image - grey[..., None]) * _PALE) * 0.85
    return np.asarray(faint, dtype=np.uint8)


def overlaid(
    image: UInt8[np.ndarray, "h w 3"],
    values: Float[np.ndarray, "mh mw"],
    largest: Number = 1.0,
    opacity: Number = 1.0,
) -> UInt8[np.ndarray, "h w 3"]:
    """Return a map over its image; the strongest colour stands for `largest`."""
    ground = Image.fromarray(pale(image))
    spread = upsampled(values.astype(np.float64), (image.shape[0], image.shape[1]))
    coloured = heat(spread / largest)
    coloured[..., 3] = np.rint(coloured[..., 3] * opacity)
    over = Image.fromarray(coloured)
    ground.paste(over, mask=over.getchannel("A"))
    return np.asarray(ground)


def concept_pictures(
    maps: tuple[HeatMap, ...],
) -> tuple[list[UInt8[np.ndarray, "h w 3"]], float]:
    """Return maps over their images, coloured on one scale, and the scale's end."""
    largest = max((float(np.abs(one.values).max(initial=0)) for one in maps), default=0.0) or 1.0
    return [overlaid(one.image, one.values, largest) for one in maps], largest


def _union(a: tuple[int, int, int, int], b: Box) -> Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _inside(start: Number, side: Number, room: int) -> Number:
    return (room - side) / 2 if side >= room else min(room - side, max(0.0, start))


def _sampled(
    patch: Float[np.ndarray, "h w"], where: Box, box: Box, size: tuple[int, int], pixels: int
) -> Float[np.ndarray, "pixels pixels"]:
    """Bilinear values of a patch that lies at `where`, seen through `box`; zero around it."""
    h, w = patch.shape
    framed = _framed(patch, where, size)
    scale = (box[2] - box[0]) / pixels
    across, down = scale * w / (where[2] - where[0]), scale * h / (where[3] - where[1])
    left = (box[0] - where[0]) * w / (where[2] - where[0]) + 1
    top = (box[1] - where[1]) * h / (where[3] - where[1]) + 1
    sampled = Image.fromarray(framed).transform(
        (pixels, pixels),
        Image.Transform.AFFINE,
        (across, 0, left, 0, down, top),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(sampled, dtype=np.float64)


def _framed(
    patch: Float[np.ndarray, "h w"], where: Box, size: tuple[int, int]
) -> Float[np.ndarray, "h+2 w+2"]:
    """The patch in a frame of zeros; at the image's own border its last cells reach on."""
    height, width = size
    framed = np.pad(patch.astype(np.float32), 1)
    last = np.pad(patch.astype(np.float32), 1, mode="edge")
    for touches, side in (
        (where[0] <= 0, np.s_[:, 0]),
        (where[1] <= 0, np.s_[0]),
        (where[2] >= width, np.s_[:, -1]),
        (where[3] >= height, np.s_[-1]),
    ):
        if touches:
            framed[side] = last[side]
    return framed
