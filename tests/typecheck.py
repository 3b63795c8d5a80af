"""The checker of signatures under pytest: beartype, taking an array of any kind as any array.

`jaxtyped` stands in for jaxtyping's decorator of that name, which checks arguments a second time
with the result, and compiles its checks anew for every inner function that is made.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections import defaultdict
from collections.abc import Callable
from random import Random
from types import CodeType, FunctionType
from typing import Any, Self, get_type_hints

import jaxtyping
import numpy as np
from beartype import BeartypeConf, FrozenDict, beartype
from beartype._check.code import codemain
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import TypeCheckError

# Which items of a list are looked at is drawn from a state of its own, not from everybody's.
codemain.getrandbits = Random(0).getrandbits
checked = beartype(conf=BeartypeConf(hint_overrides=FrozenDict({np.ndarray[Any, Any]: np.ndarray})))

thorough = jaxtyping.jaxtyped
_axes = thorough("context")  # the axes of one call: a name is one number in it
# So many calls of a function are looked at in each test: a picture is thousands of strokes.
MOST = 50


class Checks:
    """What looks at the arguments and at the result of functions of one text."""

    def __init__(self, fn: FunctionType, hints: dict[str, Any], typechecker: Any) -> None:
        self._fn, self._hints, self._typechecker = fn, hints, typechecker
        self._shaped = "jaxtyping" in str(hints)  # only these have axes

    def around(self, fn: FunctionType) -> Callable[..., Any]:
        """Return what checks calls of a function of this text and makes them."""
        once = "<locals>" not in fn.__qualname__ and not inspect.isgeneratorfunction(fn)
        if once and not self._shaped:
            return self._typechecker(_again(fn, self._hints))
        return self._with_axes(fn) if self._shaped else self._before_and_behind(fn)

    def _with_axes(self, fn: FunctionType) -> Callable[..., Any]:
        checking = self._before_and_behind(fn)

        def call(*args: Any, **kwargs: Any) -> Any:
            with _axes:
                return checking(*args, **kwargs)

        return call

    def _before_and_behind(self, fn: FunctionType) -> Callable[..., Any]:
        arguments, result = self._arguments, self._result

        def call(*args: Any, **kwargs: Any) -> Any:
            arguments(*args, **kwargs)
            found = fn(*args, **kwargs)
            # what a comparison says that leaves it to the other side
            return found if found is NotImplemented else result(found)

        return call

    @functools.cached_property
    def _arguments(self) -> Callable[..., None]:
        hints = {name: hint for name, hint in self._hints.items() if name != "return"}
        like = _annotated(f"def like{_bare(self._fn)}: pass", hints)
        return self._typechecker(_named(like, self._fn))

    @functools.cached_property
    def _result(self) -> Callable[[Any], Any]:
        hints = {"result": Any, "return": self._hints.get("return", Any)}
        return self._typechecker(_annotated("def like(result): return result", hints))


Text = tuple[str, str, CodeType]


def _key(fn: FunctionType) -> Text:
    """Functions that dataclasses write are of one code; only their names tell them apart."""
    return fn.__module__, fn.__qualname__, fn.__code__


_known: dict[Text, Checks | None] = {}


def jaxtyped(fn: Any = None, *, typechecker: Any) -> Any:
    """Check a function's arguments and result at each call, or a dataclass's at making one."""
    if fn is None:
        return functools.partial(jaxtyped, typechecker=typechecker)
    if inspect.isclass(fn) and "__init__" in vars(fn) and dataclasses.is_dataclass(fn):
        fn.__init__ = jaxtyped(fn.__init__, typechecker=typechecker)
        return fn
    if isinstance(fn, FunctionType):
        return _watched(fn, typechecker)
    return thorough(fn, typechecker=typechecker)


def _checking(fn: FunctionType, typechecker: Any) -> Callable[..., Any]:
    """Return what checks calls of a function; what checks those of one text is made once."""
    key = _key(fn)
    if key not in _known:
        hints = _hints(fn)
        _known[key] = None if hints is None else Checks(fn, hints, typechecker)
    checks = _known[key]
    return thorough(fn, typechecker=typechecker) if checks is None else checks.around(fn)


def _hints(fn: FunctionType) -> dict[str, Any] | None:
    """What the signature says; None where an axis is a value, or a class is not there yet."""
    if any("{" in str(hint) for hint in fn.__annotations__.values()):
        return None
    try:
        hints = get_type_hints(fn, include_extras=True)
    except (AttributeError, NameError, TypeError):
        return None
    # a function by itself does not know whose Self it is
    return {name: hint for name, hint in hints.items() if str(Self) not in str(hint)}


def _bare(fn: FunctionType) -> str:
    """Names of the arguments; those that may be left out are followed by `=None`."""
    bare = [
        p.replace(annotation=p.empty, default=p.default if p.default is p.empty else None)
        for p in inspect.signature(fn).parameters.values()
    ]
    return str(inspect.Signature(bare))


def _annotated(definition: str, hints: dict[str, Any]) -> FunctionType:
    made: dict[str, Any] = {}
    exec(definition, made)
    made["like"].__annotations__ = hints
    return made["like"]


def _again(fn: FunctionType, hints: dict[str, Any]) -> FunctionType:
    """Return a function as it is, under other hints."""
    again = FunctionType(fn.__code__, fn.__globals__, fn.__name__, None, fn.__closure__)
    again.__annotations__ = hints
    return _named(again, fn)


def _named(like: FunctionType, fn: FunctionType) -> FunctionType:
    like.__defaults__, like.__kwdefaults__ = fn.__defaults__, fn.__kwdefaults__
    like.__name__, like.__qualname__ = fn.__name__, fn.__qualname__
    like.__module__ = fn.__module__
    return like


class Looks:
    """How many calls of functions of one text a test has looked at."""

    test = 0  # of all: which test it is

    def __init__(self) -> None:
        self.test, self.count = -1, 0


_looks: defaultdict[Text, Looks] = defaultdict(Looks)


def begin_test() -> None:
    """Let the calls of every function be looked at again."""
    Looks.test += 1


def _watched(fn: FunctionType, typechecker: Any) -> Any:
    config, looks, call = jaxtyping.config, _looks[_key(fn)], None

    @functools.wraps(fn)
    def watched(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        nonlocal call
        if looks.test != Looks.test:
            looks.test, looks.count = Looks.test, 0
        looks.count += 1
        if looks.count > MOST or config.jaxtyping_disable:
            return fn(*args, **kwargs)
        if call is None:
            call = _checking(fn, typechecker)
        try:
            return call(*args, **kwargs)
        except BeartypeCallHintViolation as error:
            raise _refused(fn, error) from error

    return watched


def _refused(fn: FunctionType, error: BeartypeCallHintViolation) -> TypeCheckError:
    return TypeCheckError(f"{fn.__module__}.{fn.__qualname__}: {error}")
