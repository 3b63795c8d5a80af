"""A batch is added whole or not at all: whatever statement of the adding fails, nothing is half."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hexplain_widgets as hx
from hexplain_widgets.additive.rows import ScoreStatistics
from hexplain_widgets.atlas.gallery import FilterGallery
from hexplain_widgets.chain.statistics import ConceptStatistics
from hexplain_widgets.chip.statistics import ResponseStatistics
from hexplain_widgets.fitting import passes
from hexplain_widgets.fitting.statistics import Statistics
from hexplain_widgets.hint.statistics import RegionStatistics
from tests import chain_world as world
from tests import steps
from tests.networks import image, plain

OWN = str(Path(hx.__file__).parent)
IMAGES = [(image(8, seed)[0], seed % 5) for seed in range(6)]
BATCH = 2


def failing(name: str, at: int | None = None, failure: type[BaseException] = OSError) -> Any:
    return steps.failing(lambda file: file.startswith(OWN), name, at, failure)


Fit = Callable[..., Any]


def chip(**settings: object) -> Any:
    return hx.Chip(gates_per_image=4, layers=["4", "7"], **settings)


def fit_images(engine: Any, **rest: object) -> Any:
    return engine.fit(plain(), IMAGES, progress=False, **rest)


def fit_hint(engine: Any, **rest: object) -> Any:
    hierarchy = {"all": {"some": [0, 1], "others": [2, 3, 4]}}
    return engine.fit(plain(), IMAGES, hierarchy, progress=False, **rest)


def fit_chain(engine: Any, **rest: object) -> Any:
    return engine.fit(world.classifier(), world.Pictures(range(6)), progress=False, **rest)


def fit_additive(engine: Any, **rest: object) -> Any:
    return engine.fit(plain(), IMAGES, target=0, progress=False, **rest)


def additive(memory: int) -> Any:
    return hx.AdditiveExplainer(concepts={"a": [0, 1], "b": [2]}, epochs=1, memory=memory)


# In a file, rows of a batch lie at a memory that a batch passes: half the batches are flushed.
ENGINES: dict[str, tuple[Callable[[], Any], Fit, type[Statistics]]] = {
    "chip": (chip, fit_images, ResponseStatistics),
    "chip, loyal": (lambda: chip(weighting="loyal"), fit_images, ResponseStatistics),
    "chip, in a file": (
        lambda: chip(weighting="loyal", memory=16 * 16 * 8 * 4), fit_images, ResponseStatistics
    ),
    "hint": (lambda: hx.Hint(layer="stages", samples=2), fit_hint, RegionStatistics),
    "chain": (world.chain, fit_chain, ConceptStatistics),
    "additive": (lambda: additive(2**20), fit_additive, ScoreStatistics),
    "additive, in a file": (lambda: additive(16), fit_additive, ScoreStatistics),
}  # fmt: skip


def kept(statistics: Statistics) -> dict[str, object]:
    settings, arrays = statistics.state()
    return {"done": np.array(settings["done"]), **{n: np.array(a) for n, a in arrays.items()}}


def check_same(found: dict[str, Any], expected: dict[str, Any], rounding: float = 0) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert np.allclose(found[name], value, rtol=rounding, atol=0), name


def batches_of(engine: str, monkeypatch) -> tuple[Statistics, list[Any], Any]:
    """Statistics without an image, and the batches and the network that are added to them."""
    make, fit, kind = ENGINES[engine]
    seen: list[Any] = []
    add = kind.add

    def noted(self: Statistics, batch: Any, classifier: Any) -> None:
        seen.append((self.empty(self.scope, self), batch, classifier))
        add(self, batch, classifier)

    monkeypatch.setattr(kind, "add", noted)
    monkeypatch.setattr(passes, "BATCH", BATCH)
    fit(make())
    monkeypatch.undo()
    return seen[0][0], [batch for _, batch, _ in seen], seen[0][2]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("engine", ENGINES)
def test_a_batch_that_fails_at_any_line_is_in_or_out(engine: str, monkeypatch) -> None:
    empty, batches, classifier = batches_of(engine, monkeypatch)
    before = empty.copy()
    before.add(batches[0], classifier)
    whole = before.copy()
    with failing("add") as counted:
        whole.add(batches[1], classifier)
    assert len(counted.first) > 20
    expected = {BATCH: kept(before), 2 * BATCH: kept(whole)}
    # All lines of a short way; of a long one every third or so, to be quick.
    some = [*counted.first.values()][:: 1 + len(counted.first) // 40]
    for i, (failure, at) in enumerate(zip(cycle([OSError, KeyboardInterrupt]), some)):
        statistics = before.copy()
        with pytest.raises(failure, match="in the middle"), failing("add", at, failure):
            statistics.add(batches[1], classifier)
        (done,) = statistics.done
        check_same(kept(statistics), expected[done[1]])
        if done[1] == BATCH and i % 3 == 0:
            statistics.add(batches[1], classifier)
            check_same(kept(statistics), expected[2 * BATCH])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_fit_goes_on_as_if_undisturbed(engine: str, monkeypatch) -> None:
    make, fit, kind = ENGINES[engine]
    monkeypatch.setattr(passes, "BATCH", BATCH)
    expected = kept(fit(make())._statistics)
    add, calls = kind.add, []

    def fails(self: Statistics, batch: Any, classifier: Any) -> None:
        calls.append(len(batch))
        if len(calls) != 2:
            return add(self, batch, classifier)
        with failing("_add", 4):
            add(self, batch, classifier)

    monkeypatch.setattr(kind, "add", fails)
    disturbed = make()
    with pytest.raises(OSError, match="in the middle"):
        fit(disturbed)
    fit(disturbed, resume=True)
    # A copy adds what waits for a file before its time: alike to rounding there.
    check_same(kept(disturbed._statistics), expected, 1e-12 if "file" in engine else 0)


def test_shards_are_taken_in_whole_or_not_at_all(monkeypatch) -> None:
    empty, batches, classifier = batches_of("chip, loyal", monkeypatch)
    one, other = empty.copy(), empty.copy()
    one.add(batches[0], classifier)
    other.add(batches[1], classifier)
    other.done = [(BATCH, 2 * BATCH)]
    whole = one.copy()
    whole.merge(other, same_data=True)
    statistics = one.copy()
    with failing("merge") as counted:
        statistics.merge(other, same_data=True)
    for at in counted.first.values():
        statistics = one.copy()
        with pytest.raises(OSError, match="in the middle"), failing("merge", at):
            statistics.merge(other, same_data=True)
        if statistics.done == one.done:
            statistics.merge(other, same_data=True)
        check_same(kept(statistics), kept(whole))


def test_a_gallery_keeps_whole_batches_alone(monkeypatch) -> None:
    data = [x for x, _ in IMAGES]
    monkeypatch.setattr(passes, "BATCH", BATCH)
    expected = FilterGallery(layer="4").fit(plain(), data[:BATCH], progress=False).sheet()
    steps = []
    for count in (BATCH, 2 * BATCH):
        with failing("_keep") as counted:
            FilterGallery(layer="4").fit(plain(), data[:count], progress=False)
        steps.append(counted.steps)
    one, both = steps
    for at in range(one + 1, both, max(1, (both - one) // 16)):
        gallery = FilterGallery(layer="4")
        with pytest.raises(OSError, match="in the middle"), failing("_keep", at):
            gallery.fit(plain(), data[: 2 * BATCH], progress=False)
        found = gallery.sheet()
        assert found.images == BATCH
        assert found.portraits == expected.portraits
