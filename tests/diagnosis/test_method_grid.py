"""Images by methods: who is asked what, what is empty and why, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import hexplain_widgets as hx
from hexplain_widgets.diagnosis.method_columns import NAMES
from hexplain_widgets.evidence.store import load, save
from hexplain_widgets.network.gradients import grad_cam, hires_cam, layer_cam
from tests.networks import image, plain
from tests.test_contract import check_untouched, fingerprint

CLASSES = ("ant", "bee", "cat", "dog", "elk")
FEW = hx.Lime(samples=30, segments=9)


@pytest.fixture(scope="module")
def clf() -> hx.Classifier:
    return hx.Classifier(plain(), classes=CLASSES)


@pytest.fixture(scope="module")
def data() -> list[tuple[Tensor, int]]:
    return [(image(24, seed)[0], seed % 5) for seed in range(6)]


@pytest.fixture(scope="module")
def chip(clf, data) -> hx.Chip:
    return hx.Chip(layers=["1", "4", "7"], gates_per_image=6).fit(clf, data, progress=False)


@pytest.fixture(scope="module")
def images(data) -> list[Tensor]:
    return [x for x, _ in data[:2]]


def test_every_cell_is_what_the_method_itself_says(clf, chip, images) -> None:
    methods = {"a": chip, "b": (chip, "4"), "c": "Refined CHIP", "d": "Guided CHIP", "e": FEW}
    found = hx.method_grid(images, methods, progress=False)
    assert found.shape == (2, 5)
    assert found.methods == tuple("abcde")
    assert found.layers == ("7", "4", "", "7", "")
    for row, x in enumerate(images):
        own = clf.predict(x, 1)[0][0]
        expected = (
            chip.explain(x, own), chip.explain(x, own, "4"), chip.refine(x, own),
            chip.guide(x, own), FEW.explain(clf, x, own),
        )  # fmt: skip
        for column, one in enumerate(expected):
            cell = found.map(row, column)
            assert np.array_equal(cell.values, one.values.astype(np.float32))
            assert (cell.target, cell.method, cell.layer) == (one.target, one.method, one.layer)
            assert found.reason(row, column) == ""


@pytest.mark.parametrize(
    ("name", "rule"), [("Grad-CAM", grad_cam), ("HiResCAM", hires_cam), ("LayerCAM", layer_cam)]
)
def test_methods_of_a_layer_by_autograd(clf, images, name: str, rule) -> None:
    found = hx.method_grid(images, [name], model=clf, targets="cat", layers=["4", "7"])
    assert found.layers == ("4", "7")
    for column, end in enumerate((5, 8)):
        maps = clf.model[:end](images[1][None]).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(clf.model[end:](maps)[0, 2], maps)
        expected = rule(gradient[0], maps[0].detach())
        assert found.map(1, column).values == pytest.approx(expected, abs=1e-5)


def test_gradients_at_the_pixels_by_autograd(clf, images) -> None:
    found = hx.method_grid(images[0], "backprop", model=clf, targets=3)
    x = images[0][None].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(clf.model(x)[0, 3], x)
    expected = gradient[0].abs().amax(0).numpy()
    assert found.map(0, 0).values == pytest.approx(expected, abs=1e-6)
    assert found.map(0, 0).picture.shape == (24, 24, 3)
    assert found.methods == ("gradient",)


def test_guided_maps_are_those_of_a_chip_with_the_same_words(clf, chip, images) -> None:
    words = ["guided backpropagation", "Guided Grad-CAM", "Grad-CAM"]
    found = hx.method_grid(images[0], words, model=clf, targets=1)
    sheet = chip.heatmaps(images[0], [1], layers=["7"], methods=words)
    for column, one in enumerate(sheet.maps):
        assert found.map(0, column).values == pytest.approx(one.values, abs=1e-6)


@pytest.mark.parametrize(
    ("written", "name"),
    [("gradcam", "Grad-CAM"), ("guided_backprop", "guided backpropagation"), ("lime", "LIME"),
     ("guided_gradcam", "Guided Grad-CAM"), ("backpropagation", "gradient"),
     ("Grad CAM", "Grad-CAM")],
)  # fmt: skip
def test_names_are_known_however_they_are_written(clf, images, written: str, name: str) -> None:
    def none_of_it(*_: object) -> np.ndarray:
        return np.ones((2, 2))

    # beside a cheap method: only the name is asked, LIME is not drawn
    if name == "LIME":
        pytest.importorskip("skimage")
        seen = hx.method_grid(images[0], [none_of_it, written], model=clf, stopped=lambda: True)
        assert seen.methods == ("none_of_it", "LIME")
    else:
        assert hx.method_grid(images[0], [written], model=clf).methods == (name,)


def test_a_callable_is_given_the_network_the_prepared_image_and_the_class(clf, images) -> None:
    asked = []

    def mean(classifier: hx.Classifier, x: Tensor, index: int) -> Tensor:
        asked.append((classifier is clf, tuple(x.shape), index))
        x.zero_()  # its own copy
        return torch.arange(6.0).reshape(1, 1, 2, 3)

    found = hx.method_grid(images, {"mean": mean}, model=clf, targets=["bee", None])
    own = clf.predict(images[1], 1)[0][0]
    assert asked == [(True, (1, 3, 24, 24), 1), (True, (1, 3, 24, 24), own)]
    assert found.map(1, 0).values.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found.map(0, 0).method == "mean"
    assert images[0].any()


def test_one_picture_in_two_rows_for_two_classes(clf, images) -> None:
    pairs = [(images[0], ["ant", "dog"]), (images[1], "bee"), images[0]]
    found = hx.method_grid(pairs, ["Grad-CAM"], model=clf)
    own = clf.predict(images[0], 1)[0]
    assert found.targets == ("ant", "dog", "bee", own[1])
    assert found.images[0] is found.images[1]
    assert not clf.several_labels  # classes that are asked for are no labels
    assert found.named_so.tolist() == [
        found.predictions[r].index == found.indices[r] for r in range(4)
    ]
    assert found.probabilities[3] == pytest.approx(own[2])
    assert not np.array_equal(found.map(0, 0).values, found.map(1, 0).values)


def test_targets_win_over_what_images_are_labelled(clf, data) -> None:
    found = hx.method_grid(data[:2], ["Grad-CAM"], model=clf, targets="elk")
    assert found.targets == ("elk", "elk")
    assert hx.method_grid(data[:2], ["Grad-CAM"], model=clf).targets == ("ant", "bee")


def test_all_layers_of_every_method(chip, images) -> None:
    found = hx.method_grid(images[0], [chip, "Grad-CAM", "gradient"], layers="stages")
    assert found.methods == ("CHIP",) * 3 + ("Grad-CAM",) * 3 + ("gradient",)
    assert found.layers == ("7", "4", "1", "7", "4", "1", "")
    assert found.gaps.shape == (0, 2)


def test_a_hint_is_asked_for_the_concept_called_as_the_class(clf, data) -> None:
    hierarchy = {"all": {"small": ["ant", "bee"], "large": ["cat", "dog"]}}
    hint = hx.Hint(layer=["4", "7"], samples=2).fit(clf, data, hierarchy, progress=False)
    found = hx.method_grid([(data[0][0], "ant"), (data[1][0], "elk")], {"h": (hint, "4")})
    assert found.layers == ("4",)
    assert "elk" in found.reason(1, 0)
    expected = hint.at("4").explain(data[0][0], "ant")
    assert np.array_equal(found.map(0, 0).values, expected.values.astype(np.float32))


class Bare(nn.Module):
    """No layer with a map: the pixels' sum in two directions."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3 * 24 * 24, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.flatten(1))


def test_what_one_method_cannot_answer_keeps_no_other_back(images) -> None:
    pytest.importorskip("skimage")

    def broken(*_: object) -> np.ndarray:
        raise KeyError("no such thing")

    def flat(*_: object) -> np.ndarray:
        return np.full((3, 3), np.nan)

    methods = {"cam": "Grad-CAM", "broken": broken, "nan": flat, "LIME": FEW}
    found = hx.method_grid(images[0], methods, model=hx.Classifier(Bare(), classes=CLASSES))
    assert "hx.layers" in found.reason(0, 0)
    assert found.reason(0, 1) == "KeyError: 'no such thing'"
    assert "NaN or infinite" in found.reason(0, 2)
    assert found.map(0, 3) is not None
    assert found.places.tolist() == [[0, 3]]


def test_a_layer_that_a_chip_was_not_fitted_at_is_an_empty_cell(clf, data, images) -> None:
    chip = hx.Chip(layers=["7"], gates_per_image=6).fit(clf, data, progress=False)
    found = hx.method_grid(images[0], [chip, "Grad-CAM"], layers=["4", "7"])
    assert found.reason(0, 0).startswith("got the layer '4'") or "'4'" in found.reason(0, 0)
    assert [found.map(0, c) is None for c in range(4)] == [True, False, False, False]


def test_stopped_it_says_what_was_not_drawn(clf, images) -> None:
    answers = iter([False] * 2 + [True] * 9)
    found = hx.method_grid(
        images, ["Grad-CAM", "gradient"], model=clf, stopped=lambda: next(answers)
    )
    assert found.notes[-1] == "Stopped: 3 of 4 cells were drawn."
    assert found.reason(1, 1) == "Not drawn: the work was stopped before."


def test_an_interrupt_keeps_the_maps_so_far(clf, images) -> None:
    calls = []

    def interrupting(*_: object) -> np.ndarray:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return np.eye(3)

    found = hx.method_grid(images, {"i": interrupting}, model=clf)
    assert found.notes[-1] == "Stopped: 1 of 2 cells were drawn."
    with pytest.raises(KeyboardInterrupt):
        hx.method_grid(
            images, {"i": lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)}, model=clf
        )


def test_lime_is_stopped_between_its_images(clf, images) -> None:
    pytest.importorskip("skimage")
    answers = iter([False] * 3 + [True] * 99)
    lime = hx.Lime(samples=200, segments=9)
    found = hx.method_grid(
        images[0], {"cam": "Grad-CAM", "l": lime}, model=clf, stopped=lambda: next(answers)
    )
    assert found.map(0, 0) is not None
    assert found.map(0, 1) is None
    assert found.notes[-1] == "Stopped: 1 of 2 cells were drawn."


def test_more_images_than_are_shown_are_said(clf, data) -> None:
    found = hx.method_grid(data, ["Grad-CAM"], model=clf, most=4)
    assert found.shape == (4, 1)
    assert "The first 4 rows are shown, and there are more (most=)." in found.notes


def test_the_guest_is_untouched(clf, chip, images) -> None:
    before = fingerprint(clf.model)
    draws = {"draws": lambda *_: torch.rand(3, 3)}
    hx.method_grid(images, {"CHIP": chip, "cam": "gradcam", "lime": FEW, **draws}, progress=False)
    check_untouched(before, clf.model)


def test_it_is_saved_once_for_each_image(clf, images, tmp_path) -> None:
    found = hx.method_grid(images, ["Grad-CAM", "gradient", "guided backprop"], model=clf)
    path = save(found, tmp_path / "grid.hx")
    again = load(path)
    assert again == found
    pixels = 2 * 24 * 24 * 3
    assert path.stat().st_size < 2 * (3 * pixels + 4 * 2 * 24 * 24) + 12_000
    assert again.map(1, 2).image is again.images[1] or np.array_equal(
        again.map(1, 2).image, again.images[1]
    )


def test_in_print_it_is_a_table_of_largest_values(clf, images) -> None:
    found = hx.method_grid(images[0], ["Grad-CAM", "gradient"], model=clf, targets="ant")
    head, row = str(found).splitlines()
    assert head.split() == ["class", "Grad-CAM", "7", "gradient"]
    assert row.split()[1:] == [f"{found.map(0, c).values.max():.3g}" for c in (0, 1)]


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        (([], ["Grad-CAM"]), ValueError, "got no images; expected at least one"),
        (("x", []), ValueError, "got no methods; expected at least one"),
        (("x", {}), ValueError, "got no methods; expected at least one"),
        (("x", ["Grad-CAN"]), ValueError, "got the method 'Grad-CAN'.*nearest is 'Grad-CAM'"),
        (("x", {"m": 3}), TypeError, "got int as the method 'm'; expected a fitted Chip or Hint"),
        (("x", {"m": hx.Chip}), TypeError, "got the class Chip as the method 'm'"),
        (("x", {"m": plain()}), TypeError, "got Sequential as the method 'm'"),
        (("x", {"m": hx.Chip()}), ValueError, "this Chip has not seen any data"),
        (("x", ["CHIP"]), ValueError, "got 'CHIP' beside 0 fitted Chips; expected one"),
        (("x", [("gradient", "4")]), ValueError, "got the layer '4' for 'gradient'"),
        (("x", [("Grad-CAM", "nine")]), ValueError, "got the unknown layer 'nine'"),
        (("x", ["Grad-CAM", "gradcam"]), ValueError, "got two methods called 'Grad-CAM at 7'"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_drawn(
    clf, images, arguments, kind: type[Exception], words: str
) -> None:
    given, methods = arguments
    with pytest.raises(kind, match=words):
        hx.method_grid(images if given == "x" else given, methods, model=clf)


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        ({"targets": "ent"}, ValueError, "got the unknown class 'ent'.*'ant'"),
        ({"targets": 7}, IndexError, "got class 7; expected an index from 0 to 4"),
        ({"targets": ["ant"]}, ValueError, "got targets: 1, images: 2 or more"),
        ({"targets": ["ant"] * 3}, ValueError, "got targets: 3, images: 2;"),
        ({"layers": ["nine"]}, ValueError, "got the unknown layer 'nine'"),
        ({"layers": []}, ValueError, "got no layers; expected names"),
        ({"most": 0}, ValueError, "got most=0; expected at least 1"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    clf, images, settings, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        hx.method_grid(images, ["Grad-CAM"], model=clf, **settings)


def test_a_network_is_needed_and_only_one(clf, chip, data, images, tmp_path) -> None:
    with pytest.raises(ValueError, match="got no fitted engine among the methods, and no model"):
        hx.method_grid(images, ["Grad-CAM"])
    bare = hx.Chip.load(chip.save(tmp_path / "c.hx"))
    with pytest.raises(ValueError, match="got an engine without its network among the methods"):
        hx.method_grid(images, {"c": bare})
    assert hx.method_grid(images, {"c": bare}, model=clf).shape == (2, 1)
    other = hx.Chip(layers=["7"], gates_per_image=6).fit(plain(seed=5), data, progress=False)
    with pytest.raises(ValueError, match="network"):
        hx.method_grid(images, {"one": chip, "two": other})


def test_lime_without_scikit_image_is_said_at_once(clf, images, monkeypatch) -> None:
    def missing() -> None:
        raise ModuleNotFoundError("pip install")

    monkeypatch.setattr("hexplain_widgets.diagnosis.method_columns.segmentation", missing)
    with pytest.raises(ModuleNotFoundError, match="pip install"):
        hx.method_grid(images, ["Grad-CAM", "LIME"], model=clf)


def test_the_names_are_those_of_the_other_views() -> None:
    from hexplain_widgets.chip.engine import METHODS

    assert set(METHODS) < set(NAMES)
