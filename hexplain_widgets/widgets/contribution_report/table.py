"""How contributions of several images are read beside each other: one order, small ones folded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ...additive.distillation import OTHERS
from ...evidence import Contributions
from ...pictures.page import percent

MOST_IMAGES = 24
SHOWN = 7  # concepts that stand alone at first
MOST_ELEMENTS = 120  # bars of a distribution
ALIKE = 0.05  # nats between entropies that are about the same
UNSAVED = "This image was saved without Grad-CAM; explain it again to have it."

_SAME = ("target", "layer", "kind", "names")


@dataclass(frozen=True)
class ContributionTable:
    """Contributions of images to one target, concepts in one order for all, the largest first.

    `order` are places among the concepts by their mean size, the first `shown` of them stand alone
    and the rest is folded into "others". What has no name of its own (the filters that nobody
    named) comes behind the named ones that stand alone, however large it is: at `unnamed`.
    """

    images: tuple[Contributions, ...]
    order: tuple[int, ...]
    shown: int

    @classmethod
    def of(cls, images: Sequence[Contributions]) -> ContributionTable:
        """Return the table of these images; ValueError where they do not explain one thing."""
        checked(images)
        if not images:
            return cls((), (), 0)
        sizes = np.abs(np.stack([one.values for one in images])).mean(0)
        order = np.argsort(-sizes, kind="stable").tolist()
        rest = [i for i in order if images[0].names[i] == OTHERS]
        named = [i for i in order if i not in rest]
        alone = _alone(len(named))
        order = [*named[:alone], *rest, *named[alone:]]
        return cls(tuple(images), tuple(order), alone + len(rest))

    @property
    def names(self) -> tuple[str, ...]:
        """The concepts in their order."""
        return tuple(self.images[0].names[i] for i in self.order) if self.images else ()

    @property
    def unnamed(self) -> int | None:
        """The place of what has no name of its own, None where all have one."""
        return self.names.index(OTHERS) if OTHERS in self.names else None

    @property
    def folded(self) -> int:
        """How many concepts are folded into "others"."""
        return len(self.order) - self.shown

    def values(self, one: Contributions) -> tuple[float, ...]:
        """Return an image's contributions in the order, in logits."""
        return tuple(float(one.values[i]) for i in self.order)

    def others(self, one: Contributions) -> float:
        """Return what the folded concepts add together, in logits."""
        return math.fsum(self.values(one)[self.shown :])

    def others_split(self, one: Contributions) -> tuple[float, float]:
        """Return what the folded concepts add for the score, and what against it."""
        rest = self.values(one)[self.shown :]
        return math.fsum(v for v in rest if v > 0), math.fsum(v for v in rest if v < 0)

    def others_map(self, one: Contributions) -> Float[np.ndarray, "H W"]:
        """Return the summed map of the folded concepts."""
        return one.maps[list(self.order[self.shown :])].sum(0)

    def slices(self, one: Contributions) -> list[tuple[int, float]]:
        """Return what a pie may show: `(place, contribution)` above zero.

        What folded concepts add for the score stands at `shown`.
        """
        values = [*self.values(one)[: self.shown], self.others_split(one)[0]]
        return [(place, value) for place, value in enumerate(values) if value > 0]

    def row_name(self, place: int) -> str:
        """Return the name of a concept, or of the folded ones."""
        return self.names[place] if place < self.shown else f"{self.folded} others"


def checked(images: Sequence[Contributions]) -> None:
    """Raise ValueError for too many images, or for those of different targets or concepts."""
    if len(images) > MOST_IMAGES:
        raise ValueError(
            f"got {len(images)} images; expected at most {MOST_IMAGES} side by side;"
            " show them in several reports"
        )
    for one in images[1:]:
        for what in _SAME:
            if getattr(one, what) != getattr(images[0], what):
                raise ValueError(
                    f"got contributions with the {what} {getattr(one, what)!r:.80} beside"
                    f" {getattr(images[0], what)!r:.80}; expected one target explained by the same"
                    " concepts; show them in reports of their own"
                )


def signed(value: float) -> str:
    """Return logits with their sign: two places behind the point, three of what is below 0.1."""
    text = f"{value:+.2f}" if abs(value) >= 0.0995 else f"{value:+.3f}"
    return "0" if value == 0 else text.replace("-", "−")


def explained(one: Contributions) -> str:
    """Return in words how much of the score the explainer reaches."""
    sums = f"{signed(one.explained)} for a score of {signed(one.score)} logits"
    if not one.span:
        return f"Bias and concepts make {sums}"
    missed = abs(one.unexplained) / one.span
    if missed >= 1:
        return (
            f"Bias and concepts make {sums}; what is missing is as large as the score's whole range"
        )
    share = percent(1 - missed) if missed >= 0.01 else f"{100 * (1 - missed):.1f} %"
    return f"Explains {share} of the score's range ({sums})"


def accounted(one: Contributions) -> float | None:
    """Return the share of the score's range that the explainer reaches, None where it has none."""
    return max(0.0, 1 - abs(one.unexplained) / one.span) if one.span else None


def warning(one: Contributions) -> str:
    """Return in words that the rest outweighs every concept; nothing where it does not."""
    largest = float(np.abs(one.values).max(initial=0.0))
    if abs(one.unexplained) <= largest:
        return ""
    if not len(one.names):
        return "No concept adds to this score: all but the bias is unexplained."
    name = one.names[int(np.abs(one.values).argmax())]
    return (
        f"What is unexplained ({signed(one.unexplained)}) is larger than any contribution"
        f" ({name}, {signed(float(one.values[np.abs(one.values).argmax()]))}):"
        " the concepts do not account for this score."
    )


def beside(table: ContributionTable, one: Contributions) -> list[str]:
    """Return in words what a pie cannot show: what speaks against, the bias, the rest."""
    values = [*table.values(one)[: table.shown], table.others_split(one)[1]]
    against = [f"{table.row_name(i)} {signed(v)}" for i, v in enumerate(values) if v < 0]
    words = [f"against: {', '.join(against)}"] if against else []
    return [*words, f"bias {signed(one.bias)}", f"unexplained {signed(one.unexplained)}"]


def folded_words(table: ContributionTable, one: Contributions) -> str:
    """Return in words what the folded concepts' sum is made of."""
    plus, minus = table.others_split(one)
    return f"{signed(plus)} for, {signed(minus)} against" if plus and minus else ""


def typical(images: Sequence[Contributions]) -> str:
    """Return in words how far the explainer is from the score; nothing where it is not known."""
    known = sorted({one.deviation for one in images if one.deviation is not None})
    if not known:
        return ""
    figures = " to ".join(dict.fromkeys((percent(known[0]), percent(known[-1]))))
    return f"Typical deviation of the explainer: {figures} of the score's range, on held-out images"


def entropies(one: Contributions) -> str:
    """Return in words how evenly both explainers spread the score; nothing without a baseline."""
    if one.baseline is None:
        return ""
    ours, plain = one.entropy, one.baseline.entropy
    evenly = "more evenly than" if ours > plain else "less evenly than"
    evenly = "about as evenly as" if abs(ours - plain) < ALIKE else evenly
    count = len(one.weights)
    cut = f" The {MOST_ELEMENTS} largest of {count} are shown." if count > MOST_ELEMENTS else ""
    return (
        f"With the prior: entropy {ours:.2f} nats; plain distillation: {plain:.2f} nats."
        f" The prior spreads the score {evenly} plain distillation does.{cut}"
    )


def attention(one: Contributions) -> str:
    """Return in words where Grad-CAM is strong, or why there is none."""
    values = one.attention
    if values is None:
        return one.attention_note or UNSAVED
    share = float((values >= values.max() / 2).mean())
    return (
        f"Where {one.layer} speaks for {one.target}: most {_where(values)}, at least half as much"
        f" in {percent(share)} of the image"
    )


def _where(values: Float[np.ndarray, "H W"]) -> str:
    """Return in which ninth of the image a map is strongest."""
    row, column = np.unravel_index(int(values.argmax()), values.shape)
    ninth = [int(3 * (at + 0.5) / n) for at, n in zip((row, column), values.shape, strict=True)]
    down, across = ("top", "", "bottom")[ninth[0]], ("left", "", "right")[ninth[1]]
    return (
        f"at the {down} {across}".replace("  ", " ").rstrip() if down or across else "in the middle"
    )


def _alone(named: int) -> int:
    """How many of the named concepts stand alone; a single one is not worth folding."""
    return named if named - SHOWN < 2 else SHOWN
