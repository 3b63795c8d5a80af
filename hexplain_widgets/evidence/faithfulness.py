"""How far what is said of a decision's parts agrees with what is lost without them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from .base import Evidence, Layer, Provenance, as_table

# Average activation, maximum activation, average gradient, maximum gradient (Table 1).
ESTIMATORS = ("AA", "MA", "AG", "MG")


@dataclass(frozen=True, eq=False)
class Faithfulness(Evidence):
    """What an explanation says of each part of a decision, and what is lost without that part.

    `estimates` and `drops` are in the decision's own units, one of each for every part; `parts`
    says what these are ("channels") and `baseline` what a removed one is set to ("zero", or "mean"
    over reference images). Both are means over `images`. `pearson` is their correlation
    (Hierarchical Decomposition, Eq. 12), `spearman` that of their ranks; None where either side is
    constant. `seconds` is how long the removals took.
    """

    estimates: Float[np.ndarray, " k"]
    drops: Float[np.ndarray, " k"]
    pearson: float | None
    spearman: float | None
    parts: str = "channels"
    baseline: str = "zero"
    seconds: float = 0.0
    images: int = 1

    @property
    def rest(self) -> float | None:
        """The correlation without the part furthest from the others, None where there is none.

        Each side counts in its own spread, so that neither outweighs the other.
        """
        sides = [self.estimates, self.drops]
        if not len(self.drops):
            return None
        far = sum(np.abs(side - np.median(side)) / (side.std() or 1) for side in sides)
        others = np.arange(len(self.drops)) != int(np.argmax(far))
        r = pearson(self.estimates[others], self.drops[others])
        return None if np.isnan(r) else r

    def __str__(self) -> str:
        r = "undefined (one side is constant)" if self.pearson is None else f"{self.pearson:.2f}"
        over = f" in {self.images} images" if self.images > 1 else ""
        return (
            f"agrees with ablation to {self.baseline}: r = {r}"
            f" ({len(self.drops)} {self.parts}{over}, {self.seconds:.1f} s)"
        )


@dataclass(frozen=True, eq=False)
class StepFaithfulness(Evidence):
    """One step of decompositions held against ablation, over images (sec. 4.1).

    From a decision in the layer `deep` ("logits" at the top) to the channels of `shallow`. Rows of
    `pearson` (Eq. 12), its standard `errors` and its `lowest` value of an image are the estimators
    of Table 1 (average and maximum activation, average and maximum gradient), each over `counted`
    images where it is defined; `ranks` is Spearman's correlation of the first. `remaining` is what
    is left of the decision, as a share of it, when `fractions` of the channels are masked: the most
    important, the least important, or random ones (Fig. 6), with `remaining_errors`. `estimates`
    and `drops` are contributions sorted by size, each at evenly spaced ranks, in shares of the
    largest drop (Fig. 7); `activated` and `overlapping` count channels with a positive
    contribution, and those of them whose map covers that of a stronger one; means over images.
    """

    deep: str
    shallow: str
    channels: int
    pearson: Float[np.ndarray, " m"]
    errors: Float[np.ndarray, " m"]
    lowest: Float[np.ndarray, " m"]
    counted: Int[np.ndarray, " m"]
    ranks: float
    fractions: Float[np.ndarray, " f"]
    remaining: Float[np.ndarray, "3 f"]
    remaining_errors: Float[np.ndarray, "3 f"]
    estimates: Float[np.ndarray, " p"]
    drops: Float[np.ndarray, " p"]
    activated: float
    overlapping: float


@dataclass(frozen=True, eq=False)
class FaithfulnessSummary(Evidence):
    """How far decompositions of a network's decisions are true, over images (sec. 4.1).

    `steps` run from the logits down. Of surrogates that keep `top_k` channels of each decision
    (Fig. 9), `match` is the share of images whose class they name as the network does, `accuracy`
    of the `labelled` ones whose label they name (None without labels), the whole network
    `whole_accuracy`; rows are ours and random channels, as many in each layer. `kept` is the share
    of a layer's channels that is kept. `survival` is the share of images whose class is named still
    when the `removed` most important channels of a layer are masked, by each of `methods`, and
    `removed_accuracy` that of the `labelled` ones whose label is (Fig. 10); None without labels and
    in older files.
    """

    images: int
    labelled: int
    layers: tuple[Layer, ...]
    steps: tuple[StepFaithfulness, ...]
    top_k: Int[np.ndarray, " j"]
    match: Float[np.ndarray, "2 j"]
    kept: Float[np.ndarray, "j l"]
    removed: Int[np.ndarray, " n"]
    methods: tuple[str, ...]
    survival: Float[np.ndarray, "l o n"]
    provenance: Provenance
    accuracy: Float[np.ndarray, "2 j"] | None = None
    whole_accuracy: float | None = None
    notes: tuple[str, ...] = ()
    removed_accuracy: Float[np.ndarray, "l o n"] | None = None

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("step", *ESTIMATORS, "lowest", "images")]
        rows += [
            (
                f"{one.deep} -> {one.shallow}",
                *(f"{r:.3f}" for r in one.pearson),
                f"{one.lowest[0]:.2f}",
                str(one.counted[0]),
            )
            for one in self.steps
        ]
        return as_table(rows)


def pearson(estimate: Float[np.ndarray, " k"], truth: Float[np.ndarray, " k"]) -> float:
    """Return the Pearson correlation of two vectors (Eq. 12); NaN where one is constant."""
    a, b = estimate - estimate.mean(), truth - truth.mean()
    scale = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / scale if scale > 0 else float("nan")


def spearman(estimate: Float[np.ndarray, " k"], truth: Float[np.ndarray, " k"]) -> float:
    """Return the correlation of two vectors' ranks, ties at their mean; NaN where one is constant.

    Of attribution maps before and after randomisation as of contributions (sec. 4.1, Fig. 8).
    """
    return pearson(_ranks(estimate), _ranks(truth))


def _ranks(values: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    # here, for loading scipy.stats takes a third of a second
    from scipy.stats import rankdata

    return rankdata(values)


def faithfulness(
    estimates: Float[np.ndarray, " k"],
    drops: Float[np.ndarray, " k"],
    *,
    parts: str = "channels",
    baseline: str = "zero",
    images: int = 1,
    seconds: float = 0.0,
) -> Faithfulness:
    """Return how far estimated contributions agree with what is lost without each part (Eq. 12).

    Raises ValueError where the two do not have one number of each part.
    """
    if estimates.shape != drops.shape:
        raise ValueError(
            f"got {estimates.size} estimates and {drops.size} drops; expected one of each for"
            f" every one of the {parts}; compare the same {parts}"
        )
    one, other = np.asarray(estimates, np.float64), np.asarray(drops, np.float64)
    both = (pearson(one, other), spearman(one, other))
    r, ranks = (None if np.isnan(value) else value for value in both)
    return Faithfulness(one, other, r, ranks, parts, baseline, seconds, images)
