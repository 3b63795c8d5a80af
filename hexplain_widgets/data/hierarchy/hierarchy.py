"""Is-a hierarchies of concepts, and which of a network's classes lie below each concept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...arguments import nearest
from ...evidence import Concept
from .graphs import nx
from .matching import SHOWN, class_indices, class_names, classes_below, numbered
from .synonyms import ConceptEntry, SynonymLookup
from .taxonomies import Taxonomy, table_of, taxonomy_of, topological
from .wordnet import taxonomy_above


class Hierarchy:
    """An is-a graph of concepts: any number of roots, any number of parents; never changed.

    Made from a nested dict `{"animal": {"dog": ["husky", "pug"]}}`, whose leaves are names or class
    indices (a name that stands in two places has two parents); a `networkx.DiGraph` with edges from
    parent to child (node attributes `name` and `class_index` are read); a table `{"nodes": {id:
    {"name", "parents", "children", "class_index"}}}`; or the path of one of the dicts as JSON. A
    name may hold several synonyms, `"dog, domestic dog"`: the first is shown, any finds the
    concept. Raises TypeError for anything else, FileNotFoundError, and ValueError for what is
    damaged or has a cycle.
    """

    def __init__(self, value: Any) -> None:
        self._taxonomy = value if isinstance(value, Taxonomy) else taxonomy_of(value)

    @classmethod
    def of(cls, value: Any) -> Hierarchy:
        """Return a Hierarchy as it is, and one made from anything else that describes one."""
        return value if isinstance(value, Hierarchy) else cls(value)

    @classmethod
    def wordnet(cls, ids: Sequence[str], *, reader: Any = None) -> Hierarchy:
        """Return what WordNet has above the synsets of a network's classes, in the network's order.

        `ids` are numbers of WordNet 3.0 as in ImageNet's folders, `"n02084071"`, or names,
        `"dog.n.01"`; `reader` is one of nltk's for another WordNet. Raises ModuleNotFoundError
        without nltk, LookupError without WordNet, ValueError for what is no synset.
        """
        return cls(taxonomy_above(ids, reader))

    @classmethod
    def of_classes(
        cls, names: Sequence[str], ids: Sequence[str], *, among: Any = None
    ) -> Hierarchy:
        """Return the hierarchy above classes whose names and ids stand in the network's order.

        `names` are those of the network, such as `weights.meta["categories"]`: each becomes one
        more synonym of the concept of its id. `among` is any hierarchy that has the ids, None is
        WordNet. Raises ValueError where names and ids differ in number, and for unknown ids.
        """
        if len(names) != len(ids):
            raise ValueError(
                f"got {len(names)} names and {len(ids)} ids; expected an id for each class; pass"
                " both in the network's order"
            )
        whole = cls.wordnet(ids) if among is None else cls.of(among)
        indices = whole._numbers if among is None else {whole._id(n): i for i, n in enumerate(ids)}
        if len(indices) < len(ids):
            raise ValueError(
                f"got {len(ids)} ids of {len(indices)} concepts; expected another for each class;"
                " correct the one that stands twice"
            )
        return whole._pruned(indices, list(names))

    # concepts

    @cached_property
    def concepts(self) -> tuple[str, ...]:
        """The names of all concepts, parents before children."""
        return self._sorted(self._shown)

    @cached_property
    def roots(self) -> tuple[str, ...]:
        """The concepts without parents."""
        return self._sorted(id for id, above in self._shown.in_degree() if not above)

    def __len__(self) -> int:
        return len(self.concepts)

    def __iter__(self) -> Iterator[str]:
        return iter(self.concepts)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and len(self._lookup(name)) == 1

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, Hierarchy) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.concepts)

    def __repr__(self) -> str:
        return f"Hierarchy({len(self)} concepts, {len(self.leaves())} leaves)"

    def __str__(self) -> str:
        printed: set[str] = set()
        return "\n".join(line for r in self.roots for line in self._lines(r, "", printed))

    def find(self, name: str) -> str:
        """Return the name of the concept that has this id, name or synonym.

        Raises ValueError where there is none, and where several are called so.
        """
        return self._name(self._id(name))

    def id_of(self, name: str) -> str:
        """Return a concept's id in what the hierarchy was made from, such as `"n02084071"`."""
        return self._id(name)

    def synonyms(self, name: str) -> tuple[str, ...]:
        """Return all that a concept is called, the commonest first."""
        return self._entries[self._id(name)].synonyms

    def parents(self, name: str) -> tuple[str, ...]:
        """Return the concepts directly above one."""
        return self._sorted(self._shown.predecessors(self._id(name)))

    def children(self, name: str) -> tuple[str, ...]:
        """Return the concepts directly below one."""
        return self._sorted(self._shown.successors(self._id(name)))

    def ancestors(self, name: str) -> tuple[str, ...]:
        """Return all concepts above one, parents before children."""
        return self._sorted(nx.ancestors(self._shown, self._id(name)))

    def descendants(self, name: str) -> tuple[str, ...]:
        """Return all concepts below one, parents before children."""
        return self._sorted(nx.descendants(self._shown, self._id(name)))

    def leaves(self, name: str | None = None) -> tuple[str, ...]:
        """Return the concepts with nothing below them, all or those of one; a leaf is its own."""
        here = {self._id(name)} if name is not None else set(self._shown)
        below = here.union(*(nx.descendants(self._shown, id) for id in here if name is not None))
        return self._sorted(id for id in below if not self._shown.out_degree(id))

    def depth(self, name: str) -> int:
        """Return how many steps the longest way from a root to a concept has."""
        return self._depths[self._id(name)]

    # parts

    def select(self, names: Iterable[str]) -> Hierarchy:
        """Return a hierarchy of these concepts alone; one lies below another where it did before.

        The classes below a concept stay its own. Raises ValueError for an unknown name and for
        none.
        """
        if isinstance(names, str):
            raise TypeError(
                f"got the text {names!r} as concepts; expected a list of names; put it in brackets"
            )
        ids = {self._id(name) for name in names}
        if not ids:
            raise ValueError(
                "got no concept to select; expected at least one name; see hierarchy.concepts"
            )
        return self._selected(ids)

    def cut(self, depth: int) -> tuple[str, ...]:
        """Return the concepts at a depth, and the leaves above it: each leaf is below one of them.

        None of them lies below another. Raises ValueError for a negative depth.
        """
        if depth < 0:
            raise ValueError(f"got depth {depth}; expected 0 for the roots, or more; raise it")
        ends = {id for id in self._shown if not self._shown.out_degree(id)}
        at = self._depths
        return self._sorted(i for i in at if at[i] == depth or (at[i] < depth and i in ends))

    def collapsed(self) -> Hierarchy:
        """Return the hierarchy without concepts that have the same classes as one below them.

        Of a chain with the same classes its lowest concept is left, the one that says most.
        """
        graph = self._taxonomy.graph
        ends = {id: id for id in graph if not graph.out_degree(id)}
        below = classes_below(graph, ends | self._numbers)
        shown = self._shown
        return self._selected(
            {id for id in shown if all(below[c] != below[id] for c in shown.successors(id))}
        )

    # a network's classes

    def matched(self, classes: int | Sequence[str]) -> ClassMatches:
        """Return which of a network's classes lie below each concept.

        `classes` are the network's class names in its order, or how many there are, where the
        hierarchy has class indices. A class is the concept of its name, synonym or id; names that
        several concepts share are settled by class index. Raises ValueError for leaves that are no
        class of the network, and for a class that may be several concepts.
        """
        indices = self._matches(classes)
        unknown = self._sorted(id for id in self._ends if id not in indices)
        if unknown:
            raise self._unknown(unknown, class_names(classes))
        names = class_names(classes)
        hierarchy = Hierarchy(numbered(self._taxonomy, indices, classes))
        below = hierarchy._classes()
        missing = set(range(len(names))).difference(*below.values())
        return ClassMatches(hierarchy, below, tuple(sorted(missing)), names)

    def restricted(self, classes: int | Sequence[str]) -> Hierarchy:
        """Return the hierarchy without what is no class of the network and has none below it.

        `classes` are as in `matched`. Raises ValueError where nothing is left.
        """
        indices = self._matches(classes)
        if not any(id in self._in_use for id in indices):
            raise self._unknown(self._sorted(self._ends), class_names(classes))
        return self._pruned(indices, classes)

    def table(self) -> dict[str, Any]:
        """Return the hierarchy as plain values for JSON; `Hierarchy.of` makes it again."""
        return table_of(self._taxonomy)

    # inside

    @property
    def _entries(self) -> Mapping[str, ConceptEntry]:
        return self._taxonomy.entries

    @property
    def _numbers(self) -> dict[str, int]:
        """The class indices of those concepts that have one."""
        every = ((entry.id, entry.class_index) for entry in self._entries.values())
        return {id: index for id, index in every if index is not None}

    @cached_property
    def _ranks(self) -> dict[str, int]:
        return {id: rank for rank, id in enumerate(topological(self._taxonomy.graph))}

    @cached_property
    def _shown(self) -> nx.DiGraph:
        """The graph of the concepts in use; of all where none were selected."""
        graph, selected = self._taxonomy.graph, self._taxonomy.selected
        if selected is None:
            return graph
        return nx.transitive_reduction(nx.transitive_closure_dag(graph).subgraph(selected))

    @cached_property
    def _in_use(self) -> frozenset[str]:
        """The ids of the concepts and of all below them, selected or not."""
        below = (nx.descendants(self._taxonomy.graph, id) for id in self._shown)
        return frozenset(self._shown).union(*below)

    @property
    def _ends(self) -> list[str]:
        return [id for id in self._in_use if not self._taxonomy.graph.out_degree(id)]

    @cached_property
    def _depths(self) -> dict[str, int]:
        depths: dict[str, int] = {}
        for id in nx.topological_sort(self._shown):
            depths[id] = 1 + max(
                (depths[above] for above in self._shown.predecessors(id)), default=-1
            )
        return depths

    @cached_property
    def _lookup(self) -> SynonymLookup:
        return SynonymLookup(self._entries[id] for id in self._shown)

    @property
    def _key(self) -> tuple[Any, ...]:
        return frozenset(self._taxonomy.graph.edges), dict(self._entries), frozenset(self._shown)

    def _name(self, id: str) -> str:
        return self._entries[id].name

    def _sorted(self, ids: Iterable[str]) -> tuple[str, ...]:
        return tuple(map(self._name, sorted(ids, key=self._ranks.__getitem__)))

    def _id(self, name: str) -> str:
        if not isinstance(name, str):
            raise TypeError(
                f"got {name!r} ({type(name).__name__}) as a concept; expected a name; see"
                " hierarchy.concepts"
            )
        ids = self._lookup(name)
        if len(ids) != 1:
            raise self._shared(name, ids) if ids else self._missing(name)
        return ids[0]

    def _shared(self, name: str, ids: Sequence[str]) -> ValueError:
        return ValueError(
            f"got {name!r}, which {len(ids)} concepts are called; expected one; call it"
            f" {' or '.join(map(repr, self._sorted(ids)))}"
        )

    def _missing(self, name: str) -> ValueError:
        known = (word for id in self._shown for word in (self._name(id), *self.synonyms(id)))
        hidden = SynonymLookup(self._entries.values())(name)
        why = "which is not among the selected concepts" if hidden else "which is no concept"
        mend = "select it too" if hidden else "take one of these, or see hierarchy.concepts"
        return ValueError(
            f"got {name!r}, {why}; expected one of the {len(self)} of this hierarchy, the nearest"
            f" are {nearest(name, known)}; {mend}"
        )

    def _unknown(self, leaves: Sequence[str], names: Sequence[str]) -> ValueError:
        some = ", ".join(map(repr, leaves[:SHOWN])) + (", …" if len(leaves) > SHOWN else "")
        fits = set(self._numbers.values()) == set(range(len(names)))
        by_index = f", or match by class index: hierarchy.matched({len(names)})" if fits else ""
        return ValueError(
            f"got leaves that are no class of the network ({len(leaves)}): {some}; expected each to"
            f" be one of its {len(names)} classes, the nearest to {leaves[0]!r} are"
            f" {nearest(leaves[0], names)}; spell them as the network does, leave them out with"
            f" hierarchy.restricted(classes){by_index}"
        )

    def _selected(self, ids: set[str]) -> Hierarchy:
        ordered = tuple(sorted(ids, key=self._ranks.__getitem__))
        whole = len(ordered) == len(self._entries)
        selected = None if whole else ordered
        return Hierarchy(Taxonomy(self._taxonomy.graph, self._entries, selected))

    def _matches(self, classes: int | Sequence[str]) -> dict[str, int]:
        graph = self._taxonomy.graph
        return class_indices(
            self._entries, (id for id in graph if not graph.out_degree(id)), classes
        )

    def _classes(self) -> dict[str, tuple[int, ...]]:
        below = classes_below(self._taxonomy.graph, self._numbers)
        return {name: tuple(sorted(below[self._id(name)])) for name in self.concepts}

    def _pruned(self, indices: Mapping[str, int], classes: int | Sequence[str]) -> Hierarchy:
        graph, selected = self._taxonomy.graph, self._taxonomy.selected
        used = set(indices).union(*(nx.ancestors(graph, id) for id in indices))
        part = Taxonomy(
            graph.subgraph(used).copy(),
            {id: entry for id, entry in self._entries.items() if id in used},
            selected and tuple(id for id in selected if id in used),
        )
        return Hierarchy(numbered(part, indices, classes))

    def _lines(self, name: str, indent: str, printed: set[str]) -> Iterator[str]:
        below = self.children(name)
        yield f"{indent}{name}{' …' if below and name in printed else ''}"
        for child in () if name in printed else below:
            yield from self._lines(child, f"{indent}  ", printed)
        printed.add(name)


@dataclass(frozen=True)
class ClassMatches:
    """Which classes of a network each concept of a hierarchy is.

    `classes[name]` are the indices of the network's classes below the concept, or its own, parents
    first. `hierarchy` has the network's class indices, and its class names as further synonyms.
    `missing` are the network's classes that are in no concept; `names` are the network's.
    """

    hierarchy: Hierarchy
    classes: Mapping[str, tuple[int, ...]]
    missing: tuple[int, ...]
    names: tuple[str, ...]

    def __getitem__(self, name: str) -> tuple[int, ...]:
        return self.classes[self.hierarchy.find(name)]

    @property
    def concepts(self) -> tuple[Concept, ...]:
        """The concepts as evidence, parents first."""
        return tuple(Concept(n, self.hierarchy.parents(n), c) for n, c in self.classes.items())

    @property
    def note(self) -> str | None:
        """What to say of the network's classes that are in no concept; None where all are."""
        return note_on_missing(self.missing, self.names)


def note_on_missing(missing: Sequence[int], names: Sequence[str]) -> str | None:
    """Return what to say of a network's classes that are in no concept; None where all are."""
    if not missing:
        return None
    some = ", ".join(names[i] for i in missing[:SHOWN])
    more = ", …" if len(missing) > SHOWN else ""
    return f"{len(missing)} of the network's {len(names)} classes are in no concept: {some}{more}."
