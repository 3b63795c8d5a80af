"""Charts that are still being drawn when the next cell changes, closes or fills their view.

With "Run All" a view is changed while the page draws its figures; here every figure of bqplot is
late on purpose, so that what comes meanwhile always comes too early.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Notebook
from tests.browser.test_attack_comparison import LIVE
from tests.browser.test_channel_views import MADE as CHANNELS
from tests.browser.test_context_report import MEASURED as CONTEXT
from tests.browser.test_contribution_report import MADE as CONTRIBUTIONS
from tests.browser.test_failure_analysis import ANALYSED
from tests.browser.test_faithfulness_report import MEASURED as FAITHFULNESS
from tests.browser.test_neuron_concept_graph import MADE, SMALL

# how late figures are, in milliseconds: until the cells that follow have run, or longer
LATE = """() => {
  const wait = ms => new Promise(done => setTimeout(done, ms));
  const { manager } = window, draw = manager.create_view;
  const late = async model => {
    if (model.get?.("_model_name") !== "FigureModel") return;
    window.begun = (window.begun ?? 0) + 1;
    while (!window.may) await wait(20);
    await wait(50);
  };
  manager.create_view = async function (model, options) {
    await late(model);
    return draw.call(this, model, options);
  };
  window.punctual = () => { manager.create_view = draw; };
}"""

# what ipywidgets says of a box that went while its children were drawn
GONE = "Could not add child view to box"
GRAPH = MADE + SMALL + "w = graph"
REPORT = CONTRIBUTIONS + "report.view = {'chart': 'bars'}\nw = report"
ATTACK = LIVE.replace("\ncompared\n", "\nw = compared")

# a view, what the next cell does to it, and how many figures there are in the end
CASES = {
    "NeuronConceptGraph": (GRAPH, "graph.concept = 'dog'", 1),
    "NeuronConceptGraph turned": (GRAPH, "graph.concept = 'husky'; graph.layer = 'features.20'", 1),
    "ChannelBars": (CHANNELS + "w = ChannelBars(chip, 'zebra')", "w.layer = w.layer_names[1]", 1),
    "ContributionReport taken from": (REPORT, "report.remove(0)", 1),
    "ContributionReport added to": (REPORT, "report.add(images(3)[2])", 3),
    "AttackComparison": (ATTACK, "w.attack(target='park', steps=4)", 2),
    "AttackComparison over": (ATTACK, "w.over(progress=False)", 4),
    "FailureAnalysis": (ANALYSED, "w.compare('cat', progress=False)", 0),
    "FailureAnalysis twice": (
        ANALYSED,
        "w.compare('cat', progress=False); w.compare('dog', progress=False)",
        1,
    ),
    "FaithfulnessReport": (FAITHFULNESS, "w.children[2].index = 2", 4),
    "ContextReport": (CONTEXT, "w.layout.width = '90%'", 5),
}
every_case = pytest.mark.parametrize("name", CASES)


@pytest.fixture
def late(open_notebook: Callable[[list[str]], Notebook]) -> Iterator[Callable[..., Notebook]]:
    """A notebook whose figures come once all of its cells have run."""
    made: list[Notebook] = []

    def opened(*cells: str) -> Notebook:
        notebook = open_notebook([cells[0], "w", *cells[1:]])
        made.append(notebook)
        notebook.page.set_viewport_size({"width": 1400, "height": 1900})
        notebook.page.evaluate(LATE)
        notebook.run_all()
        notebook.wait_heard()
        notebook.page.evaluate("() => { window.may = true; }")
        notebook.settled()
        return notebook

    yield opened
    for one in made:
        one.page.evaluate("() => { window.punctual?.(); delete window.may; delete window.begun; }")


@every_case
def test_a_view_changed_meanwhile_has_all_its_charts(
    late: Callable[..., Notebook], name: str
) -> None:
    made, act, figures = CASES[name]
    notebook = late(made, act)
    assert notebook.page.evaluate("window.begun") > 0
    drawn = notebook.page.locator(".bqplot:visible")
    expect(drawn).to_have_count(figures)
    for figure in drawn.all():
        expect(figure.locator("rect.bar, path.line").first).to_be_attached()
    expect(notebook.page.locator(".hx-banner")).to_have_count(0)
    assert complaints(notebook) == []


def complaints(notebook: Notebook) -> list[str]:
    """What the browser complained of, but for boxes of ipywidgets that were gone."""
    gone = sum(GONE in error for error in notebook.errors)
    others = [error for error in notebook.errors if GONE not in error]
    return [error for error in others if "reading 'widgets'" not in error or not gone]


@every_case
def test_a_view_closed_meanwhile_leaves_nothing_and_complains_of_nothing(
    late: Callable[..., Notebook], name: str
) -> None:
    notebook = late(CASES[name][0], "w.close()")
    expect(notebook.page.locator(".bqplot:visible")).to_have_count(0)
    expect(notebook.page.locator(".hx-banner:visible")).to_have_count(0)
    assert complaints(notebook) == []
