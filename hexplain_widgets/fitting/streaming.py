"""Accumulate over data of any size: in order, resumed where it ended, or on a Dask cluster."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar
from uuid import uuid4

from tqdm.auto import tqdm

from ..data.samples import Batch

T = TypeVar("T")
Range = tuple[int, int]

# Shards of a cluster that are summed on the workers before they travel.
GROUP = 8


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


def never() -> bool:
    """Stand where nobody stops the work."""
    return False


def until_stopped(
    items: Iterable[T], stopped: Callable[[], bool] | None, notes: list[str]
) -> Iterator[T]:
    """Yield items until `stopped` says yes or an interrupt comes, and say so in `notes`.

    An interrupt before the first item is raised.
    """
    count = 0
    try:
        for count, one in enumerate(items, 1):
            yield one
            if stopped is not None and stopped():
                notes.append(f"Stopped after {count} images.")
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
) -> None:
    """Look at every batch and keep what was found: wholly or, on an interrupt, not at all."""
    with tqdm(total=total, initial=begun, unit="image", disable=not progress) as bar:
        for batch in batches:
            found = look(batch)
            uninterrupted(lambda found=found: keep(found))  # type: ignore[misc]
            bar.update(len(batch))


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


def joined(ranges: Iterable[Range]) -> list[Range]:
    """Return ranges in order, those that touch as one.

    >>> joined([(4, 6), (0, 2), (2, 3)])
    [(0, 3), (4, 6)]
    """
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


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
) -> Iterator[tuple[list[Range], T]]:
    """Run `work(first, last, *shared)` for every shard on a Dask cluster and sum the results.

    Groups of shards are summed pairwise on the workers and yielded as they are done, with the
    shards they are made of. The scheduler runs again what a lost worker took along.
    """
    from distributed import as_completed

    held = client.scatter(list(shared), broadcast=True, hash=False)
    run = uuid4().hex
    leaves: dict[str, int] = {}
    roots: dict[str, list[Range]] = {}
    waiting = as_completed(loop=client.loop)
    for at in range(0, len(shards), GROUP):
        group = list(shards[at : at + GROUP])
        futures = [
            client.submit(work, *s, *held, pure=False, key=f"hexplain-{run}-{s[0]}") for s in group
        ]
        leaves |= {f.key: last - first for f, (first, last) in zip(futures, group, strict=True)}
        root = _summed(client, futures, merge)
        roots[root.key] = group
        waiting.update([*futures, root] if root not in futures else futures)
    with tqdm(total=sum(leaves.values()), unit="image", disable=not progress) as bar:
        for future in waiting:
            bar.update(leaves.pop(future.key, 0))
            if future.key in roots:
                yield roots.pop(future.key), future.result()
            elif future.status == "error":
                future.result()


def _summed(client: Any, futures: Sequence[Any], merge: Callable[[T, T], T]) -> Any:
    """Return the future of the sum of all, added pairwise where they lie."""
    while len(futures) > 1:
        pairs = zip(futures[::2], futures[1::2], strict=False)
        sums = [client.submit(merge, *pair, pure=False) for pair in pairs]
        futures = [*sums, *(futures[-1:] if len(futures) % 2 else [])]
    return futures[0]
