"""What all views of channels share: the chosen channel, and the layer whose channel it is."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import traitlets

from ...arguments import nearest
from .._shared.view import synced


class ChannelChoice(traitlets.HasTraits):
    """A view of one layer's channels, one of which may be chosen.

    `channel` is the chosen channel or None, `layer` the name of the layer whose it is; setting
    `layer` turns the view to another fitted layer. Raises ValueError for a layer the view cannot
    show.
    """

    engine: ClassVar[str] = "Chip"  # what fits the layers,
    layers_setting: ClassVar[str] = "layers"  # and by which setting

    channel = synced(traitlets.Int, allow_none=True, default_value=None, min=0)
    layer = synced(traitlets.Unicode)

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
                f" {self._way_out(name)}"
            )
        return name

    def _way_out(self, name: str) -> str:
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


def chip_of(chip: Any) -> Any:
    """Return a Chip as it is; raises TypeError for another thing."""
    if not hasattr(chip, "overlap"):
        raise TypeError(
            f"got {type(chip).__name__}; expected a fitted Chip;"
            " make one with Chip().fit(model, data)"
        )
    return chip


def expected(evidence: Any, kind: type, maker: str) -> None:
    """Raise TypeError where evidence is of another kind than the view shows."""
    if not isinstance(evidence, kind):
        raise TypeError(
            f"got {type(evidence).__name__} as evidence; expected a {kind.__name__};"
            f" make one with {maker} or open a saved one with load(path)"
        )
