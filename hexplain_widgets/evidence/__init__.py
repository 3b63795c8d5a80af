"""Evidence: what the engines found, as frozen values that open without the model."""

from .additive import (
    AdditiveReport,
    Contributions,
    ExplainerQuality,
    FilterPortrait,
    FilterSheet,
)
from .base import Evidence, Layer, LayerTable, Prediction, Provenance, Settings
from .channels import ChannelImportance, ChannelOverlap, ChannelPortrait
from .concepts import ClassifierQuality, Concept, ConceptScore, NeuronConcepts, NeuronPortrait
from .decisions import Decomposition, Node
from .faithfulness import Faithfulness
from .heat import HeatMap, HeatMapSheet, Localization
from .inference import ConceptInference, InferenceComparison, InferredConcept

__all__ = [
    "AdditiveReport",
    "ChannelImportance",
    "ChannelOverlap",
    "ChannelPortrait",
    "ClassifierQuality",
    "Concept",
    "ConceptInference",
    "ConceptScore",
    "Contributions",
    "Decomposition",
    "Evidence",
    "ExplainerQuality",
    "Faithfulness",
    "FilterPortrait",
    "FilterSheet",
    "HeatMap",
    "HeatMapSheet",
    "InferenceComparison",
    "InferredConcept",
    "Layer",
    "LayerTable",
    "Localization",
    "NeuronConcepts",
    "NeuronPortrait",
    "Node",
    "Prediction",
    "Provenance",
    "Settings",
]
