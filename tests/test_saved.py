"""What an earlier version saved opens in this one; `saved/make.py` says how it was written."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

import hexplain_widgets as hx
from tests.saved import world
from tests.saved.facts import ADDED, facts
from tests.saved.make import LABELS, one_layer

SAVED = Path(__file__).parent / "saved"
LATER = SAVED / "later"
EXPECTED: dict[str, Any] = {
    name: of
    for folder in (SAVED, LATER)
    for name, of in json.loads((folder / "expected.json").read_text(encoding="utf-8")).items()
}
# bundles of views that the kept notebook does not know yet
NEWER = {
    "confusion_matrix.js",
    "contact_sheet.js",
    "localization_picture.js",
    "localization_report.js",
    "method_grid.js",
}
VIEWS = {
    "AdditiveReport": hx.ExplainerReport,
    "AttackedDecision": hx.AttackComparison,
    "AttackedSet": hx.AttackComparison,
    "ChannelImportance": hx.ChannelMatrix,
    "ChannelOverlap": hx.ChannelVenn,
    "ClassHeatMaps": hx.ContactSheet,
    "ConceptInference": hx.ConceptTree,
    "ConceptUnits": hx.UnitReport,
    "ConfusionSummary": hx.ConfusionMatrix,
    "ContextSummary": hx.ContextReport,
    "Contributions": hx.ContributionReport,
    "Decomposition": hx.DecompositionTree,
    "DegreeSummary": hx.ContextReport,
    "ExplainerCapacity": hx.ExplainerReport,
    "Failure": hx.FailureAnalysis,
    "FaithfulnessSummary": hx.FaithfulnessReport,
    "FilterSheet": hx.FilterLabeler,
    "HeatMap": hx.LayerHeatmaps,
    "HeatMapSheet": hx.LayerHeatmaps,
    "InferenceComparison": hx.InferenceSpace,
    "Localization": hx.LocalizationPicture,
    "LocalizationSummary": hx.LocalizationReport,
    "MethodSheet": hx.MethodGrid,
    "NeuronConcepts": hx.NeuronConceptGraph,
    "RandomisationSummary": hx.RandomisationReport,
}
# the file of each engine, and the kind that it says to be
STATES = {
    "Chip.hx": "Chip",
    "Hint.hx": "Hint",
    "Chain.hx": "Chain",
    "AdditiveExplainer.hx": "AdditiveExplainer",
    "AdditiveExplainer_own.hx": "AdditiveExplainer",
    "AdditiveRows.hx": "AdditiveRows",
}
every_evidence = pytest.mark.parametrize("name", sorted(EXPECTED))


def saved(name: str) -> Any:
    return hx.load((SAVED if (SAVED / name).is_file() else LATER) / name)


def house() -> Image.Image:
    """The scene that was explained, as the network saw it."""
    return Image.fromarray(saved("HeatMap.hx").image)


def check_alike(found: Any, expected: Any, within: float = 1e-4) -> None:
    """Equal to rounding, as another version of torch may round."""
    if isinstance(expected, hx.Evidence):
        assert type(found) is type(expected)
        for name in (f.name for f in fields(expected) if f.name not in ("versions", "seconds")):
            one, other = getattr(found, name), getattr(expected, name)
            if other is None and name in ADDED.get(type(expected).__name__, ()):
                continue  # an earlier version did not say
            if name == "settings":  # of which a later version has more
                one = {n: one[n] for n in other}
            check_alike(one, other, within)
    elif isinstance(expected, tuple):
        for one, other in zip(found, expected, strict=True):
            check_alike(one, other, within)
    elif isinstance(expected, np.ndarray | float):
        scale = float(np.abs(expected).max(initial=0)) if np.size(expected) else 0.0
        assert found == pytest.approx(expected, rel=within, abs=within * max(scale, 1e-3))
    else:
        assert found == expected


# evidence


def test_there_is_a_file_of_every_kind_of_evidence() -> None:
    kinds = {
        k.__name__ for k in hx.Evidence.__subclasses__() if k.__module__.startswith(hx.__name__)
    }
    assert {of["class"] for of in EXPECTED.values()} == kinds
    assert {f.name for f in SAVED.rglob("*.hx")} == {*EXPECTED, *STATES}


@every_evidence
def test_evidence_holds_what_was_saved(name: str) -> None:
    assert json.loads(json.dumps(facts(saved(name)))) == EXPECTED[name]


@every_evidence
def test_evidence_is_saved_again_and_is_equal(name: str, tmp_path: Path) -> None:
    assert hx.load(hx.save(saved(name), tmp_path / "again.hx")) == saved(name)


@pytest.mark.parametrize("kind", sorted(VIEWS))
def test_evidence_has_the_view_that_it_had(kind: str) -> None:
    view = hx.show(saved(f"{kind}.hx"))
    assert isinstance(view, VIEWS[kind])
    view.close()


@pytest.mark.parametrize("kind", sorted(VIEWS.keys() - {"HeatMap"}))
def test_a_view_holds_the_evidence_that_it_was_given(kind: str) -> None:
    evidence = saved(f"{kind}.hx")
    view = hx.show(evidence)
    assert view.evidence in (evidence, (evidence,))
    view.close()


@pytest.mark.parametrize("kind", ["Node", "Layer", "PixelCurves"])
def test_what_had_no_view_has_none(kind: str) -> None:
    with pytest.raises(TypeError, match=f"got {kind} to show"):
        hx.show(saved(f"{kind}.hx"))


# engines


@pytest.mark.parametrize("name", sorted(STATES))
def test_a_state_says_which_engine_wrote_it(name: str) -> None:
    with safe_open(SAVED / name, framework="numpy") as file:
        entry = json.loads(file.metadata()["hexplain_widgets.state"])
    assert (entry["format"], entry["kind"]) == (1, STATES[name])


@pytest.mark.parametrize("path", sorted(SAVED.rglob("*.hx")), ids=lambda path: path.name)
def test_no_file_names_a_module(path: Path) -> None:
    assert not re.search(rb"hexplain_widgets\.(?!state\")", path.read_bytes())


def test_a_chip_needs_no_network_for_what_it_learned() -> None:
    chip = hx.Chip.load(SAVED / "Chip.hx")
    assert repr(chip) == "Chip(sparsity=0.003, equal logit, 6 images)"
    assert [one.name for one in chip.layers_] == ["4", "1"]
    assert chip.classes_ == world.CLASSES
    check_alike(chip.matrix(), saved("ChannelImportance.hx"))
    overlap = saved("ChannelOverlap.hx")
    assert chip.overlap(list(world.CLASSES), top=3).channels == overlap.channels
    portrait = chip.portraits([overlap.portraits[0].channel])[0]
    assert portrait.values[:2] == pytest.approx(overlap.portraits[0].values)
    assert np.array_equal(portrait.images[:2, ::4, ::4], overlap.portraits[0].images)


def test_a_chip_explains_as_before() -> None:
    chip = hx.Chip.load(SAVED / "Chip.hx", world.classifier())
    check_alike(chip.explain(house(), "house"), saved("HeatMap.hx"))
    check_alike(chip.faithfulness(house(), "house", rivals=0), saved("Faithfulness.hx"))
    found = chip.localize(house(), "house", truth=(2, 2, 12, 14))
    assert found.truth == (2, 2, 12, 14)
    check_alike(replace(found, truth=None), saved("Localization.hx"))


def test_a_hint_knows_its_concepts_as_before() -> None:
    hint = hx.Hint.load(SAVED / "Hint.hx", world.classifier())
    assert repr(hint) == "Hint(gradient_x_input, owen, 9 images)"
    expected = saved("NeuronConcepts.hx")
    found = hint.associations(top=2, images=[house()], maps_of=["built"])
    # classifiers are within a millionth of their least loss, themselves to some thousandths
    for name in ("concepts", "neurons", "scores", "qualities", "layers", "f1", "maps"):
        check_alike(getattr(found, name), getattr(expected, name), within=5e-3)
    check_alike(hint.neurons("built", top=1)[0], saved("ConceptScore.hx"), within=5e-3)


def test_a_chain_infers_as_before() -> None:
    chain = hx.Chain.load(SAVED / "Chain.hx", world.classifier())
    assert repr(chain) == "Chain(scene, object, color, 9 images)"
    check_alike(chain.explain(house(), "house"), saved("ConceptInference.hx"))


def test_an_additive_explainer_explains_as_before() -> None:
    found = hx.AdditiveExplainer.load(SAVED / "AdditiveExplainer.hx", world.classifier())
    assert repr(found) == "AdditiveExplainer('house' by 3 concepts at 4, 9 images)"
    expected = saved("Contributions.hx")
    contributions = found.explain(house())
    for name in ("names", "values", "bias", "score", "weights", "strengths", "maps", "drops"):
        check_alike(getattr(contributions, name), getattr(expected, name))


def test_an_explainer_with_heads_and_a_network_of_its_own_explains() -> None:
    path = SAVED / "AdditiveExplainer_own.hx"
    found = hx.AdditiveExplainer.load(path, world.classifier(), network=one_layer)
    contributions = found.explain(house(), baseline=True)
    assert contributions.kind == "heads"
    assert contributions.score == pytest.approx(saved("Contributions.hx").score)
    assert contributions.baseline is not None
    assert contributions.baseline.names == contributions.names == found.names_


Answer = Callable[[Any], Any]
ENGINES: dict[str, tuple[Any, Answer]] = {
    "Chip.hx": (hx.Chip, lambda engine: engine.explain(house(), "house")),
    "Hint.hx": (hx.Hint, lambda engine: engine.explain(house(), "built")),
    "Chain.hx": (hx.Chain, lambda engine: engine.explain(house(), "house")),
    "AdditiveExplainer.hx": (hx.AdditiveExplainer, lambda engine: engine.explain(house())),
}


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_an_engine_is_saved_again_and_answers_the_same(name: str, tmp_path: Path) -> None:
    kind, answer = ENGINES[name]
    old = kind.load(SAVED / name, world.classifier())
    again = kind.load(old.save(tmp_path / "again.hx"), world.classifier())
    assert answer(again) == answer(old)


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_the_file_of_another_engine_is_refused(name: str) -> None:
    kind, _ = ENGINES[name]
    other = "Hint.hx" if name == "Chip.hx" else "Chip.hx"
    with pytest.raises(ValueError, match=r"a saved|a file written by"):
        kind.load(SAVED / other)


# fits that go on


def copy_of(name: str, folder: Path) -> Path:
    return Path(shutil.copy(SAVED / name, folder / name))


def test_a_chip_goes_on_from_an_old_checkpoint(tmp_path: Path) -> None:
    more = {"resume": True, "checkpoint": copy_of("Chip.hx", tmp_path), "progress": False}
    clf, data = world.classifier(), world.pictures()
    found = hx.Chip(gates_per_image=8).fit(clf, data, **more)
    fresh = hx.Chip(gates_per_image=8).fit(clf, data, progress=False)
    assert found.images_ == 9
    check_alike(found.matrix(), fresh.matrix())


def test_a_hint_goes_on_from_an_old_checkpoint(tmp_path: Path) -> None:
    more = {"resume": True, "checkpoint": copy_of("Hint.hx", tmp_path), "progress": False}
    hint = hx.Hint(layer=["4"], samples=2, vectors=8)
    hint.fit(world.classifier(), world.pictures(4), world.HIERARCHY, **more)
    assert hint.images_ == 12


def test_a_chain_goes_on_from_an_old_checkpoint(tmp_path: Path) -> None:
    more = {"resume": True, "checkpoint": copy_of("Chain.hx", tmp_path), "progress": False}
    chain = hx.Chain(levels=world.LEVELS, gates=20, max_concepts=2)
    chain.fit(world.classifier(), world.Labelled(4), **more)
    assert repr(chain) == "Chain(scene, object, color, 12 images)"


def additive(**settings: Any) -> hx.AdditiveExplainer:
    return hx.AdditiveExplainer(concepts=world.CONCEPTS, epochs=3, held_out=0.4, **settings)


def test_an_additive_explainer_goes_on_from_an_old_checkpoint(tmp_path: Path) -> None:
    more = {"resume": True, "checkpoint": copy_of("AdditiveRows.hx", tmp_path), "progress": False}
    found = additive().fit(world.classifier(), world.pictures(), target="house", **more)
    # Adam makes more of rounding than rounding is
    expected = saved("Contributions.hx").values
    assert found.explain(house()).values == pytest.approx(expected, rel=2e-2, abs=2e-2)


def test_an_old_cache_is_found_and_left_as_it_is(tmp_path: Path) -> None:
    known = copy_of("AdditiveRows.hx", tmp_path).rename(tmp_path / "f97e28020ce7a05f310c45b0.hx")
    data = world.pictures()
    additive(cache=tmp_path).fit(world.classifier(), data, target="house", progress=False)
    assert list(tmp_path.iterdir()) == [known]
    assert known.read_bytes() == (SAVED / "AdditiveRows.hx").read_bytes()


# names and notebooks


def test_names_of_filters_are_opened() -> None:
    assert hx.FilterLabels.load(SAVED / "FilterLabels.json") == LABELS


def test_the_kept_notebook_has_a_view_of_every_bundle() -> None:
    metadata = json.loads((SAVED / "notebook.ipynb").read_text(encoding="utf-8"))["metadata"]
    state = metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    bundles = {m["state"]["_esm"] for m in state.values() if "_esm" in m["state"]}
    static = Path(hx.__file__).parent / "static"
    assert bundles | NEWER == {file.name for file in static.glob("*.js")}


def test_the_kept_files_are_small() -> None:
    assert sum(f.stat().st_size for f in SAVED.glob("*.*") if f.suffix != ".py") < 500_000
