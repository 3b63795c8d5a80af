"""What an engine was given, checked: what came, what was expected, what to do; and when to stop."""

from __future__ import annotations

import difflib
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from torch import Tensor

# Asked now and then: whether work is to end with what has been found.
Stop = Callable[[], bool]
IN_FLOAT32 = "check the weights, or run the network in float32 with model.float()"
# What each named set gives to an engine's arguments that are left out; docs/settings.md says why.
_ATTRIBUTES: Mapping[str, Any] = {
    "positive": False,
    "beta": 0.2,
    "network": "small",
    "start": "prior",
    "units": "scaled",
    "stopping": "held_out",
}
_PAPER_ATTRIBUTES: Mapping[str, Any] = {
    "positive": False,
    "beta": 0.2,
    "network": "resnet152",
    "start": "zero",
    "units": "printed",
    "stopping": "last",
}
SETTINGS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "default": {
        "Decomposer": {"top_k": 3, "merge_iou": 0.9, "method": "gradient"},
        "Chip": {
            "gates_per_image": 100,
            "sparsity": 0.003,
            "sigma": 0.75,
            "intercept": True,
            "rivals": 9,
            "score": "logit",
            "weighting": "equal",
        },
        "Hint": {
            "saliency": "gradient_x_input",
            "samples": 4,
            "aggregate": "norm",
            "normalize": "percentile",
            "threshold": 0.5,
            "relatives": "left_out",
            "intercept": True,
            "shapley": "owen",
        },
        "Chain": {
            "intercept": True,
            "harmonize_sparsity": 0.003,
            "sparsity": 0.01,
            "place": 1.5,
            "distances": "unit",
        },
        "AdditiveExplainer": _ATTRIBUTES,
        "AdditiveExplainer of parts": _ATTRIBUTES,
    },
    "paper": {
        "Decomposer": {"top_k": 3, "merge_iou": 0.9, "method": "gradient"},
        "Chip": {
            "gates_per_image": 100,
            "sparsity": 0.01,
            "sigma": 0.75,
            "intercept": False,
            "rivals": 0,
            "score": "probability",
            "weighting": "loyal",
        },
        "Hint": {
            "saliency": "smoothgrad",
            "samples": 50,
            "aggregate": "norm",
            "normalize": "minimum_maximum",
            "threshold": 0.5,
            "relatives": "negatives",
            "intercept": False,
            "shapley": "retrained_logistic",
        },
        "Chain": {
            "intercept": False,
            "harmonize_sparsity": 0.003,
            "sparsity": 0.01,
            "place": 0.0,
            "distances": "raw",
        },
        "AdditiveExplainer": _PAPER_ATTRIBUTES,
        "AdditiveExplainer of parts": {**_PAPER_ATTRIBUTES, "positive": True, "beta": 10.0},
    },
}


def settings(name: str = "paper") -> dict[str, dict[str, Any]]:
    """Return what a named set of settings gives to each engine's arguments that are left out.

    By engine and argument; `name` is "default" or "paper". Raises ValueError for another.
    """
    sets = SETTINGS[one_of("settings", name, tuple(SETTINGS))]
    return {engine: dict(given) for engine, given in sets.items()}


def settled(engine: str, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return an engine's arguments that a named set knows: those given, else the set's for None.

    `given` are all arguments by name. Raises ValueError for an unknown set.
    """
    usual = settings(name)[engine]
    return {n: value if given[n] is None else given[n] for n, value in usual.items()}


def as_arguments(said: str) -> str:
    """Return what `said_of_settings` says as arguments, as an engine is shown."""
    name, _, other = said.partition(", ")
    return f'settings="{name}"' + (f", {other}" if other else "")


def said_of_settings(engine: str, name: str, used: Any) -> str:
    """Return in words which settings an engine uses, from its attributes: a set, and what differs.

    Such as "paper, but sparsity=0.01".
    """
    usual = SETTINGS[name][engine]
    pairs = ((n, getattr(used, n)) for n, v in usual.items() if getattr(used, n) != v)
    other = [f"{n}={type(v).__name__ if callable(v) else repr(v)}" for n, v in pairs]
    return ", but ".join([name, ", ".join(other)] if other else [name])


# Seconds after which work that was only asked for by the way shows how far it is.
PATIENCE = 2.0
# Seconds for which a bar stands still: to draw it costs more than many of the steps it counts.
PAUSE = 0.1


class SlowBar:
    """A bar that says what is worked on, how far it is and how long it will take.

    It comes up after `PATIENCE` seconds and goes with the work, and so do those within, unless it
    is not `shown`: then they are not, either. On a thread whose work is `heard`, as that of a view,
    there is none: the hearer is told, of bars within bars about the outermost that counts more than
    one thing. Until then nothing is made: most work is quick.
    """

    def __init__(
        self, what: str, total: int | None, unit: str = "image", *, shown: bool = True
    ) -> None:
        here = threading.current_thread() is threading.main_thread()
        self.what, self.unit = what, unit
        self.n, self.total = 0, total
        self._bar: Any = None
        self._begun, self._written = time.time(), 0.0
        self._lock = threading.Lock()
        self._hearing: _Hearing | None = getattr(_of_thread, "hearing", None)
        self._before = getattr(_of_thread, "quiet", False)
        self._quiet = self._before or not shown
        unheard = here and self._hearing is None and not self._quiet
        self._timer = threading.Timer(PATIENCE, self._show) if unheard else None

    @property
    def left(self) -> float | None:
        """Seconds that the rest will take at the pace so far, None where that is not known."""
        if not self.total or not 0 < self.n <= self.total:
            return None
        return (time.time() - self._begun) * (self.total - self.n) / self.n

    def __enter__(self) -> Self:
        _of_thread.quiet = self._quiet
        if self._hearing is not None:
            self._hearing.begin(self)
        if self._timer is not None and PATIENCE > 0:
            self._timer.daemon = True
            self._timer.start()
        elif self._timer is not None:
            self._show()
        return self

    def __exit__(self, *_: object) -> None:
        _of_thread.quiet = self._before
        if self._hearing is not None:
            self._hearing.end(self)
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._bar is not None:
                self._write()
                self._bar.close()

    def update(self, count: int = 1) -> None:
        """Say that so much more is done; raises what a hearer raises to end the work."""
        with self._lock:
            self.n += count
            if self._bar is not None and time.time() - self._written >= PAUSE:
                self._write()
        if self._hearing is not None:
            self._hearing.tell()

    def _show(self) -> None:
        from tqdm.auto import tqdm

        with self._lock:
            if self._timer is None:
                return
            self._bar = tqdm(total=self.total, desc=self.what, unit=self.unit, leave=False)
            self._bar.start_t = self._begun
            self._write()

    def _write(self) -> None:
        self._written = time.time()
        self._bar.total = self.total
        self._bar.n = self.n
        self._bar.refresh()


class _Hearing:
    """Whoever hears of the work of one thread, and the bars that are at work there."""

    def __init__(self, hear: Callable[[SlowBar], object]) -> None:
        self._hear = hear
        self._bars: list[SlowBar] = []

    def begin(self, bar: SlowBar) -> None:
        self._bars.append(bar)
        self.tell()

    def end(self, bar: SlowBar) -> None:
        self._bars.remove(bar)

    def tell(self) -> None:
        several = (bar for bar in self._bars if bar.total != 1)
        self._hear(next(several, self._bars[-1]))


_of_thread = threading.local()


@contextmanager
def heard(hear: Callable[[SlowBar], object]) -> Iterator[None]:
    """Have `hear` told how far the slow work of this thread is, in the place of bars.

    It is told often, by the work itself; what it raises, such as CancelledError, ends the work.
    """
    before = getattr(_of_thread, "hearing", None)
    _of_thread.hearing = _Hearing(hear)
    try:
        yield
    finally:
        _of_thread.hearing = before


def never() -> bool:
    """Stand where nobody stops the work."""
    return False


def one_of(name: str, value: Any, known: Sequence[str]) -> Any:
    """Return a value if it is one of those known; raises ValueError with the nearest."""
    if value not in known:
        raise ValueError(
            f"got {name}={value!r}; expected one of {', '.join(map(repr, known))}; the nearest is"
            f" {nearest(str(value), known)}"
        )
    return value


def share(name: str, value: float) -> float:
    """Return a value if it lies between 0 and 1, both excluded; raises ValueError."""
    if not 0 < value < 1:
        raise ValueError(
            f"got {name}={value}; expected a share between 0 and 1; leave it out for the default"
        )
    return float(value)


def counted(count: int, thing: str) -> str:
    """Return so many of a thing.

    >>> counted(1, "image"), counted(0, "class")
    ('1 image', '0 classes')
    """
    return f"{count} {thing}{'' if count == 1 else 'es' if thing.endswith('s') else 's'}"


def at_least_one(name: str, value: int) -> int:
    """Return a value if it is 1 or more; raises ValueError."""
    if not 1 <= value < float("inf"):
        raise ValueError(f"got {name}={value}; expected at least 1; leave it out for the default")
    return int(value)


def positive(name: str, value: float) -> float:
    """Return a value if it is a positive finite number; raises ValueError."""
    if not 0 < value < float("inf"):
        raise ValueError(
            f"got {name}={value}; expected a positive number; leave it out for the default"
        )
    return float(value)


def not_negative(name: str, value: float) -> float:
    """Return a value if it is 0 or a positive finite number; raises ValueError."""
    if not 0 <= value < float("inf"):
        raise ValueError(
            f"got {name}={value}; expected 0 or a positive number; leave it out for the default"
        )
    return float(value)


def count_of(top: int | float, whole: int) -> int:
    """Return a number from 1 to `whole`, given as such or as a share below 1; raises ValueError."""
    count = top if top >= 1 else top * whole
    if not 0.5 < count <= whole:
        raise ValueError(
            f"got top={top}; expected 1 to {whole}, or a share of them below 1; 0.2 takes the"
            " strongest fifth"
        )
    return int(top) if top >= 1 else round(count)


def tuple_of(value: Any) -> Any:
    """Return a list as a tuple, as it was before it was saved as JSON; anything else as it is."""
    return tuple(value) if isinstance(value, list) else value


def plain(name: str) -> str:
    """Return a name as it is said: in small letters, words with one space between them.

    >>> plain("Siberian_husky")
    'siberian husky'
    """
    return " ".join(name.lower().replace("_", " ").replace("-", " ").split())


def matching(name: str, known: Iterable[str]) -> list[int]:
    """Return the places of the known names that one stands for.

    Those spelt the same; else the same but for case, underscores and hyphens; else those in which
    it is whole words.

    >>> matching("husky", ["tusker", "Siberian_husky"])
    [1]
    """
    names, said = list(known), plain(name)
    words = [f" {plain(n)} " for n in names]
    ways: tuple[Callable[[int], bool], ...] = (
        lambda i: names[i] == name,
        lambda i: words[i] == f" {said} ",
        lambda i: bool(said) and f" {said} " in words[i],
    )
    found = ([i for i in range(len(names)) if way(i)] for way in ways)
    return next((places for places in found if places), [])


def place_of_name(name: str, known: Sequence[str]) -> int | None:
    """Return the place of the one known name that is meant, None for none or several.

    Warns where it is a part of that name only.
    """
    places = matching(name, known)
    if len(places) != 1:
        return None
    meant = known[places[0]]
    if plain(meant) != plain(name):
        warnings.warn(f"{name!r} is taken for {meant!r}, the only name that has it", stacklevel=3)
    return places[0]


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known names nearest to a misspelt one, quoted, for an error.

    Names in which it is whole words come first, then those in which it is a part of a word.
    """
    names = list(dict.fromkeys(known))
    said, lower = plain(name), {plain(n): n for n in reversed(names)}
    having = [names[i] for i in matching(name, names)]
    within = [n for n in names if len(said) > 2 and said in plain(n)]
    close = [lower[n] for n in difflib.get_close_matches(said, list(lower), 5, 0.4)]
    ranked = list(dict.fromkeys([*having, *within, *close]))[:5]
    return ", ".join(repr(n) for n in (ranked or names[:5]))


def is_finite(values: Tensor | np.ndarray) -> bool:
    """Whether no value is NaN or infinite."""
    if isinstance(values, np.ndarray):
        return bool(np.isfinite(values).all())
    # a sum of finite numbers can overflow, but one with NaN or infinity is never finite
    return bool(values.sum().isfinite()) or bool(values.isfinite().all())


def check_finite(
    source: str,
    *arrays: Tensor | np.ndarray | None,
    of: str = "values",
    remedy: str = IN_FLOAT32,
) -> None:
    """Raise ValueError for NaN or infinite values; `source` begins it: "the layer x gives"."""
    if not all(values is None or is_finite(values) for values in arrays):
        raise ValueError(f"{source} NaN or infinite {of}; expected finite numbers; {remedy}")
