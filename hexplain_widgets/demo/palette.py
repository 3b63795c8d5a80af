"""Named colours, their shades, and the light a scene stands in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from .geometry import Number

RGB = tuple[Number, Number, Number]

SHADES: dict[str, tuple[RGB, ...]] = {
    "red": ((0.71, 0.20, 0.17), (0.62, 0.23, 0.17), (0.80, 0.27, 0.22)),
    "orange": ((0.88, 0.49, 0.18), (0.80, 0.44, 0.22), (0.93, 0.58, 0.26)),
    "yellow": ((0.93, 0.78, 0.28), (0.88, 0.74, 0.36), (0.96, 0.84, 0.42)),
    "green": ((0.29, 0.47, 0.20), (0.37, 0.54, 0.24), (0.24, 0.41, 0.23)),
    "blue": ((0.20, 0.42, 0.68), (0.27, 0.53, 0.74), (0.17, 0.33, 0.58)),
    "purple": ((0.46, 0.30, 0.58), (0.55, 0.38, 0.66), (0.40, 0.24, 0.48)),
    "pink": ((0.88, 0.58, 0.66), (0.92, 0.66, 0.70), (0.84, 0.48, 0.60)),
    "brown": ((0.42, 0.28, 0.18), (0.50, 0.34, 0.21), (0.35, 0.23, 0.16)),
    "beige": ((0.84, 0.75, 0.59), (0.89, 0.81, 0.67), (0.80, 0.70, 0.54)),
    "white": ((0.93, 0.92, 0.89), (0.96, 0.95, 0.93), (0.90, 0.91, 0.91)),
    "gray": ((0.56, 0.57, 0.58), (0.48, 0.49, 0.51), (0.64, 0.64, 0.64)),
    "black": ((0.13, 0.13, 0.14), (0.17, 0.16, 0.16), (0.10, 0.11, 0.13)),
}


@dataclass(frozen=True)
class Tint:
    """A nominal colour by name and the shade of it that was drawn: red, green, blue in 0-1."""

    name: str
    rgb: RGB

    def times(self, factor: Number) -> Tint:
        """Return the same colour, lighter (factor above 1) or darker."""
        r, g, b = (min(1.0, c * factor) for c in self.rgb)
        return Tint(self.name, (r, g, b))


def tint(rng: np.random.Generator, *names: str) -> Tint:
    """Draw one of the named colours, one of its shades, and a little variation of it."""
    name = names[int(rng.integers(len(names)))]
    shades = SHADES[name]
    shade = shades[int(rng.integers(len(shades)))]
    bright, r, g, b = rng.random(4).tolist()
    bright = 0.93 + 0.14 * bright
    mixed = (c * bright + 0.04 * (d - 0.5) for c, d in zip(shade, (r, g, b), strict=True))
    r, g, b = (min(max(c, 0.03), 0.99) for c in mixed)
    return Tint(name, (r, g, b))


@dataclass(frozen=True)
class Light:
    """Time of day and weather: sky colours, the colour of the light, the haze, the sun's side.

    `sun` runs from -1 (left) to 1 (right); `shadow` is the darkness of cast shadows in 0-1.
    """

    name: str
    top: Tint
    horizon: RGB
    tint: RGB
    shadow: Number
    sun: Number = 0.5

    @property
    def haze(self) -> Float[np.ndarray, " 3"]:
        """The colour that distance fades to."""
        return np.array(self.horizon, dtype=np.float32)


LIGHTS: dict[str, Light] = {
    light.name: light
    for light in (
        Light(
            "noon", Tint("blue", (0.30, 0.53, 0.83)), (0.76, 0.87, 0.95), (1.04, 1.03, 1.00), 0.42
        ),
        Light(
            "morning", Tint("pink", (0.85, 0.62, 0.70)), (1.0, 0.87, 0.76), (1.05, 0.97, 0.92), 0.34
        ),
        Light(
            "overcast",
            Tint("gray", (0.60, 0.64, 0.69)),
            (0.85, 0.87, 0.88),
            (0.98, 0.99, 1.01),
            0.18,
        ),
        Light(
            "sunset",
            Tint("orange", (0.93, 0.60, 0.38)),
            (1.0, 0.85, 0.56),
            (1.08, 0.93, 0.78),
            0.44,
        ),
        Light(
            "dusk", Tint("purple", (0.37, 0.31, 0.56)), (0.86, 0.66, 0.72), (0.92, 0.84, 0.98), 0.30
        ),
    )
}
