"""What a comparison asks of network and Hint: attacks, trees of both images, peaks, maps."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from ...arguments import at_least_one
from ...diagnosis.attacks import (
    Attack,
    SetAttack,
    StageProbe,
    adversarial_image,
    attacked_decision,
    pgd,
)
from ...evidence import AttackedDecision, AttackedSet, HeatMap
from ...network.classifier import Classifier
from .._shared.conversation import Stop
from ..decomposition_tree.view import DecompositionTree


@dataclass(frozen=True)
class AttackOutcome:
    """What an attack did, the live tree of its image, and the image as the network takes it."""

    evidence: AttackedDecision
    tree: DecompositionTree
    adversarial: Tensor


class AttackEngine:
    """Attacks one image, or a set of them, and takes apart what comes of it.

    `top_k` and `layers` are those of the trees, `channels` how many are compared for each class.
    With `hint`, its `concept` is looked for in both images. Raises what Decomposer and
    `concept_maps` raise.
    """

    def __init__(
        self,
        model: Any,
        image: Any,
        *,
        top_k: int,
        layers: Collection[str] | None,
        channels: int,
        hint: Any,
        concept: str | None,
    ) -> None:
        self.classifier = Classifier.of(model)
        self.channels = at_least_one("channels", channels)
        self._image, self._given = self.classifier.prepare(image), isinstance(image, Tensor)
        self._top_k, self._layers = top_k, layers
        self._stage = StageProbe(self.classifier, layers)
        self.concept = concept_maps(hint, concept, self._image.x, self._named)
        self.original = self._tree(self._image)
        self._before = self.original.evidence

    def decision(self, attack: Attack, stopped: Stop) -> AttackOutcome | None:
        """Return what an attack did; None once stopped."""
        attacked = attack(self.classifier, self._image, stopped)
        if stopped():
            return None
        maps = () if self.concept is None else self.concept.maps(attacked.adversarial)
        after = self._tree(adversarial_image(self.classifier, attacked, given=self._given))
        evidence = attacked_decision(
            attacked, self._stage, self._before, after.evidence, top=self.channels, concept=maps
        )
        return AttackOutcome(evidence, after, attacked.adversarial)

    def over(
        self,
        images: Any,
        attack: Attack,
        *,
        stopped: Stop,
        progress: bool,
    ) -> AttackedSet:
        """Return the peaks over a set of images."""
        engine = SetAttack(self.classifier, attack, self.channels, self._layers)
        return engine.over(images, progress=progress, stopped=stopped)

    def _tree(self, image: Any) -> DecompositionTree:
        layers = None if self._layers is None else list(self._layers)
        return DecompositionTree(self.classifier, image, top_k=self._top_k, layers=layers)

    def _named(self) -> str:
        logits = self.classifier.logits(self._image.x)[0]
        return self.classifier.name(int(logits.argmax()))


def pgd_with(settings: dict[str, Any]) -> Attack:
    """Return PGD with these settings."""
    return lambda classifier, image, stopped: pgd(classifier, image, stopped=stopped, **settings)


@runtime_checkable
class FittedHint(Protocol):
    """A fitted Hint: it finds a concept in an image."""

    def explain(self, image: Any, concept: str) -> HeatMap:
        """Return where the concept is."""

    def explainable(self) -> tuple[str, ...]:
        """Return the concepts that can be looked for."""


class ConceptMaps:
    """A concept of a fitted Hint that is looked for in a prepared image and in changed ones.

    `names` are the concepts that can be. Raises what `Hint.explain` raises.
    """

    def __init__(self, hint: FittedHint, image: Tensor, concept: str) -> None:
        self._hint, self._image, self._concept = hint, image, concept
        self.names = hint.explainable()
        self._original = hint.explain(image, concept)

    def another(self, concept: str) -> ConceptMaps:
        """Return the same with another concept."""
        return ConceptMaps(self._hint, self._image, concept)

    def maps(self, changed: Tensor) -> tuple[HeatMap, HeatMap]:
        """Return where the concept is in the image, and where in the changed one."""
        return self._original, self._hint.explain(changed, self._concept)


def concept_maps(
    hint: Any, concept: str | None, image: Tensor, named: Callable[[], str]
) -> ConceptMaps | None:
    """Return what is looked for first, None without a Hint.

    Without `concept` it is the class that is `named` where the Hint knows it, its first concept if
    not. Raises TypeError for what is no Hint, ValueError for a concept without a Hint, for a Hint
    that can look for nothing, and what `Hint.explain` raises.
    """
    if hint is None:
        _check_no_concept(concept)
        return None
    if not isinstance(hint, FittedHint):
        raise TypeError(
            f"got {type(hint).__name__} as hint; expected a fitted Hint;"
            " make one with Hint().fit(model, data, hierarchy)"
        )
    return ConceptMaps(hint, image, _first_concept(hint, named()) if concept is None else concept)


def _check_no_concept(concept: str | None) -> None:
    if concept is not None:
        raise ValueError(
            "got concept= without hint=; expected a Hint to look for it; pass a fitted one as hint="
        )


def _first_concept(hint: FittedHint, named: str) -> str:
    names = hint.explainable()
    if not names:
        raise ValueError(
            "got a Hint without a classifier of any concept; expected at least one; fit it on"
            " images of several concepts"
        )
    return named if named in names else names[0]
