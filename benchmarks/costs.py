"""What every view and every long call costs: processor seconds, by image where images add up.

    HEXPLAIN_DATA=... OMP_NUM_THREADS=1 python benchmarks/costs.py    # MobileNetV2, photographs
    OMP_NUM_THREADS=1 python benchmarks/costs.py                      # the embedded world
    ... costs.py --only Chain ConceptTree                             # what these names begin with

Photographs are 225 x 225, cars with labelled parts where masks are needed: CHAIN goes from the
output to car parts at features.14.conv.0, and in the embedded world, at 96 x 96, through all five
levels. A fit that a view needs is counted apart, `images` are those that the seconds are of, and a
view that asks the network for none of them has none. On an idle machine with two threads a call
takes between half and all of these seconds.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any

import ipywidgets
from inference_agreement import LAYERS, Some
from pictures import photographed

sys.path.insert(0, str(Path(__file__).parents[1]))

import hexplain_widgets as hx

# Images of a fit that is only counted by image, and of a view over several.
FITTED, SHOWN = 8, 4


@dataclass(frozen=True)
class Row:
    """A call with its name; seconds of `images` are divided by them where there are several.

    `needs` is the fit of the bench that it asks, made before it is timed.
    """

    name: str
    call: Callable[[], object]
    images: int = 1
    needs: str = "classifier"


class Bench:
    """A network with pictures, labelled ones and concepts; its fits are made once."""

    levels: dict[str, str | None] | None = None
    level, target, last = "object", "house", "stage5"
    classifier: hx.Classifier
    pictures: Sequence[Any]
    labels: Sequence[int]
    labelled: Any
    kinds: dict[str, Any]

    @property
    def image(self) -> Any:
        return self.pictures[0]

    @property
    def pairs(self) -> list[tuple[Any, int]]:
        return list(zip(self.pictures, self.labels, strict=True))

    def fit_chip(self, layers: list[str] | None) -> hx.Chip:
        chip = hx.Chip(layers=layers, gates_per_image=100)
        return chip.fit(self.classifier, self.pairs[:FITTED], progress=False)

    @cached_property
    def chip(self) -> hx.Chip:
        return self.fit_chip([self.last])

    def fit_hint(self) -> hx.Hint:
        return hx.Hint().fit(self.classifier, self.pairs, self.kinds, progress=False)

    @cached_property
    def hint(self) -> hx.Hint:
        return self.fit_hint()

    def fit_chain(self) -> hx.Chain:
        chain = hx.Chain(levels=self.levels)
        return chain.fit(self.classifier, self.labelled, progress=False)

    @cached_property
    def chain(self) -> hx.Chain:
        return self.fit_chain()

    @property
    def objects(self) -> list[Any]:
        return [item.image for item in islice(self.labelled, 2 * SHOWN)]

    @cached_property
    def name(self) -> int:
        """The class that the first labelled picture is given."""
        return int(self.classifier.logits(self.classifier.prepare(self.objects[0]).x)[0].argmax())

    def compare(self) -> hx.InferenceComparison:
        some = self.objects
        sets = {"a": some[:SHOWN], "b": some[SHOWN:]}
        return self.chain.compare(sets, concept=self.classifier.name(self.name))

    def fit_additive(self) -> hx.AdditiveExplainer:
        explainer = hx.AdditiveExplainer(concepts="filters", epochs=5)
        return explainer.fit(self.classifier, self.pairs, target=self.target, progress=False)

    @cached_property
    def additive(self) -> hx.AdditiveExplainer:
        return self.fit_additive()


class World(Bench):
    """The embedded world."""

    def __init__(self) -> None:
        scenes = hx.demo.scenes(32, seed=0)
        self.classifier, self.labelled = hx.demo.classifier(), scenes.concepts()
        self.pictures, self.labels = zip(*(scenes[i] for i in range(32)), strict=True)
        names = self.classifier.classes or ()
        self.kinds = {"built": list(names[:5]), "open": list(names[5:])}


class Photographs(Bench):
    """MobileNetV2, photographs of dogs and birds, cars with labelled parts."""

    level, target, last = "part", "minivan", "features.18"

    def __init__(self, data: Path) -> None:
        self.classifier = next(n for n in photographed(data) if n.name == "MobileNetV2").classifier
        files = sorted((data / "imagenet" / "images").iterdir())
        self.pictures, self.labels = files[195:227], range(195, 227)
        folder = hx.MaskFolder(data / "car_parts", level="part")
        self.labelled = Some(folder, list(islice(folder, 32)))
        names = [self.classifier.name(i) for i in range(227)]
        self.kinds = {"dog": names[195:211], "hound": names[211:227]}
        self.levels = {"scene": None, "part": LAYERS["MobileNetV2"]}


def rows(at: Bench) -> Iterator[Row]:
    """Every view, and every call that takes long, with what it needs made before."""
    clf, image = at.classifier, at.image
    yield Row("DecompositionTree", lambda: hx.DecompositionTree(clf, image))
    yield Row("DecompositionTree, exact", lambda: hx.decompose(clf, image, method="ablation"))
    yield from of_chip(at)
    yield from of_methods(at)
    yield from of_hint(at)
    yield from of_chain(at)
    yield Row("AdditiveExplainer.fit", at.fit_additive, len(at.pictures))
    yield Row(
        "ContributionReport",
        lambda: hx.ContributionReport(at.additive, at.pictures[:SHOWN]),
        SHOWN,
        "additive",
    )
    yield Row(
        "FilterLabeler",
        lambda: hx.FilterLabeler(clf, at.pictures, at.last),
        len(at.pictures),
    )
    yield from of_diagnosis(at)


def of_chip(at: Bench) -> Iterator[Row]:
    one, every = partial(at.fit_chip, [at.last]), partial(at.fit_chip, None)
    name = str(at.classifier.name(at.labels[0]))
    yield Row("Chip.fit, the last layer, 100 gates", one, FITTED)
    yield Row("Chip.fit, layers=None, 100 gates", every, FITTED)
    classes = [at.classifier.name(i) for i in range(3)]
    views = {
        "ChannelBars": lambda: hx.ChannelBars(at.chip, name),
        "ChannelMatrix": lambda: hx.ChannelMatrix(at.chip),
        "LayerHeatmaps": lambda: hx.LayerHeatmaps(at.chip, at.image),
        "ContactSheet": lambda: hx.ContactSheet(at.chip, [at.image], name),
        "ChannelVenn": lambda: hx.ChannelVenn(at.chip, classes=classes, image=at.image),
    }
    yield from (Row(view, call, needs="chip") for view, call in views.items())


def of_methods(at: Bench) -> Iterator[Row]:
    """A map of each method; LIME with a tenth of its images, which is a tenth of its seconds."""
    some = at.pictures[:SHOWN]
    for name in ("Grad-CAM", "guided backpropagation", "Guided Grad-CAM", "gradient"):
        grid = partial(hx.MethodGrid, some, name, model=at.classifier, progress=False)
        yield Row(f"MethodGrid, {name}", grid, SHOWN)
    lime = partial(hx.MethodGrid, some[0], hx.Lime(samples=100), model=at.classifier)
    yield Row("MethodGrid, LIME, 100 images", lime)
    yield Row("MethodGrid, CHIP", lambda: hx.MethodGrid(some, at.chip), SHOWN, "chip")


def of_hint(at: Bench) -> Iterator[Row]:
    yield Row("Hint.fit", at.fit_hint, len(at.pictures))
    yield Row("hint.concepts", lambda: at.hint.concepts(25), needs="hint")
    graph = partial(hx.NeuronConceptGraph, images=[at.image])
    yield Row("NeuronConceptGraph", lambda: graph(at.hint), needs="hint")


def of_chain(at: Bench) -> Iterator[Row]:
    yield Row("Chain.fit", at.fit_chain, len(at.labelled))
    yield Row("harmonising, once", lambda: at.chain.harmonized_, needs="chain")
    yield Row("ConceptTree", lambda: hx.ConceptTree(at.chain, at.objects[0]), needs="chain")
    some = at.objects[1 : 1 + SHOWN]
    yield Row("ConceptSunburst", lambda: hx.ConceptSunburst(at.chain, some), SHOWN, "chain")
    yield Row("chain.compare", at.compare, 2 * SHOWN, "chain")


def of_diagnosis(at: Bench) -> Iterator[Row]:
    clf, image, some = at.classifier, at.image, at.pictures[:SHOWN]
    other = str(clf.name(at.labels[-1]))
    yield Row("FailureAnalysis", lambda: hx.FailureAnalysis(clf, image, true=other))
    yield Row("AttackComparison", lambda: hx.AttackComparison(clf, image))
    items = Some(at.labelled, list(islice(at.labelled, SHOWN)))
    told = {"level": at.level, "progress": False}
    yield Row("ContextReport", lambda: hx.ContextReport(clf, items, **told), SHOWN)
    whole = [(picture, label, (0, 0, 100, 100)) for picture, label in at.pairs[:SHOWN]]
    report = partial(hx.LocalizationReport, data=whole, calibration=0.5, progress=False)
    yield Row("LocalizationReport", lambda: report(at.chip), SHOWN, "chip")
    yield Row("FaithfulnessReport", lambda: hx.FaithfulnessReport(clf, some), SHOWN)
    yield Row("RandomisationReport", lambda: hx.RandomisationReport(clf, some[:1]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=[""], help="what names begin with")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    data = os.environ.get("HEXPLAIN_DATA")
    at = World() if data is None else Photographs(Path(data))
    hx.decompose(at.classifier, at.image)
    print(f"{'':38} {'seconds':>9} {'images':>7} {'an image':>9}")
    for row in rows(at):
        if row.name.startswith(tuple(asked.only)):
            getattr(at, row.needs)
            taken = processor_seconds(row.call)
            print(
                f"{row.name:38} {taken:9.2f} {row.images:7} {taken / row.images:9.2f}", flush=True
            )


def processor_seconds(call: Callable[[], object]) -> float:
    """Processor seconds of a call, on one thread: what a view goes on with is not waited for."""
    start = time.thread_time()
    made = call()
    taken = time.thread_time() - start
    if isinstance(made, ipywidgets.Widget):
        made.close()
    return taken


if __name__ == "__main__":
    main()
