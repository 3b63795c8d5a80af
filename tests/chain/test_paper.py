"""CHAIN with the paper's settings, held against its equations on the whole network."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import hexplain_widgets as hx
from hexplain_widgets.chain.comparison import distances
from hexplain_widgets.chain.derivatives import along, concept_gradient
from hexplain_widgets.chain.harmonize import ConceptDirections, directions_of
from hexplain_widgets.chain.inference import PerturbationExtractor, inference_weights
from hexplain_widgets.evidence import Layer
from hexplain_widgets.network.classifier import Classifier
from hexplain_widgets.network.probe import Probe
from hexplain_widgets.widgets.inference_space.view import InferenceSpace
from tests import chain_world as world
from tests.chain.test_harmonize import rows, whole
from tests.networks import image, plain
from tests.reference import chain as literal

IMAGES = [world.item(n).image for n in range(100, 104)]


@cache
def fitted() -> hx.Chain:
    chain = world.chain(settings="paper")
    return chain.fit(world.classifier(), world.Pictures(range(8)), progress=False)


# Eq. 1 and Eq. 8 without an intercept


def test_directions_are_equation_1_as_printed() -> None:
    vectors, labels, areas = rows("object", 4, range(24), held=False)
    found = directions_of(whole().levels["object"], sparsity=0.1, intercept=False)
    assert not found.bias.any()
    for e in range(3):
        z = (labels == e + 1) * 1.0
        expected = literal.harmonized_as_printed(vectors, z, areas, 0.1, steps=1000)
        assert found.weights[e] == pytest.approx(
            expected, rel=5e-3, abs=5e-3 * np.abs(expected).max()
        )


def test_inference_weights_are_equation_8_as_printed() -> None:
    model, concepts = plain(), np.random.default_rng(0).normal(size=(2, 16))
    probe = Probe(Classifier(model))
    extractor = PerturbationExtractor(probe, ["4", "7"], count=30, seed=0, intercept=False)
    x = image(32)
    one = extractor.perturb(x, extractor.take(x), "4", "7")
    found = inference_weights([one], [concepts], sparsity=0.05)[0].weights
    means, answers = literal.perturbed(model, model[4], model[7], x, one.gates.opened)
    for w, t in zip(found, concepts, strict=True):
        expected = literal.inferred_as_printed(means, answers @ t, one.gates.opened, 0.05, 1500)
        assert w == pytest.approx(expected, rel=1e-3, abs=1e-3 * np.abs(expected).max())


# Eq. 19 with weights of either sign


def test_weights_have_either_sign_and_places_count_for_nothing() -> None:
    found = fitted().explain(world.item(100, (0, 1, 2, 3)).image, "village")
    signs = {one.concept: one.weight > 0 for one in found.root.children}
    assert signs["house"] and not signs["mountain"]
    inferrer = fitted()._inferring()
    (one,) = inferrer.infer([world.prepared(IMAGES[0])[None]], [0], lambda: False)
    for depth, step in ((d, s) for d, all_ in enumerate(one.steps) for s in all_.values()):
        level = fitted().harmonized_[depth]
        most = 5 if level.level in ("object", "part") else 1
        left = literal.unexplained(level.weights.T, step.weights, most)
        assert step.few.unexplained == pytest.approx(left, abs=1e-4)


# Eq. 20-22


CASES = {"class": (0, None), "concept": (1, "7")}


def directions(layer: str, channels: int, seed: int) -> ConceptDirections:
    weights = np.random.default_rng(seed).normal(size=(3, channels))
    nothing, known = np.zeros(3), Layer(layer, "ReLU", (channels, 1, 1), None, None)
    count = np.ones(3, int)
    return ConceptDirections(
        layer, known, ("a", "b", "c"), weights, nothing, nothing, nothing, count, {}
    )


@pytest.mark.parametrize("case", CASES)
def test_derivatives_are_limits_along_directions(case: str) -> None:
    depth, deep = CASES[case]
    model, x, levels = plain().double(), image(32).double(), [directions("4", 12, 1)]
    if deep is not None:
        levels = [directions("7", 16, 0), *levels]
    slopes = concept_gradient(Probe(Classifier(model)), x, levels, depth, 1)
    found = along(slopes, levels[-1], unit=False)
    concept = np.eye(5)[1] if deep is None else levels[0].weights[1]
    for name, rate in found.items():
        direction = levels[-1].weights["abc".index(name)]
        at = model[4], None if deep is None else model[7]
        expected = literal.directional_derivative(model, *at, x, concept, direction, 1e-6)
        assert rate == pytest.approx(expected, rel=1e-3)
    assert list(found.values()) == sorted(found.values(), reverse=True)  # Eq. 22
    lengths = dict(zip("abc", np.linalg.norm(levels[-1].weights, axis=1), strict=True))
    units = along(slopes, levels[-1], unit=True)
    assert units == pytest.approx({n: rate / lengths[n] for n, rate in found.items()})


def test_derivatives_of_concepts_are_told_by_name() -> None:
    chain, picture = fitted(), world.item(100, (0, 1, 2, 3)).image
    assert set(chain.derivatives(picture, "house", "object")) <= set(world.PARTS)
    found = chain.derivatives(picture, "village")
    level = chain.harmonized_[0]
    expected = dict(zip(level.concepts, level.weights @ world.VOTES[0], strict=True))
    assert found == pytest.approx(expected, rel=1e-4)


def test_one_concept_of_equation_19_is_the_largest_derivative_along_unit_directions() -> None:
    chain, picture = fitted(), world.item(100, (0, 1, 2, 3)).image
    one = world.chain(settings="paper", max_concepts=1)
    one._root, one.classifier_ = chain._root, chain.classifier_
    one._begin(chain._fitted)
    (child,) = one.explain(picture, "village").root.children
    rates = chain.derivatives(picture, "village", unit=True, estimated=True)
    assert max(rates, key=lambda name: abs(rates[name])) == child.concept
    assert rates[child.concept] == pytest.approx(child.weight, rel=1e-3)


def test_the_gradient_and_the_inference_weights_tell_the_same_of_a_linear_step() -> None:
    picture = world.item(100, (0, 1, 2, 3)).image
    exact = fitted().derivatives(picture, "village")
    estimated = fitted().derivatives(picture, "village", estimated=True)
    assert estimated == pytest.approx(exact, rel=0.1, abs=0.1 * max(map(abs, exact.values())))


def test_derivatives_of_the_strongest_class_are_taken_where_none_is_named() -> None:
    chain, picture = fitted(), IMAGES[1]
    strongest = chain.explain(picture).target.index
    assert chain.derivatives(picture) == chain.derivatives(picture, strongest)


def test_the_last_level_has_no_derivatives() -> None:
    with pytest.raises(ValueError, match="expected one that others follow"):
        fitted().derivatives(IMAGES[0], "red", "color")


# Eq. 23-25


def test_distances_are_of_weights_as_they_are_or_at_unit_length() -> None:
    sets = {"one": IMAGES[:2], "other": IMAGES[2:]}
    for kind in ("raw", "unit"):
        chain = world.chain(settings="paper", distances=kind)
        chain._root, chain.classifier_ = fitted()._root, fitted().classifier_
        chain._begin(fitted()._fitted)
        found = chain.compare(sets, "village")
        inferrer, xs = chain._inferring(), [world.prepared(i)[None] for i in IMAGES]
        each = inferrer.weights(xs, [0] * 4, 0, lambda: False)
        weights = np.stack([one.raw for one in each])
        if kind == "unit":
            weights = weights / np.linalg.norm(weights, axis=1, keepdims=True)
        assert found.distances == pytest.approx(distances(weights, np.array([0, 0, 1, 1]), 2))
        assert found.weights == kind and found.provenance.settings["distances"] == kind
        said = "as they are" if kind == "raw" else "at unit length"
        assert any(said in one for one in InferenceSpace(found).space["remarks"])


def test_what_was_used_is_said_and_kept(tmp_path) -> None:
    chain = fitted()
    assert 'settings="paper", but sparsity=0.0001' in repr(chain)
    found = chain.explain(IMAGES[0])
    assert found.provenance.settings["settings"] == "paper, but sparsity=0.0001"
    assert "Found with the settings paper, but sparsity=0.0001." in found.notes
    again = hx.Chain.load(chain.save(tmp_path / "chain.hx"))
    assert again.settings_ == chain.settings_ and repr(again) == repr(chain)
