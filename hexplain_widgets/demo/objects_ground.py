"""What scenes stand in: sky, hills, lawns, fields, roads, shores and water."""

from __future__ import annotations

from functools import partial

import numpy as np

from .canvas import Canvas
from .geometry import Number, Points, blob, polygon, rect, ridge
from .palette import Tint, tint

Rng = np.random.Generator


def band(y0: Number, y1: Number) -> Points:
    """Return the whole width between two heights."""
    return rect(-0.01, y0, 1.01, y1)


def sky(canvas: Canvas, rng: Rng) -> None:
    """Paint the sky of the canvas's light down to behind the horizon, with clouds and sun."""
    light = canvas.light
    end = canvas.camera.horizon + 0.06
    top, bottom = np.array(light.top.rgb, dtype=np.float32), light.haze
    label = ("sky", "clear sky", "air")
    canvas.gradient(label, light.top.name, band(-0.01, end), top, bottom, rng.uniform(0.8, 1.3))
    sun_x, sun_y = 0.5 + 0.42 * light.sun, rng.uniform(0.05, 0.3)
    if light.name != "overcast":
        canvas.glow(sun_x, sun_y, 0.22, (0.55, 0.46, 0.28))
    for _ in range(int(rng.integers(0, 5)) + 3 * (light.name == "overcast")):
        _cloud(canvas, rng, end)


def _cloud(canvas: Canvas, rng: Rng, end: Number) -> None:
    x, y = rng.uniform(-0.05, 1.05), rng.uniform(0.02, 0.55) * end
    rx = rng.uniform(0.08, 0.26)
    ry = rx * rng.uniform(0.22, 0.40)
    warm = canvas.light.name in ("sunset", "dusk", "morning") and rng.random() < 0.4
    color = tint(rng, "pink") if warm else tint(rng, "white")
    if canvas.light.name == "overcast" and rng.random() < 0.6:
        color = tint(rng, "gray").times(1.25)
    outline = rect(x - rx * 1.2, y - ry * 1.2, x + rx * 1.2, y + ry * 1.1)
    canvas.cloud(
        ("sky", "cloud", "vapor"), color, outline, rng.uniform(0.35, 0.8), rng.uniform(0.7, 1.0)
    )


def hill(canvas: Canvas, rng: Rng, height: Number, haze: Number, *colors: str) -> None:
    """Paint a range of wooded or grassy hills along the horizon."""
    line = ridge(rng, canvas.camera.horizon, height, rng.uniform(0.3, 1.2))
    material = "foliage" if rng.random() < 0.55 else "grass"
    canvas.fill(
        ("hill", "slope", material),
        tint(rng, *(colors or ("green",))),
        line,
        unit=0.028,
        anchor=(0, canvas.camera.horizon),
        haze=haze,
    )


def hills(canvas: Canvas, rng: Rng) -> None:
    """Paint one or two ranges of hills, the farther one hazier."""
    if rng.random() < 0.6:
        hill(canvas, rng, rng.uniform(0.08, 0.18), 0.55)
    if rng.random() < 0.7:
        hill(canvas, rng, rng.uniform(0.03, 0.09), 0.28)


def mountain(canvas: Canvas, rng: Rng, x: Number, width: Number, height: Number) -> None:
    """Paint a rocky mountain, often with a white peak."""
    y = canvas.camera.horizon
    steps = np.linspace(-1, 1, 17)
    jag = rng.uniform(-0.10, 0.10, 17) * (1 - np.abs(steps))
    line = np.stack(
        [x + steps * width, y - height * np.clip(1 - np.abs(steps) ** 0.9 + jag, 0, 1)], 1
    )
    color = tint(rng, "gray", "gray", "blue", "purple").times(0.9)
    fill = partial(canvas.fill, unit=0.045, anchor=(x, y), haze=rng.uniform(0.25, 0.5))
    fill(("mountain", "slope", "rock"), color, line)
    lit = np.concatenate(
        [line[:9], polygon((x + 0.1 * width, y - 0.35 * height), (x - 0.05 * width, y))]
    )
    canvas.darken(0.22, lit if canvas.light.sun > 0 else np.concatenate([line[8:], lit[-2:]]))
    if rng.random() < 0.7:
        edge = y - height * rng.uniform(0.55, 0.7)
        cap = line[line[:, 1] < edge]
        zigzag = np.stack(
            [np.linspace(cap[-1, 0], cap[0, 0], 7), edge + rng.uniform(-0.03, 0.02, 7)], 1
        )
        fill(("mountain", "peak", "snow"), tint(rng, "white"), np.concatenate([cap, zigzag]))


def lawn(
    canvas: Canvas, rng: Rng, y0: Number | None = None, y1: Number = 1.01, name: str = "green"
) -> None:
    """Paint grass from the horizon (or `y0`) to the front."""
    start = canvas.camera.horizon if y0 is None else y0
    canvas.ground(("lawn", "turf", "grass"), tint(rng, name), band(start, y1))


def field(canvas: Canvas, rng: Rng, outline: Points, color: str = "brown") -> None:
    """Paint ploughed ground."""
    canvas.ground(("field", "furrow", "soil"), tint(rng, color), outline)


def crops(canvas: Canvas, rng: Rng, y0: Number, y1: Number, lean: Number) -> None:
    """Paint rows of a crop that run towards the horizon over a field."""
    color, grain = tint(rng, "green", "yellow"), rng.random() < 0.5
    label = ("field", "bed", "straw" if grain and color.name == "yellow" else "foliage")
    camera = canvas.camera
    count = int(rng.integers(7, 12))
    far, near = float(camera.unit(y0)), float(camera.unit(y1))
    rows = (
        polygon(
            (0.5 + at * far, y0),
            (0.5 + (at + 1.2) * far, y0),
            (0.5 + (at + 1.2) * near, y1),
            (0.5 + at * near, y1),
        )
        for at in 2.2 * np.arange(-count, count + 1) + lean
    )
    canvas.ground(label, color, *rows)


def path(
    canvas: Canvas, rng: Rng, x0: Number, y0: Number, x1: Number, y1: Number, width: Number
) -> None:
    """Paint a path from far `(x0, y0)` to near `(x1, y1)`, `width` metres wide, with a bend."""
    material = ("stone", "sand", "concrete")[int(rng.integers(3))]
    colors = {"stone": ("gray", "beige"), "sand": ("beige", "brown"), "concrete": ("gray", "beige")}
    t = np.linspace(0, 1, 14)
    y = y0 + t * (y1 - y0)
    x = x0 + t * (x1 - x0) + rng.uniform(-0.09, 0.09) * np.sin(np.pi * t)
    half = np.asarray(canvas.camera.unit(y)) * width / 2
    outline = np.concatenate([np.stack([x - half, y], 1), np.stack([x + half, y], 1)[::-1]])
    canvas.ground(("path", "paving", material), tint(rng, *colors[material]), outline)


def road(canvas: Canvas, rng: Rng, y0: Number, y1: Number) -> None:
    """Paint a road across the picture, with a broken line or none."""
    canvas.ground(("road", "lane", "asphalt"), tint(rng, "gray", "black").times(0.95), band(y0, y1))
    if rng.random() < 0.8:
        middle, half = y0 + 0.46 * (y1 - y0), 0.022 * (y1 - y0) + 0.002
        color, start = tint(rng, "white", "yellow"), rng.uniform(-0.1, 0)
        dash = polygon((0, -half), (0.08, -half), (0.075, half), (-0.005, half))
        places = np.arange(start, 1.1, rng.uniform(0.13, 0.2))
        canvas.ground(
            ("road", "marking", "plastic"), color, *(np.add(dash, (x, middle)) for x in places)
        )


def crossing(canvas: Canvas, rng: Rng, x: Number, y0: Number, y1: Number) -> None:
    """Paint a zebra crossing over a road."""
    color = tint(rng, "white")
    stripes = (
        polygon((x + far, y0), (x + far + 0.02, y0), (x + near + 0.029, y1), (x + near, y1))
        for near, far in ((i * 0.055, i * 0.038) for i in range(-3, 3))
    )
    canvas.ground(("road", "marking", "plastic"), color, *stripes)


def sidewalk(canvas: Canvas, rng: Rng, y0: Number, y1: Number) -> None:
    """Paint a sidewalk across the picture, its curb towards the front."""
    edge = y1 - 0.20 * (y1 - y0) - 0.006
    material = ("concrete", "stone", "brick")[int(rng.integers(3))]
    colors = {"concrete": ("gray", "beige"), "stone": ("gray", "beige"), "brick": ("red", "brown")}
    canvas.ground(
        ("sidewalk", "paving", material), tint(rng, *colors[material]).times(1.1), band(y0, edge)
    )
    unit = float(canvas.camera.unit(y1))
    canvas.fill(
        ("sidewalk", "curb", "concrete"),
        tint(rng, "gray", "white").times(1.05),
        band(edge, y1),
        unit=unit,
        anchor=(0, y1),
    )
    canvas.darken(0.3, band(y1 - 0.004, y1 + 0.006))


def shore(canvas: Canvas, rng: Rng, outline: Points) -> None:
    """Paint sand on the ground."""
    canvas.ground(
        ("shore", "bed", "sand"), tint(rng, "beige", "beige", "yellow").times(1.04), outline
    )


def water(canvas: Canvas, rng: Rng, outline: Points, *, glitter: bool = True) -> None:
    """Paint open water, its far end taking the colour of the sky."""
    canvas.ground(("water", "surface", "water"), water_tint(rng), outline)
    if glitter and canvas.light.name in ("sunset", "morning", "noon"):
        x = 0.5 + 0.42 * canvas.light.sun
        y0, y1 = outline[:, 1].min(), min(outline[:, 1].max(), 1.0)
        canvas.shadow(x, (y0 + y1) / 2, 0.10, (y1 - y0) / 2, -0.35)


def water_tint(rng: Rng) -> Tint:
    """Draw the colour of a water: mostly blue, sometimes green or gray."""
    return tint(rng, "blue", "blue", "blue", "green", "gray").times(1.05)


def surf(canvas: Canvas, rng: Rng, y: Number) -> None:
    """Paint lines of foam where the sea meets the shore at `y`."""
    x = np.linspace(-0.02, 1.02, 40)
    for k in range(int(rng.integers(1, 4))):
        wave = 0.010 * np.sin(x * rng.uniform(5, 14) + rng.uniform(0, 6)) + 0.004 * np.sin(x * 31)
        top = y - 0.035 * k + wave
        thick = rng.uniform(0.008, 0.018) / (1 + 0.5 * k)
        line = np.concatenate([np.stack([x, top], 1), np.stack([x, top + thick], 1)[::-1]])
        canvas.ground(("water", "foam", "foam"), tint(rng, "white"), line)


def pond(canvas: Canvas, rng: Rng, x: Number, y: Number, rx: Number, ry: Number) -> None:
    """Paint a small water with a sandy edge."""
    edge = blob(rng, x, y, rx, ry, 0.07)
    canvas.ground(("shore", "bed", "sand"), tint(rng, "beige"), edge)
    canvas.ground(("water", "surface", "water"), water_tint(rng), (edge - (x, y)) * 0.9 + (x, y))
