"""One image taken apart by an additive explainer."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..arguments import check_finite
from ..evidence import Contributions, Provenance
from ..evidence.additive import FILTERS
from ..network.classifier import Classifier, Prepared
from ..network.gradients import grad_cam
from ..network.guest import visiting
from ..network.localize import note_on
from .additive_question import Look, RowAsker
from .distilled import Distilled
from .explainer_nets import Explainer

# Of the score's range: from here on the rest that nothing explains is said.
LOUD = 0.2
# Concepts that are taken out of the network one by one to check an image's contributions.
MOST_REMOVED = 64


def explained_image(
    asker: RowAsker, distilled: Distilled, classifier: Classifier, prepared: Prepared
) -> Look:
    """Return an image inside the network, from which contributions are read."""
    with visiting(classifier.model):
        look = asker.look(prepared.x)
    check_finite(distilled.origin.layer.name, look.maps, look.score, look.gradient)
    return look


def attention_of(look: Look, layer: str) -> tuple[Float[np.ndarray, "H W"] | None, str]:
    """Return Grad-CAM of an image's score at the layer, or None and why it points at no place.

    In logits, never below 0 (Selvaraju et al. 2017, Eq. 2), of the gradient that is there already.
    """
    signed = grad_cam(look.gradient[0].double(), look.maps[0].detach())
    values: Float[np.ndarray, "H W"] = np.maximum(signed, 0)
    if values.size == 1:
        return None, f"{layer} has no spatial extent: Grad-CAM cannot say where."
    note = note_on(values)
    return (values, "") if note is None else (None, note)


def contributions_of(
    look: Look,
    distilled: Distilled,
    classifier: Classifier,
    prepared: Prepared,
    provenance: Provenance,
    *,
    baseline: bool,
) -> Contributions:
    """Return what each concept added to the score of an image, ours or both."""
    with visiting(classifier.model):
        places, strengths = _in_places(look, distilled)
        drops = _drops(look, distilled)
    read = _Read(look, places, strengths, drops, distilled, classifier, prepared, provenance)
    ours = read.by(distilled.ours, distilled.deviation)
    if not baseline or distilled.plain is None:
        return ours
    plain = read.by(distilled.plain, distilled.plain_deviation)
    return replace(ours, baseline=plain)


def _in_places(look: Look, distilled: Distilled) -> tuple[Tensor, Tensor]:
    """Return each used element's strength at the layer's places `(e, H, W)`, and in all `(e,)`."""
    used = torch.from_numpy(distilled.elements.used).to(look.maps.device)
    maps = look.maps.detach()
    if distilled.origin.kind == FILTERS:
        return maps[0, used], maps[0, used].sum((1, 2))
    strengths, gradients = look.of_heads()
    some = [gradients[int(e)] for e in distilled.elements.used]
    return torch.stack([(g[0] * maps[0]).sum(0) for g in some]), strengths[0, used]


def _drops(look: Look, distilled: Distilled) -> Float[np.ndarray, " n"] | None:
    """Return what the score loses without each concept's filters, None where none can be taken."""
    groups = distilled.elements.groups()
    if distilled.origin.kind != FILTERS or len(groups) > MOST_REMOVED:
        return None
    without = look.without(groups)[0].double().cpu().numpy()
    found: Float[np.ndarray, " n"] = float(look.score[0]) - without
    return found


class _Read:
    """What contributions of one image are read from."""

    def __init__(
        self,
        look: Look,
        places: Tensor,
        strengths: Tensor,
        drops: Float[np.ndarray, " n"] | None,
        distilled: Distilled,
        classifier: Classifier,
        prepared: Prepared,
        provenance: Provenance,
    ) -> None:
        self.look, self.distilled, self.classifier = look, distilled, classifier
        self.drops = drops
        self.prepared, self.provenance = prepared, provenance
        self.places = places.double().cpu().numpy()
        self.strengths = strengths.double().cpu().numpy() / distilled.elements.scales
        self.attention, self.attention_note = attention_of(look, distilled.origin.layer.name)

    def by(self, explainer: Explainer, deviation: float | None) -> Contributions:
        """Return the contributions by one explainer."""
        elements, origin = self.distilled.elements, self.distilled.origin
        alpha = self._alpha(explainer)
        values = elements.summed(alpha * self.strengths)
        bias, score = explainer.intercept.item(), float(self.look.score[0])
        rest = math.fsum([score, -bias, *(-v for v in values.tolist())])
        logits = self.look.taken.logits[0]
        return Contributions(
            names=elements.names, values=values, bias=bias, unexplained=rest, score=score,
            target=origin.output, index=origin.index, layer=origin.layer.name, kind=origin.kind,
            weights=alpha, strengths=self.strengths, scales=elements.scales,
            owners=elements.owners, elements=tuple(map(int, elements.used)),
            maps=self._maps(alpha), image=self.prepared.shown,
            predictions=tuple(self.classifier.ranked(logits, 5)), provenance=self.provenance,
            deviation=deviation, span=self.distilled.span[1] - self.distilled.span[0],
            notes=(*self.distilled.notes, *self._said(rest)), attention=self.attention,
            attention_note=self.attention_note, drops=self.drops,
        )  # fmt: skip

    def _alpha(self, explainer: Explainer) -> Float[np.ndarray, " e"]:
        explainer.eval()
        with torch.no_grad():
            found = explainer(self.look.maps.detach().float())[0]
        numbers: Float[np.ndarray, " e"] = found.double().cpu().numpy()
        return numbers

    def _maps(self, alpha: Float[np.ndarray, " e"]) -> Float[np.ndarray, "n H W"]:
        elements = self.distilled.elements
        each = np.moveaxis(self.places, 0, -1) * (alpha / elements.scales)
        found: Float[np.ndarray, "n H W"] = np.moveaxis(elements.summed(each), -1, 0)
        return np.ascontiguousarray(found)

    def _said(self, rest: float) -> tuple[str, ...]:
        low, high = self.distilled.span
        if high <= low or abs(rest) <= LOUD * (high - low):
            return ()
        share = abs(rest) / (high - low)
        return (
            f"{share:.0%} of the score's range is explained by no concept: do not read these"
            " contributions as the whole of it.",
        )
