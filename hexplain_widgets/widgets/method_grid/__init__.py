"""The view of images by methods."""
