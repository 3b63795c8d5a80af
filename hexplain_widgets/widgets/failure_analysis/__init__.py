"""The view of a wrong decision, with a brush that covers parts of the image."""
