"""The engines: each takes a network and images and returns evidence."""
