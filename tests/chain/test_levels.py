"""Which layer holds which level."""

from __future__ import annotations

import pytest

from hexplain_widgets.chain.levels import layers_of_levels, root_of
from hexplain_widgets.network.classifier import Classifier
from hexplain_widgets.network.probe import Probe
from tests.networks import image, plain

FIVE = ("scene", "object", "part", "material", "color")


def paired(levels: dict[str, str | None] | None, labelled: tuple[str, ...]) -> dict[str, str]:
    probe = Probe(Classifier(plain()))
    return {n: layer.name for n, layer in layers_of_levels(levels, labelled, probe, image(32))}


def test_without_a_choice_coarse_levels_get_the_deepest_stages() -> None:
    stages = [layer.name for layer in Probe(Classifier(plain())).capture(image(32)).layers]
    assert list(paired(None, FIVE[:4]).values()) == stages[:3]


def test_a_level_keeps_its_stage_where_others_are_missing() -> None:
    stages = [layer.name for layer in Probe(Classifier(plain())).capture(image(32)).layers]
    assert paired(None, ("part",)) == {"part": stages[1]}


def test_levels_of_other_names_get_stages_in_their_order() -> None:
    stages = [layer.name for layer in Probe(Classifier(plain())).capture(image(32)).layers]
    assert paired(None, ("organ", "tissue")) == {"organ": stages[0], "tissue": stages[1]}


def test_a_choice_is_kept_in_its_order() -> None:
    found = paired({"scene": None, "object": "7", "color": "1"}, FIVE)
    assert list(found.items()) == [("object", "7"), ("color", "1")]


@pytest.mark.parametrize(
    ("levels", "labelled", "root"),
    [
        (None, FIVE, "scene"),
        (None, ("part",), "class"),
        ({"place": None, "object": "7"}, FIVE, "place"),
        ({"object": "7"}, FIVE, "class"),
    ],
)
def test_the_output_has_its_levels_name_or_class(levels, labelled, root: str) -> None:
    assert root_of(levels, labelled) == root
