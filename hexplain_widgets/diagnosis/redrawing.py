"""Networks with weights drawn anew, from the top down: what explanations are held against."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..network.guest import same_randomness, visiting

State = Mapping[str, Tensor]


class _Uses(TorchFunctionMode):
    """Notes in which order a network's tensors are used, by their last use."""

    def __init__(self, known: Iterable[int]) -> None:
        super().__init__()
        self._known = frozenset(known)
        self.order: dict[int, None] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        for value in (*args, *(kwargs or {}).values()):
            if isinstance(value, Tensor) and id(value) in self._known:
                self.order.pop(id(value), None)
                self.order[id(value)] = None
        return func(*args, **(kwargs or {}))


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    """Return the parameters and buffers that are a module's own."""
    own = {**module._parameters, **module._buffers}
    return {name: tensor for name, tensor in own.items() if tensor is not None}


def layers_from_top(model: nn.Module, x: Float[Tensor, "1 c h w"]) -> list[list[str]]:
    """Return the layers with weights that an image passes, the last one first.

    Each is the name of a module with weights, and those of the normalisations that follow it.
    """
    owner = {id(t): name for name, m in model.named_modules() for t in _tensors(m).values()}
    uses = _Uses(owner)
    with visiting(model), torch.no_grad(), uses:
        model(x)
    names = list(dict.fromkeys(owner[tensor] for tensor in reversed(uses.order)))[::-1]
    found: list[list[str]] = []
    for name in names:
        weights = model.get_submodule(name).parameters(recurse=False)
        if not found or any(p.ndim > 1 for p in weights):
            found.append([])
        found[-1].append(name)
    return found[::-1]


class Redrawn:
    """A copy of a network whose topmost layers' weights are drawn anew, as many as are asked for.

    Every module draws as it did when it was made (`reset_parameters`): weights and biases, and the
    statistics of batch norms go back to 0 and 1. What a layer draws depends on `seed` and its place
    alone. `kept` names modules that cannot draw. The network itself is never touched.
    """

    def __init__(self, model: nn.Module, x: Float[Tensor, "1 c h w"], *, seed: int = 0) -> None:
        self.layers = layers_from_top(model, x)
        with visiting(model):
            self.model = copy.deepcopy(model)
        named = [name for layer in self.layers for name in layer]
        self.kept = tuple(
            n for n in named if not hasattr(model.get_submodule(n), "reset_parameters")
        )
        own = {name: _state(self.model, name) for name in named}
        drawn = self._drawn(seed)
        self._states = [{n: (own[n], drawn[n]) for n in layer} for layer in self.layers]
        self.turn(0)

    def _drawn(self, seed: int) -> dict[str, State]:
        found = {}
        with same_randomness(), torch.inference_mode(False):
            for place, layer in enumerate(self.layers):
                torch.manual_seed(seed * 10**6 + place)
                for name in layer:
                    module = self.model.get_submodule(name)
                    if name not in self.kept:
                        for tensor in _tensors(module).values():
                            tensor.data = tensor.data.clone()
                        module.reset_parameters()  # type: ignore[operator]
                    found[name] = _state(self.model, name)
        return found

    def turn(self, count: int) -> nn.Module:
        """Return the copy with its `count` topmost layers drawn anew, the others as they were."""
        for place, layer in enumerate(self._states):
            for name, (own, drawn) in layer.items():
                wanted = drawn if place < count else own
                for key, tensor in _tensors(self.model.get_submodule(name)).items():
                    tensor.data = wanted[key]
        return self.model


def _state(model: nn.Module, name: str) -> State:
    return {key: tensor.data for key, tensor in _tensors(model.get_submodule(name)).items()}
