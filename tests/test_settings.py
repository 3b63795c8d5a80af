"""Named sets of settings: every engine takes them, says them, keeps them, and docs tell them."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import hexplain_widgets as hx

DOCS = Path(__file__).parents[1] / "docs" / "settings.md"
ENGINES: dict[str, Any] = {
    "Decomposer": hx.Decomposer,
    "Chip": hx.Chip,
    "Hint": hx.Hint,
    "Chain": hx.Chain,
    "AdditiveExplainer": hx.AdditiveExplainer,
    "AdditiveExplainer of parts": hx.AdditiveExplainer,
}
FITTED = [name for name in ENGINES if name != "Decomposer"]
OTHERS: dict[str, dict[str, Any]] = {"AdditiveExplainer of parts": {"concepts": "filters"}}


@pytest.mark.parametrize("name", ["default", "paper"])
def test_a_set_has_what_can_be_left_out_of_each_engine(name: str) -> None:
    sets = hx.settings(name)
    assert set(sets) == set(ENGINES)
    for engine, given in sets.items():
        arguments = inspect.signature(ENGINES[engine]).parameters
        assert arguments["settings"].default == "default"
        assert [arguments[n].default for n in given] == [None] * len(given)


@pytest.mark.parametrize("engine", FITTED)
@pytest.mark.parametrize("name", ["default", "paper"])
def test_an_engine_uses_its_set(engine: str, name: str) -> None:
    made = ENGINES[engine](settings=name, **OTHERS.get(engine, {}))
    assert {n: getattr(made, n) for n in hx.settings(name)[engine]} == hx.settings(name)[engine]
    assert made.settings_ == name


@pytest.mark.parametrize("engine", FITTED)
def test_every_argument_is_reached_by_itself_and_said(engine: str) -> None:
    usual, paper = hx.settings("default")[engine], hx.settings("paper")[engine]
    for name in (n for n in paper if paper[n] != usual[n]):
        given = {name: usual[name], **OTHERS.get(engine, {})}
        made = ENGINES[engine](settings="paper", **given)
        assert getattr(made, name) == usual[name]
        assert made.settings_ == f"paper, but {name}={usual[name]!r}"
        assert f'settings="paper", but {name}={usual[name]!r}' in repr(made)


@pytest.mark.parametrize("engine", FITTED)
def test_a_set_is_shown(engine: str) -> None:
    assert 'settings="paper"' in repr(ENGINES[engine](settings="paper", **OTHERS.get(engine, {})))


def test_an_unknown_set_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"got settings='papers'; expected .*the nearest is 'pap"):
        hx.settings("papers")
    for engine in FITTED:
        with pytest.raises(ValueError, match="got settings='papers'; expected one of 'default'"):
            ENGINES[engine](settings="papers")


def test_what_is_returned_can_be_changed_without_harm() -> None:
    hx.settings("paper")["Chip"]["rivals"] = 3
    assert hx.settings("paper")["Chip"]["rivals"] == 0


def test_the_docs_tell_the_sets() -> None:
    """Each engine's table has a row for each argument, with the value of each set."""
    text = DOCS.read_text(encoding="utf-8")
    for engine, paper in hx.settings("paper").items():
        section = text.split(f"\n## {engine}\n")[1].split("\n## ")[0]
        rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \| `(.+?)` \|", section, re.MULTILINE)
        usual = hx.settings("default")[engine]
        assert rows == [(n, repr(usual[n]), repr(paper[n])) for n in paper]
