"""What a network's scores mean: what is explained of what it returns, and what is shown of that.

Explained is the value before a closing softmax or sigmoid, or the logarithm where it cannot be cut
off (of a sigmoid the logit); shown is the probability that the network means. `read_scores` finds
out which, once for a network; the `ScoreReading` is then used wherever the network is run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from .graph import Graph
from .outputs import Path, columns_of, described, path_of, picked, tensors, worded
from .segments import rounding

Family = Literal["softmax", "sigmoid", "bounded"]
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
Network = Callable[[Tensor], Any]
# What `Classifier(scores=)` says that a network returns.
KINDS = ("logits", "multilabel", "binary", "probabilities", "log_probabilities")
Ending = Literal["returned", "cut", "logs", "log", "logit", "logit of log"]
# Sizes of images by which probabilities are told from logits that happen to lie in 0..1.
LOUD = (8.0, 1000.0)
# Probabilities of single classes range further than this over such images.
SPREAD = 0.5


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


def _logit(p: Tensor) -> Tensor:
    return p.log() - (-p).log1p()


def _logit_of_log(log_p: Tensor) -> Tensor:
    return log_p - (-log_p.expm1()).log()


ENDINGS: Mapping[Ending, Callable[[Tensor], Tensor]] = {
    "returned": lambda rows: rows,
    "cut": lambda rows: rows,
    "logs": lambda rows: rows,
    "log": torch.log,
    "logit": _logit,
    "logit of log": _logit_of_log,
}


@dataclass(frozen=True)
class ScoreReading:
    """How a network's output is read: where its scores are, what is explained and what is shown.

    `columns` are the scores of an image, `shown` how they become probabilities: "softmax", or
    "sigmoid" for each class by itself. `two` says that the only output decides between two classes:
    it is the score of the second, and minus it the score of the first. `flat` that scores come as
    `(N, C)`.
    """

    path: Path
    columns: int
    ending: Ending
    shown: Literal["softmax", "sigmoid"]
    two: bool
    flat: bool
    notes: tuple[str, ...] = ()

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return 2 if self.two else self.columns

    @property
    def plain(self) -> bool:
        """Whether what the network returns is what is explained."""
        return not self.path and self.as_returned

    @property
    def as_returned(self) -> bool:
        """Whether the scores need no change."""
        return self.flat and not self.two and self.ending in ("returned", "logs")

    def of(self, network: Network, x: Float[Tensor, "n ch h w"]) -> Float[Tensor, "n c"]:
        """Return the explained scores of prepared images, differentiable where gradients are on.

        Raises ValueError where the network ends otherwise than in the first image.
        """
        watch = SquashWatch()
        with watch if self.ending == "cut" else nullcontext():
            value = self._picked(network(x))
        if value.numel() != len(x) * self.columns:
            raise ValueError(
                f"the network returned {described(value)} for {len(x)} images; expected"
                f" {self.columns} scores of each, as before; make a new hx.Classifier of a network"
                " that was changed"
            )
        if self.ending != "cut":
            return self.finished(value)
        squash = watch.behind(value)
        if squash is None:
            raise ValueError(
                "the network ended in a softmax or sigmoid for another image, and does not for"
                " this one; expected the same ending for all; say what it returns with"
                " hx.Classifier(model, scores=...)"
            )
        return self.finished(squash.before)

    def _picked(self, returned: Any) -> Tensor:
        value = picked(returned, self.path)
        if not isinstance(value, Tensor):
            raise TypeError(
                f"the network returned {described(returned)}; expected scores where they were in"
                " another image; let forward always return the same"
            )
        return value

    def finished(self, value: Tensor) -> Float[Tensor, "n c"]:
        """Return explained scores from what was read of the network's output."""
        rows = ENDINGS[self.ending](value.reshape(-1, self.columns))
        return torch.cat([-rows, rows], 1) if self.two else rows

    def node_in(self, graph: Graph) -> fx.Node | None:
        """Return the node of a graph that gives the explained scores, added where it is missing.

        None where the graph does not show them.
        """
        try:
            node = picked(graph.result, self.path)
        except KeyError:
            return None
        if self.ending == "cut" and isinstance(node, fx.Node):
            node = unsquashed(graph, node)
        if not isinstance(node, fx.Node):
            return None
        done = self.as_returned or (self.ending == "cut" and self.flat and not self.two)
        return node if done else graph.added(self.finished, node)

    def probabilities(self, scores: Float[Tensor, "*n c"]) -> Float[Tensor, "*n c"]:
        """Return the probabilities that scores stand for."""
        return scores.softmax(-1) if self.shown == "softmax" else scores.sigmoid()

    def log_probabilities(self, scores: Float[Tensor, "*n c"]) -> Float[Tensor, "*n c"]:
        """Return the logarithms of the probabilities that scores stand for."""
        return scores.log_softmax(-1) if self.shown == "softmax" else F.logsigmoid(scores)

    def named(self, scores: Float[Tensor, "n c"]) -> list[tuple[int, ...]]:
        """Return the classes that a network finds in each image: one, or any number of findings."""
        if self.shown == "softmax" or self.two:
            return [(best,) for best in scores.argmax(1).tolist()]
        return [tuple(np.flatnonzero(row).tolist()) for row in (scores > 0).cpu().numpy()]


class ScoredNetwork(nn.Module):
    """A network that answers with its explained scores, for what wants to run a module."""

    def __init__(self, model: nn.Module, reading: ScoreReading) -> None:
        super().__init__()
        self.model, self._reading = model, reading

    def forward(self, x: Float[Tensor, "n ch h w"]) -> Float[Tensor, "n c"]:
        """Return the explained scores."""
        return self._reading.of(self.model, x)


def read_scores(
    model: nn.Module,
    x: Float[Tensor, "n ch h w"],
    *,
    kind: str | None = None,
    output: int | str | None = None,
    wanted: int | None = None,
) -> tuple[ScoreReading, Float[Tensor, "n c"]]:
    """Return how a network's output is read, found on prepared images, and their explained scores.

    `kind` is what the user says that it returns, `output` where, `wanted` how many class names
    there are. Raises ValueError for output without scores and for what cannot be known, and
    what the network raises. Call it inside `guest.visiting`, without gradients.
    """
    watch = SquashWatch()
    with watch:
        returned = model(x.clone())
    columns = None if wanted is None else 1 if wanted == 2 and _is_single(returned, x) else wanted
    try:
        path = path_of(returned, len(x), output, columns)
    except ValueError as error:
        raise ValueError(
            f"{type(model).__name__} returned {error} name what holds the class scores with"
            " hx.Classifier(model, output=...), or return only them"
        ) from error.__cause__
    value: Tensor = picked(returned, path)
    squash = watch.behind(value)
    reading = _Case(model, x, path, value, squash, kind).reading(_others(returned, path))
    before = value if squash is None or reading.ending != "cut" else squash.before
    return reading, reading.finished(before)


def _is_single(returned: Any, x: Tensor) -> bool:
    """Whether two names can only be those of one output's two answers."""
    known = {columns_of(t, len(x)) for _, t in tensors(returned)}
    return 2 not in known and 1 in known


def _others(returned: Any, path: Path) -> tuple[str, ...]:
    if not path:
        return ()
    others = [f"{worded(p)} {tuple(t.shape)}" for p, t in tensors(returned) if p != path]
    rest = f"; left out: {', '.join(others)}" if others else ""
    return (f"Of what the network returns, {worded(path)} is explained{rest}.",)


class _Case:
    """One network's scores on one image: what can be known of them, and what was said."""

    def __init__(
        self,
        model: nn.Module,
        x: Tensor,
        path: Path,
        value: Tensor,
        squash: Squash | None,
        kind: str | None,
    ) -> None:
        self.model, self.x, self.path, self.value = model, x, path, value
        self.squash, self.kind = squash, kind
        self.columns = columns_of(value, len(x)) or 1
        self.rows = value.reshape(-1, self.columns).double()
        if squash is not None and squash.amiss:
            raise self.error(
                f"ends in {squash.amiss}",
                "probabilities of the classes of each image",
                "let the softmax run over the classes, or return the logits",
            )

    def error(self, came: str, expected: str, advice: str) -> ValueError:
        """Return an error in three parts."""
        return ValueError(f"{type(self.model).__name__} {came}; expected {expected}; {advice}")

    def reading(self, notes: tuple[str, ...]) -> ScoreReading:
        """Return what was found."""
        ending, shown = _BY_KIND[self.kind](self)
        two = self.columns == 1 and shown == "sigmoid" and self.kind != "multilabel"
        if self.columns == 1 and not two and self.kind != "multilabel":
            raise self.error(
                "returns one score",
                "one of each class",
                'say hx.Classifier(model, scores="binary") where it decides between two classes,'
                ' or scores="multilabel" where it finds one',
            )
        said = (*notes, *_said(ending, shown, two, self.squash), *self.doubts(ending, shown))
        flat = self.value.ndim == 2
        return ScoreReading(self.path, self.columns, ending, shown, two, flat, said)

    def doubts(self, ending: Ending, shown: str) -> tuple[str, ...]:
        """Say that what is taken for logits might be probabilities."""
        if ending != "returned" or self.kind is not None:
            return ()
        total = float(self.rows[0].sum())
        if self.columns > 1 and self.always(partial(_sums_to, total)):
            return (
                f"The scores of every image sum to {total:.4g} and are taken as logits: if they are"
                " shares of it, let the network return them divided by it, or its logits.",
            )
        if not self.always(lambda rows, _: _in_unit(rows)):
            return ()
        return (
            "All scores lie between 0 and 1 and are taken as logits: if they are probabilities, say"
            ' hx.Classifier(model, scores="probabilities").',
        )

    @property
    def family(self) -> str | None:
        """What squashed the scores last, where that can be cut off."""
        if self.squash is None or self.squash.family == "bounded":
            return None
        return self.squash.family

    @cached_property
    def answers(self) -> list[Tensor]:
        """Return what the network answers to other images, among them loud ones and none at all."""
        draw = torch.Generator().manual_seed(0)
        one = self.x[:1]
        noise = torch.randn(one.shape, generator=draw).to(one)
        rows = []
        loud = [size * other for size in LOUD for other in (one, -one, noise)]
        for other in (one, -one, noise, 0 * one, *loud):
            value = picked(self.model(other.clone()), self.path)
            rows.append(value.reshape(-1, self.columns).double())
        return [row for row in rows if bool(row.isfinite().all())]

    def always(self, holds: Callable[[Tensor, float], bool]) -> bool:
        """Whether something holds of the scores of this image and of any other."""
        room = rounding(self.value)
        return holds(self.rows, room) and all(holds(row, room) for row in self.answers)

    def spreads(self) -> bool:
        """Whether the scores go far between 0 and 1, as probabilities do."""
        every = torch.cat(self.answers)
        return bool(every.amax() - every.amin() > SPREAD)

    def found(self) -> tuple[Ending, str]:
        """Return what can be known without being told."""
        if self.family is not None:
            return "cut", self.family
        if self.columns > 1 and self.always(_sums_to_one):
            return "log", "softmax"
        if self.columns > 1 and self.always(_logs_sum_to_one):
            return "logs", "softmax"
        if self.columns == 1 and self.squash is not None:
            raise self.error(
                f"has one output, which ends in {self.squash.name}: what it means is not known",
                "a logit or a probability",
                'say hx.Classifier(model, scores="binary") to take it as the logit of a decision'
                " between two classes",
            )
        if self.always(lambda rows, _: _in_unit(rows)) and self.spreads():
            return "logit", "sigmoid"
        return "returned", "softmax" if self.columns > 1 else "sigmoid"

    def logits(self) -> tuple[Ending, str]:
        """Return that the scores are the logits of classes that exclude one another."""
        return "returned", "softmax"

    def multilabel(self) -> tuple[Ending, str]:
        """Return that each score is a finding by itself, a logit unless it is a probability."""
        if self.family == "softmax":
            raise self.error(
                f'ends in a softmax, and scores="{self.kind}" was said',
                "findings that do not exclude one another",
                "leave scores= out, or return the logits",
            )
        if self.family == "sigmoid":
            return "cut", "sigmoid"
        known = self.always(lambda rows, _: _in_unit(rows)) and self.spreads()
        return ("logit" if known else "returned"), "sigmoid"

    def binary(self) -> tuple[Ending, str]:
        """Return that the only score decides between two classes."""
        if self.columns != 1:
            raise self.error(
                f'returns {self.columns} scores, and scores="binary" was said',
                "one",
                'say scores="logits" where they are of classes that exclude one another,'
                ' "multilabel" where they do not, or leave it out',
            )
        return self.multilabel()

    def probabilities(self) -> tuple[Ending, str]:
        """Return that the scores are probabilities, of classes that exclude one another or not."""
        if self.family is not None:
            return "cut", self.family
        if bool(self.rows.isfinite().all()) and not _in_unit(self.rows):
            raise self._beyond("probabilities", "0 to 1")
        sums = self.columns > 1 and _sums_to_one(self.rows, rounding(self.value))
        return ("log", "softmax") if sums else ("logit", "sigmoid")

    def log_probabilities(self) -> tuple[Ending, str]:
        """Return that the scores are logarithms of such probabilities."""
        if self.family is not None:
            return "cut", self.family
        if float(self.rows.max()) > 0:
            raise self._beyond("log_probabilities", "numbers up to 0")
        sums = self.columns > 1 and _logs_sum_to_one(self.rows, rounding(self.value))
        return ("logs", "softmax") if sums else ("logit of log", "sigmoid")

    def _beyond(self, said: str, expected: str) -> ValueError:
        low, high = float(self.rows.min()), float(self.rows.max())
        return self.error(
            f'returns {low:.3g} to {high:.3g}, and scores="{said}" was said',
            expected,
            'say scores="logits" or "multilabel", or leave it out to have it found',
        )


_BY_KIND: Mapping[str | None, Callable[[_Case], tuple[Any, Any]]] = {
    None: _Case.found,
    **{kind: getattr(_Case, kind) for kind in KINDS},
}


def _in_unit(rows: Tensor) -> bool:
    return bool(((rows >= 0) & (rows <= 1)).all())


def _sums_to_one(rows: Tensor, room: float) -> bool:
    return _in_unit(rows) and bool(((rows.sum(1) - 1).abs() <= room).all())


def _sums_to(total: float, rows: Tensor, room: float) -> bool:
    sums = (rows.sum(1) - total).abs() <= room * abs(total)
    return total > 0 and bool((rows >= 0).all()) and bool(sums.all())


def _logs_sum_to_one(rows: Tensor, room: float) -> bool:
    return bool((rows <= 0).all()) and bool((rows.logsumexp(1).abs() <= room).all())


def _said(ending: Ending, shown: str, two: bool, squash: Squash | None) -> list[str]:
    """Return in words what is explained, where that is not what the network returns."""
    said = []
    ends = "" if squash is None else squash.name.removeprefix("special_").replace("_", "-")
    if ending == "cut":
        said.append(
            f"The network ends in a {ends}: explained are the logits before it, shown its"
            " probabilities."
        )
    elif ending == "logs":
        said.append(
            "The network returns log-probabilities whose softmax cannot be cut off: they are what"
            " is explained."
        )
    elif ending == "log":
        said.append(
            "The network returns probabilities whose softmax cannot be cut off: explained are"
            " their logarithms."
        )
    elif ending != "returned":
        said.append(
            "The network returns probabilities whose sigmoid cannot be cut off: explained are"
            " their logits."
        )
    if two:
        said.append(
            "The network has one output, a decision between two classes: it speaks for the second"
            " where its logit is positive, for the first where it is negative."
        )
    return said


def saturated(scores: Float[Tensor, "n c"], ending: Ending) -> int | None:
    """Return a class whose probability is exactly 0 or 1 in this precision, None for none."""
    if ending in ("returned", "cut"):
        return None
    stuck = scores.isinf()
    if ending in ("log", "logs"):
        stuck = stuck | (scores == 0)
    columns = torch.nonzero(stuck.any(0)).flatten()
    return int(columns[0]) if len(columns) else None
