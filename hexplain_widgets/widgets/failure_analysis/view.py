"""The view of a failure: both classes' trees, the channels that decide, and a brush to occlude."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any

import ipywidgets

from ...diagnosis.failures import TOP
from ...evidence import Failure, Occlusion, Prediction
from .._shared.composite import Composite, wide
from .._shared.controls import Requests
from .._shared.conversation import Content, Stop, answering
from .._shared.export import Exportable
from .._shared.pages import pages, turn
from .._shared.tree_pair import TreePair, abreast, caption
from ..decomposition_tree.view import DecompositionTree
from .brush import OcclusionBrush, RightlyNamed
from .engine import FailureEngine
from .parts import ChannelPanel, FailureControls
from .picture import draw_failure
from .words import head, no_tree, nothing_wrong

Trees = tuple[DecompositionTree, DecompositionTree | None]


class FailureAnalysis(Exportable, Composite, ipywidgets.VBox):
    """A misclassified image: why one class is named, and not the one that is `true` (Fig. 11).

    `model` is a `torch.nn.Module` or `Classifier`, `image` of any kind, `true` the name or index of
    the right class. Both classes' trees, the `channels` that decide between them, and a brush: what
    is drawn over is covered, and both scores move. With `data`, a set of images of any kind, the
    images that excite each of these channels most. `top_k` and `layers` are those of the trees. An
    image that is classified rightly is said to be, its runner-up offered, and the brush moves both
    scores. Raises what Decomposer raises, and what `data` raises that are none.
    """

    _requests: Requests | None = None  # a view that was refused never had one

    def __init__(
        self,
        model: Any,
        image: Any,
        true: int | str,
        *,
        data: Any = None,
        channels: int = TOP,
        top_k: int = 3,
        layers: Sequence[str] | None = None,
    ) -> None:
        engine = FailureEngine(
            model, image, top_k=top_k, layers=layers, channels=channels, data=data
        )
        aim = engine.prediction(true)
        if aim.index == engine.strongest[0].index:
            self._open(None, None, engine, aim)
            return
        failure, trees = _first(engine, aim)
        self._open(failure, trees, engine, aim)

    @classmethod
    def from_evidence(cls, evidence: Any) -> FailureAnalysis:
        """Return a view of a saved Failure, without a model; raises TypeError for anything else."""
        if not isinstance(evidence, Failure):
            raise TypeError(
                f"got {type(evidence).__name__} as evidence; expected a Failure; take what"
                " FailureAnalysis(model, image, true=...) has as evidence, or open a saved one with"
                " load(path)"
            )
        self = cls.__new__(cls)
        right = None if evidence.right is None else DecompositionTree.from_evidence(evidence.right)
        trees = (DecompositionTree.from_evidence(evidence.wrong), right)
        self._open(evidence, trees, None, evidence.true)
        return self

    def _open(
        self,
        failure: Failure | None,
        trees: Trees | None,
        engine: FailureEngine | None,
        true: Prediction,
    ) -> None:
        self._failure, self._trees, self._engine, self._true = failure, trees, engine, true
        self._brush: OcclusionBrush | None = None
        self._lock = threading.RLock()
        self._head, self._no_tree = ipywidgets.HTML(), ipywidgets.HTML()
        self._parts, self._pair = ChannelPanel(), TreePair()
        self._deciding = ipywidgets.VBox([self._parts.chart, self._parts])
        self._beside, self._pages = ipywidgets.GridBox([], layout=abreast(400)), pages()
        self._deciding.layout.min_width = "0"
        self._requests = requests = Requests({"true": self._answer_true})
        self._controls = None if engine is None else _made_controls(engine, requests)
        super().__init__(layout=wide(grid_gap="10px"))
        self.add_class("hx-failure")
        self._arrange()

    @property
    def evidence(self) -> Failure | None:
        """What decides, with the trees and the covered region as they are on the screen.

        None where the image is classified rightly.
        """
        if self._failure is None or self._trees is None:
            return None
        pair = zip(self._trees, (self._failure.wrong, self._failure.right), strict=True)
        wrong, right = (_still(tree, first) for tree, first in pair)
        return replace(self._failure, wrong=wrong, right=right, occlusion=self.occlusion)

    @property
    def occlusion(self) -> Occlusion | None:
        """What is covered, and what is then named; None where nothing is covered."""
        return None if self._brush is None else self._brush.occlusion

    @property
    def title(self) -> str:
        """What a page with this view is called."""
        if self._failure is None:
            return f"{self._true.name}, as it should be"
        return f"{self._failure.named.name} instead of {self._failure.true.name}"

    def __repr__(self) -> str:
        if self._failure is None:
            return f"FailureAnalysis({self._true.name!r}, rightly named)"
        named, true = self._failure.named.name, self._failure.true.name
        return f"FailureAnalysis({named!r} instead of {true!r}, channel {self._failure.deciding})"

    def compare(self, true: int | str, *, progress: bool = True) -> Failure | None:
        """Take another class as the true one, show and return what decides against it.

        None where it is the class that is named. Raises ValueError for a view without a model and
        for an unknown class, IndexError for a class out of range.
        """
        self._run(true, lambda: False, progress=progress)
        return self.evidence

    def cover(self, mask: Any, fill: str = "mean") -> Occlusion:
        """Cover the cells of a mask `(56, 56)` over the image and return what is then named.

        `fill` is "mean" (the image's mean colour) or "blur". Raises ValueError for a mask of
        another shape or type, an unknown fill, a view without a model or without another class.
        """
        if self._brush is None:
            raise ValueError(
                "there is nothing to cover: the image is classified rightly, and the network knows"
                " no other class; expected two; take a network of several classes"
            )
        return self._brush.cover(mask, fill)

    def snapshot(self) -> FailureAnalysis:
        """Return a twin of what is on the screen, without the model."""
        twin = type(self).__new__(type(self))
        trees = None
        if self._trees is not None:
            first, second = self._trees
            trees = (first.snapshot(), None if second is None else second.snapshot())
        failure = self.evidence
        twin._open(failure, trees, None, self._true)
        if failure is None:
            twin._stand_still(self)
        elif self._brush is not None and twin._brush is not None:
            twin._brush.view = self._brush.view
        twin._parts.choose(self._parts.chosen)
        twin._pages.selected_index = self._pages.selected_index
        twin.layout = self.layout
        return twin

    def export_png(self, path: str | Path) -> Path:
        """Write image, channels and trees as a picture for slides and print, 1920 pixels wide.

        Raises ValueError for an image that is classified rightly.
        """
        failure = self.evidence
        if failure is None or self._trees is None:
            raise ValueError(
                "there is nothing to draw: the image is classified rightly; expected a failure;"
                " take another class as the true one with compare(true)"
            )
        opened = [tree._opened() for tree in self._trees if tree is not None]
        draw_failure(failure, self._parts.chosen, opened).save(path, format="PNG")
        return Path(path)

    def close(self) -> None:
        """Close the view with all its parts, and let go of the model and the images."""
        self._engine = None
        if self._requests is not None:
            self._requests.close()
        super().close()

    def aside(self) -> list[Any]:
        """Return all that the view is made of, shown or not."""
        if self._requests is None:
            return []
        parts = [self._head, self._no_tree, self._deciding, self._pair, self._beside, self._pages]
        return [*parts, self._brush, self._controls, *(self._trees or ())]

    # what is shown

    def _stand_still(self, live: FailureAnalysis) -> None:
        """Show what another view shows of an image that is classified rightly."""
        self._head.value = live._head.value
        if live._brush is not None:
            self._brush = live._brush.snapshot()
            self.children = [self._head, self._brush]

    def _new_brush(self) -> OcclusionBrush | None:
        """Return the brush of what is shown, with what was covered; None for one class alone."""
        last = self._brush
        if self._failure is not None:
            brush = OcclusionBrush(self._failure, self._occluder())
        elif self._engine is None or (rival := self._offered()) is None:
            return None
        else:
            shown, named = self._engine.image.shown, self._engine.strongest[0]
            brush = OcclusionBrush(RightlyNamed(shown, named, rival), self._occluder())
        if last is not None and last.occlusion is not None:
            brush.cover(last.occlusion.mask, last.occlusion.fill)
        return brush

    def _arrange(self) -> None:
        """Show what there is, and nothing of what there is not."""
        controls = [] if self._controls is None else [self._controls]
        if self._controls is not None:
            self._controls.take(self._true.name, self._offered())
        last, self._brush = self._brush, self._new_brush()
        if self._failure is None or self._trees is None:
            self._say_rightly()
            self.children = [self._head, *controls, *([self._brush] if self._brush else [])]
        else:
            self._show_failure(self._failure, self._trees, controls)
        if last is not None:
            last.close()

    def _show_failure(self, failure: Failure, trees: Trees, controls: list[Any]) -> None:
        self._head.value, self._no_tree.value = head(failure), no_tree(failure)
        self._parts.show(failure)
        self._beside.children = (self._brush, self._deciding)
        self._show_trees(failure, trees)
        turn(self._pages, {"Channels": self._beside, "Both trees": self._pair})
        self.children = [self._head, *controls, self._pages]

    def _show_trees(self, failure: Failure, trees: Trees) -> None:
        named, true = failure.named.name, failure.true.name
        captions = (caption("Wrong", f"named {named}"), caption("Right", f"should be {true}"))
        self._pair.show(captions, (trees[0], self._no_tree if trees[1] is None else trees[1]))

    def _occluder(self) -> Any:
        return None if self._engine is None else self._engine.occluder

    def _offered(self) -> Prediction | None:
        """The runner-up, where the image is classified rightly."""
        if self._failure is not None or self._engine is None:
            return None
        return next(iter(self._engine.strongest[1:]), None)

    def _say_rightly(self) -> None:
        if self._engine is not None:
            named, shown = self._engine.strongest[0], self._engine.image.shown
            self._head.value = nothing_wrong(shown, named, self._offered())

    # what is asked

    def _run(self, true: int | str, stopped: Stop, *, progress: bool = False) -> None:
        engine = self._ask()
        aim = engine.prediction(true)
        rightly = aim.index == engine.strongest[0].index
        analysis = None if rightly else self._analysed(engine, aim, stopped, progress)
        with self._lock:
            last = self._trees
            failure, trees = analysis or (None, None)
            self._failure, self._trees, self._true = failure, trees, aim
            self._arrange()
        kept = () if trees is None else trees
        for tree in last or ():
            if tree is not None and tree not in kept:
                tree.close()

    def _analysed(
        self, engine: FailureEngine, true: Prediction, stopped: Stop, progress: bool
    ) -> tuple[Failure, Trees]:
        known = self._trees
        wrong = known[0] if known else engine.wrong_tree()
        right = engine.right_tree(true)
        try:
            failure = engine.failure((wrong, right), true, progress=progress)
            if stopped():
                raise CancelledError
        except BaseException:
            for tree in (right, None if known else wrong):
                if tree is not None:
                    tree.close()
            raise
        return failure, (wrong, right)

    def _ask(self) -> FailureEngine:
        return answering(
            self._engine, "model", "another class", "FailureAnalysis(model, image, true=...)"
        )

    def _answer_true(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        self._run(content["true"], stopped)
        return {}


def _made_controls(engine: FailureEngine, requests: Requests) -> FailureControls:
    made = FailureControls(
        engine.classifier.classes or (),
        compare=lambda true: requests.begin(made, "true", "Taking the image apart", true=true),
        cancel=lambda: requests.cancel(made),
    )
    return made


def _first(engine: FailureEngine, true: Prediction) -> tuple[Failure, Trees]:
    """The first failure; where there is none, no view is left behind."""
    wrong = engine.wrong_tree()
    right: DecompositionTree | None = None
    try:
        right = engine.right_tree(true)
        return engine.failure((wrong, right), true, progress=True), (wrong, right)
    except BaseException:
        for tree in (wrong, right):
            if tree is not None:
                tree.close()
        raise


def _still(tree: DecompositionTree | None, first: Any) -> Any:
    """A tree as it is on the screen, as it was where another class was chosen in it."""
    if tree is None or tree.evidence.target.index != first.target.index:
        return first
    return tree.evidence
