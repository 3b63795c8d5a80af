"""The views of the additive explainer with a fitted one: a planted network's filters and labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import hexplain_widgets as hx
from tests.additive.test_engine import DATA, PARTS, fitted, picture, planted

LAYER = "maps.1"
IMAGES = [picture(1000), picture(1001)]


@pytest.fixture(scope="module")
def by_parts() -> hx.AdditiveExplainer:
    return fitted(concepts=PARTS, epochs=2)


@pytest.fixture
def report(by_parts: hx.AdditiveExplainer) -> Iterator[hx.ContributionReport]:
    made = hx.ContributionReport(by_parts, IMAGES)
    yield made
    made.close()


@pytest.fixture
def labeler() -> Iterator[hx.FilterLabeler]:
    made = hx.FilterLabeler(planted(), [image for image, _ in DATA[:20]], LAYER)
    made.names = {"0": "wheel", "1": "wheel", "2": "roof"}
    yield made
    made.close()


def test_a_report_shows_what_a_fitted_explainer_says(
    report: hx.ContributionReport, by_parts: hx.AdditiveExplainer
) -> None:
    assert repr(report) == "ContributionReport('car', 3 concepts, 2 images)"
    for image, one in zip(IMAGES, report.contributions, strict=True):
        assert dict(one) == dict(by_parts.explain(image))


def test_a_report_has_the_fitted_explainers_baseline(report: hx.ContributionReport) -> None:
    (first, _) = report.contributions
    assert first.baseline is not None
    assert first.baseline.score == first.score
    assert len(report.spreads) == len(IMAGES)


def test_an_image_can_be_added_with_a_fitted_explainer(report: hx.ContributionReport) -> None:
    report.add(picture(1002))
    score = planted().logits(picture(1002)[None])[0, 0]
    assert report.contributions[-1].score == pytest.approx(float(score))


def test_names_given_in_the_view_are_the_concepts_of_an_explainer(
    labeler: hx.FilterLabeler, by_parts: hx.AdditiveExplainer
) -> None:
    engine = fitted(concepts=labeler.labels, epochs=2)
    assert engine.names_ == ("wheel", "roof", "other filters")
    expected = by_parts.explain(IMAGES[0])
    assert engine.explain(IMAGES[0]).values == pytest.approx(expected.values, abs=2e-3)


def test_names_saved_in_the_view_are_the_concepts_of_an_explainer(
    labeler: hx.FilterLabeler, tmp_path: Path
) -> None:
    path = labeler.save(tmp_path / "names.json")
    assert fitted(concepts=path, epochs=1).names_ == ("wheel", "roof", "other filters")


def test_names_given_in_the_view_are_refused_for_another_network(
    labeler: hx.FilterLabeler,
) -> None:
    other = planted((1.0, 1.0, 1.0, 1.0, 1.0))
    engine = hx.AdditiveExplainer(concepts=labeler.labels, epochs=1)
    with pytest.raises(ValueError, match="of a network with other weights; this network's were"):
        engine.fit(other, DATA, target="car", progress=False)
