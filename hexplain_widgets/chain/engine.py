"""CHAIN: which concepts a decision rests on, from the scene down to colors."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import numpy as np
from torch import Tensor, nn

from ..arguments import (
    SlowBar,
    Stop,
    at_least_one,
    counted,
    never,
    not_negative,
    one_of,
    settled,
    share,
)
from ..data.concept_sets import concept_set
from ..evidence import (
    ConceptInference,
    ConceptUnits,
    Faithfulness,
    InferenceComparison,
    InferredConcept,
    Layer,
    Prediction,
    Provenance,
)
from ..evidence.faithfulness import faithfulness
from ..fitting.engine import BaseEngine
from ..network.classifier import Classifier, PreparedImage, notes_of
from ..network.images import thumbnail
from ..network.probe import Probe
from ..provenance import versions
from .comparison import ComparisonRequest, Distances, compare_sets, request_of
from .derivatives import along, concept_gradient
from .harmonize import ConceptDirections, ConceptLevels, directions_of
from .inference import InferenceSettings, LevelInference, candidates
from .levels import Levels, checked_levels, root_of
from .statistics import ConceptStatistics, LabelPlan
from .trees import TreeBuilder, class_tree, mean_prediction

# How many concepts a concept may rest on: these at the finest levels, MANY at the others.
FEW, MANY = {"material": 1, "texture": 1, "color": 1}, 5


def explained_again(
    look: Classifier, inference: ConceptInference, images: Any
) -> tuple[PreparedImage, ...]:
    """Return the images of an inference as the network sees them: one, or all of a class.

    Raises ValueError where they are others.
    """
    given = list(images) if inference.images else [images]
    count = len(inference.images) or 1
    prepared = tuple(look.prepare(image) for image in given[:count])
    if len(prepared) < count or not np.array_equal(prepared[0].shown, inference.image):
        raise ValueError(
            f"got {len(given)} {'image that is' if len(given) == 1 else 'images that are'} not"
            f" what was explained; expected the {count} of the inference, in the same order; pass"
            " what was passed to explain or explain_class"
        )
    return prepared


def compared_again(
    look: Classifier, comparison: InferenceComparison, point: int, image: Any
) -> Tensor:
    """Return an image of a comparison as the network takes it; raises ValueError for another."""
    prepared = look.prepare(image)
    shown = comparison.images[point] if comparison.images else None
    if shown is not None and not np.array_equal(thumbnail(prepared.shown), shown):
        raise ValueError(
            f"got an image that is not number {point} of those compared; expected the same image;"
            " pass the sets that were passed to compare, in the same order"
        )
    return prepared.x


def compared_faithful(
    inferrer: LevelInference,
    harmony: ConceptLevels,
    comparison: InferenceComparison,
    x: Tensor,
    point: int,
    stopped: Stop,
) -> Faithfulness:
    """Return how far the inference of a comparison's image agrees with closing each channel.

    Raises ValueError for a comparison that keeps no estimates, CancelledError where `stopped` says
    yes.
    """
    if comparison.estimates is None:
        raise ValueError(
            "got a comparison without the estimates of its channels; expected one that keeps them;"
            " compare the sets again with chain.compare"
        )
    depth = harmony.depth(comparison.level)
    number = harmony.number(depth, comparison.concepts[int(comparison.sets[point])])
    start = time.perf_counter()
    lost = inferrer.losses(x, number, depth, stopped)
    seconds = time.perf_counter() - start
    return faithfulness(comparison.estimates[point], lost, seconds=seconds)


def faithful(
    inferrer: LevelInference,
    harmony: ConceptLevels,
    inference: ConceptInference,
    xs: Sequence[Tensor],
    path: tuple[int, ...],
    stopped: Stop,
) -> Faithfulness:
    """Return how far a concept's inference agrees with closing each channel of the next layer.

    `xs` are the images. Of a class both sides are means over those in which the concept was found.
    Raises IndexError for an unknown path, ValueError for a concept that was not inferred further,
    CancelledError where `stopped` says yes.
    """
    concept = inference.node(path)
    if concept.estimates is None:
        raise ValueError(
            f"got the {concept.level} {concept.concept!r}, which was not inferred further; expected"
            " a concept of a level that others follow; choose one above it"
        )
    level = len(path)
    number = harmony.number(level, concept.concept) if path else inference.target.index
    start = time.perf_counter()
    lost = []
    with SlowBar("CHAIN: images without each channel", len(concept.found_in)) as counted:
        for image in concept.found_in:
            lost.append(inferrer.losses(xs[image], number, level, stopped))
            counted.update()
    seconds = time.perf_counter() - start
    mean = np.mean(lost, axis=0)
    return faithfulness(concept.estimates, mean, images=len(lost), seconds=seconds)


class Chain(BaseEngine[ConceptStatistics]):
    """The concepts that decisions rest on, inferred from deep layers to shallow ones.

    `levels` pairs levels with layers, coarse to fine, None standing for the output; without it
    scene is paired with the output, and object, part, material and color with the last four
    stages. `gates` are drawn on each layer; a concept rests on at most `max_concepts` of the next
    level (a number, or `{level: number}`; without it 5, for material, texture and color 1).
    `harmonize_sparsity` is that of Eq. 1, `sparsity` of Eq. 8, both relative to the smallest
    penalty that makes every weight zero; `intercept` fits a constant beside the weights of both,
    which the equations do not have, and scales a concept's map to 1 where it is and 0 elsewhere.
    `place` is how much it counts in Eq. 19 that concepts lie where the one does that rests on them:
    weights are then 0 or more; 0 is the equation as printed, with weights of either sign.
    `distances` are of `"unit"` inference weights or `"raw"` ones (Eq. 23-25). `held_out` is the
    share of labelled images that only test.

    Of these, what is left out is that of `settings` (`hx.settings`): "default", or "paper":
    `intercept=False, place=0.0, distances="raw"`, and, where the paper prints no number, the same
    sparsities. Raises ValueError for settings out of range.
    """

    STATISTICS = ConceptStatistics
    SETTINGS = (
        "settings",
        "levels",
        "gates",
        "max_concepts",
        "intercept",
        "harmonize_sparsity",
        "sparsity",
        "place",
        "distances",
        "held_out",
        "seed",
    )
    LATER = ("settings", "intercept", "distances")
    LEARNED = MappingProxyType({"root": "_root"})
    DATA = "a concept set"
    CALL = "fit(classifier, concept_set)"

    def __init__(
        self,
        *,
        settings: str = "default",
        levels: Levels | None = None,
        gates: int = 1000,
        max_concepts: int | Mapping[str, int] | None = None,
        intercept: bool | None = None,
        harmonize_sparsity: float | None = None,
        sparsity: float | None = None,
        place: float | None = None,
        distances: Distances | None = None,
        held_out: float = 0.3,
        seed: int = 0,
    ) -> None:
        used = settled("Chain", settings, locals())
        self.settings = settings
        self.levels = checked_levels(levels)
        self.gates = at_least_one("gates", gates)
        self.max_concepts = max_concepts if max_concepts is None else _bounds(max_concepts)
        self.intercept = bool(used["intercept"])
        self.harmonize_sparsity = share("harmonize_sparsity", used["harmonize_sparsity"])
        self.sparsity = share("sparsity", used["sparsity"])
        self.place = not_negative("place", used["place"])
        self.distances: Distances = one_of("distances", used["distances"], get_args(Distances))
        self.held_out = share("held_out", held_out)
        self.seed = seed
        self.skipped_: tuple[Any, ...] = ()
        self._root = ""
        super().__init__()

    def __repr__(self) -> str:
        known = self._statistics
        if known is None:
            return self._called(f"gates={self.gates}", "")
        return self._called(
            ", ".join((self._root, *known.levels)), f", {counted(known.images, 'image')}"
        )

    def fit(
        self,
        classifier: nn.Module | Classifier,
        concepts: Any,
        *,
        group: Callable[[str], str] | None = None,
        resume: bool = False,
        checkpoint: str | Path | None = None,
        client: Any = None,
        progress: bool = True,
    ) -> Chain:
        """Harmonise a concept set with the network's layers (Eq. 1).

        `concepts` is a concept set: `hx.demo.scenes(...).concepts()`, `hx.Broden(folder)`,
        `hx.MaskFolder(folder, level=...)`, any with their attributes, a slice of one such as
        `concepts[:50]`, or a list of items of one. Images for which `group`
        makes the same of their key are held out together. Resuming, checkpoints and clusters work
        as in `Chip.fit`. Raises TypeError for what is no concept set; ValueError for a level
        without labels, an unknown layer, layers that do not follow one another, and labels or
        values that are none.
        """
        known = concept_set(concepts)
        plan, guest = self._plan(known.names, group), Classifier.of(classifier)
        before = self._going_on(plan, guest, checkpoint) if resume else None
        self._root = root_of(self.levels, known.levels)
        try:
            self._go_through(
                known,
                plan,
                guest,
                before,
                checkpoint=checkpoint,
                client=client,
                progress=progress,
            )
        finally:
            self.skipped_ = tuple(known.skipped)
        return self

    def _plan(
        self, names: Mapping[str, tuple[str, ...]], group: Callable[[str], str] | None
    ) -> LabelPlan:
        given = self.levels
        below = None if given is None else tuple((k, v) for k, v in given.items() if v is not None)
        return LabelPlan(below, names, held_out=self.held_out, seed=self.seed, group=group)

    def _begin(self, statistics: ConceptStatistics | None) -> None:
        super()._begin(statistics)
        self._harmonised: ConceptLevels | None = None
        self._inferrer: LevelInference | None = None

    # what was harmonised

    @property
    def _harmony(self) -> ConceptLevels:
        if self._harmonised is None:
            levels = self._fitted.levels.values()
            with SlowBar("CHAIN: harmonising levels", len(levels), "level") as counted:
                each = []
                for level in levels:
                    sparsity, intercept = self.harmonize_sparsity, self.intercept
                    each.append(directions_of(level, sparsity=sparsity, intercept=intercept))
                    counted.update()
            names = self._fitted.scope.names
            self._harmonised = ConceptLevels(self._root, names, tuple(each))
        return self._harmonised

    @property
    def harmonized_(self) -> tuple[ConceptDirections, ...]:
        """The concepts of each level below the output as directions of its layer."""
        return self._harmony.levels

    @property
    def levels_(self) -> dict[str, Layer | None]:
        """The levels, coarse to fine, with their layers; None is the output."""
        below = {n: level.level.layer for n, level in self._fitted.levels.items()}
        return {self._root: None, **below}

    @property
    def concepts_(self) -> dict[str, tuple[str, ...]]:
        """The concepts of each level; those of the output are the classes."""
        below = {n: level.level.concepts for n, level in self._fitted.levels.items()}
        return {self._root: self._fitted.scope.names, **below}

    @property
    def precision_(self) -> dict[str, dict[str, tuple[float, float]]]:
        """By level and concept the average precision on held-out pixels, and that of a guess."""
        return {
            h.level: {
                name: (float(h.precision[e]), float(h.chance[e]))
                for e, name in enumerate(h.concepts)
            }
            for h in self.harmonized_
        }

    def units(self, concept: str, level: str | None = None, *, top: int = 10) -> ConceptUnits:
        """Return the channels of its layer that make up a concept, the strongest first (Eq. 1).

        `level` is that of the concept, the first with its name if not given. Raises ValueError for
        an unknown one and for a concept without a direction.
        """
        units = self._harmony.units(concept, level, at_least_one("top", top))
        provenance = self._provenance(units.concept)
        return replace(units, provenance=provenance, notes=(*self._notes(), *units.notes))

    def merge(self, other: Chain) -> Chain:
        """Return a Chain fitted on both concept sets, in whatever order.

        Raises ValueError where networks, levels, concepts or the split differ.
        """
        chain = self._merged(other)
        chain.skipped_ = self.skipped_ + other.skipped_
        return chain

    def save(self, path: str | Path) -> Path:
        """Write sums and settings to a file; return its path. Raises OSError on failure."""
        return self._fitted.save(path, self._settings())

    @classmethod
    def load(cls, path: str | Path, model: nn.Module | Classifier | None = None) -> Chain:
        """Return a saved Chain; with the network it was fitted on, it explains images again.

        Raises FileNotFoundError, and ValueError for a damaged file or another network.
        """
        return cls._loaded(path, model)

    def on(self, model: nn.Module | Classifier) -> Chain:
        """Return this Chain with a network to explain with; raises ValueError for another."""
        chain = self._on(model)
        chain._inferrer = None
        return chain

    # images

    def explain(
        self, image: Any, target: int | str | None = None, stopped: Stop | None = None
    ) -> ConceptInference:
        """Return what the network's decision for a class rests on, down to the last level.

        `target` is a class name or index, the strongest class if not given. `stopped` is asked now
        and then; once it says yes, the levels so far are returned. Raises ValueError for an unknown
        class and without a network, IndexError for an index out of range.
        """
        return self._explained([image], target, "", stopped)

    def explain_class(
        self, images: Sequence[Any], target: int | str, name: str = "", stopped: Stop | None = None
    ) -> ConceptInference:
        """Return what decisions for a class rest on in at least half of the images.

        `name` is what the set is called. Raises ValueError for no image, and like `explain`.
        """
        if not len(images):
            raise ValueError(
                "got no image to explain a class with; expected at least one; pass a list of images"
            )
        inference = self._explained(list(images), target, name, stopped, whole=True)
        if len(images) == 1:
            note = "One image only: what is shared by a class shows with several."
            return replace(inference, notes=(*inference.notes, note))
        return inference

    def _explained(
        self,
        images: Sequence[Any],
        target: int | str | None,
        name: str,
        stopped: Stop | None,
        *,
        whole: bool = False,
    ) -> ConceptInference:
        look, inferrer = self._ready(), self._inferring()
        prepared = [look.prepare(image) for image in images]
        logits = [look.logits(one.x)[0] for one in prepared]
        index = int(logits[0].argmax()) if target is None else look.index_of(target, len(logits[0]))
        grown = TreeBuilder(self.harmonized_, self._root)
        inferred = inferrer.infer(
            [p.x for p in prepared], [index] * len(prepared), stopped or never
        )
        trees = [grown.tree(one, index, look.name(index)) for one in inferred]
        said = [look.prediction(row, index) for row in logits[: len(trees)]]
        root = class_tree(trees) if whole else trees[0]
        return self._evidence(prepared[: len(trees)], root, mean_prediction(said), name, whole)

    def _evidence(
        self,
        prepared: Sequence[PreparedImage],
        root: InferredConcept,
        said: Prediction,
        name: str,
        whole: bool,
    ) -> ConceptInference:
        return ConceptInference(
            image=prepared[0].shown,
            target=said,
            levels=tuple(self.levels_),
            layers={n: layer for n, layer in self.levels_.items() if layer is not None},
            root=root,
            provenance=self._provenance(said.name),
            images=tuple(thumbnail(p.shown) for p in prepared) if whole else (),
            name=name,
            notes=(*notes_of(prepared), *self._notes()),
        )

    def faithfulness(
        self,
        inference: ConceptInference,
        images: Any,
        path: tuple[int, ...] = (),
        stopped: Stop | None = None,
    ) -> Faithfulness:
        """Return how far what channels add to a concept agrees with what it loses without each.

        `images` is the image that was explained, or all of a class. The concept at `path` is held
        against every channel of the next level's layer closed in turn. Raises IndexError for an
        unknown path, ValueError for other images and for a concept that was not inferred further,
        CancelledError once `stopped` says yes.
        """
        xs = [one.x for one in explained_again(self._ready(), inference, images)]
        known = (self._inferring(), self._harmony)
        return faithful(*known, inference, xs, tuple(path), stopped or never)

    def compare(
        self,
        sets: Mapping[str, Sequence[Any]],
        concept: str | int | Mapping[str, str | int],
        level: str | None = None,
        *,
        inferences: bool = False,
        stopped: Stop | None = None,
    ) -> InferenceComparison:
        """Return how far apart sets of images are in what a concept rests on (Eq. 23-25).

        `concept` is one for all sets or one for each, `level` the level it is of, the first if not
        given. With `inferences` every image is explained as well. Once `stopped` says yes, the
        images so far are compared. Every image runs with all its gates, with `inferences` once
        more at each level: 1,000 gates of a middle layer of MobileNetV2 take 8 s of a core. Raises
        ValueError for an unknown level or concept, for the last level, which nothing is inferred
        from, and for no images.
        """
        look = self._ready()
        asked = request_of(self._harmony, sets, concept, level)
        known = (look, self._inferring(), asked, self.seed, stopped or never)
        comparison = compare_sets(*known, kind=self.distances)
        explained = () if not inferences else self._each(asked, len(comparison.sets), stopped)
        return replace(
            comparison,
            inferences=explained,
            notes=(*comparison.notes, *self._notes()),
            provenance=self._provenance(", ".join(dict.fromkeys(asked.concepts))),
        )

    def agreement(
        self, comparison: InferenceComparison, point: int, image: Any, stopped: Stop | None = None
    ) -> Faithfulness:
        """Return how far one image of a comparison agrees with closing each channel in turn.

        `point` is its number, `image` the image that was compared. Raises ValueError for another
        image and a comparison without estimates, CancelledError once `stopped` says yes.
        """
        x = compared_again(self._ready(), comparison, point, image)
        known = (self._inferring(), self._harmony)
        return compared_faithful(*known, comparison, x, point, stopped or never)

    def derivatives(
        self,
        image: Any,
        concept: str | int | None = None,
        level: str | None = None,
        *,
        unit: bool = False,
        estimated: bool = False,
    ) -> dict[str, float]:
        """Return how fast a concept grows along each concept of the next level, fastest first.

        By the gradient at the next level's layer times each concept's direction (Eq. 20), as
        harmonised or of `unit` length; `estimated` takes inference weights for the gradient
        (Eq. 21). The first is what Eq. 22 chooses; at unit length its size is the largest that
        Eq. 19 finds with one concept. `concept` and `level` are as in `compare`, the strongest
        class if not given. Raises ValueError for an unknown one and where no gradient leads from
        one layer to the other.
        """
        look, harmony = self._ready(), self._harmony
        x, depth = look.prepare(image).x, harmony.depth(level)
        if concept is None and not depth:
            concept = int(look.logits(x)[0].argmax())
        number = harmony.number(depth, "" if concept is None else concept)
        if estimated:
            (one,) = self._inferring().weights([x], [number], depth, never)
            slopes = one.raw
        else:
            slopes = concept_gradient(Probe(look), x, self.harmonized_, depth, number)
        return along(slopes, self.harmonized_[depth], unit=unit)

    def _each(
        self, asked: ComparisonRequest, count: int, stopped: Stop | None
    ) -> tuple[ConceptInference, ...]:
        target = [None if asked.depth else n for n in asked.numbers]
        pairs = [(i, t) for some, t in zip(asked.sets.values(), target, strict=True) for i in some]
        explained = []
        with SlowBar("CHAIN: inferring images", count) as counted:
            for image, index in pairs[:count]:
                explained.append(self.explain(image, index, stopped))
                counted.update()
        return tuple(explained)

    def _ready(self) -> Classifier:
        self._fitted  # noqa: B018 - raises before the network is run
        return self._network

    def _inferring(self) -> LevelInference:
        if self._inferrer is None:
            self._inferrer = LevelInference(
                Probe(self._ready()),
                self.harmonized_,
                [self._most(h) for h in self.harmonized_],
                InferenceSettings(self.gates, self.sparsity, self.place, self.seed, self.intercept),
            )
        return self._inferrer

    def _most(self, level: ConceptDirections) -> int:
        usual = FEW.get(level.level, MANY)
        if isinstance(self.max_concepts, Mapping):
            return self.max_concepts.get(level.level, usual)
        return usual if self.max_concepts is None else self.max_concepts

    def _notes(self) -> tuple[str, ...]:
        count = len(self.skipped_)
        some = "file was" if count == 1 else "files were"
        skipped = (f"{count} {some} skipped in the concept set.",) if count else ()
        without = (
            f"No concept of the level {level.level} was learned to be found better than by a guess:"
            " nothing is inferred there."
            for level in self.harmonized_
            if not candidates(level).any()
        )
        return (*self._said, *skipped, *without)

    def _provenance(self, target: str) -> Provenance:
        plain = ("gates", "intercept", "harmonize_sparsity", "sparsity", "place", "distances")
        return Provenance(
            method="CHAIN",
            model=self._fitted.scope.model,
            target=target,
            seed=self.seed,
            versions=versions(),
            settings={n: getattr(self, n) for n in plain}
            | {"settings": self.settings_, "images": self._fitted.images},
        )


def _bounds(most: int | Mapping[str, int]) -> int | dict[str, int]:
    if isinstance(most, Mapping):
        return {level: at_least_one(f"max_concepts[{level!r}]", n) for level, n in most.items()}
    return at_least_one("max_concepts", most)
