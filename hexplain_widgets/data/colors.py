"""The color term of every pixel: the eleven basic terms by a rule in Oklab."""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float, Int
from PIL import Image

from ..network.classifier import picture_of

# Berlin and Kay's basic color terms; a label of a color map is a place in this list, from 1.
COLORS = (
    "red", "orange", "yellow", "green", "blue", "purple",
    "pink", "brown", "white", "gray", "black",
)  # fmt: skip

STEPS = 64  # each of red, green and blue is read in this many steps

# Linear sRGB to cone responses, and their cube roots to Oklab (B. Ottosson, "A perceptual color
# space for image processing", 2020; also CSS Color Module Level 4).
_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)

# The rule: the first row that holds names the color. Each row asks for a hue (degrees, from-to), a
# least lightness (black 0, white 1) and a least chroma (gray 0, the purest red 0.26).
_RULE: tuple[tuple[str, tuple[int, int], float, float], ...] = (
    ("pink", (0, 18), 0.60, 0), ("red", (0, 18), 0, 0),
    ("pink", (18, 38), 0.68, 0), ("red", (18, 38), 0, 0.11), ("brown", (18, 38), 0, 0),
    ("orange", (38, 80), 0.60, 0.11), ("yellow", (80, 115), 0.70, 0.08),
    ("white", (38, 95), 0.90, 0), ("yellow", (95, 115), 0.90, 0), ("brown", (38, 100), 0, 0),
    ("green", (80, 190), 0, 0),
    ("blue", (190, 290), 0, 0),
    ("pink", (320, 335), 0.75, 0), ("purple", (290, 335), 0, 0),
    ("pink", (335, 360), 0.50, 0), ("purple", (335, 360), 0, 0),
)  # fmt: skip
# Before any hue: what is too dark, or has too little chroma, to have one.
_NO_HUE, _BLACK_BELOW, _DARK_CHROMA, _WHITE_FROM, _PITCH = 0.035, 0.32, 0.05, 0.90, 0.20


def color_map(image: Image.Image) -> Int[np.ndarray, "h w"]:
    """Return the color term of every pixel as a place in `COLORS`, from 1, int32.

    A pixel is rounded to one of 64 steps a channel and taken to Oklab: lightness L, chroma C and
    hue. It is black below L 0.2, or below 0.32 with C under 0.05; with C under 0.035 it is white
    from L 0.9 and else gray; the rest is named by sectors of hue, some of them divided by lightness
    (pink above red, orange above brown) and chroma. The rule knows nothing of the scene's light: a
    white wall at sunset is orange or pink.
    """
    codes = np.asarray(picture_of(image)) // np.uint8(256 // STEPS)
    red, green, blue = (codes[..., i].astype(np.int32) for i in range(3))
    found: Int[np.ndarray, "h w"] = _table()[(red * STEPS + green) * STEPS + blue]
    return found


@cache
def _table() -> Int[np.ndarray, " n"]:
    middle = (np.arange(STEPS) + 0.5) / STEPS
    rgb = np.stack(np.meshgrid(middle, middle, middle, indexing="ij"), -1).reshape(-1, 3)
    return _terms(*_lightness_chroma_hue(rgb))


def _lightness_chroma_hue(rgb: Float[np.ndarray, "n 3"]) -> tuple[np.ndarray, ...]:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    lightness, a, b = np.array(_LAB) @ np.cbrt(np.array(_CONES) @ linear.T)
    return lightness, np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360


def _terms(
    lightness: Float[np.ndarray, " n"],
    chroma: Float[np.ndarray, " n"],
    hue: Float[np.ndarray, " n"],
) -> Int[np.ndarray, " n"]:
    black = (lightness < _PITCH) | ((lightness < _BLACK_BELOW) & (chroma < _DARK_CHROMA))
    faint = chroma < _NO_HUE
    asked = [("black", black), ("white", faint & (lightness >= _WHITE_FROM)), ("gray", faint)]
    asked += [
        (name, (hue >= h0) & (hue < h1) & (lightness >= least) & (chroma >= pure))
        for name, (h0, h1), least, pure in _RULE
    ]
    labels = [np.int32(COLORS.index(name) + 1) for name, _ in asked]
    found: Int[np.ndarray, " n"] = np.select([holds for _, holds in asked], labels, np.int32(0))
    return found
