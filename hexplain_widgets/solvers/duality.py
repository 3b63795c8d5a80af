"""The duality gap of L1 least squares, from sufficient statistics."""

from __future__ import annotations

from typing import Any


def duality_gap(fitted: Any, curved: Any, size: Any, scale: Any, power: Any) -> Any:
    """Return how far the objective can be above its minimum, arrays or tensors of any shape.

    `fitted` is `linear w`, `curved` is `w gram w`, `size` is `lambda |w|_1`. The dual point is the
    residual times `scale <= 1`. The power takes no part at the optimum, where the scale is 1, so
    its rounding does no harm.
    """
    error = (power - 2 * fitted + curved).clip(min=0)
    return size - scale * (fitted - curved) + (1 - scale) ** 2 / 2 * error
