"""Insertion and deletion: what becomes of a class as pixels go or come in a map's order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy import ndimage
from torch import Tensor, nn

from ..arguments import SlowBar, at_least_one, one_of
from ..evidence import HeatMap, PixelCurves, Provenance
from ..network.classifier import Classifier
from ..network.gating import drawing, in_batches
from ..network.localize import ROUNDING, checked, upsampled
from ..provenance import versions

TOGETHER = 16
# Standard deviation of the blur, as a share of the image's shorter side: what is smaller is gone.
BLUR = 0.05
GROUNDS = ("mean", "blur", "black")


@dataclass(frozen=True)
class _OrderCurves:
    """The two curves of one order of the pixels."""

    deletion: Float[np.ndarray, " s"]
    insertion: Float[np.ndarray, " s"]


def insertion_deletion(
    model: nn.Module | Classifier,
    image: Any,
    heat: HeatMap | Float[np.ndarray, "h w"],
    target: int | str | None = None,
    *,
    steps: int = 50,
    deleted_to: str = "mean",
    inserted_into: str = "blur",
    draws: int = 3,
    seed: int = 0,
) -> PixelCurves:
    """Return a class's probability as an image's pixels are deleted or inserted in a map's order.

    `heat` is any engine's HeatMap or an array `(h, w)`, brought to the image's size; the strongest
    pixels come first, of equal ones any (drawn from `seed`). In `steps` equal steps they are set to
    "mean" (the image's mean colour), "blur" or "black", and taken back from `inserted_into` into
    the image (RISE, Petsiuk et al. 2018: deletion to a constant, insertion into a blurred image).
    `target` is a class (default: the map's, or else the class that the image is named). `draws`
    random orders are the control. Areas are by trapezoids over the share of pixels. Raises
    ValueError for a map that is flat or not finite and for settings out of range, and what a
    Classifier raises.
    """
    classifier = Classifier.of(model)
    prepared = classifier.prepare(image)
    x = prepared.x
    index = _index(classifier, x, heat, target)
    key = _key(x)
    order = _order(_values(heat), (x.shape[2], x.shape[3]), drawing(key, "ties", seed))
    removal = _PixelRemoval(
        classifier, x, index, at_least_one("steps", steps), deleted_to, inserted_into
    )
    chance = drawing(key, "random order", seed)
    shuffled = [chance.permutation(len(order)) for _ in range(at_least_one("draws", draws))]
    own, *others = removal.of_each([order, *shuffled])
    curves = _evidence(heat, classifier, removal, own, others, seed)
    said = heat.notes if isinstance(heat, HeatMap) else ()
    notes = dict.fromkeys((*classifier.notes, *prepared.notes, *said))
    return replace(curves, notes=tuple(notes))


def _evidence(
    heat: Any,
    classifier: Classifier,
    removal: _PixelRemoval,
    own: _OrderCurves,
    others: Sequence[_OrderCurves],
    seed: int,
) -> PixelCurves:
    deletion = np.mean([one.deletion for one in others], axis=0)
    insertion = np.mean([one.insertion for one in others], axis=0)
    curves = (own.deletion, own.insertion, deletion, insertion)
    areas = [float(np.trapezoid(one, removal.shares)) for one in curves]
    known = isinstance(heat, HeatMap)
    return PixelCurves(
        target=classifier.name(removal.index),
        method=heat.method if known else "a map",
        layer=heat.layer if known else "",
        shares=removal.shares,
        deletion=own.deletion,
        insertion=own.insertion,
        deletion_area=areas[0],
        insertion_area=areas[1],
        random_deletion=deletion,
        random_insertion=insertion,
        random_deletion_area=areas[2],
        random_insertion_area=areas[3],
        provenance=_provenance(classifier, removal, seed),
        index=removal.index,
    )


def _key(x: Tensor) -> bytes:
    """Return what identifies a prepared image, for what is drawn for it."""
    return x.detach().float().cpu().contiguous().numpy().tobytes()


def _index(classifier: Classifier, x: Tensor, heat: Any, target: int | str | None) -> int:
    logits = classifier.logits(x)[0]
    chosen = heat.index if target is None and isinstance(heat, HeatMap) else target
    return int(logits.argmax()) if chosen is None else classifier.index_of(chosen, len(logits))


def _values(heat: Any) -> Float[np.ndarray, "h w"]:
    values = np.asarray(heat.values if isinstance(heat, HeatMap) else heat, dtype=np.float64)
    checked(values)
    low, high = float(values.min()), float(values.max())
    if high - low <= ROUNDING * max(abs(high), abs(low)):
        raise ValueError(
            "got a map that is flat, in whose order no pixel comes first; expected one with"
            " different values; explain another class or layer, see the map's notes"
        )
    return values


def _order(
    values: Float[np.ndarray, "h w"], size: tuple[int, int], draw: np.random.Generator
) -> Int[np.ndarray, " p"]:
    """Return the pixels from the strongest to the weakest, equal ones in any order."""
    flat = upsampled(values, size).ravel()
    return np.asarray(np.lexsort((draw.random(len(flat)), -flat)), dtype=np.int64)


class _PixelRemoval:
    """Takes pixels out of an image and puts them in, and asks for one class."""

    def __init__(
        self,
        classifier: Classifier,
        x: Float[Tensor, "1 c h w"],
        index: int,
        steps: int,
        deleted_to: str,
        inserted_into: str,
    ) -> None:
        self._classifier, self._x, self.index = classifier, x, index
        self.grounds = {
            "deleted_to": one_of("deleted_to", deleted_to, GROUNDS),
            "inserted_into": one_of("inserted_into", inserted_into, GROUNDS),
        }
        self._without, self._into = (_ground(classifier, x, name) for name in self.grounds.values())
        pixels = x.shape[2] * x.shape[3]
        self._counts = np.linspace(0, pixels, min(steps, pixels) + 1).round().astype(np.int64)

    @property
    def shares(self) -> Float[np.ndarray, " s"]:
        """Which shares of the pixels have gone or come."""
        return self._counts / self._counts[-1]

    def of_each(self, orders: Sequence[Int[np.ndarray, " p"]]) -> list[_OrderCurves]:
        """Return both curves of each order of the pixels; a bar counts orders, of what is slow."""
        curves = []
        with SlowBar("insertion and deletion", len(orders), "order") as counted:
            for order in orders:
                curves.append(self.of(order))
                counted.update()
        return curves

    def of(self, order: Int[np.ndarray, " p"]) -> _OrderCurves:
        """Return both curves of an order of the pixels."""
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        strong = torch.from_numpy(rank[None] < self._counts[:, None]).to(self._x.device)
        masks = strong.view(len(self._counts), 1, *self._x.shape[2:])
        return _OrderCurves(
            self._probabilities(masks, self._without, self._x),
            self._probabilities(masks, self._x, self._into),
        )

    def _probabilities(
        self, masks: Bool[Tensor, "s 1 h w"], inside: Tensor, outside: Tensor
    ) -> Float[np.ndarray, " s"]:
        def run(some: slice) -> Tensor:
            return self._classifier.logits(torch.where(masks[some], inside, outside))

        logits = in_batches(run, len(masks), TOGETHER).double()
        return self._classifier.probabilities(logits)[:, self.index].cpu().numpy()


def _ground(classifier: Classifier, x: Float[Tensor, "1 c h w"], name: str) -> Tensor:
    """Return what an image is without its pixels: its mean colour, a blur of itself, or black."""
    if name == "mean":
        return x.mean((2, 3), keepdim=True).expand_as(x)
    if name == "black":
        return classifier.extent(x)[0].expand_as(x)
    sigma = BLUR * min(x.shape[2:])
    blurred = ndimage.gaussian_filter(
        x.detach().double().cpu().numpy(), (0, 0, sigma, sigma), mode="nearest"
    )
    return torch.from_numpy(blurred).to(x)


def _provenance(classifier: Classifier, removal: _PixelRemoval, seed: int) -> Provenance:
    return Provenance(
        method="insertion and deletion",
        model=type(classifier.model).__name__,
        target=classifier.name(removal.index),
        settings={"steps": len(removal.shares) - 1, **removal.grounds},
        seed=seed,
        versions=versions(),
    )
