"""Surrogates: the network with only those channels open that a decomposition keeps (sec. 4.1).

And the baselines that a decomposition's ranking of channels is held against, from captum.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..decomposition.decisions import as_asked, estimated, splits_of, strongest
from ..network.classifier import Classifier
from ..network.guest import visiting
from ..network.probe import Capture, Probe
from ..network.segments import Unit

Gates = Mapping[str, Bool[np.ndarray, "n k"]]
STEPS = 20  # of the path from black to the image


@dataclass(frozen=True)
class SurrogateChannels:
    """Which channels a decomposition keeps, and the importance of each for the class.

    Importance is the product of shares along a path from the class, summed over paths (Fig. 10).
    """

    importance: Mapping[str, Float[np.ndarray, " k"]]

    def gates(self, layer: str) -> Bool[np.ndarray, " k"]:
        """Return which channels of a layer stay open."""
        return self.importance[layer] > 0


def surrogate_channels(
    probe: Probe, capture: Capture, index: int, top_k: Sequence[int]
) -> tuple[SurrogateChannels, ...]:
    """Return the channels that stay where each decision keeps its k strongest, down all layers.

    One answer for every k in `top_k`; a decision that several meet is taken apart once. A channel
    goes on once, from the peak of its strongest path, with the importance of all its paths. Call
    it inside `guest.visiting`.
    """
    frontiers = [{Unit(index, 0, 0): 1.0} for _ in top_k]
    importance: list[dict[str, Float[np.ndarray, " k"]]] = [{} for _ in top_k]
    deep: str | None = None
    for layer in capture.layers:
        # Not only those of the largest k: with fewer paths another can be the strongest.
        units = dict.fromkeys(chain.from_iterable(frontiers))
        parts = _parts(probe, capture, (layer.name, deep), list(units), max(top_k))
        for i, k in enumerate(top_k):
            worth = [
                (weight * share, unit)
                for decision, weight in frontiers[i].items()
                for share, unit in parts[decision][:k]
            ]
            importance[i][layer.name], frontiers[i] = _layer_importance(worth, layer.shape[0])
        deep = layer.name
    return tuple(map(SurrogateChannels, importance))


def _layer_importance(
    worth: Sequence[tuple[float, Unit]], channels: int
) -> tuple[Float[np.ndarray, " k"], dict[Unit, float]]:
    """Return the importance of a layer's channels, and the decisions that they go on with."""
    importance = np.zeros(channels)
    peaks: dict[int, tuple[float, Unit]] = {}
    for weight, unit in worth:
        importance[unit.channel] += weight
        peaks[unit.channel] = max(peaks.get(unit.channel, (0.0, unit)), (weight, unit))
    return importance, {unit: float(importance[k]) for k, (_, unit) in peaks.items()}


def _parts(
    probe: Probe,
    capture: Capture,
    names: tuple[str, str | None],
    units: Sequence[Unit],
    top_k: int,
) -> dict[Unit, list[tuple[float, Unit]]]:
    """Return the strongest channels below each decision, strongest first, and their shares."""
    if not units:
        return {}
    segment = probe.segment(capture, *names)
    parts = {}
    for decided in segment.decide(units):
        decision = decided if names[1] else as_asked(decided, capture.logits[0])
        maps = decision.gradients * decision.activations
        weights = estimated(maps, segment.full[0] * segment.full[1])
        top, also = strongest(maps, weights.contributions, top_k, 1.0)
        for unit, split in splits_of(decision, maps, weights, top, also).items():
            parts[unit] = [(part.share, part.unit) for part in split.parts]
    return parts


def masked_logits(probe: Probe, capture: Capture, gates: Gates) -> Float[Tensor, "n c"]:
    """Return the logits with channels of several layers masked at once, `(n, K)` gates of each.

    Each layer is computed from the masked one before it. Call it inside `guest.visiting`.
    """
    names = [layer.name for layer in reversed(capture.layers) if layer.name in gates]
    maps = _masked(capture.maps[names[0]], gates[names[0]])
    for shallow, deep in pairwise(names):
        maps = _masked(probe.segment(capture, shallow, deep).forward(maps), gates[deep])
    return probe.segment(capture, names[-1], None).forward(maps)


def _masked(maps: Float[Tensor, "b k h w"], gates: Bool[np.ndarray, "n k"]) -> Tensor:
    return maps * torch.from_numpy(gates).to(maps)[:, :, None, None]


def random_gates(like: Gates, draw: np.random.Generator) -> Gates:
    """Return random gates that leave as many channels of each layer open as these."""
    return {name: np.stack([draw.permutation(row) for row in rows]) for name, rows in like.items()}


def without_strongest(
    scores: Float[np.ndarray, " k"], counts: Sequence[int]
) -> Bool[np.ndarray, "n k"]:
    """Return gates with the `counts` channels of the largest scores closed, one row of each."""
    order = np.argsort(-scores, kind="stable")
    gates = np.ones((len(counts), len(scores)), dtype=bool)
    for row, count in zip(gates, counts, strict=True):
        row[order[:count]] = False
    return gates


def _captum() -> Any:
    try:
        import captum.attr
    except ImportError as error:
        raise ImportError(
            "conductance, internal influence and LRP come from captum, which is not installed;"
            " expected it beside this package; pip install 'hexplain_widgets[compare]', or ask for"
            " no rivals"
        ) from error
    return captum.attr


BASELINES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "conductance": lambda captum, model, layer: captum.LayerConductance(model, layer),
    "internal influence": lambda captum, model, layer: captum.InternalInfluence(model, layer),
    "LRP": lambda captum, model, layer: captum.LayerLRP(model, layer),
}


@contextmanager
def _without_traces(model: nn.Module) -> Iterator[None]:
    """Take back the attributes that captum leaves on modules."""
    before = [(m, set(m.__dict__)) for m in model.modules()]
    try:
        yield
    finally:
        for module, names in before:
            for name in set(module.__dict__) - names:
                delattr(module, name)


def _with_rule(model: nn.Module, layer: str) -> nn.Module:
    """Return the last operation up to a layer's end that LRP has a rule for; ReLUs pass it on."""
    inside = set(model.get_submodule(layer).modules())
    leaves = [m for m in model.modules() if not list(m.children())]
    last = max((i for i, m in enumerate(leaves) if m in inside), default=-1)
    ruled = [m for m in leaves[: last + 1] if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    return ruled[-1] if ruled else model.get_submodule(layer)


def baseline_importance(
    name: str, classifier: Classifier, x: Float[Tensor, "1 c h w"], layer: str, index: int
) -> Float[np.ndarray, " k"]:
    """Return the importance of a layer's channels by a method of captum's, summed over space.

    Paths begin at a black image. Raises ImportError without captum, ValueError where the method
    does not work on this network. Call it inside `guest.visiting`.
    """
    captum = _captum()
    with visiting(classifier.model) as network:
        scores = _attributed(captum, name, network, classifier, x, layer, index)
    return scores


def _attributed(
    captum: Any,
    name: str,
    model: nn.Module,
    classifier: Classifier,
    x: Float[Tensor, "1 c h w"],
    layer: str,
    index: int,
) -> Float[np.ndarray, " k"]:
    low, _ = classifier.extent(x)
    path = {"baselines": low.expand_as(x), "n_steps": STEPS, "internal_batch_size": 4}
    lrp = name == "LRP"
    try:
        module = _with_rule(model, layer) if lrp else model.get_submodule(layer)
        with _without_traces(model), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Input Tensor 0 did not already require")
            method = BASELINES[name](captum, classifier.scored(x), module)
            attribution = method.attribute(x, target=index, **({} if lrp else path))
        scores = attribution.detach()[0].sum((1, 2)).double().cpu().numpy()
    except (RuntimeError, TypeError, AttributeError, AssertionError, IndexError) as error:
        raise ValueError(
            f"{name} gave no answer at {layer} ({error}); expected a module that captum can follow;"
            " leave it out of rivals"
        ) from error
    return scores
