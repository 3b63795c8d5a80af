"""Several inferences as one tree: a concept that some of them share stands there once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...evidence import ConceptInference, InferredConcept

ConceptPath = tuple[int, ...]
BySet = tuple[InferredConcept | None, ...]
MOST_ROWS = 8  # of a tree that is shown whole at first


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
