"""Randomisation tests: whether attribution maps change where the network does (Fig. 8).

Attributions at the pixels, copies of a network with weights drawn anew, and how far maps agree.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.overrides import TorchFunctionMode

from ..arguments import SlowBar, Stop, at_least_one, one_of
from ..data.samples import Sample, batches, length_of
from ..decomposition.decisions import checked_top_k
from ..evidence import Provenance, RandomisationSummary, Settings
from ..evidence.faithfulness import spearman
from ..fitting.passes import until_stopped
from ..hint.engine import Hint
from ..hint.regions import RegionMaps
from ..network.classifier import Classifier
from ..network.gating import drawing, in_batches
from ..network.gradients import GuidedReLU
from ..network.guest import drawing_from, visiting
from ..network.probe import Probe
from ..network.segments import Unit, gradients_of
from ..provenance import versions
from .context import selections
from .faithfulness import standard_error

# Standard deviation of SmoothGrad's noise as a share of the image's range (Smilkov et al. 2017).
NOISE = 0.15
# Noisy copies of SmoothGrad, and steps from black to the image of integrated gradients.
SAMPLES = 20
TOGETHER = 16
GAP, HINT = "gAP", "HINT"
Kind = Callable[["PixelAttribution", Tensor, int, bytes], Tensor]
State = Mapping[str, Tensor]
# Of a network with more layers, so many places of the cascade are looked at.
PLACES = 10
# Of every map so large a share of pixels, its strongest, is looked for among the other map's.
STRONGEST = 0.05
Rows = Float[np.ndarray, "m n"]
Map = Float[np.ndarray, "h w"]


class PixelAttribution:
    """Asks one network which pixels of an image a class's logit goes by.

    `layers` are those that gAP goes down through (default: all stages), `top_k` channels of each
    decision; `seed` is of SmoothGrad's noise. Each of `hints`, a fitted Hint by the name of its
    method, is asked for its layer's responsible places, drawn over the image.
    """

    def __init__(
        self,
        classifier: Classifier,
        *,
        layers: Collection[str] | None = None,
        top_k: int = 3,
        samples: int = SAMPLES,
        seed: int = 0,
        hints: Mapping[str, Hint] | None = None,
    ) -> None:
        self._regions = {n: one.region_maps(classifier) for n, one in (hints or {}).items()}
        self.classifier, self._layers, self._top_k = classifier, layers, top_k
        self._samples, self._seed = samples, seed
        self._probe: Probe | None = None

    def of(
        self, method: str, x: Float[Tensor, "1 c h w"], index: int, key: bytes = b""
    ) -> Float[np.ndarray, "_ h w"]:
        """Return the attribution of a class's logit to every value of a prepared image, signed.

        Of a Hint one value for all colours: its places, drawn over the image.
        `key` identifies the image, for what is drawn at random. Raises ValueError for an unknown
        method and what `Probe.capture` raises.
        """
        if method in self._regions:
            return self._responsible(self._regions[method], x, index, key)
        kind = METHODS[one_of("methods", method, tuple(METHODS))]
        with visiting(self.classifier.model):
            attribution = kind(self, x, index, key)
        return attribution[0].detach().double().cpu().numpy()

    def _responsible(
        self, regions: RegionMaps, x: Tensor, index: int, key: bytes
    ) -> Float[np.ndarray, "1 h w"]:
        """Return responsible regions as they lie over the image, between their places linearly."""
        places = torch.from_numpy(regions.of(x, index, key))[None, None]
        over = interpolate(places, tuple(x.shape[2:]), mode="bilinear", align_corners=False)
        return np.asarray(over[0].numpy())

    def _gradients(
        self, x: Tensor, index: int, mode: AbstractContextManager[Any] | None = None
    ) -> Float[Tensor, "n c h w"]:
        def run(some: slice) -> Tensor:
            pixels = x[some].detach().clone().requires_grad_()
            inside = visiting(self.classifier.model)
            with inside, torch.enable_grad(), mode or nullcontext():
                # a network that changes its input in place may do so with a copy
                value = self.classifier.scores_of(pixels * 1)[:, index].sum()
            return gradients_of(value, pixels)[0]

        return in_batches(run, len(x), TOGETHER)

    def gradient(self, x: Tensor, index: int, key: bytes) -> Tensor:
        """Return the gradient (Simonyan et al. 2014)."""
        return self._gradients(x, index)

    def guided(self, x: Tensor, index: int, key: bytes) -> Tensor:
        """Return guided backpropagation (Springenberg et al. 2015)."""
        return self._gradients(x, index, GuidedReLU())

    def smooth(self, x: Tensor, index: int, key: bytes) -> Tensor:
        """Return the mean gradient of noisy copies (SmoothGrad, Smilkov et al. 2017)."""
        draw = drawing(key, "SmoothGrad", self._seed)
        noise = torch.from_numpy(draw.standard_normal((self._samples, *x.shape[1:])))
        spread = NOISE * (x.max() - x.min())
        return self._gradients(x + spread * noise.to(x), index).mean(0, keepdim=True)

    def integrated(self, x: Tensor, index: int, key: bytes) -> Tensor:
        """Return gradients from black to the image, times their difference.

        Steps are taken at their middles (Integrated Gradients, Sundararajan et al. 2017).
        """
        black, _ = self.classifier.extent(x)
        at = (torch.arange(self._samples, dtype=torch.float64) + 0.5) / self._samples
        path = black + at.to(x)[:, None, None, None] * (x - black)
        return self._gradients(path, index).mean(0, keepdim=True) * (x - black)

    def gap(self, x: Tensor, index: int, key: bytes) -> Tensor:
        """Return the sum of the gradients of all decisions at the data layer (sec. 4.1, Fig. 8).

        The decision is taken apart down to the shallowest layer; every unit that is selected there
        adds its gradient at the pixels, once for each path of the tree that leads to it.
        """
        self._probe = self._probe or Probe(self.classifier)
        capture = self._probe.capture(x, self._layers)
        *_, last = selections(self._probe, capture, index, self._top_k)
        paths: dict[Unit, int] = {}
        for part, count in zip(last.parts, last.paths, strict=True):
            paths[part.unit] = paths.get(part.unit, 0) + count
        total = torch.zeros_like(x)
        segment = self._probe.segment(capture, None, last.layer.name)
        for decision in segment.decide(list(paths)):
            h, w = decision.gradients.shape[2:]
            for i, unit in enumerate(decision.units):
                top, left = decision.offsets[i]
                part_of = total[0, :, top : top + h, left : left + w]
                part_of += paths[unit] * decision.gradients[i]
        return total


METHODS: Mapping[str, Kind] = {
    GAP: PixelAttribution.gap,
    "gradient": PixelAttribution.gradient,
    "SmoothGrad": PixelAttribution.smooth,
    "guided backpropagation": PixelAttribution.guided,
    "integrated gradients": PixelAttribution.integrated,
}


def pixel_map(values: Float[np.ndarray, "c h w"], *, signed: bool) -> Float[np.ndarray, "h w"]:
    """Return one value a pixel: the sum over colours, of absolute values unless `signed`."""
    return (values if signed else np.abs(values)).sum(0)


class _Uses(TorchFunctionMode):
    """Notes in which order a network's tensors are used, by their last use."""

    def __init__(self, known: Iterable[int]) -> None:
        super().__init__()
        self._known = frozenset(known)
        self.order: dict[int, None] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        for value in (*args, *(kwargs or {}).values()):
            if isinstance(value, Tensor) and id(value) in self._known:
                self.order.pop(id(value), None)
                self.order[id(value)] = None
        return func(*args, **(kwargs or {}))


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    """Return the parameters and buffers that are a module's own."""
    own = {**module._parameters, **module._buffers}
    return {name: tensor for name, tensor in own.items() if tensor is not None}


def layers_from_top(model: nn.Module, x: Float[Tensor, "1 c h w"]) -> list[list[str]]:
    """Return the layers with weights that an image passes, the last one first.

    Each is the name of a module with weights, and those of the normalisations that follow it.
    """
    with visiting(model) as network, torch.no_grad():
        modules = network.named_modules()
        owner = {id(t): name for name, m in modules for t in _tensors(m).values()}
        uses = _Uses(owner)
        with uses:
            network(x)
    names = list(dict.fromkeys(owner[tensor] for tensor in reversed(uses.order)))[::-1]
    layers: list[list[str]] = []
    for name in names:
        weights = model.get_submodule(name).parameters(recurse=False)
        if not layers or any(p.ndim > 1 for p in weights):
            layers.append([])
        layers[-1].append(name)
    return layers[::-1]


class RandomisedNetwork:
    """A copy of a network whose topmost layers' weights are drawn anew, as many as are asked for.

    Every module draws as it did when it was made (`reset_parameters`): weights and biases, and the
    statistics of batch norms go back to 0 and 1. What a layer draws depends on `seed` and its place
    alone. `fixed` names modules that cannot draw. The network itself is never touched.
    """

    def __init__(self, model: nn.Module, x: Float[Tensor, "1 c h w"], *, seed: int = 0) -> None:
        self.layers = layers_from_top(model, x)
        with visiting(model) as network:
            self.model = copy.deepcopy(network)
        named = [name for layer in self.layers for name in layer]
        self.fixed = tuple(
            n for n in named if not hasattr(model.get_submodule(n), "reset_parameters")
        )
        own = {name: _state(self.model, name) for name in named}
        fresh = self._drawn(seed)
        self._states = [{n: (own[n], fresh[n]) for n in layer} for layer in self.layers]
        self.turn(0)

    def _drawn(self, seed: int) -> dict[str, State]:
        states: dict[str, State] = {}
        with torch.inference_mode(False):
            for place, layer in enumerate(self.layers):
                with drawing_from(seed * 10**6 + place):
                    states |= {name: self._drawn_anew(name) for name in layer}
        return states

    def _drawn_anew(self, name: str) -> State:
        module = self.model.get_submodule(name)
        if name not in self.fixed:
            for tensor in _tensors(module).values():
                tensor.data = tensor.data.clone()
            module.reset_parameters()  # type: ignore[operator]
        return _state(self.model, name)

    def turn(self, count: int) -> nn.Module:
        """Return the copy with its `count` topmost layers drawn anew, the others as they were."""
        for place, layer in enumerate(self._states):
            for name, (own, fresh) in layer.items():
                wanted = fresh if place < count else own
                for key, tensor in _tensors(self.model.get_submodule(name)).items():
                    tensor.data = wanted[key]
        return self.model


def _state(model: nn.Module, name: str) -> State:
    return {key: tensor.data for key, tensor in _tensors(model.get_submodule(name)).items()}


class _ImageSimilarity(NamedTuple):
    """What one image gave: how its maps agree, a row for each method, a column for each network."""

    correlations: Rows
    shared: Rows
    shares: Float[np.ndarray, "1 n"]
    covered: Float[np.ndarray, "m 1"]


def measure_randomisation(
    model: nn.Module | Classifier,
    images: Any,
    *,
    methods: Sequence[str | Hint] = tuple(METHODS),
    counts: Sequence[int] | None = None,
    layers: Collection[str] | None = None,
    top_k: int = 3,
    samples: int = SAMPLES,
    signed: bool = False,
    other: nn.Module | Classifier | None = None,
    seed: int = 0,
    progress: bool = True,
    stopped: Stop | None = None,
) -> RandomisationSummary:
    """Return how far attribution maps stay as they are when a network's weights are drawn anew.

    `images` is any data of images; each is explained for the class it is named. Copies of the
    network have their topmost layers drawn anew, as many as `counts` says (default: each, or some
    spread evenly over a deep network), cascading from the top down (Adebayo et al. 2018). `methods`
    are some of "gAP", "gradient", "SmoothGrad", "guided backpropagation" and "integrated
    gradients", at the pixels, and fitted Hints, whose responsible regions of the class are drawn
    over the image (HINT, Fig. 5a); `layers` and `top_k` are gAP's, `samples` SmoothGrad's copies
    and the steps of integrated gradients. Maps are sums over colours, of absolute values unless
    `signed`.
    Maps of few pixels correlate less by that alone; so the strongest pixels of all methods' maps,
    as many of each, are counted that stay among the strongest (`shared_strongest`): 5 % of the
    image, or as many as the sparsest map has. `other` is another network of the same classes to
    hold the maps against, as one trained on permuted labels (Adebayo's second test); with it
    `counts` may be empty. An interrupt, or `stopped` saying so, ends it after the images so far.
    Raises ValueError where there is no image, for an unknown method and for numbers of layers that
    the network does not have; what a Classifier raises.
    """
    settings = {
        "layers": layers,
        "top_k": checked_top_k(top_k),
        "samples": at_least_one("samples", samples),
        "seed": seed,
    }
    measurement = _RandomisationPass(Classifier.of(model), methods, counts, other, signed, settings)
    notes: list[str] = []
    rows = list(until_stopped(measurement.each(images, progress), stopped, notes))
    return measurement.summary(rows, notes)


class _RandomisationPass:
    """Asks one network, and copies of it with weights drawn anew, about image after image."""

    def __init__(
        self,
        classifier: Classifier,
        methods: Sequence[str | Hint],
        counts: Sequence[int] | None,
        other: nn.Module | Classifier | None,
        signed: bool,
        settings: Mapping[str, Any],
    ) -> None:
        self.classifier = classifier
        named = _named(methods, classifier)
        self.methods = tuple(named)
        hints = {name: hint for name, hint in named.items() if hint is not None}
        self._requested_counts, self._counts = counts, tuple[int, ...]()
        self._signed, self._settings = signed, {**settings, "hints": hints}
        self._own = self._attribution(classifier)
        self._other = None if other is None else self._attribution(Classifier.of(other))
        self._redrawn: RandomisedNetwork | None = None
        self._anew: dict[int, PixelAttribution] = {}

    def _attribution(self, classifier: Classifier) -> PixelAttribution:
        return PixelAttribution(classifier, **self._settings)

    def each(self, images: Any, progress: bool) -> Iterator[_ImageSimilarity]:
        """Yield how each image's maps agree; `other`'s column is the last."""
        with SlowBar("maps of randomised networks", length_of(images), shown=progress) as bar:
            for batch in batches(images, self.classifier, size=1):
                yield self._similarity(batch.x, batch.samples[0])
                bar.update()

    def _similarity(self, x: Float[Tensor, "1 c h w"], sample: Sample) -> _ImageSimilarity:
        index = int(self.classifier.logits(x)[0].argmax())
        redrawn = self._copy(x)
        before = self._maps(self._own, x, index, sample.key)
        columns = []
        for count in self._counts:
            redrawn.turn(count)
            columns.append(self._maps(self._anew[count], x, index, sample.key))
        if self._other is not None:
            columns.append(self._maps(self._other, x, index, sample.key))
        return _compared(before, columns)

    def _copy(self, x: Tensor) -> RandomisedNetwork:
        """Return the copy of the network; each depth of the cascade is looked into by itself."""
        if self._redrawn is None:
            redrawn = RandomisedNetwork(self.classifier.model, x, seed=int(self._settings["seed"]))
            self._counts = _places(
                self._requested_counts, len(redrawn.layers), self._other is not None
            )
            anew = self.classifier.around(redrawn.model)
            self._anew = {count: self._attribution(anew) for count in self._counts}
            self._redrawn = redrawn
        return self._redrawn

    def _maps(self, attribution: PixelAttribution, x: Tensor, index: int, key: bytes) -> list[Map]:
        return [
            pixel_map(attribution.of(name, x, index, key), signed=self._signed)
            for name in self.methods
        ]

    def summary(
        self, rows: Sequence[_ImageSimilarity], notes: Sequence[str]
    ) -> RandomisationSummary:
        """Return what all images gave, each mean over the images where it is defined."""
        if not rows or self._redrawn is None:
            raise ValueError(
                "got no image; expected at least one; pass an image in a list, or data with some,"
                " and let the first one be finished"
            )
        similarity = _ImageSimilarity(*(np.array(values) for values in zip(*rows, strict=True)))
        means, errors, counted = _over_images(similarity.correlations)
        shared, shared_errors, _ = _over_images(similarity.shared)
        chance = _over_images(similarity.shares)[0][0]
        ends = len(self._counts)
        against = self._other is not None
        return RandomisationSummary(
            images=len(rows),
            methods=self.methods,
            layers=tuple(layer[0] for layer in self._redrawn.layers),
            counts=np.array(self._counts, np.int64),
            correlations=means[:, :ends],
            errors=errors[:, :ends],
            counted=counted[:, :ends],
            shared=shared[:, :ends],
            shared_errors=shared_errors[:, :ends],
            chance=chance[:ends],
            covered=similarity.covered[..., 0].mean(0),
            other=means[:, ends] if against else None,
            other_errors=errors[:, ends] if against else None,
            other_counted=counted[:, ends] if against else None,
            other_shared=shared[:, ends] if against else None,
            other_shared_errors=shared_errors[:, ends] if against else None,
            other_chance=float(chance[ends]) if against else None,
            provenance=self._provenance(),
            notes=(*self.classifier.notes, *_fixed_note(self._redrawn), *notes),
        )

    def _provenance(self) -> Provenance:
        layers = self._settings["layers"]
        return Provenance(
            method="cascading randomisation of parameters",
            model=type(self.classifier.model).__name__,
            target="the class that each image is given",
            settings={
                "layers": None if layers is None else tuple(layers),
                "top_k": self._settings["top_k"],
                "samples": self._settings["samples"],
                "signed": self._signed,
                **_of_hints(self._settings["hints"]),
            },
            seed=self._settings["seed"],
            versions=versions(),
        )


def _of_hints(hints: Mapping[str, Hint]) -> Settings:
    told = tuple(f"{one.saliency} at {one.layer_.name}" for one in hints.values())
    return {"hints": told} if told else {}


def _named(methods: Sequence[str | Hint], classifier: Classifier) -> dict[str, Hint | None]:
    """Return methods by name; raises ValueError for an unknown one and a Hint of other weights."""
    hints = [one.on(classifier) for one in methods if isinstance(one, Hint)]
    layers = iter(hints)
    named: dict[str, Hint | None] = {}
    for one in methods:
        if isinstance(one, Hint):
            hint = next(layers)
            at = f" at {hint.layer_.name}" if len(hints) > 1 else ""
            named[f"{HINT}{at}"] = hint
        else:
            named[one_of("methods", one, tuple(METHODS))] = None
    return named


def shared_strongest(one: Map, other: Map, count: int) -> float:
    """Return the share of a map's `count` strongest pixels that are among as many of another's.

    Strong is what is large without its sign; pixels that tie for the last places have equal parts
    of them. Of maps that know nothing of each other it is `count` by the number of pixels.
    """
    return float(np.minimum(_strongest(one, count), _strongest(other, count)).sum() / count)


def _strongest(values: Map, count: int) -> Map:
    """Return how far each pixel is one of the strongest, 0 to 1; the sum is `count`."""
    sizes = np.abs(values)
    edge = np.partition(sizes, -count, axis=None)[-count]
    above, last = sizes > edge, sizes == edge
    return above + last * (count - above.sum()) / last.sum()


def _compared(before: Sequence[Map], columns: Sequence[Sequence[Map]]) -> _ImageSimilarity:
    """Compare every method's map with those of other networks; NaN where one is flat."""
    shape = len(before), len(columns)
    correlations, shared = np.full(shape, np.nan), np.full(shape, np.nan)
    shares = np.full((1, len(columns)), np.nan)
    for n, column in enumerate(columns):
        pairs = {
            m: pair
            for m, pair in enumerate(zip(before, column, strict=True))
            if all(np.ptp(one) > 0 for one in pair)
        }
        count = _alike([one for pair in pairs.values() for one in pair])
        if pairs:
            shares[0, n] = count / before[0].size
        for m, (one, other) in pairs.items():
            correlations[m, n] = spearman(one.ravel(), other.ravel())
            shared[m, n] = shared_strongest(one, other, count)
    covered = np.array([[np.count_nonzero(one) / one.size] for one in before])
    return _ImageSimilarity(correlations, shared, shares, covered)


def _alike(maps: Sequence[Map]) -> int:
    """Return how many of the strongest pixels all maps have: 5 % of them, or the fewest not 0."""
    return min(
        (min(max(round(STRONGEST * one.size), 1), int(np.count_nonzero(one))) for one in maps),
        default=0,
    )


def _places(counts: Sequence[int] | None, layers: int, against: bool) -> tuple[int, ...]:
    if counts is None:
        places = np.linspace(1, layers, min(PLACES, layers)).round().astype(int)
        return tuple(np.unique(places).tolist())
    wrong = [n for n in counts if not 0 <= n <= layers]
    if wrong or not (counts or against):
        raise ValueError(
            f"got {wrong[0] if wrong else 'no number'} in counts= of layers to draw anew; expected"
            f" 0 to {layers}, the layers with weights; leave it out for some spread evenly"
        )
    return tuple(int(n) for n in counts)


def _fixed_note(redrawn: RandomisedNetwork) -> tuple[str, ...]:
    if not redrawn.fixed:
        return ()
    names = ", ".join(redrawn.fixed[:5])
    return (f"{len(redrawn.fixed)} modules cannot draw their weights anew and keep them: {names}.",)


def _over_images(
    rows: Float[np.ndarray, "i m n"],
) -> tuple[Rows, Rows, Any]:
    """Return means, standard errors and how many images there are, of values that are defined."""
    defined = np.isfinite(rows)
    means, errors = np.zeros(rows.shape[1:]), np.zeros(rows.shape[1:])
    for m, n in np.ndindex(*rows.shape[1:]):
        some = rows[defined[:, m, n], m, n]
        if len(some):
            means[m, n] = some.mean()
            errors[m, n] = standard_error(some[:, None])[0]
    return means, errors, defined.sum(0)
