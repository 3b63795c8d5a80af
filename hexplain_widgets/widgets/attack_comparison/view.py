"""The view of an attack: both images, their trees, and the peaks of both classes' channels."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any

import ipywidgets

from ...arguments import counted
from ...data.samples import length_of
from ...diagnosis.attacks import TOP, Attack, Norm, attack_of
from ...evidence import AttackedDecision, AttackedSet, Decomposition
from .._shared.agreement import Check
from .._shared.composite import Composite, wide
from .._shared.controls import CheckControls, Requests
from .._shared.conversation import Content, Stop, answering
from .._shared.export import Exportable
from ..decomposition_tree.view import DecompositionTree
from .engine import AttackEngine, AttackOutcome, pgd_with
from .parts import AttackControls, ConceptControls, ImagePanel, SetPanel
from .picture import draw_attack
from .words import trust


class AttackComparison(Exportable, Composite, ipywidgets.VBox):
    """An image before and after an attack: both trees, and what both classes' channels answer.

    `model` is a `torch.nn.Module` or `Classifier`, `image` of any kind. `attack` is None (PGD),
    what `pgd` returned, or a function `(network, x) -> x` of a prepared image
    `(1, C, H, W)`. Other attacks can be asked for in the view. With `images`, a set of any kind,
    the same attack runs over the set on request (`over`). `channels` are compared for each class;
    `top_k` and `layers` are those of the trees. With a fitted `hint`, its map of `concept` stands
    on both images, first of the class that is named if not given, and others can be chosen. Raises
    what Decomposer, `pgd` and `Hint.explain` raise, TypeError for what is no attack or
    Hint, ValueError for an attack on another image.
    """

    _requests: Requests | None = None  # a view that was refused never had one
    # a function that was given, until another attack is asked for
    _own_attack: Attack | None = None

    def __init__(
        self,
        model: Any,
        image: Any,
        attack: Any = None,
        *,
        images: Any = None,
        channels: int = TOP,
        top_k: int = 3,
        layers: Sequence[str] | None = None,
        hint: Any = None,
        concept: str | None = None,
    ) -> None:
        chosen = attack_of(attack)
        engine = AttackEngine(
            model,
            image,
            top_k=top_k,
            layers=layers,
            channels=channels,
            hint=hint,
            concept=concept,
        )
        outcome = _first(engine, chosen)
        self._own_attack = chosen if callable(attack) else None
        self._adversarial = outcome.adversarial
        self._open(outcome.evidence, None, (engine.original, outcome.tree), engine, images)

    @classmethod
    def from_evidence(cls, evidence: Any, over: Any = None) -> AttackComparison:
        """Return a view of a saved AttackedDecision, an AttackedSet, or of both, without a model.

        Raises TypeError for anything else.
        """
        one, several = (evidence, over) if over is not None else _sorted_out(evidence)
        _check(one, several)
        trees = (
            ()
            if one is None
            else tuple(map(DecompositionTree.from_evidence, (one.before, one.after)))
        )
        return cls._of(one, several, trees)

    @classmethod
    def _of(
        cls,
        one: AttackedDecision | None,
        several: AttackedSet | None,
        trees: tuple[DecompositionTree, ...],
    ) -> AttackComparison:
        self = cls.__new__(cls)
        self._open(one, several, trees, None, None)
        return self

    def _open(
        self,
        one: AttackedDecision | None,
        several: AttackedSet | None,
        trees: tuple[DecompositionTree, ...],
        engine: AttackEngine | None,
        images: Any,
    ) -> None:
        self._one, self._several, self._trees = one, several, trees
        self._engine, self._images = engine, images
        # one piece of work at a time is on what is shown of the image, then `_lock` to show it
        self._changing, self._lock = threading.Lock(), threading.RLock()
        self._image, self._set = ImagePanel(), SetPanel()
        self._requests = requests = Requests(
            {
                "attack": self._answer_attack,
                "over": self._answer_over,
                "concept": self._answer_concept,
                "check": self._answer_check,
            }
        )
        self._controls = None if engine is None else self._made_controls(engine, requests)
        self._choice = None if engine is None else _made_choice(engine, requests)
        self._trust = CheckControls(
            missing="model" if engine is None else "",
            check=lambda: requests.begin(self._trust, "check", "Checking against ablation"),
            cancel=lambda: requests.cancel(self._trust),
        )
        self._of_image: list[Any] = []
        self._of_set: list[Any] = []
        super().__init__(layout=wide(grid_gap="4px"))
        if one is not None:
            self._show_image(one)
        if several is not None:
            self._show_set(several)

    def _made_controls(self, engine: AttackEngine, requests: Requests) -> AttackControls:
        def over() -> None:
            requests.begin(made, "over", "Attacking the set")

        some = self._images is not None
        made = AttackControls(
            engine.classifier.classes or (),
            length_of(self._images) if some else None,
            attack=lambda: requests.begin(made, "attack", "Attacking the image"),
            over=over if some else None,
            cancel=lambda: requests.cancel(made),
        )
        return made

    @property
    def evidence(self) -> AttackedDecision | AttackedSet:
        """What the attack did to the image, its trees as they are on the screen.

        The set alone where only that is shown.
        """
        if self._one is None:
            return self._over_set()
        named = (self._one.before, self._one.after)
        before, after = (
            tree.evidence if tree.evidence.target.index == first.target.index else first
            for tree, first in zip(self._trees, named, strict=True)
        )
        return replace(self._one, before=before, after=after)

    @property
    def set_evidence(self) -> AttackedSet | None:
        """What the attack did over the set; None as long as it was not asked for."""
        return self._several

    def _over_set(self) -> AttackedSet:
        if self._several is None:
            raise ValueError(
                "got a comparison of nothing; expected an AttackedDecision or an AttackedSet;"
                " make one with AttackComparison(model, image)"
            )
        return self._several

    @property
    def title(self) -> str:
        """What a page with this view is called."""
        if self._one is None:
            return f"{counted(self._over_set().images, 'image')} before and after an attack"
        return f"{self._one.before.target.name} before and after an attack"

    def __repr__(self) -> str:
        if self._one is None:
            several = self._over_set()
            images = counted(several.images, "image")
            return f"AttackComparison({images}, {len(several.peaks)} came through)"
        named = " -> ".join(repr(name) for name in self._one.classes)
        held = "" if len(self._one.classes) > 1 else ", did not come through"
        over = f", {counted(self._several.images, 'image')}" if self._several else ""
        return f"AttackComparison({named}{held}{over})"

    def attack(
        self,
        target: int | str | None = None,
        *,
        norm: Norm = "linf",
        budget: float | None = None,
        steps: int = 20,
        seed: int = 0,
    ) -> AttackedDecision:
        """Attack the image anew by PGD, show and return what it did; raises like `pgd`.

        Raises ValueError for a view without a model.
        """
        settings = {"target": target, "norm": norm, "budget": budget, "steps": steps, "seed": seed}
        self._run_attack(pgd_with(settings), lambda: False)
        self._own_attack = None
        return self.evidence  # type: ignore[return-value]

    def look_for(self, concept: str) -> AttackedDecision:
        """Look for another concept of the view's Hint in both images, show and return the maps.

        Raises ValueError for a view without a Hint, and what `Hint.explain` raises.
        """
        self._run_concept(concept, lambda: False)
        return self.evidence  # type: ignore[return-value]

    def over(self, images: Any = None, *, progress: bool = True) -> AttackedSet:
        """Attack every image of a set as the image was, show and return the peaks (Fig. 12 c).

        `images` are those of the view if not given. Raises ValueError without a model or images.
        """
        data = self._images if images is None else images
        return self._run_over(data, lambda: False, progress=progress)

    def snapshot(self) -> AttackComparison:
        """Return a twin of what is on the screen, without the model."""
        trees = tuple(tree.snapshot() for tree in self._trees)
        twin = type(self)._of(self._one, self._several, trees)
        if self._one is not None:
            twin._image.turn_to(self._image.page)
        twin.layout = self.layout
        return twin

    def export_png(self, path: str | Path) -> Path:
        """Write images, peaks and trees as a picture for slides and print, 1920 pixels wide."""
        opened = [tree._opened() for tree in self._trees]
        one = self.evidence if self._one is not None else None
        picture = draw_attack(one, self._several, opened)  # type: ignore[arg-type]
        picture.save(path, format="PNG")
        return Path(path)

    def close(self) -> None:
        """Close the view with all its parts, and let go of the model and the images."""
        self._engine, self._images = None, None
        if self._requests is not None:
            self._requests.close()
        super().close()

    def aside(self) -> list[Any]:
        """Return all that the view is made of, shown or not."""
        if self._requests is None:
            return []
        parts = [*self._trees, *self._image.every(), *self._set.every(), self._trust]
        return [*parts, self._controls, self._choice]

    # what is shown

    def _show_image(self, one: AttackedDecision) -> None:
        below = self._image.show(one, self._trees, self._choice)
        for tree in self._trees:
            tree.observe(self._say_trust, "checks")
        self._say_trust()
        controls = [] if self._controls is None else [self._controls]
        if self._controls is not None:
            self._controls.take({**one.provenance.settings, "seed": one.provenance.seed})
        if self._choice is not None:
            self._choice.take(one.concept[0].target)
        self._of_image = [self._image.head, self._trust, *controls, *below]
        self.children = [*self._of_image, *self._of_set]

    def _say_trust(self, _: object = None) -> None:
        """Say how far the channels that are compared agree with ablation, in both images."""
        with self._lock:
            if self._one is None:
                return
            named = (self._one.before, self._one.after)
            self._trust.show(*trust(*map(_own_check, self._trees, named)))

    def _show_set(self, several: AttackedSet) -> None:
        self._of_set = self._set.show(several)
        self.children = [*self._of_image, *self._of_set]

    def _show_concept(self, one: AttackedDecision) -> None:
        self._image.show_concept(one)
        if self._choice is not None:
            self._choice.take(one.concept[0].target)

    # what is asked

    def _ask(self, purpose: str) -> AttackEngine:
        return answering(self._engine, "model", purpose, "AttackComparison(model, image)")

    def _run_attack(self, attack: Attack, stopped: Stop) -> None:
        engine = self._ask("another attack")
        with self._changing:
            outcome = engine.decision(attack, stopped)
            if outcome is None:
                raise CancelledError
            self._take(outcome, stopped)

    def _take(self, outcome: AttackOutcome, stopped: Stop) -> None:
        with self._lock:
            if stopped():
                outcome.tree.close()
                raise CancelledError
            last, self._one = self._trees[1], outcome.evidence
            self._trees, self._adversarial = (self._trees[0], outcome.tree), outcome.adversarial
            outcome.tree.layout = last.layout
            self._show_image(outcome.evidence)
        last.close()

    def _run_concept(self, concept: str, stopped: Stop) -> None:
        engine = self._ask("another concept")
        if engine.concept is None or self._one is None:
            raise ValueError(
                f"got the concept {concept!r}, but this view has no Hint to look for it; expected"
                " one; run AttackComparison(model, image, hint=...) with a fitted Hint"
            )
        with self._changing:
            search = engine.concept.another(concept)
            if stopped():
                raise CancelledError
            maps = search.maps(self._adversarial)
            with self._lock:
                if stopped():
                    raise CancelledError
                engine.concept, self._one = search, replace(self._one, concept=maps)
                self._show_concept(self._one)

    def _run_over(self, images: Any, stopped: Stop, *, progress: bool) -> AttackedSet:
        engine = self._ask("an attack on a set")
        if images is None:
            raise ValueError(
                "got no images to attack; expected a set of them; pass images= to AttackComparison"
                " or to over"
            )
        attack = self._own_attack or pgd_with(self._settings())
        several = engine.over(images, attack, stopped=stopped, progress=progress)
        if stopped():
            raise CancelledError
        with self._lock:
            self._several = several
            self._show_set(several)
        return several

    def _settings(self) -> dict[str, Any]:
        return {} if self._controls is None else self._controls.settings()

    def _answer_attack(self, _: Content, stopped: Stop) -> Mapping[str, Any]:
        self._run_attack(pgd_with(self._settings()), stopped)
        self._own_attack = None
        return {}

    def _answer_over(self, _: Content, stopped: Stop) -> Mapping[str, Any]:
        self._run_over(self._images, stopped, progress=False)
        return {}

    def _answer_check(self, _: Content, stopped: Stop) -> Mapping[str, Any]:
        for tree in self._trees:
            tree.check_root(stopped)
        return {}

    def _answer_concept(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        self._run_concept(content["concept"], stopped)
        return {}


def _own_check(tree: DecompositionTree, named: Decomposition) -> Check | None:
    """What is known of a tree, as long as it takes apart the class that the image is named."""
    return tree.root_check if tree.evidence.target.index == named.target.index else None


def _made_choice(engine: AttackEngine, requests: Requests) -> ConceptControls | None:
    if engine.concept is None:
        return None
    made = ConceptControls(
        engine.concept.names,
        chosen=lambda name: requests.begin(made, "concept", f"Looking for {name}", concept=name),
        cancel=lambda: requests.cancel(made),
    )
    return made


def _first(engine: AttackEngine, attack: Attack) -> AttackOutcome:
    """What the first attack gives; where it gives nothing, no view is left behind."""
    try:
        outcome = engine.decision(attack, lambda: False)
        if outcome is None:
            raise RuntimeError(
                "the attack was stopped before its end; expected it to end; run it again"
            )
    except BaseException:
        engine.original.close()
        raise
    return outcome


def _sorted_out(evidence: Any) -> tuple[Any, Any]:
    return (None, evidence) if isinstance(evidence, AttackedSet) else (evidence, None)


def _check(one: Any, several: Any) -> None:
    for given, kind in ((one, AttackedDecision), (several, AttackedSet)):
        if given is not None and not isinstance(given, kind):
            raise TypeError(
                f"got {type(given).__name__} as evidence; expected an {kind.__name__};"
                " take what AttackComparison(model, image) has as evidence or set_evidence, or open"
                " a saved one with load(path)"
            )
    if one is None and several is None:
        raise TypeError(
            "got None as evidence; expected an AttackedDecision or an AttackedSet; take what"
            " AttackComparison(model, image) has as evidence, or open a saved one with load(path)"
        )
