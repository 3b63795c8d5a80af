"""Gradient methods at a layer: the formulas, and the libraries that others use."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import hexplain_widgets as hx
from hexplain_widgets.network.gradients import class_gradients, grad_cam, hires_cam, layer_cam
from hexplain_widgets.network.guest import visiting
from hexplain_widgets.network.probe import Probe
from tests.networks import image, plain, torchvision_network

NETWORKS = (
    ("mobilenet_v2", "features.18"), ("mobilenet_v2", "features.13"),
    ("squeezenet1_1", "features.12"), ("squeezenet1_1", "features.7"), ("resnet18", "layer3"),
)  # fmt: skip


def gradients_of(
    model: nn.Module, layer: str, x: torch.Tensor, target: int
) -> tuple[torch.Tensor, torch.Tensor]:
    probe = Probe(hx.Classifier(model))
    segment = probe.segment(probe.capture(x, [layer]), layer, None)
    with visiting(model):
        return class_gradients(segment, target)


def scaled(values: np.ndarray) -> np.ndarray:
    """The positive part between 0 and 1, as pytorch-grad-cam shows it."""
    positive = np.maximum(values, 0)
    return (positive - positive.min()) / max(float(positive.max() - positive.min()), 1e-12)


@pytest.fixture(scope="module", params=NETWORKS, ids=" ".join)
def case(request: pytest.FixtureRequest) -> tuple[nn.Module, str, torch.Tensor, int]:
    """A network, one of its layers, an image, and the class it finds there."""
    name, layer = request.param
    model, x = torchvision_network(name), image(96)
    with torch.no_grad():
        return model, layer, x, int(model(x).argmax())


def test_gradients_and_activations_are_those_of_autograd() -> None:
    model, x = plain(), image(37)
    gradients, activations = gradients_of(model, "4", x, 2)
    maps = model[:5](x).detach().requires_grad_()
    (expected,) = torch.autograd.grad(model[5:](maps)[0, 2], maps)
    assert torch.allclose(gradients, expected[0], atol=1e-6)
    assert torch.allclose(activations, maps[0].detach())


def test_the_gradient_of_a_negative_logit_keeps_its_sign() -> None:
    model, x = plain(), image(37)
    gradients, _ = gradients_of(model, "7", x, 1)
    model[-1].bias.data[1] -= 100
    below, _ = gradients_of(model, "7", x, 1)
    assert torch.equal(gradients, below)


def test_three_cells_worked_out_by_hand() -> None:
    gradients = torch.tensor([[[1.0, 3.0]], [[-4.0, 2.0]]])
    activations = torch.tensor([[[1.0, 2.0]], [[5.0, 1.0]]])
    assert grad_cam(gradients, activations).tolist() == [[2 * 1 - 1 * 5, 2 * 2 - 1 * 1]]
    assert hires_cam(gradients, activations).tolist() == [[1 - 20, 6 + 2]]
    assert layer_cam(gradients, activations).tolist() == [[1, 6 + 2]]


def test_under_pooling_and_a_linear_layer_hirescam_is_grad_cam() -> None:
    found = gradients_of(plain(), "7", image(37), 2)
    assert np.allclose(hires_cam(*found), grad_cam(*found), atol=1e-6)


@pytest.mark.parametrize(
    ("ours", "name"), [(grad_cam, "GradCAM"), (hires_cam, "HiResCAM"), (layer_cam, "LayerCAM")]
)
def test_the_map_is_that_of_pytorch_grad_cam(
    case: tuple, ours: Callable[..., np.ndarray], name: str
) -> None:
    library = pytest.importorskip("pytorch_grad_cam")
    targets = pytest.importorskip("pytorch_grad_cam.utils.model_targets")
    model, layer, x, target = case
    with getattr(library, name)(model, [model.get_submodule(layer)]) as method:
        method(x, [targets.ClassifierOutputTarget(target)])
        gradients, activations = (
            torch.from_numpy(a.cpu().data.numpy())
            for a in (
                method.activations_and_grads.gradients[0],
                method.activations_and_grads.activations[0],
            )
        )
        theirs = method.get_cam_image(
            x, model.get_submodule(layer), [], activations.numpy(), gradients.numpy(), False
        )[0]
    found = ours(*gradients_of(model, layer, x, target))
    if name == "LayerCAM":
        theirs, found = scaled(theirs), scaled(found)
    assert np.abs(theirs).max() > 1e-6
    assert np.allclose(found, theirs, atol=1e-4 * np.abs(theirs).max())


def test_the_map_is_that_of_captum(case: tuple) -> None:
    captum = pytest.importorskip("captum.attr")
    model, layer, x, target = case
    method = captum.LayerGradCam(model, model.get_submodule(layer))
    theirs = method.attribute(x, target=target)[0, 0].detach().numpy()
    found = grad_cam(*gradients_of(model, layer, x, target))
    assert np.abs(theirs).max() > 1e-6
    assert np.allclose(found, theirs, atol=1e-4 * np.abs(theirs).max())
