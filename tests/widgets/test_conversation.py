"""Every message of a view is answered once, whatever it holds and whenever it comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from typing import Any
from unittest import TestCase

import pytest

from hexplain_widgets.arguments import SlowBar
from hexplain_widgets.widgets._shared.conversation import Content, Conversation, Stop


class Listener:
    """Keeps what a conversation says, and waits for what it is expected to say."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self._news = threading.Condition()

    def __call__(self, message: dict[str, Any]) -> None:
        with self._news:
            self.heard.append(message)
            self._news.notify_all()

    def answer(self, number: object) -> dict[str, Any]:
        """The answer to a message, not counting that it was accepted."""
        with self._news:
            assert self._news.wait_for(lambda: self._answers(number), 5), self.heard
            return self._answers(number)[0]

    def _answers(self, number: object) -> list[dict[str, Any]]:
        return [m for m in self.heard if m["id"] == number and m["kind"] != "accepted"]


def double(content: Content, stopped: Stop) -> Mapping[str, Any]:
    return {"doubled": 2 * content["n"]}


def fail(content: Content, stopped: Stop) -> Mapping[str, Any]:
    raise ValueError("got 7; expected a positive number; choose one above 0")


def break_down(content: Content, stopped: Stop) -> Mapping[str, Any]:
    raise ZeroDivisionError


def wait_to_be_stopped(content: Content, stopped: Stop) -> Mapping[str, Any]:
    content["running"].set()
    while not stopped():
        time.sleep(0.002)
    raise CancelledError


def count(content: Content, stopped: Stop) -> Mapping[str, Any]:
    with SlowBar("counting", content["to"], "sheep") as counted:
        while counted.n < content["to"]:
            counted.update()
            content["running"].set()
            time.sleep(0.002)
    return {"sheep": counted.n}


HANDLERS = {
    "double": double,
    "fail": fail,
    "break": break_down,
    "wait": wait_to_be_stopped,
    "count": count,
}
Talk = tuple[Callable[[object], None], Listener]


@pytest.fixture
def talk() -> Iterator[Talk]:
    listener = Listener()
    conversation = Conversation(HANDLERS, listener)
    yield conversation.receive, listener
    conversation.close()


def test_a_message_is_accepted_and_then_answered_with_its_result(talk: Talk) -> None:
    say, heard = talk
    say({"kind": "double", "id": 4, "n": 21})
    assert heard.answer(4) == {"kind": "result", "id": 4, "doubled": 42}
    assert heard.heard[0] == {"kind": "accepted", "id": 4}


def test_an_error_is_answered_with_its_words(talk: Talk) -> None:
    say, heard = talk
    say({"kind": "fail", "id": 1})
    text = "got 7; expected a positive number; choose one above 0"
    assert heard.answer(1) == {"kind": "error", "id": 1, "text": text}


def test_an_unexpected_exception_is_answered_and_logged(talk: Talk) -> None:
    say, heard = talk
    with TestCase().assertLogs() as logged:
        say({"kind": "break", "id": 1})
        assert "ZeroDivisionError" in heard.answer(1)["text"]
    assert "ZeroDivisionError" in logged.output[0]


@pytest.mark.parametrize("content", [None, 3, "expand", [1], b"x"])
def test_what_is_no_object_is_answered_with_an_error(talk: Talk, content: object) -> None:
    say, heard = talk
    say(content)
    assert "expected an object with kind and id" in heard.answer(None)["text"]


@pytest.mark.parametrize("kind", ["shutdown", "__class__", 7, None, ["expand"], {}])
def test_an_unknown_kind_is_answered_with_the_known_ones(talk: Talk, kind: object) -> None:
    say, heard = talk
    say({"kind": kind, "id": 9})
    assert "expected one of double, fail, break, wait, count, cancel" in heard.answer(9)["text"]


@pytest.mark.parametrize("number", [None, "1", 1.5, True, [1]])
def test_an_id_that_is_no_whole_number_is_answered_with_an_error(
    talk: Talk, number: object
) -> None:
    say, heard = talk
    say({"kind": "double", "id": number, "n": 1})
    assert "expected a whole number" in heard.answer(None)["text"]


def test_after_an_error_the_next_message_is_answered(talk: Talk) -> None:
    say, heard = talk
    say({"kind": "fail", "id": 1})
    say({"kind": "double", "id": 2, "n": 1})
    assert heard.answer(2)["doubled"] == 2


def test_what_runs_is_stopped_by_a_cancel_and_not_answered(talk: Talk) -> None:
    say, heard = talk
    running = threading.Event()
    say({"kind": "wait", "id": 1, "running": running})
    assert running.wait(5)
    say({"kind": "cancel", "id": 2, "of": 1})
    assert heard.answer(2)["cancelled"] is True
    say({"kind": "double", "id": 3, "n": 1})
    heard.answer(3)
    assert [m["kind"] for m in heard.heard if m["id"] == 1] == ["accepted"]


def test_what_waits_behind_is_dropped_by_a_cancel(talk: Talk) -> None:
    say, heard = talk
    running = threading.Event()
    say({"kind": "wait", "id": 1, "running": running})
    say({"kind": "double", "id": 2, "n": 1})
    for number, of in ((3, 2), (4, 1)):
        say({"kind": "cancel", "id": number, "of": of})
    say({"kind": "double", "id": 5, "n": 1})
    heard.answer(5)
    assert [m["kind"] for m in heard.heard if m["id"] == 2] == ["accepted"]


@pytest.mark.parametrize("of", [99, None, "1", [1], True])
def test_a_cancel_of_nothing_is_answered(talk: Talk, of: object) -> None:
    say, heard = talk
    say({"kind": "cancel", "id": 5, "of": of})
    assert heard.answer(5)["cancelled"] is False


def test_messages_from_many_threads_are_each_answered_once(talk: Talk) -> None:
    say, heard = talk
    threads = [
        threading.Thread(target=say, args=({"kind": "double", "id": i, "n": i},)) for i in range(50)
    ]
    for thread in threads:
        thread.start()
    answers = [heard.answer(i)["doubled"] for i in range(50)]
    assert answers == [2 * i for i in range(50)]
    assert len(heard.heard) == 100


def test_a_message_to_a_closed_view_is_answered_with_an_error() -> None:
    listener = Listener()
    conversation = Conversation(HANDLERS, listener)
    conversation.close()
    conversation.receive({"kind": "double", "id": 1, "n": 1})
    assert "the view was closed" in listener.answer(1)["text"]


def test_what_counts_says_how_far_it_is_and_how_long_it_takes(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hexplain_widgets.widgets._shared.conversation.SIGN_OF_LIFE", 0)
    say, heard = talk
    say({"kind": "count", "id": 1, "to": 3, "running": threading.Event()})
    assert heard.answer(1) == {"kind": "result", "id": 1, "sheep": 3}
    plain, *news, _ = heard.heard
    assert plain == {"kind": "accepted", "id": 1}
    assert [(one["done"], one["total"], one["unit"]) for one in news] == [
        (n, 3, "sheep") for n in range(4)
    ]
    assert news[0]["left"] is None
    assert all(one["left"] >= 0 for one in news[1:])


def test_what_is_over_at_once_is_acknowledged_once(talk: Talk) -> None:
    say, heard = talk
    say({"kind": "count", "id": 1, "to": 3, "running": threading.Event()})
    heard.answer(1)
    assert [one["kind"] for one in heard.heard] == ["accepted", "result"]


def test_what_counts_and_never_asks_whether_to_stop_is_ended_by_cancel(talk: Talk) -> None:
    say, heard = talk
    running = threading.Event()
    say({"kind": "count", "id": 1, "to": 10**9, "running": running})
    assert running.wait(5)
    say({"kind": "cancel", "id": 2, "of": 1})
    assert heard.answer(2)["cancelled"] is True
    say({"kind": "double", "id": 3, "n": 1})
    assert heard.answer(3)["doubled"] == 2
    assert [one["kind"] for one in heard.heard if one["id"] == 1] == ["accepted"]
