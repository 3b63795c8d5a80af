"""What is noted of a value, so that a file can be seen to hold it: plain JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import numpy as np

import hexplain_widgets as hx

# fields that evidence has had since these files were written
PORTRAIT = ("unclipped", "tied", "ranking")
ADDED = {
    "HeatMap": ("rivals",),
    "Layer": ("layout",),
    "ContextSummary": ("named", "namings"),
    **dict.fromkeys(("Node", "InferredConcept"), ("agreement_rest",)),
    "InferenceComparison": ("agreement_rests", "weights"),
    "Localization": ("truth", "truth_mask", "rivals"),
    "NeuronConcepts": ("agreement_rests",),
    "ExplainerQuality": ("sizes",),
    "FaithfulnessSummary": ("removed_accuracy",),
    **dict.fromkeys(("ChannelPortrait", "FilterPortrait", "NeuronPortrait"), PORTRAIT),
}


def facts(value: Any, depth: int = 1) -> Any:
    """The value in JSON: of an array shape, dtype and sum; of a tuple its length and its ends.

    Of evidence deeper than `depth` how many numbers and letters it holds, and the numbers' sum.
    """
    if isinstance(value, np.ndarray):
        total = math.fsum(value.ravel().tolist())
        return {"dtype": value.dtype.name, "shape": list(value.shape), "sum": total}
    if isinstance(value, hx.Evidence):
        below = _fields(value, depth - 1) if depth > 0 else _totals(value)
        return {"class": type(value).__name__, **below}
    if isinstance(value, tuple):
        ends = value if len(value) < 3 else (value[0], value[-1])
        return {"length": len(value), "ends": [facts(each, depth - 1) for each in ends]}
    if isinstance(value, Mapping):
        return {str(key): facts(each, depth - 1) for key, each in value.items()}
    return value


def _kept(value: hx.Evidence) -> Iterator[tuple[str, Any]]:
    # the versions of libraries say nothing of the file
    kept = [f for f in fields(value) if f.name != "versions"]
    # what a later version says beside, and has nothing to say of these
    later = ADDED.get(type(value).__name__, ())
    added = {f.name for f in kept if f.name in later and _is(getattr(value, f.name), f.default)}
    return ((f.name, getattr(value, f.name)) for f in kept if f.name not in added)


def _is(value: Any, default: object) -> bool:
    return not isinstance(value, np.ndarray) and bool(value == default)


def _fields(value: hx.Evidence, depth: int) -> dict[str, Any]:
    return {name: facts(each, depth) for name, each in _kept(value)}


def _totals(value: hx.Evidence) -> dict[str, Any]:
    leaves = list(_leaves(value))
    numbers = [leaf for leaf in leaves if isinstance(leaf, int | float)]
    letters = sum(len(leaf) for leaf in leaves if isinstance(leaf, str))
    return {"numbers": len(numbers), "sum": math.fsum(numbers), "letters": letters}


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, np.ndarray):
        yield from value.ravel().tolist()
    elif isinstance(value, hx.Evidence):
        for _, each in _kept(value):
            yield from _leaves(each)
    elif isinstance(value, tuple | Mapping):
        for each in value.items() if isinstance(value, Mapping) else value:
            yield from _leaves(each)
    else:
        yield value
