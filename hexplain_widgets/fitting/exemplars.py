"""The images of a data set in which each channel is strongest."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Self

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from PIL import Image, ImageOps
from torch import Tensor

SIDE = 64  # pixels of a thumbnail's side, cut from the middle
EACH = 4  # images shown of a channel
# One more is kept than is shown: whether it is as strong as the last of them is to be said.
KEPT = EACH + 1
NOBODY = b"\0" * 16
# Stands for minus infinity in files, which hold finite numbers only.
LOWEST = np.finfo(np.float64).min

Picture = UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True)
class Strength:
    """How strong channels are in a batch of images: what decides which of them are shown.

    `values` come first; of equal ones `unclipped` decides (the same value before an upper clip of
    the layer, None where there is no clip), of those still equal `means`, over the map.
    """

    values: Float[np.ndarray, "n k"]
    unclipped: Float[np.ndarray, "n k"] | None = None
    means: Float[np.ndarray, "n k"] | None = None

    def ranks(self) -> Float[np.ndarray, "n k 3"]:
        """Return the three in order; a value stands for what is not known before its clip."""
        before = self.values if self.unclipped is None else self.unclipped
        means = np.zeros_like(self.values) if self.means is None else self.means
        return np.stack([self.values, before, means], axis=2).astype(np.float64)

    def of(self, channels: Sequence[int]) -> Strength:
        """Return that of some channels, in this order."""
        some = list(channels)
        before, means = (
            None if part is None else part[:, some] for part in (self.unclipped, self.means)
        )
        return Strength(self.values[:, some], before, means)

    def joined(self, other: Strength) -> Strength:
        """Return that of the images of both, these first."""
        return Strength(
            np.concatenate([self.values, other.values]),
            _one_behind(self.unclipped, other.unclipped),
            _one_behind(self.means, other.means),
        )


def _one_behind(first: np.ndarray | None, second: np.ndarray | None) -> np.ndarray | None:
    return None if first is None or second is None else np.concatenate([first, second])


def peaks_of(
    maps: Float[Tensor, "n k h w"], unclipped: Float[Tensor, "n k h w"] | None = None
) -> Strength:
    """Return how high channels are at their highest place, by their maps.

    `unclipped` are the maps before the layer's upper clip, None where it has none.
    """
    before = None if unclipped is None else _exact(unclipped.float().amax((2, 3)))
    whole = maps.float()
    return Strength(_exact(whole.amax((2, 3))), before, _exact(whole.mean((2, 3))))


def _exact(values: Float[Tensor, "n k"]) -> Float[np.ndarray, "n k"]:
    return np.asarray(values.cpu().double().numpy())


class Exemplars:
    """The strongest images of every channel of a layer; bounded by the channels.

    `places` say where in a thumbnail the channel is strongest, as fractions `(y, x)` of its height
    and width. Ties go to the smaller key, so that neither order nor shards change who is kept.
    """

    def __init__(self, channels: int) -> None:
        self._ranks = np.full((channels, KEPT, 3), -np.inf)
        self._keys = np.full((channels, KEPT), NOBODY, dtype="S16")
        self._places = np.zeros((channels, KEPT, 2))
        self.thumbnails: dict[bytes, bytes] = {}

    @property
    def values(self) -> Float[np.ndarray, "k e"]:
        """How strong each channel is in its images, strongest first; minus infinity for none."""
        return self._ranks[:, :EACH, 0]

    @property
    def unclipped(self) -> Float[np.ndarray, "k e"]:
        """The values before the layer's upper clip; `values` where it has none."""
        return self._ranks[:, :EACH, 1]

    @property
    def keys(self) -> np.ndarray:
        """Which images these are, `(k, e)`."""
        return self._keys[:, :EACH]

    @property
    def places(self) -> Float[np.ndarray, "k e 2"]:
        """Where in the thumbnails the channels are strongest."""
        return self._places[:, :EACH]

    @property
    def tied(self) -> Bool[np.ndarray, " k"]:
        """Whether another image is as strong as the last that is shown: the choice is arbitrary.

        Of files that hold no more images than are shown: whether the last two are as strong.
        """
        last, other = self._ranks[:, EACH - 1], self._ranks[:, EACH].copy()
        older = np.isneginf(last[:, 2])
        other[older] = self._ranks[older, EACH - 2]
        return np.asarray((last == other).all(1) & np.isfinite(last[:, 0]))

    def add(
        self,
        strength: Strength,
        keys: Sequence[bytes],
        picture: Callable[[int], Picture],
        places: Float[np.ndarray, "n k 2"] | None = None,
    ) -> None:
        """Take a batch of images; `picture(i)` shows the i-th and is asked only where it enters."""
        ranks = strength.ranks()
        names = np.array([printable(k) for k in keys], dtype="S16")
        where = np.zeros((*ranks.shape[:2], 2)) if places is None else places
        each = np.broadcast_to(names, (len(self._ranks), len(keys)))
        self._keep(ranks.transpose(1, 0, 2), each, where.transpose(1, 0, 2))
        entered = {*self._keys.ravel().tolist()} - {*self.thumbnails}
        more = {n: _thumbnail(picture(i)) for i, n in enumerate(names.tolist()) if n in entered}
        self.thumbnails = {**self.thumbnails, **more}
        self._forget()

    def draft(self) -> Self:
        """Return a copy to add to: this one stays as it is."""
        return copy.copy(self)

    def _keep(self, ranks: np.ndarray, keys: np.ndarray, places: np.ndarray) -> None:
        ranks = np.concatenate([self._ranks, ranks], axis=1)
        keys = np.concatenate([self._keys, keys], axis=1)
        places = np.concatenate([self._places, places], axis=1)
        order = _order(ranks, keys)
        best = _sorted(order, ranks, keys, places)
        self._ranks, self._keys, self._places = best

    def _forget(self) -> None:
        used = {*self._keys.ravel().tolist()}
        self.thumbnails = {k: v for k, v in self.thumbnails.items() if k in used}

    def merge(self, other: Exemplars) -> None:
        """Take the strongest of both."""
        self._keep(other._ranks, other._keys, other._places)
        self.thumbnails = {**other.thumbnails, **self.thumbnails}
        self._forget()

    def of(self, channel: int) -> tuple[list[Picture], list[float]]:
        """Return a channel's images as thumbnails, strongest first, and its value in each."""
        seen = np.isfinite(self.values[channel])
        keys = self.keys[channel][seen].tolist()
        return [self.thumbnail(k) for k in keys], self.values[channel][seen].tolist()

    def before_clip(self, channel: int) -> Float[np.ndarray, " m"] | None:
        """Return the values of a channel's images before the layer's clip, None where all are."""
        values, before = self.values[channel], self.unclipped[channel]
        seen = np.isfinite(values)
        return None if (before == values)[seen].all() else before[seen].copy()

    def thumbnail(self, key: bytes) -> Picture:
        """Return one of the images that are kept, by its entry in `keys`."""
        return _opened(self.thumbnails[key])

    def arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield everything as arrays by name, for saving."""
        names = sorted(self.thumbnails)
        files = [np.frombuffer(self.thumbnails[n], np.uint8) for n in names]
        ranks = np.nan_to_num(self._ranks, neginf=LOWEST)
        yield "values", ranks[..., 0].copy()
        yield "unclipped", ranks[..., 1].copy()
        yield "means", ranks[..., 2].copy()
        yield "keys", _codes(self._keys)
        yield "places", self._places
        yield "names", _codes(np.array(names, dtype="S16"))
        yield "lengths", np.array([len(f) for f in files], dtype=np.int64)
        yield "files", np.concatenate([np.zeros(0, np.uint8), *files])

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take what was saved; raises ValueError where it does not fit together.

        Files of before hold `EACH` images, and nothing but their values.
        """
        values = np.asarray(arrays["values"], np.float64)
        keys = arrays["keys"].reshape(*values.shape, 16)
        fits = values.ndim == 2 and values.shape[1] in (EACH, KEPT)
        if not fits or len(values) != len(self._ranks):
            raise ValueError("the strongest images do not fit the layer")
        if arrays["lengths"].sum() != len(arrays["files"]):
            raise ValueError("the strongest images do not fit the layer")
        fresh = type(self)(len(values))
        fresh.thumbnails = _named_files(arrays)
        unknown = np.full_like(values, LOWEST)
        recent = values.shape[1] == KEPT
        known = (arrays["unclipped"], arrays["means"]) if recent else (values, unknown)
        columns = (values, *known)
        ranks = np.stack([np.asarray(c, np.float64).reshape(values.shape) for c in columns], 2)
        some = slice(values.shape[1])
        fresh._ranks[:, some] = np.where(ranks == LOWEST, -np.inf, ranks)
        fresh._keys[:, some] = np.ascontiguousarray(keys).view("S16")[..., 0]
        fresh._places[:, some] = np.array(arrays["places"]).reshape(*values.shape, 2)
        held = np.isfinite(fresh._ranks[..., 0])
        if not {*fresh._keys[held].tolist()} <= {*fresh.thumbnails}:
            raise ValueError("a thumbnail is missing")
        vars(self).update(vars(fresh))


def _order(ranks: Float[np.ndarray, "k m 3"], keys: np.ndarray) -> Int[np.ndarray, "k e"]:
    """Return the strongest of each row in order; what comes twice in it counts where it is best."""
    codes = np.unique(keys, return_inverse=True)[1].reshape(keys.shape)
    falling = (-ranks.transpose(2, 0, 1))[::-1]
    by_image = np.lexsort((*falling, codes), axis=1)
    along = np.take_along_axis(codes, by_image, 1)
    again = np.zeros(codes.shape, bool)
    np.put_along_axis(again, by_image[:, 1:], along[:, 1:] == along[:, :-1], 1)
    again &= np.isfinite(ranks[..., 0])
    return np.lexsort((codes, *falling, again), axis=1)[:, :KEPT]


def _named_files(arrays: dict[str, np.ndarray]) -> dict[bytes, bytes]:
    ends = np.cumsum(arrays["lengths"])[:-1]
    names = np.ascontiguousarray(arrays["names"].reshape(-1, 16)).view("S16")[:, 0].tolist()
    parts = np.split(arrays["files"], ends) if names else []
    return {n: p.tobytes() for n, p in zip(names, parts, strict=True)}


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
