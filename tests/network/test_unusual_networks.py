"""Networks that cannot be asked as they are: the right answer, or an error that names the case."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

import hexplain_widgets as hx
from tests.networks import image, plain, seeded

X = image(16)


class Switching(nn.Module):
    """The plain network, some of it called in a context that switches gradients off."""

    def __init__(self, off: Callable, first: int = 0, last: int = 10) -> None:
        super().__init__()
        self.body, self.off, self.first, self.last = plain(), off, first, last

    def forward(self, x: Tensor) -> Tensor:
        x = self.body[: self.first](x)
        with self.off():
            x = self.body[self.first : self.last](x)
        return self.body[self.last :](x)


def same_tree(found: hx.Decomposition, expected: hx.Decomposition) -> None:
    pairs = zip(found.root.walk(), expected.root.walk(), strict=True)
    for (_, one), (_, other) in pairs:
        assert (one.channel, one.position) == (other.channel, other.position)
        assert one.contribution == pytest.approx(other.contribution, rel=1e-5)


@pytest.mark.parametrize("part", [(0, 10), (0, 3), (3, 10)])
@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_a_forward_that_switches_gradients_off_is_explained_and_says_so(off, part) -> None:
    found = hx.decompose(Switching(off, *part), X)
    same_tree(found, hx.decompose(plain(), X))
    assert any("switches gradients off" in note for note in found.notes)


class StraightThrough(nn.Module):
    """Rounds; its gradient, made by switching gradients off, is that of the identity."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            away = torch.round(4 * x) / 4 - x
        return x + away


def test_gradients_that_are_left_on_in_part_are_the_networks_own() -> None:
    network = nn.Sequential(*plain()[:2], StraightThrough(), *plain()[2:]).eval()
    found = hx.decompose(network, X, layers=["1"], top_k=1)
    maps = network[:2](X).detach().requires_grad_()
    network[2:](maps)[0, found.target.index].backward()
    channels = (maps * maps.grad).detach().mean((2, 3))[0]
    (child,) = found.root.children
    assert child.channel == int(channels.argmax())
    assert child.contribution == pytest.approx(float(channels.max()), rel=1e-5)
    assert not any("switches" in note for note in found.notes)


class Cut(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.detach()


def with_cut() -> nn.Module:
    return nn.Sequential(*plain()[:5], Cut(), *plain()[5:]).eval()


DATA = [(image(16, seed)[0], seed % 5) for seed in range(4)]


@pytest.mark.parametrize(
    "ask",
    [
        lambda model: hx.decompose(model, X),
        lambda model: hx.pgd(model, X, steps=2),
        lambda model: hx.AdditiveExplainer(layer="4", concepts={"a": [0]}).fit(
            model, DATA, target=0, progress=False
        ),
        lambda model: hx.Hint(layer="4").fit(
            model, DATA, {"all": {"a": [0, 1], "b": [2, 3, 4]}}, progress=False
        ),
    ],
    ids=["tree", "attack", "additive", "hint"],
)
def test_a_forward_that_lets_no_gradient_through_is_named(ask) -> None:
    with pytest.raises(ValueError, match="forward cuts gradients off"):
        ask(with_cut())


class Half(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.low, self.high = torch.jit.script(plain()[:4]), plain()[4:]

    def forward(self, x: Tensor) -> Tensor:
        return self.high(self.low(x))


def quantised() -> nn.Module:
    return torch.ao.quantization.quantize_dynamic(plain(), {nn.Linear}, dtype=torch.qint8)


def on_meta() -> nn.Module:
    with torch.device("meta"):
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten()).eval()


def exported() -> nn.Module:
    return torch.export.export(plain(), (X,)).module()


CLOSED = {
    "scripted": (lambda: torch.jit.script(plain()), "is TorchScript"),
    "traced": (lambda: torch.jit.trace(plain(), X), "is TorchScript"),
    "scripted in part": (Half, "low of Half is TorchScript"),
    "exported": (exported, "is an exported graph"),
    "quantised": (quantised, "10 of Sequential is quantised"),
    "meta": (on_meta, "0.weight of Sequential lies on the meta device"),
}


@pytest.mark.parametrize("case", CLOSED)
def test_what_cannot_be_looked_into_is_refused_by_name(case: str) -> None:
    make, phrase = CLOSED[case]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = make()
        with pytest.raises(ValueError, match=phrase):
            hx.Classifier(model)


def test_a_graph_of_modules_is_no_exported_one() -> None:
    same_tree(hx.decompose(torch.fx.symbolic_trace(plain()), X), hx.decompose(plain(), X))


class Compiled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        body = plain()
        self.low, self.high = torch.compile(body[:4], backend="eager"), body[4:]

    def forward(self, x: Tensor) -> Tensor:
        return self.high(self.low(x))


def test_a_compiled_part_is_what_it_was_made_from() -> None:
    same_tree(hx.decompose(Compiled(), X), hx.decompose(plain(), X))


class Two(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


class ByName(nn.Module):
    def forward(self, *, pixel_values: Tensor) -> Tensor:
        return pixel_values


@pytest.mark.parametrize("make", [Two, ByName])
def test_other_inputs_than_an_image_are_named(make) -> None:
    with pytest.raises(ValueError, match="could not be called with an image alone"):
        hx.decompose(make(), X)


def fixed() -> nn.Module:
    return seeded(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 14 * 14, 5))
    )


@pytest.mark.parametrize("size", [15, 20])
@pytest.mark.parametrize("before", [False, True])
def test_a_size_that_does_not_fit_the_head_is_named(size: int, before: bool) -> None:
    classifier = hx.Classifier(fixed())
    if before:
        hx.decompose(classifier, X)
    with pytest.raises(ValueError, match=f"{size} x {size} pixels, whose size Sequential does not"):
        hx.decompose(classifier, image(size))
    with pytest.raises(ValueError, match=f"{size} x {size} pixels, whose size Sequential does not"):
        classifier.logits(image(size))


def test_an_image_without_values_is_refused() -> None:
    with pytest.raises(ValueError, match="meta device"):
        hx.decompose(plain(), X.to("meta"))


def test_an_image_made_in_inference_mode_is_explained() -> None:
    with torch.inference_mode():
        x = F.relu(X)
    same_tree(hx.decompose(plain(), x), hx.decompose(plain(), X))


class Between(nn.Module):
    """The plain network with a function between its stages."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.body, self.function = plain(), function

    def forward(self, x: Tensor) -> Tensor:
        return self.body[3:](self.function(self.body[:3](x)))


BY_CHANCE: dict[str, Callable[[Tensor], Tensor]] = {
    "dropout": lambda x: F.dropout(x, 0.5, training=True),
    "dropped channels": lambda x: F.dropout2d(x, 0.5, training=True),
    "noise": lambda x: x + torch.rand(x.shape),
    "noise like it": lambda x: x + torch.randn_like(x),
    "in place": lambda x: x * x.new_empty(x.shape).bernoulli_(0.5),
    "gumbel": lambda x: x * F.gumbel_softmax(x, dim=1),
    "permuted": lambda x: x[:, torch.randperm(x.shape[1])],
    "a branch": lambda x: x.roll(random.choice(range(1, 6)), 2) if random.random() < 0.9 else x,
    "of numpy": lambda x: x * np.random.rand(),  # noqa: NPY002
}


def random_state() -> tuple[object, ...]:
    numpy = np.random.get_state()  # noqa: NPY002
    return numpy[1].tobytes(), numpy[2], torch.get_rng_state().tolist(), random.getstate()


@pytest.mark.parametrize("kind", BY_CHANCE)
def test_a_forward_that_answers_by_chance_is_refused(kind: str) -> None:
    network = Between(BY_CHANCE[kind]).eval()
    random.seed(1)
    before = random_state()
    with pytest.raises(RuntimeError, match="run again on the same image, gave other values"):
        hx.decompose(network, X)
    assert random_state() == before


def drawn_in_vain(x: Tensor) -> Tensor:
    """What some networks do in eval mode too."""
    torch.rand(())
    return x


def own_numbers(x: Tensor) -> Tensor:
    np.random.default_rng(0).normal()
    return x


def only_in_training(x: Tensor) -> Tensor:
    if x.ndim == 3:
        return x * np.random.rand()  # noqa: NPY002
    return x


def outside(x: Tensor) -> Tensor:
    import numpy as own

    return x + own.random.normal()  # noqa: NPY002


def seeded_anew(x: Tensor) -> Tensor:
    torch.manual_seed(3)
    return x + torch.rand(1)


def on_a_view(ask: Callable[[], object]) -> object:
    """What is answered, or raised, on a thread that is not the main one."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask)
        return asked.exception() or asked.result()


THERE: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    **{kind: (turn, "gave other values") for kind, turn in BY_CHANCE.items()},
    "a branch": (BY_CHANCE["a branch"], "which are everybody's"),
    "of numpy": (BY_CHANCE["of numpy"], "which are everybody's"),
    "imported inside": (outside, "which are everybody's"),
    "seeded": (seeded_anew, "which are everybody's"),
}


@pytest.mark.parametrize("kind", THERE)
def test_chance_is_refused_on_the_thread_of_a_view_and_draws_from_nobody(kind: str) -> None:
    turn, words = THERE[kind]
    network = Between(turn).eval()
    before = random_state()
    assert words in str(on_a_view(lambda: hx.decompose(network, X)))
    on_a_view(lambda: hx.Classifier(network).logits(X))
    assert random_state() == before


@pytest.mark.parametrize("turn", [drawn_in_vain, own_numbers, only_in_training])
def test_what_draws_in_vain_or_of_its_own_answers_on_the_thread_of_a_view(
    turn: Callable[[Tensor], Tensor],
) -> None:
    network, expected = Between(turn).eval(), hx.decompose(plain(), X)
    before = random_state()
    for _ in range(2):
        found = on_a_view(lambda: hx.decompose(network, X))
        same_tree(found, expected)
        said = any("draws random numbers" in note for note in found.notes)
        assert said == (turn is drawn_in_vain)
    assert random_state() == before


def test_a_transform_draws_from_nobody_on_the_thread_of_a_view() -> None:
    def transform(picture: Image.Image) -> Tensor:
        return X[0] + 0.1 * torch.rand(3, 1, 1)

    classifier = hx.Classifier(plain(), transform=transform)
    picture, before = Image.new("RGB", (8, 8)), random_state()
    one, other = (on_a_view(lambda: classifier.prepare(picture).x) for _ in range(2))
    assert torch.equal(one, other)
    data = [(picture, 0)] * 4
    chip = hx.Chip(gates_per_image=4)
    assert on_a_view(lambda: chip.fit(classifier, data, progress=False)) is chip
    assert random_state() == before


def test_numbers_that_are_drawn_and_change_nothing_are_said() -> None:
    found = hx.decompose(Between(drawn_in_vain).eval(), X)
    same_tree(found, hx.decompose(plain(), X))
    assert any("draws random numbers" in note for note in found.notes)
