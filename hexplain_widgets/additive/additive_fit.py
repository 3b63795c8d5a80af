"""Explainers fitted on rows: what explains, in what units, and one distillation per seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from ..atlas.labels import FilterLabels
from ..data.concept_sets import is_held_out
from ..evidence.additive import FILTERS
from .distillation import Distillation, Examples, Schedule, explained_by, started
from .explainer_nets import Maker
from .measures import relative_deviations
from .rows import Origin, Rows, Seen

OTHERS = "other filters"
# Spread below this share of its size: a concept that is the same in every image.
CONSTANT = 1e-6


@dataclass(frozen=True, eq=False)
class Elements:
    """Which elements explain, in what units, and which concept each counts for.

    `used[e]` are their numbers, `scales[e]` the mean absolute strength that each is divided by.
    """

    names: tuple[str, ...]
    used: Int[np.ndarray, " e"]
    owners: Int[np.ndarray, " e"]
    scales: Float[np.ndarray, " e"]
    notes: tuple[str, ...] = ()

    def summed(self, values: Float[np.ndarray, "*n e"]) -> Float[np.ndarray, "*n c"]:
        """Return the sums over each concept's elements."""
        member = self.owners[:, None] == np.arange(len(self.names))
        found: Float[np.ndarray, "*n c"] = values @ member.astype(values.dtype)
        return found

    def groups(self) -> list[list[int]]:
        """Return the numbers of each concept's elements."""
        return [self.used[self.owners == i].tolist() for i in range(len(self.names))]


def elements_of(
    origin: Origin, strengths: Float[np.ndarray, "n e"], labels: FilterLabels | None
) -> Elements:
    """Return the elements that are not constant, by concept.

    Raises ValueError where nothing is left.
    """
    spread, size = strengths.std(0), np.abs(strengths).mean(0)
    varies = spread > CONSTANT * np.maximum(size, np.finfo(float).tiny)
    used = np.flatnonzero(varies)
    if not len(used):
        raise ValueError(
            f"all {strengths.shape[1]} concepts are the same in all {len(strengths)} images;"
            " concepts that vary were expected to explain a score that does; pass more images, or"
            " other concepts"
        )
    names, owners = _owners(origin, labels, used)
    return Elements(names, used, owners, size[used], _constant(origin, labels, ~varies))


def _owners(
    origin: Origin, labels: FilterLabels | None, used: np.ndarray
) -> tuple[tuple[str, ...], np.ndarray]:
    if labels is None:
        title = "filter {}" if origin.kind == FILTERS else "{}"
        return tuple(title.format(origin.elements[k]) for k in used), np.arange(len(used))
    own = [labels.names.get(int(k), OTHERS) for k in used]
    parts = tuple(p for p in labels.parts if p in own)
    names = (*parts, OTHERS) if OTHERS in own and OTHERS not in parts else parts
    return names, np.array([names.index(n) for n in own])


def _constant(
    origin: Origin, labels: FilterLabels | None, constant: Bool[np.ndarray, " e"]
) -> tuple[str, ...]:
    if not constant.any():
        return ()
    which = [origin.elements[k] for k in np.flatnonzero(constant)]
    what = "Filters" if origin.kind == FILTERS else "Concepts"
    few = ", ".join(which[:8]) + (", …" if len(which) > 8 else "")
    return (f"{what} that are the same in every image add nothing and are left out: {few}.",)


class AdditiveFit:
    """Explainers of one set of rows: ours and plain distillation, for any seed, each fitted once.

    `labels` give filters to parts. `schedule` is that of ours; plain distillation has beta 0.
    """

    def __init__(
        self,
        rows: Rows,
        schedule: Schedule,
        maker: Maker,
        *,
        held_out: float,
        labels: FilterLabels | None,
        device: torch.device,
    ) -> None:
        self.rows, self.schedule, self.maker = rows, schedule, maker
        self._share, self._labels, self._device = held_out, labels, device
        self._found: dict[tuple[float, int], Distillation] = {}

    @cached_property
    def seen(self) -> Seen:
        """All rows, ordered by image."""
        return self.rows.all()

    @cached_property
    def elements(self) -> Elements:
        """What explains."""
        return elements_of(self.rows.origin, self.seen.strengths, self._labels)

    @cached_property
    def held_out(self) -> Bool[np.ndarray, " n"]:
        """Which images choose the epoch and thresholds; drawn by a hash of each image."""
        drawn = [
            is_held_out(key.tobytes().hex(), share=self._share, seed=self.schedule.seed)
            for key in self.seen.keys
        ]
        found = np.array(drawn)
        # Too few images to hold any out, or to keep any.
        return found if 0 < found.sum() < len(found) else np.zeros(len(found), dtype=bool)

    @cached_property
    def examples(self) -> Examples:
        """The rows in the units that explainers learn in."""
        return self.of_rows(self.rows, self.held_out)

    def of_rows(self, rows: Rows, held_out: Bool[np.ndarray, " n"] | None = None) -> Examples:
        """Return rows of the same origin in the units that explainers learn in."""
        seen, used = rows.all(), self.elements.used
        none = np.zeros(len(seen), dtype=bool)
        return Examples(
            seen.maps, rows.places(), seen.strengths[:, used] / self.elements.scales,
            seen.priors[:, used] * self.elements.scales, seen.scores,
            none if held_out is None else held_out, rows.origin.kind == FILTERS,
        )  # fmt: skip

    def distillation(self, *, beta: float | None = None, seed: int | None = None) -> Distillation:
        """Return a distillation, begun if it was not; run it to its end before it is asked."""
        schedule = replace(
            self.schedule,
            beta=self.schedule.beta if beta is None else beta,
            seed=self.schedule.seed if seed is None else seed,
        )
        key = (schedule.beta, schedule.seed)
        if key not in self._found:
            explainer = started(self.maker, self.examples, schedule)
            self._found[key] = Distillation(explainer, self.examples, schedule, self._device)
        return self._found[key]

    def without_prior(self) -> int:
        """Return how many images have no prior at all: theirs is left out of the loss."""
        priors = self.examples.priors.clip(0) if self.schedule.positive else self.examples.priors
        return int((priors == 0).all(1).sum())

    def deviation(self, distillation: Distillation) -> float:
        """Return the mean relative deviation on held-out images (all, where none are)."""
        some = np.flatnonzero(self.held_out) if self.held_out.any() else np.arange(len(self.seen))
        _, explained = explained_by(distillation.explainer, self.examples, some, self._device)
        return float(relative_deviations(self.seen.scores[some], explained).mean())
