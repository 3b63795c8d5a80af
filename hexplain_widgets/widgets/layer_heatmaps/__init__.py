"""The view of heatmaps: images by layers and classes."""
