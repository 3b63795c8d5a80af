"""Hierarchical decomposition, literally from the paper, one backward of the network per node.

Sec. 3.1, Eq. 2-5, and the merging of sec. 4.1. Slow on purpose; shares nothing with the package.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn


@dataclass
class Step:
    value: Tensor
    gradient: Tensor
    activation_map: Tensor
    alpha: Tensor


@dataclass
class Branch:
    layer: str
    channel: int
    position: tuple[int, int]
    value: float
    alpha: float
    share: float
    activation: Tensor
    also: tuple[int, ...]
    children: list[Branch] = field(default_factory=list)


def without_upper_clip(model: nn.Module, name: str) -> nn.Module:
    """A copy of the network whose last ReLU6 within `name` is a ReLU."""
    other = copy.deepcopy(model)
    clips = [n for n, m in other.get_submodule(name).named_modules() if isinstance(m, nn.ReLU6)]
    path = f"{name}.{clips[-1]}" if clips[-1] else name
    parent, _, last = path.rpartition(".")
    setattr(other.get_submodule(parent), last, nn.ReLU())
    return other


def features(model: nn.Module, x: Tensor, names: list[str]) -> tuple[dict[str, Tensor], Tensor]:
    """F_l for the named layers, as nodes of the autograd graph, and the logits."""
    maps: dict[str, Tensor] = {}
    handles = []

    def keep(name):
        def hook(module, args, output):
            maps[name] = output.clone()
            return maps[name].clone()

        return hook

    for name in names:
        handles.append(model.get_submodule(name).register_forward_hook(keep(name)))
    try:
        logits = model(x.clone().requires_grad_())
    finally:
        for handle in handles:
            handle.remove()
    return maps, logits


def step(
    model: nn.Module,
    x: Tensor,
    deep: str | None,
    unit: tuple[int, int, int],
    shallow: str,
    *,
    clip: float | None = None,
) -> Step:
    """One decision F[l+1, k', y, x] decomposed into layer l, by the whole network."""
    names = [shallow] if deep is None else [shallow, deep]
    maps, logits = features(model, x, names)
    k, y, xx = unit
    decision = logits[0, k] if deep is None else maps[deep][0, k, y, xx]
    if clip is not None and decision >= clip:
        return step(without_upper_clip(model, deep), x, deep, unit, shallow)
    sign = -1 if decision < 0 else 1
    f = maps[shallow]
    g = torch.autograd.grad(sign * decision, f)[0]  # Eq. 2
    a = g * f  # Eq. 3
    alpha = a.mean(dim=(2, 3))  # Eq. 4
    return Step(decision.detach(), g[0], a[0].detach(), alpha[0].detach())


def merged(step_: Step, top_k: int, threshold: float) -> list[tuple[int, tuple[int, ...]]]:
    """Walk in order of alpha; a map that overlaps a kept one is listed on it (sec. 4.1)."""
    order = [int(k) for k in torch.argsort(step_.alpha, descending=True, stable=True)]
    kept: list[int] = []
    also: dict[int, list[int]] = {}
    masks: dict[int, Tensor] = {}
    for k in order:
        if step_.alpha[k] <= 0:
            break
        a = step_.activation_map[k]
        masks[k] = (a >= a.max() / 2) & (a.max() > 0)
        for other in kept:
            union = (masks[k] | masks[other]).sum()
            inter = (masks[k] & masks[other]).sum()
            if inter / union > threshold:
                also[other].append(k)
                break
        else:
            kept.append(k)
            also[k] = []
    return [(k, tuple(also[k])) for k in kept[:top_k]]


def decompose(
    model: nn.Module,
    x: Tensor,
    target: int,
    layers: list[str],
    *,
    top_k: int = 3,
    threshold: float = 0.9,
    clips: dict[str, float] | None = None,
) -> list[Branch]:
    """The tree below a logit; `layers` from the deepest to the shallowest."""
    return _branches(model, x, None, (target, 0, 0), layers, top_k, threshold, clips or {})


def _branches(model, x, deep, unit, layers, top_k, threshold, clips):
    if not layers:
        return []
    shallow = layers[0]
    s = step(model, x, deep, unit, shallow, clip=clips.get(deep) if deep else None)
    total = s.alpha[s.alpha > 0].sum()
    maps, _ = features(model, x, [shallow])
    found = []
    for k, also in merged(s, top_k, threshold):
        a = s.activation_map[k]
        y, xx = divmod(int(a.argmax()), a.shape[1])  # Eq. 5
        value = float(maps[shallow][0, k, y, xx].detach())
        branch = Branch(
            shallow, k, (y, xx), value, float(s.alpha[k]), float(s.alpha[k] / total), a, also
        )
        branch.children = _branches(
            model, x, shallow, (k, y, xx), layers[1:], top_k, threshold, clips
        )
        found.append(branch)
    return found


def ablation(
    model: nn.Module,
    x: Tensor,
    deep: str | None,
    unit: tuple[int, int, int],
    shallow: str,
) -> Tensor:
    """The decision's drop when each channel of `shallow` is zeroed, one forward per channel."""
    channels = features(model, x, [shallow])[0][shallow].shape[1]
    whole = _without(model, x, deep, unit, shallow, None)
    each = [_without(model, x, deep, unit, shallow, c) for c in range(channels)]
    return torch.tensor([whole - value for value in each])


def drop(model, x, deep, unit, shallow, channel: int) -> float:
    """The decision's drop when one channel of `shallow` is zeroed."""
    values = (_without(model, x, deep, unit, shallow, c) for c in (None, channel))
    return next(values) - next(values)


def _without(model, x, deep, unit, shallow, channel: int | None) -> float:
    k, y, xx = unit

    def close(module, args, output):
        output = output.clone()
        if channel is not None:
            output[:, channel] = 0
        return output

    handle = model.get_submodule(shallow).register_forward_hook(close)
    try:
        with torch.no_grad():
            maps, logits = features(model, x, [] if deep is None else [deep])
    finally:
        handle.remove()
    return float((logits[0, k] if deep is None else maps[deep][0, k, y, xx]).detach())
