"""Copy and join records as plain bytes.

NumPy copies structured records field by field, which for the records of an order book takes twenty times as long as
moving their bytes (118 against 5 ns for one of 104 bytes).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def copied(records: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of a one-dimensional, contiguous array of records."""
    return records.view(_plain(records.dtype)).copy().view(records.dtype)


def joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return one-dimensional, contiguous arrays of the same records as one array; not a copy if there is only one."""
    if len(parts) == 1:
        return parts[0]
    dtype = parts[0].dtype
    return np.concatenate([part.view(_plain(dtype)) for part in parts]).view(dtype)


def _plain(dtype: np.dtype[Any]) -> np.dtype[np.void]:
    return np.dtype((np.void, dtype.itemsize))
