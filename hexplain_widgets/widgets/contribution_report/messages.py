"""What a report of contributions may ask: its messages, checked before anything is done."""

from __future__ import annotations

import base64
import binascii
from io import BytesIO

from PIL import Image, UnidentifiedImageError

from .._shared.conversation import RELOAD, Content
from .._shared.state import whole

MOST_BYTES = 20_000_000
MOST_PIXELS = 60_000_000


def image_in(content: Content) -> Image.Image:
    """Return the picture file that a message carries in base64; ValueError for anything else."""
    coded = content.get("image")
    if not isinstance(coded, str) or len(coded) > MOST_BYTES * 4 // 3 + 4:
        size = f"{len(coded)} signs" if isinstance(coded, str) else type(coded).__name__
        raise ValueError(
            f"got an image of {size}; expected a file of at most {MOST_BYTES // 1_000_000} MB;"
            " make it smaller, or call report.add(image) in a cell"
        )
    try:
        return _opened(base64.b64decode(coded, validate=True))
    except (binascii.Error, UnidentifiedImageError, OSError) as error:
        raise ValueError(
            "got a file that is no picture; expected JPEG, PNG or another kind that Pillow reads;"
            " choose a picture"
        ) from error


def place_in(content: Content, count: int) -> int:
    """Return the place of an image that a message names; ValueError where there is none."""
    place = content.get("place")
    if not whole(place) or not 0 <= place < count:
        raise ValueError(
            f"got the image {place!r:.60}; expected a whole number below {count}; {RELOAD}"
        )
    return place


def _opened(data: bytes) -> Image.Image:
    picture = Image.open(BytesIO(data))
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise ValueError(
            f"got a picture of {width} x {height} pixels; expected at most"
            f" {MOST_PIXELS // 1_000_000} million; make it smaller"
        )
    return picture.convert("RGB")
