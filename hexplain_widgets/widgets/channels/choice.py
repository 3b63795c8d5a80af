"""What all views of channels share: the chosen channel, and the layer whose channel it is."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import Any, ClassVar

import traitlets

from ...arguments import nearest
from .._shared.conversation import Content, Stop, answering
from .._shared.payload import faithfulness_fields
from .._shared.view import View, synced
from . import messages as questions


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


class ClassChecks(View):
    """A view of a Chip that can hold the classes it shows against labelled `data`.

    `checks` keeps how far each agrees with ablation, by `spot`; `targets` are the Chip's indices of
    the classes shown, `checkable` says whether there are data to hold them against.
    """

    opened_by: ClassVar[str]  # what makes a live view

    checks = synced(traitlets.Dict)
    targets = synced(traitlets.List)
    checkable = synced(traitlets.Bool)

    _chip: Any
    _data: Any
    _evidence: Any

    def _ask(self, purpose: str) -> Any:
        return answering(self._chip, "Chip", purpose, self.opened_by)

    def _check(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        chip, data = self._ask("to check against ablation"), self._data
        target = questions.class_in(content, chip.classes_)
        layer = questions.layer_in(content, [one.name for one in chip.layers_])
        if data is None:
            raise ValueError(
                f"got no images to hold {chip.classes_[target]!r} against; expected labelled ones,"
                f" as for Chip.fit; pass data= to {type(self).__name__}"
            )
        found = agreement_of(chip, target, data, layer, self._life(content, stopped, {}))
        with self._state_lock:
            self._publish(checks={**self.checks, spot(layer, target): found})
        return found

    def _keep_checks(self, twin: ClassChecks) -> None:
        """Give a twin what is known of the classes it shows."""
        twin.targets, twin.checks = self.targets, self.checks

    def _still_true(self, shown: Any) -> dict[str, Any]:
        """The checks that hold beside other evidence: none where the Chip was fitted otherwise."""
        same = shown.provenance == self._evidence.provenance
        return dict(self.checks) if same else {}

    def _let_go(self) -> None:
        self._chip = self._data = None


def spot(layer: str, target: int) -> str:
    """Return where the check of a class at a layer is kept; names of classes need not differ."""
    return f"{layer}|{target}"


def indices_of(chosen: Sequence[int | str] | None, names: Sequence[str]) -> list[int]:
    """Return the indices of classes that a Chip was asked for, of all for None."""
    if chosen is None:
        return list(range(len(names)))
    once = dict.fromkeys(chosen)
    return [names.index(one) if isinstance(one, str) else int(one) for one in once]


def agreement_of(chip: Any, target: int, data: Any, layer: str, stopped: Stop) -> dict[str, Any]:
    """Return what a view says of a class held against ablation over its images in `data`.

    Raises what Chip.agreement raises, CancelledError once `stopped` says yes.
    """
    found = chip.agreement(target, data, layer, stopped=stopped)
    if stopped():
        raise CancelledError
    return faithfulness_fields(found)


def data_of(data: Any, chip: Any) -> Any:
    """Return labelled data as they are, None for none.

    Raises TypeError for what can be read only once, ValueError where the Chip has no model.
    """
    if data is not None and chip.classifier_ is None:
        raise ValueError(
            "got data, but this Chip was loaded without its model; expected one with it;"
            " load it with the model, or leave data= out"
        )
    if isinstance(data, Iterator):
        raise TypeError(
            f"got {type(data).__name__} as data, which can be read once; expected labelled images"
            " for one check after the other; pass a Dataset, a DataLoader or list(data)"
        )
    return data
