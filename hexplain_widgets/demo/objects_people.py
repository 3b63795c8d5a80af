"""People: standing, walking or sitting, with or without a hat."""

from __future__ import annotations

from .brush import Brush
from .geometry import Number, ellipse, polygon, smooth, stroke
from .palette import Tint

SKIN = ("beige", "brown", "pink", "orange")
CLOTHES = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white", "gray", "black")


def person(
    b: Brush, *, height: Number = 1.75, bathing: bool = False, sitting: bool = False
) -> None:
    """Paint a person; `bathing` leaves arms and legs bare."""
    b.unit *= height / 1.75
    skin, hair = b.tint(*SKIN), b.tint("black", "brown", "yellow", "gray", "orange")
    shirt, trousers = b.tint(*CLOTHES), b.tint("blue", "black", "gray", "brown", "white", "red")
    leg = ("skin", skin) if bathing else ("fabric", trousers)
    if not sitting:
        b.shadow(0.36, depth=0.3)
    _legs(b, leg, sitting)
    b.fill(
        "torso",
        "fabric",
        trousers,
        polygon((-0.19, 0.98), (0.19, 0.98), (0.18, 0.78), (-0.18, 0.78)),
    )
    swing = b.rng.uniform(0.05, 0.28)
    sleeve = ("skin", skin) if bathing or b.rng.random() < 0.5 else ("fabric", shirt)
    for side in (-1, 1):
        arm = stroke((side * 0.22, 1.38), (side * (0.24 + swing), 0.86), 0.12, 0.09)
        b.fill("arm", *sleeve, arm, form="column", shade=0.86)
    torso = smooth(polygon((-0.26, 1.46), (0.26, 1.46), (0.20, 0.92), (-0.20, 0.92)), 1)
    b.fill("torso", "fabric", shirt, torso, form="column")
    b.fill(
        "head",
        "skin",
        skin,
        polygon((-0.06, 1.52), (0.06, 1.52), (0.06, 1.38), (-0.06, 1.38)),
        shade=0.85,
    )
    _head(b, skin, hair)


def _legs(b: Brush, leg: tuple[str, Tint], sitting: bool) -> None:
    stride = b.rng.uniform(0.03, 0.20)
    shoe = b.tint("black", "white", "brown", "red")
    for side in (-1, 1):
        foot = (side * (0.06 + stride), 0.03) if not sitting else (side * 0.12 + 0.06, 0.40)
        limb = stroke((side * 0.10, 0.88), foot, 0.19, 0.12)
        b.fill("leg", *leg, limb, form="column", shade=0.95 + 0.05 * side)
        b.fill("leg", "rubber", shoe, ellipse(foot[0] + 0.04, foot[1], 0.12, 0.06, 10))


def _head(b: Brush, skin: Tint, hair: Tint) -> None:
    b.fill("hair", "fur", hair, ellipse(0, 1.66, 0.155, 0.165, 16), shade=0.95)
    b.fill("head", "skin", skin, ellipse(0.03, 1.62, 0.12, 0.14, 16), form="round")
    if b.rng.random() < 0.4:
        color = b.tint("yellow", "red", "blue", "white", "beige", "black")
        material = "straw" if color.name in ("yellow", "beige") else "fabric"
        b.fill("hat", material, color, ellipse(0, 1.74, 0.27, 0.06, 14))
        b.fill(
            "hat",
            material,
            color,
            polygon((-0.15, 1.74), (0.15, 1.74), (0.11, 1.90), (-0.11, 1.90)),
            shade=0.95,
        )
