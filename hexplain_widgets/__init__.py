"""Explanations of CNNs that a person can use, live in the notebook."""

from . import demo
from .broden import Broden
from .classifier import Classifier
from .engines.additive import AdditiveExplainer
from .engines.chain import Chain
from .engines.chip import Chip
from .engines.decomposition import Decomposer, decompose
from .engines.hint import Hint
from .evidence import (
    AdditiveReport,
    ChannelImportance,
    ChannelOverlap,
    ChannelPortrait,
    ClassifierQuality,
    Concept,
    ConceptInference,
    ConceptScore,
    Contributions,
    Decomposition,
    Evidence,
    ExplainerQuality,
    FilterPortrait,
    FilterSheet,
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
from .filter_labels import FilterLabels
from .hierarchy import Hierarchy
from .mask_folders import MaskFolder
from .probe import layers
from .store import load, save
from .widgets import (
    ChannelBars,
    ChannelMatrix,
    ChannelVenn,
    ConceptSunburst,
    ConceptTree,
    ContributionReport,
    DecompositionTree,
    InferenceSpace,
    LayerHeatmaps,
    NeuronConceptGraph,
    link_channels,
    show,
)

__all__ = [
    "AdditiveExplainer",
    "AdditiveReport",
    "Broden",
    "Chain",
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
    "ContributionReport",
    "Contributions",
    "Decomposer",
    "Decomposition",
    "DecompositionTree",
    "Evidence",
    "ExplainerQuality",
    "FilterLabels",
    "FilterPortrait",
    "FilterSheet",
    "HeatMap",
    "HeatMapSheet",
    "Hierarchy",
    "Hint",
    "InferenceComparison",
    "InferenceSpace",
    "InferredConcept",
    "Layer",
    "LayerHeatmaps",
    "LayerTable",
    "Localization",
    "MaskFolder",
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
