"""Surfaces painted back to front, each at once into the image and into the label maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from PIL import Image, ImageDraw

from .geometry import Number, Points
from .noise import Field, GroundPatch, Patch
from .palette import Light, Tint
from .textures import MATERIALS
from .vocabulary import LEGEND, LEVELS

TINY = 30  # pixels of a window below which a texture cannot be seen
SHADOW = np.array([1.0, 0.93, 0.80], dtype=np.float32)  # shadows keep some blue


@dataclass(frozen=True)
class Camera:
    """Where the ground meets the background (`horizon`, 0-1 from the top), and the perspective.

    Its level line lies above the horizon, so the far end of the ground keeps some scale.
    """

    horizon: Number
    level: Number = 0.075
    slope: Number = 0.185

    def unit(self, y: np.ndarray | Number) -> np.ndarray | Number:
        """Return the length of one metre, in image heights, for things standing at `y`."""
        return self.slope * np.maximum(y - self.horizon + self.level, 0.012)

    def distance(self, y: np.ndarray | Number) -> np.ndarray | Number:
        """Return metres from the camera to the ground at `y`."""
        return 1.0 / self.unit(y)


@dataclass(frozen=True)
class CanvasArea:
    """The pixels a surface covers: a mask at `rows`, `columns` of the canvas."""

    rows: slice
    columns: slice
    mask: np.ndarray
    x: Field
    y: Field
    low: np.ndarray
    high: np.ndarray

    def relative(self) -> tuple[Field, Field]:
        """Return where each pixel lies in the surface: -1 to 1 across and down."""
        middle, half = (self.high + self.low) / 2, (self.high - self.low) / 2 + 1e-6
        across = (self.x - np.float32(middle[0])) * np.float32(1 / half[0])
        down = (self.y - np.float32(middle[1])) * np.float32(1 / half[1])
        return across, down


class Canvas:
    """A square picture in the making; coordinates run 0-1 right and down, whatever its size."""

    def __init__(self, size: int, light: Light, camera: Camera) -> None:
        self.size, self.light, self.camera = size, light, camera
        self._factor = 2 if size <= 160 else 3
        side = size * self._factor
        self._side = side
        self._axis = (np.arange(side, dtype=np.float32) + 0.5) / side
        self._rgb = np.zeros((side, side, 3), dtype=np.float32)
        self._surface = np.zeros((side, side), dtype=np.uint16)
        self._labels: dict[tuple[str, str, str, str], int] = {}
        self._strokes = 0

    def fill(
        self,
        label: tuple[str, str, str],
        tint: Tint,
        *shapes: Points,
        unit: Number,
        anchor: tuple[Number, Number],
        form: str = "flat",
        shade: Number = 1.0,
        haze: Number | None = None,
    ) -> None:
        """Paint upright outlines as one surface `(object, part, material)`, `unit` long a metre.

        `form` says how light falls on it: "flat", "round" (a ball) or "column".
        """
        shift = self._shift()
        window = self._window(*shapes)
        if window is None:
            return
        rgb = np.array(tint.rgb, dtype=np.float32)
        lit = (shade * self._lit(window, form))[..., None]
        if window.mask.size > TINY:
            u, v = (window.x - anchor[0]) / unit, (window.y - anchor[1]) / unit
            patch = Patch(u, v, 1 / self._side / unit, shift)
            lit = lit * MATERIALS[label[2]](patch, rgb)
        else:
            lit = lit * rgb
        self._write(window, (*label, tint.name), self._faded(lit, unit, haze))

    def ground(self, label: tuple[str, str, str], tint: Tint, *shapes: Points) -> None:
        """Paint a surface that lies on the ground, in perspective."""
        shift = self._shift()
        window = self._window(*shapes)
        if window is None:
            return
        unit = np.asarray(self.camera.unit(window.y))
        away = np.asarray(self.camera.distance(window.y))
        patch = GroundPatch((window.x - 0.5) / unit, away, 1 / self._side / unit, shift)
        colors = MATERIALS[label[2]](patch, np.array(tint.rgb, dtype=np.float32))
        self._write(window, (*label, tint.name), self._faded(colors, unit[..., None], None))

    def gradient(
        self,
        label: tuple[str, str, str],
        name: str,
        points: Points,
        top: np.ndarray,
        bottom: np.ndarray,
        curve: Number = 1.0,
    ) -> None:
        """Paint a smooth vertical change of colour under the nominal colour `name`."""
        window = self._window(points)
        if window is None:
            return
        y0, y1 = points[:, 1].min(), points[:, 1].max()
        t = (np.clip((window.y - y0) / (y1 - y0), 0, 1) ** curve)[..., None]
        colors = np.broadcast_to(top + t * (bottom - top), (*window.mask.shape, 3))
        self._write(window, (*label, name), colors)

    def cloud(
        self,
        label: tuple[str, str, str],
        tint: Tint,
        points: Points,
        soft: Number,
        strength: Number,
    ) -> None:
        """Paint a cloud that thins out towards its outline; it is labelled where it covers most."""
        shift = self._shift()
        window = self._window(points)
        if window is None:
            return
        across, down = window.relative()
        noise = Patch(window.x, window.y, 1 / self._side, shift)
        ragged = 0.8 * noise.noise(0.10, 0.05) + 0.4 * noise.noise(0.04, 0.025)
        rim = np.clip(3 * (1 - across**4), 0, 1) * np.clip(3 * (1 - down**4), 0, 1)
        cover = rim * np.clip((0.8 - across**2 - down**2 + ragged) / soft, 0, 1) * strength
        shaded = np.array(tint.rgb) * (1.03 - 0.13 * np.clip(down, -1, 1))[..., None]
        area = self._rgb[window.rows, window.columns]
        area += cover[..., None] * (np.clip(shaded, 0, 1) - area)
        ids = self._surface[window.rows, window.columns]
        ids[cover > 0.5] = self._index((*label, tint.name))

    def glow(
        self, x: Number, y: Number, radius: Number, rgb: tuple[Number, Number, Number]
    ) -> None:
        """Add light around a point; the labels stay."""
        grid = self._axis
        r = np.hypot(grid[None] - x, grid[:, None] - y) / radius
        self._rgb += (np.exp(-2.2 * r)[..., None] * np.array(rgb, dtype=np.float32)).astype(
            np.float32
        )

    def shadow(self, x: Number, y: Number, rx: Number, ry: Number, strength: Number = 1.0) -> None:
        """Darken a soft ellipse on the ground, stretched away from the sun; the labels stay."""
        x -= self.light.sun * rx * 0.55
        rx *= 1 + 0.35 * abs(self.light.sun)
        corners = np.array([(x - rx, y - ry), (x + rx, y - ry), (x + rx, y + ry), (x - rx, y + ry)])
        window = self._window(corners)
        if window is None:
            return
        r2 = ((window.x - x) / rx) ** 2 + ((window.y - y) / ry) ** 2
        dark = np.clip(1.25 - 1.25 * r2, 0, 1) * (strength * self.light.shadow * 1.35)
        self._rgb[window.rows, window.columns] *= 1 - dark[..., None] * SHADOW

    def darken(self, amount: Number, *shapes: Points) -> None:
        """Darken everything under some outlines, as under the eaves; the labels stay."""
        window = self._window(*shapes)
        if window is not None:
            dark = window.mask[..., None] * (amount * SHADOW)
            self._rgb[window.rows, window.columns] *= 1 - dark

    def image(self) -> Image.Image:
        """Return the picture, graded by the light and brought to its size."""
        grid = np.linspace(-1, 1, self._side, dtype=np.float32)
        vignette = 1 - 0.07 * (grid[None] ** 2 + grid[:, None] ** 2) ** 1.5
        graded = self._rgb * (vignette[..., None] * np.array(self.light.tint, dtype=np.float32))
        fine = Image.fromarray((np.clip(graded, 0, 1) * 255 + 0.5).astype(np.uint8))
        return fine.reduce(self._factor)

    def masks(self, scene: str) -> dict[str, Int[np.ndarray, "H W"]]:
        """Return one map of legend indices per level, read at the centres of the pixels."""
        f = self._factor
        surface = self._surface[f // 2 :: f, f // 2 :: f]
        rows = [(scene, *label) for label in self._labels]
        maps = {}
        for i, level in enumerate(LEVELS):
            index = [0] + [LEGEND[level].index(row[i]) for row in rows]
            maps[level] = np.array(index, dtype=np.int32)[surface]
        return maps

    def _shift(self) -> tuple[Number, Number]:
        self._strokes += 1
        return (self._strokes * 0.7548776662) % 1, (self._strokes * 0.5698402910) % 1

    def _index(self, label: tuple[str, str, str, str]) -> int:
        return self._labels.setdefault(label, len(self._labels) + 1)

    def _window(self, *shapes: Points) -> CanvasArea | None:
        side = self._side
        points = shapes[0] if len(shapes) == 1 else np.concatenate(shapes)
        low, high = points.min(0), points.max(0)
        x0, y0 = (max(int(c * side - 0.5), 0) for c in low.tolist())
        x1, y1 = (min(int(c * side + 0.5) + 1, side) for c in high.tolist())
        if x0 >= x1 or y0 >= y1:
            return None
        stencil = Image.new("L", (x1 - x0, y1 - y0))
        draw, corner = ImageDraw.Draw(stencil), (x0 + 0.5, y0 + 0.5)
        for shape in shapes:
            draw.polygon((shape * side - corner).ravel().tolist(), fill=1)
        mask = np.frombuffer(stencil.tobytes(), dtype=bool).reshape(y1 - y0, x1 - x0)
        x, y = self._axis[None, x0:x1], self._axis[y0:y1, None]
        return CanvasArea(slice(y0, y1), slice(x0, x1), mask, x, y, low, high)

    def _lit(self, window: CanvasArea, form: str) -> Field:
        across, down = window.relative()
        sun, contrast = self.light.sun, 0.5 + self.light.shadow
        if form == "round":
            return np.asarray(1 + contrast * (0.24 * sun * across - 0.30 * down))
        if form == "column":
            return np.asarray(1 + contrast * (0.34 * sun * across - 0.28 * across**2) + 0 * down)
        return np.asarray(1.03 - 0.07 * down + 0.03 * sun * across)

    def _faded(
        self, colors: np.ndarray, unit: np.ndarray | Number, haze: Number | None
    ) -> np.ndarray:
        weight = (0.5 * np.exp(-unit / 0.014) if haze is None else haze) * np.float32(1)
        faded: np.ndarray = colors * (1 - weight) + weight * self.light.haze
        return faded

    def _write(
        self, window: CanvasArea, label: tuple[str, str, str, str], colors: np.ndarray
    ) -> None:
        where = window.mask
        np.copyto(self._rgb[window.rows, window.columns], colors, where=where[..., None])
        np.copyto(self._surface[window.rows, window.columns], self._index(label), where=where)
