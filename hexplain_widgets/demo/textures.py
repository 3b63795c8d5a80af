"""What each material looks like: a patch of surface and a colour in, `(h, w, 3)` colours out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from .geometry import Number
from .noise import Field, Patch, cell

Colors = Float[np.ndarray, "#h #w 3"]
Base = Float[np.ndarray, "3"]


def _shaded(rgb: Base, factor: Field) -> Colors:
    colors: Colors = factor[..., None] * rgb
    return colors


def _mixed(a: Colors, b: tuple[Number, Number, Number], weight: Field) -> Colors:
    colors: Colors = a + weight[..., None] * (np.array(b, dtype=np.float32) - a)
    return colors


def _courses(p: Patch, width: float, height: float, joint: float) -> tuple[Field, Field]:
    """Staggered blocks: 1 in the joints, and a random value per block."""
    row = np.floor(p.v / height)
    across = p.u / width + 0.5 * (row % 2)
    column = np.floor(across)
    inside_u, inside_v = across - column, p.v / height - row
    joints = (inside_u < joint * height / width) | (inside_v < joint)
    return joints.astype(np.float32) * p.visible(height * 0.5), cell(row, column)


def brick(p: Patch, rgb: Base) -> Colors:
    """Staggered bricks in pale mortar."""
    joints, block = _courses(p, 0.62, 0.27, 0.2)
    face = _shaded(rgb, 1 + 0.17 * block + 0.10 * p.noise(0.12, 0.12))
    return _mixed(face, (0.80, 0.76, 0.70), 0.62 * joints)


def stone(p: Patch, rgb: Base) -> Colors:
    """Large uneven blocks with dark joints."""
    joints, block = _courses(p, 1.05, 0.62, 0.12)
    face = _shaded(rgb, 1 + 0.20 * block + 0.16 * p.noise(0.25, 0.2))
    return face * (1 - 0.38 * joints)[..., None]


def tile(p: Patch, rgb: Base) -> Colors:
    """Rows of scalloped tiles."""
    row = np.floor(p.v / 0.42)
    across = p.u / 0.40 + 0.5 * (row % 2)
    down, side = p.v / 0.42 - row, across - np.floor(across)
    scallop = down + 0.32 * (2 * side - 1) ** 2
    detail = p.visible(0.2)
    relief = np.where(scallop > 0.93, -0.42, 0.30 * scallop - 0.10) * detail
    return _shaded(rgb, 1 + relief + 0.13 * cell(row, np.floor(across)) + 0.07 * p.noise(0.8, 0.5))


def plaster(p: Patch, rgb: Base) -> Colors:
    """Smooth wall with a little mottling."""
    return _shaded(rgb, 1 + 0.05 * p.noise(0.7, 0.7) + 0.05 * p.noise(0.12, 0.12))


def wood(p: Patch, rgb: Base) -> Colors:
    """Boards with grain and gaps."""
    row = np.floor(p.v / 0.34)
    gap = ((p.v / 0.34 - row) < 0.16) * p.visible(0.14)
    grain = 0.16 * p.noise(1.3, 0.06) + 0.12 * cell(row, row * 0)
    return _shaded(rgb, (1 + grain) * (1 - 0.40 * gap))


def bark(p: Patch, rgb: Base) -> Colors:
    """Upright furrows."""
    return _shaded(rgb, 1 + 0.34 * p.noise(0.09, 0.6) + 0.12 * p.noise(0.06, 0.06))


def foliage(p: Patch, rgb: Base) -> Colors:
    """Leaves in clumps, the upper ones lit."""
    clump, leaf = p.noise(0.55, 0.5), p.noise(0.15, 0.13)
    lit = np.clip(leaf + 0.5 * clump - 0.25, 0, 1)
    face = _shaded(rgb, 1 + 0.24 * clump + 0.34 * leaf)
    return _mixed(face, (0.86, 0.87, 0.45), 0.34 * lit)


def grass(p: Patch, rgb: Base) -> Colors:
    """Blades in patches, here and there yellowed."""
    patch, blade = p.noise(2.4, 2.0), p.noise(0.11, 0.24)
    face = _shaded(rgb, 1.16 + 0.12 * patch + 0.10 * p.noise(0.5, 0.7) + 0.22 * blade)
    return _mixed(face, (0.84, 0.80, 0.36), np.clip(0.16 * p.noise(3.5, 3.5) + 0.08, 0, 1))


def soil(p: Patch, rgb: Base) -> Colors:
    """Clods."""
    return _shaded(rgb, 1 + 0.22 * p.noise(0.5, 0.4) + 0.22 * p.noise(0.15, 0.15))


def sand(p: Patch, rgb: Base) -> Colors:
    """Fine grain in shallow ripples."""
    ripple = np.sin(2 * np.pi * (p.v / 0.5 + 0.8 * p.noise(1.6, 1.2)))
    return _shaded(rgb, 1 + 0.045 * ripple + 0.06 * p.noise(1.8, 1.5) + 0.07 * p.noise(0.07, 0.07))


def water(p: Patch, rgb: Base) -> Colors:
    """Flat waves with bright crests."""
    wave = p.noise(1.5, 0.34) + 0.6 * p.noise(0.6, 0.16)
    face = _shaded(rgb, 1 + 0.20 * wave)
    return _mixed(face, (0.93, 0.97, 0.99), np.clip(wave - 0.42, 0, 0.8))


def foam(p: Patch, rgb: Base) -> Colors:
    """White froth."""
    return _shaded(rgb, 1 + 0.16 * p.noise(0.35, 0.2))


def asphalt(p: Patch, rgb: Base) -> Colors:
    """Fine speckle with worn patches."""
    return _shaded(rgb, 1 + 0.13 * p.noise(0.08, 0.08) + 0.07 * p.noise(2.0, 1.2))


def concrete(p: Patch, rgb: Base) -> Colors:
    """Pale slabs."""
    joints, block = _courses(p, 1.3, 1.3, 0.05)
    face = 1 + 0.06 * block + 0.07 * p.noise(0.5, 0.5) + 0.04 * p.noise(0.08, 0.08)
    return _shaded(rgb, face * (1 - 0.32 * joints))


def glass(p: Patch, rgb: Base) -> Colors:
    """A dark pane with slanting reflections."""
    sweep = np.sin(1.9 * (p.u + 1.4 * p.v) + 5 * p.shift[0])
    face = _shaded(rgb, 0.86 + 0.12 * p.noise(0.8, 0.8))
    return _mixed(face, (0.90, 0.95, 0.98), np.clip(1.6 * sweep - 0.7, 0, 0.55))


def metal(p: Patch, rgb: Base) -> Colors:
    """Paint with a broad sheen."""
    sheen = np.clip(p.noise(2.2, 0.35), 0, 1)
    return _mixed(_shaded(rgb, 1 + 0.05 * p.noise(0.3, 0.3)), (1, 1, 1), 0.22 * sheen)


def rubber(p: Patch, rgb: Base) -> Colors:
    """Dull and nearly black."""
    return _shaded(rgb, 1 + 0.16 * p.noise(0.06, 0.06))


def plastic(p: Patch, rgb: Base) -> Colors:
    """Smooth with soft highlights."""
    return _mixed(
        _shaded(rgb, 1 + 0.04 * p.noise(0.6, 0.6)),
        (1, 1, 1),
        np.clip(0.3 * p.noise(0.5, 0.9), 0, 1),
    )


def fabric(p: Patch, rgb: Base) -> Colors:
    """Folds over a weave."""
    fold = 0.13 * p.noise(0.22, 0.9)
    weave = (
        0.08 * np.sin(2 * np.pi * p.u / 0.07) * np.sin(2 * np.pi * p.v / 0.07) * p.visible(0.035)
    )
    return _shaded(rgb, 1 + fold + weave)


def fur(p: Patch, rgb: Base) -> Colors:
    """Short hairs over soft patches."""
    return _shaded(rgb, 1 + 0.20 * p.noise(0.06, 0.2) + 0.14 * p.noise(0.3, 0.35))


def skin(p: Patch, rgb: Base) -> Colors:
    """Almost even."""
    return _shaded(rgb, 1 + 0.04 * p.noise(0.15, 0.15))


def petal(p: Patch, rgb: Base) -> Colors:
    """Spots of bloom."""
    spots = p.noise(0.17, 0.15)
    return _mixed(
        _shaded(rgb, 1 + 0.22 * spots), (0.99, 0.93, 0.78), np.clip(0.8 * spots - 0.3, 0, 1)
    )


def peel(p: Patch, rgb: Base) -> Colors:
    """Smooth skin of a fruit."""
    return _shaded(rgb, 1 + 0.06 * p.noise(0.05, 0.05))


def straw(p: Patch, rgb: Base) -> Colors:
    """Criss-crossing stalks."""
    return _shaded(rgb, 1 + 0.26 * p.noise(0.5, 0.06) + 0.14 * p.noise(0.08, 0.3))


def rock(p: Patch, rgb: Base) -> Colors:
    """Broken facets."""
    facet = np.round(2.5 * p.noise(0.9, 0.6)) / 2.5
    return _shaded(rgb, 1 + 0.20 * facet + 0.16 * p.noise(0.2, 0.2))


def snow(p: Patch, rgb: Base) -> Colors:
    """Almost even white."""
    return _shaded(rgb, 1 + 0.05 * p.noise(1.2, 0.8))


def air(p: Patch, rgb: Base) -> Colors:
    """No texture at all."""
    return np.broadcast_to(rgb, (*p.shape, 3))


MATERIALS: dict[str, Callable[[Patch, Base], Colors]] = {
    f.__name__: f
    for f in (
        air, brick, plaster, stone, tile, wood, bark, foliage, grass, soil, sand, water, foam,
        asphalt, concrete, glass, metal, rubber, plastic, fabric, fur, skin, petal, peel, straw,
        rock, snow,
    )
}  # fmt: skip
MATERIALS["vapor"] = air
