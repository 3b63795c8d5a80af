"""The images of a data set in which each channel is strongest."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from typing import Any, Self

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps

SIDE = 64  # pixels of a thumbnail's side, cut from the middle
EACH = 4  # images kept for a channel
NOBODY = b"\0" * 16

Picture = UInt8[np.ndarray, "h w 3"]


class Exemplars:
    """The strongest images of every channel of a layer; bounded by the channels.

    `places` say where in a thumbnail the channel is strongest, as fractions `(y, x)` of its height
    and width. Ties go to the smaller key, so that neither order nor shards change who is kept.
    """

    def __init__(self, channels: int) -> None:
        self.values = np.full((channels, EACH), -np.inf)
        self.keys = np.full((channels, EACH), NOBODY, dtype="S16")
        self.places = np.zeros((channels, EACH, 2))
        self.thumbnails: dict[bytes, bytes] = {}

    def add(
        self,
        values: Float[np.ndarray, "n k"],
        keys: Sequence[bytes],
        picture: Callable[[int], Picture],
        places: Float[np.ndarray, "n k 2"] | None = None,
    ) -> None:
        """Take a batch of images; `picture(i)` shows the i-th and is asked only where it enters."""
        names = np.array([printable(k) for k in keys], dtype="S16")
        where = np.zeros((*values.shape, 2)) if places is None else places
        each = np.broadcast_to(names, (len(self.values), len(keys)))
        self._keep(values.T, each, where.transpose(1, 0, 2))
        entered = {*self.keys.ravel().tolist()} - {*self.thumbnails}
        more = {n: _thumbnail(picture(i)) for i, n in enumerate(names.tolist()) if n in entered}
        self.thumbnails = {**self.thumbnails, **more}
        self._forget()

    def draft(self) -> Self:
        """Return a copy to add to: this one stays as it is."""
        return copy.copy(self)

    def _keep(self, values: np.ndarray, keys: np.ndarray, places: np.ndarray) -> None:
        values = np.concatenate([self.values, values], axis=1)
        keys = np.concatenate([self.keys, keys], axis=1)
        places = np.concatenate([self.places, places], axis=1)
        order = np.lexsort((keys, -values), axis=1)
        values, keys, places = _sorted(order, values, keys, places)
        # The same image twice lies side by side: its second place goes behind all others.
        twice = np.zeros(keys.shape, bool)
        twice[:, 1:] = (keys[:, 1:] == keys[:, :-1]) & np.isfinite(values[:, 1:])
        values[twice], keys[twice], places[twice] = -np.inf, NOBODY, 0
        once = _sorted(np.argsort(twice, axis=1, kind="stable"), values, keys, places)
        self.values, self.keys, self.places = (part[:, :EACH].copy() for part in once)

    def _forget(self) -> None:
        used = {*self.keys.ravel().tolist()}
        self.thumbnails = {k: v for k, v in self.thumbnails.items() if k in used}

    def merge(self, other: Exemplars) -> None:
        """Take the strongest of both."""
        self._keep(other.values, other.keys, other.places)
        self.thumbnails = {**other.thumbnails, **self.thumbnails}
        self._forget()

    def of(self, channel: int) -> tuple[list[Picture], list[float]]:
        """Return a channel's images as thumbnails, strongest first, and its value in each."""
        seen = np.isfinite(self.values[channel])
        keys = self.keys[channel][seen].tolist()
        return [self.thumbnail(k) for k in keys], self.values[channel][seen].tolist()

    def thumbnail(self, key: bytes) -> Picture:
        """Return one of the images that are kept, by its entry in `keys`."""
        return _opened(self.thumbnails[key])

    def arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield everything as arrays by name, for saving."""
        names = sorted(self.thumbnails)
        files = [np.frombuffer(self.thumbnails[n], np.uint8) for n in names]
        yield "values", np.nan_to_num(self.values, neginf=np.finfo(np.float64).min)
        yield "keys", _codes(self.keys)
        yield "places", self.places
        yield "names", _codes(np.array(names, dtype="S16"))
        yield "lengths", np.array([len(f) for f in files], dtype=np.int64)
        yield "files", np.concatenate([np.zeros(0, np.uint8), *files])

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take what was saved; raises ValueError where it does not fit together."""
        values = np.asarray(arrays["values"], np.float64)
        keys = arrays["keys"].reshape(*values.shape, 16)
        if values.shape != self.values.shape or arrays["lengths"].sum() != len(arrays["files"]):
            raise ValueError("the strongest images do not fit the layer")
        self.values = np.where(values == np.finfo(np.float64).min, -np.inf, values)
        self.keys = np.ascontiguousarray(keys).view("S16")[..., 0]
        ends = np.cumsum(arrays["lengths"])[:-1]
        names = np.ascontiguousarray(arrays["names"].reshape(-1, 16)).view("S16")[:, 0].tolist()
        parts = np.split(arrays["files"], ends) if names else []
        self.places = np.array(arrays["places"]).reshape(*values.shape, 2)
        self.thumbnails = {n: p.tobytes() for n, p in zip(names, parts, strict=True)}
        if not {*self.keys[np.isfinite(self.values)].tolist()} <= {*names}:
            raise ValueError("a thumbnail is missing")


def in_thumbnail(
    places: Float[np.ndarray, "*n 2"], size: tuple[int, int]
) -> Float[np.ndarray, "*n 2"]:
    """Return places in images of `(h, w)` pixels as places in their thumbnails; both fractions.

    What lies outside the middle square is moved to its border.
    """
    whole, side = np.array(size, np.float64), min(size)
    return ((places - 0.5) * whole / side + 0.5).clip(0, 1)


def printable(key: bytes) -> bytes:
    """Return a key without zero bytes, which numpy takes for the end of a text."""
    return bytes(b or 1 for b in key)


def _sorted(order: np.ndarray, *parts: np.ndarray) -> list[np.ndarray]:
    return [part[np.arange(len(part))[:, None], order] for part in parts]


def _codes(keys: np.ndarray) -> UInt8[np.ndarray, "*n 16"]:
    flat = np.ascontiguousarray(keys)
    return flat.view(np.uint8).reshape(*keys.shape, 16)


def _thumbnail(picture: Picture) -> bytes:
    whole = Image.fromarray(np.ascontiguousarray(picture))
    small = ImageOps.fit(whole, (SIDE, SIDE), Image.Resampling.BILINEAR)
    out = BytesIO()
    small.save(out, format="JPEG", quality=80)
    return out.getvalue()


def _opened(encoded: bytes) -> Picture:
    with Image.open(BytesIO(encoded)) as image:
        pixels: Any = np.asarray(image.convert("RGB"))
    return np.asarray(pixels, dtype=np.uint8)
