"""What a comparison asks the network for: attacks, trees of both images, peaks, a concept."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from ..attacked_decisions import Attack, SetAttack, adversarial_image, attacked_decision
from ..attacks import pgd
from ..classifier import Classifier
from ..evidence import AttackedDecision, AttackedSet, HeatMap
from ..peak_responses import DeepestStage
from ..settings import at_least_one
from .conversation import Stop
from .decomposition_tree import DecompositionTree


@runtime_checkable
class FindsConcepts(Protocol):
    """A fitted Hint: it finds a concept in an image."""

    def explain(self, image: Any, concept: str) -> HeatMap:
        """Return where the concept is."""


class Attacker:
    """Attacks one image, or a set of them, and takes apart what comes of it.

    `top_k` and `layers` are those of the trees, `channels` how many are compared for each class.
    With `hint`, `concept` is looked for in both images. Raises what Decomposer and Hint raise,
    TypeError for what is no Hint, ValueError for one of hint and concept without the other.
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
        self._hint, self._concept = _hint_of(hint, concept)
        self._image, self._given = self.classifier.prepare(image), isinstance(image, Tensor)
        self._top_k, self._layers = top_k, layers
        self._stage = DeepestStage(self.classifier, layers)
        self._maps = self._concept_in(self._image.x)
        self.original = self._tree(self._image)
        self._before = self.original.evidence

    def decision(
        self, attack: Attack, stopped: Stop
    ) -> tuple[AttackedDecision, DecompositionTree] | None:
        """Return what an attack did, and the live tree of its image; None once stopped."""
        attacked = attack(self.classifier, self._image, stopped)
        if stopped():
            return None
        maps = (*self._maps, *self._concept_in(attacked.adversarial))
        after = self._tree(adversarial_image(self.classifier, attacked, given=self._given))
        found = attacked_decision(
            attacked, self._stage, self._before, after.evidence, top=self.channels, concept=maps
        )
        return found, after

    def over(
        self,
        images: Any,
        attack: Attack,
        *,
        stopped: Stop,
        progress: bool,
        done: Callable[[int], object],
    ) -> AttackedSet:
        """Return the peaks over a set; `done` is told how many images were attacked so far."""
        engine = SetAttack(self.classifier, attack, self.channels, self._layers)
        return engine.over(images, progress=progress, stopped=stopped, done=done)

    def _tree(self, image: Any) -> DecompositionTree:
        layers = None if self._layers is None else list(self._layers)
        return DecompositionTree(self.classifier, image, top_k=self._top_k, layers=layers)

    def _concept_in(self, x: Tensor) -> tuple[HeatMap, ...]:
        if self._hint is None or self._concept is None:
            return ()
        return (self._hint.explain(x, self._concept),)


def pgd_with(settings: dict[str, Any]) -> Attack:
    """Return PGD with these settings."""
    return lambda classifier, image, stopped: pgd(classifier, image, stopped=stopped, **settings)


def _hint_of(hint: Any, concept: str | None) -> tuple[FindsConcepts | None, str | None]:
    if (hint is None) != (concept is None):
        given, lacking = ("concept", "hint") if hint is None else ("hint", "concept")
        raise ValueError(
            f"got {given}= without {lacking}=; expected both, or neither; pass a fitted Hint and"
            " the name of one of its concepts"
        )
    if hint is not None and not isinstance(hint, FindsConcepts):
        raise TypeError(
            f"got {type(hint).__name__} as hint; expected a fitted Hint;"
            " make one with Hint().fit(model, data, hierarchy)"
        )
    return hint, concept
