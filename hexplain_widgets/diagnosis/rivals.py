"""Other importances of a layer's channels for a class, as Captum computes them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from ..network.classifier import Classifier

STEPS = 20  # of the path from black to the image

Rival = Callable[[Any, Any], Any]


def _captum() -> Any:
    try:
        import captum.attr
    except ImportError as error:
        raise ImportError(
            "conductance, internal influence and LRP come from captum, which is not installed;"
            " expected it beside this package; pip install 'hexplain_widgets[compare]', or ask for"
            " no rivals"
        ) from error
    return captum.attr


RIVALS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "conductance": lambda captum, model, layer: captum.LayerConductance(model, layer),
    "internal influence": lambda captum, model, layer: captum.InternalInfluence(model, layer),
    "LRP": lambda captum, model, layer: captum.LayerLRP(model, layer),
}


@contextmanager
def _without_traces(model: nn.Module) -> Iterator[None]:
    """Take back the attributes that captum leaves on modules."""
    before = [(m, set(m.__dict__)) for m in model.modules()]
    try:
        yield
    finally:
        for module, names in before:
            for name in set(module.__dict__) - names:
                delattr(module, name)


def _with_rule(model: nn.Module, layer: str) -> nn.Module:
    """Return the last operation up to a layer's end that LRP has a rule for; ReLUs pass it on."""
    inside = set(model.get_submodule(layer).modules())
    leaves = [m for m in model.modules() if not list(m.children())]
    last = max((i for i, m in enumerate(leaves) if m in inside), default=-1)
    ruled = [m for m in leaves[: last + 1] if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    return ruled[-1] if ruled else model.get_submodule(layer)


def rival(
    name: str, classifier: Classifier, x: Float[Tensor, "1 c h w"], layer: str, index: int
) -> Float[np.ndarray, " k"]:
    """Return a rival's importance of a layer's channels, summed over space.

    Paths begin at a black image. Raises ImportError without captum, ValueError where the method
    does not work on this network. Call it inside `guest.visiting`.
    """
    captum, model = _captum(), classifier.model
    low, _ = classifier.extent(x)
    path = {"baselines": low.expand_as(x), "n_steps": STEPS, "internal_batch_size": 4}
    lrp = name == "LRP"
    try:
        module = _with_rule(model, layer) if lrp else model.get_submodule(layer)
        with _without_traces(model), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Input Tensor 0 did not already require")
            method = RIVALS[name](captum, model, module)
            found = method.attribute(x, target=index, **({} if lrp else path))
        scores: Float[np.ndarray, " k"] = found.detach()[0].sum((1, 2)).double().cpu().numpy()
    except (RuntimeError, TypeError, AttributeError, AssertionError, IndexError) as error:
        raise ValueError(
            f"{name} gave no answer at {layer} ({error}); expected a module that captum can follow;"
            " leave it out of rivals"
        ) from error
    return scores
