"""How the files of this folder were made; for files of another version, name another folder.

    python -m tests.saved.make FOLDER

The files that are kept were written by hexplain_widgets 0.1.0 when all of its modules lay in one
folder. They are what users have on their discs: they are opened by every later version, and never
written again. A later version that saves more adds a folder of its own, as `later` (`write_later`).
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

import hexplain_widgets as hx
from tests.saved import world
from tests.saved.facts import facts

# one view a cell: some from evidence, some that had a network
CELLS = (
    """\
import hexplain_widgets as hx
from tests.saved import world""",
    """\
house = world.picture("house", 3)
hx.DecompositionTree(world.trained(), house, top_k=2, layers=["stage4", "stage3"])""",
    'hx.show(hx.load("HeatMapSheet.hx"))',
    'hx.ChannelMatrix(hx.Chip.load("Chip.hx"))',
    'hx.show(hx.load("ChannelOverlap.hx"))',
    'hx.ChannelBars(hx.Chip.load("Chip.hx"), "beach")',
    'hx.show(hx.load("NeuronConcepts.hx"))',
    'hx.show(hx.load("ConceptInference.hx"))',
    'hx.ConceptSunburst.from_evidence(hx.load("ConceptInference.hx"))',
    'hx.show(hx.load("InferenceComparison.hx"))',
    'hx.show(hx.load("Contributions.hx"))',
    'hx.FilterLabeler.from_evidence(hx.load("FilterSheet.hx"), labels="FilterLabels.json")',
    'hx.show(hx.load("Failure.hx"))',
    'hx.show(hx.load("ContextSummary.hx"))',
)
STAGES = ["stage4", "stage3"]
LABELS = hx.FilterLabels("4", 6, {1: "wall", 3: "sand", 5: "clear sky"}, without=(2,))


def one_layer(channels: int, outputs: int) -> nn.Module:
    """An explaining network of the user's own, a small one."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, outputs))


def smaller(portraits: Any, count: int = 2) -> Any:
    """The portraits with so many thumbnails of 16 pixels each."""
    return tuple(_smaller(portrait, count) for portrait in portraits)


def _smaller(portrait: Any, count: int) -> Any:
    kept = {n: getattr(portrait, n)[:count] for n in ("images", "masks", "values", "places")
            if hasattr(portrait, n)}  # fmt: skip
    pictures = {n: kept[n][:, ::4, ::4].copy() for n in ("images", "masks") if n in kept}
    return replace(portrait, **{**kept, **pictures})


def of_chip(chip: hx.Chip) -> Iterator[hx.Evidence]:
    house = world.picture("house")
    yield chip.matrix()
    overlap = chip.overlap(list(world.CLASSES), top=3)
    channels = sorted({k for those in overlap.channels.values() for k in those})
    portraits = smaller(chip.portraits(channels, image=house))
    yield replace(overlap, portraits=portraits, image=np.asarray(house))
    yield portraits[0]
    yield chip.explain(house, "house")
    sheet = chip.heatmaps(house, [0, 2], methods=("CHIP", "Guided CHIP"), localize=True)
    yield replace(sheet, maps=sheet.maps[3:5], localizations=sheet.localizations[:1])
    yield chip.localize(house, "house", truth=(2, 2, 12, 14))
    yield chip.faithfulness(house, "house")
    yield chip.layers_[0]


def of_hint(hint: hx.Hint) -> Iterator[hx.Evidence]:
    found = hint.associations(top=2, images=[world.picture("house")], maps_of=["built"])
    found = replace(found, portraits=smaller(found.portraits))
    yield found
    yield from (found.portraits[0], found.concepts[1], found.qualities[1])
    yield hint.neurons("built", top=1)[0]


def of_chain(chain: hx.Chain) -> Iterator[hx.Evidence]:
    found = chain.explain(world.picture("house"), "house")
    yield from (found, found.root)
    sets = {
        "one": [world.picture("house", seed) for seed in (0, 1)],
        "other": [world.picture("house", 2)],
    }
    yield chain.compare(sets, "house", inferences=True)


def of_additive(explainer: hx.AdditiveExplainer) -> Iterator[hx.Evidence]:
    yield explainer.explain(world.picture("house"), baseline=True)
    report = explainer.report(world.pictures(), seeds=2, progress=False)
    yield from (report, report.ours)


def of_decisions(clf: hx.Classifier) -> Iterator[hx.Evidence]:
    house, trained = world.picture("house", 3), world.trained()
    tree = hx.decompose(trained, house, top_k=2, layers=STAGES)
    yield from (tree, tree.target, tree.provenance)
    yield hx.decompose(clf, house, top_k=1, method="ablation").root.children[0]
    summary = hx.measure_faithfulness(clf, world.pictures(1), progress=False)
    yield from (summary, summary.steps[0])
    yield hx.measure_context(
        clf, world.Labelled(2), level="object", layer="1", top_k=2, own={"beach": "shore"},
        progress=False,
    )  # fmt: skip
    degrees = hx.discriminative_degrees(clf, world.pictures(), top_k=1, progress=False)
    yield from (degrees, degrees.layers[0])


def of_sanity(clf: hx.Classifier, heat: hx.HeatMap) -> Iterator[hx.Evidence]:
    yield hx.insertion_deletion(clf, world.picture("house"), heat, "house", steps=8)
    yield hx.measure_randomisation(clf, world.pictures(1), other=clf, samples=2, progress=False)


def of_attack(clf: hx.Classifier, hint: hx.Hint) -> Iterator[hx.Evidence]:
    view = hx.AttackComparison(
        clf, world.picture("house"), images=world.pictures(), channels=2, top_k=1, hint=hint,
        concept="built",
    )  # fmt: skip
    yield view.evidence
    yield view.over(progress=False)


def of_failure(clf: hx.Classifier) -> Iterator[hx.Evidence]:
    wrong = world.picture("street", world.MISTAKEN)
    view = hx.FailureAnalysis(clf, wrong, "street", data=world.pictures(), channels=1, top_k=1)
    view.cover(np.indices((56, 56)).sum(0) < 40, "blur")
    found = view.evidence
    assert found is not None
    found = replace(
        found,
        exemplars=smaller(found.exemplars),
        labels=tuple(names[:2] for names in found.labels),
    )
    yield from (found, found.occlusion)


def of_filters(clf: hx.Classifier) -> Iterator[hx.Evidence]:
    view = hx.FilterLabeler(clf, world.Labelled(2), "4", parts=world.Labelled(2))
    sheet = replace(view.evidence, portraits=smaller(view.evidence.portraits, 1))
    yield from (sheet, sheet.portraits[0])


def write_engines(folder: Path, clf: hx.Classifier) -> Iterator[hx.Evidence]:
    """Fit and save every engine, and yield the evidence that they and the network give."""
    data = world.pictures()
    chip = hx.Chip(gates_per_image=8).fit(clf, world.pictures(2), progress=False)
    chip.save(folder / "Chip.hx")
    yield from of_chip(chip)
    hint = hx.Hint(layer=["4"], samples=2, vectors=8)
    hint.fit(clf, data, world.HIERARCHY, progress=False).save(folder / "Hint.hx")
    yield from of_hint(hint)
    chain = hx.Chain(levels=world.LEVELS, gates=20, max_concepts=2)
    chain.fit(clf, world.Labelled(), progress=False).save(folder / "Chain.hx")
    yield from of_chain(chain)
    yield from write_explainers(folder, clf)
    yield from of_attack(clf, hint)
    yield from of_sanity(clf, chip.explain(world.picture("house"), "house"))


def write_explainers(folder: Path, clf: hx.Classifier) -> Iterator[hx.Evidence]:
    """One with the usual network, and one with its own, plain distillation and trained heads."""
    data, epochs = world.pictures(), 3
    explainer = hx.AdditiveExplainer(concepts=world.CONCEPTS, epochs=epochs, held_out=0.4)
    explainer.fit(
        clf, data, target="house", checkpoint=folder / "AdditiveRows.hx", progress=False
    ).save(folder / "AdditiveExplainer.hx")
    yield from of_additive(explainer)
    other = hx.AdditiveExplainer(
        concepts=world.Labelled(5), network=one_layer, epochs=epochs, held_out=0.4
    )
    other.fit(clf, data, target="house", progress=False)
    other.explain(world.picture("house"), baseline=True)
    other.save(folder / "AdditiveExplainer_own.hx")


def of_classes(clf: hx.Classifier, chip: hx.Chip) -> Iterator[hx.Evidence]:
    data = world.pictures()
    confusions = hx.measure_confusions(clf, data, chip=chip, top=2, progress=False)
    yield replace(confusions, portraits=smaller(confusions.portraits))
    images = [image for image, _ in data]
    yield chip.class_heatmaps(images, "house", most=4)
    # the last one has no maps: the Chip was not fitted there
    methods = [chip, "Grad-CAM", "guided backpropagation", "gradient", (chip, "3")]
    yield hx.method_grid([(images[0], ["house", "beach"]), images[1]], methods, progress=False)


def of_explainers(clf: hx.Classifier) -> Iterator[tuple[str, hx.Evidence]]:
    """A report with how contributions spread, and what fewer concepts explain, by file name."""
    explainer = hx.AdditiveExplainer(concepts="filters", layer="4", epochs=20, held_out=0.4)
    explainer.fit(clf, world.pictures(6), target="house", progress=False)
    unseen = world.pictures(4)
    yield "AdditiveReport_spread.hx", explainer.report(unseen, seeds=2, progress=False)
    yield "ExplainerCapacity.hx", explainer.capacity(unseen, seeds=2, progress=False)


def of_boxes(clf: hx.Classifier, chip: hx.Chip) -> Iterator[hx.Evidence]:
    """How well two methods find the middle of scenes, which is what their boxes are around."""
    boxes = [(4, 3, 12, 14), (2, 2, 14, 12), [(1, 1, 8, 8), (8, 8, 15, 15)]]
    data = [(image, label, boxes[label]) for image, label in world.pictures(4)]
    methods = {"CHIP": chip, "Grad-CAM": "gradcam", "refined": (chip, "refined")}
    found = hx.measure_localization(methods, data, progress=False)
    assert found.pictured.size == 8
    yield found


def write_expected(folder: Path, kept: dict[str, hx.Evidence]) -> None:
    """Note what each file holds, a line for each."""
    lines = [
        f"{json.dumps(name)}: {json.dumps(facts(kept[name]), ensure_ascii=False)}"
        for name in sorted(kept)
    ]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    (folder / "expected.json").write_text(text, encoding="utf-8")


def write_notebook(folder: Path) -> None:
    """Run the cells in JupyterLab, save with the state of the widgets, leave the bundles out."""
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import FLAGS
    from tests.browser.lab import Lab

    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        lab = Lab(Path(place))
        try:
            lab.wait()
            for file in folder.iterdir():
                shutil.copy(file, lab.root)
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=list(FLAGS)
            )
            notebook = lab.open(browser, list(CELLS))
            notebook.run_all()
            notebook.page.wait_for_timeout(5000)
            found = notebook.save()
        finally:
            lab.stop()
    text = json.dumps(without_bundles(found), ensure_ascii=False, separators=(",", ":"))
    (folder / "notebook.ipynb").write_text(text + "\n", encoding="utf-8")


def without_bundles(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook with the name of each view's bundle where the bundle was."""
    static = Path(hx.__file__).parent / "static"
    names = {file.read_text(encoding="utf-8"): file.name for file in static.glob("*.*")}
    state = notebook["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    for model in state.values():
        for part in ("_esm", "_css"):
            if part in model["state"]:
                model["state"][part] = names[model["state"][part]]
    return notebook


def write_later(folder: Path) -> None:
    """Write evidence of the kinds that came later, from the Chip that was kept."""
    folder.mkdir(parents=True)
    clf = world.classifier()
    chip = hx.Chip.load(Path(__file__).with_name("Chip.hx"), clf)
    made = (*of_classes(clf, chip), *of_boxes(clf, chip))
    kept = {f"{type(one).__name__}.hx": one for one in made} | dict(of_explainers(clf))
    chain = hx.Chain.load(Path(__file__).with_name("Chain.hx"), clf)
    kept["ConceptUnits.hx"] = chain.units("house", "object")
    for name, evidence in kept.items():
        hx.save(evidence, folder / name)
    write_expected(folder, kept)


def main(folder: Path) -> None:
    """Write everything; raises FileExistsError where there is something already."""
    folder.mkdir(parents=True)
    clf = world.classifier()
    found = [*write_engines(folder, clf), *of_decisions(clf), *of_failure(clf), *of_filters(clf)]
    LABELS.save(folder / "FilterLabels.json")
    kept = {f"{type(one).__name__}.hx": one for one in found}
    for name, evidence in kept.items():
        hx.save(evidence, folder / name)
    write_expected(folder, kept)
    write_notebook(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
