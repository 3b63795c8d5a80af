"""Where the network looks: the window that a transform leaves of an image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import v2

from hexplain_widgets import demo
from hexplain_widgets.data.label_maps import Framing, majority
from hexplain_widgets.network.classifier import Classifier
from tests.networks import plain

CLOSE = 0.001
TENSOR = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
SIDES = st.integers(24, 300)


def framing(*steps: object, normalised: bool = True) -> Framing:
    last = [v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))] if normalised else []
    return Framing(Classifier(plain(), transform=v2.Compose([*steps, *TENSOR, *last])))


def test_a_transform_that_only_scales_values_shows_the_whole_image():
    assert framing().window((40, 60)) == pytest.approx((0, 0, 1, 1), abs=CLOSE)


@given(SIDES, SIDES)
@settings(max_examples=15, deadline=None)
def test_an_image_that_is_squeezed_to_a_square_is_seen_whole(height, width):
    found = framing(v2.Resize((64, 64))).window((height, width))
    assert found == pytest.approx((0, 0, 1, 1), abs=3 * CLOSE)


@given(SIDES, SIDES)
@settings(max_examples=15, deadline=None)
def test_imagenets_usual_crop_is_found(height, width):
    short = min(height, width)
    sizes = [int(128 * n / short) for n in (height, width)]
    starts = [round((n - 112) / 2) / n for n in sizes]
    ends = [start + 112 / n for start, n in zip(starts, sizes, strict=True)]
    found = framing(v2.Resize(128), v2.CenterCrop(112)).window((height, width))
    assert found == pytest.approx((starts[1], starts[0], ends[1], ends[0]), abs=2 * CLOSE)


def test_padding_lies_outside_the_image():
    found = framing(v2.Pad((10, 0, 10, 20))).window((60, 40))
    assert found == pytest.approx((-0.25, 0, 1.25, 80 / 60), abs=CLOSE)


def test_a_mirrored_image_runs_from_right_to_left():
    found = framing(v2.RandomHorizontalFlip(1.0)).window((60, 40))
    assert found == pytest.approx((1, 0, 0, 1), abs=CLOSE)


def test_values_may_be_turned_to_their_negative():
    found = framing(v2.RandomInvert(1.0), v2.CenterCrop(20)).window((40, 40))
    assert found == pytest.approx((0.25, 0.25, 0.75, 0.75), abs=CLOSE)


def test_the_embedded_network_sees_its_scenes_whole():
    found = Framing(demo.classifier()).window((224, 224))
    assert found == pytest.approx((0, 0, 1, 1), abs=CLOSE)


def test_a_label_lies_where_the_network_sees_what_it_names():
    height, width = 90, 150
    labels = np.ones((height, width), np.int32)
    labels[20:50, 90:120] = 2
    pixels = np.where((labels == 2)[..., None], np.uint8(255), np.uint8(0)).repeat(3, -1)
    transform = v2.Compose([v2.Resize(64), v2.CenterCrop(56), *TENSOR])
    classifier = Classifier(plain(), transform=transform)
    seen = classifier.prepared(Image.fromarray(pixels))[0, 0].numpy() > 0.5
    window = Framing(classifier).window((height, width))
    found = majority([labels], (56, 56), window=window)[0] == 2
    assert (found ^ seen).sum() <= 0.02 * seen.sum()


@pytest.mark.parametrize(
    "step",
    [
        v2.RandomRotation((30, 30)),
        v2.RandomRotation((90, 90)),
        v2.RandomPerspective(0.6, p=1.0),
        v2.RandomPosterize(2, p=1.0),
    ],
    ids=lambda step: type(step).__name__,
)
def test_a_transform_that_turns_or_bends_images_is_an_error(step):
    text = "the transform of .* turns or bends images, .*; expected one that resizes, .*; leave tur"
    with pytest.raises(ValueError, match=text):
        framing(step).window((60, 60))


def test_a_transform_that_leaves_nothing_is_an_error():
    nothing = v2.Lambda(lambda image: Image.new("RGB", image.size))
    with pytest.raises(ValueError, match=r"the transform of .* leaves nothing of images, .*"):
        framing(nothing).window((60, 60))
