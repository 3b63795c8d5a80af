"""Concepts as directions of a layer: sparse regression of labels on its vectors (CHAIN, Eq. 1).

The directions of one level, and all levels of a network below its output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from ..arguments import nearest, place_of_name
from ..evidence import ConceptUnits, Layer, Provenance
from ..solvers.lasso import Quadratic, lasso
from .statistics import LevelStatistics

NEVER = "no pixel of the fitted images is labelled with it"
ALWAYS = "every labelled pixel of the fitted images carries it"
LOST = "no channel is left at this sparsity"
UNTESTED = "no held-out pixel is labelled with it"
USELESS = "its map finds held-out pixels no better than chance"
# Relative duality gap at which weights are done.
TOLERANCE = 1e-7


@dataclass(frozen=True, eq=False)
class ConceptDirections:
    """The concepts of one level as directions of its layer.

    `weights[e]` and `bias[e]` make the map of a concept (Eq. 4): with an intercept 1 on average
    where it is, 0 on average elsewhere. `precision` is the average precision on held-out pixels,
    `chance` that of a guess, the share of these that the concept covers; NaN where nothing is held
    out. `images` counts fitted images with the concept. `flags` say by name what makes a concept
    doubtful; `usable` are those with a direction.
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
        return np.asarray(np.tensordot(self.weights[concept], maps, 1) + self.bias[concept])


def directions_of(
    statistics: LevelStatistics, *, sparsity: float, intercept: bool = True
) -> ConceptDirections:
    """Return every concept of a level as a direction, from what a fit keeps.

    All labelled pixels make one Gram matrix, in which every pixel counts by its area, as in Eq. 1;
    concept and rest count equally in the bias and the scale, through their means. (A Gram of each
    concept, in which its few pixels have half the weight, gives directions of lower average
    precision, 0.02 to 0.06 on the embedded world, and takes K² numbers a concept.) `sparsity` is
    relative to the smallest penalty that makes every weight zero. Without an `intercept` weights
    are those of Eq. 1 as printed, maps neither shifted nor scaled. Raises ValueError where no
    fitted image is labelled at this level.
    """
    known = float(statistics.known[0])
    if known == 0:
        raise ValueError(
            f"no image for fitting is labelled at the level {statistics.level.name!r}"
            f" ({int(statistics.labelled[1])} are held out); at least one was expected; leave the"
            " level out, or give more images"
        )
    usable = (statistics.area > 0) & (statistics.area < known * (1 - 1e-12))
    weights = np.zeros_like(statistics.positive)
    if usable.any():
        problem = _quadratic(statistics, usable, intercept)
        weights[usable] = lasso(problem, sparsity, tolerance=TOLERANCE).weights
    bias = np.zeros(len(weights))
    if intercept:
        weights, bias = _scaled(statistics, weights)
    precision = _precision(statistics, weights)
    chance = _over(
        statistics.held_area, np.broadcast_to(statistics.held_known, statistics.held_area.shape)
    )
    plain = ConceptDirections(
        statistics.level.name,
        statistics.level.layer,
        statistics.level.concepts,
        weights,
        bias,
        precision,
        chance,
        statistics.images.copy(),
        {},
    )
    return replace(plain, flags=_flags(plain, statistics, known))


def _quadratic(
    statistics: LevelStatistics, usable: Bool[np.ndarray, " e"], intercept: bool
) -> Quadratic:
    known = float(statistics.known[0])
    share, mean = statistics.area[usable] / known, statistics.sums / known * intercept
    gram = statistics.gram / known - np.outer(mean, mean)
    linear = statistics.positive[usable] / known - share[:, None] * mean
    return Quadratic(gram[None], linear, share * (1 - share * intercept))


def _scaled(
    statistics: LevelStatistics, weights: Float[np.ndarray, "e k"]
) -> tuple[Float[np.ndarray, "e k"], Float[np.ndarray, " e"]]:
    """Scale maps so that the mean over a concept's pixels is 1 and over the others 0."""
    rest = statistics.known[0] - statistics.area
    inside = _over((weights * statistics.positive).sum(1), statistics.area)
    outside = _over((weights * (statistics.sums - statistics.positive)).sum(1), rest)
    apart = np.where(weights.any(axis=1), inside - outside, 1.0)
    return weights / apart[:, None], np.nan_to_num(-outside / apart)


def _over(value: Float[np.ndarray, " e"], by: Float[np.ndarray, " e"]) -> Float[np.ndarray, " e"]:
    return np.asarray(np.divide(value, by, out=np.full(len(value), np.nan), where=by > 0))


def _precision(
    statistics: LevelStatistics, weights: Float[np.ndarray, "e k"]
) -> Float[np.ndarray, " e"]:
    precision = statistics.samples.precision(
        weights, statistics.held_area, float(statistics.held_known[0])
    )
    return np.where(weights.any(axis=1), precision, np.nan)


def _flags(
    directions: ConceptDirections, statistics: LevelStatistics, known: float
) -> dict[str, str]:
    reasons = (
        (NEVER, statistics.area == 0),
        (ALWAYS, statistics.area >= known * (1 - 1e-12)),
        (LOST, ~directions.usable),
        (UNTESTED, np.isnan(directions.precision)),
        (USELESS, directions.precision <= directions.chance),
    )
    flags: dict[str, str] = {}
    for reason, which in reasons:
        for e in np.flatnonzero(which):
            flags.setdefault(directions.concepts[e], reason)
    return flags


def units_of(directions: ConceptDirections, concept: int, top: int) -> ConceptUnits:
    """Return the channels that make up a concept of a level, the strongest `top` first (Eq. 1)."""
    weights = directions.weights[concept]
    order = np.argsort(-np.abs(weights), kind="stable")[:top]
    channels = [int(k) for k in order if weights[k]]
    known = np.isfinite([directions.precision[concept], directions.chance[concept]]).all()
    name = directions.concepts[concept]
    return ConceptUnits(
        level=directions.level,
        concept=name,
        layer=directions.layer,
        channels=tuple(channels),
        weights=weights[channels],
        total=float(np.abs(weights).sum()),
        used=int(np.count_nonzero(weights)),
        precision=float(directions.precision[concept]) if known else None,
        chance=float(directions.chance[concept]) if known else None,
        flag=directions.flags.get(name),
        images=int(directions.images[concept]),
        provenance=Provenance("CHAIN", "", name),
    )


@dataclass(frozen=True, eq=False)
class ConceptLevels:
    """The output, called `root`, with its `classes`, and the harmonised levels below it."""

    root: str
    classes: tuple[str, ...]
    levels: tuple[ConceptDirections, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The levels' names, coarse to fine."""
        return (self.root, *(level.level for level in self.levels))

    def concepts(self, depth: int) -> tuple[str, ...]:
        """Return the concepts of a level, counted from the output on."""
        return self.levels[depth - 1].concepts if depth else self.classes

    def units(self, concept: str, level: str | None, top: int) -> ConceptUnits:
        """Return the channels that make up a concept, of the first level that has its name.

        Raises ValueError for an unknown level or concept, and for one without a direction.
        """
        names = self.names[1:]
        if level is not None and level not in names:
            raise ValueError(
                f"got the level {level!r}; expected one that is harmonised with a layer:"
                f" {', '.join(names)}; leave it out for the first with the concept"
            )
        known = [d for d, one in enumerate(self.levels, 1) if level in (None, one.level)]
        meant = [d for d in known if place_of_name(concept, self.concepts(d)) is not None]
        depth = (meant or known)[0]
        return units_of(self.levels[depth - 1], self.number(depth, concept), top)

    def depth(self, level: str | None) -> int:
        """Return the place of a level that others follow; the output for None.

        Raises ValueError for the last one and for an unknown one.
        """
        if level is None:
            return 0
        if level not in self.names[:-1]:
            raise ValueError(
                f"got the level {level!r}; expected one that others follow:"
                f" {', '.join(self.names[:-1])}; a {self.names[-1]} rests on no other concepts"
            )
        return self.names.index(level)

    def number(self, depth: int, concept: str | int) -> int:
        """Return the number of a concept of a level.

        Raises ValueError for an unknown one, and for one without a direction.
        """
        known = self.concepts(depth)
        if isinstance(concept, int) and 0 <= concept < len(known):
            return self._with_direction(depth, concept)
        meant = place_of_name(str(concept), known)
        if meant is None:
            raise ValueError(
                f"got the {self.names[depth]} {concept!r}, which is none of the {len(known)} known;"
                f" expected one of chain.concepts_[{self.names[depth]!r}]; the nearest is"
                f" {nearest(str(concept), known)}"
            )
        return self._with_direction(depth, meant)

    def _with_direction(self, depth: int, number: int) -> int:
        if depth and not self.levels[depth - 1].usable[number]:
            level = self.levels[depth - 1]
            raise ValueError(
                f"got the {level.level} {level.concepts[number]!r}, which has no direction:"
                f" {level.flags.get(level.concepts[number])}; expected a concept that was"
                " harmonised; choose another, or fit on more images"
            )
        return number
