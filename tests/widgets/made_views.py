"""Every view from saved evidence, by name: what tests of all of them go through."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hexplain_widgets.evidence.store import load
from hexplain_widgets.widgets import ChannelBars, ConceptSunburst, show
from hexplain_widgets.widgets.failure_analysis.brush import OcclusionBrush

SAVED = Path(__file__).parents[1] / "saved"
LATER = SAVED / "later"  # evidence of kinds that came after the others were written
SHOWN = {
    "AttackComparison": "AttackedDecision",
    "AttackComparison of a set": "AttackedSet",
    "ChannelMatrix": "ChannelImportance",
    "ChannelVenn": "ChannelOverlap",
    "ConceptTree": "ConceptInference",
    "ConfusionMatrix": "ConfusionSummary",
    "ContactSheet": "ClassHeatMaps",
    "ContextReport": "ContextSummary",
    "ContextReport of degrees": "DegreeSummary",
    "ContributionReport": "Contributions",
    "DecompositionTree": "Decomposition",
    "ExplainerReport": "AdditiveReport",
    "ExplainerReport of capacity": "ExplainerCapacity",
    "FailureAnalysis": "Failure",
    "FaithfulnessReport": "FaithfulnessSummary",
    "FilterLabeler": "FilterSheet",
    "InferenceSpace": "InferenceComparison",
    "LayerHeatmaps": "HeatMapSheet",
    "LocalizationPicture": "Localization",
    "LocalizationReport": "LocalizationSummary",
    "MethodGrid": "MethodSheet",
    "NeuronConceptGraph": "NeuronConcepts",
    "RandomisationReport": "RandomisationSummary",
    "UnitReport": "ConceptUnits",
}
MADE: dict[str, tuple[str, Callable[[Any], Any]]] = {
    **{name: (kind, show) for name, kind in SHOWN.items()},
    "ChannelBars": ("ChannelImportance", ChannelBars.from_evidence),
    "ConceptSunburst": ("ConceptInference", ConceptSunburst.from_evidence),
    "OcclusionBrush": ("Failure", OcclusionBrush),
}


def made_view(name: str) -> Any:
    """Return a view that shows saved evidence, without a model."""
    kind, make = MADE[name]
    return make(load(file_of(kind)))


def file_of(kind: str) -> Path:
    """Return the file of saved evidence of a kind."""
    early = SAVED / f"{kind}.hx"
    return early if early.is_file() else LATER / early.name
