"""The chosen channel of a view, and the link by which several views have the same."""

from __future__ import annotations

import threading
from abc import abstractmethod
from typing import Any, ClassVar

import traitlets

from ...arguments import nearest
from .view import settable


class ChannelChoice(traitlets.HasTraits):
    """A view of one layer's channels, one of which may be chosen.

    `channel` is the chosen channel or None, `layer` the name of the layer whose it is; setting
    `layer` turns the view to another fitted layer. Raises ValueError for a layer the view cannot
    show.
    """

    engine: ClassVar[str] = "Chip"  # what fits the layers,
    layers_setting: ClassVar[str] = "layers"  # and by which setting

    channel = settable(traitlets.Int, allow_none=True, default_value=None, min=0)
    layer = settable(traitlets.Unicode)

    _evidence: Any
    _chip: Any

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Names of the layers this view can turn to, deepest first."""
        if self._fitted is None:
            return (self._evidence.layer,)
        return tuple(layer.name for layer in self._fitted.layers_)

    @property
    def _fitted(self) -> Any:
        """The engine of a live view, None of a saved one."""
        return self._chip

    @abstractmethod
    def turn_to(self, layer: str) -> None:
        """Show another fitted layer; each view says how."""

    @traitlets.validate("layer")
    def _known_layer(self, proposal: Any) -> str:
        name: str = proposal["value"]
        if name not in self.layer_names:
            raise ValueError(
                f"got the layer {name!r}; expected one of {', '.join(self.layer_names)};"
                f" {self._remedy(name)}"
            )
        return name

    def _remedy(self, name: str) -> str:
        if self._fitted is None:
            return (
                "saved evidence holds one layer; open the view on a fitted"
                f" {self.engine} for others"
            )
        near = nearest(name, self.layer_names)
        return f"nearest: {near}; or fit it: {self.engine}({self.layers_setting}=[{name!r}, ...])"

    @traitlets.observe("layer")
    def _follow_layer(self, change: Any) -> None:
        if change["new"] == self._evidence.layer:
            return
        try:
            self.turn_to(change["new"])
        except Exception:
            self.layer = self._evidence.layer
            raise


class ChannelLink:
    """Keeps the chosen channel of several views equal until `unlink()` is called.

    A channel is a channel of one layer: views that show another layer lose their mark. With
    `layers`, all views turn to the layer that one of them turns to, where they have it.
    """

    def __init__(self, views: tuple[ChannelChoice, ...], *, layers: bool) -> None:
        self._views, self._layers = views, layers
        self._lock = threading.Lock()
        self._waiting: list[tuple[ChannelChoice, bool]] = []
        self._carrier: int | None = None
        for view in views:
            view.observe(self._follow, ["channel", "layer"])
        self._take(views[0], layer=True)

    def __repr__(self) -> str:
        return f"ChannelLink({', '.join(type(view).__name__ for view in self._views)})"

    def unlink(self) -> None:
        """Let every view choose for itself again; what is chosen stays."""
        views, self._views = self._views, ()
        for view in views:
            view.unobserve(self._follow, ["channel", "layer"])

    def _follow(self, change: Any) -> None:
        if self._carrier != threading.get_ident():  # else it is our own doing
            self._take(change["owner"], layer=change["name"] == "layer")

    def _take(self, source: ChannelChoice, *, layer: bool) -> None:
        # the lock is never held while a view is set: views hold locks of their own
        with self._lock:
            self._waiting.append((source, layer))
            if self._carrier is not None:
                return
            self._carrier = threading.get_ident()
        try:
            while (todo := self._next()) is not None:
                self._carry(todo[0], layer=todo[1])
        finally:
            self._carrier = None

    def _next(self) -> tuple[ChannelChoice, bool] | None:
        with self._lock:
            return self._waiting.pop(0) if self._waiting else None

    def _carry(self, source: ChannelChoice, *, layer: bool) -> None:
        others = [view for view in self._views if view is not source]
        refusals = [self._bring(view, source, layer=layer and self._layers) for view in others]
        first = next((refusal for refusal in refusals if refusal is not None), None)
        if first is not None:
            raise first

    def _bring(
        self, view: ChannelChoice, source: ChannelChoice, *, layer: bool
    ) -> ValueError | None:
        refusal = None
        if layer and source.layer in view.layer_names:
            try:
                view.layer = source.layer
            except ValueError as error:  # told once all other views have turned
                refusal = error
        view.channel = source.channel if view.layer == source.layer else None
        return refusal


def link_channels(*views: ChannelChoice, layers: bool = False) -> ChannelLink:
    """Return a link that marks a channel chosen in one view in all of them.

    Views that show another layer lose their mark; with `layers`, all views turn to the layer that
    one of them turns to. The first view's choice holds at the start. Raises ValueError for fewer
    than two views, TypeError for what is no view of channels.
    """
    if len(views) < 2:
        raise ValueError(
            f"got {len(views)} views to link; expected at least two;"
            " pass them one after the other: link_channels(venn, matrix)"
        )
    for view in views:
        if not isinstance(view, ChannelChoice):
            raise TypeError(
                f"got {type(view).__name__} to link; expected a view with a channel and a layer;"
                " pass ChannelVenn, ChannelMatrix, ChannelBars or NeuronConceptGraph"
            )
    return ChannelLink(views, layers=layers)
