"""Inference weights: the gated network, the regression, and what a linear network tells."""

from __future__ import annotations

from concurrent.futures import CancelledError

import numpy as np
import pytest
import torch
from sklearn.linear_model import Lasso
from torch import Tensor, nn

from hexplain_widgets.chain.inference import (
    GateMatrix,
    Perturbation,
    PerturbationExtractor,
    inference_weights,
)
from hexplain_widgets.network.classifier import Classifier
from hexplain_widgets.network.probe import Probe
from tests.networks import DataDependent, Residual, image, plain, seeded
from tests.reference import chain as literal

PLAIN = plain()
RESIDUAL = Residual()
UNTRACED = DataDependent()


def asked(
    model: nn.Module, shallow: str, deep: str | None, *, count: int = 40,
    x: Tensor | None = None, **more,
) -> Perturbation:  # fmt: skip
    layers = [shallow] if deep is None else [shallow, deep]
    extractor = PerturbationExtractor(Probe(Classifier(model)), layers, count=count, seed=0)
    x = image(32) if x is None else x
    return extractor.perturb(x, extractor.take(x), shallow, deep, **more)


CASES = {
    "output": (PLAIN, "7", None),
    "last stage": (PLAIN, "4", "7"),
    "first stage": (PLAIN, "1", "4"),
    "over a stage": (PLAIN, "1", "7"),
    "past a shortcut": (RESIDUAL, "one", "act:3"),
    "untraced": (UNTRACED, "body.1", "body.4"),
    "untraced output": (UNTRACED, "body.7", None),
}


@pytest.mark.parametrize("case", CASES)
def test_gates_answer_as_full_forwards_do(case: str) -> None:
    model, shallow, deep = CASES[case]
    found = asked(model, shallow, deep, count=12)
    places = [model.get_submodule(n.split(":")[0]) for n in (shallow, deep) if n is not None]
    if case == "past a shortcut":
        x, y = _past_the_shortcut(model, found.gates.opened)
    else:
        x, y = literal.perturbed(
            model, places[0], places[1] if deep else None, image(32), found.gates.opened
        )
    assert found.gates.opened * found.means == pytest.approx(x, rel=1e-5, abs=1e-6)
    assert found.answers == pytest.approx(y, rel=1e-4, abs=1e-5)
    assert np.ptp(found.answers, axis=0).max() > 1e-2 * np.abs(y).max()


def _past_the_shortcut(model: nn.Module, gates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The paper's loop by hand: the module behind the sum is called three times."""
    xs, ys = [], []
    with torch.no_grad():
        before = model.act(model.enter(image(32)))
        own = model.one(before)
        for e in gates:
            closed = own * torch.from_numpy(e)[:, None, None]
            y = model.act(model.two(model.act(closed.clone())) + before)
            xs.append(closed.double().mean((2, 3))[0].numpy())
            ys.append(y.double().mean((2, 3))[0].numpy())
    return np.stack(xs), np.stack(ys)


@pytest.mark.parametrize("case", [one for one in CASES if one != "past a shortcut"])
def test_losses_are_those_of_full_forwards_without_each_channel(case: str) -> None:
    model, shallow, deep = CASES[case]
    layers = [shallow] if deep is None else [shallow, deep]
    extractor = PerturbationExtractor(Probe(Classifier(model)), layers, count=2, seed=0)
    found = extractor.losses(image(32), extractor.take(image(32)), shallow, deep)
    gates = np.concatenate([np.ones((1, len(found)), bool), ~np.eye(len(found), dtype=bool)])
    places = [model.get_submodule(name) for name in layers]
    _, y = literal.perturbed(model, places[0], places[1] if deep else None, image(32), gates)
    assert found == pytest.approx(y[0] - y[1:], rel=1e-3, abs=2e-5 * np.abs(y).max())
    assert np.abs(found).max() > 1e-2 * np.abs(y).max()


def test_weights_are_those_of_the_printed_algorithm() -> None:
    found = asked(PLAIN, "4", "7")
    concepts = np.random.default_rng(0).normal(size=(3, 16))
    weights = inference_weights([found], [concepts], sparsity=0.05)[0].weights
    x, answers = literal.perturbed(PLAIN, PLAIN[4], PLAIN[7], image(32), found.gates.opened)
    for w, t in zip(weights, concepts, strict=True):
        expected = literal.inferred(x, answers @ t, found.gates.opened, 0.05)
        assert w == pytest.approx(expected, rel=1e-3, abs=1e-3 * np.abs(expected).max())


def test_weights_are_scikit_learns_lasso_on_the_weighted_rows() -> None:
    found = asked(PLAIN, "4", None, count=60)
    weights = inference_weights([found], [np.eye(5)[2:3]], sparsity=0.02)[0].weights[0]
    h, x = found.gates.near, found.gates.opened * found.means
    y = found.answers[:, 2]
    xc, yc = x - h @ x / h.sum(), y - h @ y / h.sum()
    lam = 0.02 * np.abs((h * yc) @ xc).max()
    lasso = Lasso(alpha=lam / len(x), fit_intercept=False, tol=1e-12, max_iter=100_000)
    root = np.sqrt(h)
    expected = lasso.fit(xc * root[:, None], yc * root).coef_
    assert weights == pytest.approx(expected, rel=1e-3, abs=1e-4 * np.abs(expected).max())


def linear(activation: type[nn.Module] = nn.Softplus) -> nn.Module:
    """Convolutions without activations between: every deep mean is linear in every gate."""
    return seeded(
        nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1), activation(), nn.Conv2d(6, 8, 1), nn.AvgPool2d(2),
            nn.Conv2d(8, 10, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(10, 3),
        )
    )  # fmt: skip


def test_on_a_linear_segment_weights_are_the_gradient() -> None:
    model = linear()
    found = asked(model, "1", "4", count=200)
    concepts = np.random.default_rng(1).normal(size=(4, 10))
    inferred = inference_weights([found], [concepts], sparsity=1e-4)[0]
    gradient = (
        concepts @ (model[4].weight[:, :, 0, 0] @ model[2].weight[:, :, 0, 0]).detach().numpy()
    )
    assert inferred.weights == pytest.approx(gradient, rel=0.02, abs=0.01 * np.abs(gradient).max())
    assert inferred.fit == pytest.approx(1, abs=1e-4)


def test_on_a_linear_segment_weights_have_the_signs_of_autograd() -> None:
    model = linear()
    maps = model[1](model[0](image(32))).detach().requires_grad_()
    concept = torch.randn(10, generator=torch.Generator().manual_seed(2))
    (model[4](model[3](model[2](maps))).mean((2, 3))[0] @ concept).backward()
    gradient = maps.grad.sum((2, 3))[0].numpy()
    found = asked(model, "1", "4", count=200)
    weights = inference_weights([found], [concept.double().numpy()[None]], sparsity=0.01)[0].weights
    large = np.abs(gradient) > 0.1 * np.abs(gradient).max()
    assert large.sum() >= 3
    assert (np.sign(weights[0][large]) == np.sign(gradient[large])).all()


def test_planted_channels_are_found_and_no_others() -> None:
    model = linear()
    with torch.no_grad():
        model[4].weight.zero_()
        model[2].weight.copy_(torch.eye(8, 6)[:, :, None, None])
        model[4].weight[0, [1, 4], 0, 0] = torch.tensor([2.0, -1.0])
    found = asked(model, "1", "4", count=200)
    weights = inference_weights([found], [np.eye(10)[:1]], sparsity=0.01)[0].weights[0]
    assert np.flatnonzero(weights).tolist() == [1, 4]
    assert weights[[1, 4]] == pytest.approx([2, -1], rel=0.05)


def test_a_concept_that_no_gate_moves_has_no_weights() -> None:
    found = asked(PLAIN, "4", "7")
    inferred = inference_weights([found], [np.zeros((1, 16))], sparsity=0.01)[0]
    assert not inferred.weights.any()
    assert inferred.fit.tolist() == [0]
    assert not inferred.unit.any()


def test_a_channel_that_is_zero_in_the_image_has_no_weight() -> None:
    model = linear(nn.ReLU)
    with torch.no_grad():
        model[0].bias.copy_(torch.tensor([1.0, 1.0, -100.0, 1.0, 1.0, 1.0]))
    found = asked(model, "1", "4", count=100)
    weights = inference_weights([found], [np.ones((1, 10))], sparsity=0.001)[0].weights[0]
    assert found.means[2] == 0
    assert weights[2] == 0
    assert np.count_nonzero(weights) == 5


def several() -> tuple[list[Perturbation], list[np.ndarray]]:
    extractor = PerturbationExtractor(Probe(Classifier(PLAIN)), ["4", "7"], count=60, seed=0)
    draw = np.random.default_rng(0)
    found = []
    for i in range(4):
        x = image(32, seed=i)
        found.append(extractor.perturb(x, extractor.take(x), "4", "7"))
    return found, [draw.normal(size=(1 + i, 16)) for i in range(4)]


def test_images_solved_together_have_the_weights_they_have_alone() -> None:
    found, concepts = several()
    together = inference_weights(found, concepts, sparsity=0.02)
    for one, own, joint in zip(found, concepts, together, strict=True):
        alone = inference_weights([one], [own], sparsity=0.02)[0]
        assert joint.weights == pytest.approx(
            alone.weights, rel=1e-2, abs=1e-3 * np.abs(alone.weights).max()
        )
        assert joint.weights.shape == (len(own), 12)


def test_all_images_have_the_same_gates_on_a_layer() -> None:
    found, _ = several()
    assert all(one.gates is found[0].gates for one in found)


def test_gates_do_not_depend_on_what_answers() -> None:
    one, again = asked(PLAIN, "4", "7"), asked(PLAIN, "4", None)
    assert np.array_equal(one.gates.opened, again.gates.opened)


def test_once_stopped_the_gates_so_far_are_kept() -> None:
    whole = asked(PLAIN, "4", "7", count=400)
    calls = iter([False, True])
    some = asked(PLAIN, "4", "7", count=400, stopped=lambda: next(calls))
    assert len(some.answers) == 256
    assert some.answers == pytest.approx(whole.answers[:256])
    assert np.array_equal(some.gates.opened, whole.gates.opened[:256])


def test_losses_are_not_told_in_part() -> None:
    wide = nn.Sequential(nn.Conv2d(3, 200, 8), nn.ReLU(), nn.Flatten(), nn.Linear(200, 4)).eval()
    extractor = PerturbationExtractor(Probe(Classifier(wide)), ["1"], count=2, seed=0)
    with pytest.raises(CancelledError):
        extractor.losses(image(8), extractor.take(image(8)), "1", None, lambda: True)


def test_a_channel_that_is_zero_loses_nothing() -> None:
    model = plain()
    with torch.no_grad():
        model[3].weight[2], model[3].bias[2] = 0, 0
    extractor = PerturbationExtractor(Probe(Classifier(model)), ["4", "7"], count=2, seed=0)
    found = extractor.losses(image(32), extractor.take(image(32)), "4", "7")
    assert not found[2].any()
    assert found[3].any()


def test_a_layer_that_does_not_depend_on_the_other_is_refused() -> None:
    for model, shallow, deep in ((PLAIN, "7", "4"), (UNTRACED, "body.7", "body.4")):
        with pytest.raises(ValueError, match=f"{deep} does not depend on {shallow}"):
            asked(model, shallow, deep)


def test_one_gate_is_refused() -> None:
    with pytest.raises(ValueError, match="got gates=1; expected at least 2"):
        asked(PLAIN, "4", "7", count=1)


def test_concepts_of_another_layer_are_refused() -> None:
    found = Perturbation(GateMatrix(np.ones((2, 3), bool)), np.ones(3), np.ones((2, 4)))
    with pytest.raises(ValueError, match=r"concepts of shape \(1, 5\), answers of 4 channels"):
        inference_weights([found], [np.ones((1, 5))], sparsity=0.01)


def test_values_that_are_not_finite_name_the_layer() -> None:
    model = plain()
    with torch.no_grad():
        model[6].weight[0, 0, 0, 0] = torch.inf
    with pytest.raises(ValueError, match="NaN or infinite"):
        asked(model, "4", "7")
