"""What made a piece of evidence: which versions of which libraries, which network."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version

import numpy as np
import torch
from torch import Tensor, nn


@cache
def _own_version() -> str:
    return version("hexplain_widgets")


def versions() -> dict[str, str]:
    """Return the versions of this package, torch and numpy by name."""
    return {
        "hexplain_widgets": _own_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
    }


def fingerprint(model: nn.Module) -> str:
    """Return a hash of a network's weights and buffers, by name: equal for equal networks."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(model.state_dict().items()):
        if isinstance(tensor, Tensor):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            flat = tensor.detach().cpu().contiguous().reshape(-1)
            digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()
