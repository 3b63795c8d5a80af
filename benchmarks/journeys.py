"""How many files one walks through from a call to its result, and what the package is made of.

    python benchmarks/journeys.py                         # everything, about two minutes
    python benchmarks/journeys.py --only journeys --list  # with the names of the files
    python benchmarks/journeys.py --only structure        # counts over the syntax trees
    python benchmarks/journeys.py --only import           # processor time of the import

Journeys: the embedded world, small. A Python file of the package counts where a function written in
it runs between the call and its result, whatever was only imported or only defines a class does
not; neither does `demo`, which stands for the user's data and network. Every journey has a process
of its own, so that nothing is remembered from another one, in which all modules are imported
before. TypeScript files are those that esbuild takes into the view's bundle (types leave none).
This takes built views and js/node_modules (`make lab` or `npm ci && npm run build` in js/).

Structure: statements are those of the syntax tree, without docstrings. Modules that import each
other in a circle, also from inside functions, are one cycle. Two functions of over five statements
are twins where their trees are the same when names, constants, attributes and annotations are
taken out; pairs within one module do not count.

Import: processor time of fresh processes that take turns, without the start of Python.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import io
import json
import pkgutil
import queue
import statistics
import subprocess
import sys
import threading
import tokenize
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import combinations
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import networkx

ROOT = Path(__file__).parents[1]
PACKAGE, VIEWS = ROOT / "hexplain_widgets", ROOT / "js" / "src"
DEMO = PACKAGE / "demo"
sys.path.insert(0, str(ROOT))

IMAGES, SCENES, GATES = 10, 10, 30
PATIENCE = 60  # seconds for a click's answer
LONG = 5  # statements up to which functions may look alike
HEAVY = ("bqplot", "pandas", "scipy.cluster", "scipy.spatial", "networkx")
BARE, OURS = "import torch, torchvision", "import hexplain_widgets"
TIMED = """
import sys, time
start = time.process_time()
{statement}
print(time.process_time() - start, *(name for name in {names} if name in sys.modules))
"""
METAFILE = """
import * as esbuild from "esbuild";
const { metafile } = await esbuild.build({
  entryPoints: [process.argv[1]],
  bundle: true, format: "esm", outdir: "out", write: false, metafile: true, logLevel: "error",
});
console.log(JSON.stringify(Object.keys(metafile.inputs)));
"""


class Journey(NamedTuple):
    """A way from a call to its result: what prepares it returns what is counted."""

    title: str
    bundle: str | None
    prepare: Callable[[], Callable[[], object]]


def click() -> Callable[[], object]:
    import hexplain_widgets as hx

    model = hx.demo.classifier()
    image = hx.demo.scene("house", surroundings="pool", seed=3).image
    # with all nodes there from the beginning, a click would ask nothing
    return lambda: ask(hx.DecompositionTree(model, image, max_nodes=4), "expand", path=[0])


def importance() -> Callable[[], object]:
    import hexplain_widgets as hx

    model, data = hx.demo.classifier(), list(hx.demo.scenes(IMAGES))  # drawn before
    return lambda: hx.Chip(gates_per_image=GATES).fit(model, data, progress=False).importance()


def concept_tree() -> Callable[[], object]:
    import hexplain_widgets as hx

    model, concepts = hx.demo.classifier(), hx.demo.scenes(SCENES).concepts()
    image = hx.demo.scene("house", surroundings="pool", seed=3).image

    def journey() -> object:
        chain = hx.Chain(gates=GATES).fit(model, concepts, progress=False)
        return hx.ConceptTree(chain, image)

    return journey


JOURNEYS = {
    "click": Journey(
        "an image through DecompositionTree to a click's answer", "decomposition_tree", click
    ),
    "importance": Journey("a data set through Chip.fit to importance", None, importance),
    "concepts": Journey(
        "a concept set through Chain.fit to ConceptTree", "concept_tree", concept_tree
    ),
}


def ask(view: Any, kind: str, **fields: object) -> dict[str, Any]:
    """What a view answers to a message from its browser."""
    answers: queue.Queue[dict[str, Any]] = queue.Queue()
    view.send = lambda content, buffers=None: answers.put(content)
    view._handle_custom_msg({"kind": kind, "id": 1, **fields}, [])
    while (answer := answers.get(timeout=PATIENCE))["kind"] == "accepted":
        pass
    if answer["kind"] != "result":
        raise RuntimeError(f"the view answered {answer}; expected a result; see its messages")
    return answer


def files_of(journey: Callable[[], object]) -> list[str]:
    """The package's files, `demo` aside, in which a function runs during a call, on any thread."""
    ran = set()

    def keep(frame: FrameType, event: str, arg: object) -> None:
        if frame.f_code.co_flags & inspect.CO_OPTIMIZED:  # no body of a module or class
            ran.add(frame.f_code.co_filename)

    threading.setprofile(keep)
    sys.setprofile(keep)
    try:
        journey()
        if sys.getprofile() is not keep:
            raise RuntimeError("the profiler is gone; expected it to stay; find who replaced it")
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    own = [p for p in map(Path, ran) if p.is_relative_to(PACKAGE) and not p.is_relative_to(DEMO)]
    return sorted(p.relative_to(PACKAGE).as_posix() for p in own)


def print_files(name: str) -> None:
    """Go one journey, and print the files it runs through."""
    package = importlib.import_module(PACKAGE.name)
    for module in pkgutil.walk_packages(package.__path__, f"{PACKAGE.name}."):
        importlib.import_module(module.name)
    print(json.dumps(files_of(JOURNEYS[name].prepare())))


def python_files(name: str) -> list[str]:
    """The Python files of a journey, gone in a process of its own."""
    command = [sys.executable, __file__, "--journey", name]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def entry(bundle: str) -> Path:
    """The file that a bundle is built from: others of its name have no style beside them."""
    found = [p for p in VIEWS.rglob(f"{bundle}.ts") if p.with_suffix(".css").is_file()]
    if len(found) != 1:
        raise RuntimeError(
            f"{len(found)} files {bundle}.ts with a style beside; expected one; look in js/src"
        )
    return found[0]


def typescript_files(bundle: str) -> list[str]:
    """The TypeScript files of js/src in a bundle."""
    command = ["node", "--input-type=module", "--eval", METAFILE, str(entry(bundle))]
    answer = subprocess.run(command, cwd=VIEWS.parent, stdout=subprocess.PIPE, check=True)
    inputs = [(VIEWS.parent / name).resolve() for name in json.loads(answer.stdout)]
    own = [p for p in inputs if p.is_relative_to(VIEWS) and p.suffix == ".ts"]
    return sorted(p.relative_to(VIEWS).as_posix() for p in own)


def journeys(settings: argparse.Namespace) -> None:
    for name, journey in JOURNEYS.items():
        python = python_files(name)
        views = typescript_files(journey.bundle) if journey.bundle else []
        bundle = f"{len(views):3} TypeScript files of {journey.bundle}" if views else ""
        print(f"{journey.title:56} {len(python):3} Python files   {bundle}".rstrip(), flush=True)
        print_names(settings, (f"hexplain_widgets/{p}" for p in python))
        print_names(settings, (f"js/src/{p}" for p in views))


def print_names(settings: argparse.Namespace, names: Iterable[str]) -> None:
    if settings.list:
        for name in names:
            print(f"    {name}")


def sources(*, demo: bool) -> list[Path]:
    """Every Python file of the package."""
    return sorted(p for p in PACKAGE.rglob("*.py") if demo or not p.is_relative_to(DEMO))


@cache
def nodes_of(path: Path) -> list[ast.AST]:
    """A file's syntax tree, all of it."""
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def is_text(node: ast.AST) -> bool:
    """Whether a statement is a docstring."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def statements(nodes: Iterable[ast.AST]) -> int:
    return sum(isinstance(node, ast.stmt) and not is_text(node) for node in nodes)


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in nodes_of(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def skipped_signatures(paths: list[Path]) -> list[str]:
    """Where a `# fmt: skip` stands on a signature."""
    return [
        f"{where(path)}:{node.lineno} {node.name}"
        for path in paths
        for node in functions(path)
        if skips(path) & set(range(node.lineno, max(node.lineno + 1, node.body[0].lineno)))
    ]


@cache
def skips(path: Path) -> set[int]:
    """The lines with a `# fmt: skip`."""
    text = io.StringIO(path.read_text(encoding="utf-8"))
    comments = (t for t in tokenize.generate_tokens(text.readline) if t.type == tokenize.COMMENT)
    return {comment.start[0] for comment in comments if "fmt: skip" in comment.string}


def where(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def dotted(path: Path) -> tuple[str, ...]:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def imports(path: Path) -> Iterator[tuple[str, ...]]:
    """What a file imports, also inside functions: for each name the module and what may be one."""
    here = dotted(path) if path.name == "__init__.py" else dotted(path)[:-1]
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            yield from ((*module, alias.name) for alias in node.names)


def cycles(paths: list[Path]) -> list[str]:
    """The groups of modules that import each other in a circle."""
    known = {dotted(path) for path in paths}
    graph = networkx.DiGraph()
    for path in paths:
        for name in imports(path):
            module = name if name in known else name[:-1]
            if module in known and module != dotted(path):
                graph.add_edge(dotted(path), module)
    circles = [c for c in networkx.strongly_connected_components(graph) if len(c) > 1]
    return [", ".join(sorted(map(".".join, circle))) for circle in circles]


def shared_names(paths: list[Path]) -> list[str]:
    """The names that several classes have, with their files."""
    homes = defaultdict(list)
    for path in paths:
        for node in nodes_of(path):
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(where(path))
    return [f"{name}: {', '.join(found)}" for name, found in homes.items() if len(found) > 1]


def shape(node: ast.AST) -> str:
    """The form of a syntax tree, with names, constants, attributes and annotations taken out."""
    if isinstance(node, ast.Constant | ast.JoinedStr):
        return "constant"
    parts = []
    for field, value in ast.iter_fields(node):
        if field not in ("annotation", "returns", "decorator_list", "ctx"):
            inner = value if isinstance(value, list) else [value]
            found = [shape(n) for n in inner if isinstance(n, ast.AST) and not is_text(n)]
            parts.append(f"{field}=[{' '.join(found)}]")
    return f"{type(node).__name__}({', '.join(parts)})"


def twins(paths: list[Path]) -> list[str]:
    """Pairs of functions in two modules whose syntax trees have one form."""
    homes = defaultdict(list)
    for path in paths:
        for node in functions(path):
            if statements(ast.walk(node)) - 1 > LONG:  # without the function itself
                homes[shape(node)].append((path, f"{where(path)}:{node.lineno} {node.name}"))
    pairs = (pair for found in homes.values() for pair in combinations(found, 2))
    return [f"{a}  =  {b}" for (one, a), (other, b) in pairs if one != other]


def structure(settings: argparse.Namespace) -> None:
    paths, every = sources(demo=False), sources(demo=True)
    print(f"{'':52} {'without demo':>12} {'all':>8}")
    row("modules without __init__.py", *(modules(some) for some in (paths, every)))
    row("statements", *(sum(map(statements, map(nodes_of, some))) for some in (paths, every)))
    found: dict[str, Callable[[list[Path]], list[str]]] = {
        "signatures with # fmt: skip": skipped_signatures,
        "import cycles": cycles,
        "names of several classes": shared_names,
        f"pairs of twins over {LONG} statements": twins,
    }
    for title, find in found.items():
        names = find(every)
        row(title, len(find(paths)), len(names))
        print_names(settings, names)


def modules(paths: list[Path]) -> int:
    return sum(path.name != "__init__.py" for path in paths)


def row(title: str, without_demo: int, every: int) -> None:
    print(f"{title:52} {without_demo:12,} {every:8,}", flush=True)


def time_import(statement: str) -> tuple[float, list[str]]:
    """Processor seconds of an import in a fresh process, and what heavy modules it loads."""
    code = TIMED.format(statement=statement, names=HEAVY)
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    took, *loaded = answer.stdout.split()
    return float(took), loaded


def import_time(settings: argparse.Namespace) -> None:
    taken: dict[str, list[float]] = {BARE: [], OURS: []}
    # these first ones are not timed: they read the files, and compile them where nobody has
    heavy = {statement: time_import(statement)[1] for statement in taken}
    for _ in range(settings.repeats):
        for statement, seconds in taken.items():
            seconds.append(time_import(statement)[0])
    for statement, seconds in taken.items():
        print(
            f"{statement:28} {statistics.median(seconds):6.2f} s (lowest {min(seconds):.2f})"
            f"   loads {', '.join(heavy[statement]) or 'nothing heavy'}"
        )
    ratio = statistics.median(taken[OURS]) / statistics.median(taken[BARE])
    print(f"{'ratio':28} {ratio:6.2f} x   (heavy: {', '.join(HEAVY)})")


PARTS = {"journeys": journeys, "structure": structure, "import": import_time}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--list", action="store_true", help="the names behind the counts")
    parser.add_argument("--repeats", type=int, default=5, help="imports timed of each kind")
    parser.add_argument("--journey", choices=JOURNEYS, help=argparse.SUPPRESS)
    settings = parser.parse_args()
    if settings.journey:
        print_files(settings.journey)
        return
    for name, part in PARTS.items():
        if settings.only in (None, name):
            print(f"{name}:")
            part(settings)


if __name__ == "__main__":
    main()
