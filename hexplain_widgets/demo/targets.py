"""What a network can learn from a scene's labels: what is present, where, and of what kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int, UInt8
from torch import Tensor

from .scenes import Scene, scene
from .vocabulary import LEGEND, OBJECTS, PARTS

PRESENT = 0.006  # share of the picture from which an object or part counts as present
CELL_PRESENT = 0.04  # the same in one cell of a coarse map
GRIDS = {"color": 28, "material": 28, "part": 14, "object": 7}
CONCEPTS = tuple(f"object {name}" for name in OBJECTS) + tuple(f"part {name}" for name in PARTS)


@dataclass(frozen=True)
class Example:
    """A rendered scene as arrays: pixels, what is present, and label maps at the stages' sizes."""

    pixels: UInt8[np.ndarray, "h w 3"]
    label: int
    present: Bool[np.ndarray, " e"]
    maps: dict[str, np.ndarray]


def present(drawn: Scene) -> Bool[np.ndarray, " e"]:
    """Return which of `CONCEPTS` cover at least 0.6 % of the picture."""
    shares = [_shares(drawn.masks[level], len(LEGEND[level]))[1:] for level in ("object", "part")]
    return np.concatenate(shares) >= PRESENT


def example(job: tuple[str, int, int]) -> Example:
    """Render the scene `(name, seed, size)` and gather its targets."""
    drawn = scene(job[0], seed=job[1], size=job[2])
    maps = {level: _centres(drawn.masks[level], GRIDS[level]) for level in ("color", "material")}
    maps |= {
        level: _cells(drawn.masks[level], GRIDS[level], len(LEGEND[level]))
        for level in ("part", "object")
    }
    label = LEGEND["scene"].index(job[0]) - 1
    return Example(np.asarray(drawn.image), label, present(drawn), maps)


def _shares(labels: Int[np.ndarray, "h w"], count: int) -> np.ndarray:
    shares: np.ndarray = np.bincount(labels.ravel(), minlength=count) / labels.size
    return shares


def _centres(labels: Int[np.ndarray, "h w"], grid: int) -> UInt8[np.ndarray, "g g"]:
    step = labels.shape[0] // grid
    return labels[step // 2 :: step, step // 2 :: step].astype(np.uint8)


def _cells(labels: Int[np.ndarray, "h w"], grid: int, count: int) -> Bool[np.ndarray, "e g g"]:
    step = labels.shape[0] // grid
    rows = np.arange(labels.shape[0]) // step
    cell = rows[:, None] * grid + rows
    hits = np.bincount((labels * grid * grid + cell).ravel(), minlength=count * grid * grid)
    return hits.reshape(count, grid, grid) >= CELL_PRESENT * step * step


@dataclass(frozen=True)
class LabelledScenes:
    """Examples stacked into tensors."""

    pixels: Tensor
    label: Tensor
    present: Tensor
    maps: dict[str, Tensor]

    def __len__(self) -> int:
        return len(self.label)

    def take(self, index: Tensor) -> LabelledScenes:
        """Return the examples at these positions."""
        maps = {level: values[index] for level, values in self.maps.items()}
        return LabelledScenes(self.pixels[index], self.label[index], self.present[index], maps)

    def mirrored(self) -> LabelledScenes:
        """Return the same examples seen in a mirror."""
        maps = {level: values.flip(-1) for level, values in self.maps.items()}
        return LabelledScenes(self.pixels.flip(-1), self.label, self.present, maps)

    def labelled_as(self, index: Tensor) -> LabelledScenes:
        """Return each example's pixels with all labels of the example at its one of positions.

        Class, concepts and maps come from the same example, so that they still fit each other.
        """
        other = self.take(index)
        return LabelledScenes(self.pixels, other.label, other.present, other.maps)


def stack(examples: list[Example]) -> LabelledScenes:
    """Return examples as one batch; pixels as `(n, 3, h, w)` uint8."""
    pixels = torch.from_numpy(np.stack([e.pixels for e in examples])).permute(0, 3, 1, 2)
    levels = examples[0].maps
    return LabelledScenes(
        pixels.contiguous(),
        torch.tensor([e.label for e in examples]),
        torch.from_numpy(np.stack([e.present for e in examples])),
        {level: torch.from_numpy(np.stack([e.maps[level] for e in examples])) for level in levels},
    )
