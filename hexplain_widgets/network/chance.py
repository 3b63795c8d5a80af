"""Random numbers on the thread of a view, where the global state, everybody's, is not drawn from.

What torch draws there comes from generators of its own; what would draw from Python's or numpy's
state, or set torch's, is refused before it does.
"""

from __future__ import annotations

import dis
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import CodeType, FrameType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

# The overloads of random operations that take a generator, by those that do not.
_WITH_GENERATOR: Mapping[str, str] = {
    "default": "generator",
    "low": "low_generator",
    "Tensor": "Tensor_generator",
    "low_dtype": "low_generator_dtype",
}
# What draws from Python's state and numpy's, and what sets torch's (torch wraps these anew).
_DRAW = (random.random, np.random.rand)
_SETS_TORCHS = ("manual_seed", "seed", "set_rng_state")
_MODULES = (random, np, np.random)


class OwnDraws(TorchDispatchMode):
    """Lets what torch draws on this thread come from a seed, as it does behind `manual_seed`.

    `count` is how often it has drawn.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0
        self._seed = seed
        self._generators: dict[torch.device, torch.Generator] = {}

    def __torch_dispatch__(
        self,
        func: Any,
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        settings = dict(kwargs or {})
        if func is torch.ops.aten.native_dropout.default:
            return self._dropped(*args, **settings)
        func = _with_generator(func)
        if any(argument.name == "generator" for argument in func._schema.arguments):
            given = next((a.device for a in args if isinstance(a, Tensor)), None)
            device = given or torch.device(settings.get("device") or "cpu")
            if settings.get("generator") is None:
                settings["generator"] = self._of(device)
        return func(*args, **settings)

    def _of(self, device: torch.device) -> torch.Generator:
        self.count += 1
        if device not in self._generators:
            self._generators[device] = torch.Generator(device).manual_seed(self._seed)
        return self._generators[device]

    def _dropped(self, x: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
        """Return what an accelerator's dropout does, which takes no generator."""
        if not train:
            return x.clone(), torch.ones_like(x, dtype=torch.bool)
        kept = torch.empty_like(x).bernoulli_(1 - p, generator=self._of(x.device))
        return x * kept * (1 / (1 - p) if p < 1 else 0), kept.bool()


def _with_generator(func: Any) -> Any:
    """Return the overload of a random operation that takes a generator, any other as it is."""
    name = _WITH_GENERATOR.get(func._overloadname)
    takes = name is not None and name in func.overloadpacket.overloads()
    return getattr(func.overloadpacket, str(name)) if takes else func


@contextmanager
def refusing_draws() -> Iterator[None]:
    """Run the body on this thread; raises RuntimeError before anything draws from everybody's.

    That is Python's and numpy's random state; nothing may set torch's either. Seen is what code of
    Python's calls by a name of its module or of its own.
    """
    lines: dict[CodeType, frozenset[int]] = {}
    before = sys.gettrace()
    sys.settrace(partial(_entered, lines))
    try:
        yield
    finally:
        sys.settrace(before)


Tracing = Callable[[FrameType, str, Any], Any]


def _entered(
    lines: dict[CodeType, frozenset[int]], frame: FrameType, event: str, _: object
) -> Tracing | None:
    code = frame.f_code
    if code not in lines:
        lines[code] = frozenset(_drawing_lines(code, frame.f_globals))
    return partial(_reached, lines[code]) if lines[code] else None


def _reached(lines: frozenset[int], frame: FrameType, event: str, _: object) -> Tracing:
    if event == "line" and frame.f_lineno in lines:
        raise RuntimeError(
            f"{frame.f_code.co_qualname} (line {frame.f_lineno} of {frame.f_code.co_filename})"
            " draws from Python's or numpy's random state or sets torch's, which are everybody's: a"
            " view at work leaves them alone; a forward without random numbers, or with torch's"
            " alone, was expected; take them out, or ask in a cell, as with hx.decompose"
        )
    return partial(_reached, lines)


def _drawing_lines(code: CodeType, names: Mapping[str, Any]) -> Iterator[int]:
    """Yield the lines of a function that name what draws from everybody's random state."""
    if not any(name in ("random", "numpy") or _concerns(names.get(name)) for name in code.co_names):
        return
    value: Any = None
    local: dict[str, Any] = {}
    for step in dis.get_instructions(code):
        if step.opname == "STORE_FAST":
            local[step.argval] = value
        value = _named(step, value, names, local)
        if _is_everybodys(value) and step.positions is not None:
            yield step.positions.lineno or code.co_firstlineno


def _named(
    step: dis.Instruction, before: Any, names: Mapping[str, Any], local: Mapping[str, Any]
) -> Any:
    """Return what an instruction names, None for anything that is no module or function."""
    match step.opname:
        case "LOAD_GLOBAL" | "LOAD_NAME":
            return names.get(step.argval)
        case "LOAD_FAST":
            return local.get(step.argval)
        case "IMPORT_NAME":
            return sys.modules.get(step.argval)
        case "LOAD_ATTR" | "LOAD_METHOD" | "IMPORT_FROM" if isinstance(before, ModuleType):
            return getattr(before, step.argval, None)
    return None


def _concerns(value: Any) -> bool:
    return any(value is module for module in (*_MODULES, torch)) or _is_everybodys(value)


def _owner(value: Any) -> Any:
    return getattr(value, "__self__", None) if callable(value) else None


def _is_everybodys(value: Any) -> bool:
    owner = _owner(value)
    if owner is not None and any(owner is _owner(draw) for draw in _DRAW):
        return True
    name = getattr(value, "__name__", "")
    return name in _SETS_TORCHS and getattr(value, "__module__", "") == torch.random.__name__
