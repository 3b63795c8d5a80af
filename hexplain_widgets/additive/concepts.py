"""What explains a score: the concepts that a user named, in whatever form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from ..atlas.labels import FilterLabels
from ..data.concept_sets import concept_set
from ..network.classifier import Classifier
from .heads import Heads, callable_heads, heads_of, trained_heads
from .rows import ScoreScope

OWN_HEADS, EACH_FILTER = "heads", "filters"
_EXPECTED = (
    "'heads', names of heads, 'filters', hx.FilterLabels or their file, a mapping from part to"
    " filters, a callable from maps to scores, or a concept set"
)


@dataclass(frozen=True, eq=False)
class ConceptSource:
    """Heads that explain, `chosen` of them; or filters, by `parts` where they have names."""

    heads: Heads | None = None
    chosen: tuple[str, ...] | None = None
    parts: FilterLabels | Mapping[str, Sequence[int]] | None = None
    notes: tuple[str, ...] = ()

    @property
    def layer(self) -> str | None:
        """The layer whose filters were named, where it is known."""
        return self.parts.layer if isinstance(self.parts, FilterLabels) else None

    def labels(self, origin: ScoreScope, model: nn.Module | None = None) -> FilterLabels | None:
        """Return the names of the layer's filters.

        Raises ValueError for those of another layer or network.
        """
        if self.parts is None:
            return None
        name, count = origin.layer.name, origin.layer.shape[0]
        if isinstance(self.parts, FilterLabels):
            self.parts.check_fits(name, count, model)
            return self.parts
        return FilterLabels(name, count, _by_filter(self.parts))


def _by_filter(parts: Mapping[str, Sequence[int]]) -> dict[int, str]:
    names: dict[int, str] = {}
    for part, filters in parts.items():
        for number in filters:
            if int(number) in names:
                raise ValueError(
                    f"got filter {number} for {names[int(number)]!r} and for {part!r}; one part for"
                    " each filter was expected; leave one of the two out"
                )
            names[int(number)] = part
    return names


def source_of(
    concepts: Any, names: Sequence[str] | None, classifier: Classifier, layer: str | None
) -> ConceptSource:
    """Return what a user named as concepts.

    Raises TypeError for what is none, ValueError for concepts that cannot explain anything.
    """
    if isinstance(concepts, str | Path):
        return _named(str(concepts), classifier)
    if isinstance(concepts, FilterLabels | Mapping):
        return ConceptSource(parts=_with_a_filter(concepts))
    if hasattr(concepts, "levels") and hasattr(concepts, "names"):
        heads, notes = trained_heads(classifier, concept_set(concepts), layer)
        return ConceptSource(heads=heads, notes=notes)
    if callable(concepts):
        return ConceptSource(heads=callable_heads(concepts, names))
    if isinstance(concepts, Sequence) and concepts and all(isinstance(n, str) for n in concepts):
        chosen = tuple(dict.fromkeys(concepts))
        return ConceptSource(heads=heads_of(classifier.model, chosen), chosen=chosen)
    raise TypeError(
        f"got {type(concepts).__name__} as concepts; expected {_EXPECTED}; pass one of them"
    )


def _named(concepts: str, classifier: Classifier) -> ConceptSource:
    if concepts == OWN_HEADS:
        return ConceptSource(heads=heads_of(classifier.model))
    if concepts == EACH_FILTER:
        return ConceptSource()
    if not Path(concepts).is_file():
        raise ValueError(
            f"got concepts={concepts!r}, and there is no such file; expected {_EXPECTED}; check"
            " the name"
        )
    return ConceptSource(parts=_with_a_filter(FilterLabels.load(concepts)))


def _with_a_filter(parts: FilterLabels | Mapping[str, Sequence[int]]) -> Any:
    named = (
        parts.names if isinstance(parts, FilterLabels) else [n for p in parts.values() for n in p]
    )
    if not named:
        raise ValueError(
            "no filter is given to any part; at least one was expected to explain a score by parts;"
            " name some with hx.FilterLabeler, or pass concepts='filters' for each by itself"
        )
    return parts
