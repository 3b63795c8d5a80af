"""The view of inferences in space: a point for each image, beside the distances of their sets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any

import traitlets

from ...arguments import SlowBar
from ...evidence import ConceptInference, Faithfulness, InferenceComparison
from .._shared.agreement import faithfulness_fields, trust_words
from .._shared.conversation import Content, Handler, Stop
from .._shared.view import View, settable, synced
from ..concept_inference.sources import chain_of
from .messages import cleaned, point_in, points_in
from .payload import (
    charts_payload,
    pictured,
    points_checked,
    space_payload,
    thumbnails_payload,
    with_mean,
)
from .picture import draw_space
from .words import listed

MOST_KEPT = 24  # inferences of points that were asked for


class InferenceSpace(View):
    """Inferences of sets of images as points in space, with a table of their distances.

    `comparison` is what `chain.compare` returned. Points that are chosen open their sunbursts:
    those in the comparison, or, with the fitted `chain` and the mapping `images` of sets that was
    compared, any that are asked for (at most six side by side). Raises TypeError for what is no
    comparison, Chain or mapping, ValueError for images that are not those of the comparison.
    """

    bundle = "inference_space"

    space = synced(traitlets.Dict)
    thumbnails = synced(traitlets.Dict)
    charts = synced(traitlets.Dict)
    checks = synced(traitlets.Dict)
    words = trust_words()
    live = synced(traitlets.Bool)
    view = settable(traitlets.Dict, from_json=cleaned)

    def __init__(self, comparison: Any, chain: Any = None, *, images: Any = None) -> None:
        evidence = comparison_of(comparison)
        if chain is not None or images is not None:
            chain_of(chain)
        given = () if images is None else images_of(images, evidence)
        self._open(evidence, chain if given else None, given)

    @classmethod
    def from_evidence(cls, comparison: Any) -> InferenceSpace:
        """Return a view of a saved InferenceComparison; it needs no model, and asks for no more.

        Raises TypeError for what is no InferenceComparison.
        """
        return cls(comparison)

    def _open(self, evidence: InferenceComparison, chain: Any, images: tuple[Any, ...]) -> None:
        self._evidence, self._chain, self._images = evidence, chain, images
        self._inferences: dict[int, ConceptInference] = dict(enumerate(evidence.inferences))
        super().__init__(
            space=space_payload(evidence),
            thumbnails=thumbnails_payload(pictured(evidence)),
            charts=charts_payload(self._inferences, evidence),
            checks=points_checked(evidence),
            live=chain is not None,
        )

    @property
    def evidence(self) -> InferenceComparison:
        """The comparison on the screen."""
        return self._evidence

    def __repr__(self) -> str:
        names = ", ".join(map(repr, self._evidence.names))
        count = len(self._evidence.points)
        return f"InferenceSpace([{names}], {count} images, level {self._evidence.level!r})"

    @property
    def title(self) -> str:
        """What a page with this view is called."""
        concepts = listed(list(dict.fromkeys(self._evidence.concepts)))
        return f"How {concepts} is inferred in {listed(self._evidence.names)}"

    def snapshot(self) -> InferenceSpace:
        """Return a twin of what is on the screen, without the Chain, with the sunbursts opened."""
        twin = type(self).from_evidence(self._evidence)
        twin._keep(self._inferences)
        twin.view, twin.layout = self.view, self.layout
        return twin

    def export_png(self, path: str | Path) -> Path:
        """Write plot and table as a picture for slides and print, 1920 pixels wide."""
        draw_space(self._evidence, self.view).save(path, format="PNG")
        return Path(path)

    def handlers(self) -> Mapping[str, Handler]:
        """Return what answers each kind of message."""
        return {"infer": self._infer, "check": self._check}

    def close(self) -> None:
        """Close the view and let go of the Chain and the images."""
        self._chain, self._images = None, ()
        super().close()

    def _infer(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        points = points_in(content, len(self._evidence.points))
        missing = [point for point in points if point not in self._inferences]
        self._inferences = _last(self._inferences, points)
        chain, images = self._ask(missing)
        with SlowBar("CHAIN: inferring images", len(missing)) as counted:
            for point in missing:
                target = self._target(point, chain)
                inference = chain.explain(images[point], target, stopped=stopped)
                if stopped():
                    raise CancelledError
                self._keep({point: inference})
                counted.update()
        return {"points": list(points)}

    def _check(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        point = point_in(content, len(self._evidence.points))
        chain, images = self._ask([point])
        faithfulness = chain.agreement(self._evidence, point, images[point], stopped)
        if stopped():
            raise CancelledError
        check = faithfulness_fields(faithfulness)
        with self._state_lock:
            self._evidence = with_check(self._evidence, point, faithfulness)
            self._publish(checks=with_mean({**self.checks, str(point): check}, self._evidence))
        return check

    def _ask(self, missing: list[int]) -> tuple[Any, tuple[Any, ...]]:
        if missing and self._chain is None:
            raise ValueError(
                "this view has no Chain and images to infer or check concepts of single images"
                " with; expected both, or inferences in the comparison;"
                " run InferenceSpace(comparison, chain, images=sets)"
            )
        return self._chain, self._images

    def _target(self, point: int, chain: Any) -> str | None:
        """The class whose decision is inferred: the set's concept where that is a class."""
        concept = self._evidence.concepts[int(self._evidence.sets[point])]
        decided = self._evidence.level == next(iter(chain.levels_))
        return concept if decided else None

    def _keep(self, inferences: Mapping[int, ConceptInference]) -> None:
        """Show more inferences; of those that were asked for, the latest are kept."""
        most = max(MOST_KEPT, len(self._evidence.inferences))
        self._inferences = dict(list({**self._inferences, **inferences}.items())[-most:])
        self._publish(charts=charts_payload(self._inferences, self._evidence))


def with_check(
    comparison: InferenceComparison, point: int, found: Faithfulness
) -> InferenceComparison:
    """Return a comparison that holds how far one of its points agrees with ablation."""

    def put(known: tuple[float | None, ...], r: float | None) -> tuple[float | None, ...]:
        every = known or (None,) * len(comparison.points)
        return (*every[:point], r, *every[point + 1 :])

    return replace(
        comparison,
        agreements=put(comparison.agreements, found.pearson),
        agreement_rests=put(comparison.agreement_rests, found.rest),
    )


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
        ("agreement_rests", given.agreement_rests),
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
        size = int((comparison.sets == place).sum())
        if len(sets[name]) != size:
            raise ValueError(
                f"got {len(sets[name])} images of {name!r}; expected the {size} that were"
                " compared; pass the mapping that chain.compare was given"
            )
    numbers = [int((comparison.sets[:i] == s).sum()) for i, s in enumerate(comparison.sets)]
    places = zip(comparison.sets, numbers, strict=True)
    return tuple(sets[comparison.names[int(place)]][number] for place, number in places)


def _listed(name: object, given: Any) -> Any:
    listed = hasattr(given, "__len__") and hasattr(given, "__getitem__")
    if not listed or isinstance(given, str | bytes | Mapping):
        raise TypeError(
            f"got {type(given).__name__} as the images of {str(name)!r}; expected a list of images;"
            " pass the mapping of sets that chain.compare was given"
        )
    return given


def _last(inferences: Mapping[int, ConceptInference], points: Collection[int]) -> dict[int, Any]:
    """The same, with these points behind the others: what is first is given up first."""
    return dict(sorted(inferences.items(), key=lambda item: item[0] in points))
