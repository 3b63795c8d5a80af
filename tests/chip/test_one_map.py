"""A map, its box and what is said of both are of one kind: contested, or the plain sum."""

from __future__ import annotations

import numpy as np
import pytest

import hexplain_widgets as hx
from hexplain_widgets.network.localize import box_of, region, upsampled
from tests.networks import image, plain
from tests.reference import gap
from tests.reference.chip import share_held

DATA = [(image(16, seed)[0], seed % 3) for seed in range(7)]
X = DATA[3][0][None]
LAYER, TARGET = "4", 2


@pytest.fixture(scope="module")
def chip() -> hx.Chip:
    return hx.Chip(layers=["7", "4"], gates_per_image=10).fit(plain(), DATA, progress=False)


def sums(chip: hx.Chip) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], list[int]]:
    """The layer's maps, the class's plain sum, those of its rivals, and which these are."""
    maps, logits = gap.features(plain(), X, [LAYER])
    acts, weights = maps[LAYER][0].detach().double().numpy(), chip.importance(LAYER)
    strongest = [c for c in logits[0].argsort(descending=True).tolist() if c != TARGET]
    others = [np.tensordot(weights[c], acts, 1) for c in strongest]
    return acts, np.tensordot(weights[TARGET], acts, 1), others, strongest


def test_a_map_names_the_classes_that_it_is_held_against(chip) -> None:
    *_, strongest = sums(chip)
    names = tuple(chip.classes_[c] for c in strongest)
    assert chip.explain(X, TARGET, LAYER).rivals == names
    assert chip.guide(X, TARGET, LAYER).against == len(names)
    assert (chip.refine(X, TARGET).rivals, chip.refine(X, TARGET).against) == ((), 0)
    sheet = chip.heatmaps(X, [TARGET], layers=[LAYER], rivals=0)
    assert sheet.maps[0].rivals == ()


def test_what_channels_add_is_of_the_map_that_is_drawn(chip) -> None:
    acts, own, others, _ = sums(chip)
    held = share_held(own, others)
    heat = chip.explain(X, TARGET, LAYER)
    assert heat.values == pytest.approx(own * held, rel=1e-4, abs=1e-6)
    found = chip.faithfulness(X, TARGET, LAYER).estimates
    weights = chip.importance(LAYER)[TARGET]
    expected = [w * sum(a[p] * held[p] for p in np.ndindex(held.shape))
                for w, a in zip(weights, acts, strict=True)]  # fmt: skip
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert found.sum() == pytest.approx(heat.values.sum(), rel=1e-4)


def test_what_channels_add_to_the_plain_sum_is_told_when_asked_for(chip) -> None:
    _, own, *_ = sums(chip)
    found = chip.faithfulness(X, TARGET, LAYER, rivals=0).estimates
    assert found.sum() == pytest.approx(own.sum(), rel=1e-4)


@pytest.mark.parametrize("rivals", [0, None, 1])
def test_the_boxes_of_a_sheet_are_those_of_its_maps(chip, rivals: int | None) -> None:
    methods = ("CHIP", "Guided CHIP", "Grad-CAM", "Refined CHIP")
    sheet = chip.heatmaps(X, [0, TARGET], methods=methods, localize=True, rivals=rivals)
    for heat, box in zip(sheet.maps, sheet.localizations, strict=True):
        mask = region(upsampled(heat.values, heat.image.shape[:2]), box.threshold)
        assert (box.box, box.rivals) == (box_of(mask), heat.rivals)
        assert np.array_equal(box.mask, mask)


def test_a_region_is_of_the_plain_sum_unless_it_is_asked_of_the_contested_map(chip) -> None:
    _, own, others, _ = sums(chip)
    for asked, values in (({}, own), ({"rivals": 9}, own * share_held(own, others))):
        found = chip.localize(X, TARGET, layer=LAYER, threshold=0.4, **asked)
        assert np.array_equal(found.mask, region(upsampled(values, (16, 16)), 0.4))
        assert bool(found.rivals) == bool(asked)


def test_a_threshold_is_calibrated_on_the_maps_that_it_is_for(chip) -> None:
    # what the contested map points at is known in advance at one threshold alone
    truth = chip.localize(X, TARGET, layer=LAYER, threshold=0.6, rivals=9).mask
    chip.calibrate([(X, TARGET, truth)], layer=LAYER, rivals=9)
    found = chip.localize(X, TARGET, layer=LAYER, truth=truth, rivals=9)
    assert found.iou == 1.0
    chip.threshold_ = 0.2


def test_sheets_of_many_images_are_contested_as_asked_for(chip) -> None:
    some = [x for x, _ in DATA[:2]]
    for rivals, count in ((None, 4), (0, 0), (1, 1)):
        found = chip.class_heatmaps(some, TARGET, LAYER, rivals=rivals, progress=False)
        assert [one.against for one in found.maps] == [count, count]


def test_less_than_no_rival_is_refused(chip) -> None:
    with pytest.raises(ValueError, match=r"got rivals=-1; expected 0 or more"):
        chip.localize(X, TARGET, rivals=-1)
