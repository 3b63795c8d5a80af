"""HINT: which neurons answer for which concepts of an is-a hierarchy."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from itertools import product, takewhile
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import numpy as np
from jaxtyping import Float
from torch import nn

from ..arguments import (
    SlowBar,
    Stop,
    at_least_one,
    count_of,
    counted,
    nearest,
    one_of,
    positive,
    settled,
    share,
)
from ..data.hierarchy.hierarchy import Hierarchy
from ..data.samples import length_of
from ..evidence import (
    ClassifierQuality,
    Concept,
    ConceptScore,
    HeatMap,
    Layer,
    Localization,
    NeuronConcepts,
    NeuronPortrait,
    Provenance,
)
from ..fitting.engine import BaseEngine
from ..fitting.exemplars import SIDE, Exemplars
from ..network.classifier import Classifier
from ..network.localize import Truth, best_threshold, heat_region
from ..network.probed_image import ImageProbe, ProbedImage
from ..provenance import versions
from ..solvers.shapley import ESTIMATORS
from .associations import Associations, ClassifierSettings, Relatives, linked
from .regions import Aggregate, Normalization, RegionMaps, RegionSettings, Saliency
from .statistics import RegionPlan, RegionStatistics

NOWHERE = (
    "The classifier finds the concept nowhere in the image: every place is likelier without it."
)
STAGES = "stages"
# Of the way from a concept map's lowest value to its highest, until calibrated.
THRESHOLD = 0.5


def concept_map(
    looked: ProbedImage, associations: Associations, concept: int, provenance: Provenance
) -> HeatMap:
    """Return a concept classifier's logit at each place of its layer (Eq. 1, before the sigmoid).

    Raises ValueError for a concept without a classifier.
    """
    quality, name = associations.qualities[concept], associations.concepts[concept].name
    if not associations.usable[concept]:
        raise ValueError(
            f"there is no classifier of {name!r}: {quality.flag} One was expected to draw its map;"
            " fit on images of it and of other concepts, or choose another layer or saliency"
        )
    maps = looked.activations(associations.layer.name)
    weights, bias = (
        associations.classifiers.weights[concept],
        associations.classifiers.bias[concept],
    )
    values = np.tensordot(weights.numpy(), maps, 1) + float(bias)
    said = (quality.flag, NOWHERE if values.max() <= 0 else None)
    return HeatMap(
        values=values,
        layer=associations.layer.name,
        target=name,
        method="HINT",
        image=looked.image,
        provenance=replace(
            provenance, settings={**provenance.settings, "layer": associations.layer.name}
        ),
        index=concept,
        notes=(*looked.notes, *(note for note in said if note)),
    )


def above_lowest(values: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Return a map from 0 at its lowest place: a classifier's logit has no zero of its own."""
    return values - values.min()


def concept_region(heat: HeatMap, threshold: float, truth: Truth | None) -> Localization:
    """Return the largest connected part of a concept map above a share of its range.

    At the image's size, with its IoU where the truth is known.
    """
    size = heat.image.shape[0], heat.image.shape[1]
    return heat_region(heat, above_lowest(heat.values), size, threshold, truth)


def portrait_of(kept: Exemplars, layer: str, neuron: int) -> NeuronPortrait:
    """Return the images in which a neuron is strongest, and where in them."""
    images, values = kept.of(neuron)
    stacked = np.stack(images) if images else np.zeros((0, SIDE, SIDE, 3), np.uint8)
    places = kept.places[neuron, : len(images)]
    return NeuronPortrait(
        layer,
        neuron,
        stacked,
        np.array(values, dtype=np.float64),
        places,
        unclipped=kept.before_clip(neuron),
        tied=bool(kept.tied[neuron]),
    )


class Hint(BaseEngine[RegionStatistics]):
    """The neurons that serve the concepts of a hierarchy, learned from responsible regions.

    `layer` is one name, several, `"stages"` for the last layer of each stage, or None for the last
    of them. Regions are found by `saliency` at the layer, over channels by `aggregate`, where the
    map is above `threshold` of its range: from its minimum to its 99th percentile, at which it is
    cut off (`normalize="percentile"`), or to its maximum (`"minimum_maximum"`), which far fewer
    places reach where one is much stronger. `samples` counts SmoothGrad's noisy copies and the
    steps of integrated gradients. Of each concept at most `vectors` region vectors are kept; its
    `relatives`, ancestors and descendants, are `"left_out"` of its classifier or `"negatives"`.
    `penalty` is that of the concepts' classifiers (Eq. 1), which `intercept` gives a constant
    beside their weights, `shapley` the estimator of the neurons' scores (Eq. 2).

    Of these, what is left out is that of `settings` (`hx.settings`): "default", or "paper":
    `saliency="smoothgrad", aggregate="norm", normalize="minimum_maximum", threshold=0.5,
    relatives="negatives", intercept=False, shapley="retrained_logistic"`, and, where the paper
    prints no number, `samples=50`. Training again for each coalition takes minutes to hours for a
    layer of hundreds of neurons, once scores are asked for. Raises ValueError for settings out of
    range.
    """

    STATISTICS = RegionStatistics
    SETTINGS = (
        "layer",
        "settings",
        "saliency",
        "aggregate",
        "normalize",
        "threshold",
        "relatives",
        "intercept",
        "shapley",
        "samples",
        "vectors",
        "penalty",
        "seed",
    )
    LATER = ("settings", "normalize", "relatives", "intercept")
    LEARNED = MappingProxyType({"region_threshold": "threshold_"})
    CALL = "fit(classifier, data, hierarchy)"

    def __init__(
        self,
        *,
        settings: str = "default",
        layer: str | Collection[str] | None = None,
        saliency: Saliency | None = None,
        aggregate: Aggregate | None = None,
        normalize: Normalization | None = None,
        threshold: float | None = None,
        relatives: Relatives | None = None,
        intercept: bool | None = None,
        shapley: str | None = None,
        samples: int | None = None,
        vectors: int = 1000,
        penalty: float = 0.1,
        seed: int = 0,
    ) -> None:
        self.layer = layer if layer is None or isinstance(layer, str) else tuple(layer)
        used = settled("Hint", settings, locals())
        self.settings = settings
        self.saliency = one_of("saliency", used["saliency"], get_args(Saliency))
        self.aggregate = one_of("aggregate", used["aggregate"], get_args(Aggregate))
        self.normalize = one_of("normalize", used["normalize"], get_args(Normalization))
        self.threshold = share("threshold", used["threshold"])
        self.relatives = one_of("relatives", used["relatives"], get_args(Relatives))
        self.intercept = bool(used["intercept"])
        self.shapley = one_of("shapley", used["shapley"], ESTIMATORS)
        self.samples = at_least_one("samples", used["samples"])
        self.vectors = at_least_one("vectors", vectors)
        self.penalty = positive("penalty", penalty)
        self.seed = seed
        self.threshold_ = THRESHOLD
        super().__init__()

    def __repr__(self) -> str:
        seen = "" if self._statistics is None else f", {counted(self._statistics.images, 'image')}"
        return self._called(f"{self.saliency}, {self.shapley}", seen)

    def fit(
        self,
        classifier: nn.Module | Classifier,
        data: Any,
        hierarchy: Any,
        *,
        resume: bool = False,
        checkpoint: str | Path | None = None,
        client: Any = None,
        progress: bool = True,
    ) -> Hint:
        """Learn from a Dataset, DataLoader or iterable of `(image, label)`.

        `hierarchy` is a nested dict, a `networkx.DiGraph`, the path of a JSON file or a Hierarchy
        whose leaves are classes of the network; an image without a label counts for the class that
        the network names. An image costs 0.2 s of a core in MobileNetV2. Classifiers of all
        concepts are fitted last: 62 concepts of 1,280 neurons take eight to ten seconds, 20 take
        four; a merged Hint fits its own when it is first asked. Resuming, checkpoints and clusters
        work as in `Chip.fit`. Raises
        ValueError for a hierarchy that does not fit the network, empty data, wrong labels and
        values that are not finite; TypeError for what is no data or no hierarchy.
        """
        plan, guest = self._plan(Hierarchy.of(hierarchy)), Classifier.of(classifier)
        before = self._going_on(plan, guest, checkpoint) if resume else None
        self._go_through(
            data, plan, guest, before, checkpoint=checkpoint, client=client, progress=progress
        )
        self._fit_classifiers(progress)
        return self

    def _fit_classifiers(self, progress: bool) -> None:
        """Fit every layer's classifiers: whatever is asked of a Hint asks them."""
        layers = self._of_layers.values()
        with SlowBar("HINT: classifiers", len(layers), "layer", shown=progress) as counted:
            for associations in layers:
                associations.classifiers  # noqa: B018 - kept with the regions
                counted.update()

    def _plan(self, hierarchy: Hierarchy) -> RegionPlan:
        finding = RegionSettings(
            self.saliency,
            self.aggregate,
            self.threshold,
            self.samples,
            self.vectors,
            self.seed,
            self.normalize,
        )
        named = (self.layer,) if isinstance(self.layer, str) else self.layer
        layers = None if self.layer in (None, STAGES) else named
        return RegionPlan(layers, hierarchy, finding, only_last=self.layer is None)

    def _begin(self, statistics: RegionStatistics | None) -> None:
        super()._begin(statistics)
        self._of_layers: dict[str, Associations] = {}
        if statistics is not None:
            settings = ClassifierSettings(
                self.shapley,
                self.penalty,
                self.seed,
                relatives=self.relatives,
                intercept=self.intercept,
            )
            for layer in statistics.scope.layers:
                self._of_layers[layer.name] = Associations(statistics, layer, settings)
        self._shown: str | None = None
        self._gaze: ImageProbe | None = None

    @property
    def _associations(self) -> Associations:
        shown = self._shown or self._fitted.scope.layers[0].name
        return self._of_layers[shown]

    # other layers, estimators, networks

    @property
    def layer_(self) -> Layer:
        """The layer that is shown."""
        return self._associations.layer

    @property
    def layers_(self) -> tuple[Layer, ...]:
        """The fitted layers, deepest first."""
        return self._fitted.scope.layers

    @property
    def concepts_(self) -> tuple[Concept, ...]:
        """The concepts of the hierarchy, parents first."""
        return self._associations.concepts

    @property
    def estimator(self) -> str:
        """How neurons are scored."""
        return self._associations.settings.estimator

    def at(self, layer: str) -> Hint:
        """Return this Hint at another fitted layer; raises ValueError for one that was not."""
        if layer not in self._of_layers:
            known = ", ".join(self._of_layers)
            raise ValueError(
                f"got the layer {layer!r}, which was not fitted; expected one of {known} (the"
                f" nearest: {nearest(layer, self._of_layers)}); fit it with Hint(layer=[...])"
            )
        hint = copy.copy(self)
        hint._shown = layer
        return hint

    def using(self, estimator: str) -> Hint:
        """Return this Hint with neurons scored by another estimator of `ESTIMATORS`."""
        hint = copy.copy(self)
        hint.shapley = one_of("estimator", estimator, ESTIMATORS)
        hint._of_layers = {
            n: a.using(replace(a.settings, estimator=estimator)) for n, a in self._of_layers.items()
        }
        return hint

    def narrowed(self, top: int | float) -> Hint:
        """Return this Hint with classifiers of each concept's strongest neurons only (Tables 1-2).

        `top` is a number of neurons, or below 1 a share of the layer's.
        """
        self._fitted  # noqa: B018 - raises before anything is worked out
        hint = copy.copy(self)
        hint._of_layers = {
            n: a.narrowed(count_of(top, a.layer.shape[0])) for n, a in self._of_layers.items()
        }
        return hint

    def merge(self, other: Hint) -> Hint:
        """Return a Hint fitted on both data sets, in whatever order.

        Raises ValueError where networks, hierarchies, layers or settings differ.
        """
        return self._merged(other)

    def save(self, path: str | Path) -> Path:
        """Write regions and settings to a file; return its path. Raises OSError on failure."""
        return self._fitted.save(path, self._settings())

    @classmethod
    def load(cls, path: str | Path, model: nn.Module | Classifier | None = None) -> Hint:
        """Return a saved Hint; with the network it was fitted on, it explains images again.

        Raises FileNotFoundError, and ValueError for a damaged file or another network.
        """
        return cls._loaded(path, model)

    def on(self, model: nn.Module | Classifier) -> Hint:
        """Return this Hint with a network to explain images with; raises ValueError for another."""
        hint = self._on(model)
        hint._gaze = None
        return hint

    # neurons and concepts

    @property
    def scores(self) -> Float[np.ndarray, "k e"]:
        """What each neuron contributes to each concept (Eq. 2), concepts as in `concepts_`.

        Asked for the first time, 62 concepts of 1,280 neurons take three seconds of a core, where
        the classifiers were fitted with the regions or came from a file. A merged Hint fits them
        first, which takes some ten seconds more and shows a bar.
        """
        return self._associations.scores.values

    def neurons(self, concept: str, top: int = 10) -> tuple[ConceptScore, ...]:
        """Return the neurons that contribute most to a concept, strongest first.

        Raises ValueError for an unknown concept.
        """
        return self._associations.neurons(self._associations.index(concept), top)

    def concepts(self, neuron: int, top: int = 10) -> tuple[ConceptScore, ...]:
        """Return the concepts that a neuron contributes most to, strongest first.

        This neuron alone is scored: 62 concepts take about a second of a core, and ten more where
        classifiers are to be fitted first, as `scores` says. Raises IndexError for a neuron that
        the layer does not have.
        """
        return self._associations.served(neuron, top)

    def quality(self, concept: str) -> ClassifierQuality:
        """Return how well a concept's classifier does on images that were held out."""
        return self._associations.qualities[self._associations.index(concept)]

    def f1(self, concept: str) -> float:
        """Return the F1 of a concept's classifier on images that were held out."""
        return self.quality(concept).f1

    def portraits(self, neurons: Iterable[int]) -> tuple[NeuronPortrait, ...]:
        """Return the regions of the data set in which some neurons of the layer are strongest."""
        kept, name = self._fitted.exemplars(self.layer_.name), self.layer_.name
        return tuple(portrait_of(kept, name, int(k)) for k in neurons)

    def associations(
        self,
        concepts: Sequence[str] | None = None,
        top: int = 10,
        *,
        images: Sequence[Any] = (),
        maps_of: Sequence[str] = (),
        stopped: Stop | None = None,
    ) -> NeuronConcepts:
        """Return what the `top` neurons of each concept contribute to all of them (Fig. 2).

        `images` are shown with the maps of the concepts `maps_of`. `stopped` is asked before each
        map; once it says yes, what has been drawn is returned. Raises ValueError for an unknown
        concept.
        """
        shown = linked(self._of_layers, self.layer_.name, concepts, top, stopped)
        return replace(
            shown,
            notes=(*self._said, *shown.notes),
            provenance=self._provenance("all concepts"),
            portraits=self.portraits(shown.neurons),
            maps=self._maps(images, maps_of, stopped),
        )

    def _maps(
        self, images: Sequence[Any], concepts: Sequence[str], stopped: Stop | None
    ) -> tuple[HeatMap, ...]:
        pairs = takewhile(lambda _: stopped is None or not stopped(), product(images, concepts))
        return tuple(self.explain(image, concept) for image, concept in pairs)

    # images

    def explainable(self) -> tuple[str, ...]:
        """Return the concepts that have a classifier to look for them with, parents first."""
        pairs = zip(self.concepts_, self._associations.usable, strict=True)
        return tuple(concept.name for concept, usable in pairs if usable)

    def explain(self, image: Any, concept: str) -> HeatMap:
        """Return where the concept's classifier finds it: its logit at each place of the layer.

        Positive where the classifier holds the concept for likelier than not. Raises ValueError
        for an unknown concept, one without a classifier, and without a network.
        """
        e = self._associations.index(concept)
        looked, provenance = self._look(image), self._provenance(concept)
        heat = concept_map(looked, self._associations, e, provenance)
        return replace(heat, notes=(*heat.notes, *self._notes_on_settings))

    def region_maps(self, model: nn.Module | Classifier) -> RegionMaps:
        """Return what finds responsible regions, as this Hint does, in any network of its layers.

        Such as a copy with weights drawn anew (Fig. 5a). Raises ValueError without a fit.
        """
        return RegionMaps(Classifier.of(model), self._fitted.scope, self.layer_.name)

    def localize(
        self,
        image: Any,
        concept: str,
        threshold: float | None = None,
        *,
        truth: Truth | None = None,
    ) -> Localization:
        """Return the largest connected part of the concept map above a share of its range.

        The default is what `calibrate` found, 0.5 before. `truth` is a box `(x0, y0, x1, y1)` or a
        mask `(H, W)` in pixels of what the network saw, to measure the IoU with.
        """
        heat = self.explain(image, concept)
        return concept_region(heat, self.threshold_ if threshold is None else threshold, truth)

    def calibrate(self, examples: Iterable[tuple[Any, str, Truth]]) -> float:
        """Find the threshold whose regions agree best with known boxes or masks, and keep it.

        `examples` are `(image, concept, truth)` with the truth in pixels of what the network saw.
        """
        maps, truths, size = [], [], (1, 1)
        with SlowBar("HINT: maps to calibrate with", length_of(examples), "map") as counted:
            for image, concept, truth in examples:
                heat = self.explain(image, concept)
                maps.append(above_lowest(heat.values))
                truths.append(truth)
                size = heat.image.shape[0], heat.image.shape[1]
                counted.update()
        self.threshold_ = best_threshold(maps, truths, size)
        return self.threshold_

    def _look(self, image: Any) -> ProbedImage:
        names = [layer.name for layer in self.layers_]
        if self._gaze is None:
            self._gaze = ImageProbe(self._network, names)
        return self._gaze.at(image)

    def _provenance(self, target: str) -> Provenance:
        settings = {n: getattr(self, n) for n in self.SETTINGS if n not in ("layer", "seed")}
        return Provenance(
            method="HINT",
            model=self._fitted.scope.model,
            target=target,
            seed=self.seed,
            versions=versions(),
            settings={**settings, "settings": self.settings_, "images": self.images_},
        )
