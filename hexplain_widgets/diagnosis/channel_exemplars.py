"""The images of a data set that excite some channels of a layer most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
from jaxtyping import Float32

from ..arguments import share
from ..atlas.maps import Kept, LayerMaps, MapSample, Strongest
from ..data.samples import Batch, batches, length_of, picture_of_sample
from ..evidence import FilterPortrait
from ..fitting.exemplars import printable
from ..fitting.passes import accumulate, batch_size
from ..network.classifier import Classifier
from ..network.probe import Probe

# A channel's region is where it is above this quantile of its values (Net Dissection).
QUANTILE = 0.99
MEMORY = 2**28

Portraits = tuple[tuple[FilterPortrait, ...], tuple[tuple[str, ...], ...]]
Maps = Float32[np.ndarray, "n k h w"]


def exemplars_of(
    model: Any,
    data: Any,
    layer: str,
    channels: Sequence[int],
    *,
    quantile: float = QUANTILE,
    progress: bool = True,
    done: Callable[[int], object] = int,
) -> Portraits:
    """Return the images in which each channel's peak is highest, and the names of their classes.

    `data` is any Dataset, DataLoader or iterable; a name is empty where an image has no label. A
    region is where the channel is above the `quantile` of its values over the data. `done` is told
    how many images were seen. Raises ValueError for data without an image and what data of another
    kind raise.
    """
    classifier = Classifier.of(model)
    gathered = _Gathered(classifier, channels, share("quantile", quantile), done)
    source = batches(data, classifier, size=batch_size(classifier))
    first = next(source, None)
    if first is None:
        raise ValueError(
            "got data without a single image; expected at least one; check the folder or the"
            " filter that made it"
        )
    asker = LayerMaps(Probe(classifier), layer, first.x[:1])
    accumulate(
        chain([first], source), asker.of, gathered.keep, total=length_of(data), progress=progress
    )
    return gathered.portraits(), gathered.labels()


class _Gathered:
    """What is kept of the data: maps of the wanted channels, their strongest images, labels."""

    def __init__(
        self,
        classifier: Classifier,
        channels: Sequence[int],
        quantile: float,
        done: Callable[[int], object],
    ) -> None:
        self._classifier, self._channels, self._quantile = classifier, list(channels), quantile
        self._strongest = Strongest(len(self._channels))
        self._sample = MapSample(MEMORY, 0)
        self._names: dict[bytes, str] = {}
        self._done, self._images = done, 0

    def keep(self, seen: tuple[Batch, Maps]) -> None:
        """Take a batch in."""
        batch, maps = seen
        own = np.ascontiguousarray(maps[:, self._channels])
        self._strongest.add(
            batch, own, lambda i: picture_of_sample(batch.samples[i], self._classifier)
        )
        for sample, each in zip(batch.samples, own, strict=True):
            self._sample.add(sample.key, Kept(each.copy()))
            named = "" if sample.label is None else self._classifier.name(sample.label)
            self._names[printable(sample.key)] = named
        self._images += len(batch)
        self._done(self._images)

    def portraits(self) -> tuple[FilterPortrait, ...]:
        """Return what is seen of every wanted channel; nothing of one that is silent."""
        found = self._strongest.portraits(self._sample.thresholds(self._quantile))
        return tuple(
            replace(portrait, filter=channel)
            for channel, portrait in zip(self._channels, found, strict=True)
        )

    def labels(self) -> tuple[tuple[str, ...], ...]:
        """Return the name of each shown image's class."""
        return tuple(
            tuple(self._names[key] for key in self._strongest.keys(i))
            for i in range(len(self._channels))
        )
