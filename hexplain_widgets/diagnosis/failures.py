"""Wrong decisions: which channels of the deepest stage speak for the wrong class (Fig. 11)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..arguments import at_least_one
from ..evidence import Decomposition, Failure, Layer, Prediction, Provenance
from ..network.ablation import Removal
from ..network.classifier import Classifier
from ..network.guest import visiting
from ..network.probe import Probe
from ..network.segments import Unit
from ..provenance import versions
from .channel_exemplars import QUANTILE, exemplars_of
from .surrogates import masked_logits

METHOD = "failure analysis (Fig. 11)"
TOP = 8


@dataclass(frozen=True)
class Decided:
    """What each of `k` channels adds to two logits, estimated and measured, and who decides.

    The figures are those of `evidence.Failure`.
    """

    contributions: Float[np.ndarray, "2 k"]
    drops: Float[np.ndarray, "2 k"]
    channels: Int[np.ndarray, " n"]
    maps: Float[np.ndarray, "n h w"]
    alone: tuple[Prediction, ...]
    together: tuple[Prediction, ...]


class Rivalry:
    """One image at the deepest stage of a network, where two classes compete for it.

    `layers` are names as for a decomposition: the deepest of them counts.
    """

    def __init__(
        self,
        classifier: Classifier,
        x: Float[Tensor, "1 c h w"],
        layers: Collection[str] | None = None,
    ) -> None:
        self._classifier, self._probe = classifier, Probe(classifier)
        self._capture = self._probe.capture(x, layers)
        self.layer: Layer = self._capture.layers[0]
        self._segment = self._probe.segment(self._capture, self.layer.name, None)

    @property
    def logits(self) -> Float[Tensor, " c"]:
        """The logits of the image."""
        return self._capture.logits[0]

    def predictions(self, top: int) -> list[Prediction]:
        """Return the strongest classes, likeliest first."""
        return self._classifier.ranked(self.logits, top)

    def prediction(self, target: int | str) -> Prediction:
        """Return a class by name or index; raises ValueError for an unknown one, IndexError."""
        index = self._classifier.index_of(target, len(self.logits))
        return self._classifier.prediction(self.logits, index)

    def between(self, wrong: int, right: int, top: int = TOP) -> Decided:
        """Return how every channel speaks for two classes, and the `top` that decide.

        Raises ValueError for fewer than one.
        """
        count = min(at_least_one("channels", top), self.layer.shape[0])
        pair = (wrong, right)
        maps = self._capture.maps[self.layer.name]
        with visiting(self._classifier.model):
            contributions, drops = self._contributions(pair), self._drops(pair)
            chosen = np.argsort(contributions[1] - contributions[0], kind="stable")[:count]
            alone, together = self._without(chosen)
        return Decided(
            contributions=contributions,
            drops=drops,
            channels=chosen.astype(np.int64),
            maps=maps[0, chosen.tolist()].detach().float().cpu().numpy(),
            alone=alone,
            together=together,
        )

    def _contributions(self, pair: tuple[int, int]) -> Float[np.ndarray, "2 k"]:
        """Gradient times activation (Eq. 3), summed over the map: to first order, the drops."""
        rows = []
        for decided in self._segment.decide([Unit(index, 0, 0) for index in pair]):
            sums = (decided.gradients * decided.activations).sum((2, 3)).float()
            rows.append(sums * torch.tensor(decided.signs, device=sums.device)[:, None])
        found: Float[np.ndarray, "2 k"] = torch.cat(rows).cpu().numpy()
        return found

    def _drops(self, pair: tuple[int, int]) -> Float[np.ndarray, "2 k"]:
        removal = Removal(self._probe, self._capture, self._segment, self.layer.name, None)
        drops = np.stack([removal.drops(Unit(i, 0, 0), float(self.logits[i])) for i in pair])
        silent = self._capture.maps[self.layer.name][0].abs().amax((1, 2)) == 0
        # A channel that is zero everywhere can leave nothing but rounding.
        return np.where(silent.cpu().numpy(), 0.0, drops)

    def _without(
        self, channels: Int[np.ndarray, " n"]
    ) -> tuple[tuple[Prediction, ...], tuple[Prediction, ...]]:
        """What is named without each of these channels, and without it and all before it."""
        count = len(channels)
        gates = np.ones((2 * count, self.layer.shape[0]), dtype=bool)
        for i, channel in enumerate(channels):
            gates[i, channel] = False
            gates[count + i, channels[: i + 1]] = False
        rows = masked_logits(self._probe, self._capture, {self.layer.name: gates})
        named = tuple(self._classifier.prediction(row, int(row.argmax())) for row in rows)
        return named[:count], named[count:]


def failure_of(
    rivalry: Rivalry,
    wrong: Decomposition,
    right: Decomposition | None,
    true: Prediction,
    *,
    top: int = TOP,
) -> Failure:
    """Return what decides for the class that `wrong` takes apart, and against the true one.

    `right` takes the true class apart, None where its logit is not positive. Raises ValueError
    where both are one class, and for fewer channels than one.
    """
    named = wrong.target
    if named.index == true.index:
        raise ValueError(
            f"the image is named {named.name!r} as it should be; expected another class as the true"
            f" one; {_runner_up(rivalry, named)}"
        )
    found = rivalry.between(named.index, true.index, top)
    return Failure(
        wrong=wrong,
        right=right,
        true=true,
        layer=rivalry.layer,
        contributions=found.contributions,
        drops=found.drops,
        channels=found.channels,
        maps=found.maps,
        alone=found.alone,
        together=found.together,
        provenance=_provenance(wrong, true, len(found.channels)),
        notes=tuple(_notes(found, right, named, true)),
    )


def _runner_up(rivalry: Rivalry, named: Prediction) -> str:
    others = [p for p in rivalry.predictions(2) if p.index != named.index]
    if not others:
        return "the network knows no other"
    return f"pass true={others[0].name!r} to compare with the runner-up"


def _notes(
    found: Decided, right: Decomposition | None, named: Prediction, true: Prediction
) -> list[str]:
    notes = []
    if right is None:
        notes.append(
            f"There is no tree of {true.name}: its logit is {true.logit:.2f}, and only a decision"
            " in favour can be taken apart. What each channel adds to it is known all the same."
        )
    first = found.channels[0]
    if found.contributions[0, first] <= found.contributions[1, first]:
        notes.append(
            f"No channel adds more to {named.name} than to {true.name}: what decides is not in"
            " this layer, but behind it."
        )
    return notes


def _provenance(wrong: Decomposition, true: Prediction, channels: int) -> Provenance:
    settings: Mapping[str, Any] = {
        **wrong.provenance.settings,
        "true": true.name,
        "channels": channels,
    }
    target = f"{wrong.target.name} instead of {true.name}"
    return Provenance(METHOD, wrong.provenance.model, target, settings, versions=versions())


def with_exemplars(failure: Failure, model: Any, data: Any, **settings: Any) -> Failure:
    """Return the failure with the images of a data set that excite its channels most.

    `settings` are those of `exemplars_of`, which says what is raised.
    """
    seen, labels = exemplars_of(
        model, data, failure.layer.name, [int(k) for k in failure.channels], **settings
    )
    known = failure.provenance
    quantile = settings.get("quantile", QUANTILE)
    provenance = replace(known, settings={**known.settings, "quantile": quantile})
    return replace(failure, exemplars=seen, labels=labels, provenance=provenance)
