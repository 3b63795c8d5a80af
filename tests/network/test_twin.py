"""The user's network runs in a twin's place: nothing on it changes, and the twin follows it."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import hexplain_widgets as hx
from hexplain_widgets.network.guest import Twin, drawing_from, visiting
from tests.networks import image, plain, seeded


class Keeps(nn.Module):
    """Keeps its last map, counts its calls and has a running mean, all on itself."""

    def __init__(self) -> None:
        super().__init__()
        self.body = plain()
        self.calls, self.seen, self.mean = 0, [], 0.0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.last = self.body[:7](x)
        self.seen.append(tuple(x.shape))
        self.mean = 0.9 * self.mean + 0.1 * self.last.mean()
        return self.body[7:](self.last)


def whole_state(model: nn.Module) -> list[tuple[int, dict[str, object]]]:
    return [
        (id(m), {k: list(v) if isinstance(v, list) else v for k, v in vars(m).items()})
        for m in model.modules()
    ]


def is_as_it_was(model: nn.Module, before: list[tuple[int, dict[str, object]]]) -> bool:
    after = whole_state(model)
    return [i for i, _ in after] == [i for i, _ in before] and all(
        own.keys() == then.keys()
        and all(
            v is then[k] or (isinstance(v, list | dict) and v == then[k]) for k, v in own.items()
        )
        for (_, own), (_, then) in zip(after, before, strict=True)
    )


def test_all_that_a_network_keeps_on_itself_stays_as_it_was() -> None:
    model = Keeps()
    before = whole_state(model)
    first = hx.decompose(model, image(40))
    assert is_as_it_was(model, before)
    pickle.dumps(copy.deepcopy(model))
    assert hx.decompose(model, image(40)) == first


FEATURES: dict[str, Tensor] = {}
HISTORY: list[Tensor] = []
FACTOR = 1.0
COUNT = 0


def keeps_in_its_module(_module: nn.Module, _images: object, out: Tensor) -> None:
    global COUNT
    COUNT += 1
    FEATURES["last"] = out
    HISTORY.append(out)


def test_what_hooks_of_the_user_keep_stays_as_it_was() -> None:
    model, x = Keeps(), image(40)
    inside: list[Tensor] = []
    features: dict[str, Tensor] = {}

    def keeps(_module: nn.Module, _images: object, out: Tensor) -> None:
        inside.append(out)
        features["last"], model.last = out, out

    class Extractor:
        def __init__(self) -> None:
            self.seen: list[Tensor] = []

        def keep(self, _module: nn.Module, _images: object, out: Tensor) -> None:
            self.seen.append(out)

    extractor = Extractor()
    for hook in (keeps, keeps_in_its_module, extractor.keep):
        model.body[4].register_forward_hook(hook)
    model(x)
    kept, kept_too, count = features["last"], FEATURES["last"], COUNT
    state = whole_state(model)
    hx.decompose(model, image(40, 1))
    assert is_as_it_was(model, state)
    assert features["last"] is kept
    assert FEATURES["last"] is kept_too
    assert [len(inside), len(HISTORY), len(extractor.seen), COUNT] == [1, 1, 1, count]


def test_a_hook_reads_what_its_module_says_today(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = plain(), image(40)
    model[4].register_forward_hook(lambda _m, _x, out: out * FACTOR)
    for factor in (1.0, 2.0):
        monkeypatch.setitem(globals(), "FACTOR", factor)
        with torch.no_grad():
            own = model(x)[0]
        assert hx.decompose(model, x).target.logit == pytest.approx(float(own.max()), rel=1e-5)


def test_nothing_of_torch_is_patched_while_a_network_is_looked_into() -> None:
    call, seen = nn.Module.__call__, []

    class Looks(nn.ReLU):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(nn.Module.__call__ is call)
            return super().forward(x)

    hx.decompose(plain(activation=Looks), image(40))
    assert seen and all(seen)


class Following:
    """What may become of a network after a twin was made of it."""

    @staticmethod
    def trained(model: nn.Module) -> None:
        with torch.no_grad():
            model[0].weight.mul_(1.5)

    @staticmethod
    def loaded(model: nn.Module) -> None:
        model.load_state_dict(plain(seed=3).state_dict())

    @staticmethod
    def halved(model: nn.Module) -> None:
        model.to(torch.bfloat16)
        model[0].weight.data *= 2

    @staticmethod
    def replaced(model: nn.Module) -> None:
        model[3] = seeded(nn.Conv2d(8, 12, 5, padding=2), 4)

    @staticmethod
    def weight_replaced(model: nn.Module) -> None:
        model[0].weight = nn.Parameter(model[0].weight.detach() * 2)

    @staticmethod
    def setting_changed(model: nn.Module) -> None:
        model[2].kernel_size = model[2].stride = 4

    @staticmethod
    def hooked(model: nn.Module) -> None:
        model[1].register_forward_hook(lambda _module, _images, out: 2 * out)


CHANGES = [
    Following.trained,
    Following.loaded,
    Following.halved,
    Following.replaced,
    Following.weight_replaced,
    Following.setting_changed,
    Following.hooked,
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_becomes_of_a_network_is_seen_at_the_next_question(
    change: Callable[[nn.Module], None],
) -> None:
    model = plain()
    classifier = hx.Classifier(model)
    before = classifier.logits(image(40))
    hx.decompose(classifier, image(40))
    change(model)
    x = image(40).to(next(model.parameters()).dtype)
    with torch.no_grad():
        own = model(x)
    assert not torch.allclose(own.float(), before.float(), atol=1e-4)
    assert torch.equal(classifier.logits(x), own)
    tree = hx.decompose(classifier, image(40), target=int(own.argmax()))
    assert tree.target.logit == pytest.approx(float(own.max()), rel=1e-2)


def test_weights_are_shared_and_buffers_are_not() -> None:
    model = seeded(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()))
    with visiting(model) as twin:
        pairs = zip(model.parameters(), twin.parameters(), strict=True)
        assert all(one.data_ptr() == other.data_ptr() for one, other in pairs)
        pairs = zip(model.buffers(), twin.buffers(), strict=True)
        assert all(one.data_ptr() != other.data_ptr() for one, other in pairs)
        assert not any(p.requires_grad for p in twin.parameters())


def test_tied_weights_stay_tied() -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1))
    model[1].weight = model[0].weight
    twin = Twin(model).follow()
    assert twin is not None
    assert twin[0].weight is twin[1].weight


class Closed(nn.Module):
    """Holds a lock, which nobody can copy."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.lock = plain(), threading.Lock()

    def forward(self, x: Tensor) -> Tensor:
        with self.lock:
            return self.body(x)


def test_a_network_that_cannot_be_copied_is_visited_itself() -> None:
    model = Closed().train()
    before = whole_state(model)
    tree = hx.decompose(model, image(40))
    assert is_as_it_was(model, before)
    expected = hx.decompose(plain(), image(40))
    assert [c.channel for c in tree.root.children] == [c.channel for c in expected.root.children]
    assert any("cannot be copied" in note for note in tree.notes)


def test_a_forward_that_runs_the_originals_modules_is_visited_itself() -> None:
    model = plain()
    other = copy.deepcopy(model)

    def forward(x: Tensor) -> Tensor:
        for part in model:
            x = part(x)
        return x

    expected = hx.decompose(other, image(40))
    model.forward = forward
    tree = hx.decompose(model, image(40))
    assert tree.target == expected.target
    assert [c.channel for c in tree.root.children] == [c.channel for c in expected.root.children]
    assert any("modules of the original" in note for note in tree.notes)


def learner() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4),
    )  # fmt: skip


def train(model: nn.Module, steps: int) -> tuple[list[float], list[float]]:
    losses, draws = [], []
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    torch.manual_seed(1)
    for _ in range(steps):
        model.train()
        x = torch.rand(4, 3, 24, 24)
        loss = nn.functional.cross_entropy(model(x), torch.randint(4, (4,)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        draws.append(float(np.random.random()) + float(torch.rand(())))  # noqa: NPY002
    return losses, draws


def test_training_beside_a_busy_view_is_training_without_one() -> None:
    model = learner()
    alone = copy.deepcopy(model)
    np.random.seed(0)  # noqa: NPY002
    expected = train(alone, 60)
    stop, trees = threading.Event(), []

    def ask() -> None:
        while not stop.is_set():
            try:
                trees.append(hx.decompose(model, image(24), target=0))
            except (ValueError, RuntimeError):  # weights that change under a question
                trees.append(None)

    asking = threading.Thread(target=ask)
    np.random.seed(0)  # noqa: NPY002
    asking.start()
    try:
        found = train(model, 60)
    finally:
        stop.set()
        asking.join()
    assert trees
    assert found == expected
    assert all(torch.equal(a, b) for a, b in zip(alone.buffers(), model.buffers(), strict=True))
    assert all(module.training for module in model.modules())


DRAWS: Sequence[Callable[[], Tensor]] = (
    lambda: nn.Conv2d(3, 4, 3).weight,
    lambda: nn.MultiheadAttention(4, 2).in_proj_weight,
    lambda: torch.rand(3),
    lambda: torch.randint(9, (4,)),
    lambda: torch.randint(2, 9, (4,)),
    lambda: torch.randperm(9),
    lambda: torch.randn_like(torch.zeros(4)),
    lambda: F.dropout(torch.ones(9), 0.5, True),
    lambda: torch.native_dropout(torch.ones(9), 0.3, True)[0],  # what accelerators do
    lambda: torch.multinomial(torch.ones(5), 3),
    lambda: nn.init.orthogonal_(torch.empty(3, 3)),
)


def drawn_and_whether_global() -> tuple[list[Tensor], bool]:
    before = torch.get_rng_state()
    with drawing_from(7):
        values = [draw().detach() for draw in DRAWS]
    return values, not torch.equal(before, torch.get_rng_state())


def test_what_is_drawn_from_a_seed_is_the_same_on_every_thread_and_draws_from_nobody() -> None:
    torch.manual_seed(7)
    expected = [draw().detach() for draw in DRAWS]
    torch.manual_seed(0)
    with ThreadPoolExecutor(1) as pool:
        elsewhere = pool.submit(drawn_and_whether_global).result()
        for values, is_global in (drawn_and_whether_global(), elsewhere):
            assert all(map(torch.equal, values, expected))
            assert not is_global
