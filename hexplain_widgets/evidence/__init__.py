"""Evidence: what the engines found, as frozen values that open without the model."""

from .additive import (
    AdditiveReport,
    Contributions,
    ExplainerCapacity,
    ExplainerQuality,
    FilterPortrait,
    FilterSheet,
)
from .attack import AttackedDecision, AttackedSet
from .base import Evidence, Layer, LayerTable, Prediction, Provenance, Settings
from .channels import ChannelImportance, ChannelOverlap, ChannelPortrait
from .concepts import (
    ClassifierQuality,
    Concept,
    ConceptScore,
    ConceptUnits,
    NeuronConcepts,
    NeuronPortrait,
)
from .confusion import ConfusionSummary
from .context import ContextSummary, DegreeSummary, LayerDegrees
from .decisions import Decomposition, Node
from .failure import Failure, Occlusion
from .faithfulness import ESTIMATORS, Faithfulness, FaithfulnessSummary, StepFaithfulness
from .heat import ClassHeatMaps, HeatMap, HeatMapSheet, Localization, MethodSheet
from .inference import ConceptInference, InferenceComparison, InferredConcept
from .localization import LocalizationSummary
from .sanity import PixelCurves, RandomisationSummary

__all__ = [
    "ESTIMATORS",
    "AdditiveReport",
    "AttackedDecision",
    "AttackedSet",
    "ChannelImportance",
    "ChannelOverlap",
    "ChannelPortrait",
    "ClassHeatMaps",
    "ClassifierQuality",
    "Concept",
    "ConceptInference",
    "ConceptScore",
    "ConceptUnits",
    "ConfusionSummary",
    "ContextSummary",
    "Contributions",
    "Decomposition",
    "DegreeSummary",
    "Evidence",
    "ExplainerCapacity",
    "ExplainerQuality",
    "Failure",
    "Faithfulness",
    "FaithfulnessSummary",
    "FilterPortrait",
    "FilterSheet",
    "HeatMap",
    "HeatMapSheet",
    "InferenceComparison",
    "InferredConcept",
    "Layer",
    "LayerDegrees",
    "LayerTable",
    "Localization",
    "LocalizationSummary",
    "MethodSheet",
    "NeuronConcepts",
    "NeuronPortrait",
    "Node",
    "Occlusion",
    "PixelCurves",
    "Prediction",
    "Provenance",
    "RandomisationSummary",
    "Settings",
    "StepFaithfulness",
]
