"""Harmonising: concepts as directions of a layer, from sums over labelled pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import average_precision_score
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from hexplain_widgets.chain.harmonize import (
    ALWAYS,
    LOST,
    NEVER,
    UNTESTED,
    ConceptDirections,
    directions_of,
)
from hexplain_widgets.chain.statistics import (
    ConceptStatistics,
    Interpolation,
    LabelPlan,
    average_precision,
)
from hexplain_widgets.data.concept_sets import IGNORE, LabelledPicture, is_held_out
from hexplain_widgets.data.label_maps import labelled_pixels
from hexplain_widgets.fitting import passes
from hexplain_widgets.fitting.passes import Pass
from hexplain_widgets.network.classifier import Classifier
from tests.networks import plain
from tests.reference import chain as literal

NAMES = {"object": ("none", "red", "green", "blue", "never"), "part": ("none", "left", "right")}
LAYERS = (("object", "4"), ("part", "1"))
SIDE = 16


def to_tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(image, np.float32).copy()).permute(2, 0, 1) / 255


def guest(size: int = SIDE) -> Classifier:
    del size
    return Classifier(NETWORK, transform=to_tensor)


NETWORK = plain()


@cache
def item(i: int, side: int = SIDE, labelled: int | None = None) -> LabelledPicture:
    """Squares of red, green and blue on noise; a part map with an unlabelled stripe."""
    draw = np.random.default_rng(i)
    pixels = draw.integers(0, 120, (side, side, 3))
    found = np.zeros((side, side), int)
    for colour in range(3):
        y, x = draw.integers(0, side - 5, 2)
        pixels[y : y + 5, x : x + 5, colour] = 255
        found[y : y + 5, x : x + 5] = colour + 1
    part = np.repeat([[1] * (side // 2) + [2] * (side // 2)], side, 0)
    part[:3] = IGNORE
    masks: dict[str, list[np.ndarray]] = {"object": [found]}
    if i % 3:
        masks["part"] = [part]
    if labelled is not None:
        masks = {"object": [np.array([[labelled]])]}
    return LabelledPicture(f"item {i}", Image.fromarray(pixels.astype(np.uint8)), masks)


class Items(Dataset):
    """A small concept set with a length and items by index."""

    levels = tuple(NAMES)
    names: Mapping[str, tuple[str, ...]] = NAMES
    skipped = ()

    def __init__(self, numbers: Sequence[int]) -> None:
        self.numbers = list(numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, at: int) -> LabelledPicture:
        return item(self.numbers[at])


def statistics_of(
    data: Any, before: ConceptStatistics | None = None, **settings: Any
) -> ConceptStatistics:
    plan = LabelPlan(**{"layers": LAYERS, "names": NAMES, **settings})
    fit = Pass(plan, guest(), before, begun=lambda _: None)
    fit.run(data, progress=False)
    return fit.statistics


@cache
def whole() -> ConceptStatistics:
    return statistics_of(Items(range(24)))


def check_same(one: ConceptStatistics, other: ConceptStatistics) -> None:
    assert one.images == other.images
    for name, sums in one.levels.items():
        more = dict(other.levels[name].arrays())
        for part, array in sums.arrays():
            scale = 1e-9 * max(float(np.abs(array).max(initial=0)), 1e-9)
            assert more[part] == pytest.approx(array, rel=1e-6, abs=scale + 1e-6), part


# the adjoint of the interpolation

SIZES = st.tuples(st.integers(1, 5), st.integers(1, 5))


@given(SIZES, st.tuples(st.integers(0, 9), st.integers(0, 9)), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_sums_over_pixels_are_those_of_upsampled_maps(cells, more, seed):
    pixels = (cells[0] + more[0], cells[1] + more[1])
    draw = torch.Generator().manual_seed(seed)
    maps = torch.randn(3, *cells, generator=draw, dtype=torch.float64)
    weights = torch.rand(*pixels, generator=draw, dtype=torch.float64)
    weights *= torch.rand(*pixels, generator=draw) < 0.6
    up = F.interpolate(maps[None], pixels, mode="bilinear", align_corners=False)[0].flatten(1)
    found = Interpolation.of(cells, pixels)
    assert torch.allclose(found.gram(maps, weights), (up * weights.flatten()) @ up.T)
    sums = (found.masses(weights) * maps).sum((1, 2))
    assert torch.allclose(sums, up @ weights.flatten())
    places = torch.arange(pixels[0] * pixels[1])
    assert torch.allclose(found.at(maps, places), up.T)


def test_fewer_pixels_than_cells_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got \(2, 4\) pixels for a map of \(3, 3\) cells"):
        Interpolation.of((3, 3), (2, 4))


# labels on pixels


def test_labels_stay_at_their_own_size_where_it_is_finer_than_the_layer() -> None:
    labels = np.arange(12).reshape(3, 4)
    found = labelled_pixels([labels], (2, 2), limit=(8, 8))
    assert np.array_equal(found.labels[0], labels)


def test_coarse_labels_are_brought_to_the_layer() -> None:
    found = labelled_pixels([np.array([[1, 2]])], (2, 4), limit=(8, 8))
    assert found.labels[0].tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]


def test_labels_are_never_finer_than_the_networks_input() -> None:
    labels = np.repeat(np.repeat([[1, 2], [3, 0]], 8, 0), 8, 1)
    assert labelled_pixels([labels], (1, 1), limit=(4, 4)).size == (4, 4)


def test_what_the_network_does_not_see_is_cut_off() -> None:
    labels = np.array([[1, 2, 2, 3]])
    found = labelled_pixels([labels], (1, 1), limit=(8, 8), window=(0.25, 0.0, 0.75, 1.0))
    assert found.labels[0].tolist() == [[2, 2]]


def test_pixels_carry_the_labels_of_all_maps_and_unlabelled_ones_none() -> None:
    maps = [np.array([[1, IGNORE, 0]]), np.array([[2, IGNORE, IGNORE]])]
    found = labelled_pixels(maps, (1, 1), limit=(9, 9))
    assert found.known.tolist() == [[True, False, True]]
    assert found.present == (1, 2)
    assert found.members(np.arange(3), 2).tolist() == [[1, 1], [0, 0], [0, 0]]


# sums and directions


def rows(level: str, layer: int, numbers: Sequence[int], *, held: bool) -> tuple[np.ndarray, ...]:
    images = []
    for i in numbers:
        one = item(i)
        if is_held_out(one.key) == held and level in one.masks:
            with torch.no_grad():
                maps = NETWORK[: layer + 1](to_tensor(one.image)[None])[0]
            images.append((maps, np.asarray(one.masks[level][0])))
    return literal.rows_of(images)


@pytest.mark.parametrize(("level", "layer"), [("object", 4), ("part", 1)])
def test_sums_are_those_of_upsampled_maps_pixel_by_pixel(level: str, layer: int) -> None:
    vectors, labels, areas = rows(level, layer, range(24), held=False)
    sums = whole().levels[level]
    assert sums.gram == pytest.approx((vectors * areas[:, None]).T @ vectors, rel=1e-5)
    assert sums.sums == pytest.approx(areas @ vectors, rel=1e-5)
    assert sums.known[0] == pytest.approx(areas.sum())
    for e in range(len(sums.area)):
        own = labels == e + 1
        assert sums.area[e] == pytest.approx(areas[own].sum())
        assert sums.positive[e] == pytest.approx(areas[own] @ vectors[own], rel=1e-5, abs=1e-12)


@pytest.mark.parametrize("sparsity", [0.003, 0.1])
def test_directions_are_those_of_the_printed_algorithm(sparsity: float) -> None:
    vectors, labels, areas = rows("object", 4, range(24), held=False)
    found = directions_of(whole().levels["object"], sparsity=sparsity)
    for e in range(3):
        expected = literal.harmonized(vectors, (labels == e + 1) * 1.0, areas, sparsity)
        assert found.weights[e] == pytest.approx(
            expected, rel=5e-3, abs=5e-3 * np.abs(expected).max()
        )


def test_a_concepts_map_is_one_on_average_where_it_is_and_zero_elsewhere() -> None:
    vectors, labels, areas = rows("object", 4, range(24), held=False)
    found = directions_of(whole().levels["object"], sparsity=0.003)
    values = vectors @ found.weights[1] + found.bias[1]
    own = labels == 2
    assert np.average(values[own], weights=areas[own]) == pytest.approx(1, abs=1e-4)
    assert np.average(values[~own], weights=areas[~own]) == pytest.approx(0, abs=1e-4)
    maps = np.random.default_rng(0).normal(size=(12, 2, 3))
    expected = np.tensordot(found.weights[1], maps, 1) + found.bias[1]
    assert found.map_of(maps, 1) == pytest.approx(expected)


def test_precision_is_scikit_learns_on_all_held_out_pixels_where_all_are_kept() -> None:
    vectors, labels, areas = rows("object", 4, range(24), held=True)
    found = directions_of(whole().levels["object"], sparsity=0.003)
    for e in range(3):
        own = labels == e + 1
        expected = average_precision_score(own, vectors @ found.weights[e], sample_weight=areas)
        assert own.sum() <= 300
        assert found.precision[e] == pytest.approx(expected, abs=1e-4)
        assert found.chance[e] == pytest.approx(areas[own].sum() / areas.sum())
    assert (found.precision[:3] > 3 * found.chance[:3]).all()


@pytest.mark.parametrize("digits", [0, 1, 9])
def test_average_precision_is_scikit_learns_with_rows_of_one_score_and_without_area(digits) -> None:
    draw = np.random.default_rng(digits)
    for count in (2, 5, 200):
        here, area = draw.random(count) < 0.4, draw.random(count)
        scores = draw.normal(size=count).round(digits)
        area[draw.random(count) < 0.3], here[0], area[0] = 0, True, 1
        expected = average_precision_score(here, scores, sample_weight=area)
        assert average_precision(here, scores, area) == pytest.approx(expected, abs=1e-12)


def test_concepts_are_found_by_their_colors() -> None:
    found = directions_of(statistics_of(Items(range(60))).levels["object"], sparsity=0.003)
    assert (found.precision[:3] > 0.5).all()
    assert found.images[:3].sum() > 60


def test_a_concept_without_a_pixel_is_flagged_and_has_no_direction() -> None:
    found = directions_of(whole().levels["object"], sparsity=0.003)
    assert found.flags == {"never": NEVER}
    assert found.usable.tolist() == [True, True, True, False]
    assert np.isnan(found.precision[3])


def test_a_concept_on_every_pixel_is_flagged() -> None:
    found = _of_whole_images([1, 1, 1, 1])
    assert found.flags["red"] == ALWAYS
    assert not found.usable.any()


def _of_whole_images(labels: list[int], **settings: Any) -> ConceptDirections:
    data = [item(i, labelled=n) for i, n in enumerate(labels)]
    sums = statistics_of(data, layers=LAYERS[:1], held_out=0.0, **settings)
    return directions_of(sums.levels["object"], sparsity=0.01)


def test_labels_of_whole_images_are_harmonised() -> None:
    found = _of_whole_images([1, 2, 1, 2, 1, 2])
    assert found.usable.tolist() == [True, True, False, False]
    assert found.weights[0] == pytest.approx(-found.weights[1], abs=1e-3)


def test_a_concept_without_held_out_pixels_is_flagged() -> None:
    assert _of_whole_images([1, 2, 1, 2]).flags["red"] == UNTESTED


def test_a_sparsity_that_leaves_nothing_is_flagged() -> None:
    found = directions_of(whole().levels["object"], sparsity=1.01)
    assert found.flags["red"] == LOST
    assert not found.usable.any()


def test_a_level_without_a_labelled_image_is_refused() -> None:
    sums = statistics_of([item(i, labelled=1) for i in range(3)], held_out=0.0)
    with pytest.raises(ValueError, match="no image for fitting is labelled at the level 'part'"):
        directions_of(sums.levels["part"], sparsity=0.01)


def test_images_without_label_maps_are_refused() -> None:
    with pytest.raises(ValueError, match="got images without label maps; the items of a concept"):
        statistics_of([(item(0).image, 1)])


def test_a_level_that_the_set_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="got the level 'texture', at which the concept set"):
        statistics_of(Items(range(2)), layers=(("texture", "4"),))


def test_images_of_a_group_are_held_out_together() -> None:
    sums = statistics_of(Items(range(12)), group=lambda key: "one sequence")
    counts = sums.levels["object"].labelled.tolist()
    assert sorted(counts) == [0, 12]


# any order, any shards


@pytest.mark.parametrize("size", [1, 5])
def test_the_size_of_batches_does_not_matter(size: int, monkeypatch) -> None:
    monkeypatch.setattr(passes, "BATCH", size)
    check_same(statistics_of(Items(range(24))), whole())


def test_the_order_of_the_data_does_not_matter() -> None:
    check_same(statistics_of(Items([*range(12, 24), *reversed(range(12))])), whole())


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_shards_merge_in_any_order_to_the_whole(order: tuple[int, ...]) -> None:
    shards = [statistics_of(Items(range(8 * i, 8 * i + 8))) for i in range(3)]
    found = shards[order[0]].copy()
    for i in order[1:]:
        found.merge(shards[i])
    check_same(found, whole())


def test_going_on_gives_the_uninterrupted_sums() -> None:
    first = statistics_of(Items(range(10)))
    check_same(statistics_of(Items(range(24)), first.copy()), whole())


def test_a_cluster_gives_the_same_sums(client) -> None:
    plan = LabelPlan(LAYERS, NAMES)
    fit = Pass(plan, guest(), None, begun=lambda _: None)
    fit.run_on(client, Items(range(24)), progress=False)
    check_same(fit.statistics, whole())


def test_what_is_saved_is_loaded_as_it_was(tmp_path) -> None:
    whole().save(tmp_path / "chain.hx", {"sparsity": 0.01})
    found, engine = ConceptStatistics.load(tmp_path / "chain.hx")
    check_same(found, whole())
    assert found.scope == whole().scope
    assert engine == {"sparsity": 0.01}


def test_a_damaged_state_is_refused() -> None:
    settings, arrays = whole().state()
    with pytest.raises(ValueError, match="cannot take up saved sums"):
        ConceptStatistics.from_state(settings, {**arrays, "0.gram": np.zeros((2, 2))})


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"layers": (("object", "7"), ("part", "1"))}, "choice of levels and layers"),
        ({"seed": 1}, "split of the images"),
        ({"held_out": 0.5}, "split of the images"),
    ],
)
def test_sums_of_another_question_do_not_add_up(change: dict[str, Any], what: str) -> None:
    other = statistics_of(Items(range(3)), **change)
    with pytest.raises(ValueError, match=f"got sums of another {what}"):
        whole().copy().merge(other)


def test_sums_of_another_network_do_not_add_up() -> None:
    with pytest.raises(ValueError, match="got sums of another network"):
        whole().check_network(plain(seed=1))


class Broken(nn.Module):
    """Gives values that are not finite where the image is bright."""

    def __init__(self) -> None:
        super().__init__()
        self.body = plain()
        with torch.no_grad():
            self.body[0].weight[0, 0, 0, 0] = torch.inf

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x).nan_to_num(0)


def test_values_that_are_not_finite_name_the_layer() -> None:
    plan = LabelPlan((("object", "body.1"),), NAMES)
    network = Classifier(Broken(), transform=to_tensor)
    fit = Pass(plan, network, None, begun=lambda _: None)
    with pytest.raises(ValueError, match=r"layer body\.1 gives NaN"):
        fit.run(Items(range(2)), progress=False)
