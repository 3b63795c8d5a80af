"""The additive explainer: planted truths, sums that add up, one answer however it is fitted."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

import hexplain_widgets as hx
from hexplain_widgets.additive.concepts import source_of
from hexplain_widgets.additive.distillation import Distillation
from hexplain_widgets.additive.rows import ScorePlan
from hexplain_widgets.fitting import passes
from hexplain_widgets.fitting.passes import Pass
from tests.networks import image, plain
from tests.reference import additive as paper

WEIGHTS = (3.0, -2.0, 1.0, 0.5, 4.0)
BIAS = 0.7
HEADS = ("red", "green", "blue")


class Planted(nn.Module):
    """A linear score of filters' means, with heads along three filters."""

    concept_names = HEADS

    def __init__(self, weights: tuple[float, ...] = WEIGHTS) -> None:
        super().__init__()
        self.maps = nn.Sequential(nn.Conv2d(len(weights), len(weights), 1, bias=False), nn.ReLU())
        self.maps[0].weight.data = torch.eye(len(weights))[:, :, None, None]
        self.head = nn.Linear(len(weights), 2)
        self.head.weight.data = torch.stack([torch.tensor(weights), torch.zeros(len(weights))])
        self.head.bias.data = torch.tensor([BIAS, 0.0])

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.maps(x).mean((2, 3)))

    def concepts(self, x: Tensor) -> Tensor:
        return 2 * self.maps(x).mean((2, 3))[:, :3] - 1


def picture(seed: int) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    loud = 2 * torch.rand(len(WEIGHTS), 1, 1, generator=draw)
    return loud * torch.rand(len(WEIGHTS), 4, 4, generator=draw)


DATA = [(picture(i), i % 2) for i in range(120)]
PARTS = {"wheel": [0, 1], "roof": [2]}


def planted(weights: tuple[float, ...] = WEIGHTS) -> hx.Classifier:
    return hx.Classifier(Planted(weights).eval(), classes=["car", "other"])


def fitted(data: object = DATA, **settings) -> hx.AdditiveExplainer:
    more = {"concepts": "filters", "epochs": 8, **settings}
    return hx.AdditiveExplainer(**more).fit(planted(), data, target="car", progress=False)


@pytest.fixture(scope="module")
def explainer() -> hx.AdditiveExplainer:
    return fitted()


def check_same(one: hx.AdditiveExplainer, other: hx.AdditiveExplainer) -> None:
    x = picture(999)
    found, expected = one.explain(x), other.explain(x)
    # Adam makes more of rounding than rounding is: a thousandth of the contributions.
    assert found.values == pytest.approx(expected.values, abs=2e-3)
    assert found.bias == pytest.approx(expected.bias, abs=2e-3)


# planted truths


@pytest.mark.parametrize("seed", range(5))
def test_contributions_of_a_linear_network_are_recovered_to_one_percent(
    explainer: hx.AdditiveExplainer, seed: int
) -> None:
    x = picture(1000 + seed)
    truth = np.array(WEIGHTS) * x.mean((1, 2)).numpy()
    found = explainer.explain(x)
    assert found.values == pytest.approx(truth, abs=0.01 * np.abs(truth).max())
    assert found.bias == pytest.approx(BIAS, abs=0.01 * np.abs(truth).max())


def test_positive_contributions_are_recovered_where_all_weights_are() -> None:
    weights = (3.0, 2.0, 1.0, 0.5, 4.0)
    engine = hx.AdditiveExplainer(concepts="filters", positive=True, epochs=20)
    engine.fit(planted(weights), DATA, target="car", progress=False)
    x = picture(1000)
    truth = np.array(weights) * x.mean((1, 2)).numpy()
    found = engine.explain(x)
    assert found.values == pytest.approx(truth, abs=0.01 * truth.max())
    assert (found.weights > 0).all()


def test_a_score_that_is_made_of_heads_is_explained_by_them() -> None:
    weights = (3.0, -2.0, 1.0, 0.0, 0.0)
    engine = hx.AdditiveExplainer(concepts="heads", epochs=20)
    engine.fit(planted(weights), DATA, target="car", progress=False)
    x = picture(1000)
    heads = 2 * x.mean((1, 2)).numpy()[:3] - 1
    assert engine.names_ == HEADS
    assert engine.explain(x).values == pytest.approx(np.array(weights[:3]) / 2 * heads, abs=0.03)


def test_a_callable_on_the_layers_maps_explains_like_the_networks_own_heads() -> None:
    def concepts(maps: Tensor) -> Tensor:
        return 2 * maps.mean((2, 3))[:, :3] - 1

    own = fitted(concepts="heads").explain(picture(7))
    other = fitted(concepts=concepts, names=HEADS).explain(picture(7))
    assert other.names == own.names
    assert other.values == pytest.approx(own.values, abs=1e-4)


def test_heads_are_trained_on_a_concept_set() -> None:
    concepts = hx.demo.scenes(16, seed=3, size=64).concepts()
    clf, images = hx.demo.classifier(), list(hx.demo.scenes(8, seed=4, size=64))
    engine = hx.AdditiveExplainer(concepts=concepts, epochs=3)
    engine.fit(clf, images, target="house", progress=False)
    assert "object house" in engine.names_
    assert not any(name.startswith("scene") for name in engine.names_)
    assert any(
        "Too few images with or without" in note for note in engine.explain(images[0][0]).notes
    )


# what is asked once


def rows_of(concepts: object) -> object:
    clf = planted()
    source = source_of(concepts, None, clf, None)
    plan = ScorePlan("car", None, source.heads, source.chosen, 2**30)
    fit = Pass(plan, clf, None, begun=lambda _: None)
    fit.run(DATA[:5], progress=False)
    return fit.statistics


def test_strengths_and_priors_of_filters_are_those_of_equation_5() -> None:
    seen, model = rows_of("filters").all(), planted().model
    for maps, y, w in zip(seen.maps[rows_of("filters").places()], seen.strengths, seen.priors,
                          strict=True):  # fmt: skip
        x = torch.from_numpy(np.array(maps))
        assert y.tolist() == pytest.approx(paper.strength_of_filters(x), rel=1e-5)
        score = lambda m: model.head(m.mean((2, 3)))[:, 0]  # noqa: E731
        assert w.tolist() == pytest.approx(paper.prior_of_filters(score, x), rel=1e-5)


def test_priors_of_heads_are_those_of_case_2() -> None:
    rows, model = rows_of("heads"), planted().model
    seen = rows.all()
    for maps, w in zip(seen.maps[rows.places()], seen.priors, strict=True):
        expected = paper.prior_of_heads(
            lambda m: model.head(m.mean((2, 3)))[:, 0],
            lambda m: 2 * m.mean((2, 3))[:, :3] - 1,
            torch.from_numpy(np.array(maps)),
        )
        assert w.tolist() == pytest.approx(expected, rel=1e-4)


def test_maps_beyond_the_memory_lie_in_a_file_and_give_the_same_answer(
    explainer: hx.AdditiveExplainer,
) -> None:
    small = fitted(memory=1000)
    assert small._statistics._maps.on_disk
    check_same(small, explainer)


def test_the_next_fit_takes_from_the_cache_what_it_knows(tmp_path, monkeypatch) -> None:
    first = fitted(cache=tmp_path)
    monkeypatch.setattr(
        "hexplain_widgets.additive.rows.ScoreExtractor._extract",
        lambda *_: pytest.fail("the network was asked again"),
    )
    again = fitted(cache=tmp_path)
    monkeypatch.undo()
    check_same(again, first)


def test_the_cache_of_another_output_is_another_file(tmp_path) -> None:
    fitted(cache=tmp_path)
    hx.AdditiveExplainer(concepts="filters", cache=tmp_path, epochs=1).fit(
        planted(), DATA, target="other", progress=False
    )
    assert len(list(tmp_path.iterdir())) == 2


# what is said


def test_contributions_bias_and_the_rest_add_up_to_the_score(
    explainer: hx.AdditiveExplainer,
) -> None:
    found = explainer.explain(picture(5), baseline=True)
    for one in (found, found.baseline):
        total = math.fsum([*one.values.tolist(), one.bias, one.unexplained])
        assert total == pytest.approx(one.score, abs=1e-12)
    with torch.no_grad():
        assert found.score == pytest.approx(float(planted().model(picture(5)[None])[0, 0]))


def test_maps_of_filters_add_up_to_contributions(explainer: hx.AdditiveExplainer) -> None:
    found = fitted(concepts=PARTS).explain(picture(5))
    assert found.maps.shape == (3, 4, 4)
    assert found.maps.sum((1, 2)) == pytest.approx(found.values, abs=1e-5)


def test_filters_without_a_part_are_counted_as_others() -> None:
    engine = fitted(concepts=PARTS)
    assert engine.names_ == ("wheel", "roof", "other filters")
    found = engine.explain(picture(5))
    each = found.weights * found.strengths
    assert found.values == pytest.approx([each[:2].sum(), each[2], each[3:].sum()])


def test_labels_of_a_person_give_the_same_parts_as_a_mapping(tmp_path) -> None:
    labels = hx.FilterLabels("maps.1", 5, {0: "wheel", 1: "wheel", 2: "roof"})
    file = labels.save(tmp_path / "names.json")
    expected = fitted(concepts=PARTS)
    for concepts in (labels, file):
        check_same(fitted(concepts=concepts), expected)


def test_a_head_is_explained_by_the_others() -> None:
    engine = hx.AdditiveExplainer(concepts="heads", epochs=2)
    engine.fit(planted(), DATA, target="red", progress=False)
    assert engine.names_ == ("green", "blue")
    found = engine.explain(picture(5))
    assert found.target == "red"
    assert found.score == pytest.approx(float(2 * picture(5).mean((1, 2))[0] - 1))


def test_some_heads_alone_explain_when_they_are_named() -> None:
    assert fitted(concepts=["blue", "red"]).names_ == ("blue", "red")


def test_a_concept_that_is_constant_is_left_out_and_said() -> None:
    dark = [(x * torch.tensor([1.0, 0, 1, 1, 1])[:, None, None], label) for x, label in DATA]
    engine = fitted(dark)
    assert engine.names_ == ("filter 0", "filter 2", "filter 3", "filter 4")
    assert "left out: 1." in engine.explain(picture(5)).notes[0]


def test_images_without_any_prior_are_counted() -> None:
    weights = (-1.0, -2.0, -1.0, -0.5, -4.0)
    engine = hx.AdditiveExplainer(concepts="filters", positive=True, epochs=2)
    engine.fit(planted(weights), DATA, target="car", progress=False)
    assert "In 120 of 120 images no concept has a prior" in engine.explain(picture(5)).notes[0]


def test_what_nothing_explains_is_said_in_words() -> None:
    engine = fitted(concepts=["blue"], epochs=1)
    found = engine.explain(3 * picture(5))
    assert abs(found.unexplained) > 0.2 * found.span
    assert "is explained by no concept" in found.notes[-1]


# the report


def test_the_report_is_better_than_plain_distillation_on_a_linear_network() -> None:
    report = fitted(concepts=PARTS).report(DATA[:40], seeds=2, progress=False)
    assert report.ours.part_error.shape == (2, 3)
    print(report, report.ours.part_error, report.plain.part_error)
    assert report.ours.part_error.mean() < report.plain.part_error.mean() / 2
    assert report.ours.deviation.max() < 0.01
    assert "entropy (nats)" in repr(report)


def test_the_error_against_ablation_is_the_papers() -> None:
    engine = fitted(concepts=PARTS)
    images = [DATA[i][0] for i in range(20)]
    report = engine.report(images, seeds=1, progress=False)
    model, groups = planted().model, [[0, 1], [2], [3, 4]]
    score = lambda m: model.head(m.mean((2, 3)))[:, 0].detach()  # noqa: E731
    some = [x for x in images if float(score(x[None])) > 0]
    truth = [paper.truth_of_parts(score, x, groups) for x in some]
    scores = [float(score(x[None])) for x in some]
    mine = [engine.explain(x).values for x in some]
    for part in range(3):
        expected = paper.part_error(mine, truth, scores, part)
        assert report.ours.part_error[0, part] == pytest.approx(expected, abs=1e-6)


def test_heads_have_no_error_against_ablation_and_that_is_said() -> None:
    report = fitted(concepts="heads").report(DATA[:40], seeds=1, progress=False)
    assert report.ours.part_error is None
    assert any("cannot be taken out" in note for note in report.notes)


def test_images_without_labels_are_judged_by_the_networks_own_decision() -> None:
    images = [x for x, _ in DATA]
    report = fitted(images).report(images[:30], seeds=1, progress=False)
    assert "own decision" in report.truth


# however it is fitted


@pytest.mark.parametrize("size", [1, 7])
def test_the_batch_changes_no_answer(explainer, size: int, monkeypatch) -> None:
    monkeypatch.setattr(passes, "BATCH", size)
    check_same(fitted(), explainer)


def test_the_order_of_the_data_changes_no_answer(explainer: hx.AdditiveExplainer) -> None:
    check_same(fitted(DATA[::-1]), explainer)


def test_a_loader_gives_the_same_answer_as_a_list(explainer: hx.AdditiveExplainer) -> None:
    check_same(fitted(DataLoader(DATA, batch_size=7)), explainer)


def test_workers_of_a_cluster_give_the_same_answer(explainer, client, monkeypatch) -> None:
    monkeypatch.setattr(passes, "LEAST_SHARD", 16)
    engine = hx.AdditiveExplainer(concepts="filters", epochs=8)
    engine.fit(planted(), DATA, target="car", client=client, progress=False)
    check_same(engine, explainer)


def interrupted_after(count: int) -> Iterator[tuple[Tensor, int]]:
    yield from DATA[:count]
    raise KeyboardInterrupt


def test_an_interrupted_pass_goes_on_where_it_ended(explainer: hx.AdditiveExplainer) -> None:
    found = hx.AdditiveExplainer(concepts="filters", epochs=8)
    with pytest.raises(KeyboardInterrupt):
        found.fit(planted(), interrupted_after(40), target="car", progress=False)
    assert 0 < found._statistics.images <= 40
    with pytest.raises(ValueError, match="not fitted to its end"):
        found.explain(picture(0))
    found.fit(planted(), DATA, target="car", resume=True, progress=False)
    check_same(found, explainer)


def test_another_process_goes_on_from_the_checkpoint(
    explainer: hx.AdditiveExplainer, tmp_path
) -> None:
    path = tmp_path / "half.hx"
    first = hx.AdditiveExplainer(concepts="filters", epochs=8)
    with pytest.raises(KeyboardInterrupt):
        first.fit(planted(), interrupted_after(100), target="car", checkpoint=path, progress=False)
    found = hx.AdditiveExplainer(concepts="filters", epochs=8)
    found.fit(planted(), DATA, target="car", checkpoint=path, resume=True, progress=False)
    check_same(found, explainer)


def test_interrupted_epochs_go_on_where_they_ended(explainer, monkeypatch) -> None:
    step, left = Distillation._step, [10]

    def once(self, some, number):
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return step(self, some, number)

    monkeypatch.setattr(Distillation, "_step", once)
    found = hx.AdditiveExplainer(concepts="filters", epochs=8)
    with pytest.raises(KeyboardInterrupt):
        found.fit(planted(), DATA, target="car", progress=False)
    epochs = len(found.losses_)
    assert 0 < epochs < 8
    found.fit(planted(), DATA, target="car", resume=True, progress=False)
    assert len(found.losses_) == len(explainer.losses_)
    check_same(found, explainer)


def test_it_stops_early_where_held_out_images_gain_nothing() -> None:
    engine = fitted(epochs=60, patience=2)
    losses = [loss.held_out for loss in engine.losses_]
    assert len(losses) < 60
    assert len(losses) - (int(np.argmin(losses)) + 1) == 3


def test_the_bar_of_a_fit_that_stops_early_ends_full(capsys) -> None:
    engine = hx.AdditiveExplainer(concepts="filters", epochs=60, patience=2)
    engine.fit(planted(), DATA, target="car")
    epochs = len(engine.losses_)
    assert f"{epochs}/{epochs}" in capsys.readouterr().err.split("\r")[-1]


def test_a_saved_explainer_explains_as_before(explainer, tmp_path) -> None:
    explainer.explain(picture(1), baseline=True)
    path = explainer.save(tmp_path / "car.hx")
    found = hx.AdditiveExplainer.load(path, planted())
    one, other = (e.explain(picture(1), baseline=True) for e in (explainer, found))
    assert one.values.tolist() == other.values.tolist()
    assert one.baseline.values.tolist() == other.baseline.values.tolist()
    assert one.notes == other.notes


@pytest.mark.parametrize("concepts", ["heads", ["red", "blue"], PARTS])
def test_every_kind_of_concepts_is_saved(concepts: object, tmp_path) -> None:
    engine = fitted(concepts=concepts, epochs=2)
    found = hx.AdditiveExplainer.load(engine.save(tmp_path / "some.hx"), planted())
    assert found.names_ == engine.names_
    check_same(found, engine)


def test_evidence_is_saved_and_opened_again(explainer, tmp_path) -> None:
    found = explainer.explain(picture(1), baseline=True)
    assert hx.load(hx.save(found, tmp_path / "one.hx")) == found
    report = fitted(concepts=PARTS, epochs=2).report(DATA[:20], seeds=2, progress=False)
    assert hx.load(hx.save(report, tmp_path / "report.hx")) == report


@pytest.mark.parametrize("usual", [torch.float64, torch.bfloat16])
def test_another_usual_type_of_numbers_changes_no_type_of_an_explainer(usual: torch.dtype) -> None:
    model, images = plain(), [image(12, seed)[0] for seed in range(6)]
    torch.set_default_dtype(usual)
    try:
        engine = hx.AdditiveExplainer(concepts="filters", epochs=1)
        found = engine.fit(model, images, target=0, progress=False).explain(images[0])
    finally:
        torch.set_default_dtype(torch.float32)
    assert float(found.values.sum()) + found.bias + found.unexplained == pytest.approx(found.score)
    assert found.score == pytest.approx(float(model(images[0][None])[0, 0].detach()), rel=1e-5)
