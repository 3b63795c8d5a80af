"""The checker of signatures under pytest: beartype, taking an array of any kind as any array."""

from __future__ import annotations

from typing import Any

import numpy as np
from beartype import BeartypeConf, BeartypeHintOverrides, beartype

checked = beartype(
    conf=BeartypeConf(hint_overrides=BeartypeHintOverrides({np.ndarray[Any, Any]: np.ndarray}))
)
