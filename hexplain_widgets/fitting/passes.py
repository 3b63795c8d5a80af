"""Going through a data set: here, or on the workers of a Dask cluster, and on after a break."""

from __future__ import annotations

import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any, ClassVar, Generic, TypeVar
from uuid import uuid4

import torch
from torch.utils.data import DataLoader, Subset
from tqdm.auto import tqdm

from ..arguments import SlowBar, Stop, counted
from ..data.samples import Batch, batches, is_shuffled, length_of
from ..network.classifier import Classifier
from ..network.probe import Probe
from .states import Settings
from .statistics import Range, State, Statistics, joined, layers_in

T = TypeVar("T")
A = TypeVar("A")
S = TypeVar("S", bound=Statistics[Any, Any])
# Shards of a cluster that are summed on the workers before they travel.
GROUP = 8
# How often what all workers have lost is handed out again.
TRIES = 3
FIRST = "Of the first image of the data: {}"
# Images that go through the network at once.
BATCH, BATCH_DEVICE = 8, 64
# Shards of a cluster: small enough to spread, large enough for their sums to be worth sending.
SHARDS_PER_WORKER, LEAST_SHARD = 8, 64


def uninterrupted(call: Callable[[], T]) -> T:
    """Run a call to its end even when interrupts come meanwhile, which are raised afterwards."""
    # Only the main thread is interrupted, and a handler from outside Python cannot be put back.
    alone = threading.current_thread() is threading.main_thread()
    if not alone or signal.getsignal(signal.SIGINT) is None:
        return call()
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        return call()
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)


def until_stopped(items: Iterable[T], stopped: Stop | None, notes: list[str]) -> Iterator[T]:
    """Yield items until `stopped` says yes or an interrupt comes, and say so in `notes`.

    An interrupt before the first item is raised.
    """
    count = 0
    try:
        for count, one in enumerate(items, 1):
            yield one
            if stopped is not None and stopped():
                notes.append(f"Stopped after {counted(count, 'image')}.")
                return
    except KeyboardInterrupt:
        if not count:
            raise
        notes.append("Interrupted: the images seen before are what is summed up.")


def accumulate(
    batches: Iterable[Batch],
    look: Callable[[Batch], T],
    keep: Callable[[T], None],
    *,
    total: int | None,
    begun: int = 0,
    progress: bool = True,
    what: str = "images",
) -> None:
    """Look at every batch and keep what was found: wholly or, on an interrupt, not at all.

    `what` stands before the bar.
    """
    bar = tqdm(desc=what, total=total, initial=begun, unit="image", disable=not progress)
    with bar, SlowBar(what, total, shown=False) as told:
        told.n = begun
        for batch in batches:
            uninterrupted(partial(keep, look(batch)))
            bar.update(len(batch))
            told.update(len(batch))


def without(total: int, done: Sequence[Range]) -> list[Range]:
    """Return the ranges of 0..`total` that are not done yet.

    >>> without(10, [(0, 3), (5, 6)])
    [(3, 5), (6, 10)]
    """
    left, at = [], 0
    for first, last in sorted(done):
        if at < min(first, total):
            left.append((at, min(first, total)))
        at = max(at, last)
    return [*left, (at, total)] if at < total else left


def shards_of(ranges: Sequence[Range], size: int) -> list[Range]:
    """Return ranges cut into shards of at most `size`.

    >>> shards_of([(0, 5)], 2)
    [(0, 2), (2, 4), (4, 5)]
    """
    return [(i, min(i + size, last)) for first, last in ranges for i in range(first, last, size)]


def over_cluster(
    client: Any,
    work: Callable[..., T],
    merge: Callable[[T, T], T],
    shards: Sequence[Range],
    *,
    shared: Sequence[Any],
    progress: bool = True,
    what: str = "images",
) -> Iterator[tuple[list[Range], T]]:
    """Run `work(first, last, *shared)` for every shard on a Dask cluster and sum the results.

    Groups of shards are summed pairwise on the workers and yielded as they are done, with the
    shards they are made of. The scheduler runs again what a lost worker took along; what all
    workers were handed and all have lost is handed out again, at most `TRIES` times.
    """
    tasks = _ClusterTasks(client, work, merge, shared)
    for at in range(0, len(shards), GROUP):
        tasks.start(list(shards[at : at + GROUP]))
    total = sum(last - first for first, last in shards)
    with tqdm(desc=what, total=total, unit="image", disable=not progress) as bar:
        for future in tasks.waiting:
            bar.update(tasks.leaves.pop(future.key, 0))
            group = tasks.roots.pop(future.key, None)
            if group is not None:
                sums = tasks.value(future)
                yield from ((group, one) for one in sums)
                if not sums:
                    tasks.start_again(group)
            elif future.status == "error":
                future.result()


class _ClusterTasks:
    """Shards under way on a Dask cluster: `leaves` count their images, `roots` name their sums."""

    def __init__(
        self,
        client: Any,
        work: Callable[..., T],
        merge: Callable[[T, T], T],
        shared: Sequence[Any],
    ) -> None:
        from distributed import as_completed

        self._client, self._work, self._merge, self._shared = client, work, merge, list(shared)
        self._held = self._scattered()
        self._tries = TRIES
        self.leaves: dict[str, int] = {}
        self.roots: dict[str, list[Range]] = {}
        self.waiting = as_completed(loop=client.loop)

    def _scattered(self) -> list[Any]:
        held: list[Any] = self._client.scatter(self._shared, broadcast=True, hash=False)
        return held

    def start(self, group: list[Range]) -> None:
        """Submit the shards of a group and their sum."""
        run = uuid4().hex
        futures = [
            self._client.submit(
                self._work, *shard, *self._held, pure=False, key=f"hexplain-{run}-{shard[0]}"
            )
            for shard in group
        ]
        counts = (last - first for first, last in group)
        self.leaves |= {f.key: count for f, count in zip(futures, counts, strict=True)}
        root = _summed(self._client, futures, self._merge)
        self.roots[root.key] = group
        self.waiting.update([*futures, root] if root not in futures else futures)

    def value(self, future: Any) -> list[Any]:
        """Return the sum of a group, alone; none where it was lost and may be made again.

        What the workers were handed may have gone with them, and a sum on its way here, too.
        """
        if future.status in ("cancelled", "lost") and self._tries > 0:
            return []
        try:
            return [future.result()]
        except CancelledError:
            if self._tries > 0:
                return []
            raise

    def start_again(self, group: list[Range]) -> None:
        """Hand out again what all shards share, and submit a group anew."""
        self._tries -= 1
        self._held = self._scattered()
        self.start(group)


def _summed(client: Any, futures: Sequence[Any], merge: Callable[[T, T], T]) -> Any:
    """Return the future of the sum of all, added pairwise where they lie."""
    while len(futures) > 1:
        pairs = zip(futures[::2], futures[1::2], strict=False)
        sums = [client.submit(merge, *pair, pure=False) for pair in pairs]
        futures = [*sums, *(futures[-1:] if len(futures) % 2 else [])]
    return futures[0]


def by_halves(ask: Callable[[Batch], A], join: Callable[[Batch, A, A], A], batch: Batch) -> A:
    """Return what is answered for a batch, from its halves where it does not fit in memory."""
    try:
        return ask(batch)
    except torch.cuda.OutOfMemoryError:
        if len(batch) == 1:
            raise
    torch.cuda.empty_cache()
    first, second = (by_halves(ask, join, half) for half in batch.halves())
    return join(batch, first, second)


class Extractor(ABC, Generic[A]):
    """Asks a network about batches of images."""

    def extract(self, batch: Batch) -> A:
        """Return what the network answers for a batch, by halves where it does not fit in memory.

        Raises ValueError for values that are not finite.
        """
        return by_halves(self._extract, self._joined, batch)

    @abstractmethod
    def _extract(self, batch: Batch) -> A:
        """Return what the network answers for a whole batch at once."""

    @abstractmethod
    def _joined(self, batch: Batch, first: A, second: A) -> A:
        """Return the answers for a batch from those for its halves."""


class Plan(ABC, Generic[S]):
    """What every image is asked, and what is kept of the answers: `STATISTICS`."""

    STATISTICS: ClassVar[type[Any]]

    @abstractmethod
    def scope(self, probe: Probe, batch: Batch) -> Any:
        """Return what the answers belong to, found on a first image."""

    @abstractmethod
    def extractor(self, probe: Probe, scope: Any) -> Extractor[Any]:
        """Return what asks the network."""

    def empty(self, scope: Any) -> S:
        """Return statistics without an image."""
        return self.STATISTICS.empty(scope, self)

    def restored(self, state: State) -> S:
        """Return saved statistics."""
        return self.STATISTICS.from_state(*state)

    def check_goes_on(self, statistics: S, settings: Settings, classifier: Classifier) -> None:
        """Raise ValueError where a fit cannot go on with statistics, kept under such settings."""
        statistics.check_network(classifier)


class Pass(Generic[S]):
    """A fit under way: its statistics are whole at any time."""

    def __init__(
        self,
        plan: Plan[S],
        classifier: Classifier,
        statistics: S | None,
        *,
        save: Callable[[S], object] | None = None,
        begun: Callable[[S], object],
    ) -> None:
        self._statistics = statistics
        self._plan = plan
        self._classifier = classifier
        self._probe = Probe(classifier)
        self._save = save
        self._begun = begun

    @property
    def _what(self) -> str:
        """What stands before the bar."""
        return f"fitting {self._plan.STATISTICS.KIND}"

    def run(self, data: Any, *, progress: bool) -> None:
        """Go through the data here, after the images that are done already."""
        skip = self._done_at_the_start(data)
        size = batch_size(self._classifier)
        source = batches(data, self._classifier, size=size, skip=skip)
        first = next(source, None)
        if first is None:
            return self._nothing_more()
        extractor = self._plan.extractor(self._probe, self._open(first).scope)
        accumulate(
            chain([first], source),
            lambda batch: extractor.extract(self._checked(batch)),
            self._keep,
            total=length_of(data),
            begun=skip,
            progress=progress,
            what=self._what,
        )
        self._saved(last=True)

    def _open(self, first: Batch) -> S:
        scope = self._noted(first, self._plan.scope(self._probe, first))
        if self._statistics is None:
            self._statistics = self._plan.empty(scope)
        self._statistics.check_same(scope)
        self._begun(self._statistics)
        return self._statistics

    def _noted(self, first: Batch, scope: Any) -> Any:
        """Return a scope with what is to be said of its scores and layers."""
        layers, scores = list(layers_in(scope)), self._classifier.score_notes
        own = self._probe.notes(first.x[:1], layers) if layers else ()
        pictures = (FIRST.format(note) for note in first.samples[0].notes)
        return replace(scope, notes=tuple(dict.fromkeys((*scores, *own, *pictures))))

    def _checked(self, batch: Batch) -> Batch:
        self.statistics.check_labels(batch)
        return batch

    @property
    def statistics(self) -> S:
        """The statistics; raises RuntimeError before the first image."""
        if self._statistics is None:
            raise RuntimeError("nothing is gathered yet; a first image was expected; run it")
        return self._statistics

    def _keep(self, batch: Any) -> None:
        self.statistics.add(batch, self._classifier)
        self._saved()

    def _saved(self, *, last: bool = False) -> None:
        if self._save is not None and (last or self.statistics.may_save):
            self._save(self.statistics)

    def _done_at_the_start(self, data: Any) -> int:
        done = self._statistics.done if self._statistics is not None else []
        if not done:
            return 0
        if is_shuffled(data):
            raise ValueError(
                "got a shuffled loader to go on with; the same order as before was expected; pass"
                " DataLoader(..., shuffle=False), or start again without resume"
            )
        if len(done) > 1 or done[0][0] > 0:
            raise ValueError(
                "some shards of the data are done and others are not; the cluster that did them was"
                " expected; pass client= again, or start again without resume"
            )
        return done[0][1]

    def _nothing_more(self) -> None:
        if self._statistics is None or not self._statistics.images:
            raise ValueError(
                "got data without a single image; expected at least one; check the folder or the"
                " filter that made it"
            )

    def run_on(self, client: Any, data: Any, *, progress: bool) -> None:
        """Go through the data on a Dask cluster, shard by shard."""
        data = _indexed(data)
        total = len(data)
        done = self._statistics.done if self._statistics is not None else []
        first = next(batches(Subset(data, range(min(total, 1))), self._classifier, size=1), None)
        if first is None:
            return self._nothing_more()
        scope = self._open(first).scope
        shards = shards_of(without(total, done), _shard_size(total, client))
        shared = (self._classifier, data, self._plan, scope)
        for ranges, state in over_cluster(
            client,
            state_of_shard,
            partial(merged_states, self._plan),
            shards,
            shared=shared,
            progress=progress,
            what=self._what,
        ):
            part = self._plan.restored(state)
            uninterrupted(partial(self._keep_shards, ranges, part))

    def _keep_shards(self, ranges: Sequence[Range], part: S) -> None:
        part.done = joined(ranges)
        self.statistics.merge(part, same_data=True)
        self._saved(last=True)


def batch_size(classifier: Classifier) -> int:
    """Return how many images go through a network at once on its device."""
    return BATCH if classifier.device.type == "cpu" else BATCH_DEVICE


def _indexed(data: Any) -> Any:
    data = data.dataset if isinstance(data, DataLoader) else data
    if not hasattr(data, "__getitem__") or not hasattr(data, "__len__"):
        raise TypeError(
            f"got {type(data).__name__} as data for a cluster; expected a Dataset with a length,"
            " from which every worker takes its shards; wrap it in a list or a Dataset"
        )
    return data


def _shard_size(total: int, client: Any) -> int:
    workers = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
    return max(LEAST_SHARD, -(-total // (workers * SHARDS_PER_WORKER)))


def state_of_shard(
    first: int, last: int, classifier: Classifier, data: Any, plan: Plan[S], scope: Any
) -> State:
    """Return what a shard of the data gives, on the worker that runs it."""
    statistics = plan.empty(scope)
    extractor = plan.extractor(Probe(classifier), scope)
    for batch in _shard(data, first, last, classifier):
        statistics.check_labels(batch)
        statistics.add(extractor.extract(batch), classifier)
    return statistics.state()


def _shard(data: Any, first: int, last: int, classifier: Classifier) -> Iterator[Batch]:
    return batches(Subset(data, range(first, last)), classifier, size=batch_size(classifier))


def merged_states(plan: Plan[S], one: State, other: State) -> State:
    """Return the sum of what two shards gave."""
    statistics = plan.restored(one)
    statistics.merge(plan.restored(other), same_data=True)
    return statistics.state()
