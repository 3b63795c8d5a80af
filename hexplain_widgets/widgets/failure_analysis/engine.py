"""What an analysis of a failure asks the network for: two trees, who decides, exemplars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ...arguments import at_least_one
from ...diagnosis.failures import ClassComparison, Occluder, failure_of, with_exemplars
from ...evidence import Failure, Prediction
from ...network.classifier import Classifier
from ..decomposition_tree.view import DecompositionTree


class FailureEngine:
    """Takes apart for which class, and against which, one image is decided.

    `top_k` and `layers` are those of the trees, `channels` how many are looked at; `data` is where
    their exemplars are looked for, None for none. Raises what Decomposer raises.
    """

    def __init__(
        self,
        model: Any,
        image: Any,
        *,
        top_k: int,
        layers: Sequence[str] | None,
        channels: int,
        data: Any,
    ) -> None:
        self.classifier = Classifier.of(model)
        self.channels = at_least_one("channels", channels)
        self.image = self.classifier.prepare(image)
        self.data, self._top_k, self._layers = data, top_k, layers
        self._decision = ClassComparison(self.classifier, self.image.x, layers)
        self.occluder = Occluder(self.classifier, self.image.x, given=isinstance(image, Tensor))

    def prediction(self, true: int | str) -> Prediction:
        """Return the true class as it is predicted; raises ValueError, IndexError for no class."""
        return self._decision.prediction(true)

    @property
    def strongest(self) -> tuple[Prediction, ...]:
        """The class that is named and the runner-up; one class of a network that knows no other."""
        return tuple(self._decision.predictions(2))

    def wrong_tree(self) -> DecompositionTree:
        """Return the live tree of the class that is named."""
        return self._tree(self.strongest[0].index)

    def right_tree(self, true: Prediction) -> DecompositionTree | None:
        """Return the live tree of the true class, None where its logit is not positive."""
        return self._tree(true.index) if true.logit > 0 else None

    def failure(
        self,
        trees: tuple[DecompositionTree, DecompositionTree | None],
        true: Prediction,
        *,
        progress: bool,
    ) -> Failure:
        """Return what decides against the true class."""
        wrong, right = (None if tree is None else tree.evidence for tree in trees)
        failure = failure_of(self._decision, wrong, right, true, top=self.channels)  # type: ignore[arg-type]
        if self.data is None:
            return failure
        return with_exemplars(failure, self.classifier, self.data, progress=progress)

    def _tree(self, target: int) -> DecompositionTree:
        return DecompositionTree(
            self.classifier, self.image, target=target, top_k=self._top_k, layers=self._layers
        )
