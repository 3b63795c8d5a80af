"""The parts of a comparison: those of one image with its trees, and those of a set."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from typing import Any

import ipywidgets

from ...evidence import AttackedDecision, AttackedSet
from .._shared.tree_pair import TreePair, caption
from ..decomposition_tree.view import DecompositionTree
from .attack_concepts import ConceptControls
from .charts import PeakCharts
from .words import attack_words, concept_part, header, peaks_table, set_table, set_words


class ImageParts:
    """What is shown of one image: header, peaks with their table, a concept, two trees."""

    def __init__(self) -> None:
        self.head = ipywidgets.HTML()
        self._table, self._concept = ipywidgets.HTML(), ipywidgets.HTML()
        self._peaks = PeakCharts()
        self._pair = TreePair()

    def show(
        self,
        one: AttackedDecision,
        trees: Sequence[DecompositionTree],
        choice: ConceptControls | None = None,
    ) -> list[Any]:
        """Show an attacked image; return what stands below its header.

        `choice` is of the concept that is looked for.
        """
        self.head.value, self._table.value = header(one), peaks_table(one)
        self.show_concept(one)
        self._peaks.show(one)
        named = zip(("Original", "Adversarial"), (one.before, one.after), strict=True)
        self._pair.show([caption(what, f"named {tree.target.name}") for what, tree in named], trees)
        choices = [] if choice is None else [choice]
        concept = [*choices, self._concept] if one.concept else []
        return [self._peaks, self._table, *concept, self._pair]

    def show_concept(self, one: AttackedDecision) -> None:
        """Show where a concept is in both images."""
        self._concept.value = concept_part(one)

    def every(self) -> Iterator[Any]:
        """Yield all parts, shown or not, but the trees."""
        yield from (self.head, self._table, self._concept, self._peaks, self._pair)


class SetParts:
    """What is shown of a set: how many came through, and the mean peaks with their table."""

    def __init__(self) -> None:
        self._words, self._table = ipywidgets.HTML(), ipywidgets.HTML()
        self._peaks = PeakCharts()

    def show(self, found: AttackedSet) -> list[Any]:
        """Show an attacked set; return its parts, words alone where no attack came through."""
        self._words.value = _head(f"{set_words(found)} {attack_words(found)}", found.notes)
        if not len(found.peaks):
            return [self._words]
        self._peaks.show_set(found)
        self._table.value = set_table(found)
        return [self._words, self._peaks, self._table]

    def every(self) -> Iterator[Any]:
        """Yield all parts, shown or not."""
        yield from (self._words, self._table, self._peaks)


def _head(words: str, notes: Sequence[str]) -> str:
    said = "<br>".join(map(html.escape, (words, *notes)))
    return (
        "<div style='font-size: 14px; line-height: 1.45; padding-top: 8px; color:"
        f" var(--jp-ui-font-color1)'><b>Over a set of images</b><br>{said}</div>"
    )
