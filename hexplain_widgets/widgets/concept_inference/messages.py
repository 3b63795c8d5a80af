"""What a view of concept inference may ask of one concept: checked before anything is done."""

from __future__ import annotations

from ...evidence import ConceptInference
from .._shared.conversation import RELOAD, Content
from .._shared.state import whole
from .merging import ConceptPath, MergedConcept


def spot_in(content: Content, root: MergedConcept) -> tuple[int, ConceptPath]:
    """Return the `set` and `path` of a message.

    Raises ValueError for what is no place of the tree, and for a set without a concept there.
    """
    place, path = content.get("set"), content.get("path")
    if not isinstance(path, list) or not all(whole(i) and i >= 0 for i in path):
        raise ValueError(f"got path {path!r:.60}; expected a list of whole numbers; {RELOAD}")
    node = root.node(tuple(path))
    known = [s for s, _ in node.known]
    if node.depth != len(path) or not whole(place) or place not in known:
        raise ValueError(
            f"got the concept at {path!r:.60} of set {place!r:.60}; expected one that is on the"
            f" screen; {RELOAD}"
        )
    return place, tuple(path)


def own_path(
    inference: ConceptInference, root: MergedConcept, place: int, path: ConceptPath
) -> ConceptPath:
    """Return where a concept of the merged tree stands in the tree of its own set."""
    concept = root.node(path).by_set[place]
    return next(own for own, one in inference.root.walk() if one is concept)
