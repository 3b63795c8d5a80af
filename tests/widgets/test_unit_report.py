"""The channels that make up a concept: what Chain says of them, and how they are shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hexplain_widgets as hx
from tests import chain_world
from tests.widgets.made import MARKUP
from tests.widgets.made_views import file_of


@pytest.fixture(scope="module")
def units() -> hx.ConceptUnits:
    return hx.load(file_of("ConceptUnits"))


def test_units_are_the_weights_of_the_concepts_direction() -> None:
    chain = chain_world.fitted()
    for level in chain.harmonized_:
        for e in np.flatnonzero(level.usable):
            units = chain.units(level.concepts[e], level.level, top=3)
            sizes = np.abs(level.weights[e])
            assert units.channels == tuple(np.argsort(-sizes, kind="stable")[: len(units.channels)])
            assert units.weights == pytest.approx(level.weights[e][list(units.channels)])
            assert units.total == pytest.approx(sizes.sum())
            assert units.used == np.count_nonzero(sizes)
            assert units.precision == pytest.approx(chain.precision_[level.level][units.concept][0])


def test_a_planted_concept_is_its_own_channel() -> None:
    chain, places = chain_world.fitted(), []
    part = next(one for one in chain.harmonized_ if one.level == "part")
    for color in range(len(part.concepts)):
        channel = chain_world.channel_of("part", color)
        name = part.concepts[channel] if channel < len(part.concepts) else None
        if name and part.usable[channel]:
            places.append((chain.units(name, "part").channels[0], channel))
    assert places and all(found == planted for found, planted in places)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("nonesuch", "part"), "got the part 'nonesuch', which is none of the"),
        (("nonesuch", None), "which is none of the"),
        (("nonesuch", "scene"), "expected one that is harmonised with a layer"),
    ],
)
def test_what_there_is_not_is_refused(asked: tuple[str, str | None], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        chain_world.fitted().units(*asked)


def test_it_asks_where_it_is_given_a_chain() -> None:
    chain = chain_world.fitted()
    name = next(n for n in chain.concepts_["part"] if n not in chain.harmonized_[0].flags)
    made = hx.UnitReport(chain, name, "part", top=2)
    assert made.evidence == chain.units(name, "part", top=2)
    made.close()


def test_the_verdict_says_how_well_the_channels_find_it(units) -> None:
    made = hx.show(replace(units, precision=0.42, chance=0.03, flag=None))
    assert "an average precision of 0.42, a guess with 0.03." in made.verdict
    assert made.verdict.startswith("It is made up of 5 of the layer's 6 channels; those shown")
    made.close()
    made = hx.show(replace(units, precision=0.02, chance=0.03, flag="no better than chance"))
    assert made.verdict.endswith("Do not rely on it: no better than chance.")
    made.close()
    made = hx.show(replace(units, precision=None, chance=None))
    assert "is not known" in made.verdict
    made.close()


def test_bars_are_the_weights_and_say_what_is_left_out(units) -> None:
    few = replace(units, channels=units.channels[:2], weights=units.weights[:2])
    made = hx.show(few)
    (chart,) = made.charts()
    assert chart.names == tuple(f"#{k}" for k in few.channels)
    assert np.array_equal(chart.bars["weight"], few.weights)
    assert "3 others not shown" in chart.told
    made.close()


def test_what_is_no_evidence_is_refused() -> None:
    with pytest.raises(TypeError, match="got str as evidence; expected a ConceptUnits"):
        hx.UnitReport.from_evidence("u.hx")


def test_names_are_text_and_a_page_and_a_picture_are_written(units, tmp_path: Path) -> None:
    made = hx.show(replace(units, concept=MARKUP, notes=(MARKUP,)))
    words = made.children[0].value + made.children[1].children[0].children[0].value
    assert MARKUP not in words and "&lt;" in words
    made.close()
    made = hx.show(units)
    assert repr(made) == "UnitReport('house', 5 channels)"
    page = made.export_html(tmp_path / "u.html").read_text(encoding="utf-8")
    assert "<title>What makes up house: Sequential</title>" in page
    with Image.open(made.export_png(tmp_path / "u.png")) as picture:
        assert picture.width == 1920
    made.close()
