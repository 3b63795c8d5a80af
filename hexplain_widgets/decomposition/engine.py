"""Hierarchical decomposition (gAP): a decision taken apart into channels, stage by stage."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from ..arguments import SlowBar, Stop, as_arguments, one_of, said_of_settings, settled
from ..evidence import Decomposition, Faithfulness, Node, Prediction, Provenance
from ..network.classifier import Classifier
from ..network.gradients import guided_backpropagation, picture_of_gradient
from ..network.guest import visiting
from ..network.probe import Probe
from ..network.segments import Segment, Unit, UnitGradients
from ..provenance import versions
from .baselines import baseline_of
from .decisions import (
    METHODS,
    ContributionFinder,
    DecisionSplit,
    Part,
    as_asked,
    by_hand,
    checked_channels,
    checked_iou,
    checked_top_k,
    cut_out,
    decomposed,
    note_on_sign,
    notes_on,
    splits_of,
    strongest,
)

Path = tuple[int, ...]
LOGITS = "logits"
NO_AVERAGE = (
    "The paper removes a channel by setting it to its average: none was given (baseline=images), so"
    " here a removed channel is zero."
)
PLAIN = "The network has no ReLU on the way: the pictures are plain gradients, not guided."


class Decomposer:
    """Takes one image's decision apart, and any part of it further on request.

    One forward pass is made here; every level of the tree then costs one batched backward through
    the segment between two stages. `layers` takes names in any order (default: the last feature map
    of each stage). Of a class that is not named and whose logit is negative it is shown what speaks
    against it. A removed channel (`method="ablation"`, and agreements) is zero, or by `baseline`
    its average over given images, or over those that `hx.channel_means` was made of: other images
    than the one that is explained, whose own averages change nothing before a pooling. `settings`
    name what is left out (`hx.settings`): "default" or "paper", which are the same but for the
    removal, to the average in the paper. Raises ValueError for an unknown class or layer, and
    settings out of range; IndexError for a class index out of range.
    """

    def __init__(
        self,
        model: nn.Module | Classifier,
        image: Any,
        *,
        settings: str = "default",
        target: int | str | None = None,
        top_k: int | None = None,
        layers: Collection[str] | None = None,
        merge_iou: float | None = None,
        method: str | None = None,
        baseline: Any = None,
    ) -> None:
        used = settled("Decomposer", settings, locals())
        self.settings = settings
        self.method: str = one_of("method", used["method"], tuple(METHODS))
        self.top_k = checked_top_k(used["top_k"])
        self.merge_iou = checked_iou(used["merge_iou"])
        self.classifier = Classifier.of(model)
        self._prepared = self.classifier.prepare(image)
        self._probe = Probe(self.classifier)
        self._capture = self._probe.capture(self._prepared.x, layers)
        self._layers = self._capture.layers
        self._segments: dict[tuple[str, str | None], Segment] = {}
        self._baseline = baseline_of(self.classifier, baseline, self._layers)
        means = None if self._baseline is None else self._baseline.means
        self._finder = ContributionFinder(self._probe, self._capture, means)
        self.target = self._target(target)

    def __repr__(self) -> str:
        said = as_arguments(self.settings_)
        return f"Decomposer({self.target.name!r}, {said}, baseline={self.baseline!r})"

    @property
    def settings_(self) -> str:
        """Which settings are used, in words: a named set, and what differs from it."""
        return said_of_settings("Decomposer", self.settings, self)

    @property
    def baseline(self) -> str:
        """What a removed channel is set to, in words."""
        return "zero" if self._baseline is None else self._baseline.said

    def _target(self, target: int | str | None) -> Prediction:
        logits = self._capture.logits[0]
        index = (
            int(logits.argmax())
            if target is None
            else self.classifier.index_of(target, len(logits))
        )
        return self.classifier.prediction(logits, index)

    def predictions(self, top: int = 5) -> tuple[Prediction, ...]:
        """Return the strongest classes of the image, likeliest first."""
        return tuple(self.classifier.ranked(self._capture.logits[0], top))

    def retarget(self, target: int | str) -> Decomposer:
        """Return a decomposer of another class of the same image, without another forward pass."""
        other = copy.copy(self)
        other.target = other._target(target)
        return other

    def with_top_k(self, top_k: int) -> Decomposer:
        """Return a decomposer that keeps another number of channels for each decision."""
        other = copy.copy(self)
        other.top_k = checked_top_k(top_k)
        return other

    def with_method(self, method: str) -> Decomposer:
        """Return a decomposer that finds contributions by "gradient" or by "ablation"."""
        other = copy.copy(self)
        other.method = one_of("method", method, tuple(METHODS))
        return other

    def tree(
        self,
        *,
        max_nodes: int | None = None,
        stopped: Stop | None = None,
        progress: bool = True,
    ) -> Decomposition:
        """Return the whole decomposition, or its upper levels where `max_nodes` would be passed.

        `stopped` is asked after each batch (by ablation: after each decision); once it says yes,
        what has been found is returned. `progress` shows a bar that counts decisions, of what
        takes longer than two seconds.
        """
        root = Unit(self.target.index, 0, 0)
        splits: list[dict[Unit, DecisionSplit]] = []
        frontier, count = [root], 1
        what = f"taking {self.target.name} apart"
        counted = SlowBar(what, None, "decision", shown=progress)
        with counted, visiting(self.classifier.model):
            for level in range(len(self._layers)):
                most = count + len(frontier) * self.top_k
                if level and max_nodes is not None and most > max_nodes:
                    break
                units = dict.fromkeys(frontier)
                counted.total = counted.n + len(units)
                splits.append(self._split(level, units, stopped=stopped, done=counted.update))
                frontier = [
                    part.unit for u in frontier if u in splits[-1] for part in splits[-1][u].parts
                ]
                count += len(frontier)
        return self._decomposition(self._root(splits))

    def _decomposition(self, root: Node) -> Decomposition:
        top = self.predictions()
        shown = top if any(p.index == self.target.index for p in top) else (*top, self.target)
        return Decomposition(
            image=self._prepared.shown,
            predictions=shown,
            target=self.target,
            layers=self._layers,
            root=root,
            provenance=self._provenance(),
            notes=self._notes(root),
        )

    def _provenance(self) -> Provenance:
        return Provenance(
            method=METHODS[self.method],
            model=type(self.classifier.model).__name__,
            target=self.target.name,
            settings={
                "top_k": self.top_k,
                "merge_iou": self.merge_iou,
                "method": self.method,
                "settings": self.settings_,
                "baseline": self.baseline,
                "layers": tuple(layer.name for layer in self._layers),
            },
            versions=versions(),
        )

    def _notes(self, root: Node) -> tuple[str, ...]:
        given = (*self.classifier.notes, *self._capture.notes, *self._prepared.notes)
        notes = dict.fromkeys(given)
        sign = note_on_sign(self.target, root, self._layers[0].name)
        return (*notes, *([sign] if sign else []), *notes_on(root), *self._notes_on_settings())

    def _notes_on_settings(self) -> Iterator[str]:
        if self.settings != "default":
            yield f"Found with the settings {self.settings_}."
        if self._baseline is not None:
            yield self._baseline.note
        elif self.settings == "paper":
            yield NO_AVERAGE

    def _names(self, level: int) -> tuple[str, str | None]:
        return self._layers[level].name, self._layers[level - 1].name if level else None

    def _segment(self, level: int) -> Segment:
        names = self._names(level)
        if names not in self._segments:
            self._segments[names] = self._probe.segment(self._capture, *names)
        return self._segments[names]

    def _split(
        self,
        level: int,
        units: Iterable[Unit],
        *,
        channels: Sequence[int] | None = None,
        top_k: int | None = None,
        stopped: Stop | None = None,
        done: Callable[[int], object] = int,
    ) -> dict[Unit, DecisionSplit]:
        splits: dict[Unit, DecisionSplit] = {}
        for batch in self._batches(level, list(units)):
            maps = batch.gradients * batch.activations
            weights = self._finder.weights(
                self.method, self._segment(level), self._names(level), batch, maps
            )
            chosen, also = (
                by_hand(maps, weights.contributions, channels)
                if channels is not None
                else strongest(maps, weights.contributions, top_k or self.top_k, self.merge_iou)
            )
            splits |= splits_of(batch, maps, weights, chosen, also)
            done(len(batch.units))
            if stopped is not None and stopped():
                break
        return splits

    def _batches(self, level: int, units: Sequence[Unit]) -> Iterator[UnitGradients]:
        """Yield decisions in batches, one by one where each takes its time."""
        for decided in self._segment(level).decide(units):
            batch = decided if level else as_asked(decided, self._capture.logits[0])
            yield from (batch,) if self.method == "gradient" else batch.each()

    def _root(self, splits: Sequence[Mapping[Unit, DecisionSplit]]) -> Node:
        h, w = self._prepared.shown.shape[:2]
        unit = Unit(self.target.index, 0, 0)
        decision = Node(
            layer=LOGITS,
            channel=unit.channel,
            position=(0, 0),
            value=self.target.logit,
            contribution=self.target.logit,
            share=1.0,
            patch=np.zeros((1, 1), np.float32),
            offset=(0, 0),
            shape=(1, 1),
            box=(0, 0, w, h),
        )
        return self._subtree(decision, unit, splits, 0)

    def _subtree(
        self, node: Node, unit: Unit, splits: Sequence[Mapping[Unit, DecisionSplit]], level: int
    ) -> Node:
        """Return a node with everything that is known below it."""
        split = splits[0].get(unit) if splits else None
        if split is None:
            return node
        children = tuple(
            self._subtree(self._node(part, level), part.unit, splits[1:], level + 1)
            for part in split.parts
        )
        return decomposed(node, split, children)

    def _node(self, part: Part, level: int) -> Node:
        layer = self._layers[level]
        unit = part.unit
        return Node(
            layer=layer.name,
            channel=unit.channel,
            position=(unit.y, unit.x),
            value=part.value,
            contribution=part.alpha,
            share=part.share,
            patch=part.patch,
            offset=part.offset,
            shape=(layer.shape[1], layer.shape[2]),
            box=self._box(layer.name, unit),
            also=part.also,
            estimate=part.estimate,
        )

    def _box(self, layer: str, unit: Unit) -> tuple[int, int, int, int]:
        h, w = self._prepared.shown.shape[:2]
        cells = self._probe.cells(layer, unit)
        if cells is None:
            return 0, 0, w, h
        (y0, y1), (x0, x1) = cells
        return x0, y0, x1 + 1, y1 + 1

    def expand(
        self,
        tree: Decomposition,
        path: Path,
        *,
        top_k: int | None = None,
        channels: Sequence[int] | None = None,
    ) -> Decomposition:
        """Return the tree with the node at `path` decomposed one stage further.

        `top_k` children are taken, or `channels` chosen by hand are added to those that are
        there. Children that were there keep what is below them. Raises IndexError for an unknown
        path or channel, ValueError at the shallowest stage and for a channel that is silent.
        """
        node, unit = self._decision(tree, path)
        level = len(path)
        if channels is not None:
            checked_channels(self._layers[level], channels)
        if top_k is not None:
            checked_top_k(top_k)
        with visiting(self.classifier.model):
            split = self._split(level, [unit], channels=channels, top_k=top_k)[unit]
        known = {(c.channel, c.position): c for c in node.children}
        children = tuple(self._node(part, level) for part in split.parts)
        children = tuple(known.get((c.channel, c.position), c) for c in children)
        if channels is not None:
            present = {c.channel for c in node.children}
            children = (*node.children, *(c for c in children if c.channel not in present))
        expanded = tree.with_node(path, decomposed(node, split, children))
        return replace(expanded, notes=self._notes(expanded.root))

    def _decision(self, tree: Decomposition, path: Path) -> tuple[Node, Unit]:
        node = tree.node(path)
        if tree.target.index != self.target.index:
            raise ValueError(
                f"the tree explains {tree.target.name!r}, this decomposer {self.target.name!r};"
                " the same class was expected; use decomposer.retarget"
            )
        if len(path) >= len(self._layers):
            raise ValueError(
                f"{node.layer} is the shallowest stage; a node above it was expected; nothing is"
                " below an edge detector but the pixels: ask for its picture"
            )
        return node, Unit(node.channel, *node.position)

    def candidates(
        self, tree: Decomposition, path: Path, top: int = 24
    ) -> tuple[tuple[int, float, float], ...]:
        """Return the channels below the node at `path`: `(channel, contribution, share)`.

        Strongest first, those with a positive contribution only. Raises like `expand`.
        """
        _, unit = self._decision(tree, path)
        with visiting(self.classifier.model):
            alphas = self._split(len(path), [unit], channels=())[unit].alphas
        total = float(alphas[alphas > 0].sum())
        order = [int(k) for k in np.argsort(-alphas, kind="stable")[:top] if alphas[k] > 0]
        return tuple((k, float(alphas[k]), float(alphas[k]) / total) for k in order)

    def faithfulness(self, tree: Decomposition, path: Path) -> Faithfulness:
        """Return how far the gradient's contributions to the node at `path` agree with ablation.

        Every channel of the layer below is removed in turn. Raises like `expand`.
        """
        _, unit = self._decision(tree, path)
        level = len(path)
        with visiting(self.classifier.model):
            (batch,) = self._batches(level, [unit])
            # of a tree by the gradient what is shown is compared, Eq. 4 as printed
            shown = self.method == "gradient"
            known = (self._segment(level), self._names(level), batch)
            return self._finder.faithfulness(*known, as_printed=shown)

    def pictures(
        self, tree: Decomposition, paths: Iterable[Path], *, stopped: Stop | None = None
    ) -> Decomposition:
        """Return the tree with guided-backpropagation pictures of the nodes at `paths`.

        Guided backpropagation is for pictures only; no contribution depends on it. In a network
        without ReLUs the pictures are plain gradients, and a note says so.
        """
        wanted: dict[str, dict[Unit, list[Path]]] = {}
        for path in paths:
            node = tree.node(path)
            if path and node.picture is None:
                unit = Unit(node.channel, *node.position)
                wanted.setdefault(node.layer, {}).setdefault(unit, []).append(path)
        total = sum(map(len, wanted.values()))
        with SlowBar("guided backpropagation", total, "picture") as counted:
            for layer, units in wanted.items():
                tree = self._pictured(tree, layer, units, stopped, counted.update)
        return tree

    def _pictured(
        self,
        tree: Decomposition,
        layer: str,
        units: Mapping[Unit, Sequence[Path]],
        stopped: Stop | None,
        done: Callable[[int], object],
    ) -> Decomposition:
        segment = self._probe.segment(self._capture, None, layer)
        with visiting(self.classifier.model):
            for batch, guided in guided_backpropagation(segment, list(units)):
                for i, unit in enumerate(batch.units):
                    gradient = batch.gradients[i].float().cpu().numpy()
                    for path in units[unit]:
                        node = tree.node(path)
                        cut = cut_out(gradient, batch.offsets[i], node.box)
                        picture = picture_of_gradient(cut)
                        tree = tree.with_node(path, replace(node, picture=picture))
                done(len(batch.units))
                if not guided and PLAIN not in tree.notes:
                    tree = replace(tree, notes=(*tree.notes, PLAIN))
                if stopped is not None and stopped():
                    break
        return tree


def decompose(
    model: nn.Module | Classifier,
    image: Any,
    target: int | str | None = None,
    *,
    settings: str = "default",
    top_k: int | None = None,
    layers: Collection[str] | None = None,
    merge_iou: float | None = None,
    method: str | None = None,
    baseline: Any = None,
    pictures: bool = False,
    progress: bool = True,
) -> Decomposition:
    """Return an image's decision for `target` (default: the top class) taken apart (Eq. 2-5).

    Costs one forward pass and one batched backward for each stage. With `method="ablation"` it is
    taken apart by how far each decision really falls without each channel, with the gradient's
    estimate beside: zeroed, or set to its average over the images `baseline`. What takes longer
    than two seconds shows a bar, unless `progress` is False. Raises what Decomposer raises.
    """
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
    tree = engine.tree(progress=progress)
    return engine.pictures(tree, [p for p, _ in tree.root.walk()]) if pictures else tree
