"""What a channel stands for: the images and places that excite it, and the names people give it."""
