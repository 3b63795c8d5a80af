"""From a heatmap to the region it points at, its box, and how well both agree with the truth.

Boxes are `(x0, y0, x1, y1)` in pixels, the end excluded. A map that is flat or nowhere positive
points at nothing: its region is empty, its box `(0, 0, 0, 0)`, and `note_on` says why.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from ..arguments import check_finite
from ..evidence import HeatMap, Localization
from ..evidence.localization import OVERLAP as OVERLAP

Box = tuple[int, int, int, int]
Truth = Box | Bool[np.ndarray, "H W"]

# Fractions of a map's maximum that are tried on a calibration set.
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
# Two values of a flat map differ by rounding only: by less than this share of the largest.
ROUNDING = 1e-6

# Cells that touch at a corner belong together; the planes of a stack do not.
_TOUCHING = np.stack([np.zeros((3, 3)), np.ones((3, 3)), np.zeros((3, 3))])


def upsampled(values: Float[np.ndarray, "h w"], size: tuple[int, int]) -> Float[np.ndarray, "H W"]:
    """Return a map at another size `(H, W)`, bilinear between half-pixel centres.

    Cell `i` of `h` is centred on `(i + 0.5) * H / h`; beyond the outermost centres the map goes on
    flat. This is `torch.nn.functional.interpolate(mode="bilinear", align_corners=False)`, and
    turns a map smaller by picking, without averaging.
    """
    checked(values)
    rows, columns = (_weights(n, m) for n, m in zip(values.shape, size, strict=True))
    return rows @ values @ columns.T


def _weights(cells: int, pixels: int) -> Float[np.ndarray, "pixels cells"]:
    centres = (np.arange(pixels) + 0.5) * cells / pixels - 0.5
    at = centres.clip(0, cells - 1)
    low = np.minimum(np.floor(at).astype(int), max(cells - 2, 0))
    weights = np.zeros((pixels, cells))
    each = np.arange(pixels)
    weights[each, low] = 1 - (at - low)
    weights[each, np.minimum(low + 1, cells - 1)] += at - low
    return weights


def checked(values: Float[np.ndarray, "h w"]) -> None:
    """Raise ValueError for a map that is empty, not `(h, w)`, or not finite."""
    if values.ndim != 2 or 0 in values.shape:
        raise ValueError(
            f"got a map of shape {values.shape}; expected (h, w) with at least one cell; pass one"
            " map at a time, as HeatMap.values"
        )
    check_finite(
        "got a map with",
        values,
        remedy="look for the layer that gives them with hx.layers and run the network in float32",
    )


def note_on(values: Float[np.ndarray, "h w"]) -> str | None:
    """Return in words why a map points at no region; None where it points at one."""
    checked(values)
    high, low = float(values.max()), float(values.min())
    if high <= 0:
        return "The map is nowhere positive: nothing in the image speaks for the target."
    if high - low <= ROUNDING * max(high, -low):
        return "The map is flat: it does not say where in the image the target is."
    return None


def region(values: Float[np.ndarray, "h w"], threshold: float) -> Bool[np.ndarray, "h w"]:
    """Return the largest connected part of a map at or above `threshold` times its maximum.

    Cells that touch at a corner are connected; of parts of one size the first in reading order
    counts. Empty where `note_on` has something to say. Raises ValueError for a threshold outside
    0 < t <= 1 and for a map that is not finite.
    """
    return regions(values, (threshold,))[0]


def regions(
    values: Float[np.ndarray, "h w"], thresholds: Sequence[float]
) -> Bool[np.ndarray, "t h w"]:
    """Return `region` at each of several thresholds, labelled in one go."""
    for threshold in thresholds:
        _check_threshold(threshold)
    if note_on(values) is not None:
        return np.zeros((len(thresholds), *values.shape), dtype=bool)
    levels = np.asarray(thresholds)[:, None, None] * values.max()
    labels, count = ndimage.label(values >= levels, _TOUCHING)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    planes = labels.reshape(len(labels), -1)
    # labels count upwards in reading order, and argmax takes the first of equals
    present = np.zeros((len(labels), count + 1), dtype=bool)
    present[np.arange(len(labels))[:, None], planes] = True
    largest = np.where(present, sizes, 0).argmax(axis=1)
    return labels == largest[:, None, None]


def _check_threshold(threshold: float) -> None:
    if not 0 < threshold <= 1:
        raise ValueError(
            f"got the threshold {threshold}; expected a fraction of the map's maximum, above 0 and"
            " at most 1; leave it out for the default"
        )


def box_of(mask: Bool[np.ndarray, "h w"]) -> Box:
    """Return the smallest box around a mask; `(0, 0, 0, 0)` around an empty one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def box_iou(one: Box, other: Box) -> float:
    """Return the intersection over union of two boxes (CHIP, Eq. 17); 0 where both are empty."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    return _ratio(shared, _area(one) + _area(other) - shared)


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def mask_iou(one: Bool[np.ndarray, "h w"], other: Bool[np.ndarray, "h w"]) -> float:
    """Return the intersection over union of two masks of one size; 0 where both are empty.

    Raises ValueError for masks of different sizes.
    """
    if one.shape != other.shape:
        raise ValueError(
            f"got masks of {one.shape} and {other.shape}; expected one size; bring the truth to the"
            " size of what the network saw"
        )
    return _ratio(int((one & other).sum()), int((one | other).sum()))


def agreement(mask: Bool[np.ndarray, "H W"], truth: Truth) -> float:
    """Return the IoU of a region with its truth: of its box with a box, of itself with a mask."""
    if isinstance(truth, np.ndarray):
        return mask_iou(mask, truth)
    return box_iou(box_of(mask), truth)


def best_agreement(mask: Bool[np.ndarray, "H W"], truths: Sequence[Truth]) -> float:
    """Return the IoU of a region with that of several truths which it agrees with best."""
    return max((agreement(mask, truth) for truth in truths), default=0.0)


def heat_region(
    heat: HeatMap,
    values: Float[np.ndarray, "h w"],
    size: tuple[int, int],
    threshold: float,
    truth: Truth | None,
) -> Localization:
    """Return the region that a heatmap's `values` point at, at the image's `size` `(H, W)`.

    With its IoU where the truth is known. Raises ValueError for a map that is not finite, and for a
    true box that is empty or lies outside of the image.
    """
    _check_inside(truth, size)
    mask = region(upsampled(values, size), threshold)
    note = note_on(values)
    return Localization(
        mask=mask,
        box=box_of(mask),
        threshold=threshold,
        target=heat.target,
        layer=heat.layer,
        image=heat.image,
        provenance=heat.provenance,
        iou=None if truth is None else agreement(mask, truth),
        notes=heat.notes + ((note,) if note else ()),
        truth=_box_of_truth(truth),
        truth_mask=truth if isinstance(truth, np.ndarray) else None,
        rivals=heat.rivals or (),
    )


def _check_inside(truth: Truth | None, size: tuple[int, int]) -> None:
    if truth is None or isinstance(truth, np.ndarray):
        return
    x0, y0, x1, y1 = truth
    if not (0 <= x0 < x1 <= size[1] and 0 <= y0 < y1 <= size[0]):
        raise ValueError(
            f"got the true box {tuple(truth)} for an image that the network saw with {size[1]} x"
            f" {size[0]} pixels; expected (x0, y0, x1, y1) in these, the end excluded; bring boxes"
            " along where the transform resizes and crops, as hx.measure_localization does"
        )


def _box_of_truth(truth: Truth | None) -> Box | None:
    """Return the truth's box in plain numbers; that around a mask."""
    if truth is None:
        return None
    if isinstance(truth, np.ndarray):
        return box_of(truth)
    x0, y0, x1, y1 = map(int, truth)
    return x0, y0, x1, y1


def ious_by_threshold(
    values: Float[np.ndarray, "h w"],
    truth: Truth,
    size: tuple[int, int],
    thresholds: Sequence[float] = THRESHOLDS,
) -> Float[np.ndarray, " t"]:
    """Return the agreement of a map's region with the truth at each threshold, at `size` (H, W)."""
    masks = regions(upsampled(values, size), thresholds)
    return np.array([agreement(mask, truth) for mask in masks])


def best_threshold(
    maps: Sequence[Float[np.ndarray, "h w"]],
    truths: Sequence[Truth],
    size: tuple[int, int],
    thresholds: Sequence[float] = THRESHOLDS,
) -> float:
    """Return the threshold whose regions agree best with the truths of a calibration set.

    A grid search (CHIP, sec. IV-C) over fractions of each map's maximum, 0.05, 0.10 … 0.95 unless
    others are given: most maps with an IoU above one half, then the highest mean IoU, then the
    first. Maps are taken at `size` (H, W), where boxes or masks of the truth live.
    Raises ValueError where maps and truths are not as many, or none.
    """
    if not len(maps) or len(maps) != len(truths):
        raise ValueError(
            f"got {len(maps)} maps and {len(truths)} truths; expected one truth for each of at"
            " least one map; pair them before the search"
        )
    ious = np.stack(
        [ious_by_threshold(m, t, size, thresholds) for m, t in zip(maps, truths, strict=True)]
    )
    return float(thresholds[best_column(ious)])


def best_column(ious: Float[np.ndarray, "n t"]) -> int:
    """Return the threshold at which most of `n` maps have an IoU above one half.

    Of several as good the one of the highest mean IoU, then the first.
    """
    scores = list(zip((ious > OVERLAP).mean(0), ious.mean(0), strict=True))
    return max(range(len(scores)), key=scores.__getitem__)
