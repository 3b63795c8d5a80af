"""Gates: how many channels stay open, which, and what a draw depends on (CHIP, Eq. 1 and 7)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from hexplain_widgets.network.gating import gates_for, proximity
from tests.reference import perturbed

K = 8


def drawn(image: bytes = b"an image", layer: str = "stage3", **settings) -> np.ndarray:
    return gates_for(image, layer, **{"count": 100, "channels": K, "seed": 0, **settings})


@pytest.fixture(scope="module")
def many() -> np.ndarray:
    """Ten thousand gates, without each image's first."""
    return np.concatenate([drawn(str(i).encode(), count=101)[1:] for i in range(100)])


def test_the_first_gate_of_an_image_leaves_every_channel_open() -> None:
    assert drawn()[0].all()


def test_no_gate_closes_every_channel(many) -> None:
    assert many.any(1).all()


def test_every_number_of_open_channels_is_as_likely(many) -> None:
    counts = np.bincount(many.sum(1), minlength=K + 1)[1:]
    assert chisquare(counts).pvalue > 0.01


def test_every_channel_is_open_as_often(many) -> None:
    assert chisquare(many.sum(0)).pvalue > 0.01


def test_of_two_open_channels_every_pair_is_as_likely(many) -> None:
    pairs = many[many.sum(1) == 2]
    codes = np.unique(pairs @ (2 ** np.arange(K)), return_counts=True)[1]
    assert len(codes) == K * (K - 1) // 2
    assert chisquare(codes).pvalue > 0.01


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_narrow_layers_keep_the_law(channels: int) -> None:
    gates = drawn(channels=channels, count=3001)[1:]
    counts = np.bincount(gates.sum(1), minlength=channels + 1)[1:]
    assert counts.sum() == 3000
    assert channels == 1 or chisquare(counts).pvalue > 0.01


def test_in_a_wide_layer_the_number_of_open_channels_is_uniform_too() -> None:
    open_ = drawn(channels=2048, count=2001)[1:].sum(1)
    counts = np.histogram(open_, bins=16, range=(0, 2048))[0]
    assert chisquare(counts).pvalue > 0.01


def test_the_same_image_layer_and_seed_draw_the_same_gates() -> None:
    assert np.array_equal(drawn(), drawn())


@pytest.mark.parametrize("other", [{"image": b"another"}, {"layer": "stage2"}, {"seed": 1}])
def test_another_image_layer_or_seed_draws_other_gates(other) -> None:
    assert not np.array_equal(drawn(), drawn(**other))


def test_a_layer_and_a_seed_are_not_taken_for_one_another() -> None:
    assert not np.array_equal(drawn(layer="a1", seed=2), drawn(layer="a", seed=12))


def test_the_global_random_state_is_neither_used_nor_changed() -> None:
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    drawn()
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


@pytest.mark.parametrize("channels", [1, 5, 64])
def test_proximity_is_that_of_equation_7(channels: int) -> None:
    gates = drawn(channels=channels)
    expected = [perturbed.proximity(d) for d in gates]
    assert proximity(gates) == pytest.approx(expected, rel=1e-12)


def test_the_weight_of_a_half_closed_layer_does_not_depend_on_its_width() -> None:
    narrow, wide = (np.arange(k)[None] % 2 > 0 for k in (8, 2048))
    assert proximity(narrow) == pytest.approx(proximity(wide))
