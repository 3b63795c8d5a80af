"""CHIP: which channels of a layer matter for a class, over a data set."""
