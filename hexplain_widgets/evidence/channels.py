"""Which channels matter for which classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, UInt8

from .base import Evidence, Provenance, ranking_of


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
    `activation` is its map on the image in question, where there is one. `tied` says that another
    image is as strong as the last of these: which of them are shown is arbitrary.
    """

    layer: str
    channel: int
    images: UInt8[np.ndarray, "m h w 3"]
    values: Float[np.ndarray, " m"]
    activation: Float[np.ndarray, "H W"] | None = None
    tied: bool = False

    @property
    def ranking(self) -> str:
        """What is to be known of the choice of these images; empty where nothing is."""
        return ranking_of(None, self.tied)


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
        regions: dict[frozenset[str], list[int]] = {}
        for channel in sorted(owners):
            regions.setdefault(frozenset(owners[channel]), []).append(channel)
        return {names: tuple(channels) for names, channels in regions.items()}

    def similarity(self, one: str, other: str) -> float:
        """Return the Jaccard index of two classes' channels, 0 where both have none."""
        a, b = set(self.channels[one]), set(self.channels[other])
        return len(a & b) / len(a | b) if a | b else 0.0
