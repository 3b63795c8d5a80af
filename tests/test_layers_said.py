"""What is to be said of scores, layers and how a network runs reaches every engine's answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import hexplain_widgets as hx
from hexplain_widgets.data.concept_sets import LabelledPicture
from tests.layouts import UnfoldedPatches
from tests.networks import DataDependent, plain, seeded
from tests.zoo.checks import Parts

SIDE = 32
DATA = [(torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(i)), i % 2)
        for i in range(6)]  # fmt: skip
IMAGE = DATA[0][0]


class Mirrored(nn.Module):
    """Looks at the image from right to left."""

    def __init__(self) -> None:
        super().__init__()
        self.low = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU())
        self.head = nn.Linear(6, 3)
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.low(x.flip(-1)).mean((2, 3)))


class Beside(Mirrored):
    """A second branch leads to the scores beside the layer that is named."""

    def __init__(self) -> None:
        super().__init__()
        self.other = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU())
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.low(x).mean((2, 3)) + self.other(x).mean((2, 3)))


@dataclass(frozen=True)
class Case:
    """A network, one of its layers, and words of the note that belongs to it."""

    make: Callable[[], nn.Module]
    layer: str
    words: str


CASES = {
    "attention": Case(UnfoldedPatches, "blocks.1", "residual stream"),
    "mirrored": Case(Mirrored, "low", "lie otherwise than the image"),
    "beside": Case(Beside, "low", "beside low"),
    "replayed": Case(DataDependent, "body.7", "could not be traced"),
    "softmax": Case(lambda: nn.Sequential(plain(), nn.Softmax(1)), "0.7", "softmax"),
}


def chip(case: Case) -> hx.Chip:
    return hx.Chip(layers=[case.layer], gates_per_image=6).fit(case.make(), DATA, progress=False)


def hint(case: Case) -> hx.Hint:
    engine = hx.Hint(layer=case.layer, samples=2)
    return engine.fit(case.make(), DATA, {"all": {"some": [0], "others": [1]}}, progress=False)


def chain(case: Case) -> hx.Chain:
    labels = (np.arange(SIDE * SIDE).reshape(SIDE, SIDE) % 5 == 0).astype(int)
    pixels = [(255 * x).byte().permute(1, 2, 0).numpy() for x, _ in DATA]
    items = Parts(
        LabelledPicture(str(i), Image.fromarray(p), {"part": [np.roll(labels, i)]})
        for i, p in enumerate(pixels)
    )
    engine = hx.Chain(levels={"part": case.layer}, gates=4)
    return engine.fit(case.make(), items, progress=False)


def additive(case: Case) -> hx.AdditiveExplainer:
    engine = hx.AdditiveExplainer(concepts="filters", layer=case.layer, epochs=1)
    return engine.fit(case.make(), [x for x, _ in DATA], target=0, progress=False)


FITS = {"chip": chip, "hint": hint, "chain": chain, "additive": additive}
ANSWERS: dict[str, tuple[str, Callable[[object], object]]] = {
    "heat map": ("chip", lambda e: e.explain(IMAGE, 0)),
    "matrix": ("chip", lambda e: e.matrix()),
    "overlap": ("chip", lambda e: e.overlap([0, 1])),
    "neurons": ("hint", lambda e: e.associations()),
    "concept map": ("hint", lambda e: e.explain(IMAGE, e.explainable()[0])),
    "inference": ("chain", lambda e: e.explain(IMAGE)),
    "sets": ("chain", lambda e: e.compare({"a": [IMAGE], "b": [IMAGE]}, 0)),
    "contributions": ("additive", lambda e: e.explain(IMAGE)),
}


@cache
def fitted(engine: str, case: str) -> object:
    return FITS[engine](CASES[case])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("answer", ANSWERS)
def test_every_answer_says_what_is_to_be_said(answer: str, case: str) -> None:
    engine, ask = ANSWERS[answer]
    notes = ask(fitted(engine, case)).notes
    assert sum(CASES[case].words in note for note in notes) == 1, notes


@pytest.mark.parametrize("engine", FITS)
def test_an_engine_that_is_opened_again_says_the_same(engine: str, tmp_path: Path) -> None:
    case = CASES["mirrored"]
    path = fitted(engine, "mirrored").save(tmp_path / "kept.hx")
    opened = type(fitted(engine, "mirrored")).load(path, case.make())
    answers = [ask for name, ask in ANSWERS.values() if name == engine]
    for ask in answers:
        assert sum(case.words in note for note in ask(opened).notes) == 1


def test_what_is_said_of_a_network_makes_no_other_statistics(tmp_path: Path) -> None:
    one, other = fitted("chip", "mirrored"), chip(CASES["mirrored"])
    other._statistics.scope = other._fitted.scope.__class__.restored(
        {k: v for k, v in other._fitted.scope.settings().items() if k != "notes"}
    )
    assert not other._fitted.scope.notes
    assert one.merge(other).images_ == other.merge(one).images_ == 2 * len(DATA)


def test_a_plain_network_has_nothing_to_say() -> None:
    engine = chip(Case(plain, "7", ""))
    assert "notes" not in engine._fitted.scope.settings()
    assert engine.matrix().notes == ()


@pytest.mark.parametrize("case", CASES)
def test_a_summary_of_decisions_says_it_too(case: str) -> None:
    made = CASES[case]
    degrees = hx.discriminative_degrees(made.make(), DATA, layers=[made.layer], progress=False)
    summary = hx.measure_faithfulness(made.make(), DATA[:2], layers=[made.layer], progress=False)
    for notes in (degrees.notes, summary.notes):
        assert sum(made.words in note for note in notes) == 1, notes


def test_unusual_pictures_are_counted() -> None:
    loud = [(x * 255 if i < 2 else x, label) for i, (x, label) in enumerate(DATA)]
    notes = hx.discriminative_degrees(Mirrored(), loud, layers=["low"], progress=False).notes
    assert sum("2 of 6 images are unusual" in n and "makes 0 to 1" in n for n in notes) == 1, notes
    first = hx.Chip(layers=["low"], gates_per_image=4).fit(Mirrored(), loud, progress=False)
    assert sum("Of the first image of the data: The tensor" in n for n in first.matrix().notes) == 1


def test_pixel_curves_say_what_the_map_and_the_picture_say() -> None:
    heat = fitted("chip", "mirrored").explain(255 * IMAGE, 0)
    curves = hx.insertion_deletion(Mirrored(), 255 * IMAGE, heat, steps=4, draws=1)
    for words in ("lie otherwise", "the transform makes"):
        assert sum(words in note for note in curves.notes) == 1
