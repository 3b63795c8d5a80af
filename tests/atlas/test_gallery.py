"""The filters of a planted network: what is found of them, and what is said of the data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from hexplain_widgets.atlas.gallery import FilterGallery
from hexplain_widgets.atlas.maps import in_thumbnail
from hexplain_widgets.data.concept_sets import LabelledPicture
from hexplain_widgets.evidence import FilterSheet
from hexplain_widgets.evidence.store import load, save
from hexplain_widgets.fitting.exemplars import EACH, SIDE
from hexplain_widgets.provenance import fingerprint
from tests.planted_filters import LAYER, NETWORK_FILTERS, PARTS, SILENT, Patches, network
from tests.reference import filters as literal


def sheet_of(data: object, **settings: object) -> FilterSheet:
    parts = settings.pop("parts", None)
    gallery = FilterGallery(LAYER, **settings)  # type: ignore[arg-type]
    return gallery.fit(network(), data, parts=parts, progress=False).sheet()


@pytest.fixture(scope="module")
def sheet() -> FilterSheet:
    return sheet_of(Patches())


def test_a_filter_that_fires_exactly_on_a_part_overlaps_it_wholly(sheet: FilterSheet) -> None:
    assert sheet.iou is not None
    np.testing.assert_allclose(sheet.iou[:3], np.eye(3), atol=1e-6)


def test_such_filters_are_suggested_their_parts(sheet: FilterSheet) -> None:
    assert sheet.parts == PARTS
    found = {k: part for k, (part, _) in sheet.suggestions().items()}
    assert found == {0: "red", 1: "green", 2: "blue"}


def test_chance_would_give_them_none(sheet: FilterSheet) -> None:
    assert sheet.by_chance == 0


class Still(Patches):
    """The same square in every image, always the same part, in another color."""

    def __getitem__(self, i: int) -> LabelledPicture:
        item = super().__getitem__(i)
        back = (-8 * (i % 6), -i)
        labels = np.roll(item.masks["part"][0], back, (0, 1)) > 0
        pixels = np.roll(np.array(item.image), back, (0, 1))
        return LabelledPicture(
            item.key, Image.fromarray(pixels), {"part": [labels.astype(np.int32)]}
        )


def test_where_the_part_is_always_at_one_place_chance_would_give_it_too() -> None:
    found = sheet_of(Still())
    assert found.iou is not None
    np.testing.assert_allclose(found.chance, found.iou.max(1))
    assert found.by_chance == 0.75


def test_the_strongest_images_of_a_filter_hold_its_part(sheet: FilterSheet) -> None:
    red = sheet.portraits[0]
    assert red.images.shape == (EACH, SIDE, SIDE, 3)
    assert red.values.tolist() == [1, 1, 0, 0]
    inside = red.images[0][red.masks[0]].mean(0)
    assert inside[0] > 200 > 60 > inside[1]


def test_a_mask_is_the_map_at_the_pixels_of_the_thumbnail() -> None:
    own = np.random.default_rng(0).normal(size=(6, 6)).astype(np.float32)
    found = in_thumbnail(own, (32, 32))
    np.testing.assert_allclose(found, literal.finer(own, SIDE), atol=1e-6)


def test_a_mask_of_a_wide_image_is_cut_from_the_middle() -> None:
    own = np.zeros((4, 8), np.float32)
    own[:, 2:6] = 1
    assert (in_thumbnail(own, (32, 64))[:, 6:-6] > 0.5).all()


def test_a_filter_that_never_fires_has_no_portrait_and_is_counted(sheet: FilterSheet) -> None:
    assert len(sheet.portraits[SILENT].images) == 0
    assert "1 filter never fires: one value at all places of all images." in sheet.notes
    assert SILENT not in sheet.suggestions()


def test_every_filter_has_its_place(sheet: FilterSheet) -> None:
    assert [one.filter for one in sheet.portraits] == list(range(NETWORK_FILTERS))
    assert sheet.layer.name == LAYER


def test_the_order_of_the_data_does_not_matter(sheet: FilterSheet) -> None:
    class Backwards(Patches):
        def __iter__(self):
            return (self[i] for i in reversed(range(self.count)))

    assert sheet_of(Backwards()) == sheet


def test_a_saved_sheet_comes_back_equal(sheet: FilterSheet, tmp_path: Path) -> None:
    assert load(save(sheet, tmp_path / "sheet.hx")) == sheet


def test_the_network_is_named_by_the_hash_of_its_weights() -> None:
    clf = network()
    gallery = FilterGallery(LAYER).fit(clf, Patches(), progress=False)
    assert gallery.sheet().provenance.settings["network"] == fingerprint(clf.model)


def test_images_without_labels_have_filters_without_suggestions() -> None:
    found = sheet_of([item.image for item in Patches()])
    assert (found.parts, found.iou, found.chance) == ((), None, None)
    assert found.suggestions() == {}
    assert len(found.portraits[0].images) == EACH


def test_parts_can_be_labelled_on_other_images(sheet: FilterSheet) -> None:
    found = sheet_of([item.image for item in Patches()], parts=Patches(12))
    assert {k: part for k, (part, _) in found.suggestions().items()} == {
        0: "red", 1: "green", 2: "blue",
    }  # fmt: skip
    assert found.provenance.settings["labelled"] == 12
    assert found.images == 6


def test_images_labelled_at_another_level_are_said_to_suggest_nothing() -> None:
    found = sheet_of(Patches(level="object"))
    assert found.iou is None
    assert any("labelled with object, not with a part" in note for note in found.notes)


def test_a_concept_set_without_the_level_is_refused() -> None:
    with pytest.raises(ValueError, match="the levels object; expected one with the level 'part'"):
        sheet_of([], parts=Patches(level="object"))


def test_another_level_can_be_asked_for() -> None:
    found = sheet_of(Patches(level="object"), level="object")
    assert found.parts == ("patch",)


def test_an_interrupt_keeps_what_was_gathered() -> None:
    gallery = FilterGallery(LAYER)
    with pytest.raises(KeyboardInterrupt):
        gallery.fit(network(), Patches(20, stop=17), progress=False)
    found = gallery.sheet()
    assert found.images == 16
    assert "16 of 20 images" in found.notes[0]
    assert found.suggestions()[0][0] == "red"


def test_an_interrupt_among_the_labelled_images_keeps_those_before_it() -> None:
    gallery = FilterGallery(LAYER)
    images = [item.image for item in Patches()]
    with pytest.raises(KeyboardInterrupt):
        gallery.fit(network(), images, parts=Patches(20, stop=17), progress=False)
    found = gallery.sheet()
    assert "16 labelled images" in found.notes[0]
    assert found.suggestions()[0][0] == "red"


def test_where_memory_is_short_thresholds_are_those_of_a_sample() -> None:
    found = sheet_of(Patches(12), memory=4 * NETWORK_FILTERS * 56 * 56 * 5)
    assert any("Thresholds are those of" in note for note in found.notes)
    assert found.images == 12


def test_the_model_is_handed_back_as_it_came() -> None:
    clf = network()
    clf.model.train()
    before = {n: p.clone() for n, p in clf.model.state_dict().items()}
    FilterGallery(LAYER).fit(clf, Patches(), progress=False)
    assert all(m.training for m in clf.model.modules())
    assert all(torch.equal(p, before[n]) for n, p in clf.model.state_dict().items())
    assert not [m for m in clf.model.modules() if m._forward_hooks]


def test_the_last_stage_is_taken_without_a_layer() -> None:
    found = FilterGallery().fit(network(), Patches(), progress=False)
    assert found.layer_.shape[0] == NETWORK_FILTERS


def test_data_without_an_image_are_refused() -> None:
    with pytest.raises(ValueError, match="got data without a single image; expected at least one"):
        sheet_of([])


def test_an_unknown_layer_is_refused() -> None:
    with pytest.raises(ValueError, match="got the unknown layer 'nowhere'; expected one that"):
        FilterGallery("nowhere").fit(network(), Patches(), progress=False)


def test_before_the_first_image_there_is_no_sheet() -> None:
    with pytest.raises(ValueError, match="has seen no image; expected one that is fitted"):
        FilterGallery().sheet()


@pytest.mark.parametrize("setting", [{"quantile": 1.0}, {"least": 0.0}, {"memory": 0}])
def test_settings_out_of_range_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"got {next(iter(setting))}="):
        FilterGallery(**setting)  # type: ignore[arg-type]


def test_values_that_are_not_finite_are_refused_with_their_layer() -> None:
    clf = network()
    first = clf.model[0]  # type: ignore[index]
    assert isinstance(first, nn.Conv2d)
    first.weight.data[0] = torch.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        FilterGallery(LAYER).fit(clf, Patches(), progress=False)
