"""LIME: by hand on a linear network, against the literal one and against captum's."""

from __future__ import annotations

import builtins
from itertools import count

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import hexplain_widgets as hx
from hexplain_widgets.diagnosis.lime import local_weights, mean_colours, nearness, superpixels
from hexplain_widgets.network.classifier import Classifier
from tests.networks import image, plain
from tests.reference import lime as literal

pytest.importorskip("skimage")

SIDE = 12
QUARTERS = np.repeat(np.repeat(np.arange(4).reshape(2, 2), SIDE // 2, 0), SIDE // 2, 1)


class Quarters(nn.Module):
    """Two classes: the first gains `effects` of what each quarter's red is above its mean."""

    effects = (3.0, 0.0, -2.0, 0.5)

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        half = SIDE // 2
        # the upper left pixel of a quarter is 1, all others are 0: off, it is its mean, 1 / 36
        corners = x[:, 0, ::half, ::half].flatten(1)
        gained = (corners - 1 / 36) / (1 - 1 / 36)
        first = self.scale * (gained @ torch.tensor(self.effects, dtype=x.dtype))
        return torch.stack([first, torch.zeros_like(first)], dim=1)


def cornered() -> Tensor:
    x = torch.zeros(1, 3, SIDE, SIDE)
    x[0, 0, :: SIDE // 2, :: SIDE // 2] = 1
    return x


@pytest.fixture
def quarters(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    monkeypatch.setattr("hexplain_widgets.diagnosis.lime.superpixels", lambda *_: QUARTERS)
    return QUARTERS


def test_a_linear_network_gives_the_effect_of_each_superpixel(quarters) -> None:
    lime = hx.Lime(samples=200, score="logit", sparsity=1e-6)
    found = lime.explain(Quarters(), cornered(), 0)
    expected = np.array(Quarters.effects)[quarters]
    assert found.values == pytest.approx(expected, abs=1e-4)
    assert found.values.shape == (SIDE, SIDE)
    assert "explains 100% of what the logit varies by" in found.notes[-1]
    assert "4 superpixels, 200 images" in found.notes[-1]


def test_sparsity_shrinks_what_matters_and_zeroes_what_does_not(quarters) -> None:
    found = hx.Lime(samples=400, score="logit", sparsity=0.2).explain(Quarters(), cornered(), 0)
    corners = found.values[:: SIDE // 2, :: SIDE // 2].ravel()
    assert 2 < corners[0] < 3
    assert corners[1] == 0
    assert -2 < corners[2] < -1


def test_the_other_class_is_against_what_the_first_is_for(quarters) -> None:
    lime = hx.Lime(samples=300, score="log-probability")
    one, two = (lime.explain(Quarters(), cornered(), c).values for c in (0, 1))
    assert one[0, 0] > 0 > two[0, 0]


@pytest.mark.parametrize(("width", "sparsity"), [(0.25, 0.003), (0.6, 0.05)])
def test_the_map_is_the_literal_one(width: float, sparsity: float, monkeypatch) -> None:
    model, x = plain(seed=2), image(24)
    parts = superpixels(Classifier.of(model).prepare(x).shown, 9)
    lime = hx.Lime(samples=60, segments=9, width=width, sparsity=sparsity)
    kept = lime._kept(Classifier.of(model).prepare(x), int(parts.max()) + 1)
    found = lime.explain(model, x, 2)
    expected = literal.lime(model, x, parts, kept, 2, width, sparsity)
    assert np.abs(expected).max() > 0
    assert found.values == pytest.approx(expected, abs=2e-5 * np.abs(expected).max())


def test_nearness_is_the_kernel_of_the_cosine_distance() -> None:
    kept = np.array([[1, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]], dtype=bool)
    # cosines 1, 1/2 and none: distances 0, 1/2, 1
    expected = [1, np.exp(-0.25 / 0.125), np.exp(-1 / 0.125)]
    assert nearness(kept, 0.25) == pytest.approx(expected)
    assert [literal.nearness(z, 0.25) for z in kept] == pytest.approx(expected)


def test_superpixels_that_are_off_show_their_mean_colour() -> None:
    x = image(SIDE)
    ground = mean_colours(x, torch.from_numpy(QUARTERS))
    half = SIDE // 2
    for row in (slice(0, half), slice(half, SIDE)):
        expected = x[0, :, row, :half].mean((1, 2))
        assert torch.allclose(ground[0, :, row, :half], expected[:, None, None], atol=1e-6)


def test_captum_finds_the_same_weights_from_the_same_images() -> None:
    captum = pytest.importorskip("captum.attr")
    models = pytest.importorskip("captum._utils.models.linear_model")
    model, x = plain(seed=1), image(24)
    prepared = Classifier.of(model).prepare(x)
    parts = superpixels(prepared.shown, 9)
    lime = hx.Lime(samples=80, segments=9, sparsity=1e-5)
    kept = lime._kept(prepared, int(parts.max()) + 1)
    row = count()
    theirs = captum.Lime(
        lambda batch: model(batch).softmax(1),
        interpretable_model=models.SkLearnLinearRegression(),
        similarity_func=lambda _, __, z, **___: torch.tensor(literal.nearness(z[0].numpy(), 0.25)),
        perturb_func=lambda *_, **__: torch.from_numpy(kept[next(row)][None]).float(),
    ).attribute(
        x,
        target=2,
        baselines=mean_colours(x, torch.from_numpy(parts)),
        feature_mask=torch.from_numpy(parts)[None, None].expand(1, 3, -1, -1),
        n_samples=len(kept),
    )
    expected = theirs[0, 0].detach().numpy()
    found = lime.explain(model, x, 2).values
    assert found == pytest.approx(expected, abs=1e-3 * float(np.abs(expected).max()))


def test_the_seed_decides_and_nothing_else() -> None:
    model, x = plain(), image(24)
    before = torch.get_rng_state()
    first = hx.Lime(samples=40, segments=9, seed=3).explain(model, x, 1)
    torch.manual_seed(9)
    again = hx.Lime(samples=40, segments=9, seed=3).explain(model, x, 1)
    other = hx.Lime(samples=40, segments=9, seed=4).explain(model, x, 1)
    torch.set_rng_state(before)
    assert first == again
    assert not np.array_equal(first.values, other.values)
    assert (first.provenance.seed, first.provenance.settings["samples"]) == (3, 40)


def test_what_does_not_change_the_score_has_no_map_and_says_so() -> None:
    model = plain()
    model[-1].weight.data.zero_()
    found = hx.Lime(samples=20, segments=9).explain(model, image(24), 0)
    assert not found.values.any()
    assert "nothing to explain" in found.notes[-1]


def test_the_fit_by_hand_of_two_superpixels() -> None:
    kept = np.array([[1, 1], [1, 0], [0, 1], [0, 0]], dtype=bool)
    weights, explained = local_weights(kept, np.array([5.0, 3.0, 2.0, 0.0]), 10.0, 1e-7)
    assert weights == pytest.approx([3, 2], abs=1e-4)
    assert explained == pytest.approx(1)


def test_a_picture_of_two_colours_is_parted_along_them() -> None:
    shown = np.zeros((24, 24, 3), np.uint8)
    shown[:, 12:] = 255
    parts = superpixels(shown, 8)
    assert not set(parts[:, :12].ravel()) & set(parts[:, 12:].ravel())
    assert sorted(set(parts.ravel())) == list(range(parts.max() + 1))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"samples": 1}, "got samples=1; expected 2 or more"),
        ({"segments": 0}, "got segments=0; expected at least 1"),
        ({"width": 0.0}, "got width=0.0; expected a positive number"),
        ({"sparsity": 2.0}, "got sparsity=2.0; expected a fraction"),
        ({"score": "loss"}, "got score='loss'; expected one of 'logit'"),
    ],
)
def test_settings_out_of_range_are_refused(settings, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        hx.Lime(**settings)


def test_without_scikit_image_it_says_what_to_install(monkeypatch) -> None:
    own = builtins.__import__

    def missing(name: str, *args, **kwargs):
        if name.startswith("skimage"):
            raise ModuleNotFoundError(f"No module named {name!r}")
        return own(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'hexplain_widgets\[compare\]'"):
        hx.Lime().explain(plain(), image(24))
