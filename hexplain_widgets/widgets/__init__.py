"""The views: each shows one kind of evidence and holds an engine only to ask it for more."""

from .decomposition_tree import DecompositionTree as DecompositionTree
from .show import show as show
