"""Images with boxes or masks around what they show, brought to what the network sees of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from ..network.classifier import Classifier
from ..network.images import size_of
from ..network.localize import Box, Truth, box_of
from .label_maps import WHOLE, Framing, Size, Window, majority
from .samples import IMAGES, LABELS, Sample, batches

# What dicts call boxes and masks.
TRUTHS = ("boxes", "box", "mask")
_KINDS = (
    "(x0, y0, x1, y1) in the picture's pixels, the end excluded, several of these, or a mask (H, W)"
    " of true and false"
)


@dataclass(frozen=True)
class BoxedImage:
    """A prepared image and where its class is, in pixels of what the network sees, `size` (H, W).

    `boxes` are those that are seen, one around a mask; `mask` is the truth itself where it was one.
    `boxed` says whether there was any truth at all, `cut` whether a part of it is not seen.
    """

    sample: Sample
    place: int
    size: Size
    boxed: bool
    boxes: tuple[Box, ...] = ()
    mask: Bool[np.ndarray, "H W"] | None = None
    cut: bool = False

    @property
    def truths(self) -> tuple[Truth, ...]:
        """What a region is held against: the mask, or each of the boxes."""
        return self.boxes if self.mask is None else (self.mask,)

    @property
    def area(self) -> Bool[np.ndarray, "H W"]:
        """Which pixels belong to the truth."""
        if self.mask is not None:
            return self.mask
        area = np.zeros(self.size, dtype=bool)
        for x0, y0, x1, y1 in self.boxes:
            area[y0:y1, x0:x1] = True
        return area


def boxed_images(data: Any, classifier: Classifier) -> Iterator[BoxedImage]:
    """Yield `(image, label, boxes)` of any data, with boxes where the network sees them.

    Boxes are in pixels of the picture given, of a prepared tensor in the tensor's; they are cut
    where the transform crops. Raises ValueError for boxes that are empty, not finite or outside of
    their image, for masks of another size, and for a transform that turns images; else what
    `batches` raises.
    """
    framing = Framing(classifier)
    waiting: deque[tuple[Any, Any]] = deque()
    for place, batch in enumerate(batches(_singles(data, waiting), classifier, size=1)):
        image, truth = waiting.popleft()
        yield _boxed(batch.samples[0], place, image, truth, framing)


def _singles(data: Any, waiting: deque[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
    """Yield `(image, label)` one by one, and keep each image with its truth aside."""
    for item in data if not isinstance(data, str | bytes | Mapping) else _no_data(data):
        image, label, truth = _parted(item)
        if isinstance(image, Tensor) and image.ndim == 4 and len(image) > 1:
            for i in range(len(image)):
                waiting.append((image[i], None if truth is None else truth[i]))
                yield image[i], None if label is None else label[i]
        else:
            waiting.append((image, truth))
            yield image, label


def _no_data(data: Any) -> Iterator[Any]:
    raise TypeError(
        f"got {type(data).__name__} as data; expected an iterable of (image, label, boxes); pair"
        " them: list(zip(images, labels, boxes))"
    )


def _parted(item: Any) -> tuple[Any, Any, Any]:
    if isinstance(item, Mapping):
        image, label, truth = (_first(item, names) for names in (IMAGES, LABELS, TRUTHS))
    elif isinstance(item, list | tuple) and len(item) in (2, 3):
        image, label, truth = (*item, None)[:3]
    else:
        image = label = truth = None
    if image is None:
        raise ValueError(
            f"got {type(item).__name__} as an item; expected (image, label, boxes); give all three,"
            " None for boxes that are not known"
        )
    return image, label, truth


def _first(item: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((item[name] for name in names if name in item), None)


def _boxed(sample: Sample, place: int, image: Any, truth: Any, framing: Framing) -> BoxedImage:
    seen, whole = (sample.x.shape[2], sample.x.shape[3]), size_of(image)
    known = _known(truth, whole, place)
    if known is None:
        return BoxedImage(sample, place, seen, boxed=False)
    window = WHOLE if isinstance(image, Tensor) else framing.near(whole)
    if known.dtype == bool:
        return _masked(sample, place, seen, known, window)
    boxes, cut = _framed(known, whole, seen, window)
    return BoxedImage(sample, place, seen, boxed=True, boxes=boxes, cut=cut)


def _masked(
    sample: Sample, place: int, seen: Size, truth: Bool[np.ndarray, "_ _"], window: Window
) -> BoxedImage:
    mask = truth if window == WHOLE and truth.shape == seen else _resized(truth, seen, window)
    boxes = (box_of(mask),) if mask.any() else ()
    within = _pixels_of(window, truth.shape)
    cut = bool(truth.sum() > truth[within].sum())
    return BoxedImage(sample, place, seen, boxed=True, boxes=boxes, mask=mask, cut=cut)


def _resized(truth: Bool[np.ndarray, "_ _"], seen: Size, window: Window) -> Bool[np.ndarray, "h w"]:
    return np.asarray(majority([truth.astype(np.int32)], seen, window=window)[0] == 1)


def _pixels_of(window: Window, whole: Size) -> tuple[slice, slice]:
    """Return the rows and columns of a picture that a window shows some of."""
    sides = ((window[1], window[3], whole[0]), (window[0], window[2], whole[1]))
    rows, columns = (_stretch(min(a, b) * n, max(a, b) * n) for a, b, n in sides)
    return rows, columns


def _stretch(low: float, high: float) -> slice:
    return slice(max(0, int(np.floor(low))), max(0, int(np.ceil(high))))


def _framed(
    boxes: Float[np.ndarray, "n 4"], whole: Size, seen: Size, window: Window
) -> tuple[tuple[Box, ...], bool]:
    """Return boxes in whole pixels of what is seen, and whether a part of one is not seen."""
    left, top, right, bottom = window
    scale = np.array([(right - left) * whole[1], (bottom - top) * whole[0]]) / (seen[1], seen[0])
    corners = (boxes.reshape(-1, 2, 2) - (left * whole[1], top * whole[0])) / scale
    low, high = corners.min(1), corners.max(1)
    clipped = [np.rint(side.clip(0, (seen[1], seen[0]))).astype(int) for side in (low, high)]
    inside = (low > -1).all() and (high < (seen[1] + 1, seen[0] + 1)).all()
    framed = np.concatenate(clipped, axis=1)
    some = (clipped[1] > clipped[0]).all(1)
    return tuple((int(a), int(b), int(c), int(d)) for a, b, c, d in framed[some]), not inside


def _known(
    truth: Any, whole: Size, place: int
) -> Float[np.ndarray, "n 4"] | Bool[np.ndarray, "h w"] | None:
    """Return what is known of an image: boxes, a mask, or None for nothing."""
    if truth is None:
        return None
    known = truth.detach().cpu().numpy() if isinstance(truth, Tensor) else _numbers(truth, place)
    if known.size == 0:
        return None
    if known.dtype == bool:
        return _checked_mask(known, whole, place)
    boxes = known.reshape(-1, 4) if known.shape[-1:] == (4,) else None
    if boxes is None or known.ndim > 3 or not np.issubdtype(boxes.dtype, np.number):
        raise ValueError(
            f"got boxes of shape {known.shape} and type {known.dtype} for image {place};"
            f" expected {_KINDS}; write a mask of numbers as mask > 0"
        )
    return _checked_boxes(boxes.astype(np.float64), whole, place)


def _numbers(truth: Any, place: int) -> np.ndarray:
    try:
        return np.asarray(truth)
    except ValueError as error:
        raise ValueError(
            f"got boxes for image {place} that do not have four numbers each; expected {_KINDS};"
            " check how they are read"
        ) from error


def _checked_mask(
    mask: Bool[np.ndarray, " ..."], whole: Size, place: int
) -> Bool[np.ndarray, "h w"] | None:
    if mask.shape != whole:
        raise ValueError(
            f"got a mask of shape {mask.shape} for image {place}, which has {whole} pixels;"
            f" expected {_KINDS}; bring masks to the size of their pictures"
        )
    return mask if mask.any() else None


def _checked_boxes(
    boxes: Float[np.ndarray, "n 4"], whole: Size, place: int
) -> Float[np.ndarray, "n 4"]:
    for box in boxes:
        if fault := _fault(box, whole):
            raise ValueError(
                f"got the box {tuple(box.tolist())} for image {place} of {whole[1]} x {whole[0]}"
                f" pixels, which {fault}; expected {_KINDS}; where boxes are (x, y, width, height)"
                " or count their last pixel, turn them into these"
            )
    return boxes


def _fault(box: Float[np.ndarray, " 4"], whole: Size) -> str | None:
    """Return what is wrong with a box, None where nothing is."""
    x0, y0, x1, y1 = box.tolist()
    if not np.isfinite(box).all():
        return "has NaN or infinite numbers"
    if x1 <= x0 or y1 <= y0:
        return "is empty"
    outside = min(x0, y0) < 0 or x1 > whole[1] or y1 > whole[0]
    return "lies outside of it" if outside else None
