"""The view of many inferences as points in space."""
