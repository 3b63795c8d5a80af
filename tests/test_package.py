"""The package: it builds, carries its bundles, and offers the names that it declares."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import hexplain_widgets

REPOSITORY = Path(__file__).parents[1]
VIEWS = sorted(
    p.stem
    for p in (REPOSITORY / "js" / "src").glob("*/*.ts")
    if "\nexport default " in p.read_text(encoding="utf-8")
)
NAMES = vars(hexplain_widgets).get("__all__", [])
STATIC = REPOSITORY / "hexplain_widgets" / "static"
SOURCES = (
    "pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "LICENSE-THIRD-PARTY",
    "hexplain_widgets",
)  # fmt: skip
LEFT_OUT = shutil.ignore_patterns("__pycache__", "node_modules")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Names in a wheel built from a copy of the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "sources"
    copy.mkdir()
    for name in SOURCES:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=LEFT_OUT)
        else:
            shutil.copy(source, copy / name)
    shutil.copytree(REPOSITORY / "js", copy / "js", ignore=LEFT_OUT)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", ".", "-w", str(folder)]
    quiet = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run(command, cwd=copy, check=True, env=quiet)
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built).namelist()


@pytest.mark.slow
def test_the_wheel_carries_every_bundle(wheel: list[str]) -> None:
    bundles = {*(f"{view}.js" for view in VIEWS), "offline/runtime.js"}
    assert {f"hexplain_widgets/static/{name}" for name in bundles} <= set(wheel)


@pytest.mark.slow
def test_the_wheel_carries_every_module(wheel: list[str]) -> None:
    package = REPOSITORY / "hexplain_widgets"
    modules = {p.relative_to(REPOSITORY).as_posix() for p in package.rglob("*.py")}
    assert modules <= set(wheel)


@pytest.mark.slow
def test_the_wheel_carries_the_weights_of_the_demo(wheel: list[str]) -> None:
    assert [name for name in wheel if name.startswith("hexplain_widgets/demo/") and "safet" in name]


@pytest.mark.slow
def test_the_wheel_carries_no_sources_of_the_views_and_no_tests(wheel: list[str]) -> None:
    assert not [name for name in wheel if name.endswith(".ts") or name.startswith("tests/")]


@pytest.mark.parametrize("view", VIEWS)
def test_a_bundle_stays_below_60_kilobytes(view: str) -> None:
    assert (STATIC / f"{view}.js").stat().st_size < 60_000


@pytest.mark.parametrize("view", VIEWS)
def test_a_bundle_imports_nothing(view: str) -> None:
    code = (STATIC / f"{view}.js").read_text(encoding="utf-8")
    assert "import(" not in code
    assert not re.search(r"(?m)(?:^|[;}])\s*import\b", code)
    assert not re.search(r"\bexport\s*(?:\*|\{[^}]*\})\s*from\b", code)


@pytest.mark.parametrize("view", VIEWS)
def test_the_style_of_a_view_holds_inside_that_view_alone(view: str) -> None:
    """Several views stand on one page, and a style sheet is for the whole page.

    It may say where the view itself stands: on a tab there is less room.
    """
    style = (STATIC / f"{view}.css").read_text(encoding="utf-8")
    plain = re.sub(r"@keyframes [\w-]+\{(?:[^{}]*\{[^{}]*\})*\}", "", style)
    selectors = [s for s in re.findall(r"([^{}]+)\{", plain) if not s.startswith("@")]
    assert selectors
    around = {s.partition(f".hx-in-{view}")[0] for s in selectors}
    assert all(f".hx-in-{view}" in s for s in selectors)
    assert around <= {"", ".widget-tab-contents "}


@pytest.mark.parametrize("name", NAMES)
def test_a_declared_name_is_there(name: str) -> None:
    assert getattr(hexplain_widgets, name) is not None


def test_every_public_name_of_the_face_is_declared_once() -> None:
    modules = {p.stem for p in (REPOSITORY / "hexplain_widgets").iterdir()} - {"demo"}
    public = {n for n in vars(hexplain_widgets) if not n.startswith("_")} - modules
    # the run-time check of signatures puts its own name there
    assert sorted(NAMES) == sorted(public - {"annotations", "jaxtyping"})


# In a process of its own: the run-time type checks of the tests import and draw too.
FRESH = """
import json, random, sys, numpy, torch
def states():
    arrays = torch.get_rng_state().tolist(), str(numpy.random.get_state())
    return *arrays, random.getstate()
loaded = lambda names: sorted(set(names.split()) & set(sys.modules))
before = states()
import hexplain_widgets as hx
print(json.dumps(before == states()))
print(json.dumps(loaded("networkx scipy.cluster scipy.spatial sklearn torchvision")))
image = hx.demo.scene("house", seed=3, size=112).image
print(json.dumps(before == states()))
hx.DecompositionTree(hx.demo.classifier(), image)
heavy = "torchvision sklearn scipy.stats scipy.optimize bqplot pandas scipy.cluster scipy.spatial"
print(json.dumps(loaded(heavy)))
import tests.networks as networks
random.seed(3)
before = random.getstate()
hx.decompose(networks.plain(), networks.image(40))
print(json.dumps(random.getstate() == before))
"""


@pytest.fixture(scope="module")
def fresh() -> list[object]:
    """What a fresh process says of itself, step by step."""
    command = [sys.executable, "-c", FRESH]
    done = subprocess.run(command, check=True, capture_output=True, cwd=REPOSITORY)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_importing_the_package_leaves_the_random_state_alone(fresh: list[object]) -> None:
    assert fresh[0] is True


def test_a_first_import_loads_no_library_that_few_things_need(fresh: list[object]) -> None:
    assert fresh[1] == []


def test_rendering_leaves_the_global_random_states_alone(fresh: list[object]) -> None:
    assert fresh[2] is True


def test_a_first_view_loads_no_library_that_it_can_do_without(fresh: list[object]) -> None:
    assert fresh[3] == []


def test_decomposing_leaves_the_random_state_of_python_alone(fresh: list[object]) -> None:
    assert fresh[4] is True
