"""The user's model is a guest: whatever happens inside, it leaves exactly as it came."""

from __future__ import annotations

import random
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .twin import twin_of

_locks: weakref.WeakKeyDictionary[nn.Module, threading.RLock] = weakref.WeakKeyDictionary()
_locks_guard = threading.Lock()


def lock_of(model: nn.Module) -> threading.RLock:
    """Return the one re-entrant lock of this model: cells and widget callbacks share it."""
    with _locks_guard:
        return _locks.setdefault(model, threading.RLock())


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


def _is_alone() -> bool:
    """Whether nobody else draws meanwhile: the cell that waits for this runs on the main thread."""
    return threading.current_thread() is threading.main_thread()


@contextmanager
def same_randomness() -> Iterator[None]:
    """Run the body and leave the random state of Python, numpy and torch as it was.

    That state is everybody's: on any thread but the main one it is not set back, which would undo
    what a cell has drawn in the meantime.
    """
    if not _is_alone():
        yield
        return
    state = _random_state()
    try:
        yield
    finally:
        _set_random_state(state)


class OwnRandomness:
    """A random state that begins as the global one and goes on from body to body of `with`.

    The user's data may draw from it (augmentation, shuffling) and the global state stays as it was;
    on any thread but the main one they draw from the global state, which is never set there.
    """

    def __init__(self) -> None:
        self._own = _random_state()

    def __enter__(self) -> None:
        if _is_alone():
            self._outer = _random_state()
            _set_random_state(self._own)

    def __exit__(self, *_: object) -> None:
        if _is_alone():
            self._own = _random_state()
            _set_random_state(self._outer)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    flags = [(module, module.training) for module in model.modules()]
    try:
        for module, _ in flags:
            module.training = False
        yield
    finally:
        for module, flag in flags:
            module.training = flag


@contextmanager
def _without_parameter_gradients(model: nn.Module) -> Iterator[None]:
    learning = [p for p in model.parameters() if p.requires_grad]
    try:
        for p in learning:
            p.requires_grad_(False)
        yield
    finally:
        for p in learning:
            p.requires_grad_(True)


@contextmanager
def _same_buffers(model: nn.Module) -> Iterator[None]:
    buffers = [
        (module, name, buffer, buffer.detach().clone(), buffer._version)
        for module in model.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    try:
        yield
    finally:
        for module, name, buffer, value, version in buffers:
            _put_back(buffer, value, version)
            module._buffers[name] = buffer


def _put_back(buffer: Tensor, value: Tensor, version: int) -> None:
    if buffer._version != version:
        with torch.no_grad():
            buffer.copy_(value)


@contextmanager
def visiting(model: nn.Module) -> Iterator[nn.Module]:
    """Run the body alone with the network, and yield what is to run in its place: its twin.

    The twin is in eval mode, without parameter gradients, and all that a forward changes on itself
    is changed on the twin. A network that cannot be copied runs itself; its training flags,
    `requires_grad`, buffers and random state are put back on success, failure and interrupt, and
    `.grad` is never touched. Works under `torch.no_grad` and `torch.inference_mode`.
    """
    lock = lock_of(model)
    inside = lock._is_owned()  # type: ignore[attr-defined]
    with lock, torch.inference_mode(False), same_randomness():
        twin = twin_of(model)
        network = twin.network if inside else twin.follow()
        if network is not None:
            yield network
        else:
            with _unchanged(model):
                yield model


def running(model: nn.Module) -> nn.Module:
    """Return what runs in the place of a network inside `visiting`."""
    return twin_of(model).network or model


@contextmanager
def _unchanged(model: nn.Module) -> Iterator[None]:
    with _same_buffers(model), _without_parameter_gradients(model), _evaluating(model):
        yield


def check_welcome(model: nn.Module) -> None:
    """Raise ValueError for a model that cannot be run without a change, or gives no gradient."""
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if nn.parameter.is_lazy(tensor):
            raise ValueError(
                f"{name} of {type(model).__name__} has no shape yet (a lazy module); a network that"
                " has seen data was expected; run one batch through it first"
            )
        if tensor.is_inference():
            raise ValueError(
                f"{name} of {type(model).__name__} was made under torch.inference_mode; weights"
                " that allow gradients were expected; build or load the network outside of it"
            )
