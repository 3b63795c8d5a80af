"""All levels of a network in one: the classes of its output, and the concepts of its layers."""

from __future__ import annotations

from dataclasses import dataclass

from ..arguments import nearest
from .harmonize import Harmonized


@dataclass(frozen=True, eq=False)
class Harmony:
    """The output, called `root`, with its `classes`, and the harmonised levels below it."""

    root: str
    classes: tuple[str, ...]
    levels: tuple[Harmonized, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The levels' names, coarse to fine."""
        return (self.root, *(level.level for level in self.levels))

    def concepts(self, depth: int) -> tuple[str, ...]:
        """Return the concepts of a level, counted from the output on."""
        return self.levels[depth - 1].concepts if depth else self.classes

    def depth(self, level: str | None) -> int:
        """Return the place of a level that others follow; the output for None.

        Raises ValueError for the last one and for an unknown one.
        """
        if level is None:
            return 0
        if level not in self.names[:-1]:
            raise ValueError(
                f"got the level {level!r}; expected one that others follow:"
                f" {', '.join(self.names[:-1])}; a {self.names[-1]} rests on no other concepts"
            )
        return self.names.index(level)

    def number(self, depth: int, concept: str | int) -> int:
        """Return the number of a concept of a level.

        Raises ValueError for an unknown one, and for one without a direction.
        """
        known = self.concepts(depth)
        if isinstance(concept, int) and 0 <= concept < len(known):
            return self._with_direction(depth, concept)
        if concept not in known:
            raise ValueError(
                f"got the {self.names[depth]} {concept!r}, which is none of the {len(known)} known;"
                f" expected one of chain.concepts_[{self.names[depth]!r}]; the nearest is"
                f" {nearest(str(concept), known)}"
            )
        return self._with_direction(depth, known.index(str(concept)))

    def _with_direction(self, depth: int, number: int) -> int:
        if depth and not self.levels[depth - 1].usable[number]:
            level = self.levels[depth - 1]
            raise ValueError(
                f"got the {level.level} {level.concepts[number]!r}, which has no direction:"
                f" {level.flags.get(level.concepts[number])}; expected a concept that was"
                " harmonised; choose another, or fit on more images"
            )
        return number
