"""Every view on a page, and what of it does not fit: cut words, heights, contrast, rules of axe.

    python -m tests.browser.laptop FOLDER [EVIDENCE]

writes a picture of every view at three widths in both themes, and what does not fit, from the
evidence of a folder (files named by their kinds, as `tests/saved`) or, without one, made by hand.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import ipywidgets
from playwright.sync_api import Browser, Page, sync_playwright

from hexplain_widgets.evidence.store import load
from hexplain_widgets.widgets import (
    AttackComparison,
    ChannelBars,
    ChannelMatrix,
    ConceptSunburst,
    ConceptTree,
    ContributionReport,
    NeuronConceptGraph,
    show,
)
from hexplain_widgets.widgets._shared.composite import dismiss
from hexplain_widgets.widgets._shared.export import write_html
from hexplain_widgets.widgets.failure_analysis.brush import OcclusionBrush
from tests.browser.offline import OfflinePage
from tests.browser.waits import still
from tests.widgets.made import made_decomposition
from tests.widgets.made_additive import MadeExplainer, images
from tests.widgets.made_attack import made_attack, made_set
from tests.widgets.made_chip import MadeChip, wide_layer
from tests.widgets.made_failure import made_failure, made_occlusion, made_portraits
from tests.widgets.made_filters import sheet
from tests.widgets.made_heatmaps import made_sheet
from tests.widgets.made_hint import MadeHint
from tests.widgets.made_inference import made_inference
from tests.widgets.made_space import made_comparison
from tests.widgets.made_views import LATER, MADE, SAVED, made_view

AXE = Path(__file__).parents[2] / "js" / "node_modules" / "axe-core" / "axe.min.js"
MEASURES = Path(__file__).with_name("laptop.js")
WIDTHS, THEMES = (1400, 1280, 420), ("light", "dark")
HEIGHT = 720
# what a notebook leaves of 720 pixels
ROOM = 640
KINDS = ("cut", "faint", "rules", "beside")
# what names of classes and concepts are called on top of what they are
TAIL = "_of_the_far_northern_hills"
NAMES = {"target", "names", "classes", "concept", "concepts", "parts", "labels"}


def long(value: Any, field: str = "") -> Any:
    """Return evidence whose classes and concepts have long names, and channels four digits."""
    if is_dataclass(value) and not isinstance(value, type):
        given = {f.name: getattr(value, f.name) for f in fields(value)}
        changed = {name: long(one, _kind(value, name)) for name, one in given.items()}
        return replace(value, **{k: v for k, v in changed.items() if v is not given[k]})
    if isinstance(value, tuple):
        return tuple(long(one, field) for one in value)
    if field in NAMES and isinstance(value, str) and value:
        return value + TAIL
    if field in ("channel", "also") and isinstance(value, int):
        return value + 1000
    return value


def _kind(value: Any, name: str) -> str:
    """Names of layers are no names of classes, and channels of pictures stand in tables."""
    if type(value).__name__ == "Prediction" and name == "name":
        return "names"
    if name in ("channel", "also"):
        return name if type(value).__name__ == "Node" else ""
    return name if name in NAMES and type(value).__name__ != "Provenance" else ""


def _chip() -> Any:
    names = [f"{name}{TAIL}" for name in ("bullfrog", "tree frog", "zebra", "pony", "harbor")]
    return MadeChip(names, [wide_layer(1280)])


MADE_LONG: dict[str, Callable[[], Any]] = {
    "DecompositionTree": lambda: show(long(made_decomposition(levels=4, top_k=3))),
    "LayerHeatmaps": lambda: show(long(made_sheet(methods=("CHIP", "Grad-CAM"), boxes=True))),
    "ChannelMatrix": lambda: ChannelMatrix(_chip()),
    "ChannelVenn": lambda: show(load(SAVED / "ChannelOverlap.hx")),
    "ChannelBars": lambda: ChannelBars(_chip(), 0),
    "NeuronConceptGraph": lambda: NeuronConceptGraph(MadeHint(neurons=1280), images=images(2, 96)),
    "ConceptTree": lambda: ConceptTree.from_evidence(long(made_inference())),
    "ConceptSunburst": lambda: ConceptSunburst.from_evidence(
        [long(made_inference()), made_inference(name="curb")]
    ),
    "InferenceSpace": lambda: show(long(made_comparison())),
    "ContributionReport": lambda: ContributionReport(
        MadeExplainer([f"{name}{TAIL}" for name in MadeExplainer().names_]), images(2, 96)
    ),
    "FilterLabeler": lambda: show(long(sheet())),
    "FailureAnalysis": lambda: show(
        long(made_failure(occlusion=made_occlusion(), **made_portraits()))
    ),
    "AttackComparison": lambda: show(long(made_attack())),
    "AttackComparison of a set": lambda: AttackComparison.from_evidence(long(made_set())),
    "OcclusionBrush": lambda: OcclusionBrush(long(made_failure(occlusion=made_occlusion()))),
    "ConfusionMatrix": lambda: show(long(load(LATER / "ConfusionSummary.hx"))),
    "LocalizationPicture": lambda: show(long(load(SAVED / "Localization.hx"))),
    "LocalizationReport": lambda: show(long(load(LATER / "LocalizationSummary.hx"))),
    "ContactSheet": lambda: show(long(load(LATER / "ClassHeatMaps.hx"))),
    "MethodGrid": lambda: show(long(load(LATER / "MethodSheet.hx"))),
    "ContextReport": lambda: made_view("ContextReport"),
    "ContextReport of degrees": lambda: made_view("ContextReport of degrees"),
    "FaithfulnessReport": lambda: made_view("FaithfulnessReport"),
    "UnitReport": lambda: show(long(load(LATER / "ConceptUnits.hx"))),
    "ExplainerReport": lambda: show(long(load(LATER / "AdditiveReport_spread.hx"))),
    "ExplainerReport of capacity": lambda: made_view("ExplainerReport of capacity"),
    "RandomisationReport": lambda: made_view("RandomisationReport"),
}


class Fit(NamedTuple):
    """What one view is at one width in one theme: its size, and what is wrong with it."""

    width: float
    height: float
    cut: list[str]  # words and numbers that are not seen whole
    faint: list[str]  # words whose contrast with what is painted below is under 4.5
    rules: list[str]  # what axe calls moderate or worse
    beside: list[str]  # outlines that do not lie on their picture


def page_of(folder: Path, views: Mapping[str, Callable[[], Any]]) -> Path:
    """Write a page of these views below each other, for to load a page takes longest."""
    boxes = []
    for name, make in views.items():
        box = ipywidgets.VBox([make()])
        box.add_class(class_of(name))
        boxes.append(box)
    whole = ipywidgets.VBox(boxes)
    try:
        return write_html(whole, folder / "views.html", title="views")
    finally:
        dismiss(whole)


def class_of(name: str) -> str:
    """Return the class of the box in which a view stands on a page."""
    return f"fit-{name.replace(' ', '-')}"


def opened(browser: Browser, path: Path, theme: str, width: int) -> OfflinePage:
    """Open a page of views in a theme and a laptop's window, and give it what measures it."""
    page = OfflinePage(browser, path, theme, (width, HEIGHT))
    page.page.wait_for_selector("main > .widget-box", state="attached")
    page.page.evaluate(AXE.read_text(encoding="utf-8"))
    page.page.evaluate(MEASURES.read_text(encoding="utf-8"))
    return page


def fit(page: Page, name: str) -> Fit:
    """Measure a view on the page."""
    return Fit(**page.evaluate("where => hexplainFit(where)", f".{class_of(name)}"))


def pages_of(page: Page, name: str) -> Iterator[Fit]:
    """Measure a view, and each of its pages where it has several that take turns."""
    yield fit(page, name)
    for tab in page.locator(f".{class_of(name)} [role=tab]").all()[1:]:
        tab.click()
        still(page)
        yield fit(page, name)


def problems(one: Fit, name: str, width: int) -> list[str]:
    """Say what of a view does not fit."""
    found = [f"{kind}: {what}" for kind in KINDS for what in getattr(one, kind)]
    if width >= 1280 and one.height > ROOM:
        found.append(f"tall: {one.height:.0f} px, {ROOM} are there")
    return [f"{name} at {width}: {what}" for what in found]


def full(out: Path, views: Mapping[str, Callable[[], Any]]) -> list[str]:
    """Write a picture of each view, a width and a theme; return what does not fit."""
    out.mkdir(parents=True, exist_ok=True)
    found = []
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, make in views.items():
            path = page_of(out, {name: make})
            for theme, width in product(THEMES, WIDTHS):
                page = opened(browser, path, theme, width)
                still(page.page)
                for i, one in enumerate(pages_of(page.page, name)):
                    file = out / f"{class_of(name)}_{width}_{theme}_{i}.png"
                    page.page.screenshot(path=file, full_page=True)
                    found += [f"{theme}, {what}" for what in problems(one, name, width)]
                page.close()
    return found


def of_folder(folder: Path) -> dict[str, Callable[[], Any]]:
    """Views of the evidence in a folder, by name."""
    files = {name: folder / f"{kind}.hx" for name, (kind, _) in MADE.items()}
    return {
        name: partial(_shown, file, MADE[name][1]) for name, file in files.items() if file.is_file()
    }


def _shown(file: Path, make: Callable[[Any], Any]) -> Any:
    return make(load(file))


if __name__ == "__main__":
    chosen = of_folder(Path(sys.argv[2])) if len(sys.argv) > 2 else MADE_LONG
    wrong = full(Path(sys.argv[1]), chosen)
    print("\n".join(wrong) or "All views fit.")
    sys.exit(bool(wrong))
