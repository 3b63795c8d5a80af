"""Regions: which places of which layers answer for which concepts of an image (HINT, Alg. 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hexplain_widgets.data.samples import Batch, batches
from hexplain_widgets.evidence import Concept
from hexplain_widgets.hint.regions import (
    PLAIN,
    LayerSaliency,
    RegionBatch,
    RegionExtractor,
    RegionScope,
    RegionSettings,
    Saliency,
)
from hexplain_widgets.network import gating
from hexplain_widgets.network.classifier import Classifier
from hexplain_widgets.network.probe import Probe
from hexplain_widgets.provenance import fingerprint as fingerprint_of
from tests.networks import DataDependent, Residual, image, plain, seeded
from tests.reference import responsible as literal
from tests.reference.perturbed import Place, at_module
from tests.test_contract import Stateful, check_untouched, failing, fingerprint, in_use

METHODS = get_args(Saliency)
# Of five classes the last is in no concept; "pet" and "wild" share one.
CONCEPTS = (
    Concept("animal", (), (0, 1, 2, 3)),
    Concept("pet", ("animal",), (0, 1)),
    Concept("wild", ("animal",), (1, 2, 3)),
    Concept("cat", ("pet",), (0,)),
    Concept("fox", ("pet", "wild"), (1,)),
)
OF_CLASS = [["animal", "pet", "cat"], ["animal", "pet", "wild", "fox"], ["animal", "wild"],
            ["animal", "wild"], []]  # fmt: skip
NAMES = tuple(c.name for c in CONCEPTS)
FINDING: dict[str, Any] = {
    "saliency": "gradient_x_input", "aggregate": "norm", "threshold": 0.5, "samples": 3,
    "vectors": 20, "seed": 0,
}  # fmt: skip
Labelled = tuple[Tensor, int | None]
DATA: list[Labelled] = [(image(12, seed)[0], seed % 5) for seed in range(6)]


def scope_of(
    probe: Probe, layers: Sequence[str], *, multiplied: tuple[str, ...] = (), **finding: Any
) -> RegionScope:
    capture = probe.capture(probe.classifier.prepare(image(12)).x, layers)
    return RegionScope(
        network=fingerprint_of(probe.classifier.model),
        model=type(probe.classifier.model).__name__,
        names=tuple(f"class {i}" for i in range(capture.logits.shape[1])),
        layers=capture.layers,
        concepts=CONCEPTS,
        finding=RegionSettings(**{**FINDING, **finding}),
        multiplied=multiplied,
    )


def batch_of(model: nn.Module, data: Sequence[Labelled] = DATA) -> Batch:
    (batch,) = batches(data, Classifier(model), size=len(data))
    return batch


def seen(
    model: nn.Module, layers: Sequence[str], data: Sequence[Labelled] = DATA, **settings: Any
) -> RegionBatch:
    probe = Probe(Classifier(model))
    return RegionExtractor(probe, scope_of(probe, layers, **settings)).extract(
        batch_of(model, data)
    )


def double(make: Any) -> nn.Module:
    return make().double()


def place_of(model: nn.Module, layer: str) -> Place:
    if isinstance(model, Residual):
        return at_module(model.act, int(layer.removeprefix("act:")))
    return at_module(model.get_submodule(layer))


def five(model: nn.Module) -> nn.Module:
    model.head = nn.Linear(8, 5)
    return seeded(model)


NETWORKS = {
    "plain": (plain, ["7", "4"]),
    "residual": (lambda: five(Residual()), ["act:2"]),
    "untraced": (DataDependent, ["body.4"]),
}


# which images are asked about what


def asked(found: RegionBatch) -> list[tuple[int, str]]:
    return [(int(i), NAMES[e]) for i, e in zip(found.image, found.concept, strict=True)]


def test_an_image_is_asked_about_every_concept_of_its_label() -> None:
    expected = [(i, name) for i, (_, label) in enumerate(DATA) for name in OF_CLASS[label]]
    assert asked(seen(plain(), ["4"])) == expected


def test_an_image_without_a_label_is_asked_about_the_class_that_the_network_names() -> None:
    model = plain()
    predicted = [int(model(x[None]).argmax()) for x, _ in DATA]
    expected = [(i, name) for i, label in enumerate(predicted) for name in OF_CLASS[label]]
    assert expected
    assert asked(seen(model, ["4"], [(x, None) for x, _ in DATA])) == expected


def test_an_image_whose_label_is_in_no_concept_is_asked_nothing() -> None:
    found = seen(plain(), ["4", "7"], [(x, 4) for x, _ in DATA])
    assert asked(found) == []
    assert found.layers["4"].responsible.shape == (0, 36)
    assert found.layers["7"].vectors.shape == (6, 9, 16)


def test_a_scope_knows_which_classes_each_concept_is() -> None:
    scope = scope_of(Probe(Classifier(plain())), ["4"])
    assert [tuple(np.flatnonzero(row)) for row in scope.member] == [c.classes for c in CONCEPTS]


# which places answer


def by_the_paper(
    model: nn.Module, layer: str, batch: Batch, found: RegionBatch, method: str, aggregate: str
) -> list[np.ndarray]:
    """The responsibility of every pair, one image and one concept at a time."""
    noises = _noises(model, layer, batch, found) if method == "smoothgrad" else []
    maps = []
    for i, e in zip(found.image, found.concept, strict=True):
        more: dict[str, Any] = {"integrated_gradients": {"steps": 3}}.get(method, {})
        if method == "smoothgrad":
            more = {"noises": [n[i : i + 1] for n in noises]}
        way, x = getattr(literal, method), batch.x[i : i + 1]
        saliency = way(model, place_of(model, layer), x, CONCEPTS[e].classes, **more)
        maps.append(literal.responsibility(saliency, aggregate))
    return maps


def _noises(model: nn.Module, layer: str, batch: Batch, found: RegionBatch) -> list[Tensor]:
    saliency = LayerSaliency(Probe(Classifier(model)), [layer], "smoothgrad", samples=3, seed=0)
    return [*saliency._noises(batch.x, found.keys)]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("method", METHODS)
def test_responsible_places_are_the_literal_ones(method: str, network: str) -> None:
    make, layers = NETWORKS[network]
    model = double(make)
    found = seen(model, layers, saliency=method)
    for layer in layers:
        if layer == "7" and method in PLAIN:
            continue
        maps = by_the_paper(model, layer, batch_of(model), found, method, "norm")
        expected = np.array([(m >= 0.5).ravel() for m in maps])
        assert expected.any(1).all()
        assert np.array_equal(found.layers[layer].responsible, expected)


@pytest.mark.parametrize("aggregate", ["sum", "max", "positive_norm"])
@pytest.mark.parametrize("threshold", [0.2, 0.9])
def test_another_aggregate_and_threshold_are_the_literal_ones(aggregate: str, threshold) -> None:
    model = double(plain)
    found = seen(model, ["4"], aggregate=aggregate, threshold=threshold)
    maps = by_the_paper(model, "4", batch_of(model), found, "gradient_x_input", aggregate)
    expected = np.array([(m >= threshold).ravel() for m in maps])
    assert np.array_equal(found.layers["4"].responsible, expected)


def test_a_layer_without_place_answers_where_its_maps_are_multiplied() -> None:
    model = double(plain)
    assert not seen(model, ["7"], saliency="gradient").layers["7"].responsible.any()
    found = seen(model, ["7"], saliency="gradient", multiplied=("7",))
    expected = seen(model, ["7"]).layers["7"].responsible
    assert expected.any(1).all()
    assert np.array_equal(found.layers["7"].responsible, expected)


def test_vectors_are_the_layers_maps_place_by_place() -> None:
    model = plain()
    found = seen(model, ["4"]).layers["4"]
    for i, (x, _) in enumerate(DATA):
        z = literal.at_layer(model, at_module(model[4]), x[None], [0])[0]
        assert found.vectors[i].dtype == np.float32
        assert found.vectors[i] == pytest.approx(z.flatten(1).T.numpy(), rel=1e-5, abs=1e-6)


def test_the_highest_value_of_a_channel_and_its_place_are_noted() -> None:
    model = plain()
    found = seen(model, ["4"]).layers["4"]
    for i, (x, _) in enumerate(DATA):
        z = literal.at_layer(model, at_module(model[4]), x[None], [0])[0]
        assert found.highest.values[i] == pytest.approx(z.amax((1, 2)).numpy(), rel=1e-4, abs=1e-6)
        for k, (y, x_) in enumerate(found.places[i]):
            row, column = int(y * 6), int(x_ * 6)
            assert (y, x_) == pytest.approx(((row + 0.5) / 6, (column + 0.5) / 6))
            assert float(z[k, row, column]) == pytest.approx(float(z[k].max()), abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_vectors_of_any_precision_are_kept_in_single_precision(dtype) -> None:
    found = seen(plain().to(dtype), ["4"]).layers["4"]
    assert found.vectors.dtype == np.float32
    assert found.vectors == pytest.approx(seen(plain(), ["4"]).layers["4"].vectors, abs=0.1)


# the same by every road


def check_same(found: RegionBatch, expected: RegionBatch) -> None:
    assert found.keys == expected.keys
    assert asked(found) == asked(expected)
    for name, layer in expected.layers.items():
        other = found.layers[name]
        assert np.array_equal(other.responsible, layer.responsible)
        assert other.vectors == pytest.approx(layer.vectors, rel=1e-5, abs=1e-6)
        assert other.highest.values == pytest.approx(layer.highest.values, rel=1e-5)
        assert np.array_equal(other.places, layer.places)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("method", METHODS)
def test_an_image_alone_gives_what_it_gives_among_others(method: str, network: str) -> None:
    make, layers = NETWORKS[network]
    model = double(make)
    probe = Probe(Classifier(model))
    extractor = RegionExtractor(probe, scope_of(probe, layers[-1:], saliency=method))
    batch = extractor.extract(batch_of(model))
    together = batch.layers[layers[-1]]
    for i in (1, 4, 5):  # of several concepts, of none, and the last
        alone = extractor.extract(batch_of(model, DATA[i : i + 1])).layers[layers[-1]]
        assert np.array_equal(together.responsible[batch.image == i], alone.responsible)
        assert together.vectors[i] == pytest.approx(alone.vectors[0], rel=1e-6)


@pytest.mark.parametrize(
    ("method", "room"), [("smoothgrad", 1), ("gradient_x_input", 2), ("smoothgrad", 4)]
)
def test_a_batch_that_does_not_fit_is_asked_in_halves(method: str, room: int, monkeypatch) -> None:
    model = double(plain)
    expected = seen(model, ["7", "4"], saliency=method)
    take, refused = gating._GraphGates.take, []

    def in_little_memory(self, x: Tensor, **more: Any):
        if len(x) > room and not torch.equal(x[:1], x[-1:]):
            refused.append(len(x))
            raise torch.cuda.OutOfMemoryError("out of memory")
        return take(self, x, **more)

    monkeypatch.setattr(gating._GraphGates, "take", in_little_memory)
    found = seen(model, ["7", "4"], saliency=method)
    assert refused
    check_same(found, expected)
    assert len(found.images) == len(DATA)


def test_a_half_without_a_concept_is_joined_too(monkeypatch) -> None:
    data = [(x, 4 if i < 3 else 0) for i, (x, _) in enumerate(DATA)]
    expected = seen(plain(), ["4"], data)
    run = RegionExtractor._extract

    def in_little_memory(self, batch: Batch) -> RegionBatch:
        if len(batch) > 3:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return run(self, batch)

    monkeypatch.setattr(RegionExtractor, "_extract", in_little_memory)
    check_same(seen(plain(), ["4"], data), expected)


def test_one_image_that_does_not_fit_is_an_error(monkeypatch) -> None:
    def full(self, batch: Batch) -> RegionBatch:
        raise torch.cuda.OutOfMemoryError("out of memory")

    monkeypatch.setattr(RegionExtractor, "_extract", full)
    with pytest.raises(torch.cuda.OutOfMemoryError, match="out of memory"):
        seen(plain(), ["4"])


def test_one_extractor_answers_for_images_of_several_sizes() -> None:
    model = plain()
    probe = Probe(Classifier(model))
    extractor = RegionExtractor(probe, scope_of(probe, ["4"]))
    for size in (12, 20, 12):
        found = extractor.extract(batch_of(model, [(image(size)[0], 0)]))
        assert found.layers["4"].vectors.shape == (1, (size // 2) ** 2, 12)


# what is not finite


class Rooted(nn.Module):
    """Ends in a square root, whose gradient is infinite where a channel is dead."""

    def __init__(self) -> None:
        super().__init__()
        self.low = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.ReLU())
        seeded(self)
        self.low[0].bias.data[0] = -1e3

    def forward(self, x: Tensor) -> Tensor:
        return self.low(x).mean((2, 3)).sqrt()


@pytest.mark.parametrize("method", ["gradient", "smoothgrad"])
def test_gradients_that_are_not_finite_are_an_error_that_names_the_layer(method: str) -> None:
    with pytest.raises(
        ValueError,
        match=r"the layer low gives NaN or infinite values or gradients; expected finite numbers;"
        r" check the\s+weights",
    ):
        seen(Rooted(), ["low"], saliency=method)


def test_weights_that_are_not_finite_are_an_error_that_names_them() -> None:
    model = plain()
    probe = Probe(Classifier(model))
    extractor = RegionExtractor(probe, scope_of(probe, ["4"]))
    model[6].weight.data[0, 0, 0, 0] = torch.nan
    with pytest.raises(ValueError, match=r"6\.weight are not finite"):
        extractor.extract(batch_of(model))


# the guest


IN_USE = (plain, Stateful, DataDependent, lambda: five(Residual()))


@pytest.mark.parametrize(("method", "make"), [*zip(METHODS * 2, IN_USE * 3, strict=False)])
def test_the_network_is_handed_back_as_it_came(method: str, make) -> None:
    model = in_use(make)
    probe = Probe(Classifier(model))
    name = probe.capture(image(12)).layers[0].name
    before = fingerprint(model)
    seen(model, [name], saliency=method)
    check_untouched(before, model)


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("at", [0, 3, 7])
def test_the_network_is_handed_back_after_a_failure(failure, at: int) -> None:
    model = in_use(plain)
    probe = Probe(Classifier(model))
    extractor = RegionExtractor(probe, scope_of(probe, ["4"], saliency="smoothgrad"))
    with failing(model[6], failure, at):
        before = fingerprint(model)
        with pytest.raises(failure, match="in the middle"):
            extractor.extract(batch_of(model))
        check_untouched(before, model)
