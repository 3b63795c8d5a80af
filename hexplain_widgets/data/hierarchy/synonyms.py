"""Names of concepts: several synonyms each, one name that no other has, and finding by any."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

Parents = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class ConceptEntry:
    """One concept of a hierarchy: what it is called, and which class of a network it is.

    `synonyms` are as in WordNet, the first the commonest; `name` is unique in its hierarchy, empty
    until given. A `class_index` that is not `fixed` holds for a network whose names agree with it.
    """

    id: str
    synonyms: tuple[str, ...]
    class_index: int | None = None
    fixed: bool = False
    name: str = ""

    @property
    def first(self) -> str:
        """The first synonym."""
        return self.synonyms[0]


def synonyms_of(text: str) -> tuple[str, ...]:
    """Return the synonyms that a text holds, `"dog, domestic dog"` two of them."""
    return tuple(part for part in map(str.strip, text.split(",")) if part)


def folded(text: str) -> str:
    """Return a name without case, underscores and repeated spaces, for comparing."""
    return " ".join(text.replace("_", " ").casefold().split())


class SynonymLookup:
    """Concepts by id, unique name or any synonym: the nearest way of being called wins."""

    def __init__(self, entries: Iterable[ConceptEntry]) -> None:
        self._tables: tuple[dict[str, list[str]], ...] = tuple(defaultdict(list) for _ in range(7))
        for entry in entries:
            for table, names in zip(self._tables, _names_by_rank(entry), strict=True):
                for name in names:
                    table[name].append(entry.id)

    def __call__(self, name: str) -> tuple[str, ...]:
        """Return the ids of the concepts of this name, several where it is shared."""
        keys = (name, name, name, folded(name), folded(name), name, folded(name))
        hits = (table.get(key) for table, key in zip(self._tables, keys, strict=True))
        return tuple(next((ids for ids in hits if ids), ()))


def _names_by_rank(entry: ConceptEntry) -> Iterator[set[str]]:
    own = {entry.id, entry.name}
    first = {entry.first, ", ".join(entry.synonyms)}
    yield from ({entry.name}, {entry.id}, first, set(map(folded, own)), set(map(folded, first)))
    yield from (set(entry.synonyms), set(map(folded, entry.synonyms)))


def unique_names(entries: Mapping[str, ConceptEntry], parents: Parents) -> dict[str, str]:
    """Return a name for each concept that no other has: its own, else its first synonym.

    Concepts that share their first synonym are told apart by what they are a kind of, "crane
    (wading bird)", else by their next synonym, else by their id.
    """
    names = {id: entry.name for id, entry in entries.items() if entry.name}
    sharing: dict[str, list[str]] = defaultdict(list)
    for id in sorted(entries.keys() - names.keys()):
        sharing[entries[id].first].append(id)
    # a first synonym that one concept has alone stays its name, whoever else must give way
    for first, ids in sorted(sharing.items(), key=lambda item: len(item[1])):
        names |= _distinct_names(first, ids, set(names.values()), entries, parents)
    return names


def _distinct_names(
    first: str,
    ids: list[str],
    used: set[str],
    entries: Mapping[str, ConceptEntry],
    parents: Parents,
) -> dict[str, str]:
    distinct: dict[str, str] = {}
    for naming in (_as_given, _by_itself, _by_parent, _by_synonym, _by_id):
        names = {id: naming(entries[id], parents[id]) for id in ids if id not in distinct}
        counts = Counter(names.values())
        free = {i: n for i, n in names.items() if n and counts[n] == 1 and n not in used}
        distinct |= free
        used |= set(free.values())
    for id in ids:
        distinct.setdefault(id, _numbered(first, used))
        used.add(distinct[id])
    return distinct


def _as_given(entry: ConceptEntry, parents: tuple[str, ...]) -> str:
    return entry.first if entry.id == entry.first else ""


def _by_itself(entry: ConceptEntry, parents: tuple[str, ...]) -> str:
    return entry.first


def _by_parent(entry: ConceptEntry, parents: tuple[str, ...]) -> str:
    others = sorted(p for p in parents if p != entry.first)
    return f"{entry.first} ({others[0]})" if others else ""


def _by_synonym(entry: ConceptEntry, parents: tuple[str, ...]) -> str:
    return f"{entry.first} ({entry.synonyms[1]})" if len(entry.synonyms) > 1 else ""


def _by_id(entry: ConceptEntry, parents: tuple[str, ...]) -> str:
    return f"{entry.first} ({entry.id})"


def _numbered(first: str, used: set[str]) -> str:
    number = 2
    while (name := f"{first} ({number})") in used:
        number += 1
    return name
