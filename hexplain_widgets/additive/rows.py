"""What an additive explainer learns from: of each image all that stays the same over epochs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int64, UInt8
from torch import nn

from ..data.samples import Batch
from ..evidence import Layer
from ..fitting.passes import Range, joined
from ..fitting.states import Arrays, Settings, load_state, save_state
from ..network.classifier import Classifier
from ..provenance import fingerprint
from .map_store import MapStore

KIND = "AdditiveRows"
UNLABELLED = -1
_FIELDS = ("keys", "strengths", "priors", "scores", "labels")


@dataclass(frozen=True)
class Origin:
    """What rows belong to: one network, one output to explain, one layer, one list of elements.

    `output` says what is explained, `kind` whether elements are filters or heads, `identity` tells
    the heads from others.
    """

    network: str
    model: str
    classes: tuple[str, ...]
    layer: Layer
    output: str
    index: int
    kind: str
    elements: tuple[str, ...]
    identity: str

    @property
    def key(self) -> str:
        """A short name that equal origins share."""
        told = json.dumps(asdict(self), sort_keys=True).encode()
        return hashlib.blake2b(told, digest_size=12).hexdigest()


@dataclass(frozen=True, eq=False)
class Seen:
    """What images gave: maps `x`, strengths `y_i`, priors `w_i`, scores `y_hat` (Eq. 1-5).

    Maps may lie elsewhere, or in another order.
    """

    keys: UInt8[np.ndarray, "n 16"]
    maps: Float32[np.ndarray, "m k h w"]
    strengths: Float[np.ndarray, "n e"]
    priors: Float[np.ndarray, "n e"]
    scores: Float[np.ndarray, " n"]
    labels: Int64[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.keys)


class Rows:
    """The rows of all `images` seen so far; they add up in any order.

    `memory` bounds the bytes of maps that are not in a file.
    """

    def __init__(self, origin: Origin, memory: int) -> None:
        self.origin = origin
        self.memory = memory
        self.images = 0
        self.done: list[Range] = []
        self._maps = MapStore(memory)
        self._parts: list[Seen] = []
        self._saved = 0

    @property
    def settled(self) -> bool:
        """Whether this is a time to save at: after twice as many images as the last time."""
        if self.images < max(64, 2 * self._saved):
            return False
        self._saved = self.images
        return True

    def add(self, seen: Seen, classifier: Classifier) -> None:
        """Add what one batch gave."""
        self._append(seen)
        at = self.done[-1][1] if self.done else 0
        self.done = joined([*self.done, (at, at + len(seen))])

    def _append(self, seen: Seen) -> None:
        self._maps.append(seen.maps)
        self._parts.append(replace(seen, maps=seen.maps[:0]))
        self.images += len(seen)

    def merge(self, other: Rows, *, same_data: bool = False) -> None:
        """Add what other data, or another part of the same, gave; raises like `check_same`."""
        self.check_same(other.origin)
        self.done = joined([*self.done, *other.done]) if same_data else self.done
        maps, at = other._maps.array(), 0
        for part in other._parts:
            self._append(replace(part, maps=maps[at : at + len(part)]))
            at += len(part)

    def copy(self) -> Rows:
        """Return the same, to which other data can be added without changing this."""
        found = Rows(self.origin, self.memory)
        found.merge(self, same_data=True)
        return found

    def all(self) -> Seen:
        """Return all rows, ordered by image whatever order they came in; maps as they lie."""
        order = self.places()
        columns = {name: self._column(name)[order] for name in _FIELDS}
        return Seen(maps=self._maps.array(), **columns)

    def places(self) -> Int64[np.ndarray, " n"]:
        """Return where the maps of each of the ordered rows lie in `all().maps`."""
        found: Int64[np.ndarray, " n"] = np.lexsort(self._column("keys").T[::-1]).astype(np.int64)
        return found

    def _column(self, name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in self._parts])

    def check_labels(self, batch: Batch) -> None:
        """Raise ValueError for a label that is no class of the network."""
        for label in (s.label for s in batch.samples):
            if label is not None and not 0 <= label < len(self.origin.classes):
                raise ValueError(
                    f"got the label {label}; expected a class index from 0 to"
                    f" {len(self.origin.classes) - 1}; leave labels out if they are not the"
                    " network's"
                )

    def check_same(self, other: Origin) -> None:
        """Raise ValueError for the rows of another network or question."""
        for what, of in _SAME:
            here, there = of(self.origin), of(other)
            if here != there:
                raise ValueError(
                    f"got rows of another {what} ({there!r:.80}); the same was expected"
                    f" ({here!r:.80}); start again without resume, or name another cache"
                )

    def check_network(self, model: nn.Module) -> None:
        """Raise ValueError for a network of other weights."""
        self.check_same(replace(self.origin, network=fingerprint(model)))

    def check_output(self, target: int | str | None) -> None:
        """Raise ValueError where another output is asked for than the rows explain."""
        if target is not None and target not in (self.origin.output, self.origin.index):
            raise ValueError(
                f"got rows of another output to explain ({self.origin.output!r}) for {target!r};"
                " the same was expected to go on with; start again without resume"
            )

    def state(self) -> tuple[Settings, Arrays]:
        """Return everything as JSON values and arrays."""
        settings = {"origin": asdict(self.origin), "done": self.done, "memory": self.memory}
        arrays = {name: self._column(name) for name in _FIELDS} if self._parts else {}
        return settings, {**arrays, "maps": self._maps.array()}

    @classmethod
    def from_state(cls, settings: Mapping[str, Any], arrays: Arrays) -> Rows:
        """Return what `state` gave; raises ValueError for what does not fit together."""
        try:
            found = cls(origin_of(settings["origin"]), int(settings["memory"]))
            found.done = [(int(a), int(b)) for a, b in settings["done"]]
            if len(arrays["maps"]):
                found._append(_checked(Seen(**{n: arrays[n] for n in (*_FIELDS, "maps")})))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise ValueError(
                f"cannot take up saved rows: {error!r:.200}; those of a fit were expected; take"
                " another copy of the file, or fit again"
            ) from error
        return found

    def save(self, path: str | Path) -> Path:
        """Write everything to a file in one step."""
        settings, arrays = self.state()
        return save_state(path, KIND, settings, arrays.items())

    @classmethod
    def load(cls, path: str | Path) -> Rows:
        """Return what `save` wrote."""
        return cls.from_state(*load_state(path, KIND))


_SAME: tuple[tuple[str, Callable[[Origin], object]], ...] = (
    ("network, by the hash of its weights", lambda o: o.network),
    ("layer", lambda o: (o.layer.name, o.layer.shape)),
    ("output to explain", lambda o: o.output),
    ("list of concepts", lambda o: (o.kind, o.elements, o.identity)),
)


def origin_of(value: Mapping[str, Any]) -> Origin:
    """Return an origin from its fields as JSON values; raises what their conversion raises."""
    return Origin(
        network=str(value["network"]), model=str(value["model"]),
        classes=tuple(map(str, value["classes"])), layer=Layer.of(value["layer"]),
        output=str(value["output"]), index=int(value["index"]), kind=str(value["kind"]),
        elements=tuple(map(str, value["elements"])), identity=str(value["identity"]),
    )  # fmt: skip


def _checked(seen: Seen) -> Seen:
    counts: Sequence[int] = [len(getattr(seen, name)) for name in (*_FIELDS, "maps")]
    if len(set(counts)) > 1 or seen.strengths.shape != seen.priors.shape:
        raise ValueError(f"rows of {counts} images, with equally many of each expected")
    return seen
