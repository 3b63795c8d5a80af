"""What says where the class of an image is: engines, methods by name, callables, simple answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from ..chip.engine import Chip
from ..chip.heatmaps import ALSO, DRAWINGS, method_of, strength, times
from ..evidence.localization import CENTRE, WHOLE
from ..hint.engine import Hint, above_lowest
from ..network.classifier import Classifier, PreparedImage
from ..network.guest import same_randomness
from ..network.probe import Probe
from ..network.probed_image import PLAIN, ImageProbe, ProbedImage, numbers_of

Map = Float[np.ndarray, "h w"]
Draw = Callable[[PreparedImage, int], Map]
GRAD_CAM, PLAIN_GRADIENT = "Grad-CAM", "gradient"
NAMES = (*DRAWINGS, PLAIN_GRADIENT, WHOLE, CENTRE)
ALIASES = {
    **ALSO,
    "backprop": PLAIN_GRADIENT,
    "backpropagation": PLAIN_GRADIENT,
    "plaingradient": PLAIN_GRADIENT,
    "whole": WHOLE,
    "centre": CENTRE,
    "center": CENTRE,
    "centerbox": CENTRE,
}
# Shares of a layer's neurons that HINT's classifiers keep (Tables 1-2), and that are compared with
# neurons chosen otherwise (Fig. 4c).
BEST, OTHERWISE = (0.1, 0.2, 0.4, 0.8), 0.2
_KINDS = (
    "a fitted Chip or Hint, the name of a method, (chip, name), (chip, layer), (hint, concept), or"
    " a callable (classifier, image, index) -> map that takes a prepared image 1 x C x H x W"
)


class Sight:
    """The image in front of all gradient methods: it goes through the network once.

    `layer` is that of Grad-CAM, the deepest stage for None.
    """

    def __init__(self, classifier: Classifier, layer: str | None) -> None:
        self._classifier, self._layer = classifier, layer
        self._probe: ImageProbe | None = None

    @property
    def name(self) -> str:
        """The name of the layer; "" where no image was there yet to find the deepest stage on."""
        return self._layer or ""

    def draw(self, method: str, image: PreparedImage, index: int) -> Map:
        """Return the map of a gradient method for a class."""
        if self._layer is None:
            self._layer = Probe(self._classifier).capture(image.x).layers[0].name
        if self._probe is None:
            self._probe = ImageProbe(self._classifier, [self._layer])
        return _GRADIENTS[method](self._probe.at(image), self._layer, index)


@dataclass(frozen=True)
class Localizer:
    """A method by its name: `draw` gives its map of a class in an image.

    `kind` is what the method is called of itself, `source` the layer that the map is taken from.
    """

    name: str
    draw: Draw
    kind: str
    source: str | Sight = ""

    @property
    def layer(self) -> str:
        """The layer that maps are taken from, "" for none."""
        return self.source if isinstance(self.source, str) else self.source.name


def _grad_cam(looked: ProbedImage, layer: str, index: int) -> Map:
    return looked.grad_cam(layer, index)


def _guided(looked: ProbedImage, layer: str, index: int) -> Map:
    gradient, notes = looked.guided(index)
    _check_guided(notes)
    return strength(gradient)


def _guided_grad_cam(looked: ProbedImage, layer: str, index: int) -> Map:
    gradient, notes = looked.guided(index)
    _check_guided(notes)
    return strength(times(gradient, looked.grad_cam(layer, index)))


def _gradient(looked: ProbedImage, layer: str, index: int) -> Map:
    return strength(numbers_of(looked.gradients(None, index)[0]))


def _check_guided(notes: Sequence[str]) -> None:
    if PLAIN in notes:
        raise ValueError(
            "the network has no ReLU to guide; guided backpropagation takes networks with ReLUs;"
            f' ask for "{PLAIN_GRADIENT}" instead'
        )


_GRADIENTS: Mapping[str, Callable[[ProbedImage, str, int], Map]] = {
    GRAD_CAM: _grad_cam,
    "Guided Grad-CAM": _guided_grad_cam,
    "guided backpropagation": _guided,
    PLAIN_GRADIENT: _gradient,
}


def _of_chip(chip: Chip, method: str, layer: str | None, image: PreparedImage, index: int) -> Map:
    heat = chip.saliency(image, index, layer=layer, method=method)
    _check_guided(heat.notes)
    return heat.values


def _of_hint(hint: Hint, concept: str | None, image: PreparedImage, index: int) -> Map:
    asked = concept_for(hint, index) if concept is None else concept
    return above_lowest(hint.explain(image, asked).values)


def concept_for(hint: Hint, index: int) -> str:
    """Return the narrowest concept with a classifier that a class belongs to, the first of several.

    Raises ValueError where there is none.
    """
    usable = set(hint.explainable())
    above = [c for c in hint.concepts_ if index in c.classes and c.name in usable]
    if not above:
        raise ValueError(
            f"class {index} belongs to no concept with a classifier; one was expected to look for;"
            " name another with concept=, or fit the Hint on a hierarchy with its classes"
        )
    return min(above, key=lambda concept: len(concept.classes)).name


def _of_callable(
    name: str, function: Any, classifier: Classifier, image: PreparedImage, index: int
) -> Map:
    with same_randomness():
        given = function(classifier, image.x.clone(), index)
    values = numbers_of(given) if isinstance(given, Tensor) else np.asarray(given)
    if values.ndim != 2 or not np.issubdtype(values.dtype, np.number):
        raise TypeError(
            f"got {type(given).__name__} of shape {values.shape} from the method {name!r}; expected"
            " a map of numbers (h, w); take out the axes of images and channels"
        )
    return values.astype(np.float64)


def _centre(image: PreparedImage, index: int) -> Map:
    """Return a map whose region at the threshold t is the box of 1 - t of each side, centred."""
    height, width = image.x.shape[2:]
    rows, columns = (np.abs((2 * np.arange(n) + 1) / n - 1) for n in (height, width))
    return 1 - np.maximum(rows[:, None], columns)


def _whole(image: PreparedImage, index: int) -> Map:
    return np.ones((image.x.shape[2], image.x.shape[3]))


def usual_methods(engine: Chip | Hint) -> dict[str, Any]:
    """Return the methods that an engine's paper compares, by their names (CHIP II, HINT 1-2, 4)."""
    if isinstance(engine, Chip):
        deep = len(engine.layers_) > 1
        others = [n for n in NAMES if n not in ("CHIP", WHOLE, CENTRE)]
        chosen = [n for n in others if deep or n != "Refined CHIP"]
        return {"CHIP": engine, **{n: (engine, n) if n in DRAWINGS else n for n in chosen}}
    found: dict[str, Any] = {"HINT": engine}
    for share in BEST:
        if share * engine.layer_.shape[0] >= 1:
            found[f"HINT, best {100 * share:.0f} %"] = engine.narrowed(share)
    if OTHERWISE * engine.layer_.shape[0] >= 1:
        for by, said in (("coefficient", "by coefficient"), ("random", "at random")):
            found[f"HINT, {100 * OTHERWISE:.0f} % {said}"] = engine.using(by).narrowed(OTHERWISE)
    return found


def named_methods(methods: Any) -> dict[str, Any]:
    """Return methods by name as given, or those usual for an engine, or for several of them."""
    if isinstance(methods, Mapping):
        return {str(name): one for name, one in methods.items()}
    several = methods if isinstance(methods, list | tuple) else [methods]
    found: dict[str, Any] = {}
    for one in several:
        if isinstance(one, str):
            found[method_of(one, NAMES, ALIASES)] = one
        elif isinstance(one, Chip | Hint):
            found |= {name: m for name, m in usual_methods(one).items() if name not in found}
        else:
            raise _no_method("methods", one)
    return found


def classifier_for(methods: Mapping[str, Any], model: Any) -> Classifier:
    """Return the network that is asked: `model`, or that of the first engine; raises ValueError."""
    if model is not None:
        return Classifier.of(model)
    engines = (one[0] if isinstance(one, tuple) else one for one in methods.values())
    known = (e.classifier_ for e in engines if isinstance(e, Chip | Hint))
    classifier = next((one for one in known if one is not None), None)
    if classifier is None:
        raise ValueError(
            "got methods without a network to ask; expected a fitted Chip or Hint among them, or a"
            " model; pass model=clf"
        )
    return classifier


def localizers_of(
    methods: Mapping[str, Any],
    classifier: Classifier,
    *,
    layer: str | None = None,
    concept: str | None = None,
) -> list[Localizer]:
    """Return methods as they draw on one network, the simplest answers behind them.

    Raises ValueError for an unknown name, a method that takes a Chip where there is none, and an
    engine of another network; TypeError for what is no method.
    """
    chip = next((e for e in map(_engine, methods.values()) if isinstance(e, Chip)), None)
    deepest = chip.layers_[0].name if chip is not None and layer is None else layer
    maker = _LocalizerMaker(classifier, chip, layer, concept, Sight(classifier, deepest), deepest)
    made = [maker.of(name, method) for name, method in methods.items()]
    kinds = {one.kind for one in made}
    return made + [maker.of(name, name) for name in (WHOLE, CENTRE) if name not in kinds]


def _engine(method: Any) -> Any:
    return method[0] if isinstance(method, tuple) and method else method


@dataclass
class _LocalizerMaker:
    """Makes localizers of what was given, all on one network."""

    classifier: Classifier
    chip: Chip | None
    layer: str | None
    concept: str | None
    sight: Sight
    deepest: str | None

    def of(self, name: str, method: Any) -> Localizer:
        """Return one localizer; raises like `localizers_of`."""
        first, *rest = method if isinstance(method, tuple) else (method,)
        words = [word for word in rest if isinstance(word, str)]
        if len(rest) > 1 or len(words) != len(rest):
            raise _no_method(name, method)
        if isinstance(first, Chip):
            return self._chip(name, first, *words)
        if isinstance(first, Hint):
            return self._hint(name, first, words[0] if words else self.concept)
        if isinstance(method, str):
            return self._named(name, method_of(method, NAMES, ALIASES))
        if not callable(method) or isinstance(method, nn.Module | type):
            raise _no_method(name, method)
        draw = partial(_of_callable, name, method, self.classifier)
        return Localizer(name, draw, "callable")

    def _chip(self, name: str, chip: Chip, word: str = "CHIP") -> Localizer:
        layers = chip.layers_
        layer = word if word in [one.name for one in layers] else self.layer
        method = "CHIP" if layer == word else method_of(word, DRAWINGS)
        own = layer or layers[0].name
        shown = f"{layers[-1].name} × {layers[0].name}" if method == "Refined CHIP" else own
        on = self._on(chip)
        if on.classifier_ is self.classifier and method in _GRADIENTS and own == self.deepest:
            return self._named(name, method)
        draw = partial(_of_chip, on, method, None if method == "Refined CHIP" else layer)
        return Localizer(name, draw, method, "" if method in _AT_PIXELS else shown)

    def _hint(self, name: str, hint: Hint, concept: str | None) -> Localizer:
        on = self._on(hint)
        return Localizer(name, partial(_of_hint, on, concept), "HINT", hint.layer_.name)

    def _on(self, engine: Any) -> Any:
        same = engine.classifier_ is self.classifier
        return engine if same else engine.on(self.classifier)

    def _named(self, name: str, method: str) -> Localizer:
        if method in (WHOLE, CENTRE):
            return Localizer(name, _whole if method == WHOLE else _centre, method)
        if method in _GRADIENTS:
            source = "" if method in _AT_PIXELS else self.sight
            return Localizer(name, partial(self.sight.draw, method), method, source)
        if self.chip is None:
            raise ValueError(
                f"got the method {method!r} without a Chip; expected one among the methods, whose"
                ' weights it takes; give {"CHIP": chip, ...}, or (chip, name) for the method'
            )
        return self._chip(name, self.chip, method)


_AT_PIXELS = ("guided backpropagation", PLAIN_GRADIENT)


def _no_method(name: str, method: Any) -> TypeError:
    return TypeError(
        f"got {type(method).__name__} as the method {name!r}; expected {_KINDS}; wrap what draws"
        " your map in a function"
    )
