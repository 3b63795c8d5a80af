"""What is asked of a network of the zoo, each against the network itself through `__call__`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

import hexplain_widgets as hx
from hexplain_widgets.data.concept_sets import LabelledPicture

REMOVED = 5


View = Callable[[Tensor], Tensor]
# Of so many more tokens than a grid has, classes and registers, the grid is looked for.
MOST_BESIDE = 8


def views(shape: torch.Size, like: torch.Size) -> Iterator[View]:
    """The ways in which a value of a shape may hold a map `(1, K, H, W)`: upright, channels last,
    or as a grid of tokens before or behind others, by rows or by columns."""
    rows, columns = like[2:]
    if len(shape) == 4:
        yield from (lambda v: v, lambda v: v.permute(0, 3, 1, 2))
    orders = ((0, 2, 1), (1, 2, 0), (0, 1, 2)) if len(shape) == 3 else ()
    for order in orders:
        beside = shape[order[2]] - rows * columns
        for before in range(beside + 1 if beside <= MOST_BESIDE else 0):
            yield partial(_grid, order, slice(before, before + rows * columns), rows, columns)
            yield partial(_turned, order, slice(before, before + rows * columns), rows, columns)


def _grid(order: Sequence[int], tokens: slice, rows: int, columns: int, value: Tensor) -> Tensor:
    return value.permute(*order)[..., tokens].unflatten(2, (rows, columns))


def _turned(order: Sequence[int], tokens: slice, rows: int, columns: int, value: Tensor) -> Tensor:
    return _grid(order, tokens, columns, rows, value).transpose(2, 3)


class MapWatch(TorchFunctionMode):
    """Finds the last value of a forward that is a given map, and may change it there.

    `kept` is what was found, as it lies; `upright` shows it as a map.
    """

    def __init__(self, like: Tensor, which: int | None = None) -> None:
        super().__init__()
        self._like = like
        self._which, self._seen = which, 0
        self.change: Callable[[Tensor], None] = lambda x: None
        self.kept: Tensor | None = None
        self.upright: View = lambda v: v

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        view = self._view_of(out) if isinstance(out, Tensor) else None
        if view is None:
            return out
        self._seen += 1
        if self._which is not None and self._seen - 1 != self._which:
            return out
        self.kept, self.upright = out, view
        copy = out * 1
        with torch.no_grad():
            self.change(view(copy))
        return copy

    @property
    def count(self) -> int:
        """How often the map was seen."""
        return self._seen

    def _view_of(self, value: Tensor) -> View | None:
        if not value.requires_grad or value.numel() < self._like.numel():
            return None
        with torch._C.DisableTorchFunctionSubclass(), torch.no_grad():
            for view in views(value.shape, self._like.shape):
                maps = view(value.detach())
                if maps.shape == self._like.shape:
                    off = (maps - self._like).abs().max()
                    if float(off) <= 1e-5 * float(self._like.abs().max()):
                        return view
        return None


def snapshot(model: nn.Module) -> Iterator[Any]:
    """Everything on every module: names, identities, flags, hooks, values of buffers."""
    for name, module in model.named_modules():
        yield name, module.training, id(module)
        for key, value in vars(module).items():
            yield key, id(value), len(value) if isinstance(value, dict | list) else None
        for key, p in module._parameters.items():
            yield key, id(p), p is None or (p._version, p.requires_grad, p.grad is None)
        for key, buffer in module._buffers.items():
            yield key, id(buffer), buffer is None or (buffer._version, float(buffer.double().sum()))


def scores_of(classifier: hx.Classifier, returned: Any) -> Tensor:
    """What is explained of what a network returned."""
    reading = classifier.reading
    assert reading is not None
    return reading.finished(reading._picked(returned))


def tree_error(engine: hx.Decomposer, model: nn.Module, x: Tensor) -> float:
    """How far contributions are from gradient times activation on the network itself, at most.

    Relative to the strongest channel. Where a value is there more than once (an identity), the
    nearest counts.
    """
    capture, index = engine._capture, engine.target.index
    maps = capture.maps[engine._layers[0].name]
    parts = dict.fromkeys(range(maps.shape[1]), 0.0)
    tree = engine.tree(max_nodes=1)
    parts |= {k: c for k, c, _ in engine.candidates(tree, (), maps.shape[1])}
    sign = -1 if tree.root.negated else 1
    errors = []
    for which in range(_occurrences(model, x, maps)):
        watch = MapWatch(maps, which)
        with torch.enable_grad(), watch:
            value = scores_of(engine.classifier, model(x.clone().requires_grad_()))[0, index]
        assert watch.kept is not None
        (gradient,) = torch.autograd.grad(value, watch.kept, materialize_grads=True)
        literal = sign * watch.upright(gradient * watch.kept.detach())[0].mean((1, 2))
        expected = literal.clamp(min=0)
        off = max(abs(parts[k] - float(v)) for k, v in enumerate(expected))
        errors.append(off / max(float(expected.abs().max()), 1e-12))
    return min(errors)


def _occurrences(model: nn.Module, x: Tensor, maps: Tensor) -> int:
    watch = MapWatch(maps)
    with torch.enable_grad(), watch:
        model(x.clone().requires_grad_())
    if not watch.count:
        raise LookupError("the map is nowhere in the network's own forward")
    return watch.count


def ablation_error(engine: hx.Decomposer, model: nn.Module, x: Tensor) -> float:
    """How far measured contributions are from removals in the network itself, at most."""
    index, maps = engine.target.index, engine._capture.maps[engine._layers[0].name]
    measured = engine.with_method("ablation")
    tree = measured.tree(max_nodes=1)
    sign = -1 if tree.root.negated else 1
    found = measured.candidates(tree, (), REMOVED) or [(k, 0.0, 0.0) for k in range(REMOVED)]
    errors = []
    for which in range(_occurrences(model, x, maps)):
        drops = [max(sign * _drop(engine, model, x, maps, which, k, index), 0) for k, _, _ in found]
        off = max(abs(c - drop) for (_, c, _), drop in zip(found, drops, strict=True))
        errors.append(off / max(*drops, *(c for _, c, _ in found), 1e-12))
    return min(errors)


def _drop(
    engine: Any, model: nn.Module, x: Tensor, maps: Tensor, which: int, channel: int, index: int
) -> float:
    watch = MapWatch(maps, which)

    def without(value: Tensor) -> None:
        value[:, channel].zero_()

    with torch.no_grad():
        whole = scores_of(engine.classifier, model(x))[0, index]
    watch.change = without
    with torch.enable_grad(), watch:
        less = scores_of(engine.classifier, model(x.clone().requires_grad_()))[0, index].detach()
    return float(whole - less)


class Parts(list[LabelledPicture]):
    """A concept set of one level."""

    levels, names, skipped = ("part",), MappingProxyType({"part": ("none", "dot")}), ()


def chip(model: Any, images: Sequence[Tensor], layer: str) -> None:
    """CHIP at one layer."""
    data = [(x, i % 2) for i, x in enumerate(images)]
    hx.Chip(layers=[layer], gates_per_image=6).fit(model, data, progress=False).explain(images[0])


def hint(model: Any, images: Sequence[Tensor], layer: str) -> None:
    """HINT at one layer."""
    data = [(x, i % 2) for i, x in enumerate(images)]
    engine = hx.Hint(layer=layer, samples=2)
    engine.fit(model, data, {"all": {"some": [0], "others": [1]}}, progress=False)


def chain(model: Any, images: Sequence[Tensor], layer: str) -> None:
    """CHAIN with one level at one layer."""
    side = images[0].shape[-1]
    labels = (np.arange(side * side).reshape(side, side) % 5 == 0).astype(int)
    pixels = [(255 * x).byte().permute(1, 2, 0).numpy() for x in images]
    items = Parts(
        LabelledPicture(str(i), Image.fromarray(p), {"part": [np.roll(labels, i)]})
        for i, p in enumerate(pixels)
    )
    engine = hx.Chain(levels={"part": layer}, gates=4).fit(model, items, progress=False)
    engine.explain(images[0])


def additive(model: Any, images: Sequence[Tensor], layer: str) -> None:
    """The additive explainer over one layer's filters."""
    engine = hx.AdditiveExplainer(concepts="filters", layer=layer, epochs=1)
    engine.fit(model, list(images), target=0, progress=False).explain(images[0])


ENGINES: dict[str, Callable[[Any, Sequence[Tensor], str], None]] = {
    "chip": chip, "hint": hint, "chain": chain, "additive": additive,
}  # fmt: skip


def checked(
    model: nn.Module, size: int, *, engines: Sequence[str] = tuple(ENGINES)
) -> dict[str, Any]:
    """Everything that the zoo asks of a network, as a line of its table."""
    p = next(model.parameters())
    images = [
        torch.rand(3, size, size, generator=torch.Generator().manual_seed(i)) for i in range(8)
    ]
    x = images[0][None].to(p.dtype)
    with torch.no_grad():
        model(x)
    before = list(snapshot(model))
    start = time.process_time()
    line: dict[str, Any] = {"refused": "", "engines": {}}
    classifier = hx.Classifier(model, transform=_as_tensor(p.dtype))
    try:
        engine = hx.Decomposer(classifier, x, top_k=2)
        tree = engine.tree()
    except (ValueError, TypeError) as said:
        line["refused"] = str(said)
    else:
        line["tree_s"] = round(time.process_time() - start, 2)
        line["stages"] = [
            f"{n.name} {'x'.join(map(str, n.shape))}" for n in reversed(engine._layers)
        ]
        line["notes"] = [n for n in tree.notes if not n.startswith("A transform")]
        engine = hx.Decomposer(classifier, x, top_k=2, layers=[engine._layers[0].name])
        line |= {"tree": tree_error(engine, model, x), "ablation": ablation_error(engine, model, x)}
        line["engines"] = {
            n: _answer(
                ENGINES[n], classifier, [i.to(p.dtype) for i in images], engine._layers[0].name
            )
            for n in engines
        }
    line["untouched"] = before == list(snapshot(model))
    line["seconds"] = round(time.process_time() - start, 1)
    return line


def _as_tensor(dtype: torch.dtype) -> Callable[[Image.Image], Tensor]:
    return lambda picture: torch.tensor(np.array(picture)).permute(2, 0, 1).to(dtype) / 255


def _answer(
    engine: Callable[..., None], classifier: Any, images: Sequence[Tensor], layer: str
) -> str:
    try:
        engine(classifier, images, layer)
    except TimeoutError:
        raise
    except Exception as cause:  # a line of the table says what any of them raised
        return f"{type(cause).__name__}: {cause}"[:300]
    return ""
