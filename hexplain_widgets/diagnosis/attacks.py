"""Adversarial images: a picture changed too little to be seen, and named otherwise (PGD).

The attacks; what the channels of the deepest stage answer before and after one (Fig. 12), over one
image and over a set.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..arguments import SlowBar, Stop, at_least_one, check_finite, counted, never
from ..data.samples import batches, length_of
from ..decomposition.decisions import estimated
from ..evidence import (
    AttackedDecision,
    AttackedSet,
    Decomposition,
    HeatMap,
    Layer,
    Prediction,
    Provenance,
)
from ..fitting.passes import accumulate
from ..network.classifier import Classifier, PreparedImage
from ..network.guest import visiting
from ..network.probe import Capture, Probe
from ..network.segments import Segment, Unit, gradients_of
from ..provenance import versions

Norm = Literal["linf", "l2"]
# What a person hardly sees, in pixel values 0..1: the largest change, or the length of all changes
# in an image of 224 pixels.
BUDGETS = {"linf": 8 / 255, "l2": 3.0}
METHOD = "peak responses before and after an attack (Fig. 12)"
TOP = 4  # the paper's choice


@dataclass(frozen=True)
class AttackResult:
    """An image before and after an attack, prepared for the network, and what is named in each.

    `size` is the change's in the attack's norm, in pixel values 0..1. `settings` say how it was
    found; `target` among them is the index of the class it went for, None for any other.
    """

    x: Float[Tensor, "1 c h w"]
    adversarial: Float[Tensor, "1 c h w"]
    before: Prediction
    after: Prediction
    size: float
    norm: Norm = "linf"
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def came_through(self) -> bool:
        """Whether another class is named than before: the target, where there is one."""
        goal = self.settings.get("target")
        named = self.after.index
        return named != self.before.index and (goal is None or named == goal)


def pgd(
    model: Any,
    image: Any,
    target: int | str | None = None,
    *,
    norm: Norm = "linf",
    budget: float | None = None,
    steps: int = 20,
    seed: int = 0,
    stopped: Stop | None = None,
) -> AttackResult:
    """Return an image that projected gradient descent changed (Madry et al. 2018).

    `image` is of any kind that a Classifier takes; the result holds it prepared, as `x`, and
    changed, as `adversarial`, both `(1, C, H, W)`, with what is named `before` and `after` and the
    `size` of the change. It goes towards `target`, or away from the class that the network names.
    `budget` bounds the change in pixel values 0..1: of each pixel ("linf", 8/255) or their
    Euclidean length ("l2", 3.0). It starts at a random change drawn from `seed`, and keeps the best
    of `steps` steps; `stopped` is asked before each, and once it says yes the best so far is
    returned. Raises ValueError for a norm, a budget, a number of steps or a class that cannot be,
    IndexError for a class out of range.
    """
    classifier = Classifier.of(model)
    bound = _checked(norm, budget, steps)
    x = classifier.prepare(image).x
    with visiting(classifier.model):
        logits = classifier.logits(x)[0]
        away = int(logits.argmax())
        goal = None if target is None else classifier.index_of(target, len(logits))
        pixels = _Pixels(classifier, x)
        draw = torch.Generator().manual_seed(seed)
        descent = _Descent(away, goal, norm, bound, steps, stopped or never)
        change = descent.best(classifier, pixels, draw)
        after = classifier.logits(pixels.shown(change))[0]
    return AttackResult(
        x,
        pixels.shown(change),
        classifier.prediction(logits, away),
        classifier.prediction(after, int(after.argmax())),
        float(_length(change, norm)),
        norm,
        {"attack": "PGD", "budget": bound, "steps": steps, "target": goal, "seed": seed},
    )


def attacked_by(model: Any, image: Any, attack: Callable[..., Any]) -> AttackResult:
    """Return an image that a function `(network, x) -> x` changed, `x` prepared `(1, C, H, W)`.

    Its size is the largest change of a pixel. Raises TypeError for a function that returns no
    tensor, ValueError for one of another shape or with values that are not finite.
    """
    classifier = Classifier.of(model)
    x = classifier.prepare(image).x
    with visiting(classifier.model) as network, torch.enable_grad():
        given = attack(network, x.clone())
    adversarial = _checked_image(given, x)
    change = (adversarial - x) / _Pixels(classifier, x).span
    before, after = (
        classifier.ranked(classifier.logits(each)[0], 1)[0] for each in (x, adversarial)
    )
    name = getattr(attack, "__name__", type(attack).__name__)
    return AttackResult(
        x, adversarial, before, after, float(change.abs().max()), "linf", {"attack": name}
    )


def _checked_image(given: Any, x: Tensor) -> Tensor:
    if not isinstance(given, Tensor):
        raise TypeError(
            f"the attack returned {type(given).__name__}; expected the changed image as a tensor"
            f" {tuple(x.shape)}; let it return the prepared image it was given with the change"
        )
    if given.shape != x.shape:
        raise ValueError(
            f"the attack returned a tensor of shape {tuple(given.shape)}; expected"
            f" {tuple(x.shape)}, as it was given; change the pixels, not the size"
        )
    check_finite(
        "the attack returned",
        given,
        remedy="look for a division by the length of a gradient that is zero",
    )
    return given.detach().to(x)


class _Pixels:
    """An image in pixel values 0..1, and what the network is given for a change of them."""

    def __init__(self, classifier: Classifier, x: Tensor) -> None:
        self.low, white = classifier.extent(x)
        self.span = white - self.low
        self.values = (x - self.low) / self.span

    def shown(self, change: Tensor) -> Tensor:
        return self.low + self.span * (self.values + change)

    def inside(self, change: Tensor) -> Tensor:
        """Return the change cut where a pixel would leave 0..1 that was inside."""
        low, high = self.values.clamp(max=0), self.values.clamp(min=1)
        return (self.values + change).clamp(low, high) - self.values


@dataclass(frozen=True)
class _Descent:
    """How a change is looked for: away from a class, or towards the one that is the goal."""

    away: int
    goal: int | None
    norm: Norm
    bound: float
    steps: int
    stopped: Stop

    def best(self, classifier: Classifier, pixels: _Pixels, draw: torch.Generator) -> Tensor:
        """Return the change of the lowest loss on the way, no change where it never began."""
        noise = torch.randn(pixels.values.shape, generator=draw, dtype=torch.float32).to(
            pixels.values
        )
        change = pixels.inside(_unit(noise, self.norm) * self.bound / 2)
        best, lowest = torch.zeros_like(change), float("inf")
        with SlowBar("attacking the image", self.steps + 1, "step") as counted:
            for _ in range(self.steps + 1):
                if self.stopped():
                    break
                moving = change.detach().requires_grad_()
                loss = self._loss_at(classifier, pixels.shown(moving))
                if float(loss.detach()) < lowest:
                    best, lowest = change, float(loss.detach())
                (gradient,) = gradients_of(loss, moving)
                step = 2.5 * self.bound / self.steps * _unit(gradient, self.norm)
                change = pixels.inside(_projected(change - step, self.norm, self.bound))
                counted.update()
        return best

    def _loss_at(self, classifier: Classifier, x: Tensor) -> Tensor:
        with visiting(classifier.model), torch.enable_grad():
            return _loss(classifier.scores_of(x).float(), self.away, self.goal)


def _loss(logits: Float[Tensor, "1 c"], away: int, goal: int | None) -> Tensor:
    """Return by how much the attack has not come through yet: below 0 another class is named."""
    index = away if goal is None else goal
    others = logits[0].index_fill(0, torch.tensor([index], device=logits.device), -torch.inf).max()
    return logits[0, index] - others if goal is None else others - logits[0, index]


def _unit(change: Tensor, norm: Norm) -> Tensor:
    return change.sign() if norm == "linf" else change / _length(change, norm).clamp(min=1e-12)


def _length(change: Tensor, norm: Norm) -> Tensor:
    return change.abs().max() if norm == "linf" else change.norm()


def _projected(change: Tensor, norm: Norm, bound: float) -> Tensor:
    if norm == "linf":
        return change.clamp(-bound, bound)
    return change * (bound / _length(change, norm).clamp(min=bound))


def _checked(norm: str, budget: float | None, steps: int) -> float:
    if norm not in BUDGETS:
        raise ValueError(f"got norm={norm!r}; expected 'linf' or 'l2'; choose one of these")
    if steps < 1:
        raise ValueError(f"got steps={steps}; expected at least 1; 20 is the default")
    bound = BUDGETS[norm] if budget is None else budget
    if not 0 < bound < float("inf"):
        raise ValueError(
            f"got budget={budget}; expected a positive change in pixel values 0..1; 8/255 is the"
            " usual one of each pixel"
        )
    return float(bound)


@dataclass(frozen=True)
class StageActivations:
    """One image at the deepest stage of a network; `bound` is the stage's upper clip, if any."""

    classifier: Classifier
    capture: Capture
    segment: Segment
    bound: float | None

    @property
    def layer(self) -> Layer:
        """The deepest stage."""
        return self.capture.layers[0]

    @cached_property
    def peaks(self) -> Float[np.ndarray, " k"]:
        """The largest value of each channel's own map, in the layer's units (Fig. 12 b)."""
        maps = self.capture.maps[self.layer.name][0]
        return maps.detach().float().amax((1, 2)).cpu().numpy()

    def contributions(self, index: int) -> Float[np.ndarray, " k"]:
        """Return what each channel adds to the logit of a class (Eq. 4)."""
        height, width = self.segment.full
        with visiting(self.classifier.model):
            (decision,) = self.segment.decide([Unit(index, 0, 0)])
        maps = decision.gradients * decision.activations * decision.signs[0]
        return estimated(maps, height * width).contributions[0].float().cpu().numpy()

    def probability(self, index: int) -> float:
        """Return the probability of a class."""
        return self.classifier.prediction(self.capture.logits[0], index).probability


class StageProbe:
    """Looks at the deepest stage of a network, image by image.

    `layers` are names as for a decomposition: the deepest of them counts.
    """

    def __init__(self, classifier: Classifier, layers: Collection[str] | None = None) -> None:
        self.classifier = classifier
        self._layers = layers
        self._probe = Probe(classifier)

    def at(self, x: Float[Tensor, "1 c h w"]) -> StageActivations:
        """Return one prepared image at that stage; raises ValueError like `Probe.capture`."""
        capture = self._probe.capture(x, self._layers)
        name = capture.layers[0].name
        segment = self._probe.segment(capture, name, None)
        return StageActivations(self.classifier, capture, segment, self._probe.bound(capture, name))


@dataclass(frozen=True)
class PeakComparison:
    """Channels of `c` classes and their peaks in two images.

    `channels` and `contributions` are `(c, n)`, `peaks` `(2, c, n)`, `probabilities` `(2, c)`.
    """

    channels: Int[np.ndarray, "c n"]
    contributions: Float[np.ndarray, "c n"]
    peaks: Float[np.ndarray, "2 c n"]
    probabilities: Float[np.ndarray, "2 c"]


def compare_peaks(
    before: StageActivations, after: StageActivations, named: tuple[int, int], top: int
) -> PeakComparison:
    """Return the peaks of the channels of the classes named before and after (Fig. 12 b).

    The channels of each class are those of the image that it is named in. Where both images are
    named the same there is one class, with its channels in the original.
    """
    pairs = list(zip((before, after), named, strict=True))[: len(set(named))]
    added = [image.contributions(index) for image, index in pairs]
    channels = np.stack([_strongest(each, top) for each in added])
    return PeakComparison(
        channels,
        np.take_along_axis(np.stack(added), channels, 1),
        np.stack([image.peaks[channels] for image in (before, after)]),
        np.array([[image.probability(i) for _, i in pairs] for image in (before, after)]),
    )


def _strongest(contributions: Float[np.ndarray, " k"], top: int) -> Int[np.ndarray, " n"]:
    """Return the `top` channels that add most, strongest first; fewer where there are fewer."""
    return np.asarray(np.argsort(-contributions, kind="stable")[:top], dtype=np.int64)


# What attacks an image: it takes a classifier, an image of any kind, and what says when to stop.
Attack = Callable[[Classifier, Any, Stop], AttackResult]


def attack_of(attack: Any = None) -> Attack:
    """Return what attacks an image: None (PGD), an AttackResult or a function `(model, x) -> x`.

    Raises TypeError for anything else. The attack raises ValueError where an AttackResult is not of
    the image, and what `pgd` and `attacked_by` raise.
    """
    if attack is None:
        return lambda classifier, image, stopped: pgd(classifier, image, stopped=stopped)
    if isinstance(attack, AttackResult):
        return lambda classifier, image, _: _of_image(attack, classifier, image)
    if callable(attack):
        return lambda classifier, image, _: attacked_by(classifier, image, attack)
    raise TypeError(
        f"got {type(attack).__name__} as attack; expected None (PGD), what hx.pgd returned, or"
        " a function (model, x) -> x; pass one of these"
    )


def _of_image(attack: AttackResult, classifier: Classifier, image: Any) -> AttackResult:
    x = classifier.prepare(image).x
    if attack.x.shape != x.shape or not torch.equal(attack.x.to(x), x):
        raise ValueError(
            f"got an attack on another image of shape {tuple(attack.x.shape)}; expected one on this"
            f" image, {tuple(x.shape)}; make it with hx.pgd(model, image)"
        )
    classes = classifier.logits(x).shape[1]
    if max(attack.before.index, attack.after.index) >= classes:
        raise ValueError(
            f"got an attack on a network with more classes than this one's {classes}; expected one"
            " on this network; make it with hx.pgd(model, image)"
        )
    return attack


def adversarial_image(
    classifier: Classifier, attacked: AttackResult, *, given: bool
) -> PreparedImage:
    """Return the adversarial image as the network takes it and as it looks beside the original.

    `given` says that the original came prepared.
    """
    shown = classifier.shown(attacked.adversarial, given=given)
    return PreparedImage(attacked.adversarial, shown)


def attacked_decision(
    attacked: AttackResult,
    stage: StageProbe,
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
    comparison = compare_peaks(first, second, named, count)
    classifier = stage.classifier
    goal = attacked.settings.get("target")
    return AttackedDecision(
        before=before,
        after=after,
        change=_shown_change(classifier, attacked),
        layer=first.layer,
        **_figures(comparison),
        size=float(attacked.size),
        norm=attacked.norm,
        provenance=_provenance(
            classifier, attacked, count, " -> ".join((before.target.name, after.target.name))
        ),
        goal=()
        if goal is None
        else tuple(classifier.prediction(each.capture.logits[0], goal) for each in (first, second)),
        concept=tuple(concept),
        notes=(*_notes(classifier, attacked), *_clip_notes(comparison.peaks, first.bound)),
    )


def _figures(comparison: PeakComparison) -> dict[str, Any]:
    return {
        "channels": comparison.channels,
        "contributions": comparison.contributions,
        "peaks": comparison.peaks,
        "probabilities": comparison.probabilities,
    }


def _shown_change(classifier: Classifier, attacked: AttackResult) -> Float[np.ndarray, "h w 3"]:
    """The change in pixel values, red, green and blue; other than three channels as their mean."""
    low, high = classifier.extent(attacked.x)
    change = ((attacked.adversarial - attacked.x) / (high - low))[0].float().cpu()
    if len(change) != 3:
        change = change.mean(0, keepdim=True).expand(3, -1, -1)
    return np.ascontiguousarray(change.permute(1, 2, 0).numpy())


def _notes(classifier: Classifier, attacked: AttackResult) -> tuple[str, ...]:
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


def _provenance(
    classifier: Classifier, attacked: AttackResult, top: int, target: str
) -> Provenance:
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
    was found is returned. Raises TypeError for an AttackResult, which is of one image, and what
    `attack_of` and the data raise; ValueError for a set without images.
    """
    if isinstance(attack, AttackResult):
        raise TypeError(
            "got an AttackResult as attack on a set; expected None (PGD) or a function"
            " (model, x) -> x, which attacks every image; pass one of these"
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
        self._stage = StageProbe(classifier, layers)

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

        def keep(row: _Row | None) -> None:
            if row is not None:
                rows.add(row)
                done(len(rows))

        data = takewhile(lambda _: not stopped(), batches(images, self._classifier, size=1))
        accumulate(
            data,
            lambda batch: self._row(batch.x, stopped),
            keep,
            total=length_of(images),
            progress=progress,
            what="attacked images",
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
            peaks = compare_peaks(before, after, named, self._top).peaks
        classes = before.capture.logits.shape[1]
        return _Row(attacked, before.layer, before.bound, classes, peaks)


@dataclass(frozen=True)
class _Row:
    """One attacked image: the deepest stage, its clip, the number of classes, and the peaks."""

    attacked: AttackResult
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
            provenance=_provenance(classifier, attacked, top, counted(len(self), "image")),
            notes=(*stopped, *_clip_notes(peaks, self._first.bound)),
        )
