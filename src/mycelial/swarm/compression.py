"""Fewer bytes for a difference of parameters: int8 by rows, and the largest values only.

Both are contractions: what they leave out is smaller than what was there. The sender subtracts what receivers have
already got (its public estimate), so whatever is left out now is sent later; that is error feedback (Stich et al.
2018, section 2) in the form of CHOCO-SGD (Koloskova et al. 2019, algorithm 2).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError

INT8_STEPS = 127


def to_int8(values: NDArray[np.float32], row_starts: NDArray[np.int64]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round every row to 127 steps of its largest magnitude.

    Parameters
    ----------
    values : float32[F]
    row_starts : int64[R + 1]
        See `BlockTable.row_starts`.

    Returns
    -------
    codes : int8[F]
    scales : float32[R]
        Largest magnitude of each row; 0 for a row of zeros.
    """
    scales = np.maximum.reduceat(np.abs(values), row_starts[:-1]).astype(np.float32)
    steps = np.divide(INT8_STEPS, scales, out=np.zeros(len(scales)), where=scales > 0)
    codes = np.rint(values * np.repeat(steps, np.diff(row_starts)))
    return codes.astype(np.int8), scales


def from_int8(
    codes: NDArray[np.int8], scales: NDArray[np.float32], row_starts: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the values that `to_int8` stands for, float32[F]; the same bits on every machine."""
    steps = (scales / np.float32(INT8_STEPS)).astype(np.float32)
    return codes.astype(np.float32) * np.repeat(steps, np.diff(row_starts))


def largest(values: NDArray[np.float32], share: float) -> NDArray[np.int64]:
    """Return the ascending positions of the largest magnitudes: a `share` of all, at least one.

    Ties go to the earlier position, so that the choice does not depend on the machine.
    """
    if not 0 < share <= 1:
        raise ConfigError(f"the share of values to send must be in (0, 1], got {share}")
    count = max(1, int(len(values) * share))
    order = np.argsort(-np.abs(values), kind="stable")
    return np.sort(order[:count])
