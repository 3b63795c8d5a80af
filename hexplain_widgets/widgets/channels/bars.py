"""Bars of the channels that matter most for a class, drawn by bqplot."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
from jaxtyping import Float, Int

from ...arguments import counted, matching, nearest, place_of_name
from ...evidence import ChannelImportance
from ...pictures.charts import ticks_around
from ...pictures.page import ACCENT, number
from .._shared.agreement import Wording
from .._shared.composite import Composite, wide
from .._shared.controls import CheckControls, Requests
from .._shared.conversation import EXPECTED, Content, Stop
from .._shared.export import Exportable
from .._shared.figures import axis_of, framed, span
from .._shared.linking import ChannelChoice
from .._shared.markup import SOFT, alert
from .._shared.view import check_evidence
from .checks import agreement_of, chip_of, data_of, spot
from .picture import AGAINST, FOR, draw_bars

MOST_BARS = 40
MANY_NAMES = 20  # classes from which on one is found by typing
_TITLE = "margin: 0; font-size: 1.3em; font-weight: 600"
_ROW, _FRAME = 22, 74  # pixels per bar, and around all of them


class ChannelBars(ChannelChoice, Exportable, Composite, ipywidgets.VBox):
    """The channels that matter most for one class: `chip` is fitted, `target` a name or index.

    Bars are weights times mean activation, signed, the largest sum for the class on top; `top`
    is how many are taken by size. A click on a bar, or its number typed beside, sets `channel`; one
    that is not among them has a bar of its own.
    With labelled `data`, as for Chip.fit, a button says how far the class's importances agree with
    what it loses without each channel (Chip.agreement). Raises ValueError for an unknown class or
    layer and for `data` without the model, TypeError for what is no Chip or no data that last.
    """

    _requests: Requests | None = None  # a view that was refused never had one

    def __init__(
        self,
        chip: Any,
        target: int | str,
        *,
        top: int = 12,
        layer: str | None = None,
        data: Any = None,
    ) -> None:
        evidence = chip_of(chip).matrix([target], layer=layer)
        names = tuple(chip.classes_)
        index = target if isinstance(target, int) else names.index(evidence.classes[0])
        self._open(evidence, chip, names, index, top, data_of(data, chip))

    @classmethod
    def from_evidence(
        cls, evidence: Any, *, target: int | str | None = None, top: int = 12
    ) -> ChannelBars:
        """Return the bars of a saved ChannelImportance; `target` is its first class if not given.

        Raises TypeError for what is no ChannelImportance, ValueError for a class it has not.
        """
        check_evidence(evidence, ChannelImportance, "chip.matrix()")
        self = cls.__new__(cls)
        self._open(evidence, None, evidence.classes, _index(evidence.classes, target), top)
        return self

    def _open(
        self,
        evidence: ChannelImportance,
        chip: Any,
        names: tuple[str, ...],
        index: int,
        top: int,
        data: Any = None,
    ) -> None:
        self._evidence, self._chip, self._data, self._echo = evidence, chip, data, False
        self._shown: Int[np.ndarray, " n"] = np.arange(0)
        count = min(MOST_BARS, evidence.values.shape[1])
        self._class = ipywidgets.Dropdown(
            options=[(name, i) for i, name in enumerate(names)], value=index, description="Class"
        )
        self._class.layout.width = _room(names)
        self._heading = ipywidgets.HTML()
        self._search: Any = _search(names) if len(names) > MANY_NAMES else None
        self._top, self._chosen = _count(min(top, count), count), _number()
        self._where = ipywidgets.Dropdown(options=[evidence.layer], description="Layer")
        self._problem, self._table = ipywidgets.HTML(), ipywidgets.HTML()
        self._bars, self._figure = _figure()
        self._checks: dict[str, Mapping[str, Any]] = {}
        self._requests = requests = Requests({"check": self._answer_check})
        self._agreement = CheckControls(
            missing="" if data is not None else "model" if chip is None else "data",
            check=lambda: self._check(requests),
            cancel=lambda: requests.cancel(self._agreement),
        )
        super().__init__(layer=evidence.layer, layout=wide())
        self.children = self._parts()
        self._listen()
        self._draw()

    def _parts(self) -> tuple[ipywidgets.Widget, ...]:
        controls = [self._class, self._top, self._chosen]
        if self._search is not None:
            controls.insert(0, self._search)
        if len(self.layer_names) > 1:
            self._where.options = self.layer_names
            self._where.value = self._evidence.layer
            controls.insert(controls.index(self._class) + 1, self._where)
        row = ipywidgets.HBox(controls, layout=ipywidgets.Layout(flex_flow="row wrap"))
        return self._heading, row, self._agreement, self._problem, self._figure, self._table

    def _listen(self) -> None:
        self._class.observe(self._guarded(self._read), "value")
        if self._search is not None:
            self._search.observe(self._guarded(self._find), "value")
        self._where.observe(self._guarded(self._switch), "value")
        self._top.observe(self._guarded(self._draw), "value")
        self._chosen.observe(self._guarded(self._choose), "value")
        self._bars.observe(self._pick, "selected")
        self.observe(self._turn, "channel")

    @property
    def evidence(self) -> ChannelImportance:
        """The importance whose bars are on the screen."""
        return self._evidence

    @property
    def target(self) -> str:
        """Name of the class whose bars are on the screen."""
        return self._class.label

    def __repr__(self) -> str:
        channels = counted(len(self._shown), "channel")
        return f"ChannelBars({self.target!r}, {channels}, layer {self.layer!r})"

    @property
    def title(self) -> str:
        """What a page with this view is called."""
        return f"Channels of {self.target}"

    def snapshot(self) -> ChannelBars:
        """Return a twin of what is on the screen, without the Chip."""
        twin = type(self).from_evidence(self._evidence, target=self._row(), top=self._top.value)
        twin.layout, twin.channel = self.layout, self.channel
        twin._keep({} if self._known is None else {twin._spot: self._known})
        return twin

    def export_png(self, path: str | Path) -> Path:
        """Write the bars as a picture for slides and print, 1920 pixels wide."""
        picture = draw_bars(self.target, self._shown, self._values()[self._shown], self._evidence)
        picture.save(path, format="PNG")
        return Path(path)

    def turn_to(self, layer: str) -> None:
        """Show the same class at another fitted layer."""
        self._evidence = self._chip.matrix([self._class.value], layer=layer)
        self.channel = None
        self.layer = self._where.value = layer
        self._draw()

    def close(self) -> None:
        """Close the bars with all their parts, and let go of the Chip."""
        if self._requests is not None:
            self._requests.close()
        self._chip = self._data = None
        super().close()

    def aside(self) -> tuple[ipywidgets.Widget, ...]:
        """Return the list of layers, which is not there where there is one."""
        return () if self._requests is None else (self._where,)

    def _row(self) -> int:
        return 0 if self._chip is not None else int(self._class.value)

    def _values(self) -> Float[np.ndarray, " k"]:
        return self._evidence.values[self._row()] * self._evidence.means

    def _read(self) -> None:
        if self._chip is not None:
            self._evidence = self._chip.matrix([self._class.value], layer=self.layer)
        self._draw()

    def _find(self) -> None:
        """Turn to the class that was typed, where it is one; it stands in the field until then."""
        typed, names = self._search.value, [name for name, _ in self._class.options]
        if not typed:
            return
        places = matching(typed, names)
        if len(places) != 1:
            count = f"{len(places)} classes have" if places else "no class has"
            raise ValueError(
                f"got {typed!r}, which {count} in their names; expected one of {len(names)}; the"
                f" nearest are {nearest(typed, names)}"
            )
        self._class.value = self._class.options[places[0]][1]
        self._search.value = ""

    def _switch(self) -> None:
        if not self._echo:
            self.layer = self._where.value

    def _draw(self) -> None:
        values = self._values()
        self._shown = _strongest(values, self._top.value, self.channel)
        shown = values[self._shown]
        with self._own(), self._bars.hold_sync():
            self._bars.selected = None
            self._bars.x = [f"#{k}" for k in self._shown]
            self._bars.y = shown
            self._bars.colors = [FOR if value > 0 else AGAINST for value in shown] or [FOR]
            self._chosen.options = [f"#{k}" for k in self._shown]
        span(self._figure.axes[1], ticks_around(shown))
        self._figure.layout.height = f"{_FRAME + _ROW * max(3, len(shown))}px"
        self._heading.value = _heading(self.target, self._evidence.layer)
        self._table.value = _table(self.target, self._shown, shown)
        self._problem.value = "" if values.any() else _nothing(self.target, self._evidence)
        self._say_agreement()
        self._mark()

    @property
    def _spot(self) -> str:
        return spot(self._evidence.layer, self._class.value)

    @property
    def _known(self) -> Mapping[str, Any] | None:
        """How far the class on the screen agrees with ablation, where it was checked."""
        return self._checks.get(self._spot)

    def _check(self, requests: Requests) -> None:
        words = f"Checking {self.target} against ablation"
        content = {"target": self._class.value, "layer": self._evidence.layer}
        requests.begin(self._agreement, "check", words, **content)

    def _answer_check(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        target, layer = content["target"], content["layer"]
        check = agreement_of(self._chip, target, self._data, layer, stopped)
        self._keep({**self._checks, spot(layer, target): check})
        return check

    def _keep(self, checks: dict[str, Mapping[str, Any]]) -> None:
        self._checks = checks
        self._say_agreement()

    def _say_agreement(self) -> None:
        sizes = np.abs(self._values())
        whole = float(sizes.sum())
        shown = float(sizes[self._shown].sum()) / whole if whole else None
        wording = Wording("the order of its channels", self.target, shown=shown)
        self._agreement.show(self._known, wording)

    def _turn(self, _: object) -> None:
        """Mark the channel; one that is not among the strongest has a bar of its own."""
        wanted = _strongest(self._values(), self._top.value, self.channel)
        self._mark() if np.array_equal(wanted, self._shown) else self._draw()

    def _mark(self) -> None:
        shown = self._shown.tolist()
        known = self.channel in shown
        with self._own():
            self._bars.selected = [shown.index(self.channel)] if known else None
            self._chosen.value = f"#{self.channel}" if known else ""

    def _pick(self, change: Any) -> None:
        if not self._echo:
            selected = change["new"]
            some = selected is not None and len(selected) > 0
            self.channel = int(self._shown[int(selected[-1])]) if some else None

    def _choose(self) -> None:
        """Turn to the channel that was typed or taken from the list; to none where it is empty."""
        if self._echo:
            return
        typed, count = self._chosen.value.strip().removeprefix("#"), self._values().size
        if typed and not (typed.isascii() and typed.isdigit() and int(typed) < count):
            raise ValueError(
                f"got {self._chosen.value!r}; expected the number of a channel of"
                f" {self._evidence.layer}, 0 to {count - 1}; type one, as 12, or nothing for none"
            )
        self._problem.value = ""
        self.channel = int(typed) if typed else None

    @contextmanager
    def _own(self) -> Iterator[None]:
        """Changes of the parts in here are the view's own, not the person's."""
        before, self._echo = self._echo, True
        try:
            yield
        finally:
            self._echo = before

    def _guarded(self, work: Callable[[], None]) -> Callable[[object], None]:
        def run(_: object) -> None:
            try:
                work()
            except EXPECTED as error:
                self._problem.value = alert(str(error))

        return run


def _room(names: tuple[str, ...]) -> str:
    """The width of a list in which the longest of its names is read whole, where there is room."""
    return f"min(100%, {130 + 8 * max(map(len, names), default=0)}px)"


def _search(names: tuple[str, ...]) -> Any:
    return ipywidgets.Combobox(
        options=names,
        placeholder="Find a class",
        description="Find",
        ensure_option=False,
        continuous_update=False,
    )


def _count(value: int, most: int) -> Any:
    # a slider of ipywidgets has no name for who cannot see it
    field = ipywidgets.BoundedIntText(
        value=value, min=1, max=most, description="Channels", continuous_update=False
    )
    field.layout.width = "160px"
    return field


def _number() -> Any:
    field = ipywidgets.Combobox(
        description="Channel", placeholder="number", continuous_update=False
    )
    field.layout.width = "180px"
    return field


def _heading(target: str, layer: str) -> str:
    said = f"Channels that matter for <b>{html.escape(target)}</b>"
    where = f"<small style='{SOFT}'>{html.escape(layer)}</small>"
    return f"<h2 style='{_TITLE}'>{said} {where}</h2>"


def _index(names: tuple[str, ...], target: int | str | None) -> int:
    if target is None:
        return 0
    meant = place_of_name(target, names) if isinstance(target, str) else None
    if meant is not None:
        return meant
    if isinstance(target, int) and 0 <= target < len(names):
        return target
    raise ValueError(
        f"got the class {target!r}; expected one of {len(names)} names or an index below that;"
        f" the nearest are {nearest(str(target), names)}"
    )


def _strongest(
    values: Float[np.ndarray, " k"], top: int, channel: int | None
) -> Int[np.ndarray, " n"]:
    """Return the channels that have bars: the strongest, and the one that is looked at."""
    largest = np.argsort(-np.abs(values), kind="stable")[:top]
    kept = largest[values[largest] != 0]
    if channel is not None and channel < len(values) and channel not in kept:
        kept = np.append(kept, channel)
    return np.asarray(kept[np.argsort(-values[kept], kind="stable")], dtype=np.int64)


def _figure() -> tuple[Any, Any]:
    import bqplot

    x, y = bqplot.OrdinalScale(reverse=True), bqplot.LinearScale()
    bars = bqplot.Bars(
        x=[],
        y=[],
        scales={"x": x, "y": y},
        orientation="horizontal",
        padding=0.25,
        interactions={"click": "select", "hover": "tooltip"},
        selected_style={"stroke": ACCENT, "stroke-width": "3px", "opacity": 1},
        unselected_style={"opacity": 0.55},
        tooltip=bqplot.Tooltip(
            fields=["x", "y"], labels=["channel", "importance"], formats=["", ".4g"]
        ),
    )
    axes = [axis_of(x, upright=True, grid_lines="none"), axis_of(y, "weight × mean activation")]
    margin = {"top": 8, "bottom": 52, "left": 64, "right": 24}
    return bars, framed([bars], axes, margin, "auto", padding_y=0.025, max_aspect_ratio=100)


def _table(target: str, channels: Int[np.ndarray, " n"], values: Float[np.ndarray, " n"]) -> str:
    rows = "".join(
        f"<tr><th scope='row'>#{channel}</th><td>{value:.4g}</td></tr>"
        for channel, value in zip(channels, values, strict=True)
    )
    return (
        f"<details><summary>Channels of {html.escape(target)} as a table</summary><table>"
        "<tr><th scope='col'>channel</th><th scope='col'>weight × mean activation</th></tr>"
        f"{rows}</table></details>"
    )


def _nothing(target: str, evidence: ChannelImportance) -> str:
    return alert(
        f"no channel of {evidence.layer} has a weight for {target} at sparsity"
        f" {number(evidence.sparsity)}; at least one was expected; refit with a smaller sparsity"
    )
