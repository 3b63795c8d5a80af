"""Explanations of CNNs that a person can use, live in the notebook."""

from .classifier import Classifier as Classifier
from .engines.decomposition import Decomposer as Decomposer
from .engines.decomposition import decompose as decompose
from .evidence import Decomposition as Decomposition
from .probe import layers as layers
