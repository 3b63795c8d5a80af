"""Hierarchical decomposition, literally from the paper, one backward of the network per node.

Sec. 3.1, Eq. 2-5, and the merging of sec. 4.1. Slow on purpose; shares nothing with the package.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

# Feature maps by layer, and the logits.
Forward = tuple[dict[str, Tensor], Tensor]


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


def features(model: nn.Module, x: Tensor, names: list[str]) -> Forward:
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
    own = features(model, x, names)
    if clip is not None and decision_of(own, deep, unit) >= clip:
        own = features(without_upper_clip(model, deep), x, names)
    return split(own, deep, unit, shallow)


def decision_of(own: Forward, deep: str | None, unit: tuple[int, int, int]) -> Tensor:
    (maps, logits), (k, y, xx) = own, unit
    return logits[0, k] if deep is None else maps[deep][0, k, y, xx]


def split(own: Forward, deep: str | None, unit: tuple[int, int, int], shallow: str) -> Step:
    """One decision of a forward pass, by a backward of its own."""
    decision, f = decision_of(own, deep, unit), own[0][shallow]
    sign = -1 if decision < 0 else 1
    g = torch.autograd.grad(sign * decision, f, retain_graph=True)[0]  # Eq. 2
    a = g * f  # Eq. 3
    alpha = a.mean(dim=(2, 3))  # Eq. 4
    return Step(decision.detach(), g[0], a[0].detach(), alpha[0].detach())


def merged(step_: Step, top_k: int, threshold: float) -> list[tuple[int, tuple[int, ...]]]:
    """Walk in order of alpha; a map that overlaps a kept one is listed on it (sec. 4.1)."""
    alpha, maps = step_.alpha, step_.activation_map.flatten(1)
    order = [k for k in torch.argsort(alpha, descending=True, stable=True).tolist() if alpha[k] > 0]
    peaks = maps[order].amax(1, keepdim=True)
    masks = ((maps[order] >= peaks / 2) & (peaks > 0)).double()
    inter, areas = masks @ masks.T, masks.sum(1)
    overlap = (inter / (areas[:, None] + areas - inter)).tolist()
    kept: list[int] = []
    also: dict[int, list[int]] = {}
    for i in range(len(order)):
        into = next((other for other in kept if overlap[i][other] > threshold), None)
        if into is None:
            kept.append(i)
            also[i] = []
        else:
            also[into].append(order[i])
    return [(order[i], tuple(also[i])) for i in kept[:top_k]]


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
    own = features(model, x, layers)
    free = {name: features(without_upper_clip(model, name), x, layers) for name in clips or {}}

    def branches(deep, unit, left):
        if not left:
            return []
        shallow = left[0]
        clipped = deep in free and decision_of(own, deep, unit) >= clips[deep]
        s = split(free[deep] if clipped else own, deep, unit, shallow)
        total = s.alpha[s.alpha > 0].sum()
        found = []
        for k, also in merged(s, top_k, threshold):
            a = s.activation_map[k]
            y, xx = divmod(int(a.argmax()), a.shape[1])  # Eq. 5
            value = float(decision_of(own, shallow, (k, y, xx)).detach())
            branch = Branch(
                shallow, k, (y, xx), value, float(s.alpha[k]), float(s.alpha[k] / total), a, also
            )
            branch.children = branches(shallow, (k, y, xx), left[1:])
            found.append(branch)
        return found

    return branches(None, (target, 0, 0), layers)


def ablation(
    model: nn.Module,
    x: Tensor,
    deep: str | None,
    unit: tuple[int, int, int],
    shallow: str,
    *,
    at_once: int = 64,
) -> Tensor:
    """The decision's drop when each channel of `shallow` is zeroed, a forward for each channel.

    `at_once` of these forwards are the rows of one batch.
    """
    channels = features(model, x, [shallow])[0][shallow].shape[1]
    each = torch.arange(channels).split(at_once)
    whole = _without(model, x, deep, unit, shallow, torch.tensor([-1]))
    return whole - torch.cat([_without(model, x, deep, unit, shallow, some) for some in each])


def _without(model, x, deep, unit, shallow, channels: Tensor) -> Tensor:
    """The decision without one channel in each row, -1 for none."""
    k, y, xx = unit

    def close(module, args, output):
        closed = channels[:, None] == torch.arange(output.shape[1])
        return output.masked_fill(closed[:, :, None, None], 0)

    handle = model.get_submodule(shallow).register_forward_hook(close)
    try:
        with torch.no_grad():
            images = x.expand(len(channels), -1, -1, -1)
            maps, logits = features(model, images, [] if deep is None else [deep])
    finally:
        handle.remove()
    return (logits[:, k] if deep is None else maps[deep][:, k, y, xx]).detach()


def ablation_to_average(
    model: nn.Module,
    x: Tensor,
    deep: str | None,
    unit: tuple[int, int, int],
    shallow: str,
    images: list[Tensor],
) -> Tensor:
    """Sec. 4.1: the decision's drop when each channel is set to the average activation.

    The average is over `images` and all places; a full forward for each channel.
    """
    k, y, xx = unit
    each = [features(model, one, [shallow])[0][shallow].detach() for one in images]
    average = [
        sum(float(m[0, c].mean()) for m in each) / len(each) for c in range(each[0].shape[1])
    ]

    def decision(channel: int | None) -> Tensor:
        def replace(module, args, output):
            changed = output.clone()
            if channel is not None:
                changed[:, channel] = average[channel]
            return changed

        handle = model.get_submodule(shallow).register_forward_hook(replace)
        try:
            with torch.no_grad():
                maps, logits = features(model, x, [] if deep is None else [deep])
        finally:
            handle.remove()
        return (logits[0, k] if deep is None else maps[deep][0, k, y, xx]).detach()

    whole = decision(None)
    return torch.stack([whole - decision(c) for c in range(len(average))])
