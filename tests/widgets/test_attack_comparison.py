"""The view of an attack: what it shows of evidence, and what can be asked for live."""

from __future__ import annotations

import html
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import ipywidgets
import pytest
import torch
from ipywidgets.widgets.widget import _instances
from PIL import Image
from torch import Tensor, nn

import hexplain_widgets as hx
from hexplain_widgets.diagnosis.attacks import pgd
from hexplain_widgets.widgets import AttackComparison, DecompositionTree, show
from hexplain_widgets.widgets._shared.agreement import sentence
from hexplain_widgets.widgets._shared.controls import CheckControls
from hexplain_widgets.widgets._shared.tree_pair import TreePair
from hexplain_widgets.widgets.attack_comparison.parts import AttackControls, ConceptControls
from hexplain_widgets.widgets.attack_comparison.words import trust
from tests.networks import image, plain
from tests.widgets.answers import Answers
from tests.widgets.made import MARKUP
from tests.widgets.made_attack import MadeFinder, made_attack, made_concept, made_set, withstood
from tests.widgets.parts import eventually, every, only, parts, texts


def controls(view: AttackComparison) -> AttackControls:
    return only(view, AttackControls)


def choice(view: AttackComparison) -> ConceptControls:
    return only(view, ConceptControls)


def trees(view: AttackComparison) -> list[DecompositionTree]:
    return [cell.children[1] for cell in only(view, TreePair).children]


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
    getattr(controls(view), button).click()
    eventually(lambda: not controls(view).attack.disabled)


# what it shows


def test_it_says_what_it_shows(saved: AttackComparison) -> None:
    assert repr(saved) == "AttackComparison('house' -> 'lake', 8 images)"
    assert saved.title == "house before and after an attack"


def test_both_trees_stand_under_one_header(saved: AttackComparison) -> None:
    assert [tree.evidence.target.name for tree in trees(saved)] == ["house", "lake"]
    assert "Named house (92 %) before, lake (97 %) after the attack." in saved.children[0].value


def test_saved_evidence_has_no_controls(saved: AttackComparison) -> None:
    assert every(saved, AttackControls) == []
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


def check_of(r: float, count: int = 12) -> dict:
    return {"r": r, "rest": r, "count": count, "parts": "channels"}


def test_of_both_images_the_one_that_agrees_less_is_said() -> None:
    check, wording = trust(check_of(0.95), check_of(0.42))
    assert sentence(check, wording) == (
        "Adversarial, the lower of both: the order of the compared channels cannot be trusted."
    )
    check, wording = trust(check_of(0.81), check_of(0.97))
    assert sentence(check, wording) == (
        "Original, the lower of both: the order of the compared channels can be trusted."
    )


def test_nothing_is_said_of_both_as_long_as_one_is_not_checked() -> None:
    assert sentence(*trust(check_of(0.9), None)) == (
        "Whether the order of the compared channels can be trusted is not checked."
    )


def test_saved_trees_that_were_checked_give_the_sentence() -> None:
    def checked(tree: hx.Decomposition, r: float) -> hx.Decomposition:
        return replace(tree, root=replace(tree.root, agreement=r, agreement_rest=r))

    one = made_attack()
    known = replace(one, before=checked(one.before, 0.9), after=checked(one.after, 0.6))
    view = AttackComparison.from_evidence(known)
    assert "the lower of both: the order of the compared channels can be trusted in p" in (
        only(view, CheckControls).line
    )
    view.close()


def test_a_saved_view_that_was_not_checked_says_what_that_takes(saved: AttackComparison) -> None:
    found = only(saved, CheckControls)
    assert "is not checked" in found.line
    assert "needs the model" in found.line
    assert found.check.disabled


# live


def test_the_button_checks_both_trees(live: AttackComparison) -> None:
    found = only(live, CheckControls)
    assert "is not checked" in found.line
    found.check.click()
    eventually(lambda: "the lower of both" in found.line)
    eventually(lambda: found.cancel.disabled)
    checks = [tree.root_check for tree in trees(live)]
    assert found.line.count("r = ") >= 1
    assert sentence(*trust(*checks)) in html.unescape(found.line)
    assert found.check.disabled
    live.attack(norm="l2", budget=0.5, steps=2)
    assert "is not checked" in found.line  # the new image was not


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
    controls(live).target.value = "class 2" if controls(live).target.options else "2"
    controls(live).budget.value = 60
    pressed(live, "attack")
    assert controls(live).said == ""
    assert live.evidence.goal[0].index == 2
    assert live.evidence.provenance.settings["budget"] == pytest.approx(60 / 255)


def test_controls_say_what_was_attacked(live: AttackComparison) -> None:
    live.attack(3, norm="l2", budget=1.5, steps=4, seed=9)
    shown = controls(live)
    assert (shown.norm.value, shown.budget.value) == ("l2", 1.5)
    assert (shown.steps.value, shown.seed.value, shown.target.value) == (4, 9, "3")


def test_the_budget_follows_the_norm(live: AttackComparison) -> None:
    controls(live).norm.value = "l2"
    assert (controls(live).budget.value, controls(live).budget.description) == (
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
    getattr(controls(live), part).value = value
    pressed(live, "attack")
    assert "role='alert'" in controls(live).said
    assert said in controls(live).said
    assert live.evidence == before


def test_an_attack_can_be_cancelled_and_what_was_there_stays(live: AttackComparison) -> None:
    before = live.evidence
    controls(live).steps.value = 10**7
    controls(live).attack.click()
    eventually(lambda: not controls(live).cancel.disabled)
    controls(live).cancel.click()
    eventually(lambda: "Cancelled" in controls(live).said)
    assert live.evidence == before
    controls(live).steps.value = 1
    pressed(live, "attack")
    assert controls(live).said == ""


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
    controls(live).steps.value = 2
    pressed(live, "over")
    assert controls(live).steps.value == live.set_evidence.provenance.settings["steps"] == 2


def test_without_images_there_is_no_button_for_a_set() -> None:
    view = AttackComparison(plain(), image(16), top_k=1)
    assert controls(view).over not in every(view, ipywidgets.Button)
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
    assert controls(view).settings()["budget"] == 2.0
    view.close()


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"attack": 3}, TypeError, "got int as attack; expected None"),
        ({"attack": lambda m, x: x[..., 1:]}, ValueError, "returned a tensor of shape"),
        ({"channels": 0}, ValueError, "got channels=0; expected at least 1"),
        ({"concept": "animal"}, ValueError, "got concept= without hint=; expected a Hint to look"),
        ({"hint": hx.Hint()}, ValueError, "this Hint has not seen any data; a fitted one was"),
        ({"hint": 3, "concept": "animal"}, TypeError, "got int as hint; expected a fitted Hint"),
        (
            {
                "hint": MadeFinder(()),
            },
            ValueError,
            "got a Hint without a classifier of any concept",
        ),
        ({"hint": MadeFinder(), "concept": "animl"}, ValueError, "the concept 'animl'; expected"),
    ],
)
def test_bad_input_is_refused(fields: dict, error: type[Exception], said: str, unchecked) -> None:
    with pytest.raises(error, match=said):
        AttackComparison(plain(), image(16), **fields)


# a concept that a Hint looks for


@pytest.fixture
def hint() -> MadeFinder:
    return MadeFinder()


@pytest.fixture
def seen(hint: MadeFinder) -> Iterator[AttackComparison]:
    """A view whose Hint looks for an animal: 1 at the strongest place before, 2 after."""
    view = AttackComparison(plain(), image(16), hint=hint, concept="animal", top_k=1)
    yield view
    view.close()


def sought(view: AttackComparison) -> list[tuple[str, float]]:
    """The concept of both maps with the logit of its strongest place."""
    return [(one.target, float(one.values.max())) for one in view.evidence.concept]


def test_a_hint_looks_for_its_concept_in_both_images(
    seen: AttackComparison, hint: MadeFinder
) -> None:
    assert sought(seen) == [("animal", 1), ("animal", 2)]
    assert torch.equal(hint.images[0], image(16))
    assert not torch.equal(hint.images[1], image(16))


def test_another_attack_looks_for_the_same_concept_in_its_image(seen: AttackComparison) -> None:
    seen.attack(steps=1)
    assert sought(seen) == [("animal", 1), ("animal", 3)]


def test_the_concepts_that_can_be_looked_for_are_offered(seen: AttackComparison) -> None:
    assert choice(seen).concept.options == ("animal", "plant", MARKUP)
    assert choice(seen) in parts(seen)


def test_choosing_another_concept_changes_both_maps_in_place(
    seen: AttackComparison, hint: MadeFinder
) -> None:
    before, attacked = seen.children, hint.images[1]
    choice(seen).concept.value = "plant"
    eventually(lambda: "Where HINT sees plant" in texts(seen))
    assert sought(seen) == [("plant", 3), ("plant", 4)]
    assert torch.equal(hint.images[3], attacked)
    assert seen.children == before
    eventually(lambda: choice(seen).cancel.layout.display == "none")
    assert choice(seen).said == ""


def test_another_attack_looks_for_the_concept_that_was_chosen(seen: AttackComparison) -> None:
    assert seen.look_for("plant").concept == seen.evidence.concept
    seen.attack(steps=1)
    assert sought(seen) == [("plant", 3), ("plant", 5)]
    assert choice(seen).concept.value == "plant"


def test_a_concept_that_is_not_found_is_said_and_what_was_there_stays(
    seen: AttackComparison, hint: MadeFinder
) -> None:
    hint.names = ("animal",)
    choice(seen).concept.value = MARKUP
    eventually(lambda: "role='alert'" in choice(seen).said)
    assert "got the concept &#x27;&lt;img src=x onerror=alert(1)&gt;&#x27;" in choice(seen).said
    assert sought(seen) == [("animal", 1), ("animal", 2)]
    assert choice(seen).concept.value == "animal"


def test_a_concept_chosen_while_another_is_looked_for_takes_its_place(
    seen: AttackComparison, hint: MadeFinder
) -> None:
    waiting = threading.Event()
    hint.before_answer = lambda: waiting.wait(20)
    choice(seen).concept.value = "plant"
    eventually(lambda: hint.asked[-1] == "plant")
    choice(seen).concept.value = MARKUP
    waiting.set()
    eventually(lambda: sought(seen)[0][0] == MARKUP)
    eventually(lambda: choice(seen).cancel.layout.display == "none")
    assert hint.asked == ["animal", "animal", "plant", MARKUP, MARKUP]
    assert choice(seen).concept.value == MARKUP


@pytest.mark.parametrize("back", ["button", "list"])
def test_looking_for_a_concept_can_be_cancelled(
    seen: AttackComparison, hint: MadeFinder, back: str
) -> None:
    waiting = threading.Event()
    hint.before_answer = lambda: waiting.wait(20)
    choice(seen).concept.value = "plant"
    eventually(lambda: hint.asked[-1] == "plant")
    if back == "button":
        choice(seen).cancel.click()
    else:
        choice(seen).concept.value = "animal"
    waiting.set()
    assert "Cancelled: what was there stays." in choice(seen).said
    assert choice(seen).concept.value == "animal"
    seen.attack(steps=1)  # waits until the dropped work has ended
    assert {name for name, _ in sought(seen)} == {"animal"}


def test_a_concept_chosen_during_an_attack_is_looked_for_in_the_new_image(
    seen: AttackComparison, hint: MadeFinder
) -> None:
    waiting = threading.Event()
    hint.before_answer = lambda: waiting.wait(20)
    controls(seen).attack.click()
    eventually(lambda: len(hint.asked) == 3)
    choice(seen).concept.value = "plant"
    waiting.set()
    eventually(lambda: sought(seen)[0][0] == "plant")
    assert hint.asked == ["animal"] * 3 + ["plant"] * 2
    assert torch.equal(hint.images[2], hint.images[4])


@pytest.mark.parametrize(
    ("names", "first"),
    [(("animal", "class 3", "class 2"), "class 2"), (("animal", "plant"), "animal")],
)
def test_without_a_concept_it_begins_with_the_class_that_is_named(
    names: tuple[str, ...], first: str
) -> None:
    view = AttackComparison(plain(), image(16), hint=MadeFinder(names), top_k=1)
    assert view.evidence.concept[0].target == first
    assert choice(view).concept.value == first
    view.close()


def test_without_a_hint_there_is_nothing_to_choose(live: AttackComparison) -> None:
    assert every(live, ConceptControls) == []
    with pytest.raises(ValueError, match="got the concept 'animal', but this view has no Hint to"):
        live.look_for("animal")


def test_the_chosen_concept_goes_out_with_the_view(seen: AttackComparison, tmp_path: Path) -> None:
    seen.look_for("plant")
    page = seen.export_html(tmp_path / "a.html").read_text(encoding="utf-8")
    assert "Where HINT sees plant" in page
    assert "HINT's concept" not in page
    opened = show(hx.load(hx.save(seen.evidence, tmp_path / "a.hx")))
    assert opened.evidence == seen.evidence
    assert every(opened, ConceptControls) == []
    with pytest.raises(ValueError, match="without a model; another concept takes the model"):
        opened.look_for("animal")
    opened.close()


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
    Answers(tree).ask("retarget", target=other.index)
    assert tree.evidence.target.index == other.index
    assert live.evidence.before.target.index != other.index


def threads_at_work() -> int:
    """How many threads there are; that of bars comes with the first one, and stays."""
    return sum(one.name != "tqdm_monitor" for one in threading.enumerate())


def test_closing_leaves_no_widget_and_no_thread_behind() -> None:
    before, threads = set(_instances), threads_at_work()
    view = AttackComparison(plain(), image(16), images=[image(16)], top_k=1, hint=MadeFinder())
    view.over(progress=False)
    view.attack(steps=1)
    view.look_for("plant")
    view.close()
    assert [one for key, one in _instances.items() if key not in before] == []
    eventually(lambda: threads_at_work() <= threads)
