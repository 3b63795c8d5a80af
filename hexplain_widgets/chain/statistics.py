"""What harmonising keeps of a concept set: sums over labelled pixels, which add up in any order."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product as product_of
from typing import Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int
from torch import Tensor
from torch.nn import functional as F

from ..arguments import check_finite
from ..data.concept_sets import is_held_out, label_maps
from ..data.label_maps import Framing, LabelledPixels, labelled_pixels
from ..data.samples import Batch, Sample
from ..evidence import Layer
from ..fitting.passes import Extractor, Plan
from ..fitting.states import Settings
from ..fitting.statistics import Addend, Scope, Statistics, Sums, below, names_of
from ..network.classifier import Classifier
from ..network.gating import LayerGates, gated
from ..network.guest import visiting
from ..network.probe import Probe
from ..solvers.reservoirs import Reservoir, hashes_of, image_number, packed, unpack
from .levels import layers_of_levels

Size = tuple[int, int]
_NEAR = (-1, 0, 1)
# Pixels kept of all that are labelled, and of each concept: at least and at most so many, fewer
# where there are many concepts, so that a level's samples keep at most so many numbers.
ALL, LEAST, MOST, NUMBERS = 10_000, 50, 300, 2**26


@dataclass(frozen=True, eq=False)
class Interpolation:
    """From `(h, w)` cells to `(Y, X)` pixels, as torch interpolates with align_corners=False.

    `rows` and `columns` say what each pixel takes of each cell along its axis: pixel `(Y, X)` is
    `sum rows[Y, y] columns[X, x] cell[y, x]`. A pixel sees two neighbours at most, so that with a
    weight for each pixel `U^T W U` couples a cell with its eight neighbours alone.
    """

    rows: Float[Tensor, "Y h"]
    columns: Float[Tensor, "X w"]

    @classmethod
    def of(cls, cells: Size, pixels: Size, device: torch.device | str = "cpu") -> Interpolation:
        """Return the interpolation between two sizes, in float64; raises ValueError.

        Pixels are at least as many as cells along each axis: of fewer, some cells say nothing.
        """
        if any(p < c or c < 1 for c, p in zip(cells, pixels, strict=True)):
            raise ValueError(
                f"got {pixels} pixels for a map of {cells} cells; expected at least as many along"
                " each side; bring labels to the map's size first"
            )
        rows, columns = (
            F.interpolate(torch.eye(c, dtype=torch.float64)[None], size=p, mode="linear")[0].T
            for c, p in zip(cells, pixels, strict=True)
        )
        return cls(rows.contiguous().to(device), columns.contiguous().to(device))

    def masses(self, weights: Float[Tensor, "*p Y X"]) -> Float[Tensor, "*p h w"]:
        """Return how much every cell counts when pixels have these weights: the adjoint, U^T w."""
        return self.rows.T @ weights @ self.columns

    def couplings(self, weights: Float[Tensor, "Y X"]) -> Float[Tensor, "3 3 h w"]:
        """Return U^T diag(w) U.

        Entry `[1 + dy, 1 + dx, y, x]` couples the cells `(y, x)` and `(y + dy, x + dx)`.
        """
        rows, columns = _paired(self.rows), _paired(self.columns)
        across = torch.einsum("YX,bXx->bYx", weights, columns)
        return torch.einsum("aYy,bYx->abyx", rows, across)

    def gram(
        self, maps: Float[Tensor, "k h w"], weights: Float[Tensor, "Y X"]
    ) -> Float[Tensor, "k k"]:
        """Return the sum over pixels of weight x vector x vector^T."""
        near = self.couplings(weights)
        cells = F.pad(maps, (1, 1, 1, 1)).flatten(1).T.contiguous()
        width = maps.shape[2] + 2
        y, x = torch.nonzero(near[1, 1], as_tuple=True)
        place = (y + 1) * width + x + 1
        product = torch.zeros(len(place), len(maps), dtype=maps.dtype, device=maps.device)
        for dy, dx in product_of(_NEAR, _NEAR):
            share = near[1 + dy, 1 + dx, y, x, None].to(maps.dtype)
            product.addcmul_(share, cells[place + dy * width + dx])
        return cells[place].T @ product

    def at(self, maps: Float[Tensor, "k h w"], places: Int[Tensor, " n"]) -> Float[Tensor, "n k"]:
        """Return the vectors at some pixels, numbered along the rows."""
        width = len(self.columns)
        cells = maps.flatten(1).T.contiguous()
        vectors = torch.zeros(len(places), len(maps), dtype=maps.dtype, device=maps.device)
        pairs = _ends(self.rows[places // width]), _ends(self.columns[places % width])
        for (y, down), (x, right) in product_of(*pairs):
            share = (down * right)[:, None].to(maps.dtype)
            vectors.addcmul_(share, cells[y * maps.shape[2] + x])
        return vectors


def _ends(shares: Float[Tensor, "n h"]) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return the two cells along an axis that pixels take something of, and how much."""
    first = (shares > 0).int().argmax(1)
    last = (first + 1).clamp(max=shares.shape[1] - 1)
    of_first = shares.gather(1, first[:, None])[:, 0]
    return (first, of_first), (last, 1 - of_first)


def _paired(weights: Float[Tensor, "Y h"]) -> Float[Tensor, "3 Y h"]:
    """Return the products of what a pixel takes of a cell and of the one before, itself, behind."""
    padded = F.pad(weights, (1, 1))
    count = weights.shape[1]
    return torch.stack([weights * padded[:, 1 + d : 1 + d + count] for d in _NEAR])


def average_precision(
    here: Bool[np.ndarray, " n"], scores: Float64[np.ndarray, " n"], area: Float64[np.ndarray, " n"]
) -> float:
    """Return the area below precision over recall, in steps: rows of one score count at once."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=np.inf))
    right = np.cumsum(np.where(here, area, 0)[order])[ends]
    both = np.cumsum(area[order])[ends]
    precision = np.divide(right, both, out=np.zeros_like(right), where=both > 0)
    return float(np.diff(right, prepend=0) @ precision / right[-1])


class PixelSamples:
    """Vectors of held-out pixels: of all that are labelled, and of each concept's own.

    A row is the pixel's vector, its area as a share of its image, and for the first sample which
    concepts it carries, in bytes.
    """

    def __init__(self, channels: int, concepts: int) -> None:
        own = max(LEAST, min(MOST, NUMBERS // (concepts * (channels + 1))))
        self._channels, self._concepts = channels, concepts
        self._kept = [Reservoir(ALL, channels + 1 + -(-concepts // 8))]
        self._kept += [Reservoir(own, channels + 1) for _ in range(concepts)]

    def add(
        self,
        maps: Float32[np.ndarray, "k h w"],
        pixels: LabelledPixels,
        key: bytes,
    ) -> None:
        """Take in the pixels of a held-out image; `key` identifies it."""
        finding = _Vectors(maps, pixels)
        image = np.int64(image_number(key))
        self._put(0, np.flatnonzero(pixels.known), image, finding)
        for label in pixels.present:
            self._put(label, np.flatnonzero(pixels.of(label)), image, finding)

    def _put(
        self, label: int, places: Int[np.ndarray, " n"], image: np.int64, finding: _Vectors
    ) -> None:
        reservoir = self._kept[label]
        images = np.full(len(places), image)
        hashes = hashes_of(images, places, salt=label)
        wanted = reservoir.wanted(hashes)
        if not wanted.any():
            return
        smallest = np.argsort(hashes[wanted])[: reservoir.size]
        some = np.flatnonzero(wanted)[smallest]
        rows = [finding.vectors(places[some]), finding.areas(len(some))]
        if label == 0:
            members = finding.pixels.members(places[some], self._concepts)
            rows.append(np.packbits(members, axis=1).astype(np.float32))
        reservoir.add(hashes[some], images[some], np.concatenate(rows, axis=1))

    def draft(self) -> Self:
        """Return a copy to add to: this one stays as it is."""
        draft = copy.copy(self)
        draft._kept = [copy.copy(one) for one in self._kept]
        return draft

    def merge(self, other: PixelSamples) -> None:
        """Take in what other data gave."""
        for one, more in zip(self._kept, other._kept, strict=True):
            one.merge(more)

    def precision(
        self, weights: Float[np.ndarray, "e k"], mass: Float[np.ndarray, " e"], known: float
    ) -> Float[np.ndarray, " e"]:
        """Return the average precision of every concept's map; NaN for one without two sides.

        `mass` is the area of each concept in the held-out images and `known` all that is labelled:
        the samples are weighted so that they stand for these.
        """
        every = self._kept[0].vectors
        codes = every[:, self._channels + 1 :].astype(np.uint8)
        carried = np.unpackbits(codes, axis=1, count=self._concepts).astype(bool)
        precisions = np.full(len(weights), np.nan)
        for e, w in enumerate(weights):
            own, others = self._kept[e + 1].vectors, every[~carried[:, e], : self._channels + 1]
            if len(own) and len(others):
                precisions[e] = self._average(own, others, w, mass[e], known - mass[e])
        return precisions

    def _average(
        self, own: np.ndarray, others: np.ndarray, weights: np.ndarray, mass: float, rest: float
    ) -> float:
        rows = np.concatenate([own, others])
        here = np.arange(len(rows)) < len(own)
        area = rows[:, self._channels].astype(np.float64)
        area[here] *= mass / area[here].sum()
        area[~here] *= rest / area[~here].sum()
        return average_precision(here, rows[:, : self._channels].astype(np.float64) @ weights, area)

    def arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield everything as arrays by name, for saving."""
        for part, some in (("all", self._kept[:1]), ("own", self._kept[1:])):
            for name, array in packed(some):
                yield f"{part}.{name}", array

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take samples that were saved; raises ValueError and KeyError where they do not fit."""
        for part, some in (("all", self._kept[:1]), ("own", self._kept[1:])):
            unpack(some, below(arrays, f"{part}."))


class _Vectors:
    """The vectors of an image's pixels, interpolated where they are asked for."""

    def __init__(self, maps: Float32[np.ndarray, "k h w"], pixels: LabelledPixels) -> None:
        self.pixels = pixels
        self._maps = torch.from_numpy(maps)
        self._interpolation = Interpolation.of((maps.shape[1], maps.shape[2]), pixels.size)

    def vectors(self, places: Int[np.ndarray, " n"]) -> Float32[np.ndarray, "n k"]:
        vectors = self._interpolation.at(self._maps, torch.from_numpy(places))
        return np.asarray(vectors.numpy(), np.float32)

    def areas(self, count: int) -> Float32[np.ndarray, "{count} 1"]:
        return np.full((count, 1), self.pixels.area, np.float32)


@dataclass(frozen=True)
class Level:
    """A level of concepts and the layer it is harmonised with; `concepts` are its labels from 1."""

    name: str
    layer: Layer
    concepts: tuple[str, ...]


@dataclass(frozen=True)
class ConceptScope(Scope):
    """What sums belong to: only those of one network, its levels and one split add up."""

    levels: tuple[Level, ...]
    held_out: float
    seed: int

    def aspects(self) -> dict[str, object]:
        """Return by name what has to be the same for sums to add up."""
        return super().aspects() | {
            "choice of levels and layers": [(n.name, n.layer.name) for n in self.levels],
            "list of concepts": [n.concepts for n in self.levels],
            "split of the images": (self.held_out, self.seed),
        }

    @classmethod
    def _converted(cls, settings: Settings) -> Settings:
        levels = (
            Level(str(n["name"]), Layer.of(n["layer"]), tuple(map(str, n["concepts"])))
            for n in settings["levels"]
        )
        return {"levels": tuple(levels)}


@dataclass(frozen=True, eq=False)
class LabelStatistics:
    """One image at one level: weighted sums over its labelled pixels, and over each concept's.

    Every pixel weighs its share of the image's area. `labels[p]` is the label that `positive[p]`
    and `area[p]` belong to.
    """

    gram: Float[np.ndarray, "k k"]
    sums: Float[np.ndarray, " k"]
    known: float
    labels: Int[np.ndarray, " p"]
    positive: Float[np.ndarray, "p k"]
    area: Float[np.ndarray, " p"]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """One held-out image at one level: the layer's maps and its labels."""

    maps: Float32[np.ndarray, "k h w"]
    pixels: LabelledPixels
    key: bytes


@dataclass(frozen=True)
class LabelBatch:
    """What one batch gave: each image at the levels at which it is labelled."""

    images: Sequence[Mapping[str, LabelStatistics | HeldOut]]

    def __len__(self) -> int:
        return len(self.images)


@dataclass(eq=False)
class LevelStatistics(Sums):
    """Sums of one level over all images, in float64.

    `gram`, `sums` and `known` are over all labelled pixels, `positive` and `area` over each
    concept's; `images` counts the images that a concept was seen in, `held_known` and `held_area`
    are areas in held-out images, `labelled` counts images as `[fitted, held out]`.
    """

    SUMS = (
        "gram",
        "sums",
        "positive",
        "known",
        "area",
        "images",
        "held_known",
        "held_area",
        "labelled",
    )
    PARTS = ("samples",)

    level: Level
    gram: Float[np.ndarray, "k k"] = field(init=False)
    sums: Float[np.ndarray, " k"] = field(init=False)
    positive: Float[np.ndarray, "e k"] = field(init=False)
    known: Float[np.ndarray, " 1"] = field(init=False)
    area: Float[np.ndarray, " e"] = field(init=False)
    images: Int[np.ndarray, " e"] = field(init=False)
    held_known: Float[np.ndarray, " 1"] = field(init=False)
    held_area: Float[np.ndarray, " e"] = field(init=False)
    labelled: Int[np.ndarray, " 2"] = field(init=False)

    def __post_init__(self) -> None:
        k, e = self.level.layer.shape[0], len(self.level.concepts)
        self.gram, self.sums, self.positive = np.zeros((k, k)), np.zeros(k), np.zeros((e, k))
        self.known, self.area = np.zeros(1), np.zeros(e)
        self.held_known, self.held_area = np.zeros(1), np.zeros(e)
        self.images, self.labelled = np.zeros(e, np.int64), np.zeros(2, np.int64)
        self.samples = PixelSamples(k, e)

    def add(self, image: LabelStatistics | HeldOut) -> None:
        """Add what one image gave."""
        if isinstance(image, HeldOut):
            self._hold_out(image)
            return
        self.gram += image.gram
        self.sums += image.sums
        self.known += image.known
        places = image.labels - 1
        self.positive[places] += image.positive
        self.area[places] += image.area
        self.images[places] += 1
        self.labelled[0] += 1

    def _hold_out(self, image: HeldOut) -> None:
        self.samples.add(image.maps, image.pixels, image.key)
        self.held_known += image.pixels.known.sum() * image.pixels.area
        for label in image.pixels.present:
            self.held_area[label - 1] += image.pixels.of(label).sum() * image.pixels.area
        self.labelled[1] += 1

    def parts(self) -> Mapping[str, Addend]:
        """Return the samples of held-out pixels."""
        return {"samples": self.samples}


class ConceptStatistics(Statistics[ConceptScope, LabelBatch]):
    """Everything that harmonising keeps; its size does not depend on how many images there were."""

    KIND = "Chain"
    NAME = "sums"
    ADVICE = "merge only what was fitted on one network with the same levels and settings"
    SCOPE = ConceptScope
    PARTS = ("levels",)

    def __init__(self, scope: ConceptScope) -> None:
        super().__init__(scope)
        self.levels = {level.name: LevelStatistics(level) for level in scope.levels}

    def parts(self) -> Mapping[str, Addend]:
        """Return the sums of each level."""
        return {str(i): part for i, part in enumerate(self.levels.values())}

    def _add(self, batch: LabelBatch, classifier: Classifier) -> None:
        for image in batch.images:
            for name, level in image.items():
                self.levels[name].add(level)

    def check_labels(self, batch: Batch) -> None:
        """Raise ValueError for an image without label maps."""
        if any(sample.item is None for sample in batch.samples):
            raise ValueError(
                "got images without label maps; the items of a concept set were expected, each"
                " with .image and .masks; pass hx.demo.scenes(...).concepts(), Broden(folder) or"
                " MaskFolder(folder, level=...)"
            )


@dataclass(frozen=True)
class LabelPlan(Plan[ConceptStatistics]):
    """What every image is asked: the sums of its labelled pixels at the layer of each level.

    `layers` pairs levels with layers, coarse to fine (None: the usual pairs), `names` are the
    concept set's at each level, 0 standing for none. `held_out` is the share of images that only
    test, decided by a hash of their key and `seed`, or of what `group` makes of the key for images
    that belong together.
    """

    STATISTICS = ConceptStatistics

    layers: tuple[tuple[str, str], ...] | None
    names: Mapping[str, tuple[str, ...]]
    held_out: float = 0.3
    seed: int = 0
    group: Callable[[str], str] | None = None

    def __post_init__(self) -> None:
        is_held_out("", share=self.held_out, seed=self.seed)

    def scope(self, probe: Probe, batch: Batch) -> ConceptScope:
        """Return what the sums belong to, found on a first image."""
        classifier, x = probe.classifier, batch.x[:1]
        paired = None if self.layers is None else dict(self.layers)
        layers = layers_of_levels(paired, tuple(self.names), probe, x)
        return ConceptScope(
            *names_of(classifier, classifier.logits(x).shape[1]),
            levels=tuple(Level(n, layer, tuple(self.names[n][1:])) for n, layer in layers),
            held_out=self.held_out,
            seed=self.seed,
        )

    def extractor(self, probe: Probe, scope: ConceptScope) -> LabelExtractor:
        """Return what asks the network."""
        return LabelExtractor(probe, scope, self.group)


class LabelExtractor(Extractor[LabelBatch]):
    """Asks a network for the vectors of labelled pixels at its layers."""

    def __init__(
        self, probe: Probe, scope: ConceptScope, group: Callable[[str], str] | None = None
    ) -> None:
        self._probe = probe
        self._scope = scope
        self._group = group
        self._framing = Framing(probe.classifier)
        self._gates_of: dict[tuple[int, ...], LayerGates] = {}

    def _extract(self, batch: Batch) -> LabelBatch:
        maps = self._maps(batch.x)
        return LabelBatch(
            [
                self._image(sample, {name: m[i] for name, m in maps.items()})
                for i, sample in enumerate(batch.samples)
            ]
        )

    def _joined(self, batch: Batch, first: LabelBatch, second: LabelBatch) -> LabelBatch:
        return LabelBatch([*first.images, *second.images])

    def _maps(self, x: Float[Tensor, "n c h w"]) -> dict[str, Tensor]:
        shape = tuple(x.shape[1:])
        layers = {level.layer.name for level in self._scope.levels}
        with visiting(self._probe.classifier.model), torch.no_grad():
            if shape not in self._gates_of:
                self._gates_of[shape] = gated(self._probe, x[:2], sorted(layers))
            forward = self._gates_of[shape].take(x)
        self._probe.classifier.check_logits(forward.logits, x)
        maps = {name: _exact(forward.maps[name]) for name in layers}
        for name, own in maps.items():
            check_finite(f"the layer {name} gives", own)
        return maps

    def _image(
        self, sample: Sample, maps: Mapping[str, Float[Tensor, "k h w"]]
    ) -> dict[str, LabelStatistics | HeldOut]:
        item, size = sample.item, (sample.x.shape[2], sample.x.shape[3])
        key = item.key if self._group is None else self._group(item.key)
        held = is_held_out(key, share=self._scope.held_out, seed=self._scope.seed)
        levels: dict[str, LabelStatistics | HeldOut] = {}
        for level in self._scope.levels:
            labels = label_maps(item, level.name, ("", *level.concepts))
            if not labels:
                continue
            own = maps[level.layer.name]
            pixels = labelled_pixels(
                labels,
                (own.shape[1], own.shape[2]),
                limit=size,
                window=self._framing.of(sample.item.image),
            )
            if pixels.known.any():
                levels[level.name] = self._kept(own, pixels, sample) if held else _sums(own, pixels)
        return levels

    def _kept(
        self, maps: Float[Tensor, "k h w"], pixels: LabelledPixels, sample: Sample
    ) -> HeldOut:
        return HeldOut(maps.float().cpu().numpy(), pixels, sample.key)


def _exact(values: Tensor) -> Tensor:
    """Return values in float64, on the CPU where the device has none."""
    return (values.cpu() if values.device.type == "mps" else values).double()


def _sums(maps: Float[Tensor, "k h w"], pixels: LabelledPixels) -> LabelStatistics:
    """Return the sums of one image, by the adjoint of the interpolation to its labels."""
    which = np.stack([pixels.known, *(pixels.of(label) for label in pixels.present)])
    weights = torch.from_numpy(which * np.float64(pixels.area)).to(maps.device)
    interpolation = Interpolation.of((maps.shape[1], maps.shape[2]), pixels.size, maps.device)
    masses = interpolation.masses(weights)
    sums = torch.einsum("phw,khw->pk", masses, maps).cpu().numpy()
    area = weights.sum((1, 2)).cpu().numpy()
    gram = interpolation.gram(maps, weights[0]).cpu().numpy()
    labels = np.array(pixels.present, np.int64)
    return LabelStatistics(gram, sums[0], float(area[0]), labels, sums[1:], area[1:])
