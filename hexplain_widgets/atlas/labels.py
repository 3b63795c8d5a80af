"""Names that a person gave to the filters of a layer; kept as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from ..evidence.files import replacing
from ..provenance import fingerprint

FORMAT = 1
MOST_NAME = 200


@dataclass(frozen=True)
class FilterLabels:
    """The part that each named filter of a layer answers to.

    `filters` is how many the layer has, `names` the part by filter number, `network` the hash of
    the weights they were given for (None: any). `without` are filters that were looked at and
    answer to no part. Raises ValueError for numbers the layer has not, for names that are empty,
    and for a filter with a name and without a part.
    """

    layer: str
    filters: int
    names: Mapping[int, str] = field(default_factory=dict)
    network: str | None = None
    without: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for number, name in self.names.items():
            _check_number(number, self.layer, self.filters)
            _check_name(number, name)
        for number in self.without:
            _check_number(number, self.layer, self.filters)
            _check_unnamed(number, self.names.get(number))

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that have a filter, in order of their first filter."""
        return tuple(dict.fromkeys(self.names[k] for k in sorted(self.names)))

    def of(self, part: str) -> tuple[int, ...]:
        """Return the filters of a part, in order of number."""
        return tuple(k for k in sorted(self.names) if self.names[k] == part)

    def save(self, path: str | Path) -> Path:
        """Write the labels as JSON in one step; return the path. Raises OSError on failure."""
        target = Path(path)
        names = {str(k): self.names[k] for k in sorted(self.names)}
        value: dict[str, Any] = {
            "format": FORMAT,
            "layer": self.layer,
            "filters": self.filters,
            "network": self.network,
            "names": names,
            "without": sorted(self.without),
        }
        value["digest"] = _digest(value)
        with replacing(target) as partial:
            partial.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")
        return target

    @classmethod
    def load(cls, path: str | Path) -> FilterLabels:
        """Return saved labels; raises FileNotFoundError, and ValueError for what are none."""
        source = Path(path)
        if not source.is_file():
            raise FileNotFoundError(
                f"there is no file {source}: names of filters were expected, as"
                " FilterLabels.save writes them; check the name"
            )
        try:
            return cls._of(json.loads(source.read_text(encoding="utf-8")))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise ValueError(
                f"cannot load {source}: {error!s:.300}; names of filters were expected, as"
                " FilterLabels.save writes them; take another copy, or take the digest out of one"
                " that you edited"
            ) from error

    @classmethod
    def _of(cls, value: Mapping[str, Any]) -> FilterLabels:
        if type(value["format"]) is not int or value["format"] > FORMAT:
            raise ValueError(f"its format is {value['format']!r}, {FORMAT} at most was expected")
        if "digest" in value and value["digest"] != _digest(value):  # earlier files have none
            raise ValueError("its names are not those of its digest: it was damaged or edited")
        network = value["network"]
        return cls(
            str(value["layer"]),
            int(value["filters"]),
            {int(k): str(name) for k, name in value["names"].items()},
            None if network is None else str(network),
            tuple(int(k) for k in value.get("without", ())),
        )

    def check_fits(self, layer: str, filters: int, model: nn.Module | str | None = None) -> None:
        """Raise ValueError where the labels are of another layer or another network.

        `model` is the network or the hash of its weights; None is not compared.
        """
        if (self.layer, self.filters) != (layer, filters):
            raise ValueError(
                f"got names for the {self.filters} filters of {self.layer!r}; those of {layer!r}"
                f" with its {filters} were expected; take the file of this layer, or name layer="
                f"{self.layer!r}"
            )
        if model is None or self.network is None:
            return
        if self.network != (model if isinstance(model, str) else fingerprint(model)):
            raise ValueError(
                f"got names for the filters of {layer!r} of a network with other weights; this"
                " network's were expected; its filters answer to other things: name them again, or"
                " set network=None to take the names nevertheless"
            )


def _digest(value: Mapping[str, Any]) -> str:
    """Return a hash of everything in a file of names but the hash itself."""
    named = {key: one for key, one in value.items() if key != "digest"}
    return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()


def _check_number(number: int, layer: str, filters: int) -> None:
    if not 0 <= number < filters:
        raise ValueError(
            f"got a name for filter {number} of {layer!r}; expected 0 to {filters - 1}; leave it"
            " out"
        )


def _check_name(number: int, name: str) -> None:
    if not isinstance(name, str) or not name.strip() or len(name) > MOST_NAME:
        raise ValueError(
            f"got {name!r:.60} as the name of filter {number}; expected a text of 1 to {MOST_NAME}"
            " characters; leave unnamed filters out"
        )


def _check_unnamed(number: int, name: str | None) -> None:
    if name is not None:
        raise ValueError(
            f"got filter {number} as one without a part, and with the name {name!r:.60}; expected"
            " one of both; leave it out of `without`, or take the name away"
        )
