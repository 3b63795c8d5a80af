"""A network that cannot be traced: its calls are recorded, and replayed up to a cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from .segments import Way
from .stages import Site, Survey, numbered

Key = tuple[str, int]


@dataclass
class _Record:
    """One recorded call of a module: `rank` is its place in the order of completion."""

    key: Key
    module: nn.Module
    parent: int
    rank: int = -1
    value: int = -1
    output: Any = None


class _Reached(BaseException):
    """Ends a replay as soon as the wanted layer has answered; never leaves this module."""

    def __init__(self, value: Tensor) -> None:
        self.value = value


class Recording:
    """All module calls of one forward pass, with copies of what they returned.

    `listening(modules, enter, leave)` is a context in which every call of a module is reported,
    `answering(modules, call)` one in which every module answers through `call`.
    """

    def __init__(
        self,
        model: nn.Module,
        x: Float[Tensor, "1 c h w"],
        *,
        listening: Callable[..., AbstractContextManager[None]],
        answering: Callable[..., AbstractContextManager[None]],
    ) -> None:
        self._model = model
        self._answering = answering
        self._names = {module: name for name, module in model.named_modules()}
        self.records: list[_Record] = []
        self._open: list[int] = [-1]
        self._counts: Counter[str] = Counter()
        self._finished = 0
        self._last: tuple[Any, int] = (None, -1)
        self._last_parent = -1
        self.x = x
        with listening(self._names, self._enter, self._leave), torch.no_grad():
            self.logits = model(x.clone())

    def _enter(self, module: nn.Module, args: Any) -> None:
        name = self._names[module]
        self.records.append(_Record((name, self._counts[name]), module, self._open[-1]))
        self._counts[name] += 1
        self._open.append(len(self.records) - 1)

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        here = self._open.pop()
        record = self.records[here]
        # An in-place operation returns the very object that came; only a container hands one on.
        if output is not self._last[0] or self._last_parent != here:
            self._last = (output, self._finished)
        self._last_parent = record.parent
        record.output, record.value = tree_map(_copied, output), self._last[1]
        record.rank, self._finished = self._finished, self._finished + 1

    @cached_property
    def labels(self) -> list[str]:
        """The names of all calls (`name:1`, `name:2` of a module that is called often)."""
        return numbered([record.key[0] for record in self.records])

    def index(self, name: str) -> int:
        """Return the index of a call by its name; of a module called often, the last by default.

        Raises ValueError where no module of that name was called.
        """
        if name in self.labels:
            return self.labels.index(name)
        found = [i for i, record in enumerate(self.records) if record.key[0] == name]
        if not found:
            raise ValueError(
                f"{name} is the result of a function, and running the network from there again gave"
                " other values; a layer that is a module was expected; choose one with layers=[...]"
            )
        return found[-1]

    def survey(self) -> Survey:
        """Return what appeared in the recorded forward pass."""
        calls = [
            Site(label, r.module, r.parent, r.rank, _shape(r.output), r.value)
            for label, r in zip(self.labels, self.records, strict=True)
        ]
        maps = {r.value: r.output for r in self.records if isinstance(r.output, Tensor)}
        return Survey(sorted((s for s in calls if s.shape), key=lambda s: s.rank), calls, maps,
                      self.logits)  # fmt: skip

    def within(self, index: int) -> set[int]:
        """Return the calls made inside a call, itself included."""
        inside = {index}
        for i in range(index + 1, len(self.records)):
            if self.records[i].parent in inside:
                inside.add(i)
        return inside

    def bound(self, index: int) -> float | None:
        """Return the value at which the last clip inside a call limits its output, if one does."""
        clip = self._clip(index)
        return float(clip.module.max_val) if clip is not None else None

    def _clip(self, index: int) -> Any:
        inside = [self.records[i] for i in self.within(index)]
        last = max((r for r in inside if next(r.module.children(), None) is None),
                   key=lambda r: r.rank)  # fmt: skip
        return last if isinstance(last.module, nn.Hardtanh) else None

    def replay(self, shallow: int | None, deep: int | None) -> Way:
        """Return the way from one recorded call (None: the image) to another (None: the logits)."""

        def run(maps: Tensor, unclipped: bool) -> Tensor:
            clip = self._clip(deep) if unclipped and deep is not None else None
            answers = {} if shallow is None else self._answers(shallow, maps)
            x = maps if shallow is None else _repeated(self.x, len(maps))
            return self._replayed(x, answers, deep, clip)

        return Way(run)

    def _answers(self, shallow: int, maps: Tensor) -> dict[int, Any]:
        """Return what the calls before the cut answer: the outermost ones that do not hold it."""
        cut = self.records[shallow]
        answers: dict[int, Any] = {shallow: maps}
        holding = {shallow}
        parent = cut.parent
        while parent >= 0:
            holding.add(parent)
            parent = self.records[parent].parent
        for i, record in enumerate(self.records):
            if record.rank < cut.rank and i not in holding and record.parent in {-1, *holding}:
                answers[i] = record.output
        return answers

    def _replayed(
        self, x: Tensor, answers: Mapping[int, Any], deep: int | None, clip: _Record | None
    ) -> Tensor:
        at: dict[Key, int] = {r.key: i for i, r in enumerate(self.records)}
        seen: Counter[str] = Counter()
        end = self.records[deep].key if deep is not None else None

        def call(module: nn.Module, forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            key = (self._names[module], seen[self._names[module]])
            seen[key[0]] += 1
            index = at.get(key)
            if index is not None and index in answers:
                seen.update(self.records[i].key[0] for i in self.within(index) - {index})
                out = tree_map(lambda t: _repeated(t, len(x)), answers[index])
            elif clip is not None and key == clip.key:
                out = args[0].clamp(min=float(clip.module.min_val))  # type: ignore[arg-type]
            else:
                out = forward(*args, **kwargs)
            if key == end:
                raise _Reached(out)
            return out

        with self._answering(self._names, call):
            try:
                result: Tensor = self._model(_repeated(x, len(x)))
            except _Reached as reached:
                return reached.value
        return result


def _copied(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value


def _repeated(value: Any, count: int) -> Any:
    if not isinstance(value, Tensor):
        return value
    if value.ndim and value.shape[0] == 1 != count:
        return value.expand(count, *value.shape[1:]).clone()
    return value.clone()


def _shape(output: Any) -> tuple[int, ...]:
    return tuple(output.shape) if isinstance(output, Tensor) else ()
