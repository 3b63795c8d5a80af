"""Explanations of CNNs that a person can use, live in the notebook."""

from . import demo
from .classifier import Classifier
from .engines.chip import Chip
from .engines.decomposition import Decomposer, decompose
from .evidence import (
    ChannelImportance,
    ChannelOverlap,
    ChannelPortrait,
    ClassifierQuality,
    Concept,
    ConceptInference,
    ConceptScore,
    Decomposition,
    Evidence,
    HeatMap,
    HeatMapSheet,
    InferenceComparison,
    InferredConcept,
    Layer,
    LayerTable,
    Localization,
    NeuronConcepts,
    NeuronPortrait,
    Node,
    Prediction,
    Provenance,
)
from .probe import layers
from .store import load, save
from .widgets import (
    ChannelBars,
    ChannelMatrix,
    ChannelVenn,
    DecompositionTree,
    LayerHeatmaps,
    link_channels,
    show,
)

__all__ = [
    "ChannelBars",
    "ChannelImportance",
    "ChannelMatrix",
    "ChannelOverlap",
    "ChannelPortrait",
    "ChannelVenn",
    "Chip",
    "Classifier",
    "ClassifierQuality",
    "Concept",
    "ConceptInference",
    "ConceptScore",
    "Decomposer",
    "Decomposition",
    "DecompositionTree",
    "Evidence",
    "HeatMap",
    "HeatMapSheet",
    "InferenceComparison",
    "InferredConcept",
    "Layer",
    "LayerHeatmaps",
    "LayerTable",
    "Localization",
    "NeuronConcepts",
    "NeuronPortrait",
    "Node",
    "Prediction",
    "Provenance",
    "decompose",
    "demo",
    "layers",
    "link_channels",
    "load",
    "save",
    "show",
]
