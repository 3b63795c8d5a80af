"""Smooth, tileable noise, read in metres so that every size of a scene sees the same pattern."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from .geometry import Number

TILE = 256
FEATURE = 4  # texels of one bump
_NONE = np.zeros((1, 1), dtype=np.float32)

Field = Float[np.ndarray, "#h #w"]


@lru_cache(maxsize=1)
def _table() -> Field:
    white = np.random.default_rng(20).normal(size=(TILE, TILE))
    f = np.fft.fftfreq(TILE)
    keep = np.exp(-((f[:, None] ** 2 + f[None] ** 2) * (FEATURE * 1.6) ** 2))
    field = np.fft.ifft2(np.fft.fft2(white) * keep).real
    table: Field = np.clip(field / field.std() / 2.2, -1, 1).astype(np.float32)
    return table


@lru_cache(maxsize=1)
def _cells() -> Field:
    return np.random.default_rng(21).uniform(-1, 1, (64, 64)).astype(np.float32)


def cell(row: np.ndarray, column: np.ndarray) -> Field:
    """Return one random value in -1..1 per integer cell, the same for the same cell."""
    return _cells()[row.astype(np.int64) & 63, column.astype(np.int64) & 63]


@dataclass(frozen=True)
class Patch:
    """A window on an upright surface: metres `u` (1, w) and `v` (h, 1), `pixel` metres wide.

    `shift` moves the noise, so that two surfaces of one material differ.
    """

    u: Field
    v: Field
    pixel: Field | Number
    shift: tuple[Number, Number]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the window."""
        h, w = np.broadcast_shapes(self.u.shape, self.v.shape)
        return h, w

    def noise(self, du: Number, dv: Number) -> Field:
        """Return noise in -1..1 whose bumps are `du` by `dv` metres."""
        pixel = float(self.pixel if isinstance(self.pixel, float) else np.mean(self.pixel))
        clear = 1.4 * min(du, dv) / pixel
        if clear < 0.2:
            return _NONE
        rows, row, down = _steps(self.v[:, 0], dv, self.shift[1])
        columns, column, right = _steps(self.u[0], du, self.shift[0])
        if clear < 0.7:  # a pixel is wider than a texel: nothing to interpolate
            nearest: Field = _table()[rows[row][:, None] & (TILE - 1), columns[column] & (TILE - 1)]
            return nearest * clear
        part = _table()[rows[:, None] & (TILE - 1), columns & (TILE - 1)]
        part = part[row] + down[:, None] * (part[row + 1] - part[row])
        field: Field = part[:, column] + right * (part[:, column + 1] - part[:, column])
        return field * min(1.0, clear)

    def visible(self, size: Number) -> Field | Number:
        """Return 1 where a detail of `size` metres spans pixels enough, fading to 0 below."""
        return np.clip(size / np.asarray(self.pixel) / 2 - 0.5, 0, 1)


def _steps(
    axis: np.ndarray, size: Number, shift: Number
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Along one axis: the texels it crosses; per pixel, the texel before it and the way past."""
    at = axis * (FEATURE / size) + shift * TILE
    before = np.floor(at).astype(np.int64)
    first = before[0]
    return np.arange(first, before[-1] + 2), before - first, (at - before).astype(np.float32)


@dataclass(frozen=True)
class GroundPatch(Patch):
    """A window on the ground in perspective: `u` (h, w) metres across, `v` (h, 1) metres away."""

    def noise(self, du: Number, dv: Number) -> Field:
        """Return noise in -1..1 whose bumps are `du` by `dv` metres, fading with distance."""
        table, tile = _table(), TILE - 1
        x = (self.u * (FEATURE / du) + self.shift[0] * TILE).astype(np.int32) & tile
        y = (self.v * (FEATURE / dv) + self.shift[1] * TILE).astype(np.int32) & tile
        near = np.clip(1.5 * min(du, dv) / np.asarray(self.pixel), 0, 1)
        return table[y, x] * near
