"""What a message names as the default is the default: read off the source, and off the errors."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hexplain_widgets as hx
from hexplain_widgets.widgets.layer_heatmaps.messages import checked_sparsity

PACKAGE = Path(hx.__file__).parent
ENGINES = {"chip": "Chip", "hint": "Hint", "chain": "Chain", "decomposition": "Decomposer"}
NAMED = re.compile(
    r"got (?P<name>\w{3,})[= ].*?"
    r"(?:default is (?P<a>[\d.]*\d)|(?P<b>[\d.]*\d) is (?:the default|usual))",
    re.DOTALL,
)


def texts(tree: ast.AST) -> Iterator[str]:
    """Every text of a module, formatted values left open."""
    inner = {id(v) for n in ast.walk(tree) if isinstance(n, ast.JoinedStr) for v in n.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(v.value) if isinstance(v, ast.Constant) else "{}" for v in node.values
            )
        elif isinstance(node, ast.Constant) and id(node) not in inner:
            yield str(node.value)


def named() -> Iterator[tuple[Path, str, float]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        for text in texts(ast.parse(path.read_text(encoding="utf-8"))):
            for found in NAMED.finditer(text):
                yield path, found["name"], float(found["a"] or found["b"])


def defaults(folder: Path, name: str) -> set[float]:
    """What an argument of this name is by default in a package."""
    engine = ENGINES.get(folder.name, "")
    given: Any = hx.settings("default").get(engine, {}).get(name)
    found = set() if given is None else {float(given)}
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                found |= _of_function(node, name)
    return found


def _of_function(node: ast.FunctionDef, name: str) -> set[float]:
    places = [*node.args.posonlyargs, *node.args.args]
    late = zip(places[len(places) - len(node.args.defaults) :], node.args.defaults, strict=True)
    keywords = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    values = [value for one, value in (*late, *keywords) if one.arg == name]
    return {
        float(one.value)
        for one in values
        if isinstance(one, ast.Constant) and type(one.value) in (int, float)
    }


NAMES = list(named())


def test_there_are_messages_that_name_a_default() -> None:
    assert {name for _, name, _ in NAMES} >= {"sparsity", "rivals", "steps", "gates", "precision"}


@pytest.mark.parametrize(("path", "name", "value"), NAMES, ids=lambda one: str(one)[-24:])
def test_a_default_that_a_message_names_is_the_default(path: Path, name: str, value: float) -> None:
    known = defaults(path.parent, name) or defaults(PACKAGE, name)
    assert value in known, f"{path.relative_to(PACKAGE)}: {name} is {known} by default"


@pytest.mark.parametrize(
    ("act", "name"),
    [
        (lambda: hx.Chip(sparsity=2.0), "sparsity"),
        (lambda: hx.Chip(rivals=-1), "rivals"),
        (lambda: checked_sparsity(2), "sparsity"),
    ],
)
def test_the_error_of_a_setting_names_what_it_is_by_default(act: Any, name: str) -> None:
    with pytest.raises(ValueError, match="default") as caught:
        act()
    assert f"{hx.settings('default')['Chip'][name]:g}" in str(caught.value).split("; ")[-1]
