"""The one table from evidence to the view that shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets

from ..evidence import (
    AdditiveReport,
    AttackedDecision,
    AttackedSet,
    ChannelImportance,
    ChannelOverlap,
    ClassHeatMaps,
    ConceptInference,
    ConceptUnits,
    ConfusionSummary,
    ContextSummary,
    Contributions,
    Decomposition,
    DegreeSummary,
    ExplainerCapacity,
    Failure,
    FaithfulnessSummary,
    FilterSheet,
    HeatMap,
    HeatMapSheet,
    InferenceComparison,
    Localization,
    LocalizationSummary,
    MethodSheet,
    NeuronConcepts,
    RandomisationSummary,
)
from .attack_comparison.view import AttackComparison
from .channels.matrix import ChannelMatrix
from .channels.venn import ChannelVenn
from .concept_inference.view import ConceptTree
from .concept_units.view import UnitReport
from .confusion_matrix.view import ConfusionMatrix
from .context_report.view import ContextReport
from .contribution_report.view import ContributionReport
from .decomposition_tree.view import DecompositionTree
from .explainer_report.view import ExplainerReport
from .failure_analysis.view import FailureAnalysis
from .faithfulness_report.view import FaithfulnessReport
from .filter_labeler.view import FilterLabeler
from .inference_space.view import InferenceSpace
from .layer_heatmaps.contact_sheet import ContactSheet
from .layer_heatmaps.view import LayerHeatmaps
from .localization_report.localization_picture import LocalizationPicture
from .localization_report.view import LocalizationReport
from .method_grid.view import MethodGrid
from .neuron_concept_graph.view import NeuronConceptGraph
from .randomisation_report.view import RandomisationReport

VIEWS: dict[type, Callable[[Any], ipywidgets.DOMWidget]] = {
    Decomposition: DecompositionTree.from_evidence,
    AttackedDecision: AttackComparison.from_evidence,
    AttackedSet: AttackComparison.from_evidence,
    HeatMap: LayerHeatmaps.from_evidence,
    HeatMapSheet: LayerHeatmaps.from_evidence,
    Localization: LocalizationPicture.from_evidence,
    LocalizationSummary: LocalizationReport.from_evidence,
    ChannelOverlap: ChannelVenn.from_evidence,
    ChannelImportance: ChannelMatrix.from_evidence,
    NeuronConcepts: NeuronConceptGraph.from_evidence,
    ConceptInference: ConceptTree.from_evidence,
    ClassHeatMaps: ContactSheet.from_evidence,
    ConceptUnits: UnitReport.from_evidence,
    ConfusionSummary: ConfusionMatrix.from_evidence,
    ContextSummary: ContextReport.from_evidence,
    Contributions: ContributionReport.from_evidence,
    DegreeSummary: ContextReport.from_evidence,
    AdditiveReport: ExplainerReport.from_evidence,
    ExplainerCapacity: ExplainerReport.from_evidence,
    Failure: FailureAnalysis.from_evidence,
    FaithfulnessSummary: FaithfulnessReport.from_evidence,
    FilterSheet: FilterLabeler.from_evidence,
    InferenceComparison: InferenceSpace.from_evidence,
    RandomisationSummary: RandomisationReport.from_evidence,
    MethodSheet: MethodGrid.from_evidence,
}


def show(evidence: Any) -> ipywidgets.DOMWidget:
    """Return the view of a piece of evidence; raises TypeError for what no view shows.

    Of a list of discriminative degrees, one for each network, all are drawn into one chart.
    """
    several = isinstance(evidence, list | tuple) and len(evidence) > 0
    if several and all(isinstance(one, ContextSummary | DegreeSummary) for one in evidence):
        return ContextReport.from_evidence(*evidence)
    make = VIEWS.get(type(evidence))
    if make is None:
        known = ", ".join(kind.__name__ for kind in VIEWS)
        raise TypeError(
            f"got {type(evidence).__name__} to show; expected one of {known};"
            " pass what an engine returned, or open a saved one with load(path)"
        )
    return make(evidence)
