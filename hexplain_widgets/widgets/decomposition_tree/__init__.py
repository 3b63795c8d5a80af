"""The view of a decision taken apart into channels."""
