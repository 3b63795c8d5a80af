"""The additive explainer: how much each visual concept added to a score."""
