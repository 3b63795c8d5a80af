"""Heatmaps in their places: one per method, class and layer, whoever made them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from ...chip.heatmaps import OF_THE_IMAGE
from ...evidence import HeatMap, HeatMapSheet, Layer, Localization, Prediction, Provenance

Key = int | str

# What a refit at another sparsity leaves as it is.
WITHOUT_WEIGHTS = ("Grad-CAM", "guided backpropagation")
WHOLE = ""  # the column of a method with one map per class, whatever the layers


class Spot(NamedTuple):
    """Where a map stands: its method, its class (index, or name without one) and its layer."""

    method: str
    target: Key
    layer: str


@dataclass(frozen=True)
class Cell:
    """One map with its box; `channels` counts those of non-zero weight, and all.

    `boxed` says that a box was asked for, which a map that points at nothing does not have.
    """

    heatmap: HeatMap
    localization: Localization | None = None
    boxed: bool = False
    channels: tuple[int, int] | None = None


@dataclass(frozen=True)
class HeatmapGrid:
    """All maps of one image that a view has, and in words why others could not be had."""

    image: UInt8[np.ndarray, "h w 3"]
    predictions: tuple[Prediction, ...]
    layers: tuple[Layer, ...]
    methods: tuple[str, ...]
    provenance: Provenance
    cells: Mapping[Spot, Cell] = field(default_factory=dict)
    errors: Mapping[Spot, str] = field(default_factory=dict)
    sparsity: float | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, sheet: HeatMapSheet) -> HeatmapGrid:
        """Return the maps of a sheet in their places."""
        boxes = _boxes(sheet)
        cells = {
            spot_of(m): Cell(m, boxes.get(spot_of(m)), spot_of(m) in boxes) for m in sheet.maps
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

    def with_found(self, cells: Mapping[Spot, Cell], errors: Mapping[Spot, str]) -> HeatmapGrid:
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
        found = dict.fromkeys(s.layer for s in (*self.cells, *self.errors) if s.method == method)
        return (*(n for n in named if n in found), *(n for n in found if n not in named))

    def targets(self) -> dict[Key, str | None]:
        """Return the classes with a map or an error, with names where a map tells them."""
        known: dict[Key, str | None] = {p.index: p.name for p in self.predictions}
        names: dict[Key, str | None] = {s.target: known.get(s.target) for s in self.errors}
        return names | {spot.target: cell.heatmap.target for spot, cell in self.cells.items()}

    def ordered(self) -> Iterable[tuple[Spot, Cell]]:
        """Yield maps by method, class and layer from the deepest, in the order of the view."""
        targets = list(self.targets())
        for method in dict.fromkeys((*self.methods, *(s.method for s in self.cells))):
            for target in targets:
                for layer in self.columns(method):
                    spot = Spot(method, target, layer)
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
    return Spot(heatmap.method, target, layer)


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
        notes=evidence.notes,
    )
    return HeatMapSheet(
        evidence.image, (), (), (region,), evidence.provenance, (evidence,), evidence.notes
    )


def _boxes(sheet: HeatMapSheet) -> dict[Spot, Localization]:
    """Boxes by the places of their maps: by method where they name it, else in order."""
    found: dict[Spot, Localization] = {}
    for one in sheet.localizations:
        peers = [m for m in sheet.maps if (m.target, m.layer) == (one.target, one.layer)]
        free = [m for m in peers if spot_of(m) not in found]
        own = [m for m in free if m.method == one.provenance.method]
        for heatmap in (own or free)[:1]:
            found[spot_of(heatmap)] = one
    return found
