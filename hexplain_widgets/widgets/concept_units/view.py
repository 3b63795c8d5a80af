"""The units of a concept: which channels of its layer make it up (CHAIN, Eq. 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...arguments import counted
from ...evidence import ConceptUnits
from ...pictures.charts import BarChart
from ...pictures.colours import OURS, TRUTH
from ...pictures.page import percent
from .._shared.report import Report, plain_number

WEIGHT = "weight"


class UnitReport(Report):
    """Which channels of its layer make up a concept: `chain` fitted, `concept` of a `level`.

    Bars are weights in the concept's map, of the `top` largest; the sentence says how well the map
    finds the concept. Raises what `Chain.units` raises.
    """

    KIND, MADE_BY = ConceptUnits, "chain.units(concept)"
    STYLE = "hx-concept-units"

    def __init__(
        self, chain: Any, concept: str, level: str | None = None, *, top: int = 10
    ) -> None:
        self._open(chain.units(concept, level, top=top))

    def charts(self) -> Sequence[BarChart]:
        """Return the bars of the strongest channels."""
        one = self._evidence
        rest = one.used - len(one.channels)
        return (
            BarChart(
                f"Channels of layer {one.layer.name}",
                f"Weights in the map of {one.concept}, the largest first."
                + (f" {counted(rest, 'other')} not shown." if rest else ""),
                WEIGHT,
                tuple(f"#{k}" for k in one.channels),
                {WEIGHT: one.weights},
                {WEIGHT: OURS},
                each=tuple(OURS if w > 0 else TRUTH for w in one.weights),
            ),
        )

    @property
    def question(self) -> str:
        """What the report answers."""
        return f"What makes up {self._evidence.concept}?"

    @property
    def facts(self) -> str:
        """Of which level and layer the concept is, and in how many images it was fitted."""
        one = self._evidence
        return f"a concept of the level {one.level}, {counted(one.images, 'image')}"

    @property
    def verdict(self) -> str:
        """How many channels make it up, and how well they find it."""
        one = self._evidence
        shown = percent(float(abs(one.weights).sum()) / one.total) if one.total else "none"
        made = f"It is made up of {one.used} of the layer's {one.layer.shape[0]} channels"
        return f"{made}; those shown have {shown} of the weight. {self._quality}"

    @property
    def _quality(self) -> str:
        one = self._evidence
        if one.precision is None or one.chance is None:
            return "How well they find it is not known: no pixel of it was held out."
        doubt = f" Do not rely on it: {one.flag}." if one.flag else ""
        return (
            f"Together they find it on held-out pixels with an average precision of"
            f" {plain_number(one.precision)}, a guess with {plain_number(one.chance)}.{doubt}"
        )

    def __repr__(self) -> str:
        one = self._evidence
        return f"UnitReport({one.concept!r}, {counted(len(one.channels), 'channel')})"
