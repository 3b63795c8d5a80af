"""The view of confusions on the kernel's side: what travels, what is drawn, what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hexplain_widgets as hx
from hexplain_widgets.evidence.store import load
from hexplain_widgets.widgets.confusion_matrix.payload import LISTED, confusion_payload
from hexplain_widgets.widgets.confusion_matrix.picture import draw_confusions
from tests.saved import world
from tests.widgets.made_views import LATER


@pytest.fixture
def summary() -> hx.ConfusionSummary:
    return load(LATER / "ConfusionSummary.hx")


@pytest.fixture
def view(summary) -> Iterator[hx.ConfusionMatrix]:
    made = hx.ConfusionMatrix.from_evidence(summary)
    yield made
    made.close()


def test_it_measures_where_it_is_given_a_model() -> None:
    clf, data = world.classifier(), world.pictures(2)
    made = hx.ConfusionMatrix(clf, data, progress=False)
    assert made.evidence == hx.measure_confusions(clf, data, progress=False)
    assert repr(made).startswith(f"ConfusionMatrix({len(made.evidence.counts)} pairs, ")
    made.close()


def test_what_is_no_evidence_is_refused() -> None:
    with pytest.raises(TypeError, match="got str as evidence; expected a ConfusionSummary"):
        hx.ConfusionMatrix.from_evidence("c.hx")


def test_pairs_travel_with_their_pictures_and_channels(summary) -> None:
    payload = confusion_payload(summary)
    assert payload["pairs"] == summary.pairs.tolist()
    assert payload["all"] == [len(summary.counts), summary.mistakes]
    assert len(payload["pictures"]["places"]) == len(payload["pictured"]) == len(summary.places)
    for pair in range(len(summary.counts)):
        own = [tuple(row[1:]) for row in payload["shared"] if row[0] == pair]
        assert own == [pytest.approx(row, rel=1e-5) for row in summary.channels(pair)]
    faces = sum(count for _, count in payload["portraits"])
    assert faces == len(payload["faces"]["places"]) > 0


def test_of_very_many_pairs_the_most_frequent_travel(summary) -> None:
    many = replace(
        summary,
        pairs=np.tile(summary.pairs[:1], (LISTED + 7, 1)),
        counts=np.ones(LISTED + 7, np.int64),
    )
    payload = confusion_payload(many)
    assert len(payload["pairs"]) == len(payload["counts"]) == LISTED
    assert payload["all"] == [LISTED + 7, LISTED + 7]


def test_what_is_not_understood_of_an_arrangement_is_dropped(view) -> None:
    view.set_state({"view": {"pair": -1, "order": "share"}})
    assert view.view == {"order": "share"}


def test_a_page_and_a_picture_are_written(summary, view, tmp_path: Path) -> None:
    view.view = {"pair": 0}
    page = view.export_html(tmp_path / "c.html").read_text(encoding="utf-8")
    assert "<title>Who is taken for whom: Sequential</title>" in page
    with Image.open(view.export_png(tmp_path / "c.png")) as picture:
        assert picture.width == 1920
    none = replace(
        summary,
        pairs=summary.pairs[:0],
        counts=summary.counts[:0],
        shared=None,
        weights=None,
        thumbnails=(),
        pictured=summary.pictured[:0],
        places=summary.places[:0],
    )
    assert draw_confusions(none).height < draw_confusions(summary).height + 80
