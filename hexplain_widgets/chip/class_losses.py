"""What a class loses without each channel, in the mean over images of the class."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from itertools import islice
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset, Subset

from ..data.samples import batches
from ..evidence import Faithfulness
from ..evidence.faithfulness import faithfulness
from ..network.classifier import Classifier
from ..network.probed_image import Gaze
from .importance import Importance

Stop = Callable[[], bool]


def class_agreement(
    gaze: Gaze, importance: Importance, data: Any, target: int, layer: str, *, images: int,
    stopped: Stop,
) -> Faithfulness:  # fmt: skip
    """Return how far a class's importances agree with its logit's mean drops without channels.

    An importance is a weight times the channel's mean activation. Drops are those in the first
    `images` images of the class. Raises ValueError where the data have none, CancelledError where
    `stopped` says yes.
    """
    start = time.perf_counter()
    some = islice(_of_the_class(data, target, gaze.classifier, stopped), images)
    drops = [gaze.at(x).drops(layer, target) for x in some]
    if not drops:
        raise ValueError(
            f"got data without an image of {importance.classes[target]!r}; expected labelled images"
            f" with some of the class (label {target}); pass the data that the Chip was fitted on"
        )
    weighted = importance.weights(layer, [target])[0] * importance.gathered.means(layer)
    seconds = time.perf_counter() - start
    return faithfulness(weighted, np.mean(drops, axis=0), images=len(drops), seconds=seconds)


def _of_the_class(
    data: Any, target: int, classifier: Classifier, stopped: Stop
) -> Iterator[Tensor]:
    for batch in batches(_narrowed(data, target), classifier, size=1):
        if stopped():
            raise CancelledError
        if batch.samples[0].label == target:
            yield batch.x


def _narrowed(data: Any, target: int) -> Any:
    """The images of a class alone, where a data set tells labels without opening images."""
    labels = getattr(data, "targets", None)
    if not isinstance(data, Dataset) or labels is None:
        return data
    return Subset(data, [i for i, label in enumerate(labels) if int(label) == target])
