"""The brush: what the kernel answers to a region that is covered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from hexplain_widgets.diagnosis.failures import GRID, Occluder
from hexplain_widgets.widgets.failure_analysis.brush import OcclusionBrush
from tests.diagnosis.test_failures import failure
from tests.planted_failure import classifier, dog, ear
from tests.widgets.answers import Answers
from tests.widgets.made_failure import made_failure, made_occlusion


@pytest.fixture
def brush() -> Iterator[OcclusionBrush]:
    view = OcclusionBrush(failure(), Occluder(classifier(), dog(), given=True))
    yield view
    view.close()


def asked(view: OcclusionBrush, mask: Any, fill: Any = "mean") -> dict[str, Any]:
    answers = Answers(view)
    buffers = [] if mask is None else [memoryview(mask)]
    return answers.ask("occlude", buffers, fill=fill)


def test_the_scores_are_those_of_the_covered_image(brush: OcclusionBrush) -> None:
    answer = asked(brush, ear().astype(np.uint8).tobytes())
    assert answer == {"kind": "result", "id": 1, "covered": GRID * GRID // 4}
    now = brush.scores["now"]
    assert (now["named"]["name"], now["wrong"]["logit"]) == ("dog", pytest.approx(0.1875))
    assert brush.scores["share"] == 0.25
    assert brush.scores["start"]["named"]["name"] == "cat"


def test_what_is_covered_is_kept_with_the_notebook(brush: OcclusionBrush) -> None:
    asked(brush, ear().astype(np.uint8).tobytes(), "blur")
    assert (brush.mask, brush.fill) == (ear().astype(np.uint8).tobytes(), "blur")
    assert brush.occlusion is not None
    assert np.array_equal(brush.occlusion.mask, ear())
    assert repr(brush) == "OcclusionBrush('cat', 'dog', 25% covered)"


def test_nothing_covered_is_where_it_started(brush: OcclusionBrush) -> None:
    brush.cover(ear())
    asked(brush, bytes(GRID * GRID))
    assert brush.occlusion is None
    assert brush.scores["now"] is None


@pytest.mark.parametrize(
    ("mask", "fill", "said"),
    [
        (None, "mean", "got a mask of type NoneType; expected 3136 bytes"),
        (bytes(9), "mean", "got a mask of 9 bytes up to 0; expected 3136 bytes of 0 or 1"),
        (bytes([9]) * 3136, "mean", "got a mask of 3136 bytes up to 9"),
        (bytes(3136), "fog", "got fill='fog'; expected one of 'mean', 'blur'"),
        (bytes(3136), None, "got fill='None'; expected one of 'mean', 'blur'"),
    ],
)
def test_bad_questions_are_answered_with_an_error(
    brush: OcclusionBrush, mask: Any, fill: Any, said: str
) -> None:
    answer = asked(brush, mask, fill)
    assert answer["kind"] == "error"
    assert said in answer["text"]
    assert brush.occlusion is None


def test_saved_evidence_shows_what_was_covered_and_takes_nothing() -> None:
    view = OcclusionBrush(made_failure(occlusion=made_occlusion()))
    assert not view.live
    assert list(view.fills) == ["blur"]
    assert view.scores["now"]["named"]["name"] == "dog"
    assert "without a model; to cover a region takes the model" in asked(view, bytes(3136))["text"]
    view.close()


def test_a_twin_has_what_is_on_the_screen(brush: OcclusionBrush) -> None:
    brush.cover(ear(), "blur")
    brush.view = {"size": 9}
    twin = brush.snapshot()
    assert twin.occlusion == brush.occlusion
    assert (twin.live, twin.view, twin.fill) == (False, {"size": 9}, "blur")
    twin.close()


def test_a_saved_brush_is_understood_or_dropped(brush: OcclusionBrush) -> None:
    brush.set_state({"view": {"size": 12, "uncovers": "yes", "other": 1}})
    assert brush.view == {"size": 12}
