"""The view of neurons and concepts: a concept tree, neurons, links as wide as their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any

import ipywidgets
import traitlets

from ...arguments import counted
from ...evidence import HeatMap, NeuronConcepts, NeuronPortrait
from .._shared.agreement import trust_words
from .._shared.conversation import Content, Handler, Stop, answering
from .._shared.linking import ChannelChoice
from .._shared.messages import layer_in
from .._shared.state import ViewState, boolean, understood
from .._shared.view import View, check_evidence, settable, synced
from . import messages
from .charts import layer_chart
from .payload import (
    ESTIMATORS,
    Picture,
    first_folds,
    graph_payload,
    maps_payload,
    pictures_of,
    pictures_payload,
    place_of,
    portraits_payload,
)
from .picture import draw_neurons

MOST_PORTRAITS, MOST_MAPS = 96, 120


def _cleaned(state: object, _: object = None) -> ViewState:
    return understood(state, {"table": boolean})


class NeuronConceptGraph(ChannelChoice, View):
    """Which neurons answer for which concepts of a hierarchy: `hint` is fitted (HINT, Fig. 2).

    `images` are shown with the chosen concept's map, `concepts` are names, all if not given,
    `top` is how many neurons each concept has at most. `concept` and `channel` are the chosen
    concept and neuron, or None; `folded` are concepts whose parts are hidden, their links gathered
    at them; `threshold` hides links below a fraction of the largest score. Setting `layer` or
    `estimator` turns the view to another. A concept with several parents stands below the first.
    Two kinds of 32 classes at MobileNetV2's last layer take 4 s. Raises ValueError for unknown
    concepts, layers, estimators and images without a model, TypeError for what is no Hint.
    """

    bundle = "neuron_concept_graph"
    engine = "Hint"
    layers_setting = "layer"

    graph = synced(traitlets.Dict)
    portraits = synced(traitlets.Dict)
    pictures = synced(traitlets.Dict)
    maps = synced(traitlets.Dict)
    estimators = synced(traitlets.List)
    live = synced(traitlets.Bool)
    words = trust_words()
    chart = traitlets.Any().tag(sync=True, **ipywidgets.widget_serialization)
    concept = settable(traitlets.Unicode, allow_none=True, default_value=None)
    estimator = settable(traitlets.Unicode)
    folded = settable(traitlets.List, trait=traitlets.Unicode())
    threshold = settable(traitlets.Float, default_value=0.0, min=0.0, max=1.0)
    top = settable(traitlets.Int, default_value=10, min=1)
    view = settable(traitlets.Dict, from_json=_cleaned)

    def __init__(
        self,
        hint: Any,
        *,
        images: Sequence[Any] = (),
        concepts: Sequence[str] | None = None,
        top: int = 10,
        layer: str | None = None,
    ) -> None:
        turned = hint_of(hint) if layer is None else hint_of(hint).at(layer)
        self._images, self._concepts = tuple(images), concepts
        self._shown = tuple(_shown_image(hint, image) for image in self._images)
        self._open(turned.associations(concepts, top=top), turned, top)

    @classmethod
    def from_evidence(cls, evidence: Any) -> NeuronConceptGraph:
        """Return a view of saved NeuronConcepts; it needs no model and shows its layer alone.

        Raises TypeError for what is no NeuronConcepts.
        """
        check_evidence(evidence, NeuronConcepts, "hint.associations()")
        self = cls.__new__(cls)
        self._images, self._concepts, self._shown = (), None, pictures_of(evidence.maps)
        top = evidence.provenance.settings.get("top")
        self._open(evidence, None, top if isinstance(top, int) else 10)
        return self

    def _open(self, evidence: NeuronConcepts, hint: Any, top: int) -> None:
        self._evidence, self._hint = evidence, hint
        self._most = max(1, min(top, len(evidence.neurons)))
        super().__init__(
            **self._payloads(evidence),
            pictures=pictures_payload(self._shown),
            estimators=[[name, ESTIMATORS.get(name, name)] for name in self.estimator_names],
            live=hint is not None,
            chart=layer_chart(evidence.layers),
            layer=evidence.layer,
            estimator=evidence.estimator,
            folded=first_folds(evidence),
            top=self._most,
        )

    @property
    def evidence(self) -> NeuronConcepts:
        """What is on the screen, with the portraits and maps that were looked at."""
        return self._evidence

    @property
    def estimator_names(self) -> tuple[str, ...]:
        """Names of the estimators this view can turn to."""
        own = self._evidence.estimator
        return (own,) if self._hint is None else tuple(dict.fromkeys((*ESTIMATORS, own)))

    def __repr__(self) -> str:
        concepts = counted(len(self._evidence.concepts), "concept")
        neurons = counted(len(self._evidence.neurons), "neuron")
        where = f"layer {self._evidence.layer!r}, {self._evidence.estimator!r}"
        return f"NeuronConceptGraph({concepts}, {neurons}, {where})"

    @property
    def title(self) -> str:
        """What a page with this view is called."""
        return f"Neurons and concepts at {self._evidence.layer}"

    def snapshot(self) -> NeuronConceptGraph:
        """Return a twin of what is on the screen, without the Hint, maps fetched."""
        if self._hint is not None and self._images:
            for concept in self._usable()[: MOST_MAPS // len(self._images)]:
                self._explain(concept)
        twin = type(self).from_evidence(self._evidence)
        for name in ("concept", "channel", "folded", "threshold", "view", "layout"):
            setattr(twin, name, getattr(self, name))
        twin._most = self._most
        twin._publish(graph=graph_payload(self._evidence, self._most), top=self.top)
        return twin

    def export_png(self, path: str | Path) -> Path:
        """Write the graph as a picture for slides and print, 1920 pixels wide (HINT, Fig. 2)."""
        picture = draw_neurons(
            self._evidence, top=self.top, threshold=self.threshold, folded=self.folded
        )
        picture.save(path, format="PNG")
        return Path(path)

    def turn_to(self, layer: str) -> None:
        """Show the same concepts at another fitted layer."""
        self._take(*self._associations_at(layer, self._evidence.estimator))

    def handlers(self) -> Mapping[str, Handler]:
        """Return what answers each kind of message."""
        return {
            "layer": self._change_layer,
            "estimator": self._change_estimator,
            "maps": self._map,
            "portraits": self._portray,
        }

    def close(self) -> None:
        """Close the view with its chart, and let go of the Hint."""
        self._hint, self._images = None, ()
        super().close()

    @property
    def _fitted(self) -> Any:
        return self._hint

    @traitlets.validate("concept")
    def _known_concept(self, proposal: Any) -> str | None:
        name = proposal["value"]
        return name and messages.known_concept(name, self._names())

    @traitlets.validate("estimator")
    def _known_estimator(self, proposal: Any) -> str:
        return messages.known_estimator(proposal["value"], self.estimator_names)

    @traitlets.validate("folded")
    def _known_folds(self, proposal: Any) -> list[str]:
        known = set(self._names())  # of a saved arrangement, what still is there
        return [name for name in dict.fromkeys(proposal["value"]) if name in known]

    @traitlets.observe("estimator")
    def _follow_estimator(self, change: Any) -> None:
        if change["new"] == self._evidence.estimator:
            return
        try:
            self._take(*self._associations_at(self._evidence.layer, change["new"]))
        except Exception:
            self.estimator = self._evidence.estimator
            raise

    def _names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self._evidence.concepts)

    def _usable(self) -> list[str]:
        """Names of concepts that are findings, the chosen one first."""
        pairs = zip(self._names(), self._evidence.qualities, strict=True)
        names = [name for name, quality in pairs if quality.flag is None]
        return sorted(names, key=lambda name: name != self.concept)

    def _change_layer(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        layer = layer_in(content, self.layer_names)
        self._take(*self._associations_at(layer, self._evidence.estimator, stopped))
        return {"layer": self._evidence.layer}

    def _change_estimator(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        estimator = messages.estimator_in(content, self.estimator_names)
        self._take(*self._associations_at(self._evidence.layer, estimator, stopped))
        return {"estimator": self._evidence.estimator}

    def _map(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        concept = messages.concept_in(content, self._names())
        self._ask("a map of a concept")
        self._explain(concept, stopped)
        return {"concept": concept}

    def _portray(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        neurons = messages.neurons_in(content)
        hint = self._ask("to show where a neuron is strongest")
        self._keep(hint, portraits=hint.portraits(list(neurons)), stopped=stopped)
        return {"neurons": list(neurons)}

    def _ask(self, purpose: str) -> Any:
        return answering(self._hint, "Hint", purpose, "NeuronConceptGraph(hint)")

    def _associations_at(
        self, layer: str, estimator: str, stopped: Stop = lambda: False
    ) -> tuple[Any, NeuronConcepts]:
        hint = self._ask("another layer or estimator")
        hint = hint if hint.layer_.name == layer else hint.at(layer)
        hint = hint if hint.estimator == estimator else hint.using(estimator)
        evidence = hint.associations(self._concepts, top=self._most, stopped=stopped)
        if stopped():
            raise CancelledError
        return hint, evidence

    def _take(self, hint: Any, evidence: NeuronConcepts) -> None:
        before = self._evidence
        turned = evidence.layer != before.layer
        if not turned:  # other scores of the same neurons: their pictures and maps hold
            evidence = replace(evidence, portraits=_joined(before, evidence.portraits))
            evidence = replace(evidence, maps=before.maps)
        self._evidence, self._hint = evidence, hint
        self._publish(**self._payloads(evidence), estimator=evidence.estimator)
        # outside the lock: linked views follow these two
        if turned:
            self.channel = None
        self.layer = evidence.layer

    def _explain(self, concept: str, stopped: Stop = lambda: False) -> None:
        hint, known = self._hint, self._evidence.maps
        mapped = {place_of(one.image, self._shown) for one in known if one.target == concept}
        maps: list[HeatMap] = []
        for image in (one for i, one in enumerate(self._images) if i not in mapped):
            if stopped():
                raise CancelledError
            maps.append(hint.explain(image, concept))
        self._keep(hint, maps=maps, stopped=stopped)

    def _keep(
        self,
        hint: Any,
        *,
        portraits: Sequence[NeuronPortrait] = (),
        maps: Sequence[HeatMap] = (),
        stopped: Stop,
    ) -> None:
        if stopped() or hint is not self._hint:
            raise CancelledError
        self._evidence = replace(
            self._evidence,
            portraits=_joined(self._evidence, portraits),
            maps=(*self._evidence.maps, *maps)[-MOST_MAPS:],
        )
        if portraits:
            self._publish(portraits=portraits_payload(self._evidence.portraits))
        if maps:
            self._publish(maps=maps_payload(self._evidence.maps, self._shown))

    def _payloads(self, evidence: NeuronConcepts) -> dict[str, Any]:
        return {
            "graph": graph_payload(evidence, self._most),
            "portraits": portraits_payload(evidence.portraits),
            "maps": maps_payload(evidence.maps, self._shown),
        }


def hint_of(hint: Any) -> Any:
    """Return a Hint as it is; raises TypeError for another thing."""
    if not hasattr(hint, "associations"):
        raise TypeError(
            f"got {type(hint).__name__}; expected a fitted Hint;"
            " make one with Hint().fit(model, data, hierarchy)"
        )
    return hint


def _joined(
    evidence: NeuronConcepts, fresh: Sequence[NeuronPortrait]
) -> tuple[NeuronPortrait, ...]:
    new = {one.neuron for one in fresh}
    kept = [one for one in evidence.portraits if one.neuron not in new]
    return (*kept, *fresh)[-MOST_PORTRAITS:]


def _shown_image(hint: Any, image: Any) -> Picture:
    if hint.classifier_ is None:
        raise ValueError(
            "got images, but this Hint was loaded without its model; expected one with it;"
            " load it with the model, or leave images= out"
        )
    return hint.classifier_.prepare(image).shown
