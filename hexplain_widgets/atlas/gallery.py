"""The filters of a layer over a data set: strongest images, regions, overlap with labelled parts.

Regions and their overlap with parts are those of Net Dissection (Bau et al., 2017): the places
above a high quantile of the filter's own values, the sum of intersections over that of unions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Int16
from torch import nn

from ..arguments import at_least_one, share
from ..data.concept_sets import IGNORE, ConceptSet, concept_set, label_maps
from ..data.label_maps import WHOLE, Framing, Window, majority
from ..data.samples import Batch, Sample, batches, length_of, picture_of_sample
from ..evidence import FilterSheet, Layer, Provenance
from ..fitting.passes import accumulate, batch_size
from ..network.classifier import Classifier
from ..network.probe import Probe
from ..provenance import fingerprint, versions
from .maps import (
    GRID,
    FilterMaps,
    MapExtractor,
    MapSample,
    SampledImage,
    StrongestImages,
    regions_of,
    with_labels,
)

# Exchanges of labels over which the chance level is averaged.
DRAWS = 5
Regions = Callable[[int], Bool[np.ndarray, "k y x"]]
# A part is suggested from this IoU on, at this quantile (Net Dissection).
LEAST, QUANTILE = 0.04, 0.995
MEMORY = 2**30


@dataclass(frozen=True, eq=False)
class FilterOverlap:
    """The IoU of every filter with every part; `chance` is that of each filter's best part after
    labels were exchanged between images, None where there are fewer than two.
    """

    iou: Float[np.ndarray, "k p"]
    chance: Float[np.ndarray, " k"] | None


def part_grid(
    maps: Sequence[Int[np.ndarray, "_ _"]], window: Window = WHOLE
) -> Int16[np.ndarray, "m y x"]:
    """Return the labels of an image on the grid; what covers most of a cell decides.

    `window` is what the network sees of the image. Raises ValueError for maps of several sizes.
    """
    return majority(maps, (GRID, GRID), window=window).astype(np.int16)


class RegionAgreement:
    """Sums over images of what filters' regions and parts have in common (Net Dissection).

    Only pixels about which somebody said something count.
    """

    def __init__(self, filters: int, parts: int) -> None:
        self._both: Float[np.ndarray, "k p"] = np.zeros((filters, parts))
        self._fired: Float[np.ndarray, " k"] = np.zeros(filters)
        self._labelled: Float[np.ndarray, " p"] = np.zeros(parts)

    def add(self, regions: Float[np.ndarray, "k g"], labels: Int16[np.ndarray, "m y x"]) -> None:
        """Add an image: regions as 0 and 1, label 1 is the first part."""
        flat = labels.reshape(len(labels), -1)
        known = (flat != IGNORE).any(0)
        present = [int(n) for n in np.unique(flat) if n > 0]
        areas = np.stack([known, *((flat == n).any(0) for n in present)]).astype(np.float32)
        # whole numbers below 2**24: exact in float32
        common = regions @ areas.T
        at = np.array(present, np.int64) - 1
        self._fired += common[:, 0]
        self._both[:, at] += common[:, 1:]
        self._labelled[at] += areas[1:].sum(1)

    @property
    def iou(self) -> Float[np.ndarray, "k p"]:
        """The sums of intersections over the sums of unions; 0 where both are empty."""
        union = self._fired[:, None] + self._labelled - self._both
        return np.asarray(np.divide(self._both, union, out=np.zeros_like(union), where=union > 0))


def exchanges(images: int, *, draws: int = DRAWS, seed: int = 0) -> list[Int[np.ndarray, " n"]]:
    """Return for each draw whose labels every image is given: never its own.

    The images are put in a random order, and each is given those of the next in it.
    """
    draw = np.random.default_rng(seed)
    partners = []
    for _ in range(draws):
        order = draw.permutation(images)
        partner = np.empty(images, np.int64)
        partner[order] = np.roll(order, -1)
        partners.append(partner)
    return partners


def overlap(
    regions: Regions,
    labels: Sequence[Int16[np.ndarray, "_ y x"]],
    extent: tuple[int, int],
    *,
    seed: int = 0,
) -> FilterOverlap:
    """Return how far the filters' regions agree with the parts, summed over all labelled images.

    `regions(i)` are those of image `i`, `extent` counts filters and parts. The images are taken in
    the order that is given, on which the exchange of labels depends.
    """
    partners = exchanges(len(labels), seed=seed) if len(labels) > 1 else []
    own, *others = (RegionAgreement(*extent) for _ in range(len(partners) + 1))
    for i, mine in enumerate(labels):
        here = regions(i).reshape(extent[0], -1).astype(np.float32)
        own.add(here, mine)
        for agreement, partner in zip(others, partners, strict=True):
            agreement.add(here, labels[partner[i]])
    best = [agreement.iou.max(1, initial=0) for agreement in others]
    return FilterOverlap(own.iou, np.mean(best, axis=0) if best else None)


class FilterGallery:
    """Where each filter of a layer is strongest, and which labelled parts its regions overlap.

    `fit(model, data).sheet()` gives the FilterSheet, with `suggestions()` of a part for a filter
    (Net Dissection, Bau et al. 2017). `layer` None is the last of the network's stages. A filter's
    region is where it is above the `quantile` of its values over the data set, all interpolated to
    a grid over the image; a part of the concept set's `level` is suggested from an IoU of `least`
    on. Where the maps of all images take more than `memory` bytes, quantile and overlap are those
    of a sample. An image costs 0.2 s of a core in MobileNetV2. Raises ValueError for settings out
    of range.
    """

    def __init__(
        self,
        layer: str | None = None,
        *,
        quantile: float = QUANTILE,
        least: float = LEAST,
        level: str = "part",
        memory: int = MEMORY,
        seed: int = 0,
    ) -> None:
        self.layer = layer
        self.quantile = share("quantile", quantile)
        self.least = share("least", least)
        self.level = level
        self.memory = at_least_one("memory", memory)
        self.seed = seed
        self._parts: tuple[str, ...] = ()
        self._notes: tuple[str, ...] = ()
        self._begin()

    def _begin(self) -> None:
        self.images_ = 0
        self.total_: int | None = None
        self.whole_ = False
        self._sample = MapSample(self.memory, self.seed)
        self._elsewhere: MapSample | None = None
        self._extractor: MapExtractor | None = None
        self._strongest = StrongestImages(0)

    def fit(
        self, model: nn.Module | Classifier, data: Any, *, parts: Any = None, progress: bool = True
    ) -> FilterGallery:
        """Go through the data; what was gathered before an interrupt is kept.

        `parts` is a concept set to compare regions with, the data themselves if they are one. The
        network is handed back as it came. Raises ValueError for data without an image, an unknown
        layer, values that are not finite and a concept set without the level; TypeError for what
        cannot be iterated.
        """
        labels = None if parts is None else self._labels(concept_set(parts))
        if parts is None and isinstance(data, ConceptSet):
            labels = self._own_labels(concept_set(data))
        self._begin()
        classifier = Classifier.of(model)
        self.classifier_, self._network = classifier, fingerprint(classifier.model)
        self._parts, self._notes = labels or ((), ())
        self.total_ = length_of(data)
        reader = LabelReader(classifier, self.level, self._parts)
        own = reader if self._parts and parts is None else None
        self._run(data, partial(self._keep, labels=own), progress)
        if parts is not None:
            self._elsewhere = MapSample(self.memory, self.seed)
            self._run(parts, partial(self._keep_labelled, labels=reader), progress)
        self.whole_ = True
        return self

    def _labels(self, data: ConceptSet) -> tuple[tuple[str, ...], tuple[str, ...]]:
        if self.level not in data.levels:
            raise ValueError(
                f"got a concept set with the levels {', '.join(data.levels)}; expected one with the"
                f" level {self.level!r}; open it with MaskFolder(folder, level={self.level!r}), or"
                " leave parts= out"
            )
        return data.names[self.level][1:], ()

    def _own_labels(self, data: ConceptSet) -> tuple[tuple[str, ...], tuple[str, ...]]:
        if self.level in data.levels:
            return self._labels(data)
        levels = ", ".join(data.levels)
        return (), (
            f"The images are labelled with {levels}, not with a {self.level}: none is suggested.",
        )

    def _run(self, data: Any, keep: Callable[[FilterMaps], None], progress: bool) -> None:
        classifier = self.classifier_
        source = batches(data, classifier, size=batch_size(classifier))
        first = next(source, None)
        if first is None:
            raise ValueError(
                "got data without a single image; expected at least one; check the folder or the"
                " filter that made it"
            )
        extractor = self._extractor_for(first)
        accumulate(
            chain([first], source),
            extractor.extract,
            keep,
            total=length_of(data),
            progress=progress,
            what=f"strongest images of {extractor.layer.name}",
        )

    def _extractor_for(self, first: Batch) -> MapExtractor:
        if self._extractor is None:
            self._extractor = MapExtractor(Probe(self.classifier_), self.layer, first.x[:1])
            self._strongest = StrongestImages(self._extractor.layer.shape[0])
        return self._extractor

    def _keep(self, found: FilterMaps, labels: LabelReader | None) -> None:
        batch = found.batch
        strongest, taken = self._strongest.draft(), self._sample.draft()
        strongest.add(found, lambda i: picture_of_sample(batch.samples[i], self.classifier_))
        for sample, own in zip(batch.samples, found.maps, strict=True):
            own_labels = None if labels is None else labels.of(sample)
            taken.add(sample.key, SampledImage(own.copy(), own_labels))
        # In one step: an error on the way leaves what was gathered before.
        vars(self).update(_strongest=strongest, _sample=taken, images_=self.images_ + len(batch))

    def _keep_labelled(self, found: FilterMaps, labels: LabelReader) -> None:
        before = self._elsewhere
        elsewhere = MapSample(self.memory, self.seed) if before is None else before.draft()
        for sample, own in zip(found.batch.samples, found.maps, strict=True):
            own_labels = labels.of(sample)
            if own_labels is not None:
                elsewhere.add(sample.key, SampledImage(own.copy(), own_labels))
        self._elsewhere = elsewhere

    @property
    def layer_(self) -> Layer:
        """The layer whose filters these are; raises ValueError before the first image."""
        if self._extractor is None:
            raise ValueError(
                "this FilterGallery has seen no image; expected one that is fitted; run"
                " fit(model, data)"
            )
        return self._extractor.layer

    def sheet(self) -> FilterSheet:
        """Return the filters with what was gathered; raises ValueError before the first image."""
        layer = self.layer_
        if not self.images_:
            raise ValueError("no image was gathered yet; expected at least one; run fit again")
        thresholds = self._sample.thresholds(self.quantile)
        some, labels = with_labels((self._elsewhere or self._sample).images())
        agreement = self._overlap(thresholds, some, labels) if labels else None
        return FilterSheet(
            layer=layer,
            portraits=tuple(self._strongest.portraits(thresholds)),
            quantile=self.quantile,
            images=self.images_,
            provenance=self._provenance(len(labels)),
            parts=self._parts,
            iou=None if agreement is None else agreement.iou,
            chance=None if agreement is None else agreement.chance,
            least=self.least,
            notes=tuple(self._remarks(layer, len(labels))),
        )

    def _overlap(
        self,
        thresholds: Float[np.ndarray, " k"],
        images: Sequence[SampledImage],
        labels: Sequence[Int16[np.ndarray, "_ y x"]],
    ) -> FilterOverlap:
        def regions(i: int) -> np.ndarray:
            return regions_of(images[i], thresholds)

        return overlap(regions, labels, (len(thresholds), len(self._parts)), seed=self.seed)

    def _remarks(self, layer: Layer, labels: int) -> Iterator[str]:
        if not self.whole_ and self._elsewhere is not None:
            yield f"Stopped by an interrupt: parts are those of {labels} labelled images."
        elif not self.whole_:
            of = "" if self.total_ is None else f" of {self.total_}"
            yield f"Stopped by an interrupt: this is what {self.images_}{of} images show."
        yield from self._notes
        silent = int(self._strongest.silent.sum())
        if silent:
            never = "1 filter never fires" if silent == 1 else f"{silent} filters never fire"
            yield f"{never}: one value at all places of all images."
        if not self._sample.complete:
            yield (
                f"Thresholds are those of {len(self._sample)} images drawn from {self.images_},"
                f" whose maps fit in {self.memory / 2**20:.0f} MiB."
            )
        if self._parts and labels < 2:
            yield f"{labels} labelled images: chance cannot be told from finding."

    def _provenance(self, labels: int) -> Provenance:
        return Provenance(
            method="filter gallery",
            model=type(self.classifier_.model).__name__,
            target="filters",
            seed=self.seed,
            versions=versions(),
            settings={
                "quantile": self.quantile,
                "least": self.least,
                "level": self.level,
                "grid": GRID,
                "draws": DRAWS,
                "labelled": labels,
                "network": self._network,
            },
        )


class LabelReader:
    """Reads the labels of a level, as the network sees the image."""

    def __init__(self, classifier: Classifier, level: str, names: Sequence[str]) -> None:
        self._framing = Framing(classifier)
        self._level, self._names = level, ("", *names)

    def of(self, sample: Sample) -> Int16[np.ndarray, "m y x"] | None:
        """Return an image's labels on the grid, None where it has none at this level."""
        item = sample.item
        maps = () if item is None else label_maps(item, self._level, self._names)
        if not maps:
            return None
        return part_grid(maps, self._framing.window((item.image.height, item.image.width)))
