"""What squashed a network's scores last: seen as it runs (`SquashWatch`), or in its graph.

A softmax or sigmoid that ends a network can be left out exactly: what it squashed is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import Tensor, fx, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from .graph import Graph

Family = Literal["softmax", "sigmoid", "bounded"]
# By name: what squashes, and whether it gives logarithms.
SQUASHES: Mapping[str, tuple[Family, bool]] = {
    "softmax": ("softmax", False),
    "special_softmax": ("softmax", False),
    "log_softmax": ("softmax", True),
    "special_log_softmax": ("softmax", True),
    "sigmoid": ("sigmoid", False),
    "sigmoid_": ("sigmoid", False),
    "expit": ("sigmoid", False),
    "special_expit": ("sigmoid", False),
    "logsigmoid": ("sigmoid", True),
    "log_sigmoid": ("sigmoid", True),
}
# What bounds numbers that may mean anything.
BOUNDS = frozenset(("tanh", "hardtanh", "softsign", "relu", "relu6", "softplus"))
# What changes the shape of numbers and not their order; more than one cell has to be left.
RESHAPES = frozenset(
    (
        *("view", "reshape", "flatten", "squeeze", "unsqueeze", "squeeze_", "unsqueeze_"),
        *("view_as", "reshape_as", "contiguous", "clone", "detach", "identity", "dropout"),
        *("float", "double", "half", "bfloat16", "to", "type", "type_as", "cpu"),
        *("getitem", "__getitem__"),
    )
)
MODULES: Mapping[type[nn.Module], str] = {
    nn.Softmax: "softmax",
    nn.Softmax2d: "softmax",
    nn.LogSoftmax: "log_softmax",
    nn.Sigmoid: "sigmoid",
    nn.LogSigmoid: "logsigmoid",
    nn.Flatten: "flatten",
    nn.Unflatten: "view",
    nn.Dropout: "dropout",
    nn.Identity: "identity",
}


@dataclass(frozen=True)
class Squash:
    """The last squash before a value: its name, what it squashed, and over which axis.

    `logged` says that logarithms come out of it. `amiss` says in words why its numbers cannot be
    the probabilities of classes, where they cannot.
    """

    name: str
    family: Family
    logged: bool
    before: Any
    amiss: str = ""
    versions: tuple[int, int] = (0, 0)

    def after(self, name: str) -> Squash | None:
        """Return the squash after its logarithm was taken, or taken back; None for another."""
        if self.family == "bounded" or (name == "log") == self.logged:
            return None
        return replace(self, logged=not self.logged)


class SquashWatch(TorchFunctionMode):
    """Sees every squash in the body, on this thread, and follows what it gives while it is whole.

    Operations are met as functions: nothing on the network is replaced.
    """

    def __init__(self) -> None:
        super().__init__()
        self._known = WeakTensorKeyDictionary()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        source = args[0] if args else given.get("input", given.get("self"))
        if not isinstance(source, Tensor):
            return func(*args, **given)
        if name in SQUASHES or name in BOUNDS:
            return self._squashed(name, source, func, args, given)
        before = self.behind(source) if name in RESHAPES or name in ("log", "exp") else None
        out = func(*args, **given)
        if before is not None and isinstance(out, Tensor) and out.numel() == source.numel():
            followed = before.after(name) if name in ("log", "exp") else before
            if followed is not None:
                self._keep(out, followed)
        return out

    def _squashed(
        self,
        name: str,
        source: Tensor,
        func: Callable[..., Any],
        args: Sequence[Any],
        given: dict[str, Any],
    ) -> Any:
        if not _is_row(source):
            return func(*args, **given)
        before = source.clone() if name.endswith("_") else source
        out = func(*args, **given)
        family, logged = SQUASHES.get(name, ("bounded", False))
        axis = given.get("dim", args[1] if len(args) > 1 else None)
        amiss = _amiss(before, axis) if family == "softmax" else ""
        self._keep(out, Squash(name, family, logged, before, amiss))
        return out

    def _keep(self, out: Tensor, squash: Squash) -> None:
        self._known[out] = replace(squash, versions=(out._version, squash.before._version))

    def behind(self, value: Tensor) -> Squash | None:
        """Return the squash that gave a value, None for none or where either was changed since."""
        squash: Squash | None = self._known.get(value)
        if squash is None or squash.versions != (value._version, squash.before._version):
            return None
        return squash


def _is_row(value: Tensor) -> bool:
    """Whether a value has one number for each class of an image: nothing else is a score."""
    return sum(n > 1 for n in value.shape[1:]) <= 1


def _amiss(before: Tensor, axis: Any) -> str:
    if not isinstance(axis, int):
        return ""
    if before.ndim > 1 and axis % before.ndim == 0:
        return "a softmax over the images of a batch (dim=0)"
    if before.ndim and before.shape[axis] == 1 and before.numel() == before.shape[0]:
        return "a softmax over a single output, which is 1 whatever the image"
    return ""


def unsquashed(graph: Graph, node: fx.Node) -> fx.Node | None:
    """Return what the last squash before a node of a graph squashed, None where there is none."""
    while True:
        name = _name(graph, node)
        if name in SQUASHES:
            return node.all_input_nodes[0]
        if name not in RESHAPES and name not in ("log", "exp"):
            return None
        if not node.all_input_nodes:
            return None
        node = node.all_input_nodes[0]


def _name(graph: Graph, node: fx.Node) -> str:
    module = graph.module(node)
    if module is not None:
        return MODULES.get(type(module), "")
    if node.op == "call_method":
        return str(node.target)
    return str(getattr(node.target, "__name__", "")) if node.op == "call_function" else ""
