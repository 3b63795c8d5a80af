"""Save and load evidence: arrays as safetensors, everything else as JSON beside them."""

from __future__ import annotations

import hashlib
import json
import math
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, Union, get_args, get_origin, get_type_hints

import numpy as np
from jaxtyping import AbstractArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as tensors_to_bytes

from .. import evidence as kinds
from . import Evidence
from .files import replacing

FORMAT = 1
# The one entry of the file's metadata: {"format", "kind", "value", "digest"} as JSON.
ENTRY = "hexplain_widgets"
# Up to here every whole number is a float without rounding.
LARGEST_WHOLE = 2**53
Arrays = dict[str, np.ndarray]


def save(evidence: Evidence, path: str | Path) -> Path:
    """Write evidence to a file that `load` reads back as an equal value; return its path.

    An existing file is replaced in one step, so an interrupt leaves the old one. Raises TypeError
    for anything but evidence, ValueError for fields that cannot be saved (NaN, wrong types), and
    FileNotFoundError where the folder does not exist, OSError naming the file where it cannot be
    written.
    """
    if not isinstance(evidence, Evidence):
        raise TypeError(
            f"cannot save {type(evidence).__name__}: evidence was expected"
            f" ({', '.join(sorted(_kinds()))}); save what an engine returned"
        )
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"cannot write {target}: the folder {target.parent} was expected and does not exist;"
            " make it first, or name another"
        )
    content = _to_bytes(evidence)
    with replacing(target) as partial:
        partial.write_bytes(content)
    return target


def load(path: str | Path) -> Evidence:
    """Read evidence that `save` wrote; nothing in the file is ever executed.

    Raises FileNotFoundError for a missing file and ValueError for one that is damaged, comes from
    elsewhere or from a newer version, or holds fields of wrong type, shape or value.
    """
    source = Path(path)
    if not source.is_file():
        raise FileNotFoundError(
            f"there is no file {source}: evidence written by hexplain_widgets.save was expected;"
            " check the name, or save the evidence again"
        )
    try:
        return _from_entry(*_read(source))
    except (_Unreadable, RecursionError) as error:
        raise ValueError(
            f"cannot load {source}: {error}; a file written by hexplain_widgets.save (format"
            f" {FORMAT}) was expected; {getattr(error, 'remedy', _Unreadable.remedy)}"
        ) from error


class _Unreadable(Exception):
    """Why a file or a value is no evidence, and what to do."""

    remedy = "take another copy of the file, or compute and save the evidence again"


class _NewerFormat(_Unreadable):
    remedy = "install a newer hexplain_widgets"


@cache
def _kinds() -> dict[str, type[Evidence]]:
    classes = (c for c in vars(kinds).values() if isinstance(c, type) and issubclass(c, Evidence))
    return {c.__name__: c for c in classes if c is not Evidence}


@cache
def _hints(kind: str) -> dict[str, Any]:
    hints = get_type_hints(_kinds()[kind])
    return {f.name: hints[f.name] for f in fields(_kinds()[kind])}


# writing


def _to_bytes(evidence: Evidence) -> bytes:
    arrays = _Shelf()
    value = _encoded(evidence, arrays)
    kind = type(evidence).__name__
    try:
        _decoded(value, type(evidence), arrays, kind)
    except _Unreadable as error:
        raise ValueError(
            f"cannot save this {kind}: {error}; evidence with finite values of its declared types"
            " was expected; build it with an engine, or mend the field"
        ) from error
    entry = {"format": FORMAT, "kind": kind, "value": value, "digest": _digest(value, arrays)}
    return tensors_to_bytes(arrays, metadata={ENTRY: json.dumps(entry)})


class _Shelf(Arrays):
    """Arrays to be written, by key: an array that stands in several fields is written once."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[int, tuple[np.ndarray, str]] = {}

    def key_of(self, array: np.ndarray) -> str:
        """Return the key of an array, which is put on the shelf where it is new."""
        if id(array) not in self._known:
            key = str(len(self))
            self[key] = np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")
            self._known[id(array)] = array, key
        return self._known[id(array)][1]


def _encoded(value: Any, arrays: _Shelf) -> Any:
    if isinstance(value, Evidence):
        return {f.name: _encoded(getattr(value, f.name), arrays) for f in fields(value)}
    if isinstance(value, np.ndarray):
        return {"array": arrays.key_of(value)}
    if isinstance(value, Mapping):
        return [[key, _encoded(item, arrays)] for key, item in value.items()]
    if isinstance(value, tuple):
        return [_encoded(item, arrays) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _digest(value: Any, arrays: Arrays) -> str:
    digest = hashlib.sha256(json.dumps(value, sort_keys=True).encode())
    for key in sorted(arrays):
        array = arrays[key]
        digest.update(f"{key} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


# reading


def _read(source: Path) -> tuple[dict[str, Any], Arrays]:
    try:
        with safe_open(source, framework="numpy") as file:
            metadata = file.metadata() or {}
            if ENTRY not in metadata:
                raise _Unreadable("it holds no evidence")
            entry = json.loads(metadata[ENTRY], parse_constant=_no_constant)
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise _Unreadable(f"it is damaged or no such file ({error})") from error
    return entry, arrays


def _no_constant(name: str) -> NoReturn:
    raise _Unreadable(f"it holds {name}, which no evidence may")


def _from_entry(entry: Any, arrays: Arrays) -> Evidence:
    if not isinstance(entry, dict) or type(entry.get("format")) is not int:
        raise _Unreadable("its description is not one of ours")
    if entry["format"] > FORMAT:
        raise _NewerFormat(f"it has format {entry['format']}, newer than {FORMAT}")
    kind = _kinds().get(str(entry.get("kind")))
    if kind is None:
        raise _Unreadable(f"it holds {entry.get('kind')!r}, not one of {sorted(_kinds())}")
    if entry.get("digest") != _digest(entry.get("value"), arrays):
        raise _Unreadable("its content does not match its digest: it was damaged or edited")
    return _decoded(entry.get("value"), kind, arrays, kind.__name__)


def _decoded(value: Any, hint: Any, arrays: Arrays, at: str) -> Any:
    """Value of the annotated type from JSON and arrays; `at` names the field in errors."""
    if isinstance(hint, type) and issubclass(hint, Evidence):
        return _decoded_evidence(value, hint, arrays, at)
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return _decoded_array(value, hint, arrays, at)
    origin = get_origin(hint)
    if origin in _GENERIC:
        return _GENERIC[origin](value, get_args(hint), arrays, at)
    return _decoded_plain(value, hint, at)


def _decoded_evidence(value: Any, kind: type[Evidence], arrays: Arrays, at: str) -> Evidence:
    hints = _hints(kind.__name__)
    if not isinstance(value, dict) or not value.keys() <= hints.keys():
        raise _Unreadable(f"{at} has not the fields of {kind.__name__}")
    for f in fields(kind):
        if f.name not in value and f.default is MISSING and f.default_factory is MISSING:
            raise _Unreadable(f"{at} lacks the field {f.name}")
    values = {n: _decoded(v, hints[n], arrays, f"{at}.{n}") for n, v in value.items()}
    try:
        return kind(**values)
    except ValueError as error:
        raise _Unreadable(f"{at} does not hold together: {error}") from error


def _decoded_array(value: Any, hint: Any, arrays: Arrays, at: str) -> np.ndarray:
    key = value.get("array") if isinstance(value, dict) else None
    if not isinstance(key, str) or key not in arrays:
        raise _Unreadable(f"{at} has no array")
    array = arrays[key]
    fits = isinstance(array, hint)
    if not fits:
        raise _Unreadable(f"{at} is {array.dtype} {array.shape} where {hint.__name__} belongs")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise _Unreadable(f"{at} has values that are not finite")
    return array


def _decoded_tuple(value: Any, parts: tuple[Any, ...], arrays: Arrays, at: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _Unreadable(f"{at} is no list")
    if parts[-1] is Ellipsis:
        parts = parts[:1] * len(value)
    if len(value) != len(parts):
        raise _Unreadable(f"{at} has {len(value)} items where {len(parts)} belong")
    pairs = enumerate(zip(value, parts, strict=True))
    return tuple(_decoded(item, part, arrays, f"{at}[{i}]") for i, (item, part) in pairs)


def _decoded_mapping(value: Any, parts: tuple[Any, ...], arrays: Arrays, at: str) -> dict[Any, Any]:
    if not isinstance(value, list):
        raise _Unreadable(f"{at} is no list of pairs")
    pairs = [_decoded_tuple(p, parts, arrays, f"{at}[{i}]") for i, p in enumerate(value)]
    return dict(pairs)


def _decoded_union(value: Any, parts: tuple[Any, ...], arrays: Arrays, at: str) -> Any:
    refusals = []
    for part in parts:
        try:
            return _decoded(value, part, arrays, at)
        except _Unreadable as error:
            refusals.append(str(error))
    raise _Unreadable(refusals[0])


def _decoded_plain(value: Any, hint: Any, at: str) -> Any:
    if hint is float and type(value) is int and abs(value) <= LARGEST_WHOLE:
        return float(value)
    if type(value) is not hint:
        expected = getattr(hint, "__name__", str(hint))
        raise _Unreadable(f"{at} is {type(value).__name__} where {expected} belongs")
    if isinstance(value, float) and not math.isfinite(value):
        raise _Unreadable(f"{at} is {value}, not a finite number")
    return value


_GENERIC: dict[Any, Callable[[Any, tuple[Any, ...], Arrays, str], Any]] = {
    tuple: _decoded_tuple,
    Mapping: _decoded_mapping,
    Union: _decoded_union,
    types.UnionType: _decoded_union,
}
