"""Controls of an attack: norm, budget, target class, steps, seed, and the words about its work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets

from ...diagnosis.attacks import BUDGETS
from .._shared.controls import WorkControls, button

_UNITS = {"linf": ("Budget, of 255", 255.0), "l2": ("Budget, length", 1.0)}


class AttackControls(WorkControls):
    """What another attack is asked for with; `settings()` are those of `attacks.pgd`.

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
        """Return what `attacks.pgd` takes beside model and image."""
        _, unit = _UNITS[self.norm.value]
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

    def close(self) -> None:
        """Close the controls with all their parts."""
        for part in (*self._row.children, self.over, self._row, self._said):
            part.close()
        super().close()

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
