"""Neurons and concepts as a picture for slides and print, drawn from the evidence alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ...evidence import NeuronConcepts
from ...pictures.colours import paler
from ...pictures.page import INK, LINE, SOFT, WELL, WIDTH, finished, number, page_of, short
from .payload import ESTIMATORS, parents_of

MARGIN, HEAD, FOOT = 56, 190, 50
INDENT, GAUGE, LEFT, RIGHT = 30, 620.0, 830.0, 1680.0
# the colours of branches, as in the view, the stem's last
_TINTS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b3a82a")
_STEM = "#8a8f98"
_FAINT = 0.45  # how much paler a link is than its branch

Ends = Mapping[tuple[int, int], float]


@dataclass(frozen=True)
class FoldedTree:
    """Concepts that are seen, in order; `standing[i]` is the one seen for concept `i`."""

    rows: tuple[int, ...]
    standing: tuple[int, ...]
    depths: tuple[int, ...]
    branch: tuple[int, ...]


def tree_of(evidence: NeuronConcepts, folded: Collection[str] = ()) -> FoldedTree:
    """Return the concept tree with what is below `folded` concepts hidden."""
    first = [above[0] if above else -1 for above in parents_of(evidence)]
    away = {i for i, one in enumerate(evidence.concepts) if one.name in folded}
    standing, depths = list[int](), list[int]()
    for i, parent in enumerate(first):
        depths.append(depths[parent] + 1 if parent >= 0 else 0)
        shown = parent < 0 or (standing[parent] == parent and parent not in away)
        standing.append(i if shown else standing[parent])
    rows = [i for i in _walked(first) if standing[i] == i]
    return FoldedTree(tuple(rows), tuple(standing), tuple(depths), _branches(first))


def links_of(
    evidence: NeuronConcepts, tree: FoldedTree, top: int = 10, threshold: float = 0.0
) -> dict[tuple[int, int], float]:
    """Return the score of every link `(row, neuron's place)`, the largest of those it gathers.

    Each concept whose classifier is no guess has its `top` neurons, without those whose score is
    below `threshold` times the largest.
    """
    usable = [e for e, quality in enumerate(evidence.qualities) if quality.flag is None]
    largest = float(evidence.scores[:, usable].max(initial=0))
    links: dict[tuple[int, int], float] = {}
    for e in usable:
        column = evidence.scores[:, e]
        for k in np.argsort(-column, kind="stable")[:top]:
            if column[k] > 0 and column[k] >= threshold * largest:
                key = (tree.standing[e], int(k))
                links[key] = max(links.get(key, 0.0), float(column[k]))
    return links


def draw_neurons(
    evidence: NeuronConcepts,
    *,
    top: int = 10,
    threshold: float = 0.0,
    folded: Collection[str] = (),
) -> Image.Image:
    """Return the concept tree, its neurons and links as wide as their scores (HINT, Fig. 2a).

    Concepts with their F1 and chance level; doubtful ones are grey and have no links.
    """
    tree = tree_of(evidence, folded)
    links = links_of(evidence, tree, top, threshold)
    return _GraphPicture(evidence, tree, links).finished()


class _GraphPicture:
    def __init__(self, evidence: NeuronConcepts, tree: FoldedTree, links: Ends) -> None:
        self.evidence, self.tree, self.links = evidence, tree, links
        self.neurons = _by_nearness(links, tree.rows)
        rows, neurons = len(tree.rows), len(self.neurons)
        row = min(72.0, max(36.0, 880 / max(1, rows)))
        tall = max(row * rows, 30.0 * neurons, 200.0)
        self.row, self.unit = tall / max(1, rows), tall / max(1, neurons)
        self.scale = (min(row, self.row) - 8) / max(_sums(links, 0).values(), default=1.0)
        self.pen = page_of(HEAD + tall + FOOT)

    def finished(self) -> Image.Image:
        self._title()
        self._links()
        for at, i in enumerate(self.tree.rows):
            self._concept(i, HEAD + self.row * (at + 0.5))
        for at, k in enumerate(self.neurons):
            self._neuron(k, HEAD + self.unit * (at + 0.5))
        return finished(self.pen)

    def _title(self) -> None:
        shown = self.evidence
        self.pen.text((MARGIN, 84), short(f"Neurons and concepts at {shown.layer}", 56), 50)
        named = ESTIMATORS.get(shown.estimator, shown.estimator)
        sure = "not sampled"
        if shown.errors is not None:
            sure = f"standard error at most {number(shown.errors.max(initial=0), 2)}"
        self.pen.text((MARGIN, 130), f"{shown.estimator}: {named}, {sure}", 26, SOFT)
        self.pen.text((GAUGE, HEAD - 14), "F1, mark: chance", 22, SOFT)
        self.pen.text((RIGHT + 26, HEAD - 14), "neuron", 22, SOFT)

    def _concept(self, i: int, y: float) -> None:
        quality = self.evidence.qualities[i]
        doubtful = quality.flag is not None
        x = MARGIN + INDENT * self.tree.depths[i]
        ink = SOFT if doubtful else INK
        room = round((GAUGE - x - 20) / 15)
        hidden = self.tree.standing.count(i) - 1
        more = f"  +{hidden}" if hidden else ""
        self.pen.text((x, y + 9), short(self.evidence.concepts[i].name, room) + more, 26, ink)
        self.pen.box((GAUGE, y - 7), (110, 14), WELL)
        self.pen.box((GAUGE, y - 7), (110 * quality.f1, 14), LINE if doubtful else self._tint(i))
        self.pen.box((GAUGE + 110 * quality.chance - 1.5, y - 12), (3, 24), INK)
        words = "no finding" if doubtful else f"{quality.f1:.2f}"
        self.pen.text((GAUGE + 122, y + 8), words, 20 if doubtful else 24, ink)

    def _neuron(self, k: int, y: float) -> None:
        served = len([one for one in self.links if one[1] == k])
        thick = _sums(self.links, 1)[k] * self.scale
        self.pen.box((RIGHT + 4, y - thick / 2), (7, max(3.0, thick)), INK)
        self.pen.text((RIGHT + 26, y + 8), f"#{self.evidence.neurons[k]}", 24)
        if served > 1:
            self.pen.text((WIDTH - MARGIN, y + 8), f"{served} concepts", 20, SOFT, "rs")

    def _links(self) -> None:
        starts = self._stacked(0, self.tree.rows, self.row, self.neurons)
        ends = self._stacked(1, self.neurons, self.unit, self.tree.rows)
        for key in sorted(self.links, key=lambda one: -self.links[one]):
            at = (LEFT, starts[key]), (RIGHT, ends[key])
            width = max(0.8, self.links[key] * self.scale)
            self.pen.link(*at, width, paler(self._tint(key[0]), _FAINT))

    def _stacked(
        self, end: int, order: Sequence[int], step: float, others: Sequence[int]
    ) -> dict[tuple[int, int], float]:
        """Where each link meets its column, in the order of the other column."""
        place = {one: i for i, one in enumerate(others)}
        middles: dict[tuple[int, int], float] = {}
        for at, one in enumerate(order):
            mine = [key for key in self.links if key[end] == one]
            mine.sort(key=lambda key: place[key[1 - end]])
            widths = [self.links[key] * self.scale for key in mine]
            y = HEAD + step * (at + 0.5) - sum(widths) / 2
            for key, width in zip(mine, widths, strict=True):
                middles[key] = y + width / 2
                y += width
        return middles

    def _tint(self, i: int) -> str:
        branch = self.tree.branch[i]
        return _TINTS[branch] if 0 <= branch < len(_TINTS) else _STEM


def _walked(first: Sequence[int]) -> list[int]:
    """Concepts from top to bottom, each followed by those below it."""
    below: dict[int, list[int]] = {}
    for i, parent in enumerate(first):
        below.setdefault(parent, []).append(i)
    order, waiting = list[int](), below.get(-1, [])[::-1]
    while waiting:
        order.append(waiting.pop())
        waiting += below.get(order[-1], [])[::-1]
    return order


def _branches(first: Sequence[int]) -> tuple[int, ...]:
    """The branch of each concept, counted at the first fork; -1 above it."""
    fork = [i for i, parent in enumerate(first) if parent < 0]
    while len(fork) == 1 and fork[0] in first:
        fork = [i for i, parent in enumerate(first) if parent == fork[0]]
    branches: list[int] = []
    for i, parent in enumerate(first):
        branches.append(fork.index(i) if i in fork else -1 if parent < 0 else branches[parent])
    return tuple(branches)


def _by_nearness(links: Ends, rows: Sequence[int]) -> list[int]:
    """Neurons by the mean row of their links, weighed by score, so that few links cross."""
    place = {one: i for i, one in enumerate(rows)}
    weighed: dict[int, float] = {}
    for (row, k), score in links.items():
        weighed[k] = weighed.get(k, 0.0) + score * place[row]
    sums = _sums(links, 1)
    return sorted(weighed, key=lambda k: (weighed[k] / sums[k], k))


def _sums(links: Ends, end: int) -> dict[int, float]:
    sums: dict[int, float] = {}
    for key, score in links.items():
        sums[key[end]] = sums.get(key[end], 0.0) + score
    return sums
