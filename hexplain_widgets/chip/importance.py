"""The importance of channels, solved from what a fit keeps, class by class as it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from jaxtyping import Float

from ..arguments import SlowBar, Stop, nearest, never, place_of_name
from ..evidence import ChannelImportance, ChannelOverlap, ChannelPortrait, Layer, Provenance
from ..solvers.lasso import Quadratic, lasso
from .statistics import ResponseStatistics

Class = int | str
Weights = Mapping[tuple[str, int], Float[np.ndarray, " k"]]
# Below this share of explained variance the view warns.
POOR_FIT = 0.2
# Below this penalty rounding decides what the smallest weights are.
LEAST_SPARSITY = 1e-6
# A relative duality gap above which weights are no answer.
LARGEST_GAP = 1e-3


class Importance:
    """Weights of channels for classes at one sparsity (CHIP, Eq. 11).

    With an intercept, or without one as the equation is printed. `near` are weights of another
    sparsity to start from.
    """

    def __init__(
        self,
        statistics: ResponseStatistics,
        sparsity: float,
        *,
        intercept: bool = True,
        near: Weights | None = None,
    ) -> None:
        self.statistics = statistics
        self.sparsity = sparsity
        self.intercept = intercept
        self._near = near or {}
        self._stopped: Stop = never
        self._weights: dict[tuple[str, int], Float[np.ndarray, " k"]] = {}
        self._fits: dict[tuple[str, int], float] = {}

    def at(self, sparsity: float) -> Importance:
        """Return the same at another sparsity, started from what is known here."""
        near = {**self._near, **self._weights}
        return Importance(self.statistics, sparsity, intercept=self.intercept, near=near)

    @contextmanager
    def until(self, stopped: Stop) -> Iterator[None]:
        """Solve until `stopped` says yes; what is being solved then raises CancelledError."""
        before, self._stopped = self._stopped, stopped
        try:
            yield
        finally:
            self._stopped = before

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The fitted layers, deepest first."""
        return self.statistics.scope.layers

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of all classes, by index."""
        return self.statistics.scope.names

    def layer(self, name: str | None) -> Layer:
        """Return a fitted layer, the deepest for None; raises ValueError for another."""
        known = {n.name: n for n in self.layers}
        if name is None:
            return self.layers[0]
        if name not in known:
            raise ValueError(
                f"got the layer {name!r}, which was not fitted; expected one of {', '.join(known)}"
                f" (the nearest: {nearest(name, known)}); fit it with Chip(layers=[...])"
            )
        return known[name]

    def index(self, target: Class) -> int:
        """Return the index of a class; raises ValueError or IndexError for an unknown one."""
        if isinstance(target, str):
            meant = place_of_name(target, self.classes)
            if meant is not None:
                return meant
            raise ValueError(
                f"got the class {target!r}; expected a name that stands for one of"
                f" {len(self.classes)} classes; the nearest are {nearest(target, self.classes)}"
            )
        if not 0 <= int(target) < len(self.classes):
            raise IndexError(
                f"got class {target}; expected an index from 0 to {len(self.classes) - 1}; see"
                " chip.classes_"
            )
        return int(target)

    def chosen(self, classes: Sequence[Class] | None) -> list[int]:
        """Return the indices of classes, of all for None; raises ValueError for none or unknown."""
        if classes is None:
            return list(range(len(self.classes)))
        if isinstance(classes, str) or not len(classes):
            raise ValueError(
                f"got classes={classes!r}; expected a list of at least one name or index; see"
                " chip.classes_"
            )
        return [self.index(c) for c in dict.fromkeys(classes)]

    def weights(self, layer: str, classes: Sequence[int]) -> Float[np.ndarray, "c k"]:
        """Return the weights of every channel of a layer for some classes."""
        missing = [c for c in dict.fromkeys(classes) if (layer, c) not in self._weights]
        if missing:
            with SlowBar(f"CHIP: importance of {layer}", len(missing), "class") as counted:
                for block in self.statistics.blocks(layer, missing):
                    self._solve(layer, block)
                    counted.update(len(block))
        return np.stack([self._weights[layer, c] for c in classes])

    def _solve(self, layer: str, classes: Sequence[int]) -> None:
        problem = self._problem(layer, classes)
        keys = [(layer, c) for c in classes]
        near = [self._near[k] for k in keys if k in self._near]
        start = np.stack(near) if len(near) == len(keys) else None
        solution = lasso(problem, self.sparsity, start=start, stopped=self._stopped)
        _check_end(solution.gap, self.sparsity)
        weights = solution.weights
        gram, varies = problem.gram, self.statistics.variations(layer, classes)
        for i, key in enumerate(keys):
            w = weights[i]
            left = problem.power[i] - 2 * problem.linear[i] @ w + w @ gram[i % len(gram)] @ w
            self._fits[key] = float(1 - left / varies[i]) if varies[i] > 0 else 0.0
            self._weights[key] = w

    def _problem(self, layer: str, classes: Sequence[int]) -> Quadratic:
        return self.statistics.quadratic(layer, classes, intercept=self.intercept)

    def penalties(self, layer: str) -> Float[np.ndarray, " c"]:
        """Return lambda of Eq. 11 for every class of a layer."""
        classes = range(len(self.classes))
        blocks = self.statistics.blocks(layer, classes)
        largest = [np.abs(self._problem(layer, some).linear).max(axis=1) for some in blocks]
        return self.sparsity * np.concatenate(largest)

    def strong(self, layer: str, index: int) -> Float[np.ndarray, " k"]:
        """Return the weights of a class; raises ValueError where all of them are zero."""
        weights = self.weights(layer, [index])[0]
        if not weights.any():
            raise ValueError(self._all_zero(layer, index))
        return weights

    def _all_zero(self, layer: str, index: int) -> str:
        moved = self._problem(layer, [index]).linear.any()
        advice = (
            f"any below 1 leaves some: try chip.refit(sparsity={self.sparsity / 3:.2g})"
            if moved
            else "no sparsity would: closing channels never changed its score; choose another layer"
        )
        return (
            f"no channel of {layer} is important for {self.classes[index]!r} at sparsity"
            f" {self.sparsity:g}; at least one was expected; {advice}"
        )

    def matrix(
        self, layer: str, classes: Sequence[int], provenance: Provenance
    ) -> ChannelImportance:
        """Return the importance of every channel of a layer for some classes (Fig. 9)."""
        values = self.weights(layer, classes)
        fit = np.array([self._fits[layer, c] for c in classes])
        return ChannelImportance(
            classes=tuple(self.classes[c] for c in classes),
            values=values,
            means=self.statistics.means(layer),
            fit=fit,
            layer=layer,
            sparsity=float(self.sparsity),
            provenance=provenance,
            flags=self.flags(layer, classes),
        )

    def flags(self, layer: str, classes: Sequence[int]) -> dict[str, str]:
        """Return by class name what makes its weights doubtful."""
        self.weights(layer, classes)
        reasons_of: dict[str, list[str]] = {}
        for c in classes:
            reasons = reasons_of.setdefault(self.classes[c], [])
            if not self.statistics.labelled[c] and not self.statistics.predicted[c]:
                reasons.append("never labelled nor predicted in the data")
            if not self._weights[layer, c].any():
                reasons.append("no channel is left at this sparsity")
            elif self._fits[layer, c] < POOR_FIT:
                share = max(0.0, self._fits[layer, c])
                reasons.append(f"its weights explain {share:.0%} of its score")
        return {name: "; ".join(reasons) for name, reasons in reasons_of.items() if reasons}

    def overlap(
        self,
        layer: str,
        classes: Sequence[int],
        *,
        top: int | None,
        threshold: float | None,
        provenance: Provenance,
    ) -> ChannelOverlap:
        """Return the channels that classes share, of each class's `top` or above `threshold`."""
        _check_choice(top, threshold)
        means = self.statistics.means(layer)
        strengths = [self.strong(layer, c) * means for c in classes]
        chosen = [_important(s, top, threshold) for s in strengths]
        names = tuple(self.classes[c] for c in classes)
        pairs = list(zip(names, strengths, chosen, strict=True))
        return ChannelOverlap(
            classes=names,
            channels={n: tuple(map(int, some)) for n, _, some in pairs},
            weights={n: tuple(map(float, s[some])) for n, s, some in pairs},
            layer=layer,
            top=top,
            threshold=threshold,
            provenance=provenance,
            notes=tuple(f"{n}: {text}" for n, text in self.flags(layer, classes).items()),
        )

    def portrait(
        self, layer: str, channel: int, activation: Float[np.ndarray, "h w"] | None
    ) -> ChannelPortrait:
        """Return the images in which a channel is strongest; raises IndexError for no channel."""
        count = self.layer(layer).shape[0]
        if not 0 <= channel < count:
            raise IndexError(
                f"got channel {channel} of {layer}; expected 0 to {count - 1}; see"
                " chip.importance(layer)"
            )
        kept = self.statistics.exemplars(layer)
        images, values = kept.of(channel)
        empty = np.zeros((0, 1, 1, 3), np.uint8)
        stacked = np.stack(images) if images else empty
        tied = bool(kept.tied[channel])
        return ChannelPortrait(layer, channel, stacked, np.array(values), activation, tied)


def checked_sparsity(sparsity: float) -> float:
    """Return a sparsity from `LEAST_SPARSITY` to 1; raises ValueError."""
    if not LEAST_SPARSITY <= sparsity <= 1:
        raise ValueError(
            f"got sparsity={sparsity}; expected a fraction above 0 and at most 1 of the penalty"
            f" that zeroes everything, from {LEAST_SPARSITY:g} up: below, the solver does not come"
            " to an end; the default is 0.003"
        )
    return sparsity


def _check_end(gap: Float[np.ndarray, " c"], sparsity: float) -> None:
    if (gap > LARGEST_GAP).any():
        raise ValueError(
            f"got weights that may be {gap.max():.2g} of what one channel explains away from the"
            f" best at sparsity={sparsity:g}; expected {LARGEST_GAP:g} at most; take a larger"
            " sparsity, or fit on more images"
        )


def _check_choice(top: int | None, threshold: float | None) -> None:
    if threshold is None and (top is None or top < 1):
        raise ValueError(f"got top={top}; expected at least 1 channel; see chip.importance")
    if threshold is not None and not 0 <= threshold < 1:
        raise ValueError(
            f"got threshold={threshold}; expected a fraction of the class's largest importance, 0"
            " or more and below 1; the paper's is 0.001"
        )


def _important(
    strength: Float[np.ndarray, " k"], top: int | None, threshold: float | None
) -> np.ndarray:
    """Return the channels that speak for a class, strongest first; zeros never fill a list."""
    order = np.argsort(-strength, kind="stable")
    important = order[strength[order] > max(0.0, (threshold or 0.0) * float(strength.max()))]
    return np.asarray(important if threshold is not None else important[:top])
