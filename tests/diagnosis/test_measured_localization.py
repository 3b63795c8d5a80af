"""How well methods find things over many images: planted maps by hand, what is left out, errors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import hexplain_widgets as hx
from hexplain_widgets.diagnosis.localization import localization_error
from hexplain_widgets.diagnosis.localizers import concept_for, usual_methods
from hexplain_widgets.evidence.localization import MEASURES
from hexplain_widgets.evidence.store import load, save
from hexplain_widgets.network.localize import THRESHOLDS
from tests.networks import image, plain
from tests.reference import localization as literal

SIDE = 8
NAMES = ("red", "green", "blue", "white", "black", "pink", "grey")


class Mean(nn.Module):
    """Seven classes by the mean of the second channel: the brighter, the more for the later."""

    def forward(self, x: Tensor) -> Tensor:
        bright = x[:, 1].mean((1, 2))
        return -((bright[:, None] - torch.arange(7.0)) ** 2)


def painted(values: np.ndarray, bright: float = 0.0) -> Tensor:
    """An image whose first channel is a map, and whose second says what the network names it."""
    x = torch.zeros(3, *values.shape)
    x[0], x[1] = torch.from_numpy(values), bright
    return x


def block(*box: int, low: float = 0.0) -> np.ndarray:
    x0, y0, x1, y1 = box
    values = np.full((SIDE, SIDE), low)
    values[y0:y1, x0:x1] = 1.0
    return values


def first(_: hx.Classifier, x: Tensor, index: int) -> Tensor:
    return x[0, 0]


def upside_down(_: hx.Classifier, x: Tensor, index: int) -> np.ndarray:
    return x[0, 0].flip(0).numpy()


@pytest.fixture(scope="module")
def clf() -> hx.Classifier:
    return hx.Classifier(Mean(), classes=NAMES)


def measured(clf: hx.Classifier, data: Any, methods: Any = None, **given: Any) -> Any:
    named = {"own": first} if methods is None else methods
    return hx.measure_localization(named, data, model=clf, progress=False, **given)


def other(*box: int) -> tuple[Tensor, int, tuple[int, ...]]:
    """An image that is none of those that are judged, its map on the truth."""
    x = painted(block(*box))
    x[2] = 1
    return x, 0, box


KNOWN = [other(0, 0, 4, 4)]
# the map's block, the truth, what the network names by, the label
CASES = [
    ((0, 0, 4, 4), (0, 0, 4, 4), 0, 0),  # right
    ((2, 2, 6, 6), (2, 2, 6, 4), 0, 0),  # half of the block: not more than a half
    ((2, 2, 6, 6), (2, 2, 6, 5), 2, 0),  # three quarters, the class fourth
    ((0, 0, 2, 2), (4, 4, 8, 8), 0, 0),  # elsewhere
    ((1, 1, 7, 7), (1, 1, 7, 7), 6, 0),  # right, the class last
]
DATA = [(painted(block(*own), bright), label, box) for own, box, bright, label in CASES]


def test_figures_of_planted_maps_are_those_by_hand(clf) -> None:
    found = measured(clf, DATA, calibration=KNOWN)
    assert found.methods == ("own", "whole image", "centre box")
    assert found.ious[0].tolist() == [1, 0.5, 0.75, 0, 1]
    assert found.ranks.tolist() == [0, 0, 3, 0, 6]
    assert found.hits[0].tolist() == [1, 1, 1, 0, 1]
    assert found.energies[0].tolist() == pytest.approx([1, 0.5, 0.75, 0, 1])
    means = found.figures[0, :, 0].tolist()
    assert means == pytest.approx([0.8, 0.6, 0.6, 0.65, 0.8, 0.65])
    for column, top in ((0, 1), (1, 5)):
        assert means[column] == localization_error(found.ious[0], found.ranks, top=top)
    assert found.figures[0, 2, 1] == pytest.approx(np.sqrt(0.24 * 5 / 4 / 5))
    assert (found.seen, found.calibrated, found.thresholds[0]) == (5, 1, 0.05)
    assert str(found).splitlines()[1].split()[:4] == ["own", "0.800", "±", "0.200"]


def test_the_whole_image_and_the_centre_know_nothing_of_maps(clf) -> None:
    found = measured(clf, DATA, calibration=KNOWN)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) / 64 for _, b, _, _ in CASES]
    for row in (found.ious[1], found.hits[1], found.energies[1], found.areas):
        assert row.tolist() == pytest.approx(areas)
    assert found.simple.tolist() == [False, True, True]
    # the corner that thresholds were found on is met best by a half of each side
    centre = measured(clf, DATA, calibration=[other(2, 2, 6, 6)])
    assert centre.thresholds[2] == pytest.approx(0.4, abs=0.11)
    assert centre.ious[2, 4] == pytest.approx(16 / 36)


def test_figures_are_the_literal_ones(clf) -> None:
    draw = np.random.default_rng(3)
    maps = [draw.normal(0.3, 1, (SIDE, SIDE)).astype(np.float32) for _ in range(14)]
    corners = draw.integers(0, 4, (14, 2)), draw.integers(5, 9, (14, 2))
    boxes = [(*map(int, a), *map(int, b)) for a, b in zip(*corners, strict=True)]
    bright = draw.integers(0, 7, 14)
    items = [(painted(m, float(b)), 2, box) for m, b, box in zip(maps, bright, boxes, strict=True)]
    found = measured(clf, items[5:], calibration=items[:5])
    ranks = [int((-((b - np.arange(7.0)) ** 2) > -((b - 2.0) ** 2)).sum()) for b in bright]
    own = [m.astype(np.float64) for m in maps]
    expected = literal.figures(own, boxes, ranks, list(range(5)), SIDE, THRESHOLDS)
    assert found.thresholds[0] == expected["at"]
    for column, name in enumerate(("top-1", "top-5", "over", "iou", "hit", "on")):
        assert found.figures[0, column].tolist() == pytest.approx(expected[name], abs=1e-6)


def test_differences_are_paired_and_to_grad_cam_or_the_first(clf) -> None:
    methods = {"own": first, "other": upside_down}
    found = measured(clf, DATA, methods, calibration=KNOWN)
    less = found.values(1) - found.values(0)
    assert found.reference == 0
    assert np.allclose(found.differences[1, :, 0], less.mean(1))
    assert np.allclose(found.differences[1, :, 1], less.std(1, ddof=1) / 5**0.5)
    assert not found.differences[0].any()
    other = measured(clf, DATA, methods, calibration=KNOWN, reference="centre box")
    assert other.methods[other.reference] == "centre box"
    own = measured(hx.Classifier(plain()), GREY, {"own": first, "cam": "Grad-CAM"})
    assert own.reference == 1


GREY = [(image(16, i)[0], i % 5, (0, 0, 8, 8 + i)) for i in range(6)]


def test_of_several_boxes_the_best_counts(clf) -> None:
    boxes = [(0, 0, 4, 4), (4, 4, 8, 8)]
    found = measured(clf, [(painted(block(4, 4, 8, 8)), 0, boxes)], calibration=KNOWN)
    assert found.ious[0].tolist() == [1]
    assert found.areas.tolist() == [0.5]
    assert found.truths.tolist() == [[0, 0, 0, 4, 4], [0, 4, 4, 8, 8]]


def test_a_region_is_held_against_a_mask_itself(clf) -> None:
    mask = block(0, 0, 4, 4) > 0
    mask[3, 3] = False
    found = measured(clf, [(painted(block(0, 0, 4, 4)), 0, mask)], calibration=KNOWN)
    assert found.ious[0].tolist() == [15 / 16]
    assert found.masked.tolist() == [True]


def test_a_map_that_points_nowhere_is_a_miss(clf) -> None:
    nowhere = [painted(np.zeros((SIDE, SIDE))), painted(-block(0, 0, 4, 4))]
    found = measured(clf, [(x, 0, (0, 0, 4, 4)) for x in nowhere], calibration=KNOWN)
    assert found.answered.all()
    assert found.values(0).tolist() == [[1, 1], [1, 1], [0, 0], [0, 0], [0, 0], [0, 0]]


def test_what_is_left_out_is_counted(clf) -> None:
    data = [*DATA, (DATA[0][0], 0, None), (DATA[0][0], None, (0, 0, 4, 4)), (DATA[1][0], 1)]
    found = measured(clf, data, calibration=KNOWN)
    assert (found.seen, found.unboxed, len(found.places)) == (8, 2, 5)
    assert "2 of 8 images have no box and count for nothing." in found.notes
    assert "1 of 8 images have no label and count for nothing." in found.notes
    assert any("All images are of one class, red:" in note for note in found.notes)


def test_thresholds_are_found_on_images_that_are_not_judged(clf) -> None:
    draw = np.random.default_rng(0)
    maps = [draw.random((SIDE, SIDE)) for _ in range(10)]
    data = [(painted(m), 0, (0, 0, 4, 4)) for m in (*maps, *maps[:3])]
    found = measured(clf, data, calibration=0.5)
    assert found.calibrated + len(found.places) == 13
    pairs = [{i, i + 10} & set(found.places.tolist()) for i in range(3)]
    assert all(len(pair) in (0, 2) for pair in pairs)
    left = [data[i] for i in range(13) if i not in found.places]
    again = measured(clf, [data[i] for i in found.places], calibration=left)
    assert again.thresholds.tolist() == found.thresholds.tolist()
    assert again.ious.tolist() == found.ious.tolist()
    both = measured(clf, data, calibration=data[:4])
    assert not {0, 1, 2, 3, 10, 11, 12} & set(both.places.tolist())
    assert "7 images are in the calibration set, too, and are not judged." in both.notes
    assert measured(clf, data, calibration=0.5) == found
    assert measured(clf, data, calibration=0.5, seed=1).places.tolist() != found.places.tolist()


def test_pictures_have_the_boxes_at_the_threshold(clf) -> None:
    found = measured(clf, DATA, calibration=KNOWN)
    assert sorted(found.pictured.tolist()) == list(range(5))
    for t, i in enumerate(found.pictured.tolist()):
        assert found.boxes[0, t].tolist() == list(CASES[i][0])
        assert found.truths[t].tolist() == [t, *CASES[i][1]]
        assert found.thumbnails[t].shape == (SIDE, SIDE, 3)


def test_once_stopped_whole_images_stay(clf) -> None:
    asked = iter([False, False, True])
    found = measured(clf, DATA, calibration=KNOWN, stopped=lambda: next(asked))
    # the set to find thresholds on asks once
    assert found.notes[-1] == "Stopped after 2 images."
    whole = measured(clf, DATA, calibration=KNOWN)
    assert np.array_equal(found.ious, whole.ious[:, :2])


def test_guided_backpropagation_without_a_relu_is_an_empty_row_with_the_reason() -> None:
    clf = hx.Classifier(plain(activation=nn.GELU))
    found = measured(clf, GREY, ["guided backprop", "gradient", "gradcam"])
    assert found.methods[:3] == ("guided backpropagation", "gradient", "Grad-CAM")
    assert found.answered.any(1).tolist() == [False, True, True, True, True]
    assert found.reasons[0].startswith("the network has no ReLU to guide")
    assert np.isnan(found.figures[0]).all()
    assert str(found).splitlines()[1].split()[-7:] == [*"------", "0"]


def test_gradients_are_those_of_torch() -> None:
    model = plain()
    found = measured(hx.Classifier(model), GREY, {"own": own_gradient(model), "plain": "backprop"})
    assert np.allclose(found.energies[0], found.energies[1], atol=1e-5)
    assert found.layers[:2] == ("", "")


def own_gradient(model: nn.Module) -> Any:
    def draw(_: hx.Classifier, x: Tensor, index: int) -> Tensor:
        given = x.clone().requires_grad_()
        model(given)[0, index].backward()
        assert given.grad is not None
        return given.grad[0].abs().amax(0)

    return draw


@pytest.fixture(scope="module")
def chip() -> hx.Chip:
    clf = hx.Classifier(plain(), classes=list("abcde"))
    data = [(image(16, i)[0], i % 5) for i in range(8)]
    return hx.Chip(gates_per_image=10, layers=["1", "7"]).fit(clf, data, progress=False)


@pytest.fixture(scope="module")
def hint(chip: hx.Chip) -> hx.Hint:
    data = [(image(16, i)[0], i % 5) for i in range(20)]
    tree = {"all": {"early": ["a", "b"], "late": ["c", "d"]}}
    return hx.Hint(layer=["7"]).fit(chip.classifier_, data, tree, progress=False)


def test_an_engine_stands_for_what_its_paper_compares(chip, hint) -> None:
    found = hx.measure_localization([chip, hint], GREY[:2], progress=False)
    assert found.methods == (
        "CHIP", "Refined CHIP", "Guided CHIP", "Grad-CAM", "Guided Grad-CAM",
        "guided backpropagation", "gradient", "HINT", "HINT, best 10 %", "HINT, best 20 %",
        "HINT, best 40 %", "HINT, best 80 %", "HINT, 20 % by coefficient", "HINT, 20 % at random",
        "whole image", "centre box",
    )  # fmt: skip
    assert found.methods[found.reference] == "Grad-CAM"
    assert found.layers[:4] == ("7", "1 × 7", "7", "7")
    assert len(usual_methods(chip.refit(sparsity=0.01))) == 7


def test_a_chip_is_asked_at_another_of_its_layers(chip) -> None:
    found = hx.measure_localization({"deep": chip, "shallow": (chip, "1")}, GREY, progress=False)
    assert found.layers[:2] == ("7", "1")
    x, label, _ = GREY[found.places[found.pictured[0]]]
    at = float(found.thresholds[1])
    assert chip.localize(x, label, at, layer="1").box == tuple(found.boxes[1, 0].tolist())


def test_boxes_are_those_of_localize(chip) -> None:
    words = {"CHIP": chip, "fine": "refined", "cam": (chip, "gradcam"), "both": (chip, "guided")}
    found = hx.measure_localization(words, GREY, progress=False)
    for m, word in enumerate(("CHIP", "refined", "gradcam", "guided")):
        for t, i in enumerate(found.pictured.tolist()):
            x, label, box = GREY[found.places[i]]
            at = float(found.thresholds[m])
            one = chip.localize(x, label, at, method=word, truth=box)
            assert one.box == tuple(found.boxes[m, t].tolist())
            assert one.iou == found.ious[m, i]
            assert one.truth == box


def test_hint_is_asked_for_the_narrowest_concept(hint) -> None:
    assert concept_for(hint, 0) == "a"
    found = hx.measure_localization(
        {"HINT": hint, "of all": (hint, "late"), "cam": "gradcam"}, GREY, progress=False
    )
    # class 4 is in no concept: of these images there is no map, and differences are without them
    of_class = found.labels == found.classes.index("e") if "e" in found.classes else None
    if of_class is not None:
        assert np.array_equal(found.answered[0], ~of_class)
    assert found.answered[1].all()
    with pytest.raises(ValueError, match=r"class 4 belongs to no concept .*; one was expected"):
        concept_for(hint, 4)


def test_images_that_a_method_cannot_answer_are_said_and_not_compared(clf) -> None:
    def sometimes(_: hx.Classifier, x: Tensor, index: int) -> Tensor:
        if x[0, 1].mean() > 1:
            raise ValueError("too bright")
        return x[0, 0]

    found = measured(clf, DATA, {"own": first, "dark": sometimes}, calibration=KNOWN)
    assert found.answered[1].tolist() == [True, True, False, True, False]
    assert found.figures[1, 3, 0] == pytest.approx(0.5)
    assert found.differences[1].tolist() == [[0, 0]] * len(MEASURES)
    assert "dark has no map of 2 of 5 images: too bright." in found.notes


def test_it_is_saved_and_opened(clf, tmp_path) -> None:
    found = measured(clf, DATA, calibration=KNOWN)
    assert load(save(found, tmp_path / "l.hx")) == found
    assert replace(found, notes=("other",)) != found


@pytest.mark.parametrize(
    ("methods", "text"),
    [
        ({"a": "grad"}, r"got the method 'grad'; expected one of .*; the nearest is 'Grad-CAM'"),
        ({"a": "refined"}, r"got the method 'Refined CHIP' without a Chip; expected one .*; give"),
        ({"a": 3}, r"got int as the method 'a'; expected a fitted Chip or Hint, .*; wrap what"),
        ({"a": plain()}, r"got Sequential as the method 'a'; expected .*; wrap what draws"),
        (plain(), r"got Sequential as the method 'methods'; expected .*; wrap what draws"),
        ({"a": lambda c, x, i: x}, r"got Tensor of shape .* from the method 'a'; expected a map"),
    ],
)
def test_what_is_no_method_is_refused(clf, methods, text: str) -> None:
    with pytest.raises((ValueError, TypeError), match=text):
        measured(clf, DATA, methods)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"reference": "centre"}, r"got reference='centre'; expected one of .* nearest is 'centre"),
        ({"calibration": 1.5}, r"got calibration=1.5; expected a share between 0 and 1"),
        ({"calibration": DATA}, r"got 5 images with boxes to find .* and 0 to judge; expected at"),
        ({"calibration": [(DATA[0][0], 0, None)]}, r"got 0 images with boxes to find thresholds"),
    ],
)
def test_wrong_settings_are_errors_in_three_parts(clf, given, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        measured(clf, DATA, **given)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ([], "got 0 images with boxes to find thresholds on and 0 to judge; expected at least one"),
        (DATA[:1], "got 1 images with boxes to find thresholds on and 0|got 0 images .* and 1 to"),
        ([(DATA[0][0], 9, (0, 0, 4, 4))], r"got the label \(9,\) for image 0; expected one class"),
        ([(DATA[0][0], [1, 1, 0, 0, 0, 0, 0], (0, 0, 4, 4))], r"got the label \(0, 1\) for image"),
        ([(DATA[0][0], 0, (0, 0, 9, 4))], r"got the box .* lies outside of it; expected .*; where"),
    ],
)
def test_wrong_data_are_errors_in_three_parts(clf, data, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        measured(clf, data)


def test_methods_without_a_network_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got methods without a network to ask; expected a fit"):
        hx.measure_localization(["gradcam"], DATA)


def test_an_engine_of_another_network_is_refused(chip) -> None:
    with pytest.raises(ValueError, match=r"another network|weights"):
        hx.measure_localization({"CHIP": chip}, GREY, model=plain(seed=3), progress=False)
