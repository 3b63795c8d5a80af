"""HINT: which channels serve which concepts of a hierarchy."""
