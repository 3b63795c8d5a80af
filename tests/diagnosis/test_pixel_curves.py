"""Insertion and deletion: curves and areas, against a literal one and where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import hexplain_widgets as hx
from hexplain_widgets.evidence.store import load, save
from tests.networks import image, plain, pointwise
from tests.reference import sanity as literal
from tests.test_contract import check_untouched, fingerprint


def sees_red() -> nn.Module:
    """Class 0 goes by how much red there is, class 1 by nothing."""
    return pointwise(torch.eye(1, 3), torch.tensor([[60.0], [0]]), torch.tensor([-3, 0.0]))


@pytest.fixture(scope="module")
def red() -> tuple[torch.Tensor, np.ndarray]:
    x, truth = torch.zeros(1, 3, 12, 12), np.zeros((12, 12))
    x[0, 0, 2:5, 3:7], truth[2:5, 3:7] = 1, 1.0
    return x, truth


@pytest.mark.parametrize(("deleted_to", "inserted_into"), [("mean", "black"), ("black", "mean")])
def test_curves_and_areas_are_the_literal_ones(deleted_to: str, inserted_into: str) -> None:
    model, x = plain(seed=3), image(16)
    heat = np.random.default_rng(0).random((16, 16))
    grounds = {"mean": x.mean((2, 3), keepdim=True).expand_as(x), "black": torch.zeros_like(x)}
    found = hx.insertion_deletion(
        model, x, heat, 2, steps=8, deleted_to=deleted_to, inserted_into=inserted_into
    )
    order, counts = np.argsort(-heat.ravel()), [32 * i for i in range(9)]
    gone = literal.curve(model, x, grounds[deleted_to], order, 2, counts)
    come = literal.curve(model, grounds[inserted_into], x, order, 2, counts)
    assert np.allclose(found.deletion, gone, atol=1e-5)
    assert np.allclose(found.insertion, come, atol=1e-5)
    assert found.deletion_area == pytest.approx(literal.area(gone, found.shares), abs=1e-5)
    assert found.insertion_area == pytest.approx(literal.area(come, found.shares), abs=1e-5)


def test_the_truth_beats_random_orders_and_its_opposite_loses_to_them(red) -> None:
    x, truth = red
    right, wrong = (
        hx.insertion_deletion(sees_red(), x, heat, 0, deleted_to="black", inserted_into="black")
        for heat in (truth, -truth)
    )
    assert right.deletion_area < right.random_deletion_area < wrong.deletion_area
    assert right.insertion_area > right.random_insertion_area > wrong.insertion_area


def test_the_ends_are_the_image_and_what_is_left_without_it(red) -> None:
    x, truth = red
    found = hx.insertion_deletion(
        sees_red(), x, truth, 0, deleted_to="black", inserted_into="black"
    )
    whole, nothing = (
        float(sees_red()(one).softmax(1)[0, 0].detach()) for one in (x, torch.zeros_like(x))
    )
    assert (found.deletion[0], found.deletion[-1]) == pytest.approx((whole, nothing))
    assert (found.insertion[0], found.insertion[-1]) == pytest.approx((nothing, whole))
    assert (found.shares[0], found.shares[-1], len(found.shares)) == (0, 1, 51)


def test_a_coarse_map_is_brought_to_the_image_and_equal_pixels_are_drawn_from_the_seed(red) -> None:
    x, _ = red
    coarse = np.array([[1.0, 0.0], [0.0, 0.0]])
    one, again = (hx.insertion_deletion(sees_red(), x, coarse, 0) for _ in range(2))
    assert one == again
    assert one.deletion[10] < one.random_deletion[10] + 1e-6


def test_a_heatmap_of_an_engine_knows_its_class_method_and_layer() -> None:
    clf, data = hx.demo.classifier(), hx.demo.scenes(2, seed=1)
    chip = hx.Chip(layers=["stage5"], gates_per_image=4).fit(clf, data, progress=False)
    heat = chip.explain(data[0][0], "farm")
    found = hx.insertion_deletion(clf, data[0][0], heat, steps=4, draws=1)
    assert (found.target, found.method, found.layer) == ("farm", heat.method, "stage5")
    assert str(found).startswith(f"{heat.method} for 'farm': deletion 0.")


def test_without_a_class_it_is_the_one_that_is_named(red) -> None:
    x, truth = red
    assert hx.insertion_deletion(sees_red(), x, truth).index == int(sees_red()(x).argmax())


def test_curves_are_saved_and_opened_and_the_network_is_as_it_was(red, tmp_path) -> None:
    model = sees_red().train()
    before = fingerprint(model)
    found = hx.insertion_deletion(model, *red)
    check_untouched(before, model)
    assert load(save(found, tmp_path / "c.hx")) == found


def test_a_flat_map_is_an_error(red) -> None:
    with pytest.raises(ValueError, match="got a map that is flat, in whose order no pixel"):
        hx.insertion_deletion(sees_red(), red[0], np.ones((4, 4)))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_map_that_is_not_finite_is_an_error(red, value: float) -> None:
    heat = red[1].copy()
    heat[0, 0] = value
    with pytest.raises(ValueError, match="got a map with NaN or infinite values; expected finite"):
        hx.insertion_deletion(sees_red(), red[0], heat)


def test_a_stack_of_maps_is_an_error(red, unchecked) -> None:
    with pytest.raises(ValueError, match=r"got a map of shape \(1, 4, 4\); expected \(h, w\)"):
        hx.insertion_deletion(sees_red(), red[0], np.ones((1, 4, 4)))


def test_an_unknown_ground_is_answered_with_the_nearest(red) -> None:
    with pytest.raises(ValueError, match=r"got deleted_to='blurred'.*the nearest is 'blur'"):
        hx.insertion_deletion(sees_red(), *red, deleted_to="blurred")


def test_no_step_is_an_error(red) -> None:
    with pytest.raises(ValueError, match="got steps=0; expected at least 1"):
        hx.insertion_deletion(sees_red(), *red, steps=0)
