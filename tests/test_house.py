"""The house rules: who imports whom, who touches hooks, how long a function may be."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import jaxtyping
import pytest

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "hexplain_widgets"

# From the ground up: a package imports only from rows above its own, and not from its own row.
ROWS = (
    ("evidence", "arguments", "provenance"),
    ("network", "solvers"),
    ("data",),
    ("fitting", "decomposition"),
    ("atlas", "chip", "hint", "chain"),
    ("additive", "diagnosis"),
    ("pictures",),
    ("widgets",),
)
RANK = {name: rank for rank, row in enumerate(ROWS) for name in row}
# The network's linear parts are solved for where they stand.
ALLOWED = {("network", "solvers")}
# Views that show another view's whole subject inside them.
EMBEDDED = {
    ("attack_comparison", "decomposition_tree"),
    ("failure_analysis", "decomposition_tree"),
    ("inference_space", "concept_inference"),
}
FLAT = {"__init__", "arguments", "provenance"}
WIDGET_LIBRARIES = {"ipywidgets", "anywidget", "bqplot"}
DRAWERS = {"utils", "util", "core", "common", "helpers", "misc"}
# Packages of what is fitted: of their functions over so many statements no two are of one form.
FITTED, LONG = {"fitting", "atlas", "chip", "hint", "chain", "additive"}, 5
MODULES = sorted(p for p in PACKAGE.rglob("*.py") if "static" not in p.parts)


@pytest.fixture(scope="module", autouse=True)
def forgotten() -> Iterator[None]:
    """A million nodes that stayed would be walked by the collector in all tests that follow."""
    yield
    for kept in (tree_of, nodes_of, imports):
        kept.cache_clear()


def name_of(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree_of(path)))


@cache
def dotted(path: Path) -> tuple[str, ...]:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


@cache
def known_modules() -> frozenset[tuple[str, ...]]:
    return frozenset(dotted(path) for path in MODULES)


@cache
def imports(path: Path) -> tuple[tuple[str, ...], ...]:
    """Every module that a file imports, also inside functions, as absolute dotted parts."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[tuple[str, ...]]:
    here = dotted(path) if path.name == "__init__.py" else dotted(path)[:-1]
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            for alias in node.names:
                inner = (*module, alias.name)
                yield inner if inner in known_modules() else module


@cache
def modules_imported(path: Path) -> frozenset[tuple[str, ...]]:
    """Modules of the package that a file imports; packages stand for their `__init__`."""
    return known_modules().intersection(imports(path)) - {dotted(path)}


def is_demo(parts: tuple[str, ...]) -> bool:
    return len(parts) > 1 and parts[1] == "demo"


def calls(path: Path) -> Iterator[str]:
    for node in nodes_of(path):
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


def offenders(rule: Callable[[Path], object]) -> dict[str, object]:
    """What a rule finds in each module of the package, by the module's name."""
    found = {name_of(path): rule(path) for path in MODULES}
    return {name: what for name, what in found.items() if what}


def package_of(parts: tuple[str, ...]) -> str:
    return parts[1] if len(parts) > 1 else ""


def inside(path: Path, package: str) -> bool:
    return package_of(dotted(path)) == package


def goes_down(here: str, there: str) -> bool:
    """Whether a package may import another; the face and the demo may import all."""
    return here not in RANK or RANK[there] < RANK[here] or (here, there) in ALLOWED


def test_nothing_stands_beside_the_packages_but_the_face_arguments_and_provenance() -> None:
    assert {path.stem for path in MODULES if path.parent == PACKAGE} == FLAT


def test_every_package_has_its_row() -> None:
    assert {package_of(dotted(p)) for p in MODULES} - {"", "demo"} == set(RANK)


def test_imports_go_down_the_rows() -> None:
    def upward(path: Path) -> list[str]:
        here = package_of(dotted(path))
        others = {package_of(other) for other in modules_imported(path)} - {"", "demo", here}
        return sorted(other for other in others if not goes_down(here, other))

    assert not offenders(
        lambda path: [] if inside(path, "demo") or inside(path, "") else upward(path)
    )


def test_only_the_face_of_the_package_imports_the_face() -> None:
    def face(path: Path) -> bool:
        return path != PACKAGE / "__init__.py" and ("hexplain_widgets",) in modules_imported(path)

    assert not offenders(face)


def test_the_demo_is_imported_by_nobody_but_the_face_of_the_package() -> None:
    def guests(path: Path) -> bool:
        stranger = not inside(path, "demo") and path != PACKAGE / "__init__.py"
        return stranger and any(is_demo(other) for other in modules_imported(path))

    assert not offenders(guests)


def test_no_module_imports_itself_through_others() -> None:
    graph = {dotted(path): modules_imported(path) for path in MODULES}
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


def test_only_widgets_import_widget_libraries() -> None:
    assert not offenders(
        lambda path: (
            not inside(path, "widgets") and WIDGET_LIBRARIES & {other[0] for other in imports(path)}
        )
    )


def view_of(parts: tuple[str, ...]) -> str:
    """The folder of a view that a module stands in; none for what views share or are offered by."""
    inner = package_of(parts) == "widgets" and len(parts) > 3
    return parts[2] if inner and parts[2] != "_shared" else ""


def test_a_view_imports_another_only_where_it_shows_it() -> None:
    def others(path: Path) -> list[tuple[str, str]]:
        here = view_of(dotted(path))
        pairs = {(here, view_of(other)) for other in modules_imported(path)}
        return [(a, b) for a, b in pairs - EMBEDDED if a and b and a != b]

    assert not offenders(others)


def test_what_views_share_imports_none_of_them() -> None:
    shared = PACKAGE / "widgets" / "_shared"
    assert not offenders(
        lambda path: shared in path.parents and [m for m in modules_imported(path) if view_of(m)]
    )


def test_only_the_network_touches_hooks_and_methods_of_modules() -> None:
    assert not offenders(lambda path: not inside(path, "network") and touched(path))


def touched(path: Path) -> list[str]:
    """Hooks that a file registers, and methods of modules that it replaces."""
    assigned = (
        ast.unparse(target)
        for node in nodes_of(path)
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    )
    hook = re.compile(r"\.register_(module_)?(forward|full_backward)")
    hooks = (call for call in calls(path) if hook.search(call))
    return [*hooks, *(target for target in assigned if target.endswith(".forward"))]


def test_nothing_is_unpickled_printed_or_evaluated() -> None:
    unpicklers = {"pickle", "dill", "cloudpickle", "shelve"}
    banned = {"torch.load", "print", "eval", "exec"}
    assert not offenders(lambda path: unpicklers & {other[0] for other in imports(path)})
    assert not offenders(lambda path: banned & set(calls(path)))


def test_the_axes_of_an_array_are_a_text() -> None:
    """Anything else after the comma resolves to no hint, and the signature goes unchecked.

    ruff takes the quotes from one word and from dots: those begin with a space.
    """

    def bare(path: Path) -> list[str]:
        hints = [
            node.slice.elts[1]
            for node in nodes_of(path)
            if isinstance(node, ast.Subscript)
            and isinstance(node.slice, ast.Tuple)
            and hasattr(jaxtyping, ast.unparse(node.value))
        ]
        return [ast.unparse(hint) for hint in hints if not is_text(hint)]

    assert not offenders(bare)


def is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [
        node for node in nodes_of(path) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def test_a_function_has_at_most_40_lines_beside_its_docstring() -> None:
    assert not offenders(
        lambda path: [f.name for f in functions(path) if lines_without_docstring(f) > 40]
    )


def test_the_formatter_is_on_for_every_signature() -> None:
    def unformatted(path: Path) -> list[str]:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [f.name for f in functions(path) if "fmt: skip" in signature(f, lines)]

    assert not offenders(unformatted)


def signature(function: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> str:
    """The lines of a function from its name to the colon behind its arguments and result."""
    first, body = function.lineno - 1, function.body[0].lineno - 1
    return "\n".join(lines[first : max(body, first + 1)])


def test_a_class_name_occurs_once() -> None:
    names = Counter(
        node.name for path in MODULES for node in nodes_of(path) if isinstance(node, ast.ClassDef)
    )
    assert not [name for name, count in names.items() if count > 1]


def test_engines_and_what_they_keep_write_nothing_twice() -> None:
    homes: defaultdict[str, list[str]] = defaultdict(list)
    for path in MODULES:
        for function in functions(path) if package_of(dotted(path)) in FITTED else ():
            if len(statements_in(function)) > LONG:
                homes[form_of(function)].append(f"{name_of(path)}:{function.lineno}")
    assert not [alike for alike in homes.values() if len(alike) > 1]


def statements_in(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.stmt]:
    """The statements of a function, without itself and its docstring."""
    inside = [node for node in ast.walk(function) if isinstance(node, ast.stmt)]
    return [node for node in inside if node is not function and not is_docstring(node)]


def is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and is_text(node.value)


def form_of(node: ast.AST) -> str:
    """A syntax tree with names, constants, attributes and annotations taken out."""
    if isinstance(node, ast.Constant | ast.JoinedStr):
        return "constant"
    parts = []
    for name, value in ast.iter_fields(node):
        children = value if isinstance(value, list) else [value]
        if name not in ("annotation", "returns", "decorator_list", "ctx"):
            own = [form_of(c) for c in children if isinstance(c, ast.AST) and not is_docstring(c)]
            parts.append(f"{name}=[{' '.join(own)}]")
    return f"{type(node).__name__}({', '.join(parts)})"


def test_everything_public_says_what_it_is() -> None:
    def silent(path: Path) -> list[str]:
        tree = tree_of(path)
        public = [node for node in public_definitions(tree.body) if not ast.get_docstring(node)]
        return [node.name for node in public] + ([] if ast.get_docstring(tree) else ["module"])

    assert not offenders(silent)


def test_no_module_is_called_a_drawer() -> None:
    assert not offenders(lambda path: path.stem in DRAWERS)


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


@pytest.mark.parametrize("path", sorted((REPOSITORY / "notebooks").glob("*.ipynb")), ids=name_of)
def test_a_notebook_imports_nothing_below_the_face(path: Path) -> None:
    code = (
        line
        for cell in json.loads(path.read_text())["cells"]
        if cell["cell_type"] == "code"
        for line in "".join(cell["source"]).splitlines()
    )
    assert not [line for line in code if re.search(r"(from|import) +hexplain_widgets\.", line)]
