"""Images of every kind as the transform of a network takes them: 8 bits a channel, upright."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from ..arguments import is_finite

_KINDS = "a path, a PIL image, a numpy array (H x W x 3) or a tensor (3 x H x W, preprocessed)"
# Cameras and scanners write 12 bits into 16.
_DEPTHS = (12, 16)
# Orientations in which a picture's rows are its columns.
_LYING = (5, 6, 7, 8)


@dataclass(frozen=True)
class Picture:
    """A picture of 8 bits a channel, and what had to be assumed to make it one."""

    pixels: Image.Image
    notes: tuple[str, ...] = ()


def picture_of(image: Any, *, mode: str = "RGB") -> Image.Image:
    """Return a path, PIL image or numpy array as a PIL image of this mode, upright.

    Arrays are `H x W x 3` or `H x W`, uint8, uint16, bool or float in 0..1. What has more than 8
    bits is scaled by its depth. Raises FileNotFoundError, TypeError for what is no image,
    ValueError for an array of another shape, range or type.
    """
    return read_picture(image, mode=mode).pixels


def read_picture(image: Any, *, mode: str = "RGB") -> Picture:
    """Return what `picture_of` returns, with what had to be assumed of its depth."""
    if isinstance(image, str | os.PathLike):
        image = _opened(Path(image))
    if isinstance(image, np.ndarray):
        picture = _of_array(image)
    elif isinstance(image, Image.Image):
        picture = _of_bytes(ImageOps.exif_transpose(image))
    else:
        raise TypeError(
            f"got {type(image).__name__} as an image; expected {_KINDS}; convert it to one of these"
        )
    return Picture(picture.pixels.convert(mode), picture.notes)


def _opened(path: Path) -> Image.Image:
    if not path.is_file():
        raise FileNotFoundError(
            f"no file at {str(path)!r}; expected a picture there; check the path, relative paths"
            f" start at {str(Path.cwd())!r}"
        )
    try:
        with Image.open(path) as opened:
            opened.load()
            return opened
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as cause:
        raise ValueError(
            f"{str(path)!r} is not a picture that can be read ({cause}); expected a PNG, JPEG or"
            " other format that Pillow knows; open it in a viewer, or save it again as PNG"
        ) from cause


def _of_bytes(picture: Image.Image) -> Picture:
    """Return a picture of any of Pillow's modes; one of integers or floats by its depth."""
    if picture.mode == "F":
        return Picture(Image.fromarray(_of_floats(np.asarray(picture))))
    return _by_depth(np.asarray(picture)) if picture.mode.startswith("I") else Picture(picture)


def _of_array(array: np.ndarray[Any, Any]) -> Picture:
    _check_shape(array)
    if array.dtype == np.uint16:
        return _by_depth(array)
    if array.dtype == np.bool_:
        return Picture(Image.fromarray(array.astype(np.uint8) * np.uint8(255)))
    if np.issubdtype(array.dtype, np.floating):
        return Picture(Image.fromarray(_of_floats(array)))
    if array.dtype != np.uint8:
        raise ValueError(
            f"got a numpy image of {array.dtype}; expected uint8, or floats from 0 to 1, uint16 or"
            " bool; divide it by the largest value that it can have"
        )
    return Picture(Image.fromarray(array))


def _check_shape(array: np.ndarray[Any, Any]) -> None:
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise ValueError(
            f"got a numpy image of shape {array.shape}; expected (H, W, 3) or (H, W); move the"
            " channels to the end with array.transpose(1, 2, 0), or drop the extra ones"
        )
    if 0 in array.shape:
        raise ValueError(f"got an empty image of shape {array.shape}; expected pixels; check it")


def _by_depth(values: np.ndarray[Any, Any]) -> Picture:
    """Return integers of up to 16 bits as a picture: black is 0, white all bits of their depth."""
    low, high = int(values.min()), int(values.max())
    if low < 0 or high >= 2 ** _DEPTHS[-1]:
        raise ValueError(
            f"got a picture with values from {low} to {high}; expected 0 to 65535 at most; scale"
            " it yourself and pass an array of floats from 0 to 1"
        )
    bits = next(depth for depth in _DEPTHS if high < 2**depth)
    white = 2**bits - 1
    note = f"The picture's 16-bit values end at {high}: taken as {bits} bits, {white} is white."
    scaled = np.round(values.astype(np.float64) * (255 / white)).astype(np.uint8)
    return Picture(Image.fromarray(scaled), (note,) if high and bits < _DEPTHS[-1] else ())


def _of_floats(array: np.ndarray[Any, Any]) -> UInt8[np.ndarray, " ..."]:
    low, high = float(np.min(array)), float(np.max(array))
    if not (low >= 0.0 and high <= 1.0):
        raise ValueError(
            f"got a float image with values from {low:.3g} to {high:.3g}; expected 0 to 1; divide"
            " by 255, or pass a preprocessed image as a tensor"
        )
    return np.asarray(np.round(array * 255), dtype=np.uint8)


def batch_of(image: Tensor) -> Float[Tensor, "1 c h w"]:
    """Return a preprocessed tensor `3 x H x W` or `1 x 3 x H x W` as a batch of one.

    Raises ValueError for another shape, for integers and for values that are not finite.
    """
    if image.ndim not in (3, 4) or (image.ndim == 4 and image.shape[0] != 1) or 0 in image.shape:
        raise ValueError(
            f"got a tensor of shape {tuple(image.shape)}; expected one preprocessed image,"
            " 3 x H x W or 1 x 3 x H x W; pick one from the batch with x[i]"
        )
    if not image.is_floating_point():
        raise ValueError(
            f"got a tensor of {image.dtype}; a tensor is taken as already preprocessed, in floats;"
            " pass the picture itself (path, PIL image, uint8 array) to have it prepared"
        )
    if image.is_meta:
        raise ValueError(
            "got a tensor on the meta device, which has no values; an image was expected; make it"
            " on the network's device"
        )
    if not is_finite(image):
        raise ValueError(
            "got an image with NaN or infinite values; expected finite numbers; check how it was"
            " normalised (a standard deviation of 0?)"
        )
    return image.detach().reshape(1, *image.shape[-3:])


def bytes_in_range(
    x: Float[Tensor, "1 c h w"], low: Float[Tensor, " c"], high: Float[Tensor, " c"]
) -> UInt8[np.ndarray, "h w 3"]:
    """Return a prepared image as it looks: `low` becomes black, `high` white, per channel."""
    span = (high - low)[:, None, None]
    unit = (x[0].float().cpu() - low[:, None, None]) / span
    rgb = unit if unit.shape[0] == 3 else unit.mean(0, keepdim=True).expand(3, -1, -1)
    return (rgb.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()


def size_of(image: Any) -> tuple[int, int]:
    """Return the height and width of an image of any kind, upright, without reading its pixels."""
    if isinstance(image, Tensor):
        return int(image.shape[-2]), int(image.shape[-1])
    if isinstance(image, np.ndarray):
        return int(image.shape[0]), int(image.shape[1])
    if isinstance(image, Image.Image):
        width, height = image.size
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) in _LYING
        return (width, height) if turned else (height, width)
    with Image.open(image) as opened:
        return size_of(opened)


def thumbnail(shown: UInt8[np.ndarray, "h w 3"], side: int = 96) -> UInt8[np.ndarray, "_h _w 3"]:
    """Return an image shrunk to at most `side` pixels a side; a smaller one as it is."""
    whole = Image.fromarray(np.ascontiguousarray(shown))
    whole.thumbnail((side, side), Image.Resampling.BILINEAR)
    return np.array(whole)
