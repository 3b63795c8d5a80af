"""CHIP with the paper's settings, held against the printed equations on the whole network."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

import hexplain_widgets as hx
from hexplain_widgets.data.samples import Sample
from hexplain_widgets.network.gating import gates_for
from tests.networks import Residual, image, plain
from tests.reference import chip as literal
from tests.reference import perturbed
from tests.reference.perturbed import at_module

COUNT, CHANNELS, LAYER = 24, 8, "act:2"
DATA = [image(12, seed) for seed in range(3)]


def fitted(**changed: object) -> hx.Chip:
    given = {"settings": "paper", "layers": [LAYER], "gates_per_image": COUNT, **changed}
    return hx.Chip(**given).fit(Residual(), [x[0] for x in DATA], progress=False)


@pytest.fixture(scope="module")
def chip() -> hx.Chip:
    return fitted()


@cache
def rows_of(sigma: float = 0.75) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """z `(n, K)`, g `(n, C)` and h f `(n, C)` of Eq. 2, 3, 7, 8: a full forward for each gate."""
    model, rows = Residual(), []
    for x in DATA:
        f = perturbed.probabilities(model(x.clone())[0].detach().double().numpy())
        key = Sample(x, None, True).key
        for d in gates_for(key, LAYER, count=COUNT, channels=CHANNELS, seed=0):
            z, logits = perturbed.perturbed(model, at_module(model.act, 2), x, d)
            h = math.exp(-float((1 - d).sum()) / (sigma**2 * CHANNELS))
            rows.append((z, perturbed.probabilities(logits), h * f))
    return tuple(np.stack(part) for part in zip(*rows, strict=True))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.parametrize("sigma", [0.75, 0.5])
def test_weights_are_those_of_algorithm_1_as_printed(sigma: float) -> None:
    chip, (z, g, weights) = fitted(sigma=sigma), rows_of(sigma)
    assert chip.importance().any(1).all()
    for c, own in enumerate(chip.importance()[:2]):
        lam = 0.01 * np.abs((weights[:, c] * g[:, c]) @ z).max()
        assert chip.penalties()[c] == pytest.approx(lam, rel=1e-4)
        rho = float((weights[:, c, None] * z * z).sum(0).mean())
        expected = literal.importance(z, g[:, c], weights[:, c], lam, rho, steps=500)
        assert cosine(own, expected) == pytest.approx(1, abs=1e-4)
        least = literal.objective(expected, z, g[:, c], weights[:, c], lam)
        assert literal.objective(own, z, g[:, c], weights[:, c], lam) == pytest.approx(least, 1e-4)


def test_with_an_intercept_weights_point_elsewhere(chip: hx.Chip) -> None:
    other = fitted(intercept=True).importance()
    cosines = [cosine(a, b) for a, b in zip(chip.importance(), other, strict=True) if b.any()]
    assert cosines and min(cosines) < 0.95


def test_the_fit_is_a_share_of_the_variance_whether_or_not_there_is_an_intercept(chip) -> None:
    z, g, weights = rows_of()
    for c, w in enumerate(chip.importance()):
        mass = weights[:, c]
        left = mass @ (g[:, c] - z @ w) ** 2
        varies = mass @ (g[:, c] - mass @ g[:, c] / mass.sum()) ** 2
        assert chip.matrix().fit[c] == pytest.approx(1 - left / varies, abs=1e-3)


def test_the_heatmap_is_equation_10(chip: hx.Chip) -> None:
    heat = chip.explain(DATA[0], target=1)
    model, seen = Residual(), []
    with at_module(model.act, 2)(lambda maps: seen.append(maps.detach()) or maps):
        model(DATA[0].clone())
    expected = np.tensordot(chip.importance()[1], seen[0][0].double().numpy(), 1)
    assert heat.values == pytest.approx(expected, rel=1e-4, abs=1e-6 * np.abs(expected).max())


def test_refitting_keeps_what_is_not_changed_and_says_what_is(chip: hx.Chip) -> None:
    other, direct = chip.refit(sparsity=0.1), fitted(sparsity=0.1)
    assert other.importance() == pytest.approx(direct.importance(), rel=1e-3, abs=1e-6)
    assert (
        other.settings_ == direct.settings_ == f"paper, but gates_per_image={COUNT}, sparsity=0.1"
    )


def test_statistics_of_another_sigma_do_not_add_up(chip: hx.Chip) -> None:
    with pytest.raises(ValueError, match=r"of another sigma \(0\.5\); the same was expected"):
        chip.merge(fitted(sigma=0.5))


def test_a_fit_does_not_go_on_with_another_sigma(tmp_path) -> None:
    path = fitted().save(tmp_path / "chip.hx")
    other = hx.Chip(settings="paper", layers=[LAYER], gates_per_image=COUNT, sigma=0.5)
    with pytest.raises(
        ValueError, match=r"got a checkpoint with sigma=0\.75 to go on with at sigma"
    ):
        other.fit(Residual(), [DATA[0][0]], resume=True, checkpoint=path, progress=False)


def test_sigma_is_a_positive_number() -> None:
    with pytest.raises(ValueError, match=r"got sigma=0.0; expected a positive number"):
        hx.Chip(sigma=0.0)


def test_the_default_is_what_it_was() -> None:
    chip = hx.Chip(layers=["4"], gates_per_image=10).fit(plain(), [DATA[0][0]], progress=False)
    assert (chip.score, chip.weighting, chip.rivals, chip.sparsity) == ("logit", "equal", 9, 0.003)
    assert chip.intercept and not chip.matrix().notes
