"""Faithfulness, literally: channels masked by hooks in the whole network, one set at a time.

Hierarchical Decomposition, sec. 4.1. Slow on purpose; shares nothing with the package.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from tests.reference.gap import Step, features


@contextlib.contextmanager
def masked(model: nn.Module, gates: Mapping[str, Tensor]) -> Iterator[None]:
    """The network with channels of layers set to zero."""
    handles = [
        model.get_submodule(name).register_forward_hook(
            lambda module, args, out, gate=gate: out * gate[None, :, None, None]
        )
        for name, gate in gates.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def decision(model: nn.Module, x: Tensor, deep: str | None, unit: tuple[int, int, int]) -> float:
    k, y, xx = unit
    if deep is None:
        return float(model(x)[0, k])
    maps, _ = features(model, x, [deep])
    return float(maps[deep][0, k, y, xx])


def table_1(step: Step) -> list[Tensor]:
    """Average and maximum of activations, average and maximum of gradients."""
    a, g = step.activation_map, step.gradient
    return [a.mean((1, 2)), a.amax((1, 2)), g.mean((1, 2)), g.amax((1, 2))]


@torch.no_grad()
def left_of(
    model: nn.Module,
    x: Tensor,
    deep: str | None,
    unit: tuple[int, int, int],
    shallow: str,
    closed: list[int],
) -> float:
    """What is left of a decision with some channels masked, as a share of it (Fig. 6)."""
    whole = decision(model, x, deep, unit)
    width = features(model, x, [shallow])[0][shallow].shape[1]
    gate = torch.ones(width).index_fill(0, torch.tensor(closed, dtype=torch.long), 0)
    with masked(model, {shallow: gate}):
        return decision(model, x, deep, unit) / whole


@torch.no_grad()
def with_mean(
    model: nn.Module,
    x: Tensor,
    deep: str | None,
    unit: tuple[int, int, int],
    shallow: str,
    channel: int,
    means: Tensor,
) -> float:
    """A decision with one channel of a layer at its mean everywhere."""

    def hook(module, args, out):
        out = out.clone()
        out[:, channel] = float(means[channel])
        return out

    handle = model.get_submodule(shallow).register_forward_hook(hook)
    try:
        return decision(model, x, deep, unit)
    finally:
        handle.remove()


@torch.no_grad()
def logits_of(model: nn.Module, x: Tensor, gates: Mapping[str, Tensor]) -> Tensor:
    """Logits with channels of all these layers masked at once (Fig. 9)."""
    with masked(model, gates):
        return model(x)[0]


def importance(model: nn.Module, x: Tensor, names: list[str], target: int, top_k: int) -> dict:
    """Products of shares along paths, summed; a channel goes on from its strongest path."""
    found: dict[str, dict[int, float]] = {}
    frontier, deep = {(target, 0, 0): 1.0}, None
    for name in names:
        found[name], peaks = {}, {}
        for (k, y, xx), weight in frontier.items():
            maps, logits = features(model, x, [name] if deep is None else [name, deep])
            value = logits[0, k] if deep is None else maps[deep][0, k, y, xx]
            sign = -1 if value < 0 else 1
            g = torch.autograd.grad(sign * value, maps[name])[0][0]
            a = g * maps[name][0].detach()
            alpha = a.mean((1, 2))
            positive = alpha[alpha > 0].sum()
            for c in torch.argsort(alpha, descending=True)[:top_k].tolist():
                if alpha[c] <= 0:
                    break
                path = weight * float(alpha[c] / positive)
                found[name][c] = found[name].get(c, 0.0) + path
                place = divmod(int(a[c].argmax()), a.shape[2])
                if path > peaks.get(c, (0.0, ()))[0]:
                    peaks[c] = (path, (c, *place))
        frontier = {unit: found[name][c] for c, (_, unit) in peaks.items()}
        deep = name
    return found
