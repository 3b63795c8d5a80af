"""Heatmaps in their places, one per method, class and layer, and how a fitted Chip fills them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from ...chip.engine import METHODS
from ...chip.heatmaps import OF_THE_IMAGE
from ...evidence import (
    ChannelImportance,
    Faithfulness,
    HeatMap,
    HeatMapSheet,
    Layer,
    Localization,
    Prediction,
    Provenance,
)
from ...evidence.heat import CONTESTED

Key = int | str
# What a refit at another sparsity leaves as it is.
WITHOUT_WEIGHTS = ("Grad-CAM", "guided backpropagation")
WHOLE = ""  # the column of a method with one map per class, whatever the layers
COUNTED = ("CHIP", "Guided CHIP")  # methods whose maps weigh the channels of their own layer
REGION = "This is a map's region alone: 1 inside of it, 0 outside."


class Spot(NamedTuple):
    """Where a map stands: its method, its class (index, or name without one) and its layer.

    And whether its places are held against other classes; the plain sum stands elsewhere.
    """

    method: str
    target: Key
    layer: str
    contested: bool = False


@dataclass(frozen=True)
class MapCell:
    """One map with its box; `channels` counts those of non-zero weight, and all.

    `boxed` says that a box was asked for, which a map that points at nothing does not have.
    """

    heatmap: HeatMap
    localization: Localization | None = None
    boxed: bool = False
    channels: tuple[int, int] | None = None

    @property
    def box(self) -> Localization | None:
        """The box, where it is that of this very map."""
        return None if self.foreign else self.localization

    @property
    def foreign(self) -> bool:
        """Whether the box is of the plain sum and the map is not, as they were once saved."""
        if self.localization is None or self.heatmap.method not in CONTESTED:
            return False
        return bool(self.localization.rivals) != bool(self.heatmap.against)


@dataclass(frozen=True)
class HeatmapGrid:
    """All maps of one image that a view has, and in words why others could not be had."""

    image: UInt8[np.ndarray, "h w 3"]
    predictions: tuple[Prediction, ...]
    layers: tuple[Layer, ...]
    methods: tuple[str, ...]
    provenance: Provenance
    cells: Mapping[Spot, MapCell] = field(default_factory=dict)
    errors: Mapping[Spot, str] = field(default_factory=dict)
    sparsity: float | None = None
    notes: tuple[str, ...] = ()
    rivals: int | None = None  # of the engine, None without one

    @classmethod
    def of(cls, sheet: HeatMapSheet) -> HeatmapGrid:
        """Return the maps of a sheet in their places."""
        boxes = _boxes(sheet)
        cells = {
            spot_of(m): MapCell(m, boxes.get(spot_of(m)), spot_of(m) in boxes) for m in sheet.maps
        }
        methods = tuple(dict.fromkeys(spot.method for spot in cells))
        sparsity = sheet.provenance.settings.get("sparsity")
        return cls(
            image=sheet.image,
            predictions=sheet.predictions,
            layers=sheet.layers,
            methods=methods,
            provenance=sheet.provenance,
            cells=cells,
            sparsity=sparsity if isinstance(sparsity, float) else None,
            notes=sheet.notes,
        )

    def with_cells(self, cells: Mapping[Spot, MapCell], errors: Mapping[Spot, str]) -> HeatmapGrid:
        """Return the same with new maps and errors, each in the place of what stood there."""
        kept = {spot: text for spot, text in self.errors.items() if spot not in cells}
        had = {spot: cell for spot, cell in self.cells.items() if spot not in errors}
        return replace(self, cells={**had, **cells}, errors={**kept, **errors})

    def at_sparsity(self, sparsity: float) -> HeatmapGrid:
        """Return what does not depend on the sparsity, for another one."""
        settings = {**self.provenance.settings, "sparsity": sparsity}
        return replace(
            self,
            cells={s: cell for s, cell in self.cells.items() if s.method in WITHOUT_WEIGHTS},
            errors={s: text for s, text in self.errors.items() if s.method in WITHOUT_WEIGHTS},
            sparsity=sparsity,
            provenance=replace(self.provenance, settings=settings),
        )

    def columns(self, method: str) -> tuple[str, ...]:
        """Return the layers of a method's maps, deepest first; one nameless for one per class."""
        if method in OF_THE_IMAGE:
            return (WHOLE,)
        named = [layer.name for layer in self.layers]
        layers = dict.fromkeys(s.layer for s in (*self.cells, *self.errors) if s.method == method)
        return (*(n for n in named if n in layers), *(n for n in layers if n not in named))

    def kinds(self, method: str) -> tuple[bool, ...]:
        """Return what maps of a method there are or can be had: contested, plain, or both."""
        if method not in CONTESTED:
            return (False,)
        if self.rivals is not None:
            return (True, False) if self.rivals else (False,)
        known = {s.contested for s in (*self.cells, *self.errors) if s.method == method}
        return tuple(sorted(known, reverse=True)) or (False,)

    def targets(self) -> dict[Key, str | None]:
        """Return the classes with a map or an error, with names where a map tells them."""
        known: dict[Key, str | None] = {p.index: p.name for p in self.predictions}
        names: dict[Key, str | None] = {s.target: known.get(s.target) for s in self.errors}
        return names | {spot.target: cell.heatmap.target for spot, cell in self.cells.items()}

    def ordered(self) -> Iterable[tuple[Spot, MapCell]]:
        """Yield maps by method, class and layer from the deepest, in the order of the view."""
        targets = list(self.targets())
        for method in dict.fromkeys((*self.methods, *(s.method for s in self.cells))):
            for target in targets:
                for layer, contested in product(self.columns(method), (True, False)):
                    spot = Spot(method, target, layer, contested)
                    if spot in self.cells:
                        yield spot, self.cells[spot]

    def sheet(self) -> HeatMapSheet:
        """Return all maps and boxes as evidence; errors are among its notes."""
        cells = [cell for _, cell in self.ordered()]
        return HeatMapSheet(
            image=self.image,
            predictions=self.predictions,
            layers=self.layers,
            maps=tuple(cell.heatmap for cell in cells),
            provenance=self.provenance,
            localizations=tuple(c.localization for c in cells if c.localization is not None),
            notes=tuple(dict.fromkeys((*self.notes, *self.errors.values()))),
        )


def spot_of(heatmap: HeatMap) -> Spot:
    """Return where a map stands."""
    target = heatmap.target if heatmap.index is None else heatmap.index
    layer = WHOLE if heatmap.method in OF_THE_IMAGE else heatmap.layer
    return Spot(heatmap.method, target, layer, heatmap.against > 0)


def sheet_of(evidence: HeatMapSheet | HeatMap | Localization) -> HeatMapSheet:
    """Return a sheet as it is, and a single map or localization as a sheet of one.

    A localization's region becomes a map that is 1 inside of it.
    """
    if isinstance(evidence, HeatMapSheet):
        return evidence
    if isinstance(evidence, HeatMap):
        return HeatMapSheet(
            evidence.image, (), (), (evidence,), evidence.provenance, (), evidence.notes
        )
    region = HeatMap(
        values=evidence.mask.astype(np.float32),
        layer=evidence.layer,
        target=evidence.target,
        method=evidence.provenance.method,
        image=evidence.image,
        provenance=evidence.provenance,
        notes=(*evidence.notes, REGION),
        rivals=evidence.rivals,
    )
    return HeatMapSheet(
        evidence.image, (), (), (region,), evidence.provenance, (evidence,), evidence.notes
    )


def _boxes(sheet: HeatMapSheet) -> dict[Spot, Localization]:
    """Boxes by the places of their maps: by method where they name it, else in order."""
    boxes: dict[Spot, Localization] = {}
    for one in sheet.localizations:
        peers = [m for m in sheet.maps if (m.target, m.layer) == (one.target, one.layer)]
        free = [m for m in peers if spot_of(m) not in boxes]
        own = [m for m in free if m.method == one.provenance.method] or free
        alike = [m for m in own if bool(m.against) == bool(one.rivals)] or own
        for heatmap in alike[:1]:
            boxes[spot_of(heatmap)] = one
    return boxes


@runtime_checkable
class FittedChip(Protocol):
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

    @property
    def rivals(self) -> int:
        """How many other classes each place is held against."""

    def refit(self, *, sparsity: float) -> FittedChip:
        """Return the same engine at another sparsity."""

    def matrix(
        self, classes: Sequence[int] | None = None, layer: str | None = None
    ) -> ChannelImportance:
        """Return the weights of a layer's channels."""

    def faithfulness(
        self,
        image: Any,
        target: int | None = None,
        layer: str | None = None,
        *,
        method: str,
        rivals: int | None = None,
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
        rivals: int | None = None,
        stopped: Callable[[], bool] | None = None,
    ) -> HeatMapSheet:
        """Return heatmaps of one image."""


@dataclass(frozen=True)
class MapRequest:
    """Maps of one method: of these classes (indices), in these layers, with boxes or without.

    `contested` ones hold each place against other classes.
    """

    method: str
    targets: tuple[int, ...]
    layers: tuple[str, ...]
    boxes: bool = False
    contested: bool = False

    @property
    def rivals(self) -> int | None:
        """What an engine is asked for: none, or as many as it takes itself."""
        return None if self.contested else 0

    def spots(self) -> Iterator[Spot]:
        """Yield the places of all maps."""
        layers = (WHOLE,) if self.method in OF_THE_IMAGE else self.layers
        for target, layer in product(self.targets, layers):
            yield Spot(self.method, target, layer, self.contested)

    def parts(self) -> list[MapRequest]:
        """Return the same by class, then by layer; nothing where it is one map."""
        if len(self.targets) > 1:
            return [replace(self, targets=(target,)) for target in self.targets]
        if len(self.layers) > 1 and self.method not in OF_THE_IMAGE:
            return [replace(self, layers=(layer,)) for layer in self.layers]
        return []


@dataclass
class MapAnswer:
    """Maps by their places, and in words why others could not be had."""

    cells: dict[Spot, MapCell] = field(default_factory=dict)
    errors: dict[Spot, str] = field(default_factory=dict)


def maps_of(
    engine: FittedChip,
    image: Any,
    request: MapRequest,
    stopped: Callable[[], bool] = lambda: False,
) -> MapAnswer:
    """Return the maps of a request; one that cannot be had says why and keeps no other back.

    Raises CancelledError once `stopped` says so.
    """
    try:
        return MapAnswer(_cells_of(engine, image, request, stopped))
    except ValueError as error:
        parts = request.parts()
        if not parts:
            return MapAnswer({}, {spot: str(error) for spot in request.spots()})
    answer = MapAnswer()
    for part in parts:
        one = maps_of(engine, image, part, stopped)
        answer.cells |= one.cells
        answer.errors |= one.errors
    return answer


def _cells_of(
    engine: FittedChip, image: Any, request: MapRequest, stopped: Callable[[], bool]
) -> dict[Spot, MapCell]:
    _go_on(stopped)
    sheet = engine.heatmaps(
        image,
        targets=list(request.targets),
        layers=list(request.layers),
        methods=(request.method,),
        localize=request.boxes,
        rivals=request.rivals,
        stopped=stopped,
    )
    _go_on(stopped)
    boxes = {
        (one.target, one.layer): _named_after(request.method, one) for one in sheet.localizations
    }
    counts = _counts(engine, request)
    cells = {}
    for m in sheet.maps:
        # a class without any other has nothing to be held against, and is what was asked for
        spot = spot_of(m)._replace(contested=request.contested)
        box = boxes.get((m.target, m.layer))
        cells[spot] = MapCell(m, box, request.boxes, counts.get(spot))
    return cells


def _named_after(method: str, one: Localization) -> Localization:
    """The same, naming the method of its map: a sheet of several tells their boxes apart by it."""
    return replace(one, provenance=replace(one.provenance, method=method))


def _counts(engine: FittedChip, request: MapRequest) -> dict[Spot, tuple[int, int]]:
    if request.method not in COUNTED:
        return {}
    counts = {}
    for layer in request.layers:
        weights = engine.matrix(classes=list(request.targets), layer=layer).values
        for target, row in zip(request.targets, weights, strict=True):
            spot = Spot(request.method, target, layer, request.contested)
            counts[spot] = (int(np.count_nonzero(row)), len(row))
    return counts


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
