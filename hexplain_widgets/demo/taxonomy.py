"""What the ten scenes of the embedded world are kinds of."""

from __future__ import annotations

from ..data.hierarchy.hierarchy import Hierarchy


def hierarchy() -> Hierarchy:
    """Return an is-a hierarchy over the ten scene classes: three levels, a lake in two places.

    Scenes below one concept have things in common: water with boats and gulls, farmland with
    fences and animals or trees in rows, buildings beside a road, benches and games on a lawn.
    """
    return Hierarchy(
        {
            "countryside": {"farmland": ["farm", "pasture", "orchard"], "lake": None},
            "waterside": ["lake", "beach", "harbor"],
            "town": {
                "built-up area": ["house", "street"],
                "recreation ground": ["park", "playground"],
            },
        }
    )
