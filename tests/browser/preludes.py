"""What the first cells of several notebooks begin with: a real network, its images, fitted engines.

Kernels import this by its name, for their path holds the repository.
"""

from __future__ import annotations

from functools import cache

import hexplain_widgets as hx
from hexplain_widgets.demo.dataset import Scenes


@cache
def world() -> Scenes:
    """Twenty scenes of the embedded world, which one kernel draws once."""
    return hx.demo.scenes(20, seed=0)


def house(surroundings: str | None = "pool") -> Image:
    """An image of a house in its surroundings; None takes those of the seed."""
    choice = {} if surroundings is None else {"surroundings": surroundings}
    return hx.demo.scene("house", seed=3, **choice).image


def fitted_chip() -> hx.Chip:
    """A Chip of the embedded classifier's two deepest stages."""
    chip = hx.Chip(layers=["stage4", "stage5"], gates_per_image=20)
    return chip.fit(hx.demo.classifier(), world(), progress=False)


def fitted_hint() -> hx.Hint:
    """A Hint of all stages of the embedded classifier."""
    return hx.Hint(layer="stages").fit(hx.demo.classifier(), world(), hx.demo.hierarchy())
