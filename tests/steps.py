"""A failure at the n-th line of code that runs: deterministic, by a trace function."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import FrameType
from typing import Any


class FailureAtStep:
    """Raises at the `at`-th line that runs in some files, below calls of functions of a name.

    `first` tells of each line when it ran for the first time, `steps` how many ran.
    """

    def __init__(
        self,
        watched: Callable[[str], bool],
        begin: str | None,
        at: int | None,
        failure: type[BaseException],
    ) -> None:
        self.steps, self.first, self.raised = 0, {}, False
        self._begin, self._at, self._failure = begin, at, failure
        self._watched = cache(watched)  # asked at every call of anything
        self._inside = 0

    def __call__(self, frame: FrameType, event: str, arg: object) -> Any:
        code = frame.f_code
        if not self._watched(code.co_filename):
            return None
        begins = code.co_name == self._begin
        self._inside += begins
        if self._begin is not None and not self._inside:
            return None
        return self._outer if begins else self._line

    def _outer(self, frame: FrameType, event: str, arg: object) -> Any:
        if event == "return":
            self._inside -= 1
        return self._line(frame, event, arg) and self._outer

    def _line(self, frame: FrameType, event: str, arg: object) -> Any:
        if event == "line":
            self.steps += 1
            self.first.setdefault((frame.f_code.co_filename, frame.f_lineno), self.steps)
            if self.steps == self._at:
                self.raised = True
                raise self._failure("in the middle")
        return self._line


@contextmanager
def failing(
    watched: Callable[[str], bool],
    begin: str | None = None,
    at: int | None = None,
    failure: type[BaseException] = OSError,
) -> Iterator[FailureAtStep]:
    """Trace the body, and fail at a line of it if one is given."""
    tracer, before = FailureAtStep(watched, begin, at, failure), sys.gettrace()
    sys.settrace(tracer)
    try:
        yield tracer
    finally:
        sys.settrace(before)
