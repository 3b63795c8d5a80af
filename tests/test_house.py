"""The house rules: who imports whom, who touches hooks, how large things may be."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import jaxtyping
import pytest

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "hexplain_widgets"

# From the ground up: a module imports only from rows above its own.
ORDER = (
    (
        "evidence",
        "guest",
        "images",
        "provenance",
        "states",
        "gates",
        "exemplars",
        "duality",
        "lbfgs",
        "logloss",
        "reservoirs",
        "distances",
        "additive_measures",
    ),
    ("filter_labels",),
    ("classifier", "store", "admm", "coordinate_descent", "logistic", "owen", "permutations"),
    ("graph", "samples", "settings", "synonyms", "refitting", "subset", "semismooth"),
    ("receptive", "taxonomies"),
    ("segments", "matching", "wordnet"),
    ("stages",),
    ("traced", "recording", "decisions", "channelwise", "cones"),
    ("probe", "interpolation", "channel_sums"),
    (
        "saliency",
        "sparse",
        "shapley",
        "localize",
        "hierarchy",
        "streaming",
        "attacks",
        "gated",
        "occlusions",
    ),
    ("removals",),
    ("metrics", "concepts", "colors", "moments", "fitting", "level_layers"),
    ("resampling", "labelled_files", "contributions"),
    ("step_measures", "surrogates", "rivals", "baselines"),
    ("step_summary",),
    ("selections", "label_overlap", "discrimination", "redrawing", "pixel_curves"),
    ("pixel_attributions",),
    ("randomisation",),
    ("broden", "mask_folders", "framing", "labelled_pixels", "peak_responses"),
    ("attacked_decisions",),
    ("responses", "responsible", "infer", "pixel_samples"),
    ("gathering", "regions", "concept_sums", "filter_maps"),
    ("importance", "region_samples", "harmonize", "filter_parts", "channel_exemplars"),
    ("concept_heads", "map_store", "explainer_nets", "failures"),
    ("additive_rows", "trained_heads", "distilling"),
    ("additive_question", "additive_source"),
    ("additive_fit",),
    ("additive_report", "distilled"),
    ("explained_image",),
    ("filter_gallery",),
    ("associations", "few_concepts", "harmony"),
    ("inferring",),
    ("inference_trees", "inference_checks", "comparing"),
    ("heatmaps",),
    ("class_losses",),
    ("concept_maps",),
    ("engines",),
    ("widgets",),
)
RANK = {name: rank for rank, row in enumerate(ORDER) for name in row}
# What a row above would allow, and the design does not.
ONLY = {"store": {"evidence"}}
WIDGET_LIBRARIES = {"ipywidgets", "anywidget", "bqplot"}
MODULES = sorted(p for p in PACKAGE.rglob("*.py") if "static" not in p.parts)
FLAT = [p for p in MODULES if p.parent == PACKAGE and p.name != "__init__.py"]


def name_of(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def dotted(path: Path) -> tuple[str, ...]:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


@cache
def known_modules() -> frozenset[tuple[str, ...]]:
    return frozenset(dotted(path) for path in MODULES)


def imports(path: Path) -> Iterator[tuple[str, ...]]:
    """Every module that a file imports, also inside functions, as absolute dotted parts."""
    here = dotted(path) if path.name == "__init__.py" else dotted(path)[:-1]
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            for alias in node.names:
                inner = (*module, alias.name)
                yield inner if inner in known_modules() else module


def modules_imported(path: Path) -> set[tuple[str, ...]]:
    """Modules of the package that a file imports; packages stand for their `__init__`."""
    return {name for name in imports(path) if name in known_modules()} - {dotted(path)}


def is_demo(parts: tuple[str, ...]) -> bool:
    return len(parts) > 1 and parts[1] == "demo"


def calls(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def public_definitions(
    body: list[ast.stmt],
) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if not node.name.startswith("_"):
                yield node
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield from public_definitions(node.body)


def lines_without_docstring(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = function.body[0]
    text = ast.get_docstring(function, clean=False)
    said = first.end_lineno - first.lineno + 1 if text is not None and first.end_lineno else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - said


@cache
def kept_files() -> tuple[Path, ...]:
    """The files that belong to the repository, new ones too, ignored ones not."""
    asked = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(asked, cwd=REPOSITORY, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout: nobody can say which files belong to it")
    paths = (REPOSITORY / name for name in listed.decode().split("\0") if name)
    return tuple(p for p in paths if p.is_file())


every_module = pytest.mark.parametrize("path", MODULES, ids=name_of)


@pytest.mark.parametrize("path", FLAT, ids=name_of)
def test_every_flat_module_has_its_place_in_the_order(path: Path) -> None:
    assert path.stem in RANK


@every_module
def test_imports_go_down_the_order(path: Path) -> None:
    here = dotted(path)
    if len(here) == 1 or is_demo(here):
        return
    for other in modules_imported(path):
        if len(other) > 1 and not is_demo(other) and other[1] != here[1]:
            assert RANK[other[1]] < RANK[here[1]], f"{here} imports {other}"


@pytest.mark.parametrize("name", ONLY)
def test_a_module_with_few_friends_imports_no_others(name: str) -> None:
    found = {other[1] for other in modules_imported(PACKAGE / f"{name}.py") if len(other) > 1}
    assert found <= ONLY[name]


@every_module
def test_only_the_face_of_the_package_imports_the_face(path: Path) -> None:
    if path != PACKAGE / "__init__.py":
        assert ("hexplain_widgets",) not in {o for o in modules_imported(path) if len(o) == 1}


@every_module
def test_engines_never_import_each_other(path: Path) -> None:
    if path.parent == PACKAGE / "engines":
        assert not [o for o in modules_imported(path) if o[:2] == ("hexplain_widgets", "engines")]


@every_module
def test_the_demo_is_imported_by_nobody_but_the_face_of_the_package(path: Path) -> None:
    if not is_demo(dotted(path)) and path != PACKAGE / "__init__.py":
        assert not [other for other in modules_imported(path) if is_demo(other)]


def test_no_module_imports_itself_through_others() -> None:
    graph = {dotted(path): modules_imported(path) for path in MODULES}
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


@every_module
def test_only_widgets_import_widget_libraries(path: Path) -> None:
    if path.parent != PACKAGE / "widgets":
        assert not WIDGET_LIBRARIES & {other[0] for other in imports(path)}


@every_module
def test_only_probe_and_guest_touch_hooks_and_methods_of_modules(path: Path) -> None:
    if path.name in ("probe.py", "guest.py"):
        return
    hooks = [
        c for c in calls(path) if re.search(r"\.register_(module_)?(forward|full_backward)", c)
    ]
    targets = [
        ast.unparse(target)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    assert not hooks
    assert not [t for t in targets if t.endswith(".forward")]


@every_module
def test_nothing_is_unpickled_printed_or_evaluated(path: Path) -> None:
    assert not {"pickle", "dill", "cloudpickle", "shelve"} & {other[0] for other in imports(path)}
    assert not {"torch.load", "print", "eval", "exec"} & set(calls(path))


@every_module
def test_the_axes_of_an_array_are_a_text(path: Path) -> None:
    """Anything else after the comma resolves to no hint, and the signature goes unchecked.

    ruff takes the quotes from one word and from dots: those begin with a space.
    """
    hints = [
        node.slice.elts[1]
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Tuple)
        and hasattr(jaxtyping, ast.unparse(node.value))
    ]
    texts = [h for h in hints if isinstance(h, ast.Constant) and isinstance(h.value, str)]
    assert [ast.unparse(hint) for hint in hints] == [ast.unparse(text) for text in texts]


@every_module
def test_a_module_has_fewer_than_400_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < 400


@every_module
def test_a_function_has_at_most_40_lines_beside_its_docstring(path: Path) -> None:
    functions = [
        node
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert not [f.name for f in functions if lines_without_docstring(f) > 40]


@every_module
def test_everything_public_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(tree_of(path))
    found = public_definitions(tree_of(path).body)
    assert not [node.name for node in found if not ast.get_docstring(node)]


@every_module
def test_no_module_is_called_a_drawer(path: Path) -> None:
    assert path.stem not in {"utils", "util", "core", "common", "helpers", "misc"}


def test_every_kept_file_is_under_three_megabytes() -> None:
    assert not [name_of(p) for p in kept_files() if p.stat().st_size >= 3_000_000]


def test_no_bundle_is_kept() -> None:
    assert not [name_of(p) for p in kept_files() if PACKAGE / "static" in p.parents]


def test_no_file_names_a_registry_or_a_folder_of_somebodys_machine() -> None:
    # put together here, so that this file does not name them
    forbidden = re.compile(
        "|".join(
            (
                "registry" + r"\.\w+\.(org|com)",
                "python" + "hosted",
                "pypi" + r"\.org/simple",
                r"(?<![\w.~)}\]/*])/" + r"(root|work|Users|home/\w+)/",
            )
        )
    )
    found = [
        name_of(path)
        for path in kept_files()
        if path.suffix not in {".png", ".jpg", ".safetensors", ".gif", ".pdf", ".hx"}
        and forbidden.search(path.read_text(encoding="utf-8"))
    ]
    assert not found


def test_the_lock_file_names_no_place_to_fetch_from() -> None:
    lock = json.loads((REPOSITORY / "js" / "package-lock.json").read_text())
    assert not [name for name, entry in lock["packages"].items() if "resolved" in entry]


@pytest.mark.parametrize("path", sorted((REPOSITORY / "notebooks").glob("*.ipynb")), ids=name_of)
def test_a_kept_notebook_was_never_executed(path: Path) -> None:
    cells = json.loads(path.read_text())["cells"]
    assert not [c for c in cells if c.get("outputs") or c.get("execution_count")]
