"""Run the zoo: `python -m tests.zoo --out zoo.jsonl`, again to go on; `--docs` writes the table."""

from __future__ import annotations

import argparse
import gc
import json
import signal
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from .checks import ENGINES, checked
from .table import ZooNetwork, large, redrawn, small

DOCS = Path(__file__).parents[2] / "docs" / "networks.md"
CLOSE = 1e-3
HEAD = """# Networks

Made by `python -m tests.zoo` with random weights and pictures of noise. *tree* is how far the
contributions at the last stage are from gradient times activation on the network itself, *ablation*
how far measured ones are from real removals, at most and relative to the strongest channel. A
network is *right* where both are below 1e-3 and it is left as it was; *said* where it is right and
a note says what is not shown or not certain; *failed* where it could not be built, took too long or
raised an error. *engines* are those that answered; a network without any was asked for its tree.
Seconds are those of one processor.
"""
VERDICTS = ("right", "said", "refused", "WRONG", "failed")
# What notes say that limit an answer; all others only explain it.
LIMITS = ("may be a map", "rest on", "not be traced", "itself was run", "draws random")


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Raise TimeoutError in the body after so many seconds of this process's own time."""

    def late(*_: Any) -> None:
        raise TimeoutError(f"longer than {seconds} s")

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def line_of(network: ZooNetwork, seconds: int) -> dict[str, Any]:
    """The line of one network; what it raised, where it raised."""
    line: dict[str, Any] = {"family": network.family, "name": network.name, "size": network.size}
    start = time.process_time()
    try:
        with at_most(seconds), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.manual_seed(0)
            model = network.make()
            model = model.eval() if network.family == "small" else redrawn(model)
            line |= {"parameters": sum(p.numel() for p in model.parameters())}
            line |= checked(model, network.size)
    except Exception as cause:  # the table has a line for every network
        line["failed"] = f"{type(cause).__name__}: {cause}"[:400]
    return line | {"all_s": round(time.process_time() - start, 1)}


def lines_in(path: Path) -> list[dict[str, Any]]:
    """The lines that are there already."""
    if not path.exists():
        return []
    return [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines() if text]


def verdict(line: dict[str, Any]) -> str:
    """In a word how a line is: "said" where it is right and a note says what is not shown."""
    if line.get("failed"):
        return "failed"
    if line.get("refused"):
        return "refused"
    if max(line["tree"], line["ablation"]) > CLOSE or not line["untouched"]:
        return "WRONG"
    limited = any(words in note for note in line["notes"] for words in LIMITS)
    return "said" if limited else "right"


def row(line: dict[str, Any]) -> str:
    """A line as a row of the page."""
    said = line.get("failed") or line.get("refused") or "; ".join(line.get("notes", []))
    bad = [name for name, text in line.get("engines", {}).items() if text]
    worked = ", ".join(n for n in ENGINES if n in line.get("engines", {}) and n not in bad)
    numbers = [f"{line[k]:.0e}" if k in line else "" for k in ("tree", "ablation")]
    short = said.split("\n")[0][:160].replace("|", "/")
    cells = [line["name"], str(line["size"]), verdict(line), *numbers]
    cells += [str(len(line.get("stages", []))), worked, str(line.get("tree_s", "")), short]
    return f"| {' | '.join(cells)} |"


def totals(lines: list[dict[str, Any]], networks: Sequence[ZooNetwork]) -> str:
    """How many networks of each family are right, said, refused, wrong, failed and not run."""
    rows = ["| family | networks | " + " | ".join((*VERDICTS, "not run")) + " |"]
    rows.append("|---" * (len(VERDICTS) + 3) + "|")
    for family in dict.fromkeys(network.family for network in networks):
        names = {network.name for network in networks if network.family == family}
        own = [line for line in lines if line["family"] == family and line["name"] in names]
        count = Counter(map(verdict, own))
        cells = [family, len(names), *(count[v] for v in VERDICTS), len(names) - len(own)]
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join((*rows, ""))


def page(lines: list[dict[str, Any]], networks: Sequence[ZooNetwork]) -> str:
    """The totals, and the table of all networks, by family."""
    parts = [HEAD, totals(lines, networks)]
    title = "| network | side | is | tree | ablation | stages | engines | tree s | said |"
    title += "\n|" + "---|" * 9
    for family in dict.fromkeys(line["family"] for line in lines):
        rows = [row(line) for line in lines if line["family"] == family]
        parts.append("\n".join((f"## {family}\n", title, *rows, "")))
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("zoo.jsonl"))
    parser.add_argument("--only", nargs="*", help="names of networks, or a family")
    parser.add_argument("--timeout", type=int, default=300, help="seconds of processor time each")
    parser.add_argument("--docs", action="store_true", help="write docs/networks.md and end")
    given = parser.parse_args()
    if given.docs:
        DOCS.write_text(page(lines_in(given.out), (*small(), *large())), encoding="utf-8")
        return
    torch.set_num_threads(1)
    known = {(line["family"], line["name"]) for line in lines_in(given.out)}
    for network in (*small(), *large()):
        wanted = not given.only or {network.name, network.family} & {*given.only}
        if wanted and (network.family, network.name) not in known:
            line = line_of(network, given.timeout)
            with given.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(row(line), flush=True)
            gc.collect()


if __name__ == "__main__":
    main()
