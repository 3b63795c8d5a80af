"""The views of how well methods find things: of many images, and of one region on its image."""
