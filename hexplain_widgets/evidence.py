"""Evidence: what the engines found, as frozen values that open without the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

Settings = Mapping[str, bool | int | float | str | tuple[str, ...] | None]


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        same_kind = isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.dtype == b.dtype
        return same_kind and np.array_equal(a, b)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    return bool(a == b)


@dataclass(frozen=True, eq=False)
class Evidence:
    """Base of all evidence: two pieces are equal when every field is, arrays to the last bit."""

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))

    __hash__ = object.__hash__


@dataclass(frozen=True, eq=False)
class Provenance(Evidence):
    """Where evidence comes from: method, network, target, settings, seed and library versions."""

    method: str
    model: str
    target: str
    settings: Settings = field(default_factory=dict)
    seed: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Prediction(Evidence):
    """One class with its logit and its softmax probability."""

    index: int
    name: str
    probability: float
    logit: float

    def __iter__(self) -> Iterator[Any]:
        """Unpack as `(index, name, probability)`."""
        return iter((self.index, self.name, self.probability))


@dataclass(frozen=True, eq=False)
class Layer(Evidence):
    """One layer with a feature map: shape `(K, H, W)`; stage 1 is the shallowest, None is no stage.

    `receptive_field` is `(height, width)` in input pixels of one unit; None where a unit sees
    everything (behind global pooling or attention).
    """

    name: str
    type: str
    shape: tuple[int, int, int]
    stage: int | None
    receptive_field: tuple[int, int] | None


class LayerTable(tuple[Layer, ...]):
    """Layers, shown as a table."""

    def __repr__(self) -> str:
        rows = [("layer", "type", "shape", "stage", "receptive field")]
        rows += [
            (r.name, r.type, "x".join(map(str, r.shape)), str(r.stage or ""),
             "x".join(map(str, r.receptive_field)) if r.receptive_field else "everything")
            for r in self
        ]  # fmt: skip
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class Node(Evidence):
    """One decision of a decomposition: the class logit at the root, a unit of a layer below it.

    `position` is the peak `(y, x)` in the layer's cells (Eq. 5). `value` is the unit's own value,
    `contribution` its channel's alpha (Eq. 4: mean of gradient times activation over the whole
    map, in the parent decision's units; the logit itself at the root) and `share` alpha over the
    sum of positive alphas. `patch` holds the activation map (Eq. 3) where it can differ from zero,
    its corner at `offset` in a map of `shape`. `box` is the unit's receptive field `(x0, y0, x1,
    y1)` in image pixels. `also` lists channels merged into this one. `negated` says that the value
    is negative and its negative was decomposed; `unclipped` that the value before an upper clip
    was. Of a decomposed node, `activated` counts the channels below with a positive contribution
    and `completeness` is the sum of all contributions over the decision (1 where the step is
    exact); None as long as it has not been decomposed. `picture` is guided backpropagation on
    `box`, None until asked for.
    """

    layer: str
    channel: int
    position: tuple[int, int]
    value: float
    contribution: float
    share: float
    patch: Float[np.ndarray, "h w"]
    offset: tuple[int, int]
    shape: tuple[int, int]
    box: tuple[int, int, int, int]
    also: tuple[int, ...] = ()
    negated: bool = False
    unclipped: bool = False
    activated: int | None = None
    completeness: float | None = None
    picture: UInt8[np.ndarray, "bh bw 3"] | None = None
    children: tuple[Node, ...] = ()

    def __post_init__(self) -> None:
        for start, length, end in zip(self.offset, self.patch.shape, self.shape, strict=True):
            if not 0 <= start <= start + length <= end:
                raise ValueError(
                    f"got a patch of {self.patch.shape} cells at {self.offset} in a map of"
                    f" {self.shape}; expected it inside the map; compute the evidence again"
                )

    @property
    def activation(self) -> Float[np.ndarray, "H W"]:
        """The activation map (Eq. 3) at the layer's full resolution, in the parent's units."""
        full = np.zeros(self.shape, dtype=np.float32)
        (y, x), (h, w) = self.offset, self.patch.shape
        full[y : y + h, x : x + w] = self.patch
        return full

    @property
    def decomposed(self) -> bool:
        """Whether this decision has been taken apart (it may still have no activated channel)."""
        return self.activated is not None

    def walk(self, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Node]]:
        """Yield `(path, node)` of this node and all below it, parents first."""
        yield path, self
        for i, child in enumerate(self.children):
            yield from child.walk((*path, i))


@dataclass(frozen=True, eq=False)
class Decomposition(Evidence):
    """A decision taken apart stage by stage (Hierarchical Decomposition, Eq. 2-5).

    `image` is what the network saw, for showing: `(H, W, 3)` uint8. `layers` run from the deepest
    stage to the shallowest. `predictions` are the strongest classes, then the target if it is
    not among them. `notes` says in words what had to be assumed or worked around.
    """

    image: UInt8[np.ndarray, "H W 3"]
    predictions: tuple[Prediction, ...]
    target: Prediction
    layers: tuple[Layer, ...]
    root: Node
    provenance: Provenance
    notes: tuple[str, ...] = ()

    def node(self, path: tuple[int, ...]) -> Node:
        """Return the node at `path`, child indices from the root; raises IndexError."""
        here = self.root
        for i in path:
            if not 0 <= i < len(here.children):
                raise IndexError(
                    f"no node at path {path}: {here.layer} channel {here.channel} has"
                    f" {len(here.children)} children; take an index below that, or expand it first"
                )
            here = here.children[i]
        return here

    def with_node(self, path: tuple[int, ...], node: Node) -> Decomposition:
        """Return the same decomposition with the node at `path` replaced; raises IndexError."""
        chain = [self.node(path[:i]) for i in range(len(path))]
        for parent, i in zip(reversed(chain), reversed(path), strict=True):
            siblings = (*parent.children[:i], node, *parent.children[i + 1 :])
            node = replace(parent, children=siblings)
        return replace(self, root=node)

    def __str__(self) -> str:
        head = (
            f"{self.target.name} (logit {self.target.logit:.2f}, p = {self.target.probability:.3f})"
        )
        return "\n".join([head, *_lines(self.root, "")])

    def __repr__(self) -> str:
        count = sum(1 for _ in self.root.walk())
        return f"Decomposition({self.target.name!r}, {count} nodes, {len(self.layers)} stages)"


def _lines(node: Node, indent: str) -> Iterator[str]:
    for i, child in enumerate(node.children):
        last = i == len(node.children) - 1
        also = f", also {', '.join(map(str, child.also))}" if child.also else ""
        sign = ", negated" if child.negated else ""
        yield (
            f"{indent}{'└─' if last else '├─'} {child.layer} channel {child.channel}"
            f" at {child.position}: {child.share:.1%}{also}{sign}"
        )
        yield from _lines(child, indent + ("   " if last else "│  "))


@dataclass(frozen=True, eq=False)
class HeatMap(Evidence):
    """Where in an image a layer speaks for a target, and where against it.

    `values` is signed, at the layer's own resolution, or at the image's for methods that end at
    the pixels. `target` is the name of a class or concept and `index` its number; `method` is the
    method's name, `layer` the layer's, of several joined by " × ". `picture` is the coloured
    picture of a method that has one (guided backpropagation). `image` is what the network saw.
    """

    values: Float[np.ndarray, "H W"]
    layer: str
    target: str
    method: str
    image: UInt8[np.ndarray, "h w 3"]
    provenance: Provenance
    index: int | None = None
    picture: UInt8[np.ndarray, "h w 3"] | None = None
    notes: tuple[str, ...] = ()

    @property
    def positive(self) -> Float[np.ndarray, "H W"]:
        """The map kept where it is positive, as the papers show it."""
        kept: Float[np.ndarray, "H W"] = np.maximum(self.values, 0)
        return kept


@dataclass(frozen=True, eq=False)
class HeatMapSheet(Evidence):
    """Heatmaps of one image side by side: classes, layers and methods (CHIP, Fig. 3-8).

    `layers` run from the deepest to the shallowest, `predictions` are the image's strongest
    classes; `localizations` are boxes drawn from some of the maps.
    """

    image: UInt8[np.ndarray, "h w 3"]
    predictions: tuple[Prediction, ...]
    layers: tuple[Layer, ...]
    maps: tuple[HeatMap, ...]
    provenance: Provenance
    localizations: tuple[Localization, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Localization(Evidence):
    """The region a heatmap points at, and its box.

    `mask` is at the image's resolution: the largest connected part above `threshold` times the
    map's maximum. `box` is `(x0, y0, x1, y1)` in image pixels, the end excluded. `iou` is the
    intersection over union with the truth, where one was given.
    """

    mask: Bool[np.ndarray, "H W"]
    box: tuple[int, int, int, int]
    threshold: float
    target: str
    layer: str
    image: UInt8[np.ndarray, "H W 3"]
    provenance: Provenance
    iou: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ChannelImportance(Evidence):
    """How much each channel of a layer matters for each class (CHIP, Fig. 9).

    `values[c, k]` is the weight of channel `k` for `classes[c]`, in score per unit of the channel's
    spatial mean; `means[k]` is that mean over the data set, so `values * means` compares channels
    of different scale. `fit[c]` is the share of the score's weighted variance that the weights
    explain (R²). `flags` says of a class what makes its row doubtful, by name.
    """

    classes: tuple[str, ...]
    values: Float[np.ndarray, "c k"]
    means: Float[np.ndarray, " k"]
    fit: Float[np.ndarray, " c"]
    layer: str
    sparsity: float
    provenance: Provenance
    flags: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ChannelPortrait(Evidence):
    """What one channel answers to: the images of the data set where it is strongest.

    `images` are thumbnails, strongest first, and `values` the channel's spatial mean in each;
    `activation` is its map on the image in question, where there is one.
    """

    layer: str
    channel: int
    images: UInt8[np.ndarray, "m h w 3"]
    values: Float[np.ndarray, " m"]
    activation: Float[np.ndarray, "H W"] | None = None


@dataclass(frozen=True, eq=False)
class ChannelOverlap(Evidence):
    """Which important channels classes share (CHIP, Fig. 10).

    `channels` are each class's important ones, strongest first, `weights` their importance (weight
    times mean activation). Only channels with a positive importance count: `top` is how many were
    asked for, `threshold` the fraction of the class's largest that was asked for, the other None.
    """

    classes: tuple[str, ...]
    channels: Mapping[str, tuple[int, ...]]
    weights: Mapping[str, tuple[float, ...]]
    layer: str
    top: int | None
    threshold: float | None
    provenance: Provenance
    portraits: tuple[ChannelPortrait, ...] = ()
    image: UInt8[np.ndarray, "h w 3"] | None = None
    notes: tuple[str, ...] = ()

    @property
    def regions(self) -> dict[frozenset[str], tuple[int, ...]]:
        """Channels by the exact set of classes that share them; sets without channels are left out.

        Within a region the channels are in order of number.
        """
        owners: dict[int, set[str]] = {}
        for name in self.classes:
            for channel in self.channels[name]:
                owners.setdefault(channel, set()).add(name)
        found: dict[frozenset[str], list[int]] = {}
        for channel in sorted(owners):
            found.setdefault(frozenset(owners[channel]), []).append(channel)
        return {names: tuple(channels) for names, channels in found.items()}

    def similarity(self, one: str, other: str) -> float:
        """Return the Jaccard index of two classes' channels, 0 where both have none."""
        a, b = set(self.channels[one]), set(self.channels[other])
        return len(a & b) / len(a | b) if a | b else 0.0
