"""Colours of concepts: the same concept has the same colour in every chart."""

from __future__ import annotations

from collections import defaultdict

from ...pictures.colours import paler
from .merging import ConceptPath, MergedConcept

Key = tuple[int, str]
# Okabe and Ito's, told apart by the colour-blind, then others as far from them as can be.
OBJECTS = (
    "#56b4e9",
    "#e69f00",
    "#2ba884",
    "#cc79a7",
    "#f0d84a",
    "#7d8fd9",
    "#e0764a",
    "#8cc152",
    "#b58a63",
    "#a98bd0",
)
# The basic color terms, as one who reads them pictures them.
TERMS = {
    "red": "#d6392f",
    "orange": "#f08a24",
    "yellow": "#f2cf3b",
    "green": "#4c9f4a",
    "blue": "#3f7fcb",
    "purple": "#8a56b3",
    "pink": "#f0a3bd",
    "brown": "#8a5a37",
    "beige": "#e2d2b0",
    "white": "#fafafa",
    "gray": "#9a9a9a",
    "grey": "#9a9a9a",
    "black": "#222222",
}
_PALER = 0.2  # how much paler a level is than the one above it
_SHADES = (0.0, 0.12, -0.08, 0.2)  # and the concepts of one parent among each other


def concept_colours(root: MergedConcept, levels: tuple[str, ...]) -> dict[ConceptPath, str]:
    """Return a colour `#rrggbb` for every concept: by its level and name, wherever it stands.

    Below the first level a concept has a shade of the parent it weighs most in. At the level
    "color" concepts that are basic color terms have their own.
    """
    colours: dict[Key, str] = {(0, root.concept): "#8f98a3"}
    for depth in range(1, len(levels)):
        for place, (name, parent) in enumerate(_heaviest_parents(root, depth)):
            colours[depth, name] = _colour(name, levels[depth], depth, place, colours.get(parent))
    return {path: colours[one.depth, one.concept] for path, one in root.walk()}


def _colour(name: str, level: str, depth: int, place: int, parent: str | None) -> str:
    term = TERMS.get(name.removesuffix("-c").lower()) if level in ("color", "colour") else None
    if term is not None:
        return term
    if depth == 1 or parent is None:
        return paler(OBJECTS[place % len(OBJECTS)], 0.25 * min(2, place // len(OBJECTS)))
    return paler(parent, _PALER + _SHADES[place % len(_SHADES)])


def _heaviest_parents(root: MergedConcept, depth: int) -> list[tuple[str, Key]]:
    """The names at a level, those that weigh most first, with the parent each weighs most in."""
    sizes: dict[str, dict[Key, float]] = defaultdict(lambda: defaultdict(float))
    above: dict[ConceptPath, Key] = {}
    for path, one in root.walk():
        above[path] = (one.depth, one.concept)
        if one.depth == depth:
            share = sum(abs(concept.share) for _, concept in one.known)
            sizes[one.concept][above[path[:-1]]] += share
    ordered = sorted(sizes, key=lambda name: -sum(sizes[name].values()))
    return [(name, max(sizes[name], key=lambda key: sizes[name][key])) for name in ordered]
