"""The view of which neurons serve which concepts."""
