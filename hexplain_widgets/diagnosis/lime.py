"""LIME: which superpixels of an image a class rests on, by a linear fit around the image."""

from __future__ import annotations

from concurrent.futures import CancelledError
from dataclasses import asdict, dataclass
from typing import Any, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn

from ..arguments import SlowBar, Stop, at_least_one, never, one_of, positive
from ..chip.importance import checked_sparsity
from ..chip.statistics import Score
from ..evidence import HeatMap, Provenance
from ..fitting.passes import batch_size
from ..network.classifier import Classifier, PreparedImage
from ..network.gating import drawing, in_batches
from ..provenance import versions
from ..solvers.lasso import Quadratic, lasso
from ..solvers.moments import CONSTANT

COMPACTNESS = 10  # of SLIC: how much nearness counts beside colour
FLAT = "The score does not change, whatever is switched off: there is nothing to explain."


@dataclass(frozen=True)
class Lime:
    """LIME on superpixels (Ribeiro et al. 2016), to be held against other heatmaps.

    The image is parted into about `segments` superpixels (SLIC of scikit-image). Each of `samples`
    images keeps every superpixel with probability 1/2 and shows the others in their mean colour;
    the first is whole. A sparse linear model of which are kept is fitted to the class's `score`,
    each image weighted by `exp(-D² / (2 width²))` with D its cosine distance to the whole one, as
    in the authors' code (Eq. 1, 2). `sparsity` is the penalty as a fraction of the smallest that
    zeroes all weights, which the map shows. What is drawn depends on `seed` and image alone. An
    image costs as many forward passes as there are samples: 1,000 of MobileNetV2 at 225 pixels take
    50 s of a core. Raises ValueError for settings out of range.
    """

    samples: int = 1000
    segments: int = 60
    width: float = 0.25
    sparsity: float = 0.003
    score: str = "probability"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.samples < 2:
            raise ValueError(
                f"got samples={self.samples}; expected 2 or more: the first is the whole image,"
                " from which nothing is learned alone; leave it out for 1000"
            )
        at_least_one("segments", self.segments)
        positive("width", self.width)
        checked_sparsity(self.sparsity)
        one_of("score", self.score, get_args(Score))

    def explain(
        self,
        model: nn.Module | Classifier,
        image: Any,
        target: int | str | None = None,
        *,
        stopped: Stop | None = None,
    ) -> HeatMap:
        """Return the weight of the superpixel that each pixel belongs to, signed, at image size.

        In `score` gained by switching it on. `target` is a class (default: what the image is
        named). Raises ModuleNotFoundError without scikit-image, CancelledError once `stopped` says
        yes, and what a Classifier raises.
        """
        classifier = Classifier.of(model)
        prepared = classifier.prepare(image)
        logits = classifier.logits(prepared.x)[0]
        index = int(logits.argmax()) if target is None else classifier.index_of(target, len(logits))
        parts = superpixels(prepared.shown, self.segments)
        kept = self._kept(prepared, int(parts.max()) + 1)
        scores = self._scores(classifier, prepared, parts, kept, index, stopped or never)
        weights, explained = local_weights(kept, scores, self.width, self.sparsity)
        return HeatMap(
            values=weights[parts],
            layer="",
            target=classifier.name(index),
            method="LIME",
            image=prepared.shown,
            provenance=self._provenance(classifier, index, len(weights)),
            index=index,
            notes=(*classifier.score_notes, *prepared.notes, self._note(len(weights), explained)),
        )

    def _kept(self, prepared: PreparedImage, count: int) -> Bool[np.ndarray, "n s"]:
        """Return which superpixels each image keeps."""
        draw = drawing(prepared.shown.tobytes(), "LIME", self.seed)
        kept = draw.random((self.samples, count)) < 0.5
        kept[0] = True
        return kept

    def _scores(
        self,
        classifier: Classifier,
        prepared: PreparedImage,
        parts: Int[np.ndarray, "h w"],
        kept: Bool[np.ndarray, "n s"],
        index: int,
        stopped: Stop,
    ) -> Float[np.ndarray, " n"]:
        x, places = prepared.x, torch.from_numpy(parts).to(prepared.x.device)
        ground, on = mean_colours(x, places), torch.from_numpy(kept).to(x.device)

        def run(some: slice) -> Tensor:
            if stopped():
                raise CancelledError
            masks = on[some][:, places][:, None]
            logits = classifier.logits(torch.where(masks, x, ground)).cpu().double()
            counted.update(len(masks))
            return self._score(classifier, logits)[:, index]

        with SlowBar("LIME: superpixels switched off", len(kept)) as counted:
            return in_batches(run, len(kept), batch_size(classifier)).numpy()

    def _score(self, classifier: Classifier, logits: Float[Tensor, "n c"]) -> Float[Tensor, "n c"]:
        if self.score == "logit":
            return logits
        if self.score == "probability":
            return classifier.probabilities(logits)
        return classifier.log_probabilities(logits)

    def _note(self, count: int, explained: float | None) -> str:
        if explained is None:
            return FLAT
        return (
            f"LIME: {count} superpixels, {self.samples} images with about half of them switched"
            f" off; the linear fit explains {explained:.0%} of what the {self.score} varies by."
        )

    def _provenance(self, classifier: Classifier, index: int, count: int) -> Provenance:
        settings = {name: value for name, value in asdict(self).items() if name != "seed"}
        return Provenance(
            method="LIME",
            model=type(classifier.model).__name__,
            target=classifier.name(index),
            settings={**settings, "superpixels": count},
            seed=self.seed,
            versions=versions(),
        )


def superpixels(image: UInt8[np.ndarray, "h w 3"], count: int) -> Int[np.ndarray, "h w"]:
    """Return the superpixel of each pixel, numbered from 0; about `count` of them by SLIC.

    Raises ModuleNotFoundError without scikit-image.
    """
    parts = segmentation().slic(
        image, n_segments=count, compactness=COMPACTNESS, start_label=0, channel_axis=-1
    )
    numbered = np.unique(parts, return_inverse=True)[1]
    return numbered.reshape(parts.shape).astype(np.int64)


def segmentation() -> Any:
    """Return scikit-image's module of superpixels; raises ModuleNotFoundError where it is not."""
    try:
        import skimage.segmentation
    except ModuleNotFoundError as cause:
        raise ModuleNotFoundError(
            "LIME takes the superpixels of scikit-image, which is not installed; expected it beside"
            " this package; pip install 'hexplain_widgets[compare]', or leave LIME out"
        ) from cause
    return skimage.segmentation


def mean_colours(
    x: Float[Tensor, "1 c h w"], parts: Int[Tensor, "h w"]
) -> Float[Tensor, "1 c h w"]:
    """Return an image in which every superpixel has its mean colour."""
    flat, places = x[0].flatten(1).float(), parts.flatten()
    sums = flat.new_zeros(len(flat), int(places.max()) + 1).index_add_(1, places, flat)
    means = sums / places.bincount()
    return means[:, places].reshape(x.shape).to(x.dtype)


def local_weights(
    kept: Bool[np.ndarray, "n s"],
    scores: Float[np.ndarray, " n"],
    width: float,
    sparsity: float,
) -> tuple[Float[np.ndarray, " s"], float | None]:
    """Return the weights of the sparse linear model of scores near the whole image (Eq. 1, 2).

    And how much of the weighted variance it explains, None where there is none.
    """
    near = nearness(kept, width)
    share = near / near.sum()
    z, g = kept - share @ kept, scores - share @ scores
    power = float(share @ g**2)
    if power <= CONSTANT * float(share @ scores**2):
        return np.zeros(kept.shape[1]), None
    gram, linear = z.T @ (share[:, None] * z), z.T @ (share * g)
    problem = Quadratic(gram[None], linear[None], np.array([power]))
    weights = lasso(problem, sparsity).weights[0]
    left = power - 2 * linear @ weights + weights @ gram @ weights
    return weights, 1 - float(left) / power


def nearness(kept: Bool[np.ndarray, "n s"], width: float) -> Float[np.ndarray, " n"]:
    """Return the exponential kernel of images' cosine distance to the whole one.

    Of which of `s` superpixels are kept, m of them: the cosine is the root of m / s.
    """
    distance = 1 - np.sqrt(kept.mean(axis=1))
    return np.exp(-(distance**2) / (2 * width**2))
