"""Layers found without being asked for, and segments that give back what the network computed."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import hexplain_widgets as hx
from hexplain_widgets.network.guest import visiting
from hexplain_widgets.network.probe import Probe
from tests.networks import (
    Attentive,
    DataDependent,
    Functional,
    Residual,
    image,
    plain,
    seeded,
    torchvision_network,
)

STAGES = {
    "vgg16": ["features.3", "features.8", "features.15", "features.22", "features.29"],
    "vgg16_bn": ["features.5", "features.12", "features.22", "features.32", "features.42"],
    "alexnet": ["features.1", "features.4", "features.11"],
    "resnet18": ["layer1", "layer2", "layer3", "layer4"],
    "resnet50": ["layer1", "layer2", "layer3", "layer4"],
    "mobilenet_v2": ["features.1", "features.3", "features.6", "features.13", "features.18"],
    "mobilenet_v3_small": ["features.1", "features.3", "features.8", "features.12"],
    "squeezenet1_1": ["features.1", "features.4", "features.7", "features.12"],
    "densenet121": [
        "features.transition1.relu", "features.transition2.relu", "features.transition3.relu",
        "relu",
    ],
    "efficientnet_b0": ["features.1", "features.2", "features.3", "features.5", "features.8"],
    "convnext_tiny": ["features.1", "features.3", "features.5", "features.7"],
    "inception_v3": ["Conv2d_2b_3x3", "Conv2d_4a_3x3", "Mixed_5d", "Mixed_6e", "Mixed_7c"],
    "googlenet": ["conv3", "inception3b", "inception4e", "inception5b"],
    "regnet_y_400mf": [f"trunk_output.block{i}" for i in (1, 2, 3, 4)],
}  # fmt: skip


@pytest.mark.parametrize("name", STAGES)
def test_the_stages_of_torchvision_networks_are_found(name: str) -> None:
    x = image(139 if name == "inception_v3" else 96)
    table = hx.layers(torchvision_network(name), x)
    assert [layer.name for layer in table if layer.stage] == STAGES[name]
    assert [layer.stage for layer in table if layer.stage] == list(range(1, len(STAGES[name]) + 1))


def test_the_stages_of_a_plain_network_are_its_last_activations() -> None:
    assert [layer.name for layer in hx.layers(plain(), image()) if layer.stage] == ["1", "4", "7"]


def test_a_backbone_inside_another_module_is_looked_into() -> None:
    model = nn.Sequential(torchvision_network("resnet18"), nn.Linear(1000, 4))
    stages = [layer.name for layer in hx.layers(model, image(96)) if layer.stage]
    assert stages == ["0.layer1", "0.layer2", "0.layer3", "0.layer4"]


def test_layers_know_shape_and_receptive_field() -> None:
    by_name = {layer.name: layer for layer in hx.layers(torchvision_network("vgg16"), image(64))}
    assert by_name["features.29"].shape == (128, 4, 4)
    assert by_name["features.29"].receptive_field == (196, 196)
    assert by_name["features.3"].receptive_field == (5, 5)


def test_behind_attention_a_unit_sees_everything() -> None:
    by_name = {layer.name: layer for layer in hx.layers(Attentive(), image(32))}
    assert by_name["low.1"].receptive_field == (3, 3)
    assert by_name["high"].receptive_field is None


def test_the_table_reads_as_a_table() -> None:
    text = repr(hx.layers(plain(), image(32)))
    assert text.splitlines()[0].split() == ["layer", "type", "shape", "stage", "receptive", "field"]
    assert "8x32x32" in text


def receptive_field_by_trying(model: nn.Module, layer: str, size: int) -> tuple[int, int]:
    """Extent of the pixels that a change moves at the centre unit, over many random images."""
    probe = Probe(hx.Classifier(model))
    x = image(size)
    capture = probe.capture(x, [layer])
    _, _, h, w = capture.maps[layer].shape
    reached = torch.zeros(size, size)
    for seed in range(5):
        with torch.enable_grad():
            pixels = image(size, seed).requires_grad_()
            graph = probe.graph(x)
            node = graph.node(layer)
            out = graph.graph.run({graph.graph.image: pixels}, {node})[node]
            (g,) = torch.autograd.grad(out[0, :, h // 2, w // 2].sum(), pixels)
        reached += g[0].abs().sum(0)
    rows, columns = torch.nonzero(reached.sum(1)), torch.nonzero(reached.sum(0))
    return int(rows.max() - rows.min() + 1), int(columns.max() - columns.min() + 1)


@pytest.mark.parametrize(
    ("name", "layer"),
    [("squeezenet1_1", "features.7"), ("resnet18", "layer1"), ("mobilenet_v2", "features.3"),
     ("densenet121", "features.transition1.relu"), ("inception_v3", "Conv2d_4a_3x3"),
     ("convnext_tiny", "features.1")],
)  # fmt: skip
def test_the_receptive_field_is_the_extent_of_the_gradient(name: str, layer: str) -> None:
    model = torchvision_network(name)
    for module in model.modules():
        if isinstance(module, nn.MaxPool2d):  # a maximum hides what the others reach
            module.forward = lambda x, m=module: nn.functional.avg_pool2d(
                x, m.kernel_size, m.stride, m.padding, m.ceil_mode
            )
    for module in model.modules():
        if isinstance(module, nn.ReLU | nn.ReLU6):
            module.forward = lambda x: x * 1.0
    listed = {row.name: row for row in hx.layers(model, image(160))}[layer]
    assert receptive_field_by_trying(model, layer, 160) == listed.receptive_field


class Shortcut(nn.Module):
    """A shortcut that takes every second cell and adds channels, and pooling over the whole map."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.down = nn.Conv2d(8, 16, 3, 2, padding=1)
        self.head = nn.Linear(16, 4)
        seeded(self)

    def forward(self, x):
        x = nn.functional.relu(self.first(x))
        side = nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 4, 4))
        x = nn.functional.relu(self.down(x) + side)
        return self.head(nn.functional.avg_pool2d(x, x.size(3)).flatten(1))


def test_strided_slices_and_padded_channels_have_a_receptive_field() -> None:
    by_name = {layer.name: layer for layer in hx.layers(Shortcut(), image(32))}
    assert by_name["relu_1"].receptive_field == (5, 5)


NETWORKS = [plain, Shortcut, Functional, Residual, Attentive, DataDependent]


@pytest.mark.parametrize("make", NETWORKS)
def test_every_segment_gives_back_what_the_network_computed(make) -> None:
    model = make().eval()
    probe = Probe(hx.Classifier(model))
    x = image(32)
    names = [layer.name for layer in probe.layers(x) if layer.type != "max_pool2d"]
    capture = probe.capture(x, names)
    deepest = capture.layers[0].name
    for shallow in names[:-1]:
        with visiting(model):
            for deep in (None, deepest):
                segment = probe.segment(capture, shallow, deep)
                again = segment.forward(capture.maps[shallow])
                assert torch.allclose(again, segment.deep, atol=1e-5), (shallow, deep)


@pytest.mark.parametrize("make", NETWORKS)
def test_a_segment_on_another_map_is_the_network_with_that_map_put_in(make) -> None:
    model = make().eval()
    probe = Probe(hx.Classifier(model))
    capture = probe.capture(image(32))
    shallow = capture.layers[-1].name
    gated = capture.maps[shallow].clone()
    gated[:, ::2] = 0
    with visiting(model):
        found = probe.segment(capture, shallow, None).forward(gated.expand(3, -1, -1, -1))
    assert found.shape[0] == 3
    if (
        probe.graph(capture.x) is None
        or hasattr(model, "body")
        or shallow in dict(model.named_modules())
    ):
        expected = _with_hook(model, shallow, gated)
        assert torch.allclose(found[1:2], expected, atol=1e-5)
    assert not torch.allclose(found[:1], capture.logits, atol=1e-4)


def _with_hook(model: nn.Module, layer: str, value: torch.Tensor) -> torch.Tensor:
    handle = model.get_submodule(layer).register_forward_hook(lambda *_: value.clone())
    try:
        with torch.no_grad():
            return model(image(32))
    finally:
        handle.remove()


def reading(model: nn.Module) -> nn.Module:
    """The same network, which looks at the values of its image first: it cannot be a graph."""
    model = copy.deepcopy(model)

    def read(_: nn.Module, images: tuple[torch.Tensor, ...]) -> None:
        float(images[0].sum())

    model.register_forward_pre_hook(read)
    return model


@pytest.mark.parametrize("make", [plain, Residual, Attentive])
def test_replay_gives_what_the_graph_gives(make) -> None:
    model, x = make().eval(), image(32)
    traced, replayed = Probe(hx.Classifier(model)), Probe(hx.Classifier(reading(model)))
    assert replayed.graph(x) is None
    names = [layer.name for layer in traced.capture(x).layers]
    names = [name for name in names if name.split(":")[0] in dict(model.named_modules())]
    one, two = traced.capture(x, names), replayed.capture(x, names)
    assert [row.name for row in one.layers] == [row.name for row in two.layers]
    for name in names:
        assert torch.equal(one.maps[name], two.maps[name])
    gated = one.maps[names[-1]] * 0.5
    with visiting(model):
        a = traced.segment(one, names[-1], None).forward(gated)
        b = replayed.segment(two, names[-1], None).forward(gated)
    assert torch.allclose(a, b, atol=1e-6)


def test_what_is_captured_is_not_changed_by_an_in_place_relu_behind_it() -> None:
    model = torchvision_network("vgg11")
    capture = Probe(hx.Classifier(model)).capture(image(64), ["features.3"])
    assert float(capture.maps["features.3"].min()) < 0


def test_the_calls_of_a_reused_module_have_names_of_their_own() -> None:
    names = [layer.name for layer in Probe(hx.Classifier(Functional())).layers(image(32))]
    assert {"first", "same:1", "same:2", "wide"} <= set(names)
    capture = Probe(hx.Classifier(Functional())).capture(image(32), ["same:1"])
    assert capture.layers[0].shape == (8, 32, 32)
    capture = Probe(hx.Classifier(Functional())).capture(image(32), ["same:2"])
    assert capture.layers[0].shape == (8, 16, 16)


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        (["layer9"], "got the unknown layer 'layer9'; .*'layer1'"),
        (["fc"], "without spatial extent"),
        (["avgpool"], "without spatial extent"),
    ],
)
def test_a_layer_that_is_no_feature_map_is_an_error(layers, text) -> None:
    with pytest.raises(ValueError, match=text):
        hx.decompose(torchvision_network("resnet18"), image(64), layers=layers)


def test_a_network_without_convolutions_is_an_error() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 10), nn.ReLU(), nn.Linear(10, 2))
    with pytest.raises(ValueError, match="no convolutional feature map"):
        hx.decompose(model, image(8))


class Counting(nn.Module):
    """Cannot be traced, and adds another number at every call."""

    def __init__(self) -> None:
        super().__init__()
        self.low = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2))
        self.high = nn.Sequential(nn.Conv2d(8, 8, 3), nn.ReLU())
        self.head = nn.Linear(8, 3)
        self.calls = 0

    def forward(self, x):
        x = self.low(x)
        self.calls += 1 if float(x.detach().sum()) > -1e9 else 0
        x = self.high(x + self.calls)
        return self.head(x.mean((2, 3))) + 100


class Noisy(Counting):
    """Adds a random number at every call."""

    def forward(self, x):
        self.calls = 10 * float(torch.rand(()))
        return super().forward(x)


def test_a_network_that_answers_differently_each_time_is_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"gave other values than the first time.*random"):
        hx.decompose(Noisy(), image(16))


def test_a_network_that_counts_is_explained_as_it_answers_next() -> None:
    model = Counting()
    model.calls = 4
    trees = [hx.decompose(model, image(16), target=0) for _ in range(2)]
    assert trees[0] == trees[1]
    assert model.calls == 4
    assert trees[0].target.logit == pytest.approx(float(model(image(16)).detach()[0, 0]), rel=1e-6)


@pytest.mark.parametrize("make", NETWORKS)
def test_a_segment_is_differentiable_where_gradients_are_on(make) -> None:
    model = make().eval().double()
    probe = Probe(hx.Classifier(model))
    capture = probe.capture(image(16).double())
    shallow = capture.layers[-1].name
    maps = capture.maps[shallow].expand(2, -1, -1, -1)
    with visiting(model):
        segment = probe.segment(capture, shallow, None)
        with torch.enable_grad():
            leaf = maps.clone().requires_grad_()
            out = segment.run(leaf)
            (gradient,) = torch.autograd.grad(out[0, 1], leaf)
        expected = slope(segment, maps, (0, 3, 2, 2))
    assert torch.equal(out.detach(), segment.forward(maps))
    assert gradient[0, 3, 2, 2].item() == pytest.approx(expected, rel=1e-4, abs=1e-8)
    assert not gradient[1].any()


def slope(segment, maps: torch.Tensor, cell: tuple[int, ...], step: float = 1e-6) -> float:
    """How the second logit of the first map changes with one cell, by two runs."""
    more, less = maps.clone(), maps.clone()
    more[cell], less[cell] = maps[cell] + step, maps[cell] - step
    return float((segment.forward(more)[0, 1] - segment.forward(less)[0, 1]) / (2 * step))


def test_a_segment_that_is_run_for_its_values_has_no_graph() -> None:
    model = plain()
    probe = Probe(hx.Classifier(model))
    capture = probe.capture(image(16))
    with visiting(model), torch.enable_grad():
        leaf = capture.maps["4"].clone().requires_grad_()
        assert not probe.segment(capture, "4", None).forward(leaf).requires_grad
