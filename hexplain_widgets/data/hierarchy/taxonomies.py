"""Is-a graphs from nested dicts, networkx, tables and JSON files, brought to one form."""

from __future__ import annotations

import json
import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path
from typing import Any

from ...arguments import nearest
from .graphs import nx
from .synonyms import ConceptEntry, synonyms_of, unique_names

_DICT = 'a nested dict {"animal": {"dog": ["husky", "pug"]}}'
_KINDS = f"{_DICT}, a networkx.DiGraph with edges from parent to child, or the path of a JSON file"
_NESTED = "a dict of what lies below it, a list of names or class indices, or its own class index"


@dataclass(frozen=True)
class Taxonomy:
    """An is-a graph: ids with edges from parent to child, and what each id stands for.

    `selected` are the ids of the concepts in use; None is all of them.
    """

    graph: nx.DiGraph
    entries: Mapping[str, ConceptEntry]
    selected: tuple[str, ...] | None = None


def taxonomy_of(value: Any) -> Taxonomy:
    """Return a nested dict, table, networkx.DiGraph or JSON file as a taxonomy with unique names.

    Raises TypeError, FileNotFoundError, and ValueError for what holds no hierarchy, or a cycle.
    """
    if isinstance(value, str | os.PathLike):
        return _of_json(Path(value))
    if isinstance(value, Mapping):
        return checked(_of_table(value) if _is_table(value) else _of_nested(value))
    if isinstance(value, nx.Graph):
        return checked(_of_networkx(value))
    raise TypeError(
        f"got {type(value).__name__} as a hierarchy; expected {_KINDS}; convert it to one of these"
    )


def checked(taxonomy: Taxonomy) -> Taxonomy:
    """Return a taxonomy with a unique name for each concept; raises ValueError for a cycle."""
    graph, entries = taxonomy.graph, taxonomy.entries
    if not entries:
        raise ValueError(
            "got a hierarchy without concepts; expected at least one; give it the names of concepts"
        )
    parents = {id: tuple(entries[p].first for p in graph.predecessors(id)) for id in graph}
    names = unique_names(entries, parents)
    named = {id: replace(entries[id], name=names[id]) for id in graph}
    if not nx.is_directed_acyclic_graph(graph):
        edges = nx.find_cycle(graph)
        raise _cycle([*(named[a].name for a, _ in edges), named[edges[0][0]].name])
    return replace(taxonomy, entries=named)


def topological(graph: nx.DiGraph) -> tuple[str, ...]:
    """Return the nodes parents first, what lies below one node as close together as can be."""
    mirrored = nx.DiGraph()
    mirrored.add_nodes_from(reversed([id for id, above in graph.in_degree() if not above]))
    for id in graph:
        mirrored.add_edges_from((id, child) for child in reversed(list(graph.successors(id))))
    return tuple(reversed(list(nx.dfs_postorder_nodes(mirrored))))


def _cycle(names: Iterable[str]) -> ValueError:
    return ValueError(
        f"got a cycle: {' → '.join(names)}; expected an is-a hierarchy, in which no concept lies"
        " below itself; take out one of these arrows"
    )


# nested dicts


def _of_nested(tree: Mapping[Any, Any]) -> Taxonomy:
    graph, entries = nx.DiGraph(), dict[str, ConceptEntry]()
    waiting: deque[tuple[tuple[str, ...], Any]] = deque([((), tree)])
    while waiting:
        path, value = waiting.popleft()
        for entry, below in _items(value, path):
            if entry.id in path:
                raise _cycle([*path[path.index(entry.id) :], entry.id])
            entries[entry.id] = _agreed(entries.get(entry.id), entry)
            graph.add_node(entry.id)
            if path:
                graph.add_edge(path[-1], entry.id)
            waiting.append(((*path, entry.id), below))
    return Taxonomy(graph, entries)


def _items(value: Any, path: tuple[str, ...]) -> Iterator[tuple[ConceptEntry, Any]]:
    """Yield what lies directly below a path, each with what lies below that."""
    if value is None:
        return
    for key, below in value.items() if isinstance(value, Mapping) else _listed(value, path):
        if isinstance(key, Mapping):
            yield from _items(key, path)
        elif _is_index(key):
            yield _class(int(key), path), None
        elif _is_index(below):
            yield replace(_entry(key, path), class_index=_index(below, key), fixed=True), None
        else:
            yield _entry(key, path), below


def _listed(value: Any, path: tuple[str, ...]) -> Iterator[tuple[Any, None]]:
    if not isinstance(value, list | tuple):
        what = f"the text {value!r}" if isinstance(value, str) else type(value).__name__
        mend = "put it in brackets" if isinstance(value, str) else "write it as one of these"
        raise ValueError(f"got {what} below {_at(path)}; expected {_NESTED}; {mend}")
    yield from ((item, None) for item in value)


def _entry(key: Any, path: tuple[str, ...]) -> ConceptEntry:
    if not isinstance(key, str):
        raise ValueError(
            f"got {key!r} ({type(key).__name__}) as a concept below {_at(path)}; expected a name"
            " or, in a list, a class index; write it as text"
        )
    if not (synonyms := synonyms_of(key)):
        raise ValueError(
            f"got an empty name below {_at(path)}; expected the name of a concept; give it one"
        )
    return ConceptEntry(key.strip(), synonyms)


def _at(path: tuple[str, ...]) -> str:
    return " → ".join(map(repr, path)) if path else "the top"


def _agreed(known: ConceptEntry | None, entry: ConceptEntry) -> ConceptEntry:
    """Return one entry for a concept that stands in two places."""
    if known is None or known.class_index is None or entry.class_index is None:
        return known if known and known.class_index is not None else entry
    if known.class_index != entry.class_index:
        raise ValueError(
            f"got {entry.id!r} as class {known.class_index} and as class {entry.class_index};"
            " expected one of them; take the other out"
        )
    return known


# class indices


def _is_index(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _index(value: Any, owner: str) -> int:
    if not _is_index(value) or value < 0:
        raise ValueError(
            f"got {value!r} as the class index of {owner!r}; expected a whole number from 0; look"
            " it up in the network's list of classes"
        )
    return int(value)


def _class(index: int, path: tuple[str, ...]) -> ConceptEntry:
    name = f"class {_index(index, _at(path))}"
    return ConceptEntry(name, (name,), index, fixed=True)


# networkx


def _of_networkx(graph: nx.Graph) -> Taxonomy:
    if not graph.is_directed():
        raise TypeError(
            "got an undirected networkx graph as a hierarchy; expected a DiGraph with edges from"
            " parent to child; build networkx.DiGraph(edges)"
        )
    entries = {node: _entry_of_node(node, data) for node, data in graph.nodes(data=True)}
    counts = Counter(entry.id for entry in entries.values())
    if shared := [id for id, count in counts.items() if count > 1]:
        raise ValueError(
            f"got a graph with two nodes that are both {shared[0]!r} as text; expected a name for"
            " each; rename one with networkx.relabel_nodes"
        )
    plain = nx.DiGraph()
    plain.add_nodes_from(counts)
    plain.add_edges_from((entries[a].id, entries[b].id) for a, b in graph.edges())
    return Taxonomy(plain, {entry.id: entry for entry in entries.values()})


def _entry_of_node(node: Any, data: Mapping[str, Any]) -> ConceptEntry:
    if _is_index(node) and "name" not in data:
        return _class(node, ())
    entry = _entry(data.get("name", node), ())
    index = data.get("class_index")
    if index is None:
        return replace(entry, id=str(node))
    return replace(entry, id=str(node), class_index=_index(index, str(node)), fixed=True)


# tables


def _is_table(value: Mapping[Any, Any]) -> bool:
    nodes = value.get("nodes")
    rows = nodes.values() if isinstance(nodes, Mapping) else ()
    return any(isinstance(row, Mapping) and row.keys() & {"parents", "children"} for row in rows)


def _of_table(table: Mapping[Any, Any]) -> Taxonomy:
    rows = {id: _row(id, row) for id, row in table["nodes"].items()}
    graph = nx.DiGraph()
    graph.add_nodes_from(rows)
    for id, row in rows.items():
        graph.add_edges_from((id, child) for child in _ids(row, "children", id, rows))
    for id, row in rows.items():
        graph.add_edges_from((parent, id) for parent in _ids(row, "parents", id, rows))
    entries = {id: _entry_of_row(id, row) for id, row in rows.items()}
    named = [entry.name for entry in entries.values() if entry.name]
    if len(set(named)) < len(named):
        raise ValueError(
            "got a table in which concepts share a display name; expected each to have its own;"
            " take another copy, or take the display names out"
        )
    selected = _ids(table, "selected", "the table", rows)
    return Taxonomy(graph, entries, tuple(selected) or None)


def _row(id: Any, row: Any) -> Mapping[str, Any]:
    if not isinstance(id, str) or not isinstance(row, Mapping):
        raise ValueError(
            f"got {type(row).__name__} as the node {id!r} of a table; expected a dict with name,"
            " parents, children and class_index; write it as one"
        )
    return row


def _ids(row: Mapping[str, Any], key: str, owner: str, known: Mapping[str, Any]) -> list[str]:
    listed = row.get(key) or []
    if not isinstance(listed, list | tuple):
        raise ValueError(
            f"got {type(listed).__name__} as {key} of {owner!r}; expected a list of ids; put it in"
            " brackets"
        )
    for id in listed:
        if not isinstance(id, str) or id not in known:
            raise ValueError(
                f"got {id!r} among the {key} of {owner!r}; expected the id of a node of the table,"
                f" the nearest are {nearest(str(id), known)}; add it, or take it out"
            )
    return list(listed)


def _entry_of_row(id: str, row: Mapping[str, Any]) -> ConceptEntry:
    entry = replace(_entry(row.get("name", id), ()), id=id, name=_display(id, row))
    if row.get("class_index") is None:
        return entry
    fixed = row.get("fixed") is True
    return replace(entry, class_index=_index(row["class_index"], id), fixed=fixed)


def _display(id: str, row: Mapping[str, Any]) -> str:
    name = row.get("display", "")
    if not isinstance(name, str):
        raise ValueError(
            f"got {type(name).__name__} as the display name of {id!r}; expected text; write it in"
            " quotes, or leave it out"
        )
    return name


def table_of(taxonomy: Taxonomy) -> dict[str, Any]:
    """Return a taxonomy as plain values for JSON, which `taxonomy_of` reads back."""
    nodes = {
        id: {
            "name": ", ".join(entry.synonyms),
            "display": entry.name,
            "parents": list(taxonomy.graph.predecessors(id)),
            "children": list(taxonomy.graph.successors(id)),
            "class_index": entry.class_index,
            "fixed": entry.fixed,
        }
        for id, entry in taxonomy.entries.items()
    }
    return {"nodes": nodes, "selected": list(taxonomy.selected or ())}


# JSON


def _of_json(path: Path) -> Taxonomy:
    if not path.is_file():
        raise FileNotFoundError(
            f"no file at {str(path)!r}; expected a hierarchy as JSON there; check the path,"
            f" relative paths start at {str(Path.cwd())!r}"
        )
    try:
        value = json.loads(path.read_bytes(), object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as cause:
        raise ValueError(
            f"{str(path)!r} is no JSON that can be read ({cause}); expected {_DICT} as JSON;"
            " mend it, or take another copy"
        ) from cause
    if not isinstance(value, dict):
        raise ValueError(
            f"{str(path)!r} holds {type(value).__name__}; expected an object of concepts as JSON;"
            " put the concepts under a name for all of them"
        )
    return taxonomy_of(value)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        repeated = next(k for i, (k, _) in enumerate(pairs) if k in dict(pairs[:i]))
        raise ValueError(f"the key {repeated!r} stands twice in one object")
    return table
