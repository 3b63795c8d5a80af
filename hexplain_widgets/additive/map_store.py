"""Feature maps of many images: in memory as long as they fit, in a file beyond that."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path

import numpy as np
from jaxtyping import Float32


class MapStore:
    """Maps `(n, K, H, W)` appended batch by batch; beyond `memory` bytes they lie in a file.

    The file is gone with the store.
    """

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self._parts: list[np.ndarray] = []
        self._file: Path | None = None
        self._shape: tuple[int, ...] = ()
        self._written = 0

    def __len__(self) -> int:
        return self._written + sum(map(len, self._parts))

    @property
    def on_disk(self) -> bool:
        """Whether the maps lie in a file."""
        return self._file is not None

    def append(self, maps: Float32[np.ndarray, "n k h w"]) -> None:
        """Add the maps of a batch; raises ValueError for maps of another size."""
        shape = tuple(maps.shape[1:])
        if self._shape and shape != self._shape:
            raise ValueError(
                f"got feature maps of {shape} after maps of {self._shape}; images of one size were"
                " expected; give the classifier a transform that brings them to one"
            )
        self._shape = shape
        self._parts.append(np.ascontiguousarray(maps, dtype=np.float32))
        if self.on_disk or sum(p.nbytes for p in self._parts) > self.memory:
            self._write()

    def _write(self) -> None:
        if self._file is None:
            folder = tempfile.mkdtemp(prefix="hexplain-")
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            self._file = Path(folder) / "maps"
        with self._file.open("ab") as file:
            for part in self._parts:
                file.write(part.data)
                self._written += len(part)
        self._parts = []

    def array(self) -> Float32[np.ndarray, "n k h w"]:
        """Return all maps, in the order they came; of a file as a view into it."""
        if self._file is not None:
            return np.memmap(self._file, np.float32, "r", shape=(self._written, *self._shape))
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        return self._parts[0] if self._parts else np.zeros((0, 0, 0, 0), np.float32)
