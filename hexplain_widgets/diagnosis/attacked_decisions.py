"""Decisions before and after an attack: the evidence of one image, and of a set of images."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..arguments import at_least_one
from ..data.samples import batches, length_of
from ..evidence import AttackedDecision, AttackedSet, Decomposition, HeatMap, Layer, Provenance
from ..fitting.passes import accumulate
from ..network.classifier import Classifier, Prepared
from ..provenance import versions
from .attacks import Attacked, Stop, attacked_by, pgd
from .peak_responses import Compared, DeepestStage, compared

# What attacks an image: it takes a classifier, an image of any kind, and what says when to stop.
Attack = Callable[[Classifier, Any, Stop], Attacked]
METHOD = "peak responses before and after an attack (Fig. 12)"
TOP = 4  # the paper's choice


def attack_of(attack: Any = None) -> Attack:
    """Return what attacks an image, from None (PGD), an Attacked or a function `(model, x) -> x`.

    Raises TypeError for anything else. The attack raises ValueError where an Attacked is not of
    the image, and what `attacks.pgd` and `attacks.attacked_by` raise.
    """
    if attack is None:
        return lambda classifier, image, stopped: pgd(classifier, image, stopped=stopped)
    if isinstance(attack, Attacked):
        return lambda classifier, image, _: _of_image(attack, classifier, image)
    if callable(attack):
        return lambda classifier, image, _: attacked_by(classifier, image, attack)
    raise TypeError(
        f"got {type(attack).__name__} as attack; expected None (PGD), what attacks.pgd returned, or"
        " a function (model, x) -> x; pass one of these"
    )


def _of_image(attack: Attacked, classifier: Classifier, image: Any) -> Attacked:
    x = classifier.prepare(image).x
    if attack.x.shape != x.shape or not torch.equal(attack.x.to(x), x):
        raise ValueError(
            f"got an attack on another image of shape {tuple(attack.x.shape)}; expected one on this"
            f" image, {tuple(x.shape)}; make it with attacks.pgd(model, image)"
        )
    classes = classifier.logits(x).shape[1]
    if max(attack.before.index, attack.after.index) >= classes:
        raise ValueError(
            f"got an attack on a network with more classes than this one's {classes}; expected one"
            " on this network; make it with attacks.pgd(model, image)"
        )
    return attack


def adversarial_image(classifier: Classifier, attacked: Attacked, *, given: bool) -> Prepared:
    """Return the adversarial image as the network takes it and as it looks beside the original.

    `given` says that the original came prepared.
    """
    shown = classifier.shown(attacked.adversarial, given=given)
    return Prepared(attacked.adversarial, shown)


def attacked_decision(
    attacked: Attacked,
    stage: DeepestStage,
    before: Decomposition,
    after: Decomposition,
    *,
    top: int = TOP,
    concept: Sequence[HeatMap] = (),
) -> AttackedDecision:
    """Return what an attack did to the decision that two decompositions take apart.

    `before` and `after` are of the classes named in the original and the adversarial image. `top`
    channels of each class are compared. Raises ValueError for fewer than one.
    """
    count = at_least_one("channels", top)
    first, second = stage.at(attacked.x), stage.at(attacked.adversarial)
    named = (before.target.index, after.target.index)
    found = compared(first, second, named, count)
    classifier = stage.classifier
    goal = attacked.settings.get("target")
    return AttackedDecision(
        before=before,
        after=after,
        change=_shown_change(classifier, attacked),
        layer=first.layer,
        **_figures(found),
        size=float(attacked.size),
        norm=attacked.norm,
        provenance=_provenance(
            classifier, attacked, count, " -> ".join((before.target.name, after.target.name))
        ),
        goal=()
        if goal is None
        else tuple(classifier.prediction(each.capture.logits[0], goal) for each in (first, second)),
        concept=tuple(concept),
        notes=(*_notes(classifier, attacked), *_clip_notes(found.peaks, first.bound)),
    )


def _figures(found: Compared) -> dict[str, Any]:
    return {
        "channels": found.channels,
        "contributions": found.contributions,
        "peaks": found.peaks,
        "probabilities": found.probabilities,
    }


def _shown_change(classifier: Classifier, attacked: Attacked) -> Float[np.ndarray, "h w 3"]:
    """The change in pixel values, red, green and blue; other than three channels as their mean."""
    low, high = classifier.extent(attacked.x)
    change = ((attacked.adversarial - attacked.x) / (high - low))[0].float().cpu()
    if len(change) != 3:
        change = change.mean(0, keepdim=True).expand(3, -1, -1)
    return np.ascontiguousarray(change.permute(1, 2, 0).numpy())


def _notes(classifier: Classifier, attacked: Attacked) -> tuple[str, ...]:
    low, high = classifier.extent(attacked.x)
    pixels = (attacked.adversarial - low) / (high - low)
    outside = float(((pixels < -1e-3) | (pixels > 1 + 1e-3)).float().mean())
    if outside == 0:
        return ()
    return (f"{outside:.1%} of the adversarial image's values are no pixels: outside 0 to 1.",)


def _clip_notes(peaks: Float[np.ndarray, " ..."], bound: float | None) -> tuple[str, ...]:
    """Say how many peaks stand at the layer's upper clip, above which nothing is seen."""
    clipped = 0 if bound is None else int((peaks >= bound).sum())
    if not clipped:
        return ()
    return (
        f"{clipped} of {peaks.size} peaks stand at {bound:.3g}, where the layer clips its values:"
        " what happens above is not seen.",
    )


def _provenance(classifier: Classifier, attacked: Attacked, top: int, target: str) -> Provenance:
    settings = dict(attacked.settings)
    seed = settings.pop("seed", None)
    return Provenance(
        method=METHOD,
        model=type(classifier.model).__name__,
        target=target,
        settings={"attack": "given", **settings, "norm": attacked.norm, "channels": top},
        seed=seed,
        versions=versions(),
    )


def attacked_set(
    model: Any,
    images: Any,
    attack: Any = None,
    *,
    top: int = TOP,
    layers: Collection[str] | None = None,
    progress: bool = True,
    stopped: Stop | None = None,
) -> AttackedSet:
    """Return the peak responses over the images of a set whose attack comes through (Fig. 12 c).

    `images` is any Dataset, DataLoader or iterable; each is attacked as `attack` says: None (PGD)
    or a function `(model, x) -> x`. `stopped` is asked before each step; once it says yes, what
    was found is returned. Raises TypeError for an Attacked, which is of one image, and what
    `attack_of` and the data raise; ValueError for a set without images.
    """
    if isinstance(attack, Attacked):
        raise TypeError(
            "got an Attacked as attack on a set; expected None (PGD) or a function (model, x) -> x,"
            " which attacks every image; pass one of these"
        )
    return SetAttack(Classifier.of(model), attack_of(attack), top, layers).over(
        images, progress=progress, stopped=stopped or (lambda: False)
    )


class SetAttack:
    """Attacks images one by one and keeps the peaks of those whose attack comes through."""

    def __init__(
        self,
        classifier: Classifier,
        attack: Attack,
        top: int = TOP,
        layers: Collection[str] | None = None,
    ) -> None:
        self._classifier, self._attack = classifier, attack
        self._top = at_least_one("channels", top)
        self._stage = DeepestStage(classifier, layers)

    def over(
        self,
        images: Any,
        *,
        progress: bool = True,
        stopped: Stop,
        done: Callable[[int], object] = int,
    ) -> AttackedSet:
        """Return the peaks over a set; `done` is told how many images were attacked so far."""
        rows = _Rows()

        def keep(found: _Row | None) -> None:
            if found is not None:
                rows.add(found)
                done(len(rows))

        data = takewhile(lambda _: not stopped(), batches(images, self._classifier, size=1))
        accumulate(
            data,
            lambda batch: self._row(batch.x, stopped),
            keep,
            total=length_of(images),
            progress=progress,
        )
        return rows.evidence(self._classifier, self._top, ended=stopped())

    def _row(self, x: Tensor, stopped: Stop) -> _Row | None:
        attacked = self._attack(self._classifier, x, stopped)
        if stopped():
            return None  # what was found so far is not the attack that was asked for
        before = self._stage.at(attacked.x)
        named = (attacked.before.index, attacked.after.index)
        peaks = None
        if attacked.came_through:
            after = self._stage.at(attacked.adversarial)
            peaks = compared(before, after, named, self._top).peaks
        classes = before.capture.logits.shape[1]
        return _Row(attacked, before.layer, before.bound, classes, peaks)


@dataclass(frozen=True)
class _Row:
    """One attacked image: the deepest stage, its clip, the number of classes, and the peaks."""

    attacked: Attacked
    layer: Layer
    bound: float | None
    classes: int
    peaks: Float[np.ndarray, "2 2 k"] | None


class _Rows:
    """What is kept of the images of a set: no pixels."""

    def __init__(self) -> None:
        self._first: _Row | None = None
        self._peaks: list[Float[np.ndarray, "2 2 k"]] = []
        self._named: list[tuple[int, int]] = []
        self._sizes: list[float] = []
        self._withstood = 0

    def __len__(self) -> int:
        return len(self._peaks) + self._withstood

    def add(self, row: _Row) -> None:
        self._first = self._first or row
        if row.peaks is None:
            self._withstood += 1
            return
        attacked = row.attacked
        self._peaks.append(row.peaks)
        self._named.append((attacked.before.index, attacked.after.index))
        self._sizes.append(attacked.size)

    def evidence(self, classifier: Classifier, top: int, *, ended: bool) -> AttackedSet:
        if self._first is None:
            raise ValueError(
                "got no attacked image; expected at least one; pass a set with images, and let the"
                " first attack end"
            )
        attacked, layer = self._first.attacked, self._first.layer
        peaks = np.array(self._peaks, dtype=np.float32).reshape(-1, 2, 2, min(top, layer.shape[0]))
        stopped = ("It was stopped before the end of the set.",) if ended else ()
        return AttackedSet(
            peaks=peaks,
            named=np.array(self._named, dtype=np.int64).reshape(-1, 2),
            sizes=np.array(self._sizes, dtype=np.float32),
            classes=tuple(map(classifier.name, range(self._first.classes))),
            layer=layer,
            norm=attacked.norm,
            withstood=self._withstood,
            provenance=_provenance(classifier, attacked, top, f"{len(self)} images"),
            notes=(*stopped, *_clip_notes(peaks, self._first.bound)),
        )
