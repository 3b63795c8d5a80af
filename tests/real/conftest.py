"""Real weights and photographs, found through HEXPLAIN_DATA; nothing of them is ours to ship."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import hexplain_widgets as hx
from tests.real.cases import CASES, Case, classifier_of, photographs_of


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data; skips where HEXPLAIN_DATA names none."""
    folder = os.environ.get("HEXPLAIN_DATA")
    if not folder:
        pytest.skip("HEXPLAIN_DATA is not set: no real weights and photographs here")
    return Path(folder)


@pytest.fixture(scope="session", params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture(scope="session")
def classifier(case: Case, data: Path) -> hx.Classifier:
    return classifier_of(case, data)


@pytest.fixture(scope="session")
def photographs(case: Case, data: Path) -> list[Path]:
    return photographs_of(case, data, 20)
