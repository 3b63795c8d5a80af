"""Adversarial images: small, and named otherwise."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import hexplain_widgets as hx
from hexplain_widgets.diagnosis.attacks import pgd
from tests.networks import image, plain


def linear() -> hx.Classifier:
    """Class 1 where the left half is brighter than the right, class 0 where it is darker."""
    head = nn.Linear(48, 2, bias=False)
    left = torch.zeros(3, 4, 4)
    left[:, :, :2], left[:, :, 2:] = 1.0, -1.0
    head.weight.data = torch.stack([-left.flatten(), left.flatten()])
    model = nn.Sequential(nn.Flatten(), head).eval()
    return hx.Classifier(
        model, classes=["dark", "bright"], transform=lambda _: torch.zeros(3, 4, 4)
    )


def test_a_linear_network_falls_as_soon_as_the_budget_reaches_its_margin() -> None:
    """The halves differ by 0.04 on average (24 pixels each): a change of 0.02 evens them out."""
    x = torch.full((1, 3, 4, 4), 0.5)
    x[..., :2] = 0.54
    x[0, :, 0, 0] = torch.tensor([0.0, 0.0, 0.0])
    x[0, :, 0, 3] = torch.tensor([0.0, 0.0, 0.0])
    x[0, :, 1, 0] = x[0, :, 1, 3] = 1.0
    margin = float(x[..., :2].sum() - x[..., 2:].sum())
    needed = margin / 42  # pixels that may still move both ways, apart from those at 0 and at 1
    assert pgd(linear(), x, budget=0.8 * needed).after.name == "bright"
    assert pgd(linear(), x, budget=1.3 * needed).after.name == "dark"


@pytest.mark.parametrize(("norm", "budget"), [("linf", 0.02), ("l2", 0.5)])
def test_the_change_stays_within_its_budget(norm, budget: float) -> None:
    found = pgd(plain(), image(32), norm=norm, budget=budget)
    low, high = hx.Classifier.of(plain()).extent(found.x)
    change = (found.adversarial - found.x) / (high - low)
    length = change.abs().max() if norm == "linf" else change.norm()
    assert float(length) <= budget * 1.0001
    assert found.size == pytest.approx(float(length), rel=1e-3)


def test_an_attack_towards_a_class_makes_it_stronger_than_all_others() -> None:
    """The runner-up is the class that a plain network comes to name soonest."""
    first, second = (index for index, _, _ in hx.Classifier.of(plain()).predict(image(32), top=2))
    found = pgd(plain(), image(32), second, budget=0.5, steps=60)
    assert (found.before.index, found.after.index) == (first, second)


def test_no_pixel_leaves_the_range_of_pixels() -> None:
    x = torch.rand(1, 3, 4, 4).round()
    found = pgd(linear(), x, budget=0.3)
    assert float(found.adversarial.min()) >= 0
    assert float(found.adversarial.max()) <= 1


def test_the_same_seed_gives_the_same_image() -> None:
    one, two = (pgd(plain(), image(32), seed=5) for _ in range(2))
    assert torch.equal(one.adversarial, two.adversarial)


def test_the_attack_leaves_no_gradient_on_the_weights() -> None:
    model = plain()
    pgd(model, image(32))
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"norm": "l1"}, "got norm='l1'; expected 'linf' or 'l2'"),
        ({"budget": 0.0}, "got budget=0.0; expected a positive change"),
        ({"steps": 0}, "got steps=0; expected at least 1"),
        ({"target": 99}, "99"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict, said: str, unchecked) -> None:
    with pytest.raises((ValueError, IndexError), match=said):
        pgd(plain(), image(32), **settings)
