"""Several inferences as one tree: a concept that some of them share stands there once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..evidence import ConceptInference, InferredConcept

Path = tuple[int, ...]
Found = tuple[InferredConcept | None, ...]


@dataclass(frozen=True)
class MergedConcept:
    """A concept at one place of the tree: `found[s]` is what set `s` says of it, None if nothing.

    Children come by their largest weight in any set, what speaks against the concept last.
    """

    concept: str
    depth: int
    found: Found
    children: tuple[MergedConcept, ...]

    @property
    def known(self) -> tuple[tuple[int, InferredConcept], ...]:
        """Pairs `(set, what it says)` of those sets that have the concept here."""
        return tuple((s, one) for s, one in enumerate(self.found) if one is not None)

    def walk(self, path: Path = ()) -> Iterator[tuple[Path, MergedConcept]]:
        """Yield `(path, concept)` of this one and all below it, parents first."""
        yield path, self
        for i, child in enumerate(self.children):
            yield from child.walk((*path, i))

    def at(self, path: Path) -> MergedConcept:
        """Return the concept at `path`, or the last one on the way there that exists."""
        if not path or path[0] >= len(self.children):
            return self
        return self.children[path[0]].at(path[1:])


def merged(inferences: Sequence[ConceptInference]) -> MergedConcept:
    """Return inferences as one tree from their common root: concepts are the same by their names.

    Roots are one even if the targets differ.
    """
    return _merged(tuple(one.root for one in inferences), 0)


def weight_parts(concept: InferredConcept | None) -> tuple[float, ...]:
    """Return each child's part of the absolute weights of all children, of either sign; 0 to 1."""
    sizes = [abs(child.weight) for child in concept.children] if concept else []
    whole = sum(sizes) or 1.0
    return tuple(size / whole for size in sizes)


def _merged(found: Found, depth: int) -> MergedConcept:
    named = [_by_name(one) for one in found]
    places = dict.fromkeys(place for children in named for place in children)
    below = [
        _merged(tuple(children.get(place) for children in named), depth + 1) for place in places
    ]
    name = next(one.concept for one in found if one is not None)
    return MergedConcept(name, depth, found, tuple(sorted(below, key=_rank)))


def _by_name(parent: InferredConcept | None) -> dict[tuple[str, int], InferredConcept]:
    """Children by name; one that comes twice is the second of its name."""
    seen: Counter[str] = Counter()
    places: dict[tuple[str, int], InferredConcept] = {}
    for child in parent.children if parent else ():
        places[child.concept, seen[child.concept]] = child
        seen[child.concept] += 1
    return places


def _rank(concept: MergedConcept) -> float:
    return -max(one.weight for _, one in concept.known)
