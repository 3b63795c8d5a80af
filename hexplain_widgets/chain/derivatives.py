"""Directional derivatives of a concept along the concepts of the next level (CHAIN, Eq. 20-22)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..arguments import check_finite
from ..network.guest import visiting
from ..network.probe import Probe
from ..network.probed_image import numbers_of
from ..network.segments import gradients_of
from .harmonize import ConceptDirections


def concept_gradient(
    probe: Probe,
    x: Float[Tensor, "1 ch h w"],
    levels: Sequence[ConceptDirections],
    depth: int,
    number: int,
) -> Float[np.ndarray, " k"]:
    """Return by how much a concept grows where each channel of the next level's layer does.

    The gradient of the spatial mean of the concept's map (of a class, at depth 0: of its logit),
    summed over the places of the layer: all of a channel's places grow together (Eq. 20). Raises
    ValueError where no gradient leads from one layer to the other.
    """
    shallow = levels[depth].layer.name
    deep = levels[depth - 1].layer.name if depth else None
    capture = probe.capture(x, [shallow] if deep is None else [shallow, deep])
    with visiting(probe.classifier.model), torch.enable_grad():
        segment = probe.segment(capture, shallow, deep)
        maps = segment.shallow.detach().requires_grad_()
        answer = segment.run(maps)[0]
        if depth:
            weights = torch.from_numpy(levels[depth - 1].weights[number]).to(answer)
            value = weights @ answer.flatten(1).mean(1)
        else:
            value = answer[number]
        (gradient,) = gradients_of(value, maps)
    slopes = numbers_of(gradient[0].sum((1, 2)))
    check_finite(f"the concept's gradient at {shallow} has", slopes)
    return slopes


def along(
    slopes: Float[np.ndarray, " k"], level: ConceptDirections, *, unit: bool
) -> dict[str, float]:
    """Return the derivative along each concept's direction, largest first (Eq. 20-22).

    Directions are as harmonised, or at `unit` length; concepts without one are left out.
    """
    some = np.flatnonzero(level.usable)
    directions = level.weights[some]
    if unit:
        directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    rates = directions @ slopes
    order = np.argsort(-rates, kind="stable")
    return {level.concepts[some[i]]: float(rates[i]) for i in order}
