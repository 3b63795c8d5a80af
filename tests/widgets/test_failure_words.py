"""What an analysis of a failure says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hexplain_widgets.evidence import Prediction
from hexplain_widgets.widgets.failure_analysis.words import (
    agreement,
    channel_part,
    covered,
    decides,
    head,
    no_tree,
    nothing_wrong,
    outcome,
    region,
    removed,
    rightly,
    table,
)
from tests.widgets.made import MARKUP, scene
from tests.widgets.made_failure import CAT, DOG, made_failure, made_occlusion, made_portraits


def test_it_says_what_is_named_and_what_should_be() -> None:
    assert "Named cat (90 %), should be dog (6.0 %)" in outcome(made_failure())


def test_it_says_how_much_of_the_difference_the_deciding_channel_makes() -> None:
    said = decides(made_failure())
    assert "Channel 328 of features.29 decides most" in said
    assert "+1.5 to the logit of cat and +0.5 to that of dog, 50 % of the difference of 2" in said


def test_more_than_the_difference_is_no_share_of_it() -> None:
    near = replace(DOG, logit=5.5)
    assert "more than the whole difference of 0.5" in decides(made_failure(near))


def test_without_the_deciding_channel_the_dog_is_named() -> None:
    assert "Without channel 328 the network names dog (65 %)" in removed(made_failure())


def test_several_channels_that_are_enough_together_are_counted() -> None:
    dog = Prediction(5, "dog", 0.5, 4.1)
    found = made_failure(alone=(CAT, CAT, CAT), together=(CAT, dog, dog))
    assert "names cat (90 %), without the first 2 of these channels dog (50 %)" in removed(found)


def test_where_no_channels_are_enough_many_decide() -> None:
    found = made_failure(alone=(CAT,) * 3, together=(CAT,) * 3)
    assert "without all 3 of these channels cat (90 %)" in removed(found)


def test_it_says_how_far_contributions_agree_with_removals() -> None:
    found = made_failure()
    assert agreement(found) == "The order of these channels can be trusted."
    assert "agrees with ablation: r = 1.00 (512 channels" in head(found)
    flat = replace(found, drops=np.zeros((2, 512)))
    assert "cannot be told: all 512 channels weigh the same" in agreement(flat)


def test_it_says_what_is_named_with_a_region_covered() -> None:
    assert covered(made_occlusion()) == "6.2 % covered: dog (65 %)"


def test_an_image_that_is_named_rightly_has_its_runner_up() -> None:
    assert "named cat (90 %), as it should be" in rightly(CAT, DOG)
    assert "runner-up is dog (6.0 %)" in rightly(CAT, DOG)
    assert "runner-up" not in rightly(CAT, None)


def test_a_class_without_a_tree_says_why() -> None:
    assert "The logit of dog is -1.20: only a decision in favour" in no_tree(
        made_failure(replace(DOG, logit=-1.2))
    )


def test_without_data_it_says_what_to_pass() -> None:
    part = channel_part(made_failure(), 0)
    assert "Which images excite channel 328 most? Pass a data set or a list of images" in part


def test_exemplars_have_their_class_and_peak() -> None:
    part = channel_part(made_failure(**made_portraits()), 0)
    assert part.count("<img") == 3
    assert "in which channel 328 reaches 9" in part
    assert "no label" in part


def test_a_silent_channel_has_words_in_the_place_of_exemplars() -> None:
    found = made_failure(**made_portraits())
    silent = replace(
        found.exemplars[0], images=np.zeros((0, 64, 64, 3), np.uint8), values=np.zeros(0),
        masks=np.zeros((0, 64, 64), bool),
    )  # fmt: skip
    found = replace(found, exemplars=(silent,) * 3, labels=((),) * 3)
    assert "Channel 328 has one value at all places" in channel_part(found, 0)


def test_an_exemplar_is_pale_outside_its_region() -> None:
    portrait = made_failure(**made_portraits()).exemplars[0]
    plain = replace(portrait, images=np.full_like(portrait.images, 40))
    shown = region(plain, 0)
    assert (shown[60, 60] == 40).all()
    assert (shown[130, 130] > 100).all()


def test_the_table_has_a_row_for_each_channel() -> None:
    text = table(made_failure())
    assert [f"#{k}</th>" in text for k in (328, 12, 40)] == [True] * 3
    assert "+0.8" in text


@pytest.mark.parametrize("part", [head, table, no_tree, lambda f: channel_part(f, 0)])
def test_names_are_never_markup(part) -> None:
    found = made_failure(replace(DOG, name=MARKUP), **made_portraits(MARKUP))
    assert MARKUP not in part(found)
    assert MARKUP not in nothing_wrong(scene(64), replace(CAT, name=MARKUP), None)
