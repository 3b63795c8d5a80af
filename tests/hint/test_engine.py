"""HINT end to end: planted neurons, the same answer by every road, and what outlives a crash."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

import hexplain_widgets as hx
from hexplain_widgets.fitting import passes
from tests.networks import image, plain

KINDS = {"animal": ["dog", "cat"], "vehicle": ["car", "bus"]}
CLASSES = ("dog", "cat", "car", "bus")
# The neuron that was planted for each concept; 6 and 7 answer to anything.
PLANTED = {"animal": 0, "dog": 1, "cat": 2, "vehicle": 3, "car": 4, "bus": 5}
NOISE = (6, 7)


class Planted(nn.Module):
    """Eight neurons, six of which each answer to one concept; a class is its own and its kind's."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Sequential(nn.Conv2d(8, 8, 1, bias=False), nn.ReLU())
        self.maps[0].weight.data = torch.eye(8)[:, :, None, None]
        self.head = nn.Linear(8, 4, bias=False)
        weights = torch.zeros(4, 8)
        for row, name in zip(weights, CLASSES, strict=True):
            kind = next(k for k, names in KINDS.items() if name in names)
            row[[PLANTED[name], PLANTED[kind]]] = 1.0
        self.head.weight.data = weights

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.maps(x).mean((2, 3)))


def planted_image(label: int, seed: int) -> Tensor:
    """A square of its class's neurons on noise; the square lies at rows and columns 2 to 5."""
    draw = torch.Generator().manual_seed(seed)
    x = 0.3 * torch.rand(8, 10, 10, generator=draw)
    name = CLASSES[label]
    kind = next(k for k, names in KINDS.items() if name in names)
    for neuron in (PLANTED[name], PLANTED[kind]):
        x[neuron, 2:6, 2:6] += 1 + 0.5 * torch.rand(4, 4, generator=draw)
    return x


DATA = [(planted_image(i % 4, i), i % 4) for i in range(80)]


def planted() -> hx.Classifier:
    return hx.Classifier(Planted().eval(), classes=list(CLASSES))


def fitted(data: object = DATA, **settings) -> hx.Hint:
    return hx.Hint(**{"samples": 2, **settings}).fit(planted(), data, KINDS, progress=False)


@pytest.fixture(scope="module")
def hint() -> hx.Hint:
    return fitted()


# planted truths


@pytest.mark.parametrize("estimator", ["owen", "permutation", "logit", "coefficient"])
@pytest.mark.parametrize("concept", PLANTED)
def test_the_strongest_neuron_of_a_concept_is_the_planted_one(
    hint: hx.Hint, concept: str, estimator: str
) -> None:
    assert hint.using(estimator).neurons(concept, top=1)[0].neuron == PLANTED[concept]


@pytest.mark.parametrize("concept", ["animal", "vehicle"])
def test_a_neuron_serves_the_concept_it_was_planted_for_most(hint: hx.Hint, concept: str) -> None:
    served = hint.concepts(PLANTED[concept], top=1)
    assert served[0].concept == concept


@pytest.mark.parametrize("neuron", NOISE)
def test_a_neuron_of_noise_contributes_next_to_nothing(hint: hx.Hint, neuron: int) -> None:
    assert hint.scores[neuron].max() < 0.1 * hint.scores.max()


def test_planted_concepts_are_found_on_images_that_were_held_out(hint: hx.Hint) -> None:
    assert [c.name for c in hint.concepts_ if hint.f1(c.name) < 0.95] == []


def test_a_concept_map_is_positive_where_the_concept_is_and_nowhere_else(hint: hx.Hint) -> None:
    heat = hint.explain(planted_image(0, seed=999), "dog").values
    truth = np.zeros((10, 10), dtype=bool)
    truth[2:6, 2:6] = True
    assert np.array_equal(heat > 0, truth)


def test_the_region_of_a_concept_is_its_square(hint: hx.Hint) -> None:
    found = hint.localize(planted_image(2, seed=999), "vehicle", truth=(2, 2, 6, 6))
    assert found.box == (2, 2, 6, 6)
    assert found.iou == 1.0


def test_calibration_finds_a_threshold_and_keeps_it(hint: hx.Hint) -> None:
    examples = [(planted_image(i, seed=900 + i), CLASSES[i], (2, 2, 6, 6)) for i in range(4)]
    other = hint.at(hint.layer_.name)
    assert other.calibrate(examples) == other.threshold_
    assert other.localize(examples[0][0], "dog").threshold == other.threshold_


def test_a_narrowed_classifier_uses_the_strongest_neurons_only(hint: hx.Hint) -> None:
    few = hint.narrowed(top=1)
    used = {int(k) for k in np.flatnonzero(few.scores[:, 0])}
    assert used == {PLANTED["animal"]}
    assert few.f1("animal") > 0.95


def test_a_share_of_neurons_is_rounded_to_a_number(hint: hx.Hint) -> None:
    used = np.flatnonzero(hint.narrowed(top=0.25).scores[:, 0])
    assert len(used) == 2


def test_the_gradient_without_a_place_is_said_to_be_replaced() -> None:
    hint = fitted(saliency="smoothgrad")
    assert "places are not told apart" in hint.associations().notes[0]


def test_gradient_times_input_has_a_place_wherever_the_input_has_one(hint: hx.Hint) -> None:
    assert not any("told apart" in note for note in hint.associations().notes)


# what is asked of it


def test_scores_unpack_and_stand_for_their_neuron(hint: hx.Hint) -> None:
    best = hint.neurons("dog", top=2)[0]
    neuron, concept, score = best
    assert (neuron, concept) == (best.neuron, "dog")
    assert hint.scores[best, 1] == pytest.approx(score)


def test_a_neuron_asked_about_alone_scores_as_among_all(hint: hx.Hint) -> None:
    fresh = hint.using("logit").using("owen")
    alone = {k: fresh.concepts(k, top=6) for k in range(8)}
    assert "scores" not in vars(fresh._associations)
    for k, found in alone.items():
        names = [c.name for c in hint.concepts_]
        values = {one.concept: one.score for one in found}
        known = dict(zip(names, hint.scores[k], strict=True))
        assert values == pytest.approx(known, rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("estimator", ["permutation", "logit"])
def test_a_neuron_of_other_estimators_is_read_from_the_scores_of_all(
    hint: hx.Hint, estimator: str
) -> None:
    other = hint.using(estimator)
    (first, *_) = other.concepts(1)
    assert (first.concept, first.score) == ("dog", other.scores[1].max())


def test_neurons_come_strongest_first(hint: hx.Hint) -> None:
    scores = [s.score for s in hint.neurons("dog", top=8)]
    assert scores == sorted(scores, reverse=True)


def test_a_sampled_score_has_its_standard_error(hint: hx.Hint) -> None:
    assert hint.neurons("dog", top=1)[0].error is None
    assert hint.using("permutation").neurons("dog", top=1)[0].error > 0


def test_scores_are_held_against_neurons_taken_out(hint) -> None:
    found = hint.associations(top=1)
    assert len(found.agreement) == len(found.concepts)
    known = [r for r in found.agreement if r is not None]
    assert known
    assert all(-1 <= r <= 1 for r in known)
    assert np.mean(known) > 0.8
    at_random = [r for r in hint.using("random").associations(top=1).agreement if r is not None]
    assert np.mean(at_random) < 0.5


def test_evidence_holds_the_union_of_each_concepts_neurons(hint: hx.Hint) -> None:
    found = hint.associations(top=1)
    assert set(found.neurons) == set(PLANTED.values())
    assert found.scores.shape == (6, 6)
    assert [p.neuron for p in found.portraits] == list(found.neurons)


def test_evidence_of_some_concepts_keeps_their_order_and_nearest_ancestors(hint: hx.Hint) -> None:
    found = hint.associations(["bus", "dog"], top=1)
    assert [c.name for c in found.concepts] == ["dog", "bus"]
    assert [c.parents for c in found.concepts] == [(), ()]


def test_the_strongest_region_of_a_neuron_is_in_its_square(hint: hx.Hint) -> None:
    places = hint.portraits([PLANTED["dog"]])[0].places
    assert ((places > 0.2) & (places < 0.6)).all()


def test_maps_of_chosen_images_come_with_the_evidence(hint: hx.Hint) -> None:
    found = hint.associations(images=[DATA[0][0]], maps_of=["dog", "bus"])
    assert [m.target for m in found.maps] == ["dog", "bus"]


def test_stopping_leaves_out_the_maps_that_were_not_drawn(hint: hx.Hint) -> None:
    answers = iter([False] * 2 + [True] * 1000)
    found = hint.associations(
        images=[DATA[0][0]], maps_of=["dog", "cat", "bus"], stopped=lambda: next(answers)
    )
    assert len(found.maps) < 3


# several layers


@pytest.fixture(scope="module")
def stages() -> hx.Hint:
    data = [(image(32, seed)[0], seed % 5) for seed in range(30)]
    return hx.Hint(layer="stages", samples=2).fit(plain(), data, {"all": [0, 1, 2, 3, 4]},
                                                  progress=False)  # fmt: skip


def test_all_stages_are_fitted_deepest_first(stages: hx.Hint) -> None:
    assert [n.shape[0] for n in stages.layers_] == [16, 12, 8]
    assert stages.layer_ == stages.layers_[0]


def test_another_layer_is_shown_when_asked_for(stages: hx.Hint) -> None:
    other = stages.at(stages.layers_[1].name)
    assert other.scores.shape == (12, 6)
    assert stages.scores.shape == (16, 6)


def test_evidence_has_the_f1_of_every_layer(stages: hx.Hint) -> None:
    found = stages.associations()
    expected = [[stages.at(n.name).f1(c.name) for c in stages.concepts_] for n in stages.layers_]
    assert np.array_equal(found.f1, expected)


# the same answer by every road


def check_same(one: hx.Hint, other: hx.Hint) -> None:
    assert one.images_ == other.images_
    scale = np.abs(one.scores).max()
    assert one.scores == pytest.approx(other.scores, rel=1e-3, abs=1e-4 * scale)
    assert [one.f1(c.name) for c in one.concepts_] == [other.f1(c.name) for c in other.concepts_]


@pytest.mark.parametrize("size", [1, 3, 64])
def test_the_batch_changes_no_answer(hint: hx.Hint, size: int, monkeypatch) -> None:
    monkeypatch.setattr(passes, "BATCH", size)
    check_same(fitted(), hint)


class Crowd(nn.Module):
    """Normalises by the statistics of the batch, in use too."""

    def __init__(self) -> None:
        super().__init__()
        low = nn.Conv2d(8, 8, 3, padding=1)
        norm = nn.BatchNorm2d(8, track_running_stats=False)
        self.low = nn.Sequential(low, norm, nn.ReLU(), nn.MaxPool2d(2))
        self.high = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.high(self.low(x)).mean((2, 3)))


def test_images_of_a_network_that_looks_at_the_whole_batch_are_asked_alone(monkeypatch) -> None:
    model, few = hx.Classifier(Crowd(), classes=planted().classes), DATA[:10]
    monkeypatch.setattr(passes, "BATCH", 1)
    alone = hx.Hint(samples=2).fit(model, few, KINDS, progress=False)
    for size, data in ((4, few), (3, few[::-1])):
        monkeypatch.setattr(passes, "BATCH", size)
        check_same(hx.Hint(samples=2).fit(model, data, KINDS, progress=False), alone)


def test_the_order_of_the_data_changes_no_answer(hint: hx.Hint) -> None:
    check_same(fitted(DATA[::-1]), hint)


def test_a_loader_gives_the_same_answer_as_a_list(hint: hx.Hint) -> None:
    check_same(fitted(DataLoader(DATA, batch_size=7)), hint)


def test_shards_merged_in_any_order_give_the_same_answer(hint: hx.Hint) -> None:
    parts = [fitted(DATA[i::3]) for i in range(3)]
    check_same(parts[2].merge(parts[0]).merge(parts[1]), hint)


def test_workers_of_a_cluster_give_the_same_answer(hint: hx.Hint, client, monkeypatch) -> None:
    monkeypatch.setattr(passes, "LEAST_SHARD", 16)
    found = hx.Hint(samples=2).fit(planted(), DATA, KINDS, client=client, progress=False)
    check_same(found, hint)


def interrupted_after(count: int) -> Iterator[tuple[Tensor, int]]:
    yield from DATA[:count]
    raise KeyboardInterrupt


def test_an_interrupted_fit_goes_on_where_it_ended(hint: hx.Hint) -> None:
    found = hx.Hint(samples=2)
    with pytest.raises(KeyboardInterrupt):
        found.fit(planted(), interrupted_after(40), KINDS, progress=False)
    assert 0 < found.images_ <= 40
    check_same(found.fit(planted(), DATA, KINDS, resume=True, progress=False), hint)


def test_another_process_goes_on_from_the_checkpoint(hint: hx.Hint, tmp_path) -> None:
    path = tmp_path / "half.hint"
    with pytest.raises(KeyboardInterrupt):
        hx.Hint(samples=2).fit(
            planted(), interrupted_after(40), KINDS, checkpoint=path, progress=False
        )
    found = hx.Hint(samples=2)
    found.fit(planted(), DATA, KINDS, checkpoint=path, resume=True, progress=False)
    check_same(found, hint)


def test_a_saved_hint_opens_without_the_network(hint: hx.Hint, tmp_path) -> None:
    found = hx.Hint.load(hint.save(tmp_path / "world.hint"))
    assert np.array_equal(found.scores, hint.scores)
    assert found.neurons("dog") == hint.neurons("dog")
    with pytest.raises(ValueError, match=r"loaded without its network.*Hint\.load\(path, model\)"):
        found.explain(DATA[0][0], "dog")


def never_fitted(*_: object, **__: object) -> None:
    raise AssertionError("classifiers were fitted again")


def test_what_was_asked_once_is_not_fitted_again_from_a_file(
    hint: hx.Hint, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = hint.using("logit").using("owen").concepts(1)
    path = hint.save(tmp_path / "world.hint")
    monkeypatch.setattr("hexplain_widgets.hint.associations.fit_logistic", never_fitted)
    found = hx.Hint.load(path)
    assert found.concepts(1) == known
    assert found.quality("dog") == hint.quality("dog")
    assert hx.Hint.load(found.save(tmp_path / "again.hint")).concepts(1) == known


def test_classifiers_that_know_other_data_or_another_penalty_are_not_taken(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = fitted(DATA[:40]), fitted(DATA[40:])
    first.concepts(1)
    loaded = hx.Hint.load(first.save(tmp_path / "first.hint"))
    monkeypatch.setattr("hexplain_widgets.hint.associations.fit_logistic", never_fitted)
    loaded.penalty = 0.5
    loaded._begin(loaded._statistics)
    for other in (first.merge(second), loaded):
        with pytest.raises(AssertionError, match="fitted again"):
            other.concepts(1)


def test_a_saved_hint_explains_again_with_its_network(hint: hx.Hint, tmp_path) -> None:
    found = hx.Hint.load(hint.save(tmp_path / "world.hint"), planted())
    assert found.explain(DATA[0][0], "dog") == hint.explain(DATA[0][0], "dog")


def test_images_without_labels_count_for_what_the_network_names(hint: hx.Hint) -> None:
    check_same(fitted([x for x, _ in DATA]), hint)


def test_a_part_of_a_data_set_is_a_data_set(hint: hx.Hint) -> None:
    assert fitted(Subset(DATA, range(20))).images_ == 20
