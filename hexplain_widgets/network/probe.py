"""The probe: which layers a network has, what they hold for an image, and segments between them.

The only module that touches hooks: what runs for an image is recorded with them, and where that is
not what runs for every image, a segment replays the recorded outputs of everything before it.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn

from ..arguments import check_finite, nearest
from ..evidence import Layer, LayerTable
from .backends import Recording, TracedGraph
from .classifier import Classifier
from .graph import Graph, Site, Survey, shape_watch
from .guest import drawing_apart, drawn_so_far, handed_back, renewed, twin_of, visiting
from .layout import doubt, uncertain
from .operations import RecordedOperations, SharesModules, Unrecordable
from .receptive import Cells, Field, whole
from .segments import Segment, SegmentRunner, close, unsteady

STREAM = (
    "The layers are the residual stream of a network with attention: a channel there is a"
    " direction that every block reads and writes, seldom a detector of its own, and every unit"
    " sees the whole image. A contribution is to be trusted as far as it agrees with ablation."
)
BESIDE = (
    "The scores rest on other tokens of {} too, beside its patches (a class token, registers): what"
    " these add is on no map."
)
LAID = (
    "The maps of {} lie otherwise than the image (turned, mirrored or cropped on the way): drawn"
    " over it, a cell is not where it looks. The boxes of units are right."
)
STREAMS = (
    "Maps behind the layers shown hold only a part of what the scores rest on ({}): name"
    " layers=[...] to look there."
)
SWITCHED_OFF = "The network's forward switches gradients off: those of its operations are taken."
# A network that may answer by chance is asked so often whether it does.
AGAIN = 4
DRAWS = (
    f"The network draws random numbers. Run {AGAIN + 1} times on this image it gave the same"
    " scores; that it always does is not known."
)
DIFFERS = "its operations, run again, do not give its own answer"


@contextmanager
def _listening(
    modules: Collection[nn.Module], enter: Callable[..., None], leave: Callable[..., None]
) -> Iterator[None]:
    """Report every call of these modules, and take the hooks off again on every way out."""
    with handed_back(partial(_take_off, modules, enter, leave)):
        for module in modules:
            module.register_forward_pre_hook(enter, prepend=True, with_kwargs=True)
            module.register_forward_hook(leave, with_kwargs=True)
        yield


def _take_off(modules: Collection[nn.Module], *hooks: Callable[..., None]) -> None:
    """Take hooks off by what they are: an interrupt may come before a handle is kept."""
    for module in modules:
        before, behind = module._forward_pre_hooks, module._forward_hooks
        for table, settings in (
            (before, module._forward_pre_hooks_with_kwargs),
            (behind, module._forward_hooks_with_kwargs),
        ):
            for key in [key for key, hook in table.items() if hook in hooks]:
                settings.pop(key, None)
                del table[key]


@contextmanager
def _answering(modules: Collection[nn.Module], call: Callable[..., Any]) -> Iterator[None]:
    """Let every module answer through `call`, and put their own forward back afterwards.

    What `call` is given to run is the forward with the module's own hooks.
    """
    own = [(module.__dict__, {n: module.__dict__.get(n) for n in _CALLED}) for module in modules]

    def put_back() -> None:
        for attributes, values in own:
            _put(attributes, values)

    with handed_back(put_back):
        for module, (attributes, values) in zip(modules, own, strict=True):
            _put(attributes, _bound_to(call, module, values))
        yield


# What of a module's attributes a call of it runs.
_CALLED = ("forward", "_forward_pre_hooks", "_forward_hooks")


def _put(attributes: dict[str, Any], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if value is None:
            attributes.pop(name, None)
        else:
            attributes[name] = value


def _bound_to(
    call: Callable[..., Any], module: nn.Module, values: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the attributes of a module that answers through `call`, and has no hooks itself."""
    hooked = values["_forward_hooks"] or values["_forward_pre_hooks"]
    own = module.forward if not hooked else partial(_with_its_hooks, module, values)

    def answer(*args: Any, **kwargs: Any) -> Any:
        return call(module, own, *args, **kwargs)

    return {"forward": answer, **{n: OrderedDict() for n in _CALLED[1:]}}


def _with_its_hooks(module: nn.Module, values: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
    """Return what a module that answers otherwise gives when it is called as it is."""
    answering = {name: module.__dict__[name] for name in values}
    _put(module.__dict__, values)
    try:
        return module(*args, **kwargs)
    finally:
        _put(module.__dict__, answering)


@dataclass(frozen=True)
class Capture:
    """One image inside a network: maps `(1, K, H, W)` by layer, deepest first, and logits.

    `notes` say what is to be known of these layers, what of the scores passes by the deepest, and
    how the network was run where that is not as usual.
    """

    x: Float[Tensor, "1 c h w"]
    logits: Float[Tensor, "1 n"]
    maps: Mapping[str, Tensor]
    layers: tuple[Layer, ...]
    notes: tuple[str, ...] = ()


class _Known(NamedTuple):
    """The graph for images of one size or why there is none, and the image it was checked with.

    `survey` is what appeared in it, without tensors.
    """

    graph: TracedGraph | None
    why: str
    checked: weakref.ref[Tensor] | None = None
    switched_off: bool = False
    survey: Survey | None = None
    draws: bool = False


class Probe:
    """Looks into a classifier's network without leaving a trace.

    Works on the operations that ran for an image where these are what runs for every image of its
    size, and on recorded calls of modules otherwise (then only results of modules are layers).
    """

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        self._twin = twin_of(classifier.model)
        self._recorded: tuple[Any, Recording] | None = None
        self._last: TracedGraph | None = None

    def graph(self, x: Float[Tensor, "n c h w"]) -> TracedGraph | None:
        """Return the graph of what runs for images of this size, None where there is none."""
        self._last = self._known(x).graph
        return self._last

    def _ways(self, x: Float[Tensor, "n c h w"]) -> tuple[str, ...]:
        """Return what is to be said of how the network is run for images of this size."""
        known, twin = self._known(x), self._twin.why
        why = known.why
        replayed = f"The network could not be traced ({why}): its recorded calls were replayed."
        itself = f"The network itself was run, in the place of a twin: {twin}."
        switched = (SWITCHED_OFF,) if known.switched_off else ()
        draws = (DRAWS,) if known.draws else ()
        return (*((replayed,) if why else ()), *((itself,) if twin else ()), *switched, *draws)

    def _known(self, x: Tensor) -> _Known:
        while True:
            with self._inside(x) as network:
                known, key = self._twin.recordings, self._key(x)
                if key not in known:
                    try:
                        seen = weakref.ref(x) if len(x) == 1 else None
                        known[key] = self._first_look(network, x[:1])._replace(checked=seen)
                    except SharesModules:
                        self._twin.give_up("a function on it calls modules of the original")
                        continue
                return known[key]

    def _key(self, x: Tensor) -> tuple[Any, ...]:
        """Return what one graph serves: images of a size, and a way of reading the scores."""
        said = self.classifier.layouts
        return self.classifier.read(x), tuple(x.shape[1:]), x.dtype, x.device, said

    def _first_look(self, network: nn.Module, x: Float[Tensor, "1 c h w"]) -> _Known:
        """Return what is known of a network from one image; raise RuntimeError if it draws it."""
        model = self.classifier.model
        with drawing_apart(model):
            before = drawn_so_far(model)
            with self.classifier.fitting(x):
                own = self.classifier.scores_anew(x)
            drew = drawn_so_far(model) != before
            known = self._operations(network, x, own)
            if drew or known.graph is None:
                self._check_steady(x, own)
        self._twin.draws = drew or bool(self._twin.draws)
        return known._replace(draws=drew)

    def _check_steady(self, x: Tensor, own: Tensor) -> None:
        """Raise RuntimeError where the network itself answers otherwise when it is run again."""
        if not own.isfinite().all():
            return
        for _ in range(AGAIN):
            again = self.classifier.scores_anew(x)
            if not close(again, own):
                raise unsteady(type(self.classifier.model).__name__)

    def _operations(self, network: nn.Module, x: Tensor, own: Tensor) -> _Known:
        """Return the graph of the operations that ran for an image, or why it is not one."""
        model = self.classifier.model
        foreign = [] if network is model else [*model.parameters(), *model.buffers()]
        try:
            fresh = partial(renewed, model)
            with self.classifier.fitting(x):
                operations = RecordedOperations(fresh, x, listening=_listening, foreign=foreign)
            graph = Graph(network, operations)
            end = self.classifier.read(x).node_in(graph)
            if end is None:
                return _Known(None, "its scores are no result of an operation that is seen")
            graph.end_at(end)
            graph.shapes[graph.image] = (1, *x.shape[1:])
            logits = _run_again(graph, x, end)
        except Unrecordable as cause:
            return _Known(None, str(cause))
        if not close(logits, own):
            return _Known(None, DIFFERS)
        traced = TracedGraph(graph, self.classifier.layouts)
        return _Known(traced, "", switched_off=operations.switched_off)

    def _is_own(self, x: Tensor, logits: Tensor) -> bool:
        """Whether the network itself gives these scores; its graph is not used again if not."""
        known = self._known(x)
        if known.checked is not None and known.checked() is x:
            return True
        with self._inside(x):
            own = self.classifier.own_scores(x)
        if close(logits, own):
            return True
        self._twin.recordings[self._key(x)] = _Known(None, DIFFERS)
        return False

    def _record(self, x: Tensor) -> Recording:
        key = (id(x), self._twin.version)
        if self._recorded is None or self._recorded[0] != key:
            self._recorded = (key, self._listen(x))
        return self._recorded[1]

    def _listen(self, x: Tensor) -> Recording:
        with visiting(self.classifier.model) as network:
            return Recording(
                network,
                x,
                scores=self.classifier.scores_of,
                said=self.classifier.layouts,
                renew=partial(renewed, self.classifier.model),
                listening=_listening,
                answering=_answering,
            )

    def _survey(self, x: Tensor) -> Survey:
        graph = self.graph(x)
        if graph is not None:
            survey = graph.survey(x)
            if self._is_own(x, survey.logits):
                self._keep(x, survey)
                return survey
        self._last = None
        return self._record(x).survey()

    def _keep(self, x: Tensor, survey: Survey) -> None:
        """Keep what appears in every image of this size."""
        bare = replace(survey, maps={}, logits=survey.logits.to("meta"))
        self._twin.recordings[self._key(x)] = self._known(x)._replace(survey=bare)

    @contextmanager
    def _inside(self, x: Tensor) -> Iterator[nn.Module]:
        with visiting(self.classifier.model) as network, torch.no_grad():
            with self.classifier.fitting(x):
                self.classifier.read(x)
            yield network

    def layers(self, x: Float[Tensor, "1 c h w"]) -> tuple[Layer, ...]:
        """Return every layer with a feature map, in order of completion, stages numbered from 1."""
        with self._inside(x):
            survey = self._survey(x)
        stages = {s.name: i for i, s in enumerate(survey.stages, 1)}
        return tuple(self._layer(s, stages.get(s.name)) for s in survey.layers())

    def _layer(self, site: Site, stage: int | None) -> Layer:
        field = self.field(site.name)
        _, k, h, w = site.shape
        layout = None if site.layout == "nchw" else site.layout
        size = field.size if field is not None else None if layout else self._seen_by_one(site)
        return Layer(site.name, _type(site.operation), (k, h, w), stage, size, layout)

    def _seen_by_one(self, site: Site) -> tuple[int, int] | None:
        """Return the rows and columns that a unit in the middle sees, None where it sees all."""
        _, _, h, w = site.shape
        cells = self.cells(site.name, (0, h // 2, w // 2))
        if cells is None or cells == self._whole():
            return None
        return cells.sides

    def _whole(self) -> Cells:
        shape = self._last.graph.shape(self._last.graph.image) if self._last is not None else None
        return whole(shape or (1, 1))

    def cells(self, name: str, unit: tuple[int, int, int]) -> Cells | None:
        """Return the pixels that can move the unit `(k, y, x)` of a layer, None where none can.

        In images of the size that was looked at last; where it is not known, all of them.
        """
        node = self._last.node(name) if self._last is not None else None
        if self._last is None or node is None:
            return None
        return self._last.cells(node, unit)

    def field(self, name: str) -> Field | None:
        """Return the receptive field of a layer's units in the image; None without a limit.

        In images of the size that was looked at last.
        """
        return self._last.field(name) if self._last is not None else None

    def capture(
        self, x: Float[Tensor, "1 c h w"], layers: Collection[str] | None = None
    ) -> Capture:
        """Return the maps of these layers, or of the network's stages, in one forward pass.

        Raises ValueError for an unknown layer, one without spatial extent, a network without
        stages, and for values that are not finite.
        """
        with self._inside(x):
            return self._capture(x, layers)

    def _capture(self, x: Tensor, layers: Collection[str] | None) -> Capture:
        survey, sites, maps, logits = self._captured(x, layers)
        self.classifier.check_logits(logits, x)
        stage = {s.name: i for i, s in enumerate(survey.stages, 1)}
        table = tuple(self._layer(s, stage.get(s.name)) for s in reversed(sites))
        for layer in table:
            check_finite(f"the layer {layer.name} gives", maps[layer.name])
        doubts = _doubts(survey) if layers is None else ()
        if layers is None:
            self.classifier.stage_notes = (*self._passing_by(x, table[0].name), *doubts)
        maps = {layer.name: maps[layer.name] for layer in table}
        return Capture(x, logits, maps, table, (*doubts, *self.notes(x, table)))

    def notes(self, x: Float[Tensor, "n c h w"], layers: Sequence[Layer]) -> tuple[str, ...]:
        """Return what is to be said of layers, deepest first, and of how the network is run.

        In images of the size of `x`.
        """
        passing = self._passing_by(x, layers[0].name)
        return (*self._stream_note(x, layers), *self._laid_note(layers), *passing, *self._ways(x))

    def _stream_note(self, x: Tensor, layers: Collection[Layer]) -> tuple[str, ...]:
        """Say what a channel is worth where layers are the residual stream of attention."""
        turned = [layer.name for layer in layers if layer.layout]
        if not turned:
            return ()
        graph = self.graph(x)
        attends = any(map(graph.attends, turned)) if graph else self._record(x).attends()
        return (STREAM,) if attends else ()

    def _laid_note(self, layers: Collection[Layer]) -> tuple[str, ...]:
        """Say which maps lie otherwise than the image that they are drawn over."""
        graph = self._last
        turned = (n.name for n in layers if graph is not None and graph.lies_otherwise(n.name))
        names = ", ".join(turned)
        return (LAID.format(names),) if names else ()

    def _passing_by(self, x: Tensor, deepest: str) -> tuple[str, ...]:
        """Return in words what leads to the scores beside the deepest layer."""
        graph = self.graph(x) if self._last is not None else None
        others = graph.passing(deepest) if graph is not None else ()
        beside = graph is not None and deepest in others and graph.reads_beside(x, deepest)
        notes = (BESIDE.format(deepest),) if beside else ()
        others = tuple(name for name in others if name != deepest)
        if not others:
            return notes
        listed = ", ".join(others[:4]) + (", ..." if len(others) > 4 else "")
        return (
            *notes,
            f"The scores rest on {listed} too, beside {deepest}: what that adds is in no layer"
            " shown here. Name layers=[...] to look there.",
        )

    def _captured(
        self, x: Tensor, layers: Collection[str] | None
    ) -> tuple[Survey, list[Site], dict[str, Tensor], Tensor]:
        survey = self._known(x).survey or self._survey(x)
        sites = self._chosen(x, layers, survey)
        if survey.maps and all(s.value in survey.maps for s in sites):
            return survey, sites, {s.name: survey.maps[s.value] for s in sites}, survey.logits
        graph = self.graph(x)
        if graph is None:
            recording = self._record(x)
            maps = {s.name: recording.maps(recording.index(s.name)) for s in sites}
            return survey, sites, maps, recording.logits
        maps, logits = graph.capture(x, [s.name for s in sites])
        if self._is_own(x, logits):
            return survey, sites, maps, logits
        return self._captured(x, layers)  # from now on without the graph

    def _chosen(self, x: Tensor, layers: Collection[str] | None, survey: Survey) -> list[Site]:
        if survey.logits.device.type != "meta":
            self.classifier.check_logits(survey.logits, x)
        sites = list(survey.stages) if layers is None else self._named(layers, survey)
        if not sites:
            raise self._no_stages(survey)
        return sites

    def _no_stages(self, survey: Survey) -> ValueError:
        several = [s for s in survey.sites if s.several]
        if several:
            return _several(several[-1])
        name = type(self.classifier.model).__name__
        streams = survey.streams
        if streams:
            return ValueError(
                f"{name} has maps beside one another ({', '.join(streams)}), and its scores rest on"
                " none alone; one way through the network was expected; name the layers to look at"
                " with layers=[...], see hx.layers"
            )
        return ValueError(
            f"{name} has no convolutional feature map that was"
            " found; expected a CNN; name its layers with layers=[...], see hx.layers"
        )

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
        if site.several:
            raise _several(site)
        if site.layout == "?":
            raise uncertain(name, site.shape)
        if not site.read:
            raise ValueError(
                f"no score depends on the patches of {name!r}: what follows reads other tokens"
                " alone, as a class token; expected a layer whose patches are read; choose an"
                " earlier one, see hx.layers"
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
        graph = self.graph(capture.x)
        if graph is None:
            with self._inside(capture.x):
                recording = self._record(capture.x)
            return recording.bound(recording.index(name))
        node = graph.node(name)
        return None if node is None else graph.bound(node)

    def before_clips(self, capture: Capture) -> dict[str, Float[Tensor, "1 k h w"]]:
        """Return the maps before an upper clip of those captured layers that have one.

        Of recorded calls alone: there what a module is given is seen. Empty for a traced network.
        """
        if self.graph(capture.x) is not None:
            return {}
        with self._inside(capture.x):
            recording = self._record(capture.x)
        each = {n.name: recording.before_clip(recording.index(n.name)) for n in capture.layers}
        return {name: maps for name, maps in each.items() if maps is not None}

    def _runners(
        self, x: Tensor, shallow: str | None, deep: str | None
    ) -> tuple[list[SegmentRunner], float | None]:
        graph = self.graph(x)
        if graph is None:
            return self._replays(x, shallow, deep)
        start = graph.graph.image if shallow is None else graph.node(shallow)
        end = graph.graph.result if deep is None else graph.node(deep)
        if start is None or end is None or not graph.precedes(start, end):
            raise ValueError(
                f"{deep or 'the logits'} does not depend on {shallow}; expected layers that follow"
                " one another; see hx.layers for their order"
            )
        bound = graph.bound(end) if deep is not None else None
        return [*graph.runners(x, start, end), self._late_replay(x, shallow, deep)], bound

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


def _run_again(graph: Graph, x: Tensor, end: fx.Node) -> Tensor:
    """Return what operations give when they are run again; raise Unrecordable where they fail."""
    try:
        values = graph.run({graph.image: x}, {end}, watch=shape_watch(graph.shapes))
    except torch.cuda.OutOfMemoryError:
        raise
    except RuntimeError as cause:
        raise Unrecordable(f"its operations fail when they are run again: {cause!s:.80}") from cause
    result: Tensor = values[end]
    return result


def _doubts(survey: Survey) -> tuple[str, ...]:
    """Say what lies behind the stages of a network and is none of them."""
    doubtful, streams = survey.doubtful, survey.streams
    behind = (STREAMS.format(", ".join(streams)),) if streams else ()
    return (*((doubt(doubtful.name, doubtful.shape),) if doubtful else ()), *behind)


def _several(site: Site) -> ValueError:
    return ValueError(
        f"the layer {site.name!r} gives {site.shape[0]} maps of one image: its forward puts tiles,"
        " frames or crops side by side as a batch; expected one feature map K x H x W; explain the"
        " network that takes one of them, or name a layer where they are one map, see hx.layers"
    )


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
