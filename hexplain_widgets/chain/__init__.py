"""CHAIN: concepts of several levels harmonised with layers, and decisions inferred through them."""
