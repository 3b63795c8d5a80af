"""Maps of one class in many images: which images, whose class, and the very maps of `explain`."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

import hexplain_widgets as hx
from hexplain_widgets.evidence.store import load, save
from tests.networks import image, plain

DATA = [(image(16, seed)[0], seed % 3) for seed in range(7)]


@pytest.fixture(scope="module")
def chip() -> hx.Chip:
    return hx.Chip(layers=["7", "4"], gates_per_image=6).fit(plain(), DATA, progress=False)


def test_every_image_has_the_map_that_it_has_alone(chip) -> None:
    found = chip.class_heatmaps([x for x, _ in DATA], 2, "4", progress=False)
    assert (found.target, found.index, found.layer, found.method) == ("class 2", 2, "4", "CHIP")
    assert found.places.tolist() == list(range(7))
    for (x, _), one in zip(DATA, found.maps, strict=True):
        assert one == chip.explain(x, 2, "4")


def test_what_each_image_is_named_stands_beside_its_map(chip) -> None:
    found = chip.class_heatmaps([x for x, _ in DATA], 2, progress=False)
    logits = chip.classifier_.logits(torch.stack([x for x, _ in DATA]))
    assert [one.index for one in found.predictions] == logits.argmax(1).tolist()
    assert found.probabilities == pytest.approx(logits.double().softmax(1)[:, 2].numpy())
    assert found.named_so.tolist() == [one == 2 for one in logits.argmax(1).tolist()]


def test_without_a_class_it_is_what_most_images_are_named(chip) -> None:
    found = chip.class_heatmaps([x for x, _ in DATA], progress=False)
    named = [one.index for one in found.predictions]
    assert named.count(found.index) == max(named.count(c) for c in set(named))


def test_of_labelled_images_those_of_the_class_are_taken(chip) -> None:
    found = chip.class_heatmaps(DataLoader(DATA, batch_size=3), 1, progress=False)
    assert found.places.tolist() == [1, 4]
    assert "5 images with another label are not shown." in found.notes
    with pytest.raises(ValueError, match=r"got no image of the class \(7 of other classes\)"):
        chip.class_heatmaps(DATA, 4, progress=False)


def test_no_more_are_shown_than_asked_for_and_that_is_said(chip) -> None:
    found = chip.class_heatmaps([x for x, _ in DATA], 0, most=3, progress=False)
    assert found.places.tolist() == [0, 1, 2]
    assert found.notes[-1] == "The first 3 images are shown, and there are more (most=)."
    every = chip.class_heatmaps([x for x, _ in DATA], 0, most=7, progress=False)
    assert not any("there are more" in note for note in every.notes)


def test_what_is_stopped_keeps_the_maps_so_far(chip) -> None:
    chip.importance()
    found = chip.class_heatmaps([x for x, _ in DATA], 0, progress=False, stopped=lambda: True)
    assert (len(found.maps), found.notes[-1]) == (1, "Stopped after 1 image.")


def test_an_interrupt_in_a_map_keeps_those_before(
    chip: hx.Chip, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([True, True, False])
    look = chip._look

    def interrupted(image: object) -> object:
        if not next(looks):
            raise KeyboardInterrupt
        return look(image)

    monkeypatch.setattr(chip, "_look", interrupted)
    found = chip.class_heatmaps([x for x, _ in DATA], 0, progress=False)
    assert found.places.tolist() == [0, 1]
    assert any("Interrupted" in note for note in found.notes)


def test_methods_are_called_in_other_words_too(chip: hx.Chip) -> None:
    found = chip.class_heatmaps([DATA[0][0]], 0, method="gradcam", progress=False)
    assert found.method == "Grad-CAM"


def test_images_of_several_sizes_stand_on_one_sheet(chip) -> None:
    images = [Image.new("RGB", size, "teal") for size in ((16, 16), (24, 16))]
    found = chip.class_heatmaps(images, 0, progress=False)
    assert len({one.image.shape for one in found.maps}) >= 1


def test_nothing_at_all_is_refused(chip) -> None:
    with pytest.raises(ValueError, match=r"got no image .0 of other classes.; expected at least"):
        chip.class_heatmaps([], progress=False)


def test_sheets_are_saved_and_opened(chip, tmp_path) -> None:
    found = chip.class_heatmaps([x for x, _ in DATA[:2]], 0, method="Grad-CAM", progress=False)
    assert load(save(found, tmp_path / "s.hx")) == found
