"""Adversarial images: a picture changed too little to be seen, and named otherwise (PGD)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ..evidence import Prediction
from ..network.classifier import Classifier
from ..network.guest import visiting

Norm = Literal["linf", "l2"]
Stop = Callable[[], bool]

# What a person hardly sees, in pixel values 0..1: the largest change, or the length of all changes
# in an image of 224 pixels.
BUDGETS = {"linf": 8 / 255, "l2": 3.0}


@dataclass(frozen=True)
class Attacked:
    """An image before and after an attack, prepared for the network, and what is named in each.

    `size` is the change's in the attack's norm, in pixel values 0..1. `settings` say how it was
    found; `target` among them is the index of the class it went for, None for any other.
    """

    x: Float[Tensor, "1 c h w"]
    adversarial: Float[Tensor, "1 c h w"]
    before: Prediction
    after: Prediction
    size: float
    norm: Norm = "linf"
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def came_through(self) -> bool:
        """Whether another class is named than before: the target, where there is one."""
        goal = self.settings.get("target")
        named = self.after.index
        return named != self.before.index and (goal is None or named == goal)


def pgd(
    model: Any,
    image: Any,
    target: int | str | None = None,
    *,
    norm: Norm = "linf",
    budget: float | None = None,
    steps: int = 20,
    seed: int = 0,
    stopped: Stop | None = None,
) -> Attacked:
    """Return an image that projected gradient descent changed (Madry et al. 2018).

    Towards `target`, or away from the class that the network names. `budget` bounds the change in
    pixel values 0..1: of each pixel ("linf", 8/255) or their Euclidean length ("l2", 3.0). It
    starts at a random change drawn from `seed`, and keeps the best of `steps` steps; `stopped` is
    asked before each, and once it says yes the best so far is returned. Raises ValueError for a
    norm, a budget, a number of steps or a class that cannot be, IndexError for a class out of
    range.
    """
    classifier = Classifier.of(model)
    bound = _checked(norm, budget, steps)
    x = classifier.prepare(image).x
    with visiting(classifier.model):
        logits = classifier.logits(x)[0]
        away = int(logits.argmax())
        goal = None if target is None else classifier.index_of(target, len(logits))
        pixels = _Pixels(classifier, x)
        draw = torch.Generator().manual_seed(seed)
        way = _Descent(away, goal, norm, bound, steps, stopped or _never)
        found = way.best(classifier, pixels, draw)
        after = classifier.logits(pixels.shown(found))[0]
    return Attacked(
        x, pixels.shown(found), classifier.prediction(logits, away),
        classifier.prediction(after, int(after.argmax())), float(_length(found, norm)), norm,
        {"attack": "PGD", "budget": bound, "steps": steps, "target": goal, "seed": seed},
    )  # fmt: skip


def attacked_by(model: Any, image: Any, attack: Callable[..., Any]) -> Attacked:
    """Return an image that a function `(network, x) -> x` changed, `x` prepared `(1, C, H, W)`.

    Its size is the largest change of a pixel. Raises TypeError for a function that returns no
    tensor, ValueError for one of another shape or with values that are not finite.
    """
    classifier = Classifier.of(model)
    x = classifier.prepare(image).x
    with visiting(classifier.model), torch.enable_grad():
        given = attack(classifier.model, x.clone())
    adversarial = _checked_image(given, x)
    change = (adversarial - x) / _Pixels(classifier, x).span
    before, after = (
        classifier.ranked(classifier.logits(each)[0], 1)[0] for each in (x, adversarial)
    )
    name = getattr(attack, "__name__", type(attack).__name__)
    return Attacked(
        x, adversarial, before, after, float(change.abs().max()), "linf", {"attack": name}
    )


def _checked_image(given: Any, x: Tensor) -> Tensor:
    if not isinstance(given, Tensor):
        raise TypeError(
            f"the attack returned {type(given).__name__}; expected the changed image as a tensor"
            f" {tuple(x.shape)}; let it return the prepared image it was given with the change"
        )
    if given.shape != x.shape:
        raise ValueError(
            f"the attack returned a tensor of shape {tuple(given.shape)}; expected"
            f" {tuple(x.shape)}, as it was given; change the pixels, not the size"
        )
    if not bool(torch.isfinite(given).all()):
        raise ValueError(
            "the attack returned NaN or infinite values; expected finite numbers; look for a"
            " division by the length of a gradient that is zero"
        )
    return given.detach().to(x)


class _Pixels:
    """An image in pixel values 0..1, and what the network is given for a change of them."""

    def __init__(self, classifier: Classifier, x: Tensor) -> None:
        self.low, white = classifier.extent(x)
        self.span = white - self.low
        self.values = (x - self.low) / self.span

    def shown(self, change: Tensor) -> Tensor:
        return self.low + self.span * (self.values + change)

    def inside(self, change: Tensor) -> Tensor:
        """Return the change cut where a pixel would leave 0..1 that was inside."""
        low, high = self.values.clamp(max=0), self.values.clamp(min=1)
        return (self.values + change).clamp(low, high) - self.values


@dataclass(frozen=True)
class _Descent:
    """How a change is looked for: away from a class, or towards the one that is the goal."""

    away: int
    goal: int | None
    norm: Norm
    bound: float
    steps: int
    stopped: Stop

    def best(self, classifier: Classifier, pixels: _Pixels, draw: torch.Generator) -> Tensor:
        """Return the change of the lowest loss on the way, no change where it never began."""
        noise = torch.randn(pixels.values.shape, generator=draw).to(pixels.values)
        change = pixels.inside(_unit(noise, self.norm) * self.bound / 2)
        best, lowest = torch.zeros_like(change), float("inf")
        for _ in range(self.steps + 1):
            if self.stopped():
                break
            moving = change.detach().requires_grad_()
            with torch.enable_grad():
                logits = classifier.model(pixels.shown(moving)).float()
                loss = _loss(logits, self.away, self.goal)
            if float(loss.detach()) < lowest:
                best, lowest = change, float(loss.detach())
            (gradient,) = torch.autograd.grad(loss, moving)
            step = 2.5 * self.bound / self.steps * _unit(gradient, self.norm)
            change = pixels.inside(_projected(change - step, self.norm, self.bound))
        return best


def _never() -> bool:
    return False


def _loss(logits: Float[Tensor, "1 c"], away: int, goal: int | None) -> Tensor:
    """Return by how much the attack has not come through yet: below 0 another class is named."""
    index = away if goal is None else goal
    others = logits[0].index_fill(0, torch.tensor([index], device=logits.device), -torch.inf).max()
    return logits[0, index] - others if goal is None else others - logits[0, index]


def _unit(change: Tensor, norm: Norm) -> Tensor:
    return change.sign() if norm == "linf" else change / _length(change, norm).clamp(min=1e-12)


def _length(change: Tensor, norm: Norm) -> Tensor:
    return change.abs().max() if norm == "linf" else change.norm()


def _projected(change: Tensor, norm: Norm, bound: float) -> Tensor:
    if norm == "linf":
        return change.clamp(-bound, bound)
    return change * (bound / _length(change, norm).clamp(min=bound))


def _checked(norm: str, budget: float | None, steps: int) -> float:
    if norm not in BUDGETS:
        raise ValueError(f"got norm={norm!r}; expected 'linf' or 'l2'; choose one of these")
    if steps < 1:
        raise ValueError(f"got steps={steps}; expected at least 1; 20 is the default")
    bound = BUDGETS[norm] if budget is None else budget
    if not 0 < bound < float("inf"):
        raise ValueError(
            f"got budget={budget}; expected a positive change in pixel values 0..1; 8/255 is the"
            " usual one of each pixel"
        )
    return float(bound)
