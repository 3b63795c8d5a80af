"""Gated layers answer what the whole network answers when channels are really closed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, fx, nn
from torch.nn import functional as F

from hexplain_widgets.network import gating, linear_parts
from hexplain_widgets.network.classifier import Classifier
from hexplain_widgets.network.gating import ForwardCache, LayerGates
from hexplain_widgets.network.guest import visiting
from hexplain_widgets.network.probe import Probe
from tests.networks import (
    Attentive,
    DataDependent,
    Functional,
    OneStage,
    Residual,
    image,
    plain,
    seeded,
    torchvision_network,
)
from tests.reference import perturbed
from tests.reference.perturbed import Place, at_function, at_module


def gates_of(channels: int, images: int, count: int = 5, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    gates = draw.random((images, count, channels)) < draw.random((images, count, 1))
    gates[:, 0] = True
    gates[:, 1] = np.arange(channels) == channels // 2
    return gates


def images(count: int, size: int = 32, channels: int = 3) -> Tensor:
    return torch.cat([image(size, seed, channels) for seed in range(count)])


def gates_and_cache(
    model: nn.Module, x: Tensor, layers: list[str]
) -> tuple[LayerGates, ForwardCache]:
    probe = Probe(Classifier(model))
    with visiting(model), torch.no_grad():
        layer_gates = gating.gated(probe, x[:2], layers)
        return layer_gates, layer_gates.take(x)


def answered(model: nn.Module, x: Tensor, layer: str, gates: np.ndarray) -> Tensor:
    layer_gates, cache = gates_and_cache(model, x, [layer])
    with visiting(model), torch.no_grad():
        return layer_gates.answers(cache, layer, torch.from_numpy(gates))


def literally(model: nn.Module, x: Tensor, place: Place, gates: np.ndarray) -> np.ndarray:
    return np.stack([
        np.stack([perturbed.perturbed(model, place, one[None], d)[1] for d in some])
        for one, some in zip(x, gates, strict=True)
    ])  # fmt: skip


def check(model: nn.Module, layer: str, place: Place, *, count: int = 3, size: int = 32) -> None:
    x = images(count, size)
    maps = gates_and_cache(model, x, [layer])[1].maps[layer]
    gates = gates_of(maps.shape[1], count)
    expected = literally(model, x, place, gates)
    if expected.shape[2] == 1:  # one output is the answer of two classes
        expected = np.concatenate([-expected, expected], 2)
    found = answered(model, x, layer, gates).double().numpy()
    assert np.abs(found - expected).max() <= 2e-5 * np.abs(expected).max()
    assert np.abs(found[:, 0] - found[:, 1]).max() > 1e-3 * np.abs(expected).max()


class Ending(nn.Module):
    """A trunk of two convolutions and the ending that is given: from 12 maps to logits."""

    def __init__(self, *ending: nn.Module) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 12, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.ending = nn.Sequential(*ending)
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.ending(self.trunk(x))


POOLED = (nn.AdaptiveAvgPool2d(1), nn.Flatten())
ENDINGS: dict[str, Callable[[], nn.Module]] = {
    "pooling and linear": lambda: Ending(*POOLED, nn.Linear(12, 4)),
    "batch norm before": lambda: Ending(nn.BatchNorm2d(12), nn.ReLU(), *POOLED, nn.Linear(12, 4)),
    "sigmoid before": lambda: Ending(nn.Sigmoid(), *POOLED, nn.Linear(12, 4)),
    "several numbers a channel": lambda: Ending(
        nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(108, 16), nn.ReLU(),
        nn.Linear(16, 4),
    ),
    "strongest cell": lambda: Ending(nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(12, 4)),
    "padding of a shifted map": lambda: Ending(
        nn.Sigmoid(), nn.AvgPool2d(4, padding=1), nn.Flatten(), nn.Linear(192, 4)
    ),
    "one logit": lambda: Ending(*POOLED, nn.Linear(12, 1)),
    "no bias, hidden layers": lambda: Ending(
        *POOLED, nn.Linear(12, 20, bias=False), nn.Tanh(), nn.Linear(20, 4)
    ),
}  # fmt: skip
OTHERS: dict[str, Callable[[], nn.Module]] = {
    "convolution": lambda: Ending(nn.Conv2d(12, 4, 1), nn.ReLU(), *POOLED),
    "depthwise": lambda: Ending(
        nn.Conv2d(12, 12, 3, padding=1, groups=12), nn.BatchNorm2d(12), nn.ReLU6(), *POOLED,
        nn.Linear(12, 4),
    ),
    "normalised over channels": lambda: Ending(*POOLED, nn.LayerNorm(12), nn.Linear(12, 4)),
    "channels compared": lambda: Ending(nn.Softmax2d(), *POOLED, nn.Linear(12, 4)),
    "channels paired": lambda: Ending(nn.PixelShuffle(2), *POOLED, nn.Linear(3, 4)),
}  # fmt: skip


@pytest.mark.parametrize("ending", [*ENDINGS, *OTHERS])
def test_every_ending_answers_as_the_whole_network(ending: str) -> None:
    model = {**ENDINGS, **OTHERS}[ending]()
    check(model, "trunk", at_module(model.trunk))


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_channelwise_ending_is_summed_channel_by_channel(ending: str, monkeypatch) -> None:
    model = ENDINGS[ending]()
    layer_gates, cache = gates_and_cache(model, images(2), ["trunk"])
    monkeypatch.setattr(layer_gates, "_until", None)
    with visiting(model), torch.no_grad():
        found = layer_gates.answers(cache, "trunk", torch.ones(2, 3, 12, dtype=torch.bool))
    assert found.shape[:2] == (2, 3)


@pytest.mark.parametrize("ending", OTHERS)
def test_an_ending_that_mixes_channels_is_run_again(ending: str) -> None:
    model = OTHERS[ending]()
    graph = Probe(Classifier(model)).graph(images(1))
    assert linear_parts.head_of(graph.graph, graph.known("trunk")) is None


PLAIN = plain()
RESIDUAL = Residual()
FUNCTIONAL = Functional()
ATTENTIVE = Attentive()
UNTRACED = DataDependent()
PLACES = {
    "plain 1": (PLAIN, "1", at_module(PLAIN[1])),
    "plain 4": (PLAIN, "4", at_module(PLAIN[4])),
    "plain 7": (PLAIN, "7", at_module(PLAIN[7])),
    "functional first": (FUNCTIONAL, "relu", at_function(F.relu, 1)),
    "functional inside a sum": (FUNCTIONAL, "relu_2", at_function(F.relu, 3)),
    "functional sum": (FUNCTIONAL, "add", at_function(Tensor.add, 1)),
    "functional reused module": (FUNCTIONAL, "same:2", at_module(FUNCTIONAL.same, 2)),
    "functional last": (FUNCTIONAL, "relu_3", at_function(F.relu, 4)),
    "residual entry": (RESIDUAL, "act:1", at_module(RESIDUAL.act, 1)),
    "residual inside": (RESIDUAL, "act:2", at_module(RESIDUAL.act, 2)),
    "residual convolution": (RESIDUAL, "two", at_module(RESIDUAL.two)),
    "residual last": (RESIDUAL, "act:3", at_module(RESIDUAL.act, 3)),
    "attentive low": (ATTENTIVE, "low", at_module(ATTENTIVE.low)),
    "attentive product": (ATTENTIVE, "mul", at_function(Tensor.mul, 1)),
    "attentive high": (ATTENTIVE, "high", at_module(ATTENTIVE.high)),
    "untraced 1": (UNTRACED, "body.1", at_module(UNTRACED.body[1])),
    "untraced 7": (UNTRACED, "body.7", at_module(UNTRACED.body[7])),
}


@pytest.mark.parametrize("place", PLACES)
def test_awkward_networks_answer_as_they_do_whole(place: str) -> None:
    model, layer, where = PLACES[place]
    check(model, layer, where)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("resnet18", "layer4"),
        ("resnet18", "layer4.0.bn2"),
        ("mobilenet_v2", "features.18"),
        ("mobilenet_v2", "features.13"),
        ("squeezenet1_1", "features.12"),
        ("squeezenet1_1", "features.4"),
        pytest.param("vgg11", "features.19", marks=pytest.mark.slow),
        pytest.param("vgg11", "features.14", marks=pytest.mark.slow),
    ],
)
def test_networks_of_torchvision_answer_as_they_do_whole(name: str, layer: str) -> None:
    model = torchvision_network(name)
    check(model, layer, at_module(model.get_submodule(layer)), count=2, size=64)


class Vgg(nn.Module):
    """VGG-11 with a quarter of its channels: 49 numbers of each reach the first linear layer."""

    def __init__(self) -> None:
        super().__init__()
        widths = [16, "M", 32, "M", 64, 64, "M", 128, 128, "M", 128, 128, "M"]
        self.features = torchvision.models.vgg.make_layers(widths)
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(
            nn.Linear(128 * 49, 64), nn.ReLU(True), nn.Dropout(), nn.Linear(64, 10)
        )
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


@pytest.mark.parametrize("layer", ["features.19", "features.14"])
def test_a_linear_layer_with_many_numbers_a_channel_answers_as_it_does_whole(layer: str) -> None:
    model = Vgg()
    check(model, layer, at_module(model.get_submodule(layer)), count=2, size=64)


@pytest.mark.parametrize("score", ["relu", "act:2"])
def test_double_precision_is_kept(score: str) -> None:
    model, where = (
        (Functional().double(), at_function(F.relu, 1)) if score == "relu" else _double_residual()
    )
    x = images(2).double()
    gates = gates_of(8, 2)
    expected = literally(model, x, where, gates)
    assert answered(model, x, score, gates).numpy() == pytest.approx(expected, rel=1e-11)


def _double_residual() -> tuple[nn.Module, Place]:
    model = Residual().double()
    return model, at_module(model.act, 2)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("layer", ["1", "7"])
def test_half_precision_is_answered_within_its_rounding(dtype, layer: str) -> None:
    model = plain()
    gates = gates_of({"1": 8, "7": 16}[layer], 2)
    expected = literally(model, images(2), at_module(model[int(layer)]), gates)
    found = answered(model.to(dtype), images(2).to(dtype), layer, gates)
    assert found.dtype == dtype
    assert np.abs(found.double().numpy() - expected).max() < 0.03 * np.abs(expected).max()


def test_channels_last_images_are_answered() -> None:
    model = plain()
    gates = gates_of(12, 2)
    expected = literally(model, images(2), at_module(model[4]), gates)
    last = images(2).contiguous(memory_format=torch.channels_last)
    found = answered(model, last, "4", gates).numpy()
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)


class Viewing(nn.Module):
    """Asks for the usual order in memory where it flattens its maps, if it is `strict`."""

    def __init__(self, *, strict: bool) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3)
        self.head, self.strict = nn.Linear(5 * 12 * 12, 3), strict

    def forward(self, x: Tensor) -> Tensor:
        maps = self.second(self.first(x).relu()).relu()
        flat = maps.view(len(x), -1) if self.strict else maps.flatten(1)
        return self.head(flat)


@pytest.mark.parametrize("strict", [True, False])
def test_maps_lie_with_channels_last_where_the_network_answers_the_same(strict: bool) -> None:
    model = seeded(Viewing(strict=strict)).eval()
    layer_gates, _ = gates_and_cache(model, images(2, 16), ["first"])
    assert isinstance(layer_gates, gating._GraphGates)
    assert layer_gates._channels_last == (set() if strict else {"first"})
    check(model, "first", at_module(model.first), size=16)


def test_train_mode_is_answered_as_in_use() -> None:
    model = ENDINGS["batch norm before"]()
    gates = gates_of(12, 2)
    expected = literally(model, images(2), at_module(model.trunk), gates)
    found = answered(model.train(), images(2), "trunk", gates).numpy()
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)


class Scaled(OneStage):
    """A learned factor per channel behind the layer, as wide as a batch may be long."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(8, 1, 1))
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.head((self.low(x) * self.gamma).mean((2, 3)))


@pytest.mark.parametrize("count", [1, 2, 8])
def test_weights_as_wide_as_the_batch_is_long_are_no_images(count: int) -> None:
    model = Scaled()
    check(model, "low", at_module(model.low), count=count, size=16)


class Made(OneStage):
    """A factor per channel that is made from the image's kind, not from the images."""

    def forward(self, x: Tensor) -> Tensor:
        factor = x.new_tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
        return self.head(self.low(x).mean((2, 3)) * factor)


@pytest.mark.parametrize("count", [1, 2, 8])
def test_values_as_many_as_images_are_no_images(count: int) -> None:
    model = Made()
    assert Probe(Classifier(model)).graph(images(1)) is not None
    check(model, "low", at_module(model.low), count=count, size=16)


class ByImage(OneStage):
    """A factor per channel that comes from the image, not from the layer."""

    def __init__(self, *, turned: bool = False) -> None:
        super().__init__(channels=3)
        self.turned = turned

    def forward(self, x: Tensor) -> Tensor:
        brightness = x.mean((2, 3))
        if self.turned:
            return self.head((self.low(x).mean((2, 3)).t() * brightness.t()).t())
        return self.head(self.low(x).mean((2, 3)) * brightness)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_what_passes_by_the_layer_stays_with_its_image(turned: bool, count: int) -> None:
    model = ByImage(turned=turned)
    check(model, "low", at_module(model.low), count=count, size=16)


class Sized(OneStage):
    """Takes the number of images at the entrance and uses it at the end."""

    def forward(self, x: Tensor) -> Tensor:
        n = x.size(0)
        return self.head(F.adaptive_avg_pool2d(self.low(x), 1).view(n, -1))


@pytest.mark.parametrize("count", [1, 3])
def test_the_number_of_images_may_be_used_behind_the_layer(count: int) -> None:
    model = Sized()
    check(model, "low", at_module(model.low), count=count, size=16)


class Preparing(OneStage):
    """Normalises the image it is given in place."""

    def __init__(self, *, traceable: bool) -> None:
        super().__init__()
        self.traceable = traceable

    def forward(self, x: Tensor) -> Tensor:
        x = x.sub_(0.5).mul_(4)
        if not self.traceable and float(x.sum()) > 1e9:
            x = x + 1
        return super().forward(x)


@pytest.mark.parametrize("traceable", [True, False])
def test_a_network_that_changes_its_image_in_place_is_given_a_copy(traceable: bool) -> None:
    model = Preparing(traceable=traceable)
    x = images(2, 16)
    answered(model, x, "low", gates_of(8, 2))
    assert torch.equal(x, images(2, 16))
    check(model, "low", at_module(model.low), size=16)


class Crowd(nn.Module):
    """Normalises by the statistics of the batch, in use too: no image stands for itself."""

    def __init__(self) -> None:
        super().__init__()
        self.low = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
        self.norm = nn.BatchNorm2d(8, track_running_stats=False)
        self.head = nn.Linear(8, 4)
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.low(x)).square().mean((2, 3)))


def test_a_network_that_looks_at_the_whole_batch_is_asked_image_by_image() -> None:
    model = Crowd()
    check(model, "low", at_module(model.low), size=16)


class Forgetful(OneStage):
    """Answers otherwise every time."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.low(x)
        return self.head((x + torch.randn_like(x)).mean((2, 3)))


def test_a_network_that_never_answers_alike_is_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"gave other values than the first time.*random"):
        answered(Forgetful(), images(2, 16), "low", gates_of(8, 2))


def test_gates_of_one_layer_leave_the_others_open() -> None:
    model = plain()
    x = images(2)
    layer_gates, cache = gates_and_cache(model, x, ["7", "1"])
    with visiting(model), torch.no_grad():
        layer_gates.answers(cache, "1", torch.zeros(2, 3, 8, dtype=torch.bool))
        found = layer_gates.answers(cache, "7", torch.ones(2, 1, 16, dtype=torch.bool))[:, 0]
    assert found.numpy() == pytest.approx(model(x).detach().numpy(), rel=1e-4, abs=1e-5)


def test_a_head_whose_sum_is_another_is_given_up(monkeypatch) -> None:
    model = plain()
    monkeypatch.setattr(linear_parts.HeadProducts, "rows", _nothing)
    check(model, "7", at_module(model[7]))


def _nothing(self, image: int, gates: Tensor) -> Tensor:
    return self.base.expand(len(gates), -1)


def test_a_graph_that_answers_otherwise_is_given_up(monkeypatch) -> None:
    model = plain()
    monkeypatch.setattr(gating._GraphGates, "agrees", lambda self, x: False)
    assert isinstance(gates_and_cache(model, images(2), ["4"])[0], gating._ReplayGates)
    check(model, "4", at_module(model[4]))


# the first sums over channels


class Viewed(nn.Module):
    """Asks for numbers in their own order behind a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.low = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
        self.high = nn.Conv2d(8, 6, 3, stride=2, padding=1)
        self.head = nn.Linear(6, 4)
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.high(self.low(x))
        return self.head(x.view(x.size(0), 6, -1).square().mean(2))


class Projected(nn.Module):
    """A residual block whose shortcut is a convolution of one cell, or the maps themselves."""

    def __init__(self, *, projected: bool) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, 8, 3, padding=1)
        self.one = nn.Conv2d(8, 8, 3, padding=1)
        self.two = nn.Conv2d(8, 8, 3, padding=1)
        self.down = nn.Conv2d(8, 8, 1) if projected else nn.Identity()
        self.head = nn.Linear(8, 4)
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.enter(x))
        y = self.two(F.relu(self.one(x)))
        return self.head(F.relu(y + self.down(x)).mean((2, 3)))


def mixed(*ending: nn.Module) -> tuple[nn.Module, str, Place]:
    model = Ending(*ending, nn.ReLU(), *POOLED, nn.Linear(6, 4))
    return model, "trunk", at_module(model.trunk)


def low(model: nn.Module) -> tuple[nn.Module, str, Place]:
    return model, "low", at_module(model.low)


def projected(*, projected: bool) -> tuple[nn.Module, str, Place]:
    return Projected(projected=projected), "relu", at_function(F.relu, 1)


SUMMED: dict[str, Callable[[], tuple[nn.Module, str, Place]]] = {
    "convolution": lambda: mixed(nn.Conv2d(12, 6, 3)),
    "stride, dilation, oblong": lambda: mixed(
        nn.Conv2d(12, 6, (2, 3), stride=(2, 1), padding=(1, 2), dilation=(1, 2))
    ),
    "padding by name": lambda: mixed(nn.Conv2d(12, 6, 3, padding="same", bias=False)),
    "pooling before": lambda: mixed(nn.MaxPool2d(2), nn.Dropout(), nn.Conv2d(12, 6, 3, padding=1)),
    "shifted before": lambda: mixed(
        nn.BatchNorm2d(12), nn.Sigmoid(), nn.Conv2d(12, 6, 3, padding=1)
    ),
    "depthwise before": lambda: mixed(
        nn.Conv2d(12, 12, 3, padding=1, groups=12), nn.BatchNorm2d(12), nn.ReLU(inplace=True),
        nn.Conv2d(12, 6, 3, padding=1),
    ),
    "shortcut of one cell": lambda: projected(projected=True),
    "shortcut": lambda: projected(projected=False),
    "two convolutions": lambda: (
        RESIDUAL, "act:1", at_module(RESIDUAL.act, 1)
    ),
    "reused module": lambda: (FUNCTIONAL, "relu", at_function(F.relu, 1)),
    "numbers in their own order": lambda: low(Viewed()),
}  # fmt: skip
COPIED: dict[str, Callable[[], tuple[nn.Module, str, Place]]] = {
    "kernel of one cell": lambda: mixed(nn.Conv2d(12, 6, 1)),
    "groups": lambda: mixed(nn.Conv2d(12, 6, 3, groups=2)),
    "padding by reflection": lambda: mixed(
        nn.Conv2d(12, 6, 3, padding=1, padding_mode="reflect")
    ),
    "channels compared before": lambda: mixed(nn.Softmax2d(), nn.Conv2d(12, 6, 3)),
}  # fmt: skip
MANY = gating.FEW_GATES


def closed_too(channels: int, images: int, count: int = MANY) -> np.ndarray:
    """Gates of which the first is all open and the last all closed."""
    gates = gates_of(channels, images, count)
    gates[:, -1] = False
    return gates


@pytest.mark.parametrize("network", SUMMED)
def test_first_sums_over_channels_answer_as_the_whole_network(network: str) -> None:
    model, layer, place = SUMMED[network]()
    x = images(2)
    layer_gates, cache = gates_and_cache(model, x, [layer])
    gates = closed_too(cache.maps[layer].shape[1], 2)
    expected = literally(model, x, place, gates)
    with visiting(model), torch.no_grad():
        found = layer_gates.answers(cache, layer, torch.from_numpy(gates)).double().numpy()
    assert np.abs(found - expected).max() <= 2e-5 * np.abs(expected).max()
    assert np.abs(found[:, 0] - found[:, 1]).max() > 1e-3 * np.abs(expected).max()


def never(*_: object) -> Tensor:
    raise AssertionError("gated copies were run")


@pytest.mark.parametrize("network", SUMMED)
def test_first_sums_over_channels_are_made_without_gated_copies(network: str, monkeypatch) -> None:
    model, layer, _ = SUMMED[network]()
    layer_gates, cache = gates_and_cache(model, images(2), [layer])
    monkeypatch.setattr(gating, "_from_copies", never)
    gates = torch.ones(2, MANY, cache.maps[layer].shape[1], dtype=torch.bool)
    with visiting(model), torch.no_grad():
        assert layer_gates.answers(cache, layer, gates).shape == (2, MANY, 4)


@pytest.mark.parametrize("network", COPIED)
def test_what_does_not_pay_or_cannot_be_summed_is_run_on_gated_copies(network: str) -> None:
    model, layer, _ = COPIED[network]()
    traced = Probe(Classifier(model)).graph(images(1))
    start, end = traced.known(layer), traced.graph.result
    assert linear_parts.mixing_of(traced.graph, start, end) is None


@pytest.mark.parametrize("deep", ["4", "6", "7"])
def test_first_sums_give_the_means_of_deeper_layers_in_double_precision(deep: str) -> None:
    model = plain().double()
    gates = torch.from_numpy(closed_too(8, 2))
    layer_gates, cache = gates_and_cache(model, images(2).double(), ["1", deep])
    with visiting(model), torch.no_grad():
        found = layer_gates.means(cache, "1", deep, gates)
        for i in range(MANY):
            rows = cache.maps["1"] * gates[:, i, :, None, None]
            expected = model[2 : int(deep) + 1](rows).mean((2, 3))
            assert torch.allclose(found[:, i], expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_first_sums_in_half_precision_are_right_within_its_rounding(dtype) -> None:
    model = plain()
    gates = closed_too(8, 2)
    expected = literally(model, images(2), at_module(model[1]), gates)
    found = answered(model.to(dtype), images(2).to(dtype), "1", gates)
    assert found.dtype == dtype
    assert np.abs(found.double().numpy() - expected).max() < 0.03 * np.abs(expected).max()


def parts_made(monkeypatch) -> list[fx.Node]:
    """The layers of which images had the parts of their channels made from here on."""
    made, parts = [], linear_parts.MixingPoint.parts

    def noted(self, maps: Tensor) -> linear_parts.GateSums:
        made.append(self.start)
        return parts(self, maps)

    monkeypatch.setattr(linear_parts.MixingPoint, "parts", noted)
    return made


def test_the_parts_of_an_image_are_made_once_for_all_its_gates(monkeypatch) -> None:
    model = plain()
    layer_gates, cache = gates_and_cache(model, images(1), ["1", "4"])
    made = parts_made(monkeypatch)
    with visiting(model), torch.no_grad():
        ask = layer_gates.responder(cache, "1", "4")
        for _ in range(3):
            ask(torch.ones(1, MANY, 8, dtype=torch.bool))
    assert len(made) == 1


def test_few_gates_make_no_parts(monkeypatch) -> None:
    model = plain()
    layer_gates, cache = gates_and_cache(model, images(1), ["1"])
    made = parts_made(monkeypatch)
    with visiting(model), torch.no_grad():
        layer_gates.answers(cache, "1", torch.ones(1, MANY - 1, 8, dtype=torch.bool))
    assert not made


def test_parts_that_are_too_many_to_keep_are_not_made(monkeypatch) -> None:
    model = plain()
    gates, x = gates_of(8, 2, MANY), images(2)
    monkeypatch.setattr(gating, "MOST_PARTS", 8 * 12 * 16 * 16 - 1)
    made = parts_made(monkeypatch)
    expected = literally(model, x, at_module(model[1]), gates)
    assert answered(model, x, "1", gates).numpy() == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert not made


def test_parts_that_are_just_few_enough_are_made(monkeypatch) -> None:
    monkeypatch.setattr(gating, "MOST_PARTS", 8 * 12 * 16 * 16)
    made = parts_made(monkeypatch)
    answered(plain(), images(1), "1", gates_of(8, 1, MANY))
    assert made


def no_part(self, closed: Tensor, *, channels_last: bool) -> Tensor:
    return self.base.expand(len(closed), -1, -1, -1)


def refused(self, closed: Tensor, *, channels_last: bool) -> Tensor:
    raise RuntimeError("view size is not compatible")


@pytest.mark.parametrize("behind", [no_part, refused])
def test_first_sums_that_are_others_or_fail_are_given_up(behind, monkeypatch) -> None:
    model = plain()
    gates, x = gates_of(8, 2, MANY), images(2)
    expected = literally(model, x, at_module(model[1]), gates)
    monkeypatch.setattr(linear_parts.ConvolutionParts, "behind", behind)
    assert answered(model, x, "1", gates).numpy() == pytest.approx(expected, rel=1e-4, abs=1e-5)


@dataclass
class Crowded:
    """A device on which at most `room` rows fit."""

    room: int
    refused: int = 0

    def run(self, part: slice) -> Tensor:
        if part.stop - part.start > self.room:
            self.refused += 1
            raise torch.cuda.OutOfMemoryError("out of memory")
        return torch.arange(10.0)[part, None]


def test_rows_that_do_not_fit_are_run_in_halves() -> None:
    device = Crowded(room=2)
    assert gating.in_batches(device.run, 10, 8)[:, 0].tolist() == list(range(10))
    assert device.refused == 2


def test_one_row_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(torch.cuda.OutOfMemoryError, match="out of memory"):
        gating.in_batches(Crowded(room=0).run, 10, 8)


# other maps in a layer's place


def put_in(model: nn.Module, x: Tensor, place: Place, maps: Tensor) -> tuple[Tensor, Tensor]:
    """Logits of one image with maps put in the place of a layer's, and the gradient of their sum
    of squares by autograd on the whole network."""
    leaf = maps[None].clone().requires_grad_()
    with place(lambda output: leaf.clone()):
        logits = model(x[None].clone())
    (gradient,) = torch.autograd.grad(logits.square().sum(), leaf)
    return logits[0].detach(), gradient[0]


# Rows of several images, one of them twice, in no order.
ROWS = [2, 0, 1, 0]


def behind(model: nn.Module, layer: str) -> tuple[Tensor, Tensor, Tensor]:
    """Other maps for some images in double precision, the logits behind them, their gradients."""
    layer_gates, cache = gates_and_cache(model, images(3, 16).double(), [layer])
    shape = (len(ROWS), *cache.maps[layer].shape[1:])
    maps = torch.randn(shape, generator=torch.Generator().manual_seed(0)).double()
    with visiting(model), torch.enable_grad():
        leaf = maps.clone().requires_grad_()
        logits = layer_gates.behind(cache, layer, torch.tensor(ROWS), leaf)
        (gradients,) = torch.autograd.grad(logits.square().sum(), leaf)
    return maps, logits.detach(), gradients


@pytest.mark.parametrize("place", PLACES)
def test_behind_other_maps_answers_as_the_network_with_those_maps(place: str) -> None:
    shared, layer, where = PLACES[place]
    model = shared.double()
    try:
        maps, logits, gradients = behind(model, layer)
        for i, row, found, gradient in zip(ROWS, maps, logits, gradients, strict=True):
            expected, literal = put_in(model, images(3, 16).double()[i], where, row)
            assert torch.allclose(found, expected, rtol=1e-9)
            assert torch.allclose(gradient, literal, rtol=1e-7, atol=1e-12)
    finally:
        shared.float()


@pytest.mark.parametrize("model", [plain, DataDependent])
def test_behind_a_layers_own_maps_are_the_networks_own_logits(model) -> None:
    network = model()
    layer = "4" if isinstance(network, nn.Sequential) else "body.4"
    layer_gates, cache = gates_and_cache(network, images(3), [layer])
    with visiting(network), torch.no_grad():
        found = layer_gates.behind(cache, layer, torch.arange(3), cache.maps[layer])
    assert found.numpy() == pytest.approx(cache.logits.numpy(), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("model", [plain, DataDependent])
def test_without_gradients_there_is_no_graph_behind_other_maps(model) -> None:
    network = model()
    layer = "4" if isinstance(network, nn.Sequential) else "body.4"
    layer_gates, cache = gates_and_cache(network, images(2), [layer])
    with visiting(network), torch.no_grad():
        maps = cache.maps[layer].clone().requires_grad_()
        assert not layer_gates.behind(cache, layer, torch.arange(2), maps).requires_grad


class Overwritten(nn.Module):
    """Changes the layer's maps in place as soon as it has them."""

    def __init__(self, *, traceable: bool) -> None:
        super().__init__()
        self.low = nn.Conv2d(3, 8, 3, padding=1)
        self.head = nn.Linear(8, 4)
        self.traceable = traceable
        seeded(self)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu_(self.low(x))
        if not self.traceable and float(x.detach().sum()) > 1e9:
            x = x + 1
        return self.head(x.mean((2, 3)))


@pytest.mark.parametrize("traceable", [True, False])
def test_other_maps_are_left_as_they_are_where_the_network_changes_them(traceable: bool) -> None:
    model = Overwritten(traceable=traceable).double()
    maps, logits, gradients = behind(model, "low")
    for i, row, found, gradient in zip(ROWS, maps, logits, gradients, strict=True):
        expected, literal = put_in(model, images(3, 16).double()[i], at_module(model.low), row)
        assert torch.allclose(found, expected, rtol=1e-9)
        assert torch.allclose(gradient, literal, rtol=1e-9)


# before an upper clip


class Clipped(nn.Module):
    """A convolution, a clip as `clip` writes it, and a head; `traced` or not."""

    def __init__(self, clip: Callable[[Tensor], Tensor], *, traced: bool = True) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 6, 3, padding=1)
        self.head = nn.Linear(6, 4)
        self.clip, self.traced = clip, traced
        seeded(self)
        self.convolution.weight.data *= 20

    def forward(self, x: Tensor) -> Tensor:
        if not self.traced and float(x.detach().sum()) > -1e9:
            x = x * 1.5
        return self.head(self.clip(self.convolution(x)).mean((2, 3)))


CLIPS: dict[str, tuple[Callable[[], Callable[[Tensor], Tensor]], str, float]] = {
    "module in place": (lambda: nn.ReLU6(inplace=True), "clip", 0.0),
    "hardtanh": (lambda: nn.Hardtanh(-1, 2), "clip", -1.0),
    "function": (lambda: F.relu6, "relu6", 0.0),
    "clamp": (lambda: lambda x: x.clamp(max=0.5), "clamp", -np.inf),
}


@pytest.mark.parametrize("name", CLIPS)
def test_maps_before_an_upper_clip_come_with_the_same_run(name: str) -> None:
    make, layer, low = CLIPS[name]
    model, x = Clipped(make()), images(3, 12)
    layer_gates, _ = gates_and_cache(model, x, [layer])
    with visiting(model), torch.no_grad():
        cache = layer_gates.take(x, unclipped=True)
        before = model.convolution(x).clamp(min=low)
    assert (before > cache.maps[layer].max()).any()
    assert torch.allclose(cache.unclipped[layer], before, atol=1e-5)
    assert torch.allclose(cache.maps[layer], model.clip(model.convolution(x)), atol=1e-5)


@pytest.mark.parametrize("inplace", [True, False])
def test_maps_before_a_clip_are_known_of_recorded_calls_too(inplace: bool) -> None:
    model = Clipped(nn.ReLU6(inplace=inplace), traced=False)
    x = images(2, 12)
    layer_gates, _ = gates_and_cache(model, x, ["clip"])
    with visiting(model), torch.no_grad():
        found = layer_gates.take(x, unclipped=True).unclipped["clip"]
        assert torch.allclose(found, model.convolution(1.5 * x).clamp(min=0), atol=1e-5)


def test_of_layers_without_an_upper_clip_nothing_more_is_kept() -> None:
    for model in (plain(), DataDependent()):
        layer = "4" if isinstance(model, nn.Sequential) else "body.4"
        x = images(2, 24)
        layer_gates, _ = gates_and_cache(model, x, [layer])
        with visiting(model), torch.no_grad():
            assert layer_gates.take(x, unclipped=True).unclipped == {}
