"""The report of an additive explainer: ours against plain distillation, over seeds (Tables 1-3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, takewhile
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from ..arguments import Stop
from ..data.samples import batches
from ..evidence import AdditiveReport, ExplainerCapacity, ExplainerQuality, Provenance
from ..evidence.additive import FILTERS
from ..fitting.passes import batch_size
from ..network.classifier import Classifier
from ..network.guest import visiting
from .distillation import AdditiveFit, Distillation, DistillationData, explained_by
from .measures import (
    accuracy,
    best_accuracy_threshold,
    entropies,
    part_errors,
    relative_deviations,
    shares_by_ablation,
)
from .rows import UNLABELLED, ScoreBatch, ScoreExtractor, ScoreStatistics

BY_LABEL = "images of the class against all others"
BY_SIGN = "the network's own decision, its score above 0"


@dataclass(frozen=True, eq=False)
class ReportImages:
    """A set of images to report on: its rows, and their scores without each concept's filters.

    `without` is None where concepts cannot be taken out; its rows stand as those of `rows.all()`,
    NaN for images that are no positives.
    """

    rows: ScoreStatistics
    without: Float[np.ndarray, "n p"] | None


def ablated_scores(
    extractor: ScoreExtractor,
    classifier: Classifier,
    data: Iterable[object],
    groups: list[list[int]],
) -> Iterator[tuple[bytes, Float[np.ndarray, " p"]]]:
    """Yield each image's key and its scores without each group of filters."""
    for batch in batches(data, classifier, size=batch_size(classifier)):
        with visiting(classifier.model):
            scores = extractor.look(batch.x).without(groups).double().cpu().numpy()
        yield from zip((s.key for s in batch.samples), scores, strict=True)


def report_of(
    fit: AdditiveFit,
    images: ReportImages,
    seeds: Sequence[int],
    provenance: Provenance,
    *,
    progress: bool,
) -> AdditiveReport:
    """Return the report on a set of images; explainers of seeds that are new are fitted first."""
    batch, examples = images.rows.all(), fit.of_rows(images.rows)
    judgement = _DecisionTruth.of(fit, batch)
    betas = (fit.schedule.beta, 0.0)
    qualities = []
    for beta in betas:
        each = []
        for seed in seeds:
            distillation = fit.distillation(beta=beta, seed=seed)
            distillation.run(progress=progress)
            each.append(_quality(fit, distillation, examples, images, judgement))
        qualities.append(_stacked(each))
    scope = fit.rows.scope
    return AdditiveReport(
        names=fit.elements.names,
        target=scope.output,
        layer=scope.layer.name,
        seeds=tuple(seeds),
        ours=qualities[0],
        plain=qualities[1],
        performer_accuracy=judgement.accuracy_of(batch.scores),
        truth=judgement.by,
        images=len(batch),
        positives=_measured(images),
        provenance=provenance,
        notes=(*scope.notes, *fit.elements.notes, *_notes(fit, images, judgement)),
    )


def concept_counts(counts: Sequence[int] | None, concepts: int) -> tuple[int, ...]:
    """Return numbers of concepts to explain with: powers of two and all, where none are given.

    Raises ValueError for numbers that there are not.
    """
    if counts is None:
        return (*takewhile(lambda n: n < concepts, (2**i for i in count())), concepts)
    asked = sorted({int(n) for n in counts})
    if not asked or asked[0] < 1 or asked[-1] > concepts:
        raise ValueError(
            f"got counts={tuple(counts)!r} of concepts; expected numbers from 1 to {concepts}, all"
            " that explain; leave it out for 1, 2, 4 and so on"
        )
    return tuple(asked)


def capacity_of(
    fit: AdditiveFit,
    rows: ScoreStatistics,
    counts: Sequence[int],
    seeds: Sequence[int],
    provenance: Provenance,
    *,
    progress: bool,
    stopped: Stop,
) -> ExplainerCapacity:
    """Return how well explainers of so many concepts do, drawn by each seed (Fig. 8).

    A seed's concepts are the first of one random order, so that more are those and others. Raises
    ValueError where all scores are the same.
    """
    images, judgement = ReportImages(rows, None), _DecisionTruth.of(fit, rows.all())
    scores, notes = _differing(rows.all().scores), list(_alike_note(judgement))
    figures = []
    for size in counts:
        each = [(seed, fit.narrowed(_drawn(fit, seed)[:size])) for seed in seeds]
        figures.append([_narrow(one, seed, images, judgement, progress) for seed, one in each])
        if stopped():
            notes.append(f"Stopped after {size} concepts.")
            break
    scope = fit.rows.scope
    return ExplainerCapacity(
        names=fit.elements.names,
        target=scope.output,
        layer=scope.layer.name,
        seeds=tuple(seeds),
        counts=np.array(counts[: len(figures)], np.int64),
        deviation=np.array([[one.deviation for one in row] for row in figures]).T,
        accuracy=np.array([[one.accuracy for one in row] for row in figures]).T,
        performer_accuracy=judgement.accuracy_of(scores),
        truth=judgement.by,
        images=len(scores),
        provenance=provenance,
        notes=(*scope.notes, *fit.elements.notes, *notes),
    )


def _differing(scores: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Return scores that have a range; raises ValueError where they are all the same."""
    if np.ptp(scores) == 0:
        raise ValueError(
            f"got {len(scores)} images with one score; expected some that differ, for deviations"
            " are shares of their range; pass images of other classes too"
        )
    return scores


def _drawn(fit: AdditiveFit, seed: int) -> Int[np.ndarray, " c"]:
    """Return the places of all concepts in the order in which a seed draws them."""
    return np.random.default_rng(seed).permutation(len(fit.elements.names))


def _narrow(
    fit: AdditiveFit, seed: int, images: ReportImages, judgement: _DecisionTruth, progress: bool
) -> _Figures:
    distillation = fit.distillation(seed=seed)
    distillation.run(progress=progress)
    return _quality(fit, distillation, fit.of_rows(images.rows), images, judgement)


@dataclass(frozen=True, eq=False)
class _DecisionTruth:
    """What decisions are measured by: the truth, and that of the images that choose thresholds."""

    truth: Bool[np.ndarray, " n"]
    choosing: Bool[np.ndarray, " m"]
    choosing_scores: Float[np.ndarray, " m"]
    some: np.ndarray
    by: str

    def accuracy_of(self, scores: Float[np.ndarray, " n"]) -> float:
        """Return how many images the network itself judges right, by a threshold chosen alike."""
        threshold = best_accuracy_threshold(self.choosing_scores, self.choosing)
        return accuracy(scores, self.truth, threshold)

    @classmethod
    def of(cls, fit: AdditiveFit, batch: ScoreBatch) -> _DecisionTruth:
        own = fit.batch
        some = np.flatnonzero(fit.held_out) if fit.held_out.any() else np.arange(len(own))
        index = fit.rows.scope.index
        labelled = index >= 0 and min(own.labels.min(), batch.labels.min()) != UNLABELLED
        if labelled:
            truth, choosing = batch.labels == index, own.labels[some] == index
        else:
            truth, choosing = batch.scores > 0, own.scores[some] > 0
        return cls(truth, choosing, own.scores[some], some, BY_LABEL if labelled else BY_SIGN)


class _Figures(NamedTuple):
    entropy: float
    deviation: float
    accuracy: float
    part_error: np.ndarray | None
    sizes: np.ndarray


def _quality(
    fit: AdditiveFit,
    distillation: Distillation,
    examples: DistillationData,
    images: ReportImages,
    judgement: _DecisionTruth,
) -> _Figures:
    every = np.arange(len(examples.scores))
    device = distillation.device
    contributions, explained = explained_by(distillation.explainer, examples, every, device)
    _, choosing = explained_by(distillation.explainer, fit.examples, judgement.some, device)
    threshold = best_accuracy_threshold(choosing, judgement.choosing)
    return _Figures(
        float(entropies(contributions).mean()),
        float(relative_deviations(examples.scores, explained).mean()),
        accuracy(explained, judgement.truth, threshold),
        _errors(fit, contributions, examples.scores, images),
        np.abs(contributions).mean(0),
    )


def _errors(
    fit: AdditiveFit, contributions: np.ndarray, scores: np.ndarray, images: ReportImages
) -> np.ndarray | None:
    if images.without is None or not _measured(images):
        return None
    truth = shares_by_ablation(scores, images.without)
    return part_errors(fit.elements.summed(contributions), truth, scores)


def _measured(images: ReportImages) -> int:
    if images.without is None:
        return 0
    truth = shares_by_ablation(images.rows.all().scores, images.without)
    return int(np.isfinite(truth).all(1).sum())


def _stacked(each: Sequence[_Figures]) -> ExplainerQuality:
    entropy, deviation, right, errors, sizes = zip(*each, strict=True)
    known = [e for e in errors if e is not None]
    return ExplainerQuality(
        np.array(entropy),
        np.array(deviation),
        np.array(right),
        np.stack(known) if known else None,
        np.stack(sizes),
    )


def _alike_note(judgement: _DecisionTruth) -> Iterator[str]:
    if judgement.truth.all() or not judgement.truth.any():
        yield "All images are judged alike: their accuracy says nothing."


def _notes(fit: AdditiveFit, images: ReportImages, judgement: _DecisionTruth) -> Iterator[str]:
    yield from _alike_note(judgement)
    if fit.rows.scope.kind != FILTERS:
        yield "Heads cannot be taken out of the network: no error against ablation."
    elif not _measured(images):
        yield "No image of the class with a positive score: no error against ablation."


def scores_without_each(
    extractor: ScoreExtractor,
    classifier: Classifier,
    data: Iterable[object],
    rows: ScoreStatistics,
    groups: list[list[int]],
) -> Float[np.ndarray, "n p"]:
    """Return every image's score without each group, NaN for images that are no positives.

    Positives are images of the explained class (all, without labels) with a positive score.
    """
    batch = rows.all()
    index = rows.scope.index
    unlabelled = index < 0 or bool((batch.labels == UNLABELLED).any())
    positive = (batch.scores > 0) & (unlabelled | (batch.labels == index))
    at = {key.tobytes(): i for i, key in enumerate(batch.keys)}
    table = np.full((len(batch), len(groups)), np.nan)
    for key, scores in ablated_scores(extractor, classifier, data, groups):
        if positive[at[key]]:
            table[at[key]] = scores
    return table
