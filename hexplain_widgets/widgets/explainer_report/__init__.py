"""The view of how good an additive explainer is."""
