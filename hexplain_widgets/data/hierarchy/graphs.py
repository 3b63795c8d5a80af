"""networkx, loaded with the first hierarchy: it takes long, and most users never make one."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import networkx as nx
else:

    class _LazyModule:
        def __getattr__(self, name: str) -> Any:
            return getattr(import_module("networkx"), name)

    nx = _LazyModule()

__all__ = ["nx"]
