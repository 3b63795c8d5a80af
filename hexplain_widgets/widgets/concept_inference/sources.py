"""What concepts are to be inferred of: an image, a named set of images, or evidence as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...evidence import ConceptInference, Faithfulness
from .._shared.conversation import Stop
from .._shared.view import check_evidence

CALL = "pass an image, a list of images, {name: images} or ConceptInference"


@dataclass(frozen=True)
class InferenceSource:
    """One thing to infer concepts of: `given` is an image, a tuple of images or evidence."""

    given: Any
    name: str = ""

    @property
    def ready(self) -> bool:
        """Whether it is evidence, with nothing left to infer."""
        return isinstance(self.given, ConceptInference)

    def inference(self, chain: Any, target: int | str | None, stopped: Stop) -> ConceptInference:
        """Return its inference by a fitted Chain; raises ValueError for images without a target."""
        inference = self._inference(chain, target, stopped)
        return replace(inference, name=self.name) if self.name else inference

    def faithfulness(
        self, chain: Any, inference: ConceptInference, path: tuple[int, ...], stopped: Stop
    ) -> Faithfulness:
        """Return how far a concept of its inference agrees with ablation; raises like the Chain."""
        return chain.faithfulness(inference, self.given, path, stopped)

    def _inference(self, chain: Any, target: int | str | None, stopped: Stop) -> ConceptInference:
        if isinstance(self.given, ConceptInference):
            return self.given
        if not isinstance(self.given, tuple):
            return chain.explain(self.given, target, stopped=stopped)
        if target is None:
            raise ValueError(
                f"got {len(self.given)} images for {self.name!r} and no target; a set of images is"
                " explained for one class; pass target='name'"
            )
        return chain.explain_class(self.given, target, name=self.name, stopped=stopped)


def sources_of(given: Any, most: int) -> tuple[InferenceSource, ...]:
    """Return what was given, one by one; a mapping's keys are names, its lists sets of images.

    Raises ValueError for none or for more than `most`.
    """
    sources = tuple(_sources(given))
    if not 1 <= len(sources) <= most:
        raise ValueError(
            f"got {len(sources)} to infer concepts of; expected 1 to {most} side by side; {CALL}"
        )
    return sources


def _sources(given: Any) -> Iterator[InferenceSource]:
    if isinstance(given, Mapping):
        for name, one in given.items():
            many = isinstance(one, Sequence) and not isinstance(one, str | bytes)
            yield InferenceSource(tuple(one) if many else one, str(name))
    elif isinstance(given, list | tuple):
        for one in given:
            yield InferenceSource(one)
    else:
        yield InferenceSource(given)


def chain_of(chain: Any) -> Any:
    """Return a Chain as it is; raises TypeError for another thing."""
    if not hasattr(chain, "explain_class"):
        raise TypeError(
            f"got {type(chain).__name__}; expected a fitted Chain;"
            " make one with Chain().fit(model, concept_set)"
        )
    return chain


def evidence_of(given: Any, most: int) -> tuple[InferenceSource, ...]:
    """Return ready evidence, one by one.

    Raises TypeError for what is no ConceptInference, ValueError for none or more than `most`.
    """
    sources = sources_of(given, most)
    for source in sources:
        check_evidence(source.given, ConceptInference, "chain.explain(image)")
    return sources


def checked(inferences: Sequence[ConceptInference]) -> tuple[ConceptInference, ...]:
    """Return inferences as they are; raises ValueError where their levels differ."""
    first = inferences[0].levels
    for one in inferences:
        if one.levels != first:
            raise ValueError(
                f"got inferences with the levels {', '.join(one.levels)} beside"
                f" {', '.join(first)}; expected the same levels in all;"
                " explain them with one Chain, or show them apart"
            )
    return tuple(inferences)
