"""Colors of pixels: the eleven basic terms, on colors whose names are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hexplain_widgets.data.concept_sets import COLORS, color_map
from hexplain_widgets.demo import vocabulary
from hexplain_widgets.demo.palette import SHADES, tint

# Names of CSS Color Module Level 4 by the basic term that everybody would give them.
NAMED = {
    "red": ("red", "firebrick", "darkred", "crimson", "maroon", "orangered"),
    "orange": ("orange", "darkorange", "coral", "sandybrown"),
    "yellow": ("yellow", "gold", "khaki", "lightyellow", "goldenrod"),
    "green": ("green", "lime", "forestgreen", "lightgreen", "darkgreen", "olivedrab", "seagreen"),
    "blue": ("blue", "navy", "skyblue", "dodgerblue", "steelblue", "midnightblue", "lightblue"),
    "purple": ("purple", "indigo", "rebeccapurple", "darkviolet", "mediumpurple"),
    "pink": ("pink", "hotpink", "deeppink", "lightpink", "palevioletred"),
    "brown": ("saddlebrown", "sienna", "tan", "burlywood"),
    "white": ("white", "snow", "ivory", "whitesmoke", "ghostwhite"),
    "gray": ("gray", "dimgray", "silver", "lightgray", "slategray"),
    "black": ("black",),
}


def term(color: str | tuple[int, int, int]) -> str:
    return COLORS[int(color_map(Image.new("RGB", (1, 1), color))[0, 0]) - 1]


@pytest.mark.parametrize(
    ("name", "css"), [(name, css) for name, each in NAMED.items() for css in each]
)
def test_a_color_with_a_well_known_name_gets_its_basic_term(name, css):
    assert term(css) == name


@pytest.mark.parametrize("name", [name for name in SHADES if name != "beige"])
def test_the_shades_of_the_embedded_world_get_the_term_they_were_drawn_as(name):
    draw = np.random.default_rng(0)
    pixels = np.array([[tint(draw, name).rgb for _ in range(200)]])
    found = color_map(Image.fromarray(np.round(pixels * 255).astype(np.uint8)))
    assert (found == COLORS.index(name) + 1).mean() > 0.85


def test_the_terms_are_those_of_the_embedded_world_without_beige():
    assert tuple(c for c in vocabulary.COLORS if c != "beige") == COLORS


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_every_color_has_a_term(rgb):
    assert term(rgb) in COLORS


@given(st.integers(0, 255))
def test_equal_red_green_and_blue_have_no_hue(level):
    assert term((level, level, level)) in ("black", "gray", "white")


def test_a_map_has_the_size_of_its_picture():
    assert color_map(Image.new("RGB", (5, 3))).shape == (3, 5)


def test_a_grey_picture_has_colors_too():
    assert color_map(Image.new("L", (1, 1), 255))[0, 0] == COLORS.index("white") + 1
