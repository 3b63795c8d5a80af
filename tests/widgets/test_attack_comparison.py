"""The view of an attack: what it shows of evidence, and what can be asked for live."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import ipywidgets
import pytest
import torch
from ipywidgets.widgets.widget import _instances
from PIL import Image
from torch import Tensor, nn

import hexplain_widgets as hx
from hexplain_widgets.attacks import pgd
from hexplain_widgets.widgets import AttackComparison, DecompositionTree, show
from tests.networks import image, plain
from tests.widgets.made import MARKUP
from tests.widgets.made_attack import made_attack, made_concept, made_set, withstood


def eventually(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def texts(view: AttackComparison) -> str:
    """All that is said in the view."""
    parts = [view, *view.children]
    return " ".join(part.value for part in parts if isinstance(part, ipywidgets.HTML))


def trees(view: AttackComparison) -> list[DecompositionTree]:
    return [cell.children[1] for cell in view._image._pair.children]


@pytest.fixture
def saved() -> Iterator[AttackComparison]:
    view = AttackComparison.from_evidence(made_attack(), made_set())
    yield view
    view.close()


@pytest.fixture
def live() -> Iterator[AttackComparison]:
    """A network of five classes without names, three random images as a set."""
    data = [image(16, seed=i) for i in range(3)]
    view = AttackComparison(plain(), image(16), images=data, top_k=1)
    yield view
    view.close()


def pressed(view: AttackComparison, button: str) -> None:
    """Press a button and wait until the work is done."""
    getattr(view._controls, button).click()
    eventually(lambda: not view._controls.attack.disabled)


# what it shows


def test_it_says_what_it_shows(saved: AttackComparison) -> None:
    assert repr(saved) == "AttackComparison('house' -> 'lake', 8 images)"
    assert saved.title == "house before and after an attack"


def test_both_trees_stand_under_one_header(saved: AttackComparison) -> None:
    assert [tree.evidence.target.name for tree in trees(saved)] == ["house", "lake"]
    assert "Named house (92 %) before, lake (97 %) after the attack." in saved.children[0].value


def test_saved_evidence_has_no_controls(saved: AttackComparison) -> None:
    assert saved._controls is None
    assert not [tree for tree in trees(saved) if tree.live]


def test_a_set_alone_is_shown_without_images() -> None:
    view = show(made_set())
    assert repr(view) == "AttackComparison(8 images, 6 came through)"
    assert view.evidence == view.set_evidence == made_set()
    assert "The attack came through in 6 of 8 images" in texts(view)
    view.close()


def test_an_attack_that_did_not_come_through_is_said_and_both_trees_stay() -> None:
    view = AttackComparison.from_evidence(withstood())
    assert repr(view) == "AttackComparison('house', did not come through)"
    assert "The attack did not come through" in texts(view)
    assert [tree.evidence.target.name for tree in trees(view)] == ["house", "house"]
    view.close()


def test_a_set_that_withstood_has_words_and_no_bars() -> None:
    view = show(made_set(0, 3))
    assert "came through in none of 3 images" in texts(view)
    assert len(view.children) == 1
    view.close()


def test_a_concept_stands_on_both_images() -> None:
    view = AttackComparison.from_evidence(made_attack(concept=made_concept(2, 1)))
    assert "Where HINT sees animal" in texts(view)
    view.close()


def test_evidence_is_the_same_after_saving_and_showing(tmp_path: Path) -> None:
    one = made_attack(concept=made_concept(2, 1))
    view = show(hx.load(hx.save(one, tmp_path / "a.hx")))
    assert isinstance(view, AttackComparison)
    assert view.evidence == one
    view.close()


@pytest.mark.parametrize(
    ("given", "over", "said"),
    [
        (3, None, "got int as evidence; expected an AttackedDecision; take what"),
        (made_set(), made_set(), "got AttackedSet as evidence; expected an AttackedDecision"),
        (made_attack(), made_attack(), "got AttackedDecision as evidence; expected an AttackedSet"),
        (None, None, "got None as evidence; expected an AttackedDecision or an AttackedSet"),
    ],
)
def test_other_things_are_refused(given, over, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        AttackComparison.from_evidence(given, over)


def test_a_saved_view_says_what_it_takes_to_attack(saved: AttackComparison) -> None:
    with pytest.raises(ValueError, match="without a model; another attack takes the model; run"):
        saved.attack()
    with pytest.raises(ValueError, match="an attack on a set takes the model"):
        saved.over([])


# live


def test_the_trees_are_live_and_of_the_classes_named(live: AttackComparison) -> None:
    found = live.evidence
    assert found.came_through
    assert [tree.live for tree in trees(live)] == [True, True]
    assert [tree.evidence.target.name for tree in trees(live)] == list(found.classes)


def test_another_attack_changes_the_second_tree_alone(live: AttackComparison) -> None:
    first, second = trees(live)
    found = live.attack(norm="l2", budget=0.001, steps=2, seed=3)
    assert trees(live)[0] is first
    assert trees(live)[1] is not second
    assert (found.norm, found.provenance.seed) == ("l2", 3)
    assert found.size == pytest.approx(0.001, rel=0.01)


def test_the_button_attacks_with_what_the_controls_say(live: AttackComparison) -> None:
    live._controls.target.value = "class 2" if live._controls.target.options else "2"
    live._controls.budget.value = 60
    pressed(live, "attack")
    assert live._controls.said == ""
    assert live.evidence.goal[0].index == 2
    assert live.evidence.provenance.settings["budget"] == pytest.approx(60 / 255)


def test_controls_say_what_was_attacked(live: AttackComparison) -> None:
    live.attack(3, norm="l2", budget=1.5, steps=4, seed=9)
    controls = live._controls
    assert (controls.norm.value, controls.budget.value) == ("l2", 1.5)
    assert (controls.steps.value, controls.seed.value, controls.target.value) == (4, 9, "3")


def test_the_budget_follows_the_norm(live: AttackComparison) -> None:
    live._controls.norm.value = "l2"
    assert (live._controls.budget.value, live._controls.budget.description) == (
        3.0, "Budget, length",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        ("budget", 0, "got budget=0.0; expected a positive change"),
        ("steps", 0, "got steps=0; expected at least 1"),
        ("target", "9", "got class 9; expected an index from 0 to 4"),
        ("target", MARKUP, "got the class name &#x27;&lt;img src=x onerror=alert(1)&gt;&#x27;"),
    ],
)
def test_what_cannot_be_is_said_in_the_view(
    live: AttackComparison, part: str, value, said: str, unchecked
) -> None:
    before = live.evidence
    getattr(live._controls, part).value = value
    pressed(live, "attack")
    assert "role='alert'" in live._controls.said
    assert said in live._controls.said
    assert live.evidence == before


def test_an_attack_can_be_cancelled_and_what_was_there_stays(live: AttackComparison) -> None:
    before = live.evidence
    live._controls.steps.value = 10**7
    live._controls.attack.click()
    eventually(lambda: not live._controls.cancel.disabled)
    live._controls.cancel.click()
    eventually(lambda: "Cancelled" in live._controls.said)
    assert live.evidence == before
    live._controls.steps.value = 1
    pressed(live, "attack")
    assert live._controls.said == ""


def test_the_set_is_attacked_on_request(live: AttackComparison) -> None:
    assert live.set_evidence is None
    pressed(live, "over")
    assert live.set_evidence is not None
    assert live.set_evidence.images == 3
    assert "Over a set of images" in texts(live)


def test_the_set_is_attacked_as_the_image_was(live: AttackComparison) -> None:
    live.attack(norm="l2", budget=0.5, steps=3, seed=4)
    settings = live.over(progress=False).provenance.settings
    assert (settings["norm"], settings["budget"], settings["steps"]) == ("l2", 0.5, 3)


def test_controls_stay_as_they_are_when_the_set_was_attacked(live: AttackComparison) -> None:
    live._controls.steps.value = 2
    pressed(live, "over")
    assert live._controls.steps.value == live.set_evidence.provenance.settings["steps"] == 2


def test_without_images_there_is_no_button_for_a_set() -> None:
    view = AttackComparison(plain(), image(16), top_k=1)
    assert view._controls.over not in view._controls._row.children
    with pytest.raises(ValueError, match="got no images to attack; expected a set of them; pass"):
        view.over()
    view.close()


def test_a_function_of_ones_own_attacks_image_and_set() -> None:
    def darker(network: nn.Module, x: Tensor) -> Tensor:
        return x * 0.5

    view = AttackComparison(plain(), image(16), darker, images=[image(16)], top_k=1)
    assert view.evidence.provenance.settings["attack"] == "darker"
    assert view.over(progress=False).provenance.settings["attack"] == "darker"
    view.attack(steps=1)
    assert view.over(progress=False).provenance.settings["attack"] == "PGD"
    view.close()


def test_an_attack_that_was_made_before_is_shown() -> None:
    model = plain()
    made = pgd(model, image(16), norm="l2", budget=2.0, steps=3)
    view = AttackComparison(model, image(16), made, top_k=1)
    assert view.evidence.size == pytest.approx(made.size)
    assert view._controls.settings()["budget"] == 2.0
    view.close()


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"attack": 3}, TypeError, "got int as attack; expected None"),
        ({"attack": lambda m, x: x[..., 1:]}, ValueError, "returned a tensor of shape"),
        ({"channels": 0}, ValueError, "got channels=0; expected at least 1"),
        ({"concept": "animal"}, ValueError, "got concept= without hint=; expected both"),
        ({"hint": hx.Hint()}, ValueError, "got hint= without concept=; expected both"),
        ({"hint": 3, "concept": "animal"}, TypeError, "got int as hint; expected a fitted Hint"),
    ],
)
def test_bad_input_is_refused(fields: dict, error: type[Exception], said: str, unchecked) -> None:
    with pytest.raises(error, match=said):
        AttackComparison(plain(), image(16), **fields)


def test_a_hint_looks_for_its_concept_in_both_images() -> None:
    class Seen:
        """Stands where a fitted Hint is, and keeps the images it was given."""

        def __init__(self) -> None:
            self.images: list[Tensor] = []

        def explain(self, given: Tensor, concept: str) -> hx.HeatMap:
            self.images.append(given)
            return made_concept(len(self.images), name=concept)[0]

    hint = Seen()
    view = AttackComparison(plain(), image(16), hint=hint, concept="animal", top_k=1)
    assert [float(one.values.max()) for one in view.evidence.concept] == [1, 2]
    assert torch.equal(hint.images[0], image(16))
    assert not torch.equal(hint.images[1], image(16))
    view.attack(steps=1)
    assert [float(one.values.max()) for one in view.evidence.concept] == [1, 3]
    view.close()


# ways out


def test_the_page_is_written_without_the_model(live: AttackComparison, tmp_path: Path) -> None:
    live.over(progress=False)
    page = live.export_html(tmp_path / "a.html").read_text(encoding="utf-8")
    assert "Over a set of images" in page
    assert "before and after an attack</title>" in page
    assert "Towards" not in page


def test_the_twin_keeps_how_the_trees_are_arranged(saved: AttackComparison) -> None:
    trees(saved)[1].view = {"selected": "0"}
    twin = saved.snapshot()
    assert [tree.view for tree in trees(twin)] == [{}, {"selected": "0"}]
    assert twin.set_evidence == saved.set_evidence
    twin.close()


def test_the_picture_for_slides_is_1920_wide(saved: AttackComparison, tmp_path: Path) -> None:
    with Image.open(saved.export_png(tmp_path / "a.png")) as picture:
        assert picture.width == 1920


def test_a_tree_of_another_class_is_not_taken_for_the_evidence(live: AttackComparison) -> None:
    tree = trees(live)[0]
    other = next(p for p in tree.evidence.predictions[1:] if p.logit > 0)
    tree._retarget({"target": other.index}, lambda: False)
    assert live.evidence.before.target.index != other.index


def test_closing_leaves_no_widget_and_no_thread_behind() -> None:
    before, threads = set(_instances), threading.active_count()
    view = AttackComparison(plain(), image(16), images=[image(16)], top_k=1)
    view.over(progress=False)
    view.attack(steps=1)
    view.close()
    left = {type(one).__name__ for key, one in _instances.items() if key not in before}
    assert left <= {"Layout"} | {name for name in left if name.endswith("Style")}
    eventually(lambda: threading.active_count() <= threads)
