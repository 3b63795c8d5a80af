"""What is said and drawn of an attack: words, the magnified change, bars with standard errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hexplain_widgets.evidence import Prediction, Provenance
from hexplain_widgets.pictures.heat import concept_pictures
from hexplain_widgets.widgets._shared.markup import figure
from hexplain_widgets.widgets.attack_comparison.charts import PeakCharts, error_lines
from hexplain_widgets.widgets.attack_comparison.picture import draw_attack
from hexplain_widgets.widgets.attack_comparison.words import (
    attack_words,
    concept_part,
    concept_words,
    header,
    images_part,
    magnified,
    outcome,
    peaks_table,
    peaks_words,
    set_table,
    set_words,
    size_words,
)
from tests.widgets.made import MARKUP
from tests.widgets.made_attack import PGD, made_attack, made_concept, made_set, withstood

SAFE = MARKUP.replace("<", "&lt;").replace(">", "&gt;")


def test_the_outcome_names_both_classes_with_their_probabilities() -> None:
    assert "house (92 %) before, lake (97 %) after" in outcome(made_attack())


def test_an_attack_that_does_not_come_through_is_said() -> None:
    assert "still named house (92 % before, 61 % after)" in outcome(withstood())
    assert "still named house, not pool (92 %" in outcome(withstood("pool"))


def test_a_goal_that_was_missed_is_said() -> None:
    goal = (Prediction(7, "pool", 0.01, 1.0), Prediction(7, "pool", 0.02, 2.0))
    assert "did not reach pool (2.0 % after)" in outcome(made_attack(goal=goal))
    assert "house (92 %) before, lake" in outcome(made_attack(goal=goal))
    assert "pool</th>" in images_part(made_attack(goal=goal))


@pytest.mark.parametrize(
    ("norm", "size", "said"),
    [
        ("linf", 8 / 255, "by at most 8/255"),
        ("l2", 3.0, "3 long (L2, pixels from 0 to 1): at most 765/255"),
        ("linf", 0.0, "Nothing was changed"),
    ],
)
def test_the_size_of_the_change_is_said_in_its_norm(norm: str, size: float, said: str) -> None:
    assert said in size_words(made_attack(norm=norm, size=size))


def test_the_attack_is_said_with_its_settings() -> None:
    said = attack_words(made_attack())
    assert "PGD, budget 8/255 of each pixel, 20 steps, seed 0, away from house" in said
    assert attack_words(made_set()).endswith("seed 0, away from its class.")


def test_the_goal_is_said_by_name() -> None:
    goal = (Prediction(5, "lake", 0.004, 1.0), Prediction(5, "lake", 0.97, 6.0))
    towards = Provenance("peaks", "VGG", "", {**PGD, "target": 5, "norm": "linf"}, 3)
    said = attack_words(made_attack(goal=goal, provenance=towards))
    assert said.endswith("seed 3, towards lake.")
    over = Provenance("peaks", "VGG", "", {**PGD, "target": 0, "norm": "l2", "budget": 3.0}, 3)
    said = attack_words(replace(made_set(), norm="l2", provenance=over))
    assert "budget 3 (L2), 20 steps, seed 3, towards house" in said


@pytest.mark.parametrize(
    ("name", "said"), [("given", "The attack was given."), ("fgsm", "The attack is fgsm.")]
)
def test_an_attack_of_somebody_else_has_a_name_alone(name: str, said: str) -> None:
    foreign = Provenance("peaks", "VGG", "", {"attack": name, "norm": "linf"})
    assert attack_words(made_attack(provenance=foreign)) == said


def test_mean_peaks_fall_and_rise_in_words() -> None:
    said = peaks_words("house", 16.0, 8.0)
    assert said.startswith("house")
    assert said.endswith("16 before, 8 after: falls by 50 %")
    assert peaks_words("lake", 3.0, 6.0).endswith("rises by 100 %")
    assert peaks_words("none", 0.0, 6.0).endswith("0 before, 6 after")


@pytest.mark.parametrize(
    ("through", "left_out", "said"),
    [
        (6, 2, "in 6 of 8 images; 2 withstood and are left out"),
        (1, 1, "in 1 of 2 images; 1 withstood and is left out"),
        (3, 0, "in 3 of 3 images; all of them are counted"),
        (0, 1, "in none of 1 image: there are no peaks"),
    ],
)
def test_images_that_withstood_are_said(through: int, left_out: int, said: str) -> None:
    assert said in set_words(made_set(through, left_out))


def test_names_reach_the_page_as_text() -> None:
    one = made_attack(MARKUP, concept=made_concept(1, 2, name=MARKUP))
    for part in (header(one), peaks_table(one), concept_part(one)):
        assert SAFE in part
        assert MARKUP not in part


def test_the_table_has_every_channel_with_both_peaks() -> None:
    table = peaks_table(made_attack())
    assert table.count("scope='row'") == 8
    assert "<th scope='row'>#146</th><td>0.3</td><td>18</td><td>6</td>" in table


def test_the_table_of_a_set_has_standard_errors() -> None:
    assert set_table(made_set()).count(" ± ") == 16
    assert set_table(made_set(1)).count(" ± ") == 0
    assert set_table(made_set(0)) == ""


# pictures


def test_the_change_is_magnified_until_it_nearly_fills_the_range() -> None:
    picture, factor = magnified(made_attack().change)
    assert factor == 15
    assert picture[0, 0].tolist() == [128, 128, 128]
    assert picture[30, 30].tolist() == [128 + 120, 128, 128]


@pytest.mark.parametrize(("size", "factor"), [(0.0, 1000), (1e-6, 1000), (0.5, 1), (0.9, 1)])
def test_the_factor_has_its_limits(size: float, factor: int) -> None:
    assert magnified(made_attack(size=size).change)[1] == factor


def test_a_picture_is_told_in_words() -> None:
    part = figure(np.zeros((80, 80, 3), np.uint8), "<b>Original</b>", "a 'house'")
    assert "alt='a &#x27;house&#x27;'" in part
    assert "data:image/jpeg;base64," in part


def test_concept_maps_share_one_scale() -> None:
    maps = made_concept(1, 4)
    (weak, strong), largest = concept_pictures(maps)
    assert largest == 4
    assert weak[32, 32].astype(int).sum() < strong[32, 32].astype(int).sum()


def test_the_concept_is_said_with_its_strongest_place() -> None:
    part = concept_part(made_attack(concept=made_concept(3.5, -0.25)))
    assert "Where HINT sees animal" in part
    assert "up to 3.5" in part
    assert "up to 0<" in part  # the rim is zero where the middle is against
    assert concept_part(made_attack()) == ""


def test_how_far_the_score_of_a_concept_moves_is_said() -> None:
    """Four rims of -1 and four of 0 around the middle: a mean of (top - 4) / 9."""
    strongest, likely, mean = concept_words(made_concept(3.5, 0.25))
    assert "falls from 3.5 to 0.25" in strongest
    assert "97 % likely before, 56 % after" in likely
    assert "falls from -0.0556 to -0.417" in mean
    assert "rises from 1 to 2" in concept_words(made_concept(1, 2))[0]


def test_nothing_is_said_to_move_that_stays_or_is_of_one_image() -> None:
    same = concept_words(made_concept(2, 2))
    assert "stays at 2" in same[0]
    assert concept_words(made_concept(1)) == ()


def test_what_is_to_be_said_of_both_maps_is_said_once() -> None:
    flag = f"at chance: {MARKUP}"
    first, second = made_concept(1, 2)
    maps = (replace(first, notes=(flag,)), replace(second, notes=(flag, "Found nowhere.")))
    part = concept_part(made_attack(concept=maps))
    assert part.count(f"at chance: {SAFE}") == 1
    assert "Adversarial: Found nowhere." in part


def test_a_picture_for_slides_holds_images_trees_and_set() -> None:
    one = made_attack(concept=made_concept(1, 2))
    whole, alone = draw_attack(one, made_set()), draw_attack(None, made_set(0))
    assert whole.width == alone.width == 1920
    assert whole.height > draw_attack(one, None).height > alone.height


# bars


@pytest.fixture
def charts():
    made = PeakCharts()
    yield made
    made.close()


def test_bars_are_peaks_before_and_after(charts: PeakCharts) -> None:
    charts.show(made_attack())
    for c, figure_ in enumerate(charts.figures):
        assert figure_.marks[0].y == pytest.approx(made_attack().peaks[:, c])
    assert list(charts.figures[1].marks[0].x) == ["#33", "#440", "#188", "#466"]


def test_both_classes_share_one_scale(charts: PeakCharts) -> None:
    charts.show(made_attack())
    ends = {(f.axes[1].scale.min, f.axes[1].scale.max) for f in charts.figures}
    assert ends == {(0.0, 20.0)}


def test_negative_peaks_have_room_below_zero(charts: PeakCharts) -> None:
    one = made_attack()
    charts.show(replace(one, peaks=-one.peaks))
    assert charts.figures[0].axes[1].scale.min <= -20


def test_one_class_has_one_figure(charts: PeakCharts) -> None:
    charts.show(withstood())
    assert len(charts.figures) == 1


def test_bars_of_a_set_are_means_with_lines_of_standard_errors(charts: PeakCharts) -> None:
    found = made_set()
    charts.show_set(found)
    bars, lines = charts.figures[1].marks
    assert bars.y == pytest.approx(found.means[:, 1])
    assert lines.visible
    assert lines.y.shape == (8, 2)
    assert lines.y[0] == pytest.approx(
        [found.means[0, 1, 0] - found.errors[0, 1, 0], found.means[0, 1, 0] + found.errors[0, 1, 0]]
    )


def test_a_single_image_has_no_standard_errors(charts: PeakCharts) -> None:
    charts.show_set(made_set(1))
    assert not charts.figures[0].marks[1].visible


def test_error_lines_stand_in_the_middle_of_their_bars() -> None:
    """Two groups one apart, bars that share 0.7 of it: middles at 0.325, 0.675, 1.325, 1.675."""
    x, y = error_lines(np.ones((2, 2)), np.array([[0.1, 0.0], [0.2, 0.3]]))
    assert x[:, 0] == pytest.approx([0.325, 0.675, 1.675])
    assert y == pytest.approx(np.array([[0.9, 1.1], [0.8, 1.2], [0.7, 1.3]]))
