"""Decisions before and after an attack, over one image and over a set of images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import hexplain_widgets as hx
from hexplain_widgets.diagnosis.attacks import (
    AttackResult,
    SetAttack,
    StageProbe,
    attack_of,
    attacked_decision,
    attacked_set,
    pgd,
)
from hexplain_widgets.evidence import AttackedDecision, AttackedSet
from tests.networks import image, plain
from tests.test_contract import check_untouched, fingerprint


def decision(attacked: AttackResult, classifier: hx.Classifier, top: int = 4) -> AttackedDecision:
    trees = [hx.decompose(classifier, x, top_k=1) for x in (attacked.x, attacked.adversarial)]
    return attacked_decision(attacked, StageProbe(classifier), *trees, top=top)


@pytest.fixture(scope="module")
def clf() -> hx.Classifier:
    return hx.demo.classifier()


@pytest.fixture(scope="module")
def fooled(clf: hx.Classifier) -> AttackedDecision:
    scene = hx.demo.scene("house", surroundings="pool", seed=3, size=112)
    return decision(pgd(clf, scene.image, "park", steps=8), clf)


@pytest.fixture(scope="module")
def scenes() -> hx.demo.Scenes:
    return hx.demo.scenes(8, seed=5)


@pytest.fixture(scope="module")
def eight(clf: hx.Classifier, scenes: hx.demo.Scenes) -> AttackedSet:
    return attacked_set(clf, scenes, short(clf, 8 / 255), progress=False)


def short(clf: hx.Classifier, budget: float) -> Callable[[nn.Module, Tensor], Tensor]:
    """PGD with few steps."""
    return lambda _, x: pgd(clf, x, budget=budget, steps=5).adversarial


def untouched(model: nn.Module, x: Tensor) -> Tensor:
    return x


def test_the_classes_are_those_that_the_trees_take_apart(fooled: AttackedDecision) -> None:
    assert fooled.classes == ("house", "park")
    assert fooled.came_through


def test_the_goal_is_predicted_in_both_images(fooled: AttackedDecision) -> None:
    assert [each.name for each in fooled.goal] == ["park", "park"]
    probabilities = [each.probability for each in fooled.goal]
    assert probabilities == pytest.approx(fooled.probabilities[:, 1])


def test_probabilities_are_those_of_both_classes_in_both_images(
    fooled: AttackedDecision, clf: hx.Classifier
) -> None:
    first = {name: p for _, name, p in clf.predict(fooled.before.image, top=10)}
    assert fooled.probabilities[0] == pytest.approx([first["house"], first["park"]], rel=1e-3)
    assert fooled.probabilities[1].argmax() == 1


def test_the_strongest_channels_are_those_of_the_trees(fooled: AttackedDecision) -> None:
    """Channels whose maps overlap are merged in a tree: its first is the strongest of all."""
    for row, tree in zip(fooled.channels, (fooled.before, fooled.after), strict=True):
        assert row[0] == tree.root.children[0].channel


def test_contributions_are_those_of_the_trees(fooled: AttackedDecision) -> None:
    first = fooled.before.root.children[0]
    assert fooled.contributions[0, 0] == pytest.approx(first.contribution, rel=1e-4)


def test_the_change_is_what_lies_between_the_images(fooled: AttackedDecision) -> None:
    seen = (fooled.after.image.astype(float) - fooled.before.image) / 255
    assert fooled.change == pytest.approx(seen, abs=1.01 / 255)
    assert fooled.largest == pytest.approx(fooled.size, rel=1e-3)


def test_peaks_of_the_class_before_fall_and_those_of_the_class_after_rise(
    fooled: AttackedDecision,
) -> None:
    falls, rises = fooled.peaks[1] - fooled.peaks[0]
    assert falls.mean() < 0 < rises.mean()


def test_an_attack_that_does_not_come_through_leaves_one_class(clf: hx.Classifier) -> None:
    scene = hx.demo.scene("house", seed=3, size=112)
    found = decision(pgd(clf, scene.image, "park", budget=1e-5, steps=2), clf)
    assert not found.came_through
    assert found.classes == ("house",)
    assert found.peaks.shape == (2, 1, 4)


def test_another_class_than_the_goal_is_no_success(fooled: AttackedDecision) -> None:
    assert not replace(fooled, goal=(fooled.before.target,) * 2).came_through


def test_evidence_is_the_same_after_saving(
    fooled: AttackedDecision, eight: AttackedSet, tmp_path: Path
) -> None:
    for one in (fooled, eight):
        assert hx.load(hx.save(one, tmp_path / "a.hx")) == one


# a set


def test_over_a_set_the_class_before_falls_and_the_class_after_rises(eight: AttackedSet) -> None:
    """Every rank of the top four, as in Fig. 12 c."""
    (before_one, before_other), (after_one, after_other) = eight.means
    assert (after_one < before_one).all()
    assert (after_other > before_other).all()


def test_means_and_standard_errors_are_those_of_the_peaks(eight: AttackedSet) -> None:
    column = [float(each[1, 0, 2]) for each in eight.peaks]
    mean = sum(column) / len(column)
    spread = (sum((v - mean) ** 2 for v in column) / (len(column) - 1)) ** 0.5
    assert eight.means[1, 0, 2] == pytest.approx(mean)
    assert eight.errors[1, 0, 2] == pytest.approx(spread / len(column) ** 0.5)


def test_images_that_withstand_are_counted_and_left_out(
    clf: hx.Classifier, scenes: hx.demo.Scenes
) -> None:
    found = attacked_set(clf, scenes, short(clf, 2 / 255), progress=False)
    assert 0 < found.withstood < 8
    assert len(found.peaks) == len(found.named) == len(found.sizes) == 8 - found.withstood
    assert (found.named[:, 0] != found.named[:, 1]).all()


def test_a_set_that_withstands_altogether_has_no_peaks(clf: hx.Classifier) -> None:
    data = [hx.demo.scene("house", seed=1, size=48).image] * 2
    found = attacked_set(clf, data, untouched, progress=False)
    assert (found.images, found.withstood) == (2, 2)
    assert found.peaks.shape == (0, 2, 2, 4)
    assert np.isnan(found.means).all()
    assert np.isnan(found.errors).all()


def test_a_set_agrees_with_its_images_one_by_one() -> None:
    model, images = plain(), [image(16, seed=i) for i in range(3)]
    several = attacked_set(model, images, top=3, progress=False)
    each = [pgd(model, x) for x in images]
    classifier = hx.Classifier(model)
    peaks = [decision(one, classifier, 3).peaks for one in each if one.came_through]
    assert several.peaks == pytest.approx(np.array(peaks))


def test_a_set_that_is_stopped_keeps_what_was_found() -> None:
    counts: list[int] = []
    attack = SetAttack(hx.Classifier(plain()), attack_of(untouched))
    found = attack.over(
        [image(16, seed=i) for i in range(5)],
        progress=False,
        stopped=lambda: len(counts) >= 2,
        done=counts.append,
    )
    assert (found.images, counts) == (2, [1, 2])
    (note,) = found.notes
    assert "stopped before the end" in note


def test_an_empty_set_is_refused() -> None:
    with pytest.raises(ValueError, match="got no attacked image; expected at least one; pass a"):
        attacked_set(plain(), [], progress=False)


def test_an_attack_on_one_image_is_none_on_a_set() -> None:
    with pytest.raises(TypeError, match="got an AttackResult as attack on a set; expected None"):
        attacked_set(plain(), [image(16)], pgd(plain(), image(16)), progress=False)


# the network and bad input


def test_the_network_is_handed_back_untouched() -> None:
    model = plain().train()
    before = fingerprint(model)
    found = pgd(model, image(16), steps=2)
    decision(found, hx.Classifier(model))
    attacked_set(model, [image(16)], lambda network, x: x + 0.01, progress=False)
    check_untouched(before, model)


def test_a_function_attacks_a_network_in_eval_mode_with_gradients() -> None:
    model = plain().train()

    def gradient(network: nn.Module, x: Tensor) -> Tensor:
        assert not network.training
        x.requires_grad_()
        (slope,) = torch.autograd.grad(network(x)[0].max(), x)
        return x - 0.05 * slope.sign()

    with torch.no_grad():
        found = attack_of(gradient)(hx.Classifier(model), image(16), lambda: False)
    assert found.size == pytest.approx(0.05 / 0.999, rel=0.01)
    assert found.settings["attack"] == "gradient"


@pytest.mark.parametrize(
    ("attack", "error", "said"),
    [
        (3, TypeError, "got int as attack; expected None"),
        (lambda m, x: x[..., :8], ValueError, r"a tensor of shape \(1, 3, 16, 8\); expected"),
        (lambda m, x: x.numpy(), TypeError, "the attack returned ndarray; expected the changed"),
        (lambda m, x: x / 0, ValueError, "the attack returned NaN or infinite values; expected"),
        (pgd(plain(), image(16, seed=3)), ValueError, "got an attack on another image"),
        (pgd(plain(), image(8)), ValueError, "got an attack on another image"),
    ],
)
def test_attacks_that_cannot_be_are_refused(attack, error, said: str, unchecked) -> None:
    with pytest.raises(error, match=said):
        attack_of(attack)(hx.Classifier(plain()), image(16), lambda: False)


def test_fewer_than_one_channel_is_refused() -> None:
    found = pgd(plain(), image(16), steps=1)
    with pytest.raises(ValueError, match="got channels=0; expected at least 1"):
        decision(found, hx.Classifier(plain()), top=0)


def test_peaks_at_a_clip_are_said() -> None:
    """Every map is far above 6 in most cells: each of 2 x 2 x 4 peaks is 6."""
    model = plain(activation=nn.ReLU6)
    model[6].bias.data += 50
    model[10].bias.data += 100
    darker = attack_of(lambda m, x: x * 0.5)
    found = darker(hx.Classifier(model), image(16), lambda: False)
    same = decision(found, hx.Classifier(model))
    assert (same.peaks == 6).all()
    (note,) = same.notes
    assert f"{same.peaks.size} of {same.peaks.size} peaks stand at 6" in note


def test_values_outside_the_pixels_are_said() -> None:
    found = attack_of(lambda m, x: x + 0.5)(hx.Classifier(plain()), image(16), lambda: False)
    (note,) = decision(found, hx.Classifier(plain())).notes
    assert "of the adversarial image's values are no pixels: outside 0 to 1" in note
