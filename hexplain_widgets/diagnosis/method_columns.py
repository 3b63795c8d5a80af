"""Which methods there are to draw a heatmap with, by name, and the columns they make of a sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from torch import Tensor, nn

from ..arguments import Stop
from ..chip.engine import Chip
from ..chip.heatmaps import (
    ALSO,
    ClassAtLayer,
    HeatMapDraft,
    grad_cam_of,
    guided_backpropagation,
    guided_grad_cam,
    method_of,
    of_pixels,
)
from ..evidence import HeatMap, Provenance
from ..hint.engine import STAGES, Hint
from ..network.classifier import Classifier, PreparedImage
from ..network.gradients import hires_cam, layer_cam
from ..network.guest import same_randomness
from ..network.probe import Probe
from ..network.probed_image import ImageProbe, ProbedImage, numbers_of
from ..provenance import versions
from .lime import Lime, segmentation

Draw = Callable[[PreparedImage, int, Stop], HeatMap]


def _gradient(request: ClassAtLayer) -> HeatMapDraft:
    """Draw the gradient of the class's logit at the pixels."""
    return of_pixels(numbers_of(request.image.gradients(None, request.index)[0]))


def _hires_cam(request: ClassAtLayer) -> HeatMapDraft:
    """Draw HiResCAM at a layer."""
    return HeatMapDraft(
        hires_cam(*request.image.gradients(request.layer, request.index)), request.layer
    )


def _layer_cam(request: ClassAtLayer) -> HeatMapDraft:
    """Draw LayerCAM at a layer."""
    return HeatMapDraft(
        layer_cam(*request.image.gradients(request.layer, request.index)), request.layer
    )


# Of an image that went through the network: those of a layer, and those of the pixels.
OF_LAYERS: Mapping[str, Callable[[ClassAtLayer], HeatMapDraft]] = {
    "Grad-CAM": grad_cam_of,
    "HiResCAM": _hires_cam,
    "LayerCAM": _layer_cam,
    "Guided Grad-CAM": guided_grad_cam,
}
OF_PIXELS: Mapping[str, Callable[[ClassAtLayer], HeatMapDraft]] = {
    "guided backpropagation": guided_backpropagation,
    "gradient": _gradient,
}
# Of a fitted Chip, at a layer or of the first and the last.
OF_CHIP: Mapping[str, Callable[[Chip, Any, int, str], HeatMap]] = {
    "CHIP": lambda chip, image, index, layer: chip.explain(image, index, layer),
    "Guided CHIP": lambda chip, image, index, layer: chip.guide(image, index, layer),
    "Refined CHIP": lambda chip, image, index, _: chip.refine(image, index),
}
WHOLE = ("Refined CHIP",)
NAMES = (*OF_LAYERS, *OF_PIXELS, "LIME", *OF_CHIP)
_ALSO = {
    "backprop": "gradient",
    "backpropagation": "gradient",
    "plaingradient": "gradient",
}
_KINDS = (
    "a fitted Chip or Hint, a method's name, a Lime, a callable (classifier, image, index) -> map,"
    " or one of them with a layer: (method, layer)"
)


@dataclass(frozen=True)
class SheetColumn:
    """A column of a sheet: its name, its layer (empty for none), and how its maps are drawn."""

    name: str
    layer: str
    draw: Draw


@dataclass(frozen=True)
class _LookedAt:
    """An image inside a network, a layer and a class."""

    image: ProbedImage
    layer: str
    index: int


@dataclass(frozen=True)
class _NamedMethod:
    """A method by its name, at its own layer if it was given one."""

    name: str
    kind: Any
    layer: str | None = None


class Methods:
    """What a sheet is to be drawn with, read and checked before anything is drawn."""

    def __init__(self, methods: Sequence[_NamedMethod], classifier: Classifier) -> None:
        self.classifier = classifier
        engines = {id(m.kind): _on(m.kind, classifier) for m in methods}
        self._methods = [replace(m, kind=engines[id(m.kind)]) for m in methods]
        self._gaze: ImageProbe | None = None

    @classmethod
    def of(cls, methods: Any, model: nn.Module | Classifier | None) -> Methods:
        """Return methods by name, and the network that they ask.

        Raises what `method_grid` raises for them.
        """
        named = [_read(name, given) for name, given in _pairs(methods)]
        if not named:
            raise ValueError(
                f"got no methods; expected at least one; give {{name: method}}, with {_KINDS}"
            )
        if any(isinstance(m.kind, Lime) for m in named):
            segmentation()
        return cls(named, _network([m.kind for m in named], model))

    def columns(
        self, image: PreparedImage, layers: str | Sequence[str] | None
    ) -> tuple[SheetColumn, ...]:
        """Return the columns of a sheet whose first image is this one.

        Raises ValueError for layers that the network has not, and for two columns of one name.
        """
        asked = (layers,) if isinstance(layers, str) and layers != STAGES else layers
        if asked is not None and not asked:
            raise ValueError(
                'got no layers; expected names of hx.layers, or "stages"; leave layers out for the'
                " deepest"
            )
        own = [m.layer for m in self._methods if m.layer is not None]
        named = [*own, *(() if asked in (None, STAGES) else asked or ())]
        if named:
            Probe(self.classifier).capture(image.x, named)
        stages = _Stages(self.classifier, image)
        columns = [c for m in self._methods for c in self._columns(m, asked, stages)]
        _check_different([(c.name, c.layer) for c in columns])
        self._gaze = self._prepared(columns, stages)
        return tuple(columns)

    def _prepared(self, columns: Sequence[SheetColumn], stages: _Stages) -> ImageProbe | None:
        """Return what looks into images at the layers that named methods ask."""
        asked = {m.name: _word(m.kind) for m in self._methods}
        layers = dict.fromkeys(c.layer for c in columns if asked[c.name] in OF_LAYERS and c.layer)
        if not layers and not any(word in OF_PIXELS for word in asked.values()):
            return None
        names = tuple(layers) or stages.names
        return ImageProbe(self.classifier, names) if names else None

    def _columns(
        self, method: _NamedMethod, asked: str | Sequence[str] | None, stages: _Stages
    ) -> Iterator[SheetColumn]:
        """Yield a column of a method for each layer that is asked, one for a method of none."""
        kind, name = method.kind, method.name
        known = self._layers(kind, stages)
        if known is None:
            if method.layer is not None:
                raise ValueError(
                    f"got the layer {method.layer!r} for {name!r}, whose maps are of no layer;"
                    " expected the method alone; leave the layer out"
                )
            yield SheetColumn(name, "", self._draw(kind, "", stages))
            return
        usual = known if asked == STAGES else known[:1]
        chosen = usual if asked in (None, STAGES) else tuple(asked or ())
        for layer in (method.layer,) if method.layer is not None else chosen or ("",):
            yield SheetColumn(name, layer, self._draw(kind, layer, stages))

    def _layers(self, kind: Any, stages: _Stages) -> tuple[str, ...] | None:
        """Return the layers of a method, its usual one first; None for one of no layer."""
        word = _word(kind)
        engine = self._chip_of(word) if word in OF_CHIP else kind
        if isinstance(engine, Chip) and word not in WHOLE:
            return tuple(layer.name for layer in engine.layers_)
        if isinstance(engine, Hint):
            first = engine.layer_.name
            return tuple(dict.fromkeys((first, *(layer.name for layer in engine.layers_))))
        return stages.names if word in OF_LAYERS else None

    def _draw(self, kind: Any, layer: str, stages: _Stages) -> Draw:
        word = _word(kind)
        if word in OF_CHIP:
            chip, draw = self._chip_of(word), OF_CHIP[word]
            return lambda image, index, _: draw(chip, image, index, layer)
        if isinstance(kind, Chip):
            return lambda image, index, _: kind.explain(image, index, layer)
        if isinstance(kind, Hint):
            name, hint = self.classifier.name, kind.at(layer)
            return lambda image, index, _: hint.explain(image, name(index))
        if isinstance(kind, Lime):
            return lambda image, index, stopped: kind.explain(
                self.classifier, image, index, stopped=stopped
            )
        if word:
            return partial(self._probed, word, layer, stages)
        return partial(self._called, kind)

    def _chip_of(self, kind: str) -> Chip:
        """Return the one Chip that a method of CHIP is asked of by its name."""
        chips = {id(m.kind): m.kind for m in self._methods if isinstance(m.kind, Chip)}
        if len(chips) != 1:
            raise ValueError(
                f"got {kind!r} beside {len(chips)} fitted Chips; expected one whose method that"
                " is; give the fitted Chip among the methods, or a callable of its own: lambda"
                " classifier, image, index: chip.refine(image, index)"
            )
        return next(iter(chips.values()))

    def _probed(
        self, kind: str, layer: str, stages: _Stages, image: PreparedImage, index: int, _: Stop
    ) -> HeatMap:
        """Draw a method that looks into the network."""
        if self._gaze is None or (kind in OF_LAYERS and not layer):
            raise stages.error or ValueError(f"there is no layer to draw {kind} at")
        looked = self._gaze.at(image)
        draft = {**OF_LAYERS, **OF_PIXELS}[kind](_LookedAt(looked, layer, index))
        return self._heatmap(draft, kind, image, index, looked.notes)

    def _called(
        self, call: Callable[..., Any], image: PreparedImage, index: int, _: Stop
    ) -> HeatMap:
        """Ask a callable, whose draws at random are not taken from the global state."""
        with same_randomness():
            found = call(self.classifier, image.x.clone(), index)
        if isinstance(found, HeatMap):
            return found
        values = found.detach().float().cpu() if isinstance(found, Tensor) else found
        draft = HeatMapDraft(_plane(np.asarray(values, dtype=np.float64)), "")
        return self._heatmap(draft, _called_so(call), image, index, ())

    def _heatmap(
        self,
        draft: HeatMapDraft,
        method: str,
        image: PreparedImage,
        index: int,
        notes: tuple[str, ...],
    ) -> HeatMap:
        name, model = self.classifier.name(index), type(self.classifier.model).__name__
        settings = {"layer": draft.layer} if draft.layer else {}
        return HeatMap(
            values=draft.values,
            layer=draft.layer,
            target=name,
            method=method,
            image=image.shown,
            provenance=Provenance(method, model, name, settings, None, versions()),
            index=index,
            picture=draft.picture,
            notes=tuple(dict.fromkeys((*notes, *draft.notes))),
        )


class _Stages:
    """The last layers of the network's stages, deepest first; none and why where it has none."""

    def __init__(self, classifier: Classifier, image: PreparedImage) -> None:
        self._classifier, self._image = classifier, image
        self.error: Exception | None = None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The layers' names."""
        try:
            capture = Probe(self._classifier).capture(self._image.x)
        except (ValueError, RuntimeError) as error:
            self.error = error
            return ()
        return tuple(layer.name for layer in capture.layers)


def _plane(values: np.ndarray) -> np.ndarray:
    """Return a map without the axes of one that stand before its two."""
    plain = values.ndim > 2 and values.size == np.prod(values.shape[-2:])
    return values.reshape(values.shape[-2:]) if plain else values


def _pairs(methods: Any) -> list[tuple[str | None, Any]]:
    """Return what was given as methods, with names where they were named."""
    if isinstance(methods, Mapping):
        return [(str(name), given) for name, given in methods.items()]
    if isinstance(methods, str) or not isinstance(methods, Sequence):
        return [(None, methods)]
    return [(None, given) for given in methods]


def _read(name: str | None, given: Any) -> _NamedMethod:
    """Return a method as it was given, checked, with a name of its own where it has none."""
    layered = isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], str)
    kind, layer = given if layered else (given, None)
    if isinstance(kind, str):
        kind = method_of(kind, NAMES, {**ALSO, **_ALSO})
    if isinstance(kind, Chip | Hint):
        kind.layers_  # noqa: B018 - raises where it has not seen any data
    elif not isinstance(kind, str | Lime) and not _is_callable(kind):
        raise TypeError(
            f"got {_described(kind)} as the method{'' if name is None else f' {name!r}'}; expected"
            f" {_KINDS}; ask anything else through a callable"
        )
    return _NamedMethod(name or _called_so(kind), Lime() if kind == "LIME" else kind, layer)


def _word(kind: Any) -> str:
    """Return a method's name; nothing for one that was not given by its name."""
    return kind if isinstance(kind, str) else ""


def _is_callable(kind: Any) -> bool:
    return callable(kind) and not isinstance(kind, type | nn.Module | Classifier)


def _described(kind: Any) -> str:
    return f"the class {kind.__name__}" if isinstance(kind, type) else type(kind).__name__


def _called_so(kind: Any) -> str:
    """Return what a method is called that was not given a name."""
    names = {Chip: "CHIP", Hint: "HINT", Lime: "LIME"}
    own = kind if isinstance(kind, str) else names.get(type(kind))
    return str(own or getattr(kind, "__name__", type(kind).__name__))


def _network(kinds: Sequence[Any], model: nn.Module | Classifier | None) -> Classifier:
    """Return the network that is asked: the one given, or that of the first engine."""
    if model is not None:
        return Classifier.of(model)
    engines = [kind for kind in kinds if isinstance(kind, Chip | Hint)]
    own = [e.classifier_ for e in engines if e.classifier_ is not None]
    if not own:
        came = "an engine without its network" if engines else "no fitted engine"
        raise ValueError(
            f"got {came} among the methods, and no model; expected a network to ask; pass model="
        )
    return own[0]


def _on(kind: Any, classifier: Classifier) -> Any:
    """Return an engine on the network; raises ValueError for one of another; others as they are."""
    if not isinstance(kind, Chip | Hint):
        return kind
    own = kind.classifier_
    return kind if own is not None and own.model is classifier.model else kind.on(classifier)


def _check_different(columns: Sequence[tuple[str, str]]) -> None:
    again = next((c for i, c in enumerate(columns) if c in columns[:i]), None)
    if again is not None:
        raise ValueError(
            f"got two methods called {' at '.join(filter(None, again))!r}; expected names that tell"
            " columns apart; give a mapping {name: method}"
        )
