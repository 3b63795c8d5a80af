"""The package's tree and the literal one, compared node by node."""

from __future__ import annotations

import numpy as np

from hexplain_widgets.evidence import Node
from tests.reference.gap import Branch


def check_same(nodes: tuple[Node, ...], branches: list[Branch], *, tolerance: float) -> int:
    """Assert that two levels and all below them agree; return how many nodes were compared."""
    assert [n.channel for n in nodes] == [b.channel for b in branches]
    count = 0
    for node, branch in zip(nodes, branches, strict=True):
        largest = float(branch.activation.abs().max())
        assert node.layer == branch.layer
        assert node.position == branch.position
        assert node.also == branch.also
        assert np.isclose(node.value, branch.value, rtol=tolerance, atol=tolerance)
        assert np.isclose(node.contribution, branch.alpha, rtol=tolerance)
        assert np.isclose(node.share, branch.share, rtol=tolerance)
        literal = branch.activation.numpy()
        assert np.abs(node.activation - literal).max() <= tolerance * largest
        count += 1 + check_same(node.children, branch.children, tolerance=tolerance)
    return count
