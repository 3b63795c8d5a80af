"""What each concept added to a score, what filters answer to, and how far to trust the sum."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from .base import Evidence, Layer, Prediction, Provenance, as_table, ranking_of

# How the scores of concepts came about: filters of a layer, or heads that read the layer.
FILTERS, HEADS = "filters", "heads"


@dataclass(frozen=True, eq=False)
class Contributions(Evidence):
    """What each concept added to the score of one image (additive explainer, Eq. 1).

    `values[i]` is what `names[i]` added, in units of the score (a logit), `bias` what is added to
    every image, and `unexplained` the rest: the three add up to `score`. An element is a filter or
    a head; `weights[e]` is its alpha and `strengths[e]` its y after division by `scales[e]`, so
    that its contribution is `weights * strengths`, and `owners[e]` is the concept it counts for.
    `elements[e]` is its number in the layer, or among the heads. `maps[i]` shows where in the layer
    a concept's contribution arises: of filters it sums over places to `values[i]`; of heads it is
    alpha times gradient times activation. `kind` is "filters" or "heads"; `deviation` is the mean
    distance of the explainer from the score on held-out images, as a share of the score's range,
    and `span` that range, from the lowest to the highest score, in logits.
    `baseline` is the same image explained by plain distillation, without the prior.
    `attention` is Grad-CAM of the score at the layer, in logits and never below 0 (Selvaraju et al.
    2017, Eq. 2); None where it points at no place, as `attention_note` says, and in older files.
    `drops[i]` is what the score really loses when the filters of `names[i]` are taken out, in its
    own units; None for heads, which cannot be, for very many concepts, and in older files.
    """

    names: tuple[str, ...]
    values: Float[np.ndarray, " n"]
    bias: float
    unexplained: float
    score: float
    target: str
    index: int
    layer: str
    kind: str
    weights: Float[np.ndarray, " e"]
    strengths: Float[np.ndarray, " e"]
    scales: Float[np.ndarray, " e"]
    owners: Int[np.ndarray, " e"]
    elements: tuple[int, ...]
    maps: Float[np.ndarray, "n H W"]
    image: UInt8[np.ndarray, "h w 3"]
    predictions: tuple[Prediction, ...]
    provenance: Provenance
    deviation: float | None = None
    baseline: Contributions | None = None
    notes: tuple[str, ...] = ()
    span: float | None = None
    attention: Float[np.ndarray, "H W"] | None = None
    attention_note: str = ""
    drops: Float[np.ndarray, " n"] | None = None

    @property
    def explained(self) -> float:
        """What the explainer says the score is: the contributions and the bias."""
        return math.fsum([self.bias, *self.values.tolist()])

    @property
    def entropy(self) -> float:
        """The entropy in nats of the absolute contributions of all elements, normalised."""
        sizes = np.abs(self.weights * self.strengths)
        shares = sizes[sizes > 0] / sizes.sum() if sizes.sum() > 0 else sizes[:0]
        return float(-(shares * np.log(shares)).sum())

    def __iter__(self) -> Iterator[tuple[str, float]]:
        """Yield `(name, contribution)`, as they stand."""
        return zip(self.names, self.values.tolist(), strict=True)


@dataclass(frozen=True, eq=False)
class ExplainerQuality(Evidence):
    """How good explainers of several seeds are on one set of images; one entry per seed.

    `entropy` is that of the absolute contributions in nats, `deviation` the relative deviation
    from the score, `accuracy` the share of decisions that agree with the truth, with the threshold
    chosen on held-out images. `part_error[s, i]` is the error of concept `i`'s contribution against
    ablation, as a share of the mean score; None where concepts cannot be taken out. `sizes[s, e]`
    is the mean absolute contribution of each element, in units of the score (Fig. 7); None in older
    files.
    """

    entropy: Float[np.ndarray, " s"]
    deviation: Float[np.ndarray, " s"]
    accuracy: Float[np.ndarray, " s"]
    part_error: Float[np.ndarray, "s n"] | None = None
    sizes: Float[np.ndarray, "s e"] | None = None


@dataclass(frozen=True, eq=False)
class AdditiveReport(Evidence):
    """An additive explainer against plain distillation without the prior (Tables 1-3).

    `performer_accuracy` is the network's own, by a threshold chosen in the same way; `truth` says
    in words what a decision is measured by. `positives` counts the images with part errors.
    """

    names: tuple[str, ...]
    target: str
    layer: str
    seeds: tuple[int, ...]
    ours: ExplainerQuality
    plain: ExplainerQuality
    performer_accuracy: float
    truth: str
    images: int
    positives: int
    provenance: Provenance
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        lines = [f"{self.target} by {len(self.names)} concepts, {self.images} images"]
        lines += [f"{'':<24}{'with the prior':<20}plain distillation"]
        for title, ours, plain in self.rows():
            lines.append(f"{title:<24}{ours:<20}{plain}")
        lines.append(f"accuracy of the network: {self.performer_accuracy:.3f} ({self.truth})")
        return "\n".join([*lines, *self.notes])

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield each figure's name with mean and standard error over seeds, ours and plain."""
        for title, of in _FIGURES.items():
            ours, plain = getattr(self.ours, of), getattr(self.plain, of)
            if ours is not None:
                yield title, _with_error(ours), _with_error(plain)


@dataclass(frozen=True, eq=False)
class ExplainerCapacity(Evidence):
    """How much of a score different numbers of concepts explain, drawn at random (Fig. 8).

    For each of `counts` and each of `seeds`, which draws the concepts, an explainer is fitted:
    `deviation[s, n]` is its mean relative deviation on other images, `accuracy[s, n]` the share of
    them that it judges right; `performer_accuracy` is the network's own, and `truth`
    says what a decision is measured by. `names` are all concepts.
    """

    names: tuple[str, ...]
    target: str
    layer: str
    seeds: tuple[int, ...]
    counts: Int[np.ndarray, " n"]
    deviation: Float[np.ndarray, "s n"]
    accuracy: Float[np.ndarray, "s n"]
    performer_accuracy: float
    truth: str
    images: int
    provenance: Provenance
    notes: tuple[str, ...] = ()

    @property
    def lost(self) -> Float[np.ndarray, "s n"]:
        """By how much the network judges more images right than each explainer."""
        return self.performer_accuracy - self.accuracy

    def __str__(self) -> str:
        rows = [("concepts", "relative deviation", "accuracy lost")]
        rows += [
            (str(count), _with_error(self.deviation[:, n]), _with_error(self.lost[:, n]))
            for n, count in enumerate(self.counts)
        ]
        return as_table(rows)


_FIGURES = {
    "entropy (nats)": "entropy",
    "relative deviation": "deviation",
    "accuracy": "accuracy",
    "error of contributions": "part_error",
}


def _with_error(values: np.ndarray) -> str:
    each = values.reshape(len(values), -1).mean(1)
    if len(each) < 2:
        return f"{each[0]:.3f}"
    return f"{each.mean():.3f} ± {each.std(ddof=1) / math.sqrt(len(each)):.3f}"


@dataclass(frozen=True, eq=False)
class FilterPortrait(Evidence):
    """Where one filter of a layer is strongest: thumbnails of images, and its region in each.

    `images` are square, strongest first; `values` the filter's highest value in each; `masks` where
    it is above its `threshold`, a high quantile over the data set, at the thumbnail's resolution.
    `unclipped` are the values before the layer's upper clip, by which the images are ranked; None
    where nothing is clipped. `tied` says that another image is as strong as the last of these.
    """

    filter: int
    images: UInt8[np.ndarray, "m h w 3"]
    values: Float[np.ndarray, " m"]
    masks: Bool[np.ndarray, "m h w"]
    threshold: float
    unclipped: Float[np.ndarray, " m"] | None = None
    tied: bool = False

    @property
    def ranking(self) -> str:
        """What is to be known of the choice of these images; empty where nothing is."""
        return ranking_of(self.unclipped, self.tied)


@dataclass(frozen=True, eq=False)
class FilterSheet(Evidence):
    """The filters of a layer to be named, with suggestions from labelled parts.

    `iou[k, p]` is the intersection over union of filter `k`'s regions with part `parts[p]`, over
    all labelled images; None without labels. `chance[k]` is the largest of filter `k` after the
    labels were exchanged between images: what co-occurrence alone gives. A part is suggested from
    `least` on. `quantile` is that of the regions' threshold.
    """

    layer: Layer
    portraits: tuple[FilterPortrait, ...]
    quantile: float
    images: int
    provenance: Provenance
    parts: tuple[str, ...] = ()
    iou: Float[np.ndarray, "k p"] | None = None
    chance: Float[np.ndarray, " k"] | None = None
    least: float = 0.04
    notes: tuple[str, ...] = ()

    def suggestions(self) -> Mapping[int, tuple[str, float]]:
        """Return the part with the largest overlap of every filter that reaches `least`."""
        if self.iou is None or not self.parts:
            return {}
        best = self.iou.argmax(1)
        return {
            k: (self.parts[p], float(self.iou[k, p]))
            for k, p in enumerate(best.tolist())
            if self.iou[k, p] >= self.least
        }

    @property
    def by_chance(self) -> float | None:
        """The share of filters that would be given a part after exchanging labels."""
        return None if self.chance is None else float((self.chance >= self.least).mean())
