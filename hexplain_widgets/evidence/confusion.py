"""Who is taken for whom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from .base import Evidence, Provenance, as_table
from .channels import ChannelPortrait


@dataclass(frozen=True, eq=False)
class ConfusionSummary(Evidence):
    """Which classes a network takes for which others, over labelled images.

    `classes` are those that an image was labelled with or named, by their `indices` in the network:
    `labelled` images each, `right` of them named so. `pairs` are places in `classes`, the label and
    what was named instead, the most frequent first; `counts` their images. `seen` images were
    looked at, `unlabelled` of them without a label.

    Of some images of a pair there are `thumbnails`: `pictured` is the pair, `places` the image's
    place in the data. With a Chip, `shared` are channels of `layer` that speak for both classes of
    a pair, as `(pair, channel)`, the strongest of each pair first, and `weights` their importance
    (weight times mean activation) for the label and for what was named. The first `compared` pairs
    were looked at; `portraits` are images of the channels.
    """

    classes: tuple[str, ...]
    indices: Int[np.ndarray, " c"]
    labelled: Int[np.ndarray, " c"]
    right: Int[np.ndarray, " c"]
    pairs: Int[np.ndarray, "p 2"]
    counts: Int[np.ndarray, " p"]
    seen: int
    unlabelled: int
    thumbnails: tuple[UInt8[np.ndarray, "_ _ 3"], ...]
    pictured: Int[np.ndarray, " t"]
    places: Int[np.ndarray, " t"]
    provenance: Provenance
    layer: str | None = None
    compared: int = 0
    shared: Int[np.ndarray, "s 2"] | None = None
    weights: Float[np.ndarray, "s 2"] | None = None
    portraits: tuple[ChannelPortrait, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def mistakes(self) -> int:
        """How many labelled images were named otherwise."""
        return int(self.counts.sum())

    @property
    def shares(self) -> Float[np.ndarray, " p"]:
        """Each pair's share of the images that are labelled so."""
        return self.counts / self.labelled[self.pairs[:, 0]]

    def names(self, pair: int) -> tuple[str, str]:
        """Return the label of a pair, and what was named instead."""
        label, named = self.pairs[pair].tolist()
        return self.classes[label], self.classes[named]

    def channels(self, pair: int) -> tuple[tuple[int, float, float], ...]:
        """Return a pair's shared channels, each with its importance for label and named class."""
        if self.shared is None or self.weights is None:
            return ()
        at = np.flatnonzero(self.shared[:, 0] == pair).tolist()
        rows = ((self.shared[i, 1], *self.weights[i]) for i in at)
        return tuple((int(k), float(label), float(named)) for k, label, named in rows)

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("label", "named", "images", "of", "share")]
        for pair, (count, share) in enumerate(zip(self.counts, self.shares, strict=True)):
            of = self.labelled[self.pairs[pair, 0]]
            rows.append((*self.names(pair), str(count), str(of), f"{share:.0%}"))
        return as_table(rows)
