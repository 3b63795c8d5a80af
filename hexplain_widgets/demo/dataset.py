"""Many scenes at once: a balanced torch data set, and the same scenes as a labelled concept set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from PIL import Image
from torch.utils.data import Dataset

from ..data.concept_sets import ConceptSubset, SkippedFile
from .network import SIZE
from .scenes import Scene, check_size, scene
from .vocabulary import LEGEND, LEVELS, SCENES

BLOCK = 10**6  # scene seeds that one seed of a data set may use


class Scenes(Dataset[tuple[Any, int]]):
    """`n` scenes as `(image, class index)`, the classes in turn; `classes` has their names.

    Images are PIL, or what `transform` makes of them. A rendered image is kept for the next pass.
    """

    classes = SCENES

    def __init__(
        self, n: int, *, seed: int, size: int, transform: Callable[[Image.Image], Any] | None
    ) -> None:
        self.n, self.seed, self.size, self.transform = n, seed, size, transform
        self._images: dict[int, Image.Image] = {}

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> tuple[Any, int]:
        index = _position(index, self.n)
        if index not in self._images:
            self._images[index] = self.scene(index).image
        image = self._images[index].copy()
        return (self.transform(image) if self.transform else image), index % len(SCENES)

    def __iter__(self) -> Iterator[tuple[Any, int]]:
        return (self[i] for i in range(self.n))

    @property
    def targets(self) -> list[int]:
        """The class of every scene, without rendering any."""
        return [i % len(SCENES) for i in range(self.n)]

    def __repr__(self) -> str:
        return f"Scenes({self.n}, seed={self.seed}, size={self.size})"

    def scene(self, index: int) -> Scene:
        """Render one of the scenes with its labels."""
        index = _position(index, self.n)
        name, seed = SCENES[index % len(SCENES)], self.seed * BLOCK + index // len(SCENES)
        return scene(name, seed=seed, size=self.size)

    def concepts(self) -> ConceptScenes:
        """Return the same scenes with label maps at all five levels."""
        return ConceptScenes(self)


class ConceptScenes:
    """A labelled concept set: item `i` is a `Scene` with one label map per level.

    `levels` runs from the coarsest to the finest; `names[level][value]` names a value of a map.
    Nothing is `skipped`: scenes are rendered, not read.
    """

    levels: tuple[str, ...] = LEVELS
    names: Mapping[str, tuple[str, ...]] = LEGEND
    skipped: tuple[SkippedFile, ...] = ()

    def __init__(self, data: Scenes) -> None:
        self._data = data

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, index: Any) -> Any:
        """Return a scene, or a part of these for a slice."""
        if isinstance(index, slice):
            return ConceptSubset(self, range(len(self))[index])
        return self._data.scene(index)

    def __iter__(self) -> Iterator[Scene]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"ConceptScenes({len(self)} scenes, levels {', '.join(self.levels)})"


def scenes(
    n: int,
    *,
    seed: int = 0,
    size: int = SIZE,
    transform: Callable[[Image.Image], Any] | None = None,
) -> Scenes:
    """Return `n` scenes, classes balanced, as a torch Dataset of `(image, class index)`.

    `size` is the side of the square images in pixels. Raises ValueError for less than one scene,
    a negative seed or a size below 16.
    """
    if n < 1:
        raise ValueError(f"n is {n}; expected at least 1 scene; pass how many scenes to render")
    check_size(seed, size)
    return Scenes(n, seed=seed, size=size, transform=transform)


def _position(index: int, n: int) -> int:
    if not -n <= index < n:
        raise IndexError(
            f"index is {index}; expected below {n}, the number of scenes; take a smaller one"
        )
    return index % n
