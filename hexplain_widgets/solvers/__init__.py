"""Numbers only: regressions, subsets, Shapley values and sums over rows."""
