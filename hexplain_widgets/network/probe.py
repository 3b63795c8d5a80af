"""The probe: which layers a network has, what they hold for an image, and segments between them.

The only module that touches hooks: where a network cannot be traced, its calls are recorded with
hooks, and a segment replays the recorded outputs of everything before it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..arguments import check_finite, nearest
from ..evidence import Layer, LayerTable
from .backends import Recording, TracedGraph
from .classifier import Classifier
from .graph import Site, Survey, trace
from .guest import visiting
from .receptive import Field
from .scores import ScoreReading, sole_result
from .segments import Segment, SegmentRunner, close


@contextmanager
def _listening(
    modules: Collection[nn.Module], enter: Callable[..., None], leave: Callable[..., None]
) -> Iterator[None]:
    """Report every call of these modules, and take the hooks off again on every way out."""
    with ExitStack() as hooks:
        for module in modules:
            hooks.callback(module.register_forward_pre_hook(enter).remove)
            hooks.callback(module.register_forward_hook(leave).remove)
        yield


@contextmanager
def _answering(modules: Collection[nn.Module], call: Callable[..., Any]) -> Iterator[None]:
    """Let every module answer through `call`, and put their own forward back afterwards."""
    with ExitStack() as stack:
        for module in modules:
            own = module.__dict__.get("forward")
            forward = module.forward
            if own is None:
                stack.callback(module.__dict__.pop, "forward", None)
            else:
                stack.callback(module.__dict__.__setitem__, "forward", own)
            module.__dict__["forward"] = _bound_to(call, module, forward)
        yield


def _bound_to(
    call: Callable[..., Any], module: nn.Module, forward: Callable[..., Any]
) -> Callable[..., Any]:
    def answer(*args: Any, **kwargs: Any) -> Any:
        return call(module, forward, *args, **kwargs)

    return answer


@dataclass(frozen=True)
class Capture:
    """One image inside a network: maps `(1, K, H, W)` by layer, deepest first, and logits."""

    x: Float[Tensor, "1 c h w"]
    logits: Float[Tensor, "1 n"]
    maps: Mapping[str, Tensor]
    layers: tuple[Layer, ...]


class Probe:
    """Looks into a classifier's network without leaving a trace.

    Works on the network's graph where torch.fx can trace it, and on recorded calls otherwise
    (`traced` is None then, and only results of modules are layers).
    """

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        self._traced: tuple[ScoreReading | None, TracedGraph | None] | None = None
        self._stages: dict[tuple[int, ...], list[Site]] = {}
        self._recorded: tuple[int, Recording] | None = None

    @property
    def traced(self) -> TracedGraph | None:
        """The network's graph, up to the scores that are explained."""
        reading = self.classifier.reading
        known = self._traced
        # Without a graph the calls are replayed, whatever becomes known of the scores later.
        if known is None or (known[0] is not reading and known[1] is not None):
            known = self._traced = reading, self._graph(reading)
        return known[1]

    @traced.setter
    def traced(self, traced: TracedGraph | None) -> None:
        """Look into the network by another graph, or with None by its recorded calls."""
        self._traced = self.classifier.reading, traced

    def _graph(self, reading: ScoreReading | None) -> TracedGraph | None:
        ending = sole_result if reading is None else reading.node_in
        with visiting(self.classifier.model):
            graph = trace(self.classifier.model, ending)
        return TracedGraph(graph) if graph is not None else None

    def _record(self, x: Tensor) -> Recording:
        if self._recorded is None or self._recorded[0] != id(x):
            self._recorded = (id(x), self._listen(x))
        return self._recorded[1]

    def _listen(self, x: Tensor) -> Recording:
        model, scores = self.classifier.model, self.classifier.scores_of
        return Recording(model, x, scores=scores, listening=_listening, answering=_answering)

    def _survey(self, x: Tensor) -> Survey:
        return self.traced.survey(x) if self.traced is not None else self._record(x).survey()

    @contextmanager
    def _inside(self, x: Tensor) -> Iterator[None]:
        try:
            with visiting(self.classifier.model), torch.no_grad():
                self.classifier.read(x)
                yield
        except RuntimeError as cause:
            if x.shape[1] == self.classifier.in_channels:
                raise
            raise self.classifier.channel_error(x) from cause

    def layers(self, x: Float[Tensor, "1 c h w"]) -> tuple[Layer, ...]:
        """Return every layer with a feature map, in order of completion, stages numbered from 1."""
        with self._inside(x):
            survey = self._survey(x)
        stages = {s.name: i for i, s in enumerate(survey.stages(), 1)}
        return tuple(self._layer(s, stages.get(s.name)) for s in survey.layers())

    def _layer(self, site: Site, stage: int | None) -> Layer:
        field = self.field(site.name)
        _, k, h, w = site.shape
        return Layer(
            site.name, _type(site.operation), (k, h, w), stage, field.size if field else None
        )

    def field(self, name: str) -> Field | None:
        """Return the receptive field of a layer's units in the image; None without a limit."""
        node = self.traced.node(name) if self.traced is not None else None
        return self.traced.field(node) if self.traced is not None and node is not None else None

    def capture(
        self, x: Float[Tensor, "1 c h w"], layers: Collection[str] | None = None
    ) -> Capture:
        """Return the maps of these layers, or of the network's stages, in one forward pass.

        Raises ValueError for an unknown layer, one without spatial extent, a network without
        stages, and for values that are not finite.
        """
        with self._inside(x):
            sites, maps, logits = self._captured(x, layers)
        self.classifier.check_logits(logits, x)
        stage = {s.name: i for i, s in enumerate(self._stages.get(tuple(x.shape), []), 1)}
        table = tuple(self._layer(s, stage.get(s.name)) for s in reversed(sites))
        for layer in table:
            check_finite(f"the layer {layer.name} gives", maps[layer.name])
        return Capture(x, logits, {layer.name: maps[layer.name] for layer in table}, table)

    def _captured(
        self, x: Tensor, layers: Collection[str] | None
    ) -> tuple[list[Site], dict[str, Tensor], Tensor]:
        shape = tuple(x.shape)
        if layers is None and shape in self._stages:
            sites = self._stages[shape]
            return (sites, *self._maps(x, [s.name for s in sites]))
        survey = self._checked_survey(x)
        self._stages[shape] = survey.stages()
        sites = self._stages[shape] if layers is None else self._named(layers, survey)
        if not sites:
            raise ValueError(
                f"{type(self.classifier.model).__name__} has no convolutional feature map that was"
                " found; expected a CNN; name its layers with layers=[...], see hx.layers"
            )
        if all(s.value in survey.maps for s in sites):
            return sites, {s.name: survey.maps[s.value] for s in sites}, survey.logits
        return (sites, *self._maps(x, [s.name for s in sites]))

    def _checked_survey(self, x: Tensor) -> Survey:
        """Return what one pass shows, on recorded calls where the graph ends in other scores."""
        survey = self._survey(x)
        reading = self.classifier.read(x)
        doubtful = self.traced is not None and not reading.plain
        if doubtful and not close(survey.logits, self.classifier.scores_of(x)):
            self.traced = None
            survey = self._survey(x)
        self.classifier.check_logits(survey.logits, x)
        return survey

    def _maps(self, x: Tensor, names: list[str]) -> tuple[dict[str, Tensor], Tensor]:
        if self.traced is not None:
            return self.traced.capture(x, names)
        recording = self._record(x)
        maps = {n: recording.records[recording.index(n)].output for n in names}
        return maps, recording.logits

    def _named(self, names: Collection[str], survey: Survey) -> list[Site]:
        each = [names] if isinstance(names, str) else dict.fromkeys(names)
        sites = {s.name: s for s in (self._site(name, survey) for name in each)}
        return sorted(sites.values(), key=lambda s: s.rank)

    def _site(self, name: str, survey: Survey) -> Site:
        calls = [s for s in survey.sites if s.name == name or s.name.rpartition(":")[0] == name]
        site = calls[-1] if calls else None
        if site is None:
            near = nearest(name, (s.name for s in survey.layers()))
            raise ValueError(
                f"got the unknown layer {name!r}; expected one that hx.layers lists; the nearest"
                f" are {near}"
            )
        if not site.spatial:
            raise ValueError(
                f"the layer {name!r} gives {site.shape}, without spatial extent; expected a feature"
                " map K x H x W; choose one that hx.layers lists"
            )
        return site

    def segment(self, capture: Capture, shallow: str | None, deep: str | None) -> Segment:
        """Return the segment from a captured layer (None: the pixels) to a deeper one.

        Without `deep` to the logits. Raises ValueError where `deep` does not depend on `shallow`.
        """
        with self._inside(capture.x):
            runners, bound = self._runners(capture.x, shallow, deep)
        start = capture.x if shallow is None else capture.maps[shallow]
        end = capture.logits if deep is None else capture.maps[deep]
        names = (shallow or "the image", deep or "the logits")
        return Segment(runners, start, end, bound=bound, names=names)

    def bound(self, capture: Capture, name: str) -> float | None:
        """Return the value at which a captured layer clips from above (6: ReLU6), None if nowhere.

        What a network that cannot be traced clips outside of its modules is not known.
        """
        if self.traced is None:
            with self._inside(capture.x):
                recording = self._record(capture.x)
            return recording.bound(recording.index(name))
        node = self.traced.node(name)
        return None if node is None else self.traced.bound(node)

    def _runners(
        self, x: Tensor, shallow: str | None, deep: str | None
    ) -> tuple[list[SegmentRunner], float | None]:
        if self.traced is None:
            return self._replays(x, shallow, deep)
        start = self.traced.graph.image if shallow is None else self.traced.node(shallow)
        end = self.traced.graph.result if deep is None else self.traced.node(deep)
        if start is None or end is None or not self.traced.precedes(start, end):
            raise ValueError(
                f"{deep or 'the logits'} does not depend on {shallow}; expected layers that follow"
                " one another; see hx.layers for their order"
            )
        bound = self.traced.bound(end) if deep is not None else None
        return [*self.traced.runners(x, start, end), self._late_replay(x, shallow, deep)], bound

    def _replays(
        self, x: Tensor, shallow: str | None, deep: str | None
    ) -> tuple[list[SegmentRunner], float | None]:
        recording = self._record(x)
        start, end = (None if n is None else recording.index(n) for n in (shallow, deep))
        bound = recording.bound(end) if end is not None else None
        return [recording.replay(start, end)], bound

    def _late_replay(self, x: Tensor, shallow: str | None, deep: str | None) -> SegmentRunner:
        def run(maps: Tensor, unclipped: bool) -> Tensor:
            with torch.no_grad():
                (runner,), _ = self._replays(x, shallow, deep)
            return runner.run(maps, unclipped)

        return SegmentRunner(run)


def layers(model: nn.Module | Classifier, image: Any) -> LayerTable:
    """Return the table of a network's layers for an image: name, type, shape, stage, field.

    Raises what Classifier raises for a model or an image that cannot be used.
    """
    classifier = Classifier.of(model)
    return LayerTable(Probe(classifier).layers(classifier.prepare(image).x))


def _type(operation: nn.Module | object) -> str:
    if isinstance(operation, nn.Module):
        return type(operation).__name__
    return str(getattr(operation, "__name__", operation))
