"""Small networks as people write them: right against the network itself, and left as they were."""

from __future__ import annotations

import pytest

import hexplain_widgets as hx
from tests.networks import image, plain
from tests.zoo.checks import ablation_error, checked, tree_error
from tests.zoo.table import ZooNetwork, small


@pytest.mark.parametrize("network", small(), ids=lambda network: network.name)
def test_a_small_network_is_explained_as_it_answers(network: ZooNetwork) -> None:
    line = checked(network.make().eval(), network.size, engines=())
    assert not line["refused"]
    assert line["tree"] < 1e-3
    assert line["ablation"] < 1e-3
    assert line["untouched"]


def test_the_zoo_sees_a_wrong_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = plain(), image(18)
    engine = hx.Decomposer(model, x, layers=["7"])
    right = hx.Decomposer.candidates

    def doubled(self, tree, path, top=24):
        return tuple((k, 2 * c, share) for k, c, share in right(self, tree, path, top))

    monkeypatch.setattr(hx.Decomposer, "candidates", doubled)
    assert tree_error(engine, model, x) == pytest.approx(1, rel=1e-3)
    assert ablation_error(engine, model, x) > 0.4
