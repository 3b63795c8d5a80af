"""Evidence: what the engines found, as frozen values that open without the model."""

from .base import Evidence, Layer, LayerTable, Prediction, Provenance, Settings
from .channels import ChannelImportance, ChannelOverlap, ChannelPortrait
from .concepts import ClassifierQuality, Concept, ConceptScore, NeuronConcepts, NeuronPortrait
from .decisions import Decomposition, Node
from .heat import HeatMap, HeatMapSheet, Localization

__all__ = [
    "ChannelImportance",
    "ChannelOverlap",
    "ChannelPortrait",
    "ClassifierQuality",
    "Concept",
    "ConceptScore",
    "Decomposition",
    "Evidence",
    "HeatMap",
    "HeatMapSheet",
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
