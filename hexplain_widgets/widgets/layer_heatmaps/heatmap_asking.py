"""What heatmaps a view asks of a fitted engine, and the answer: maps, or why there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ...chip.engine import METHODS
from ...chip.heatmaps import OF_THE_IMAGE
from ...evidence import ChannelImportance, Faithfulness, HeatMapSheet, Layer, Localization
from .grid import WHOLE, Cell, Spot, spot_of

COUNTED = ("CHIP", "Guided CHIP")  # methods whose maps weigh the channels of their own layer


@runtime_checkable
class Explains(Protocol):
    """A fitted engine, as far as this view uses it; `hx.Chip` is one."""

    @property
    def layers_(self) -> tuple[Layer, ...]:
        """The fitted layers, deepest first."""

    @property
    def classes_(self) -> tuple[str, ...]:
        """The names of all classes, by index."""

    @property
    def classifier_(self) -> Any:
        """The classifier that was fitted, or None."""

    @property
    def sparsity(self) -> float:
        """The penalty, as a fraction of the smallest that zeroes everything."""

    def refit(self, *, sparsity: float) -> Explains:
        """Return the same engine at another sparsity."""

    def matrix(
        self, classes: Sequence[int] | None = None, layer: str | None = None
    ) -> ChannelImportance:
        """Return the weights of a layer's channels."""

    def faithfulness(
        self, image: Any, target: int | None = None, layer: str | None = None, *, method: str
    ) -> Faithfulness:
        """Return how far a map's sum over channels agrees with ablation."""

    def heatmaps(
        self,
        image: Any,
        targets: Sequence[int] | None = None,
        *,
        layers: Sequence[str] | None = None,
        methods: Sequence[str] = ("CHIP",),
        localize: bool = False,
        stopped: Callable[[], bool] | None = None,
    ) -> HeatMapSheet:
        """Return heatmaps of one image."""


@dataclass(frozen=True)
class Wanted:
    """Maps of one method: of these classes (indices), in these layers, with boxes or without."""

    method: str
    targets: tuple[int, ...]
    layers: tuple[str, ...]
    boxes: bool = False

    def spots(self) -> Iterator[Spot]:
        """Yield the places of all maps."""
        layers = (WHOLE,) if self.method in OF_THE_IMAGE else self.layers
        yield from (Spot(self.method, t, layer) for t in self.targets for layer in layers)

    def parts(self) -> list[Wanted]:
        """Return the same by class, then by layer; nothing where it is one map."""
        if len(self.targets) > 1:
            return [replace(self, targets=(target,)) for target in self.targets]
        if len(self.layers) > 1 and self.method not in OF_THE_IMAGE:
            return [replace(self, layers=(layer,)) for layer in self.layers]
        return []


@dataclass
class Found:
    """Maps by their places, and in words why others could not be had."""

    cells: dict[Spot, Cell] = field(default_factory=dict)
    errors: dict[Spot, str] = field(default_factory=dict)


def gathered(
    engine: Explains, image: Any, wanted: Wanted, stopped: Callable[[], bool] = lambda: False
) -> Found:
    """Return the wanted maps; one that cannot be had says why and keeps no other back.

    Raises CancelledError once `stopped` says so.
    """
    try:
        return Found(_drawn(engine, image, wanted, stopped))
    except ValueError as error:
        parts = wanted.parts()
        if not parts:
            return Found({}, {spot: str(error) for spot in wanted.spots()})
    found = Found()
    for part in parts:
        one = gathered(engine, image, part, stopped)
        found.cells |= one.cells
        found.errors |= one.errors
    return found


def _drawn(
    engine: Explains, image: Any, wanted: Wanted, stopped: Callable[[], bool]
) -> dict[Spot, Cell]:
    _go_on(stopped)
    sheet = engine.heatmaps(
        image,
        targets=list(wanted.targets),
        layers=list(wanted.layers),
        methods=(wanted.method,),
        localize=wanted.boxes,
        stopped=stopped,
    )
    _go_on(stopped)
    boxes = {(one.target, one.layer): _drawn_by(wanted.method, one) for one in sheet.localizations}
    counts = _counts(engine, wanted)
    return {
        spot_of(m): Cell(m, boxes.get((m.target, m.layer)), wanted.boxes, counts.get(spot_of(m)))
        for m in sheet.maps
    }


def _drawn_by(method: str, one: Localization) -> Localization:
    """The same, naming the method of its map: a sheet of several tells their boxes apart by it."""
    return replace(one, provenance=replace(one.provenance, method=method))


def _counts(engine: Explains, wanted: Wanted) -> dict[Spot, tuple[int, int]]:
    if wanted.method not in COUNTED:
        return {}
    found = {}
    for layer in wanted.layers:
        weights = engine.matrix(classes=list(wanted.targets), layer=layer).values
        for target, row in zip(wanted.targets, weights, strict=True):
            spot = Spot(wanted.method, target, layer)
            found[spot] = (int(np.count_nonzero(row)), len(row))
    return found


def _go_on(stopped: Callable[[], bool]) -> None:
    if stopped():
        raise CancelledError


def chosen_layers(layers: Sequence[Layer], names: Sequence[str] | None) -> tuple[Layer, ...]:
    """Return the named layers in the engine's order, all of them for None; raises ValueError."""
    if names is None:
        return tuple(layers)
    known = [layer.name for layer in layers]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ValueError(
            f"got layers={list(names)!r:.200}; expected at least one, all among the fitted"
            f" {', '.join(known)}; name these, or leave layers out for all"
        )
    return tuple(layer for layer in layers if layer.name in names)


def chosen_methods(names: Sequence[str] | None) -> tuple[str, ...]:
    """Return methods in the order given, all of them for None; raises ValueError."""
    if names is None:
        return METHODS
    chosen = (names,) if isinstance(names, str) else tuple(dict.fromkeys(names))
    if not chosen or not set(chosen) <= set(METHODS):
        raise ValueError(
            f"got methods={chosen!r:.200}; expected some of {', '.join(METHODS)};"
            " leave methods out for all"
        )
    return chosen
