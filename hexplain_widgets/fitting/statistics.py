"""What a fit keeps of the data: it adds up in any order, is saved and is taken up again."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
from torch import nn

from ..data.samples import Batch
from ..evidence import Layer
from ..network.classifier import Classifier
from ..provenance import fingerprint
from .states import Arrays, Settings, load_state, save_state

Range = tuple[int, int]
State = tuple[Settings, Arrays]
# Characters that an error shows of what differs.
SHOWN = 300


def joined(ranges: Iterable[Range]) -> list[Range]:
    """Return ranges in order, those that touch as one.

    >>> joined([(4, 6), (0, 2), (2, 3)])
    [(0, 3), (4, 6)]
    """
    apart: list[Range] = []
    for first, last in sorted(ranges):
        if apart and first <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(last, apart[-1][1]))
        else:
            apart.append((first, last))
    return apart


def below(arrays: Arrays, prefix: str) -> Arrays:
    """Return the arrays whose names begin with a prefix, without it."""
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}


@runtime_checkable
class Addend(Protocol):
    """What is kept of one thing, such as a layer."""

    def draft(self) -> Self:
        """Return a copy to add to: this one stays as it is."""

    def merge(self, other: Any) -> None:
        """Add what other data gave."""

    def arrays(self) -> Iterable[tuple[str, np.ndarray]]:
        """Yield everything as arrays by name, for saving."""

    def restore(self, arrays: Arrays) -> None:
        """Take what was saved; raises ValueError or KeyError where it does not fit."""


def numbered(**kinds: Mapping[str, Addend]) -> dict[str, Addend]:
    """Return parts of several kinds, each one for every layer, named by the layer's number."""
    return {
        f"{i}.{kind}": part
        for kind, parts in kinds.items()
        for i, part in enumerate(parts.values())
    }


class Sums:
    """Arrays that add up, the attributes named in `SUMS`, and parts that do.

    `PARTS` are the attributes that hold the parts: one of them, or several by name.
    """

    SUMS: ClassVar[tuple[str, ...]] = ()
    PARTS: ClassVar[tuple[str, ...]] = ()

    def parts(self) -> Mapping[str, Addend]:
        """Return the parts, by what their arrays' names begin with."""
        return {}

    def draft(self) -> Self:
        """Return a copy to add to: this one stays as it is."""
        draft = copy.copy(self)
        for name in self.SUMS:
            setattr(draft, name, getattr(self, name).copy())
        for name in self.PARTS:
            held = getattr(self, name)
            several = isinstance(held, dict)
            drafts = {k: v.draft() for k, v in held.items()} if several else held.draft()
            setattr(draft, name, drafts)
        return draft

    def merge(self, other: Any) -> None:
        """Add what other data gave."""
        for name in self.SUMS:
            getattr(self, name)[...] += getattr(other, name)
        others = other.parts()
        for name, part in self.parts().items():
            part.merge(others[name])

    def arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield everything as arrays by name, for saving."""
        for name in self.SUMS:
            yield name, getattr(self, name)
        for prefix, part in self.parts().items():
            for name, array in part.arrays():
                yield f"{prefix}.{name}", array

    def restore(self, arrays: Arrays) -> None:
        """Take what was saved; raises ValueError or KeyError where it does not fit."""
        for name in self.SUMS:
            own = getattr(self, name)
            if arrays[name].shape != own.shape:
                raise ValueError(f"the sum {name} is not {own.shape}")
            own[...] = arrays[name]
        for prefix, part in self.parts().items():
            part.restore(below(arrays, f"{prefix}."))


@dataclass(frozen=True)
class Scope:
    """What statistics belong to: only those of one network and one plan add up.

    `network` is the hash of the weights, `names` are the classes; `notes` say what is to be known
    of scores and layers, and make no difference.
    """

    network: str
    model: str
    names: tuple[str, ...]
    notes: tuple[str, ...] = field(default=(), kw_only=True, compare=False)

    def aspects(self) -> dict[str, object]:
        """Return by name what has to be the same for statistics to add up."""
        return {
            "network, by the hash of its weights": self.network,
            "layout of the layers": {n: kind for n, kind in self.layouts.items() if kind != "nchw"},
        }

    @property
    def layouts(self) -> dict[str, str]:
        """How the values of each layer lie, by its name."""
        return {layer.name: layer.layout or "nchw" for layer in layers_in(self)}

    def settings(self) -> Settings:
        """Return the fields as JSON values, without what is as usual."""
        return asdict(self, dict_factory=_without_the_usual)

    @classmethod
    def restored(cls, settings: Settings) -> Self:
        """Return what `settings` gave; raises what the conversion of its fields raises."""
        names, notes = (tuple(map(str, settings.get(k, ()))) for k in ("names", "notes"))
        given = {**settings, "names": names, "notes": notes}
        return cls(**{**given, **cls._converted(settings)})

    @classmethod
    def _converted(cls, settings: Settings) -> Settings:
        """Return the fields that JSON values are not what they were."""
        return {}


def _without_the_usual(fields: Iterable[tuple[str, Any]]) -> Settings:
    usual = (("layout", None), ("notes", ()))
    return {name: value for name, value in fields if (name, value) not in usual}


def layers_in(value: Any) -> Iterator[Layer]:
    """Yield the layers that a scope names, in its order."""
    if isinstance(value, Layer):
        yield value
    elif is_dataclass(value):
        yield from layers_in(tuple(getattr(value, f.name) for f in fields(value)))
    elif isinstance(value, tuple):
        for item in value:
            yield from layers_in(item)


def names_of(classifier: Classifier, classes: int) -> tuple[str, str, tuple[str, ...]]:
    """Return a network's hash, its kind and the names of its classes: what a scope begins with."""
    names = tuple(classifier.name(i) for i in range(classes))
    return fingerprint(classifier.model), type(classifier.model).__name__, names


C = TypeVar("C", bound=Scope)
B = TypeVar("B", bound=Sized)


class Statistics(Sums, ABC, Generic[C, B]):
    """What a fit keeps of the data within one scope; it adds up in any order.

    `images` counts all, `done` are the ranges of the data that are in. `KIND` is that of the file,
    `NAME` and `ADVICE` what errors say. `COUNTS` are numbers that add up, `LIMITS` those that a
    plan gives beside the scope; both are saved as settings.
    """

    KIND: ClassVar[str]
    NAME: ClassVar[str]
    ADVICE: ClassVar[str]
    SCOPE: ClassVar[type[Scope]]
    COUNTS: ClassVar[tuple[str, ...]] = ("images",)
    LIMITS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, scope: C) -> None:
        self.scope = scope
        self.images = 0
        self.done: list[Range] = []

    @property
    def may_save(self) -> bool:
        """Whether this is a time to save at: after every batch."""
        return True

    def add(self, batch: B, classifier: Classifier) -> None:
        """Add what one batch gave: all of it or, where anything fails on the way, nothing."""
        with self._whole() as draft:
            draft._add(batch, classifier)
            draft.images += len(batch)
            at = self.done[-1][1] if self.done else 0
            draft.done = joined([*self.done, (at, at + len(batch))])

    @contextmanager
    def _whole(self) -> Iterator[Self]:
        """Yield a draft to add to, which takes this one's place when everything is in it."""
        self._settle()
        draft = self.draft()
        yield draft
        vars(self).update(vars(draft))
        self._settle()

    def _settle(self) -> None:
        """Bring up to date what waited until it pays; what is interrupted goes on the next time."""

    @abstractmethod
    def _add(self, batch: B, classifier: Classifier) -> None:
        """Add to the sums what one batch gave."""

    def merge(self, other: Any, *, same_data: bool = False) -> None:
        """Add what other data, or another part of the same, gave: all of it or nothing.

        Raises like `check_same`.
        """
        self.check_same(other.scope)
        with self._whole() as draft:
            draft._merge(other)
            draft.done = joined([*self.done, *other.done]) if same_data else self.done

    def _merge(self, other: Self) -> None:
        """Add to the sums and counts what other data gave."""
        super().merge(other)
        for name in self.COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def check_same(self, other: C) -> None:
        """Raise ValueError for the scope of another network or plan."""
        theirs = other.aspects()
        for what, here in self.scope.aspects().items():
            if here != theirs[what]:
                raise ValueError(
                    f"got {self.NAME} of another {what} ({theirs[what]!s:.{SHOWN}}); the same was"
                    f" expected ({here!s:.{SHOWN}}); {self.ADVICE}"
                )

    def check_network(self, model: nn.Module | Classifier) -> None:
        """Raise ValueError for a network of other weights, or layers said to lie in another way."""
        classifier = Classifier.of(model)
        self.check_same(replace(self.scope, network=fingerprint(classifier.model)))
        for name, said in classifier.layouts:
            fitted, now = self.scope.layouts.get(name), said if isinstance(said, str) else "own"
            if fitted not in (None, now):
                raise ValueError(
                    f"got layout={{{name!r}: {now!r}}} for {self.NAME} that took its values as"
                    f" {fitted!r}; the same was expected; {self.ADVICE}"
                )

    def check_labels(self, batch: Batch) -> None:
        """Raise ValueError for a label that is no class of the network."""
        classes = len(self.scope.names)
        for label in chain.from_iterable(s.labels or () for s in batch.samples):
            if not 0 <= label < classes:
                raise ValueError(
                    f"got the label {label}; expected a class index from 0 to {classes - 1}; leave"
                    " labels out if they are not the network's"
                )

    @classmethod
    def empty(cls, scope: C, limits: Any) -> Self:
        """Return statistics without an image; `limits` has the attributes of `LIMITS`."""
        return cls(scope, *(getattr(limits, name) for name in cls.LIMITS))

    def copy(self) -> Self:
        """Return the same, to which other data can be added without changing this."""
        same = self.empty(self.scope, self)
        same.merge(self, same_data=True)
        return same

    def state(self) -> State:
        """Return everything as JSON values and arrays."""
        counts = {name: getattr(self, name) for name in (*self.COUNTS, *self.LIMITS)}
        settings = {"origin": self.scope.settings(), **counts, "done": self.done}
        return settings, dict(self.arrays())

    @classmethod
    def from_state(cls, settings: Settings, arrays: Arrays) -> Self:
        """Return what `state` gave; raises ValueError for what does not fit together."""
        try:
            scope: Any = cls.SCOPE.restored(settings["origin"])
            statistics = cls(scope, *(int(settings[name]) for name in cls.LIMITS))
            for name in cls.COUNTS:
                setattr(statistics, name, int(settings[name]))
            statistics.done = [(int(first), int(last)) for first, last in settings["done"]]
            statistics.restore(arrays)
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise ValueError(
                f"cannot take up saved {cls.NAME}: {error!r:.200}; those of a fit were expected;"
                " take another copy of the file, or fit again"
            ) from error
        return statistics

    def save(self, path: str | Path, engine: Settings | None = None) -> Path:
        """Write everything, and an engine's settings where it has some, to a file in one step."""
        settings, arrays = self.state()
        more = {"engine": engine} if engine else {}
        return save_state(path, self.KIND, {**settings, **more}, arrays.items())

    @classmethod
    def load(cls, path: str | Path) -> tuple[Self, Settings]:
        """Return what `save` wrote, and the engine's settings."""
        settings, arrays = load_state(path, cls.KIND)
        engine = settings.get("engine")
        return cls.from_state(settings, arrays), engine if isinstance(engine, dict) else {}
