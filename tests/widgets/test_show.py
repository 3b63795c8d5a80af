"""Evidence finds its view."""

from __future__ import annotations

import pytest

from hexplain_widgets.widgets import DecompositionTree, show
from tests.widgets.made import made_decomposition


def test_a_decomposition_is_shown_as_a_tree() -> None:
    view = show(made_decomposition(levels=1))
    assert isinstance(view, DecompositionTree)
    view.close()


def test_what_no_view_shows_is_refused() -> None:
    with pytest.raises(TypeError, match="got list to show; expected one of Decomposition, "):
        show([1, 2])
