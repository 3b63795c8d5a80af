"""The rows of an additive explainer for every class and head of a network, asked for at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import hexplain_widgets as hx
from hexplain_widgets.additive.heads import heads_of
from hexplain_widgets.additive.rows import (
    MapBatch,
    ScoreBatch,
    ScorePlan,
    ScoreStatistics,
    keep_rows,
)
from hexplain_widgets.data.samples import Batch, batches
from hexplain_widgets.fitting.passes import batch_size
from hexplain_widgets.network.gating import LayerGates, gated
from hexplain_widgets.network.guest import visiting
from hexplain_widgets.network.probe import Probe

GIBIBYTE = 2**30


@dataclass(frozen=True)
class Shared:
    """What images give for all classes and heads at once.

    `overlaps[n, i, j]` is the product of the gradients of outputs `i` and `j` at the layer, from
    which every target's prior weights follow (section 3.1, case 2). Outputs are `names`.
    """

    probe: Probe
    names: tuple[str, ...]
    first: Batch
    maps: np.ndarray
    keys: np.ndarray
    labels: np.ndarray
    outputs: np.ndarray
    overlaps: np.ndarray

    @classmethod
    def of(cls, classifier: hx.Classifier, images: Sequence[Any]) -> Shared:
        probe, own = Probe(classifier), heads_of(classifier.model)
        each = list(batches(images, classifier, size=batch_size(classifier)))
        plan = ScorePlan(classifier.classes[0], None, own, None, GIBIBYTE)
        scope = plan.scope(probe, each[0])
        extractor = plan.extractor(probe, scope)
        gates = gated(probe, each[0].x, [scope.layer.name])
        found = []
        for batch in each:
            with visiting(classifier.model):
                found.append(_of_batch(extractor.look(batch.x), gates, scope.layer.name))
        samples = [s for batch in each for s in batch.samples]
        maps, outputs, overlaps = (np.concatenate(f) for f in zip(*found, strict=True))
        keys = np.stack([np.frombuffer(s.key, np.uint8) for s in samples])
        labels = np.array([s.label for s in samples])
        names = (*classifier.classes, *own.names)
        return cls(probe, names, each[0], maps, keys, labels, outputs, overlaps)

    def keep(self, target: str, chosen: tuple[str, ...] | None, folder: str) -> None:
        """Leave the rows of one target in a cache folder."""
        own = heads_of(self.probe.classifier.model)
        plan = ScorePlan(target, None, own, chosen, GIBIBYTE)
        scope = plan.scope(self.probe, self.first)
        at, some = self.names.index(target), [self.names.index(n) for n in scope.elements]
        squares = np.diagonal(self.overlaps, axis1=1, axis2=2)[:, some]
        priors = np.zeros(squares.shape)
        np.divide(self.overlaps[:, at, some], squares, out=priors, where=squares > 0)
        rows = ScoreStatistics(scope, GIBIBYTE)
        rows.add(
            ScoreBatch(
                self.keys, self.maps, self.outputs[:, some], priors, self.outputs[:, at],
                self.labels,
            ),
            self.probe.classifier,
        )  # fmt: skip
        keep_rows(Path(folder), rows)


def _of_batch(
    look: MapBatch, gates: LayerGates, layer: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return maps, outputs `(n, o)` and overlaps `(n, o, o)` of a batch, classes before heads."""
    each = torch.arange(len(look.maps))
    with torch.enable_grad():
        logits = gates.behind(look.forward, layer, each, look.maps)
        of_classes = [
            torch.autograd.grad(one, look.maps, retain_graph=True)[0] for one in logits.sum(0)
        ]
    strengths, of_heads = look.of_heads()
    gradients = torch.stack([*of_classes, *of_heads], 1).flatten(2)
    outputs = torch.cat([logits.detach(), strengths], 1)
    overlaps = gradients @ gradients.mT
    return look.maps.detach().numpy(), outputs.double().numpy(), overlaps.double().numpy()
