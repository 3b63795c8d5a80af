"""The solver comes to an end, or says that it did not: no weights are given out on the way."""

from __future__ import annotations

from concurrent.futures import CancelledError

import numpy as np
import pytest

from hexplain_widgets import Chip
from hexplain_widgets.chip.importance import LEAST_SPARSITY, _check_end
from hexplain_widgets.solvers.lasso import Quadratic, lasso
from hexplain_widgets.widgets.layer_heatmaps.messages import sparsity_in


def problem(channels: int = 40) -> Quadratic:
    z = np.random.default_rng(0).normal(size=(200, channels))
    score = z @ np.linspace(1, 2, channels)
    gram = (z.T @ z)[None]
    return Quadratic(gram, (score @ z)[None], np.array([score @ score]))


@pytest.mark.parametrize("sparsity", [5e-324, 0.0, -1.0, 1e-9, 2.0, float("nan"), float("inf")])
def test_a_sparsity_without_meaning_is_refused(sparsity: float) -> None:
    with pytest.raises(ValueError, match=r"expected a fraction above 0 .* from 1e-06 up"):
        Chip(sparsity=sparsity)
    with pytest.raises(ValueError, match=r"expected a number above 0 and up to 1, at least 1e-06"):
        sparsity_in({"sparsity": sparsity})


def test_the_least_sparsity_is_taken() -> None:
    assert Chip(sparsity=LEAST_SPARSITY).sparsity == sparsity_in({"sparsity": LEAST_SPARSITY})


@pytest.mark.parametrize("solver", ["coordinate descent", "ADMM"])
def test_the_solver_hears_a_cancel(solver) -> None:
    with pytest.raises(CancelledError):
        lasso(problem(), 1e-4, solver=solver, stopped=lambda: True)


def test_weights_that_were_not_found_are_no_answer() -> None:
    with pytest.raises(ValueError, match=r"got weights that may be 50 .* take a larger sparsity"):
        _check_end(np.array([0.0, 50.0]), 1e-6)
    _check_end(np.array([1e-6]), 1e-6)
