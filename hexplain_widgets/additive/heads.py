"""Concept heads: scores of concepts that are read off the maps of a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ..arguments import nearest
from ..data.concept_sets import IGNORE, ConceptSet, label_maps
from ..data.samples import Batch, batches
from ..fitting.passes import batch_size
from ..network.classifier import Classifier
from ..network.gating import LayerGates, gated
from ..network.probe import Probe
from ..provenance import fingerprint
from ..solvers.logistic import fit_logistic

_METHOD, _NAMES = "concepts", "concept_names"
# The share of an image from which a concept counts as present, and of what an absent one may cover.
PRESENT, ABSENT = 0.006, 0.0
# A head wants this many images with its concept, and without.
FEWEST = 5
PENALTY = 0.1
# A scene is what is explained, not what explains.
SCENE = "scene"


@runtime_checkable
class Reader(Protocol):
    """Reads the scores of concepts; call it inside `guest.visiting`."""

    def take(self, x: Float[Tensor, "n ch h w"]) -> Any:
        """Look at a batch of images once."""

    def read(
        self, cache: Any, image: Int[Tensor, " r"], maps: Float[Tensor, "r k h w"]
    ) -> Float[Tensor, "r e"]:
        """Return the scores for other maps of the layer; `image` says of which image.

        Differentiable in the maps where gradients are on.
        """


@runtime_checkable
class Heads(Protocol):
    """Named heads that share a layer with the network."""

    @property
    def names(self) -> tuple[str, ...]:
        """The concepts, one score each."""

    @property
    def identity(self) -> str:
        """What tells these heads from others."""

    def on(self, probe: Probe, x: Float[Tensor, "n ch h w"], layer: str) -> Reader:
        """Return what reads the scores off a layer, tried on a batch of images."""


class ConceptView(nn.Module):
    """A network whose output is its `concepts` method: its heads, looked into like classes."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """Return the concepts' logits `(n, e)`."""
        return self.model.concepts(x)  # type: ignore[operator]


@dataclass(frozen=True)
class ModelHeads:
    """The heads of a network that has a method `concepts(x)` and the names `concept_names`."""

    names: tuple[str, ...]
    identity: str

    def on(self, probe: Probe, x: Float[Tensor, "n ch h w"], layer: str) -> Reader:
        """Return what reads the heads; raises ValueError where they do not depend on the layer."""
        # Under `model`, the view has the network's modules: the same layer, one name longer.
        look = ConceptView(probe.classifier.model)
        view = Classifier(look, transform=probe.classifier.transform, scores="multilabel")
        return _ModelReader(gated(Probe(view), x, [f"model.{layer}"]), f"model.{layer}")


@dataclass(frozen=True)
class _ModelReader:
    gates: LayerGates
    layer: str

    def take(self, x: Tensor) -> Any:
        return self.gates.take(x)

    def read(self, cache: Any, image: Tensor, maps: Tensor) -> Tensor:
        return self.gates.behind(cache, self.layer, image, maps)


@dataclass(frozen=True)
class MapHeads:
    """Heads given as one callable from maps `(n, K, H, W)` to scores `(n, e)`."""

    names: tuple[str, ...]
    identity: str
    of: Callable[[Tensor], Tensor]

    def on(self, probe: Probe, x: Float[Tensor, "n ch h w"], layer: str) -> Reader:
        """Return what reads the heads off the layer's maps."""
        return _MapReader(self)


@dataclass(frozen=True)
class _MapReader:
    heads: MapHeads

    def take(self, x: Tensor) -> None:
        return None

    def read(self, cache: None, image: Tensor, maps: Tensor) -> Tensor:
        scores = self.heads.of(maps)
        count = len(self.heads.names)
        if not isinstance(scores, Tensor) or scores.shape != (len(maps), count):
            raise ValueError(
                f"the concepts' callable gave {_described(scores)} for maps {tuple(maps.shape)};"
                f" expected scores ({len(maps)}, {count}), one for each name; name as many concepts"
                " as it scores, or return a matrix"
            )
        return scores


def _described(value: Any) -> str:
    return f"{tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


class LinearHeads(nn.Module):
    """Linear heads on the mean of a layer's maps over places."""

    def __init__(self, weights: Float[Tensor, "e k"], bias: Float[Tensor, " e"]) -> None:
        super().__init__()
        self.register_buffer("weights", weights)
        self.register_buffer("bias", bias)

    def forward(self, maps: Float[Tensor, "n k h w"]) -> Float[Tensor, "n e"]:
        """Return the logits of the concepts."""
        weights, bias = self.get_buffer("weights"), self.get_buffer("bias")
        return torch.addmm(bias.to(maps), maps.mean((2, 3)), weights.to(maps).T)


def heads_of(model: nn.Module, chosen: Sequence[str] | None = None) -> ModelHeads:
    """Return the network's own heads, all of them; `chosen` are checked to be among them.

    Raises ValueError for a network without, and for an unknown name.
    """
    names = getattr(model, _NAMES, None)
    if not callable(getattr(model, _METHOD, None)) or not names:
        raise ValueError(
            f"{type(model).__name__} has no concept heads; a method concepts(x) and the names"
            " concept_names were expected for concepts='heads'; name filters of a layer"
            " (hx.FilterLabeler), or pass a callable or a concept set as concepts="
        )
    for name in chosen or ():
        if name not in names:
            raise ValueError(
                f"got the concept {name!r}, which is none of the {len(names)} heads of"
                f" {type(model).__name__}; expected names of its heads; the nearest is"
                f" {nearest(name, names)}"
            )
    return ModelHeads(tuple(map(str, names)), fingerprint(model))


def callable_heads(function: Callable[[Tensor], Tensor], names: Sequence[str] | None) -> MapHeads:
    """Return heads of a callable on a layer's maps; names are given, or its own `names`.

    Raises ValueError where there are none, or one stands twice.
    """
    own = names or getattr(function, "names", None) or getattr(function, _NAMES, None)
    if not own or isinstance(own, str) or len(set(own)) < len(tuple(own)):
        raise ValueError(
            f"got {own!r:.80} as the names of the concepts of a callable; expected one name for"
            " each of its scores, each once; pass AdditiveExplainer(concepts=f, names=[...])"
        )
    known = fingerprint(function) if isinstance(function, nn.Module) else repr(function)
    return MapHeads(tuple(map(str, own)), known, function)


def trained_heads(
    classifier: Classifier, data: ConceptSet, layer: str | None, *, penalty: float = PENALTY
) -> tuple[MapHeads, tuple[str, ...]]:
    """Return a linear head per concept of a set, on the layer's mean map, and what is to be said.

    A concept is there where it covers 0.6 % of the image, and missing where it covers nothing;
    between, the image is not asked about. Raises ValueError where no concept has enough images.
    """
    names = concept_names(data)
    rows, signs = _rows_and_signs(classifier, data, layer, names)
    enough = ((signs > 0).sum(0) >= FEWEST) & ((signs < 0).sum(0) >= FEWEST)
    if not enough.any():
        raise ValueError(
            f"got a concept set of {len(rows)} images in which none of {len(names)} concepts has"
            f" {FEWEST} images with and {FEWEST} without it; expected enough to train a head on;"
            " pass more images"
        )
    classifiers = fit_logistic(
        torch.from_numpy(rows), torch.from_numpy(signs.T[enough]).to(torch.int8), penalty=penalty
    )
    trained = [n for n, some in zip(names, enough, strict=True) if some]
    left = [n for n, some in zip(names, enough, strict=True) if not some]
    notes = (f"Too few images with or without: {', '.join(left)}.",) if left else ()
    return callable_heads(LinearHeads(classifiers.weights, classifiers.bias), trained), notes


def concept_names(data: ConceptSet) -> tuple[str, ...]:
    """Return the concepts of a set as `level name`, without scenes."""
    levels = [level for level in data.levels if level != SCENE] or list(data.levels)
    return tuple(f"{level} {name}" for level in levels for name in data.names[level][1:])


def _rows_and_signs(
    classifier: Classifier, data: ConceptSet, layer: str | None, names: tuple[str, ...]
) -> tuple[Float[np.ndarray, "n k"], np.ndarray]:
    probe = Probe(classifier)
    rows, signs = [], []
    for batch in batches(data, classifier, size=batch_size(classifier)):
        for sample, mean in zip(batch.samples, _means(probe, batch, layer), strict=True):
            rows.append(mean)
            signs.append(_signs(sample.item, data, names))
    if not rows:
        raise ValueError(
            "got a concept set without a single image; labelled images were expected to train"
            " concept heads on; check the folder that it reads"
        )
    return np.stack(rows), np.stack(signs)


def _means(probe: Probe, batch: Batch, layer: str | None) -> Iterator[np.ndarray]:
    for x in batch.x:
        capture = probe.capture(x[None], None if layer is None else [layer])
        maps: Tensor = capture.maps[capture.layers[0].name]
        yield maps[0].double().mean((1, 2)).cpu().numpy()


def _signs(item: Any, data: ConceptSet, names: tuple[str, ...]) -> np.ndarray:
    signs = []
    for level in dict.fromkeys(n.split(" ", 1)[0] for n in names):
        count = len(data.names[level])
        maps = label_maps(item, level, data.names[level])
        signs.append(_present([np.asarray(m) for m in maps], count))
    return np.concatenate(signs)


def _present(maps: list[np.ndarray], count: int) -> np.ndarray:
    """Return +1 where a concept is there, -1 where not, 0 where nobody knows."""
    if not maps:
        return np.zeros(count - 1, dtype=np.int8)
    shares = np.max([_shares(m, count) for m in maps], axis=0)
    known: Bool[np.ndarray, ""] = np.asarray(any((m != IGNORE).any() for m in maps))
    signs = np.where(shares >= PRESENT, 1, np.where(shares <= ABSENT, -1, 0))
    return (signs * known).astype(np.int8)


def _shares(labels: np.ndarray, count: int) -> np.ndarray:
    return np.bincount(labels.clip(0).ravel(), minlength=count)[1:] / labels.size
