"""Weighted L1 least squares from sufficient statistics."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Lasso
from torch import Tensor

from hexplain_widgets.solvers.lasso import ProblemBatch, Quadratic, Solution, lasso, semismooth
from tests.reference import chip

SPARSITIES = (0.9, 0.3, 0.1, 0.01, 0.001, 0.0001)
SOLVERS = ("coordinate descent", "ADMM")


@dataclass(frozen=True)
class Rows:
    """Weighted rows: `z` (n, K), `g` (n, C), `w` (n, C), and the weights that made `g`."""

    z: np.ndarray
    g: np.ndarray
    w: np.ndarray
    planted: np.ndarray

    def centred(self, c: int) -> tuple[np.ndarray, np.ndarray]:
        weight = self.w[:, c] / self.w[:, c].sum()
        return self.z - weight @ self.z, self.g[:, c] - weight @ self.g[:, c]

    @property
    def statistics(self) -> Quadratic:
        gram, linear, power = [], [], []
        for c in range(self.g.shape[1]):
            (z, g), w = self.centred(c), self.w[:, c]
            gram.append((z * w[:, None]).T @ z)
            linear.append(z.T @ (w * g))
            power.append(np.sum(w * g * g))
        return Quadratic(np.stack(gram), np.stack(linear), np.array(power))


def gated(
    rows: int = 400,
    channels: int = 24,
    classes: int = 3,
    *,
    planted: int = 5,
    noise: float = 0.1,
    same_weights: bool = False,
    seed: int = 0,
) -> Rows:
    """Nonnegative correlated channels, closed at random, and scores of a few of them."""
    rng = np.random.default_rng(seed)
    common = np.exp(0.5 * rng.normal(size=(rows, 1)))
    z = common * np.exp(0.5 * rng.normal(size=(rows, channels))) * rng.integers(0, 2, (rows, 1))
    z = z * (rng.random((rows, channels)) < rng.random((rows, 1)))
    truth = np.zeros((classes, channels))
    for c in range(classes):
        at = rng.permutation(channels)[:planted]
        truth[c, at] = rng.choice([-1.0, 1.0], planted) * rng.uniform(0.5, 2, planted)
    g = z @ truth.T + noise * rng.normal(size=(rows, classes)) + 3
    w = rng.uniform(0.05, 1, (rows, 1 if same_weights else classes))
    return Rows(z, g, np.broadcast_to(w, (rows, classes)), truth)


def shared(problem: Quadratic) -> Quadratic:
    return replace(problem, gram=problem.gram[:1])


def penalty(problem: Quadratic, sparsity: float) -> np.ndarray:
    return sparsity * np.abs(problem.linear).max(axis=1)


def objectives(problem: Quadratic, weights: np.ndarray, lam: np.ndarray) -> np.ndarray:
    found = [
        (p - 2 * b @ w + w @ problem.gram[c % len(problem.gram)] @ w) / 2 + lam[c] * np.abs(w).sum()
        for c, (w, b, p) in enumerate(zip(weights, problem.linear, problem.power, strict=True))
    ]
    return np.array(found)


def lasso_on_rows(rows: Rows, c: int, lam: float) -> np.ndarray:
    z, g = rows.centred(c)
    root = np.sqrt(rows.w[:, c])
    model = Lasso(alpha=lam / len(z), fit_intercept=False, tol=1e-13, max_iter=1_000_000)
    return model.fit(z * root[:, None], g * root).coef_


def slopes(problem: Quadratic, weights: np.ndarray) -> np.ndarray:
    grams = np.broadcast_to(problem.gram, (len(weights), *problem.gram.shape[1:]))
    return problem.linear - np.einsum("ckl,cl->ck", grams, weights)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("sparsity", SPARSITIES)
@pytest.mark.parametrize("planted", [5, 24], ids=["few", "all"])
def test_the_objective_is_that_of_scikit_learns_lasso_on_the_rows(
    solver: str, sparsity: float, planted: int
) -> None:
    rows = gated(planted=planted, noise=0.5)
    problem = rows.statistics
    lam = penalty(problem, sparsity)
    ours = objectives(problem, lasso(problem, sparsity, solver=solver).weights, lam)
    theirs = np.stack([lasso_on_rows(rows, c, lam[c]) for c in range(3)])
    np.testing.assert_allclose(ours, objectives(problem, theirs, lam), rtol=1e-6)


@pytest.mark.parametrize("sparsity", SPARSITIES)
def test_one_gram_for_all_classes_gives_the_objective_of_lasso_on_the_rows(sparsity: float) -> None:
    rows = gated(same_weights=True)
    problem = shared(rows.statistics)
    lam = penalty(problem, sparsity)
    theirs = np.stack([lasso_on_rows(rows, c, lam[c]) for c in range(3)])
    for solver in SOLVERS:
        ours = objectives(problem, lasso(problem, sparsity, solver=solver).weights, lam)
        np.testing.assert_allclose(ours, objectives(problem, theirs, lam), rtol=1e-6)


@pytest.mark.parametrize("sparsity", [0.3, 0.03])
def test_the_weights_are_those_of_the_papers_admm_run_long(sparsity: float) -> None:
    rows = gated(rows=80, channels=8, classes=2, planted=3)
    problem = rows.statistics
    found = lasso(problem, sparsity).weights
    for c, lam in enumerate(penalty(problem, sparsity)):
        z, g = rows.centred(c)
        rho = float(np.trace(problem.gram[c])) / 8
        literal = chip.importance(z, g, rows.w[:, c], lam, rho, steps=400)
        np.testing.assert_allclose(found[c], literal, atol=1e-6 * np.abs(literal).max())


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("sparsity", SPARSITIES)
def test_slopes_of_active_channels_equal_the_penalty_and_no_other_exceeds_it(
    solver: str, sparsity: float
) -> None:
    problem = gated().statistics
    weights = lasso(problem, sparsity, solver=solver, tolerance=1e-11).weights
    lam = np.broadcast_to(penalty(problem, sparsity)[:, None], weights.shape)
    slope, active = slopes(problem, weights), weights != 0
    np.testing.assert_allclose(slope[active], (lam * np.sign(weights))[active], rtol=1e-3)
    assert (np.abs(slope) <= lam * (1 + 1e-3)).all()


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_gap_of_every_class_is_below_the_tolerance(solver: str) -> None:
    found = lasso(gated(classes=6).statistics, 0.003, solver=solver, tolerance=1e-8)
    assert found.gap.shape == (6,)
    assert (found.gap <= 1e-8).all()
    assert found.solver == solver


def test_the_gap_bounds_how_far_the_objective_is_from_its_minimum() -> None:
    problem = gated(classes=4, noise=1.0).statistics
    lam = penalty(problem, 0.01)
    rough = lasso(problem, 0.01, solver="ADMM", tolerance=1e-2)
    least = objectives(problem, lasso(problem, 0.01, tolerance=1e-12).weights, lam)
    above = objectives(problem, rough.weights, lam) - least
    alone = problem.linear**2 / np.einsum("ckk->ck", problem.gram) / 2
    assert (above > 0).any()
    assert (above <= rough.gap * alone.max(axis=1) * (1 + 1e-6)).all()


def test_both_solvers_find_the_same_weights() -> None:
    problem = gated().statistics
    one, other = (
        lasso(problem, 0.01, solver=solver, tolerance=1e-12).weights for solver in SOLVERS
    )
    np.testing.assert_allclose(one, other, atol=1e-5 * np.abs(one).max())


def test_a_planted_support_is_recovered() -> None:
    rows = gated(rows=3000, planted=4, noise=0.01)
    weights = lasso(rows.statistics, 0.01).weights
    strong = np.abs(weights) > 0.05 * np.abs(weights).max(axis=1, keepdims=True)
    np.testing.assert_array_equal(strong, rows.planted != 0)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), sparsity=st.sampled_from(SPARSITIES))
def test_renumbering_channels_renumbers_weights(seed: int, sparsity: float) -> None:
    problem = gated(seed=seed % 7, channels=12).statistics
    order = np.random.default_rng(seed).permutation(12)
    turned = Quadratic(problem.gram[:, order][:, :, order], problem.linear[:, order], problem.power)
    expected = lasso(problem, sparsity, tolerance=1e-12).weights[:, order]
    found = lasso(turned, sparsity, tolerance=1e-12).weights
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@settings(max_examples=20, deadline=None)
@given(
    score=st.floats(1e-9, 1e9),
    channel=st.floats(1e-9, 1e9),
    sparsity=st.sampled_from(SPARSITIES),
    solver=st.sampled_from(SOLVERS),
)
def test_units_of_scores_and_channels_only_change_the_units_of_weights(
    score: float, channel: float, sparsity: float, solver: str
) -> None:
    problem = gated(channels=12).statistics
    other = Quadratic(
        problem.gram * channel**2, problem.linear * channel * score, problem.power * score**2
    )
    expected = lasso(problem, sparsity, solver=solver).weights * score / channel
    found = lasso(other, sparsity, solver=solver).weights
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


@settings(max_examples=20, deadline=None)
@given(
    copies=st.integers(1, 3), sparsity=st.sampled_from(SPARSITIES), solver=st.sampled_from(SOLVERS)
)
def test_duplicated_channels_share_the_weight_of_one(
    copies: int, sparsity: float, solver: str
) -> None:
    problem = gated(channels=10).statistics
    twice = np.append(np.arange(10), np.zeros(copies, dtype=int))
    other = Quadratic(problem.gram[:, twice][:, :, twice], problem.linear[:, twice], problem.power)
    expected = lasso(problem, sparsity).weights
    found = lasso(other, sparsity, solver=solver).weights
    found[:, 0] += found[:, 10:].sum(axis=1)
    np.testing.assert_allclose(found[:, :10], expected, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("sparsity", [0.3, 0.03])
def test_more_channels_than_rows_reach_the_gap(solver: str, sparsity: float) -> None:
    problem = gated(rows=20, channels=40, noise=0.5).statistics
    assert (lasso(problem, sparsity, solver=solver).gap <= 1e-9).all()


def test_classes_that_coordinate_descent_leaves_are_handed_to_admm_and_back() -> None:
    rng = np.random.default_rng(0)
    z = np.maximum(rng.normal(size=(60, 160)) + 3 * rng.normal(size=(60, 1)), 0)
    z = z - z.mean(axis=0)
    g = z @ rng.normal(size=160) + 30 * rng.normal(size=60)
    problem = Quadratic((z.T @ z)[None], (z.T @ g)[None], np.array([g @ g]))
    found = lasso(problem, 0.0003)
    assert found.solver == "coordinate descent, ADMM"
    assert (found.gap <= 1e-9).all()


def test_a_class_that_cannot_reach_the_tolerance_is_named() -> None:
    problem = gated().statistics
    with pytest.warns(RuntimeWarning, match=r"got a relative duality gap .* for class \d.*; expec"):
        found = lasso(problem, 0.001, solver="ADMM", tolerance=1e-40)
    assert (found.gap > 1e-40).any()


def test_the_answer_is_the_same_to_the_last_bit_each_time() -> None:
    problem = gated().statistics
    for solver in SOLVERS:
        one, other = lasso(problem, 0.003, solver=solver), lasso(problem, 0.003, solver=solver)
        np.testing.assert_array_equal(one.weights, other.weights)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_class_is_solved_as_if_it_were_alone(solver: str) -> None:
    problem = gated(classes=5).statistics
    together = lasso(problem, 0.01, solver=solver, tolerance=1e-12).weights
    for c in (4, 0):
        part = Quadratic(problem.gram[[c]], problem.linear[[c]], problem.power[[c]])
        alone = lasso(part, 0.01, solver=solver, tolerance=1e-12).weights[0]
        np.testing.assert_allclose(alone, together[c], atol=1e-6 * np.abs(alone).max())


def test_the_statistics_and_the_start_are_left_as_they_came() -> None:
    problem = gated().statistics
    start = np.ones_like(problem.linear)
    before = [a.copy() for a in (problem.gram, problem.linear, problem.power, start)]
    for solver in SOLVERS:
        lasso(problem, 0.01, start=start, solver=solver)
    for a, b in zip((problem.gram, problem.linear, problem.power, start), before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_start_near_the_answer_takes_fewer_steps_to_the_same_answer(solver: str) -> None:
    problem = gated(channels=60, planted=40, noise=1.0).statistics
    cold = lasso(problem, 0.003, solver=solver)
    warm = lasso(problem, 0.003, solver=solver, start=cold.weights)
    assert warm.steps.sum() < cold.steps.sum()
    np.testing.assert_allclose(warm.weights, cold.weights, atol=1e-3 * np.abs(cold.weights).max())


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_sparsity_of_one_makes_every_weight_zero_and_a_little_less_does_not(solver: str) -> None:
    problem = gated().statistics
    assert not lasso(problem, 1.0, solver=solver).weights.any()
    assert lasso(problem, 0.99, solver=solver).weights.any(axis=1).all()


def test_each_class_can_have_its_own_sparsity() -> None:
    problem = gated().statistics
    mixed = lasso(problem, np.array([0.3, 0.03, 0.003])).weights
    for c, sparsity in enumerate((0.3, 0.03, 0.003)):
        np.testing.assert_array_equal(mixed[c], lasso(problem, sparsity).weights[c])


@pytest.mark.parametrize("solver", SOLVERS)
def test_channels_that_never_fire_and_classes_that_never_move_get_weight_zero(solver: str) -> None:
    problem = gated().statistics
    gram, linear, power = (a.copy() for a in (problem.gram, problem.linear, problem.power))
    gram[:, 4], gram[:, :, 4], linear[:, 4] = 0, 0, 0
    gram[:, 7], gram[:, :, 7], gram[:, 7, 7], linear[:, 7] = 0, 0, 1e-17, 1e-9  # rounding
    linear[1], power[1] = 0, 0
    found = lasso(Quadratic(gram, linear, power), 0.001, solver=solver)
    assert not found.weights[:, [4, 7]].any()
    assert not found.weights[1].any()
    assert found.weights[0].any()
    assert (found.gap <= 1e-9).all()


def test_a_network_without_any_live_channel_gets_zeros() -> None:
    nothing = Quadratic(np.zeros((1, 3, 3)), np.zeros((2, 3)), np.array([1.0, 0.0]))
    for solver in SOLVERS:
        assert not lasso(nothing, 0.01, solver=solver).weights.any()


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("one_gram", [True, False], ids=["one gram", "a gram each"])
def test_a_penalty_per_channel_is_a_channel_in_other_units(solver: str, one_gram: bool) -> None:
    problem = gated(same_weights=True).statistics
    problem = shared(problem) if one_gram else problem
    penalties = np.random.default_rng(1).uniform(0.2, 5, problem.linear.shape)
    found = lasso(problem, 0.02, penalties=penalties, solver=solver).weights
    for c, p in enumerate(penalties):
        gram = problem.gram[c % len(problem.gram)] / p / p[:, None]
        other = Quadratic(gram[None], problem.linear[c : c + 1] / p, problem.power[c : c + 1])
        expected = lasso(other, 0.02).weights[0] / p
        np.testing.assert_allclose(found[c], expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_penalty_of_infinity_leaves_a_channel_out(solver: str) -> None:
    problem = gated().statistics
    penalties = np.ones(24)
    penalties[[2, 9]] = np.inf
    keep = np.isfinite(penalties)
    part = Quadratic(problem.gram[:, keep][:, :, keep], problem.linear[:, keep], problem.power)
    found = lasso(problem, 0.02, penalties=penalties, solver=solver).weights
    expected = lasso(part, 0.02).weights
    assert not found[:, ~keep].any()
    np.testing.assert_allclose(found[:, keep], expected, atol=1e-4 * np.abs(expected).max())


# Newton steps on one Gram for all classes


@pytest.mark.parametrize("sparsity", SPARSITIES)
def test_with_one_gram_newton_steps_finish_what_admm_begins(sparsity: float) -> None:
    problem = shared(gated(classes=12, same_weights=True).statistics)
    found = lasso(problem, sparsity, solver="ADMM", tolerance=1e-10)
    assert (found.gap <= 1e-10).all()
    assert (found.steps <= 10 + 5).all()


@pytest.mark.parametrize("sparsity", [0.3, 0.03])
def test_where_newton_steps_find_nothing_admm_goes_on(sparsity: float, monkeypatch) -> None:
    problem = shared(gated(same_weights=True).statistics)
    expected = lasso(problem, sparsity, solver="ADMM", tolerance=1e-10)

    def lost(gram, batch, start, tolerance) -> tuple[Tensor, Tensor, Tensor]:
        nothing = torch.full_like(batch.power, torch.inf)
        return torch.full_like(start, torch.nan), nothing, torch.zeros(len(start)).long()

    monkeypatch.setattr("hexplain_widgets.solvers.lasso.semismooth", lost)
    found = lasso(problem, sparsity, solver="ADMM", tolerance=1e-10)
    assert found.weights == pytest.approx(expected.weights, abs=1e-4)
    assert (found.gap <= 1e-10).all()


@pytest.mark.parametrize("sparsity", [0.3, 0.03])
def test_one_singular_gram_for_all_classes_reaches_the_gap(sparsity: float) -> None:
    problem = shared(gated(rows=12, same_weights=True).statistics)
    assert (lasso(problem, sparsity, solver="ADMM").gap <= 1e-9).all()


def two_channels(threshold: list[float], gram: list[list[float]]) -> tuple[Tensor, ProblemBatch]:
    """One class whose second channel helps only once the first is in."""
    one = torch.ones(1, dtype=torch.float64)
    linear, penalties = (torch.tensor([row]).double() for row in ([1.0, 0.125], threshold))
    return torch.tensor(gram).double(), ProblemBatch(linear, one, penalties, one)


@pytest.mark.parametrize("start", [[0.0, 0.0], [-1.0, 1.0], [1.0, 1.0], [0.5, -0.5]])
def test_newton_steps_drop_turned_channels_and_take_in_steep_ones(start: list[float]) -> None:
    gram, batch = two_channels([0.0625, 0.0625], [[1.0, 0.5], [0.5, 1.0]])
    weights, gap, steps = semismooth(gram, batch, torch.tensor([start]).double(), 1e-12)
    # gram w = linear - threshold * sign: w0 + w1 / 2 = 0.9375, w0 / 2 + w1 = 0.1875
    assert weights[0].numpy() == pytest.approx([1.125, -0.375], abs=1e-9)
    assert gap.item() <= 1e-12
    assert 1 <= steps.item() <= 5


def test_newton_steps_hold_a_channel_with_an_infinite_threshold_at_zero() -> None:
    gram, batch = two_channels([0.0625, float("inf")], [[1.0, 0.5], [0.5, 1.0]])
    weights, gap, _ = semismooth(gram, batch, torch.zeros(1, 2).double(), 1e-12)
    assert weights[0].numpy() == pytest.approx([0.9375, 0.0], abs=1e-9)
    assert gap.item() <= 1e-12


def test_newton_steps_on_what_is_no_gram_give_an_infinite_gap() -> None:
    gram, batch = two_channels([0.0625, 0.0625], [[-1.0, 0.0], [0.0, -1.0]])
    start = torch.ones(1, 2).double()
    weights, gap, _ = semismooth(gram, batch, start, 1e-12)
    assert gap.item() > 1e-12
    assert torch.isfinite(weights).all()


def test_noise_far_above_what_the_channels_explain_does_not_stop_the_search_early() -> None:
    problem = gated().statistics
    noisy = replace(problem, power=problem.power * 1e6)
    expected = lasso(problem, 0.003, tolerance=1e-12).weights
    found = lasso(noisy, 0.003, tolerance=1e-12).weights
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


def quadratic(
    gram: tuple[int, ...] = (1, 2, 2),
    linear: tuple[int, ...] = (3, 2),
    power: tuple[int, ...] = (3,),
    value: float = 1.0,
) -> Quadratic:
    return Quadratic(np.ones(gram), np.full(linear, value), np.ones(power))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "changed",
    [
        {"gram": (2, 2, 2)},
        {"gram": (1, 3, 3)},
        {"gram": (1, 2, 3)},
        {"power": (2,)},
        {"linear": (4, 2)},
    ],
)
def test_statistics_whose_shapes_do_not_fit_are_refused(changed: dict[str, tuple]) -> None:
    with pytest.raises(ValueError, match=r"got a Gram of .*; expected \(1 or C, K, K\), .*; pass"):
        quadratic(**changed)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("changed", [{"gram": (2, 2)}, {"linear": (0, 2)}, {"power": (3, 1)}])
def test_statistics_of_other_dimensions_are_refused(changed: dict[str, tuple]) -> None:
    with pytest.raises(ValueError, match=r"got `\w+` of shape .*; expected \d dimensions .*; look"):
        quadratic(**changed)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_statistics_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"got `linear` .* not finite; expected .*; look for NaN"):
        quadratic(value=value)


def test_a_negative_power_is_refused() -> None:
    with pytest.raises(ValueError, match=r"got a power of -1; expected a sum of squares.*; centre"):
        Quadratic(np.ones((1, 1, 1)), np.ones((1, 1)), np.array([-1.0]))


@pytest.mark.parametrize("sparsity", [0.0, -0.1, np.nan, np.inf, np.array([0.1, 0.2])])
def test_a_sparsity_that_means_nothing_is_refused(sparsity: float) -> None:
    with pytest.raises(
        ValueError, match=r"got a sparsity of .*; expected a number above 0.*; take"
    ):
        lasso(quadratic(), sparsity)


@pytest.mark.parametrize("penalties", [np.ones(3), np.zeros(2), np.full((3, 2), np.nan)])
def test_penalties_that_mean_nothing_are_refused(penalties: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"got penalties of shape .*; expected \(2,\) .*; infinit"):
        lasso(quadratic(), 0.1, penalties=penalties)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("start", [np.ones((2, 2)), np.full((3, 2), np.nan)])
def test_a_start_that_does_not_fit_is_refused(start: np.ndarray) -> None:
    with pytest.raises(
        ValueError, match=r"got a start of shape .*; expected finite weights.*; pas"
    ):
        lasso(quadratic(), 0.1, start=start)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("chosen", [{"tolerance": 0.0}, {"solver": "lars"}])
def test_a_solver_or_tolerance_that_is_none_is_refused(chosen: dict[str, float | str]) -> None:
    with pytest.raises(ValueError, match=r"got a tolerance of .*; expected .*; leave both out"):
        lasso(quadratic(), 0.1, **chosen)


def test_a_solution_is_of_plain_arrays() -> None:
    found = lasso(gated().statistics, 0.1)
    assert isinstance(found, Solution)
    assert (found.weights.dtype, found.gap.dtype) == (np.float64, np.float64)


def test_solving_leaves_the_global_random_state_alone() -> None:
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    lasso(Quadratic(np.eye(3)[None], np.ones((1, 3)), np.array([9.0])), 0.1)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("below", [1e-12, 1e-3, 0.1])
def test_what_rounding_leaves_of_a_gram_below_zero_is_no_direction(below, each: bool) -> None:
    draw = np.random.default_rng(0)
    basis, _ = np.linalg.qr(draw.normal(size=(6, 6)))
    values = np.array([3.0, 2.0, 1.0, 0.5, 0.3, 0.0])
    linear = (basis * values) @ basis.T @ draw.normal(size=(6, 2))
    sound = (basis * values) @ basis.T
    rounded = sound - below * np.outer(basis[:, 5], basis[:, 5])
    count = 2 if each else 1
    problems = [
        Quadratic(np.stack([gram] * count), linear.T, np.full(2, 5.0)) for gram in (sound, rounded)
    ]
    expected, solution = (lasso(problem, 0.01).weights for problem in problems)
    assert np.allclose(solution, expected, atol=10 * below + 1e-7)
