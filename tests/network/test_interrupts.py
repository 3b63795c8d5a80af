"""An interrupt at any line of a visit: the guest, the process and the next answer are as before."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._C import _len_torch_function_stack

import hexplain_widgets as hx
from hexplain_widgets import network
from hexplain_widgets.network.guest import twin_of
from hexplain_widgets.network.probe import Probe
from tests.networks import image, seeded
from tests.steps import failing

OWN = str(Path(network.__file__).parent)


class Small(nn.Module):
    """Two stages; keeps its last map, counts in a buffer, has a batch norm and a frozen weight."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.two = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(4, 5, 3), nn.ReLU())
        self.head = nn.Linear(5, 3)
        self.register_buffer("calls", torch.zeros(1))
        seeded(self).train()
        self.one[0].weight.requires_grad_(False)
        self.two.eval()
        self.one.register_forward_hook(_unchanged)

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.last = self.one(x)
        return self.head(self.two(self.last).mean((2, 3)))


class Uncopied(Small):
    """Cannot be copied: runs itself."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Small:
        raise TypeError("there is one of me")


class UncopiedReplay(Uncopied):
    """Is replayed, on itself: its way depends on what comes."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x * 2 if float(x.detach().sum()) > -1e9 else x)


def _unchanged(*_: object) -> None: ...


def held(value: Any) -> Any:
    """What a module holds, by identity and by content."""
    if isinstance(value, dict):
        return [(key, held(one)) for key, one in value.items()]
    if isinstance(value, Tensor):
        gradient = None if value.grad is None else id(value.grad)
        return id(value), value.requires_grad, gradient, value.detach().numpy().tobytes()
    if isinstance(value, list | set | tuple):
        return [held(one) for one in value]
    return id(value) if not isinstance(value, bool | int | float | str) else value


def state(model: nn.Module) -> dict[str, object]:
    return {
        "modules": [(id(m), type(m), held(vars(m))) for m in model.modules()],
        "torch": (nn.Module.__call__, nn.Module.__setattr__, Tensor.__getitem__),
        "modes": (torch.is_grad_enabled(), torch.is_inference_mode_enabled(),
                  _len_torch_function_stack(), torch.get_default_dtype()),
        "random": (torch.get_rng_state().numpy().tobytes(), np.random.get_state()[1].tobytes(),  # noqa: NPY002
                   random.getstate()),
        "lock": twin_of(model).lock._is_owned(),
    }  # fmt: skip


def tree(model: nn.Module) -> Any:
    return hx.decompose(model, image(14), top_k=1)


def ablation(model: nn.Module) -> Any:
    return hx.decompose(model, image(14), top_k=1, method="ablation")


def maps(model: nn.Module) -> Any:
    capture = Probe(hx.Classifier(model)).capture(image(14))
    return [own.sum().item() for own in (capture.logits, *capture.maps.values())]


def logits(model: nn.Module) -> Any:
    return hx.Classifier(model).logits(image(14)).tolist()


CASES = [
    (Small, maps, ("guest.py", "probe.py")),
    (Uncopied, maps, ("guest.py", "probe.py")),
    (UncopiedReplay, maps, ("guest.py", "probe.py", "backends.py")),
    (Small, tree, ("operations.py", "graph.py", "segments.py")),
    (UncopiedReplay, ablation, ("probe.py", "ablation.py", "backends.py")),
    (Uncopied, logits, ("guest.py", "classifier.py", "scores.py")),
]
NAMES = [f"{make.__name__}, {ask.__name__}, {files[0]}" for make, ask, files in CASES]
# Lines of which one run is tried; `guest.py` and the hooks of `probe.py` are tried whole.
MOST = 15


def chosen(first: dict[tuple[str, int], int]) -> list[int]:
    guest = [n for (file, _), n in first.items() if file.endswith("guest.py")]
    rest = [n for (file, _), n in first.items() if not file.endswith("guest.py")]
    return [*guest, *rest[:: 1 + len(rest) // MOST]]


@pytest.mark.usefixtures("unchecked")  # signatures are checked on the same ways elsewhere
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("make", "ask", "files"), CASES, ids=NAMES)
def test_an_interrupt_at_any_line_leaves_no_trace(
    make: type[nn.Module], ask: Callable[[nn.Module], Any], files: tuple[str, ...]
) -> None:
    def watched(file: str) -> bool:
        return file.startswith(OWN) and file.endswith(files)

    expected, model = ask(make()), make()
    with failing(watched) as counted:
        ask(make())
    ask(model)
    with failing(watched) as again:
        ask(model)
    # The first question makes the twin, those that follow find it.
    cases = [(None, at) for at in chosen(counted.first)]
    cases += [(model, at) for at in chosen(again.first)[::2]]
    raised = 0
    for guest, at in ((guest or make(), at) for guest, at in cases):
        before = state(guest)
        with (
            failing(watched, at=at, failure=KeyboardInterrupt) as tracer,
            suppress(KeyboardInterrupt),
        ):
            ask(guest)
        raised += tracer.raised
        after = state(guest)
        for part, value in before.items():
            assert after[part] == value, (part, at)
        assert ask(guest) == expected, at
        assert state(guest)["modules"] == before["modules"]
    assert raised > 0.9 * len(cases) > 15
