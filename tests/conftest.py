"""Shapes and types in the package's signatures are checked at run time under pytest only."""

from __future__ import annotations

from jaxtyping import install_import_hook

install_import_hook("hexplain_widgets", "tests.typecheck.checked")
