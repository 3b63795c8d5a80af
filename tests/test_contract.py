"""What every engine keeps: the guest's house, the same answer for the same question."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import MappingProxyType

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import hexplain_widgets as hx
from hexplain_widgets.atlas.gallery import FilterGallery
from hexplain_widgets.data.concept_sets import LabelledPicture
from hexplain_widgets.diagnosis.attacks import StageProbe, attacked_decision, pgd
from hexplain_widgets.evidence import Evidence
from hexplain_widgets.evidence.store import load, save
from hexplain_widgets.network import gating
from hexplain_widgets.network.segments import Segment
from tests.networks import DataDependent, Functional, Residual, image, plain, torchvision_network
from tests.pairwise import pairwise

Engine = Callable[[nn.Module, Tensor], Evidence]


def decomposition(model: nn.Module, x: Tensor) -> Evidence:
    engine = hx.Decomposer(model, x)
    tree = engine.tree()
    return engine.pictures(tree, [p for p, _ in tree.root.walk()][:3])


def exact_decomposition(model: nn.Module, x: Tensor) -> Evidence:
    return hx.decompose(model, x, method="ablation")


def chip(model: nn.Module, x: Tensor) -> Evidence:
    data = [(x[0], 0), (x[0].flip(2), 1)]
    return hx.Chip(gates_per_image=4).fit(model, data, progress=False).explain(x)


def hint(model: nn.Module, x: Tensor) -> Evidence:
    data = [(x[0].roll(shift, 2), shift % 2) for shift in range(6)]
    hierarchy = {"all": {"some": [0, 1], "others": [2, 3]}}
    engine = hx.Hint(layer="stages", samples=2).fit(model, data, hierarchy, progress=False)
    return engine.associations(top=3, images=[x], maps_of=["some"])


def chain(model: nn.Module, x: Tensor) -> Evidence:
    labels = (np.arange(64).reshape(8, 8) % 5 == 0).astype(int)
    draw = np.random.default_rng(0)
    items = [
        LabelledPicture(str(i), Image.fromarray(draw.integers(0, 255, (40, 40, 3), np.uint8)),
                 {"part": [np.roll(labels, i)]})
        for i in range(6)
    ]  # fmt: skip
    engine = hx.Chain(gates=6).fit(model, Parts(items), progress=False)
    return engine.compare({"one": [x], "other": [x.flip(2)]}, 0, inferences=True)


def filters(model: nn.Module, x: Tensor) -> Evidence:
    return FilterGallery().fit(model, [x[0], x[0].flip(2)], progress=False).sheet()


def additive(model: nn.Module, x: Tensor) -> Evidence:
    data = [(x[0].roll(shift, 2), shift % 2) for shift in range(6)]
    engine = hx.AdditiveExplainer(concepts={"one": [0, 1], "two": [2]}, epochs=2)
    engine.fit(model, data, target=0, progress=False)
    return engine.explain(x, baseline=True)


def attack(model: nn.Module, x: Tensor) -> Evidence:
    found = pgd(model, x, steps=2)
    trees = [hx.decompose(model, each, top_k=1) for each in (x, found.adversarial)]
    return attacked_decision(found, StageProbe(hx.Classifier(model)), *trees)


def context(model: nn.Module, x: Tensor) -> Evidence:
    labels = np.arange(64).reshape(8, 8) % 2
    draw = np.random.default_rng(0)
    items = [
        LabelledPicture(str(i), Image.fromarray(draw.integers(0, 255, (40, 40, 3), np.uint8)),
                 {"part": [labels]})
        for i in range(2)
    ]  # fmt: skip
    return hx.measure_context(model, Parts(items), level="part", progress=False)


def degrees(model: nn.Module, x: Tensor) -> Evidence:
    return hx.discriminative_degrees(model, [(x[0], 0), (x[0].flip(2), 1)], progress=False)


def confusions(model: nn.Module, x: Tensor) -> Evidence:
    return hx.measure_confusions(model, [(x[0], 0), (x[0].flip(2), 1)], progress=False)


def localizations(model: nn.Module, x: Tensor) -> Evidence:
    data = [(x[0], 0, (0, 0, 20, 20)), (x[0].flip(2), 1, (4, 4, 30, 30))]
    methods = {
        "Grad-CAM": "gradcam",
        "guided": "guided backprop",
        "plain": "gradient",
        "own": lambda _, image, index: image[0, 0],
    }
    return hx.measure_localization(methods, data, model=model, calibration=0.5, progress=False)


def contact_sheet(model: nn.Module, x: Tensor) -> Evidence:
    data = [(x[0], 0), (x[0].flip(2), 1)]
    engine = hx.Chip(gates_per_image=4).fit(model, data, progress=False)
    return engine.class_heatmaps([image for image, _ in data])


def methods(model: nn.Module, x: Tensor) -> Evidence:
    engine = hx.Chip(gates_per_image=4).fit(model, [(x[0], 0), (x[0].flip(2), 1)], progress=False)
    lime = hx.Lime(samples=6, segments=4)
    return hx.method_grid([(x[0], [0, 1])], [engine, "Grad-CAM", "gradient", lime])


class Parts(list[LabelledPicture]):
    """A concept set of prepared images with one level."""

    levels, names, skipped = ("part",), MappingProxyType({"part": ("none", "dot")}), ()


# A new engine is one line here.
ENGINES: list[Engine] = [
    decomposition, exact_decomposition, chip, hint, chain, additive, filters, attack, context,
    degrees, confusions, localizations, contact_sheet, methods,
]  # fmt: skip


class Stateful(nn.Module):
    """Counts its calls in a buffer, drops out in train mode, has a batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.body = plain()
        self.norm = nn.BatchNorm2d(3)
        self.drop = nn.Dropout(0.5)
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.body(self.drop(self.norm(x)))


def resnet() -> nn.Module:
    return torchvision_network("resnet18")


MODELS = [plain, Functional, Residual, DataDependent, Stateful, resnet]


def fingerprint(model: nn.Module) -> dict[str, object]:
    return {
        "modules": [id(m) for m in model.modules()],
        "training": [m.training for m in model.modules()],
        "own": [sorted(m.__dict__) for m in model.modules()],
        "hooks": [
            len(h)
            for m in model.modules()
            for h in (
                m._forward_hooks, m._forward_pre_hooks, m._backward_hooks, m._backward_pre_hooks,
                m._forward_hooks_always_called, m._forward_hooks_with_kwargs,
            )
        ],
        "requires_grad": [p.requires_grad for p in model.parameters()],
        "values": [t.detach().clone() for t in (*model.parameters(), *model.buffers())],
        "identities": [id(t) for t in (*model.parameters(), *model.buffers())],
        "grads": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "grad_ids": [id(p.grad) for p in model.parameters()],
        "random": (np.random.get_state()[1].tolist(), torch.get_rng_state()),  # noqa: NPY002
    }  # fmt: skip


def same(a: object, b: object) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return torch.equal(a, b)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def check_untouched(before: dict[str, object], model: nn.Module) -> None:
    after = fingerprint(model)
    for part, value in before.items():
        assert same(value, after[part]), part


def in_use(make: Callable[[], nn.Module]) -> nn.Module:
    """A model in the middle of training, with gradients, a frozen weight and mixed modes."""
    model = make().train()
    next(m for m in model.modules() if isinstance(m, nn.Conv2d)).eval()
    parameters = list(model.parameters())
    parameters[0].requires_grad_(False)
    for p in parameters[1::2]:
        p.grad = torch.ones_like(p)
    return model


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_model_is_handed_back_as_it_came(engine: Engine, make) -> None:
    model = in_use(make)
    before = fingerprint(model)
    engine(model, image(40))
    check_untouched(before, model)


class Interrupted(BaseException):
    pass


@contextmanager
def failing(module: nn.Module, failure: type[BaseException], at: int) -> Iterator[None]:
    """A module raises in every call but the first `at`."""
    calls = itertools.count()

    def fail(*_: object) -> None:
        if next(calls) >= at:
            raise failure("in the middle")

    handle = module.register_forward_pre_hook(fail)
    yield
    handle.remove()


# what is raised, and after how many calls of the deepest convolution
FAILURES = [
    (kind, at) for kind in (RuntimeError, KeyboardInterrupt, Interrupted) for at in (0, 1, 3)
]
FAILING = [
    (engine, make, *failure) for engine, make, failure in pairwise(ENGINES, MODELS, FAILURES)
]


@pytest.mark.parametrize(
    "seen", ["engine and network", "engine and failure", "network and failure"]
)
def test_every_pair_is_among_the_cases_that_fail(seen: str) -> None:
    factors = {"engine": ENGINES, "network": MODELS, "failure": FAILURES}
    cases = [
        {"engine": engine, "network": make, "failure": (kind, at)}
        for engine, make, kind, at in FAILING
    ]
    one, two = seen.split(" and ")
    met = {(case[one], case[two]) for case in cases}
    assert met == set(itertools.product(factors[one], factors[two]))


@pytest.mark.parametrize(("engine", "make", "failure", "at"), FAILING)
def test_the_model_is_handed_back_after_a_failure(engine: Engine, make, failure, at: int) -> None:
    model = in_use(make)
    deepest = [m for m in model.modules() if isinstance(m, nn.Conv2d)][-1]
    with failing(deepest, failure, at):
        before = fingerprint(model)
        with pytest.raises(failure, match=r"in the middle"):
            for _ in range(4):
                engine(model, image(40))
        check_untouched(before, model)


@cache
def of_plain(engine: Engine) -> Evidence:
    """What an engine says of the plain network, asked once for all tests that compare with it."""
    return engine(plain(), image(40))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_question_gets_the_same_answer(engine: Engine) -> None:
    first = of_plain(engine)
    assert engine(plain(), image(40)) == first


@pytest.mark.parametrize("engine", ENGINES)
def test_train_mode_changes_no_answer(engine: Engine) -> None:
    model = Stateful().eval()
    expected = engine(copy.deepcopy(model), image(40))
    assert engine(copy.deepcopy(model).train(), image(40)) == expected


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("engine", ENGINES)
def test_the_gradient_mode_around_the_call_changes_no_answer(engine: Engine, mode) -> None:
    expected, model = of_plain(engine), plain()
    with mode():
        assert engine(model, image(40)) == expected


@pytest.mark.parametrize("engine", ENGINES)
def test_frozen_weights_change_no_answer(engine: Engine) -> None:
    frozen = plain().requires_grad_(False)
    assert engine(frozen, image(40)) == of_plain(engine)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("engine", ENGINES)
def test_other_precisions_are_answered(engine: Engine, dtype) -> None:
    found = engine(plain().to(dtype), image(40))
    assert type(found) is type(of_plain(engine))


@pytest.mark.parametrize("engine", ENGINES)
def test_nan_weights_are_an_error_that_names_them(engine: Engine) -> None:
    model = plain()
    model[0].weight.data[0, 0, 0, 0] = torch.nan
    with pytest.raises(ValueError, match=r"0\.weight are not finite"):
        engine(model, image(40))


@pytest.mark.parametrize("engine", ENGINES)
def test_evidence_is_saved_and_opened_as_it_was(engine: Engine, tmp_path) -> None:
    found = of_plain(engine)
    save(found, tmp_path / "found.hx")
    assert load(tmp_path / "found.hx") == found


def crowded_segments(monkeypatch) -> list[int]:
    """Let at most two decisions fit on the device; return what did not."""
    refused: list[int] = []
    run = Segment._differentiated

    def in_little_memory(self: Segment, units, mode):
        if len(units) > 2:
            refused.append(len(units))
            raise torch.cuda.OutOfMemoryError("out of memory")
        return run(self, units, mode)

    monkeypatch.setattr(Segment, "_differentiated", in_little_memory)
    return refused


def crowded_gates(monkeypatch) -> list[int]:
    """Let at most two gated images fit on the device; return what did not."""
    refused: list[int] = []
    in_batches = gating.in_batches

    def in_little_memory(run, count: int, size: int) -> Tensor:
        def cramped(part: slice) -> Tensor:
            if min(part.stop, count) - part.start > 2:
                refused.append(part.stop - part.start)
                raise torch.cuda.OutOfMemoryError("out of memory")
            return run(part)

        return in_batches(cramped, count, size)

    monkeypatch.setattr(gating, "in_batches", in_little_memory)
    return refused


@pytest.mark.parametrize(
    ("engine", "crowd"), [(decomposition, crowded_segments), (chip, crowded_gates)]
)
def test_running_out_of_gpu_memory_halves_the_batch_and_goes_on(
    engine: Engine, crowd, monkeypatch
) -> None:
    expected = of_plain(engine)
    refused = crowd(monkeypatch)
    found = engine(plain(), image(40))
    assert refused
    check_alike(found, expected)


def check_alike(found: Evidence, expected: Evidence) -> None:
    """Equal to rounding."""
    if isinstance(found, hx.HeatMap):
        scale = np.abs(expected.values).max()
        assert found.values == pytest.approx(expected.values, rel=1e-4, abs=1e-4 * scale)
        return
    pairs = zip(expected.root.walk(), found.root.walk(), strict=True)
    for (_, one), (_, two) in pairs:
        assert (one.layer, one.channel, one.position) == (two.layer, two.channel, two.position)
        assert one.contribution == pytest.approx(two.contribution, rel=1e-4)


@pytest.mark.parametrize("failure", [OSError, KeyboardInterrupt])
@pytest.mark.parametrize(
    "fit",
    [
        hx.Chip(gates_per_image=4).fit,
        lambda model, data, **rest: hx.Hint().fit(model, data, {"all": [0, 1, 2, 3]}, **rest),
        FilterGallery().fit,
    ],
    ids=["chip", "hint", "filters"],
)
def test_the_model_is_handed_back_when_the_data_fail(fit, failure) -> None:
    def data():
        for seed in range(12):
            if seed == 10:
                raise failure("in the middle")
            yield image(16, seed)[0] + torch.rand(())

    model = in_use(Stateful)
    before = fingerprint(model)
    with pytest.raises(failure, match="in the middle"):
        fit(model, data(), progress=False)
    check_untouched(before, model)
