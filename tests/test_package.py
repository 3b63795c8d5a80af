"""The package: it builds, carries its bundles, and offers the names that it declares."""

from __future__ import annotations

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
    """Several views stand on one page, and a style sheet is for the whole page."""
    style = (STATIC / f"{view}.css").read_text(encoding="utf-8")
    plain = re.sub(r"@keyframes [\w-]+\{(?:[^{}]*\{[^{}]*\})*\}", "", style)
    selectors = [s for s in re.findall(r"([^{}]+)\{", plain) if not s.startswith("@")]
    assert selectors
    assert not [s for s in selectors if not s.startswith(f".hx-in-{view}")]


@pytest.mark.parametrize("name", NAMES)
def test_a_declared_name_is_there(name: str) -> None:
    assert getattr(hexplain_widgets, name) is not None


def test_every_public_name_of_the_face_is_declared_once() -> None:
    modules = {p.stem for p in (REPOSITORY / "hexplain_widgets").iterdir()} - {"demo"}
    public = {n for n in vars(hexplain_widgets) if not n.startswith("_")} - modules
    # the run-time check of signatures puts its own name there
    assert sorted(NAMES) == sorted(public - {"annotations", "jaxtyping"})


def test_importing_the_package_leaves_the_random_state_alone() -> None:
    code = (
        "import random, numpy, torch\n"
        "def states():\n"
        "    kept = torch.get_rng_state().tolist(), str(numpy.random.get_state())\n"
        "    return *kept, random.getstate()\n"
        "before = states()\n"
        "import hexplain_widgets\n"
        "raise SystemExit(before != states())\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_first_import_loads_no_library_that_few_things_need() -> None:
    code = (
        "import sys, hexplain_widgets\n"
        "few = {'networkx', 'scipy.cluster', 'scipy.spatial', 'sklearn', 'torchvision'}\n"
        "print(*sorted(few & set(sys.modules)))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert found.stdout.decode().strip() == ""


def test_a_first_view_loads_no_library_that_it_can_do_without() -> None:
    code = (
        "import sys, hexplain_widgets as hx\n"
        "hx.DecompositionTree(hx.demo.classifier(), hx.demo.scene('house', seed=3).image)\n"
        "heavy = {'torchvision', 'sklearn', 'scipy.stats', 'scipy.optimize'}\n"
        "heavy |= {'bqplot', 'pandas', 'scipy.cluster', 'scipy.spatial'}\n"
        "print(*sorted(heavy & set(sys.modules)))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert found.stdout.decode().strip() == ""
