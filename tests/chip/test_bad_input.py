"""CHIP and bad input: what came, what was expected, what to do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

import hexplain_widgets as hx
from hexplain_widgets.chip.engine import Chip
from hexplain_widgets.chip.statistics import ResponseStatistics
from hexplain_widgets.fitting.states import load_state, save_state
from tests.networks import DataDependent, image, plain, seeded

IMAGES = [(image(16, seed)[0], seed % 3) for seed in range(6)]
SETTINGS = {"layers": ["7", "4"], "gates_per_image": 8, "sparsity": 0.01}


def fitted(data: object = IMAGES, model: nn.Module | None = None, **settings) -> Chip:
    return Chip(**{**SETTINGS, **settings}).fit(model or plain(), data, progress=False)


@pytest.fixture(scope="module")
def chip() -> Chip:
    classes = ["oak", "elm", "ash", "fir", "yew"]
    return fitted(model=hx.Classifier(plain(), classes=classes))


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"gates_per_image": 1}, r"got gates_per_image=1; expected at least 2, .*; the paper's is"),
        (
            {"sparsity": 0},
            r"got sparsity=0; expected a fraction above 0 and at most 1 .*; the defa",
        ),
        ({"sparsity": 1.5}, r"got sparsity=1\.5; expected a fraction above 0"),
        ({"sparsity": float("nan")}, r"got sparsity=nan; expected a fraction above 0"),
        ({"score": "softmax"}, r"got score='softmax'; expected 'logit', 'probability', 'log-pro"),
        ({"weighting": "fair"}, r"got weighting='fair'; expected 'equal', 'loyal'; choose one"),
        ({"memory": 0}, r"got memory=0; expected bytes; try 2 \* 2\*\*30"),
    ],
)
def test_settings_out_of_range_are_errors(settings: dict, text: str, unchecked) -> None:
    with pytest.raises(ValueError, match=text):
        Chip(**settings)


def test_an_unknown_layer_is_an_error_that_lists_the_nearest() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk = plain()[:8]
            self.head = plain()[8:]

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.trunk(x))

    with pytest.raises(ValueError, match=r"got the unknown layer 'trunc'; .* nearest\s+are 'trunk"):
        fitted(model=Named(), layers=["trunc"])


def test_a_layer_without_extent_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"layer '10' gives \(1, 5\), without spatial extent"):
        fitted(layers=["10"])


@pytest.mark.parametrize("data", [[], DataLoader([], batch_size=2), torch.zeros(0, 3, 8, 8)])
def test_no_images_are_an_error(data: object) -> None:
    with pytest.raises(ValueError, match=r"got data without a single image; expected at least one"):
        fitted(data)


@pytest.mark.parametrize("data", ["photos", None, 7])
def test_what_is_no_data_is_an_error(data: object) -> None:
    with pytest.raises(TypeError, match=r"as data; expected a Dataset, a DataLoader or an iterab"):
        Chip(**SETTINGS).fit(plain(), data, progress=False)


@pytest.mark.parametrize("model", [None, "resnet", dict()])  # noqa: C408
def test_what_is_no_model_is_an_error(model: object, unchecked) -> None:
    with pytest.raises(
        TypeError, match=r"as a model; expected a torch\.nn\.Module or a Classifier"
    ):
        Chip(**SETTINGS).fit(model, IMAGES, progress=False)


@pytest.mark.parametrize("label", [5, -1])
def test_a_label_beyond_the_classes_is_an_error(label: int) -> None:
    with pytest.raises(
        ValueError, match=rf"got the label {label}; expected a class index from 0 t"
    ):
        fitted([(IMAGES[0][0], 1), (IMAGES[1][0], label)])


@pytest.mark.parametrize("label", ["oak", 1.5, torch.eye(5)[1] / 2])
def test_a_label_of_the_wrong_kind_is_an_error(label: object) -> None:
    with pytest.raises(ValueError, match=r"got the (label|class name)"):
        fitted([(IMAGES[0][0], label)])


@pytest.mark.parametrize("data", [[(IMAGES[0][0], 9)], [(IMAGES[0][0] * torch.nan, 1)]])
def test_a_fit_that_failed_at_once_has_seen_no_data(data: list) -> None:
    chip = Chip(**SETTINGS)
    with pytest.raises(ValueError, match=r"got the label 9|NaN or infinite"):
        chip.fit(plain(), data, progress=False)
    with pytest.raises(ValueError, match="this Chip has not seen any data"):
        chip.importance()
    assert "images" not in repr(chip) or "0 images" in repr(chip)


@pytest.mark.parametrize("ask", ["importance", "matrix", "save", "merge", "overlap", "refit"])
def test_a_chip_that_was_not_fitted_says_so(ask: str, tmp_path) -> None:
    asked = {
        "save": lambda c: c.save(tmp_path / "chip.hx"), "merge": lambda c: c.merge(c),
        "overlap": lambda c: c.overlap([0, 1]), "refit": lambda c: c.refit(sparsity=0.1),
    }.get(ask, lambda c: getattr(c, ask)())  # fmt: skip
    with pytest.raises(
        ValueError, match=r"not seen any data; .*; call\s+chip\.fit\(classifier, da"
    ):
        asked(Chip())


def test_nan_weights_are_an_error_that_names_them() -> None:
    model = plain()
    model[3].weight.data[0] = torch.nan
    with pytest.raises(ValueError, match=r"weights 3\.weight are not finite"):
        fitted(model=model)


class Dividing(nn.Module):
    """Divides by what comes out of the first channels: nothing, when they are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
        seeded(self)
        self.maps[0].bias.data += 1
        self.head = seeded(nn.Linear(4, 3))

    def forward(self, x: Tensor) -> Tensor:
        z = self.maps(x).mean((2, 3))
        return self.head(z / z[:, :1])


@pytest.mark.parametrize("score", ["logit", "probability"])
def test_nan_behind_closed_channels_is_an_error_that_names_the_layer(score: str) -> None:
    text = r"the layer maps with closed channels leads to NaN or infinite values; expected finite"
    with pytest.raises(ValueError, match=text):
        fitted(model=Dividing(), layers=["maps"], score=score)


def test_images_that_are_not_finite_are_an_error() -> None:
    data = [*IMAGES, (torch.full((3, 16, 16), torch.inf), 0)]
    with pytest.raises(ValueError, match="NaN or infinite"):
        fitted(data)


def test_images_of_other_channels_are_an_error() -> None:
    with pytest.raises(ValueError, match="got an image of 1 channel; Sequential expects 3"):
        fitted([torch.rand(1, 16, 16)])


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"model": plain(seed=1)}, "network, by the hash of its weights"),
        ({"layers": ["7", "1"]}, "choice of layers"),
        ({"layers": ["7"]}, "choice of layers"),
        ({"score": "probability"}, r"score \(probability\); the same was expected \(logit\)"),
        ({"weighting": "loyal"}, "weighting"),
    ],
)
def test_statistics_that_do_not_belong_together_are_not_merged(chip, other, what) -> None:
    before = chip.importance().copy()
    with pytest.raises(ValueError, match=rf"got statistics of another {what}.*; merge\s+only what"):
        chip.merge(fitted(**other))
    assert np.array_equal(chip.importance(), before)


def test_one_changed_weight_is_another_network(chip) -> None:
    model = plain()
    model[0].weight.data[0, 0, 0, 0] += 1e-3
    with pytest.raises(ValueError, match="another network, by the hash of its weights"):
        chip.merge(fitted(model=model))


def test_going_on_with_another_network_is_refused_and_changes_nothing() -> None:
    chip = fitted()
    before = chip.explain(IMAGES[0][0], 1)
    for data in (IMAGES, IMAGES * 2):
        with pytest.raises(ValueError, match="another network, by the hash of its weights"):
            chip.fit(plain(seed=1), data, resume=True, progress=False)
    assert chip.explain(IMAGES[0][0], 1) == before


def test_a_checkpoint_of_another_network_is_refused(tmp_path) -> None:
    path = fitted(model=plain(seed=1)).save(tmp_path / "checkpoint.hx")
    with pytest.raises(ValueError, match="another network, by the hash of its weights"):
        Chip(**SETTINGS).fit(plain(), IMAGES, resume=True, checkpoint=path, progress=False)


@pytest.mark.parametrize(("name", "value"), [("seed", 7), ("gates_per_image", 5)])
def test_a_checkpoint_of_other_gates_is_refused(chip, tmp_path, name: str, value: int) -> None:
    path = chip.save(tmp_path / "checkpoint.hx")
    other = Chip(**{**SETTINGS, name: value})
    with pytest.raises(ValueError, match=rf"got a checkpoint with {name}=.* at {name}={value}"):
        other.fit(plain(), IMAGES, resume=True, checkpoint=path, progress=False)


def test_going_on_with_a_shuffled_loader_is_refused() -> None:
    chip = fitted(IMAGES[:4])
    loader = DataLoader(IMAGES, shuffle=True)
    with pytest.raises(ValueError, match=r"got a shuffled loader to go on with; .* shuffle=False"):
        chip.fit(plain(), loader, resume=True, progress=False)
    assert chip.images_ == 4


@pytest.mark.parametrize("target", ["oka", 5, -1])
def test_an_unknown_class_is_an_error(chip, target) -> None:
    error, text = (
        (ValueError, r"'oka'; expected .*; +the nearest are 'oak'")
        if target == "oka"
        else (IndexError, rf"got class {target}; expected an index from 0 to 4; see")
    )
    with pytest.raises(error, match=text):
        chip.explain(IMAGES[0][0], target)
    with pytest.raises(error, match=text):
        chip.matrix([target])


@pytest.mark.parametrize("ask", ["importance", "matrix", "explain"])
def test_a_layer_that_was_not_fitted_is_an_error(chip, ask: str) -> None:
    arguments = (IMAGES[0][0],) if ask == "explain" else ()
    with pytest.raises(
        ValueError, match=r"got the layer '1', which was not fitted; expected one of"
    ):
        getattr(chip, ask)(*arguments, layer="1")


def test_a_channel_beyond_the_layer_is_an_error(chip) -> None:
    with pytest.raises(IndexError, match=r"got channel 16 of 7; expected 0 to 15; see"):
        chip.portraits([16])


@pytest.mark.parametrize("classes", [[], "oak"])
def test_classes_are_a_list(chip, classes) -> None:
    with pytest.raises(ValueError, match=r"expected a list of at least one name or index"):
        chip.overlap(classes)


@pytest.mark.parametrize("settings", [{"top": 0}, {"threshold": 1.0}, {"top": None}])
def test_an_overlap_needs_a_number_or_a_fraction(chip, settings: dict) -> None:
    with pytest.raises(ValueError, match=r"got (top|threshold)=.*; expected"):
        chip.overlap(["oak", "elm"], **settings)


@pytest.mark.parametrize("ask", ["explain", "guide", "localize", "heatmaps", "overlap"])
def test_where_no_channel_is_important_a_sparsity_is_named(chip, ask: str) -> None:
    bare = chip.refit(sparsity=1.0)
    arguments = (["oak", "elm"],) if ask == "overlap" else (IMAGES[0][0],)
    with pytest.raises(ValueError, match=r"no channel of 7 is important .*try chip\.refit\(spars"):
        getattr(bare, ask)(*arguments)


def test_the_sparsity_that_is_named_leaves_channels(chip) -> None:
    assert chip.refit(sparsity=0.33).importance().any(1).all()


def test_a_score_that_no_channel_moves_is_said_to_be_so() -> None:
    model = plain()
    model[-1].weight.data[2] = 0
    chip = fitted(model=model)
    with pytest.raises(ValueError, match=r"no sparsity would: closing channels never changed its"):
        chip.explain(IMAGES[0][0], 2)
    assert "no channel is left" in chip.matrix().flags["class 2"]


def test_a_class_never_labelled_nor_predicted_is_fitted_and_flagged() -> None:
    model = plain()
    model[-1].bias.data[:] = torch.tensor([9.0, 9.0, 9.0, -99.0, -99.0])
    data = [(x, 4) for x, _ in IMAGES]
    found = fitted(data, model).matrix()
    assert "never labelled nor predicted" in found.flags["class 3"]
    assert "never labelled" not in found.flags.get("class 4", "")
    assert found.values[3].any()


def test_loading_without_the_network_still_shows_importance(chip, tmp_path) -> None:
    loaded = Chip.load(chip.save(tmp_path / "chip.hx"))
    assert loaded.classifier_ is None
    assert loaded.refit(sparsity=0.1).overlap(["oak", "elm"]).classes == ("oak", "elm")
    for ask in ("explain", "refine", "guide", "localize", "heatmaps"):
        with pytest.raises(ValueError, match=r"loaded without its network; .*chip\.on\(model\)"):
            getattr(loaded, ask)(IMAGES[0][0])


def test_loading_with_another_network_is_refused(chip, tmp_path) -> None:
    path = chip.save(tmp_path / "chip.hx")
    with pytest.raises(ValueError, match="another network, by the hash of its weights"):
        Chip.load(path, plain(seed=1))


@pytest.mark.parametrize("part", ["labelled", "0.moments.gram", "1.exemplars.files"])
def test_a_checkpoint_without_a_part_is_refused(chip, tmp_path, part: str) -> None:
    settings, arrays = load_state(chip.save(tmp_path / "chip.hx"), ResponseStatistics.KIND)
    del arrays[part]
    path = save_state(tmp_path / "less.hx", ResponseStatistics.KIND, settings, arrays.items())
    with pytest.raises(ValueError, match=r"cannot take up saved statistics: .*; take another copy"):
        Chip.load(path)


@pytest.mark.parametrize("settings", [{"engine": {}}, {"engine": 3}, {"engine": {"seed": "x"}}])
def test_a_checkpoint_without_its_settings_is_refused(chip, tmp_path, settings: dict) -> None:
    own, arrays = load_state(chip.save(tmp_path / "chip.hx"), ResponseStatistics.KIND)
    path = save_state(
        tmp_path / "less.hx", ResponseStatistics.KIND, {**own, **settings}, arrays.items()
    )
    with pytest.raises(ValueError, match=r"its settings are not a Chip's .*; take another copy"):
        Chip.load(path)


def test_a_checkpoint_cut_short_is_refused_and_left_alone(chip, tmp_path) -> None:
    path = chip.save(tmp_path / "checkpoint.hx")
    cut = path.read_bytes()[:-100]
    path.write_bytes(cut)
    with pytest.raises(ValueError, match=r"checkpoint\.hx: it is damaged, cut short"):
        Chip(**SETTINGS).fit(plain(), IMAGES, resume=True, checkpoint=path, progress=False)
    assert path.read_bytes() == cut


def test_an_evidence_file_is_no_chip(chip, tmp_path) -> None:
    hx.save(chip.matrix(), tmp_path / "matrix.hx")
    with pytest.raises(ValueError, match=r"cannot load .*matrix\.hx"):
        Chip.load(tmp_path / "matrix.hx")


@pytest.mark.parametrize("layer", ["relu", "mul"])
def test_a_function_of_a_network_that_cannot_be_traced_is_no_layer(layer: str) -> None:
    with pytest.raises(ValueError, match=f"got the unknown layer '{layer}'"):
        fitted(model=DataDependent(), layers=[layer])
