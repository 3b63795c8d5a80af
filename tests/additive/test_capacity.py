"""What fewer concepts explain (Fig. 8): drawn at random, fitted anew, held against all of them."""

from __future__ import annotations

import numpy as np
import pytest

import hexplain_widgets as hx
from hexplain_widgets.additive.distillation import Elements
from tests.additive.test_engine import DATA, PARTS, fitted

UNSEEN = DATA[:20]


@pytest.fixture(scope="module")
def explainer() -> hx.AdditiveExplainer:
    return fitted(concepts="filters", epochs=4)


def test_all_concepts_explain_as_the_report_says(explainer) -> None:
    report = explainer.report(UNSEEN, seeds=2, progress=False)
    capacity = explainer.capacity(UNSEEN, seeds=2, progress=False)
    assert capacity.counts[-1] == len(report.names) == len(capacity.names)
    assert capacity.deviation[:, -1] == pytest.approx(report.ours.deviation)
    assert capacity.accuracy[:, -1] == pytest.approx(report.ours.accuracy)
    assert capacity.performer_accuracy == report.performer_accuracy
    assert capacity.truth == report.truth
    assert capacity.lost == pytest.approx(report.performer_accuracy - capacity.accuracy)


def test_counts_are_powers_of_two_and_all(explainer) -> None:
    every = len(explainer.names_)
    capacity = explainer.capacity(UNSEEN, seeds=1, progress=False)
    powers = [2**i for i in range(10) if 2**i < every]
    assert capacity.counts.tolist() == [*powers, every]
    assert capacity.deviation.shape == capacity.accuracy.shape == (1, len(powers) + 1)


def test_few_concepts_are_some_of_a_random_order(explainer) -> None:
    fit = explainer._fitting
    narrowed = fit.narrowed(np.array([2, 0]))
    assert narrowed.elements.names == tuple(fit.elements.names[i] for i in (0, 2))
    assert narrowed.examples.strengths.shape == (len(fit.examples.scores), 2)
    assert np.array_equal(narrowed.examples.strengths[:, 1], fit.examples.strengths[:, 2])
    assert np.array_equal(narrowed.examples.priors[:, 0], fit.examples.priors[:, 0])


def test_a_concept_of_several_filters_stays_whole() -> None:
    elements = Elements(("a", "b", "c"), np.array([1, 4, 5, 9]), np.array([0, 2, 1, 2]), np.ones(4))
    some = elements.only(np.array([2, 0]))
    assert (some.names, some.groups()) == (("a", "c"), [[1], [4, 9]])


def test_one_score_for_all_images_has_no_range() -> None:
    same = [DATA[0]] * 3
    with pytest.raises(ValueError, match="images with one score; expected some that differ"):
        fitted(concepts=PARTS, epochs=2).capacity(same, progress=False)


@pytest.mark.parametrize("counts", [[], [0], [1, 99]])
def test_counts_that_there_are_not_are_refused(explainer, counts) -> None:
    with pytest.raises(ValueError, match=r"of concepts; expected numbers from 1 to"):
        explainer.capacity(UNSEEN, counts, progress=False)


def test_a_stop_keeps_the_counts_so_far(explainer) -> None:
    capacity = explainer.capacity(UNSEEN, [1, 2], seeds=1, progress=False, stopped=lambda: True)
    assert capacity.counts.tolist() == [1]
    assert "Stopped after 1 concepts." in capacity.notes


def test_what_is_not_fitted_has_no_capacity() -> None:
    with pytest.raises(ValueError, match="the data it was fitted on; they were"):
        hx.AdditiveExplainer(concepts=PARTS).capacity(UNSEEN)


def test_the_report_keeps_how_contributions_spread(explainer) -> None:
    report = explainer.report(UNSEEN, seeds=1, progress=False)
    each = [np.abs(explainer.explain(one).values) for one in (item[0] for item in UNSEEN)]
    assert report.ours.sizes is not None
    assert report.ours.sizes[0] == pytest.approx(np.mean(each, axis=0), rel=1e-3, abs=1e-5)
