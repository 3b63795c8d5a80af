"""How far explanations can be trusted, and what went wrong where a network failed."""
