"""What decisions rest on beside their object, and how far their channels belong to one class."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import hexplain_widgets as hx
from hexplain_widgets.data.concept_sets import LabelledPicture
from hexplain_widgets.diagnosis.context import context_and_degrees, degrees
from hexplain_widgets.evidence.store import load, save
from hexplain_widgets.network.probe import Probe
from tests.networks import image, plain
from tests.reference import context as literal

LAYERS = ["7", "4", "1"]  # of `plain`, the deepest first
NAMES = ("none", "ball", "sea", "tree", "lawn", "cloud")


class Things(list[LabelledPicture]):
    """A concept set of objects."""

    levels, names, skipped = ("object",), MappingProxyType({"object": NAMES}), ()


def sees_colours() -> nn.Module:
    """Class "ball" goes by red and by blue, class "tree" by green alone."""
    network = nn.Sequential(
        nn.Conv2d(3, 3, 1, bias=False), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(3, 3, 1, bias=False), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2, bias=False),
    ).eval()  # fmt: skip
    for place in (0, 3):
        network[place].weight.data = torch.eye(3)[:, :, None, None]
    network[7].weight.data = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    return network


def picture(number: int, colours: tuple[int, ...], labels: tuple[int, int]) -> LabelledPicture:
    """A square of one label on the left, a field of another on the right, nothing around."""
    pixels, mask = np.zeros((16, 16, 3), np.uint8), np.zeros((16, 16), np.int64)
    x = 2 * (number % 2)
    pixels[2:8, x : x + 4, colours[0]], mask[2:8, x : x + 4] = 255, labels[0]
    pixels[4:, 8:, colours[-1]], mask[4:, 8:] = 254, labels[1]
    return LabelledPicture(str(number), Image.fromarray(pixels), {"object": [mask]})


@pytest.fixture(scope="module")
def colours() -> hx.Classifier:
    return hx.Classifier(sees_colours(), classes=("ball", "tree"))


@pytest.fixture(scope="module")
def things() -> Things:
    balls = [picture(i, (0, 2), (1, 2)) for i in range(4)]
    return Things([*balls, picture(4, (1,), (3, 4)), picture(5, (1,), (3, 4))])


@pytest.fixture(scope="module")
def context(colours: hx.Classifier, things: Things) -> hx.ContextSummary:
    return hx.measure_context(colours, things, level="object", progress=False)


def test_a_class_that_goes_by_its_object_and_by_the_sea_has_the_sea_as_context(context) -> None:
    assert context.classes == ("ball", "tree")
    assert context.images.tolist() == [4, 2]
    assert context.counts[0].tolist() == [4, 4, 0, 0, 0]
    assert context.elsewhere.tolist() == [0, 0]
    assert [context.labels[i] for i in context.context(0)] == ["sea"]


def test_the_object_of_a_class_is_the_label_of_its_name(context) -> None:
    assert context.own.tolist() == [0, 2]


def test_names_of_classes_are_compared_without_case_and_underscores(colours, things) -> None:
    other = hx.Classifier(colours.model, classes=("Ball_", "oak"))
    found = hx.measure_context(other, things, level="object", own={"oak": "tree"}, progress=False)
    assert found.own.tolist() == [0, 2]
    assert hx.measure_context(
        hx.Classifier(colours.model, classes=("golf", "oak")),
        things, level="object", progress=False,
    ).own.tolist() == [-1, -1]  # fmt: skip


def test_it_is_more_often_there_than_maps_at_random_places(context) -> None:
    assert context.shares[0, 0] == context.shares[0, 1] == 0.5
    assert 0 < context.chance_shares[0, 0] < 0.3
    # a map's label at a random place of the image is one of those in it, or none
    assert context.chance[0, 2:].sum() == 0


def test_labels_that_an_image_has_are_counted_once_an_image(context) -> None:
    assert context.present.tolist() == [[4, 4, 0, 0, 0], [0, 0, 2, 2, 0]]


def test_a_map_that_lies_on_nothing_labelled_has_no_label(colours, things) -> None:
    bare = Things(
        [LabelledPicture("0", things[0].image, {"object": [np.zeros((16, 16), np.int64)]})]
    )
    found = hx.measure_context(colours, bare, level="object", progress=False)
    assert (found.counts.sum(), found.elsewhere.tolist()) == (0, [2])


def test_it_is_printed_class_by_class(context) -> None:
    first = str(context).splitlines()[0]
    assert first.startswith("ball (4 images): itself 50%, sea 50% (by chance")


@pytest.mark.parametrize("layer", [None, "7", "1"])
def test_labels_are_those_of_the_literal_maps(layer: str | None) -> None:
    model = plain(seed=3)
    draw = np.random.default_rng(0)
    down = LAYERS[: LAYERS.index(layer or "4") + 1]
    items, expected = Things(), Counter()
    for i in range(3):
        labels = draw.integers(-1, 6, (6, 6)).repeat(8, 0).repeat(8, 1)
        pixels = (image(48, i)[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        items.append(LabelledPicture(str(i), Image.fromarray(pixels), {"object": [labels]}))
        x = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255
        index = int(model(x).argmax())
        *_, last = literal.branches_at(model, x, index, down, 3)
        expected.update(literal.label_of(one.activation, labels, 6) for one in last)
    found = hx.measure_context(model, items, level="object", layer=layer, progress=False)
    assert found.layer.name == (layer or "4")
    assert found.counts.sum(0).tolist() == [expected[label] for label in range(1, 6)]
    assert int(found.elsewhere.sum()) == expected[0]


def test_a_class_that_is_asked_for_is_taken_apart_in_every_image(colours, things) -> None:
    found = hx.measure_context(colours, things, level="object", target="ball", progress=False)
    assert (found.classes, found.images.tolist()) == (("ball",), [4])
    assert found.notes[-1].startswith("2 images left out: its class has no positive logit")
    counted = "Every image counts for ball, whatever it shows: 4 of 4 are named so by the network."
    assert counted in found.notes
    own = hx.measure_context(colours, things, level="object", progress=False)
    assert any("counts for the class that the network names" in note for note in own.notes)


def test_images_without_labels_at_the_level_are_left_out_and_counted(colours, things) -> None:
    mixed = Things([things[0], LabelledPicture("bare", things[1].image, {})])
    found = hx.measure_context(colours, mixed, level="object", progress=False)
    assert found.images.sum() == 1
    assert "1 image left out: not labelled at the level object." in found.notes


def test_the_order_of_the_images_changes_nothing(colours, things, context) -> None:
    other = hx.measure_context(colours, Things(things[::-1]), level="object", progress=False)
    assert other == context


def test_context_is_saved_and_opened(context, tmp_path) -> None:
    assert load(save(context, tmp_path / "c.hx")) == context


def test_an_unknown_level_is_answered_with_the_nearest(colours, things) -> None:
    with pytest.raises(ValueError, match=r"got the level 'objects'.*the nearest is 'object'"):
        hx.measure_context(colours, things, level="objects", progress=False)


def test_an_unknown_layer_is_answered_with_the_nearest(colours, things) -> None:
    with pytest.raises(ValueError, match=r"got the unknown layer '9'; expected one that hx.layers"):
        hx.measure_context(colours, things, level="object", layer="9", progress=False)


def test_an_unknown_label_as_own_object_is_answered_with_the_nearest(colours, things) -> None:
    with pytest.raises(ValueError, match=r"got own='trees'.*the nearest is 'tree'"):
        hx.measure_context(colours, things, level="object", own={"tree": "trees"}, progress=False)


def test_an_empty_set_is_an_error(colours) -> None:
    with pytest.raises(ValueError, match="got no image that could be taken apart; expected at"):
        hx.measure_context(colours, Things(), level="object", progress=False)


def test_a_set_of_which_nothing_can_be_used_says_why(colours, things) -> None:
    dark = Things([LabelledPicture("0", Image.new("RGB", (16, 16)), things[0].masks)])
    with pytest.raises(ValueError, match="1 left out: its class has no positive logit"):
        hx.measure_context(colours, dark, level="object", progress=False)


def test_what_is_no_concept_set_is_refused(colours) -> None:
    with pytest.raises(TypeError, match="got a list of Tensor, whose labels have no names"):
        hx.measure_context(colours, [image(16)[0]], level="object", progress=False)


def test_d_is_the_largest_count_over_their_sum_of_channels_that_are_selected() -> None:
    assert degrees(np.array([[3, 0, 0], [1, 0, 2]])).tolist() == [0.75, 1.0]


def test_channels_of_one_class_have_degree_one_and_shared_ones_the_least(colours) -> None:
    x = torch.zeros(2, 3, 8, 8)
    x[0, 0], x[0, 2, :4], x[1, 1] = 1.0, 0.5, 1.0
    found = hx.discriminative_degrees(colours, [*x], progress=False)
    assert found.classes == ("ball", "tree")
    assert [one.degree for one in found.layers] == [1, 1]
    shared = hx.discriminative_degrees(colours, [(x[0], 0), (x[0] * 2, 1)], progress=False)
    assert [one.degree for one in shared.layers] == [0.5, 0.5]


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return plain(seed=3)


@pytest.fixture(scope="module")
def data() -> list[tuple[torch.Tensor, int]]:
    return [(image(48, seed)[0], seed % 3) for seed in range(6)]


@pytest.fixture(scope="module")
def summary(model, data) -> hx.DegreeSummary:
    return hx.discriminative_degrees(model, data, progress=False)


@pytest.mark.parametrize("counted", ["images", "decisions"])
def test_degrees_are_the_literal_ones(model, data, counted: str) -> None:
    found = hx.discriminative_degrees(model, data, counted=counted, top_k=2, progress=False)
    trees = [
        (c, literal.branches_at(model, x[None], int(model(x[None]).argmax()), LAYERS, 2))
        for x, c in data
    ]
    for place, layer in enumerate(found.layers):
        images = [(c, [one.channel for one in tree[place]]) for c, tree in trees]
        numbers = literal.numbers_of(images, counted)
        channels = sorted({channel for channel, _ in numbers})
        assert layer.selected.tolist() == channels
        expected = [literal.degree([numbers[k, c] for c in range(3)]) for k in channels]
        assert np.allclose(layer.degrees, expected)
        assert layer.degree == pytest.approx(np.mean(expected))


def test_shuffled_classes_give_the_degree_of_chance(summary) -> None:
    for layer in summary.layers:
        assert 1 / 3 <= layer.chance <= 1
    # in every image the first layer's channels are much the same
    assert summary.layers[-1].chance < 0.6


def test_classes_that_have_nothing_to_do_with_channels_give_what_chance_gives(model) -> None:
    noise = [(image(24, seed)[0], seed % 2) for seed in range(12)]
    found = hx.discriminative_degrees(model, noise, progress=False).layers[0]
    assert abs(found.degree - found.chance) < 3 * found.spread + 0.05


def test_an_image_without_a_label_counts_for_the_class_it_is_named(model, data) -> None:
    named = [model(x[None]).argmax().item() for x, _ in data]
    found = hx.discriminative_degrees(model, [x for x, _ in data], progress=False)
    assert found.classes == tuple(f"class {c}" for c in sorted(set(named)))
    assert int(found.images.sum()) == len(data)


def test_the_order_of_the_images_changes_no_degree(model, data, summary) -> None:
    assert hx.discriminative_degrees(model, data[::-1], progress=False) == summary


def test_degrees_are_saved_and_opened(summary, tmp_path) -> None:
    assert load(save(summary, tmp_path / "d.hx")) == summary


def test_degrees_are_printed_layer_by_layer(summary) -> None:
    head, first, *_ = str(summary).splitlines()
    assert head.split() == ["layer", "D", "by", "chance", "channels"]
    assert first.split()[0] == "7"


def test_an_unknown_way_of_counting_is_answered_with_the_nearest(model, data) -> None:
    with pytest.raises(ValueError, match=r"got counted='image'.*the nearest is 'images'"):
        hx.discriminative_degrees(model, data, counted="image", progress=False)


def test_no_image_has_no_degree(model) -> None:
    with pytest.raises(ValueError, match="got no image that could be taken apart; expected at"):
        hx.discriminative_degrees(model, [], progress=False)


def test_no_channel_to_select_is_refused(model, data) -> None:
    with pytest.raises(ValueError, match="got top_k=0; expected a whole number of at least 1"):
        hx.discriminative_degrees(model, data, top_k=0, progress=False)


def test_both_end_when_they_are_told_to(colours, things, model, data) -> None:
    one = hx.measure_context(colours, things, level="object", progress=False, stopped=lambda: True)
    two = hx.discriminative_degrees(model, data, progress=False, stopped=lambda: True)
    assert one.images.sum() == two.images.sum() == 1
    assert one.notes[-1] == two.notes[-1] == "Stopped after 1 image."


def test_an_interrupt_keeps_the_images_that_were_finished(model, data) -> None:
    def interrupted():
        yield from data[:2]
        raise KeyboardInterrupt

    found = hx.discriminative_degrees(model, interrupted(), progress=False)
    assert int(found.images.sum()) == 1  # the second waits for what follows
    assert "Interrupted" in found.notes[-1]


def test_deep_channels_of_the_embedded_world_belong_to_scenes_more_than_shallow_ones() -> None:
    found = hx.discriminative_degrees(
        hx.demo.classifier(), hx.demo.scenes(20, seed=1),
        layers=("stage5", "stage3"), top_k=2, progress=False,
    )  # fmt: skip
    deep, shallow = found.layers
    assert deep.degree > deep.chance + 3 * deep.spread
    assert deep.degree > shallow.degree + 0.2


def test_an_interrupt_before_the_first_image_is_an_interrupt(model) -> None:
    def interrupted():
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        hx.discriminative_degrees(model, interrupted(), progress=False)


def test_degrees_say_what_their_images_count_for() -> None:
    def said(labels: list[int | None]) -> str:
        data = [x if n is None else (x, n) for x, n in zip(xs, labels, strict=True)]
        return hx.discriminative_degrees(model, data, layers=["7"], progress=False).notes[-1]

    model, xs = plain(), [image(24, seed)[0] for seed in range(2)]
    assert said([0, 1]) == "Every image counts for its label."
    assert said([None, None]).startswith("The images have no label. Every image counts for the cl")
    assert said([0, None]).startswith("1 of 2 images count for their label")


SETTINGS = {
    "as it comes": {},
    "a class for all": {"target": "tree"},
    "the shallowest stage": {"layer": "1", "top_k": 1},
    "a layer between stages": {"layer": "3"},
    "labels of some": {"labels": {"0": "lake", "2": "tree"}},
}


@pytest.mark.parametrize("named", SETTINGS)
def test_both_at_once_are_what_each_is_alone(named: str, things) -> None:
    settings = {**SETTINGS[named], "progress": False, "seed": 2}
    clf, data = (
        hx.Classifier(plain(seed=3), classes=("ball", "tree", "hill", "lake", "road")),
        busy(things),
    )
    found = context_and_degrees(clf, data, level="object", **settings)
    alone = hx.measure_context(clf, data, level="object", **settings)
    shared = {n: settings[n] for n in settings if n not in ("target", "layer")}
    assert found == (alone, hx.discriminative_degrees(clf, data, **shared))
    assert any("not labelled at the level" in note for note in found[0].notes)


def busy(things: Things) -> Things:
    """Pictures of noise with the labels of things, and one without."""
    draw = np.random.default_rng(1)
    noise = [Image.fromarray(draw.integers(0, 256, (16, 16, 3), np.uint8)) for _ in things]
    some = [replace(one, image=x) for one, x in zip(things, noise, strict=True)]
    return Things([*some, LabelledPicture("bare", noise[0], {})])


def test_an_image_is_looked_at_once_for_both(
    colours, things, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[object] = []
    capture = Probe.capture
    monkeypatch.setattr(Probe, "capture", lambda *a: (looks.append(a), capture(*a))[1])
    context_and_degrees(colours, things, level="object", progress=False)
    assert len(looks) == len(things)


class Labelled(LabelledPicture):
    """A picture that says of itself what it shows."""

    label = "tree"


def _of_keys(things: Things) -> dict[str, str]:
    return {one.key: "ball" if int(one.key) < 3 else "tree" for one in things}


def test_images_count_for_their_label_and_are_said_to_be_named_otherwise(colours, things) -> None:
    # the fourth ball is labelled a tree: nothing in it is green, so that nothing speaks for a tree
    green = picture(6, (1,), (3, 4))
    blue_tree = Things([*things, green])
    labels = {**_of_keys(things), "6": "ball"}
    found = hx.measure_context(colours, blue_tree, level="object", labels=labels, progress=False)
    assert (found.classes, found.images.tolist()) == (("ball", "tree"), [3, 2])
    assert found.notes[-1].startswith("2 images left out: its class has no positive logit")
    assert "Every image counts for its label." in found.notes
    for c, name in enumerate(found.classes):
        assert found.namings_of(c) == {name: found.images[c]}


def test_one_class_asked_for_is_counted_by_the_labels_given(colours, things) -> None:
    labels = _of_keys(things)
    found = hx.measure_context(
        colours, things, level="object", target="ball", labels=labels, progress=False
    )
    # of four images in which something speaks for a ball three are labelled so, one is a tree
    assert (found.classes, found.images.tolist()) == (("ball", "tree"), [3, 1])
    assert found.counts.tolist() == [[3, 3, 0, 0, 0], [1, 1, 0, 0, 0]]
    assert [found.namings_of(c) for c in (0, 1)] == [{"ball": 3}, {"ball": 1}]
    assert any("what speaks for ball in all of them, 4 of 4 are named so" in n for n in found.notes)


def test_the_own_label_of_an_item_counts_and_one_of_no_class_is_said(colours, things) -> None:
    own = [Labelled(one.key, one.image, one.masks) for one in things]
    found = hx.measure_context(colours, Things(own), level="object", progress=False)
    assert (found.classes, found.images.tolist()) == (("tree",), [2])
    other = hx.Classifier(colours.model, classes=("golf", "oak"))
    found = hx.measure_context(other, Things(own), level="object", progress=False)
    assert found.images.tolist() == [4, 2]
    assert "The label of 6 images is no class of the network." in found.notes


def test_labels_of_no_image_are_said_and_unknown_ones_refused(colours, things) -> None:
    def asked(labels):
        return hx.measure_context(
            colours, things, level="object", labels=labels, layer="1", progress=False
        )

    found = asked({"0": "ball", "nine": "tree"})
    assert "1 of the labels given belong to no image, as 'nine'." in found.notes
    assert any(
        note.startswith("1 of 6 images count for their label, the ot") for note in found.notes
    )
    with pytest.raises(ValueError, match="got the unknown class 'bat'"):
        asked({"0": "bat"})
    with pytest.raises(TypeError, match="got labels=list; expected a mapping from the keys"):
        asked(["ball"] * 6)


def test_degrees_count_a_concept_set_by_its_labels(colours, things) -> None:
    found = hx.discriminative_degrees(colours, things, labels=_of_keys(things), progress=False)
    assert (found.classes, found.images.tolist()) == (("ball", "tree"), [3, 3])
    assert found.notes[-1] == "Every image counts for its label."
