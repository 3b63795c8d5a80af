"""What a report on context says: its verdicts in sentences, its tables and its legend."""

from __future__ import annotations

import html
from collections.abc import Sequence

from ...evidence import ContextSummary, DegreeSummary, LayerDegrees
from ...pictures.page import percent
from .._shared.markup import scrolling
from .._shared.report import table_of, with_error
from .charts import AROUND, ITSELF, MOST_CLASSES, networks_of

# A degree stands out from chance by more than so many of its errors.
APART = 3


def context_heading(summary: ContextSummary) -> str:
    """Return the head of the part on context, with its verdict in words, as HTML."""
    count = int(summary.images.sum())
    images = "one image" if count == 1 else f"{count} images"
    where = f"{images}, labels of the level {html.escape(summary.level)}, maps at"
    title = f"<h2>What else do decisions rest on? <small>{where} {_layer(summary)}</small></h2>"
    verdict = f"<p role='status'>{context_verdict(summary)}</p>"
    return f"{title}{verdict}{_notes(summary.notes)}{_legend()}{_left_out(summary)}"


def _layer(summary: ContextSummary) -> str:
    return html.escape(summary.layer.name)


def _notes(notes: tuple[str, ...]) -> str:
    return "".join(f"<p class='hx-note'>{html.escape(note)}</p>" for note in notes)


def _left_out(summary: ContextSummary) -> str:
    more = len(summary.classes) - MOST_CLASSES
    if more <= 0:
        return ""
    return f"<p class='hx-note'>The table has {more} more classes, of fewer images.</p>"


def context_verdict(summary: ContextSummary) -> str:
    """Return in a sentence or two what decisions look at, as HTML."""
    said = [_on_itself(summary), _telling(summary)]
    return " ".join(one for one in said if one) or (
        "No map lies on a label more often than it would by chance."
    )


def _on_itself(summary: ContextSummary) -> str:
    shares = summary.on_itself
    if shares is None:
        return "No class has its own object among the labels: all of them are context."
    own, chance = shares
    return (
        f"Of classes with a label of their own, {percent(own)} of the maps lie on the object"
        f" itself (by chance {percent(chance)}), the others on its context."
    )


def _telling(summary: ContextSummary) -> str:
    place = summary.telling()
    if place is None:
        return ""
    c, label = place
    name, around = html.escape(summary.classes[c]), html.escape(summary.labels[label])
    share = percent(float(summary.shares[c, label]))
    chance = percent(float(summary.chance_shares[c, label]))
    return (
        f"Most telling: <b>{name}</b> goes by <b>{around}</b>, {share} of its maps, where chance"
        f" gives {chance}."
    )


def _legend() -> str:
    marks = ((AROUND, "around the object"), (ITSELF, "the object itself"))
    keys = "".join(
        f"<span class='hx-key'><i style='background:{colour}'></i>{name}</span>"
        for colour, name in marks
    )
    return (
        "<p>Share of the maps that lie on a region of each label.</p>"
        f"<p>{keys}<span class='hx-key'><i class='hx-chance'></i>the same maps at random places"
        "</span></p>"
    )


def context_table(summary: ContextSummary) -> str:
    """Return all classes with the labels that their maps lie on, as a table to unfold."""
    heads = ("class", "images", "named by the network", "maps", "itself", "around it (by chance)")
    head = "".join(f"<th scope='col'>{name}</th>" for name in heads)
    rows = "".join(_context_row(summary, c) for c in range(len(summary.classes)))
    found = (
        f"<table class='hx-table hx-context'><thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
        "</table>"
    )
    return f"<details><summary>As numbers</summary>{scrolling(found, 'Numbers')}</details>"


def _context_row(summary: ContextSummary, c: int) -> str:
    def value(label: int) -> str:
        chance = percent(float(summary.chance_shares[c, label]))
        return f"{percent(float(summary.shares[c, label]))} ({chance})"

    own = int(summary.own[c])
    around = ", ".join(
        f"{html.escape(summary.labels[i])} {value(i)}" for i in summary.context(c, 5)
    )
    named = ", ".join(f"{html.escape(name)} {n}" for name, n in summary.namings_of(c).items())
    itself = value(own) if own >= 0 else "–"
    cells = (summary.images[c], named or "–", summary.maps[c], itself, around or "–")
    row = "".join(f"<td>{cell}</td>" for cell in cells)
    return f"<tr><th scope='row'>{html.escape(summary.classes[c])}</th>{row}</tr>"


def degree_heading(summary: DegreeSummary) -> str:
    """Return the head of the part on degrees, with its verdict in words, as HTML."""
    count = int(summary.images.sum())
    images = "one image" if count == 1 else f"{count} images"
    title = "<h2>Do channels belong to one class?"
    facts = f"<small>{images} of {len(summary.classes)} classes</small></h2>"
    verdict = f"<p role='status'>{degree_verdict(summary)}</p>"
    return f"{title} {facts}{verdict}{_notes(summary.notes)}"


def stands_out(one: LayerDegrees) -> bool:
    """Whether a layer's degree is larger than what shuffled classes give."""
    return one.degree - one.chance > APART * max(one.error, one.spread)


def degree_verdict(summary: DegreeSummary) -> str:
    """Return in a sentence where channels belong to classes, as HTML."""
    deepest, shallowest = summary.layers[0], summary.layers[-1]
    apart = [one for one in summary.layers if stands_out(one)]
    if not apart:
        return (
            "Channels belong to single classes no more than they would by chance: more images are"
            " needed, or the layers are shared by all classes."
        )
    said = f"Channels belong to single classes most at {_degree(max(apart, key=_above))}"
    degrees = [one.degree for one in summary.layers]
    grows = degrees == sorted(degrees, reverse=True)
    if deepest is shallowest:
        return f"{said}."
    trend = "grows from layer to layer up" if grows else "does not grow from layer to layer"
    return f"{said}; at {_degree(shallowest)}. The degree {trend}."


def _above(one: LayerDegrees) -> float:
    return one.degree - one.chance


def _degree(one: LayerDegrees) -> str:
    return f"{html.escape(one.layer.name)}: D = {one.degree:.2f} (by chance {one.chance:.2f})"


def degree_table(summary: DegreeSummary) -> str:
    """Return the degrees of every layer as a table, as HTML."""
    heads = ("layer", "D", "classes shuffled", "channels selected")
    head = "".join(f"<th scope='col'>{name}</th>" for name in heads)
    rows = "".join(
        f"<tr><th scope='row'>{html.escape(one.layer.name)}</th>"
        f"<td>{one.degree:.3f} ± {one.error:.3f}</td><td>{one.chance:.3f} ± {one.spread:.3f}</td>"
        f"<td>{len(one.selected)} of {one.counts.shape[1]}</td></tr>"
        for one in summary.layers
    )
    return (
        "<table class='hx-table'><caption>Mean over channels ± its standard error; over shuffles ±"
        " standard deviation</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def networks_heading(summaries: Sequence[DegreeSummary]) -> str:
    """Return the head of the degrees of several networks, a sentence for each, as HTML."""
    said = "".join(
        f"<p role='status'><b>{html.escape(name)}</b>: {degree_verdict(one)}</p>"
        for name, one in zip(networks_of(summaries), summaries, strict=True)
    )
    notes = dict.fromkeys(note for one in summaries for note in one.notes)
    title = "<h2>Do channels belong to one class?"
    return f"{title} <small>{len(summaries)} networks</small></h2>{said}{_notes(tuple(notes))}"


def networks_table(summaries: Sequence[DegreeSummary]) -> str:
    """Return the degrees of every layer of several networks as a table, as HTML."""
    rows = [
        [
            name,
            layer.layer.name,
            with_error(layer.degree, layer.error, 3),
            with_error(layer.chance, layer.spread, 3),
        ]
        for name, one in zip(networks_of(summaries), summaries, strict=True)
        for layer in one.layers
    ]
    return table_of(["network", "layer", "D", "classes shuffled"], rows)
