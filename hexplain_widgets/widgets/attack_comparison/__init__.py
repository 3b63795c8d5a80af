"""The view of an image before and after an attack."""
