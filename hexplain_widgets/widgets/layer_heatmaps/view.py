"""The view of heatmaps: one image, classes below each other, every layer, every method."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any

import traitlets

from ...arguments import counted
from ...evidence import HeatMap, HeatMapSheet, Localization, Provenance
from ...network.classifier import Classifier
from ...provenance import versions
from .._shared.agreement import faithfulness_fields, trust_words
from .._shared.conversation import Content, Handler, Stop, answering
from .._shared.payload import picture_bytes
from .._shared.view import View, settable, synced
from . import messages
from .grid import (
    FittedChip,
    HeatmapGrid,
    Key,
    MapAnswer,
    MapRequest,
    chosen_layers,
    chosen_methods,
    maps_of,
    sheet_of,
)
from .messages import cleaned
from .payload import GridEncoder
from .picture import GridState, draw_heatmaps

FIRST_CLASSES = 3
OFFERED = 5
HeatEvidence = HeatMapSheet | HeatMap | Localization


class LayerHeatmaps(View):
    """Heatmaps of one image from a fitted `hx.Chip`, live.

    `targets` are the classes at first (names or indices, the three strongest if not given),
    `layers` some of the fitted ones (all), `methods` some of "CHIP", "Refined CHIP",
    "Guided CHIP", "Grad-CAM", "guided backpropagation" (all; the first is shown first).
    `sparsity` refits. Each place counts as far as the class holds it against the image's strongest
    other classes, as many as the Chip's `rivals`; a switch draws the plain sums instead, and boxes,
    checks, pictures and pages are of the maps on the screen. Maps are fetched when they come on the
    screen and kept. Raises ValueError for what the engine does not know and for an engine that was
    loaded without its model, TypeError for what is no engine.
    """

    bundle = "layer_heatmaps"

    sheet = synced(traitlets.Dict)
    image = synced(traitlets.Bytes)
    classes = synced(traitlets.List)
    checks = synced(traitlets.Dict)
    words = trust_words()
    live = synced(traitlets.Bool)
    view = settable(traitlets.Dict, from_json=cleaned)

    def __init__(
        self,
        chip: Any,
        image: Any,
        *,
        targets: Sequence[int | str] | int | str | None = None,
        layers: Sequence[str] | None = None,
        methods: Sequence[str] | None = None,
        sparsity: float | int | None = None,
    ) -> None:
        if not isinstance(chip, FittedChip):
            raise TypeError(
                f"got {type(chip).__name__} as chip; expected a fitted Chip;"
                " make one with Chip().fit(model, data)"
            )
        if sparsity is not None:
            chip = chip.refit(sparsity=messages.checked_sparsity(sparsity))
        grid = _empty(chip, image, layers, methods)
        chosen = _chosen(targets, grid, chip.classes_)
        method = grid.methods[0]
        contested = grid.kinds(method)[0]
        first = MapRequest(method, chosen[:1], (grid.layers[0].name,), contested=contested)
        answer = maps_of(chip, image, first)
        self._open(grid.with_cells(answer.cells, answer.errors), chip, image, chosen)

    @classmethod
    def from_evidence(cls, evidence: Any) -> LayerHeatmaps:
        """Return a view of a saved HeatMapSheet, HeatMap or Localization, without a model.

        A single map or localization becomes a sheet of one. Raises TypeError for anything else.
        """
        if not isinstance(evidence, HeatEvidence):
            raise TypeError(
                f"got {type(evidence).__name__} as evidence; expected a HeatMapSheet, a HeatMap or"
                " a Localization; make one with chip.heatmaps(image) or open a saved one with"
                " load(path)"
            )
        return cls._of(HeatmapGrid.of(sheet_of(evidence)))

    @classmethod
    def _of(cls, grid: HeatmapGrid) -> LayerHeatmaps:
        self = cls.__new__(cls)
        self._open(grid, None, None, tuple(dict.fromkeys(s.target for s, _ in grid.ordered())))
        return self

    def _open(
        self, grid: HeatmapGrid, engine: FittedChip | None, source: Any, chosen: Sequence[Key]
    ) -> None:
        self._grid, self._engine, self._source = grid, engine, source
        self._encoder = GridEncoder()
        super().__init__(
            sheet=self._encoder.payload(grid),
            image=picture_bytes(grid.image),
            classes=list(engine.classes_) if engine else [],
            live=engine is not None,
            view={"method": grid.methods[0] if grid.methods else "", "classes": list(chosen)},
        )

    @property
    def evidence(self) -> HeatMapSheet:
        """All maps that the view has so far; `chip.heatmaps` gives any number at once."""
        return self._grid.sheet()

    @property
    def sparsity(self) -> float | None:
        """The sparsity of what is shown; None where evidence does not tell it."""
        return self._grid.sparsity

    def __repr__(self) -> str:
        maps, layers = (
            counted(len(self._grid.cells), "map"),
            counted(len(self._grid.layers), "layer"),
        )
        return f"LayerHeatmaps({', '.join(self._names())!r}, {layers}, {maps})"

    @property
    def title(self) -> str:
        """What a page with this view is called."""
        return f"Where is {', '.join(self._names())}?"

    def snapshot(self) -> LayerHeatmaps:
        """Return a twin of what is on the screen, without the model."""
        self._complete()
        twin = type(self)._of(replace(self._grid, rivals=None))
        twin.view, twin.layout, twin.classes = self.view, self.layout, self.classes
        twin.checks = self.checks
        return twin

    def export_png(self, path: str | Path) -> Path:
        """Write what is on the screen as a picture for slides and print, 1920 pixels wide."""
        self._complete()
        draw_heatmaps(self._grid, self._state()).save(path, format="PNG")
        return Path(path)

    def handlers(self) -> Mapping[str, Handler]:
        """Return what answers each kind of message."""
        return {
            "maps": self._maps,
            "refit": self._refit,
            "choose": self._choose,
            "check": self._check,
        }

    def close(self) -> None:
        """Close the view and let go of the model."""
        self._engine = None
        super().close()

    def _maps(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        engine = self._ask("to draw another map")
        request = self._request(content, engine)
        answer = maps_of(engine, self._source, request, stopped)
        self._add(engine, answer)
        return {"maps": len(answer.cells), "errors": len(answer.errors)}

    def _refit(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        engine = self._ask("to take another sparsity")
        sparsity, request = messages.sparsity_in(content), self._request(content, engine)
        refitted = engine.refit(sparsity=sparsity)
        answer = maps_of(refitted, self._source, request, stopped)
        with self._state_lock:
            if stopped():
                raise CancelledError
            self._engine, self._grid = refitted, self._grid.at_sparsity(sparsity)
            self._publish(checks={})
            self._add(refitted, answer)
        return {"sparsity": sparsity}

    def _check(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        engine = self._ask("to check against ablation")
        layers = [layer.name for layer in self._grid.layers]
        request = self._possible(messages.spot_in(content, layers, engine.classes_))
        (spot,), (target,) = request.spots(), request.targets
        answer = engine.faithfulness(
            self._source, target, spot.layer, method=spot.method, rivals=request.rivals
        )
        if stopped():
            raise CancelledError
        check = faithfulness_fields(answer, "the sum over channels")
        key = json.dumps(spot, separators=(",", ":"), ensure_ascii=False)
        with self._state_lock:
            if engine is self._engine:
                self._publish(checks={**self.checks, key: check})
        return check

    def _choose(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        engine = self._ask("to state at another class")
        index = messages.class_in(content, engine.classes_)
        return {"key": index, "name": engine.classes_[index]}

    def _request(self, content: Content, engine: FittedChip) -> MapRequest:
        layers = [layer.name for layer in self._grid.layers]
        request = messages.maps_in(content, self._grid.methods, layers, engine.classes_)
        return self._possible(request)

    def _possible(self, request: MapRequest) -> MapRequest:
        """The same of plain sums, where the engine holds places against no other classes."""
        if request.contested in self._grid.kinds(request.method):
            return request
        return replace(request, contested=False)

    def _add(self, engine: FittedChip, answer: MapAnswer) -> None:
        with self._state_lock:
            if engine is self._engine:
                self._grid = self._grid.with_cells(answer.cells, answer.errors)
                self._publish(sheet=self._encoder.payload(self._grid))

    def _ask(self, purpose: str) -> FittedChip:
        return answering(self._engine, "model", purpose, "LayerHeatmaps(chip, image)")

    def _complete(self) -> None:
        """Fetch what the view is to show and has not, for pages and pictures."""
        engine, state = self._engine, self._state()
        if engine is None or state.method not in self._grid.methods:
            return
        targets = tuple(t for t in state.targets if isinstance(t, int))
        names = tuple(layer.name for layer in self._grid.layers)
        for target in targets:
            request = MapRequest(state.method, (target,), names, state.boxes, state.contested)
            if any(self._lacks(spot, state.boxes) for spot in request.spots()):
                self._add(engine, maps_of(engine, self._source, request))

    def _lacks(self, spot: Any, boxes: bool) -> bool:
        cell = self._grid.cells.get(spot)
        return spot not in self._grid.errors and (cell is None or (boxes and not cell.boxed))

    def _state(self) -> GridState:
        return GridState.of(self.view, self._grid, self.classes)

    def _names(self) -> list[str]:
        return list(self._state().targets.values())


def _empty(
    chip: FittedChip, image: Any, layers: Sequence[str] | None, methods: Sequence[str] | None
) -> HeatmapGrid:
    """The grid before its first map: the image as the network sees it, and its predictions."""
    chosen = chosen_layers(chip.layers_, layers)
    classifier = _classifier(chip)
    prepared = classifier.prepare(image)
    predictions = classifier.ranked(classifier.logits(prepared.x)[0], OFFERED)
    settings = {"sparsity": float(chip.sparsity)}
    model = type(classifier.model).__name__
    return HeatmapGrid(
        image=prepared.shown,
        predictions=tuple(predictions),
        layers=chosen,
        methods=chosen_methods(methods),
        provenance=Provenance("CHIP", model, predictions[0].name, settings, None, versions()),
        sparsity=float(chip.sparsity),
        rivals=int(chip.rivals),
        notes=classifier.score_notes,
    )


def _classifier(chip: FittedChip) -> Classifier:
    classifier = chip.classifier_
    if not isinstance(classifier, Classifier):
        raise ValueError(
            f"this {type(chip).__name__} has statistics but no model; heatmaps of an image take"
            " the model; load it with Chip.load(path, model), or show saved maps with"
            " LayerHeatmaps.from_evidence"
        )
    return classifier


def _chosen(
    targets: Sequence[int | str] | int | str | None, grid: HeatmapGrid, names: Sequence[str]
) -> tuple[int, ...]:
    if targets is None:
        return tuple(p.index for p in grid.predictions[:FIRST_CLASSES])
    given = [targets] if isinstance(targets, int | str) else list(targets)
    if not given:
        raise ValueError(
            "got no targets; expected at least one class, by name or index; leave targets out for"
            " the strongest"
        )
    return tuple(dict.fromkeys(messages.class_index(target, names) for target in given))
