"""What goes into an offline page."""

from __future__ import annotations

from pathlib import Path

import ipywidgets

from hexplain_widgets.widgets._shared.export import write_html
from hexplain_widgets.widgets.channels.bars import ChannelBars
from tests.widgets.made_chip import MadeChip


def test_a_page_holds_its_own_widget_and_no_other_of_the_kernel(tmp_path: Path) -> None:
    other = ipywidgets.Label(value="somebody else's")
    page = write_html(ipywidgets.Label(value="my own"), tmp_path / "page.html", title="t")
    text = page.read_text(encoding="utf-8")
    assert "my own" in text
    assert "somebody else" not in text
    other.close()


def test_a_page_holds_what_its_widget_is_made_of(tmp_path: Path) -> None:
    bars = ChannelBars(MadeChip(), "zebra")
    text = bars.export_html(tmp_path / "bars.html").read_text(encoding="utf-8")
    for model in ("FigureModel", "BarsModel", "AxisModel", "LinearScaleModel", "DropdownModel"):
        assert f'"{model}"' in text
    bars.close()
