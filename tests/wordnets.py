"""A WordNet of a few synsets, in the format that nltk reads."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

# synonyms of each synset, and those of the synsets directly above it
NOUNS = {
    "entity": (),
    "animal animate_being": ("entity",),
    "domestic_animal": ("animal animate_being",),
    "bird": ("animal animate_being",),
    "dog domestic_dog Canis_familiaris": ("domestic_animal",),
    "pug pug-dog": ("dog domestic_dog Canis_familiaris",),
    "crane": ("bird",),
    "machine": ("entity",),
    "hoist": ("machine",),
    "crane derrick": ("hoist",),
}
# a synset that is one single thing: its class above is marked @i
INSTANCES = {"Laika": ("dog domestic_dog Canis_familiaris",)}
LICENCE = "  1 This WordNet is for tests. WordNet 3.0 Copyright of nobody.  \n"
EMPTY = (
    "cntlist.rev", "index.sense", "index.adv", "index.verb", "index.adj", "data.adv", "data.verb",
    "adj.exc", "adv.exc", "noun.exc", "verb.exc",
)  # fmt: skip


def write(folder: Path) -> dict[str, str]:
    """Write the files into `corpora/wordnet` of a folder; return each synset's number."""
    home = folder / "corpora" / "wordnet"
    home.mkdir(parents=True)
    for name in EMPTY:
        (home / name).write_text("")
    (home / "data.adj").write_text(LICENCE)
    (home / "lexnames").write_text(
        "00\tadj.all\t3\n01\tadj.pert\t3\n02\tadv.all\t4\n03\tnoun.Tops\t1\n"
    )
    offsets = _offsets()
    lines = [_line(words, offsets) for words in offsets]
    (home / "data.noun").write_text(LICENCE + "".join(lines))
    (home / "index.noun").write_text("".join(_index(offsets)))
    return {words: f"n{offset:08d}" for words, offset in offsets.items()}


def _line(words: str, offsets: dict[str, int]) -> str:
    """One synset as in data.noun: where it stands, its words, what it points to, a gloss."""
    lemmas = words.split()
    above = [("@", p) for p in NOUNS.get(words, ())] + [("@i", p) for p in INSTANCES.get(words, ())]
    pointers = "".join(f"{mark} {offsets[p]:08d} n 0000 " for mark, p in above)
    named = "".join(f"{lemma} 0 " for lemma in lemmas)
    counts = f"{len(lemmas):02x} {named}{len(above):03d}"
    return f"{offsets[words]:08d} 03 n {counts} {pointers}| a {lemmas[0]}  \n"


def _offsets() -> dict[str, int]:
    """Return the byte at which each synset's line begins: all numbers have eight digits."""
    every = [*NOUNS, *INSTANCES]
    found, at = {}, len(LICENCE)
    for words in every:
        found[words] = at
        at += len(_line(words, dict.fromkeys(every, 0)))
    return found


def _index(offsets: dict[str, int]) -> list[str]:
    senses: dict[str, list[int]] = defaultdict(list)
    for words, offset in offsets.items():
        for lemma in words.split():
            senses[lemma.lower()].append(offset)
    return [
        f"{lemma} n {len(at)} 0 {len(at)} 0 {' '.join(f'{o:08d}' for o in at)}  \n"
        for lemma, at in sorted(senses.items())
    ]
