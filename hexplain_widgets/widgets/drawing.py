"""A decomposition as a picture, drawn from the evidence alone: for slides and for print."""

from __future__ import annotations

from PIL import Image

from ..evidence import Decomposition

Path = tuple[int, ...]


def draw_decomposition(
    evidence: Decomposition, *, opened: tuple[Path, ...] | None = None
) -> Image.Image:
    """Return the tree as a picture."""
    return Image.fromarray(evidence.image)
