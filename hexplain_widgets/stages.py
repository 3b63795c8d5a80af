"""Stages: the last feature map at each resolution, found without knowing the network's name."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ACTIVATION_MODULES = (
    nn.ReLU, nn.Hardtanh, nn.SiLU, nn.GELU, nn.ELU, nn.SELU, nn.CELU, nn.Mish, nn.LeakyReLU,
    nn.PReLU, nn.Softplus, nn.Hardswish, nn.Tanh, nn.Sigmoid,
)  # fmt: skip
ACTIVATION_FUNCTIONS = frozenset((
    F.relu, F.relu_, torch.relu, torch.relu_, F.relu6, F.hardtanh, F.silu, F.gelu, F.elu, F.selu,
    F.leaky_relu, F.prelu, F.softplus, F.hardswish, F.mish, torch.tanh, F.tanh, torch.sigmoid,
    "relu", "relu_", "tanh", "sigmoid",
))  # fmt: skip
SUMS = frozenset((operator.add, operator.iadd, torch.add, "add", "add_"))
LEARNED_FUNCTIONS = frozenset((F.conv2d, torch.conv2d, F.linear))
# A map below this fraction of its stage's first size belongs to the next stage.
SHRINK = 0.75
# A stem (one striding convolution) is a stage only where fewer than this many others are left.
ENOUGH_STAGES = 4


@dataclass(frozen=True)
class Survey:
    """What one forward pass showed: all sites in order of completion, the module calls that their
    parents point to, the maps of possible stages by value, and the logits."""

    sites: list[Site]
    calls: list[Site]
    maps: Mapping[int, Tensor]
    logits: Tensor

    def stages(self) -> list[Site]:
        """Return the sites of the stages, shallowest first."""
        return stages_of(self.sites, self.calls)

    def layers(self) -> list[Site]:
        """Return one site for each feature map, under its outermost name, in order."""
        spatial = {s.value: s for s in self.sites if s.spatial}
        return [outermost(s, self.sites, self.calls) for s in spatial.values()]


@dataclass(frozen=True)
class Site:
    """One place of a network where a value appears: the result of a module call or of a function.

    `parent` is the index of the module call around it (-1 outside all), `rank` its place in the
    order of completion, `shape` that of the value with the batch. `value` is the same for all sites
    of one value (a block and its last layer). `neck` says that every way from the image to the
    logits leads through it.
    """

    name: str
    operation: nn.Module | object
    parent: int
    rank: int
    shape: tuple[int, ...]
    value: int
    neck: bool = True

    @property
    def spatial(self) -> bool:
        """Whether the value is a feature map with more than one cell."""
        return len(self.shape) == 4 and self.shape[2] * self.shape[3] > 1

    @property
    def kind(self) -> str:
        """What the site is to a stage: `activation`, `block`, `convolution`, `head` or `other`."""
        op = self.operation
        if isinstance(op, nn.Conv2d) or op in (F.conv2d, torch.conv2d):
            return "convolution"
        if isinstance(op, nn.Linear) or op is F.linear:
            return "head"
        if isinstance(op, ACTIVATION_MODULES) or op in ACTIVATION_FUNCTIONS or op in SUMS:
            return "activation"
        if isinstance(op, nn.Module) and any(isinstance(m, nn.Conv2d) for m in op.modules()):
            return "block"
        return "other"


def stages_of(sites: Sequence[Site], calls: Sequence[Site]) -> list[Site]:
    """Return the sites of the stages, shallowest first.

    `sites` are all places in order of completion; `calls` the module calls that their `parent`
    points to. A stage's site is its last activation or block on the trunk of the network.
    """
    learned = [s.rank for s in sites if s.kind in ("convolution", "head")]
    convolutions = [s for s in sites if s.kind == "convolution"]
    if not convolutions:
        return []
    first, last = convolutions[0].rank, learned[-1]
    trunk = [
        s
        for s in sites
        if s.spatial and first <= s.rank < last and _counts(s) and _on_trunk(s, sites, calls)
    ]
    best = [_best(group) for group in _by_resolution(trunk)]
    return [outermost(s, sites, calls) for s in _without_stem(best, convolutions)]


def outermost(site: Site, sites: Sequence[Site], calls: Sequence[Site]) -> Site:
    """Return the outermost module that returns this value and does not span several stages."""
    same = [
        s
        for s in calls
        if s.value == site.value and s.name and not _spans_stages(calls.index(s), sites, calls)
    ]
    return min(same, key=lambda s: s.name.count(".")) if same else site


def _counts(site: Site) -> bool:
    return site.kind in ("activation", "block", "convolution") and not isinstance(
        site.operation, nn.Sequential
    )


def _on_trunk(site: Site, sites: Sequence[Site], calls: Sequence[Site]) -> bool:
    parent = site.parent
    while parent >= 0:
        if not _is_opened(parent, sites, calls):
            return False
        parent = calls[parent].parent
    return True


def _is_opened(call: int, sites: Sequence[Site], calls: Sequence[Site]) -> bool:
    """Whether a module is part of the trunk's skeleton and not a block of its own."""
    around = calls[call]
    if isinstance(around.operation, nn.Sequential) or len(around.shape) != 4:
        return True
    return _spans_stages(call, sites, calls)


def _spans_stages(call: int, sites: Sequence[Site], calls: Sequence[Site]) -> bool:
    inner = (s for s in sites if s.kind == "convolution" and s.spatial)
    sizes = [s.shape[2] for s in inner if _inside(s, call, calls)]
    return len(sizes) > 1 and min(sizes) <= max(sizes) / 3.5


def _inside(site: Site, call: int, calls: Sequence[Site]) -> bool:
    parent = site.parent
    while parent >= 0 and parent != call:
        parent = calls[parent].parent
    return parent == call


def _by_resolution(trunk: Iterable[Site]) -> list[list[Site]]:
    groups: list[list[Site]] = []
    for site in trunk:
        size = site.shape[2] * site.shape[3]
        first = groups[-1][0].shape if groups else None
        if first is None or size <= first[2] * first[3] * SHRINK**2:
            groups.append([site])
        else:
            groups[-1].append(site)
    return groups


def _best(group: Sequence[Site]) -> Site:
    necks = [s for s in group if s.neck] or list(group)
    closed = [s for s in necks if s.kind in ("activation", "block")]
    return (closed or necks)[-1]


def _without_stem(stages: list[Site], convolutions: Sequence[Site]) -> list[Site]:
    if len(stages) <= ENOUGH_STAGES:
        return stages
    stem = [c for c in convolutions if c.rank <= stages[0].rank]
    return stages[1:] if len(stem) == 1 and _strides(stem[0]) else stages


def _strides(site: Site) -> bool:
    op = site.operation
    return isinstance(op, nn.Conv2d) and max(op.stride) > 1
