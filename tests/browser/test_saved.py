"""A notebook that an earlier version saved: today's bundles draw every view from its state.

`tests/saved/make.py` says how it was made; where a bundle was, the notebook has the bundle's name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import pytest
from nbformat.sign import NotebookNotary
from playwright.sync_api import Browser, Locator, Page, expect

import hexplain_widgets as hx
from tests.browser.lab import REPOSITORY, Desk, Notebook
from tests.browser.offline import OfflinePage
from tests.browser.waits import drawn as painted

SAVED = REPOSITORY / "tests" / "saved"
STATIC = Path(hx.__file__).parent / "static"
STATE, VIEW = (f"application/vnd.jupyter.widget-{part}+json" for part in ("state", "view"))
# the pixels of a canvas that is to be seen are not all empty
PAINTED = """root => [...root.querySelectorAll('canvas')].filter(c => c.width && c.offsetWidth)
  .map(c => c.getContext('2d')).filter(Boolean)
  .some(c => c.getImageData(0, 0, c.canvas.width, c.canvas.height).data.some(v => v > 0))"""


class Drawn(NamedTuple):
    """What is to be seen of a view: so many elements, and a text."""

    selector: str
    count: int
    text: str
    bundles: tuple[str, ...] = ()
    canvas: bool = True


VIEWS = {
    "DecompositionTree": Drawn(".hx-node", 5, "Channel 70, stage 4", ("decomposition_tree",)),
    "LayerHeatmaps": Drawn(".hx-heat", 2, "CHIP · 1 · 4 × 8 × 8", ("layer_heatmaps",)),
    "ChannelMatrix": Drawn(".hx-field", 1, "house: 4 of 6 channels", ("channel_matrix",)),
    "ChannelVenn": Drawn(".hx-card", 2, "house and beach: 2 channels", ("channel_venn",)),
    "ChannelBars": Drawn("rect.bar", 5, "weight × mean activation", canvas=False),
    "NeuronConceptGraph": Drawn(
        ".hx-ribbon", 6, "6 concepts, 3 neurons", ("neuron_concept_graph",), canvas=False
    ),
    "ConceptTree": Drawn(".hx-card", 7, "explain 98 % of it", ("concept_tree",)),
    "ConceptSunburst": Drawn(".hx-slice", 3, "98 % explained by", ("concept_sunburst",)),
    "InferenceSpace": Drawn(".hx-within", 2, "house (scene)", ("inference_space",)),
    "ContributionReport": Drawn(".hx-is-concept", 3, "+1.97 logits", ("contribution_report",)),
    "FilterLabeler": Drawn(".hx-filter", 6, "3 of 5 named", ("filter_labeler",)),
    "FailureAnalysis": Drawn(
        ".hx-node", 6, "Without channel 1", ("occlusion_brush", *["decomposition_tree"] * 2)
    ),
    "ContextReport": Drawn("rect.bar", 13, "street goes by hill", canvas=False),
}
every_view = pytest.mark.parametrize("name", VIEWS)


def notebook() -> dict[str, Any]:
    """The old notebook with today's bundles."""
    found: dict[str, Any] = json.loads((SAVED / "notebook.ipynb").read_text(encoding="utf-8"))
    for model in found["metadata"]["widgets"][STATE]["state"].values():
        for part in {"_esm", "_css"} & model["state"].keys():
            model["state"][part] = (STATIC / model["state"][part]).read_text(encoding="utf-8")
    return found


def element(kind: str, value: Any) -> str:
    text = json.dumps(value).replace("<", "\\u003c")
    return f'<script type="{kind}">{text}</script>'


def written(folder: Path) -> Path:
    """A page of today with the old notebook's state and views in the place of its own."""
    view = hx.show(hx.load(SAVED / "Contributions.hx"))
    page: Path = view.export_html(folder / "saved.html")
    view.close()
    kinds = f"{re.escape(STATE)}|{re.escape(VIEW)}"
    own = re.compile(rf'<script type="({kinds})">.*?</script>', re.DOTALL)
    old = notebook()
    parts = [element(STATE, old["metadata"]["widgets"][STATE])]
    parts += [element(VIEW, o["data"][VIEW]) for c in old["cells"] for o in c["outputs"]]
    text = own.sub("", page.read_text(encoding="utf-8"))
    page.write_text(text.replace("</body>", "\n".join([*parts, "</body>"])), encoding="utf-8")
    return page


@pytest.fixture(scope="module")
def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfflinePage]:
    made = OfflinePage(browser, written(tmp_path_factory.mktemp("saved")))
    yield made
    made.close()


def check_drawn(view: Locator, drawn: Drawn) -> None:
    view.scroll_into_view_if_needed()
    expect(view.locator(drawn.selector)).to_have_count(drawn.count)
    expect(view).to_contain_text(drawn.text)
    expect(view.locator(".hx-banner")).to_have_count(0)
    assert not [text for text in view.locator("[role=alert]").all_text_contents() if text.strip()]
    if drawn.canvas:
        painted(view, PAINTED)


def scopes(page: Page) -> list[str]:
    """The scopes of all views, in the order of the page."""
    found = page.locator("[class*=hx-in-]").evaluate_all(
        "all => all.flatMap(one => [...one.classList].filter(name => name.startsWith('hx-in-')))"
    )
    return [name.removeprefix("hx-in-") for name in found]


def test_the_notebook_was_saved_when_views_had_other_names_in_python() -> None:
    state = json.loads((SAVED / "notebook.ipynb").read_text())["metadata"]["widgets"][STATE]
    ids = {m["state"].get("_anywidget_id") for m in state["state"].values()} - {None}
    bundles = {bundle for drawn in VIEWS.values() for bundle in drawn.bundles}
    assert {one.rpartition(".")[0] for one in ids} == {
        f"hexplain_widgets.widgets.{b}" for b in bundles
    }


@every_view
def test_every_view_is_drawn_from_its_old_state(page: OfflinePage, name: str) -> None:
    check_drawn(page.page.locator("main > *").nth([*VIEWS].index(name)), VIEWS[name])


def test_every_view_has_the_scope_of_its_bundle(page: OfflinePage) -> None:
    assert scopes(page.page) == [bundle for drawn in VIEWS.values() for bundle in drawn.bundles]


def test_old_views_answer_without_a_kernel(page: OfflinePage) -> None:
    graph = page.page.locator(".hx-neuron-graph")
    graph.locator(".hx-concept[data-concept='scene']").click()
    expect(graph.locator(".hx-scores li")).to_have_count(3)
    venn = page.page.locator(".hx-channel-venn")
    venn.locator(".hx-plot-stage [data-region='2']").press("Enter")
    expect(venn.locator(".hx-card")).to_have_count(1)
    tree = page.page.locator(".hx-in-decomposition_tree").first
    tree.locator(".hx-node[data-path='1']").click()
    expect(tree.locator(".hx-panel")).to_contain_text("Channel 10, stage 4")


def test_the_page_complains_of_nothing_and_asks_for_nothing(page: OfflinePage) -> None:
    assert (page.errors, page.outside) == ([], [])


@pytest.fixture(scope="module")
def opened(desk: Desk) -> Notebook:
    """The old notebook in JupyterLab, trusted and not run."""
    old, root = nbformat.from_dict(notebook()), desk.lab.root
    nbformat.write(old, root / "saved.ipynb")
    notary = NotebookNotary(data_dir=str(root.parent / "data"))
    notary.sign(old)
    notary.store.close()
    desk.page.mouse.move(1150, 560)  # where an earlier test may leave it: two views lie there
    return desk.show("saved.ipynb")


@every_view
def test_jupyterlab_draws_every_view_of_the_old_notebook(opened: Notebook, name: str) -> None:
    cell = 1 + [*VIEWS].index(name)
    opened.page.evaluate(
        "cell => window.jupyterapp.shell.currentWidget.content.scrollToItem(cell, 'start')", cell
    )
    outputs = opened.page.locator(f".jp-Cell[data-windowed-list-index='{cell}'] .jp-OutputArea")
    check_drawn(outputs.first, VIEWS[name])
    assert (opened.errors, opened.outside) == ([], [])
