"""The view in which filters get their names."""
