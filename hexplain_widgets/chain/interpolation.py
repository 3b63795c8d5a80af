"""Bilinear interpolation of feature maps, and sums over its pixels without interpolating."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product as product_of

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

Size = tuple[int, int]
_NEAR = (-1, 0, 1)


@dataclass(frozen=True, eq=False)
class Interpolation:
    """From `(h, w)` cells to `(Y, X)` pixels, as torch interpolates with align_corners=False.

    `rows` and `columns` say what each pixel takes of each cell along its axis: pixel `(Y, X)` is
    `sum rows[Y, y] columns[X, x] cell[y, x]`. A pixel sees two neighbours at most, so that with a
    weight for each pixel `U^T W U` couples a cell with its eight neighbours alone.
    """

    rows: Float[Tensor, "Y h"]
    columns: Float[Tensor, "X w"]

    @classmethod
    def of(cls, cells: Size, pixels: Size, device: torch.device | str = "cpu") -> Interpolation:
        """Return the interpolation between two sizes, in float64; raises ValueError.

        Pixels are at least as many as cells along each axis: of fewer, some cells say nothing.
        """
        if any(p < c or c < 1 for c, p in zip(cells, pixels, strict=True)):
            raise ValueError(
                f"got {pixels} pixels for a map of {cells} cells; expected at least as many along"
                " each side; bring labels to the map's size first"
            )
        rows, columns = (
            F.interpolate(torch.eye(c, dtype=torch.float64)[None], size=p, mode="linear")[0].T
            for c, p in zip(cells, pixels, strict=True)
        )
        return cls(rows.contiguous().to(device), columns.contiguous().to(device))

    def masses(self, weights: Float[Tensor, "*p Y X"]) -> Float[Tensor, "*p h w"]:
        """Return how much every cell counts when pixels have these weights: the adjoint, U^T w."""
        return self.rows.T @ weights @ self.columns

    def couplings(self, weights: Float[Tensor, "Y X"]) -> Float[Tensor, "3 3 h w"]:
        """Return U^T diag(w) U.

        Entry `[1 + dy, 1 + dx, y, x]` couples the cells `(y, x)` and `(y + dy, x + dx)`.
        """
        rows, columns = _paired(self.rows), _paired(self.columns)
        across = torch.einsum("YX,bXx->bYx", weights, columns)
        return torch.einsum("aYy,bYx->abyx", rows, across)

    def gram(
        self, maps: Float[Tensor, "k h w"], weights: Float[Tensor, "Y X"]
    ) -> Float[Tensor, "k k"]:
        """Return the sum over pixels of weight x vector x vector^T."""
        near = self.couplings(weights)
        cells = F.pad(maps, (1, 1, 1, 1)).flatten(1).T.contiguous()
        width = maps.shape[2] + 2
        y, x = torch.nonzero(near[1, 1], as_tuple=True)
        place = (y + 1) * width + x + 1
        product = torch.zeros(len(place), len(maps), dtype=maps.dtype, device=maps.device)
        for dy, dx in product_of(_NEAR, _NEAR):
            share = near[1 + dy, 1 + dx, y, x, None].to(maps.dtype)
            product.addcmul_(share, cells[place + dy * width + dx])
        return cells[place].T @ product

    def at(self, maps: Float[Tensor, "k h w"], places: Int[Tensor, " n"]) -> Float[Tensor, "n k"]:
        """Return the vectors at some pixels, numbered along the rows."""
        width = len(self.columns)
        cells = maps.flatten(1).T.contiguous()
        found = torch.zeros(len(places), len(maps), dtype=maps.dtype, device=maps.device)
        pairs = _ends(self.rows[places // width]), _ends(self.columns[places % width])
        for (y, down), (x, right) in product_of(*pairs):
            found.addcmul_((down * right)[:, None].to(maps.dtype), cells[y * maps.shape[2] + x])
        return found


def _ends(shares: Float[Tensor, "n h"]) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return the two cells along an axis that pixels take something of, and how much."""
    first = (shares > 0).int().argmax(1)
    last = (first + 1).clamp(max=shares.shape[1] - 1)
    of_first = shares.gather(1, first[:, None])[:, 0]
    return (first, of_first), (last, 1 - of_first)


def _paired(weights: Float[Tensor, "Y h"]) -> Float[Tensor, "3 Y h"]:
    """Return the products of what a pixel takes of a cell and of the one before, itself, behind."""
    padded = F.pad(weights, (1, 1))
    count = weights.shape[1]
    return torch.stack([weights * padded[:, 1 + d : 1 + d + count] for d in _NEAR])
