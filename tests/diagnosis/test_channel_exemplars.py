"""Exemplars: the images of a data set that excite some channels most."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import hexplain_widgets as hx
from hexplain_widgets.atlas.gallery import FilterGallery
from hexplain_widgets.diagnosis.failures import exemplars_of
from tests.networks import image, plain
from tests.planted_failure import EVEN, GREEN, RED, classifier


def reds(*values: float) -> list[tuple[Tensor, int]]:
    """Images that are red in one quarter, as strongly as is said, and green in another."""
    made = []
    for i, value in enumerate(values):
        x = torch.zeros(3, 16, 16)
        x[0, :8, :8], x[1, 8:, 8:] = value, 1 - value
        made.append((x, i % 2))
    return made


def test_images_are_sorted_by_the_channels_peak() -> None:
    (red, green), labels = exemplars_of(
        classifier(), reds(0.2, 0.9, 0.4), "4", [RED, GREEN], progress=False
    )
    assert (red.filter, green.filter) == (RED, GREEN)
    assert red.values == pytest.approx([0.9, 0.4, 0.2])
    assert green.values == pytest.approx([0.8, 0.6, 0.1])
    assert labels == (("dog", "cat", "cat"), ("cat", "cat", "dog"))


def test_a_region_is_where_the_channel_is_strong() -> None:
    (red,), _ = exemplars_of(classifier(), reds(0.2, 0.9), "4", [RED], progress=False)
    assert red.masks[0, :24, :24].all()
    assert not red.masks[0, 40:].any()


def test_a_channel_with_one_value_everywhere_has_no_exemplars() -> None:
    (even,), labels = exemplars_of(classifier(), reds(0.2, 0.9), "4", [EVEN], progress=False)
    assert len(even.images) == 0
    assert labels == ((),)


def test_images_without_a_label_have_an_empty_name() -> None:
    data = [x for x, _ in reds(0.3)]
    _, labels = exemplars_of(classifier(), data, "4", [RED], progress=False)
    assert labels == (("",),)


def test_they_are_those_of_a_gallery_of_all_filters() -> None:
    model, data = plain(), [image(24, seed)[0] for seed in range(9)]
    sheet = FilterGallery("7", quantile=0.9).fit(model, data, progress=False).sheet()
    found, _ = exemplars_of(model, data, "7", [11, 3], quantile=0.9, progress=False)
    for portrait in found:
        other = sheet.portraits[portrait.filter]
        assert np.array_equal(portrait.images, other.images)
        assert np.array_equal(portrait.masks, other.masks)


def test_it_says_how_many_images_were_seen() -> None:
    told: list[int] = []
    exemplars_of(classifier(), reds(*[0.1] * 10), "4", [RED], progress=False, done=told.append)
    assert told == [8, 10]


def test_data_without_an_image_are_refused() -> None:
    with pytest.raises(ValueError, match="got data without a single image; expected at least one;"):
        exemplars_of(classifier(), [], "4", [RED], progress=False)


def test_an_unknown_layer_is_refused() -> None:
    with pytest.raises(ValueError, match="got the unknown layer 'deep'; expected one that"):
        exemplars_of(hx.Classifier(plain()), [image(16)[0]], "deep", [0], progress=False)


# where the layer clips


def clipping() -> hx.Classifier:
    """Reads how red, green and blue an image is, ten times as strongly, up to 6."""
    model = nn.Sequential(
        nn.Conv2d(3, 3, 1, bias=False),
        nn.ReLU6(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(3, 2),
    )
    model[0].weight.data = 10 * torch.eye(3).view(3, 3, 1, 1)
    return hx.Classifier(model.eval(), classes=["a", "b"])


def squares(*reds: float) -> list[Tensor]:
    made = torch.full((len(reds), 3, 16, 16), 0.05)
    for i, red in enumerate(reds):
        made[i, 0, :8, :8] = red
        made[i, 2] = 0.9
    return list(made)


def test_images_above_the_clip_are_sorted_by_what_is_clipped() -> None:
    data = squares(0.65, 0.95, 0.1, 0.75, 0.85, 0.7)
    (red, blue), _ = exemplars_of(clipping(), data, "1", [0, 2], progress=False)
    assert red.values.tolist() == [6, 6, 6, 6]
    assert red.unclipped == pytest.approx([9.5, 8.5, 7.5, 7], rel=1e-5)
    assert not red.tied
    assert red.ranking == "Ranked by the values before the layer's clip: 9.5, 8.5, 7.5, 7."
    assert len(blue.images) == 0


def test_the_portraits_of_hint_and_of_the_gallery_say_the_same() -> None:
    data = [(x, 0) for x in squares(0.65, 0.95, 0.1, 0.75, 0.85, 0.7)]
    sheet = FilterGallery("1").fit(clipping(), data, progress=False).sheet()
    hint = hx.Hint(layer="1", vectors=20).fit(
        clipping(), data, hx.Hierarchy.of({"both": ["a", "b"]}), progress=False
    )
    (neuron,) = hint.portraits([0])
    assert np.array_equal(neuron.images, sheet.portraits[0].images)
    assert neuron.ranking == sheet.portraits[0].ranking != ""
    (tied,) = hint.portraits([1])
    assert tied.tied
    assert "arbitrary" in tied.ranking


def test_chip_says_where_means_are_equal() -> None:
    data = [(x, 0) for x in squares(0.1, 0.2, 0.3, 0.4, 0.5)]
    chip = hx.Chip(layers=["1"], gates_per_image=4).fit(clipping(), data, progress=False)
    red, green = chip.portraits([0, 1], layer="1")
    assert (red.tied, green.tied) == (False, True)
    assert red.ranking == ""
    assert green.ranking == "Others are just as strong: which of them are shown is arbitrary."
