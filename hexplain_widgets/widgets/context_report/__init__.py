"""The view of what surroundings do to a decision."""
