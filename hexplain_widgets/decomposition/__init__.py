"""Hierarchical decomposition: a decision taken apart into channels and their channels."""
