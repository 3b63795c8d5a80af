"""How far explanations are true: contributions, surrogates and rankings held against ablation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor, nn
from tqdm.auto import tqdm

from ..arguments import at_least_one, one_of
from ..data.samples import Sample, batches, length_of
from ..decomposition.decisions import Weighing, estimated
from ..evidence import FaithfulnessSummary, Layer, Provenance
from ..fitting.passes import until_stopped
from ..network.classifier import Classifier
from ..network.gating import drawing
from ..network.guest import visiting
from ..network.probe import Capture, Probe
from ..network.segments import Unit
from ..provenance import versions
from .baselines import channel_means
from .rivals import RIVALS, rival
from .step_measures import Measured, measured_step
from .step_summary import step_summary
from .surrogates import kept_channels, masked_logits, random_gates, without_strongest

TOP_K = (1, 2, 4, 8, 16)
REMOVED = (1, 2, 4, 8, 16, 32)
OURS, DIRECT, RANDOM = "hierarchical", "gradient × activation", "random"
Stop = Callable[[], bool]


@dataclass(frozen=True)
class _Seen:
    """What one image gave: `own` is its class, `named` those of surrogates, ours and random."""

    label: int | None
    own: int
    steps: tuple[Measured, ...]
    named: tuple[tuple[int, ...], tuple[int, ...]]
    kept: Float[np.ndarray, "j l"]
    survived: Bool[np.ndarray, "l o n"]


def measure_faithfulness(
    model: nn.Module | Classifier,
    images: Any,
    *,
    layers: Collection[str] | None = None,
    top_k: Sequence[int] = TOP_K,
    removed: Sequence[int] = REMOVED,
    rivals: Sequence[str] = (),
    reference: Any = None,
    seed: int = 0,
    progress: bool = True,
    stopped: Stop | None = None,
) -> FaithfulnessSummary:
    """Return how far decompositions of the classes named in `images` are true (sec. 4.1).

    `images` is one image, or any data of images or `(image, label)`. Each image is followed down
    its strongest path; its class is asked for again with `top_k` channels kept of each decision,
    and with the `removed` most important channels of a layer masked, by our ranking and by
    `rivals` ("conductance", "internal influence", "LRP", from captum). Correlations are with
    ablation to zero, or to the channels' means over `reference` images. An interrupt, or `stopped`
    saying so, ends it after the images seen so far; rivals that do not work on this network are
    left out, with a note. Raises ValueError where there is no image or a setting is out of range,
    ImportError for rivals without captum, and what Probe.capture raises.
    """
    asked = _Asking(Classifier.of(model), layers, top_k, removed, rivals, seed)
    if reference is not None:
        asked.means = channel_means(asked.classifier, reference, layers=layers)
    notes: list[str] = []
    seen = list(until_stopped(asked.each(_several(images), progress), stopped, notes))
    if not seen:
        raise ValueError(
            "got no image; expected at least one; pass an image, or data with some, and let the"
            " first one be finished"
        )
    return asked.summary(seen, notes)


def _several(images: Any) -> Any:
    one = isinstance(images, str | Path | Image.Image | np.ndarray | Tensor)
    return [images] if one else images


class _Asking:
    """Asks one network about image after image."""

    def __init__(
        self,
        classifier: Classifier,
        layers: Collection[str] | None,
        top_k: Sequence[int],
        removed: Sequence[int],
        rivals: Sequence[str],
        seed: int,
    ) -> None:
        self.classifier, self.names, self.seed = classifier, layers, seed
        self.top_k = tuple(at_least_one("top_k", k) for k in top_k)
        self.removed = tuple(at_least_one("removed", n) for n in removed)
        self.rivals = tuple(one_of("rivals", name, tuple(RIVALS)) for name in rivals)
        self.notes: list[str] = []
        self.probe = Probe(classifier)
        self.layers: tuple[Layer, ...] = ()
        self.means: dict[str, Tensor] | None = None

    def each(self, images: Any, progress: bool) -> Iterator[_Seen]:
        bar = tqdm(total=length_of(images), unit="image", disable=not progress)
        with bar:
            for batch in batches(images, self.classifier, size=1):
                yield self._seen(batch.x, batch.samples[0])
                bar.update()

    def _seen(self, x: Float[Tensor, "1 c h w"], sample: Sample) -> _Seen:
        capture = self.probe.capture(x, self.names)
        index = int(capture.logits[0].argmax())
        if not self.layers:
            self._keep_workable(capture, index)
        self.layers = capture.layers
        draw = drawing(sample.key, "faithfulness", self.seed)
        with visiting(self.classifier.model):
            steps = tuple(self._steps(capture, index, draw))
            most = max(*self.top_k, *self.removed)
            *kept, ranked = kept_channels(self.probe, capture, index, (*self.top_k, most))
            ours = {
                layer.name: np.stack([k.gates(layer.name) for k in kept]) for layer in self.layers
            }
            named = (
                self._named(capture, ours), self._named(capture, random_gates(ours, draw))
            )  # fmt: skip
            survived = [
                self._survived(capture, layer, index, ranked.importance[layer.name], draw)
                for layer in self.layers
            ]
        shares = np.stack([ours[layer.name].mean(1) for layer in self.layers], 1)
        return _Seen(sample.label, index, steps, named, shares, np.stack(survived))

    def _keep_workable(self, capture: Capture, index: int) -> None:
        """Leave out the rivals that do not work on this network, and say so."""
        for name in self.rivals:
            with visiting(self.classifier.model):
                try:
                    for layer in capture.layers:
                        rival(name, self.classifier, capture.x, layer.name, index)
                except ValueError as error:
                    self.rivals = tuple(other for other in self.rivals if other != name)
                    self.notes.append(f"Left out: {error}.")

    def _steps(self, capture: Capture, index: int, draw: np.random.Generator) -> Iterator[Measured]:
        weighing = Weighing(self.probe, capture, self.means)
        unit, deep = Unit(index, 0, 0), None
        for layer in self.layers:
            segment = self.probe.segment(capture, layer.name, deep)
            found = measured_step(weighing, segment, (layer.name, deep), unit, draw)
            yield found
            if found.next is None:
                return
            unit, deep = found.next, layer.name

    def _named(self, capture: Capture, gates: Any) -> tuple[int, ...]:
        logits = masked_logits(self.probe, capture, gates)
        return tuple(int(i) for i in logits.argmax(1))

    def _survived(
        self,
        capture: Capture,
        layer: Layer,
        index: int,
        ours: Float[np.ndarray, " k"],
        draw: np.random.Generator,
    ) -> Bool[np.ndarray, "o n"]:
        """Return whether the class is named still without a layer's most important channels."""
        scores = [ours, self._direct(capture, layer, index)]
        scores += [
            rival(name, self.classifier, capture.x, layer.name, index) for name in self.rivals
        ]
        rows = [without_strongest(s, self.removed) for s in (*scores, draw.random(layer.shape[0]))]
        named = self._named(capture, {layer.name: np.concatenate(rows)})
        found: Bool[np.ndarray, "o n"] = (np.array(named) == index).reshape(len(rows), -1)
        return found

    def _direct(self, capture: Capture, layer: Layer, index: int) -> Float[np.ndarray, " k"]:
        segment = self.probe.segment(capture, layer.name, None)
        (decided,) = segment.decide([Unit(index, 0, 0)])
        weights = estimated(decided.gradients * decided.activations, 1)
        found: Float[np.ndarray, " k"] = weights.contributions[0].double().cpu().numpy()
        return found

    def summary(self, seen: Sequence[_Seen], notes: Sequence[str]) -> FaithfulnessSummary:
        """Return what all images gave."""
        own = np.array([one.own for one in seen])
        named = np.array([one.named for one in seen])
        labels = np.array([-1 if one.label is None else one.label for one in seen])
        known = labels >= 0
        deep = ["logits", *(layer.name for layer in self.layers)]
        return FaithfulnessSummary(
            images=len(seen),
            labelled=int(known.sum()),
            layers=self.layers,
            steps=tuple(
                step_summary(
                    deep[i], layer.name, [one.steps[i] for one in seen if i < len(one.steps)]
                )
                for i, layer in enumerate(self.layers)
                if any(i < len(one.steps) for one in seen)
            ),
            top_k=np.array(self.top_k),
            match=(named == own[:, None, None]).mean(0),
            kept=np.mean([one.kept for one in seen], 0),
            removed=np.array(self.removed),
            methods=(OURS, DIRECT, *self.rivals, RANDOM),
            survival=np.mean([one.survived for one in seen], 0),
            accuracy=(named == labels[:, None, None])[known].mean(0) if known.any() else None,
            whole_accuracy=float((own == labels)[known].mean()) if known.any() else None,
            provenance=self._provenance(),
            notes=(*self.notes, *notes),
        )

    def _provenance(self) -> Provenance:
        return Provenance(
            method="faithfulness of hierarchical decomposition",
            model=type(self.classifier.model).__name__,
            target="the class that each image is given",
            settings={
                "layers": tuple(layer.name for layer in self.layers),
                "baseline": "zero" if self.means is None else "mean",
                "rivals": self.rivals,
            },
            seed=self.seed,
            versions=versions(),
        )
