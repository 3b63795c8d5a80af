"""What one step of a decomposition is worth: its contributions held against ablation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..decomposition.decisions import Weighing, estimated, splits_of, strongest
from ..evidence import Faithfulness
from ..network.segments import Decided, Segment, Unit

MERGE_IOU = 0.9
# Shares of a layer's channels that are masked (Fig. 6).
FRACTIONS = np.array([0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0])


@dataclass(frozen=True)
class Measured:
    """One decision at one step; rows of `estimates` are AA, MA, AG and MG (Table 1).

    `remaining` is what is left of the decision, as a share of it, where `FRACTIONS` of the channels
    are masked: the most important, the least important, random ones. `next` is the peak of the
    strongest channel, None where no channel speaks for the decision.
    """

    estimates: Float[np.ndarray, "4 k"]
    found: Faithfulness
    remaining: Float[np.ndarray, "3 f"]
    activated: int
    overlapping: int
    next: Unit | None


def estimators(
    decided: Decided, removed: Float[Tensor, "1 k h w"], full: tuple[int, int]
) -> Float[Tensor, "4 k"]:
    """Return the four estimates of each channel's contribution to one decision (Table 1).

    Average and maximum of gradient times what is removed (the activation, or its part above the
    mean), average and maximum of the gradient, over the whole map of `full` cells.
    """
    gradients, maps = decided.gradients[0], decided.gradients[0] * removed[0]
    whole = gradients.shape[1:] == full
    cells = full[0] * full[1]

    def largest(values: Tensor) -> Tensor:
        # Outside the window that a decision depends on, gradients are zero.
        return values.amax((1, 2)) if whole else values.amax((1, 2)).clamp(min=0)

    means = [values.sum((1, 2)) / cells for values in (maps, gradients)]
    return torch.stack([means[0], largest(maps), means[1], largest(gradients)]).double()


def masked_orders(
    scores: Float[np.ndarray, " k"], draw: np.random.Generator
) -> Float[np.ndarray, "3 f k"]:
    """Return which channels are open: most, least important, random ones masked by `FRACTIONS`."""
    k = len(scores)
    falling = np.argsort(-scores, kind="stable")
    gates = np.ones((3, len(FRACTIONS), k))
    for row, order in enumerate((falling, falling[::-1], draw.permutation(k))):
        for i, fraction in enumerate(FRACTIONS):
            gates[row, i, order[: round(fraction * k)]] = 0
    return gates


def remaining(
    segment: Segment, decided: Decided, gates: Float[np.ndarray, "3 f k"]
) -> Float[np.ndarray, "3 f"]:
    """Return what is left of one decision with channels masked, as a share of it (Fig. 6)."""
    (unit,) = decided.units
    maps, values = segment.around(unit)
    flat = torch.from_numpy(gates.reshape(-1, gates.shape[2])).to(maps)
    left = values(maps * flat[:, :, None, None], decided.unclipped[0]).double().cpu().numpy()
    value = decided.values[0] or np.inf  # of a decision that is 0, nothing is left
    found: Float[np.ndarray, "3 f"] = left.reshape(gates.shape[:2]) / value
    return found


def measured_step(
    weighing: Weighing,
    segment: Segment,
    names: tuple[str, str | None],
    unit: Unit,
    draw: np.random.Generator,
) -> Measured:
    """Return one decision's contributions beside what is true; call it inside `guest.visiting`."""
    (decided,) = segment.decide([unit])
    maps = decided.gradients * decided.activations
    weights = estimated(maps, segment.full[0] * segment.full[1])
    removed = weighing.removed(names[0], decided)
    estimates = estimators(decided, removed, segment.full).cpu().numpy()
    kept, also = strongest(maps, weights.contributions, maps.shape[1], MERGE_IOU)
    split = splits_of(decided, maps, weights, [kept[0][:1]], [also[0][:1]])[unit]
    return Measured(
        estimates=estimates,
        found=weighing.faithfulness(segment, names, decided),
        remaining=remaining(segment, decided, masked_orders(estimates[0], draw)),
        activated=split.activated,
        overlapping=sum(map(len, also[0])),
        next=split.parts[0].unit if split.parts else None,
    )
