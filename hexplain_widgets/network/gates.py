"""Channel gates (CHIP, Eq. 1 and 7): which channels are closed, drawn per image from a hash."""

from __future__ import annotations

import hashlib

import numpy as np
from jaxtyping import Bool, Float

# sigma^2 in Eq. 7 per channel: it must grow with the layer's width, or all weights vanish.
WIDTH = 0.5625


def gates_for(
    image: bytes, layer: str, *, count: int, channels: int, seed: int
) -> Bool[np.ndarray, "count channels"]:
    """Return the gates of one image at one layer, True where a channel stays open.

    The first row is all open. In each other row the number of open channels is uniform in
    1..`channels`, and which they are is drawn without replacement. `image` identifies the image by
    its content, so that neither batches nor the order of the data change what is drawn.
    """
    draw = drawing(image, layer, seed)
    gates = np.ones((count, channels), dtype=bool)
    gates[1:] = _opened(draw, count - 1, channels)
    return gates


def drawing(image: bytes, name: str, seed: int) -> np.random.Generator:
    """Return what draws for one image and purpose, whatever is drawn for others and when."""
    return np.random.Generator(np.random.Philox(key=_key(image, name, seed)))


def _key(image: bytes, name: str, seed: int) -> int:
    text = b"\0".join((image, name.encode(), str(seed).encode()))
    return int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little")


def _opened(
    draw: np.random.Generator, count: int, channels: int
) -> Bool[np.ndarray, "count channels"]:
    """A threshold uniform in 0..1 opens a number uniform in 0..K; rows without any are redrawn."""
    gates = draw.random((count, channels), np.float32) < draw.random((count, 1), np.float32)
    empty = ~gates.any(axis=1)
    if empty.any():
        gates[empty] = _opened(draw, int(empty.sum()), channels)
    return gates


def proximity(gates: Bool[np.ndarray, "*n k"]) -> Float[np.ndarray, "*n"]:
    """Return h(d) = exp(-|d - 1|² / sigma²) of Eq. 7 with sigma² = 0.5625 K."""
    closed = (~gates).sum(axis=-1)
    near: Float[np.ndarray, " ..."] = np.exp(-closed / (WIDTH * gates.shape[-1]))
    return near
