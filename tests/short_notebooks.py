"""Writes the notebooks again, over less data: every cell runs as it stands, and sooner.

    python -m tests.short_notebooks build/nbval

What a reader sees keeps the numbers that its text speaks of.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
OWN = ("torch.rand(3, 224, 224)", "torch.rand(3, 64, 64)")
# Of each notebook, what is asked of the reader's copy and of this one.
SHORTER: dict[str, tuple[tuple[str, str], ...]] = {
    "00_quick_start": (),
    "02_channels_that_matter": (
        ("hx.demo.scenes(60, ", "hx.demo.scenes(20, "),
        ("gates_per_image=30", "gates_per_image=6"),
        ("gates_per_image=50", "gates_per_image=8"),
        ("samples=150", "samples=80"),
        OWN,
    ),
    "03_neurons_and_concepts": (
        ("hx.demo.scenes(100, ", "hx.demo.scenes(40, "),
        ("hx.Hint(seed=0).fit(clf, data", 'hx.Hint(layer=\\"stage3\\", seed=0).fit(clf, data'),
        ("hx.demo.scenes(60, ", "hx.demo.scenes(20, "),
        OWN,
    ),
    "04_from_scene_to_color": (
        ("hx.demo.scenes(160, ", "hx.demo.scenes(40, "),
        ("gates=300", "gates=60"),
        ("for i in range(5)]", "for i in range(2)]"),
        ("for i in range(10)]", "for i in range(4)]"),
        ("gates=50", "gates=10"),
        ("for i in range(8))", "for i in range(4))"),
        ("transform=weights.transforms()", "transform=weights.transforms(crop_size=64)"),
    ),
    "05_what_each_part_added": (
        ("hx.demo.scenes(40, ", "hx.demo.scenes(20, "),
        ("hx.demo.scenes(120, ", "hx.demo.scenes(40, "),
        ("hx.demo.scenes(80, ", "hx.demo.scenes(40, "),
        ("hx.demo.scenes(60, ", "hx.demo.scenes(40, "),
        ("range(100, 105)", "range(100, 102)"),
        OWN,
    ),
    "06_can_i_trust_this": (("hx.demo.scenes(20, ", "hx.demo.scenes(5, "),),
}


def shortened(text: str, changes: tuple[tuple[str, str], ...]) -> str:
    """Return a notebook's text with every change made; raises ValueError for one without place."""
    for asked, less in changes:
        if asked not in text:
            raise ValueError(
                f"got a notebook without {asked!r}; expected it where this says to ask for less;"
                " bring SHORTER in tests/short_notebooks.py up to date"
            )
        text = text.replace(asked, less)
    return text


def main(folder: Path) -> None:
    """Write a shorter copy of every notebook into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        text = shortened(path.read_text("utf-8"), SHORTER.get(path.stem, ()))
        json.loads(text)
        (folder / path.name).write_text(text, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
