"""Adversarial images: a picture changed too little to be seen, and named otherwise (PGD)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from .classifier import Classifier
from .evidence import Prediction
from .guest import visiting

Norm = Literal["linf", "l2"]

# What a person hardly sees, in pixel values 0..1: the largest change, or the length of all changes
# in an image of 224 pixels.
BUDGETS = {"linf": 8 / 255, "l2": 3.0}


@dataclass(frozen=True)
class Attacked:
    """An image before and after an attack, prepared for the network, and what is named in each.

    `size` is the change's in the attack's norm, in pixel values 0..1.
    """

    x: Float[Tensor, "1 c h w"]
    adversarial: Float[Tensor, "1 c h w"]
    before: Prediction
    after: Prediction
    size: float


def pgd(
    model: Any,
    image: Any,
    target: int | str | None = None,
    *,
    norm: Norm = "linf",
    budget: float | None = None,
    steps: int = 20,
    seed: int = 0,
) -> Attacked:
    """Return an image that projected gradient descent changed (Madry et al. 2018).

    Towards `target`, or away from the class that the network names. `budget` bounds the change in
    pixel values 0..1: of each pixel ("linf", 8/255) or their Euclidean length ("l2", 3.0). It
    starts at a random change drawn from `seed`, and keeps the best of `steps` steps. Raises
    ValueError for a norm, a budget, a number of steps or a class that cannot be.
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
        found = _descend(classifier, pixels, away, goal, norm, bound, steps, draw)
        after = classifier.logits(pixels.shown(found))[0]
    return Attacked(
        x, pixels.shown(found), classifier.prediction(logits, away),
        classifier.prediction(after, int(after.argmax())), float(_length(found, norm)),
    )  # fmt: skip


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


def _descend(
    classifier: Classifier,
    pixels: _Pixels,
    away: int,
    goal: int | None,
    norm: Norm,
    bound: float,
    steps: int,
    draw: torch.Generator,
) -> Tensor:
    noise = torch.randn(pixels.values.shape, generator=draw).to(pixels.values)
    change = pixels.inside(_unit(noise, norm) * bound / 2)
    best, lowest = torch.zeros_like(change), float("inf")
    for _ in range(steps + 1):
        moving = change.detach().requires_grad_()
        with torch.enable_grad():
            loss = _loss(classifier.model(pixels.shown(moving)).float(), away, goal)
        if float(loss.detach()) < lowest:
            best, lowest = change, float(loss.detach())
        (gradient,) = torch.autograd.grad(loss, moving)
        step = 2.5 * bound / steps * _unit(gradient, norm)
        change = pixels.inside(_projected(change - step, norm, bound))
    return best


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
