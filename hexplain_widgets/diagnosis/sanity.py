"""Randomisation tests: whether attribution maps change where the network does (Fig. 8)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn
from tqdm.auto import tqdm

from ..arguments import at_least_one, one_of
from ..data.samples import Sample, batches, length_of
from ..decomposition.decisions import checked_top_k
from ..evidence import Provenance, RandomisationSummary
from ..evidence.faithfulness import spearman
from ..fitting.passes import until_stopped
from ..network.classifier import Classifier
from ..provenance import versions
from .pixel_attributions import METHODS, SAMPLES, PixelAttribution, pixel_map
from .redrawing import Redrawn
from .step_summary import standard_error

# Of a network with more layers, so many places of the cascade are looked at.
PLACES = 10
# Of every map so large a share of pixels, its strongest, is looked for among the other map's.
STRONGEST = 0.05
Stop = Callable[[], bool]
Rows = Float[np.ndarray, "m n"]
Map = Float[np.ndarray, "h w"]


class _Seen(NamedTuple):
    """What one image gave: how its maps agree, a row for each method, a column for each network."""

    correlations: Rows
    shared: Rows
    shares: Float[np.ndarray, "1 n"]
    covered: Float[np.ndarray, "m 1"]


def measure_randomisation(
    model: nn.Module | Classifier,
    images: Any,
    *,
    methods: Sequence[str] = tuple(METHODS),
    counts: Sequence[int] | None = None,
    layers: Collection[str] | None = None,
    top_k: int = 3,
    samples: int = SAMPLES,
    signed: bool = False,
    other: nn.Module | Classifier | None = None,
    seed: int = 0,
    progress: bool = True,
    stopped: Stop | None = None,
) -> RandomisationSummary:
    """Return how far attribution maps stay as they are when a network's weights are drawn anew.

    `images` is any data of images; each is explained for the class it is named. Copies of the
    network have their topmost layers drawn anew, as many as `counts` says (default: each, or some
    spread evenly over a deep network), cascading from the top down (Adebayo et al. 2018). `methods`
    are some of "gAP", "gradient", "SmoothGrad", "guided backpropagation" and "integrated
    gradients", at the pixels; `layers` and `top_k` are gAP's, `samples` SmoothGrad's copies and the
    steps of integrated gradients. Maps are sums over colours, of absolute values unless `signed`.
    Maps of few pixels correlate less by that alone; so the strongest pixels of all methods' maps,
    as many of each, are counted that stay among the strongest (`shared_strongest`): 5 % of the
    image, or as many as the sparsest map has. `other` is another network of the same classes to
    hold the maps against, as one trained on permuted labels (Adebayo's second test); with it
    `counts` may be empty. An interrupt, or `stopped` saying so, ends it after the images so far.
    Raises ValueError where there is no image, for an unknown method and for numbers of layers that
    the network does not have; what a Classifier raises.
    """
    settings = {
        "layers": layers,
        "top_k": checked_top_k(top_k),
        "samples": at_least_one("samples", samples),
        "seed": seed,
    }
    asked = _Asking(Classifier.of(model), methods, counts, other, signed, settings)
    notes: list[str] = []
    rows = list(until_stopped(asked.each(images, progress), stopped, notes))
    return asked.summary(rows, notes)


class _Asking:
    """Asks one network, and copies of it with weights drawn anew, about image after image."""

    def __init__(
        self,
        classifier: Classifier,
        methods: Sequence[str],
        counts: Sequence[int] | None,
        other: nn.Module | Classifier | None,
        signed: bool,
        settings: Mapping[str, Any],
    ) -> None:
        self.classifier = classifier
        self.methods = tuple(one_of("methods", name, tuple(METHODS)) for name in methods)
        self._asked, self._counts = counts, tuple[int, ...]()
        self._signed, self._settings = signed, settings
        self._own = self._attribution(classifier)
        self._other = None if other is None else self._attribution(Classifier.of(other))
        self._redrawn: Redrawn | None = None
        self._anew: dict[int, PixelAttribution] = {}

    def _attribution(self, classifier: Classifier) -> PixelAttribution:
        return PixelAttribution(classifier, **self._settings)

    def each(self, images: Any, progress: bool) -> Iterator[_Seen]:
        """Yield how each image's maps agree; `other`'s column is the last."""
        with tqdm(total=length_of(images), unit="image", disable=not progress) as bar:
            for batch in batches(images, self.classifier, size=1):
                yield self._seen(batch.x, batch.samples[0])
                bar.update()

    def _seen(self, x: Float[Tensor, "1 c h w"], sample: Sample) -> _Seen:
        index = int(self.classifier.logits(x)[0].argmax())
        redrawn = self._copy(x)
        before = self._maps(self._own, x, index, sample.key)
        columns = []
        for count in self._counts:
            redrawn.turn(count)
            columns.append(self._maps(self._anew[count], x, index, sample.key))
        if self._other is not None:
            columns.append(self._maps(self._other, x, index, sample.key))
        return _compared(before, columns)

    def _copy(self, x: Tensor) -> Redrawn:
        """Return the copy of the network; each depth of the cascade is looked into by itself."""
        if self._redrawn is None:
            redrawn = Redrawn(self.classifier.model, x, seed=int(self._settings["seed"]))
            self._counts = _places(self._asked, len(redrawn.layers), self._other is not None)
            anew = Classifier(
                redrawn.model, transform=self.classifier.transform, classes=self.classifier.classes
            )
            self._anew = {count: self._attribution(anew) for count in self._counts}
            self._redrawn = redrawn
        return self._redrawn

    def _maps(self, asked: PixelAttribution, x: Tensor, index: int, key: bytes) -> list[Map]:
        return [
            pixel_map(asked.of(name, x, index, key), signed=self._signed) for name in self.methods
        ]

    def summary(self, rows: Sequence[_Seen], notes: Sequence[str]) -> RandomisationSummary:
        """Return what all images gave, each mean over the images where it is defined."""
        if not rows or self._redrawn is None:
            raise ValueError(
                "got no image; expected at least one; pass an image in a list, or data with some,"
                " and let the first one be finished"
            )
        seen = _Seen(*(np.array(values) for values in zip(*rows, strict=True)))
        means, errors, counted = _over_images(seen.correlations)
        shared, shared_errors, _ = _over_images(seen.shared)
        chance = _over_images(seen.shares)[0][0]
        ends = len(self._counts)
        against = self._other is not None
        return RandomisationSummary(
            images=len(rows),
            methods=self.methods,
            layers=tuple(layer[0] for layer in self._redrawn.layers),
            counts=np.array(self._counts, np.int64),
            correlations=means[:, :ends],
            errors=errors[:, :ends],
            counted=counted[:, :ends],
            shared=shared[:, :ends],
            shared_errors=shared_errors[:, :ends],
            chance=chance[:ends],
            covered=seen.covered[..., 0].mean(0),
            other=means[:, ends] if against else None,
            other_errors=errors[:, ends] if against else None,
            other_counted=counted[:, ends] if against else None,
            other_shared=shared[:, ends] if against else None,
            other_shared_errors=shared_errors[:, ends] if against else None,
            other_chance=float(chance[ends]) if against else None,
            provenance=self._provenance(),
            notes=(*self.classifier.notes, *_kept(self._redrawn), *notes),
        )

    def _provenance(self) -> Provenance:
        layers = self._settings["layers"]
        return Provenance(
            method="cascading randomisation of parameters",
            model=type(self.classifier.model).__name__,
            target="the class that each image is given",
            settings={
                "layers": None if layers is None else tuple(layers),
                "top_k": self._settings["top_k"],
                "samples": self._settings["samples"],
                "signed": self._signed,
            },
            seed=self._settings["seed"],
            versions=versions(),
        )


def shared_strongest(one: Map, other: Map, count: int) -> float:
    """Return the share of a map's `count` strongest pixels that are among as many of another's.

    Strong is what is large without its sign; pixels that tie for the last places have equal parts
    of them. Of maps that know nothing of each other it is `count` by the number of pixels.
    """
    return float(np.minimum(_strongest(one, count), _strongest(other, count)).sum() / count)


def _strongest(values: Map, count: int) -> Map:
    """Return how far each pixel is one of the strongest, 0 to 1; the sum is `count`."""
    sizes = np.abs(values)
    edge = np.partition(sizes, -count, axis=None)[-count]
    above, last = sizes > edge, sizes == edge
    found: Map = above + last * (count - above.sum()) / last.sum()
    return found


def _compared(before: Sequence[Map], columns: Sequence[Sequence[Map]]) -> _Seen:
    """Compare every method's map with those of other networks; NaN where one is flat."""
    shape = len(before), len(columns)
    correlations, shared = np.full(shape, np.nan), np.full(shape, np.nan)
    shares = np.full((1, len(columns)), np.nan)
    for n, column in enumerate(columns):
        pairs = {
            m: pair
            for m, pair in enumerate(zip(before, column, strict=True))
            if all(np.ptp(one) > 0 for one in pair)
        }
        count = _alike([one for pair in pairs.values() for one in pair])
        if pairs:
            shares[0, n] = count / before[0].size
        for m, (one, other) in pairs.items():
            correlations[m, n] = spearman(one.ravel(), other.ravel())
            shared[m, n] = shared_strongest(one, other, count)
    covered = np.array([[np.count_nonzero(one) / one.size] for one in before])
    return _Seen(correlations, shared, shares, covered)


def _alike(maps: Sequence[Map]) -> int:
    """Return how many of the strongest pixels all maps have: 5 % of them, or the fewest not 0."""
    return min(
        (min(max(round(STRONGEST * one.size), 1), int(np.count_nonzero(one))) for one in maps),
        default=0,
    )


def _places(counts: Sequence[int] | None, layers: int, against: bool) -> tuple[int, ...]:
    if counts is None:
        places = np.linspace(1, layers, min(PLACES, layers)).round().astype(int)
        return tuple(np.unique(places).tolist())
    wrong = [n for n in counts if not 0 <= n <= layers]
    if wrong or not (counts or against):
        raise ValueError(
            f"got {wrong[0] if wrong else 'no number'} in counts= of layers to draw anew; expected"
            f" 0 to {layers}, the layers with weights; leave it out for some spread evenly"
        )
    return tuple(int(n) for n in counts)


def _kept(redrawn: Redrawn) -> tuple[str, ...]:
    if not redrawn.kept:
        return ()
    names = ", ".join(redrawn.kept[:5])
    return (f"{len(redrawn.kept)} modules cannot draw their weights anew and keep them: {names}.",)


def _over_images(
    rows: Float[np.ndarray, "i m n"],
) -> tuple[Rows, Rows, Any]:
    """Return means, standard errors and how many images there are, of values that are defined."""
    defined = np.isfinite(rows)
    means, errors = np.zeros(rows.shape[1:]), np.zeros(rows.shape[1:])
    for m, n in np.ndindex(*rows.shape[1:]):
        some = rows[defined[:, m, n], m, n]
        if len(some):
            means[m, n] = some.mean()
            errors[m, n] = standard_error(some[:, None])[0]
    return means, errors, defined.sum(0)
