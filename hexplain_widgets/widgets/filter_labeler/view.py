"""The view that names filters: each with its strongest images, suggestions, and a name to type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import traitlets

from ...atlas.gallery import QUANTILE, FilterGallery
from ...atlas.labels import FilterLabels
from ...evidence import FilterSheet
from ...network.classifier import Classifier
from .._shared.conversation import Content, Handler, Stop
from .._shared.state import whole
from .._shared.view import View, check_evidence, settable, synced
from . import messages
from .payload import labels_of, names_of, network_of, sheet_payload
from .picture import draw_filters

Given = FilterLabels | str | Path


def _cleaned_names(value: object, view: Any) -> dict[str, str]:
    return messages.cleaned_names(value, len(view.evidence.portraits))


class FilterLabeler(View):
    """The filters of a layer, to be given the part that each answers to (additive explainer).

    `data` is what a filter is looked for in: a Dataset, a DataLoader, images, or a concept set,
    whose labelled parts are then suggested where a filter's regions overlap them. `layer` is the
    last of the network's stages if not given. `parts` is another concept set to compare with, or
    names to choose from. `labels` are names to go on with, or the file they are in. A region is
    where a filter is above the `quantile` of its values. `labels` has the names at any time; they
    are saved with the notebook. An image costs 0.2 s of a core in MobileNetV2. An interrupt shows
    what was gathered, and says so. Raises ValueError for data without an image, an unknown layer
    and names of another layer or network.
    """

    bundle = "filter_labeler"

    sheet = synced(traitlets.Dict)
    live = synced(traitlets.Bool)
    names = settable(traitlets.Dict, from_json=_cleaned_names)
    view = settable(traitlets.Dict, from_json=messages.cleaned_view)

    def __init__(
        self,
        model: Any,
        data: Any,
        layer: str | None = None,
        *,
        parts: Any = None,
        labels: Given | None = None,
        quantile: float = QUANTILE,
    ) -> None:
        classifier, given = Classifier.of(model), _opened(labels)
        if given is not None and layer is not None:  # before the long way through the data
            given.check_fits(layer, given.filters, classifier.model)
        named = _only_names(parts)
        gallery = FilterGallery(layer, quantile=quantile)
        try:
            gallery.fit(classifier, data, parts=parts if named is None else None)
        except KeyboardInterrupt:
            if not gallery.images_:
                raise
        sheet = gallery.sheet()
        self._open(sheet if named is None else _offering(sheet, named), given)

    @classmethod
    def from_evidence(cls, evidence: Any, labels: Given | None = None) -> FilterLabeler:
        """Return a view of a saved FilterSheet; it needs no model.

        Raises TypeError for what is no FilterSheet, ValueError for names of other filters.
        """
        check_evidence(evidence, FilterSheet, "FilterGallery(layer).fit(model, data).sheet()")
        self = cls.__new__(cls)
        self._open(evidence, _opened(labels))
        return self

    def _open(self, sheet: FilterSheet, labels: FilterLabels | None, live: bool = True) -> None:
        if labels is not None:
            labels.check_fits(sheet.layer.name, len(sheet.portraits), network_of(sheet))
        self._evidence = sheet
        super().__init__(
            sheet=sheet_payload(sheet), names={} if labels is None else names_of(labels), live=live
        )

    @property
    def evidence(self) -> FilterSheet:
        """The filters as they are on the screen."""
        return self._evidence

    @property
    def labels(self) -> FilterLabels:
        """The names given so far."""
        return labels_of(self.names, self._evidence)

    @property
    def filter(self) -> int:
        """The filter that is looked at; setting it shows another, among all filters.

        Raises ValueError for a number that the layer has not.
        """
        return int(self.view.get("at", 0))

    @filter.setter
    def filter(self, number: int) -> None:
        """Show another filter, among all; raises ValueError for one that the layer has not."""
        count = len(self._evidence.portraits)
        if not whole(number) or not 0 <= number < count:
            raise ValueError(
                f"got filter {number!r:.60}; expected a number from 0 to {count - 1}, the filters"
                f" of {self._evidence.layer.name}; choose one of them"
            )
        self.view = {**self.view, "show": "all", "at": number}

    def save(self, path: str | Path) -> Path:
        """Write the names as JSON, which `labels=` opens again; raises OSError on failure."""
        return self.labels.save(path)

    def __repr__(self) -> str:
        filters, layer = len(self._evidence.portraits), self._evidence.layer.name
        named = len(self.labels.names)
        return f"FilterLabeler({filters} filters, {named} named, layer {layer!r})"

    @property
    def title(self) -> str:
        """What a page with this view is called."""
        return f"Filters of {self._evidence.layer.name}"

    def snapshot(self) -> FilterLabeler:
        """Return a twin of what is on the screen, for a page without a kernel."""
        twin = type(self).__new__(type(self))
        twin._open(self._evidence, self.labels, live=False)
        twin.view, twin.layout = self.view, self.layout
        return twin

    def export_png(self, path: str | Path) -> Path:
        """Write the named filters, or those with a suggestion, as a picture 1920 pixels wide."""
        draw_filters(self._evidence, self.labels).save(path, format="PNG")
        return Path(path)

    def handlers(self) -> Mapping[str, Handler]:
        """Return what answers each kind of message."""
        return {"name": self._name}

    @traitlets.validate("names")
    def _known_names(self, proposal: Any) -> dict[str, str]:
        return names_of(labels_of(proposal["value"], self._evidence))

    def _name(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        number = messages.filter_in(content, len(self._evidence.portraits))
        name = messages.name_in(content)
        with self._state_lock:
            kept = {k: given for k, given in self.names.items() if k != str(number)}
            self._publish(names=kept if name is None else {**kept, str(number): name})
        return {"filter": number}


def _opened(labels: Given | None) -> FilterLabels | None:
    return FilterLabels.load(labels) if isinstance(labels, str | Path) else labels


def _only_names(parts: Any) -> tuple[str, ...] | None:
    """Return `parts` where they are names alone; None where they are a concept set, or nothing."""
    if isinstance(parts, str):
        return (parts,)
    given = isinstance(parts, Sequence) and all(isinstance(one, str) for one in parts)
    return tuple(dict.fromkeys(parts)) if given else None


def _offering(sheet: FilterSheet, names: tuple[str, ...]) -> FilterSheet:
    """Return a sheet that has these names to choose from, without an overlap of their own."""
    if sheet.iou is None:
        return replace(sheet, parts=names)
    more = tuple(name for name in names if name not in sheet.parts)
    wider = np.pad(sheet.iou, ((0, 0), (0, len(more))))
    return replace(sheet, parts=(*sheet.parts, *more), iou=wider)
