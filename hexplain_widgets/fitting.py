"""Gathering answers to gates over a data set: here, or on the workers of a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, get_args

from torch.utils.data import DataLoader, Subset

from .classifier import Classifier
from .gathering import Gathered, Origin
from .moments import Weighting
from .probe import Probe
from .provenance import fingerprint
from .responses import Responses, Score
from .samples import Batch, batches, is_shuffled, length_of
from .states import Arrays, Settings
from .streaming import accumulate, joined, over_cluster, shards_of, uninterrupted, without

# Images that go through the network at once.
BATCH, BATCH_DEVICE = 8, 64
# Shards of a cluster: small enough to spread, large enough for their sums to be worth sending.
SHARDS_PER_WORKER, LEAST_SHARD = 8, 64

State = tuple[Settings, Arrays]


@dataclass(frozen=True)
class Question:
    """What every image is asked: gates on which layers, and how the answers are weighed.

    Raises ValueError for settings out of range.
    """

    layers: tuple[str, ...] | None
    gates_per_image: int
    score: Score
    weighting: Weighting
    seed: int
    memory: int

    def __post_init__(self) -> None:
        if self.gates_per_image < 2:
            raise ValueError(
                f"got gates_per_image={self.gates_per_image}; expected at least 2, of which one"
                " leaves all channels open; the paper's is 100"
            )
        if self.memory < 1:
            raise ValueError(f"got memory={self.memory}; expected bytes; try 2 * 2**30")
        for name, kind in (("score", Score), ("weighting", Weighting)):
            if getattr(self, name) not in get_args(kind):
                known = ", ".join(map(repr, get_args(kind)))
                raise ValueError(
                    f"got {name}={getattr(self, name)!r}; expected {known}; choose one of these"
                )

    def responses(self, probe: Probe, origin: Origin) -> Responses:
        """Return what asks the network."""
        return Responses(
            probe, origin.layers, gates_per_image=self.gates_per_image, score=self.score,
            seed=self.seed,
        )  # fmt: skip

    def origin(self, probe: Probe, batch: Batch) -> Origin:
        """Return what the answers belong to, found on a first image."""
        capture = probe.capture(batch.x[:1], self.layers)
        classifier, count = probe.classifier, capture.logits.shape[1]
        names = tuple(classifier.name(i) for i in range(count))
        return Origin(
            network=fingerprint(classifier.model), model=type(classifier.model).__name__,
            names=names, classes=count, layers=capture.layers, score=self.score,
            weighting=self.weighting,
        )  # fmt: skip


def check_goes_on(settings: Mapping[str, Any], question: Question) -> None:
    """Raise ValueError where a checkpoint's images were asked for other gates."""
    for name in ("gates_per_image", "seed"):
        before, now = settings.get(name), getattr(question, name)
        if before != now:
            raise ValueError(
                f"got a checkpoint with {name}={before} to go on with at {name}={now}; the same was"
                f" expected; make Chip({name}={before}), or start again without resume"
            )


class Gathering:
    """A fit under way: `gathered` is None before the first image, and whole at any time after."""

    def __init__(
        self,
        question: Question,
        classifier: Classifier,
        gathered: Gathered | None,
        *,
        save: Callable[[Gathered], object] | None = None,
        begun: Callable[[Gathered], object],
    ) -> None:
        self.gathered = gathered
        self._question = question
        self._classifier = classifier
        self._probe = Probe(classifier)
        self._save = save
        self._begun = begun

    def run(self, data: Any, *, progress: bool) -> None:
        """Go through the data here, after the images that are done already."""
        skip = self._done_at_the_start(data)
        size = batch_size(self._classifier)
        source = batches(data, self._classifier, size=size, skip=skip)
        first = next(source, None)
        if first is None:
            return self._nothing_more()
        responses = self._question.responses(self._probe, self._open(first).origin)
        accumulate(
            chain([first], source), lambda batch: (batch, responses.of(self._checked(batch))),
            lambda found: self._keep(*found), total=length_of(data), begun=skip, progress=progress,
        )  # fmt: skip
        self._saved(last=True)

    def _open(self, first: Batch) -> Gathered:
        origin = self._question.origin(self._probe, first)
        if self.gathered is None:
            self.gathered = Gathered(origin, self._question.memory)
        self.gathered.check_same(origin)
        self._begun(self.gathered)
        return self.gathered

    def _checked(self, batch: Batch) -> Batch:
        self._sums.check_labels(batch)
        return batch

    @property
    def _sums(self) -> Gathered:
        if self.gathered is None:
            raise RuntimeError("nothing is gathered yet; a first image was expected; run it")
        return self.gathered

    def _keep(self, batch: Batch, seen: Any) -> None:
        self._sums.add(seen, self._classifier)
        self._saved()

    def _saved(self, *, last: bool = False) -> None:
        if self._save is not None and (last or self._sums.settled):
            self._save(self._sums)

    def _done_at_the_start(self, data: Any) -> int:
        done = self.gathered.done if self.gathered is not None else []
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
        if self.gathered is None or not self.gathered.images:
            raise ValueError(
                "got data without a single image; expected at least one; check the folder or the"
                " filter that made it"
            )

    def run_on(self, client: Any, data: Any, *, progress: bool) -> None:
        """Go through the data on a Dask cluster, shard by shard."""
        data = _indexed(data)
        total = len(data)
        done = self.gathered.done if self.gathered is not None else []
        first = next(batches(Subset(data, range(min(total, 1))), self._classifier, size=1), None)
        if first is None:
            return self._nothing_more()
        origin = self._open(first).origin
        shards = shards_of(without(total, done), _shard_size(total, client))
        shared = (self._classifier, data, self._question, origin)
        for ranges, state in over_cluster(
            client, gathered_shard, merged_states, shards, shared=shared, progress=progress
        ):
            part = Gathered.from_state(*state)
            uninterrupted(partial(self._keep_shards, ranges, part))

    def _keep_shards(self, ranges: Sequence[tuple[int, int]], part: Gathered) -> None:
        part.done = joined(ranges)
        self._sums.merge(part, same_data=True)
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


def gathered_shard(
    first: int, last: int, classifier: Classifier, data: Any, question: Question, origin: Origin
) -> State:
    """Return what a shard of the data gives, on the worker that runs it."""
    gathered = Gathered(origin, question.memory)
    responses = question.responses(Probe(classifier), origin)
    for batch in _shard(data, first, last, classifier):
        gathered.check_labels(batch)
        gathered.add(responses.of(batch), classifier)
    return gathered.state()


def _shard(data: Any, first: int, last: int, classifier: Classifier) -> Iterator[Batch]:
    return batches(Subset(data, range(first, last)), classifier, size=batch_size(classifier))


def merged_states(one: State, other: State) -> State:
    """Return the sum of what two shards gave."""
    gathered = Gathered.from_state(*one)
    gathered.merge(Gathered.from_state(*other), same_data=True)
    return gathered.state()
