"""The heatmaps that can be drawn of an image, the regions they point at, how far they are true."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from ..arguments import Stop, nearest
from ..evidence import Faithfulness, HeatMap, Localization, Provenance
from ..evidence.faithfulness import faithfulness
from ..evidence.heat import CONTESTED
from ..network.gradients import picture_of_gradient
from ..network.localize import Truth, heat_region, upsampled
from ..network.probed_image import ProbedImage, numbers_of
from .importance import Importance


@dataclass(frozen=True)
class HeatMapDraft:
    """A heatmap before it becomes evidence: signed values, whose layer, a picture, remarks."""

    values: Float[np.ndarray, "h w"]
    layer: str
    picture: UInt8[np.ndarray, "H W 3"] | None = None
    notes: tuple[str, ...] = ()


@runtime_checkable
class ClassAtLayer(Protocol):
    """An image inside a network, one of its layers and a class: what gradients are asked of."""

    @property
    def image(self) -> ProbedImage:
        """The image, which went through the network."""

    @property
    def layer(self) -> str:
        """The layer's name."""

    @property
    def index(self) -> int:
        """The class's index."""


@dataclass(frozen=True)
class HeatMapRequest:
    """What a heatmap is asked of: an image, weights, a layer, a class and how many rivals."""

    image: ProbedImage
    importance: Importance
    layer: str
    index: int
    rivals: int = 0

    def heat(self) -> Float[np.ndarray, "h w"]:
        """Return the sum of the maps of the layer's important channels (CHIP, Eq. 10).

        With rivals, each place counts as far as the class holds it against them.
        """
        return contested(self._maps())

    def adds(self) -> Float[np.ndarray, " k"]:
        """Return what each channel adds to the heatmap, over all places as they count there."""
        weights = self.importance.strong(self.layer, self.index)
        held = shares(self._maps())
        return weights * (self.image.activations(self.layer) * held).sum((1, 2))

    def against(self) -> tuple[str, ...]:
        """Return the names of the classes that places are held against, the strongest first."""
        return tuple(self.importance.classes[i] for i in self._rivals())

    def _maps(self) -> list[Float[np.ndarray, "h w"]]:
        """The class's own plain sum, then those of its rivals."""
        own = self.image.weighted(self.importance.strong(self.layer, self.index), self.layer)
        rivals = self._rivals()
        others = self.importance.weights(self.layer, rivals) if rivals else ()
        return [own, *(self.image.weighted(w, self.layer) for w in others)]

    def _rivals(self) -> list[int]:
        strongest = (p.index for p in self.image.predictions(self.rivals + 1))
        return [i for i in strongest if i != self.index][: self.rivals]


def contested(maps: Sequence[Float[np.ndarray, "h w"]]) -> Float[np.ndarray, "h w"]:
    """Return the first map, where positive times its share of all positive maps at that place."""
    return maps[0] * shares(maps)


def shares(maps: Sequence[Float[np.ndarray, "h w"]]) -> Float[np.ndarray, "h w"]:
    """Return the first map's share of all positive maps at each place, 1 where it is negative."""
    own = maps[0]
    whole = sum((np.maximum(m, 0) for m in maps[1:]), np.maximum(own, 0))
    return np.divide(own, whole, out=np.ones_like(own), where=own > 0)


Draw = Callable[[HeatMapRequest], HeatMapDraft]


def chip(request: HeatMapRequest) -> HeatMapDraft:
    """Draw where channels that matter for a class fire (CHIP, Eq. 10)."""
    return HeatMapDraft(request.heat(), request.layer)


def refined_chip(request: HeatMapRequest) -> HeatMapDraft:
    """Draw the product of the first and the last layer's heatmaps (Eq. 10) at image size."""
    layers = request.importance.layers
    if len(layers) == 1:
        raise ValueError(
            f"Refined CHIP takes two layers, and only {layers[0].name} was fitted; the first and"
            " the last were expected; fit Chip() with layers=None, or name both"
        )
    names = layers[-1].name, layers[0].name
    maps = [replace(request, layer=name, rivals=0).heat() for name in names]
    return HeatMapDraft(_product(maps, request.image.size), " × ".join(names))


def guided_chip(request: HeatMapRequest) -> HeatMapDraft:
    """Draw guided backpropagation times the heatmap."""
    return _guided_by(request, request.heat())


def grad_cam_of(request: ClassAtLayer) -> HeatMapDraft:
    """Draw Grad-CAM at a layer."""
    return HeatMapDraft(request.image.grad_cam(request.layer, request.index), request.layer)


def guided_grad_cam(request: ClassAtLayer) -> HeatMapDraft:
    """Draw guided backpropagation times Grad-CAM (Selvaraju et al. 2017)."""
    return _guided_by(request, request.image.grad_cam(request.layer, request.index))


def _guided_by(request: ClassAtLayer, heat: Float[np.ndarray, "h w"]) -> HeatMapDraft:
    gradient, notes = request.image.guided(request.index)
    product = times(gradient, heat)
    return of_pixels(product, request.layer, notes)


def times(
    gradient: Float[np.ndarray, "c H W"], heat: Float[np.ndarray, "h w"]
) -> Float[np.ndarray, "c H W"]:
    """Return a gradient at the pixels, each times the heatmap where that is positive."""
    return gradient * upsampled(np.maximum(heat, 0), gradient.shape[1:])


def guided_backpropagation(request: ClassAtLayer) -> HeatMapDraft:
    """Draw guided backpropagation of the class's logit at the pixels."""
    gradient, notes = request.image.guided(request.index)
    return of_pixels(gradient, request.layer, notes)


def of_pixels(
    gradient: Float[np.ndarray, "c H W"], layer: str = "", notes: tuple[str, ...] = ()
) -> HeatMapDraft:
    """Draw a gradient at the pixels: its size at each, and its picture."""
    return HeatMapDraft(strength(gradient), layer, picture_of_gradient(gradient), notes)


DRAWINGS: dict[str, Draw] = {
    "CHIP": chip,
    "Refined CHIP": refined_chip,
    "Guided CHIP": guided_chip,
    "Grad-CAM": grad_cam_of,
    "Guided Grad-CAM": guided_grad_cam,
    "guided backpropagation": guided_backpropagation,
}
# Other words for them.
ALSO = {
    "refined": "Refined CHIP",
    "guided": "Guided CHIP",
    "guidedbackprop": "guided backpropagation",
}
# Methods that give one map for all layers.
OF_THE_IMAGE = ("Refined CHIP", "guided backpropagation")


def _product(maps: Sequence[Float[np.ndarray, "_ _"]], size: tuple[int, int]) -> np.ndarray:
    product = np.ones(size)
    for one in maps:
        product *= upsampled(np.maximum(one, 0), size)
    return product


def strength(gradient: Float[np.ndarray, "c H W"]) -> Float[np.ndarray, "H W"]:
    """Return the size of a gradient at every pixel: the largest of its colours."""
    return np.abs(gradient).max(axis=0)


def method_of(name: str, known: Iterable[str] = DRAWINGS, also: Mapping[str, str] = ALSO) -> str:
    """Return a method by its name, whatever its case, spaces and signs; raises ValueError.

    >>> method_of("gradcam"), method_of("guided_backprop"), method_of("refined")
    ('Grad-CAM', 'guided backpropagation', 'Refined CHIP')
    """
    names = {_letters(one): one for one in known}
    said = _letters(str(name))
    if (meant := also.get(said, names.get(said))) is None:
        raise ValueError(
            f"got the method {name!r}; expected one of {', '.join(map(repr, known))}; the nearest"
            f" is {nearest(str(name), known)}"
        )
    return meant


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))


def heatmap_of(method: str, request: HeatMapRequest, provenance: Provenance) -> HeatMap:
    """Return a heatmap by the name of its method; raises ValueError for an unknown one."""
    method = method_of(method)
    draft, name = DRAWINGS[method](request), request.importance.classes[request.index]
    settings = {**provenance.settings, "layer": draft.layer}
    if "CHIP" in method:
        weights = request.importance.weights(request.layer, [request.index])
        settings |= {"channels": int(np.count_nonzero(weights)), "of": weights.shape[1]}
    return HeatMap(
        values=draft.values,
        layer=draft.layer,
        target=name,
        method=method,
        image=request.image.image,
        provenance=replace(provenance, method=method, target=name, settings=settings),
        index=request.index,
        picture=draft.picture,
        notes=(*request.image.notes, *draft.notes),
        rivals=request.against() if method in CONTESTED else (),
    )


def _by_grad_cam(request: HeatMapRequest) -> Float[np.ndarray, " k"]:
    """Return what each channel adds to Grad-CAM, over all places."""
    gradients, maps = request.image.gradients(request.layer, request.index)
    return numbers_of(gradients.mean((1, 2)) * maps.sum((1, 2)))


SUMS: dict[str, Callable[[HeatMapRequest], Float[np.ndarray, " k"]]] = {
    "CHIP": HeatMapRequest.adds,
    "Grad-CAM": _by_grad_cam,
}


def faithfulness_of(method: str, request: HeatMapRequest) -> Faithfulness:
    """Return how far a method's sum over channels agrees with the drops of the class's logit.

    Raises ValueError for a method that does not sum channels.
    """
    if method not in SUMS:
        raise ValueError(
            f"got the method {method!r}; expected one that sums channels, {' or '.join(SUMS)};"
            " ask for one of these"
        )
    estimates = SUMS[method](request)
    start = time.perf_counter()
    drops = request.image.drops(request.layer, request.index)
    return faithfulness(estimates, drops, seconds=time.perf_counter() - start)


def requests_of(
    methods: Sequence[str],
    classes: Sequence[int],
    layers: Sequence[str],
    ask: Callable[[int, str], HeatMapRequest],
    stopped: Stop | None,
) -> Iterator[tuple[str, HeatMapRequest]]:
    """Yield what each map of a sheet is drawn from, with its method, until `stopped` says yes."""
    for method, target in product(methods, classes):
        for layer in layers[:1] if method in OF_THE_IMAGE else layers:
            if stopped is not None and stopped():
                return
            yield method, ask(target, layer)


def localization_of(
    method: str,
    request: HeatMapRequest,
    provenance: Provenance,
    *,
    threshold: float,
    truth: Truth | None = None,
) -> Localization:
    """Return the region a method's heatmap points at, with its IoU if it is known.

    The region is at the image's size.
    """
    heat = heatmap_of(method, request, provenance)
    return heat_region(heat, heat.values, request.image.size, threshold, truth)
