"""Decompositions made by hand: shapes and values as a five-stage network's, without a network."""

from __future__ import annotations

import numpy as np

from hexplain_widgets.evidence import Decomposition, Layer, Node, Prediction, Provenance

MARKUP = "<img src=x onerror=alert(1)>"
NAMES = ("house", "orchard", "pasture", MARKUP, "harbor")
STAGES = (  # name, channels, cells a side, receptive field in pixels
    ("features.29", 512, 14, 212),
    ("features.22", 512, 28, 100),
    ("features.15", 256, 56, 44),
    ("features.8", 128, 112, 16),
    ("features.3", 64, 224, 5),
)


def made_decomposition(
    *, levels: int = 4, top_k: int = 3, side: int = 224, pictures: bool = False, seed: int = 0
) -> Decomposition:
    """A tree of `levels` stages with `top_k` children per node: 121 nodes with 4 and 3."""
    draw = np.random.default_rng(seed)
    image = scene(side)
    logits = np.array([9.4, 6.1, 5.2, 4.8, 3.9])
    likely = np.exp(logits - logits.max())
    likely /= likely.sum()
    predictions = tuple(
        Prediction(i, name, float(p), float(v))
        for i, (name, p, v) in enumerate(zip(NAMES, likely, logits, strict=True))
    )
    layers = tuple(
        Layer(name, "ReLU", (k, cells, cells), 5 - i, (field, field))
        for i, (name, k, cells, field) in enumerate(STAGES)
    )
    root = Node(
        layer="classifier", channel=0, position=(0, 0), value=9.4, contribution=9.4, share=1.0,
        patch=np.full((1, 1), 9.4, np.float32), offset=(0, 0), shape=(1, 1),
        box=(0, 0, side, side), activated=top_k * 40, completeness=0.83,
        children=children(draw, (0, 0, side, side), 0, levels, top_k, side, pictures, 9.4),
    )  # fmt: skip
    return Decomposition(
        image, predictions, predictions[0], layers, root,
        Provenance("hierarchical decomposition", "VGG", "house", {"top_k": top_k}),
        ("a node is negated where its value is negative",),
    )  # fmt: skip


def children(draw, field, level, levels, top_k, side, pictures, value):
    """The children of a decision whose receptive field is `field`, strongest first."""
    if level == levels:
        return ()
    shares = np.sort(draw.dirichlet(np.full(top_k + 4, 0.8)))[::-1][:top_k]
    channels = draw.choice(STAGES[level][1], top_k, replace=False)
    return tuple(
        child(draw, field, level, levels, top_k, side, pictures, int(k), float(s), value)
        for k, s in zip(channels, shares, strict=True)
    )


def child(draw, field, level, levels, top_k, side, pictures, channel, share, parent):
    name, _, cells, extent = STAGES[level]
    stride = side / cells
    x0, y0, x1, y1 = (round(v / stride) for v in field)
    patch = blob(draw, max(1, y1 - y0), max(1, x1 - x0))
    y, x = np.unravel_index(patch.argmax(), patch.shape)
    at = (int(y) + y0, int(x) + x0)
    cy, cx = (int((i + 0.5) * stride) for i in at)
    half = extent // 2
    box = (max(0, cx - half), max(0, cy - half), min(side, cx + half + 1), min(side, cy + half + 1))
    here = float(patch.max())
    below = children(draw, box, level + 1, levels, top_k, side, pictures, here)
    last = level + 1 == len(STAGES)
    return Node(
        layer=name, channel=channel, position=at, value=here, contribution=share * parent,
        share=share, patch=patch, offset=(y0, x0), shape=(cells, cells), box=box,
        also=tuple(map(int, draw.choice(400, draw.integers(0, 3), replace=False))),
        negated=bool(draw.random() < 0.08), unclipped=bool(draw.random() < 0.05),
        activated=None if last or not below else int(draw.integers(4, 90)),
        completeness=None if last or not below else float(draw.uniform(0.6, 1.1)),
        picture=guided(draw, box) if pictures else None, children=below,
    )  # fmt: skip


def blob(draw, h, w):
    """A smooth positive bump with a shallow negative ring, as activation maps look."""
    y, x = np.mgrid[0:h, 0:w] / max(h, w)
    cy, cx = draw.uniform(0.25, 0.75, 2) * np.array([h, w]) / max(h, w)
    r = (y - cy) ** 2 + (x - cx) ** 2
    bump = np.exp(-r / 0.02) * 1.3 - 0.25 * np.exp(-r / 0.12) + 0.04 * draw.standard_normal((h, w))
    return bump.astype(np.float32) * float(draw.uniform(0.5, 4))


def guided(draw, box):
    """A picture of the box's size that looks like guided backpropagation."""
    h, w = box[3] - box[1], box[2] - box[0]
    y, x = np.mgrid[0:h, 0:w]
    a, b = draw.uniform(-0.6, 0.6, 2)
    wave = np.sin(a * x + b * y)[..., None] * draw.uniform(0.3, 1, 3)
    window = np.exp(-((y - h / 2) ** 2 + (x - w / 2) ** 2) / (0.08 * max(h, w) ** 2 + 1))[..., None]
    return np.clip(128 + 110 * wave * window, 0, 255).astype(np.uint8)


def scene(side):
    """A house under a sky: edges, a roof, windows and a lawn."""
    y, x = np.mgrid[0:side, 0:side] / side
    image = np.empty((side, side, 3))
    image[:] = np.stack([0.55 + 0.3 * y, 0.72 + 0.2 * y, 0.95 - 0.05 * y], -1)
    grass = 0.04 * np.sin(90 * x + 40 * y) * np.sin(70 * y)
    image[y > 0.74] = np.stack([0.3 + grass, 0.55 + grass, 0.25 + grass], -1)[y > 0.74]
    brick = ((y * 40 % 1) < 0.12) | (((x * 20 + (np.floor(y * 40) % 2) * 0.5) % 1) < 0.06)
    wall = (abs(x - 0.5) < 0.27) & (y > 0.45) & (y < 0.82)
    image[wall] = np.where(brick[..., None], 0.62, np.array([0.72, 0.38, 0.3]))[wall]
    image[(y > 0.45 - 0.24 * (1 - abs(x - 0.5) / 0.34)) & (y < 0.45) & (abs(x - 0.5) < 0.34)] = (
        0.34, 0.22, 0.22,
    )  # fmt: skip
    for cx in (0.34, 0.66):
        image[(abs(x - cx) < 0.065) & (abs(y - 0.58) < 0.065)] = (0.95, 0.93, 0.85)
        image[(abs(x - cx) < 0.055) & (abs(y - 0.58) < 0.055)] = (0.4, 0.6, 0.75)
    image[(abs(x - 0.5) < 0.055) & (y > 0.62) & (y < 0.82)] = (0.35, 0.2, 0.12)
    return (np.clip(image, 0, 1) * 255).astype(np.uint8)


def tinted(draw, side=48, least=0.35):
    """A scene under a sky of another colour each time."""
    return (scene(side) * draw.uniform(least, 1, 3)).astype(np.uint8)


def lit(count, side):
    """Scenes of different light."""
    return [(scene(side) * light).astype(np.uint8) for light in np.linspace(0.6, 1, count)]
