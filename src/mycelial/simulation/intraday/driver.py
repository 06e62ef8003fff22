"""The event loop as a compiled unit, called by address by whoever drives a market (see `domain.calling`)."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.calling import Unit, call_at, record_at
from mycelial.domain.kernels import entry, helper
from mycelial.simulation.intraday.kernel import advance
from mycelial.simulation.intraday.state import LOOP, Loop

_loop_at = record_at(LOOP)


def _advance(address: int) -> None:
    """Run the loop at an address as its header asks."""
    loop = _loop_at(address)
    loop.stopped = advance(loop, loop.until)


@cache
def compiled_loop() -> Unit:
    """Return `advance` as a C function of the loop's address, which reads `until` and writes `stopped`."""
    return Unit(_advance)


@helper
def drive(loop: Loop, until: int) -> int:
    """Call the compiled loop; see `kernel.advance`."""
    loop.until = until
    call_at(loop.run_at, loop.self_at)
    return int(loop.stopped)


@entry
def run(header: NDArray[np.void], until: int) -> int:
    """Let everything happen up to and including `until`; return why it stopped (REACHED when it is done).

    Parameters
    ----------
    header : LOOP[1]
    """
    return drive(header[0], until)
