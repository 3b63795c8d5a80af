"""The user's data, read once in batches: datasets, loaders and any iterable of images."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.utils.data import (
    DataLoader,
    RandomSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

from ..network.classifier import Classifier, PreparedImage
from ..network.guest import OwnRandomness

_RANDOM = (RandomSampler, SubsetRandomSampler, WeightedRandomSampler)
# What dicts call images and labels.
IMAGES = ("image", "pixel_values", "img", "images", "x")
LABELS = ("label", "labels", "target", "targets", "y")
_KINDS = "a Dataset, a DataLoader or an iterable of images or of (image, label)"


@dataclass(frozen=True)
class Sample:
    """One prepared image: `x` on the CPU, its label if it has one, and whether `x` was given.

    The label is a class, or all classes of an image that was said to show several or none. `item`
    is the labelled image that it was made of, where the data are a concept set; `notes` say what
    is unusual about the picture.
    """

    x: Float[Tensor, "1 c h w"]
    label: int | tuple[int, ...] | None
    given: bool
    item: Any = None
    notes: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[int, ...] | None:
        """All classes that the image is labelled with, None without a label."""
        return (self.label,) if isinstance(self.label, int) else self.label

    def label_for(self, index: int) -> int | None:
        """Return the label beside a class: that class if it is among several, else the first."""
        if not self.labels:
            return None
        return index if index in self.labels else self.labels[0]

    @property
    def key(self) -> bytes:
        """What identifies the image: a hash of its size and its prepared pixels."""
        pixels = self.x.to(torch.float32).contiguous().numpy()
        digest = hashlib.blake2b(str(pixels.shape).encode(), digest_size=16)
        digest.update(pixels.data)
        return digest.digest()


@dataclass(frozen=True)
class Batch:
    """Images of one size, in the order of the data; `x` is on the network's device."""

    x: Float[Tensor, "n c h w"]
    samples: tuple[Sample, ...]

    def __len__(self) -> int:
        return len(self.samples)

    def halves(self) -> tuple[Batch, Batch]:
        """Return the first and the second half of at least two images."""
        at = len(self) // 2
        return Batch(self.x[:at], self.samples[:at]), Batch(self.x[at:], self.samples[at:])


def batches(data: Any, classifier: Classifier, *, size: int, skip: int = 0) -> Iterator[Batch]:
    """Yield the data in batches of at most `size` images of one size, in order.

    The first `skip` images are passed over. Raises TypeError for what cannot be iterated,
    ValueError for labels and images that are none; the random state stays as it was.
    """
    samples = islice(_samples(data, classifier), skip, None)
    waiting: list[Sample] = []
    for sample in samples:
        if waiting and (len(waiting) == size or sample.x.shape != waiting[0].x.shape):
            yield _batch(waiting, classifier)
            waiting = []
        waiting.append(sample)
    if waiting:
        yield _batch(waiting, classifier)


def _batch(samples: Sequence[Sample], classifier: Classifier) -> Batch:
    x = torch.cat([s.x for s in samples])
    return Batch(x.to(classifier.device, classifier.dtype), tuple(samples))


def length_of(data: Any) -> int | None:
    """Return how many images the data holds, None where it does not say."""
    if isinstance(data, DataLoader):
        return length_of(data.dataset)
    if isinstance(data, Tensor):
        return len(data)
    return len(data) if isinstance(data, Sized) else None


def is_shuffled(data: Any) -> bool:
    """Whether the data come in another order every time, so that none can be passed over."""
    if not isinstance(data, DataLoader):
        return False
    samplers = (data.sampler, getattr(data.batch_sampler, "sampler", None))
    return any(isinstance(s, _RANDOM) for s in samplers)


def _samples(data: Any, classifier: Classifier) -> Iterator[Sample]:
    for item in _quietly(data):
        if hasattr(item, "image") and hasattr(item, "masks"):
            yield replace(_one(item.image, None, classifier), item=item)
            continue
        image, label = _parted(item)
        if isinstance(image, Tensor) and image.ndim == 4:
            yield from _several(image, label, classifier)
        else:
            yield _one(image, label, classifier)


def _several(images: Tensor, labels: Any, classifier: Classifier) -> Iterator[Sample]:
    each = _labels_of(labels, len(images))
    if len(each) != len(images):
        raise ValueError(
            f"got {len(images)} images with {len(each)} labels in one batch; expected a label for"
            " each; check the loader's collate function"
        )
    for image, label in zip(images, each, strict=True):
        yield _one(image, label, classifier)


def _labels_of(labels: Any, images: int) -> list[Any]:
    """Return a label for each image of a batch; one that is not of each is of a single image."""
    if labels is None:
        return [None] * images
    single = isinstance(labels, str) or not np.ndim(labels)
    if single or (images == 1 and len(labels) != 1):
        return [labels]
    return list(labels)


def _one(image: Any, label: Any, classifier: Classifier) -> Sample:
    x, notes = classifier.noted(image)
    given = isinstance(image, Tensor)
    return Sample(x.detach().cpu(), _label(label, classifier), given, notes=notes)


def picture_of_sample(sample: Sample, classifier: Classifier) -> UInt8[np.ndarray, "h w 3"]:
    """Return a sample as it looks to a person."""
    return classifier.shown(sample.x, given=sample.given)


def prepared_of(batch: Batch, classifier: Classifier) -> PreparedImage:
    """Return a batch of one image as the network takes it and as it looks."""
    (sample,) = batch.samples
    return PreparedImage(batch.x, picture_of_sample(sample, classifier), sample.notes)


def _parted(item: Any) -> tuple[Any, Any]:
    if isinstance(item, Mapping):
        return _by_name(item)
    if isinstance(item, list | tuple):
        if not item:
            raise ValueError(f"got an empty {type(item).__name__} as an item; expected {_KINDS}")
        return item[0], item[1] if len(item) > 1 else None
    return item, None


def _by_name(item: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return image and label of a dict, as data sets of Hugging Face give them."""
    image, label = (next((n for n in names if n in item), None) for names in (IMAGES, LABELS))
    if image is None:
        raise TypeError(
            f"got a dict of {', '.join(map(repr, item))} as an item; expected an image under one of"
            f" {', '.join(map(repr, IMAGES))}; give (image, label) instead"
        )
    return item[image], None if label is None else item[label]


def _label(label: Any, classifier: Classifier) -> int | tuple[int, ...] | None:
    if label is None:
        return None
    if isinstance(label, str):
        return classifier.index_of(label, len(classifier.classes or ()))
    several = _named(label, classifier) or _multi_hot(label, classifier)
    if several is not None:
        classifier.several_labels |= len(several) > 1
        return several
    try:
        return operator.index(_whole(label))
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(_no_label(label)) from error


def _named(label: Any, classifier: Classifier) -> tuple[int, ...] | None:
    """Return the classes of a list of names, None for anything else."""
    names = list(label) if isinstance(label, list | tuple | set | frozenset) else []
    if not names or not all(isinstance(name, str) for name in names):
        return None
    return tuple(sorted(classifier.index_of(n, len(classifier.classes or ())) for n in names))


def _multi_hot(label: Any, classifier: Classifier) -> tuple[int, ...] | None:
    """Return the classes of a row of zeros and ones, one for each class; None for anything else.

    Raises ValueError for a row of another length than the classes.
    """
    if not isinstance(label, Tensor | np.ndarray | list | tuple):
        return None
    row = label.cpu().numpy() if isinstance(label, Tensor) else np.asarray(label)
    if row.ndim != 1 or len(row) < 2 or not np.isin(row, (0, 1)).all():
        return None
    classes = classifier.class_count
    if classes is not None and len(row) != classes:
        raise ValueError(
            f"got a label of {len(row)} zeros and ones; expected {classes}, one for each class;"
            " give the rows that the network was trained with, or leave labels out"
        )
    return tuple(np.flatnonzero(row).tolist())


def _whole(label: Any) -> Any:
    """Return a whole number as an int, whatever its type; anything else as it is."""
    single = isinstance(label, Tensor | np.ndarray) and np.prod(label.shape) == 1
    number = label.item() if single else label
    whole = isinstance(number, float | np.floating) and float(number).is_integer()
    return int(number) if whole else label


def _no_label(label: Any) -> str:
    return (
        f"got the label {str(label)[:60]!r} ({type(label).__name__}); expected a class index, a"
        " class name, a row of zeros and ones or None; give (image, label), or the images alone"
    )


def _quietly(data: Any) -> Iterator[Any]:
    """Yield the items of the data; what they draw at random is not taken from the global state."""
    apart = OwnRandomness()
    with apart.drawing():
        items = _iterator(data)
    while True:
        with apart.drawing():
            try:
                item = next(items)
            except StopIteration:
                return
        yield item


def _iterator(data: Any) -> Iterator[Any]:
    if isinstance(data, str | bytes):
        raise TypeError(f"got the text {data!r:.60} as data; expected {_KINDS}; open it first")
    if isinstance(data, Mapping):
        raise TypeError(
            f"got a dict of {', '.join(map(repr, data))} as data; expected {_KINDS}; choose a split"
            " of it, or pair its arrays: list(zip(images, labels))"
        )
    if isinstance(data, Iterable):
        return iter(data)
    if hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        return (data[i] for i in range(len(data)))
    raise TypeError(f"got {type(data).__name__} as data; expected {_KINDS}; wrap it in a list")
