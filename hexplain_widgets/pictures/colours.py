"""Colours of pictures and charts: mixed, and told apart by everybody."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

# of estimates, of the truth they are held against, of another method, of chance
OURS, TRUTH, OTHER, RANDOM = "#d55e00", "#0072b2", "#009e73", "#8a8f98"
# of methods that are compared, ours first
METHODS = (OURS, TRUTH, OTHER, "#cc79a7", "#e69f00", "#56b4e9")
# of sets that are compared: Okabe and Ito's colours, told apart by the colour-blind
SETS = ("#e69f00", "#2b9e73", "#d55e00", "#56b4e9", "#cc79a7", "#8a8a8a")


def paler(colour: str, part: float) -> str:
    """Return a colour mixed with so much white, or with black where the part is negative."""
    ground = 255 if part > 0 else 0
    mixed = (
        round(value + (ground - value) * min(0.8, abs(part)))
        for value in bytes.fromhex(colour.removeprefix("#"))
    )
    return "#" + "".join(f"{value:02x}" for value in mixed)


def is_light(colour: str) -> bool:
    """Return whether dark words are easier to read on a colour than light ones."""
    r, g, b = bytes.fromhex(colour.removeprefix("#"))
    return 0.299 * r + 0.587 * g + 0.114 * b > 140


def ramp(table: str, strength: Float[np.ndarray, "*s"]) -> Float[np.ndarray, "*s 3"]:
    """Return colours of values from 0 to 1, between those of a `table` of even steps (hex)."""
    anchors = np.array([list(bytes.fromhex(colour)) for colour in table.split()], dtype=np.float64)
    at = np.linspace(0, 1, len(anchors))
    return np.stack([np.interp(strength, at, anchors[:, i]) for i in range(3)], axis=-1)
