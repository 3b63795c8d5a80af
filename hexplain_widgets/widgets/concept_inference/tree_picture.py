"""A tree of concepts as a picture, drawn from the evidence alone: for slides and for print."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from ...evidence import ConceptInference, InferredConcept
from ...network.localize import upsampled
from ...pictures.colours import SETS
from ...pictures.heat import cropped, heat, pale
from ...pictures.page import (
    FINER,
    INK,
    LINE,
    SOFT,
    WELL,
    WIDTH,
    finished,
    number,
    page_of,
    percent,
    short,
)
from ...pictures.trees import check_room, rows
from .._shared.agreement import WORDS
from .._shared.payload import path_of
from .merging import (
    ConceptPath,
    MergedConcept,
    explained_of,
    first_open,
    link_of,
    merged,
    placed_words,
)

MARGIN, HEAD = 48, 190
GAP, GUTTER, FOOT = 26, 84, 60
AGAINST, SHARED, DOUBT = "#2f7fc4", "#8a5fd0", "#b36b00"
_FULL = 40.0  # width of all links of one concept together


def map_over(
    values: Float[np.ndarray, "h w"] | None, image: UInt8[np.ndarray, "H W 3"], pixels: int
) -> Image.Image:
    """Return a concept's map over its image in a square of so many pixels; without one, the image.

    A map's strongest colour is its own largest absolute value.
    """
    height, width = image.shape[:2]
    longer = max(height, width)
    left, top = (width - longer) / 2, (height - longer) / 2
    box = (left, top, left + longer, top + longer)
    if values is None:
        return cropped(Image.fromarray(image), box, pixels)
    under = cropped(Image.fromarray(pale(image)), box, pixels)
    strongest = float(np.abs(values).max(initial=0)) or 1.0
    over = Image.fromarray(heat(upsampled(values / strongest, (height, width))))
    over = cropped(over, box, pixels)
    under.paste(over, mask=over.getchannel("A"))
    return under


def draw_tree(
    inferences: Sequence[ConceptInference],
    names: Sequence[str],
    opened: Collection[str] | None = None,
) -> Image.Image:
    """Return the tree as a picture 1920 pixels wide; `opened` concepts show what is below them.

    `opened` are dotted paths, as the view saves them; without it what the view opens at first.
    Raises ValueError where more is open than a picture can hold.
    """
    root = merged(inferences)
    paths = first_open(root) if opened is None else [path_of(text) for text in opened]
    return _TreePicture(inferences, names, root, set(paths)).finished()


class _TreePicture:
    def __init__(
        self,
        inferences: Sequence[ConceptInference],
        names: Sequence[str],
        root: MergedConcept,
        opened: Collection[ConceptPath],
    ) -> None:
        self.inferences, self.names, self.root = inferences, names, root
        self.rows = rows(root, opened, 0.0)
        check_room(self.rows, "concepts")
        self.levels = inferences[0].levels
        count = len(self.levels)
        self.card = (WIDTH - 2 * MARGIN - GUTTER * (count - 1)) / count
        across = min(3, len(inferences))
        self.side = min(130.0, (self.card - 8 * (across - 1)) / across)
        down = -(-len(inferences) // across)
        self.tall = down * (self.side + (32 if len(inferences) > 1 else 6)) + 72
        height = HEAD + (1 + max(self.rows.values())) * (self.tall + GAP) + FOOT
        self.pen = page_of(height)

    def finished(self) -> Image.Image:
        self._title()
        for path in self.rows:
            self._links(path)
        for path in self.rows:
            self._card(path)
        self._legend()
        return finished(self.pen)

    def _place(self, path: ConceptPath) -> tuple[float, float]:
        x = MARGIN + len(path) * (self.card + GUTTER)
        return x, HEAD + self.rows[path] * (self.tall + GAP)

    def _title(self) -> None:
        targets = ", ".join(dict.fromkeys(one.target.name for one in self.inferences))
        self.pen.text((MARGIN, 84), f"Why {short(targets, 60)}?", 54)
        first = self.inferences[0].target
        facts = f"probability {percent(first.probability)},  logit {number(first.logit)}"
        many = len(self.inferences) > 1 or bool(self.inferences[0].images)
        self.pen.text((WIDTH - MARGIN, 84), "" if many else facts, 30, SOFT, "rs")
        for depth, level in enumerate(self.levels):
            x = MARGIN + depth * (self.card + GUTTER)
            layer = self.inferences[0].layers.get(level)
            self.pen.text((x, HEAD - 46), level.capitalize(), 28)
            self.pen.text((x, HEAD - 18), short(layer.name if layer else "output", 24), 20, SOFT)

    def _links(self, path: ConceptPath) -> None:
        """The links to the children of a concept, one strand for each set."""
        node = self.root.node(path)
        x, y = self._place(path)
        full = _FULL if len(self.inferences) == 1 else 56 / len(self.inferences)
        for i, child in enumerate(node.children):
            if (*path, i) not in self.rows:
                continue
            cx, cy = self._place((*path, i))
            for s, one in child.known:
                shift = (s - (len(self.inferences) - 1) / 2) * 9
                start = (x + self.card, y + self.tall / 2 + shift)
                end = (cx, cy + self.tall / 2 + shift)
                colour = AGAINST if one.weight < 0 else self._tint(s)
                self.pen.link(start, end, max(2.0, full * link_of(one, node.by_set[s])), colour)

    def _tint(self, place: int) -> str:
        return LINE if len(self.inferences) == 1 else SETS[place]

    def _card(self, path: ConceptPath) -> None:
        node, node_above = self.root.node(path), self.root.node(path[:-1]) if path else None
        x, y = self._place(path)
        self.pen.box((x - 6, y - 6), (self.card + 12, self.tall + 12), "#ffffff")
        self.pen.outline((x - 6, y - 6), (self.card + 12, self.tall + 12), 2.5, self._edge(node))
        across = min(3, len(self.inferences))
        for s, one in node.known:
            at = (
                x + (s % across) * (self.side + 8),
                y + (s // across) * (self.side + 32),
            )
            self._map(one, s, at, node_above.by_set[s] if node_above else None)
        self._words(node, x, y + self.tall - 66)

    def _edge(self, node: MergedConcept) -> str:
        count = len(self.inferences)
        if count == 1 or not node.depth:
            return LINE
        owners = node.known
        if len(owners) == count:
            return SHARED
        return SETS[owners[0][0]] if len(owners) == 1 else SOFT

    def _map(
        self,
        one: InferredConcept,
        place: int,
        at: tuple[float, float],
        parent: InferredConcept | None,
    ) -> None:
        evidence = self.inferences[place]
        side = round(self.side * FINER)
        counted = bool(evidence.images) and one.heatmap is None and one.level != self.levels[0]
        if counted:
            self.pen.box(at, (self.side, self.side), WELL)
            middle = (at[0] + self.side / 2, at[1] + self.side / 2 + 10)
            self.pen.text(middle, f"{one.count} of {len(evidence.images)}", 24, INK, "ms")
        else:
            self.pen.picture(at, map_over(one.heatmap, evidence.image, side))
        below = (at[0], at[1] + self.side + 24)
        if one.level == self.levels[0]:
            self.pen.text(below, short(self.names[place], 16), 20, SOFT)
        else:
            against, many = one.weight < 0, len(self.inferences) > 1
            words = f"{number(one.weight, 2)}{'' if many else ' against'}"
            whole = None if many else explained_of(parent)
            of = "" if whole is None else f" of {percent(whole)}"
            words = words if against else f"{percent(one.share)}{of}"
            at = below if many else (at[0] + self.side + 14, at[1] + 26)
            self.pen.text(at, words, 24, AGAINST if against else INK)

    def _words(self, node: MergedConcept, x: float, y: float) -> None:
        first = node.known[0][1]
        doubtful = any(one.flag for _, one in node.known)
        hardly = any(one.hardly_recognised for _, one in node.known)
        self.pen.text((x, y + 24), short(node.concept, int(self.card / 14)), 25)
        told = "" if first.precision is None else f"AP {first.precision:.2f}"
        if len(self.inferences) == 1:
            right, top = x + self.side + 14, y - self.tall + 66
            self.pen.text((right, top + 60), told, 20, SOFT)
            doubt = WORDS["hardly"] if hardly else "doubtful" if doubtful else ""
            self.pen.text((right, top + 92), doubt, 20, DOUBT)
        else:
            told = f"{told}, {WORDS['hardly']}" if hardly else told
            self.pen.text((x, y + 62), told, 19, DOUBT if doubtful or hardly else SOFT)
        if first.unexplained is not None:
            right = x + self.card
            words = f"{percent(first.unexplained)} unexplained"
            self.pen.text((right, y + 62), words, 19, SOFT, "rs")
            self.pen.box((x, y + 33), (self.card, 8), WELL)
            self.pen.box((x, y + 33), (self.card * (1 - first.unexplained), 8), SOFT)

    def _legend(self) -> None:
        y = self.pen.canvas.size[1] / FINER - 22
        words = (
            "links as wide as a concept is explained, each by its weight, blue: against;"
            "  AP: held-out average precision"
        )
        self.pen.text((WIDTH - MARGIN, y), words, 20, SOFT, "rs")
        placed = " ".join(dict.fromkeys(map(placed_words, self.inferences)))
        self.pen.text((WIDTH - MARGIN, y - 26), placed, 20, SOFT, "rs")
        x = float(MARGIN)
        for s, name in enumerate(self.names if len(self.names) > 1 else ()):
            self.pen.box((x, y - 16), (18, 18), SETS[s])
            self.pen.text((x + 26, y), short(name, 18), 22)
            x += 50 + 13 * len(short(name, 18))
