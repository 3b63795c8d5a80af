"""Wrong decisions: which channels of the deepest stage speak for the wrong class (Fig. 11).

Images of a data set that excite these channels most, and what is named with regions covered.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from ..arguments import at_least_one, one_of, share
from ..atlas.maps import FilterMaps, MapExtractor, MapSample, SampledImage, StrongestImages
from ..data.samples import batches, length_of, picture_of_sample
from ..evidence import (
    Decomposition,
    Failure,
    FilterPortrait,
    Layer,
    Occlusion,
    Prediction,
    Provenance,
)
from ..fitting.exemplars import printable
from ..fitting.passes import accumulate, batch_size
from ..network.ablation import ChannelAblation
from ..network.classifier import Classifier
from ..network.guest import visiting
from ..network.probe import Probe
from ..network.segments import Unit
from ..provenance import versions
from .surrogates import masked_logits

# A channel's region is where it is above this quantile of its values (Net Dissection).
QUANTILE = 0.99
MEMORY = 2**28
Portraits = tuple[tuple[FilterPortrait, ...], tuple[tuple[str, ...], ...]]
# Regions are given on so many rows and columns over the image.
GRID = 56
# A blur this wide, as a share of the image's smaller side, leaves no part to be told.
BLUR = 1 / 12
METHOD = "failure analysis (Fig. 11)"
TOP = 8


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

    Where the layer clips its values from above, peaks are compared before the clip; of equal ones
    the mean over the map decides, and where images are still equal the portrait says so.
    `data` is any Dataset, DataLoader or iterable; a name is empty where an image has no label. A
    region is where the channel is above the `quantile` of its values over the data. `done` is told
    how many images were seen. Raises ValueError for data without an image and what data of another
    kind raise.
    """
    classifier = Classifier.of(model)
    sample = _ExemplarSample(classifier, channels, share("quantile", quantile), done)
    source = batches(data, classifier, size=batch_size(classifier))
    first = next(source, None)
    if first is None:
        raise ValueError(
            "got data without a single image; expected at least one; check the folder or the"
            " filter that made it"
        )
    extractor = MapExtractor(Probe(classifier), layer, first.x[:1])
    accumulate(
        chain([first], source),
        extractor.extract,
        sample.keep,
        total=length_of(data),
        progress=progress,
        what=f"images that excite channels of {layer}",
    )
    return sample.portraits(), sample.labels()


class _ExemplarSample:
    """What is kept of the data: maps of the wanted channels, their strongest images, labels."""

    def __init__(
        self,
        classifier: Classifier,
        channels: Sequence[int],
        quantile: float,
        done: Callable[[int], object],
    ) -> None:
        self._classifier, self._channels, self._quantile = classifier, list(channels), quantile
        self._strongest = StrongestImages(len(self._channels))
        self._sample = MapSample(MEMORY, 0)
        self._names: dict[bytes, str] = {}
        self._done, self._images = done, 0

    def keep(self, maps: FilterMaps) -> None:
        """Take a batch in."""
        batch, own = maps.batch, maps.of(self._channels)
        self._strongest.add(own, lambda i: picture_of_sample(batch.samples[i], self._classifier))
        for sample, each in zip(batch.samples, own.maps, strict=True):
            self._sample.add(sample.key, SampledImage(each.copy()))
            named = ", ".join(map(self._classifier.name, sample.labels or ()))
            self._names[printable(sample.key)] = named
        self._images += len(batch)
        self._done(self._images)

    def portraits(self) -> tuple[FilterPortrait, ...]:
        """Return what is seen of every wanted channel; nothing of one that is silent."""
        portraits = self._strongest.portraits(self._sample.thresholds(self._quantile))
        return tuple(
            replace(portrait, filter=channel)
            for channel, portrait in zip(self._channels, portraits, strict=True)
        )

    def labels(self) -> tuple[tuple[str, ...], ...]:
        """Return the name of each shown image's class."""
        return tuple(
            tuple(self._names[key] for key in self._strongest.keys(i))
            for i in range(len(self._channels))
        )


def _mean_colour(x: Float[Tensor, "1 c h w"]) -> Float[Tensor, "1 c h w"]:
    return x.mean((2, 3), keepdim=True).expand_as(x)


def _blurred(x: Float[Tensor, "1 c h w"]) -> Float[Tensor, "1 c h w"]:
    # here, for loading torchvision takes as long as torch itself
    from torchvision.transforms.v2 import functional

    height, width = x.shape[2:]
    sigma = max(0.5, BLUR * min(height, width))
    # no further than the image's border can be reflected
    reach = min(round(3 * sigma), min(height, width) - 1)
    blurred: Tensor = functional.gaussian_blur(x.float(), [2 * reach + 1] * 2, [sigma] * 2)
    return blurred.to(x)


FILLS: Mapping[str, Callable[[Tensor], Tensor]] = {"mean": _mean_colour, "blur": _blurred}


class Occluder:
    """Covers regions of one image and asks the network what it then names.

    `given` says that the image came prepared.
    """

    def __init__(
        self, classifier: Classifier, x: Float[Tensor, "1 c h w"], *, given: bool = False
    ) -> None:
        self._classifier, self._x, self._given = classifier, x, given

    @cached_property
    def fills(self) -> Mapping[str, Float[Tensor, "1 c h w"]]:
        """The whole image as each fill would cover it, prepared."""
        return {name: fill(self._x) for name, fill in FILLS.items()}

    def shown(self, fill: str) -> UInt8[np.ndarray, "h w 3"]:
        """Return how the image looks where it is wholly covered."""
        return self._looks(self.fills[fill])

    def covered(self, mask: Any, fill: str = "mean") -> Float[Tensor, "1 c h w"]:
        """Return the prepared image with the cells of `mask` `(56, 56)` covered.

        Raises ValueError for a mask of another shape or type and for an unknown fill.
        """
        one_of("fill", fill, tuple(FILLS))
        cells = torch.from_numpy(checked_mask(mask)).to(self._x.device)
        rows, columns = (
            (torch.arange(side, device=self._x.device) * 2 + 1) * GRID // (2 * side)
            for side in self._x.shape[2:]
        )
        return torch.where(cells[rows][:, columns], self.fills[fill], self._x)

    def occlusion(
        self, mask: Any, fill: str = "mean", *, wrong: int | str, right: int | str
    ) -> Occlusion:
        """Return what is named with a region covered, and both classes; raises like `covered`."""
        x = self.covered(mask, fill)
        logits = self._classifier.logits(x)[0]
        pair = (self._classifier.index_of(target, len(logits)) for target in (wrong, right))
        before, true = (self._classifier.prediction(logits, index) for index in pair)
        return Occlusion(
            mask=checked_mask(mask),
            fill=fill,
            image=self._looks(x),
            named=self._classifier.prediction(logits, int(logits.argmax())),
            wrong=before,
            right=true,
        )

    def _looks(self, x: Tensor) -> UInt8[np.ndarray, "h w 3"]:
        return self._classifier.shown(x, given=self._given)


def checked_mask(mask: Any) -> Bool[np.ndarray, "56 56"]:
    """Return a mask as it came; raises ValueError for another shape or type."""
    cells = np.asarray(mask)
    if cells.shape != (GRID, GRID) or cells.dtype != np.bool_:
        raise ValueError(
            f"got a mask of shape {cells.shape} and type {cells.dtype}; expected {GRID} x {GRID}"
            " booleans, a cell of a grid over the image each; resize it, and compare it with 0"
        )
    return cells


def mask_of(data: Any) -> Bool[np.ndarray, "56 56"]:
    """Return a mask from its cells as bytes, row by row, 1 where covered; raises ValueError."""
    if not isinstance(data, bytes | bytearray | memoryview):
        raise ValueError(
            f"got a mask of type {type(data).__name__}; expected {GRID * GRID} bytes, one for each"
            " cell; send the mask as a binary buffer"
        )
    cells = np.frombuffer(data, np.uint8)
    if len(cells) != GRID * GRID or cells.max(initial=0) > 1:
        raise ValueError(
            f"got a mask of {len(cells)} bytes up to {cells.max(initial=0)}; expected"
            f" {GRID * GRID} bytes of 0 or 1, one for each cell of {GRID} x {GRID}; send it again"
        )
    return np.asarray(cells.reshape(GRID, GRID) == 1)


@dataclass(frozen=True)
class ChannelComparison:
    """What each of `k` channels adds to two logits, estimated and measured, and who decides.

    The figures are those of `evidence.Failure`.
    """

    contributions: Float[np.ndarray, "2 k"]
    drops: Float[np.ndarray, "2 k"]
    channels: Int[np.ndarray, " n"]
    maps: Float[np.ndarray, "n h w"]
    alone: tuple[Prediction, ...]
    together: tuple[Prediction, ...]


class ClassComparison:
    """One image at the deepest stage of a network, where two classes compete for it.

    `layers` are names as for a decomposition: the deepest of them counts.
    """

    def __init__(
        self,
        classifier: Classifier,
        x: Float[Tensor, "1 c h w"],
        layers: Collection[str] | None = None,
    ) -> None:
        self._classifier, self._probe = classifier, Probe(classifier)
        self._capture = self._probe.capture(x, layers)
        self.layer: Layer = self._capture.layers[0]
        self._segment = self._probe.segment(self._capture, self.layer.name, None)

    @property
    def logits(self) -> Float[Tensor, " c"]:
        """The logits of the image."""
        return self._capture.logits[0]

    def predictions(self, top: int) -> list[Prediction]:
        """Return the strongest classes, likeliest first."""
        return self._classifier.ranked(self.logits, top)

    def prediction(self, target: int | str) -> Prediction:
        """Return a class by name or index; raises ValueError for an unknown one, IndexError."""
        index = self._classifier.index_of(target, len(self.logits))
        return self._classifier.prediction(self.logits, index)

    def both_found(self, named: Prediction, true: Prediction) -> tuple[str, ...]:
        """Return a note where the network finds the true class as well as the strongest."""
        if true.index not in self._classifier.findings(self.logits[None])[0]:
            return ()
        return (
            f"The network finds {true.name} too (probability {true.probability:.2f}): its classes"
            f" do not exclude one another, and {named.name} is only the stronger of them.",
        )

    def between(self, wrong: int, right: int, top: int = TOP) -> ChannelComparison:
        """Return how every channel speaks for two classes, and the `top` that decide.

        Raises ValueError for fewer than one.
        """
        count = min(at_least_one("channels", top), self.layer.shape[0])
        pair = (wrong, right)
        maps = self._capture.maps[self.layer.name]
        with visiting(self._classifier.model):
            contributions, drops = self._contributions(pair), self._drops(pair)
            chosen = np.argsort(contributions[1] - contributions[0], kind="stable")[:count]
            alone, together = self._without(chosen)
        return ChannelComparison(
            contributions=contributions,
            drops=drops,
            channels=chosen.astype(np.int64),
            maps=maps[0, chosen.tolist()].detach().float().cpu().numpy(),
            alone=alone,
            together=together,
        )

    def _contributions(self, pair: tuple[int, int]) -> Float[np.ndarray, "2 k"]:
        """Gradient times activation (Eq. 3), summed over the map: to first order, the drops."""
        rows = []
        for decision in self._segment.decide([Unit(index, 0, 0) for index in pair]):
            sums = (decision.gradients * decision.activations).sum((2, 3)).float()
            rows.append(sums * torch.tensor(decision.signs, device=sums.device)[:, None])
        return torch.cat(rows).cpu().numpy()

    def _drops(self, pair: tuple[int, int]) -> Float[np.ndarray, "2 k"]:
        removal = ChannelAblation(self._probe, self._capture, self._segment, self.layer.name, None)
        drops = np.stack([removal.drops(Unit(i, 0, 0), float(self.logits[i])) for i in pair])
        silent = self._capture.maps[self.layer.name][0].abs().amax((1, 2)) == 0
        # A channel that is zero everywhere can leave nothing but rounding.
        return np.where(silent.cpu().numpy(), 0.0, drops)

    def _without(
        self, channels: Int[np.ndarray, " n"]
    ) -> tuple[tuple[Prediction, ...], tuple[Prediction, ...]]:
        """What is named without each of these channels, and without it and all before it."""
        count = len(channels)
        gates = np.ones((2 * count, self.layer.shape[0]), dtype=bool)
        for i, channel in enumerate(channels):
            gates[i, channel] = False
            gates[count + i, channels[: i + 1]] = False
        rows = masked_logits(self._probe, self._capture, {self.layer.name: gates})
        named = tuple(self._classifier.prediction(row, int(row.argmax())) for row in rows)
        return named[:count], named[count:]


def failure_of(
    classes: ClassComparison,
    wrong: Decomposition,
    right: Decomposition | None,
    true: Prediction,
    *,
    top: int = TOP,
) -> Failure:
    """Return what decides for the class that `wrong` takes apart, and against the true one.

    `right` takes the true class apart, None where its logit is not positive. Raises ValueError
    where both are one class, and for fewer channels than one.
    """
    named = wrong.target
    if named.index == true.index:
        raise ValueError(
            f"the image is named {named.name!r} as it should be; expected another class as the true"
            f" one; {_runner_up(classes, named)}"
        )
    comparison = classes.between(named.index, true.index, top)
    return Failure(
        wrong=wrong,
        right=right,
        true=true,
        layer=classes.layer,
        contributions=comparison.contributions,
        drops=comparison.drops,
        channels=comparison.channels,
        maps=comparison.maps,
        alone=comparison.alone,
        together=comparison.together,
        provenance=_provenance(wrong, true, len(comparison.channels)),
        notes=(*_notes(comparison, right, named, true), *classes.both_found(named, true)),
    )


def _runner_up(classes: ClassComparison, named: Prediction) -> str:
    others = [p for p in classes.predictions(2) if p.index != named.index]
    if not others:
        return "the network knows no other"
    return f"pass true={others[0].name!r} to compare with the runner-up"


def _notes(
    comparison: ChannelComparison, right: Decomposition | None, named: Prediction, true: Prediction
) -> list[str]:
    notes = []
    if right is None:
        notes.append(
            f"There is no tree of {true.name}: its logit is {true.logit:.2f}, and only a decision"
            " in favour can be taken apart. What each channel adds to it is known all the same."
        )
    first = comparison.channels[0]
    if comparison.contributions[0, first] <= comparison.contributions[1, first]:
        notes.append(
            f"No channel adds more to {named.name} than to {true.name}: what decides is not in"
            " this layer, but behind it."
        )
    return notes


def _provenance(wrong: Decomposition, true: Prediction, channels: int) -> Provenance:
    settings: Mapping[str, Any] = {
        **wrong.provenance.settings,
        "true": true.name,
        "channels": channels,
    }
    target = f"{wrong.target.name} instead of {true.name}"
    return Provenance(METHOD, wrong.provenance.model, target, settings, versions=versions())


def with_exemplars(failure: Failure, model: Any, data: Any, **settings: Any) -> Failure:
    """Return the failure with the images of a data set that excite its channels most.

    `settings` are those of `exemplars_of`, which says what is raised.
    """
    portraits, labels = exemplars_of(
        model, data, failure.layer.name, [int(k) for k in failure.channels], **settings
    )
    known = failure.provenance
    quantile = settings.get("quantile", QUANTILE)
    provenance = replace(known, settings={**known.settings, "quantile": quantile})
    return replace(failure, exemplars=portraits, labels=labels, provenance=provenance)
