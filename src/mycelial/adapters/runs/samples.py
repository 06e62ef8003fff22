"""What a probe saw of an intraday market, a row a beat, as parquet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mycelial.domain.errors import StorageError
from mycelial.facts.stability import depth_within
from mycelial.simulation.stress import Samples

SAMPLES = "samples.parquet"
_BAND_BP = 25.0


def write_samples(folder: Path, samples: Samples) -> None:
    """Write time, best prices, depth and fundamental; `StorageError` if the disk refuses."""
    bids, asks = depth_within(samples.bid, samples.bid_lots, samples.ask, samples.ask_lots, (_BAND_BP,))
    seconds = samples.time_ns // 10**9
    edges = np.searchsorted(samples.trades["time"], samples.time_ns, side="right")
    volume = np.concatenate([[0], np.cumsum(samples.trades["lots"])])[edges]
    table = pa.table(
        {
            "t_ns": samples.time_ns,
            "second": seconds,
            "bid": samples.bid[:, 0],  # ticks
            "ask": samples.ask[:, 0],
            "bid_lots": samples.bid_lots[:, 0],
            "ask_lots": samples.ask_lots[:, 0],
            "bid_depth_25bp": bids[:, 0],  # lots
            "ask_depth_25bp": asks[:, 0],
            "worth": samples.worth,  # ticks
            "reference": samples.reference,
            "volume": np.diff(volume, prepend=0),  # lots since the row before
        }
    )
    try:
        pq.write_table(table, folder / SAMPLES, compression="zstd")
    except OSError as error:
        raise StorageError(f"{folder}: cannot be written ({error.strerror or error}); free space") from error
