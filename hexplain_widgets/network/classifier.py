"""The door: a model with its transform and class names, and images of every kind."""

from __future__ import annotations

import copy
import re
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor, nn

from ..arguments import counted, is_finite, nearest, one_of, place_of_name
from ..evidence import Prediction
from .guest import check_welcome, renewed, running, same_randomness, visiting
from .images import batch_of, bytes_in_range, read_picture
from .layout import Rearrangement, checked_layouts
from .outputs import described
from .scores import KINDS, ScoredNetwork, ScoreReading, read_scores, saturated

# What torch and Python say where a forward is given too few inputs, or maps of a wrong size.
_INPUTS = re.compile(r"(missing|takes) .*(positional|keyword-only) argument|unexpected keyword")
_SIZES = re.compile(
    r"mat1 and mat2 shapes|[Oo]utput size is too small|[Kk]ernel size can't be greater"
    r"|size mismatch|must match the size of tensor|is invalid for input of size"
    r"|Sizes of tensors must match"
    r"|Padding size should be less|input size per channel"
)

# How far beyond black and white a prepared tensor may lie before it is said, in their distances:
# a transform that was merely assumed may be another than the user's.
FAR_GIVEN, FAR_ASSUMED = 1, 10
SEVERAL_LABELS = (
    "Labels name several classes of an image, and the scores are taken as logits of classes that"
    ' exclude one another: if they do not, say hx.Classifier(model, scores="multilabel").'
)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class PreparedImage:
    """One image as the network takes it, `x` `(1, C, H, W)`, and as it looks, `(H, W, 3)` uint8.

    `notes` say what was assumed of the picture, and what is unusual about a prepared tensor.
    """

    x: Float[Tensor, "1 c h w"]
    shown: UInt8[np.ndarray, "h w 3"]
    notes: tuple[str, ...] = ()


def notes_of(images: Iterable[PreparedImage]) -> tuple[str, ...]:
    """Return what is to be said of images, each once."""
    return tuple(dict.fromkeys(note for image in images for note in image.notes))


class Classifier:
    """A network with the transform that prepares its images and the names of its classes.

    The network runs in eval mode on its own device, in its own dtype, and is handed back as it
    came. `transform` takes a PIL image and returns a `(C, H, W)` tensor. Without one, a network
    of 1000 classes gets ImageNet's usual preparation and any other the plain 0..1 tensor; `notes`
    says so. `classes` is a sequence of names or a mapping from index to name. `layout` says by name
    how layers lie whose axes are not found by themselves: "nchw", "nhwc", "tokens" (a square grid,
    behind up to 5 others), or a function from their values `(N, ...)` to maps `(N, K, H, W)` that
    only picks and moves numbers. Raises TypeError for what is no `torch.nn.Module`, ValueError for
    a network that cannot be run as it is.
    """

    def __init__(
        self,
        model: Any,
        *,
        transform: Callable[[Any], Any] | None = None,
        classes: Sequence[str] | Mapping[int, str] | None = None,
        scores: str | None = None,
        output: int | str | None = None,
        layout: Mapping[str, str | Rearrangement] | None = None,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(
                f"got {type(model).__name__} as a model; expected a torch.nn.Module or a"
                " Classifier; pass the network itself"
            )
        # A compiled network is one fused whole; what it was made from can be looked into.
        self.model: nn.Module = getattr(model, "_orig_mod", model)
        check_welcome(self.model)
        self.scores = None if scores is None else one_of("scores", scores, KINDS)
        self.output = output
        self.layouts = checked_layouts(layout)
        self.reading: ScoreReading | None = None
        self._answered: tuple[weakref.ref[Tensor], Tensor] | None = None
        self.stage_notes: tuple[str, ...] = ()
        self.several_labels = False
        self.classes = _both_answers(_names(classes), scores)
        self._given = transform is not None
        self.transform, self._assumed = (
            (transform, ()) if transform is not None else _assumed_transform(self.model)
        )

    @classmethod
    def of(cls, model: Any) -> Classifier:
        """Return a Classifier as it is, and a bare module wrapped."""
        return model if isinstance(model, Classifier) else cls(model)

    def around(self, model: nn.Module) -> Classifier:
        """Return the same of another network with scores of the same kind: a copy of this one."""
        other = copy.copy(self)
        other.model = model
        return other

    def __getstate__(self) -> dict[str, Any]:
        """Return what copies and other processes get: all but the answer to the last image."""
        return {**self.__dict__, "_answered": None}

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed of the network, and from the first image on what its scores mean."""
        return (*self._assumed, *self.score_notes)

    @property
    def score_notes(self) -> tuple[str, ...]:
        """What is explained and shown where that is not simply what the network returns."""
        reading = self.reading
        if reading is None:
            return ()
        assumed = self.scores is None and reading.ending == "returned"
        doubtful = self.several_labels and assumed and reading.shown == "softmax"
        return (*reading.notes, *((SEVERAL_LABELS,) if doubtful else ()), *self.stage_notes)

    def __repr__(self) -> str:
        named = f"{len(self.classes)} classes" if self.classes else "classes without names"
        return f"Classifier({type(self.model).__name__}, {named})"

    @property
    def device(self) -> torch.device:
        """The device of the network's first parameter."""
        return self._like.device

    @property
    def dtype(self) -> torch.dtype:
        """The floating type of the network's first parameter."""
        return self._like.dtype

    @property
    def _like(self) -> Tensor:
        tensors = (*self.model.parameters(), *self.model.buffers())
        return next((t for t in tensors if t.is_floating_point()), torch.zeros(()))

    @property
    def in_channels(self) -> int:
        """Channels that the first convolution takes; 3 for a network without one."""
        convolution = next((m for m in self.model.modules() if isinstance(m, nn.Conv2d)), None)
        return convolution.in_channels if convolution is not None else 3

    @cached_property
    def _range(self) -> tuple[Tensor, Tensor] | None:
        """What black and white become, by channel; None where that depends on the image."""
        black, white = (self._flat_colour(level) for level in (0, 255))
        if black is None or white is None or bool((black == white).any()):
            return None
        return black, white

    def _range_of(self, x: Float[Tensor, "1 c h w"]) -> tuple[Tensor, Tensor] | None:
        """What black and white become in an image of these channels, where that is known."""
        known = self._range
        return known if known is not None and len(known[0]) == x.shape[1] else None

    def _flat_colour(self, level: int) -> Tensor | None:
        """What the transform makes of a picture of one grey, by channel, if anything."""
        picture = Image.new(self._mode, (256, 256), (level,) * len(self._mode))
        try:
            with np.errstate(all="ignore"):
                return self._transformed(picture)[0].float().flatten(1).median(dim=1).values
        except Exception:  # a transform of the user's may need contrast, and say so in any way
            return None

    def _black_and_white(self, x: Float[Tensor, "1 c h w"]) -> tuple[Tensor, Tensor]:
        """What black and white are in each channel; the image's extremes where nobody knows."""
        return self._range_of(x) or _extent(x)

    def _unusual(self, x: Float[Tensor, "1 c h w"]) -> tuple[str, ...]:
        """Say that a prepared tensor lies far outside what the transform makes of pictures."""
        known = self._range_of(x)
        if known is None:
            return ()
        ends = torch.stack(known)
        low, high = float(ends.min()), float(ends.max())
        own = float(x.min()), float(x.max())
        room = (FAR_GIVEN if self._given else FAR_ASSUMED) * (high - low)
        if low - room <= own[0] and own[1] <= high + room:
            return ()
        return (
            f"The tensor's values reach from {own[0]:.3g} to {own[1]:.3g}, where the transform"
            f" makes {low:.3g} to {high:.3g} of pictures; it was taken as it is. Pass the picture"
            " itself to have it prepared.",
        )

    @property
    def _mode(self) -> str:
        return "L" if self.in_channels == 1 else "RGB"

    def _transformed(self, picture: Image.Image) -> Tensor:
        with same_randomness():
            x = self.transform(picture)
        if not isinstance(x, Tensor):
            raise TypeError(
                f"the transform returned {type(x).__name__}; expected a tensor (C, H, W); end it"
                " with torchvision.transforms.ToTensor()"
            )
        return batch_of(x)

    def prepare(self, image: Any) -> PreparedImage:
        """Return an image of any kind as the network takes it and as it looks to a person.

        Raises TypeError, FileNotFoundError or ValueError for what is no image.
        """
        if isinstance(image, PreparedImage):
            return image
        given = isinstance(image, Tensor)
        x, notes = self.noted(image)
        return PreparedImage(x.to(self.device, self.dtype), self.shown(x, given=given), notes)

    def prepared(self, image: Any) -> Float[Tensor, "1 c h w"]:
        """Return an image of any kind as its transform or the user left it, on its own device."""
        return self.noted(image)[0]

    def noted(self, image: Any) -> tuple[Float[Tensor, "1 c h w"], tuple[str, ...]]:
        """Return the same, and what `PreparedImage.notes` says of it."""
        if isinstance(image, Tensor):
            x = batch_of(image)
            return x, self._unusual(x)
        picture = read_picture(image, mode=self._mode)
        return self._transformed(picture.pixels), picture.notes

    def shown(self, x: Float[Tensor, "1 c h w"], *, given: bool) -> UInt8[np.ndarray, "h w 3"]:
        """Return a prepared image as it looks; `given` says that the user prepared it."""
        if x.shape[1] not in (1, 3):
            grey = x.mean(1, keepdim=True)
            return bytes_in_range(grey, *_extent(grey))
        low, high = self._black_and_white(x)
        unit = (x[0].cpu().float() - low[:, None, None]) / (high - low)[:, None, None]
        if given and float((unit - 0.5).abs().max()) > 0.55:
            low, high = _extent(x)
        return bytes_in_range(x, low, high)

    def extent(
        self, x: Float[Tensor, "1 c h w"]
    ) -> tuple[Float[Tensor, "1 c 1 1"], Float[Tensor, "1 c 1 1"]]:
        """Return the least and the largest value of a picture in each channel of a prepared image.

        The image's own extremes where its transform does not say.
        """
        ends = torch.stack(self._black_and_white(x) if x.shape[1] in (1, 3) else _extent(x))
        low, high = ends.amin(0), ends.amax(0)
        return low.view(1, -1, 1, 1).to(x), high.view(1, -1, 1, 1).to(x)

    def read(self, x: Float[Tensor, "n ch h w"]) -> ScoreReading:
        """Return how the network's output is read, found on the first images that come.

        Raises ValueError for output without scores and for scores whose meaning is not known.
        """
        if self.reading is None:
            wanted = len(self.classes) if self.classes is not None else None
            with visiting(self.model), torch.no_grad():
                network = renewed(self.model)
                self.reading, own = read_scores(
                    network, x, kind=self.scores, output=self.output, wanted=wanted
                )
            self._answered = (weakref.ref(x), own)
        return self.reading

    def own_scores(self, x: Float[Tensor, "n ch h w"]) -> Float[Tensor, "n c"]:
        """Return the explained scores that a network as it came gives prepared images.

        Where they have just been read they are those. Call it inside `guest.visiting`, without
        gradients.
        """
        answered, self._answered = self._answered, None
        if answered is not None and answered[0]() is x:
            return answered[1]
        return self.scores_anew(x)

    def scores_anew(self, x: Float[Tensor, "n ch h w"]) -> Float[Tensor, "n c"]:
        """Return what `own_scores` does, from a run of the network in any case."""
        renewed(self.model)
        return self.scores_of(x)

    def scores_of(self, x: Float[Tensor, "n ch h w"]) -> Float[Tensor, "n c"]:
        """Return the explained scores of prepared images, differentiable where gradients are on.

        Unchecked, and without a visit: call it inside `guest.visiting`.
        """
        return self.read(x).of(running(self.model), x.clone())

    def scored(self, x: Float[Tensor, "n ch h w"]) -> nn.Module:
        """Return a module that answers with the explained scores, the model itself if it does."""
        reading = self.read(x)
        network = running(self.model)
        return network if reading.plain else ScoredNetwork(network, reading)

    def check_logits(self, logits: Any, x: Tensor) -> Float[Tensor, "n c"]:
        """Return explained scores if they are finite `(N, C)`; raises ValueError if not."""
        if not isinstance(logits, Tensor) or logits.ndim != 2 or logits.shape[0] != x.shape[0]:
            raise ValueError(
                f"{type(self.model).__name__} returned {described(logits)}; expected logits N x C;"
                " wrap it in a module whose forward returns only the class scores"
            )
        stuck = saturated(logits, self.read(x).ending)
        if stuck is not None:
            raise ValueError(self._why_saturated(stuck))
        if not is_finite(logits):
            raise ValueError(self._why_not_finite())
        if self.classes is not None and len(self.classes) != logits.shape[1]:
            raise ValueError(
                f"got {len(self.classes)} class names for {logits.shape[1]} logits; expected one"
                " name for each; check classes="
            )
        return logits

    def _why_saturated(self, index: int) -> str:
        return (
            f"{type(self.model).__name__} gives a probability of exactly 0 or 1 for class {index}:"
            f" it is saturated in {str(self.dtype).removeprefix('torch.')}, and nothing moves it;"
            " expected one between; let the network return its logits, or run it in float64:"
            " model.double()"
        )

    def _why_not_finite(self) -> str:
        state = self.model.state_dict().items()
        bad = [n for n, p in state if isinstance(p, Tensor) and not is_finite(p)]
        where = f"the weights {bad[0]} are not finite" if bad else "although its weights are finite"
        return (
            f"{type(self.model).__name__} gives NaN or infinite logits: {where}; expected finite"
            f" numbers; {'load the weights again' if bad else 'run it in float32: model.float()'}"
        )

    def logits(self, x: Float[Tensor, "n ch h w"]) -> Float[Tensor, "n c"]:
        """Return the explained scores of prepared images without a graph.

        Raises ValueError for a wrong number of channels and for output that is not finite scores.
        """
        with visiting(self.model), torch.no_grad(), self.fitting(x):
            out = self.scores_of(x)
        return self.check_logits(out, x)

    @contextmanager
    def fitting(self, x: Tensor) -> Iterator[None]:
        """Run the body; raises ValueError where the network does not take images like these."""
        try:
            yield
        except (RuntimeError, TypeError) as cause:
            error = self._misfit(x, str(cause))
            if error is None:
                raise
            raise error from cause

    def _misfit(self, x: Tensor, cause: str) -> ValueError | None:
        """Return the error for images that the network does not take; None for other causes."""
        name, size = type(self.model).__name__, f"{x.shape[2]} x {x.shape[3]}"
        if _INPUTS.search(cause):
            return ValueError(
                f"{name} could not be called with an image alone ({cause:.120}); a forward that"
                " takes one batch of images was expected; wrap it in a module that gives the other"
                " inputs, or names this one"
            )
        if x.shape[1] != self.in_channels:
            return ValueError(
                f"got an image of {counted(x.shape[1], 'channel')}; {name} expects"
                f" {self.in_channels}; convert the image (PIL: image.convert('RGB') or 'L')"
            )
        if _SIZES.search(cause):
            return ValueError(
                f"got an image of {size} pixels, whose size {name} does not take ({cause:.120}); an"
                " image of the size that it was trained on was expected; give the classifier a"
                " transform that resizes: hx.Classifier(model, transform=...)"
            )
        return None

    def predict(self, image: Any, top: int = 5) -> list[tuple[int, str, float]]:
        """Return the `top` classes of an image as `(index, name, probability)`, likeliest first."""
        logits = self.logits(self.prepare(image).x)[0]
        return [tuple(p) for p in self.ranked(logits, top)]

    def ranked(self, logits: Float[Tensor, " c"], top: int) -> list[Prediction]:
        """Return the `top` predictions of one row of scores, likeliest first."""
        order = torch.argsort(logits.float(), descending=True, stable=True)[:top]
        return [self.prediction(logits, int(i)) for i in order]

    def prediction(self, logits: Float[Tensor, " c"], index: int) -> Prediction:
        """Return one class of a row of scores, with the probability that the network means."""
        row = logits.double()
        chance = self.probabilities(row)[index]
        return Prediction(index, self.name(index), float(chance), float(row[index]))

    def probabilities(self, logits: Float[Tensor, "*n c"]) -> Float[Tensor, "*n c"]:
        """Return the probabilities that scores of this network stand for."""
        return self._known.probabilities(logits)

    def log_probabilities(self, logits: Float[Tensor, "*n c"]) -> Float[Tensor, "*n c"]:
        """Return the logarithms of the probabilities that scores of this network stand for."""
        return self._known.log_probabilities(logits)

    def findings(self, logits: Float[Tensor, "n c"]) -> list[tuple[int, ...]]:
        """Return the classes that the network finds in each image.

        One, or those of a probability above a half where they do not exclude one another.
        """
        return self._known.named(logits)

    @property
    def finds_several(self) -> bool:
        """Whether classes do not exclude one another, so that an image may have any number."""
        return not self.read_as_two and self._known.shown == "sigmoid"

    @property
    def read_as_two(self) -> bool:
        """Whether the network's only output decides between two classes."""
        return self.reading is not None and self.reading.two

    @property
    def class_count(self) -> int | None:
        """How many classes there are, None while neither names nor an image say it."""
        if self.reading is not None:
            return self.reading.classes
        return len(self.classes) if self.classes is not None else None

    @property
    def _known(self) -> ScoreReading:
        if self.reading is None:
            raise ValueError(
                "got scores before the network saw an image; expected those of this classifier;"
                " ask classifier.logits(x) first"
            )
        return self.reading

    def name(self, index: int) -> str:
        """Return the name of a class, `class 7` where names were not given."""
        return self.classes[index] if self.classes else f"class {index}"

    def index_of(self, target: int | str, count: int) -> int:
        """Return the index of a class given by name or index; raises ValueError, IndexError."""
        if isinstance(target, str):
            return self._index_of_name(target, count)
        index = int(target)
        if not 0 <= index < count:
            raise IndexError(
                f"got class {index}; expected an index from 0 to {count - 1};"
                " see classifier.predict"
            )
        return index

    def _index_of_name(self, name: str, count: int) -> int:
        if self.classes is None:
            own = [i for i in range(count) if self.name(i) == name]
            if own:
                return own[0]
            raise ValueError(
                f"got the class name {name!r}, but this classifier knows no names; expected an"
                " index; or give hx.Classifier(model, classes=[...])"
            )
        indices = [i for i, known in enumerate(self.classes) if known == name]
        meant = place_of_name(name, self.classes)
        if meant is not None:
            return meant
        if indices:
            raise ValueError(
                f"got the class name {name!r}, which stands for {len(indices)} classes; expected"
                f" one; give its index: {', '.join(map(str, indices))}"
            )
        raise ValueError(
            f"got the unknown class {name!r}; expected one of {len(self.classes)} names;"
            f" the nearest are {nearest(name, self.classes)}"
        )


def _names(classes: Sequence[str] | Mapping[int, str] | None) -> tuple[str, ...] | None:
    if classes is None:
        return None
    if isinstance(classes, str):
        raise TypeError(
            f"got the text {classes!r} as classes; expected a list of names; put it in brackets"
        )
    if not isinstance(classes, Mapping):
        return tuple(str(c) for c in classes)
    missing = set(range(len(classes))) - set(classes)
    if missing:
        raise ValueError(
            f"got class names by index without {min(missing)}; expected every index from 0 to"
            f" {len(classes) - 1}; fill the gaps"
        )
    return tuple(str(classes[i]) for i in range(len(classes)))


def _both_answers(names: tuple[str, ...] | None, scores: str | None) -> tuple[str, ...] | None:
    """Return names as they are; beside the only one, what it is not: one output answers both."""
    if names is None or len(names) != 1 or scores == "multilabel":
        return names
    return f"not {names[0]}", names[0]


def _class_count(model: nn.Module) -> int | None:
    sizes = [
        m.out_features if isinstance(m, nn.Linear) else m.out_channels
        for m in model.modules()
        if isinstance(m, nn.Linear | nn.Conv2d)
    ]
    return sizes[-1] if sizes else None


def _assumed_transform(model: nn.Module) -> tuple[Callable[[Any], Any], tuple[str, ...]]:
    # here, for loading torchvision takes as long as torch itself
    from torchvision.transforms import v2

    to_tensor = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    if _class_count(model) == 1000:
        steps = [v2.Resize(256), v2.CenterCrop(224), *to_tensor]
        note = "No transform was given: ImageNet's usual one (224 pixels, normalised) is assumed."
        return v2.Compose([*steps, v2.Normalize(IMAGENET_MEAN, IMAGENET_STD)]), (note,)
    note = "No transform was given: pixels from 0 to 1 at the image's own size are assumed."
    return v2.Compose(to_tensor), (note,)


def _extent(x: Tensor) -> tuple[Tensor, Tensor]:
    flat = x[0].float().cpu().flatten(1)
    low, high = flat.min(), flat.max()
    high = torch.maximum(high, low + 1e-6)
    return low.expand(len(flat)), high.expand(len(flat))
