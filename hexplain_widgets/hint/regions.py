"""Which places of a layer answer for which concepts, batch of images by batch (HINT, Alg. 1)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor

from ..arguments import at_least_one, check_finite, one_of, share
from ..data.samples import Batch
from ..evidence import Concept, Layer
from ..fitting.exemplars import Strength, peaks_of
from ..fitting.passes import Extractor
from ..fitting.states import Settings
from ..fitting.statistics import Scope
from ..network.classifier import Classifier
from ..network.gating import ForwardCache, LayerGates, gated, in_batches, rows_at_once
from ..network.gradients import GuidedReLU
from ..network.guest import visiting
from ..network.probe import Probe
from ..network.segments import gradients_of

Saliency = Literal[
    "gradient", "gradient_x_input", "guided_backpropagation", "integrated_gradients", "smoothgrad"
]
Aggregate = Literal["norm", "positive_norm", "sum", "max", "abs_sum", "abs_max"]
Normalization = Literal["percentile", "minimum_maximum"]
# Standard deviation of SmoothGrad's noise as a share of the image's range (Smilkov et al. 2017).
NOISE = 0.15
# Above this percentile a saliency map is cut off before it is normalised.
CUT = 0.99
# A map that differs less over space than this share of its size is the same everywhere.
CONSTANT = 1e-4
# Shuffled places that move the logits by less than this share of what other maps do are alike.
ALIKE = 0.02
AGGREGATES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "norm": lambda s: s.norm(dim=1),
    "positive_norm": lambda s: s.clamp(min=0).norm(dim=1),
    "sum": lambda s: s.sum(1),
    "max": lambda s: s.amax(1),
    "abs_sum": lambda s: s.abs().sum(1),
    "abs_max": lambda s: s.abs().amax(1),
}


@dataclass(frozen=True)
class ConceptPairs:
    """Images asked about concepts: pair `p` asks image `image[p]` about classes `member[p]`."""

    image: Int[Tensor, " p"]
    member: Bool[Tensor, "p c"]

    def __len__(self) -> int:
        return len(self.image)

    def turns(self, images: Int[Tensor, " r"]) -> list[Int[Tensor, " t"]]:
        """Return the pairs of these images: the first of each, then the second of each, ..."""
        turns: list[list[int]] = []
        seen = dict.fromkeys(images.tolist(), 0)
        for p, image in enumerate(self.image.tolist()):
            if image in seen:
                turn, seen[image] = seen[image], seen[image] + 1
                if turn == len(turns):
                    turns.append([])
                turns[turn].append(p)
        return [torch.tensor(turn, device=self.image.device) for turn in turns]


def concept_logits(
    logits: Float[Tensor, "p c"], member: Bool[Tensor, "p c"]
) -> Float[Tensor, " p"]:
    """Return the logit of each row's concept: the logsumexp of its classes' logits."""
    return logits.masked_fill(~member, -torch.inf).logsumexp(1)


class LayerSaliency:
    """Saliency of concepts, stopped at a layer instead of at the pixels.

    `samples` counts SmoothGrad's noisy copies and the steps of integrated gradients. At layers in
    `multiplied` the gradient knows no place: there it is multiplied by the layer's maps.
    Call everything but the constructor inside `guest.visiting`.
    """

    def __init__(
        self,
        probe: Probe,
        layers: Sequence[str],
        method: Saliency,
        *,
        samples: int,
        seed: int,
        multiplied: Sequence[str] = (),
    ) -> None:
        self._probe = probe
        self._layers = tuple(layers)
        self._method = method
        self._samples = samples
        self._seed = seed
        self._multiplied = frozenset(multiplied)
        self._gates_of: dict[tuple[int, ...], LayerGates] = {}

    def take(self, x: Float[Tensor, "n ch h w"], *, unclipped: bool = False) -> ForwardCache:
        """Run the network once on a batch of images, without gradients; see `LayerGates.take`."""
        with torch.no_grad():
            return self._gates(x).take(x, unclipped=unclipped)

    def _gates(self, x: Tensor) -> LayerGates:
        shape = tuple(x.shape[1:])
        if shape not in self._gates_of:
            with torch.no_grad():
                self._gates_of[shape] = gated(self._probe, x[:2], self._layers)
        return self._gates_of[shape]

    def of(
        self,
        x: Float[Tensor, "n ch H W"],
        keys: Sequence[bytes],
        forward: ForwardCache,
        pairs: ConceptPairs,
    ) -> dict[str, Float[Tensor, "p _k _h _w"]]:
        """Return the saliency of every pair at every layer; `keys` identify the images."""
        if self._method == "smoothgrad":
            saliency = self._smooth(x, keys, pairs)
        else:
            saliency = _METHODS[self._method](self, x, forward, pairs)
        return {
            n: s * forward.maps[n][pairs.image] if n in self._multiplied else s
            for n, s in saliency.items()
        }

    def _smooth(
        self, x: Tensor, keys: Sequence[bytes], pairs: ConceptPairs
    ) -> dict[str, Float[Tensor, "p _k _h _w"]]:
        """SmoothGrad as the paper changes it: the mean of d f^e(x') / d z' over noisy x'."""
        mean: dict[str, Tensor] = {}
        spread = NOISE * (x.amax((1, 2, 3)) - x.amin((1, 2, 3)))
        for noise in self._noises(x, keys):
            noisy = x + spread[:, None, None, None] * noise
            forward = self.take(noisy)
            for name, gradient in self._gradients(noisy, forward, pairs).items():
                part = gradient / self._samples
                mean[name] = mean[name] + part if name in mean else part
        return mean

    def _noises(self, x: Tensor, keys: Sequence[bytes]) -> Any:
        draws = [torch.Generator().manual_seed(_seed(key, self._seed)) for key in keys]
        for _ in range(self._samples):
            each = [torch.randn(x.shape[1:], generator=draw, dtype=torch.float32) for draw in draws]
            yield torch.stack(each).to(x.device, x.dtype)

    def _gradients(
        self,
        x: Tensor,
        forward: ForwardCache,
        pairs: ConceptPairs,
        mode: AbstractContextManager[Any] | None = None,
    ) -> dict[str, Float[Tensor, "p k h w"]]:
        """Return d f^e / d z of every pair at every layer: at once where layers are linked."""
        upwards = self._layers[::-1]
        linked = self._gates(x).linked(upwards)
        if linked is None:
            return {n: self.gradient(x, forward, n, pairs, mode=mode) for n in self._layers}
        step = rows_at_once(forward.maps[upwards[0]])
        of_layer = {n: m.new_zeros(len(pairs), *m.shape[1:]) for n, m in forward.maps.items()}
        for images in torch.arange(len(x), device=x.device).split(step):
            with torch.enable_grad(), mode or nullcontext():
                rows = forward.maps[upwards[0]][images].detach().requires_grad_()
                maps, logits = linked(forward, images, rows)
            self._backwards(pairs, images, maps, logits, [of_layer[n] for n in upwards])
        return of_layer

    def _backwards(
        self,
        pairs: ConceptPairs,
        images: Int[Tensor, " r"],
        maps: Sequence[Tensor],
        logits: Float[Tensor, "r c"],
        of_layer: Sequence[Tensor],
    ) -> None:
        """Go back once for the first concept of all images, then for their second, and so on."""
        turns = pairs.turns(images)
        for i, some in enumerate(turns):
            row = pairs.image[some] - images[0]
            with torch.enable_grad():
                value = concept_logits(_in_full(logits)[row], pairs.member[some]).sum()
            more = i < len(turns) - 1
            gradients = gradients_of(value, *maps, again=more)
            for kept, gradient in zip(of_layer, gradients, strict=True):
                kept[some] = gradient[row]

    def gradient(
        self,
        x: Tensor,
        forward: ForwardCache,
        layer: str,
        pairs: ConceptPairs,
        *,
        at: float = 1.0,
        mode: AbstractContextManager[Any] | None = None,
    ) -> Float[Tensor, "p k h w"]:
        """Return d f^e / d z of every pair, with the layer's maps scaled by `at`."""
        gates, maps = self._gates(x), forward.maps[layer]

        def run(part: slice) -> Tensor:
            image = pairs.image[part]
            rows = (at * maps[image]).detach().requires_grad_()
            with torch.enable_grad(), mode or nullcontext():
                logits = gates.behind(forward, layer, image, rows)
                value = concept_logits(_in_full(logits), pairs.member[part]).sum()
            return gradients_of(value, rows)[0]

        return in_batches(run, len(pairs), rows_at_once(maps))

    def shuffled(self, x: Tensor, forward: ForwardCache, layer: str) -> float:
        """Return how far shuffling the places of random maps moves the logits.

        As a share of how far other random maps do; infinite where those do not move them either.
        """
        maps = _random_like(forward.maps[layer][:1])
        image = torch.zeros(len(maps), dtype=torch.long, device=maps.device)
        with torch.no_grad():
            one, moved, other = _in_full(self._gates(x).behind(forward, layer, image, maps))
        apart = float((other - one).abs().max())
        return float((moved - one).abs().max()) / apart if apart > 0 else math.inf

    def _gradient_x_input(
        self, x: Tensor, forward: ForwardCache, pairs: ConceptPairs
    ) -> dict[str, Tensor]:
        gradients = self._gradients(x, forward, pairs)
        return {n: g * forward.maps[n][pairs.image] for n, g in gradients.items()}

    def _guided(self, x: Tensor, forward: ForwardCache, pairs: ConceptPairs) -> dict[str, Tensor]:
        return self._gradients(x, forward, pairs, GuidedReLU())

    def _integrated(
        self, x: Tensor, forward: ForwardCache, pairs: ConceptPairs
    ) -> dict[str, Tensor]:
        """The path runs from an empty layer to its maps; steps are forward at their middles."""
        steps = [(i + 0.5) / self._samples for i in range(self._samples)]
        return {
            n: sum(self.gradient(x, forward, n, pairs, at=at) for at in steps)
            / self._samples
            * maps[pairs.image]
            for n, maps in forward.maps.items()
        }


_METHODS: Mapping[str, Callable[..., dict[str, Tensor]]] = {
    "gradient": LayerSaliency._gradients,
    "gradient_x_input": LayerSaliency._gradient_x_input,
    "guided_backpropagation": LayerSaliency._guided,
    "integrated_gradients": LayerSaliency._integrated,
}


# Methods that hold no factor of the layer's maps: they know no place where the gradient has none.
PLAIN = ("gradient", "guided_backpropagation", "smoothgrad")


def _in_full(logits: Tensor) -> Tensor:
    return logits if logits.dtype is torch.float64 else logits.float()


def _seed(key: bytes, seed: int) -> int:
    digest = hashlib.blake2b(key + str(seed).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def layers_without_place(
    probe: Probe, x: Float[Tensor, "1 ch h w"], layers: Sequence[str]
) -> tuple[str, ...]:
    """Return the layers behind which places are not told apart: shuffled, they give the same.

    So it is where global pooling follows, whatever else is done place by place in between. The
    gradient there is the same everywhere, or knows only which units behind a place are open. It is
    looked for on random maps: an image's own may be 0, or alike everywhere.
    """
    saliency = LayerSaliency(probe, layers, "gradient", samples=1, seed=0)
    with visiting(probe.classifier.model):
        forward = saliency.take(x)
        return tuple(n for n in layers if saliency.shuffled(x, forward, n) <= ALIKE)


def _random_like(maps: Float[Tensor, "1 k h w"]) -> Float[Tensor, "3 k h w"]:
    """Return random maps, the same with their places shuffled, and others."""
    draw = torch.Generator().manual_seed(0)
    noise = torch.randn((2, *maps.shape[1:]), generator=draw, dtype=torch.float32)
    order = torch.randperm(noise[0, 0].numel(), generator=draw)
    moved = noise[:1].flatten(2)[..., order].view_as(noise[:1])
    three = torch.cat([noise[:1], moved, noise[1:]]).to(maps.device, maps.dtype)
    return three * (float(maps.float().square().mean().sqrt()) or 1.0)


def responsibility(
    saliency: Float[Tensor, "p k h w"],
    aggregate: Aggregate,
    normalize: Normalization = "percentile",
) -> Float[Tensor, "p h w"]:
    """Return saliency over channels as one map in 0..1; a flat map is 0 everywhere.

    0 is the map's minimum, 1 its 99th percentile, at which it is clipped, or its maximum.
    """
    summed = AGGREGATES[aggregate](saliency.double() if saliency.device.type != "mps" else saliency)
    flat = summed.flatten(1)
    low, high = flat.amin(1), _cut(flat) if normalize == "percentile" else flat.amax(1)
    span = high - low
    usable = span > CONSTANT * torch.maximum(high.abs(), low.abs())
    scaled = ((flat - low[:, None]) / span.where(usable, torch.ones_like(span))[:, None]).clamp(
        0, 1
    )
    return (scaled * usable[:, None]).view(summed.shape)


def _cut(flat: Float[Tensor, "p s"]) -> Float[Tensor, " p"]:
    """Return the 99th percentile of each row, between its neighbours where it falls between two.

    By the few values above it: `torch.quantile` sorts all, and takes no more than 2**24 of them.
    """
    last = flat.shape[1] - 1
    above = last - int(CUT * last)
    top = flat.topk(above + 1, dim=1).values
    below, beside = top[:, above], top[:, max(above - 1, 0)]
    return below + (beside - below) * (CUT * last - int(CUT * last))


@dataclass(frozen=True)
class RegionSettings:
    """How responsible regions are determined, and how many vectors of each concept are kept."""

    saliency: Saliency
    aggregate: Aggregate
    threshold: float
    samples: int
    vectors: int
    seed: int
    normalize: Normalization = "percentile"


@dataclass(frozen=True)
class RegionScope(Scope):
    """What region vectors belong to: only those of one network, hierarchy and finding add up.

    In `multiplied` layers gradient times input stands for a gradient without a place.
    """

    layers: tuple[Layer, ...]
    concepts: tuple[Concept, ...]
    finding: RegionSettings
    multiplied: tuple[str, ...]

    @cached_property
    def member(self) -> Bool[np.ndarray, "e c"]:
        """Which classes each concept is."""
        member = np.zeros((len(self.concepts), len(self.names)), dtype=bool)
        for row, concept in zip(member, self.concepts, strict=True):
            row[list(concept.classes)] = True
        return member

    def aspects(self) -> dict[str, object]:
        """Return by name what has to be the same for region vectors to add up."""
        return super().aspects() | {
            "choice of layers": [(n.name, n.shape[0]) for n in self.layers],
            "hierarchy": [(c.name, c.parents, c.classes) for c in self.concepts],
            "way of finding regions": self.finding,
            "choice of layers whose gradient has no place": self.multiplied,
        }

    @classmethod
    def _converted(cls, settings: Settings) -> Settings:
        concepts = (
            Concept(str(c["name"]), tuple(map(str, c["parents"])), tuple(map(int, c["classes"])))
            for c in settings["concepts"]
        )
        return {
            "layers": tuple(map(Layer.of, settings["layers"])),
            "concepts": tuple(concepts),
            "finding": _finding(settings["finding"]),
            "multiplied": tuple(map(str, settings["multiplied"])),
        }


def _finding(settings: Settings) -> RegionSettings:
    return RegionSettings(
        saliency=one_of("saliency", settings["saliency"], get_args(Saliency)),
        aggregate=one_of("aggregate", settings["aggregate"], get_args(Aggregate)),
        threshold=share("threshold", settings["threshold"]),
        samples=at_least_one("samples", settings["samples"]),
        vectors=at_least_one("vectors", settings["vectors"]),
        seed=int(settings["seed"]),
        normalize=one_of(
            "normalize", settings.get("normalize", "percentile"), get_args(Normalization)
        ),
    )


class RegionMaps:
    """Where a layer of one network is responsible for a class, as a Hint finds its regions."""

    def __init__(self, classifier: Classifier, scope: RegionScope, layer: str) -> None:
        self._finding, self.layer, self._classifier = scope.finding, layer, classifier
        self._saliency = LayerSaliency(
            Probe(classifier),
            [layer],
            scope.finding.saliency,
            samples=scope.finding.samples,
            seed=scope.finding.seed,
            multiplied=[name for name in scope.multiplied if name == layer],
        )

    def of(
        self, x: Float[Tensor, "1 ch H W"], index: int, key: bytes = b""
    ) -> Float[np.ndarray, "h w"]:
        """Return the responsibility of the layer's places for a class, 0 to 1 (Alg. 1, step 1).

        `key` identifies the image, for what is drawn at random.
        """
        with visiting(self._classifier.model):
            forward = self._saliency.take(x)
            member = torch.zeros_like(forward.logits[:1], dtype=torch.bool)
            member[0, index] = True
            first = torch.zeros(1, dtype=torch.int64, device=x.device)
            saliency = self._saliency.of(x, [key], forward, ConceptPairs(first, member))[self.layer]
            maps = responsibility(saliency, self._finding.aggregate, self._finding.normalize)
        return np.asarray(maps[0].double().cpu().numpy())


@dataclass(frozen=True)
class LayerRegions:
    """A batch of images at one layer: a vector for each place, and which answer for which pair.

    `highest` are the channels' maxima, `places` where they are, as fractions `(y, x)`: before the
    layer's upper clip where it has one.
    """

    vectors: Float32[np.ndarray, "n s k"]
    responsible: Bool[np.ndarray, "p s"]
    highest: Strength
    places: Float[np.ndarray, "n k 2"]

    def joined(self, other: LayerRegions) -> LayerRegions:
        """Return those of the images of both, these first."""
        return LayerRegions(
            np.concatenate([self.vectors, other.vectors]),
            np.concatenate([self.responsible, other.responsible]),
            self.highest.joined(other.highest),
            np.concatenate([self.places, other.places]),
        )


@dataclass(frozen=True)
class RegionBatch:
    """What one batch gave: `image` and `concept` of every pair, and what each layer holds."""

    image: Int[np.ndarray, " p"]
    concept: Int[np.ndarray, " p"]
    layers: Mapping[str, LayerRegions]
    keys: tuple[bytes, ...]
    images: Batch

    def __len__(self) -> int:
        return len(self.images)


class RegionExtractor(Extractor[RegionBatch]):
    """Asks a network which places of its layers are responsible for the concepts of an image."""

    def __init__(self, probe: Probe, scope: RegionScope) -> None:
        self._probe = probe
        self._scope = scope
        finding = scope.finding
        self._saliency = LayerSaliency(
            probe,
            [n.name for n in scope.layers],
            finding.saliency,
            samples=finding.samples,
            seed=finding.seed,
            multiplied=scope.multiplied,
        )

    def _extract(self, batch: Batch) -> RegionBatch:
        keys = tuple(s.key for s in batch.samples)
        with visiting(self._probe.classifier.model):
            forward = self._saliency.take(batch.x, unclipped=True)
            self._probe.classifier.check_logits(forward.logits, batch.x)
            image, concept = self._pairs(batch, forward.logits)
            pairs = ConceptPairs(
                torch.from_numpy(image).to(batch.x.device),
                torch.from_numpy(self._scope.member[concept]).to(batch.x.device),
            )
            saliency = self._saliency.of(batch.x, keys, forward, pairs) if len(pairs) else {}
            layers = {n: self._in_layer(n, forward, saliency.get(n)) for n in forward.maps}
        return RegionBatch(image, concept, layers, keys, batch)

    def _joined(self, batch: Batch, first: RegionBatch, second: RegionBatch) -> RegionBatch:
        layers = {name: one.joined(second.layers[name]) for name, one in first.layers.items()}
        image = np.concatenate([first.image, second.image + len(first)])
        concept = np.concatenate([first.concept, second.concept])
        return RegionBatch(image, concept, layers, first.keys + second.keys, batch)

    def _pairs(self, batch: Batch, logits: Tensor) -> tuple[np.ndarray, np.ndarray]:
        decided = self._probe.classifier.findings(logits)
        each = [
            own if s.labels is None else s.labels
            for s, own in zip(batch.samples, decided, strict=True)
        ]
        member = self._scope.member
        image, concept = np.nonzero([member[:, list(classes)].any(1) for classes in each])
        return image, concept

    def _in_layer(self, name: str, forward: ForwardCache, saliency: Tensor | None) -> LayerRegions:
        maps, unclipped = forward.maps[name], forward.unclipped.get(name)
        check_finite(f"the layer {name} gives", maps, saliency, of="values or gradients")
        finding = self._scope.finding
        rows, columns = maps.shape[2:]
        if saliency is None:
            responsible = np.zeros((0, rows * columns), dtype=bool)
        else:
            scaled = responsibility(saliency, finding.aggregate, finding.normalize)
            responsible = (scaled.flatten(1) >= finding.threshold).cpu().numpy()
        vectors = maps.float().flatten(2).transpose(1, 2).contiguous().cpu().numpy()
        places = _places(maps if unclipped is None else unclipped)
        return LayerRegions(vectors, responsible, peaks_of(maps, unclipped), places)


def _places(maps: Float[Tensor, "n k h w"]) -> Float[np.ndarray, "n k 2"]:
    """Return where each map is highest, as fractions `(y, x)` of its height and width."""
    rows, columns = maps.shape[2:]
    at = maps.float().flatten(2).argmax(2)
    places = torch.stack([(at // columns + 0.5) / rows, (at % columns + 0.5) / columns], 2)
    return np.asarray(places.double().cpu().numpy())
