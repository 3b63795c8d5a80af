"""HINT with the paper's settings, held against its equations read word by word."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import hexplain_widgets as hx
from hexplain_widgets.hint.associations import region_table
from hexplain_widgets.hint.regions import AGGREGATES, responsibility
from hexplain_widgets.solvers.logistic import fit_logistic
from hexplain_widgets.solvers.permutations import PermutationPaths, RetrainedGame, fours
from tests.hint.test_engine import DATA, KINDS, planted
from tests.reference import logistic as by_scipy
from tests.reference import responsible
from tests.reference import shapley as literal

QUICK = {"samples": 2, "vectors": 12}


def fitted(**changed: object) -> hx.Hint:
    hint = hx.Hint(**{"settings": "paper", **QUICK, **changed})
    return hint.fit(planted(), DATA[:16], KINDS, progress=False)


@pytest.fixture(scope="module")
def hint() -> hx.Hint:
    return fitted()


def made(rows: int = 60, neurons: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = np.maximum(rng.normal(size=(rows, neurons)) + 0.5, 0).astype(np.float32)
    heights = x @ rng.normal(size=(neurons, 2)) + 0.3 * rng.normal(size=(rows, 2))
    signs = np.where(heights > np.median(heights, axis=0), 1, -1).T.astype(np.int8)
    signs[0, :5] = 0
    return x, signs


# Step 1: normalisation by minimum and maximum


@pytest.mark.parametrize("way", AGGREGATES)
def test_maps_are_normalised_by_minimum_and_maximum(way: str) -> None:
    drawn = torch.randn(3, 5, 7, 6, generator=torch.Generator().manual_seed(1))
    found = responsibility(drawn, way, "minimum_maximum")
    expected = [
        responsible.responsibility(s, way, responsible.normalised_as_printed) for s in drawn
    ]
    assert found.numpy() == pytest.approx(np.stack(expected), abs=1e-12)


def test_between_minimum_and_maximum_one_strong_place_leaves_few_above_half() -> None:
    saliency = torch.rand(1, 1, 20, 20, generator=torch.Generator().manual_seed(0))
    saliency[0, 0, 3, 3] = 10
    usual, printed = (
        int((responsibility(saliency, "norm", way) >= 0.5).sum())
        for way in ("percentile", "minimum_maximum")
    )
    assert printed == 1 and usual > 100


def test_regions_of_another_normalisation_do_not_add_up(hint: hx.Hint) -> None:
    with pytest.raises(ValueError, match="another way of finding regions"):
        hint.merge(fitted(normalize="percentile"))


# Step 2: classifiers without a constant, relatives among the negatives


def test_relatives_are_negatives_where_that_is_asked_for(hint: hx.Hint) -> None:
    regions, layer = hint._fitted, hint.layer_.name
    own = {c.name: i for i, c in enumerate(hint.concepts_)}
    usual, printed = (region_table(regions, layer, kind) for kind in ("left_out", "negatives"))
    dog, animal = printed.signs[own["dog"]] > 0, printed.signs[own["animal"]] > 0
    assert dog.any() and animal.any()
    assert (usual.signs[own["dog"], animal] == 0).all()
    assert (printed.signs[own["dog"], animal] == -1).all()
    assert (printed.signs[own["animal"], dog] == -1).all()
    assert set(np.unique(printed.signs)) == {-1, 1}


def test_classifiers_are_equation_1_as_printed() -> None:
    rows, signs = made()
    found = fit_logistic(
        torch.from_numpy(rows), torch.from_numpy(signs), penalty=0.1, intercept=False
    )
    assert not found.bias.any()
    for e, sign in enumerate(signs):
        expected = by_scipy.fit_as_printed(rows.astype(np.float64), sign, 0.1)
        assert found.weights[e].numpy() == pytest.approx(expected, rel=5e-3, abs=1e-3)


def test_the_classifiers_of_a_fit_have_no_constant(hint: hx.Hint) -> None:
    assert hint._associations.classifiers.weights.any(1).all()
    assert not hint._associations.classifiers.bias.any()
    assert fitted(intercept=True)._associations.classifiers.bias.any()


def test_classifiers_that_were_kept_are_taken_for_the_same_training_alone(hint, tmp_path) -> None:
    kept = hint._associations.classifiers
    path = hint.save(tmp_path / "hint.hx")
    again = hx.Hint.load(path)
    assert again.settings_ == hint.settings_
    assert torch.equal(again._associations.classifiers.weights, kept.weights)
    name = hint.layer_.name
    assert again._fitted.classifiers(name, (0.1, True, False)) is not None
    assert again._fitted.classifiers(name, (0.1, False, False)) is None
    assert again._fitted.classifiers(name, (0.1, True, True)) is None


# Step 3: classifiers trained again for each coalition


def test_classifiers_are_trained_again_for_each_coalition() -> None:
    rows, signs = made()
    game = RetrainedGame(
        torch.from_numpy(rows),
        torch.from_numpy(signs),
        np.random.default_rng(0),
        penalty=0.1,
        intercept=False,
    )
    paths = PermutationPaths(game, len(signs))
    paths.draw(np.random.default_rng(7))
    paths.merge()
    draws, expected = np.random.default_rng(7), []
    for order in fours(draws, rows.shape[1]):
        shuffled = draws.permuted(rows, axis=0).astype(np.float64)
        one = rows.astype(np.float64)
        each = [literal.trained_again(one, sign, shuffled, order, 0.1) for sign in signs]
        expected.append(np.stack(each, axis=-1))
    values = paths.values(4).permute(2, 0, 1).numpy() * 1.0
    assert values == pytest.approx(np.mean(expected, axis=0), abs=2e-2)
    assert np.corrcoef(values.ravel(), np.mean(expected, axis=0).ravel())[0, 1] > 0.999


def test_scores_of_the_papers_settings_find_what_was_planted(hint: hx.Hint) -> None:
    assert hint.estimator == "retrained_logistic"
    strongest = {c.name: hint.neurons(c.name, 2) for c in hint.concepts_}
    assert strongest["animal"][0].neuron == 0
    assert all(one.error is not None for one in strongest["animal"])


def test_the_view_and_evidence_say_what_was_used(hint: hx.Hint) -> None:
    shown = hint.associations(top=2)
    said = "paper, but samples=2"
    assert shown.provenance.settings["settings"] == said
    assert f"Found with the settings {said}." in shown.notes
    assert f"Found with the settings {said}." in hint.explain(DATA[0][0], "dog").notes
    assert repr(hint) == 'Hint(settings="paper", but samples=2, 16 images)'
