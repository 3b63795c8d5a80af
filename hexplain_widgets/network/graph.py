"""A network as a graph of operations (torch.fx) of which any part can be run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, fx, nn

# Modules that neither change what they get nor hand it on.
READERS = (nn.Conv2d, nn.Linear, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.BatchNorm2d)

Watch = Callable[[fx.Node, Any], None]


@dataclass(frozen=True)
class Call:
    """One call of a module: `parent` is the index of the call around it, -1 outside all others."""

    name: str
    module: nn.Module
    parent: int
    node: fx.Node | None = None


class _Tracer(fx.Tracer):
    """Notes, beside the graph, which node every module call returned, containers too."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.around: dict[fx.Node, int] = {}
        self._open: list[int] = [-1]

    def call_module(
        self,
        m: nn.Module,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        here = len(self.calls)
        self.calls.append(Call(self.path_of_module(m), m, self._open[-1]))
        self._open.append(here)
        out = super().call_module(m, forward, args, kwargs)
        self._open.pop()
        if isinstance(out, fx.Proxy):
            self.calls[here] = replace(self.calls[here], node=out.node)
        return out

    def create_node(self, *args: Any, **kwargs: Any) -> fx.Node:
        node = super().create_node(*args, **kwargs)
        self.around[node] = self._open[-1]
        return node


class Graph:
    """The operations of a network between its image and its logits, in order.

    `calls` lists all module calls, `around` gives for a node the index of the call it happens in.
    """

    def __init__(self, model: nn.Module) -> None:
        tracer = _Tracer()
        self._model = model
        traced = tracer.trace(model)
        self.calls = tuple(tracer.calls)
        self.around = tracer.around
        self.nodes = tuple(n for n in traced.nodes if n.op != "output")
        self.order = {node: i for i, node in enumerate(self.nodes)}
        self.image = next(n for n in self.nodes if n.op == "placeholder")
        self.result = next(n for n in traced.nodes if n.op == "output").args[0]

    @property
    def single(self) -> bool:
        """Whether the network returns one value, as a classifier does."""
        return isinstance(self.result, fx.Node)

    def needed(self, wanted: Iterable[fx.Node], given: Collection[fx.Node]) -> list[fx.Node]:
        """Return, in order, the nodes to run for `wanted` when the values of `given` are known."""
        seen: set[fx.Node] = set()
        waiting = [n for n in wanted if n not in given]
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                waiting += [n for n in node.all_input_nodes if n not in given]
        return sorted(seen, key=self.order.__getitem__)

    def behind(self, node: fx.Node) -> set[fx.Node]:
        """Return all nodes that depend on this one."""
        found: set[fx.Node] = set()
        waiting = [node]
        while waiting:
            for user in waiting.pop().users:
                if user not in found and user.op != "output":
                    found.add(user)
                    waiting.append(user)
        return found

    def crossing(self, start: fx.Node, end: fx.Node) -> list[fx.Node]:
        """Return the nodes not behind `start` whose values the way from `start` to `end` uses."""
        inside = self.behind(start)
        way = [n for n in self.needed([end], {start}) if n in inside]
        outside = {n for w in way for n in w.all_input_nodes} - inside - {start}
        return sorted(outside, key=self.order.__getitem__)

    def necks(self) -> set[fx.Node]:
        """Return the nodes that every way from the image to the logits passes through."""
        on_way = set(self.needed([self.result], set())) & (self.behind(self.image) | {self.image})
        necks, reach = set(), -1
        for node in (n for n in self.nodes if n in on_way):
            if reach <= self.order[node]:
                necks.add(node)
            ends = [self.order[u] for u in node.users if u in on_way]
            reach = max([reach, *ends])
        return necks

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
        values: dict[fx.Node, Any] = {n: _own(v) for n, v in given.items() if n in last}
        kept = {n: _own(v) for n, v in given.items() if n in wanted}
        for i, step in enumerate(steps):
            values[step] = self.step(step, values)
            if watch is not None:
                watch(step, values[step])
            if step in wanted:
                kept[step] = values[step] if self._only_read(step) else _own(values[step])
            for used in (*step.all_input_nodes, step):
                if last.get(used, -1) <= i:
                    values.pop(used, None)
        return kept

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
            return _attribute(self._model, str(node.target))
        return node.args[0] if node.args else None

    def _only_read(self, node: fx.Node) -> bool:
        return all(isinstance(self.module(user), READERS) for user in node.users)

    def module(self, node: fx.Node) -> nn.Module | None:
        """Return the module that a node calls, None for a function."""
        return self._model.get_submodule(str(node.target)) if node.op == "call_module" else None


def _own(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value


def _attribute(model: nn.Module, path: str) -> Any:
    value: Any = model
    for name in path.split("."):
        value = getattr(value, name)
    return value


def has_user_hooks(model: nn.Module) -> bool:
    """Whether a container of this model carries hooks, which tracing would call with no tensor."""
    return any(
        next(module.children(), None) is not None
        and (module._forward_hooks or module._forward_pre_hooks)
        for module in model.modules()
    )


def trace(model: nn.Module) -> Graph | None:
    """Return the graph of a network, None where it cannot be traced (its flow depends on data)."""
    if has_user_hooks(model):
        return None
    try:
        with torch.no_grad():
            graph = Graph(model)
    # A user's forward may fail in any way when it meets a symbol in the place of a tensor.
    except Exception:
        return None
    return graph if graph.single and not any(map(_acts_unseen, graph.nodes)) else None


def _acts_unseen(node: fx.Node) -> bool:
    """Whether a node may change a tensor in place while nobody uses its result."""
    return not node.users and node.op.startswith("call_")
