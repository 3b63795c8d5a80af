"""The is-a hierarchy of concepts, and how class names find their places in it."""
