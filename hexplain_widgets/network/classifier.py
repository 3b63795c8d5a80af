"""The door: a model with its transform and class names, and images of every kind."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor, nn

from ..arguments import check_finite, is_finite, nearest
from ..evidence import Prediction
from .guest import check_welcome, same_randomness, visiting

_KINDS = "a path, a PIL image, a numpy array (H x W x 3) or a tensor (3 x H x W, preprocessed)"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def picture_of(image: Any, *, mode: str = "RGB") -> Image.Image:
    """Return a path, PIL image or numpy array as a PIL image of this mode, upright.

    Arrays are `H x W x 3` or `H x W`, uint8 or float in 0..1. Raises FileNotFoundError, TypeError
    for what is no image, ValueError for an array of another shape, range or type.
    """
    if isinstance(image, str | os.PathLike):
        image = _read(Path(image))
    elif isinstance(image, np.ndarray):
        image = Image.fromarray(_bytes_of(image))
    if not isinstance(image, Image.Image):
        raise TypeError(
            f"got {type(image).__name__} as an image; expected {_KINDS}; convert it to one of these"
        )
    return ImageOps.exif_transpose(image).convert(mode)


def _read(path: Path) -> Image.Image:
    if not path.is_file():
        raise FileNotFoundError(
            f"no file at {str(path)!r}; expected a picture there; check the path, relative paths"
            f" start at {str(Path.cwd())!r}"
        )
    try:
        with Image.open(path) as opened:
            opened.load()
            return opened
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as cause:
        raise ValueError(
            f"{str(path)!r} is not a picture that can be read ({cause}); expected a PNG, JPEG or"
            " other format that Pillow knows; open it in a viewer, or save it again as PNG"
        ) from cause


def _bytes_of(array: np.ndarray[Any, Any]) -> UInt8[np.ndarray, " ..."]:
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise ValueError(
            f"got a numpy image of shape {array.shape}; expected (H, W, 3) or (H, W); move the"
            " channels to the end with array.transpose(1, 2, 0), or drop the extra ones"
        )
    if 0 in array.shape:
        raise ValueError(f"got an empty image of shape {array.shape}; expected pixels; check it")
    if array.dtype == np.uint8:
        return array
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(
            f"got a numpy image of {array.dtype}; expected uint8, or floats from 0 to 1; convert"
            " it with array.astype('uint8')"
        )
    low, high = float(np.min(array)), float(np.max(array))
    if not (low >= 0.0 and high <= 1.0):
        raise ValueError(
            f"got a float image with values from {low:.3g} to {high:.3g}; expected 0 to 1; divide"
            " by 255, or pass a preprocessed image as a tensor"
        )
    return np.asarray(np.round(array * 255), dtype=np.uint8)


def batch_of(image: Tensor) -> Float[Tensor, "1 c h w"]:
    """Return a preprocessed tensor `3 x H x W` or `1 x 3 x H x W` as a batch of one.

    Raises ValueError for another shape, for integers and for values that are not finite.
    """
    if image.ndim not in (3, 4) or (image.ndim == 4 and image.shape[0] != 1) or 0 in image.shape:
        raise ValueError(
            f"got a tensor of shape {tuple(image.shape)}; expected one preprocessed image,"
            " 3 x H x W or 1 x 3 x H x W; pick one from the batch with x[i]"
        )
    if not image.is_floating_point():
        raise ValueError(
            f"got a tensor of {image.dtype}; a tensor is taken as already preprocessed, in floats;"
            " pass the picture itself (path, PIL image, uint8 array) to have it prepared"
        )
    check_finite(
        "got an image with",
        image,
        remedy="check how it was normalised (a standard deviation of 0?)",
    )
    return image.detach().reshape(1, *image.shape[-3:])


def bytes_in_range(
    x: Float[Tensor, "1 c h w"], low: Float[Tensor, " c"], high: Float[Tensor, " c"]
) -> UInt8[np.ndarray, "h w 3"]:
    """Return a prepared image as it looks: `low` becomes black, `high` white, per channel."""
    span = (high - low)[:, None, None]
    unit = (x[0].float().cpu() - low[:, None, None]) / span
    rgb = unit if unit.shape[0] == 3 else unit.mean(0, keepdim=True).expand(3, -1, -1)
    return (rgb.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()


def thumbnail(shown: UInt8[np.ndarray, "h w 3"], side: int = 96) -> UInt8[np.ndarray, "_h _w 3"]:
    """Return an image shrunk to at most `side` pixels a side; a smaller one as it is."""
    whole = Image.fromarray(np.ascontiguousarray(shown))
    whole.thumbnail((side, side), Image.Resampling.BILINEAR)
    return np.array(whole)


@dataclass(frozen=True)
class PreparedImage:
    """One image as the network takes it, `x` `(1, C, H, W)`, and as it looks, `(H, W, 3)` uint8."""

    x: Float[Tensor, "1 c h w"]
    shown: UInt8[np.ndarray, "h w 3"]


class Classifier:
    """A network with the transform that prepares its images and the names of its classes.

    The network runs in eval mode on its own device, in its own dtype, and is handed back as it
    came. `transform` takes a PIL image and returns a `(C, H, W)` tensor. Without one, a network
    of 1000 classes gets ImageNet's usual preparation and any other the plain 0..1 tensor; `notes`
    says so. `classes` is a sequence of names or a mapping from index to name. Raises TypeError
    for what is no `torch.nn.Module`, ValueError for a network that cannot be run as it is.
    """

    def __init__(
        self,
        model: Any,
        *,
        transform: Callable[[Any], Any] | None = None,
        classes: Sequence[str] | Mapping[int, str] | None = None,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(
                f"got {type(model).__name__} as a model; expected a torch.nn.Module or a"
                " Classifier; pass the network itself"
            )
        # A compiled network is one fused whole; what it was made from can be looked into.
        self.model: nn.Module = getattr(model, "_orig_mod", model)
        check_welcome(self.model)
        self.classes = _names(classes)
        self.transform, self.notes = (
            (transform, ()) if transform is not None else _assumed_transform(self.model)
        )

    @classmethod
    def of(cls, model: Any) -> Classifier:
        """Return a Classifier as it is, and a bare module wrapped."""
        return model if isinstance(model, Classifier) else cls(model)

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
    def _range(self) -> tuple[Tensor, Tensor]:
        low, high = (self._flat_colour(level) for level in (0, 255))
        return low, high

    def _flat_colour(self, level: int) -> Tensor:
        x = self._transformed(Image.new(self._mode, (256, 256), (level,) * len(self._mode)))
        return x[0].float().flatten(1).median(dim=1).values

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
        x = self.prepared(image)
        shown = self.shown(x, given=isinstance(image, Tensor))
        return PreparedImage(x.to(self.device, self.dtype), shown)

    def prepared(self, image: Any) -> Float[Tensor, "1 c h w"]:
        """Return an image of any kind as its transform or the user left it, on its own device."""
        if isinstance(image, Tensor):
            return batch_of(image)
        return self._transformed(picture_of(image, mode=self._mode))

    def shown(self, x: Float[Tensor, "1 c h w"], *, given: bool) -> UInt8[np.ndarray, "h w 3"]:
        """Return a prepared image as it looks; `given` says that the user prepared it."""
        if x.shape[1] not in (1, 3):
            return bytes_in_range(x.mean(1, keepdim=True), *_extent(x.mean(1, keepdim=True)))
        low, high = self._range
        if bool((high <= low).any()) or len(low) != x.shape[1]:
            low, high = _extent(x)
        outside = (
            (x[0].cpu().float() - low[:, None, None]) / (high - low)[:, None, None] - 0.5
        ).abs()
        if given and float(outside.max()) > 0.55:
            low, high = _extent(x)
        return bytes_in_range(x, low, high)

    def extent(
        self, x: Float[Tensor, "1 c h w"]
    ) -> tuple[Float[Tensor, "1 c 1 1"], Float[Tensor, "1 c 1 1"]]:
        """Return what black and white are to the network in each channel of a prepared image.

        The image's own extremes where its transform does not say.
        """
        low, high = self._range if x.shape[1] in (1, 3) else _extent(x)
        if bool((high <= low).any()) or len(low) != x.shape[1]:
            low, high = _extent(x)
        wide = torch.where(high > low, high, low + 1)
        return low.view(1, -1, 1, 1).to(x), wide.view(1, -1, 1, 1).to(x)

    def check_logits(self, logits: Any, x: Tensor) -> Float[Tensor, "n c"]:
        """Return the network's output if it is finite logits `(N, C)`; raises ValueError if not."""
        if not isinstance(logits, Tensor) or logits.ndim != 2 or logits.shape[0] != x.shape[0]:
            raise ValueError(
                f"{type(self.model).__name__} returned {_described(logits)}; expected logits N x C;"
                " wrap it in a module whose forward returns only the class scores"
            )
        if not is_finite(logits):
            raise ValueError(self._why_not_finite())
        if self.classes is not None and len(self.classes) != logits.shape[1]:
            raise ValueError(
                f"got {len(self.classes)} class names for {logits.shape[1]} logits; expected one"
                " name for each; check classes="
            )
        return logits

    def _why_not_finite(self) -> str:
        state = self.model.state_dict().items()
        bad = [n for n, p in state if isinstance(p, Tensor) and not is_finite(p)]
        where = f"the weights {bad[0]} are not finite" if bad else "although its weights are finite"
        return (
            f"{type(self.model).__name__} gives NaN or infinite logits: {where}; expected finite"
            f" numbers; {'load the weights again' if bad else 'run it in float32: model.float()'}"
        )

    def logits(self, x: Float[Tensor, "n ch h w"]) -> Float[Tensor, "n c"]:
        """Return the logits of prepared images without a graph.

        Raises ValueError for a wrong number of channels and for output that is not finite `N x C`.
        """
        with visiting(self.model), torch.no_grad():
            try:
                out = self.model(x)
            except RuntimeError as cause:
                if x.shape[1] == self.in_channels:
                    raise
                raise self.channel_error(x) from cause
        return self.check_logits(out, x)

    def channel_error(self, x: Tensor) -> ValueError:
        """Return the error for an image with another number of channels than the network takes."""
        return ValueError(
            f"got an image of {x.shape[1]} channels; {type(self.model).__name__} expects"
            f" {self.in_channels}; convert the image (PIL: image.convert('RGB') or 'L')"
        )

    def predict(self, image: Any, top: int = 5) -> list[tuple[int, str, float]]:
        """Return the `top` classes of an image as `(index, name, probability)`, likeliest first."""
        logits = self.logits(self.prepare(image).x)[0]
        return [tuple(p) for p in self.ranked(logits, top)]

    def ranked(self, logits: Float[Tensor, " c"], top: int) -> list[Prediction]:
        """Return the `top` predictions of one row of logits, likeliest first."""
        order = torch.argsort(logits.float(), descending=True, stable=True)[:top]
        return [self.prediction(logits, int(i)) for i in order]

    def prediction(self, logits: Float[Tensor, " c"], index: int) -> Prediction:
        """Return one class of a row of logits, softmax probability (sigmoid for a single logit)."""
        row = logits.double()
        chance = torch.softmax(row, 0)[index] if len(row) > 1 else torch.sigmoid(row[0])
        return Prediction(index, self.name(index), float(chance), float(row[index]))

    def name(self, index: int) -> str:
        """Return the name of a class, `class 7` where names were not given."""
        return self.classes[index] if self.classes else f"class {index}"

    def index_of(self, target: int | str, count: int) -> int:
        """Return the index of a class given by name or index; raises ValueError, IndexError."""
        if isinstance(target, str):
            return self._index_of_name(target)
        index = int(target)
        if not 0 <= index < count:
            raise IndexError(
                f"got class {index}; expected an index from 0 to {count - 1};"
                " see classifier.predict"
            )
        return index

    def _index_of_name(self, name: str) -> int:
        if self.classes is None:
            raise ValueError(
                f"got the class name {name!r}, but this classifier knows no names; expected an"
                " index; or give hx.Classifier(model, classes=[...])"
            )
        indices = [i for i, known in enumerate(self.classes) if known == name]
        if len(indices) == 1:
            return indices[0]
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


def _described(output: Any) -> str:
    if isinstance(output, Tensor):
        return f"a tensor of shape {tuple(output.shape)}"
    if isinstance(output, tuple | list):
        kinds = Counter(type(o).__name__ for o in output)
        return f"a {type(output).__name__} of {', '.join(f'{n} {k}' for k, n in kinds.items())}"
    return f"a {type(output).__name__}"
