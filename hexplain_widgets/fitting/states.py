"""Save and load what an engine has gathered: arrays and settings in one safetensors file.

Arrays are written piece by piece, so that one larger than memory can be saved, and the file takes
its name only when it is complete.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
from safetensors import SafetensorError, safe_open

from ..evidence.files import replacing

FORMAT = 1
ENTRY = "hexplain_widgets.state"
DIGEST = "digest"
PIECE = 2**24
_NAMES = {"float64": "F64", "float32": "F32", "int64": "I64", "uint8": "U8", "bool": "BOOL"}
_TYPES = {short: np.dtype(name) for name, short in _NAMES.items()}

Arrays = dict[str, np.ndarray]
Settings = dict[str, Any]
T = TypeVar("T")
# what reading raises where bytes are no file of ours; JSON that is nested too deep among it
_BROKEN = (SafetensorError, ValueError, TypeError, KeyError, AttributeError, RecursionError)


def save_state(
    path: str | Path, kind: str, settings: Mapping[str, Any], arrays: Iterable[tuple[str, Any]]
) -> Path:
    """Write settings (JSON values) and arrays to a file in one step; return its path.

    Raises OSError where the file cannot be written (a full disk, a missing folder); a file that
    was there before is still there then, unchanged.
    """
    target = Path(path)
    with replacing(target) as partial, partial.open("wb") as file:
        _write(file, kind, settings, dict(arrays))
    return target


@contextmanager
def restoring(engine: str, path: str | Path) -> Iterator[None]:
    """Say of settings that an engine cannot be made of where they came from, and what to do."""
    try:
        yield
    except _BROKEN as error:
        raise ValueError(
            f"cannot load {path}: its settings are not a {engine}'s ({error}); a file written by"
            f" {engine}.save was expected; take another copy, or fit again"
        ) from error


def _write(file: BinaryIO, kind: str, settings: Mapping[str, Any], arrays: Arrays) -> None:
    header = _header(kind, settings, arrays)
    file.write(len(header).to_bytes(8, "little") + header)
    digest = hashlib.sha256(header)
    for array in arrays.values():
        for piece in _pieces(array):
            digest.update(piece)
            file.write(piece)
    file.write(digest.digest())


def _header(kind: str, settings: Mapping[str, Any], arrays: Arrays) -> bytes:
    entry = {"format": FORMAT, "kind": kind, "settings": dict(settings)}
    described = json.dumps(entry, allow_nan=False, default=_plain)
    header: dict[str, Any] = {"__metadata__": {ENTRY: described}}
    at = 0
    sizes = [(n, _NAMES[a.dtype.name], list(a.shape), a.nbytes) for n, a in arrays.items()]
    for name, dtype, shape, size in [*sizes, (DIGEST, "U8", [32], 32)]:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    return text + b" " * (-len(text) % 8)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(
        f"got {value!r:.60} ({type(value).__name__}) as a setting; expected a number, a text or a"
        " list of them; convert it first"
    )


def _pieces(array: np.ndarray) -> Iterator[bytes]:
    flat = array.reshape(-1)
    step = max(1, PIECE // array.itemsize)
    for first in range(0, len(flat), step):
        yield flat[first : first + step].tobytes()


def load_state(path: str | Path, kind: str) -> tuple[Settings, Arrays]:
    """Read what `save_state` wrote; arrays are read-only and stay in the file until they are used.

    Raises FileNotFoundError for a missing file, ValueError for one that is cut short, damaged, of
    another kind or from a newer version. Nothing in the file is executed.
    """
    source = Path(path)
    if not source.is_file():
        raise FileNotFoundError(
            f"there is no file {source}: a saved {kind} was expected; check the name"
        )
    entry = _whole(_entry, source, kind)
    _check_kind(source, kind, entry)
    return dict(entry["settings"]), _whole(_arrays, source, kind)


def _whole(read: Callable[[Path], T], source: Path, kind: str) -> T:
    try:
        return read(source)
    except (*_BROKEN, OSError) as error:
        raise ValueError(
            f"cannot load {source}: it is damaged, cut short or no such file ({error}); a saved"
            f" {kind} was expected; take another copy, or fit again"
        ) from error


def _entry(source: Path) -> dict[str, Any]:
    with safe_open(source, framework="numpy") as file:
        entry = json.loads((file.metadata() or {})[ENTRY])
    if not isinstance(entry, dict) or not isinstance(entry.get("settings"), dict):
        raise ValueError("its description is not one of ours")
    return entry


def _arrays(source: Path) -> Arrays:
    with source.open("rb") as file:
        header = file.read(int.from_bytes(file.read(8), "little"))
    start = 8 + len(header)
    arrays = {
        name: _mapped(source, start, place)
        for name, place in json.loads(header).items()
        if name != "__metadata__"
    }
    digest = hashlib.sha256(header)
    saved = arrays.pop(DIGEST)
    for array in arrays.values():
        for piece in _pieces(array):
            digest.update(piece)
    if digest.digest() != saved.tobytes():
        raise ValueError("its content does not match its digest")
    return arrays


def _mapped(source: Path, start: int, place: dict[str, Any]) -> np.ndarray:
    dtype, shape = _TYPES[place["dtype"]], tuple(place["shape"])
    if 0 in shape:
        return np.zeros(shape, dtype)
    return np.memmap(source, dtype, "r", offset=start + place["data_offsets"][0], shape=shape)


def _check_kind(source: Path, kind: str, entry: dict[str, Any]) -> None:
    if type(entry.get("format")) is not int or entry["format"] > FORMAT:
        raise ValueError(
            f"cannot load {source}: it has format {entry.get('format')!r}; at most {FORMAT} was"
            " expected; install a newer hexplain_widgets"
        )
    if entry.get("kind") != kind:
        raise ValueError(
            f"cannot load {source}: it holds {entry.get('kind')!r}; a saved {kind} was expected;"
            " open it with the engine that wrote it"
        )
