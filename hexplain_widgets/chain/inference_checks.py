"""What inferences say of channels, held against what a concept really loses without each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from ..evidence import ConceptInference, Faithfulness, InferenceComparison
from ..evidence.faithfulness import faithfulness
from ..network.classifier import Classifier, Prepared, thumbnail
from .harmony import Harmony
from .inference import Stop
from .inferring import Inferrer


def explained_again(
    look: Classifier, inference: ConceptInference, images: Any
) -> tuple[Prepared, ...]:
    """Return the images of an inference as the network sees them: one, or all of a class.

    Raises ValueError where they are others.
    """
    given = list(images) if inference.images else [images]
    count = len(inference.images) or 1
    prepared = tuple(look.prepare(image) for image in given[:count])
    if len(prepared) < count or not np.array_equal(prepared[0].shown, inference.image):
        raise ValueError(
            f"got {len(given)} {'image that is' if len(given) == 1 else 'images that are'} not"
            f" what was explained; expected the {count} of the inference, in the same order; pass"
            " what was passed to explain or explain_class"
        )
    return prepared


def compared_again(look: Classifier, found: InferenceComparison, point: int, image: Any) -> Tensor:
    """Return an image of a comparison as the network takes it; raises ValueError for another."""
    prepared = look.prepare(image)
    shown = found.images[point] if found.images else None
    if shown is not None and not np.array_equal(thumbnail(prepared.shown), shown):
        raise ValueError(
            f"got an image that is not number {point} of those compared; expected the same image;"
            " pass the sets that were passed to compare, in the same order"
        )
    return prepared.x


def compared_faithful(
    inferrer: Inferrer,
    harmony: Harmony,
    found: InferenceComparison,
    x: Tensor,
    point: int,
    stopped: Stop,
) -> Faithfulness:
    """Return how far the inference of a comparison's image agrees with closing each channel.

    Raises ValueError for a comparison that keeps no estimates, CancelledError where `stopped` says
    yes.
    """
    if found.estimates is None:
        raise ValueError(
            "got a comparison without the estimates of its channels; expected one that keeps them;"
            " compare the sets again with chain.compare"
        )
    depth = harmony.depth(found.level)
    number = harmony.number(depth, found.concepts[int(found.sets[point])])
    start = time.perf_counter()
    lost = inferrer.lost(x, number, depth, stopped)
    seconds = time.perf_counter() - start
    return faithfulness(found.estimates[point], lost, seconds=seconds)


def faithful(
    inferrer: Inferrer,
    harmony: Harmony,
    inference: ConceptInference,
    xs: Sequence[Tensor],
    path: tuple[int, ...],
    stopped: Stop,
) -> Faithfulness:
    """Return how far a concept's inference agrees with closing each channel of the next layer.

    `xs` are the images. Of a class both sides are means over those in which the concept was found.
    Raises IndexError for an unknown path, ValueError for a concept that was not inferred further,
    CancelledError where `stopped` says yes.
    """
    concept = inference.node(path)
    if concept.estimates is None:
        raise ValueError(
            f"got the {concept.level} {concept.concept!r}, which was not inferred further; expected"
            " a concept of a level that others follow; choose one above it"
        )
    level = len(path)
    number = harmony.number(level, concept.concept) if path else inference.target.index
    start = time.perf_counter()
    lost = [inferrer.lost(xs[image], number, level, stopped) for image in concept.found_in]
    seconds = time.perf_counter() - start
    mean = np.mean(lost, axis=0)
    return faithfulness(concept.estimates, mean, images=len(lost), seconds=seconds)
