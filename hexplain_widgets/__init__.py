"""Explanations of CNNs that a person can use, live in the notebook."""

from .classifier import Classifier as Classifier
