"""The graph of neurons and concepts in JupyterLab, with a made Hint and a real one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from hexplain_widgets.widgets import NeuronConceptGraph
from tests.browser.lab import SCREENSHOTS, Desk, Notebook, Theme, button
from tests.browser.offline import OfflinePage
from tests.widgets.made_hint import MadeHint, images

MADE = """
from hexplain_widgets.widgets.neuron_concept_graph.view import NeuronConceptGraph
from tests.widgets.made_hint import MARKUP, MadeHint, images, large
"""
SMALL = """
import threading
gate = threading.Event()
hint = MadeHint()
graph = NeuronConceptGraph(hint, images=images(3))
"""
CELLS = [MADE + SMALL, "graph"]
LARGE = "graph = NeuronConceptGraph(MadeHint(large(), neurons=40), images=images(3))"
FRESH = """(setattr(graph, 'layer', 'features.30'), setattr(graph, 'estimator', 'owen'),
 [setattr(graph, n, v) for n, v in {'concept': None, 'channel': None, 'folded': [],
 'threshold': 0.0, 'top': 10, 'view': {}}.items()], None)[-1]"""


class View:
    """Where to find things in the view."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook, self.page = notebook, notebook.page
        self.root = self.page.locator(".hx-neuron-graph")
        self.details = self.root.locator(".hx-details")
        self.rows = self.root.locator(".hx-concept")
        self.lit = self.root.locator(".hx-ribbon.hx-on")

    def concept(self, name: str) -> Locator:
        return self.root.locator(f".hx-concept[data-concept='{name}']")

    def neuron(self, number: int) -> Locator:
        return self.root.locator(f".hx-neuron[data-neuron='{number}']")

    def strongest(self, name: str) -> int:
        at = f"[one.name for one in graph.evidence.concepts].index({name!r})"
        found: int = self.notebook.kernel(
            f"graph.evidence.neurons[int(graph.evidence.scores[:, {at}].argmax())]"
        )
        return found


def opened(notebook: Notebook) -> View:
    notebook.page.set_viewport_size({"width": 1400, "height": 1900})
    notebook.run_all()
    view = View(notebook)
    view.rows.first.wait_for()
    notebook.settled()
    return view


@pytest.fixture
def view(desk: Desk) -> View:
    """One notebook for all tests that can be undone by setting traits."""
    shared = desk.shared(CELLS, opened)
    shared.page.mouse.move(0, 0)
    shared.notebook.reset(FRESH)
    shared.notebook.settled()
    shared.notebook.errors.clear()
    return shared


@pytest.fixture
def alone(desk: Desk) -> View:
    """A notebook of its own, for tests that end its kernel or save it."""
    return desk.alone(CELLS, opened)


def test_the_browser_has_nothing_to_complain_of(view: View) -> None:
    assert view.notebook.errors == []
    assert view.notebook.outside == []


def test_a_chosen_concept_shows_its_neurons_quality_maps_and_layers(view: View) -> None:
    view.concept("dog").click()
    view.notebook.wait_kernel("graph.concept", "dog")
    expect(view.details.locator("h3").first).to_be_hidden()
    expect(view.details.get_by_role("heading", name="dog")).to_be_visible()
    expect(view.details.locator(".hx-scores li")).to_have_count(10)
    expect(view.details.locator(".hx-scores li").first).to_contain_text(f"#{view.strongest('dog')}")
    expect(view.details.locator(".hx-figures")).to_contain_text("chance")
    maps = view.details.locator(".hx-map-row canvas")
    expect(maps.first).to_have_attribute("aria-label", re.compile("Map of dog on image 1: logit"))
    expect(maps).to_have_count(3)
    expect(view.details.locator(".bqplot rect.bar")).to_have_count(3)
    assert view.notebook.errors == []


def test_a_chosen_concept_has_its_links_brought_out(view: View) -> None:
    view.concept("dog").click()
    view.page.mouse.move(0, 0)
    expect(view.lit).to_have_count(10)


def test_a_chosen_neuron_shows_its_concepts_and_its_regions_ringed(view: View) -> None:
    number = view.strongest("animal")
    view.neuron(number).click()
    view.notebook.wait_kernel("graph.channel", number)
    expect(view.details.get_by_role("heading", name=f"Neuron #{number}")).to_be_in_viewport()
    expect(view.details.locator(".hx-regions img")).to_have_count(4)
    expect(view.details.locator(".hx-ring")).to_have_count(4)
    button_of = view.details.get_by_role("article", name="Neuron").locator(".hx-ranking button")
    button_of.first.click()
    view.notebook.wait_kernel("graph.concept is not None", True)


def test_a_click_on_a_neuron_moves_the_panel_to_it(
    open_page: Callable[..., OfflinePage], tmp_path: Path
) -> None:
    made = NeuronConceptGraph(MadeHint(), images=images(3))
    made.export_html(tmp_path / "g.html")
    made.close()
    page = open_page(tmp_path / "g.html").page
    page.set_viewport_size({"width": 1400, "height": 720})
    page.locator(".hx-concept[data-concept='dog']").click()
    expect(page.locator(".hx-details").get_by_role("heading", name="dog")).to_be_visible()
    page.locator(".hx-neuron").nth(3).click()
    details = page.locator(".hx-details")
    expect(details.locator("[aria-label=Neuron] h3")).to_be_in_viewport(ratio=1)
    tops = "all => all.map(one => one.getBoundingClientRect().top)"
    concept, neuron = details.locator("> article").evaluate_all(tops)
    assert neuron < concept
    page.locator(".hx-concept[data-concept='cat']").click()
    expect(details.get_by_role("heading", name="cat")).to_be_in_viewport(ratio=1)


def test_a_doubtful_classifier_is_grey_without_links_until_it_is_chosen(view: View) -> None:
    cat = view.concept("cat")
    expect(cat).to_have_class(re.compile("hx-doubtful"))
    cat.click()
    view.page.mouse.move(0, 0)
    expect(view.details.locator(".hx-doubt")).to_contain_text("No finding: at chance: F1")
    expect(view.lit).to_have_count(0)
    expect(view.root.locator(".hx-dashes path")).not_to_have_count(0)
    expect(view.details.locator(".hx-maps")).to_be_hidden()
    view.concept("dog").click()
    expect(view.root.locator(".hx-dashes path")).to_have_count(0)


def test_the_tree_is_walked_folded_and_chosen_by_keyboard(view: View) -> None:
    view.concept("whole").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown"):
        view.page.keyboard.press(key)
    expect(view.concept("dog")).to_be_focused()
    view.page.keyboard.press("ArrowLeft")
    view.notebook.wait_kernel("graph.folded", ["dog"])
    expect(view.concept("husky")).to_have_count(0)
    expect(view.concept("dog")).to_have_attribute("aria-expanded", "false")
    view.page.keyboard.press("ArrowRight")
    view.notebook.wait_kernel("graph.folded", [])
    view.page.keyboard.press("Enter")
    view.notebook.wait_kernel("graph.concept", "dog")
    view.page.keyboard.press("Escape")
    view.notebook.wait_kernel("graph.concept", None)


def test_neurons_are_walked_and_chosen_by_keyboard(view: View) -> None:
    first = view.root.locator(".hx-neuron").nth(0)
    second = view.root.locator(".hx-neuron").nth(1)
    first.focus()
    view.page.keyboard.press("ArrowDown")
    expect(second).to_be_focused()
    view.page.keyboard.press("Enter")
    number = int(second.get_attribute("data-neuron") or "-1")
    view.notebook.wait_kernel("graph.channel", number)
    expect(second).to_have_attribute("aria-selected", "true")


def test_links_of_folded_concepts_gather_at_the_one_above(view: View) -> None:
    view.concept("animal").locator(".hx-twist").click()
    view.notebook.wait_kernel("graph.folded", ["animal"])
    expect(view.concept("animal").locator(".hx-count")).to_have_text("+6")
    expect(view.root.locator(".hx-ribbon.hx-folded-in")).not_to_have_count(0)


def test_a_concept_that_is_folded_away_is_found_and_shown(view: View) -> None:
    button(view.root, "Fold all concepts").click()
    expect(view.concept("husky")).to_have_count(0)
    search = view.root.get_by_role("combobox", name="Find a concept or neuron")
    search.fill("husk")
    search.press("Enter")
    expect(view.concept("husky")).to_be_visible()
    view.notebook.wait_kernel("graph.concept", "husky")


def test_a_neuron_is_found_by_its_number(view: View) -> None:
    number = view.strongest("animal")
    search = view.root.get_by_role("combobox", name="Find a concept or neuron")
    search.fill(f"#{number}")
    search.press("Enter")
    view.notebook.wait_kernel("graph.channel", number)
    expect(view.details.get_by_role("heading", name=f"Neuron #{number}")).to_be_visible()


def test_the_sliders_thin_the_links_out(view: View) -> None:
    ribbons = view.root.locator(".hx-ribbon")
    before = ribbons.count()
    view.root.get_by_role("slider", name="Score").fill("0.4")
    view.notebook.wait_kernel("graph.threshold", 0.4)
    view.notebook.settled()
    assert ribbons.count() < before
    view.root.get_by_role("slider", name="Score").fill("0")
    view.notebook.wait_kernel("graph.threshold", 0)
    view.root.get_by_role("slider", name="Neurons per concept").fill("2")
    view.notebook.wait_kernel("graph.top", 2)
    expect(ribbons).to_have_count(2 * 11)


def test_two_sliders_moved_one_right_after_the_other_are_both_heard(view: View) -> None:
    view.root.get_by_role("slider", name="Score").fill("0.3")
    view.root.get_by_role("slider", name="Neurons per concept").fill("3")
    view.notebook.wait_kernel("[graph.threshold, graph.top]", [0.3, 3])
    expect(view.root.get_by_role("slider", name="Neurons per concept")).to_have_value("3")


def test_another_layer_is_turned_to_and_the_concept_stays_chosen(view: View) -> None:
    view.concept("dog").click()
    view.root.get_by_role("combobox", name="Layer").select_option("features.20")
    view.notebook.wait_kernel("graph.evidence.layer", "features.20")
    expect(view.root.locator(".hx-title")).to_contain_text("features.20")
    view.notebook.wait_kernel("len(graph.evidence.maps)", 3)
    view.notebook.wait_kernel("graph.concept", "dog")


def test_a_click_on_a_bar_turns_to_its_layer(view: View) -> None:
    view.concept("dog").click()
    bars = view.details.locator(".bqplot rect.bar")
    expect(bars).to_have_count(3)
    view.notebook.settled()
    bars.nth(0).click()
    view.notebook.wait_kernel("graph.evidence.layer", "features.10")
    assert view.notebook.errors == []


def test_the_estimator_is_always_named_with_its_standard_error(view: View) -> None:
    facts = view.root.locator(".hx-facts")
    expect(facts).to_contain_text("Scores by owen")
    expect(facts).to_contain_text("without a standard error")
    view.root.get_by_role("combobox", name="Scores").select_option("permutation")
    view.notebook.wait_kernel("graph.evidence.estimator", "permutation")
    expect(facts).to_contain_text("sampled, standard error at most 0.0")
    view.concept("dog").click()
    expect(view.details.locator(".hx-scores .hx-number").first).to_contain_text("±")


def test_an_estimator_that_cannot_be_had_is_told_in_words(view: View) -> None:
    choice = view.root.get_by_role("combobox", name="Scores")
    choice.select_option("retrained")
    banner = view.root.locator(".hx-banner", has_text="fit again")
    expect(banner).to_be_visible()
    expect(choice).to_have_value("owen")
    button(banner, "Dismiss").click()


def test_long_work_is_given_up_and_nothing_is_lost(alone: View) -> None:
    alone.notebook.kernel("setattr(hint, 'before_answer', gate.wait)")
    alone.root.get_by_role("combobox", name="Scores").select_option("logit")
    work = alone.root.locator(".hx-work", has_text="Scoring neurons")
    button(work, "Cancel").click()
    expect(work).to_be_hidden()
    alone.notebook.kernel("gate.set()")
    alone.concept("dog").click()  # asked after it: once this is answered, the scoring has ended
    alone.notebook.wait_kernel("len(graph.evidence.maps)", 3)
    alone.notebook.settled()
    assert alone.notebook.kernel("graph.evidence.estimator") == "owen"
    assert alone.root.locator(".hx-banner").count() == 0


def test_all_links_can_be_read_as_a_table(view: View) -> None:
    button(view.root, "Table").click()
    row = view.root.get_by_role("row", name=re.compile("^husky"))
    expect(row.get_by_role("button")).to_have_count(10)
    expect(view.root.get_by_role("row", name=re.compile("^cat"))).to_contain_text("no finding")
    row.get_by_role("button").first.click()
    view.notebook.wait_kernel("graph.channel", view.strongest("husky"))


def test_names_that_are_markup_stay_text(view: View) -> None:
    button(view.root, "Table").click()
    view.notebook.kernel("graph.set_trait('concept', MARKUP)")
    expect(view.details.get_by_role("heading", name="<img src=x")).to_be_visible()
    assert view.page.locator("img[src='x']").count() == 0
    assert view.notebook.errors == []


def test_keys_pressed_in_the_view_are_no_commands_of_the_notebook(view: View) -> None:
    for place in (view.concept("dog"), view.root.locator(".hx-neuron").first):
        place.focus()
        view.notebook.assert_no_command("b", "a")


def test_a_saved_view_without_a_kernel_shows_all_it_had(alone: View) -> None:
    number = alone.strongest("dog")
    alone.concept("dog").click()
    alone.notebook.wait_kernel("len(graph.evidence.maps)", 3)
    alone.neuron(number).click()
    alone.notebook.wait_kernel("graph.channel", number)
    alone.concept("plant").locator(".hx-twist").click()
    alone.notebook.wait_kernel("graph.folded", ["plant"])
    alone.notebook.settled()
    alone.notebook.save()
    alone.notebook.reopen()
    expect(alone.concept("dog")).to_have_attribute("aria-selected", "true")
    expect(alone.neuron(number)).to_have_attribute("aria-selected", "true")
    expect(alone.concept("tree")).to_have_count(0)
    expect(alone.details.locator(".hx-regions img")).to_have_count(4)
    expect(alone.details.locator(".hx-map-row canvas").first).to_have_attribute(
        "aria-label", re.compile("logit")
    )
    expect(alone.details.locator(".bqplot rect.bar")).to_have_count(3)
    alone.concept("husky").click()
    expect(alone.details.get_by_role("heading", name="husky")).to_be_visible()


def test_after_a_kernel_restart_the_view_says_so_and_stays(alone: View) -> None:
    alone.notebook.restart_kernel()
    alone.root.get_by_role("combobox", name="Layer").select_option("features.20")
    expect(alone.root.locator(".hx-banner")).to_contain_text("does not answer")
    alone.concept("dog").click()
    expect(alone.details.get_by_role("heading", name="dog")).to_be_visible()


def test_an_offline_page_shows_the_graph_and_asks_for_nothing(
    view: View, open_page: Callable[..., OfflinePage], tmp_path: Path
) -> None:
    view.notebook.kernel("graph.set_trait('concept', 'dog')")
    view.notebook.kernel(f"str(graph.export_html({str(tmp_path / 'graph.html')!r}))")
    page = open_page(tmp_path / "graph.html")
    page.page.locator(".hx-details .bqplot rect.bar").first.wait_for(state="attached")
    page.page.locator(".hx-concept[data-concept='husky']").click()
    expect(page.page.locator(".hx-map-row canvas").first).to_have_attribute(
        "aria-label", re.compile("Map of husky on image 1: logit")
    )
    assert (page.outside, page.errors) == ([], [])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_width_has_its_picture(view: View, theme: Theme) -> None:
    view.notebook.theme(theme)
    view.notebook.kernel("graph.set_trait('concept', 'dog')")
    shots = []
    for width in (420, 900, 1920):
        view.page.set_viewport_size({"width": width + 120, "height": 2900})
        view.notebook.settled()
        shots.append(view.notebook.screenshot(f"neurons_{theme}_{width}", view.root))
    view.page.set_viewport_size({"width": 1400, "height": 1900})
    view.notebook.theme("light")
    assert all(shot.parent == SCREENSHOTS and shot.stat().st_size > 20_000 for shot in shots)
    assert view.notebook.errors == []


def test_sixty_concepts_and_forty_neurons_fold_to_a_screen(
    open_notebook: Callable[[list[str]], Notebook],
) -> None:
    view = opened(open_notebook([MADE + LARGE, "graph"]))
    assert 5 < view.rows.count() <= 26
    view.notebook.screenshot("neurons_60x40", view.root)
    button(view.root, "Unfold all concepts").click()
    expect(view.rows).to_have_count(60)
    view.notebook.settled()
    names = view.rows.evaluate_all("rows => rows.map(r => r.getBoundingClientRect().height)")
    assert min(names) >= 18
    view.notebook.screenshot("neurons_60x40_unfolded", view.root)
    assert view.notebook.errors == []


REAL = """
from tests.browser.preludes import fitted_hint, house
hint = fitted_hint()
graph = NeuronConceptGraph(hint, images=[house(None)])
"""


@pytest.mark.slow
def test_the_view_works_on_a_fitted_network(
    open_notebook: Callable[[list[str]], Notebook],
) -> None:
    notebook = open_notebook([MADE + REAL, "graph"])
    notebook.page.set_viewport_size({"width": 1400, "height": 1900})
    notebook.run_all()
    view = View(notebook)
    view.rows.first.wait_for()
    found = "next(c.name for c in reversed(hint.concepts_) if hint.quality(c.name).flag is None)"
    name = notebook.kernel(found)
    notebook.kernel(f"graph.set_trait('concept', {name!r})")
    expect(view.details.locator(".hx-map-row canvas")).to_have_attribute(
        "aria-label", re.compile("logit")
    )
    view.details.locator(".hx-scores button").first.click()
    expect(view.details.locator(".hx-regions img")).not_to_have_count(0)
    layer = notebook.kernel("hint.layers_[1].name")
    view.root.get_by_role("combobox", name="Layer").select_option(layer)
    notebook.wait_kernel("graph.evidence.layer", layer)
    view.notebook.settled()
    notebook.screenshot("neurons_real", view.root)
    assert notebook.errors == []
