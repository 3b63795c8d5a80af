"""The shell of fitted engines: a fit and going on with it, merging, saving, another network."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

from torch import nn

from ..arguments import as_arguments, said_of_settings, tuple_of
from ..network.classifier import Classifier
from .passes import Pass, Plan
from .states import Settings, restoring
from .statistics import Statistics

S = TypeVar("S", bound=Statistics[Any, Any])


def kept_arguments(
    kept: Mapping[str, Any], names: Collection[str], later: Collection[str]
) -> dict[str, Any]:
    """Return an engine's arguments from a file; those that came `later` may be missing in it."""
    return {n: tuple_of(kept[n]) for n in names if n in kept or n not in later}


class BaseEngine(Generic[S]):
    """An engine that keeps statistics of the data that it was fitted on.

    `SETTINGS` are the arguments of its constructor that are saved, `LEARNED` the attributes that
    are saved beside them, by their names in a file. `LATER` are settings that files of before do
    not have: these have the usual ones. `DATA` and `CALL` say in an error what an engine is fitted
    on, and how. `settings` names the set that arguments are from which were left out.
    """

    STATISTICS: ClassVar[type[Any]]
    SETTINGS: ClassVar[tuple[str, ...]] = ()
    LATER: ClassVar[tuple[str, ...]] = ("settings",)
    LEARNED: ClassVar[Mapping[str, str]] = {}
    DATA: ClassVar[str] = "any data"
    CALL: ClassVar[str] = "fit(classifier, data)"
    settings: str

    def __init__(self) -> None:
        self.classifier_: Classifier | None = None
        self._begin(None)

    def _begin(self, statistics: S | None) -> None:
        """Stand on other statistics: what was made of those before is gone."""
        self._statistics = statistics

    @property
    def _fitted(self) -> S:
        if self._statistics is None or not self._statistics.images:
            name = type(self).__name__
            raise ValueError(
                f"this {name} has not seen {self.DATA}; a fitted one was expected; call"
                f" {name.lower()}.{self.CALL}, or open a saved one with {name}.load(path)"
            )
        return self._statistics

    @property
    def settings_(self) -> str:
        """Which settings are used, in words: a named set, and what differs from it."""
        return said_of_settings(self._row, self.settings, self)

    @property
    def _row(self) -> str:
        """Under which name the sets of settings know this engine."""
        return type(self).__name__

    @property
    def _notes_on_settings(self) -> tuple[str, ...]:
        """What is to be said of settings that are not the usual ones."""
        usual = self.settings == "default"
        return () if usual else (f"Found with the settings {self.settings_}.",)

    def _called(self, usual: str, seen: str) -> str:
        """Return what an engine is shown as: by its set of settings, or as usual."""
        named = usual if self.settings == "default" else as_arguments(self.settings_)
        return f"{type(self).__name__}({named}{seen})"

    @property
    def images_(self) -> int:
        """How many images were seen."""
        return self._fitted.images

    @property
    def _said(self) -> tuple[str, ...]:
        """What is to be said of scores and layers, each once."""
        own = self.classifier_.score_notes if self.classifier_ else ()
        said = (*own, *self._fitted.scope.notes, *self._notes_on_settings)
        return tuple(dict.fromkeys(said))

    def _going_on(self, plan: Plan[S], classifier: Classifier, checkpoint: Any) -> S | None:
        """Return what a fit goes on with: a checkpoint, or else what was kept; None for nothing.

        Raises ValueError for what the plan cannot go on with.
        """
        if checkpoint is not None and Path(checkpoint).is_file():
            statistics, settings = self.STATISTICS.load(checkpoint)
        elif self._statistics is None:
            return None
        else:
            # A copy: a merged or refitted engine may stand on the same.
            statistics, settings = self._statistics.copy(), self._settings()
        plan.check_goes_on(statistics, settings, classifier)
        return statistics

    def _go_through(
        self,
        data: Any,
        plan: Plan[S],
        classifier: Classifier,
        before: S | None,
        *,
        checkpoint: str | Path | None,
        client: Any,
        progress: bool,
    ) -> None:
        """Fit, after the statistics of an earlier fit where there are some."""
        self.classifier_ = classifier
        self._begin(before)
        save = None if checkpoint is None else lambda s: s.save(checkpoint, self._settings())
        fit = Pass(plan, classifier, before, save=save, begun=self._begin)
        if client is None:
            fit.run(data, progress=progress)
        else:
            fit.run_on(client, data, progress=progress)

    def _settings(self) -> Settings:
        learned = {name: getattr(self, attribute) for name, attribute in self.LEARNED.items()}
        return {name: getattr(self, name) for name in self.SETTINGS} | learned

    def _merged(self, other: Self) -> Self:
        """Return an engine fitted on both data sets; raises ValueError for other scopes."""
        statistics = self._fitted.copy()
        statistics.merge(other._fitted)
        merged = copy.copy(self)
        merged.classifier_ = self.classifier_ or other.classifier_
        merged._begin(statistics)
        return merged

    @classmethod
    def _loaded(cls, path: str | Path, model: nn.Module | Classifier | None) -> Self:
        """Return a saved engine, on the network where one is given."""
        statistics, settings = cls.STATISTICS.load(path)
        with restoring(cls.__name__, path):
            engine = cls(**kept_arguments(settings, cls.SETTINGS, cls.LATER))
            for name, attribute in cls.LEARNED.items():
                kind = type(getattr(engine, attribute))
                setattr(engine, attribute, kind(settings[name]))
        engine._begin(statistics)
        return engine if model is None else engine._on(model)

    def _on(self, model: nn.Module | Classifier) -> Self:
        """Return this engine with a network; raises ValueError for another than the fit's."""
        classifier = Classifier.of(model)
        self._fitted.check_network(classifier)
        engine = copy.copy(self)
        engine.classifier_ = classifier
        return engine

    @property
    def _network(self) -> Classifier:
        if self.classifier_ is None:
            name = type(self).__name__
            raise ValueError(
                f"this {name} was loaded without its network; one was expected to explain an image;"
                f" open it with {name}.load(path, model), or {name.lower()}.on(model)"
            )
        return self.classifier_
