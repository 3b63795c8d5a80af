"""Exemplars: the images of a data set that excite some channels most."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

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
