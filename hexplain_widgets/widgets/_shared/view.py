"""What all views share: a bundle, the talk with the browser, the way out of the notebook."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets

from .composite import SETTABLE, Composite
from .conversation import Conversation, Handler
from .export import Exportable

STATIC = Path(__file__).parents[2] / "static"


class View(Exportable, Composite, anywidget.AnyWidget):
    """A widget with a bundle of its own; messages from the browser go to `handlers()`."""

    bundle: ClassVar[str]
    _conversation: Conversation | None = None  # a view that was refused never had one

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)

    def __init__(self, **state: Any) -> None:
        self._state_lock = threading.RLock()
        self._conversation = Conversation(self.handlers(), self._say)
        super().__init__(
            _esm=_bundled(f"{self.bundle}.js"), _css=_bundled(f"{self.bundle}.css"), **state
        )
        self.on_msg(self._hear)

    def handlers(self) -> Mapping[str, Handler]:
        """Return what answers each kind of message."""
        return {}

    @abstractmethod
    def snapshot(self) -> View:
        """Return a twin without a model, for pages where no kernel answers."""

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take state from the browser; never at once with state from an answer."""
        with self._state_lock:
            super().set_state(sync_data)

    def close(self) -> None:
        """Close the view here and in the browser."""
        if self._conversation is not None:
            self._conversation.close()
        super().close()

    def _publish(self, **state: Any) -> None:
        with self._state_lock, self.hold_sync():
            for name, value in state.items():
                setattr(self, name, value)

    def _hear(self, _: object, content: object, __: object) -> None:
        if self._conversation is not None:
            self._conversation.receive(content)

    def _say(self, message: dict[str, Any]) -> None:
        self.send(message)


def synced(kind: Callable[..., Any], **settings: Any) -> Any:
    """Return a trait that the browser is told of and that is saved with the notebook."""
    return kind(**settings).tag(sync=True)


def settable(kind: Callable[..., Any], **settings: Any) -> Any:
    """Return such a trait that a person sets in the browser, too.

    `from_json(value, view)` returns what is understood of what came.
    """
    from_json = settings.pop("from_json", None)
    tags = {SETTABLE: True} | ({"from_json": from_json} if from_json else {})
    return synced(kind, **settings).tag(**tags)


def _bundled(name: str) -> str:
    path = STATIC / name
    if not path.is_file():
        raise FileNotFoundError(
            f"The view's bundle {name} is not in {STATIC.name}/; the package is built with its"
            " views; install it with `pip install .`, or run `npm run build` in js/."
        )
    return path.read_text(encoding="utf-8")


def check_evidence(evidence: Any, kind: type | tuple[type, ...], maker: str) -> None:
    """Raise TypeError where evidence is of another kind than the view shows, or of none of some."""
    if not isinstance(evidence, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        articles = ("an" if one.__name__[0] in "AEIO" else "a" for one in kinds)
        expected = " or ".join(
            f"{a} {one.__name__}" for a, one in zip(articles, kinds, strict=True)
        )
        raise TypeError(
            f"got {type(evidence).__name__} as evidence; expected {expected};"
            f" make one with {maker} or open a saved one with load(path)"
        )
