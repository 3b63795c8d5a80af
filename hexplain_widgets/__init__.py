"""Explanations of CNNs that a person can use, live in the notebook."""

from . import demo
from .classifier import Classifier
from .engines.chip import Chip
from .engines.decomposition import Decomposer, decompose
from .engines.hint import Hint
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
from .hierarchy import Hierarchy
from .probe import layers
from .store import load, save
from .widgets import (
    ChannelBars,
    ChannelMatrix,
    ChannelVenn,
    ConceptSunburst,
    ConceptTree,
    DecompositionTree,
    LayerHeatmaps,
    NeuronConceptGraph,
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
    "ConceptSunburst",
    "ConceptTree",
    "Decomposer",
    "Decomposition",
    "DecompositionTree",
    "Evidence",
    "HeatMap",
    "HeatMapSheet",
    "Hierarchy",
    "Hint",
    "InferenceComparison",
    "InferredConcept",
    "Layer",
    "LayerHeatmaps",
    "LayerTable",
    "Localization",
    "NeuronConceptGraph",
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
