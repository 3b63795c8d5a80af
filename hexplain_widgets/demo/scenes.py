"""Scenes by name and seed: the door to the embedded world."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Int
from PIL import Image

from ..arguments import nearest
from .canvas import Camera, Canvas
from .composition import Place
from .objects_plants import FRUIT
from .palette import LIGHTS
from .scenes_country import beach, farm, lake, orchard, pasture
from .scenes_town import harbor, house_scene, park, playground, street
from .vocabulary import LEGEND, SCENES

PAINTERS: dict[str, Callable[[Place], None]] = {
    "beach": beach, "farm": farm, "harbor": harbor, "house": house_scene, "lake": lake,
    "orchard": orchard, "park": park, "pasture": pasture, "playground": playground,
    "street": street,
}  # fmt: skip

VARIANTS: dict[str, dict[str, tuple[str, ...]]] = {
    name: {"light": tuple(LIGHTS)} for name in SCENES
}  # fmt: skip
VARIANTS["house"]["surroundings"] = ("pool", "hedge", "curb")
VARIANTS["pasture"]["animals"] = ("horses", "cows", "sheep")
VARIANTS["orchard"]["fruit"] = tuple(FRUIT)

SMALLEST = 16


@dataclass(frozen=True, eq=False)
class Scene:
    """A rendered scene with complete labels.

    `image` is RGB; `masks` has one `(H, W)` int32 map per level, whose values index the names in
    `legend` (0 is "none" and does not occur); `variant` says what was chosen or drawn.
    """

    image: Image.Image
    label: str
    masks: Mapping[str, Int[np.ndarray, "H W"]]
    legend: Mapping[str, tuple[str, ...]]
    seed: int
    variant: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What identifies the scene whatever its size: its name, seed and variant."""
        return " ".join((self.label, str(self.seed), *map("=".join, sorted(self.variant.items()))))


def scene(name: str, *, seed: int = 0, size: int = 224, **variant: str) -> Scene:
    """Render a scene, `size` pixels square; the same seed gives the same scene at every size.

    Variants: `light` ("noon", "morning", "overcast", "sunset", "dusk") for every scene,
    `surroundings` ("pool", "hedge", "curb") of a house, `animals` ("horses", "cows", "sheep") of a
    pasture, `fruit` of an orchard; each is drawn from the seed unless it is given.
    Raises ValueError for an unknown name or variant, a negative seed, or a size below 16.
    """
    _check(name, seed, size, variant)
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    drawn = {key: values[int(rng.integers(len(values)))] for key, values in VARIANTS[name].items()}
    choice = drawn | variant
    light = replace(LIGHTS[choice["light"]], sun=float(rng.choice((-1, 1)) * rng.uniform(0.4, 1)))
    canvas = Canvas(size, light, Camera(float(rng.uniform(0.36, 0.52))))
    PAINTERS[name](Place(canvas, rng, choice))
    return Scene(canvas.image(), name, canvas.masks(name), LEGEND, seed, choice)


def _check(name: str, seed: int, size: int, variant: Mapping[str, str]) -> None:
    if name not in PAINTERS:
        raise ValueError(_unknown("scene", name, PAINTERS))
    for key, value in variant.items():
        if key not in VARIANTS[name]:
            raise ValueError(_unknown(f"variant of a {name} scene", key, VARIANTS[name]))
        if value not in VARIANTS[name][key]:
            raise ValueError(_unknown(key, value, VARIANTS[name][key]))
    check_size(seed, size)


def check_size(seed: int, size: int) -> None:
    """Raise ValueError for a negative seed or a size below 16 pixels."""
    if seed < 0:
        raise ValueError(f"seed is {seed}; expected 0 or more; take a non-negative whole number")
    if size < SMALLEST:
        raise ValueError(
            f"size is {size} pixels; expected at least {SMALLEST}; pass the side of the square"
        )


def _unknown(kind: str, got: str, known: Iterable[str]) -> str:
    names = sorted(known)
    return (
        f"unknown {kind} {got!r}; expected one of {', '.join(names)}; try"
        f" {nearest(str(got), names)}"
    )
