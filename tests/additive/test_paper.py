"""The additive explainer with the paper's settings, its loss held against Eq. 2-4 as printed."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError
from torch import nn

import hexplain_widgets as hx
from tests.additive.test_engine import DATA, planted
from tests.reference import additive as literal

SOME = np.arange(6)


def fitted(**changed: object) -> hx.AdditiveExplainer:
    given = {"settings": "paper", "concepts": "filters", "network": "small", "epochs": 3}
    made = hx.AdditiveExplainer(**{**given, **changed})
    return made.fit(planted(), DATA[:40], target="car", progress=False)


@pytest.mark.parametrize(("concepts", "positive"), [("filters", True), ("heads", False)])
def test_the_loss_is_that_of_equations_2_to_4_as_printed(concepts: str, positive: bool) -> None:
    explainer = fitted(concepts=concepts)
    assert explainer.positive == positive and explainer.beta == (10.0 if positive else 0.2)
    distillation, rows = explainer._fit.distillation(), explainer._fitted.all()
    assert np.array_equal(explainer._distilled.elements.scales, np.ones(len(explainer.names_)))
    used = explainer._distilled.elements.used
    net, bias = explainer._distilled.ours, explainer._distilled.ours.intercept.item()
    for epoch in (1, 4):
        expected = []
        for i in SOME:
            maps = torch.from_numpy(np.array(rows.maps[explainer._fitted.places()[i]]))[None]
            alpha = net(maps.float())[0].tolist()
            y, w = rows.strengths[i, used].tolist(), rows.priors[i, used].tolist()
            loss = literal.distillation_loss(float(rows.scores[i]), alpha, y, bias)
            prior = literal.prior_loss(alpha, w, positive)
            expected.append(loss + literal.prior_weight(explainer.beta, epoch) * prior)
        found = distillation.objective(SOME, epoch)[0].item()
        assert found == pytest.approx(np.mean(expected), rel=1e-4)


class Silent(nn.Module):
    """A network that says 0 of every concept."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(outputs))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self.nothing.expand(len(maps), -1)


def test_alpha_begins_where_the_network_does_and_not_at_the_priors_mean() -> None:
    made = {"epochs": 1, "rate": 1e-12, "network": lambda _, outputs: Silent(outputs)}
    maps = torch.from_numpy(np.stack([x.numpy() for x, _ in DATA[:2]]))
    printed = fitted(**made)._distilled.ours(maps)
    assert printed.detach().numpy() == pytest.approx(math.log(2), rel=1e-5)
    begun = fitted(start="prior", **made)
    priors = begun._fitted.all().priors.clip(0)[~begun._fit.held_out].mean(0)
    assert begun._distilled.ours(maps)[0].detach().numpy() == pytest.approx(priors, abs=2e-3)


def test_all_epochs_are_made_and_the_last_is_kept() -> None:
    rough = {"epochs": 12, "rate": 1e-12, "patience": 1}
    printed = fitted(**rough)
    assert len(printed.losses_) == 12
    distillation = printed._fit.distillation()
    distillation.run(progress=False)
    assert distillation.best_epoch == 12
    assert len(fitted(**rough, stopping="held_out").losses_) < 12


def test_a_large_first_loss_is_no_divergence_and_one_that_grows_is() -> None:
    assert np.isfinite([one.fitted for one in fitted(epochs=2).losses_]).all()
    with pytest.raises(ValueError, match="distillation diverged in epoch"):
        fitted(rate=1e9, epochs=20)


def test_what_was_used_is_said_and_kept(tmp_path) -> None:
    explainer = fitted()
    said = "paper, but network='small'"
    assert explainer.settings_ == said and 'settings="paper", but network=' in repr(explainer)
    found = explainer.explain(DATA[0][0])
    assert found.provenance.settings["settings"] == said
    assert found.provenance.settings["scaling"] == "none"
    assert f"Found with the settings {said}." in found.notes
    again = hx.AdditiveExplainer.load(explainer.save(tmp_path / "one.hx"), planted())
    assert again.settings_ == said
    assert again.explain(DATA[0][0]).values == pytest.approx(found.values, rel=1e-5)


def test_concepts_say_which_of_the_papers_settings_are_meant() -> None:
    kinds = {"heads": False, "filters": True}
    for concepts, parts in kinds.items():
        assert hx.AdditiveExplainer(settings="paper", concepts=concepts).positive == parts
    assert hx.AdditiveExplainer(settings="paper", concepts={"wheel": [0]}).beta == 10
    assert hx.AdditiveExplainer(settings="paper", concepts=["round"]).beta == 0.2


@pytest.mark.parametrize("name", ["start", "units", "stopping"])
def test_an_unknown_choice_is_an_error(name: str) -> None:
    # signatures are checked under test; without that the error lists what is known
    with pytest.raises((ValueError, TypeCheckError), match=name):
        hx.AdditiveExplainer(**{name: "prints"})
