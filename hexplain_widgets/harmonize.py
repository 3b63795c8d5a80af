"""Concepts as directions of a layer: sparse regression of labels on its vectors (CHAIN, Eq. 1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .concept_sums import ConceptSums, HeldOut, LabelledSums, Level, LevelSums, Origin, Seen
from .concepts import is_held_out, label_maps
from .evidence import Layer
from .framing import Framing
from .gated import Gated, gated
from .guest import visiting
from .interpolation import Interpolation
from .labelled_pixels import LabelledPixels, labelled_pixels
from .level_layers import layers_of_levels
from .probe import Probe
from .provenance import fingerprint
from .resampling import WHOLE, Window
from .samples import Batch, Sample
from .sparse import Quadratic, lasso
from .states import Arrays, Settings

NEVER = "no pixel of the fitted images is labelled with it"
ALWAYS = "every labelled pixel of the fitted images carries it"
LOST = "no channel is left at this sparsity"
UNTESTED = "no held-out pixel is labelled with it"
USELESS = "its map finds held-out pixels no better than chance"
# A window that differs less from the whole image, in shares of its sides, is the whole image.
NEARLY = 0.003
# Relative duality gap at which weights are done.
TOLERANCE = 1e-7


@dataclass(frozen=True, eq=False)
class Harmonized:
    """The concepts of one level as directions of its layer.

    `weights[e]` and `bias[e]` make the map of a concept (Eq. 4): 1 on average where it is, 0 on
    average elsewhere. `precision` is the average precision on held-out pixels, `chance` that of a
    guess, the share of these that the concept covers; NaN where nothing is held out. `images`
    counts fitted images with the concept. `flags` say by name what makes a concept doubtful;
    `usable` are those with a direction.
    """

    level: str
    layer: Layer
    concepts: tuple[str, ...]
    weights: Float[np.ndarray, "e k"]
    bias: Float[np.ndarray, " e"]
    precision: Float[np.ndarray, " e"]
    chance: Float[np.ndarray, " e"]
    images: Int[np.ndarray, " e"]
    flags: Mapping[str, str]

    @property
    def usable(self) -> Bool[np.ndarray, " e"]:
        """Which concepts have a direction."""
        return np.asarray(self.weights.any(axis=1))

    def map_of(self, maps: Float[np.ndarray, "k h w"], concept: int) -> Float[np.ndarray, "h w"]:
        """Return a concept's map in an image from the layer's maps (Eq. 4)."""
        found = np.tensordot(self.weights[concept], maps, 1) + self.bias[concept]
        return np.asarray(found)


def harmonized(sums: LevelSums, *, sparsity: float) -> Harmonized:
    """Return every concept of a level as a direction, from gathered sums.

    All labelled pixels make one Gram matrix, in which every pixel counts by its area, as in Eq. 1;
    concept and rest count equally in the bias and the scale, through their means. (A Gram of each
    concept, in which its few pixels have half the weight, gives directions of lower average
    precision, 0.02 to 0.06 on the embedded world, and takes K² numbers a concept.) `sparsity` is
    relative to the smallest penalty that makes every weight zero. Raises ValueError where no fitted
    image is labelled at this level.
    """
    known = float(sums.known[0])
    if known == 0:
        raise ValueError(
            f"no image for fitting is labelled at the level {sums.level.name!r}"
            f" ({int(sums.labelled[1])} are held out); at least one was expected; leave the level"
            " out, or give more images"
        )
    share, mean = sums.area / known, sums.sums / known
    usable = (sums.area > 0) & (sums.area < known * (1 - 1e-12))
    weights = np.zeros_like(sums.positive)
    if usable.any():
        weights[usable] = lasso(
            _quadratic(sums, share[usable], mean, usable), sparsity, tolerance=TOLERANCE
        ).weights
    weights, bias = _scaled(sums, weights)
    precision = _precision(sums, weights)
    chance = _over(sums.held_area, np.broadcast_to(sums.held_known, sums.held_area.shape))
    plain = Harmonized(
        sums.level.name, sums.level.layer, sums.level.concepts, weights, bias, precision, chance,
        sums.images.copy(), {},
    )  # fmt: skip
    return replace(plain, flags=_flags(plain, sums, known))


def _quadratic(
    sums: LevelSums,
    share: Float[np.ndarray, " u"],
    mean: Float[np.ndarray, " k"],
    usable: Bool[np.ndarray, " e"],
) -> Quadratic:
    known = float(sums.known[0])
    gram = sums.gram / known - np.outer(mean, mean)
    linear = sums.positive[usable] / known - share[:, None] * mean
    return Quadratic(gram[None], linear, share * (1 - share))


def _scaled(
    sums: LevelSums, weights: Float[np.ndarray, "e k"]
) -> tuple[Float[np.ndarray, "e k"], Float[np.ndarray, " e"]]:
    """Scale maps so that the mean over a concept's pixels is 1 and over the others 0."""
    rest = sums.known[0] - sums.area
    inside = _over((weights * sums.positive).sum(1), sums.area)
    outside = _over((weights * (sums.sums - sums.positive)).sum(1), rest)
    apart = np.where(weights.any(axis=1), inside - outside, 1.0)
    return weights / apart[:, None], np.nan_to_num(-outside / apart)


def _over(value: Float[np.ndarray, " e"], by: Float[np.ndarray, " e"]) -> Float[np.ndarray, " e"]:
    return np.asarray(np.divide(value, by, out=np.full(len(value), np.nan), where=by > 0))


def _precision(sums: LevelSums, weights: Float[np.ndarray, "e k"]) -> Float[np.ndarray, " e"]:
    found = sums.samples.precision(weights, sums.held_area, float(sums.held_known[0]))
    return np.where(weights.any(axis=1), found, np.nan)


def _flags(found: Harmonized, sums: LevelSums, known: float) -> dict[str, str]:
    reasons = (
        (NEVER, sums.area == 0),
        (ALWAYS, sums.area >= known * (1 - 1e-12)),
        (LOST, ~found.usable),
        (UNTESTED, np.isnan(found.precision)),
        (USELESS, found.precision <= found.chance),
    )
    flags: dict[str, str] = {}
    for reason, which in reasons:
        for e in np.flatnonzero(which):
            flags.setdefault(found.concepts[e], reason)
    return flags


@dataclass(frozen=True)
class LabelQuestion:
    """What every image is asked: the sums of its labelled pixels at the layer of each level.

    `layers` pairs levels with layers, coarse to fine (None: the usual pairs), `names` are the
    concept set's at each level, 0 standing for none. `held_out` is the share of images that only
    test, decided by a hash of their key and `seed`, or of what `group` makes of the key for images
    that belong together.
    """

    layers: tuple[tuple[str, str], ...] | None
    names: Mapping[str, tuple[str, ...]]
    held_out: float = 0.3
    seed: int = 0
    group: Callable[[str], str] | None = None

    def __post_init__(self) -> None:
        is_held_out("", share=self.held_out, seed=self.seed)

    def origin(self, probe: Probe, batch: Batch) -> Origin:
        """Return what the sums belong to, found on a first image."""
        classifier, x = probe.classifier, batch.x[:1]
        paired = None if self.layers is None else dict(self.layers)
        found = layers_of_levels(paired, tuple(self.names), probe, x)
        levels = tuple(Level(n, layer, tuple(self.names[n][1:])) for n, layer in found)
        count = classifier.logits(x).shape[1]
        return Origin(
            network=fingerprint(classifier.model), model=type(classifier.model).__name__,
            names=tuple(classifier.name(i) for i in range(count)), levels=levels,
            held_out=self.held_out, seed=self.seed,
        )  # fmt: skip

    def asker(self, probe: Probe, origin: Origin) -> LabelledLayers:
        """Return what asks the network."""
        return LabelledLayers(probe, origin, self.group)

    def empty(self, origin: Origin) -> ConceptSums:
        """Return sums without an image."""
        return ConceptSums(origin)

    def restored(self, settings: Settings, arrays: Arrays) -> ConceptSums:
        """Return the sums of a saved state."""
        return ConceptSums.from_state(settings, arrays)


class LabelledLayers:
    """Asks a network for the vectors of labelled pixels at its layers."""

    def __init__(
        self, probe: Probe, origin: Origin, group: Callable[[str], str] | None = None
    ) -> None:
        self._probe = probe
        self._origin = origin
        self._group = group
        self._framing = Framing(probe.classifier)
        self._ways: dict[tuple[int, ...], Gated] = {}

    def of(self, batch: Batch) -> Seen:
        """Return the sums of a batch, half by half where it does not fit in memory.

        Raises ValueError for values that are not finite and labels that are none.
        """
        try:
            maps = self._maps(batch.x)
        except torch.cuda.OutOfMemoryError:
            if len(batch) == 1:
                raise
            torch.cuda.empty_cache()
            return Seen([image for half in batch.halves() for image in self.of(half).images])
        return Seen([
            self._image(sample, {name: m[i] for name, m in maps.items()})
            for i, sample in enumerate(batch.samples)
        ])  # fmt: skip

    def _maps(self, x: Float[Tensor, "n c h w"]) -> dict[str, Tensor]:
        shape = tuple(x.shape[1:])
        layers = {level.layer.name for level in self._origin.levels}
        with visiting(self._probe.classifier.model), torch.no_grad():
            if shape not in self._ways:
                self._ways[shape] = gated(self._probe, x[:2], sorted(layers))
            taken = self._ways[shape].take(x)
        self._probe.classifier.check_logits(taken.logits, x)
        found = {name: _exact(taken.maps[name]) for name in layers}
        for name, maps in found.items():
            if not bool(torch.isfinite(maps).all()):
                raise ValueError(
                    f"the layer {name} gives NaN or infinite values; expected finite numbers; check"
                    " the weights, or run the network in float32 with model.float()"
                )
        return found

    def _image(
        self, sample: Sample, maps: Mapping[str, Float[Tensor, "k h w"]]
    ) -> dict[str, LabelledSums | HeldOut]:
        item, size = sample.item, (sample.x.shape[2], sample.x.shape[3])
        key = item.key if self._group is None else self._group(item.key)
        held = is_held_out(key, share=self._origin.held_out, seed=self._origin.seed)
        found: dict[str, LabelledSums | HeldOut] = {}
        for level in self._origin.levels:
            labels = label_maps(item, level.name, ("", *level.concepts))
            if not labels:
                continue
            own = maps[level.layer.name]
            pixels = labelled_pixels(
                labels, (own.shape[1], own.shape[2]), limit=size, window=self._window(sample)
            )
            if pixels.known.any():
                found[level.name] = self._kept(own, pixels, sample) if held else _sums(own, pixels)
        return found

    def _window(self, sample: Sample) -> Window:
        window = self._framing.window((sample.item.image.height, sample.item.image.width))
        return WHOLE if np.allclose(window, WHOLE, rtol=0, atol=NEARLY) else window

    def _kept(
        self, maps: Float[Tensor, "k h w"], pixels: LabelledPixels, sample: Sample
    ) -> HeldOut:
        return HeldOut(maps.float().cpu().numpy(), pixels, sample.key)


def _exact(values: Tensor) -> Tensor:
    """Return values in float64, on the CPU where the device has none."""
    return (values.cpu() if values.device.type == "mps" else values).double()


def _sums(maps: Float[Tensor, "k h w"], pixels: LabelledPixels) -> LabelledSums:
    """Return the sums of one image, by the adjoint of the interpolation to its labels."""
    which = np.stack([pixels.known, *(pixels.of(label) for label in pixels.present)])
    weights = torch.from_numpy(which * np.float64(pixels.area)).to(maps.device)
    interpolation = Interpolation.of((maps.shape[1], maps.shape[2]), pixels.size, maps.device)
    masses = interpolation.masses(weights)
    sums = torch.einsum("phw,khw->pk", masses, maps).cpu().numpy()
    area = weights.sum((1, 2)).cpu().numpy()
    gram = interpolation.gram(maps, weights[0]).cpu().numpy()
    labels = np.array(pixels.present, np.int64)
    return LabelledSums(gram, sums[0], float(area[0]), labels, sums[1:], area[1:])
