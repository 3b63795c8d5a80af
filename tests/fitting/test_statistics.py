"""What a fit keeps: arrays and parts add up, are saved by name and taken up where they fit."""

from __future__ import annotations

import numpy as np
import pytest

from hexplain_widgets.fitting.statistics import Sums, below, numbered


class Counts(Sums):
    SUMS = ("counts",)

    def __init__(self, counts: list[int], *parts: Counts) -> None:
        self.counts = np.array(counts)
        self._parts = parts

    def parts(self) -> dict[str, Sums]:
        return numbered(layer={str(i): part for i, part in enumerate(self._parts)})


def test_arrays_and_parts_add_up() -> None:
    sums = Counts([1, 2], Counts([3]), Counts([4]))
    sums.merge(Counts([10, 20], Counts([30]), Counts([40])))
    found = {name: array.tolist() for name, array in sums.arrays()}
    assert found == {"counts": [11, 22], "0.layer.counts": [33], "1.layer.counts": [44]}


def test_what_is_saved_is_taken_up_as_it_was() -> None:
    saved = dict(Counts([1, 2], Counts([3])).arrays())
    empty = Counts([0, 0], Counts([0]))
    empty.restore(saved)
    assert {n: a.tolist() for n, a in empty.arrays()} == {n: a.tolist() for n, a in saved.items()}


def test_arrays_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"the sum counts is not \(1,\)"):
        Counts([0]).restore({"counts": np.zeros(2)})


def test_names_below_a_prefix_lose_it() -> None:
    arrays = {name: np.zeros(1) for name in ("0.a", "0.b", "01.a")}
    assert set(below(arrays, "0.")) == {"a", "b"}
