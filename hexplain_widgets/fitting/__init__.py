"""A fit over a data set, here or on a cluster: interrupted, resumed, merged, saved."""
