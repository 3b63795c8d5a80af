"""The parts of a comparison: its controls, what is shown of one image, what is shown of a set."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import ipywidgets

from ...diagnosis.attacks import BUDGETS
from ...evidence import AttackedDecision, AttackedSet
from .._shared.controls import WorkControls, button
from .._shared.pages import pages, turn
from .._shared.tree_pair import TreePair, caption
from ..decomposition_tree.view import DecompositionTree
from .charts import PeakCharts
from .words import (
    attack_words,
    concept_part,
    header,
    images_part,
    peaks_table,
    set_table,
    set_words,
)

# An attack is as large as the whole range of every pixel at most.
_MOST_BUDGET = {"linf": 1.0, "l2": 1e4}
MOST_STEPS, MOST_SEED = 10**7, 2**32 - 1
_UNITS = {"linf": ("Budget, of 255", 255.0), "l2": ("Budget, length", 1.0)}


class ConceptControls(WorkControls):
    """Which concept is looked for; `chosen` is told the name of another, `cancel` drops it."""

    def __init__(
        self, names: Sequence[str], *, chosen: Callable[[str], None], cancel: Callable[[], None]
    ) -> None:
        self._chosen, self._press_cancel = chosen, cancel
        self._shown, self._working = names[0], False
        self.concept = ipywidgets.Dropdown(
            options=names,
            description="HINT's concept",
            style={"description_width": "initial"},
            layout=ipywidgets.Layout(width="320px"),
        )
        self.cancel, self._said = button("Cancel", cancel), ipywidgets.HTML()
        self._row = ipywidgets.HBox(
            [self.concept, self.cancel, self._said],
            layout=ipywidgets.Layout(flex_flow="row wrap", overflow="visible", grid_gap="0 8px"),
        )
        super().__init__([self._row])
        self.concept.observe(self._read, "value")
        self.at_rest()

    def take(self, name: str) -> None:
        """Show which concept is on the screen, unless another is just looked for."""
        self._shown = name
        if not self._working:
            self.concept.value = name

    def _offer(self, *, working: bool) -> None:
        self._working = working
        self.cancel.layout.display = "" if working else "none"
        if not working:  # what was not found is not on the screen
            self.concept.value = self._shown

    def _read(self, change: Any) -> None:
        if change["new"] != self._shown:
            self._chosen(change["new"])
        elif self._working:
            self._press_cancel()


class AttackControls(WorkControls):
    """What another attack is asked for with; `settings()` are those of `pgd`.

    `attack`, `over` and `cancel` are called when their buttons are pressed; without images there is
    no button for a set. `classes` are offered as targets, none where there are no names.
    """

    def __init__(
        self,
        classes: Sequence[str],
        images: int | None,
        *,
        attack: Callable[[], None],
        over: Callable[[], None] | None,
        cancel: Callable[[], None],
    ) -> None:
        self._classes = tuple(classes)
        self.norm, self.budget = _norm(), _field(ipywidgets.FloatText(), "", "170px")
        self.target = _target(self._classes)
        self.steps = _field(ipywidgets.IntText(20), "Steps", "110px")
        self.seed = _field(ipywidgets.IntText(0), "Seed", "110px")
        self.attack = button("Attack", attack, "primary")
        self.over = button(_set_name(images), over or cancel)
        self.cancel = button("Cancel", cancel)
        self._said = ipywidgets.HTML()
        row = ipywidgets.HBox(
            [
                *(self.norm, self.budget, self.target, self.steps, self.seed, self.attack),
                *([self.over] if over else []),
                self.cancel,
            ],
            layout=ipywidgets.Layout(flex_flow="row wrap", overflow="visible"),
        )
        super().__init__([row, self._said])
        self._row = row
        self._read_norm()
        self.norm.observe(self._read_norm, "value")
        self.at_rest()

    def settings(self) -> dict[str, Any]:
        """Return what `pgd` takes beside model and image.

        Raises ValueError for numbers beyond what any attack is made with; others `pgd` refuses.
        """
        _, unit = _UNITS[self.norm.value]
        for part, least, most in (
            (self.budget, -math.inf, _MOST_BUDGET[self.norm.value] * unit),
            (self.steps, -math.inf, MOST_STEPS),
            (self.seed, 0, MOST_SEED),
        ):
            if not least <= part.value <= most:
                raise ValueError(
                    f"got {part.description} = {part.value:g}; expected a number from 0 to"
                    f" {most:g}; write another"
                )
        return {
            "target": self._target(),
            "norm": self.norm.value,
            "budget": self.budget.value / unit,
            "steps": self.steps.value,
            "seed": self.seed.value,
        }

    def take(self, settings: Mapping[str, Any]) -> None:
        """Show the settings of an attack that was made; its target is a class index or None."""
        norm = settings.get("norm", "linf")
        self.norm.value = norm
        if isinstance(settings.get("budget"), float):
            self.budget.value = round(settings["budget"] * _UNITS[norm][1], 6)
        self.target.value = self._written(settings.get("target"))
        for part, given in ((self.steps, "steps"), (self.seed, "seed")):
            if isinstance(settings.get(given), int):
                part.value = settings[given]

    def aside(self) -> tuple[ipywidgets.Widget, ...]:
        """Return the button for a set, which is not there without one."""
        return (self.over,)

    def _offer(self, *, working: bool) -> None:
        self.attack.disabled = self.over.disabled = working
        self.cancel.disabled = not working

    def _target(self) -> int | str | None:
        """The class that was written: a name, or an index where there are no names like it."""
        written = self.target.value.strip()
        if written in self.target.options or not written.isdecimal():
            return written or None
        return int(written)

    def _written(self, target: Any) -> str:
        """A class by its name, by its index where that is the only way to tell it from others."""
        if not isinstance(target, int):
            return ""
        known = target < len(self._classes)
        name = self._classes[target] if known else ""
        return name if known and self._classes.count(name) == 1 else str(target)

    def _read_norm(self, _: object = None) -> None:
        norm = self.norm.value
        self.budget.description, unit = _UNITS[norm]
        self.budget.value = BUDGETS[norm] * unit


def _set_name(images: int | None) -> str:
    return "Attack the set" if images is None else f"Attack the set ({images})"


def _field(part: Any, name: str, wide: str) -> Any:
    """A control with its name and width; the name takes the room that it needs."""
    part.description, part.layout.width = name, wide
    part.style.description_width = "initial"
    return part


def _norm() -> Any:
    options = [("each pixel (L∞)", "linf"), ("length (L2)", "l2")]
    return _field(ipywidgets.Dropdown(options=options), "Change", "210px")


def _target(classes: tuple[str, ...]) -> Any:
    offered = ipywidgets.Combobox(
        options=tuple(dict.fromkeys(classes)),
        placeholder="any other class",
        continuous_update=False,
    )
    return _field(offered, "Towards", "240px")


class ImagePanel:
    """What is shown of one image: header, images and peaks, a concept, two trees in turn."""

    def __init__(self) -> None:
        self.head, self._pages = ipywidgets.HTML(), pages()
        self._table, self._concept, self._pictures = (ipywidgets.HTML() for _ in range(3))
        self._peaks = PeakCharts()
        self._pair = TreePair()
        self._seen = ipywidgets.VBox([self._pictures, self._peaks, self._table])
        self._sought = ipywidgets.VBox([])

    def show(
        self,
        one: AttackedDecision,
        trees: Sequence[DecompositionTree],
        choice: ConceptControls | None = None,
    ) -> list[Any]:
        """Show an attacked image; return what stands below its header.

        `choice` is of the concept that is looked for.
        """
        self.head.value, self._table.value = header(one), peaks_table(one)
        self._pictures.value = images_part(one)
        self.show_concept(one)
        self._peaks.show(one)
        named = zip(("Original", "Adversarial"), (one.before, one.after), strict=True)
        self._pair.show([caption(what, f"named {tree.target.name}") for what, tree in named], trees)
        self._sought.children = (self._concept,) if choice is None else (choice, self._concept)
        concept = {"Concept": self._sought} if one.concept else {}
        turn(self._pages, {"Images": self._seen, **concept, "Both trees": self._pair})
        return [self._pages]

    @property
    def page(self) -> int | None:
        """Which of its pages is in front."""
        front: int | None = self._pages.selected_index
        return front

    def turn_to(self, front: int | None) -> None:
        """Bring one of its pages to the front."""
        self._pages.selected_index = front

    def show_concept(self, one: AttackedDecision) -> None:
        """Show where a concept is in both images."""
        self._concept.value = concept_part(one)

    def every(self) -> Iterator[Any]:
        """Yield all parts, shown or not, but the trees."""
        yield from (self.head, self._pages, self._seen, self._sought, self._concept, self._pair)


class SetPanel:
    """What is shown of a set: how many came through, and the mean peaks with their table."""

    def __init__(self) -> None:
        self._words, self._table = ipywidgets.HTML(), ipywidgets.HTML()
        self._peaks = PeakCharts()

    def show(self, evidence: AttackedSet) -> list[Any]:
        """Show an attacked set; return its parts, words alone where no attack came through."""
        self._words.value = _head(f"{set_words(evidence)} {attack_words(evidence)}", evidence.notes)
        if not len(evidence.peaks):
            return [self._words]
        self._peaks.show_set(evidence)
        self._table.value = set_table(evidence)
        return [self._words, self._peaks, self._table]

    def every(self) -> Iterator[Any]:
        """Yield all parts, shown or not."""
        yield from (self._words, self._table, self._peaks)


def _head(words: str, notes: Sequence[str]) -> str:
    said = "<br>".join(map(html.escape, (words, *notes)))
    return (
        "<div style='font-size: 14px; line-height: 1.45; padding-top: 8px; color:"
        f" var(--jp-ui-font-color1)'><b>Over a set of images</b><br>{said}</div>"
    )
