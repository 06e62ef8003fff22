"""Bring a candle file of any common shape into the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mycelial.adapters.data.catalogue import Stored, store
from mycelial.adapters.data.intervals import interval_of
from mycelial.adapters.data.merging import OnConflict
from mycelial.adapters.data.reading import read_candles


@dataclass(frozen=True)
class Imported:
    """What importing one file did."""

    file: str
    interval: str
    rows: int
    stored: list[Stored]

    @property
    def n_added(self) -> int:
        """Return how many candles the catalogue did not have before."""
        return sum(result.n_added for result in self.stored)


def import_file(
    path: Path,
    folder: Path,
    *,
    venue: str,
    imported_at: str,
    interval: str | None = None,
    symbol: str | None = None,
    on_conflict: OnConflict = "refuse",
) -> Imported:
    """Read a CSV or parquet file of one or many symbols and merge it into the catalogue at `folder`.

    Parameters
    ----------
    path : Path
        See `reading.read_candles` for what is understood.
    folder : Path
        The catalogue; created when absent.
    venue : str
        Where the candles were traded.
    imported_at : str
        The time of this, as text.
    interval : str, optional
        Told from the spacing of the candles when not given.
    symbol : str, optional
        For a file without a symbol column.
    on_conflict : {"refuse", "keep", "replace"}
        See `merging.merge`.

    Raises
    ------
    NotFound, DataError, StorageError
        In each of these cases the catalogue is unchanged.
    """
    candles = read_candles(path, symbol=symbol)
    interval = interval or interval_of(candles, str(path))
    stored = store(
        folder,
        candles,
        venue=venue,
        interval=interval,
        source=path.name,
        imported_at=imported_at,
        on_conflict=on_conflict,
    )
    return Imported(str(path), interval, len(candles), stored)
