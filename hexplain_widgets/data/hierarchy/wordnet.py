"""The part of WordNet above the classes of a network, read through nltk."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

from .graphs import nx
from .synonyms import ConceptEntry
from .taxonomies import Taxonomy, checked

_NUMBER = re.compile(r"([nvars])(\d{8})")
_NAME = re.compile(r".+\.[nvars]\.\d{2,}")


def taxonomy_above(ids: Sequence[str], reader: Any = None) -> Taxonomy:
    """Return the synsets of a network's classes, in their order, and all that they are kinds of.

    `ids` are numbers of WordNet 3.0 as in ImageNet, `"n02084071"`, or names, `"dog.n.01"`. `reader`
    is nltk's reader of a WordNet, None its own copy. Raises ModuleNotFoundError without nltk,
    LookupError without WordNet, ValueError for ids that are no synsets or stand twice.
    """
    _check_sequence(ids)
    source = _installed() if reader is None else reader
    classes = [_synset(id, source) for id in ids]
    synsets = {_id(synset): synset for synset in _above(classes)}
    order = {_id(synset): index for index, synset in enumerate(classes)}
    _check_different(ids, [_id(synset) for synset in classes])
    graph = nx.DiGraph()
    graph.add_nodes_from(sorted(synsets))
    graph.add_edges_from(sorted((_id(p), id) for id, s in synsets.items() for p in _parents(s)))
    entries = {id: replace(_entry(synsets[id]), class_index=order.get(id)) for id in graph}
    return checked(Taxonomy(graph, entries))


def _check_sequence(ids: Any) -> None:
    if isinstance(ids, str) or not isinstance(ids, Sequence) or not ids:
        raise ValueError(
            f"got {ids!r} as synsets; expected a list of the synset of each class, in the network's"
            " order; for a folder of images sorted by synset, pass the data set's .classes"
        )


def _installed() -> Any:
    try:
        reader = import_module("nltk.corpus").wordnet
        reader.ensure_loaded()
    except ModuleNotFoundError as cause:
        raise ModuleNotFoundError(
            "got no nltk, which reads WordNet; expected it to be installed; run"
            " `pip install 'hexplain-widgets[wordnet]'`"
        ) from cause
    except (LookupError, OSError) as cause:
        raise LookupError(
            "got nltk without a whole WordNet; expected its corpus in a folder that nltk searches"
            " (nltk.data.path); run `python -m nltk.downloader wordnet` once"
        ) from cause
    return reader


def _synset(id: Any, reader: Any) -> Any:
    text = str(id)
    if number := _NUMBER.fullmatch(text):
        with warnings.catch_warnings(action="ignore"):  # nltk only warns, the error below says it
            synset = reader.synset_from_pos_and_offset(number[1], int(number[2]))
    else:
        synset = _by_name(text, reader) if _NAME.fullmatch(text) else None
    if synset is None:
        raise ValueError(
            f"got {text!r}, which WordNet {reader.get_version()} does not have; expected the number"
            " of a synset of WordNet 3.0 ('n02084071') or its name ('dog.n.01'); correct it, or"
            " look it up with nltk.corpus.wordnet.synsets('dog')"
        )
    return synset


def _by_name(name: str, reader: Any) -> Any:
    missing: type[Exception] = import_module("nltk.corpus.reader.wordnet").WordNetError
    try:
        return reader.synset(name)
    except missing:
        return None


def _above(synsets: Iterable[Any]) -> Iterable[Any]:
    by_id: dict[str, Any] = {}
    waiting = list(synsets)
    while waiting:
        synset = waiting.pop()
        if _id(synset) not in by_id:
            by_id[_id(synset)] = synset
            waiting += _parents(synset)
    return by_id.values()


def _parents(synset: Any) -> list[Any]:
    return [*synset.hypernyms(), *synset.instance_hypernyms()]


def _id(synset: Any) -> str:
    return f"{synset.pos()}{synset.offset():08d}"


def _entry(synset: Any) -> ConceptEntry:
    return ConceptEntry(_id(synset), tuple(n.replace("_", " ") for n in synset.lemma_names()))


def _check_different(ids: Sequence[str], synsets: Sequence[str]) -> None:
    repeated = [i for i, id in enumerate(synsets) if id in synsets[:i]]
    if repeated:
        first = synsets.index(synsets[repeated[0]])
        raise ValueError(
            f"got the synset {ids[first]!r} for class {first} and for class {repeated[0]}; expected"
            " another for each class; correct one of them"
        )
