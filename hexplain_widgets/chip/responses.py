"""How a network answers gates on its channels, batch of images by batch (CHIP, Eq. 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from ..data.samples import Batch
from ..evidence import Layer
from ..network.classifier import Classifier
from ..network.gating import Gated, Taken, gated, gates_for, proximity
from ..network.guest import visiting
from ..network.probe import Probe
from ..solvers.moments import Rows

Score = Literal["logit", "probability", "log-probability"]


@dataclass(frozen=True)
class Seen:
    """What one batch gave: rows by layer, the channels' means, predictions, and the images."""

    rows: Mapping[str, Rows]
    predicted: Int[np.ndarray, " n"]
    keys: tuple[bytes, ...]
    batch: Batch

    def means(self, layer: str) -> Float[np.ndarray, "n k"]:
        """Return the spatial mean of every channel of a layer in every image."""
        return np.asarray(self.rows[layer].means.cpu())


class Responses:
    """Asks a network about batches of images; `layers` are those gated, one after the other."""

    def __init__(
        self,
        probe: Probe,
        layers: Sequence[Layer],
        *,
        gates_per_image: int,
        score: Score,
        seed: int,
    ) -> None:
        self._probe = probe
        self._layers = tuple(layers)
        self._count = gates_per_image
        self._score = score
        self._seed = seed
        self._ways: dict[tuple[int, ...], Gated] = {}

    @property
    def classifier(self) -> Classifier:
        """The network that is asked."""
        return self._probe.classifier

    def of(self, batch: Batch) -> Seen:
        """Return the gated answers of a batch, half by half where it does not fit in memory.

        Raises ValueError for values that are not finite.
        """
        try:
            return self._of(batch)
        except torch.cuda.OutOfMemoryError:
            if len(batch) == 1:
                raise
        torch.cuda.empty_cache()
        return _joined(batch, [self.of(half) for half in batch.halves()])

    def _of(self, batch: Batch) -> Seen:
        keys = tuple(s.key for s in batch.samples)
        with visiting(self.classifier.model), torch.no_grad():
            taken = self._way(batch.x).take(batch.x)
            self.classifier.check_logits(taken.logits, batch.x)
            loyalty = _exact(_softmax(taken.logits.float()))
            rows = {n.name: self._rows(batch.x, taken, n, keys, loyalty) for n in self._layers}
        return Seen(rows, taken.logits.argmax(1).cpu().numpy(), keys, batch)

    def _way(self, x: Tensor) -> Gated:
        shape = tuple(x.shape[1:])
        if shape not in self._ways:
            self._ways[shape] = gated(self._probe, x[:2], [n.name for n in self._layers])
        return self._ways[shape]

    def _rows(
        self, x: Tensor, taken: Taken, layer: Layer, keys: Sequence[bytes], loyalty: Tensor
    ) -> Rows:
        maps = taken.maps[layer.name]
        drawn = [
            gates_for(k, layer.name, count=self._count, channels=layer.shape[0], seed=self._seed)
            for k in keys
        ]
        host = np.stack(drawn)
        gates = torch.from_numpy(host).to(maps.device)
        logits = self._way(x).answers(taken, layer.name, gates)
        scores = _exact(self._scores(logits))
        means = _exact(maps.float().mean((2, 3)))
        _check_finite(layer.name, scores, means)
        near = torch.from_numpy(proximity(host)).to(scores.device)
        return Rows(means, gates.to(scores.device), near, loyalty, scores)

    def _scores(self, logits: Float[Tensor, "n g c"]) -> Float[Tensor, "n g c"]:
        if self._score == "logit":
            return logits
        if self._score == "probability":
            return _softmax(logits.float())
        several = logits.shape[-1] > 1
        return logits.float().log_softmax(-1) if several else F.logsigmoid(logits.float())


def _joined(batch: Batch, parts: Sequence[Seen]) -> Seen:
    rows = {
        name: Rows(
            *(torch.cat([getattr(p.rows[name], f.name) for p in parts]) for f in fields(Rows))
        )
        for name in parts[0].rows
    }
    predicted = np.concatenate([p.predicted for p in parts])
    return Seen(rows, predicted, tuple(k for p in parts for k in p.keys), batch)


def _softmax(logits: Float[Tensor, "*n c"]) -> Float[Tensor, "*n c"]:
    return logits.softmax(-1) if logits.shape[-1] > 1 else logits.sigmoid()


def _exact(values: Tensor) -> Tensor:
    """Return values in float64, on the CPU where the device has none."""
    return (values.cpu() if values.device.type == "mps" else values).double()


def _check_finite(layer: str, scores: Tensor, means: Tensor) -> None:
    for values, what in ((means, "gives"), (scores, "with closed channels leads to")):
        if not bool(torch.isfinite(values).all()):
            raise ValueError(
                f"the layer {layer} {what} NaN or infinite values; expected finite numbers; check"
                " the weights, or run the network in float32 with model.float()"
            )
