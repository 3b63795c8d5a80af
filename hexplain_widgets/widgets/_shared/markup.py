"""Parts of a page as markup: pictures under their captions, heads of charts, words of state."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import UInt8

from .payload import picture_bytes

SOFT = "color: var(--jp-ui-font-color2)"
TEXT = "font-size: 14px; line-height: 1.45; color: var(--jp-ui-font-color1)"
_JPEG = b"\xff\xd8"


def figure(pixels: UInt8[np.ndarray, "h w 3"], caption: str, told: str, most: int = 224) -> str:
    """Return a picture with its caption (markup) as part of a page; `told` (text) describes it.

    It is at most so many pixels wide, and fewer where there is less room.
    """
    data = picture_bytes(pixels)
    kind = "jpeg" if data.startswith(_JPEG) else "png"
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    height, width = pixels.shape[:2]
    sharp = "image-rendering: pixelated; " if max(height, width) < 64 else ""
    return (
        f"<figure style='margin: 0; flex: 0 1 {most}px; min-width: min({most}px, 76px);"
        f" max-width: {most}px'>"
        f"<img src='{source}' alt='{html.escape(told, quote=True)}' style='{sharp}display: block;"
        f" width: 100%; height: auto; aspect-ratio: {width} / {height}; margin: 0;"
        " border-radius: 4px'>"
        f"<figcaption style='padding-top: 4px; line-height: 1.35;"
        f" overflow-wrap: anywhere'>{caption}</figcaption></figure>"
    )


def legend(title: str, lines: Mapping[str, str], told: str) -> str:
    """Return the head of a chart: what it shows, the colours of its lines, what it tells."""
    marks = "".join(
        f"<span class='hx-key'><i style='background:{colour}'></i>{html.escape(name)}</span>"
        for name, colour in lines.items()
    )
    return f"<h3>{html.escape(title)}</h3><p class='hx-told'>{told}</p><p>{marks}</p>"


def scrolling(table: str, name: str) -> str:
    """Return a table (markup) that scrolls by keyboard, too, where it is wider than its place."""
    return focusable(table, name, "overflow-x: auto")


def focusable(part: str, name: str, style: str = "") -> str:
    """Return a part of a page (markup) that the keyboard reaches, and that scrolls into sight."""
    return (
        f"<div role='group' tabindex='0' aria-label='{html.escape(name, quote=True)}'"
        f" style='{style}'>{part}</div>"
    )


def alert(text: str) -> str:
    """Return what went wrong as part of a page."""
    return (
        f"<p role='alert' style='margin: 0; color: var(--jp-error-color1)'>{html.escape(text)}</p>"
    )


def status(text: str) -> str:
    """Return what goes on as part of a page."""
    return (
        f"<p role='status' style='margin: 0; color: var(--jp-ui-font-color2)'>{html.escape(text)}"
        "</p>"
    )


def swatches(named: Sequence[tuple[str, str]]) -> str:
    """Return what colours stand for, `(colour, name)` each, as parts of a line of markup."""
    return "".join(
        "<span style='display: inline-flex; align-items: center; gap: 6px'><span style='width:"
        f" 12px; height: 12px; border-radius: 2px; background: {colour}'></span>"
        f"{html.escape(name)}</span>"
        for colour, name in named
    )
