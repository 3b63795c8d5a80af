"""Data of every kind: read once, in order, and without touching the global random state."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from hexplain_widgets.data.samples import Batch, Sample, batches, is_shuffled, length_of
from hexplain_widgets.network.classifier import Classifier
from tests.networks import image, plain

NAMES = ["a", "b", "c", "d", "e"]
CLASSIFIER = Classifier(plain(), classes=NAMES)
PIXELS = torch.cat([image(8, seed) for seed in range(7)])
LABELS = torch.tensor([0, 1, 2, 3, 4, 0, 1])


class Numbered(Dataset):
    def __len__(self) -> int:
        return len(PIXELS)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return PIXELS[i], int(LABELS[i])


class Indexed:
    """Has a length and items by number, as old data sets do, and no iterator."""

    __iter__ = None

    def __len__(self) -> int:
        return len(PIXELS)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return PIXELS[i], int(LABELS[i])


class Flowing(IterableDataset):
    def __iter__(self) -> Iterator[tuple[Tensor, int]]:
        return iter(Numbered()[i] for i in range(len(PIXELS)))


def read(data: object, size: int = 3, skip: int = 0) -> list[Batch]:
    return list(batches(data, CLASSIFIER, size=size, skip=skip))


def samples(data: object, **settings: int) -> list[Sample]:
    return [s for batch in read(data, **settings) for s in batch.samples]


SOURCES = {
    "dataset": Numbered,
    "items by number": Indexed,
    "dataset without a length": Flowing,
    "tensors": lambda: TensorDataset(PIXELS, LABELS),
    "list": lambda: [Numbered()[i] for i in range(7)],
    "generator": lambda: (Numbered()[i] for i in range(7)),
    "loader": lambda: DataLoader(Numbered(), batch_size=4),
    "loader of single items": lambda: DataLoader(Numbered(), batch_size=None),
    "loader without a length": lambda: DataLoader(Flowing(), batch_size=2),
    "loader with workers": lambda: DataLoader(Numbered(), batch_size=4, num_workers=2),
    "batches": lambda: [(PIXELS[:5], LABELS[:5]), (PIXELS[5:], LABELS[5:].tolist())],
}


@pytest.mark.parametrize("source", SOURCES)
def test_data_of_every_kind_give_the_same_images_and_labels(source: str) -> None:
    found = samples(SOURCES[source]())
    assert torch.equal(torch.cat([s.x for s in found]), PIXELS)
    assert [s.label for s in found] == LABELS.tolist()


@pytest.mark.parametrize("data", [PIXELS, list(PIXELS), DataLoader(PIXELS, batch_size=2)])
def test_labels_may_be_left_out(data: object) -> None:
    found = samples(data)
    assert torch.equal(torch.cat([s.x for s in found]), PIXELS)
    assert {s.label for s in found} == {None}


@pytest.mark.parametrize(
    "label",
    [2, "c", np.int64(2), np.array(2), torch.tensor(2), torch.tensor([2]), np.uint8(2)],
)
def test_a_label_is_an_index_of_any_kind_or_a_name(label: object) -> None:
    assert [s.label for s in samples([(PIXELS[0], label)])] == [2]


@pytest.mark.parametrize(
    ("label", "classes"),
    [
        (torch.eye(5)[2], (2,)),
        (torch.tensor([1, 0, 0, 1, 0]), (0, 3)),
        (np.array([False, True, True, False, False]), (1, 2)),
        ([0, 0, 0, 0, 0], ()),
        (["d", "a"], (0, 3)),
    ],
)
def test_a_label_may_name_several_classes_or_none(label: object, classes: tuple[int, ...]) -> None:
    (sample,) = samples([(PIXELS[0], label)])
    assert sample.labels == sample.label == classes
    assert sample.label_for(3) == (3 if 3 in classes else classes[0] if classes else None)


@pytest.mark.parametrize("label", [torch.tensor(1.0), torch.tensor([1.0]), 1.0, np.float32(1)])
def test_a_label_may_be_a_whole_number_of_any_type(label: object) -> None:
    assert [s.labels for s in samples([(PIXELS[0], label)])] == [(1,)]


def test_a_label_may_be_none() -> None:
    assert [s.label for s in samples([(PIXELS[0], None), (PIXELS[1],)])] == [None, None]


@pytest.mark.parametrize(
    ("label", "text"),
    [
        (
            0.5,
            r"got the label '0.5' \(float\); expected a class index, a class name, a row of zeros",
        ),
        (torch.tensor(1.5), r"got the label 'tensor\(1.5.*' \(Tensor\); expected a class index"),
        (torch.eye(5)[2] / 2, r"got the label 'tensor.* \(Tensor\); expected a class index"),
        (torch.eye(4)[2], "got a label of 4 zeros and ones; expected 5, one for each class;"),
        (
            {"id": 3},
            r"got the label .* \(dict\); expected .*; give \(image, label\), or the images",
        ),
        ("dog", r"unknown class 'dog'; expected one of 5 names"),
        ([1, 2], r"got the label '\[1, 2\]' \(list\); expected a class index"),
    ],
)
def test_what_is_no_label_is_an_error(label: object, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        samples([(PIXELS[0], label)])


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("photos/", r"got the text 'photos/' as data; expected a Dataset, .*; open it first"),
        (None, r"got NoneType as data; expected a Dataset, a DataLoader .*; wrap it in a list"),
        (3, r"got int as data; expected"),
    ],
)
def test_what_is_no_data_is_an_error(data: object, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        read(data)


def test_batches_of_labels_and_images_of_different_number_are_an_error() -> None:
    with pytest.raises(ValueError, match="got 7 images with 5 labels in one batch; expected a lab"):
        samples([(PIXELS, LABELS[:5])])


def test_an_empty_item_is_an_error() -> None:
    with pytest.raises(ValueError, match="got an empty tuple as an item; expected a Dataset"):
        samples([()])


@pytest.mark.parametrize(("size", "lengths"), [(1, [1] * 7), (3, [3, 3, 1]), (7, [7]), (9, [7])])
def test_batches_have_the_size_that_is_asked(size: int, lengths: list[int]) -> None:
    assert [len(b) for b in read(Numbered(), size=size)] == lengths


def test_images_of_another_size_begin_a_batch() -> None:
    data = [image(8)[0], image(8, 1)[0], image(12)[0], image(8, 2)[0]]
    assert [tuple(b.x.shape[::2]) for b in read(data)] == [(2, 8), (1, 12), (1, 8)]


@pytest.mark.parametrize("skip", [0, 2, 7, 9])
def test_images_that_are_done_are_passed_over(skip: int) -> None:
    assert [s.label for s in samples(Numbered(), skip=skip)] == LABELS.tolist()[skip:]


def test_no_data_give_no_batch() -> None:
    assert read([]) == []


def test_an_image_is_known_by_what_it_shows() -> None:
    twin, other = (Sample(x, None, True) for x in (image(8).clone(), image(8, 1)))
    assert Sample(image(8), 3, True).key == twin.key != other.key


def test_the_shape_is_part_of_what_identifies_an_image() -> None:
    flat = torch.zeros(1, 3, 8, 8)
    assert Sample(flat, None, True).key != Sample(flat.reshape(1, 3, 4, 16), None, True).key


@pytest.mark.parametrize(
    ("data", "count"),
    [(Numbered(), 7), (DataLoader(Numbered(), batch_size=3), 7), (PIXELS, 7), (iter([1]), None),
     (DataLoader(Flowing()), None), (Subset(Numbered(), [1, 2]), 2)],
)  # fmt: skip
def test_the_number_of_images_is_known_where_data_say_it(data: object, count: int | None) -> None:
    assert length_of(data) == count


ORDERS = {
    "shuffle": lambda: DataLoader(Numbered(), shuffle=True),
    "random sampler": lambda: DataLoader(Numbered(), sampler=RandomSampler(range(7))),
    "random subset": lambda: DataLoader(Numbered(), sampler=SubsetRandomSampler([1, 5])),
    "weighted": lambda: DataLoader(Numbered(), sampler=WeightedRandomSampler([1.0] * 7, 7)),
    "random batches": lambda: DataLoader(
        Numbered(), batch_sampler=BatchSampler(RandomSampler(range(7)), 2, False)
    ),
}


@pytest.mark.parametrize("order", ORDERS)
def test_a_loader_in_random_order_is_noticed(order: str) -> None:
    assert is_shuffled(ORDERS[order]())


@pytest.mark.parametrize(
    "data",
    [
        Numbered(), PIXELS, DataLoader(Numbered()), DataLoader(Flowing()),
        DataLoader(Numbered(), batch_size=None),
        DataLoader(Numbered(), batch_sampler=BatchSampler(SequentialSampler(range(7)), 2, False)),
    ],
)  # fmt: skip
def test_data_in_order_are_no_shuffled_ones(data: object) -> None:
    assert not is_shuffled(data)


class Noisy(Dataset):
    """Augments with every random generator there is."""

    def __len__(self) -> int:
        return 6

    def __getitem__(self, i: int) -> Tensor:
        noise = torch.rand(3, 8, 8) + random.random() + float(np.random.rand())  # noqa: NPY002
        return noise


def global_state() -> tuple[object, ...]:
    return np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002


NOISY = {
    "dataset": Noisy,
    "loader": lambda: DataLoader(Noisy(), batch_size=2),
    "shuffled loader": lambda: DataLoader(Noisy(), batch_size=2, shuffle=True),
    "workers": lambda: DataLoader(Noisy(), batch_size=2, shuffle=True, num_workers=2),
    "generator": lambda: (Noisy()[i] for i in range(6)),
}


@pytest.mark.parametrize("source", NOISY)
def test_data_that_draw_leave_the_global_random_state_as_it_was(source: str) -> None:
    data = NOISY[source]()
    before = global_state()
    for _ in batches(data, CLASSIFIER, size=2):
        assert global_state() == before
    assert global_state() == before


@pytest.mark.parametrize("source", NOISY)
def test_data_that_draw_draw_something_else_for_every_item(source: str) -> None:
    assert len({s.key for s in samples(NOISY[source]())}) == 6


def test_data_that_fail_leave_the_global_random_state_as_it_was() -> None:
    def failing() -> Iterator[Tensor]:
        yield torch.rand(3, 8, 8)
        torch.rand(3)
        raise OSError("the disk is gone")

    data = failing()
    before = global_state()
    with pytest.raises(OSError, match="the disk is gone"):
        read(data)
    assert global_state() == before


def test_reading_that_is_given_up_half_way_leaves_the_global_random_state_as_it_was() -> None:
    before = global_state()
    reading = batches(Noisy(), CLASSIFIER, size=2)
    next(reading)
    reading.close()
    assert global_state() == before


def test_pictures_go_through_the_transform_of_the_classifier() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    one, other = samples([(Image.fromarray(pixels), 1), (pixels, 1)])
    expected = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255
    assert torch.allclose(one.x, expected)
    assert torch.equal(one.x, other.x)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_images_come_in_the_precision_of_the_network(dtype) -> None:
    (batch,) = batches(PIXELS, Classifier(plain().to(dtype)), size=8)
    assert batch.x.dtype == dtype


PICTURE = np.random.default_rng(0).integers(0, 255, (8, 8, 3)).astype(np.uint8)
BY_NAME: dict[str, tuple[object, list[int]]] = {
    "hugging face": ([{"image": Image.fromarray(PICTURE), "label": i} for i in (1, 3)], [1, 3]),
    "processed": ([{"pixel_values": PIXELS[i], "labels": i} for i in (1, 3)], [1, 3]),
    "arrays": ([{"img": PICTURE, "target": np.int64(2)}], [2]),
    "collated": (
        DataLoader([{"image": PIXELS[i], "label": i} for i in range(3)], batch_size=2),
        [0, 1, 2],
    ),
    "a batch of one and a number": ([(PIXELS[:1], 4), (PIXELS[1:2], "c")], [4, 2]),
}


@pytest.mark.parametrize("kind", BY_NAME)
def test_images_and_labels_are_found_by_name(kind: str) -> None:
    data, labels = BY_NAME[kind]
    samples = [s for batch in batches(data, CLASSIFIER, size=4) for s in batch.samples]
    assert [sample.label for sample in samples] == labels
    assert all(sample.x.shape == (1, 3, 8, 8) for sample in samples)


def test_a_batch_of_one_keeps_its_row_of_zeros_and_ones() -> None:
    (batch,) = batches([(PIXELS[:1], torch.tensor([0, 1, 0, 1, 0]))], CLASSIFIER, size=4)
    assert batch.samples[0].label == (1, 3)


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        ([{"pixels": PICTURE}], TypeError, "got a dict of 'pixels' as an item"),
        ({"train": [], "test": []}, TypeError, "choose a split"),
        ([(PIXELS[:2], 1)], ValueError, "got 2 images with 1 labels"),
    ],
)
def test_data_without_an_image_for_each_label_are_refused(data, error, words: str) -> None:
    with pytest.raises(error, match=words):
        list(batches(data, CLASSIFIER, size=4))
