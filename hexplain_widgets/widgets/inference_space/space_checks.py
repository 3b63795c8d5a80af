"""What the view of inferences in space takes: a comparison, and the images it was made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...evidence import InferenceComparison
from .._shared.conversation import Content
from ..decomposition_tree import messages as questions

MOST_CHARTS = 6


def comparison_of(given: Any) -> InferenceComparison:
    """Return a comparison as it is; raises TypeError for another thing, ValueError for a torn one.

    A comparison is torn where the columns that go with its points have other lengths.
    """
    if not isinstance(given, InferenceComparison):
        raise TypeError(
            f"got {type(given).__name__}; expected an InferenceComparison;"
            " make one with chain.compare(sets, concept, level) or open a saved one with load(path)"
        )
    count = len(given.points)
    if not count:
        raise ValueError(
            "got a comparison without points; expected at least one image;"
            " make it with chain.compare(sets, concept, level)"
        )
    for what, one in (
        ("sets", given.sets),
        ("images", given.images),
        ("inferences", given.inferences),
        ("agreements", given.agreements),
    ):
        if len(one) != count and (len(one) or what == "sets"):
            raise ValueError(
                f"got {len(one)} {what} beside {count} points; expected one for each point"
                f"{'' if what == 'sets' else ', or none'}; take what chain.compare returned"
            )
    return given


def images_of(given: Any, comparison: InferenceComparison) -> tuple[Any, ...]:
    """Return the image of every point, from the mapping of sets that was compared.

    Raises TypeError for what is no mapping of lists, ValueError where names or counts are not
    those of the comparison.
    """
    if not isinstance(given, Mapping):
        raise TypeError(
            f"got {type(given).__name__} as images; expected {{name: [images]}};"
            " pass the mapping of sets that chain.compare was given"
        )
    names = [str(name) for name in given]
    if sorted(names) != sorted(comparison.names):
        raise ValueError(
            f"got images of {', '.join(names) or 'no set'}; expected those of"
            f" {', '.join(comparison.names)}; pass the mapping that chain.compare was given"
        )
    sets = {str(name): _listed(name, one) for name, one in given.items()}
    for place, name in enumerate(comparison.names):
        wanted = int((comparison.sets == place).sum())
        if len(sets[name]) != wanted:
            raise ValueError(
                f"got {len(sets[name])} images of {name!r}; expected the {wanted} that were"
                " compared; pass the mapping that chain.compare was given"
            )
    numbers = [int((comparison.sets[:i] == s).sum()) for i, s in enumerate(comparison.sets)]
    places = zip(comparison.sets, numbers, strict=True)
    return tuple(sets[comparison.names[int(place)]][number] for place, number in places)


def points_in(content: Content, count: int) -> tuple[int, ...]:
    """Return the `points` of a message; raises ValueError for what is none, and for too many."""
    points: Any = content.get("points")
    good = isinstance(points, list) and all(questions.whole(i) for i in points)
    if not good or not 1 <= len(points) <= MOST_CHARTS:
        raise ValueError(
            f"got points {points!r:.60}; expected 1 to {MOST_CHARTS} of them by number;"
            " choose them in the plot"
        )
    wrong = [i for i in points if not 0 <= i < count]
    if wrong:
        raise ValueError(
            f"got point {wrong[0]}; expected a number from 0 to {count - 1}; choose it in the plot"
        )
    return tuple(dict.fromkeys(points))


def point_in(content: Content, count: int) -> int:
    """Return the `point` of a message; raises ValueError for what is none."""
    return points_in({"points": [content.get("point")]}, count)[0]


def _listed(name: object, given: Any) -> Any:
    listed = hasattr(given, "__len__") and hasattr(given, "__getitem__")
    if not listed or isinstance(given, str | bytes | Mapping):
        raise TypeError(
            f"got {type(given).__name__} as the images of {str(name)!r}; expected a list of images;"
            " pass the mapping of sets that chain.compare was given"
        )
    return given
