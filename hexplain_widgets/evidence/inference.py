"""How concepts of one level rest on concepts of the next: decisions inferred down to colors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Int, UInt8

from .base import Evidence, Layer, Prediction, Provenance, at_path, walk_below, with_below

# how far from a guess to a perfect classifier a concept's comes at least, to be called recognised
LEAST_SKILL = 0.05


@dataclass(frozen=True, eq=False)
class InferredConcept(Evidence):
    """One concept and those of the next level that it rests on (CHAIN, Eq. 19).

    `weight` is the contribution weight alpha of this concept to its parent, per unit length of its
    own direction, `share` its part of the absolute weights of all of the parent's children with
    the same sign; both 1 at the root. `heatmap` is the concept's map at the layer's resolution
    (Eq. 4), None where a class-level inference has no single image. `unexplained` is the share of
    the squared length of the concept's inference weights (Eq. 8) that its children leave, in 0..1;
    None where it was not inferred further. `precision` is the held-out average precision of the
    concept's harmonising, `chance` that of a guess (the share of cells labelled with it); None at
    the root. `estimates` are what each channel of the next level's layer adds to the concept by
    the inference, its weight times its mean (Eq. 3 and 8), None where it was not inferred further;
    of a class, means over images. `agreement` is their correlation with what the concept loses
    without each channel, where that was measured, `agreement_rest` the same without the channel
    furthest from the others. `found_in` are the numbers of those images of a
    class in which the concept was found. `flag` says in words what makes it doubtful.
    """

    concept: str
    level: str
    layer: str
    weight: float
    share: float
    heatmap: Float[np.ndarray, "H W"] | None = None
    unexplained: float | None = None
    precision: float | None = None
    chance: float | None = None
    estimates: Float[np.ndarray, " k"] | None = None
    agreement: float | None = None
    found_in: tuple[int, ...] = (0,)
    flag: str | None = None
    children: tuple[InferredConcept, ...] = ()
    agreement_rest: float | None = None

    @property
    def count(self) -> int:
        """In how many images the concept was found."""
        return len(self.found_in)

    @property
    def hardly_recognised(self) -> bool:
        """Whether the concept's classifier is known to be hardly better than a guess.

        Its held-out average precision comes less than `LEAST_SKILL` of the way from chance to 1.
        """
        if self.precision is None or self.chance is None:
            return False
        return self.precision - self.chance < LEAST_SKILL * (1 - self.chance)

    def walk(self, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], InferredConcept]]:
        """Yield `(path, concept)` of this one and all below it, parents first."""
        return walk_below(self, path)


@dataclass(frozen=True, eq=False)
class ConceptInference(Evidence):
    """A decision inferred from scene down to color (CHAIN, Fig. 3-7), of one image or of a class.

    `image` is what the network saw (of a class: its first image), `images` thumbnails of all that
    were explained. `levels` run from coarse to fine, `layers[level]` is the layer of each.
    `name` is what the set of images is called.
    """

    image: UInt8[np.ndarray, "h w 3"]
    target: Prediction
    levels: tuple[str, ...]
    layers: Mapping[str, Layer]
    root: InferredConcept
    provenance: Provenance
    images: tuple[UInt8[np.ndarray, "_h _w 3"], ...] = ()
    name: str = ""
    notes: tuple[str, ...] = ()

    def node(self, path: tuple[int, ...]) -> InferredConcept:
        """Return the concept at `path`, child indices from the root; raises IndexError."""

        def missing(here: InferredConcept) -> str:
            return (
                f"no concept at path {path}: {here.concept} rests on {len(here.children)}; take"
                " an index below that"
            )

        concept: InferredConcept = at_path(self.root, path, missing)
        return concept

    def with_node(self, path: tuple[int, ...], concept: InferredConcept) -> ConceptInference:
        """Return the same inference with the concept at `path` replaced; raises IndexError."""
        self.node(path)
        return replace(self, root=with_below(self.root, path, concept))


@dataclass(frozen=True, eq=False)
class InferenceComparison(Evidence):
    """Inference weights of sets of images, in space (CHAIN, Fig. 8-11 and Eq. 23-25).

    `points[n]` are the first three principal components of the inference weights of image `n`, at
    unit length or as they are, as `weights` says ("unit", "raw"), `sets[n]` is which of `names` it
    belongs to. `distances[s, t]` is the distance between the centres of two sets (Eq. 25), on the
    diagonal the mean distance of a set's images from its centre (Eq. 23). `explained_variance` are
    shares. `concepts[s]` is what was inferred in each set, at `level`. `p_values[s, t]` says how
    often sets drawn at random from both lie as far apart (permutation test), 1 on the diagonal.
    `images` are thumbnails, in the order of the points. `estimates[n]` are what each channel adds
    to the concept in image `n` by the inference, and `agreements[n]` is their correlation with what
    it loses without each, None where that was not measured; empty where none was; `agreement_rests`
    are the same without the channel furthest from the others.
    """

    points: Float[np.ndarray, "n 3"]
    sets: Int[np.ndarray, " n"]
    names: tuple[str, ...]
    concepts: tuple[str, ...]
    level: str
    distances: Float[np.ndarray, "s s"]
    explained_variance: Float[np.ndarray, " 3"]
    provenance: Provenance
    p_values: Float[np.ndarray, "s s"] | None = None
    images: tuple[UInt8[np.ndarray, "_h _w 3"], ...] = ()
    inferences: tuple[ConceptInference, ...] = ()
    estimates: Float[np.ndarray, "n k"] | None = None
    agreements: tuple[float | None, ...] = ()
    flags: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    agreement_rests: tuple[float | None, ...] = ()
    weights: str = "unit"
