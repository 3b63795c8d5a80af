"""The built scenes: house, street, harbor, park and playground."""

from __future__ import annotations

from .brush import Brush
from .composition import (
    Place,
    backdrop,
    extras,
    fenced,
    gulls,
    open_water,
    people,
    trees,
)
from .geometry import Number
from .objects_animals import dog
from .objects_boats import rowboat, sailboat, ship
from .objects_buildings import building, crane, house, lighthouse, pier
from .objects_furniture import (
    ball,
    bench,
    crate,
    fence,
    fountain,
    lamp,
    parasol,
    pool,
    sandbox,
    sign,
    slide,
    swing,
    towel,
)
from .objects_ground import band, crossing, lawn, path, pond, road, shore, sidewalk
from .objects_people import person
from .objects_plants import flowerbed, hedge, tree
from .objects_vehicles import bicycle, car, van


def house_scene(p: Place) -> None:
    """One house in its garden, with a pool, a hedge or a curb before it."""
    backdrop(p, "hills", "mountains", "woods", "town", "open")
    lawn(p.canvas, p.rng)
    p.paint()
    around = p.choice["surroundings"]
    x, y = p.x(0.36, 0.64), p.near(0.16, 0.23)
    p.put("house", house, x, y, p.x(8.5, 11.5), 1 if p.often(0.55) else 2)
    if p.often(0.4):
        fenced(p, 0.06, 0.12)
    trees(p, p.some(1, 3), 0.08, 0.30)
    {"pool": _pool, "hedge": _hedge, "curb": _curb}[around](p, x, y)
    if p.often(0.3):
        p.put("flowerbed", flowerbed, x + p.x(-0.2, 0.2), y + 0.03, p.x(1.2, 2.2))
    people(p, p.some(-1, 1), 0.24, 0.36)
    extras(p, 0.26, 0.34, "dog", "bicycle", "bench", "swing", "crate", "ladder")
    p.paint()


def _pool(p: Place, x: Number, y: Number) -> None:
    y0 = y + p.x(0.07, 0.10)
    y1 = min(y0 + p.x(0.11, 0.17), 0.93)
    brush = Brush(p.canvas, p.rng, "pool", p.x(0.38, 0.62), y1)
    pool(brush, p.x(3.2, 4.6), y0, y1)
    if p.often(0.5):
        p.put("parasol", parasol, p.x(0.08, 0.2) if p.often(0.5) else p.x(0.8, 0.92), y1)
    if p.often(0.4):
        p.put("towel", towel, p.x(0.1, 0.9), min(y1 + 0.07, 0.99))


def _hedge(p: Place, x: Number, y: Number) -> None:
    front = min(y + p.x(0.10, 0.18), 0.93)
    unit = float(p.canvas.camera.unit(front))
    path(p.canvas, p.rng, x, y, x + p.x(-0.1, 0.1), 1.02, 1.8)
    height = p.x(0.9, 1.5)
    for side in (-1, 1):
        half = p.x(0.20, 0.27) / unit
        p.put("hedge", hedge, x + side * (half * unit + 0.07), front, half, height)


def _curb(p: Place, x: Number, y: Number) -> None:
    path(p.canvas, p.rng, x, y, x + p.x(-0.05, 0.05), y + 0.14, 1.8)
    start = y + p.x(0.08, 0.13)
    sidewalk(p.canvas, p.rng, start, start + 0.06)
    road(p.canvas, p.rng, start + 0.06, 1.01)
    if p.often(0.6):
        p.put("car", car, p.x(0.15, 0.85), start + p.x(0.12, 0.18))
    if p.often(0.3):
        p.put("lamp", lamp, p.x(0.05, 0.95), start + 0.04)


def street(p: Place) -> None:
    """A row of buildings, sidewalk, traffic."""
    backdrop(p, "open", "town", "hills")
    lawn(p.canvas, p.rng)
    p.paint()
    front = p.near(0.08, 0.13)
    _row(p, front)
    p.paint()
    walk = front + p.x(0.05, 0.08)
    sidewalk(p.canvas, p.rng, front, walk)
    end = p.x(0.86, 1.01)
    road(p.canvas, p.rng, walk, end)
    if end < 0.98:
        sidewalk(p.canvas, p.rng, end, 1.04)
    if p.often(0.4):
        crossing(p.canvas, p.rng, p.x(0.2, 0.8), walk, end)
    for _ in range(p.some(1, 3)):
        vehicle = ("van", van) if p.often(0.3) else ("car", car)
        p.put(*vehicle, p.x(-0.02, 1.02), walk + p.x(0.05, 0.26) * (end - walk) / 0.3)
    for x in (p.x(0, 0.33), p.x(0.33, 0.66), p.x(0.66, 1)):
        if p.often(0.6):
            p.put(*(("lamp", lamp) if p.often(0.6) else ("sign", sign)), x, walk - 0.015)
        if p.often(0.35):
            p.put("tree", tree, x + 0.12, walk - 0.02, p.x(4, 5.5))
    people(p, p.some(1, 4), walk - p.horizon - 0.04, walk - p.horizon - 0.01)
    if p.often(0.3):
        p.put("bicycle", bicycle, p.x(), walk + p.x(0.03, 0.2))
    extras(
        p,
        walk - p.horizon - 0.04,
        walk - p.horizon - 0.01,
        "bench",
        "dog",
        "hedge",
        "flowerbed",
        "parasol",
        "palm",
    )
    p.paint()


def _row(p: Place, front: Number) -> None:
    unit = float(p.canvas.camera.unit(front))
    x = -p.x(0.0, 0.15)
    while x < 1.05:
        width = p.x(6.5, 10.5)
        if p.often(0.8):
            p.put(
                "building", building, x + width * unit / 2, front, width, p.some(2, 4), flip=False
            )
        elif p.often(0.6):
            p.put("house", house, x + width * unit / 2, front, width, 2)
        x += width * unit * 1.02


def harbor(p: Place) -> None:
    """Ships and boats at a quay with crane, lighthouse or sheds."""
    backdrop(p, "open", "town", "hills", "mountains", "town")
    p.paint()
    quay = p.x(0.78, 0.9)
    open_water(p, quay + 0.01)
    sidewalk(p.canvas, p.rng, quay, 1.2) if p.often(0.5) else _planks(p, quay)
    if p.often(0.45):
        side = 0.1 if p.often(0.5) else 0.9
        p.put("lighthouse", lighthouse, side + p.x(-0.06, 0.06), p.near(0.02, 0.05), p.x(12, 17))
    if p.often(0.5):
        p.put("crane", crane, p.x(0.1, 0.9), p.near(0.03, 0.08), p.x(11, 14))
    for k in range(p.some(2, 4)):
        kind = (("ship", ship), ("sailboat", sailboat), ("rowboat", rowboat), ("ship", ship))[
            p.some(0, 3)
        ]
        p.put(*kind, (k * 0.37 + p.x(0, 0.3)) % 1, p.near(0.10, quay - p.horizon - 0.04))
    if p.often(0.5):
        y, side_flip = p.near(0.15, 0.28), p.often(0.5)
        p.put(
            "pier",
            pier,
            1.0 if side_flip else 0.0,
            y,
            p.x(0.25, 0.5) / float(p.canvas.camera.unit(y)),
            flip=side_flip,
        )
    below = quay - p.horizon
    for _ in range(p.some(0, 4)):
        p.put("crate", crate, p.x(0.05, 0.95), p.near(below + 0.03, below + 0.1))
    if p.often(0.4):
        p.put("lamp", lamp, p.x(0.05, 0.95), quay + 0.04)
    people(p, p.some(0, 2), below + 0.03, below + 0.09)
    extras(p, below + 0.03, below + 0.08, "bench", "bicycle", "dog", "van", "car", "palm")
    gulls(p, p.some(0, 2))
    p.paint()


def _planks(p: Place, quay: Number) -> None:
    brush = Brush(p.canvas, p.rng, "pier", 0.0, quay)
    color = brush.tint("brown", "gray", "beige")
    brush.canvas.ground(("pier", "deck", "wood"), color, band(quay, 1.01))
    for k in range(9):
        brush.box(
            "post", "wood", color.times(0.7), k * 2.4 - 0.2, -0.4, k * 2.4 + 0.2, 0.7, form="column"
        )


def park(p: Place) -> None:
    """Paths, benches, trees, flower beds, a fountain or a pond."""
    backdrop(p, "town", "woods", "hills", "open")
    lawn(p.canvas, p.rng)
    p.paint()
    path(p.canvas, p.rng, p.x(0.3, 0.7), p.horizon + 0.02, p.x(0.1, 0.9), 1.02, p.x(2.0, 3.2))
    if p.often(0.4):
        pond(p.canvas, p.rng, p.x(0.2, 0.8), p.near(0.14, 0.24), p.x(0.15, 0.26), p.x(0.035, 0.06))
    elif p.often(0.7):
        p.put("fountain", fountain, p.x(0.25, 0.75), p.near(0.14, 0.24))
    trees(p, p.some(2, 4), 0.06, 0.34)
    for _ in range(p.some(1, 2)):
        p.put("bench", bench, p.x(0.1, 0.9), p.near(0.2, 0.42))
    for _ in range(p.some(0, 3)):
        p.put("flowerbed", flowerbed, p.x(), p.near(0.12, 0.46), p.x(1.0, 2.0))
    for _ in range(p.some(0, 2)):
        p.put("lamp", lamp, p.x(0.1, 0.9), p.near(0.12, 0.35))
    people(p, p.some(0, 3), 0.14, 0.45)
    if p.often(0.35):
        p.put("dog", dog, p.x(), p.near(0.25, 0.45))
    extras(p, 0.15, 0.4, "bicycle", "hedge", "bench", "palm", "swing", "parasol", "sign")
    p.paint()


def playground(p: Place) -> None:
    """Swing, slide and sandbox with children."""
    backdrop(p, "town", "woods", "hills", "open")
    if p.often(0.65):
        lawn(p.canvas, p.rng)
    else:
        lawn(p.canvas, p.rng, None, p.horizon + 0.12)
        shore(p.canvas, p.rng, band(p.horizon + 0.10, 1.01))
    p.paint()
    spots = [0.22 + p.x(-0.06, 0.06), 0.52 + p.x(-0.08, 0.08), 0.8 + p.x(-0.06, 0.06)]
    p.rng.shuffle(spots)
    chosen = p.some(0, 3)
    if chosen != 0:
        p.put("swing", swing, spots[0], p.near(0.17, 0.34), scale=1.45)
    if chosen != 1:
        p.put("slide", slide, spots[1], p.near(0.17, 0.36), scale=1.45)
    if chosen != 2:
        p.put("sandbox", sandbox, spots[2], p.near(0.28, 0.45), scale=1.3)
    for _ in range(p.some(1, 4)):
        p.put("person", person, p.x(0.05, 0.95), p.near(0.2, 0.46), height=p.x(1.0, 1.35))
    if p.often(0.5):
        p.put("ball", ball, p.x(0.1, 0.9), p.near(0.3, 0.5))
    if p.often(0.5):
        p.put("bench", bench, p.x(0.1, 0.9), p.near(0.1, 0.4))
    if p.often(0.5):
        fenced(p, 0.05, 0.12)
    if p.often(0.15):
        p.put("fence", fence, 0.5, 0.97, 14.0, 1.0)
    trees(p, p.some(0, 3), 0.05, 0.25)
    extras(p, 0.15, 0.4, "bicycle", "lamp", "hedge", "dog", "parasol", "flowerbed")
    p.paint()
