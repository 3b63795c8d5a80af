"""The user's model is a guest: whatever happens inside, it leaves exactly as it came.

What runs in its place is its twin, a copy of its structure over the same weights.
"""

from __future__ import annotations

import copy
import random
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from types import CellType, FunctionType
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch._C import _len_torch_function_stack
from torch.overrides import TorchFunctionMode, _pop_mode

from .chance import OwnDraws, refusing_draws

# What a module holds beside its own attributes, followed by itself.
_TENSORS = ("_parameters", "_buffers")
_VALUES = (int, float, complex, str, bytes, bool, type(None), torch.dtype, torch.device)
# How deep lists, tuples and dicts among a module's attributes are looked into.
_DEPTH = 3
# What torch itself keeps on every module; all else was set by whoever wrote it.
_OWN = frozenset(vars(nn.Module())) - {"training"}
# What is drawn on another thread than the main one begins with.
SEED = 0
_twins: weakref.WeakKeyDictionary[nn.Module, Twin] = weakref.WeakKeyDictionary()


class Twin:
    """A copy of a network's structure that shares the storage of its weights, and follows it.

    Weights trained further, moved or replaced, layers replaced and attributes set on the original
    are there when `follow` returns; `version` counts the copies made on the way. Nothing on the
    original is touched: what a forward keeps or counts, the twin keeps and counts. `network` is
    None for a network that has no twin, `why` says so. `recordings` is kept for whoever records
    the network, and is empty whenever the network has become another. `lock` is held by whoever
    runs the network, `draws` says whether it was seen to draw random numbers, `chance` is what
    draws them for it on another thread than the main one.
    """

    def __init__(self, original: nn.Module) -> None:
        self.lock = threading.RLock()
        self._original = weakref.ref(original)
        self._copy: _Copy | None = None
        self._whole = True
        self.version = 0
        self.why = ""
        self.recordings: dict[Any, Any] = {}
        self.draws: bool | None = None
        self.chance: OwnDraws | None = None

    @property
    def network(self) -> nn.Module | None:
        """The twin as `follow` left it, None where the original has none."""
        return None if self._copy is None or self.why else self._copy.network

    def follow(self) -> nn.Module | None:
        """Bring the twin to what the original is now and return it, None where there is none."""
        original = self._original()
        outdated = self._copy is None or not self._whole or not self._copy.is_of_today()
        if original is not None and not self.why and outdated:
            self._renew(original)
        return self.fresh()

    def fresh(self) -> nn.Module | None:
        """Return the twin without what earlier runs have left on it, None where there is none."""
        if self._copy is not None and not self.why:
            self._copy.refresh()
        return self.network

    def _renew(self, original: nn.Module) -> None:
        try:
            with torch.inference_mode(False), _SharedTensors():
                made = _Copy(original)
        except Exception as cause:  # what a user's module keeps may refuse a copy in any way
            self.give_up(f"it cannot be copied ({_first_line(cause)})")
        else:
            self._copy, self.version, self.recordings = made, self.version + 1, {}
            self._whole, self.draws = True, None

    def distrust(self) -> None:
        """Copy the network anew at the next question: an interrupt may have left anything."""
        self._whole = False

    def give_up(self, why: str) -> None:
        """Do without a copy from now on: the original itself runs in its place."""
        self.why, self.version, self.recordings = why, self.version + 1, {}


class _Copy:
    """One copy of a network, valid as long as the original is built as it was."""

    def __init__(self, original: nn.Module) -> None:
        memo: dict[int, Any] = {}
        self._builds = [_Build(module) for module in original.modules()]
        self.network = _copied(original, memo)
        originals = [m for m in original.modules() if not hasattr(m, "_orig_mod")]
        self._pairs = [(weakref.ref(m), memo[id(m)]) for m in originals]
        twins = {id(m): memo[id(m)] for m in originals}
        self._hooks = [h for _, twin in self._pairs for h in _hooks_apart(twin, twins)]
        for _, twin in self._pairs:
            twin.training = False
        self._states = [_Attributes(twin) for _, twin in self._pairs]
        self._synced: dict[int, tuple[Any, ...]] = {}

    def is_of_today(self) -> bool:
        """Whether the original is still built as it was when it was copied."""
        return all(build.is_that_of_today() for build in self._builds)

    def refresh(self) -> None:
        """Forget what earlier runs left on the copy, and take the weights of today."""
        for state in self._states:
            state.put_back()
        for hook in self._hooks:
            hook.refresh()
        for reference, twin in self._pairs:
            original = reference()
            if original is not None:
                for name, parameter in original._parameters.items():
                    if parameter is not None:
                        twin._parameters[name] = _weight(parameter, twin._parameters[name])
                for name, buffer in original._buffers.items():
                    if buffer is not None:
                        twin._buffers[name] = self._value(buffer, twin._buffers[name])

    def _value(self, original: Tensor, twin: Tensor | None) -> Tensor:
        """Return the twin's own copy of a buffer, written anew where either has changed."""
        state = (id(original), original._version)
        if twin is not None and self._synced.get(id(twin)) == (*state, twin._version):
            return twin
        if twin is None or _kind(twin) != _kind(original) or _same_storage(original, twin):
            twin = original.detach().clone()
        else:
            twin.copy_(original.detach())
        self._synced[id(twin)] = (*state, twin._version)
        return twin


def _weight(original: Tensor, twin: Tensor | None) -> nn.Parameter:
    """Return the twin's parameter over the storage that the original's has now."""
    if isinstance(twin, nn.Parameter) and _same_storage(original, twin):
        return twin
    return nn.Parameter(original.detach(), requires_grad=False)


class _HookApart:
    """A hook of the user's as `function`: over modules of the twin, and copies of what it keeps.

    What it reads by name, in the function around it or in its module, is what is there today.
    """

    def __init__(self, hook: FunctionType, twins: Mapping[int, nn.Module]) -> None:
        self._hook, self._twins = hook, twins
        cells = tuple(CellType() for _ in hook.__closure__ or ())
        own, name = {**hook.__globals__}, hook.__name__
        self.function = FunctionType(hook.__code__, own, name, hook.__defaults__, cells or None)
        self.function.__kwdefaults__ = hook.__kwdefaults__
        self.refresh()

    def refresh(self) -> None:
        """Forget what runs have kept, and take what the original has today."""
        theirs, own = self._hook.__globals__, self.function.__globals__
        own.update({n: self._apart(theirs[n]) for n in self._hook.__code__.co_names if n in theirs})
        pairs = zip(self.function.__closure__ or (), self._hook.__closure__ or (), strict=True)
        for cell, theirs_cell in pairs:
            with suppress(ValueError):  # a name that has no value yet
                cell.cell_contents = self._apart(theirs_cell.cell_contents)

    def _apart(self, value: Any) -> Any:
        if isinstance(value, nn.Module):
            return self._twins.get(id(value), value)
        return copy.copy(value) if isinstance(value, list | dict | set | deque) else value


def _hooks_apart(twin: nn.Module, twins: Mapping[int, nn.Module]) -> list[_HookApart]:
    """Put hooks that are functions in the place of the original's, which a copy shares."""
    apart = []
    for table in (twin._forward_hooks, twin._forward_pre_hooks):
        for key, hook in table.items():
            if isinstance(hook, FunctionType):
                apart.append(_HookApart(hook, twins))
                table[key] = apart[-1].function
    return apart


class _SharedTensors(TorchFunctionMode):
    """Lets a deep copy hold the very values of tensors that are neither parameters nor buffers."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is Tensor.__deepcopy__:
            tensor, memo = args
            return memo.setdefault(id(tensor), tensor.detach())
        return func(*args, **dict(kwargs or {}))


def _copied(original: nn.Module, memo: dict[int, Any]) -> nn.Module:
    """Return a deep copy over the same weights, in which compiled parts are what they were."""
    for tensor in (*original.parameters(), *original.buffers()):
        memo[id(tensor)] = (
            nn.Parameter(tensor.detach(), requires_grad=False)
            if isinstance(tensor, nn.Parameter)
            else tensor.detach()
        )
    for module in reversed([*original.modules()]):
        plain = vars(module).get("_orig_mod") or module._modules.get("_orig_mod")
        if plain is not None:
            memo[id(module)] = copy.deepcopy(plain, memo)
    return copy.deepcopy(original, memo)


class _Build:
    """How one module of the original is built, to be seen changed: compared, never copied from."""

    def __init__(self, module: nn.Module) -> None:
        own = vars(module)
        self._module = weakref.ref(module)
        self._type = type(module)
        self._values = {k: v for k, v in own.items() if k not in _OWN and not _is_module(v)}
        self._count = len(own)
        self._inner = [(v, _content(v, _DEPTH)) for v in self._values.values() if _is_mutable(v)]
        self._children = [(k, weakref.ref(v)) for k, v in own["_modules"].items() if v is not None]
        self._hooks = [v for k, v in own.items() if k in _OWN and k.endswith("_hooks") and v]
        self._empty = [v for k, v in own.items() if k in _OWN and k.endswith("_hooks") and not v]
        self._inner += [(v, _content(v, _DEPTH)) for v in self._hooks]
        self._tensors = _tensor_names(own)

    def is_that_of_today(self) -> bool:
        """Whether the module is built today as it was."""
        module = self._module()
        if module is None or type(module) is not self._type:
            return False
        own = vars(module)
        return (
            len(own) == self._count
            and not any(self._empty)
            and all(_equal(own.get(k), v) for k, v in self._values.items())
            and self._tensors == _tensor_names(own)
            and self._has_children(own["_modules"])
            and all(_content(v, _DEPTH) == content for v, content in self._inner)
        )

    def _has_children(self, modules: Mapping[str, nn.Module | None]) -> bool:
        present = [(k, v) for k, v in modules.items() if v is not None]
        return len(present) == len(self._children) and all(
            one[0] == other[0] and one[1] is other[1]()
            for one, other in zip(present, self._children, strict=True)
        )


def _is_module(value: Any) -> bool:
    return isinstance(value, nn.Module)


def _is_mutable(value: Any) -> bool:
    """Whether something in a value can change while it stays the same object."""
    if isinstance(value, tuple | frozenset):
        return any(map(_is_mutable, value))
    return isinstance(value, Tensor | Mapping | list | set)


def _tensor_names(own: Mapping[str, Any]) -> list[tuple[str, bool]]:
    return [(k, v is None) for name in _TENSORS for k, v in own[name].items()]


def _equal(value: Any, other: Any) -> bool:
    return value is other or (
        type(value) is type(other) and isinstance(value, _VALUES) and bool(value == other)
    )


def _content(value: Any, depth: int) -> Any:
    """Return what of a value can change in place, compared by identity at its ends."""
    if isinstance(value, _VALUES):
        return value
    if isinstance(value, Tensor):
        return _Same(value), None if value.is_inference() else value._version
    if depth and isinstance(value, Mapping):
        return [(_Same(k), _content(v, depth - 1)) for k, v in value.items()]
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [_content(v, depth - 1) for v in value]
    return _Same(value)


class _Same:
    """Equal to what holds the very same object."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = weakref.ref(value) if _is_module(value) else value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and (
            self.value is other.value
            or (isinstance(self.value, weakref.ref) and self.value == other.value)
        )

    __hash__ = object.__hash__


class _Attributes:
    """The attributes of one module as they were when it was copied."""

    def __init__(self, module: nn.Module) -> None:
        self._own = vars(module)
        self._values = {k: v for k, v in self._own.items() if k not in _OWN}
        self._contents = [
            (v, copy.copy(v)) for v in self._values.values() if type(v) in (list, dict, set)
        ]

    def put_back(self) -> None:
        """Undo what a forward has set on the module or added to its lists since."""
        for name in [k for k in self._own if k not in _OWN and k not in self._values]:
            del self._own[name]
        self._own.update(self._values)
        for container, content in self._contents:
            if _identities(container) == _identities(content):
                continue
            container.clear()
            (container.extend if isinstance(container, list) else container.update)(content)


def _identities(container: Any) -> list[tuple[int, ...]]:
    if isinstance(container, dict):
        return [(id(key), id(value)) for key, value in container.items()]
    return [(id(value),) for value in container]


def _same_storage(one: Tensor, other: Tensor) -> bool:
    return one.data_ptr() == other.data_ptr() and _kind(one) == _kind(other)


def _kind(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.shape, tensor.dtype, tensor.device, tensor.stride()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


def twin_of(model: nn.Module) -> Twin:
    """Return the one twin of this network."""
    # In one step for all threads, and without a lock that an interrupt could leave closed.
    return _twins.get(model) or _twins.setdefault(model, Twin(model))


def lock_of(model: nn.Module) -> threading.RLock:
    """Return the one re-entrant lock of this model: cells and widget callbacks share it."""
    return twin_of(model).lock


def _random_state() -> tuple[Any, ...]:
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return random.getstate(), np.random.get_state(), torch.get_rng_state(), devices  # noqa: NPY002


def _set_random_state(state: tuple[Any, ...]) -> None:
    python, numpy, cpu, devices = state
    random.setstate(python)
    np.random.set_state(numpy)  # noqa: NPY002
    torch.set_rng_state(cpu)
    if devices:
        torch.cuda.set_rng_state_all(devices)


def is_alone() -> bool:
    """Whether nobody else draws meanwhile: the cell that waits for this runs on the main thread."""
    return threading.current_thread() is threading.main_thread()


def drawn_so_far(model: nn.Module) -> tuple[object, ...]:
    """Return what tells whether a network draws random numbers: it is another one then.

    Call it inside `drawing_apart`.
    """
    own = twin_of(model).chance
    if own is not None:
        return (own.count,)
    python, numpy, cpu, devices = _random_state()
    states = [state.numpy().tobytes() for state in (cpu, *devices)]
    return python, numpy[1].tobytes(), *numpy[2:], *states


@contextmanager
def handed_back(put_back: Callable[[], None]) -> Iterator[None]:
    """Run the body and put something back on every way out.

    Twice, for an interrupt may cut the first time short.
    """
    try:
        try:
            yield
        finally:
            put_back()
    finally:
        put_back()


@contextmanager
def same_randomness() -> Iterator[None]:
    """Run the body and leave the random state of Python, numpy and torch as it was.

    That state is everybody's: on any thread but the main one it is not set back, which would undo
    what a cell has drawn in the meantime. There torch draws from generators of the body's own.
    """
    if not is_alone():
        with OwnDraws(SEED):
            yield
        return
    with handed_back(partial(_set_random_state, _random_state())):
        yield


@contextmanager
def drawing_from(seed: int) -> Iterator[None]:
    """Run the body with torch's random numbers drawn from a seed; the global state stays.

    On any thread but the main one that state is never set: there torch draws from generators that
    are the body's own, and gives the same numbers.
    """
    if is_alone():
        with same_randomness():
            torch.manual_seed(seed)
            yield
    else:
        with OwnDraws(seed):
            yield


@contextmanager
def drawing_apart(model: nn.Module) -> Iterator[None]:
    """Run the body with the network; whatever it draws, the global random state stays as it was.

    On any thread but the main one nothing draws from that state: torch's random numbers come from
    generators of the body's own, others are refused by RuntimeError.
    """
    twin = twin_of(model)
    if is_alone():
        with same_randomness():
            yield
    elif twin.chance is not None:
        yield
    else:
        with refusing_draws(), OwnDraws(SEED) as twin.chance:
            try:
                yield
            finally:
                twin.chance = None


class OwnRandomness:
    """A random state that begins as the global one and goes on from body to body of `drawing`.

    The user's data may draw from it (augmentation, shuffling) and the global state stays as it was;
    on any thread but the main one, where it is never set, torch draws from generators of its own.
    """

    def __init__(self) -> None:
        self._own = _random_state()
        self._elsewhere = OwnDraws(SEED)

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Run the body in this state."""
        if not is_alone():
            with self._elsewhere:
                yield
            return
        with same_randomness():
            _set_random_state(self._own)
            yield
            self._own = _random_state()


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    flags = [(module, module.training) for module in model.modules()]

    def put_back() -> None:
        for module, flag in flags:
            module.training = flag

    with handed_back(put_back):
        for module, _ in flags:
            module.training = False
        yield


@contextmanager
def _without_parameter_gradients(model: nn.Module) -> Iterator[None]:
    learning = [p for p in model.parameters() if p.requires_grad]

    def put_back() -> None:
        for p in learning:
            p.requires_grad_(True)

    with handed_back(put_back):
        for p in learning:
            p.requires_grad_(False)
        yield


@contextmanager
def _same_buffers(model: nn.Module) -> Iterator[None]:
    buffers = [
        (module, name, buffer, buffer.detach().clone(), buffer._version)
        for module in model.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]

    def put_back() -> None:
        for module, name, buffer, value, version in buffers:
            module._buffers[name] = buffer
            if buffer._version != version and not torch.equal(buffer, value):
                buffer.detach().copy_(value)

    with handed_back(put_back):
        yield


@contextmanager
def _same_modes() -> Iterator[None]:
    """Run the body and leave this thread's gradient mode and function modes as they were."""
    gradients, modes = torch.is_grad_enabled(), _len_torch_function_stack()

    def put_back() -> None:
        while _len_torch_function_stack() > modes:
            _pop_mode()
        torch.set_grad_enabled(gradients)

    with handed_back(put_back):
        yield


@contextmanager
def visiting(model: nn.Module) -> Iterator[nn.Module]:
    """Run the body alone with the network, and yield what is to run in its place: its twin.

    The twin is in eval mode, without parameter gradients, and all that a forward changes on itself
    is changed on the twin. A network that cannot be copied runs itself; its training flags,
    `requires_grad`, buffers, attributes and random state are put back on success, failure and
    interrupt, and `.grad` is never touched. Works under `torch.no_grad` and `torch.inference_mode`.
    """
    twin, lock = twin_of(model), lock_of(model)
    inside = lock._is_owned()  # type: ignore[attr-defined]
    # On a view's thread what is known to draw nothing need not be watched.
    watched = is_alone() or not (inside or twin.draws is False)
    apart = drawing_apart(model) if watched else nullcontext()
    with lock, _same_modes(), torch.inference_mode(False), apart, _distrusting(twin):
        network = twin.network if inside else twin.follow()
        if network is not None:
            yield network
        else:
            with _unchanged(model):
                yield model


@contextmanager
def _distrusting(twin: Twin) -> Iterator[None]:
    """Run the body; what an interrupt leaves of the twin is not used again."""
    try:
        yield
    except Exception:
        raise
    except BaseException:
        twin.distrust()
        raise


def running(model: nn.Module) -> nn.Module:
    """Return what runs in the place of a network inside `visiting`."""
    return twin_of(model).network or model


def renewed(model: nn.Module) -> nn.Module:
    """Return what runs in the place of a network, without what earlier runs have left on it."""
    return twin_of(model).fresh() or model


@contextmanager
def _same_attributes(model: nn.Module) -> Iterator[None]:
    states = [_Attributes(module) for module in model.modules()]

    def put_back() -> None:
        for state in states:
            state.put_back()

    with handed_back(put_back):
        yield


@contextmanager
def _unchanged(model: nn.Module) -> Iterator[None]:
    with (
        _same_buffers(model),
        _same_attributes(model),
        _without_parameter_gradients(model),
        _evaluating(model),
    ):
        yield


def _closed_kind(module: nn.Module) -> str:
    """Return what kind of module this is that nothing can be asked, in words; else nothing."""
    if isinstance(module, torch.jit.ScriptModule | torch.jit.ScriptFunction):
        return "TorchScript (torch.jit.script, torch.jit.trace)"
    if isinstance(module, fx.GraphModule):
        targets = (node.target for node in module.graph.nodes)
        if any(isinstance(target, torch._ops.OpOverload) for target in targets):
            return "an exported graph (torch.export)"
    quantised = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized")
    return "quantised" if type(module).__module__.startswith(quantised) else ""


def check_welcome(model: nn.Module) -> None:
    """Raise ValueError for a model that cannot be run without a change, or gives no gradient."""
    for name, module in model.named_modules():
        kind = _closed_kind(module)
        if kind:
            where = f"{name} of {type(model).__name__}" if name else type(model).__name__
            raise ValueError(
                f"{where} is {kind}, which cannot be looked into or differentiated; a network of"
                " Python modules in floats was expected; pass the one that it was made from"
            )
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if nn.parameter.is_lazy(tensor):
            raise ValueError(
                f"{name} of {type(model).__name__} has no shape yet (a lazy module); a network that"
                " has seen data was expected; run one batch through it first"
            )
        if tensor.is_meta:
            raise ValueError(
                f"{name} of {type(model).__name__} lies on the meta device, without values; weights"
                " that are loaded were expected; build the network without torch.device('meta'), or"
                " load its weights with assign=True"
            )
        if tensor.is_inference():
            raise ValueError(
                f"{name} of {type(model).__name__} was made under torch.inference_mode; weights"
                " that allow gradients were expected; build or load the network outside of it"
            )
