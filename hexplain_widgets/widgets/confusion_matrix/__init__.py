"""The view of who is taken for whom."""
