"""Grad-CAM beside contributions: the paper's, of one pass, left out in words where it is empty."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

import hexplain_widgets as hx
from hexplain_widgets.additive.engine import attention_of
from hexplain_widgets.evidence import Contributions, store
from hexplain_widgets.network.guest import visiting
from tests.reference import additive as paper

CHANNELS = 4
HEADS = ("red", "green")


class Bent(nn.Module):
    """Maps, and behind them a score that bends, so that its gradient varies over places."""

    concept_names = HEADS

    def __init__(self, sign: float = 1.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.maps = nn.Sequential(nn.Conv2d(CHANNELS, CHANNELS, 1), nn.ReLU())
        self.deeper = nn.Conv2d(CHANNELS, 6, 3, padding=1)
        self.head, self.detect = nn.Linear(6, 2), nn.Linear(6, len(HEADS))
        self.sign = sign

    def feature(self, maps: Tensor) -> Tensor:
        return F.softplus(self.deeper(maps)).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.sign * self.head(self.feature(self.maps(x))).abs()

    def concepts(self, x: Tensor) -> Tensor:
        return self.detect(self.feature(self.maps(x)))


def picture(seed: int, side: int = 5) -> Tensor:
    return torch.rand(CHANNELS, side, side, generator=torch.Generator().manual_seed(seed))


def explainer(
    *, concepts: Any = "filters", target: str = "car", model: Bent | None = None
) -> hx.AdditiveExplainer:
    classifier = hx.Classifier((model or Bent()).eval(), classes=["car", "other"])
    engine = hx.AdditiveExplainer(concepts=concepts, layer="maps", epochs=1)
    data = [picture(i) for i in range(12)]
    return engine.fit(classifier, data, target=target, progress=False)


@pytest.fixture(scope="module")
def bent() -> hx.AdditiveExplainer:
    return explainer()


def check_papers(found: Contributions, score, x: Tensor) -> None:
    model = Bent().eval()
    with torch.no_grad():
        maps = model.maps(x[None])[0]
    literal = paper.grad_cam(lambda m: score(model, m), maps)
    assert np.max(literal) > 0
    assert found.attention == pytest.approx(np.array(literal), abs=1e-6)


def test_attention_is_the_papers_grad_cam_of_the_score(bent: hx.AdditiveExplainer) -> None:
    x = picture(99)
    found = bent.explain(x)
    check_papers(found, lambda model, maps: model.head(model.feature(maps)).abs()[:, 0], x)


def test_attention_of_a_head_is_that_of_its_own_score() -> None:
    x = picture(99)
    found = explainer(concepts=["green"], target="red").explain(x)
    check_papers(found, lambda model, maps: model.detect(model.feature(maps))[:, 0], x)


def test_attention_is_that_of_the_network_whatever_explains(bent: hx.AdditiveExplainer) -> None:
    x = picture(98)
    found = bent.explain(x, baseline=True)
    of_heads = explainer(concepts="heads").explain(x)
    assert np.array_equal(found.attention, found.baseline.attention)
    assert of_heads.attention == pytest.approx(found.attention, abs=1e-6)


class Convolutions(TorchFunctionMode):
    """Counts the convolutions that are run."""

    count = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.count += func in (F.conv2d, torch.conv2d)
        return func(*args, **(kwargs or {}))


def test_attention_takes_no_further_pass(bent: hx.AdditiveExplainer) -> None:
    with visiting(bent.classifier_.model), Convolutions() as looking:
        look = bent._score_extractor.look(picture(97)[None])
    with Convolutions() as after:
        found, _ = attention_of(look, "maps")
    assert found is not None
    assert (looking.count > 0, after.count) == (True, 0)


def test_where_nothing_speaks_for_the_score_there_is_none_and_that_is_said() -> None:
    engine = explainer(model=Bent(sign=-1.0))
    every = map(engine.explain, map(picture, range(40)))
    found = next(one for one in every if one.attention is None)
    assert found.attention is None
    assert "nowhere positive" in found.attention_note


def test_a_flat_map_is_none_and_that_is_said() -> None:
    with torch.no_grad():
        engine = explainer()
        grey = engine.explain(torch.full((CHANNELS, 5, 5), 0.5))
    assert grey.attention is None
    assert grey.attention_note.startswith("The map is flat")


def test_an_image_of_one_place_in_the_layer_has_none_and_that_is_said(
    bent: hx.AdditiveExplainer,
) -> None:
    found = bent.explain(picture(99, side=1))
    assert found.attention is None
    assert "maps has no spatial extent" in found.attention_note


class Rooted(Bent):
    """A score whose gradient is infinite where it is 0."""

    def __init__(self) -> None:
        super().__init__()
        self.maps[0].bias.data.zero_()

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.maps(x).sum((1, 2, 3)).sqrt()] * 2, 1)


def test_a_gradient_that_is_not_finite_is_an_error_that_names_the_layer() -> None:
    engine = explainer(model=Rooted())
    with pytest.raises(ValueError, match="maps"):
        engine.explain(torch.zeros(CHANNELS, 5, 5))


def test_attention_is_saved_and_opened_again(bent: hx.AdditiveExplainer, tmp_path: Path) -> None:
    found = bent.explain(picture(99))
    assert found.attention.shape == (5, 5)
    assert hx.load(hx.save(found, tmp_path / "found.hx")) == found


def test_a_file_of_before_opens_without_attention(
    bent: hx.AdditiveExplainer, tmp_path: Path
) -> None:
    found = bent.explain(picture(99))
    old = without(hx.save(found, tmp_path / "found.hx"), "attention", "attention_note")
    opened = hx.load(old)
    assert (opened.attention, opened.attention_note) == (None, "")
    assert np.array_equal(opened.values, found.values)


def without(path: Path, *names: str) -> Path:
    """Leave fields out of a saved file, as one of an earlier version does."""
    with safe_open(path, "numpy") as file:
        entry = json.loads(file.metadata()[store.ENTRY])
        arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    for name in names:
        entry["value"].pop(name)
    entry["digest"] = store._digest(entry["value"], arrays)
    save_file(arrays, path, {store.ENTRY: json.dumps(entry)})
    return path


def test_what_the_score_loses_without_a_concept_stands_beside_what_it_added(
    bent: hx.AdditiveExplainer,
) -> None:
    x = picture(99)
    found = bent.explain(x)
    model = Bent().eval()
    with torch.no_grad():
        maps = model.maps(x[None])
        for i, element in enumerate(found.elements):
            gate = torch.ones(CHANNELS, 1, 1).index_fill(0, torch.tensor([element]), 0)
            left = model.head(model.feature(maps * gate)).abs()[0, 0].item()
            assert found.drops[i] == pytest.approx(found.score - left, abs=1e-5)


def test_heads_cannot_be_taken_out() -> None:
    assert explainer(concepts="heads").explain(picture(99)).drops is None
