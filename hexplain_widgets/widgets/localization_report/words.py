"""What a report on localisation says: its verdict in a sentence, and the figures in it."""

from __future__ import annotations

from math import floor

import numpy as np

from ...evidence import LocalizationSummary
from ...evidence.localization import MEASURES

FOUND = MEASURES.index("IoU > 0.5")
# Images below which methods are not told apart, and errors that a difference has to exceed.
FEW, SURE = 10, 2.0


def verdict(summary: LocalizationSummary) -> str:
    """Return in a sentence how often the first method finds its things, and what others do."""
    rows = _answering(summary)
    own = [m for m in rows if not summary.simple[m]]
    if not own:
        return "No method has an answer on this network: see the reasons in the table."
    first = next((m for m in own if m != summary.reference), own[0])
    simple = [m for m in rows if summary.simple[m]]
    said = f"{summary.methods[first]} finds {_share(summary, first)} of the {things(summary)}"
    if first != summary.reference and summary.reference in rows:
        said += f", {_against(summary, first, summary.reference)}"
    if simple:
        best = max(simple, key=lambda m: float(summary.figures[m, FOUND, 0]))
        said += f"; {_beside(summary, first, best)}"
    return f"{said}.{_few(summary)}"


def _answering(summary: LocalizationSummary) -> list[int]:
    return [m for m in range(len(summary.methods)) if summary.answered[m].any()]


def things(summary: LocalizationSummary) -> str:
    """Return what the truth is called."""
    if summary.masked.all():
        return "masks"
    return "boxes" if not summary.masked.any() else "boxes and masks"


def _against(summary: LocalizationSummary, first: int, other: int) -> str:
    mean, error = difference(summary, first, other)
    said = f"{summary.methods[other]} {_share(summary, other)}"
    if _few(summary):
        return said
    if not counts(mean, error):
        return f"{said}: no difference that counts"
    more = "more" if mean > 0 else "fewer"
    size = points(abs(mean))
    unit = "point" if size == "1" else "points"
    return f"{said}: {size} {unit} {more} (± {points(error)})"


def _beside(summary: LocalizationSummary, first: int, simple: int) -> str:
    mean, error = difference(summary, first, simple)
    said = f"the {summary.methods[simple]} {_share(summary, simple)}"
    if _few(summary) or (counts(mean, error) and mean > 0):
        return said
    return f"{said}, which is more" if counts(mean, error) else f"{said}: no difference that counts"


def difference(summary: LocalizationSummary, one: int, other: int) -> tuple[float, float]:
    """Return mean and standard error of what one method finds more often than another, paired."""
    both = summary.answered[one] & summary.answered[other]
    values = (summary.values(one) - summary.values(other))[FOUND, both]
    if len(values) < 2:
        return (float(values[0]) if len(values) else 0.0), float("inf")
    return float(values.mean()), float(values.std(ddof=1) / len(values) ** 0.5)


def counts(mean: float, error: float) -> bool:
    """Return whether a difference is more than chance gives, at two standard errors."""
    return abs(mean) > SURE * error


def _share(summary: LocalizationSummary, method: int) -> str:
    mean, error = summary.figures[method, FOUND].tolist()
    said = f"{points(mean)} %"
    return said if np.isnan(error) else f"{said} ± {points(error)}"


def points(share: float) -> str:
    """Return a share in points of a hundred; small ones with a digit behind the point."""
    value = 100 * share
    return str(floor(value + 0.5)) if value >= 0.95 or value == 0 else f"{value:.1f}"


def _few(summary: LocalizationSummary) -> str:
    images = len(summary.places)
    if images >= FEW:
        return ""
    only = "image is" if images == 1 else "images are"
    return f" Only {images} {only} judged: too few to tell methods apart."


def facts(summary: LocalizationSummary) -> str:
    """Return on what the figures rest: network, images, where thresholds come from."""
    drawn = summary.provenance.settings.get("calibration")
    other = "images of another set" if isinstance(drawn, str) else "others"
    area = 100 * float(summary.areas.mean())
    count = len(summary.places)
    images = "1 image" if count == 1 else f"{count} images"
    return (
        f"{images}; thresholds found on {summary.calibrated} {other};"
        f" {things(summary)} cover {area:.0f} % of a picture"
    )
