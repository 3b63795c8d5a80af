"""What decisions look at beside their object, and how far channels belong to single classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from .base import Evidence, Layer, Provenance, as_table

# Images of a class from which on its shares say something.
ENOUGH = 5


@dataclass(frozen=True, eq=False)
class ContextSummary(Evidence):
    """Which labelled regions the maps of selected channels lie on, class by class (Fig. 13-14).

    Of each image of a class in `classes` (`images` of them), the maps of the channels that its
    decision selects at `layer` are each given the label of one region of `level`, that with the
    largest IoU: `counts[c, l]` maps of class `c` have label `labels[l]`, `elsewhere[c]` none.
    `chance` is what the same maps would have at random places of their images, a mean over draws.
    `present[c, l]` images of the class have the label at all. `own[c]` is the label of the class's
    own object, -1 where the level has none of its name: the rest is its context. Images count for
    the class that they are labelled with, where they are; `namings[c, n]` of them are named
    `named[n]` by the network.
    """

    level: str
    layer: Layer
    classes: tuple[str, ...]
    labels: tuple[str, ...]
    images: Int[np.ndarray, " c"]
    counts: Int[np.ndarray, "c l"]
    elsewhere: Int[np.ndarray, " c"]
    chance: Float[np.ndarray, "c l"]
    present: Int[np.ndarray, "c l"]
    own: Int[np.ndarray, " c"]
    provenance: Provenance
    notes: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    namings: Int[np.ndarray, "c n"] | None = None

    def namings_of(self, place: int) -> dict[str, int]:
        """Return how many of a class's images the network names how, most frequent first."""
        if self.namings is None:
            return {}
        row = self.namings[place]
        order = np.argsort(-row, kind="stable").tolist()
        return {self.named[n]: int(row[n]) for n in order if row[n]}

    @property
    def maps(self) -> Int[np.ndarray, " c"]:
        """How many maps each class has."""
        return self.counts.sum(1) + self.elsewhere

    @property
    def shares(self) -> Float[np.ndarray, "c l"]:
        """The share of a class's maps that each label has; rows add up to 1 less `elsewhere`."""
        return self.counts / np.maximum(self.maps, 1)[:, None]

    @property
    def chance_shares(self) -> Float[np.ndarray, "c l"]:
        """The shares that the same maps would have at random places."""
        return self.chance / np.maximum(self.maps, 1)[:, None]

    @property
    def above_chance(self) -> Float[np.ndarray, "c l"]:
        """By how much each share is larger than at random places."""
        return self.shares - self.chance_shares

    @property
    def on_itself(self) -> tuple[float, float] | None:
        """The share of maps on the class's own object, and by chance, of classes that have one."""
        known = np.flatnonzero(self.own >= 0)
        maps = int(self.maps[known].sum())
        if not maps:
            return None
        at = known, self.own[known]
        return float(self.counts[at].sum()) / maps, float(self.chance[at].sum()) / maps

    def telling(self) -> tuple[int, int] | None:
        """Return the class and the label around its object that chance explains least, as places.

        Of classes with at least `ENOUGH` images where there are any. None without such a label.
        """
        enough = self.images >= ENOUGH
        some = enough if enough.any() else ~enough
        above = np.where(some[:, None], self.above_chance, -np.inf)
        known = np.flatnonzero(self.own >= 0)
        above[known, self.own[known]] = -np.inf
        c, label = (int(i) for i in np.unravel_index(int(above.argmax()), above.shape))
        return (c, label) if above[c, label] > 0 else None

    def context(self, place: int, top: int | None = None) -> tuple[int, ...]:
        """Return the labels around a class's own object, most frequent first, as places."""
        row = self.counts[place]
        order = np.argsort(-row, kind="stable").tolist()
        around = [i for i in order if row[i] > 0 and i != self.own[place]]
        return tuple(around[:top])

    def __str__(self) -> str:
        lines = []
        for c, name in enumerate(self.classes):
            own = f"itself {self.shares[c, self.own[c]]:.0%}, " if self.own[c] >= 0 else ""
            around = ", ".join(
                f"{self.labels[i]} {self.shares[c, i]:.0%} (by chance"
                f" {self.chance_shares[c, i]:.0%})"
                for i in self.context(c, 3)
            )
            images = f"{self.images[c]} image{'' if self.images[c] == 1 else 's'}"
            lines.append(f"{name} ({images}): {own}{around}")
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class LayerDegrees(Evidence):
    """How far a layer's channels belong to single classes (Eq. 13).

    `counts[c, k]` is N_c of channel `k`. `degree` is the mean of D over the channels that are
    selected at all, `error` its standard error over them; `chance` is the same mean with the
    images' classes shuffled, over several shuffles, and `spread` its standard deviation over them.
    """

    layer: Layer
    counts: Int[np.ndarray, "c k"]
    degree: float
    error: float
    chance: float
    spread: float

    @property
    def selected(self) -> Int[np.ndarray, " s"]:
        """The channels that are selected at all."""
        return np.flatnonzero(self.counts.sum(0))

    @property
    def degrees(self) -> Float[np.ndarray, " s"]:
        """D of each selected channel: the largest N_c over their sum, 1/C to 1 (Eq. 13)."""
        counts = self.counts[:, self.selected]
        return counts.max(0) / counts.sum(0)


@dataclass(frozen=True, eq=False)
class DegreeSummary(Evidence):
    """Discriminative degrees of the channels that decisions select, by layer (Eq. 13, Fig. 15).

    `layers` run from the deepest to the shallowest. `counted` says what N_c counts: "images" that
    select a channel, or "decisions" in them that do. `images` are those of each class. A channel
    that a single image selects has D = 1, whatever it detects, and a class with many images raises
    D: what both give by themselves is each layer's `chance`.
    """

    classes: tuple[str, ...]
    images: Int[np.ndarray, " c"]
    layers: tuple[LayerDegrees, ...]
    counted: str
    provenance: Provenance
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("layer", "D", "by chance", "channels")]
        rows += [
            (
                one.layer.name,
                f"{one.degree:.3f} ± {one.error:.3f}",
                f"{one.chance:.3f} ± {one.spread:.3f}",
                f"{len(one.selected)} of {one.counts.shape[1]}",
            )
            for one in self.layers
        ]
        return as_table(rows)
