"""Which concept of a hierarchy each class of a network is: by name, by number, by order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from .graphs import nx
from .synonyms import ConceptEntry, SynonymLookup, folded, synonyms_of
from .taxonomies import Taxonomy, checked

SHOWN = 5  # names that an error lists
T = TypeVar("T")


def class_names(classes: int | Sequence[str]) -> tuple[str, ...]:
    """Return the names of a network's classes, `class 7` where only their number is known.

    Raises TypeError for what is neither, ValueError for no class at all.
    """
    if isinstance(classes, str) or not isinstance(classes, int | Sequence):
        raise TypeError(
            f"got {classes!r} ({type(classes).__name__}) as classes; expected the names of the"
            " network's classes in its order, or how many there are; pass a list or a number"
        )
    given = classes if isinstance(classes, Sequence) else map("class {}".format, range(classes))
    names = tuple(map(str, given))
    if not names:
        raise ValueError(
            f"got {classes!r} as classes; expected at least one class; pass the network's names"
        )
    return names


def _only_numbers(names: Sequence[str]) -> bool:
    return tuple(names) == class_names(len(names))


def class_indices(
    entries: Mapping[str, ConceptEntry], leaves: Iterable[str], classes: int | Sequence[str]
) -> dict[str, int]:
    """Return the class index of each concept that is a class of the network.

    A class is the concept of its name. Where several share the name, it is the one that has a
    class index, else the only leaf among them. What names leave open is settled by class index,
    if most names agree that the network's order is that of the hierarchy. Raises ValueError for a
    class index beyond the network's classes, and for a class that may be several concepts.
    """
    names = class_names(classes)
    by_number = _only_numbers(names)
    fixed = {e.id: e.class_index for e in entries.values() if e.fixed or by_number}
    indices = {id: index for id, index in fixed.items() if index is not None}
    _check_in_range(indices, entries, len(names))
    others = [entry for entry in entries.values() if entry.id not in indices]
    candidates = _candidates(others, frozenset(leaves), names)
    if by_number:
        # A network without names: its classes are called "class 0", "class 1", ... by all.
        alone = {ids[0]: i for i, ids in enumerate(candidates) if len(ids) == 1}
        return {id: i for id, i in alone.items() if i not in indices.values()} | indices
    return indices | _settled(candidates, others, names)


def _check_in_range(
    indices: Mapping[str, int], entries: Mapping[str, ConceptEntry], count: int
) -> None:
    beyond = [id for id, index in indices.items() if index >= count]
    if beyond:
        entry = entries[beyond[0]]
        raise ValueError(
            f"got class {indices[entry.id]} for the concept {entry.name!r}; expected a class from 0"
            f" to {count - 1}, as the network has; correct it, or pass the names of the network's"
            " classes"
        )


def _candidates(
    entries: Iterable[ConceptEntry], leaves: frozenset[str], names: Sequence[str]
) -> list[tuple[str, ...]]:
    """Return the concepts that each class may be, by its name alone."""
    lookup = SynonymLookup(entries)
    indexed = {entry.id for entry in entries if entry.class_index is not None}
    return [_preferred(lookup(name), indexed, leaves) for name in names]


def _preferred(ids: tuple[str, ...], *kinds: set[str] | frozenset[str]) -> tuple[str, ...]:
    """Return those of the first kind that any is of, where several share a name."""
    groups = ([id for id in ids if id in kind] for kind in kinds)
    return ids if len(ids) < 2 else tuple(next((some for some in groups if some), ids))


def _settled(
    candidates: Sequence[tuple[str, ...]], entries: Sequence[ConceptEntry], names: Sequence[str]
) -> dict[str, int]:
    claims = Counter(ids[0] for ids in candidates if len(ids) == 1)
    sure = {ids[0]: i for i, ids in enumerate(candidates) if len(ids) == 1 and claims[ids[0]] == 1}
    order = _believed_order(entries, candidates)
    open_classes = sorted(set(range(len(names))) - set(sure.values()))
    placed = {order[i]: i for i in open_classes if i in order and order[i] not in sure}
    unclear = [i for i in open_classes if candidates[i] and i not in placed.values()]
    if unclear:
        raise _unclear(unclear[0], candidates, entries, names)
    return sure | placed


def _believed_order(
    entries: Iterable[ConceptEntry], candidates: Sequence[tuple[str, ...]]
) -> dict[int, str]:
    """Return the concept at each class index, if most names say that the order is the network's."""
    indexed = {e.class_index: e.id for e in entries if e.class_index is not None}
    order = {index: id for index, id in indexed.items() if index < len(candidates)}
    agreeing = sum(id in candidates[index] for index, id in order.items())
    return order if 2 * agreeing > len(order) else {}


def _unclear(
    index: int,
    candidates: Sequence[tuple[str, ...]],
    entries: Sequence[ConceptEntry],
    names: Sequence[str],
) -> ValueError:
    called = {entry.id: entry.name for entry in entries}
    concepts = ", ".join(repr(called[id]) for id in candidates[index][:SHOWN])
    conflicts = [i for i, ids in enumerate(candidates) if set(ids) & set(candidates[index])]
    return ValueError(
        f"got the class name {names[index]!r} at {', '.join(map(str, conflicts[:SHOWN]))}, which"
        f" may be {concepts}; expected each class to be one concept; give classes their numbers in"
        " the hierarchy, or call them by the ids of concepts"
    )


def numbered(
    taxonomy: Taxonomy, indices: Mapping[str, int], classes: int | Sequence[str]
) -> Taxonomy:
    """Return a taxonomy with the network's class indices and names, as `class_indices` found them.

    A leaf that was given as a number gets the network's name, and is one with a concept that is
    the same class.
    """
    names = class_names(classes)
    fixed = _only_numbers(names)
    entries = [_numbered(e, indices.get(e.id), names, fixed) for e in taxonomy.entries.values()]
    named = {e.class_index: e.id for e in entries if e.class_index is not None and e.name}
    same = {e.id: named[e.class_index] for e in entries if not e.name and e.class_index in named}
    by_id = {e.id: e for e in entries if e.id not in same}
    for number, id in same.items():
        by_id[id] = replace(by_id[id], synonyms=(*by_id[id].synonyms, number))
    graph = nx.relabel_nodes(taxonomy.graph, same)
    graph.remove_edges_from([(id, id) for id in same.values() if graph.has_edge(id, id)])
    selected = taxonomy.selected and tuple(dict.fromkeys(same.get(i, i) for i in taxonomy.selected))
    return checked(Taxonomy(graph, by_id, selected))


def _numbered(
    entry: ConceptEntry, index: int | None, names: Sequence[str], fixed: bool
) -> ConceptEntry:
    """Return a concept as the class it is; without a unique name if it was only a number."""
    if index is None:
        return replace(entry, class_index=None, fixed=False)
    known = {folded(entry.id), *map(folded, entry.synonyms)}
    more = tuple(s for s in synonyms_of(names[index]) if folded(s) not in known)
    more = () if fixed else more
    only_number = bool(more) and entry.synonyms == (f"class {index}",)
    return replace(
        entry,
        synonyms=more + entry.synonyms if only_number else entry.synonyms + more,
        class_index=index,
        fixed=fixed or entry.fixed,
        name="" if only_number else entry.name,
    )


def classes_below(graph: nx.DiGraph, own: Mapping[str, T]) -> dict[str, frozenset[T]]:
    """Return what each concept of a graph has itself and through all that lies below it."""
    below: dict[str, frozenset[T]] = {}
    for id in reversed(list(nx.topological_sort(graph))):
        mine = frozenset([own[id]]) if id in own else frozenset()
        below[id] = mine.union(*(below[child] for child in graph.successors(id)))
    return below
