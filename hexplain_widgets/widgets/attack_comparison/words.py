"""What a comparison before and after an attack says: sentences, and parts of a page."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, UInt8
from scipy.special import expit

from ...evidence import AttackedDecision, AttackedSet, HeatMap, Prediction
from ...pictures.heat import concept_pictures
from ...pictures.page import number, percent
from .._shared.agreement import Check, Wording
from .._shared.markup import SOFT, TEXT, figure
from .._shared.pages import STYLE

MOST_MAGNIFIED = 1000
TRUST = Wording("the order of the compared channels")
MOST = 118  # pixels of a picture: images and peaks stand together on a laptop's page
_WRAPPED = "text-align: left; overflow-wrap: anywhere; min-width: 8em"
_ROW = "display: flex; flex-wrap: wrap; gap: 16px; padding: 8px 0"


def magnified(
    change: Float[np.ndarray, "h w 3"],
) -> tuple[UInt8[np.ndarray, "h w 3"], int]:
    """Return a change as a picture around grey, and how many times it is magnified.

    The largest change of a pixel comes close to black or white; at most 1000 times.
    """
    largest = float(np.abs(change).max(initial=0))
    factor = MOST_MAGNIFIED if largest * MOST_MAGNIFIED <= 0.5 else max(1, int(0.5 / largest))
    picture = np.clip(np.rint(127.5 + 255 * factor * change), 0, 255)
    return picture.astype(np.uint8), factor


def outcome(evidence: AttackedDecision) -> str:
    """Return in one sentence what the image is named before and after."""
    before, after = evidence.before.target, evidence.after.target
    goal = evidence.goal[-1] if evidence.goal else None
    if before.index == after.index:
        aim = "" if goal is None or goal.index == after.index else f", not {goal.name}"
        return (
            f"The attack did not come through: the image is still named {after.name}{aim}"
            f" ({percent(before.probability)} before, {percent(after.probability)} after)."
        )
    named = (
        f"Named {before.name} ({percent(before.probability)}) before, {after.name}"
        f" ({percent(after.probability)}) after the attack"
    )
    if evidence.came_through or goal is None:
        return f"{named}."
    return f"The attack did not reach {goal.name} ({percent(goal.probability)} after). {named}."


def trust(before: Check | None, after: Check | None) -> tuple[Check | None, Wording]:
    """Return the check of the image whose tree agrees less with ablation, and what it speaks of.

    Nothing is said of both as long as one of them is not known.
    """
    if before is None or after is None:
        return None, TRUST
    each = (("Original", before), ("Adversarial", after))
    name, lower = min(each, key=lambda one: 2.0 if one[1]["r"] is None else one[1]["r"])
    return lower, replace(TRUST, subject=f"{name}, the lower of both")


def pairs(evidence: AttackedDecision) -> tuple[tuple[str, float, float], ...]:
    """Return the compared classes, each with its probability before and after."""
    rows = zip(evidence.classes, *evidence.probabilities, strict=True)
    return tuple((name, float(before), float(after)) for name, before, after in rows)


def size_words(evidence: AttackedDecision) -> str:
    """Return in one sentence how large the change is."""
    largest = _of_255(evidence.largest)
    if evidence.size == 0:
        return "Nothing was changed."
    if evidence.norm == "linf":
        return f"Changed by at most {_of_255(evidence.size)} of a pixel's range."
    return (
        f"The change is {number(evidence.size)} long (L2, pixels from 0 to 1): at most {largest} of"
        " a pixel's range."
    )


def attack_words(evidence: AttackedDecision | AttackedSet) -> str:
    """Return in one sentence how the images were attacked."""
    settings = evidence.provenance.settings
    name, budget = settings.get("attack", "given"), settings.get("budget")
    if not isinstance(budget, float):
        return "The attack was given." if name == "given" else f"The attack is {name}."
    bound = (
        f"{_of_255(budget)} of each pixel" if evidence.norm == "linf" else f"{number(budget)} (L2)"
    )
    return (
        f"{name}, budget {bound}, {settings.get('steps')} steps,"
        f" seed {evidence.provenance.seed}{_aim(evidence)}."
    )


def _aim(evidence: AttackedDecision | AttackedSet) -> str:
    goal = evidence.provenance.settings.get("target")
    if isinstance(goal, int) and (isinstance(evidence, AttackedSet) or evidence.goal):
        named = (
            evidence.classes[goal] if isinstance(evidence, AttackedSet) else evidence.goal[-1].name
        )
        return f", towards {named}"
    away = "its class" if isinstance(evidence, AttackedSet) else evidence.before.target.name
    return f", away from {away}"


def _of_255(size: float) -> str:
    return f"{number(255 * size)}/255"


def peaks_words(name: str, before: float, after: float) -> str:
    """Return how far the mean peak of a class's channels fell or rose."""
    mean = f"mean peak {number(before)} before, {number(after)} after"
    if before <= 0 or before == after:
        return f"{name}: {mean}"
    verb = "falls" if after < before else "rises"
    return f"{name}: {mean}: {verb} by {percent(abs(after - before) / before)}"


def set_words(evidence: AttackedSet) -> str:
    """Return over how many images the figures are, and how many were left out."""
    if not evidence.images:
        return "No image was attacked."
    through = len(evidence.peaks)
    images = f"{evidence.images} image{'s' if evidence.images != 1 else ''}"
    if not through:
        return f"The attack came through in none of {images}: there are no peaks to compare."
    left = (
        "all of them are counted"
        if not evidence.withstood
        else f"{evidence.withstood} withstood and"
        f" {'is' if evidence.withstood == 1 else 'are'} left out"
    )
    return f"The attack came through in {through} of {images}; {left}."


# parts of a page
def header(evidence: AttackedDecision) -> str:
    """Return the head of the view: what was named, how large the change is."""
    how = f"{size_words(evidence)} {attack_words(evidence)}"
    said = "<br>".join(map(html.escape, (how, *evidence.notes)))
    weight = "600" if evidence.came_through else "400"
    return (
        f"{STYLE}<div style='{TEXT}'>"
        f"<div role='status' style='font-size: 18px; font-weight: {weight}'>"
        f"{html.escape(outcome(evidence))}</div><div style='{SOFT}'>{said}</div></div>"
    )


def images_part(evidence: AttackedDecision) -> str:
    """Return three pictures, before, after and the change, and the classes' probabilities."""
    before, after = evidence.before.target, evidence.after.target
    change, factor = magnified(evidence.change)
    pictures = (
        figure(evidence.before.image, _named("Original", before), f"original: {before.name}", MOST),
        figure(
            evidence.after.image, _named("Adversarial", after), f"adversarial: {after.name}", MOST
        ),
        figure(
            change,
            f"<b>Change × {factor}</b><br><span style='{SOFT}'>grey is no change</span>",
            f"the change, magnified {factor} times",
            MOST,
        ),
    )
    return (
        f"<div style='{TEXT}'><div style='{_ROW}'>{''.join(pictures)}{_bars(evidence)}</div></div>"
    )


def _named(what: str, prediction: Prediction) -> str:
    return (
        f"<b>{what}</b><br>{html.escape(prediction.name)}"
        f" <span style='{SOFT}; white-space: nowrap'>{percent(prediction.probability)}</span>"
    )


def _bars(evidence: AttackedDecision) -> str:
    """The probability of each compared class in both images."""
    rows = "".join(
        f"<tr><th scope='row' style='{_WRAPPED}'>{html.escape(name)}"
        f"</th>{_share(before)}{_share(after)}</tr>"
        for name, before, after in _with_goal(evidence)
    )
    return (
        "<table style='align-self: flex-start; border-spacing: 10px 4px; flex: 1 1 260px;"
        " max-width: 420px'><tr><td></td><th scope='col' style='text-align: left'>original</th>"
        f"<th scope='col' style='text-align: left'>adversarial</th></tr>{rows}</table>"
    )


def _share(probability: float) -> str:
    wide = 100 * min(1.0, max(0.0, probability))
    return (
        f"<td style='width: 28%; min-width: 4.5em'>{percent(probability)}<div style='background:"
        " var(--jp-layout-color2); border-radius: 3px'><div style='background:"
        f" var(--jp-brand-color1); border-radius: 3px; height: 6px; width: {wide:.1f}%'></div>"
        "</div></td>"
    )


def _with_goal(evidence: AttackedDecision) -> list[tuple[str, float, float]]:
    rows = list(pairs(evidence))
    if evidence.goal and evidence.goal[0].name not in evidence.classes:
        before, after = (one.probability for one in evidence.goal)
        rows.append((evidence.goal[0].name, before, after))
    return rows


def concept_words(maps: Sequence[HeatMap]) -> tuple[str, ...]:
    """Return how far a concept's score fell or rose, one sentence each, nothing without two maps.

    Of the strongest place, whose logit is the score of the image, and of the mean place.
    """
    if len(maps) < 2:
        return ()
    strongest, mean = ([float(kind(one.values)) for one in maps[:2]] for kind in (np.max, np.mean))
    before, after = (percent(float(expit(logit))) for logit in strongest)
    return (
        f"At its strongest place the logit {_moved(*strongest)}.",
        f"There it is {before} likely before, {after} after.",
        f"On the mean of all places the logit {_moved(*mean)}.",
    )


def _moved(before: float, after: float) -> str:
    first, last = number(before), number(after)
    if first == last:
        return f"stays at {first}"
    return f"{'falls' if after < before else 'rises'} from {first} to {last}"


def _concept_notes(maps: Sequence[HeatMap]) -> list[str]:
    """What has to be said of maps, of both at once where it is the same."""
    shared = [note for note in maps[0].notes if all(note in one.notes for one in maps)]
    own = [
        f"{what}: {note}"
        for what, one in zip(("Original", "Adversarial"), maps, strict=False)
        for note in one.notes
        if note not in shared
    ]
    return shared + own


def concept_part(evidence: AttackedDecision) -> str:
    """Return HINT's maps of a concept on both images as part of a page, empty without them."""
    if not evidence.concept:
        return ""
    name = html.escape(evidence.concept[0].target)
    words = (" ".join(concept_words(evidence.concept)), *_concept_notes(evidence.concept))
    said = "<br>".join(map(html.escape, words))
    pictures, largest = concept_pictures(evidence.concept)
    parts = []
    for what, one, pixels in zip(
        ("Original", "Adversarial"), evidence.concept, pictures, strict=False
    ):
        strongest = number(float(one.values.max()))
        caption = f"<b>{what}</b><br><span style='{SOFT}'>up to {strongest}</span>"
        parts.append(figure(pixels, caption, f"{what}: where {one.target} is, up to {strongest}"))
    layer = html.escape(evidence.concept[0].layer)
    return (
        f"<div style='{TEXT}'><b>Where HINT sees {name}</b> <span style='{SOFT}'>logit at each"
        f" place of {layer}, warm for and blue against, both on one scale up to ±{number(largest)}"
        f"</span><div>{said}</div><div style='{_ROW}'>{''.join(parts)}</div></div>"
    )


def peaks_table(evidence: AttackedDecision) -> str:
    """Return every channel with its contribution and both peaks as a table."""
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><th scope='row'>#{channel}</th><td>{number(added)}</td>"
        f"<td>{number(before)}</td><td>{number(after)}</td></tr>"
        for c, name in enumerate(evidence.classes)
        for channel, added, before, after in zip(
            evidence.channels[c],
            evidence.contributions[c],
            evidence.peaks[0, c],
            evidence.peaks[1, c],
            strict=True,
        )
    )
    return _table(
        "Peaks as a table", ("class", "channel", "contribution", "original", "adversarial"), rows
    )


def set_table(evidence: AttackedSet) -> str:
    """Return the means with their standard errors as a table, empty without an image."""
    if not len(evidence.peaks):
        return ""
    rows = "".join(
        f"<tr><td>{name}</td><th scope='row'>{rank + 1}</th>"
        f"{_mean(evidence, 0, c, rank)}{_mean(evidence, 1, c, rank)}</tr>"
        for c, name in enumerate(("class before", "class after"))
        for rank in range(evidence.peaks.shape[3])
    )
    return _table("Means as a table", ("", "rank", "original", "adversarial"), rows)


def _mean(evidence: AttackedSet, image: int, c: int, rank: int) -> str:
    error = evidence.errors[image, c, rank]
    spread = "" if np.isnan(error) else f" ± {number(error, 2)}"
    return f"<td>{number(evidence.means[image, c, rank])}{spread}</td>"


def _table(title: str, heads: tuple[str, ...], rows: str) -> str:
    columns = "".join(f"<th scope='col' style='padding-right: 16px'>{head}</th>" for head in heads)
    return (
        f"<details style='{TEXT}'><summary>{title}</summary>"
        f"<table style='text-align: left'><tr>{columns}</tr>{rows}</table></details>"
    )
