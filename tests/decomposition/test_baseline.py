"""Ablation to the average over given images: in exact trees, in agreements, in words."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import hexplain_widgets as hx
from hexplain_widgets.decomposition.engine import NO_AVERAGE
from hexplain_widgets.evidence import Decomposition, Node
from tests.networks import Residual, image, plain
from tests.reference import gap

OTHERS = [image(40, seed) for seed in (5, 6, 7)]
NETWORKS = {"plain": (plain, None), "shortcut": (Residual, ["act:2", "enter"])}


def exact(model: torch.nn.Module, **settings: object) -> Decomposition:
    given = {"method": "ablation", "merge_iou": 1.0, "baseline": [x[0] for x in OTHERS], **settings}
    return hx.decompose(model, image(40), **given)


def literal(model: torch.nn.Module, tree: Decomposition, path: tuple[int, ...]) -> np.ndarray:
    """What the decision loses, channel by channel, in whole forwards of the network."""
    names = [layer.name for layer in tree.layers]
    node, deep = tree.node(path), names[len(path) - 1] if path else None
    unit = (node.channel, *node.position)
    drops = gap.ablation_to_average(model, image(40), deep, unit, names[len(path)], OTHERS)
    return (-1 if node.negated else 1) * drops.double().numpy()


def decided(tree: Decomposition) -> list[tuple[tuple[int, ...], Node]]:
    return [(path, node) for path, node in tree.root.walk() if node.decomposed]


def test_contributions_are_drops_to_the_average_over_the_images() -> None:
    model, tree = plain(), exact(plain())
    some = decided(tree)[::3]
    assert {len(path) for path, _ in some} == {0, 1, 2}
    for path, node in some:
        drops = literal(model, tree, path)
        near = {"rtol": 1e-3, "atol": 2e-5 * np.abs(drops).max()}
        channels = [c.channel for c in node.children]
        assert np.allclose([c.contribution for c in node.children], drops[channels], **near)
        assert np.allclose(np.sort(drops)[::-1][: len(channels)], drops[channels], **near)


def test_the_estimate_beside_is_that_of_the_same_removal() -> None:
    model, tree = plain(), exact(plain())
    means = hx.channel_means(model, [x[0] for x in OTHERS])
    name = tree.layers[0].name
    step = gap.step(model, image(40), None, (tree.root.channel, 0, 0), name)
    maps = gap.features(model, image(40), [name])[0][name][0].detach()
    above = step.gradient * (maps - means[name][:, None, None])
    expected = above.sum((1, 2)).double().numpy()
    for child in tree.root.children:
        assert child.estimate == pytest.approx(expected[child.channel], rel=1e-3)
    r = np.corrcoef(expected, literal(model, tree, ()))[0, 1]
    assert tree.root.agreement == pytest.approx(r, abs=1e-3)


@pytest.mark.parametrize("path", [(), (0,)])
def test_agreement_is_of_what_is_shown_with_drops_to_the_average(path: tuple[int, ...]) -> None:
    model = plain()
    engine = hx.Decomposer(model, image(40), baseline=[x[0] for x in OTHERS])
    tree = engine.tree()
    found = engine.faithfulness(tree, path)
    drops = literal(model, tree, path)
    assert found.baseline == "mean"
    assert found.drops == pytest.approx(drops, rel=1e-3, abs=2e-5 * np.abs(drops).max())
    node = tree.node(path)
    cells = np.prod(tree.layers[len(path)].shape[1:])
    shown = {c.channel: c.contribution for c in node.children}
    assert {k: found.estimates[k] / cells for k in shown} == pytest.approx(shown, rel=1e-4)
    assert found.pearson == pytest.approx(np.corrcoef(found.estimates, drops)[0, 1], abs=1e-4)


def test_means_of_before_give_the_same_tree_as_their_images() -> None:
    model = plain()
    means = hx.channel_means(model, [x[0] for x in OTHERS])
    given, again = exact(model, baseline=means), exact(model)
    assert given.root == again.root
    assert given.provenance.settings["baseline"] == "given mean"


def test_without_a_baseline_a_removed_channel_is_zero_as_before() -> None:
    tree = exact(plain(), baseline=None)
    assert tree.provenance.settings["baseline"] == "zero"
    assert not any("removed channel" in note for note in tree.notes)
    drops = gap.ablation(plain(), image(40), None, (tree.root.channel, 0, 0), tree.layers[0].name)
    for child in tree.root.children:
        assert child.contribution == pytest.approx(float(drops[child.channel]), rel=1e-3)


def test_evidence_and_view_name_the_baseline() -> None:
    tree = exact(plain())
    assert tree.provenance.settings["baseline"] == "average over 3 images"
    assert "A removed channel is set to its average over 3 images." in tree.notes
    view = hx.DecompositionTree(plain(), image(40), baseline=[x[0] for x in OTHERS])
    checked = view._check({"path": []}, lambda: False)
    assert "16 channels set to their average over 3 images" in checked["lines"][0]
    assert "set to their average over 3 images" in view.checks[""]["lines"][0]
    shown = hx.DecompositionTree.from_evidence(tree)
    assert "set to their average over 3 images" in shown.checks[""]["lines"][0]


def test_the_papers_settings_say_that_they_want_averages() -> None:
    tree = hx.decompose(plain(), image(40), settings="paper")
    assert tree.notes[-2:] == ("Found with the settings paper.", NO_AVERAGE)
    given = exact(plain(), settings="paper")
    said = "paper, but merge_iou=1.0, method='ablation'"
    assert given.provenance.settings["settings"] == said
    assert NO_AVERAGE not in given.notes and f"Found with the settings {said}." in given.notes
    engine = hx.Decomposer(plain(), image(40), settings="paper", top_k=2)
    assert "settings=\"paper\", but top_k=2, baseline='zero'" in repr(engine)


def test_the_papers_tree_is_the_usual_one() -> None:
    one, other = (hx.decompose(plain(), image(40), settings=s) for s in ("paper", "default"))
    assert one.root == other.root


BAD = {
    "empty": ([], ValueError, "got no image; expected at least one"),
    "another network": (
        {"7": torch.zeros(3), "4": torch.zeros(12), "1": torch.zeros(8)},
        ValueError,
        r"means of shape \(3,\) for 7; expected \(16,\)",
    ),
    "another layer": ({"8": torch.zeros(16)}, ValueError, "expected those of 7 too"),
    "not finite": (
        {"7": torch.full((16,), torch.nan), "4": torch.zeros(12), "1": torch.zeros(8)},
        ValueError,
        "NaN or infinite means",
    ),
    "a text": ("mean", TypeError, "got the text 'mean' as data; expected"),
    "a number": (0.5, TypeError, "got float as data; expected"),
    "no image": ([object()], TypeError, "got object as an image; expected"),
    "too small": ([torch.zeros(3, 1, 1)], ValueError, "got an image of 1 x 1 pixels, whose size"),
    "another depth": ([torch.zeros(1, 40, 40)], ValueError, "got an image of 1 channel; Seq"),
    "an image alone": (torch.zeros(3, 40, 40), ValueError, "expected one preprocessed image"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_baseline_that_is_none_is_an_error(name: str) -> None:
    baseline, kind, text = BAD[name]
    with pytest.raises(kind, match=text):
        hx.Decomposer(plain(), image(40), baseline=baseline)
