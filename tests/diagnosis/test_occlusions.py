"""Occlusions: what is named where a region of an image is covered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import hexplain_widgets as hx
from hexplain_widgets.diagnosis.failures import GRID, Occluder, mask_of
from tests.networks import image, plain
from tests.planted_failure import classifier, dog, ear
from tests.test_contract import check_untouched, fingerprint, in_use


def covered_by_hand(x: Tensor, mask: np.ndarray) -> Tensor:
    """Every pixel whose centre lies in a covered cell gets the image's mean colour."""
    found = x.clone()
    height, width = x.shape[2:]
    for y in range(height):
        for column in range(width):
            if mask[int((y + 0.5) / height * GRID), int((column + 0.5) / width * GRID)]:
                found[0, :, y, column] = x[0].mean((1, 2))
    return found


@pytest.mark.parametrize("size", [16, 24, 56, 97])
def test_scores_are_the_networks_on_an_image_covered_by_hand(size: int) -> None:
    model, x = plain(), image(size)
    draw = np.random.default_rng(size)
    mask = draw.random((GRID, GRID)) < 0.3
    found = Occluder(hx.Classifier(model), x).occlusion(mask, wrong=2, right=3)
    logits = model(covered_by_hand(x, mask))[0].detach()
    assert found.wrong.logit == pytest.approx(float(logits[2]), rel=1e-4)
    assert found.right.logit == pytest.approx(float(logits[3]), rel=1e-4)
    assert found.named.index == int(logits.argmax())
    assert found.wrong.probability == pytest.approx(float(logits.softmax(0)[2]), rel=1e-4)


def test_covering_the_red_ear_names_the_dog() -> None:
    found = Occluder(classifier(), dog()).occlusion(ear(), wrong="cat", right="dog")
    assert found.named.name == "dog"
    # red is a quarter of what it was; green fills the gap with its mean of 0.45
    assert (found.wrong.logit, found.right.logit) == pytest.approx((0.1875, 0.675))
    assert found.share == 0.25


def test_nothing_covered_is_the_image_as_it_is() -> None:
    none = np.zeros((GRID, GRID), dtype=bool)
    occluder = Occluder(classifier(), dog(), given=True)
    assert torch.equal(occluder.covered(none), dog())
    assert occluder.occlusion(none, wrong=0, right=1).named.name == "cat"


def test_a_blur_keeps_the_mean_and_leaves_no_edge() -> None:
    x = image(64)
    blurred = Occluder(hx.Classifier(plain()), x).covered(np.ones((GRID, GRID), bool), "blur")
    assert blurred.mean((2, 3)) == pytest.approx(x.mean((2, 3)), abs=0.02)
    assert float(blurred.diff(dim=3).abs().max()) < 0.05 * float(x.diff(dim=3).abs().max())


def test_a_blur_fits_into_the_smallest_image() -> None:
    x = image(3)
    whole = Occluder(classifier(), x).covered(np.ones((GRID, GRID), bool), "blur")
    assert torch.isfinite(whole).all()


def test_what_is_shown_is_what_the_network_saw() -> None:
    found = Occluder(classifier(), dog(), given=True).occlusion(ear(), wrong=0, right=1)
    assert found.image[0, 0].tolist() == [64, 115, 0]
    assert found.image[15, 15].tolist() == [0, 153, 0]


@pytest.mark.parametrize("fill", ["mean", "blur"])
def test_the_model_is_handed_back_as_it_came(fill: str) -> None:
    model = in_use(plain)
    before = fingerprint(model)
    Occluder(hx.Classifier(model), image(24)).occlusion(ear(), fill, wrong=0, right=1)
    check_untouched(before, model)


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (np.zeros((14, 14), bool), r"mask of shape \(14, 14\) and type bool; expected 56 x 56"),
        (
            np.zeros((56, 56)),
            r"type float64; expected 56 x 56 booleans, .*; resize it, and",
        ),
    ],
)
def test_a_mask_of_another_kind_is_refused(mask: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Occluder(classifier(), dog()).covered(mask)


def test_an_unknown_fill_is_refused() -> None:
    with pytest.raises(ValueError, match=r"got fill='blurred'; expected one of .mean., .blur.;"):
        Occluder(classifier(), dog()).covered(ear(), "blurred")


def test_bytes_become_a_mask_row_by_row() -> None:
    assert np.array_equal(mask_of(ear().astype(np.uint8).tobytes()), ear())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "got a mask of type NoneType; expected 3136 bytes, one for each cell; send"),
        ([0] * 3136, "got a mask of type list; expected 3136 bytes"),
        (bytes(100), "got a mask of 100 bytes up to 0; expected 3136 bytes of 0 or 1"),
        (bytes([2]) * 3136, "got a mask of 3136 bytes up to 2; expected 3136 bytes of 0 or 1"),
    ],
)
def test_other_bytes_are_refused(data: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        mask_of(data)
