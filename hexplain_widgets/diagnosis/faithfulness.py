"""How far explanations are true: contributions, surrogates and rankings held against ablation.

One decision at one step, the figures of a step over images, and the pass over a set of images.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor, nn

from ..arguments import SlowBar, Stop, at_least_one, one_of
from ..data.samples import Sample, batches, length_of
from ..decomposition.baselines import channel_means
from ..decomposition.decisions import (
    ContributionFinder,
    as_asked,
    estimated,
    splits_of,
    strongest,
)
from ..evidence import Faithfulness, FaithfulnessSummary, Layer, Provenance, StepFaithfulness
from ..evidence.faithfulness import pearson
from ..fitting.passes import until_stopped
from ..network.classifier import Classifier
from ..network.gating import drawing
from ..network.guest import visiting
from ..network.probe import Capture, Probe
from ..network.segments import Segment, Unit, UnitGradients
from ..provenance import versions
from .surrogates import (
    BASELINES,
    baseline_importance,
    masked_logits,
    random_gates,
    surrogate_channels,
    without_strongest,
)

MERGE_IOU = 0.9
# Shares of a layer's channels that are masked (Fig. 6).
FRACTIONS = np.array([0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0])
POINTS = 101  # of a curve of sorted contributions
TOP_K = (1, 2, 4, 8, 16)
REMOVED = (1, 2, 4, 8, 16, 32)
OURS, DIRECT, RANDOM = "hierarchical", "gradient × activation", "random"


@dataclass(frozen=True)
class StepMeasurement:
    """One decision at one step; rows of `estimates` are AA, MA, AG and MG (Table 1).

    `remaining` is what is left of the decision, as a share of it, where `FRACTIONS` of the channels
    are masked: the most important, the least important, random ones. `next` is the peak of the
    strongest channel, None where no channel speaks for the decision.
    """

    estimates: Float[np.ndarray, "4 k"]
    faithfulness: Faithfulness
    remaining: Float[np.ndarray, "3 f"]
    activated: int
    overlapping: int
    next: Unit | None


def estimators(
    decision: UnitGradients, removed: Float[Tensor, "1 k h w"], full: tuple[int, int]
) -> Float[Tensor, "4 k"]:
    """Return the four estimates of each channel's contribution to one decision (Table 1).

    Average and maximum of gradient times what is removed (the activation, or its part above the
    mean), average and maximum of the gradient, over the whole map of `full` cells.
    """
    gradients, maps = decision.gradients[0], decision.gradients[0] * removed[0]
    whole = gradients.shape[1:] == full
    cells = full[0] * full[1]

    def largest(values: Tensor) -> Tensor:
        # Outside the window that a decision depends on, gradients are zero.
        return values.amax((1, 2)) if whole else values.amax((1, 2)).clamp(min=0)

    means = [values.sum((1, 2)) / cells for values in (maps, gradients)]
    return torch.stack([means[0], largest(maps), means[1], largest(gradients)]).double()


def masked_orders(
    scores: Float[np.ndarray, " k"], draw: np.random.Generator
) -> Float[np.ndarray, "3 f k"]:
    """Return which channels are open: most, least important, random ones masked by `FRACTIONS`."""
    k = len(scores)
    falling = np.argsort(-scores, kind="stable")
    gates = np.ones((3, len(FRACTIONS), k))
    for row, order in enumerate((falling, falling[::-1], draw.permutation(k))):
        for i, fraction in enumerate(FRACTIONS):
            gates[row, i, order[: round(fraction * k)]] = 0
    return gates


def remaining(
    segment: Segment, decision: UnitGradients, gates: Float[np.ndarray, "3 f k"]
) -> Float[np.ndarray, "3 f"]:
    """Return what is left of one decision with channels masked, as a share of it (Fig. 6)."""
    (unit,) = decision.units
    maps, values = segment.around(unit)
    flat = torch.from_numpy(gates.reshape(-1, gates.shape[2])).to(maps)
    left = values(maps * flat[:, :, None, None], decision.unclipped[0]).double().cpu().numpy()
    value = decision.values[0] or np.inf  # of a decision that is 0, nothing is left
    return left.reshape(gates.shape[:2]) / value


def measure_step(
    finder: ContributionFinder,
    segment: Segment,
    names: tuple[str, str | None],
    unit: Unit,
    draw: np.random.Generator,
) -> StepMeasurement:
    """Return one decision's contributions beside what is true; call it inside `guest.visiting`."""
    (decided,) = segment.decide([unit])
    decision = decided if names[1] else as_asked(decided, segment.deep[0])
    maps = decision.gradients * decision.activations
    weights = estimated(maps, segment.full[0] * segment.full[1])
    removed = finder.removed(names[0], decision)
    estimates = estimators(decision, removed, segment.full).cpu().numpy()
    top, also = strongest(maps, weights.contributions, maps.shape[1], MERGE_IOU)
    split = splits_of(decision, maps, weights, [top[0][:1]], [also[0][:1]])[unit]
    return StepMeasurement(
        estimates=estimates,
        faithfulness=finder.faithfulness(segment, names, decision),
        remaining=remaining(segment, decision, masked_orders(estimates[0], draw)),
        activated=split.activated,
        overlapping=sum(map(len, also[0])),
        next=split.parts[0].unit if split.parts else None,
    )


def step_summary(
    deep: str, shallow: str, measurements: Sequence[StepMeasurement]
) -> StepFaithfulness:
    """Return the figures of one step over the images that got that far down (Table 1, Fig. 6-7).

    `deep` is "logits" at the top. Correlations are over the images where they are defined, and 0
    where there is none.
    """
    rows = np.array(
        [[pearson(e, one.faithfulness.drops) for e in one.estimates] for one in measurements]
    )
    left = np.array([one.remaining for one in measurements])
    curves = np.array([_sorted(one) for one in measurements])
    ranks = [
        one.faithfulness.spearman for one in measurements if one.faithfulness.spearman is not None
    ]
    return StepFaithfulness(
        deep=deep,
        shallow=shallow,
        channels=measurements[0].estimates.shape[1],
        pearson=_over(rows, np.mean),
        errors=_over(rows, lambda column: standard_error(column[:, None])[0]),
        lowest=_over(rows, np.min),
        counted=np.isfinite(rows).sum(0),
        ranks=float(np.mean(ranks)) if ranks else 0.0,
        fractions=FRACTIONS,
        remaining=left.mean(0),
        remaining_errors=standard_error(left),
        estimates=curves[:, 0].mean(0),
        drops=curves[:, 1].mean(0),
        activated=float(np.mean([one.activated for one in measurements])),
        overlapping=float(np.mean([one.overlapping for one in measurements])),
    )


def standard_error(values: Float[np.ndarray, " n *m"]) -> Float[np.ndarray, "*m"]:
    """Return the standard error of the mean over the first axis, 0 for a single value."""
    if len(values) < 2:
        return np.zeros(values.shape[1:])
    return values.std(0, ddof=1) / len(values) ** 0.5


def _over(rows: Float[np.ndarray, "n m"], take: object) -> Float[np.ndarray, " m"]:
    columns = [column[np.isfinite(column)] for column in rows.T]
    return np.array([float(take(c)) if len(c) else 0.0 for c in columns])  # type: ignore[operator]


def _sorted(one: StepMeasurement) -> Float[np.ndarray, "2 p"]:
    """Return both sides sorted by size, at even ranks, in shares of the largest drop (Fig. 7)."""
    sides = one.faithfulness.estimates, one.faithfulness.drops
    largest = float(np.abs(one.faithfulness.drops).max()) or 1.0
    places = np.linspace(0, 1, len(sides[0]))
    at = np.linspace(0, 1, POINTS)
    return np.stack([np.interp(at, places, np.sort(side)[::-1] / largest) for side in sides])


@dataclass(frozen=True)
class _ImageFaithfulness:
    """What one image gave: `own` is its class, `named` those of surrogates, ours and random."""

    label: int | None
    own: int
    steps: tuple[StepMeasurement, ...]
    named: tuple[tuple[int, ...], tuple[int, ...]]
    shares: Float[np.ndarray, "j l"]
    without: Int[np.ndarray, "l o n"]


def measure_faithfulness(
    model: nn.Module | Classifier,
    images: Any,
    *,
    layers: Collection[str] | None = None,
    top_k: Sequence[int] = TOP_K,
    removed: Sequence[int] = REMOVED,
    rivals: Sequence[str] = (),
    reference: Any = None,
    seed: int = 0,
    progress: bool = True,
    stopped: Stop | None = None,
) -> FaithfulnessSummary:
    """Return how far decompositions of the classes named in `images` are true (sec. 4.1).

    `images` is one image, or any data of images or `(image, label)`. Each image is followed down
    its strongest path; its class is asked for again with `top_k` channels kept of each decision,
    and with the `removed` most important channels of a layer masked, by our ranking and by
    `rivals` ("conductance", "internal influence", "LRP", from captum). Correlations are with
    ablation to zero, or to the channels' means over `reference` images. An interrupt, or `stopped`
    saying so, ends it after the images seen so far; rivals that do not work on this network are
    left out, with a note. Raises ValueError where there is no image or a setting is out of range,
    ImportError for rivals without captum, and what Probe.capture raises.
    """
    measurement = _FaithfulnessPass(Classifier.of(model), layers, top_k, removed, rivals, seed)
    if reference is not None:
        measurement.means = channel_means(measurement.classifier, reference, layers=layers)
    notes: list[str] = []
    rows = list(until_stopped(measurement.each(_several(images), progress), stopped, notes))
    if not rows:
        raise ValueError(
            "got no image; expected at least one; pass an image, or data with some, and let the"
            " first one be finished"
        )
    return measurement.summary(rows, notes)


def _several(images: Any) -> Any:
    one = isinstance(images, str | Path | Image.Image | np.ndarray | Tensor)
    return [images] if one else images


class _FaithfulnessPass:
    """Asks one network about image after image."""

    def __init__(
        self,
        classifier: Classifier,
        layers: Collection[str] | None,
        top_k: Sequence[int],
        removed: Sequence[int],
        baselines: Sequence[str],
        seed: int,
    ) -> None:
        self.classifier, self.names, self.seed = classifier, layers, seed
        self.top_k = tuple(at_least_one("top_k", k) for k in top_k)
        self.removed = tuple(at_least_one("removed", n) for n in removed)
        self.baselines = tuple(one_of("rivals", name, tuple(BASELINES)) for name in baselines)
        self.notes: list[str] = []
        self.probe = Probe(classifier)
        self.layers: tuple[Layer, ...] = ()
        self.said: tuple[str, ...] = ()
        self.means: dict[str, Tensor] | None = None

    def each(self, images: Any, progress: bool) -> Iterator[_ImageFaithfulness]:
        with SlowBar("faithfulness", length_of(images), shown=progress) as bar:
            for batch in batches(images, self.classifier, size=1):
                yield self._measured(batch.x, batch.samples[0])
                bar.update()

    def _measured(self, x: Float[Tensor, "1 c h w"], sample: Sample) -> _ImageFaithfulness:
        capture = self.probe.capture(x, self.names)
        index = int(capture.logits[0].argmax())
        if not self.layers:
            self._leave_out_unworkable(capture, index)
        self.layers, self.said = capture.layers, capture.notes
        draw = drawing(sample.key, "faithfulness", self.seed)
        with visiting(self.classifier.model):
            steps = tuple(self._steps(capture, index, draw))
            most = max(*self.top_k, *self.removed)
            *surrogates, ranked = surrogate_channels(
                self.probe, capture, index, (*self.top_k, most)
            )
            ours = {
                layer.name: np.stack([k.gates(layer.name) for k in surrogates])
                for layer in self.layers
            }
            named = (self._named(capture, ours), self._named(capture, random_gates(ours, draw)))
            without = [
                self._without(capture, layer, index, ranked.importance[layer.name], draw)
                for layer in self.layers
            ]
        shares = np.stack([ours[layer.name].mean(1) for layer in self.layers], 1)
        return _ImageFaithfulness(
            sample.label_for(index), index, steps, named, shares, np.stack(without)
        )

    def _leave_out_unworkable(self, capture: Capture, index: int) -> None:
        """Leave out the baselines that do not work on this network, and say so."""
        for name in self.baselines:
            with visiting(self.classifier.model):
                try:
                    for layer in capture.layers:
                        baseline_importance(name, self.classifier, capture.x, layer.name, index)
                except ValueError as error:
                    self.baselines = tuple(other for other in self.baselines if other != name)
                    self.notes.append(f"Left out: {error}.")

    def _steps(
        self, capture: Capture, index: int, draw: np.random.Generator
    ) -> Iterator[StepMeasurement]:
        finder = ContributionFinder(self.probe, capture, self.means)
        unit, deep = Unit(index, 0, 0), None
        for layer in self.layers:
            segment = self.probe.segment(capture, layer.name, deep)
            step = measure_step(finder, segment, (layer.name, deep), unit, draw)
            yield step
            if step.next is None:
                return
            unit, deep = step.next, layer.name

    def _named(self, capture: Capture, gates: Any) -> tuple[int, ...]:
        logits = masked_logits(self.probe, capture, gates)
        return tuple(int(i) for i in logits.argmax(1))

    def _without(
        self,
        capture: Capture,
        layer: Layer,
        index: int,
        ours: Float[np.ndarray, " k"],
        draw: np.random.Generator,
    ) -> Int[np.ndarray, "o n"]:
        """Return which class is named without a layer's most important channels."""
        scores = [ours, self._direct(capture, layer, index)]
        scores += [
            baseline_importance(name, self.classifier, capture.x, layer.name, index)
            for name in self.baselines
        ]
        rows = [without_strongest(s, self.removed) for s in (*scores, draw.random(layer.shape[0]))]
        named = self._named(capture, {layer.name: np.concatenate(rows)})
        return np.array(named).reshape(len(rows), -1)

    def _direct(self, capture: Capture, layer: Layer, index: int) -> Float[np.ndarray, " k"]:
        segment = self.probe.segment(capture, layer.name, None)
        (decision,) = segment.decide([Unit(index, 0, 0)])
        weights = estimated(decision.gradients * decision.activations, 1)
        return weights.contributions[0].double().cpu().numpy()

    def summary(
        self, images: Sequence[_ImageFaithfulness], notes: Sequence[str]
    ) -> FaithfulnessSummary:
        """Return what all images gave."""
        own = np.array([one.own for one in images])
        named = np.array([one.named for one in images])
        labels = np.array([-1 if one.label is None else one.label for one in images])
        known, without = labels >= 0, np.array([one.without for one in images])
        right = (without == labels[:, None, None, None])[known]
        deep = ["logits", *(layer.name for layer in self.layers)]
        return FaithfulnessSummary(
            images=len(images),
            labelled=int(known.sum()),
            layers=self.layers,
            steps=tuple(
                step_summary(
                    deep[i], layer.name, [one.steps[i] for one in images if i < len(one.steps)]
                )
                for i, layer in enumerate(self.layers)
                if any(i < len(one.steps) for one in images)
            ),
            top_k=np.array(self.top_k),
            match=(named == own[:, None, None]).mean(0),
            kept=np.mean([one.shares for one in images], 0),
            removed=np.array(self.removed),
            methods=(OURS, DIRECT, *self.baselines, RANDOM),
            survival=(without == own[:, None, None, None]).mean(0),
            accuracy=(named == labels[:, None, None])[known].mean(0) if known.any() else None,
            whole_accuracy=float((own == labels)[known].mean()) if known.any() else None,
            removed_accuracy=right.mean(0) if known.any() else None,
            provenance=self._provenance(),
            notes=(*dict.fromkeys((*self.classifier.notes, *self.said)), *self.notes, *notes),
        )

    def _provenance(self) -> Provenance:
        return Provenance(
            method="faithfulness of hierarchical decomposition",
            model=type(self.classifier.model).__name__,
            target="the class that each image is given",
            settings={
                "layers": tuple(layer.name for layer in self.layers),
                "baseline": "zero" if self.means is None else "mean",
                "rivals": self.baselines,
            },
            seed=self.seed,
            versions=versions(),
        )
