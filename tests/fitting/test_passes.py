"""Streaming: accumulating in order, around what is done, and on a cluster that loses a worker."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hexplain_widgets.data.samples import Batch, Sample
from hexplain_widgets.fitting.passes import (
    accumulate,
    joined,
    over_cluster,
    shards_of,
    uninterrupted,
    without,
)

RANGES = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda p: (min(p), max(p))), max_size=6
)


def members(ranges: list[tuple[int, int]]) -> set[int]:
    return {i for first, last in ranges for i in range(first, last)}


@given(RANGES)
@settings(deadline=None)
def test_joined_ranges_hold_the_same_numbers_in_order_and_apart(ranges) -> None:
    found = joined(ranges)
    assert members(found) == members(ranges)
    assert all(a[1] < b[0] for a, b in pairwise(found))


@given(RANGES, st.integers(0, 35))
@settings(deadline=None)
def test_what_is_left_is_what_is_not_done(done, total: int) -> None:
    left = without(total, done)
    assert members(left) == set(range(total)) - members(done)
    assert len(members(left)) == sum(last - first for first, last in left)


@given(RANGES, st.integers(1, 9))
@settings(deadline=None)
def test_shards_cover_their_ranges_once_and_keep_to_their_size(ranges, size: int) -> None:
    shards = shards_of(joined(ranges), size)
    assert members(shards) == members(ranges)
    assert all(0 < last - first <= size for first, last in shards)


def batches(count: int) -> Iterator[Batch]:
    for i in range(count):
        x = torch.full((1, 1, 2, 2), float(i))
        yield Batch(x, (Sample(x, None, True),))


def run(source: Iterator[Batch], look, kept: list) -> None:
    accumulate(source, look, kept.append, total=None, progress=False)


def test_every_batch_is_looked_at_and_kept_in_order() -> None:
    kept: list[float] = []
    run(batches(5), lambda b: float(b.x[0, 0, 0, 0]), kept)
    assert kept == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError, SystemExit])
def test_a_batch_that_fails_leaves_those_before_it(failure) -> None:
    kept: list[int] = []

    def look(batch: Batch) -> int:
        if len(kept) == 3:
            raise failure("in the middle")
        return len(kept)

    with pytest.raises(failure, match="in the middle"):
        run(batches(5), look, kept)
    assert kept == [0, 1, 2]


def test_an_interrupt_while_sums_are_added_comes_after_them() -> None:
    done = []

    def slow() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.3)
        done.append(threading.current_thread().name)

    with pytest.raises(KeyboardInterrupt):
        uninterrupted(slow)
    assert len(done) == 1


def test_an_error_while_sums_are_added_is_raised() -> None:
    def full() -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        uninterrupted(full)


def test_progress_counts_images_from_where_it_begins(capsys) -> None:
    accumulate(batches(3), len, lambda _: None, total=5, begun=2)
    assert "5/5" in capsys.readouterr().err


def working(wrong: int | None = None) -> Callable[[int, int, int], int]:
    """A function that travels as it stands: a worker need not import what this file imports."""

    def work(first: int, last: int, add: int) -> int:
        time.sleep(0.1)
        if first == wrong:
            raise ValueError(f"image {wrong} is no image")
        return sum(range(first, last)) + add

    return work


def adding() -> Callable[[int, int], int]:
    return lambda one, other: one + other


@pytest.mark.slow
@pytest.mark.parametrize("count", [0, 1, 2, 19])
def test_shards_on_a_cluster_sum_to_the_whole(client, count: int) -> None:
    shards = shards_of([(0, count)], 1)
    found = list(over_cluster(client, working(), adding(), shards, shared=[100], progress=False))
    assert joined(r for ranges, _ in found for r in ranges) == joined([(0, count)] * (count > 0))
    assert sum(value for _, value in found) == sum(range(count)) + 100 * count


@pytest.mark.slow
def test_an_error_on_a_worker_travels_back(client) -> None:
    shards = shards_of([(0, 9)], 1)
    running = over_cluster(client, working(4), adding(), shards, shared=[0], progress=False)
    with pytest.raises(ValueError, match="image 4 is no image"):
        list(running)


@pytest.mark.slow
def test_what_all_workers_were_handed_and_lost_is_handed_out_again(client) -> None:
    shards = shards_of([(0, 24)], 1)
    running = over_cluster(client, working(), adding(), shards, shared=[100], progress=False)
    sums = [next(running)]
    for victim in client.run(os.getpid).values():
        os.kill(victim, signal.SIGKILL)
    sums += list(running)
    assert sum(value for _, value in sums) == sum(range(24)) + 2400


@pytest.mark.slow
def test_a_sum_that_is_lost_on_its_way_here_is_made_again(client, monkeypatch) -> None:
    from distributed.client import Future, FutureCancelledError

    losses = iter([True])
    result = Future.result

    def lost_once(future, timeout=None):
        if next(losses, False):
            raise FutureCancelledError(future.key, "already forgotten")
        return result(future, timeout)

    monkeypatch.setattr(Future, "result", lost_once)
    shards = shards_of([(0, 12)], 1)
    sums = list(over_cluster(client, working(), adding(), shards, shared=[1], progress=False))
    assert sum(value for _, value in sums) == sum(range(12)) + 12
    assert next(losses, None) is None


def test_what_a_lost_worker_took_along_is_done_again(client) -> None:
    shards = shards_of([(0, 24)], 1)
    running = over_cluster(client, working(), adding(), shards, shared=[100], progress=False)
    found = [next(running)]
    victim = client.run(os.getpid)
    os.kill(next(iter(victim.values())), signal.SIGKILL)
    found += list(running)
    assert sum(value for _, value in found) == sum(range(24)) + 2400
