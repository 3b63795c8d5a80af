"""What views of a Chip are opened with, and how they hold its classes against ablation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import Any, ClassVar

import traitlets

from .._shared.agreement import faithfulness_fields, trust_words
from .._shared.conversation import Content, Stop, answering
from .._shared.messages import layer_in
from .._shared.view import View, synced
from . import messages


def chip_of(chip: Any) -> Any:
    """Return a Chip as it is; raises TypeError for another thing."""
    if not hasattr(chip, "overlap"):
        raise TypeError(
            f"got {type(chip).__name__}; expected a fitted Chip;"
            " make one with Chip().fit(model, data)"
        )
    return chip


class ClassChecks(View):
    """A view of a Chip that can hold the classes it shows against labelled `data`.

    `checks` keeps how far each agrees with ablation, by `spot`; `targets` are the Chip's indices of
    the classes shown, `checkable` says whether there are data to hold them against.
    """

    opened_by: ClassVar[str]  # what makes a live view

    checks = synced(traitlets.Dict)
    words = trust_words()
    targets = synced(traitlets.List)
    checkable = synced(traitlets.Bool)

    _chip: Any
    _data: Any
    _evidence: Any

    def _ask(self, purpose: str) -> Any:
        return answering(self._chip, "Chip", purpose, self.opened_by)

    def _check(self, content: Content, stopped: Stop) -> Mapping[str, Any]:
        chip, data = self._ask("to check against ablation"), self._data
        target = messages.class_in(content, chip.classes_)
        layer = layer_in(content, [one.name for one in chip.layers_])
        if data is None:
            raise ValueError(
                f"got no images to hold {chip.classes_[target]!r} against; expected labelled ones,"
                f" as for Chip.fit; pass data= to {type(self).__name__}"
            )
        check = agreement_of(chip, target, data, layer, stopped)
        with self._state_lock:
            self._publish(checks={**self.checks, spot(layer, target): check})
        return check

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
    faithfulness = chip.agreement(target, data, layer, stopped=stopped)
    if stopped():
        raise CancelledError
    return faithfulness_fields(faithfulness)


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
