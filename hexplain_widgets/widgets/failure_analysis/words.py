"""What an analysis of a failure says in words."""

from __future__ import annotations

import html
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from ...evidence import Failure, FilterPortrait, HeatMap, Occlusion, Prediction
from ...evidence.faithfulness import faithfulness
from ...pictures.heat import concept_pictures, pale
from ...pictures.page import number, percent
from .._shared.agreement import Wording, faithfulness_fields, sentence, trust_line, weakly
from .._shared.markup import SOFT, TEXT, figure, scrolling
from .._shared.pages import STYLE

# Okabe and Ito's vermilion and blue, told apart by the colour-blind
WRONG, RIGHT = "#d55e00", "#0072b2"
MOST = 100  # pixels of a picture: five stand beside each other on half a laptop's page
TRUST = Wording("the order of these channels")
_ROW = "display: flex; flex-wrap: wrap; gap: 14px; padding: 6px 0"


def outcome(failure: Failure) -> str:
    """Return in one sentence what the image is named, and what it should be."""
    return f"Named {likely(failure.named)}, should be {likely(failure.true)}."


def likely(prediction: Prediction) -> str:
    """Return a class with its probability."""
    return f"{prediction.name} ({percent(prediction.probability)})"


def decides(failure: Failure) -> str:
    """Return in one sentence which channel decides, and how much of the difference is its own."""
    k, named, true = failure.deciding, failure.named, failure.true
    added, other = (float(row[k]) for row in failure.contributions)
    gap = named.logit - true.logit
    part = ""
    if gap > 0:
        share = (added - other) / gap
        much = f"{percent(share)} of the" if share <= 1 else "more than the whole"
        part = f", {much} difference of {number(gap)}"
    return (
        f"Channel {k} of {layer(failure)} decides most: it adds {signed(added)} to the logit of"
        f" {named.name} and {signed(other)} to that of {true.name}{part}."
    )


def removed(failure: Failure) -> str:
    """Return in a sentence or two what is named without the deciding channel, or without more."""
    alone, count = failure.alone[0], len(failure.channels)
    if alone.index == failure.true.index:
        return f"Without channel {failure.deciding} the network names {likely(alone)}."
    first = f"Without it alone the network names {likely(alone)}"
    if failure.enough is not None:
        last = failure.together[failure.enough - 1]
        return f"{first}, without the first {failure.enough} of these channels {likely(last)}."
    last = failure.together[-1]
    if count == 1:
        return f"{first}."
    return f"{first}, without all {count} of these channels {likely(last)}: many decide together."


def layer(failure: Failure) -> str:
    """Return what the layer is called in a sentence."""
    name = failure.layer.name
    return f"layer {name}" if name.isdecimal() else name


def agreement(failure: Failure) -> str:
    """Return in one sentence how far the contributions agree with removing every channel."""
    return sentence(_check(failure), TRUST)


def _check(failure: Failure) -> dict[str, Any]:
    lost = failure.drops[0] - failure.drops[1]
    return faithfulness_fields(faithfulness(failure.differences, lost), "what each adds")


def signed(value: float) -> str:
    """Return a number with its sign, to three figures.

    >>> signed(-0.25)
    '−0.25'
    """
    return f"{value:+.3g}".replace("-", "−") if value else "0"


def covered(occlusion: Occlusion) -> str:
    """Return in few words what is named with a region covered."""
    return f"{percent(occlusion.share)} covered: {likely(occlusion.named)}"


def rightly(named: Prediction, runner_up: Prediction | None) -> str:
    """Return in words that there is no failure, and what may be looked at instead."""
    said = f"The image is named {likely(named)}, as it should be: there is no failure to analyse."
    if runner_up is None:
        return said
    return (
        f"{said} The runner-up is {likely(runner_up)}: compare with it as the true class, or cover"
        " parts of the image."
    )


# parts of a page


def head(failure: Failure) -> str:
    """Return the head of the view: what is named, which channel decides, what else is to know."""
    said = f"<div>{html.escape(f'{decides(failure)} {removed(failure)}')}</div>"
    notes = "".join(f"<div style='{SOFT}'>{html.escape(line)}</div>" for line in failure.notes)
    return (
        f"{STYLE}<div style='{TEXT}'><div role='status' style='font-size: 18px; font-weight: 600'>"
        f"{html.escape(outcome(failure))}</div>{trust_line(_check(failure), TRUST)}{said}{notes}"
        "</div>"
    )


def nothing_wrong(
    picture: UInt8[np.ndarray, "h w 3"], named: Prediction, runner_up: Prediction | None
) -> str:
    """Return what stands above an image that is classified rightly, itself where none is below."""
    said = html.escape(rightly(named, runner_up))
    shown = figure(picture, html.escape(likely(named)), f"the image, named {named.name}")
    below = "" if runner_up is not None else f"<div style='{_ROW}'>{shown}</div>"
    return (
        f"<div style='{TEXT}'><div role='status' style='font-size: 16px'>{said}</div>{below}</div>"
    )


def no_tree(failure: Failure) -> str:
    """Return what stands in the place of the right class's tree where there is none."""
    why = (
        f"The logit of {failure.true.name} is {failure.true.logit:.2f}: only a decision in favour"
        " can be taken apart. The bars above say all the same what each channel adds to it."
    )
    return (
        f"<p style='{TEXT}; margin: 0; padding: 16px; border: 1px dashed var(--jp-border-color1);"
        f" border-radius: 6px'>{html.escape(why)}</p>"
    )


def table(failure: Failure) -> str:
    """Return the channels with contributions, removals and what is named without them."""
    named, true = html.escape(failure.named.name), html.escape(failure.true.name)
    names = ["channel", f"to {named}", f"to {true}", "difference", f"{named} falls"]
    names += [f"{true} falls", "named without it", "without it and those above"]
    columns = "".join(f"<th scope='col' style='padding-right: 20px'>{name}</th>" for name in names)
    rows = "".join(_row(failure, i) for i in range(len(failure.channels)))
    found = (
        "<table style='text-align: left; white-space: nowrap;"
        " border-spacing: 0 2px; font-variant-numeric: tabular-nums'>"
        f"<tr>{columns}</tr>{rows}</table>"
    )
    return (
        f"<details style='{TEXT}'><summary>Channels as a table, with what removing them does"
        f"</summary>{scrolling(found, 'Channels')}</details>"
    )


def _row(failure: Failure, i: int) -> str:
    k = int(failure.channels[i])
    pair = (*failure.contributions[:, k], failure.differences[k], *failure.drops[:, k])
    numbers = "".join(f"<td>{signed(float(value))}</td>" for value in pair)
    names = "".join(
        f"<td>{html.escape(likely(one))}</td>" for one in (failure.alone[i], failure.together[i])
    )
    return f"<tr><th scope='row'>#{k}</th>{numbers}{names}</tr>"


def channel_part(failure: Failure, i: int) -> str:
    """Return one channel: where it is active in the image, and the images that excite it most."""
    k, name = int(failure.channels[i]), html.escape(failure.named.name)
    strongest = float(failure.maps[i].max())
    weak = weakly(strongest, float(failure.maps.max()))
    below = f"up to {number(strongest)}" + (f"<br>{weak}" if weak else "")
    own = figure(
        own_map(failure, i),
        f"<b>In this image</b><br><span style='{SOFT}'>{below}</span>",
        f"where channel {k} is active in this image, up to {number(strongest)}",
        MOST,
    )
    said = f"{signed(float(failure.differences[k]))} for {name}"
    alone = f"without it: {html.escape(likely(failure.alone[i]))}"
    return (
        f"<div style='{TEXT}'><b>Channel {k} of {html.escape(layer(failure))}</b>"
        f" <span style='{SOFT}'>{said}, {alone}</span>"
        f"<div style='{_ROW}'>{own}{_exemplars(failure, i)}</div></div>"
    )


def own_map(failure: Failure, i: int) -> UInt8[np.ndarray, "h w 3"]:
    """Return a channel's own map over the image."""
    name, values = f"channel {int(failure.channels[i])}", failure.maps[i]
    where = failure.layer.name
    one = HeatMap(values, where, name, "activation", failure.image, failure.provenance)
    (picture,), _ = concept_pictures((one,))
    return picture


def _exemplars(failure: Failure, i: int) -> str:
    k = int(failure.channels[i])
    if not failure.exemplars:
        return _said(
            f"Which images excite channel {k} most? Pass a data set or a list of images:"
            " FailureAnalysis(model, image, true=…, data=images)."
        )
    portrait, labels = failure.exemplars[i], failure.labels[i]
    if not len(portrait.images):
        return _said(f"Channel {k} has one value at all places of all images of the data.")
    shown = (
        figure(
            region(portrait, j),
            f"{html.escape(labels[j] or 'no label')}<br><span style='{SOFT}'>"
            f"{number(portrait.values[j])}</span>",
            f"{labels[j] or 'an image'}, in which channel {k} reaches {number(portrait.values[j])}",
            MOST,
        )
        for j in range(len(portrait.images))
    )
    rule = "<div style='flex: none; width: 1px; background: var(--jp-border-color2)'></div>"
    return rule + "".join(shown) + (_said(portrait.ranking) if portrait.ranking else "")


def _said(words: str) -> str:
    return (
        f"<p style='{SOFT}; margin: 0; flex: 1 1 240px; max-width: 420px'>{html.escape(words)}</p>"
    )


def region(portrait: FilterPortrait, j: int) -> UInt8[np.ndarray, "h w 3"]:
    """Return an image that excites a channel, pale where the channel is not strong."""
    picture, inside = portrait.images[j], portrait.masks[j]
    shown = np.where(inside[..., None], picture, pale(picture) // 2 + 110).astype(np.uint8)
    larger = Image.fromarray(shown).resize((160, 160), Image.Resampling.BICUBIC)
    return np.asarray(larger)
