"""The door: images of every kind come in, and what is none is turned away with advice."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.transforms import v2

import hexplain_widgets as hx
from tests.networks import image, plain

NAMES = ["house", "horse", "harbor", "park", "park"]


def picture(width: int = 60, height: int = 40) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture
def classifier() -> hx.Classifier:
    return hx.Classifier(plain(), classes=NAMES)


def test_path_pil_array_and_tensor_of_one_picture_are_the_same_image(classifier, tmp_path) -> None:
    image = picture()
    path = tmp_path / "picture.png"
    image.save(path)
    array = np.asarray(image)
    tensor = torch.from_numpy(array.copy()).permute(2, 0, 1) / 255
    kinds = [path, str(path), image, array, (array / 255).astype(np.float32), tensor, tensor[None]]
    first, *others = [classifier.prepare(kind) for kind in kinds]
    for other in others:
        assert torch.allclose(first.x, other.x, atol=1e-6)
        assert np.array_equal(first.shown, other.shown)


def test_grey_and_transparent_pictures_come_in_as_rgb(classifier) -> None:
    assert classifier.prepare(picture().convert("L")).x.shape == (1, 3, 40, 60)
    assert classifier.prepare(picture().convert("RGBA")).x.shape == (1, 3, 40, 60)


def test_a_photograph_on_its_side_is_turned_upright(classifier, tmp_path) -> None:
    path = tmp_path / "phone.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    picture().save(path, exif=exif)
    assert classifier.prepare(path).x.shape == (1, 3, 60, 40)


def test_the_shown_picture_undoes_the_normalisation() -> None:
    steps = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    normal = v2.Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.1))
    classifier = hx.Classifier(plain(), transform=v2.Compose([*steps, normal]))
    assert np.array_equal(classifier.prepare(picture()).shown, np.asarray(picture()))


def test_a_network_of_a_thousand_classes_gets_imagenets_preparation_and_says_so() -> None:
    model = plain()
    model[10] = nn.Linear(16, 1000)
    classifier = hx.Classifier(model)
    assert classifier.prepare(picture(500, 300)).x.shape == (1, 3, 224, 224)
    assert "ImageNet" in classifier.notes[0]


def test_predictions_are_ranked_and_their_probabilities_add_up(classifier) -> None:
    found = classifier.predict(picture(), top=5)
    chances = [p for _, _, p in found]
    assert chances == sorted(chances, reverse=True)
    assert sum(chances) == pytest.approx(1)
    assert all(NAMES[i] == name for i, name, _ in found)


def test_a_single_logit_is_a_sigmoid() -> None:
    model = plain()
    model[10] = nn.Linear(16, 1)
    answers = {i: (name, chance) for i, name, chance in hx.Classifier(model).predict(image(40))}
    with torch.no_grad():
        chance = float(torch.sigmoid(model(image(40))[0, 0]))
    assert answers == {
        0: ("class 0", pytest.approx(1 - chance)),
        1: ("class 1", pytest.approx(chance)),
    }


def test_names_may_come_as_a_mapping() -> None:
    classifier = hx.Classifier(plain(), classes={1: "b", 0: "a", 2: "c", 3: "d", 4: "e"})
    assert classifier.classes == ("a", "b", "c", "d", "e")


def test_half_precision_networks_take_pictures() -> None:
    classifier = hx.Classifier(plain().to(torch.bfloat16), classes=NAMES)
    assert len(classifier.predict(picture())) == 5


def test_a_random_transform_leaves_the_random_state_alone() -> None:
    def shaken(picture: Image.Image) -> torch.Tensor:
        np.random.rand(), torch.rand(1)  # noqa: NPY002
        return torch.rand(3, 32, 32)

    classifier = hx.Classifier(plain(), transform=shaken)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    classifier.predict(picture())
    assert np.array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])


@pytest.mark.parametrize(
    ("wrong", "error", "text"),
    [
        (42, TypeError, "got int as an image; expected a path, a PIL image"),
        (None, TypeError, "got NoneType as an image"),
        ("nowhere.png", FileNotFoundError, "no file at 'nowhere.png'; expected a picture there"),
        (np.zeros((3, 8, 8), np.uint8), ValueError, r"shape \(3, 8, 8\).*array.transpose"),
        (np.zeros((8, 8, 4), np.uint8), ValueError, r"shape \(8, 8, 4\); expected \(H, W, 3\)"),
        (np.zeros((0, 8, 3), np.uint8), ValueError, "got an empty image"),
        (np.zeros((8, 8, 3), np.int64), ValueError, "int64; expected uint8, or floats"),
        (np.full((8, 8, 3), 200.0), ValueError, "from 200 to 200; expected 0 to 1; divide by 255"),
        (np.full((8, 8, 3), np.nan), ValueError, "values from nan to nan"),
        (torch.zeros(2, 3, 8, 8), ValueError, "expected one preprocessed image"),
        (torch.zeros(8, 8), ValueError, r"got a tensor of shape \(8, 8\)"),
        (torch.zeros(3, 8, 8, dtype=torch.uint8), ValueError, "taken as already preprocessed"),
        (torch.full((3, 8, 8), torch.inf), ValueError, "NaN or infinite values; expected finite"),
        (torch.zeros(1, 8, 8), ValueError, "got an image of 1 channel; Sequential expects 3"),
    ],
)
def test_what_is_no_image_is_turned_away(classifier, wrong, error, text) -> None:
    with pytest.raises(error, match=text):
        classifier.predict(wrong)


def test_a_file_that_is_no_picture_is_turned_away(classifier, tmp_path) -> None:
    path = tmp_path / "letter.png"
    path.write_text("Dear reader")
    with pytest.raises(ValueError, match=r"is not a picture that can be read"):
        classifier.predict(path)


@pytest.mark.parametrize(
    ("target", "error", "text"),
    [
        ("hors", ValueError, "got the unknown class 'hors'; .* nearest are 'horse', 'house'"),
        ("park", ValueError, "stands for 2 classes; expected one; give its index: 3, 4"),
        (17, IndexError, "got class 17; expected an index from 0 to 4"),
        (-1, IndexError, "got class -1"),
    ],
)
def test_an_unknown_class_is_answered_with_the_nearest(classifier, target, error, text) -> None:
    with pytest.raises(error, match=text):
        hx.decompose(classifier, picture(), target)


def test_a_class_name_without_names_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"this classifier knows no names"):
        hx.decompose(plain(), picture(), "horse")


class Returning(nn.Module):
    def __init__(self, answer) -> None:
        super().__init__()
        self.body = plain()
        self.answer = answer

    def forward(self, x):
        return self.answer(self.body(x))


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda out: (out.long(), "five"), r"returned a tuple of 0: a tensor of shape \(1, 5\), 1"),
        (lambda out: {"boxes": out[..., None] * out}, r"dict of boxes: .*; expected logits N x C"),
        (lambda out: out[:, :, None, None].expand(-1, -1, 2, 2), r"shape \(1, 5, 2, 2\); expected"),
        (lambda out: "five", "returned a str; expected logits N x C; .*output="),
    ],
)
def test_output_without_scores_is_an_error(answer, text) -> None:
    with pytest.raises(ValueError, match=text):
        hx.Classifier(Returning(answer)).predict(picture())
    with pytest.raises(ValueError, match=text):
        hx.decompose(Returning(answer), picture())


@pytest.mark.parametrize(
    "call", [lambda c: c.predict(picture()), lambda c: hx.decompose(c, picture())]
)
def test_nan_weights_are_named(call) -> None:
    model = plain()
    model[3].weight.data[0, 0, 0, 0] = torch.nan
    with pytest.raises(ValueError, match=r"the weights 3.weight are not finite"):
        call(hx.Classifier(model))


def test_overflow_is_an_error_although_the_weights_are_finite() -> None:
    model = plain()
    model[0].weight.data *= 1e30
    model[3].weight.data *= 1e30
    with pytest.raises(ValueError, match=r"although its weights are finite.*float32"):
        hx.Classifier(model).predict(picture())


def test_the_number_of_names_must_be_the_number_of_logits() -> None:
    with pytest.raises(ValueError, match=r"got 2 class names for 5 logits"):
        hx.Classifier(plain(), classes=["a", "b"]).predict(picture())


@pytest.mark.parametrize(
    ("classes", "error", "text"),
    [("abcde", TypeError, "put it in brackets"), ({0: "a", 2: "b"}, ValueError, "without 1")],
)
def test_names_of_another_kind_are_errors(classes, error, text) -> None:
    with pytest.raises(error, match=text):
        hx.Classifier(plain(), classes=classes)


def test_what_is_no_model_is_an_error() -> None:
    with pytest.raises(TypeError, match=r"got function as a model; expected a torch.nn.Module"):
        hx.Classifier(lambda x: x)  # type: ignore[arg-type]


def test_a_lazy_network_is_asked_to_see_a_batch_first() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(2))
    with pytest.raises(ValueError, match=r"has no shape yet"):
        hx.Classifier(model)


def test_weights_made_under_inference_mode_are_refused() -> None:
    with torch.inference_mode():
        model = plain()
    with pytest.raises(ValueError, match=r"made under torch\.inference_mode"):
        hx.Classifier(model)


@pytest.mark.parametrize(
    ("transform", "error", "text"),
    [
        (lambda picture: picture, TypeError, "the transform returned Image; expected a tensor"),
        (lambda picture: torch.full((3, 8, 8), torch.nan), ValueError, "a standard deviation of 0"),
    ],
)
def test_a_transform_that_gives_no_image_is_an_error(transform, error, text) -> None:
    with pytest.raises(error, match=text):
        hx.Classifier(plain(), transform=transform).predict(picture())


def test_a_compiled_network_is_taken_apart_as_the_one_it_was_made_from() -> None:
    model = plain()
    assert hx.decompose(torch.compile(model), image(40)) == hx.decompose(model, image(40))
