"""The view of a decomposition: image, prediction and the tree from the decision down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from io import BytesIO
from pathlib import Path as FilePath
from typing import Any

import numpy as np
import traitlets
from jaxtyping import UInt8
from PIL import Image

from ...decomposition.decisions import METHODS
from ...decomposition.engine import Decomposer
from ...evidence import Decomposition, Faithfulness, Node
from ...pictures.trees import rows
from .._shared.agreement import faithfulness_fields, trust_words
from .._shared.conversation import Content, Handler, Stop, answering
from .._shared.messages import target_in
from .._shared.payload import dotted, path_of, picture_bytes
from .._shared.view import View, check_evidence, settable, synced
from . import messages
from .messages import cleaned
from .payload import (
    checks_payload,
    estimate_of,
    instead_of,
    pictured,
    pictures_payload,
    tree_payload,
)
from .picture import draw_decomposition, strongest_line

Path = tuple[int, ...]
MOST_NODES = 400
MOST_CANDIDATES = 48


class DecompositionTree(View):
    """A live decomposition: `model` a `torch.nn.Module` or `Classifier`, `image` of any kind.

    `target` is a class name or index, the strongest class if not given; `top_k` channels are taken
    per decision, down to the level where `max_nodes` would be passed. Every node can be expanded,
    folded and hidden in the view, any class made the target, any channel chosen by hand.
    Contributions are estimated by `method` "gradient" or measured by "ablation", and estimates are
    checked against ablation node by node; a removed channel is zero, or its average over the images
    `baseline`. `settings` is as in `Decomposer`. Raises ValueError where the decision cannot be
    decomposed, TypeError for what is no model or image.
    """

    bundle = "decomposition_tree"

    tree = synced(traitlets.Dict)
    image = synced(traitlets.Bytes)
    pictures = synced(traitlets.Dict)
    checks = synced(traitlets.Dict)
    words = trust_words()
    classes = synced(traitlets.List)
    live = synced(traitlets.Bool)
    view = settable(traitlets.Dict, from_json=cleaned)

    def __init__(
        self,
        model: Any,
        image: Any,
        *,
        settings: str = "default",
        target: int | str | None = None,
        top_k: int | None = None,
        layers: Sequence[str] | None = None,
        merge_iou: float | None = None,
        max_nodes: int = MOST_NODES,
        method: str | None = None,
        baseline: Any = None,
    ) -> None:
        engine = Decomposer(
            model,
            image,
            settings=settings,
            target=target,
            top_k=top_k,
            layers=layers,
            merge_iou=merge_iou,
            method=method,
            baseline=baseline,
        )
        self._max_nodes = max_nodes
        self._open(engine.tree(max_nodes=max_nodes), engine)

    @classmethod
    def from_evidence(cls, evidence: Any) -> DecompositionTree:
        """Return a view of a saved Decomposition; it needs no model and cannot ask for more.

        Raises TypeError for what is no Decomposition.
        """
        check_evidence(evidence, Decomposition, "decompose(model, image)")
        self = cls.__new__(cls)
        self._open(evidence, None)
        return self

    def _open(self, evidence: Decomposition, engine: Decomposer | None) -> None:
        self._evidence, self._engine = evidence, engine
        self._encoded: dict[Path, tuple[UInt8[np.ndarray, "h w 3"], bytes]] = {}
        self._checked: dict[str, dict[str, Any]] = {}
        names = engine.classifier.classes if engine else None
        super().__init__(
            tree=tree_payload(evidence, self._top_k()),
            image=_jpeg(evidence.image),
            pictures=self._pictures(),
            checks=checks_payload(evidence),
            classes=list(names or ()),
            live=engine is not None,
        )

    @property
    def evidence(self) -> Decomposition:
        """The decomposition as it is on the screen."""
        return self._evidence

    def __repr__(self) -> str:
        count = sum(1 for _ in self._evidence.root.walk())
        stages = len(self._evidence.layers)
        return f"DecompositionTree({self._evidence.target.name!r}, {count} nodes, {stages} stages)"

    @property
    def title(self) -> str:
        """What a page with this view is called."""
        return f"A decision taken apart: {self._evidence.target.name}"

    def snapshot(self) -> DecompositionTree:
        """Return a twin of what is on the screen, without the model."""
        evidence, shown = self._evidence, rows(self._evidence, self._opened())
        if self._engine is not None:
            evidence = self._engine.pictures(evidence, [path for path in shown if path])
            evidence = _checked(self._engine, evidence)
        twin = type(self).from_evidence(evidence)
        twin.view, twin.layout = self.view, self.layout
        return twin

    def export_png(self, path: str | FilePath) -> FilePath:
        """Write the tree as a picture for slides and print, 1920 pixels wide."""
        draw_decomposition(self._evidence, opened=self._opened()).save(path, format="PNG")
        return FilePath(path)

    def handlers(self) -> Mapping[str, Handler]:
        """Return what answers each kind of message."""
        return {
            "expand": self._expand,
            "candidates": self._candidates,
            "top_k": self._change_top_k,
            "retarget": self._retarget,
            "method": self._change_method,
            "check": self._check,
            "pictures": self._picture,
        }

    def close(self) -> None:
        """Close the view and let go of the model."""
        self._engine = None
        super().close()

    def _expand(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        path = messages.path_in(content, self._evidence)
        top_k = messages.top_k_in(content) if "top_k" in content else None
        channels = messages.channels_in(content)
        engine = self._ask("to expand a node")
        self._show(engine.expand(self._evidence, path, top_k=top_k, channels=channels), stopped)
        return {"children": len(self._evidence.node(path).children)}

    def _candidates(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        path = messages.path_in(content, self._evidence)
        engine = self._ask("to list the channels below a node")
        candidates = engine.candidates(self._evidence, path, top=MOST_CANDIDATES)
        return {"candidates": [[int(c), float(a), float(s)] for c, a, s in candidates]}

    def _change_top_k(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        top_k = messages.top_k_in(content)
        self._replace(self._ask("to take another number of channels").with_top_k(top_k), stopped)
        return {"top_k": top_k}

    def _retarget(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        target = target_in(content)
        self._replace(self._ask("to explain another class").retarget(target), stopped)
        return {"target": self._evidence.target.index}

    def _change_method(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        method = messages.method_in(content, METHODS)
        engine = self._ask("to find contributions in another way").with_method(method)
        self._replace(engine, stopped)
        return {"method": method}

    @property
    def root_check(self) -> dict[str, Any] | None:
        """How far the decision's own channels agree with ablation, None as long as nobody knows."""
        return self.checks.get(dotted(()))

    def check_root(self, stopped: Stop) -> None:
        """Take the decision's channels out one by one, unless that was done, and say what came.

        Raises ValueError without a model, CancelledError once `stopped` says yes.
        """
        if self.root_check is None:
            self._check({"path": []}, stopped)

    def _check(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        path = messages.path_in(content, self._evidence)
        faithfulness = self._ask("to check against ablation").faithfulness(self._evidence, path)
        if stopped():
            raise CancelledError
        self._evidence = self._evidence.with_node(
            path, _agreeing(self._evidence.node(path), faithfulness)
        )
        estimate = estimate_of(self._evidence)
        instead = instead_of(self._evidence)
        self._checked[dotted(path)] = faithfulness_fields(faithfulness, estimate, instead)
        self._publish(checks=self._checks())
        return self._checked[dotted(path)]

    def _checks(self) -> dict[str, Any]:
        return {**checks_payload(self._evidence), **self._checked}

    def _picture(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        paths = messages.paths_in(content, self._evidence)
        engine = self._ask("to draw guided backpropagation")
        self._evidence = engine.pictures(self._evidence, paths, stopped=stopped)
        self._publish(pictures=self._pictures())
        return {"pictures": len(paths)}

    def _ask(self, purpose: str) -> Decomposer:
        return answering(self._engine, "model", purpose, "DecompositionTree(model, image)")

    def _replace(self, engine: Decomposer, stopped: Stop) -> None:
        tree = engine.tree(max_nodes=self._max_nodes, stopped=stopped)
        if not stopped():
            self._checked.clear()
        self._show(tree, stopped, engine)

    def _show(
        self, evidence: Decomposition, stopped: Stop, engine: Decomposer | None = None
    ) -> None:
        if stopped():
            raise CancelledError
        self._evidence, self._engine = evidence, engine or self._engine
        self._publish(
            tree=tree_payload(evidence, self._top_k()),
            pictures=self._pictures(),
            checks=self._checks(),
        )

    def _pictures(self) -> dict[str, Any]:
        known, fresh = self._encoded, {}
        for path, pixels in pictured(self._evidence):
            same = path in known and known[path][0] is pixels
            fresh[path] = known[path] if same else (pixels, picture_bytes(pixels))
        self._encoded = fresh
        return pictures_payload((path, encoded) for path, (_, encoded) in fresh.items())

    def _top_k(self) -> int:
        return self._engine.top_k if self._engine else len(self._evidence.root.children)

    def _opened(self) -> set[Path]:
        """Paths of the nodes below which the view shows something."""
        if "open" not in self.view:
            return set(strongest_line(self._evidence))
        return {path_of(text) for text in self.view["open"]} - {
            path_of(text) for text in self.view.get("hidden", ())
        }


def _checked(engine: Decomposer, evidence: Decomposition) -> Decomposition:
    """Return the evidence with its first decision checked against ablation."""
    if evidence.root.agreement is not None:
        return evidence
    faithfulness = engine.faithfulness(evidence, ())
    return replace(evidence, root=_agreeing(evidence.root, faithfulness))


def _agreeing(node: Node, found: Faithfulness) -> Node:
    """Return a node that says how far its estimates agree with ablation."""
    return replace(node, agreement=found.pearson, agreement_rest=found.rest)


def _jpeg(pixels: UInt8[np.ndarray, "h w 3"]) -> bytes:
    out = BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, format="JPEG", quality=85)
    return out.getvalue()
