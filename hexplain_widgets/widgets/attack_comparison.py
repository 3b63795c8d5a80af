"""The view of an attack: both images, their trees, and the peaks of both classes' channels."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any

import ipywidgets

from ..attacked_decisions import TOP, Attack, attack_of
from ..attacks import Norm
from ..evidence import AttackedDecision, AttackedSet
from ..samples import length_of
from .attack_asking import Attacker, pgd_with
from .attack_controls import AttackControls
from .attack_drawing import draw_attack
from .attack_parts import ImageParts, SetParts
from .conversation import Content, Conversation, Stop
from .decomposition_tree import DecompositionTree
from .export import Exportable


class AttackComparison(Exportable, ipywidgets.VBox):
    """An image before and after an attack: both trees, and what both classes' channels answer.

    `model` is a `torch.nn.Module` or `Classifier`, `image` of any kind. `attack` is None (PGD),
    what `attacks.pgd` returned, or a function `(network, x) -> x` of a prepared image
    `(1, C, H, W)`. Other attacks can be asked for in the view. With `images`, a set of any kind,
    the same attack runs over the set on request (`over`). `channels` are compared for each class;
    `top_k` and `layers` are those of the trees. With a fitted `hint`, its map of `concept` stands
    on both images. Raises what Decomposer and `attacks.pgd` raise, TypeError for what is no attack
    or Hint, ValueError for an attack on another image.
    """

    _conversation: Conversation | None = None  # a view that was refused never had one
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
        engine = Attacker(
            model, image,
            top_k=top_k, layers=layers, channels=channels, hint=hint, concept=concept,
        )  # fmt: skip
        evidence, after = _first(engine, chosen)
        self._own_attack = chosen if callable(attack) else None
        self._open(evidence, None, (engine.original, after), engine, images)

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
        engine: Attacker | None,
        images: Any,
    ) -> None:
        self._one, self._several, self._trees = one, several, trees
        self._engine, self._images = engine, images
        self._lock, self._numbers, self._running = threading.RLock(), itertools.count(1), 0
        self._image, self._set = ImageParts(), SetParts()
        self._conversation = Conversation(
            {"attack": self._answer_attack, "over": self._answer_over}, self._told
        )
        self._controls = self._made_controls() if engine is not None else None
        self._of_image: list[Any] = []
        self._of_set: list[Any] = []
        super().__init__(layout=ipywidgets.Layout(grid_gap="8px"))
        if one is not None:
            self._show_image(one)
        if several is not None:
            self._show_set(several)

    def _made_controls(self) -> AttackControls:
        classifier = self._engine.classifier if self._engine else None
        some = self._images is not None
        return AttackControls(
            classifier.classes or () if classifier else (),
            length_of(self._images) if some else None,
            attack=self._press_attack,
            over=self._press_over if some else None,
            cancel=self._press_cancel,
        )

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
            return f"{self._over_set().images} images before and after an attack"
        return f"{self._one.before.target.name} before and after an attack"

    def __repr__(self) -> str:
        if self._one is None:
            found = self._over_set()
            return f"AttackComparison({found.images} images, {len(found.peaks)} came through)"
        named = " -> ".join(repr(name) for name in self._one.classes)
        held = "" if len(self._one.classes) > 1 else ", did not come through"
        over = f", {self._several.images} images" if self._several else ""
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
        """Attack the image anew by PGD, show and return what it did; raises like `attacks.pgd`.

        Raises ValueError for a view without a model.
        """
        settings = {"target": target, "norm": norm, "budget": budget, "steps": steps, "seed": seed}
        self._run_attack(pgd_with(settings), lambda: False)
        self._own_attack = None
        found: AttackedDecision = self.evidence  # type: ignore[assignment]
        return found

    def over(self, images: Any = None, *, progress: bool = True) -> AttackedSet:
        """Attack every image of a set as the image was, show and return the peaks (Fig. 12 c).

        `images` are those of the view if not given. Raises ValueError without a model or images.
        """
        data = self._images if images is None else images
        return self._run_over(data, lambda: False, progress=progress, done=int)

    def snapshot(self) -> AttackComparison:
        """Return a twin of what is on the screen, without the model."""
        trees = tuple(tree.snapshot() for tree in self._trees)
        twin = type(self)._of(self._one, self._several, trees)
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
        if self._conversation is not None:
            self._engine, self._images = None, None
            self._conversation.close()
            for part in self._parts():
                part.close()
        super().close()

    def _parts(self) -> list[Any]:
        """All that the view is made of, shown or not."""
        parts = [*self._trees, *self._image.every(), *self._set.every()]
        return parts if self._controls is None else [*parts, self._controls]

    # what is shown

    def _show_image(self, one: AttackedDecision) -> None:
        below = self._image.show(one, self._trees)
        controls = [] if self._controls is None else [self._controls]
        if self._controls is not None:
            self._controls.take({**one.provenance.settings, "seed": one.provenance.seed})
        self._of_image = [self._image.head, *controls, *below]
        self.children = [*self._of_image, *self._of_set]

    def _show_set(self, found: AttackedSet) -> None:
        self._of_set = self._set.show(found)
        self.children = [*self._of_image, *self._of_set]

    # what is asked

    def _ask(self, purpose: str) -> Attacker:
        if self._engine is None:
            raise ValueError(
                f"this view was opened from saved evidence, without a model; {purpose} takes the"
                " model; run AttackComparison(model, image) to have it live"
            )
        return self._engine

    def _run_attack(self, attack: Attack, stopped: Stop) -> None:
        found = self._ask("another attack").decision(attack, stopped)
        if found is None:
            raise CancelledError
        evidence, after = found
        with self._lock:
            if stopped():
                after.close()
                raise CancelledError
            last, self._one = self._trees[1], evidence
            self._trees = (self._trees[0], after)
            after.layout = last.layout
            self._show_image(evidence)
        last.close()

    def _run_over(self, images: Any, stopped: Stop, *, progress: bool, done: Any) -> AttackedSet:
        engine = self._ask("an attack on a set")
        if images is None:
            raise ValueError(
                "got no images to attack; expected a set of them; pass images= to AttackComparison"
                " or to over"
            )
        attack = self._own_attack or pgd_with(self._settings())
        found = engine.over(images, attack, stopped=stopped, progress=progress, done=done)
        if stopped():
            raise CancelledError
        with self._lock:
            self._several = found
            self._show_set(found)
        return found

    def _settings(self) -> dict[str, Any]:
        found: dict[str, Any] = {} if self._controls is None else self._controls.settings()
        return found

    def _press_attack(self) -> None:
        self._begin("attack", "Attacking the image …")

    def _press_over(self) -> None:
        self._begin("over", "Attacking the set …")

    def _press_cancel(self) -> None:
        self._receive({"kind": "cancel", "id": next(self._numbers), "of": self._running})

    def _begin(self, kind: str, words: str) -> None:
        self._running = next(self._numbers)
        if self._controls is not None:
            self._controls.at_work(words)
        self._receive({"kind": kind, "id": self._running})

    def _receive(self, message: dict[str, Any]) -> None:
        if self._conversation is not None:
            self._conversation.receive(message)

    def _answer_attack(self, _: Content, stopped: Stop) -> Mapping[str, Any]:
        self._run_attack(pgd_with(self._settings()), stopped)
        self._own_attack = None
        return {}

    def _answer_over(self, _: Content, stopped: Stop) -> Mapping[str, Any]:
        total = length_of(self._images)
        of = f" of {total}" if total is not None else ""

        def done(count: int) -> None:
            if self._controls is not None and not stopped():
                self._controls.at_work(f"{count}{of} images attacked …")

        self._run_over(self._images, stopped, progress=False, done=done)
        return {}

    def _told(self, message: dict[str, Any]) -> None:
        """Show how work that was asked for in the view ended."""
        if self._controls is not None:
            self._controls.answered(message, self._running)


def _first(engine: Attacker, attack: Attack) -> tuple[AttackedDecision, DecompositionTree]:
    """What the first attack gives; where it gives nothing, no view is left behind."""
    try:
        found = engine.decision(attack, lambda: False)
        if found is None:
            raise RuntimeError(
                "the attack was stopped before its end; expected it to end; run it again"
            )
    except BaseException:
        engine.original.close()
        raise
    return found


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
