"""What travels to the browser: small, and exact where it must be."""

from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from hexplain_widgets.evidence import Decomposition, Node
from hexplain_widgets.widgets._shared.payload import dotted, path_of, picture_bytes, quantized
from hexplain_widgets.widgets.decomposition_tree.payload import (
    pictured,
    pictures_payload,
    tree_payload,
)
from tests.widgets.made import made_decomposition


@pytest.fixture(scope="module")
def tree() -> Decomposition:
    return made_decomposition(levels=4, pictures=True)


def nodes(tree: Decomposition) -> list[Node]:
    return [node for _, node in tree.root.walk()]


def test_a_map_comes_back_to_half_a_step() -> None:
    values = np.random.default_rng(0).normal(size=(14, 14)).astype(np.float32)
    pixels, zero, step = quantized(values)
    back = (pixels.astype(np.float64) - zero) * step
    assert np.abs(back - values).max() <= step * 0.5001


@pytest.mark.parametrize("path", [(), (0,), (0, 12, 3)])
def test_a_path_comes_back_as_it_was_written(path: tuple[int, ...]) -> None:
    assert path_of(dotted(path)) == path


def test_zero_is_exact_in_a_map_of_both_signs() -> None:
    pixels, zero, _ = quantized(np.array([[-0.31, 0.0, 0.97]], dtype=np.float32))
    assert pixels[0, 1] == zero


def test_a_flat_map_is_flat_and_has_a_step() -> None:
    pixels, zero, step = quantized(np.zeros((3, 3), dtype=np.float32))
    assert (pixels == zero).all()
    assert step == 1.0


def test_an_empty_map_takes_no_bytes() -> None:
    pixels, _, _ = quantized(np.zeros((0, 0), dtype=np.float32))
    assert pixels.size == 0


def test_a_path_is_written_with_dots_and_the_root_is_empty() -> None:
    assert [dotted(path) for path in [(), (0,), (0, 12, 1)]] == ["", "0", "0.12.1"]


def test_columns_have_one_entry_per_node_with_parents_first(tree: Decomposition) -> None:
    columns = tree_payload(tree, 3)["nodes"]
    assert {len(column) for column in columns.values()} == {121}
    assert columns["parent"][0] == -1
    assert all(above < i for i, above in enumerate(columns["parent"]))


def test_the_maps_of_all_nodes_follow_each_other_in_one_buffer(tree: Decomposition) -> None:
    payload = tree_payload(tree, 3)
    at = 0
    for (height, width), zero, step, node in zip(
        *(payload["nodes"][name] for name in ("extent", "zero", "step")), nodes(tree), strict=True
    ):
        cells = np.frombuffer(payload["maps"], np.uint8, height * width, at)
        back = (cells.reshape(height, width).astype(np.float64) - zero) * step
        assert np.abs(back - node.patch).max() <= step * 0.5001
        at += height * width
    assert at == len(payload["maps"])


def test_all_but_the_maps_is_json(tree: Decomposition) -> None:
    payload = tree_payload(tree, 3)
    del payload["maps"]
    assert json.loads(json.dumps(payload, allow_nan=False)) == payload


def test_a_tree_of_121_nodes_with_pictures_is_below_400_kilobytes(tree: Decomposition) -> None:
    payload = tree_payload(tree, 3)
    maps = payload.pop("maps")
    pictures = pictures_payload((path, picture_bytes(p)) for path, p in pictured(tree))
    total = len(maps) + len(json.dumps(payload)) + len(pictures["data"])
    assert total < 400_000


def test_numbers_too_long_for_a_screen_are_cut_to_six_figures(tree: Decomposition) -> None:
    node = replace(tree.root, share=0.123456789)
    assert tree_payload(replace(tree, root=node), 3)["nodes"]["share"][0] == 0.123457


def test_every_picture_is_found_by_its_path(tree: Decomposition) -> None:
    encoded = {path: picture_bytes(pixels) for path, pixels in pictured(tree)}
    payload = pictures_payload(encoded.items())
    start, length = payload["places"]["0.1"]
    assert payload["data"][start : start + length] == encoded[0, 1]


@pytest.mark.parametrize(("side", "kind"), [(5, "PNG"), (40, "PNG"), (41, "JPEG"), (180, "JPEG")])
def test_a_picture_is_kept_exactly_where_that_is_smaller(side: int, kind: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (side, side, 3), dtype=np.uint8)
    assert Image.open(BytesIO(picture_bytes(pixels))).format == kind
