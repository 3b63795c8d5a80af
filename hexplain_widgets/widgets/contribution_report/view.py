"""The report of an additive explainer: what each concept added to the score of each image."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import ipywidgets
import traitlets

from ...arguments import counted
from ...evidence import Contributions
from .._shared.agreement import trust_words
from .._shared.conversation import Content, Handler, Stop, answering
from .._shared.state import ViewState, boolean, understood
from .._shared.view import View, settable, synced
from . import messages
from .charts import ContributionCharts
from .payload import attention_payload, maps_payload, pictures_payload, report_payload
from .picture import ReportState, draw_contributions
from .table import ContributionTable

CHARTS = ("waterfall", "bars", "pie")


@runtime_checkable
class FittedExplainer(Protocol):
    """A fitted explainer: it takes an image to its contributions and knows its target."""

    target_: Any

    def explain(self, image: Any, /, *, baseline: bool) -> Contributions:
        """Return the contributions of one image, with those of plain distillation if wished."""


_ENTRIES = {
    "chart": lambda value: isinstance(value, str) and value in CHARTS,
    "all": boolean,
    "compare": boolean,
    "table": boolean,
    "attention": boolean,
}


def _cleaned(state: object, _: object = None) -> ViewState:
    return understood(state, _ENTRIES)


def _figures() -> Any:
    return traitlets.List().tag(sync=True, **ipywidgets.widget_serialization)


class ContributionReport(View):
    """What each concept added to the score of each image, in logits, from bias to score.

    `explainer` is a fitted `hx.AdditiveExplainer`, `images` one image or a list of at most 24;
    with `baseline` each is explained by plain distillation, too, where the explainer has it.
    `concept` is the chosen concept, whose maps lie over the images, or None. Small contributions
    are folded into "others". With `attention` in `view`, Grad-CAM of the score stands beside them.
    Raises TypeError for what is no fitted explainer, ValueError for too many images.
    """

    bundle = "contribution_report"

    report = synced(traitlets.Dict)
    pictures = synced(traitlets.Dict)
    maps = synced(traitlets.Dict)
    attention = synced(traitlets.Dict)
    live = synced(traitlets.Bool)
    words = trust_words()
    concept = settable(traitlets.Unicode, allow_none=True, default_value=None)
    view = settable(traitlets.Dict, from_json=_cleaned)
    bars = _figures()
    pies = _figures()
    spreads = _figures()

    def __init__(self, explainer: Any, images: Any = (), *, baseline: bool = True) -> None:
        engine = explainer_of(explainer)
        given = list(images) if isinstance(images, list | tuple) else [images]
        contributions = tuple(engine.explain(image, baseline=baseline) for image in given)
        self._open(ContributionTable.of(contributions), engine, baseline)

    @classmethod
    def from_evidence(cls, evidence: Any) -> ContributionReport:
        """Return a report of saved Contributions, one or a list, without a model.

        Raises TypeError for anything else, ValueError for an empty list and for contributions to
        different targets or of different concepts.
        """
        given = list(evidence) if isinstance(evidence, list | tuple) else [evidence]
        if not given:
            raise ValueError(
                "got an empty list; expected at least one Contributions;"
                " make one with explainer.explain(image)"
            )
        return cls._of(ContributionTable.of([_contributions(one) for one in given]))

    @classmethod
    def _of(cls, table: ContributionTable) -> ContributionReport:
        self = cls.__new__(cls)
        self._open(table, None, True)
        return self

    def _open(
        self, table: ContributionTable, engine: FittedExplainer | None, baseline: bool
    ) -> None:
        self._table, self._engine, self._baseline = table, engine, baseline
        self._target = table.images[0].target if table.images else str(_target(engine))
        self._charts = ContributionCharts()
        super().__init__(live=engine is not None, **self._payloads(table))

    @property
    def contributions(self) -> tuple[Contributions, ...]:
        """The contributions on the screen, from left to right."""
        return self._table.images

    @property
    def evidence(self) -> Contributions | tuple[Contributions, ...]:
        """The contributions on the screen, or all of them where there are several images."""
        every = self._table.images
        return every[0] if len(every) == 1 else every

    def __repr__(self) -> str:
        count = len(self._table.images)
        concepts, images = counted(len(self._table.names), "concept"), counted(count, "image")
        return f"ContributionReport({self._target!r}, {concepts}, {images})"

    @property
    def title(self) -> str:
        """What a page with this view is called."""
        return f"What added to {self._target}"

    def add(self, image: Any) -> None:
        """Explain another image, or take its saved Contributions, and show it beside the others.

        Raises ValueError where the view has no explainer, or the contributions are not of the same
        target and concepts.
        """
        if isinstance(image, Contributions):
            self._append(image, None)
        else:
            engine = self._ask("to explain another image")
            self._append(engine.explain(image, baseline=self._baseline), engine)

    def remove(self, place: int) -> None:
        """Take the image at a place from the report; raises IndexError where there is none."""
        with self._state_lock:
            images = self._table.images
            if not 0 <= place < len(images):
                raise IndexError(
                    f"got the image {place}; expected a place below {len(images)};"
                    " images are counted from 0"
                )
            self._show(ContributionTable.of(images[:place] + images[place + 1 :]))

    def snapshot(self) -> ContributionReport:
        """Return a twin of what is on the screen, without the explainer."""
        twin = type(self)._of(self._table)
        twin._target = self._target
        twin.report = self.report
        twin.concept, twin.view, twin.layout = self.concept, self.view, self.layout
        return twin

    def export_png(self, path: str | Path) -> Path:
        """Write what is on the screen as a picture for slides and print, 1920 pixels wide."""
        picture = draw_contributions(self._table, ReportState.of(self.view, self.concept))
        picture.save(path, format="PNG")
        return Path(path)

    def handlers(self) -> Mapping[str, Handler]:
        """Return what answers each kind of message."""
        return {"add": self._add, "remove": self._remove}

    def close(self) -> None:
        """Close the view with its charts, and let go of the explainer."""
        self._engine = None
        super().close()

    def aside(self) -> tuple[Any, ...]:
        """Return all charts, shown or not; a view that was refused may have none."""
        charts = getattr(self, "_charts", None)
        return () if charts is None else charts.parts()

    @traitlets.validate("concept")
    def _known_concept(self, proposal: Any) -> str | None:
        name: str | None = proposal["value"]
        known = self._table.names
        if name is not None and name not in known:
            raise ValueError(
                f"got the concept {name!r:.80}; expected one of {len(known)}:"
                f" {', '.join(known[:6])}{' …' if len(known) > 6 else ''}; choose one of these"
            )
        return name

    def _add(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        engine = self._ask("to explain another image")
        picture = messages.image_in(content)
        contributions = engine.explain(picture, baseline=self._baseline)
        if stopped():
            raise CancelledError
        self._append(contributions, engine)
        return {"images": len(self._table.images)}

    def _remove(self, content: Content, _: Stop) -> Mapping[str, Any]:
        self.remove(messages.place_in(content, len(self._table.images)))
        return {"images": len(self._table.images)}

    def _append(self, contributions: Contributions, engine: FittedExplainer | None) -> None:
        with self._state_lock:
            if engine is self._engine or engine is None:
                self._show(ContributionTable.of((*self._table.images, contributions)))

    def _ask(self, purpose: str) -> FittedExplainer:
        return answering(
            self._engine, "explainer", purpose, "ContributionReport(explainer, images)"
        )

    def _show(self, table: ContributionTable) -> None:
        self._table = table
        chosen = self.concept if self.concept in table.names else None
        self._publish(concept=chosen, **self._payloads(table))
        self._charts.sweep()  # only now that the view has let go of them

    def _payloads(self, table: ContributionTable) -> dict[str, Any]:
        self._charts.fill(table)
        return {
            "report": report_payload(table, self._target),
            "pictures": pictures_payload(table),
            "maps": maps_payload(table),
            "attention": attention_payload(table),
            "bars": list(self._charts.bars),
            "pies": list(self._charts.pies),
            "spreads": list(self._charts.spreads),
        }


def explainer_of(explainer: Any) -> FittedExplainer:
    """Return a fitted explainer as it is; raises TypeError for another thing."""
    if not isinstance(explainer, FittedExplainer):
        raise TypeError(
            f"got {type(explainer).__name__} as explainer; expected a fitted AdditiveExplainer;"
            " make one with AdditiveExplainer().fit(model, data, target=...)"
        )
    return explainer


def _target(engine: FittedExplainer | None) -> Any:
    return "" if engine is None else engine.target_


def _contributions(evidence: Any) -> Contributions:
    if not isinstance(evidence, Contributions):
        raise TypeError(
            f"got {type(evidence).__name__} as evidence; expected Contributions, one or a list;"
            " make one with explainer.explain(image) or open a saved one with load(path)"
        )
    return evidence
