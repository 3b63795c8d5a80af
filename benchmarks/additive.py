"""Additive explainers against plain distillation: Tables 1-3, Fig. 8, and what caching is worth.

    python benchmarks/additive.py                  # the embedded world
    HEXPLAIN_DATA=... python benchmarks/additive.py --only cars
    python benchmarks/additive.py --quick          # few targets, few images
    python benchmarks/additive.py --only heads --every 1   # every class and concept head
    python benchmarks/additive.py --only paper --keep FOLDER   # ResNet-152 as explainer
    python benchmarks/additive.py --only settings  # the paper's settings for attributes and parts

* parts: filters of a layer, each given to the object part it overlaps most, explain every class.
  *Entropy* in nats of the absolute contributions of all filters, *deviation* from the score as a
  share of the scores' range, *accuracy* with a threshold from held-out images, *part error* against
  ablation as a share of the mean score. `prior alone` is alpha = the prior of each image, scaled to
  the scores; `no start` is ours begun like plain distillation, with the prior in the loss alone.
* heads: concept heads of the network explained by the others, and by random subsets of them. The
  network is asked once for all of them: each target's rows lie in the explainer's cache before.
* cars: car parts on MobileNetV2's vehicle logit.
* speed: an epoch on what was cached, against one that asks the network again.
* settings: five classes explained by filters, with the signed contributions and small beta that the
  paper takes for attributes, with the positive ones and large beta that it takes for parts, and
  with either alone.
* photographs: the same settings on networks of photographs.
* paper: the paper's ResNet-152 against the small network, on 200 scenes, ten epochs, three targets.

Mean over targets of the mean over seeds, ± the standard error over targets.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from shared_heads import Shared

import hexplain_widgets as hx
from hexplain_widgets.additive.distillation import Distillation, small, started
from hexplain_widgets.additive.measures import part_errors, shares_by_ablation
from hexplain_widgets.atlas.gallery import FilterGallery
from hexplain_widgets.evidence import ExplainerQuality
from hexplain_widgets.network.guest import visiting

FIT_SEED, UNSEEN_SEED = 910, 911
SEEDS = 3
SUBSETS = (5, 10, 20, 40, 85)
LAYERS = ("stage5", "stage4")


@dataclass(frozen=True)
class World:
    """The embedded network with scenes to fit on, and unseen ones."""

    classifier: hx.Classifier
    fitted: list[Any]
    unseen: list[Any]
    labelled: Any

    @classmethod
    def of(cls, quick: bool) -> World:
        count = 100 if quick else 600
        return cls(
            hx.demo.classifier(), list(hx.demo.scenes(count, seed=FIT_SEED)),
            list(hx.demo.scenes(count // 3, seed=UNSEEN_SEED)),
            hx.demo.scenes(60 if quick else 200, seed=FIT_SEED).concepts(),
        )  # fmt: skip


def spread(values: Sequence[float]) -> str:
    found = np.array([v for v in values if np.isfinite(v)])
    if len(found) < 2:
        return f"{found.mean():.3f}" if len(found) else "–"
    return f"{found.mean():.3f} ± {found.std(ddof=1) / len(found) ** 0.5:.3f}"


FIGURES = ("entropy", "deviation", "accuracy", "part_error")


def means(quality: ExplainerQuality) -> dict[str, float]:
    found = {n: getattr(quality, n) for n in FIGURES}
    return {n: float(np.mean(v)) if v is not None else float("nan") for n, v in found.items()}


def table(title: str, reports: Sequence[hx.AdditiveReport], *, seeds: int = SEEDS) -> None:
    with_seeds = f"{seeds} seed{'s' if seeds > 1 else ''}"
    print(f"\n{title} ({len(reports)} targets, {reports[0].images} images, {with_seeds})")
    print(f"{'':<20}{'with the prior':<20}{'plain':<20}ours better")
    for name in FIGURES:
        ours = [means(r.ours)[name] for r in reports]
        plain = [means(r.plain)[name] for r in reports]
        higher = name in ("entropy", "accuracy")
        won = sum(a > b if higher else a < b for a, b in zip(ours, plain, strict=True))
        print(f"{name:<20}{spread(ours):<20}{spread(plain):<20}{won} of {len(ours)}")
    print(f"accuracy of the network: {spread([r.performer_accuracy for r in reports])}", flush=True)


# filters of the embedded world


def parts(world: World, quick: bool) -> None:
    for layer in LAYERS[:1] if quick else LAYERS:
        gallery = FilterGallery(layer).fit(world.classifier, world.labelled, progress=False)
        given = gallery.sheet().suggestions()
        count = len(gallery.sheet().portraits)
        names = hx.FilterLabels(layer, count, {k: part for k, (part, _) in given.items()})
        print(f"\n{layer}: {len(given)} of {count} filters, {len(names.parts)} parts", flush=True)
        classes = world.classifier.classes[:2] if quick else world.classifier.classes
        start, reports = time.perf_counter(), []
        rivals: dict[str, list[float]] = {"prior alone": [], "no start": []}
        for target in classes:
            engine = hx.AdditiveExplainer(concepts=names)
            engine.fit(world.classifier, world.fitted, target=target, progress=False)
            reports.append(engine.report(world.unseen, seeds=SEEDS, progress=False))
            for name, found in errors_of_rivals(engine, world.unseen).items():
                rivals[name].append(found)
        table(f"{layer}, parts", reports)
        for name, found in rivals.items():
            print(f"part error, {name}: {spread(found)}")
        print(f"{time.perf_counter() - start:.0f} s", flush=True)


def errors_of_rivals(engine: hx.AdditiveExplainer, images: Sequence[Any]) -> dict[str, float]:
    """Part errors of the prior itself, and of ours without its start."""
    from hexplain_widgets.additive.distillation import explained_by
    from hexplain_widgets.additive.report import scores_without_each
    from hexplain_widgets.fitting.passes import Pass

    fit = engine._fitting
    plan = engine._plan(engine.target_, engine._source)
    unseen: Pass = Pass(plan, engine.classifier_, None, begun=lambda _: None)
    unseen.run(images, progress=False)
    rows = unseen.statistics
    groups = fit.elements.groups()
    without = scores_without_each(engine._score_extractor, engine.classifier_, images, rows, groups)
    examples = fit.of_rows(rows)
    truth = shares_by_ablation(examples.scores, without)
    own = fit.examples
    sums = (own.priors * own.strengths).sum(1)
    factor = np.cov(sums, own.scores, bias=True)[0, 1] / sums.var()
    first = factor * examples.priors * examples.strengths
    plain = started(small, own, replace(fit.schedule, beta=0.0))
    late = Distillation(plain, own, fit.schedule, torch.device("cpu"))
    late.run(progress=False)
    second, _ = explained_by(
        late.explainer, examples, np.arange(len(examples.scores)), torch.device("cpu")
    )
    return {
        name: float(part_errors(fit.elements.summed(c), truth, examples.scores).mean())
        for name, c in (("prior alone", first), ("no start", second))
    }


# heads of the embedded world


def reported(
    world: World, shared: Shared, target: str, chosen: tuple[str, ...] | None = None
) -> hx.AdditiveReport:
    """Return the report of a target explained by heads, on what was asked before."""
    with tempfile.TemporaryDirectory() as folder:
        shared.keep(target, chosen, folder)
        concepts = "heads" if chosen is None else list(chosen)
        engine = hx.AdditiveExplainer(concepts=concepts, cache=folder)
        engine.fit(world.classifier, world.fitted, target=target, progress=False)
        return engine.report(world.unseen, seeds=1, progress=False)


def heads(world: World, quick: bool, every: int) -> None:
    start, step = time.perf_counter(), every * (2 if quick else 1)
    shared = Shared.of(world.classifier, [*world.fitted, *world.unseen])
    print(f"\n{len(shared.keys)} images asked: {time.perf_counter() - start:.0f} s", flush=True)
    reports = []
    for target in shared.names[::step]:
        reports.append(reported(world, shared, target))
        ours, plain = means(reports[-1].ours), means(reports[-1].plain)
        told = "   ".join(f"{n} {ours[n]:.3f} ({plain[n]:.3f})" for n in FIGURES[:3])
        print(f"  {target:<28}{told}", flush=True)
    which = "all classes and concept heads" if step == 1 else f"each {step}th class or concept head"
    table(f"{which}, by all other heads", reports, seeds=1)
    print(f"{time.perf_counter() - start:.0f} s", flush=True)
    subsets(world, shared, quick)


def subsets(world: World, shared: Shared, quick: bool) -> None:
    """Fig. 8: random subsets of concepts."""
    names = np.array(world.classifier.model.concept_names)
    draw = np.random.default_rng(0)
    print("\nrandom subsets of heads: deviation and accuracy lost (points)")
    for count in SUBSETS[:2] if quick else SUBSETS:
        deviations, lost = [], []
        for target in world.classifier.classes[: 3 if quick else 10 : 4]:
            chosen = tuple(draw.choice(names, count, replace=False).tolist())
            report = reported(world, shared, target, chosen)
            deviations.append(means(report.ours)["deviation"])
            lost.append(100 * (report.performer_accuracy - means(report.ours)["accuracy"]))
        print(f"  {count:3} concepts: {spread(deviations)}   {spread(lost)}", flush=True)


# car parts


def cars(quick: bool) -> None:
    data = Path(os.environ["HEXPLAIN_DATA"])
    classifier = mobile(data)
    folder = hx.MaskFolder(data / "car_parts", level="part")
    step = 10 if quick else 1
    pictures = [item.image for i, item in enumerate(folder) if i % step == 0]
    photographs = sorted((data / "imagenet" / "images").iterdir())[:: 50 * step if quick else 3]
    target = most_often(classifier, pictures)
    print(f"\ncar parts: {len(pictures)} cars, {len(photographs)} photographs, {target}")
    for quantile in (0.995, 0.98):
        gallery = FilterGallery("features.17", quantile=quantile)
        sheet = gallery.fit(classifier, folder, progress=False).sheet()
        given = {k: part for k, (part, _) in sheet.suggestions().items()}
        named = hx.FilterLabels("features.17", len(sheet.portraits), given)
        engine = hx.AdditiveExplainer(concepts=named)
        fitted = [p for i, p in enumerate([*pictures, *photographs]) if i % 4]
        unseen = [p for i, p in enumerate([*pictures, *photographs]) if not i % 4]
        engine.fit(classifier, fitted, target=target, progress=False)
        report = engine.report(unseen, seeds=SEEDS, progress=False)
        print(f"\nquantile {quantile}: {len(given)} filters ({sheet.by_chance:.0%} by chance)")
        print(report)
        print("errors: " + ", ".join(
            f"{n} {e:.3f}"
            for n, e in zip(report.names, report.ours.part_error.mean(0), strict=True)
        ), flush=True)  # fmt: skip
        rivals = errors_of_rivals(engine, unseen)
        print("part error, " + ", ".join(f"{n}: {e:.3f}" for n, e in rivals.items()), flush=True)


def mobile(data: Path) -> hx.Classifier:
    from tests.real.cases import CASES, classifier_of

    return classifier_of(next(c for c in CASES if c.name.startswith("Mobile")), data)


def most_often(classifier: hx.Classifier, pictures: Sequence[Any]) -> str:
    found = [classifier.predict(p, top=1)[0][1] for p in pictures]
    return max(set(found), key=found.count)


# speed


def speed(world: World, quick: bool) -> None:
    count = 60 if quick else 200
    drawn = timed(lambda: list(hx.demo.scenes(count, seed=FIT_SEED)))
    timed_epochs("embedded world", world.classifier, world.fitted[:count], None, "house", drawn)
    if "HEXPLAIN_DATA" in os.environ:
        data = Path(os.environ["HEXPLAIN_DATA"])
        files = sorted((data / "imagenet" / "images").iterdir())[: count // 2]
        classifier = mobile(data)
        read = timed(lambda: [classifier.prepare(f) for f in files])
        timed_epochs("MobileNetV2", classifier, files, "features.17", 656, read)


def timed_epochs(
    name: str,
    classifier: hx.Classifier,
    images: Sequence[Any],
    layer: str | None,
    target: int | str,
    read: float,
) -> None:
    """Epochs on cached rows, against asking the network again, `read` seconds for the pictures."""
    engine = hx.AdditiveExplainer(concepts="filters", layer=layer, epochs=5)
    whole = timed(lambda: engine.fit(classifier, images, target=target, progress=False))
    distillation = engine._fitting.distillation()
    cached = min(timed(distillation.epoch) for _ in range(5))
    items = [i[0] if isinstance(i, tuple) else i for i in images]
    prepared = torch.cat([classifier.prepare(item).x for item in items])
    asked = min(timed(lambda: recompute(engine, prepared)) for _ in range(3))
    print(f"\n{name}, {len(images)} images, five epochs with the rows: {whole:.1f} s")
    print(f"  an epoch on cached rows {cached:.3f} s")
    print(f"  asking the network again {asked:.2f} s: an epoch is {asked / cached + 1:.0f} x")
    both = (asked + read) / cached + 1
    print(f"  with the pictures {asked + read:.1f} s: {both:.0f} x", flush=True)


def timed(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def recompute(engine: hx.AdditiveExplainer, prepared: torch.Tensor) -> None:
    """Ask for maps, strengths, priors and scores of all images, as each epoch would."""
    extractor = engine._score_extractor
    with visiting(engine.classifier_.model):
        for x in prepared.split(8):
            extractor.look(x).strengths_and_priors()


# the paper's settings

SETTINGS: dict[str, dict[str, Any]] = {
    "attributes: signed, beta 0.2": {"positive": False, "beta": 0.2},
    "parts: positive, beta 10": {"positive": True, "beta": 10.0},
    "positive, beta 0.2": {"positive": True, "beta": 0.2},
    "signed, beta 10": {"positive": False, "beta": 10.0},
}


def settings(world: World, quick: bool, layers: Sequence[str]) -> None:
    """Entropy, deviation and errors with and without the prior, under each setting."""
    for layer in layers:
        for title, setting in list(SETTINGS.items())[: 2 if quick else None]:
            start, reports = time.perf_counter(), []
            for target in world.classifier.classes[: 1 if quick else 5]:
                engine = hx.AdditiveExplainer(concepts="filters", layer=layer, **setting)
                engine.fit(world.classifier, world.fitted, target=target, progress=False)
                reports.append(engine.report(world.unseen, seeds=1, progress=False))
            table(f"{layer}, {title}", reports, seeds=1)
            print(f"{time.perf_counter() - start:.0f} s", flush=True)


# the paper's network


PAPER: dict[str, dict[str, Any]] = {
    "small, parts": {"positive": True, "beta": 10.0},
    "ResNet-152, parts": {"positive": True, "beta": 10.0, "network": "resnet152"},
    "all of the paper": {"settings": "paper"},
}


def paper(world: World, quick: bool, keep: Path) -> None:
    """Entropy with the paper's ResNet-152 as explainer, in the extent that two cores allow.

    What is measured is kept in a file and not measured again.
    """
    scenes, rest = world.fitted[: 20 if quick else 200], world.unseen[: 20 if quick else 200]
    epochs, targets = (2, 1) if quick else (10, 3)
    for title, setting in PAPER.items():
        for target in world.classifier.classes[:targets]:
            file = keep / f"{title} {target} {len(scenes)} {epochs}.hx"
            if not file.is_file():
                engine = hx.AdditiveExplainer(
                    concepts="filters", layer=LAYERS[0], epochs=epochs, **setting
                )
                engine.fit(world.classifier, scenes, target=target, progress=False)
                hx.save(engine.report(rest, seeds=1, progress=False), file)
        reports = [hx.load(file) for file in sorted(keep.glob(f"{title} *"))]
        table(f"{LAYERS[0]}, {title}: {len(scenes)} scenes, {epochs} epochs", reports, seeds=1)


def photographs(quick: bool) -> None:
    """The settings on a network's strongest class of vehicle, over cars and other photographs."""
    from tests.real.cases import CASES, classifier_of

    data = Path(os.environ["HEXPLAIN_DATA"])
    cars = sorted((data / "car_parts" / "images").iterdir())[:: 40 if quick else 4]
    others = sorted((data / "imagenet" / "images").iterdir())[:: 100 if quick else 10]
    pictures = [*cars, *others]
    fitted = [p for i, p in enumerate(pictures) if i % 4]
    unseen = [p for i, p in enumerate(pictures) if not i % 4]
    for name, layer in (("Squeeze", "features.12"), ("Mobile", "features.17")):
        classifier = classifier_of(next(c for c in CASES if c.name.startswith(name)), data)
        target = most_often(classifier, cars)
        for title, setting in SETTINGS.items():
            engine = hx.AdditiveExplainer(concepts="filters", layer=layer, **setting)
            engine.fit(classifier, fitted, target=target, progress=False)
            report = engine.report(unseen, seeds=SEEDS, progress=False)
            table(f"{name}, {layer}, {target}: {title}, {len(fitted)} to fit on", [report])


def steps(
    every: int, layers: Sequence[str], keep: Path
) -> dict[str, Callable[[World, bool], None]]:
    return {
        "parts": parts,
        "heads": partial(heads, every=every),
        "speed": speed,
        "settings": partial(settings, layers=layers),
        "paper": partial(paper, keep=keep),
    }


# What runs only when it is named, or has no embedded world.
NAMED, APART = ("settings", "paper"), {"cars": cars, "photographs": photographs}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few targets, few images")
    parser.add_argument("--only", choices=(*steps(1, LAYERS, Path()), *APART))
    parser.add_argument("--every", type=int, default=12, help="of which targets --only heads takes")
    parser.add_argument("--layers", nargs="*", default=LAYERS, help="of which --only settings asks")
    parser.add_argument("--keep", type=Path, help="a folder for what --only paper has measured")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    keep = given.keep or Path(tempfile.mkdtemp())
    keep.mkdir(parents=True, exist_ok=True)
    if given.only not in APART:
        world = World.of(given.quick)
        for name, step in steps(given.every, given.layers, keep).items():
            if given.only == name or (given.only is None and name not in NAMED):
                step(world, given.quick)
    for name, measure in APART.items():
        if given.only == name or (given.only is None and "HEXPLAIN_DATA" in os.environ):
            measure(given.quick)
    print(f"\n{time.perf_counter() - start:.0f} s, torch {torch.__version__}")


if __name__ == "__main__":
    main()
