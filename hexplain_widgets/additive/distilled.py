"""A finished additive explainer: all that is needed to explain an image, without the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..fitting.states import Arrays, Settings, load_state, save_state
from ..network.guest import same_randomness
from .additive_fit import AdditiveFit, Elements
from .distillation import Distillation
from .explainer_nets import Explainer, Maker
from .rows import Origin, origin_of

KIND = "AdditiveExplainer"
OURS, PLAIN = "ours", "plain"


@dataclass(frozen=True, eq=False)
class Distilled:
    """Explainers of one output, with and (once it was asked for) without the prior.

    `deviation` and `plain_deviation` are their mean relative deviations on held-out images, `span`
    the lowest and the highest score of the data.
    """

    origin: Origin
    elements: Elements
    ours: Explainer
    deviation: float
    span: tuple[float, float]
    images: int
    plain: Explainer | None = None
    plain_deviation: float | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, fit: AdditiveFit, ours: Distillation, notes: tuple[str, ...]) -> Distilled:
        """Return what a finished fit found."""
        scores = fit.seen.scores
        return cls(
            fit.rows.origin, fit.elements, ours.explainer, fit.deviation(ours),
            (float(scores.min()), float(scores.max())), fit.rows.images,
            notes=(*notes, *fit.elements.notes, *_without_prior(fit)),
        )  # fmt: skip

    def with_plain(self, fit: AdditiveFit, plain: Distillation) -> Distilled:
        """Return the same with a finished plain distillation."""
        return replace(self, plain=plain.explainer, plain_deviation=fit.deviation(plain))

    def save(
        self, path: str | Path, settings: Mapping[str, Any], more: Mapping[str, np.ndarray]
    ) -> Path:
        """Write everything, an engine's settings and more arrays to a file in one step."""
        own = {
            "engine": dict(settings), "origin": asdict(self.origin), "names": self.elements.names,
            "deviation": self.deviation, "span": self.span, "images": self.images,
            "plain_deviation": self.plain_deviation, "notes": self.notes,
            "element_notes": self.elements.notes,
            "shapes": {n: _shape(e) for n, e in self._explainers()},
        }  # fmt: skip
        return save_state(path, KIND, own, {**dict(self._arrays()), **more}.items())

    def _explainers(self) -> Iterator[tuple[str, Explainer]]:
        yield OURS, self.ours
        if self.plain is not None:
            yield PLAIN, self.plain

    def _arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        yield "used", self.elements.used.astype(np.int64)
        yield "owners", self.elements.owners.astype(np.int64)
        yield "scales", self.elements.scales
        for name, explainer in self._explainers():
            for part, tensor in explainer.state_dict().items():
                yield f"{name}.{part}", tensor.detach().cpu().numpy()

    @classmethod
    def from_state(cls, settings: Settings, arrays: Arrays, maker: Maker) -> Distilled:
        """Return what `save` wrote; raises what the conversion of its fields raises."""
        elements = Elements(
            tuple(map(str, settings["names"])), np.array(arrays["used"]),
            np.array(arrays["owners"]), np.array(arrays["scales"]),
            tuple(map(str, settings["element_notes"])),
        )  # fmt: skip
        origin = origin_of(settings["origin"])
        explainers = {
            name: _restored(name, shape, origin, elements, arrays, maker)
            for name, shape in settings["shapes"].items()
        }
        low, high = map(float, settings["span"])
        plain = settings["plain_deviation"]
        return cls(
            origin, elements, explainers[OURS], float(settings["deviation"]), (low, high),
            int(settings["images"]), explainers.get(PLAIN), None if plain is None else float(plain),
            tuple(map(str, settings["notes"])),
        )  # fmt: skip


def load_distilled(path: str | Path) -> tuple[Settings, Arrays]:
    """Return the settings and arrays of a saved explainer; raises like `load_state`."""
    return load_state(path, KIND)


def _shape(explainer: Explainer) -> dict[str, float | bool]:
    return {
        "loudness": explainer.loudness,
        "unit": explainer.unit,
        "positive": explainer.positive,
    }


def _restored(
    name: str,
    shape: Mapping[str, Any],
    origin: Origin,
    elements: Elements,
    arrays: Arrays,
    maker: Maker,
) -> Explainer:
    count, before = len(elements.used), f"{name}."
    with torch.inference_mode(False), same_randomness():
        found = Explainer(
            maker(origin.layer.shape[0], count), outputs=count, loudness=float(shape["loudness"]),
            unit=float(shape["unit"]), positive=bool(shape["positive"]),
        )  # fmt: skip
        found.load_state_dict(_below(before, arrays))
    return found.eval()


def _below(before: str, arrays: Arrays) -> dict[str, torch.Tensor]:
    return {
        n.removeprefix(before): torch.from_numpy(np.array(a))
        for n, a in arrays.items()
        if n.startswith(before)
    }


def _without_prior(fit: AdditiveFit) -> tuple[str, ...]:
    count = fit.without_prior()
    if not count or not fit.schedule.beta:
        return ()
    return (
        f"In {count} of {len(fit.seen)} images no concept has a prior weight: theirs was left out.",
    )
