"""What is said of a picture reaches every answer; names and numbers that come are checked."""

from __future__ import annotations

import numpy as np
import pytest

import hexplain_widgets as hx
from hexplain_widgets.additive.measures import relative_deviations
from hexplain_widgets.widgets.attack_comparison.parts import AttackControls
from tests import chain_world as world
from tests.networks import image, plain

DATA = [(image(12, seed)[0], seed % 5) for seed in range(8)]
LOUD = 255 * image(12)


def additive(**more: object) -> hx.AdditiveExplainer:
    engine = hx.AdditiveExplainer(concepts={"a": [0, 1], "b": [2]}, epochs=1)
    return engine.fit(plain(), DATA, target=0, progress=False, **more)


def loud_pixels() -> object:
    return 255 * world.prepared(world.item(3).image)[None]


ANSWERS = {
    "tree": lambda: hx.decompose(plain(), LOUD),
    "chip": lambda: hx.Chip(gates_per_image=8).fit(plain(), DATA, progress=False).explain(LOUD),
    "additive": lambda: additive().explain(LOUD),
    "chain": lambda: world.fitted().explain(loud_pixels(), 0),
    "chain, a class": lambda: world.fitted().explain_class([loud_pixels()] * 2, 0),
    "chain, sets": lambda: world.fitted().compare({"a": [loud_pixels()], "b": [loud_pixels()]}, 0),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_picture_far_outside_the_transform_is_said(answer: str) -> None:
    notes = ANSWERS[answer]().notes
    assert sum("the transform makes" in note for note in notes) == 1, notes


def test_a_report_explains_a_class_without_a_name() -> None:
    report = additive().report(DATA, progress=False, seeds=1)
    assert report.target == "class 0"


@pytest.mark.parametrize("name", ["class 5", "class 00", "house"])
def test_other_names_of_a_network_without_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="knows no names"):
        hx.decompose(plain(), image(12), target=name)


def test_a_leaf_is_called_as_a_class_without_a_name_is() -> None:
    hierarchy = hx.Hierarchy({"all": {"some": ["class 0", "class 2"], "others": [1, 3, 4]}})
    found = hierarchy.matched(5)
    assert found.concepts == hierarchy.matched([f"class {i}" for i in range(5)]).concepts
    engine = hx.Hint(samples=2).fit(plain(), DATA, hierarchy, progress=False)
    assert engine.scores.shape[0] == len(found.concepts) or engine.scores.size > 0
    heat = engine.explain(LOUD, "some")
    assert any("the transform makes" in note for note in heat.notes)


def test_scores_that_are_the_same_and_missed_have_no_relative_deviation() -> None:
    same = np.ones(3)
    assert np.isnan(relative_deviations(same, np.array([1.0, 2, 1]))).tolist() == [0, 1, 0]


def controls() -> AttackControls:
    return AttackControls(("a", "b"), None, attack=int, over=None, cancel=int)


@pytest.mark.parametrize(
    ("control", "value"),
    [
        ("budget", 1e308),
        ("budget", float("nan")),
        ("budget", float("inf")),
        ("steps", 10**9),
        ("seed", -1),
        ("seed", 2**63),
    ],
)
def test_numbers_that_no_attack_is_made_with_are_refused(control: str, value: float) -> None:
    made = controls()
    assert made.settings()["steps"] == 20
    getattr(made, control).value = value
    with pytest.raises(ValueError, match="expected a number from"):
        made.settings()
