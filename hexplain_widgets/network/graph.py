"""A network as a graph of operations of which any part can be run, and its stages."""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from .operations import RecordedOperations


def words(text: str) -> frozenset[str]:
    """Return the words of a text.

    >>> sorted(words("add mul"))
    ['add', 'mul']
    """
    return frozenset(text.split())


Watch = Callable[[fx.Node, Any], None]
# Modules that neither change what they get nor hand it on.
READERS = (nn.Conv2d, nn.Linear, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.BatchNorm2d)
# What ends a stage's block, as modules and as functions.
ACTIVATION_MODULES = (
    nn.ReLU,
    nn.Hardtanh,
    nn.SiLU,
    nn.GELU,
    nn.ELU,
    nn.SELU,
    nn.CELU,
    nn.Mish,
    nn.LeakyReLU,
    nn.PReLU,
    nn.Softplus,
    nn.Hardswish,
    nn.Tanh,
    nn.Sigmoid,
)
ACTIVATION_FUNCTIONS = frozenset(
    (
        F.relu,
        F.relu_,
        torch.relu,
        torch.relu_,
        F.relu6,
        F.hardtanh,
        F.silu,
        F.gelu,
        F.elu,
        F.selu,
        F.leaky_relu,
        F.prelu,
        F.softplus,
        F.hardswish,
        F.mish,
        torch.tanh,
        F.tanh,
        torch.sigmoid,
        "relu",
        "relu_",
        "tanh",
        "sigmoid",
    )
)
SUMS = frozenset((operator.add, operator.iadd, torch.add, "add", "add_"))
# Functions that compare all features with those of each class.
HEADS = words(
    "linear matmul mm bmm addmm baddbmm einsum cdist bilinear tensordot inner cosine_similarity"
    " pairwise_distance"
)
# Of what they get they take size or type only, or do so of all but the first.
_SIZES = frozenset((torch.zeros_like, torch.ones_like, "size", "new_zeros", "new_ones", "new_full"))
_ALIKE = frozenset(("to", "type_as", "view_as", "reshape_as", "expand_as"))
# A map below this fraction of its stage's first size belongs to the next stage.
SHRINK = 0.75
# A stem (one striding convolution) is a stage only where fewer than this many others are left.
ENOUGH_STAGES = 4
# Of blocks of one resolution so many are stages, however many stages the stem before them has.
FEWEST_BLOCKS = 3


class Graph:
    """The operations of a network between its image and its logits, in order.

    `calls` lists all module calls, `around` gives for a node the index of the call it happens in,
    `constants` are the nodes that no image changes, `shapes` those of all values for one image.
    """

    def __init__(self, network: nn.Module, operations: RecordedOperations) -> None:
        self._model = network
        self._modules: dict[fx.Node, nn.Module] = {}
        self._held = operations.constants
        self.calls = operations.calls
        self.around = operations.around
        self.nodes = operations.nodes
        self.order = {node: i for i, node in enumerate(self.nodes)}
        self.image, self.result = operations.image, operations.result
        self.constants = self._constants()
        self.shapes: dict[fx.Node, tuple[int, ...]] = {}
        self.between: set[fx.Node] = set()

    def _constants(self) -> set[fx.Node]:
        of_image = {self.image}
        for node in self.nodes:
            if any(s in of_image and hands_on(s, node) for s in node.all_input_nodes):
                of_image.add(node)
        return {*self.nodes} - of_image

    def added(self, function: Callable[..., Any], node: fx.Node) -> fx.Node:
        """Return a new node behind one that a function makes of its value."""
        owner = node.graph
        with owner.inserting_before(owner.output_node()):
            return owner.call_function(function, (node,))

    def end_at(self, result: fx.Node) -> None:
        """Let another node be what the network returns; what only led elsewhere is gone."""
        owner = result.graph
        owner.output_node().args = (result,)
        for node in reversed(owner.nodes):
            if not node.users and node.op not in ("output", "placeholder"):
                owner.erase_node(node)
        self.nodes = tuple(n for n in owner.nodes if n.op != "output")
        self.order = {node: i for i, node in enumerate(self.nodes)}
        self.calls = tuple(c if c.node in self.order else replace(c, node=None) for c in self.calls)
        self.result = result

    def put_between(
        self, node: fx.Node, make: Callable[[fx.Graph], tuple[fx.Node, fx.Node]]
    ) -> fx.Node:
        """Put new nodes between one and all that follows; return the first of the two made.

        Before the second all is what it was: what followed the node follows it now.
        """
        owner = node.graph
        before = {*owner.nodes}
        with owner.inserting_before(node.next):
            first, last = make(owner)
        self.between |= {*owner.nodes} - before
        node.replace_all_uses_with(last, delete_user_cb=lambda user: user not in self.between)
        self.nodes = tuple(n for n in owner.nodes if n.op != "output")
        self.order = {n: i for i, n in enumerate(self.nodes)}
        return first

    def needed(self, wanted: Iterable[fx.Node], given: Collection[fx.Node]) -> list[fx.Node]:
        """Return, in order, the nodes to run for `wanted` when the values of `given` are known."""
        steps: set[fx.Node] = set()
        waiting = [n for n in wanted if n not in given]
        while waiting:
            node = waiting.pop()
            if node not in steps:
                steps.add(node)
                waiting += [n for n in node.all_input_nodes if n not in given]
        return sorted(steps, key=self.order.__getitem__)

    def behind(self, node: fx.Node) -> set[fx.Node]:
        """Return all nodes that depend on this one."""
        users: set[fx.Node] = set()
        waiting = [node]
        while waiting:
            for user in waiting.pop().users:
                if user not in users and user.op != "output":
                    users.add(user)
                    waiting.append(user)
        return users

    def crossing(self, start: fx.Node, end: fx.Node) -> list[fx.Node]:
        """Return the nodes not behind `start` whose values lead with its own to `end`."""
        inside = self.behind(start)
        route = [n for n in self.needed([end], {start}) if n in inside]
        outside = {n for step in route for n in step.all_input_nodes} - inside - {start}
        return sorted(outside, key=self.order.__getitem__)

    def necks(self) -> set[fx.Node]:
        """Return the nodes that every path from the image to the logits passes through."""
        behind = (self.behind(self.image) | {self.image}) - self._counts()
        on_path = set(self.needed([self.result], set())) & behind
        necks, reach = set(), -1
        for node in (n for n in self.nodes if n in on_path):
            if reach <= self.order[node]:
                necks.add(node)
            ends = [self.order[u] for u in node.users if u in on_path]
            reach = max([reach, *ends])
        return necks

    def _counts(self) -> set[fx.Node]:
        """Return the nodes that only say how many images there are."""
        size = [n for n in self.image.users if n.op == "call_method" and n.target == "size"]
        return {*size, *(u for n in size for u in n.users if u.all_input_nodes == [n])}

    def run(
        self,
        given: Mapping[fx.Node, Any],
        wanted: Collection[fx.Node],
        watch: Watch | None = None,
    ) -> dict[fx.Node, Any]:
        """Run what `wanted` needs from the `given` values; return the wanted values.

        Captured tensors are copies wherever something behind them might change them in place;
        given tensors are left unchanged for the same reason. `watch` sees every value.
        """
        steps = self.needed(wanted, given)
        last = {n: i for i, step in enumerate(steps) for n in step.all_input_nodes}
        values: dict[fx.Node, Any] = {n: own_copy(v) for n, v in given.items() if n in last}
        results = {n: own_copy(v) for n, v in given.items() if n in wanted}
        for i, step in enumerate(steps):
            values[step] = self.step(step, values)
            if watch is not None:
                watch(step, values[step])
            if step in wanted:
                results[step] = values[step] if self._only_read(step) else own_copy(values[step])
            for used in (*step.all_input_nodes, step):
                if last.get(used, -1) <= i:
                    values.pop(used, None)
        return results

    def step(self, node: fx.Node, values: Mapping[fx.Node, Any]) -> Any:
        """Return what one operation makes of the values of its inputs."""
        args = fx.node.map_arg(node.args, values.__getitem__)
        kwargs = fx.node.map_arg(node.kwargs, values.__getitem__)
        if node.op == "call_module":
            return self._model.get_submodule(str(node.target))(*args, **kwargs)
        if node.op == "call_function" and callable(node.target):
            return node.target(*args, **kwargs)
        if node.op == "call_method":
            return getattr(args[0], str(node.target))(*args[1:], **kwargs)
        if node.op == "get_attr":
            return self._attribute(str(node.target))
        return node.args[0] if node.args else None

    def _attribute(self, path: str) -> Any:
        if path in self._held:
            return self._held[path]
        owner, _, name = path.rpartition(".")
        return getattr(self._model.get_submodule(owner), name)

    def shape(self, node: fx.Node) -> tuple[int, ...] | None:
        """Return the shape of a node's value for one image, None for what is no tensor."""
        return self.shapes.get(node)

    def axes_moved(self, node: fx.Node, count: int) -> tuple[int, ...]:
        """Return which of `count` axes of its one input each axis of a result was.

        For operations that only move axes: on an empty value of other lengths it shows.
        """
        empty = torch.empty(tuple(range(2, 2 + count)), device="meta")
        shape = self.step(node, dict.fromkeys(node.all_input_nodes, empty)).shape
        return tuple(length - 2 for length in shape)

    def _only_read(self, node: fx.Node) -> bool:
        return all(isinstance(self.module(user), READERS) for user in node.users)

    def module(self, node: fx.Node) -> nn.Module | None:
        """Return the module that a node calls, None for a function."""
        if node.op != "call_module":
            return None
        if node not in self._modules:
            self._modules[node] = self._model.get_submodule(str(node.target))
        return self._modules[node]


def shape_watch(shapes: dict[fx.Node, tuple[int, ...]]) -> Watch:
    """Return what notes the shape of every tensor that a run passes."""

    def note(node: fx.Node, value: Any) -> None:
        if isinstance(value, Tensor):
            shapes[node] = tuple(value.shape)

    return note


def hands_on(source: fx.Node, user: fx.Node) -> bool:
    """Whether an operation takes values of a source, and not only its size or its type."""
    if user.target in _SIZES:
        return False
    return user.target not in _ALIKE or user.args[:1] == (source,)


def own_copy(value: Any) -> Any:
    """Return a copy of a tensor, anything else as it is."""
    return value.clone() if isinstance(value, Tensor) else value


@dataclass(frozen=True)
class Survey:
    """What one forward pass showed: all sites in order of completion, the module calls that their
    parents point to, the maps of possible stages by value, and the logits. `follows` says whether a
    value depends on another one, where that is known.
    """

    sites: list[Site]
    calls: list[Site]
    maps: Mapping[int, Tensor]
    logits: Any
    follows: Callable[[int, int], bool] | None = None

    @cached_property
    def _wide(self) -> frozenset[int]:
        """Return the calls that hold convolutions of several stages: no block, but a skeleton."""
        sizes: dict[int, list[int]] = {}
        for site in self.sites:
            if site.kind == "convolution" and site.spatial:
                for call in self._around(site):
                    sizes.setdefault(call, []).append(site.shape[2])
        return frozenset(c for c, rows in sizes.items() if min(rows) <= max(rows) / 3.5)

    @cached_property
    def _skeleton(self) -> frozenset[int]:
        """Return the calls that hold several blocks of a channels-last or token network."""
        inside: dict[int, set[int]] = {}
        for site in (s for s in self.sites if s.is_stream):
            for call in self._around(site):
                inside.setdefault(call, set()).add(site.value)
        return frozenset(call for call, values in inside.items() if len(values) > 1)

    @cached_property
    def _sums(self) -> frozenset[int]:
        """Return the sums that grids of tokens go through, one after another.

        Blocks that return more than a value show nothing else. A single sum is no stream: it adds
        places before attention pools.
        """
        tokens = [s for s in self.sites if s.spatial and s.neck and s.layout == "tokens"]
        sums = [s.rank for s in tokens if s.operation in SUMS]
        return frozenset(sums if len(sums) > 1 else ())

    def _around(self, site: Site) -> Iterator[int]:
        parent = site.parent
        while parent >= 0:
            yield parent
            parent = self.calls[parent].parent

    @cached_property
    def _outermost(self) -> dict[int, Site]:
        """Return for each value the outermost module that returns it and is not wide."""
        outermost: dict[int, Site] = {}
        for i, call in enumerate(self.calls):
            if call.name and call.shape and i not in self._wide | self._skeleton:
                best = outermost.setdefault(call.value, call)
                if call.name.count(".") < best.name.count("."):
                    outermost[call.value] = call
        return outermost

    def layers(self) -> list[Site]:
        """Return one site for each feature map, under its outermost name, in order."""
        spatial = {s.value: s for s in self.sites if s.spatial and not s.several}
        return [self._outermost.get(value, s) for value, s in spatial.items()]

    @cached_property
    def stages(self) -> tuple[Site, ...]:
        """The sites of the stages, shallowest first.

        A stage's site is its last activation or block on the trunk of the network. Whatever a head
        is made of, all maps before it belong to the trunk.
        """
        convolutions = [s for s in self.sites if s.kind == "convolution"]
        skeleton = {self.calls[i].name for i in self._skeleton}
        trunk = [
            s
            for s in self.sites
            if s.spatial
            and not s.several
            and s.read
            and s.name not in skeleton
            and _follows(s, convolutions)
            and s.rank < self._end
            and (_counts(s) or s.rank in self._sums)
            and all(map(self._is_opened, self._around(s)))
        ]
        chain = self._chain(_without_reduced(trunk))
        stages = [self._outermost.get(s.value, s) for s in chain]
        return tuple(_without_stem(stages, convolutions))

    @cached_property
    def doubtful(self) -> Site | None:
        """What may be a stage behind all others, of whose axes nobody knows which is which.

        None for nothing.
        """
        last = max((s.rank for s in self.stages), default=-1)
        heads = max((s.rank for s in self.sites if s.kind == "head"), default=-1)
        behind = [s for s in self.sites if s.layout == "?" and s.neck and last < s.rank < heads]
        sizes = [s for s in behind if s.shape[0] == 1 and math.prod(s.shape) > max(s.shape)]
        return next((s for s in reversed(sizes) if s.kind in ("activation", "block")), None)

    @cached_property
    def streams(self) -> tuple[str, ...]:
        """The last blocks of tokens or channels-last maps beside others, behind all stages.

        One for each number of channels and cells. Some of the scores pass by each of them.
        """
        last = max((s.rank for s in self.stages), default=-1)
        behind = (s for s in self.sites if s.is_block and not s.neck and s.read and s.rank > last)
        opened = (s for s in behind if all(map(self._is_opened, self._around(s))))
        return tuple({s.shape: s.name for s in opened}.values())

    def _chain(self, trunk: Sequence[Site]) -> list[Site]:
        """Return the best site of each resolution, every one before the next; several of blocks."""
        chain: list[Site] = []
        left = list(trunk)
        while left:
            *shallower, last = _by_resolution(left)
            best = [_best(last)] if chain else _spread(last, shallower)
            chain = [*best, *chain]
            way = [s for s in left if s.value == best[0].value or self._precedes(s, best[0])]
            left = [s for group in _by_resolution(way)[:-1] for s in group]
        return chain

    def _precedes(self, site: Site, deeper: Site) -> bool:
        before = site.value < deeper.value
        return before and (self.follows is None or self.follows(site.value, deeper.value))

    @cached_property
    def _end(self) -> int:
        """The rank from which maps are scores of classes: a last convolution may be the head."""
        learned = [s for s in self.sites if s.kind in ("convolution", "head")]
        if not learned:
            return -1
        last = learned[-1]
        columns = self.logits.shape[-1] if isinstance(self.logits, Tensor) else 0
        # Of one score for two classes both are explained.
        scores = (columns, 1) if columns == 2 else (columns,)
        is_head = last.kind == "convolution" and (not last.spatial or last.shape[1] in scores)
        return last.rank if is_head else self.sites[-1].rank + 1

    def _is_opened(self, call: int) -> bool:
        """Whether a module is part of the trunk's skeleton and not a block of its own."""
        around = self.calls[call]
        sequence = isinstance(around.operation, nn.Sequential)
        skeleton = self._wide | self._skeleton
        return sequence or len(around.shape) != 4 or call in skeleton


@dataclass(frozen=True)
class Site:
    """One place of a network where a value appears: the result of a module call or of a function.

    `parent` is the index of the module call around it (-1 outside all), `rank` its place in the
    order of completion, `shape` that of the value with the batch. `value` is the same for all sites
    of one value (a block and its last layer). `neck` says that every path from the image to the
    logits leads through it. `layout` says how the value stands for a map of that shape, "" where it
    stands for none, "?" where nobody knows. `read` is False where no score depends on that map:
    behind the last attention of a network that reads its class token alone. `weighs` says that a
    function takes numbers that no image changes.
    """

    name: str
    operation: nn.Module | object
    parent: int
    rank: int
    shape: tuple[int, ...]
    value: int
    neck: bool = True
    layout: str = "nchw"
    read: bool = True
    weighs: bool = False

    @property
    def spatial(self) -> bool:
        """Whether the value is a feature map with more than one cell."""
        known = self.layout not in ("", "?")
        return known and len(self.shape) == 4 and self.shape[2] * self.shape[3] > 1

    @property
    def several(self) -> bool:
        """Whether the value is several maps: tiles, windows or frames of an image as a batch."""
        known = self.layout != "" and len(self.shape) == 4
        return known and self.shape[0] > 1 and self.shape[2] * self.shape[3] > 1

    @cached_property
    def kind(self) -> str:
        """What the site is to a stage: `activation`, `block`, `convolution`, `head` or `other`."""
        op = self.operation
        if isinstance(op, nn.Conv2d) or op in (F.conv2d, torch.conv2d):
            return "convolution"
        if isinstance(op, nn.Linear | nn.Bilinear) or name_of(op).strip("_") in HEADS:
            return "head"
        if self.weighs and not self.spatial:
            return "head"
        if isinstance(op, ACTIVATION_MODULES) or op in ACTIVATION_FUNCTIONS or op in SUMS:
            return "activation"
        learned = nn.Conv2d if self.layout in ("nchw", "") else (nn.Conv2d, nn.Linear)
        if isinstance(op, nn.Module) and any(isinstance(m, learned) for m in op.modules()):
            return "block"
        return "other"

    @property
    def is_block(self) -> bool:
        """Whether the value is a block's, and no upright map."""
        sequence = isinstance(self.operation, nn.Sequential)
        return self.spatial and self.layout != "nchw" and self.kind == "block" and not sequence

    @property
    def is_stream(self) -> bool:
        """Whether the value is a block's, all that follows leads through it, and no upright map."""
        return self.is_block and self.neck


def name_of(target: object) -> str:
    """Return the name of a function, a method or a type; empty for what has none."""
    return target if isinstance(target, str) else str(getattr(target, "__name__", ""))


def setting(node: fx.Node, place: int, name: str, default: Any = None) -> Any:
    """Return an argument of a function by its place or name, a default where it is not given."""
    value = node.kwargs.get(name, node.args[place] if len(node.args) > place else None)
    return default if value is None else value


def expanded(value: Any, count: int) -> Any:
    """Return what goes with so many maps: a value of the image for each, numbers of images more."""
    if isinstance(value, int):
        return value * count
    if isinstance(value, Tensor) and value.ndim > 0 and value.shape[0] == 1:
        return value.expand(count, *value.shape[1:])
    return value


def _counts(site: Site) -> bool:
    kinds = ("block",) if site.layout == "tokens" else ("activation", "block", "convolution")
    known = site.neck or site.layout == "nchw"
    return known and site.kind in kinds and not isinstance(site.operation, nn.Sequential)


def _follows(site: Site, convolutions: Sequence[Site]) -> bool:
    """Whether a site is behind the first convolution; a network may embed its patches without."""
    return convolutions[0].rank <= site.rank if convolutions else site.layout != "nchw"


def _without_reduced(trunk: Sequence[Site]) -> list[Site]:
    """Return a trunk without the coarser maps that blocks of a finer stream keep to themselves."""
    left: list[Site] = []
    finest = 0.0
    for site in reversed(trunk):
        size = site.shape[2] * site.shape[3]
        if site.neck and site.layout != "nchw":
            finest = max(finest, size * SHRINK**2)
        if site.neck or size > finest:
            left.append(site)
    return left[::-1]


def _stream(group: Sequence[Site]) -> list[Site]:
    """Return the blocks of channels-last or token networks in a group, each of another value."""
    turned = [s for s in group if s.neck and s.layout != "nchw"]
    sums = [s for s in turned if s.operation in SUMS]
    blocks = [s for s in turned if s.is_stream] or sums or turned
    return [*{s.value: s for s in reversed(blocks)}.values()][::-1]


def _spread(group: Sequence[Site], shallower: Sequence[Sequence[Site]]) -> list[Site]:
    """Return the stages of the last resolution: of equal blocks several, from early to late."""
    blocks = _stream(group)
    if not blocks or any(map(_stream, shallower)):
        return [_best(group)] if group else []
    count = min(max(ENOUGH_STAGES - len(shallower), FEWEST_BLOCKS), len(blocks))
    return [blocks[-(-len(blocks) * i // count) - 1] for i in range(1, count + 1)]


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
    if len(stages) <= ENOUGH_STAGES or not convolutions:
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
    total, count = Counter(names), Counter[str]()
    labels = []
    for name in names:
        count[name] += 1
        labels.append(f"{name}:{count[name]}" if total[name] > 1 else name)
    return labels
