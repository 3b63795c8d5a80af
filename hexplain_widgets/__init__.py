"""Explanations of CNNs that a person can use, live in the notebook."""

from . import demo
from .classifier import Classifier
from .engines.decomposition import Decomposer, decompose
from .evidence import (
    Decomposition,
    Evidence,
    Layer,
    LayerTable,
    Node,
    Prediction,
    Provenance,
)
from .probe import layers
from .store import load, save
from .widgets import DecompositionTree, show

__all__ = [
    "Classifier",
    "Decomposer",
    "Decomposition",
    "DecompositionTree",
    "Evidence",
    "Layer",
    "LayerTable",
    "Node",
    "Prediction",
    "Provenance",
    "decompose",
    "demo",
    "layers",
    "load",
    "save",
    "show",
]
