"""Which layer holds which level of concepts: deep layers the coarse ones, shallow the fine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor

from ..arguments import nearest
from ..evidence import Layer
from ..network.probe import Probe

# What the output is called where no level of concepts stands for it.
ROOT = "class"
# The levels that are paired with the output and the last four stages (CHAIN, Section IV-A).
PAIRED = ("scene", "object", "part", "material", "color")

Levels = Mapping[str, str | None]


def checked_levels(levels: Levels | None) -> dict[str, str | None] | None:
    """Return levels by name, coarse to fine, each with its layer; None for the output.

    Raises ValueError for none besides the output, for the output anywhere but first and for two
    levels on one layer.
    """
    if levels is None:
        return None
    layers = list(levels.values())
    if not [n for n in layers if n is not None]:
        raise ValueError(
            f"got levels={dict(levels)}; expected at least one level with a layer, as in"
            " {'scene': None, 'object': 'features.28'}; see hx.layers"
        )
    if None in layers[1:]:
        raise ValueError(
            f"got levels={dict(levels)}; None, which stands for the network's output, was expected"
            " at the first level only; put the levels from coarse to fine"
        )
    for one, other in pairwise(sorted(n for n in layers if n is not None)):
        if one == other:
            raise ValueError(
                f"got two levels on the layer {one!r}; expected a layer for each, deep ones for"
                " coarse levels; see hx.layers for those there are"
            )
    return dict(levels)


def root_of(levels: Levels | None, labelled: Sequence[str]) -> str:
    """Return what the output is called: its level, or "class" where no level stands for it."""
    if levels is None:
        return PAIRED[0] if PAIRED[0] in labelled else ROOT
    first = next(iter(levels))
    return first if levels[first] is None else ROOT


def layers_of_levels(
    levels: Levels | None, labelled: Sequence[str], probe: Probe, x: Float[Tensor, "1 c h w"]
) -> tuple[tuple[str, Layer], ...]:
    """Return the levels below the output, each with its layer, coarse to fine.

    `labelled` are the levels of the concept set. Without `levels` object, part, material and color
    are paired with the last four stages; where the set has none of these, or the network fewer
    stages, the levels that there are with the last stages in their order. Raises ValueError for a
    level that is not labelled, an unknown layer, a network with too few stages, and layers that do
    not follow one another.
    """
    named = _paired(labelled, probe, x) if levels is None else _below_output(levels)
    unknown = [level for level, _ in named if level not in labelled]
    if unknown:
        raise ValueError(
            f"got the level {unknown[0]!r}, at which the concept set has no labels; expected some"
            f" of {', '.join(labelled)} (the nearest: {nearest(unknown[0], labelled)}); correct"
            " levels="
        )
    capture = probe.capture(x, [layer for _, layer in named])
    layers = {layer.name: layer for layer in capture.layers}
    for deep, shallow in pairwise([None, *(layer for _, layer in named)]):
        probe.segment(capture, shallow, deep)
    return tuple((level, layers[layer]) for level, layer in named)


def _below_output(levels: Levels) -> list[tuple[str, str]]:
    return [(level, layer) for level, layer in levels.items() if layer is not None]


def _paired(labelled: Sequence[str], probe: Probe, x: Tensor) -> list[tuple[str, str]]:
    stages = [layer.name for layer in probe.capture(x).layers]
    below = [n for n in labelled if n != PAIRED[0]]
    usual = {level: i for i, level in enumerate(PAIRED[1:])}
    places = {n: usual[n] for n in below if n in usual} or {n: i for i, n in enumerate(below)}
    if max(places.values(), default=0) >= len(stages):
        places = {n: i for i, n in enumerate(places)}
    if len(places) > len(stages) or not places:
        raise ValueError(
            f"the network has {len(stages)} stages with feature maps, the concept set the levels"
            f" {', '.join(labelled)}; expected a stage for each level below the scene; pair them"
            " with levels={level: layer}"
        )
    return [(n, stages[i]) for n, i in sorted(places.items(), key=lambda pair: pair[1])]
