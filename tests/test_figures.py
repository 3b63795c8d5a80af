"""Every call of docs/figures.md is run on a network of the embedded world, and shows something."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import ipywidgets
import pytest

import hexplain_widgets as hx
from tests.saved import world

PAGE = Path(__file__).parents[1] / "docs" / "figures.md"
SAVED = Path(__file__).parent / "saved"
TEXT = PAGE.read_text(encoding="utf-8")
CALLS = list(dict.fromkeys(re.findall(r"\| `(hx\..+?)` \|", TEXT)))
# what the papers number and that holds results; by the first word of their part of the page
NUMBERED = {
    "gAP": "Table 1, Fig. 6 7 8 9 10 11 12 13 14 15",
    "CHIP": "Table II, Fig. 3 4 5 6 7 8 9 10",
    "HINT": "Table 1 2, Fig. 1 2 3 4 5",
    "CHAIN": "Fig. 3 4 5 6 7 8 9 10 11",
    "The additive": "Table 1 2 3, Fig. 5 6 7 8",
}


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """What the page's first lines make, of a small network and scenes of 16 pixels."""
    clf, images = world.classifier(), world.pictures(2)
    explainer = hx.AdditiveExplainer(concepts=world.CONCEPTS, layer="4", epochs=2, held_out=0.4)
    pictures = [one for one, _ in images]
    return {
        "hx": hx,
        "clf": clf,
        "image": world.picture("house", 3),
        "images": images,
        "unseen": world.pictures(3),
        "labelled": world.Labelled(2),
        "networks": [clf, clf],
        "permuted": clf,
        "chip": hx.Chip.load(SAVED / "Chip.hx", clf),
        "hint": hx.Hint.load(SAVED / "Hint.hx", clf),
        "chain": hx.Chain.load(SAVED / "Chain.hx", clf),
        "explainer": explainer.fit(clf, images, target="house", progress=False),
        "sets": {"pool": pictures[:2], "hedge": pictures[2:4]},
        "boxed": [(picture, "house", (2, 2, 12, 14)) for picture in pictures[:2]],
    }


def missing(call: str) -> list[str]:
    """The public names of a call that are not there."""
    return [name for name in re.findall(r"\bhx\.(\w+)", call) if not hasattr(hx, name)]


@pytest.mark.parametrize("call", CALLS)
def test_the_call_makes_the_figure(call: str, names: dict[str, Any], tmp_path: Path) -> None:
    if missing(call):
        pytest.skip(f"{missing(call)[0]} is not there yet")
    if "rivals" in call:
        pytest.importorskip("captum")
    view = eval(call, dict(names))
    assert isinstance(view, ipywidgets.DOMWidget)
    assert view.export_png(tmp_path / "figure.png").stat().st_size > 0
    view.close()


@pytest.mark.parametrize("part", NUMBERED)
def test_every_figure_and_table_with_results_is_on_the_page(part: str) -> None:
    (text,) = re.findall(rf"^## {part}.*?(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    said = set(_numbers(text))
    for kind, numbers in re.findall(r"(Table|Fig\.) ([\dI ]+)", NUMBERED[part]):
        for number in numbers.split():
            assert (kind, number) in said, f"{kind} {number}"


_LIST = r"(?:(?:\d+|II)(?: to |, )?(?: ?[a-c],? ?)*)+"


def _numbers(text: str) -> list[tuple[str, str]]:
    """Figures and tables that a page names, with those between "3 to 6"."""
    found = []
    for kind, listed in re.findall(rf"(Table|Fig\.)s? ({_LIST})", text):
        for first, last in re.findall(r"(\d+|II)(?: to (\d+))?", listed):
            ends = range(int(first), int(last) + 1) if last else [first]
            found += [(kind, str(number)) for number in ends]
    return found
