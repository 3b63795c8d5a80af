"""What travels to all views: names and numbers as JSON, pixels as binary buffers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from ...evidence import Layer, Prediction

Path = tuple[int, ...]
CodedMap = tuple[UInt8[np.ndarray, "_ _"], int, float]  # bytes, zero, step
SMALL_PICTURE = 40  # pixels a side up to which a PNG is smaller than a JPEG's tables


def dotted(path: Path) -> str:
    """Return a path as the view writes it: `(0, 2, 1)` is `"0.2.1"`, the root is `""`."""
    return ".".join(map(str, path))


def path_of(text: str) -> Path:
    """Return the path that a view has written: `"0.2.1"` is `(0, 2, 1)`, `""` is the root."""
    return tuple(int(i) for i in text.split(".") if i)


def quantized(values: Float[np.ndarray, "h w"]) -> tuple[UInt8[np.ndarray, "h w"], int, float]:
    """Return `(q, zero, step)` with `values = (q - zero) * step` to half a step."""
    low, high = (
        (min(0.0, float(values.min())), max(0.0, float(values.max()))) if values.size else (0, 0)
    )
    step = six_digits((high - low) / 254) or 1.0
    zero = round(-low / step)
    return np.clip(np.rint(values / step) + zero, 0, 255).astype(np.uint8), zero, step


def picture_bytes(pixels: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """Return a picture as JPEG of quality 85, or as PNG where that is the smaller."""
    out = BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    if max(picture.size) <= SMALL_PICTURE:
        picture.save(out, format="PNG", optimize=True)
    else:
        picture.save(out, format="JPEG", quality=85)
    return out.getvalue()


def map_columns(maps: Sequence[CodedMap]) -> dict[str, list[Any]]:
    """Return how the maps of a buffer are read, as columns: extent, zero and step of each."""
    return {
        "extent": [list(pixels.shape) for pixels, _, _ in maps],
        "zero": [zero for _, zero, _ in maps],
        "step": [step for _, _, step in maps],
    }


def map_bytes(maps: Iterable[CodedMap]) -> bytes:
    """Return maps behind each other in one buffer, row by row."""
    return b"".join(pixels.tobytes() for pixels, _, _ in maps)


def append_file(encoded: bytes, data: bytearray) -> list[int]:
    """Append a file to a buffer; return `[start, length]` of its place there."""
    start = len(data)
    data += encoded
    return [start, len(encoded)]


def files_payload(files: Iterable[bytes]) -> dict[str, Any]:
    """Return files in one buffer, with `[start, length]` of each."""
    data = bytearray()
    return {"places": [append_file(one, data) for one in files], "data": bytes(data)}


def prediction_fields(prediction: Prediction) -> dict[str, Any]:
    """Return what a view needs to name a class and say how likely it is."""
    return {
        "index": int(prediction.index),
        "name": prediction.name,
        "probability": six_digits(prediction.probability),
        "logit": six_digits(prediction.logit),
    }


def layer_fields(layer: Layer) -> dict[str, Any]:
    """Return what a view needs to name a layer."""
    return {
        "name": layer.name,
        "type": layer.type,
        "shape": list(layer.shape),
        "stage": layer.stage,
        "field": None if layer.receptive_field is None else list(layer.receptive_field),
    }


def six_digits(value: float) -> float:
    """Return a number as it is written for a view: to six digits."""
    return float(f"{value:.6g}")


def six_digits_or_none(value: float | None) -> float | None:
    """Return a number to six digits, None where it is not known."""
    return None if value is None else six_digits(value)
