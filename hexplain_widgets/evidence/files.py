"""Files that are there whole or not at all, and that say where they could not be written."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class TemporaryFolder:
    """A folder that is gone when nobody holds this any more."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="hexplain-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield where to write a file that then takes the place of `target` in one step.

    Raises OSError where it cannot be written (a full disk, a missing folder); nothing of it is
    left then, and a file that was there before is unchanged.
    """
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, target)
    except OSError as error:
        raise OSError(
            error.errno,
            f"cannot write {target}: {error.strerror or error}; a folder with room for the file was"
            " expected; free some space or name another place: nothing that was gathered is lost",
        ) from error
    finally:
        partial.unlink(missing_ok=True)
