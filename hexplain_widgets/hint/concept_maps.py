"""A concept's classifier put back on an image: its map, its region, and what to say of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from ..evidence import HeatMap, Localization, NeuronPortrait, Provenance
from ..fitting.exemplars import SIDE, Exemplars
from ..network.localize import Truth, agreement, box_of, note_on, region, upsampled
from ..network.probed_image import Looked
from .associations import Associations

NOWHERE = "The classifier finds the concept nowhere in this image: every place is likelier without."


def concept_map(
    looked: Looked, found: Associations, concept: int, provenance: Provenance
) -> HeatMap:
    """Return a concept classifier's logit at each place of its layer (Eq. 1, before the sigmoid).

    Raises ValueError for a concept without a classifier.
    """
    quality, name = found.qualities[concept], found.concepts[concept].name
    if not found.usable[concept]:
        raise ValueError(
            f"there is no classifier of {name!r}: {quality.flag} One was expected to draw its map;"
            " fit on images of it and of other concepts, or choose another layer or saliency"
        )
    maps = looked.activations(found.layer.name)
    weights, bias = found.classifiers.weights[concept], found.classifiers.bias[concept]
    values = np.tensordot(weights.numpy(), maps, 1) + float(bias)
    said = (quality.flag, NOWHERE if values.max() <= 0 else None)
    return HeatMap(
        values=values, layer=found.layer.name, target=name, method="HINT", image=looked.image,
        provenance=replace(
            provenance, settings={**provenance.settings, "layer": found.layer.name}
        ),
        index=concept, notes=tuple(note for note in said if note),
    )  # fmt: skip


def above_lowest(values: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Return a map from 0 at its lowest place: a classifier's logit has no zero of its own."""
    found: Float[np.ndarray, "h w"] = values - values.min()
    return found


def concept_region(heat: HeatMap, threshold: float, truth: Truth | None) -> Localization:
    """Return the largest connected part of a concept map above a share of its range.

    At the image's size, with its IoU where the truth is known.
    """
    size = heat.image.shape[0], heat.image.shape[1]
    raised = above_lowest(heat.values)
    mask = region(upsampled(raised, size), threshold)
    note = note_on(raised)
    return Localization(
        mask=mask, box=box_of(mask), threshold=threshold, target=heat.target, layer=heat.layer,
        image=heat.image, provenance=heat.provenance,
        iou=None if truth is None else agreement(mask, truth),
        notes=heat.notes + ((note,) if note else ()),
    )  # fmt: skip


def portrait_of(kept: Exemplars, layer: str, neuron: int) -> NeuronPortrait:
    """Return the images in which a neuron is strongest, and where in them."""
    images, values = kept.of(neuron)
    stacked = np.stack(images) if images else np.zeros((0, SIDE, SIDE, 3), np.uint8)
    places = kept.places[neuron, : len(images)]
    return NeuronPortrait(layer, neuron, stacked, np.array(values, dtype=np.float64), places)
