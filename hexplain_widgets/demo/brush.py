"""A brush paints one object: metres to the right and up from where it stands on the ground."""

from __future__ import annotations

import numpy as np

from .canvas import Canvas
from .geometry import Number, Points, rect
from .palette import Tint, tint


class Brush:
    """Paints the object `name` standing at `(x, y)` of the canvas; `flip` mirrors it."""

    def __init__(
        self,
        canvas: Canvas,
        rng: np.random.Generator,
        name: str,
        x: Number,
        y: Number,
        *,
        scale: Number = 1.0,
        flip: bool = False,
        unit: Number | None = None,
    ) -> None:
        self.canvas, self.rng, self.name, self.x, self.y = canvas, rng, name, x, y
        self.unit = float(canvas.camera.unit(y) if unit is None else unit) * scale
        self._side = -1.0 if flip else 1.0

    def at(self, points: Points) -> Points:
        """Return metres around the object's foot as canvas coordinates."""
        step = np.array([self._side * self.unit, -self.unit])
        placed: Points = np.array([self.x, self.y]) + points * step
        return placed

    def tint(self, *names: str) -> Tint:
        """Draw one of the named colours."""
        return tint(self.rng, *names)

    def fill(
        self,
        part: str,
        material: str,
        color: Tint,
        *shapes: Points,
        form: str = "flat",
        shade: Number = 1.0,
    ) -> None:
        """Paint one part of the object, in one or more pieces of one surface."""
        self.canvas.fill(
            (self.name, part, material),
            color,
            *map(self.at, shapes),
            unit=self.unit,
            anchor=(self.x, self.y),
            form=form,
            shade=shade,
        )

    def lay(self, part: str, material: str, color: Tint, points: Points) -> None:
        """Paint one part that lies flat on the ground (points in canvas coordinates)."""
        self.canvas.ground((self.name, part, material), color, points)

    def darken(self, amount: Number, *shapes: Points) -> None:
        """Darken what is there already, as a shadow of this object's own parts does."""
        self.canvas.darken(amount, *map(self.at, shapes))

    def shadow(
        self, half_width: Number, *, at: Number = 0.0, depth: Number = 0.28, lift: Number = 0.0
    ) -> None:
        """Cast the object's soft shadow on the ground, `half_width` metres to each side."""
        x = self.x + self._side * at * self.unit
        self.canvas.shadow(
            x,
            self.y - lift * self.unit,
            half_width * self.unit,
            half_width * depth * self.unit + 0.004,
        )

    def box(
        self,
        part: str,
        material: str,
        color: Tint,
        x0: Number,
        y0: Number,
        x1: Number,
        y1: Number,
        *,
        form: str = "flat",
        shade: Number = 1.0,
    ) -> None:
        """Paint an upright rectangle between two corners in metres."""
        self.fill(part, material, color, rect(x0, y0, x1, y1), form=form, shade=shade)
