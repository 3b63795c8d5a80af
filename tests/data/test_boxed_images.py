"""Boxes and masks of users' pictures, where the network sees them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.transforms import v2

import hexplain_widgets as hx
from hexplain_widgets.data.boxed_images import BoxedImage, boxed_images
from hexplain_widgets.network.images import size_of
from tests.networks import plain
from tests.reference.localization import seen_box

TENSOR = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]


def classifier(*steps: object) -> hx.Classifier:
    return hx.Classifier(plain(), transform=v2.Compose([*steps, *TENSOR]), classes=list("abcde"))


def picture(width: int = 120, height: int = 80) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


def only(clf: hx.Classifier, *item: object) -> BoxedImage:
    (found,) = boxed_images([item], clf)
    return found


def test_a_box_is_resized_with_its_picture() -> None:
    found = only(classifier(v2.Resize((40, 40))), picture(), "b", (30, 20, 60, 60))
    assert (found.boxes, found.size, found.cut) == (((10, 10, 20, 30),), (40, 40), False)
    assert found.sample.label == 1


@pytest.mark.parametrize("box", [(30, 20, 60, 60), (0, 0, 60, 60), (12, 7, 119, 80)])
def test_a_box_is_brought_through_the_usual_crop(box) -> None:
    clf = classifier(v2.Resize(40), v2.CenterCrop(32))
    # 120 x 80 becomes 60 x 40, of which 32 x 32 are seen: 28..92 and 8..72 of the picture
    found = only(clf, picture(), 0, box)
    expected = seen_box(box, (80, 120), (28, 8, 92, 72), 32)
    assert np.abs(np.subtract(found.boxes[0], expected)).max() <= 1
    assert found.cut == (box[0] < 28 or box[1] < 8)


def test_a_box_outside_of_the_crop_is_not_seen() -> None:
    found = only(classifier(v2.Resize(40), v2.CenterCrop(32)), picture(), 0, (0, 0, 20, 80))
    assert (found.boxed, found.boxes) == (True, ())


def test_a_mirrored_picture_has_its_boxes_mirrored() -> None:
    found = only(classifier(v2.RandomHorizontalFlip(1.0)), picture(60, 40), 0, (0, 0, 10, 20))
    assert found.boxes == ((50, 0, 60, 20),)


def test_several_boxes_of_one_image_and_dicts_and_loaders() -> None:
    clf = classifier()
    boxes = [(0, 0, 10, 10), [20, 20, 40, 30]]
    found = only(clf, picture(60, 40), 0, boxes)
    assert found.boxes == ((0, 0, 10, 10), (20, 20, 40, 30))
    assert found.area.sum() == 100 + 200
    (named,) = boxed_images([{"image": picture(60, 40), "label": 0, "boxes": boxes}], clf)
    assert named.boxes == found.boxes
    x = torch.rand(4, 3, 8, 8)
    data = list(zip(x, [0, 1, 2, 3], torch.tensor([[0, 0, 4, 4]] * 4), strict=True))
    loaded = list(boxed_images(DataLoader(data, batch_size=3), clf))
    assert [one.boxes for one in loaded] == [((0, 0, 4, 4),)] * 4
    assert [one.sample.label for one in loaded] == [0, 1, 2, 3]


def test_a_mask_is_brought_along_and_has_a_box() -> None:
    mask = np.zeros((80, 120), dtype=bool)
    mask[20:60, 30:60] = True
    found = only(classifier(v2.Resize((40, 40))), picture(), 0, mask)
    assert found.mask is not None and found.mask.shape == (40, 40)
    assert (found.boxes, int(found.mask.sum()), found.cut) == (((10, 10, 20, 30),), 200, False)
    cut = only(classifier(v2.Resize(40), v2.CenterCrop(32)), picture(), 0, np.ones((80, 120), bool))
    assert cut.cut
    assert cut.area.all()


@pytest.mark.parametrize("nothing", [None, [], np.zeros((0, 4)), np.zeros((80, 120), bool)])
def test_nothing_known_is_no_box(nothing) -> None:
    assert not only(classifier(), picture(), 0, nothing).boxed


@pytest.mark.parametrize(
    ("box", "what"),
    [
        ((0, 0, float("nan"), 5), "has NaN or infinite numbers"),
        ((5, 5, 5, 9), "is empty"),
        ((9, 5, 5, 9), "is empty"),
        ((0, 0, 121, 9), "lies outside of it"),
        ((-1, 0, 20, 9), "lies outside of it"),
        ([(0, 0, 5, 5), (0, 70, 9, 81)], "lies outside of it"),
    ],
)
def test_a_wrong_box_is_an_error_in_three_parts(box, what: str) -> None:
    text = rf"got the box .* for image 0 of 120 x 80 pixels, which {what}; expected .*; where boxes"
    with pytest.raises(ValueError, match=text):
        only(classifier(), picture(), 0, box)


@pytest.mark.parametrize(
    ("truth", "text"),
    [
        (np.ones((79, 120), bool), r"got a mask of shape .* expected .*; bring masks to the size"),
        (np.ones((80, 120), np.uint8), r"got boxes of shape .*; expected .*mask > 0"),
        ((1, 2, 3), r"got boxes of shape \(3,\).*; expected .*mask > 0"),
        (["a", "b", "c", "d"], r"got boxes of shape \(4,\) and type .*; expected .*; write a mask"),
        ([(1, 2, 3, 4), (1, 2)], r"got boxes for image 0 .*; expected .*; check how they are read"),
    ],
)
def test_what_is_no_truth_is_refused(truth, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        only(classifier(), picture(), 0, truth)


def test_what_is_no_item_is_refused() -> None:
    with pytest.raises(ValueError, match=r"got Image as an item; expected \(image, label, boxes\)"):
        list(boxed_images([picture()], classifier()))
    with pytest.raises(TypeError, match="got str as data; expected an iterable of"):
        list(boxed_images("folder", classifier()))


def test_a_picture_that_lies_on_its_side_has_its_upright_size(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(60, 40).save(tmp_path / "a.jpg", exif=exif)
    assert size_of(tmp_path / "a.jpg") == (60, 40)
    assert size_of(str(tmp_path / "a.jpg")) == size_of(np.zeros((60, 40, 3))) == (60, 40)
    assert size_of(torch.zeros(1, 3, 60, 40)) == size_of(picture(40, 60)) == (60, 40)
