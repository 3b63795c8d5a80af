"""What a network's scores mean: explained before the closing squash, shown as probabilities."""

from __future__ import annotations

import warnings
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import hexplain_widgets as hx
from hexplain_widgets.data.samples import batches
from tests.networks import image, plain

NAMES = ["square", "disk", "cross"]
# The channels' means of `PICTURE` behind `weights` are (3, 1), so that the logits are these.
LOGITS = torch.tensor([5.0, 4.0, -1.0])
CHANCES = LOGITS.softmax(0)
PICTURE = torch.tensor([3.0, 1.0])[:, None, None].expand(2, 4, 4).clone()
WEIGHTS = torch.tensor([[1.0, 2.0], [1.0, 1.0], [-1.0, 2.0]])


class Ending(nn.Module):
    """Two channels, their means, linear scores, and whatever follows."""

    def __init__(self, end: Callable[[Tensor], Any], weights: Tensor = WEIGHTS) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 1, bias=False)
        self.conv.weight.data = torch.eye(2)[:, :, None, None]
        self.act = nn.ReLU()
        self.fc = nn.Linear(2, len(weights), bias=False)
        self.fc.weight.data = weights
        self.end = end
        self.eval()

    def forward(self, x: Tensor) -> Any:
        return self.end(self.fc(self.act(self.conv(x)).mean((2, 3))))


class Opaque(Ending):
    """The same, with a branch on data that no graph holds."""

    def forward(self, x: Tensor) -> Any:
        return super().forward(x) if float(x.sum()) > -1e9 else x


def scores(end: Callable[[Tensor], Any], kind: type[Ending] = Ending, **said: Any) -> hx.Classifier:
    said = {"classes": NAMES, **said}
    return hx.Classifier(kind(end), **said)


def taken_apart(model: Any, x: Tensor, target: Any = None) -> hx.Decomposition:
    # Both channels' maps are flat: they would be merged.
    return hx.decompose(model, x, target, layers=["act"], merge_iou=1.0)


def close(expected: Any) -> Any:
    return pytest.approx(expected, rel=1e-4)


def hidden_softmax(z: Tensor) -> Tensor:
    return z.softmax(1)


with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)
    HIDDEN_SOFTMAX = torch.jit.script(hidden_softmax)


def exponentials(z: Tensor) -> Tensor:
    return z.exp() / z.exp().sum(1, keepdim=True)


def leaves(tree: hx.Decomposition) -> dict[int, float]:
    """What each channel adds: its mean over the map of 4 x 4 cells, summed."""
    return {node.channel: 16 * node.contribution for node in tree.root.children}


SOFTMAXES: dict[str, Callable[[Tensor], Tensor]] = {
    "module": nn.Softmax(1),
    "nested module": nn.Sequential(nn.Identity(), nn.Sequential(nn.Softmax(-1))),
    "log module": nn.LogSoftmax(1),
    "function": lambda z: F.softmax(z, dim=1),
    "torch": lambda z: torch.softmax(z, -1),
    "method": lambda z: z.log_softmax(1),
    "special": lambda z: torch.special.log_softmax(z, 1),
    "logarithm": lambda z: torch.log(z.softmax(1)),
    "exponential": lambda z: F.log_softmax(z, 1).exp(),
    "convolutional": lambda z: nn.Softmax2d()(z[:, :, None, None]).flatten(1),
    "copied": lambda z: z.softmax(1).clone().contiguous(),
    "without its batch": lambda z: z.softmax(1).squeeze(),
}


@pytest.mark.parametrize("kind", [Ending, Opaque])
@pytest.mark.parametrize("end", SOFTMAXES.values(), ids=SOFTMAXES)
def test_a_closing_softmax_is_cut_off(end: Callable[[Tensor], Tensor], kind: type[Ending]) -> None:
    classifier = scores(end, kind)
    tree = taken_apart(classifier, PICTURE)
    assert tree.target.logit == pytest.approx(5)
    assert tree.target.probability == pytest.approx(float(CHANCES[0]), rel=1e-6)
    # Each channel's mean times its weight: 3 * 1 and 1 * 2.
    assert leaves(tree) == close({0: 3.0, 1: 2.0})
    assert any("softmax: explained are the logits before it" in note for note in tree.notes)
    assert classifier.logits(PICTURE[None])[0].tolist() == pytest.approx(LOGITS.tolist())


UNSEEN: dict[str, Callable[[Tensor], Tensor]] = {
    "written out": exponentials,
    "smoothed": lambda z: (z.softmax(1) + z.softmax(1)) / 2,
    "logarithm written out": lambda z: z - z.exp().sum(1, keepdim=True).log(),
    "script": HIDDEN_SOFTMAX,
}


@pytest.mark.parametrize("kind", [Ending, Opaque])
@pytest.mark.parametrize("end", UNSEEN.values(), ids=UNSEEN)
def test_of_an_unseen_softmax_the_logarithm_is_explained(
    end: Callable[[Tensor], Tensor], kind: type[Ending]
) -> None:
    tree = taken_apart(scores(end, kind), PICTURE)
    assert tree.target.probability == pytest.approx(float(CHANCES[0]), rel=1e-5)
    assert tree.target.logit == pytest.approx(float(CHANCES[0].log()), rel=1e-4)
    assert any("cannot be cut off" in note for note in tree.notes)
    # d log p_0 = dz_0 - sum_j p_j dz_j, times each channel's mean.
    means = torch.tensor([3.0, 1.0])
    exact = means * (WEIGHTS[0] - CHANCES @ WEIGHTS)
    speaking = {k: float(v) for k, v in enumerate(exact) if v > 0}
    assert leaves(tree) == pytest.approx(speaking, rel=1e-3)


SIGMOIDS: dict[str, Callable[[Tensor], Tensor]] = {
    "module": nn.Sigmoid(),
    "function": torch.sigmoid,
    "in place": torch.sigmoid_,
    "method": lambda z: z.sigmoid(),
    "special": torch.special.expit,
    "log": F.logsigmoid,
}


@pytest.mark.parametrize("kind", [Ending, Opaque])
@pytest.mark.parametrize("end", SIGMOIDS.values(), ids=SIGMOIDS)
def test_a_closing_sigmoid_is_cut_off_and_shown(
    end: Callable[[Tensor], Tensor], kind: type[Ending]
) -> None:
    tree = taken_apart(scores(end, kind), PICTURE, "disk")
    assert tree.target.logit == pytest.approx(4)
    assert tree.target.probability == pytest.approx(float(torch.tensor(4.0).sigmoid()))
    assert leaves(tree) == close({0: 3.0, 1: 1.0})


def test_of_an_unseen_sigmoid_the_logit_is_explained() -> None:
    tree = taken_apart(scores(lambda z: 1 / (1 + torch.exp(-z))), PICTURE, "disk")
    assert tree.target.logit == pytest.approx(4, rel=1e-4)
    assert leaves(tree) == close({0: 3.0, 1: 1.0})
    assert any("sigmoid cannot be cut off" in note for note in tree.notes)


def test_logits_are_left_alone_whatever_ran_before() -> None:
    gated = Ending(lambda z: z * torch.sigmoid(z) / torch.sigmoid(z))
    tree = taken_apart(gated, PICTURE)
    assert tree.target.logit == pytest.approx(5)
    assert not any("explained" in note for note in tree.notes)


def test_a_probability_that_was_changed_in_place_is_not_cut_off() -> None:
    tree = taken_apart(scores(lambda z: z.softmax(1).clone().mul_(0.5).add_(1 / 6)), PICTURE)
    assert tree.target.probability == pytest.approx(float(CHANCES[0] / 2 + 1 / 6), rel=1e-5)


def test_logits_between_0_and_1_are_logits_and_said_to_be() -> None:
    small = Ending(lambda z: z / 100 + 0.3)
    tree = taken_apart(small, PICTURE)
    assert tree.target.logit == pytest.approx(0.35)


@pytest.mark.parametrize(
    "end", [lambda z: exponentials(z * 100), lambda z: 1 / (1 + torch.exp(-z * 100))]
)
def test_saturated_probabilities_are_refused(end: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(
        ValueError, match=r"exactly 0 or 1 for class.*saturated in float32.*return its logits"
    ):
        taken_apart(scores(end, scores="probabilities"), PICTURE / 4)


def test_small_scores_that_are_never_negative_are_no_probabilities() -> None:
    tree = taken_apart(scores(lambda z: (z / 100).abs()), PICTURE)
    assert (tree.target.name, tree.target.logit) == ("square", pytest.approx(0.05))


def test_a_saturated_softmax_that_is_cut_off_is_explained() -> None:
    tree = taken_apart(scores(lambda z: (z * 100).softmax(1)), PICTURE)
    assert (tree.target.logit, tree.target.probability) == (pytest.approx(500), 1.0)


@pytest.mark.parametrize(
    ("end", "said", "text"),
    [
        (lambda z: z.softmax(0), {}, r"over the images of a batch \(dim=0\); expected"),
        (lambda z: z[:, :1].softmax(1), {}, "softmax over a single output"),
        (lambda z: z[:, :1].tanh(), {}, r"one output, which ends in tanh.*scores=\"binary\""),
        (lambda z: z, {"scores": "probabilities"}, r"returns -1 to 5.*expected 0 to 1;"),
        (lambda z: z, {"scores": "log_probabilities"}, "expected numbers up to 0;"),
        (lambda z: z, {"scores": "binary"}, r"returns 3 scores, and scores=.*expected one;"),
        (lambda z: z.softmax(1), {"scores": "multilabel"}, "ends in a softmax, and scores="),
        (lambda z: z[:, :1], {"scores": "logits"}, "returns one score; expected one of each class"),
        (lambda z: z, {"scores": "sigmoid"}, "got scores='sigmoid'; expected one of 'logits'"),
    ],
)  # fmt: skip
def test_scores_that_cannot_be_known_are_asked_for(end: Any, said: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        taken_apart(scores(end, classes=None, **said), PICTURE)


# one output


ONE = torch.tensor([[1.0, -2.0]])  # the logit is 3 - 2 = 1
SINGLE: dict[str, Callable[[Tensor], Tensor]] = {
    "logit": lambda z: z,
    "vector": lambda z: z[:, 0],
    "squeezed": lambda z: z.squeeze(),
    "sigmoid": nn.Sigmoid(),
    "sigmoid of a vector": lambda z: torch.sigmoid(z).squeeze(1),
    "unseen sigmoid": lambda z: 1 / (1 + torch.exp(-z)),
}


@pytest.mark.parametrize("kind", [Ending, Opaque])
@pytest.mark.parametrize("end", SINGLE.values(), ids=SINGLE)
def test_one_output_decides_between_two_classes(end: Any, kind: type[Ending]) -> None:
    classifier = hx.Classifier(kind(end, ONE), classes=["clear", "lesion"])
    chance = float(torch.tensor(1.0).sigmoid())
    positive = taken_apart(classifier, PICTURE)
    assert (positive.target.name, positive.target.index) == ("lesion", 1)
    assert positive.target.logit == pytest.approx(1, rel=1e-4)
    assert positive.target.probability == pytest.approx(chance, rel=1e-5)
    assert leaves(positive) == close({0: 3.0})
    negative = taken_apart(classifier, PICTURE.flip(0))  # the logit is 1 - 6 = -5
    assert negative.target.name == "clear"
    assert negative.target.logit == pytest.approx(5, rel=1e-4)
    assert leaves(negative) == close({1: 6.0})
    assert any("a decision between two classes" in note for note in negative.notes)


def test_several_images_of_one_output_are_told_apart() -> None:
    classifier = hx.Classifier(Ending(lambda z: z.squeeze(), ONE))
    x = torch.stack([PICTURE, PICTURE.flip(0), PICTURE])
    for images in (x[:1], x):
        expected = torch.tensor([[-1.0, 1.0], [5.0, -5.0], [-1.0, 1.0]])[: len(images)]
        assert torch.equal(classifier.logits(images), expected)


def test_one_name_gets_its_opposite() -> None:
    classifier = hx.Classifier(Ending(lambda z: z, ONE), classes=["lesion"])
    assert classifier.classes == ("not lesion", "lesion")
    assert classifier.predict(PICTURE)[0][1] == "lesion"


def test_one_finding_stays_one_class() -> None:
    classifier = hx.Classifier(Ending(lambda z: z, ONE), classes=["lesion"], scores="multilabel")
    assert classifier.predict(PICTURE) == [(0, "lesion", pytest.approx(0.7310586))]


# several findings


def test_findings_are_shown_by_themselves() -> None:
    classifier = scores(lambda z: z, scores="multilabel")
    assert {name: chance for _, name, chance in classifier.predict(PICTURE)} == {
        name: pytest.approx(float(chance))
        for name, chance in zip(NAMES, LOGITS.sigmoid(), strict=True)
    }
    assert classifier.findings(torch.stack([LOGITS, -LOGITS.abs()])) == [(0, 1), ()]


@pytest.mark.parametrize("kind", [Ending, Opaque])
def test_percentages_are_explained_as_they_are_and_doubted(kind: type[Ending]) -> None:
    tree = taken_apart(scores(lambda z: 100 * z.softmax(1), kind), PICTURE)
    assert tree.target.logit == pytest.approx(100 * float(CHANCES[0]), rel=1e-5)
    assert sum("sum to 100 and are taken as logits" in note for note in tree.notes) == 1
    for end in (lambda z: z, lambda z: z - z.mean(1, keepdim=True), torch.sigmoid):
        notes = taken_apart(scores(end, kind), PICTURE).notes
        assert not [note for note in notes if "of every image sum to" in note]


def test_plain_logits_are_known_from_the_one_image() -> None:
    runs: list[Tensor] = []

    def end(z: Tensor) -> Tensor:
        runs.append(z)
        return z - 4

    scores(end).read(PICTURE[None])
    assert len(runs) == 1


def test_several_labels_of_an_image_cast_doubt_on_a_softmax() -> None:
    classifier = scores(lambda z: z)
    labels = [torch.tensor([1, 1, 0]), torch.tensor([0, 1, 0])]
    for _ in batches(list(zip([PICTURE] * 2, labels, strict=True)), classifier, size=2):
        classifier.logits(PICTURE[None])
    assert 'say hx.Classifier(model, scores="multilabel")' in classifier.notes[-1]


# what a network returns


Pair = namedtuple("Pair", ["features", "logits"])


@dataclass
class Answer:
    loss: Any
    logits: Tensor
    hidden: tuple[Tensor, ...]


class Named(OrderedDict):
    """An ordered dict whose entries are attributes as well, as transformers return it."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


OUTPUTS: dict[str, Callable[[Tensor], Any]] = {
    "tuple": lambda z: (z, z[:, :2] * 0),
    "features first": lambda z: (z[:, :2], z),
    "list": lambda z: [None, z],
    "dict": lambda z: {"aux": -z, "logits": z},
    "torchvision": lambda z: OrderedDict(aux=-z, out=z),
    "named tuple": lambda z: Pair(z[:, :2], z),
    "data class": lambda z: Answer(None, z, (z[:, :, None].expand(-1, -1, 3),)),
    "transformers": lambda z: Named(loss=None, logits=z, hidden=(-z, z)),
    "nested": lambda z: {"heads": {"logits": z, "scale": z.sum()}},
    "convolutional": lambda z: z[:, :, None, None],
    "softmax": lambda z: {"features": z[:, :2], "out": z.softmax(1)},
}


@pytest.mark.parametrize("kind", [Ending, Opaque])
@pytest.mark.parametrize("end", OUTPUTS.values(), ids=OUTPUTS)
def test_scores_are_found_in_what_is_returned(end: Any, kind: type[Ending]) -> None:
    tree = taken_apart(scores(end, kind), PICTURE)
    assert (tree.target.name, tree.target.logit) == ("square", pytest.approx(5))
    assert leaves(tree) == close({0: 3.0, 1: 2.0})


def test_what_is_left_out_is_named() -> None:
    classifier = scores(OUTPUTS["dict"])
    classifier.predict(PICTURE)
    assert classifier.notes[-1] == (
        "Of what the network returns, logits is explained; left out: aux (1, 3)."
    )


@pytest.mark.parametrize(
    ("end", "output"),
    [
        (OUTPUTS["dict"], "aux"),
        (lambda z: (z, -z), 1),
        (lambda z: (z, -z), -1),
        (lambda z: Pair(z, -z), "logits"),
        (lambda z: Pair(z, -z), 1),
        (lambda z: {"a": {"logits": z}, "b": {"logits": -z}}, "b"),
    ],
)
def test_another_output_can_be_chosen(end: Any, output: Any) -> None:
    tree = taken_apart(scores(end, output=output), PICTURE)
    assert (tree.target.name, tree.target.logit) == ("cross", pytest.approx(1))


@pytest.mark.parametrize("output", ["axu", 7])
def test_an_unknown_output_is_answered_with_those_there_are(output: Any) -> None:
    with pytest.raises(ValueError, match=r"no output=.*expected a name or a place.*aux, logits"):
        scores(OUTPUTS["dict"], output=output).predict(PICTURE)


# wherever a network is run


def test_an_attack_moves_logits_and_not_saturated_probabilities() -> None:
    x, steep = image(12), plain()
    steep[10].weight.data *= 50
    closed = nn.Sequential(*steep, nn.Softmax(1))
    one, two = hx.pgd(steep, x, seed=3), hx.pgd(closed, x, seed=3)
    assert torch.equal(one.adversarial, two.adversarial)
    assert (one.after.index, one.after.logit) == (two.after.index, two.after.logit)


def test_curves_of_pixels_show_what_the_network_means() -> None:
    x, heat = image(12), torch.arange(144.0).view(12, 12).numpy()
    model = plain()
    curves = hx.insertion_deletion(hx.Classifier(model, scores="multilabel"), x, heat, steps=4)
    best = model(x).detach().max()
    assert curves.deletion[0] == close(float(best.sigmoid()))


def test_another_networks_scores_are_read_alike() -> None:
    known = hx.Classifier(plain(), classes=list("abcde"), scores="multilabel")
    other = known.around(plain(seed=1))
    assert (other.classes, other.scores) == (known.classes, "multilabel")
    assert other.predict(image(12)) != known.predict(image(12))


def test_a_network_that_was_changed_is_not_taken_for_what_it_was() -> None:
    model = plain()
    known = hx.Classifier(model)
    known.predict(image(12))
    model[10] = nn.Linear(16, 3)
    with pytest.raises(ValueError, match=r"expected 5 scores of each, as before; make a new"):
        known.predict(image(12))


@pytest.mark.parametrize("kind", [Ending, Opaque])
@pytest.mark.parametrize("end", [nn.Softmax(1), OUTPUTS["softmax"], nn.Sigmoid()])
def test_removals_are_of_logits_where_the_squash_is_cut_off(end: Any, kind: type[Ending]) -> None:
    engine = hx.Decomposer(scores(end, kind), PICTURE, layers=["act"])
    assert engine.faithfulness(engine.tree(), ()).drops.tolist() == close([3.0, 2.0])


@pytest.mark.parametrize("kind", [Ending, Opaque])
def test_removals_are_of_log_probabilities_elsewhere(kind: type[Ending]) -> None:
    engine = hx.Decomposer(scores(exponentials, kind), PICTURE, layers=["act"])
    # The logits without channel 0, whose mean is 3, and without channel 1, whose mean is 1.
    without = torch.tensor([[2.0, 1.0, 2.0], [3.0, 3.0, -3.0]]).log_softmax(1)[:, 0]
    drops = CHANCES[0].log() - without
    assert engine.faithfulness(engine.tree(), ()).drops.tolist() == close(drops.tolist())
