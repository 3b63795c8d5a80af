"""Stages: the last feature map at each resolution, found without knowing the network's name."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

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
    parents point to, the maps of possible stages by value, and the logits.
    """

    sites: list[Site]
    calls: list[Site]
    maps: Mapping[int, Tensor]
    logits: Any

    @cached_property
    def _wide(self) -> frozenset[int]:
        """Return the calls that hold convolutions of several stages: no block, but a skeleton."""
        sizes: dict[int, list[int]] = {}
        for site in self.sites:
            if site.kind == "convolution" and site.spatial:
                for call in self._around(site):
                    sizes.setdefault(call, []).append(site.shape[2])
        return frozenset(c for c, found in sizes.items() if min(found) <= max(found) / 3.5)

    def _around(self, site: Site) -> Iterator[int]:
        parent = site.parent
        while parent >= 0:
            yield parent
            parent = self.calls[parent].parent

    @cached_property
    def _outermost(self) -> dict[int, Site]:
        """Return for each value the outermost module that returns it and is not wide."""
        found: dict[int, Site] = {}
        for i, call in enumerate(self.calls):
            if call.name and call.shape and i not in self._wide:
                best = found.setdefault(call.value, call)
                if call.name.count(".") < best.name.count("."):
                    found[call.value] = call
        return found

    def layers(self) -> list[Site]:
        """Return one site for each feature map, under its outermost name, in order."""
        spatial = {s.value: s for s in self.sites if s.spatial}
        return [self._outermost.get(value, s) for value, s in spatial.items()]

    def stages(self) -> list[Site]:
        """Return the sites of the stages, shallowest first.

        A stage's site is its last activation or block on the trunk of the network.
        """
        learned = [s.rank for s in self.sites if s.kind in ("convolution", "head")]
        convolutions = [s for s in self.sites if s.kind == "convolution"]
        if not convolutions:
            return []
        trunk = [
            s
            for s in self.sites
            if s.spatial
            and convolutions[0].rank <= s.rank < learned[-1]
            and _counts(s)
            and all(map(self._is_opened, self._around(s)))
        ]
        best = [_best(group) for group in _by_resolution(trunk)]
        return [self._outermost.get(s.value, s) for s in _without_stem(best, convolutions)]

    def _is_opened(self, call: int) -> bool:
        """Whether a module is part of the trunk's skeleton and not a block of its own."""
        around = self.calls[call]
        sequence = isinstance(around.operation, nn.Sequential)
        return sequence or len(around.shape) != 4 or call in self._wide


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


def _counts(site: Site) -> bool:
    return site.kind in ("activation", "block", "convolution") and not isinstance(
        site.operation, nn.Sequential
    )


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


def numbered(names: Sequence[str]) -> list[str]:
    """Return names of calls as they are, those that occur often as `name:1`, `name:2`, ...

    >>> numbered(["conv", "relu", "relu"])
    ['conv', 'relu:1', 'relu:2']
    """
    total, seen = Counter(names), Counter[str]()
    found = []
    for name in names:
        seen[name] += 1
        found.append(f"{name}:{seen[name]}" if total[name] > 1 else name)
    return found
