"""The views of inferred concepts, a tree and rings, and how both ask for other classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import traitlets

from ...arguments import SlowBar, never
from ...evidence import ConceptInference, Faithfulness
from .._shared.agreement import faithfulness_fields, trust_words
from .._shared.conversation import Content, Handler, Stop, answering
from .._shared.messages import target_in
from .._shared.state import ViewState, dotted_numbers, dotted_paths, understood
from .._shared.view import View, settable, synced
from .merging import ConceptPath, merged
from .messages import own_path, spot_in
from .payload import checks_payload, inference_payload, pictures_payload, set_name, spot
from .sources import InferenceSource, chain_of, checked, evidence_of, sources_of
from .sunburst_picture import draw_sunbursts
from .tree_picture import draw_tree

MOST_SETS = 6
MOST_CHARTS = 12


def cleaned(state: object, _: object = None) -> ViewState:
    """Return what is understood of a saved arrangement: the chosen path, what is open, the zoom."""
    return understood(state, _ENTRIES)


_ENTRIES = {"selected": dotted_numbers, "zoom": dotted_numbers, "open": dotted_paths}


class InferenceView(View):
    """A view of one or several inferences, which asks a fitted Chain for those of other classes."""

    most: ClassVar[int]

    inference = synced(traitlets.Dict)
    checks = synced(traitlets.Dict)
    words = trust_words()
    pictures = synced(traitlets.Dict)
    classes = synced(traitlets.List)
    live = synced(traitlets.Bool)
    view = settable(traitlets.Dict, from_json=cleaned)

    def _start(self, chain: Any, given: Any, target: int | str | None) -> None:
        sources = sources_of(given, self.most)
        if not all(source.ready for source in sources):
            chain_of(chain)
        self._open(checked(_inferred(sources, chain, target, never)), chain, sources)

    @classmethod
    def from_evidence(cls, evidence: Any) -> InferenceView:
        """Return a view of saved ConceptInference, one, a list or `{name: evidence}`.

        It needs no model and cannot ask for more. Raises TypeError for what is no
        ConceptInference, ValueError for inferences of different levels.
        """
        sources = evidence_of(evidence, cls.most)
        inferences = [source.inference(None, None, lambda: False) for source in sources]
        self = cls.__new__(cls)
        self._open(checked(inferences), None, sources)
        return self

    def _open(
        self,
        inferences: tuple[ConceptInference, ...],
        chain: Any,
        sources: Sequence[InferenceSource],
    ) -> None:
        asks = not any(source.ready for source in sources)
        self._inferences, self._chain = inferences, chain if asks else None
        self._sources = tuple(sources) if asks else ()
        self._checked: dict[str, dict[str, Any]] = {}
        self._shown = 0  # how often other inferences were shown
        names = self._chain.classifier_.classes if self._chain is not None else None
        super().__init__(
            inference=inference_payload(inferences),
            pictures=pictures_payload(inferences),
            checks=checks_payload(inferences),
            classes=list(names or ()),
            live=self._chain is not None,
        )

    @property
    def inferences(self) -> tuple[ConceptInference, ...]:
        """The inferences on the screen, from left to right."""
        return self._inferences

    @property
    def evidence(self) -> ConceptInference | tuple[ConceptInference, ...]:
        """The inference on the screen, or all of them where there are several."""
        return self._inferences[0] if len(self._inferences) == 1 else self._inferences

    def __repr__(self) -> str:
        first = self._inferences[0]
        counts = " + ".join(str(sum(1 for _ in one.root.walk()) - 1) for one in self._inferences)
        of = ", ".join(dict.fromkeys(repr(one.target.name) for one in self._inferences))
        levels = f"{first.levels[0]} to {first.levels[-1]}"
        return f"{type(self).__name__}({of}, {counts} concepts, {levels})"

    @property
    def title(self) -> str:
        """What a page with this view is called."""
        names = dict.fromkeys(one.target.name for one in self._inferences)
        return f"Concepts behind {', '.join(names)}"

    @property
    def set_names(self) -> tuple[str, ...]:
        """What the sets are called, from left to right."""
        every = self._inferences
        return tuple(set_name(one, i, len(every)) for i, one in enumerate(every))

    def snapshot(self) -> InferenceView:
        """Return a twin of what is on the screen, without the Chain."""
        self._check_decisions()
        twin = type(self).from_evidence(self._inferences)
        twin.view, twin.layout = self.view, self.layout
        return twin

    def handlers(self) -> Mapping[str, Handler]:
        """Return what answers each kind of message."""
        return {"explain": self._explain, "check": self._check}

    def close(self) -> None:
        """Close the view and let go of the Chain and the images."""
        self._chain, self._sources = None, ()
        super().close()

    def _explain(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        target = target_in(content)
        chain = self._ask("to explain another class")
        inferences = _inferred(self._sources, chain, target, stopped)
        self._show(checked(inferences))
        return {"target": inferences[0].target.index}

    def _check(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        chain = self._ask("to check against ablation")
        inferences, shown = self._inferences, self._shown
        root = merged(inferences)
        place, path = spot_in(content, root)
        one = inferences[place]
        own = own_path(one, root, place, path)
        faithfulness = self._sources[place].faithfulness(chain, one, own, stopped)
        if stopped():
            raise CancelledError
        with self._state_lock:
            if shown == self._shown:
                self._checked[spot(place, path)] = faithfulness_fields(faithfulness)
                self._keep(place, own, faithfulness)
        return faithfulness_fields(faithfulness)

    def _keep(self, place: int, path: ConceptPath, found: Faithfulness) -> None:
        """Keep with the evidence how far a concept agrees with ablation, and show it."""
        every = list(self._inferences)
        concept = replace(
            every[place].node(path), agreement=found.pearson, agreement_rest=found.rest
        )
        every[place] = every[place].with_node(path, concept)
        self._inferences = tuple(every)
        self._publish(checks=self._checks())

    def _checks(self) -> dict[str, Any]:
        return {**checks_payload(self._inferences), **self._checked}

    def _check_decisions(self) -> None:
        """Check the decision about every single image, as long as there is a Chain to ask."""
        for place, source in enumerate(self._sources):
            one = self._inferences[place]
            if one.root.agreement is None and one.root.estimates is not None and not one.images:
                faithfulness = source.faithfulness(self._chain, one, (), lambda: False)
                self._keep(place, (), faithfulness)

    def _ask(self, purpose: str) -> Any:
        return answering(self._chain, "Chain", purpose, f"{type(self).__name__}(chain, image)")

    def _show(self, inferences: tuple[ConceptInference, ...]) -> None:
        with self._state_lock:
            self._inferences = inferences
            self._shown += 1
            self._checked.clear()
            self._publish(
                inference=inference_payload(inferences),
                pictures=pictures_payload(inferences),
                checks=self._checks(),
            )


class ConceptTree(InferenceView):
    """Which concepts a decision rests on, down to colors: `chain` is fitted, `image` of any kind.

    `image` may also be a list of images, `{name: image}`, sets of images `{name: [images]}` with
    a `target`, or ready ConceptInference in the place of any of them: all share one tree, in which
    each concept shows what it is to each. `target` is a class name or index, each image's
    strongest class if not given. An image costs 1,000 gates at each level, 8 s of a core from a
    middle layer of MobileNetV2 to its output. Raises TypeError for what is no Chain or image,
    ValueError for an unknown class or more than six side by side.
    """

    bundle = "concept_tree"
    most = MOST_SETS

    def __init__(self, chain: Any, image: Any, *, target: int | str | None = None) -> None:
        self._start(chain, image, target)

    def export_png(self, path: str | Path) -> Path:
        """Write the tree as a picture for slides and print, 1920 pixels wide."""
        draw_tree(self.inferences, self.set_names, self.view.get("open")).save(path, format="PNG")
        return Path(path)


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


def _inferred(
    sources: Sequence[InferenceSource], chain: Any, target: int | str | None, stopped: Stop
) -> list[ConceptInference]:
    """Return the inferences of all sources; raises CancelledError once `stopped` says yes."""
    inferences = []
    with SlowBar("CHAIN: inferring what is side by side", len(sources), "set") as counted:
        for source in sources:
            inferences.append(source.inference(chain, target, stopped))
            if stopped():
                raise CancelledError
            counted.update()
    return inferences
