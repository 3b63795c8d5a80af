"""The additive explainer: what each visual concept added to a score, in the score's own units."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..arguments import (
    Stop,
    at_least_one,
    check_finite,
    counted,
    never,
    not_negative,
    one_of,
    settled,
    share,
)
from ..arguments import positive as positive_number
from ..atlas.labels import FilterLabels
from ..evidence import AdditiveReport, Contributions, ExplainerCapacity, Layer, Provenance
from ..evidence.additive import FILTERS
from ..fitting.engine import BaseEngine, kept_arguments
from ..fitting.passes import Pass
from ..network.classifier import Classifier, PreparedImage
from ..network.gradients import grad_cam
from ..network.guest import visiting
from ..network.localize import note_on
from ..network.probe import Probe
from ..provenance import versions
from .concepts import EACH_FILTER, OWN_HEADS, ConceptSource, source_of
from .distillation import (
    AdditiveFit,
    DistillationSchedule,
    DistilledExplainers,
    Explainer,
    Losses,
    Maker,
    ScoreUnits,
    Start,
    Stopping,
    load_distilled,
    maker_of,
)
from .heads import LinearHeads, MapHeads
from .report import ReportImages, capacity_of, concept_counts, report_of, scores_without_each
from .rows import MapBatch, ScoreExtractor, ScorePlan, ScoreStatistics, keep_rows

# Of the score's range: from here on the rest that nothing explains is said.
LOUD = 0.2
# Concepts that are taken out of the network one by one to check an image's contributions.
MOST_REMOVED = 64
GIBIBYTE = 2**30
PLAIN_BETA = 0.0


def explained_image(
    extractor: ScoreExtractor,
    distilled: DistilledExplainers,
    classifier: Classifier,
    prepared: PreparedImage,
) -> MapBatch:
    """Return an image inside the network, from which contributions are read."""
    with visiting(classifier.model):
        look = extractor.look(prepared.x)
    values = (look.maps, look.score, look.gradient)
    source = f"the layer {distilled.scope.layer.name} gives"
    check_finite(source, *values, of="values or gradients")
    return look


def attention_of(look: MapBatch, layer: str) -> tuple[Float[np.ndarray, "H W"] | None, str]:
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
    look: MapBatch,
    distilled: DistilledExplainers,
    classifier: Classifier,
    prepared: PreparedImage,
    provenance: Provenance,
    *,
    baseline: bool,
) -> Contributions:
    """Return what each concept added to the score of an image, ours or both."""
    with visiting(classifier.model):
        places, strengths = _in_places(look, distilled)
        drops = _drops(look, distilled)
    read = _ImageReading(
        look, places, strengths, drops, distilled, classifier, prepared, provenance
    )
    ours = read.by(distilled.ours, distilled.deviation)
    if not baseline or distilled.plain is None:
        return ours
    plain = read.by(distilled.plain, distilled.plain_deviation)
    return replace(ours, baseline=plain)


def _in_places(look: MapBatch, distilled: DistilledExplainers) -> tuple[Tensor, Tensor]:
    """Return each used element's strength at the layer's places `(e, H, W)`, and in all `(e,)`."""
    used = torch.from_numpy(distilled.elements.used).to(look.maps.device)
    maps = look.maps.detach()
    if distilled.scope.kind == FILTERS:
        return maps[0, used], maps[0, used].sum((1, 2))
    strengths, gradients = look.of_heads()
    some = [gradients[int(e)] for e in distilled.elements.used]
    return torch.stack([(g[0] * maps[0]).sum(0) for g in some]), strengths[0, used]


def _drops(look: MapBatch, distilled: DistilledExplainers) -> Float[np.ndarray, " n"] | None:
    """Return what the score loses without each concept's filters, None where none can be taken."""
    groups = distilled.elements.groups()
    if distilled.scope.kind != FILTERS or len(groups) > MOST_REMOVED:
        return None
    without = look.without(groups)[0].double().cpu().numpy()
    return float(look.score[0]) - without


class _ImageReading:
    """What contributions of one image are read from."""

    def __init__(
        self,
        look: MapBatch,
        places: Tensor,
        strengths: Tensor,
        drops: Float[np.ndarray, " n"] | None,
        distilled: DistilledExplainers,
        classifier: Classifier,
        prepared: PreparedImage,
        provenance: Provenance,
    ) -> None:
        self.look, self.distilled, self.classifier = look, distilled, classifier
        self.drops = drops
        self.prepared, self.provenance = prepared, provenance
        self.places = places.double().cpu().numpy()
        self.strengths = strengths.double().cpu().numpy() / distilled.elements.scales
        self.attention, self.attention_note = attention_of(look, distilled.scope.layer.name)

    def by(self, explainer: Explainer, deviation: float | None) -> Contributions:
        """Return the contributions by one explainer."""
        elements, scope = self.distilled.elements, self.distilled.scope
        alpha = self._alpha(explainer)
        values = elements.summed(alpha * self.strengths)
        bias, score = explainer.intercept.item(), float(self.look.score[0])
        rest = math.fsum([score, -bias, *(-v for v in values.tolist())])
        logits = self.look.forward.logits[0]
        return Contributions(
            names=elements.names,
            values=values,
            bias=bias,
            unexplained=rest,
            score=score,
            target=scope.output,
            index=scope.index,
            layer=scope.layer.name,
            kind=scope.kind,
            weights=alpha,
            strengths=self.strengths,
            scales=elements.scales,
            owners=elements.owners,
            elements=tuple(map(int, elements.used)),
            maps=self._maps(alpha),
            image=self.prepared.shown,
            predictions=tuple(self.classifier.ranked(logits, 5)),
            provenance=self.provenance,
            deviation=deviation,
            span=self.distilled.span[1] - self.distilled.span[0],
            notes=(
                *self.prepared.notes,
                *dict.fromkeys((*self.classifier.score_notes, *self.distilled.scope.notes)),
                *self.distilled.notes,
                *self._said(rest),
            ),
            attention=self.attention,
            attention_note=self.attention_note,
            drops=self.drops,
        )

    def _alpha(self, explainer: Explainer) -> Float[np.ndarray, " e"]:
        explainer.eval()
        with torch.no_grad():
            alpha = explainer(self.look.maps.detach().float())[0]
        return alpha.double().cpu().numpy()

    def _maps(self, alpha: Float[np.ndarray, " e"]) -> Float[np.ndarray, "n H W"]:
        elements = self.distilled.elements
        each = np.moveaxis(self.places, 0, -1) * (alpha / elements.scales)
        return np.ascontiguousarray(np.moveaxis(elements.summed(each), -1, 0))

    def _said(self, rest: float) -> tuple[str, ...]:
        low, high = self.distilled.span
        if high <= low or abs(rest) <= LOUD * (high - low):
            return ()
        share = abs(rest) / (high - low)
        return (
            f"{share:.0%} of the score's range is explained by no concept: do not read these"
            " contributions as the whole of it.",
        )


class AdditiveExplainer(BaseEngine[ScoreStatistics]):
    """An additive model of one score, distilled from the network without labels.

    `concepts` are what explains: `"heads"` of the network, or names of some of them; a
    `FilterLabels`, its file, or a mapping from part to filters of `layer`; `"filters"`, each by
    itself; a callable from the layer's maps to scores, called `names`; or a concept set, on which
    linear heads are trained. `positive` keeps every alpha positive; `beta` is the weight of the
    prior in the first epoch (Eq. 3), and alpha begins at the prior's mean over the images
    (`start="prior"`), or near zero (`"zero"`). `network` weighs the concepts: `"small"`, the
    paper's `"resnet152"`, or a callable that makes one from the numbers of channels and outputs.
    In "scaled" `units` strengths are divided by their mean size and the score's loss by its
    variance, so that `beta` means the same for any score; "printed" are those of Eq. 2-4. With
    `stopping="held_out"` the best epoch on held-out images is kept, and `patience` epochs without a
    better one end it; with `"last"` all epochs are made. `cache` is a folder in which what stays
    the same over epochs is kept for the next fit; beyond `memory` bytes it lies in a file during
    this one.

    Of these, what is left out is that of `settings` (`hx.settings`): "default", or "paper":
    `network="resnet152", start="zero", units="printed", stopping="last"`, with `positive=True,
    beta=10.0` where filters explain (parts) and `positive=False, beta=0.2` where heads do
    (attributes). Raises ValueError for settings out of range.
    """

    STATISTICS = ScoreStatistics

    def __init__(
        self,
        *,
        settings: str = "default",
        concepts: Any = "heads",
        layer: str | None = None,
        names: Sequence[str] | None = None,
        positive: bool | None = None,
        beta: float | None = None,
        network: str | Maker | None = None,
        start: Start | None = None,
        units: ScoreUnits | None = None,
        stopping: Stopping | None = None,
        epochs: int = 60,
        rate: float = 1e-3,
        patience: int = 15,
        held_out: float = 0.2,
        seed: int = 0,
        memory: int = 2 * GIBIBYTE,
        cache: str | Path | None = None,
    ) -> None:
        self.concepts = concepts
        self.layer = layer
        self.names = None if names is None else tuple(names)
        self.settings = settings
        self._use(**settled(self._row, settings, locals()))
        self.epochs = at_least_one("epochs", epochs)
        self.rate = positive_number("rate", rate)
        self.patience = at_least_one("patience", patience)
        self.held_out = share("held_out", held_out)
        self.seed = seed
        self.memory = memory
        self.cache = None if cache is None else Path(cache)
        self._source = ConceptSource()
        super().__init__()

    def _use(
        self,
        *,
        positive: bool,
        beta: float,
        network: str | Maker,
        start: Start,
        units: ScoreUnits,
        stopping: Stopping,
    ) -> None:
        """Take the arguments that a named set knows; raises ValueError out of range."""
        self.positive = bool(positive)
        self.beta = not_negative("beta", beta)
        self.network = network
        self._maker = maker_of(network)
        self.start: Start = one_of("start", start, get_args(Start))
        self.units: ScoreUnits = one_of("units", units, get_args(ScoreUnits))
        self.stopping: Stopping = one_of("stopping", stopping, get_args(Stopping))

    def _begin(self, statistics: ScoreStatistics | None) -> None:
        super()._begin(statistics)
        self._fit: AdditiveFit | None = None
        self._explainers: DistilledExplainers | None = None
        self._extractor: ScoreExtractor | None = None

    def __repr__(self) -> str:
        if self._explainers is None:
            return self._called("", "")
        scope = self._explainers.scope
        concepts = counted(len(self.names_), "concept")
        explained = f"{scope.output!r} by {concepts} at {scope.layer.name}"
        return self._called(explained, f", {counted(self.images_, 'image')}")

    @property
    def _row(self) -> str:
        """Filters stand for parts, heads for attributes."""
        named = isinstance(self.concepts, FilterLabels | Mapping | Path)
        parts = named or (isinstance(self.concepts, str) and self.concepts != OWN_HEADS)
        return "AdditiveExplainer of parts" if parts else "AdditiveExplainer"

    def fit(
        self,
        classifier: nn.Module | Classifier,
        data: Any,
        *,
        target: int | str | None = None,
        resume: bool = False,
        checkpoint: str | Path | None = None,
        client: Any = None,
        progress: bool = True,
    ) -> AdditiveExplainer:
        """Learn to explain one output from a Dataset, DataLoader or iterable of images.

        `target` is a class, by name or index, or a concept head, by name; labels are used by
        `report` alone. First every image is asked once what stays the same, then the explainer is
        distilled from that. An interrupt keeps what was gathered and the epochs that were learned,
        and `resume=True` goes on from there. `checkpoint` and `client` work as in `Chip.fit`.
        Raises ValueError for an unknown target or several outputs without one, concepts that
        cannot explain it, empty data, values that are not finite, and a loss that diverges.
        """
        guest = Classifier.of(classifier)
        source = source_of(self.concepts, self.names, guest, self.layer)
        plan = self._plan(target, source)
        before = self._going_on(plan, guest, checkpoint) if resume else None
        finished = self._fit if resume else None
        self._source = source
        self._go_through(
            data, plan, guest, before, checkpoint=checkpoint, client=client, progress=progress
        )
        rows = self._fitted
        keep_rows(self.cache, rows)
        same = finished is not None and finished.rows.images == rows.images
        self._fit = finished if same else self._fit_of(rows, guest)
        self._learn(progress=progress)
        return self

    def _plan(self, target: int | str | None, source: ConceptSource) -> ScorePlan:
        layer = self.layer or source.layer
        return ScorePlan(target, layer, source.heads, source.chosen, self.memory, self.cache)

    @property
    def _fitted(self) -> ScoreStatistics:
        if self._statistics is None:
            raise ValueError(
                "this AdditiveExplainer was loaded without the data it was fitted on; they were"
                " expected; fit it again, or name a cache= folder to have them at hand"
            )
        return self._statistics

    def _fit_of(self, rows: ScoreStatistics, guest: Classifier) -> AdditiveFit:
        return AdditiveFit(
            rows,
            self._schedule(),
            self._maker,
            held_out=self.held_out,
            labels=self._source.labels(rows.scope, guest.model),
            device=guest.device,
        )

    def _schedule(self) -> DistillationSchedule:
        return DistillationSchedule(
            self.epochs,
            self.rate,
            self.beta,
            self.positive,
            self.patience,
            self.seed,
            self.start,
            self.units,
            self.stopping,
        )

    def _learn(self, *, progress: bool) -> None:
        fit = self._fitting
        ours = fit.distillation()
        ours.run(progress=progress)
        self._explainers = DistilledExplainers.of(fit, ours, self._source.notes)

    @property
    def _fitting(self) -> AdditiveFit:
        if self._fit is None:
            self._fitted  # noqa: B018 - says why there is none
            raise self._unfitted()
        return self._fit

    def _unfitted(self) -> ValueError:
        return ValueError(
            "this AdditiveExplainer is not fitted to its end; a fitted one was expected; call"
            " fit(classifier, data, target=...), with resume=True after an interrupt, or open a"
            " saved one with AdditiveExplainer.load(path, model)"
        )

    @property
    def _distilled(self) -> DistilledExplainers:
        if self._explainers is None:
            raise self._unfitted()
        return self._explainers

    @property
    def names_(self) -> tuple[str, ...]:
        """The concepts that explain."""
        return self._distilled.elements.names

    @property
    def target_(self) -> str:
        """The output that is explained."""
        return self._distilled.scope.output

    @property
    def layer_(self) -> Layer:
        """The layer that concepts and network share."""
        return self._distilled.scope.layer

    @property
    def images_(self) -> int:
        """How many images it was fitted on."""
        return self._distilled.images

    @property
    def losses_(self) -> tuple[Losses, ...]:
        """The losses of every epoch so far."""
        return tuple(self._fitting.distillation().history)

    def explain(self, image: Any, *, baseline: bool = False) -> Contributions:
        """Return what each concept added to the score of an image (Eq. 1).

        With `baseline` also by plain distillation, which is fitted when it is asked for first.
        Raises ValueError without a fit, and without a network or (for the baseline) without data.
        """
        if baseline and self._distilled.plain is None:
            self._learn_plain()
        distilled, classifier = self._distilled, self._network
        prepared = classifier.prepare(image)
        look = explained_image(self._score_extractor, distilled, classifier, prepared)
        given = contributions_of(
            look, distilled, classifier, prepared, self._provenance(), baseline=baseline
        )
        return replace(given, notes=(*given.notes, *self._notes_on_settings))

    def _learn_plain(self) -> None:
        if self._fit is None:
            raise ValueError(
                "this AdditiveExplainer has no baseline, and no data to fit one on; one that was"
                " fitted here, or saved with its baseline, was expected; fit again, or ask with"
                " baseline=False"
            )
        fit = self._fit
        plain = fit.distillation(beta=PLAIN_BETA)
        plain.run(progress=True)
        self._explainers = self._distilled.with_plain(fit, plain)

    @property
    def _score_extractor(self) -> ScoreExtractor:
        if self._extractor is None:
            probe = Probe(self._network)
            self._extractor = ScoreExtractor(probe, self._distilled.scope, self._source.heads)
        return self._extractor

    def report(self, data: Any, *, seeds: int = 3, progress: bool = True) -> AdditiveReport:
        """Return figures on other images: ours against plain distillation (Tables 1-3).

        Entropy of contributions, relative deviation, accuracy with a threshold chosen on held-out
        images of the fit, and with filters the error of contributions against ablation; over
        `seeds` seeds, whose explainers are fitted where they are new. Raises ValueError without a
        network or the data of the fit, and for empty data.
        """
        fit, distilled, guest = self._fitting, self._distilled, self._network
        images = data if hasattr(data, "__len__") else list(data)
        rows = self._rows_of(images, progress=progress)
        without = None
        if distilled.scope.kind == FILTERS:
            groups = distilled.elements.groups()
            without = scores_without_each(self._score_extractor, guest, images, rows, groups)
        chosen = range(self.seed, self.seed + at_least_one("seeds", seeds))
        asked = ReportImages(rows, without)
        report = report_of(fit, asked, chosen, self._provenance(), progress=progress)
        return replace(report, notes=(*report.notes, *self._notes_on_settings))

    def _rows_of(self, data: Any, *, progress: bool) -> ScoreStatistics:
        """Return the rows of other images than those of the fit."""
        plan = self._plan(self._distilled.scope.output, self._source)
        unseen = Pass(plan, self._network, None, begun=lambda _: None)
        unseen.run(data, progress=progress)
        return unseen.statistics

    def capacity(
        self,
        data: Any,
        counts: Sequence[int] | None = None,
        *,
        seeds: int = 3,
        progress: bool = True,
        stopped: Stop | None = None,
    ) -> ExplainerCapacity:
        """Return how much fewer concepts explain, drawn at random, on other images (Fig. 8).

        For each of `counts` (default: 1, 2, 4 and so on, and all) `seeds` explainers are fitted,
        each of as many concepts, in the time that the fit's last part takes; their relative
        deviation and the accuracy that is lost are those of `report`. Once `stopped` says yes, the
        counts so far are returned. Raises ValueError for counts that there are not, without a
        network or the data of the fit, for empty data, and where all scores are the same.
        """
        fit = self._fitting
        asked = concept_counts(counts, len(fit.elements.names))
        rows = self._rows_of(data, progress=progress)
        chosen = range(self.seed, self.seed + at_least_one("seeds", seeds))
        known = (fit, rows, asked, chosen, self._provenance())
        capacity = capacity_of(*known, progress=progress, stopped=stopped or never)
        return replace(capacity, notes=(*capacity.notes, *self._notes_on_settings))

    def save(self, path: str | Path) -> Path:
        """Write the explainer to a file, without data; return its path. Raises OSError."""
        return self._distilled.save(path, self._saved_settings(), _trained(self._source))

    @classmethod
    def load(
        cls,
        path: str | Path,
        model: nn.Module | Classifier | None = None,
        *,
        concepts: Any = None,
        network: str | Maker | None = None,
    ) -> AdditiveExplainer:
        """Return a saved explainer; with the network it was fitted on, it explains images again.

        A callable that read concepts or made the explaining network is not in the file: pass it
        again. Raises FileNotFoundError, and ValueError for a damaged file or another network.
        """
        settings, arrays = load_distilled(path)
        try:
            engine = settings["engine"]
            given = {
                "concepts": concepts or engine["concepts"] or _heads_in(arrays),
                "network": network or engine["network"],
            }
            explainer = cls(**kept_arguments(engine, _SETTINGS, _LATER) | given)
            explainer._explainers = DistilledExplainers.from_state(
                settings, arrays, explainer._maker
            )
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ValueError(
                f"cannot load {path}: {error!s:.300}; a file written by AdditiveExplainer.save was"
                " expected; take another copy, or fit again"
            ) from error
        return explainer if model is None else explainer.on(model)

    def on(self, model: nn.Module | Classifier) -> AdditiveExplainer:
        """Return this explainer with a network; raises ValueError for another than it explains."""
        classifier = Classifier.of(model)
        ScoreStatistics(self._distilled.scope, self.memory).check_network(classifier)
        explainer = copy.copy(self)
        explainer.classifier_, explainer._extractor = classifier, None
        if self._distilled.scope.kind != FILTERS:
            explainer._source = source_of(self.concepts, self.names, classifier, self.layer)
        return explainer

    def _provenance(self) -> Provenance:
        settings = {n: _plain(getattr(self, n)) for n in _SETTINGS if n not in _NOT_SAID}
        scope = self._distilled.scope
        scaling = "mean absolute strength" if self.units == "scaled" else "none"
        said = {
            **settings,
            "settings": self.settings_,
            "images": self.images_,
            "scaling": scaling,
        }
        return Provenance(
            method="Additive explainer",
            model=scope.model,
            target=scope.output,
            seed=self.seed,
            versions=versions(),
            settings=said,
        )

    def _saved_settings(self) -> dict[str, Any]:
        names = self._source.heads.names if self._source.heads is not None else self.names
        settings = {n: _plain(getattr(self, n)) for n in _SETTINGS}
        network = self.network if isinstance(self.network, str) else None
        return settings | {
            "network": network,
            "names": names,
            "concepts": _named(self.concepts, self._distilled),
        }


# Settings that files of before do not have.
_LATER = ("settings", "start", "units", "stopping")
_SETTINGS = (
    "settings",
    "concepts",
    "layer",
    "names",
    "positive",
    "beta",
    "network",
    "start",
    "units",
    "stopping",
    "epochs",
    "rate",
    "patience",
    "held_out",
    "seed",
    "memory",
)

_HEADS = "heads."


_NOT_SAID = ("names", "seed", "memory")


def _plain(value: Any) -> Any:
    """Return a setting as it can be said in evidence: what is no plain value by its type."""
    if isinstance(value, list | tuple):
        return tuple(map(str, value))
    known = value is None or isinstance(value, bool | int | float | str)
    return value if known else type(value).__name__


def _named(concepts: Any, distilled: DistilledExplainers) -> Any:
    """Return concepts as they can be saved, None for a callable or a concept set."""
    if distilled.scope.kind == FILTERS:
        return EACH_FILTER
    plain = isinstance(concepts, list | tuple) and all(isinstance(n, str) for n in concepts)
    return concepts if isinstance(concepts, str) or plain else None


def _trained(source: ConceptSource) -> dict[str, np.ndarray]:
    """Return heads that were trained here as arrays, to be saved with the explainer."""
    heads = source.heads
    if not isinstance(heads, MapHeads) or not isinstance(heads.of, LinearHeads):
        return {}
    return {n: t.double().cpu().numpy() for n, t in heads.of.state_dict(prefix=_HEADS).items()}


def _heads_in(arrays: Mapping[str, np.ndarray]) -> LinearHeads:
    if _HEADS + "weights" not in arrays:
        raise ValueError(
            "its concepts were read by a callable, which is not in the file; pass it again:"
            " AdditiveExplainer.load(path, model, concepts=...)"
        )
    parts = (torch.from_numpy(np.array(arrays[_HEADS + n])) for n in ("weights", "bias"))
    return LinearHeads(*parts)
