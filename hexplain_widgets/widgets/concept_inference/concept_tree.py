"""The view of a decision inferred from scene to color, as a tree with a map for each concept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .tree_picture import draw_tree
from .view import InferenceView

MOST_SETS = 6


class ConceptTree(InferenceView):
    """Which concepts a decision rests on, down to colors: `chain` is fitted, `image` of any kind.

    `image` may also be a list of images, `{name: image}`, sets of images `{name: [images]}` with
    a `target`, or ready ConceptInference in the place of any of them: all share one tree, in which
    each concept shows what it is to each. `target` is a class name or index, each image's
    strongest class if not given. Raises TypeError for what is no Chain or image, ValueError for an
    unknown class or more than six side by side.
    """

    bundle = "concept_tree"
    most = MOST_SETS

    def __init__(self, chain: Any, image: Any, *, target: int | str | None = None) -> None:
        self._start(chain, image, target)

    def export_png(self, path: str | Path) -> Path:
        """Write the tree as a picture for slides and print, 1920 pixels wide."""
        draw_tree(self.inferences, self.set_names, self.view.get("open")).save(path, format="PNG")
        return Path(path)
