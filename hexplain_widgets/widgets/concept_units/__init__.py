"""The view of the channels that make up a concept."""
