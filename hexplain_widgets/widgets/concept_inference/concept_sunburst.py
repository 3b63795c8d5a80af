"""The view of a decision inferred from scene to color, as rings from objects to colors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .sunburst_picture import draw_sunbursts
from .view import InferenceView

MOST_CHARTS = 12


class ConceptSunburst(InferenceView):
    """Which concepts decisions rest on, as rings: `chain` is fitted, `images` one or several.

    `images` is an image of any kind, a list of them, `{name: image}`, sets of images
    `{name: [images]}` with a `target`, or ready ConceptInference in the place of any of them; each
    has a chart. `target` is a class name or index, each image's strongest class if not given.
    Raises TypeError for what is no Chain or image, ValueError for an unknown class or more than
    twelve charts.
    """

    bundle = "concept_sunburst"
    most = MOST_CHARTS

    def __init__(self, chain: Any, images: Any, *, target: int | str | None = None) -> None:
        self._start(chain, images, target)

    def export_png(self, path: str | Path) -> Path:
        """Write the charts as a picture for slides and print, 1920 pixels wide."""
        zoom = self.view.get("zoom", "")
        draw_sunbursts(self.inferences, self.set_names, zoom).save(path, format="PNG")
        return Path(path)
