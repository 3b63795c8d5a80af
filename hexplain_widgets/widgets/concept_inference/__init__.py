"""The views of a decision inferred through concepts, as a tree and as a sunburst."""
