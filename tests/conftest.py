"""Shapes and types in the package's signatures are checked at run time under pytest only."""

from __future__ import annotations

from jaxtyping import install_import_hook

import tests.typecheck  # noqa: F401 - the hook looks it up, but does not import it

install_import_hook("hexplain_widgets", "tests.typecheck.checked")
