"""What the additive explainer says when something is wrong with what it was given."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

import hexplain_widgets as hx
from tests.additive.test_engine import DATA, HEADS, PARTS, fitted, picture, planted
from tests.networks import image, plain


def fit(concepts: object = "filters", data: object = DATA[:24], target: object = "car", **settings):
    engine = hx.AdditiveExplainer(concepts=concepts, **{"epochs": 2, **settings})
    return engine.fit(planted(), data, target=target, progress=False)


@pytest.mark.parametrize("concepts", [{}, {"wheel": []}, hx.FilterLabels("maps.1", 5)])
def test_parts_without_a_filter_are_refused(concepts: object) -> None:
    with pytest.raises(ValueError, match=r"no filter is given to any part.*hx.FilterLabeler"):
        fit(concepts)


def test_names_of_another_layers_filters_are_refused() -> None:
    labels = hx.FilterLabels("maps.0", 5, {0: "wheel"})
    with pytest.raises(ValueError, match=r"5 filters of 'maps.0'; those of 'maps'"):
        fit(labels, layer="maps")


def test_names_for_a_network_with_other_weights_are_refused() -> None:
    labels = hx.FilterLabels("maps", 5, {0: "wheel"}, network="another")
    with pytest.raises(ValueError, match=r"other weights.*name them again"):
        fit(labels)


def test_a_filter_the_layer_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a name for filter 7.*expected 0 to 4"):
        fit({"wheel": [7]})


def test_a_filter_given_to_two_parts_is_refused() -> None:
    with pytest.raises(ValueError, match=r"filter 1 for 'wheel' and for 'roof'"):
        fit({"wheel": [0, 1], "roof": [1]})


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"got concepts='nmaes.json', and there is no such file"):
        fit("nmaes.json")


def test_concepts_of_no_known_kind_are_refused() -> None:
    with pytest.raises(TypeError, match=r"got int as concepts; expected 'heads'"):
        fit(3)


def test_a_network_without_heads_says_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"Sequential has no concept heads.*concepts\(x\)"):
        hx.AdditiveExplainer().fit(plain(), [image(24)], target=0, progress=False)


def test_an_unknown_head_is_named_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"got the concept 'gren'.*'green'"):
        fit(["gren"])


def test_a_callable_without_names_is_refused() -> None:
    with pytest.raises(ValueError, match=r"names of the concepts of a callable.*names=\[...\]"):
        fit(lambda maps: maps.mean((2, 3)))


def test_a_callable_that_scores_other_concepts_than_named_is_refused() -> None:
    with pytest.raises(ValueError, match=r"gave \(8, 5\) for maps.*expected scores \(8, 2\)"):
        fit(lambda maps: maps.mean((2, 3)), names=["one", "two"])


def test_several_outputs_and_no_target_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"2 outputs and no target.*pass fit\(..., target=...\)"):
        fit(target=None)


def test_a_single_output_needs_no_target() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(5, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                          nn.Linear(4, 1)).eval()  # fmt: skip
    engine = hx.AdditiveExplainer(concepts="filters", epochs=2, layer="1")
    engine.fit(model, [x for x, _ in DATA[:24]], progress=False)
    assert engine.target_ == "class 1"


def test_an_unknown_target_is_named_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"'cra'"):
        fit(target="cra")
    with pytest.raises(ValueError, match=r"neither a class nor a concept head.*'blue'"):
        fit("heads", target="bleu")


def test_a_head_alone_cannot_explain_itself() -> None:
    with pytest.raises(ValueError, match=r"no concept is left to explain 'red' by"):
        fit(["red"], target="red")


def test_concepts_that_are_all_constant_explain_nothing() -> None:
    same = [(torch.ones(5, 4, 4), 0)] * 12
    with pytest.raises(ValueError, match=r"all 5 concepts are the same in all 12 images"):
        fit(data=same)


def test_no_data_is_an_error() -> None:
    with pytest.raises(ValueError, match="without a single image"):
        fit(data=[])


def test_images_of_several_sizes_are_refused() -> None:
    data = [(picture(0), 0), (torch.rand(5, 6, 6), 0)]
    with pytest.raises(ValueError, match=r"feature maps of .* after maps of .*transform"):
        fit(data=data)


def test_a_wrong_label_is_refused() -> None:
    with pytest.raises(ValueError, match=r"got the label 5"):
        fit(data=[(picture(0), 5)])


def test_a_loss_that_diverges_stops_and_names_the_rate() -> None:
    engine = hx.AdditiveExplainer(concepts="filters", rate=1e6, epochs=5)
    with pytest.raises(ValueError, match=r"diverged in epoch 1.*rate=1e\+06.*rate=100000"):
        engine.fit(planted(), DATA, target="car", progress=False)
    assert engine._statistics.images == len(DATA)
    with pytest.raises(ValueError, match="not fitted to its end"):
        engine.explain(picture(0))


def test_values_that_are_not_finite_name_the_layer() -> None:
    clf = planted()
    clf.model.maps[0].weight.data[0] = float("inf")
    with pytest.raises(ValueError, match="NaN or infinite"):
        hx.AdditiveExplainer(concepts="filters").fit(clf, DATA[:8], target="car", progress=False)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"network": "smal"}, "nearest is 'small'|nearest is small"),
        ({"epochs": 0}, "epochs=0; expected at least 1"),
        ({"held_out": 1.0}, "share between 0 and 1"),
        ({"beta": -1.0}, "beta=-1.0; expected 0 or a positive number"),
        ({"rate": 0.0}, "rate=0.0; expected a positive number"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict, said: str, unchecked) -> None:
    with pytest.raises(ValueError, match=said):
        hx.AdditiveExplainer(**settings)


def test_explaining_before_a_fit_says_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"not fitted to its end.*call fit\(classifier"):
        hx.AdditiveExplainer().explain(picture(0))


def test_without_its_network_a_saved_explainer_explains_nothing(tmp_path) -> None:
    found = hx.AdditiveExplainer.load(fit().save(tmp_path / "one.hx"))
    assert found.target_ == "car"
    with pytest.raises(ValueError, match=r"loaded without its network.*load\(path, model\)"):
        found.explain(picture(0))


def test_without_its_data_a_saved_explainer_has_no_baseline_and_no_report(tmp_path) -> None:
    found = hx.AdditiveExplainer.load(fit().save(tmp_path / "one.hx"), planted())
    with pytest.raises(ValueError, match=r"no baseline, and no data.*baseline=False"):
        found.explain(picture(0), baseline=True)
    with pytest.raises(ValueError, match=r"without the data it was fitted on"):
        found.report(DATA[:4], progress=False)


def test_another_network_is_refused(tmp_path) -> None:
    path = fit().save(tmp_path / "one.hx")
    with pytest.raises(ValueError, match="another network"):
        hx.AdditiveExplainer.load(path, planted((1.0,) * 5))


def test_a_callable_is_to_be_passed_again(tmp_path) -> None:
    def concepts(maps: torch.Tensor) -> torch.Tensor:
        return maps.mean((2, 3))[:, :3]

    engine = fit(concepts, names=HEADS)
    path = engine.save(tmp_path / "own.hx")
    with pytest.raises(ValueError, match=r"by a callable.*pass it again: .*concepts="):
        hx.AdditiveExplainer.load(path, planted())
    found = hx.AdditiveExplainer.load(path, planted(), concepts=concepts)
    assert found.explain(picture(0)).values == pytest.approx(engine.explain(picture(0)).values)


@pytest.mark.parametrize("damage", ["cut", "other"])
def test_a_damaged_file_is_refused(damage: str, tmp_path) -> None:
    path = fit().save(tmp_path / "one.hx")
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        path = hx.save(fit().explain(picture(0)), tmp_path / "two.hx")
    with pytest.raises(ValueError, match="cannot load"):
        hx.AdditiveExplainer.load(path)


def test_a_cache_of_another_kind_is_refused(tmp_path) -> None:
    engine = fit(cache=tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"something else")
    with pytest.raises(ValueError, match="cannot load"):
        fit(cache=tmp_path)
    assert engine.explain(picture(0)).score


def test_data_that_go_on_for_another_output_are_refused() -> None:
    engine = fit()
    for data in (DATA, DATA[:24]):
        with pytest.raises(ValueError, match=r"rows of another output to explain"):
            engine.fit(planted(), data, target="other", resume=True, progress=False)


def test_a_report_of_images_of_one_kind_says_that_accuracy_says_nothing() -> None:
    same = [(x, 0) for x, _ in DATA[:10]]
    report = fitted(concepts=PARTS).report(same, seeds=1, progress=False)
    assert any("judged alike" in note for note in report.notes)


def test_contributions_are_frozen() -> None:
    found = fit().explain(picture(0))
    assert np.isfinite(found.values).all()
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.bias = 0.0
