"""Which versions of which libraries made a piece of evidence."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

import numpy as np
import torch


@cache
def _own_version() -> str:
    return version("hexplain_widgets")


def versions() -> dict[str, str]:
    """Return the versions of this package, torch and numpy by name."""
    return {
        "hexplain_widgets": _own_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
    }
