"""Who is taken for whom, counted image by image, and the channels that speak for two classes."""

from __future__ import annotations


def pairs_of(labels: list[int], named: list[int]) -> list[tuple[int, int, int]]:
    """Label, what was named instead, and how often, the most frequent first."""
    found = []
    for a in sorted(set(labels)):
        for b in sorted(set(named)):
            if a == b:
                continue
            count = 0
            for label, name in zip(labels, named, strict=True):
                if label == a and name == b:
                    count += 1
            if count:
                found.append((a, b, count))
    return sorted(found, key=lambda one: (-one[2], one[0], one[1]))


def shared_of(weights, means, a: int, b: int, top: int) -> list[int]:
    """Channels whose weight times mean activation is positive for both, by the smaller of them."""
    found = []
    for k in range(len(means)):
        one, other = weights[a][k] * means[k], weights[b][k] * means[k]
        if one > 0 and other > 0:
            found.append((-min(one, other), k))
    return [k for _, k in sorted(found)[:top]]
