"""A decomposition as a picture, drawn from the evidence alone: for slides and for print."""

from __future__ import annotations

from collections.abc import Collection

from PIL import Image

from ...evidence import Decomposition, Node, Prediction
from ...pictures.heat import cropped, tile
from ...pictures.page import (
    ACCENT,
    FINER,
    INK,
    LINE,
    SOFT,
    WELL,
    WIDTH,
    Point,
    finished,
    number,
    page_of,
    percent,
    short,
    stage_name,
)
from ...pictures.trees import check_room, rows

Path = tuple[int, ...]
MARGIN, HEAD, CAPTION, BETWEEN = 48, 190, 58, 30


def strongest_line(evidence: Decomposition) -> tuple[Path, ...]:
    """Return the paths of the strongest nodes, from the decision to the shallowest stage."""
    line: list[Path] = [()]
    while evidence.node(line[-1]).children:
        line.append((*line[-1], 0))
    return tuple(line)


def draw_decomposition(
    evidence: Decomposition, *, opened: Collection[Path] | None = None
) -> Image.Image:
    """Return the tree as a picture 1920 pixels wide; `opened` nodes show what is below them.

    Without `opened` the strongest path is open. The path is brought out, links are as wide as
    the share of what they lead to. Raises ValueError where more is open than a picture can hold.
    """
    line = strongest_line(evidence)
    return _DecompositionPicture(evidence, line if opened is None else opened, line).finished()


class _DecompositionPicture:
    def __init__(
        self, evidence: Decomposition, opened: Collection[Path], line: Collection[Path]
    ) -> None:
        self.evidence, self.line = evidence, line
        self.rows = rows(evidence, opened)
        check_room(self.rows, "nodes")
        levels = 1 + max(map(len, self.rows))
        self.side = min(220.0, (WIDTH - 2 * MARGIN) / levels * 0.72)
        self.step = (WIDTH - 2 * MARGIN - self.side) / max(1, levels - 1)
        self.row = self.side + CAPTION + BETWEEN
        body = (1 + max(self.rows.values())) * self.row
        height = HEAD + max(body, self.side + 320) + MARGIN // 2
        self.pen = page_of(height)

    def finished(self) -> Image.Image:
        self._title()
        for path in sorted(self.rows, key=lambda path: path in self.line):
            self._link(path)
        for path in self.rows:
            self._node(path)
        self._predictions()
        return finished(self.pen)

    def _place(self, path: Path) -> Point:
        return MARGIN + len(path) * self.step, HEAD + self.rows[path] * self.row

    def _title(self) -> None:
        target = self.evidence.target
        why = "Why not" if self.evidence.root.negated else "Why"
        self.pen.text((MARGIN, 84), f"{why} {short(target.name, 60)}?", 54)
        facts = f"probability {percent(target.probability)},  logit {number(target.logit)}"
        self.pen.text((WIDTH - MARGIN, 84), facts, 30, SOFT, "rs")
        deepest = max(map(len, self.rows))
        self._head(0, "Decision", "")
        for i, layer in enumerate(self.evidence.layers[:deepest]):
            self._head(
                i + 1, stage_name(layer), f"{layer.name}  {layer.shape[1]} x {layer.shape[2]}"
            )

    def _head(self, level: int, name: str, below: str) -> None:
        x = MARGIN + level * self.step
        self.pen.text((x, HEAD - 46), name, 28)
        self.pen.text((x, HEAD - 18), short(below, 24), 20, SOFT)

    def _link(self, path: Path) -> None:
        if not path:
            return
        node = self.evidence.node(path)
        (x0, y0), (x1, y1) = self._place(path[:-1]), self._place(path)
        middle = self.side / 2
        colour = ACCENT if path in self.line else LINE
        start, end = (x0 + self.side, y0 + middle), (x1, y1 + middle)
        self.pen.link(start, end, 2 + 30 * min(1.0, max(0.0, node.share)), colour)

    def _node(self, path: Path) -> None:
        (x, y), side = self._place(path), self.side
        node = self.evidence.node(path)
        if path in self.line:
            self.pen.box((x - 5, y - 5), (side + 10, side + 10), ACCENT)
        self.pen.picture((x, y), self._pixels(node, path))
        if path:
            self._caption(node, x, y + side)
        else:
            self.pen.text((x, y + side + 32), short(self.evidence.target.name, 18), 28)

    def _pixels(self, node: Node, path: Path) -> Image.Image:
        pixels, image = round(self.side * FINER), self.evidence.image
        if path:
            return tile(node, image, pixels)
        h, w = image.shape[:2]
        longer = max(h, w)
        box = ((w - longer) / 2, (h - longer) / 2, (w + longer) / 2, (h + longer) / 2)
        return cropped(Image.fromarray(image), box, pixels)

    def _caption(self, node: Node, x: float, y: float) -> None:
        side = self.side
        self.pen.text((x, y + 32), f"#{node.channel}", 28)
        self.pen.text((x + side, y + 32), percent(node.share), 28, INK, "rs")
        self.pen.box((x, y + 42), (side, 7), WELL)
        self.pen.box((x, y + 42), (side * min(1.0, max(0.0, node.share)), 7), SOFT)
        marks = _marks(node)
        if marks:
            self.pen.text((x, y + 68), marks, 18, SOFT)

    def _predictions(self) -> None:
        x, y = self._place(())
        top = y + self.side + 76
        for i, one in enumerate(self.evidence.predictions[:5]):
            self._bar(one, x, top + 46 * i)

    def _bar(self, one: Prediction, x: float, y: float) -> None:
        self.pen.text((x, y + 18), short(one.name, 14), 20)
        self.pen.text((x + self.side, y + 18), percent(one.probability), 20, SOFT, "rs")
        self.pen.box((x, y + 25), (self.side, 8), WELL)
        self.pen.box((x, y + 25), (self.side * one.probability, 8), ACCENT)


def _marks(node: Node) -> str:
    also = f"also {', '.join(map(str, node.also[:3]))}" if node.also else ""
    named = [also, "negated" if node.negated else "", "before clip" if node.unclipped else ""]
    return ", ".join(filter(None, named))
