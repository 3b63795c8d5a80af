"""The embedded world is rich, and nothing in it can be told from one cue alone."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from hexplain_widgets.demo.palette import LIGHTS
from hexplain_widgets.demo.scenes import scene
from hexplain_widgets.demo.vocabulary import LEGEND, LEVELS, SCENES

PER_CLASS = 10


def surfaces(job: tuple[str, int]) -> set[tuple[str, ...]]:
    """Return the (scene, object, part, material, color) that some pixel of a scene has."""
    light = tuple(LIGHTS)[job[1] % len(LIGHTS)]
    found = scene(job[0], seed=500 + job[1], size=64, light=light)
    names = [LEGEND[level] for level in LEVELS]
    sizes = tuple(map(len, names))
    surface = np.unique(np.ravel_multi_index([found.masks[level] for level in LEVELS], sizes))
    rows = zip(*np.unravel_index(surface, sizes), strict=True)
    return {tuple(n[i] for n, i in zip(names, row, strict=True)) for row in rows}


@pytest.fixture(scope="module")
def world() -> set[tuple[str, ...]]:
    jobs = [(name, k) for name in SCENES for k in range(PER_CLASS)]
    return set().union(*map(surfaces, jobs))


def across(world: set[tuple[str, ...]], what: str, where: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for row in world:
        found[row[LEVELS.index(what)]].add(row[LEVELS.index(where)])
    return found


@pytest.mark.parametrize(
    ("level", "least"),
    [("scene", 8), ("object", 20), ("part", 25), ("material", 12), ("color", 9)],
)
def test_the_legend_is_as_rich_as_promised(level, least):
    assert len(LEGEND[level]) - 1 >= least


@pytest.mark.parametrize("level", LEVELS)
def test_names_of_a_level_are_unique(level):
    assert len(set(LEGEND[level])) == len(LEGEND[level])


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
def test_every_name_of_the_legend_occurs_in_some_scene(world, level):
    assert set(across(world, level, level)) == set(LEGEND[level]) - {"none"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "where", "shared", "least"),
    [
        ("object", "scene", 2, 40),
        ("part", "object", 2, 35),
        ("material", "object", 2, 20),
        ("color", "object", 8, 12),
        ("color", "scene", 10, 12),
    ],
)
def test_names_are_shared(world, what, where, shared, least):
    assert sum(len(places) >= shared for places in across(world, what, where).values()) >= least


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENES)
def test_no_scene_has_a_sky_of_its_own(world, name):
    skies = {row[4] for row in world if row[0] == name and row[2] == "clear sky"}
    assert skies == {"blue", "pink", "gray", "orange", "purple"}
