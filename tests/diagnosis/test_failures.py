"""Failures: which channels speak for the wrong class, and what is named without them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import hexplain_widgets as hx
from hexplain_widgets.diagnosis.failures import ClassComparison, failure_of, with_exemplars
from hexplain_widgets.evidence import Failure
from tests.networks import DataDependent, Functional, image, plain
from tests.planted_failure import BLUE, EVEN, GREEN, RED, classifier, dog
from tests.reference import gap
from tests.test_contract import check_untouched, fingerprint, in_use


def failure(true: int | str = "dog", top: int = 8) -> Failure:
    known = classifier()
    rivalry = ClassComparison(known, dog())
    aim = rivalry.prediction(true)
    right = hx.decompose(known, dog(), aim.index) if aim.logit > 0 else None
    return failure_of(rivalry, hx.decompose(known, dog()), right, aim, top=top)


def test_a_dog_with_a_red_ear_is_named_a_cat() -> None:
    found = failure()
    assert (found.named.name, found.true.name) == ("cat", "dog")
    assert (found.named.logit, found.true.logit) == pytest.approx((0.75, 0.54))


def test_the_red_channel_decides() -> None:
    found = failure()
    assert found.deciding == RED
    assert found.contributions[:, RED] == pytest.approx([0.75, 0])
    assert found.contributions[:, GREEN] == pytest.approx([0, 0.54])
    assert found.channels.tolist() == [RED, BLUE, EVEN, GREEN]


def test_without_the_deciding_channel_the_whole_network_names_the_dog() -> None:
    found, whole = failure(), classifier().model
    maps = whole[:5](dog()).detach()
    maps[:, found.deciding] = 0
    logits = whole[5:](maps)[0].detach()
    assert found.alone[0].name == "dog"
    assert found.alone[0].index == int(logits.argmax())
    assert found.alone[0].logit == pytest.approx(float(logits.max()))
    assert found.enough == 1


def test_without_any_other_channel_it_stays_a_cat() -> None:
    assert [one.name for one in failure().alone] == ["dog", "cat", "cat", "cat"]


def test_maps_are_the_channels_own() -> None:
    found = failure()
    assert found.maps.shape == (4, 8, 8)
    assert found.maps[0, :4, :4] == pytest.approx(1)
    assert found.maps[0, 4:].max() == 0


def test_the_right_class_has_a_tree_where_its_logit_is_positive() -> None:
    found = failure()
    assert found.right is not None
    assert found.right.target.name == "dog"
    assert found.right.root.children[0].channel == GREEN


def test_a_class_whose_logit_is_not_positive_is_compared_without_a_tree() -> None:
    found = failure("bird")
    assert found.right is None
    assert found.contributions[0, RED] == pytest.approx(0.75)
    assert found.notes[0].startswith("There is no tree of bird: its logit is -1.00")


def test_a_finding_beside_a_stronger_one_is_said_to_be_found() -> None:
    known = hx.Classifier(classifier().model, classes=["cat", "dog", "bird"], scores="multilabel")
    rivalry = ClassComparison(known, dog())
    aim = rivalry.prediction("dog")
    wrong = hx.decompose(known, dog(), rivalry.predictions(1)[0].index)
    found = failure_of(rivalry, wrong, None, aim, top=1)
    assert aim.probability == pytest.approx(float(rivalry.logits[aim.index].sigmoid()))
    assert found.notes[-1].startswith(
        f"The network finds dog too (probability {aim.probability:.2f})"
    )


def test_what_lies_behind_the_layer_is_said() -> None:
    known = classifier()
    known.model[7].bias.data = torch.tensor([0.0, 0, 5])
    rivalry = ClassComparison(known, dog())
    aim = rivalry.prediction("dog")
    found = failure_of(rivalry, hx.decompose(known, dog()), None, aim, top=1)
    assert found.named.name == "bird"
    assert "No channel adds more to bird than to dog" in found.notes[-1]


def second(model: nn.Module, x: torch.Tensor) -> tuple[hx.Classifier, int, int]:
    known = hx.Classifier(model)
    order = known.logits(x)[0].argsort(descending=True).tolist()
    return known, order[0], order[1]


@pytest.mark.parametrize(("make", "layer"), [(plain, "7"), (lambda: DataDependent(), "body.7")])
def test_differences_are_those_of_two_literal_steps(make, layer: str) -> None:
    model, x = make(), image(24)
    known, wrong, right = second(model, x)
    found = ClassComparison(known, x).between(wrong, right)
    cells = 24 // 4 * (24 // 4)
    # a step negates a decision that is negative
    signs = [1 if known.logits(x)[0, index] >= 0 else -1 for index in (wrong, right)]
    steps = [
        sign * gap.step(model, x, None, (index, 0, 0), layer).alpha.numpy() * cells
        for sign, index in zip(signs, (wrong, right), strict=True)
    ]
    assert found.contributions == pytest.approx(np.stack(steps), rel=1e-4, abs=1e-5)
    differences = steps[0] - steps[1]
    assert found.channels[0] == int(differences.argmax())


def test_contributions_to_a_negative_logit_have_its_own_sign() -> None:
    """What falls where a channel goes falls from the logit, not from its negative."""
    model, x = plain(), image(24)
    logits = hx.Classifier(model).logits(x)[0]
    highest, lowest = int(logits.argmax()), int(logits.argmin())
    assert logits[lowest] < 0
    found = ClassComparison(hx.Classifier(model), x).between(highest, lowest)
    # under pooling and a linear layer the estimate is the drop
    assert found.contributions == pytest.approx(found.drops, rel=1e-3, abs=1e-4)
    literal = gap.ablation(model, x, None, (lowest, 0, 0), "7").numpy()
    assert found.contributions[1] == pytest.approx(literal, rel=1e-3, abs=1e-4)


def test_drops_are_those_of_a_literal_ablation() -> None:
    model, x = Functional(), image(24)
    known, wrong, right = second(model, x)
    found = ClassComparison(known, x, ["wide"]).between(wrong, right)
    literal = [gap.ablation(model, x, None, (i, 0, 0), "wide").numpy() for i in (wrong, right)]
    assert found.drops == pytest.approx(np.stack(literal), rel=1e-3, abs=1e-4)


def test_channels_go_together_one_after_the_other() -> None:
    model, x = plain(), image(24)
    known, wrong, right = second(model, x)
    found = ClassComparison(known, x).between(wrong, right, 3)
    maps = model[:8](x).detach()
    for channel, named in zip(found.channels, found.together, strict=True):
        maps[:, int(channel)] = 0
        logits = model[8:](maps)[0].detach()
        assert (named.index, named.logit) == (
            int(logits.argmax()),
            pytest.approx(float(logits.max()), rel=1e-4),
        )


@pytest.mark.parametrize("make", [plain, Functional, DataDependent])
def test_the_model_is_handed_back_as_it_came(make) -> None:
    model = in_use(make)
    before = fingerprint(model)
    ClassComparison(hx.Classifier(model), image(24)).between(0, 1)
    check_untouched(before, model)


def test_the_same_class_twice_is_refused_with_the_runner_up() -> None:
    with pytest.raises(ValueError, match=r"named 'cat' as it should be; .*; pass true='dog' to"):
        failure("cat")


def test_an_unknown_class_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(ValueError, match=r"the unknown class 'dug'; .* the nearest are 'dog'"):
        failure("dug")


def test_no_channels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got channels=0; expected at least 1"):
        failure(top=0)


def test_exemplars_are_those_of_the_failures_channels() -> None:
    reds = [dog() * torch.tensor([share, 1, 1]).view(1, 3, 1, 1) for share in (0.1, 0.9, 0.5)]
    found = with_exemplars(failure(top=2), classifier(), [(x[0], 1) for x in reds], progress=False)
    assert [one.filter for one in found.exemplars] == [RED, BLUE]
    assert found.exemplars[0].values == pytest.approx([0.9, 0.5, 0.1])
    assert found.labels == (("dog", "dog", "dog"), ())


def test_it_is_saved_and_loaded(tmp_path: Path) -> None:
    found = with_exemplars(failure(), classifier(), [dog()[0], dog()[0] * 0.5], progress=False)
    assert hx.load(hx.save(found, tmp_path / "failure.hx")) == found
