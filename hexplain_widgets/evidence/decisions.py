"""A decision taken apart stage by stage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, UInt8

from .base import Evidence, Layer, Prediction, Provenance, at_path, walk_below, with_below


@dataclass(frozen=True, eq=False)
class Node(Evidence):
    """One decision of a decomposition: the class logit at the root, a unit of a layer below it.

    `position` is the peak `(y, x)` in the layer's cells (Eq. 5). `value` is the unit's own value,
    `contribution` its channel's alpha (Eq. 4: mean of gradient times activation over the whole
    map, in the parent decision's units; the logit itself at the root) and `share` alpha over the
    sum of positive alphas. In a tree by ablation `contribution` is how far the parent decision
    really falls without the channel, `share` of the positive drops, and `estimate` the drop that
    the gradient foretells (the sum of gradient times activation); None in other trees. `patch`
    holds the activation map (Eq. 3) where it can differ from zero, its corner at `offset` in a map
    of `shape`. `box` is the unit's receptive field `(x0, y0, x1, y1)` in image pixels. `also`
    lists channels merged into this one. `negated` says that the value is negative and its negative
    was decomposed; `unclipped` that the value before an upper clip was. Of a decomposed node,
    `activated` counts the channels below with a positive contribution, `completeness` is the sum
    of all contributions over the decision (1 where the step is exact) and `agreement`, in a tree
    by ablation, Pearson's correlation of estimates and drops over all channels below (None where
    either is constant); None as long as it has not been decomposed. `agreement_rest` is the same
    without the channel furthest from the others, where it was checked. `picture` is guided
    backpropagation on `box`, None until asked for.
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
    estimate: float | None = None
    agreement: float | None = None
    agreement_rest: float | None = None

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
        return walk_below(self, path)


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

        def missing(here: Node) -> str:
            return (
                f"no node at path {path}: {here.layer} channel {here.channel} has"
                f" {len(here.children)} children; take an index below that, or expand it first"
            )

        node: Node = at_path(self.root, path, missing)
        return node

    def with_node(self, path: tuple[int, ...], node: Node) -> Decomposition:
        """Return the same decomposition with the node at `path` replaced; raises IndexError."""
        self.node(path)
        return replace(self, root=with_below(self.root, path, node))

    def __str__(self) -> str:
        facts = f"logit {self.target.logit:.2f}, p = {self.target.probability:.3f}"
        against = ": what speaks against it" if self.root.negated else ""
        head = f"{self.target.name} ({facts}){against}"
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
