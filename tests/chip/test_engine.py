"""CHIP end to end: planted truths, the same answer by every road, and what outlives a crash."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset

import hexplain_widgets as hx
from hexplain_widgets.chip.engine import Chip
from hexplain_widgets.data.samples import Sample
from hexplain_widgets.fitting import passes
from hexplain_widgets.network.gating import gates_for
from hexplain_widgets.solvers import moments
from hexplain_widgets.solvers.lasso import Quadratic, lasso
from tests.networks import Residual, image, plain, seeded
from tests.reference import faithfulness as removing
from tests.reference import gap, perturbed
from tests.reference.perturbed import at_module

IMAGES = [(image(16, seed)[0], seed % 5) for seed in range(20)]
SETTINGS = {"layers": ["7", "4"], "gates_per_image": 10, "sparsity": 0.01}


class Images(Dataset):
    def __len__(self) -> int:
        return len(IMAGES)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return IMAGES[i]


def fitted(data: object = IMAGES, model: nn.Module | None = None, **settings) -> Chip:
    return Chip(**{**SETTINGS, **settings}).fit(model or plain(), data, progress=False)


def check_same(one: Chip, other: Chip) -> None:
    """Equal to rounding: importance at every layer, counts, and the strongest images."""
    assert one.images_ == other.images_
    for layer in one.layers_:
        a, b = one.importance(layer.name), other.importance(layer.name)
        assert a == pytest.approx(b, rel=1e-5, abs=1e-6 * np.abs(b).max())
        for p, q in zip(*(c.portraits([0, 3], layer.name) for c in (one, other)), strict=True):
            assert p.values == pytest.approx(q.values, rel=1e-5)
            assert np.array_equal(p.images, q.images)


# a class's importances, held against closing channels one by one


def test_drops_of_a_class_are_means_over_its_first_images() -> None:
    model, some = plain(), [x for x, label in IMAGES if label == 2][:3]
    found = fitted(model=model).agreement(2, IMAGES, "4", images=3)
    for k in (0, 5, 11):
        gate = {"4": torch.ones(12).index_fill(0, torch.tensor([k]), 0)}
        lost = [
            (model(x[None])[0, 2] - removing.logits_of(model, x[None], gate)[2]).item()
            for x in some
        ]
        assert found.drops[k] == pytest.approx(np.mean(lost), rel=1e-4, abs=1e-5)
    assert found.images == 3


def test_estimates_are_the_weights_times_mean_activations_that_views_show() -> None:
    chip = fitted()
    shown = chip.matrix([2], "4")
    found = chip.agreement(2, IMAGES, "4")
    assert found.estimates == pytest.approx((shown.values * shown.means)[0])
    assert found.images == 4


def test_a_data_set_that_tells_its_labels_opens_no_other_images() -> None:
    opened: list[int] = []

    class Labelled(Images):
        targets = tuple(label for _, label in IMAGES)

        def __getitem__(self, i: int) -> tuple[Tensor, int]:
            opened.append(i)
            return IMAGES[i]

    chip = fitted()
    found = chip.agreement(2, Labelled(), "4", images=2)
    assert {IMAGES[i][1] for i in opened} == {2}
    assert np.array_equal(found.drops, chip.agreement(2, IMAGES, "4", images=2).drops)


def test_a_class_without_an_image_cannot_be_checked() -> None:
    with pytest.raises(ValueError, match=r"got data without an image of .class 2.; expected"):
        fitted().agreement(2, [one for one in IMAGES if one[1] != 2])


def test_a_check_that_is_stopped_says_nothing() -> None:
    with pytest.raises(CancelledError):
        fitted().agreement(2, IMAGES, stopped=lambda: True)


@pytest.fixture(scope="module")
def whole() -> Chip:
    return fitted()


# faithfulness


@pytest.mark.parametrize("method", ["CHIP", "Grad-CAM"])
def test_what_channels_add_is_held_against_what_the_logit_loses(whole, method: str) -> None:
    model, x = plain(), IMAGES[3][0][None]
    found = whole.faithfulness(x, 2, "4", method=method, rivals=0)
    maps, logits = gap.features(model, x, ["4"])
    (gradient,) = torch.autograd.grad(logits[0, 2], maps["4"])
    weights = {"CHIP": whole.importance("4")[2], "Grad-CAM": gradient[0].mean((1, 2)).numpy()}
    sums = maps["4"][0].detach().sum((1, 2)).numpy()
    assert found.estimates == pytest.approx(weights[method] * sums, rel=1e-4, abs=1e-5)
    for k in (0, 5, 11):
        gate = torch.ones(12).index_fill(0, torch.tensor([k]), 0)
        left = removing.logits_of(model, x, {"4": gate})[2]
        assert found.drops[k] == pytest.approx((logits[0, 2] - left).item(), abs=1e-4)


def test_a_method_that_does_not_sum_channels_has_no_faithfulness(whole) -> None:
    with pytest.raises(ValueError, match=r"got the method 'Guided CHIP'; expected one that sums"):
        whole.faithfulness(IMAGES[0][0][None], method="Guided CHIP")


# planted truths


class Planted(nn.Module):
    """Logits of three classes: three channels, one channel against another, and none at all."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.ReLU())
        seeded(self)
        self.maps[0].bias.data = torch.linspace(0.5, 1.5, 12)
        self.head = nn.Linear(12, 3)
        weights = torch.zeros(3, 12)
        weights[0, [2, 5, 11]] = torch.tensor([4.0, 2.0, 1.0])
        weights[1, [3, 7]] = torch.tensor([1.0, -1.0])
        self.head.weight.data = weights
        self.head.bias.data = torch.tensor([0.3, -2.0, 1.7])

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.maps(x).mean((2, 3)))


@pytest.fixture(scope="module", params=["equal", "loyal"])
def planted(request) -> np.ndarray:
    chip = fitted(model=Planted(), layers=["maps"], data=[x for x, _ in IMAGES], gates_per_image=40,
                  sparsity=0.001, weighting=request.param)  # fmt: skip
    return chip.importance()


def test_planted_channels_are_found_and_no_others(planted) -> None:
    assert np.flatnonzero(planted[0]).tolist() == [2, 5, 11]
    assert np.flatnonzero(planted[1]).tolist() == [3, 7]


def test_planted_channels_have_the_planted_weights(planted) -> None:
    assert planted[0, [2, 5, 11]] == pytest.approx([4, 2, 1], rel=0.05)
    assert planted[1, [3, 7]] == pytest.approx([1, -1], rel=0.05)


def test_a_class_that_rests_on_no_channel_has_no_importance(planted) -> None:
    assert not planted[2].any()


def test_under_pooling_and_a_linear_layer_importance_is_the_classifier_itself() -> None:
    model = plain()
    chip = fitted(model=model, layers=["7"], gates_per_image=40, sparsity=1e-6)
    alive = chip.matrix().means > 0.01 * chip.matrix().means.max()
    expected = model[-1].weight.detach().numpy()
    assert chip.importance()[:, alive] == pytest.approx(expected[:, alive], rel=0.01)
    assert chip.matrix().fit == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("weighting", ["equal", "loyal"])
@pytest.mark.parametrize("score", ["logit", "probability"])
def test_importance_is_the_lasso_on_the_rows_of_the_perturbed_network(
    weighting: str, score: str
) -> None:
    model = Residual()
    data = [image(12, s) for s in range(4)]
    chip = fitted(data=[x[0] for x in data], model=model, layers=["act:2"], weighting=weighting,
                  score=score, gates_per_image=8)  # fmt: skip
    gates = [
        gates_for(Sample(x, None, True).key, "act:2", count=8, channels=8, seed=0) for x in data
    ]
    sums = perturbed.sums(
        model, at_module(model.act, 2), data, gates, score=score, loyal=weighting == "loyal"
    )
    w = sums["weight"]
    problem = Quadratic(
        gram=sums["gram"] - np.einsum("ci,cj->cij", sums["sums"], sums["sums"]) / w[:, None, None],
        linear=sums["linear"] - sums["totals"][:, None] * sums["sums"] / w[:, None],
        power=sums["squares"] - sums["totals"] ** 2 / w,
    )
    expected = lasso(problem, 0.01).weights
    assert chip.importance() == pytest.approx(expected, rel=1e-3, abs=1e-4 * np.abs(expected).max())


# the same answer by every road


@pytest.mark.parametrize("size", [1, 3, 20])
@pytest.mark.parametrize("weighting", ["equal", "loyal"])
def test_the_size_of_batches_does_not_matter(size: int, weighting: str, monkeypatch) -> None:
    expected = fitted(weighting=weighting)
    monkeypatch.setattr(passes, "BATCH", size)
    check_same(fitted(weighting=weighting), expected)


def test_the_order_of_the_data_does_not_matter(whole) -> None:
    check_same(fitted(IMAGES[::-1]), whole)
    check_same(fitted(DataLoader(Images(), batch_size=7, shuffle=True)), whole)


ROADS = {
    "dataset": Images,
    "loader": lambda: DataLoader(Images(), batch_size=6),
    "loader with workers": lambda: DataLoader(Images(), batch_size=6, num_workers=2),
    "generator": lambda: (pair for pair in IMAGES),
    "without labels": lambda: [x for x, _ in IMAGES],
}


@pytest.mark.parametrize("road", ROADS)
def test_the_kind_of_data_does_not_matter(whole, road: str) -> None:
    check_same(fitted(ROADS[road]()), whole)


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_shards_merge_in_any_order_to_the_whole(whole, order: tuple[int, ...], shards) -> None:
    one, two, three = (shards["equal"][i] for i in order)
    check_same(one.merge(two).merge(three), whole)
    check_same(one.merge(two.merge(three)), whole)


def test_shards_of_loyal_weights_merge_to_the_whole(shards) -> None:
    one, two, three = shards["loyal"]
    check_same(three.merge(one).merge(two), fitted(weighting="loyal"))


@pytest.fixture(scope="module")
def shards() -> dict[str, list[Chip]]:
    parts = [range(0, 9), range(9, 11), range(11, 20)]
    return {
        w: [fitted(Subset(Images(), p), weighting=w) for p in parts] for w in ("equal", "loyal")
    }


def test_merging_changes_neither_part(shards) -> None:
    one, two, _ = shards["equal"]
    before = one.importance().copy(), one.images_
    one.merge(two)
    assert np.array_equal(one.refit(sparsity=0.01).importance(), before[0])
    assert one.images_ == before[1]


def test_a_seed_gives_the_same_answer_and_another_another(whole) -> None:
    assert np.array_equal(fitted().importance(), whole.importance())
    assert not np.array_equal(fitted(seed=1).importance(), whole.importance())


def test_layers_fitted_together_are_as_if_fitted_alone(whole) -> None:
    alone = fitted(layers=["4"])
    assert alone.importance() == pytest.approx(whole.importance("4"), rel=1e-9)


def test_images_of_several_sizes_are_fitted_together() -> None:
    mixed = [(image(16, s)[0] if s % 2 else image(20, s)[0], 0) for s in range(8)]
    parts = fitted(mixed[:3]).merge(fitted(mixed[3:]))
    check_same(parts, fitted(mixed))


def test_matrices_that_lie_in_a_file_give_the_same_answer() -> None:
    filed = fitted(weighting="loyal", memory=16 * 16 * 8 * 4)
    layer = filed._fitted._moments["7"]
    assert layer.in_file
    check_same(filed, fitted(weighting="loyal"))


def test_no_more_matrices_are_solved_at_once_than_fit_in_memory(monkeypatch) -> None:
    filed = fitted(weighting="loyal", layers=["7"], memory=16 * 16 * 8 * 4)
    asked = []
    quadratic = moments.Moments.quadratic
    monkeypatch.setattr(
        moments.Moments,
        "quadratic",
        lambda self, c, **how: asked.append(len(c)) or quadratic(self, c, **how),
    )
    assert filed.importance().shape == (5, 16)
    assert max(asked) == 1


# refit, save, load


def test_another_sparsity_leaves_fewer_channels_without_asking_the_network() -> None:
    model = plain()
    chip = fitted(model=model)
    before = chip.importance().copy()
    model[0].register_forward_pre_hook(_never)
    sparser = chip.refit(sparsity=0.3)
    assert (sparser.importance() != 0).sum() < (before != 0).sum()
    assert np.array_equal(chip.importance(), before)
    assert sparser.matrix().sparsity == 0.3


def _never(*_: object) -> None:
    raise AssertionError("the network was asked")


@pytest.mark.parametrize("order", [(0.01, 0.3), (0.3, 0.01)])
def test_a_sparsity_gives_the_same_importance_from_wherever_it_is_reached(order) -> None:
    first, last = order
    chip = fitted(sparsity=first)
    chip.importance()
    expected = fitted(sparsity=last).importance()
    found = chip.refit(sparsity=last).importance()
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("weighting", ["equal", "loyal"])
def test_what_is_saved_gives_equal_importance_when_loaded(tmp_path, weighting: str) -> None:
    chip = fitted(weighting=weighting, seed=3, sparsity=0.02)
    again = Chip.load(chip.save(tmp_path / "chip.hx"))
    assert repr(again) == repr(chip)
    assert again.layers_ == chip.layers_
    assert again.classes_ == chip.classes_
    for layer in ("7", "4"):
        assert np.array_equal(again.importance(layer), chip.importance(layer))
        assert again.matrix(layer=layer) == chip.matrix(layer=layer)
        assert again.portraits(range(3), layer) == chip.portraits(range(3), layer)


def test_a_loaded_chip_explains_with_its_network_as_before(tmp_path, whole) -> None:
    again = Chip.load(whole.save(tmp_path / "chip.hx"), plain())
    for method in ("explain", "refine", "guide"):
        assert getattr(again, method)(IMAGES[0][0], 2) == getattr(whole, method)(IMAGES[0][0], 2)


def test_a_loaded_chip_merges_and_goes_on_like_another(tmp_path, whole) -> None:
    path = fitted(IMAGES[:12]).save(tmp_path / "chip.hx")
    check_same(Chip.load(path).merge(fitted(IMAGES[12:])), whole)
    check_same(Chip.load(path).fit(plain(), IMAGES, resume=True, progress=False), whole)


# interrupts


class Interrupting(Dataset):
    """Is interrupted at an image, once."""

    def __init__(self, at: int, failure: type[BaseException] = KeyboardInterrupt) -> None:
        self.at: int | None = at
        self.failure = failure

    def __len__(self) -> int:
        return len(IMAGES)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        if i == self.at:
            self.at = None
            raise self.failure("in the middle")
        if i >= len(IMAGES):
            raise IndexError(i)
        return IMAGES[i]


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError, SystemExit])
@pytest.mark.parametrize("at", [0, 13])
def test_going_on_after_an_interrupt_gives_the_uninterrupted_answer(whole, at, failure) -> None:
    data, chip = Interrupting(at, failure), Chip(**SETTINGS)
    with pytest.raises(failure, match="in the middle"):
        chip.fit(plain(), data, progress=False)
    check_same(chip.fit(plain(), data, resume=True, progress=False), whole)


def test_an_interrupted_fit_already_answers() -> None:
    chip = Chip(**SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        chip.fit(plain(), Interrupting(13), progress=False)
    check_same(chip, fitted(IMAGES[:8]))


def test_an_interrupt_while_sums_are_added_loses_nothing(whole, monkeypatch) -> None:
    add, calls = moments.Moments.add, itertools.count()

    def interrupted(self, rows) -> None:
        if next(calls) == 2:
            signal.raise_signal(signal.SIGINT)
        add(self, rows)

    monkeypatch.setattr(moments.Moments, "add", interrupted)
    chip = Chip(**SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        chip.fit(plain(), IMAGES, progress=False)
    assert chip.images_ == 16
    check_same(chip.fit(plain(), IMAGES, resume=True, progress=False), whole)


def test_a_plain_fit_starts_again(whole) -> None:
    chip = fitted(IMAGES[:9])
    check_same(chip.fit(plain(), IMAGES, progress=False), whole)


def test_going_on_when_all_is_done_changes_nothing(whole) -> None:
    chip = fitted()
    check_same(chip.fit(plain(), IMAGES, resume=True, progress=False), whole)


def test_going_on_leaves_a_refitted_chip_as_it_was() -> None:
    chip = fitted(IMAGES[:12])
    sparser = chip.refit(sparsity=0.1)
    before = sparser.importance().copy()
    chip.fit(plain(), IMAGES, resume=True, progress=False)
    assert sparser.images_ == 12
    assert np.array_equal(sparser.refit(sparsity=0.1).importance(), before)


# checkpoints


def test_a_checkpoint_is_gone_on_from_by_another_process(tmp_path, whole) -> None:
    path = tmp_path / "checkpoint.hx"
    with pytest.raises(KeyboardInterrupt):
        Chip(**SETTINGS).fit(plain(), Interrupting(13), checkpoint=path, progress=False)
    again = Chip(**SETTINGS)
    again.fit(plain(), IMAGES, resume=True, checkpoint=path, progress=False)
    check_same(again, whole)
    check_same(Chip.load(path), whole)


@pytest.mark.parametrize("memory", [1, 16 * 16 * 8 * 4, 2**30])
def test_loyal_checkpoints_are_written_with_several_layers(tmp_path, memory: int) -> None:
    settings = {**SETTINGS, "weighting": "loyal", "memory": memory, "layers": ["7", "4", "1"]}
    path = tmp_path / "checkpoint.hx"
    with pytest.raises(KeyboardInterrupt):
        Chip(**settings).fit(plain(), Interrupting(17), checkpoint=path, progress=False)
    assert Chip.load(path).images_ >= 8
    again = Chip(**settings).fit(plain(), IMAGES, resume=True, checkpoint=path, progress=False)
    check_same(again, fitted(**settings))


def test_layers_whose_rows_wait_for_a_file_are_saved_at_the_same_time(tmp_path) -> None:
    model = plain()
    model[-1] = seeded(nn.Linear(16, 200))
    path = tmp_path / "checkpoint.hx"
    # A wide layer's rows fill the quarter of the memory with the third batch, a narrow one's later.
    chip = Chip(**SETTINGS, weighting="loyal", memory=184_000)
    with pytest.raises(KeyboardInterrupt):
        chip.fit(model, _interrupted_after(4 * passes.BATCH), checkpoint=path, progress=False)
    assert Chip.load(path).images_ == 3 * passes.BATCH


def _interrupted_after(count: int) -> Iterator[Tensor]:
    yield from (image(16, seed)[0] for seed in range(count + 1))
    raise KeyboardInterrupt


KILLED = """
    import sys, time, torch
    from hexplain_widgets.chip.engine import Chip
    from tests.networks import plain
    from tests.chip.test_engine import IMAGES, SETTINGS
    torch.set_num_threads(1)

    def slowly():
        for i, pair in enumerate(IMAGES):
            print(i, flush=True)
            time.sleep(0.02)
            yield pair

    Chip(**SETTINGS).fit(plain(), slowly(), checkpoint=sys.argv[1], progress=False)
"""


@pytest.mark.slow
def test_a_killed_process_loses_one_batch_at_most(tmp_path, whole) -> None:
    path = tmp_path / "checkpoint.hx"
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_root()) as process:
        seen = next(int(line) for line in process.stdout if int(line) == 18)
        process.send_signal(signal.SIGKILL)
    done = Chip.load(path).images_
    assert seen - 2 * passes.BATCH < done <= seen
    again = Chip(**SETTINGS)
    again.fit(plain(), IMAGES, resume=True, checkpoint=path, progress=False)
    check_same(again, whole)


def _root() -> Path:
    return Path(__file__).parents[2]


def test_a_full_disk_leaves_the_last_checkpoint_and_what_was_gathered(
    tmp_path, whole, monkeypatch
) -> None:
    path = tmp_path / "checkpoint.hx"
    replace, calls = os.replace, itertools.count()

    def full(*args) -> None:
        if next(calls) == 1:
            raise OSError(28, "No space left on device")
        replace(*args)

    monkeypatch.setattr(os, "replace", full)
    chip = Chip(**SETTINGS)
    with pytest.raises(OSError, match=r"No space left .* nothing that was gathered is lost"):
        chip.fit(plain(), IMAGES, checkpoint=path, progress=False)
    assert Chip.load(path).images_ == 8
    check_same(chip, fitted(IMAGES[:16]))
    chip.save(path)
    check_same(chip.fit(plain(), IMAGES, resume=True, checkpoint=path, progress=False), whole)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_full_device_is_an_error_that_says_so(tmp_path, whole, monkeypatch) -> None:
    opened = Path.open
    monkeypatch.setattr(
        Path, "open", lambda p, mode="r", **kw: opened(Path("/dev/full"), mode, **kw)
    )
    with pytest.raises(OSError, match=r"cannot write .*chip\.hx: No space left on device"):
        whole.save(tmp_path / "chip.hx")


# memory


MEMORY = """
    import resource, sys, torch
    from torch import nn
    from hexplain_widgets.chip.engine import Chip
    from tests.networks import image
    torch.set_num_threads(1)
    wide = nn.Sequential(
        nn.Conv2d(3, 256, 8, stride=8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(256, 5),
    )
    for count in (30, 300):
        data = (image(96, i)[0] for i in range(count))
        chip = Chip(layers=["1"], gates_per_image=600, weighting=sys.argv[1])
        chip.fit(wide, data, progress=False).importance()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


# So many gates that rows or images that were kept would pass the bound by half.
@pytest.mark.slow
@pytest.mark.parametrize("weighting", ["equal", "loyal"])
def test_ten_times_the_images_take_no_more_memory(weighting: str) -> None:
    command = [sys.executable, "-c", textwrap.dedent(MEMORY), weighting]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=_root())
    few, many = map(int, done.stdout.split())
    assert many < 1.05 * few


# the user's house


class Augmented(Dataset):
    def __len__(self) -> int:
        return 9

    def __getitem__(self, i: int) -> Tensor:
        if i >= 9:
            raise IndexError(i)
        return IMAGES[0][0] * torch.rand(())


@pytest.mark.parametrize("workers", [0, 2])
def test_augmented_data_leave_the_random_state_and_draw_for_every_image(workers: int) -> None:
    data = DataLoader(Augmented(), batch_size=2, shuffle=True, num_workers=workers)
    model = plain()
    before = torch.get_rng_state()
    chip = fitted(data, model, gates_per_image=2)
    assert torch.equal(torch.get_rng_state(), before)
    values = chip.portraits([int(chip.matrix().means.argmax())])[0].values
    assert len(set(values.tolist())) == 4


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_the_gradient_mode_around_a_fit_does_not_matter(whole, mode) -> None:
    model = plain()
    with mode():
        check_same(fitted(model=model), whole)


def test_data_made_under_inference_mode_are_fitted_too(whole) -> None:
    with torch.inference_mode():
        data = [(x.clone(), label) for x, label in IMAGES]
    check_same(fitted(data), whole)


def test_train_mode_does_not_matter() -> None:
    def network() -> nn.Module:
        return nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(0.5), plain())

    expected = fitted(model=network().eval(), layers=["2.7"])
    check_same(fitted(model=network().train(), layers=["2.7"]), expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_gives_the_answer_within_its_rounding(whole, dtype) -> None:
    half = fitted(model=plain().to(dtype))
    for layer in ("7", "4"):
        a, b = half.importance(layer), whole.importance(layer)
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.98


def test_channels_last_images_and_networks_give_the_same(whole) -> None:
    data = DataLoader([x for x, _ in IMAGES], batch_size=20, collate_fn=_channels_last)
    check_same(fitted(data, plain().to(memory_format=torch.channels_last)), whole)


def _channels_last(images: list[Tensor]) -> Tensor:
    return torch.stack(images).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("score", ["logit", "probability", "log-probability"])
@pytest.mark.parametrize("weighting", ["equal", "loyal"])
def test_a_network_of_one_logit_is_fitted(score: str, weighting: str) -> None:
    model = plain()
    model[-1] = seeded(nn.Linear(16, 1))
    chip = fitted([x for x, _ in IMAGES], model, score=score, weighting=weighting)
    assert chip.importance().shape == (2, 16)
    assert chip.importance().any()
    if (score, weighting) == ("logit", "equal"):
        # The logits of the two answers are each other's opposites.
        assert chip.importance()[0] == pytest.approx(-chip.importance()[1], abs=1e-6)
    index = int(model(IMAGES[0][0][None])[0, 0] > 0)
    assert chip.explain(IMAGES[0][0]).index == index


@pytest.mark.parametrize("end", [nn.Softmax(1), nn.LogSoftmax(1)])
@pytest.mark.parametrize("score", ["logit", "probability"])
def test_a_closing_softmax_changes_nothing_and_is_said(score: str, end: nn.Module) -> None:
    closed = nn.Sequential(*plain(), end)
    chip, other = fitted(score=score), fitted(model=closed, score=score)
    assert other.importance() == pytest.approx(chip.importance(), rel=1e-6, abs=1e-9)
    heat = other.explain(IMAGES[0][0])
    assert heat.index == chip.explain(IMAGES[0][0]).index
    assert heat.notes[0].startswith("The network ends in a ")


@pytest.mark.parametrize("score", ["logit", "probability", "log-probability"])
def test_findings_are_counted_and_measured_by_themselves(score: str) -> None:
    rows = [torch.tensor([1, 0, 1, 0, 0]), torch.tensor([0, 0, 1, 0, 0]), torch.zeros(5)]
    data = [(x, row) for (x, _), row in zip(IMAGES, rows, strict=False)]
    many = Chip(**SETTINGS, score=score, weighting="loyal")
    many.fit(hx.Classifier(plain(), scores="multilabel"), data, progress=False)
    assert many._statistics.labelled.tolist() == [1, 0, 2, 0, 0]
    logits = plain()(torch.stack([x for x, _ in data]))
    assert many._statistics.predicted.tolist() == (logits > 0).sum(0).tolist()
    # Each finding is weighed and measured as a network of that output alone would be.
    alone = plain()
    alone[10].weight.data, alone[10].bias.data = (
        p[2:3].clone() for p in (alone[10].weight.data, alone[10].bias.data)
    )
    one = Chip(**SETTINGS, score=score, weighting="loyal")
    one.fit(hx.Classifier(alone, scores="multilabel"), [x for x, _ in data], progress=False)
    assert many.importance()[2] == pytest.approx(one.importance()[0], rel=1e-4, abs=1e-6)


def test_progress_is_shown_unless_it_is_unwanted(capsys) -> None:
    Chip(**SETTINGS).fit(plain(), IMAGES)
    assert "20/20" in capsys.readouterr().err
    fitted()
    assert capsys.readouterr().err == ""


# clusters


class Watched(Dataset):
    """Says where and when each image is read, slowly enough to be killed meanwhile."""

    def __init__(self, folder: Path, *, wrong: int | None = None, count: int = 20) -> None:
        self.folder, self.wrong, self.count = folder, wrong, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        if i == self.wrong:
            raise ValueError(f"image {i} is no image")
        (self.folder / f"{os.getpid()}-{i}").touch()
        time.sleep(0.02)
        return IMAGES[i % len(IMAGES)]


@pytest.fixture
def small_shards(monkeypatch) -> None:
    monkeypatch.setattr(passes, "LEAST_SHARD", 2)


def on_cluster(client, data: Dataset, chip: Chip | None = None, **settings) -> Chip:
    chip = chip or Chip(**SETTINGS)
    return chip.fit(plain(), data, client=client, progress=False, **settings)


@pytest.mark.slow
@pytest.mark.parametrize("weighting", ["equal", "loyal"])
def test_a_cluster_gives_the_answer_of_one_machine(client, small_shards, weighting: str) -> None:
    chip = Chip(**SETTINGS, weighting=weighting)
    check_same(on_cluster(client, Images(), chip), fitted(weighting=weighting))


@pytest.mark.slow
def test_a_worker_killed_half_way_changes_nothing(client, small_shards, tmp_path, whole) -> None:
    stop = _kill_when(tmp_path, 10)
    check_same(on_cluster(client, Watched(tmp_path)), whole)
    assert stop() in {int(p.name.partition("-")[0]) for p in tmp_path.iterdir()}


def _kill_when(folder: Path, count: int) -> Callable[[], int]:
    """Kill the process that read an image last, as soon as `count` have been read elsewhere."""
    killed: list[int] = []

    def watch() -> None:
        while not killed:
            seen = sorted(folder.iterdir(), key=lambda p: p.stat().st_mtime_ns)
            own = [int(p.name.partition("-")[0]) for p in seen]
            others = [pid for pid in own if pid != os.getpid()]
            if len(others) >= count:
                os.kill(others[-1], signal.SIGKILL)
                killed.append(others[-1])
            time.sleep(0.01)

    thread = Thread(target=watch)
    thread.start()

    def stop() -> int:
        thread.join(10)
        return killed[0]

    return stop


@pytest.mark.slow
def test_an_error_in_the_data_travels_back_and_the_fit_goes_on(
    client, small_shards, tmp_path, whole
) -> None:
    chip, checkpoint = Chip(**SETTINGS), tmp_path / "checkpoint.hx"
    with pytest.raises(ValueError, match="image 19 is no image"):
        on_cluster(client, Watched(tmp_path, wrong=19), chip, checkpoint=checkpoint)
    on_cluster(client, Images(), chip, resume=True, checkpoint=checkpoint)
    check_same(chip, whole)


@pytest.mark.slow
def test_a_cluster_goes_on_with_what_one_machine_began(client, small_shards, whole) -> None:
    chip = Chip(**SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        chip.fit(plain(), Interrupting(13), progress=False)
    check_same(on_cluster(client, Images(), chip, resume=True), whole)


@pytest.mark.slow
def test_a_cluster_takes_no_stream_without_numbers(client) -> None:
    with pytest.raises(TypeError, match=r"got generator as data for a cluster; expected a Dataset"):
        on_cluster(client, (pair for pair in IMAGES))


# what is shown


def test_the_face_of_the_package_has_it() -> None:
    assert hx.Chip is Chip
