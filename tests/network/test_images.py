"""Pictures of every depth give the network the same values, and what was assumed is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import v2

import hexplain_widgets as hx
from hexplain_widgets.network.images import picture_of, read_picture

GREY = np.random.default_rng(0).random((12, 17))
FULL = {8: np.uint8, 12: np.uint16, 16: np.uint16}


def network(channels: int = 1) -> nn.Module:
    convolution = nn.Conv2d(channels, 4, 3, padding=1)
    return nn.Sequential(
        convolution, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )


def of_depth(bits: int) -> np.ndarray:
    return np.round(GREY * (2**bits - 1)).astype(FULL[bits])


def standardised(x: Tensor) -> Tensor:
    return (x - x.mean()) / x.std()


def stretched(x: Tensor) -> Tensor:
    return (x - x.min()) / (x.max() - x.min())


def after(step: object) -> v2.Compose:
    return v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Lambda(step)])


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("suffix", ["png", "tiff", None])
def test_a_picture_is_scaled_by_its_depth(tmp_path: Path, bits: int, suffix: str | None) -> None:
    given: object = of_depth(bits)
    if suffix is not None:
        Image.fromarray(of_depth(bits)).save(tmp_path / f"picture.{suffix}")
        given = tmp_path / f"picture.{suffix}"
    x = hx.Classifier(network()).prepare(given).x[0, 0].numpy()
    assert np.abs(x - GREY).max() <= 1.5 / 255


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_floats_from_0_to_1_are_taken_by_file_and_by_array(tmp_path: Path, kind: type) -> None:
    array = hx.Classifier(network()).prepare(GREY.astype(kind))
    assert np.abs(array.x[0, 0].numpy() - GREY).max() <= 1 / 255
    Image.fromarray(GREY.astype(np.float32)).save(tmp_path / "floats.tiff")
    file = hx.Classifier(network()).prepare(tmp_path / "floats.tiff")
    assert torch.allclose(file.x, array.x, atol=1.01 / 255)


def test_black_and_white_pictures_are_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(GREY > 0.5).save(tmp_path / "bits.png")
    for given in (GREY > 0.5, tmp_path / "bits.png"):
        x = hx.Classifier(network()).prepare(given).x[0, 0].numpy()
        assert np.array_equal(x, (GREY > 0.5).astype(np.float32))


def test_a_palette_is_its_colours(tmp_path: Path) -> None:
    colours = Image.fromarray(np.array([[[255, 0, 0], [0, 128, 64]]], np.uint8))
    colours.convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "palette.png")
    assert np.array_equal(np.asarray(picture_of(tmp_path / "palette.png")), np.asarray(colours))


def test_twelve_bits_in_sixteen_are_said_and_sixteen_are_not() -> None:
    assert "12 bits" in " ".join(read_picture(of_depth(12)).notes)
    assert read_picture(of_depth(16)).notes == ()
    assert read_picture(np.zeros((4, 4), np.uint16)).notes == ()


def test_three_channels_of_sixteen_bits_are_scaled_alike() -> None:
    colours = np.stack([of_depth(16), of_depth(16) // 2, of_depth(16) // 4], -1)
    x = hx.Classifier(network(3)).prepare(colours).x[0].numpy()
    expected = np.stack([GREY, GREY / 2, GREY / 4])
    assert np.abs(x - expected).max() <= 1 / 255


@pytest.mark.parametrize(
    "array", [np.full((4, 4), 70_000, np.int32), np.full((4, 4), -1, np.int32)]
)
def test_values_of_no_known_depth_are_refused(array: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected 0 to 65535 at most"):
        picture_of(Image.fromarray(array))


@pytest.mark.parametrize("kind", [np.int32, np.int64, np.uint32])
def test_integers_that_say_nothing_of_their_depth_are_refused(kind: type) -> None:
    with pytest.raises(ValueError, match="divide it by the largest value"):
        picture_of(np.zeros((4, 4), kind))


@pytest.mark.parametrize("step", [standardised, stretched], ids=lambda step: step.__name__)
def test_a_transform_that_needs_contrast_works(step) -> None:
    classifier = hx.Classifier(network(), transform=after(step))
    image = classifier.prepare(of_depth(8))
    expected = step(torch.from_numpy(of_depth(8)).float()[None] / 255)
    assert torch.allclose(image.x[0], expected, atol=1e-5)
    assert (image.shown.min(), image.shown.max()) == (0, 255)
    assert hx.decompose(classifier, of_depth(8)).image.shape == (*GREY.shape, 3)


def test_a_transform_that_refuses_a_flat_picture_works() -> None:
    def refusing(x: Tensor) -> Tensor:
        if not bool(x.std() > 0):
            raise ArithmeticError("no contrast")
        return x

    classifier = hx.Classifier(network(), transform=after(refusing))
    assert np.abs(classifier.prepare(of_depth(8)).x[0, 0].numpy() - GREY).max() <= 1 / 255


def test_strict_numpy_errors_stay_the_users() -> None:
    with np.errstate(all="raise"):
        classifier = hx.Classifier(network(), transform=after(standardised))
        assert classifier.prepare(of_depth(8)).notes == ()


def test_a_picture_whose_transform_turns_it_negative_is_shown_as_it_was() -> None:
    classifier = hx.Classifier(network(), transform=after(lambda x: 1 - x))
    shown = classifier.prepare(of_depth(8)).shown
    assert np.array_equal(shown[..., 0], of_depth(8))


@pytest.mark.parametrize(("factor", "said"), [(1.0, False), (1.9, False), (255.0, True)])
def test_a_tensor_far_outside_what_the_transform_makes_is_said(factor: float, said: bool) -> None:
    classifier = hx.Classifier(network(), transform=after(lambda x: x))
    notes = classifier.prepare(torch.from_numpy(GREY).float()[None] * factor).notes
    assert bool(notes) is said
    assert not said or "the transform makes 0 to 1" in notes[0]


def test_a_tensor_is_measured_loosely_where_the_transform_was_only_assumed() -> None:
    classifier = hx.Classifier(network())
    tensor = torch.from_numpy(GREY).float()[None]
    assert classifier.prepare(standardised(tensor)).notes == ()
    assert classifier.prepare(tensor * 255).notes


def test_a_tree_says_what_was_assumed_of_its_picture() -> None:
    model = network()
    nn.init.ones_(model[-1].bias)
    tree = hx.decompose(hx.Classifier(model), of_depth(12))
    assert [note for note in tree.notes if "12 bits" in note]
