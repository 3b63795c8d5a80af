"""What a decomposition is worth: every figure against a literal one, and what is known of each."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import nn

import hexplain_widgets as hx
from hexplain_widgets.decomposition.decisions import ContributionFinder
from hexplain_widgets.diagnosis import localization
from hexplain_widgets.diagnosis.faithfulness import FRACTIONS, masked_orders, measure_step
from hexplain_widgets.diagnosis.surrogates import (
    baseline_importance,
    masked_logits,
    random_gates,
    surrogate_channels,
    without_strongest,
)
from hexplain_widgets.evidence.store import load, save
from hexplain_widgets.network.guest import visiting
from hexplain_widgets.network.probe import Probe
from hexplain_widgets.network.segments import Unit
from tests.networks import image, plain, torchvision_network
from tests.reference import faithfulness as literal
from tests.reference import gap
from tests.test_contract import check_untouched, fingerprint

LAYERS = ["7", "4", "1"]  # of `plain`, the deepest first


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return plain(seed=3)


@pytest.fixture(scope="module")
def inside(model: nn.Module):
    probe = Probe(hx.Classifier(model))
    return probe, probe.capture(image(48), LAYERS)


@pytest.fixture(scope="module")
def summary(model: nn.Module) -> hx.FaithfulnessSummary:
    data = [(image(48, seed)[0], seed % 3) for seed in range(4)]
    return hx.measure_faithfulness(model, data, progress=False)


def strongest(maps: torch.Tensor) -> tuple[int, int, int]:
    k, y, x = np.unravel_index(int(maps.argmax()), maps.shape)
    return int(k), int(y), int(x)


@pytest.mark.parametrize(("shallow", "deep"), [("7", None), ("4", "7"), ("1", "4")])
def test_a_step_is_the_literal_one(model, inside, shallow: str, deep: str | None) -> None:
    probe, capture = inside
    unit = (2, 0, 0) if deep is None else strongest(capture.maps[deep][0])
    segment, names = probe.segment(capture, shallow, deep), (shallow, deep)
    draw = np.random.default_rng(0)
    with visiting(model):
        found = measure_step(ContributionFinder(probe, capture), segment, names, Unit(*unit), draw)
    step = gap.step(model, capture.x, deep, unit, shallow)
    for ours, theirs in zip(found.estimates, literal.table_1(step), strict=True):
        assert np.allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    gates = masked_orders(found.estimates[0], np.random.default_rng(0))
    for row in range(3):
        for i in (1, 4, 8):
            closed = np.flatnonzero(gates[row, i] == 0).tolist()
            left = literal.left_of(model, capture.x, deep, unit, shallow, closed)
            assert found.remaining[row, i] == pytest.approx(left, abs=1e-4)


@pytest.mark.parametrize(("shallow", "deep"), [("7", None), ("4", "7"), ("1", "4")])
def test_ablation_to_the_mean_is_the_literal_one(model, inside, shallow, deep) -> None:
    probe, capture = inside
    unit = (2, 0, 0) if deep is None else strongest(capture.maps[deep][0])
    means = hx.channel_means(model, [image(48, seed)[0] for seed in (5, 6)], layers=LAYERS)
    segment, names = probe.segment(capture, shallow, deep), (shallow, deep)
    with visiting(model):
        (decided,) = segment.decide([Unit(*unit)])
        found = ContributionFinder(probe, capture, means).faithfulness(segment, names, decided)
        plainly = localization.ablation(segment, Unit(*unit), means=means[shallow])
    assert np.allclose(found.drops, plainly, atol=1e-5)
    for k in (0, 3):
        left = literal.with_mean(model, capture.x, deep, unit, shallow, k, means[shallow])
        assert found.drops[k] == pytest.approx(decided.values[0] - left, abs=1e-4)
    step = gap.step(model, capture.x, deep, unit, shallow)
    above = capture.maps[shallow][0] - means[shallow][:, None, None]
    assert np.allclose(found.estimates, (step.gradient * above).sum((1, 2)), atol=1e-4)
    assert found.baseline == "mean"


def test_means_are_over_images_and_space(model) -> None:
    images = [image(48, seed)[0] for seed in (5, 6, 7)]
    found = hx.channel_means(model, images, layers=["4"])
    with torch.no_grad():
        literal_means = model[:5](torch.stack(images)).mean((0, 2, 3))
    assert torch.allclose(found["4"].float(), literal_means, atol=1e-5)


def test_the_estimate_must_know_the_baseline(model) -> None:
    images = [image(48, seed)[0] for seed in range(3)]
    found = hx.measure_faithfulness(model, images[:1], reference=images[1:], progress=False)
    assert found.steps[0].pearson[0] == pytest.approx(1, abs=1e-5)
    assert found.provenance.settings["baseline"] == "mean"


def test_means_of_no_image_are_refused(model) -> None:
    with pytest.raises(ValueError, match="got no image; expected at least one to take means of"):
        hx.channel_means(model, [])


def test_masks_close_the_most_the_least_important_and_random_channels() -> None:
    most, least, other = masked_orders(np.arange(50.0), np.random.default_rng(1))
    assert [int((1 - row).sum()) for row in most] == [round(f * 50) for f in FRACTIONS]
    assert np.flatnonzero(most[3] == 0).tolist() == [45, 46, 47, 48, 49]
    assert np.flatnonzero(least[3] == 0).tolist() == [0, 1, 2, 3, 4]
    assert (other.sum(1) == most.sum(1)).all()
    assert (other[3] != most[3]).any()


@pytest.mark.parametrize("top_k", [1, 3, 100])
def test_what_is_kept_and_its_importance_are_the_literal_ones(model, inside, top_k: int) -> None:
    probe, capture = inside
    index = int(capture.logits.argmax())
    with visiting(model):
        (kept,) = surrogate_channels(probe, capture, index, [top_k])
    theirs = literal.importance(model, capture.x, LAYERS, index, top_k)
    for name in LAYERS:
        assert np.flatnonzero(kept.gates(name)).tolist() == sorted(theirs[name])
        for channel, weight in theirs[name].items():
            assert kept.importance[name][channel] == pytest.approx(weight, rel=1e-4)


@pytest.mark.parametrize("name", ["plain", "resnet18"])
def test_several_numbers_at_once_keep_what_each_alone_keeps(name: str) -> None:
    model = plain(seed=3) if name == "plain" else torchvision_network(name)
    probe = Probe(hx.Classifier(model))
    capture = probe.capture(image(64), None)
    index = int(capture.logits.argmax())
    with visiting(model):
        together = surrogate_channels(probe, capture, index, (1, 2, 4, 16))
        alone = [surrogate_channels(probe, capture, index, (k,))[0] for k in (1, 2, 4, 16)]
    for ours, theirs in zip(together, alone, strict=True):
        for layer in capture.layers:
            assert (ours.gates(layer.name) == theirs.gates(layer.name)).all()
            one, other = ours.importance[layer.name], theirs.importance[layer.name]
            assert np.allclose(one, other, rtol=1e-4)


def test_with_every_channel_kept_importance_adds_up_to_one_at_each_layer(model, inside) -> None:
    probe, capture = inside
    with visiting(model):
        (kept,) = surrogate_channels(probe, capture, int(capture.logits.argmax()), [100])
    assert [sum(kept.importance[name]) for name in LAYERS] == pytest.approx([1, 1, 1])


@pytest.mark.parametrize("name", ["plain", "resnet18"])
def test_masking_layers_at_once_is_masking_the_network(name: str) -> None:
    model = plain() if name == "plain" else torchvision_network(name)
    probe = Probe(hx.Classifier(model))
    capture = probe.capture(image(48), None)
    draw = np.random.default_rng(0)
    gates = {layer.name: draw.random((3, layer.shape[0])) < 0.7 for layer in capture.layers}
    with visiting(model):
        found = masked_logits(probe, capture, gates)
    for i in range(3):
        rows = {name: torch.from_numpy(g[i]).float() for name, g in gates.items()}
        assert torch.allclose(
            found[i], literal.logits_of(model, capture.x, rows), rtol=1e-3, atol=1e-3
        )


def test_random_channels_are_as_many_as_ours() -> None:
    gates = {"a": np.arange(40).reshape(2, 20) % 3 == 0}
    other = random_gates(gates, np.random.default_rng(0))
    assert (other["a"].sum(1) == gates["a"].sum(1)).all()
    assert (other["a"] != gates["a"]).any()


def test_the_strongest_are_removed_first() -> None:
    gates = without_strongest(np.array([0.1, 3, 2]), [0, 1, 2])
    assert gates.tolist() == [[True] * 3, [True, False, True], [True, False, False]]


def test_the_last_step_before_pooling_and_a_linear_layer_is_exact(summary) -> None:
    assert summary.steps[0].pearson[0] == pytest.approx(1, abs=1e-6)
    assert summary.steps[0].lowest[0] == pytest.approx(1, abs=1e-6)
    assert np.allclose(summary.steps[0].estimates, summary.steps[0].drops, atol=1e-4)


def test_steps_run_from_the_logits_down(summary) -> None:
    assert [(s.deep, s.shallow) for s in summary.steps] == [("logits", "7"), ("7", "4"), ("4", "1")]
    assert [s.channels for s in summary.steps] == [layer.shape[0] for layer in summary.layers]


def test_a_table_of_the_steps_is_printed(summary) -> None:
    first, second, *_ = str(summary).splitlines()
    assert first.split() == ["step", "AA", "MA", "AG", "MG", "lowest", "images"]
    assert second.split()[:4] == ["logits", "->", "7", "1.000"]


def test_nothing_masked_leaves_the_decision_and_everything_kept_the_class(summary) -> None:
    assert np.allclose([s.remaining[:, 0] for s in summary.steps], 1, atol=1e-5)
    assert (np.diff(summary.kept, axis=0) >= 0).all()
    assert ((summary.survival >= 0) & (summary.survival <= 1)).all()


def test_accuracy_is_of_the_labelled_images_alone(model: nn.Module) -> None:
    x = image(48)
    named = int(model(x).argmax())
    labelled = hx.measure_faithfulness(model, [(x[0], named)], progress=False)
    assert labelled.whole_accuracy == 1
    assert labelled.accuracy is not None
    assert np.array_equal(labelled.accuracy, labelled.match)
    alone = hx.measure_faithfulness(model, x, progress=False)
    assert (alone.accuracy, alone.whole_accuracy, alone.labelled) == (None, None, 0)


def test_the_order_of_the_images_changes_nothing(model: nn.Module, summary) -> None:
    data = [(image(48, seed)[0], seed % 3) for seed in range(4)]
    other = hx.measure_faithfulness(model, data[::-1], progress=False)
    assert np.array_equal(other.match, summary.match)
    assert np.allclose(other.steps[2].remaining, summary.steps[2].remaining)


def test_it_is_saved_and_opened(summary, tmp_path) -> None:
    assert load(save(summary, tmp_path / "f.hx")) == summary


def test_the_network_is_handed_back_as_it_came() -> None:
    classifier, every = hx.demo.classifier(), ("conductance", "internal influence", "LRP")
    before = fingerprint(classifier.model)
    found = hx.measure_faithfulness(classifier, image(32), rivals=every, progress=False)
    check_untouched(before, classifier.model)
    assert found.methods == ("hierarchical", "gradient × activation", *every, "random")


def test_conductance_at_the_last_layer_is_each_channel_s_part_of_the_logit(model, inside) -> None:
    _, capture = inside
    with visiting(model):
        found = baseline_importance("conductance", hx.Classifier(model), capture.x, "7", 2)
    weight, maps = model[10].weight[2], capture.maps["7"][0].mean((1, 2))
    black = model[:8](torch.zeros_like(capture.x))[0].mean((1, 2))
    assert np.allclose(found, (weight * (maps - black)).detach(), rtol=0.05, atol=0.02)


def test_a_rival_that_does_not_work_on_the_network_is_left_out_and_named() -> None:
    model = plain(activation=nn.SiLU)
    found = hx.measure_faithfulness(model, image(48), rivals=("LRP",), progress=False)
    assert "LRP" not in found.methods
    assert any(note.startswith("Left out: LRP gave no answer at") for note in found.notes)


def test_it_ends_when_it_is_told_to_and_keeps_what_it_has(model: nn.Module) -> None:
    data = [image(48, seed)[0] for seed in range(3)]
    found = hx.measure_faithfulness(model, data, progress=False, stopped=lambda: True)
    assert found.images == 1
    assert "Stopped after 1 image." in found.notes


def test_an_interrupt_keeps_the_images_that_were_finished(model: nn.Module) -> None:
    def data():
        yield image(48)[0]
        yield image(48, 1)[0]
        raise KeyboardInterrupt

    found = hx.measure_faithfulness(model, data(), progress=False)
    assert found.images == 1
    assert any("Interrupted" in note for note in found.notes)


def test_no_image_is_an_error(model: nn.Module) -> None:
    with pytest.raises(ValueError, match="got no image; expected at least one"):
        hx.measure_faithfulness(model, [], progress=False)


def test_an_unknown_rival_is_answered_with_the_nearest(model: nn.Module) -> None:
    with pytest.raises(ValueError, match=r"got rivals='conductanc'.*nearest is 'conductance'"):
        hx.measure_faithfulness(model, image(48), rivals=("conductanc",), progress=False)


def test_no_channel_to_keep_is_refused(model: nn.Module) -> None:
    with pytest.raises(ValueError, match="got top_k=0; expected at least 1"):
        hx.measure_faithfulness(model, image(48), top_k=(0,), progress=False)


def test_rivals_without_captum_say_what_to_install(model: nn.Module, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(ImportError, match=r"pip install 'hexplain_widgets\[compare\]'"):
        hx.measure_faithfulness(model, image(48), rivals=("conductance",), progress=False)


def test_accuracy_without_channels_is_survival_where_labels_are_what_is_named() -> None:
    model, pictures = plain(seed=3).eval(), [image(48, seed) for seed in range(2)]
    named = [int(model(x)[0].argmax()) for x in pictures]
    right = [(x[0], index) for x, index in zip(pictures, named, strict=True)]
    summary = hx.measure_faithfulness(model, right, progress=False)
    assert np.array_equal(summary.removed_accuracy, summary.survival)
    # labels that are never what the whole network names: only what others take their place
    wrong = [(x, (index + 1) % 5) for x, index in right]
    other = hx.measure_faithfulness(model, wrong, progress=False)
    assert np.array_equal(other.survival, summary.survival)
    assert (other.removed_accuracy <= 1 - summary.survival + 1e-12).all()
    half = hx.measure_faithfulness(model, [right[0], right[1][0]], progress=False)
    assert half.labelled == 1
    assert set(np.unique(half.removed_accuracy)) <= {0.0, 1.0}
    none = hx.measure_faithfulness(model, [x for x, _ in right], progress=False)
    assert none.removed_accuracy is None
