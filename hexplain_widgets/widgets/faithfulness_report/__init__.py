"""The view of how faithful explanations are over images."""
