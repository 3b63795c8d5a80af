"""Who is taken for whom: counts by hand, data that end or go on, and channels that both share."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import hexplain_widgets as hx
from hexplain_widgets.arguments import counted
from hexplain_widgets.diagnosis import confusion
from hexplain_widgets.evidence.store import load, save
from tests.reference import confusion as literal

NAMES = ("red", "green", "blue")
# label and what the network sees, image by image
SEEN = [(0, 0), (0, 1), (0, 1), (1, 1), (1, 2), (2, 2), (0, 1), (2, 0), (2, 2), (1, 1)]


class Mean(nn.Module):
    """Names the colour that an image has most of."""

    def forward(self, x: Tensor) -> Tensor:
        return 9 * x.mean((2, 3))


def coloured(seen: int, place: int = 0) -> Tensor:
    x = torch.full((3, 8, 8), 0.1 + place / 1000)
    x[seen] = 0.9
    return x


DATA = [(coloured(seen, i), label) for i, (label, seen) in enumerate(SEEN)]


@pytest.fixture(scope="module")
def colours() -> hx.Classifier:
    return hx.Classifier(Mean(), classes=NAMES)


@pytest.fixture(scope="module")
def summary(colours: hx.Classifier) -> hx.ConfusionSummary:
    return hx.measure_confusions(colours, DATA, progress=False)


def test_pairs_are_counted_and_the_most_frequent_come_first(summary) -> None:
    assert [(*summary.names(i), n) for i, n in enumerate(summary.counts.tolist())] == [
        ("red", "green", 3),
        ("green", "blue", 1),
        ("blue", "red", 1),
    ]
    assert summary.labelled.tolist() == [4, 3, 3]
    assert summary.right.tolist() == [1, 2, 2]
    assert (summary.mistakes, summary.seen, summary.unlabelled) == (5, 10, 0)
    assert summary.shares.tolist() == pytest.approx([3 / 4, 1 / 3, 1 / 3])
    assert str(summary).splitlines()[1].split() == ["red", "green", "3", "4", "75%"]


def test_pictures_say_which_images_of_the_data_they_are(summary) -> None:
    assert list(zip(summary.pictured.tolist(), summary.places.tolist(), strict=True)) == [
        (0, 1), (0, 2), (0, 6), (1, 4), (2, 7),
    ]  # fmt: skip
    assert summary.thumbnails[0].shape == (8, 8, 3)
    assert summary.thumbnails[0][0, 0].argmax() == 1


@pytest.mark.parametrize("seed", range(3))
def test_counts_are_the_literal_ones_for_a_thousand_classes(seed: int) -> None:
    draw = np.random.default_rng(seed)
    seen = draw.integers(0, 1000, 40)
    labels = [int(s) if draw.random() < 0.5 else int(draw.integers(990, 1000)) for s in seen]

    class Told(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return -((torch.arange(1000) - 1000 * x.mean((1, 2, 3))[:, None]) ** 2)

    data = [(torch.full((3, 2, 2), s / 1000), n) for s, n in zip(seen, labels, strict=True)]
    found = hx.measure_confusions(Told(), data, progress=False)
    pairs = [
        (int(found.indices[a]), int(found.indices[b]), int(n))
        for (a, b), n in zip(found.pairs, found.counts, strict=True)
    ]
    assert pairs == literal.pairs_of(labels, seen.tolist())
    assert len(found.classes) <= 80


def test_the_order_of_the_data_changes_no_count(colours, summary) -> None:
    other = hx.measure_confusions(colours, DATA[::-1], progress=False)
    assert np.array_equal(other.pairs, summary.pairs)
    assert np.array_equal(other.counts, summary.counts)


def test_images_without_a_label_are_passed_over_and_said(colours) -> None:
    found = hx.measure_confusions(colours, [(DATA[1][0], 0), DATA[2][0]], progress=False)
    assert (found.seen, found.unlabelled, found.mistakes) == (2, 1, 1)
    assert "1 of 2 images have no label and count for nothing." in found.notes
    with pytest.raises(ValueError, match="got 1 image, none of them with a label; expected at"):
        hx.measure_confusions(colours, [DATA[0][0]], progress=False)


@pytest.mark.parametrize("after", [1, 4, 9])
def test_what_was_stopped_goes_on_to_the_whole(colours, summary, after: int) -> None:
    times = iter(range(after))
    begun = hx.measure_confusions(
        colours, DATA, progress=False, stopped=lambda: next(times, None) in (None, after - 1)
    )
    assert (begun.seen, begun.notes[-1]) == (
        after,
        f"Stopped after {counted(after, 'image')}.",
    )
    assert hx.measure_confusions(colours, DATA, resume=begun, progress=False) == summary


def test_an_interrupt_keeps_the_images_that_were_seen(colours) -> None:
    def interrupted():
        yield from DATA[:3]
        yield torch.zeros(3, 4, 4), 0  # another size: what was before goes through the network
        raise KeyboardInterrupt

    found = hx.measure_confusions(colours, interrupted(), progress=False)
    assert (found.seen, found.notes[-1]) == (
        3,
        "Interrupted: the images seen before are what is summed up.",
    )


def test_data_in_another_order_every_time_are_not_gone_on_with(colours, summary) -> None:
    shuffled = torch.utils.data.DataLoader(DATA, shuffle=True)
    with pytest.raises(ValueError, match="got resume= with data that are shuffled; expected"):
        hx.measure_confusions(colours, shuffled, resume=summary, progress=False)


def test_no_more_pictures_are_held_than_there_is_room_for(colours, monkeypatch) -> None:
    monkeypatch.setattr(confusion, "HELD", 4)
    held = []
    add = confusion._ConfusionPass.add

    def watched(self, *of) -> None:
        add(self, *of)
        held.append(self.held)

    monkeypatch.setattr(confusion._ConfusionPass, "add", watched)
    found = hx.measure_confusions(colours, DATA, progress=False)
    assert max(held) <= 4
    assert len(found.thumbnails) == held[-1] < 5
    assert found.mistakes == 5


def test_a_network_of_one_output_decides_between_two_classes() -> None:
    class Brightness(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 10 * x.mean((1, 2, 3))[:, None] - 5

    data = [
        (torch.full((3, 4, 4), level), label) for level, label in [(0.9, 1), (0.2, 1), (0.0, 0)]
    ]
    found = hx.measure_confusions(
        hx.Classifier(Brightness(), classes=("clear", "lesion")), data, progress=False
    )
    assert found.names(0) == ("lesion", "clear")
    assert (found.counts.tolist(), found.labelled.tolist()) == ([1], [1, 2])


def test_labels_of_several_classes_are_refused(colours) -> None:
    with pytest.raises(ValueError, match="got an image labelled with 2 classes; expected one"):
        hx.measure_confusions(colours, [(DATA[0][0], [1, 1, 0])], progress=False)


def test_a_network_that_finds_any_number_of_classes_is_refused() -> None:
    many = hx.Classifier(nn.Sequential(Mean(), nn.Sigmoid()), scores="multilabel")
    with pytest.raises(ValueError, match="got a network whose classes do not exclude one another"):
        hx.measure_confusions(many, DATA, progress=False)


def test_a_label_beyond_the_classes_is_refused(colours) -> None:
    with pytest.raises(ValueError, match="got the label 3; expected 0 to 2, a class of the netw"):
        hx.measure_confusions(colours, [(DATA[0][0], 3)], progress=False)


# channels that both classes share

WEIGHTS = np.array([[3.0, 1, -2, 2, 0], [0.5, 4, 5, 2, 1], [1, 1, 1, -1, 1]], np.float32)
MEANS = np.array([1.0, 2, 1, 0.5, 3], np.float32)


class Known:
    """Weights of five channels, as a fitted Chip tells them."""

    classes_ = NAMES

    def __init__(self) -> None:
        self.asked: list[int] = []

    def matrix(self, classes, layer=None):
        notes = ("said of the chip",)
        return SimpleNamespace(
            values=WEIGHTS[list(classes)], means=MEANS, layer=layer or "4", notes=notes
        )

    def portraits(self, channels, layer=None):
        self.asked += channels
        image = np.zeros((1, 4, 4, 3), np.uint8)
        return tuple(hx.ChannelPortrait(layer, k, image, np.ones(1)) for k in channels)


def test_shared_channels_speak_for_both_classes_the_strongest_first(colours) -> None:
    chip = Known()
    found = hx.measure_confusions(colours, DATA, chip=chip, top=2, progress=False)
    assert found.layer == "4"
    # by the smaller of weight times mean: 1 has 2 and 8, 3 has 1 and 1, 0 has 3 and 0.5
    assert found.channels(0) == ((1, 2.0, 8.0), (3, 1.0, 1.0))
    for pair, (label, named) in enumerate(found.pairs.tolist()):
        expected = literal.shared_of(WEIGHTS, MEANS, label, named, 2)
        assert [k for k, _, _ in found.channels(pair)] == expected
    assert [one.channel for one in found.portraits] == chip.asked == [1, 3, 4, 0]
    assert "said of the chip" in found.notes


def test_without_a_chip_nothing_is_said_of_channels(summary) -> None:
    assert summary.layer is None
    assert summary.channels(0) == ()


def test_a_chip_of_other_classes_is_refused(colours) -> None:
    chip = Known()
    chip.classes_ = ("red", "green", "violet")
    with pytest.raises(ValueError, match="a chip that knows class 2 as 'violet'; expected 'blue'"):
        hx.measure_confusions(colours, DATA, chip=chip, progress=False)


def test_where_nothing_is_confused_there_is_no_pair(colours) -> None:
    right = [(coloured(seen), seen) for seen in (0, 1, 2)]
    found = hx.measure_confusions(colours, right, chip=Known(), progress=False)
    assert (found.mistakes, found.pairs.shape, found.layer) == (0, (0, 2), "4")


def test_confusions_are_saved_and_opened(colours, tmp_path) -> None:
    found = hx.measure_confusions(colours, DATA, chip=Known(), progress=False)
    assert load(save(found, tmp_path / "c.hx")) == found


def test_a_fitted_chip_tells_its_own_channels() -> None:
    draw = torch.Generator().manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)
    ).eval()
    for p in network.parameters():
        p.data = torch.randn(p.shape, generator=draw)
    data = [(torch.rand((3, 8, 8), generator=draw), i % 3) for i in range(9)]
    clf = hx.Classifier(network, classes=NAMES)
    chip = hx.Chip(layers=["1"], gates_per_image=8).fit(clf, data, progress=False)
    found = hx.measure_confusions(clf, data, chip=chip, progress=False)
    matrix = chip.matrix()
    for pair, (label, named) in enumerate(found.pairs.tolist()):
        a, b = (int(found.indices[c]) for c in (label, named))
        expected = literal.shared_of(matrix.values, matrix.means, a, b, 5)
        assert [k for k, _, _ in found.channels(pair)] == expected
