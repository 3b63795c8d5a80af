"""Small networks as people write them: right against the network itself, and left as they were."""

from __future__ import annotations

import pytest

from tests.zoo.checks import checked
from tests.zoo.table import ZooNetwork, small


@pytest.mark.parametrize("network", small(), ids=lambda network: network.name)
def test_a_small_network_is_explained_as_it_answers(network: ZooNetwork) -> None:
    line = checked(network.make().eval(), network.size, engines=())
    assert not line["refused"]
    assert line["tree"] < 1e-3
    assert line["ablation"] < 1e-3
    assert line["untouched"]
