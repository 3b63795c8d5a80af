"""The perturbed network, literally (CHIP, Eq. 1-8 and 14): every gate is one forward pass of one
image through the whole network, and every sum is a loop over rows. Shares nothing with the package.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

Place = Callable[[Callable[[Tensor], Tensor]], Any]


def at_module(module: nn.Module, call: int = 1) -> Place:
    """The place behind the `call`-th call of a module, counted from 1 in each forward pass."""

    @contextmanager
    def placed(gate: Callable[[Tensor], Tensor]) -> Iterator[None]:
        calls = [0]

        def hook(_: nn.Module, __: Any, output: Tensor) -> Tensor:
            calls[0] += 1
            return gate(output) if calls[0] == call else output

        handle = module.register_forward_hook(hook)
        try:
            yield
        finally:
            handle.remove()

    return placed


def at_function(function: Any, call: int = 1) -> Place:
    """The place behind the `call`-th call of a function or of a method of tensors."""

    class Placed(TorchFunctionMode):
        def __init__(self, gate: Callable[[Tensor], Tensor]) -> None:
            super().__init__()
            self.gate, self.calls = gate, 0

        def __torch_function__(self, func, types, args=(), kwargs=None):
            found = func(*args, **(kwargs or {}))
            self.calls += func is function
            return self.gate(found) if func is function and self.calls == call else found

    return Placed


def perturbed(
    network: nn.Module, place: Place, x: Tensor, d: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """z of Eq. 2 and g(X, d) of Eq. 3 in logits, for one image and one gate."""
    z: list[np.ndarray] = []

    def gate(maps: Tensor) -> Tensor:
        closed = [maps[0, k] * float(d[k]) for k in range(maps.shape[1])]  # Eq. 1
        z.append(np.array([one.double().mean().item() for one in closed]))  # Eq. 2
        return torch.stack(closed)[None]

    with torch.no_grad(), place(gate):
        logits = network(x.clone())
    assert len(z) == 1
    return z[0], logits[0].double().numpy()


def softmax(logits: np.ndarray) -> np.ndarray:
    e = [math.exp(v - max(logits)) for v in logits]
    return np.array([v / sum(e) for v in e])


def probabilities(logits: np.ndarray) -> np.ndarray:
    """f(X) of Eq. 4; a network of one logit says yes or no."""
    return softmax(logits) if len(logits) > 1 else 1 / (1 + np.exp(-logits))


def proximity(d: np.ndarray) -> float:
    """Eq. 7; sigma² grows with the layer's width."""
    return math.exp(-sum((v - 1) ** 2 for v in d.astype(float)) / (0.5625 * len(d)))


SCORES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "logit": lambda logits: logits,
    "probability": probabilities,
    "log-probability": lambda logits: np.log(probabilities(logits)),
}


def sums(
    network: nn.Module,
    place: Place,
    images: list[Tensor],
    gates: list[np.ndarray],
    *,
    score: str = "logit",
    loyal: bool = False,
) -> dict[str, np.ndarray]:
    """What Eq. 14 sums over images and gates, and what an intercept needs, row by row.

    `gates[s]` are those of image s, one a row. Loyal weights are h f^c (Eq. 11), equal ones h.
    """
    total: dict[str, Any] = {}
    for x, some in zip(images, gates, strict=True):
        with torch.no_grad():
            f = probabilities(network(x.clone())[0].double().numpy())
        for d in some:
            z, logits = perturbed(network, place, x, d)
            g = SCORES[score](logits)
            w = proximity(d) * (f if loyal else np.ones(len(f)))
            row = {
                "gram": np.stack([v * np.outer(z, z) for v in w]),
                "sums": np.outer(w, z),
                "weight": w,
                "linear": np.outer(w * g, z),
                "totals": w * g,
                "squares": w * g * g,
            }
            total = {n: total.get(n, 0) + v for n, v in row.items()}
    return total
