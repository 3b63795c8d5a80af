"""How far what is said of parts agrees with what is lost without them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from .base import Evidence


@dataclass(frozen=True, eq=False)
class Faithfulness(Evidence):
    """What an explanation says of each part of a decision, and what is lost without that part.

    `estimates` and `drops` are in the decision's own units, one of each for every part; `parts`
    says what these are ("channels") and `baseline` what a removed one is set to ("zero", or "mean"
    over reference images). `pearson` is their correlation (Hierarchical Decomposition, Eq. 12),
    `spearman` that of their ranks; None where either side is constant. `seconds` is how long the
    removals took.
    """

    estimates: Float[np.ndarray, " k"]
    drops: Float[np.ndarray, " k"]
    pearson: float | None
    spearman: float | None
    parts: str = "channels"
    baseline: str = "zero"
    seconds: float = 0.0

    def __str__(self) -> str:
        r = "undefined (one side is constant)" if self.pearson is None else f"{self.pearson:.2f}"
        return (
            f"agrees with ablation to {self.baseline}: r = {r}"
            f" ({len(self.drops)} {self.parts}, {self.seconds:.1f} s)"
        )
