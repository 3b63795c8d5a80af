"""Every public call that can take more than two seconds shows what it does, how far, how long."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pytest

import hexplain_widgets as hx
from tests import chain_world
from tests.networks import image, plain

ENGINES = (
    hx.Chip, hx.Hint, hx.Chain, hx.AdditiveExplainer, hx.FilterGallery, hx.Decomposer,
)  # fmt: skip


@dataclass
class Made:
    """Fitted engines of which nothing was asked yet, on networks of a few channels."""

    folder: Any

    @cached_property
    def clf(self) -> hx.Classifier:
        return hx.Classifier(plain(), classes=["a", "b", "c", "d", "e"])

    @cached_property
    def data(self) -> list[tuple[Any, int]]:
        return [(image(24, seed)[0], seed % 2) for seed in range(6)]

    @property
    def x(self) -> Any:
        return self.data[0][0][None]

    @property
    def box(self) -> tuple[int, int, int, int]:
        return (2, 2, 12, 12)

    @property
    def chip(self) -> hx.Chip:
        return self._anew(hx.Chip, self._chip_file, self.clf)

    @property
    def hint(self) -> hx.Hint:
        return self._anew(hx.Hint, self._hint_file, self.clf)

    @property
    def chain(self) -> hx.Chain:
        return self._anew(hx.Chain, self._chain_file, chain_world.classifier())

    @property
    def pictures(self) -> list[Any]:
        return [chain_world.item(number).image for number in (31, 32)]

    @cached_property
    def tree(self) -> tuple[hx.Decomposer, hx.Decomposition]:
        engine = hx.Decomposer(self.clf, self.x, layers=["4"])
        return engine, engine.tree(progress=False)

    @cached_property
    def additive(self) -> hx.AdditiveExplainer:
        explainer = hx.AdditiveExplainer(concepts={"one": [0, 1], "two": [2]}, epochs=2)
        return explainer.fit(self.clf, self.data, target=0, progress=False)

    @staticmethod
    def _anew(kind: Any, file: Any, clf: hx.Classifier) -> Any:
        return kind.load(file, clf)

    @cached_property
    def _chip_file(self) -> Any:
        chip = hx.Chip(layers=["4"], gates_per_image=4)
        return chip.fit(self.clf, self.data, progress=False).save(self.folder / "chip.hx")

    @cached_property
    def _hint_file(self) -> Any:
        hierarchy = hx.Hierarchy.of({"both": ["a", "b"]})
        hint = hx.Hint(layer="4", vectors=30).fit(self.clf, self.data, hierarchy, progress=False)
        hint.penalty = 0.2  # not the one that its classifiers were fitted with
        return hint.save(self.folder / "hint.hx")

    @cached_property
    def _chain_file(self) -> Any:
        return chain_world.fitted().save(self.folder / "chain.hx")


Call = Callable[[Made], object]


def two_layers(made: Made) -> hx.Chip:
    chip = hx.Chip(layers=["1", "4"], gates_per_image=4)
    return chip.fit(made.clf, made.data, progress=False)


CHIP, HINT = "CHIP: importance of 4", "HINT: classifiers at 4"
GATES = "CHAIN: gates on"

# By name what is called, and what a bar says then.
LONG: dict[str, tuple[Call, str]] = {
    "Chip.fit": (lambda m: hx.Chip(gates_per_image=4).fit(m.clf, m.data), "fitting Chip"),
    "Chip.refit": (lambda m: m.chip.refit(sparsity=0.02).importance(), CHIP),
    "Chip.importance": (lambda m: m.chip.importance(), CHIP),
    "Chip.matrix": (lambda m: m.chip.matrix(), CHIP),
    "Chip.overlap": (lambda m: m.chip.overlap(["a", "b"]), CHIP),
    "Chip.explain": (lambda m: m.chip.explain(m.x, "a"), CHIP),
    "Chip.refine": (lambda m: two_layers(m).refine(m.x, "a"), "CHIP: importance of 1"),
    "Chip.guide": (lambda m: m.chip.guide(m.x, "a"), CHIP),
    "Chip.localize": (lambda m: m.chip.localize(m.x, "a"), CHIP),
    "Chip.saliency": (lambda m: m.chip.saliency(m.x, "a"), CHIP),
    "Chip.faithfulness": (lambda m: m.chip.faithfulness(m.x, "a"), "ablation: without each"),
    "Chip.agreement": (lambda m: m.chip.agreement("a", m.data), "CHIP: a without each channel"),
    "Chip.calibrate": (lambda m: m.chip.calibrate([(m.x, "a", m.box)]), "CHIP: maps to calibrate"),
    "Chip.heatmaps": (lambda m: m.chip.heatmaps(m.x), "CHIP: heatmaps"),
    "Chip.class_heatmaps": (
        lambda m: m.chip.class_heatmaps([m.x]),
        "CHIP: heatmaps of images",
    ),
    "Hint.fit": (lambda m: hx.Hint(layer="4").fit(m.clf, m.data, {"both": [0, 1]}), "fitting Hint"),
    "Hint.fit, classifiers": (
        lambda m: hx.Hint(layer="4").fit(m.clf, m.data, {"both": [0, 1]}),
        "HINT: classifiers",
    ),
    "Hint.scores": (lambda m: m.hint.scores, "HINT: neurons of 4"),
    "Hint.neurons": (lambda m: m.hint.neurons("a"), "HINT: neurons of 4"),
    "Hint.concepts": (lambda m: m.hint.concepts(3), HINT),
    "Hint.quality": (lambda m: m.hint.quality("a"), HINT),
    "Hint.f1": (lambda m: m.hint.f1("a"), HINT),
    "Hint.narrowed": (lambda m: m.hint.narrowed(2), "HINT: neurons of 4"),
    "Hint.associations": (lambda m: m.hint.associations(), "HINT: neurons of 4"),
    "Hint.explain": (lambda m: m.hint.explain(m.x, "a"), HINT),
    "Hint.localize": (lambda m: m.hint.localize(m.x, "a"), HINT),
    "Hint.calibrate": (lambda m: m.hint.calibrate([(m.x, "a", m.box)]), "HINT: maps to calibrate"),
    "Chain.fit": (
        lambda m: chain_world.chain().fit(chain_world.classifier(), chain_world.Pictures([1, 2])),
        "fitting Chain",
    ),
    "Chain.harmonized_": (lambda m: m.chain.harmonized_, "CHAIN: harmonising levels"),
    "Chain.units": (
        lambda m: m.chain.units(m.chain.concepts_["part"][0]),
        "CHAIN: harmonising levels",
    ),
    "Chain.precision_": (lambda m: m.chain.precision_, "CHAIN: harmonising levels"),
    "Chain.explain": (lambda m: m.chain.explain(m.pictures[0]), f"{GATES} 1 image: 100%"),
    "Chain.explain_class": (
        lambda m: m.chain.explain_class(m.pictures, "valley"),
        f"{GATES} 2 images: 100%",
    ),
    "Chain.compare": (lambda m: m.chain.compare({"a": m.pictures}, "valley"), f"{GATES} 2 images"),
    "Chain.compare, each image": (
        lambda m: m.chain.compare({"a": m.pictures}, "valley", inferences=True),
        "CHAIN: inferring images",
    ),
    "Chain.faithfulness": (
        lambda m: m.chain.faithfulness(m.chain.explain(m.pictures[0]), m.pictures[0]),
        "CHAIN: images without each channel",
    ),
    "Chain.agreement": (
        lambda m: m.chain.agreement(
            m.chain.compare({"a": m.pictures}, "valley"), 0, m.pictures[0]
        ),
        "CHAIN: without each channel of",
    ),
    "AdditiveExplainer.fit": (
        lambda m: hx.AdditiveExplainer(concepts={"one": [0, 1], "two": [2]}, epochs=2).fit(
            m.clf, m.data, target=0
        ),
        "additive explainer: distilling",
    ),
    "AdditiveExplainer.report": (
        lambda m: m.additive.report(m.data, seeds=1),
        "additive explainer: distilling",
    ),
    "AdditiveExplainer.capacity": (
        lambda m: m.additive.capacity(m.data, seeds=1),
        "additive explainer: distilling",
    ),
    "FilterGallery.fit": (lambda m: hx.FilterGallery().fit(m.clf, [m.data[0][0]]), "images"),
    "Decomposer.tree": (lambda m: m.tree[0].tree(), "taking"),
    "Decomposer.pictures": (
        lambda m: m.tree[0].pictures(m.tree[1], [(0,)]),
        "guided backpropagation",
    ),
    "Decomposer.faithfulness": (
        lambda m: m.tree[0].faithfulness(m.tree[1], ()),
        "ablation: without each channel",
    ),
    "decompose": (lambda m: hx.decompose(m.clf, m.x, layers=["4"]), "taking"),
    "channel_means": (lambda m: hx.channel_means(m.clf, m.data), "means of channels"),
    "discriminative_degrees": (
        lambda m: hx.discriminative_degrees(m.clf, m.data, layers=["4"]),
        "degrees: which classes select which channels",
    ),
    "insertion_deletion": (
        lambda m: hx.insertion_deletion(m.clf, m.x, np.arange(576.0).reshape(24, 24), steps=2),
        "insertion and deletion",
    ),
    "measure_context": (
        lambda m: hx.measure_context(
            chain_world.classifier(), chain_world.Pictures([1, 2, 3]), level="part"
        ),
        "context: what maps lie on (part)",
    ),
    "measure_confusions": (
        lambda m: hx.measure_confusions(m.clf, m.data),
        "confusions: what is named what",
    ),
    "measure_localization": (
        lambda m: hx.measure_localization(
            ["gradcam"], [(x, 0, (0, 0, 9, 9)) for x, _ in m.data], model=m.clf
        ),
        "localization: where methods look",
    ),
    "measure_faithfulness": (
        lambda m: hx.measure_faithfulness(m.clf, m.data[:1], layers=["4"]),
        "faithfulness",
    ),
    "measure_randomisation": (
        lambda m: hx.measure_randomisation(m.clf, m.data[:1]),
        "maps of randomised networks",
    ),
    "method_grid": (
        lambda m: hx.method_grid(m.x, ["Grad-CAM", "gradient"], model=m.clf),
        "maps of methods",
    ),
    "pgd": (lambda m: hx.pgd(m.clf, m.x, steps=2), "attacking the image"),
}  # fmt: skip

# What is over before anybody wonders: one forward pass, what is known, files.
QUICK = {
    "Chip.frequent", "Chip.penalties", "Chip.portraits", "Chip.merge", "Chip.save", "Chip.load",
    "Chip.on", "Hint.at", "Hint.using", "Hint.portraits", "Hint.explainable", "Hint.merge",
    "Hint.region_maps",
    "Hint.save", "Hint.load", "Hint.on", "Chain.merge", "Chain.save", "Chain.load", "Chain.on",
    "AdditiveExplainer.explain", "AdditiveExplainer.save", "AdditiveExplainer.load",
    "AdditiveExplainer.on", "FilterGallery.sheet", "Decomposer.predictions", "Decomposer.retarget",
    "Decomposer.with_top_k", "Decomposer.with_method", "Decomposer.expand", "Decomposer.candidates",
    "Chain.derivatives", "layers", "link_channels", "load", "pointing_energy", "save", "settings",
    "show",
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    return Made(tmp_path_factory.mktemp("fitted"))


def public_calls() -> set[str]:
    functions = {n for n in hx.__all__ if inspect.isfunction(getattr(hx, n))}
    methods = {
        f"{engine.__name__}.{name}"
        for engine in ENGINES
        for name, member in inspect.getmembers(engine)
        if not name.startswith("_") and inspect.isroutine(member)
    }
    return functions | methods


def test_every_public_call_is_known_to_be_long_or_quick() -> None:
    long = {name.split(",")[0] for name in LONG}
    properties = {"Hint.scores", "Chain.harmonized_", "Chain.precision_"}
    assert long & QUICK == set()
    assert (long - properties) | QUICK == public_calls()


@pytest.mark.parametrize("name", LONG)
def test_what_can_take_long_shows_a_bar_with_what_it_is(
    name: str, made: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call, words = LONG[name]
    monkeypatch.setattr("hexplain_widgets.arguments.PATIENCE", 0)
    call(made)
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    "call",
    [
        lambda m: hx.decompose(m.clf, m.x, layers=["4"], progress=False),
        lambda m: hx.discriminative_degrees(m.clf, m.data, layers=["4"], progress=False),
        lambda m: hx.measure_randomisation(m.clf, m.data[:1], progress=False),
        lambda m: hx.method_grid(m.x, ["Grad-CAM"], model=m.clf, progress=False),
    ],
)
def test_a_bar_that_is_not_wanted_is_not_shown(
    call: Call, made: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hexplain_widgets.arguments.PATIENCE", 0)
    call(made)
    assert capsys.readouterr().err == ""
