"""What Chain says to settings, sets, classes and concepts that it cannot use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

import hexplain_widgets as hx
from hexplain_widgets.chain.harmonize import ALWAYS, NEVER
from tests import chain_world as world
from tests.networks import image, plain

pytestmark = pytest.mark.usefixtures("unchecked")

SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"levels": {"scene": None}}, "expected at least one level with a layer"),
    ({"levels": {"object": "4", "scene": None}}, "was expected at the first level only"),
    ({"levels": {"object": "4", "part": "4"}}, "got two levels on the layer '4'"),
    ({"gates": 0}, "got gates=0; expected at least 1"),
    ({"max_concepts": 0}, "got max_concepts=0; expected at least 1"),
    ({"max_concepts": {"part": 0}}, r"got max_concepts\['part'\]=0; expected at least 1"),
    ({"sparsity": 1.0}, "got sparsity=1.0; expected a share between 0 and 1"),
    ({"harmonize_sparsity": -1}, "got harmonize_sparsity=-1; expected a share"),
    ({"place": -1}, "got place=-1; expected 0 or a positive number"),
    ({"place": float("nan")}, "got place=nan; expected 0 or a positive number"),
    ({"held_out": 1.0}, "got held_out=1.0; expected a share between 0 and 1"),
]


@pytest.mark.parametrize(("settings", "words"), SETTINGS)
def test_a_setting_out_of_range_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        hx.Chain(**settings)


def fit(levels: dict[str, str | None] | None = None, model: nn.Module | None = None, **more: Any):
    chain = hx.Chain(levels=levels or world.LEVELS, gates=10)
    guest = world.classifier() if model is None else hx.Classifier(model, world.prepared)
    return chain.fit(guest, more.pop("data", world.Pictures(range(4))), progress=False, **more)


def test_what_is_no_concept_set_is_refused() -> None:
    with pytest.raises(TypeError, match="whose labels have no names; expected a conc"):
        fit(data=[(image(16), 0)])


def test_a_data_set_with_concepts_is_told_to_give_them() -> None:
    with pytest.raises(TypeError, match=r"call its \.concepts\(\)"):
        hx.Chain().fit(hx.demo.classifier(), hx.demo.scenes(2, size=32), progress=False)


def test_a_level_without_labels_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="got the level 'texture', at which the concept set"):
        fit({"scene": None, "texture": "7"})


def test_an_unknown_layer_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="got the unknown layer 'seven'; expected one that"):
        fit({"scene": None, "object": "seven"})


def test_layers_that_do_not_follow_one_another_are_refused() -> None:
    with pytest.raises(ValueError, match="3 does not depend on 7; expected layers that follow"):
        fit({"scene": None, "object": "3", "part": "7"})


def test_a_network_with_too_few_stages_is_told_to_be_paired_by_hand() -> None:
    with pytest.raises(ValueError, match=r"the network has 1 stages .* pair them with levels="):
        hx.Chain(gates=10).fit(world.classifier(), world.Pictures(range(2)), progress=False)


def test_an_empty_set_is_refused() -> None:
    with pytest.raises(ValueError, match="got data without a single image"):
        fit(data=world.Pictures([]))


def test_a_chain_that_was_not_fitted_says_how_to() -> None:
    for ask in (lambda c: c.explain(image(16)), lambda c: c.levels_, lambda c: c.save("x")):
        with pytest.raises(ValueError, match=r"has not seen a concept set; .* call chain\.fit"):
            ask(hx.Chain())


def test_without_its_network_a_chain_says_how_to_open_it(tmp_path: Path) -> None:
    loaded = hx.Chain.load(world.fitted().save(tmp_path / "chain.hx"))
    assert loaded.precision_ == world.fitted().precision_
    with pytest.raises(ValueError, match="this Chain was loaded without its network"):
        loaded.explain(world.item(0).image)


def test_another_network_is_refused(tmp_path: Path) -> None:
    path = world.fitted().save(tmp_path / "chain.hx")
    with pytest.raises(ValueError, match="got sums of another network"):
        hx.Chain.load(path, plain())


def test_a_file_of_another_engine_is_refused(tmp_path: Path) -> None:
    data = [(image(16)[0], 0)]
    path = hx.Chip(gates_per_image=2).fit(plain(), data, progress=False).save(tmp_path / "chip.hx")
    with pytest.raises(ValueError, match="Chain"):
        hx.Chain.load(path)


ASKED: list[tuple[Callable[[hx.Chain], object], type[Exception], str]] = [
    (lambda c: c.explain(world.item(0).image, "town"), ValueError, "town"),
    (lambda c: c.explain(world.item(0).image, 2), IndexError, "got class 2; expected an index fr"),
    (lambda c: c.explain(np.zeros((3, 4, 5))), ValueError, "got a numpy image of shape"),
    (lambda c: c.explain_class([], "village"), ValueError, "got no image to explain a class with"),
    (lambda c: c.compare({}, "village"), ValueError, "expected at least one set"),
    (lambda c: c.compare({"a": []}, "village"), ValueError, "got no images in the set 'a'"),
    (lambda c: c.compare({"a": [0]}, {"b": "village"}), ValueError, "got concepts for"),
    (lambda c: c.compare({"a": [0]}, "village", "town"), ValueError, "got the level 'town'"),
    (lambda c: c.compare({"a": [0]}, "red", "color"), ValueError, "a color rests on no other"),
    (lambda c: c.compare({"a": [0]}, "hut", "object"), ValueError, "the nearest is 'house'"),
    (lambda c: c.compare({"a": [0]}, 7, "object"), ValueError, "got the object 7, which is none"),
]  # fmt: skip


@pytest.mark.parametrize(("ask", "kind", "words"), ASKED)
def test_a_question_that_has_no_answer_is_refused(
    ask: Callable[[hx.Chain], object], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        ask(world.fitted())


class Odd(world.Pictures):
    """One color never occurs, another is on every pixel."""

    def __getitem__(self, at: int):
        found = world.item(self.numbers[at], (0, 1))
        found.masks["color"] = [np.where(found.masks["color"][0] > 0, 1, 1)]
        return found


def test_faithfulness_of_another_image_is_refused() -> None:
    found = world.fitted().explain(world.item(100).image)
    with pytest.raises(ValueError, match="got 1 image that is not what was explained"):
        world.fitted().faithfulness(found, world.item(101).image)


def test_faithfulness_of_a_class_takes_all_its_images() -> None:
    images = [world.item(n).image for n in (1, 2)]
    found = world.fitted().explain_class(images, 0)
    with pytest.raises(ValueError, match="expected the 2 of the inference, in the same order"):
        world.fitted().faithfulness(found, images[:1])


def test_faithfulness_of_a_color_is_refused() -> None:
    image = world.item(100, (0, 1, 2, 3)).image
    found = world.fitted().explain(image, "village")
    with pytest.raises(ValueError, match="which was not inferred further; expected a concept of"):
        world.fitted().faithfulness(found, image, (0, 0, 0, 0))


def test_a_concept_on_no_pixel_and_one_on_every_pixel_are_flagged_and_not_rested_on() -> None:
    chain = fit(data=Odd(range(8)))
    level = chain.harmonized_[-1]
    assert level.flags["blue"] == NEVER
    assert level.flags["red"] == ALWAYS
    found = chain.explain(world.item(0, (0, 1)).image, "village")
    assert not [c for _, c in found.root.walk() if c.level == "color"]


def test_a_concept_without_a_direction_is_not_compared() -> None:
    data = Odd(range(8))
    chain = fit({"scene": None, "color": "3", "material": "1"}, data=data)
    with pytest.raises(
        ValueError, match="got the color 'blue', which has no direction: no pixel of"
    ):
        chain.compare({"a": [world.item(0).image]}, "blue", "color")


class Wrong(world.Pictures):
    """A label beyond the names, in the fourth picture."""

    def __getitem__(self, at: int):
        found = world.item(self.numbers[at])
        return (
            found
            if at < 3
            else world.LabelledPicture(found.key, found.image, {"color": [np.array([[9]])]})
        )


def test_an_unknown_label_is_told_and_what_was_gathered_is_kept(tmp_path: Path) -> None:
    chain = hx.Chain(levels=world.LEVELS, gates=10)
    path = tmp_path / "begun.hx"
    first = world.Pictures(range(8))
    chain.fit(world.classifier(), first, checkpoint=path, progress=False)
    with pytest.raises(ValueError, match="got the label 9 in the color map of 'item 3'"):
        chain.fit(world.classifier(), Wrong(range(4)), progress=False)
    assert hx.Chain.load(path)._fitted.images == 8
