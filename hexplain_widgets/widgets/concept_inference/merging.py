"""Several inferences as one tree, a concept that some share once, and a concept's one colour."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...evidence import ConceptInference, InferredConcept
from ...pictures.colours import paler

ConceptPath = tuple[int, ...]
BySet = tuple[InferredConcept | None, ...]
MOST_ROWS = 8  # of a tree that is shown whole at first
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


@dataclass(frozen=True)
class MergedConcept:
    """A concept at one place of the tree: `by_set[s]` is what set `s` says of it, None if nothing.

    Children come by their largest weight in any set, what speaks against the concept last.
    """

    concept: str
    depth: int
    by_set: BySet
    children: tuple[MergedConcept, ...]

    @property
    def known(self) -> tuple[tuple[int, InferredConcept], ...]:
        """Pairs `(set, what it says)` of those sets that have the concept here."""
        return tuple((s, one) for s, one in enumerate(self.by_set) if one is not None)

    def walk(self, path: ConceptPath = ()) -> Iterator[tuple[ConceptPath, MergedConcept]]:
        """Yield `(path, concept)` of this one and all below it, parents first."""
        yield path, self
        for i, child in enumerate(self.children):
            yield from child.walk((*path, i))

    def node(self, path: ConceptPath) -> MergedConcept:
        """Return the concept at `path`, or the last one on the way there that exists."""
        if not path or path[0] >= len(self.children):
            return self
        return self.children[path[0]].node(path[1:])


def merged(inferences: Sequence[ConceptInference]) -> MergedConcept:
    """Return inferences as one tree from their common root: concepts are the same by their names.

    Roots are one even if the targets differ.
    """
    return _merged(tuple(one.root for one in inferences), 0)


def first_open(root: MergedConcept) -> list[ConceptPath]:
    """Return which concepts are open at first: all where they are few, else the strongest branch.

    What stands deeper in the other branches is open too, and seen once they are.
    """
    walked = list(root.walk())
    leaves = sum(not one.children for _, one in walked)
    return [
        path
        for path, one in walked
        if one.children and (leaves <= MOST_ROWS or len(path) != 1 or path == (0,))
    ]


def part_of(concept: InferredConcept, parent: InferredConcept | None) -> float:
    """Return a child's part of the absolute weights of all children, 0 to 1; 1 at the root.

    Shares are among children of one sign, so widths of links take these.
    """
    whole = sum(abs(child.weight) for child in parent.children) if parent else 0.0
    return abs(concept.weight) / whole if whole else 1.0


def explained_of(parent: InferredConcept | None) -> float | None:
    """Return how much of a concept the next level explains, 0 to 1; None where it is not known."""
    if parent is None or parent.unexplained is None:
        return None
    return min(1.0, max(0.0, 1.0 - parent.unexplained))


def link_of(concept: InferredConcept, parent: InferredConcept | None) -> float:
    """Return how wide a link is, 0 to 1: together a concept's links are as wide as it is explained.

    Each has its part of the absolute weights.
    """
    explained = explained_of(parent)
    return part_of(concept, parent) * (1.0 if explained is None else explained)


def placed_words(inference: ConceptInference) -> str:
    """Return in a sentence whether concepts were chosen by their places too (`Chain(place=)`).

    Empty where the evidence does not say it.
    """
    place = inference.provenance.settings.get("place")
    if not isinstance(place, int | float):
        return ""
    if place == 0:
        return "Concepts were chosen by Eq. 19 as printed: by direction, wherever they lie."
    first = inference.levels[min(1, len(inference.levels) - 1)]
    return (
        f"Below the level {first}, concepts were chosen by where they lie, too (place={place:g}):"
        " no weight there is negative."
    )


def _merged(by_set: BySet, depth: int) -> MergedConcept:
    named = [_by_name(one) for one in by_set]
    places = dict.fromkeys(place for children in named for place in children)
    below = [
        _merged(tuple(children.get(place) for children in named), depth + 1) for place in places
    ]
    name = next(one.concept for one in by_set if one is not None)
    return MergedConcept(name, depth, by_set, tuple(sorted(below, key=_rank)))


def _by_name(parent: InferredConcept | None) -> dict[tuple[str, int], InferredConcept]:
    """Children by name; one that comes twice is the second of its name."""
    counts: Counter[str] = Counter()
    places: dict[tuple[str, int], InferredConcept] = {}
    for child in parent.children if parent else ():
        places[child.concept, counts[child.concept]] = child
        counts[child.concept] += 1
    return places


def _rank(concept: MergedConcept) -> float:
    return -max(one.weight for _, one in concept.known)


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
