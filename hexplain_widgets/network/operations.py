"""What a network really did with an image, operation by operation, written down as a graph.

The forward is run as it is, through `__call__`, and a mode that holds for one thread notes every
function that takes or makes a tensor; nothing is traced with symbols.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn
from torch.autograd.function import BackwardCFunction
from torch.overrides import TorchFunctionMode

from .outputs import entries, tensors

# Methods that stand for operators, however the forward spells them.
_OPERATORS: Mapping[str, Callable[..., Any]] = {
    "__getitem__": operator.getitem,
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "__truediv__": operator.truediv,
    "true_divide": operator.truediv,
    "matmul": operator.matmul,
    "neg": operator.neg,
}
# What a network reads out of its own values decides its way: another picture may take another.
_READS = frozenset(
    (
        "item",
        "tolist",
        "numpy",
        "__array__",
        "__bool__",
        "__int__",
        "__float__",
        "__index__",
        "__complex__",
        "__contains__",
        "equal",
        "allclose",
        "is_nonzero",
    )
)
# What makes no value that an answer depends on.
_NO_MATH = frozenset(
    (
        "register_hook",
        "retain_grad",
        "_assert",
        "__repr__",
        "__format__",
        "__set__",
        "__delete__",
        "_set_grad_enabled",
    )
)


class Unrecordable(Exception):
    """A forward whose operations, noted once, would not be its operations for other values."""


class _OwnForward(Unrecordable):
    """A forward with an autograd function of its own, or one that switches gradients off."""


class SharesModules(Exception):
    """A forward that runs modules of the original network, from a function that knows it."""


class _OwnGradient(Exception):
    """The gradient is not that of the operations: an autograd function ran, or gradients were off.

    The module around is then called as a whole.
    """

    def __init__(self, module: nn.Module | None) -> None:
        super().__init__()
        self.module = module


@dataclass(frozen=True)
class _Value:
    """Where a tensor comes from: the entry's result, or the part of it that `path` leads to."""

    entry: int
    path: tuple[Any, ...] = ()


@dataclass(frozen=True)
class _Entry:
    """One operation: `op` and `target` are those of a node of torch.fx, tensors are values."""

    op: str
    target: Any
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] | None = None
    around: int = -1


@dataclass(frozen=True)
class Call:
    """One call of a module: `parent` is the index of the call around it, -1 outside all others."""

    name: str
    module: nn.Module
    parent: int
    node: fx.Node | None = None
    value: _Value | None = None


class _WholeCall(NamedTuple):
    """A module that is called as a whole: what it got, and how often each tensor had changed."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    versions: tuple[int, ...]


class _Log(TorchFunctionMode):
    """Notes every operation of one forward pass outside of the modules that are called whole."""

    def __init__(
        self,
        network: nn.Module,
        whole: frozenset[nn.Module],
        foreign: frozenset[int],
        switches: bool,
    ) -> None:
        super().__init__()
        self._switches = switches
        self.entries: list[_Entry] = [_Entry("placeholder", "x")]
        self.calls: list[Call] = []
        self.unknown: list[Tensor] = []
        self.read_sizes = False
        self._names = {module: name for name, module in network.named_modules()}
        self._held = _held(network)
        self._known: dict[int, _Value] = {}
        self._stale: set[int] = set()
        self._sharing: dict[int, list[Tensor]] = {}
        self._alive: list[Any] = []
        self._open: list[int] = [-1]
        self._inside: list[_WholeCall] = []
        self._of_whole: set[int] = set()
        self._whole, self._foreign = whole, foreign

    # modules -----------------------------------------------------------------------------------

    def enter(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A module is called."""
        if self._inside:
            self._inside.append(_WholeCall((), {}, ()))
            return
        self.calls.append(Call(self._names[module], module, self._open[-1]))
        self._open.append(len(self.calls) - 1)
        if self._is_whole(module):
            versions = _versions((args, kwargs))
            self._inside.append(_WholeCall(self._noted(args), self._noted(kwargs), versions))

    def leave(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> None:
        """A module has answered."""
        if self._inside:
            call = self._inside.pop()
            if self._inside:
                return
            name, here = self._names[module], self._open[-1]
            self._of_whole.update(map(id, _tensors(output)))
            changed = self._changed((args, kwargs), call.versions)
            self._note(_Entry("call_module", name, call.args, call.kwargs, here), output, changed)
        if isinstance(output, Tensor) and id(output) in self._known:
            known = self.value(output)
            self.calls[self._open[-1]] = replace(self.calls[self._open[-1]], value=known)
        self._open.pop()

    def _is_whole(self, module: nn.Module) -> bool:
        torch_own = type(module).__module__.startswith(("torch.nn", "torch.ao.nn"))
        own = torch_own and "forward" not in vars(module)
        return module in self._whole or (own and not isinstance(module, nn.Sequential))

    def _check_gradient(self, tensor: Tensor) -> None:
        """Raise where a tensor's gradient is not that of the operation that made it."""
        function: Any = tensor.grad_fn
        if isinstance(function, BackwardCFunction) and id(tensor) not in self._of_whole:
            raise self._own_gradient()

    def _own_gradient(self) -> _OwnGradient:
        here = self._open[-1]
        return _OwnGradient(self.calls[here].module if here >= 0 else None)

    # functions ---------------------------------------------------------------------------------

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        settings = dict(kwargs or {})
        if self._inside:
            return func(*args, **settings)
        name = getattr(func, "__name__", "")
        if name == "__iter__":
            return iter(self.__torch_function__(Tensor.unbind, types, args))
        versions = _versions((args, settings))
        given = (tuple(args), settings)
        if name == "__setitem__":
            return self._assigned(func, given)
        if name in _READS and any(id(t) in self._known for t in _tensors(given)):
            raise Unrecordable("its way depends on the values in it")
        if name not in _NO_MATH:
            noted = self._noted(given[0]), self._noted(settings)
        output = func(*args, **settings)
        if next(_tensors(output), None) is None:
            self.read_sizes = self.read_sizes or name not in _NO_MATH
        elif name not in _NO_MATH:
            op, target, ordered = _normalised(func, name, noted[0], noted[1])
            entry = _Entry(op, target, ordered, noted[1], self._open[-1])
            self._note(entry, output, self._changed(given, versions))
        return output

    def _assigned(self, func: Callable[..., Any], given: tuple[Any, ...]) -> None:
        """`x[index] = value`: from here on, x is what the assignment has made of it."""
        changed = given[0][0]
        noted = self._noted(given[0])
        func(*given[0])
        self._note(_Entry("call_function", assigned, noted, {}, self._open[-1]), changed, [changed])

    def _note(self, entry: _Entry, output: Any, changed: Sequence[Tensor]) -> None:
        if not (torch.is_grad_enabled() or self._switches):
            raise self._own_gradient()
        self.entries.append(entry)
        self._alive.append(output)
        number = len(self.entries) - 1
        self._forget_aliases(changed, output)
        for path, tensor in _with_paths(output):
            self._known[id(tensor)] = _Value(number, path)
            self._stale.discard(id(tensor))
            self._sharing.setdefault(_storage(tensor), []).append(tensor)

    def _forget_aliases(self, changed: Sequence[Tensor], output: Any) -> None:
        """What shares memory with a tensor that changed in place has changed unseen."""
        results = {id(t) for t in _tensors(output)}
        for tensor in changed:
            for alias in self._sharing.get(_storage(tensor), []):
                if id(alias) not in results:
                    self._stale.add(id(alias))

    def _changed(self, given: Any, versions: tuple[int, ...]) -> list[Tensor]:
        pairs = zip(_tensors(given), versions, strict=True)
        return [t for t, version in pairs if _version(t) != version]

    # values ------------------------------------------------------------------------------------

    def begin(self, x: Tensor) -> None:
        """Know the image by its place."""
        self._alive.append(x)
        self._known[id(x)] = _Value(0)
        self._sharing.setdefault(_storage(x), []).append(x)

    def value(self, tensor: Tensor) -> Any:
        """Return where a tensor comes from."""
        if id(tensor) in self._stale:
            raise Unrecordable("it changes a part of a tensor in place")
        known = self._known.get(id(tensor))
        if known is not None:
            self._check_gradient(tensor)
            return known
        return self._constant(tensor)

    def _constant(self, tensor: Tensor) -> _Value:
        if id(tensor) in self._foreign:
            raise SharesModules
        name = self._held.get(id(tensor))
        if name is None:
            name = f"_constant{len(self.unknown)}"
            self.unknown.append(tensor)
        self.entries.append(_Entry("get_attr", name, around=self._open[-1]))
        self._alive.append(tensor)
        value = self._known[id(tensor)] = _Value(len(self.entries) - 1)
        return value

    def _noted(self, value: Any) -> Any:
        """Return a value in which tensors are replaced by where they come from."""
        if isinstance(value, Tensor):
            return self.value(value)
        if isinstance(value, tuple | list):
            return (list if isinstance(value, list) else tuple)(self._noted(v) for v in value)
        if isinstance(value, Mapping):
            return {k: self._noted(v) for k, v in value.items()}
        if isinstance(value, slice):
            return slice(*map(self._noted, (value.start, value.stop, value.step)))
        return value


def assigned(x: Tensor, index: Any, value: Any) -> Tensor:
    """Return a tensor after `x[index] = value`."""
    x[index] = value
    return x


def _held(network: nn.Module) -> dict[int, str]:
    """Return the path of every tensor that is an attribute of a module."""
    names: dict[int, str] = {}
    for prefix, module in network.named_modules():
        own = {**vars(module), **module._buffers, **module._parameters}
        for name, value in own.items():
            if isinstance(value, Tensor):
                names.setdefault(id(value), f"{prefix}.{name}" if prefix else name)
    return names


def _normalised(
    func: Callable[..., Any], name: str, args: Any, kwargs: Mapping[str, Any]
) -> tuple[str, Any, tuple[Any, ...]]:
    """Return op, target and arguments as torch.fx writes them."""
    if getattr(Tensor, name, None) is not func:
        return "call_function", func, args
    if name in _OPERATORS and not kwargs:
        return "call_function", _OPERATORS[name], args
    return "call_method", name, args


def _tensors(value: Any) -> Iterator[Tensor]:
    for _, tensor in _with_paths(value):
        yield tensor


def _with_paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Tensor]]:
    if isinstance(value, Tensor):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _with_paths(item, (*path, key))
    elif isinstance(value, tuple | list):
        for key, item in enumerate(value):
            yield from _with_paths(item, (*path, key))


def _version(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version


def _versions(given: Any) -> tuple[int, ...]:
    return tuple(map(_version, _tensors(given)))


def _storage(tensor: Tensor) -> int:
    try:
        return tensor.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError):  # sparse and quantised tensors may have none
        return id(tensor)


def _replaced(output: Any, nodes: Mapping[int, fx.Node]) -> Any:
    """Return what a network returned with nodes in the place of tensors, under the same names."""
    if isinstance(output, Tensor):
        return nodes[id(output)]
    held = {key: _replaced(value, nodes) for key, value in entries(output)}
    if isinstance(output, Mapping):
        return held
    if isinstance(output, tuple | list) and not hasattr(output, "_fields"):
        return tuple(held.values())
    return SimpleNamespace(**{str(key): value for key, value in held.items()})


# Reports calls of modules: `listening(modules, enter, leave)` is a context in which it does.
Listening = Callable[..., AbstractContextManager[None]]
# Returns the network as no run has left it yet.
Fresh = Callable[[], nn.Module]


def _logged(
    fresh: Fresh,
    x: Tensor,
    listening: Listening,
    whole: frozenset[nn.Module],
    foreign: frozenset[int],
    switches: bool = False,
) -> tuple[_Log, Any]:
    network = fresh()
    log = _Log(network, whole, foreign, switches)
    parts = [module for module in network.modules() if module is not network]
    with torch.enable_grad(), listening(parts, log.enter, log.leave):
        image = (x.clone() if x.is_inference() else x.detach()).requires_grad_().clone()
        log.begin(image)
        with log:
            output = network(image)
    return log, output


def _without_gradients(fresh: Fresh, x: Tensor) -> bool:
    """Whether the forward switches gradients off, so that none reaches its scores."""
    with torch.enable_grad():
        image = (x.clone() if x.is_inference() else x.detach()).requires_grad_().clone()
        return not any(one.requires_grad for _, one in tensors(fresh()(image)))


def _complete(
    fresh: Fresh, x: Tensor, listening: Listening, foreign: frozenset[int], switches: bool
) -> tuple[_Log, Any, frozenset[nn.Module]]:
    """Return a log in which every module with an autograd function of its own is called whole."""
    whole: frozenset[nn.Module] = frozenset()
    while True:
        try:
            return *_logged(fresh, x, listening, whole, foreign, switches), whole
        except _OwnGradient as own:
            if own.module is None or own.module in whole:
                raise _OwnForward("its forward has an autograd function of its own") from None
            whole = whole | {own.module}


def _recorded(
    fresh: Fresh, x: Tensor, listening: Listening, foreign: frozenset[int]
) -> tuple[_Log, Any, frozenset[nn.Module], bool]:
    """Return a log, and whether its forward switches gradients off, which is then overlooked."""
    try:
        log, output, whole = _complete(fresh, x, listening, foreign, switches=False)
    except _OwnForward:
        if not _without_gradients(fresh, x):
            raise
    else:
        if any(one.requires_grad for _, one in tensors(output)):
            return log, output, whole, False
    return *_complete(fresh, x, listening, foreign, switches=True), True


class RecordedOperations:
    """The operations of one forward pass as nodes of torch.fx, for any number of images.

    `result` is the network's output with nodes in the place of tensors. Sizes that are the number
    of images, found by running two, follow the images that are run later.
    Raises Unrecordable where what ran for this image need not be what runs for another, and
    SharesModules where a tensor of `foreign` ones is used.
    """

    def __init__(
        self,
        fresh: Fresh,
        x: Tensor,
        *,
        listening: Listening,
        foreign: Iterable[Tensor] = (),
    ) -> None:
        ids = frozenset(map(id, foreign))
        log, output, whole, self.switched_off = _recorded(fresh, x, listening, ids)
        ends = {id(tensor): log.value(tensor) for _, tensor in tensors(output)}
        self._counts = self._counted(log, fresh, x, listening, whole, ids)
        self.constants = {f"_constant{i}": t.detach() for i, t in enumerate(log.unknown)}
        self._graph = fx.Graph()
        self._nodes: list[fx.Node] = []
        self._parts: dict[_Value, fx.Node] = {}
        self._size: fx.Node | None = None
        self.around: dict[fx.Node, int] = {}
        for number, entry in enumerate(log.entries):
            self._nodes.append(self._node(number, entry))
        self.image = self._nodes[0]
        self.result = _replaced(output, {key: self._at(end) for key, end in ends.items()})
        self.calls = tuple(
            replace(c, node=None if c.value is None else self._at(c.value), value=None)
            for c in log.calls
        )
        self._graph.output(tuple(self._at(end) for end in ends.values()))
        self.nodes = tuple(n for n in self._graph.nodes if n.op != "output")

    def _counted(
        self,
        log: _Log,
        fresh: Fresh,
        x: Tensor,
        listening: Listening,
        whole: frozenset[nn.Module],
        foreign: frozenset[int],
    ) -> dict[tuple[int, tuple[Any, ...]], int]:
        """Return where entries hold numbers that grow with the images, and how much each adds."""
        if not (log.read_sizes or log.unknown):
            return {}
        try:
            pair = x.expand(2, *x.shape[1:])
            two, _ = _logged(fresh, pair, listening, whole, foreign, self.switched_off)
        # A forward that is written for one image at a time may fail in any way on two.
        except Exception:
            two = None
        if two is None or not _alike(log, two):
            if log.unknown:
                raise Unrecordable("it holds tensors of unknown origin")
            return {}
        if any(a is not b for a, b in zip(log.unknown, two.unknown, strict=True)):
            raise Unrecordable("it makes tensors in a way that is not seen")
        pairs = zip(log.entries, two.entries, strict=True)
        return {
            (i, path): count
            for i, (one, other) in enumerate(pairs)
            for path, count in _growing((one.args, one.kwargs), (other.args, other.kwargs))
        }

    def _node(self, number: int, entry: _Entry) -> fx.Node:
        args, kwargs = (
            self._given(part, number, (i,)) for i, part in enumerate((entry.args, entry.kwargs))
        )
        node = self._graph.create_node(entry.op, entry.target, args or (), kwargs or {})
        self.around[node] = entry.around
        return node

    def _given(self, value: Any, number: int, path: tuple[Any, ...]) -> Any:
        if isinstance(value, _Value):
            return self._at(value)
        if (number, path) in self._counts:
            return self._sized(self._counts[number, path])
        if isinstance(value, tuple | list):
            items = [self._given(v, number, (*path, i)) for i, v in enumerate(value)]
            return items if isinstance(value, list) else tuple(items)
        if isinstance(value, Mapping):
            return {k: self._given(v, number, (*path, k)) for k, v in value.items()}
        if isinstance(value, slice):
            parts = (value.start, value.stop, value.step)
            return slice(*(self._given(v, number, (*path, i)) for i, v in enumerate(parts)))
        return value

    def _sized(self, count: int) -> Any:
        """Return the node of the number of images, times a count."""
        if self._size is None:
            self._size = self._graph.create_node("call_method", "size", (self._nodes[0], 0))
        if count == 1:
            return self._size
        return self._graph.create_node("call_function", operator.mul, (self._size, count))

    def _at(self, value: _Value) -> fx.Node:
        node = self._nodes[value.entry]
        for depth, key in enumerate(value.path, 1):
            part = _Value(value.entry, value.path[:depth])
            if part not in self._parts:
                item = self._graph.create_node("call_function", operator.getitem, (node, key))
                self.around[item] = self.around[node]
                self._parts[part] = item
            node = self._parts[part]
        return node


def _alike(one: _Log, two: _Log) -> bool:
    return len(one.entries) == len(two.entries) and all(
        (a.op, a.target) == (b.op, b.target) for a, b in zip(one.entries, two.entries, strict=True)
    )


def _growing(
    one: Any, two: Any, path: tuple[Any, ...] = ()
) -> Iterator[tuple[tuple[Any, ...], int]]:
    """Yield where two images have twice the number that one has, and that number."""
    if isinstance(one, Mapping) and isinstance(two, Mapping):
        pairs = [(k, v, two.get(k)) for k, v in one.items()]
    elif isinstance(one, tuple | list) and isinstance(two, tuple | list):
        if len(one) != len(two):
            raise Unrecordable("its operations differ with the number of images")
        pairs = [(i, a, b) for i, (a, b) in enumerate(zip(one, two, strict=True))]
    elif isinstance(one, slice) and isinstance(two, slice):
        ends = ((s.start, s.stop, s.step) for s in (one, two))
        pairs = [(i, a, b) for i, (a, b) in enumerate(zip(*ends, strict=True))]
    else:
        pairs = []
        if type(one) is int and type(two) is int and two == 2 * one != one:
            yield path, one
        elif type(one) in (int, float) and one != two and one == one:
            raise Unrecordable("its numbers depend on that of images in a way of their own")
    for key, a, b in pairs:
        yield from _growing(a, b, (*path, key))
