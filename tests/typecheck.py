"""The checker of signatures under pytest: beartype, taking an array of any kind as any array."""

from __future__ import annotations

from typing import Any

import numpy as np
from beartype import BeartypeConf, FrozenDict, beartype

checked = beartype(conf=BeartypeConf(hint_overrides=FrozenDict({np.ndarray[Any, Any]: np.ndarray})))
