"""What users bring: images with labels, labelled pixels and concept sets."""
