"""Responses and their sums: row by row what the perturbed network gives (CHIP, Eq. 2-8, 11, 14)."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hexplain_widgets.chip.statistics import ResponseBatch, ResponseExtractor
from hexplain_widgets.data.samples import batches
from hexplain_widgets.evidence import Layer
from hexplain_widgets.network import gating
from hexplain_widgets.network.classifier import Classifier
from hexplain_widgets.network.gating import gates_for
from hexplain_widgets.network.probe import Probe
from hexplain_widgets.solvers.moments import GatedScores, Moments
from tests.networks import DataDependent, Residual, image, plain, seeded
from tests.reference import perturbed
from tests.reference.perturbed import Place, at_module

GATES = 6
IMAGES = [image(24, seed) for seed in range(3)]


def layers_of(model: nn.Module, names: list[str]) -> tuple[Layer, ...]:
    return Probe(Classifier(model)).capture(IMAGES[0], names).layers


def seen(model: nn.Module, names: list[str], score: str = "logit", seed: int = 0) -> ResponseBatch:
    probe = Probe(Classifier(model))
    layers = probe.capture(probe.classifier.prepare(IMAGES[0]).x, names).layers
    responses = ResponseExtractor(probe, layers, gates_per_image=GATES, score=score, seed=seed)
    data = [x[0] for x in IMAGES]
    (batch,) = batches(data, probe.classifier, size=8)
    return responses.extract(batch)


def place_of(model: nn.Module, layer: str) -> Place:
    if isinstance(model, Residual):
        return at_module(model.act, int(layer.removeprefix("act:")))
    return at_module(model.get_submodule(layer))


def drawn(found: ResponseBatch, layer: Layer, seed: int = 0) -> list[np.ndarray]:
    settings = {"count": GATES, "channels": layer.shape[0], "seed": seed}
    return [gates_for(key, layer.name, **settings) for key in found.keys]


MODELS = {
    "plain": (plain, "4"),
    "residual": (Residual, "act:2"),
    "untraced": (DataDependent, "body.4"),
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("score", ["logit", "probability", "log-probability"])
def test_rows_are_those_of_the_perturbed_network(model: str, score: str) -> None:
    network, name = MODELS[model][0](), MODELS[model][1]
    found = seen(network, [name], score)
    rows = found.rows[name]
    (layer,) = layers_of(network, [name])
    for i, (x, gates) in enumerate(zip(IMAGES, drawn(found, layer), strict=True)):
        f = perturbed.probabilities(network(x)[0].detach().double().numpy())
        assert rows.loyalty[i].numpy() == pytest.approx(f, rel=1e-5)
        for n, d in enumerate(gates):
            z, logits = perturbed.perturbed(network, place_of(network, name), x, d)
            assert rows.gated()[i, n].numpy() == pytest.approx(z, rel=1e-5, abs=1e-8)
            assert rows.near[i, n] == pytest.approx(perturbed.proximity(d))
            expected = perturbed.SCORES[score](logits)
            assert rows.scores[i, n].numpy() == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("weighting", ["equal", "loyal"])
@pytest.mark.parametrize("score", ["logit", "probability"])
def test_sums_are_those_of_every_row_by_itself(weighting: str, score: str) -> None:
    network = plain().double()
    found = seen(network, ["4"], score)
    (layer,) = layers_of(plain(), ["4"])
    moments = Moments(weighting, 12, 5, memory=2**30)
    moments.add(found.rows["4"])
    expected = perturbed.sums(
        network, place_of(network, "4"), [x.double() for x in IMAGES], drawn(found, layer),
        score=score, loyal=weighting == "loyal",
    )  # fmt: skip
    for name, array in moments.arrays():
        own = expected[name][: len(array)]
        assert array == pytest.approx(own, rel=1e-6, abs=1e-9), name


def test_a_network_of_one_logit_is_loyal_by_its_sigmoid() -> None:
    network = seeded(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                      nn.Linear(4, 1))
    )  # fmt: skip
    found = seen(network, ["1"], "probability").rows["1"]
    logits = torch.cat([network(x) for x in IMAGES]).detach().double()
    both = torch.cat([-logits, logits], 1).sigmoid().numpy()
    assert found.loyalty.numpy() == pytest.approx(both, rel=1e-6)
    assert found.scores[:, 0].numpy() == pytest.approx(both, rel=1e-6)


def test_several_layers_are_gated_in_one_pass_each_by_itself() -> None:
    together = seen(plain(), ["1", "7"])
    for name in ("1", "7"):
        alone = seen(plain(), [name]).rows[name]
        assert torch.equal(together.rows[name].scores, alone.scores)
        assert torch.equal(together.rows[name].gates, alone.gates)


def test_a_batch_that_does_not_fit_is_answered_in_halves(monkeypatch) -> None:
    expected = seen(plain(), ["4", "7"])
    take = gating._GraphGates.take

    def in_little_memory(self, x: Tensor):
        if len(x) > 2:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return take(self, x)

    monkeypatch.setattr(gating._GraphGates, "take", in_little_memory)
    found = seen(plain(), ["4", "7"])
    assert found.keys == expected.keys
    assert np.array_equal(found.predicted, expected.predicted)
    for name in ("4", "7"):
        assert torch.equal(found.rows[name].gates, expected.rows[name].gates)
        a, b = found.rows[name].scores.numpy(), expected.rows[name].scores.numpy()
        assert a == pytest.approx(b, rel=1e-4, abs=1e-5)


def test_one_image_that_does_not_fit_is_an_error(monkeypatch) -> None:
    def full(self, x: Tensor):
        raise torch.cuda.OutOfMemoryError("out of memory")

    monkeypatch.setattr(ResponseExtractor, "_extract", full)
    with pytest.raises(torch.cuda.OutOfMemoryError, match="out of memory"):
        seen(plain(), ["4"])


def rows(count: int, *, channels: int = 6, classes: int = 4, seed: int = 0) -> GatedScores:
    draw = torch.Generator().manual_seed(seed)

    def some(*shape: int) -> Tensor:
        return torch.rand(*shape, dtype=torch.float64, generator=draw)

    return GatedScores(
        some(count, channels), some(count, GATES, channels) > 0.5, some(count, GATES),
        some(count, classes).softmax(1), some(count, GATES, classes) - 0.5,
    )  # fmt: skip


def summed(parts: list[GatedScores], weighting: str = "loyal", memory: int = 2**30) -> Moments:
    found = Moments(weighting, 6, 4, memory)
    for part in parts:
        found.add(part)
    return found


def check_equal(one: Moments, other: Moments) -> None:
    for (name, a), (_, b) in zip(one.arrays(), other.arrays(), strict=True):
        assert a == pytest.approx(b, rel=1e-12), name


def split(whole: GatedScores, at: int) -> list[GatedScores]:
    names = ("means", "gates", "near", "loyalty", "scores")
    return [
        GatedScores(*(getattr(whole, n)[part] for n in names))
        for part in (slice(at), slice(at, None))
    ]


@pytest.mark.parametrize("weighting", ["equal", "loyal"])
def test_sums_of_parts_merge_to_the_sum_of_the_whole(weighting: str) -> None:
    parts = split(rows(10), 3)
    merged = summed(parts[1:], weighting)
    merged.merge(summed(parts[:1], weighting))
    check_equal(merged, summed([rows(10)], weighting))


def test_an_image_without_loyalty_changes_nothing_for_its_class() -> None:
    one, more = rows(5), rows(3, seed=1)
    more.loyalty[:, 2] = 0
    before, after = summed([one]), summed([one, more])
    before, after = (dict(sums.arrays())["gram"] for sums in (before, after))
    assert np.array_equal(before[2], after[2])
    assert not np.array_equal(before[1], after[1])


@pytest.mark.parametrize("matrices", [1, 2, 3])
def test_matrices_in_a_file_hold_what_they_hold_in_memory(matrices: int) -> None:
    parts = [rows(5, seed=s) for s in range(7)]
    filed = summed(parts, memory=matrices * 36 * 8)
    assert filed.in_file
    check_equal(filed, summed(parts))


def test_rows_that_wait_for_a_pass_over_the_file_are_bounded() -> None:
    memory = 100 * 36 * 8
    filed = Moments("loyal", 6, 200, memory)
    held = []
    for seed in range(20):
        filed.add(rows(1, classes=200, seed=seed))
        if filed.due:
            filed.settle()
        held.append(filed._debt.nbytes)
    assert max(held) <= memory // 4
    assert max(held) > 0


def test_rows_that_wait_do_not_hold_on_to_their_scores() -> None:
    waiting = rows(2).on_host()
    assert not hasattr(waiting, "scores")
    assert waiting.nbytes == sum(t.untyped_storage().nbytes() for t in vars(waiting).values())


def test_the_file_goes_when_the_sums_go() -> None:
    filed = summed([rows(3)], memory=300)
    folder = Path(filed.gram.filename).parent
    assert folder.is_dir()
    del filed
    gc.collect()
    assert not folder.exists()


@pytest.mark.parametrize("weighting", ["equal", "loyal"])
def test_centred_statistics_are_those_of_rows_without_their_mean(weighting: str) -> None:
    some = rows(8)
    problem = summed([some], weighting).quadratic([3, 1])
    z, g = some.gated().flatten(0, 1).numpy(), some.scores.flatten(0, 1).numpy()
    for i, c in enumerate([3, 1]):
        w = some.near.flatten().numpy().copy()
        if weighting == "loyal":
            w *= some.loyalty[:, c].repeat_interleave(GATES).numpy()
        z0, g0 = z - np.average(z, 0, w), g[:, c] - np.average(g[:, c], 0, w)
        assert problem.gram[i % len(problem.gram)] == pytest.approx((z0.T * w) @ z0, abs=1e-10)
        assert problem.linear[i] == pytest.approx((z0.T * w) @ g0, abs=1e-10)
        assert problem.power[i] == pytest.approx(w @ g0**2, abs=1e-10)


@pytest.mark.parametrize("weighting", ["equal", "loyal"])
@pytest.mark.parametrize("constant", [0.0, 0.1, -7.3])
def test_a_score_that_never_moves_has_no_slope_at_all(weighting: str, constant: float) -> None:
    some = rows(50)
    some.scores[..., 2] = constant
    problem = summed([some], weighting).quadratic([1, 2])
    assert problem.power[1] == 0
    assert not problem.linear[1].any()
    assert problem.linear[0].any()


def test_a_class_that_nothing_was_loyal_to_has_finite_statistics() -> None:
    some = rows(4)
    some.loyalty[:, 0] = 0
    problem = summed([some]).quadratic([0])
    assert not problem.gram.any()
    assert not problem.linear.any()
    assert problem.power[0] == 0


@pytest.mark.parametrize("name", ["gram", "squares"])
def test_saved_sums_of_another_shape_are_refused(name: str) -> None:
    saved = dict(summed([rows(2)]).arrays())
    saved[name] = saved[name][:-1]
    with pytest.raises(ValueError, match=f"the sum {name} is not"):
        summed([rows(2)]).restore(saved)
