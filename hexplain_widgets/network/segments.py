"""Segments: a network re-run from one layer to another, on crops where a crop is enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from operator import add, floordiv, sub
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from .receptive import Field, Pair, each_axis

# Cells of the shallow map differentiated at once: beyond this a batch falls out of the cache.
BATCH_CELLS = 2**22
# The same on an accelerator, where a large batch is what pays.
BATCH_CELLS_DEVICE = 2**28
# A segment that starts at the pixels widens at once: count its cells as if they had this depth.
INNER_CHANNELS = 64
NO_GRADIENT = (
    "the network's forward cuts gradients off (torch.no_grad, inference_mode, detach, rounding); a"
    " forward that can be differentiated was expected; take that out of the forward and put it"
    " around its calls"
)
# From maps in the place of the shallow ones, and whether to read before an upper clip, to a unit.
UnitValues = Callable[[Tensor, bool], Tensor]


def gradients_of(value: Tensor, *at: Tensor, again: bool = False) -> tuple[Tensor, ...]:
    """Return the gradients of a number at some tensors; `again` keeps what is needed for others.

    Raises ValueError where nothing of them reaches the number.
    """
    if not value.requires_grad:
        raise ValueError(NO_GRADIENT)
    try:
        return torch.autograd.grad(value, at, retain_graph=again)
    except RuntimeError as cause:
        if "not have been used in the graph" in str(cause):
            raise ValueError(NO_GRADIENT) from cause
        raise


def unsteady(what: str) -> RuntimeError:
    """Return the error of what answers otherwise when it is run again."""
    return RuntimeError(
        f"{what}, run again on the same image, gave other values than the first time; a network"
        " that answers the same to the same image was expected; take what draws random numbers or"
        " keeps a state out of its forward (dropout or noise that eval() does not switch off)"
    )


class Unit(NamedTuple):
    """One channel at one position; a logit is a channel at (0, 0)."""

    channel: int
    y: int
    x: int


class Step(NamedTuple):
    """A part of a segment: it starts at a map of `full` cells, where deep units have a `field`."""

    run: Callable[[Tensor, bool], Tensor]
    field: Field
    full: Pair


@dataclass(frozen=True)
class SegmentRunner:
    """Runs a segment on maps `(B, K, H, W)`; its `field` is known where crops can do.

    `run(maps, unclipped)` returns the deep layer, before its upper clip if `unclipped`. `apart`
    says that no image of a batch is known to another. `steps` do the same one after the other,
    where what units still need becomes less on the way; `effort` is the share of cells left then.
    """

    run: Callable[[Tensor, bool], Tensor]
    field: Field | None = None
    apart: bool = False
    steps: tuple[Step, ...] = ()
    effort: float = 1.0


@dataclass(frozen=True)
class UnitGradients:
    """Decisions and their gradients on equally large windows of the shallow layer.

    `signs` is -1 where a negative value was negated; `offsets` are the windows' corners.
    """

    units: tuple[Unit, ...]
    signs: tuple[int, ...]
    unclipped: tuple[bool, ...]
    values: tuple[float, ...]
    gradients: Float[Tensor, "b k h w"]
    activations: Float[Tensor, "b k h w"]
    offsets: tuple[Pair, ...]

    def in_favour(self) -> UnitGradients:
        """Return the same with nothing negated: what speaks for decisions, negative ones too."""
        signs = self.gradients.new_tensor(self.signs)[:, None, None, None]
        return replace(self, signs=(1,) * len(self.units), gradients=self.gradients * signs)

    def each(self) -> Iterator[UnitGradients]:
        """Yield every decision as a batch of its own."""
        for i in range(len(self.units)):
            one = slice(i, i + 1)
            yield UnitGradients(
                self.units[one],
                self.signs[one],
                self.unclipped[one],
                self.values[one],
                self.gradients[one],
                self.activations[one],
                self.offsets[one],
            )


@dataclass(frozen=True)
class Crop:
    """Equally large windows of a map of `full` cells; every corner a multiple of the stride."""

    size: Pair
    corners: tuple[Pair, ...]

    def cut(self, maps: Float[Tensor, "1 k H W"]) -> Float[Tensor, "b k h w"]:
        """Return the windows of one map as a batch."""
        h, w = self.size
        return torch.cat([maps[:, :, y : y + h, x : x + w] for y, x in self.corners])

    def cut_from(self, outer: Crop, maps: Float[Tensor, "b k H W"]) -> Float[Tensor, "b k h w"]:
        """Return the windows out of larger ones, each out of its own."""
        h, w = self.size
        at = [each_axis(sub, *pair) for pair in zip(self.corners, outer.corners, strict=True)]
        if len(set(at)) == 1:
            y, x = at[0]
            return maps[:, :, y : y + h, x : x + w]
        cut = [one[:, y : y + h, x : x + w] for one, (y, x) in zip(maps, at, strict=True)]
        return torch.stack(cut)

    def positions(self, units: Sequence[Unit], stride: Pair) -> list[Unit]:
        """Return where units lie in what their windows give, `stride` cells of these apart."""
        return [
            Unit(u.channel, u.y - y // stride[0], u.x - x // stride[1])
            for u, (y, x) in zip(units, self.corners, strict=True)
        ]


def crops_of(field: Field, units: Sequence[Unit], full: Pair) -> Crop:
    """Return windows that hold each unit's receptive field, moved inside at the map's border.

    A window never gets padding of its own: it ends where the map ends, so that every layer of the
    segment pads as it does on the whole map.
    """
    size = window_of_units(field, full)
    corners = tuple(_corner(field, (u.y, u.x), size, full) for u in units)
    return Crop(size, corners)


def window_of_units(field: Field, full: Pair) -> Pair:
    """Return the rows and columns that hold any unit's field in a map of `full` cells."""
    return each_axis(_window_length, field.size, field.stride, full)


def _window_length(size: int, stride: int, full: int) -> int:
    length = size + stride - 1
    length += (full - length) % stride
    return min(length, full)


def _corner(field: Field, position: Pair, size: Pair, full: Pair) -> Pair:
    (top, _), (left, _) = field.cells(position)
    return each_axis(
        lambda first, s, w, f: min(max(first, 0) // s * s, f - w),
        (top, left),
        field.stride,
        size,
        full,
    )


def on_less_and_less(
    steps: Sequence[Step],
    maps: Float[Tensor, "b k h w"],
    units: Sequence[Unit],
    crop: Crop,
    unclipped: bool,
) -> tuple[Tensor, list[Unit]]:
    """Return what steps give for the windows of units, and where the units lie in it.

    Only the last of them ends at the deep layer, which may be read before its upper clip.
    """
    for step, after in pairwise(steps):
        given = step.run(maps, False)
        stride = each_axis(floordiv, step.field.stride, after.field.stride)
        corners = tuple(each_axis(floordiv, corner, stride) for corner in crop.corners)
        outer = Crop((given.shape[2], given.shape[3]), corners)
        crop = _needed(outer, after, units)
        maps = crop.cut_from(outer, given)
    last = steps[-1]
    return last.run(maps, unclipped), crop.positions(units, last.field.stride)


def _needed(outer: Crop, step: Step, units: Sequence[Unit]) -> Crop:
    """Return the part of larger windows that a step needs; they themselves where it sticks out."""
    least = crops_of(step.field, units, step.full)
    ends = [each_axis(add, corner, outer.size) for corner in outer.corners]
    corners = tuple(
        each_axis(lambda a, end, n: min(a, end - n), corner, end, least.size)
        for corner, end in zip(least.corners, ends, strict=True)
    )
    inside = all(
        first >= start and first % stride == 0
        for pair, own in zip(corners, outer.corners, strict=True)
        for first, start, stride in zip(pair, own, step.field.stride, strict=True)
    )
    return Crop(least.size, corners) if inside else outer


class Segment:
    """The part of a network between two captured layers of one image.

    `shallow` is `(1, K, H, W)`, `deep` `(1, K', H', W')` or logits `(1, C)`. `bound` is the upper
    clip of the deep layer (6 for ReLU6). Every runner's answer is checked against the captured
    values; the first that agrees is kept.
    """

    def __init__(
        self,
        runners: Sequence[SegmentRunner],
        shallow: Float[Tensor, "1 k h w"],
        deep: Float[Tensor, "1 ..."],
        *,
        bound: float | None = None,
        names: tuple[str, str] = ("", ""),
    ) -> None:
        self._runners = list(runners)
        self.shallow = shallow
        self.deep = deep
        self._bound = bound
        self._names = names
        self._only_once = False

    @property
    def full(self) -> Pair:
        """Rows and columns of the shallow map."""
        return self.shallow.shape[2], self.shallow.shape[3]

    @property
    def local(self) -> bool:
        """Whether a unit of the deep layer depends on a part of the shallow one only."""
        return self._runners[0].field is not None

    def value(self, unit: Unit) -> float:
        """Return the captured value of a unit of the deep layer."""
        return float(self._captured([unit])[0])

    def _captured(self, units: Sequence[Unit]) -> Tensor:
        return torch.stack(_pick_each([self.deep[0]] * len(units), units))

    def decide(
        self, units: Sequence[Unit], mode: AbstractContextManager[Any] | None = None
    ) -> Iterator[UnitGradients]:
        """Yield values and gradients of units of the deep layer, batch by batch.

        `mode` is a context that the segment runs in (guided backpropagation's ReLUs).
        Raises RuntimeError where no way of running the segment gives the captured values.
        """
        waiting = list(units)
        cells = BATCH_CELLS
        while waiting:
            batch = waiting[: max(1, cells // self._cells_each())]
            try:
                gradients = self._differentiated(batch, mode or nullcontext())
            except torch.cuda.OutOfMemoryError:
                if len(batch) == 1:
                    raise
                cells = max(1, cells // 2)
                torch.cuda.empty_cache()
                continue
            if gradients is not None:
                waiting = waiting[len(batch) :]
                yield gradients

    def _cells_each(self) -> int:
        h, w = self._windows(self._runners[0], ()).size
        return max(self.shallow.shape[1], INNER_CHANNELS) * h * w

    def _differentiated(
        self, units: Sequence[Unit], mode: AbstractContextManager[Any]
    ) -> UnitGradients | None:
        """Return values and gradients, None after dropping a runner that did not agree."""
        shared = self._shares(units)
        if len(units) > 1 and not shared and not self._runners[0].apart:
            self._runners[0] = self._kept_apart(self._runners[0])
        runner = self._runners[0]
        captured = self._captured(units)
        clipped = self._clipped(captured)
        signs = torch.where(captured < 0, -1.0, 1.0)
        crop = self._windows(runner, units)
        start = self.shallow.detach().clone() if shared else crop.cut(self.shallow)
        maps = start.requires_grad_()
        with torch.enable_grad(), mode:
            ran = self._on_crops(runner, maps, units, crop, bool(clipped.any()), shared)
            if ran is None:
                return None
            out, within = ran
            rows = [out[0]] * len(units) if shared else out.unbind()
            each = _pick_each(rows, within)
            values = torch.stack(each)
        if not self._agree(values.detach(), captured):
            self._drop_runner()
            return None
        gradients = (
            self._gradient_of_each(each, signs, maps)
            if shared
            else self._slope((values * signs.to(values.dtype)).sum(), maps)
        )
        if gradients is None:
            return None
        return UnitGradients(
            tuple(units),
            tuple(int(s) for s in signs),
            tuple(map(bool, clipped)),
            tuple(map(float, values.detach())),
            gradients,
            maps.detach().expand_as(gradients),
            crop.corners,
        )

    def _clipped(self, captured: Tensor) -> Tensor:
        return captured >= (float("inf") if self._bound is None else self._bound)

    def _shares(self, units: Sequence[Unit]) -> bool:
        """Whether units that all see the whole map are differentiated from one run of it.

        An accelerator is faster with a batch of runs.
        """
        if len(units) == 1 or self._only_once or self.shallow.device.type != "cpu":
            return False
        runner = self._runners[0]
        # of each unit: a forward and a backward, worth two, of its part; or a backward of the whole
        apart, together = 3 * runner.effort * len(units), 1 + 2 * len(units)
        return self._windows(runner, ()).size == self.full and together <= apart

    def _gradient_of_each(
        self, values: Sequence[Tensor], signs: Tensor, maps: Tensor
    ) -> Tensor | None:
        """Return gradients of numbers that one run gave, None where it can be asked only once."""
        last = len(values) - 1
        try:
            each = [self._slope(value, maps, again=i < last) for i, value in enumerate(values)]
        except RuntimeError:
            self._only_once = True
            return None
        return torch.cat(each) * signs.to(maps.dtype)[:, None, None, None]

    def _on_crops(
        self,
        runner: SegmentRunner,
        maps: Tensor,
        units: Sequence[Unit],
        crop: Crop,
        unclipped: bool,
        shared: bool,
    ) -> tuple[Tensor, list[Unit]] | None:
        """Return the deep layer for windows and where units lie in it.

        None after dropping a runner that cannot take them.
        """
        try:
            if runner.steps and not shared:
                return on_less_and_less(runner.steps, maps, units, crop, unclipped)
            return runner.run(maps, unclipped), self._within(runner, units, crop)
        except torch.cuda.OutOfMemoryError:
            raise
        except RuntimeError:  # what is as large as the whole map may meet a window of it
            if runner.field is None:
                raise
            self._drop_runner()
            return None

    def _slope(self, value: Tensor, maps: Tensor, again: bool = False) -> Tensor:
        try:
            return gradients_of(value, maps, again=again)[0]
        except ValueError as cause:
            shallow, deep = self._names
            raise ValueError(
                f"{deep} does not depend on {shallow}, or {NO_GRADIENT}; expected layers that"
                " follow one another; see hx.layers for their order"
            ) from cause

    def _windows(self, runner: SegmentRunner, units: Sequence[Unit]) -> Crop:
        if runner.field is None:
            return Crop(self.full, ((0, 0),) * len(units))
        return crops_of(runner.field, units, self.full)

    def _within(self, runner: SegmentRunner, units: Sequence[Unit], crop: Crop) -> list[Unit]:
        return list(units) if runner.field is None else crop.positions(units, runner.field.stride)

    def _agree(self, values: Tensor, captured: Tensor) -> bool:
        clipped = values if self._bound is None else values.clamp(max=self._bound)
        scale = float(self.deep.detach().abs().max())
        return bool(((clipped - captured).abs() <= rounding(values) * scale).all())

    def _drop_runner(self) -> None:
        if len(self._runners) > 1:
            del self._runners[0]
            return
        raise self.unsteady()

    def unsteady(self) -> RuntimeError:
        """Return the error of a network that answers otherwise when it is run again."""
        shallow, deep = self._names
        return unsteady(f"the network from {shallow} to {deep}")

    def forward(self, maps: Float[Tensor, "b k h w"]) -> Float[Tensor, "b ..."]:
        """Return the deep layer for other maps in the place of the shallow one, without a graph.

        Raises RuntimeError where no way of running the segment gives the captured values.
        """
        with torch.no_grad():
            return self.run(maps)

    def run(self, maps: Float[Tensor, "b k h w"]) -> Float[Tensor, "b ..."]:
        """Return the same as `forward`, differentiable where gradients are on."""
        return self._steady.run(maps, False)

    @cached_property
    def _steady(self) -> SegmentRunner:
        """The first runner on whole maps that gives the captured values beside other maps too."""
        whole = [runner for runner in self._runners if runner.field is None]
        *others, last = *whole, *map(_one_by_one, whole)
        for runner in others:
            # A forward that is written for one image at a time may fail in any way on several.
            with suppress(RuntimeError, IndexError, TypeError, ValueError):
                if self._gives_back(runner):
                    return runner
        if not self._gives_back(last):
            raise self.unsteady()
        return last

    def _kept_apart(self, runner: SegmentRunner) -> SegmentRunner:
        """Return a runner whose units are those of one image, however many are run at once."""
        with suppress(RuntimeError, IndexError, TypeError, ValueError):
            if self._gives_back(runner):
                return replace(runner, apart=True)
        return _one_by_one(runner)

    def _gives_back(self, runner: SegmentRunner) -> bool:
        shallow = self.shallow.detach()
        with torch.no_grad():
            deep = runner.run(torch.cat([shallow, torch.zeros_like(shallow)]), False)
        return len(deep) == 2 * len(shallow) and close(deep[:1], self.deep)

    def around(self, unit: Unit) -> tuple[Float[Tensor, "1 k h w"], UnitValues]:
        """Return the part of the shallow layer that a unit depends on, and the unit's value there.

        The second value takes other maps `(B, K, h, w)` in its place and whether to read the
        unit before an upper clip.
        """
        runner = self._runners[0]
        crop = self._windows(runner, [unit])
        (within,) = self._within(runner, [unit], crop)

        def values(maps: Tensor, unclipped: bool) -> Tensor:
            with torch.no_grad():
                rows = runner.run(maps, unclipped).unbind()
                return torch.stack(_pick_each(rows, [within] * len(rows)))

        return crop.cut(self.shallow), values


def _one_by_one(runner: SegmentRunner) -> SegmentRunner:
    def run(maps: Tensor, unclipped: bool) -> Tensor:
        return torch.cat([runner.run(one[None], unclipped) for one in maps])

    return SegmentRunner(run, apart=True)


def close(values: Tensor, reference: Tensor) -> bool:
    """Whether values are those of a reference, as far as two runs of the same operations agree."""
    off = rounding(reference) * float(reference.detach().abs().max())
    return values.shape == reference.shape and bool(((values - reference).abs() <= off).all())


def batch_cells(device: torch.device) -> int:
    """Return how many numbers of the widest map are run at once on a device."""
    return BATCH_CELLS if device.type == "cpu" else BATCH_CELLS_DEVICE


def rounding(values: Tensor) -> float:
    """Return how far two runs of the same operations may differ, relative to the map's maximum."""
    if values.dtype == torch.float32:
        # A GPU multiplies float32 in TF32 unless told otherwise.
        return 1e-4 if values.device.type == "cpu" else 1e-2
    return 1e-7 if values.dtype == torch.float64 else 2e-2


def _pick(values: Tensor, unit: Unit) -> Tensor:
    return values[unit.channel] if values.ndim == 1 else values[unit.channel, unit.y, unit.x]


def _pick_each(rows: Sequence[Tensor], units: Sequence[Unit]) -> list[Tensor]:
    return [_pick(row, unit) for row, unit in zip(rows, units, strict=True)]


def without_crops(segment: Segment) -> Segment:
    """Return the same segment run whole, for checks and comparisons."""
    runners = [replace(runner, field=None) for runner in segment._runners]
    names, bound = segment._names, segment._bound
    return Segment(runners, segment.shallow, segment.deep, bound=bound, names=names)
